"""How much of its calls an app or account has used: two headers on every answer, minded before the next call.

`X-App-Usage {"call_count", "total_time", "total_cputime"}` and `X-Business-Use-Case-Usage {"<id>": [{"type", ...,
"estimated_time_to_regain_access"}]}`: percentages; at 100 in any of them calls are refused, and calls made then
prolong it. https://developers.facebook.com/docs/graph-api/overview/rate-limiting
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from hub.errors import RateLimited
from plugins.meta.envelope import text

#: percent from which on only calls that matter go out, and from which on none does
CAREFUL, FULL = 80.0, 100.0
#: kinds of use that our calls belong to; advertising has its own share
KINDS = frozenset({"instagram", "messenger", "pages", "leadgen", "whatsapp", ""})
#: seconds a reading counts, and a full share without an estimate waits: the windows roll within an hour
_COUNTS, _UNTOLD = 300.0, 300.0
_PERCENTAGES = ("call_count", "total_time", "total_cputime")


@dataclass(frozen=True, slots=True)
class Usage:
    """One share of calls: whose (the id, `app` for the app), of what kind, how full, minutes until it is open again."""

    whose: str
    kind: str
    percent: float
    minutes: float


def read(headers: Mapping[str, str]) -> Iterator[Usage]:
    """Yield what the headers of an answer say; what can't be read is left out."""
    app = _json(headers.get("x-app-usage"))
    if isinstance(app, Mapping):
        yield Usage("app", "", _percent(app), 0.0)
    cases = _json(headers.get("x-business-use-case-usage"))
    for whose, rows in cases.items() if isinstance(cases, Mapping) else ():
        for row in rows if isinstance(rows, list) else ():
            if isinstance(row, Mapping):
                minutes = _number(row.get("estimated_time_to_regain_access"))
                yield Usage(str(whose), text(row.get("type")), _percent(row), minutes)


def seconds_to_wait(headers: Mapping[str, str]) -> float | None:
    """Return the longest wait that the headers name, in seconds; None if they name none."""
    return max((usage.minutes * 60 for usage in read(headers) if usage.minutes and usage.kind in KINDS), default=None)


class Meter:
    """The last reading of one connection's shares; shared by the threads of a worker."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        #: (whose, kind) -> (percent, until when the reading counts)
        self._shares: dict[tuple[str, str], tuple[float, float]] = {}

    def note(self, headers: Mapping[str, str]) -> None:
        """Keep what an answer says."""
        for usage in read(headers):
            if usage.kind in KINDS:
                lasts = (usage.minutes * 60 or _UNTOLD) if usage.percent >= FULL else _COUNTS
                with self._lock:
                    self._shares[(usage.whose, usage.kind)] = (usage.percent, self._clock() + lasts)

    def mind(self, optional: bool = False) -> None:
        """Raise `RateLimited` if a share is used up; `optional` calls leave the last fifth to those that matter."""
        most = CAREFUL if optional else FULL
        now = self._clock()
        with self._lock:
            full = [(until - now, share, percent) for share, (percent, until) in self._shares.items()
                    if percent >= most and until > now]  # fmt: skip
        if full:
            wait, (whose, kind), percent = max(full)
            share = f"{kind or 'the app'}'s share of calls ({whose})" if kind else "the app's share of calls"
            raise RateLimited(f"{share} is {percent:.0f} % used up", min(wait, 3600.0))


def _percent(row: Mapping[str, Any]) -> float:
    return max(_number(row.get(name)) for name in _PERCENTAGES)


def _number(value: Any) -> float:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else 0.0


def _json(value: Any) -> Any:
    try:
        return orjson.loads(value) if value else None
    except orjson.JSONDecodeError:
        return None
