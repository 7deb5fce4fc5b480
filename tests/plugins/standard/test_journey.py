"""A supplier's signed message becomes a call and a message to a partner, over real HTTP, whatever breaks on the way."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from standardwebhooks.webhooks import Webhook

from hub import outcome
from plugins.standard.sandbox import StandardSandbox
from tests.company import Company

SUPPLIER = "whsec_c3VwcGxpZXItc2VjcmV0LW9mLXRoZS10ZXN0cw=="
STRANGER = "whsec_c3RyYW5nZXItc2VjcmV0LW9mLXRoZS10ZXN0cw=="

YAML = """
hub: {{timezone: America/Mexico_City, region: MX, unrouted: ignore}}
connections:
  supplier:
    plugin: standard
    secrets: ["{supplier}"]
    event: lead.received
    read: {{contact.phone: data.phone, contact.name: data.name, lead.supplier_id: data.id}}
    key: data.id
  courier: {{plugin: http, base_url: "{courier}/v1"{courier_options}}}
  partner: {{plugin: standard, secrets: {secrets}, base_url: "{base_url}/hooks"}}
routes:
  - name: a lead is ordered at the courier, and the partner is told
    on: supplier.lead.received
    steps:
      - do: courier.http.post
        set: {{path: /orders, json: {{ref: lead.supplier_id, phone: contact.phone}}}}
        as: order
      - {{do: partner.event.send, set: {{type: event.type, data: {{id: lead.supplier_id, order: order.json.number}}}}}}
"""


class Trade(Company):
    """The hub between a supplier, a courier (stand-in 0) and a partner (stand-in 1)."""

    def __init__(self, folder: Path, courier_options: str = "") -> None:
        self.courier, self.partner = StandardSandbox(), StandardSandbox()
        stands = [self.courier.start(), self.partner.start()]
        given = self.partner.credentials()
        yaml = YAML.format(supplier=SUPPLIER, courier=stands[0].url, courier_options=courier_options, **given)
        super().__init__(folder, yaml, stands, settle=0.1)
        self.tell(0, "answer", status=200, json={"number": "T-1"})
        self.work()

    def send(self, id: str = "s-1", secret: str = SUPPLIER, message: str = "", at: dt.datetime | None = None) -> int:
        """The supplier sends a lead, signed by the standard's own library; return what the hub answered."""
        body = json.dumps({"type": "lead", "data": {"id": id, "name": "Ana", "phone": "55 1234 5678"}})
        at, message = at or dt.datetime.now(dt.UTC), message or f"msg_{id}"
        headers = {
            "webhook-id": message,
            "webhook-timestamp": str(int(at.timestamp())),
            "webhook-signature": Webhook(secret).sign(message, at, body),
            "content-type": "application/json",
        }
        return requests.post(f"{self.url}/in/supplier", data=body, headers=headers, timeout=10).status_code

    def ordered(self) -> list[Any]:
        """Return what the courier was asked for."""
        return [json.loads(one["body"]) for one in self.courier.data["received"]]

    def told(self) -> list[dict[str, Any]]:
        """Return what reached the partner."""
        return list(self.partner.data["received"])


@pytest.fixture
def trades(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Trade]]:
    monkeypatch.setattr(outcome, "BACKOFF", (0.1, 0.2, 0.4))
    built: list[Trade] = []

    def build(**options: Any) -> Trade:
        built.append(Trade(tmp_path, **options))
        return built[-1]

    yield build
    for one in built:
        one.close()


@pytest.fixture
def trade(trades: Callable[..., Trade]) -> Trade:
    return trades()


def test_a_signed_message_becomes_a_call_and_a_signed_message(trade: Trade) -> None:
    assert trade.send() == 200
    trade.settle()
    assert trade.ordered() == [{"ref": "s-1", "phone": "+525512345678"}]
    [told] = trade.told()
    assert (told["signature"], told["path"]) == ("valid", "/hooks")
    said = json.loads(told["body"])
    assert (said["type"], said["data"]) == ("lead.received", {"id": "s-1", "order": "T-1"})


def test_the_suppliers_retries_are_one_lead(trade: Trade) -> None:
    """The standard's retry has the id it had, a careless sender's has not; the supplier's own id tells both."""
    now = dt.datetime.now(dt.UTC)
    for message, at in (("msg_1", now), ("msg_1", now - dt.timedelta(seconds=9)), ("msg_2", now)):
        assert trade.send(message=message, at=at) == 200
    trade.settle()
    assert trade.send(message="msg_3") == 200
    trade.settle()
    assert (len(trade.ordered()), len(trade.told())) == (1, 1)


def test_a_forged_or_an_old_message_does_nothing(trade: Trade) -> None:
    assert trade.send(secret=STRANGER) == 401
    assert trade.send(at=dt.datetime.now(dt.UTC) - dt.timedelta(minutes=6)) == 401
    assert trade.send("s-2") == 200
    trade.settle()
    assert [one["ref"] for one in trade.ordered()] == ["s-2"]


@pytest.mark.parametrize("kind", ["outage", "lost_reply", "503"])
def test_a_partner_on_a_bad_day_hears_of_it_once(trade: Trade, kind: str) -> None:
    """A message sent again has its id, so a partner who keeps to the standard takes it once."""
    trade.arm(1, kind, times=2)
    trade.send()
    trade.settle()
    assert {one["headers"]["Webhook-Id"] for one in trade.told()} == {trade.told()[0]["headers"]["Webhook-Id"]}
    assert {one["signature"] for one in trade.told()} == {"valid"}
    assert trade.partner.data["repeats"] == (2 if kind == "lost_reply" else 0)
    assert len(trade.ordered()) == 1
    assert trade.rows("SELECT count(*) FROM delivery WHERE state = 'done'") == [(2,)]


def test_a_lost_answer_of_the_courier_waits_for_a_person(trade: Trade) -> None:
    trade.arm(0, "lost_reply")
    trade.send()
    trade.until(lambda: trade.rows("SELECT 1 FROM delivery WHERE state = 'parked'"))
    assert (len(trade.ordered()), trade.told()) == (1, [])


def test_a_courier_with_a_key_against_doubles_is_asked_again(trades: Callable[..., Trade]) -> None:
    trade = trades(courier_options=", idempotency_header: Idempotency-Key")
    trade.arm(0, "lost_reply")
    trade.send()
    trade.settle()
    keys = {one["headers"]["Idempotency-Key"] for one in trade.courier.data["received"]}
    assert (len(trade.ordered()), len(keys), len(trade.told())) == (2, 1, 1)


def test_what_the_courier_refuses_is_parked_with_its_words(trade: Trade) -> None:
    trade.tell(0, "answer", status=422, json={"error": "no such street"})
    trade.send()
    [row] = trade.until(lambda: trade.rows("SELECT reason FROM delivery WHERE state = 'parked'"))
    assert "no such street" in row[0]
    assert trade.told() == []
