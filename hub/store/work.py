"""Lines and deliveries: what must be done, in which order, by whom, and when again.

A line is the queue of one target record. Claiming a line leases it; a crashed lease becomes due by itself, so
taking over is the ordinary claim. Waiting (retry, limit) holds no worker and blocks only its own line.
"""

from __future__ import annotations

import datetime as dt
import secrets
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from hub.model import Event, Owned
from hub.store import families
from hub.store.engine import Db
from hub.store.intake import event_of
from hub.store.json import dumps, loads

#: seconds after which a waiting delivery looks whether a newer one of its kind has piled up behind it
PILED = 60.0
#: seconds a lease lasts without renewal; renewed by its worker every LEASE / 3
LEASE = 18.0


@dataclass(slots=True)
class NewDelivery:
    """A delivery about to be stored. Steps that needed no call come with their state already final.

    `batch` is the command or run that brought it about, so that all it wrote can be taken back; the later steps of its
    run inherit it. `given` is the act itself where no route says it (`hub.restore`). `former` are the lines that
    earlier deliveries of its subject may still wait on, `family` those of persons that are one with its own by now (see
    `_behind_the_earlier`).
    """

    event: int
    route: str
    step: str
    connection: str
    action: str
    line: str
    lane: str
    marker: str
    state: str = "ready"
    reason: Any = None
    result: Any = None
    former: tuple[str, ...] = ()
    batch: str = ""
    given: Any = None
    family: tuple[str, ...] = ()


@dataclass(slots=True)
class Claimed:
    """A delivery under lease, with the event that caused it. `person` is who stands for the event's person by now,
    `family` everybody who is one with them."""

    id: int
    event: Event
    route: str
    step: str
    connection: str
    action: str
    line: str
    lane: str
    marker: str
    tries: int
    created_at: float
    started_at: float | None
    person: int | None
    lease: str
    newest: int | None = None
    batch: str = ""
    given: dict[str, Any] | None = None
    results: dict[str, Any] = field(default_factory=dict)
    links: list[tuple[str, str, str]] = field(default_factory=list)
    family: tuple[int, ...] = ()


_DELIVERY = (
    "event", "route", "step", "connection", "action", "line", "state", "tries", "marker", "created_at",
    "finished_at", "reason", "result", "batch", "given",
)  # fmt: skip


def new_batch(db: Db, what: str) -> str:
    """Return a name for what one command or run is about to write: `replay-20260501-143005-3fa1` (UTC)."""
    moment = dt.datetime.fromtimestamp(db.now, dt.UTC)
    return f"{what}-{moment:%Y%m%d-%H%M%S}-{secrets.token_hex(2)}"


def add_deliveries(db: Db, rows: Sequence[NewDelivery]) -> int:
    """Store deliveries and wake their lines; return how many were new."""
    if not rows:
        return 0
    _behind_the_earlier(db, rows)
    fresh = db.insert(
        "delivery",
        _DELIVERY,
        [
            (
                row.event, row.route, row.step, row.connection, row.action, row.line, row.state, 0, row.marker, db.now,
                None if row.state == "ready" else db.now, dumps(row.reason) if row.reason else None,
                dumps(row.result) if row.result is not None else None, row.batch or None,
                dumps(row.given) if row.given is not None else None,
            )
            for row in rows
        ],
        "ON CONFLICT (event, route, step) DO NOTHING",
        "id",
    )  # fmt: skip
    ensure_lines(db, {row.line: row.lane for row in rows if row.state == "ready"})
    return len(fresh)


def _behind_the_earlier(db: Db, rows: Sequence[NewDelivery]) -> None:
    """Put each delivery onto a former line of its subject as long as something waits there.

    A subject's line gets another name once its record is known (`crm>lead:101` for `crm>site/form:7`). What was
    planned before stays where it is, and must not be overtaken. Where persons were merged, what waits goes on in one
    line, and that may be the one of the merged person (`merging.join`): others go there, unless their own is busy too.
    """
    asked = sorted(
        {line for row in rows if row.state == "ready" for line in row.former if line != row.line}
        | {line for row in rows if row.state == "ready" and row.family for line in (row.line, *row.family)}
    )
    busy: set[str] = set()
    for start in range(0, len(asked), 300):
        chunk = asked[start : start + 300]
        sql = f"SELECT DISTINCT line FROM delivery WHERE state = 'ready' AND line IN ({db.marks(chunk)})"  # noqa: S608
        busy |= {row[0] for row in db.rows(sql, chunk)}
    for row in rows:
        if row.state == "ready":
            own = next((line for line in row.former if line in busy and line != row.line), row.line)
            row.line = own if own in busy else next((line for line in row.family if line in busy), own)


