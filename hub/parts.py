"""Parked parts: values that a delivery left out because their line of hub.yaml is paused, and their way back.

While a delivery is carried out `Leaving` takes out what is paused, or what the vendor refuses by name, and the rest
is written. The ledger keeps what was left out. Once the line works again `plan` makes ordinary deliveries of it, each
sent once (`0p17`: step 0, the part 17), and `replayed` carries one out.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from hub.config import Config, Route, Step
from hub.connector import ActionKind, Connector
from hub.errors import Gone, Refused
from hub.guards import guard_stage
from hub.mapping import Line, Values
from hub.model import Action, Done
from hub.outcome import Drifted, Outcome, RouteGone
from hub.paths import Scope
from hub.pauses import Left, Paused, left_out, record_of, searched_by
from hub.reasons import stored
from hub.store import Db, work
from hub.store import drift as rows
from hub.store.drift import Part
from hub.store.work import Claimed

#: so many times in a row a delivery leaves out what the vendor has just refused
_ROUNDS = 3
#: values sent again by one look, at most: the next one goes on
AT_ONCE = 1000
#: the word under which a step's move into another stage is parked
MOVE = "stage"
_REPLAY = re.compile(r"(\d+(?:r\d+)?)p(\d+)$")


def base_step(step: str) -> str:
    """Return the step that a replay belongs to: `0r1` for `0r1p17`; any other step is its own."""
    match = _REPLAY.match(step)
    return match[1] if match else step


def is_replay(step: str) -> bool:
    """Return whether a delivery's step is that of a replayed part."""
    return _REPLAY.match(step) is not None


# --- leaving out -----------------------------------------------------------------------------------


