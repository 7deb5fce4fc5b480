"""A clock that is set back makes nothing wait longer, and frees nothing that somebody holds; on both databases."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

from hub.model import Watch
from hub.store import Db, Store, clock, state, work

HOUR = 3600.0


def went_back(store: Store, seconds: float) -> None:
    """Let the last look have been so much later than now."""
    with store.write() as db:
        state.set_fact(db, "clock", repr(db.now + seconds))


def line(db: Db, key: str, due: float, lease: str | None = None) -> None:
    db.insert("line", ("key", "lane", "due", "lease"), [(key, "crm", due, lease)])


def dues(store: Store) -> dict[str, float]:
    """Return key -> seconds until it is due."""
    with store.read() as db:
        return {row[0]: row[1] - db.now for row in db.rows("SELECT key, due FROM line")}


def near(seconds: float) -> object:
    return pytest.approx(seconds, abs=20.0)


class ClockContract:
    """Inherited by one class per database."""

    @pytest.fixture
    def store(self) -> Store:
        raise NotImplementedError

    def test_it_is_remembered_and_going_on_is_nothing(self, store: Store) -> None:
        assert clock.look(store) == 0.0
        with store.write() as db:
            line(db, "retry", db.now + HOUR)
            assert float(state.fact(db, "clock") or 0) == near(db.now)
        assert clock.look(store) == 0.0
        assert dues(store)["retry"] == near(HOUR)

    def test_a_small_correction_is_left_alone(self, store: Store) -> None:
        with store.write() as db:
            line(db, "retry", db.now + HOUR)
        went_back(store, 5.0)
        assert clock.look(store) == 0.0
        assert dues(store)["retry"] == near(HOUR)

    def test_what_is_due_later_is_due_that_much_earlier(self, store: Store) -> None:
        with store.write() as db:
            line(db, "over", db.now - 5)
            line(db, "soon", db.now + 10 * HOUR + 60)
            line(db, "later", db.now + 12 * HOUR)
            line(db, "now", db.now + 9 * HOUR)
            state.set_watches(db, "crm", [Watch("parcel", "7", after=11 * HOUR)])
            state.set_health(db, "crm", fails=5, open_until=db.now + 10 * HOUR + 300, probe_at=db.now + 10 * HOUR + 600)
        went_back(store, 10 * HOUR)
        assert clock.look(store) == near(10 * HOUR)
        found = dues(store)
        assert found["over"] == near(-5) and found["soon"] == near(60) and found["later"] == near(2 * HOUR)
        assert found["now"] == near(0)
        with store.read() as db:
            assert db.rows("SELECT due FROM watch")[0][0] - db.now == near(HOUR)
            health = state.healths(db)["crm"]
            assert (health.open_until or 0) - db.now == near(300) and (health.probe_at or 0) - db.now == near(600)
        assert clock.look(store) == 0.0, "it is done once"
        assert dues(store)["later"] == near(2 * HOUR)

    def test_a_lease_is_neither_lost_nor_endless(self, store: Store) -> None:
        with store.write() as db:
            line(db, "held", db.now + work.LEASE - 1, "a worker that renews")
            line(db, "dead", db.now + HOUR + work.LEASE, "a worker that is gone")
        went_back(store, HOUR)
        assert clock.look(store) > 0
        with store.write() as db:
            assert work.claim(db, "crm", 10, "another") == []
            db.now += work.LEASE + 1
            assert sorted(work.claim(db, "crm", 10, "another")) == ["dead", "held"]

    def test_ages_count_from_now(self, store: Store) -> None:
        columns = ("event", "route", "step", "connection", "action", "line", "state", "tries", "marker", "created_at")
        with store.write() as db:
            rows = [(n, "r", "0", "crm", "deal.create", "l", kind, 0, "m", db.now + HOUR)
                    for n, kind in enumerate(("ready", "done"))]  # fmt: skip
            db.insert("delivery", columns, rows)
        went_back(store, HOUR)
        clock.look(store)
        with store.read() as db:
            [(ready,), (done,)] = db.rows("SELECT created_at FROM delivery ORDER BY event")
            assert ready <= db.now
            assert done - db.now == near(HOUR), "history stays as it was written"

    def test_a_refresh_under_way_is_not_waited_for_longer(self, store: Store) -> None:
        with store.write() as db:
            db.insert("token", ("connection", "value", "version", "refreshing", "refreshing_until", "at"),
                      [("crm", b"x", 1, "ticket", db.now + HOUR + 30, db.now)])  # fmt: skip
        went_back(store, HOUR)
        clock.look(store)
        with store.read() as db:
            [(until,)] = db.rows("SELECT refreshing_until FROM token")
            assert until - db.now == near(30)


class TestClockSQLite(ClockContract):
    @pytest.fixture
    def store(self, sqlite_store: Store) -> Store:
        return sqlite_store

    def test_a_machine_whose_time_is_set_back_between_two_looks(
        self, store: Store, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        clock.look(store)
        with store.write() as db:
            line(db, "retry", db.now + 60)
        real = time.time
        monkeypatch.setattr("hub.store.engine.time.time", lambda: real() - 5 * HOUR)
        assert dues(store)["retry"] == near(5 * HOUR + 60)
        assert clock.look(store) == near(5 * HOUR)
        assert dues(store)["retry"] == near(60)


class TestClockPostgreSQL(ClockContract):
    @pytest.fixture
    def store(self, postgresql_store: Store) -> Store:
        return postgresql_store

    def test_the_time_of_day_of_this_machine_does_not_matter(
        self, store: Store, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        with store.read() as db:
            before = db.now
        real: Callable[[], float] = time.time
        monkeypatch.setattr("hub.store.engine.time.time", lambda: real() - 5 * HOUR)
        with store.read() as db:
            assert db.now == near(before) and store.clock() == near(before)
        store.ask_clock()
        with store.read() as db:
            assert db.now == near(before)
