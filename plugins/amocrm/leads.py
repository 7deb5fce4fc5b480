"""Incoming leads (unsorted): made as from a form or a call, changed, accepted, declined, joined.

https://www.amocrm.ru/developers/content/crm_platform/unsorted-api
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping
from typing import Any

from hub.errors import Gone, Refused
from hub.model import Action, Done, Record
from plugins.amocrm import codes, outgoing, records
from plugins.amocrm.client import Client, embedded
from plugins.amocrm.crm import Crm, target
from plugins.amocrm.directory import Directory
from plugins.amocrm.reading import Reading
from plugins.amocrm.search import Search


class Leads:
    """What the hub does to incoming leads."""

    def __init__(
        self, client: Client, directory: Directory, search: Search, reading: Reading, crm: Crm, region: str, user: str
    ) -> None:  # fmt: skip
        self._client, self._directory, self._search, self._reading = client, directory, search, reading
        self._crm, self._region, self._user = crm, region, user

    def create(self, action: Action) -> Done:
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
            if action.in_doubt_since is not None and (accepted := self._accepted(action)):
                return accepted
            deal.custom |= self._crm.fields("deal", {codes.MARKER: action.marker}).custom
        body = outgoing.form_lead(action, deal.body(), contact)
        done = self._incoming("leads/unsorted/forms", body)
        if number := str(done.result.get("deal") or ""):
            self._crm.note_of_new("deal", number, action.values.get("note"), action)
        return done

    def _accepted(self, action: Action) -> Done | None:
        """Return what an earlier try has made if it was accepted meanwhile: no lead any more, its deal has the marker.

        A route that accepts at once is quicker than the look after a lost answer.
        """
        found = self._search.find("deal", {"marker": action.marker, "since": action.in_doubt_since}, 1)
        if not found:
            return None
        deal = found[0]
        self._crm.note("deal", str(deal["id"]), action.values.get("note"), action.in_doubt_since)
        links = [("deal", str(deal["id"]))] + ([("contact", str(deal["contact"]))] if deal.get("contact") else [])
        return Done({"stage": "accepted", **dict(links)}, links=links)

    def found(self, action: Action, record: Record) -> Done:
        """Return an incoming lead found by its marker as made; its note goes to the deal inside, if it isn't there."""
        if number := str(record.get("deal") or ""):
            self._crm.note("deal", number, action.values.get("note"), action.in_doubt_since)
        uid = str(record["id"])
        links = [("lead", uid)] + ([("contact", str(record["contact"]))] if record.get("contact") else [])
        return Done(record, uid, links=links, written={"uid": uid})

    def create_call(self, action: Action) -> Done:
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

    def update(self, action: Action) -> Done:
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

    def accept(self, action: Action) -> Done:
        """Accept an incoming lead; the result is its deal. After a doubtful try one that waits no more is accepted."""
        uid, given = target(action), action.values
        body: dict[str, Any] = {}
        if who := given.get("user") or given.get("user_id") or self._user:
            body["user_id"] = outgoing.integer("user", who)
        if stage := given.get("stage") or given.get("status"):
            body["status_id"] = int(self._directory.stage(str(stage)).id)
        answer = self._settled(action, lambda: self._client.post(f"leads/unsorted/{uid}/accept", body))
        return self._judged(uid, answer)

    def decline(self, action: Action) -> Done:
        """Decline an incoming lead: it goes, with the deal it would have become."""
        uid, body = target(action), {}
        if who := action.values.get("user") or action.values.get("user_id") or self._user:
            body["user_id"] = outgoing.integer("user", who)
        answer = self._settled(action, lambda: self._client.delete(f"leads/unsorted/{uid}/decline", body))
        return self._judged(uid, answer)

    def link(self, action: Action) -> Done:
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
