"""The nouns: the same words in tables, classes, logs, the command line and the pages."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import parse_qsl

#: A record is a plain mapping with neutral field names (`hub.records` lists them); vendor fields live in `extra`.
Record = dict[str, Any]

#: The forward order of a parcel; a later or equal place never moves back (returns and refusals are let through).
PARCEL_ORDER = (
    "registered", "accepted", "in_transit", "delayed", "redirected", "arrived", "out_for_delivery",
    "delivery_failed", "delivered", "paid_out",
)  # fmt: skip
#: what a parcel passes once, and not again: within the second group it goes to and fro as the carrier likes
PARCEL_RANK = {
    "registered": 0, "accepted": 1, "in_transit": 2, "delayed": 2, "redirected": 2, "arrived": 2,
    "out_for_delivery": 2, "delivery_failed": 2, "delivered": 3, "paid_out": 4,
}  # fmt: skip
PARCEL_EXCEPTIONS = ("returning", "returned", "refused", "lost", "cancelled")
PARCEL_STATUSES = (*PARCEL_ORDER, *PARCEL_EXCEPTIONS, "unknown")


class Owned(dict[str, Any]):
    """A vendor's record of which the hub knows where it is from: `_connection` names that, in whose words its fields
    are read. The same word in what came from outside is a field like any other.
    """


@dataclass(frozen=True, slots=True)
class Request:
    """A request from outside, as it came. Header names are lower-case; `tail` is what follows the connection."""

    method: str
    path: str
    query: tuple[tuple[str, str], ...] = ()
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    remote: str = ""
    tail: str = ""
    at: dt.datetime = field(default_factory=lambda: dt.datetime.now(dt.UTC))

    @property
    def content_type(self) -> str:
        """The media type alone, lower-case, without its parameters."""
        return self.headers.get("content-type", "").split(";", 1)[0].strip().lower()

    def query_value(self, name: str) -> str | None:
        """Return the first value of a query parameter, or None."""
        return next((value for key, value in self.query if key == name), None)

    def form(self) -> list[tuple[str, str]]:
        """Return the urlencoded body as ordered pairs; bytes that aren't UTF-8 become replacement marks."""
        text = self.body.decode("utf-8", "replace")
        return parse_qsl(text, keep_blank_values=True, max_num_fields=10_000)


@dataclass(frozen=True, slots=True)
class Reply:
    """The HTTP answer to a sender."""

    status: int = 200
    body: bytes | str = b""
    content_type: str = "text/plain; charset=utf-8"
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Receipt:
    """A raw request as stored. `key` is unique per connection and decides what is a duplicate.

    `again` is set when a person wants it acted upon a second time: what it brings gets markers of its own. `replayed`:
    a person wants it read again; events known from it go to the routes that have not seen them. `batch` names the
    command that wanted either, so that what it wrote can be taken back.
    """

    id: int
    connection: str
    key: str
    request: Request
    at: dt.datetime
    state: str = "new"
    again: str = ""
    replayed: bool = False
    batch: str = ""


@dataclass(frozen=True, slots=True)
class Event:
    """One thing that happened, in neutral words.

    `type` is `record.verb` without the connection (`deal.updated`); `subject` names what it happened to
    (`deal:55`); `key` is unique per connection; `at` is when the hub stored it (epoch seconds). `record` maps
    record names to records. An event with `incomplete=True` is only a hint: the hub calls the connector's `complete`
    before it plans anything. `again` and `batch` are the receipt's.
    """

    type: str
    subject: str
    key: str
    record: dict[str, Any] = field(default_factory=dict)
    occurred_at: dt.datetime | None = None
    text: str = ""
    title: str = ""
    channel: str = ""
    by: str = ""
    incomplete: bool = False
    id: int = 0
    connection: str = ""
    receipt: int | None = None
    hop: int = 0
    was: dict[str, Any] = field(default_factory=dict)
    at: float = 0.0
    again: str = ""
    batch: str = ""

    @property
    def origin(self) -> str:
        """What the markers of all that this event sets off are made of."""
        return f"{self.key}!{self.again}" if self.again else self.key

    @property
    def kind(self) -> str:
        """The record the event is about: `deal` in `deal.updated`."""
        return self.type.split(".", 1)[0]

    def with_(self, **changes: Any) -> Event:
        """Return a copy with some fields changed."""
        return replace(self, **changes)


@dataclass(slots=True)
class Action:
    """One outward act, ready for a connector: the vendor fields are already mapped.

    `record` and `verb` come from `do:` (`deal`, `update`); the core turns `upsert` into `create` or `update`
    before it asks. `id` is the target at the vendor, when there is one. `contact` is the vendor's id of the
    person's contact, for records that hang on one. `marker` is to be written where the vendor can be searched
    by it. `event` is what set it off. `in_doubt_since` is when an earlier try began of which nobody knows whether it
    took effect: what has no marker looks for its own trace since then before it acts again. `exact`: a field of
    several values (phones) is to hold just these; without it they are added to what is there. `quiet`: nobody is to be
    notified, where the vendor knows how.
    """

    name: str
    record: str
    verb: str
    values: dict[str, Any] = field(default_factory=dict)
    id: str = ""
    contact: str = ""
    person: Record = field(default_factory=dict)
    fill: str = "empty_only"
    marker: str = ""
    find: dict[str, Any] = field(default_factory=dict)
    limit: int | None = None
    method: str = ""
    event: Event | None = None
    attempt: int = 1
    in_doubt_since: dt.datetime | None = None
    exact: bool = False
    quiet: bool = False


@dataclass(frozen=True, slots=True)
class Watch:
    """A record the hub asks a vendor about until it is finished (a parcel under way).

    `data` is what the connector needs to ask (a phone); `after` is seconds until the next question, None = finished.
    """

    kind: str
    id: str
    data: dict[str, Any] = field(default_factory=dict)
    after: float | None = 0.0


@dataclass(slots=True)
class Done:
    """What an action brought: a result record (with `id`), links to remember, and events it brings forth.

    `written` holds the vendor fields written, so that their echo isn't taken for news; `before` their values
    before the write. `links` are pairs of (kind, id) at this connection that belong to the event's subject.
    `watch` names records to be polled from now on. `echoes` are states this act has set that the vendor may tell of by
    itself, once each (`Connector.tells`): id -> name -> value; the name `*` stands for all that aren't named.
    """

    result: Record = field(default_factory=dict)
    id: str = ""
    events: list[Event] = field(default_factory=list)
    links: list[tuple[str, str]] = field(default_factory=list)
    written: dict[str, Any] = field(default_factory=dict)
    before: dict[str, Any] = field(default_factory=dict)
    watch: list[Watch] = field(default_factory=list)
    echoes: dict[str, dict[str, Any]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of `hub check --live`, or of an alert: what was seen, and what to do.

    level: `ok`, `note` (what nobody but a person can look up), `warning` or `problem`.
    """

    level: str
    text: str
    remedy: str = ""


@dataclass(slots=True)
class Poll:
    """What one poll brought.

    `receipts` are requests to be stored like pushed ones, each with its key; `cursor` is kept for the next poll;
    `next_in` overrides the seconds until then; `watch` starts, re-times or ends (after=None) watched records.
    `findings` are what a person must know of the connection itself (a webhook that was switched off): an alert says
    them for as long as the poll finds them.
    """

    receipts: list[tuple[str, Request]] = field(default_factory=list)
    cursor: Any = None
    next_in: float | None = None
    watch: list[Watch] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Reason:
    """Why something is as it is: a code and its parameters; `hub.reasons.say` puts it into words."""

    code: str
    params: Mapping[str, Any] = field(default_factory=dict)
