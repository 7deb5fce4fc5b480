"""Actions beside parcels: returns, redirects, changes, registers, directories, any method.

Each: (desk, action) -> Done. Small words are ours, what begins with a capital letter goes to the vendor verbatim.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from hub.errors import Refused
from hub.model import Action, Done
from plugins.novaposhta import dates, outgoing, recipient
from plugins.novaposhta.client import Row
from plugins.novaposhta.desk import Desk, many, number
from plugins.novaposhta.directory import GUID

Handler = Callable[[Desk, Action], Done]

#: our word -> (OrderType, the method that lists such orders); the last two names come from clients, not the vendor
ORDERS = {
    "return": ("orderCargoReturn", "getReturnOrdersList"),
    "redirect": ("orderRedirecting", "getRedirectionOrdersList"),
    "change": ("orderChangeEW", "getChangeEWOrdersList"),
}


def need(action: Action, *names: str) -> None:
    """Raise `Refused` naming the values that are missing."""
    missing = [name for name in names if not action.values.get(name)]
    if missing:
        raise Refused(f"{action.name} needs {', '.join(missing)}", dict.fromkeys(missing, "missing"))


# --- returns, redirects, changes ----------------------------------------------------------------


def return_create(desk: Desk, action: Action) -> Done:
    """Order a refused parcel back: to `address` (a ref), else to the first address the vendor offers."""
    values = action.values
    outgoing.known(values, ("number", "reason", "subtype", "note", "address", "payment"), action.name)
    ttn, own = number(action), outgoing.native(values)
    properties: dict[str, Any] = {
        "IntDocNumber": ttn,
        "PaymentMethod": str(values.get("payment") or "Cash"),
        "OrderType": ORDERS["return"][0],
        "Note": str(values.get("note") or ""),
    }
    if not any(own.get(name) for name in ("ReturnAddressRef", "RecipientSettlement", "RecipientWarehouse")):
        properties["ReturnAddressRef"] = str(
            values.get("address") or _first(desk.client.return_addresses(ttn), "address")
        )
    if not own.get("Reason"):
        properties["Reason"] = _pick(desk.client.return_reasons(), values.get("reason"), "reason")
    if not own.get("SubtypeReason"):
        reason = str(own.get("Reason") or properties["Reason"])
        properties["SubtypeReason"] = _pick(desk.client.return_subtypes(reason), values.get("subtype"), "subtype")
    return _ordered(desk.client.order_save(properties | own))


def redirect_create(desk: Desk, action: Action) -> Done:
    """Send a parcel under way to another branch: `city` and `branch`, or the vendor's own Recipient... properties."""
    values = action.values
    outgoing.known(values, ("number", "city", "branch", "name", "phone", "note", "payer", "payment"), action.name)
    properties: dict[str, Any] = {
        "IntDocNumber": number(action),
        "OrderType": ORDERS["redirect"][0],
        "Customer": "Sender",
        "ServiceType": "DoorsWarehouse",
        "PayerType": str(values.get("payer") or "Recipient"),
        "PaymentMethod": str(values.get("payment") or "Cash"),
        "Note": str(values.get("note") or ""),
        **_person(action),
    }
    if values.get("branch"):
        need(action, "city")
        city = desk.directory.city(desk.client, str(values["city"]))
        branch = desk.directory.branch(desk.client, city, str(values["branch"]), action.attempt == 1)
        properties["RecipientWarehouse"] = branch.ref
    return _ordered(desk.client.order_save(properties | outgoing.native(values)))


def change_create(desk: Desk, action: Action) -> Done:
    """Change a waybill's data while the parcel is under way: recipient's `name` and `phone`, or any property."""
    outgoing.known(action.values, ("number", "name", "phone"), action.name)
    properties = {"IntDocNumber": number(action), "OrderType": ORDERS["change"][0], **_person(action)}
    return _ordered(desk.client.order_save(properties | outgoing.native(action.values)))


