"""Which processes of the hub run, and by which configuration: facts that each keeps fresh while it lives."""

from __future__ import annotations

from dataclasses import asdict, dataclass

from hub.store.engine import Db
from hub.store.json import dumps, loads

_PREFIX = "process:"
#: seconds between two signs of life
BEAT = 15.0
#: seconds without one after which a process counts as gone
ALIVE = 4 * BEAT


@dataclass(frozen=True)
class Running:
    """A process: what it was started as (`run`, `serve`, `work`, `tick`), where, since when, and by what.

    `version` is that of hub.yaml, `settings` a digest of the variables in it; times are epoch seconds.
    """

    part: str
    host: str
    pid: int
    since: float
    version: str
    settings: str
    seen: float = 0.0


def announce(db: Db, process: Running) -> None:
    """Give a sign of life; what died long ago without taking its own back is forgotten."""
    name = f"{_PREFIX}{process.host}:{process.pid}"
    value = dumps(asdict(process) | {"seen": db.now})
    db.insert("fact", ("name", "value"), [(name, value)], "ON CONFLICT (name) DO UPDATE SET value = excluded.value")
    for other in _all(db):
        if abs(db.now - other.seen) > 86400:
            withdraw(db, other.host, other.pid)


def withdraw(db: Db, host: str, pid: int) -> None:
    """Take a process's sign of life back: it ends."""
    db.run("DELETE FROM fact WHERE name = ?", (f"{_PREFIX}{host}:{pid}",))


def running(db: Db) -> list[Running]:
    """Return the processes that gave a sign of life lately, the longest running first."""
    return sorted((one for one in _all(db) if abs(db.now - one.seen) < ALIVE), key=lambda one: one.since)


def _all(db: Db) -> list[Running]:
    rows = db.rows("SELECT value FROM fact WHERE name LIKE ?", (f"{_PREFIX}%",))
    return [Running(**loads(row[0])) for row in rows]