def ensure_lines(db: Db, lines: dict[str, str]) -> None:
    """See to it that these lines (key -> lane) exist; one that waits or is leased stays as it is.

    Never `DO NOTHING`: on PostgreSQL a worker that just emptied the line would then miss an uncommitted insert and
    the line would sleep for ever. The no-op update takes the row's lock instead.
    """
    if lines:
        db.insert(
            "line", ("key", "lane", "due", "lease"),
            [(key, lines[key], db.now, None) for key in sorted(lines)],
            "ON CONFLICT (key) DO UPDATE SET lane = line.lane",
        )  # fmt: skip


def claim(db: Db, lane: str, limit: int, lease: str) -> list[str]:
    """Lease up to `limit` due lines of a lane, longest due first; return their keys."""
    skip = " FOR UPDATE SKIP LOCKED" if db.postgresql else ""
    rows = db.rows(
        "UPDATE line SET due = ?, lease = ? WHERE key IN "  # noqa: S608
        f"(SELECT key FROM line WHERE lane = ? AND due <= ? ORDER BY due LIMIT ?{skip}) RETURNING key",
        (db.now + LEASE, lease, lane, db.now, limit),
    )
    return [row[0] for row in rows]


def claim_one(db: Db, key: str, lease: str) -> bool:
    """Lease one named line if it is due."""
    return (
        db.run("UPDATE line SET due = ?, lease = ? WHERE key = ? AND due <= ?", (db.now + LEASE, lease, key, db.now))
        > 0
    )


def leased(db: Db, key: str) -> bool:
    """Return whether somebody works on a line right now: no lock is needed to leave it to them."""
    return db.one("SELECT 1 FROM line WHERE key = ? AND lease IS NOT NULL AND due > ?", (key, db.now)) is not None


def due_lanes(db: Db, lanes: Sequence[str]) -> list[str]:
    """Return those of the lanes that have a due line."""
    return [
        lane
        for lane in lanes
        if db.one("SELECT 1 FROM line WHERE lane = ? AND due <= ? LIMIT 1", (lane, db.now)) is not None
    ]


def next_due(db: Db, lanes: Sequence[str]) -> float | None:
    """Return when the next line of these lanes will be due, None if none waits; lines due already don't count."""
    soonest = None
    for lane in lanes:
        row = db.one("SELECT due FROM line WHERE lane = ? AND due > ? ORDER BY due LIMIT 1", (lane, db.now))
        if row is not None and (soonest is None or row[0] < soonest):
            soonest = row[0]
    return soonest


def poll_now(db: Db, connection: str) -> int:
    """Make every poll of a connection due, and everything it watches; return how many polls that were."""
    db.run("UPDATE watch SET due = ? WHERE connection = ? AND due > ?", (db.now, connection, db.now))
    return db.run("UPDATE line SET due = ? WHERE key LIKE ? AND lease IS NULL", (db.now, f"poll:{connection}:%"))


def renew(db: Db, held: Collection[tuple[str, str]]) -> set[str]:
    """Push the end of leases out again: (line, lease); return the keys of the lines that are still held by them."""
    pairs = sorted(set(held))
    found: set[str] = set()
    for start in range(0, len(pairs), 200):
        keys, leases = zip(*pairs[start : start + 200], strict=True)
        sql = (
            f"UPDATE line SET due = ? WHERE key IN ({db.marks(keys)}) "  # noqa: S608
            f"AND lease IN ({db.marks(leases)}) RETURNING key"
        )
        found |= {row[0] for row in db.rows(sql, (db.now + LEASE, *keys, *leases))}
    return found


def free_worker(db: Db, worker: str) -> int:
    """Make everything due at once that a dead worker (the beginning of its lease tokens) had leased."""
    return db.run("UPDATE line SET due = ?, lease = NULL WHERE substr(lease, 1, ?) = ?", (db.now, len(worker), worker))


def release(db: Db, key: str, lease: str, due: float) -> None:
    """Give a permanent line back, due again at `due`."""
    db.run("UPDATE line SET due = ?, lease = NULL WHERE key = ? AND lease = ?", (due, key, lease))


_CLAIMED = """
SELECT d.id, d.route, d.step, d.connection, d.action, d.line, l.lane, d.marker, d.tries, d.created_at, d.started_at,
       coalesce(p."into", e.person), l.lease,
       e.id, e.receipt, e.connection, e.key, e.type, e.subject, e.occurred_at, e.content, e.hop, e.state,
       e.at, CASE WHEN d.tries > 0 OR d.created_at < ? THEN
           (SELECT max(y.id) FROM delivery y WHERE y.state = 'ready' AND y.line = d.line AND y.action = d.action
            AND y.route = d.route AND y.step = d.step) END,
       d.batch, d.given
FROM line l
JOIN delivery d ON d.id =
    (SELECT x.id FROM delivery x WHERE x.state = 'ready' AND x.line = l.key ORDER BY x.id LIMIT 1)
JOIN event e ON e.id = d.event
LEFT JOIN person p ON p.id = e.person
WHERE l.key IN ({marks})
"""


