"""The vendor's writings of time. None carries a zone: they are local to the cabinet.

hook                        yyyy-mm-dd hh:mm:ss
lead-service                dd-mm-yyyy hh:mm:ss
journal of calls            dd/mm/yyyy (asked), dd/mm/yyyy hh:mm:ss (answered)
journal of requests         mm/dd/yyyy (asked: month first!), dd/mm/yyyy hh:mm:ss and ms since 1970 (answered)
`timestamp` of a hook       seconds since 1970, presumably; the unit is told by its size
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterable
from typing import Any
from zoneinfo import ZoneInfo

#: what a text looks like -> how to read it
_SPELLINGS = (
    (re.compile(r"\d{4}-\d{2}-\d{2} \d{2}:\d{2}:\d{2}"), "%Y-%m-%d %H:%M:%S"),
    (re.compile(r"\d{2}-\d{2}-\d{4} \d{2}:\d{2}:\d{2}"), "%d-%m-%Y %H:%M:%S"),
    (re.compile(r"\d{2}/\d{2}/\d{4} \d{2}:\d{2}:\d{2}"), "%d/%m/%Y %H:%M:%S"),
    (re.compile(r"\d{2}\.\d{2}\.\d{4} \d{2}:\d{2}:\d{2}"), "%d.%m.%Y %H:%M:%S"),
)
#: a day alone, as people write it in a CRM; it tells no call from another
_DAYS = (
    (re.compile(r"\d{2}-\d{2}-\d{4}"), "%d-%m-%Y"),
    (re.compile(r"\d{2}\.\d{2}\.\d{4}"), "%d.%m.%Y"),
)
_EPOCH = re.compile(r"\d{9,17}")
_FIRST, _LAST = dt.datetime(2000, 1, 1, tzinfo=dt.UTC), dt.datetime(2100, 1, 1, tzinfo=dt.UTC)


def epoch(value: Any) -> dt.datetime | None:
    """Return a number of seconds, milliseconds or microseconds since 1970 as an instant; the size tells the unit."""
    text = str(value).strip() if isinstance(value, (int, str)) and not isinstance(value, bool) else ""
    if not (text.isascii() and _EPOCH.fullmatch(text)):
        return None
    number = int(text)
    seconds = number / (1_000_000 if len(text) > 14 else 1000 if len(text) > 11 else 1)
    if not _FIRST.timestamp() <= seconds < _LAST.timestamp():
        return None
    return dt.datetime.fromtimestamp(seconds, dt.UTC)


def wall(value: Any) -> dt.datetime | None:
    """Return a time written to the second as it stands on the cabinet's wall, without a zone; None if it isn't one."""
    return _read(value, _SPELLINGS)


def _read(value: Any, spellings: Iterable[tuple[re.Pattern[str], str]]) -> dt.datetime | None:
    text = str(value or "").strip()[:40].replace("T", " ", 1)
    if not text.isascii():
        return None
    for pattern, spelling in spellings:
        if pattern.fullmatch(text):
            try:
                found = dt.datetime.strptime(text, spelling)  # noqa: DTZ007 (the zone is the cabinet's, put on later)
            except ValueError:
                return None
            return found if _FIRST.year <= found.year < _LAST.year else None
    return None


def instant(local: dt.datetime, zone: ZoneInfo) -> dt.datetime:
    """Return the instant of a time on the wall."""
    return local.replace(tzinfo=zone).astimezone(dt.UTC)


def on_the_wall(at: dt.datetime, zone: ZoneInfo) -> dt.datetime:
    """Return what the cabinet's clock shows at an instant, to the second."""
    return at.astimezone(zone).replace(tzinfo=None, microsecond=0)


def moment(value: Any, zone: ZoneInfo) -> dt.datetime | None:
    """Return whatever a route writes as a time (ISO with or without offset, a vendor's writing, unix) in UTC."""
    if isinstance(value, dt.datetime):
        return value.astimezone(dt.UTC) if value.tzinfo else instant(value, zone)
    if (found := epoch(value)) is not None:
        return found
    if (local := wall(value) or _read(value, _DAYS)) is not None:
        return instant(local, zone)
    try:
        read = dt.datetime.fromisoformat(str(value or "").strip())
    except ValueError:
        return None
    try:
        return read.astimezone(dt.UTC) if read.tzinfo else instant(read, zone)
    except OverflowError:
        return None


# --- what the vendor is asked and told --------------------------------------------------------------


def for_leads(at: dt.datetime, zone: ZoneInfo) -> str:
    """Return an instant as lead-service wants it."""
    return f"{at.astimezone(zone):%d-%m-%Y %H:%M:%S}"


def for_calls(day: dt.date) -> str:
    """Return a day as the journal of calls wants it: day first."""
    return f"{day:%d/%m/%Y}"


def for_requests(day: dt.date) -> str:
    """Return a day as the journal of requests wants it: month first. The other order is silently accepted."""
    return f"{day:%m/%d/%Y}"
