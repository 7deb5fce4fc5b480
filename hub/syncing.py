"""Carrying one record of a sync to its twin: read both sides, decide field by field, write only what differs.

    pair known? else find it (link, key), else make it -> both records as they are now -> hub.twins.merge
            -> guard of stages, breaker -> one write, or none -> what is agreed, with the outcome

One delivery at a time looks at a pair, whichever way it carries: what it decides from two records is no longer true
once somebody else of the hub writes into one of them.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from hub import twins
from hub.config import Route, Sync, SyncField
from hub.connector import ActionKind, Connector
from hub.errors import Gone, Refused, Skip
from hub.model import Action, Done, Record
from hub.outcome import Outcome, Postponed
from hub.paths import empty
from hub.reasons import stored
from hub.store import twins as store
from hub.store import work

if TYPE_CHECKING:
    from hub.deliver import _Try

#: seconds until a pair that another delivery looks at is asked for again
AGAIN = 0.3
#: seconds that an employee's counterpart is remembered
COLLEAGUES = 600.0
#: records one search for a twin may bring
MOST = 20


class Carrying:
    """One delivery of a sync: from the event's record to its twin at the step's connection."""

    def __init__(self, attempt: _Try, connector: Connector, kind: ActionKind, route: Route) -> None:
        sync = attempt.runtime.config.sync(route.sync)
        assert sync is not None
        self.attempt, self.connector, self.kind, self.sync, self.way = attempt, connector, kind, sync, route.way
        self.record, self.ref = kind.record, attempt.event.subject.partition(":")[2]
        self.side, self.opposite = ("one", "other") if route.way == "forward" else ("other", "one")
        self.fields = self._working(sync.carried(kind.record, route.way))
        self.twin: store.Twin | None = None

    def _working(self, fields: Sequence[SyncField]) -> tuple[SyncField, ...]:
        """Return the fields that both accounts still have; what the others agreed upon is kept until theirs is back."""
        pauses, event = self.attempt.runtime.pauses, self.attempt.event
        ends = (event.connection, self.connector.connection.name)
        here, there = (pauses.of(name) for name in ends)
        return tuple(
            one for one in fields
            if here.why("field", self.record, one.one if self.side == "one" else one.other) is None
            and there.why("field", self.record, one.other if self.side == "one" else one.one) is None
        )  # fmt: skip

    def run(self) -> Outcome:
        """Carry it, and say what came of it."""
        self.twin = twin = self._claim()
        event = self.attempt.event
        if event.type.endswith(".deleted"):
            return self._close(twin)
        known = event.record.get(self.record) or {}
        later = twin.state == "kept" and twin.at > self.attempt.work.created_at and len(known) > 1
        if later and not twins.news(self.fields, twin.agreed, known, self.side):
            raise Skip("sync_agreed", record=self.record)  # another delivery has carried it meanwhile
        source = self.attempt.ask(event.connection, self.record, self.ref)
        if source is None:
            raise Skip("record_gone")
        if twin.state == "making":
            found = self._find(source)
            if found is None:
                return self._create(source)
            twin = self.twin = self._pair(twin, found)
        return self._update(twin, source)

    # --- whose turn it is --------------------------------------------------------------------------

    def _claim(self) -> store.Twin:
        """Return the pair, held by this delivery alone."""
        work_ = self.attempt.work
        with self.attempt.runtime.store.write() as db:
            state = store.states(db).get(self.sync.name)
            deleted = self.attempt.event.type.endswith(".deleted")
            if state is not None and (state.state == "paused" or (state.state == "reading" and not deleted)):
                row = (self.record, self.attempt.event.connection, self.ref, "update", None, None)
                store.add_backlog(db, self.sync.name, [row])
                raise Skip(f"sync_{state.state}", sync=self.sync.name)
            known = store.find(db, self.sync.name, self.record, self.side, self.ref)
            if known is not None and known.state in ("stopped", "gone"):
                raise Skip(f"sync_{known.state}", sync=self.sync.name, one=self._name("one", known.one),
                           other=self._name("other", known.other))  # fmt: skip
            if known is None and deleted:
                raise Skip("sync_alone", record=self.record)
            twin = store.claim(db, self.sync.name, self.record, self.side, self.ref, work_.id)
        if twin is None:
            raise Postponed("another delivery looks at this pair just now", AGAIN)
        self.attempt.pair = twin.id
        return twin

    def _name(self, side: str, ref: str) -> str:
        return f"{self.sync.one if side == 'one' else self.sync.other}/{self.record}:{ref}"

    # --- finding the twin --------------------------------------------------------------------------

    def _find(self, source: Record) -> str | None:
        """Return the id of the record on the other side that is this one's twin; None if there is none."""
        self._made_by_us(source)
        recovered = self.attempt.recover(self.connector, self.kind, self._action("create", {}, ""))
        if recovered is not None and recovered.id:
            return recovered.id
        candidates = self._linked() or self._by_key(source)
        if not candidates:
            return None
        with self.attempt.runtime.store.read() as db:
            taken = {id: store.find(db, self.sync.name, self.record, self.opposite, id) for id in candidates}
        for id, twin in taken.items():
            if twin is None or twin.state == "making":
                return id
            if (twin.one, twin.other) == self._ends(id):
                raise Postponed("its twin has found it meanwhile", AGAIN)
        other, twin = next(iter(taken.items()))
        assert twin is not None
        first = twin.one if self.side == "one" else twin.other
        raise Skip("sync_twice", record=self.record, id=self.ref, first=first, other=self._name(self.opposite, other))

    def _made_by_us(self, source: Record) -> None:
        """Wait for the delivery that has just made this very record: only its outcome tells whose twin it is."""
        own = self.attempt.runtime.connector(self.attempt.event.connection)
        field = next((k.marker for k in own.actions if k.name == f"{self.record}.upsert"), "")
        marker = str((source.get("extra") or {}).get(field) or source.get(field) or "") if field else ""
        if not marker.startswith(f"{self.attempt.runtime.instance}-"):
            return
        sql = "SELECT 1 FROM delivery WHERE state = 'ready' AND marker = ? LIMIT 1"
        with self.attempt.runtime.store.read() as db:
            if db.one(sql, (marker,)) is not None:
                raise Postponed("the delivery that made this record isn't written down yet", AGAIN)

    def _linked(self) -> list[str]:
        """Return what the hub linked this record to on the other side, before there was a sync."""
        end = (self.attempt.event.connection, self.record, self.ref)
        with self.attempt.runtime.store.read() as db:
            found = work.links(db, [end]).get(end, [])
        there = self.connector.connection.name
        return [ref for connection, kind, ref in found if (connection, kind) == (there, self.record)]

    def _by_key(self, source: Record) -> list[str]:
        found: list[str] = []
        for key in self.sync.keys.get(self.record, ()):
            mine, theirs = (key.one, key.other) if self.side == "one" else (key.other, key.one)
            for value in self._key_values(source, mine):
                if theirs == "id":
                    there = self.attempt.targets.read(self.connector, self.record, value)
                    found += [value] if there is not None else []
                else:
                    rows = self.connector.find(self.record, {theirs: value}, MOST)
                    found += [str(row["id"]) for row in rows]
            if found:
                break
        return list(dict.fromkeys(found))

    def _key_values(self, source: Record, code: str) -> list[str]:
        if code == "id":
            return [self.ref]
        kind = {"phone": "phones", "email": "emails"}.get(code, "plain")
        value = twins.shown(SyncField(code, code, code, kind=kind), source, "one")
        rows = value if isinstance(value, list) else [value]
        return [str(row) for row in rows if not empty(row)]

    def _pair(self, twin: store.Twin, found: str) -> store.Twin:
        with self.attempt.runtime.store.write() as db:
            paired = store.pair(db, twin, self.side, found)
        if paired is None:
            raise Postponed("its twin was paired meanwhile", AGAIN)
        return paired

    # --- writing -----------------------------------------------------------------------------------

    def _update(self, twin: store.Twin, source: Record) -> Outcome:
        """Bring the twin to what this side has changed."""
        there = twin.ref(self.way)
        try:
            target = self.connector.get(self.record, there)
        except Gone:
            outcome = Outcome(
                self.attempt.work, "skipped", stored("sync_lost", record=self._name(self.opposite, there))
            )
            return self._settled(outcome, twin, {}, state="gone")
        sides = twins.Sides(
            self.sync, self.way, source, target, self._translate, lambda now, wanted: self._allowed(now, wanted),
            tuple({word: at for word, (at, _) in (twin.told.get(side) or {}).items()}
                  for side in (self.side, self.opposite)),  # type: ignore[arg-type]
        )  # fmt: skip
        records = (source, target) if self.side == "one" else (target, source)
        agreed = twins.recalled(twin.agreed, twin.intent, self.sync.fields[self.record], records)
        merged = twins.merge(sides, self.fields, agreed)
        merged.agreed = {word: pair for word, pair in agreed.items() if twin.agreed.get(word) != pair} | merged.agreed
        twins.together(sides, self.fields, merged)
        if not merged.values:
            outcome = self.attempt.finished(Done(id=there), self.kind, **self._why(merged.notes, "sync_same"))
            return self._settled(outcome, twin, merged.agreed)
        if (stop := self._breaker(twin)) is not None:
            return stop
        with self.attempt.runtime.store.write() as db:
            store.intend(db, twin.id, twins.intended(merged, 1 if self.side == "one" else 0))
        action = self._action("update", merged.values, there)
        action.exact = all(_shows_all(field, target) for field in merged.words.values())
        done = self.connector.perform(action)
        done.id = done.id or there
        self._as_kept(merged, done)
        code = "sync_same" if not done.written else ""
        outcome = self.attempt.finished(done, self.kind, **self._why(merged.notes, code))
        return self._settled(outcome, twin, merged.agreed, wrote=bool(done.written))

    def _create(self, source: Record) -> Outcome:
        """Make the twin: with every field that goes this way and says something."""
        values: dict[str, Any] = {}
        agreed: dict[str, list[Any]] = {}
        notes: list[dict[str, Any]] = []
        for one in self.fields:
            value = twins.shown(one, source, self.side)
            wanted = value if one.kind in ("plain", "phones", "emails") else self._translate(one, value)
            if empty(value):
                continue
            if empty(wanted):
                notes += [{"field": one.word, "why": "unmapped", "value": value}] if one.kind != "reference" else []
                continue
            values[one.other if self.side == "one" else one.one] = wanted
            pair = [value, wanted] if self.side == "one" else [wanted, value]
            agreed[one.word] = pair if one.kind in ("phones", "emails") else [*pair, 1 if self.side == "one" else 0]
        for key in self.sync.keys.get(self.record, ()):
            if key.one == "id" and self.side == "one":
                values[key.other] = self.ref
        action = self._action("create", values, "")
        if self.kind.person:
            action.contact = str(values.pop("contact", "") or self._contact(source))
        done = self.connector.perform(action)
        outcome = self.attempt.finished(done, self.kind, **self._why(notes, "sync_made"))
        outcome.created = True
        made = store.Twin(0, self.sync.name, self.record, *self._ends(done.id))
        return self._settled(outcome, made, agreed, wrote=True)

    def _ends(self, there: str) -> tuple[str, str]:
        return (self.ref, there) if self.side == "one" else (there, self.ref)

    def _contact(self, source: Record) -> str:
        """Return the contact that a record hangs on there, if it has one here: by phone or e-mail, else made."""
        number = str(source.get("contact") or "")
        contact = self.attempt.event.record.get("contact") or (
            self.attempt.ask(self.attempt.event.connection, "contact", number) if number else None
        )
        if not contact:
            return ""
        self.attempt.targets.event = self.attempt.event.with_(record={**self.attempt.event.record, "contact": contact})
        return self.attempt.targets.ensure_contact(self.connector)

    def _action(self, verb: str, values: dict[str, Any], id: str) -> Action:
        return Action(
            name=f"{self.record}.{verb}", record=self.record, verb=verb, values=values, id=id,
            marker=self.attempt.work.marker, event=self.attempt.event, attempt=self.attempt.work.tries + 1,
            in_doubt_since=self.attempt.targets.in_doubt_since(), fill="newest", exact=True, quiet=self.sync.quiet,
        )  # fmt: skip

    def _as_kept(self, merged: twins.Merge, done: Done) -> None:
        """Agree upon what the vendor keeps of a value, as far as its plugin tells: a whole amount, a cut text."""
        place = 1 if self.side == "one" else 0
        for field in merged.words.values():
            pair = merged.agreed[field.word]
            told = twins.shown(field, done.result, self.opposite)
            if len(pair) > 2 and not empty(told) and twins.alike(pair[place], told):
                pair[place] = told

    # --- translations ------------------------------------------------------------------------------

    def _translate(self, field: SyncField, value: Any) -> Any:
        """Return what stands for a stage, an employee or a record of this side on the other."""
        if empty(value):
            return ""
        if field.kind == "stage":
            return self.sync.stage(str(value), self.way)
        if field.kind == "responsible":
            return self._colleague(str(value))
        with self.attempt.runtime.store.read() as db:
            twin = store.find(db, self.sync.name, field.word, self.side, str(value))
        return twin.ref(self.way) if twin is not None and twin.state == "kept" else ""

    def _colleague(self, id: str) -> str:
        """Return the employee's id on the other side: by the declared pairs, or who has the same e-mail there."""
        if isinstance(self.sync.people, tuple):
            for one, other in self.sync.people:
                if id == (one if self.side == "one" else other):
                    return other if self.side == "one" else one
            return ""
        known = self.attempt.runtime.colleagues
        key = (self.sync.name, self.side, id)
        if key not in known or known[key][0] < time.monotonic():
            person = self.attempt.ask(self.attempt.event.connection, "responsible", id) or {}
            email = str(person.get("email") or "")
            found = self.connector.find("user", {"email": email}, 2) if email else []
            known[key] = (time.monotonic() + COLLEAGUES, str(found[0]["id"]) if found else "")
        return known[key][1]

    def _allowed(self, current: str, wanted: str) -> str:
        """Return "" if the target may be moved to a stage, else why not: only forward, but for declared exceptions."""
        if "*" in self.sync.back or wanted in self.sync.back or not current:
            return ""
        return twins.backward(self.connector.stage_order(self.record, current), current, wanted)

    # --- stopping ----------------------------------------------------------------------------------

    def _breaker(self, twin: store.Twin) -> Outcome | None:
        """Stop a pair that is written again and again: something outside the hub, or another route, answers it."""
        lately = [at for at in twin.writes if at > self.attempt.runtime.store.clock() - store.MINUTE]
        if len(lately) < self.sync.breaker:
            return None
        params = {
            "sync": self.sync.name, "count": len(lately), "one": self._name("one", twin.one),
            "other": self._name("other", twin.other),
        }  # fmt: skip
        outcome = Outcome(self.attempt.work, "skipped", stored("sync_circle", **params))
        outcome.alert = ("alert_sync", params)
        return self._settled(outcome, twin, {}, state="stopped")

    def _close(self, twin: store.Twin) -> Outcome:
        """The record is no more: close the other one, as `deleted: close` says."""
        stage = self.sync.close.get(self.connector.connection.name, "")
        there = twin.ref(self.way)
        try:
            action = self._action("set_stage", {"stage": stage}, there)
            done = self.connector.perform(action)
        except Gone:
            done = Done()
        done.id = there
        outcome = self.attempt.finished(done, self.kind, "sync_closed", record=self._name(self.side, self.ref))
        return self._settled(outcome, twin, {}, wrote=bool(done.written), state="gone")

    # --- the outcome -------------------------------------------------------------------------------

    @staticmethod
    def _why(notes: list[dict[str, Any]], code: str) -> dict[str, Any]:
        """Return code and parameters of the reason: what was decided against somebody, else what was done."""
        return {"code": "sync_notes", "notes": notes} if notes else {"code": code}

    def _settled(
        self, outcome: Outcome, twin: store.Twin, agreed: dict[str, list[Any]], wrote: bool = False, state: str = "kept"
    ) -> Outcome:
        outcome.settled = store.Settled(
            self.sync.name, self.record, twin.one, twin.other, agreed, wrote, state=state, reason=outcome.reason,
            pair=self.attempt.pair,
        )  # fmt: skip
        return outcome


def _shows_all(field: SyncField, record: Record) -> bool:
    """Return whether a record shows all phones or e-mails it has; where it doesn't, none may be taken away."""
    if field.kind not in ("phones", "emails") or isinstance(record.get(field.kind), list):
        return True
    return not record.get({"phones": "phone", "emails": "email"}[field.kind])


def carry(attempt: _Try, connector: Connector, kind: ActionKind, route: Route) -> Outcome:
    """Carry a record to its twin: the one place where a delivery of a sync differs from any other."""
    if attempt.runtime.config.sync(route.sync) is None:
        raise Refused(f"sync {route.sync} is no longer in hub.yaml")
    return Carrying(attempt, connector, kind, route).run()


__all__ = ["Carrying", "Sync", "carry"]
