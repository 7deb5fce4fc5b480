"""Joining two persons into one, and parting them again; what waits for either goes on in one line."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from hub.store import families, work
from hub.store.engine import Db
from hub.store.json import dumps, loads


@dataclass(frozen=True, slots=True)
class Merge:
    """One merge as the store keeps it. `one` and `other` are the two that met, `survivor` and `merged` who stood
    for them; `moved` are the lines whose work went behind the survivor's."""

    id: int
    survivor: int
    merged: int
    one: int
    other: int
    how: str
    reason: dict[str, Any]
    batch: str | None
    moved: list[str]
    at: float
    undone_at: float | None


_COLUMNS = "id, survivor, merged, one, other, how, reason, batch, moved, at, undone_at"


def _merge(row: Any) -> Merge:
    id, survivor, merged, one, other, how, reason, batch, moved, at, undone_at = row
    return Merge(id, survivor, merged, one, other, how, loads(reason), batch, loads(moved) or [], at, undone_at)


def join(
    db: Db, one: int, other: int, how: str, reason: Mapping[str, Any], connections: Sequence[str], batch: str = ""
) -> Merge | None:
    """Make two persons one; the lowest id stands for both. None if they are one already.

    The caller holds both persons (`families.lock`). connections: whose lines may hold work for them.
    """
    at = families.roots(db, (one, other))
    if one not in at or other not in at or at[one] == at[other]:
        return None
    survivor, merged = sorted((at[one], at[other]))
    both = families.families(db, (survivor, merged))
    moved = _one_line(db, survivor, [one for family in both.values() for one in family], connections)
    [row] = db.insert(
        "merge", ("survivor", "merged", "one", "other", "how", "reason", "batch", "moved", "at"),
        [(survivor, merged, one, other, how, dumps(dict(reason)), batch or None, dumps(moved) if moved else None,
          db.now)],
        "", _COLUMNS,
    )  # fmt: skip
    families.settle(db, (survivor, merged))
    _close_suspects(db, survivor)
    return _merge(row)


def part(db: Db, merge: Merge, connections: Sequence[str]) -> dict[int, int]:
    """Undo a merge: each is whom its own keys name again; return person -> who stands for them now.

    The pair is marked so that no rule joins it again. What waits for the one that goes gets a line of its own.
    """
    db.run("UPDATE merge SET undone_at = ? WHERE id = ? AND undone_at IS NULL", (db.now, merge.id))
    at = families.settle(db, (merge.survivor, merge.merged, merge.one, merge.other))
    low, high = sorted((at[merge.one], at[merge.other]))
    if low != high:
        db.insert(
            "suspect", ("person", "other", "state", "reason", "at", "decided_at"),
            [(*sorted((merge.one, merge.other)), "never", dumps(merge.reason), db.now, db.now)],
            "ON CONFLICT (person, other) DO UPDATE SET state = 'never', decided_at = excluded.decided_at",
        )  # fmt: skip
        _own_lines(db, at, connections)
    return at


def get(db: Db, id: int) -> Merge | None:
    """Return one merge."""
    row = db.one(f"SELECT {_COLUMNS} FROM merge WHERE id = ?", (id,))  # noqa: S608
    return _merge(row) if row else None


def of_persons(db: Db, persons: Sequence[int], only_open: bool = False) -> list[Merge]:
    """Return the merges that brought these persons together, oldest first."""
    marks = db.marks(persons)
    rows = db.rows(
        f"SELECT {_COLUMNS} FROM merge WHERE one IN ({marks}) UNION "  # noqa: S608
        f"SELECT {_COLUMNS} FROM merge WHERE other IN ({marks}) ORDER BY id",
        [*persons, *persons],
    )
    return [one for one in map(_merge, rows) if one.undone_at is None or not only_open]


def between(db: Db, one: int, other: int) -> Merge | None:
    """Return the newest merge in force whose undoing would part these two; None if they are the same or not one."""
    some = of_persons(db, families.family(db, one), only_open=True)
    for merge in reversed(some):
        if not _connected(one, other, [each for each in some if each is not merge]):
            return merge if _connected(one, other, some) else None
    return None


def _connected(one: int, other: int, merges: Sequence[Merge]) -> bool:
    reached, ahead = {one}, {one}
    while ahead:
        ahead = {end for each in merges if {each.one, each.other} & ahead for end in (each.one, each.other)} - reached
        reached |= ahead
    return other in reached


def _close_suspects(db: Db, root: int) -> None:
    """Pairs that have become one are no suspects any more."""
    everybody = families.marks_of(db, families.families(db, [root])[root])
    db.run(
        "UPDATE suspect SET state = 'accepted', decided_at = ? WHERE state IN ('open', 'refused') "  # noqa: S608
        f"AND person IN ({everybody}) AND other IN ({everybody})",
        (db.now,),
    )


