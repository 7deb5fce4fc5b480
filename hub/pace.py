"""The pace at which receipts are read: how many in one commit, for SQLite is held by it and others wait."""

from __future__ import annotations

from dataclasses import dataclass

#: receipts read in one go, at most
MOST = 64
#: seconds since the last request in which more are expected
LATELY = 0.25


@dataclass(frozen=True, slots=True)
class Pace:
    """So many receipts in one commit at least, which should hold the store for so many seconds at most.

    rest: seconds that are left to others between two commits, while calls are under way. alone: the worker that reads
    leaves calls to other workers, whose threads don't slow it down while it holds the store.
    """

    fewest: int
    hold: float
    rest: float
    alone: bool


#: a backlog is read in large steps: each commit costs
BACKLOG = Pace(24, 0.03, 0.01, alone=False)
#: while requests come in, an acknowledgement may be waiting behind each step
LIVE = Pace(4, 0.005, 0.003, alone=True)


class Steps:
    """How many receipts come next, by what the last ones took."""

    def __init__(self) -> None:
        self.pace = BACKLOG
        self._sizes = {pace: 2 * pace.fewest for pace in (BACKLOG, LIVE)}

    def size(self, live: bool) -> int:
        """Return how many receipts to read next. live: an acknowledgement may be waiting for the store."""
        self.pace = LIVE if live else BACKLOG
        return self._sizes[self.pace]

    def took(self, count: int, seconds: float) -> None:
        """Learn for how long the commit of so many receipts held the store."""
        fitting = int(count * self.pace.hold / max(seconds, 1e-6))
        self._sizes[self.pace] = max(self.pace.fewest, min(MOST, fitting, 2 * self._sizes[self.pace]))
