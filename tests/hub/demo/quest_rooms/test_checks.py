"""Each check passes on a good evening and fails on the one thing it watches."""

from __future__ import annotations

from typing import Any

import pytest

from hub.demo.letters import Person
from hub.demo.quest_rooms import day
from hub.demo.quest_rooms.account import Outcome
from hub.demo.quest_rooms.checks import CHECKS as check
from tests.hub.demo import evening
from tests.hub.demo.quest_rooms import outcomes


def deal_of(out: Outcome, person: Person) -> dict[str, Any]:
    return out.deals[day.PEOPLE.index(person)]


def contact_of(out: Outcome, person: Person) -> dict[str, Any]:
    return out.contacts[day.PEOPLE.index(person)]


SPOILED: evening.Spoiled = {
    **evening.spoiled("site", day.ANNA, "amoCRM"),
    "two contacts": (lambda out: out.contacts.append(dict(out.contacts[0], id="9")), "each of the"),
    "a stranger": (
        lambda out: out.contacts.append({**out.contacts[0], "id": "9", "phone": "+7900"}),
        "each of the",
    ),
    "two deals": (lambda out: out.deals.append(dict(out.deals[0], id="9")), "each of them has one deal"),
    "a deal of nobody": (
        lambda out: out.deals.append(dict(out.deals[0], id="9", contact="")),
        "each of them has one deal",
    ),
    "note lost": (lambda out: out.notes_at_deals.pop(), "a second request joined"),
    "campaign lost": (lambda out: deal_of(out, day.VERA).update(utm_campaign=""), "each deal says"),
    "visit lost": (lambda out: deal_of(out, day.VERA).update(ct_session=""), "each deal says"),
    "call lost": (lambda out: deal_of(out, day.MILA).update(ct_call=""), "and names its call"),
    "other session": (lambda out: deal_of(out, day.DINA).update(ct_session="1"), "and names its call"),
    "no task": (lambda out: out.tasks.pop(), "each deal has one task"),
    "two tasks": (lambda out: out.tasks.append(dict(out.tasks[0])), "each deal has one task"),
    "told twice in the chat": (
        lambda out: out.chats[day.EGOR.id].append(("client", "Ау")),
        "what was written on Instagram",
    ),
    "answered twice": (
        lambda out: out.said[day.EGOR.id].append(out.said[day.EGOR.id][-1]),
        "the answers from amoCRM",
    ),
    "answered a stranger": (lambda out: out.said.update({day.ZHANNA.id: ["Да"]}), "the answers from amoCRM"),
    "never answered": (lambda out: out.said.pop(day.ZOYA.id), "the answers from amoCRM"),
    "a tick missing": (lambda out: out.delivered.pop(), "and each of them is ticked"),
    "nobody responsible": (lambda out: deal_of(out, day.EGOR).update(responsible=1), "who took the call"),
    "wrong stage": (lambda out: deal_of(out, day.LEV).update(stage="new"), "every deal stands"),
    "no revenue": (lambda out: out.orders[deal_of(out, day.VERA)["id"]].update(revenue="0"), "Calltouch has"),
    "an order of no deal": (lambda out: out.orders.update({"9": {"lead": {}}}), "Calltouch has"),
    "no order": (lambda out: out.orders.pop(deal_of(out, day.NINA)["id"]), "Calltouch has"),
    "matched with nothing": (
        lambda out: out.orders[deal_of(out, day.ANNA)["id"]].update(lead={}),
        "and has matched it",
    ),
    "two letters": (lambda out: out.letters.append(dict(out.letters[0])), "who has played"),
    "no link": (lambda out: out.letters[0].update(body=""), "who has played"),
    "not on the list": (lambda out: out.readers.pop(day.LEV.email), "who has played"),
    "no mark": (lambda out: contact_of(out, day.GLEB).update(bounced=False), "a bounce and a farewell"),
    "the other mark": (lambda out: contact_of(out, day.GLEB).update(unsubscribed=True), "a bounce and a farewell"),
    "made in the outage": (lambda out: out.notes.update({"in the outage": 9}), "while amoCRM was away"),
    "nothing was tried again": (lambda out: out.tries.pop("retry"), "while amoCRM was away"),
    "never looked for": (lambda out: out.reasons.pop("found_by_marker"), "no second deal"),
    "a trouble that missed": (lambda out: out.missed.append("insta: lost_reply"), "every trouble"),
    "answers that came": (lambda out: out.tries.pop("uncertain"), "every trouble"),
    "no echo": (lambda out: out.reasons.pop("echo"), "what the hub wrote"),
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
