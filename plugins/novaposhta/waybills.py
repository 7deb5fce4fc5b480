"""Actions on parcels: make, change, delete, price, date, find, list, track, print. Each: (desk, action) -> Done."""

from __future__ import annotations

import base64
import datetime as dt
from collections.abc import Iterator, Mapping
from typing import Any

from hub.errors import Refused, Retry
from hub.model import Action, Done, Record, Watch
from plugins.novaposhta import dates, outgoing, recipient, tracking, watching
from plugins.novaposhta.client import StaleRef
from plugins.novaposhta.codes import TRACKING_BATCH
from plugins.novaposhta.desk import Desk, number
from plugins.novaposhta.directory import City
from plugins.novaposhta.outgoing import MARKER, MARKER_LENGTH, Destination

#: how far back a lost create is searched for when nobody says since when
_LOOK_BACK = dt.timedelta(days=7)
#: waybills may be dated some days ahead, and the list goes by date
_LOOK_AHEAD = dt.timedelta(days=10)
_MOST_PAGES = 50
_MOST_FILE = 2_000_000

#: kind of printed form -> its path; {name} is a number or ref
PRINTED = {
    "document": "printDocument/orders[]/{name}/type/{format}/apiKey/",
    "marking": "printMarkings/orders[]/{name}/type/{format}/apiKey/",
    "marking100": "printMarking100x100/orders[]/{name}/type/{format}/apiKey/",
    "marking85": "printMarking85x85/orders[]/{name}/type/{format}/apiKey/",
}


# --- make, change, delete -----------------------------------------------------------------------


def create(desk: Desk, action: Action) -> Done:
    """Make a waybill: find the city and the branch, save the recipient, save the waybill, watch it from now on."""
    properties = _properties(desk, action, action.marker)
    try:
        row = desk.client.waybill_save(properties)
    except StaleRef as stale:
        raise _stale(desk, stale) from None
    return done(desk, outgoing.saved(row, action.values), properties)


def done(desk: Desk, record: Record, properties: Mapping[str, Any]) -> Done:
    """Return what a waybill brings: its record, and that it is watched from now on."""
    phone = str(properties.get("RecipientsPhone") or record.get("phone") or "")
    cod = outgoing.has_transfer(properties) or bool(record.get("cod") and not properties)
    watch = watching.first_watch(str(record["number"]), desk.now, float(desk.settings["poll"]), phone, cod)
    return Done(result=record, id=str(record["number"]), watch=[watch])


def update(desk: Desk, action: Action) -> Done:
    """Change a waybill that is not accepted yet; the vendor wants all its properties again."""
    properties = {"Ref": desk.ref(action), **_properties(desk, action, "")}
    try:
        row = desk.client.waybill_update(properties)
    except StaleRef as stale:
        raise _stale(desk, stale) from None
    result = outgoing.saved(row, action.values)
    return Done(result=result, id=str(result["number"]), written=properties)


def delete(desk: Desk, action: Action) -> Done:
    """Delete a waybill that was not handed over; the hub stops watching it."""
    ref = desk.ref(action)
    desk.client.waybill_delete([ref])
    name = str(action.values.get("number") or action.id or "")
    ended = [Watch(watching.KIND, name, after=None)] if name else []
    return Done(result={"ref": ref, "number": name, "status": "cancelled"}, id=name, watch=ended)


def _properties(desk: Desk, action: Action, marker: str) -> dict[str, Any]:
    """Check everything that can be checked without asking, then resolve city, branch and recipient."""
    values = action.values
    outgoing.known(values, outgoing.WAYBILL_WORDS, action.name)
    problems = outgoing.waybill_problems(values)
    own_receiver = all(values.get(name) for name in ("Recipient", "ContactRecipient", "RecipientsPhone"))
    person, bad = (None, {}) if own_receiver else recipient.read(values)
    outgoing.refuse("the waybill can't be made", problems | bad)
    sender = desk.sender(values)
    to = _destination(desk, action)
    receiver: dict[str, str] = {}
    if person:
        # a rehearsal: what can't be sent is refused before the recipient is written into the address book
        outgoing.waybill(values, sender, to, {}, desk.today, box=desk.settings.get("box"))
        receiver = outgoing.receiver(person, desk.client.counterparty_save(person.properties()))
    if values.get("street") and not to.branch:
        counterparty = receiver.get("Recipient") or str(values.get("Recipient"))
        to = Destination(to.city, door=_door(desk, values, to.city, counterparty))
    return outgoing.waybill(values, sender, to, receiver, desk.today, marker, desk.settings.get("box"))


