"""The hub's own channel (Chats API) against the stand-in: messages, chats, what they hang on, refusals."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
import responses

from hub.errors import AuthFailed, Gone, Refused, Retry
from hub.model import Action
from hub.testing import build
from plugins.amocrm.chats import signature
from plugins.amocrm.connector import AmoCrm
from tests.plugins.amocrm.conftest import BASE, PERSON

CALLBACK = "https://hub.example.com/in/amo"


def test_the_vectors_of_the_signature(recorded: Any) -> None:
    given = recorded("amojo-signature.vectors.json")["request"]
    made = signature(given["secret"], given["method"], given["content_md5"], given["date"], given["path"])
    assert made == given["x_signature"]


def test_messages_of_every_direction(account: Any) -> None:
    base = {"conversation": "insta-17", "text": "hi", "client": "anna", "name": "Анна"}
    first = account.do("message.send", base, marker="m1")
    account.do("message.send", {**base, "text": "", "media": "https://x/p.jpg", "type": "picture"}, marker="m2")
    account.do("message.send", {**base, "by": "3000002", "text": "answer"}, marker="m3")
    account.do("message.edit", {**base, "msgid": "m1", "text": "hello"})
    rows = account.sandbox.amojo.messages
    assert [(one["ref_id"], one["text"], one["from"]) for one in rows] == [
        ("m1", "hello", "client"), ("m2", "", "client"), ("m3", "answer", "account"),
    ]  # fmt: skip
    assert account.do("chat.history", {"chat": first.result["chat"]}).result["count"] == 3
    contact = account.contact()
    account.do("chat.link", {"chat": first.result["chat"], "contact": str(contact)})
    assert account.sandbox.world.chats["insta-17"]["contact"] == contact
    account.do("message.react", {"conversation": "insta-17", "message": first.id, "emoji": "👍"})
    account.do("message.typing", {"conversation": "insta-17"})


@pytest.mark.parametrize(
    ("name", "values", "words"),
    [
        ("message.send", {"conversation": "c"}, "needs `text` or `media`"),
        ("message.send", {"text": "x"}, "needs `conversation`"),
        ("message.send", {"conversation": "c", "type": "poem", "text": "x"}, "type is one of"),
        ("message.status", {"message": "m", "status": "eaten"}, "delivered, read or error"),
        ("message.status", {"message": "../x", "status": "read"}, "is no id"),
    ],
)
def test_what_cant_be(account: Any, name: Any, values: Any, words: Any) -> None:
    with pytest.raises(Refused, match=words):
        account.do(name, values)


def test_a_wrong_secret_and_a_channel_that_isnt_connected(accounts: Any) -> None:
    account = accounts()
    with pytest.raises(Refused, match="connects the channel"):
        account.do("message.send", {"conversation": "c", "text": "x"}, marker="m")
    account.connector.settings["chats"]["secret"] = "another"
    with pytest.raises(AuthFailed, match="signature isn't accepted"):
        account.connector.connect(CALLBACK)


def test_without_a_channel() -> None:
    connector = build(AmoCrm, {"base_url": BASE, "token": "t"})
    with pytest.raises(Refused, match="support registers one"):
        connector.perform(Action("message.send", "message", "send", {"conversation": "c", "text": "x"}))


def test_the_status_has_both_of_its_names() -> None:
    """The reference says status_code, a public client delivery_status."""
    chats = {"channel_id": "c", "secret": "s3cret", "account": "a"}
    connector = build(AmoCrm, {"base_url": BASE, "token": "t", "chats": chats})
    with responses.RequestsMock() as web:
        web.post("https://amojo.amocrm.ru/v2/origin/custom/c_a/m/delivery_status", status=200)
        action = Action("message.status", "message", "status", {"message": "m", "status": "error"})
        connector.perform(action)
        body = orjson.loads(web.calls[0].request.body)
    assert body["status_code"] == body["delivery_status"] == -1
    assert body["error_code"] == 905


def test_a_chat_is_opened_before_anybody_wrote(account: Any) -> None:
    """The same conversation again is the same chat; without one named, the marker is its name."""
    values = {"conversation": "insta-17", "client": "anna", "name": "Анна", "phone": "+79161112233"}
    made = account.do("chat.create", values)
    chat = account.sandbox.world.chats["insta-17"]
    assert (made.id, made.result["conversation"]) == (chat["id"], "insta-17")
    assert (chat["client_id"], chat["name"], chat["profile"]) == ("anna", "Анна", {"phone": "+79161112233"})
    assert account.do("chat.create", values).id == made.id
    other = account.do("chat.create", person=PERSON, marker="hub-3")
    assert (other.result["conversation"], account.sandbox.world.chats["hub-3"]["name"]) == ("hub-3", "Анна Петрова")
    account.do("message.send", {**values, "text": "Здравствуйте"}, marker="m1")
    assert [one["chat"] for one in account.sandbox.amojo.messages] == [made.id]
    assert len(account.sandbox.world.chats) == 2
    account.fault("gateway", "POST amojo", times=1)
    with pytest.raises(Retry):  # a chat opened twice is one: nothing to be uncertain of
        account.do("chat.create", values)


def test_a_chat_is_linked_to_its_contact(account: Any) -> None:
    chat, contact = account.do("chat.create", {"conversation": "insta-17"}).id, account.contact()
    done = account.do("chat.link", {"chat": chat, "contact": str(contact)})
    assert done.result == {"id": chat, "contact": str(contact)}
    assert account.sandbox.world.chats["insta-17"]["contact"] == contact
    for values, error, words in (
        ({"chat": chat, "contact": "5"}, Gone, "no such record"),
        ({"chat": "unknown", "contact": str(contact)}, Gone, "no such record"),
        ({"chat": chat, "contact": "Анна"}, Refused, "is no id"),
    ):
        with pytest.raises(error, match=words):
            account.do("chat.link", values)
    assert account.sandbox.world.chats["insta-17"]["contact"] == contact


def test_a_chats_history_is_what_both_sides_said(account: Any) -> None:
    chat = account.do("chat.create", {"conversation": "insta-17", "client": "anna", "name": "Анна"}).id
    assert account.do("chat.history", {"chat": chat}).result == {"rows": [], "count": 0}  # 204
    account.do("message.send", {"conversation": "insta-17", "text": "Сколько?", "client": "anna"}, marker="m1")
    account.do("message.send", {"conversation": "insta-17", "text": "900", "by": "3000002"}, marker="m2")
    told = account.do("chat.history", {"chat": chat}).result
    assert ([(row["text"], row["from"]) for row in told["rows"]], told["count"]) == (
        [("Сколько?", "client"), ("900", "account")], 2,
    )  # fmt: skip
    assert account.do("chat.history", {"chat": chat}, limit=1).result["count"] == 1
    with pytest.raises(Refused, match="is no id"):
        account.do("chat.history", {"chat": "../../x"})
