"""Writing leads, deals, contacts and companies: values, stages, bindings, multifields, events."""

from __future__ import annotations

import datetime as dt
from typing import Any

from plugins.bitrix24.sandbox.fields import FM_TYPES
from plugins.bitrix24.sandbox.portal import Portal
from plugins.bitrix24.sandbox.values import store
from plugins.bitrix24.sandbox.words import Call, RestError, as_id, as_list, as_map

Record = dict[str, Any]
_STAGE = {"lead": ("STATUS_ID", "STATUS_SEMANTIC_ID"), "deal": ("STAGE_ID", "STAGE_SEMANTIC_ID")}
#: kind -> (single binding, all bindings)
BINDINGS = {
    "lead": ("CONTACT_ID", "CONTACT_IDS"),
    "deal": ("CONTACT_ID", "CONTACT_IDS"),
    "contact": ("COMPANY_ID", "COMPANY_IDS"),
}
BASE_CURRENCY = "UAH"
_TITLES = {"lead": "Лид #{}", "deal": "Сделка #{}", "company": "Компания #{}"}


def create(call: Call, kind: str, values: dict[str, Any]) -> Record:
    """Create a record. Nothing is checked for duplicates, not even ORIGINATOR_ID and ORIGIN_ID."""
    portal, now = call.portal, call.portal.now()
    record = _blank(portal, kind) | {
        "DATE_CREATE": now,
        "LAST_ACTIVITY_TIME": now,
        "LAST_ACTIVITY_BY": call.user_id,
        "CREATED_BY_ID": call.user_id,
        "ASSIGNED_BY_ID": call.user_id,
    }
    if "CURRENCY_ID" in record:
        record["CURRENCY_ID"] = BASE_CURRENCY
    if kind == "deal":
        today = now.date()
        record |= {"CATEGORY_ID": 0, "BEGINDATE": today, "CLOSEDATE": today + dt.timedelta(days=7)}
    _write(call, kind, record, values)
    _stand(call, kind, record, None, values)
    record["ID"] = portal.next_id(kind)
    if kind in _TITLES and not record["TITLE"]:
        record["TITLE"] = _TITLES[kind].format(record["ID"])
    portal.records[kind][record["ID"]] = record
    _tell(call, kind, "ADD", record["ID"])
    return record


def change(call: Call, kind: str, record: Record, values: dict[str, Any]) -> None:
    """Change a record; the event goes out even if the new values equal the old ones."""
    draft = _copy(record)
    _write(call, kind, draft, values)
    moved = _stand(call, kind, draft, record, values)
    record.update(draft)
    _tell(call, kind, "UPDATE", record["ID"])
    if moved:
        place = {key: record[key] for key in ("ID", "CATEGORY_ID", "STAGE_ID")}
        call.tell("ONCRMDEALMOVETOCATEGORY", {"FIELDS": place}, record["ID"])


def would_change(call: Call, kind: str, record: Record, values: dict[str, Any]) -> bool:
    """Tell whether crm.item.update has anything to save: it saves nothing when nothing changed."""
    draft = _copy(record)
    _write(call, kind, draft, values)
    volatile = ("DATE_MODIFY", "MODIFY_BY_ID")
    return any(draft[key] != value for key, value in record.items() if key not in volatile)


def remove(call: Call, kind: str, record: Record) -> None:
    """Delete a record."""
    call.portal.records[kind].pop(record["ID"])
    _tell(call, kind, "DELETE", record["ID"])


def touch(call: Call, kind: str, record: Record) -> None:
    """Mark a record as changed by something bound to it (contacts, product rows)."""
    record |= {"DATE_MODIFY": call.portal.now(), "MODIFY_BY_ID": call.user_id}
    _tell(call, kind, "UPDATE", record["ID"])


def _tell(call: Call, kind: str, what: str, record_id: int) -> None:
    call.tell(f"ONCRM{kind.upper()}{what}", {"FIELDS": {"ID": record_id}}, record_id)


def _blank(portal: Portal, kind: str) -> Record:
    record: Record = {name: store(field.kind, None) for name, field in portal.fields(kind).items()}
    flags = {name: "N" for name, field in portal.fields(kind).items() if field.kind == "flag"}
    return record | flags | {"OPENED": "Y", "fm": [], "OBSERVERS": [], "CONTACT_IDS": [], "COMPANY_IDS": []}


def _copy(record: Record) -> Record:
    return record | {"fm": [dict(row) for row in record["fm"]]}


def _write(call: Call, kind: str, record: Record, values: dict[str, Any]) -> None:
    """Put values in; unknown and read-only fields are ignored without a word."""
    for name, field in call.portal.fields(kind).items():
        if name not in values or field.read_only:
            continue
        value = store(field.kind, values[name], field.multiple)
        if field.items:
            value = _known_items(value, {number for number, _ in field.items})
        record[name] = value
    if values.get("ASSIGNED_BY_ID"):
        call.portal.user_name(as_id(values["ASSIGNED_BY_ID"]))
    if "OBSERVERS" in values:
        record["OBSERVERS"] = [as_id(each) for each in as_list(values["OBSERVERS"])]
    if kind in BINDINGS:
        _bind(record, values, *BINDINGS[kind])
    for type_id in FM_TYPES:
        if isinstance(values.get(type_id), list | dict):
            _write_multifield(call.portal, record, type_id, as_list(values[type_id]))
    if isinstance(values.get("fm"), list | dict):
        _write_fm(call.portal, record, values["fm"])
    _count_multifields(record)
    if kind == "lead" and (record["CONTACT_ID"] or record["COMPANY_ID"]):
        record["IS_RETURN_CUSTOMER"] = "Y"
    record |= {"DATE_MODIFY": call.portal.now(), "MODIFY_BY_ID": call.user_id}


