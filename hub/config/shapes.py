"""`hub.yaml`, read and checked: what the rest of the hub works with."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path as File
from typing import Any
from zoneinfo import ZoneInfo

from hub.conditions import ALWAYS, Condition, Verdict
from hub.config.problems import Problem
from hub.config.syncs import BREAKER, Sync
from hub.connector import ActionKind, ConnectionInfo, Connector, Mention
from hub.mapping import Values
from hub.masking import MASK
from hub.paths import Path, Scope
from hub.records import FIELDS
from hub.tables import LookUp, Table
from hub.templates import Template

#: seconds that a receipt and what became of it are kept
KEEP = 90 * 86400


@dataclass(frozen=True)
class HubSettings:
    """The section `hub`. `keep` is seconds."""

    base_url: str = ""
    timezone: str = "UTC"
    region: str = ""
    keep: int = KEEP
    unrouted: str = "alert"
    #: hour and minute at which everything is reconciled each day
    reconcile: tuple[int, int] | None = None
    #: writes of one pair of a sync within a minute after which it is stopped as a circle
    sync_breaker: int = BREAKER
    plugins_dir: File | None = None
    database_url: str = field(default="", repr=False)
    redis_url: str = field(default="", repr=False)

    @cached_property
    def zone(self) -> ZoneInfo:
        """The time zone that dates without one are meant in."""
        return ZoneInfo(self.timezone)


@dataclass(frozen=True, repr=False)
class ConnectionConfig:
    """One account at a vendor, its settings checked by the plugin.

    `names` holds our words for their codes: {"fields", "stages", "users"} -> {word: code}. `poll` and `reply_within`
    are seconds.
    """

    name: str
    plugin: str
    connector: type[Connector]
    settings: dict[str, Any] = field(default_factory=dict)
    names: dict[str, dict[str, str]] = field(default_factory=lambda: {"fields": {}, "stages": {}, "users": {}})
    line: int = 0
    price: str = ""
    poll: int | None = None
    reply_within: int = 0
    reply_late: Any = None
    hidden: tuple[str, ...] = ()
    shown: dict[str, Any] = field(default_factory=dict)

    def secrets(self) -> tuple[str, ...]:
        """Return the values that must never be seen: settings marked secret, and what came from secret variables."""
        return self.hidden

    def info(self, hub: HubSettings) -> ConnectionInfo:
        """Return what the connector may know of its own connection."""
        return ConnectionInfo(self.name, hub.region, hub.timezone, hub.base_url, self.names)

    def field_code(self, word: str) -> str:
        """Return the vendor's code for one of our field names, or the word itself."""
        return self.names["fields"].get(word, word)

    def stage_code(self, word: str) -> str:
        """Return the vendor's code for one of our stage names, or the word itself."""
        return self.names["stages"].get(word, word)

    def action(self, name: str) -> ActionKind | None:
        """Return the declaration of an action, None if the plugin has none of that name."""
        return next((kind for kind in self.connector.actions if kind.name == name), None)

    def __repr__(self) -> str:
        return f"ConnectionConfig({self.name!r}, plugin={self.plugin!r}, settings={self.shown!r})"


@dataclass(frozen=True)
class ClientRule:
    """A person with such a record is a client: the record as it was last seen fits the condition."""

    connection: str
    record: str
    condition: Condition


@dataclass(frozen=True)
class MergeRule:
    """`merge`: the kinds of keys that join by themselves, what goes along in the CRM, what becomes of the others."""

    auto: tuple[str, ...] = ("phone", "email", "handle")
    carry: tuple[str, ...] = ("deals", "notes", "tags", "tasks")
    else_: str = "suspects"


