"""Pairs of a sync in the store, on both databases: one delivery at a time, one twin each, nothing forgotten."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from hub.store import Store, twins, work
from hub.store.engine import Db
from hub.store.twins import Settled


@pytest.fixture(params=["sqlite_store", "postgresql_store"])
def store(request: pytest.FixtureRequest) -> Iterator[Store]:
    """An empty store on each database."""
    yield request.getfixturevalue(request.param)


def delivery(db: Db, number: int, event: int = 0) -> int:
    """A delivery under way."""
    row = work.NewDelivery(
        event or number, f"r{number}", "0", "amo", "contact.upsert", f"l{number}", "amo", f"m{number}"
    )
    work.add_deliveries(db, [row])
    found = db.one("SELECT id FROM delivery WHERE marker = ?", (f"m{number}",))
    assert found is not None
    return int(found[0])


def end(db: Db, number: int) -> None:
    db.run("UPDATE delivery SET state = 'done' WHERE id = ?", (number,))


def test_one_delivery_at_a_time_looks_at_a_pair(store: Store) -> None:
    with store.write() as db:
        one, two = delivery(db, 1), delivery(db, 2)
        twins.settle(db, Settled("s", "contact", "5", "9"))
    with store.write() as db:
        mine = twins.claim(db, "s", "contact", "one", "5", one)
        assert mine is not None
        assert twins.claim(db, "s", "contact", "other", "9", two) is None
        again = twins.claim(db, "s", "contact", "one", "5", one)
        assert again is not None, "its own later try is itself"
    with store.write() as db:
        twins.let_go(db, mine.id, one, final=False)
        found = twins.claim(db, "s", "contact", "other", "9", two)
        assert found is not None
        assert (found.one, found.other, found.ref("forward"), found.ref("back")) == ("5", "9", "9", "5")


def test_one_that_never_comes_back_is_not_waited_for_for_ever(store: Store) -> None:
    with store.write() as db:
        one, two = delivery(db, 1), delivery(db, 2)
        twins.settle(db, Settled("s", "contact", "5", "9"))
        assert twins.claim(db, "s", "contact", "one", "5", one) is not None
        db.run("UPDATE twin SET busy_at = ?", (db.now - twins.BUSY - 1,))
        assert twins.claim(db, "s", "contact", "one", "5", two) is not None


def test_the_right_to_make_a_twin_is_kept_as_long_as_the_delivery_lives(store: Store) -> None:
    """However long it takes: a second one would make a second record."""
    with store.write() as db:
        one, two = delivery(db, 1), delivery(db, 2)
        made = twins.claim(db, "s", "contact", "one", "5", one)
        assert made is not None
        assert made.state == "making"
        twins.let_go(db, made.id, one, final=False)
        db.run("UPDATE twin SET busy_at = ?", (db.now - 3600,))
        assert twins.claim(db, "s", "contact", "one", "5", two) is None
        assert twins.claim(db, "s", "contact", "one", "5", one) is not None, "its own later try"
        end(db, one)
        assert twins.claim(db, "s", "contact", "one", "5", two) is not None, "at once, for it was given up"


def test_what_found_and_made_nothing_leaves_nothing(store: Store) -> None:
    with store.write() as db:
        one = delivery(db, 1)
        made = twins.claim(db, "s", "contact", "one", "5", one)
        assert made is not None
        twins.let_go(db, made.id, one, final=True)
        assert twins.find(db, "s", "contact", "one", "5") is None


def test_parallel_claims_of_one_record_make_one_row(store: Store) -> None:
    with store.write() as db:
        numbers = [delivery(db, n) for n in range(8)]
    start = threading.Barrier(8)

    def claim(number: int) -> bool:
        start.wait(10)
        with store.write() as db:
            return twins.claim(db, "s", "contact", "one", "5", number) is not None

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(claim, numbers)) == 1
    with store.read() as db:
        assert db.one("SELECT count(*) FROM twin")[0] == 1  # type: ignore[index]


def test_two_that_look_for_each_other_become_one_pair(store: Store) -> None:
    with store.write() as db:
        here, there = delivery(db, 1), delivery(db, 2)
        ours = twins.claim(db, "s", "contact", "one", "5", here)
        theirs = twins.claim(db, "s", "contact", "other", "9", there)
        assert ours is not None
        assert theirs is not None
        paired = twins.pair(db, ours, "one", "9")
        assert paired is not None
        assert (paired.one, paired.other, paired.state) == ("5", "9", "kept")
        assert db.one("SELECT count(*) FROM twin")[0] == 1  # type: ignore[index]
        third = twins.claim(db, "s", "contact", "one", "6", delivery(db, 3))
        assert third is not None
        assert twins.pair(db, third, "one", "9") is None


def test_two_that_find_each_other_in_the_same_moment_become_one_pair(store: Store) -> None:
    with store.write() as db:
        here = [delivery(db, n) for n in range(6)]
        there = [delivery(db, 10 + n) for n in range(6)]
        ours = [twins.claim(db, "s", "contact", "one", f"a{n}", here[n]) for n in range(6)]
        theirs = [twins.claim(db, "s", "contact", "other", f"b{n}", there[n]) for n in range(6)]
    start = threading.Barrier(12)

    def pair(n: int, side: str) -> bool:
        twin = ours[n] if side == "one" else theirs[n]
        assert twin is not None
        start.wait(10)
        with store.write() as db:
            return twins.pair(db, twin, side, f"b{n}" if side == "one" else f"a{n}") is not None

    with ThreadPoolExecutor(12) as pool:
        won = [(n, pool.submit(pair, n, side)) for n in range(6) for side in ("one", "other")]
        assert sorted(n for n, each in won if each.result()) == list(range(6)), "one of each two"
    with store.read() as db:
        assert {(t.one, t.other, t.state) for t in twins.all_of(db, "s", "contact")} == {
            (f"a{n}", f"b{n}", "kept") for n in range(6)
        }


def test_a_record_has_one_twin(store: Store) -> None:
    with store.write() as db:
        assert twins.settle(db, Settled("s", "contact", "5", "9", {"a": ["1", "1"]}))
        assert not twins.settle(db, Settled("s", "contact", "5", "8"))
        assert not twins.settle(db, Settled("s", "contact", "4", "9"))
        assert twins.settle(db, Settled("s", "deal", "5", "8"))
        assert twins.settle(db, Settled("other", "contact", "5", "8"))
        assert [one.other for one in twins.all_of(db, "s", "contact")] == ["9"]


def test_what_is_agreed_adds_up_and_news_of_it_is_over(store: Store) -> None:
    with store.write() as db:
        twins.settle(db, Settled("s", "contact", "5", "9", {"a": ["1", "1"], "b": ["2", "2"]}))
        twin = twins.find(db, "s", "contact", "one", "5")
        assert twin is not None
        twins.tell(db, twin, "one", {"a": "x", "b": "y"}, 100.0, {})
        twin = twins.find(db, "s", "contact", "one", "5")
        assert twin is not None
        twins.tell(db, twin, "one", {"a": "x", "b": "z"}, 200.0, {"c": ["3", "3"]})
        twin = twins.find(db, "s", "contact", "one", "5")
        assert twin is not None
        assert twin.told == {"one": {"a": [100.0, "x"], "b": [200.0, "z"]}}, "the time of the value that stands now"
        twins.settle(db, Settled("s", "contact", "5", "9", {"a": ["x", "x"]}, wrote=True))
        twin = twins.find(db, "s", "contact", "other", "9")
        assert twin is not None
        assert twin.agreed == {"a": ["x", "x"], "b": ["2", "2"], "c": ["3", "3"]}
        assert twin.told == {"one": {"b": [200.0, "z"]}}
        assert len(twin.writes) == 1


def test_a_look_takes_nothing_back_that_was_settled_meanwhile(store: Store) -> None:
    """On PostgreSQL a delivery may settle a pair between the look at it and the note about that look."""
    with store.write() as db:
        twins.settle(db, Settled("s", "contact", "5", "9", {"a": ["1", "1"], "b": ["2", "2"]}))
        looked = twins.find(db, "s", "contact", "one", "5")
        assert looked is not None
    with store.write() as db:
        twins.settle(db, Settled("s", "contact", "5", "9", {"a": ["x", "x"]}))
    with store.write() as db:
        twins.tell(db, looked, "one", {"b": "y"}, 100.0, {"a": ["old", "1"], "b": ["2.0", "2"]})
        now = twins.reread(db, looked.id)
        assert now is not None
        assert now.agreed == {"a": ["x", "x"], "b": ["2.0", "2"]}
        assert now.told == {"one": {"b": [100.0, "y"]}}


def test_the_breaker_counts_a_minute(store: Store) -> None:
    with store.write() as db:
        for _ in range(3):
            twins.settle(db, Settled("s", "contact", "5", "9", wrote=True))
        db.now += twins.MINUTE + 1
        twins.settle(db, Settled("s", "contact", "5", "9", wrote=True))
        twin = twins.find(db, "s", "contact", "one", "5")
        assert twin is not None
        assert len(twin.writes) == 1


@pytest.mark.parametrize("forget", [True, False])
def test_a_deletion_ends_a_pair(store: Store, forget: bool) -> None:
    with store.write() as db:
        twins.settle(db, Settled("s", "contact", "5", "9"))
        twins.lose(db, "s", "contact", "other", "9", forget)
        twins.lose(db, "s", "contact", "other", "77", forget)
        found = twins.find(db, "s", "contact", "one", "5")
        assert (found is None) == forget
        assert found is None or found.state == "gone"


@pytest.mark.parametrize("forget", [True, False])
@pytest.mark.parametrize("wrote", [True, False])
def test_a_call_that_ends_after_the_deletion_revives_nothing(store: Store, forget: bool, wrote: bool) -> None:
    with store.write() as db:
        twins.settle(db, Settled("s", "contact", "5", "9"))
        id = delivery(db, 1)
        twin = twins.claim(db, "s", "contact", "one", "5", id)
        assert twin is not None
        twins.lose(db, "s", "contact", "other", "9", forget)
        assert twins.settle(db, Settled("s", "contact", "5", "9", {"name": ["a", "a"]}, wrote, pair=twin.id))
        found = twins.find(db, "s", "contact", "one", "5")
        assert (found is None) == forget
        assert found is None or found.state == "gone"


def test_a_twin_made_for_a_record_that_was_deleted_meanwhile_is_no_pair(store: Store) -> None:
    with store.write() as db:
        twin = twins.claim(db, "s", "contact", "one", "5", delivery(db, 1))
        assert twin is not None
        twins.lose(db, "s", "contact", "one", "5", True)
        assert twins.settle(db, Settled("s", "contact", "5", "9", wrote=True, pair=twin.id))
        assert twins.find(db, "s", "contact", "one", "5") is None
        again = twins.claim(db, "s", "contact", "one", "6", delivery(db, 2))
        assert again is not None
        assert twins.settle(db, Settled("s", "contact", "6", "10", wrote=True, pair=again.id))
        assert (made := twins.find(db, "s", "contact", "one", "6")) is not None and made.other == "10"


def test_a_backlog_holds_each_record_once_and_tells_how_far_it_is(store: Store) -> None:
    rows = [("contact", "crm", "1", "create", None, {"id": "1"}), ("contact", "crm", "2", "merge", {"code": "x"}, None)]
    with store.write() as db:
        assert twins.add_backlog(db, "s", rows) == 2
        assert twins.add_backlog(db, "s", rows[:1]) == 0
        assert twins.kinds_waiting(db, "s") == [("contact", "crm")]
        [one] = twins.waiting(db, "s", "contact", ["crm"], 10)
        assert (one.ref, one.content) == ("1", {"id": "1"})
        number = delivery(db, 1, event=50)
        twins.fed(db, [(one.id, 50)])
        assert twins.kinds_waiting(db, "s") == twins.waiting(db, "s", "contact", ["crm"], 10) == []
        assert twins.unfinished(db, "s", ["contact"])
        assert not twins.unfinished(db, "s", ["deal"])
        end(db, number)
        assert not twins.unfinished(db, "s", ["contact"])
        assert twins.progress(db, "s") == [
            {"record": "contact", "plan": "create", "state": "done", "count": 1},
            {"record": "contact", "plan": "merge", "state": "nothing", "count": 1},
        ]
        assert twins.add_backlog(db, "s", [("contact", "crm", "1", "update", None, None)]) == 1, "it waits anew"


@pytest.mark.parametrize("wait", ["retry", "hold", "drift", "human"])
def test_what_waits_for_long_is_not_moving_nor_what_stands_behind_it(store: Store, wait: str) -> None:
    """A contact that is tried again for three days doesn't hold up every deal."""
    with store.write() as db:
        twins.add_backlog(db, "s", [("contact", "crm", "1", "create", None, None)])
        [one] = twins.waiting(db, "s", "contact", ["crm"], 10)
        twins.fed(db, [(one.id, 50)])
        first, behind = delivery(db, 1, event=49), delivery(db, 2, event=50)
        assert twins.moving(db, "s", ["contact"])
        db.run("UPDATE delivery SET line = 'l1'")
        db.run("UPDATE delivery SET wait = ? WHERE id = ?", (wait, first))
        assert not twins.moving(db, "s", ["contact"]), "it stands behind one that waits"
        assert twins.unfinished(db, "s", ["contact"])
        end(db, first)
        assert twins.moving(db, "s", ["contact"])
        db.run("UPDATE delivery SET wait = ? WHERE id = ?", (wait, behind))
        assert not twins.moving(db, "s", ["contact"])


