"""Storms 3 and 11: the same thing many times. A copy is no second event; a burst of hints is few looks."""

from __future__ import annotations

from collections.abc import Callable

from tests.ruin.sender import form, message, send
from tests.ruin.storms import YAML, settled, sizes
from tests.ruin.tree import Tree
from tests.ruin.vendor import Vendor


@sizes(small=(20, 50), full=(200, 50))
def test_copies_in_parallel(
    size: tuple[int, int], vendor: Vendor, trees: Callable[..., Tree], figures: Callable[..., None]
) -> None:
    """Storm 3: each message 50 times at once is answered 2xx every time and takes effect once."""
    total, copies = size
    tree = trees(YAML.format(url=vendor.url)).start()
    # Every sender sends every message, in the same order: the copies of each meet on the way in.
    everything = [message(str(number), form(number)) for number in range(total)]
    sent = send(tree, [everything] * copies)
    tree.drain()
    assert sent.statuses == {200: total * copies}
    assert tree.number("SELECT count(*) FROM receipt") == total
    assert tree.number("SELECT count(*) FROM event") == total
    figures("3 copies", answered_2xx=total * copies, **settled(vendor, sent.accepted), slowest=f"{sent.slowest:.2f}s")


BURST = """
connections:
  crm: {{plugin: stand, url: "{url}"}}
  erp: {{plugin: stand, url: "{url}"}}
routes:
  - name: a deal that is won becomes an order
    on: crm.deal.stage_changed
    when: {{deal.stage: won}}
    do: erp.lead.create
    set: {{NUMBER: deal.id, SUBJECT: deal.stage}}
"""


@sizes(small=200, full=1000)
def test_a_burst_of_hints(
    size: int, vendor: Vendor, trees: Callable[..., Tree], figures: Callable[..., None]
) -> None:  # fmt: skip
    """Storm 11: a thousand hooks about one deal within a second or two become a few looks at it and one order."""
    tree = trees(BURST.format(url=vendor.url)).start()
    deal = vendor.create("deal", stage="new", NUMBER="deal", SUBJECT="deal")
    hint = {"type": "deal.updated", "subject": f"deal:{deal}", "hint": True}
    send(tree, [[message("first", hint)]], to="crm")
    tree.drain()
    vendor.update("deal", deal, stage="won")
    everything = [message(str(number), hint) for number in range(size)]
    sent = send(tree, [everything[n::16] for n in range(16)], to="crm")
    tree.drain()
    assert len(sent.accepted) == size
    state = vendor.state()
    orders = [one for one in state["creates"] if one["NUMBER"] == deal]
    looks = state["counts"]["get"]
    assert len(orders) == 1
    assert looks <= max(20, size // 10), looks
    assert tree.number("SELECT count(*) FROM event WHERE type = 'deal.stage_changed'") == 2
    figures(
        "11 burst", accepted=size, took=f"{sent.took:.1f}s", looks_at_the_vendor=looks, orders=len(orders),
        joined=tree.number("SELECT count(*) FROM event WHERE state = 'joined'"),
    )  # fmt: skip
