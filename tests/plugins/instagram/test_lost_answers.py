"""Sends in doubt and refusals: what was sent is found, what can't be sent is told, shares are kept."""

from __future__ import annotations

import pytest

from hub.errors import AuthFailed, RateLimited, Refused, Retry, Uncertain
from plugins.instagram.sandbox import CLIENT
from plugins.instagram.sandbox.world import SECOND_CLIENT, STRANGER
from tests.plugins.instagram.conftest import NOW, Shop

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
