"""What a person asks first about many events: who, since when, what became of them, and where is somebody needed?"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from hub import golden
from hub.explain import iso, told, wait_of
from hub.store import Db, families, reading, roster, state

#: so many persons are named
_PERSONS = 3
#: what a delivery's state is called in a count
_CALLED = {
    "done": "done", "ready": "waiting", "parked": "parked", "refused": "refused", "skipped": "skipped",
    "dropped": "dropped",
}  # fmt: skip


def summary(db: Db, events: Sequence[int], language: str = "en") -> dict[str, Any]:
    """Return what became of these events, ready for JSON.

    `messages` are the requests they came in, `calls` counts their outward calls by state, `silent` the events that
    led to none. `needed` are those that wait for a person, with the commands that go on; `waits` those that wait for
    anything else.
    """
    rows = reading.events_of(db, events)
    deliveries = reading.deliveries_of_events(db, events)
    busy = {row["event"] for row in deliveries}
    calls = Counter(_CALLED[row["state"]] for row in deliveries if row["connection"] != "hub")
    moments = [row["at"] for row in rows]
    return {
        "persons": _persons(db, rows),
        "events": len(rows),
        "messages": len({row["receipt"] for row in rows if row["receipt"] is not None}),
        "since": iso(min(moments, default=None)),
        "last": iso(max(moments, default=None)),
        "calls": {name: calls[name] for name in _CALLED.values()},
        "silent": sum(row["id"] not in busy and row["state"] == "planned" for row in rows),
        "needed": [*_unreadable(rows, language), *_parked(deliveries, language)],
        "waits": [*_unread(rows), *_waiting(db, deliveries, language)],
    }


def _persons(db: Db, rows: Sequence[reading.Row]) -> list[dict[str, Any]]:
    """Return who it is about, the most recent first: their keys, and the name they are known by, else the last told."""
    found: dict[int, dict[str, Any]] = {}
    for row in sorted(rows, key=lambda row: -row["id"]):
        if row["person"] is None:
            continue
        person = found.setdefault(row["person"], {"id": row["person"], "name": "", "keys": []})
        contact = row["content"]["record"].get("contact")
        if not person["name"] and isinstance(contact, dict):
            person["name"] = str(contact.get("name") or "")
    for person in list(found.values())[:_PERSONS]:
        known = golden.best(roster.record_of(db, families.family(db, person["id"])), "name")
        person["name"] = str(known or person["name"])
        person["keys"] = [f"{kind} {value}" for kind, value in roster.keys_of(db, person["id"])]
    return list(found.values())[:_PERSONS]


def _unreadable(rows: Sequence[reading.Row], language: str) -> list[dict[str, Any]]:
    return [
        {
            "id": f"e{row['id']}", "what": f"{row['connection']}.{row['type']}", "state": row["state"],
            "reason": told(row["reason"], language), "commands": [f"hub retry e{row['id']}"],
        }
        for row in rows if row["state"] == "unreadable"
    ]  # fmt: skip


def _parked(deliveries: Sequence[reading.Row], language: str) -> list[dict[str, Any]]:
    return [
        {
            "id": f"d{row['id']}", "what": f"{row['connection']}.{row['action']}", "state": row["state"],
            "reason": told(row["reason"], language), "commands": [f"hub retry d{row['id']}", f"hub drop d{row['id']}"],
        }
        for row in deliveries if row["state"] == "parked"
    ]  # fmt: skip


def _unread(rows: Sequence[reading.Row]) -> list[dict[str, Any]]:
    return [
        {
            "id": f"e{row['id']}", "what": f"{row['connection']}.{row['type']}", "kind": "look", "until": None,
            "text": "its record is still to be read at the vendor",
        }
        for row in rows if row["state"] == "waiting"
    ]  # fmt: skip


def _waiting(db: Db, deliveries: Sequence[reading.Row], language: str) -> list[dict[str, Any]]:
    healths = state.healths(db)
    found = []
    for row in deliveries:
        wait = wait_of(db, row, healths, language) if row["state"] == "ready" else None
        if wait is not None:
            found.append({"id": f"d{row['id']}", "what": f"{row['connection']}.{row['action']}", **wait})
    return found
