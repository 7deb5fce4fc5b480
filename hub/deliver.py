"""One delivery under lease: map, find the target, act, and say what came of it. The engine records the outcome.

condition -> earlier try in doubt? find by marker -> map values -> target (find, link, person, attach)
          -> order guard -> connector.perform -> Outcome
"""

from __future__ import annotations

import datetime as dt
import logging
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from hub.config import Route, Step
from hub.connector import ActionKind, Connector
from hub.errors import (
    AuthFailed,
    Gone,
    HubError,
    LeaseLost,
    PluginError,
    RateLimited,
    Refused,
    Retry,
    Skip,
    Uncertain,
)
from hub.model import PARCEL_EXCEPTIONS, Action, Done, Event, Record
from hub.paths import Scope
from hub.pipeline import Pipeline, known_id
from hub.reasons import stored
from hub.store.work import Claimed

log = logging.getLogger("hub.deliver")

#: seconds between tries: growing to a day, 77 h in all
BACKOFF = (5, 15, 60, 300, 900, 1800, 3600, 7200, 14400, 28800, 43200, 86400, 86400)
#: a delivery is parked after this many seconds without success
PATIENCE = 75 * 3600.0
#: a delivery that waited longer than this many seconds looks at its record again before it acts
STALE = 300.0


@dataclass(slots=True)
class Outcome:
    """What came of one try; the engine writes it down."""

    work: Claimed
    kind: str  # done | skipped | retry | limit | settle | hold | refused | parked | lost
    reason: dict[str, Any] | None = None
    done: Done | None = None
    record: str = ""
    after: float = 0.0
    scope: str = ""
    started: float = 0.0
    took: float = 0.0
    exchanges: list[dict[str, Any]] = field(default_factory=list)
    contact: str = ""
    called: bool = False
    verb: str = ""
    alert: str = ""
    gone: str = ""


class Deliverer:
    """Carries deliveries out; used by many threads at once."""

    def __init__(self, pipeline: Pipeline) -> None:
        self.pipeline = pipeline
        self.runtime = pipeline.runtime

    def __call__(self, work: Claimed, guard: Callable[[], None]) -> Outcome:
        """Try one delivery and return its outcome; nothing is raised but for the end of the process."""
        started = time.time()
        clock = time.monotonic()
        attempt = _Try(self, work)
        try:
            connector = self.runtime.connector(work.connection)
            with connector.http.work(guard, self._cost(connector, work)) as context:
                try:
                    outcome = attempt.run()
                except Exception as error:  # noqa: BLE001 (whatever a plugin raises is an outcome)
                    outcome = attempt.judge(error)
            outcome.exchanges = [asdict(exchange) for exchange in context.exchanges]
        except KeyError:
            outcome = Outcome(work, "parked", stored("connection_gone", connection=work.connection))
        outcome.started = started
        outcome.took = time.monotonic() - clock
        outcome.called = bool(outcome.exchanges)
        return outcome

    @staticmethod
    def _cost(connector: Connector, work: Claimed) -> int:
        return next((kind.cost for kind in connector.actions if kind.name == work.action), 1)


