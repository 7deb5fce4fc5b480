"""tasks.task.*: camelCase answers, all values strings; filters in upper case."""

from __future__ import annotations

import re
from typing import Any

from plugins.bitrix24.sandbox.query import matcher, split_prefix
from plugins.bitrix24.sandbox.values import iso, store
from plugins.bitrix24.sandbox.words import Call, RestError, as_id, as_list, method, page_of

_KINDS = {
    "ID": "id",
    "CREATED_BY": "user",
    "RESPONSIBLE_ID": "user",
    "CHANGED_BY": "user",
    "CLOSED_BY": "user",
    "GROUP_ID": "integer",
    "CREATED_DATE": "datetime",
    "CHANGED_DATE": "datetime",
    "CLOSED_DATE": "datetime",
    "DEADLINE": "datetime",
}
_TAKEN = ("TITLE", "DESCRIPTION", "RESPONSIBLE_ID", "CREATED_BY", "DEADLINE", "PRIORITY", "GROUP_ID", "STATUS")
_PENDING, _COMPLETED = "2", "5"


@method("tasks.task.add", scope="task")
def add(call: Call) -> Any:
    """Add a task; TITLE and RESPONSIBLE_ID are required."""
    fields = call.fields()
    if not fields.get("TITLE"):
        raise RestError("ERROR_CORE", "Не указано название задачи<br>")
    if not fields.get("RESPONSIBLE_ID"):
        raise RestError("ERROR_CORE", "Не указан исполнитель<br>")
    now, number = call.portal.now(), call.portal.next_id("task")
    call.portal.tasks[number] = {
        "ID": number,
        "TITLE": "",
        "DESCRIPTION": "",
        "PRIORITY": "1",
        "STATUS": _PENDING,
        "GROUP_ID": 0,
        "CREATED_BY": call.user_id,
        "RESPONSIBLE_ID": None,
        "CHANGED_BY": call.user_id,
        "CREATED_DATE": now,
        "CHANGED_DATE": now,
        "DEADLINE": None,
        "CLOSED_BY": None,
        "CLOSED_DATE": None,
        "UF_CRM_TASK": [],
        **_values(call, fields),
    }
    _tell(call, "ADD", number)
    return {"task": task_row(call, call.portal.tasks[number])}


@method("tasks.task.update", scope="task")
def update(call: Call) -> Any:
    """Change a task."""
    task = _task(call)
    task |= _values(call, call.fields())
    return _changed(call, task)


@method("tasks.task.complete", scope="task")
def complete(call: Call) -> Any:
    """Complete a task: status 5."""
    task = _task(call)
    task |= {"STATUS": _COMPLETED, "CLOSED_BY": call.user_id, "CLOSED_DATE": call.portal.now()}
    return _changed(call, task)


@method("tasks.task.delete", scope="task")
def delete(call: Call) -> Any:
    """Delete a task."""
    number = _task(call)["ID"]
    del call.portal.tasks[number]
    _tell(call, "DELETE", number)
    return {"task": True}


@method("tasks.task.get", scope="task")
def get(call: Call) -> Any:
    """Show a task; `ufCrmTask` comes when UF_CRM_TASK or UF_* is selected."""
    return {"task": task_row(call, _task(call))}


@method("tasks.task.list", scope="task")
def listing(call: Call) -> Any:
    """List tasks under `result.tasks`."""
    rows = list(call.portal.tasks.values())
    for key, wanted in call.table("filter").items():
        operation, name = split_prefix(key)
        name = "STATUS" if name == "REAL_STATUS" else name
        check = matcher(_KINDS.get(name, "string"), operation, wanted)
        rows = [row for row in rows if name not in row or check(as_list(row[name]) or [None])]
    page = page_of(rows, call.get("start"))
    page.result = {"tasks": [task_row(call, row) for row in page.result]}
    return page


def _values(call: Call, fields: dict[str, Any]) -> dict[str, Any]:
    values = {name: store(_KINDS.get(name, "string"), fields[name]) for name in _TAKEN if name in fields}
    for name in ("RESPONSIBLE_ID", "CREATED_BY"):
        if name in values and values[name] not in call.portal.users:
            raise RestError("ERROR_CORE", "Пользователь, указанный в поле, не найден<br>")
    if "UF_CRM_TASK" in fields:
        values["UF_CRM_TASK"] = [str(each) for each in as_list(fields["UF_CRM_TASK"])]
    return values


def _changed(call: Call, task: dict[str, Any]) -> Any:
    task |= {"CHANGED_BY": call.user_id, "CHANGED_DATE": call.portal.now()}
    _tell(call, "UPDATE", task["ID"])
    return {"task": task_row(call, task)}


def _task(call: Call) -> dict[str, Any]:
    task = call.portal.tasks.get(as_id(call.get("taskId") or call.get("id")))
    if task is None:
        raise RestError("0", "Задача не найдена или нет доступа")
    return task


def task_row(call: Call, task: dict[str, Any]) -> dict[str, Any]:
    """Show a task as its methods do."""
    select = call.names("select")
    row: dict[str, Any] = {_camel(name): _shown(value) for name, value in task.items() if name != "UF_CRM_TASK"}
    row |= {"parentId": None, "stageId": "0", "multitask": "N", "siteId": "s1", "durationType": "days"}
    row |= {"auditors": [], "accomplices": [], "checklist": [], "group": []}
    if {"UF_CRM_TASK", "UF_*"} & set(select):
        row["ufCrmTask"] = task["UF_CRM_TASK"]
    for role, user_id in (("creator", task["CREATED_BY"]), ("responsible", task["RESPONSIBLE_ID"])):
        row[role] = {
            "id": str(user_id),
            "name": call.portal.user_name(user_id),
            "link": f"/company/personal/user/{user_id}/",
            "icon": "",
            "workPosition": "",
        }
    return row


def _shown(value: Any) -> str | None:
    if value is None or isinstance(value, str):
        return value
    return iso(value) if hasattr(value, "astimezone") else str(value)


def _camel(name: str) -> str:
    return re.sub(r"_(\w)", lambda found: found.group(1).upper(), name.lower())


def _tell(call: Call, what: str, number: int) -> None:
    """Announce a task: FIELDS_BEFORE and FIELDS_AFTER; the missing side is the text `undefined`."""
    side = {"ID": number}
    call.tell(
        f"ONTASK{what}",
        {
            "FIELDS_BEFORE": "undefined" if what == "ADD" else side,
            "FIELDS_AFTER": "undefined" if what == "DELETE" else side,
            "IS_ACCESSIBLE_BEFORE": "undefined",
            "IS_ACCESSIBLE_AFTER": "undefined",
        },
        number,
    )
