"""What goes out: a route's values become the properties of a waybill; the vendor's answer becomes a result. Pure.

Our words are small (`city`, `branch`, `cost`, `cod`, ...); whatever begins with a capital letter is a property of
InternetDocument.save and goes out verbatim, over anything this module would have written.
"""

from __future__ import annotations

import datetime as dt
import difflib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any

import marshmallow as ma

from hub.errors import Refused, Uncertain
from hub.model import Done, Record
from plugins.novaposhta import dates, tracking
from plugins.novaposhta.codes import neutral_status
from plugins.novaposhta.directory import Branch, City
from plugins.novaposhta.recipient import Recipient
from plugins.novaposhta.schemas import SavedWaybill

#: our words for a waybill
WAYBILL_WORDS = (
    "city", "branch", "street", "house", "flat", "name", "first_name", "last_name", "middle_name", "phone",
    "cost", "cod", "cod_kind", "weight", "seats", "description", "volume", "length", "width", "height", "note",
    "number", "ref",
)  # fmt: skip
MARKER = "InfoRegClientBarcodes"
#: the vendor names an error "is too long" (20000200189) but no limit; 50 is what clients keep to
MARKER_LENGTH = 50
#: the vendor's rule: a cubic metre weighs 250 kg
_KG_PER_M3 = Decimal(250)
_LEAST_VOLUME = Decimal("0.0004")
#: a postomat takes one seat up to these: kg, cm (sides sorted, longest first), declared UAH
POSTOMAT_KG, POSTOMAT_CM, POSTOMAT_UAH = 20, (60, 40, 30), 10_000


@dataclass(frozen=True)
class Destination:
    """Where it goes: a branch of the city, or (door delivery) the ref of a saved address."""

    city: City
    branch: Branch | None = None
    door: str = ""


# --- reading values ---------------------------------------------------------------------------


def known(values: Mapping[str, Any], words: Iterable[str], what: str) -> None:
    """Raise `Refused` for a small word this action doesn't know, with the nearest guess."""
    allowed = tuple(words)
    for name in values:
        if name not in allowed and not name[:1].isupper():
            near = difflib.get_close_matches(name, allowed, 1)
            guess = f" Did you mean {near[0]!r}?" if near else f" It knows: {', '.join(allowed)}."
            raise Refused(f"{what} does not know the value {name!r}.{guess}", {name: "unknown"})


