"""Comparisons of accounts with what the hub knows: their course, and what they found."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from hub.store import record
from hub.store.engine import Db
from hub.store.json import dumps, loads
from hub.store.work import ensure_lines

#: what a comparison counts
COUNTS = ("records", "pages", "asked", "waiting", "unlisted")


@dataclass
class Run:
    """One comparison. plan: (connection, record) in the order read; behind the last one come those not met, by place.

    since: epoch seconds, only what changed then is read. counts: see `COUNTS`. nightly: nobody has asked for it.
    """

    id: int
    one: str
    other: str | None
    since: float | None
    repair: bool
    plan: list[tuple[str, str]]
    place: int = 0
    cursor: Any = None
    counts: dict[str, int] = field(default_factory=dict)
    state: str = "running"
    reason: dict[str, Any] | None = None
    started_at: float = 0.0
    finished_at: float | None = None
    nightly: bool = False

    @property
    def looking_for(self) -> bool:
        """Whether all lists are read, and what was not met in them is looked for one by one."""
        return self.place >= len(self.plan)

    def target(self) -> tuple[str, str] | None:
        """Return (connection, record) of the next step; None when the comparison is over."""
        if self.place < len(self.plan):
            return self.plan[self.place]
        if self.since is None and self.place < 2 * len(self.plan):
            return self.plan[self.place - len(self.plan)]
        return None


@dataclass(frozen=True)
class Difference:
    """Something that was found. cause: see `hub.reconciling`. twin: the other side's record (`amo/deal:55`)."""

    connection: str
    subject: str
    cause: str
    reason: dict[str, Any]
    twin: str | None = None
    state: str = "open"
    repair: dict[str, Any] | None = None


_RUN = "id, one, other, since, repair, plan, place, cursor, counts, state, reason, started_at, finished_at, nightly"


def _run(row: Any) -> Run:
    plan = [(pair[0], pair[1]) for pair in loads(row[5])]
    return Run(
        row[0], row[1], row[2], row[3], bool(row[4]), plan, row[6], loads(row[7]) if row[7] else None, loads(row[8]),
        row[9], loads(row[10]) if row[10] else None, row[11], row[12], bool(row[13]),
    )  # fmt: skip


def begin(
    db: Db, one: str, other: str | None, since: float | None, repair: bool, plan: Sequence[tuple[str, str]],
    nightly: bool = False,
) -> int:  # fmt: skip
    """Begin a comparison and give it its line; return its number."""
    rows = db.insert(
        "reconciliation",
        ("one", "other", "since", "repair", "plan", "place", "counts", "state", "started_at", "nightly"),
        [(one, other, since, repair, dumps([list(pair) for pair in plan]), 0, "{}", "running", db.now, nightly)],
        "", "id",
    )  # fmt: skip
    id = int(rows[0][0])
    if plan:
        ensure_lines(db, {f"rec:{id}": f"{plan[0][0]}:bulk"})
    else:
        finish(db, id, "done")
    return id


def run(db: Db, id: int) -> Run | None:
    """Return one comparison."""
    row = db.one(f"SELECT {_RUN} FROM reconciliation WHERE id = ?", (id,))  # noqa: S608
    return _run(row) if row else None


def running(db: Db, one: str, other: str | None) -> bool:
    """Return whether such a comparison is under way."""
    rows = db.rows("SELECT one, other FROM reconciliation WHERE state = 'running'")
    return (one, other) in {(row[0], row[1]) for row in rows}


def advance(db: Db, done: Run, lease: str, due: float) -> None:
    """Write down how far a comparison has come, and give its line on, to the connection that is next."""
    db.run(
        "UPDATE reconciliation SET place = ?, cursor = ?, counts = ? WHERE id = ?",
        (done.place, dumps(done.cursor) if done.cursor is not None else None, dumps(done.counts), done.id),
    )
    target = done.target()
    assert target is not None
    db.run(
        "UPDATE line SET lane = ?, due = ?, lease = NULL WHERE key = ? AND lease = ?",
        (f"{target[0]}:bulk", due, f"rec:{done.id}", lease),
    )