def _destination(desk: Desk, action: Action) -> Destination:
    values, patient = action.values, action.attempt == 1
    branch_text = str(values.get("branch") or "")
    if values.get("CityRecipient"):
        city = City(str(values["CityRecipient"]))
    else:
        city = desk.directory.city(desk.client, str(values["city"]), branch_wanted=bool(branch_text))
    if values.get("RecipientAddress") or not branch_text:
        return Destination(city)
    branch = desk.directory.branch(desk.client, city, branch_text, patient)
    if branch.city and branch.city != city.ref:
        raise Refused(f"{branch.label} is not in {city.label or city.ref}", {"branch": "in another city"})
    weight = outgoing.amount(values, "weight", {})
    if weight and 0 < branch.max_weight < weight:
        words = f"{branch.label} takes at most {branch.max_weight:g} kg, this parcel weighs {outgoing.plain(weight)}"
        raise Refused(words, {"weight": words})
    return Destination(city, branch)


def _door(desk: Desk, values: Mapping[str, Any], city: City, counterparty: str) -> str:
    street = desk.directory.street(desk.client, city, str(values["street"]))
    door = {"CounterpartyRef": counterparty, "StreetRef": street, "BuildingNumber": str(values["house"])}
    if values.get("flat"):
        door["Flat"] = str(values["flat"])
    return str(desk.client.address_save(door).get("Ref") or "")


def _stale(desk: Desk, stale: StaleRef) -> Exception:
    """A ref came from our memory of the directories: read them again; else it is the route's own, so refuse."""
    if desk.directory.forget():
        return Retry(f"{stale.reason}; the directories are read again", 2.0)
    return stale


# --- ask ----------------------------------------------------------------------------------------


def price(desk: Desk, action: Action) -> Done:
    """Say what delivery to a city would cost: cost, cost_redelivery, cost_pack (UAH)."""
    values = action.values
    problems: dict[str, str] = {}
    weight = outgoing.amount(values, "weight", problems)
    cost, cod = outgoing.amount(values, "cost", problems), outgoing.amount(values, "cod", problems)
    outgoing.refuse("the price can't be asked", problems)
    properties: dict[str, Any] = {
        **_route(desk, values),
        "Weight": outgoing.plain(weight) if weight else "0.5",
        "CargoType": "Parcel",
        "SeatsAmount": str(values.get("seats") or "1"),
        "Cost": outgoing.plain(cost) if cost else "300",
    }
    if cod:
        properties["RedeliveryCalculate"] = {"CargoType": "Money", "Amount": outgoing.plain(cod)}
    row = desk.client.price(properties | outgoing.native(values))
    zone = row.get("TZoneInfo") or row.get("TzoneInfo")
    result = {
        "cost": tracking.money(row, "Cost"),
        "cost_redelivery": tracking.money(row, "CostRedelivery"),
        "cost_pack": tracking.money(row, "CostPack"),
        "zone": tracking.text(zone, "TzoneID") if isinstance(zone, dict) else "",
        "extra": row,
    }
    return Done(result={name: value for name, value in result.items() if value})


def date(desk: Desk, action: Action) -> Done:
    """Say when a parcel handed over today (or on DateTime) would arrive: eta (YYYY-MM-DD)."""
    properties = {**_route(desk, action.values), "DateTime": dates.to_vendor(desk.today)}
    row = desk.client.delivery_date(properties | outgoing.native(action.values))
    nested = row.get("DeliveryDate")
    moment = nested if isinstance(nested, dict) else row
    return Done(result={"eta": dates.day_text(moment.get("date")), "extra": row})


def _route(desk: Desk, values: Mapping[str, Any]) -> dict[str, str]:
    own = outgoing.native(values)
    city = str((desk.settings.get("sender") or {}).get("city") or "")
    if not own.get("CitySender") and not city:
        raise Refused("set sender.city in the settings of this connection", {"sender.city": "missing"})
    if not own.get("CityRecipient") and not values.get("city"):
        raise Refused("no city", {"city": "missing"})
    lookup = desk.directory.city
    return {
        "CitySender": str(own.get("CitySender") or lookup(desk.client, city).ref),
        "CityRecipient": str(own.get("CityRecipient") or lookup(desk.client, str(values["city"])).ref),
        "ServiceType": "WarehouseWarehouse",
    }


def track(desk: Desk, action: Action) -> Done:
    """Read a parcel now and watch it from now on: for waybills made by hand in the cabinet."""
    phone = recipient.vendor_phone(action.values.get("phone")) or ""
    item = desk.track_one(number(action), phone)
    record = tracking.parcel(item)
    base, cod = float(desk.settings["poll"]), tracking.money_on_delivery(item)
    data = {
        "phone": phone,
        "status": item["StatusCode"],
        "updated": item["TrackingUpdateDate"],
        "cod": cod,
        "since": desk.now.isoformat(),
        "misses": 0,
    }
    after = watching.next_question(item["StatusCode"], cod, 0, base)
    return Done(result=record, id=record["id"], watch=[Watch(watching.KIND, record["id"], data, after)])


# --- find and list ------------------------------------------------------------------------------


