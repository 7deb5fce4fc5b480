"""A tracking item (`TrackingDocument.getStatusDocuments`) in the hub's words. Pure.

One parcel may live under several waybill numbers: a refused one comes home under a return waybill, a redirected one
goes on under another. The hub keeps telling the story under the first number, the one the CRM knows:

| role of the second waybill | from code          | what its statuses mean for the first        |
| -------------------------- | ------------------ | ------------------------------------------- |
| return                     | 102, 103, 105, 108 | returning; received by the sender: returned |
| redirect                   | 104                | the same status                             |
| backward                   | 106                | delivered stays; papers on their way back   |
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from typing import Any

from hub import normal
from hub.model import Event, Record
from plugins.novaposhta import dates
from plugins.novaposhta.codes import FINISHED, neutral_status

TRACKING_PAGE = "https://novaposhta.ua/tracking/?cargo_number="
UNKNOWN_NUMBER = "3"
RECEIVED = ("delivered", "paid_out")


def text(item: Mapping[str, Any], *names: str) -> str:
    """Return the first of these members that has a value, as text."""
    for name in names:
        value = item.get(name)
        if value not in (None, "", False) and not isinstance(value, list | dict):
            return str(value).strip()
    return ""


def money(item: Mapping[str, Any], *names: str) -> str | None:
    """Return the first of these members that is a sum above zero, as decimal text."""
    for name in names:
        try:
            amount = Decimal(text(item, name).replace(",", ".") or "0")
        except InvalidOperation:
            continue
        if amount.is_finite() and amount > 0:
            return str(amount)
    return None


def _kilograms(item: Mapping[str, Any]) -> float | None:
    weight = money(item, "FactualWeight", "DocumentWeight")
    return float(weight) if weight and len(weight) < 12 else None


def money_on_delivery(item: Mapping[str, Any]) -> bool:
    """Say whether a money transfer follows the delivery (code 10 becomes 11); payment control has none."""
    return money(item, "RedeliverySum") is not None or text(item, "Redelivery") == "1"


def free_until(item: Mapping[str, Any]) -> dt.date | None:
    """Return the last day of free storage.

    The vendor names the first day that is charged: DateFirstDayStorage (a day), or else DatePayedKeeping (a moment
    of that day). In its own fixture a parcel that arrived on 6 April has both on 14 April; the last free day is the
    13th. Where the two could differ a reminder a day early does no harm, a day late costs the client money.
    """
    first_charged = dates.day(item.get("DateFirstDayStorage")) or dates.day(item.get("DatePayedKeeping"))
    return first_charged - dt.timedelta(days=1) if first_charged else None


def role_of(code: str, kind: str = "") -> str:
    """Return what the waybill created on the basis of this one is: `return`, `redirect` or `backward`."""
    if code == "106" or "redelivery" in kind.lower():
        return "backward"
    return "redirect" if code == "104" or "redirect" in kind.lower() else "return"


def status_in_role(code: str, role: str = "") -> str:
    """Return the neutral status that a code of a waybill means for the parcel it belongs to."""
    status = neutral_status(code)
    if role == "return" and status != "unknown":
        return "returned" if status in RECEIVED else "returning"
    return "delivered" if role == "backward" else status


def finished(code: str, cod: bool = False, role: str = "") -> bool:
    """Say whether nothing more will happen: 2, 9, 11, 106; a parcel with a money transfer only at 11."""
    if cod and role in ("", "redirect") and code == "9":
        return False
    return code in FINISHED


def parcel(item: Mapping[str, Any], was: Mapping[str, Any] | None = None) -> Record:
    """Return the neutral parcel. `was` is what the watch knew: `follows` and `role` of a second waybill."""
    was = was or {}
    number, code = text(item, "Number"), text(item, "StatusCode")
    first, role = str(was.get("follows") or ""), str(was.get("role") or "")
    cod = money_on_delivery(item) or bool(was.get("cod"))
    last_free_day = free_until(item)
    record: Record = {
        "id": first or number,
        "number": first or number,
        "ref": text(item, "RefEW") if not first else None,
        "url": TRACKING_PAGE + number,
        "status": status_in_role(code, role),
        "status_code": code,
        "status_text": text(item, "Status"),
        "status_at": dates.instant_text(item.get("TrackingUpdateDate")),
        "eta": dates.day_text(item.get("AdjustedDate")) or dates.day_text(item.get("ScheduledDeliveryDate")),
        "free_until": last_free_day.isoformat() if last_free_day else None,
        "branch": text(item, "WarehouseRecipient"),
        "branch_number": text(item, "WarehouseRecipientNumber"),
        "city": text(item, "CityRecipient"),
        "cost": money(item, "DocumentCost"),
        "cod": money(item, "RedeliverySum", "AfterpaymentOnGoodsCost"),
        "order": text(item, "ClientBarcode", "InfoRegClientBarcodes"),
        "return_number": number if first else text(item, "LastCreatedOnTheBasisNumber"),
        "recipient": text(item, "RecipientFullName", "RecipientFullNameEW"),
        "phone": normal.phone(text(item, "PhoneRecipient"), "UA"),
        "weight": _kilograms(item),
        "finished": finished(code, cod, role) or bool(was.get("given_up")),
        "extra": {name: value for name, value in item.items() if name != "was" and value not in (None, "", [], {})},
    }
    if role in ("return", "backward"):  # addressed to the sender: not the client's name, phone or branch
        for name in ("recipient", "phone", "branch", "branch_number", "city", "free_until", "eta"):
            record.pop(name)
    return {name: value for name, value in record.items() if value not in (None, "")}


def contact(record: Record) -> Record:
    """Return the recipient as a contact, {} where the parcel names none (a short record, a return).

    The vendor writes surname, first name, patronymic; a company or a single word stays one name.
    """
    name = str(record.get("recipient") or "")
    words = name.split()
    parts: dict[str, str] = {}
    if 2 <= len(words) <= 3 and all(word.replace("'", "").replace("-", "").isalpha() for word in words):
        parts = dict(zip(("last_name", "first_name", "middle_name"), words, strict=False))
    person = normal.contact("UA", name=name, phone=record.get("phone"), **parts)
    return {key: value for key, value in person.items() if parts or key not in ("first_name", "last_name")}


def event(item: Mapping[str, Any], was: Mapping[str, Any] | None = None) -> Event:
    """Return what happened: `parcel.status_changed`, or `parcel.updated` when the code stayed (a new date, a note)."""
    was = was or {}
    record = parcel(item, was)
    code, before, role = text(item, "StatusCode"), str(was.get("status") or ""), str(was.get("role") or "")
    same = code == before or role == "backward" or (role and status_in_role(code, role) == status_in_role(before, role))
    contents: dict[str, Any] = {"parcel": record}
    if person := contact(record):
        contents["contact"] = person
    return Event(
        type="parcel.updated" if same or was.get("given_up") else "parcel.status_changed",
        subject=f"parcel:{record['number']}",
        key=event_key(item, record["number"]),
        record=contents,
        occurred_at=dates.instant(item.get("TrackingUpdateDate")),
        title=f"{record['number']}: {record['status']}",
        text=record.get("status_text", ""),
    )


def event_key(item: Mapping[str, Any], subject: str) -> str:
    """Return what makes this change one event, whether a poll or a push brought it."""
    marks = (subject, text(item, "Number"), text(item, "StatusCode"), text(item, "TrackingUpdateDate"))
    return "parcel:" + ":".join(marks)


def belongs_to(item: Mapping[str, Any]) -> dict[str, str]:
    """Return `follows` and `role` as the item itself tells them (OwnerDocumentNumber), {} for a first waybill."""
    owner, kind = text(item, "OwnerDocumentNumber"), text(item, "OwnerDocumentType")
    if not owner or not any(word in kind.lower() for word in ("return", "redirect", "redelivery")):
        return {}
    return {"follows": owner, "role": role_of("", kind)}
