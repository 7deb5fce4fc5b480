"""The way in, pure: is it genuine, is it new, what does it say.

Bitrix24 POSTs a urlencoded form in PHP's brackets: `event`, `data[...]`, `ts`, `auth[...]`. There is no signature and
no delivery id; the static `auth[application_token]` is all that proves the sender.
https://apidocs.bitrix24.ru/api-reference/events/index.html,
https://apidocs.bitrix24.ru/api-reference/events/safe-event-handlers.html
"""

from __future__ import annotations

import datetime as dt
import hashlib
import hmac
import re
from collections.abc import Iterable, Mapping
from typing import Any

import orjson

from hub import normal
from hub.errors import Rejected
from hub.model import Event, Receipt, Request
from plugins.bitrix24 import chat_incoming, codes
from plugins.bitrix24.codes import Native
from plugins.bitrix24.envelope import MAX_ID, POLLED, items, part, read, text_of

_NAME = re.compile(r"^[A-Za-z][A-Za-z0-9_]{1,99}$")


# --- genuine? ----------------------------------------------------------------------------------------


def verify(request: Request, tokens: Iterable[str], member_id: str = "") -> None:
    """Raise `Rejected` unless the event carries one of our application tokens (and comes from our portal)."""
    known = [token for token in tokens if token]
    if request.method != "POST":
        raise Rejected(405, "Bitrix24 sends events by POST")
    if not known:
        raise Rejected(403, "application_token isn't set: copy it from the outgoing webhook into hub.yaml")
    message = read(request)
    given = text_of(part(message, "auth", "application_token")).encode()
    if not given:
        raise Rejected(403, "the event carries no application_token")
    matches = [hmac.compare_digest(given, token.encode()) for token in known]
    if not any(matches):
        raise Rejected(403, "the application_token isn't ours: compare it with the one in the outgoing webhook")
    sender = text_of(part(message, "auth", "member_id"))
    if member_id and sender and not hmac.compare_digest(sender.encode(), member_id.encode()):
        raise Rejected(403, "the event comes from another portal (member_id)")


# --- new? --------------------------------------------------------------------------------------------


def receipt_key(request: Request) -> str:
    """Return what tells this event from others: portal, event, handler, time and data; no tokens.

    Two changes of one record within a second may look the same; the record is read back anyway, and the
    reconciliation poll finds what changed after that reading.
    """
    message = read(request)
    handler = message.get("event_handler_id", message.get("eventId"))
    name = text_of(message.get("event")).upper()
    told = [
        text_of(part(message, "auth", "member_id")),
        name,
        text_of(handler),
        text_of(message.get("ts")),
        message.get("data"),
    ]
    if not name:  # a robot's request: everything but the credentials
        told.append({key: value for key, value in message.items() if key not in ("auth", "ts")})
    digest = hashlib.sha256(orjson.dumps(told, option=orjson.OPT_SORT_KEYS)).hexdigest()[:32]
    ids = "-".join(found for found in (object_id(message),) if found)
    return ":".join(word for word in (name.lower()[:60], ids[:40], digest) if word)


# --- what does it say? -------------------------------------------------------------------------------


def parse(receipt: Receipt, region: str = "", lines: Mapping[str, Mapping[str, Any]] | None = None) -> list[Event]:
    """Turn a stored request into events. Raises ValueError with a reason where nothing can be understood.

    lines: the connection's setting `openlines`.
    """
    try:
        message = read(receipt.request)
    except Rejected as error:
        raise ValueError(error.reason) from None
    if "document_id" in message and "event" not in message:
        return [_robot(message, receipt)]
    name = text_of(message.get("event")).upper()
    if not _NAME.match(name):
        raise ValueError("the message names no event")
    native = codes.native_of(name)
    at = _instant(message.get("ts"))
    if native is None:
        found = [_unknown(name, message)]
    elif native.shape == "call":
        found = [_call(name, native, message, region)]
    elif native.shape == "chat":
        found = chat_incoming.events(name, native, message, lines or {}) or [_unknown(name, message)]
    elif native.shape == "app":
        found = [_app(name)]
    elif receipt.request.method == POLLED:
        found = _polled(name, native, message)
    else:
        found = [_hint(name, native, message)]
    return [
        event.with_(key=event.key or f"{receipt.key}:{index}", occurred_at=event.occurred_at or at)
        for index, event in enumerate(found)
    ]


def object_id(message: Mapping[str, Any]) -> str:
    """Return the id of the record an event is about, wherever its data hide it; "" if there is none."""
    data = message.get("data")
    for path in (("FIELDS", "ID"), ("FIELDS_AFTER", "ID"), ("FIELDS_BEFORE", "ID"), ("ID",), ("CALL_ID",)):
        if found := text_of(part(data, *path)):
            return found[:MAX_ID]
    return text_of(data)[:MAX_ID]


