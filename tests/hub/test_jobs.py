"""rq is a doorbell and nothing more: a lost bell, a dead Redis or a SIGTERM costs time, never work (P1, P6)."""

from __future__ import annotations

import json
import pickle
import signal
import subprocess
import sys
import threading
import time
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import redis
from rq import Queue

from hub import jobs
from hub.jobs import QUEUE, Ringer
from hub.redis_server import LocalRedis, connect, program
from tests.hub.fakes import WORLDS, Box, form

YAML = """
connections:
  site: {plugin: source}
  crm: {plugin: sink}
routes:
  - {name: form becomes a deal, on: site.form.submitted, do: crm.deal.create, set: {TITLE: contact.name}}
"""


def until(what: Callable[[], Any], within: float = 20.0) -> Any:
    """Ask again and again until it is so; fails when it doesn't become so."""
    deadline = time.monotonic() + within
    while not (found := what()):
        assert time.monotonic() < deadline, f"it did not come about: {what}"
        threading.Event().wait(0.01)
    return found


@pytest.fixture
def client(redis_url: str) -> Iterator[redis.Redis]:
    """An empty Redis."""
    client = connect(redis_url)
    client.flushall()
    yield client
    client.flushall()
    client.close()


def queue(client: redis.Redis) -> Queue:
    return Queue(QUEUE, connection=client, serializer=jobs.JSONSerializer)


def work_off(client: redis.Redis) -> None:
    jobs._Worker([queue(client)], connection=client, serializer=jobs.JSONSerializer).work(burst=True)


# --- the bell -------------------------------------------------------------------------------------


def test_bells_of_one_moment_are_joined(client: redis.Redis) -> None:
    ringer = Ringer(client)
    for _ in range(1000):
        ringer()
    until(lambda: client.llen("rq:queue:hub") and not ringer._wanted.is_set())
    assert client.llen("rq:queue:hub") <= 3


def test_bells_nobody_answers_do_not_pile_up(client: redis.Redis) -> None:
    client.rpush("rq:queue:hub", *[f"old-{n}" for n in range(64)])
    ringer = Ringer(client)
    for _ in range(5):
        ringer()
        until(lambda: not ringer._wanted.is_set())
    assert client.llen("rq:queue:hub") == 64


