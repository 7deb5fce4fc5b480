"""Classic product: action -> the vendor's parameters; its answer -> what was done. Pure.

https://www.unisender.com/en/support/api/contacts/ and /messages/ (same names at selzy.com/en/support/api/).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from hub.errors import Refused, Retry, Uncertain
from plugins.unisender import codes, values
from plugins.unisender.client import Row, objects

Values = Mapping[str, Any]
Settings = Mapping[str, Any]

#: what each consent value stands for; 1 and 2 are of an older API
_OPTIN = {
    "0": "no consent yet: the first list's confirmation letter goes out",
    "3": "consent is there: added at once, no letter",
    "4": "added at once if active already, else the confirmation letter goes out",
}
IMPORT_ROWS = 500
IMPORT_CALLS = 20
_USER_FIELDS = 50
#: system columns of an import that would write over what the reader or the vendor has decided
_THEIRS = frozenset({"email_status", "phone_status", "email_availability", "phone_availability"})
_SYSTEM = ("delete", "tags", "email", "phone", "email_", "phone_")
_LETTER = 1024 * 1024


# --- contacts -------------------------------------------------------------------------------------


def subscribe(given: Values, settings: Settings, words: Mapping[str, str], region: str) -> Row:
    """Return subscribe's parameters. The contact's other lists stay, unless the route says otherwise in clear words."""
    lists = values.list_ids(given.get("list_ids"), settings["lists"])
    if not lists:
        raise Refused("contact.subscribe: list_ids is empty: which list?", {"list_ids": "is empty"})
    consent = values.text(given.get("double_optin"))
    if consent not in _OPTIN:
        meaning = "; ".join(f"{code} = {words_}" for code, words_ in _OPTIN.items())
        raise Refused(f"double_optin: {consent!r} says nothing about consent: {meaning}", {"double_optin": "0, 3 or 4"})
    contact = values.fields(given, words, region)
    if not contact.get("email") and not contact.get("phone"):
        raise Refused("contact.subscribe: neither e-mail nor phone", {"fields": "email or phone is needed"})
    tags = values.items(given.get("tags"))
    known = ("request_ip", "request_time", "confirm_ip", "confirm_time")
    return {
        "list_ids": ",".join(lists),
        "fields": contact,
        "tags": ",".join(tags) or None,
        "double_optin": consent,
        "overwrite": overwrite(given, "overwrite", "2", ("0", "1", "2")),
        **{name: values.text(given[name]) for name in known if values.text(given.get(name))},
    }


def overwrite(given: Values, name: str, default: str, allowed: Sequence[str]) -> str:
    """Return an overwrite mode; the one that takes the contact out of its other lists must be asked for twice."""
    mode = values.text(given.get(name)) or default
    if mode not in allowed:
        raise Refused(f"{name}: {mode!r} is none of {', '.join(allowed)}", {name: f"one of {', '.join(allowed)}"})
    if mode == "1" and not values.flag(given.get("drop_other_lists")):
        raise Refused(
            f"{name}: 1 would take the contact out of all other lists and empty its other fields. Use 2 to write over "
            "the given fields alone; if the rest really is to go, add drop_other_lists: yes",
            {name: "drops other lists"},
        )
    return mode


def who(given: Values, region: str) -> tuple[str, str]:
    """Return (contact_type, contact): the e-mail, else the phone."""
    if values.text(given.get("email")):
        return "email", values.email(given["email"])
    if values.text(given.get("phone")):
        return "phone", values.phone(given["phone"], region)
    raise Refused("which contact? email or phone is needed", {"email": "is empty"})


def leave(given: Values, settings: Settings, region: str) -> Row:
    """Return the parameters of unsubscribe and exclude; without list_ids all lists are meant."""
    kind, contact = who(given, region)
    lists = values.list_ids(given.get("list_ids"), settings["lists"])
    return {"contact_type": kind, "contact": contact, "list_ids": ",".join(lists) or None}


def import_rows(given: Values, settings: Settings, words: Mapping[str, str], region: str) -> list[dict[str, str]]:
    """Return the contacts of an import, a column's name -> its value; `rows`, or one contact in `fields`."""
    rows = given.get("rows")
    people = rows if isinstance(rows, list) else [given]
    lists = ",".join(values.list_ids(given.get("list_ids"), settings["lists"]))
    tags = ",".join(values.items(given.get("tags")))
    out = []
    for place, person in enumerate(people):
        if not isinstance(person, Mapping):
            raise Refused(f"rows: number {place + 1} is no contact but {str(person)[:40]!r}", {"rows": "no mapping"})
        row = values.fields({"fields": person} if isinstance(rows, list) else person, words, region)
        if stolen := sorted(_THEIRS & row.keys()):
            raise Refused(
                f"{stolen[0]}: what a reader has decided is not written over; who left comes back only by himself",
                {stolen[0]: "is the vendor's"},
            )
        kinds = [kind for kind in ("email", "phone") if row.get(kind)]
        if not kinds:
            raise Refused(f"rows: number {place + 1} has neither e-mail nor phone", {"rows": "email or phone"})
        row |= {f"{kind}_list_ids": lists for kind in kinds if lists and not row.get(f"{kind}_list_ids")}
        if tags and not row.get("tags"):
            row["tags"] = tags
        out.append(row)
    own = {name for row in out for name in row if not name.startswith(_SYSTEM)}
    if len(own) > _USER_FIELDS:
        raise Refused(f"an import takes {_USER_FIELDS} fields of your own, these are {len(own)}", {"rows": "too wide"})
    return out