class _Try:
    """The state of one try: which step, what it sees, which records it has looked up."""

    def __init__(self, deliverer: Deliverer, work: Claimed) -> None:
        self.runtime = deliverer.runtime
        self.pipeline = deliverer.pipeline
        self.work = work
        self.event = work.event
        self.step: Step | None = None
        self.loaded: dict[str, Any] = {}
        self.contact = ""

    # --- the act ------------------------------------------------------------------------------

    def run(self) -> Outcome:
        """Do the step; raises what went wrong."""
        route, step = self.place()
        self.step = step
        assert step.do is not None
        connector = self.runtime.connector(step.do.connection)
        kind = self.action_kind(connector, step)
        if kind.latest and self.work.newest is not None and self.work.newest > self.work.id:
            raise Skip("superseded", by=self.work.newest)
        self.refresh(route)
        scope = self.scope(route)
        verdict = step.when.check(scope)
        if not verdict.ok:
            raise Skip("step_condition", because=verdict.because)
        values = step.set.evaluate(scope)
        marker = str(values.get(kind.marker) or self.work.marker)
        if (recovered := self.recover(connector, kind, marker)) is not None:
            return self.finished(recovered, kind, "found_by_marker" if recovered.id else "assumed_done")
        action = Action(
            name=kind.name, record=kind.record, verb=kind.verb, values=values, marker=marker,
            method=step.do.method or "", limit=step.limit, event=self.event, attempt=self.work.tries + 1,
            fill=self.fill(), person=dict(self.event.record.get("contact") or {}),
        )  # fmt: skip
        act = _VERBS.get(kind.verb, _Try.plain)
        return act(self, connector, kind, step, action, scope)

    def plain(self, connector: Connector, kind: ActionKind, step: Step, action: Action, scope: Scope) -> Outcome:
        """An act that needs no search first: a comment, a to-do, a parcel, a list, a bare API call."""
        if step.find is not None:
            action.find = step.find.by.evaluate(scope)
            if step.find.record is None and not action.find:
                raise Skip("find_empty")
            action.id = self.known_id(step, scope)
        return self.finished(connector.perform(action), kind)

    def find_only(self, connector: Connector, kind: ActionKind, step: Step, action: Action, scope: Scope) -> Outcome:
        """`do: crm.deal.find`: the record itself is the result; an absent one tests as absent later."""
        found = self.targets(connector, kind, step, scope)
        if not found and step.missing in ("park", "alert"):
            raise Refused(f"no {kind.record} found")
        record = self.choose(found, step) if found else None
        return self.finished(Done(result=record or {}, id=str((record or {}).get("id", ""))), kind)

    def upsert(self, connector: Connector, kind: ActionKind, step: Step, action: Action, scope: Scope) -> Outcome:
        """Update the target if there is one, else join the request to an open record, else create."""
        found = self.targets(connector, kind, step, scope)
        if found:
            record = self.choose(found, step)
            return self.update(connector, kind, action, str(record["id"]))
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
            action.contact = self.ensure_contact(connector)
        action.verb = "create"
        return self.finished(connector.perform(action), kind)

    def update(self, connector: Connector, kind: ActionKind, action: Action, id: str) -> Outcome:
        """Write the values into a record that exists."""
        action.verb, action.id = "update", id
        done = connector.perform(action)
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
            outcome.alert = status or ""
            return outcome
        found = self.targets(connector, kind, step, scope)
        if not found:
            return self.no_target(kind, step.missing or "park")
        record = self.choose(found, step)
        if "stage" not in record:
            record = connector.get(kind.record, str(record["id"]))
        self.guard_stage(connector, kind.record, step, str(record.get("stage") or ""), wanted, status)
        action.id, action.values = str(record["id"]), {**action.values, "stage": wanted}
        done = connector.perform(action)
        done.id = done.id or action.id
        return self.finished(done, kind)

    # --- targets ------------------------------------------------------------------------------

    def targets(self, connector: Connector, kind: ActionKind, step: Step, scope: Scope) -> list[Record]:
        """Return the records this step is about: by link or name where known, else by asking the vendor."""
        if step.find is not None:
            if id := self.known_id(step, scope):
                return [{"id": id}]
            linked = self.linked(connector.connection.name, kind.record)
            if linked:
                return [{"id": linked}]
            if step.find.record is not None:
                return self.person_records(connector, kind.record) if step.find.record.root == "person" else []
            by = step.find.by.evaluate(scope)
            return connector.find(kind.record, by, 50) if by else []
        if kind.verb == "create":
            return []
        if linked := self.linked(connector.connection.name, kind.record):
            return [{"id": linked}]
        if self.event.connection == connector.connection.name and self.event.kind == kind.record:
            return [{"id": self.event.subject.partition(":")[2]}]
        if kind.record == "contact":
            return self.person_records(connector, "contact")
        return []

    def known_id(self, step: Step, scope: Scope) -> str:
        """Return the id a `find: deal` or `find: waybill` points at, or ""."""
        return known_id(step.find, scope) if step.find is not None else ""

    def linked(self, connection: str, record: str) -> str:
        """Return the id linked to the event's subject or person at a connection, or ""."""
        for where, kind, ref in self.work.links:
            if where == connection and kind == record:
                return ref
        return ""

    def person_records(self, connector: Connector, record: str) -> list[Record]:
        """Return the vendor's records of the event's person, by phone and then e-mail."""
        contact = self.event.record.get("contact") or {}
        for field_ in ("phone", "email"):
            if value := contact.get(field_):
                found = connector.find(record, {field_: value}, 20)
                if found:
                    return found
        return []

    def choose(self, found: Sequence[Record], step: Step) -> Record:
        """Apply `several:`."""
        if len(found) > 1 and step.several == "park":
            raise Refused(f"{len(found)} records fit; `several: park`")
        return found[-1] if step.several == "newest" else found[0]

    def no_target(self, kind: ActionKind, missing: str) -> Outcome:
        """Apply `missing:` where nothing was found."""
        if missing == "skip":
            raise Skip("missing_skip", record=kind.record)
        if missing == "alert":
            outcome = Outcome(self.work, "skipped", stored("missing_skip", record=kind.record))
            outcome.alert = f"no {kind.record}"
            return outcome
        return Outcome(self.work, "parked", stored("missing_park", record=kind.record, by="link, find or person"))

    def ensure_contact(self, connector: Connector) -> str:
        """Return the id of the person's contact at the vendor: linked, found by phone or e-mail, or made now."""
        contact = dict(self.event.record.get("contact") or {})
        linked = self.linked(connector.connection.name, "contact")
        if linked:
            self.contact = linked
            return linked
        if not (contact.get("phone") or contact.get("email") or contact.get("handle")):
            return ""
        several = self.runtime.config.people.several
        found = self.person_records(connector, "contact")
        marker = self.runtime.marker(self.work.marker, "contact")
        if not found and self.work.started_at is not None:
            found = connector.find("contact", {"marker": marker}, 5)
        action = Action(
            name="contact.create", record="contact", verb="create", person=contact, event=self.event,
            marker=marker, fill=self.fill(),
        )  # fmt: skip
        if found:
            record = found[-1] if several == "newest" else found[0]
            self.contact = str(record["id"])
            action.name, action.verb, action.id = "contact.update", "update", self.contact
            connector.perform(action)
            return self.contact
        self.contact = connector.perform(action).id
        return self.contact

    def attach(self, connector: Connector, kind: ActionKind, step: Step) -> Outcome | None:
        """Join the request to an open record of the same person, if there is a recent one."""
        assert step.attach is not None
        contact_id = self.linked(connector.connection.name, "contact")
        if not contact_id and (found := self.person_records(connector, "contact")):
            contact_id = self.contact = str(found[0]["id"])
        contact = self.event.record.get("contact") or {}
        since = self.pipeline.scope(self.event, {}).now.timestamp() - (step.attach.within or 10 * 365 * 86400)
        for state, record in step.attach.to:
            by: dict[str, Any] = {"since": since}
            if state == "open":
                by["open"] = True
            for key, value in (
                ("contact", contact_id),
                ("phone", contact.get("phone")),
                ("email", contact.get("email")),
            ):
                if not value:
                    continue
                found = connector.find(record, {**by, key: value}, 20)
                if not found:
                    continue
                target = self.choose(found, step)
                how = step.attach.as_ or "comment"
                text = self.event.text or self.event.title or self.event.type
                doubt = self.work.started_at
                tried = dt.datetime.fromtimestamp(doubt, dt.UTC) if doubt is not None else None
                done = connector.attach(record, str(target["id"]), how, text, self.work.marker, tried)
                done.result = {**target, "attached": True, "comment": done.id}
                done.id = str(target["id"])
                outcome = self.finished(done, kind, "attached", record=record, id=str(target["id"]), how=how)
                outcome.record = record
                return outcome
        return None

    # --- guards -------------------------------------------------------------------------------

    def guard_stage(
        self, connector: Connector, record: str, step: Step, current: str, wanted: str, status: str | None
    ) -> None:
        """Raise Skip unless this move is allowed: from a listed stage, and forward."""
        if current == wanted:
            raise Skip("stage_same", stage=current)
        if step.only_from and current not in step.only_from:
            raise Skip("stage_not_from", current=current, allowed=", ".join(step.only_from))
        if wanted in step.back or (status in PARCEL_EXCEPTIONS):
            return
        order = connector.stage_order(record, current)
        if current in order and wanted in order and order.index(wanted) < order.index(current):
            raise Skip("stage_backward", current=current, wanted=wanted)

    def status(self) -> str | None:
        """Return the neutral status the event brings (a parcel's, an order's)."""
        record = self.event.record.get(self.event.kind) or {}
        return record.get("status") if isinstance(record, Mapping) else None

    def recover(self, connector: Connector, kind: ActionKind, marker: str) -> Done | None:
        """After a doubtful try of something that must not happen twice: find it, or follow the declared policy.

        Returns what the earlier try made, None if it may safely be done (again).
        """
        if self.work.started_at is None or kind.idempotent or kind.verb in _REPEATABLE:
            return None
        wait = self.work.started_at + connector.settle - time.time()
        if wait > 0:
            raise _Settle(wait)
        if kind.marker:
            found = connector.find(kind.record, {"marker": marker, "since": self.work.started_at - 3600}, 5)
            return connector.found(kind, found[0]) if found else None
        if kind.uncertain == "repeat":
            return None
        if kind.uncertain == "assume_done":
            return Done()
        raise _Doubt("the call had been sent when its worker stopped or its answer was lost")

    def fill(self) -> str:
        """Return what an update may overwrite: `empty_only`, or `newest` where this source is a preferred one."""
        rule = self.runtime.config.people.fill
        if isinstance(rule, str):
            return rule
        return "newest" if self.event.connection in rule else "empty_only"

    # --- seeing -------------------------------------------------------------------------------

    def place(self) -> tuple[Route, Step]:
        """Return the route and step of this delivery, as hub.yaml has them now."""
        route = next((r for r in self.runtime.config.routes if r.name == self.work.route), None)
        step = find_step(route, self.work.step) if route else None
        if route is None or step is None or step.do is None:
            raise _RouteGone(self.work.route)
        return route, step

    def refresh(self, route: Route) -> None:
        """Read the event's record afresh when the delivery has waited: what was true then may not be true now.

        A route whose condition no longer holds does nothing more; a step of a run under way goes on with what is.
        """
        if time.time() - self.work.created_at < STALE:
            return
        record = self.event.record.get(self.event.kind)
        source = self.runtime.config.connections.get(self.event.connection)
        if source is None or not isinstance(record, Mapping) or not record.get("id"):
            return
        if source.connector.get is Connector.get:
            return
        fresh = self.runtime.connector(source.name).get(self.event.kind, str(record["id"]))
        changed = {**self.event.record, self.event.kind: {**record, **fresh}}
        self.event = self.event.with_(record=changed)
        if self.work.step != "0":
            return
        verdict = route.check(self.pipeline.scope(self.event, {}, self.work.person, self.work.links))
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
        if "r" in self.work.step:
            failed = self.work.results.get(self.work.step.partition("r")[0])
            extra["error"] = failed or {}
        before = int(self.work.step.partition("r")[0])
        named = self.pipeline.named_results(route, self.work.results, before)
        return self.pipeline.scope(self.event, named, self.work.person, self.work.links, extra, self.load)

    def load(self, path: str) -> Record | None:
        """Bring a record the event doesn't carry: `deal` or `parcel.deal`, by its link, read afresh."""
        if path in self.loaded:
            return self.loaded[path]
        record = path.rpartition(".")[2]
        found = None
        for where, kind, ref in self.work.links:
            if kind == record and where in self.runtime.config.connections:
                found = {**self.runtime.connector(where).get(record, ref), "_connection": where}
                break
        self.loaded[path] = found
        return found

    # --- outcomes -----------------------------------------------------------------------------

    def finished(self, done: Done, kind: ActionKind, code: str = "", **params: Any) -> Outcome:
        """Return the outcome of an act that took effect."""
        outcome = Outcome(self.work, "done", stored(code, **params) if code else None, done, kind.record)
        outcome.contact, outcome.verb = self.contact, kind.verb
        return outcome

    def judge(self, error: Exception) -> Outcome:
        """Turn what was raised into an outcome: what to do next is the error's class."""
        work = self.work
        mask = self.runtime.connector(work.connection).http.masker.mask
        why = mask(str(error))[:500]
        if isinstance(error, LeaseLost):
            return Outcome(work, "lost", stored("lease_lost"))
        if isinstance(error, Skip):
            return Outcome(work, "skipped", stored(error.code, **error.params))
        if isinstance(error, _Settle):
            return Outcome(work, "settle", stored("settle"), after=error.seconds)
        if isinstance(error, _Doubt):
            return Outcome(work, "parked", stored("uncertain_park", why=why))
        if isinstance(error, _RouteGone):
            return Outcome(work, "parked", stored("route_gone", route=work.route))
        if isinstance(error, RateLimited):
            return Outcome(work, "limit", stored("rate_limited", why=why), after=error.after or 1.0, scope=error.scope)
        if isinstance(error, Retry):
            return Outcome(work, "retry", stored("retry", why=why), after=error.after or 0.0)
        if isinstance(error, Uncertain):
            settle = self.runtime.connector(work.connection).settle
            return Outcome(work, "uncertain", stored("uncertain", why=why), after=settle)
        if isinstance(error, AuthFailed):
            return Outcome(work, "hold", stored("auth_failed", why=why))
        if isinstance(error, Gone):
            return self._gone(why)
        if isinstance(error, Refused):
            return Outcome(work, "refused", stored("refused", why=why, fields=error.fields))
        if isinstance(error, HubError):
            return Outcome(work, "refused", stored("mapping", why=why))
        log.exception("plugin of %s: %s failed on delivery %s", work.connection, work.action, work.id)
        return Outcome(work, "refused", stored("plugin_error", why=f"{type(error).__name__}: {why}"))

    def _gone(self, why: str) -> Outcome:
        """The target is no more: forget its link and follow `missing:`."""
        record = self.work.action.partition(".")[0]
        linked = self.linked(self.work.connection, record)
        missing = self.step.missing if self.step else None
        reason = stored("gone", why=why)
        if linked and (missing in (None, "create")) and self.work.action.endswith(".upsert"):
            return Outcome(self.work, "retry", reason, gone=linked, record=record)
        kind = "skipped" if missing == "skip" else "refused"
        return Outcome(self.work, kind, reason, gone=linked, record=record)


