"""What calls have done at vendors: links, contacts, watches, what was written.

Noted whoever holds the lease by now: a worker that lost its line has made the record all the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from hub import carrying, parting
from hub.echoes import expected
from hub.identity import Rules
from hub.model import Event
from hub.outcome import Outcome
from hub.pipeline import Pipeline
from hub.store import Db, contacts, roster, state, twins, work
from hub.work_items import Complete, Deliver, Item


class Effects:
    """Turns what outcomes have brought about into rows."""

    def __init__(self, pipeline: Pipeline) -> None:
        self.runtime = pipeline.runtime
        self.matching = pipeline.matching

    def hold(self, db: Db, batch: Sequence[tuple[Item, Any]]) -> None:
        """Hold all that writing these results down will hold, before any line is: records, pairs, keys, persons.

        The same order as in the pipeline (`settle`, `plan`). On SQLite there is one writer and nothing to hold.
        """
        if not db.postgresql:
            return
        events: list[Event] = []
        contacts: list[tuple[str, str]] = []
        persons: set[int] = set()
        names: set[str] = set()
        ours: set[int] = set()
        for item, result in batch:
            if isinstance(item, Complete) and not isinstance(result, Exception):
                events += [event.with_(connection=item.connection) for event in result]
            elif isinstance(item, Deliver) and isinstance(result, Outcome):
                persons |= {result.work.person} if result.work.person is not None else set()
                ours.add(result.work.event.id)
                for one in (result, *result.also):
                    persons |= {person for _, person in one.restored}
                    names |= _names(one)
                    contacts += [(item.connection, contact) for contact in _contacts(one)]
                    if one.done is not None:
                        events += [event.with_(connection=item.connection) for event in one.done.events]
        persons |= roster.owns_of(db, ours)  # they may have been parted from who stood for them when it was claimed
        db.lock(names | {_seen(event.connection, event.subject) for event in events})
        self.matching.hold(db, events, contacts, persons)

    def note(self, db: Db, outcome: Outcome) -> None:
        """Record what is true whoever holds the lease: links, watches, what was written."""
        event, claimed, done = outcome.work.event, outcome.work, outcome.done
        connection = claimed.connection
        for other in outcome.also:
            self.note(db, other)
        if outcome.settled is not None and not twins.settle(db, outcome.settled):
            params = {"connection": connection, "record": outcome.settled.record, "id": outcome.settled.other}
            state.open_alert(db, f"sync_double:{outcome.settled}"[:200], "alert_sync_double", connection, params)
        if outcome.pair and outcome.kind != "lost":  # then another worker has the delivery, and the pair with it
            final = outcome.kind in ("done", "skipped", "refused", "parked")
            twins.let_go(db, outcome.pair, claimed.id, final)
        if outcome.gone:
            work.drop_links(db, connection, outcome.record, outcome.gone)
        if outcome.contact and claimed.person is not None:
            self._contact(db, claimed, outcome.contact)
        if outcome.kind == "skipped":
            parting.look_again(db, self.runtime, outcome)
        for contact, into in outcome.merged.items():
            work.move_links(db, connection, "contact", contact, into)
            work.add_links(db, [((connection, "contact", contact), ("hub", "merged", into))])
        for contact, person in outcome.restored:
            work.drop_links(db, connection, "contact", contact)
            work.add_links(db, [(("hub", "person", str(person)), (connection, "contact", contact))])
            if not contacts.having(db, connection, [contact]):  # it has come back with another id
                contacts.note(db, [(connection, contact, person)])
            carrying.met(db, self.runtime, person, connection, event.id)  # they may have been made another meanwhile
        if done is None:
            return
        kind, _, ref = event.subject.partition(":")
        subject = (event.connection, kind, ref)
        made = outcome.verb in ("create", "upsert", "find") or bool(done.result.get("attached"))
        if done.id and made and outcome.record and outcome.linked:
            work.add_links(db, [(subject, (connection, outcome.record, done.id))])
            if outcome.record == "contact" and claimed.person is not None:
                self._contact(db, claimed, done.id)
        work.add_links(db, [(subject, (connection, link_kind, link_id)) for link_kind, link_id in done.links])
        state.set_watches(db, connection, done.watch)
        for contact in done.result.get("lost") or () if outcome.merged else ():
            self._own(db, connection, f"contact:{contact}", {"merged": True}, event.hop, False)
        written = done.written or ({"id": done.id} if outcome.created else {})
        if written and done.id and outcome.record:
            self._own(db, connection, f"{outcome.record}:{done.id}", written, event.hop, outcome.created)
        for ref, states in sorted(done.echoes.items()):
            self._expect(db, connection, f"{outcome.record}:{ref}", states)

    def _contact(self, db: Db, claimed: work.Claimed, contact: str) -> None:
        """Remember the contact the hub made or chose for a person; a second one of theirs becomes one with the first.

        Links and keys are of the event's own person, whoever stands for them by now.
        """
        connection = claimed.connection
        own = roster.own_of(db, claimed.event.id) or claimed.person
        assert own is not None
        if contacts.of_somebody_parted(db, connection, contact, own):
            return  # they were one when this was sent
        work.add_links(db, [(("hub", "person", str(own)), (connection, "contact", contact))])
        rules, connections = Rules.of(self.runtime.config.people), tuple(self.runtime.config.connections)
        contacts.own(db, connection, contact, own, rules, connections)
        carrying.met(db, self.runtime, own, connection, claimed.event.id)

    @staticmethod
    def _own(db: Db, connection: str, subject: str, written: dict[str, Any], hop: int, made: bool) -> None:
        """Note what the hub wrote, so that its echo is known when it comes."""
        db.lock([_seen(connection, subject)])
        seen = state.seen(db, connection, subject) or {"record": None}
        seen["own"] = {**(seen.get("own") or {}), **written}
        seen["hop"] = max(int(seen.get("hop") or 0), hop)
        if made:
            seen["made"] = True
        state.set_seen(db, connection, subject, seen)

    @staticmethod
    def _expect(db: Db, connection: str, subject: str, states: dict[str, Any]) -> None:
        """Note a state the hub has set, of which the vendor may tell."""
        db.lock([_seen(connection, subject)])
        seen = state.seen(db, connection, subject) or {"record": None}
        seen["echoes"] = expected(seen, states, db.now)
        state.set_seen(db, connection, subject, seen)


def _seen(connection: str, subject: str) -> str:
    return f"seen:{connection}:{subject}"


def _contacts(outcome: Outcome) -> set[str]:
    """Return the contacts that an outcome made, chose or gave back."""
    made = outcome.done.id if outcome.done is not None and outcome.record == "contact" else ""
    return {contact for contact in (outcome.contact, made, *(one for one, _ in outcome.restored)) if contact}


def _names(outcome: Outcome) -> set[str]:
    """Return the names under which the records and the pair that an outcome tells of are held."""
    found = set(twins.locks_of(outcome.settled)) if outcome.settled is not None else set()
    done, connection = outcome.done, outcome.work.connection
    if done is not None:
        ids = [id for id in (done.id, *done.echoes) if id and outcome.record]
        lost = (done.result.get("lost") or ()) if outcome.merged else ()
        found |= {_seen(connection, f"{outcome.record}:{id}") for id in ids}
        found |= {_seen(connection, f"contact:{contact}") for contact in lost}
    return found
