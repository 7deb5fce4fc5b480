"""What connectors look back at: events of their own connection, and acts whose outcome isn't known yet."""

from __future__ import annotations

from collections.abc import Sequence

from hub.model import Event
from hub.store import intake
from hub.store.engine import Db


def events(db: Db, connection: str, types: Sequence[str], since: float, word: str, limit: int) -> list[Event]:
    """Return a connection's events of some types stored since then, newest first; those found by `word`, if given."""
    columns = ", ".join(f"e.{name}" for name in intake.EVENT_COLUMNS.split(", "))
    found_by = "search s JOIN event e ON e.id = s.event" if word else "event e"
    only = "s.word = ? AND " if word else ""
    rows = db.rows(
        f"SELECT {columns} FROM {found_by} WHERE {only}e.at >= ? AND e.connection = ? "  # noqa: S608
        f"AND e.type IN ({','.join('?' * len(types))}) ORDER BY e.id DESC LIMIT ?",
        (*((word,) if word else ()), since, connection, *types, limit),
    )
    return [intake.event_of(row) for row in rows]


def acting(db: Db, connection: str, record: str, before: float) -> bool:
    """Return whether a delivery of an action on this record, made before, is claimed and not written down yet.

    Not when it was claimed counts: a doubtful one is claimed again to be looked into.
    """
    # `+` keeps the index on created_at out of it, which leads to nearly every delivery there ever was: this is asked
    # of what is unfinished, and that has an index of its own (delivery_ready).
    row = db.one(
        "SELECT 1 FROM delivery WHERE state = 'ready' AND started_at IS NOT NULL AND connection = ? "
        "AND action LIKE ? AND +created_at <= ? LIMIT 1",
        (connection, f"{record}.%", before),
    )
    return row is not None
