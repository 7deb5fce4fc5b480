"""Syncs on the way in: which news they carry, and at what pace a backlog is handed to the workers.

An event of a synced record is planned only if the record says something else than was agreed with its twin: so what
the hub wrote itself, and what no sync carries, costs no call at all.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from hub import twins
from hub.config import Route, Sync
from hub.model import Event
from hub.reasons import say_stored, stored
from hub.runtime import Runtime
from hub.store import Db, intake
from hub.store import twins as store

if TYPE_CHECKING:
    from hub.pipeline import Decision, Pipeline

log = logging.getLogger("hub.syncs")

#: records of a backlog handed on in one go, at most
AT_ONCE = 200
#: seconds of a pace that may be made up for at once
SLACK = 10.0
#: records that are carried no more taken out of a backlog in one go, at most
GIVEN_UP = 1000


def screen(db: Db, runtime: Runtime, decisions: Sequence[Decision]) -> None:
    """Take out of decisions the routes of syncs that have nothing to carry, each with the reason."""
    if not runtime.config.syncs or not any(route.sync for one in decisions for route in one.routes):
        return
    states = store.states(db)
    taken: dict[tuple[str, str], int] = {}
    for decision in decisions:
        kept: list[Route] = []
        for route in decision.routes:
            sync = runtime.config.sync(route.sync) if route.sync else None
            if sync is None:
                kept.append(route)
                continue
            reason = _why_not(db, sync, route, decision.event, states.get(sync.name), taken)
            if reason is None:
                kept.append(route)
                taken[route.name, decision.event.subject] = decision.event.id
            else:
                decision.skipped.append({"route": route.name, **reason})
        decision.routes = kept


def _why_not(
    db: Db, sync: Sync, route: Route, event: Event, state: store.State | None, taken: dict[tuple[str, str], int]
) -> dict[str, Any] | None:
    """Return why a sync doesn't carry an event, None if it does; keeps what the look tells of the pair."""
    record, ref = event.kind, event.subject.partition(":")[2]
    side = "one" if route.way == "forward" else "other"
    if state is None or state.state in ("new", "done"):
        return stored("sync_off", sync=sync.name)
    if event.type.endswith(".deleted"):
        return _deleted(db, sync, record, side, ref)
    if state.state in ("paused", "reading"):
        store.add_backlog(db, sync.name, [(record, event.connection, ref, "update", None, None)])
        return stored(f"sync_{state.state}", sync=sync.name)
    if (first := taken.get((route.name, event.subject))) is not None:
        return stored("sync_with", event=first)
    twin = store.find(db, sync.name, record, side, ref)
    if twin is None or twin.state == "making":
        return None
    if twin.state in ("gone", "stopped"):
        one, other = f"{sync.one}/{record}:{twin.one}", f"{sync.other}/{record}:{twin.other}"
        return stored(f"sync_{twin.state}", sync=sync.name, one=one, other=other)
    seen = event.record.get(record)
    if not isinstance(seen, dict):
        return None
    news = twins.news(sync.carried(record, route.way), twin.agreed, seen, side)
    made_of = {} if twin.busy is not None else _made_of(sync, twin, record, side, seen)
    store.tell(db, twin, side, news, twins.changed_at(seen), made_of)
    if news or twin.busy is not None:  # a delivery under way may have looked before this change
        return None
    return stored("sync_agreed", record=record)


def _made_of(sync: Sync, twin: store.Twin, record: str, side: str, seen: dict[str, Any]) -> dict[str, list[Any]]:
    """Return agreements whose written value this look shows for the first time, as the vendor keeps it."""
    place = 0 if side == "one" else 1
    found = {}
    for field in sync.fields.get(record, ()):
        base = twin.agreed.get(field.word)
        if base is not None and len(base) > 2 and base[2] == place:
            value = twins.shown(field, seen, side)
            if twins.unchanged(base, place, value):
                found[field.word] = [value, base[1]] if place == 0 else [base[0], value]
    return found


def _deleted(db: Db, sync: Sync, record: str, side: str, ref: str) -> dict[str, Any] | None:
    """Apply `deleted`; only closing the other one takes a call."""
    twin = store.find(db, sync.name, record, side, ref)
    if twin is None or twin.state == "making":
        return stored("sync_alone", record=record)
    there = sync.other if side == "one" else sync.one
    if sync.deleted == "close" and twin.state == "kept" and sync.close.get(there) and record in ("lead", "deal"):
        return None
    store.lose(db, sync.name, record, side, ref, forget=sync.deleted == "unlink")
    other = f"{there}/{record}:{twin.other if side == 'one' else twin.one}"
    return stored("sync_freed" if sync.deleted == "unlink" else "sync_left", other=other)


