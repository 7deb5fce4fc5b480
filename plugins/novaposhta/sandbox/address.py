"""Address.*: the directories (they answer without a key too) and the saved doors of counterparties."""

from __future__ import annotations

from typing import Any

from plugins.novaposhta.codes import error_text
from plugins.novaposhta.sandbox import directory
from plugins.novaposhta.sandbox.directory import Place, Street
from plugins.novaposhta.sandbox.envelope import Answer, Props, method, paged, refuse, text
from plugins.novaposhta.sandbox.world import SavedAddress, World

TOWN_TYPE = "563ced10-f210-11e3-8c4a-0050568002cf"
VILLAGE_TYPE = "563ced13-f210-11e3-8c4a-0050568002cf"
STREET_TYPE = "0f1d7fbb-4bba-11e4-ab6d-005056801329"
BUILDING_EXISTS = "30000500679"


def _like(wanted: str, *names: str) -> bool:
    """Match as the vendor's search does: any case, from the beginning of the name."""
    return any(name.lower().startswith(wanted.lower()) for name in names)


# --- settlements and cities -------------------------------------------------------------------


@method("Address.searchSettlements", without_key=True)
def search_settlements(_world: World, props: Props) -> Answer:
    """Find settlements by the beginning of a name; the count and the rows come inside data[0]."""
    wanted = text(props, "CityName")
    found = [
        _found_settlement(place) for place in directory.PLACES if wanted and _like(wanted, place.name, place.name_ru)
    ]
    page = paged(found, props)
    return Answer([{"TotalCount": len(found), "Addresses": page.data}])


def _found_settlement(place: Place) -> dict[str, Any]:
    return {
        "Present": place.present,
        "Warehouses": len(directory.warehouses_in(place.city)),
        "MainDescription": place.name,
        "Area": place.area.name,
        "Region": place.region,
        "SettlementTypeCode": place.short_type,
        "Ref": place.settlement,
        "DeliveryCity": place.city,
        "AddressDeliveryAllowed": place.doors,
        "StreetsAvailability": any(street.place is place for street in directory.STREETS.values()),
        "ParentRegionTypes": "область",
        "ParentRegionCode": "обл.",
        "RegionTypes": "район" if place.region else "",
        "RegionTypesCode": "р-н" if place.region else "",
    }


@method("Address.searchSettlementStreets", without_key=True)
def search_settlement_streets(_world: World, props: Props) -> Answer:
    """Find streets of a settlement; a city ref here is an error, the two kinds of refs do not mix."""
    settlement = text(props, "SettlementRef")
    if settlement not in directory.SETTLEMENTS:
        raise refuse("20000500626")
    wanted = text(props, "StreetName")
    found = [
        _found_street(street)
        for street in directory.STREETS.values()
        if street.place.settlement == settlement and _like(wanted, street.name, street.name_ru)
    ]
    return Answer([{"TotalCount": len(found), "Addresses": paged(found, props).data}])


def _found_street(street: Street) -> dict[str, Any]:
    return {
        "SettlementRef": street.place.settlement,
        "SettlementStreetRef": street.ref,
        "SettlementStreetDescription": street.name,
        "Present": f"вул. {street.name}",
        "StreetsType": STREET_TYPE,
        "StreetsTypeDescription": "вул.",
        "Location": {"lat": street.lat, "lon": street.lon},
        "SettlementStreetDescriptionRu": street.name_ru,
    }


@method("Address.getCities", without_key=True)
def get_cities(_world: World, props: Props) -> Answer:
    """List cities: places with a branch; `info.totalCount` counts all that match."""
    ref, wanted = text(props, "Ref"), text(props, "FindByString")
    rows = [
        _city(place)
        for place in directory.PLACES
        if directory.warehouses_in(place.city) and ref in ("", place.city) and _like(wanted, place.name, place.name_ru)
    ]
    return paged(rows, props)


