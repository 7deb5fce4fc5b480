"""Directories and the portal itself: stages, pipelines, user fields, employees, scopes, methods."""

from __future__ import annotations

import re
from typing import Any

from plugins.bitrix24.sandbox import seed
from plugins.bitrix24.sandbox.fields import KINDS, TYPE_IDS
from plugins.bitrix24.sandbox.query import matcher, split_prefix
from plugins.bitrix24.sandbox.values import iso
from plugins.bitrix24.sandbox.words import METHODS, Call, Listing, RestError, as_id, method, page_of, words

# --- stages and pipelines ---------------------------------------------------------------------


@method("crm.status.list")
def statuses(call: Call) -> Listing:
    """List directory rows: `filter {ENTITY_ID}`, `order {SORT}`; not cut into pages."""
    rows = _filtered(call.portal.statuses, call.table("filter"))
    rows = _sorted(rows, call.table("order") or {"SORT": "ASC"})
    return Listing(rows, len(rows))


@method("crm.status.entity.types")
def status_types(call: Call) -> Any:
    """List the directories; those of stages name their first and final stages."""
    types = [_stage_type("STATUS", "Стадии лида", "", 1, ("NEW", "CONVERTED", "JUNK"))]
    types += [{"ID": name, "NAME": title} for name, (title, _) in seed.DIRECTORIES.items()]
    for category, (name, _, _) in seed.PIPELINES.items():
        prefix = f"C{category}" if category else ""
        finals = tuple(f"{prefix}:{code}" if prefix else code for code in ("NEW", "WON", "LOSE"))
        entity = f"DEAL_STAGE_{category}" if category else "DEAL_STAGE"
        row = _stage_type(entity, f"Стадии сделки {name}", prefix, 2, finals)
        row |= {"PARENT_ID": "DEAL_STAGE", "CATEGORY_ID": str(category)} if category else {"CATEGORY_ID": 0}
        types.append(row)
    return types


def _stage_type(entity: str, name: str, prefix: str, type_id: int, finals: tuple[str, ...]) -> dict[str, Any]:
    start, success, failure = finals
    shown: dict[str, Any] = {
        "ID": entity,
        "NAME": name,
        "SEMANTIC_INFO": {
            "START_FIELD": start,
            "FINAL_SUCCESS_FIELD": success,
            "FINAL_UNSUCCESS_FIELD": failure,
            "FINAL_SORT": 0,
        },
        "ENTITY_TYPE_ID": type_id,
    }
    return shown | ({"PREFIX": prefix, "FIELD_ATTRIBUTE_SCOPE": f"category_{prefix[1:]}"} if prefix else {})


@method("crm.category.list")
def categories(call: Call) -> Any:
    """List pipelines; deals have them, the default one is 0."""
    if as_id(call.need("entityTypeId")) == seed.SMART_PROCESS:
        rows = [
            {
                "id": number,
                "name": f"Ремонт {number}",
                "sort": 500,
                "entityTypeId": seed.SMART_PROCESS,
                "isDefault": flag,
            }
            for number, flag in zip(seed.SMART_STAGES, "YN", strict=True)
        ]
        return Listing({"categories": rows}, len(rows))
    if as_id(call.need("entityTypeId")) != TYPE_IDS["deal"]:
        raise RestError("NOT_FOUND", "Смарт-процесс не найден")
    rows = [
        {"id": number, "name": name, "sort": sort, "entityTypeId": 2, "isDefault": "N" if number else "Y"}
        | ({"originId": "", "originatorId": ""} if number else {})
        for number, (name, sort, _) in seed.PIPELINES.items()
    ]
    return Listing({"categories": rows}, len(rows))