def claimed(db: Db, keys: Sequence[str]) -> list[Claimed]:
    """Return each line's lowest unfinished delivery and mark it as maybe sent; empty lines are deleted."""
    if not keys:
        return []
    rows = db.rows(_CLAIMED.format(marks=db.marks(keys)), [db.now - PILED, *keys])
    out = [
        Claimed(
            id=row[0], route=row[1], step=row[2], connection=row[3], action=row[4], line=row[5], lane=row[6],
            marker=row[7], tries=row[8], created_at=row[9],
            started_at=min(row[10], db.now) if row[10] is not None else None,  # later than now: the clock was set back
            person=row[11], lease=row[12],
            event=event_of(row[13:24]), newest=row[24], batch=row[25] or "", given=loads(row[26]),
        )
        for row in rows
    ]  # fmt: skip
    # The commit of this claim is the record "maybe sent": whoever takes over after a crash sees it. Each claim sets
    # it anew, so that a repeated create that is cut short in its turn is given its settle time too.
    db.many("UPDATE delivery SET started_at = ? WHERE id = ?", [(db.now, c.id) for c in out])
    found = {c.line for c in out}
    db.many("DELETE FROM line WHERE key = ?", [(key,) for key in keys if key not in found])
    _add_results(db, [c for c in out if c.step != "0"])
    _add_links(db, out)
    return out


def unsend(db: Db, item: Claimed) -> None:
    """Take "maybe sent" back from a delivery that was claimed and never begun."""
    db.run(
        "UPDATE delivery SET started_at = ? WHERE id = ? AND EXISTS (SELECT 1 FROM line WHERE key = ? AND lease = ?)",
        (item.started_at, item.id, item.line, item.lease),
    )


def _add_results(db: Db, deliveries: Sequence[Claimed]) -> None:
    for item in deliveries:
        item.results = results_of(db, item.event.id, item.route)


def results_of(db: Db, event: int, route: str) -> dict[str, Any]:
    """Return step -> result of the steps of one run that have finished."""
    rows = db.rows(
        "SELECT step, result FROM delivery WHERE event = ? AND route = ? AND result IS NOT NULL", (event, route)
    )
    return {row[0]: _owned(loads(row[1])) for row in rows}


def _owned(result: Any) -> Any:
    return Owned(result) if isinstance(result, dict) and "_connection" in result else result


def _add_links(db: Db, deliveries: Sequence[Claimed]) -> None:
    """Bring what is linked to each event's subject and to its person, with those who are one with them."""
    known = families.families(db, {item.person for item in deliveries if item.person is not None})
    for item in deliveries:
        item.family = tuple(known[item.person]) if item.person is not None else ()
    ends = {item.id: link_ends(item.event, item.family) for item in deliveries}
    found = links(db, {end for some in ends.values() for end in some})
    for item in deliveries:
        item.links = [one for end in ends[item.id] for one in found.get(end, ())]


Ref = tuple[str, str, str]


def link_ends(event: Event, persons: Sequence[int] = ()) -> list[Ref]:
    """Return what an event can be linked by: its subject, then its person and those who are one with them."""
    kind, _, ref = event.subject.partition(":")
    return [(event.connection, kind, ref), *(("hub", "person", str(person)) for person in persons)]


def links(db: Db, ends: Iterable[Ref]) -> dict[Ref, list[Ref]]:
    """Return (connection, kind, ref) -> what it is linked to, oldest link first."""
    columns = "t.connection, t.kind, t.ref, t.to_connection, t.to_kind, t.to_ref, t.at"
    rows = db.keyed("link", ("connection", "kind", "ref"), sorted(set(ends)), columns)
    out: dict[Ref, list[Ref]] = {}
    for row in sorted(rows, key=lambda row: row[6]):
        out.setdefault((row[0], row[1], row[2]), []).append((row[3], row[4], row[5]))
    return out


def add_links(db: Db, pairs: Iterable[tuple[tuple[str, str, str], tuple[str, str, str]]]) -> None:
    """Remember that two records belong together; both directions are written."""
    rows = [(*a, *b, db.now) for one, other in pairs for a, b in ((one, other), (other, one)) if one != other]
    if rows:
        db.insert(
            "link", ("connection", "kind", "ref", "to_connection", "to_kind", "to_ref", "at"),
            sorted(set(rows)), "ON CONFLICT DO NOTHING",
        )  # fmt: skip


def unlink(db: Db, one: Ref, other: Ref) -> None:
    """Forget that two records belong together."""
    db.many(
        "DELETE FROM link WHERE connection = ? AND kind = ? AND ref = ? "
        "AND to_connection = ? AND to_kind = ? AND to_ref = ?",
        [(*one, *other), (*other, *one)],
    )