def finish(db: Db, id: int, state: str, reason: dict[str, Any] | None = None, counts: Any = None) -> None:
    """End a comparison and forget what it met."""
    db.run(
        "UPDATE reconciliation SET state = ?, reason = ?, finished_at = ? WHERE id = ?",
        (state, dumps(reason) if reason else None, db.now, id),
    )
    if counts is not None:
        db.run("UPDATE reconciliation SET counts = ?, cursor = NULL WHERE id = ?", (dumps(counts), id))
    db.run("DELETE FROM met WHERE run = ?", (id,))
    db.run("DELETE FROM line WHERE key = ?", (f"rec:{id}",))


def add_differences(db: Db, run: int, found: Iterable[Difference]) -> None:
    """Keep what was found; of two findings about one record the first counts."""
    rows = [
        (run, one.connection, one.subject, one.twin, one.cause, dumps(one.reason), one.state,
         dumps(one.repair) if one.repair else None)
        for one in found
    ]  # fmt: skip
    if rows:
        db.insert(
            "difference", ("run", "connection", "subject", "twin", "cause", "reason", "state", "repair"), rows,
            "ON CONFLICT (run, connection, subject) DO NOTHING",
        )  # fmt: skip


def differences(db: Db, run: int, after: int = 0, limit: int = 1000) -> list[tuple[int, Difference]]:
    """Return a page of what was found, each with its number."""
    rows = db.rows(
        "SELECT id, connection, subject, twin, cause, reason, state, repair FROM difference "
        "WHERE run = ? AND id > ? ORDER BY id LIMIT ?",
        (run, after, limit),
    )
    return [
        (row[0], Difference(row[1], row[2], row[4], loads(row[5]), row[3], row[6], loads(row[7]) if row[7] else None))
        for row in rows
    ]


def deleted(db: Db, run: int, connection: str, record: str) -> int:
    """Return how many records of a kind this comparison found deleted, mended or not."""
    row = db.one(
        "SELECT count(*) FROM difference WHERE run = ? AND connection = ? AND cause = 'deleted' "
        "AND substr(subject, 1, ?) = ?",
        (run, connection, len(record) + 1, f"{record}:"),
    )
    return int(row[0]) if row else 0


def met(db: Db, run: int, connection: str, record: str) -> int:
    """Return how many records of a kind a comparison has met."""
    row = db.one(
        "SELECT count(*) FROM met WHERE run = ? AND connection = ? AND substr(subject, 1, ?) = ?",
        (run, connection, len(record) + 1, f"{record}:"),
    )
    return int(row[0]) if row else 0


def open_deleted(db: Db, run: int, connection: str, record: str, limit: int) -> list[tuple[int, Difference]]:
    """Return deletions that this comparison found and that aren't acted upon yet, each with its number."""
    rows = db.rows(
        "SELECT id, subject, twin, reason FROM difference WHERE run = ? AND connection = ? AND cause = 'deleted' "
        "AND state = 'open' AND substr(subject, 1, ?) = ? ORDER BY id LIMIT ?",
        (run, connection, len(record) + 1, f"{record}:", limit),
    )
    return [(row[0], Difference(connection, row[1], "deleted", loads(row[3]), row[2])) for row in rows]


def repaired(db: Db, id: int, repair: dict[str, Any]) -> None:
    """Note what was done about a difference."""
    db.run("UPDATE difference SET state = 'repaired', repair = ? WHERE id = ?", (dumps(repair), id))


def found_of(db: Db, run: int, connection: str, subject: str) -> str | None:
    """Return the cause of what this comparison found about a record, None if it found nothing."""
    row = db.one(
        "SELECT cause FROM difference WHERE run = ? AND connection = ? AND subject = ?", (run, connection, subject)
    )
    return str(row[0]) if row else None


