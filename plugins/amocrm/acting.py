"""Acting: each action's few calls, in order, with what makes a repetition harmless."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping
from typing import Any

from hub.errors import Gone, Refused
from hub.model import Action, Done, Record
from plugins.amocrm import codes, outgoing, records, values
from plugins.amocrm.chats import Chats
from plugins.amocrm.client import Client, embedded
from plugins.amocrm.crm import Crm, target
from plugins.amocrm.directory import Directory
from plugins.amocrm.leads import Leads
from plugins.amocrm.merging import Note
from plugins.amocrm.notes import SLACK, Notes
from plugins.amocrm.reading import Reading
from plugins.amocrm.search import Search

#: verbs whose record the core leaves to be found here
_AIMED = frozenset({"tag", "link", "unlink", "accept", "decline", "complete"})
_METHODS = ("GET", "POST", "PATCH", "DELETE", "PUT")


class Acting:
    """What the hub does in one account; `home` is the connection's own name."""

    def __init__(
        self, client: Client, directory: Directory, search: Search, reading: Reading, chats: Chats,
        base_url: str, region: str, user: str, home: str,
    ) -> None:  # fmt: skip
        self._client, self._directory, self._search, self._reading = client, directory, search, reading
        self._chats, self._region, self._user = chats, region, user
        self._notes = Notes(client, search, reading, user, home, lambda action: self._leads.create_call(action))
        self._crm = Crm(client, directory, search, reading, base_url, region, user, self._notes.add_note)
        self._leads = Leads(client, directory, search, reading, self._crm, region, user)

    @property
    def note(self) -> Note:
        """How a note is written beside a record; see `notes.Notes.add_note`."""
        return self._notes.add_note

    def perform(self, action: Action) -> Done:
        """Do it. The core has turned `upsert` into `create` or `update`."""
        if action.verb in _AIMED and action.find and not action.id:
            self._aim(action)
        crm, leads, notes = self._crm, self._leads, self._notes
        if action.record in codes.ENTITIES:
            own: dict[str, Callable[[Action], Done]] = {
                "create": crm.create, "update": crm.update, "set_stage": crm.set_stage, "find": self._find,
                "list": self._list, "tag": crm.tag, "create_complex": crm.complex,
                "link": lambda one: crm.link(one, "link"), "unlink": lambda one: crm.link(one, "unlink"),
            }  # fmt: skip
            if (act := own.get(action.verb)) is not None:
                return act(action)
        others: dict[str, Callable[[Action], Done]] = {
            "lead.create": leads.create, "lead.create_call": leads.create_call,
            "lead.update": leads.update, "lead.accept": leads.accept, "lead.decline": leads.decline,
            "lead.link": leads.link, "lead.find": self._find, "lead.list": self._list,
            "note.create": notes.create, "note.update": notes.update, "note.list": self._list,
            "call.create": notes.create_call,
            "task.create": notes.create_task, "task.update": notes.update_task, "task.complete": notes.complete_task,
            "task.find": self._find, "task.list": self._list, "user.find": self._find, "user.list": self._list,
            "element.create": self._create_element, "element.update": self._update_element,
            "element.find": self._find, "element.list": self._list,
            "tag.create": self._create_tag, "batch.create": crm.many, "batch.update": crm.many,
            "bot.run": self._run_bot, "api": self._api, "api.call": self._api,
        }  # fmt: skip
        do = others.get(action.name) or others.get(f"{action.record}.{action.verb}")
        if do is not None:
            return do(action)
        if action.record in ("message", "chat"):
            return self._chats.perform(action)
        raise Refused(f"plugin amocrm has no action {action.name}")

    def found(self, action: Action, record: Record) -> Done:
        """Finish what an earlier try of a create began: the record is there, what hangs on it may not be."""
        if action.record == "lead":
            return self._leads.found(action, record)
        return self._crm.found(action, record)

    def _aim(self, action: Action) -> None:
        """Give an action the record that its `find` describes; `Gone` (the step's `missing`) where there is none."""
        found = self._search.find(action.record, action.find, limit=1)
        if not found:
            raise Gone(f"{action.name}: no {action.record} is as `find` says")
        action.id = str(found[0]["id"])

    def _find(self, action: Action) -> Done:
        found = self._search.find(action.record, action.find or action.values, limit=1)
        return Done(found[0], str(found[0]["id"])) if found else Done()

    def _list(self, action: Action) -> Done:
        rows = self._search.find(action.record, action.find or action.values, limit=action.limit or 500)
        return Done({"rows": rows, "count": len(rows)})

    # --- catalogs, tags, bots, anything ------------------------------------------------------------------

    def _element(self, action: Action) -> tuple[str, dict[str, Any]]:
        catalog = str(action.values.get("catalog") or action.values.get("catalog_id") or "")
        if not catalog.isdigit():
            raise Refused(f"{action.name} needs its catalog: `catalog: 4521`")
        body: dict[str, Any] = {}
        rows = []
        for key, value in action.values.items():
            if key in ("catalog", "catalog_id", "id"):
                continue
            if key in ("name", "title"):
                body["name"] = str(value)
                continue
            known = self._directory.field("element", key, catalog)
            from_values = values.written(known, value, self._reading.zone)
            rows.append({"field_id": int(known.id), "values": from_values})
        return f"catalogs/{catalog}/elements", {**body, **({"custom_fields_values": rows} if rows else {})}

    def _create_element(self, action: Action) -> Done:
        path, body = self._element(action)
        if action.in_doubt_since is not None:
            by = {"catalog": path.split("/")[1], "name": body.get("name", "")}
            since = int((action.in_doubt_since - SLACK).timestamp())
            for found in self._search.find("element", by, 50):
                if int(found["extra"].get("created_at") or 0) >= since:
                    return Done(found, str(found["id"]))
        rows = embedded(self._client.post(path, [{**body, "request_id": "0"}]), "elements")
        number = records.id_of(rows[0].get("id")) if rows else ""
        return Done({"id": number, "name": body.get("name")}, number, written={"name": body.get("name")})

    def _update_element(self, action: Action) -> Done:
        path, body = self._element(action)
        number = target(action)
        self._client.patch(f"{path}/{outgoing.integer('id', number)}", body)
        return Done({"id": number}, number, written=body)

    def _create_tag(self, action: Action) -> Done:
        """Make tags for a kind of record. The same name again makes no second one."""
        kind = str(action.values.get("record") or "deal")
        if kind not in codes.ENTITIES:
            raise Refused(f"tag.create: record is deal, contact, company or customer, not {kind[:40]!r}")
        rows = embedded(
            self._client.post(f"{codes.ENTITIES[kind].path}/tags", outgoing.tags(action.values["name"])), "tags"
        )
        return Done({"rows": rows, "count": len(rows)}, records.id_of(rows[0].get("id")) if rows else "")

    def _run_bot(self, action: Action) -> Done:
        """Start a Salesbot on a record (POST /api/v2/salesbot/run)."""
        kind, number = self._notes.owner(action)
        body = [
            {
                "bot_id": outgoing.integer("bot", action.values.get("bot") or action.values.get("bot_id")),
                "entity_id": outgoing.integer("entity_id", number),
                "entity_type": int(codes.ENTITIES[kind].number),
            }
        ]
        self._client.post("api/v2/salesbot/run", body)
        return Done({"id": number})

    def _api(self, action: Action) -> Done:
        """Make any call: `method: GET leads/55`, its body from `body` or `rows`, its parameters from `params`."""
        method, _, path = action.method.strip().partition(" ")
        if method.upper() not in _METHODS:
            method, path = "GET", action.method
        path = path.strip().lstrip("/").removeprefix("api/v4/")
        if not path:
            raise Refused("api needs `method`, for instance: GET leads/55")
        given = action.values
        body = given.get("body", given.get("rows"))
        params = given.get("params") if isinstance(given.get("params"), Mapping) else None
        changes = method.upper() != "GET"
        result = self._client.call(method.upper(), path, params=params, body=body if changes else None, changes=changes)
        if isinstance(result, Mapping):
            return Done(dict(result), records.id_of(result.get("id")))
        if isinstance(result, list):
            return Done({"rows": result, "count": len(result)})
        return Done({})

    # --- joining to what is there ------------------------------------------------------------------------

    def attach(self, record: str, number: str, how: str, text: str, since: dt.datetime | None) -> Done:
        """Join a text to a record: `comment` and `note` become a note, `task` and `activity` a task.

        An incoming lead holds its deal already: the text goes there.
        """
        if record == "lead":
            raw = self._reading.raw_lead(number)
            record, number = "deal", next((records.id_of(row.get("id")) for row in records.embedded(raw, "leads")), "")
            if not number:
                raise Refused("the incoming lead holds no deal to write to")
        if record not in codes.ENTITIES:
            raise Refused(f"plugin amocrm can't attach to a {record}")
        if how in ("comment", "note"):
            return self._notes.add_note(record, number, {"note_type": "common", "params": {"text": text}}, since)
        if how not in ("task", "activity"):
            raise Refused(f"plugin amocrm can't attach as {how}")
        return self._notes.add_task({"text": text, record: number}, since)
