"""The Calltouch connector: what it declares, and methods of a few lines that call the rest."""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, ClassVar
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

import marshmallow as ma

from hub.connector import ActionKind, ConnectionInfo, Connector, EventKind, Limits
from hub.errors import PluginError, Refused, Rejected
from hub.model import Action, Done, Event, Finding, Poll, Receipt, Record, Reply, Request, Watch
from plugins.calltouch import checkup, incoming, polling, reading, source
from plugins.calltouch.acting import ACTIONS, HANDLERS, Desk
from plugins.calltouch.client import Client
from plugins.calltouch.outgoing import Writer
from plugins.calltouch.reading import CALLS, DEALS, REQUESTS
from plugins.calltouch.schemas import CalltouchSettings

#: what may stand in a path beside the neutral fields: `source.medium`, `call.not_ticked`
_MORE = (*source.OWN, "not_ticked")


class Calltouch(Connector):
    """One cabinet (site) of Calltouch."""

    name: ClassVar[str] = "calltouch"
    title: ClassVar[str] = "Calltouch"
    docs_url: ClassVar[str] = "https://www.calltouch.ru/support/"
    Settings: ClassVar[type[ma.Schema]] = CalltouchSettings
    events: ClassVar[tuple[EventKind, ...]] = (
        EventKind("call.started", "call", "lead.call-started.reconstructed.webhook.txt", "the phone rings", _MORE),
        EventKind("call.answered", "call", note="`event.by` answered; known when the call is over", fields=_MORE),
        EventKind(
            "call.finished", "call", "lead.call-completed.reconstructed.webhook.txt", "over, was answered", _MORE
        ),
        EventKind("call.missed", "call", note="over, nobody answered", fields=_MORE),
        EventKind("form.submitted", "form", "lead.request.reconstructed.webhook.txt", "a request", _MORE),
        EventKind("vendor.call_changed", "call", note="tags or marks of a call were changed", fields=_MORE),
        EventKind("vendor.request_changed", "form", note="the same of a request", fields=_MORE),
        EventKind("vendor.request_registered", "form", note="the hub's own request, come back", fields=_MORE),
        EventKind("vendor.call_imported", "call", note="the same of a call it imported", fields=_MORE),
        EventKind("vendor.chat", note="a hook about a chat, kept as it came"),
        EventKind("vendor.deal", note="a hook about a deal, or its row in the journal, kept as it came"),
        EventKind("vendor.hook", note="a hook that does not say what it is about"),
    )
    actions: ClassVar[tuple[ActionKind, ...]] = ACTIONS
    #: a request just registered is in the journal within a minute, as far as anybody knows
    settle: ClassVar[float] = 60.0

    def __init__(self, connection: ConnectionInfo, settings: Mapping[str, Any]) -> None:
        super().__init__(connection, settings)
        self._zone: ZoneInfo = settings["timezone"] or ZoneInfo(connection.timezone)
        #: where the present instant comes from; tests replace it
        self.clock: Callable[[], dt.datetime] = lambda: dt.datetime.now(dt.UTC)

    @property
    def _client(self) -> Client:
        return Client(self.http, self.settings)

    # --- declared per connection ---------------------------------------------------------------

    def limits(self) -> Limits:
        """Five calls a second are said to be allowed, per token; connections with one token share them."""
        per_second = float(self.settings["per_second"])
        token = str(self.settings["access_token"] or self.settings["client_api_id"])
        key = f"calltouch:{hashlib.sha256(token.encode()).hexdigest()[:16]}" if token else ""
        return Limits(per_second, burst=max(1, int(per_second)), parallel=2, key=key)

    def hosts(self) -> Iterable[str]:
        """The API's host."""
        return ((urlsplit(str(self.settings["base_url"])).hostname or "").lower(),)

    def polls(self) -> Mapping[str, float]:
        """The journals, if there is a token for them; that of deals where it is asked for."""
        if not (self.settings["client_api_id"] and self.settings["poll"]):
            return {}
        journals = (CALLS, REQUESTS, DEALS) if self.settings["deals"] else (CALLS, REQUESTS)
        return {journal: float(self.settings["poll"]) for journal in journals}

    # --- the way in ----------------------------------------------------------------------------

    def handshake(self, request: Request) -> Reply | None:
        """Answer an admin who opens the address in a browser, and the cabinet's test of a hook; neither is kept."""
        try:
            self.verify(request)
            empty, test = incoming.is_empty(request), reading.is_test(request)
        except Rejected:
            return None
        if empty:
            return Reply(200, "The hub is listening here. Paste this address into the hook's settings.")
        return Reply(200, "ok") if test else None

    def verify(self, request: Request) -> None:
        """The secret in the address, and the sender's network if `addresses` names any."""
        incoming.verify(request, self.settings)

    def receipt_key(self, request: Request) -> str:
        """Call or request and phase: a repeat and the journal's record have the same."""
        return incoming.receipt_key(request, self.settings, self._zone)

    def acknowledge(self, request: Request) -> Reply:
        """What Calltouch wants to hear isn't published: 200 at once."""
        return Reply(200, "ok")

    def parse(self, receipt: Receipt) -> list[Event]:
        """Calls and requests; whatever else comes is kept under the vendor's word."""
        return incoming.parse(receipt, self.settings, self._zone, self.connection.region)

    # --- asking the vendor ---------------------------------------------------------------------

    def poll(self, what: str, cursor: Any, watched: Sequence[Watch] = ()) -> Poll:
        """Read a journal (`calls`, `requests`, `deals`) since the last look, with overlap."""
        return polling.look(self._client, what, cursor, self.settings, self._zone, self.clock())

    def find(self, record: str, by: Mapping[str, Any], limit: int = 50) -> list[Record]:
        """Find calls and requests in the journals. A deal is known by its number alone: nothing lists deals."""
        if record == "deal":
            number = by.get("orderNumber") or by.get("id")
            return [{"id": str(number)}] if number else []
        if record not in ("call", "request"):
            raise Refused(f"plugin {self.name} can't search for {record}, only for call, request and deal")
        return polling.find(self._client, record, by, self._zone, self.connection.region, self.clock(), limit)

    # --- acting --------------------------------------------------------------------------------

    def perform(self, action: Action) -> Done:
        """Do one of the declared actions."""
        handler = HANDLERS.get(action.name)
        if handler is None:
            raise PluginError(self.name, "perform", f"no action {action.name!r}")
        writer = Writer(self._zone, self.connection.region, self.clock())
        return handler(Desk(self.connection.name, self._client, writer, str(self.settings["crm"])), action)

    # --- looking after the connection ----------------------------------------------------------

    def check(self) -> list[Finding]:
        """Tokens, the cabinet's right, the clock's zone."""
        return checkup.check(self._client, self.settings, self._zone, self.clock())

    def connect(self, callback_url: str) -> list[Finding]:
        """What to click in the cabinet: hooks can't be made by API."""
        return checkup.connect(callback_url, self.settings)
