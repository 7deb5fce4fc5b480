"""Persons that are one: who belongs to whom, and that pointer kept true when merges come and go.

A merge moves nothing. Events, keys, records and links stay with the person whose keys brought them; `person.into`
says who stands for them all, and whoever reads a person reads the whole family. So a merge costs the same for a
person of one message and of ten thousand, two histories stay two, and to undo a merge is to take its row away: what
came later is with the person whose keys it had.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from hub.store.engine import Db


def roots(db: Db, persons: Iterable[int]) -> dict[int, int]:
    """Return who stands for each person: the survivor they were merged into, else themselves."""
    wanted = sorted(set(persons))
    found: dict[int, int] = {}
    for start in range(0, len(wanted), 400):
        chunk = wanted[start : start + 400]
        rows = db.rows(f'SELECT id, "into" FROM person WHERE id IN ({db.marks(chunk)})', chunk)  # noqa: S608
        found.update({row[0]: row[1] if row[1] is not None else row[0] for row in rows})
    return found


def families(db: Db, survivors: Iterable[int]) -> dict[int, list[int]]:
    """Return survivor -> everybody they stand for, themselves first."""
    wanted = sorted(set(survivors))
    found = {person: [person] for person in wanted}
    for start in range(0, len(wanted), 400):
        chunk = wanted[start : start + 400]
        sql = f'SELECT id, "into" FROM person WHERE "into" IN ({db.marks(chunk)}) ORDER BY id'  # noqa: S608
        for id, into in db.rows(sql, chunk):
            found[into].append(id)
    return found


def family(db: Db, person: int) -> list[int]:
    """Return everybody who is one with a person, the survivor first."""
    root = roots(db, [person]).get(person, person)
    return families(db, [root])[root]


def lock(db: Db, persons: Iterable[int]) -> None:
    """Hold persons for the transaction: who plans for one or merges one waits for whoever does."""
    db.lock([f"person#{person:020d}" for person in persons])


def hold(db: Db, persons: Iterable[int] | Callable[[], Iterable[int]]) -> dict[int, int]:
    """Hold those who stand for some persons; return person -> root, which nobody changes until the transaction ends.

    persons: or what reads them, where they too may change while somebody is waited for. Who stands for them may have
    become another one by the time we have the lock. Then it is given back before the others are asked for: whoever
    keeps one and waits for a lower one may be waited for by somebody who keeps that.
    """
    read = persons if callable(persons) else list(persons).copy
    while True:
        at = roots(db, read())
        if not db.postgresql or not at:
            return at
        db.run("SAVEPOINT holding")
        lock(db, at.values())
        if roots(db, read()) == at:
            db.run("RELEASE SAVEPOINT holding")
            return at
        db.run("ROLLBACK TO SAVEPOINT holding")


def connected(db: Db, persons: Iterable[int], undone: bool = False) -> tuple[set[int], set[tuple[int, int]]]:
    """Return everybody whom merges connect with these persons, and the pairs that were merged.

    undone: those that are not in force any more count too.
    """
    reached: set[int] = set()
    edges: set[tuple[int, int]] = set()
    ahead = set(persons)
    which = "" if undone else "undone_at IS NULL AND "
    while ahead:
        some = sorted(ahead)[:200]
        ahead -= set(some)
        reached |= set(some)
        marks = db.marks(some)
        rows = db.rows(
            f"SELECT one, other FROM merge WHERE {which}one IN ({marks}) "  # noqa: S608
            f"UNION SELECT one, other FROM merge WHERE {which}other IN ({marks})",
            [*some, *some],
        )
        edges |= {(row[0], row[1]) for row in rows}
        ahead |= {end for edge in edges for end in edge} - reached
    return reached, edges


def settle(db: Db, persons: Iterable[int]) -> dict[int, int]:
    """Work `into` out anew for everybody whom merges in force connect with these persons; return person -> root."""
    reached, edges = connected(db, persons)
    root = {person: person for person in reached}

    def of(person: int) -> int:
        while root[person] != person:
            root[person] = root[root[person]]
            person = root[person]
        return person

    for one, other in sorted(edges):
        low, high = sorted((of(one), of(other)))
        root[high] = low
    out = {person: of(person) for person in sorted(reached)}
    db.many(
        'UPDATE person SET "into" = ? WHERE id = ?',
        [(survivor if survivor != person else None, person) for person, survivor in out.items()],
    )
    return out


def marks_of(db: Db, some: Sequence[int]) -> str:
    """Return the list of ids for SQL: they are numbers of our own."""
    return ",".join(str(int(one)) for one in some)
