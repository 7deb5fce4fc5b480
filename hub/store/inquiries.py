"""The rows that the ledger of requests is made of. Nothing here writes but the counters of a day."""

from __future__ import annotations

import datetime as dt
import itertools
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any

from hub.events import INQUIRIES
from hub.model import Event
from hub.store import families
from hub.store.engine import Db
from hub.store.json import loads
from hub.store.work import Ref, links

#: the counter of events that may be requests, kept when they are stored: what the ledger is measured by
COUNTED = "requests"
_CHUNK = 300
_EVENT = ("id", "receipt", "connection", "type", "subject", "occurred_at", "at", "content", "state", "reason", "person")
_DELIVERY = ("id", "event", "connection", "action", "state", "reason", "result", "written")
_JSON = frozenset({"content", "reason", "result", "written"})

Row = dict[str, Any]


def _rows(names: Sequence[str], found: Sequence[Any]) -> list[Row]:
    rows = (dict(zip(names, row, strict=True)) for row in found)
    return [{name: loads(value) if name in _JSON else value for name, value in row.items()} for row in rows]


def came_in(db: Db, types: Collection[str], since: float, until: float) -> Iterator[Row]:
    """Return events of these types that requests from outside brought, oldest first, a few hundred at a time."""
    return _told(db, types, since, until, "receipt IS NOT NULL")


def _told(db: Db, types: Collection[str], since: float, until: float, which: str) -> Iterator[Row]:
    listed = sorted(types)
    last: tuple[float, int] = (since, 0)
    while True:
        rows = db.rows(
            f"SELECT {', '.join(_EVENT)} FROM event WHERE at >= ? AND at < ? AND (at, id) > (?, ?) "  # noqa: S608
            f"AND {which} AND type IN ({db.marks(listed)}) ORDER BY at, id LIMIT ?",
            (since, until, *last, *listed, _CHUNK),
        )
        if not rows:
            return
        found = _rows(_EVENT, rows)
        last = (found[-1]["at"], found[-1]["id"])
        yield from found


def rooted(db: Db, rows: Iterator[Row]) -> Iterator[Row]:
    """Yield the rows of events, each with `root`: who stands for its person by now, None where it has none."""
    while chunk := list(itertools.islice(rows, _CHUNK)):
        at = families.roots(db, {row["person"] for row in chunk if row["person"] is not None})
        yield from ({**row, "root": at.get(row["person"], row["person"])} for row in chunk)


def requested_before(db: Db, refs: Mapping[int, Collection[Ref]], subjects: Mapping[int, Ref]) -> set[int]:
    """Return those of some requests (event -> its records, event -> its subject) that others came before.

    The first request that a record is linked to is the one that made it, or the first to join it.
    """
    known = links(db, {ref for some in refs.values() for ref in some})
    ends = {end for some in known.values() for end in some if end[0] != "hub"}
    asked = of_subjects(db, {(connection, f"{kind}:{ref}") for connection, kind, ref in ends}, INQUIRIES)
    found = set()
    for id, some in refs.items():
        for ref in some:
            firsts = [end for end in known.get(ref, ()) if (end[0], f"{end[1]}:{end[2]}") in asked]
            if firsts and subjects[id] in firsts and firsts[0] != subjects[id]:
                found.add(id)
    return found


def unread(db: Db, connections: Collection[str], since: float, until: float) -> list[Row]:
    """Return receipts that brought no event yet, because nobody read them, understood them, or wanted them read."""
    if not connections:
        return []
    names = ("id", "connection", "at", "state", "reason")
    rows = db.rows(
        f"SELECT {', '.join(names)} FROM receipt r WHERE at >= ? AND at < ? "  # noqa: S608
        f"AND connection IN ({db.marks(sorted(connections))}) AND state IN ('new', 'unreadable', 'dropped') "
        "AND NOT EXISTS (SELECT 1 FROM event e WHERE e.receipt = r.id) ORDER BY id",
        (since, until, *sorted(connections)),
    )
    return _rows(names, rows)


