"""What if hub.yaml were another: the events of some days through both files, and what would be called otherwise.

Nothing is written and no vendor is asked. Both files plan the same stored events by the same code (`hub.trying`), so
that what differs comes of the edit alone, and not of what has changed in the world since. What a route would load
from a vendor is taken from what the hub knows: the links, and the record as it was last seen (which may be later than
the event); where it knows nothing, the value stands as "not known without asking crm". `now` is when the event came.
Where a connection's plugin or settings differ, its requests are read again by both.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

from hub.config import Config, Route, Step
from hub.model import Event, Owned, Receipt
from hub.paths import Path, Scope
from hub.pipeline import Decision, Pipeline
from hub.standing import Standing
from hub.store import Store, families, intake, state, work
from hub.tokens import TokenVault
from hub.trial import PlanRow
from hub.trying import Bench, fill_values

#: events read at a time: memory stays the same however many there are
PAGE = 200


class _AsItCame(Pipeline):
    """Plans as if it were the moment the event came: so `now` is the same in both files."""

    moment = dt.datetime.fromtimestamp(0, dt.UTC)
    person: Mapping[str, Any] | None = None

    def decide(self, event: Event, person: Mapping[str, Any] | None = None) -> Decision:
        """Ask the routes, with how the person stands."""
        return super().decide(event, person or self.person)

    def scope(self, *args: Any, **more: Any) -> Scope:
        """Return what paths see, at that moment."""
        found = super().scope(*args, **more)
        found.now = self.moment
        return found


class Memory(Bench):
    """A bench that knows what the store knows of an event: its person, its links, its records as last seen."""

    unknown = "(not known without asking {})"

    def __init__(self, config: Config, store: Store, key: bytes) -> None:
        super().__init__(config, lambda name: TokenVault(store, name, key))
        self.pipeline: _AsItCame = _AsItCame(cast(Any, self))
        self._memory = store
        self._links: Sequence[work.Ref] = ()
        self._known: dict[str, Any] = {}

    def plan_of(self, event: Event, family: Sequence[int], links: Sequence[work.Ref]) -> list[PlanRow]:
        """Return the calls that this file plans for an event. `family`: its person and those who are one with them."""
        if event.connection not in self.config.connections:
            return []  # its messages would not be let in
        self._links, self._known = links, {}
        self.pipeline.person = (
            Standing(self.config, event, family[0], links, open=self._memory.read, family=family) if family else None
        )
        self.pipeline.moment = dt.datetime.fromtimestamp(event.at, dt.UTC)
        return [row for row in self.plan(event) if row.outcome == "would run" and "." in row.do.partition(" ")[0]]

    def _scope(self, event: Event, results: Mapping[str, Any]) -> Scope:
        return self.pipeline.scope(event, results, self.pipeline.person, load=self._load)

    def _load(self, path: str) -> Any:
        """Return a linked record as it was last seen, None if it never was."""
        if path not in self._known:
            record = path.rpartition(".")[2]
            self._known[path] = next(
                (found for where, kind, ref in self._links if kind == record
                 and (found := self._seen(where, f"{kind}:{ref}")) is not None), None
            )  # fmt: skip
        return self._known[path]

    def _seen(self, connection: str, subject: str) -> dict[str, Any] | None:
        if connection not in self.config.connections:
            return None
        with self._memory.read() as db:
            record = (state.seen(db, connection, subject) or {}).get("record")
        return Owned({**record, "_connection": connection}) if record else None

    def _unknown(self, path: Path, scope: Scope, coming: Mapping[str, int]) -> bool:
        unknown = super()._unknown(path, scope, coming)
        if not unknown or path.root in coming or scope.event.incomplete or path.root in scope.event.record:
            return unknown
        return self._load(path.root) is None

    def _fill(self, row: PlanRow, step: Step, scope: Scope, unknown: Any, event: Event) -> bool:
        """Add what the step aims at: a changed `find` or `attach` is another call, too."""
        goes_on = super()._fill(row, step, scope, unknown, event)
        for line in step.set:  # of two values that nobody knows, what they are made of tells them apart
            told = unknown.placeholder(line.source.paths())
            if told and row.values.get(line.key) == told:
                row.values[line.key] = f"{_made_of(line.source)} {told}"
        if step.find is not None:
            by = PlanRow(row.route, row.do, row.outcome)
            fill_values(by, step.find.by, scope, unknown)
            row.target["find"] = step.find.record.text if step.find.record is not None else by.values
        if step.attach is not None:
            joins = ", ".join(" ".join(pair) for pair in step.attach.to)
            row.target["attach"] = f"{joins} as {step.attach.as_}, within {step.attach.within or 'any time'} s"
        for name in ("missing", "several", "only_from", "back", "priority", "limit"):
            if value := getattr(step, name):
                row.target[name] = list(value) if isinstance(value, tuple) else value
        return goes_on


def _made_of(source: Any) -> str:
    """Return a value as the file has it, as far as it tells one from another."""
    text = getattr(source, "source", None)
    return text if isinstance(text, str) else ", ".join(path.text for path in source.paths())


# --- differences ----------------------------------------------------------------------------------------


@dataclass
class Difference:
    """What becomes of one event otherwise. `changed` are pairs of the same call now and then."""

    event: Event
    added: list[PlanRow] = field(default_factory=list)
    gone: list[PlanRow] = field(default_factory=list)
    changed: list[tuple[PlanRow, PlanRow]] = field(default_factory=list)

    def __bool__(self) -> bool:
        return bool(self.added or self.gone or self.changed)

    def json(self, mask: Callable[[Any], Any]) -> dict[str, Any]:
        """Return it ready for JSON, secrets masked."""
        event = self.event
        return {
            "event": f"e{event.id}" if event.id else None,
            "receipt": f"r{event.receipt}" if event.receipt else None,
            "type": f"{event.connection}.{event.type}",
            "subject": event.subject,
            "added": [_call(row, mask) for row in self.added],
            "gone": [_call(row, mask) for row in self.gone],
            "changed": [
                {**{name: _call(now, mask)[name] for name in ("route", "step", "do")},
                 "values": _pairs(now.values, then.values, mask), "target": _pairs(now.target, then.target, mask),
                 "if": {"now": now.open, "then": then.open} if now.open != then.open else {}}
                for now, then in self.changed
            ],
        }  # fmt: skip


def _call(row: PlanRow, mask: Callable[[Any], Any]) -> dict[str, Any]:
    told: dict[str, Any] = {"route": row.route, "step": row.step, "do": row.do, "values": mask(row.values)}
    return told | ({"target": mask(row.target)} if row.target else {}) | ({"if": row.open} if row.open else {})


def _pairs(now: Mapping[str, Any], then: Mapping[str, Any], mask: Callable[[Any], Any]) -> dict[str, Any]:
    names = [name for name in {**now, **then} if now.get(name) != then.get(name)]
    return {name: {"now": mask(now.get(name)), "then": mask(then.get(name))} for name in names}


def difference(event: Event, now: Sequence[PlanRow], then: Sequence[PlanRow]) -> Difference:
    """Return how the calls of an event differ: the same step of the same route doing the same is the same call."""
    found = Difference(event)
    left = {(row.route, row.step, row.do): row for row in then}
    for row in now:
        other = left.pop((row.route, row.step, row.do), None)
        if other is None:
            found.gone.append(row)
        elif (row.values, row.target, row.open) != (other.values, other.target, other.open):
            found.changed.append((row, other))
    found.added = list(left.values())
    return found


@dataclass
class Summary:
    """Counts over all events, and per route: calls now, calls then, added, gone, changed."""

    events: int = 0
    receipts: int = 0
    different: int = 0
    routes: dict[str, dict[str, int]] = field(default_factory=dict)

    def add(self, found: Difference, now: Sequence[PlanRow], then: Sequence[PlanRow]) -> None:
        """Count one event."""
        self.events += 1
        self.different += bool(found)
        changed = [row for row, _ in found.changed]
        kinds = {"now": now, "then": then, "added": found.added, "gone": found.gone, "changed": changed}
        for kind, rows in kinds.items():
            for row in rows:
                counts = self.routes.setdefault(row.route, dict.fromkeys(kinds, 0))
                counts[kind] += 1


class WhatIf:
    """Goes through stored events with the present file and another."""

    def __init__(self, store: Store, key: bytes, now: Config, then: Config, route: str = "") -> None:
        self.store = store
        self.now, self.then = Memory(now, store, key), Memory(then, store, key)
        self.route = route
        self.summary = Summary()
        #: connections whose requests mean something else in the other file
        self.reread = {name for name, one in now.connections.items() if _reads_otherwise(one, then, name)}

    def run(self, since: float, progress: Callable[[int], None] = lambda n: None) -> Iterator[Difference]:
        """Yield what differs, event by event, oldest first; the requests to be read again come after the rest."""
        last = 0
        while page := self._page(last, since):
            last = page[-1][0].id
            told = [(event, person) for event, person in page if not self._again(event)]
            yield from self._compared([(event, event, person) for event, person in told])
            progress(self.summary.events)
        for name in sorted(self.reread):
            yield from self._read_again(name, since, progress)

    def _again(self, event: Event) -> bool:
        return event.receipt is not None and event.connection in self.reread

    def _page(self, last: int, since: float) -> list[tuple[Event, int | None]]:
        sql = (
            f"SELECT {intake.EVENT_COLUMNS}, person FROM event "  # noqa: S608
            "WHERE id > ? AND at >= ? AND state = 'planned' ORDER BY id LIMIT ?"
        )
        with self.store.read() as db:
            return [(intake.event_of(row[:-1]), row[-1]) for row in db.rows(sql, (last, since, PAGE))]

    def _compared(self, rows: Sequence[tuple[Event | None, Event | None, int | None]]) -> Iterator[Difference]:
        """Yield what differs for (event as it is now, as it would be, person); None where there is none."""
        with self.store.read() as db:
            persons = {person for _, _, person in rows if person is not None}
            who: dict[int | None, list[int]] = {person: families.family(db, person) for person in persons}
            ends = {
                end for now, then, person in rows for one in (now, then) if one
                for end in work.link_ends(one, who.get(person, ()))
            }  # fmt: skip
            known = work.links(db, ends)
        for now, then, person in rows:
            event = now or then
            assert event is not None
            family = who.get(person, ())
            links = [one for end in work.link_ends(event, family) for one in known.get(end, ())]
            before = self._calls(self.now, now, family, links)
            after = self._calls(self.then, then, family, links)
            found = difference(event, before, after)
            self.summary.add(found, before, after)
            if found:
                yield found

    def _calls(
        self, bench: Memory, event: Event | None, family: Sequence[int], links: Sequence[work.Ref]
    ) -> list[PlanRow]:  # fmt: skip
        rows = bench.plan_of(event, family, links) if event is not None else []
        return [row for row in rows if self.route in ("", row.route)]

    # --- requests read again ----------------------------------------------------------------------------

    def _read_again(self, name: str, since: float, progress: Callable[[int], None]) -> Iterator[Difference]:
        last = 0
        while receipts := self._receipts(name, last, since):
            last = receipts[-1].id
            for receipt in receipts:
                self.summary.receipts += 1
                yield from self._compared(list(self._both(receipt)))
            progress(self.summary.events)

    def _receipts(self, name: str, last: int, since: float) -> list[Receipt]:
        with self.store.read() as db:
            ids = db.rows(
                "SELECT id FROM receipt WHERE id > ? AND connection = ? AND at >= ? "
                "AND state NOT IN ('new', 'erased', 'dropped') ORDER BY id LIMIT ?",
                (last, name, since, PAGE),
            )
            return [found for (id,) in ids if (found := intake.receipt(db, id)) is not None]

    def _both(self, receipt: Receipt) -> Iterator[tuple[Event | None, Event | None, int | None]]:
        """Yield each event of a request as it is and as the other file would read it; its state now decides."""
        with self.store.read() as db:
            rows = db.rows(
                f"SELECT {intake.EVENT_COLUMNS}, person, state FROM event WHERE receipt = ? ORDER BY id",  # noqa: S608
                (receipt.id,),
            )
        stored = {row[3]: (intake.event_of(row[:-2]), row[-2], row[-1]) for row in rows}
        read = {}
        if receipt.connection in self.then.config.connections:
            read = {event.key: event for event in self.then.pipeline.parse(receipt).events}
        for key, (event, person, its_state) in stored.items():
            if its_state == "planned":
                yield event, _as_known(read.pop(key, None), event), person
            else:
                read.pop(key, None)  # joined, an echo, or waiting: news to nobody, whatever the file
        for event in read.values():
            yield None, event, None


def _as_known(read: Event | None, stored: Event) -> Event | None:
    """Return an event as the other file reads it, with what the store knows beyond the request."""
    if read is None:
        return None
    if read.incomplete:  # a hint: its record was read from the vendor and is stored
        return stored
    return read.with_(id=stored.id, was=stored.was, hop=stored.hop, at=stored.at)


def _reads_otherwise(one: Any, then: Config, name: str) -> bool:
    """Return whether another file reads this connection's requests otherwise, or no longer lets them in."""
    other = then.connections.get(name)
    if other is None:
        return False  # planned without it: no call follows
    return (one.connector, one.settings, one.names) != (other.connector, other.settings, other.names)


def route_names(*configs: Config) -> list[str]:
    """Return the names of all routes of these files."""
    routes: list[Route] = [route for config in configs for route in config.routes]
    return list(dict.fromkeys(route.name for route in routes))
