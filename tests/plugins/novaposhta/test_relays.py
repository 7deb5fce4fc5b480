"""Pushes: genuine or not, the same or another, about which parcel."""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Callable
from typing import Any

import orjson
import pytest

from hub.errors import Rejected
from hub.model import Event, Receipt, Request
from plugins.novaposhta import incoming, relays

SECRET = "relay-secret-1"
NUMBER = "20450000000001"


def post(body: Any, headers: dict[str, str] | None = None, tail: str = "", method: str = "POST") -> Request:
    raw = body if isinstance(body, bytes) else orjson.dumps(body)
    return Request(method, "/in/nova", headers=headers or {}, body=raw, tail=tail)


def push(kind: str, **more: str) -> dict[str, str]:
    return {
        "kind": kind,
        "secret": SECRET,
        "header": "",
        "sign": "plain",
        "number": "",
        "status": "",
        "at": "",
        "id": "",
        **more,
    }


def mac(signed: bytes) -> bytes:
    return hmac.new(SECRET.encode(), signed, hashlib.sha256).digest()


def base(signed: bytes) -> str:
    return base64.b64encode(mac(signed)).decode()


AFTERSHIP = {"event": "tracking_update", "event_id": "e-1", "msg": {"tracking_number": NUMBER, "tag": "InTransit"}}
MORE = {"event": "TRACKING_STATUS_UPDATE", "data": {"tracking_number": NUMBER, "delivery_status": "transit"}}
OLD_MORE = {**MORE, "verifyInfo": {"timeStr": 1662371528, "signature": mac(b"1662371528").hex()}}
T123 = {"data": {"trackNo": NUMBER, "transitStatus": "IN_TRANSIT", "lastTrackingTime": "2026-05-04 10:00:00"}}
OLD_T123 = {**T123, "timestamp": "1724750053243", "signature": mac(b"1724750053243").hex()}
CLICK = {"waybill": NUMBER, "status": "Out for delivery", "timestamp": "2026-05-04T10:00:00+03:00"}
NOVAPOST = {"shipment": {"expressWaybill": NUMBER, "statusName": "ReadyToShip"}}


def raw(body: Any) -> bytes:
    return orjson.dumps(body)


GENUINE: list[tuple[str, dict[str, str], Request]] = [
    ("aftership", push("aftership"), post(AFTERSHIP, {"aftership-hmac-sha256": base(raw(AFTERSHIP))})),
    ("trackingmore signs the body", push("trackingmore"), post(MORE, {"signature": base(raw(MORE))})),
    ("trackingmore signs the body, hex", push("trackingmore"), post(MORE, {"signature": mac(raw(MORE)).hex()})),
    (
        "trackingmore signs the timestamp",
        push("trackingmore"),
        post(MORE, {"signature": mac(b"1662371528").hex(), "timestamp": "1662371528"}),
    ),
    ("trackingmore in the body", push("trackingmore"), post(OLD_MORE)),
    (
        "track123 headers",
        push("track123"),
        post(T123, {"x-track123-signature": mac(b"17247").hex(), "x-track123-timestamp": "17247"}),
    ),
    ("track123 in the body", push("track123"), post(OLD_T123)),
    ("clickpost", push("clickpost"), post(CLICK, {"webhook_key": SECRET})),
    ("novapost", push("novapost"), post(NOVAPOST, {"x-custom-token": SECRET})),
    ("novapost, another header", push("novapost", header="X-NP-Key"), post(NOVAPOST, {"x-np-key": SECRET})),
    ("custom token", push("custom", header="X-Token"), post(CLICK, {"x-token": SECRET})),
    ("custom address", push("custom"), post(CLICK, tail=SECRET)),
    (
        "custom hex",
        push("custom", sign="hex", header="X-Sign"),
        post(CLICK, {"x-sign": "sha256=" + mac(raw(CLICK)).hex()}),
    ),
    ("custom base64", push("custom", sign="base64", header="X-Sign"), post(CLICK, {"x-sign": base(raw(CLICK))})),
]
every = pytest.mark.parametrize(("settings", "request_"), [one[1:] for one in GENUINE], ids=[one[0] for one in GENUINE])


@every
def test_genuine(settings: dict[str, str], request_: Request) -> None:
    relays.verify(request_, settings)


@every
def test_another_secret(settings: dict[str, str], request_: Request) -> None:
    with pytest.raises(Rejected, match="not proven") as caught:
        relays.verify(request_, settings | {"secret": "relay-secret-2"})
    assert caught.value.status == 403


@every
def test_no_proof(settings: dict[str, str], request_: Request) -> None:
    with pytest.raises(Rejected):
        relays.verify(post({"data": {}}), settings)


@every
def test_only_post(settings: dict[str, str], request_: Request) -> None:
    for method in ("GET", "POLL", "PUT"):
        with pytest.raises(Rejected, match="is a POST"):
            relays.verify(Request(method, "/in/nova", headers=request_.headers, body=request_.body), settings)