def _city(place: Place) -> dict[str, Any]:
    kind, kind_ru = ("місто", "город") if place.town else ("село", "село")
    return {
        "Description": place.name,
        "DescriptionRu": place.name_ru,
        "Ref": place.city,
        **{f"Delivery{day}": "1" for day in range(1, 8)},
        "Area": place.area.ref,
        "SettlementType": TOWN_TYPE if place.town else VILLAGE_TYPE,
        "IsBranch": "1" if place.town else "0",
        "PreventEntryNewStreetsUser": "0",
        "CityID": str(place.city_id),
        "SettlementTypeDescription": kind,
        "SettlementTypeDescriptionRu": kind_ru,
        "SpecialCashCheck": 1,
        "AreaDescription": place.area.name,
        "AreaDescriptionRu": place.area.name_ru,
    }


@method("Address.getSettlements", without_key=True)
def get_settlements(_world: World, props: Props) -> Answer:
    """List settlements; Warehouse=1 keeps those with a branch. At most 150 rows a page."""
    wanted = text(props, "FindByString")
    rows = [
        _settlement(place)
        for place in directory.PLACES
        if text(props, "Ref") in ("", place.settlement)
        and text(props, "AreaRef") in ("", place.area.settlement_ref)
        and _like(wanted, place.name, place.name_ru)
        and (text(props, "Warehouse") != "1" or directory.warehouses_in(place.city))
    ]
    return paged(rows, props, limit=150)


def _settlement(place: Place) -> dict[str, Any]:
    kind = "місто" if place.town else "село"
    region = f"{place.region} р-н" if place.region else ""
    return {
        "Ref": place.settlement,
        "SettlementType": TOWN_TYPE if place.town else VILLAGE_TYPE,
        "Latitude": "50.450418000000000",
        "Longitude": "30.523541000000000",
        "Description": place.name,
        "DescriptionRu": place.name_ru,
        "DescriptionTranslit": "",
        "SettlementTypeDescription": kind,
        "SettlementTypeDescriptionRu": "город" if place.town else "село",
        "SettlementTypeDescriptionTranslit": "misto" if place.town else "selo",
        "Region": "",
        "RegionsDescription": region,
        "RegionsDescriptionRu": region,
        "RegionsDescriptionTranslit": "",
        "Area": place.area.settlement_ref,
        "AreaDescription": f"{place.area.name} область",
        "AreaDescriptionRu": f"{place.area.name_ru} область",
        "AreaDescriptionTranslit": "",
        "Index1": "01001",
        "Index2": "01001",
        "IndexCOATSU1": "8000000000",
        **{f"Delivery{day}": "1" for day in range(1, 8)},
        "SpecialCashCheck": 1,
        "Warehouse": "1" if directory.warehouses_in(place.city) else "0",
    }


@method("Address.getAreas", without_key=True)
def get_areas(_world: World, _props: Props) -> Answer:
    """List oblasts, under the refs that cities know them by."""
    return Answer(
        [
            {"Ref": area.ref, "AreasCenter": area.center, "DescriptionRu": area.name_ru, "Description": area.name}
            for area in directory.AREAS
        ]
    )


@method("Address.getSettlementAreas", without_key=True)
def get_settlement_areas(_world: World, props: Props) -> Answer:
    """List oblasts, under the refs that settlements know them by (the shape is a client's, not a fixture's)."""
    rows = [
        {"Ref": area.settlement_ref, "AreasCenter": area.center, "Description": area.name, "RegionType": "область"}
        for area in directory.AREAS
        if text(props, "Ref") in ("", area.settlement_ref)
    ]
    return Answer(rows)


@method("Address.getStreet", without_key=True)
def get_street(_world: World, props: Props) -> Answer:
    """List the streets of a city."""
    city, wanted = text(props, "CityRef"), text(props, "FindByString")
    if not city:
        raise refuse("20000900767")
    rows = [
        {"Description": street.name, "Ref": street.ref, "StreetsTypeRef": "Street", "StreetsType": "вул."}
        for street in directory.STREETS.values()
        if street.place.city == city and _like(wanted, street.name, street.name_ru)
    ]
    return paged(rows, props)


