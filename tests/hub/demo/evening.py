"""What every company's evening holds when all is well, and how it is spoiled; each adds what is its own."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from hub.demo.account import Group, Outcome
from hub.demo.checks import Checks
from hub.demo.letters import Person
from hub.demo.world import Sent

#: name -> (what is spoiled, the beginning of the statement that must fail)
Spoiled = dict[str, tuple[Callable[[Any], object], str]]


def common(door: str, people: Sequence[Person]) -> dict[str, Any]:
    """Return the fields of `Outcome`: seven requests at one door."""
    again = [Sent(door, "form", 200, 200, 0.01, kind="same again") for _ in range(2)]
    return {
        "groups": {
            Group(door, "form.submitted", "a lead"): 1,
            Group(door, "the same once more", "recognised"): 2,
            Group(door, "unreadable", "kept", "not JSON"): 2,
            Group(door, "turned away", "answered 401", "wrong secret"): 1,
        },
        "arrived": {"sent": 6},
        "sent": [
            Sent(door, "form", 200, 200, 0.01),
            *again,
            Sent(door, "garbage", 401, 401, 0.01),
        ],
        "tries": {"done": 50, "retry": 3, "limit": 2, "uncertain": 4},
        "reasons": {"found_by_marker": 1, "echo": 9},
        "by_echo": 0,
        "unfinished": {"receipts": 0, "events": 0, "deliveries": 0, "parked": 0},
        "alerts": [
            {"kind": "alert_unreadable", "words": "", "times": 1, "open": True},
            {"kind": "alert_breaker", "words": "", "times": 1, "open": False},
        ],
        "found": {one.name: 3 for one in people},
        "notes": {},
    }


def spoiled(door: str, person: Person, limited: str) -> Spoiled:
    """Return what spoils any company's evening."""
    return {
        "a 500": (lambda out: out.sent.append(Sent("site", "cart", 500, 200, 0.1)), "every request got the answer"),
        "slow": (lambda out: out.sent.append(Sent("site", "cart", 200, 200, 3.0)), "the answer came quickly"),
        "one lost": (lambda out: out.arrived.update(sent=7), "the account adds up"),
        "not found": (lambda out: out.found.update({person.name: 0}), "every accepted request can be found"),
        "done thrice": (
            lambda out: out.groups.pop(Group(door, "the same once more", "recognised")),
            "what came several times",
        ),
        "garbage gone": (
            lambda out: out.groups.pop(Group(door, "unreadable", "kept", "not JSON")),
            "garbage is kept",
        ),
        "no limit": (lambda out: out.tries.pop("limit"), f"{limited}'s limit"),
        "nobody told": (lambda out: out.alerts.pop(0), "a person was told"),
        "one parked": (lambda out: out.unfinished.update(parked=1), "nothing is left undone"),
    }


def failed(checks: Checks, outcome: Outcome) -> list[str]:
    """Return the statements that don't hold."""
    return [result.words for result in checks(outcome) if not result.ok]


def unwatched(checks: Checks, outcome: Outcome, spoils: Spoiled) -> list[str]:
    """Return the statements that nothing spoils."""
    watched = tuple(words for _, words in spoils.values())
    return [one.words for one in checks(outcome) if not one.words.startswith(watched)]
