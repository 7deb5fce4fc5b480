"""The sweeper: what time alone brings. Harmless when several run; everything it does is safe to do twice.

Polls get their lines, orphaned work a line, SQLite's log is folded back, old rows are pruned, silence is noticed.
"""

from __future__ import annotations

import datetime as dt
import logging
import threading
import time
from collections.abc import Callable

import redis

from hub import ledger, reconciling, syncs
from hub.errors import StoreFull
from hub.looks import ensure_looks, look_at_start
from hub.pipeline import Pipeline
from hub.polling import ensure_polls
from hub.runtime import Runtime
from hub.store import clock, prune, record, state, suspects, twins, work

log = logging.getLogger("hub.ticker")


#: so many requests of one connection turned away, and none taken, are worth an alert
TURNED_AWAY = 3


#: persons compared in one commit: an acknowledgement may wait behind it
COMPARED = 50
#: seconds of one turn of comparing
COMPARING = 0.2


#: seconds after which a request that nobody has read is worth an alert
UNREAD = 120


#: seconds without one success after which a failing connection is worth an alert, however few its calls
FAILING = 600


class Ticker:
    """Runs each duty at its own pace."""

    def __init__(self, runtime: Runtime) -> None:
        self.runtime = runtime
        self.store = runtime.store
        self.pipeline = Pipeline(runtime)
        self.duties: list[tuple[float, Callable[[], None]]] = [
            (2.0, self.store.checkpoint),
            (60.0, self.store.cut_log),
            (30.0, self.watch_clock),
            (10.0, self.adopt),
            (30.0, self.prune),
            (3600.0, self.prune_links),
            (30.0, self.watch_disk),
            (15.0, self.watch_redis),
            (60.0, self.polls),
            (60.0, self.looks),
            (60.0, self.watch_strays),
            (30.0, self.watch_unread),
            (30.0, self.watch_failing),
            (60.0, self.watch_rejected),
            (600.0, self.watch_silence),
            (60.0, self.balance),
            (1.0, self.feed),
            (2.0, self.compare_people),
            (30.0, self.reconcile),
        ]
        self._next = [0.0 for _ in self.duties]

    def run(self, stopping: threading.Event) -> None:
        """Sweep until told to stop."""
        self.lift_holds()
        self.tell_broken_plugins()
        self.look_at_accounts()
        while not stopping.is_set():
            self.tick(time.monotonic())
            stopping.wait(0.5)

    def tick(self, now: float) -> None:
        """Do the duties that are due at `now` (monotonic seconds); one that fails doesn't stop the others."""
        for index, (every, duty) in enumerate(self.duties):
            if now < self._next[index]:
                continue
            self._next[index] = now + every
            try:
                duty()
            except Exception:
                log.exception("sweeper: %s failed; it is tried again", duty.__name__)

    def watch_clock(self) -> None:
        """Pull back what would wait too long where the store's clock was set back."""
        if back := clock.look(self.store):
            log.warning("the clock went back by %.0f s: what waits is due that much earlier", back)

    def polls(self) -> None:
        """Give every poll its line."""
        with self.store.write() as db:
            ensure_polls(db, self.runtime)

    def looks(self) -> None:
        """Give the look at every vendor's account its line."""
        with self.store.write() as db:
            ensure_looks(db, self.runtime)

    def feed(self) -> None:
        """Hand the backlog of syncs to the workers, at the pace each one has; one that fails stops no other."""
        for sync in self.runtime.config.syncs:
            try:
                with self.store.read() as db:
                    waits = twins.has_work(db, sync.name)
                if waits:
                    with self.store.write() as db:
                        syncs.feed(db, self.pipeline, sync)
            except Exception:
                log.exception("sweeper: the backlog of sync %s can't be handed on; it is tried again", sync.name)

    def reconcile(self) -> None:
        """Begin the comparison of every account at the hour that hub.yaml names, once a day."""
        if reconciling.due(self.runtime):
            with self.store.write() as db:
                reconciling.begin_nightly(db, self.runtime)

    def adopt(self) -> None:
        """Give unfinished work without a line one."""
        with self.store.read() as db:
            found = work.has_orphans(db)
        if found:
            with self.store.write() as db:
                log.warning("sweeper: %s lines had to be made again", work.adopt_orphans(db))

    def prune_links(self) -> None:
        """Forget the links of forms, calls and letters that are forgotten themselves."""
        prune.prune_links(self.store, self.runtime.config.hub.keep)
        prune.prune_persons(self.store, self.runtime.config.hub.keep)

    def compare_people(self) -> None:
        """Look for persons alike to those who are new or have a key more; a human decides about them."""
        if self.runtime.config.people.merge is not None and self.runtime.config.people.merge.else_ == "ignore":
            return
        began = time.monotonic()
        while time.monotonic() - began < COMPARING:  # nobody waits for it: a tenth of the time is enough
            with self.store.read() as db:
                if not suspects.uncompared(db):
                    return
            with self.store.write() as db:
                suspects.compare_new(db, COMPARED)

    def prune(self) -> None:
        """Delete what is older than `keep`, a small batch at a time."""
        prune.prune(self.store, self.runtime.config.hub.keep)

    def watch_disk(self) -> None:
        """Tell when the disk is almost full, and when it no longer is."""
        try:
            self.store.check_room()
        except StoreFull as trouble:
            with self.store.write() as db:
                state.open_alert(db, "disk", "alert_disk", None, {"why": str(trouble)})
            return
        with self.store.write() as db:
            state.close_alerts(db, "disk")

    def watch_redis(self) -> None:
        """Tell when Redis is away: the hub goes on, slower."""
        if self.runtime.redis is None:
            return
        try:
            self.runtime.redis.ping()
        except redis.RedisError:
            with self.store.write() as db:
                state.open_alert(db, "redis", "alert_redis", None, {})
            return
        with self.store.write() as db:
            state.close_alerts(db, "redis")

    def look_at_accounts(self) -> None:
        """Have every vendor's account compared with hub.yaml now: the file may have been edited."""
        with self.store.write() as db:
            look_at_start(db, self.runtime)

    def tell_broken_plugins(self) -> None:
        """Tell which plugins could not be loaded, and forget those that can be again."""
        with self.store.write() as db:
            state.close_alerts_of(db, "alert_plugin")
            for broken in self.runtime.plugins.broken:
                params = {"plugin": broken.name, "why": str(broken.error)[:300]}
                state.open_alert(db, f"plugin:{broken.name}", "alert_plugin", None, params)

    def watch_unread(self) -> None:
        """Tell a person when requests are taken and nobody reads them: no worker, or none that moves."""
        with self.store.read() as db:
            row = db.one("SELECT count(*), min(at) FROM receipt WHERE state = 'new'")
            known = db.one("SELECT 1 FROM alert WHERE cause = 'unread' AND closed_at IS NULL")
            waiting, since = (int(row[0]), row[1]) if row else (0, None)
            stalled = since is not None and db.now - since > UNREAD
        if stalled:
            with self.store.write() as db:
                state.open_alert(db, "unread", "alert_unread", None, {"count": waiting, "seconds": UNREAD})
        elif known is not None:
            with self.store.write() as db:
                state.close_alerts(db, "unread")

    def watch_failing(self) -> None:
        """Tell a person of a connection that has failed for long, however few its calls: the breaker counts to five."""
        with self.store.read() as db:
            rows = db.rows("SELECT cause FROM alert WHERE kind = 'alert_breaker' AND closed_at IS NULL")
            told = {row[0] for row in rows}
            failing = {
                name: one.why
                for name, one in state.failing(db).items()
                if db.now - one.since > FAILING and f"breaker:{name}" not in told and work.has_failed(db, name)
            }
        if failing:
            with self.store.write() as db:
                for name, why in failing.items():
                    params = {"connection": name, "why": why}
                    state.open_alert(db, f"breaker:{name}", "alert_breaker", name, params)

    def watch_strays(self) -> None:
        """Park what waits for a connection that hub.yaml no longer has, and say so once."""
        known = set(self.runtime.config.connections)
        with self.store.read() as db:
            rows = db.rows(
                "SELECT DISTINCT connection FROM delivery WHERE state = 'ready' "
                "UNION SELECT DISTINCT connection FROM receipt WHERE state = 'new'"
            )
        strays = sorted({row[0] for row in rows} - known)
        if not strays:
            return
        with self.store.write() as db:
            for name in strays:
                parked = record.park_strays(db, name)
                params = {"connection": name, "count": parked}
                state.open_alert(db, f"stray:{name}", "alert_stray", name, params)

    def watch_rejected(self) -> None:
        """Tell when a known source is turned away again and again and nothing of it is taken: a secret is wrong."""
        with self.store.read() as db:
            since = db.now - 6 * 3600
            rows = db.rows(
                "SELECT connection, count(*), max(reason) FROM rejected WHERE at > ? AND status IN (401, 403) "
                "GROUP BY connection",
                (since,),
            )
            taken = {
                name: db.one("SELECT max(at) FROM receipt WHERE connection = ? AND method <> 'POLL'", (name,))
                for name in self.runtime.config.connections
            }
        with self.store.write() as db:
            for name, count, why in rows:
                last = taken.get(name)
                silent = last is not None and (last[0] is None or last[0] < since)
                if count >= TURNED_AWAY and silent:
                    params = {"connection": name, "count": int(count), "why": why}
                    state.open_alert(db, f"rejected:{name}", "alert_rejected", name, params)
            for name, last in taken.items():
                if last is not None and last[0] is not None and last[0] > since:
                    state.close_alerts(db, f"rejected:{name}")

    def watch_silence(self) -> None:
        """Tell when a source that brought something nearly every day has brought nothing for a whole day."""
        with self.store.write() as db:
            today = dt.datetime.fromtimestamp(db.now, dt.UTC).date()
            since = (today - dt.timedelta(days=9)).isoformat()
            rows = db.rows(
                "SELECT connection, day, n FROM counter WHERE name = 'received' AND day >= ? ORDER BY day", (since,)
            )
            for name in self.runtime.config.connections:
                days = {row[1]: int(row[2]) for row in rows if row[0] == name}
                recent = [(today - dt.timedelta(days=n)).isoformat() for n in (0, 1)]
                usual = [n for day, n in days.items() if day not in recent]
                if len(usual) >= 5 and not any(days.get(day) for day in recent):
                    params = {"connection": name, "usual": sum(usual) // len(usual), "since": max(days)}
                    state.open_alert(db, f"quiet:{name}", "alert_quiet", name, params)
                elif any(days.get(day) for day in recent):
                    state.close_alerts(db, f"quiet:{name}")

    def balance(self) -> None:
        """Look whether the requests of the days before add up, a day at a time."""
        if day := ledger.balance(self.store, self.runtime.config):
            log.debug("the requests of %s are looked through", day)

    def lift_holds(self) -> None:
        """A connection held for its credentials goes on when its settings are others than those that failed."""
        with self.store.write() as db:
            for name, health in state.healths(db).items():
                if health.held is None or name not in self.runtime.config.connections:
                    continue
                if health.settings != self.runtime.settings_digest(name):
                    state.lift(db, name)
                    log.info("connection %s has new settings: its hold is lifted", name)
