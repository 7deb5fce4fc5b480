"""What is written about records: timeline comments, activities and to-dos."""

from __future__ import annotations

import datetime as dt
from typing import Any

from plugins.bitrix24.sandbox.fields import KINDS, TYPE_IDS
from plugins.bitrix24.sandbox.query import matcher, split_prefix
from plugins.bitrix24.sandbox.values import iso, read_time, show_old, store
from plugins.bitrix24.sandbox.words import Call, Listing, RestError, as_id, as_list, is_yes, method, page_of, words

# --- timeline comments ------------------------------------------------------------------------


@method("crm.timeline.comment.add")
def add_comment(call: Call) -> Any:
    """Comment a record; since crm 23.100 only a lower-case `fields` is read."""
    fields = _lower_case_fields(call)
    kind, owner = str(fields.get("ENTITY_TYPE") or "").lower(), as_id(fields.get("ENTITY_ID"))
    if kind not in TYPE_IDS:
        raise RestError("INVALID_ARG_VALUE", f"Invalid value of ENTITY_TYPE: {kind}")
    if call.portal.record(kind, owner) is None:
        raise RestError("OWNER_NOT_FOUND", "Owner was not found.")
    if not fields.get("COMMENT"):
        raise RestError("", "Empty comment message")
    number = call.portal.next_id("comment")
    call.portal.comments[number] = {
        "ID": number,
        "ENTITY_ID": owner,
        "ENTITY_TYPE": kind,
        "CREATED": call.portal.now(),
        "COMMENT": str(fields["COMMENT"]),
        "AUTHOR_ID": as_id(fields.get("AUTHOR_ID")) or call.user_id,
        "FILES": [str(each[0]) for each in as_list(fields.get("FILES")) if each],
    }
    _tell_comment(call, "ADD", number)
    return number


@method("crm.timeline.comment.update")
def update_comment(call: Call) -> Any:
    """Change a comment's text."""
    comment = _comment(call)
    comment["COMMENT"] = str(_lower_case_fields(call).get("COMMENT") or comment["COMMENT"])
    _tell_comment(call, "UPDATE", comment["ID"])
    return True


@method("crm.timeline.comment.get")
def get_comment(call: Call) -> Any:
    """Show a comment."""
    return comment_row(_comment(call))


@method("crm.timeline.comment.delete")
def delete_comment(call: Call) -> Any:
    """Delete a comment."""
    comment = _comment(call)
    del call.portal.comments[comment["ID"]]
    _tell_comment(call, "DELETE", comment["ID"])
    return True


@method("crm.timeline.comment.list")
def list_comments(call: Call) -> Listing:
    """List the comments of one record: `filter {ENTITY_TYPE, ENTITY_ID}`."""
    page = _listed(call, list(call.portal.comments.values()), _COMMENT_KINDS)
    page.result = [comment_row(row) for row in page.result]
    return page


_COMMENT_KINDS = {"ID": "id", "ENTITY_ID": "ref", "AUTHOR_ID": "user", "CREATED": "datetime"}


def comment_row(comment: dict[str, Any]) -> dict[str, Any]:
    """Show a comment the way its methods do."""
    return {key: show_old("string", value) for key, value in comment.items() if key != "FILES"}


def _comment(call: Call) -> dict[str, Any]:
    comment = call.portal.comments.get(call.number("id"))
    if comment is None:
        raise RestError("NOT_FOUND", "Not found.")
    return comment


def _lower_case_fields(call: Call) -> dict[str, Any]:
    fields = call.params.get("fields")
    if not isinstance(fields, dict):
        raise RestError("100", "Could not find value for parameter {fields}")
    return fields


def _tell_comment(call: Call, what: str, number: int) -> None:
    """Comment events carry `data[ID]`, without FIELDS."""
    call.tell(f"ONCRMTIMELINECOMMENT{what}", {"ID": number}, number)


def _listed(call: Call, rows: list[dict[str, Any]], kinds: dict[str, str]) -> Listing:
    """Filter, sort and page rows that are not CRM records."""
    for key, wanted in call.table("filter").items():
        operation, name = split_prefix(key)
        check = matcher(kinds.get(name, "string"), operation, wanted)
        rows = [row for row in rows if name not in row or check([row[name]])]
    for name, way in reversed(call.table("order").items()):
        if rows and name in rows[0]:
            rows.sort(key=lambda row, by=name: str(row[by] or ""), reverse=str(way).upper() == "DESC")  # type: ignore[misc]
    return page_of(rows, call.get("start"))


# --- activities -------------------------------------------------------------------------------

_ACTIVITY_KINDS = {
    "ID": "id",
    "OWNER_ID": "ref",
    "OWNER_TYPE_ID": "integer",
    "TYPE_ID": "integer",
    "RESPONSIBLE_ID": "user",
    "AUTHOR_ID": "user",
    "CREATED": "datetime",
    "LAST_UPDATED": "datetime",
    "DEADLINE": "datetime",
    "START_TIME": "datetime",
    "END_TIME": "datetime",
}
_TAKEN = words(
    "OWNER_TYPE_ID OWNER_ID TYPE_ID SUBJECT DESCRIPTION DESCRIPTION_TYPE DIRECTION PRIORITY RESPONSIBLE_ID"
    " START_TIME END_TIME DEADLINE ORIGIN_ID ORIGINATOR_ID PROVIDER_ID PROVIDER_TYPE_ID PROVIDER_PARAMS SETTINGS"
)


