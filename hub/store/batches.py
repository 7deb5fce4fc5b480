"""What one command or one run wrote: its deliveries, and the rows a person looks at before taking it back."""

from __future__ import annotations

from typing import Any

from hub.store import reading
from hub.store.engine import Db
from hub.store.json import loads

_SUMS = ("ready", "done", "skipped", "parked", "dropped")


def batches(db: Db, limit: int = 50) -> list[dict[str, Any]]:
    """Return the newest batches: when they wrote, how many deliveries in which state, at which connections."""
    sums = ", ".join(f"sum(CASE WHEN state = '{one}' THEN 1 ELSE 0 END)" for one in _SUMS)
    rows = db.rows(
        f"SELECT batch, min(created_at), max(finished_at), count(*), {sums} FROM delivery "  # noqa: S608
        "WHERE batch IS NOT NULL GROUP BY batch ORDER BY max(id) DESC LIMIT ?",
        (limit,),
    )
    found = []
    for row in rows:
        where = db.rows("SELECT DISTINCT connection FROM delivery WHERE batch = ? ORDER BY connection", (row[0],))
        states = {name: int(n) for name, n in zip(_SUMS, row[4:], strict=True) if n}
        found.append(
            {"batch": row[0], "began_at": row[1], "finished_at": row[2], "deliveries": int(row[3]), "states": states,
             "connections": [one[0] for one in where]}
        )  # fmt: skip
    return found


def deliveries(db: Db, batch: str) -> list[reading.Row]:
    """Return a batch's deliveries in the order in which they were planned."""
    ids = [row[0] for row in db.rows("SELECT id FROM delivery WHERE batch = ? ORDER BY id", (batch,))]
    return [row for id in ids if (row := reading.delivery(db, id)) is not None]


def undoing(db: Db) -> dict[int, tuple[int, str]]:
    """Return delivery -> (the one that takes it back, that one's state: ready, parked or done).

    Where the taking back was itself taken back, or wrote only a part, it may be done again and isn't told of.
    """
    rows = db.rows(
        "SELECT id, state, given, reason FROM delivery "
        "WHERE batch LIKE 'undo-%' AND state IN ('ready', 'parked', 'done') ORDER BY id DESC"
    )
    found: dict[int, tuple[int, str]] = {}
    for id, state, given, reason in rows:  # the newest first: whether an undoing stands is known when it comes up
        if found.get(id, (0, ""))[1] == "done" or (state == "done" and '"undone_in_part"' in (reason or "")):
            continue
        task = loads(given) or {}
        for other in (task.get("undo") or task.get("delete") or {}).get("of") or ():
            found.setdefault(other, (id, state))
    return found


def changed_by(db: Db, connection: str, subject: str, field: str, since: float) -> dict[str, Any] | None:
    """Return who changed a field of a record since then, as far as the vendor told: {"event", "by", "at"} or None."""
    rows = db.rows(
        "SELECT id, content, occurred_at, at, state FROM event WHERE connection = ? AND subject = ? AND at >= ? "
        "ORDER BY id DESC LIMIT 50",
        (connection, subject, since),
    )
    for id, content, occurred, at, state in rows:
        told = loads(content)
        if field in (told.get("was") or {}):
            by = "the hub" if told.get("by") == "hub" or state == "echo" else str(told.get("by") or "")
            return {"event": id, "by": by, "at": occurred if occurred is not None else at}
    return None
