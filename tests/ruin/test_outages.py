"""Storms 1, 5 and 6: what the hub leans on goes away and comes back; a vendor's answer is lost after it took effect."""

from __future__ import annotations

import time
from collections.abc import Callable
from statistics import median

from tests.ruin.sender import form, message, send
from tests.ruin.storms import YAML, settled, sizes
from tests.ruin.tree import Tree, until
from tests.ruin.vendor import Vendor


@sizes(small=200, full=2000)
def test_everything_behind_the_door_is_down(
    size: int, vendor: Vendor, trees: Callable[..., Tree], figures: Callable[..., None]
) -> None:
    """Storm 1: Redis, workers and vendor are down; hooks are answered 2xx and on disk; all is delivered afterwards."""
    tree = trees(YAML.format(url=vendor.url)).start()
    vendor.control(down=True)
    # Stopped, not killed: the supervisor could start them again.
    tree.freeze("supervisor", "worker", "ticker", "redis")
    queues = [[message(str(n), form(n)) for n in range(k, size, 16)] for k in range(16)]
    sent = send(tree, queues, once=True)
    assert sent.statuses == {200: size}
    assert len(sent.accepted) == size
    assert tree.number("SELECT count(*) FROM receipt WHERE state = 'new'") == size
    # Worse still: power is cut to all of it. What was acknowledged must be on disk.
    tree.cut_power()
    tree.resurrect()
    vendor.control(down=False)
    tree.drain()
    figures("1 all down", answered_2xx=size, slowest=f"{sent.slowest:.3f}s", **settled(vendor, sent.accepted))


TWO = """
connections:
  site: {{plugin: stand}}
  crm: {{plugin: stand, url: "{crm}", settle: "1", timeout: "3"}}
  erp: {{plugin: stand, url: "{erp}", settle: "1", timeout: "3"}}
routes:
  - name: to the one that fails
    on: site.form.submitted
    do: crm.lead.create
    set: {{NUMBER: form.id, SUBJECT: form.fields.subject}}
  - name: to the other
    on: site.form.submitted
    do: erp.lead.create
    set: {{NUMBER: form.id, SUBJECT: form.fields.subject}}
"""


def pace(tree: Tree, other: Vendor, first: int, count: int) -> float:
    """Send messages and return the median seconds from sending one to its arrival at the other vendor."""
    sent_at: dict[str, float] = {}
    for number in range(first, first + count):
        sent_at[str(number)] = time.time()
        assert send(tree, [[message(str(number), form(number))]], once=True).accepted
        time.sleep(0.01)  # a steady stream, not a wait for anything
    want = {str(number) for number in range(first, first + count)}
    until(lambda: want <= {one["NUMBER"] for one in other.state()["creates"]}, 30.0)
    state = other.state()
    arrived = dict(zip((one["NUMBER"] for one in state["creates"]), create_times(state), strict=True))
    return median(arrived[number] - at for number, at in sent_at.items())


def create_times(state: dict) -> list[float]:  # type: ignore[type-arg]
    """Return when each create took effect."""
    return [at for what, at in state["acts"] if what == "create"]


@sizes(small=(40, "down"), full=(200, "hang"))
def test_a_vendor_is_away(
    size: tuple[int, str],
    vendors: Callable[[], Vendor],
    trees: Callable[..., Tree],
    figures: Callable[..., None],
) -> None:
    """Storm 5: one vendor is down or hangs. Nothing is parked, all arrives later, and the other never notices."""
    count, kind = size
    crm, erp = vendors(), vendors()
    tree = trees(TWO.format(crm=crm.url, erp=erp.url), workers=1).start()
    before = pace(tree, erp, 0, count)
    tree.drain()
    crm.control(**({"down": True} if kind == "down" else {"hang": 60.0}))
    during = pace(tree, erp, count, count)
    until(lambda: tree.number("SELECT count(*) FROM alert WHERE kind = 'alert_breaker' AND closed_at IS NULL"), 30.0)
    calls = crm.state()["counts"].get("create", 0)
    assert calls == count, "nothing new took effect while it was away"
    assert set(tree.states()) == {"done", "ready"}, "nothing is parked for an outage"
    crm.control(down=False, hang=0.0)
    tree.drain()
    everything = {str(number) for number in range(2 * count)}
    figure = settled(crm, everything)
    settled(erp, everything)
    assert tree.states() == {"done": 4 * count}
    until(lambda: tree.number("SELECT count(*) FROM alert WHERE closed_at IS NULL") == 0, 10.0)
    assert during < before + 0.5, f"the other vendor felt it: {before:.3f} s -> {during:.3f} s"
    figures(
        f"5 vendor {kind}", **figure, other_vendor_before=f"{before * 1000:.0f}ms",
        other_vendor_during=f"{during * 1000:.0f}ms",
    )  # fmt: skip


def test_a_short_outage_is_a_short_wait(vendor: Vendor, trees: Callable[..., Tree]) -> None:
    """Twenty calls that were under way as the vendor went away are one failure: the breaker opens for seconds."""
    vendor.control(delay=0.5)
    tree = trees(YAML.format(url=vendor.url), workers=1).start()
    send(tree, [[message(str(n), form(n)) for n in range(k, 64, 16)] for k in range(16)])
    vendor.control(down=True)
    opened = "SELECT open_until FROM health WHERE open_until IS NOT NULL"
    [[until_when]] = until(lambda: tree.rows(opened), 10.0)
    assert until_when - time.time() <= 5.0
    vendor.control(down=False, delay=0.0)
    tree.drain(30.0)
    settled(vendor, {str(n) for n in range(64)})


@sizes(small=60, full=600)
def test_lost_answers(
    size: int, vendor: Vendor, trees: Callable[..., Tree], figures: Callable[..., None]
) -> None:  # fmt: skip
    """Storm 6: half of all creates take effect and lose their answer. Each is found by its marker, none is doubled."""
    vendor.control(lose=0.5)
    tree = trees(YAML.format(url=vendor.url)).start()
    queues = [[message(str(n), form(n)) for n in range(k, size, 16)] for k in range(16)]
    sent = send(tree, queues)
    tree.drain()
    state = vendor.state()
    found = tree.number("SELECT count(*) FROM delivery WHERE reason LIKE '%found_by_marker%'")
    assert found == state["counts"]["lost"] > size // 5
    figures("6 lost answers", **settled(vendor, sent.accepted), lost_answers=state["counts"]["lost"], found=found)
