"""Politeness: one leaky bucket per vendor account, shared by all workers through Redis.

`reserve` is asked before work is claimed, so that a wait for the limit uses up no try and holds no worker.
`spend` counts calls that were not reserved; it never refuses, the bucket then runs into debt and the next
`reserve` waits. Without Redis each worker keeps to its share of the limit.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

import redis

#: KEYS[1] bucket; ARGV: wanted, per second, burst, forced(0|1). A bucket holds [level, at], by Redis's clock.
_RESERVE = """
local now = redis.call('TIME')
now = tonumber(now[1]) + tonumber(now[2]) / 1000000
local want, rate, burst = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local had = redis.call('HMGET', KEYS[1], 'level', 'at')
local level = tonumber(had[1]) or 0
local at = tonumber(had[2]) or now
level = math.max(0, level - math.max(0, now - at) * rate)
local grant = want
if ARGV[4] == '0' then grant = math.max(0, math.min(want, math.floor(burst - level + 0.000001))) end
level = level + grant
redis.call('HSET', KEYS[1], 'level', tostring(level), 'at', tostring(now))
redis.call('PEXPIRE', KEYS[1], math.ceil((level / rate + 60) * 1000))
return {grant, tostring(level)}
"""


#: seconds an account that Redis called unpaused is taken for unpaused: asking before each call cost a third of a
#: worker's time. So long may this worker go on after another was told to stop; its own pauses it knows at once
FRESH = 0.1


#: seconds a command waits for a limit at most
PATIENCE = 30.0


class Bucket:
    """A leaky bucket in this process: `level` drains at `rate` a second and may not pass `burst`."""

    def __init__(self, rate: float, burst: float, clock: Callable[[], float] = time.monotonic) -> None:
        self.rate, self.burst, self._clock = rate, burst, clock
        self._level, self._at = 0.0, clock()
        self._lock = threading.Lock()

    def take(self, want: int, forced: bool = False) -> int:
        """Take up to `want` and return how many were granted; `forced` takes all, into debt if need be."""
        with self._lock:
            now = self._clock()
            self._level = max(0.0, self._level - (now - self._at) * self.rate)
            self._at = now
            grant = want if forced else max(0, min(want, int(self.burst - self._level + 1e-6)))
            self._level += grant
            return grant

    def wait(self, want: int = 1) -> float:
        """Return the seconds until `want` more fit."""
        with self._lock:
            level = max(0.0, self._level - (self._clock() - self._at) * self.rate)
            return max(0.0, (level + want - self.burst) / self.rate)


class Limiter:
    """All buckets and pauses of one worker."""

    def __init__(self, client: Any | None, workers: int = 1, prefix: str = "hub:limit:") -> None:
        self._redis = client
        self._script = client.register_script(_RESERVE) if client is not None else None
        self._share = max(1, workers)
        self._prefix = prefix
        self._local: dict[str, Bucket] = {}
        self._pauses: dict[str, float] = {}
        self._asked: dict[str, float] = {}
        self._down_until = 0.0

    def reserve(self, key: str, want: int, rate: float, burst: float) -> int:
        """Return how many of the wanted calls may go out now."""
        return self._take(key, want, rate, burst, forced=False)

    def spend(self, key: str, calls: int, rate: float, burst: float) -> None:
        """Count calls that go out anyway (negative gives back what was reserved and not used)."""
        self._take(key, calls, rate, burst, forced=True)

    def wait(self, key: str, calls: int, rate: float, burst: float) -> None:
        """Wait until that many calls may go out, as long as a person waits for a command; then count them anyway."""
        deadline = time.monotonic() + PATIENCE
        while calls > 0 and time.monotonic() < deadline:
            calls -= self.reserve(key, calls, rate, burst)
            if calls > 0:
                time.sleep(min(1.0, max(0.02, 1.0 / rate)))
        if calls:
            self.spend(key, calls, rate, burst)

    def pause(self, key: str, seconds: float, scope: str = "") -> None:
        """Stop all calls (or those of one scope) of an account for some seconds, in every worker.

        A pause that lasts longer already stays: the answer to an earlier call may come late.
        """
        name = f"{key}:{scope}"
        if self._left(name) >= seconds:
            return
        self._pauses[name] = time.monotonic() + seconds
        self._try(lambda client: client.set(f"{self._prefix}pause:{name}", "1", px=max(1, int(seconds * 1000))))

    def paused(self, key: str, scope: str = "") -> float:
        """Return the seconds an account (or one scope of it) is still paused."""
        if scope and (wait := self.paused(key)):
            return wait
        return self._left(f"{key}:{scope}")

    def _left(self, name: str) -> float:
        local = self._pauses.get(name, 0.0) - time.monotonic()
        if local > 0:
            return local
        if time.monotonic() - self._asked.get(name, -FRESH) < FRESH:
            return 0.0
        left = self._try(lambda client: client.pttl(f"{self._prefix}pause:{name}"))
        if left is None or left <= 0:
            self._asked[name] = time.monotonic()
        return max(0.0, (left or 0) / 1000)

    def _take(self, key: str, want: int, rate: float, burst: float, forced: bool) -> int:
        def ask(client: Any) -> int:
            assert self._script is not None
            return int(self._script([f"{self._prefix}{key}"], [want, rate, burst, int(forced)])[0])

        granted = self._try(ask)
        if granted is not None:
            return granted
        bucket = self._local.get(key)
        if bucket is None:
            bucket = self._local[key] = Bucket(rate / self._share, max(1.0, burst / self._share))
        return bucket.take(want, forced)

    def _try(self, ask: Callable[[Any], Any]) -> Any | None:
        """Ask Redis; None where it is away. After a failure it is left alone for a second."""
        if self._redis is None or time.monotonic() < self._down_until:
            return None
        try:
            return ask(self._redis)
        except redis.RedisError:
            self._down_until = time.monotonic() + 1.0
            return None
