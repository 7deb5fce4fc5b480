"""How connections are, what a human must know, where polls left off, what was last seen, what adds up."""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from hub.model import Watch
from hub.store.engine import Db
from hub.store.json import dumps, loads

# --- facts ---------------------------------------------------------------------------------------


def instance(db: Db) -> str:
    """Return the id of this installation, made at first use; it marks what the hub creates at vendors."""
    db.insert("fact", ("name", "value"), [("instance", uuid.uuid4().hex[:8])], "ON CONFLICT DO NOTHING")
    row = db.one("SELECT value FROM fact WHERE name = 'instance'")
    assert row is not None
    return str(row[0])


def set_fact(db: Db, name: str, value: str) -> None:
    """Write one fact."""
    db.insert("fact", ("name", "value"), [(name, value)], "ON CONFLICT (name) DO UPDATE SET value = excluded.value")


def fact(db: Db, name: str) -> str | None:
    """Return one fact, or None."""
    row = db.one("SELECT value FROM fact WHERE name = ?", (name,))
    return str(row[0]) if row else None


# --- health of a connection ----------------------------------------------------------------------


@dataclass(slots=True)
class Health:
    """Whether calls of a connection may go out, and why not."""

    connection: str
    paused: bool = False
    held: dict[str, Any] | None = None
    open_until: float | None = None
    fails: int = 0
    last_ok: float | None = None
    settings: str | None = None
    probe_at: float | None = None

    def shut(self, now: float) -> str | None:
        """Return why nothing may go out now: `paused`, `held`, `breaker`; None if it may."""
        if self.paused:
            return "paused"
        if self.held is not None and (self.probe_at is None or self.probe_at > now):
            return "held"
        if self.open_until is not None and self.open_until > now:
            return "breaker"
        return None


def healths(db: Db) -> dict[str, Health]:
    """Return the health of every connection that has any."""
    rows = db.rows("SELECT connection, paused, held, open_until, fails, last_ok, settings, probe_at FROM health")
    return {row[0]: Health(row[0], bool(row[1]), loads(row[2]), row[3], row[4], row[5], row[6], row[7]) for row in rows}


def set_health(db: Db, connection: str, **changes: Any) -> None:
    """Write some columns of a connection's health (`held` as a mapping or None)."""
    if "held" in changes and changes["held"] is not None:
        changes["held"] = dumps(changes["held"])
    columns = {"paused": False, "fails": 0, **changes}
    update = ", ".join(f"{name} = excluded.{name}" for name in changes)
    db.insert(
        "health", ("connection", *columns), [(connection, *columns.values())],
        f"ON CONFLICT (connection) DO UPDATE SET {update}",
    )  # fmt: skip


@dataclass(frozen=True)
class Failing:
    """A connection of which every call has failed since an instant, and what the last one said."""

    since: float
    why: str


def note_failure(db: Db, connection: str, why: str, first: bool) -> None:
    """Remember since when a connection has been failing: `first` is the first failure after a success."""
    name = f"failing:{connection}"
    before = None if first else loads(fact(db, name))
    set_fact(db, name, dumps({"since": before["since"] if before else db.now, "why": why}))


def failing(db: Db) -> dict[str, Failing]:
    """Return the connections that have been failing without one success."""
    rows = db.rows("SELECT name, value FROM fact WHERE name LIKE 'failing:%'")
    known = healths(db)
    noted = {name.partition(":")[2]: loads(value) for name, value in rows}
    return {name: Failing(**one) for name, one in noted.items() if name in known and known[name].fails}


def lift(db: Db, connection: str, **changes: Any) -> None:
    """Forget a connection's hold and breaker, close their alerts, and make due what waited because of them."""
    set_health(db, connection, held=None, fails=0, open_until=None, probe_at=None, settings=None, **changes)
    for cause in ("auth", "breaker"):
        close_alerts(db, f"{cause}:{connection}")
    waiting = (
        "SELECT line FROM delivery WHERE state = 'ready' AND connection = ? AND wait IN ('hold', 'retry') "
        "UNION SELECT line FROM event WHERE state = 'waiting' AND connection = ?"
    )
    db.run(
        f"UPDATE line SET due = ? WHERE lease IS NULL AND due > ? AND (key IN ({waiting}) OR key LIKE ?)",  # noqa: S608
        (db.now, db.now, connection, connection, f"poll:{connection}:%"),
    )


# --- alerts --------------------------------------------------------------------------------------


def open_alert(db: Db, cause: str, kind: str, connection: str | None, params: Mapping[str, Any]) -> bool:
    """Raise an alert, or count it again if its cause is open already; return whether it is new."""
    rows = db.insert(
        "alert", ("cause", "kind", "connection", "params", "opened_at", "last_at", "count"),
        [(cause, kind, connection, dumps(dict(params)), db.now, db.now, 1)],
        "ON CONFLICT (cause) WHERE closed_at IS NULL DO UPDATE SET count = alert.count + 1, "
        "last_at = excluded.last_at, params = excluded.params",
        "count",
    )  # fmt: skip
    return bool(rows) and rows[0][0] == 1


