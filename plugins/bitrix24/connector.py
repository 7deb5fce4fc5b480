"""The connector: what Bitrix24 offers to `hub.yaml`, and methods of a few lines that call the rest."""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property, partial
from typing import Any, ClassVar
from urllib.parse import urlsplit

import marshmallow as ma

from hub.connector import ActionKind, Connector, EventKind, Limits, Named
from hub.model import Action, Done, Event, Finding, Poll, Receipt, Record, Reply, Request, Watch
from plugins.bitrix24 import chat_incoming, chat_outgoing, codes, incoming, items, multifield, outgoing, records
from plugins.bitrix24.acting import Acting
from plugins.bitrix24.chat_acting import ChatActing
from plugins.bitrix24.checking import Checking
from plugins.bitrix24.client import Client
from plugins.bitrix24.installing import Installing
from plugins.bitrix24.items import Items
from plugins.bitrix24.merging import Merging
from plugins.bitrix24.oauth import OAuth
from plugins.bitrix24.reading import POLLED_KINDS, Reading
from plugins.bitrix24.schemas import Bitrix24Settings
from plugins.bitrix24.search import VENDOR_FIELD, Search

#: seconds the portal may run one request (limits.html), and a little for the way
_CALL_SECONDS = 65.0
_STAGES_KEPT = 600.0
_OFFLINE_EVERY = 30.0
_NOTE = records.MORE_FIELDS["note"]
_CHAT = chat_incoming.FIELDS


def _crm_events(kind: str, stages: bool, sample: str) -> list[EventKind]:
    more = records.MORE_FIELDS.get(kind, ())
    compared = ["responsible_changed", *(["stage_changed"] if stages else [])]
    return [
        EventKind(f"{kind}.created", kind, sample, fields=more),
        EventKind(f"{kind}.updated", kind, fields=more),
        EventKind(f"{kind}.deleted", kind, fields=more),
        *(EventKind(f"{kind}.{verb}", kind, "", "told by comparing with the last look", more) for verb in compared),
    ]


def _crm_actions(kind: str, stage_field: str = "") -> list[ActionKind]:
    person = kind in ("lead", "deal")
    stages = (stage_field,) if stage_field else ()
    reads = int(codes.ENTITIES[kind].multifields)  # added phones are read back
    words = outgoing.words(kind)
    creating = partial(ActionKind, marker="ORIGIN_ID", person=person, stage_fields=stages, words=words)
    actions = [
        creating(f"{kind}.create", outgoing.REQUIRED.get(f"{kind}.create", ())),
        creating(f"{kind}.upsert", cost=reads + 2, note="becomes a create or an update"),
        ActionKind(f"{kind}.update", idempotent=True, cost=reads + 2, stage_fields=stages, words=words),
        ActionKind(f"{kind}.find", idempotent=True, cost=2),
        ActionKind(f"{kind}.list", idempotent=True, cost=10),
        ActionKind(f"{kind}.delete", idempotent=True, cost=1),
    ]
    if stage_field:
        actions += [
            ActionKind(f"{kind}.set_stage", idempotent=True, cost=2, latest=True, stage_fields=stages),
            ActionKind(f"{kind}.set_products", ("rows",), idempotent=True, cost=1, latest=True),
            ActionKind(f"{kind}.products", idempotent=True, linked=False, note="the product rows, as `rows`"),
        ]
    return actions


def _item_actions() -> list[ActionKind]:
    kind = partial(ActionKind, stage_fields=("stageId",), fields=items.FIELDS)
    return [
        kind("item.create", outgoing.REQUIRED["item.create"], marker="xmlId"),
        kind(
            "item.upsert",
            outgoing.REQUIRED["item.create"],
            marker="xmlId",
            cost=2,
            note="becomes a create or an update",
        ),
        kind("item.update", idempotent=True, cost=2),
        ActionKind("item.find", idempotent=True, cost=2),
        ActionKind("item.list", idempotent=True, cost=10),
        ActionKind("item.delete", idempotent=True),
        kind("item.set_stage", idempotent=True, cost=2, latest=True),
    ]


