"""Finding the person of a message, or making them: one human is one person, however many messages come at once.

On PostgreSQL UNIQUE alone lets two transactions make two persons of one human, so the keys are locked first and then
the persons they name, each in sorted order; SQLite has one writer anyway. Everything happens in the transaction that
plans the event, so what is counted of a person counts the messages before this one.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from hub import golden
from hub.identity import HISTORY, Asked, Key, Rules, read
from hub.model import Event
from hub.reasons import stored
from hub.store import families, intake, merging, nobody, work
from hub.store.engine import Db
from hub.store.json import dumps
from hub.store.meeting import OWN, Match, Meeting, left_out, through, why_of

__all__ = ["OWN", "Match", "match", "persons", "release"]


def match(db: Db, asked: Sequence[Asked], rules: Rules, connections: Sequence[str] = ()) -> list[Match]:
    """Return whom each event is from, in their order; those who are new are made.

    connections: those at which something may wait for a person (their lines are joined when persons are).
    """
    asked = nobody.without(db, asked)
    if not any(asked):
        return [Match(why=why_of("match_none", rules, left_out(one))) for one in asked]
    batch = Meeting(db, rules, connections)
    batch.lock(asked)
    if db.postgresql:  # a key may have been found to name nobody while its lock was waited for
        asked = nobody.without(db, asked)
    batch.load(asked)
    out = [batch.one(each) for each in asked]
    for each, one in zip(asked, out, strict=True):
        one.card = batch.owner.get(each.card) if each.card is not None else None
    batch.write()
    for one in out:  # a later event of the batch may have merged the person of an earlier one
        if one.own is not None:
            one.root = batch.root[one.own]
            one.family = (one.root, *sorted(batch.family[one.root] - {one.root}))
    if not batch.overused:
        return out
    gone = set(batch.overused)
    for key, count in batch.overused.items():
        nobody.declare(db, key, "use", stored("nobody_use", count=count))
        met = [(one, found) for one, found in zip(asked, out, strict=True) if found.by not in gone - {key}]
        gone |= _release(db, key, rules, connections, met)[0]
    again = [place for place, one in enumerate(out) if one.by in gone]
    for place, one in zip(again, match(db, [asked[place] for place in again], rules, connections), strict=True):
        out[place] = one  # matched anew, without the key that names nobody
    return out


def persons(db: Db, wanted: Sequence[Sequence[Key]]) -> list[int | None]:
    """Return the person for each list of keys, making those that are new; None where no key is given."""
    return [one.root for one in match(db, [Asked(keys=list(some)) for some in wanted], Rules())]


# --- a key that turned out to name nobody ---------------------------------------------------------


def hold(db: Db, key: Key) -> None:
    """Hold whoever has a key, and before them all of their keys: the order in which `match` does."""
    held: set[str] = set()
    while db.postgresql:  # ends as soon as nobody gave them keys while their locks were waited for
        row = db.one("SELECT person FROM person_key WHERE kind = ? AND value = ?", key)
        everybody = families.family(db, row[0]) if row is not None else []
        keys = {nobody.lock_of(key)}
        if everybody:
            sql = f"SELECT kind, value FROM person_key WHERE person IN ({db.marks(everybody)})"  # noqa: S608
            keys |= {nobody.lock_of((kind, value)) for kind, value in db.rows(sql, everybody)}
        if not keys - held:
            families.hold(db, everybody)
            return
        db.lock(keys - held)
        held |= keys


def release(db: Db, key: Key, rules: Rules, connections: Sequence[str]) -> int:
    """Take a key from its person and match anew, without it, what came by it; return how many events that were."""
    return _release(db, key, rules, connections, ())[1]


def _release(
    db: Db, key: Key, rules: Rules, connections: Sequence[str], met: Sequence[tuple[Asked, Match]]
) -> tuple[set[Key], int]:
    """Do it; return (the key with all that came by it, how many events were matched anew).

    met: events of this transaction that are not in the store as somebody's yet; the caller matches them anew.
    """
    row = db.one("SELECT person, at FROM person_key WHERE kind = ? AND value = ?", key)
    if row is None:
        return {key}, 0
    everybody = families.family(db, row[0])
    gone = _take(db, key, everybody)
    events = [
        (event, person, why, read(event, rules)) for event, person, why in intake.events_of_persons(db, everybody)
    ]
    moved = [(event, person, asked) for event, person, why, asked in events if _by(why) in gone]
    first = [(asked, person) for _, person, why, asked in events if (why or {}).get("code") == "match_new"]
    first += [(asked, match.own) for asked, match in met if match.made and match.own is not None]
    if row[0] not in {person for _, person in first}:  # that event is kept no longer; what came along with the key is
        own = [one for one, (at, via) in gone.items() if at == row[1] and via == through(key)]
        first.append((Asked(keys=own), row[0]))
    _give_back(db, key, gone, first)
    kept = [(asked, person) for _, person, why, asked in events if _by(why) not in gone]
    kept += [(asked, match.own) for asked, match in met if match.own is not None and match.by not in gone]
    touched = {person for _, person, _ in moved} | {match.own for _, match in met if match.by in gone}
    for person in sorted(one for one in touched if one is not None):
        _rebuild(db, person, [asked for asked, own in kept if own == person])
    found = match(db, [asked for *_, asked in moved], rules, connections)
    intake.set_persons(db, [(event.id, one.own, one.why) for (event, *_), one in zip(moved, found, strict=True)])
    for (event, *_), one in zip(moved, found, strict=True):
        if one.root is not None:
            merging.follow(db, event.id, everybody, one.root, connections)
    staying = {end for event, _, why, _ in events if _by(why) not in gone for end in ends_of(event)}
    for (event, person, _), one in zip(moved, found, strict=True):
        for end, role in ends_of(event).items() if one.own != person else ():
            if end not in staying:
                work.unlink(db, ("hub", role, str(person)), end)
            if one.own is not None:
                work.add_links(db, [(("hub", role, str(one.own)), end)])
    return set(gone), len(moved)


def ends_of(event: Event) -> dict[work.Ref, str]:
    """Return what an event shows to be of its person, each with how: their contact at a vendor, what they bought."""
    found: dict[work.Ref, str] = {}
    contact = event.record.get("contact")
    if isinstance(contact, Mapping) and contact.get("id"):
        found[event.connection, "contact", str(contact["id"])] = "person"
    if event.kind in HISTORY and event.kind in event.record:
        kind, _, ref = event.subject.partition(":")
        found[event.connection, kind, ref] = "customer"
    return found


def _take(db: Db, key: Key, everybody: Sequence[int]) -> dict[Key, tuple[float, str | None]]:
    """Delete a key, what came by it, and what came by that; return each with when it came and by which."""
    sql = f"SELECT kind, value, at, via FROM person_key WHERE person IN ({db.marks(everybody)})"  # noqa: S608
    known = {(kind, value): (at, via) for kind, value, at, via in db.rows(sql, everybody)}
    gone, ahead = {key}, {through(key)}
    while ahead:
        new = {one for one, (_, via) in known.items() if via in ahead} - gone
        gone |= new
        ahead = {through(one) for one in new}
    db.many("DELETE FROM person_key WHERE kind = ? AND value = ?", sorted(gone))
    return {one: known[one] for one in gone}


def _give_back(db: Db, key: Key, gone: Iterable[Key], first: Sequence[tuple[Asked, int]]) -> None:
    """Let those whom an event made keep what that event itself said of them, but for the key that names nobody."""
    rows: list[tuple[str, str, int, float, str | None]] = []
    for (_, person), asked in zip(first, nobody.without(db, [asked for asked, _ in first]), strict=True):
        own = [one for one in asked.keys if one != key and one in gone]
        rows += [(*one, person, db.now, through(own[0]) if one != own[0] else None) for one in own]
    if rows:
        db.insert("person_key", ("kind", "value", "person", "at", "via"), rows, "ON CONFLICT DO NOTHING")


def _by(why: Any) -> Key | None:
    params = (why or {}).get("params") or {}
    return (params["kind"], params["value"]) if (why or {}).get("code") == "match_key" else None


def _rebuild(db: Db, person: int, kept: Sequence[Asked]) -> None:
    """Make a golden record anew out of the events that are left to the person."""
    record: golden.Golden = {}
    for one in kept:
        record = golden.add(record, one.contact, one.connection, one.at or db.now) or record
    db.run(
        "UPDATE person SET record = ?, changed_at = ?, compared = ? WHERE id = ?",
        (dumps(record) if record else None, db.now, False, person),
    )