def echoed(pipeline: Pipeline, events: Sequence[Event]) -> list[Decision]:
    """Return what syncs say to echoes: what another route wrote into one side is news to the other."""
    if not pipeline.runtime.config.syncs:
        return []
    found = [pipeline.decide(event) for event in events]
    for one in found:
        one.routes = [route for route in one.routes if route.sync]
        one.skipped = []
    return [one for one in found if one.routes]


# --- the backlog ---------------------------------------------------------------------------------


def feed(db: Db, pipeline: Pipeline, sync: Sync) -> int:
    """Hand as much of a sync's backlog to the workers as its pace allows; return how many records that were.

    Records that others hang on go first, and those wait until the former are finished; they don't wait for one that
    is tried again later, which may take days, or that a person has to look at.
    """
    state = store.states(db).get(sync.name)
    if state is None or state.state not in ("first", "on"):
        return 0
    pace = 3600.0 / sync.cap
    since = max(state.fed_at if state.fed_at is not None else db.now - pace, db.now - max(pace, SLACK))
    allowed = min(AT_ONCE, int((db.now - since) / pace + 1e-6))
    if not allowed:
        return 0
    routes = _routes(pipeline, sync)
    present = _present(db, sync, routes)
    order = sync.records()
    first = next((record for record in order if record in present), None)
    if first is None:
        if state.state == "first" and not store.unfinished(db, sync.name, order):
            store.set_state(db, sync.name, "done" if sync.once else "on", finished_at=db.now)
        return 0
    if store.moving(db, sync.name, order[: order.index(first)]):
        store.set_state(db, sync.name, state.state, fed_at=db.now)
        return 0
    chosen = store.waiting(db, sync.name, first, present[first], allowed)
    _hand_on(db, pipeline, sync, [(one, routes[one.record, one.connection]) for one in chosen])
    store.set_state(db, sync.name, state.state, fed_at=since + len(chosen) * pace)
    return len(chosen)


def _routes(pipeline: Pipeline, sync: Sync) -> dict[tuple[str, str], Route]:
    """Return (record, connection it comes from) -> the route that carries it, as hub.yaml has the sync now."""
    found = {}
    for record in sync.records():
        for connection in (sync.one, sync.other):
            route = pipeline.runtime.config.route(sync.route_name(record, sync.way(connection)))
            if route is not None:
                steps = tuple(replace(step, priority="bulk") for step in route.steps)
                found[record, connection] = replace(route, steps=steps)
    return found


def _present(db: Db, sync: Sync, routes: Mapping[tuple[str, str], Route]) -> dict[str, list[str]]:
    """Return record -> connections of what waits and is carried; what is carried no more is told and waits no longer.

    A record kind or a way that was taken out of hub.yaml would otherwise stand in the way of all that is behind it.
    """
    found: dict[str, list[str]] = {}
    for record, connection in store.kinds_waiting(db, sync.name):
        if (record, connection) in routes:
            found.setdefault(record, []).append(connection)
            continue
        there = sync.opposite(connection)
        reason = stored("sync_not_carried", sync=sync.name, record=record, here=connection, there=there)
        number = store.give_up_waiting(db, sync.name, record, connection, reason, GIVEN_UP)
        log.warning("sync %s: %s of %s no longer wait to be carried: %s", sync.name, number, record, say_stored(reason))
    return found


def _hand_on(db: Db, pipeline: Pipeline, sync: Sync, chosen: Sequence[tuple[store.Waiting, Route]]) -> None:
    """Plan records of the backlog as deliveries of their own, behind what people wait for."""
    from hub.pipeline import Decision

    by_key: dict[tuple[str, str], tuple[store.Waiting, Route]] = {}
    events = []
    for one, route in chosen:
        record = {one.record: one.content or {"id": one.ref}}
        key = f"sync:{sync.name}:{one.record}:{one.ref}:{one.id}:{int(db.now * 1000)}"
        by_key[one.connection, key] = (one, route)
        subject = f"{one.record}:{one.ref}"
        events.append(Event(f"{one.record}.compared", subject, key, record, connection=one.connection))
    fresh = [(event, *by_key[event.connection, event.key]) for event in intake.add_events(db, events)]
    pipeline.plan(db, [Decision(event, [route]) for event, _, route in fresh], counted=False)
    store.fed(db, [(one.id, event.id) for event, one, _ in fresh])
