"""What the hub looks after by itself: tokens, the subscription, lost messages, names, echoes, mentions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from hub.errors import AuthFailed, RateLimited, Refused, Retry
from hub.model import Event, Receipt, Request
from plugins.instagram.incoming import contact
from plugins.instagram.sandbox import ACCOUNT, CLIENT, OTHER_ACCOUNT, POST
from plugins.instagram.sandbox.world import SECOND_CLIENT
from plugins.meta.sandbox import SHORT
from tests.plugins.instagram.conftest import NOW, Shop


def used(shop: Shop) -> str:
    """Return the token that calls go out with."""
    accounts = shop.connector._accounts
    return accounts.token(accounts.all()[0])


# --- tokens -------------------------------------------------------------------------------------------------------


def test_a_configured_token_is_refreshed_at_the_first_look_and_kept_before_it_is_used(shop: Shop) -> None:
    shop.pass_(days=2)
    shop.connector.poll("tokens", None)
    assert used(shop) != shop.settings["access_token"]
    kept = shop.connector.tokens.read()
    assert kept is not None
    assert kept["accounts"][ACCOUNT]["token"] == used(shop)
    shop.sandbox.calls.clear()
    shop.connector.poll("tokens", None)
    assert shop.sandbox.calls == {"GET me": 1}


def test_it_is_refreshed_again_when_half_of_its_life_is_left(shop: Shop) -> None:
    shop.pass_(days=2)
    shop.connector.poll("tokens", None)
    first = used(shop)
    shop.pass_(days=29)
    shop.connector.poll("tokens", None)
    assert used(shop) == first
    shop.pass_(days=2)
    shop.connector.poll("tokens", None)
    assert used(shop) != first


def test_a_token_younger_than_a_day_is_tried_again_a_day_later(shop: Shop) -> None:
    shop.connector.poll("tokens", None)
    assert used(shop) == shop.settings["access_token"]
    shop.pass_(hours=25)
    shop.connector.poll("tokens", None)
    assert used(shop) != shop.settings["access_token"]


def test_a_token_of_an_hour_becomes_one_of_sixty_days(shops: Callable[..., Shop]) -> None:
    shop = shops()
    short = shop.sandbox.issue(ACCOUNT, "short", SHORT)
    shop.connect(access_token=short, app_secret=f"the other secret, {shop.settings['app_secret']}")
    shop.connector.poll("tokens", None)
    assert used(shop) != short
    shop.pass_(days=20)
    assert shop.connector._client.me(shop.connector._accounts.all()[0])["id"] == ACCOUNT


def test_a_dead_token_is_told(shop: Shop) -> None:
    shop.sandbox.tokens.clear()
    with pytest.raises(AuthFailed, match="hub connect"):
        shop.connector.poll("tokens", None)


def test_one_accounts_trouble_does_not_keep_the_others_from_their_tokens(shops: Callable[..., Shop]) -> None:
    shop = shops()
    tokens = {ACCOUNT: "IGFAKEdead", OTHER_ACCOUNT: shop.sandbox.access[OTHER_ACCOUNT]}
    shop.connect(access_token=None, account_id=None, accounts=tokens)
    shop.pass_(days=2)
    with pytest.raises(AuthFailed):
        shop.connector.poll("tokens", None)
    other = shop.connector._accounts.all()[1]
    assert shop.connector._accounts.token(other) != tokens[OTHER_ACCOUNT]


def test_a_new_token_in_hub_yaml_counts_at_once(shop: Shop) -> None:
    shop.pass_(days=2)
    shop.connector.poll("tokens", None)
    vault = shop.connector.tokens
    fresh = shop.sandbox.issue(ACCOUNT, "long", None)
    shop.connect(access_token=fresh)
    shop.connector.tokens = vault
    assert used(shop) == fresh


def test_two_workers_refresh_once(shop: Shop) -> None:
    shop.pass_(days=2)
    vault, one = shop.connector.tokens, shop.connector
    other = shop.connect()
    other.tokens = vault
    stale = vault.read()
    assert stale is None
    one.poll("tokens", None)
    other.poll("tokens", None)
    assert shop.sandbox.calls["GET refresh_access_token"] == 1


def test_a_call_whose_token_was_just_replaced_is_made_again_with_the_new_one(shop: Shop) -> None:
    shop.pass_(days=2)
    account = shop.connector._accounts.all()[0]
    tokens = iter(["IGFAKEold", shop.settings["access_token"]])
    shop.connector._accounts.reader = lambda account: lambda: next(tokens)  # type: ignore[method-assign]
    assert shop.connector._client.me(account)["id"] == ACCOUNT


def test_a_users_token_leads_to_the_pages(shops: Callable[..., Shop]) -> None:
    shop = shops("facebook")
    user = shop.sandbox.issue(ACCOUNT, "user", SHORT)
    shop.connect(access_token=user)
    shop.connector.poll("tokens", None)
    assert shop.sandbox.tokens[used(shop)].kind == "page"
    shop.pass_(days=400)
    shop.sandbox.calls.clear()
    shop.connector.poll("tokens", None)
    assert shop.sandbox.calls == {"GET me": 1}


def test_a_pages_token_stays_as_it_is(shops: Callable[..., Shop]) -> None:
    shop = shops("facebook")
    shop.connector.poll("tokens", None)
    assert used(shop) == shop.settings["access_token"]


def test_without_any_token_the_hub_only_listens(shops: Callable[..., Shop]) -> None:
    shop = shops()
    assert shop.connect(access_token=None, app_id=None).polls() == {}
    with pytest.raises(AuthFailed, match="there is no token"):
        shop.do("message.send", {"to": CLIENT, "text": "Hello"})
    assert set(shop.connect(access_token=None).polls()) >= {"tokens", "subscription"}
    assert set(shop.connect(backfill="off", profiles="no").polls()) == {"tokens", "subscription"}


# --- the subscription -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("login", ["instagram", "facebook"])
def test_an_account_is_subscribed_at_the_start_and_put_back(shops: Callable[..., Shop], login: str) -> None:
    shop = shops(login)
    poll = shop.connector.poll("subscription", None)
    assert poll.receipts == []
    assert shop.sandbox.world.subscribed[ACCOUNT] == sorted(shop.connector._login.fields)
    assert shop.connector.poll("subscription", poll.cursor).receipts == []
    shop.sandbox.unsubscribe()
    put_back = shop.connector.poll("subscription", poll.cursor)
    [event] = shop.events(put_back)
    assert (event.type, event.subject) == ("connection.changed", f"connection:{ACCOUNT}")
    assert "had dropped the subscription" in event.text
    assert ACCOUNT in shop.sandbox.world.subscribed


def test_a_field_that_is_refused_leaves_those_that_matter(shops: Callable[..., Shop]) -> None:
    shop = shops("facebook", subscribe="messages, messaging_seen")
    shop.connector.poll("subscription", None)
    assert shop.sandbox.world.subscribed[ACCOUNT] == ["feed", "messages"]


@pytest.mark.parametrize(
    ("rows", "missing"),
    [
        ([], True),
        ([{"id": "990000000000001", "subscribed_fields": ["messages", "comments"]}], False),
        ([{"subscribed_fields": [{"name": "messages"}, {"name": "comments"}]}], False),
        ([{"id": "990000000000001", "name": "an app"}], False),
        ([{"id": "990000000000001", "subscribed_fields": ["comments"]}], True),
    ],
)
def test_every_form_of_the_list_is_understood(
    shop: Shop, monkeypatch: pytest.MonkeyPatch, rows: list[dict[str, Any]], missing: bool
) -> None:
    monkeypatch.setattr(shop.connector._client, "subscribed", lambda account: rows)
    assert bool(shop.connector._looking.missing(shop.connector._accounts.all()[0])) is missing


def began(shop: Shop) -> Any:
    """Let the hub begin to look, a while after the first message, and return where it stands."""
    shop.pass_(minutes=30)
    poll = shop.connector.poll("messages", None)
    assert (poll.receipts, shop.sandbox.calls) == ([], {})
    shop.pass_(minutes=5)
    return poll.cursor


def test_where_the_list_may_speak_of_another_app_ours_is_subscribed_once_more(shop: Shop) -> None:
    shop.sandbox.world.subscribed[ACCOUNT] = list(shop.connector._login.fields)
    shop.connect(app_id="990000000000007")
    poll = shop.connector.poll("subscription", {"seen": [ACCOUNT]})
    assert poll.receipts == []
    assert shop.sandbox.calls == {f"GET {ACCOUNT}/subscribed_apps": 1, f"POST {ACCOUNT}/subscribed_apps": 1}


# --- lost messages --------------------------------------------------------------------------------------------------


def test_a_message_without_a_webhook_is_fetched_as_the_webhook_would_have_told_it(shop: Shop) -> None:
    cursor = began(shop)
    mid = shop.sandbox.write(SECOND_CLIENT, "Is anybody there?")
    shop.sandbox.by_hand(SECOND_CLIENT, "Yes")
    found = shop.connector.poll("messages", cursor)
    received, sent = shop.events(found)
    assert (received.type, received.key, received.text) == ("message.received", f"message:{mid}", "Is anybody there?")
    assert received.record["contact"]["handles"] == {"instagram": SECOND_CLIENT}
    assert received.record["message"]["extra"]["backfilled"] == "yes"
    assert received.occurred_at == shop.moment
    assert (sent.type, sent.record["contact"]["id"], sent.incomplete) == ("message.sent", SECOND_CLIENT, True)


def test_what_is_known_already_is_not_brought_again(shop: Shop) -> None:
    cursor = began(shop)
    mid = shop.sandbox.write(CLIENT, "And in red?")
    shop.heard(CLIENT, ago=0, id=mid)
    shop.memory.told[-1].record["message"]["id"] = mid
    assert shop.connector.poll("messages", cursor).receipts == []


def test_quiet_chats_cost_one_call(shop: Shop) -> None:
    cursor = shop.connector.poll("messages", None).cursor
    shop.pass_(hours=1)
    cursor = shop.connector.poll("messages", cursor).cursor
    shop.sandbox.calls.clear()
    shop.pass_(hours=1)
    shop.connector.poll("messages", cursor)
    assert shop.sandbox.calls == {"GET me/conversations": 1}


def test_many_chats_are_read_one_after_another(shop: Shop) -> None:
    cursor = began(shop)
    for number in range(12):
        person = f"10000000000001{number:02d}"
        shop.sandbox.world.people[person] = {"name": "x", "username": f"x{number}"}
        shop.sandbox.write(person, f"message {number}")
    brought, rounds = [], 0
    while True:
        shop.sandbox.calls.clear()
        poll = shop.connector.poll("messages", cursor)
        brought += shop.events(poll)
        cursor, rounds = poll.cursor, rounds + 1
        assert sum(shop.sandbox.calls.values()) <= 2
        if poll.next_in is None:
            break
    assert {event.text for event in brought} == {f"message {number}" for number in range(12)}
    assert rounds == 12
    assert cursor["queue"] == []


def test_nothing_is_skipped_when_the_second_round_fails(shop: Shop) -> None:
    cursor = began(shop)
    shop.sandbox.write(CLIENT, "lost")
    shop.fault("temporary", "aWdfConversation")
    with pytest.raises(Retry):
        shop.connector.poll("messages", cursor)
    assert [event.text for event in shop.events(shop.connector.poll("messages", cursor))] == ["lost"]


# --- lost comments --------------------------------------------------------------------------------------------------


def test_a_comment_without_a_webhook_is_fetched_with_the_answers_below(shop: Shop) -> None:
    shop.sandbox.comment(CLIENT, "before the hub came")
    shop.pass_(minutes=30)
    cursor = shop.connector.poll("comments", None).cursor
    shop.pass_(minutes=5)
    top = shop.sandbox.comment(SECOND_CLIENT, "How much?")
    below = shop.sandbox.comment(CLIENT, "Me too", parent=top)
    ours = shop.sandbox.comment(ACCOUNT, "500", parent=top)
    poll = shop.connector.poll("comments", cursor)
    asked, second, answer = shop.events(poll)
    assert (asked.type, asked.key, asked.text) == ("comment.received", f"comment:{top}", "How much?")
    assert asked.record["contact"]["handles"] == {"instagram": SECOND_CLIENT}
    assert asked.occurred_at == shop.moment
    assert (second.key, second.record["comment"]["extra"]["parent_id"]) == (f"comment:{below}", top)
    assert (answer.type, answer.key) == ("comment.sent", f"comment:{ours}")
    assert shop.connector.poll("comments", poll.cursor).receipts == []


def test_posts_without_new_comments_cost_one_call(shop: Shop) -> None:
    shop.sandbox.comment(CLIENT, "before the hub came")
    cursor = shop.connector.poll("comments", None).cursor
    shop.pass_(hours=1)
    shop.sandbox.calls.clear()
    assert shop.connector.poll("comments", cursor).receipts == []
    assert shop.sandbox.calls == {f"GET {ACCOUNT}/media": 1}


def test_a_comment_that_is_known_is_not_brought_again(shop: Shop) -> None:
    cursor = shop.connector.poll("comments", None).cursor
    shop.pass_(minutes=5)
    known = shop.sandbox.comment(CLIENT, "How much?")
    shop.heard(CLIENT, ago=0, type="comment.received")
    shop.memory.told[-1].record["comment"] = {"id": known}
    assert shop.connector.poll("comments", cursor).receipts == []


def test_posts_whose_comments_are_not_counted_are_left_alone(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shop.connector._client, "media", lambda account, owner: [{"id": POST}])
    cursor = shop.connector.poll("comments", None).cursor
    shop.pass_(minutes=5)
    shop.sandbox.comment(CLIENT, "How much?")
    assert shop.connector.poll("comments", cursor).receipts == []


# --- names --------------------------------------------------------------------------------------------------------


def test_who_has_written_is_looked_up_once_a_day(shop: Shop) -> None:
    shop.heard(CLIENT, ago=0)
    shop.heard(CLIENT, ago=0)
    poll = shop.connector.poll("profiles", None)
    [event] = shop.events(poll)
    assert (event.type, event.subject) == ("contact.updated", f"contact:{CLIENT}")
    assert (event.record["contact"]["name"], event.record["contact"]["handle"]) == ("Олена Коваль", "olena.fake")
    shop.heard(CLIENT, ago=0)
    assert shop.connector.poll("profiles", poll.cursor).receipts == []
    shop.pass_(hours=25)
    shop.heard(CLIENT, ago=0)
    assert len(shop.connector.poll("profiles", poll.cursor).receipts) == 1


def test_a_name_that_cannot_be_read_is_no_trouble(shop: Shop) -> None:
    shop.heard("1000000000000077", ago=0)
    assert shop.connector.poll("profiles", None).receipts == []


def test_many_names_are_looked_up_a_few_at_a_time(shop: Shop) -> None:
    for number in range(7):
        person = f"10000000000001{number:02d}"
        shop.sandbox.world.people[person] = {"name": f"Person {number}", "username": f"p{number}"}
        shop.sandbox.write(person, "Hi")
        shop.heard(person, ago=0)
    first = shop.connector.poll("profiles", None)
    second = shop.connector.poll("profiles", first.cursor)
    assert (len(first.receipts), first.next_in, len(second.receipts), second.next_in) == (5, 1.0, 2, None)


# --- hints --------------------------------------------------------------------------------------------------------


def echo(shop: Shop, age: float = 0.0) -> Event:
    record = {"message": {"id": "m", "text": "Hello", "to": CLIENT}, "contact": contact(CLIENT)}
    at = shop.moment.timestamp() - age
    return Event("message.sent", "message:m", "message:m", record, incomplete=True, at=at, connection="insta")


def test_an_echo_waits_while_a_message_of_ours_is_under_way(shop: Shop) -> None:
    shop.memory.busy = True
    with pytest.raises(RateLimited):
        shop.connector.complete([echo(shop)], frozenset())
    assert len(shop.connector.complete([echo(shop, age=200)], frozenset())) == 1
    shop.memory.busy = False
    assert len(shop.connector.complete([echo(shop)], frozenset())) == 1
    assert shop.sandbox.calls == {}


def mention(shop: Shop, **value: str) -> Event:
    entry = {"id": ACCOUNT, "time": 1520622968, "changes": [{"field": "mentions", "value": value}]}
    import orjson

    body = orjson.dumps({"object": "instagram", "entry": [entry]})
    request = Request("POST", "/in/insta", body=body, at=NOW)
    [event] = shop.connector.parse(Receipt(1, "insta", "k", request, NOW))
    return event


def test_a_mention_in_a_comment_is_read(shop: Shop) -> None:
    [event] = shop.connector.complete([mention(shop, media_id="1791", comment_id="1799")], frozenset())
    assert (event.type, event.text, event.incomplete) == ("comment.received", "@fake.shop look", False)
    assert event.record["comment"]["text"] == "@fake.shop look"


def test_a_mention_in_a_caption_is_read(shop: Shop) -> None:
    [event] = shop.connector.complete([mention(shop, media_id="1791")], frozenset())
    assert (event.type, event.text) == ("vendor.mentions", "with @fake.shop")
    assert event.record["vendor"]["extra"]["username"] == "somebody.fake"


@pytest.mark.parametrize("fault", ["permission", "expired_token"])
def test_a_mention_that_cannot_be_read_is_told_all_the_same(shop: Shop, fault: str) -> None:
    shop.fault(fault, f"GET {ACCOUNT}")
    [event] = shop.connector.complete([mention(shop, media_id="1791", comment_id="1799")], frozenset())
    assert event.text == ""
    assert event.record["comment"]["extra"]["unread"]


# --- asked by the hub -------------------------------------------------------------------------------------------------


def test_what_can_be_found(shop: Shop) -> None:
    comment = shop.sandbox.comment(CLIENT, "How much?")
    assert shop.connector.find("contact", {"id": CLIENT})[0]["handle"] == "olena.fake"
    assert [row["text"] for row in shop.connector.find("message", {"contact": CLIENT})] == ["How much?"]
    assert [row["id"] for row in shop.connector.find("comment", {"media": POST})] == [comment]
    with pytest.raises(Refused, match="can't search for a contact by phone"):
        shop.connector.find("contact", {"phone": "+380671112233"})


def test_a_message_that_waits_is_not_read_again(shop: Shop) -> None:
    """What waits for five minutes is read afresh; a message older than the 20 newest would then count as deleted."""
    assert shop.connector.get("message", "m-1") == {"id": "m-1"}
    assert shop.connector.get("contact", CLIENT)["name"] == "Олена Коваль"
    assert set(shop.sandbox.calls) == {f"GET {CLIENT}"}
    with pytest.raises(Refused):
        shop.connector.get("deal", "1")
