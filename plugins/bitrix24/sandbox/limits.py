"""Limits: requests per portal (a leaky bucket) and run time per method (`operating`)."""

from __future__ import annotations

from collections import defaultdict

from plugins.bitrix24.sandbox.words import RestError

_MINUTE = 60
_WINDOW = 10 * _MINUTE

TOO_MANY = ("QUERY_LIMIT_EXCEEDED", "Too many requests", 503)
TOO_LONG = ("OPERATION_TIME_LIMIT", "Method is blocked due to operation time limit.", 429)


class Bucket:
    """Requests leak out at `rate` per second; above `burst` waiting ones the next is refused with 503."""

    def __init__(self, rate: float | None, burst: int) -> None:
        self.rate, self.burst = rate, burst
        self.level = 0.0
        self.at = 0.0
        self.refused = 0

    def take(self, now: float) -> None:
        """Count a request or refuse it."""
        if self.rate is None:
            return
        self.level = max(0.0, self.level - (now - self.at) * self.rate)
        self.at = now
        if self.level + 1 > self.burst:
            self.refused += 1
            raise RestError(*TOO_MANY)
        self.level += 1


class Operating:
    """Run time of a method for one caller: the sum over ten one-minute buckets, blocked when it is used up."""

    def __init__(self, limit: float | None) -> None:
        self.limit = limit
        self._spent: dict[tuple[str, str], dict[int, float]] = defaultdict(dict)

    def check(self, caller: str, method: str, now: float) -> None:
        """Refuse a method whose time is used up."""
        if self.limit is not None and self.spent(caller, method, now) >= self.limit:
            raise RestError(*TOO_LONG)

    def add(self, caller: str, method: str, now: float, seconds: float) -> None:
        """Book a call's run time."""
        minutes = self._spent[(caller, method)]
        minute = int(now // _MINUTE)
        minutes[minute] = minutes.get(minute, 0.0) + seconds

    def spent(self, caller: str, method: str, now: float) -> float:
        """Return the run time of the last ten minutes."""
        minutes = self._spent[(caller, method)]
        oldest = int((now - _WINDOW) // _MINUTE)
        for minute in [each for each in minutes if each <= oldest]:
            del minutes[minute]
        return sum(minutes.values())

    def reset_at(self, caller: str, method: str, now: float) -> int:
        """Return when the oldest booked minute leaves the window."""
        minutes = self._spent[(caller, method)]
        return (min(minutes) * _MINUTE if minutes else int(now)) + _WINDOW