def import_calls(rows: Sequence[Mapping[str, str]], given: Values) -> Iterator[tuple[list[int], Row]]:
    """Yield (numbers of the rows, parameters of one call): at most 500 rows, all with the same columns.

    A column that a row doesn't have is not sent for it: an empty value could be taken for one.
    """
    groups: dict[tuple[str, ...], list[int]] = {}
    for place, row in enumerate(rows):
        groups.setdefault(tuple(sorted(row)), []).append(place)
    modes = {name: overwrite(given, name, "0", ("0", "1")) for name in ("overwrite_lists",)}
    modes["overwrite_tags"] = values.switch(given.get("overwrite_tags"))
    for columns, places in groups.items():
        for start in range(0, len(places), IMPORT_ROWS):
            batch = places[start : start + IMPORT_ROWS]
            data = [[rows[place][column] for column in columns] for place in batch]
            yield batch, {"field_names": list(columns), "data": data, **modes}


def contact_record(email: str, result: Mapping[str, Any]) -> dict[str, Any]:
    """Return a contact of getContact; lists and fields stand beside `email` or inside it, clients disagree."""
    mail = result.get("email") if isinstance(result.get("email"), Mapping) else {}
    assert isinstance(mail, Mapping)
    fields = next((one for one in (result.get("fields"), mail.get("fields")) if isinstance(one, Mapping)), {})
    lists: Any = next((one for one in (result.get("lists"), mail.get("lists")) if one), [])
    name = next((str(fields[one]) for one in ("Name", "name", "Имя") if fields.get(one)), "")
    address = str(mail.get("email") or email)
    return {
        "id": address,
        "email": address,
        "emails": [address],
        **({"name": name} if name else {}),
        "status": str(mail.get("status") or ""),
        "availability": str(mail.get("availability") or ""),
        "lists": [str(row.get("id") or row.get("list_id") or "") for row in objects(lists)],
        "extra": dict(fields),
    }


# --- letters --------------------------------------------------------------------------------------


