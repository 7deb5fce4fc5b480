"""Smart processes: items with an entityTypeId of their own, reached by crm.item.* alone.

One kind is seeded: 177 "Repairs" with the pipelines 7 and 9. Unknown fields are ignored, unknown filters refused, as
for other items; ids count for each kind by itself, so they meet those of other records.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from plugins.bitrix24.sandbox.fields import Field
from plugins.bitrix24.sandbox.query import item_filter, ordered
from plugins.bitrix24.sandbox.seed import SMART_FIELDS, SMART_PROCESS, SMART_STAGES
from plugins.bitrix24.sandbox.values import show_item, store
from plugins.bitrix24.sandbox.words import Call, Listing, RestError, as_id, page_of

_SEMANTICS = {"SUCCESS": "S", "FAIL": "F"}
_FIELDS = {name: Field(name.lstrip("!"), kind, name.startswith("!")) for name, kind in SMART_FIELDS.items()}
_NAMED = {field.name: field for field in _FIELDS.values()}


def owns(call: Call) -> bool:
    """Tell whether a call is about the smart process."""
    return as_id(call.need("entityTypeId")) == SMART_PROCESS


def add(call: Call) -> Any:
    """Create an item; it stands in the first stage of its pipeline."""
    portal, now = call.portal, call.portal.now()
    number = portal.next_id("item")
    record: dict[str, Any] = {"ID": number, **dict.fromkeys(_NAMED)} | {
        "id": number, "createdTime": now, "updatedTime": now, "movedTime": now, "createdBy": call.user_id,
        "updatedBy": call.user_id, "movedBy": call.user_id, "assignedById": call.user_id, "opened": "Y",
        "isManualOpportunity": "N", "categoryId": next(iter(SMART_STAGES)), "currencyId": "UAH",
    }  # fmt: skip
    _write(call, record)
    record["title"] = record["title"] or f"Ремонт #{number}"
    portal.items[number] = record
    _tell(call, "ADD", number)
    return {"item": shown(record)}


def update(call: Call) -> Any:
    """Change an item; if nothing changes nothing is saved and no event goes out."""
    record = _record(call)
    draft = dict(record)
    _write(call, draft)
    if draft != record:
        moved = draft["stageId"] != record["stageId"]
        draft |= {"updatedTime": call.portal.now(), "updatedBy": call.user_id}
        record |= draft | ({"movedTime": call.portal.now(), "movedBy": call.user_id} if moved else {})
        _tell(call, "UPDATE", record["id"])
    return {"item": shown(record)}


def get(call: Call) -> Any:
    """Show an item."""
    return {"item": shown(_record(call))}


def delete(call: Call) -> Any:
    """Delete an item."""
    number = _record(call)["id"]
    del call.portal.items[number]
    _tell(call, "DELETE", number)
    return []


def listing(call: Call) -> Listing:
    """List items."""
    accepts: Callable[[dict[str, Any]], bool] = item_filter("item", _NAMED, call.table("filter"))
    found = [record for record in call.portal.items.values() if accepts(record)]
    page = page_of(ordered(found, _NAMED, call.table("order")), call.get("start"))
    select = call.names("select") or ["*"]
    rows = [shown(record) for record in page.result]
    page.result = {
        "items": [
            row if "*" in select else {name: value for name, value in row.items() if name in ("id", *select)}
            for row in rows
        ]
    }
    return page


def fields(call: Call) -> Any:
    """Describe the fields."""
    rows = {
        name: {"type": field.kind, "isReadOnly": field.read_only, "isMultiple": field.multiple, "title": name}
        for name, field in _NAMED.items()
    }
    return {"fields": rows}


def _record(call: Call) -> dict[str, Any]:
    record: dict[str, Any] | None = call.portal.items.get(as_id(call.need("id")))
    if record is None:
        raise RestError("NOT_FOUND", "Элемент не найден")
    return record


def _write(call: Call, record: dict[str, Any]) -> None:
    given = call.need("fields")
    given = given if isinstance(given, dict) else {}
    for name, field in _NAMED.items():
        if name in given and not field.read_only:
            record[name] = store(field.kind, given[name])
    if record["assignedById"] not in call.portal.users:
        raise RestError("CRM_FIELD_ERROR_VALUE_NOT_VALID", "Неверное значение поля «Ответственный»")
    stages = SMART_STAGES.get(as_id(record["categoryId"]))
    if stages is None:
        raise RestError("CRM_FIELD_ERROR_VALUE_NOT_VALID", "Неверное значение поля «Воронка»")
    codes = [f"DT{SMART_PROCESS}_{record['categoryId']}:{code}" for code in stages]
    if "stageId" in given and record["stageId"] not in codes:
        raise RestError("CRM_FIELD_ERROR_VALUE_NOT_VALID", "Неверное значение поля «Стадия»")
    if record["stageId"] not in codes:
        record["stageId"] = codes[0]
    record["stageSemanticId"] = _SEMANTICS.get(str(record["stageId"]).rpartition(":")[2], "P")


def shown(record: dict[str, Any]) -> dict[str, Any]:
    """Show an item as crm.item.get does."""
    shown = {name: show_item(field.kind, record.get(name)) for name, field in _NAMED.items()}
    return shown | {"contactIds": [record["contactId"]] if record["contactId"] else [], "entityTypeId": SMART_PROCESS}


def _tell(call: Call, what: str, number: int) -> None:
    fields = {"FIELDS": {"ID": number, "ENTITY_TYPE_ID": SMART_PROCESS}}
    call.tell(f"ONCRMDYNAMICITEM{what}", fields, number)
