"""Comments: answered in public and in private, hidden, deleted, looked for after a lost answer."""

from __future__ import annotations

import datetime as dt

import pytest

from hub.errors import Gone, Refused, Uncertain
from plugins.instagram.sandbox import ACCOUNT, CLIENT, POST
from plugins.instagram.sandbox.world import SECOND_CLIENT
from tests.plugins.instagram.conftest import NOW, Shop, comment_event

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
