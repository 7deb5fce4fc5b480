"""crm.item.*: the universal methods; camelCase names, real types, `fm` for phones and e-mails."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from plugins.bitrix24.sandbox import records, smart
from plugins.bitrix24.sandbox.fields import FM_TYPES, KINDS, TYPE_IDS, Field, describe
from plugins.bitrix24.sandbox.query import item_filter, ordered
from plugins.bitrix24.sandbox.values import show_item
from plugins.bitrix24.sandbox.words import Call, Listing, RestError, as_id, is_yes, method, page_of, words

_COMMON_BLANKS = words("dateCreateShort dateModifyShort productId webformId searchContent")
#: fields the portal shows that are always empty here
_BLANKS = {
    "lead": [*_COMMON_BLANKS, "isConvert", "shortName", "login"],
    "deal": [
        *_COMMON_BLANKS,
        *words("begindateShort closedateShort eventDate eventDateShort eventId eventDescription"),
        *words("orderStage isWork isWon isLose receivedAmount lostAmount hasProducts"),
    ],
    "contact": ["webformId", "searchContent"],
    "company": ["webformId", "searchContent"],
}
_FIRST_VALUES = {
    "phone": ("PHONE", ""),
    "phoneWork": ("PHONE", "WORK"),
    "phoneMobile": ("PHONE", "MOBILE"),
    "email": ("EMAIL", ""),
    "emailWork": ("EMAIL", "WORK"),
    "emailHome": ("EMAIL", "HOME"),
}


def _kind(call: Call) -> str:
    kind = KINDS.get(as_id(call.need("entityTypeId")))
    if kind is None:
        raise RestError("NOT_FOUND", "Смарт-процесс не найден")
    return kind


def _record(call: Call, kind: str) -> dict[str, Any]:
    record = call.portal.record(kind, as_id(call.need("id")))
    if record is None:
        raise RestError("NOT_FOUND", "Элемент не найден")
    return record


def _names(call: Call, kind: str) -> dict[str, Field]:
    """Map the names this caller uses to fields; `useOriginalUfNames=Y` keeps UF_CRM_ names."""
    original = is_yes(call.get("useOriginalUfNames"))
    fields = call.portal.fields(kind).values()
    named = {field.name if original and field.is_user else field.item_name: field for field in fields}
    if kind in records.BINDINGS:
        every = records.BINDINGS[kind][1]
        named |= {Field(every).item_name: Field(every, "ref", multiple=True)}
    return named


def _shown(call: Call, kind: str, record: dict[str, Any]) -> dict[str, Any]:
    item: dict[str, Any] = {
        name: show_item(field.kind, record.get(field.name), field.multiple)
        for name, field in _names(call, kind).items()
    }
    item |= dict.fromkeys(_BLANKS[kind]) | {"observers": record["OBSERVERS"]}
    if kind != "deal":
        item |= {name: _first_value(record, *which) for name, which in _FIRST_VALUES.items()}
        item["fm"] = [
            {"id": row["ID"], "valueType": row["VALUE_TYPE"], "value": row["VALUE"], "typeId": row["TYPE_ID"]}
            for row in record["fm"]
        ]
    return item | {"entityTypeId": TYPE_IDS[kind]}


def _first_value(record: dict[str, Any], type_id: str, value_type: str) -> str:
    rows = (row for row in record["fm"] if row["TYPE_ID"] == type_id)
    return next((row["VALUE"] for row in rows if value_type in ("", row["VALUE_TYPE"])), "")


def _values(call: Call, kind: str) -> dict[str, Any]:
    """Read `fields` into old names; unknown ones are ignored."""
    given = call.need("fields")
    if not isinstance(given, dict):
        given = {}
    named = _names(call, kind)
    values = {named[name].name: value for name, value in given.items() if name in named}
    return values | {key.upper() if key != "fm" else key: given[key] for key in ("observers", "fm") if key in given}


def _checked(write: Callable[[], Any]) -> Any:
    """Run a write; a bad value is CRM_FIELD_ERROR_VALUE_NOT_VALID here, not an empty code."""
    try:
        return write()
    except RestError as error:
        if error.code == "":
            raise RestError("CRM_FIELD_ERROR_VALUE_NOT_VALID", error.text) from error
        raise


@method("crm.item.add")
def add(call: Call) -> Any:
    """Create an item; on add only a list in `fm` is read, a string is dropped silently."""
    if smart.owns(call):
        return smart.add(call)
    kind = _kind(call)
    values = _values(call, kind)
    record = _checked(lambda: records.create(call, kind, values))
    return {"item": _shown(call, kind, record)}


@method("crm.item.update")
def update(call: Call) -> Any:
    """Change an item; if nothing changes nothing is saved and no event goes out."""
    if smart.owns(call):
        return smart.update(call)
    kind = _kind(call)
    record, values = _record(call, kind), _values(call, kind)

    def save() -> None:
        if records.would_change(call, kind, record, values):
            records.change(call, kind, record, values)

    _checked(save)
    return {"item": _shown(call, kind, record)}


@method("crm.item.get")
def get(call: Call) -> Any:
    """Show one item."""
    if smart.owns(call):
        return smart.get(call)
    kind = _kind(call)
    return {"item": _shown(call, kind, _record(call, kind))}


@method("crm.item.delete")
def delete(call: Call) -> Any:
    """Delete an item; the result is an empty array."""
    if smart.owns(call):
        return smart.delete(call)
    kind = _kind(call)
    records.remove(call, kind, _record(call, kind))
    return []


@method("crm.item.list")
def listing(call: Call) -> Listing:
    """List items; `fm` comes only when everything is selected and cannot be named."""
    if smart.owns(call):
        return smart.listing(call)
    kind = _kind(call)
    named = _names(call, kind)
    accepts = item_filter(kind, named, call.table("filter"))
    found = [record for record in call.portal.records[kind].values() if accepts(record)]
    page = page_of(ordered(found, named, call.table("order")), call.get("start"))
    select = call.names("select") or ["*"]
    page.result = {"items": [_chosen(_shown(call, kind, record), select) for record in page.result]}
    return page


def _chosen(item: dict[str, Any], select: list[str]) -> dict[str, Any]:
    if "*" in select:
        return item
    return {name: value for name, value in item.items() if name == "id" or (name in select and name != "fm")}


@method("crm.item.fields")
def fields(call: Call) -> Any:
    """Describe the fields; `upperName` is the name in the old methods."""
    if smart.owns(call):
        return smart.fields(call)
    kind = _kind(call)
    rows = {name: describe(kind, field) | {"upperName": field.name} for name, field in _names(call, kind).items()}
    return {"fields": rows | ({} if kind == "deal" else {"fm": _fm_field()})}


def _fm_field() -> dict[str, Any]:
    return {"type": "crm_multifield", "isMultiple": True, "title": ", ".join(FM_TYPES), "upperName": "FM"}
