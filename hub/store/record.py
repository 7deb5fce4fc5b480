"""Writing down what came of tries: attempts, states, links, waits, all in the caller's one transaction."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from hub.store.engine import Db
from hub.store.json import dumps

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


def first_failure(db: Db, delivery: int, default: float) -> float:
    """Return when the first try of a delivery failed (epoch seconds), or `default` if none has yet."""
    row = db.one("SELECT min(at) FROM attempt WHERE delivery = ? AND outcome IN ('retry', 'uncertain')", (delivery,))
    return float(row[0]) if row and row[0] is not None else default


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