class Leaving:
    """What one try of a delivery leaves out."""

    def __init__(self, paused: Paused, kind: ActionKind, step: Step) -> None:
        self._paused, self._kind, self._step = paused, kind, step
        self.left: list[Left] = []
        self.keys: frozenset[str] = frozenset()

    def values(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """Return what may be written; raises Drifted if the step can't do without what is paused."""
        if self._step.find is not None:
            why = searched_by(self._paused, self._step.find.by.keys(), self._kind.record)
            if why is not None:
                raise Drifted(why)
        self.left = left_out(self._paused, self._step.set, values, self._kind)
        for one in self.left:
            if one.field in self._kind.required:
                raise Drifted(one.reason)
        taken = {one.field for one in self.left}
        kept = {key: value for key, value in values.items() if key not in taken}
        self.keys = frozenset(kept)
        return kept

    def move(self, stage: str, others: Mapping[str, Any]) -> bool:
        """Return whether a record may be moved to a stage. If not, the move is parked and the rest is written."""
        why = self._paused.why("stage", record_of(self._kind), stage)
        if why is None:
            return True
        if not others:
            raise Drifted(why)
        place = self._step.stage.place if self._step.stage is not None else ""
        words = tuple(line.word for line in self._step.set)
        self.left.append(Left(MOVE, MOVE, stage, place, f"stage:{stage}", why, record_of(self._kind), words))
        return False

    def perform(self, connector: Connector, action: Action) -> Done:
        """Do it. Values that the vendor refuses by the names of their fields are left out, and the rest is written."""
        if self.left and not action.values and action.verb == "update":
            return Done(id=action.id)  # all of it is parked
        for _ in range(_ROUNDS):
            try:
                return connector.perform(action)
            except Gone:
                raise
            except Refused as error:
                if not self._taken_out(error, action, connector.http.masker.mask):
                    raise
        return connector.perform(action)

    def _taken_out(self, error: Refused, action: Action, mask: Callable[[str], str]) -> bool:
        """Take out of the action what a refusal names; return whether it may be tried without."""
        lines = {line.key: line for line in self._step.set}
        named = {name: words for name, words in error.fields.items() if name in action.values and name in lines}
        rest = {key: value for key, value in action.values.items() if key not in named}
        if not named or len(named) < len(error.fields) or not rest or set(named) & set(self._kind.required):
            return False
        words = tuple(line.word for line in self._step.set)
        for name, said in named.items():
            line = lines[name]
            why = stored("drift_refused", field=name, why=mask(said or error.reason)[:300])
            value = action.values[name]
            self.left.append(Left(line.word, name, value, line.place, "", why, record_of(self._kind), words))
        action.values = rest
        self.keys = frozenset(rest)
        return True


def keep(db: Db, outcome: Outcome, version: str) -> None:
    """Park what a finished delivery left out, beside each record that the rest was written to."""
    claimed = outcome.work
    ids = [one.done.id for one in (outcome, *outcome.also) if one.done is not None and one.done.id]
    found = [
        (claimed.id, claimed.event.id, claimed.route, claimed.step, claimed.connection, one.record, id, one.word,
         one.field, one.value, one.place, one.code, one.beside, one.reason, version)
        for id in dict.fromkeys(ids)
        for one in outcome.left
    ]  # fmt: skip
    rows.park(db, found)


def supersede(db: Db, config: Config, outcome: Outcome) -> int:
    """Drop parked values that this delivery has made old: it wrote the same field of the same record later."""
    claimed, done = outcome.work, outcome.done
    if done is None or not done.id or not outcome.keys:
        return 0
    old = [
        part.id
        for part in rows.parked_of(db, claimed.connection, outcome.record, done.id)
        if part.delivery < claimed.id
        and (part.field in outcome.keys or ((line := line_of(config, part)) is not None and line.key in outcome.keys))
    ]
    rows.finish_parts(db, old, "superseded")
    return len(old)


# --- the way back ----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Planned:
    """What `plan` has done: values sent again, made old by later ones, and given up since their line is gone."""

    replayed: int = 0
    superseded: int = 0
    dropped: int = 0


def step_of(config: Config, route: str, step: str) -> Step | None:
    """Return the step at a path of a route, as hub.yaml has it now."""
    found: Route | None = config.route(route)
    main, _, inner = base_step(step).partition("r")
    if found is None or int(main) >= len(found.steps):
        return None
    one = found.steps[int(main)]
    if not inner:
        return one
    return one.refused[int(inner)] if int(inner) < len(one.refused) else None


def line_of(config: Config, part: Part) -> Line | None:
    """Return the line of hub.yaml that a parked value belongs to now: by its word, its field, or the only new one."""
    step = step_of(config, part.route, part.step)
    if step is None or step.do is None or step.do.connection != part.connection:
        return None
    lines: list[Line] = list(step.set)
    for fits in (lambda one: one.word == part.word, lambda one: one.key == part.field):
        if (found := next(filter(fits, lines), None)) is not None:
            return found
    fresh = [one for one in lines if one.word not in part.beside]
    return fresh[0] if len(fresh) == 1 else None


def plan(
    db: Db, config: Config, connection: str, paused: Paused, mentioned: Iterable[tuple[str, str]], marker: Any
) -> Planned:
    """Send again what was left out and may be written now; return how many values that were.

    mentioned: (kind, code) that hub.yaml still names. A value that the vendor refused goes out again once hub.yaml
    is another. Of several values for one field of one record the newest counts. All of them are looked through: those
    of a field that stays broken stand in nobody's way.
    """
    named = set(mentioned)
    waiting = [part for part in rows.parked(db, connection) if not _still(config, part, paused, named)]
    newest: dict[tuple[str, str, str], Part] = {}
    dropped: list[int] = []
    for part in waiting:
        line = line_of(config, part)
        step = step_of(config, part.route, part.step)
        moved = part.word == MOVE and step is not None and step.stage is not None
        if line is None and not moved:
            dropped.append(part.id)
            continue
        newest[(part.record, part.ref, line.key if line is not None else MOVE)] = part
    kept = {part.id for part in newest.values()} | set(dropped)
    old = [part.id for part in waiting if part.id not in kept]
    sent = sorted(newest.values(), key=lambda part: part.id)[:AT_ONCE]
    rows.finish_parts(db, old, "superseded")
    rows.finish_parts(db, dropped, "dropped")
    groups: dict[tuple[int, str, str, str, bool], list[Part]] = {}
    for part in sent:
        groups.setdefault((part.event, part.route, part.step, part.ref, part.word == MOVE), []).append(part)
    fresh = []
    for (event, route, place, ref, moved), parts in groups.items():
        name = f"{base_step(place)}p{parts[0].id}"
        kind = _writing(config, connection, parts[0].record, moved)
        fresh.append(
            work.NewDelivery(
                event, route, name, connection, kind, f"{connection}>{parts[0].record}:{ref}", f"{connection}:bulk",
                marker(event, route, name),
            )
        )  # fmt: skip
        rows.finish_parts(db, [part.id for part in parts], "replayed", name)
    work.add_deliveries(db, fresh)
    return Planned(len(sent), len(old), len(dropped))


def _still(config: Config, part: Part, paused: Paused, named: set[tuple[str, str]]) -> bool:
    """Return whether a parked value has to wait further."""
    kind, _, code = part.code.partition(":")
    if not part.code:  # the vendor refused it: another hub.yaml may have mended that
        return part.version == config.version
    if (line := line_of(config, part)) is not None and paused.why("field", part.record, line.key) is not None:
        return True
    if kind == "field":
        return False
    gone = paused.why(kind, part.record, code) is not None
    return gone and (part.version == config.version or (kind, code) in named)


def _writing(config: Config, connection: str, record: str, moved: bool) -> str:
    """Return the action that changes an existing record."""
    known = config.connections[connection]
    verbs = ("set_stage",) if moved else ("update", "upsert")
    return next((f"{record}.{verb}" for verb in verbs if known.action(f"{record}.{verb}")), f"{record}.update")


class Trying(Protocol):
    """What a try of a delivery lends to the replay of a part (`hub.deliver`)."""

    work: Claimed
    step: Step | None
    leaving: Leaving | None

    def scope(self, route: Route) -> Scope:
        """Return what the step sees."""

    def status(self) -> str | None:
        """Return the status the event brings."""

    def finished(self, done: Done, kind: ActionKind, code: str = "", **params: Any) -> Outcome:
        """Return the outcome of an act that took effect."""


def replayed(attempt: Trying, config: Config, connector: Connector, paused: Paused, parts: list[Part]) -> Outcome:
    """Write values that were left out earlier into the record that the rest went to.

    Each is worked out anew by its line as hub.yaml has it now; where that gives nothing, what was kept goes out.
    """
    claimed = attempt.work
    route, step = config.route(claimed.route), step_of(config, claimed.route, claimed.step)
    if route is None or step is None or step.do is None or not parts:
        raise RouteGone(claimed.route)
    attempt.step = step
    record, ref = parts[0].record, parts[0].ref
    try:
        kind = connector.action(claimed.action)
    except StopIteration:
        raise Refused(f"{record}s of {claimed.connection} can't be changed afterwards (no {claimed.action})") from None
    scope = attempt.scope(route)
    values: dict[str, Any] = {}
    for part in parts:
        line = line_of(config, part)
        if line is None:
            values["stage"] = step.stage.target(attempt.status()) if step.stage is not None else part.value
            continue
        found = Values((line,)).evaluate(scope)
        values[line.key] = found.get(line.key, part.value)
    amiss = left_out(paused, step.set, values, kind)
    if "stage" in values and (why := paused.why("stage", record, values["stage"])) is not None:
        raise Drifted(why)
    if amiss:
        raise Drifted(amiss[0].reason)
    stages = {"stage", *kind.stage_fields} & set(values)
    if stages:  # somebody may have moved it on meanwhile
        current = str(connector.get(record, ref).get("stage") or "")
        for key in stages:
            guard_stage(connector, record, step, current, str(values[key]), attempt.status())
    verb = "set_stage" if kind.verb == "set_stage" else "update"
    action = Action(
        name=kind.name, record=record, verb=verb, values=values, id=ref, marker=claimed.marker, event=claimed.event,
        attempt=claimed.tries + 1, fill="newest",
    )  # fmt: skip
    done = connector.perform(action)
    done.id = done.id or ref
    outcome = attempt.finished(done, kind, "part_replayed" if done.written else "no_change", count=len(parts))
    outcome.verb, outcome.linked, outcome.keys = "update", False, frozenset(values)
    return outcome
