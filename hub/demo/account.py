"""Afterwards: what became of each request, and what stands where. Everything is read; nothing here judges.

Every request falls into exactly one group, so the counts add up to what arrived.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from hub import explain, normal
from hub.demo.cast import Person
from hub.demo.world import TTN, Sent, World
from hub.reasons import say_stored
from hub.store import Db, reading
from hub.store.json import loads
from hub.store.reading import Page

_ALL = Page(limit=100_000)
#: what the first act of a route means to a person
_ACTS = {
    "crm.lead.upsert": "a lead",
    "crm.deal.upsert": "a deal",
    "nova.parcel.create": "a waybill, its number in the deal",
}


@dataclass(frozen=True, order=True)
class Group:
    """Requests of which the same became."""

    connection: str
    what: str
    became: str
    why: str = ""


@dataclass
class Outcome:
    """The evening: everything the checks look at and the tables show."""

    groups: dict[Group, int]
    arrived: dict[str, int]
    sent: list[Sent]
    contacts: list[dict[str, str]]
    leads: list[dict[str, str]]
    deals: list[dict[str, str]]
    todos: list[dict[str, str]]
    comments: list[dict[str, str]]
    waybills: list[dict[str, str]]
    #: (deal, from, to): every stage the hub wrote, in order
    moves: list[tuple[str, str, str]]
    #: outcome of a try -> how many
    tries: dict[str, int]
    #: code of a reason -> how many deliveries and events have it
    reasons: dict[str, int]
    #: deliveries set off by the hub's own writes
    by_echo: int
    unfinished: dict[str, int]
    alerts: list[dict[str, Any]]
    #: person's name -> events that a search for their phone finds
    found: dict[str, int]
    notes: dict[str, Any] = field(default_factory=dict)


def collect(world: World, people: Iterable[Person]) -> Outcome:
    """Read the hub's store and both stand-ins."""
    portal, carrier = world.portal.state(), world.carrier.state()
    with world.store.read() as db:
        tries = Counter({row[0]: row[1] for row in db.rows("SELECT outcome, count(*) FROM attempt GROUP BY outcome")})
        return Outcome(
            groups=groups(db, world),
            arrived=_arrived(db, world, portal),
            sent=world.sent,
            **_crm(portal, world.stages),
            waybills=[{name: str(row[name]) for name in _WAYBILL} for row in carrier["waybills"]],
            moves=_moves(db, world.stages),
            tries=dict(tries),
            reasons=_reasons(db),
            by_echo=int(
                db.rows("SELECT count(*) FROM delivery d JOIN event e ON e.id = d.event WHERE e.hop > 0")[0][0]
            ),
            unfinished=_unfinished(db),
            alerts=[_alert(row) for row in reading.alerts(db, _ALL)],
            found={one.name: len(explain.find(db, one.spelling(3), region="UA", limit=500).events) for one in people},
            notes=world.notes,
        )


# --- what became of each request --------------------------------------------------------------------------------------


def groups(db: Db, world: World) -> dict[Group, int]:
    """Return group -> how many requests."""
    found: Counter[Group] = Counter()
    events, deliveries = defaultdict(list), defaultdict(list)
    for event in reversed(reading.events(db, _ALL)):
        events[event["receipt"]].append(event)
    for delivery in reversed(reading.deliveries(db, _ALL)):
        deliveries[delivery["event"]].append(delivery)
    for receipt in reading.receipts(db, _ALL):
        found[_group(receipt, events[receipt["id"]], deliveries, world.stages)] += 1
    again = db.rows("SELECT connection, sum(n) FROM counter WHERE name = 'duplicate' GROUP BY connection")
    found.update({Group(name, "the same once more", "recognised, nothing done twice"): int(n) for name, n in again})
    for row in reading.rejected(db, _ALL):
        found[Group(row["connection"], "turned away", f"answered {row['status']}", row["words"])] += 1
    pings = Counter(sent.door for sent in world.sent if sent.kind == "ping")
    found.update({Group(door, "test of the address", "answered, nothing to keep"): n for door, n in pings.items()})
    return dict(sorted(found.items()))


def _group(
    receipt: Mapping[str, Any], events: list[dict[str, Any]], deliveries: Mapping[int, Any], stages: Mapping[str, str]
) -> Group:
    """Tell what became of one request."""
    name = receipt["connection"]
    if receipt["state"] == "unreadable":
        return Group(name, "unreadable", "kept, not understood", _why(receipt["reason"]["params"]["why"]))
    if receipt["state"] != "done" or not events:
        return Group(name, "request", "kept, nothing in it" if receipt["state"] == "done" else "not read")
    acted = next((event for event in events if deliveries[event["id"]]), None)
    if acted is not None:
        return Group(name, acted["type"], *_acts(deliveries[acted["id"]], stages))
    first = events[0]
    news = [event for event in events if event["state"] == "planned"]
    if not news or (first["reason"] or {}).get("code") == "echo":
        return Group(name, first["type"], say_stored(first["reason"]) or first["state"])
    skipped = ((news[-1]["reason"] or {}).get("skipped") or [{}])[0]
    if skipped.get("code") == "unrouted":
        return Group(name, news[-1]["type"], "noted", "no route listens to it")
    return Group(name, news[-1]["type"], "noted, no route applies", _in_words(say_stored(skipped), stages))


