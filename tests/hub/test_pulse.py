"""A frozen child is noticed and replaced; one that is busy, waits for its disk, or was asleep with everybody isn't."""

from __future__ import annotations

import os
import signal
import sys
import threading
from pathlib import Path

import pytest

from hub.pulse import FROZEN, LOST, Pulses, Silence
from hub.stuck import descends_from
from hub.supervisor import answers
from tests.hub.cli.test_run import YAML, free_port, post, running, until_read

STEP = 0.25


def silent_for(silence: Silence, seconds: float, *, start: float = 100.0, beat: float = 7.0) -> float | None:
    """Look so long at a process that doesn't beat; return after how many seconds it is to be replaced."""
    for n in range(int(seconds / STEP)):
        if silence.look(beat, start + n * STEP):
            return n * STEP
    return None


def test_a_frozen_process_is_given_up_after_half_a_minute() -> None:
    assert silent_for(Silence(1, lambda pid: 42), 60) == pytest.approx(FROZEN, abs=1.0)


def test_one_that_beats_is_never_given_up() -> None:
    silence = Silence(1, lambda pid: 42)
    for n in range(4000):
        assert not silence.look(beat=float(n // 8), now=n * STEP)


@pytest.mark.parametrize("what", ["busy", "waits for its disk"])
def test_one_that_is_only_silent_gets_more_time(what: str) -> None:
    ticks = iter(range(10_000))
    silence = Silence(1, lambda pid: next(ticks) if what == "busy" else None)
    assert silent_for(silence, 400) == pytest.approx(LOST, abs=1.0)


def test_a_supervisor_that_was_asleep_itself_has_seen_no_silence() -> None:
    silence = Silence(1, lambda pid: 42)
    assert silent_for(silence, 20, start=100.0) is None
    assert not silence.look(7.0, 100_000.0), "it is one look, however late"
    assert silent_for(silence, 5, start=100_000.0) is None
    assert silent_for(silence, 20, start=100_010.0) is not None, "and then it goes on counting"


def test_children_beat_where_their_parent_looks() -> None:
    pulses = Pulses(2)
    assert pulses.last(1) == 0.0
    reading, writing = os.pipe()
    pid = os.fork()
    if not pid:
        pulses.keep(1)
        os.write(writing, b"x")
        signal.pause()
        os._exit(0)
    try:
        os.read(reading, 1)
        first = pulses.last(1)
        assert first > 0.0 and pulses.last(0) == 0.0
        pause = threading.Event()
        for _ in range(200):
            if pulses.last(1) > first:
                break
            pause.wait(0.05)
        assert pulses.last(1) > first, "it goes on by itself"
    finally:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        os.close(reading)
        os.close(writing)


#: the hub, less patient than in earnest
_HUB = "import hub.pulse as pulse; pulse.FROZEN = 3.5; from hub.cli import main; main()"


def processes(supervisor: int, name: str) -> set[int]:
    found = set()
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            its = path.read_text().partition("(")[2].rpartition(")")[0]
        except OSError:
            continue
        if its.startswith(name) and descends_from(int(path.parent.name), supervisor):
            found.add(int(path.parent.name))
    return found


def replaced(supervisor: int, name: str, stopped: int) -> bool:
    """Wait until another process of that name stands in for the stopped one."""
    pause = threading.Event()
    for _ in range(300):
        if (now := processes(supervisor, name)) and stopped not in now:
            return True
        pause.wait(0.1)
    return False


def test_a_stopped_web_server_is_replaced_and_answers_again(tmp_path: Path) -> None:
    (tmp_path / "hub.yaml").write_text(YAML)
    port = free_port()
    program = (sys.executable, "-c", _HUB)
    with running(tmp_path, "run", "--port", str(port), ready="the hub is ready", program=program) as hub:
        [stopped] = processes(hub.pid, "hub-web-server")
        os.kill(stopped, signal.SIGSTOP)
        assert replaced(hub.pid, "hub-web-server", stopped)
        pause = threading.Event()
        for _ in range(100):
            if answers("127.0.0.1", port):
                break
            pause.wait(0.1)
        assert post(port, Name="Anna", Phone="067 111-22-33") == 200
        until_read(tmp_path)
    assert "gives no sign of life any more, and is replaced" in (tmp_path / "run.log").read_text()


def test_a_stopped_worker_is_replaced_and_its_work_goes_on(tmp_path: Path) -> None:
    (tmp_path / "hub.yaml").write_text(YAML)
    port = free_port()
    program = (sys.executable, "-c", _HUB)
    with running(tmp_path, "run", "--port", str(port), ready="the hub is ready", program=program) as hub:
        [stopped] = processes(hub.pid, "hub-worker")
        os.kill(stopped, signal.SIGSTOP)
        assert post(port, Name="Anna", Phone="067 111-22-33") == 200
        assert replaced(hub.pid, "hub-worker", stopped)
        until_read(tmp_path)
    assert "gives no sign of life any more, and is replaced" in (tmp_path / "run.log").read_text()
