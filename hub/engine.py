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
from typing import Any

from hub.calls import OWN_THREADS, Calls
from hub.deliver import Deliverer
from hub.looks import Look
from hub.pipeline import Pipeline
from hub.reconciling import Compare
from hub.recorder import Recorder
from hub.runtime import Runtime
from hub.store import state, work
from hub.store.engine import is_trouble
from hub.work_items import Complete, Deliver, Item, PollCall

log = logging.getLogger("hub.engine")

#: seconds between two looks at the store when no bell rings
SWEEP = 1.0
#: seconds to let more outcomes come in while many calls are under way: a commit for each would cost more than it gives
GATHER = 0.003
#: seconds that a worker which reads receipts leaves calls to other workers
LEFT = 0.25


class Engine:
    """One worker process's intake, dispatcher and pool."""

    def __init__(self, runtime: Runtime, threads: int = 24, bell: Callable[[], None] | None = None) -> None:
        self.runtime = runtime
        self.name = f"{socket.gethostname()[:20]}-{os.getpid()}-{secrets.token_hex(3)}"
        self.pipeline = Pipeline(runtime)
        self.deliverer = Deliverer(self.pipeline)
        self.recorder = Recorder(self.pipeline)
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
        #: whether this worker leaves calls to the others, for they would slow it down while it holds the store
        self.reading = False

    def turn(self) -> bool:
        """Read one batch of every connection that has new receipts."""
        names = list(self.runtime.config.connections)
        with self.store.read() as db:
            waiting = [name for name in names if _has_new(db, name) and not work.leased(db, f"in:{name}")]
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
        renewed = time.monotonic()
        try:
            while batch := self.engine.pipeline.process(name, lease):
                self.reading = self.engine.pipeline.steps.pace.alone and self.runtime.workers > 1
                read += batch
                self.engine.dispatcher.bell.set()
                if self.engine.stopping.is_set():
                    break
                if self.engine.dispatcher.calls.held:
                    time.sleep(self.engine.pipeline.steps.pace.rest)  # in which outcomes of calls get at the store
                if time.monotonic() - renewed > work.LEASE / 3:
                    with self.store.write() as db:
                        work.renew(db, [(key, lease)])
                    renewed = time.monotonic()
        finally:
            self.reading = False
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
        self.calls = Calls(threads, tuple(engine.runtime.config.connections), lambda item: item.call(engine), self.bell)
        self.renewed = self._claimed = time.monotonic()
        self._suspects = 0  # so many of the oldest outcomes are written one by one
        self._lanes: deque[str] = deque()
        self._room_in = SWEEP  # seconds until a limit that left nothing may have room for one more call

    def finished(self) -> bool:
        """End when told to and nothing is in flight or unwritten."""
        return super().finished() and not self.calls.held

    def pause(self) -> float:
        """Sleep until the next line is due or a limit has room again, at most until the next sweep."""
        with self.store.read() as db:
            soonest = work.next_due(db, self._order())
            wait = SWEEP if soonest is None else max(0.005, soonest - db.now)
        return min(SWEEP, wait, self._room_in)

    def turn(self) -> bool:
        """Write outcomes, renew leases, claim what is due, start the calls."""
        if 0 < len(self.calls.outcomes) < len(self.calls.held) // 2:
            time.sleep(GATHER)
        alone = self._suspects > 0
        batch = self.calls.collect(1 if alone else 200)
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
                self.calls.landed([item])
                return
            else:
                item.blamed = True
                batch = [(item, item.unwritable(error))]
        self.calls.put_back(batch)

    def _turn(self, batch: list[tuple[Item, Any]], claiming: bool) -> bool:
        renew = bool(self.calls.held) and time.monotonic() - self.renewed > work.LEASE / 3
        back = self.calls.unbegun(self.engine.stopping.is_set())
        grants = self._grants() if claiming and not self._reads() else {}
        if not batch and not grants and not renew and not back:
            return False
        items: list[Item] = []
        held: set[str] = set()
        began = time.monotonic()  # leases count from here: the store's clock is read before the commit, not after
        try:
            with self.store.write() as db:
                said = self.engine.recorder.write(db, batch) if batch else []
                for item in back:
                    item.hand_back(db)
                if renew:
                    held = work.renew(db, [(item.key, item.lease) for item in self.calls.held.values()])
                for lane, grant in grants.items():
                    items.extend(self._claim(db, lane, grant))
        except Exception:
            self._give_back(grants)
            self.calls.wait_again(back)
            raise
        self.calls.landed([*(item for item, _ in batch), *back])
        if renew:
            self.renewed = began
            for item in self.calls.held.values():
                if item.key in held:  # a lease that another worker took over meanwhile isn't ours to prolong
                    item.extend(began)
        for text in said:
            log.info(text)
        self._reserve_rest(items)
        self._reserve_rest(back, given_back=True)
        if any(isinstance(item, PollCall) for item, _ in batch):
            self.engine.intake.bell.set()  # what a poll brought is read at once, not at the next sweep
        self.calls.start(
            items, {item.connection: self.runtime.limits(item.connection).parallel for item in items}, began
        )
        unused = {lane: grant - sum(item.lane == lane for item in items) for lane, grant in grants.items()}
        self._give_back(unused)
        if items and len(self.calls.held) >= self.calls.threads:
            self.engine.ring_others()
        return bool(batch or items or back)

    def _reads(self) -> bool:
        """Return whether calls are left to other workers: for a while only, since they may be reading as well."""
        now = time.monotonic()
        if self.engine.intake.reading and now - self._claimed < LEFT:
            return True
        self._claimed = now
        return False

    # --- who may go now -------------------------------------------------------------------------

    def _grants(self) -> dict[str, int]:
        """Return lane -> how many lines may be claimed: free threads, caps, limits, health, shared fairly."""
        self._room_in = SWEEP
        self._lanes.rotate(-1)
        lanes = [lane for lane in self._order() if self.calls.may_claim(lane.partition(":")[0])]
        if not lanes:
            return {}
        taken = Counter(self.calls.claimed)  # what is granted in this turn counts for the connection's other lanes
        ahead: dict[str, int] = {}
        free = self.calls.free()
        with self.store.read() as db:
            health = state.healths(db)
            due = work.due_lanes(db, [lane for lane in lanes if not self._shut(health, lane, db.now)])
        grants: dict[str, int] = {}
        share = max(1, free // max(1, len(due)))
        for lane in due:
            connection, _, priority = lane.partition(":")
            limit = self.runtime.limits(connection)
            room = limit.parallel - taken[connection]
            more = ahead.setdefault(connection, self.calls.ahead(connection, limit.parallel))
            if priority == "bulk":  # slots stay free for what a person waits for
                room = min(room, max(1, limit.parallel // 2) - taken[connection], max(1, self.calls.threads // 2))
                more = 0
            if (h := health.get(connection)) is not None and (h.held is not None or h.open_until is not None):
                room, more = min(room, 1 - taken[connection]), 0  # a probe: one call tells whether it works again
            own = max(0, OWN_THREADS - taken[connection])
            want = max(0, min(room, own + max(0, min(share, free)))) + more
            if want <= 0 or self.runtime.limiter.paused(limit.key or connection):
                continue
            granted = self.runtime.limiter.reserve(limit.key or connection, want, limit.per_second, limit.burst)
            if not granted:
                self._room_in = min(self._room_in, max(0.05, 0.25 / limit.per_second))
            else:
                grants[lane] = granted
                taken[connection] += granted
                ahead[connection] = max(0, more - max(0, granted - (want - more)))
                free -= max(0, granted - own)
        return grants

    def _reserve_rest(self, items: list[Item], given_back: bool = False) -> None:
        """Reserve what actions take beyond the one call that was granted, now that it is known which they are.

        given_back: free all that was reserved for them.
        """
        rest = Counter[str]()
        for item in items:
            cost = self.engine.deliverer.cost(item.connection, item.claimed.action) if isinstance(item, Deliver) else 1
            rest[item.connection] += -cost if given_back else cost - 1
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
        kinds = {key: _ITEMS.get(key.partition(":")[0]) for key in keys}
        items.extend(Deliver(db, one, lease) for one in work.claimed(db, [key for key in keys if kinds[key] is None]))
        items.extend(kind(db, key, lane, connection, lease) for key, kind in kinds.items() if kind is not None)
        return items


#: how the key of a line begins -> what is to be done on it; any other is a queue of deliveries
_ITEMS: dict[str, Callable[[Any, str, str, str, str], Item]] = {
    "ev": Complete,
    "poll": PollCall,
    "drift": Look,
    "rec": Compare,
}