def native(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the vendor's own properties among the values."""
    return {name: value for name, value in values.items() if name[:1].isupper()}


def amount(values: Mapping[str, Any], name: str, problems: dict[str, str]) -> Decimal | None:
    """Read a number above zero ("1 500,00"); None if it is absent, empty or 0, a problem if it is no number."""
    raw = str(values.get(name) or "").strip()
    text = raw.replace(" ", "").replace("\xa0", "").replace(",", ".")
    if not text:
        return None
    try:
        number = Decimal(text)
    except InvalidOperation:
        number = Decimal("NaN")
    if not number.is_finite() or number < 0:
        problems[name] = f"{name} {raw!r} is not a number"
        return None
    return number or None


def plain(number: Decimal) -> str:
    """Return a number as the vendor writes it: "1500", "1500.50"."""
    return str(int(number)) if number == number.to_integral() else f"{number:f}"


def waybill_problems(values: Mapping[str, Any]) -> dict[str, str]:
    """Return what a waybill still lacks before anybody is asked: {value: words}."""
    problems: dict[str, str] = {}
    if not values.get("city") and not values.get("CityRecipient"):
        problems["city"] = "no city"
    if not any(values.get(name) for name in ("branch", "street", "RecipientAddress")):
        problems["branch"] = "no branch (or street and house for door delivery)"
    if values.get("street") and not values.get("house"):
        problems["house"] = "no house number for door delivery"
    for name in ("weight", "seats", "volume", "length", "width", "height", "cod"):
        amount(values, name, problems)
    if amount(values, "cost", problems) is None and not values.get("Cost") and "cost" not in problems:
        problems["cost"] = "no declared value: `cost` is empty or 0"
    if str(values.get("cod_kind") or "money") not in ("money", "control"):
        problems["cod_kind"] = "cod_kind is money (a transfer) or control (payment control, needs a NovaPay contract)"
    return problems


def refuse(what: str, problems: dict[str, str]) -> None:
    """Raise `Refused` if there are problems, all of them in words."""
    if problems:
        raise Refused(f"{what}: {'; '.join(problems.values())}", problems)


# --- the waybill ------------------------------------------------------------------------------


def waybill(
    values: Mapping[str, Any],
    sender: Mapping[str, str],
    to: Destination,
    receiver: Mapping[str, str],
    today: dt.date,
    marker: str = "",
    box: Mapping[str, float] | None = None,
) -> dict[str, Any]:
    """Return methodProperties of InternetDocument.save.

    sender: CitySender, Sender, ContactSender, SenderAddress, SendersPhone. receiver: Recipient, ContactRecipient,
    RecipientsPhone. Sums in UAH, weight in kg (0.5 unless given), volume in cubic metres, sides in cm.
    """
    own = native(values)
    cargo = str(own.get("CargoType") or "Parcel")
    weight = amount(values, "weight", {}) or Decimal("0.5")
    seats = int(amount(values, "seats", {}) or 1)
    properties: dict[str, Any] = {
        "PayerType": "Recipient",
        "PaymentMethod": "Cash",
        "DateTime": dates.to_vendor(today),
        "CargoType": cargo,
        "ServiceType": "WarehouseWarehouse",
        "Weight": plain(weight),
        "SeatsAmount": str(seats),
        "Description": str(values.get("description") or "Товар"),
        "Cost": plain(amount(values, "cost", {}) or Decimal(0)),
        **sender,
        "CityRecipient": to.city.ref,
        "RecipientAddress": to.branch.ref if to.branch else to.door,
        **receiver,
        **_money_back(values),
    }
    if values.get("note"):
        properties["AdditionalInformation"] = str(values["note"])[:100]
    if marker:
        properties[MARKER] = marker[:MARKER_LENGTH]
    if "OptionsSeat" not in own and "VolumeGeneral" not in own:
        properties |= _size(values, to, cargo, weight, seats, box)
    properties |= own
    properties["ServiceType"] = _service(str(properties["ServiceType"]), to)
    if to.branch and to.branch.postomat:
        _fits_postomat(properties, to.branch)
    return properties


def _money_back(values: Mapping[str, Any]) -> dict[str, Any]:
    """Cash on delivery is one of two products: a money transfer, or payment control to the company's account."""
    sum_ = amount(values, "cod", {})
    if sum_ is None:
        return {}
    if str(values.get("cod_kind") or "money") == "control":
        return {"AfterpaymentOnGoodsCost": plain(sum_)}
    transfer = {"PayerType": "Recipient", "CargoType": "Money", "RedeliveryString": plain(sum_)}
    return {"BackwardDeliveryData": [transfer]}


def _service(service: str, to: Destination) -> str:
    """The destination decides how the service ends: at a branch, a postomat or a door."""
    start = "Doors" if service.startswith("Doors") else "Warehouse"
    if to.door:
        return f"{start}Doors"
    if to.branch is None:
        return service
    return f"{start}{'Postomat' if to.branch.postomat else 'Warehouse'}"


def _size(
    values: Mapping[str, Any], to: Destination, cargo: str, weight: Decimal, seats: int, box: Mapping[str, float] | None
) -> dict[str, Any]:
    """Return VolumeGeneral or OptionsSeat; documents carry neither, a postomat needs the sides."""
    if cargo == "Documents":
        return {}
    sides = {name: amount(values, name, {}) for name in ("length", "width", "height")}
    postomat = bool(to.branch and to.branch.postomat)
    if not all(sides.values()) and postomat:
        if not box:
            raise Refused(
                "a postomat wants the parcel's size: give length, width and height in cm, or `box` in the settings",
                {"length": "missing for a postomat"},
            )
        sides = {name: Decimal(str(box[name])) for name in sides}
    if all(sides.values()):
        # the limits are per side, and a box may lie any way: the longest side is the length
        length, width, height = sorted((side or Decimal(0) for side in sides.values()), reverse=True)
        seat = {
            "weight": plain((weight / seats).quantize(Decimal("0.01"))),
            "volumetricLength": plain(length),
            "volumetricWidth": plain(width),
            "volumetricHeight": plain(height),
            "volumetricVolume": plain((length * width * height / 1_000_000).quantize(Decimal("0.0001"))),
        }
        return {"OptionsSeat": [dict(seat) for _ in range(seats)]}
    volume = amount(values, "volume", {}) or max(weight / _KG_PER_M3, _LEAST_VOLUME)
    return {"VolumeGeneral": plain(volume.quantize(Decimal("0.0001")) if volume > _LEAST_VOLUME else volume)}


def _fits_postomat(properties: dict[str, Any], branch: Branch) -> None:
    problems: dict[str, str] = {}
    for seat in properties.get("OptionsSeat") or ():
        if not isinstance(seat, dict):
            continue
        if (heavy := amount(seat, "weight", {})) and heavy > POSTOMAT_KG:
            problems["weight"] = f"{plain(heavy)} kg is more than {POSTOMAT_KG} kg"
        sides = sorted(
            (amount(seat, f"volumetric{side}", {}) or 0 for side in ("Length", "Width", "Height")), reverse=True
        )
        if any(side > most for side, most in zip(sides, POSTOMAT_CM, strict=True)):
            problems["length"] = f"{' x '.join(plain(Decimal(side)) for side in sides)} cm is more than 60 x 40 x 30"
    declared = amount(properties, "Cost", {})
    if declared and declared > POSTOMAT_UAH:
        problems["cost"] = f"the declared value is more than {POSTOMAT_UAH} UAH"
    if properties.get("AfterpaymentOnGoodsCost"):
        problems["cod_kind"] = "payment control is not possible in a postomat"
    refuse(f"{branch.label} is a postomat", problems)


# --- results ----------------------------------------------------------------------------------


def saved(row: Mapping[str, Any], values: Mapping[str, Any]) -> Record:
    """Return the result of a created waybill; without its number nobody knows what was made, so `Uncertain`."""
    try:
        waybill = SavedWaybill().load(row)
    except ma.ValidationError as error:
        raise Uncertain(f"the waybill's answer lacks what is needed: {error.messages}") from None
    cod = amount(values, "cod", {})
    result = {
        "id": waybill["IntDocNumber"],
        "number": waybill["IntDocNumber"],
        "ref": waybill["Ref"],
        "cost": waybill["CostOnSite"] or None,
        "eta": dates.day_text(waybill["EstimatedDeliveryDate"]),
        "status": "registered",
        "url": tracking.TRACKING_PAGE + str(waybill["IntDocNumber"]),
        "cod": plain(cod) if cod else None,
    }
    return {name: value for name, value in result.items() if value is not None}


def has_transfer(properties: Mapping[str, Any]) -> bool:
    """Say whether a waybill asks for a money transfer back, so that its story ends at 11."""
    back = properties.get("BackwardDeliveryData")
    return isinstance(back, list) and any(isinstance(one, dict) and one.get("CargoType") == "Money" for one in back)


def listed(row: Mapping[str, Any]) -> Record:
    """Return a row of getDocumentList as a parcel."""
    code = tracking.text(row, "TrackingStatusCode", "StateId")
    record: Record = {
        "id": tracking.text(row, "IntDocNumber"),
        "number": tracking.text(row, "IntDocNumber"),
        "ref": tracking.text(row, "Ref"),
        "status": neutral_status(code),
        "status_code": code,
        "status_text": tracking.text(row, "TrackingStatusName", "StateName"),
        "cost": tracking.money(row, "CostOnSite"),
        "cod": tracking.money(row, "RedeliverySum", "BackwardDeliveryMoney", "AfterpaymentOnGoodsCost"),
        "order": tracking.text(row, MARKER, "ClientBarcode"),
        "eta": dates.day_text(row.get("EstimatedDeliveryDate")) or dates.day_text(row.get("PreferredDeliveryDate")),
        "phone": tracking.text(row, "RecipientsPhone", "RecipientContactPhone"),
        "created_at": dates.instant_text(row.get("EWDateCreated")) or dates.instant_text(row.get("DateTime")),
        "extra": dict(row),
    }
    return {name: value for name, value in record.items() if value not in (None, "")}


def rows(found: Iterable[Mapping[str, Any]]) -> Done:
    """Return a list as a result: `rows` and `count`, and the first row's members for a step that wants just one."""
    listed_rows = [dict(row) for row in found]
    first = {name: value for name, value in (listed_rows[0] if listed_rows else {}).items()}
    return Done(result={**first, "rows": listed_rows, "count": len(listed_rows)})


def receiver(person: Recipient, answer: Mapping[str, Any]) -> dict[str, str]:
    """Return Recipient, ContactRecipient and RecipientsPhone out of Counterparty.save's answer.

    The person is the contact inside the nested envelope; the outer Ref is a counterparty shared by everybody.
    """
    nested = answer.get("ContactPerson")
    people = nested.get("data") if isinstance(nested, dict) else None
    contact = people[0] if isinstance(people, list) and people and isinstance(people[0], dict) else {}
    if not answer.get("Ref") or not contact.get("Ref"):
        raise Refused("Nova Poshta saved the recipient but named no contact person", {"name": "not accepted"})
    return {"Recipient": str(answer["Ref"]), "ContactRecipient": str(contact["Ref"]), "RecipientsPhone": person.phone}