def drop_links(db: Db, connection: str, kind: str, ref: str) -> None:
    """Forget every link of a record that is no more; the rows that lead back are named by those that lead away."""
    end = (connection, kind, ref)
    away = db.rows("SELECT to_connection, to_kind, to_ref FROM link WHERE connection = ? AND kind = ? AND ref = ?", end)
    for other in away:
        unlink(db, end, (other[0], other[1], other[2]))


def move_links(db: Db, connection: str, kind: str, ref: str, to: str) -> None:
    """Let what a record was linked to be linked to one that took its place; not its person, who has that one too."""
    end, other = (connection, kind, ref), (connection, kind, to)
    away = db.rows("SELECT to_connection, to_kind, to_ref FROM link WHERE connection = ? AND kind = ? AND ref = ?", end)
    add_links(db, [(other, (row[0], row[1], row[2])) for row in away if (row[0], row[1]) != ("hub", "person")])
    drop_links(db, connection, kind, ref)


def held_leases(db: Db, pairs: Sequence[tuple[str, str]]) -> set[str]:
    """Return the keys of those (line, lease) pairs that still hold; on PostgreSQL their rows stay locked."""
    if not pairs:
        return set()
    keys = sorted({key for key, _ in pairs})
    lock = " ORDER BY key FOR UPDATE" if db.postgresql else ""
    rows = db.rows(f"SELECT key, lease FROM line WHERE key IN ({db.marks(keys)}){lock}", keys)  # noqa: S608
    leases = {row[0]: row[1] for row in rows}
    return {key for key, lease in pairs if leases.get(key) == lease}


def pass_on(db: Db, line: str, due: float | None) -> None:
    """Give one line back: due later (`due`), or at once if work is left, or deleted if none is."""
    pass_on_all(db, {line: due})


def pass_on_all(db: Db, lines: Mapping[str, float | None]) -> None:
    """Give lines back: key -> when due, None = at once if work is left on it, deleted if none is."""
    later = [(due, key) for key, due in lines.items() if due is not None]
    db.many("UPDATE line SET due = ?, lease = NULL WHERE key = ?", sorted(later, key=lambda row: row[1]))
    rest = sorted(key for key, due in lines.items() if due is None)
    for start in range(0, len(rest), 200):
        chunk = rest[start : start + 200]
        marks = db.marks(chunk)
        db.run(
            f"DELETE FROM line WHERE key IN ({marks}) "  # noqa: S608
            "AND NOT EXISTS (SELECT 1 FROM delivery d WHERE d.state = 'ready' AND d.line = line.key) "
            "AND NOT EXISTS (SELECT 1 FROM event e WHERE e.state = 'waiting' AND e.line = line.key)",
            chunk,
        )
        db.run(f"UPDATE line SET due = ?, lease = NULL WHERE key IN ({marks})", (db.now, *chunk))  # noqa: S608


def has_failed(db: Db, connection: str) -> bool:
    """Return whether something of a connection waits for another try because the last one failed."""
    return any(
        db.one(sql, (connection,)) is not None
        for sql in (
            "SELECT 1 FROM delivery WHERE state = 'ready' AND wait IN ('retry', 'settle') AND connection = ? LIMIT 1",
            "SELECT 1 FROM cursor WHERE fails > 0 AND connection = ? LIMIT 1",
            "SELECT 1 FROM event WHERE state = 'waiting' AND connection = ? LIMIT 1",
        )
    )


def has_orphans(db: Db) -> bool:
    """Return whether unfinished work stands without a line; cheap where none does."""
    return any(
        db.one(
            f"SELECT 1 FROM {table} x WHERE x.state = '{unfinished}' "  # noqa: S608
            "AND NOT EXISTS (SELECT 1 FROM line l WHERE l.key = x.line) LIMIT 1"
        )
        for table, unfinished in (("delivery", "ready"), ("event", "waiting"))
    )


def adopt_orphans(db: Db) -> int:
    """Give every unfinished delivery and waiting event a line; the sweeper's guard against the impossible."""
    rows = db.rows(
        "SELECT DISTINCT d.line, d.connection FROM delivery d WHERE d.state = 'ready' "
        "AND NOT EXISTS (SELECT 1 FROM line l WHERE l.key = d.line) LIMIT 1000"
    )
    rows += db.rows(
        "SELECT DISTINCT e.line, e.connection FROM event e WHERE e.state = 'waiting' "
        "AND NOT EXISTS (SELECT 1 FROM line l WHERE l.key = e.line) LIMIT 1000"
    )
    ensure_lines(db, {row[0]: row[1] for row in rows})
    return len(rows)
