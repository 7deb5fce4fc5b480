"""The worker's heart: two loops around one bell.

`Intake` reads new receipts. `Dispatcher` claims due lines fairly over the connections, hands the calls to a pool of
threads, and writes what came of them, with the next claims, in one commit. A bell (an rq job, a local event, or one
second passing) only wakes them; what there is to do is what the store says is due. So a lost bell, a wiped Redis or
a killed worker costs time, never work.
"""

from __future__ import annotations

import logging
import os
import secrets
import socket
import threading
import time
from collections import Counter, deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from hub.deliver import Deliverer
from hub.errors import HubError
from hub.ledger import Ledger
from hub.pipeline import Pipeline
from hub.runtime import Runtime
from hub.store import state, work
from hub.store.engine import is_trouble
from hub.work_items import Complete, Deliver, Item, PollCall

log = logging.getLogger("hub.engine")

#: seconds between two looks at the store when no bell rings
SWEEP = 1.0
#: threads each connection has beside the common ones: a vendor that hangs may hold all of those, not these of others
OWN_THREADS = 4
#: seconds to let more outcomes come in while many calls are under way: a commit for each would cost more than it gives
GATHER = 0.003


class Engine:
    """One worker process's intake, dispatcher and pool."""

    def __init__(self, runtime: Runtime, threads: int = 24, bell: Callable[[], None] | None = None) -> None:
        self.runtime = runtime
        self.name = f"{socket.gethostname()[:20]}-{os.getpid()}-{secrets.token_hex(3)}"
        self.pipeline = Pipeline(runtime)
        self.deliverer = Deliverer(self.pipeline)
        self.ledger = Ledger(self.pipeline)
        self.ring_others = bell or (lambda: None)
        self.stopping = threading.Event()
        self.intake = Intake(self)
        self.dispatcher = Dispatcher(self, threads)

    def start(self) -> None:
        """Start both loops."""
        for loop in (self.intake, self.dispatcher):
            loop.start()

    def ring(self) -> None:
        """Wake both loops."""
        self.intake.bell.set()
        self.dispatcher.bell.set()

    def idle(self) -> bool:
        """Return whether nothing is being done right now."""
        return self.intake.idle and self.dispatcher.idle

    def stop(self, within: float = 10.0) -> None:
        """Stop claiming, let the calls under way end, write their outcomes."""
        self.stopping.set()
        self.ring()
        deadline = time.monotonic() + within
        for loop in (self.intake, self.dispatcher):
            loop.join(max(0.1, deadline - time.monotonic()))

    def lease(self) -> str:
        """Return a new lease token; it names this worker, so that its death frees all it held."""
        return f"{self.name}:{secrets.token_hex(6)}"


class _Loop(threading.Thread):
    """A thread that takes turns: as long as a turn finds work, then until the bell or the next sweep."""

    def __init__(self, engine: Engine, name: str) -> None:
        super().__init__(name=name, daemon=True)
        self.engine = engine
        self.runtime = engine.runtime
        self.store = engine.runtime.store
        self.bell = threading.Event()
        self.idle = True

    def run(self) -> None:
        """Take turns until told to stop; a failing store is retried, loudly, for ever."""
        failures = 0
        while not self.finished():
            try:
                busy = self.turn()
                failures = 0
            except Exception:
                failures += 1
                log.exception("%s: a turn failed (%s in a row); trying again", self.name, failures)
                busy = False
                time.sleep(min(5.0, 0.1 * 2**failures))
            if not busy:
                self.idle = True
                self.bell.wait(self.pause())
                self.bell.clear()
                self.idle = False

    def finished(self) -> bool:
        """Return whether the loop may end."""
        return self.engine.stopping.is_set()

    def pause(self) -> float:
        """Return how long to wait for the bell."""
        return SWEEP

    def turn(self) -> bool:
        """Do one round of work; return whether there may be more."""
        raise NotImplementedError


