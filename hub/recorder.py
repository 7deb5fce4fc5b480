"""Writing down what came of calls, and what follows from it: the next step, the next try, an alert.

What is true whoever holds the lease (attempts, effects at vendors: `hub.effects`) is recorded even by a worker that
lost it; a delivery's state only by the one that holds it.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from typing import Any

from hub import looks, parts, reconciling
from hub.effects import Effects
from hub.errors import AuthFailed, Gone, LeaseLost, RateLimited, Retry, Uncertain
from hub.health import note_health
from hub.lines import family_lines, former_lines, line_for
from hub.model import Event, Poll
from hub.outcome import PATIENCE, REFUSED, Outcome, next_try, result_of, written_of
from hub.pipeline import Pipeline
from hub.polling import Poller
from hub.reasons import say_stored, stored
from hub.standing import Standing
from hub.store import Db, families, inquiries, intake, record, roster, state, work
from hub.work_items import Complete, Deliver, Item, PollCall

log = logging.getLogger("hub.recorder")

#: why a whole run is over, and not just one step of it
ENDS_THE_RUN = frozenset({"no_longer", "record_gone", "superseded"})
#: outcomes after which a delivery is tried again -> what it waits for until then
_WAITS = {
    "limit": "limit", "postponed": "retry", "drift": "drift", "settle": "settle", "uncertain": "settle", "hold": "hold",
    "retry": "retry",
}  # fmt: skip
#: seconds until a delivery that is held back looks whether it still is
_HELD = 60.0


@dataclass
class _Batch:
    """What one batch of outcomes asks for, gathered so that each kind of row is written with one statement."""

    health: dict[str, state.Health]
    lines: dict[str, float | None] = field(default_factory=dict)
    closed: list[tuple[int, str, int, Any, Any, Any]] = field(default_factory=list)
    follow: list[work.NewDelivery] = field(default_factory=list)
    parked: dict[str, Any] = field(default_factory=dict)
    said: list[str] = field(default_factory=list)


class Recorder:
    """Turns outcomes into rows, inside the dispatcher's one transaction per turn."""

    def __init__(self, pipeline: Pipeline) -> None:
        self.pipeline = pipeline
        self.runtime = pipeline.runtime
        self.poller = Poller(pipeline)
        self.effects = Effects(pipeline)

    def write(self, db: Db, batch: Sequence[tuple[Item, Any]]) -> list[str]:
        """Record a batch of finished calls; return what the log should say once it is committed."""
        self.effects.hold(db, batch)
        held = work.held_leases(db, [(item.key, item.lease) for item, _ in batch])
        todo = _Batch(state.healths(db))
        outcomes: list[Outcome] = []
        for item, result in batch:
            mine = item.key in held
            if isinstance(item, Deliver) and isinstance(result, Outcome):
                outcomes.append(result)
                self.effects.note(db, result)
                if mine:
                    self._delivery(db, todo, item, result)
                note_health(db, self.runtime, todo.health, item, result.kind, result.reason, result)
            elif isinstance(item, Complete) and mine:
                self._complete(db, todo.health, item, result)
            elif isinstance(item, PollCall) and mine:
                self._poll(db, todo, item, result)
            elif isinstance(item, looks.Look) and mine:
                self._look(db, todo, item, result)
            elif isinstance(item, reconciling.Compare) and mine:
                self._compare(db, todo, item, result)
        record.finish_deliveries(db, todo.closed)
        for connection, reason in todo.parked.items():  # counted once they are written
            self._parked_alert(db, connection, reason)
        work.add_deliveries(db, todo.follow)
        work.pass_on_all(db, todo.lines)
        record.add_attempts(
            db,
            [
                (o.work.id, o.work.tries + 1, o.started, int(o.took * 1000), o.kind, o.reason, o.exchanges)
                for o in outcomes
                if o.called or o.kind not in ("skipped", "settle", "limit", "postponed", "drift")
            ],
        )
        counts = Counter((o.work.connection, f"delivery_{o.kind}") for o in outcomes)
        state.count(db, counts)
        return todo.said

    # --- deliveries -----------------------------------------------------------------------------

    def _delivery(self, db: Db, todo: _Batch, item: Deliver, outcome: Outcome) -> None:
        """Close the delivery or keep it waiting; give its line on."""
        claimed = outcome.work
        age = db.now - claimed.created_at
        tries = claimed.tries + (1 if outcome.called or outcome.kind != "limit" else 0)
        kind, reason, due = outcome.kind, outcome.reason, None
        if kind == "drift" and age > PATIENCE:
            kind, reason = "parked", stored("drift_parked", hours=age / 3600, why=say_stored(reason))
        doubt = claimed.started_at
        if doubt is None and outcome.begun:
            doubt = outcome.started
        if kind in ("retry", "uncertain") and age > PATIENCE:
            # A pause or a hold is nobody's failure.
            age = db.now - record.failing_since(db, claimed.id, claimed.tries, db.now)
        if kind in ("retry", "uncertain") and age > PATIENCE:
            kind = "parked"
            reason = stored("exhausted", hours=age / 3600, why=((reason or {}).get("params") or {}).get("why", ""))
        if kind in ("done", "skipped", "refused", "parked"):
            self._close(db, todo, outcome, kind, tries, reason)
        elif kind in _WAITS:
            counts = kind in ("retry", "uncertain")  # the others are nobody's failure
            if kind == "limit":
                self._pause(claimed.connection, outcome)
            if kind == "uncertain" and doubt is None:
                doubt = outcome.started
            least = next_try(claimed.tries) if counts else _HELD if kind == "hold" else 0.0
            due = db.now + max(outcome.after, least)
            row = (claimed.id, tries if counts else claimed.tries, _WAITS[kind], reason, doubt)
            record.postpone_deliveries(db, [row])
        todo.lines[item.key] = due
        todo.said.append(
            f"delivery id={claimed.id} event={claimed.event.id} route={claimed.route!r} step={claimed.step} "
            f"do={claimed.connection}.{claimed.action} outcome={outcome.kind} tries={tries} "
            f"took_ms={int(outcome.took * 1000)}"
        )

    def _close(self, db: Db, todo: _Batch, outcome: Outcome, kind: str, tries: int, reason: Any) -> None:
        """Write a delivery's final state and plan what follows: the next step, or what to do when refused."""
        claimed = outcome.work
        replay = parts.is_replay(claimed.step)  # the rest of its run was done long ago: nothing follows
        route = None if replay else self.runtime.config.route(claimed.route)
        main, _, inner = parts.base_step(claimed.step).partition("r")
        step = route.steps[int(main)] if route and int(main) < len(route.steps) else None
        final, result, written = kind, None, None
        follow: list[work.NewDelivery] = []
        if kind == "done" and outcome.done is not None:
            result = result_of(outcome)  # of a search that found nothing: none, so that its name tests as absent
            written = written_of(outcome)
            self._bring_forth(db, outcome)
            todo.said.extend(looks.left_out(db, self.runtime, outcome))
            words = {str(result[name]).lower()[:200] for name in ("id", "number") if result and result.get(name)}
            state.add_search(db, [(word, claimed.event.id) for word in words])
        if kind in ("refused", "parked"):
            final = "parked"
            if step is not None and step.refused and step.refused[0].do and not inner and route is not None:
                final = "refused"
                follow = [self._refused_step(db, outcome, route, int(main), 0)]
                result = {"reason": (reason or {}).get("params", {}).get("why", ""), REFUSED: True}
            elif step is not None and step.optional:
                final = "skipped"
                reason = stored("optional_failed", why=(reason or {}).get("params", {}).get("why", ""))
        todo.closed.append((claimed.id, final, tries, reason, result, written))
        if final == "parked":
            todo.parked[claimed.connection] = reason
        if outcome.alert is not None:
            alert, more = outcome.alert
            params = {"connection": claimed.connection, "subject": claimed.event.subject, **more}
            state.open_alert(
                db, f"{alert.removeprefix('alert_')}:{claimed.event.subject}", alert, claimed.connection, params
            )
        if route is not None and not follow and final != "parked" and (reason or {}).get("code") not in ENDS_THE_RUN:
            follow = self._next(db, claimed, route, step, int(main), inner, outcome, result)
        for one in follow:  # whatever the event came by: what a batch set going is the batch's to the end
            one.batch = claimed.batch
        todo.follow.extend(follow)

    def _next(
        self, db: Db, claimed: work.Claimed, route: Any, step: Any, main: int, inner: str, outcome: Outcome, result: Any
    ) -> list[work.NewDelivery]:
        """Return the deliveries that come after this one in its run."""
        if inner:
            following = int(inner) + 1
            if step is not None and following < len(step.refused):
                return [self._refused_step(db, outcome, route, main, following)]
            if step is None or not step.optional:
                return []
        if main + 1 >= len(route.steps):
            return []
        by_step = work.results_of(db, claimed.event.id, claimed.route)
        if result is not None:
            by_step[claimed.step] = result
        results = self.pipeline.named_results(route, by_step, main + 1)
        family = _family(db, claimed)
        ends = work.link_ends(claimed.event, family)
        found = work.links(db, ends)
        links = [one for end in ends for one in found.get(end, ())]
        person = self._standing(db, claimed, family, links)
        return self.pipeline.advance(claimed.event, route, main + 1, results, person, links, family)

    def _standing(
        self, db: Db, claimed: work.Claimed, family: Sequence[int], links: Sequence[work.Ref]
    ) -> Standing | None:  # fmt: skip
        if not family:
            return None
        return Standing(
            self.runtime.config, claimed.event, family[0], links, open=lambda: nullcontext(db), family=family
        )  # fmt: skip

    def _refused_step(self, db: Db, outcome: Outcome, route: Any, main: int, index: int) -> work.NewDelivery:
        claimed = outcome.work
        family = _family(db, claimed)
        root = family[0] if family else None
        inner = route.steps[main].refused[index]
        path = f"{main}r{index}"
        scope = self.pipeline.scope(claimed.event, {}, self._standing(db, claimed, family, claimed.links))
        line, lane = line_for(claimed.event, route, inner, scope, root, claimed.links)
        marker = self.runtime.marker(claimed.event.connection, claimed.event.origin, route.name, path)
        return work.NewDelivery(
            claimed.event.id, route.name, path, inner.do.connection, inner.do.action, line, lane, marker,
            former=former_lines(claimed.event, inner, root), family=family_lines(inner, root, family),
        )  # fmt: skip

    def _bring_forth(self, db: Db, outcome: Outcome) -> None:
        """Store and settle the events an act brought with it, one hop further."""
        assert outcome.done is not None
        if not outcome.done.events:
            return
        claimed = outcome.work
        events = [
            event.with_(connection=claimed.connection, hop=claimed.event.hop + 1, batch=claimed.batch)
            for event in outcome.done.events
        ]
        fresh = intake.add_events(db, events, cause=claimed.event.id)
        work.ensure_lines(db, {intake.event_line(e): e.connection for e in fresh if e.incomplete})
        self.pipeline.settle(db, [event for event in fresh if not event.incomplete])

    @staticmethod
    def _parked_alert(db: Db, connection: str, reason: Any) -> None:
        row = db.one("SELECT count(*) FROM delivery WHERE state = 'parked' AND connection = ?", (connection,))
        why = ((reason or {}).get("params") or {}).get("why", (reason or {}).get("code", ""))
        params = {"connection": connection, "count": int(row[0]) if row else 1, "why": why}
        state.open_alert(db, f"parked:{connection}", "alert_parked", connection, params)

    def _pause(self, connection: str, outcome: Outcome) -> None:
        limits = self.runtime.limits(connection)
        self.runtime.limiter.pause(limits.key or connection, outcome.after, outcome.scope)

    # --- hints and polls ------------------------------------------------------------------------

    def _complete(self, db: Db, health: Any, item: Complete, result: Any) -> None:
        """Settle completed hints; those joined into another are closed with a pointer to it."""
        if isinstance(result, Exception):
            why = str(result)[:500]
            if isinstance(result, Gone):
                rows = [(event, "gone", stored("record_gone")) for event in item.events]
                intake.update_events(db, rows)
                work.pass_on(db, item.key, None)
                return
            after, kind = _verdict(result)
            note_health(db, self.runtime, health, item, kind, _reason(result, kind, why), None)
            age = db.now - min((event.at for event in item.events), default=db.now)
            if kind == "retry":
                after = max(after, min(age / 4, 3600.0))  # grows with the time it has been failing
            if kind == "refused" or (kind == "retry" and age > PATIENCE):
                intake.update_events(
                    db, [(event, "unreadable", stored("unreadable", why=why)) for event in item.events]
                )
                params = {"connection": item.connection, "why": why}
                state.open_alert(db, f"unreadable:{item.connection}", "alert_unreadable", item.connection, params)
                work.pass_on(db, item.key, None)
            else:
                work.pass_on(db, item.key, db.now + after)
            return
        note_health(db, self.runtime, health, item, "done", None, None)
        batch = next((event.batch for event in item.events if event.batch), "")
        done: list[Event] = [
            event.with_(connection=item.connection, incomplete=False, batch=event.batch or batch) for event in result
        ]
        self._recount(db, item.events, done)
        kept = {event.id for event in done}
        subject = item.events[0].subject if item.events else ""
        first = done[0].id if done else 0
        joined = [e for e in item.events if e.id not in kept]
        reason = stored("joined", event=first, subject=subject) if done else stored("record_gone")
        intake.update_events(db, [(event, "joined" if done else "gone", reason) for event in joined])
        intake.update_events(db, [(event, "planned", None) for event in done])
        self.pipeline.settle(db, done)
        work.pass_on(db, item.key, None)

    def _recount(self, db: Db, hints: Sequence[Event], done: Sequence[Event]) -> None:
        """Keep the count of requests right where a look at the vendor showed that a hint was one, or was none."""
        types = {event.id: event.type for event in hints}
        for event in done:
            if event.type != types.get(event.id, event.type):
                inquiries.count(db, [event], self.runtime.config.hub.zone)
                inquiries.count(db, [event.with_(type=types[event.id])], self.runtime.config.hub.zone, -1)

    def _poll(self, db: Db, todo: _Batch, item: PollCall, result: Any) -> None:
        if isinstance(result, Poll):
            if item.called:  # one that had nothing to ask has not seen whether the vendor is well
                note_health(db, self.runtime, todo.health, item, "done", None, None)
            fresh = self.poller.write(db, item, result)
            if fresh:
                state.count(db, {(item.connection, "received"): fresh})
                todo.said.append(f"poll {item.connection}.{item.what} brought {fresh} new receipts")
            return
        after, kind = _verdict(result)
        why = str(result)[:500]
        note_health(db, self.runtime, todo.health, item, kind, _reason(result, kind, why), None)
        told = kind == "retry" and todo.health[item.connection].open_until is not None  # the breaker's alert says it
        self.poller.failed(db, item, why, after if kind == "limit" else None, told)

    def _look(self, db: Db, todo: _Batch, item: looks.Look, result: Any) -> None:
        """Compare what the account is made of with what it was; a look that failed is taken again."""
        after = looks.EVERY
        if not isinstance(result, Exception):
            note_health(db, self.runtime, todo.health, item, "done", None, None)
            state.close_alerts(db, f"poll:{item.connection}:inventory")
            todo.said.extend(looks.write(db, self.runtime, item.connection, result))
        elif self._stumbled(db, todo, item, "inventory", result) is not None:
            after = max(60.0, _verdict(result)[0])
        work.release(db, item.key, item.lease, db.now + after)

    def _compare(self, db: Db, todo: _Batch, item: reconciling.Compare, result: Any) -> None:
        """Keep what a step of a reconciliation has found; one that failed is taken again, or ends the comparison."""
        if not isinstance(result, Exception):
            note_health(db, self.runtime, todo.health, item, "done", None, None)
            todo.said.extend(reconciling.write(db, self.pipeline, item, result))
        elif (after := self._stumbled(db, todo, item, "reconciliation", result)) is not None:
            work.release(db, item.key, item.lease, db.now + after)
        else:
            reconciling.give_up(db, item, str(result)[:300])

    def _stumbled(self, db: Db, todo: _Batch, item: Item, what: str, error: Exception) -> float | None:
        """Note that a look aside failed; return when it may go on, None if waiting won't help.

        A right that only it needs is missing, as a rule: that is told, and holds nothing else of the connection.
        """
        after, kind = _verdict(error)
        why = str(error)[:500]
        if kind in ("retry", "limit", "lost"):
            note_health(db, self.runtime, todo.health, item, kind, stored(kind, why=why), None)
            return after
        params = {"connection": item.connection, "what": what, "why": why}
        state.open_alert(db, f"poll:{item.connection}:{what}", "alert_poll", item.connection, params)
        return None


def _family(db: Db, claimed: work.Claimed) -> list[int]:
    """Return everybody who is one with the event's person by now: they may have been parted since it was claimed."""
    own = roster.own_of(db, claimed.event.id) if claimed.person is not None else None
    return families.family(db, own) if own is not None else []


def _reason(error: Exception, kind: str, why: str) -> dict[str, Any]:
    """Return the reason for what a hint or a poll raised, as the store keeps it."""
    return stored(kind, why=why, **({"remedy": error.remedy} if isinstance(error, AuthFailed) else {}))


def _verdict(error: Exception) -> tuple[float, str]:
    """Return (seconds to wait, kind of outcome) for what a hint or a poll raised."""
    if isinstance(error, LeaseLost):
        return 1.0, "lost"
    if isinstance(error, RateLimited):
        return error.after or 1.0, "limit"
    if isinstance(error, Retry):
        return error.after or 15.0, "retry"
    if isinstance(error, AuthFailed):
        return 60.0, "hold"
    if isinstance(error, Uncertain):
        return 15.0, "retry"
    return 60.0, "refused"  # for good, or a plugin's own failure: visible, and no sign that the vendor is ill
