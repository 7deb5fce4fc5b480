"""Whom events are from: their keys are read, their persons found, and what follows from that is planned.

In the planning transaction, before routes that look at the person decide. `hub.store.people` finds; here stands what
the configuration says about it, and what it means at the vendors: their contacts, their records, two contacts of one.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence

from hub import carrying
from hub.identity import Asked, Rules, read, short
from hub.model import Event
from hub.runtime import Runtime
from hub.store import Db, families, nobody, people, work
from hub.store.people import Match


class Matching:
    """Finds persons by the rules of `people`."""

    def __init__(self, runtime: Runtime) -> None:
        self.runtime = runtime
        self.rules = Rules.of(runtime.config.people)
        self.connections = tuple(runtime.config.connections)

    def hold(
        self, db: Db, events: Iterable[Event], contacts: Iterable[tuple[str, str]], persons: Iterable[int]
    ) -> None:  # fmt: skip
        """Hold whom these events and (connection, contact) name, in the order in which `find` does: keys, persons.

        For a transaction that takes lines first and learns of persons later. Two that did it in different orders would
        wait for each other until PostgreSQL ends one of them, a second later; on SQLite there is one writer.
        """
        if not db.postgresql:
            return
        keys = {key for event in events for key in read(event, self.rules).keys}
        keys |= {(f"{connection}.contact", short(contact)) for connection, contact in contacts}
        db.lock(map(nobody.lock_of, keys))
        owners = db.keyed("person_key", ("kind", "value"), sorted(keys), "t.person")
        families.hold(db, {*persons, *(row[0] for row in owners)})

    def find(self, db: Db, events: Sequence[Event]) -> list[Match]:
        """Return whom each event is from; what vendors' contacts and records belong to them is remembered."""
        asked = [read(event, self.rules) for event in events]
        merged = self._linked(db, events, asked)
        found = people.match(db, asked, self.rules, self.connections)
        self._link(db, events, found, merged)
        for event, match in zip(events, found, strict=True):
            self._one_contact(db, event, match)
        return found

    @staticmethod
    def _linked(db: Db, events: Sequence[Event], asked: Sequence[Asked]) -> set[work.Ref]:
        """Note the person whom a contact is linked to already: what the hub made for somebody is theirs.

        So an event of the CRM about a contact that was made of a chat finds the person who chats. Returns the contacts
        that are one with another by now.
        """
        ends = [_contact(event) for event in events]
        known = work.links(db, {end for end in ends if end is not None})
        for end, one in zip(ends, asked, strict=True):
            others = known.get(end, ()) if end is not None else ()
            one.linked = next((int(ref) for where, kind, ref in others if (where, kind) == ("hub", "person")), None)
        return {end for end, others in known.items() if any((one[0], one[1]) == ("hub", "merged") for one in others)}

    @staticmethod
    def _link(db: Db, events: Sequence[Event], found: Sequence[Match], merged: Collection[work.Ref]) -> None:
        """Remember which vendor contact is which person, and whose deal it is: a client is known by what they have."""
        pairs = []
        for event, match in zip(events, found, strict=True):
            for end, role in people.ends_of(event).items() if match.own is not None else ():
                owner = match.card if role == "person" and match.card is not None else match.own
                if end not in merged:
                    pairs.append((("hub", role, str(owner)), end))
        work.add_links(db, pairs)

    def _one_contact(self, db: Db, event: Event, match: Match) -> None:
        """Two contacts of one person at one vendor become one where the configuration wants it; else it is told."""
        if not match.joined and not match.second:
            return
        if not match.joined and (match.by is None or match.by[0] not in self.rules.auto):
            return
        assert match.root is not None
        merge = match.joined[-1].id if match.joined else None
        names = None if match.joined else [connection for connection, _ in match.second]
        carrying.one_contact(db, self.runtime, match.root, match.family, cause=event.id, merge=merge, names=names)


def _contact(event: Event) -> tuple[str, str, str] | None:
    contact = event.record.get("contact")
    if not isinstance(contact, Mapping) or not contact.get("id"):
        return None
    return (event.connection, "contact", str(contact["id"]))