def orders_list(kind: str) -> Handler:
    """Return the handler that lists orders of one kind."""

    def handler(desk: Desk, action: Action) -> Done:
        asked = {"Page": "1", "Limit": str(action.limit or 100), **outgoing.native({**action.find, **action.values})}
        found = desk.client.orders(ORDERS[kind][1], asked)
        return outgoing.rows({**row, "id": row.get("OrderRef"), "number": row.get("OrderNumber")} for row in found)

    return handler


def order_delete(desk: Desk, action: Action) -> Done:
    """Withdraw an order by its `ref` (not its number)."""
    ref = str(action.values.get("ref") or action.values.get("Ref") or action.id)
    if not GUID.fullmatch(ref):
        raise Refused(f"{action.name} needs the order's `ref`", {"ref": "missing"})
    rows = desk.client.order_delete(ref)
    return Done(result={"ref": ref, "number": str(rows[0].get("Number") or "") if rows else ""}, id=ref)


def _ordered(row: Row) -> Done:
    result = {"id": str(row.get("Ref") or ""), "ref": str(row.get("Ref") or ""), "number": str(row.get("Number") or "")}
    return Done(result=result, id=result["id"])


def _person(action: Action) -> dict[str, str]:
    given: dict[str, str] = {}
    if name := str(action.values.get("name") or ""):
        given["RecipientContactName"] = name
    if raw := action.values.get("phone"):
        phone = recipient.vendor_phone(raw)
        if phone is None:
            raise Refused(f"recipient phone {raw!r} is not a Ukrainian number", {"phone": "not a phone"})
        given["RecipientPhone"] = phone
    return given


def _first(rows: list[Row], what: str) -> str:
    if not rows:
        raise Refused(f"Nova Poshta offers no {what} for this parcel", {what: "none offered"})
    return str(rows[0].get("Ref") or "")


def _pick(rows: list[Row], wanted: Any, what: str) -> str:
    """Return the ref of the row that is meant by ref or words; the first one when nothing is said."""
    text = str(wanted or "").strip()
    if not text:
        return _first(rows, what)
    for row in rows:
        if text.lower() in (str(row.get("Ref")).lower(), str(row.get("Description")).lower()):
            return str(row["Ref"])
    offered = "; ".join(str(row.get("Description")) for row in rows)
    raise Refused(f"no {what} {text!r}; Nova Poshta has: {offered}", {what: "unknown"})


# --- registers ----------------------------------------------------------------------------------


def register_create(desk: Desk, action: Action) -> Done:
    """Put waybills (`refs`) into a new register, dated today unless `date` says otherwise (dd.mm.yyyy)."""
    properties = {"DocumentRefs": _refs(action), "Date": str(action.values.get("date") or dates.to_vendor(desk.today))}
    return _register(desk.client.register_insert(properties))


def register_add(desk: Desk, action: Action) -> Done:
    """Put more waybills (`refs`) into a register (`register`, its ref)."""
    need(action, "register")
    return _register(
        desk.client.register_insert({"DocumentRefs": _refs(action), "Ref": str(action.values["register"])})
    )


def register_list(desk: Desk, action: Action) -> Done:
    """List registers, newest as the vendor sorts them."""
    return outgoing.rows(
        {**row, "id": row.get("Ref"), "at": dates.instant_text(row.get("DateTime"))} for row in desk.client.registers()
    )


def register_read(desk: Desk, action: Action) -> Done:
    """Read one register (`register`, its ref): number, day, count of its waybills."""
    ref = str(action.values.get("register") or action.find.get("register") or action.id)
    if not GUID.fullmatch(ref):
        raise Refused(f"{action.name} needs `register`, the register's ref", {"register": "missing"})
    owner = str((desk.settings.get("sender") or {}).get("counterparty") or "")
    row = desk.client.register(ref, owner)
    result = {**row, "id": ref, "ref": ref, "number": row.get("Number"), "count": row.get("Count")}
    return Done(result={**result, "at": dates.instant_text(row.get("DateTime"))}, id=ref)


