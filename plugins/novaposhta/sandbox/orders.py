"""AdditionalService.*: returns, redirections and changes of a waybill's data.

`save` takes all three; OrderType tells them apart: orderCargoReturn is sure, the names of the other two come from
clients. Mind the vendor's letters: CheckPossibilityCreateReturn but checkPossibilityForRedirecting.
"""

from __future__ import annotations

from typing import Any

from plugins.novaposhta.sandbox import directory
from plugins.novaposhta.sandbox.envelope import Answer, Handler, Props, Refusal, method, paged, refuse, text
from plugins.novaposhta.sandbox.life import redirect, send_back, set_status
from plugins.novaposhta.sandbox.world import NOWHERE, SENDER_CONTACT, SENDER_PHONE, Order, Waybill, World

RETURN, REDIRECT, CHANGE = "orderCargoReturn", "orderRedirecting", "orderChangeEW"
RETURN_ADDRESS = "4e7a0000-0000-4000-8000-000000000001"
REASON = "49754eb2-a9e1-11e3-9fa0-0050568002cf"
SUBTYPE = "0679cdb5-898e-11ea-a970-b8830365ade4"
_REASONS = [
    {"Ref": REASON, "Description": "Відмова Одержувача"},
    {"Ref": "411ceab2-b5e1-4433-ad52-a2ea22be56e6", "Description": "Закінчення строку зберігання"},
]
_SUBTYPES = [{"Ref": SUBTYPE, "Description": "Автоповернення", "ReasonRef": REASON}]

#: no order is taken for a parcel that was not handed over, is gone, or is with its recipient
_SETTLED = ("1", "2", "3", "9", "10", "11", "106")
NOT_FOUND = "20000301849"
_NOT_FOUND_UA = "Експрес-накладна не знайдена або не існує. Перевірте номер"


# --- may it be done? --------------------------------------------------------------------------


@method("AdditionalService.CheckPossibilityCreateReturn")
def check_return(world: World, props: Props) -> Answer:
    """Answer the addresses a return may go to; the refusal is in Ukrainian whatever the language."""
    waybill = world.by_number(text(props, "Number"))
    if waybill is None or waybill.status in _SETTLED:
        raise Refusal([_NOT_FOUND_UA], [NOT_FOUND])
    contact = world.contacts[SENDER_CONTACT]
    return Answer(
        [
            {
                "NonCash": True,
                "City": "Київ",
                "Counterparty": contact.name,
                "ContactPerson": contact.name,
                "Address": "м. Київ, вул. Хрещатик, буд. 1",
                "Phone": SENDER_PHONE,
                "Ref": RETURN_ADDRESS,
            }
        ]
    )


@method("AdditionalService.checkPossibilityForRedirecting")
def check_redirecting(world: World, props: Props) -> Answer:
    """Answer where the parcel goes now."""
    waybill = world.by_number(text(props, "Number"))
    if waybill is None:
        raise refuse(NOT_FOUND)
    if waybill.status in _SETTLED:
        raise refuse("20000301574")
    warehouse = directory.WAREHOUSES.get(waybill.get("RecipientAddress"), {})
    place = directory.CITIES[waybill.get("CityRecipient")]
    address = world.place_text(waybill.get("RecipientAddress"))
    return Answer(
        [
            {
                "Ref": waybill.ref,
                "Number": waybill.number,
                "PayerType": waybill.get("PayerType"),
                "PaymentMethod": waybill.get("PaymentMethod"),
                "WarehouseRef": warehouse.get("Ref", ""),
                "WarehouseDescription": warehouse.get("Description", ""),
                "AddressDescription": address,
                "StreetDescription": address,
                "BuildingNumber": "",
                "CityRecipient": place.city,
                "CityRecipientDescription": place.name,
                "SettlementRecipient": place.settlement,
                "SettlementRecipientDescription": place.name,
                "SettlementType": NOWHERE,
                "CounterpartyRecipientRef": waybill.get("Recipient"),
                "CounterpartyRecipientDescription": "Приватна особа",
                "RecipientName": _recipient(world, waybill),
                "PhoneSender": waybill.get("SendersPhone"),
                "PhoneRecipient": waybill.get("RecipientsPhone"),
                "DocumentWeight": waybill.get("Weight"),
            }
        ]
    )


