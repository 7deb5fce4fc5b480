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
from urllib.parse import parse_qsl

import orjson

from hub import jsonbody, normal, phpform
from hub.errors import Rejected
from hub.model import Event, Receipt, Request
from plugins.bitrix24 import codes
from plugins.bitrix24.codes import Native

#: method of the requests that the plugin's own polls bring in
POLLED = "POLL"
_BB_TAG = re.compile(r"\[/?(?:b|i|u|s|url|img|user|chat|color|size|quote|code|send|put)(?:=[^\]]*)?\]", re.I)
_OPERATOR = re.compile(r"^\s*\[b\][^\[\]]{1,80}:\[/b\]\s*(?:\[br\])?\s*", re.I)
_NAME = re.compile(r"^[A-Za-z][A-Za-z0-9_]{1,99}$")
_MAX_ID = 100


# --- reading -----------------------------------------------------------------------------------------


def read(request: Request) -> dict[str, Any]:
    """Return the message as nested dicts and lists. Raises `Rejected` 400/413 if it can't be one."""
    if request.method == POLLED or request.content_type == "application/json":
        body = jsonbody.loads(request.body)
    else:
        text = request.body.decode("utf-8", "replace")
        try:
            pairs = parse_qsl(text, keep_blank_values=True, max_num_fields=phpform.MAX_KEYS)
        except ValueError:
            raise Rejected(413, f"more than {phpform.MAX_KEYS} form fields") from None
        body = phpform.decode(pairs)
    if not isinstance(body, dict):
        raise Rejected(400, "the body isn't a Bitrix24 event")
    return body


def text_of(value: Any) -> str:
    """Return a leaf as text; "" for what isn't there, for nested values, and for the placeholder `undefined`."""
    if value is None or isinstance(value, (Mapping, list, bool)):
        return ""
    words = str(value).strip()
    return "" if words == "undefined" else words


def part(message: Any, *path: str) -> Any:
    """Return a nested value, whatever the shape: names of either case, indexes of lists and of maps; else None."""
    for name in path:
        if isinstance(message, list):
            message = message[int(name)] if name.isdigit() and int(name) < len(message) else None
        elif isinstance(message, Mapping):
            wanted = name.lower()
            message = message.get(
                name, next((value for key, value in message.items() if str(key).lower() == wanted), None)
            )
        else:
            return None
    return message


def _items(value: Any) -> list[Any]:
    if isinstance(value, Mapping):
        return list(value.values())
    return value if isinstance(value, list) else []


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


def parse(receipt: Receipt, region: str = "") -> list[Event]:
    """Turn a stored request into events. Raises ValueError with a reason where nothing can be understood."""
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
    elif native.shape in ("connector_message", "line_message"):
        found = _messages(native, message) or [_unknown(name, message)]
    elif native.shape == "app":
        found = [_app(name)]
    elif receipt.request.method == POLLED:
        found = _polled(name, native, message)
    else:
        found = [_hint(name, native, message)]
    return [
        event.with_(key=f"{receipt.key}:{index}", occurred_at=event.occurred_at or at)
        for index, event in enumerate(found)
    ]


def object_id(message: Mapping[str, Any]) -> str:
    """Return the id of the record an event is about, wherever its data hide it; "" if there is none."""
    data = message.get("data")
    for path in (("FIELDS", "ID"), ("FIELDS_AFTER", "ID"), ("FIELDS_BEFORE", "ID"), ("ID",), ("CALL_ID",)):
        if found := text_of(part(data, *path)):
            return found[:_MAX_ID]
    return text_of(data)[:_MAX_ID]


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
    number = text_of(part(data, "CALL_ID"))[:_MAX_ID]
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


def _messages(native: Native, message: Mapping[str, Any]) -> list[Event]:
    """One event per message of a batch; the operator's name and BB codes are taken out of the text."""
    data = message.get("data")
    channel = text_of(part(data, "CONNECTOR"))
    found = []
    rows = _items(part(data, "MESSAGES")) or _items(part(data, "DATA"))
    for row in rows:
        number = (
            text_of(part(row, "im", "message_id"))
            or text_of(part(row, "message", "id", "0"))
            or text_of(part(row, "message", "id"))
        )
        raw = text_of(part(row, "message", "text"))
        text, author = plain(raw), text_of(part(row, "message", "user_id"))
        chat = text_of(part(row, "chat", "id")) or text_of(part(row, "im", "chat_id"))
        if not number and not chat:
            continue
        kind, source = native.type, channel or text_of(part(row, "connector", "connector_id"))
        if native.shape == "line_message":
            if text_of(part(row, "message", "system")).upper() == "Y":
                continue
            client = text_of(part(row, "connector", "user_id"))
            kind = "message.received" if author and author == client else "message.sent"
        record = {"id": number, "text": text, "from": author, "to": chat, "extra": _extra(row)}
        if kind == "message.received":
            record |= {"from": chat, "to": text_of(part(row, "connector", "line_id"))}
        found.append(
            Event(kind, f"message:{number or chat}", "", {"message": record}, text=text, channel=source, by=author)
        )
    return found


def plain(text: str) -> str:
    """Return a message of an operator as a client should read it: no name in front, no BB codes."""
    text = _OPERATOR.sub("", text, count=1)
    return _BB_TAG.sub("", re.sub(r"\[br\s*/?\]", "\n", text, flags=re.I)).strip()


def _robot(message: Mapping[str, Any], receipt: Receipt) -> Event:
    """A robot's or business process's webhook: `document_id[2]` is `DEAL_123`.

    https://apidocs.bitrix24.ru/tutorials/bizproc/activity.html; the plain "Webhook" robot is not documented.
    """
    document = _items(message.get("document_id"))
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