def _known_items(value: Any, known: set[int]) -> Any:
    """Keep the ids a list field has; a text in place of an id stores nothing."""
    if isinstance(value, list):
        return [each for each in value if each in known]
    return value if value in known else None


def _bind(record: Record, values: dict[str, Any], single: str, every: str) -> None:
    if every in values:
        record[every] = [number for number in map(as_id, as_list(values[every])) if number]
        record[single] = next(iter(record[every]), None)
    elif single in values:
        first = record[single]
        record[every] = [first, *(each for each in record[every] if each != first)] if first else []


# --- stages -----------------------------------------------------------------------------------


def _stand(call: Call, kind: str, record: Record, before: Record | None, values: dict[str, Any]) -> bool:
    """Check and follow the stage; return whether a deal went to another pipeline."""
    if kind not in _STAGE:
        return False
    stage_field, semantics_field = _STAGE[kind]
    category = record.get("CATEGORY_ID") or 0
    stages = {row["STATUS_ID"]: row for row in call.portal.stages(kind, category)}
    if not stages:
        raise RestError("", "Неверное значение поля «Воронка»")
    went = bool(before) and kind == "deal" and before["CATEGORY_ID"] != category  # type: ignore[index]
    if not record[stage_field] or (went and not values.get(stage_field)):
        record[stage_field] = next(iter(stages))
    row = stages.get(record[stage_field])
    if row is None:
        raise RestError("", "Неверное значение поля «Стадия»")
    if not before or before[stage_field] != record[stage_field]:
        record |= {"MOVED_BY_ID": call.user_id, "MOVED_TIME": call.portal.now()}
    semantics = row["SEMANTICS"] or "P"
    record[semantics_field] = semantics
    closed = semantics in ("S", "F")
    if kind == "deal":
        record |= {"CLOSED": "Y" if closed else "N", "IS_NEW": "Y" if row is next(iter(stages.values())) else "N"}
    else:
        record["DATE_CLOSED"] = (record["DATE_CLOSED"] or call.portal.now()) if closed else None
    return went


# --- multifields ------------------------------------------------------------------------------


def _write_multifield(portal: Portal, record: Record, type_id: str, rows: list[Any]) -> None:
    """Write PHONE, EMAIL...: without ID appends; with ID changes; DELETE, empty VALUE or a bare ID deletes."""
    for row in rows:
        if not isinstance(row, dict):
            continue
        kept = _find_multifield(record, as_id(row.get("ID")), type_id)
        value = str(row.get("VALUE") or "").strip()
        if kept and (not value or row.get("DELETE") == "Y"):
            record["fm"].remove(kept)
        elif kept:
            kept |= {"VALUE": value, "VALUE_TYPE": row.get("VALUE_TYPE") or kept["VALUE_TYPE"]}
        elif value and not row.get("ID"):
            _append_multifield(portal, record, type_id, value, row.get("VALUE_TYPE"))


def _write_fm(portal: Portal, record: Record, rows: list[Any] | dict[str, Any]) -> None:
    """Write `fm` of crm.item.*: a list or keys n0, n1.. append; a key that is an id changes or deletes.

    An entry without `typeId` changes nothing and is no error.
    """
    appended = isinstance(rows, list)
    for key, row in as_map(rows).items():
        if not isinstance(row, dict) or row.get("typeId") not in FM_TYPES:
            continue
        value = str(row.get("value") or "").strip()
        kept = None if appended else _find_multifield(record, as_id(key), row["typeId"])
        if kept and not value:
            record["fm"].remove(kept)
        elif kept:
            kept |= {"VALUE": value, "VALUE_TYPE": row.get("valueType") or kept["VALUE_TYPE"]}
        elif value and (appended or key.startswith("n")):
            _append_multifield(portal, record, row["typeId"], value, row.get("valueType"))


def _find_multifield(record: Record, number: int, type_id: str) -> dict[str, Any] | None:
    found = (row for row in record["fm"] if row["ID"] == number and row["TYPE_ID"] == type_id)
    return next(found, None)


def _append_multifield(portal: Portal, record: Record, type_id: str, value: str, value_type: Any) -> None:
    row = {"ID": portal.next_id("multifield"), "TYPE_ID": type_id, "VALUE": value}
    record["fm"].append(row | {"VALUE_TYPE": str(value_type or "WORK")})


def _count_multifields(record: Record) -> None:
    if "HAS_PHONE" not in record:
        return
    types = {row["TYPE_ID"] for row in record["fm"]}
    chats = any(row["TYPE_ID"] == "IM" and row["VALUE"].startswith("imol|") for row in record["fm"])
    record["HAS_PHONE"] = "Y" if "PHONE" in types else "N"
    record["HAS_EMAIL"] = "Y" if "EMAIL" in types else "N"
    record["HAS_IMOL"] = "Y" if chats else "N"
