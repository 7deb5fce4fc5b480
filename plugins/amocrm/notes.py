"""Notes, calls and tasks: what hangs on another record, and is told from its repetition by what it says."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping
from typing import Any

from hub.errors import Gone, Refused
from hub.model import Action, Done
from plugins.amocrm import codes, outgoing, records
from plugins.amocrm.client import Client, embedded
from plugins.amocrm.crm import target
from plugins.amocrm.reading import Reading
from plugins.amocrm.search import Search

#: how far before the first try something of it may have been written (clocks differ)
SLACK = dt.timedelta(minutes=5)


class Notes:
    """What the hub writes beside records. `stranger` makes an incoming lead of a call whose phone nobody has."""

    def __init__(
        self, client: Client, search: Search, reading: Reading, user: str, home: str,
        stranger: Callable[[Action], Done],
    ) -> None:  # fmt: skip
        self._client, self._search, self._reading, self._user = client, search, reading, user
        self._home, self._stranger = home, stranger

    def create(self, action: Action) -> Done:
        """Write a note to the record that the step names, or to the event's own."""
        kind, number = self.owner(action)
        return self.add_note(kind, number, outgoing.note(action.values), action.in_doubt_since)

    def owner(self, action: Action) -> tuple[str, str]:
        """Return (kind, id) of the record something hangs on: the one named, else the event's own if it is ours."""
        kind, number = self._named(action)
        if not kind:
            raise Refused(f"{action.name} needs its record: deal, contact, company or customer")
        return kind, number

    def _named(self, action: Action) -> tuple[str, str]:
        kind, number = outgoing.owner(action.values)
        event = action.event
        if not kind and event and event.connection == self._home and event.kind in codes.ENTITIES:
            kind, number = event.kind, event.subject.partition(":")[2]
        return kind, number

    def add_note(self, kind: str, number: str, body: Mapping[str, Any], since: dt.datetime | None) -> Done:
        """Write a note; when `since` is given, look for the same text written since first.

        A note has no field for a marker, so a repetition is told by its record, its text and its time.
        """
        params = records.inner(body.get("params"))
        text = str(params.get("text") or "")
        if body.get("note_type", "common") == "common" and not text.strip():
            raise Refused("a note needs `text`", {"text": "empty"})
        if since is not None and text:
            found = self._search.find("note", {kind: number, "text": text, "since": since - SLACK}, 1)
            if found:
                return Done(found[0], str(found[0]["id"]))
        path = f"{codes.ENTITIES[kind].path}/notes"
        answer = self._client.post(
            path, [{**body, "entity_id": outgoing.integer("entity_id", number), "request_id": "0"}]
        )
        rows = embedded(answer, "notes")
        made = records.id_of(rows[0].get("id")) if rows else ""
        return Done({"id": made, "text": text, kind: number}, made)

    def update(self, action: Action) -> Done:
        """Change a note's text or kind."""
        kind, number = self.owner(action)
        note = str(action.id or action.values.get("id") or "")
        body = outgoing.note({key: value for key, value in action.values.items() if key != "id"})
        self._client.patch(f"{codes.ENTITIES[kind].path}/{number}/notes/{outgoing.integer('id', note)}", body)
        return Done({"id": note, kind: number}, note)

    def create_call(self, action: Action) -> Done:
        """Put a call into the card of whoever has its phone (POST /calls).

        amoCRM looks the phone up itself and lists those it can't find in `errors`: then `unknown: lead` makes an
        incoming lead of the call, else it is refused in words.
        """
        body = outgoing.call(action.values, action.marker)
        if not body["phone"]:
            raise Refused("call.create needs a phone", {"phone": "empty"})
        if action.in_doubt_since is not None and (left := self._call_of(body) or self._lead_of(action)):
            return left
        try:
            answer = self._client.post("calls", [{**body, "request_id": "0"}])
        except Gone:
            answer = None
        rows = embedded(answer, "calls")
        if rows:
            row = rows[0]
            kind = codes.BY_WORD.get(records.text_of(row.get("entity_type")), "")
            kind = kind or records.text_of(row.get("entity_type"))
            number = records.id_of(row.get("id"))
            return Done(
                {"id": number, "uniq": body["uniq"], **({kind: records.id_of(row.get("entity_id"))} if kind else {})},
                number,
            )
        if str(action.values.get("unknown") or "") == "lead":
            return self._stranger(action)
        raise Refused(
            f"no contact or company has this call's phone ({body['phone'][:4]}...): `unknown: lead` makes it a lead"
        )

    def _call_of(self, body: Mapping[str, Any]) -> Done | None:
        """Return the call that an earlier try has put into a card: its note has the same `uniq`."""
        for contact in self._search.find("contact", {"phone": body["phone"]}, 5):
            for note in self._search.find("note", {"contact": contact["id"]}, codes.PAGE):
                params = note["extra"].get("params") or {}
                if str(params.get("uniq") or "") == body["uniq"]:
                    return Done({"id": note["id"], "uniq": body["uniq"], "contact": contact["id"]}, str(note["id"]))
        return None

    def _lead_of(self, action: Action) -> Done | None:
        """Return the incoming lead that an earlier try has made of a stranger's call: its source_uid is our marker."""
        if str(action.values.get("unknown") or "") != "lead" or not action.marker:
            return None
        found = self._search.find("lead", {"marker": action.marker}, 1)
        return Done(found[0], str(found[0]["id"]), links=[("lead", str(found[0]["id"]))]) if found else None

    def create_task(self, action: Action) -> Done:
        """Make a task on the record that the step names, or on the event's own."""
        values = dict(action.values)
        kind, number = self._named(action)
        return self.add_task({**values, kind: number} if kind else values, action.in_doubt_since)

    def add_task(self, values: Mapping[str, Any], since: dt.datetime | None) -> Done:
        """Make a task; when `since` is given, look for the same one on the same record, made since, first."""
        body = outgoing.task(values, self._user, self._reading.zone, dt.datetime.now(dt.UTC))
        if not body["text"]:
            raise Refused("a task needs `text`", {"text": "empty"})
        kind, number = outgoing.owner(values)
        if since is not None:
            by: dict[str, Any] = {"text": body["text"], "since": since - SLACK, **({kind: number} if kind else {})}
            if found := self._search.find("task", by, 1):
                return Done(found[0], str(found[0]["id"]), written={"text": body["text"]})
        rows = embedded(self._client.post("tasks", [{**body, "request_id": "0"}]), "tasks")
        made = records.id_of(rows[0].get("id")) if rows else ""
        return Done(records.task({**body, "id": made, "is_completed": False}), made, written=dict(body))

    def update_task(self, action: Action) -> Done:
        """Change a task; its deadline stays unless a new one is given."""
        number = target(action)
        body = outgoing.task(
            {key: value for key, value in action.values.items() if key != "id"},
            "",
            self._reading.zone,
            dt.datetime.now(dt.UTC),
        )
        if not {"complete_till", "deadline"} & set(action.values):
            body.pop("complete_till", None)
        body = {key: value for key, value in body.items() if value != ""}
        self._client.patch(f"tasks/{outgoing.integer('id', number)}", body)
        return Done({"id": number}, number, written=body)

    def complete_task(self, action: Action) -> Done:
        """Complete a task. https://www.amocrm.ru/developers/content/crm_platform/tasks-api#tasks-complete"""
        number = target(action)
        text = str(action.values.get("result") or action.values.get("text") or "")
        body = {"is_completed": True, **({"result": {"text": text}} if text else {})}
        self._client.patch(f"tasks/{outgoing.integer('id', number)}", body)
        return Done({"id": number, "done": True}, number, written={"is_completed": True})