# --- lines -----------------------------------------------------------------------------------------


def line_of(connection: str, person: int) -> str:
    """Name the line of a person at a connection."""
    return f"{connection}>person:{person}"


def _hold(db: Db, keys: Iterable[str]) -> dict[str, bool]:
    """Return line -> whether somebody works on it now; on PostgreSQL the rows stay locked."""
    wanted = sorted(keys)
    if not wanted:
        return {}
    lock = " ORDER BY key FOR UPDATE" if db.postgresql else ""
    rows = db.rows(f"SELECT key, lease, due FROM line WHERE key IN ({db.marks(wanted)}){lock}", wanted)  # noqa: S608
    return {row[0]: row[1] is not None and row[2] > db.now for row in rows}


def _waiting(db: Db, key: str, in_flight: bool) -> list[int]:
    """Return what waits on a line, in order; without the first of a line that somebody works on."""
    rows = db.rows("SELECT id FROM delivery WHERE state = 'ready' AND line = ? ORDER BY id", (key,))
    return [row[0] for row in rows][1 if in_flight else 0 :]


def _one_line(db: Db, survivor: int, everybody: Sequence[int], connections: Sequence[str]) -> list[str]:
    """Put what waits for people who are one now onto one line per connection; return the lines that were emptied.

    That is the survivor's, unless it is idle and one of the others is being worked on: then what waits goes behind
    the call that is under way, which may be making the very contact that the others need. It may be the line of
    somebody who was merged long before. What is planned from now on goes there too as long as something waits there
    (`work.NewDelivery.family`).
    """
    people = [survivor, *(one for one in everybody if one != survivor)]
    busy = _hold(db, [line_of(name, person) for name in connections for person in people])
    emptied = []
    for name in connections:
        mine, *others = (line_of(name, person) for person in people)
        theirs = [key for key in others if key in busy]
        if not theirs:
            continue  # nothing waits for the others here
        to = next((key for key in (mine, *theirs) if busy.get(key)), mine)
        for away in (mine, *theirs):
            if away == to:
                continue
            if moving := _waiting(db, away, busy.get(away, False)):
                _move(db, moving, to, _lane(db, away, name))
                emptied.append(away)
            _clear(db, away)
    return emptied


def _own_lines(db: Db, at: Mapping[int, int], connections: Sequence[str]) -> None:
    """Give what waits for parted persons a line of their own: it may stand on a line of those they are parted from.

    at: person -> who stands for them now. A call that is under way stays where it is.
    """
    busy = _hold(db, [line_of(name, person) for name in connections for person in at])
    for name in connections:
        for person in sorted(at):
            key = line_of(name, person)
            if key not in busy:
                continue
            for root in sorted(set(at.values()) - {at[person]}):
                own = families.marks_of(db, [one for one, stands in at.items() if stands == root])
                rows = db.rows(
                    "SELECT d.id FROM delivery d JOIN event e ON e.id = d.event WHERE d.state = 'ready' "  # noqa: S608
                    f"AND d.line = ? AND e.person IN ({own}) ORDER BY d.id",
                    (key,),
                )
                flying = set(_waiting(db, key, False)[:1]) if busy[key] else set()
                if moving := [row[0] for row in rows if row[0] not in flying]:
                    _move(db, moving, line_of(name, root), _lane(db, key, name))
            _clear(db, key)


def follow(db: Db, event: int, former: Sequence[int], root: int, connections: Sequence[str]) -> None:
    """Let what waits for one event go behind the person it turned out to be from; not what is under way already."""
    keys = {line_of(name, person): name for name in connections for person in former}
    busy = _hold(db, keys)
    sql = f"SELECT id, line FROM delivery WHERE event = ? AND state = 'ready' AND line IN ({db.marks(tuple(keys))})"  # noqa: S608
    for id, line in db.rows(sql, (event, *keys)) if keys else ():
        if busy.get(line) and _waiting(db, line, False)[:1] == [id]:
            continue
        _move(db, [id], line_of(keys[line], root), _lane(db, line, keys[line]))
        _clear(db, line)


def _lane(db: Db, key: str, default: str) -> str:
    row = db.one("SELECT lane FROM line WHERE key = ?", (key,))
    return row[0] if row else default


def _move(db: Db, deliveries: Sequence[int], to: str, lane: str) -> None:
    work.ensure_lines(db, {to: lane})
    db.many("UPDATE delivery SET line = ? WHERE id = ? AND state = 'ready'", [(to, id) for id in deliveries])


def _clear(db: Db, key: str) -> None:
    """Delete a line on which nothing is left; whoever works on it now deletes it themselves."""
    db.run(
        "DELETE FROM line WHERE key = ? AND (lease IS NULL OR due <= ?) "
        "AND NOT EXISTS (SELECT 1 FROM delivery d WHERE d.state = 'ready' AND d.line = line.key)",
        (key, db.now),
    )