def _acts(deliveries: list[dict[str, Any]], stages: Mapping[str, str]) -> tuple[str, str]:
    """Tell in a few words what a request set off, and why where that isn't plain."""
    became, why = [], ""
    for one in deliveries:
        act, code = f"{one['connection']}.{one['action']}", (one["reason"] or {}).get("code", "")
        if one["state"] in ("ready", "parked", "dropped"):
            return f"{act}: {one['state']}", _why(_in_words(say_stored(one["reason"]), stages))
        if code == "attached":
            became.append(f"joined to an open {one['reason']['params'].get('record', 'record')} as a comment")
        elif act == "crm.deal.set_stage":
            if one["state"] == "done":
                became.append(f"deal moved to {_stage(one['written'], stages, 'written')}")
            else:
                became.append("deal left where it is")
                why = _in_words(say_stored(one["reason"]), stages)
        elif code == "refused":
            became.append("no waybill, a to-do instead")
            why = _why(say_stored(one["reason"]))
        elif act == "crm.todo.create" and "r" not in one["step"]:
            became.append("a reminder")
        elif act in _ACTS and one["state"] == "done" and one["step"] in ("0", "1") and not became:
            became.append(_ACTS[act])
            why = _why(say_stored(one["reason"]))
    return ", ".join(became) or "done", why


def _why(text: str, most: int = 90) -> str:
    """Return a reason on one line, cut when it is long."""
    text = " ".join(text.split())
    return text if len(text) <= most else text[: most - 1] + "…"


def _in_words(text: str, stages: Mapping[str, str]) -> str:
    """Return a reason with our words for the portal's stage codes."""
    for code, word in stages.items():
        text = text.replace(code, word)
    return text


def _stage(written: Any, stages: Mapping[str, str], when: str) -> str:
    code = ((written or {}).get(when) or {}).get("STAGE_ID", "")
    return stages.get(code, code)


# --- what arrived, what stands ----------------------------------------------------------------------------------------


def _arrived(db: Db, world: World, portal: Mapping[str, Any]) -> dict[str, int]:
    """Count from the senders' side what reached the hub's doors; what it fetched itself is counted in its store."""
    told = portal["counters"]["events"]
    polled = db.rows("SELECT count(*) FROM receipt WHERE method = 'POLL'")[0][0]
    return {
        "sent by forms and strangers": len(world.sent),
        "told by Bitrix24": int(told["sent"] + told["failed"]),
        "fetched by the hub's polls": int(polled),
    }


_WAYBILL = ("number", "status", "phone", "owner_number", "client_barcode")


def _crm(portal: Mapping[str, Any], stages: Mapping[str, str]) -> dict[str, list[dict[str, str]]]:
    """Take what matters out of the portal's records."""
    phones = {}
    for row in portal["contacts"]:
        numbers = {normal.phone(one["VALUE"], "UA") or one["VALUE"] for one in row.get("PHONE", ())}
        phones[str(row["ID"])] = ", ".join(sorted(numbers))
    deals = [
        {
            "id": str(row["ID"]),
            "title": str(row["TITLE"]),
            "phone": phones.get(str(row["CONTACT_ID"]), ""),
            "stage": stages.get(row["STAGE_ID"], str(row["STAGE_ID"])),
            "ttn": str(row.get(TTN) or ""),
            "amount": str(row["OPPORTUNITY"]),
        }
        for row in portal["deals"]
    ]
    return {
        "contacts": [
            {
                "id": str(row["ID"]),
                "name": f"{row['NAME'] or ''} {row['LAST_NAME'] or ''}",
                "phone": phones[str(row["ID"])],
            }
            for row in portal["contacts"]
        ],
        "leads": [
            {"id": str(row["ID"]), "title": str(row["TITLE"]), "phone": phones.get(str(row["CONTACT_ID"]), "")}
            for row in portal["leads"]
        ],
        "deals": deals,
        "todos": [{"deal": str(row["OWNER_ID"]), "title": str(row["SUBJECT"])} for row in portal["activities"]],
        "comments": [
            {"record": f"{row['ENTITY_TYPE']} {row['ENTITY_ID']}", "text": str(row["COMMENT"])}
            for row in portal["comments"]
        ],
    }


def _moves(db: Db, stages: Mapping[str, str]) -> list[tuple[str, str, str]]:
    rows = db.rows(
        "SELECT result, written FROM delivery WHERE action = 'deal.set_stage' AND state = 'done' ORDER BY id"
    )
    found = []
    for result, written in rows:
        wrote = loads(written)
        found.append(
            (
                str((loads(result) or {}).get("id", "")),
                _stage(wrote, stages, "before"),
                _stage(wrote, stages, "written"),
            )
        )
    return found


def _reasons(db: Db) -> dict[str, int]:
    found: Counter[str] = Counter()
    for table in ("delivery", "event"):
        for (reason,) in db.rows(f"SELECT reason FROM {table} WHERE reason IS NOT NULL"):  # noqa: S608
            found[(loads(reason) or {}).get("code") or "skipped"] += 1
    return dict(found)


def _unfinished(db: Db) -> dict[str, int]:
    return {
        "receipts": int(db.rows("SELECT count(*) FROM receipt WHERE state = 'new'")[0][0]),
        "events": int(db.rows("SELECT count(*) FROM event WHERE state = 'waiting'")[0][0]),
        "deliveries": int(db.rows("SELECT count(*) FROM delivery WHERE state = 'ready'")[0][0]),
        "parked": int(db.rows("SELECT count(*) FROM delivery WHERE state = 'parked'")[0][0]),
    }


def _alert(row: Mapping[str, Any]) -> dict[str, Any]:
    words = say_stored({"code": row["kind"], "params": row["params"]})
    return {"kind": row["kind"], "words": words, "times": row["count"], "open": row["closed_at"] is None}
