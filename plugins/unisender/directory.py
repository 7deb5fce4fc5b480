"""Lists, fields and tags of the account."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from hub.errors import Refused, Uncertain
from hub.model import Action, Done, Record
from plugins.unisender import values
from plugins.unisender.client import Row
from plugins.unisender.desk import Desk

FIELD_TYPES = ("string", "text", "number", "date", "bool")
#: what is asked for, and with which method
_METHODS = {"list": "getLists", "field": "getFields", "tag": "getTags"}
_NAME = {"list": "title", "field": "name", "tag": "name"}
_LATIN = re.compile(r"[A-Za-z][A-Za-z0-9_]*")


def rows(desk: Desk, record: str) -> list[Row]:
    """Return all lists, fields or tags, ids as text."""
    found = desk.client.rows(_METHODS[record])
    return [{**row, "id": values.text(row.get("id"))} for row in found]


def listed(desk: Desk, action: Action) -> Done:
    """List lists, fields or tags."""
    found = rows(desk, action.record)
    return Done({**(found[0] if found else {}), "rows": found, "count": len(found)})


def find(desk: Desk, record: str, by: Mapping[str, Any]) -> list[Record]:
    """Find lists, fields or tags whose members are as asked; `id` may be one of our words for a list."""
    wanted = {name: values.text(value).casefold() for name, value in by.items()}
    if record == "list" and "id" in wanted:
        wanted["id"] = desk.settings["lists"].get(values.text(by["id"]), wanted["id"])
    return [row for row in rows(desk, record) if all(_same(row.get(name), one) for name, one in wanted.items())]


def _same(value: Any, wanted: str) -> bool:
    return values.text(value).casefold() == wanted


def found(desk: Desk, action: Action) -> Done:
    """Find the first list, field or tag that is as asked."""
    records = find(desk, action.record, {**action.values, **action.find})
    return Done(records[0] if records else {}, id=records[0]["id"] if records else "")


def create_list(desk: Desk, action: Action) -> Done:
    """Make a list; one of this title that is there already is taken."""
    title = values.needed(action.values, "title", "list.create")
    pages = ("before_subscribe_url", "after_subscribe_url")
    more: Row = {name: values.text(action.values[name]) for name in pages if name in action.values}
    return _made(desk, "list", {"title": title, **more}, "createList")


def create_field(desk: Desk, action: Action) -> Done:
    """Make a contact field; one of this name that is there already is taken."""
    name = values.needed(action.values, "name", "field.create")
    if not _LATIN.fullmatch(name):
        raise Refused(f"field.create: {name!r}: latin letters, digits and _ only", {"name": "latin letters"})
    kind = values.text(action.values.get("type")) or "string"
    if kind not in FIELD_TYPES:
        raise Refused(f"field.create: type {kind!r} is none of {', '.join(FIELD_TYPES)}", {"type": "unknown"})
    params = {"name": name, "type": kind, "public_name": values.text(action.values.get("public_name")) or None}
    return _made(desk, "field", params, "createField")


def _made(desk: Desk, record: str, params: Row, method: str) -> Done:
    """Look first, so that a repeated call makes no second one."""
    name = _NAME[record]
    there = find(desk, record, {name: params[name]})
    if there:
        return Done({**there[0], "made": False}, id=there[0]["id"])
    id_ = values.text(desk.client.record(method, params).get("id"))
    if not id_:
        raise Uncertain(f"{method}: no id came")
    return Done({"id": id_, name: params[name], "made": True}, id=id_)


def rename_list(desk: Desk, action: Action) -> Done:
    """Give a list another title."""
    lists = values.list_ids(action.values.get("list_id"), desk.settings["lists"], "list_id")
    if len(lists) != 1:
        raise Refused("list.rename: list_id must be one list", {"list_id": "one list"})
    title = values.needed(action.values, "title", "list.rename")
    desk.client.call("updateList", {"list_id": lists[0], "title": title})
    return Done({"id": lists[0], "title": title}, id=lists[0])


def deleted(desk: Desk, action: Action) -> Done:
    """Delete a list, a field or a tag, by its id; one that is gone already is fine."""
    record = action.record
    given = action.values.get(f"{record}_id") or action.values.get("id")
    ids = values.list_ids(given, desk.settings["lists"], "list_id") if record == "list" else values.items(given)
    if len(ids) != 1:
        raise Refused(f"{record}.delete: {record}_id must be one {record}", {f"{record}_id": "one"})
    if not find(desk, record, {"id": ids[0]}):
        return Done({"id": ids[0], "deleted": False}, id=ids[0])
    name = "list_id" if record == "list" else "id"
    desk.client.call(f"delete{record.title()}", {name: ids[0]})
    return Done({"id": ids[0], "deleted": True}, id=ids[0])
