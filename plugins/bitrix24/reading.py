"""Asking the portal what happened: the record behind a hint, and the changes whose event got lost.

Events carry ids alone, so each subject is read back once, with its contact and responsible employee in the same
request. Bitrix24 never repeats an event it couldn't deliver
(https://apidocs.bitrix24.ru/api-reference/events/index.html), so a poll looks for what was missed.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any

import marshmallow as ma
import orjson

from hub.errors import Gone, Refused
from hub.model import Event, Poll, Record, Request
from plugins.bitrix24 import codes, envelope, records
from plugins.bitrix24.client import Batch, Client
from plugins.bitrix24.items import Items
from plugins.bitrix24.refusals import NO_CODE
from plugins.bitrix24.schemas import OfflineRow
from plugins.bitrix24.search import Search

#: seconds that two polls overlap: clocks differ, and a change may be saved a little after its time
OVERLAP = 120.0
#: rows one poll takes; the next goes on where it stopped
MOST_ROWS = 500
#: polls by name -> kind of record
POLLED_KINDS = {"deals": "deal", "leads": "lead", "contacts": "contact"}
_READERS = {
    "note": ("crm.timeline.comment.get", "id", records.note),
    "activity": ("crm.activity.get", "id", records.activity),
}


class Reading:
    """The reads of one portal."""

    def __init__(self, client: Client, search: Search, portal: str, region: str) -> None:
        self._client, self._search, self._portal, self._region = client, search, portal, region

    # --- one record ------------------------------------------------------------------------------

    def raw(self, kind: str, number: str) -> dict[str, Any]:
        """Return a lead, deal, contact or company as the vendor gives it, or raise `Gone`."""
        try:
            return self._mapping(self._client.call(f"crm.{kind}.get", {"ID": number}), kind, number)
        except Refused as error:
            raise self.gone_or(error, kind, number) from None

    def gone_or(self, error: Refused, kind: str, number: str) -> Refused:
        """Return `Gone` instead of a refusal without a code, if the record can't be seen any more.

        The old methods say "Not found" with an empty code (https://apidocs.bitrix24.ru/api-reference/crm/deals/
        crm-deal-get.html), so only a look into the list tells it from other refusals.
        """
        if isinstance(error, Gone) or error.vendor_code not in (NO_CODE, "0", "100"):
            return error
        if self._search.exists(kind, number):
            return error
        return Gone(f"{kind} {number} doesn't exist any more (or its access was taken away)", vendor_code="not_found")

    def get(self, record: str, number: str) -> Record:
        """Return one record in neutral words, or raise `Gone`.

        A message and a call happen once: what the event brought of them is all there is.
        """
        if record in ("message", "call"):
            return {"id": number}
        if record == "item":
            return Items(self._client, self._portal).get(number)
        if record in codes.ENTITIES:
            return records.neutral(record, self.raw(record, number), self._portal, self._region)
        if record == "task":
            return self._task(number)
        if record in ("user", "responsible", "by"):
            rows = self._client.call("user.get", {"ID": number})
            if not rows:
                raise Gone(f"there is no employee {number}")
            return records.user(rows[0])
        if record == "comment":
            record = "note"
        if record not in _READERS:
            raise Refused(f"plugin bitrix24 can't read a {record}")
        method, key, build = _READERS[record]
        return build(self._mapping(self._client.call(method, {key: number}), record, number))

    def _task(self, number: str) -> Record:
        select = ["*", "UF_CRM_TASK"]
        try:
            result = self._client.call("tasks.task.get", {"taskId": number, "select": select})
        except Refused as error:
            raise self.gone_or(error, "task", number) from None
        row = result.get("task") if isinstance(result, Mapping) else None
        return records.task(self._mapping(row, "task", number), self._portal)

    @staticmethod
    def _mapping(result: Any, kind: str, number: str) -> dict[str, Any]:
        if not isinstance(result, dict) or not result:
            raise Gone(f"{kind} {number} doesn't exist any more")
        return result

    # --- completing hints --------------------------------------------------------------------------

    def complete(self, events: list[Event], needs: frozenset[str]) -> list[Event]:
        """Read the one subject of these hints and return an event per type; a deleted record leaves no hints."""
        hints = [event for event in events if event.incomplete]
        rest = [event for event in events if not event.incomplete]
        if not hints:
            return events
        kind, _, number = hints[0].subject.partition(":")
        try:
            found = self._records(kind, number, needs)
        except Gone:
            return rest
        by_type: dict[str, Event] = {}
        for hint in hints:
            by_type[hint.type] = _completed(hint, kind, found)
        return sorted(by_type.values(), key=lambda event: not event.type.endswith(".created")) + rest

    def _records(self, kind: str, number: str, needs: frozenset[str]) -> dict[str, Any]:
        if kind not in codes.ENTITIES:
            record = self.get(kind, number)
            return {kind: record} | self._owners(record, needs)
        commands: dict[str, tuple[str, Mapping[str, Any]]] = {"main": (f"crm.{kind}.get", {"ID": number})}
        if kind != "contact" and "contact" in needs:
            commands["contact"] = ("crm.contact.get", {"ID": "$result[main][CONTACT_ID]"})
        if kind != "company" and "company" in needs:
            commands["company"] = ("crm.company.get", {"ID": "$result[main][COMPANY_ID]"})
        if "responsible" in needs:
            commands["responsible"] = ("user.get", {"ID": "$result[main][ASSIGNED_BY_ID]"})
        if kind in ("lead", "deal") and "goods" in needs:
            commands["goods"] = (f"crm.{kind}.productrows.get", {"id": number})
        if len(commands) == 1:
            return {kind: records.neutral(kind, self.raw(kind, number), self._portal, self._region)}
        batch = self._client.batch(commands)
        try:
            raw = self._mapping(batch.take("main"), kind, number)
        except Refused as error:
            raise self.gone_or(error, kind, number) from None
        found: dict[str, Any] = {kind: records.neutral(kind, raw, self._portal, self._region)}
        if "goods" in commands:
            found[kind]["goods"] = records.goods(batch.get("goods"))
        return found | self._around(kind, raw, batch, needs)

    def _around(self, kind: str, raw: Mapping[str, Any], batch: Batch, needs: frozenset[str]) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for other, field in (("contact", "CONTACT_ID"), ("company", "COMPANY_ID")):
            row = batch.get(other)
            # an empty id in the reference makes the vendor answer about some other record: take none
            if isinstance(row, dict) and raw.get(field) and str(row.get("ID")) == str(raw[field]):
                found[other] = records.neutral(other, row, self._portal, self._region)
        if kind == "lead" and "contact" in needs and "contact" not in found:
            found["contact"] = records.contact_of_lead(raw, self._region)
        if "responsible" in needs and (who := str(raw.get("ASSIGNED_BY_ID") or "")):
            rows = batch.get("responsible")
            employee = next((row for row in rows or [] if isinstance(row, dict) and str(row.get("ID")) == who), None)
            found["responsible"] = records.user(employee) if employee else {"id": who, "extra": {}}
        return found

    def _owners(self, record: Mapping[str, Any], needs: frozenset[str]) -> dict[str, Any]:
        """Return the lead, deal or contact a task or note hangs on, where a route looks at it."""
        found: dict[str, Any] = {}
        for kind in codes.ENTITIES:
            if kind in needs and (number := record.get(kind)):
                try:
                    found[kind] = self.get(kind, str(number))
                except Gone:
                    continue
        return found

    # --- polls -------------------------------------------------------------------------------------

    def changes(self, what: str, cursor: Any, now: dt.datetime) -> Poll:
        """Return a receipt per record changed since the cursor; the first poll starts from now.

        cursor: {"since": ISO time, "scan": start of a scan under way, "after": last id of it}. Rows are read by
        ascending id, so that a mass edit of thousands is walked through in portions without missing one.
        """
        kind = POLLED_KINDS[what]
        if not cursor:
            return Poll(cursor={"since": _iso(now - dt.timedelta(seconds=OVERLAP))})
        condition: dict[str, Any] = {">=DATE_MODIFY": cursor["since"]}
        if cursor.get("after"):
            condition[">ID"] = cursor["after"]
        begun = cursor.get("scan") or _iso(self._portal_now(now) - dt.timedelta(seconds=OVERLAP))
        asked = {"filter": condition, "select": ["ID", "DATE_MODIFY", "DATE_CREATE"]}
        rows = self._client.rows(f"crm.{kind}.list", asked, MOST_ROWS)
        receipts = [_polled(kind, row, str(cursor["since"]), now) for row in rows]
        if len(rows) >= MOST_ROWS:
            return Poll(receipts, {**cursor, "scan": begun, "after": str(rows[-1]["ID"])}, next_in=1.0)
        return Poll(receipts, {"since": begun})

    def _portal_now(self, now: dt.datetime) -> dt.datetime:
        """Return the earlier of the two clocks: the portal's at its last answer, and ours."""
        known = self._client.portal_time
        return min(now, dt.datetime.fromtimestamp(known, dt.UTC)) if known else now

    def offline(self, cursor: Any, now: dt.datetime) -> Poll:
        """Fetch the portal's queue of events. What the last poll brought is cleared now that it is stored.

        https://apidocs.bitrix24.ru/api-reference/events/event-offline-get.html: `clear=0` keeps the rows under a
        process id until they are cleared; one row per record, the latest change.
        """
        if cursor and cursor.get("process_id") and cursor.get("ids"):
            done = {"process_id": cursor["process_id"], "id": cursor["ids"]}
            self._client.call("event.offline.clear", done, changes=False)
        result = self._client.call("event.offline.get", {"clear": 0, "limit": codes.PAGE}, changes=False)
        result = result if isinstance(result, Mapping) else {}
        receipts, ids = [], []
        for row in result.get("events") or []:
            ids.append(str(row.get("ID", "")) if isinstance(row, Mapping) else "")
            if receipt := _offline_receipt(row, now):
                receipts.append(receipt)
        kept = {"process_id": result.get("process_id"), "ids": [number for number in ids if number]}
        return Poll(receipts, kept, next_in=1.0 if len(ids) >= codes.PAGE else None)


