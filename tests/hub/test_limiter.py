"""Politeness (P8): one limit for all workers through a real Redis, and each worker's own share without it."""

from __future__ import annotations

import json
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from hub import limiter as limiter_module
from hub.limiter import Bucket, Limiter
from hub.redis_server import LocalRedis, connect, program


@pytest.fixture
def key() -> str:
    """A bucket nobody else uses."""
    return uuid.uuid4().hex


class Clock:
    """Time as a test wants it."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


# --- the bucket in one process --------------------------------------------------------------------


def test_a_bucket_gives_its_burst_at_once_and_then_its_rate() -> None:
    clock = Clock()
    bucket = Bucket(2.0, 10.0, clock)
    assert [bucket.take(6), bucket.take(6), bucket.take(6)] == [6, 4, 0]
    clock.now += 1.6
    assert bucket.take(9) == 3
    clock.now += 3600
    assert bucket.take(99) == 10


def test_forced_calls_run_a_bucket_into_debt_that_must_drain_first() -> None:
    clock = Clock()
    bucket = Bucket(1.0, 5.0, clock)
    assert bucket.take(8, forced=True) == 8
    clock.now += 3
    assert bucket.take(1) == 0
    assert bucket.wait(1) == pytest.approx(1.0)
    clock.now += 1
    assert bucket.take(5) == 1


def test_what_is_given_back_never_makes_more_than_the_burst() -> None:
    clock = Clock()
    bucket = Bucket(1.0, 5.0, clock)
    bucket.take(-100, forced=True)
    clock.now += 0.001
    assert bucket.take(99) == 5


# --- shared by all workers ------------------------------------------------------------------------


def test_threads_together_never_get_more_than_burst_plus_rate_times_time(redis_url: str, key: str) -> None:
    client = connect(redis_url)
    limiters = [Limiter(client) for _ in range(8)]
    began = _redis_now(client)

    def hammer(limiter: Limiter) -> int:
        return sum(limiter.reserve(key, 3, rate=200.0, burst=50) for _ in range(150))

    with ThreadPoolExecutor(8) as pool:
        granted = sum(pool.map(hammer, limiters))
    took = _redis_now(client) - began
    assert 50 <= granted <= 50 + 200.0 * took + 1


_HAMMER = """
import json, sys
from hub.limiter import Limiter
from hub.redis_server import connect
client = connect(sys.argv[1])
limiter = Limiter(client)
print("ready", flush=True)
sys.stdin.readline()
at = lambda: (lambda t: t[0] + t[1] / 1e6)(client.time())
began = at()
granted = sum(limiter.reserve(sys.argv[2], 2, rate=100.0, burst=30) for _ in range(400))
print(json.dumps([granted, began, at()]), flush=True)
"""


def test_processes_together_never_get_more_than_burst_plus_rate_times_time(redis_url: str, key: str) -> None:
    workers = [
        subprocess.Popen(
            [sys.executable, "-c", _HAMMER, redis_url, key], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        for _ in range(3)
    ]
    for worker in workers:
        assert worker.stdout is not None and worker.stdout.readline() == "ready\n"
    for worker in workers:
        assert worker.stdin is not None
        worker.stdin.write("go\n")
        worker.stdin.flush()
    told = [json.loads(worker.communicate()[0]) for worker in workers]
    granted, began, ended = sum(t[0] for t in told), min(t[1] for t in told), max(t[2] for t in told)
    assert 30 <= granted <= 30 + 100.0 * (ended - began) + 1
    assert sum(t[0] > 0 for t in told) >= 1


def test_a_reservation_that_is_given_back_can_be_had_again(redis_url: str, key: str) -> None:
    one, other = Limiter(connect(redis_url)), Limiter(connect(redis_url))
    assert one.reserve(key, 10, rate=0.001, burst=10) == 10
    assert other.reserve(key, 1, rate=0.001, burst=10) == 0
    one.spend(key, -4, rate=0.001, burst=10)
    assert other.reserve(key, 10, rate=0.001, burst=10) == 4


def test_calls_nobody_reserved_are_a_debt_that_all_workers_pay(redis_url: str, key: str) -> None:
    one, other = Limiter(connect(redis_url)), Limiter(connect(redis_url))
    one.spend(key, 25, rate=0.001, burst=10)
    assert other.reserve(key, 1, rate=0.001, burst=10) == 0
    one.spend(key, -16, rate=0.001, burst=10)
    assert other.reserve(key, 5, rate=0.001, burst=10) == 1


def test_giving_back_too_much_makes_no_credit(redis_url: str, key: str) -> None:
    limiter = Limiter(connect(redis_url))
    limiter.spend(key, -1000, rate=1.0, burst=10)
    assert limiter.reserve(key, 1000, rate=1.0, burst=10) == 10


def test_a_bucket_is_forgotten_when_it_has_drained(redis_url: str, key: str) -> None:
    client = connect(redis_url)
    Limiter(client).reserve(key, 10, rate=5.0, burst=10)
    left = client.pttl(f"hub:limit:{key}")
    assert 0 < left <= 63_000


def test_a_clock_set_back_does_not_shut_an_account(redis_url: str, key: str) -> None:
    client = connect(redis_url)
    client.hset(f"hub:limit:{key}", mapping={"level": "0", "at": str(_redis_now(client) + 86_400)})
    assert Limiter(client).reserve(key, 5, rate=10.0, burst=5) == 5


def test_accounts_do_not_share_a_limit(redis_url: str, key: str) -> None:
    limiter = Limiter(connect(redis_url))
    assert limiter.reserve(f"{key}a", 5, rate=0.001, burst=5) == 5
    assert limiter.reserve(f"{key}b", 5, rate=0.001, burst=5) == 5


# --- pauses ---------------------------------------------------------------------------------------


def test_a_pause_one_worker_was_told_of_holds_for_all(redis_url: str, key: str) -> None:
    one, other = Limiter(connect(redis_url)), Limiter(connect(redis_url))
    one.pause(key, 30.0)
    for limiter in (one, other):
        assert 29.0 < limiter.paused(key) <= 30.0
        assert limiter.paused(key, "crm.lead.list") > 29.0  # the whole account includes each method
    assert other.paused("another" + key) == 0.0


def test_a_pause_of_one_method_leaves_the_others_free(redis_url: str, key: str) -> None:
    one, other = Limiter(connect(redis_url)), Limiter(connect(redis_url))
    one.pause(key, 30.0, "crm.lead.list")
    assert other.paused(key, "crm.lead.list") > 29.0
    assert other.paused(key, "crm.deal.list") == other.paused(key) == 0.0


def test_a_late_answer_does_not_shorten_a_longer_pause(redis_url: str, key: str) -> None:
    one, other = Limiter(connect(redis_url)), Limiter(connect(redis_url))
    one.pause(key, 60.0)
    other.pause(key, 1.0)
    assert min(one.paused(key), other.paused(key), Limiter(connect(redis_url)).paused(key)) > 50.0


# --- without Redis --------------------------------------------------------------------------------


def test_without_redis_each_worker_keeps_to_its_share(key: str) -> None:
    limiters = [Limiter(None, workers=4) for _ in range(4)]
    granted = [limiter.reserve(key, 100, rate=0.4, burst=20) for limiter in limiters]
    assert granted == [5, 5, 5, 5]


def test_a_share_is_never_too_small_for_one_call(key: str) -> None:
    assert Limiter(None, workers=64).reserve(key, 1, rate=1.0, burst=2) == 1


def test_without_redis_a_pause_holds_in_the_worker_that_was_told(key: str) -> None:
    limiter = Limiter(None)
    limiter.pause(key, 30.0, "m")
    assert limiter.paused(key, "m") > 29.0
    assert limiter.paused(key) == 0.0


@pytest.fixture
def mortal_redis(tmp_path: Path) -> Iterator[LocalRedis]:
    """A Redis that a test may kill."""
    command = program()
    assert command is not None
    server = LocalRedis(command, tmp_path)
    assert server.start()
    yield server
    server.stop()


def test_when_redis_dies_the_share_takes_over_and_when_it_is_back_the_common_limit_holds(
    mortal_redis: LocalRedis, key: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = Clock()
    monkeypatch.setattr(limiter_module.time, "monotonic", clock)
    one, other = (Limiter(connect(mortal_redis.url), workers=2) for _ in range(2))
    assert one.reserve(key, 8, rate=0.001, burst=8) == 8
    assert other.reserve(key, 8, rate=0.001, burst=8) == 0
    one.pause(key, 500.0)
    assert mortal_redis.process is not None
    mortal_redis.process.kill()
    mortal_redis.process.wait()
    assert [limiter.reserve(key, 8, rate=0.001, burst=8) for limiter in (one, other)] == [4, 4]
    other.spend(key, 1, rate=0.001, burst=8)
    assert one.paused(key) == 500.0  # known here even so
    assert mortal_redis.start()  # an empty one: its scripts and counters are gone
    assert one.reserve(key, 8, rate=0.001, burst=8) == 0  # not asked again within the second
    clock.now += 1.1
    assert one.reserve(key, 5, rate=0.001, burst=8) == 5
    clock.now += 1.1
    assert other.reserve(key, 8, rate=0.001, burst=8) == 3


def test_a_dead_redis_is_asked_once_a_second_not_with_each_call(
    key: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = Clock()
    monkeypatch.setattr(limiter_module.time, "monotonic", clock)
    client = connect(f"unix://{tmp_path}/nobody.sock")
    asked = []
    real = client.connection_pool.get_connection
    monkeypatch.setattr(client.connection_pool, "get_connection", lambda *a, **o: (asked.append(1), real(*a, **o))[1])
    limiter = Limiter(client)
    for _ in range(50):
        limiter.reserve(key, 1, rate=1000.0, burst=1000)
        limiter.paused(key, "m")
    assert len(asked) == 1
    clock.now += 1.1
    limiter.reserve(key, 1, rate=1.0, burst=1)
    assert len(asked) == 2


def _redis_now(client: object) -> float:
    seconds, micro = client.time()  # type: ignore[attr-defined]
    return float(seconds) + micro / 1e6


def test_a_command_waits_for_the_limit() -> None:
    limiter, began = Limiter(None), time.monotonic()
    for _ in range(6):
        limiter.wait("account", 1, 20.0, 2)
    assert time.monotonic() - began > 0.15, "two at once, then one each 50 ms"
    assert limiter.reserve("account", 5, 20.0, 2) == 0, "all of them were counted"
