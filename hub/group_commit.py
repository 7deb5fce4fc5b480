"""Group commit: requests that come at the same moment share one commit, and each waits for the one that holds it.

A commit takes along everything that arrived while the one before it was being written.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Sequence
from typing import Any

from hub.errors import StoreFull
from hub.store import Store, intake, state

log = logging.getLogger("hub.receive")

#: seconds a request may wait for its commit
PATIENCE = 8.0
_BATCH = 500


class Ticket:
    """One receipt on its way to disk; its request waits for it in a thread (`wait`) or in an event loop (`arrive`)."""

    __slots__ = ("abandoned", "arrived", "at", "done", "error", "fresh", "row")

    def __init__(self, row: tuple[Any, ...], arrived: asyncio.Future[None] | None = None) -> None:
        self.row: tuple[Any, ...] | None = row
        self.at = time.monotonic()
        self.arrived = arrived
        #: a lock is cheaper to wake than an Event
        self.done = threading.Lock()
        if arrived is None:
            self.done.acquire()
        self.error: BaseException | None = None
        self.fresh = False
        self.abandoned = False

    def wait(self) -> bool:
        """Return once the receipt is durable: True if it is new, False if it was there before; else StoreFull."""
        if not self.done.acquire(timeout=PATIENCE):
            raise self._late()
        return self._landed()

    async def arrive(self) -> bool:
        """The same for a request that an event loop serves."""
        assert self.arrived is not None
        try:
            async with asyncio.timeout(PATIENCE):
                await self.arrived
        except TimeoutError:
            raise self._late() from None
        return self._landed()

    def _late(self) -> StoreFull:
        self.abandoned, self.row = True, None  # answered 503: the sender keeps it, so it needs no place here
        return StoreFull("the store did not take the request in time")

    def _landed(self) -> bool:
        if self.error is not None:
            raise self.error
        return self.fresh


def _land(tickets: Sequence[Ticket]) -> None:
    """Tell each request that its receipt has come to rest, those of an event loop with one call for all."""
    later = []
    for ticket in tickets:
        if ticket.arrived is None:
            ticket.done.release()
        else:
            later.append(ticket.arrived)
    if later:
        with contextlib.suppress(RuntimeError):  # the loop has ended, and with it everybody who waited
            later[0].get_loop().call_soon_threadsafe(_resolve, later)


def _resolve(waiting: Sequence[asyncio.Future[None]]) -> None:
    for future in waiting:
        if not future.done():
            future.set_result(None)


class GroupCommit:
    """One thread that writes what all requests hand it, a batch per commit."""

    def __init__(self, store: Store, ring: Callable[[], None], hints: frozenset[str] = frozenset()) -> None:
        self.store = store
        self._hints = hints
        self._ring = ring
        self._waiting: deque[Ticket] = deque()
        self._rejected: deque[tuple[str, float, int, str, str]] = deque(maxlen=1000)
        self._bell = threading.Event()
        self._stop = False
        self._flushed = 0.0
        self._room_checked = 0.0
        self._thread = threading.Thread(target=self._run, name="group-commit", daemon=True)
        self._thread.start()

    def put(self, row: tuple[Any, ...], arrived: asyncio.Future[None] | None = None) -> Ticket:
        """Hand a receipt over and return what to wait on; `arrived` is a future of the event loop that will wait."""
        self.check()
        ticket = Ticket(row, arrived)
        self._waiting.append(ticket)
        if not self._bell.is_set():
            self._bell.set()
        return ticket

    def check(self) -> None:
        """Raise StoreFull while the store takes nothing: who waits longest has waited for more than their patience."""
        with contextlib.suppress(IndexError):
            if time.monotonic() - self._waiting[0].at > PATIENCE:
                raise StoreFull("the store has taken nothing for some seconds")

    def note_rejected(self, connection: str, status: int, reason: str, request: str) -> None:
        """Keep a masked trace of a request that was turned away; written with the next commit, or soon."""
        self._rejected.append((connection, time.time(), status, reason[:500], request))
        self._bell.set()

    def stop(self) -> None:
        """Write what is waiting and end."""
        self._stop = True
        self._bell.set()
        self._thread.join(5)

    def _run(self) -> None:
        while True:
            self._bell.wait(1.0)
            self._bell.clear()
            stopping = self._stop  # asked once a round: what came before the stop is written before the end
            while self._waiting:
                self._commit()
            if self._rejected and (stopping or self._may_flush()):
                self._commit()
            if stopping and not self._waiting:
                return

    def _may_flush(self) -> bool:
        """Return whether traces of rejected requests may be written: a flood of them must not crowd receipts out."""
        return self._stop or time.monotonic() - self._flushed > 0.5

    def _commit(self) -> None:
        batch: list[tuple[Ticket, tuple[Any, ...]]] = []
        while self._waiting and len(batch) < _BATCH:
            ticket = self._waiting.popleft()
            if (row := ticket.row) is not None:
                batch.append((ticket, row))
        rows, tickets = [row for _, row in batch], [ticket for ticket, _ in batch]
        traces = []
        if self._may_flush():
            while self._rejected:
                traces.append(self._rejected.popleft())
            self._flushed = time.monotonic()
        try:
            if time.monotonic() - self._room_checked > 1.0:
                self.store.check_room()  # for traces, too: they must not eat the reserve
                self._room_checked = time.monotonic()
            with self.store.write(urgent=True) as db:
                fresh = intake.add_receipts(db, rows)
                counts = Counter((row[0], "received") for row in rows)
                copies = self._duplicates(rows, fresh)
                counts.update((name, "duplicate") for name, _ in copies)
                intake.read_again(db, [copy for copy in copies if copy[0] in self._hints])
                counts.update((trace[0], "rejected") for trace in traces)
                state.count(db, counts)
                if traces:
                    state.add_rejected(db, traces)
        except Exception as error:
            self._room_checked = 0.0
            if not isinstance(error, StoreFull):
                log.exception("receipts could not be stored")
            for ticket in tickets:
                ticket.error = StoreFull(str(error))
            _land(tickets)
            return
        for ticket, row in batch:
            ticket.fresh = (row[0], row[1]) in fresh
            fresh.discard((row[0], row[1]))
        _land(tickets)
        if batch:
            self._ring()

    @staticmethod
    def _duplicates(rows: Sequence[tuple[Any, ...]], fresh: set[tuple[str, str]]) -> list[tuple[str, str]]:
        left = set(fresh)
        out = []
        for row in rows:
            key = (row[0], row[1])
            if key in left:
                left.discard(key)
            else:
                out.append(key)
        return out
