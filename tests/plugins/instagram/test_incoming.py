"""What each webhook means: who, to whom, what, from where; and what none of them may do."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

import orjson
import pytest

from hub.errors import Rejected
from hub.model import Event, Receipt, Request
from hub.testing import build
from hub.testing.wellformed import problems
from plugins.instagram.connector import Instagram

SAMPLES = Path(__file__).parent / "samples"
AT = dt.datetime(2026, 3, 4, 12, tzinfo=dt.UTC)
ACCOUNT, CLIENT = "17841400000000001", "1000000000000001"
LEAST = {"app_secret": "s3cret-of-the-app", "verify_token": "a-word-of-ours"}
LINK = "https://lookaside.fbsbx.com/ig_messaging_cdn/?asset_id=18000000000000001&signature=FAKE_SIGNATURE"


def parse(body: Any, method: str = "POST", **settings: Any) -> list[Event]:
    connector = build(Instagram, {**LEAST, **settings}, name="insta")
    raw = body if isinstance(body, bytes) else orjson.dumps(body)
    events = connector.parse(Receipt(1, "insta", "k", Request(method, "/in/insta", body=raw, at=AT), AT))
    assert problems(connector, events) == []
    return events


def sample(name: str, **settings: Any) -> Event:
    [event] = parse((SAMPLES / f"{name}.webhook.json").read_bytes(), **settings)
    return event


def element(value: dict[str, Any], account: str = ACCOUNT, **more: Any) -> dict[str, Any]:
    whole = {"sender": {"id": CLIENT}, "recipient": {"id": ACCOUNT}, "timestamp": 1761287294014, **value}
    return {"object": "instagram", "entry": [{"id": account, "time": 1761287298065, "messaging": [whole], **more}]}


# --- messages -----------------------------------------------------------------------------------------------------


def test_a_text() -> None:
    event = sample("messages-text")
    message = event.record["message"]
    assert (event.type, event.subject, event.key) == (
        "message.received",
        "message:aWdfFAKE0001",
        "message:aWdfFAKE0001",
    )
    assert event.occurred_at == dt.datetime(2025, 10, 24, 6, 28, 14, 14000, tzinfo=dt.UTC)
    assert (message["from"], message["to"], message["extra"]) == (CLIENT, ACCOUNT, {"account": ACCOUNT})
    assert event.record["contact"] == {"id": CLIENT, "handle": CLIENT, "handles": {"instagram": CLIENT}}
    assert (event.channel, event.by, event.text) == ("instagram", CLIENT, message["text"])
    assert event.incomplete is False


def test_a_batch_of_two_accounts_goes_to_each_its_own() -> None:
    events = parse((SAMPLES / "batch-several-entries.webhook.json").read_bytes())
    assert [(event.text, event.record["message"]["extra"]["account"]) for event in events] == [
        ("first", ACCOUNT), ("second", ACCOUNT), ("third", "17841400000000002"),
    ]  # fmt: skip


def test_what_others_get_is_put_aside_without_its_content() -> None:
    events = parse((SAMPLES / "batch-several-entries.webhook.json").read_bytes(), account_id=ACCOUNT)
    assert [event.type for event in events] == ["message.received"] * 2 + ["vendor.other_account"]
    assert events[-1].record == {"vendor": {"extra": {"account": "17841400000000002"}}}


@pytest.mark.parametrize(
    ("name", "files", "words"),
    [
        ("messages-image-attachment", [{"type": "image", "url": LINK}], f"image: {LINK}"),
        ("messages-story-mention", [{"type": "story_mention", "url": LINK}], f"mentioned you in a story: {LINK}"),
        ("messages-ig-story-attachment", [{"type": "ig_story", "url": LINK, "id": "18000000000000001"}],
         f"shared story: {LINK}"),
        ("messages-share-legacy",
         [{"type": "share", "url": LINK, "id": "18100000000000001", "title": "Fake caption"}],
         f"shared post: Fake caption: {LINK}"),
        ("messages-share-twice",
         [{"type": "share", "url": LINK, "id": "18100000000000001", "title": "Fake caption"}],
         f"shared post: Fake caption: {LINK}"),
        ("messages-unsupported", [], "something that Instagram doesn't hand over: look into the chat"),
    ],
)  # fmt: skip
def test_files(name: str, files: list[dict[str, str]], words: str) -> None:
    event = sample(name)
    assert event.record["message"]["files"] == files
    assert (event.record["message"]["text"], event.text) == ("", words)


@pytest.mark.parametrize(
    ("kind", "payload", "file"),
    [
        ("video", {"url": LINK}, {"type": "video", "url": LINK}),
        ("audio", {"url": LINK}, {"type": "audio", "url": LINK}),
        ("file", {"url": LINK}, {"type": "file", "url": LINK}),
        ("ig_reel", {"url": LINK, "title": "t", "reel_video_id": "7"},
         {"type": "ig_reel", "url": LINK, "id": "7", "title": "t"}),
        ("reel", {"url": LINK, "video_id": 7}, {"type": "reel", "url": LINK, "id": "7"}),
        ("template", {"generic": {}}, {"type": "template"}),
        ("unsupported_type", None, {"type": "unsupported_type"}),
        ("something_new", {"url": LINK}, {"type": "something_new", "url": LINK}),
    ],
)  # fmt: skip
def test_every_kind_of_attachment(kind: str, payload: Any, file: dict[str, str]) -> None:
    [event] = parse(element({"message": {"mid": "m", "attachments": [{"type": kind, "payload": payload}]}}))
    assert event.record["message"]["files"] == [file]
    assert event.text


def test_two_images_are_two_files() -> None:
    rows = [{"type": "image", "payload": {"url": f"{LINK}&n={n}"}} for n in (1, 2)]
    [event] = parse(element({"message": {"mid": "m", "text": "these", "attachments": rows}}))
    assert len(event.record["message"]["files"]) == 2
    assert event.text.splitlines()[0] == "these"


@pytest.mark.parametrize(
    ("name", "title", "extra"),
    [
        ("messages-story-reply", "answers your story", {"story_id": "18000000000000001", "story_url": LINK}),
        ("messages-inline-reply", "answers a message", {"reply_to": "aWdfFAKE0000"}),
        ("messages-quick-reply", "", {"payload": "summer-sale-interest"}),
        ("messages-ad-referral", "came by the ad Fake ad title",
         {"ref": "SUMMER", "ad_id": "120000000000000001", "ad_title": "Fake ad title",
          "ad_url": "https://example.com/ad.jpg", "referral_source": "ADS", "referral_type": "OPEN_THREAD"}),
        ("standby-text", "", {"standby": "yes"}),
    ],
)  # fmt: skip
def test_what_a_message_refers_to(name: str, title: str, extra: dict[str, str]) -> None:
    event = sample(name)
    assert event.title == title
    assert event.record["message"]["extra"] == {"account": ACCOUNT, **extra}


def test_an_echo_is_our_message_to_the_client_and_waits_to_be_told_apart() -> None:
    event = sample("messages-echo")
    assert (event.type, event.incomplete, event.record["contact"]["id"]) == ("message.sent", True, CLIENT)
    assert (event.record["message"]["from"], event.record["message"]["to"]) == (ACCOUNT, CLIENT)


def test_an_echo_without_its_mark_is_known_by_its_sender() -> None:
    value = {"sender": {"id": ACCOUNT}, "recipient": {"id": CLIENT}, "message": {"mid": "m", "text": "Hi"}}
    assert parse(element(value))[0].type == "message.sent"


@pytest.mark.parametrize(
    "value",
    [
        {"message": {"mid": "m", "text": "test", "is_self": True}},
        {"sender": {"id": ACCOUNT}, "message": {"mid": "m", "text": "test"}},
        {"sender": {"id": ACCOUNT}, "postback": {"mid": "m", "title": "t"}},
    ],
)
def test_our_account_to_itself_starts_no_conversation(value: dict[str, Any]) -> None:
    assert parse(element(value))[0].type == "vendor.message_self"


def test_a_deletion_names_the_message_it_takes_back() -> None:
    event = sample("messages-deleted")
    assert (event.type, event.subject) == ("message.deleted", "message:aWdfFAKE0001")
    assert event.key != sample("messages-text").key


def test_a_reaction() -> None:
    event = sample("message-reactions-react")
    assert (event.type, event.subject, event.text) == ("message.reaction", "message:aWdfFAKE0001", "❤️")
    assert event.record["message"]["extra"] == {
        "account": ACCOUNT, "action": "react", "reaction": "love", "emoji": "❤️",
    }  # fmt: skip
    taken_back = {"reaction": {"mid": "aWdfFAKE0001", "action": "unreact"}}
    [event] = parse(element(taken_back))
    assert (event.text, event.record["message"]["extra"]["action"]) == ("took a reaction back", "unreact")


def test_a_pressed_button_is_what_the_client_says() -> None:
    event = sample("messaging-postbacks")
    assert (event.type, event.text, event.title) == ("message.received", "Talk to an agent", "pressed a button")
    assert event.record["message"]["extra"]["payload"] == "CARE_HELP"
    assert event.key == "message:aWdfFAKE0001"  # as the look for lost messages would find it
    [bare] = parse(element({"postback": {"title": "Hours", "payload": "HOURS"}}))
    assert bare.subject == f"message:{CLIENT}.1761287294014"


def test_seen() -> None:
    event = sample("messaging-seen")
    assert (event.type, event.subject, event.by) == ("message.read", "message:aWdfFAKE0001", CLIENT)


def test_an_edit_has_its_number_and_may_come_first() -> None:
    event = sample("message-edit")
    assert (event.type, event.text) == ("vendor.message_edit", "How much is the red one?")
    assert event.key == "message:aWdfFAKE0001:edit:1"


def test_a_link_brings_its_reference() -> None:
    event = sample("messaging-referral")
    assert event.record["vendor"]["extra"]["ref"] == "igme-ref-1"
    assert event.record["contact"]["id"] == CLIENT


@pytest.mark.parametrize(
    "value",
    [
        {"optin": {"ref": "x"}}, {"policy-enforcement": {"action": "block"}}, {"delivery": {"mids": ["m"]}},
        {"something_new": {"a": 1}}, {"message": {"text": "without a mid"}}, {"read": {"watermark": 5}}, {},
    ],
)  # fmt: skip
def test_what_is_not_understood_is_kept(value: dict[str, Any]) -> None:
    [event] = parse(element(value))
    assert event.type.startswith("vendor.")
    assert event.record["vendor"]["extra"]["value"] == element(value)["entry"][0]["messaging"][0]


def test_the_test_button_sends_a_message() -> None:
    event = sample("dashboard-test-messages-changes", account_id=ACCOUNT)
    assert (event.type, event.text, event.record["contact"]["id"]) == ("message.received", "random_text", "12334")
    assert event.occurred_at == dt.datetime(2018, 5, 27, 22, 23, 44, tzinfo=dt.UTC)
    assert event.record["message"]["extra"]["account"] == "23245"


def test_a_message_in_the_form_of_changes_is_the_same_message() -> None:
    whole = element({"message": {"mid": "m", "text": "Hi"}})
    [value] = whole["entry"][0].pop("messaging")
    whole["entry"][0]["changes"] = [{"field": "messages", "value": value}]
    assert parse(whole)[0].key == "message:m"


# --- comments and mentions ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["comments-changes", "comments-flat-instagram-login"])
def test_a_comment_in_both_forms(name: str) -> None:
    event = sample(name)
    comment = event.record["comment"]
    assert (event.type, event.subject, event.text) == ("comment.received", "comment:17900000000000001", "How much?")
    assert comment["extra"] == {
        "account": ACCOUNT, "media_id": "18100000000000001", "media_type": "FEED", "username": "fake_user",
    }  # fmt: skip
    assert event.record["contact"]["handle"] == "fake_user"
    assert event.record["contact"]["handles"] == {"instagram": CLIENT}


def test_seconds_and_milliseconds_are_told_apart() -> None:
    assert sample("comments-changes").occurred_at == dt.datetime(2018, 3, 9, 19, 16, 8, tzinfo=dt.UTC)
    assert sample("comments-flat-instagram-login").occurred_at == dt.datetime(
        2025, 10, 24, 6, 28, 18, 65000, tzinfo=dt.UTC
    )


def test_an_answer_below_a_comment_and_a_live_one() -> None:
    assert sample("comments-reply-changes").record["comment"]["extra"]["parent_id"] == "17900000000000000"
    live = sample("live-comments-changes")
    assert (live.title, live.record["comment"]["extra"]["live"]) == ("in the live broadcast", "yes")
    assert "contact" not in live.record


def test_comment_id_is_an_id_too() -> None:
    value = {"comment_id": 17900000000000001, "text": "Hi"}
    entry = {"id": ACCOUNT, "time": 1520622968, "field": "comments", "value": value}
    assert parse({"object": "instagram", "entry": [entry]})[0].subject == "comment:17900000000000001"


def test_our_own_comment_is_no_request() -> None:
    event = sample("own-comment")
    assert (event.type, event.text, event.incomplete) == ("comment.sent", "Thank you", True)
    assert "contact" not in event.record
    value = {"id": "1", "text": "Hi", "from": {"id": "99", "self_ig_scoped_id": "99"}}
    entry = {"id": ACCOUNT, "time": 1, "field": "comments", "value": value}
    assert parse({"object": "instagram", "entry": [entry]})[0].type == "comment.sent"


def test_a_comment_that_mentions_us_is_the_same_comment_whichever_field_tells_of_it() -> None:
    mention = sample("mentions-comment")
    assert (mention.key, mention.incomplete) == ("comment:17900000000000009", True)
    assert mention.record["comment"]["extra"]["mention"] == "yes"


# --- the envelope -------------------------------------------------------------------------------------------------


def test_the_brackets_of_official_snippets_are_forgiven() -> None:
    assert len(parse([element({"message": {"mid": "a", "text": "x"}}), element({"message": {"mid": "b"}})])) == 2


def test_the_same_update_twice_in_one_body_is_one_event() -> None:
    whole = element({"message": {"mid": "a", "text": "x"}})
    whole["entry"] *= 2
    assert len(parse(whole)) == 1


def test_one_bad_update_does_not_hold_up_the_others() -> None:
    whole = element({"message": {"mid": "a", "text": "x"}})
    whole["entry"][0]["messaging"] += ["nonsense", None, {"sender": 5, "message": {"mid": ["b"]}}]
    whole["entry"].append("nonsense")
    types = [event.type for event in parse(whole)]
    assert types[0] == "message.received"
    assert all(type.startswith("vendor.") for type in types[1:])
    assert len(types) == 5


def test_a_thousand_updates_are_read() -> None:
    rows = [
        {"sender": {"id": str(n)}, "recipient": {"id": ACCOUNT}, "timestamp": 1761287294014 + n,
         "message": {"mid": f"m{n}", "text": "x", "attachments": [{"type": "image", "payload": {"url": LINK}}]}}
        for n in range(1000)
    ]  # fmt: skip
    events = parse({"object": "instagram", "entry": [{"id": ACCOUNT, "time": 1, "messaging": rows}]})
    assert len({event.key for event in events}) == 1000


@pytest.mark.parametrize(
    ("object", "type"), [("page", "vendor.page"), ("permissions", "vendor.permissions"), (None, "vendor.meta")]
)
def test_other_objects_of_the_app_are_kept(object: str | None, type: str) -> None:
    whole = {**element({"message": {"mid": "a"}}), "object": object}
    assert parse(whole)[0].type == type


@pytest.mark.parametrize("body", [b"{}", b'{"object": "instagram"}', b'{"object": "instagram", "entry": {}}', b"[1]"])
def test_what_is_no_envelope_is_kept_with_the_reason(body: bytes) -> None:
    with pytest.raises(Rejected, match="no envelope of Meta's"):
        parse(body)


def test_an_absurdly_long_id_still_fits_an_index() -> None:
    [event] = parse(element({"message": {"mid": "m" * 5000, "text": "x"}}))
    assert len(event.key) <= 255
    assert len(event.subject) <= 255


def test_a_time_that_is_none_is_when_it_arrived() -> None:
    whole = element({"message": {"mid": "m"}, "timestamp": "tomorrow"})
    whole["entry"][0]["time"] = -1
    assert parse(whole)[0].occurred_at == AT


# --- what polls bring ---------------------------------------------------------------------------------------------


def test_only_the_hubs_own_polls_can_say_what_they_say() -> None:
    for name in ("profile", "connection"):
        body = (SAMPLES / f"{name}.poll.json").read_bytes()
        assert parse(body)[0].type == f"vendor.{name}"
    [profile] = parse((SAMPLES / "profile.poll.json").read_bytes(), "POLL")
    assert (profile.type, profile.record["contact"]["name"]) == ("contact.updated", "Fake Client")
    [change] = parse((SAMPLES / "connection.poll.json").read_bytes(), "POLL")
    assert change.type == "connection.changed"