def _hint(name: str, native: Native, message: Mapping[str, Any]) -> Event:
    """An event that carries ids alone; `complete` reads the record."""
    number = object_id(message)
    if not number:
        return _unknown(name, message)
    if native.shape == "item":
        type_id = text_of(part(message, "data", "FIELDS", "ENTITY_TYPE_ID")) or name.rpartition("_")[2]
        if not (type_id.isdecimal() and number.isdecimal()):
            return _unknown(name, message)
        number = f"{type_id}_{number}"
    record: dict[str, Any] = {"id": number, "extra": _extra(part(message, "data", "FIELDS"))}
    return Event(native.type, f"{native.record}:{number}", "", {native.record: record}, incomplete=native.hint)


def _polled(name: str, native: Native, message: Mapping[str, Any]) -> list[Event]:
    """What a poll found: an update, and for a record made since the last poll its creation too.

    A record the hub hasn't seen is news as created, one it has seen may be news as updated; the core tells.
    """
    hint = _hint(name, native, message)
    if message.get("created") is True and hint.incomplete:
        return [hint.with_(type=f"{native.record}.created"), hint]
    return [hint]


def _unknown(name: str, message: Mapping[str, Any]) -> Event:
    data = message.get("data")
    subject = object_id(message) or "-"
    if name.startswith("ONCRMDYNAMICITEM") and (type_id := text_of(part(data, "FIELDS", "ENTITY_TYPE_ID"))):
        subject = f"dynamic_{type_id}:{subject}"
    else:
        subject = f"{name.lower().removeprefix('on')}:{subject}"
    record = data if isinstance(data, Mapping) else {"value": data}
    return Event(f"vendor.{name.lower()}", subject, "", {"vendor": {"extra": dict(record)}})


def _app(name: str) -> Event:
    return Event("connection.changed", "connection:app", "", text=f"app: {name.removeprefix('ONAPP').lower()}")


def _call(name: str, native: Native, message: Mapping[str, Any], region: str) -> Event:
    data = message.get("data")
    number = text_of(part(data, "CALL_ID"))[:MAX_ID]
    phone = text_of(part(data, "PHONE_NUMBER"))
    phone = normal.phone(phone, region) or phone
    kind = text_of(part(data, "CALL_TYPE")) or ("1" if name == "ONEXTERNALCALLSTART" else "")
    direction = codes.CALL_DIRECTIONS.get(kind, "")
    status = text_of(part(data, "CALL_FAILED_CODE"))
    line = text_of(part(data, "PORTAL_NUMBER")) or text_of(part(data, "LINE_NUMBER"))
    seconds = text_of(part(data, "CALL_DURATION"))
    call: dict[str, Any] = {
        "id": number,
        "from": line if direction == "out" else phone,
        "to": phone if direction == "out" else line,
        "line": line,
        "duration": int(seconds) if seconds.isascii() and seconds.isdigit() and len(seconds) < 9 else None,
        "status": status,
        "direction": direction,
        "at": _utc(text_of(part(data, "CALL_START_DATE"))),
    }
    call = {key: value for key, value in call.items() if value not in (None, "")} | {"extra": _extra(data)}
    missed = name == "ONVOXIMPLANTCALLEND" and direction == "in" and status in codes.CALL_MISSED
    records: dict[str, Any] = {"call": call}
    if phone:
        records["contact"] = normal.contact(region, phone=phone)
    if number or phone:
        event_type = "call.missed" if missed else native.type
        who = text_of(part(data, "PORTAL_USER_ID")) or text_of(part(data, "USER_ID"))
        return Event(event_type, f"call:{number or phone}"[:255], "", records, channel="phone", by=who)
    return _unknown(name, message)


def _robot(message: Mapping[str, Any], receipt: Receipt) -> Event:
    """A robot's or business process's webhook: `document_id[2]` is `DEAL_123`.

    https://apidocs.bitrix24.ru/tutorials/bizproc/activity.html; the plain "Webhook" robot is not documented.
    """
    document = items(message.get("document_id"))
    kind, _, number = text_of(document[-1] if document else "").lower().rpartition("_")
    extra = {key: value for key, value in message.items() if key != "auth"}
    at = _instant(message.get("ts"))
    if kind in codes.ENTITIES and number.isdigit():
        hint = {kind: {"id": number, "extra": {}}, "vendor": {"extra": extra}}
        return Event(f"{kind}.updated", f"{kind}:{number}", f"{receipt.key}:0", hint, at, incomplete=True)
    subject = f"robot:{number or '-'}"
    return Event("vendor.robot", subject, f"{receipt.key}:0", {"vendor": {"extra": extra}}, at)


def _extra(data: Any) -> dict[str, Any]:
    return dict(data) if isinstance(data, Mapping) else {}


def _instant(value: Any) -> dt.datetime | None:
    """Return unix seconds as an instant; None for what isn't one. It is the time of sending, not of the change."""
    words = text_of(value)
    if not words.isascii() or not words.isdigit() or len(words) > 11:
        return None
    return dt.datetime.fromtimestamp(int(words), dt.UTC)


def _utc(text: str) -> str:
    try:
        at = dt.datetime.fromisoformat(text)
        return at.astimezone(dt.UTC).isoformat() if at.tzinfo else ""
    except (ValueError, OverflowError):
        return ""