def test_records_that_are_carried_no_more_are_taken_out_with_a_reason(store: Store) -> None:
    rows = [("deal", "crm", str(n), "create", None, {"id": str(n)}) for n in range(5)]
    with store.write() as db:
        twins.add_backlog(db, "s", [*rows, ("contact", "amo", "9", "create", None, None)])
        assert twins.give_up_waiting(db, "s", "deal", "crm", {"code": "x"}, 3) == 3
        assert twins.kinds_waiting(db, "s") == [("contact", "amo"), ("deal", "crm")]
        assert twins.give_up_waiting(db, "s", "deal", "crm", {"code": "x"}, 3) == 2
        assert twins.kinds_waiting(db, "s") == [("contact", "amo")]
        assert db.rows("SELECT DISTINCT reason, content FROM backlog WHERE record = 'deal'") == [('{"code":"x"}', None)]


def test_how_a_sync_stands(store: Store) -> None:
    with store.write() as db:
        assert twins.states(db) == {}
        twins.set_state(db, "s", "reading")
        twins.set_state(db, "s", "first", fed_at=5.0)
        found = twins.states(db)["s"]
        assert (found.state, found.fed_at, found.carries) == ("first", 5.0, True)
        assert found.started_at is not None
        assert not twins.has_work(db, "nobody")
        assert twins.has_work(db, "s")
        twins.set_state(db, "s", "on")
        assert not twins.has_work(db, "s")