@method("crm.enum.ownertype")
def owner_types(call: Call) -> Any:
    """List the CRM types."""
    names = {"LEAD": ("Лид", "L"), "DEAL": ("Сделка", "D"), "CONTACT": ("Контакт", "C"), "COMPANY": ("Компания", "CO")}
    return [
        {"ID": number, "NAME": names[kind.upper()][0], "SYMBOL_CODE": kind.upper()}
        | {"SYMBOL_CODE_SHORT": names[kind.upper()][1]}
        for number, kind in KINDS.items()
    ] + [
        {"ID": seed.SMART_PROCESS, "NAME": "Ремонт", "SYMBOL_CODE": f"DYNAMIC_{seed.SMART_PROCESS}"}
        | {"SYMBOL_CODE_SHORT": f"T{seed.SMART_PROCESS:x}"}
    ]


@method("crm.multifield.fields")
def multifield_fields(call: Call) -> Any:
    """Describe what a multifield consists of."""
    titles = {"ID": "ID", "TYPE_ID": "Тип поля", "VALUE": "Значение", "VALUE_TYPE": "Тип значения"}
    return {
        name: {
            "type": "int" if name == "ID" else "string",
            "isRequired": False,
            "isReadOnly": name in ("ID", "TYPE_ID"),
            "isImmutable": False,
            "isMultiple": False,
            "isDynamic": False,
            "title": title,
        }
        for name, title in titles.items()
    }


# --- user fields ------------------------------------------------------------------------------

_LABELS = ("EDIT_FORM_LABEL", "LIST_COLUMN_LABEL", "LIST_FILTER_LABEL", "ERROR_MESSAGE", "HELP_MESSAGE")
_FIELD_TYPES = words(
    "string integer double boolean datetime date money url address enumeration file employee crm_status crm"
    " iblock_section iblock_element"
)


def _register_user_fields(kind: str) -> None:
    prefix = f"crm.{kind}.userfield"

    @method(f"{prefix}.list")
    def listing(call: Call) -> Listing:
        conditions = call.table("filter")
        rows = _filtered(list(call.portal.user_fields[kind].values()), conditions)
        rows = _sorted(rows, call.table("order"))
        if "LANG" not in conditions:
            rows = [{key: value for key, value in row.items() if key not in _LABELS} for row in rows]
        return Listing(rows, len(rows))

    @method(f"{prefix}.get")
    def get(call: Call) -> Any:
        return _user_field(call, kind)

    @method(f"{prefix}.add")
    def add(call: Call) -> Any:
        return _add_user_field(call, kind)

    @method(f"{prefix}.update")
    def update(call: Call) -> Any:
        row, fields = _user_field(call, kind), call.fields()
        row |= {key: fields[key] for key in ("SORT", "MANDATORY", *_LABELS) if key in fields}
        return True

    @method(f"{prefix}.delete")
    def delete(call: Call) -> Any:
        del call.portal.user_fields[kind][_user_field(call, kind)["FIELD_NAME"]]
        return True


def _user_field(call: Call, kind: str) -> dict[str, Any]:
    for row in call.portal.user_fields[kind].values():
        if as_id(row["ID"]) == call.number("id"):
            return row
    raise RestError("ERROR_NOT_FOUND", "The entity with ID is not found.")


def _add_user_field(call: Call, kind: str) -> int:
    """Add a field: the prefix UF_CRM_ is forced, the name is upper-cased, 50 characters at most."""
    fields = call.fields()
    if not fields.get("USER_TYPE_ID"):
        raise RestError("", "The 'USER_TYPE_ID' field is not found.")
    if fields["USER_TYPE_ID"] not in _FIELD_TYPES:
        raise RestError("ERROR_CORE", "Указан неверный пользовательский тип.<br>")
    name = str(fields.get("FIELD_NAME") or "").upper()
    if not name:
        raise RestError("", "The 'FIELD_NAME' field is not found.")
    name = name if name.startswith("UF_CRM_") else f"UF_CRM_{name}"
    if len(name) > 50 or not re.fullmatch(r"[A-Z0-9_]+", name):
        raise RestError("ERROR_CORE", "Неверное название поля.<br>")
    if name in call.portal.user_fields[kind]:
        raise RestError("ERROR_CORE", f"Поле {name} для объекта CRM_{kind.upper()} уже существует.<br>")
    return call.portal.add_user_field(kind, name, fields)


