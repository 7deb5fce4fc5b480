"""`hub try`: what would become of a request. It is read and planned by the real code, nothing is sent or stored.

There is no store behind it, so nothing is known of former looks at a record, of links and persons. What only a look
at the vendor can tell stands in the plan as `(read from crm when delivered)`, and conditions about it as `if`.
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, cast

from hub import changes
from hub.conditions import Condition
from hub.config import Config, ConnectionConfig, Route, Step
from hub.connector import Connector
from hub.errors import HubError, PluginError, Rejected
from hub.mapping import Constant, Line
from hub.masking import Masker
from hub.model import Event, Receipt, Request
from hub.paths import Path, Scope, empty
from hub.pipeline import Pipeline
from hub.reasons import say, say_stored
from hub.session import Session
from hub.tokens import MemoryVault
from hub.trial import PlanRow, Trial

log = logging.getLogger("hub.try")

#: records that are found through links when a step is carried out
_LINKED = frozenset({"contact", "lead", "deal", "company", "parcel", "order", "task", "responsible"})
_ALWAYS_THERE = frozenset({"event", "now", "team"})


class Bench:
    """As much of a runtime as reading and deciding need: the configuration and connectors that have no store."""

    #: what stands for a value that nobody can know here
    unknown = "(read from {} when delivered)"

    def __init__(
        self, config: Config, tokens: Callable[[str], Any] | None = None,
        person: Callable[[Event], Mapping[str, Any] | None] = lambda event: None,
    ) -> None:  # fmt: skip
        """person: how whoever an event is to be from stands with the company; None where that isn't known."""
        self.config = config
        self._person = person
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
        with _believing(connector) if unsigned else contextlib.nullcontext():
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
        decision = self.pipeline.decide(event, self._person(event))
        took = {route.name for route in decision.routes}
        because = {one.get("route"): one for one in decision.skipped}
        rows: list[PlanRow] = []
        scope = self._scope(event, {})
        for route in self.config.routes_for(event.connection, event.type):
            if (
                route.asks_person
                and scope.person is None
                and not route.off
                and because.get(route.name, {}).get("code") != "otherwise"
            ):
                no, still_open = judge(route.when, scope, lambda path: self._unknown(path, scope, {}))
                if not no:  # who they are is known only where messages are stored
                    rows += self._steps(event, route, still_open)
                    continue
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
            row.refused = [act_words(one) for one in step.refused]
            if no:
                row.outcome, row.skipped_because = "skipped", no
                continue
            try:
                ended = not self._fill(row, step, scope, unknown, event)
            except HubError as error:
                row.outcome, row.skipped_because = "skipped", f"would be parked: {error}"
                rows += self._rest(event, route, index, f"step {index + 1} would be parked")
                break
            if ended:
                rows += self._rest(event, route, index, say("stopped", {"why": row.values["why"]}))
                break
            if step.as_ and step.look_up is not None:
                results[step.as_] = row.values or None
            elif step.as_:
                coming[step.as_] = index + 1
        return rows

    @staticmethod
    def _rest(event: Event, route: Route, last: int, why: str) -> list[PlanRow]:
        """Return the steps behind the one that ends the run: none of them is taken."""
        return [
            PlanRow(route.name, act_words(step), "skipped", why, event=event.type, step=last + 2 + place)
            for place, step in enumerate(route.steps[last + 1 :])
        ]

    def _fill(self, row: PlanRow, step: Step, scope: Scope, unknown: _Unknown, event: Event) -> bool:
        """Put in what the step would send; return False if the run ends here."""
        if step.stop is not None:
            row.values = {"why": unknown.placeholder(step.stop.paths()) or step.stop.get(scope)}
            return bool(row.open)
        if step.look_up is not None:
            paths = step.look_up.where.paths()
            row.values = {"row": told} if (told := unknown.placeholder(paths)) else step.look_up.run(scope) or {}
            return True
        fill_values(row, step.set, scope, unknown)
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
            if (word := step.stage_word(wanted)) != wanted:
                row.said["stage"] = word

    def _scope(self, event: Event, results: Mapping[str, Any]) -> Scope:
        return self.pipeline.scope(event, results, self._person(event))

    def _unknown(self, path: Path, scope: Scope, coming: Mapping[str, int]) -> bool:
        """Return whether only a look at the vendor, or an earlier step, can tell what stands at a path."""
        if path.root in coming:
            return True
        if path.root == "person":
            return scope.person is None and path.root not in scope.results
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


@contextlib.contextmanager
def _believing(connector: Connector) -> Iterator[None]:
    """Let the connector take any request for genuine: a handshake may ask for the secret, too."""
    connector.verify = lambda request: None  # type: ignore[method-assign]
    try:
        yield
    finally:
        del connector.verify


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
        if path.root == "person":
            return f"({path.text}, known when the message is stored)"
        event = self.scope.event
        own = path.root == event.kind or event.incomplete
        where = event.connection if own else self.bench.reader_of(path.root, self.target)
        return self.bench.unknown.format(where or "the vendor")


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


def fill_values(row: PlanRow, values: Iterable[Line], scope: Scope, unknown: _Unknown) -> None:
    """Put the values of `set` or `find` into a row."""
    for line in values:
        _value(row, line, scope, unknown)


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