@dataclass(frozen=True)
class People:
    """How humans are recognised. `fill` is empty_only, newest or ("prefer", connections...).

    survive: field -> which of its values stands, where that isn't the rule of `fill`: a word of `golden.SURVIVES`, or
    connections in order of trust. merge: None = persons are joined by the hub's own rules and no CRM is touched.
    nobody_after: so many keys of one kind that came through one and the same key make that one nobody's.
    unverified: connections at which anybody may name anybody's phone: what comes there changes nothing about the known.
    """

    match: tuple[str, ...] = ("phone", "email", "handle")
    fill: str | tuple[str, ...] = "empty_only"
    several: str = "oldest"
    block: tuple[Table, tuple[str, ...]] | None = None
    nobody: frozenset[str] = frozenset()
    nobody_after: int = 30
    unverified: frozenset[str] = frozenset()
    client: tuple[ClientRule, ...] = ()
    merge: MergeRule | None = None
    survive: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Trigger:
    """What starts a route: an event type at a connection; `*` stands for any connection or verb."""

    connection: str
    type: str

    def matches(self, connection: str, event_type: str) -> bool:
        """Return whether such an event starts the route."""
        if self.connection not in ("*", connection):
            return False
        return self.type in (event_type, "*") or (self.type[-2:] == ".*" and event_type.startswith(self.type[:-1]))

    def __str__(self) -> str:
        return f"{self.connection}.{self.type}"


@dataclass(frozen=True)
class Do:
    """The action of a step: `crm.deal.upsert`, or `crm.api` with a vendor method."""

    connection: str
    action: str
    method: str = ""

    @property
    def record(self) -> str:
        """`deal` in `deal.upsert`."""
        return self.action.split(".", 1)[0]

    @property
    def verb(self) -> str:
        """`upsert` in `deal.upsert`."""
        return self.action.rsplit(".", 1)[-1]

    def __str__(self) -> str:
        return f"{self.connection}.{self.action}" + (f" {self.method}" if self.method else "")


@dataclass(frozen=True)
class Find:
    """Which record a step is about: `record` is a path (`deal`, `care`, `lead.contact`, `person`), or `by` values."""

    record: Path | None = None
    by: Values = field(default_factory=Values)


@dataclass(frozen=True)
class StageRule:
    """`stage`: one stage, or one per status with `other`. Stages are the vendor's codes, or `ignore`, `alert`."""

    stage: str = ""
    table: Mapping[str, str] = field(default_factory=dict)
    #: where it stands in the file
    place: str = ""

    def target(self, status: str | None = None) -> str:
        """Return the stage to move to; `ignore` when a map has no answer."""
        if not self.table:
            return self.stage
        return self.table.get(status or "") or self.table.get("other", "ignore")


@dataclass(frozen=True)
class Attach:
    """Join an open record instead of making one: `to` holds pairs ("open", record) in order; `within` is seconds."""

    to: tuple[tuple[str, str], ...]
    within: int | None = None
    as_: str = "comment"


@dataclass(frozen=True)
class Step:
    """One step of a route. `path` is where it stands in the file (`routes[3].steps[1]`)."""

    index: int
    path: str
    do: Do | None = None
    when: Condition = ALWAYS
    find: Find | None = None
    missing: str | None = None
    several: str | None = None
    set: Values = field(default_factory=Values)
    stage: StageRule | None = None
    attach: Attach | None = None
    only_from: tuple[str, ...] = ()
    back: tuple[str, ...] = ()
    as_: str | None = None
    look_up: LookUp | None = None
    stop: Template | None = None
    optional: bool = False
    refused: tuple[Step, ...] = ()
    limit: int | None = None
    order: str | None = None
    line: int = 0
    priority: str | None = None
    #: the stages of its connection: code -> our word
    stage_words: Mapping[str, str] = field(default_factory=dict)

    def stage_word(self, code: str) -> str:
        """Return our word for the code of a stage, or the code itself."""
        return self.stage_words.get(code, code)

    def paths(self) -> Iterable[Path]:
        """Yield every path the step looks at, those of its `refused` steps included."""
        yield from self.when.paths()
        yield from self.set.paths()
        if self.find is not None:
            yield from self.find.by.paths()
            if self.find.record is not None:
                yield self.find.record
        if self.look_up is not None:
            yield from self.look_up.where.paths()
        if self.stop is not None:
            yield from self.stop.paths()
        for step in self.refused:
            yield from step.paths()