class Intake(_Loop):
    """Reads new receipts, connection by connection, one worker at a time per connection."""

    def __init__(self, engine: Engine) -> None:
        super().__init__(engine, "intake")
        self._known: set[str] = set()

    def turn(self) -> bool:
        """Read one batch of every connection that has new receipts."""
        names = list(self.runtime.config.connections)
        with self.store.read() as db:
            waiting = [name for name in names if _has_new(db, name)]
        read = 0
        for name in waiting:
            try:
                read += self._read(name)
            except Exception as error:
                if is_trouble(error):
                    raise
                log.exception("the receipts of %s could not be read; the other connections go on", name)
        if read:
            self.engine.dispatcher.bell.set()
        return read > 0

    def _read(self, name: str) -> int:
        """Read what a connection has, batch after batch, under its lease; return how many receipts that were."""
        lease, key, read = self.engine.lease(), f"in:{name}", 0
        with self.store.write() as db:
            if name not in self._known:
                work.ensure_lines(db, {key: "in"})
                self._known.add(name)
            if not work.claim_one(db, key, lease):
                return 0
        try:
            while batch := self.engine.pipeline.process(name, lease):
                read += batch
                self.engine.dispatcher.bell.set()
                if self.engine.stopping.is_set():
                    break
                with self.store.write() as db:
                    work.renew(db, [lease])
        finally:
            with self.store.write() as db:
                work.release(db, key, lease, db.now)
        return read


def _has_new(db: Any, connection: str) -> bool:
    from hub.store import intake

    return intake.has_new(db, connection)


