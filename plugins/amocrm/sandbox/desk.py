"""What stands around the records of the stand-in: notes, calls, tasks, catalogs, the feed of events."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Mapping
from typing import Any

from flask import Response

from plugins.amocrm.sandbox import values
from plugins.amocrm.sandbox.crm import hook_row
from plugins.amocrm.sandbox.waiting import Waiting
from plugins.amocrm.sandbox.words import ApiError, body, hal, items, many, nothing, objection, ordered, page, params
from plugins.amocrm.sandbox.world import ACCOUNT_ID, NUMBERS, SINGULAR

_NOTE_NUMBERS = {"common": 4, "attachment": 5, "call_in": 10, "call_out": 11, "service_message": 25,
                 "extended_service_message": 25, "sms_in": 102, "sms_out": 103}  # fmt: skip
_NOTE_TYPES = {*_NOTE_NUMBERS, "geolocation", "message_cashier", "invoice_paid"}


class Desk(Waiting):
    """The side tables and their calls."""

    # --- notes and calls -------------------------------------------------------------------------

    def add_notes(self, kind: str, number: int | None) -> Response:
        """Answer POST /<kind>/notes and /<kind>/<id>/notes."""
        out = []
        for place, row in enumerate(items(body())):
            request_id = row.get("request_id", str(place))
            owner = number if number is not None else row.get("entity_id")
            if owner not in self.world.records[kind]:
                raise ApiError(
                    400,
                    "Request validation failed",
                    [objection(request_id, "NotFound", "entity_id", "Entity not found")],
                )
            type_ = row.get("note_type")
            if type_ not in _NOTE_TYPES:
                raise ApiError(
                    400,
                    "Request validation failed",
                    [objection(request_id, "NotSupportedChoice", "note_type", "choice")],
                )
            made = self.note(kind, owner, str(type_), row.get("params") or {})
            out.append(
                {
                    "id": made["id"],
                    "entity_id": owner,
                    "request_id": str(request_id),
                    "_links": self._self(f"{kind}/{owner}/notes/{made['id']}"),
                }
            )
        return hal({"_links": self._self(f"{kind}/notes"), "_embedded": {"notes": out}})

    def note(self, kind: str, owner: int, type_: str, told: Mapping[str, Any]) -> dict[str, Any]:
        """Write a note; its webhook has a numeric type, escaped text, times in the account's own zone."""
        now, who = self.world.now(), self.world.now_as
        row: dict[str, Any] = {
            "id": self.world.next_id(), "entity_id": owner, "created_by": who, "updated_by": who, "created_at": now,
            "updated_at": now, "responsible_user_id": who, "group_id": 0, "note_type": type_, "params": dict(told),
            "account_id": ACCOUNT_ID, "kind": kind,
        }  # fmt: skip
        self.world.notes[row["id"]] = row
        word = {"common": "common_note_added", "call_in": "incoming_call", "call_out": "outgoing_call"}.get(
            type_, "service_note_added"
        )
        self.world.note_event(word, SINGULAR[kind], owner, [{"note": {"id": row["id"]}}])
        local = dt.datetime.fromtimestamp(now, dt.timezone(dt.timedelta(hours=3))).strftime("%Y-%m-%d %H:%M:%S")
        text = str(told.get("text") or "").replace("&", "&amp;").replace("<", "&lt;")
        if type_ in ("call_in", "call_out"):
            text = json.dumps({"UNIQ": told.get("uniq"), "LINK": told.get("link"), "PHONE": told.get("phone"),
                               "DURATION": told.get("duration"), "SRC": told.get("source"),
                               "call_status": told.get("call_status")}, ensure_ascii=False)  # fmt: skip
        note = {
            "note_type": _NOTE_NUMBERS.get(type_, 25), "element_type": NUMBERS[kind], "element_id": owner, "text": text,
            "attachement": "", "metadata": "", "created_by": who, "modified_by": who, "main_user_id": who,
            "group_id": 0,
            "date_create": local, "timestamp_x": local, "account_id": ACCOUNT_ID, "id": row["id"], "created_at": now,
            "updated_at": now,
        }  # fmt: skip
        self.world.told(kind, "note", [{"note": note, "type": SINGULAR[kind]}])
        return row

    def list_notes(self, kind: str, owner: int | None) -> Response:
        """Answer GET /<kind>/notes and /<kind>/<id>/notes."""
        rows = [row for row in self.world.notes.values() if row["kind"] == kind and owner in (None, row["entity_id"])]
        return page([self._note(row) for row in ordered(rows)], "notes", self._base())

    def one_note(self, kind: str, number: int) -> Response:
        """Answer GET /<kind>/<id>/notes/<note>."""
        row = self.world.notes.get(number)
        return nothing() if row is None or row["kind"] != kind else hal(self._note(row))

    def patch_note(self, kind: str, number: int) -> Response:
        """Answer PATCH /<kind>/<id>/notes/<note>."""
        row = self.world.notes.get(number)
        if row is None or row["kind"] != kind:
            return nothing()
        given = body()
        row["params"] |= given.get("params") or {}
        row["updated_at"] = self.world.now()
        return hal({"id": number, "updated_at": row["updated_at"]})

    @staticmethod
    def _note(row: Mapping[str, Any]) -> dict[str, Any]:
        return {name: value for name, value in row.items() if name != "kind"}

    def add_calls(self) -> Response:
        """Answer POST /calls: the contact is found by its phone; unknown phones are listed in `errors`."""
        made, errors = [], []
        for place, row in enumerate(items(body())):
            request_id = str(row.get("request_id", place))
            if row.get("direction") not in ("inbound", "outbound") or not row.get("phone") or "duration" not in row:
                raise ApiError(
                    400, "Request validation failed", [objection(request_id, "NotBlank", "phone", "required")]
                )
            owner = self._by_phone(str(row["phone"]))
            if owner is None:
                errors.append(
                    {
                        "request_id": request_id,
                        "status": 404,
                        "title": "Entity not found",
                        "detail": "phone is not found",
                    }
                )
                continue
            kind, number = owner
            note = self.note(kind, number, "call_in" if row["direction"] == "inbound" else "call_out", row)
            made.append(
                {
                    "id": note["id"],
                    "entity_id": number,
                    "entity_type": SINGULAR[kind],
                    "account_id": ACCOUNT_ID,
                    "request_id": request_id,
                }
            )
        return hal({"_total_items": len(made), "errors": errors, "_embedded": {"calls": made}})

    def _by_phone(self, phone: str) -> tuple[str, int] | None:
        digits = "".join(letter for letter in phone if letter.isdigit())[-10:]
        for kind in ("contacts", "companies"):
            for number, row in self.world.records[kind].items():
                if any(
                    digits and digits in "".join(c for c in text if c.isdigit())
                    for text in values.texts(row["custom_fields_values"])
                ):
                    return kind, number
        return None

    # --- tasks -----------------------------------------------------------------------------------

    def add_tasks(self) -> Response:
        """Answer POST /tasks."""
        out = []
        for place, row in enumerate(items(body())):
            request_id = row.get("request_id", str(place))
            missing = next((name for name in ("text", "complete_till") if not row.get(name)), None)
            if missing:
                raise ApiError(
                    400, "Request validation failed", [objection(request_id, "NotBlank", missing, "required")]
                )
            now, who = self.world.now(), self.world.now_as
            task = {
                "id": self.world.next_id(), "created_by": who, "updated_by": who, "created_at": now, "updated_at": now,
                "responsible_user_id": row.get("responsible_user_id") or who, "group_id": 0,
                "entity_id": row.get("entity_id"),
                "entity_type": row.get("entity_type"), "duration": row.get("duration", 0), "is_completed": False,
                "task_type_id": row.get("task_type_id", 1), "text": str(row["text"]), "result": [],
                "complete_till": row["complete_till"], "account_id": ACCOUNT_ID,
            }  # fmt: skip
            self.world.tasks[task["id"]] = task
            self.world.creates["tasks"] = self.world.creates.get("tasks", 0) + 1
            self.world.note_event("task_added", "task", task["id"])
            self.world.told("task", "add", [self._hook_task(task)])
            out.append({"id": task["id"], "request_id": str(request_id), "_links": self._self(f"tasks/{task['id']}")})
        return hal({"_links": self._self("tasks"), "_embedded": {"tasks": out}})

    def tasks(self, method: str) -> Response:
        """Answer GET, POST and PATCH /tasks."""
        if method == "GET":
            return self.list_tasks()
        if method == "POST":
            return self.add_tasks()
        rows = [self._change(int(row.get("id") or 0), row) for row in items(body())]
        return hal({"_embedded": {"tasks": [row for row in rows if row]}})

    def task(self, method: str, number: int) -> Response:
        """Answer GET and PATCH /tasks/<id>."""
        if number not in self.world.tasks:
            return nothing()
        return hal(self.world.tasks[number] if method == "GET" else self._change(number, body()))

    def _change(self, number: int, given: dict[str, Any]) -> dict[str, Any]:
        """Change a task; completing it tells of an update with status 1."""
        task = self.world.tasks.get(number)
        if task is None:
            return {}
        was = task["is_completed"]
        task |= {name: value for name, value in given.items() if name in task}
        task |= {"updated_at": self.world.now(), "updated_by": self.world.now_as}
        done = task["is_completed"] and not was
        self.world.note_event("task_completed" if done else "task_text_changed", "task", number)
        self.world.told("task", "update", [self._hook_task(task)])
        return {"id": number, "updated_at": task["updated_at"], "_links": self._self(f"tasks/{number}")}

    def delete_task(self, number: int) -> None:
        """Delete a task as a person does; the API itself has no call for it."""
        task = self.world.tasks.pop(number)
        self.world.note_event("task_deleted", "task", number)
        self.world.told("task", "delete", [{"id": number, "element_id": task["entity_id"]}])

    def list_tasks(self) -> Response:
        """Answer GET /tasks with its filters."""
        rows = list(self.world.tasks.values())
        wanted = params().get("filter")
        for name, value in (wanted if isinstance(wanted, Mapping) else {}).items():
            if name == "is_completed":
                rows = [row for row in rows if row["is_completed"] is (many(value)[0] == "1")]
            else:
                rows = [row for row in rows if str(row.get(name)) in many(value)]
        return page(ordered(rows, ("id", "created_at", "complete_till")), "tasks", self._base())

    @staticmethod
    def _hook_task(task: Mapping[str, Any]) -> dict[str, Any]:
        def local(seconds: int) -> str:
            return dt.datetime.fromtimestamp(seconds, dt.timezone(dt.timedelta(hours=3))).strftime("%Y-%m-%d %H:%M:%S")

        return {
            "id": task["id"], "element_id": task["entity_id"], "element_type": NUMBERS.get(task["entity_type"] or ""),
            "task_type": task["task_type_id"], "date_create": local(task["created_at"]), "text": task["text"],
            "status": int(task["is_completed"]), "account_id": ACCOUNT_ID,
            "responsible_user_id": task["responsible_user_id"],
            "complete_till": local(task["complete_till"]), "created_at": task["created_at"],
            "updated_at": task["updated_at"], "complete_before": task["complete_till"],
            "action_close": int(task["is_completed"]),
        }  # fmt: skip

    # --- catalogs, events ------------------------------------------------------------------------

    def elements(self, catalog: int, number: int | None, method: str) -> Response:
        """Answer the calls under /catalogs/<id>/elements."""
        if catalog not in self.world.elements:
            raise ApiError(404, "Catalog not found")
        rows, fields = self.world.elements[catalog], self.world.fields.get(f"catalogs/{catalog}", [])
        if method == "POST":
            made = []
            for place, row in enumerate(items(body())):
                now = self.world.now()
                one: dict[str, Any] = {
                    "id": self.world.next_id(), "catalog_id": catalog, "name": str(row.get("name") or ""),
                    "created_at": now, "updated_at": now, "is_deleted": False, "account_id": ACCOUNT_ID,
                    "custom_fields_values": values.merged(fields, None, row.get("custom_fields_values"), place),
                }  # fmt: skip
                rows[one["id"]] = one
                made.append({"id": one["id"], "request_id": str(row.get("request_id", place))})
            return hal({"_embedded": {"elements": made}})
        if number is None:
            query = str(params().get("query") or "").lower()
            found = [
                row
                for row in rows.values()
                if query in " ".join([row["name"], *values.texts(row["custom_fields_values"])]).lower()
            ]
            return page(found, "elements", self._base())
        if number not in rows:
            return nothing()
        if method == "PATCH":
            given, row = body(), rows[number]
            row["name"] = given.get("name", row["name"])
            row["custom_fields_values"] = values.merged(
                fields, row["custom_fields_values"], given.get("custom_fields_values"), "0"
            )
            row["updated_at"] = self.world.now()
        return hal(rows[number])

    def events(self) -> Response:
        """Answer GET /events, the newest first; at most 100 rows a page."""
        asked = params().get("filter")
        wanted = asked if isinstance(asked, Mapping) else {}
        rows = list(self.world.feed)
        if wanted.get("type"):
            types = set(many(wanted["type"]))
            rows = [
                row
                for row in rows
                if row["type"] in types
                or ("custom_field_value_changed" in types and row["type"].startswith("custom_field_"))
            ]
        span = wanted.get("created_at")
        if isinstance(span, Mapping):
            begin, end = float(span.get("from") or 0), float(span.get("to") or "inf")
            rows = [row for row in rows if begin <= row["created_at"] <= end]
        for name in ("entity", "entity_id", "created_by"):
            if name in wanted:
                key = "entity_type" if name == "entity" else name
                rows = [row for row in rows if str(row[key]) in many(wanted[name])]
        return page(list(reversed(rows)), "events", self._base(), most=100)


__all__ = ["Desk", "hook_row"]
