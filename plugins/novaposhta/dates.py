"""The vendor's dates: more than six spellings, in Kyiv's time unless an offset says otherwise.

Seen: `06-04-2023 12:47:40`, `2023-04-06 22:00:00`, `15:36 07.04.2023`, `07.04.2023 13:35:58`, `01.01.2019`,
`12/10/15 10:33` (day first), `2019.01.02 12:13:14`, `2023-04-14`, ISO 8601 with an offset (registers).
"""

from __future__ import annotations

import datetime as dt
import re
from typing import Any
from zoneinfo import ZoneInfo

KYIV = ZoneInfo("Europe/Kyiv")

#: what a text looks like -> how to read it; the first that fits decides
_SPELLINGS = (
    (re.compile(r"\d{2}-\d{2}-\d{4} \d{2}:\d{2}:\d{2}"), "%d-%m-%Y %H:%M:%S"),
    (re.compile(r"\d{2}-\d{2}-\d{4}"), "%d-%m-%Y"),
    (re.compile(r"\d{2}:\d{2} \d{2}\.\d{2}\.\d{4}"), "%H:%M %d.%m.%Y"),
    (re.compile(r"\d{2}\.\d{2}\.\d{4} \d{2}:\d{2}:\d{2}"), "%d.%m.%Y %H:%M:%S"),
    (re.compile(r"\d{2}\.\d{2}\.\d{4} \d{2}:\d{2}"), "%d.%m.%Y %H:%M"),
    (re.compile(r"\d{2}\.\d{2}\.\d{4}"), "%d.%m.%Y"),
    (re.compile(r"\d{2}/\d{2}/\d{2} \d{2}:\d{2}"), "%d/%m/%y %H:%M"),
    (re.compile(r"\d{4}\.\d{2}\.\d{2} \d{2}:\d{2}:\d{2}"), "%Y.%m.%d %H:%M:%S"),
    (re.compile(r"\d{4}\.\d{2}\.\d{2}"), "%Y.%m.%d"),
)
_ISO = re.compile(r"\d{4}-\d{2}-\d{2}([T ].*)?")
#: "0001-01-01 00:00:00" and the like mean "no date"
_FIRST_YEAR = 2000


def local(value: Any) -> dt.datetime | None:
    """Return the moment with its zone (Kyiv unless given), or None if the value is no date of this century."""
    text = str(value or "").strip()
    try:
        moment = _read(text)
        if moment is None or not _FIRST_YEAR <= moment.year < 9999:
            return None
        return moment if moment.tzinfo else moment.replace(tzinfo=KYIV)
    except ValueError:
        return None


def _read(text: str) -> dt.datetime | None:
    if _ISO.fullmatch(text):
        return dt.datetime.fromisoformat(text)
    for pattern, spelling in _SPELLINGS:
        if pattern.fullmatch(text):
            return dt.datetime.strptime(text, spelling).replace(tzinfo=KYIV)
    return None


def instant(value: Any) -> dt.datetime | None:
    """Return the moment in UTC, or None."""
    moment = local(value)
    return moment.astimezone(dt.UTC) if moment else None


def instant_text(value: Any) -> str | None:
    """Return the moment as ISO text in UTC, or None."""
    moment = instant(value)
    return moment.isoformat() if moment else None


def day(value: Any) -> dt.date | None:
    """Return the calendar day in Kyiv, or None."""
    moment = local(value)
    return moment.astimezone(KYIV).date() if moment else None


def day_text(value: Any) -> str | None:
    """Return the calendar day in Kyiv as YYYY-MM-DD, or None."""
    found = day(value)
    return found.isoformat() if found else None


def to_vendor(when: dt.date) -> str:
    """Return a day as requests want it: dd.mm.yyyy."""
    return f"{when:%d.%m.%Y}"


def today(now: dt.datetime) -> dt.date:
    """Return the calendar day in Kyiv at this instant."""
    return now.astimezone(KYIV).date()
