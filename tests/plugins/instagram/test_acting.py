"""Acting against the stand-in over real HTTP: what is sent, and what is refused before."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from hub.errors import Refused
from hub.model import Event
from plugins.instagram.incoming import contact
from plugins.instagram.sandbox import ACCOUNT, CLIENT, OTHER_ACCOUNT, POST
from plugins.instagram.sandbox.world import SECOND_CLIENT, STRANGER
from tests.plugins.instagram.conftest import NOW, Shop, comment_event

# --- sending ------------------------------------------------------------------------------------------------------


def test_a_text_reaches_the_client(shop: Shop) -> None:
    done = shop.do("message.send", {"to": CLIENT, "text": "Доброго дня, 500 грн"})
    [row] = shop.sent()
    assert (row["id"], row["text"], row["to"]) == (done.id, "Доброго дня, 500 грн", CLIENT)
    assert done.written == {"text": "Доброго дня, 500 грн"}
    assert done.result == {"id": done.id, "text": "Доброго дня, 500 грн", "to": CLIENT}


def test_an_answer_goes_to_whoever_wrote(shop: Shop) -> None:
    event = shop.heard(CLIENT)
    done = shop.do("message.send", {"text": "Hello"}, event)
    assert shop.sent()[0]["to"] == CLIENT
    assert done.links == [("message", done.id)]


def test_the_person_of_another_channel_is_written_to_by_their_handle(shop: Shop) -> None:
    event = Event("deal.stage_changed", "deal:5", "k", {"contact": contact(CLIENT)}, connection="crm")
    done = shop.do("message.send", {"text": "Ready"}, event)
    assert shop.sent()[0]["to"] == CLIENT
    assert done.links == []


@pytest.mark.parametrize(
    ("values", "sent"),
    [
        ({"image": "https://example.com/a.png"}, {"type": "image", "payload": {"url": "https://example.com/a.png"}}),
        ({"file": "https://example.com/a.pdf"}, {"type": "file", "payload": {"url": "https://example.com/a.pdf"}}),
        ({"heart": "yes"}, {"type": "like_heart"}),
        ({"post": POST}, {"type": "MEDIA_SHARE", "payload": {"id": POST}}),
        (
            {"template": '{"template_type": "button", "text": "?", "buttons": []}'},
            {"type": "template", "payload": {"template_type": "button", "text": "?", "buttons": []}},
        ),
    ],
)
def test_what_else_can_be_sent(shop: Shop, values: dict[str, Any], sent: dict[str, Any]) -> None:
    done = shop.do("message.send", {"to": CLIENT, **values})
    assert shop.sent()[0]["attachment"] == sent
    assert done.written == {"attachment": sent["type"]}


def test_an_upload_is_sent_by_its_id(shop: Shop) -> None:
    uploaded = shop.do("attachment.upload", {"video": "https://example.com/a.mp4"})
    shop.do("message.send", {"to": CLIENT, "attachment_id": uploaded.id, "attachment_type": "video"})
    assert shop.sent()[0]["attachment"] == {"type": "video", "payload": {"attachment_id": uploaded.id}}


@pytest.mark.parametrize(
    "given",
    [["Yes", "No"], "Yes, No", '["Yes", "No"]', {"Yes": "Yes", "No": "No"}],
    ids=["list", "text", "json", "map"],
)
def test_quick_replies_in_every_spelling(shop: Shop, given: Any) -> None:
    shop.do("message.send", {"to": CLIENT, "text": "Shall we?", "quick_replies": given})
    assert shop.sent()[0]["quick_replies"] == [
        {"content_type": "text", "title": word, "payload": word} for word in ("Yes", "No")
    ]


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"text": "ї" * 501}, "1002 bytes, Instagram takes 1000"),
        ({"text": "  "}, "empty"),
        ({}, "set one of text"),
        ({"heart": "no"}, "set one of text"),
        ({"text": "a", "image": "https://example.com/a.png"}, "one of text, image"),
        ({"image": "http://example.com/a.png"}, "https address"),
        ({"image": "a.png"}, "https address"),
        ({"text": "a", "quick_replies": ["a title of more than twenty"]}, "1 to 20 characters"),
        ({"text": "a", "quick_replies": [str(n) for n in range(14)]}, "1 to 13 quick replies"),
        ({"heart": "yes", "quick_replies": ["a"]}, "go with a text"),
        ({"template": "not json"}, "must be a mapping"),
        ({"attachment_id": "1", "attachment_type": "gif"}, "attachment_type is one of"),
        ({"to": "olena.fake", "text": "a"}, "a username can't be written to"),
        ({"to": "", "text": "a"}, r"to: person\.insta\.contact"),
    ],
)
def test_what_cannot_be_sent_is_told_before_anybody_is_asked(shop: Shop, values: dict[str, Any], words: str) -> None:
    with pytest.raises(Refused, match=words):
        shop.do("message.send", {"to": CLIENT, **values})
    assert shop.sandbox.calls == {}


# --- the 24 hours -------------------------------------------------------------------------------------------------


def test_within_a_day_nothing_is_asked(shop: Shop) -> None:
    shop.heard(CLIENT, ago=23.9)
    shop.do("message.send", {"to": CLIENT, "text": "Hello"})
    assert list(shop.sandbox.calls) == [f"POST {ACCOUNT}/messages"]


@pytest.mark.parametrize(
    ("ago", "values", "words"),
    [
        (25.0, {}, "last wrote 25 hours ago: after 24 hours only a person may answer"),
        (25.0, {"human_agent": "yes"}, "needs the app's Human Agent feature"),
        (24 * 8, {"human_agent": "yes"}, "last wrote 8 days ago: Instagram takes nothing after 7 days"),
    ],
)
def test_a_closed_window_is_told_in_words(shop: Shop, ago: float, values: dict[str, str], words: str) -> None:
    shop.heard(CLIENT, ago=ago)
    with pytest.raises(Refused, match=words):
        shop.do("message.send", {"to": CLIENT, "text": "Hello", **values})
    assert shop.sandbox.calls == {}


@pytest.mark.parametrize(
    ("login", "expected"),
    [("instagram", {"tag": "HUMAN_AGENT"}), ("facebook", {"tag": "HUMAN_AGENT", "messaging_type": "MESSAGE_TAG"})],
)
def test_a_person_may_answer_for_seven_days(shops: Callable[..., Shop], login: str, expected: dict[str, str]) -> None:
    shop = shops(login, human_agent="yes")
    shop.sandbox.write(CLIENT, "How much?")
    shop.pass_(hours=30)
    shop.heard(CLIENT, ago=30)
    bodies = watched(shop)
    shop.do("message.send", {"to": CLIENT, "text": "Sorry for the delay", "human_agent": "yes"})
    assert {name: bodies[0].get(name) for name in expected} == expected
    assert len(shop.sent()) == 1


def test_without_a_memory_instagram_decides_and_a_person_gets_a_second_chance(shops: Callable[..., Shop]) -> None:
    shop = shops(human_agent="yes")
    shop.sandbox.write(CLIENT, "How much?")
    shop.pass_(hours=30)
    with pytest.raises(Refused, match="use another channel") as caught:
        shop.do("message.send", {"to": CLIENT, "text": "Hello"})
    assert caught.value.vendor_code == "10/2534022"
    bodies = watched(shop)
    shop.do("message.send", {"to": CLIENT, "text": "Hello", "human_agent": "yes"})
    assert [body.get("tag") for body in bodies] == [None, "HUMAN_AGENT"]


def test_the_event_at_hand_opens_the_window_even_if_the_memory_is_old(shop: Shop) -> None:
    shop.heard(CLIENT, ago=24 * 30)
    event = shop.heard(CLIENT, ago=0.1)
    shop.memory.told.pop()
    shop.do("message.send", {"text": "Hello"}, event)
    assert len(shop.sent()) == 1


def test_what_another_person_wrote_opens_no_window(shop: Shop) -> None:
    shop.heard(CLIENT, ago=48)
    event = shop.heard(SECOND_CLIENT, ago=0.1)
    with pytest.raises(Refused, match="last wrote 2 days ago"):
        shop.do("message.send", {"to": CLIENT, "text": "Hello"}, event)


def watched(shop: Shop) -> list[dict[str, Any]]:
    """Keep the bodies of what is sent from now on."""
    bodies: list[dict[str, Any]] = []
    client, original = shop.connector._client, shop.connector._client.send

    def send(account: Any, body: dict[str, Any]) -> dict[str, Any]:
        bodies.append(dict(body))
        return original(account, body)

    client.send = send  # type: ignore[method-assign]
    return bodies


def test_who_only_commented_is_answered_by_a_private_reply(shop: Shop) -> None:
    event = comment_event(shop.sandbox.comment(STRANGER, "Price?"), STRANGER)
    with pytest.raises(Refused, match=r"no such person.*answered in the chat by message\.private_reply"):
        shop.do("message.send", {"text": "500"}, event)


# --- the rest -----------------------------------------------------------------------------------------------------


def test_what_is_shown_in_the_chat(shop: Shop) -> None:
    event = shop.heard(CLIENT)
    event.record["message"]["id"] = "mid-1"
    for name, values in (("message.react", {}), ("message.unreact", {}), ("message.typing", {"on": "no"}),
                         ("message.mark_seen", {})):  # fmt: skip
        shop.do(name, values, event)
    assert [(one["action"], one["payload"]) for one in shop.sandbox.world.actions] == [
        ("react", {"message_id": "mid-1", "reaction": "love"}), ("unreact", {"message_id": "mid-1"}),
        ("typing_off", None), ("mark_seen", None),
    ]  # fmt: skip


def test_a_name_is_taken_as_it_is_seen(shop: Shop) -> None:
    shop.sandbox.world.people[CLIENT]["name"] = "Олена\u202e\u200b Коваль"
    assert shop.connector.get("contact", CLIENT)["name"] == "Олена Коваль"


def test_a_profile_and_a_chat_are_read(shop: Shop) -> None:
    found = shop.do("contact.get", {}, shop.heard(CLIENT)).result
    assert (found["name"], found["handle"], found["handles"]) == ("Олена Коваль", "olena.fake", {"instagram": CLIENT})
    shop.do("message.send", {"to": CLIENT, "text": "Hello"})
    rows = shop.do("message.list", {"to": CLIENT}).result["rows"]
    assert [(row["text"], row["from"]) for row in rows] == [("How much?", CLIENT), ("Hello", ACCOUNT)]
    with pytest.raises(Refused, match="consent"):
        shop.do("contact.get", {"id": STRANGER})


def test_a_chat_whose_list_names_ids_alone_is_read_message_by_message(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("plugins.instagram.sandbox.objects._TOP", __import__("re").compile(r"(never)(a)(b)"))
    assert [row["text"] for row in shop.do("message.list", {"to": CLIENT}).result["rows"]] == ["How much?"]


def test_any_other_call(shop: Shop) -> None:
    rows = shop.do("api", {"fields": "id"}, method="GET me/media").result["data"]
    assert rows == [{"id": POST}]
    shop.do("api", {"ice_breakers": []}, method="POST me/messenger_profile")
    for method in ("media", "PUT me/media", "GET https://evil.example/x?y", ""):
        with pytest.raises(Refused, match="reads like"):
            shop.do("api", {}, method=method)


def test_threads_are_handed_over(shop: Shop) -> None:
    shop.do("thread.pass", {"to": CLIENT, "app": "263902037430900"})
    shop.do("thread.take", {"to": CLIENT})
    assert [one["action"] for one in shop.sandbox.world.actions] == ["pass_thread_control", "take_thread_control"]


def test_each_account_speaks_with_its_own_token(shops: Callable[..., Shop]) -> None:
    shop = shops()
    tokens = dict(shop.sandbox.access)
    shop.connect(access_token=None, account_id=None, accounts=tokens)
    shop.sandbox.write(CLIENT, "Hi", OTHER_ACCOUNT)
    event = shop.heard(CLIENT)
    event.record["message"]["extra"] = {"account": OTHER_ACCOUNT}
    shop.do("message.send", {"text": "Hello"}, event)
    assert list(shop.sandbox.calls) == [f"POST {OTHER_ACCOUNT}/messages"]
    with pytest.raises(Refused, match=f"Set `account` to one of {ACCOUNT}, {OTHER_ACCOUNT}"):
        shop.do("message.send", {"to": CLIENT, "text": "Hello"})
    with pytest.raises(Refused, match="isn't one of this connection"):
        shop.do("message.send", {"to": CLIENT, "text": "Hello", "account": "17841400000000009"})


def test_facebook_login_speaks_for_the_page(shops: Callable[..., Shop]) -> None:
    shop = shops("facebook")
    shop.sandbox.write(CLIENT, "Hi")
    shop.do("message.send", {"to": CLIENT, "text": "Hello"})
    assert list(shop.sandbox.calls) == ["POST me/messages"]


def test_no_action_costs_more_calls_than_declared(shop: Shop) -> None:
    comment = shop.sandbox.comment(CLIENT, "How much?")
    for name, values in (
        ("message.send", {"to": CLIENT, "text": "a"}), ("comment.reply", {"comment": comment, "text": "a"}),
        ("message.private_reply", {"comment": comment, "text": "a"}), ("message.list", {"to": CLIENT}),
    ):  # fmt: skip
        shop.sandbox.calls.clear()
        shop.do(name, values, in_doubt_since=NOW)
        assert sum(shop.sandbox.calls.values()) <= shop.connector.action(name).cost, name


def test_an_unknown_action_is_refused(shop: Shop) -> None:
    with pytest.raises(Refused, match="no action"):
        shop.do("message.shout", {"to": CLIENT})
