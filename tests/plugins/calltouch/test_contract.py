"""The hub's contract for every plugin: once for hooks, once for what the plugin's own polls store."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

from hub.connector import Connector
from hub.model import Request
from hub.testing.contract import ReceiptContract, WebhookContract
from plugins.calltouch.connector import Calltouch

SAMPLES = Path(__file__).parent / "samples"
SECRET = "a-secret-of-the-tests"
SETTINGS: dict[str, Any] = {
    "site_id": "10001",
    "secret": SECRET,
    "client_api_id": "client-api-id-of-tests",
    "access_token": "access-token-of-tests",
    "timezone": "Europe/Moscow",
    "addresses": ["203.0.113.0/24"],
}


class TestHooks(WebhookContract):
    """Every sample, let in by the secret at the end of the address."""

    connector_class = Calltouch
    settings: ClassVar[dict[str, Any]] = SETTINGS
    region = "RU"
    samples = SAMPLES
    expected: ClassVar[dict[str, list[str]]] = {
        "lead.call-started.reconstructed.webhook.txt": ["call.started"],
        "lead.call-completed.reconstructed.webhook.txt": ["call.finished"],
        "lead.request.reconstructed.webhook.txt": ["form.submitted"],
        "lead.call-missed.made.webhook.json": ["call.missed"],
        "lead.call-answered-by.made.webhook.txt": ["call.answered", "call.finished"],
        "lead.call-changed.made.webhook.json": ["call.finished", "vendor.call_changed"],
        "chat.made.webhook.txt": ["vendor.chat"],
    }

    def request(self, connector: Connector, sample: str) -> Request:
        return replace(super().request(connector, sample), query=())

    def deliver(self, connector: Connector, request: Request) -> Request:
        return replace(request, path=f"/in/calltouch/{SECRET}", tail=SECRET)

    def forged(self, connector: Connector, request: Request) -> list[Request]:
        return [
            replace(request, tail=f"{SECRET}x"),
            replace(request, tail="", query=(("secret", "FAKE_SECRET"),)),
            replace(request, method="POLL"),
            replace(request, method="PUT"),
            replace(request, remote="198.51.100.1"),
            replace(request, remote=""),
        ]


class TestHooksByGet(TestHooks):
    """The same samples as a hook by GET: all fields in the query, the secret too."""

    expected: ClassVar[dict[str, list[str]]] = {
        sample: types for sample, types in TestHooks.expected.items() if sample.endswith(".txt")
    }

    def request(self, connector: Connector, sample: str) -> Request:
        request = super().request(connector, sample)
        return replace(request, method="GET", query=tuple(request.form()), body=b"")

    def deliver(self, connector: Connector, request: Request) -> Request:
        return replace(request, query=(*request.query, ("secret", SECRET)))

    def forged(self, connector: Connector, request: Request) -> list[Request]:
        return [replace(request, query=(*request.query[:-1], ("secret", SECRET[:-1])))]

    def test_every_sample_is_expected(self) -> None:
        assert set(self.expected) < set(TestHooks.expected)


class TestJournals(ReceiptContract):
    """What the hub's own polls store."""

    connector_class = Calltouch
    settings: ClassVar[dict[str, Any]] = SETTINGS
    region = "RU"
    samples = SAMPLES
    expected: ClassVar[dict[str, list[str]]] = {
        "calls-diary.record.poll.json": ["call.finished"],
        "requests.record.poll.json": ["form.submitted"],
    }

    def request(self, connector: Connector, sample: str) -> Request:
        journal = "calls" if sample.startswith("calls") else "requests"
        return replace(super().request(connector, sample), method="POLL", path=f"poll/{journal}")

    def test_every_sample_is_expected(self) -> None:
        assert all((self.samples / sample).exists() for sample in self.expected)
