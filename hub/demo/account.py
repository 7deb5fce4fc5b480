"""Afterwards: what became of each request. Everything is read; nothing here judges.

Every request falls into exactly one group, so the counts add up to what arrived. What stands at a company's vendors is
read by its own account.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from hub import explain
from hub.demo.letters import Person
from hub.demo.world import Sent, World
from hub.reasons import say_stored
from hub.store import Db, reading
from hub.store.json import loads
from hub.store.reading import Page

_ALL = Page(limit=100_000)


@dataclass(frozen=True, order=True)
class Group:
    """Requests of which the same became."""

    connection: str
    what: str
    became: str
    why: str = ""


@dataclass(kw_only=True)
class Outcome:
    """The evening: what the checks look at and the tables show. A company adds what stands at its vendors."""

    groups: dict[Group, int]
    arrived: dict[str, int]
    sent: list[Sent]
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


W = TypeVar("W", bound=World)


class Account(Generic[W]):
    """Reads the hub's store; a company's own reads its stand-ins beside it."""

    def __init__(self, world: W, people: Iterable[Person]) -> None:
        self.world = world
        self.people = tuple(people)

    # --- what a company fills in ------------------------------------------------------------------

    def collect(self) -> Outcome:
        """Return the evening."""
        with self.world.store.read() as db:
            return Outcome(**self.common(db))

    def told(self) -> dict[str, int]:
        """Return sender -> how many requests its stand-in has sent to the hub."""
        return {}

    def became(self, delivery: Mapping[str, Any], before: list[str]) -> tuple[str, str]:
        """Return in a few words what a finished delivery means to a person, and why; "" if it adds nothing."""
        return "", ""

    # --- everybody's ------------------------------------------------------------------------------

    def common(self, db: Db) -> dict[str, Any]:
        """Return the fields of `Outcome`."""
        tries = Counter({row[0]: row[1] for row in db.rows("SELECT outcome, count(*) FROM attempt GROUP BY outcome")})
        echo = db.rows("SELECT count(*) FROM delivery d JOIN event e ON e.id = d.event WHERE e.hop > 0")
        return {
            "groups": self.groups(db),
            "arrived": self._arrived(db),
            "sent": self.world.sent,
            "tries": dict(tries),
            "reasons": _reasons(db),
            "by_echo": int(echo[0][0]),
            "unfinished": _unfinished(db),
            "alerts": [_alert(row) for row in reading.alerts(db, _ALL)],
            "found": {
                one.name: len(explain.find(db, one.spelling(3), region=one.region, limit=500).events)
                for one in self.people
            },
            "notes": self.world.notes,
        }  # fmt: skip

    def groups(self, db: Db) -> dict[Group, int]:
        """Return group -> how many requests."""
        found: Counter[Group] = Counter()
        events, deliveries = defaultdict(list), defaultdict(list)
        for event in reversed(reading.events(db, _ALL)):
            events[event["receipt"]].append(event)
        for delivery in reversed(reading.deliveries(db, _ALL)):
            deliveries[delivery["event"]].append(delivery)
        for receipt in reading.receipts(db, _ALL):
            found[self._group(receipt, events[receipt["id"]], deliveries)] += 1
        again = db.rows("SELECT connection, sum(n) FROM counter WHERE name = 'duplicate' GROUP BY connection")
        found.update({Group(name, "the same once more", "recognised, nothing done twice"): int(n) for name, n in again})
        for row in reading.rejected(db, _ALL):
            found[Group(row["connection"], "turned away", f"answered {row['status']}", row["words"])] += 1
        pings = Counter(sent.door for sent in self.world.sent if sent.kind == "ping")
        found.update({Group(door, "test of the address", "answered, nothing to keep"): n for door, n in pings.items()})
        return dict(sorted(found.items()))

    def _group(
        self, receipt: Mapping[str, Any], events: list[dict[str, Any]], deliveries: Mapping[int, Any]
    ) -> Group:  # fmt: skip
        """Tell what became of one request."""
        name = receipt["connection"]
        if receipt["state"] == "unreadable":
            return Group(name, "unreadable", "kept, not understood", short(receipt["reason"]["params"]["why"]))
        if receipt["state"] != "done" or not events:
            return Group(name, "request", "kept, nothing new in it" if receipt["state"] == "done" else "not read")
        acted = next((event for event in events if deliveries[event["id"]]), None)
        if acted is not None:
            return Group(name, acted["type"], *self._acts(deliveries[acted["id"]]))
        first = events[0]
        news = [event for event in events if event["state"] == "planned"]
        if not news or (first["reason"] or {}).get("code") == "echo":
            return Group(name, first["type"], _settled(first))
        skipped = ((news[-1]["reason"] or {}).get("skipped") or [{}])[0]
        if skipped.get("code") == "unrouted":
            return Group(name, news[-1]["type"], "noted", "no route listens to it")
        return Group(name, news[-1]["type"], "noted, no route applies", self.in_words(say_stored(skipped)))

    def _acts(self, deliveries: list[dict[str, Any]]) -> tuple[str, str]:
        """Tell in a few words what a request set off, and why where that isn't plain."""
        became: list[str] = []
        why = ""
        for one in deliveries:
            if one["state"] in ("ready", "parked", "dropped"):
                act = f"{one['connection']}.{one['action']}"
                return f"{act}: {one['state']}", short(self.in_words(say_stored(one["reason"])))
            words, because = self.became(one, became)
            if words:
                became.append(words)
            why = because or why
        return ", ".join(became) or "done", why

    def in_words(self, text: str) -> str:
        """Return a reason with our words in place of the CRM's stage codes, said once where both stand there."""
        for code, word in self.world.stages.items():
            text = text.replace(f"{word} ({code})", word).replace(code, word)
        return text

    def _arrived(self, db: Db) -> dict[str, int]:
        """Count from the senders' side what reached the hub's doors; what it fetched itself is counted in its store."""
        polled = db.rows("SELECT count(*) FROM receipt WHERE method = 'POLL'")[0][0]
        return {
            "sent by forms and strangers": len(self.world.sent),
            **{f"told by {vendor}": n for vendor, n in self.told().items()},
            "fetched by the hub's polls": int(polled),
        }


def attached(delivery: Mapping[str, Any], how: str) -> str:
    """Return the words for a request that joined an open record; "" for any other delivery."""
    reason = delivery["reason"] or {}
    if reason.get("code") != "attached":
        return ""
    return f"joined to an open {reason['params'].get('record', 'record')} as a {how}"


def short(text: str, most: int = 90) -> str:
    """Return a reason on one line, cut when it is long."""
    text = " ".join(text.split())
    return text if len(text) <= most else text[: most - 1] + "…"


def _settled(event: Mapping[str, Any]) -> str:
    """Return why an event is no news, without the numbers that would make each a group of its own."""
    if (event["reason"] or {}).get("code") == "joined":
        return "read together with another"
    return say_stored(event["reason"]) or str(event["state"])


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
