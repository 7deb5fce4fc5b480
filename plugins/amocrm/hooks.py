"""What each kind of message means: a record's webhook, a chat's, an event of the feed. Pure.

Records are only hints here (`incomplete`): the word in the address is a thin proof, so everything that matters is read
back from the account. Messages, deletions and accepted leads can't be read any more and are told as they came.
"""

from __future__ import annotations

import datetime as dt
import html
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import orjson

from hub import normal
from hub.model import Event
from plugins.amocrm import codes, records
from plugins.amocrm.records import id_of, inner, text_of
from plugins.amocrm.talking import at, message, word

Told = Iterable[Event]


def moment(item: Mapping[str, Any]) -> dt.datetime | None:
    """Return when what a webhook tells happened, by any of its spellings."""
    names = ("updated_at", "last_modified", "created_at", "date_create")
    return next((found for name in names if (found := at(item.get(name)))), None)


def told(entity: str, action: str, item: dict[str, Any], region: str, settings: Mapping[str, Any]) -> Told:
    """Return the events of one record of an account's or a pipeline's webhook."""
    if action == "note":
        return _note(entity, item, region, settings["own_user"])
    if entity in ("message", "outgoing_message"):
        if not id_of(item.get("id")):
            return _vendor(entity, action, item)
        return message(entity, item, region, (settings["chats"] or {}).get("origin", ""))
    reader = _READERS.get(entity)
    return reader(entity, action, item, region) if reader else _vendor(entity, action, item)


# --- deals, contacts, companies -------------------------------------------------------------------------


def _record(entity: str, action: str, item: dict[str, Any], region: str) -> Told:
    kind = {"leads": "deal", "companies": "company", "contacts": "contact"}[entity]
    if kind == "contact" and text_of(item.get("type")) == "company":
        kind = "company"
    number, verb = id_of(item.get("id")), codes.HOOK_VERBS.get(action)
    if not number:
        return _vendor(entity, action, item)
    if verb is None:  # the pipeline's own webhook: only ids, the deal is read
        deal = {"id": number, "extra": item}
        return [Event(f"vendor.{entity}_{word(action)}", f"{kind}:{number}", "", {kind: deal}, incomplete=True)]
    if verb == "deleted":
        gone = {"id": number, "extra": item} | ({"stage": _stage(item)} if _stage(item) else {})
        return [Event(f"{kind}.deleted", f"{kind}:{number}", f"{kind}:{number}:deleted", {kind: gone})]
    hint: dict[str, Any] = {"id": number, "extra": item}
    when = moment(item)
    if kind == "deal" and when and (action == "status" or id_of(item.get("old_status_id"))):
        hint["moved_at"] = when.isoformat()
    by = id_of(item.get("modified_user_id"))
    return [Event(f"{kind}.{verb}", f"{kind}:{number}", "", {kind: hint}, by=by, incomplete=True)]


def _stage(item: Mapping[str, Any]) -> str:
    stage, pipeline = id_of(item.get("status_id")), id_of(item.get("pipeline_id"))
    return f"{pipeline}/{stage}" if stage and pipeline else stage


# --- notes and calls --------------------------------------------------------------------------------------


def _note(entity: str, item: dict[str, Any], region: str, own_user: str) -> Told:
    """A note hangs on a record; a call is a note too, its facts are JSON inside the text."""
    raw = item.get("note")
    raw = {str(key): value for key, value in raw.items()} if isinstance(raw, Mapping) else item
    number, kind = id_of(raw.get("id")), text_of(raw.get("note_type"))
    owner = codes.BY_NUMBER.get(text_of(raw.get("element_type"))) or codes.BY_WORD.get(entity, "")
    if not number:
        return _vendor(entity, "note", item)
    by = id_of(raw.get("created_by", raw.get("modified_by")))
    if own_user and by == own_user:
        return []
    hangs = {owner: id_of(raw.get("element_id"))} if owner and id_of(raw.get("element_id")) else {}
    when = at(raw.get("created_at"))
    word_ = codes.NOTE_TYPES.get(kind, kind)
    if word_ in ("call_in", "call_out"):
        return [_call(number, word_, raw, hangs, region, by, when)]
    text = html.unescape(text_of(raw.get("text")))
    record = {"id": number, "text": text, "by": by, "kind": word_, **hangs, "extra": raw}
    if when:
        record["created_at"] = when.isoformat()
    kept = {key: value for key, value in record.items() if value != ""}
    return [
        Event(
            "note.added", f"note:{number}", f"note:{number}:added", {"note": kept}, when, text, by=by, incomplete=True
        )
    ]


