"""What is a person's in the store: found once, the same for an export and for an erasure. Nothing here writes.

A row is theirs if it hangs on their number: events of the person, events found by their phone, address or handle that
belong to nobody else, what is linked to those (their contact, lead, deal, parcel) and the events about it, what those
brought forth; the receipts of all these. Somebody else's row that merely names them is no part of it: an erasure only
takes the words out of it (`hub.store.sweep`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from hub import normal
from hub.errors import HubError
from hub.needles import SHORTEST, Needles
from hub.store.engine import Db
from hub.store.json import dumps, loads
from hub.store.people import Key
from hub.store.tables import metadata
from hub.store.work import Ref, links

#: records of many: they lead from one person's deal to everybody else's
SHARED = frozenset({"company", "item", "product", "user", "campaign", "branch", "connection"})
#: so many links may lie between a person and what is theirs: form -> lead -> deal -> parcel
_HOPS = 4
_CHUNK = 300
#: fields of a golden record that name a human, and those they are reached by
_NAMED, _REACHED = ("name", "first_name", "last_name"), ("phone", "email", "handle")
#: columns that hold JSON
JSON = frozenset({"reason", "content", "result", "written", "given", "exchanges", "params", "request", "matched"})

#: columns of copies that hold JSON
_COPIED = frozenset({"agreed", "told", "writes", "intent", "reason", "content", "repair"})


class Ambiguous(HubError):
    """What was asked for leads to several people; the message names them."""

    code = "ambiguous"


@dataclass
class Whose:
    """The rows of one human. `receipts` says of each whether others stand in it too; `refs` are records at vendors."""

    persons: list[int] = field(default_factory=list)
    keys: list[Key] = field(default_factory=list)
    words: set[str] = field(default_factory=set)
    events: set[int] = field(default_factory=set)
    receipts: dict[int, bool] = field(default_factory=dict)
    refs: set[Ref] = field(default_factory=set)
    needles: Needles = field(default_factory=Needles)

    def __bool__(self) -> bool:
        return bool(self.persons or self.events)


# --- who ------------------------------------------------------------------------------------------------


def resolve(db: Db, asked: str, region: str = "") -> tuple[list[int], set[str]]:
    """Return the persons that an id, phone, e-mail, handle or vendor's contact leads to, and the words to search by.

    All numbers of one human are returned, those merged into the survivor too; none where only words are left. A
    short number is an id first. Raises Ambiguous where two humans have that handle.
    """
    asked = asked.strip()
    number = asked.lower().removeprefix("person:").removeprefix("p")
    if number.isdecimal() and len(number) < 10 and db.one("SELECT 1 FROM person WHERE id = ?", (int(number),)):
        return family(db, [int(number)]), set()
    wanted: list[Key] = []
    if phone := normal.phone(asked, region):
        wanted.append(("phone", phone))
    if email := normal.email(asked):
        wanted.append(("email", email))
    kind, _, value = asked.partition(":")
    if value:
        wanted += [("handle", asked), (kind, value)]
    found = {row[0] for key in wanted for row in db.rows(
        "SELECT person FROM person_key WHERE kind = ? AND value = ?", key)}  # fmt: skip
    if not wanted and asked:
        name = asked.lstrip("@")
        rows = db.rows("SELECT person, value FROM person_key WHERE kind = 'handle'")
        found = {row[0] for row in rows if row[1].partition(":")[2].lower() == name.lower()}
        wanted.append(("handle", name))
    roots = {root(db, person) for person in found}
    if len(roots) > 1:
        listed = " and ".join(str(one) for one in sorted(roots))
        raise Ambiguous(f'"{asked}" leads to persons {listed}: say which by its number')
    words = {value.lower() for kind, value in wanted if kind in ("phone", "email", "handle")}
    return family(db, sorted(roots)), words


def root(db: Db, person: int) -> int:
    """Return the survivor a person was merged into, or themselves."""
    seen = {person}
    while True:
        row = db.one('SELECT "into" FROM person WHERE id = ?', (person,))
        if row is None or row[0] is None or row[0] in seen:
            return person
        person = row[0]
        seen.add(person)


def existing(db: Db, persons: Sequence[int]) -> list[int]:
    """Return those of the persons whom the store has."""
    return [one for one in persons if db.one("SELECT 1 FROM person WHERE id = ?", (one,)) is not None]


def family(db: Db, persons: Sequence[int]) -> list[int]:
    """Return these persons' survivors and all that were merged into them."""
    known = {root(db, person) for person in persons}
    new = set(known)
    while new:
        marks = db.marks(list(new))
        rows = db.rows(f'SELECT id FROM person WHERE "into" IN ({marks})', sorted(new))  # noqa: S608
        new = {row[0] for row in rows} - known
        known |= new
    return sorted(known)


