"""Time in the demo: waiting until the hub has nothing left to do now, and letting minutes pass.

Nothing in the hub is told to hurry. Minutes pass by moving what the store remembers into the past: whatever was to
wait ten more minutes is then due, a settle time is over, a shut breaker may be tried. What a worker holds is left
alone.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from hub.store import Db, Store, state

#: what is due within this many seconds is waited for rather than skipped
SOON = 2.0


class NotQuiet(Exception):
    """The hub had still something to do when the patience ran out."""


def busy(db: Db) -> str:
    """Return what the hub is doing or is about to do, in words; "" when it rests."""
    if db.one("SELECT 1 FROM receipt WHERE state = 'new' LIMIT 1"):
        return "receipts to read"
    shut = {name for name, health in state.healths(db).items() if health.shut(db.now)}
    rows = db.rows("SELECT key, lane, lease FROM line WHERE key NOT LIKE 'in:%' AND due <= ?", (db.now + SOON,))
    rows += db.rows("SELECT key, lane, lease FROM line WHERE key NOT LIKE 'in:%' AND lease IS NOT NULL")
    doing = [key for key, lane, lease in rows if lease is not None or lane.partition(":")[0] not in shut]
    return f"{len(doing)} lines, {doing[0]} among them" if doing else ""


def quiet(store: Store, within: float = 30.0, more: Callable[[], bool] = lambda: False) -> None:
    """Return when the hub rests (twice in a row) and `more` says no; raise NotQuiet after `within` seconds."""
    deadline = time.monotonic() + within
    rests = 0
    while True:
        coming = more()
        with store.read() as db:
            doing = "news on its way" if coming else busy(db)
        rests = 0 if doing else rests + 1
        if rests >= 2:
            return
        if time.monotonic() > deadline:
            raise NotQuiet(f"after {within:.0f} s the hub still has {doing}")
        time.sleep(0.03)


def let_pass(store: Store, minutes: float) -> None:
    """Let so many minutes go by for everything that waits."""
    seconds = minutes * 60.0
    with store.write() as db:
        # First what a doubtful try began, while its line still tells that nobody holds it.
        db.run(
            "UPDATE delivery SET started_at = started_at - ? WHERE state = 'ready' AND started_at IS NOT NULL "
            "AND line IN (SELECT key FROM line WHERE lease IS NULL)",
            (seconds,),
        )
        db.run("UPDATE line SET due = due - ? WHERE lease IS NULL AND key NOT LIKE 'in:%'", (seconds,))
        db.run("UPDATE watch SET due = due - ?", (seconds,))
        db.run("UPDATE health SET open_until = open_until - ?, probe_at = probe_at - ?", (seconds, seconds))


def waits(db: Db) -> bool:
    """Return whether anything unfinished waits for a time to come (polls are always due again and don't count)."""
    return bool(
        db.one("SELECT 1 FROM delivery WHERE state = 'ready' LIMIT 1")
        or db.one("SELECT 1 FROM event WHERE state = 'waiting' LIMIT 1")
    )
