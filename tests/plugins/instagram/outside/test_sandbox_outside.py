"""Clients nobody here wrote, driven against the stand-in: Meta's own SDK, a second Python client, one in JavaScript."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from typing import Any

import pytest

from plugins.instagram.sandbox import ACCOUNT, CLIENT, POST, InstagramSandbox
from plugins.instagram.sandbox.world import SECOND_CLIENT, STRANGER
from plugins.meta.sandbox import APP_ID, APP_SECRET, SHORT
from tests.outside import Drive

pytestmark = pytest.mark.outside
NOW = dt.datetime(2026, 3, 4, 12, tzinfo=dt.UTC)


class Stand:
    """A stand-in with a client who has written and a comment."""

    def __init__(self, login: str = "instagram") -> None:
        self.moment = NOW - dt.timedelta(days=3)
        self.sandbox = InstagramSandbox(login, clock=lambda: self.moment)
        self.running = self.sandbox.start()
        self.settings = {
            "url": self.running.url, "app_id": APP_ID, "app_secret": APP_SECRET, "account": ACCOUNT,
            "token": self.sandbox.access[ACCOUNT], "old": self.sandbox.access[ACCOUNT], "person": CLIENT,
            "stranger": STRANGER, "blocked": SECOND_CLIENT, "media": POST,
        }  # fmt: skip
        self.moment = NOW
        self.settings["short"] = self.sandbox.issue(ACCOUNT, "short", SHORT)
        self.sandbox.write(CLIENT, "How much?")
        self.sandbox.write(SECOND_CLIENT, "Hi")
        self.sandbox.world.blocked.add(SECOND_CLIENT)
        self.settings["comment"] = self.sandbox.comment(CLIENT, "Price?")

    def sent(self) -> list[dict[str, Any]]:
        chats = self.sandbox.world.chats.values()
        return [row for chat in chats for row in chat.messages if row["from"] == ACCOUNT]


@pytest.fixture
def stand() -> Iterator[Stand]:
    made = Stand()
    yield made
    made.running.stop()


@pytest.fixture
def page() -> Iterator[Stand]:
    made = Stand("facebook")
    yield made
    made.running.stop()


def test_metas_own_sdk(drive: Drive, stand: Stand) -> None:
    told = drive("facebook-business", stand.settings)
    assert told["me"]["username"] == "fake.shop"
    assert [row["text"] for row in stand.sent()] == ["Вітаємо!", "500"]
    assert told["sent"]["message_id"] == stand.sent()[0]["id"]
    assert told["private"]["recipient_id"] == CLIENT
    assert told["too_long"] == [400, 100, None]
    assert told["stranger"] == [400, 100, 2534014]
    assert told["twice"] == [400, 10, 2534025]
    assert (told["conversations"], told["media"], told["comments"]) == (2, [POST], ["Price?"])
    assert (told["reply"], told["replies"], told["hidden"]) == (True, ["We wrote to you"], True)
    assert told["gone"] == [400, 100, 33]
    assert stand.sandbox.world.subscribed == {ACCOUNT: ["comments", "messages"]}


def test_python_facebook_api(drive: Drive, stand: Stand) -> None:
    told = drive("python-facebook-api", stand.settings)
    assert told["me"] == {"id": "102000000000001", "user_id": ACCOUNT, "username": "fake.shop"}
    assert told["profile"]["username"] == "olena.fake"
    assert told["messages"] == ["How much?"] or told["messages"] == ["Hi"]
    assert [row["text"] for row in stand.sent()] == ["Form-encoded"]
    assert told["unknown"] == [100, 33]
    assert told["long"]["expires_in"] == told["refreshed"]["expires_in"] == 5184000
    assert told["long"]["access_token"] not in (stand.settings["short"], told["refreshed"]["access_token"])
    assert told["too_young"] is True


def test_messaging_api_messenger(drive: Drive, page: Stand) -> None:
    told = drive("messaging-api-messenger", page.settings)
    sent = page.sent()
    assert [row.get("text") or row["attachment"]["type"] for row in sent] == [
        "Привіт", "Shall we?", "image", "template",
    ]  # fmt: skip
    assert sent[1]["quick_replies"][0]["payload"] == "YES"
    assert told["text"]["messageId"] == sent[0]["id"]
    assert told["uploaded"]["attachmentId"] in page.sandbox.world.attachments
    assert told["profile"]["username"] == "olena.fake"
    assert [one["action"] for one in page.sandbox.world.actions] == ["typing_on", "mark_seen", "pass_thread_control"]
    assert told["blocked"] == [400, 551, 1545041]
