"""Relays that push parcel changes in: how each proves itself and where its body says what. Pure.

The classic API has no push of its own. What a relay says is only a hint; the hub then reads the waybill itself, so
that even a replayed or forged push could do no more than cause one reading.

| kind         | proof                                                                          | source |
| ------------ | ------------------------------------------------------------------------------ | ------ |
| aftership    | aftership-hmac-sha256 = base64 HMAC-SHA256 of the body                         | aftership.com/docs/tracking/webhook/webhook-signature |
| trackingmore | `signature` = HMAC-SHA256 of the body (base64) or of the timestamp (hex): its text and its example differ; older ones carry verifyInfo {timeStr, signature} in the body | trackingmore.com/webhook.html |
| track123     | X-Track123-Signature = hex HMAC-SHA256 of X-Track123-Timestamp, or both in the body | docs.track123.com |
| clickpost    | header webhook_key = the key                                                   | ClickPost's docs |
| novapost     | the secret token verbatim in the header chosen at the subscription             | api-portal.novapost.com/metodi-1/methods/webhooks |
| custom       | the secret in a header, or at the end of the address, or an HMAC of the body   |        |
"""  # noqa: E501

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from hub import jsonbody
from hub.errors import Rejected
from hub.model import Request

Push = Mapping[str, Any]

#: a waybill number: 14 digits at home, letters abroad; also an order of returns "102-..."
NUMBER = re.compile(r"[0-9A-Z][0-9A-Z-]{7,29}", re.I)
_STEP = re.compile(r"[^.\[\]]+")


@dataclass(frozen=True)
class Relay:
    """One kind of push: its proof and the paths of number, status text, time and event id in the body."""

    proof: Callable[[Request, Push, Relay], bool]
    header: str = ""
    number: tuple[str, ...] = ()
    status: tuple[str, ...] = ()
    at: tuple[str, ...] = ()
    id: tuple[str, ...] = ()
    #: members that change with every repetition of one message
    volatile: tuple[str, ...] = ()


# --- proofs -------------------------------------------------------------------------------------


def verify(request: Request, push: Push | None) -> None:
    """Raise `Rejected` unless the request is a genuine push of the configured relay."""
    if not push:
        raise Rejected(404, "this Nova Poshta connection takes no pushes: `push` is not set, parcels are polled")
    if request.method.upper() != "POST":
        raise Rejected(405, "a push is a POST")
    relay = KINDS[push["kind"]]
    if not relay.proof(request, push, relay):
        raise Rejected(403, f"the push is not proven to come from {push['kind']}: wrong or missing signature or token")


def _mac(secret: str, signed: bytes) -> bytes:
    return hmac.new(secret.encode(), signed, hashlib.sha256).digest()


def _same(given: str, expected: str) -> bool:
    return hmac.compare_digest(given.encode("utf-8", "replace"), expected.encode("utf-8", "replace"))


def _matches(given: str, mac: bytes) -> bool:
    """Compare a signature written in hex or base64."""
    as_hex = _same(given.strip().lower(), mac.hex())
    return _same(given.strip(), base64.b64encode(mac).decode()) or as_hex


def _header(request: Request, push: Push, relay: Relay) -> str:
    return request.headers.get((push.get("header") or relay.header).lower(), "")


def _token(request: Request, push: Push, relay: Relay) -> bool:
    return _same(_header(request, push, relay), push["secret"])


def _body_mac(request: Request, push: Push, relay: Relay) -> bool:
    return _matches(_header(request, push, relay), _mac(push["secret"], request.body))


def _trackingmore(request: Request, push: Push, relay: Relay) -> bool:
    given = _header(request, push, relay)
    if given:
        stamp = request.headers.get("timestamp", "")
        return _matches(given, _mac(push["secret"], request.body)) or (
            bool(stamp) and _matches(given, _mac(push["secret"], stamp.encode()))
        )
    return _signed_stamp(push, _mapping(body(request).get("verifyInfo")), "timeStr")


def _track123(request: Request, push: Push, relay: Relay) -> bool:
    given, stamp = _header(request, push, relay), request.headers.get("x-track123-timestamp", "")
    if given:
        return bool(stamp) and _matches(given, _mac(push["secret"], stamp.encode()))
    whole = body(request)
    return _signed_stamp(push, _mapping(whole.get("verify")) or whole, "timestamp")


def _signed_stamp(push: Push, holder: Mapping[str, Any], name: str) -> bool:
    stamp, given = str(holder.get(name) or ""), str(holder.get("signature") or "")
    return bool(stamp and given) and _matches(given, _mac(push["secret"], stamp.encode()))


def _custom(request: Request, push: Push, relay: Relay) -> bool:
    if push.get("sign", "plain") != "plain":
        given = _header(request, push, relay)
        mac = _mac(push["secret"], request.body)
        expected = mac.hex() if push["sign"] == "hex" else base64.b64encode(mac).decode()
        return _same(given.removeprefix("sha256=").strip(), expected)
    if push.get("header"):
        return _token(request, push, relay)
    return _same(request.tail.strip("/"), push["secret"])


