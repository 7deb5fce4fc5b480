"""The store's clock went back (set by hand, by a time server, a restored machine): what waits must not wait longer.

Due times are instants of that clock. Set back by an hour, it would make each wait an hour longer. The sweeper
remembers how late it was; where it is suddenly earlier, what is due later becomes due that much earlier.
"""

from __future__ import annotations

from hub.store import state
from hub.store.engine import Db, Store
from hub.store.work import LEASE

#: steps back of fewer seconds are left alone: they are the ordinary corrections of a time server
STEP = 30.0
_FACT = "clock"


def look(store: Store) -> float:
    """Remember how late it is; return by how many seconds the clock went back since the last look, usually 0.0."""
    store.ask_clock()
    with store.write() as db:
        db.lock([_FACT])  # of several sweepers one pulls
        known = state.fact(db, _FACT)
        back = float(known) - db.now if known else 0.0
        if back > STEP:
            pull(db, back)
        state.set_fact(db, _FACT, repr(db.now))
    return back if back > STEP else 0.0


def pull(db: Db, back: float) -> None:
    """Make everything that is due later due `back` seconds earlier, at the earliest now.

    A lease is kept as long as one lasts: whoever holds it renews it, and nobody is to take it over before that.
    """
    now = db.now
    if db.postgresql:  # in the order in which those who work lock them
        db.rows("SELECT key FROM line WHERE due > ? ORDER BY key FOR UPDATE", (now,))
    db.run("UPDATE line SET due = ? WHERE lease IS NOT NULL AND due > ?", (now + LEASE, now + LEASE))
    for table, column, also in (
        ("line", "due", " AND lease IS NULL"),
        ("watch", "due", ""),
        ("health", "open_until", ""),
        ("health", "probe_at", ""),
        ("token", "refreshing_until", ""),
    ):
        db.run(
            f"UPDATE {table} SET {column} = CASE WHEN {column} - ? < ? THEN ? ELSE {column} - ? END "  # noqa: S608
            f"WHERE {column} > ?{also}",
            (back, now, now, back, now),
        )
    # Ages count from here. (What a doubt counts from, started_at, is looked at by each claim.)
    db.run("UPDATE delivery SET created_at = ? WHERE state = 'ready' AND created_at > ?", (now, now))