@method("crm.activity.add")
def add_activity(call: Call) -> Any:
    """Add an activity; COMMUNICATIONS must hold one entry with ENTITY_ID and ENTITY_TYPE_ID."""
    fields = call.fields()
    links = as_list(fields.get("COMMUNICATIONS"))
    if not links or not isinstance(links[0], dict):
        raise RestError("", "The field COMMUNICATIONS is not defined or invalid.")
    if as_id(fields.get("TYPE_ID")) == 2 and len(links) != 1:
        raise RestError("", "The only one communication is allowed for activity of specified type.")
    if not links[0].get("ENTITY_ID") or not links[0].get("ENTITY_TYPE_ID"):
        raise RestError("", "The field ENTITY_ID in COMMUNICATIONS is not defined or invalid.")
    return new_activity(call, fields)["ID"]


def new_activity(call: Call, fields: dict[str, Any]) -> dict[str, Any]:
    """Keep an activity and announce it."""
    kind = KINDS.get(as_id(fields.get("OWNER_TYPE_ID")))
    if kind is None or call.portal.record(kind, as_id(fields.get("OWNER_ID"))) is None:
        raise RestError("NOT_FOUND", "Not found.")
    now, number = call.portal.now(), call.portal.next_id("activity")
    activity = {
        "ID": number,
        **{name: _activity_value(name, fields.get(name)) for name in _TAKEN},
        "COMPLETED": "Y" if is_yes(fields.get("COMPLETED")) else "N",
        "STATUS": 2 if is_yes(fields.get("COMPLETED")) else 1,
        "AUTHOR_ID": call.user_id,
        "EDITOR_ID": call.user_id,
        "CREATED": now,
        "LAST_UPDATED": now,
        "COMMUNICATIONS": as_list(fields.get("COMMUNICATIONS")),
    }
    activity["RESPONSIBLE_ID"] = activity["RESPONSIBLE_ID"] or call.user_id
    call.portal.activities[number] = activity
    call.tell("ONCRMACTIVITYADD", {"FIELDS": {"ID": number}}, number)
    return activity


def _activity_value(name: str, value: Any) -> Any:
    return value if isinstance(value, dict | list) else store(_ACTIVITY_KINDS.get(name, "string"), value)


@method("crm.activity.update")
def update_activity(call: Call) -> Any:
    """Change an activity."""
    activity, fields = _activity(call), call.fields()
    activity |= {name: _activity_value(name, fields[name]) for name in _TAKEN if name in fields}
    if "COMPLETED" in fields:
        done = is_yes(fields["COMPLETED"])
        activity |= {"COMPLETED": "Y" if done else "N", "STATUS": 2 if done else 1}
    activity |= {"LAST_UPDATED": call.portal.now(), "EDITOR_ID": call.user_id}
    call.tell("ONCRMACTIVITYUPDATE", {"FIELDS": {"ID": activity["ID"]}}, activity["ID"])
    return True


@method("crm.activity.get")
def get_activity(call: Call) -> Any:
    """Show an activity."""
    return activity_row(_activity(call))


@method("crm.activity.delete")
def delete_activity(call: Call) -> Any:
    """Delete an activity."""
    number = _activity(call)["ID"]
    del call.portal.activities[number]
    call.tell("ONCRMACTIVITYDELETE", {"FIELDS": {"ID": number}}, number)
    return True


@method("crm.activity.list")
def list_activities(call: Call) -> Listing:
    """List activities; COMMUNICATIONS come only when selected."""
    page = _listed(call, list(call.portal.activities.values()), _ACTIVITY_KINDS)
    select = call.names("select")
    page.result = [_selected(activity_row(row), select) for row in page.result]
    return page


def _selected(row: dict[str, Any], select: list[str]) -> dict[str, Any]:
    if not select or "*" in select:
        return {name: value for name, value in row.items() if name != "COMMUNICATIONS" or name in select}
    return {name: value for name, value in row.items() if name == "ID" or name in select}


def activity_row(activity: dict[str, Any]) -> dict[str, Any]:
    """Show an activity as the old methods do."""
    return {key: show_old("string", value) for key, value in activity.items()}


def _activity(call: Call) -> dict[str, Any]:
    activity = call.portal.activities.get(call.number("id"))
    if activity is None:
        raise RestError("", "Activity is not found.")
    return activity


@method("crm.activity.todo.add")
def add_todo(call: Call) -> Any:
    """Add a to-do; the answer is `{id}`."""
    deadline = read_time(str(call.need("deadline")))
    if deadline is None:
        raise RestError("WRONG_DATETIME_FORMAT", "Wrong datetime format")
    owner = {"OWNER_TYPE_ID": call.need("ownerTypeId"), "OWNER_ID": call.need("ownerId")}
    todo = owner | {
        "TYPE_ID": 6,
        "PROVIDER_ID": "CRM_TODO",
        "PROVIDER_TYPE_ID": "TODO",
        "SUBJECT": call.get("title") or "Дело",
        "DESCRIPTION": call.get("description") or "",
        "RESPONSIBLE_ID": call.get("responsibleId"),
        "DEADLINE": iso(deadline.astimezone(dt.UTC)),
    }
    return {"id": new_activity(call, todo)["ID"]}
