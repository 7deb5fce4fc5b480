"""The connector of both products: what they declare, and methods of a few lines that call the rest.

`Unisender` is what a plugin list shows; a connection is `Classic` or `Go`, as its setting `product` says, so that
`hub check` knows which events and actions it has.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import hmac
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, ClassVar
from urllib.parse import urlsplit

import marshmallow as ma

from hub.connector import ActionKind, ConnectionInfo, Connector, EventKind, Limits
from hub.errors import PluginError, Refused, Rejected
from hub.model import Action, Done, Event, Finding, Poll, Receipt, Record, Reply, Request, Watch
from plugins.unisender import (
    checkup,
    codes,
    contacts,
    directory,
    dumps,
    events,
    hooks,
    incoming,
    letters,
    schemas,
    signing,
    watching,
)
from plugins.unisender.actions import CLASSIC_ACTIONS, CLASSIC_HANDLERS, GO_ACTIONS, GO_HANDLERS
from plugins.unisender.client import Client
from plugins.unisender.desk import Desk, hook_address
from plugins.unisender.go_client import GoClient
from plugins.unisender.transactional import GoDesk


def _kind(name: str, note: str = "", sample: str = "", record: str = "email") -> EventKind:
    return EventKind(name, record, sample, note, events.FIELDS)


def _letters(sample_of: str, sample: str) -> tuple[EventKind, ...]:
    notes = {
        "email.sent": "no answer of the receiving server yet",
        "email.delivered": "",
        "email.opened": "",
        "email.clicked": "email.url is the link, where the vendor tells it",
        "email.bounced": "the address takes no letters; email.reason says why",
        "email.unsubscribed": "by a link in a letter, in the cabinet, by API",
        "email.complained": "called spam by its reader",
        "subscription.changed": "email.status: subscribed or unsubscribed",
    }
    return tuple(_kind(name, note, sample if name == sample_of else "") for name, note in notes.items())


_HOOK = EventKind("connection.changed", "", note="the webhook was stopped, put back, switched off or deleted")
_CLASSIC_EVENTS = (
    *_letters("email.delivered", "classic.email_status.webhook.json"),
    _kind(codes.CLASSIC_OTHER, "other statuses: mailbox full, taken for spam, ...; email.status"),
    _kind("vendor.campaign_status", "email.campaign, email.status"),
    _kind("vendor.contact_conflict", "e-mail and phone belong to two contacts", record="contact"),
    _kind("vendor.export_finished", "email.url is the file"),
    EventKind("vendor.sms_status", "message", note="message.id, message.status", fields=("status", "reason")),
    _kind("vendor.user_info", "phone, time zone, country of a contact", record="contact"),
    _HOOK,
)
_GO_EVENTS = (
    *_letters("email.clicked", "go.transactional_email_status.clicked.webhook.json"),
    _kind(codes.GO_OTHER, "not final: soft_bounced; refused while sending: temporary_unavailable, ..."),
    _kind("vendor.transactional_spam_block", "a mail provider blocks the vendor's servers"),
    _HOOK,
)


def _both(one: Sequence[Any], other: Sequence[Any]) -> tuple[Any, ...]:
    """Return what either product has, each name once."""
    return tuple({kind.name: kind for kind in (*other, *one)}.values())


class Unisender(Connector):
    """One account at Unisender, of either product."""

    name: ClassVar[str] = "unisender"
    title: ClassVar[str] = "Unisender and Unisender Go"
    docs_url: ClassVar[str] = "https://www.unisender.com/en/support/api/"
    Settings: ClassVar[type[ma.Schema]] = schemas.UnisenderSettings
    events: ClassVar[tuple[EventKind, ...]] = _both(_CLASSIC_EVENTS, _GO_EVENTS)
    actions: ClassVar[tuple[ActionKind, ...]] = _both(CLASSIC_ACTIONS, GO_ACTIONS)
    statuses: ClassVar[Mapping[str, str]] = {
        **codes.neutral(codes.CLASSIC, codes.CLASSIC_OTHER),
        **codes.neutral(codes.GO, codes.GO_OTHER),
    }
    max_body: ClassVar[int] = signing.MAX_BODY
    #: a letter or text whose answer was lost can't be looked up; a campaign is listed within seconds
    settle: ClassVar[float] = 30.0

    def __init__(self, connection: ConnectionInfo, settings: Mapping[str, Any]) -> None:
        super().__init__(connection, settings)
        #: where the present instant comes from; tests replace it
        self.clock: Callable[[], dt.datetime] = lambda: dt.datetime.now(dt.UTC)

    @classmethod
    def variant(cls, settings: Mapping[str, Any]) -> type[Connector]:
        """The class of the product."""
        return {"classic": Classic, "go": Go}.get(str(settings.get("product")), cls)

    @property
    def _base_url(self) -> str:
        return self.settings["base_url"] or schemas.BASE_URLS[self.settings["product"]]

    @property
    def _address(self) -> str:
        return hook_address(self.connection, self.settings["secret"])

    @property
    def _registrar(self) -> hooks.Registrar:
        raise NotImplementedError

    # --- declared per connection ---------------------------------------------------------------

    def limits(self) -> Limits:
        """One bucket per key: the vendor counts by key, however many connections use it."""
        product = self.settings["product"]
        per_second = float(self.settings["per_second"] or schemas.PER_SECOND[product])
        digest = hashlib.sha256(self.settings["api_key"].encode()).hexdigest()[:16]
        return Limits(per_second, burst=max(2, int(per_second * 2)), parallel=4, key=f"unisender:{product}:{digest}")

    def hosts(self) -> Iterable[str]:
        """The API's host."""
        return ((urlsplit(self._base_url).hostname or "").lower(),)

    def polls(self) -> Mapping[str, float]:
        """The webhook is looked after, once the hub knows its own address."""
        return {hooks.KIND: hooks.EVERY} if self._address else {}

    # --- the way in ----------------------------------------------------------------------------

    def handshake(self, request: Request) -> Reply | None:
        """The vendor tries an address by a GET and wants 200; so does whoever opens it in a browser."""
        if request.method not in ("GET", "HEAD"):
            return None
        signing.check_address(request, self.settings["secret"])
        return Reply(200, "ok")

    def verify(self, request: Request) -> None:
        """The signature, and the secret end of the address."""
        keys = (self.settings["api_key"], *self.settings["webhook_keys"])
        signing.verify(request, keys, self.settings["secret"])

    def receipt_key(self, request: Request) -> str:
        """What the message tells, without what a repetition changes."""
        return incoming.receipt_key(request)

    def acknowledge(self, request: Request) -> Reply:
        """Say `ok` with 200: anything else is repeated for a day and ends the webhook."""
        return Reply(200, "ok")

    def parse(self, receipt: Receipt) -> list[Event]:
        """Grouped or single, pushed or asked for."""
        lists = {id_: word for word, id_ in self.settings["lists"].items()}
        view = events.View(receipt.request.at, self.connection.region, self.settings["timezone"], lists)
        return incoming.parse(receipt, view, self._export_token)

    @property
    def _export_token(self) -> str:
        return signing.export_token(self.settings["api_key"])

    # --- asking the vendor ---------------------------------------------------------------------

    def poll(self, what: str, cursor: Any, watched: Sequence[Watch] = ()) -> Poll:
        """Look after the webhook."""
        if what != hooks.KIND:
            raise PluginError(self.name, "poll", f"no poll {what!r}")
        return hooks.keep(self._registrar, self._address, cursor, self.clock())

    # --- looking after the connection ----------------------------------------------------------

    def connect(self, callback_url: str) -> list[Finding]:
        """Register the webhook, or set it right."""
        secret = self.settings["secret"]
        return hooks.connect(self._registrar, f"{callback_url}/{secret}" if secret else callback_url)