@method("AdditionalService.CheckPossibilityChangeEW")
def check_change(world: World, props: Props) -> Answer:
    """Answer what may still be changed on the waybill."""
    waybill = _waybill_of(world, props)
    sender = world.contacts.get(waybill.get("ContactSender"))
    can = waybill.status not in _SETTLED[1:]
    return Answer(
        [
            {
                "CanChangeSender": can,
                "CanChangeRecipient": can,
                "CanChangePayerTypeOrPaymentMethod": can,
                "CanChangeBackwardDeliveryDocuments": can,
                "CanChangeBackwardDeliveryMoney": can,
                "CanChangeCash2Card": can,
                "CanChangeBackwardDeliveryOther": can,
                "CanChangeAfterpaymentType": can,
                "CanChangeLiftingOnFloor": can,
                "CanChangeLiftingOnFloorWithElevator": can,
                "CanChangeFillingWarranty": can,
                "SenderCounterparty": "Приватна особа",
                "ContactPersonSender": sender.name if sender else "",
                "SenderPhone": waybill.get("SendersPhone"),
                "RecipientCounterparty": "Приватна особа",
                "ContactPersonRecipient": _recipient(world, waybill),
                "RecipientPhone": waybill.get("RecipientsPhone"),
                "PayerType": waybill.get("PayerType"),
                "PaymentMethod": waybill.get("PaymentMethod"),
            }
        ]
    )


@method("AdditionalService.getReturnReasons")
def get_return_reasons(_world: World, _props: Props) -> Answer:
    """List the reasons a return order names."""
    return Answer(_REASONS)


@method("AdditionalService.getReturnReasonsSubtypes")
def get_return_reasons_subtypes(_world: World, props: Props) -> Answer:
    """List the subtypes of a reason."""
    return Answer([row for row in _SUBTYPES if row["ReasonRef"] == text(props, "ReasonRef")])


# --- orders -----------------------------------------------------------------------------------


@method("AdditionalService.save")
def save(world: World, props: Props) -> Answer:
    """Take an order; a return or a redirection gives the parcel a new number at once."""
    kind = text(props, "OrderType") or RETURN
    if kind not in (RETURN, REDIRECT, CHANGE):
        raise refuse("20000100014")
    waybill = _waybill_of(world, props)
    if kind != CHANGE and waybill.status in _SETTLED:
        raise refuse("20000301574" if kind == REDIRECT else "20000301271")
    order = Order(world.new_ref(), world.new_order_number("102"), kind, waybill.number, dict(props), world.now())
    _CARRY_OUT[kind](world, order, waybill)
    world.orders[order.ref] = order
    return Answer([{"Number": order.number, "Ref": order.ref}])


def _carry_out_return(world: World, order: Order, waybill: Waybill) -> None:
    """Send it back to a known address, to a settlement's street, or to a warehouse."""
    target = order.sent
    if not any(text(target, name) for name in ("ReturnAddressRef", "RecipientSettlement", "RecipientWarehouse")):
        raise refuse("20000301852")
    warehouse = text(target, "RecipientWarehouse")
    if warehouse and warehouse not in directory.WAREHOUSES:
        raise refuse("20000200265")
    set_status(world, waybill, "102", world.now())
    back = send_back(world, waybill, world.now())
    if warehouse:
        back.sent |= {"RecipientAddress": warehouse, "CityRecipient": directory.WAREHOUSES[warehouse]["CityRef"]}
    order.new_waybill = back.number


