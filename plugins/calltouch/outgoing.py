"""From an action's values to the vendor's bodies. Pure: the present comes in as `now`.

Pages "api-metod-sozdaniya-sdelok", "api-metod-obnovleniya-sdelok", "upravlenie-zayavkami-cherez-api",
"api-metod-importa-zvonkov". Times go out on the cabinet's clock (dd-mm-yyyy hh:mm:ss), money as text with a point.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any
from zoneinfo import ZoneInfo

from hub import normal
from hub.errors import Refused
from hub.model import Action
from plugins.calltouch import codes, dates, matching

#: what a route may write for a deal: the vendor's words, and short ones for what the vendor nests
DEAL_WORDS = (
    "orderNumber", "orderDate", "status", "statusDate", "updateDate", "funnel", "revenue", "margin", "currency",
    "manager", "leadManager", "orderLink", "orderName", "comment", "tags", "lead_tags", "fields", "lead_fields",
    "products", "contacts", "matching", "reMatching", "call", "request", "chat", "phone", "email", "utm_source",
    "utm_medium", "utm_campaign", "utm_content", "utm_term", "overwrite", "without_source",
)  # fmt: skip
FORM_WORDS = ("requestNumber", "subject", "phone", "name", "email", "comment", "page", "session", "tags")
REQUEST_WORDS = (*FORM_WORDS, "date", "utm_source", "utm_medium", "utm_campaign", "utm_content", "utm_term")
CALL_WORDS = (
    "referenceId", "phone", "line", "at", "duration", "waiting", "status", "recording", "comment", "tags",
    "utm_source", "utm_medium", "utm_campaign", "utm_content", "utm_term", "sipCallId",
)  # fmt: skip
#: words of a deal that are sent as they are
_PLAIN = ("funnel", "status", "manager", "orderLink", "orderName")
_SPACES = re.compile(r"[\s\u00a0\u202f']")
_SOURCES = ("source", "medium", "campaign", "content", "term")


@dataclass(frozen=True, slots=True)
class Writer:
    """How a cabinet writes: its zone, region and the present."""

    zone: ZoneInfo
    region: str
    now: dt.datetime

    def time(self, value: Any, name: str) -> str:
        """Return a moment as lead-service wants it. Raises `Refused` if it is none."""
        found = dates.moment(value, self.zone)
        if found is None:
            raise Refused(f"{name}: {str(value)[:60]!r} is no date", {name: "no date"})
        return dates.for_leads(found, self.zone)

    # --- deals --------------------------------------------------------------------------------------

    def deal(self, values: Mapping[str, Any], new: bool, happened: dt.datetime | None = None) -> dict[str, Any]:
        """Return the body of one deal, for client-order/create (`new`) or client-order/update.

        happened: when the event did, for what the route doesn't say. Raises `Refused` with the field that is wrong.
        """
        number = text(values.get("orderNumber"))
        if not number:
            raise Refused("a deal needs orderNumber, its id in the CRM", {"orderNumber": "missing"})
        at = dates.for_leads(happened or self.now, self.zone)
        body: dict[str, Any] = {"orderNumber": number}
        body |= {name: text(values[name]) for name in _PLAIN if text(values.get(name))}
        if stage := text(values.get("stage")):
            body.setdefault("status", stage)
        for name in ("orderDate", "statusDate", "updateDate"):
            if values.get(name):
                body[name] = self.time(values[name], name)
        if new:
            body.setdefault("orderDate", at)
        else:
            body.setdefault("updateDate", at)
        if "status" in body:
            body.setdefault("statusDate", at)
        for name in ("revenue", "margin"):
            if values.get(name) not in (None, ""):
                body[name] = money(values[name], name)
        if currency := text(values.get("currency")):
            body["currency"] = currency.lower()
        body |= self._nested(values, new)
        if new:
            body["matching"] = self._matching(values, body["orderDate"])
        elif values.get("reMatching"):
            body["reMatching"] = matching.of(values["reMatching"], body["updateDate"], self.region)
        return body

    def _matching(self, values: Mapping[str, Any], when: str) -> list[dict[str, Any]]:
        if values.get("matching"):
            found = matching.of(values["matching"], when, self.region)
        else:
            found = matching.usual(values, when, self.region, without_source=not is_no(values.get("without_source")))
        if not found:
            raise Refused(
                "nothing to match the deal by: give call, request, phone or email, or allow withoutSource",
                {"matching": "empty"},
            )
        return found

    def _nested(self, values: Mapping[str, Any], new: bool) -> dict[str, Any]:
        """Return what the vendor nests; comment and tags are written one way when a deal is made, another later."""
        overwrite = is_yes(values.get("overwrite"))
        body: dict[str, Any] = {}
        if comment := cut(text(values.get("comment")), codes.COMMENT):
            body["comment" if new else "addNewComment"] = {"text": comment}
        if tags := tag_rows(values.get("tags")):
            body["addTags"] = tags if new else {"overwrite": overwrite, "tags": tags}
        if tags := tag_rows(values.get("lead_tags")):
            body["addTagsToLead"] = {"overwrite": overwrite, "tags": tags}
        if fields := field_rows(values.get("fields")):
            body["customFields"] = fields
        if fields := field_rows(values.get("lead_fields")):
            body["addCustomFieldsToLead"] = {"overwrite": overwrite, "customFields": fields}
        if manager := values.get("leadManager"):
            named = isinstance(manager, Mapping)
            body["leadManager"] = dict(manager) if named else {"manager": text(manager), "overwrite": overwrite}
        if products := product_rows(values.get("products")):
            body["products"] = products
        if contacts := self._contacts(values):
            body["orderContacts"] = contacts
        return body

    def _contacts(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """Return the people of a deal, only where the route names them: a person's data goes nowhere unasked."""
        given = values.get("contacts")
        if not isinstance(given, Mapping):
            return {}
        if "mainContacts" in given or "otherContacts" in given:
            return dict(given)
        short = {"fio": given.get("name"), "phoneNumber": self.phone(given.get("phone")), "email": given.get("email")}
        main = {**{name: text(value) for name, value in short.items()}, **given}
        main = {name: value for name, value in main.items() if value and name not in ("name", "phone")}
        return {"mainContacts": main} if main else {}

    def phone(self, value: Any) -> str:
        """Return a phone as the vendor writes it, 11 digits without a plus; as it came if it is none."""
        number = normal.phone(text(value), self.region)
        return number.removeprefix("+") if number else text(value)

    # --- requests -----------------------------------------------------------------------------------

    def request(self, values: Mapping[str, Any], number: str) -> dict[str, Any]:
        """Return one request for lead-service's request/create."""
        found = self._request(values, number)
        body: dict[str, Any] = {
            "requestNumber": found["requestNumber"],
            "subject": found["subject"],
            "requestUrl": found["requestUrl"],
            "requestDate": self.time(values.get("date") or self.now, "date"),
            "phoneNumber": found["phoneNumber"] and f"+{found['phoneNumber'].removeprefix('+')}",
            "email": found["email"],
            "fio": found["fio"],
            "sessionId": found["sessionId"],
        }
        if found["comment"]:
            body["comment"] = {"text": cut(found["comment"], codes.COMMENT)}
        body["addTags"] = tag_rows(values.get("tags"))
        body["customSources"] = custom_sources(values)
        return {name: value for name, value in body.items() if value}

    def form(self, values: Mapping[str, Any], number: str) -> dict[str, str]:
        """Return the form that registers a request without a token. An empty field makes the vendor refuse it all."""
        found = self._request(values, number)
        tags = ",".join(row["tag"] for row in tag_rows(values.get("tags")))
        return {name: value for name, value in {**found, "tags": tags}.items() if value}

    def _request(self, values: Mapping[str, Any], number: str) -> dict[str, str]:
        if len(number) > codes.NUMBER:
            raise Refused(f"requestNumber may have {codes.NUMBER} letters", {"requestNumber": "too long"})
        found = {
            "requestNumber": number,
            "subject": cut(text(values.get("subject")), codes.SUBJECT),
            "phoneNumber": self.phone(values.get("phone")),
            "fio": text(values.get("name")),
            "email": email_of(values),
            "comment": text(values.get("comment")),
            "requestUrl": text(values.get("page")),
            "sessionId": session_of(values.get("session")),
        }
        if not (found["phoneNumber"] or found["fio"] or found["email"]):
            raise Refused("a request needs a phone, a name or an e-mail", {"phone": "missing"})
        return found

    # --- calls of one's own telephone system ------------------------------------------------------------

    def call(self, values: Mapping[str, Any], reference: str) -> dict[str, Any]:
        """Return one call for call/import; `reference` is unique for ever."""
        if len(reference) > codes.REFERENCE:
            raise Refused(f"referenceId may have {codes.REFERENCE} letters", {"referenceId": "too long"})
        if not values.get("phone") or not values.get("at"):
            raise Refused("a call needs phone and at", {"phone" if not values.get("phone") else "at": "missing"})
        comment = cut(text(values.get("comment")), codes.COMMENT)
        body: dict[str, Any] = {
            "referenceId": reference,
            "sipCallId": text(values.get("sipCallId"))[:45],
            "clientPhoneNumber": self.phone(values.get("phone")),
            "callCenterPhoneNumber": self.phone(values.get("line")),
            "callStartTime": self.time(values["at"], "at"),
            "duration": seconds(values.get("duration"), "duration"),
            "waitingTime": seconds(values.get("waiting"), "waiting"),
            "status": text(values.get("status")),
            "recordUrl": text(values.get("recording")),
            "comment": {"text": comment} if comment else None,
            "addTags": tag_rows(values.get("tags")),
            "customSources": custom_sources(values),
        }
        return {name: value for name, value in body.items() if value not in (None, "", [], {})}