@pytest.mark.parametrize("name", ["aftership", "trackingmore signs the body", "custom hex", "custom base64"])
def test_one_byte_more(name: str) -> None:
    settings, request = next(one[1:] for one in GENUINE if one[0] == name)
    with pytest.raises(Rejected):
        relays.verify(post(request.body + b" ", dict(request.headers)), settings)


def test_not_ascii_in_a_signature() -> None:
    with pytest.raises(Rejected):
        relays.verify(post(AFTERSHIP, {"aftership-hmac-sha256": "підпис\udcff"}), push("aftership"))


def parse(settings: dict[str, str], request: Request) -> list[Event]:
    return incoming.parse(Receipt(1, "nova", relays.key(request, settings), request, request.at), settings)


@pytest.mark.parametrize(("settings", "request_"), [one[1:] for one in GENUINE if "custom" not in one[0]])
def test_a_push_is_a_hint(settings: dict[str, str], request_: Request) -> None:
    [event] = parse(settings, request_)
    assert (event.type, event.subject, event.incomplete) == ("parcel.updated", f"parcel:{NUMBER}", True)
    assert event.record["parcel"]["number"] == NUMBER
    assert event.text
    assert event.key.startswith(f"{settings['kind']}:")


def test_paths_of_a_custom_relay() -> None:
    settings = push("custom", number="items[*].ttn", status="items[0].state", at="sent", id="uid")
    body = {
        "uid": 7,
        "sent": "2026-05-04 10:00:00",
        "items": [{"ttn": NUMBER, "state": "B"}, {"ttn": "20450000000002"}],
    }
    first, second = parse(settings, post(body))
    assert (first.subject, second.subject) == (f"parcel:{NUMBER}", "parcel:20450000000002")
    assert first.text == "B"
    assert first.occurred_at is not None and first.occurred_at.isoformat() == "2026-05-04T07:00:00+00:00"
    assert relays.key(post(body), settings) == "custom:7"


def test_another_carriers_parcel_is_no_hint() -> None:
    body = {**AFTERSHIP, "msg": {"tracking_number": "JD014600003", "slug": "dhl"}}
    [event] = parse(push("aftership"), post(body))
    assert (event.type, event.incomplete) == ("vendor.aftership.tracking_update", False)
    assert event.record["extra"]["event_id"] == "e-1"


def test_a_test_ping_is_kept() -> None:
    [event] = parse(push("clickpost"), post({"hello": True}))
    assert event.type == "vendor.clickpost.push"


def test_key_leaves_out_what_a_retry_changes() -> None:
    settings = push("track123")
    again = {**T123, "timestamp": "1", "signature": "x"}
    assert relays.key(post(OLD_T123), settings) == relays.key(post(again), settings)
    other = {**OLD_T123, "data": {"trackNo": "20450000000002"}}
    assert relays.key(post(OLD_T123), settings) != relays.key(post(other), settings)
    assert relays.key(post(AFTERSHIP), push("aftership")) == "aftership:e-1"


@pytest.mark.parametrize("body", [b"", b"[]", b"not json", b"{" * 1000, b'"x"', b"\xff"])
def test_unreadable(body: bytes) -> None:
    with pytest.raises(Rejected):
        relays.key(post(body), push("aftership"))


# --- completing -----------------------------------------------------------------------------------


@pytest.fixture
def item(vendor_sample: Callable[[str], Any]) -> dict[str, Any]:
    return dict(vendor_sample("TrackingDocument.getStatusDocuments.response")["data"][1]) | {"Number": NUMBER}


def test_hints_become_what_tracking_says(item: dict[str, Any]) -> None:
    hints = [*parse(push("aftership"), post(AFTERSHIP)), *parse(push("clickpost"), post(CLICK))]
    [event] = incoming.completed([one.with_(id=n) for n, one in enumerate(hints, 7)], [item])
    assert (event.type, event.incomplete, event.id) == ("parcel.status_changed", False, 8)
    assert event.record["parcel"]["status"] == "delivered"
    polled = incoming.parse(
        Receipt(1, "nova", "k", Request("POLL", "poll/parcel", body=raw(item)), hints[0].occurred_at), None
    )
    assert event.key == polled[0].key  # the poll that sees the same later is no second event


def test_a_hint_about_a_return_tells_the_first_number(item: dict[str, Any]) -> None:
    owner = {"OwnerDocumentNumber": "20450000000077", "OwnerDocumentType": "CargoReturn"}
    [event] = incoming.completed(parse(push("aftership"), post(AFTERSHIP)), [item | owner])
    assert (event.subject, event.record["parcel"]["status"]) == ("parcel:20450000000077", "returned")


def test_a_hint_about_nothing(item: dict[str, Any]) -> None:
    hints = parse(push("aftership"), post(AFTERSHIP))
    assert incoming.completed(hints, []) == []
    assert incoming.completed(hints, [item | {"StatusCode": "3"}]) == []