def _carry_out_redirection(world: World, order: Order, waybill: Waybill) -> None:
    warehouse = directory.WAREHOUSES.get(text(order.sent, "RecipientWarehouse"))
    settlement = directory.SETTLEMENTS.get(text(order.sent, "RecipientSettlement"))
    if warehouse is None and settlement is None:
        raise refuse("20000301852")
    city = warehouse["CityRef"] if warehouse else settlement.city if settlement else ""
    changes = {"CityRecipient": city}
    if warehouse:
        changes["RecipientAddress"] = warehouse["Ref"]
    if phone := text(order.sent, "RecipientPhone"):
        changes["RecipientsPhone"] = phone
    following = redirect(world, waybill, world.now(), changes)
    set_status(world, waybill, "104", world.now())
    order.new_waybill = following.number


def _carry_out_change(world: World, order: Order, waybill: Waybill) -> None:
    changes = {
        member: value
        for member, asked in (
            ("RecipientsPhone", "RecipientPhone"),
            ("SendersPhone", "SenderPhone"),
            ("PayerType", "PayerType"),
            ("PaymentMethod", "PaymentMethod"),
        )
        if (value := text(order.sent, asked))
    }
    if not changes and not text(order.sent, "RecipientContactName") and not text(order.sent, "SenderContactName"):
        raise refuse("20000301006")
    waybill.sent |= changes
    waybill.updated = world.now()


_CARRY_OUT = {RETURN: _carry_out_return, REDIRECT: _carry_out_redirection, CHANGE: _carry_out_change}


@method("AdditionalService.delete")
def delete(world: World, props: Props) -> Answer:
    """Withdraw an order; the waybill made for it goes, and the parcel waits where it was."""
    order = world.orders.pop(text(props, "Ref"), None)
    if order is None:
        raise Refusal(["Ref not found"], ["20000301271"])
    waybill, made = world.by_number(order.waybill), world.by_number(order.new_waybill)
    if waybill and made:
        made.deleted, made.status = True, "2"
        waybill.basis_number = waybill.basis_type = ""
        waybill.basis_at = None
        set_status(world, waybill, "7", world.now())
    return Answer([{"Number": order.number}])


def _listing(name: str, kind: str) -> Handler:
    @method(f"AdditionalService.{name}")
    def handler(world: World, props: Props) -> Answer:
        rows = [
            _row(world, order)
            for order in world.orders.values()
            if order.kind == kind
            and text(props, "Number") in ("", order.number)
            and text(props, "Ref") in ("", order.ref)
        ]
        return Answer(paged(rows, props).data)

    return handler


for _name, _kind in (
    ("getReturnOrdersList", RETURN),
    ("getRedirectionOrdersList", REDIRECT),
    ("getChangeEWOrdersList", CHANGE),
):
    _listing(_name, _kind)


def _row(world: World, order: Order) -> dict[str, Any]:
    made = world.by_number(order.new_waybill)
    shown = made or world.by_number(order.waybill)
    assert shown is not None
    return {
        "OrderRef": order.ref,
        "OrderNumber": order.number,
        "OrderStatus": "Прийняте",
        "DocumentNumber": order.waybill,
        "CounterpartyRecipient": "Приватна особа",
        "ContactPersonRecipient": _recipient(world, shown),
        "AddressRecipient": world.place_text(shown.get("RecipientAddress")),
        "DeliveryCost": str(shown.cost),
        "EstimatedDeliveryDate": f"{shown.eta:%d/%m/%y} 10:00",
        "ExpressWaybillNumber": made.number if made else "",
        "ExpressWaybillStatus": "Відправлення прямує до міста одержувача" if made else "",
    }


def _recipient(world: World, waybill: Waybill) -> str:
    contact = world.contacts.get(waybill.get("ContactRecipient"))
    return contact.name if contact else ""


def _waybill_of(world: World, props: Props) -> Waybill:
    waybill = world.waybill(text(props, "IntDocNumber"))
    if waybill is None:
        raise Refusal(["IntDocNumber is incorrect"], ["20000301271"])
    return waybill