class Dispatcher(_Loop):
    """Claims due lines, runs their calls on a pool of threads, writes outcomes and next claims in one commit."""

    def __init__(self, engine: Engine, threads: int) -> None:
        super().__init__(engine, "dispatcher")
        self.threads = threads
        own = OWN_THREADS * len(engine.runtime.config.connections)
        self.pool = ThreadPoolExecutor(threads + own, thread_name_prefix="call")
        self.outcomes: deque[tuple[Item, Any]] = deque()
        self.flying: dict[str, Item] = {}
        self.renewed = time.monotonic()
        self.in_flight: Counter[str] = Counter()
        self._suspects = 0  # so many of the oldest outcomes are written one by one
        self._lanes: deque[str] = deque()

    def finished(self) -> bool:
        """End when told to and nothing is in flight or unwritten."""
        return super().finished() and not self.flying and not self.outcomes

    def pause(self) -> float:
        """Sleep until the next line is due, at most until the next sweep."""
        with self.store.read() as db:
            soonest = work.next_due(db, self._order())
            return SWEEP if soonest is None else min(SWEEP, max(0.005, soonest - db.now))

    def turn(self) -> bool:
        """Write outcomes, renew leases, claim what is due, start the calls."""
        if 0 < len(self.outcomes) < len(self.flying) // 2:
            time.sleep(GATHER)
        alone = self._suspects > 0
        batch = self._collect(1 if alone else 200)
        try:
            busy = self._turn(batch, claiming=not alone and not self.engine.stopping.is_set())
        except Exception as error:
            self._keep(batch, alone, error)
            raise
        if alone:
            self._suspects -= 1
        return busy

    def _keep(self, batch: list[tuple[Item, Any]], alone: bool, error: Exception) -> None:
        """Keep outcomes that could not be written for the next turn: what was done must not be forgotten.

        Where it isn't the store's trouble they are written one by one. The one to blame is written as a failure; if
        not even that can be, its lease is left to run out, so that it stands in nobody's way.
        """
        if not is_trouble(error):
            if not alone:
                self._suspects = len(batch)
            elif (item := batch[0][0]).blamed:
                self._suspects -= 1
                self._landed(batch)
                return
            else:
                item.blamed = True
                batch = [(item, item.unwritable(error))]
        self.outcomes.extendleft(reversed(batch))

    def _landed(self, batch: list[tuple[Item, Any]]) -> None:
        for item, _ in batch:
            self.flying.pop(item.lease + item.key, None)
            self.in_flight[item.connection] -= 1

    def _turn(self, batch: list[tuple[Item, Any]], claiming: bool) -> bool:
        renew = bool(self.flying) and time.monotonic() - self.renewed > work.LEASE / 3
        grants = self._grants() if claiming else {}
        if not batch and not grants and not renew:
            return False
        items: list[Item] = []
        held: set[str] = set()
        began = time.monotonic()  # leases count from here: the store's clock is read before the commit, not after
        try:
            with self.store.write() as db:
                said = self.engine.ledger.write(db, batch) if batch else []
                if renew:
                    held = work.renew(db, [item.lease for item in self.flying.values()])
                for lane, grant in grants.items():
                    items.extend(self._claim(db, lane, grant))
        except Exception:
            self._give_back(grants)
            raise
        self._landed(batch)
        if renew:
            self.renewed = began
            for item in self.flying.values():
                if item.key in held:  # a lease that another worker took over meanwhile isn't ours to prolong
                    item.extend(began)
        for text in said:
            log.info(text)
        self._reserve_rest(items)
        if any(isinstance(item, PollCall) for item, _ in batch):
            self.engine.intake.bell.set()  # what a poll brought is read at once, not at the next sweep
        for item in items:
            item.extend(began)
            self.flying[item.lease + item.key] = item
            self.in_flight[item.connection] += 1
            self.pool.submit(self._run, item)
        unused = {lane: grant - sum(item.lane == lane for item in items) for lane, grant in grants.items()}
        self._give_back(unused)
        if items and len(self.flying) >= self.threads:
            self.engine.ring_others()
        return bool(batch or items)

    def _collect(self, most: int) -> list[tuple[Item, Any]]:
        batch: list[tuple[Item, Any]] = []
        while self.outcomes and len(batch) < most:
            batch.append(self.outcomes.popleft())
        return batch

    def _run(self, item: Item) -> None:
        try:
            result = item.call(self.engine)
        except Exception as error:
            if isinstance(error, HubError):  # the vendor's trouble or answer; the ledger says what follows
                log.info("work on line %s: %s: %s", item.key, type(error).__name__, error)
            else:
                log.exception("work on line %s failed", item.key)
            result = error
        self.outcomes.append((item, result))
        self.bell.set()

    # --- who may go now -------------------------------------------------------------------------

    def _grants(self) -> dict[str, int]:
        """Return lane -> how many lines may be claimed: free threads, caps, limits, health, shared fairly."""
        free = self.threads - sum(max(0, n - OWN_THREADS) for n in self.in_flight.values())
        with self.store.read() as db:
            health = state.healths(db)
            self._lanes.rotate(-1)
            lanes = [lane for lane in self._order() if not self._shut(health, lane, db.now)]
            due = work.due_lanes(db, lanes)
        grants: dict[str, int] = {}
        taken = Counter(self.in_flight)  # what is granted in this turn counts for the connection's other lanes
        share = max(1, free // max(1, len(due)))
        for lane in due:
            connection, _, priority = lane.partition(":")
            limits = self.runtime.limits(connection)
            room = limits.parallel - taken[connection]
            if priority == "bulk":  # slots stay free for what a person waits for
                room = min(room, max(1, limits.parallel // 2) - taken[connection], max(1, self.threads // 2))
            if (h := health.get(connection)) is not None and (h.held is not None or h.open_until is not None):
                room = min(room, 1 - taken[connection])  # a probe: one call tells whether it works again
            own = max(0, OWN_THREADS - taken[connection])
            want = min(room, own + max(0, min(share, free)))
            if want <= 0 or self.runtime.limiter.paused(limits.key or connection):
                continue
            granted = self.runtime.limiter.reserve(limits.key or connection, want, limits.per_second, limits.burst)
            if granted:
                grants[lane] = granted
                taken[connection] += granted
                free -= max(0, granted - own)
        return grants

    def _reserve_rest(self, items: list[Item]) -> None:
        """Reserve what actions take beyond the one call that was granted, now that it is known which they are."""
        rest = Counter[str]()
        for item in items:
            if isinstance(item, Deliver):
                rest[item.connection] += self.engine.deliverer.cost(item.connection, item.claimed.action) - 1
        for connection, calls in rest.items():
            self.runtime.spend(connection, calls)

    def _give_back(self, unused: dict[str, int]) -> None:
        for lane, calls in unused.items():
            if calls > 0:
                self.runtime.spend(lane.partition(":")[0], -calls)

    def _order(self) -> list[str]:
        """Return all lanes: urgent, normal, bulk; each turn begins with another connection."""
        if not self._lanes:
            self._lanes.extend(self.runtime.config.connections)
        kinds = (":urgent", "", ":bulk")
        return [f"{name}{kind}" for kind in kinds for name in self._lanes]

    @staticmethod
    def _shut(health: dict[str, state.Health], lane: str, now: float) -> str | None:
        found = health.get(lane.partition(":")[0])
        return found.shut(now) if found else None

    # --- claiming -------------------------------------------------------------------------------

    def _claim(self, db: Any, lane: str, limit: int) -> list[Item]:
        """Lease lines of a lane and bring what their calls need."""
        lease = self.engine.lease()
        keys = work.claim(db, lane, limit, lease)
        connection = lane.partition(":")[0]
        items: list[Item] = []
        deliveries = [key for key in keys if not key.startswith(("ev:", "poll:"))]
        items.extend(Deliver(one, lease) for one in work.claimed(db, deliveries))
        for key in keys:
            if key.startswith("ev:"):
                items.append(Complete(db, key, lane, connection, lease))
            elif key.startswith("poll:"):
                items.append(PollCall(db, key, lane, connection, lease))
        return items
