"""A process that is frozen while it holds the SQLite store stops every writer, the web too: find it.

Frozen is one that was stopped (SIGSTOP, a debugger, a suspended terminal) or thrown out of a container's processor
share. Its lock can't be taken away; it ends with the process. Where there is no /proc nothing is found (Linux only).
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

#: seconds for which every look must find the same motionless holder; well below what an acknowledgement may wait
SECONDS = 4.0
#: and so many looks at least
LOOKS = 8


@dataclass
class _Seen:
    """Who held a lock at the last looks, and how much processor time it had had."""

    pid: int
    ticks: int
    since: float
    looks: int = 0


class StuckWriter:
    """Looks at the store's side files, a few times a second, for a holder that neither moves nor lets go."""

    def __init__(self, files: Iterable[Path]) -> None:
        self._files = tuple(files)
        self._seen: dict[Path, _Seen] = {}

    def look(self, now: float) -> int | None:
        """Return the process that has been motionless with a lock in its hand for long, or None; `now` in seconds."""
        for file in self._files:
            pid = holder(file)
            ticks = processor_time(pid) if pid else None
            if pid is None or ticks is None:
                self._seen.pop(file, None)
                continue
            before = self._seen.get(file)
            if before is None or (before.pid, before.ticks) != (pid, ticks):
                before = self._seen[file] = _Seen(pid, ticks, now)
            before.looks += 1
            if before.looks >= LOOKS and now - before.since >= SECONDS:
                del self._seen[file]
                return pid
        return None


def holder(path: Path) -> int | None:
    """Return the process that holds a file's lock; None where it is free, or nobody can tell."""
    try:
        file = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return _listed(os.fstat(file).st_ino)
    finally:
        os.close(file)
    return None


def _listed(inode: int) -> int | None:
    """Return the holder of an flock as the kernel lists it (proc(5), /proc/locks); those who wait have an arrow."""
    try:
        lines = Path("/proc/locks").read_text().splitlines()
    except OSError:
        return None
    for line in lines:
        words = line.split()
        if len(words) > 5 and words[1] == "FLOCK" and words[5].rpartition(":")[2] == str(inode):
            return int(words[4]) if int(words[4]) > 0 else None
    return None


def processor_time(pid: int) -> int | None:
    """Return the processor time a process has had, in clock ticks; None if it is gone, or waits for its disk."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    return None if fields[0] == "D" else int(fields[11]) + int(fields[12])


def descends_from(pid: int, ancestor: int) -> bool:
    """Return whether a process is a child of `ancestor`, or a child's child."""
    while pid > 1:
        try:
            pid = int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
        except OSError:
            return False
        if pid == ancestor:
            return True
    return False