def address_word(push: Push | None) -> str:
    """Return the secret that stands at the end of the address; "" for relays that prove themselves otherwise."""
    by_address = push is not None and push["kind"] == "custom" and push.get("sign", "plain") == "plain"
    return str(push["secret"]) if push is not None and by_address and not push.get("header") else ""


_DEEP_NUMBERS = ("**.number", "**.numbers", "**.shipmentNumber", "**.shipment_number", "**.expressWaybill")
_DEEP_STATUSES = ("**.status", "**.statusName", "**.status_name", "**.eventType", "**.event_type")

KINDS: dict[str, Relay] = {
    "aftership": Relay(
        _body_mac,
        "aftership-hmac-sha256",
        number=("msg.tracking_number",),
        status=("msg.tag",),
        at=("msg.updated_at",),
        id=("event_id",),
    ),
    "trackingmore": Relay(
        _trackingmore,
        "signature",
        number=("data.tracking_number",),
        status=("data.delivery_status", "data.status"),
        at=("data.latest_checkpoint_time", "data.lastUpdateTime"),
        volatile=("verifyInfo",),
    ),
    "track123": Relay(
        _track123,
        "x-track123-signature",
        number=("data.trackNo", "trackingNumber", "data.trackingNumber"),
        status=("data.transitStatus", "transitStatus"),
        at=("data.lastTrackingTime", "lastTrackingTime"),
        volatile=("timestamp", "signature", "verify"),
    ),
    "clickpost": Relay(_token, "webhook_key", number=("waybill",), status=("status",), at=("timestamp",)),
    "novapost": Relay(_token, "x-custom-token", number=_DEEP_NUMBERS, status=_DEEP_STATUSES),
    "custom": Relay(_custom, "x-webhook-token", number=_DEEP_NUMBERS, status=_DEEP_STATUSES),
}


# --- reading ------------------------------------------------------------------------------------


def body(request: Request) -> dict[str, Any]:
    """Return the JSON object of a push; `Rejected` if it is none."""
    whole = jsonbody.loads(request.body)
    if not isinstance(whole, dict):
        raise Rejected(400, "the body of the push is not a JSON object")
    return whole


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def key(request: Request, push: Push) -> str:
    """Return what makes repetitions of a push one message: its own id, else a hash of what doesn't change."""
    relay, kind = KINDS[push["kind"]], push["kind"]
    whole = body(request)
    own = first(whole, (push["id"],) if push.get("id") else relay.id)
    if own:
        return f"{kind}:{own}"[:200]
    steady = {name: value for name, value in whole.items() if name not in relay.volatile}
    packed = orjson.dumps(steady, option=orjson.OPT_SORT_KEYS)
    return f"{kind}:{hashlib.sha256(packed).hexdigest()}"


def numbers(whole: Mapping[str, Any], push: Push) -> list[str]:
    """Return the waybill numbers a push is about, each once, in their order."""
    paths = (push["number"],) if push.get("number") else KINDS[push["kind"]].number
    found = (text for path in paths for text in values(whole, path) if NUMBER.fullmatch(text))
    return list(dict.fromkeys(found))[:1_000]


def first(whole: Mapping[str, Any], paths: Iterable[str]) -> str:
    """Return the first value that one of the paths leads to, "" if none does."""
    return next((text for path in paths for text in values(whole, path)), "")


def values(whole: Any, path: str) -> Iterator[str]:
    """Yield the texts at a path: `data.items[0].ttn`, `data.items[*].ttn`, `**.number` (anywhere)."""
    for found in _walk(whole, _STEP.findall(path)):
        for one in found if isinstance(found, list) else (found,):
            if isinstance(one, str | int) and not isinstance(one, bool) and str(one).strip():
                yield str(one).strip()


def _walk(here: Any, steps: list[str]) -> Iterator[Any]:
    if not steps:
        yield here
        return
    step, rest = steps[0], steps[1:]
    if step == "**":
        for one in _everything(here):
            yield from _walk(one, rest)
    elif isinstance(here, dict):
        if step in here:
            yield from _walk(here[step], rest)
    elif isinstance(here, list):
        if step == "*":
            for one in here:
                yield from _walk(one, rest)
        elif step.isascii() and step.isdigit() and int(step) < len(here):
            yield from _walk(here[int(step)], rest)


def _everything(here: Any) -> Iterator[Any]:
    """Yield every object inside, outermost first, without recursion."""
    waiting = deque([here])
    while waiting:
        one = waiting.popleft()
        if isinstance(one, dict):
            yield one
            waiting.extend(one.values())
        elif isinstance(one, list):
            waiting.extend(one)
