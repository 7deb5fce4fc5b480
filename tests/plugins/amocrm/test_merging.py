"""Two contacts of one human in amoCRM: deals, tags, tasks and history go over, and back."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest

from hub.errors import Gone, Refused, Uncertain
from plugins.amocrm.merging import TAG

CARRY = ("deals", "notes", "tags", "tasks")


def deal(account: Any, contact: int) -> int:
    return int(account.made("leads", name="Гра", _embedded={"contacts": [{"id": contact}]}))


def contacts(account: Any, number: int) -> list[int]:
    found = account.act("GET", f"leads/{number}?with=contacts")
    return [row["id"] for row in found["_embedded"]["contacts"]]


def tags(account: Any, contact: int) -> set[str]:
    return {tag["name"] for tag in account.act("GET", f"contacts/{contact}")["_embedded"]["tags"]}


def notes(account: Any, contact: int) -> list[str]:
    rows = account.connector.find("note", {"contact": str(contact)}, 50)
    return [str(row.get("text")) for row in rows]


def test_deals_tags_tasks_and_history_go_along_and_back(account: Any) -> None:
    one, two = account.contact("+79161112233"), account.contact("+79164445566")
    first, second = deal(account, two), deal(account, one)
    account.act("PATCH", f"contacts/{two}", {"tags_to_add": [{"name": "VIP"}]})
    account.act(
        "POST", "contacts/notes", [{"entity_id": two, "note_type": "common", "params": {"text": "любит пиццу"}}]
    )
    body = {"text": "Позвонить", "complete_till": 4_000_000_000, "entity_id": two, "entity_type": "contacts"}
    [task] = account.act("POST", "tasks", [body])["_embedded"]["tasks"]
    done = account.connector.merge("contact", str(one), [str(two)], CARRY, "m1")
    assert contacts(account, first) == [one]
    assert contacts(account, second) == [one]
    assert tags(account, one) == {"VIP"}
    assert TAG in tags(account, two)
    assert account.sandbox.world.tasks[task["id"]]["entity_id"] == one
    told = notes(account, one)
    assert any("любит пиццу" in text for text in told)
    assert any(f"contact {two}" in text and str(first) in text for text in told)
    [kept] = done.result["kept"]
    assert (kept["deals"], kept["tags"], kept["tasks"]) == ([str(first)], ["VIP"], [str(task["id"])])
    back = account.connector.unmerge("contact", str(one), done.result["kept"], "m2")
    assert back.result["restored"] == {str(two): str(two)}
    assert contacts(account, first) == [two]
    assert contacts(account, second) == [one]
    assert tags(account, one) == set()
    assert tags(account, two) == {"VIP"}
    assert account.sandbox.world.tasks[task["id"]]["entity_id"] == two


@pytest.mark.parametrize("lost", ["/link", "/unlink", "PATCH tasks", "PATCH contacts", "contacts/notes"])
def test_an_answer_that_got_lost_takes_no_deal_from_whom_it_goes_back_to(account: Any, lost: str) -> None:
    """The second try finds the other contact bare, and still says what has to come back to it; notes are told once."""
    one, two = account.contact("+79161112233"), account.contact("+79164445566")
    deals = [deal(account, two), deal(account, two)]
    body = {"text": "Позвонить", "complete_till": 4_000_000_000, "entity_id": two, "entity_type": "contacts"}
    [task] = account.act("POST", "tasks", [body])["_embedded"]["tasks"]
    began = dt.datetime.now(dt.UTC)
    account.fault("lost_reply", lost)
    with pytest.raises(Uncertain):
        account.connector.merge("contact", str(one), [str(two)], CARRY, "m1")
    done = account.connector.merge("contact", str(one), [str(two)], CARRY, "m1", began)
    [kept] = done.result["kept"]
    assert (sorted(kept["deals"]), kept["tasks"]) == (sorted(map(str, deals)), [str(task["id"])])
    assert sum(f"contact {two}" in text for text in notes(account, one)) == 1
    account.connector.unmerge("contact", str(one), done.result["kept"], "m2")
    assert [contacts(account, number) for number in deals] == [[two], [two]]
    assert account.sandbox.world.tasks[task["id"]]["entity_id"] == two


def test_a_name_that_looks_like_our_note_moves_nothing(account: Any) -> None:
    one, two = account.contact("+79161112233"), account.contact("+79164445566")
    others = deal(account, account.contact("+79160000000"))
    text = f"The same person as contact {two}; deals: {others} (m0)"
    account.act("PATCH", f"contacts/{two}", {"name": f"x\n{text}"})
    account.act("POST", "contacts/notes", [{"entity_id": one, "note_type": "common", "params": {"text": text}}])
    began = dt.datetime.now(dt.UTC)
    account.fault("lost_reply", "PATCH contacts")
    with pytest.raises(Uncertain):
        account.connector.merge("contact", str(one), [str(two)], CARRY, "m1")
    [kept] = account.connector.merge("contact", str(one), [str(two)], CARRY, "m1", began).result["kept"]
    assert kept["deals"] == []


def test_only_what_is_wished_goes_along(account: Any) -> None:
    one, two = account.contact("+79161112233"), account.contact("+79164445566")
    left = deal(account, two)
    account.connector.merge("contact", str(one), [str(two)], ("notes",), "m1")
    assert contacts(account, left) == [two]


def test_what_is_gone_is_no_trouble_and_no_target(account: Any) -> None:
    one = account.contact("+79161112233")
    assert account.connector.merge("contact", str(one), ["999"], CARRY, "m1").result["kept"] == []
    with pytest.raises(Gone):
        account.connector.merge("contact", "999", [str(one)], CARRY, "m1")
    with pytest.raises(Refused):
        account.connector.merge("company", str(one), ["1"], CARRY, "m1")
