"""InternetDocument.*: waybills. There is no idempotency key: the same `save` twice makes two waybills."""

from __future__ import annotations

import datetime as dt
from typing import Any

from plugins.novaposhta.codes import error_text
from plugins.novaposhta.sandbox import directory, rules
from plugins.novaposhta.sandbox.envelope import Answer, Props, Refusal, method, number, paged, refs, refuse, text
from plugins.novaposhta.sandbox.life import mark_deleted, status_text
from plugins.novaposhta.sandbox.world import (
    PRIVATE_RECIPIENTS,
    SENDER_PHONE,
    Counterparty,
    SavedAddress,
    Waybill,
    World,
    days_on_the_way,
    price,
    transfer_fee,
)

_PAGE = 100


# --- create, change, delete -------------------------------------------------------------------


@method("InternetDocument.save")
def save(world: World, props: Props) -> Answer:
    """Create a waybill; InfoRegClientBarcodes is the caller's own number and comes back as ClientBarcode."""
    if codes := rules.faults(world, props):
        raise refuse(*codes)
    return _saved(world.add_waybill(_settled(world, props)))


@method("InternetDocument.update")
def update(world: World, props: Props) -> Answer:
    """Replace a waybill's data until the parcel is accepted; in a registry it is fixed at once.

    What is not said again (the client barcode, money back) is gone: the stricter reading, not confirmed live.
    The vendor's own words for "too late" were not seen; the table's "No data changes" stands in for them.
    """
    waybill = world.waybills.get(text(props, "Ref"))
    if waybill is None or waybill.deleted:
        raise refuse("20000300415" if text(props, "Ref") else "20000900752")
    if waybill.scan_sheet:
        raise refuse("20000200153")
    if waybill.status != "1":
        raise refuse("20000301006")
    if codes := rules.faults(world, props):
        raise refuse(*codes)
    waybill.sent = _settled(world, props)
    waybill.cost = price(waybill.sent)
    waybill.updated = world.now()
    return _saved(waybill)


@method("InternetDocument.delete")
def delete(world: World, props: Props) -> Answer:
    """Delete waybills not handed over yet; DocumentRefs is a list or one string.

    When none could be deleted, `errors` is an object: a text per ref and, under "0", the summary.
    """
    wanted = refs(props, "DocumentRefs")
    if not wanted:
        raise refuse("20000200307")
    deleted, reasons = [], {}
    for ref in wanted:
        waybill = world.waybills.get(ref)
        if reason := _why_not_deleted(waybill):
            reasons[ref] = error_text(reason)
        elif waybill:
            mark_deleted(world, waybill)
            deleted.append({"Ref": ref})
    if not deleted:
        raise Refusal(reasons | {"0": error_text("20000201173")}, ["20000201173"])
    return Answer(deleted, warnings=reasons or [])


def _why_not_deleted(waybill: Waybill | None) -> str:
    if waybill is None or waybill.deleted:
        return "20000300415"
    if waybill.scan_sheet:
        return "20000200153"
    return "" if waybill.status == "1" else "20000301006"


def _saved(waybill: Waybill) -> Answer:
    return Answer(
        [
            {
                "Ref": waybill.ref,
                "CostOnSite": str(waybill.cost),
                "EstimatedDeliveryDate": f"{waybill.eta:%d.%m.%Y}",
                "IntDocNumber": waybill.number,
                "TypeDocument": "InternetDocument",
            }
        ]
    )


def _settled(world: World, props: Props) -> dict[str, Any]:
    """Keep the properties as text; a recipient given in words becomes refs."""
    sent = {name: value if isinstance(value, list | dict) else text(props, name) for name, value in props.items()}
    return sent | _recipient_from_words(world, props) if text(props, "NewAddress") == "1" else sent


def _recipient_from_words(world: World, props: Props) -> dict[str, Any]:
    city_name, wanted = text(props, "RecipientCityName"), text(props, "RecipientAddressName")
    place = rules.city_by_name(city_name)
    assert place is not None
    owner = _new_owner(world, props)
    contact = _new_contact(world, props, owner)
    if text(props, "ServiceType").endswith("Doors"):
        street = rules.street_by_name(city_name, wanted)
        assert street is not None
        door = SavedAddress(
            world.new_ref(), owner, street.ref, text(props, "RecipientHouse"), text(props, "RecipientFlat"), ""
        )
        world.addresses[door.ref] = door
        address = door.ref
    else:
        warehouse = rules.warehouse_by_number(city_name, wanted)
        assert warehouse is not None
        address = warehouse["Ref"]
    return {"CityRecipient": place.city, "Recipient": owner, "ContactRecipient": contact, "RecipientAddress": address}


def _new_owner(world: World, props: Props) -> str:
    if text(props, "RecipientType") != "Organization":
        return PRIVATE_RECIPIENTS
    company = Counterparty(
        world.new_ref(), "Organization", "Recipient", text(props, "RecipientName"), text(props, "EDRPOU")
    )
    world.counterparties[company.ref] = company
    return company.ref


def _new_contact(world: World, props: Props, owner: str) -> str:
    company = owner != PRIVATE_RECIPIENTS
    words = text(props, "RecipientContactName" if company else "RecipientName").split(maxsplit=2)
    last, first, middle = (*words, "", "")[:3]
    phone = text(props, "RecipientsPhone")
    known = world.contact_named(owner, last, first, middle, phone)
    return (known or world.add_contact(owner, last, first, middle, phone)).ref


# --- lists ------------------------------------------------------------------------------------


