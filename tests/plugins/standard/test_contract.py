"""The contract, kept by `standard` in each of its manners, and by `http`."""

import base64
import datetime as dt
import hashlib
import hmac
from dataclasses import replace
from pathlib import Path
from typing import ClassVar

from standardwebhooks.webhooks import Webhook

from hub.testing.contract import ConnectorContract, WebhookContract
from plugins.standard.connector import HttpConnector, StandardConnector

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
OTHER = "whsec_b3RoZXItc2VjcmV0LW90aGVyLXNlY3JldA=="
READ = {
    "contact.phone": "data.phone",
    "contact.name": "data.name",
    "lead.goods": "data.items",
    "lead.address": "data.address",
    "lead.geo": "data.country",
    "lead.age": "data.age",
    "lead.supplier": "data.partner",
    "lead.supplier_id": "data.id",
    "lead.amount": "data.amount",
    "lead.created_at": "timestamp",
}


def signed(request, secret, message=None, at=None):
    """Sign with the standard's own library."""
    message = message or "msg_" + hashlib.sha256(request.body).hexdigest()
    at = at or request.at
    signature = Webhook(secret).sign(message, at, request.body.decode("utf-8", "surrogateescape"))
    headers = {
        "webhook-id": message,
        "webhook-timestamp": str(int(at.timestamp())),
        "webhook-signature": signature,
    }
    return replace(request, headers={**request.headers, **headers})


class Samples(WebhookContract):
    connector_class = StandardConnector
    samples = Path(__file__).parent / "samples"
    region = "MX"
    expected: ClassVar = {
        "lead.webhook.json": ["lead.received"],
        "lead-other.webhook.json": ["lead.received"],
        "list.webhook.json": ["lead.received", "lead.received"],
        "form.webhook.txt": ["lead.received"],
    }


class TestStandard(Samples):
    settings: ClassVar = {"secrets": [SECRET, OTHER], "event": "lead.received", "read": READ, "key": "data.id"}
    signed_body = True

    def deliver(self, connector, request):
        try:
            return signed(request, SECRET)
        except UnicodeEncodeError:  # the library signs text alone
            message, at = "msg_torn", str(int(request.at.timestamp()))
            key = Webhook(SECRET)._whsecret
            digest = hmac.digest(key, f"{message}.{at}.".encode() + request.body, "sha256")
            headers = {
                "webhook-id": message,
                "webhook-timestamp": at,
                "webhook-signature": "v1," + base64.b64encode(digest).decode(),
            }
            return replace(request, headers={**request.headers, **headers})

    def again(self, connector, request):
        """The standard's retry: the same id, a new timestamp and signature."""
        later = replace(request, at=request.at + dt.timedelta(hours=5))
        return signed(later, SECRET, request.headers["webhook-id"])

    def forged(self, connector, request):
        h = request.headers
        return [
            signed(request, "whsec_" + "QUFB" * 8),
            signed(request, SECRET, at=request.at - dt.timedelta(seconds=301)),
            signed(request, SECRET, at=request.at + dt.timedelta(seconds=301)),
            replace(request, headers={**h, "webhook-id": "msg_other"}),
            replace(request, headers={**h, "webhook-timestamp": h["webhook-timestamp"] + ".0"}),
            replace(request, headers={**h, "webhook-timestamp": "9" * 5000}),
            replace(request, headers={**h, "webhook-timestamp": "١٢٣"}),
            replace(request, headers={**h, "webhook-signature": h["webhook-signature"].replace("v1,", "v1a,")}),
            replace(request, headers={**h, "webhook-signature": "v1,"}),
            replace(request, headers={**h, "webhook-signature": "v1,ж ,,, v1"}),
            replace(request, method="GET"),
        ]


class TestHmac(Samples):
    settings: ClassVar = {
        "secrets": ["first-plain-secret", "older-plain-secret"],
        "auth": "hmac",
        "header": "X-Hub-Signature-256",
        "event": "lead.received",
        "read": READ,
        "key": "data.id",
    }
    signed_body = True

    def deliver(self, connector, request):
        digest = hmac.digest(b"older-plain-secret", request.body, "sha256").hex()
        return replace(request, headers={**request.headers, "x-hub-signature-256": "sha256=" + digest})

    def forged(self, connector, request):
        return [
            replace(request, headers={**request.headers, "x-hub-signature-256": value})
            for value in ("sha256=", "sha256=zz", "sha256=" + "0" * 64, "ж", "")
        ]


class TestHeader(Samples):
    settings: ClassVar = {
        "secrets": ["plain-secret-in-header"],
        "auth": "header",
        "header": "Authorization",
        "event": "lead.received",
        "read": READ,
        "key": "data.id",
    }

    def deliver(self, connector, request):
        return replace(request, headers={**request.headers, "authorization": "Bearer plain-secret-in-header"})

    def forged(self, connector, request):
        return [
            replace(request, headers={**request.headers, "authorization": value})
            for value in ("Bearer plain-secret-in-heade", "Bearer ", "Bearer ключ", "plain-secret-in-header2")
        ]


class TestUrl(Samples):
    settings: ClassVar = {"secrets": ["plain-secret-in-url"], "auth": "url", "event": "lead.received", "read": READ}
    #: without `key` nothing tells that the list names one lead twice
    expected: ClassVar = {**Samples.expected, "list.webhook.json": ["lead.received"] * 3}

    def deliver(self, connector, request):
        return replace(request, tail="plain-secret-in-url")

    def forged(self, connector, request):
        return [replace(request, tail=tail) for tail in ("plain-secret-in-ur", "x/plain-secret-in-url", "ключ")]


class TestOwnTypes(Samples):
    """Without `event` the message's own type decides."""

    settings: ClassVar = {"secrets": [SECRET], "read": {"contact.phone": "data.phone"}}
    expected: ClassVar = {
        "lead.webhook.json": ["lead.created"],
        "list.webhook.json": ["vendor.message"] * 3,
        "form.webhook.txt": ["vendor.message"],
        "lead-other.webhook.json": ["lead.created"],
    }
    deliver = TestStandard.deliver


class TestHttp(ConnectorContract):
    connector_class = HttpConnector
    settings: ClassVar = {
        "base_url": "https://api.example.com/v1",
        "headers": {"Authorization": "Bearer tok-en-tok-en"},
    }