def of_subjects(
    db: Db, subjects: Collection[tuple[str, str]], types: Collection[str]
) -> dict[tuple[str, str], list[int]]:  # fmt: skip
    """Return the ids of the events of these types about each (connection, subject), the first one first."""
    found: dict[tuple[str, str], list[int]] = {}
    for connection, subject, type, id in db.keyed(
        "event", ("connection", "subject"), sorted(subjects), "t.connection, t.subject, t.type, t.id"
    ):
        if type in types:
            found.setdefault((connection, subject), []).append(id)
    return {about: sorted(ids) for about, ids in found.items()}


def deliveries(db: Db, events: Sequence[int]) -> dict[int, list[Row]]:
    """Return the deliveries of each event, in order."""
    found: dict[int, list[Row]] = {}
    for start in range(0, len(events), _CHUNK):
        chunk = events[start : start + _CHUNK]
        rows = db.rows(
            f"SELECT {', '.join(_DELIVERY)} FROM delivery WHERE event IN ({db.marks(chunk)}) ORDER BY id",  # noqa: S608
            chunk,
        )
        for row in _rows(_DELIVERY, rows):
            found.setdefault(row["event"], []).append(row)
    return found


def seen(db: Db, refs: Collection[Ref]) -> dict[Ref, Row]:
    """Return the records as they were last seen."""
    asked = [(connection, f"{kind}:{ref}") for connection, kind, ref in sorted(refs)]
    found = {}
    for connection, subject, record in db.keyed(
        "seen", ("connection", "subject"), asked, "t.connection, t.subject, t.record"
    ):
        kind, _, ref = subject.partition(":")
        if told := (loads(record) or {}).get("record"):
            found[(connection, kind, ref)] = told
    return found


def linked(db: Db, refs: Collection[Ref]) -> dict[Ref, list[Ref]]:
    """Return what each record is linked to."""
    return links(db, refs)


def touches(db: Db, types: Collection[str], since: float, until: float) -> Iterator[Row]:
    """Return the events of these types in a span of time, oldest first: what people did."""
    return _told(db, types, since, until, "state IN ('planned', 'erased')")


def count(db: Db, events: Iterable[Event], zone: dt.tzinfo, each: int = 1) -> None:
    """Count stored events that may be requests, in the day they came on the company's clock."""
    counts: dict[str, Counter[tuple[str, str]]] = {}
    for event in events:
        if event.type in INQUIRIES:
            day = day_of(event.at or db.now, zone)
            counts.setdefault(day, Counter())[(event.connection, COUNTED)] += each
    for day, some in sorted(counts.items()):
        add(db, day, some)


def day_of(at: float, zone: dt.tzinfo) -> str:
    """Return the day of an instant on the company's clock: `2026-05-01`."""
    return dt.datetime.fromtimestamp(at, zone).date().isoformat()


# --- counters of a day ----------------------------------------------------------------------------------


def counted(db: Db, day: str, names: Collection[str]) -> dict[tuple[str, str], int]:
    """Return a day's counters: (connection, name) -> number."""
    listed = sorted(names)
    rows = db.rows(
        f"SELECT connection, name, n FROM counter WHERE day = ? AND name IN ({db.marks(listed)})",  # noqa: S608
        (day, *listed),
    )
    return {(row[0], row[1]): int(row[2]) for row in rows}


def add(db: Db, day: str, counts: Mapping[tuple[str, str], int]) -> None:
    """Add to counters of a given day when the transaction ends: (connection, name) -> how many."""
    db.count(day, counts)


def keep(db: Db, day: str, counts: Mapping[tuple[str, str], int]) -> None:
    """Set counters of a given day to what they are now."""
    db.insert(
        "counter", ("day", "connection", "name", "n"),
        [(day, connection, name, n) for (connection, name), n in sorted(counts.items())],
        "ON CONFLICT (day, connection, name) DO UPDATE SET n = excluded.n",
    )  # fmt: skip
