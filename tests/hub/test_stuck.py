"""A frozen process with the store's lock in its hand is found; one that works, or only waits, is not."""

from __future__ import annotations

import fcntl
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from hub.stuck import LOOKS, SECONDS, StuckWriter, descends_from

_HOLD = """
import fcntl, os, sys
file = os.open(sys.argv[1], os.O_RDWR | os.O_CREAT)
fcntl.flock(file, fcntl.LOCK_EX)
print("held", flush=True)
while True:
    {does}
"""


@pytest.fixture
def hold(tmp_path: Path) -> Iterator[Callable[[str], tuple[Path, subprocess.Popen[str]]]]:
    """Start a process that takes a lock and then does something for ever."""
    started: list[subprocess.Popen[str]] = []

    def start(does: str) -> tuple[Path, subprocess.Popen[str]]:
        path = tmp_path / f"hub.db.{len(started)}"
        command = [sys.executable, "-c", _HOLD.format(does=does), str(path)]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        started.append(process)
        assert process.stdout is not None and process.stdout.readline() == "held\n"
        return path, process

    yield start
    for process in started:
        process.kill()
        process.wait()
        assert process.stdout is not None
        process.stdout.close()


def looks(
    watch: StuckWriter, count: int, step: float = SECONDS / LOOKS, wait: Callable[[], None] = lambda: None
) -> set[int | None]:
    found = set()
    for n in range(count):
        wait()
        found.add(watch.look(n * step))
    return found


def test_a_stopped_holder_is_found_once_enough_time_has_passed(hold: Callable) -> None:
    path, process = hold("import time; time.sleep(60)")
    os.kill(process.pid, signal.SIGSTOP)
    os.waitid(os.P_PID, process.pid, os.WSTOPPED | os.WNOWAIT)
    watch = StuckWriter([path])
    assert looks(watch, LOOKS) == {None}
    assert watch.look(SECONDS) == process.pid
    assert looks(StuckWriter([path]), 100, step=0.001) == {None}, "many looks within a moment prove nothing"


def test_a_holder_that_works_is_left_alone(hold: Callable) -> None:
    path, process = hold("sum(range(100_000))")

    def until_it_moved() -> None:
        before = spent(process.pid)
        while spent(process.pid) == before:
            pass

    assert looks(StuckWriter([path]), LOOKS * 3, wait=until_it_moved) == {None}


def test_a_free_lock_and_a_missing_file_are_nobodys(tmp_path: Path, hold: Callable) -> None:
    path, process = hold("import time; time.sleep(60)")
    process.kill()
    process.wait()
    assert looks(StuckWriter([path, tmp_path / "none"]), LOOKS * 2) == {None}
    with path.open("a") as file:  # the looks themselves hold nothing
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)


def test_whose_child_it_is(hold: Callable) -> None:
    _, process = hold("import time; time.sleep(60)")
    assert descends_from(process.pid, os.getpid())
    assert not descends_from(os.getppid(), os.getpid())
    assert not descends_from(2**22 - 1, os.getpid())


def spent(pid: int) -> str:
    return " ".join(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[11:13])