# --- small parts --------------------------------------------------------------------------------------


def known(action: Action) -> dict[str, Any]:
    """Return the values with the event's person where the route says nothing: name, phone, e-mail."""
    beside = {name: action.person.get(name) for name in ("phone", "name", "email")}
    return {**{name: value for name, value in beside.items() if value}, **action.values}


def text(value: Any) -> str:
    """Return a value as text; "" for none and for what is nested."""
    if isinstance(value, bool) or not isinstance(value, (str, int, float, Decimal)):
        return ""
    return str(value).strip()


def cut(words: str, longest: int) -> str:
    """Return a text that isn't longer than the vendor takes; what was cut ends with an ellipsis."""
    return words if len(words) <= longest else words[: longest - 1].rstrip() + "…"


def money(value: Any, name: str) -> str:
    """Return an amount as text with a point: `1 500,5 ₽` and `1500.50|RUB` too. Raises `Refused` if it is none."""
    amount = _SPACES.sub("", str(value).partition("|")[0])
    amount = re.sub(r"[^\d.,+-]+$", "", amount).replace(",", ".")
    try:
        found = Decimal(amount)
    except InvalidOperation:
        raise Refused(f"{name}: {str(value)[:60]!r} is no amount", {name: "no amount"}) from None
    if not found.is_finite() or abs(found) > Decimal(10) ** 15:
        raise Refused(f"{name}: {str(value)[:60]!r} is no amount", {name: "no amount"})
    return format(found, "f")


