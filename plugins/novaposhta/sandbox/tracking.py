"""TrackingDocument.getStatusDocuments: the record of a parcel, whole or short.

The phone of the sender or of the recipient opens the whole record (about 115 members). Without it, or with another
one, the personal and money members are blank and a warning names the number. Numbers are mostly strings, dates come
in the vendor's several formats, each member in the one the fixture shows.
"""

from __future__ import annotations

import datetime as dt
from typing import Any

from plugins.novaposhta.codes import TRACKING_BATCH
from plugins.novaposhta.sandbox import directory
from plugins.novaposhta.sandbox.envelope import Answer, Props, as_number, method, refuse, text
from plugins.novaposhta.sandbox.life import FREE_DAYS, status_text
from plugins.novaposhta.sandbox.world import SavedAddress, Waybill, World, transfer_fee

ASK_PHONE = "Please enter a valid phone number from the express invoice to show full information"

_FLAGS = (
    "PossibilityCreateRedirecting",
    "PossibilityCreateReturn",
    "PossibilityCreateRefusal",
    "PossibilityChangeEW",
    "PossibilityChangeCash2Card",
    "PossibilityChangeDeliveryIntervals",
    "PossibilityTrusteeRecipient",
    "PossibilityLightReturn",
    "SecurePayment",
)
#: what a number nobody knows, or a record without the phone, answers besides its status; all of it blank
_SHORT = dict.fromkeys((*_FLAGS, "PossibilityTermExtension"), False) | dict.fromkeys(
    (
        "TrusteeRecipientPhone",
        "LightReturnNumber",
        "RecipientFullName",
        "CargoDescriptionString",
        "RedeliverySum",
        "RedeliveryPayer",
        "AfterpaymentOnGoodsCost",
        "LastCreatedOnTheBasisPayerType",
        "LastTransactionDateTimeGM",
        "CounterpartySenderDescription",
        "CounterpartyRecipientDescription",
        "SenderAddress",
        "RecipientAddress",
        "AnnouncedPrice",
        "RedeliveryPaymentCardRef",
        "RedeliveryPaymentCardDescription",
        "CreatedOnTheBasis",
        "ExpressWaybillPaymentStatus",
        "ExpressWaybillAmountToPay",
    ),
    "",
)
#: members of the whole record that the short one of a known number keeps: no people, no money.
#: Which exactly is not in a primary source; a client should need none of them but the status.
_PUBLIC = (
    "TrackingUpdateDate",
    "DateCreated",
    "DateScan",
    "ScheduledDeliveryDate",
    "ActualDeliveryDate",
    "RecipientDateTime",
    "CitySender",
    "CityRecipient",
    "RefCitySender",
    "RefCityRecipient",
    "WarehouseRecipient",
    "WarehouseRecipientNumber",
    "WarehouseRecipientRef",
    "CategoryOfWarehouse",
    "CargoType",
    "ServiceType",
    "SeatsAmount",
    "DocumentWeight",
    "PayerType",
    "PaymentMethod",
)
#: members of the whole record that this stand-in never fills
_ALWAYS_BLANK = (
    "MarketplacePartnerToken",
    "InternationalDeliveryType",
    "CardMaskedNumber",
    "CalculatedWeight",
    "DateMoving",
    "AdditionalInformationEW",
    "CheckWeightMethod",
    "DeliveryTimeframe",
    "BarcodeRedBox",
    "DaysStorageCargo",
    "StorageAmount",
    "StoragePrice",
    "FreeShipping",
    "InternetDocumentDescription",
    "LoyaltyCardSender",
    "LoyaltyCardRecipient",
)
_ALWAYS_ZERO = (
    "SumBeforeCheckWeight",
    "CheckWeight",
    "AviaDelivery",
    "ExpressWaybillAmountToPay",
    "LastAmountReceivedCommissionGM",
)
#: since February 2025 these are blank when the call came without a key
_NEEDS_KEY = (
    "Redelivery",
    "RedeliverySum",
    "RedeliveryNum",
    "RedeliveryPayer",
    "RedeliveryServiceCost",
    "AfterpaymentOnGoodsCost",
    "LastCreatedOnTheBasisDocumentType",
    "LastCreatedOnTheBasisNumber",
    "LastCreatedOnTheBasisDateTime",
    "LastTransactionStatusGM",
    "LastTransactionDateTimeGM",
    "LastAmountTransferGM",
)
_ON_THE_WAY = ("4", "41", "5", "6", "7", "8", "101", "111", "112")


