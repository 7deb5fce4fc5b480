"""One delivery under lease: map, find the target, act, and say what came of it. The engine records the outcome.

condition -> earlier try in doubt? find by marker -> map values -> target (find, link, person, attach)
          -> order guard -> connector.perform -> Outcome
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, replace
from functools import cached_property
from typing import Any

from hub import carrying, parting, restore, syncing
from hub.config import Route, Step
from hub.connector import ActionKind, Connector
from hub.errors import AuthFailed, Gone, HubError, PluginError, Retry, Skip, Uncertain
from hub.guards import guard_stage, need_values
from hub.lines import known_id
from hub.model import Action, Done, Owned, Record
from hub.outcome import Doubt, Outcome, Postponed, RouteGone, Settle, judge
from hub.parts import Leaving, base_step, is_replay, replayed
from hub.paths import Scope
from hub.pipeline import Pipeline
from hub.reasons import stored
from hub.standing import Standing
from hub.store import drift
from hub.store.work import Claimed
from hub.targets import Targets

#: a delivery that waited longer than this many seconds looks at its record again before it acts
STALE = 300.0


class Deliverer:
    """Carries deliveries out; used by many threads at once."""

    def __init__(self, pipeline: Pipeline) -> None:
        self.pipeline = pipeline
        self.runtime = pipeline.runtime

    def __call__(self, work: Claimed, guard: Callable[[], None]) -> Outcome:
        """Try one delivery and return its outcome; nothing is raised but for the end of the process."""
        started = self.runtime.store.clock()
        clock = time.monotonic()
        attempt = _Try(self, work, guard)
        try:
            connector = self.runtime.connector(work.connection)
            with connector.http.work(guard, self.cost(work.connection, work.action)) as context:
                try:
                    outcome = attempt.run()
                except Exception as error:  # noqa: BLE001 (whatever a plugin raises is an outcome)
                    outcome = attempt.judge(error, called=bool(context.exchanges))
            outcome.exchanges = [asdict(exchange) for exchange in context.exchanges]
            self.runtime.spend(work.connection, -context.budget)
        except KeyError:
            outcome = Outcome(work, "parked", stored("connection_gone", connection=work.connection))
        outcome.started = started
        outcome.pair = attempt.pair
        outcome.took = time.monotonic() - clock
        outcome.called = bool(outcome.exchanges)
        return outcome

    def cost(self, connection: str, action: str) -> int:
        """Return how many vendor calls an action takes at most: so many are reserved before it begins."""
        if action in (carrying.MERGE, carrying.PART):
            return carrying.COST
        kinds = self.runtime.connector(connection).actions
        return next((max(1, kind.cost) for kind in kinds if kind.name == action), 1)


class _Try:
    """The state of one try: which step, what it sees, which records it has looked up."""

    def __init__(self, deliverer: Deliverer, work: Claimed, guard: Callable[[], None]) -> None:
        self.guard = guard
        self.runtime = deliverer.runtime
        self.pipeline = deliverer.pipeline
        self.work = work
        self.event = work.event
        self.step: Step | None = None
        self.loaded: dict[str, Any] = {}
        self.pair = 0
        self.targets = Targets(deliverer.runtime, work)
        self.leaving: Leaving | None = None

    # --- the act ------------------------------------------------------------------------------

    def run(self) -> Outcome:
        """Do the step; raises what went wrong."""
        if self.work.given is not None:
            return restore.carry_out(self)
        if self.work.route == carrying.ROUTE:
            return _OWN[self.work.action](self.runtime, self.work)
        if is_replay(self.work.step):
            return self.replay()
        route, step = self.place()
        self.step = step
        assert step.do is not None
        connector = self.runtime.connector(step.do.connection)
        kind = self.action_kind(connector, step)
        mapped = step.stage is not None and bool(step.stage.table)  # whether a newer one moves anything isn't known
        if kind.latest and not mapped and self.work.newest is not None and self.work.newest > self.work.id:
            raise Skip("superseded", by=self.work.newest)
        if route.sync:
            return syncing.carry(self, connector, kind, route)
        self.refresh(route)
        scope = self.scope(route)
        verdict = step.when.check(scope)
        if not verdict.ok:
            raise Skip("step_condition", because=verdict.because)
        self.leaving = Leaving(self.runtime.pauses.of(step.do.connection), kind, step)
        values = self.leaving.values(step.set.evaluate(scope))
        action = Action(
            name=kind.name, record=kind.record, verb=kind.verb, values=values,
            marker=str(values.get(kind.marker) or self.work.marker),
            method=step.do.method or "", limit=step.limit, event=self.event, attempt=self.work.tries + 1,
            in_doubt_since=self.targets.in_doubt_since(),
            fill=self.targets.fill(), person=dict(self.event.record.get("contact") or {}),
        )  # fmt: skip
        if (recovered := self.recover(connector, kind, action)) is not None:
            return self.finished(recovered, kind, "found_by_marker" if recovered.id else "assumed_done")
        act = _VERBS.get(kind.verb, _Try.plain)
        return act(self, connector, kind, step, action, scope)

    def replay(self) -> Outcome:
        """Send what this step left out earlier, now that its line of hub.yaml works again."""
        connector = self.runtime.connector(self.work.connection)
        paused = self.runtime.pauses.of(self.work.connection)
        with self.runtime.store.read() as db:
            parts = [one for one in drift.parts_of_events(db, [self.work.event.id]) if one.replay == self.work.step]
        mine = [one for one in parts if one.route == self.work.route]
        return replayed(self, self.runtime.config, connector, paused, mine)

    def perform(self, connector: Connector, action: Action) -> Done:
        """Do it; what the vendor refuses by name is left out, if the rest can go without."""
        return self.leaving.perform(connector, action) if self.leaving is not None else connector.perform(action)

    def plain(self, connector: Connector, kind: ActionKind, step: Step, action: Action, scope: Scope) -> Outcome:
        """An act that needs no search first: a comment, a to-do, a parcel, a list, a bare API call."""
        if step.find is not None:
            action.find = step.find.by.evaluate(scope)
            if step.find.record is None and not action.find:
                raise Skip("find_empty")
            action.id = known_id(step.find, scope)
        need_values(kind, step, action)
        done = self.perform(connector, action)
        if step.order and isinstance(done.result.get("rows"), list):
            done.result["rows"].sort(key=lambda row: str(row.get(step.order) or ""))
        return self.finished(done, kind)

    def find_only(self, connector: Connector, kind: ActionKind, step: Step, action: Action, scope: Scope) -> Outcome:
        """`do: crm.deal.find`: the record itself is the result; an absent one tests as absent later."""
        if step.find is None and action.values:  # what a find is given under `set` is what to search by
            found = connector.find(kind.record, action.values, 50)
        else:
            found = self.targets.of(connector, kind, step, scope)
        record = self.targets.choose(found, step) if found else None
        if record is not None and set(record) == {"id"}:  # known by link or name: the record itself is wanted
            record = self.targets.read(connector, kind.record, str(record["id"]))
        if record is None and step.missing in ("park", "alert"):
            return self.no_target(kind, step.missing)
        return self.finished(Done(result=record or {}, id=str((record or {}).get("id", ""))), kind)

    def upsert(self, connector: Connector, kind: ActionKind, step: Step, action: Action, scope: Scope) -> Outcome:
        """Update the target if there is one, else join the request to an open record, else create."""
        found = self.targets.of(connector, kind, step, scope)
        if found and step.several == "all":
            *others, last = [self.update(connector, kind, step, replace(action), str(one["id"])) for one in found]
            last.also = others
            return last
        if found:
            record = self.targets.choose(found, step)
            return self.update(connector, kind, step, action, str(record["id"]))
        missing = step.missing or ("create" if kind.verb in ("upsert", "create") else "park")
        if step.attach is not None and (joined := self.attach(connector, kind, step)):
            return joined
        if kind.verb == "update" or missing != "create":
            return self.no_target(kind, missing)
        return self.create(connector, kind, step, action, scope)

    def create(self, connector: Connector, kind: ActionKind, step: Step, action: Action, scope: Scope) -> Outcome:
        """Make a new record, its contact first where it hangs on one."""
        if kind.verb == "create" and step.attach is not None and (joined := self.attach(connector, kind, step)):
            return joined
        if kind.person and action.person:
            action.contact = self.targets.ensure_contact(connector)
        action.verb = "create"
        need_values(kind, step, action)
        outcome = self.finished(self.perform(connector, action), kind)
        outcome.created = True
        return outcome

    def update(self, connector: Connector, kind: ActionKind, step: Step, action: Action, id: str) -> Outcome:
        """Write the values into a record that exists."""
        action.verb, action.id = "update", id
        if kind.verb == "update":
            need_values(kind, step, action)
        done = self.perform(connector, action)
        if not done.id:
            done.id = id
        if not done.written:
            return self.finished(done, kind, "no_change")
        return self.finished(done, kind)

    def set_stage(self, connector: Connector, kind: ActionKind, step: Step, action: Action, scope: Scope) -> Outcome:
        """Move a record to a stage: only from where it may, forward unless declared otherwise."""
        assert step.stage is not None
        status = self.status()
        wanted = step.stage.target(status)
        if wanted == "ignore" or wanted is None:
            raise Skip("stage_ignored", status=status)
        if wanted == "alert":
            outcome = Outcome(self.work, "skipped", stored("stage_ignored", status=status))
            outcome.alert = ("alert_stage", {"status": status or ""})
            return outcome
        found = self.targets.of(connector, kind, step, scope)
        if not found:
            return self.no_target(kind, step.missing or "park")
        record = self.targets.choose(found, step)
        if "stage" not in record:
            record = connector.get(kind.record, str(record["id"]))
        guard_stage(connector, kind.record, step, str(record.get("stage") or ""), wanted, status)
        if self.leaving is not None and not self.leaving.move(wanted, action.values):
            return self.update(connector, kind, step, action, str(record["id"]))
        action.id, action.values = str(record["id"]), {**action.values, "stage": wanted}
        done = self.perform(connector, action)
        done.id = done.id or action.id
        return self.finished(done, kind)

    # --- targets ------------------------------------------------------------------------------

    def no_target(self, kind: ActionKind, missing: str) -> Outcome:
        """Apply `missing:` where nothing was found."""
        if missing == "skip":
            raise Skip("missing_skip", record=kind.record)
        if missing == "alert":
            outcome = Outcome(self.work, "skipped", stored("missing_alert", record=kind.record))
            outcome.alert = ("alert_missing", {"record": kind.record, "route": self.work.route})
            return outcome
        return Outcome(self.work, "parked", stored("missing_park", record=kind.record, by="link, find or person"))

    def attach(self, connector: Connector, kind: ActionKind, step: Step) -> Outcome | None:
        """Join the request to an open record of the same person, if there is a recent one."""
        assert step.attach is not None
        joined = self.targets.to_join(connector, step)
        if joined is None:
            return None
        record, target = joined
        id, how = str(target["id"]), step.attach.as_ or "comment"
        text = self.event.text or self.event.title or self.event.type
        done = connector.attach(record, id, how, text, self.work.marker, self.targets.in_doubt_since())
        done.result, done.id = {**target, "attached": True, "comment": done.id}, id
        outcome = self.finished(done, kind, "attached", record=record, id=id, how=how)
        outcome.record = record
        outcome.left, outcome.keys = [], frozenset()  # what `set` says is for a record that would have been made
        return outcome

    # --- guards -------------------------------------------------------------------------------

    def status(self) -> str | None:
        """Return the neutral status the event brings (a parcel's, an order's)."""
        record = self.event.record.get(self.event.kind) or {}
        return record.get("status") if isinstance(record, Mapping) else None

    def recover(self, connector: Connector, kind: ActionKind, action: Action) -> Done | None:
        """After a doubtful try of something that must not happen twice: find it, or follow the declared policy.

        Returns what the earlier try made, None if it may safely be done (again).
        """
        if self.work.started_at is None or kind.idempotent:
            return None
        wait = self.work.started_at + connector.settle - self.runtime.store.clock()
        if wait > 0:
            raise Settle(wait)
        if kind.marker:
            found = connector.find(kind.record, {"marker": action.marker, "since": self.work.started_at - 3600}, 5)
            return connector.found(action, found[0]) if found else None
        if kind.uncertain == "repeat":
            return None
        if kind.uncertain == "assume_done":
            return Done()
        raise Doubt("the call had been sent when its worker stopped or its answer was lost")

    # --- seeing -------------------------------------------------------------------------------

    def place(self) -> tuple[Route, Step]:
        """Return the route and step of this delivery, as hub.yaml has them now."""
        route = next((r for r in self.runtime.config.routes if r.name == self.work.route), None)
        step = route.step(self.work.step) if route else None
        if route is None or step is None or step.do is None:
            raise RouteGone(self.work.route)
        if (step.do.connection, step.do.action) != (self.work.connection, self.work.action):
            raise RouteGone(self.work.route)  # hub.yaml was edited: this delivery belongs to a step that is no more
        return route, step

    def refresh(self, route: Route) -> None:
        """Read the event's record afresh when the delivery has waited: what was true then may not be true now.

        A route whose condition no longer holds does nothing more; a step of a run under way goes on with what is.
        """
        if self.runtime.store.clock() - self.work.created_at < STALE:
            return
        record = self.event.record.get(self.event.kind)
        source = self.runtime.config.connections.get(self.event.connection)
        if source is None or not isinstance(record, Mapping) or not record.get("id"):
            return
        if source.connector.get is Connector.get:
            return
        fresh = self.ask(source.name, self.event.kind, str(record["id"]))
        if fresh is None:
            raise Skip("record_gone")
        changed = {**self.event.record, self.event.kind: {**record, **fresh}}
        self.event = self.event.with_(record=changed)
        if self.work.step != "0":
            return
        verdict = route.check(self.pipeline.scope(self.event, {}, self.person))
        if not verdict.ok:
            raise Skip("no_longer", because=verdict.because)

    def action_kind(self, connector: Connector, step: Step) -> ActionKind:
        """Return the declaration of the step's action."""
        assert step.do is not None
        try:
            return connector.action(step.do.action)
        except StopIteration:
            raise PluginError(connector.name, "actions", f"no action {step.do.action}") from None

    def scope(self, route: Route) -> Scope:
        """Return what this step sees: the event, earlier results, and records loaded on demand."""
        extra: dict[str, Any] = {}
        main, refused, _ = base_step(self.work.step).partition("r")
        if refused:
            extra["error"] = self.work.results.get(main) or {}
        before = int(main)
        named = self.pipeline.named_results(route, self.work.results, before)
        if is_replay(self.work.step):  # what was looked up in a table then is looked up in the table as it is now
            for one in route.steps[:before]:
                if one.look_up is not None and one.as_:
                    seen = self.pipeline.scope(self.event, named, self.person, extra, self.load)
                    named[one.as_] = one.look_up.run(seen)
        return self.pipeline.scope(self.event, named, self.person, extra, self.load)

    @cached_property
    def person(self) -> Standing | None:
        """How the event's person stands now, read on demand."""
        work, run = self.work, self.runtime
        if work.person is None:
            return None
        return Standing(run.config, self.event, work.person, work.links, open=run.store.read, family=work.family)

    def load(self, path: str) -> Record | None:
        """Bring a record the event doesn't carry: `deal` or `parcel.deal`, by its link, read afresh."""
        if path in self.loaded:
            return self.loaded[path]
        record = path.rpartition(".")[2]
        found = None
        for where, kind, ref in self.work.links:
            if kind == record and where in self.runtime.config.connections:
                brought = self.ask(where, record, ref)
                found = Owned({**brought, "_connection": where}) if brought is not None else None
                break
        self.loaded[path] = found
        return found

    def ask(self, connection: str, record: str, id: str) -> Record | None:
        """Read a record, None if it is gone. Another connection's trouble must not be taken for this one's."""
        connector = self.runtime.connector(connection)
        if connection == self.work.connection:
            return connector.get(record, id)
        try:
            with connector.http.work(self.guard, 0):
                return connector.get(record, id)
        except Gone:
            return None
        except (AuthFailed, Retry, Uncertain) as error:
            why = connector.http.masker.mask(str(error))
            raise Postponed(f"{record} {id} of {connection} can't be read now: {why}") from None

    # --- outcomes -----------------------------------------------------------------------------

    def finished(self, done: Done, kind: ActionKind, code: str = "", **params: Any) -> Outcome:
        """Return the outcome of an act that took effect."""
        outcome = Outcome(self.work, "done", stored(code, **params) if code else None, done, kind.record)
        outcome.contact, outcome.verb, outcome.linked = self.targets.contact, kind.verb, kind.linked
        outcome.beside = self.targets.wrote
        if self.leaving is not None:
            outcome.left, outcome.keys = list(self.leaving.left), self.leaving.keys
        return outcome

    def judge(self, error: Exception, called: bool) -> Outcome:
        """Return the outcome of what was raised. called: the vendor had been asked something by then."""
        connector = self.runtime.connector(self.work.connection)
        why = connector.http.masker.mask(str(error))[:500]
        outcome = self._gone(why) if isinstance(error, Gone) else judge(self.work, error, why, connector.settle)
        outcome.begun = called if outcome.own_trouble else isinstance(error, HubError) and error.begun
        outcome.contact = self.targets.contact  # settled before the rest failed: it must not be made again
        return outcome

    def _gone(self, why: str) -> Outcome:
        """The target is no more: forget its link and follow `missing:`."""
        record = self.work.action.partition(".")[0]
        linked = self.targets.linked(self.work.connection, record)
        missing = self.step.missing if self.step else None
        reason = stored("gone", why=why)
        if linked and missing in (None, "create") and self.work.action.endswith(".upsert"):
            return Outcome(self.work, "retry", reason, gone=linked, record=record)
        return Outcome(self.work, "skipped" if missing == "skip" else "refused", reason, gone=linked, record=record)


#: the hub's own acts on persons
_OWN = {carrying.MERGE: carrying.perform, carrying.PART: parting.perform}

_VERBS = {
    "upsert": _Try.upsert,
    "update": _Try.upsert,
    "create": _Try.create,
    "find": _Try.find_only,
    "set_stage": _Try.set_stage,
}