def close_alerts(db: Db, cause: str) -> int:
    """Close the open alert of a cause; return how many that were."""
    return db.run("UPDATE alert SET closed_at = ? WHERE closed_at IS NULL AND cause = ?", (db.now, cause))


def close_alerts_of(db: Db, kind: str) -> int:
    """Close all open alerts of a kind; return how many."""
    return db.run("UPDATE alert SET closed_at = ? WHERE closed_at IS NULL AND kind = ?", (db.now, kind))


# --- polls ---------------------------------------------------------------------------------------


def cursor(db: Db, connection: str, what: str) -> Any:
    """Return where a poll left off; None at first."""
    row = db.one("SELECT value FROM cursor WHERE connection = ? AND what = ?", (connection, what))
    return loads(row[0]) if row else None


def set_cursor(db: Db, connection: str, what: str, value: Any, fails: int = 0, reason: Any = None) -> None:
    """Remember where a poll left off; `fails` in a row with the last `reason` otherwise leave the value alone."""
    if fails:
        db.insert(
            "cursor", ("connection", "what", "value", "at", "fails", "reason"),
            [(connection, what, None, db.now, fails, dumps(reason))],
            "ON CONFLICT (connection, what) DO UPDATE SET at = excluded.at, fails = cursor.fails + 1, "
            "reason = excluded.reason",
        )  # fmt: skip
        return
    db.insert(
        "cursor", ("connection", "what", "value", "at", "fails", "reason"),
        [(connection, what, dumps(value), db.now, 0, None)],
        "ON CONFLICT (connection, what) DO UPDATE SET value = excluded.value, at = excluded.at, fails = 0, "
        "reason = NULL",
    )  # fmt: skip


def set_watches(db: Db, connection: str, watches: Iterable[Watch]) -> None:
    """Start, re-time or end (after=None) the watching of records."""
    for watch in watches:
        if watch.after is None:
            db.run(
                "DELETE FROM watch WHERE connection = ? AND kind = ? AND ref = ?", (connection, watch.kind, watch.id)
            )
            continue
        db.insert(
            "watch", ("connection", "kind", "ref", "due", "data", "since"),
            [(connection, watch.kind, watch.id, db.now + watch.after, dumps(watch.data), db.now)],
            "ON CONFLICT (connection, kind, ref) DO UPDATE SET due = excluded.due, data = excluded.data",
        )  # fmt: skip


def due_watches(db: Db, connection: str, kind: str, limit: int = 500) -> list[Watch]:
    """Return the watched records that are due to be asked about, longest due first."""
    rows = db.rows(
        "SELECT kind, ref, data FROM watch WHERE connection = ? AND kind = ? AND due <= ? ORDER BY due LIMIT ?",
        (connection, kind, db.now, limit),
    )
    return [Watch(row[0], row[1], loads(row[2])) for row in rows]


# --- last seen -----------------------------------------------------------------------------------


def seen(db: Db, connection: str, subject: str) -> dict[str, Any] | None:
    """Return the record as it was last seen, or None."""
    row = db.one("SELECT record FROM seen WHERE connection = ? AND subject = ?", (connection, subject))
    return loads(row[0]) if row else None


def set_seen(db: Db, connection: str, subject: str, record: Mapping[str, Any]) -> None:
    """Remember a record as it is now."""
    db.insert(
        "seen", ("connection", "subject", "record", "at"), [(connection, subject, dumps(dict(record)), db.now)],
        "ON CONFLICT (connection, subject) DO UPDATE SET record = excluded.record, at = excluded.at",
    )  # fmt: skip


def forget_seen(db: Db, connection: str, subject: str) -> None:
    """Forget a record that was deleted."""
    db.run("DELETE FROM seen WHERE connection = ? AND subject = ?", (connection, subject))


# --- counters, search, rejected ------------------------------------------------------------------


def count(db: Db, counts: Mapping[tuple[str, str], int]) -> None:
    """Add to today's counters when the transaction ends: (connection, name) -> how many."""
    db.count(dt.datetime.fromtimestamp(db.now, dt.UTC).date().isoformat(), counts)


def add_search(db: Db, words: Iterable[tuple[str, int]]) -> None:
    """Make events findable by normalised words."""
    rows = sorted(set(words))
    if rows:
        db.insert("search", ("word", "event"), rows, "ON CONFLICT DO NOTHING")


def add_rejected(db: Db, rows: Sequence[tuple[str, float, int, str, str]], keep: int = 200) -> None:
    """Keep masked traces of rejected requests, the newest `keep` of each connection."""
    db.insert("rejected", ("connection", "at", "status", "reason", "request"), rows)
    for connection in sorted({row[0] for row in rows}):
        db.run(
            "DELETE FROM rejected WHERE connection = ? AND id <= (SELECT id FROM rejected WHERE connection = ? "
            "ORDER BY id DESC LIMIT 1 OFFSET ?)",
            (connection, connection, keep),
        )
