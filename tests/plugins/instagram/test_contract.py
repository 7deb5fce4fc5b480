"""The contract of every plugin, kept by this one: declaration, reading, the door."""

from dataclasses import replace
from pathlib import Path
from typing import ClassVar

from hub.testing.contract import WebhookContract
from plugins.instagram.connector import Instagram
from plugins.meta.signature import digest

SECRET = "fake_app_secret_0123456789abcdef"


class TestInstagram(WebhookContract):
    connector_class = Instagram
    settings: ClassVar = {
        "app_secret": f"another-secret-of-the-app, {SECRET}",
        "verify_token": "fake_verify_token",
        "access_token": "FAKE_LONG_TOKEN",
    }
    samples = Path(__file__).parent / "samples"
    signed_body = True
    expected: ClassVar = {
        "batch-several-entries.webhook.json": ["message.received"] * 3,
        "comments-changes.webhook.json": ["comment.received"],
        "comments-flat-instagram-login.webhook.json": ["comment.received"],
        "comments-reply-changes.webhook.json": ["comment.received"],
        "dashboard-test-messages-changes.webhook.json": ["message.received"],
        "live-comments-changes.webhook.json": ["comment.received"],
        "mentions-comment.webhook.json": ["comment.received"],
        "mentions-media.webhook.json": ["vendor.mentions"],
        "message-edit.webhook.json": ["vendor.message_edit"],
        "message-reactions-react.webhook.json": ["message.reaction"],
        "messages-ad-referral.webhook.json": ["message.received"],
        "messages-deleted.webhook.json": ["message.deleted"],
        "messages-echo.webhook.json": ["message.sent"],
        "messages-ig-story-attachment.webhook.json": ["message.received"],
        "messages-image-attachment.webhook.json": ["message.received"],
        "messages-inline-reply.webhook.json": ["message.received"],
        "messages-quick-reply.webhook.json": ["message.received"],
        "messages-share-legacy.webhook.json": ["message.received"],
        "messages-share-twice.webhook.json": ["message.received"],
        "messages-story-mention.webhook.json": ["message.received"],
        "messages-story-reply.webhook.json": ["message.received"],
        "messages-text.webhook.json": ["message.received"],
        "messages-unsupported.webhook.json": ["message.received"],
        "messaging-handover.webhook.json": ["vendor.messaging_handover"],
        "messaging-postbacks.webhook.json": ["message.received"],
        "messaging-referral.webhook.json": ["vendor.messaging_referral"],
        "messaging-seen.webhook.json": ["message.read"],
        "own-comment.webhook.json": ["comment.sent"],
        "signed-cyrillic.webhook.http": ["message.received"],
        "standby-text.webhook.json": ["message.received"],
        "story-insights.webhook.json": ["vendor.story_insights"],
    }

    def deliver(self, connector, request):
        signature = f"sha256={digest(SECRET, request.body)}"
        return replace(request, headers={**request.headers, "x-hub-signature-256": signature})

    def request(self, connector, sample):
        request = super().request(connector, sample)
        unsigned = {name: value for name, value in request.headers.items() if not name.startswith("x-hub-")}
        return replace(request, headers=unsigned)

    def forged(self, connector, request):
        signature = request.headers["x-hub-signature-256"]
        broken = (
            f"sha256={'0' * 64}", signature.removeprefix("sha256="), signature.replace("sha256", "sha1"), "sha256=",
            "sha256=\xe9" + "a" * 63, f"sha256={digest('a secret of somebody else', request.body)}",
        )  # fmt: skip
        return [
            *(replace(request, headers={**request.headers, "x-hub-signature-256": one}) for one in broken),
            replace(request, method="GET"),
        ]