@dataclass(frozen=True)
class Route:
    """When this event, do that. `off` says why it can't run yet; None = it runs."""

    name: str
    on: tuple[Trigger, ...]
    when: Condition
    steps: tuple[Step, ...]
    otherwise: str | None = None
    priority: str = "normal"
    line: int = 0
    off: str | None = None
    path: str = ""
    file: str = "hub.yaml"
    #: what the file says of parts that aren't built yet, for the sentence
    later: Mapping[str, str] = field(default_factory=dict)
    #: the sync it belongs to, and which way it carries: `forward` or `back`
    sync: str = ""
    way: str = ""

    def check(self, scope: Scope) -> Verdict:
        """Return whether the route wants this event.

        A look-up that stands on the route itself (step 0) may be named in `when`; it is made here when it is.
        """
        first = self.steps[0] if self.steps else None
        if first is None or first.look_up is None or first.as_ is None:
            return self.when.check(scope)
        if first.as_ in scope.results or all(path.root != first.as_ for path in self.when.paths()):
            return self.when.check(scope)
        results = {**scope.results, first.as_: first.look_up.run(scope)}
        seen = Scope(
            scope.event, scope.config, results=results, person=scope.person, now=scope.now, extra=scope.extra,
            load=scope.load,
        )  # fmt: skip
        return self.when.check(seen)

    def acts_at(self, connection: str) -> bool:
        """Return whether a step of the route does something at a connection."""
        steps = [one for step in self.steps for one in (step, *step.refused)]
        return any(step.do is not None and step.do.connection == connection for step in steps)

    def step(self, path: str) -> Step | None:
        """Return the step at a path: `2`, or `2r0` for the first step of its `refused`."""
        main, _, inner = path.partition("r")
        if int(main) >= len(self.steps):
            return None
        step = self.steps[int(main)]
        if not inner:
            return step
        return step.refused[int(inner)] if int(inner) < len(step.refused) else None

    @cached_property
    def asks_person(self) -> bool:
        """Whether `when` looks at the person: then it is decided where the person is found, in one transaction."""
        return any(path.root == "person" for path in self.when.paths())

    def paths(self) -> Iterable[Path]:
        """Yield every path the route looks at."""
        yield from self.when.paths()
        for step in self.steps:
            yield from step.paths()

    def sentence(self) -> str:
        """Return the route as one readable sentence."""
        from hub.config.sentences import sentence

        return sentence(self)


#: first words that no connector has to bring
_ALWAYS = frozenset({"event", "now", "item", "team"})
#: second words of a path that are records of their own when more follows: `deal.responsible.name`
_RELATED = frozenset({"responsible", "contact", "company", "deal", "lead", "pipeline", "stage", "by"})


