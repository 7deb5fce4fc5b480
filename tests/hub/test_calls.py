"""Calls under way: as many at once as allowed, the next without a turn, none that a failure stands before."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from hub import calls as calls_module
from hub import outcome
from hub.calls import OWN_THREADS, Calls
from hub.connector import ActionKind
from hub.errors import Retry
from hub.model import Action
from hub.work_items import Item
from tests.hub.fakes import WORLDS, Box, Poller, Sink, Source


class Now:
    now = 0.0


class Call(Item):
    """A call that waits until it is let go."""

    def __init__(self, n: int, connection: str = "crm", lane: str = "") -> None:
        super().__init__(Now(), f"{connection}>{n}", lane or connection, connection, "lease")
        self.n = n
        self.begun, self.go = threading.Event(), threading.Event()
        self.error: Exception | None = None


def make(item: Any) -> int:
    item.begun.set()
    assert item.go.wait(10)
    if item.error is not None:
        raise item.error
    return int(item.n)


@pytest.fixture
def calls() -> Iterator[Calls]:
    made = Calls(8, ("crm", "out"), make, threading.Event())
    yield made
    for item in made.held.values():
        item.go.set()  # type: ignore[attr-defined]


def until(what: Callable[[], Any]) -> None:
    deadline = time.monotonic() + 10
    while not what():
        assert time.monotonic() < deadline
        time.sleep(0.002)


def begun(items: list[Call]) -> list[int]:
    return [item.n for item in items if item.begun.is_set()]


def start(calls: Calls, items: list[Call], parallel: int = 2) -> None:
    calls.start(items, {name: parallel for name in ("crm", "out")}, time.monotonic())


def test_so_many_begin_at_once_and_the_next_as_soon_as_one_ends(calls: Calls) -> None:
    items = [Call(n) for n in range(4)]
    start(calls, items)
    until(lambda: begun(items) == [0, 1])
    assert (calls.claimed["crm"], len(calls.held)) == (4, 4)
    items[1].go.set()
    until(lambda: begun(items) == [0, 1, 2])  # nobody has written or claimed anything since
    assert [result for _, result in calls.collect(10)] == [1]
    calls.landed([items[1]])
    assert (calls.claimed["crm"], len(calls.held)) == (3, 3)


def test_what_a_person_waits_for_goes_before_what_was_claimed_ahead(calls: Calls) -> None:
    items = [Call(0), Call(1)]
    start(calls, items, parallel=1)
    urgent = Call(9, lane="crm:urgent")
    start(calls, [urgent], parallel=1)
    items[0].go.set()
    until(urgent.begun.is_set)
    assert begun(items) == [0]


def test_after_a_failure_nothing_claimed_ahead_begins(calls: Calls) -> None:
    items, others = [Call(n) for n in range(4)], [Call(n, "out") for n in range(3)]
    start(calls, [*items, *others])
    until(lambda: begun(items) == [0, 1] and begun(others) == [0, 1])
    items[0].error = Retry("away")
    items[0].go.set()
    until(lambda: calls.outcomes)
    items[1].go.set()  # this one went well, but the other's failure isn't looked at yet
    until(lambda: len(calls.outcomes) == 2)
    assert begun(items) == [0, 1] and calls.ahead("crm", 2) == 0
    others[0].go.set()
    until(lambda: begun(others) == [0, 1, 2])  # the other connection goes on
    back = calls.unbegun(stopping=False)
    assert [item.key for item in back] == ["crm>2", "crm>3"]
    calls.landed(back)
    fresh = [Call(7)]
    start(calls, fresh)  # claimed with the vendor's health looked at
    until(lambda: begun(fresh) == [7])


def test_two_connections_share_the_threads(calls: Calls) -> None:
    mine, theirs = [Call(n) for n in range(30)], [Call(n, "out") for n in range(30)]
    start(calls, mine, parallel=30)
    until(lambda: len(begun(mine)) == 8 + OWN_THREADS)
    start(calls, theirs, parallel=30)
    until(lambda: len(begun(theirs)) == OWN_THREADS)
    for item in mine[:8]:  # threads that become free go to both by turns
        item.go.set()
    until(lambda: len(begun(mine)) + len(begun(theirs)) == 8 + 2 * OWN_THREADS + 8)
    assert len(begun(theirs)) == OWN_THREADS + 4


def test_what_does_not_begin_soon_is_given_back(calls: Calls, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(calls_module, "SLOW", 0.05)
    items = [Call(n) for n in range(3)]
    start(calls, items)
    assert calls.unbegun(stopping=False) == []
    time.sleep(0.06)
    [back] = calls.unbegun(stopping=False)
    assert back is items[2] and calls.ahead("crm", 2) == 0
    calls.wait_again([back])  # it could not be given back: the store was away
    assert calls.unbegun(stopping=True) == [back]


def test_only_quick_calls_are_claimed_ahead(calls: Calls, monkeypatch: pytest.MonkeyPatch) -> None:
    assert calls.ahead("crm", 8) == 0  # nothing is known of it yet
    quick = Call(0)
    quick.go.set()
    start(calls, [quick])
    until(lambda: calls.outcomes)
    assert calls.ahead("crm", 8) == 8
    assert calls.ahead("crm", 3) == 3
    monkeypatch.setattr(calls_module, "SLOW", 0.01)
    slow = Call(1)
    start(calls, [slow])
    time.sleep(0.03)
    slow.go.set()
    until(lambda: len(calls.outcomes) == 2)
    assert calls.ahead("crm", 8) == 0


# --- a whole worker -------------------------------------------------------------------------------------


class Narrow(Sink):
    """Two calls at once, each of which takes some time."""

    name = "narrow"
    actions = (ActionKind("ping.send", uncertain="repeat"), ActionKind("letter.create", uncertain="assume_done"))

    def limits(self) -> Any:
        return super().limits().__class__(per_second=1e5, burst=100_000, parallel=2)


YAML = """
hub: {unrouted: ignore}
connections: {site: {plugin: source}, crm: {plugin: narrow}}
routes:
  - {name: out, on: site.form.submitted, do: crm.letter.create, set: {TITLE: form.n}}