def _call(
    number: str, way: str, raw: Mapping[str, Any], hangs: Mapping[str, str], region: str, by: str,
    when: dt.datetime | None,
) -> Event:  # fmt: skip
    facts = json_in(raw.get("text")) or {}
    return call(number, way, {key.lower(): value for key, value in facts.items()}, hangs, region, by, when, raw)


def call(
    number: str, way: str, facts: Mapping[str, Any], hangs: Mapping[str, str], region: str, by: str,
    when: dt.datetime | None, raw: Mapping[str, Any],
) -> Event:  # fmt: skip
    """Return a finished or missed call out of a note's facts: phone, duration, link, uniq, src, call_status."""
    phone = text_of(facts.get("phone"))
    known = normal.phone(phone, region)
    duration = text_of(facts.get("duration"))
    seconds = int(duration) if duration.isascii() and duration.isdigit() and len(duration) < 9 else None
    status = text_of(facts.get("call_status"))
    incoming = way == "call_in"
    missed = incoming and (status in codes.CALL_MISSED or (not status and seconds == 0))
    record: dict[str, Any] = {
        "id": number,
        "from": (known or phone) if incoming else "",
        "to": "" if incoming else (known or phone),
        "duration": seconds,
        "status": codes.CALL_STATUSES.get(status, status),
        "direction": "in" if incoming else "out",
        "recording": text_of(facts.get("link")),
        "uniq": text_of(facts.get("uniq")),
        "at": when.isoformat() if when else "",
        **hangs,
    }
    kept = {key: value for key, value in record.items() if value not in (None, "")} | {"extra": dict(raw)}
    found: dict[str, Any] = {"call": kept}
    contact = normal.contact(region, phone=phone) if phone else {}
    if hangs.get("contact"):
        contact["id"] = hangs["contact"]
    if contact:
        found["contact"] = contact
    type_ = "call.missed" if missed else "call.finished"
    return Event(type_, f"call:{number}", f"note:{number}:added", found, when, channel="phone", by=by, incomplete=True)


def json_in(value: Any) -> dict[str, Any] | None:
    """Return the JSON object inside a text (a call's facts, metadata); None if it holds none."""
    text = html.unescape(text_of(value)).strip()
    if not text.startswith("{") or len(text) > 100_000:
        return None
    try:
        found = orjson.loads(text)
    except orjson.JSONDecodeError:
        return None
    return {str(key): below for key, below in found.items()} if isinstance(found, dict) else None


# --- tasks ------------------------------------------------------------------------------------------------


def _task(entity: str, action: str, item: dict[str, Any], region: str) -> Told:
    number, verb = id_of(item.get("id")), codes.HOOK_VERBS.get(action)
    if not number or verb is None:
        return _vendor(entity, action, item)
    owner = codes.BY_NUMBER.get(text_of(item.get("element_type")))
    hangs = {owner: id_of(item.get("element_id"))} if owner and id_of(item.get("element_id")) else {}
    hangs.pop("customer", None)
    title = html.unescape(text_of(item.get("text")))
    task: dict[str, Any] = {"id": number, **({"title": title} if title else {}), **hangs, "extra": item}
    if verb == "deleted":
        return [Event("task.deleted", f"task:{number}", f"task:{number}:deleted", {"task": task}, title=title)]
    if verb == "updated" and text_of(item.get("status")) == "1":
        return [_completed(number, task, title)]
    return [Event(f"task.{verb}", f"task:{number}", "", {"task": task}, title=title, incomplete=True)]


def _completed(number: str, task: dict[str, Any], title: str = "") -> Event:
    """A task is completed once, whatever is told of it afterwards, by the webhook or by the feed."""
    key = f"task:{number}:completed"
    return Event("task.completed", f"task:{number}", key, {"task": task}, title=title, incomplete=True)


# --- incoming leads ------------------------------------------------------------------------------------


