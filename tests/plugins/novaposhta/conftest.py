"""What the plugin's tests share: samples, a connector against nothing, one against the sandbox, a caller of it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from hub.model import Action, Done
from hub.testing import build
from plugins.novaposhta.connector import NovaPoshta
from plugins.novaposhta.sandbox import NovaPoshtaSandbox
from tests.plugins.novaposhta.caller import NOW, Client

SAMPLES = Path(__file__).parent / "samples"
KEY = "FAKE_NP_API_KEY_0000000000000000"
SENDER = {
    "city": "8d5a980d-391c-11dd-90d9-001a92567626",
    "counterparty": "aaaaaaaa-0000-4000-8000-000000000007",
    "contact": "aaaaaaaa-0000-4000-8000-000000000009",
    "address": "aaaaaaaa-0000-4000-8000-000000000008",
    "phone": "067 000-00-01",
}


@pytest.fixture(scope="session")
def vendor_sample() -> Callable[[str], Any]:
    """Read a sample by its name without `.json`."""
    return lambda name: json.loads((SAMPLES / f"{name}.json").read_text("utf-8"))


@pytest.fixture
def offline() -> NovaPoshta:
    """A connector at the real address; `responses` stands in its way."""
    return build(NovaPoshta, {"api_key": KEY, "sender": SENDER}, name="nova")


class Office:
    """A connector at a running sandbox, and the handles of a test."""

    def __init__(self, sandbox: NovaPoshtaSandbox, url: str) -> None:
        self.sandbox, self.url = sandbox, url
        settings = {**sandbox.credentials(), "poll": "10m"}
        self.connector = build(NovaPoshta, settings, name="nova")

    def do(self, name: str, values: dict[str, Any] | None = None, **options: Any) -> Done:
        """Perform an action."""
        record, _, verb = name.partition(".")
        return self.connector.perform(Action(name, record, verb or record, values=values or {}, **options))

    def fault(self, kind: str, match: str = "", times: int = 1) -> None:
        """Arm a fault of the sandbox."""
        answer = requests.post(
            f"{self.url}/_sandbox/fault", json={"kind": kind, "match": match, "times": times}, timeout=5
        )
        assert answer.ok, answer.text

    def move(self, number: str, code: str, at: str = "") -> None:
        """Move a parcel to a status."""
        body = {"code": code, **({"at": at} if at else {})}
        assert requests.post(f"{self.url}/_sandbox/parcels/{number}/status", json=body, timeout=5).ok

    def by_hand(self, **wishes: Any) -> str:
        """Make a waybill as if in the cabinet and return its number."""
        return str(requests.post(f"{self.url}/_sandbox/parcels", json=wishes, timeout=5).json()["number"])

    def waybills(self) -> list[dict[str, Any]]:
        """Everything the vendor knows, deleted ones too."""
        state: dict[str, Any] = requests.get(f"{self.url}/_sandbox/state", timeout=5).json()
        return list(state["waybills"])


@pytest.fixture
def office() -> Iterator[Office]:
    """A fresh sandbox with a connector at it."""
    sandbox = NovaPoshtaSandbox()
    with sandbox.start() as running:
        yield Office(sandbox, running.url)


@pytest.fixture
def order() -> dict[str, Any]:
    """The values of the recipe's waybill step."""
    return {
        "city": "Київ",
        "branch": "Відділення №1",
        "name": "Олена Коваль",
        "phone": "067 123-45-67",
        "cost": "1500.00",
        "cod": "0",
        "weight": "0.5",
        "seats": "1",
        "description": "Косметика",
        "CargoType": "Parcel",
        "ServiceType": "WarehouseWarehouse",
        "PayerType": "Recipient",
        "PaymentMethod": "Cash",
    }


@pytest.fixture
def start() -> Iterator[Callable[..., Client]]:
    clients: list[Client] = []

    def begin(**options: Any) -> Client:
        clients.append(Client(NovaPoshtaSandbox(**{"clock": lambda: NOW} | options)))
        return clients[-1]

    yield begin
    for client in clients:
        client.running.stop()


@pytest.fixture
def np(start: Callable[..., Client]) -> Client:
    return start()