# --- what -----------------------------------------------------------------------------------------------


def gather(db: Db, persons: Sequence[int], words: Iterable[str] = (), nobody: Iterable[str] = ()) -> Whose:
    """Return all that is theirs. `words`: further search words they were asked for by; `nobody`: keys of no human."""
    out = Whose(list(persons))
    for chunk in _chunks(out.persons):
        rows = db.rows(f"SELECT kind, value FROM person_key WHERE person IN ({db.marks(chunk)})", chunk)  # noqa: S608
        out.keys += [(row[0], row[1]) for row in rows]
    said = _Said(db, out, frozenset(nobody))
    said.add_keys(words)
    said.of_persons()
    for chunk in _chunks(out.persons):
        rows = db.rows(
            f"SELECT id, content FROM event WHERE state <> 'erased' AND person IN ({db.marks(chunk)})", chunk  # noqa: S608
        )  # fmt: skip
        for id, content in rows:
            out.events.add(id)
            said.read(loads(content))
    _close(db, out, said)
    _receipts(db, out)
    said.of_seen()
    out.needles = said.needles()
    return out


class _Said:
    """What a person is known by: keys, and what their contact records say, but for what belongs to others."""

    def __init__(self, db: Db, whose: Whose, nobody: frozenset[str]) -> None:
        self.db, self.whose, self.nobody = db, whose, nobody
        self.phones: set[str] = set()
        self.emails: set[str] = set()
        self.handles: set[str] = set()
        self.names: set[str] = set()

    def add_keys(self, words: Iterable[str]) -> None:
        """Take the person's keys, and the words they were asked for by."""
        for kind, value in self.whose.keys:
            self._add(kind, value.partition(":")[2] if kind == "handle" else value)
        for word in words:
            kind = "phone" if word.startswith("+") else "email" if "@" in word else "handle"
            self._add(kind, word)

    def _add(self, kind: str, value: str) -> None:
        where = {"phone": self.phones, "email": self.emails, "handle": self.handles}.get(kind)
        if where is not None and value and value not in self.nobody:
            where.add(value)
            if kind != "handle" or len(value) >= SHORTEST:  # a shorter one is some order's number as well
                self.whose.words.add(value.lower())

    def read(self, content: Mapping[str, Any]) -> None:
        """Take what the contact of an event of theirs says."""
        self._contact((content.get("record") or {}).get("contact"))

    def of_persons(self) -> None:
        """Take what their golden records say: field -> values, each with where it came from."""
        for chunk in _chunks(self.whose.persons):
            rows = self.db.rows(f"SELECT record FROM person WHERE id IN ({self.db.marks(chunk)})", chunk)  # noqa: S608
            for (record,) in rows:
                told = loads(record) or {}
                every = {name: [one.get("value") for one in told.get(name) or ()] for name in (*_NAMED, *_REACHED)}
                for place in range(max((len(values) for values in every.values()), default=0)):
                    self._contact({name: values[place] for name, values in every.items() if place < len(values)})

    def of_seen(self) -> None:
        """Take what their contacts at vendors say, as last seen."""
        for connection, kind, ref in self.whose.refs:
            if kind == "contact":
                row = self.db.one(
                    "SELECT record FROM seen WHERE connection = ? AND subject = ?", (connection, f"contact:{ref}")
                )
                self._contact((loads(row[0]) or {}).get("record") if row else None)

    def _contact(self, contact: Any) -> None:
        if not isinstance(contact, Mapping):
            return
        first, last = (str(contact.get(name) or "") for name in ("first_name", "last_name"))
        self.names |= {str(contact.get("name") or ""), f"{first} {last}", f"{last} {first}"}
        handles = contact.get("handles")
        given = {
            "phone": [*(contact.get("phones") or ()), contact.get("phone")],
            "email": [*(contact.get("emails") or ()), contact.get("email")],
            "handle": [*(handles.values() if isinstance(handles, Mapping) else ()), contact.get("handle")],
        }
        for kind, values in given.items():
            for value in {str(one) for one in values if one}:
                if not self._of_others(kind, value):
                    self._add(kind, value)

    def _of_others(self, kind: str, value: str) -> bool:
        if kind == "handle":
            return False
        row = self.db.one("SELECT person FROM person_key WHERE kind = ? AND value = ?", (kind, value))
        return row is not None and row[0] not in self.whose.persons

    def needles(self) -> Needles:
        """Return them as patterns."""
        return Needles(self.phones, self.emails, self.handles, self.names)


