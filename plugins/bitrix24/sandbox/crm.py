"""crm.lead.*, crm.deal.*, crm.contact.*, crm.company.*: the old methods, all values strings."""

from __future__ import annotations

from typing import Any

from plugins.bitrix24.sandbox import records
from plugins.bitrix24.sandbox.fields import FM_TYPES, TYPE_IDS, Field, describe, describe_multifield
from plugins.bitrix24.sandbox.portal import Portal, multifields
from plugins.bitrix24.sandbox.query import old_filter, ordered
from plugins.bitrix24.sandbox.values import show_old, store
from plugins.bitrix24.sandbox.words import Call, Listing, RestError, as_id, as_list, method, page_of

_OWNER_CODES = {"L": "lead", "D": "deal"}


def old_row(portal: Portal, kind: str, record: dict[str, Any]) -> dict[str, Any]:
    """Show a record as `crm.deal.get` does: system fields, user fields, multifields that have values."""
    fields = portal.fields(kind)
    return _shown(fields, fields, record) | multifields(record)


def _shown(fields: dict[str, Field], names: Any, record: dict[str, Any]) -> dict[str, Any]:
    row = {}
    for name in names:
        field = fields[name]
        value = show_old(field.kind, record.get(name), field.multiple)
        row[name] = "" if value is None and name in ("BIRTHDATE", "DATE_CLOSED") else value
    return row


def _find(call: Call, kind: str) -> dict[str, Any]:
    record_id = call.number("id")
    if record_id <= 0:
        raise RestError("", "ID is not defined or invalid.")
    record = call.portal.record(kind, record_id)
    if record is None:
        raise RestError("", "Not found")
    return record


def _list(call: Call, kind: str) -> Listing:
    """List records: `*` = system fields, `UF_*` = user fields, PHONE and EMAIL must be named."""
    fields = call.portal.fields(kind)
    accepts = old_filter(kind, fields, call.table("filter"))
    found = [record for record in call.portal.records[kind].values() if accepts(record)]
    page = page_of(ordered(found, fields, call.table("order")), call.get("start"))
    names, multis = _selected(fields, call.names("select") or ["*"])
    page.result = [
        _shown(fields, names, record) | {key: rows for key, rows in multifields(record).items() if key in multis}
        for record in page.result
    ]
    return page


def _selected(fields: dict[str, Field], select: list[str]) -> tuple[list[str], set[str]]:
    names: dict[str, None] = {}
    for word in select:
        if word == "*":
            names |= dict.fromkeys(name for name, field in fields.items() if not field.is_user)
        elif word == "UF_*":
            names |= dict.fromkeys(name for name, field in fields.items() if field.is_user)
        elif word in fields:
            names[word] = None
    names.setdefault("ID")
    return list(names), set(select) & set(FM_TYPES)


def _describe(call: Call, kind: str) -> dict[str, Any]:
    shown = {name: describe(kind, field) for name, field in call.portal.fields(kind).items()}
    return shown | ({name: describe_multifield(name) for name in FM_TYPES} if kind != "deal" else {})


def _register(kind: str) -> None:
    prefix = f"crm.{kind}"

    @method(f"{prefix}.add")
    def add(call: Call) -> Any:
        return records.create(call, kind, call.fields())["ID"]

    @method(f"{prefix}.update")
    def update(call: Call) -> Any:
        record = _find(call, kind)
        records.change(call, kind, record, call.fields())
        return True

    @method(f"{prefix}.get")
    def get(call: Call) -> Any:
        return old_row(call.portal, kind, _find(call, kind))

    @method(f"{prefix}.list")
    def listing(call: Call) -> Any:
        return _list(call, kind)

    @method(f"{prefix}.delete")
    def delete(call: Call) -> Any:
        records.remove(call, kind, _find(call, kind))
        return True

    @method(f"{prefix}.fields")
    def fields(call: Call) -> Any:
        return _describe(call, kind)


for _kind in TYPE_IDS:
    _register(_kind)


# --- contacts of a deal or a lead -----------------------------------------------------------------


