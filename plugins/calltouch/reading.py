"""One shape for whatever comes: a hook by GET, form or JSON, or a record of a journal. Pure.

All of them become a `Lead`: texts by our names (`codes.NAMES`), placeholders gone, and everything as it came in `raw`.
"""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl
from zoneinfo import ZoneInfo

from hub import jsonbody
from hub.errors import Rejected
from hub.model import Request
from plugins.calltouch import codes, dates

#: method of the requests that the plugin's own polls store; the end of their path names the journal
POLL = "POLL"
CALLS, REQUESTS, DEALS = "calls", "requests", "deals"
#: parameters of the address that are the hub's, not the vendor's
_OURS = frozenset(("secret", "kind"))
MAX_FIELDS = 2_000
_LONGEST_TEXT = 20_000
_BRACES = (b"{", b"%7B", b"%7b")
#: fields by which a test of a hook is known
_TESTED = frozenset(
    word for name in ("callerphone", "callId", "requestId", "timestamp") for word in codes.SPELLINGS[name]
)


@dataclass(slots=True)
class Lead:
    """One call, request or anything else that was told of: `values` by our names, `raw` as it came, cleaned."""

    kind: str
    values: dict[str, str] = field(default_factory=dict)
    raw: dict[str, Any] = field(default_factory=dict)
    #: names of all fields that came, those without a value too, in lower case
    told: frozenset[str] = frozenset()
    #: read from a journal, not told by a hook
    polled: bool = False

    def get(self, name: str) -> str:
        """Return a field as text, "" where it has no value."""
        return self.values.get(name, "")

    @property
    def wall(self) -> dt.datetime | None:
        """When it began, as the cabinet's clock showed it; None if no written time came along."""
        names = ("calltime", "requestDate") if self.kind == "call" else ("requestDate", "calltime")
        return next((found for name in names if (found := dates.wall(self.get(name)))), None)

    def began(self, zone: ZoneInfo) -> dt.datetime | None:
        """When it began: by `timestamp`, which knows no zones, else by the clock on the wall."""
        if (found := dates.epoch(self.get("timestamp"))) is not None:
            return found
        return dates.instant(self.wall, zone) if self.wall else None

    def clock(self, zone: ZoneInfo) -> dt.datetime | None:
        """What the cabinet's clock showed when it began: the one time that hook and journal write alike."""
        if self.wall is not None:
            return self.wall
        found = dates.epoch(self.get("timestamp"))
        return dates.on_the_wall(found, zone) if found else None

    @property
    def phone(self) -> str:
        """The digits of who called or wrote; "" for a hidden number, which never stands for a person."""
        digits = "".join(letter for letter in self.get("callerphone") if letter in "0123456789")
        if len(digits) == 11 and digits[0] == "8":  # the national writing of +7
            digits = "7" + digits[1:]
        return digits if 10 <= len(digits) <= 15 else ""


# --- the vendor's requests --------------------------------------------------------------------------


def messages(request: Request) -> list[dict[str, Any]]:
    """Return the messages in a request, each as native name -> value; the body wins over the query.

    A hook is one message by GET or POST, form or JSON; a JSON list is several. Raises `Rejected` 400/413.
    """
    query = {name: value for name, value in request.query if name.lower() not in _OURS}
    if len(request.query) > MAX_FIELDS:
        raise Rejected(413, f"more than {MAX_FIELDS} fields")
    found = [{**query, **body} for body in _bodies(request)]
    if any(len(message) > MAX_FIELDS for message in found):
        raise Rejected(413, f"more than {MAX_FIELDS} fields")
    return found


def is_test(request: Request) -> bool:
    """Return whether this is the cabinet's test of a hook: who, which or when is still the name of a field."""
    if not any(mark in request.body for mark in _BRACES) and not any("{" in value for _, value in request.query):
        return False
    return any(
        isinstance(value, str) and name.lower() in _TESTED and codes.MACRO.fullmatch(value.strip())
        for message in messages(request)
        for name, value in message.items()
    )


def _bodies(request: Request) -> list[dict[str, Any]]:
    if not request.body.strip():
        return [{}]
    if request.content_type == "application/json" or request.body.lstrip()[:1] in (b"{", b"["):
        body = jsonbody.loads(request.body)
        rows = body if isinstance(body, list) else [body]
        if not rows or not all(isinstance(row, dict) for row in rows):
            raise Rejected(400, "the body is no object of fields")
        return rows
    text = request.body.decode("utf-8", "replace")
    try:
        return [dict(parse_qsl(text, keep_blank_values=True, max_num_fields=MAX_FIELDS))]
    except ValueError:
        raise Rejected(413, f"more than {MAX_FIELDS} fields") from None


def leads(request: Request, renamed: Mapping[str, str]) -> list[Lead]:
    """Return what a stored request tells of. `renamed` is the setting `read`. Raises `Rejected`."""
    if request.method == POLL:
        return [journal_record(jsonbody.loads(request.body), request.path.rpartition("/")[2])]
    kind = _kind_in_address(request)
    return [lead(message, renamed, kind) for message in messages(request)]


