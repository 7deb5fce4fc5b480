"""Which record a step is about: named by `find`, linked to the subject, the person's, or an open one to join."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Any

from hub import parting
from hub.config import Config, Step
from hub.connector import ActionKind, Connector
from hub.errors import Gone, Refused
from hub.lines import known_id
from hub.model import Action, Event, Record
from hub.outcome import Postponed
from hub.paths import Scope
from hub.runtime import Runtime
from hub.store.work import Claimed


class Targets:
    """Finds records for one try of a delivery. `contact` is the vendor's contact, once it has been settled."""

    def __init__(self, runtime: Runtime, work: Claimed) -> None:
        self.runtime = runtime
        self.config: Config = runtime.config
        self.work = work
        self.event: Event = work.event
        self.contact = ""
        #: what was written into the person's contact, as `hub.outcome.written_of` tells it
        self.wrote: list[dict[str, Any]] = []

    def of(self, connector: Connector, kind: ActionKind, step: Step, scope: Scope) -> list[Record]:
        """Return the records this step is about: by link or name where known, else by asking the vendor.

        A link counts between different kinds (this deal, that parcel): a deal copied into another pipeline is linked
        to its copy, and must not be taken for it.
        """
        itself = self.event.connection == connector.connection.name and self.event.kind == kind.record
        if step.find is not None:
            if id := known_id(step.find, scope):
                return [{"id": id}]
            linked = self.linked(connector.connection.name, kind.record)
            if step.find.record is not None:
                if linked and not itself:
                    return [{"id": linked}]
                return self.person_records(connector, kind.record) if step.find.record.root == "person" else []
            by = step.find.by.evaluate(scope)
            found = connector.find(kind.record, by, 50) if by else []
            # Of several that fit, the one this has to do with already.
            return [one for one in found if str(one.get("id")) == linked] or found
        if kind.verb == "create":
            return []
        if itself:
            return [{"id": self.event.subject.partition(":")[2]}]
        if linked := self.linked(connector.connection.name, kind.record):
            return [{"id": linked}]
        if kind.record == "contact":
            return self.person_records(connector, "contact")
        return []

    def linked(self, connection: str, record: str) -> str:
        """Return the id linked to the event's subject or person at a connection, or ""."""
        for where, kind, ref in self.work.links:
            if where == connection and kind == record:
                return ref
        return ""

    def read(self, connector: Connector, record: str, id: str) -> Record | None:
        """Return one record whole, None if it is no more."""
        try:
            return connector.get(record, id)
        except Gone:
            return None

    def person_records(self, connector: Connector, record: str) -> list[Record]:
        """Return the vendor's records of the event's person, by phone and then e-mail.

        Raises Postponed while their own contact is being given back to them: what is found would be another's.
        """
        if self.work.family:
            with self.runtime.store.read() as db:
                if parting.coming_back(db, connector.connection.name, self.work.family):
                    raise Postponed("this person's contact is just being given back to them", parting.AGAIN)
        contact = self.event.record.get("contact") or {}
        for field_ in ("phone", "email"):
            if value := contact.get(field_):
                found = connector.find(record, {field_: value}, 20)
                if found:
                    return found
        return []

    def choose(self, found: Sequence[Record], step: Step) -> Record:
        """Apply `several:`."""
        if len(found) > 1 and step.several == "park":
            raise Refused(f"{len(found)} records fit; `several: park`")
        return found[-1] if step.several == "newest" else found[0]

    def ensure_contact(self, connector: Connector) -> str:
        """Return the id of the person's contact at the vendor: linked, found by phone or e-mail, or made now."""
        contact = dict(self.event.record.get("contact") or {})
        linked = self.linked(connector.connection.name, "contact")
        if linked:
            self.contact = linked
            return linked
        if not (contact.get("phone") or contact.get("email") or contact.get("handle")):
            return ""
        several = self.config.people.several
        found = self.person_records(connector, "contact")
        marker = self.runtime.marker(self.work.marker, "contact")
        unsearchable = not (contact.get("phone") or contact.get("email"))
        if not found and (unsearchable or self.work.started_at is not None):
            found = connector.find("contact", {"marker": marker}, 5)
        action = Action(
            name="contact.create", record="contact", verb="create", person=contact, event=self.event,
            marker=marker, fill=self.fill(),
        )  # fmt: skip
        if len(found) > 1 and several == "park":
            raise Refused(f"{len(found)} contacts fit this person; people.several: park")
        if found:
            record = found[-1] if several == "newest" else found[0]
            self.contact = str(record["id"])
            if self.event.connection in self.config.people.unverified:
                return self.contact  # whoever wrote may not be who they say: the card stays as it is
            action.name, action.verb, action.id = "contact.update", "update", self.contact
            done = connector.perform(action)
            if done.written:
                told = {"record": "contact", "id": self.contact, "written": done.written, "before": done.before}
                self.wrote.append(told)
            return self.contact
        done = connector.perform(action)
        self.contact = done.id
        made: dict[str, Any] = {"record": "contact", "id": done.id, "written": done.written, "before": {}}
        self.wrote.append({**made, "created": True})
        return self.contact

    def to_join(self, connector: Connector, step: Step) -> tuple[str, Record] | None:
        """Return (record name, record) of an open, recent record of the same person that a request may join."""
        assert step.attach is not None
        contact_id = self.linked(connector.connection.name, "contact")
        if not contact_id and (found := self.person_records(connector, "contact")):
            contact_id = self.contact = str(found[0]["id"])
        contact = self.event.record.get("contact") or {}
        since = self.runtime.store.clock() - (step.attach.within or 10 * 365 * 86400)
        known = (("contact", contact_id), ("phone", contact.get("phone")), ("email", contact.get("email")))
        for state, record in step.attach.to:
            by: dict[str, Any] = {"since": since, **({"open": True} if state == "open" else {})}
            for key, value in known:
                if value and (found := connector.find(record, {**by, key: value}, 20)):
                    return record, self.choose(found, step)
        return None

    def in_doubt_since(self) -> dt.datetime | None:
        """Return when an earlier try began whose outcome nobody knows, or None."""
        started = self.work.started_at
        return dt.datetime.fromtimestamp(started, dt.UTC) if started is not None else None

    def fill(self) -> str:
        """Return what an update may overwrite: `empty_only`, or `newest` where this source is a preferred one."""
        rule = self.config.people.fill
        if isinstance(rule, str):
            return rule
        return "newest" if self.event.connection in rule else "empty_only"
