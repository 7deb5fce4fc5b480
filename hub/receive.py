"""The way in: verify -> key -> commit with fsync -> ring -> acknowledge. No 2xx before the receipt is on disk.

Requests that come at the same moment share one commit: each waits for the commit that holds its receipt, and a
commit takes along everything that arrived while the one before it was being written.
"""

from __future__ import annotations

import hashlib
import logging
import threading
import time
from collections import Counter, deque
from collections.abc import Callable
from typing import Any

from hub.connector import Connector
from hub.errors import HubError, PluginError, Rejected, StoreFull
from hub.masking import mask_headers, mask_person
from hub.model import Reply, Request
from hub.normal import storable
from hub.runtime import Runtime
from hub.store import Store, intake, state
from hub.store.json import dumps

log = logging.getLogger("hub.receive")

#: seconds a request may wait for its commit
PATIENCE = 8.0
_BATCH = 500


class Ticket:
    """One receipt on its way to disk. `done` is a lock its request waits for: cheaper to wake than an Event."""

    __slots__ = ("abandoned", "done", "error", "fresh", "row")

    def __init__(self, row: tuple[Any, ...]) -> None:
        self.row = row
        self.done = threading.Lock()
        self.done.acquire()
        self.error: BaseException | None = None
        self.fresh = False
        self.abandoned = False


class GroupCommit:
    """One thread that writes what all request threads hand it, a batch per commit."""

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

    def put(self, row: tuple[Any, ...]) -> bool:
        """Return once the receipt is durable: True if it is new, False if it was there before."""
        ticket = Ticket(row)
        self._waiting.append(ticket)
        self._bell.set()
        if not ticket.done.acquire(timeout=PATIENCE):
            ticket.abandoned = True  # answered 503: the sender keeps it, so it needs no place here
            raise StoreFull("the store did not take the request in time")
        if ticket.error is not None:
            raise ticket.error
        return ticket.fresh

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
        batch: list[Ticket] = []
        while self._waiting and len(batch) < _BATCH:
            ticket = self._waiting.popleft()
            if not ticket.abandoned:
                batch.append(ticket)
        traces = []
        if self._may_flush():
            while self._rejected:
                traces.append(self._rejected.popleft())
            self._flushed = time.monotonic()
        try:
            if batch and time.monotonic() - self._room_checked > 1.0:
                self.store.check_room()
                self._room_checked = time.monotonic()
            with self.store.write(urgent=True) as db:
                fresh = intake.add_receipts(db, [ticket.row for ticket in batch])
                counts = Counter((ticket.row[0], "received") for ticket in batch)
                copies = self._duplicates(batch, fresh)
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
            for ticket in batch:
                ticket.error = StoreFull(str(error))
                ticket.done.release()
            return
        for ticket in batch:
            ticket.fresh = (ticket.row[0], ticket.row[1]) in fresh
            fresh.discard((ticket.row[0], ticket.row[1]))
            ticket.done.release()
        if batch:
            self._ring()

    @staticmethod
    def _duplicates(batch: list[Ticket], fresh: set[tuple[str, str]]) -> list[tuple[str, str]]:
        left = set(fresh)
        out = []
        for ticket in batch:
            key = (ticket.row[0], ticket.row[1])
            if key in left:
                left.discard(key)
            else:
                out.append(key)
        return out


class Receiver:
    """Takes requests for every connection of one web process."""

    def __init__(self, runtime: Runtime, ring: Callable[[], None]) -> None:
        self.runtime = runtime
        hints = frozenset(name for name, one in runtime.config.connections.items() if one.connector.hints)
        self.commit = GroupCommit(runtime.store, ring, hints)

    def __call__(self, name: str, request: Request) -> Reply:
        """Return the answer to a request at `/in/<name>`; never raises on what comes from outside."""
        if name not in self.runtime.config.connections:
            return self.turn_away(name, request, Rejected(404, "no connection of that name"))
        connector = self.runtime.connector(name)
        try:
            return self._accept(connector, name, request)
        except Rejected as refusal:
            return self.turn_away(name, request, refusal)
        except StoreFull as trouble:
            log.error("receipt refused: %s", trouble)
            return Reply(503, "try again later", headers={"Retry-After": "30"})

    def _accept(self, connector: Connector, name: str, request: Request) -> Reply:
        if len(request.body) > connector.max_body:
            raise Rejected(413, f"larger than {connector.max_body} bytes")
        shook = self._ask(connector, "handshake", request)
        if isinstance(shook, Reply):
            return shook
        self._ask(connector, "verify", request)
        key = receipt_key(str(self._ask(connector, "receipt_key", request)))
        mask = connector.http.masker.mask
        self.commit.put(intake.receipt_row(name, key, request, self.runtime.store.sealer, mask))
        try:
            reply = connector.acknowledge(request)
        except Exception as error:
            # The receipt is on disk: whatever the plugin stumbles over, the sender must not send it again for that.
            log.exception("%s", PluginError(connector.name, "acknowledge", error))
            return Reply()
        return reply if isinstance(reply, Reply) else Reply()

    def _ask(self, connector: Connector, method: str, request: Request) -> Any:
        """Call a plugin on hostile input: whatever it raises becomes a clean refusal, never a 500."""
        try:
            return getattr(connector, method)(request)
        except (Rejected, StoreFull):
            raise
        except (HubError, ValueError, RecursionError) as error:
            raise Rejected(400, f"not readable: {str(error)[:200]}") from None
        except Exception as error:
            log.exception("%s", PluginError(connector.name, method, error))
            raise Rejected(400, f"plugin {connector.name} could not read this: {type(error).__name__}") from None

    def turn_away(self, name: str, request: Request, refusal: Rejected) -> Reply:
        """Answer a request that isn't taken, and keep a masked trace of it; all unknown connections share one ring."""
        known = name in self.runtime.config.connections
        mask = self.runtime.connector(name).http.masker.mask_call if known else str
        headers = list(mask_headers(request.headers).items())[:40]
        trace = dumps(
            {
                "method": request.method,
                "path": storable(f"/in/{name[:80]}/***" if request.tail else f"/in/{name[:80]}"),
                "headers": {
                    storable(header): storable(mask_person(mask(value[:2000])))[:500] for header, value in headers
                },
                "bytes": len(request.body),
                "remote": request.remote,
            }
        )
        reason = storable(mask_person(mask(refusal.reason)))
        self.commit.note_rejected(name if known else "?", refusal.status, reason, trace)
        log.info("rejected connection=%s status=%s reason=%s", name if known else "?", refusal.status, reason)
        return Reply(refusal.status, refusal.reason)


def receipt_key(given: str) -> str:
    """Return a key as the store keeps it; one that is too long or can't be stored goes on as its digest."""
    if len(given) <= 500 and storable(given) == given:
        return given
    digest = hashlib.blake2b(given.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()
    return f"{storable(given[:400])}#{digest}"