# --- warehouses -------------------------------------------------------------------------------

#: filter -> member of the row; all of them must hold
_WAREHOUSE_FILTERS = {
    "Ref": "Ref",
    "CityRef": "CityRef",
    "SettlementRef": "SettlementRef",
    "WarehouseId": "Number",
    "TypeOfWarehouseRef": "TypeOfWarehouse",
    "PostFinance": "PostFinance",
    "POSTerminal": "POSTerminal",
    "BicycleParking": "BicycleParking",
}


@method("Address.getWarehouseTypes", without_key=True)
def get_warehouse_types(_world: World, _props: Props) -> Answer:
    """List the types that TypeOfWarehouseRef can name."""
    return Answer(directory.WAREHOUSE_TYPES)


@method("Address.getWarehouses", without_key=True)
def get_warehouses(_world: World, props: Props) -> Answer:
    """List warehouses, at most 500 a page. A city name nobody knows is an error, an unknown ref an empty list."""
    name, wanted = text(props, "CityName"), text(props, "FindByString").lower()
    if name and not any(name.lower() in (place.name.lower(), place.name_ru.lower()) for place in directory.PLACES):
        raise refuse("20000900768")
    rows = [
        row
        for row in directory.WAREHOUSES.values()
        if all(text(props, key) in ("", row[member]) for key, member in _WAREHOUSE_FILTERS.items())
        and (not name or name.lower() in (row["CityDescription"].lower(), row["CityDescriptionRu"].lower()))
        and wanted in f"{row['Description']} {row['DescriptionRu']}".lower()
    ]
    return paged(rows, props)


# --- saved doors ------------------------------------------------------------------------------


@method("Address.save")
def save(world: World, props: Props) -> Answer:
    """Save a door of a counterparty; the same door again is the same Ref and a warning."""
    door = _read_door(world, props, "")
    for known in world.addresses.values():
        if (known.counterparty, known.street, known.building, known.flat) == (
            door.counterparty,
            door.street,
            door.building,
            door.flat,
        ):
            return _saved(known, exists=True)
    door.ref = world.new_ref()
    world.addresses[door.ref] = door
    return _saved(door)


@method("Address.update")
def update(world: World, props: Props) -> Answer:
    """Change a saved door."""
    known = _known_door(world, props)
    merged = {
        "CounterpartyRef": known.counterparty,
        "StreetRef": known.street,
        "BuildingNumber": known.building,
        "Flat": known.flat,
        "Note": known.note,
    } | {name: value for name, value in props.items() if value is not None}
    world.addresses[known.ref] = door = _read_door(world, merged, known.ref)
    return _saved(door)


@method("Address.delete")
def delete(world: World, props: Props) -> Answer:
    """Forget a saved door."""
    door = _known_door(world, props)
    del world.addresses[door.ref]
    return Answer([{"Ref": door.ref}])


def _read_door(world: World, props: Props, ref: str) -> SavedAddress:
    counterparty, street = text(props, "CounterpartyRef"), text(props, "StreetRef")
    if not counterparty:
        raise refuse("20000800728")
    if counterparty not in world.counterparties:
        raise refuse("20000400454")
    if street not in directory.STREETS:
        raise refuse("20000500639")
    if not text(props, "BuildingNumber"):
        raise refuse("20000500624")
    return SavedAddress(
        ref, counterparty, street, text(props, "BuildingNumber"), text(props, "Flat"), text(props, "Note")
    )


def _known_door(world: World, props: Props) -> SavedAddress:
    ref = text(props, "Ref")
    if not ref:
        raise refuse("20000900752")
    if ref not in world.addresses:
        raise refuse("20000400480")
    return world.addresses[ref]


def _saved(door: SavedAddress, exists: bool = False) -> Answer:
    data = [{"Ref": door.ref, "Description": door.description}]
    if not exists:
        return Answer(data)
    return Answer(data, warnings=[error_text(BUILDING_EXISTS)], warning_codes=[BUILDING_EXISTS])
