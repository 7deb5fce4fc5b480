"""What a portal is made of, for the hub to notice what was deleted, renamed or given another type.

https://apidocs.bitrix24.ru/api-reference/crm/deals/crm-deal-fields.html (and its likes of lead, contact, company),
https://apidocs.bitrix24.ru/api-reference/crm/status/crm-status-list.html,
https://apidocs.bitrix24.ru/api-reference/user/user-get.html
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from hub.connector import Named
from hub.errors import Refused
from plugins.bitrix24 import codes
from plugins.bitrix24.client import Client

#: types of fields whose value is an employee's id
_OF_USERS = frozenset({"user", "employee"})
#: employees asked for at most
_MOST_USERS = 5000


def fields(kinds: Mapping[str, Mapping[str, Any]]) -> list[Named]:
    """Return the fields of each kind of record (record -> field -> description, as crm.<kind>.fields answers)."""
    return [
        Named("field", code, _label(code, row), record, _type(row))
        for record, rows in kinds.items()
        for code, row in rows.items()
    ]


def stages(rows: Iterable[Mapping[str, Any]], pipelines: Mapping[str, str]) -> list[Named]:
    """Return the stages among the rows of crm.status.list, and the pipelines of deals (id -> name)."""
    found = [Named("pipeline", number, name, "deal") for number, name in pipelines.items()]
    for row in rows:
        code = str(row["STATUS_ID"])
        record = codes.record_of_directory(str(row.get("ENTITY_ID")))
        if record:
            pipeline = codes.pipeline_of(code) if record == "deal" else ""
            found.append(Named("stage", code, str(row.get("NAME") or ""), record, pipeline=pipeline))
    return found


def users(client: Client) -> list[Named]:
    """Return the employees who work there now; [] where the permission `user` is missing."""
    rows: list[Mapping[str, Any]] = []
    try:
        for start in range(0, _MOST_USERS, codes.PAGE):
            asked = {"sort": "ID", "order": "ASC", "FILTER": {"ACTIVE": True}, "start": start}
            page = client.call("user.get", asked, changes=False) or []
            rows += page
            if len(page) < codes.PAGE:
                break
    except Refused:
        return []
    return [
        Named("user", str(row["ID"]), " ".join(str(row.get(key) or "") for key in ("NAME", "LAST_NAME")).strip())
        for row in rows
        if row.get("ID")
    ]


def _type(row: Any) -> str:
    kind = str(row.get("type") or "") if isinstance(row, Mapping) else ""
    kind = "user" if kind in _OF_USERS else kind
    return f"{kind}, several" if isinstance(row, Mapping) and row.get("isMultiple") is True and kind != "user" else kind


def _label(code: str, row: Any) -> str:
    row = row if isinstance(row, Mapping) else {}
    return str(row.get("formLabel") or row.get("listLabel") or row.get("title") or code)
