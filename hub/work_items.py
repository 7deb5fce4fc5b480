"""The three kinds of work that call a vendor: deliver a step, complete hints, poll for news."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from hub.errors import HubError, LeaseLost
from hub.outcome import Outcome
from hub.reasons import stored
from hub.store import intake, state, work

if TYPE_CHECKING:
    from hub.engine import Engine


class Item:
    """One leased line and the call to make for it.

    blamed: what came of it can't be written down. called: the vendor was asked, so its health is known.
    """

    blamed = False
    called = True

    def __init__(self, key: str, lane: str, connection: str, lease: str) -> None:
        self.key, self.lane, self.connection, self.lease = key, lane, connection, lease
        self.extend()

    def extend(self, began: float | None = None) -> None:
        """The lease was taken or renewed at `began` (monotonic seconds, now if None); kept shorter here."""
        self.deadline = (time.monotonic() if began is None else began) + work.LEASE - 2.0

    def guard(self) -> None:
        """Raise LeaseLost if the lease may have run out: called just before each outward call."""
        if time.monotonic() > self.deadline:
            raise LeaseLost("the lease of this line ran out")

    def call(self, engine: Engine) -> Any:
        """Make the call; runs on a pool thread. What it returns or raises is written by the ledger."""
        raise NotImplementedError

    def unwritable(self, error: Exception) -> Any:
        """Return what to write in place of a result that the store does not take."""
        return HubError(f"what came of it could not be stored: {type(error).__name__}")


class Deliver(Item):
    """Carry out one delivery."""

    def __init__(self, claimed: work.Claimed, lease: str) -> None:
        super().__init__(claimed.line, claimed.lane, claimed.connection, lease)
        self.claimed = claimed

    def call(self, engine: Engine) -> Any:
        """Return the delivery's Outcome."""
        return engine.deliverer(self.claimed, self.guard)

    def unwritable(self, error: Exception) -> Any:
        """Park the delivery, visible; it may have taken effect."""
        why = f"what came of it could not be stored: {type(error).__name__}"
        return Outcome(self.claimed, "parked", stored("plugin_error", why=why))


class Complete(Item):
    """Complete the hints about one subject with one look at the vendor."""

    def __init__(self, db: Any, key: str, lane: str, connection: str, lease: str) -> None:
        super().__init__(key, lane, connection, lease)
        self.events = intake.waiting_events(db, key)

    def call(self, engine: Engine) -> Any:
        """Return the completed events."""
        if not self.events:
            return []
        connector = engine.runtime.connector(self.connection)
        kind = self.events[0].subject.partition(":")[0]
        with connector.http.work(self.guard, 1):
            return connector.complete(self.events, engine.runtime.needs(self.connection, kind))


class PollCall(Item):
    """Ask a vendor for news."""

    def __init__(self, db: Any, key: str, lane: str, connection: str, lease: str) -> None:
        super().__init__(key, lane, connection, lease)
        self.what = key.split(":", 2)[2]
        self.cursor = state.cursor(db, connection, self.what)
        self.watched = state.due_watches(db, connection, self.what)
        self.at = db.now

    def call(self, engine: Engine) -> Any:
        """Return the Poll."""
        connector = engine.runtime.connector(self.connection)
        with connector.http.work(self.guard, 1) as context:
            try:
                return connector.poll(self.what, self.cursor, self.watched)
            finally:
                self.called = bool(context.exchanges)
