"""Acting against the stand-in over real HTTP: what is sent, what is refused before, what a lost answer leaves."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Any

import pytest

from hub.errors import AuthFailed, Gone, RateLimited, Refused, Retry, Uncertain
from hub.model import Event
from plugins.instagram.incoming import contact
from plugins.instagram.sandbox import ACCOUNT, CLIENT, OTHER_ACCOUNT, POST
from plugins.instagram.sandbox.world import SECOND_CLIENT, STRANGER
from tests.plugins.instagram.conftest import NOW, Shop


def comment_event(comment: str, person: str = CLIENT, at: dt.datetime = NOW, **extra: str) -> Event:
    record = {"comment": {"id": comment, "extra": {"account": ACCOUNT, **extra}}, "contact": contact(person)}
    return Event("comment.received", f"comment:{comment}", "k", record, at, connection="insta")


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


# --- private replies ----------------------------------------------------------------------------------------------


def test_a_comment_is_answered_in_the_chat_once(shop: Shop) -> None:
    comment = shop.sandbox.comment(SECOND_CLIENT, "Price?")
    done = shop.do("message.private_reply", {"text": "We wrote to you"}, comment_event(comment, SECOND_CLIENT))
    [row] = shop.sent()
    assert (row["id"], row["to"], done.result["to"]) == (done.id, SECOND_CLIENT, SECOND_CLIENT)
    with pytest.raises(Refused, match="has had its private reply already"):
        shop.do("message.private_reply", {"text": "Again"}, comment_event(comment, SECOND_CLIENT))


def test_a_doubtful_private_reply_is_found_or_known_by_the_refusal_of_a_second(shop: Shop) -> None:
    comment = shop.sandbox.comment(SECOND_CLIENT, "Price?")
    shop.fault("lost_reply", "messages")
    with pytest.raises(Uncertain):
        shop.do("message.private_reply", {"text": "500"}, comment_event(comment, SECOND_CLIENT))
    found = shop.do("message.private_reply", {"text": "500"}, comment_event(comment, SECOND_CLIENT), in_doubt_since=NOW)
    assert [row["id"] for row in shop.sent()] == [found.id]
    unknown = shop.do("message.private_reply", {"comment": comment, "text": "500"}, in_doubt_since=NOW)
    assert unknown.result == {"comment": comment, "to": ""}
    assert len(shop.sent()) == 1


def test_an_old_comment_is_not_answered_in_private(shop: Shop) -> None:
    comment = shop.sandbox.comment(SECOND_CLIENT, "Price?")
    old = comment_event(comment, SECOND_CLIENT, NOW - dt.timedelta(days=8))
    with pytest.raises(Refused, match="8 days old: a private reply is possible for 7 days"):
        shop.do("message.private_reply", {"text": "Hello"}, old)
    assert shop.sandbox.calls == {}


# --- one effect ---------------------------------------------------------------------------------------------------


def test_a_lost_answer_is_found_by_its_echo(shop: Shop) -> None:
    shop.fault("lost_reply", "messages")
    with pytest.raises(Uncertain):
        shop.do("message.send", {"to": CLIENT, "text": "Hello"})
    mid = shop.sent()[0]["id"]
    shop.heard(CLIENT, ago=0, type="message.sent", text="Hello", to=CLIENT)
    shop.memory.told[-1].record["message"]["id"] = mid
    shop.sandbox.calls.clear()
    done = shop.do("message.send", {"to": CLIENT, "text": "Hello"}, in_doubt_since=NOW)
    assert done.id == mid
    assert shop.sandbox.calls == {}
    assert len(shop.sent()) == 1


@pytest.mark.parametrize("fault", ["lost_reply", "sent_but_error"])
def test_without_an_echo_the_chat_is_looked_into(shop: Shop, fault: str) -> None:
    shop.fault(fault, "messages")
    with pytest.raises(Uncertain):
        shop.do("message.send", {"to": CLIENT, "text": "Hello"})
    done = shop.do("message.send", {"to": CLIENT, "text": "Hello"}, in_doubt_since=NOW)
    assert [row["id"] for row in shop.sent()] == [done.id]


def test_what_surely_was_not_sent_is_sent(shop: Shop) -> None:
    shop.sandbox.by_hand(CLIENT, "Hello")  # the same words of a colleague, long before
    shop.pass_(minutes=10)
    shop.fault("outage", "messages")
    with pytest.raises(Uncertain):
        shop.do("message.send", {"to": CLIENT, "text": "Hello"})
    shop.do("message.send", {"to": CLIENT, "text": "Hello"}, in_doubt_since=shop.moment)
    assert len(shop.sent()) == 2


def test_a_doubt_stays_one_while_instagram_cannot_be_asked(shop: Shop) -> None:
    shop.fault("temporary", "conversations")
    with pytest.raises(Uncertain, match="can't be seen yet"):
        shop.do("message.send", {"to": CLIENT, "text": "Hello"}, in_doubt_since=NOW)
    assert shop.sent() == []


def test_a_doubtful_file_is_known_by_the_file_in_the_chat(shop: Shop) -> None:
    values = {"to": CLIENT, "image": "https://example.com/a.png"}
    shop.fault("lost_reply", "messages")
    with pytest.raises(Uncertain):
        shop.do("message.send", values)
    shop.do("message.send", values, in_doubt_since=NOW)
    assert len(shop.sent()) == 1


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        ("rate_limit", RateLimited),
        ("app_limit", RateLimited),
        ("temporary", Retry),
        ("unknown_error", Uncertain),
        ("outage", Uncertain),
        ("503", Uncertain),
        ("html", Uncertain),
        ("expired_token", AuthFailed),
        ("spam", AuthFailed),
        ("permission", Refused),
    ],
)
def test_faults_of_a_send(shop: Shop, fault: str, error: type[Exception]) -> None:
    shop.fault(fault, "messages")
    with pytest.raises(error) as caught:
        shop.do("message.send", {"to": CLIENT, "text": "Hello"})
    assert type(caught.value) is error or (error is AuthFailed and isinstance(caught.value, AuthFailed))
    assert not [secret for secret in shop.settings.values() if len(secret) > 20 and secret in str(caught.value)
                and not secret.startswith("http")]  # fmt: skip


def test_a_used_up_share_stops_calls_before_they_prolong_it(shop: Shop) -> None:
    shop.fault("rate_limit", "messages")
    with pytest.raises(RateLimited) as caught:
        shop.do("message.send", {"to": CLIENT, "text": "Hello"})
    assert caught.value.after == 60.0
    shop.sandbox.calls.clear()
    with pytest.raises(RateLimited, match="100 % used up"):
        shop.do("message.send", {"to": CLIENT, "text": "Hello"})
    assert shop.sandbox.calls == {}


def test_optional_calls_leave_the_last_fifth_to_messages(shop: Shop) -> None:
    shop.sandbox.usage = {"percent": 85, "minutes": 0}
    shop.do("message.send", {"to": CLIENT, "text": "Hello"})
    with pytest.raises(RateLimited, match="85 % used up"):
        shop.do("contact.get", {"id": CLIENT})
    shop.do("message.send", {"to": CLIENT, "text": "Hello again"})
    assert len(shop.sent()) == 2


@pytest.mark.parametrize(
    ("person", "words"), [(STRANGER, "no such person for this account"), (SECOND_CLIENT, "doesn't receive messages")]
)
def test_people_who_cannot_be_written_to(shop: Shop, person: str, words: str) -> None:
    shop.sandbox.write(SECOND_CLIENT, "Hi")
    shop.sandbox.world.blocked.add(SECOND_CLIENT)
    with pytest.raises(Refused, match=words):
        shop.do("message.send", {"to": person, "text": "Hello"})


# --- comments -----------------------------------------------------------------------------------------------------


def test_a_comment_is_answered_hidden_shown_and_deleted(shop: Shop) -> None:
    comment = shop.sandbox.comment(CLIENT, "How much?")
    event = comment_event(comment)
    done = shop.do("comment.reply", {"text": "500"}, event)
    assert shop.sandbox.world.comments[done.id]["text"] == "500"
    shop.do("comment.hide", {}, event)
    assert shop.sandbox.world.comments[comment]["hidden"] is True
    shop.do("comment.unhide", {"comment": comment})
    read = shop.do("comment.get", {"comment": comment}).result
    assert (read["text"], read["by"], read["extra"]["hidden"]) == ("How much?", CLIENT, False)
    assert [row["id"] for row in shop.do("comment.list", {"media": POST}).result["rows"]] == [comment]
    shop.do("comment.delete", {}, event)
    assert comment not in shop.sandbox.world.comments
    with pytest.raises(Gone):
        shop.do("comment.delete", {}, event)
    assert shop.do("comment.delete", {}, event, in_doubt_since=NOW).id == comment


def test_a_doubtful_answer_to_a_comment_is_looked_for(shop: Shop) -> None:
    event = comment_event(shop.sandbox.comment(CLIENT, "How much?"))
    shop.fault("lost_reply", "replies")
    with pytest.raises(Uncertain):
        shop.do("comment.reply", {"text": "500"}, event)
    done = shop.do("comment.reply", {"text": "500"}, event, in_doubt_since=NOW)
    answers = [one for one in shop.sandbox.world.comments.values() if one["parent"]]
    assert [one["id"] for one in answers] == [done.id]


def test_an_answer_below_an_answer_is_looked_for_on_the_topmost_comment(shop: Shop) -> None:
    top = shop.sandbox.comment(CLIENT, "How much?")
    event = comment_event(shop.sandbox.comment(SECOND_CLIENT, "Me too", parent=top), SECOND_CLIENT)
    shop.fault("lost_reply", "replies")
    with pytest.raises(Uncertain):
        shop.do("comment.reply", {"text": "500"}, event)
    shop.do("comment.reply", {"text": "500"}, event, in_doubt_since=NOW)
    assert len([one for one in shop.sandbox.world.comments.values() if one["text"] == "500"]) == 1


def test_a_mention_is_answered_where_it_stands(shop: Shop) -> None:
    event = comment_event("17900000000000777", mention="yes", media_id="17910000000000001")
    assert shop.do("comment.reply", {"text": "Thank you"}, event).id
    assert list(shop.sandbox.calls) == [f"POST {ACCOUNT}/mentions"]
    with pytest.raises(Refused, match="see for yourself"):
        shop.do("comment.reply", {"text": "Thank you"}, event, in_doubt_since=NOW)


@pytest.mark.parametrize(("comment", "told"), [("17900000000000777", {"comment_id": "17900000000000777"}), ("", {})])
def test_whoever_names_us_is_answered_without_an_event(shop: Shop, comment: str, told: dict[str, str]) -> None:
    values = {"media": "17910000000000001", "comment": comment, "text": "Thank you"}
    done = shop.do("mention.reply", values)
    [answer] = shop.sandbox.world.mentions
    assert (answer["id"], answer["message"], answer["media_id"]) == (done.id, "Thank you", "17910000000000001")
    assert {name: answer[name] for name in ("comment_id",) if answer.get(name)} == told
    with pytest.raises(Refused, match="see for yourself"):
        shop.do("mention.reply", values, in_doubt_since=NOW)
    with pytest.raises(Refused, match="needs `media`"):
        shop.do("mention.reply", {"text": "Thank you"})


def test_comments_of_a_post_are_switched(shop: Shop) -> None:
    shop.do("media.forbid_comments", {"media": POST})
    assert shop.sandbox.world.media[POST]["comments_enabled"] is False
    shop.do("media.allow_comments", {"media": POST})
    assert shop.sandbox.world.media[POST]["comments_enabled"] is True


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
