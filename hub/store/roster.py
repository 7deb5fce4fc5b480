"""Persons as people look at them: who there is, what is known of each and since when. Reading only."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from hub import golden
from hub.identity import HINT, Key
from hub.store import families, merging, people
from hub.store.engine import Db
from hub.store.json import loads


def listed(db: Db, limit: int = 50, before: int | None = None) -> list[dict[str, Any]]:
    """Return persons who stand for themselves, the newest first: id, record, keys, how many are one with them."""
    rows = db.rows(
        'SELECT id, created_at, changed_at FROM person WHERE "into" IS NULL AND id < ? ORDER BY id DESC LIMIT ?',
        (before if before is not None else 1 << 62, limit),
    )
    groups = families.families(db, [row[0] for row in rows])
    everybody = [person for group in groups.values() for person in group]
    keys = _keys(db, everybody)
    records = _records(db, everybody)
    return [
        {
            "id": id, "created_at": created, "changed_at": changed, "family": groups[id],
            "record": golden.together(records.get(one) for one in groups[id]),
            "keys": [key for one in groups[id] for key in keys.get(one, ())],
        }
        for id, created, changed in rows
    ]  # fmt: skip


def _keys(db: Db, persons: Sequence[int]) -> dict[int, list[tuple[str, str]]]:
    found: dict[int, list[tuple[str, str]]] = {}
    for start in range(0, len(persons), 400):
        chunk = persons[start : start + 400]
        sql = f"SELECT person, kind, value FROM person_key WHERE person IN ({db.marks(chunk)}) ORDER BY at, kind"  # noqa: S608
        for person, kind, value in db.rows(sql, chunk):
            if not kind.startswith(HINT):
                found.setdefault(person, []).append((kind, value))
    return found


def _records(db: Db, persons: Sequence[int]) -> dict[int, golden.Golden]:
    found: dict[int, golden.Golden] = {}
    for start in range(0, len(persons), 400):
        chunk = persons[start : start + 400]
        rows = db.rows(f"SELECT id, record FROM person WHERE id IN ({db.marks(chunk)})", chunk)  # noqa: S608
        found.update({row[0]: loads(row[1]) for row in rows if row[1]})
    return found


def names(db: Db, persons: Iterable[int]) -> dict[int, str]:
    """Return person -> how to call them: the name, else a phone, an e-mail or a handle."""
    at = families.roots(db, set(persons))
    groups = families.families(db, set(at.values()))
    records = _records(db, [person for group in groups.values() for person in group])
    found: dict[int, str] = {}
    for root, group in groups.items():
        record = golden.together(records.get(one) for one in group)
        words = (golden.best(record, field) for field in ("name", "phone", "email", "handle"))
        found[root] = next((str(word) for word in words if word), "")
    return {person: found[root] for person, root in at.items()}


def exists(db: Db, person: int) -> bool:
    """Return whether there is such a person, merged or not."""
    return db.one("SELECT 1 FROM person WHERE id = ?", (person,)) is not None


def by_value(db: Db, value: str) -> list[int]:
    """Return whom a value names as a handle (`insta:4711`, `4711`) or a vendor's contact (`crm.contact:55`)."""
    kind, _, rest = value.partition(":")
    rows = db.rows(
        "SELECT person FROM person_key WHERE (kind = ? AND value = ?) OR (kind = 'handle' AND value = ?)",
        (kind, rest, value),
    )
    return sorted(set(families.roots(db, [row[0] for row in rows]).values()))


def events(db: Db, persons: Sequence[int], limit: int = 20) -> list[dict[str, Any]]:
    """Return the last events of persons that are one, the newest first."""
    sql = (
        "SELECT id, at, connection, type, subject, person, matched FROM event "  # noqa: S608
        f"WHERE person IN ({db.marks(persons)}) ORDER BY at DESC, id DESC LIMIT ?"
    )
    names = ("id", "at", "connection", "type", "subject", "person", "matched")
    found = [dict(zip(names, row, strict=True)) for row in db.rows(sql, (*persons, limit))]
    return [{**row, "matched": loads(row["matched"]) if row["matched"] else None} for row in found]


def suspects_of(db: Db, persons: Sequence[int]) -> list[dict[str, Any]]:
    """Return the open pairs that these persons are part of."""
    marks = db.marks(persons)
    rows = db.rows(
        f"SELECT id, person, other, reason FROM suspect WHERE state = 'open' AND person IN ({marks}) "  # noqa: S608
        f"UNION SELECT id, person, other, reason FROM suspect WHERE state = 'open' AND other IN ({marks}) ORDER BY id",
        (*persons, *persons),
    )
    return [{"id": row[0], "person": row[1], "other": row[2], "reason": loads(row[3])} for row in rows]


def whole(db: Db, person: int, limit: int = 20) -> dict[str, Any]:
    """Return everything about a person: family, keys, record, merges, suspects, last events."""
    family = families.family(db, person)
    marks = db.marks(family)
    [row] = db.rows("SELECT created_at, changed_at FROM person WHERE id = ?", (family[0],))
    requests = db.one(f"SELECT count(*) FROM event WHERE person IN ({marks})", family)  # noqa: S608
    return {
        "id": family[0], "family": family, "created_at": row[0], "changed_at": row[1],
        "keys": keys_of(db, family[0]), "record": record_of(db, family),
        "merges": merging.of_persons(db, family), "suspects": suspects_of(db, family),
        "events": events(db, family, limit), "count": int(requests[0]) if requests else 0,
    }  # fmt: skip


# --- one person -----------------------------------------------------------------------------------


def own_of(db: Db, event: int) -> int | None:
    """Return whom an event's own keys name, not who stands for them."""
    row = db.one("SELECT person FROM event WHERE id = ?", (event,))
    return row[0] if row else None


def owns_of(db: Db, events: Iterable[int]) -> set[int]:
    """Return whom the own keys of any of these events name."""
    ids = sorted(set(events))
    sql = f"SELECT DISTINCT person FROM event WHERE person IS NOT NULL AND id IN ({db.marks(ids)})"  # noqa: S608
    return {row[0] for row in db.rows(sql, ids)} if ids else set()


def keys_of(db: Db, person: int, telling: bool = False) -> list[Key]:
    """Return all keys of a person and of those who are one with them; hints last.

    telling: only those that tell who they are, without contacts the hub itself made for them.
    """
    everybody = families.family(db, person)
    rows = db.rows(
        f"SELECT kind, value, via FROM person_key WHERE person IN ({db.marks(everybody)}) ORDER BY at, kind, value",  # noqa: S608
        everybody,
    )
    found = [(row[0], row[1]) for row in rows if not telling or row[2] != people.OWN]
    return sorted(found, key=lambda key: key[0].startswith(HINT))


def of_key(db: Db, kind: str, value: str) -> int | None:
    """Return who is named by a key (the survivor), or None."""
    row = db.one("SELECT person FROM person_key WHERE kind = ? AND value = ?", (kind, value))
    return families.roots(db, [row[0]])[row[0]] if row else None


def record_of(db: Db, persons: Sequence[int]) -> golden.Golden:
    """Return the golden records of persons that are one, read as one."""
    rows = db.rows(f"SELECT record FROM person WHERE id IN ({db.marks(persons)}) ORDER BY id", persons)  # noqa: S608
    return golden.together(loads(row[0]) for row in rows if row[0])
