"""What the hub did to a contact or a campaign, told by the webhook: its own echo; what a reader does is news."""

from __future__ import annotations

import datetime as dt
import time
from typing import Any

import pytest

from hub.echoes import ECHO_LASTS
from hub.model import Receipt, Request
from plugins.unisender.connector import Classic
from plugins.unisender.sandbox.outbox import Outbox
from tests.plugins.unisender.club import Club
from tests.plugins.unisender.conftest import Account, act


def states(club: Club, type_: str) -> list[str]:
    """Return what became of the events of a type, oldest first."""
    return [state for (state,) in club.rows(f"SELECT state FROM event WHERE type = '{type_}' ORDER BY id")]


def test_a_subscription_of_ours_is_no_news_and_the_readers_own_is(company: Club) -> None:
    company.deal("C5:EXECUTING")
    company.until(lambda: company.done("email.send"))
    company.until(lambda: states(company, "subscription.changed") == ["echo"])
    assert company.tell(1, "leave", email="anna@example.com", list_ids=["134"])["answers"] == [200]
    company.until(lambda: states(company, "email.unsubscribed") == ["planned"])
    company.post.world.clock = lambda: time.time() + 5.0  # events have no id: two alike in one second are one
    company.tell(1, "join", email="anna@example.com", list_ids=["134"])
    company.until(lambda: states(company, "subscription.changed") == ["echo", "planned"])
    greetings = company.rows("SELECT count(*) FROM delivery WHERE route = 'who joins by himself is greeted'")
    assert greetings == [(1,)]


def test_another_list_than_the_one_we_wrote_is_news(company: Club) -> None:
    company.deal("C5:EXECUTING")
    company.until(lambda: states(company, "subscription.changed") == ["echo"])
    company.tell(1, "join", email="anna@example.com", list_ids=["135"])
    company.until(lambda: states(company, "subscription.changed") == ["echo", "planned"])


def test_a_departure_of_ours_leaves_no_mark_in_the_crm(company: Club) -> None:
    company.deal("C5:EXECUTING")
    company.until(lambda: company.done("email.send"))
    _, contact = company.deal("C5:LOSE")
    company.until(lambda: company.done("contact.unsubscribe"))
    company.until(lambda: states(company, "email.unsubscribed") == ["echo"])
    company.settle()
    assert company.post.world.contacts[0].lists == {"134": "unsubscribed"}
    assert not company.of("contact", contact).get("SOURCE_DESCRIPTION")


def test_a_campaign_called_off_by_us_is_no_news_by_a_person_it_is(company: Club) -> None:
    company.deal("C5:WON")
    company.until(lambda: company.done("campaign.cancel"))
    company.until(lambda: states(company, "vendor.campaign_status") == ["echo"])
    [number] = company.post.world.campaigns
    company.tell(1, f"campaigns/{number}/status", status="stopped")
    company.until(lambda: states(company, "vendor.campaign_status") == ["echo", "planned"])


def test_what_comes_before_its_answer_waits_for_it(company: Club, monkeypatch: pytest.MonkeyPatch) -> None:
    """The stand-in tells of a call before it answers it, here twice; both wait until the act is written down."""
    seen: list[list[str]] = []
    emit = Outbox.emit

    def slow(outbox: Outbox, product: str, name: str, data: dict[str, Any]) -> dict[str, Any]:
        told = emit(outbox, product, name, data)
        if name == "subscribe":
            company.until(lambda: states(company, "subscription.changed"))
            seen.append(states(company, "subscription.changed"))
        return told

    monkeypatch.setattr(Outbox, "emit", slow)
    company.deal("C5:EXECUTING")
    company.until(lambda: states(company, "subscription.changed") == ["echo"])
    assert seen == [["waiting"]]


# --- which echoes are handed over ---------------------------------------------------------------


@pytest.mark.parametrize(
    ("values", "written"),
    [
        ({"double_optin": "3"}, {"guests": "subscribed"}),
        ({"double_optin": "3", "list_ids": "guests,invited"}, {"guests": "subscribed", "invited": "subscribed"}),
        ({"double_optin": "0"}, {}),
        ({"double_optin": "4"}, {}),
    ],
)  # fmt: skip
def test_only_of_who_joins_at_once_an_echo_is_to_come(
    account: Account, values: dict[str, str], written: dict[str, str]
) -> None:
    done = account.subscribe(**values)
    assert done.echoes == ({"reader@example.com": written} if written else {})


def test_double_optin_4_joins_those_at_once_who_are_active_already(account: Account) -> None:
    account.subscribe()
    done = account.subscribe(list_ids="invited", double_optin="4")
    assert done.echoes == {"reader@example.com": {"invited": "subscribed"}}
    assert account.world.invitations == []


def test_a_departure_from_all_lists_stands_for_each(account: Account) -> None:
    account.subscribe()
    left = act(account.classic, "contact.unsubscribe", {"email": "reader@example.com"})
    assert left.echoes == {"reader@example.com": {"*": "unsubscribed"}}
    assert act(account.classic, "contact.unsubscribe", {"email": "nobody@example.com"}).echoes == {}
    assert act(account.classic, "contact.exclude", {"email": "reader@example.com"}).echoes == {}


def test_an_import_expects_the_echoes_of_whom_the_vendor_took(account: Account) -> None:
    people = [{"email": "anna@example.com"}, {"email": "info@example.com"}, {"phone": "89161234567"}]
    done = act(account.classic, "contact.import", {"rows": people, "list_ids": "guests"})
    assert done.echoes == {"anna@example.com": {"guests": "subscribed"}, "+79161234567": {"guests": "subscribed"}}
    assert act(account.classic, "contact.import", {"rows": people[:1]}).echoes == {}


@pytest.mark.parametrize(
    ("name", "data", "told"),
    [
        ("subscribe", {"email": "a@b.ru", "list_ids": [134]}, {"guests": "subscribed"}),
        ("subscribe", {"email": "a@b.ru"}, {"*": "subscribed"}),
        ("unsubscribe", {"email": "a@b.ru", "list_ids": "134,900"}, {"guests": "unsubscribed", "900": "unsubscribed"}),
        ("unsubscribe", {"phone": "+79161234567"}, {"*": "unsubscribed"}),
        ("unsubscribe", {"list_ids": [134]}, {}),
        ("campaign_status", {"campaign_id": 5, "status": "canceled"}, {"status": "canceled"}),
        ("email_status", {"email": "a@b.ru", "email_id": 7, "status": "ok_unsubscribed"}, {}),
    ],
)  # fmt: skip
def test_what_an_event_tells(classic: Classic, name: str, data: dict[str, Any], told: dict[str, str]) -> None:
    import orjson

    body = {"auth": "", "events_by_user": [{"login": "l", "events": [{"event_name": name, "event_data": data}]}]}
    request = Request("POST", "/in/letters", body=orjson.dumps(body), at=dt.datetime(2026, 3, 4, tzinfo=dt.UTC))
    [event] = classic.parse(Receipt(1, "letters", "k", request, request.at))
    assert classic.tells(event) == told
    assert ECHO_LASTS > 24 * 3600, "the vendor repeats what nobody took for a day"
