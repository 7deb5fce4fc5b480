"""The connector: what amoCRM offers to `hub.yaml`, and methods of a few lines that call the rest."""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from typing import Any, ClassVar
from urllib.parse import urlsplit

import marshmallow as ma

from hub.connector import ActionKind, Connector, EventKind, Limits, Named
from hub.model import Action, Done, Event, Finding, Poll, Receipt, Record, Reply, Request, Watch
from plugins.amocrm import codes, incoming, outgoing
from plugins.amocrm.acting import Acting
from plugins.amocrm.chats import Chats, chat_url
from plugins.amocrm.checking import Checking
from plugins.amocrm.client import Client
from plugins.amocrm.directory import Directory
from plugins.amocrm.inventory import inventory
from plugins.amocrm.listing import Listing
from plugins.amocrm.merging import Merging
from plugins.amocrm.oauth import OAuth
from plugins.amocrm.offers import ACTIONS, EVENTS
from plugins.amocrm.reading import Reading, zone_of
from plugins.amocrm.schemas import AmoCrmSettings, domain_of
from plugins.amocrm.search import Search
from plugins.amocrm.watching import Watching

#: seconds amoCRM's own SDK gives a call
_CALL_SECONDS = 25.0


class AmoCrm(Connector):
    """One account, by a long-lived token or by OAuth."""

    name: ClassVar[str] = "amocrm"
    title: ClassVar[str] = "amoCRM / Kommo"
    docs_url: ClassVar[str] = "https://www.amocrm.ru/developers/"
    Settings: ClassVar[type[ma.Schema]] = AmoCrmSettings
    settle: ClassVar[float] = 45.0
    hints = True
    vendor_field: ClassVar[str] = (
        r"\d{3,12}|[A-Z_][A-Z0-9_]{1,60}|price|tags|note|status|\w+_id|created_by|updated_by|closed_at|next_date|next_price"
        r"|tags_to_(?:add|delete)|complete_till|form_\w+|source_name|stage_name|pipeline_name|responsible_name|uid"
    )
    volatile: ClassVar[tuple[str, ...]] = codes.VOLATILE
    content_types: ClassVar[Mapping[str, str]] = {
        ".txt": "application/x-www-form-urlencoded", ".json": "application/json"
    }  # fmt: skip

    events: ClassVar[tuple[EventKind, ...]] = EVENTS
    actions: ClassVar[tuple[ActionKind, ...]] = ACTIONS

    # --- the parts, made once ------------------------------------------------------------------------

    @cached_property
    def _oauth(self) -> OAuth:
        redirect = f"{self.connection.base_url.rstrip('/')}/oauth/{self.connection.name}"
        return OAuth(self.settings, redirect, lambda: self.http)

    @cached_property
    def _client(self) -> Client:
        return Client(self.settings, lambda: self.http, lambda: self.tokens, self._oauth)

    @cached_property
    def _directory(self) -> Directory:
        return Directory(self._client)

    @cached_property
    def _reading(self) -> Reading:
        region, at = self.connection.region, zone_of(self.connection.timezone)
        base_url, own_user = self.settings["base_url"], self.settings["own_user"]
        return Reading(self._client, self._directory, base_url, region, at, own_user)

    @cached_property
    def _search(self) -> Search:
        return Search(self._client, self._directory, self._reading, self.connection.region)

    @cached_property
    def _listing(self) -> Listing:
        return Listing(self._client, self._reading)

    @cached_property
    def _chats(self) -> Chats:
        return Chats(self.settings, lambda: self.http, self._client, self._directory)

    @cached_property
    def _acting(self) -> Acting:
        return Acting(
            self._client, self._directory, self._search, self._reading, self._chats, self.settings["base_url"],
            self.connection.region, self.settings["user"], self.connection.name,
        )  # fmt: skip

    @property
    def _merging(self) -> Merging:
        return Merging(self._client, self._acting.note)

    @cached_property
    def _watching(self) -> Watching:
        return Watching(
            self._client, self.settings, f"{self.connection.base_url.rstrip('/')}/in/{self.connection.name}"
        )

    @property
    def _checking(self) -> Checking:
        """At the command line no queue tries again: these calls do."""
        client = Client(self.settings, lambda: self.http, lambda: self.tokens, self._oauth, patience=4)
        directory, callback = Directory(client), self._watching.callback
        chats = Chats(self.settings, lambda: self.http, client, directory)
        watching = Watching(client, self.settings, callback)
        return Checking(client, directory, watching, chats, self.settings, self.connection)

    # --- declared per connection ---------------------------------------------------------------------

    @classmethod
    def address_word(cls, settings: Mapping[str, Any]) -> str:
        """Return `hook_secret`: amoCRM signs nothing."""
        return str(settings["hook_secret"])

    def limits(self) -> Limits:
        """Return the limit and whose it is: the integration's (amoCRM), the address's (Kommo), or the account's."""
        host = urlsplit(self.settings["base_url"]).hostname or ""
        domain = domain_of(host)
        whose = self.settings["limit_key"] or ("ip" if domain in ("kommo.com", "amocrm.com") else "integration")
        known = self.settings["client_id"] or self.settings["token"]
        digest = hashlib.blake2s(known.encode(), digest_size=6).hexdigest()
        keys = {"ip": f"amocrm:{domain or host}", "account": f"amocrm:{host}", "integration": f"amocrm:{host}:{digest}"}
        given = self.settings["limits"]
        return Limits(given["per_second"], given["burst"], 6, keys[whose], _CALL_SECONDS)

    def hosts(self) -> Iterable[str]:
        """Return the account's host and, for a chat channel, that of the Chats API."""
        found = {urlsplit(url).hostname for url in (self.settings["base_url"], chat_url(self.settings)) if url}
        return sorted(host.lower() for host in found if host)

    def polls(self) -> Mapping[str, float]:
        """Return the poll of missed events and the look after the webhook."""
        found = {"events": self.settings["poll"]} if self.settings["poll"] else {}
        public = self.connection.base_url.startswith("https://")
        if self.settings["watch"] and self.settings["hook_secret"] and public:
            found["hooks"] = self.settings["watch"]
        return found

    # --- the way in ----------------------------------------------------------------------------------

    def verify(self, request: Request) -> None:
        """Compare the word in the address and the account, or the signature of a chat or of a farewell."""
        incoming.verify(request, self.settings)

    def receipt_key(self, request: Request) -> str:
        """Return a digest of what is told; a retry repeats the body."""
        return incoming.receipt_key(request)

    def parse(self, receipt: Receipt) -> list[Event]:
        """Turn a stored message into events; those about records are hints that `complete` reads."""
        return incoming.parse(receipt, self.connection.region, self.settings)

    # --- asking --------------------------------------------------------------------------------------

    def complete(self, events: list[Event], needs: frozenset[str]) -> list[Event]:
        """Read the record, and what hangs on it as far as routes look at it."""
        return self._reading.complete(events, needs)

    def poll(self, what: str, cursor: Any, watched: Sequence[Watch] = ()) -> Poll:
        """Look for changes whose webhook got lost, or see whether it is still switched on."""
        now = dt.datetime.now(dt.UTC)
        return self._watching.watch(cursor, now) if what == "hooks" else self._watching.events(cursor, now)

    def find(self, record: str, by: Mapping[str, Any], limit: int = 50) -> list[Record]:
        """Search; see `search.Search` for the words it knows."""
        return self._search.find(record, by, limit)

    def get(self, record: str, id: str) -> Record:
        """Read one record."""
        return self._reading.get(record, id)

    def pages(self, record: str, since: dt.datetime | None = None, cursor: Any = None) -> tuple[list[Record], Any]:
        """Return a page of whole deals, contacts or companies, and the cursor of the next."""
        return self._listing.pages(record, since, cursor)

    # --- acting --------------------------------------------------------------------------------------

    def perform(self, action: Action) -> Done:
        """Do it; see `acting.Acting`."""
        return self._acting.perform(action)

    def found(self, action: Action, record: Record) -> Done:
        """Take a record that an earlier try made for made, and write its note where that isn't there."""
        return self._acting.found(action, record)

    def attach(self, record: str, id: str, how: str, text: str, marker: str, since: dt.datetime | None = None) -> Done:
        """Join a text to a record. `since`: an earlier try may have done it after this time, so look first."""
        return self._acting.attach(record, id, how, text, since)

    def merge(
        self, record: str, into: str, ids: Sequence[str], carry: Sequence[str], marker: str,
        since: dt.datetime | None = None,
    ) -> Done:  # fmt: skip
        """Carry deals, tags, tasks and notes over: there is no merge here. See `merging.Merging`."""
        return self._merging.merge(record, into, ids, carry, marker, since)

    def unmerge(
        self, record: str, into: str, kept: Sequence[Record], marker: str, since: dt.datetime | None = None
    ) -> Done:
        """Lead deals, tags and tasks back."""
        return self._merging.unmerge(record, into, kept, since)

    def contact_values(self, contact: Record) -> dict[str, Any]:
        """Return the fields that make a contact."""
        return outgoing.contact_values(contact)

    def stage_order(self, record: str, stage: str) -> list[str]:
        """Return the board's columns from left to right; an incoming lead's are waiting, accepted, declined."""
        if record == "lead":
            return list(codes.LEAD_STAGES)
        return self._directory.order(stage) if record == "deal" and "/" in stage else []

    # --- looking after it ----------------------------------------------------------------------------

    def check(self) -> list[Finding]:
        """Ask who we are, what we may, whether fields and stages exist, whether the webhook is on."""
        return self._checking.check()

    def names(self) -> dict[str, dict[str, tuple[str, str]]]:
        """Return the account's own fields, stages, users and catalogs."""
        return self._checking.names()

    def inventory(self) -> list[Named]:
        """Return the account's custom fields, stages, pipelines and users as they are now, asked for anew."""
        return inventory(Directory(self._client))

    def connect(self, callback_url: str) -> list[Finding]:
        """Register the webhook, make the marker's field, connect the chat channel."""
        return self._checking.connect(callback_url)

    # --- consent -------------------------------------------------------------------------------------

    def authorize_url(self, state: str, redirect: str) -> str | None:
        """Return the page of consent; amoCRM goes back to the address registered with the integration."""
        return self._oauth.authorize_url(state)

    def consent(self, request: Request) -> Reply:
        """Take the code of a consent and store the tokens."""
        return self._oauth.consent(request, self.tokens)