def rows(db: Db, table: str, ids: Iterable[int], by: str = "id") -> list[dict[str, Any]]:
    """Return whole rows of a table whose column `by` is one of the ids, in order, their JSON taken apart."""
    names = [column.name for column in metadata.tables[table].columns]
    listed = ", ".join(f'"{name}"' for name in names)
    found: list[dict[str, Any]] = []
    for chunk in _chunks(sorted(ids)):
        sql = f"SELECT {listed} FROM {table} WHERE {by} IN ({db.marks(chunk)}) ORDER BY id"  # noqa: S608
        for row in db.rows(sql, chunk):
            found.append(
                {name: loads(value) if name in JSON else value for name, value in zip(names, row, strict=True)}
            )
    return found


def of_ref(db: Db, table: str, ref: Ref) -> list[dict[str, Any]]:
    """Return what `seen` or `watch` holds of a record."""
    connection, kind, id = ref
    if table == "seen":
        subject = f"{kind}:{id}"
        row = db.one("SELECT record, at FROM seen WHERE connection = ? AND subject = ?", (connection, subject))
        return [{"connection": connection, "subject": subject, "record": loads(row[0]), "at": row[1]}] if row else []
    found = db.rows("SELECT data, due, since FROM watch WHERE connection = ? AND kind = ? AND ref = ?", ref)
    return [
        {"connection": connection, "record": f"{kind}:{id}", "data": loads(row[0]), "due": row[1], "since": row[2]}
        for row in found
    ]


def pairs(
    db: Db, table: str, persons: Sequence[int], one: str = "person", other: str = "other"
) -> list[dict[str, Any]]:
    """Return the rows of a table of pairs of persons (columns `one` and `other`) in which one of these is, in order."""
    found = {row["id"]: row for by in (one, other) for row in rows(db, table, persons, by)}
    return [found[id] for id in sorted(found)]


def copies(db: Db, table: str, out: Whose) -> list[dict[str, Any]]:
    """Return the rows of `twin`, `backlog` or `difference` that are of a record of theirs or name them."""
    names = [column.name for column in metadata.tables[table].columns]
    listed = ", ".join(f'"{name}"' for name in names)
    found = []
    for row in db.rows(f"SELECT {listed} FROM {table} ORDER BY {listed.partition(',')[0]}"):  # noqa: S608
        told = dict(zip(names, row, strict=True))
        if _of_records(told, out) or out.needles.found(dumps(told), names=True):
            found.append({name: _json(value) if name in _COPIED else value for name, value in told.items()})
    return found


def _of_records(row: Mapping[str, Any], out: Whose) -> bool:
    """Return whether a copy is of a record of theirs; of two that are kept alike both have to be."""
    if "subject" in row:
        return _ref(row["connection"], row["subject"]) in out.refs
    if "ref" in row:
        return (row["connection"], row["record"], row["ref"]) in out.refs
    if "one" in row:
        return {(row["record"], row["one"]), (row["record"], row["other"])} <= {ref[1:] for ref in out.refs}
    return False


def _json(value: Any) -> Any:
    return loads(value) if isinstance(value, str) and value[:1] in ("{", "[") else value