def find(desk: Desk, by: Mapping[str, Any], limit: int = 50) -> list[Record]:
    """Return waybills that match all of `by`, oldest first, made by hand or by the hub.

    Keys: marker (InfoRegClientBarcodes), number or id, phone, since and until (instants, epoch seconds or days), and
    members of getDocumentList's rows (StateId, CityRecipient, ...). `number` alone is read by tracking.
    """
    wanted = str(by.get("number") or by.get("id") or "")
    if wanted and not set(by) - {"number", "id", "since"}:
        return [tracking.parcel(item) for item in _tracked(desk, [wanted])]
    rows = list(_listed(desk, by))
    marker = str(by.get("marker") or "")[:MARKER_LENGTH]
    if marker:
        _add_markers(desk, rows)
        rows = [row for row in rows if marker in (row.get(MARKER), row.get("ClientBarcode"))]
    phone = recipient.vendor_phone(by.get("phone"))
    found = [outgoing.listed(row) for row in rows if _matches(row, by, phone)]
    found = [record for record in found if not wanted or record.get("number") == wanted]
    return sorted(found, key=lambda record: (record.get("created_at", ""), record.get("number", "")))[:limit]


def _matches(row: Mapping[str, Any], by: Mapping[str, Any], phone: str | None) -> bool:
    if by.get("phone") and tracking.text(row, "RecipientsPhone", "RecipientContactPhone") != phone:
        return False
    return all(tracking.text(row, name) == str(value) for name, value in by.items() if name[:1].isupper())


def _listed(desk: Desk, by: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Read all pages of the days asked for; a page that brings nothing new is the end."""
    first = _day(by.get("since")) or desk.today - _LOOK_BACK
    last = _day(by.get("until")) or desk.today + _LOOK_AHEAD
    seen: set[str] = set()
    for page in range(1, _MOST_PAGES + 1):
        days = dates.to_vendor(first - dt.timedelta(days=1)), dates.to_vendor(last)
        fresh = [row for row in desk.client.waybill_list(*days, page) if str(row.get("Ref")) not in seen]
        if not fresh:
            return
        seen.update(str(row.get("Ref")) for row in fresh)
        yield from fresh


def _day(value: Any) -> dt.date | None:
    """Read the day of an instant, of epoch seconds, or of a date in any spelling."""
    if isinstance(value, int | float):
        value = dt.datetime.fromtimestamp(value, dt.UTC)
    return dates.today(value) if isinstance(value, dt.datetime) else dates.day(value)


def _add_markers(desk: Desk, rows: list[dict[str, Any]]) -> None:
    """The list doesn't always show the client's barcode; tracking does (ClientBarcode)."""
    bare = [row for row in rows if MARKER not in row and "ClientBarcode" not in row]
    items = _tracked(desk, [str(row.get("IntDocNumber")) for row in bare]) if bare else ()
    barcodes = {tracking.text(item, "Number"): tracking.text(item, "ClientBarcode") for item in items}
    for row in bare:
        row["ClientBarcode"] = barcodes.get(str(row.get("IntDocNumber")), "")


def _tracked(desk: Desk, numbers: list[str]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    for start in range(0, len(numbers), TRACKING_BATCH):
        batch = [{"DocumentNumber": one, "Phone": desk.sender_phone} for one in numbers[start : start + TRACKING_BATCH]]
        found += desk.client.track(batch)
    return [item for item in found if tracking.text(item, "StatusCode") != tracking.UNKNOWN_NUMBER]


def search(desk: Desk, action: Action) -> Done:
    """`parcel.find` and `parcel.list`: values and `find` say what; the answer has rows and count."""
    return outgoing.rows(find(desk, {**action.find, **action.values}, action.limit or 500))


# --- print --------------------------------------------------------------------------------------


def print_form(desk: Desk, action: Action) -> Done:
    """Fetch a printed form: `kind` document | marking | marking100 | marking85, `format` pdf | html.

    The vendor's link holds the API key, so the link in the result is masked and the file itself comes along,
    base64, up to 2 MB.
    """
    name = str(action.values.get("ref") or number(action))
    kind, form = str(action.values.get("kind") or "document"), str(action.values.get("format") or "pdf")
    if kind not in PRINTED or form not in ("pdf", "html"):
        raise Refused(f"kind is one of {', '.join(PRINTED)}; format is pdf or html", {"kind": kind})
    if not name.replace("-", "").isalnum():
        raise Refused(f"{name!r} is neither a waybill number nor a ref", {"number": name})
    link = str(desk.settings["print_url"]).rstrip("/") + "/" + PRINTED[kind].format(name=name, format=form)
    content = desk.client.print_file(link + "{key}")
    if form == "pdf" and not content.startswith(b"%PDF"):
        raise Refused(
            f"{name}: the cabinet answered a page instead of a PDF: not our waybill, or the key is not accepted"
        )
    if len(content) > _MOST_FILE:
        raise Refused(f"{name}: the printed form has {len(content)} bytes, more than {_MOST_FILE}")
    return Done(
        result={
            "number": name,
            "url": link + "***",
            "name": f"{name}-{kind}.{form}",
            "content_type": "application/pdf" if form == "pdf" else "text/html",
            "file": base64.b64encode(content).decode("ascii"),
        }
    )