# --- words -------------------------------------------------------------------------------------------


def _completed(hint: Event, kind: str, found: Mapping[str, Any]) -> Event:
    record = found[kind]
    at = record.get("created_at" if hint.type.endswith((".created", ".added")) else "changed_at")
    return hint.with_(
        type="task.completed" if hint.type == "task.updated" and _just_done(record) else hint.type,
        record={**hint.record, **found},
        occurred_at=dt.datetime.fromisoformat(at) if at else hint.occurred_at,
        title=str(record.get("title") or ""),
        text=str(record.get("text") or hint.text or ""),
        by=str(record.get("by") or ""),
        incomplete=False,
    )


def _just_done(task: Mapping[str, Any]) -> bool:
    """Tell the update that completed a task: it was closed when it was last changed, give or take two seconds."""
    raw = task.get("extra", {})
    closed, changed = records.instant(raw.get("closedDate")), records.instant(raw.get("changedDate"))
    if not task.get("done") or not closed or not changed:
        return False
    apart = dt.datetime.fromisoformat(changed) - dt.datetime.fromisoformat(closed)
    return abs(apart) <= dt.timedelta(seconds=2)


def _iso(at: dt.datetime) -> str:
    return at.astimezone(dt.UTC).isoformat(timespec="seconds")


def _polled(kind: str, row: Mapping[str, Any], since: str, now: dt.datetime) -> tuple[str, Request]:
    number, changed = str(row["ID"]), str(row.get("DATE_MODIFY") or "")
    created = records.instant(row.get("DATE_CREATE"))
    at = records.instant(changed)
    body = {
        "event": f"ONCRM{kind.upper()}UPDATE",
        "data": {"FIELDS": {"ID": number}},
        "created": bool(created and created >= since),
        "ts": int(dt.datetime.fromisoformat(at).timestamp()) if at else int(now.timestamp()),
        "poll": True,
    }
    return f"poll:{kind}:{number}:{at or changed}", _request(f"poll/{kind}", body, now)


def _offline_receipt(row: Any, now: dt.datetime) -> tuple[str, Request] | None:
    try:
        loaded = OfflineRow().load(row)
    except ma.ValidationError:
        return None
    at = records.instant(loaded["TIMESTAMP_X"])
    body = {
        "event": loaded["EVENT_NAME"],
        "data": loaded["EVENT_DATA"] or {},
        "ts": int(dt.datetime.fromisoformat(at).timestamp()) if at else int(now.timestamp()),
        "poll": True,
    }
    key = f"offline:{loaded['ID']}:{loaded['MESSAGE_ID']}:{loaded['TIMESTAMP_X']}"
    return key, _request("poll/offline", body, now)


def _request(path: str, body: Mapping[str, Any], now: dt.datetime) -> Request:
    headers = {"content-type": "application/json"}
    return Request(envelope.POLLED, f"/{path}", headers=headers, body=orjson.dumps(body), at=now)
