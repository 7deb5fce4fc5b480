"""Acting: each action's few calls, in order, with what makes a repetition harmless."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping
from typing import Any

from hub.errors import Gone, Refused
from hub.model import Action, Done
from plugins.amocrm import codes, outgoing, records
from plugins.amocrm.chats import Chats
from plugins.amocrm.client import Client, embedded
from plugins.amocrm.crm import Crm, target
from plugins.amocrm.directory import Directory
from plugins.amocrm.reading import Reading
from plugins.amocrm.search import Search

#: how far before the first try something of it may have been written (clocks differ)
_SLACK = dt.timedelta(minutes=5)
_METHODS = ("GET", "POST", "PATCH", "DELETE", "PUT")


class Acting:
    """What the hub does in one account."""

    def __init__(
        self, client: Client, directory: Directory, search: Search, reading: Reading, chats: Chats,
        base_url: str, region: str, user: str = "",
    ) -> None:  # fmt: skip
        self._client, self._directory, self._search, self._reading = client, directory, search, reading
        self._chats, self._region, self._user = chats, region, user
        self._crm = Crm(client, directory, search, reading, base_url, region, user, self.add_note)

    def perform(self, action: Action) -> Done:
        """Do it. The core has turned `upsert` into `create` or `update`."""
        crm = self._crm
        if action.record in codes.ENTITIES:
            own: dict[str, Callable[[Action], Done]] = {
                "create": crm.create, "update": crm.update, "set_stage": crm.set_stage, "find": self._find,
                "list": self._list, "tag": crm.tag, "create_complex": crm.complex,
                "link": lambda one: crm.link(one, "link"), "unlink": lambda one: crm.link(one, "unlink"),
            }  # fmt: skip
            if (act := own.get(action.verb)) is not None:
                return act(action)
        others: dict[str, Callable[[Action], Done]] = {
            "lead.create": self._create_lead, "lead.create_call": self._create_call_lead,
            "lead.update": self._update_lead, "lead.accept": self._accept, "lead.decline": self._decline,
            "lead.link": self._link_lead, "lead.find": self._find, "lead.list": self._list,
            "note.create": self._create_note, "note.update": self._update_note, "note.list": self._list,
            "call.create": self._create_call,
            "task.create": self._create_task, "task.update": self._update_task, "task.complete": self._complete_task,
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

    def _find(self, action: Action) -> Done:
        found = self._search.find(action.record, action.find or action.values, limit=1)
        return Done(found[0], str(found[0]["id"])) if found else Done()

    def _list(self, action: Action) -> Done:
        rows = self._search.find(action.record, action.find or action.values, limit=action.limit or 500)
        return Done({"rows": rows, "count": len(rows)})

    # --- incoming leads ------------------------------------------------------------------------------

    def _create_lead(self, action: Action) -> Done:
        """Make an incoming lead, as a form on a site does: it waits in the account until somebody accepts it.

        Our marker is its `source_uid`, by which it is found while it waits.
        """
        words = outgoing.FORM_WORDS
        given = {
            key: value
            for key, value in action.values.items()
            if key not in (*words, "note") and value not in (None, "")
        }
        deal = self._crm.fields("deal", given)
        contact: dict[str, Any] = {}
        if known := action.contact or str(deal.beside.get("contact") or ""):
            contact = {"id": outgoing.integer("contact", known)}
        elif action.person and (person := outgoing.contact_values(action.person)):
            contact = self._crm.fields("contact", person).body()
        if action.marker and self._directory.marked("deal"):
            deal.custom |= self._crm.fields("deal", {codes.MARKER: action.marker}).custom
        body = outgoing.form_lead(action, deal.body(), contact)
        done = self._incoming("leads/unsorted/forms", body)
        if (text := str(action.values.get("note") or "")) and (number := str(done.result.get("deal") or "")):
            self.add_note("deal", number, {"note_type": "common", "params": {"text": text}}, action.in_doubt_since)
        return done

    def _create_call_lead(self, action: Action) -> Done:
        """Make an incoming lead out of a call (unsorted/sip), for a phone that no contact has."""
        given = action.values
        phone, now = str(given["phone"]), dt.datetime.now(dt.UTC)
        happened = (action.event.occurred_at if action.event else None) or now
        told = {
            "from": str(given.get("from") or phone),
            "phone": phone,
            "called_at": int(happened.timestamp()),
            "duration": outgoing.integer("duration", given.get("duration") or 0),
            "link": str(given.get("link") or given.get("recording") or ""),
            "service_code": str(given.get("service_code") or "hub"),
            "is_call_event_needed": True,
            "uniq": action.marker,
        }
        name = str(given.get("name") or given.get("title") or f"{phone}")
        contact = self._crm.fields("contact", {"name": name, "PHONE": phone}).body()
        body = {
            "source_name": str(given.get("source_name") or "hub"), "source_uid": action.marker or "hub",
            "created_at": int(happened.timestamp()), "metadata": told,
            "_embedded": {"leads": [{"name": name}], "contacts": [contact]},
        }  # fmt: skip
        if pipeline := given.get("pipeline") or given.get("pipeline_id"):
            body["pipeline_id"] = outgoing.integer("pipeline", pipeline)
        return self._incoming("leads/unsorted/sip", body)

    def _incoming(self, path: str, body: dict[str, Any]) -> Done:
        rows = embedded(self._client.post(path, [{**body, "request_id": "0"}]), "unsorted")
        uid = records.text_of(rows[0].get("uid")) if rows else ""
        if not uid:
            raise Refused("the answer names no incoming lead")
        merged = {**body, **rows[0], "category": "forms" if path.endswith("forms") else "sip"}
        held = {**body.get("_embedded", {}), **(rows[0].get("_embedded") or {})}
        lead = records.lead({**merged, "_embedded": held}, self._region)
        links = [("lead", uid)] + ([("contact", str(lead["contact"]))] if lead.get("contact") else [])
        return Done(lead, uid, links=links, written={"uid": uid})

    def _update_lead(self, action: Action) -> Done:
        """Write into the deal that an incoming lead will become: it is there already."""
        uid = target(action)
        raw = self._reading.raw_lead(uid)
        deal = next((records.id_of(row.get("id")) for row in records.embedded(raw, "leads")), "")
        if not deal:
            raise Refused(f"incoming lead {uid} holds no deal to write into")
        inner = Action("deal.update", "deal", "update", action.values, deal, event=action.event)
        inner.in_doubt_since = action.in_doubt_since
        done = self._crm.update(inner)
        return Done({**records.lead(raw, self._region)}, uid, written=done.written, before=done.before)

    def _accept(self, action: Action) -> Done:
        """Accept an incoming lead; the result is its deal. After a doubtful try one that waits no more is accepted."""
        uid, given = target(action), action.values
        body: dict[str, Any] = {}
        if who := given.get("user") or given.get("user_id") or self._user:
            body["user_id"] = outgoing.integer("user", who)
        if stage := given.get("stage") or given.get("status"):
            body["status_id"] = int(self._directory.stage(str(stage)).id)
        answer = self._settled(action, lambda: self._client.post(f"leads/unsorted/{uid}/accept", body))
        return self._judged(uid, answer)

    def _decline(self, action: Action) -> Done:
        uid, body = target(action), {}
        if who := action.values.get("user") or action.values.get("user_id") or self._user:
            body["user_id"] = outgoing.integer("user", who)
        answer = self._settled(action, lambda: self._client.delete(f"leads/unsorted/{uid}/decline", body))
        return self._judged(uid, answer)

    def _link_lead(self, action: Action) -> Done:
        """Join an incoming chat or mail to a deal or customer that is there (link works for these two alone)."""
        uid, (kind, number) = target(action), outgoing.owner(action.values)
        if kind not in ("deal", "customer"):
            raise Refused("lead.link needs `deal` or `customer`: the record to join to")
        body: dict[str, Any] = {
            "link": {"entity_type": codes.ENTITIES[kind].path, "entity_id": outgoing.integer(kind, number)}
        }
        if who := action.values.get("user") or self._user:
            body["user_id"] = outgoing.integer("user", who)
        return self._judged(uid, self._settled(action, lambda: self._client.post(f"leads/unsorted/{uid}/link", body)))

    def _settled(self, action: Action, act: Callable[[], Any]) -> Any:
        try:
            return act()
        except Gone:
            if action.in_doubt_since is not None:
                return None  # the earlier try did it: what is accepted or declined waits no more
            raise

    @staticmethod
    def _judged(uid: str, answer: Any) -> Done:
        answer = answer if isinstance(answer, Mapping) else {}
        found = {kind: records.embedded(answer, codes.ENTITIES[kind].path) for kind in ("deal", "contact", "company")}
        links = [(kind, records.id_of(row.get("id"))) for kind, rows in found.items() for row in rows if row.get("id")]
        result = {"id": uid, **dict(links)}
        return Done(result, uid, links=links)

    # --- notes, calls, tasks ---------------------------------------------------------------------------

    def _create_note(self, action: Action) -> Done:
        kind, number = self._owner(action)
        return self.add_note(kind, number, outgoing.note(action.values), action.in_doubt_since)

    def _owner(self, action: Action) -> tuple[str, str]:
        kind, number = outgoing.owner(action.values)
        event = action.event
        if not kind and event and event.kind in codes.ENTITIES:
            kind, number = event.kind, event.subject.partition(":")[2]
        if not kind:
            raise Refused(f"{action.name} needs its record: deal, contact, company or customer")
        return kind, number

    def add_note(self, kind: str, number: str, body: Mapping[str, Any], since: dt.datetime | None) -> Done:
        """Write a note; when `since` is given, look for the same text written since first.

        A note has no field for a marker, so a repetition is told by its record, its text and its time.
        """
        params = body.get("params") if isinstance(body.get("params"), Mapping) else {}
        text = str(params.get("text") or "")
        if body.get("note_type", "common") == "common" and not text.strip():
            raise Refused("a note needs `text`", {"text": "empty"})
        if since is not None and text:
            found = self._search.find("note", {kind: number, "text": text, "since": since - _SLACK}, 1)
            if found:
                return Done(found[0], str(found[0]["id"]))
        path = f"{codes.ENTITIES[kind].path}/notes"
        answer = self._client.post(
            path, [{**body, "entity_id": outgoing.integer("entity_id", number), "request_id": "0"}]
        )
        rows = embedded(answer, "notes")
        made = records.id_of(rows[0].get("id")) if rows else ""
        return Done({"id": made, "text": text, kind: number}, made)

    def _update_note(self, action: Action) -> Done:
        kind, number = self._owner(action)
        note = str(action.id or action.values.get("id") or "")
        body = outgoing.note({key: value for key, value in action.values.items() if key != "id"})
        self._client.patch(f"{codes.ENTITIES[kind].path}/{number}/notes/{outgoing.integer('id', note)}", body)
        return Done({"id": note, kind: number}, note)

    def _create_call(self, action: Action) -> Done:
        """Put a call into the card of whoever has its phone (POST /calls).

        amoCRM looks the phone up itself and lists those it can't find in `errors`: then `unknown: lead` makes an
        incoming lead of the call, else it is refused in words.
        """
        body = outgoing.call(action.values, action.marker)
        if not body["phone"]:
            raise Refused("call.create needs a phone", {"phone": "empty"})
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
            return self._create_call_lead(action)
        raise Refused(
            f"no contact or company has this call's phone ({body['phone'][:4]}...): `unknown: lead` makes it a lead"
        )

    def _create_task(self, action: Action) -> Done:
        values = dict(action.values)
        if (
            not outgoing.owner(values)[0]
            and action.event
            and action.event.kind in codes.ENTITIES
            and "entity_id" not in values
        ):
            values[action.event.kind] = action.event.subject.partition(":")[2]
        return self.add_task(values, action.in_doubt_since)

    def add_task(self, values: Mapping[str, Any], since: dt.datetime | None) -> Done:
        """Make a task; when `since` is given, look for the same one on the same record, made since, first."""
        body = outgoing.task(values, self._user, self._reading.zone, dt.datetime.now(dt.UTC))
        if not body["text"]:
            raise Refused("a task needs `text`", {"text": "empty"})
        kind, number = outgoing.owner(values)
        if since is not None:
            by: dict[str, Any] = {"text": body["text"], "since": since - _SLACK, **({kind: number} if kind else {})}
            if found := self._search.find("task", by, 1):
                return Done(found[0], str(found[0]["id"]), written={"text": body["text"]})
        rows = embedded(self._client.post("tasks", [{**body, "request_id": "0"}]), "tasks")
        made = records.id_of(rows[0].get("id")) if rows else ""
        return Done(records.task({**body, "id": made, "is_completed": False}), made, written=dict(body))

    def _update_task(self, action: Action) -> Done:
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

    def _complete_task(self, action: Action) -> Done:
        """Complete a task. https://www.amocrm.ru/developers/content/crm_platform/tasks-api#tasks-complete"""
        number = target(action)
        text = str(action.values.get("result") or action.values.get("text") or "")
        body = {"is_completed": True, **({"result": {"text": text}} if text else {})}
        self._client.patch(f"tasks/{outgoing.integer('id', number)}", body)
        return Done({"id": number, "done": True}, number, written={"is_completed": True})

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
            from_values = outgoing.values.written(known, value, self._reading.zone)
            rows.append({"field_id": int(known.id), "values": from_values})
        return f"catalogs/{catalog}/elements", {**body, **({"custom_fields_values": rows} if rows else {})}

    def _create_element(self, action: Action) -> Done:
        path, body = self._element(action)
        if action.in_doubt_since is not None:
            by = {"catalog": path.split("/")[1], "name": body.get("name", "")}
            since = int((action.in_doubt_since - _SLACK).timestamp())
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
        kind, number = self._owner(action)
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
            return self.add_note(record, number, {"note_type": "common", "params": {"text": text}}, since)
        if how not in ("task", "activity"):
            raise Refused(f"plugin amocrm can't attach as {how}")
        return self.add_task({"text": text, record: number}, since)
