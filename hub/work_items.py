"""The three kinds of work that call a vendor: deliver a step, complete hints, poll for news."""

from __future__ import annotations

import datetime as dt
import time
from typing import TYPE_CHECKING, Any

from hub import echoes
from hub.errors import HubError, LeaseLost
from hub.outcome import ILL, Outcome
from hub.reasons import stored
from hub.store import intake, state, work

if TYPE_CHECKING:
    from hub.engine import Engine


class Item:
    """One leased line and the call to make for it.

    at, claimed_at: when the line was claimed, by the database's clock and in monotonic seconds. blamed: what came of
    it can't be written down. called: the vendor was asked, so its health is known.
    """

    blamed = False
    called = True
    claimed_at = 0.0

    def __init__(self, db: Any, key: str, lane: str, connection: str, lease: str) -> None:
        self.key, self.lane, self.connection, self.lease, self.at = key, lane, connection, lease, db.now
        self.extend()

    def extend(self, began: float | None = None) -> None:
        """The lease was taken or renewed at `began` (monotonic seconds, now if None); kept shorter here."""
        self.deadline = (time.monotonic() if began is None else began) + work.LEASE - 2.0

    def guard(self) -> None:
        """Raise LeaseLost if the lease may have run out: called just before each outward call."""
        if time.monotonic() > self.deadline:
            raise LeaseLost("the lease of this line ran out")

    def call(self, engine: Engine) -> Any:
        """Make the call; runs on a pool thread. What it returns or raises is written by the recorder."""
        raise NotImplementedError

    def well(self, result: Any) -> bool:
        """Return whether what came of the call is no sign that the vendor is ill or has had enough."""
        return not isinstance(result, Exception)

    def hand_back(self, db: Any) -> None:
        """Give the line back: its call was never begun."""
        work.release(db, self.key, self.lease, db.now)

    def unwritable(self, error: Exception) -> Any:
        """Return what to write in place of a result that the store does not take."""
        return HubError(f"what came of it could not be stored: {type(error).__name__}")


class Deliver(Item):
    """Carry out one delivery."""

    def __init__(self, db: Any, claimed: work.Claimed, lease: str) -> None:
        super().__init__(db, claimed.line, claimed.lane, claimed.connection, lease)
        self.claimed = claimed

    def call(self, engine: Engine) -> Any:
        """Return the delivery's Outcome."""
        return engine.deliverer(self.claimed, self.guard)

    def well(self, result: Any) -> bool:
        """Return whether it ended in an answer."""
        return isinstance(result, Outcome) and result.kind not in ILL

    def hand_back(self, db: Any) -> None:
        """Give the line back, and the delivery as it was: it was never sent."""
        work.unsend(db, self.claimed)
        super().hand_back(db)

    def unwritable(self, error: Exception) -> Any:
        """Park the delivery, visible; it may have taken effect."""
        why = f"what came of it could not be stored: {type(error).__name__}"
        return Outcome(self.claimed, "parked", stored("plugin_error", why=why))


class Complete(Item):
    """Complete the hints about one subject with one look at the vendor."""

    def __init__(self, db: Any, key: str, lane: str, connection: str, lease: str) -> None:
        super().__init__(db, key, lane, connection, lease)
        self.events = intake.waiting_events(db, key)

    def call(self, engine: Engine) -> Any:
        """Return the completed events."""
        if not self.events:
            return []
        connector = engine.runtime.connector(self.connection)
        kind = self.events[0].subject.partition(":")[0]
        held = [event for event in self.events if echoes.tells(connector, event)]  # whole: an echo, or news?
        for event in held:
            connector.history.wait_for_own(event, dt.datetime.now(dt.UTC))
        hints = [event for event in self.events if event not in held]
        if not hints:
            return held
        with connector.http.work(self.guard, 1):
            return [*held, *connector.complete(hints, engine.runtime.needs(self.connection, kind))]


class PollCall(Item):
    """Ask a vendor for news."""

    def __init__(self, db: Any, key: str, lane: str, connection: str, lease: str) -> None:
        super().__init__(db, key, lane, connection, lease)
        self.what = key.split(":", 2)[2]
        self.cursor = state.cursor(db, connection, self.what)
        self.watched = state.due_watches(db, connection, self.what)

    def call(self, engine: Engine) -> Any:
        """Return the Poll."""
        connector = engine.runtime.connector(self.connection)
        with connector.http.work(self.guard, 1) as context:
            try:
                return connector.poll(self.what, self.cursor, self.watched)
            finally:
                self.called = bool(context.exchanges)
