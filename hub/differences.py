"""What differs between a vendor's record, the hub's last look at it, and its twin on the other side. Pure."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Mapping
from typing import Any

from hub import changes
from hub.model import Record

#: seconds that two clocks may be apart, and that a vendor's time may be rounded by
UNSURE = 60.0


def since_seen(seen: Mapping[str, Any], now: Record, volatile: Collection[str]) -> list[str]:
    """Return the fields in which a record differs from the last look at it.

    Only those that both have: a list may tell less of a record than the record itself, and a look more.
    """
    before, after = seen.get("extra") or seen, now.get("extra") or now
    found = {
        name for name in before.keys() & after.keys()
        if name not in volatile and not changes.same(before.get(name), after.get(name))
    }  # fmt: skip
    found |= {
        name for name in changes.DERIVED
        if name in seen and name in now and not changes.same(seen.get(name), now.get(name))
    }  # fmt: skip
    return sorted(found)


def instant(record: Mapping[str, Any] | None, *names: str) -> float | None:
    """Return the first of these times of a record that it has, in epoch seconds."""
    for name in names:
        value = (record or {}).get(name)
        if isinstance(value, dt.datetime):
            return value.timestamp()
        if value:
            try:
                return dt.datetime.fromisoformat(str(value)).timestamp()
            except ValueError:
                continue
    return None


def edited_since(record: Record, looked: float, seen: Mapping[str, Any] | None = None) -> bool:
    """Return whether the vendor says that a record was edited since the hub looked at it, or may have been.

    looked: when that was, by our clock. True where the vendor doesn't say, and where the two times are too close to
    tell: a person's edit must not be taken for damage.
    """
    at = instant(record, "changed_at")
    if at is None or at > looked - UNSURE:
        return True
    before = instant(seen, "changed_at")
    return before is not None and at > before


def news_since(now: Record, watched: float) -> bool:
    """Return whether a record never looked at was made or edited since the hub watches its connection."""
    at = instant(now, "changed_at", "created_at")
    return at is not None and at >= watched


def listed(fields: Collection[str], most: int = 6) -> str:
    """Return names of fields as one text."""
    names = list(fields)
    return ", ".join(names[:most]) + (", ..." if len(names) > most else "")