@method("InternetDocument.getStatusDocuments", without_key=True)  # an older name that one npm client still has
@method("TrackingDocument.getStatusDocuments", without_key=True)
def get_status_documents(world: World, props: Props) -> Answer:
    """Answer one record per asked number, in the order asked; more than 100 numbers are refused."""
    documents = props.get("Documents")
    if not isinstance(documents, list) or not documents or not all(isinstance(one, dict) for one in documents):
        raise refuse("20001401442")
    if len(documents) > TRACKING_BATCH:
        raise refuse("20000200158")  # the limit is the integrators' word, this code for it a guess
    language = text(props, "Language") or "UA"
    data, warnings = [], []
    for asked in documents:
        number, phone = text(asked, "DocumentNumber"), text(asked, "Phone")
        waybill = world.by_number(number)
        opened = waybill is not None and bool(phone) and phone in waybill.phones
        if not opened:
            warnings.append({f"ID_{number}": ASK_PHONE})
        data.append(_record(world, number, waybill, opened, language))
    return Answer(data, warnings=warnings)


def _record(world: World, number: str, waybill: Waybill | None, opened: bool, language: str) -> dict[str, Any]:
    if waybill is None:
        return {"Number": number, "StatusCode": "3", "Status": status_text("3", language)} | _SHORT
    whole = _whole(world, waybill, language)
    if not world.key_given:
        whole |= dict.fromkeys(_NEEDS_KEY, "")
    if opened:
        return whole
    kept = {name: whole[name] for name in ("Number", "StatusCode", "Status", *_PUBLIC)}
    return kept | _SHORT


def _whole(world: World, waybill: Waybill, language: str) -> dict[str, Any]:
    blank: dict[str, Any] = dict.fromkeys(_ALWAYS_BLANK, "") | dict.fromkeys(_ALWAYS_ZERO, 0) | {"Packaging": []}
    return (
        blank
        | dict.fromkeys(_FLAGS, False)
        | _status(waybill, language)
        | _cargo(waybill)
        | _people(world, waybill)
        | _places(world, waybill)
        | _dates(waybill)
        | _payment(waybill)
        | _money_back(waybill)
        | _relatives(waybill)
    )


def _status(waybill: Waybill, language: str) -> dict[str, Any]:
    moving = waybill.status in _ON_THE_WAY
    failed = waybill.failed if waybill.status == "111" else None
    return {
        "Number": waybill.number,
        "RefEW": waybill.ref,
        "StatusCode": waybill.status,
        "Status": waybill.status_text or status_text(waybill.status, language),
        "PossibilityCreateReturn": moving,
        "PossibilityCreateRefusal": moving,
        "PossibilityCreateRedirecting": moving,
        "PossibilityChangeEW": waybill.status == "1" or moving,
        "TrusteeRecipientPhone": "",
        "LightReturnNumber": "",
        "CargoReturnRefusal": False,
        "PostomatV3CellReservationNumber": False,
        "PartialReturnGoods": [],
        "UndeliveryReasons": "10001" if failed else "",
        "UndeliveryReasonsSubtypeDescription": "Відсутній контакт з одержувачем" if failed else "",
        "UndeliveryReasonsDate": _iso(failed),
    }


def _cargo(waybill: Waybill) -> dict[str, Any]:
    weight = as_number(waybill.get("Weight")) or 0.0
    return {
        "DocumentWeight": weight,
        "FactualWeight": f"{weight:.2f}",
        "VolumeWeight": "0.01",
        "SeatsAmount": waybill.get("SeatsAmount"),
        "CargoType": waybill.get("CargoType"),
        "ServiceType": waybill.get("ServiceType"),
        "CargoDescriptionString": waybill.get("Description"),
        "AnnouncedPrice": _round(waybill.get("Cost")),
        "ClientBarcode": waybill.get("InfoRegClientBarcodes"),
    }


def _people(world: World, waybill: Waybill) -> dict[str, Any]:
    names, kinds, companies = {}, {}, {}
    for side in ("Sender", "Recipient"):
        contact = world.contacts.get(waybill.get(f"Contact{side}"))
        party = world.counterparties.get(waybill.get(side))
        names[side] = contact.name if contact else ""
        kinds[side] = party.kind if party else "PrivatePerson"
        companies[side] = party.description if party else ""
    return {
        "RecipientFullName": names["Recipient"],
        "RecipientFullNameEW": names["Recipient"],
        "SenderFullNameEW": names["Sender"],
        "PhoneSender": waybill.get("SendersPhone"),
        "PhoneRecipient": waybill.get("RecipientsPhone"),
        "CounterpartyType": kinds["Recipient"],
        "CounterpartySenderType": kinds["Sender"],
        "CounterpartySenderDescription": companies["Sender"],
        "CounterpartyRecipientDescription": companies["Recipient"],
    }


