"""Incoming leads of the stand-in: made, listed, accepted, declined, joined; each step tells of itself."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

from flask import Response

from plugins.amocrm.sandbox.crm import Crm
from plugins.amocrm.sandbox.words import ApiError, body, hal, items, many, nothing, objection, ordered, page, params
from plugins.amocrm.sandbox.world import ACCOUNT_ID, PIPELINE, UNSORTED_STAGE, World


class Waiting:
    """What waits to be accepted."""

    def __init__(self, world: World, crm: Crm, base: Any) -> None:
        self.world, self.crm, self._base = world, crm, base

    def add_unsorted(self, category: str) -> Response:
        """Answer POST /leads/unsorted/forms and /sip; an identical item that waits is refused."""
        out = []
        given = items(body())
        for place, row in enumerate(given):
            request_id = row.get("request_id", str(place))
            missing = next((name for name in ("source_uid", "source_name", "metadata") if not row.get(name)), None)
            if missing:
                raise ApiError(
                    400, "Request validation failed", [objection(request_id, "NotBlank", missing, "required")]
                )
            if any(
                one["source_uid"] == row["source_uid"] and one["metadata"] == row["metadata"]
                for one in self.world.unsorted.values()
            ):
                raise ApiError(
                    400,
                    "Request validation failed",
                    [objection(request_id, "NotUnique", "source_uid", "already exists")],
                )
            out.append(self.unsorted(category, row, request_id))
        return hal({"_total_items": len(out), "_embedded": {"unsorted": out}})

    def unsorted(
        self, category: str, given: Mapping[str, Any], request_id: Any = "0", more: Mapping[str, Any] | None = None
    ) -> dict[str, Any]:
        """Make an incoming lead with its deal and contact, both waiting too; tell of it."""
        held = given.get("_embedded") or {}
        pipeline = int(given.get("pipeline_id") or PIPELINE)
        lead_body = {**((held.get("leads") or [{}])[0]), "pipeline_id": pipeline}
        stage = next(
            (
                s["id"]
                for p in self.world.pipelines
                if p["id"] == pipeline
                for s in p["_embedded"]["statuses"]
                if s["type"] == 1
            ),
            UNSORTED_STAGE,
        )
        lead = self.crm.add(
            "leads", [{**lead_body, "status_id": stage, "request_id": request_id}], unsorted=True, quiet=True
        )[0]
        contacts = []
        for one in held.get("contacts") or []:
            known = one.get("id")
            row = self.world.records["contacts"].get(known) if known else None
            row = row or self.crm.add("contacts", [one])[0]
            self.world.link("leads", lead["id"], "contacts", row["id"], {"is_main": True})
            contacts.append(row["id"])
        uid = hashlib.sha256(f"{lead['id']}{given.get('source_uid')}".encode()).hexdigest()[:60]
        row = {
            "uid": uid, "source_uid": given.get("source_uid"), "source_name": given.get("source_name"),
            "category": category, "pipeline_id": pipeline, "created_at": given.get("created_at") or self.world.now(),
            "metadata": given.get("metadata") or {}, "account_id": ACCOUNT_ID, "leads": [lead["id"]],
            "contacts": contacts, "companies": [],
        }  # fmt: skip
        self.world.unsorted[uid] = row
        self.world.told("unsorted", "add", [self._told(row, more or {})])
        return {
            "uid": uid,
            "account_id": ACCOUNT_ID,
            "request_id": str(request_id),
            "_links": self._self(f"leads/unsorted/{uid}"),
            **self._held(row),
        }

    def _told(self, row: Mapping[str, Any], more: Mapping[str, Any]) -> dict[str, Any]:
        """Return an incoming lead as webhooks spell it."""
        lead = self.world.records["leads"][row["leads"][0]]
        return {
            "uid": row["uid"], "source": row["source_name"], "source_uid": row["source_uid"],
            "category": row["category"], "source_data": {**row["metadata"], **more}, "date_create": row["created_at"],
            "data": {"contacts": [{"id": number} for number in row["contacts"]],
                     "leads": [{"id": lead["id"], "name": lead["name"]}]},
            "pipeline_id": row["pipeline_id"], "account_id": ACCOUNT_ID, "lead_id": lead["id"],
            "created_at": row["created_at"],
        }  # fmt: skip

    def say_unsorted(self, uid: str, text: str) -> None:
        """Somebody writes again in a chat that waits: it arrives as `unsorted[update]`."""
        row = self.world.unsorted[uid]
        said = {"id": str(self.world.next_id()), "date": self.world.now(), "text": text}
        known = list((row["metadata"].get("data") or {}).values())
        rows = {str(place): one for place, one in enumerate([*known, said])}
        row["metadata"] = {**row["metadata"], "data": rows}
        self.world.told("unsorted", "update", [self._told(row, {})])

    def drop_unsorted(self, uid: str) -> None:
        """An incoming lead is deleted without being accepted or declined: its webhook names no action."""
        row = self.world.unsorted.pop(uid)
        self.world.records["leads"].pop(row["leads"][0], None)
        told = {"uid": uid, "category": row["category"], "created_at": row["created_at"]}
        self.world.told("unsorted", "delete", [told])

    def _held(self, row: Mapping[str, Any]) -> dict[str, Any]:
        return {"_embedded": {kind: [{"id": number, "_links": self._self(f"{kind}/{number}")} for number in row[kind]]
                              for kind in ("contacts", "leads", "companies")}}  # fmt: skip

    def _self(self, path: str) -> dict[str, Any]:
        return {"self": {"href": f"{self._base()}/api/v4/{path}"}}

    def _shown(self, row: Mapping[str, Any]) -> dict[str, Any]:
        own = {name: value for name, value in row.items() if name not in ("leads", "contacts", "companies")}
        return {**own, "_links": self._self(f"leads/unsorted/{row['uid']}"), **self._held(row)}

    def list_unsorted(self) -> Response:
        """Answer GET /leads/unsorted."""
        rows = [{**row, "id": row["leads"][0]} for row in self.world.unsorted.values()]
        wanted = params().get("filter")
        for name, value in (wanted if isinstance(wanted, Mapping) else {}).items():
            rows = [row for row in rows if str(row.get(name)) in many(value)]
        shown = [self._shown({k: v for k, v in row.items() if k != "id"}) for row in ordered(rows)]
        return page(shown, "unsorted", self._base())

    def one_unsorted(self, uid: str) -> Response:
        """Answer GET /leads/unsorted/<uid>."""
        row = self.world.unsorted.get(uid)
        return nothing() if row is None else hal(self._shown(row))

    def settle(self, uid: str, how: str) -> Response:
        """Answer accept, decline and link: each ends the waiting and arrives as `unsorted[delete]`."""
        row = self.world.unsorted.get(uid)
        if row is None:
            raise ApiError(404, "Unsorted not found")
        given = body() or {}
        if how == "link":
            if row["category"] not in ("chats", "mail"):
                raise ApiError(422, "link works for chats and mail")
            target = (given.get("link") or {}).get("entity_id")
            if target not in self.world.records["leads"]:
                raise ApiError(404, "Entity not found")
        self.world.unsorted.pop(uid)
        lead = self.world.records["leads"][row["leads"][0]]
        if how == "accept":
            stage = given.get("status_id") or self.world.first_stage(lead["pipeline_id"])
            lead |= {
                "unsorted": False,
                "status_id": stage,
                "responsible_user_id": given.get("user_id") or lead["responsible_user_id"],
            }
            lead["updated_at"] = self.world.now()
            self.world.note_event("lead_added", "lead", lead["id"])
        elif how == "decline":
            self.world.records["leads"].pop(lead["id"])
        told = {
            "action": how,
            "uid": uid,
            "category": row["category"],
            "created_at": row["created_at"],
            "modified_user_id": self.world.now_as,
        }
        told[f"{how}_result"] = {"leads": [lead["id"]]}
        self.world.told("unsorted", "delete", [told])
        if how == "accept":
            self.world.told("leads", "add", [lead])
        kept = {**row, "leads": [] if how == "decline" else row["leads"]}
        return hal(
            {
                "uid": uid,
                "pipeline_id": row["pipeline_id"],
                "category": row["category"],
                "created_at": row["created_at"],
                **self._held(kept),
            }
        )