@method("InternetDocument.getDocumentList")
def get_document_list(world: World, props: Props) -> Answer:
    """List waybills of a window of days, also those made by hand in the cabinet.

    GetFullList=1 gives all at once, otherwise pages of 100. The one way to find a waybill after a lost reply.
    """
    first, last = _day(props, "DateTimeFrom"), _day(props, "DateTimeTo")
    exact = _day(props, "DateTime")
    rows = [
        _listed(waybill)
        for waybill in world.waybills.values()
        if not waybill.deleted
        and (first is None or waybill.created.date() >= first)
        and (last is None or waybill.created.date() <= last)
        and (exact is None or rules.read_date(waybill.get("DateTime")) == exact)
    ]
    return Answer(rows) if text(props, "GetFullList") == "1" else Answer(paged(rows, props, _PAGE).data)


def _day(props: Props, name: str) -> dt.date | None:
    value = text(props, name)
    if not value:
        return None
    day = rules.read_date(value)
    if day is None:
        raise refuse("20000300413")
    return day


def _listed(waybill: Waybill) -> dict[str, Any]:
    received = f"{waybill.received:%d.%m.%Y}" if waybill.received else ""
    as_sent = {
        name: waybill.get(name)
        for name in (
            "Weight",
            "SeatsAmount",
            "Cost",
            "CitySender",
            "CityRecipient",
            "SenderAddress",
            "RecipientAddress",
            "PayerType",
            "PaymentMethod",
            "PackingNumber",
            "CargoType",
            "ServiceType",
            "Description",
            "Sender",
            "ContactSender",
            "SendersPhone",
            "Recipient",
            "ContactRecipient",
            "RecipientsPhone",
            "InfoRegClientBarcodes",
        )
    }
    return {
        "Ref": waybill.ref,
        "DateTime": waybill.get("DateTime"),
        "PreferredDeliveryDate": waybill.get("PreferredDeliveryDate"),
        "RecipientDateTime": received,
        "EWDateCreated": f"{waybill.created:%d.%m.%Y}",
        "IntDocNumber": waybill.number,
        "CostOnSite": str(waybill.cost),
        "AfterpaymentOnGoodsCost": waybill.get("AfterpaymentOnGoodsCost") or "0",
        "RejectionReason": "",
        "StateId": waybill.status,
        "StateName": waybill.status_text or status_text(waybill.status),
        "ClientBarcode": waybill.get("InfoRegClientBarcodes"),
        "RedeliverySum": waybill.transfer,
        "EstimatedDeliveryDate": f"{waybill.eta:%d.%m.%Y}",
        "TrackingStatusCode": waybill.status,
        **as_sent,
    }


@method("InternetDocument.getIncomingDocumentsByPhone")
def get_incoming(world: World, props: Props) -> Answer:
    """List waybills on their way to the account's own phone; the row's shape is unconfirmed."""
    rows = [
        _listed(waybill)
        for waybill in world.waybills.values()
        if not waybill.deleted and waybill.get("RecipientsPhone") == SENDER_PHONE
    ]
    return Answer(rows[: int(number(props, "Limit") or _PAGE)])


@method("InternetDocument.generateReport")
def generate_report(world: World, props: Props) -> Answer:
    """Report on waybills; only the call is known from clients, the answer's shape is unconfirmed."""
    if text(props, "Type") not in ("xls", "csv", "pdf", "html"):
        raise refuse("20000200357")
    found = [waybill for ref in refs(props, "DocumentRefs") if (waybill := world.waybill(ref))]
    if not found:
        raise refuse("20000200161")
    return Answer([{"Ref": one.ref, "Number": one.number, "Type": text(props, "Type")} for one in found])


# --- prices and dates -------------------------------------------------------------------------


@method("InternetDocument.getDocumentPrice")
def get_document_price(world: World, props: Props) -> Answer:
    """Say what delivery costs; clients disagree on TZoneInfo and TzoneInfo."""
    _need_cities(props)
    if not number(props, "Weight"):
        raise refuse("20000200373" if text(props, "Weight") else "20000400503")
    back = props.get("RedeliveryCalculate")
    amount = number(back, "Amount") if isinstance(back, dict) else None
    zone = "1" if text(props, "CitySender") == text(props, "CityRecipient") else "4"
    row: dict[str, Any] = {
        "AssessedCost": text(props, "Cost") or "300",
        "Cost": str(price({name: text(props, name) for name in props})),
        "CostRedelivery": str(transfer_fee(amount)) if amount else "0",
        "TzoneInfo" if world.quirks.lower_tzone else "TZoneInfo": {
            "TzoneName": f"Тарифна зона: Тарифна зона {zone}",
            "TzoneID": zone,
        },
        "CostPack": str(4 * int(number(props, "PackCount") or 0)),
    }
    return Answer([row])


@method("InternetDocument.getDocumentDeliveryDate")
def get_document_delivery_date(world: World, props: Props) -> Answer:
    """Say when it would arrive; two clients saw two shapes, see Quirks.nested_delivery_date."""
    _need_cities(props)
    if not text(props, "ServiceType"):
        raise refuse("20000200347")
    day = (_day(props, "DateTime") or world.now().date()) + days_on_the_way(props)
    if world.quirks.nested_delivery_date:
        moment = {"date": f"{day:%Y-%m-%d} 00:00:00.000000", "timezone_type": 3, "timezone": "Europe/Kiev"}
        return Answer([{"DeliveryDate": moment}])
    return Answer([{"date": f"{day:%Y.%m.%d} 00:00:00", "timezone_type": "3", "timezone": "Europe/Kiev"}])


def _need_cities(props: Props) -> None:
    codes = []
    for name, absent, unknown in (
        ("CitySender", "20000200107", "20000200106"),
        ("CityRecipient", "20000200104", "20000200103"),
    ):
        ref = text(props, name)
        if ref not in directory.CITIES:
            codes.append(unknown if ref else absent)
    if codes:
        raise refuse(*codes)
