"""Asking the account: the record behind a hint, with what hangs on it as far as routes look at it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any

from hub.errors import Gone, Refused
from hub.model import Event, Record
from plugins.amocrm import codes, hooks, records, values
from plugins.amocrm.client import Client
from plugins.amocrm.directory import Directory

#: what comes along with a record (leads-api, contacts-api)
_WITH = {
    "deal": "contacts,catalog_elements,loss_reason",
    "contact": "leads,customers",
    "company": "leads,contacts",
    "customer": "contacts,companies",
}
#: elements of catalogs read for one deal at most
_GOODS = 20


class Reading:
    """The reads of one account."""

    def __init__(
        self, client: Client, directory: Directory, base_url: str, region: str, at: dt.tzinfo, own_user: str = ""
    ) -> None:  # fmt: skip
        self._client, self._directory, self._own_user = client, directory, own_user
        self._base_url, self._region, self.zone = base_url, region, at

    # --- one record ------------------------------------------------------------------------------

    def raw(self, kind: str, number: str) -> dict[str, Any]:
        """Return a deal, contact, company or customer as the vendor gives it, or raise `Gone`.

        A record that isn't there answers 204, as one does that was merged into another.
        """
        found = self._client.get(f"{codes.ENTITIES[kind].path}/{_number(kind, number)}", {"with": _WITH[kind]})
        if not isinstance(found, dict) or found.get("is_deleted") is True:
            raise Gone(f"{kind} {number} doesn't exist any more (deleted, or merged into another)")
        return found

    def raw_lead(self, uid: str) -> dict[str, Any]:
        """Return an incoming lead as the vendor gives it, or raise `Gone`: accepted and declined ones are no more."""
        found = self._client.get(f"leads/unsorted/{_uid(uid)}")
        if not isinstance(found, dict):
            raise Gone(f"incoming lead {uid} isn't waiting any more (accepted, declined or deleted)")
        return found

    def neutral(self, kind: str, raw: Mapping[str, Any]) -> Record:
        """Return a record in neutral words."""
        return records.neutral(kind, raw, self._base_url, self._region, self.zone)

    def whole(self, kind: str, raw: Mapping[str, Any]) -> Record:
        """Return a record in neutral words, a deal with the words for its stage and its people."""
        found = self.neutral(kind, raw)
        return self._named(found) if kind == "deal" else found

    def get(self, record: str, number: str) -> Record:
        """Return one record in neutral words, or raise `Gone`."""
        if record in codes.ENTITIES:
            return self.whole(record, self.raw(record, number))
        match record:
            case "lead":
                return records.lead(self.raw_lead(number), self._region)
            case "task":
                return records.task(self.raw_task(number))
            case "user" | "responsible" | "by":
                return self._user(number)
        raise Refused(f"plugin amocrm can't read a {record}")

    def raw_task(self, number: str) -> dict[str, Any]:
        """Return a task. By the list: whether a single one can be read is told in two ways (RU yes, Kommo no)."""
        rows = self._client.rows("tasks", {"filter": {"id": [_number("task", number)]}}, limit=codes.PAGE)
        for row in rows:
            if str(row.get("id")) == number:
                return row
        raise Gone(f"task {number} doesn't exist any more")

    def note(self, kind: str, owner: str, number: str) -> dict[str, Any]:
        """Return a note of a record, or raise `Gone`."""
        path = f"{codes.ENTITIES[kind].path}/{_number(kind, owner)}/notes/{_number('note', number)}"
        found = self._client.get(path)
        if not isinstance(found, dict):
            raise Gone(f"note {number} doesn't exist any more")
        return found

    def _user(self, number: str) -> Record:
        row = self._directory.users().get(number)
        if row is None:
            raise Gone(f"there is no user {number}")
        return records.user(row)

    def _named(self, deal: Record) -> Record:
        """Add the words for a deal's stage, pipeline and responsible user."""
        stage = self._directory.stages().get(str(deal.get("stage") or ""))
        if stage is not None:
            deal |= {"stage_name": stage.name, "pipeline_name": stage.pipeline_name}
        if who := str(deal.get("responsible") or ""):
            name = str((self._directory.users().get(who) or {}).get("name") or "")
            deal |= {"responsible_name": name} if name else {}
        return deal

    # --- completing hints --------------------------------------------------------------------------

    def complete(self, events: list[Event], needs: frozenset[str]) -> list[Event]:
        """Read the one subject of these hints and return an event per type; a deleted record leaves no hints."""
        hints = [event for event in events if event.incomplete]
        rest = [event for event in events if not event.incomplete]
        if not hints:
            return events
        kind, _, number = hints[0].subject.partition(":")
        if kind in codes.ENTITIES:
            return self._completed(kind, number, hints, needs) + rest
        found = []
        for hint in hints:
            match kind:
                case "lead":
                    found += self._lead(hint, number, needs)
                case "task":
                    found += self._task(hint, number, needs)
                case "note" | "call":
                    found += self._note(hint, needs)
                case _:
                    found.append(self._message(hint, needs))
        return _by_type(found) + rest

    def _completed(self, kind: str, number: str, hints: list[Event], needs: frozenset[str]) -> list[Event]:
        try:
            raw = self.raw(kind, number)
        except Gone:
            return []
        record = self.neutral(kind, raw)
        if kind == "deal":
            record = self._moved(self._named(record), hints)
            if "goods" in needs and (goods := self._goods(raw)):
                record["goods"] = goods
        found = {kind: record} | self._around(kind, record, needs)
        done = []
        for hint in hints:
            when = record.get("created_at" if hint.type.endswith(".created") else "changed_at")
            done.append(
                hint.with_(
                    record={**hint.record, **found},
                    occurred_at=dt.datetime.fromisoformat(when) if when else hint.occurred_at,
                    title=str(record.get("title") or record.get("name") or ""),
                    by=str(record.get("by") or hint.by),
                    incomplete=False,
                )
            )
        return _by_type(done)

    @staticmethod
    def _moved(record: Record, hints: list[Event]) -> Record:
        """Give the deal the time of its move, where one of the hints tells of one: the API itself doesn't."""
        told = [str(moved) for hint in hints if (moved := (hint.record.get("deal") or {}).get("moved_at"))]
        return {**record, "moved_at": max([*told, str(record.get("moved_at") or "")])} if told else record

    def _around(self, kind: str, record: Mapping[str, Any], needs: frozenset[str]) -> dict[str, Any]:
        """Return the contact, company, deal and responsible of a record, where a route looks at them."""
        found: dict[str, Any] = {}
        for other in ("contact", "company", "deal"):
            if other != kind and other in needs and (number := str(record.get(other) or "")):
                try:
                    found[other] = self.get(other, number)
                except Gone:
                    continue
        if "responsible" in needs and (who := str(record.get("responsible") or "")):
            found["responsible"] = records.user(self._directory.users().get(who) or {"id": who})
        return found

    def _lead(self, hint: Event, uid: str, needs: frozenset[str]) -> list[Event]:
        """An incoming lead that was accepted meanwhile is told as its webhook told it: it did come in."""
        try:
            lead = records.lead(self.raw_lead(uid), self._region)
        except Gone:
            return [hint.with_(incomplete=False)] if hint.type == "lead.created" else []
        told = hint.record["lead"]
        lead = {**told, **lead, "source": {**told.get("source", {}), **lead.get("source", {})}}
        contact = {**hint.record.get("contact", {}), **records.contact_of_lead(lead, self._region)}
        around = self._around("lead", lead, needs)
        found = {**hint.record, "lead": lead, **({"contact": contact} if contact else {}), **around}
        return [hint.with_(record=found, title=str(lead.get("title") or hint.title), incomplete=False)]

    def _task(self, hint: Event, number: str, needs: frozenset[str]) -> list[Event]:
        try:
            task = records.task(self.raw_task(number))
        except Gone:
            return []
        if hint.type == "task.completed" and self._own_user and task.get("by") == self._own_user:
            return []  # the hub's own doing
        if hint.type == "task.completed" and not task.get("done"):
            hint = hint.with_(type="task.updated")  # opened again meanwhile
        found = {**hint.record, "task": task, **self._around("task", task, needs)}
        return [
            hint.with_(record=found, title=str(task.get("title") or ""), by=str(task.get("by") or ""), incomplete=False)
        ]

    def _note(self, hint: Event, needs: frozenset[str]) -> list[Event]:
        """The webhook tells a note whole; the feed tells its id alone, and a call there is a note like any other."""
        name = hint.kind
        told = hint.record[name]
        if name == "note" and "kind" not in told:
            owner = next((kind for kind in codes.ENTITIES if told.get(kind)), "")
            try:
                raw = self.note(owner, str(told[owner]), str(told["id"]))
            except Gone:
                return []
            if str(raw.get("note_type")) in ("call_in", "call_out"):
                params = records.inner(raw.get("params"))
                hangs = {owner: str(told[owner])}
                by, when = str(raw.get("created_by") or ""), hooks.at(raw.get("created_at"))
                call = hooks.call(str(told["id"]), str(raw["note_type"]), params, hangs, self._region, by, when, raw)
                hint = hint.with_(type=call.type, record=call.record, by=by, channel="phone")
                name, told = "call", call.record["call"]
            else:
                told = records.note(raw, owner)
                hint = hint.with_(record={"note": told}, text=str(told.get("text") or ""), by=str(told.get("by") or ""))
        found = {**hint.record, **self._around(name, told, needs)}
        return [hint.with_(record=found, incomplete=False)]

    def _message(self, hint: Event, needs: frozenset[str]) -> Event:
        """A message keeps the text of its webhook; who wrote it becomes the user of the account, if it is one."""
        told = hint.record["message"]
        around = self._around("message", told, needs)
        if "contact" in around:
            around["contact"] = {**hint.record.get("contact", {}), **around["contact"]}
        by = hint.by
        if by and (user := self._directory.users().get(by)):
            by = str(user.get("id"))
        return hint.with_(record={**hint.record, **around}, by=by, incomplete=False)

    def _goods(self, raw: Mapping[str, Any]) -> list[Record]:
        found = []
        for link in records.embedded(raw, "catalog_elements")[:_GOODS]:
            told = records.inner(link.get("metadata"))
            catalog, number = records.id_of(told.get("catalog_id")), records.id_of(link.get("id"))
            row = self._client.get(f"catalogs/{catalog}/elements/{number}") if catalog and number else None
            if isinstance(row, dict):
                found.append((link, records.element(row, self.zone)))
        return records.goods(found)


def _by_type(events: list[Event]) -> list[Event]:
    """Return one event per type, the last of each, what was created first."""
    kept = {event.type: event for event in events}
    return sorted(kept.values(), key=lambda event: not event.type.endswith(".created"))


def _number(kind: str, number: str) -> str:
    """Return an id that may stand in a path; raise `Gone` for what can't be one."""
    if not number.isascii() or not number.isdigit() or len(number) > 20:
        raise Gone(f"{str(number)[:40]!r} is no id of a {kind}")
    return number


def _uid(uid: str) -> str:
    if not uid.isascii() or not uid.isalnum() or len(uid) > 100:
        raise Gone(f"{uid[:40]!r} is no id of an incoming lead")
    return uid


def zone_of(name: str) -> dt.tzinfo:
    """Return the zone in which the account's days begin."""
    return values.zone(name)
