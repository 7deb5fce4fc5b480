"""A small piece of Nova Poshta's geography: public refs where they are known, invented ones elsewhere.

Mind the two kinds of refs: searchSettlements gives a *settlement* ref and, as DeliveryCity, the *city* ref that
waybills want. Two villages share the name Миколаївка: an address given by name goes to the first of them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

KYIV = "8d5a980d-391c-11dd-90d9-001a92567626"
LVIV = "db5c88f5-391c-11dd-90d9-001a92567626"
ODESA = "db5c88d0-391c-11dd-90d9-001a92567626"
KYIVETS = "6dbe5985-96d1-11ea-a970-b8830365ade4"
MYKOLAIVKA_ODESA = "c1700000-0000-4000-8000-000000000001"
MYKOLAIVKA_KYIV = "c1700000-0000-4000-8000-000000000002"
PIDLISNE = "c1700000-0000-4000-8000-000000000003"

KYIV_BRANCH_1 = "1ec09d88-e1c2-11e3-8c4a-0050568002cf"
KYIV_BRANCH_2 = "b7a9c000-0000-4000-8000-000000000002"
KYIV_BRANCH_30_KG = "b7a9c000-0000-4000-8000-000000000003"
KYIV_BRANCH_CLOSED = "b7a9c000-0000-4000-8000-000000000004"
KYIV_POSTOMAT = "b7a9c000-0000-4000-8000-000000000005"
LVIV_BRANCH_1 = "b7a9c000-0000-4000-8000-000000000011"
LVIV_POSTOMAT = "b7a9c000-0000-4000-8000-000000000013"
ODESA_BRANCH_1 = "b7a9c000-0000-4000-8000-000000000021"

POST_OFFICE = "841339c7-591a-42e2-8233-7a0a00f0ed6f"
CARGO_OFFICE = "9a68df70-0267-42a8-bb5c-37f427e36ee4"
POSTOMAT = "f9316480-5f2d-425d-bc2c-ac7cd29decf0"
PARCEL_SHOP = "6f8c7162-4b72-4b0a-88e5-906948c6a92f"

WAREHOUSE_TYPES = [
    {"Ref": PARCEL_SHOP, "Description": "Parcel Shop", "DescriptionRu": "Parcel Shop"},
    {"Ref": POST_OFFICE, "Description": "Поштове відділення", "DescriptionRu": "Почтовое отделение"},
    {"Ref": POSTOMAT, "Description": "Поштомат", "DescriptionRu": "Почтомат"},
    {"Ref": CARGO_OFFICE, "Description": "Вантажне відділення", "DescriptionRu": "Грузовое отделение"},
]


@dataclass(frozen=True)
class Area:
    """An oblast; settlements know it by another ref than cities do."""

    ref: str
    settlement_ref: str
    name: str
    name_ru: str
    center: str


@dataclass(frozen=True)
class Place:
    """A town or a village, under both of its refs."""

    city: str
    settlement: str
    name: str
    name_ru: str
    area: Area
    city_id: int
    region: str = ""
    town: bool = False
    doors: bool = True

    @property
    def short_type(self) -> str:
        """Return "м." or "с."."""
        return "м." if self.town else "с."

    @property
    def present(self) -> str:
        """Return the whole name: "с. Київець, Миколаївський р-н, Львівська обл."."""
        region = f" {self.region} р-н," if self.region else ""
        return f"{self.short_type} {self.name},{region} {self.area.name} обл."


@dataclass(frozen=True)
class Street:
    """A street; getStreet and searchSettlementStreets name it by the same ref here."""

    ref: str
    place: Place
    name: str
    name_ru: str
    lat: float
    lon: float


_KYIV_AREA = Area(
    "71508131-9b87-11de-822f-000c2965ae0e", "dcaadb64-4b33-11e4-ab6d-005056801329", "Київська", "Киевская", KYIV
)
_LVIV_AREA = Area(
    "71508134-9b87-11de-822f-000c2965ae0e", "dcaad5a7-4b33-11e4-ab6d-005056801329", "Львівська", "Львовская", LVIV
)
_ODESA_AREA = Area(
    "71508136-9b87-11de-822f-000c2965ae0e", "dcaada41-4b33-11e4-ab6d-005056801329", "Одеська", "Одесская", ODESA
)
AREAS = (_KYIV_AREA, _LVIV_AREA, _ODESA_AREA)

_KYIV = Place(KYIV, "e718a680-4b33-11e4-ab6d-005056801329", "Київ", "Киев", _KYIV_AREA, 4, town=True)
_KYIVETS = Place(
    KYIVETS, "0df25497-4b3a-11e4-ab6d-005056801329", "Київець", "Киевец", _LVIV_AREA, 9001, "Миколаївський"
)
_LVIV = Place(LVIV, "e71abb60-4b33-11e4-ab6d-005056801329", "Львів", "Львов", _LVIV_AREA, 3, town=True)
_ODESA = Place(ODESA, "e71f8bc6-4b33-11e4-ab6d-005056801329", "Одеса", "Одесса", _ODESA_AREA, 6, town=True)
_MYKOLAIVKA_ODESA = Place(
    MYKOLAIVKA_ODESA,
    "5e771e00-0000-4000-8000-000000000001",
    "Миколаївка",
    "Николаевка",
    _ODESA_AREA,
    9002,
    "Березівський",
)
_MYKOLAIVKA_KYIV = Place(
    MYKOLAIVKA_KYIV,
    "5e771e00-0000-4000-8000-000000000002",
    "Миколаївка",
    "Николаевка",
    _KYIV_AREA,
    9003,
    "Білоцерківський",
)
#: no branch here: nothing but a courier
_PIDLISNE = Place(
    PIDLISNE,
    "5e771e00-0000-4000-8000-000000000003",
    "Підлісне",
    "Подлесное",
    _KYIV_AREA,
    9004,
    "Броварський",
    doors=False,
)
PLACES = (_KYIV, _KYIVETS, _LVIV, _ODESA, _MYKOLAIVKA_ODESA, _MYKOLAIVKA_KYIV, _PIDLISNE)
CITIES = {place.city: place for place in PLACES}
SETTLEMENTS = {place.settlement: place for place in PLACES}

STREETS = {
    street.ref: street
    for street in (
        Street("ad090b1f-6845-11e6-8304-00505688561d", _KYIV, "Хрещатик", "Крещатик", 50.44806, 30.52225),
        Street("57ee7000-0000-4000-8000-000000000002", _KYIV, "Богатирська", "Богатырская", 50.5241, 30.4987),
        Street("57ee7000-0000-4000-8000-000000000011", _LVIV, "Городоцька", "Городоцкая", 49.8374, 23.9965),
        Street("57ee7000-0000-4000-8000-000000000021", _ODESA, "Дерибасівська", "Дерибасовская", 46.4848, 30.7372),
    )
}

_WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_HOURS = {day: "09:00-18:00" if day in ("Saturday", "Sunday") else "08:00-21:00" for day in _WEEKDAYS}


def _warehouse(
    ref: str, place: Place, number: int, address: str, address_ru: str = "", kind: str = POST_OFFICE, **other: Any
) -> dict[str, Any]:
    """Return a row of getWarehouses; a postomat takes 20 kg and 40x60x30 cm, a branch up to 1100 kg."""
    postomat = kind == POSTOMAT
    word, word_ru = ("Поштомат", "Почтомат") if postomat else ("Відділення", "Отделение")
    size = {"Width": 40, "Height": 30, "Length": 60} if postomat else {"Width": 170, "Height": 220, "Length": 600}
    address_ru = address_ru or address
    return {
        "SiteKey": str(10000 + place.city_id * 10 + number),
        "Description": f"{word} №{number}: {address}",
        "DescriptionRu": f"{word_ru} №{number}: {address_ru}",
        "ShortAddress": f"{place.name}, {address}",
        "ShortAddressRu": f"{place.name_ru}, {address_ru}",
        "Phone": "380800000000",
        "TypeOfWarehouse": kind,
        "Ref": ref,
        "Number": str(number),
        "CityRef": place.city,
        "CityDescription": place.name,
        "CityDescriptionRu": place.name_ru,
        "SettlementRef": place.settlement,
        "SettlementDescription": place.name,
        "SettlementAreaDescription": place.area.name,
        "SettlementRegionsDescription": place.region,
        "SettlementTypeDescription": "місто" if place.town else "село",
        "SettlementTypeDescriptionRu": "город" if place.town else "село",
        "Longitude": "30.542884000000000",
        "Latitude": "50.354786000000000",
        "PostFinance": "0" if postomat else "1",
        "BicycleParking": "0" if postomat else "1",
        "PaymentAccess": "1",
        "POSTerminal": "0" if postomat else "1",
        "InternationalShipping": "0" if postomat else "1",
        "SelfServiceWorkplacesCount": "0" if postomat else "1",
        "TotalMaxWeightAllowed": "0",
        "PlaceMaxWeightAllowed": "20" if postomat else "1100",
        "SendingLimitationsOnDimensions": size,
        "ReceivingLimitationsOnDimensions": size,
        "Reception": _HOURS,
        "Delivery": _HOURS,
        "Schedule": _HOURS,
        "DistrictCode": "в1",
        "WarehouseStatus": "Working",
        "WarehouseStatusDate": "2022-03-22 00:00:00",
        "CategoryOfWarehouse": "Postomat" if postomat else "Branch",
        "Direct": "",
        "RegionCity": f"{place.name.upper()} ПОСИЛКОВИЙ",
        "WarehouseForAgent": "0",
        "GeneratorEnabled": "0" if postomat else "1",
        "MaxDeclaredCost": "10000" if postomat else "0",
        "WorkInMobileAwis": "0",
        "DenyToSelect": "0",
        "CanGetMoneyTransfer": "0" if postomat else "1",
        "OnlyReceivingParcel": "0",
        "PostMachineType": "FullPostMachine" if postomat else "",
        "PostalCodeUA": "",
        "WarehouseIndex": f"{place.city_id}/{number}",
    } | other


WAREHOUSES: dict[str, dict[str, Any]] = {
    row["Ref"]: row
    for row in (
        _warehouse(
            KYIV_BRANCH_1,
            _KYIV,
            1,
            "вул. Пирогівський шлях, 135",
            "ул. Пироговский путь, 135",
            CARGO_OFFICE,
            SiteKey="105",
            ShortAddress="Київ, Пирогівський шлях, 135",
            ShortAddressRu="Киев, Пироговский путь, 135",
            RegionCity="КИЇВ ЗАХІД ПОСИЛКОВИЙ",
            WarehouseIndex="11/1",
        ),
        _warehouse(KYIV_BRANCH_2, _KYIV, 2, "вул. Богатирська, 11", kind=CARGO_OFFICE),
        _warehouse(KYIV_BRANCH_30_KG, _KYIV, 3, "вул. Хрещатик, 22", PlaceMaxWeightAllowed="30"),
        _warehouse(KYIV_BRANCH_CLOSED, _KYIV, 4, "вул. Хрещатик, 40", WarehouseStatus="NotWorking", DenyToSelect="1"),
        _warehouse(KYIV_POSTOMAT, _KYIV, 5001, "вул. Хрещатик, 15", kind=POSTOMAT),
        _warehouse(LVIV_BRANCH_1, _LVIV, 1, "вул. Городоцька, 359", "ул. Городоцкая, 359", CARGO_OFFICE),
        _warehouse("b7a9c000-0000-4000-8000-000000000012", _LVIV, 2, "вул. Пластова, 7", PlaceMaxWeightAllowed="30"),
        _warehouse(LVIV_POSTOMAT, _LVIV, 5101, "вул. Городоцька, 100", kind=POSTOMAT),
        _warehouse(ODESA_BRANCH_1, _ODESA, 1, "Київське шосе, 27", "Киевское шоссе, 27", CARGO_OFFICE),
        _warehouse("b7a9c000-0000-4000-8000-000000000022", _ODESA, 2, "вул. Дерибасівська, 5"),
        _warehouse("b7a9c000-0000-4000-8000-000000000031", _KYIVETS, 1, "вул. Шевченка, 1", kind=PARCEL_SHOP),
        _warehouse("b7a9c000-0000-4000-8000-000000000041", _MYKOLAIVKA_ODESA, 1, "вул. Центральна, 3"),
        _warehouse("b7a9c000-0000-4000-8000-000000000051", _MYKOLAIVKA_KYIV, 1, "вул. Центральна, 8"),
    )
}


def warehouses_in(city: str) -> list[dict[str, Any]]:
    """Return the warehouses of a city (by city ref)."""
    return [row for row in WAREHOUSES.values() if row["CityRef"] == city]


def is_postomat(warehouse: dict[str, Any]) -> bool:
    """Say whether this is a locker, with a locker's limits."""
    return bool(warehouse["CategoryOfWarehouse"] == "Postomat")
