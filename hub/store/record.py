"""Writing down what came of tries: attempts, states, links, waits, all in the caller's one transaction."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from hub.store.engine import Db
from hub.store.json import dumps, loads

_ATTEMPT = ("delivery", "n", "at", "took_ms", "outcome", "reason", "exchanges")


def add_attempts(db: Db, rows: Sequence[tuple[int, int, float, int, str, Any, Any]]) -> None:
    """Store tries: (delivery, n, at, ms, outcome, reason, exchanges)."""
    if rows:
        db.insert(
            "attempt", _ATTEMPT,
            [(*row[:5], dumps(row[5]) if row[5] else None, dumps(row[6]) if row[6] else None) for row in rows],
        )  # fmt: skip


def park_strays(db: Db, connection: str) -> int:
    """Park what waits for a connection that is no more; return how many deliveries that were."""
    reason = dumps({"code": "connection_gone", "params": {"connection": connection}})
    parked = db.run(
        "UPDATE delivery SET state = 'parked', reason = ?, wait = NULL, finished_at = ? "
        "WHERE state = 'ready' AND connection = ?",
        (reason, db.now, connection),
    )
    db.run("DELETE FROM line WHERE lane IN (?, ?, ?)", (connection, f"{connection}:urgent", f"{connection}:bulk"))
    return parked


def failing_since(db: Db, delivery: int, tries: int, default: float) -> float:
    """Return when the first of the last `tries` failed tries of a delivery was (epoch seconds), `default` for none.

    tries: how many have failed since it was planned, or since somebody sent it again.
    """
    row = db.one(
        "SELECT at FROM attempt WHERE delivery = ? AND outcome IN ('retry', 'uncertain') "
        "ORDER BY id DESC LIMIT 1 OFFSET ?",
        (delivery, tries - 1),
    ) if tries > 0 else None  # fmt: skip
    return float(row[0]) if row else default


def doubtful_since(db: Db, delivery: int) -> float | None:
    """Return when a try was made whose effect nobody knows, so that the vendor is searched before it is repeated.

    Where nobody can search, it was parked for a person to decide, who has now decided.
    """
    row = db.one("SELECT reason FROM delivery WHERE id = ?", (delivery,))
    if row is None or ((loads(row[0]) if row[0] else None) or {}).get("code") == "uncertain_park":
        return None
    first = db.one("SELECT min(at) FROM attempt WHERE delivery = ? AND outcome = 'uncertain'", (delivery,))
    return float(first[0]) if first and first[0] is not None else None


def send_again(db: Db, delivery: int, batch: str = "") -> None:
    """Make a parked delivery ready again, its tries forgotten.

    When it was planned stays as it was: its record is looked at again first, and what is newer wins. What may have
    been done is searched before it is done again. batch: what this is part of; a delivery that belongs to another
    batch already stays there.
    """
    db.run(
        "UPDATE delivery SET state = 'ready', tries = 0, wait = NULL, reason = NULL, finished_at = NULL, "
        "started_at = ?, batch = coalesce(batch, ?) WHERE id = ? AND state = 'parked'",
        (doubtful_since(db, delivery), batch or None, delivery),
    )


def finish_deliveries(db: Db, rows: Sequence[tuple[int, str, int, Any, Any, Any]]) -> None:
    """Close deliveries: (id, state, tries, reason, result, written)."""
    db.many(
        "UPDATE delivery SET state = ?, tries = ?, reason = ?, result = ?, written = ?, wait = NULL, "
        "started_at = NULL, finished_at = ? WHERE id = ? AND state = 'ready'",
        [
            (
                final, tries, dumps(reason) if reason else None, dumps(result) if result is not None else None,
                dumps(written) if written else None, db.now, id,
            )
            for id, final, tries, reason, result, written in rows
        ],
    )  # fmt: skip


def postpone_deliveries(db: Db, rows: Sequence[tuple[int, int, str, Any, float | None]]) -> None:
    """Keep deliveries waiting: (id, tries, kind of wait, reason, started_at: not None while in doubt)."""
    db.many(
        "UPDATE delivery SET tries = ?, wait = ?, reason = ?, started_at = ? WHERE id = ? AND state = 'ready'",
        [(tries, wait, dumps(reason) if reason else None, started, id) for id, tries, wait, reason, started in rows],
    )
