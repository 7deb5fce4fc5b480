"""Storm 4: 200 deals x 30 shuffled statuses, one try in ten fails, several workers.

A parcel's statuses come in any order; each carries when it happened. The deal must end where the newest status puts
it, and must never, not for a moment, have gone backward.
"""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable, Sequence
from typing import Any

from tests.ruin.sender import Message, message, send
from tests.ruin.storms import sizes
from tests.ruin.tree import Tree
from tests.ruin.vendor import Vendor

STAGES = ["to_ship", "shipped", "at_branch", "won"]
WAY = {"in_transit": "shipped", "arrived": "at_branch", "delivered": "won"}

YAML = """
connections:
  np: {{plugin: stand}}
  crm: {{plugin: stand, url: "{url}", settle: "1"}}
routes:
  - name: the parcel moves the deal
    on: np.parcel.status_changed
    do: crm.deal.set_stage
    find: {{TTN: parcel.number}}
    missing: park
    stage: {{in_transit: shipped, arrived: at_branch, delivered: won, other: ignore}}
"""


def shuffled(number: str, statuses: int, dice: random.Random) -> tuple[list[Message], str]:
    """Return a parcel's messages in any order, and the stage its deal must end in."""
    words = sorted((dice.choice(list(WAY)) for _ in range(statuses)), key=list(WAY).index)
    messages = []
    for at, word in enumerate(words):
        record = {"parcel": {"number": number, "status": word}}
        event = {"type": "parcel.status_changed", "subject": f"parcel:{number}", "record": record, "at": 1e9 + at}
        messages.append(message(f"{number}-{at}", event))
    dice.shuffle(messages)
    return messages, WAY[words[-1]]


def check_stages(vendor: Vendor, deals: dict[str, str], wanted: dict[str, str]) -> dict[str, int]:
    """Assert the final stages and that no deal ever went backward; return the figures."""
    state = vendor.state()
    wrong = {n: state["records"]["deal"][id]["stage"] for n, id in deals.items()
             if state["records"]["deal"][id]["stage"] != wanted[n]}  # fmt: skip
    backward = sum(_backward(moves) for moves in state["history"].values())
    moves = sum(map(len, state["history"].values()))
    assert not wrong, f"{len(wrong)} deals stand wrong: {dict(list(wrong.items())[:5])}"
    assert not backward
    return {"wrong_stages": len(wrong), "backward": backward, "moves": moves, "calls_failed": state["counts"]["failed"]}


def _backward(moves: Sequence[str]) -> int:
    places = [STAGES.index(stage) for stage in moves]
    return sum(a > b for a, b in itertools.pairwise(places))


def storm(
    tree: Tree, vendor: Vendor, deals: int, statuses: int, during: Callable[[], Any] = lambda: None
) -> dict[str, int]:
    """Send the statuses of all deals at once, drain, and check."""
    dice = random.Random(4)
    ids = {f"2045{n:06}": "" for n in range(deals)}
    for number in ids:
        ids[number] = vendor.create("deal", TTN=number, stage="to_ship", NUMBER=number, SUBJECT=number)
    vendor.control(fail=0.1)
    wanted, everything = {}, []
    for number in ids:
        messages, wanted[number] = shuffled(number, statuses, dice)
        everything += messages
    dice.shuffle(everything)
    during()
    sent = send(tree, [everything[n::16] for n in range(16)], to="np", within=240.0)
    assert len(sent.accepted) == deals * statuses
    tree.drain(240.0)
    late = tree.number("SELECT count(*) FROM event WHERE state = 'echo'")
    figures = check_stages(vendor, ids, wanted)
    states = tree.states()
    assert set(states) <= {"done", "skipped"}, states
    return {"accepted": len(sent.accepted), "late_and_kept": late, "deliveries": sum(states.values()), **figures}


@sizes(small=(25, 12), full=(200, 30))
def test_shuffled_statuses(
    size: tuple[int, int], vendor: Vendor, trees: Callable[..., Tree], figures: Callable[..., None]
) -> None:
    """size: deals, statuses of each."""
    tree = trees(YAML.format(url=vendor.url), workers=3).start()
    figures("4 order", **storm(tree, vendor, *size))
