"""What a message means, by the admin's paths."""

import datetime as dt
from dataclasses import replace
from pathlib import Path

from hub.model import Receipt
from hub.testing import build, request_from_bytes, request_from_file
from plugins.standard.connector import StandardConnector
from plugins.standard.signing import sign

SAMPLES = Path(__file__).parent / "samples"
AT = dt.datetime(2026, 3, 4, 10, 20, 30, tzinfo=dt.UTC)

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
READ = {
    "contact.phone": "data.phone",
    "contact.name": "data.name",
    "lead.goods": "data.items",
    "lead.geo": "data.country",
    "lead.age": "data.age",
    "lead.supplier_id": "data.id",
    "lead.amount": "data.amount",
    "lead.created_at": "timestamp",
}


def signed(request, message="msg_1"):
    headers = {name.lower(): value for name, value in sign(SECRET, message, AT, request.body).items()}
    return replace(request, headers={**request.headers, **headers})


def connector(**settings):
    settings = {"secrets": [SECRET], "event": "lead.received", "read": READ, "key": "data.id", **settings}
    return build(StandardConnector, settings, region="MX", timezone="America/Mexico_City")


def events(request, hub=None):
    hub = hub or connector()
    request = signed(request)
    hub.verify(request)
    return hub.parse(Receipt(1, "supplier", hub.receipt_key(request), request, request.at))


def body(text, **settings):
    return events(request_from_bytes(text.encode(), at=AT), connector(**settings))


def test_a_suppliers_lead():
    [event] = events(request_from_file(SAMPLES / "lead.webhook.json", at=AT))
    assert (event.type, event.subject, event.key) == ("lead.received", "lead:L-1001", "key:L-1001")
    assert event.occurred_at == dt.datetime(2026, 3, 4, 10, 20, tzinfo=dt.UTC)
    assert event.record["contact"]["phone"] == "+525512345678"
    assert event.record["contact"]["first_name"] == "Ana"
    lead = event.record["lead"]
    assert lead["goods"] == ["crema", "faja"]
    assert (lead["age"], lead["geo"], lead["supplier_id"]) == ("34", "MX", "L-1001")
    assert lead["extra"]["data"]["partner"] == "north"


def test_what_does_not_fit_is_kept_raw():
    [event] = events(request_from_file(SAMPLES / "lead-other.webhook.json", at=AT))
    assert event.record["contact"] == {"phone_raw": "not a phone"}
    assert event.record["lead"]["goods"] == ["crema"]
    assert "geo" not in event.record["lead"]


def test_a_list_is_one_event_for_each_key():
    found = events(request_from_file(SAMPLES / "list.webhook.json", at=AT))
    assert [event.key for event in found] == ["key:a", "key:b"]


def test_the_key_decides_however_often_it_is_sent():
    hub = connector()
    first = signed(request_from_bytes(b'{"data": {"id": "7"}}', at=AT), "msg_1")
    later = signed(request_from_bytes(b'{"data": {"id": "7", "x": 1}}', at=AT), "msg_2")
    assert hub.receipt_key(first) != hub.receipt_key(later)
    keys = [event.key for one in (first, later) for event in hub.parse(Receipt(1, "s", "k", one, AT))]
    assert keys == ["key:7", "key:7"]


def test_money_and_times_are_put_into_our_words():
    [event] = body('{"timestamp": "2026-03-04T04:00:00", "data": {"id": 1, "amount": "1 234,50"}}')
    assert event.record["lead"]["amount"] == "1234.50"
    assert event.record["lead"]["created_at"] == "2026-03-04T10:00:00+00:00"  # the connection's zone is Mexico City
    [event] = body('{"timestamp": 1772618400, "data": {"id": 1, "amount": "many"}}')
    assert event.record["lead"]["created_at"] == "2026-03-04T10:00:00+00:00"
    assert "amount" not in event.record["lead"]


def test_a_time_ahead_of_us_is_not_believed():
    [event] = body('{"timestamp": "2099-01-01T00:00:00Z", "data": {"id": 1}}')
    assert event.occurred_at == AT


def test_unknown_types_are_kept_under_their_own_name():
    [event] = body('{"type": "invoice.paid now", "data": {}}', event="", read={}, key="")
    assert event.type == "vendor.invoice.paid_now"
    assert event.record == {"vendor": {"extra": {"type": "invoice.paid now", "data": {}}}}
    assert event.key.startswith("id:msg_")


def test_the_declared_event_carries_its_fields():
    [kind] = connector().events
    assert (kind.name, kind.record) == ("lead.received", "lead")
    assert "supplier_id" in kind.fields


def test_an_unsigned_sample_can_be_read_too():
    """`hub try --unsigned` leaves the check out."""
    hub = connector(key="")
    request = request_from_file(SAMPLES / "lead.webhook.json", at=AT)
    assert hub.receipt_key(request).startswith("body:")
    [event] = hub.parse(Receipt(0, "supplier", "try", request, AT))
    assert event.key == hub.receipt_key(request)
