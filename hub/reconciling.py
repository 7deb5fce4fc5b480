"""Reconciliation: what the vendors hold against what the hub knows and what twins agreed upon, page by page.

`look` reads one page and judges it, without a transaction; `write` keeps what was found, repairs what policy allows
by the ordinary ways, and goes one step on. The nightly run does it on a worker's bulk lane, `hub reconcile` itself.

| cause          | it means                                                        | repaired by                      |
| -------------- | --------------------------------------------------------------- | -------------------------------- |
| `missed_hook`  | edited or made at the vendor, and no message of it came         | a hint, as if its message came   |
| `edited_both`  | the same of both twins                                          | hints; the sync's winner decides |
| `corrupted`    | a field is another one, though the vendor says nobody edited it | the twin's value, by the sync    |
| `failed`       | a delivery about it was parked or dropped                       | time alone can mend it: again    |
| `left`         | known here, and never carried to its twin                       | the sync's backlog               |
| `never_linked` | a sync should have given it a twin                              | the sync's backlog               |
| `deleted`      | gone there, and no message of it came                           | the event of its deletion        |
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from hub import differences, twins
from hub.config import Config, Sync, SyncField
from hub.connector import Connector
from hub.errors import Gone, Refused
from hub.model import Event, Record
from hub.pipeline import Pipeline
from hub.reasons import stored
from hub.repairing import Found, mend_deleted, repair
from hub.runtime import Runtime
from hub.store import Db, state, work
from hub.store import reconciling as rows
from hub.store import twins as pairs
from hub.store.json import loads
from hub.store.reconciling import Difference, Run
from hub.work_items import Item

if TYPE_CHECKING:
    from hub.engine import Engine

#: seconds that a message may be on its way: what was changed since then is left to it
GRACE = 120.0
#: records looked for one by one in one step
ONE_BY_ONE = 10
#: stands for the place in a list once all deletions are known and are being acted upon
MENDING = "~mending"


@dataclass
class Page:
    """What one step has brought. cursor None: the list is at its end. left: what could not be asked, and why."""

    found: list[Found] = field(default_factory=list)
    met: list[str] = field(default_factory=list)
    cursor: Any = None
    counts: dict[str, int] = field(default_factory=dict)


# --- what to compare -------------------------------------------------------------------------------


def listable(config: Config, connection: str) -> list[str]:
    """Return the records of a connection that syncs or routes have to do with, and its plugin can list."""
    known = config.connections[connection]
    if known.connector.pages is Connector.pages:
        return []
    synced = [r for sync in config.syncs if connection in (sync.one, sync.other) for r in sync.records()]
    kinds = {kind.record for kind in known.connector.events if kind.name.endswith((".created", ".updated"))}
    heard = [
        one.type.partition(".")[0]
        for route in config.routes if route.off is None and not route.sync
        for one in route.on if one.connection in ("*", connection)
    ]  # fmt: skip
    every = sorted(kinds) if "*" in heard else []
    return [record for record in dict.fromkeys([*synced, *heard, *every]) if record in kinds]


def joined(config: Config, one: str, other: str) -> list[Sync]:
    """Return the syncs between two connections."""
    return [sync for sync in config.syncs if {sync.one, sync.other} == {one, other} and not sync.once]


def plan(config: Config, one: str, other: str | None, records: Sequence[str] = ()) -> list[tuple[str, str]]:
    """Return what is read, in order: for two connections with a sync the synced records of both, else all of each."""
    syncs = joined(config, one, other) if other is not None else []
    if syncs:
        found = [(name, record) for sync in syncs for record in sync.records() for name in (sync.one, sync.other)]
    else:
        found = [(name, record) for name in (one, other) if name is not None for record in listable(config, name)]
    return [pair for pair in dict.fromkeys(found) if not records or pair[1] in records]


def nightly(config: Config) -> list[tuple[str, str | None]]:
    """Return what the nightly run compares: each pair of synced connections, and each other connection by itself."""
    both = [(sync.one, sync.other) for sync in config.syncs if not sync.once]
    seen = {name for pair in both for name in pair}
    alone = [name for name in config.connections if name not in seen and listable(config, name)]
    return [*dict.fromkeys(both), *((name, None) for name in alone)]


def begin(db: Db, config: Config, one: str, other: str | None, since: float | None = None, repair: bool = False,
          records: Sequence[str] = (), nightly: bool = False) -> int:  # fmt: skip
    """Begin a comparison; return its number. nightly: nobody has asked for it."""
    return rows.begin(db, one, other, since, repair, plan(config, one, other, records), nightly)


_LAST = "reconciled"


def due(runtime: Runtime) -> bool:
    """Return whether the hour of the nightly run has come and today's hasn't begun; the first waits for its hour."""
    hour = runtime.config.hub.reconcile
    if hour is None:
        return False
    with runtime.store.read() as db:
        last, at = state.fact(db, _LAST), dt.datetime.fromtimestamp(db.now, runtime.config.hub.zone)
    today = at.replace(hour=hour[0], minute=hour[1], second=0, microsecond=0)
    latest = today if at >= today else today - dt.timedelta(days=1)
    if last is None:
        with runtime.store.write() as db:
            state.set_fact(db, _LAST, repr(db.now))
        return False
    return float(last) < latest.timestamp()


def begin_nightly(db: Db, runtime: Runtime) -> list[int]:
    """Begin the comparisons of the night, each with repairs; return their numbers. One still running goes on alone."""
    state.set_fact(db, _LAST, repr(db.now))
    return [
        begin(db, runtime.config, one, other, repair=True, nightly=True)
        for one, other in nightly(runtime.config)
        if not rows.running(db, one, other)
    ]


class Compare(Item):
    """One step of a comparison."""

    def __init__(self, db: Any, key: str, lane: str, connection: str, lease: str) -> None:
        super().__init__(db, key, lane, connection, lease)
        self.run = rows.run(db, int(key.partition(":")[2]))

    def call(self, engine: Engine) -> Page:
        """Read a page and judge it."""
        return look(engine.pipeline, self.run, self.guard)


# --- looking ---------------------------------------------------------------------------------------


def look(pipeline: Pipeline, run: Run | None, guard: Callable[[], None] = lambda: None) -> Page:
    """Take one step of a comparison: read a page of a list, or look for some records that were in none."""
    target = run.target() if run is not None and run.state == "running" else None
    if run is None or target is None:
        return Page()
    runtime, (connection, record) = pipeline.runtime, target
    with runtime.store.read() as db:
        began = db.now
    connector = runtime.connector(connection)
    with connector.http.work(guard, 1):
        if run.looking_for:
            return _missing(runtime, connector, run, connection, record)
        since = dt.datetime.fromtimestamp(run.since, dt.UTC) if run.since is not None else None
        try:
            listed, cursor = connector.pages(record, since, run.cursor)
        except Refused:
            return Page(counts={"unlisted": 1})
    page = Page(cursor=cursor, counts={"records": len(listed), "pages": 1})
    judge = _Judge(pipeline, run, connection, record)
    with runtime.store.read() as db:
        for one in listed:
            subject = f"{record}:{one['id']}"
            page.met.append(subject)
            found = judge(db, subject, one)
            if found is None:
                continue
            told = found.difference.cause in ("failed", "left")  # the hub has had its message
            if (
                (not told and _fresh(db, one))
                or rows.under_way(db, connection, subject)
                or _moved_on(db, runtime.config, found, began)
            ):
                page.counts["waiting"] = page.counts.get("waiting", 0) + 1
            else:
                page.found.append(found)
    return page


def _moved_on(db: Db, config: Config, found: Found, began: float) -> bool:
    """Return whether the hub has looked at a record or carried it since its page was asked for, or does so just now.

    The page may be older than what the hub knows then: the next run tells.
    """
    one = found.difference
    looked = _looked(db, one.connection, one.subject)
    if looked is not None and looked[0] >= began:
        return True
    sync = config.sync(found.sync) if found.sync else None
    if one.twin is None or sync is None or one.cause in ("missed_hook", "edited_both"):
        return False  # somebody's edit is one whatever its twin does
    connection, _, subject = one.twin.partition("/")
    kind, _, ref = subject.partition(":")
    twin = pairs.find(db, sync.name, kind, "one" if sync.one == connection else "other", ref)
    if twin is not None and (twin.busy is not None or twin.at >= began):
        return True
    return rows.under_way(db, connection, subject)


def _fresh(db: Db, record: Record) -> bool:
    at = differences.instant(record, "changed_at")
    return at is not None and at > db.now - GRACE


def _missing(runtime: Runtime, connector: Connector, run: Run, connection: str, record: str) -> Page:
    """Look for records that the hub knows and no list had: those that are gone were deleted unheard."""
    if run.cursor == MENDING:
        return Page()
    sides = [
        (sync.name, "one" if sync.one == connection else "other")
        for sync in runtime.config.syncs if connection in (sync.one, sync.other) and not sync.once
    ]  # fmt: skip
    with runtime.store.read() as db:
        subjects = rows.not_met(db, run, connection, record, sides, str(run.cursor or ""), ONE_BY_ONE)
    page = Page(counts={"asked": len(subjects)}, cursor=subjects[-1] if subjects else None)
    for subject in subjects:
        try:
            connector.get(record, subject.partition(":")[2])
        except Gone:
            reason = stored("differs_deleted", connection=connection)
            page.found.append(Found(Difference(connection, subject, "deleted", reason)))
        except Refused:
            continue  # it can't be read one by one: nothing is known of it
    return page


class _Judge:
    """Says what one record shows."""

    def __init__(self, pipeline: Pipeline, run: Run, connection: str, record: str) -> None:
        self.pipeline, self.runtime, self.run = pipeline, pipeline.runtime, run
        self.connection, self.record = connection, record
        self.volatile = self.runtime.connector(connection).volatile
        self.watched = self.runtime.since.get(connection, 0.0)
        config = self.runtime.config
        self.syncs = [
            sync for sync in config.syncs
            if connection in (sync.one, sync.other) and record in sync.fields and not sync.once
            and (run.other is None or sync.opposite(connection) in (run.one, run.other))
        ]  # fmt: skip
        self.states: dict[str, pairs.State] | None = None

    def _on(self, sync: Sync) -> bool:
        """Return whether a sync carries changes now; what waits for its first run or behind a pause is no loss."""
        known = (self.states or {}).get(sync.name)
        return known is not None and known.state == "on"

    def __call__(self, db: Db, subject: str, now: Record) -> Found | None:
        """Return what differs about a record, None for nothing."""
        if self.states is None:
            self.states = pairs.states(db)
        ref, at = subject.partition(":")[2], _looked(db, self.connection, subject)
        seen = (at[1].get("record") if at is not None else None) or None
        changed = differences.since_seen(seen, now, self.volatile) if seen is not None else []
        if at is not None and seen is None:
            changed = ["id"]  # the hub made it and was never told of it
        twinned = False
        for sync in self.syncs:
            side = "one" if sync.one == self.connection else "other"
            twin = pairs.find(db, sync.name, self.record, side, ref)
            if twin is None or twin.state == "making":
                continue
            twinned = True
            if (
                twin.state == "kept"
                and self._on(sync)
                and (found := self._paired(db, sync, side, twin, subject, now, seen, at, changed))
            ):
                return found
        if changed:
            edited = differences.edited_since(now, at[0] if at else 0.0, seen)
            return self._found(subject, "missed_hook" if edited else "corrupted", now, changed)
        if at is None and not twinned:
            return self._unknown(db, subject, now)
        return None

    def _paired(
        self, db: Db, sync: Sync, side: str, twin: pairs.Twin, subject: str, now: Record, seen: Record | None,
        at: tuple[float, dict[str, Any]] | None, changed: list[str],
    ) -> Found | None:  # fmt: skip
        """Compare a record with what it and its twin agreed upon last."""
        way, there = sync.way(self.connection), sync.opposite(self.connection)
        other = f"{self.record}:{twin.ref(way)}"
        name = f"{there}/{other}"
        fields = field_pairs(self.runtime, sync, self.record)
        news = twins.news(fields, twin.agreed, now, side)
        if not news:
            return None
        words = sorted(news)
        looked = max(at[0] if at else 0.0, twin.at)
        unseen = changed or at is None
        if unseen and not differences.edited_since(now, looked, seen):
            back = "back" if way == "forward" else "forward"
            heal = tuple(one.word for one in fields if one.word in news and one.goes(back))
            return self._found(subject, "corrupted", now, words, name, heal, sync.name)
        if unseen:
            theirs = rows.found_of(db, self.run.id, there, other)
            both = theirs in ("missed_hook", "edited_both") or bool(twin.told.get("other" if side == "one" else "one"))
            return self._found(subject, "edited_both" if both else "missed_hook", now, words, name, (), sync.name)
        if rows.found_of(db, self.run.id, there, other) == "corrupted":
            return None  # this side's value is just being written there again
        if not any(one.goes(way) for one in fields if one.word in news):
            return None
        if (failed := rows.failed(db, self.connection, subject, there)) is not None:
            id, was, why = failed
            reason = stored("differs_failed", delivery=id, state=was, why=why, fields=differences.listed(words))
            return Found(Difference(self.connection, subject, "failed", reason, name), now, (), sync.name)
        return self._found(subject, "left", now, words, name, (), sync.name)

    def _unknown(self, db: Db, subject: str, now: Record) -> Found | None:
        """Judge a record that the hub never looked at: a message was missed, or a sync should have known it."""
        if differences.news_since(now, self.watched):
            made = differences.instant(now, "created_at")
            found = self._found(subject, "missed_hook", now, ["id"])
            found.created = made is not None and made >= self.watched
            return found
        for sync in self.syncs:
            way = sync.way(self.connection)
            route = self.runtime.config.route(sync.route_name(self.record, way))
            if not self._on(sync) or route is None or not sync.carried(self.record, way):
                continue
            event = Event(f"{self.record}.compared", subject, "", {self.record: now}, connection=self.connection)
            if route.check(self.pipeline.scope(event, {})).ok:
                there = sync.opposite(self.connection)
                reason = stored("differs_never_linked", there=there, sync=sync.name)
                return Found(Difference(self.connection, subject, "never_linked", reason), now, (), sync.name)
        return None

    def _found(
        self, subject: str, cause: str, now: Record, fields: Iterable[str], twin: str | None = None,
        heal: tuple[str, ...] = (), sync: str = "",
    ) -> Found:  # fmt: skip
        reason = stored(f"differs_{cause}", fields=differences.listed(list(fields)))
        return Found(Difference(self.connection, subject, cause, reason, twin), now, heal, sync)


def _looked(db: Db, connection: str, subject: str) -> tuple[float, dict[str, Any]] | None:
    """Return when a record was last looked at, and what is remembered of it."""
    row = db.one("SELECT at, record FROM seen WHERE connection = ? AND subject = ?", (connection, subject))
    return (float(row[0]), loads(row[1])) if row is not None else None


def field_pairs(runtime: Runtime, sync: Sync, record: str) -> tuple[SyncField, ...]:
    """Return the fields of a record that a sync keeps alike and both accounts have at present."""
    ends = [(runtime.pauses.of(sync.one), "one"), (runtime.pauses.of(sync.other), "other")]
    return tuple(
        one for one in sync.fields.get(record, ())
        if all(paused.why("field", record, getattr(one, side)) is None for paused, side in ends)
    )  # fmt: skip


# --- writing down and repairing --------------------------------------------------------------------


def write(db: Db, pipeline: Pipeline, item: Compare, page: Page) -> list[str]:
    """Keep what a step has found, repair it if that is wanted, and go on; return what the log should say."""
    run = rows.run(db, int(item.key.partition(":")[2]))
    if run is None or run.state != "running" or item.run is None or item.run.place != run.place:
        if run is None or run.state != "running":
            db.run("DELETE FROM line WHERE key = ?", (item.key,))
        else:  # another worker was quicker with this step
            work.release(db, item.key, item.lease, db.now)
        return []
    target = run.target()
    if target is not None:
        mend = run.repair and not run.looking_for  # deletions are acted upon once all of them are known
        found = [repair(db, pipeline, run, one) if mend else one.difference for one in page.found]
        rows.add_differences(db, run.id, found)
        if run.looking_for and page.cursor is None and run.repair and mend_deleted(db, pipeline, run, *target):
            page.cursor = MENDING
        elif run.since is None:
            rows.meet(db, run.id, target[0], page.met)
    for name, number in page.counts.items():
        run.counts[name] = run.counts.get(name, 0) + number
    run.cursor = page.cursor
    if page.cursor is None:
        run.place += 1
    if run.target() is not None:
        rows.advance(db, run, item.lease, db.now)
        return []
    rows.finish(db, run.id, "done", counts=run.counts)
    state.close_alerts(db, f"poll:{run.one}:reconciliation")
    state.close_alerts(db, f"poll:{run.other}:reconciliation")
    return [_over(db, run)]


def give_up(db: Db, item: Compare, why: str) -> None:
    """End a comparison that can't go on."""
    rows.finish(db, int(item.key.partition(":")[2]), "failed", stored("reconcile_failed", why=why))


def _over(db: Db, run: Run) -> str:
    """Raise the alert about what remains, or close it; return what the log should say.

    A mere look raises none: whoever asked for it reads what was found.
    """
    found = rows.causes(db, run.id)
    remaining = {cause: number for (cause, state_), number in found.items() if state_ == "open"}
    names = run.one if run.other is None else f"{run.one} {run.other}"
    cause = f"reconcile:{names}"
    if remaining and run.repair:
        told = ", ".join(f"{number} {cause_}" for cause_, number in sorted(remaining.items()))
        params = {"names": names, "count": sum(remaining.values()), "causes": told}
        state.open_alert(db, cause, "alert_reconcile", run.one, params)
    elif not remaining:
        state.close_alerts(db, cause)
    total = {name: run.counts.get(name, 0) for name in rows.COUNTS}
    return f"reconciliation {run.id} of {names} is over: {total} differences={sum(found.values())} open={remaining}"