def _unsorted(entity: str, action: str, item: dict[str, Any], region: str) -> Told:
    """Accepting and declining arrive as a deletion that says what became of the lead."""
    uid = text_of(item.get("uid"))[:100]
    if not uid or action not in ("add", "update", "delete"):
        return _vendor(entity, action, item)
    what = text_of(item.get("action"))
    stage = {"accept": "accepted", "decline": "declined"}.get(what, "unsorted")
    lead = records.lead(item, region, stage)
    subject, text = f"lead:{uid}", str(lead.get("comment") or "")
    if action == "delete":
        deal = _first_deal(item, what)
        found: dict[str, Any] = {"lead": lead | ({"deal": deal} if deal else {})}
        type_ = "lead.stage_changed" if stage != "unsorted" else "lead.deleted"
        by = id_of(item.get("modified_user_id"))
        return [Event(type_, subject, f"{subject}:{stage if what else 'deleted'}", found, by=by)]
    verb = "created" if action == "add" else "updated"
    contact = records.contact_of_lead(lead, region)
    found = {"lead": lead, **({"contact": contact} if contact else {})}
    channel = str(lead.get("source", {}).get("channel") or "")
    key = f"{subject}:created" if verb == "created" else ""
    return [
        Event(
            f"lead.{verb}", subject, key, found, text=text, title=str(lead.get("title") or ""), channel=channel,
            incomplete=True,
        )
    ]  # fmt: skip


def _first_deal(item: Mapping[str, Any], action: str) -> str:
    result = item.get(f"{action}_result")
    leads = result.get("leads") if isinstance(result, Mapping) else None
    rows = list(leads.values()) if isinstance(leads, Mapping) else leads if isinstance(leads, list) else [leads]
    first = rows[0] if rows else None
    return id_of(first.get("id") if isinstance(first, Mapping) else first)


# --- the rest -----------------------------------------------------------------------------------------------


def _vendor(entity: str, action: str, item: dict[str, Any], region: str = "") -> Told:
    name = f"{word(entity)}_{word(action)}"
    number = text_of(item.get("id") or item.get("uid") or item.get("talk_id"))[:100] or "-"
    return [Event(f"vendor.{name}", f"{word(entity)}:{number}", "", {"vendor": {"id": number, "extra": item}})]


def fed(message: Mapping[str, Any], key: str) -> list[Event]:
    """Return what an event of the feed means: the same hints and the same keys as its webhook would have brought."""
    raw = message.get("event")
    raw = {str(name): value for name, value in raw.items()} if isinstance(raw, Mapping) else {}
    type_, number = text_of(raw.get("type")), id_of(raw.get("entity_id"))
    meant = codes.FEED.get("custom_field_value_changed" if _is_field_change(type_) else type_)
    kind = (meant.record if meant else "") or codes.BY_WORD.get(text_of(raw.get("entity_type")), "")
    when, by = at(raw.get("created_at")), id_of(raw.get("created_by"))
    if meant is None or not kind or not number or kind == "customer":
        return [
            Event(
                f"vendor.{word(type_)}", f"event:{id_of(raw.get('id')) or '-'}", key, {"vendor": {"extra": raw}}, when
            )
        ]
    if kind == "note":
        return _fed_note(raw, number, key, when, by)
    record: dict[str, Any] = {"id": number, "extra": {}}
    subject = f"{kind}:{number}"
    if meant.verb == "completed":
        return [_completed(number, record).with_(occurred_at=when, by=by)]
    if meant.verb == "deleted":
        return [Event(f"{kind}.deleted", subject, f"{subject}:deleted", {kind: record}, when, by=by)]
    if type_ == "lead_status_changed" and when:
        record["moved_at"] = when.isoformat()
    hint = Event(f"{kind}.{meant.verb}", subject, key, {kind: record}, when, by=by, incomplete=True)
    return [hint]


def _is_field_change(type_: str) -> bool:
    return type_.startswith("custom_field_") and type_.endswith("_value_changed")


def _fed_note(
    raw: Mapping[str, Any], owner: str, key: str, when: dt.datetime | None, by: str
) -> list[Event]:  # fmt: skip
    after = raw.get("value_after")
    first = inner(after[0]) if isinstance(after, list) and after else {}
    note = inner(first.get("note"))
    number, kind = id_of(note.get("id")), codes.BY_WORD.get(text_of(raw.get("entity_type")), "")
    if not number or not kind:
        return [
            Event(
                f"vendor.{word(text_of(raw.get('type')))}",
                f"event:{owner}",
                key,
                {"vendor": {"extra": dict(raw)}},
                when,
            )
        ]
    record = {"id": number, kind: owner, "extra": {}}
    return [
        Event("note.added", f"note:{number}", f"note:{number}:added", {"note": record}, when, by=by, incomplete=True)
    ]


_READERS: Mapping[str, Callable[[str, str, dict[str, Any], str], Told]] = {
    "leads": _record, "contacts": _record, "companies": _record, "task": _task, "tasks": _task, "unsorted": _unsorted,
}  # fmt: skip