def causes(db: Db, run: int) -> dict[tuple[str, str], int]:
    """Return (cause, state) -> how many."""
    rows = db.rows("SELECT cause, state, count(*) FROM difference WHERE run = ? GROUP BY cause, state", (run,))
    return {(row[0], row[1]): int(row[2]) for row in rows}


# --- what was not met ------------------------------------------------------------------------------


def meet(db: Db, run: int, connection: str, subjects: Iterable[str]) -> None:
    """Note which records a comparison has met."""
    rows = [(run, connection, subject) for subject in subjects]
    if rows:
        db.insert("met", ("run", "connection", "subject"), rows, "ON CONFLICT DO NOTHING")


def not_met(
    db: Db, run: Run, connection: str, record: str, sides: Sequence[tuple[str, str]], after: str, limit: int
) -> list[str]:  # fmt: skip
    """Return subjects that the hub knows (looked at, or a twin) and a comparison has not met, behind the one given.

    sides: (sync, `one` or `other`) of the pairs that this connection's records are in. after: a subject, "" at first.
    """
    beginning = f"{record}:"
    last = after or beginning
    missing = "NOT EXISTS (SELECT 1 FROM met m WHERE m.run = ? AND m.connection = ? AND m.subject = {})"
    parts = [
        "SELECT subject FROM seen WHERE connection = ? AND subject > ? AND substr(subject, 1, ?) = ? AND at < ? AND "  # noqa: S608
        + missing.format("seen.subject")
    ]
    params: list[Any] = [connection, last, len(beginning), beginning, run.started_at, run.id, connection]
    for sync, side in sides:
        column = {"one": "one", "other": "other"}[side]
        parts.append(
            f"SELECT ? || {column} AS subject FROM twin WHERE sync = ? AND record = ? AND {column} > ? "  # noqa: S608
            "AND state IN ('kept', 'stopped') AND at < ? AND " + missing.format(f"(? || {column})")
        )
        ref = last[len(beginning) :]
        params += [beginning, sync, record, ref, run.started_at, run.id, connection, beginning]
    found = db.rows(f"SELECT subject FROM ({' UNION '.join(parts)}) known ORDER BY subject LIMIT ?", (*params, limit))  # noqa: S608
    return [row[0] for row in found]


# --- what is known of a record ---------------------------------------------------------------------


def under_way(db: Db, connection: str, subject: str) -> bool:
    """Return whether something about a record is still to be read, looked up or carried."""
    row = db.one(
        "SELECT 1 FROM event e WHERE e.connection = ? AND e.subject = ? AND (e.state = 'waiting' OR EXISTS "
        "(SELECT 1 FROM delivery d WHERE d.event = e.id AND d.state = 'ready')) LIMIT 1",
        (connection, subject),
    )
    return row is not None


def failed(db: Db, connection: str, subject: str, target: str | None = None) -> tuple[int, str, dict[str, Any]] | None:
    """Return the latest delivery about a record if it was parked or dropped: (id, state, reason)."""
    only, params = (" AND d.connection = ?", (target,)) if target else ("", ())
    row = db.one(
        "SELECT d.id, d.state, d.reason FROM event e JOIN delivery d ON d.event = e.id "  # noqa: S608
        f"WHERE e.connection = ? AND e.subject = ?{only} ORDER BY d.id DESC LIMIT 1",
        (connection, subject, *params),
    )
    if row is None or row[1] not in ("parked", "dropped"):
        return None
    return int(row[0]), str(row[1]), (loads(row[2]) if row[2] else None) or {}


def release(db: Db, delivery: int) -> bool:
    """Make a parked delivery ready again; return whether it was parked."""
    row = db.one("SELECT line, connection FROM delivery WHERE id = ? AND state = 'parked'", (delivery,))
    if row is None or not row[0]:
        return False
    record.send_again(db, delivery)
    ensure_lines(db, {row[0]: row[1]})
    return True
