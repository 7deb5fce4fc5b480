"""Whose turn it is to write into SQLite, which has one writer at a time: a queue in front of it, over all processes.

SQLite's own busy timeout sleeps and is unfair under load. Writers queue among themselves (`queue`) before they wait for
the transaction itself (`lock`): a writer that somebody waits for skips the queue, so one other is ahead of it at most.
"""

from __future__ import annotations

import contextlib
import fcntl
import mmap
import os
import struct
import threading
import time
from collections.abc import Iterator
from pathlib import Path

#: seconds that the next one of the queue leaves to an urgent writer which waits already
AFTER_YOU = 0.02
_SINCE = struct.Struct("d")


def side_file(folder: Path, name: str) -> Path:
    """Return the file whose lock writers queue on: `queue` among themselves, `lock` before the transaction itself.

    `urgent` holds since when an urgent writer waits (seconds of the machine's monotonic clock), 0 for none.
    """
    return folder / f"hub.db.{name}"


class Turns:
    """The turns of one process's writers, among those of all processes that have the folder open."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._queue, self._urgent = threading.Lock(), threading.Lock()
        self._files: dict[str, list[int]] = {}
        self._since: mmap.mmap | None = None

    def close(self) -> None:
        """Close the side files."""
        for files in self._files.values():
            while files:
                os.close(files.pop())
        if self._since is not None:
            self._since.close()
            self._since = None

    @contextlib.contextmanager
    def turn(self, urgent: bool = False) -> Iterator[None]:
        """Be the only writer."""
        with contextlib.ExitStack() as held:
            if urgent:
                held.enter_context(self._urgent)
                held.enter_context(self._announced())
            else:
                held.enter_context(self._queue)
                held.enter_context(self._flocked("queue"))
                self._after_you()
            held.enter_context(self._flocked("lock"))
            yield

    @contextlib.contextmanager
    def _announced(self) -> Iterator[None]:
        """Let the others know that somebody waits: whoever is woken first would have the lock, not who came first."""
        since = self._waits_since()
        _SINCE.pack_into(since, 0, time.monotonic())
        try:
            yield
        finally:
            _SINCE.pack_into(since, 0, 0.0)

    def _after_you(self) -> None:
        """Let an urgent writer go first, for a moment: one that died while it waited, or a flood, stops nobody."""
        since, until = self._waits_since(), time.monotonic() + AFTER_YOU
        while (now := time.monotonic()) < until:
            (began,) = _SINCE.unpack_from(since, 0)
            if not began or not 0 <= now - began < 5 * AFTER_YOU:
                return
            time.sleep(AFTER_YOU / 40)

    def _waits_since(self) -> mmap.mmap:
        if self._since is None:
            file = os.open(side_file(self._folder, "urgent"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            try:
                os.ftruncate(file, _SINCE.size)
                self._since = mmap.mmap(file, _SINCE.size)
            finally:
                os.close(file)
        return self._since

    @contextlib.contextmanager
    def _flocked(self, name: str) -> Iterator[None]:
        """Hold a side file's lock. A descriptor per holder: locks of one descriptor don't exclude each other."""
        files = self._files.setdefault(name, [])
        try:
            file = files.pop()
        except IndexError:
            file = os.open(side_file(self._folder, name), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        fcntl.flock(file, fcntl.LOCK_EX)
        try:
            yield
        finally:
            fcntl.flock(file, fcntl.LOCK_UN)
            files.append(file)
