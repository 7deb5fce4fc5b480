"""Each check passes on a good evening and fails on the one thing it watches."""

from __future__ import annotations

import pytest

from hub.demo.beauty import day
from hub.demo.beauty.account import Outcome
from hub.demo.beauty.checks import CHECKS as check
from tests.hub.demo import evening
from tests.hub.demo.beauty import outcomes


def deal_of(out: Outcome, person: object) -> dict[str, str]:
    return next(deal for deal in out.deals if deal["phone"] == person.phone)  # type: ignore[attr-defined]


SPOILED: evening.Spoiled = {
    **evening.spoiled("questions", day.ANNA, "Bitrix24"),
    "two contacts": (lambda out: out.contacts.append(dict(out.contacts[0])), "each of the"),
    "a stranger": (lambda out: out.contacts.append({"id": "9", "name": "X", "phone": "+1"}), "each of the"),
    "two leads": (lambda out: out.leads.append(dict(out.leads[0], id="9")), "whoever asked has one lead"),
    "comment lost": (lambda out: out.comments.pop(), "a second question joined"),
    "second waybill": (
        lambda out: out.waybills.append({**out.waybills[7], "number": "20459"}),
        "no second waybill after the lost answer",
    ),
    "no waybill": (lambda out: out.waybills.pop(0), "each of the 12 shipped deals"),
    "other number": (lambda out: out.deals[0].update(ttn="1"), "each of the 12 shipped deals"),
    "CRM waited": (lambda out: out.notes["in the outage"].update(leads=5), "while Nova Poshta was away"),
    "no to-do": (lambda out: out.todos.pop(), "a waybill that Nova Poshta refuses"),
    "wrong stage": (lambda out: deal_of(out, day.YEVA).update(stage="shipped"), "every deal stands"),
    "went back": (lambda out: out.moves.append(("2002", "at_branch", "shipped")), "no deal went back"),
    "late unnoticed": (lambda out: out.reasons.pop("late"), "no deal went back"),
    "meddled": (
        lambda out: out.moves.append((deal_of(out, day.POLINA)["id"], "shop_won", "refused")),
        "a deal that a colleague closed",
    ),
    "two reminders": (lambda out: out.todos.append(dict(out.todos[0])), "each parcel at a branch"),
    "echo acted": (lambda out: setattr(out, "by_echo", 1), "the echo"),
    "notes missing": (lambda out: out.notes.clear(), "while Nova Poshta was away"),
}


def test_all_checks_hold_on_a_good_evening() -> None:
    assert [(one.words, one.proof) for one in check(outcomes.good()) if not one.ok] == []


@pytest.mark.parametrize("name", SPOILED)
def test_a_spoiled_evening_fails(name: str) -> None:
    spoil, words = SPOILED[name]
    outcome = outcomes.good()
    spoil(outcome)
    assert any(one.startswith(words) for one in evening.failed(check, outcome))


def test_every_check_can_fail() -> None:
    assert evening.unwatched(check, outcomes.good(), SPOILED) == []