class _Settle(HubError):
    def __init__(self, seconds: float) -> None:
        super().__init__("settle")
        self.seconds = seconds


class _Doubt(HubError):
    pass


class _RouteGone(HubError):
    pass


#: verbs that may be repeated without harm whatever became of the earlier try
_REPEATABLE = frozenset({"find", "list", "get", "update", "set_stage", "delete", "price", "date", "track", "complete"})
_VERBS = {
    "upsert": _Try.upsert,
    "update": _Try.upsert,
    "create": _Try.create,
    "find": _Try.find_only,
    "set_stage": _Try.set_stage,
}


def find_step(route: Route, path: str) -> Step | None:
    """Return the step at a path: `2`, or `2r0` for the first step of its `refused`."""
    main, _, inner = path.partition("r")
    if int(main) >= len(route.steps):
        return None
    step = route.steps[int(main)]
    if not inner:
        return step
    return step.refused[int(inner)] if int(inner) < len(step.refused) else None


def next_try(tries: int) -> float:
    """Return the seconds until the next try after `tries` failed ones."""
    return float(BACKOFF[min(tries, len(BACKOFF) - 1)])


def result_of(event: Event, outcome: Outcome) -> dict[str, Any]:
    """Return the result a later step sees under the step's `as` name."""
    assert outcome.done is not None
    result = dict(outcome.done.result)
    if outcome.done.id:
        result.setdefault("id", outcome.done.id)
    result["_connection"] = outcome.work.connection
    return result
