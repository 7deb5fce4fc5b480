"""Request -> genuine or not; receipt -> events, by the paths that the admin wrote. Pure."""

from __future__ import annotations

import datetime as dt
import hashlib
import re
from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from typing import Any
from zoneinfo import ZoneInfo

from hub import jsonbody, normal, phpform
from hub.errors import Rejected
from hub.events import KNOWN_EVENTS
from hub.model import Event, Receipt, Request
from hub.records import COMMON, FIELDS
from plugins.standard import signing

_CONTACT = frozenset({"name", "first_name", "last_name", "middle_name", "phone", "email"})
_NATIVE = re.compile(r"[^\w.-]+")


def verify(request: Request, settings: Mapping[str, Any]) -> None:
    """Raise `Rejected` unless the sender proves itself in the configured manner."""
    if request.method not in ("POST", "PUT", "PATCH"):
        raise Rejected(405, "a message is sent by POST")
    secrets: list[str] = settings["secrets"]
    auth, header = settings["auth"], settings["header"]
    if auth == "standard":
        signing.verify_standard(request, secrets, settings["tolerance"])
    elif auth == "hmac":
        signing.verify_hmac(request, secrets, header, settings["algorithm"], settings["encoding"])
    elif auth == "header":
        signing.verify_secret(signing.bearer(request.headers, header), secrets, f"header {header}")
    else:
        signing.verify_secret(request.tail.strip("/"), secrets, "address")


def receipt_key(request: Request, settings: Mapping[str, Any]) -> str:
    """Return the message's id: `webhook-id` (it is signed), else the value at `key`, else a hash of the body.

    Machines don't say the same thing twice and mean two: without any id an equal body is the same message for good.
    """
    if settings["auth"] == "standard" and (message := request.headers.get("webhook-id")):
        return _short(f"id:{message}")
    try:
        if value := _plain(_dig(body_of(request), settings["key"])):
            return _short(f"key:{value}")
    except Rejected:
        pass
    return "body:" + hashlib.sha256(request.body).hexdigest()[:40]


def body_of(request: Request) -> Any:
    """Return the decoded body: JSON, or form fields. Raises `Rejected` if it is neither."""
    if request.content_type == "application/x-www-form-urlencoded":
        try:
            return phpform.decode(request.form())
        except ValueError:
            raise Rejected(413, "more than 10000 form fields") from None
    return jsonbody.loads(request.body)


def events(receipt: Receipt, settings: Mapping[str, Any], region: str, zone: str) -> list[Event]:
    """Return the events of a message: one, or one for each item if the body is a list."""
    body = body_of(receipt.request)
    items = body if isinstance(body, list) else [body]
    if not items or not all(isinstance(item, dict) for item in items):
        raise Rejected(400, "the body is no object and no list of objects")
    whole = receipt_key(receipt.request, settings)
    seen: set[str] = set()
    found = []
    for number, item in enumerate(items):
        key = whole if len(items) == 1 else _short(f"{whole}:{number}")
        if value := _plain(_dig(item, settings["key"])):
            key = _short(f"key:{value}")
        if key in seen:  # the same thing twice in one list
            continue
        seen.add(key)
        found.append(_event(item, key, receipt.request, settings, region, zone))
    return found


def _event(
    item: dict[str, Any], key: str, request: Request, settings: Mapping[str, Any], region: str, zone: str
) -> Event:  # fmt: skip
    type = settings["event"] or _type(item)
    about = type.split(".", 1)[0]
    record = _record(item, settings["read"], region, zone)
    record.setdefault(about, {})["extra"] = item
    id = _plain(record[about].get("id")) or key.removeprefix("key:")
    return Event(
        type=type,
        subject=_short(f"{about}:{id}"),
        key=key,
        record=record,
        occurred_at=_occurred(item, request),
        text=_plain(_first(record, "comment.text", "message.text", "note.text", "lead.comment"))[:20_000],
        title=_plain(_first(record, f"{about}.title", f"{about}.name"))[:500],
        channel="webhook",
    )


