"""Each check passes on a good evening and fails on the one thing it watches."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from pathlib import Path

import pytest

from hub.demo.account import Group
from hub.demo.beauty import day
from hub.demo.beauty.account import Outcome
from hub.demo.beauty.checks import CHECKS as check
from hub.demo.world import Sent

_spec = importlib.util.spec_from_file_location("demo_outcomes", Path(__file__).with_name("outcomes.py"))
assert _spec and _spec.loader
outcomes = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(outcomes)


def deal_of(out: Outcome, person: object) -> dict[str, str]:
    return next(deal for deal in out.deals if deal["phone"] == person.phone)  # type: ignore[attr-defined]


SPOILED: dict[str, tuple[Callable[[Outcome], object], str]] = {
    "a 500": (lambda out: out.sent.append(Sent("site", "cart", 500, 200, 0.1)), "every request got the answer"),
    "slow": (lambda out: out.sent.append(Sent("site", "cart", 200, 200, 3.0)), "the answer came quickly"),
    "one lost": (lambda out: out.arrived.update(sent=7), "the account adds up"),
    "not found": (lambda out: out.found.update({day.ANNA.name: 0}), "every accepted request can be found"),
    "done thrice": (
        lambda out: out.groups.pop(Group("questions", "the same once more", "recognised")),
        "what came several times",
    ),
    "garbage gone": (
        lambda out: out.groups.pop(Group("questions", "unreadable", "kept", "not JSON")),
        "garbage is kept",
    ),
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
    "no limit": (lambda out: out.tries.pop("limit"), "Bitrix24's limit"),
    "nobody told": (lambda out: out.alerts.pop(0), "a person was told"),
    "one parked": (lambda out: out.unfinished.update(parked=1), "nothing is left undone"),
    "notes missing": (lambda out: out.notes.clear(), "while Nova Poshta was away"),
}


def test_all_checks_hold_on_a_good_evening() -> None:
    assert [(one.words, one.proof) for one in check(outcomes.good()) if not one.ok] == []


@pytest.mark.parametrize("name", SPOILED)
def test_a_spoiled_evening_fails(name: str) -> None:
    spoil, words = SPOILED[name]
    outcome = outcomes.good()
    spoil(outcome)
    failed = [result.words for result in check(outcome) if not result.ok]
    assert any(one.startswith(words) for one in failed), failed


def test_every_check_can_fail() -> None:
    watched = {words for _, words in SPOILED.values()}
    assert [one.words for one in check(outcomes.good()) if not one.words.startswith(tuple(watched))] == []
