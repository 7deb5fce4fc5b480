"""Letting minutes pass, and telling when the hub rests."""

from __future__ import annotations

import pytest

from hub.demo import clock
from hub.store import Store, work


def line(store: Store, key: str) -> float:
    with store.read() as db:
        return float(db.rows("SELECT due FROM line WHERE key = ?", (key,))[0][0])


def test_what_waits_comes_due_and_what_is_held_stays_held(sqlite_store: Store) -> None:
    with sqlite_store.write() as db:
        now = db.now
        work.ensure_lines(db, {"crm>deal:1": "crm", "crm>deal:2": "crm"})
        db.run("UPDATE line SET due = ?", (now + 600,))
        db.run("UPDATE line SET lease = 'worker-1' WHERE key = 'crm>deal:2'")
    clock.let_pass(sqlite_store, 10)
    assert line(sqlite_store, "crm>deal:1") == pytest.approx(now)
    assert line(sqlite_store, "crm>deal:2") == pytest.approx(now + 600)


def test_quiet_tells_what_it_waited_for(sqlite_store: Store) -> None:
    clock.quiet(sqlite_store, within=1)
    with sqlite_store.write() as db:
        work.ensure_lines(db, {"crm>deal:1": "crm"})
    with pytest.raises(clock.NotQuiet, match="crm>deal:1"):
        clock.quiet(sqlite_store, within=0.2)


def test_a_shut_breaker_is_not_waited_for(sqlite_store: Store) -> None:
    with sqlite_store.write() as db:
        work.ensure_lines(db, {"nova>deal:1": "nova"})
        db.run("INSERT INTO health (connection, paused, fails, open_until) VALUES ('nova', 0, 5, ?)", (db.now + 60,))
    clock.quiet(sqlite_store, within=1)