def register_remove(desk: Desk, action: Action) -> Done:
    """Take waybills (`refs`) out of a register (`register`)."""
    need(action, "register")
    desk.client.register_remove(_refs(action), str(action.values["register"]))
    return Done(result={"ref": str(action.values["register"])})


def register_delete(desk: Desk, action: Action) -> Done:
    """Delete a register (`register`); its waybills stay."""
    ref = str(action.values.get("register") or action.id)
    if not ref:
        need(action, "register")
    desk.client.register_delete(many(ref))
    return Done(result={"ref": ref}, id=ref)


def _refs(action: Action) -> list[str]:
    refs = many(action.values.get("refs") or action.values.get("ref"))
    bad = [ref for ref in refs if not GUID.fullmatch(ref)]
    if bad or not refs:
        words = f"{', '.join(bad)} is no ref" if bad else "none given"
        raise Refused(
            f"{action.name} needs `refs` of waybills (the `ref` a waybill was made with): {words}", {"refs": words}
        )
    return refs


def _register(row: Row) -> Done:
    ref = str(row.get("Ref") or "")
    return Done(
        result={"id": ref, "ref": ref, "number": row.get("Number"), "date": dates.day_text(row.get("Date"))}, id=ref
    )


# --- directories --------------------------------------------------------------------------------


def settlement_find(desk: Desk, action: Action) -> Done:
    """Find places by the beginning of `name`; `ref` in the rows is the city ref that waybills want."""
    values = {**action.find, **action.values}
    found = desk.client.settlements(str(values.get("name") or values.get("CityName") or ""), action.limit or 50)
    return outgoing.rows(
        {
            **row,
            "id": row.get("DeliveryCity"),
            "ref": row.get("DeliveryCity"),
            "settlement": row.get("Ref"),
            "name": row.get("Present"),
        }
        for row in found
    )


def city_list(desk: Desk, action: Action) -> Done:
    """List cities with a branch: `name`, Page, Limit."""
    values = {**action.find, **action.values}
    asked = {"Page": "1", "Limit": str(action.limit or 100), **outgoing.native(values)}
    if values.get("name"):
        asked["FindByString"] = str(values["name"])
    return _rows(desk.client.cities(asked))


def warehouse_list(desk: Desk, action: Action) -> Done:
    """Find branches and postomats: `city` (name or ref), `number`, `text`, Page, Limit (at most 500)."""
    values = {**action.find, **action.values}
    asked = {"Page": "1", "Limit": str(action.limit or 100), **outgoing.native(values)}
    if values.get("city"):
        asked["CityRef"] = desk.directory.city(desk.client, str(values["city"])).ref
    if values.get("number"):
        asked["WarehouseId"] = str(values["number"])
    if values.get("text"):
        asked["FindByString"] = str(values["text"])
    return _rows(desk.client.warehouses(asked))


def street_find(desk: Desk, action: Action) -> Done:
    """Find streets of a city: `city` (its name), `name`."""
    values = {**action.find, **action.values}
    settlement = str(values.get("settlement") or values.get("SettlementRef") or "")
    if not settlement:
        settlement = desk.directory.city(desk.client, str(values.get("city") or ""), branch_wanted=False).settlement
    found = desk.client.streets(
        settlement, str(values.get("name") or values.get("StreetName") or ""), action.limit or 50
    )
    return outgoing.rows(
        {**row, "id": row.get("SettlementStreetRef"), "ref": row.get("SettlementStreetRef"), "name": row.get("Present")}
        for row in found
    )


def _rows(found: list[Row]) -> Done:
    return outgoing.rows(
        {**row, "id": row.get("Ref"), "ref": row.get("Ref"), "name": row.get("Description")} for row in found
    )


# --- anything -----------------------------------------------------------------------------------


def api(desk: Desk, action: Action) -> Done:
    """Call any method (`method: Model.method`) with the values verbatim."""
    model, dot, method = action.method.partition(".")
    if not (model and dot and method):
        raise Refused(f"api needs `method: Model.method`, for example Common.getCargoTypes; got {action.method!r}")
    return outgoing.rows(desk.client.call(model, method, action.values))
