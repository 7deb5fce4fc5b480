"""Pairs of persons who may be one: found by conflicting keys or by likeness, decided by a human."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from hub import golden, likeness
from hub.reasons import stored
from hub.store import families
from hub.store.engine import Db
from hub.store.json import dumps, loads

STATES = ("open", "accepted", "refused", "never")
_COLUMNS = ("id", "person", "other", "state", "reason", "at", "decided_at")


def suspect(db: Db, one: int, other: int, reason: Mapping[str, Any]) -> None:
    """Put a pair before a human, once. Refused before, it comes again with a new reason only.

    `never` never does, and that is said of everybody who is one with either of the two.
    """
    if not kept_apart(db, families.family(db, one), families.family(db, other)):
        _put(db, one, other, reason)


def _put(db: Db, one: int, other: int, reason: Mapping[str, Any]) -> None:
    low, high = sorted((one, other))
    told = dumps(dict(reason))
    db.insert(
        "suspect", ("person", "other", "state", "reason", "at"), [(low, high, "open", told, db.now)],
        "ON CONFLICT (person, other) DO UPDATE SET state = 'open', reason = excluded.reason, decided_at = NULL "
        "WHERE suspect.state = 'refused' AND suspect.reason <> excluded.reason",
    )  # fmt: skip


def kept_apart(db: Db, ones: Sequence[int], others: Sequence[int]) -> bool:
    """Return whether a human has said that somebody of one family is never somebody of the other."""
    mine, theirs = families.marks_of(db, ones), families.marks_of(db, others)
    return (
        db.one(
            f"SELECT 1 FROM suspect WHERE state = 'never' AND person IN ({mine}) AND other IN ({theirs}) "  # noqa: S608
            f"UNION ALL SELECT 1 FROM suspect WHERE state = 'never' AND person IN ({theirs}) AND other IN ({mine}) "
            "LIMIT 1"
        )
        is not None
    )


def pairs(db: Db, state: str = "open", limit: int = 50, before: int | None = None) -> list[dict[str, Any]]:
    """Return pairs, the newest first."""
    rows = db.rows(
        f"SELECT {', '.join(_COLUMNS)} FROM suspect WHERE (state = ? OR ? = 'all') AND id < ? "  # noqa: S608
        "ORDER BY id DESC LIMIT ?",
        (state, state, before if before is not None else 1 << 62, limit),
    )
    return [{**dict(zip(_COLUMNS, row, strict=True)), "reason": loads(row[4])} for row in rows]


def pair(db: Db, id: int) -> dict[str, Any] | None:
    """Return one pair."""
    row = db.one(f"SELECT {', '.join(_COLUMNS)} FROM suspect WHERE id = ?", (id,))  # noqa: S608
    return {**dict(zip(_COLUMNS, row, strict=True)), "reason": loads(row[4])} if row else None


def decide(db: Db, id: int, state: str) -> None:
    """Write what a human decided."""
    db.run("UPDATE suspect SET state = ?, decided_at = ? WHERE id = ?", (state, db.now, id))


# --- likeness --------------------------------------------------------------------------------------


def uncompared(db: Db) -> bool:
    """Return whether somebody is still to be compared."""
    return db.one("SELECT 1 FROM person WHERE NOT compared LIMIT 1") is not None


def compare_new(db: Db, limit: int = 100) -> int:
    """Look for persons alike to those not compared yet; return how many were looked at.

    Not part of planning: nobody waits for it. The cost of one person is a look into an index, whatever their number.
    Persons are not held meanwhile: whoever has changed by the end is compared again.
    """
    db.lock(["people:compare"])
    rows = db.rows("SELECT id, changed_at FROM person WHERE NOT compared ORDER BY id LIMIT ?", (limit,))
    ids = [row[0] for row in rows]
    mine = {person: known for person, known in _known(db, ids).items() if known["name"]}
    words = {
        person: likeness.words_of_keys([(kind, value) for kind in ("phone", "email") for value in known[kind]])
        for person, known in mine.items()
    }
    db.many("DELETE FROM likeness WHERE person = ?", [(person,) for person in ids])
    near = [(word, person) for person, some in sorted(words.items()) for word in some]
    db.insert("likeness", ("word", "person"), sorted(near), "ON CONFLICT DO NOTHING")
    found = _sharing(db, {word for word, _ in near})
    _judge(db, mine, {person: {other for word in some for other in found[word]} for person, some in words.items()})
    db.many(
        "UPDATE person SET compared = ? WHERE id = ? AND coalesce(changed_at, 0) = ?",
        [(True, person, changed or 0.0) for person, changed in rows],
    )
    return len(ids)


def _sharing(db: Db, words: set[int]) -> dict[int, list[int]]:
    """Return near word -> whom it leads to; one that leads to very many leads to the first of them."""
    found: dict[int, list[int]] = {word: [] for word in words}
    wanted = sorted(words)
    for start in range(0, len(wanted), 400):
        chunk = wanted[start : start + 400]
        sql = f"SELECT word, person FROM likeness WHERE word IN ({db.marks(chunk)}) ORDER BY word, person LIMIT ?"  # noqa: S608
        for word, person in db.rows(sql, (*chunk, len(chunk) * likeness.MOST)):
            if len(found[word]) < likeness.MOST:
                found[word].append(person)
    return found


def _judge(db: Db, mine: Mapping[int, dict[str, list[str]]], others: Mapping[int, set[int]]) -> None:
    """Put those who are alike before a human."""
    everybody = sorted(set(mine) | {other for some in others.values() for other in some})
    known = _known(db, everybody)
    at = families.roots(db, everybody)
    groups = families.families(db, at.values())
    alone = {person for person, root in at.items() if len(groups[root]) == 1}
    for person, candidates in sorted(others.items()):
        for other in sorted(candidates - {person}):
            if at.get(other) == at.get(person) or other not in known or (other in mine and other > person):
                continue  # one already, or the pair comes up from its other side
            if why := likeness.alike(mine[person], known[other]):
                put = _put if {person, other} <= alone else suspect  # whom nobody is one with is asked for alone
                put(db, person, other, stored("suspect_alike", **why))


def _known(db: Db, persons: Sequence[int]) -> dict[int, dict[str, list[str]]]:
    """Return person -> their names, phones and e-mails: keys of their own, names of their golden record."""
    out: dict[int, dict[str, list[str]]] = {}
    for start in range(0, len(persons), 400):
        chunk = persons[start : start + 400]
        marks = db.marks(chunk)
        for id, record in db.rows(f"SELECT id, record FROM person WHERE id IN ({marks})", chunk):  # noqa: S608
            names = golden.best(loads(record) or {}, "name", "all") if record else []
            out[id] = {"name": list(names), "phone": [], "email": []}
        sql = f"SELECT person, kind, value FROM person_key WHERE person IN ({marks})"  # noqa: S608
        for id, kind, value in db.rows(sql, chunk):
            if kind in out[id]:
                out[id][kind].append(value)
    return out