class Classic(Unisender):
    """The classic product: contact base, campaigns, single letters, short messages."""

    title: ClassVar[str] = "Unisender"
    events: ClassVar[tuple[EventKind, ...]] = _CLASSIC_EVENTS
    actions: ClassVar[tuple[ActionKind, ...]] = CLASSIC_ACTIONS
    statuses: ClassVar[Mapping[str, str]] = codes.neutral(codes.CLASSIC, codes.CLASSIC_OTHER)

    @property
    def _client(self) -> Client:
        return Client(self.http, self._base_url, self.settings["language"], self.settings["api_key"])

    @property
    def _desk(self) -> Desk:
        return Desk(self._client, self.settings, self.connection, self.clock(), self.history)

    @property
    def _registrar(self) -> hooks.Registrar:
        return hooks.ClassicHooks(self._client, self.settings["hooks"])

    def polls(self) -> Mapping[str, float]:
        """The webhook, and what was sent and is to be asked about; without any it costs no call."""
        return {**super().polls(), watching.KIND: watching.EVERY}

    def verify(self, request: Request) -> None:
        """As ever; the answer to an export proves itself by its address alone, it isn't signed."""
        if hmac.compare_digest(request.tail.encode("utf-8", "replace"), self._export_token.encode()):
            if request.method != "POST":
                raise Rejected(405, "the answer to an export is sent by POST")
            return
        super().verify(request)

    def receipt_key(self, request: Request) -> str:
        """What the message tells; of an export's answer its task."""
        if request.tail == self._export_token:
            return incoming.export_key(request)
        return super().receipt_key(request)

    def tells(self, event: Event) -> dict[str, Any]:
        """Lists joined and left, campaigns called off: the webhook may tell of what the API did as well."""
        return dict(events.tells(event))

    def poll(self, what: str, cursor: Any, watched: Sequence[Watch] = ()) -> Poll:
        """The webhook, or what was sent."""
        return watching.look(self._desk, watched) if what == watching.KIND else super().poll(what, cursor, watched)

    def find(self, record: str, by: Mapping[str, Any], limit: int = 50) -> list[Record]:
        """Find a contact by e-mail, campaigns by their letter, lists, fields and tags by name."""
        if record == "contact":
            return contacts.find(self._desk, by)
        if record == "campaign":
            return letters.find_campaigns(self._desk, by)[:limit]
        if record in ("list", "field", "tag"):
            return directory.find(self._desk, record, by)[:limit]
        raise Refused(f"Unisender can't search for {record}, only for contact, campaign, list, field and tag")

    def get(self, record: str, id: str) -> Record:
        """Read a contact by its e-mail, a campaign by its id.

        Of a letter or a short message the event has said all: a status read later would be another event's.
        """
        if record == "contact":
            return contacts.one(self._desk, id)
        if record == "campaign":
            return letters.status_of(self._desk, id)
        return {"id": id}

    def perform(self, action: Action) -> Done:
        """Do one of the declared actions."""
        handler = CLASSIC_HANDLERS.get(action.name)
        if handler is None:
            raise PluginError(self.name, "perform", f"no action {action.name!r} in product classic")
        return handler(self._desk, action)

    def found(self, action: Action, record: Record) -> Done:
        """A campaign whose making had been in doubt is linked and asked about like any other."""
        if action.name == "campaign.create":
            return letters.made(self._desk, record)
        return super().found(action, record)

    def check(self) -> list[Finding]:
        """Key, lists, fields, webhook."""
        return checkup.check(self._desk, self._registrar)

    def names(self) -> dict[str, dict[str, tuple[str, str]]]:
        """Fields and lists of the account."""
        return checkup.names(self._desk)