"""


def test_a_backlog_is_done_two_at_a_time_and_once_each(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outcome, "BACKOFF", (0.05,))
    box = Box(tmp_path, YAML, plugins=(Source, Narrow, Poller), engines=2)
    world, under_way, most = WORLDS["crm"], Counter[str](), Counter[str]()

    def call(action: Action) -> None:
        engine = threading.current_thread().name
        under_way["now"] += 1
        most["at once"] = max(most["at once"], under_way["now"])
        time.sleep(0.01)
        under_way["now"] -= 1
        if action.values["TITLE"] == "20" and not most["failed"]:
            most["failed"] += 1
            raise Retry(f"{engine}: not now", after=0.01)

    world.fail = call
    for n in range(60):
        box.send({"type": "form.submitted", "subject": f"form:{n}", "record": {"form": {"n": str(n)}}})
    box.start()
    box.settle()
    box.close()
    assert most["at once"] <= 4 and most["failed"] == 1
    assert Counter(values["TITLE"] for _, _, values in world.acts) == {str(n): 1 for n in range(60)}
    assert {one["state"] for one in box.deliveries()} == {"done"}


def test_a_worker_that_stops_leaves_what_it_has_not_begun_as_it_was(tmp_path: Any) -> None:
    box = Box(tmp_path, YAML, plugins=(Source, Narrow, Poller))
    WORLDS["crm"].delay = 0.02
    for n in range(80):
        box.send({"type": "form.submitted", "subject": f"form:{n}", "record": {"form": {"n": str(n)}}})
    box.start()
    box.until(lambda: len(WORLDS["crm"].acts) > 10)
    box.close()
    assert box.one("SELECT count(*) FROM line WHERE lease IS NOT NULL") == 0
    assert box.one("SELECT count(*) FROM delivery WHERE state = 'ready' AND started_at IS NOT NULL") == 0
    assert box.one("SELECT count(*) FROM delivery WHERE state = 'done'") == len(WORLDS["crm"].acts)