def _places(world: World, waybill: Waybill) -> dict[str, Any]:
    members: dict[str, Any] = {"RecipientWarehouseTypeRef": "", "WarehouseRecipientRef": "", "CategoryOfWarehouse": ""}
    for side in ("Sender", "Recipient"):
        city = directory.CITIES.get(waybill.get(f"City{side}"))
        ref = waybill.get(f"{side}Address")
        place = world.place(ref)
        warehouse = None if isinstance(place, SavedAddress) else place
        members |= {
            f"City{side}": city.name if city else "",
            f"RefCity{side}": waybill.get(f"City{side}"),
            f"RefSettlement{side}": city.settlement if city else "",
            f"{side}Address": f"{city.short_type} {city.name}, {world.place_text(ref)}" if city else "",
            f"Warehouse{side}": warehouse["Description"] if warehouse else "",
            f"Warehouse{side}Address": warehouse["ShortAddress"] if warehouse else "",
            f"Warehouse{side}InternetAddressRef": ref if warehouse else "",
        }
        if side == "Recipient":
            members["WarehouseRecipientNumber"] = int(warehouse["Number"]) if warehouse else ""
            if warehouse:
                members["RecipientWarehouseTypeRef"] = warehouse["TypeOfWarehouse"]
                members["WarehouseRecipientRef"] = ref
                members["CategoryOfWarehouse"] = warehouse["CategoryOfWarehouse"]
    return members


def _dates(waybill: Waybill) -> dict[str, Any]:
    arrived = waybill.arrived
    charged = arrived + dt.timedelta(days=FREE_DAYS) if arrived else None
    return {
        "DateCreated": f"{waybill.created:%d-%m-%Y %H:%M:%S}",
        "DateScan": f"{waybill.scanned:%H:%M %d.%m.%Y}" if waybill.scanned else "0001-01-01 00:00:00",
        "TrackingUpdateDate": _iso(waybill.updated),
        "ScheduledDeliveryDate": f"{waybill.eta:%d-%m-%Y} 18:00:00",
        "AdjustedDate": f"{waybill.eta:%Y-%m-%d} 22:00:00",
        "ActualDeliveryDate": _iso(arrived),
        "RecipientDateTime": f"{waybill.received:%d.%m.%Y %H:%M:%S}" if waybill.received else "",
        "DateFirstDayStorage": f"{charged:%Y-%m-%d}" if charged else "",
        "DatePayedKeeping": _iso(charged),
    }


def _payment(waybill: Waybill) -> dict[str, Any]:
    paid = waybill.received is not None
    return {
        "PayerType": waybill.get("PayerType"),
        "PaymentMethod": waybill.get("PaymentMethod"),
        "DocumentCost": str(waybill.cost),
        "AmountToPay": str(waybill.cost),
        "AmountPaid": str(waybill.cost) if paid else "",
        "PaymentStatus": "PAYED" if paid else "",
        "PaymentStatusDate": _iso(waybill.received),
        "ExpressWaybillPaymentStatus": "Payed" if paid else "NeedPayment",
        "AfterpaymentOnGoodsCost": _round(waybill.get("AfterpaymentOnGoodsCost")),
    }


def _money_back(waybill: Waybill) -> dict[str, Any]:
    """Cash on delivery: `RedeliveryNum` appears at receipt (status 10), the GM members when it is paid out (11)."""
    amount = _round(waybill.transfer)
    payer = next((str(one.get("PayerType", "")) for one in waybill.sent.get("BackwardDeliveryData") or []), "")
    started = bool(amount) and waybill.received is not None
    return {
        "Redelivery": 1 if amount else 0,
        "RedeliverySum": amount,
        "RedeliveryPayer": payer,
        "RedeliveryNum": f"5100{waybill.number[4:]}" if started else "",
        "RedeliveryServiceCost": str(transfer_fee(float(amount))) if amount else "",
        "RedeliveryPaymentCardRef": "",
        "RedeliveryPaymentCardDescription": "",
        "LastTransactionStatusGM": ("Видано" if waybill.paid_out else "Підготовлено") if started else "",
        "LastTransactionDateTimeGM": _iso(waybill.paid_out or waybill.received) if started else "",
        "LastAmountTransferGM": amount if started else "",
    }


def _relatives(waybill: Waybill) -> dict[str, Any]:
    return {
        "OwnerDocumentType": waybill.owner_type,
        "OwnerDocumentNumber": waybill.owner_number,
        "CreatedOnTheBasis": waybill.owner_number,
        "LastCreatedOnTheBasisDocumentType": waybill.basis_type,
        "LastCreatedOnTheBasisNumber": waybill.basis_number,
        "LastCreatedOnTheBasisDateTime": _iso(waybill.basis_at),
        "LastCreatedOnTheBasisPayerType": waybill.get("PayerType") if waybill.basis_number else "",
    }


def _iso(moment: dt.datetime | None) -> str:
    return f"{moment:%Y-%m-%d %H:%M:%S}" if moment else ""


def _round(value: str) -> int | float:
    amount = as_number(value) or 0.0
    return int(amount) if amount == int(amount) else amount
