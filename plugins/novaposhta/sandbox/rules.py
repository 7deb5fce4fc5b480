"""What InternetDocument.save and update check, and the codes they refuse with; every fault found is reported.

The codes and texts are the vendor's table; which of them answers a given fault was seen live only for a few
("Recipient not selected", "RecipientsPhone invalid format", "VolumeGeneral must be empty"), the rest goes by the text.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from typing import Any

from plugins.novaposhta.sandbox import directory
from plugins.novaposhta.sandbox.envelope import Props, as_number, number, text
from plugins.novaposhta.sandbox.people import PHONE
from plugins.novaposhta.sandbox.world import KYIV, SENDER, SavedAddress, World

#: property -> (code when absent, code when not one of these, the values)
_CHOICES = {
    "PayerType": ("20000200247", "20000301244", ("Sender", "Recipient", "ThirdPerson")),
    "PaymentMethod": ("20000200248", "20000200251", ("Cash", "NonCash")),
    "CargoType": ("20000200099", "20000200184", ("Parcel", "Cargo", "Documents", "TiresWheels", "Pallet")),
    "ServiceType": (
        "20000200347",
        "20000200348",
        ("DoorsDoors", "DoorsWarehouse", "WarehouseWarehouse", "WarehouseDoors", "DoorsPostomat", "WarehousePostomat"),
    ),
}
#: property -> (code when absent, code when not a number above zero)
_NUMBERS = {
    "Weight": ("20000400503", "20000200373"),
    "SeatsAmount": ("20000200313", "20000200314"),
    "Cost": ("20000400452", "20000200118"),
}
#: side -> the codes of its city, counterparty, contact, address and phone
_SIDES = {
    "Sender": {
        "city": ("20000200107", "20000200106"),
        "party": ("20000300442", "20000300439"),
        "contact": ("20000300406", "20000300403", "20000300402"),
        "address": ("20000200329", "20000200326", "20000200327", "20000200325"),
        "phone": ("20000300445", "20000300444"),
        "repeated": ("20000201746",),
    },
    "Recipient": {
        "city": ("20000200104", "20000200103"),
        "party": ("20000300431", "20000300428"),
        "contact": ("20000300401", "20000300398", "20000300397"),
        "address": ("20000200268", "20000200265", "20000200266", "20000200264"),
        "phone": ("20000300435", "20000300434"),
        "repeated": ("20000201765",),
    },
}
_DESCRIPTION_LENGTH = 120
_BARCODE_LENGTH = 50  # the limit itself is not published, only the code for breaking it
_TRANSFER_LIMIT = 50000
_DOCUMENTS_WEIGHT = 1

#: a locker's limits per seat: member, most, code
_POSTOMAT_LIMITS = (
    ("weight", 20, "20000200380"),
    ("volumetricWidth", 40, "20000200389"),
    ("volumetricLength", 60, "20000200212"),
    ("volumetricHeight", 30, "20000200181"),
)
_POSTOMAT_VALUE = 10000


def faults(world: World, props: Props) -> list[str]:
    """Return the codes of everything that is wrong with a waybill, in the order a form is read."""
    new_address = text(props, "NewAddress") == "1"
    found = [
        *_choices(props),
        *_numbers(props),
        *_date(world, props),
        *_words(props),
        *_side(world, props, "Sender"),
        *(_new_address(props) if new_address else _side(world, props, "Recipient")),
        *_phone(props, "Sender"),
        *_phone(props, "Recipient"),
        *_cargo(props),
        *_destination(props),
        *_money_back(world, props),
    ]
    return list(dict.fromkeys(found))


def _choices(props: Props) -> Iterator[str]:
    for name, (absent, wrong, allowed) in _CHOICES.items():
        value = text(props, name)
        if not value:
            yield absent
        elif value not in allowed:
            yield wrong
    if (text(props, "PayerType"), text(props, "PaymentMethod")) == ("ThirdPerson", "Cash"):
        yield "20000200350"


def _numbers(props: Props) -> Iterator[str]:
    for name, (absent, wrong) in _NUMBERS.items():
        if not text(props, name):
            yield absent
        elif not number(props, name):
            yield wrong
    seats = number(props, "SeatsAmount")
    if seats and seats != int(seats):
        yield "20000200314"


def _date(world: World, props: Props) -> Iterator[str]:
    value = text(props, "DateTime")
    day = read_date(value)
    if not value:
        yield "20000200145"
    elif day is None:
        yield "20000400456"
    elif day < world.now().date():
        yield "20000400455"


def read_date(value: str) -> dt.date | None:
    """Read dd.mm.yyyy, the only date format requests use."""
    try:
        return dt.datetime.strptime(value, "%d.%m.%Y").replace(tzinfo=KYIV).date()
    except ValueError:
        return None


def _words(props: Props) -> Iterator[str]:
    description = text(props, "Description")
    if not description:
        yield "20000200150"
    elif len(description) > _DESCRIPTION_LENGTH:
        yield "20000200152"
    if len(text(props, "InfoRegClientBarcodes")) > _BARCODE_LENGTH:
        yield "20000200189"


# --- who and where ----------------------------------------------------------------------------


def _side(world: World, props: Props, side: str) -> Iterator[str]:
    codes = _SIDES[side]
    city, party, contact = (text(props, name) for name in (f"City{side}", side, f"Contact{side}"))
    if city not in directory.CITIES:
        yield codes["city"][1 if city else 0]
    if party not in world.counterparties:
        yield codes["party"][1 if party else 0]
    if contact not in world.contacts:
        yield codes["contact"][1 if contact else 0]
    elif world.contacts[contact].counterparty != party:
        yield codes["contact"][2]
    elif _repeats(world.contacts[contact].name):
        yield codes["repeated"][0]
    yield from _address(world, props, side, city, party)


def _repeats(name: str) -> bool:
    words = name.lower().split()
    return len(set(words)) < len(words)


def _address(world: World, props: Props, side: str, city: str, party: str) -> Iterator[str]:
    absent, unknown, wrong, foreign = _SIDES[side]["address"]
    ref = text(props, f"{side}Address")
    place = world.place(ref)
    if place is None:
        yield unknown if ref else absent
        return
    to_door = _is_door(props, side)
    if isinstance(place, SavedAddress):
        if place.counterparty != party:
            yield foreign
        elif not to_door:
            yield wrong
    elif to_door or place["CityRef"] != city:
        yield wrong
    elif place["DenyToSelect"] == "1":
        yield "20000201797"


def _is_door(props: Props, side: str) -> bool:
    service = text(props, "ServiceType")
    return service.startswith("Doors") if side == "Sender" else service.endswith("Doors")


def _phone(props: Props, side: str) -> Iterator[str]:
    absent, wrong = _SIDES[side]["phone"]
    value = text(props, f"{side}sPhone")
    if not value:
        yield absent
    elif not PHONE.fullmatch(value):
        yield wrong


def _new_address(props: Props) -> Iterator[str]:
    """The recipient in words: the city by name, the branch by number or the street by name."""
    city = text(props, "RecipientCityName")
    if not city:
        yield "20000200281"
    elif city_by_name(city) is None:
        yield "20000200279"
    elif _is_door(props, "Recipient"):
        if not text(props, "RecipientHouse"):
            yield "20000200296"
        if street_by_name(city, text(props, "RecipientAddressName")) is None:
            yield "20000200273"
    elif warehouse_by_number(city, text(props, "RecipientAddressName")) is None:
        yield "20000200273"
    yield from _new_recipient(props)


def _new_recipient(props: Props) -> Iterator[str]:
    kind = text(props, "RecipientType")
    if kind not in ("PrivatePerson", "Organization"):
        yield "20000200300"
    name = text(props, "RecipientName" if kind != "Organization" else "RecipientContactName")
    if not name:
        yield "20000200283"
    elif len(name.split()) < 2:
        yield "20000201598"
    elif _repeats(name):
        yield "20000201758"


def city_by_name(name: str) -> directory.Place | None:
    """Return the first place of that name: a namesake village wins or loses by its place in the list."""
    found = (place for place in directory.PLACES if name.lower() in (place.name.lower(), place.name_ru.lower()))
    return next(found, None)


def warehouse_by_number(city: str, wanted: str) -> dict[str, Any] | None:
    """Find a warehouse of a city by its number or its Ref."""
    place = city_by_name(city)
    rows = directory.warehouses_in(place.city) if place else []
    return next((row for row in rows if wanted in (row["Number"], row["Ref"])), None)


def street_by_name(city: str, wanted: str) -> directory.Street | None:
    """Find a street of a city by its name or its Ref."""
    place = city_by_name(city)
    streets = (street for street in directory.STREETS.values() if street.place is place)
    return next((street for street in streets if wanted.lower() in (street.name.lower(), street.ref)), None)


# --- what is sent -----------------------------------------------------------------------------


def _cargo(props: Props) -> Iterator[str]:
    """Documents carry no volume; anything else carries VolumeGeneral or OptionsSeat."""
    seats, volume = props.get("OptionsSeat"), text(props, "VolumeGeneral")
    if text(props, "CargoType") == "Documents":
        if volume:
            yield "20000200367"
        if (number(props, "Weight") or 0) > _DOCUMENTS_WEIGHT:
            yield "20000200376"
        return
    if seats is not None:
        yield from _seats(props, seats)
    elif not volume or not number(props, "VolumeGeneral"):
        yield "20000200365"


def _seats(props: Props, seats: Any) -> Iterator[str]:
    """Inside OptionsSeat, unlike anywhere else, the names begin with a small letter."""
    if not isinstance(seats, list):
        yield "20000200227"
    elif not seats or not all(isinstance(seat, dict) and as_number(seat.get("weight")) for seat in seats):
        yield "20000200226"
    elif len(seats) != number(props, "SeatsAmount"):
        yield "20000200314"


def _destination(props: Props) -> Iterator[str]:
    """Each branch has its limits; a locker needs OptionsSeat to know whether the parcel fits."""
    warehouse = directory.WAREHOUSES.get(text(props, "RecipientAddress"))
    wants_locker = text(props, "ServiceType").endswith("Postomat")
    if warehouse and directory.is_postomat(warehouse):
        yield from _locker(props)
    elif wants_locker and warehouse:
        yield "20000200266"
    elif warehouse and (number(props, "Weight") or 0) > float(warehouse["PlaceMaxWeightAllowed"]):
        yield "20000201504" if warehouse["PlaceMaxWeightAllowed"] == "30" else "20000200375"


def _locker(props: Props) -> Iterator[str]:
    seats = props.get("OptionsSeat")
    if not isinstance(seats, list) or not seats:
        yield "20000200226"
        return
    for seat in seats:
        for member, most, code in _POSTOMAT_LIMITS:
            size = as_number(seat.get(member)) if isinstance(seat, dict) else None
            if not size:
                yield "20000200226"
            elif size > most:
                yield code
    if (number(props, "Cost") or 0) > _POSTOMAT_VALUE:
        yield "20000200119"
    if text(props, "AfterpaymentOnGoodsCost"):
        yield "20000200032"


# --- money back -------------------------------------------------------------------------------


def _money_back(world: World, props: Props) -> Iterator[str]:
    """Cash on delivery is one of two products: a money transfer back, or payment control to the account."""
    back = props.get("BackwardDeliveryData")
    if back not in (None, "", []):
        yield from _backward(back) if isinstance(back, list) else ("20000200086",)
    control = text(props, "AfterpaymentOnGoodsCost")
    if control and control != "0":
        amount = number(props, "AfterpaymentOnGoodsCost")
        if not amount:
            yield "20000200033"
        elif amount > _TRANSFER_LIMIT:
            yield "20000200034"
        elif text(props, "Sender") == SENDER and not world.quirks.novapay_contract:
            yield "20000200035"


def _backward(items: list[Any]) -> Iterator[str]:
    if not all(isinstance(item, dict) for item in items):
        yield "20000200070"
        return
    kinds = [text(item, "CargoType") for item in items]
    if len(set(kinds)) < len(kinds):
        yield "20000200076"
    for item in items:
        if text(item, "PayerType") not in ("Sender", "Recipient"):
            yield "20000200085"
        if text(item, "CargoType") == "Money":
            yield from _transfer(item)
        elif text(item, "CargoType") not in ("Documents", "Cargo", "Trays"):
            yield "20000200075"


def _transfer(item: Props) -> Iterator[str]:
    amount = number(item, "RedeliveryString")
    if amount is None:
        yield "20000200079"
    elif amount < 1:
        yield "20000200080"
    elif amount > _TRANSFER_LIMIT:
        yield "20000200074"
    if item.get("PaymentCard"):
        yield "20000201794"  # a live try of 2026: "temporary blocked"
