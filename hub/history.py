"""What the hub itself remembers of one connection: its stored events, and whether an act of its own is under way.

A connector keeps nothing of its own. Where a rule of its vendor looks back (a client may be answered within a day of
their last message; a message told as sent may be our own), it asks here. Reading only; never from `parse`.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import TYPE_CHECKING

from hub.errors import RateLimited
from hub.model import Event

if TYPE_CHECKING:
    from hub.store import Store

#: clocks differ: an act may seem to have been planned this much later than what tells of it
_SLACK = dt.timedelta(seconds=5)
#: what may be the echo of an act under way waits so many seconds at most; looked at again after, and ever more seldom
_WAITS, _AGAIN = 180.0, 1.0


class History:
    """The past of one connection. Without a store it knows nothing, and says so by empty answers."""

    def __init__(self, store: Store | None = None, connection: str = "") -> None:
        self._store = store
        self._connection = connection

    def events(self, types: Sequence[str], since: dt.datetime, word: str = "", limit: int = 50) -> list[Event]:
        """Return this connection's events of these types stored since then, the newest first.

        word: only those that `hub explain WORD` would find (an id, a handle, a phone in E.164), once they are planned;
        without it, all of them, also those still waiting to be completed.
        """
        if self._store is None or not types:
            return []
        from hub.store import history

        with self._store.read() as db:
            return history.events(db, self._connection, types, since.timestamp(), word.lower(), limit)

    def acting(self, record: str, before: dt.datetime) -> bool:
        """Return whether an act on such a record, planned before then, is under way: begun and not written down."""
        if self._store is None:
            return False
        from hub.store import history

        with self._store.read() as db:
            return history.acting(db, self._connection, record, before.timestamp())

    def wait_for_own(self, event: Event, now: dt.datetime) -> None:
        """Raise RateLimited while an act is under way whose echo this may be; once it is written down, it is known.

        A claim is committed before its call goes out: if none is there, nothing of ours is unknown.
        """
        age = now.timestamp() - event.at
        record = event.subject.partition(":")[0]
        if age < _WAITS and self.acting(record, dt.datetime.fromtimestamp(event.at, dt.UTC) + _SLACK):
            raise RateLimited(f"an act of ours on a {record} is under way: is this its echo?", max(_AGAIN, age / 2))
