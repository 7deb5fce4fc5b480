"""`hub try`: what would become of a request. It is read and planned by the real code, nothing is sent or stored.

There is no store behind it, so nothing is known of former looks at a record, of links and persons. What only a look
at the vendor can tell stands in the plan as `(read from crm when delivered)`, and conditions about it as `if`.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

from hub import changes
from hub.conditions import Condition
from hub.config import Config, ConnectionConfig, Route, Step
from hub.connector import Connector
from hub.errors import HubError, PluginError, Rejected
from hub.mapping import Constant, Line
from hub.masking import Masker
from hub.model import Event, Receipt, Reply, Request
from hub.paths import Path, Scope, empty
from hub.pipeline import Pipeline
from hub.reasons import say, say_stored
from hub.session import Session
from hub.tokens import MemoryVault

log = logging.getLogger("hub.try")

#: records that are found through links when a step is carried out
_LINKED = frozenset({"contact", "lead", "deal", "company", "parcel", "order", "task", "responsible"})
_ALWAYS_THERE = frozenset({"event", "now", "team", "person"})


@dataclass
class PlanRow:
    """One step that would be taken, or a route that would not, and why. `open` are conditions not judged yet."""

    route: str
    do: str
    outcome: str  # would run | skipped | off
    skipped_because: str | None = None
    values: dict[str, Any] = field(default_factory=dict)
    event: str = ""
    key: str = ""
    step: int = 1
    open: list[str] = field(default_factory=list)
    #: our words for the vendor's field codes in `values`
    words: dict[str, str] = field(default_factory=dict)

    def json(self) -> dict[str, Any]:
        """Return the row as `hub try --json` prints it."""
        row = {
            "route": self.route, "do": self.do, "outcome": self.outcome, "skipped_because": self.skipped_because,
            "values": self.values, "event": self.event, "step": self.step,
        }  # fmt: skip
        return row | ({"if": self.open} if self.open else {})


@dataclass
class Trial:
    """What came of one request. `verified` is None when the check was left out (`--unsigned`)."""

    file: str
    request: Request
    verified: bool | None = None
    rejected: Rejected | None = None
    acknowledge: Reply | None = None
    handshake: bool = False
    unreadable: str = ""
    #: why nothing follows from a request that was understood
    closed: str = ""
    events: list[Event] = field(default_factory=list)
    plan: list[PlanRow] = field(default_factory=list)

    def json(self) -> dict[str, Any]:
        """Return the object `hub try --json` prints; `handshake`, `unreadable`, `skipped` only where they apply."""
        refused, reply = self.rejected, self.acknowledge
        shown: dict[str, Any] = {
            "file": self.file,
            "verified": "skipped" if self.verified is None else self.verified,
            "rejected": {"status": refused.status, "reason": refused.reason} if refused else None,
            "acknowledge": {"status": reply.status, "body": body_text(reply)} if reply else None,
            "events": [event_json(event) for event in self.events],
            "plan": [row.json() for row in self.plan],
        }
        if self.handshake:
            shown["handshake"] = True
        if self.unreadable:
            shown["unreadable"] = self.unreadable
        if self.closed:
            shown["skipped"] = self.closed
        return shown


class Bench:
    """As much of a runtime as reading and deciding need: the configuration and connectors that have no store."""

    def __init__(self, config: Config, tokens: Callable[[str], Any] | None = None) -> None:
        self.config = config
        self.store = None
        self._tokens = tokens or (lambda name: MemoryVault())
        self._connectors: dict[str, Connector] = {}
        self.pipeline = Pipeline(cast(Any, self))

    def connector(self, name: str) -> Connector:
        """Return the connector of a connection."""
        if name not in self._connectors:
            connection: ConnectionConfig = self.config.connections[name]
            connector = connection.connector(connection.info(self.config.hub), connection.settings)
            connector.http = Session(name, hosts=connector.hosts(), masker=Masker(connection.secrets()))
            connector.tokens = cast(Any, self._tokens(name))
            self._connectors[name] = connector
        return self._connectors[name]

    def run(self, connection: str, request: Request, *, file: str = "", unsigned: bool = False) -> Trial:
        """Return what would become of a request at `/in/<connection>`."""
        connector = self.connector(connection)
        trial = Trial(file, request, verified=None if unsigned else False)
        try:
            key = self._take(connector, trial, unsigned)
        except Rejected as refusal:
            trial.rejected = refusal
            return trial
        if not trial.handshake:
            parsed = self.pipeline.parse(Receipt(0, connection, key, request, request.at))
            if parsed.final:
                trial.closed = say_stored(parsed.trouble)
            elif parsed.trouble:
                trial.unreadable = say_stored(parsed.trouble)
            trial.events = [one for event in parsed.events for one in self._derive(connector, event)]
            for event in trial.events:
                rows = self.plan(event)
                for row in rows:
                    row.key = event.key
                trial.plan += rows
        return trial

    def _take(self, connector: Connector, trial: Trial, unsigned: bool) -> str:
        """Do what the way in does, in its order, and return the receipt's key; raises Rejected."""
        request = trial.request
        if len(request.body) > connector.max_body:
            raise Rejected(413, f"larger than {connector.max_body} bytes")
        shook = _ask(connector, "handshake", request)
        if shook is not None:
            trial.handshake, trial.acknowledge, trial.verified = True, shook, None if unsigned else True
            return ""
        if not unsigned:
            _ask(connector, "verify", request)
            trial.verified = True
        key = str(_ask(connector, "receipt_key", request))[:500]
        trial.acknowledge = _ask(connector, "acknowledge", request)
        return key

    def _derive(self, connector: Connector, event: Event) -> list[Event]:
        """Return the event and what a first look at its record makes of it (a stage reached)."""
        if event.incomplete:
            return [event]
        return changes.look(event, None, connector.volatile, 0.0).events or [event]

    # --- planning -------------------------------------------------------------------------------

    def plan(self, event: Event) -> list[PlanRow]:
        """Return what every route that listens would do with an event."""
        if event.incomplete:
            return self._plan_hint(event)
        decision = self.pipeline.decide(event)
        took = {route.name for route in decision.routes}
        because = {one.get("route"): one for one in decision.skipped}
        rows: list[PlanRow] = []
        for route in self.config.routes_for(event.connection, event.type):
            if route.name in took:
                rows += self._steps(event, route, [])
            else:
                reason = because.get(route.name) or {}
                outcome = "off" if route.off else "skipped"
                why = route.off or say(reason.get("code", ""), reason.get("params"))
                rows.append(PlanRow(route.name, _first_act(route), outcome, why, event=event.type))
        return rows

    def _plan_hint(self, event: Event) -> list[PlanRow]:
        """List the routes that a hint may start once its record has been read."""
        rows: list[PlanRow] = []
        scope = self._scope(event, {})
        for type_, condition in _may_become(event):
            for route in self.config.routes_for(event.connection, type_):
                if any(row.route == route.name for row in rows):
                    continue
                if route.off:
                    rows.append(PlanRow(route.name, _first_act(route), "off", route.off, event=type_))
                    continue
                no, still_open = judge(route.when, scope, lambda path: self._unknown(path, scope, {}))
                if no:
                    rows.append(PlanRow(route.name, _first_act(route), "skipped", no, event=type_))
                    continue
                after = [f'"{route.otherwise}" does not run'] if route.otherwise else []
                found = self._steps(event, route, [*condition, *after, *still_open])
                for row in found:
                    row.event = type_
                rows += found
        return rows

    def _steps(self, event: Event, route: Route, still_open: Sequence[str]) -> list[PlanRow]:
        """Return the steps of a route that took the event, one after the other."""
        rows: list[PlanRow] = []
        results: dict[str, Any] = {}
        coming: dict[str, int] = {}
        for index, step in enumerate(route.steps):
            scope = self._scope(event, results)
            unknown = _Unknown(self, scope, coming, step)
            row = PlanRow(route.name, act_words(step), "would run", event=event.type, step=index + 1)
            rows.append(row)
            no, row.open = judge(step.when, scope, unknown)
            row.open = [*still_open, *row.open]
            if no:
                row.outcome, row.skipped_because = "skipped", no
                continue
            try:
                if not self._fill(row, step, scope, unknown, event):
                    break
            except HubError as error:
                row.outcome, row.skipped_because = "skipped", f"would be parked: {error}"
                break
            if step.as_ and step.look_up is not None:
                results[step.as_] = row.values or None
            elif step.as_:
                coming[step.as_] = index + 1
        return rows

    def _fill(self, row: PlanRow, step: Step, scope: Scope, unknown: _Unknown, event: Event) -> bool:
        """Put in what the step would send; return False if the run ends here."""
        if step.stop is not None:
            row.values = {"why": unknown.placeholder(step.stop.paths()) or step.stop.get(scope)}
            return bool(row.open)
        if step.look_up is not None:
            paths = step.look_up.where.paths()
            row.values = {"row": told} if (told := unknown.placeholder(paths)) else step.look_up.run(scope) or {}
            return True
        for line in step.set:
            _value(row, line, scope, unknown)
        if step.stage is not None:
            self._stage(row, step, event, unknown)
        return True

    @staticmethod
    def _stage(row: PlanRow, step: Step, event: Event, unknown: _Unknown) -> None:
        assert step.stage is not None
        if step.stage.table and event.incomplete:
            row.values["stage"] = unknown.placeholder([Path(f"{event.kind}.status")])
            return
        record = event.record.get(event.kind)
        status = record.get("status") if isinstance(record, Mapping) else None
        wanted = step.stage.target(status)
        if wanted in ("ignore", "alert"):
            row.outcome = "skipped"
            row.skipped_because = say("stage_ignored", {"status": status})
            if wanted == "alert":
                row.skipped_because += "; a person would be told"
        else:
            row.values["stage"] = wanted

    def _scope(self, event: Event, results: Mapping[str, Any]) -> Scope:
        return self.pipeline.scope(event, results)

    def _unknown(self, path: Path, scope: Scope, coming: Mapping[str, int]) -> bool:
        """Return whether only a look at the vendor, or an earlier step, can tell what stands at a path."""
        if path.root in coming:
            return True
        if path.root in _ALWAYS_THERE or path.root in scope.results or path.root in scope.extra:
            return False
        if scope.event.incomplete:
            return True
        if path.root not in scope.event.record:
            return path.root in _LINKED and self.reader_of(path.root) is not None
        deeper = len(path.parts) > 2 and path.parts[1] in _LINKED
        return deeper and empty(scope.get(path))

    def reader_of(self, record: str, first: str = "") -> str | None:
        """Return the connection such a record would be read from, `first` if it knows it."""
        names = [first, *self.config.connections] if first in self.config.connections else [*self.config.connections]
        for name in names:
            kinds = self.config.connections[name].connector
            known = [kind.name for kind in kinds.actions] + [kind.name for kind in kinds.events]
            if any(kind.startswith(f"{record}.") for kind in known):
                return name
        return None


