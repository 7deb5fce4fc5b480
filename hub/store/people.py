"""Persons and their keys: the least of identity. Two parallel messages of one human find one person."""

from __future__ import annotations

from collections.abc import Sequence

from hub.store.engine import Db

Key = tuple[str, str]


def persons(db: Db, wanted: Sequence[Sequence[Key]]) -> list[int | None]:
    """Return the person for each list of (kind, value) keys, making those that are new; None where no key is given.

    On PostgreSQL UNIQUE alone lets two transactions make two persons, so the keys are locked first, in order. When
    keys name two persons the older one is taken; joining them is left to the rules of merging.
    """
    keys = sorted({key for some in wanted for key in some})
    if not keys:
        return [None] * len(wanted)
    db.lock([f"person:{kind}:{value}" for kind, value in keys])
    known: dict[Key, int] = {}
    for start in range(0, len(keys), 300):
        chunk = keys[start : start + 300]
        places = ",".join("(?,?)" for _ in chunk)
        rows = db.rows(
            f"SELECT kind, value, person FROM person_key WHERE (kind, value) IN (VALUES {places})",  # noqa: S608
            [part for key in chunk for part in key],
        )
        known.update({(row[0], row[1]): row[2] for row in rows})
    out: list[int | None] = []
    fresh: list[tuple[str, str, int, float]] = []
    for some in wanted:
        if not some:
            out.append(None)
            continue
        found = sorted({known[key] for key in some if key in known})
        person = found[0] if found else int(db.insert("person", ("created_at",), [(db.now,)], "", "id")[0][0])
        for key in some:
            if key not in known:
                known[key] = person
                fresh.append((*key, person, db.now))
        out.append(person)
    if fresh:
        db.insert("person_key", ("kind", "value", "person", "at"), fresh, "ON CONFLICT DO NOTHING")
    return out


def keys_of(db: Db, person: int) -> list[Key]:
    """Return all keys of a person."""
    return [(row[0], row[1]) for row in db.rows("SELECT kind, value FROM person_key WHERE person = ?", (person,))]