def sender(given: Values, settings: Settings, what: str) -> dict[str, str]:
    """Return sender_name and sender_email, of the route or of hub.yaml."""
    address = values.text(given.get("sender_email")) or settings["from_email"]
    name = values.text(given.get("sender_name")) or settings["from_name"] or address
    if not address:
        raise Refused(
            f"{what}: who writes? Set from_email for the connection (an address confirmed at the vendor)",
            {"sender_email": "is empty"},
        )
    return {"sender_name": name, "sender_email": values.email(address, "sender_email")}


def one_list(given: Values, settings: Settings, what: str) -> str:
    """Return the one list that a letter belongs to: its unsubscribe link leads out of it."""
    lists = values.list_ids(given.get("list_id"), settings["lists"], "list_id")
    if len(lists) != 1:
        raise Refused(
            f"{what}: list_id must be one list; its unsubscribe link leads out of it", {"list_id": "one list"}
        )
    return lists[0]


_SEND = ("lang", "cc", "headers", "wrap_type", "images_as", "template_id")


def send_email(given: Values, settings: Settings, marker: str) -> Row:
    """Return sendEmail's parameters: one letter to one reader. `ref_key` keeps a repeated call from a second letter."""
    body = values.needed(given, "body", "email.send")
    if len(body.encode()) > _LETTER:
        raise Refused("body: a letter may have 1 MB", {"body": "larger than 1 MB"})
    metadata = given.get("metadata")
    return {
        "email": values.email(given.get("email")),
        **sender(given, settings, "email.send"),
        "subject": values.needed(given, "subject", "email.send"),
        "body": body,
        "list_id": one_list(given, settings, "email.send"),
        "attachments": values.files(given.get("attachments")),
        "metadata": {str(name): values.text(one) for name, one in metadata.items()}
        if isinstance(metadata, Mapping)
        else None,
        **{name: values.switch(given[name]) for name in ("track_read", "track_links") if name in given},
        **{name: values.text(given[name]) for name in _SEND if values.text(given.get(name))},
        "error_checking": "1",
        "ref_key": values.text(given.get("ref_key")) or marker or None,
    }


def sent(result: Any, email: str) -> Row:
    """Return {id, email, status} of a letter just sent.

    The answer is an object with `email_id`, or a list with `id` where the address was passed in an array; a refusal
    may stand inside.
    """
    row = next(iter(objects(result)), {}) if isinstance(result, list) else result
    row = row if isinstance(row, dict) else {}
    id_ = values.text(row.get("email_id") or row.get("id"))
    if id_:
        return {"id": id_, "email": email, "status": "not_sent"}
    if words := _item_error(row):
        raise Refused(f"sendEmail: {email}: {words}", {"email": words}, values.text(row.get("code")))
    raise Uncertain(f"sendEmail: neither a letter's id nor an error in {str(result)[:120]!r}")


def _item_error(row: Row) -> str:
    """Return what is wrong with one item of an answer: `error`, or `errors` with {code, message}."""
    found = [values.text(row.get("error"))] if not isinstance(row.get("error"), dict | list) else []
    for one in (*objects(row.get("errors")), *objects([row.get("error")])):
        found.append(" ".join(part for part in (values.text(one.get("message")), values.text(one.get("code"))) if part))
    return "; ".join(part for part in found if part)[:300]


_MESSAGE = ("text_body", "lang", "tag", "categories", "wrap_type", "images_as", "template_id", "system_template_id")


def create_letter(given: Values, settings: Settings) -> Row:
    """Return createEmailMessage's parameters: a letter for campaigns, not sent yet."""
    template = values.text(given.get("template_id")) or values.text(given.get("system_template_id"))
    return {
        **sender(given, settings, "letter.create"),
        "subject": values.text(given.get("subject")) if template else values.needed(given, "subject", "letter.create"),
        "body": values.text(given.get("body")) if template else values.needed(given, "body", "letter.create"),
        "list_id": one_list(given, settings, "letter.create"),
        "attachments": values.files(given.get("attachments")),
        **{name: values.text(given[name]) for name in _MESSAGE if values.text(given.get(name))},
        "generate_text": values.switch(given.get("generate_text", "1")),
    }


