"""The calls of one worker: which are under way, which go next, and what came of them.

A call that ends makes room for the next at once where that was claimed ahead: claiming costs a turn of the dispatcher,
and for that time a slot would stand empty. Only as much is claimed ahead as will have begun within some hundredths of
a second by how long the connection's calls take, so that nothing waits here that another worker could do. A worker that
dies leaves those in doubt, as it does the ones under way; one that is told to end gives them back as they were.
"""

from __future__ import annotations

import logging
import os
import sys
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from hub.errors import HubError
from hub.masking import quoted
from hub.work_items import Item

log = logging.getLogger("hub.engine")

#: threads each connection has beside the common ones: a vendor that hangs may hold all of those, not these of others
OWN_THREADS = 4
#: seconds within which what is claimed ahead should have begun
AHEAD = 0.1
#: seconds: nothing is claimed ahead where a call takes longer, and what has waited for longer is given back
SLOW = 1.0
#: how much lower the priority of calls is than that of reading receipts and writing outcomes
BEHIND = 5


class Calls:
    """A pool of threads, shared fairly by the connections."""

    def __init__(
        self, threads: int, connections: Collection[str], make: Callable[[Item], Any], bell: threading.Event
    ) -> None:
        """make: makes an item's call. bell: rung when one has ended."""
        self.threads = threads
        self._make, self._bell = make, bell
        self._pool = ThreadPoolExecutor(
            threads + OWN_THREADS * len(connections), thread_name_prefix="call", initializer=_step_back
        )
        self._turns = deque(connections)
        self._lock = threading.Lock()
        #: what came of calls and is not written yet, in the order in which they ended
        self.outcomes: deque[tuple[Item, Any]] = deque()
        #: everything claimed whose outcome is not written yet
        self.held: dict[str, Item] = {}
        #: connection -> how many of these
        self.claimed: Counter[str] = Counter()
        self._running: Counter[str] = Counter()
        self._waiting: dict[str, deque[Item]] = {name: deque() for name in connections}
        self._parallel: dict[str, int] = {}
        #: connection -> seconds its calls take: up at once, down slowly
        self._took: dict[str, float] = {}
        #: connections of which a call has just failed
        self._doubted: set[str] = set()

    def free(self) -> int:
        """Return how many of the common threads are free for what is not claimed yet."""
        return self.threads - sum(max(0, n - OWN_THREADS) for n in self.claimed.values())

    def may_claim(self, connection: str) -> bool:
        """Return whether there is room for any more of a connection, however well its vendor is."""
        taken, parallel = self.claimed[connection], self._parallel.get(connection)
        if parallel is None or (taken < parallel and (taken < OWN_THREADS or self.free() > 0)):
            return True
        return self.ahead(connection, parallel) > 0

    def ahead(self, connection: str, parallel: int) -> int:
        """Return how many more of a connection than can begin at once may be claimed."""
        took = self._took.get(connection)
        if took is None or took > SLOW:
            return 0
        most = int(min(parallel, self.threads) * min(1.0, AHEAD / max(took, 0.001)))
        return max(0, most - len(self._waiting[connection]))

    def start(self, items: Iterable[Item], parallel: Mapping[str, int], began: float) -> None:
        """Begin what was claimed at `began`, at most `parallel` per connection; the rest follows as calls end."""
        with self._lock:
            self._parallel.update(parallel)
            for item in items:
                item.extend(began)
                item.claimed_at = began
                self.held[item.lease + item.key] = item
                self.claimed[item.connection] += 1
                waiting = self._waiting[item.connection]
                (waiting.appendleft if item.lane.endswith(":urgent") else waiting.append)(item)
            while (able := self._next()) is not None:
                self._pool.submit(self._run, able)

    def _next(self) -> Item | None:
        """Take an item that may begin, each time of another connection first (under the lock)."""
        common = sum(max(0, n - OWN_THREADS) for n in self._running.values())
        for _ in range(len(self._turns)):
            self._turns.rotate(-1)
            connection = self._turns[0]
            running, waiting = self._running[connection], self._waiting[connection]
            if (
                waiting
                and connection not in self._doubted
                and running < self._parallel[connection]
                and (running < OWN_THREADS or common < self.threads)
            ):
                self._running[connection] += 1
                return waiting.popleft()
        return None

    def _run(self, item: Item) -> None:
        following: Item | None = item
        while following is not None:
            item, began = following, time.monotonic()
            result = self._made(item)
            with self._lock:
                self._ended(item, time.monotonic() - began, item.well(result))
                self.outcomes.append((item, result))
                following = self._next()
            self._bell.set()

    def _made(self, item: Item) -> Any:
        """Make an item's call; return what it returns or raises."""
        try:
            return self._make(item)
        except Exception as error:
            if isinstance(error, HubError):  # the vendor's trouble or answer; the recorder says what follows
                log.info("work on line %s: %s: %s", quoted(item.key), type(error).__name__, error)
            else:
                log.exception("work on line %s failed", quoted(item.key))
            return error

    def _ended(self, item: Item, took: float, well: bool) -> None:
        connection = item.connection
        self._running[connection] -= 1
        if well:
            self._took[connection] = max(took, 0.8 * self._took.get(connection, took) + 0.2 * took)
        else:  # the dispatcher looks at the vendor's health before anything else of it begins
            self._doubted.add(connection)
            self._took[connection] = 2 * SLOW

    def collect(self, most: int) -> list[tuple[Item, Any]]:
        """Take the oldest outcomes."""
        batch: list[tuple[Item, Any]] = []
        while self.outcomes and len(batch) < most:
            batch.append(self.outcomes.popleft())
        return batch

    def put_back(self, batch: Sequence[tuple[Item, Any]]) -> None:
        """Put outcomes back that could not be written."""
        self.outcomes.extendleft(reversed(batch))

    def landed(self, items: Iterable[Item]) -> None:
        """Forget items whose outcome is written, or that are given back."""
        for item in items:
            if self.held.pop(item.lease + item.key, None) is not None:
                self.claimed[item.connection] -= 1

    def unbegun(self, stopping: bool) -> list[Item]:
        """Take out what shall not begin here: all if the worker stops, what has waited, what a failure stands before.

        Such a connection may begin again what is claimed from now on: with its health looked at.
        """
        old = time.monotonic() - SLOW
        out: list[Item] = []
        with self._lock:
            for connection, waiting in self._waiting.items():
                if stopping or connection in self._doubted or any(item.claimed_at < old for item in waiting):
                    out += waiting
                    waiting.clear()
                    if connection not in self._doubted:
                        self._took[connection] = 2 * SLOW
            self._doubted.clear()
        return out

    def wait_again(self, items: Iterable[Item]) -> None:
        """Let items wait again that could not be given back."""
        with self._lock:
            for item in items:
                self._waiting[item.connection].append(item)


def _step_back() -> None:
    """Let the thread that holds the store's lock go before this one, which may wait (Linux)."""
    if sys.platform == "linux":
        own = threading.get_native_id()
        os.setpriority(os.PRIO_PROCESS, own, min(19, os.getpriority(os.PRIO_PROCESS, own) + BEHIND))