def _type(item: Mapping[str, Any]) -> str:
    """Return the message's own type if it is one of ours, else as `vendor.<type>`."""
    native = _plain(item.get("type") or item.get("event"))
    if native in KNOWN_EVENTS:
        return native
    return "vendor." + (_NATIVE.sub("_", native)[:100] or "message")


def _occurred(item: Mapping[str, Any], request: Request) -> dt.datetime:
    """Return the message's own `timestamp` (Standard Webhooks) unless it lies ahead; else when it arrived."""
    arrived = request.at.astimezone(dt.UTC)
    told = _instant(item.get("timestamp"), "UTC")
    return min(dt.datetime.fromisoformat(told), arrived) if told else arrived


# --- their paths, our fields ------------------------------------------------------------------------------------------


def _record(item: Mapping[str, Any], read: Mapping[str, str], region: str, zone: str) -> dict[str, Any]:
    record: dict[str, Any] = {}
    for ours, path in read.items():
        value = _dig(item, path)
        name, _, field = ours.partition(".")
        fit = _fit({**COMMON, **FIELDS[name]}.get(field, ""), value, zone)
        if fit not in (None, "", [], {}):
            record.setdefault(name, {})[field] = fit
    if contact := record.get("contact"):
        given = {field: _plain(contact.pop(field)) for field in list(contact) if field in _CONTACT}
        record["contact"] = {**contact, **normal.contact(region, **given)}
    return record


def _dig(value: Any, path: str) -> Any:
    """Return the value at a dotted path, or None; a number counts the items of a list."""
    if not path:
        return None
    for part in path.split("."):
        if isinstance(value, dict):
            value = value.get(part)
        elif isinstance(value, list) and part.isdecimal() and int(part[:9]) < len(value):
            value = value[int(part[:9])]
        else:
            return None
    return value


def _fit(kind: str, value: Any, zone: str) -> Any:
    """Return the value as the kind of field wants it (`hub.records`), None if it can't be that."""
    if value is None or not kind:
        return value
    if kind == "list":
        return value if isinstance(value, list) else [value]
    if kind == "record":
        return value if isinstance(value, dict) else None
    if kind == "flag":
        return value if isinstance(value, bool) else _plain(value).lower() in ("1", "true", "yes")
    if kind == "number":
        amount = _decimal(value)
        return None if amount is None else int(amount) if amount == amount.to_integral_value() else float(amount)
    if kind == "money":
        amount = _decimal(value)
        return None if amount is None else format(amount, "f")
    if kind == "instant":
        return _instant(value, zone)
    if kind == "date":
        at = _instant(value, zone)
        return None if at is None else _plain(value)[:10] if re.match(r"\d{4}-\d\d-\d\d", _plain(value)) else at[:10]
    return _plain(value)


def _decimal(value: Any) -> Decimal | None:
    try:
        amount = Decimal(re.sub(r"[\s\u00a0]", "", _plain(value))[:40].replace(",", "."))
    except InvalidOperation:
        return None
    return amount if amount.is_finite() and abs(amount.adjusted()) < 18 else None


def _instant(value: Any, zone: str) -> str | None:
    """Return ISO time in UTC of ISO text or Unix seconds; a time without an offset is the connection's."""
    try:
        if re.fullmatch(r"\d{9,11}(\.\d+)?", plain := _plain(value)):
            return dt.datetime.fromtimestamp(float(plain), dt.UTC).isoformat()
        at = dt.datetime.fromisoformat(plain)
        return (at if at.tzinfo else at.replace(tzinfo=ZoneInfo(zone))).astimezone(dt.UTC).isoformat()
    except (ValueError, OverflowError):
        return None


def _first(record: Mapping[str, Any], *paths: str) -> Any:
    return next((found for path in paths if (found := _dig(record, path))), "")


def _plain(value: Any) -> str:
    if value is None or isinstance(value, (dict, list)):
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    return str(value).replace("\0", "").strip()


def _short(key: str) -> str:
    """Return the key, hashed where it is too long to be stored as one."""
    return key if len(key) <= 150 else key[:20] + hashlib.sha256(key.encode("utf-8", "replace")).hexdigest()[:40]