_CAMPAIGN = ("timezone", "contacts_url", "payment_limit", "payment_currency", "ga_medium", "ga_source", "ga_campaign")


def create_campaign(given: Values) -> Row:
    """Return createCampaign's parameters; without start_time it goes out at once."""
    start = values.text(given.get("start_time"))
    moment = values.moment(start, "%Y-%m-%d %H:%M")
    zoned = moment != start
    return {
        "message_id": values.needed(given, "message_id", "campaign.create"),
        "start_time": moment[:16] or None,
        "contacts": ",".join(values.items(given.get("contacts"))) or None,
        **{name: values.switch(given[name]) for name in ("track_read", "track_links", "track_ga") if name in given},
        **{name: values.text(given[name]) for name in _CAMPAIGN if values.text(given.get(name))},
        **({"timezone": "UTC"} if zoned else {}),
    }


# --- short messages -------------------------------------------------------------------------------

SMS_NUMBERS = 150


def send_sms(given: Values, settings: Settings, region: str) -> Row:
    """Return sendSms's parameters: one text to up to 150 numbers."""
    numbers = [values.phone(one, region) for one in values.items(given.get("phone"))]
    if not numbers:
        raise Refused("sms.send: phone is empty", {"phone": "is empty"})
    if len(numbers) > SMS_NUMBERS:
        raise Refused(f"sms.send: {SMS_NUMBERS} numbers at once, these are {len(numbers)}", {"phone": "too many"})
    by = values.text(given.get("sender")) or settings["sms_sender"]
    if not by:
        raise Refused("sms.send: who writes? Set sms_sender for the connection", {"sender": "is empty"})
    return {"phone": ",".join(dict.fromkeys(numbers)), "sender": by, "text": values.needed(given, "text", "sms.send")}


def sms_sent(result: Any, numbers: Sequence[str]) -> tuple[list[Row], dict[str, str]]:
    """Return (messages {id, phone, price, currency}, number -> refusal): an object for one number, a list for more."""
    rows = objects(result) if isinstance(result, list) else [result] if isinstance(result, dict) else []
    sent_: list[Row] = []
    refused: dict[str, str] = {}
    for place, row in enumerate(rows):
        number = values.text(row.get("phone")) or (numbers[place] if place < len(numbers) else "")
        if id_ := values.text(row.get("sms_id") or row.get("id")):
            price, currency = values.text(row.get("price")), values.text(row.get("currency"))
            sent_.append({"id": id_, "phone": number, "price": price, "currency": currency, "status": "not_sent"})
        else:
            refused[number] = _item_error(row) or "refused without a reason"
    if not sent_ and not refused:
        raise Uncertain(f"sendSms: neither an id nor an error in {str(result)[:120]!r}")
    return sent_, refused


def statuses(result: Any) -> dict[str, str]:
    """Return checkEmail's answer, letter id -> status."""
    rows = objects(result.get("statuses")) if isinstance(result, Mapping) else []
    if not rows:
        raise Retry(f"checkEmail: no statuses in {str(result)[:120]!r}")
    return {values.text(row.get("id")): values.text(row.get("status")) for row in rows}


def words_of(table: Mapping[str, str], status: str) -> str:
    """Return a status with its explanation."""
    return f"{status}: {table[status]}" if status in table else status


def campaign_row(row: Mapping[str, Any]) -> Row:
    """Return a campaign as later steps see it."""
    status = values.text(row.get("status"))
    return {
        "id": values.text(row.get("campaign_id") or row.get("id")),
        "status": status,
        "status_text": codes.CAMPAIGN.get(status, ""),
        "count": values.text(row.get("count")),
        "message_id": values.text(row.get("message_id")),
        "list_id": values.text(row.get("list_id")),
        "subject": values.text(row.get("subject")),
        "created_at": values.text(row.get("creation_time")),
        "start_time": values.text(row.get("start_time")),
    }