@dataclass(frozen=True)
class Config:
    """The whole of `hub.yaml`. `version` changes with its text, that of included files and of tables."""

    path: File
    hub: HubSettings = field(default_factory=HubSettings)
    connections: dict[str, ConnectionConfig] = field(default_factory=dict)
    people: People = field(default_factory=People)
    tables: dict[str, Table] = field(default_factory=dict)
    team: dict[str, Any] = field(default_factory=dict)
    routes: tuple[Route, ...] = ()
    notes: list[Problem] = field(default_factory=list)
    version: str = ""
    #: the variables that the file names, and what they stood for when it was read
    filled: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    #: connection -> codes of its vendor's that routes name
    mentions: Mapping[str, tuple[Mention, ...]] = field(default_factory=dict)
    #: the same wherever it stands: in routes by our words too, in syncs, under `names` and `team` (without a record)
    named: Mapping[str, tuple[Mention, ...]] = field(default_factory=dict)
    syncs: tuple[Sync, ...] = ()
    _routes: dict[tuple[str, str], tuple[Route, ...]] = field(default_factory=dict, repr=False, compare=False)
    _needs: dict[tuple[str, str], frozenset[str]] = field(default_factory=dict, repr=False, compare=False)

    def routes_for(self, connection: str, event_type: str) -> tuple[Route, ...]:
        """Return the routes such an event starts, in the order of the file; those that are off included."""
        key = connection, event_type
        found = self._routes.get(key)
        if found is None:
            found = tuple(
                route for route in self.routes if any(one.matches(connection, event_type) for one in route.on)
            )
            if len(self._routes) < 10_000:
                self._routes[key] = found
        return found

    def route(self, name: str) -> Route | None:
        """Return the route of that name."""
        return next((route for route in self.routes if route.name == name), None)

    def sync(self, name: str) -> Sync | None:
        """Return the sync of that name."""
        return next((one for one in self.syncs if one.name == name), None)

    def names(self) -> dict[str, dict[str, dict[str, str]]]:
        """Return connection -> our words for its codes, as `ConnectionConfig.names` holds them."""
        return {name: one.names for name, one in self.connections.items()}

    def needs(self, connection: str, record: str) -> frozenset[str]:
        """Return the records and relations that routes started by such a record look at.

        Words are records (`contact`, `person`), relations (`responsible` of `deal.responsible.name`)
        and `goods`; `contact` too when an action hangs on a person.
        """
        key = connection, record
        if key not in self._needs:
            self._needs[key] = frozenset(self._find_needs(connection, record))
        return self._needs[key]

    def fields_watched(self, connection: str, record: str) -> frozenset[str]:
        """Return the fields (vendor codes) whose former value conditions or templates ask for."""
        known = self.connections.get(connection)
        watched = set()
        for route in self._starting(connection, record):
            conditions = [route.when, *(step.when for step in route.steps)]
            tested = (one.path for when in conditions for one in when.fields() if "Changed" in repr(one.test))
            for path in (*tested, *(path for path in route.paths() if "was" in path.parts[1:2])):
                if path.root == record and len(path.parts) > 1:
                    watched.add(path.parts[2] if path.parts[1] == "was" and len(path.parts) > 2 else path.parts[1])
        return frozenset(known.field_code(word) if known else word for word in watched)

    def _starting(self, connection: str, record: str) -> list[Route]:
        pattern = re.compile(rf"{re.escape(record)}\.|\*$")
        return [
            route for route in self.routes
            if route.off is None
            and any(one.connection in ("*", connection) and pattern.match(one.type) for one in route.on)
        ]  # fmt: skip

    def _find_needs(self, connection: str, record: str) -> Iterable[str]:
        if any((rule.connection, rule.record) == (connection, record) for rule in self.people.client):
            yield "contact"  # whose record it is
        for route in self._starting(connection, record):
            results = {step.as_ for step in route.steps}
            for path in route.paths():
                if path.root in FIELDS and path.root not in results and path.root not in _ALWAYS:
                    yield path.root
                if path.root == "person" and "person" not in results:
                    yield "contact"  # who it is is known by the contact
                if len(path.parts) > 2 and path.parts[1] in _RELATED:
                    yield path.parts[1]
                if path.parts[1:2] == ("goods",):
                    yield "goods"
            for step in route.steps:
                known = self.connections.get(step.do.connection) if step.do else None
                kind = known.action(step.do.action) if known and step.do else None
                if kind is not None and kind.person:
                    yield "contact"


def masked(settings: Any, hidden: frozenset[str]) -> Any:
    """Return settings fit to be shown: every hidden value is masked, at any depth."""
    if isinstance(settings, Mapping):
        return {key: masked(value, hidden) for key, value in settings.items()}
    if isinstance(settings, list | tuple):
        return [masked(value, hidden) for value in settings]
    if isinstance(settings, str) and any(secret in settings for secret in hidden):
        return MASK
    return settings
