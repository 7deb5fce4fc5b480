"""What is counted of a person: requests, orders, records that are theirs. Each by an index on the person."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Sequence
from typing import Any

from hub.events import REQUESTS, TALKS
from hub.store.engine import Db
from hub.store.json import loads

#: a conversation at a connection, on one day where the company is
Day = tuple[str, dt.date]
#: when somebody asked, and as part of which conversation
Moment = tuple[float, Day | None]
#: requests of one person that are counted, the latest
MOST = 1000


def made_by(db: Db, event: int) -> bool:
    """Return whether an event is the first that was heard of its person."""
    row = db.one("SELECT matched FROM event WHERE id = ?", (event,))
    return bool(row and row[0] and loads(row[0]).get("code") == "match_new")


def day_of(type_: str, connection: str, at: float, zone: dt.tzinfo) -> Day | None:
    """Return as part of which conversation something counts (connection, local day); None for what counts by itself."""
    return (connection, dt.datetime.fromtimestamp(at, zone).date()) if type_ in TALKS else None


def counted(moments: Iterable[Moment]) -> list[float]:
    """Return when each request was, of a conversation the first moment of each day that is given."""
    known: set[Day] = set()
    times = []
    for at, day in moments:
        if day is None or day not in known:
            times.append(at)
        if day is not None:
            known.add(day)
    return times


def requests(db: Db, persons: Sequence[int], event: int, until: float, zone: dt.tzinfo) -> list[Moment]:
    """Return when persons (who are one) asked for something, other than by this event, the earliest first.

    A form, a call, an order is a request; twenty lines of a chat on one local day are one (`counted`).
    """
    marks = db.marks(persons)
    own, talks = db.marks(REQUESTS), db.marks(TALKS)
    rows = db.rows(
        f"SELECT at, type, connection FROM event WHERE person IN ({marks}) AND at <= ? AND id <> ? "  # noqa: S608
        f"AND type IN ({own},{talks}) AND state = 'planned' ORDER BY at DESC LIMIT ?",
        (*persons, until, event, *REQUESTS, *TALKS, MOST),
    )
    return [(at, day_of(type_, connection, at, zone)) for at, type_, connection in reversed(rows)]


def orders(db: Db, persons: Sequence[int]) -> list[float]:
    """Return when persons ordered, by what shops told."""
    rows = db.rows(
        f"SELECT min(at) FROM event WHERE person IN ({db.marks(persons)}) AND type = 'order.created' "  # noqa: S608
        "GROUP BY connection, subject LIMIT ?",
        (*persons, MOST),
    )
    return [row[0] for row in rows]


def history(db: Db, persons: Sequence[int]) -> list[tuple[str, str, dict[str, Any], float]]:
    """Return (connection, subject, record as last seen, when) of what belongs to persons, the last seen first."""
    rows = db.rows(
        "SELECT s.connection, s.subject, s.record, s.at FROM link l JOIN seen s "  # noqa: S608
        "ON s.connection = l.to_connection AND s.subject = l.to_kind || ':' || l.to_ref "
        f"WHERE l.connection = 'hub' AND l.kind = 'customer' AND l.ref IN ({db.marks(persons)}) "
        "ORDER BY s.at DESC LIMIT ?",
        (*(str(person) for person in persons), MOST),
    )
    found = [(row[0], row[1], (loads(row[2]) or {}).get("record"), row[3]) for row in rows]
    return [(connection, subject, record, at) for connection, subject, record, at in found if record]
