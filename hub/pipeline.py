"""The life of a message, read from top to bottom: process -> plan -> (deliver).

    receipts -> parse -> events (unique key)
             -> hints wait on a line to be completed by one look at the vendor
             -> changes: what is news, what is an echo, what is late
             -> plan: routes -> conditions -> person -> deliveries, or "skipped because ..."

Delivering a planned step is `hub.deliver`; who runs all this and when is `hub.engine`.
"""

from __future__ import annotations

import datetime as dt
import logging
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from hub import changes, echoes, identity, pace, syncs, unrouted
from hub.config import Route, Step
from hub.errors import HubError, Skip
from hub.lines import family_lines, former_lines, line_for
from hub.masking import quoted
from hub.matching import Matching
from hub.model import Event, Receipt
from hub.outcome import REFUSED
from hub.pace import Steps
from hub.paths import Scope
from hub.reasons import stored
from hub.runtime import Runtime
from hub.standing import Standing, Standings
from hub.store import Db, history, inquiries, intake, state, work
from hub.store.engine import is_trouble

log = logging.getLogger("hub.pipeline")


@dataclass(slots=True)
class Parsed:
    """A receipt and what was found in it."""

    receipt: Receipt
    events: list[Event] = field(default_factory=list)
    trouble: dict[str, Any] | None = None
    final: str = ""


@dataclass(slots=True)
class Decision:
    """What the routes say to one event: those that take it, and why the others don't."""

    event: Event
    routes: list[Route] = field(default_factory=list)
    skipped: list[dict[str, Any]] = field(default_factory=list)


#: why an event that was compared is not planned
_NO_NEWS = frozenset({"echo", "nothing_changed", "late", "backward", "too_many_hops"})