class _Unknown:
    """Tells for one step which paths can't be known yet, and what to show in their place."""

    def __init__(self, bench: Bench, scope: Scope, coming: Mapping[str, int], step: Step) -> None:
        self.bench, self.scope, self.coming = bench, scope, dict(coming)
        self.target = step.do.connection if step.do is not None else ""

    def __call__(self, path: Path) -> bool:
        """Return whether the path's value isn't known yet."""
        return self.bench._unknown(path, self.scope, self.coming)

    def placeholder(self, paths: Sequence[Path]) -> str:
        """Return what stands for a value made of these paths, "" if all of them are known."""
        path = next((path for path in paths if self(path)), None)
        if path is None:
            return ""
        if path.root in self.coming:
            return f"({path.text}, from step {self.coming[path.root]})"
        event = self.scope.event
        own = path.root == event.kind or event.incomplete
        where = event.connection if own else self.bench.reader_of(path.root, self.target)
        return f"(read from {where or 'the vendor'} when delivered)"


def judge(when: Condition, scope: Scope, unknown: Callable[[Path], bool]) -> tuple[str, list[str]]:
    """Return (why it does not hold or "", the clauses that can't be judged yet in words)."""
    still_open: list[str] = []
    for clause in when.clauses:
        if any(unknown(path) for test in clause.fields() for path in (test.path, *test.test.paths())):
            still_open.append(clause.words())
            continue
        verdict = Condition(clause).check(scope)
        if not verdict.ok:
            return verdict.because, []
    return "", still_open


