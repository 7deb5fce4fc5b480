"""The contract of every plugin, kept by this one: declaration, reading, the door."""

import hmac
from dataclasses import replace
from pathlib import Path
from typing import ClassVar

import pytest

from hub.errors import Rejected
from hub.testing.contract import WebhookContract
from plugins.amocrm.connector import AmoCrm

WORD = "a-long-random-word-of-the-hook"
CHANNEL = "FAKE_CHANNEL_SECRET_0000000000000000000"


class TestAmoCrm(WebhookContract):
    connector_class = AmoCrm
    region = "RU"
    timezone = "Europe/Moscow"
    settings: ClassVar = {
        "base_url": "https://example.amocrm.ru",
        "token": "FAKE_LONG_LIVED_TOKEN",
        "client_id": "00000000-0000-4000-8000-0000000000c1",
        "client_secret": "FAKE_CLIENT_SECRET",
        "hook_secret": WORD,
        "chats": {"channel_id": "f62a0162-46a7-430e-b06c-0ef798d56b21", "secret": CHANNEL},
    }
    samples = Path(__file__).parent / "samples"
    expected: ClassVar = {
        "amojo-outgoing-picture.webhook.json": ["message.sent"],
        "company-update.webhook.txt": ["company.updated"],
        "contacts-add-email.webhook.json": ["contact.created"],
        "contacts-add.webhook.txt": ["contact.created"],
        "dp-mail-in.webhook.txt": ["vendor.leads_mail_in"],
        "integration-disconnect.webhook.txt": ["connection.changed"],
        "leads-add.webhook.json": ["deal.created"],
        "leads-delete.webhook.json": ["deal.deleted"],
        "leads-note-text.webhook.txt": ["note.added"],
        "leads-responsible.webhook.json": ["deal.updated"],
        "leads-status.webhook.txt": ["deal.updated"],
        "leads-update.webhook.txt": ["deal.updated"],
        "message-add.webhook.txt": ["message.received"],
        "task-add.webhook.json": ["task.created"],
        "unsorted-accept.webhook.json": ["lead.stage_changed"],
        "unsorted-add-chat.webhook.txt": ["lead.created"],
    }

    def deliver(self, connector, request):
        """The chat message is signed, so is the farewell (over its query); the rest has the word in its address."""
        if b'"msec_timestamp"' in request.body:
            signature = hmac.digest(CHANNEL.encode(), request.body, "sha1").hex()
            return replace(request, headers={**request.headers, "x-signature": signature})
        if request.method == "GET":
            return request
        return replace(request, tail=f"{WORD}/", path=f"{request.path}/{WORD}/")

    def forged(self, connector, request):
        forged = [replace(request, method="PUT", tail="", query=())]
        if "x-signature" in request.headers:
            stranger = hmac.digest(b"another secret", request.body, "sha1").hex()
            forged += [replace(request, headers={"x-signature": one}) for one in (stranger, "", "я")]
            forged.append(replace(request, body=request.body.replace(b"15926745", b"15926746")))
        elif request.method == "GET":
            query = dict(request.query)
            for name, value in (("account_id", "31000002"), ("client_uuid", "x"), ("signature", "0" * 64)):
                if query[name] != value:
                    forged.append(replace(request, query=tuple({**query, name: value}.items())))
        else:
            forged += [replace(request, tail=word) for word in ("", WORD[:-1], WORD + "x", "я")]
            if b"=example" in request.body:
                forged.append(replace(request, body=request.body.replace(b"=example", b"=stranger")))
        return forged

    def test_forged_is_turned_away(self, sample):
        """A farewell carries its own signature: the sample itself is genuine already."""
        if sample.startswith("integration-disconnect"):
            connector = self.connector()
            for request in self.forged(connector, self.genuine(connector, sample)):
                self.turned_away(connector, request)
            return
        super().test_forged_is_turned_away(sample)

    def turned_away(self, connector, request):
        with pytest.raises(Rejected) as caught:
            connector.verify(request)
        assert 400 <= caught.value.status < 500
