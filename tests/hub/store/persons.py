"""Words in which the tests of persons speak: what an event says, and what waits for whom."""

from __future__ import annotations

import time

from hub.identity import Asked, Rules
from hub.model import Event
from hub.store import Db, Store, intake, people, work

RULES = Rules()


def asked(*keys: str, name: str = "", at: float = 1.0, connection: str = "site", **more: object) -> Asked:
    """Return what an event says: `asked("phone +380671234567", name="Anna")`."""
    pairs = [tuple(key.split(" ", 1)) for key in keys]
    contact = {"name": name} if name else {}
    for kind, value in pairs:
        contact.setdefault(kind, value)
    return Asked(pairs, contact=contact, connection=connection, at=at, **more)  # type: ignore[arg-type]


def meet(
    store: Store, *many: Asked, rules: Rules = RULES, connections: tuple[str, ...] = ("crm",)
) -> list[people.Match]:
    """Match events one commit each."""
    found = []
    for one in many:
        with store.write() as db:
            found += people.match(db, [one], rules, connections)
    return found


def planned(db: Db, key: str, person: int, line: str = "") -> int:
    """Store an event of a person with one delivery that waits for them; return the delivery's id."""
    event = Event("form.submitted", f"form:{key}", key, {"contact": {}}, connection="site")
    [fresh] = intake.add_events(db, [event])
    intake.set_event_notes(db, [(fresh.id, person, None, None)])
    row = work.NewDelivery(fresh.id, "r", "0", "crm", "lead.upsert", line or f"crm>person:{person}", "crm", key)
    work.add_deliveries(db, [row])
    found = db.one("SELECT id FROM delivery WHERE event = ?", (fresh.id,))
    assert found is not None
    return int(found[0])


def lines(db: Db) -> dict[int, str]:
    return {row[0]: row[1] for row in db.rows("SELECT id, line FROM delivery ORDER BY id")}


def until_somebody_waits(store: Store) -> None:
    """Wait until another transaction waits for a lock (PostgreSQL)."""
    with store.read() as other:
        for _ in range(500):
            if other.one("SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"):
                return
            time.sleep(0.01)
    raise AssertionError("the second transaction never came to the lock")