class Go(Unisender):
    """Unisender Go: transactional letters, no contact base."""

    title: ClassVar[str] = "Unisender Go"
    docs_url: ClassVar[str] = "https://godocs.unisender.ru/web-api-ref"
    events: ClassVar[tuple[EventKind, ...]] = _GO_EVENTS
    actions: ClassVar[tuple[ActionKind, ...]] = GO_ACTIONS
    statuses: ClassVar[Mapping[str, str]] = codes.neutral(codes.GO, codes.GO_OTHER)

    @property
    def _client(self) -> GoClient:
        return GoClient(self.http, self._base_url, self.settings["language"], self.settings["api_key"])

    @property
    def _registrar(self) -> hooks.Registrar:
        return hooks.GoHooks(self._client)

    def polls(self) -> Mapping[str, float]:
        """The webhook, and the dumps of events in which stands what it did not bring."""
        return {**super().polls(), dumps.KIND: float(self.settings["poll"] or dumps.EVERY)}

    def poll(self, what: str, cursor: Any, watched: Sequence[Watch] = ()) -> Poll:
        """Look after the webhook, or for what it missed."""
        if what == dumps.KIND:
            return dumps.look(self._client, self.http, cursor, self.clock())
        return super().poll(what, cursor, watched)

    def perform(self, action: Action) -> Done:
        """Do one of the declared actions."""
        handler = GO_HANDLERS.get(action.name)
        if handler is None:
            raise PluginError(self.name, "perform", f"no action {action.name!r} in product go")
        return handler(GoDesk(self._client, self.settings, self.clock()), action)

    def check(self) -> list[Finding]:
        """Key, webhook, sender."""
        return checkup.check_go(self._registrar, self.settings, self._address, self.connection.name)

    def names(self) -> dict[str, dict[str, tuple[str, str]]]:
        """The account's templates."""
        return checkup.go_names(self._client)
