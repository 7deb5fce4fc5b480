"""The Nova Poshta connector: what it declares, and methods of a few lines that call the rest."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, ClassVar
from urllib.parse import urlsplit

import marshmallow as ma

from hub.connector import ActionKind, ConnectionInfo, Connector, EventKind, Limits
from hub.errors import PluginError, Refused
from hub.model import Action, Done, Event, Finding, Poll, Receipt, Record, Request, Watch
from plugins.novaposhta import checkup, incoming, relays, schemas, tracking, watching, waybills
from plugins.novaposhta.actions import ACTIONS, HANDLERS
from plugins.novaposhta.client import Client
from plugins.novaposhta.codes import STATUSES
from plugins.novaposhta.desk import Desk
from plugins.novaposhta.directory import Directory

#: records that can't be read one by one: their ref is all there is to know
_NAMED_BY_REF = ("counterparty", "contact", "address")
_MORE_PARCEL_FIELDS = ("status_code", "status_text", "branch_number", "return_number")


class NovaPoshta(Connector):
    """One account at Nova Poshta (classic API 2.0, domestic Ukraine)."""

    name: ClassVar[str] = "novaposhta"
    title: ClassVar[str] = "Nova Poshta"
    docs_url: ClassVar[str] = "https://developers.novaposhta.ua/documentation"
    Settings: ClassVar[type[ma.Schema]] = schemas.NovaPoshtaSettings
    events: ClassVar[tuple[EventKind, ...]] = (
        EventKind(
            "parcel.status_changed",
            "parcel",
            "parcel.status_changed.poll.json",
            "the parcel moved: polled, or pushed by a relay and read again",
            _MORE_PARCEL_FIELDS,
        ),
        EventKind(
            "parcel.updated",
            "parcel",
            "aftership.tracking_update.webhook.json",
            "same status, something else changed (expected day, end of storage)",
            _MORE_PARCEL_FIELDS,
        ),
    )
    actions: ClassVar[tuple[ActionKind, ...]] = ACTIONS
    statuses: ClassVar[Mapping[str, str]] = {code: status for status, codes in STATUSES.items() for code in codes}
    #: a waybill is in getDocumentList at once; the rest of the time is for a save still running after a time-out
    settle: ClassVar[float] = 30.0
    vendor_field: ClassVar[str] = r"^[A-Z][A-Za-z0-9]+$"

    def __init__(self, connection: ConnectionInfo, settings: Mapping[str, Any]) -> None:
        super().__init__(connection, settings)
        self._directory = Directory()
        #: where the present instant comes from; tests replace it
        self.clock: Callable[[], dt.datetime] = lambda: dt.datetime.now(dt.UTC)

    @property
    def _desk(self) -> Desk:
        client = Client(self.http, self.settings["api_url"], self.settings["api_key"])
        return Desk(client, self._directory, self.settings, self.clock())

    # --- declared per connection ---------------------------------------------------------------

    @classmethod
    def address_word(cls, settings: Mapping[str, Any]) -> str:
        """Return the secret of a relay that proves itself by the address."""
        return relays.address_word(settings.get("push"))

    def limits(self) -> Limits:
        """The vendor publishes no number; "To many requests" comes when calls of one key overlap too much."""
        per_second = float(self.settings["per_second"])
        return Limits(per_second, burst=max(2, int(per_second * 2)), parallel=int(self.settings["parallel"]))

    def hosts(self) -> Iterable[str]:
        """The API, and the cabinet that prints."""
        addresses = (str(self.settings["api_url"]), str(self.settings["print_url"]))
        return tuple(dict.fromkeys(urlsplit(address).hostname or "" for address in addresses))

    def polls(self) -> Mapping[str, float]:
        """Parcels under way, as often as `poll` says."""
        return {watching.KIND: float(self.settings["poll"])}

    # --- the way in ----------------------------------------------------------------------------

    def verify(self, request: Request) -> None:
        """Only a configured relay may push, and must prove itself."""
        relays.verify(request, self.settings.get("push"))

    def receipt_key(self, request: Request) -> str:
        """The relay's event id, else a hash of the body without what changes between repetitions."""
        return relays.key(request, self.settings["push"])

    def parse(self, receipt: Receipt) -> list[Event]:
        """A poll's receipt is a change, a relay's push a hint."""
        return incoming.parse(receipt, self.settings.get("push"))

    # --- asking the vendor ---------------------------------------------------------------------

    def complete(self, events: list[Event], needs: frozenset[str]) -> list[Event]:
        """Read the parcel that pushes hinted at."""
        desk, number = self._desk, str(events[-1].record["parcel"]["number"])
        items = desk.client.track([{"DocumentNumber": number, "Phone": desk.sender_phone}])
        return incoming.completed(events, items)

    def poll(self, what: str, cursor: Any, watched: Sequence[Watch] = ()) -> Poll:
        """Ask about the due parcels, 100 at a time."""
        desk = self._desk
        return watching.look(desk.client.track, watched, float(self.settings["poll"]), desk.sender_phone, desk.now)

    def find(self, record: str, by: Mapping[str, Any], limit: int = 50) -> list[Record]:
        """Find waybills by marker, number, phone, since; other records as their `find` or `list` action does."""
        if record == "parcel":
            return waybills.find(self._desk, by, limit)
        if record in _NAMED_BY_REF and by.get("ref"):
            return [{"id": str(by["ref"]), "ref": str(by["ref"])}]
        name = next((name for name in (f"{record}.find", f"{record}.list") if name in HANDLERS), None)
        if name is None:
            raise Refused(f"plugin {self.name} can't search for {record}")
        asked = Action(name, record, "find", values=dict(by), limit=limit)
        found: list[Record] = HANDLERS[name](self._desk, asked).result["rows"]
        return found[:limit]

    def get(self, record: str, id: str) -> Record:
        """Read one parcel by its number."""
        if record != "parcel":
            raise Refused(f"plugin {self.name} can't read a {record}, only a parcel")
        return tracking.parcel(self._desk.track_one(id))

    # --- acting --------------------------------------------------------------------------------

    def perform(self, action: Action) -> Done:
        """Do one of the declared actions."""
        handler = HANDLERS.get(action.name)
        if handler is None:
            raise PluginError(self.name, "perform", f"no action {action.name!r}")
        return handler(self._desk, action)

    def found(self, action: Action, record: Record) -> Done:
        """A waybill whose making had been in doubt is watched like any other."""
        if action.name == "parcel.create":
            return waybills.done(self._desk, record, {})
        return super().found(action, record)

    # --- looking after the connection ----------------------------------------------------------

    def check(self) -> list[Finding]:
        """Key, sender, contact, city, branch, payment control."""
        return checkup.check(self._desk)

    def names(self) -> dict[str, dict[str, tuple[str, str]]]:
        """The refs that the `sender` settings want."""
        return checkup.names(self._desk)