def _chat_actions() -> list[ActionKind]:
    again = partial(ActionKind, idempotent=True, linked=False)
    return [
        ActionKind(
            "openline.send", uncertain="repeat", cost=3, linked=False, fields=chat_outgoing.SEND,
            note="a client's message into an open line; a repetition first looks for its id in the chat",
        ),
        again("openline.update", fields=chat_outgoing.SEND, note="the client changed it in the channel"),
        again("openline.delete", fields=chat_outgoing.DELETE, note="the client took it back in the channel"),
        again(
            "openline.delivered", ("message",), fields=chat_outgoing.STATUS, cost=3,
            note="the channel took the operator's answer; `message` is its id there",
        ),
        again("openline.read", fields=chat_outgoing.STATUS, cost=3, note="the client has read the operator's answer"),
    ]  # fmt: skip


class Bitrix24(Connector):
    """One portal, through an inbound webhook, an app, or both."""

    name: ClassVar[str] = "bitrix24"
    title: ClassVar[str] = "Bitrix24"
    docs_url: ClassVar[str] = "https://apidocs.bitrix24.com/"
    Settings: ClassVar[type[ma.Schema]] = Bitrix24Settings
    settle: ClassVar[float] = 70.0
    hints = True
    vendor_field: ClassVar[str] = VENDOR_FIELD
    volatile: ClassVar[tuple[str, ...]] = codes.VOLATILE
    content_types: ClassVar[Mapping[str, str]] = {
        ".txt": "application/x-www-form-urlencoded", ".json": "application/json"
    }  # fmt: skip

    events: ClassVar[tuple[EventKind, ...]] = (
        *_crm_events("lead", True, "ONCRMLEADADD.webhook.txt"),
        *_crm_events("deal", True, "ONCRMDEALADD-to-app.webhook.txt"),
        *_crm_events("contact", False, "ONCRMCONTACTADD-captured.webhook.txt"),
        *_crm_events("company", False, "ONCRMCOMPANYADD.webhook.txt"),
        EventKind("item.created", "item", note="an item of a smart process, or an invoice"),
        EventKind("item.updated", "item", "ONCRMDYNAMICITEMUPDATE.webhook.txt"),
        EventKind("item.deleted", "item"),
        EventKind("item.stage_changed", "item", "", "told by comparing with the last look"),
        EventKind("item.responsible_changed", "item", "", "told by comparing with the last look"),
        EventKind("note.added", "note", "ONCRMTIMELINECOMMENTADD.webhook.txt", "a comment", _NOTE),
        EventKind("note.updated", "note", fields=_NOTE),
        EventKind("note.deleted", "note"),
        EventKind("task.created", "task"),
        EventKind("task.updated", "task", "ONTASKUPDATE.webhook.txt"),
        EventKind("task.completed", "task", "", "told from the task's status when it is read"),
        EventKind("task.deleted", "task"),
        EventKind("call.started", "call", "ONEXTERNALCALLSTART.webhook.txt"),
        EventKind("call.answered", "call"),
        EventKind("call.finished", "call", "ONVOXIMPLANTCALLEND.webhook.txt"),
        EventKind("call.missed", "call"),
        EventKind(
            "message.sent", "message", "ONIMCONNECTORMESSAGEADD.webhook.txt", "an operator in an open line", _CHAT
        ),
        EventKind(
            "message.deleted",
            "message",
            "ONIMCONNECTORMESSAGEDELETE.webhook.txt",
            "an operator took back what they had sent",
            _CHAT,
        ),
        EventKind(
            "vendor.onimconnectormessageupdate",
            "message",
            "ONIMCONNECTORMESSAGEUPDATE.webhook.txt",
            "an operator changed what they had sent",
            _CHAT,
        ),
        EventKind("vendor.onimconnectordialogstart", "message", "ONIMCONNECTORDIALOGSTART.webhook.txt", fields=_CHAT),
        EventKind("vendor.onimconnectordialogfinish", "message", "ONIMCONNECTORDIALOGFINISH.webhook.txt", fields=_CHAT),
        EventKind("vendor.onsessionstart", "message", "ONSESSIONSTART.webhook.txt", fields=_CHAT),
        EventKind("vendor.onsessionfinish", "message", "ONSESSIONFINISH.webhook.txt", fields=_CHAT),
        EventKind("message.received", "message", "ONOPENLINEMESSAGEADD.webhook.txt", "in the portal's own chat", _CHAT),
        EventKind("vendor.onopenlinemessageupdate", "message", "", "in the portal's own chat", _CHAT),
        EventKind(
            "connection.changed", "", "ONAPPUNINSTALL.webhook.txt", "the app came or went; a line was switched off"
        ),
    )

    actions: ClassVar[tuple[ActionKind, ...]] = (
        *_crm_actions("lead", "STATUS_ID"),
        *_crm_actions("deal", "STAGE_ID"),
        *_crm_actions("contact"),
        *_crm_actions("company"),
        ActionKind(
            "lead.convert", marker="ORIGIN_ID", cost=5, stage_fields=("STAGE_ID",), writes="deal",
            note="makes contact and deal (the result), marks the lead; each part is searched by marker first",
        ),
        *_item_actions(),
        ActionKind(
            "comment.create", outgoing.REQUIRED["comment.create"], uncertain="repeat", cost=2, linked=False,
            note="a repetition first looks for the same text on the record",
        ),
        ActionKind("comment.list", idempotent=True, linked=False, note="`find: {deal: ...}`; the newest 50"),
        ActionKind("field.list", ("record",), idempotent=True, linked=False, fields=("record", "language")),
        ActionKind(
            "todo.create", outgoing.REQUIRED["todo.create"], uncertain="repeat", cost=2, linked=False,
            note="a repetition first looks for the same to-do on the record",
        ),
        ActionKind(
            "activity.create", outgoing.REQUIRED["activity.create"], marker="ORIGIN_ID", linked=False,
        ),
        ActionKind(
            "task.create", outgoing.REQUIRED["task.create"], uncertain="repeat", cost=2, linked=False,
            note="RESPONSIBLE_ID, or the connection's `user`; a repetition first looks by title",
        ),
        ActionKind("task.update", idempotent=True),
        ActionKind("task.complete", idempotent=True),
        ActionKind("task.find", idempotent=True, linked=False),
        ActionKind("task.list", idempotent=True, cost=10),
        ActionKind("user.find", idempotent=True, linked=False),
        *_chat_actions(),
        ActionKind(
            "notify.send", outgoing.REQUIRED["notify.send"], uncertain="repeat",
            note="USER_ID, or the connection's `user`",
        ),
        ActionKind("api", uncertain="park", note="any method: give `method`"),
    )  # fmt: skip

    #: the portal's address once it is known; an app without `portal` learns it from its installation
    _address = ""

    # --- the parts, made once ------------------------------------------------------------------------

    @cached_property
    def _oauth(self) -> OAuth:
        return OAuth(self.settings, lambda: self.http)

    @cached_property
    def _client(self) -> Client:
        return Client(self.settings, lambda: self.http, lambda: self.tokens, self._oauth)

    @property
    def _search(self) -> Search:
        return Search(self._client, self.portal, self.connection.region)

    @property
    def _reading(self) -> Reading:
        return Reading(self._client, self._search, self.portal, self.connection.region)

    @property
    def _acting(self) -> Acting:
        region, user = self.connection.region, self.settings["user"]
        return Acting(self._client, self._search, self._reading, self.portal, region, user)

    @property
    def _merging(self) -> Merging:
        return Merging(self._client, self._search, self._reading, self.portal, self.connection.region)

    @property
    def _chats(self) -> ChatActing:
        return ChatActing(self._client, self.settings, self.connection.name, lambda: self.http)

    @property
    def _checking(self) -> Checking:
        return Checking(self._client, self.settings, self.connection)

    @cached_property
    def _stages(self) -> dict[str, tuple[float, list[str]]]:
        return {}

    @property
    def portal(self) -> str:
        """The portal's address without a closing slash; "" as long as an app isn't installed."""
        if not self._address:
            known = self.settings["portal"] or self.settings["webhook_url"] or self._held().get("client_endpoint")
            self._address = str(known or "").partition("/rest/")[0].rstrip("/")
        return self._address

    def _held(self) -> Mapping[str, Any]:
        """Return the app's tokens, {} without any."""
        vault = getattr(self, "tokens", None)
        return (vault.read() or {}) if vault is not None and self.settings["client_id"] else {}

    # --- declared per connection ---------------------------------------------------------------------

    def limits(self) -> Limits:
        """Return the portal's limit; all connections to one portal share its bucket (it counts by source IP)."""
        configured = self.settings["limits"]
        host = urlsplit(self.portal).hostname or ""
        return Limits(
            per_second=configured["per_second"],
            burst=configured["burst"],
            parallel=8,
            key=f"bitrix24:{host}" if host else "",
            timeout=_CALL_SECONDS,
        )

    def hosts(self) -> Iterable[str]:
        """Return the portal's host and, for an app, those of the authorization server."""
        urls = [self.settings["webhook_url"], self.portal, self.settings["oauth_url"]]
        found = {urlsplit(url).hostname for url in urls if url}
        if self.settings["client_id"]:
            found |= set(codes.OAUTH_HOSTS)
        return sorted(host for host in found if host)

    def polls(self) -> Mapping[str, float]:
        """Return the reconciliation polls, and the queue's where events are fetched."""
        every = self.settings["poll"]
        found = dict.fromkeys(POLLED_KINDS, every) if every else {}
        return {**found, "offline": _OFFLINE_EVERY} if self.settings["events"] == "offline" else found

    # --- the way in ----------------------------------------------------------------------------------

    @property
    def verify_waits(self) -> bool:
        """Without a token in the settings the installation's is looked up."""
        return not self.settings["application_token"]

    def verify(self, request: Request) -> None:
        """Compare the application token; an app's is known from its verified installation."""
        known = self.settings["application_token"] or (self._held().get("application_token", ""),)
        incoming.verify(request, known, self.settings["member_id"])

    def receipt_key(self, request: Request) -> str:
        """Return portal, event, record and a digest of the data; see `incoming.receipt_key`."""
        return incoming.receipt_key(request)

    def parse(self, receipt: Receipt) -> list[Event]:
        """Turn a stored event into neutral ones; most are hints that `complete` reads."""
        return incoming.parse(receipt, self.connection.region, self.settings["openlines"])

    # --- asking --------------------------------------------------------------------------------------

    def complete(self, events: list[Event], needs: frozenset[str]) -> list[Event]:
        """Read the record, its contact and its responsible employee in one request."""
        return self._reading.complete(events, needs)

    def poll(self, what: str, cursor: Any, watched: Sequence[Watch] = ()) -> Poll:
        """Look for changes whose event got lost, or fetch the offline queue."""
        now = dt.datetime.now(dt.UTC)
        return self._reading.offline(cursor, now) if what == "offline" else self._reading.changes(what, cursor, now)

    def find(self, record: str, by: Mapping[str, Any], limit: int = 50) -> list[Record]:
        """Search; see `search.Search` for the words it knows."""
        if record == "item":
            return Items(self._client, self.portal).find(by, limit)
        return self._search.find(record, by, limit)

    def get(self, record: str, id: str) -> Record:
        """Read one record."""
        return self._reading.get(record, id)

    def pages(self, record: str, since: dt.datetime | None = None, cursor: Any = None) -> tuple[list[Record], Any]:
        """List leads, deals, contacts or companies, fifty at a time."""
        return self._search.page(record, since, cursor)

    # --- acting --------------------------------------------------------------------------------------

    def perform(self, action: Action) -> Done:
        """Do it; see `acting.Acting` and, for `openline.*`, `chat_acting.ChatActing`."""
        if action.record == "openline":
            return self._chats.perform(action)
        return self._acting.perform(action)

    def holds(self, record: str, name: str, wrote: Any, stands: Any) -> bool:
        """Return whether a field still says what was written: phones and e-mails by their values, the rest as read."""
        if name in codes.MULTIFIELDS:
            return multifield.holds(wrote, stands)
        return outgoing.same(name, wrote, stands)

    def restored(self, record: str, before: Mapping[str, Any], now: Record) -> dict[str, Any]:
        """Return what makes fields say again what they said: a phone that was added is taken out by its own id."""
        given = super().restored(record, before, now)
        for name in set(before) & set(codes.MULTIFIELDS):
            given[name] = multifield.restored(before[name], (now.get("extra") or {}).get(name))
        return given

    def attach(self, record: str, id: str, how: str, text: str, marker: str, since: dt.datetime | None = None) -> Done:
        """Join a text to a record. `since`: an earlier try may have done it after this time, so look first."""
        return self._acting.attach(record, id, how, text, since, dt.datetime.now(dt.UTC))

    def merge(
        self, record: str, into: str, ids: Sequence[str], carry: Sequence[str], marker: str,
        since: dt.datetime | None = None,
    ) -> Done:  # fmt: skip
        """Merge records; the portal carries all that hangs on them. See `merging.Merging`."""
        return self._merging.merge(record, into, ids)

    def unmerge(
        self, record: str, into: str, kept: Sequence[Record], marker: str, since: dt.datetime | None = None
    ) -> Done:
        """Make merged contacts again, with their deals and leads."""
        return self._merging.unmerge(record, into, kept, marker)

    def contact_values(self, contact: Record) -> dict[str, Any]:
        """Return the fields that make a contact."""
        return outgoing.contact_values(contact, self.connection.region)

    def stage_order(self, record: str, stage: str) -> list[str]:
        """Return the board's columns from left to right; asked at most every ten minutes."""
        directory = items.directory(stage) if record == "item" else ""
        if record in ("lead", "deal"):
            directory = codes.stage_directory(record, codes.plain_stage(stage))
        if not directory:
            return []
        until, order = self._stages.get(directory, (0.0, []))
        if until < time.monotonic():
            order = self._checking.stage_order(directory)
            self._stages[directory] = (time.monotonic() + _STAGES_KEPT, order)
        return order

    # --- looking after it ----------------------------------------------------------------------------

    def check(self) -> list[Finding]:
        """Ask who we are, what we may, whether fields and stages exist, how events reach us."""
        return self._checking.check()

    def names(self) -> dict[str, dict[str, tuple[str, str]]]:
        """Return the portal's own fields, stages and employees."""
        return self._checking.names()

    def inventory(self) -> list[Named]:
        """Return the portal's fields, stages, pipelines and employees as they are now."""
        return self._checking.inventory()

    def connect(self, callback_url: str) -> list[Finding]:
        """Subscribe to events and set up the connectors of open lines, where an app allows it."""
        return self._checking.connect(callback_url)

    # --- consent -------------------------------------------------------------------------------------

    def authorize_url(self, state: str, redirect: str) -> str | None:
        """Return the portal's page of consent; it goes back to the address kept in the app's own settings."""
        return self._oauth.authorize_url(state)

    def consent(self, request: Request) -> Reply:
        """Take the code of a consent or an install event and store the tokens."""
        return Installing(self.settings, self._oauth, lambda: self.tokens).consent(request)
