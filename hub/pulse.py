"""Signs of life from the children of a supervisor, in memory they share: who gives none is frozen, and is replaced.

A worker beats from a thread of its own, so a long call at a vendor is no silence. Silence is counted in the
supervisor's own looks: whoever was asleep itself (a suspended machine, a terminal's Ctrl+Z) has not seen any.
"""

from __future__ import annotations

import mmap
import os
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from hub.stuck import processor_time

#: seconds between two beats
BEAT = 1.0
#: seconds without a beat, and without any use of the processor, after which a process counts as frozen
FROZEN = 30.0
#: seconds without a beat after which it is replaced even if it keeps the processor busy
LOST = 300.0
#: so many seconds one look may add, however long ago the last one was
_LOOK = 1.0


class Pulses:
    """A place for the last beat of each child; made before the fork, so that parent and children see the same."""

    def __init__(self, places: int) -> None:
        self._beats = memoryview(mmap.mmap(-1, 8 * max(1, places))).cast("d")
        self._pids = memoryview(mmap.mmap(-1, 8 * max(1, places))).cast("q")

    def keep(self, place: int) -> None:
        """Beat from now on, from a thread of this process."""
        self.beat(place)
        self._pids[place] = os.getpid()
        threading.Thread(target=self._run, args=(place,), name="pulse", daemon=True).start()

    def _run(self, place: int) -> None:
        while True:
            time.sleep(BEAT)
            self.beat(place)

    def beat(self, place: int) -> None:
        """Give one sign of life."""
        self._beats[place] = time.monotonic()

    def pid(self, place: int) -> int:
        """Return which process beats there; 0 where none has begun to."""
        return self._pids[place]

    def last(self, place: int) -> float:
        """Return when the last beat came; 0.0 where none has yet."""
        return self._beats[place]


@dataclass
class Silence:
    """How long a process has been silent, as its supervisor saw it; a new one for each process."""

    pid: int
    processor_time: Callable[[int], int | None] = processor_time
    _beat: float = -1.0
    _ticks: int | None = None
    _looked: float = 0.0
    _silent: float = 0.0
    _still: float = 0.0

    def look(self, beat: float, now: float) -> bool:
        """Return whether the process must be replaced. `beat`: its last; `now`: monotonic seconds."""
        passed = min(max(0.0, now - self._looked), _LOOK) if self._looked else 0.0
        self._looked = now
        if beat != self._beat:
            self._beat, self._ticks, self._silent, self._still = beat, None, 0.0, 0.0
            return False
        self._silent += passed
        if self._silent < 2 * BEAT:  # as a rule nobody is silent: spare the look into /proc
            return False
        ticks = self.processor_time(self.pid)
        if ticks is None or ticks != self._ticks:
            self._ticks, self._still = ticks, 0.0
        else:
            self._still += passed
        return self._still >= FROZEN - 2 * BEAT or self._silent >= LOST
