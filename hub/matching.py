"""Whom events are from: their keys are read, their persons found, and what follows from that is planned.

In the planning transaction, before routes that look at the person decide. `hub.store.people` finds; here stands what
the configuration says about it, and what it means at the vendors: their contacts, their records, two contacts of one.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from hub import carrying
from hub.identity import HISTORY, Asked, Rules, read
from hub.model import Event
from hub.runtime import Runtime
from hub.store import Db, people, work
from hub.store.people import Match


class Matching:
    """Finds persons by the rules of `people`."""

    def __init__(self, runtime: Runtime) -> None:
        self.runtime = runtime
        self.rules = Rules.of(runtime.config.people)
        self.connections = tuple(runtime.config.connections)

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
            if match.own is None:
                continue
            if (end := _contact(event)) is not None and end not in merged:
                pairs.append((("hub", "person", str(match.own)), end))
            if event.kind in HISTORY and event.kind in event.record:
                kind, _, ref = event.subject.partition(":")
                pairs.append((("hub", "customer", str(match.own)), (event.connection, kind, ref)))
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
