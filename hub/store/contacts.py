"""A contact the hub made or chose for somebody, whom the vendor has told of before: then two persons are one human."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from hub.identity import Rules, conflicts, short
from hub.reasons import stored
from hub.store import families, merging, people, roster, suspects, work
from hub.store.engine import Db


def own(
    db: Db, connection: str, contact: str, person: int, rules: Rules, connections: Sequence[str]
) -> merging.Merge | None:
    """Note the contact of a person. Whoever has it already is one with them, or put before a human as a suspect.

    The vendor's own message of a new contact may be read before the answer to the call that made it. Returns the
    merge, if there is one.
    """
    key = (f"{connection}.contact", short(contact))
    db.lock([f"person:{key[0]}:{key[1]}"])
    note(db, [(connection, contact, person)])
    row = db.one("SELECT person FROM person_key WHERE kind = ? AND value = ?", key)
    other = row[0] if row else person
    at = families.hold(db, (person, other))
    if person not in at or other not in at or at[person] == at[other]:
        return None
    one, two = sorted((person, other), key=lambda each: at[each])
    ones, twos = (families.family(db, each) for each in (one, two))
    if suspects.kept_apart(db, ones, twos):
        return None
    said = {"kind": key[0], "other_kind": key[0], "person": at[one], "other": at[two]}
    if differ := conflicts(roster.keys_of(db, one, True), roster.keys_of(db, two, True)):
        suspects.suspect(db, one, two, stored("match_conflict", **said, differ=", ".join(differ)))
    elif not rules.auto:
        suspects.suspect(db, one, two, stored("match_not_auto", **said))
    else:
        return merging.join(db, one, two, "rule", stored("match_joined", **said), connections)
    return None


def note(db: Db, rows: Iterable[tuple[str, str, int]]) -> None:
    """Note (connection, contact, person) of contacts that the hub has made or chosen for somebody."""
    values = sorted({(f"{connection}.contact", short(contact), person) for connection, contact, person in rows})
    if values:
        db.insert(
            "person_key", ("kind", "value", "person", "at", "via"), [(*row, db.now, people.OWN) for row in values],
            "ON CONFLICT (kind, value) DO UPDATE SET via = excluded.via WHERE person_key.person = excluded.person",
        )  # fmt: skip


def of_somebody_parted(db: Db, connection: str, contact: str, person: int) -> bool:
    """Return whether a contact is another human's, of whom a person has said that these two are never one."""
    owner = having(db, connection, [contact]).get(contact, person)
    if owner == person:
        return False
    at = families.roots(db, (owner, person))
    if len(set(at.values())) < 2:
        return False
    both = families.families(db, at.values())
    return suspects.kept_apart(db, both[at[owner]], both[at[person]])


def untangle(db: Db, persons: Iterable[int]) -> None:
    """Forget that persons have contacts that are another human's: as long as they were one, either wrote into both."""
    known = work.links(db, [("hub", "person", str(person)) for person in persons])
    for (_, _, person), ends in known.items():
        mine = [(connection, ref) for connection, kind, ref in ends if kind == "contact"]
        for connection in sorted({connection for connection, _ in mine}):
            owners = having(db, connection, [ref for where, ref in mine if where == connection])
            at = families.roots(db, [int(person), *owners.values()])
            for ref, owner in owners.items():
                if at.get(owner) != at.get(int(person)):
                    work.unlink(db, ("hub", "person", person), (connection, "contact", ref))


def having(db: Db, connection: str, contacts: Iterable[str]) -> dict[str, int]:
    """Return contact -> the person whose it is, not who stands for them; without those nobody is known by."""
    kind, values = f"{connection}.contact", {short(one): one for one in contacts}
    sql = f"SELECT value, person FROM person_key WHERE kind = ? AND value IN ({db.marks(tuple(values))})"  # noqa: S608
    return {values[row[0]]: row[1] for row in db.rows(sql, (kind, *values))} if values else {}
