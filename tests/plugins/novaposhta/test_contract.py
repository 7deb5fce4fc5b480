"""The hub's contract for every plugin: once for what a relay pushes, once for what a poll stores."""

from __future__ import annotations

import base64
import hashlib
import hmac
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

import pytest

from hub.connector import Connector
from hub.errors import Rejected
from hub.model import Request
from hub.testing.contract import ReceiptContract, WebhookContract
from plugins.novaposhta.connector import NovaPoshta

SAMPLES = Path(__file__).parent / "samples"
SECRET = "aftership-webhook-secret"
PUSHED, POLLED = "aftership.tracking_update.webhook.json", "parcel.status_changed.poll.json"


class TestPushed(WebhookContract):
    """AfterShip stands for the relays here; the others are in test_relays."""

    connector_class = NovaPoshta
    settings: ClassVar[dict[str, Any]] = {
        "api_key": "0123456789abcdef",
        "push": {"kind": "aftership", "secret": SECRET},
    }
    samples = SAMPLES
    expected: ClassVar[dict[str, list[str]]] = {PUSHED: ["parcel.updated"]}
    signed_body = True

    def deliver(self, connector: Connector, request: Request) -> Request:
        mac = hmac.new(SECRET.encode(), request.body, hashlib.sha256).digest()
        headers = {**request.headers, "aftership-hmac-sha256": base64.b64encode(mac).decode()}
        return replace(request, headers=headers)

    def forged(self, connector: Connector, request: Request) -> list[Request]:
        return [
            replace(request, headers={**request.headers, "aftership-hmac-sha256": "AAAA"}),
            replace(request, method="GET"),
            replace(request, method="POLL"),
        ]


class TestPolled(ReceiptContract):
    """What the hub's own poll stores."""

    connector_class = NovaPoshta
    settings: ClassVar[dict[str, Any]] = {"api_key": "0123456789abcdef"}
    samples = SAMPLES
    expected: ClassVar[dict[str, list[str]]] = {POLLED: ["parcel.status_changed"]}

    def request(self, connector: Connector, sample: str) -> Request:
        return replace(super().request(connector, sample), method="POLL", path="poll/parcel")

    def test_every_sample_is_expected(self) -> None:
        assert (self.samples / POLLED).exists()


@pytest.mark.parametrize("method", ["POST", "POLL", "GET"])
def test_without_a_relay_nothing_gets_in(offline: NovaPoshta, method: str) -> None:
    with pytest.raises(Rejected, match="takes no pushes") as caught:
        offline.verify(Request(method, "/in/nova", body=b"{}"))
    assert caught.value.status == 404
