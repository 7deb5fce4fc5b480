"""Whose turn it is to write into SQLite: one at a time, and next whom somebody waits for."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import pytest

from hub.store import turns as module
from hub.store.turns import AFTER_YOU, Turns, side_file


class Clock:
    """A clock that only sleeping moves."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.slept = 0

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds
        self.slept += 1


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(module, "time", made)
    return made


def test_there_is_one_writer_whoever_asks(tmp_path: Path) -> None:
    processes = [Turns(tmp_path), Turns(tmp_path)]
    inside: list[int] = []
    most: list[int] = []

    def write(turns: Turns, urgent: bool) -> None:
        for n in range(25):
            with turns.turn(urgent):
                inside.append(n)
                most.append(len(inside))
                time.sleep(0.0002)
                inside.pop()

    threads = [threading.Thread(target=write, args=(turns, n == 0)) for turns in processes for n in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert (len(most), max(most)) == (150, 1)
    for turns in processes:
        turns.close()


def test_who_is_waited_for_goes_before_the_queue(tmp_path: Path) -> None:
    """A worker that comes back to the store at once would often have it before the one that was woken."""
    worker, web = Turns(tmp_path), Turns(tmp_path)
    order: list[str] = []
    waiting, done = threading.Event(), threading.Event()

    def acknowledge() -> None:
        waiting.set()
        with web.turn(urgent=True):
            order.append("web")
        done.set()

    for _ in range(20):
        waiting.clear()
        done.clear()
        with worker.turn():
            thread = threading.Thread(target=acknowledge)
            thread.start()
            waiting.wait(5)
            time.sleep(0.002)  # until it stands before the lock
        with worker.turn():
            order.append("worker")
        assert done.wait(5)
        thread.join(5)
    assert order == ["web", "worker"] * 20


def test_it_is_let_go_first_for_a_moment_only(tmp_path: Path, clock: Clock) -> None:
    """Requests that never end may delay the workers, and not stop them."""
    worker, web = Turns(tmp_path), Turns(tmp_path)
    with web._announced(), worker.turn():
        pass
    assert 0 < clock.now - 1000.0 <= AFTER_YOU * 1.05
    slept = clock.slept
    with worker.turn():
        pass
    assert clock.slept == slept


def test_one_that_died_while_it_waited_holds_up_nobody(tmp_path: Path, clock: Clock) -> None:
    died = Turns(tmp_path)
    died._announced().__enter__()
    clock.now += 1.0
    with Turns(tmp_path).turn():
        assert clock.slept == 0


def test_a_sign_from_before_the_machine_was_started_again(tmp_path: Path, clock: Clock) -> None:
    """Its clock began anew: what it says lies in the future."""
    died = Turns(tmp_path)
    died._announced().__enter__()
    clock.now = 3.0
    with Turns(tmp_path).turn():
        assert clock.slept == 0


def test_the_side_files_are_the_owners_alone(tmp_path: Path) -> None:
    turns = Turns(tmp_path)
    for urgent in (False, True):
        with turns.turn(urgent):
            pass
    modes = {name: side_file(tmp_path, name).stat().st_mode & 0o777 for name in ("queue", "lock", "urgent")}
    assert modes == {"queue": 0o600, "lock": 0o600, "urgent": 0o600}
