"""Whole lists against the stand-in: six hundred contacts page by page, while people delete, make and change."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Callable
from typing import Any

import pytest

from hub.errors import RateLimited, Refused
from plugins.amocrm.listing import page_of

BEGIN = 1_800_000_000


class Clock:
    """The account's time: unix seconds."""

    def __init__(self) -> None:
        self.now = float(BEGIN)

    def __call__(self) -> float:
        return self.now


def people(account: Any, number: int, prefix: str = "n") -> list[int]:
    """Make so many contacts within one second of the account's time."""
    found: list[int] = []
    for first in range(0, number, 250):
        rows = [{"name": f"{prefix}{place}"} for place in range(first, min(first + 250, number))]
        found += [row["id"] for row in account.act("POST", "contacts", rows)["_embedded"]["contacts"]]
    return found


def read(
    account: Any,
    record: str = "contact",
    since: dt.datetime | None = None,
    between: Callable[[int], None] | None = None,
) -> list[dict[str, Any]]:
    """Read a list whole; `between` is called after each page but the last, with how many have been read."""
    found: list[dict[str, Any]] = []
    cursor: Any = None
    for page in range(1, 100):
        rows, cursor = account.connector.pages(record, since, json.loads(json.dumps(cursor)))
        found += rows
        if cursor is None:
            return found
        if between is not None:
            between(page)
    raise AssertionError("the list has no end")


def ids(rows: list[dict[str, Any]]) -> list[int]:
    """Return the ids of records."""
    return [int(row["id"]) for row in rows]


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def account(accounts: Any, clock: Clock) -> Any:
    """An account with a clock of the test's own."""
    return accounts({"clock": clock})


# --- a quiet account ---------------------------------------------------------------------------------


def test_six_hundred_contacts_in_three_calls(account: Any) -> None:
    made = people(account, 600)
    account.sandbox.calls.clear()
    found = read(account)
    assert ids(found) == made
    assert account.sandbox.calls == {"GET contacts": 3}
    assert found[0] == account.connector.get("contact", str(made[0]))


@pytest.mark.parametrize("number", [0, 1, 249, 250, 251, 500])
def test_a_list_of_any_length_ends(account: Any, number: int) -> None:
    made = people(account, number) if number else []
    assert ids(read(account)) == made


def test_deals_come_whole(account: Any) -> None:
    contact = account.contact()
    company = account.do("company.create", {"name": "ООО"}).id
    values = {"name": "x", "601002": "Замок", "stage": "7100001/143", "contact": str(contact), "company": company}
    lost = account.do("deal.create", values).id
    account.act("PATCH", f"leads/{lost}", {"loss_reason_id": 7})
    [deal] = read(account, "deal")
    assert deal == account.connector.get("deal", lost)
    assert (deal["contacts"], deal["company"], deal["stage_name"], deal["loss_reason"]) == (
        [str(contact)], company, "Закрыто и не реализовано", "Дорого",
    )  # fmt: skip
    assert deal["extra"]["601002"] == "Замок"
    assert read(account, "company") == [account.connector.get("company", company)]
    assert read(account, "contact") == [account.connector.get("contact", str(contact))]


def test_an_incoming_lead_is_no_deal_yet(account: Any) -> None:
    account.control("chat/incoming", text="Здравствуйте")
    assert read(account, "deal") == []


@pytest.mark.parametrize("filters", [True, False])
def test_what_changed_since_whether_filters_are_on_or_off(accounts: Any, clock: Clock, filters: bool) -> None:
    account = accounts({"clock": clock, "filters": filters})
    made = people(account, 600)
    clock.now += 3600
    since = dt.datetime.fromtimestamp(clock.now, dt.UTC)
    for number in (made[0], made[251], made[599]):
        account.act("PATCH", f"contacts/{number}", {"name": "changed"})
    fresh = people(account, 2, "new")
    account.sandbox.calls.clear()
    assert ids(read(account, since=since)) == [made[0], made[251], made[599], *fresh]
    assert account.sandbox.calls["GET contacts"] == (1 if filters else 3)
    assert read(account, since=since + dt.timedelta(seconds=1)) == []


def test_what_cant_be_listed(account: Any) -> None:
    for record in ("task", "lead", "customer", "nonsense"):
        with pytest.raises(Refused, match="deal, contact, company page by page"):
            account.connector.pages(record)


def test_a_page_that_was_one_call_too_many_is_asked_for_again(account: Any) -> None:
    made = people(account, 600)
    first, cursor = account.connector.pages("contact")
    account.fault("rate_limit", "GET contacts")
    with pytest.raises(RateLimited):
        account.connector.pages("contact", None, cursor)
    account.connector._client._held_until = 0.0  # the second after it is over
    second, cursor = account.connector.pages("contact", None, cursor)
    third, end = account.connector.pages("contact", None, cursor)
    assert (ids(first + second + third), end) == (made, None)


# --- while people work -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "gone",
    [
        [0], [249], [248, 249], [100, 249, 250], list(range(30)), list(range(250)), list(range(10, 400)),
        list(range(240, 600)), list(range(600)),
    ],
    ids=["first", "last", "two", "around", "thirty", "page", "many", "rest", "all"],
)  # fmt: skip
@pytest.mark.parametrize("after", [1, 2])
def test_deleting_what_was_read_hides_nothing(account: Any, gone: list[int], after: int) -> None:
    made = people(account, 600)

    def delete(page: int) -> None:
        if page == after:
            for place in gone:
                account.sandbox.crm.delete("contacts", made[place])

    found = ids(read(account, between=delete))
    left = [number for place, number in enumerate(made) if place not in gone]
    assert set(left) <= set(found)
    assert len(found) == len(set(found))


def test_what_is_made_and_changed_meanwhile_comes_along(account: Any, clock: Clock) -> None:
    made = people(account, 600)
    fresh: list[int] = []

    def work(page: int) -> None:
        clock.now += 1
        fresh.extend(people(account, 40, f"p{page}"))
        for place in (3, 260, 520):
            account.act("PATCH", f"contacts/{made[place]}", {"name": f"changed {page}"})

    found = read(account, between=work)
    assert ids(found)[:600] == made
    assert set(ids(found)[600:]) <= set(fresh)
    assert set(fresh[:80]) <= set(ids(found))  # what stood there before the last page was read


def test_a_record_that_begins_to_count_moves_the_rest_and_hides_none(account: Any, clock: Clock) -> None:
    """Changed since: whatever is touched meanwhile enters the list before what is still to be read."""
    old = people(account, 300)
    clock.now += 3600
    since = dt.datetime.fromtimestamp(clock.now, dt.UTC)
    made = people(account, 600)

    def touch(page: int) -> None:
        for number in old[(page - 1) * 100 : page * 100]:
            account.act("PATCH", f"contacts/{number}", {"name": "touched"})

    assert set(made) <= set(ids(read(account, since=since, between=touch)))


def test_where_a_page_begins() -> None:
    """At the place or shortly before it, never after, with a size amoCRM allows."""
    for place in [*range(3000), 99_999, 1_000_000]:
        number, size = page_of(place)
        start = (number - 1) * size
        assert start <= place < start + size
        assert 200 <= size <= 250
    assert page_of(0) == (1, 250)
    assert sum(place - (page_of(place)[0] - 1) * page_of(place)[1] for place in range(5000)) / 5000 < 25