def seconds(value: Any, name: str) -> int | None:
    """Return whole seconds, None for nothing. Raises `Refused` for anything else."""
    if value in (None, ""):
        return None
    words = text(value)
    if not re.fullmatch(r"\d{1,8}", words):
        raise Refused(f"{name}: {str(value)[:60]!r} are no seconds", {name: "no seconds"})
    return int(words)


def tag_rows(value: Any) -> list[dict[str, str]]:
    """Return tags as the vendor writes them: from `[a, b]`, from `a, b`, or already so."""
    rows = value.split(",") if isinstance(value, str) else value if isinstance(value, list | tuple) else []
    names = (row.get("tag") if isinstance(row, Mapping) else row for row in rows)
    return [{"tag": name} for name in dict.fromkeys(text(name) for name in names) if name]


def field_rows(value: Any) -> list[dict[str, str]]:
    """Return custom fields as the vendor writes them: from `{name: value}`, or already so."""
    if isinstance(value, Mapping):
        return [{"field": str(name), "value": text(inner)} for name, inner in value.items() if text(inner)]
    return [dict(row) for row in value if isinstance(row, Mapping)] if isinstance(value, list) else []


def product_rows(value: Any) -> list[dict[str, Any]]:
    """Return goods as the vendor writes them; a row without a name is left out."""
    found = []
    for row in value if isinstance(value, list) else ():
        if not isinstance(row, Mapping) or not text(row.get("name")):
            continue
        product: dict[str, Any] = {"name": text(row["name"])}
        if row.get("price") not in (None, ""):
            product["price"] = money(row["price"], "products.price")
        product |= {name: text(row[name]) for name in ("brand", "category", "variant") if text(row.get(name))}
        if re.fullmatch(r"\d{1,9}", count := text(row.get("quantity"))):
            product["quantity"] = int(count)
        found.append(product)
    return found


def custom_sources(values: Mapping[str, Any]) -> dict[str, str]:
    """Return where it came from in the vendor's words, {} without a source."""
    if isinstance(given := values.get("customSources"), Mapping):
        return {str(name): text(value)[: codes.CUSTOM_SOURCE] for name, value in given.items() if text(value)}
    found = {name: text(values.get(f"utm_{name}"))[: codes.CUSTOM_SOURCE] for name in _SOURCES}
    return {name: value for name, value in found.items() if value} if found["source"] else {}


def session_of(value: Any) -> str:
    """Return the id of a visit; "" for what isn't one: an empty or odd one makes the vendor refuse the request."""
    words = text(value)
    return words if words.isascii() and words.isdigit() and words != "0" else ""


def email_of(values: Mapping[str, Any]) -> str:
    """Return the e-mail as it is known to be one, else as it was written."""
    return normal.email(text(values.get("email"))) or text(values.get("email"))


def is_yes(value: Any) -> bool:
    """Return whether a switch is on."""
    return value is True or text(value).lower() in ("yes", "true", "1", "on")


def is_no(value: Any) -> bool:
    """Return whether a switch is written and off."""
    return value is False or text(value).lower() in ("no", "false", "0", "off")


def rows_of(values: Mapping[str, Any], name: str) -> list[Mapping[str, Any]]:
    """Return the list of a batch. Raises `Refused` if it is none, or more than one request of the vendor's takes."""
    rows: Iterable[Any] = values.get(name) or ()
    if not isinstance(rows, list) or not all(isinstance(row, Mapping) for row in rows) or not rows:
        raise Refused(f"{name} is a list of rows, each a mapping", {name: "no list"})
    if len(rows) > codes.BATCH:
        raise Refused(f"{name}: {len(rows)} rows; Calltouch takes {codes.BATCH} at once", {name: "too many"})
    return rows
