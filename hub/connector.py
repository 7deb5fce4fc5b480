"""The contract of a plugin: one `Connector` class per vendor, one instance per configured connection.

Only what the vendor supports is overridden. Reading a message (`verify`, `receipt_key`, `parse`) touches neither
network nor clock nor database; talking to the vendor happens in `complete`, `poll`, `find`, `get`, `perform`,
`check`, always through `self.http`, which brings time-outs, limits, redaction and the lease check along.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

import marshmallow as ma

from hub.errors import Refused, Rejected
from hub.history import History
from hub.model import Action, Done, Event, Finding, Poll, Receipt, Record, Reply, Request, Watch

if TYPE_CHECKING:
    from hub.session import Session
    from hub.tokens import TokenVault

API_VERSION = 1


@dataclass(frozen=True)
class EventKind:
    """An event the connector can bring: its neutral name, the record it is about, the file name of a sample.

    `fields` lists vendor parameters that may stand in a path although `hub.records` doesn't know them.
    """

    name: str
    record: str = ""
    sample: str = ""
    note: str = ""
    fields: tuple[str, ...] = ()


@dataclass(frozen=True)
class ActionKind:
    """An action the connector offers in `do:`.

    required: values that must be there. idempotent: repeating it does no harm, whatever became of the earlier try
    (reading, or writing the same values again). marker: the vendor field that holds our marker, searchable through
    `find(record, {"marker": ...})`; empty = can't be searched, then `uncertain` decides (`repeat | park |
    assume_done`). cost: vendor calls one perform takes at most. latest: a newer one for the same target makes an
    older waiting one superfluous. person: hangs on a contact, which the hub makes first. linked: what it makes or
    finds is remembered as a Link of the event's subject; False for what only hangs on another record (a comment) or
    belongs to nobody (a branch, an employee).
    fields: the values known to exist, for `hub check`; None = anything goes. words: of the hub's own words for a
    record's fields those it can write, beside the vendor's own (`vendor_field`); None = all of them. writes: the record
    whose fields its values are, where that isn't its own (a lead is converted with the fields of the deal it becomes).
    """

    name: str
    required: tuple[str, ...] = ()
    idempotent: bool = False
    marker: str = ""
    uncertain: str = "park"
    cost: int = 1
    latest: bool = False
    person: bool = False
    linked: bool = True
    fields: tuple[str, ...] | None = None
    words: tuple[str, ...] | None = None
    stage_fields: tuple[str, ...] = ()
    writes: str = ""
    note: str = ""

    @property
    def record(self) -> str:
        """`deal` in `deal.upsert`."""
        return self.name.split(".", 1)[0]

    @property
    def verb(self) -> str:
        """`upsert` in `deal.upsert`."""
        return self.name.split(".", 1)[-1]


@dataclass(frozen=True)
class Limits:
    """How politely to call: `per_second` refill and `burst` of the bucket, `parallel` calls in flight at once.

    `key` names the bucket when several connections share one (a portal, an account); empty = the connection.
    `timeout` is seconds to wait for an answer; a vendor that runs long calls says so.
    """

    per_second: float = 20.0
    burst: int = 20
    parallel: int = 16
    key: str = ""
    timeout: float = 30.0


class Settings(ma.Schema):
    """Base of every plugin's settings. Field metadata: `help`, `example`, `secret` (masked everywhere)."""

    class Meta:
        unknown = ma.RAISE


@dataclass(frozen=True)
class Mention:
    """A code of the vendor's that a route names, so that `check` can tell whether the account has it.

    kind: `stage` (of `record`; read, compared with or written) or `field` (a vendor field of `record`). place: where
    in hub.yaml it stands, for people. beside: the other stages of the same route and record: a stage of another
    pipeline than all of them is a likely mistake. said: a digest of what stands at that place, so that an edit shows.
    """

    kind: str
    record: str
    code: str
    place: str
    beside: tuple[str, ...] = ()
    said: str = ""


@dataclass(frozen=True)
class Named:
    """One thing of the account that hub.yaml may name by its code; `Connector.inventory` lists them.

    kind: `field`, `stage`, `user` or `pipeline`. code: as hub.yaml writes it. label: as people see it there. record:
    whose field or stage it is (`deal`), "" where it is nobody's or that isn't known. type: of a field, in the vendor's
    words; `user` for one that holds an employee, whatever the vendor calls that. pipeline: the code of a stage's
    pipeline.
    """

    kind: str
    code: str
    label: str = ""
    record: str = ""
    type: str = ""
    pipeline: str = ""


@dataclass
class ConnectionInfo:
    """What a connector knows of its own connection. `mentions`: codes of the vendor's that routes name."""

    name: str
    region: str = ""
    timezone: str = "UTC"
    base_url: str = ""
    names: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    mentions: tuple[Mention, ...] = ()


class Connector:
    """One configured account at a vendor. Subclass it, declare, override what the vendor supports."""

    name: ClassVar[str] = ""
    title: ClassVar[str] = ""
    docs_url: ClassVar[str] = ""
    api_version: ClassVar[int] = API_VERSION
    Settings: ClassVar[type[ma.Schema]] = Settings
    events: ClassVar[tuple[EventKind, ...]] = ()
    actions: ClassVar[tuple[ActionKind, ...]] = ()
    statuses: ClassVar[Mapping[str, str]] = {}
    #: seconds after which a lost create is surely visible to a search
    settle: ClassVar[float] = 60.0
    #: messages name a record and say no more: one that repeats another may stand for a second change, so a copy that
    #: comes after the record was read makes the hub look again (and find nothing new, as a rule)
    hints: ClassVar[bool] = False
    #: largest body this vendor may send
    max_body: ClassVar[int] = 1_000_000
    #: content type that a bare sample body of this vendor has (`hub try FILE`)
    content_types: ClassVar[Mapping[str, str]] = {
        ".json": "application/json", ".txt": "application/x-www-form-urlencoded"
    }  # fmt: skip
    #: pattern of a vendor field that may stand in a path or in `set` without being in `names`
    vendor_field: ClassVar[str] = r"$^"
    #: fields that change with every write and are no news (`DATE_MODIFY`)
    volatile: ClassVar[tuple[str, ...]] = ()

    def __init__(self, connection: ConnectionInfo, settings: Mapping[str, Any]) -> None:
        self.connection = connection
        self.settings = settings
        #: set by the hub before any method that talks to the vendor
        self.http: Session
        #: encrypted, rotating credentials of this connection
        self.tokens: TokenVault
        #: what the hub remembers of this connection: its events, its acts under way
        self.history = History()

    # --- declared per connection ---------------------------------------------------------------

    @classmethod
    def variant(cls, settings: Mapping[str, Any]) -> type[Connector]:
        """Return the class for a connection with these settings: this one, or a subclass with other events and actions.

        For a vendor that sells several products under one name, so that `hub check` knows what the one asked for
        can do. `settings` are as loaded; empty where they can't be used.
        """
        return cls

    @classmethod
    def address_word(cls, settings: Mapping[str, Any]) -> str:
        """Return the secret word at the end of the address that the vendor calls, "" where none proves the sender.

        People paste that address at the vendor; where somebody may read along, the word is hidden. A setting `secret`
        unless a connector says otherwise.
        """
        word = settings.get("secret")
        return word if isinstance(word, str) else ""

    def limits(self) -> Limits:
        """Return how politely this connection must be called."""
        return Limits()

    def hosts(self) -> Iterable[str]:
        """Return the host names that this connection's credentials may be sent to."""
        return ()

    def polls(self) -> Mapping[str, float]:
        """Return the polls to run: name -> seconds between two runs."""
        return {}

    # --- the way in ----------------------------------------------------------------------------

    @property
    def verify_waits(self) -> bool:
        """Whether `verify` looks into `self.tokens`: the store may keep it waiting, so it is called in a thread."""
        return False

    def handshake(self, request: Request) -> Reply | None:
        """Answer a vendor's challenge or test ping; None if this request isn't one. Nothing is stored then."""
        return None

    def verify(self, request: Request) -> None:
        """Raise `Rejected` unless the request is genuine. Secrets are compared in constant time, on raw bytes."""
        raise Rejected(404, f"plugin {self.name} takes no requests from outside")

    def receipt_key(self, request: Request) -> str:
        """Return what tells this message from all others of the connection, from signed material or the body."""
        raise NotImplementedError

    def acknowledge(self, request: Request) -> Reply:
        """Return the answer after the receipt is safely stored."""
        return Reply()

    def parse(self, receipt: Receipt) -> list[Event]:
        """Turn a stored request into events. Pure. What isn't known becomes `vendor.<native name>`."""
        raise NotImplementedError

    def tells(self, event: Event) -> dict[str, Any]:
        """Return what an event says of its subject in the words of `Done.echoes`, {} if it's always news. Pure.

        For a state that people and the hub set alike, and that the vendor tells of whoever set it (a list was joined).
        """
        return {}

    # --- asking the vendor ---------------------------------------------------------------------

    def complete(self, events: list[Event], needs: frozenset[str]) -> list[Event]:
        """Fill in hints of one subject: read the record once and return the completed events.

        `needs` names the records that routes look at (`contact`, `responsible`, ...). Several hints about one
        subject come together; return one event for each that still means something.
        """
        return events

    def poll(self, what: str, cursor: Any, watched: Sequence[Watch] = ()) -> Poll:
        """Ask for news since `cursor` (None at first). `watched` are the due watches of kind `what`, at most 500."""
        raise NotImplementedError

    def find(self, record: str, by: Mapping[str, Any], limit: int = 50) -> list[Record]:
        """Return the records (each with `id`) that match all of `by`, oldest first.

        Keys of `by`: vendor fields, and the words every CRM plugin knows: `marker`, `phone`, `email`, `contact`
        (id), `open` (True), `stage`, `since` (instant of creation).
        """
        raise Refused(f"plugin {self.name} can't search for {record}")

    def get(self, record: str, id: str) -> Record:
        """Return one record whole, or raise `Gone`."""
        raise Refused(f"plugin {self.name} can't read a {record}")

    def pages(self, record: str, since: dt.datetime | None = None, cursor: Any = None) -> tuple[list[Record], Any]:
        """Return one page of whole records (as large as the vendor gives them), and the cursor of the next page.

        since: only those changed since then. cursor: None for the first page; what comes back is None after the
        last. The order must not move while one reads: what changes meanwhile may come twice, never be left out.
        """
        raise Refused(f"plugin {self.name} can't list its {record} records")

    # --- acting --------------------------------------------------------------------------------

    def perform(self, action: Action) -> Done:
        """Do it and say what came of it. Raise by what to do next (`hub.errors`)."""
        raise Refused(f"plugin {self.name} has no action {action.name}")

    def attach(self, record: str, id: str, how: str, text: str, marker: str, since: dt.datetime | None = None) -> Done:
        """Join `text` to an existing record as a `comment`, `note`, `task` or `activity`.

        since: when an earlier try of this began whose outcome nobody knows; look for what it left before repeating.
        """
        raise Refused(f"plugin {self.name} can't attach to a {record}")

    def holds(self, record: str, name: str, wrote: Any, stands: Any) -> bool:
        """Return whether a field still says what was written, in whatever spelling the vendor gives it back.

        For one whose reading differs from its writing more than `15000` from `15000.00` (a date that comes back with a
        time, a phone with spaces).
        """
        from hub.changes import same

        return same(wrote, stands)

    def restored(self, record: str, before: Mapping[str, Any], now: Record) -> dict[str, Any]:
        """Return the values that make fields say again what they said: `before` as it was read, "" for nothing.

        now: the record as it is. For fields that are not simply overwritten (rows that are added and taken out).
        """
        return {name: "" if value is None else value for name, value in before.items()}

    def merge(
        self, record: str, into: str, ids: Sequence[str], carry: Sequence[str], marker: str,
        since: dt.datetime | None = None,
    ) -> Done:  # fmt: skip
        """Make one record of several that are the same human's: `ids` end in `into`, which stays.

        carry: what must go along, of `deals notes tags tasks`; a vendor that merges whole records takes all of it.
        since: when an earlier try began; an id that is gone by then has been merged. Returns under `kept` each record
        as it was, with its id and what hung on it, so that `unmerge` can bring it back; `lost` are the ids that are
        no more. Raises `Refused` with what a person must do where the vendor wants one to decide.
        """
        raise Refused(f"plugin {self.name} can't merge {record} records")

    def unmerge(
        self, record: str, into: str, kept: Sequence[Record], marker: str, since: dt.datetime | None = None
    ) -> Done:  # fmt: skip
        """Undo a merge: bring the records back that `merge` has kept, with what hung on them; `into` gives it up.

        Returns under `restored` former id -> id by now.
        """
        raise Refused(f"plugin {self.name} can't undo a merge of {record} records")

    def found(self, action: Action, record: Record) -> Done:
        """Return what a create brought that had been in doubt and was found by its marker (watches, links).

        Where a create does more than make the record (a note beside it), the rest may never have happened: do here
        what isn't there yet.
        """
        return Done(result=record, id=str(record["id"]))

    def contact_values(self, contact: Record) -> dict[str, Any]:
        """Return the vendor fields that make a contact out of the neutral record."""
        raise Refused(f"plugin {self.name} keeps no contacts")

    def stage_order(self, record: str, stage: str) -> list[str]:
        """Return the stages of the pipeline that `stage` belongs to, in forward order; empty = unknown."""
        return []

    # --- looking after the connection ----------------------------------------------------------

    def check(self) -> list[Finding]:
        """Ask the vendor whether token, rights, fields and stages are as configured. Changes nothing."""
        return []

    def names(self) -> dict[str, dict[str, tuple[str, str]]]:
        """Return the live account's words for `hub names`: {"fields"|"stages"|"users": {our word: (code, label)}}."""
        return {}

    def inventory(self) -> list[Named]:
        """Return every field, stage, user and pipeline that hub.yaml may name, as the account has them now.

        The hub compares it with what it saw before: what was deleted or given another type pauses the lines that name
        it. What can't be read (a right is missing) is left out whole: of a kind and record that nothing is told of,
        nothing is taken for deleted. Without types and pipelines `names` says enough, which is what stands here.
        """
        kinds = {"fields": "field", "stages": "stage", "users": "user"}
        found = self.names()
        return [
            Named(kind, code, label) for name, kind in kinds.items() for code, label in found.get(name, {}).values()
        ]

    def connect(self, callback_url: str) -> list[Finding]:
        """Register the hub at the vendor (webhooks, subscriptions) where its API allows that."""
        return []

    # --- consent (OAuth) -----------------------------------------------------------------------

    def authorize_url(self, state: str, redirect: str) -> str | None:
        """Return where an administrator gives consent, or None if this vendor has no consent."""
        return None

    def consent(self, request: Request) -> Reply:
        """Take the vendor's answer to a consent (its code, or a signed install event) and store the tokens."""
        raise Rejected(404, f"plugin {self.name} has no consent")

    # --- help for plugins ----------------------------------------------------------------------

    def action(self, name: str) -> ActionKind:
        """Return the declaration of one action."""
        return next(kind for kind in self.actions if kind.name == name)