def _close(db: Db, out: Whose, said: _Said) -> None:
    """Follow words, links, subjects and causes until nothing new is theirs."""
    new = set(out.events)
    people: set[Ref] = {("hub", kind, str(person)) for person in out.persons for kind in ("person", "customer")}
    fresh = _linked(db, people, out)
    asked: set[str] = set()
    for _ in range(_HOPS):
        words = sorted(out.words - asked)
        asked |= out.words
        found = {row[0] for chunk in _chunks(words) for row in db.rows(
            f"SELECT event FROM search WHERE word IN ({db.marks(chunk)})", chunk)}  # fmt: skip  # noqa: S608
        found |= {row[0] for chunk in _chunks(sorted(new)) for row in db.rows(
            f"SELECT id FROM event WHERE cause IN ({db.marks(chunk)})", chunk)}  # fmt: skip  # noqa: S608
        subjects = {_ref(connection, subject) for connection, subject in _subjects(db, new)}
        ends = {ref for ref in subjects | fresh if ref[1] not in SHARED} - out.refs
        ends -= _of_another(db, ends, people)
        out.refs |= ends
        fresh = _linked(db, ends, out)
        for connection, kind, ref in ends:
            rows = db.rows(
                "SELECT id FROM event WHERE connection = ? AND subject = ?", (connection, f"{kind}:{ref}")
            )  # fmt: skip
            found |= {row[0] for row in rows}
        new = _theirs(db, found - out.events, out, said)
        out.events |= new
        if not new and not fresh - out.refs:
            return


def _linked(db: Db, ends: Iterable[Ref], out: Whose) -> set[Ref]:
    """Return what is linked to these, but for persons and what is known already."""
    return {one for some in links(db, ends).values() for one in some if one[0] != "hub"} - out.refs


def _of_another(db: Db, ends: Iterable[Ref], people: set[Ref]) -> set[Ref]:
    """Return those of the records that are linked to another person."""
    found = links(db, ends)
    return {
        end for end, linked in found.items()
        if (owners := {one for one in linked if one[:2] == ("hub", "person")}) and not owners & people
    }  # fmt: skip


def _subjects(db: Db, events: Iterable[int]) -> Iterator[tuple[str, str]]:
    for chunk in _chunks(sorted(events)):
        rows = db.rows(f"SELECT connection, subject FROM event WHERE id IN ({db.marks(chunk)})", chunk)  # noqa: S608
        yield from ((row[0], row[1]) for row in rows)


def _theirs(db: Db, events: set[int], out: Whose, said: _Said) -> set[int]:
    """Return those of the events that belong to nobody else (a person who is gone is nobody), not erased yet."""
    mine: set[int] = set()
    for chunk in _chunks(sorted(events)):
        rows = db.rows(
            "SELECT e.id, p.id, e.content FROM event e LEFT JOIN person p ON p.id = e.person "  # noqa: S608
            f"WHERE e.state <> 'erased' AND e.id IN ({db.marks(chunk)})", chunk
        )  # fmt: skip
        for id, person, content in rows:
            if person is None or person in out.persons:
                mine.add(id)
                if person is not None:
                    said.read(loads(content))
    return mine


def _receipts(db: Db, out: Whose) -> None:
    """Find the receipts of their events, and which of them others stand in too."""
    found: set[int] = set()
    for chunk in _chunks(sorted(out.events)):
        rows = db.rows(f"SELECT receipt FROM event WHERE id IN ({db.marks(chunk)})", chunk)  # noqa: S608
        found |= {row[0] for row in rows if row[0] is not None}
    for chunk in _chunks(sorted(found)):
        marks = db.marks(chunk)
        kept = {row[0] for row in db.rows(f"SELECT id FROM receipt WHERE id IN ({marks})", chunk)}  # noqa: S608
        rows = db.rows(f"SELECT receipt, id FROM event WHERE state <> 'erased' AND receipt IN ({marks})", chunk)  # noqa: S608
        shared = {receipt for receipt, id in rows if id not in out.events}
        out.receipts.update({id: id in shared for id in kept})


def _ref(connection: str, subject: str) -> Ref:
    kind, _, ref = subject.partition(":")
    return connection, kind, ref


def _chunks(values: Sequence[Any]) -> Iterator[Sequence[Any]]:
    for start in range(0, len(values), _CHUNK):
        yield values[start : start + _CHUNK]