def _kind_in_address(request: Request) -> str:
    """The admin may say at the end of the address what a hook is about: `/chats`, `/deals`, or `?kind=chat`."""
    last = request.tail.strip("/").rpartition("/")[2].lower()
    said = (request.query_value("kind") or last).lower().removesuffix("s")
    return said if said in ("chat", "deal") else ""


# --- one message ------------------------------------------------------------------------------------


def lead(message: Mapping[str, Any], renamed: Mapping[str, str], kind: str = "") -> Lead:
    """Return a hook's message in our names."""
    raw = {str(name)[:200]: kept for name, value in message.items() if (kept := clean(value)) is not None}
    own = {theirs.lower(): ours for ours, theirs in renamed.items()}
    found: dict[str, tuple[int, str]] = {}
    for name, value in raw.items():
        text, word = as_text(value), name.lower()
        meanings = codes.MEANINGS.get(word, ())
        for ours, rank in ((own[word], -1), *meanings) if word in own else meanings:
            if text and (ours not in found or rank < found[ours][0]):
                found[ours] = (rank, text)
    values = {ours: text for ours, (_, text) in found.items()}
    return _sorted_out(Lead(kind, values, raw, frozenset(str(name).lower() for name in message)))


def _sorted_out(found: Lead) -> Lead:
    """Settle what it is, and drop the fields whose names mean something else there."""
    told = found.get("leadtype").lower()
    if not found.kind and told:
        found.kind = told
    if not found.kind:
        found.kind = _guess(found)
    if found.kind == "call":
        for name in ("requestId", "requestDate", "fio"):  # `id`, `date`, `name` are the call's there
            if not any(word.lower() == name.lower() for word in found.raw):
                found.values.pop(name, None)
    elif found.kind == "request":
        for name in ("callId", "calltime"):
            if not any(word.lower() == name.lower() for word in found.raw):
                found.values.pop(name, None)
        if "callerphone" not in found.values and (phone := found.get("phonenumber")):
            found.values["callerphone"] = phone  # there is no dialled number in a request
    return found


def _guess(found: Lead) -> str:
    """Say what a hook without `leadtype` is about; "" if nothing tells."""
    own = {word.lower() for word in found.raw}
    for kind, names in (("request", codes.REQUEST_ONLY), ("call", codes.CALL_ONLY)):
        if any(spelling in own - {"id", "date", "name"} for name in names for spelling in codes.SPELLINGS[name]):
            return kind
    return ""


def clean(value: Any) -> Any:
    """Return a value without placeholders: None for "<не указано>", "(not set)" and the like, "" and empty lists."""
    if isinstance(value, str):
        text = value.strip()
        nothing = text.lower() in codes.PLACEHOLDERS or codes.MACRO.fullmatch(text)
        return None if nothing else text[:_LONGEST_TEXT]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, list):
        return [kept for item in value if (kept := clean(item)) is not None] or None
    if isinstance(value, Mapping):
        return {str(name): kept for name, item in value.items() if (kept := clean(item)) is not None} or None
    return value


def as_text(value: Any) -> str:
    """Return a cleaned value as text; "" for what is nested."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e15:
        return str(int(value))
    return str(value) if isinstance(value, (str, int, float)) else ""


# --- records of the journals --------------------------------------------------------------------------


def journal_record(record: Any, journal: str) -> Lead:
    """Return a record of a journal as the hook would tell it. `ValueError` if it is none."""
    if not isinstance(record, Mapping):
        raise ValueError("not a record of a Calltouch journal")
    if journal == CALLS:
        found = lead(record, {}, "call")
        if not found.get("callId"):
            raise ValueError("a call without callId")
        if isinstance(good := record.get("successful"), bool):
            found.values["status"] = "successful" if good else "unsuccessful"
    elif journal == REQUESTS:
        found = lead(dict(_flat(record)), {}, "request")
        if not found.get("requestId"):
            raise ValueError("a request without requestId")
        found.raw = {name: kept for name, value in record.items() if (kept := clean(value)) is not None}
    elif journal == DEALS:
        found = lead(record, {}, "deal")
        if not (found.get("orderNumber") or found.get("orderId")):
            raise ValueError("a deal without orderNumber and orderId")
    else:
        raise ValueError(f"no journal {journal!r}")
    found.polled = True
    return found


def _flat(record: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Lift what the journal of requests nests: `session`, the client's name, phone and e-mail, the first comment."""
    session, client = record.get("session"), record.get("client")
    if isinstance(session, Mapping):
        yield from ((str(name), value) for name, value in session.items())
    yield from ((str(name), value) for name, value in record.items() if name not in ("client", "session", "date"))
    if dates.wall(record.get("dateStr")) is None:
        yield "timestamp", record.get("date")  # milliseconds
    if isinstance(client, Mapping):
        yield "fio", client.get("fio")
        yield "callerphone", _first(client.get("phones"), "phoneNumber")
        for row in _rows(client.get("contacts")):
            if isinstance(value := row.get("contactValue"), str) and "@" in value:
                yield "email", value
                break
    yield "comment", _first(record.get("comments"), "comment")


def _rows(value: Any) -> list[Mapping[str, Any]]:
    return [row for row in value if isinstance(row, Mapping)] if isinstance(value, list) else []


def _first(rows: Any, name: str) -> Any:
    return next((value for row in _rows(rows) if clean(value := row.get(name))), None)