def _register_contacts(kind: str) -> None:
    @method(f"crm.{kind}.contact.items.get")
    def get(call: Call) -> Any:
        bound = _find(call, kind)["CONTACT_IDS"]
        return [
            {
                "CONTACT_ID": number,
                "SORT": (place + 1) * 10,
                "ROLE_ID": 0,
                "IS_PRIMARY": "N" if place else "Y",
            }
            for place, number in enumerate(bound)
        ]

    @method(f"crm.{kind}.contact.items.set")
    def put(call: Call) -> Any:
        record, items = _find(call, kind), call.get("items")
        if not isinstance(items, list | dict):
            raise RestError("", "The parameter 'items' must be array.")
        rows = sorted((row for row in as_list(items) if isinstance(row, dict)), key=_binding_place)
        record["CONTACT_IDS"] = [as_id(row.get("CONTACT_ID")) for row in rows]
        record["CONTACT_ID"] = next(iter(record["CONTACT_IDS"]), None)
        records.touch(call, kind, record)
        return True


def _binding_place(row: dict[str, Any]) -> tuple[bool, int]:
    return (row.get("IS_PRIMARY") != "Y", as_id(row.get("SORT")))


for _kind in ("lead", "deal"):
    _register_contacts(_kind)


# --- product rows ---------------------------------------------------------------------------------


def _register_products(kind: str, code: str) -> None:
    @method(f"crm.{kind}.productrows.get")
    def get(call: Call) -> Any:
        rows = call.portal.product_rows.get((code, _find(call, kind)["ID"]), [])
        return [{key: show_old("string", value) for key, value in row.items()} | _prices(row) for row in rows]

    @method(f"crm.{kind}.productrows.set")
    def put(call: Call) -> Any:
        _set_products(call, kind, code, _find(call, kind), as_list(call.get("rows")))
        return True


def _prices(row: dict[str, Any]) -> dict[str, Any]:
    return {"PRICE": row["PRICE"], "QUANTITY": row["QUANTITY"]}


def _set_products(call: Call, kind: str, code: str, record: dict[str, Any], rows: list[dict[str, Any]]) -> None:
    """Replace the rows; the amount follows them unless it is set by hand (IS_MANUAL_OPPORTUNITY)."""
    kept = [
        {
            "ID": call.portal.next_id("product_row"),
            "OWNER_ID": record["ID"],
            "OWNER_TYPE": code,
            "PRODUCT_ID": as_id(row.get("PRODUCT_ID") or row.get("productId")),
            "PRODUCT_NAME": str(row.get("PRODUCT_NAME") or row.get("productName") or ""),
            "PRICE": float(row.get("PRICE") or row.get("price") or 0),
            "QUANTITY": float(row.get("QUANTITY") or row.get("quantity") or 1),
        }
        for row in rows
    ]
    call.portal.product_rows[(code, record["ID"])] = kept
    if record["IS_MANUAL_OPPORTUNITY"] != "Y":
        record["OPPORTUNITY"] = store("amount", sum(row["PRICE"] * row["QUANTITY"] for row in kept))
    records.touch(call, kind, record)


for _code, _kind in _OWNER_CODES.items():
    _register_products(_kind, _code)


@method("crm.item.productrow.set")
def set_item_products(call: Call) -> Any:
    """Set the rows by `ownerType` (L, D) and `ownerId`."""
    code = str(call.need("ownerType"))
    kind = _OWNER_CODES.get(code)
    record = call.portal.record(kind, as_id(call.need("ownerId"))) if kind else None
    if kind is None or record is None:
        raise RestError("OWNER_NOT_FOUND", "Владелец не найден")
    _set_products(call, kind, code, record, as_list(call.need("productRows")))
    return {"productRows": _item_products(call.portal, code, record["ID"])}


@method("crm.item.productrow.list")
def list_item_products(call: Call) -> Any:
    """List the rows of one owner: `filter {"=ownerType", "=ownerId"}`."""
    wanted = {key.lstrip("="): value for key, value in call.table("filter").items()}
    rows = _item_products(call.portal, str(wanted.get("ownerType")), as_id(wanted.get("ownerId")))
    page = page_of(rows, call.get("start"))
    page.result = {"productRows": page.result}
    return page


def _item_products(portal: Portal, code: str, owner_id: int) -> list[dict[str, Any]]:
    return [
        {
            "id": row["ID"],
            "ownerId": owner_id,
            "ownerType": code,
            "productId": row["PRODUCT_ID"],
            "productName": row["PRODUCT_NAME"],
            "price": row["PRICE"],
            "quantity": row["QUANTITY"],
        }
        for row in portal.product_rows.get((code, owner_id), [])
    ]