class Pipeline:
    """Turns receipts into events and events into deliveries."""

    def __init__(self, runtime: Runtime) -> None:
        self.runtime = runtime
        self.store = runtime.store
        self.matching = Matching(runtime)
        self.steps = Steps()

    # --- 1. process: receipts become events --------------------------------------------------

    def process(self, connection: str, lease: str) -> int:
        """Read a connection's oldest new receipts under its lease; return how many were read."""
        with self.store.read() as db:
            live = not db.postgresql and db.now - intake.last_arrival(db) < pace.LATELY
            receipts = intake.new_receipts(db, connection, self.steps.size(live))
        if not receipts:
            return 0
        parsed = [self.parse(receipt) for receipt in receipts]
        try:
            return self._store(connection, lease, parsed)
        except Exception as error:
            if is_trouble(error):
                raise
            # One of them holds what the store doesn't take. Alone, each does its own harm only.
            log.exception("receipts of %s could not be stored together; trying one by one", connection)
            return sum(self._store_alone(connection, lease, one) for one in parsed)

    def _hold_back(self, db: Db, connection: str, events: Sequence[Event]) -> list[Event]:
        """Let what may be the echo of an act still under way wait until that is written down, and all behind it."""
        out = []
        for event in events:
            waits = bool(self._tells(event)) and (
                history.acting(db, connection, event.subject.partition(":")[0], db.now)
                or bool(intake.waiting_events(db, intake.event_line(event), 1))
            )
            out.append(event.with_(incomplete=True) if waits else event)
        return out

    def _tells(self, event: Event) -> dict[str, Any]:
        return echoes.tells(self.runtime.connector(event.connection), event)

    def _store_alone(self, connection: str, lease: str, one: Parsed) -> int:
        try:
            return self._store(connection, lease, [one])
        except Exception as error:
            if is_trouble(error):
                raise
            log.exception("what receipt %s says could not be stored", one.receipt.id)
            trouble = stored("plugin_error", why=f"{type(error).__name__}: {error}"[:500])
            return self._store(connection, lease, [Parsed(one.receipt, trouble=trouble)])

    def _store(self, connection: str, lease: str, parsed: list[Parsed]) -> int:
        """Write down in one commit what receipts say, and what follows from it."""
        events = [event for one in parsed for event in one.events]
        decided = {(e.connection, e.key): self.decide(e) for e in events if self._plain(e)}
        with self.store.write() as db:
            began = time.monotonic()
            if not work.held_leases(db, [(f"in:{connection}", lease)]):
                return 0  # another worker took over while we were reading: it will do the same, once
            events = self._hold_back(db, connection, events)
            fresh = intake.add_events(db, events)
            if self.runtime.connector(connection).hints:
                known = {event.key for event in fresh}
                again = [e for e in events if e.incomplete and e.key not in known and self._compared(e)]
                fresh += intake.look_again(db, again)
            work.ensure_lines(db, {intake.event_line(e): e.connection for e in fresh if e.incomplete})
            self.settle(db, [e for e in fresh if not e.incomplete], decided)
            self._replay(db, [one.receipt for one in parsed if one.receipt.replayed], {e.id for e in fresh})
            intake.finish_receipts(db, [self._finished(one) for one in parsed])
            counts = Counter({(connection, "read"): len(parsed), (connection, "events"): len(fresh)})
            for one in parsed:
                if one.final:
                    counts[(connection, one.final)] += 1
                elif one.trouble:
                    counts[(connection, "unreadable")] += 1
                    params = {"connection": connection, "why": one.trouble["params"].get("why", "")}
                    state.open_alert(db, f"unreadable:{connection}", "alert_unreadable", connection, params)
            state.count(db, counts)
            inquiries.count(db, fresh, self.runtime.config.hub.zone)
            took = time.monotonic() - began
        self.steps.took(len(parsed), took)
        return len(parsed)

    def _replay(self, db: Db, receipts: list[Receipt], fresh: set[int]) -> None:
        """Plan known events once more: what they set off before is there already, only routes new to them act."""
        for batch in sorted({one.batch for one in receipts}):
            ids = [one.id for one in receipts if one.batch == batch]
            known = [one.with_(batch=batch) for one in intake.known_events(db, ids) if one.id not in fresh]
            self.plan(db, [self.decide(event) for event in known], counted=False)

    def parse(self, receipt: Receipt) -> Parsed:
        """Ask the connector what a stored request means. What can't be understood is kept, with the reason."""
        connector = self.runtime.connector(receipt.connection)
        try:
            events = [
                event.with_(
                    connection=receipt.connection,
                    receipt=receipt.id,
                    again=receipt.again,
                    batch=receipt.batch,
                    key=identity.short(event.key),
                    subject=identity.short(event.subject),
                )
                for event in connector.parse(receipt)
            ]
        except Skip as reason:
            return Parsed(receipt, trouble=stored(reason.code, **reason.params), final="skipped")
        except (ValueError, HubError) as error:
            return Parsed(receipt, trouble=stored("unreadable", why=str(error)[:500]))
        except Exception as error:
            log.exception("plugin %s: parse failed on receipt %s", connector.name, receipt.id)
            return Parsed(receipt, trouble=stored("plugin_error", why=f"{type(error).__name__}: {error}"[:500]))
        return Parsed(receipt, events)

    @staticmethod
    def _finished(one: Parsed) -> tuple[int, str, Any]:
        return (one.receipt.id, one.final or ("unreadable" if one.trouble else "done"), one.trouble)

    # --- 2. settle: what is news --------------------------------------------------------------

    def settle(
        self, db: Db, events: Sequence[Event], decided: Mapping[tuple[str, str], Decision] | None = None
    ) -> None:
        """Compare stored, complete events with what was last seen, and plan those that are news."""
        news: list[Decision] = []
        ours: list[Event] = []
        db.lock([f"seen:{event.connection}:{event.subject}" for event in events if not self._plain(event)])
        for event in events:
            if self._plain(event):
                decision = (decided or {}).get((event.connection, event.key)) or self.decide(event)
                decision.event = event
                news.append(decision)
                continue
            seen = state.seen(db, event.connection, event.subject)
            connector = self.runtime.connector(event.connection)
            if told := self._tells(event):
                found = echoes.weigh(event, told, seen, db.now)
            else:
                since = self.runtime.since.get(event.connection, 0.0)
                found = changes.look(event, seen, connector.volatile, since)
            if event.type.endswith(".deleted"):
                state.forget_seen(db, event.connection, event.subject)
                work.drop_links(db, event.connection, event.kind, event.subject.partition(":")[2])
            if found.remember is not None:
                state.set_seen(db, event.connection, event.subject, found.remember)
            fresh = [one for one in found.events if one.id == 0]
            stored_events = intake.add_events(db, fresh, cause=event.id)
            same = [one for one in found.events if one.id != 0]
            if same:
                intake.update_events(db, [(one, "planned", None) for one in same])
            else:
                code = (found.closed or {}).get("code", "planned")
                kind = "echo" if code in _NO_NEWS else "planned"
                if code == "too_many_hops":
                    params = {"connection": event.connection, "subject": event.subject}
                    state.open_alert(
                        db, f"loop:{event.connection}:{event.subject}", "alert_loop", event.connection, params
                    )
                intake.update_events(db, [(event, kind, found.closed)])
                if code == "echo":
                    ours.append(event.with_(hop=max(event.hop, int((seen or {}).get("hop") or 0) + 1)))
            news.extend(self.decide(one) for one in [*same, *stored_events])
        self.plan(db, news)
        if ours and (heard := syncs.echoed(self, ours)):
            self.plan(db, heard, counted=False, told=False)

    def _plain(self, event: Event) -> bool:
        """Return whether an event is news by itself, with nothing to compare."""
        compared = event.type in changes.SAID or self._compared(event) or self._tells(event)
        return not event.incomplete and not compared

    @staticmethod
    def _compared(event: Event) -> bool:
        """Return whether an event is compared with what was last seen. Any other is news each time it is told, so a
        copy of it must not make the hub look again: it would be told twice.
        """
        return event.type.partition(".")[2] in ("created", "updated", "deleted", "status_changed")

    # --- 3. plan: routes become deliveries ----------------------------------------------------

    def decide(self, event: Event, person: Mapping[str, Any] | None = None) -> Decision:
        """Ask each route that listens whether it takes this event. Pure, but for what `person` reads.

        Without a person it is a first answer; where a route looks at the person, `plan` asks again in its transaction.
        """
        decision = Decision(event)
        if (reason := self.blocked(event)) is not None:
            decision.skipped.append(reason)
            return decision
        scope = self.scope(event, {}, person)
        took: set[str] = set()
        for route in self.runtime.config.routes_for(event.connection, event.type):
            if route.off:
                decision.skipped.append({"route": route.name, **stored("route_off", why=route.off)})
                continue
            if route.otherwise and route.otherwise in took:
                decision.skipped.append({"route": route.name, **stored("otherwise", route=route.otherwise)})
                continue
            verdict = route.check(scope)
            if not verdict.ok and not (route.sync and event.type.endswith(".deleted")):  # nothing is left to look at
                decision.skipped.append({"route": route.name, **stored("condition", because=verdict.because)})
                continue
            took.add(route.name)
            decision.routes.append(route)
        return decision

    def blocked(self, event: Event) -> dict[str, Any] | None:
        """Return the reason if `people.block` lists the event's contact: such a request goes nowhere."""
        if self.runtime.config.people.block is None:
            return None
        table, fields = self.runtime.config.people.block
        contact = event.record.get("contact") or {}
        for name in fields:
            value = contact.get(name)
            if value and table.fitting({name: value}):
                return stored("blocked", field=name, table=table.name)
        return None

    def plan(self, db: Db, decisions: Sequence[Decision], counted: bool = True, told: bool = True) -> None:
        """Store the first steps of the routes that took each event; the later ones follow as results come in.

        counted: the events are new, and count for the day. told: what became of them is noted with the events.
        """
        if not decisions:
            return
        found = self.matching.find(db, [decision.event for decision in decisions])
        standings = Standings(self.runtime, db, counted)
        ends = [end for d, m in zip(decisions, found, strict=True) for end in work.link_ends(d.event, m.family)]
        known = work.links(db, ends)
        decided = []
        for decision, match in zip(decisions, found, strict=True):
            links = [one for end in work.link_ends(decision.event, match.family) for one in known.get(end, ())]
            standing = standings.standing(decision.event, match, links)
            listening = self.runtime.config.routes_for(decision.event.connection, decision.event.type)
            if told and any(route.asks_person for route in listening):
                decision = self.decide(decision.event, standing)
            decided.append((decision, match, links, standing))
        syncs.screen(db, self.runtime, [decision for decision, *_ in decided])
        rows: list[work.NewDelivery] = []
        notes: list[tuple[int, int | None, Any, Any]] = []
        words: list[tuple[str, int]] = []
        counts = Counter[tuple[str, str]]()
        for decision, match, links, standing in decided:
            event = decision.event
            for route in decision.routes:
                rows.extend(self.advance(event, route, 0, {}, standing, links, match.family))
            skipped = decision.skipped
            if not decision.routes and not skipped:
                skipped = [stored("unrouted")]
                self._unrouted(db, event)
            matched = match.why if counted or not standings.decided(event) else None
            notes.append((event.id, match.own, {"skipped": skipped} if skipped else None, matched))
            words.extend((word, event.id) for word in identity.search_words(event))
            counts[(event.connection, "taken" if decision.routes else "not_taken")] += int(counted)
            log.info(
                "event id=%s type=%s.%s subject=%s routes=%s skipped=%s",
                event.id, event.connection, event.type, quoted(event.subject), len(decision.routes), len(skipped),
            )  # fmt: skip
        added = work.add_deliveries(db, rows)
        if told:
            intake.set_event_notes(db, notes)
        state.add_search(db, words)
        counts[("hub", "planned")] += added
        state.count(db, counts)

    def advance(
        self,
        event: Event,
        route: Route,
        start: int,
        results: Mapping[str, Any],
        person: Standing | None,
        links: Sequence[tuple[str, str, str]],
        family: Sequence[int] = (),
    ) -> list[work.NewDelivery]:
        """Return the next steps of a run, from `start`: those that need no call are settled here and now.

        results: `as` name -> result so far. family: everybody who is one with the person. Stops at the
        first step that calls a vendor, or at the end.
        """
        rows: list[work.NewDelivery] = []
        known = dict(results)
        who = person.person if person is not None else None
        for index in range(start, len(route.steps)):
            step = route.steps[index]
            scope = self.scope(event, known, person)
            if step.do is None or not waits_for_loading(step, scope):
                verdict = step.when.check(scope)
                if not verdict.ok:
                    reason = stored("step_condition", because=verdict.because)
                    if step.as_:
                        known[step.as_] = None
                    rows.append(self._row(event, route, step, str(index), "skipped", reason))
                    continue
            if step.do is not None:
                line, lane = line_for(event, route, step, scope, who, links)
                marker = self.runtime.marker(event.connection, event.origin, route.name, index, step.do.connection)
                rows.append(
                    work.NewDelivery(
                        event.id,
                        route.name,
                        str(index),
                        step.do.connection,
                        step.do.action,
                        line,
                        lane,
                        marker,
                        former=former_lines(event, step, who),
                        family=family_lines(step, who, family),
                        batch=event.batch,
                    )
                )
                return rows
            try:
                if step.stop is not None:
                    why = step.stop.get(scope)
                    rows.append(self._row(event, route, step, str(index), "done", stored("stopped", why=why)))
                    return rows
                if step.look_up is not None:
                    found = step.look_up.run(scope)
                    if step.as_:
                        known[step.as_] = found
                    rows.append(self._row(event, route, step, str(index), "done", None, found))
            except HubError as error:
                rows.append(self._row(event, route, step, str(index), "parked", stored("mapping", why=str(error))))
                return rows
        return rows

    @staticmethod
    def _row(
        event: Event, route: Route, step: Step, path: str, final: str, reason: Any, result: Any = None
    ) -> work.NewDelivery:
        where = step.do.connection if step.do else "hub"
        action = step.do.action if step.do else ("look_up" if step.look_up else "stop")
        return work.NewDelivery(
            event.id, route.name, path, where, action, "", "", "", final, reason, result, batch=event.batch
        )  # fmt: skip

    # --- small parts ----------------------------------------------------------------------------

    def scope(
        self,
        event: Event,
        results: Mapping[str, Any],
        person: Mapping[str, Any] | None = None,
        extra: Mapping[str, Any] | None = None,
        load: Any = None,
    ) -> Scope:
        """Return what paths of this event see; `person` is usually a `Standing`."""
        return Scope(
            event,
            self.runtime.config,
            results=results,
            person=person,
            now=dt.datetime.now(dt.UTC),
            extra=extra or {},
            load=load,
        )

    @staticmethod
    def named_results(route: Route, by_step: Mapping[str, Any], before: int) -> dict[str, Any]:
        """Return `as` name -> result of the steps before one; None for a step that found nothing or didn't run."""
        found = {step.as_: by_step.get(str(index)) for index, step in enumerate(route.steps[:before]) if step.as_}
        return {name: None if isinstance(one, Mapping) and REFUSED in one else one for name, one in found.items()}

    def _unrouted(self, db: Db, event: Event) -> None:
        """Tell once what should not go unheard."""
        if (cause := unrouted.cause(self.runtime.config, event)) is not None:
            params = {"connection": event.connection, "type": event.type}
            state.open_alert(db, cause, "alert_unrouted", event.connection, params)


def waits_for_loading(step: Step, scope: Scope) -> bool:
    """Return whether a step's condition looks at a record that only a look at the vendor can bring."""
    return any(scope.needs_loading(path) for path in step.when.paths())