for _kind in TYPE_IDS:
    _register_user_fields(_kind)


def _filtered(rows: list[dict[str, Any]], conditions: dict[str, Any]) -> list[dict[str, Any]]:
    for key, wanted in conditions.items():
        operation, name = split_prefix(key)
        check = matcher("string", operation, wanted)
        rows = [row for row in rows if name not in row or check([row[name]])]
    return rows


def _sorted(rows: list[dict[str, Any]], order: dict[str, Any]) -> list[dict[str, Any]]:
    rows = list(rows)
    for name, way in reversed(order.items()):
        if rows and name in rows[0]:
            rows.sort(key=lambda row, by=name: _rank(row[by]), reverse=str(way).upper() == "DESC")  # type: ignore[misc]
    return rows


def _rank(value: Any) -> tuple[int, str]:
    return (int(value), "") if str(value).isdigit() else (0, str(value))


# --- employees --------------------------------------------------------------------------------


@method("user.get", scope="user")
def users(call: Call) -> Listing:
    """List employees; conditions may stand in FILTER or beside it (`ID`, `EMAIL`, `ACTIVE`)."""
    loose = {key: value for key, value in call.params.items() if key in ("ID", "EMAIL", "NAME", "LAST_NAME")}
    rows = _filtered(list(call.portal.users.values()), call.table("filter") | loose)
    rows = _sorted(rows, {str(call.get("sort") or "ID"): call.get("order") or "ASC"})
    return page_of(rows, call.get("start"))


@method("user.current", scope="user")
def current_user(call: Call) -> Any:
    """Show the employee whose rights the call has."""
    return call.portal.users[call.user_id]


@method("profile", scope="")
def profile(call: Call) -> Any:
    """Show who calls, in short; needs no scope."""
    user = call.portal.users[call.user_id]
    short = {key: user[key] for key in ("NAME", "LAST_NAME", "PERSONAL_GENDER", "TIME_ZONE")}
    return {"ID": user["ID"], "ADMIN": call.user_id == 1} | short


# --- the portal -------------------------------------------------------------------------------


@method("app.info", scope="", app_only=True)
def app_info(call: Call) -> Any:
    """Show the application, with its status L (local)."""
    return {
        "ID": 5,
        "CODE": call.portal.access.client_id,
        "VERSION": 1,
        "STATUS": "L",
        "INSTALLED": True,
        "PAYMENT_EXPIRED": "N",
        "DAYS": None,
        "LANGUAGE_ID": "ru",
        "LICENSE": "ru_ent10000",
        "LICENSE_TYPE": "ent10000",
        "LICENSE_FAMILY": "ent",
    }


@method("scope", scope="")
def scopes(call: Call) -> Any:
    """List the scopes this token has."""
    return list(call.portal.access.scopes)


@method("methods", scope="")
def methods(call: Call) -> Any:
    """List the methods."""
    return sorted(METHODS)


@method("method.get", scope="")
def method_get(call: Call) -> Any:
    """Tell whether a method exists and whether this token may call it."""
    found = METHODS.get(str(call.get("name") or "").lower())
    allowed = bool(found) and (not found.scope or found.scope in call.portal.access.scopes)  # type: ignore[union-attr]
    fits = bool(found) and (not found.app_only or call.via != "hook")  # type: ignore[union-attr]
    return {"isExisting": bool(found), "isAvailable": allowed and fits}


@method("feature.get", scope="")
def feature(call: Call) -> Any:
    """Tell whether the plan has a feature, `rest_offline_extended` for one."""
    return {"value": "Y"}


@method("server.time", scope="")
def server_time(call: Call) -> Any:
    """Show the server's time."""
    return iso(call.portal.clock())
