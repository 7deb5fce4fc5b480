"""The way in: verify -> key -> commit with fsync -> ring -> acknowledge. No 2xx before the receipt is on disk."""

from __future__ import annotations

import asyncio
import hashlib
import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from hub.connector import Connector
from hub.errors import HubError, PluginError, Rejected, StoreFull
from hub.group_commit import GroupCommit, Ticket
from hub.masking import mask_person, mask_strangers, quoted
from hub.model import Reply, Request
from hub.normal import storable
from hub.runtime import Runtime
from hub.store import intake
from hub.store.json import dumps

log = logging.getLogger("hub.receive")


@dataclass(slots=True)
class Accepted:
    """A genuine request whose receipt is on its way to disk."""

    connector: Connector
    request: Request
    ticket: Ticket

    def wait(self) -> Reply:
        """Return the acknowledgement once the receipt is durable, 503 if it can't be stored."""
        try:
            self.ticket.wait()
        except StoreFull as trouble:
            return _not_now(trouble)
        return self._acknowledge()

    async def arrive(self) -> Reply:
        """The same for a request that an event loop serves."""
        try:
            await self.ticket.arrive()
        except StoreFull as trouble:
            return _not_now(trouble)
        return self._acknowledge()

    def _acknowledge(self) -> Reply:
        try:
            reply = self.connector.acknowledge(self.request)
        except Exception as error:
            # The receipt is on disk: whatever the plugin stumbles over, the sender must not send it again for that.
            log.exception("%s", PluginError(self.connector.name, "acknowledge", error))
            return Reply()
        return reply if isinstance(reply, Reply) else Reply()


def _not_now(trouble: StoreFull) -> Reply:
    log.error("receipt refused: %s", trouble)
    return Reply(503, "try again later", headers={"Retry-After": "30"})


class Receiver:
    """Takes requests for every connection of one web process."""

    def __init__(self, runtime: Runtime, ring: Callable[[], None]) -> None:
        self.runtime = runtime
        hints = frozenset(name for name, one in runtime.config.connections.items() if one.connector.hints)
        self.commit = GroupCommit(runtime.store, ring, hints)

    def __call__(self, name: str, request: Request) -> Reply:
        """Return the answer to a request at `/in/<name>`; never raises on what comes from outside."""
        taken = self.take(name, request)
        return taken.wait() if isinstance(taken, Accepted) else taken

    def take(self, name: str, request: Request, arrived: asyncio.Future[None] | None = None) -> Reply | Accepted:
        """Return the answer to what isn't kept, or the receipt on its way; `arrived`: see `GroupCommit.put`."""
        if name not in self.runtime.config.connections:
            return self.turn_away(name, request, Rejected(404, "no connection of that name"))
        connector = self.runtime.connector(name)
        try:
            return self._accept(connector, name, request, arrived)
        except Rejected as refusal:
            return self.turn_away(name, request, refusal)
        except StoreFull as trouble:
            return _not_now(trouble)

    def _accept(
        self, connector: Connector, name: str, request: Request, arrived: asyncio.Future[None] | None
    ) -> Reply | Accepted:
        if len(request.body) > connector.max_body:
            raise Rejected(413, f"larger than {connector.max_body} bytes")
        shook = self._ask(connector, "handshake", request)
        if isinstance(shook, Reply):
            return shook
        self._ask(connector, "verify", request)
        key = receipt_key(str(self._ask(connector, "receipt_key", request)))
        mask = connector.http.masker.mask
        row = intake.receipt_row(name, key, request, self.runtime.store.sealer, mask)
        return Accepted(connector, request, self.commit.put(row, arrived))

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
        mask = (self.runtime.connector(name).http.masker if known else self.runtime.masker).mask_call
        headers = list(mask_strangers(request.headers).items())[:40]
        trace = dumps(
            {
                "method": request.method,
                "path": storable(mask(f"/in/{name[:80]}/***" if request.tail else f"/in/{name[:80]}")),
                "headers": {
                    storable(header[:80]): storable(mask_person(mask(value[:600])))[:200] for header, value in headers
                },
                "bytes": len(request.body),
                "remote": request.remote,
            }
        )
        reason = storable(mask_person(mask(refusal.reason)))
        self.commit.note_rejected(name if known else "?", refusal.status, reason, trace)
        log.info("rejected connection=%s status=%s reason=%s", name if known else "?", refusal.status, quoted(reason))
        return Reply(refusal.status, refusal.reason)


def receipt_key(given: str) -> str:
    """Return a key as the store keeps it; one that is too long or can't be stored goes on as its digest."""
    if len(given) <= 500 and storable(given) == given:
        return given
    digest = hashlib.blake2b(given.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()
    return f"{storable(given[:400])}#{digest}"