def test_a_bell_wakes_the_worker_and_leaves_nothing_behind(
    client: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    woken: list[int] = []
    monkeypatch.setattr(jobs, "_woken", lambda: woken.append(1))
    Ringer(client)()
    until(lambda: client.llen("rq:queue:hub"))
    work_off(client)
    assert woken == [1]
    assert client.keys("rq:job:*") == []


def test_a_bell_in_a_process_that_is_no_worker_does_nothing() -> None:
    jobs.bell()


def test_what_lies_in_redis_is_json_and_holds_nothing(client: redis.Redis) -> None:
    Ringer(client)()
    until(lambda: client.llen("rq:queue:hub"))
    [job] = client.keys("rq:job:*")
    data = json.loads(zlib.decompress(client.hget(job, "data")))
    assert data == ["hub.jobs.bell", None, [], {}]


class Bomb:
    """Leaves a file behind when it is unpickled."""

    def __init__(self, place: Path) -> None:
        self.place = place

    def __reduce__(self) -> tuple[Any, ...]:
        return (Path.touch, (self.place,))


def test_a_pickle_someone_puts_into_redis_is_never_opened(
    client: redis.Redis, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    woken: list[int] = []
    monkeypatch.setattr(jobs, "_woken", lambda: woken.append(1))
    place = tmp_path / "opened"
    job = queue(client).enqueue("hub.jobs.bell")
    client.hset(f"rq:job:{job.id}", "data", zlib.compress(pickle.dumps(("os.getpid", None, (Bomb(place),), {}))))
    queue(client).enqueue("hub.jobs.bell")
    work_off(client)
    assert not place.exists()
    assert woken == [1]  # and the next bell is heard


def test_ringing_never_waits_for_redis(tmp_path: Path) -> None:
    ringer = Ringer(connect(f"unix://{tmp_path}/nobody.sock"))
    held = threading.Event()
    ringer._client.set = lambda *_, **__: held.wait(20)  # type: ignore[union-attr, method-assign, assignment, return-value]
    done = threading.Event()

    def ring() -> None:
        for _ in range(1000):
            ringer()
        done.set()

    threading.Thread(target=ring, daemon=True).start()
    assert done.wait(10)
    held.set()
    Ringer(None)()  # and without any Redis it is silent


def test_a_ringer_goes_on_after_redis_was_away(mortal: LocalRedis) -> None:
    ringer = Ringer(connect(mortal.url))
    kill(mortal)
    ringer()
    assert mortal.start()
    client = connect(mortal.url)

    def ring() -> Any:
        ringer()
        return client.llen("rq:queue:hub")

    until(ring)
    client.close()


def test_a_bell_that_is_lost_costs_a_sweep_and_no_work(tmp_path: Path) -> None:
    box = Box(tmp_path, YAML)
    box.receiver.commit._ring = lambda: None
    box.start()
    try:
        until(lambda: all(engine.idle() for engine in box.engines))
        for n in range(3):
            assert box.send(form(phone=f"+38067111220{n}")) == 200
        box.settle()
        assert len(WORLDS["crm"].of("deal")) == 3
    finally:
        box.close()


# --- a worker process -----------------------------------------------------------------------------


@pytest.fixture
def mortal(tmp_path: Path) -> Iterator[LocalRedis]:
    """A Redis that a test may kill."""
    command = program()
    assert command is not None
    server = LocalRedis(command, tmp_path / "redis")
    assert server.start()
    yield server
    server.stop()


def kill(server: LocalRedis) -> None:
    assert server.process is not None
    server.process.kill()
    server.process.wait()


_WORKER = """
import sys
from pathlib import Path
from hub.config import load
from hub.plugins import Plugins
from hub.processes import Plan, run_worker
from tests.hub.fakes import PLUGINS, WORLDS, World

folder, redis_url, slow = Path(sys.argv[1]), sys.argv[2], sys.argv[3] == "slow"
plugins = Plugins.of(*PLUGINS)
config = load(folder / "hub.yaml", plugins, {})
for name in config.connections:
    WORLDS[name] = World()

def call(action):
    print("calling", flush=True)
    if slow:
        sys.stdin.readline()

WORLDS["crm"].fail = call
run_worker(Plan(config, plugins, folder / "data", "", redis_url, threads=8))
print("ended", flush=True)
"""


class Worker:
    """A worker in a process of its own, on the data folder of a box."""

    def __init__(self, box: Box, redis_url: str, speed: str = "quick") -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", _WORKER, str(box.folder), redis_url, speed],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parents[2],
        )  # fmt: skip

    def line(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline().strip()

    def go_on(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write("\n")
        self.process.stdin.flush()

    def end(self) -> str:
        """Tell it to end; it has ten seconds, and says what is left to say."""
        self.process.send_signal(signal.SIGTERM)
        said, _ = self.process.communicate(timeout=12)
        assert self.process.returncode == 0
        return said.strip()


@pytest.fixture
def worker(tmp_path: Path) -> Iterator[Callable[..., tuple[Box, Worker]]]:
    """Start a box that only takes requests, and a worker beside it."""
    made: list[tuple[Box, Worker]] = []

    def start(redis_url: str, speed: str = "quick") -> tuple[Box, Worker]:
        box = Box(tmp_path / "hub", YAML)
        made.append((box, Worker(box, redis_url, speed)))
        return made[-1]

    yield start
    for box, process in made:
        if process.process.poll() is None:
            process.process.kill()
        process.process.communicate()
        box.close()


def states(box: Box) -> list[str]:
    return [delivery["state"] for delivery in box.deliveries()]


def test_a_worker_works_without_redis_with_it_and_without_it_again(
    worker: Callable[..., tuple[Box, Worker]], mortal: LocalRedis
) -> None:
    kill(mortal)  # away when the worker starts
    box, process = worker(mortal.url)
    box.send(form())
    until(lambda: states(box) == ["done"])
    assert mortal.start()
    client = connect(mortal.url)
    until(lambda: client.info("clients")["blocked_clients"])  # it listens
    box.send(form())
    Ringer(connect(mortal.url))()
    until(lambda: states(box) == ["done"] * 2)
    kill(mortal)  # away in the midst of it
    box.send(form())
    until(lambda: states(box) == ["done"] * 3)
    assert mortal.start()
    until(lambda: client.info("clients")["blocked_clients"])  # it listens again
    client.close()
    assert process.end().endswith("ended")


@pytest.mark.parametrize("with_redis", [True, False])
def test_sigterm_ends_a_worker_and_lets_the_call_under_way_end(
    worker: Callable[..., tuple[Box, Worker]], mortal: LocalRedis, with_redis: bool
) -> None:
    box, process = worker(mortal.url if with_redis else "", "slow")
    box.send(form())
    assert process.line() == "calling"
    process.process.send_signal(signal.SIGTERM)
    process.go_on()
    assert process.end() == "ended"
    [delivery] = box.deliveries()
    assert (delivery["state"], delivery["tries"]) == ("done", 1)
    with box.store.read() as db:
        assert db.rows("SELECT key FROM line WHERE lease IS NOT NULL") == []


def test_a_worker_told_to_end_begins_nothing_new(tmp_path: Path) -> None:
    box = Box(tmp_path, YAML)
    box.send(form())
    for engine in box.engines:
        engine.stopping.set()
        engine.start()
        engine.stop(10)
        assert not engine.intake.is_alive() and not engine.dispatcher.is_alive()
    assert box.left() == {"receipts": 1, "events": 0, "deliveries": 0}
    box.close()


def test_a_second_sigterm_does_not_hurry_it(worker: Callable[..., tuple[Box, Worker]]) -> None:
    box, process = worker("", "slow")
    box.send(form())
    assert process.line() == "calling"
    process.process.send_signal(signal.SIGTERM)
    process.process.send_signal(signal.SIGTERM)
    process.go_on()
    assert process.end() == "ended"
    assert states(box) == ["done"]