def _value(row: PlanRow, line: Line, scope: Scope, unknown: _Unknown) -> None:
    if line.when is not None:
        no, still_open = judge(line.when, scope, unknown)
        if no:
            return
        if still_open:
            row.values[line.key] = f"(only if {' and '.join(still_open)})"
            return
    value = unknown.placeholder(line.source.paths()) or line.source.get(scope)
    if not empty(value) or (isinstance(line.source, Constant) and line.source.keep):
        row.values[line.key] = value
        if line.word and line.word != line.key:
            row.words[line.key] = line.word


def act_words(step: Step) -> str:
    """Return what a step does, as a plan names it."""
    if step.do is not None:
        return str(step.do)
    if step.look_up is not None:
        return f"look_up {step.look_up.table.name}"
    return "stop" if step.stop is not None else "nothing"


def _first_act(route: Route) -> str:
    """Return the first outward act of a route, else its first step, else nothing (a part that isn't built yet)."""
    if not route.steps:
        return ""
    return act_words(next((step for step in route.steps if step.do is not None), route.steps[0]))


def _may_become(event: Event) -> list[tuple[str, list[str]]]:
    """Return the types a hint may turn out to be, each with the condition that would have to hold."""
    found: list[tuple[str, list[str]]] = [(event.type, [])]
    if event.type.endswith(".updated"):
        found += [
            (f"{event.kind}.{verb}", [f"the {name} has changed"]) for name, verb in changes.DERIVED.items()
        ]  # fmt: skip
    return found


def _ask(connector: Connector, method: str, request: Request) -> Any:
    """Call a plugin as the way in does: whatever it raises on a request is a refusal."""
    try:
        return getattr(connector, method)(request)
    except HubError as error:
        if isinstance(error, Rejected):
            raise
        raise Rejected(400, str(error)) from None
    except (ValueError, RecursionError) as error:
        raise Rejected(400, f"not readable: {str(error)[:200]}") from None
    except Exception as error:
        log.exception("%s", PluginError(connector.name, method, error))
        raise Rejected(400, f"plugin {connector.name} could not read this: {type(error).__name__}") from None


def body_text(reply: Reply) -> str:
    """Return the body of an answer as text."""
    return reply.body if isinstance(reply.body, str) else reply.body.decode("utf-8", "replace")


def event_json(event: Event) -> dict[str, Any]:
    """Return an event as `hub try --json` prints it; `incomplete` says that the record would be read first."""
    shown: dict[str, Any] = {
        "type": event.type,
        "subject": event.subject,
        "key": event.key,
        "occurred_at": event.occurred_at.isoformat() if event.occurred_at else None,
        "record": event.record,
    }
    return shown | ({"incomplete": "would be read from the vendor"} if event.incomplete else {})
