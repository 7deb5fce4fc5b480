"""What every action works with: client, directories, settings and time; and the one way to a waybill."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from hub.errors import Gone, Refused
from hub.model import Action
from plugins.novaposhta import dates, schemas, tracking
from plugins.novaposhta.client import Client
from plugins.novaposhta.directory import GUID, Directory

#: setting of `sender` -> property of a waybill
SENDER = {
    "city": "CitySender",
    "counterparty": "Sender",
    "contact": "ContactSender",
    "address": "SenderAddress",
    "phone": "SendersPhone",
}


@dataclass
class Desk:
    """The tools of one piece of work."""

    client: Client
    directory: Directory
    settings: Mapping[str, Any]
    now: dt.datetime

    @property
    def today(self) -> dt.date:
        """The calendar day in Kyiv."""
        return dates.today(self.now)

    @property
    def sender_phone(self) -> str:
        """The sender's phone (380...), "" if the settings name none; it opens the full record of our own parcels."""
        return str((self.settings.get("sender") or {}).get("phone") or "")

    def sender(self, own: Mapping[str, Any]) -> dict[str, str]:
        """Return the sender's properties of a waybill; `Refused` naming what neither settings nor values hold."""
        given = self.settings.get("sender") or {}
        missing = [f"sender.{name}" for name, target in SENDER.items() if not given.get(name) and not own.get(target)]
        if missing:
            words = f"the settings of this connection lack {', '.join(missing)}; `hub names` prints the refs"
            raise Refused(f"a waybill needs its sender: {words}", dict.fromkeys(missing, "missing"))
        properties = {target: str(given[name]) for name, target in SENDER.items() if given.get(name)}
        if (city := properties.get("CitySender")) and not GUID.fullmatch(city):
            properties["CitySender"] = self.directory.city(self.client, city).ref
        return properties

    def track_one(self, number: str, phone: str = "") -> dict[str, Any]:
        """Read one parcel; `Gone` if the vendor doesn't know the number."""
        asked = [{"DocumentNumber": number, "Phone": phone or self.sender_phone}]
        for item in self.client.track(asked):
            try:
                known = schemas.tracking_item(item)
            except ValueError:
                continue
            if known["StatusCode"] != tracking.UNKNOWN_NUMBER:
                return known
        raise Gone(f"Nova Poshta knows no parcel {number}")

    def ref(self, action: Action) -> str:
        """Return the Ref of the waybill an action is about: `ref`, or read by its number."""
        name = str(action.values.get("ref") or number(action))
        if GUID.fullmatch(name):
            return name
        found = tracking.text(self.track_one(name), "RefEW")
        if not found:
            raise Refused(
                f"parcel {name}: Nova Poshta shows its Ref only to its sender; give `ref`", {"ref": "missing"}
            )
        return found


def number(action: Action) -> str:
    """Return the waybill number an action is about: `number`, IntDocNumber, or the target's id."""
    values = action.values
    found = str(
        values.get("number") or values.get("IntDocNumber") or action.find.get("number") or action.id or ""
    ).strip()
    if not found and not values.get("ref"):
        raise Refused(f"{action.name} needs the waybill's `number`", {"number": "missing"})
    return found


def many(value: Any) -> list[str]:
    """Return a list of refs or numbers that may have come as one text with commas."""
    parts = value if isinstance(value, list | tuple) else str(value or "").replace(";", ",").split(",")
    return [str(part).strip() for part in parts if str(part).strip()]
