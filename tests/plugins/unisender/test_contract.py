"""The hub's contract for every plugin, once for each product."""

from __future__ import annotations

import gzip
import json
from dataclasses import replace
from typing import Any, ClassVar

import pytest

from hub.connector import Connector
from hub.model import Request
from hub.testing.contract import WebhookContract
from plugins.unisender import signing
from plugins.unisender.connector import Classic, Go, Unisender
from tests.plugins.unisender.conftest import CLASSIC, CLASSIC_KEY, GO, GO_KEY, SAMPLES


def signed(body: bytes, key: str) -> bytes:
    """Return a body with the `auth` it must have, or as it is where it holds none."""
    try:
        parsed = json.loads(body)
        auth = parsed.get("auth") if isinstance(parsed, dict) else None
    except (ValueError, RecursionError):
        return body
    if not isinstance(auth, str) or not auth or auth.encode() not in body:
        return body
    return body.replace(auth.encode(), signing.signature(body, auth, key).encode(), 1)


def retried(request: Request, key: str, count: int = 1) -> Request:
    """Return the message as the vendor's retry sends it: one member more, another signature."""
    body = json.loads(request.body)
    body["retry_count"] = count
    text = json.dumps(body, separators=(",", ":")).replace("/", "\\/").encode()
    return replace(request, body=signed(text, key))


class _Signed(WebhookContract):
    key_of: ClassVar[str]
    signed_body = True

    def request(self, connector: Connector, sample: str) -> Request:
        """A sample without its secret address: it must be turned away."""
        return super().request(connector, sample)

    def deliver(self, connector: Connector, request: Request) -> Request:
        return replace(request, tail=str(connector.settings["secret"]), body=signed(request.body, self.key_of))

    def again(self, connector: Connector, request: Request) -> Request:
        return retried(request, self.key_of)

    def forged(self, connector: Connector, request: Request) -> list[Request]:
        body = json.loads(request.body)
        rewritten = json.dumps({**body, "more": "https://"}).encode()
        return [
            replace(request, tail=""),
            replace(request, tail="another-secret"),
            replace(request, method="PUT"),
            replace(request, method="POLL"),
            replace(request, body=signed(request.body, "another-key-of-somebody")),
            replace(request, body=rewritten),
            replace(request, body=request.body.replace(body["auth"].encode(), b"0" * 32)),
            replace(request, body=b'{"auth": null, "event_name": "email_status"}'),
        ]


class TestClassic(_Signed):
    connector_class = Classic
    settings: ClassVar[dict[str, Any]] = {**CLASSIC, "secret": "unguessable-end"}
    key_of = CLASSIC_KEY
    region = "RU"
    samples = SAMPLES / "classic"
    expected: ClassVar[dict[str, list[str]]] = {
        "classic.email_status.webhook.json": ["email.delivered"],
        "made.unsubscribe.webhook.json": ["email.unsubscribed"],
        "made.subscribe.single-event.webhook.json": ["subscription.changed"],
        "made.campaign_status.single-event.webhook.json": ["vendor.campaign_status"],
        "made.user_info.webhook.json": ["vendor.user_info"],
        "made.bounce-and-full.webhook.json": [
            "email.bounced",
            "vendor.email_status",
            "email.clicked",
            "email.complained",
        ],
        "made.email_status.retry.webhook.json": ["email.opened"],
        "made.unknown.webhook.json": ["vendor.email_check", "vendor.unreadable"],
    }


class TestGo(_Signed):
    connector_class = Go
    settings: ClassVar[dict[str, Any]] = {**GO, "secret": "unguessable-end"}
    key_of = GO_KEY
    region = "RU"
    samples = SAMPLES / "go"
    expected: ClassVar[dict[str, list[str]]] = {
        "go.transactional_email_status.clicked.webhook.json": ["email.clicked"],
        "go.single-event.sent.webhook.json": ["email.sent"],
        "go.soft_bounced.single-event.webhook.json": ["vendor.transactional_email_status"],
        "go.docs-full.mixed-events.webhook.json": ["email.sent", "vendor.transactional_spam_block"],
        "made.hard_bounced.webhook.json": ["email.bounced"],
        "made.unsubscribed-subscribed-spam.webhook.json": [
            "email.unsubscribed",
            "subscription.changed",
            "email.complained",
            "email.delivered",
            "email.opened",
        ],
    }


CASES = [(TestClassic, name) for name in TestClassic.expected] + [(TestGo, name) for name in TestGo.expected]


@pytest.mark.parametrize(("family", "sample"), CASES, ids=[name for _, name in CASES])
def test_a_sample_is_genuine_as_it_is(family: type[_Signed], sample: str) -> None:
    """Byte for byte as the vendor signs, without a word of ours."""
    case = family()
    connector = case.connector(secret="")
    connector.verify(case.request(connector, sample))


@pytest.mark.parametrize(("family", "sample"), CASES, ids=[name for _, name in CASES])
def test_a_compressed_body_is_the_same_message(family: type[_Signed], sample: str) -> None:
    case = family()
    connector = case.connector()
    plain = case.genuine(connector, sample)
    packed = replace(plain, body=gzip.compress(plain.body))
    connector.verify(packed)
    assert connector.receipt_key(packed) == connector.receipt_key(plain)
    assert case.parse(connector, packed) == case.parse(connector, plain)


def test_the_product_decides_what_a_connection_has() -> None:
    assert Unisender.variant({"product": "classic"}) is Classic
    assert Unisender.variant({"product": "go"}) is Go
    assert Unisender.variant({}) is Unisender
    names = {kind.name for kind in Unisender.actions}
    assert names == {kind.name for kind in (*Classic.actions, *Go.actions)}
    assert {kind.name for kind in Unisender.events} == {kind.name for kind in (*Classic.events, *Go.events)}
