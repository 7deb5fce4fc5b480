"""The life of an event, step by step, with the reason for everything: what `hub explain` and the pages tell.

`find` turns what a person knows (an id, a phone in any spelling, an e-mail, the number of a deal or parcel) into
events; `life` tells one of them. Both only read. Every reason stands there twice: as the stored code with parameters
and in words.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from hub import normal
from hub.reasons import say, say_stored
from hub.store import Db, families, reading, roster, state
from hub.store import drift as parts

_ID = re.compile(r"([red])(\d{1,18})$")
_SUBJECT = re.compile(r"(?:([a-z0-9_-]+)[/>])?([a-z_]+):(.{1,200})$")


@dataclass
class Found:
    """What a search led to: events, oldest first, and a receipt where the receipt itself was asked for."""

    events: list[int] = field(default_factory=list)
    receipt: int | None = None
    #: what was searched for, in words
    by: str = ""


def find(db: Db, asked: str, *, region: str = "", connections: Sequence[str] = (), limit: int = 20) -> Found:
    """Return what `asked` leads to: `r12`, `e5`, `d7`, `deal:55`, a number, a phone, an e-mail, any search word."""
    asked = asked.strip()
    if exact := _ID.match(asked.lower()):
        return _by_id(db, exact[1], int(exact[2]))
    if subject := _SUBJECT.match(asked):
        where = [subject[1]] if subject[1] else connections
        about = f"{subject[2]}:{subject[3]}"
        if events := reading.events_about(db, where, about, limit):
            return Found(events[::-1], by=about)
    if asked.isdecimal() and len(asked) < 19 and reading.event(db, int(asked)) is not None:
        return Found([int(asked)], by=f"event {asked}")
    for kind, word in _words(asked, region):
        if events := reading.events_by_word(db, word, limit):
            return Found(events[::-1], by=f"{kind} {word}")
    return Found(by=asked)


def _by_id(db: Db, kind: str, id: int) -> Found:
    if kind == "r":
        known = reading.receipt(db, id) is not None
        return Found(reading.events_of_receipt(db, id), id if known else None, f"receipt r{id}")
    if kind == "d":
        delivery = reading.delivery(db, id)
        return Found([delivery["event"]] if delivery else [], by=f"delivery d{id}")
    return Found([id] if reading.event(db, id) is not None else [], by=f"event e{id}")


def _words(asked: str, region: str) -> list[tuple[str, str]]:
    """Return (kind, normalised word) to look up, the likeliest first."""
    words = []
    if number := normal.phone(asked, region):
        words.append(("phone", number))
    if address := normal.email(asked):
        words.append(("e-mail", address))
    words.append(("number", asked.lower()))
    return words


# --- telling -------------------------------------------------------------------------------------


def life(db: Db, event: int, language: str = "en") -> dict[str, Any] | None:
    """Return everything known about one event, ready for JSON; None if there is no such event."""
    row = reading.event(db, event)
    if row is None:
        return None
    content = row["content"]
    kind, _, ref = row["subject"].partition(":")
    notes = row["reason"] or {}
    skipped = notes.get("skipped", [])
    cause = reading.event(db, row["cause"]) if row["cause"] else None
    return {
        "id": f"e{row['id']}",
        "type": f"{row['connection']}.{row['type']}",
        "subject": row["subject"],
        "key": row["key"],
        "state": row["state"],
        "at": iso(row["at"]),
        "occurred_at": iso(row["occurred_at"]),
        "hop": row["hop"],
        "reason": told(notes, language) if "code" in notes else None,
        "text": content["text"],
        "record": content["record"],
        "was": content.get("was") or {},
        "receipt": receipt_life(db, row["receipt"], language) if row["receipt"] else None,
        "cause": {"id": f"e{cause['id']}", "type": f"{cause['connection']}.{cause['type']}"} if cause else None,
        "brought_forth": [f"e{id}" for id in reading.caused_by(db, event)],
        "person": _person(db, row["person"], row["matched"], language),
        "links": [f"{where}/{what}:{id}" for where, what, id in reading.links_of(db, row["connection"], kind, ref)],
        "skipped": [{"route": one.get("route"), **(told(one, language) or {})} for one in skipped],
        "deliveries": deliveries_life(db, reading.deliveries_of(db, event), language),
    }


def receipt_life(db: Db, id: int, language: str = "en") -> dict[str, Any] | None:
    """Return what is known about one receipt; None if it is no longer kept."""
    row = reading.receipt(db, id)
    if row is None:
        return None
    return {
        "id": f"r{row['id']}",
        "connection": row["connection"],
        "at": iso(row["at"]),
        "method": row["method"],
        "path": shown_path(row["path"]),
        "remote": row["remote"],
        "bytes": row["bytes"],
        "key": row["key"],
        "state": row["state"],
        "reason": told(row["reason"], language),
    }


def shown_path(path: str) -> str:
    """Return a request's path without what follows the connection: a secret may stand there."""
    parts = path.split("/", 3)
    return "/".join([*parts[:3], "***"]) if len(parts) > 3 and parts[3] else path


def deliveries_life(db: Db, rows: Sequence[reading.Row], language: str = "en") -> list[dict[str, Any]]:
    """Return deliveries with their tries, waits, what was written, and which ran instead where one was refused."""
    tries = reading.attempts_of(db, [row["id"] for row in rows])
    healths = state.healths(db) if rows else {}
    left = parts.parts_of_events(db, sorted({row["event"] for row in rows}))
    return [
        {
            **delivery_line(db, row, healths, language),
            "instead": [
                f"d{one['id']}"
                for one in rows
                if (one["event"], one["route"]) == (row["event"], row["route"])
                and one["step"].startswith(f"{row['step']}r")
            ],
            "marker": row["marker"],
            "result": {k: v for k, v in (row["result"] or {}).items() if k != "_connection"} or None,
            "written": [
                {"field": name, "before": ((row["written"].get("before")) or {}).get(name), "after": value}
                for name, value in (row["written"] or {}).get("written", {}).items()
            ],
            "left_out": [
                {
                    "place": one.place,
                    "field": one.field,
                    "value": one.value,
                    "state": one.state,
                    "reason": told(one.reason, language),
                }
                for one in left
                if one.delivery == row["id"]
            ],
            "attempts": [
                {
                    "n": one["n"],
                    "at": iso(one["at"]),
                    "took_ms": one["took_ms"],
                    "outcome": one["outcome"],
                    "reason": told(one["reason"], language),
                    "exchanges": one["exchanges"] or [],
                }
                for one in tries[row["id"]]
            ],
        }
        for row in rows
    ]


def delivery_line(
    db: Db, row: reading.Row, healths: dict[str, state.Health], language: str = "en"
) -> dict[str, Any]:  # fmt: skip
    """Return one delivery as a list shows it: what, whereto, its state, and what it waits for."""
    return {
        "id": f"d{row['id']}",
        "event": f"e{row['event']}",
        "event_type": f"{row['source']}.{row['event_type']}",
        "subject": row["subject"],
        "route": row["route"],
        "step": step_words(row["step"]),
        "do": f"{row['connection']}.{row['action']}",
        "connection": row["connection"],
        "state": row["state"],
        "tries": row["tries"],
        "created_at": iso(row["created_at"]),
        "finished_at": iso(row["finished_at"]),
        "reason": told(row["reason"], language),
        "wait": wait_of(db, row, healths, language),
    }


def wait_of(
    db: Db, row: reading.Row, healths: dict[str, state.Health], language: str = "en"
) -> dict[str, Any] | None:  # fmt: skip
    """Return what an unfinished delivery waits for: {"kind", "until", "text"}; None if it is finished."""
    if row["state"] == "parked":
        return _wait("human", None, "waits for a person: hub retry or hub drop")
    if row["state"] != "ready":
        return None
    now = db.now
    first = reading.first_on_line(db, row["line"])
    if first is not None and first != row["id"]:
        return _wait("order", None, f"goes after d{first}, which is about the same record")
    if row["lease"] is not None and row["due"] is not None and row["due"] > now:
        return _wait("call", None, "is being sent now")
    health = healths.get(row["connection"])
    shut = health.shut(now) if health else None
    if health is not None and shut == "paused":
        return _wait("human", None, f"{say('paused', language=language)}: hub resume {row['connection']}")
    if health is not None and shut == "held":
        return _wait("hold", health.probe_at, f"{say_stored(health.held, language)}: hub resume {row['connection']}")
    if health is not None and shut == "breaker":
        return _wait("breaker", health.open_until, say("breaker", language=language))
    if row["wait"] and row["due"] is not None and row["due"] > now:
        return _wait(row["wait"], row["due"], say_stored(row["reason"], language))
    return _wait("turn", None, "goes out as soon as a worker is free")


def _wait(kind: str, until: float | None, text: str) -> dict[str, Any]:
    return {"kind": kind, "until": iso(until), "text": text}


def _person(db: Db, person: int | None, matched: Any = None, language: str = "en") -> dict[str, Any] | None:
    """Return who an event is from and how that was found: {"id", "keys", "own"?, "matched"}.

    `own` is whom its own keys name, where they have been merged into another since.
    """
    why = told(matched, language)
    if why is not None:
        why |= {"rules": matched.get("rules")}
    if person is None:
        return {"id": None, "keys": [], "matched": why} if why is not None else None
    root = families.roots(db, [person]).get(person, person)
    shown = {"id": root, "keys": [f"{kind} {value}" for kind, value in roster.keys_of(db, root)], "matched": why}
    return shown if root == person else {**shown, "own": person}


# --- small parts ---------------------------------------------------------------------------------


def told(reason: Any, language: str = "en") -> dict[str, Any] | None:
    """Return a stored reason with its words: {"code", "params", "text"}; None for none."""
    if not reason or "code" not in reason:
        return None
    return {"code": reason["code"], "params": reason.get("params") or {}, "text": say_stored(reason, language)}


def step_words(step: str) -> str:
    """Return a step's place as people count: `0` is `1`, `1r0` is `2, refused 1`, `0p17` is `1, left out before`."""
    base, _, part = step.partition("p")
    main, _, inner = base.partition("r")
    words = f"{int(main) + 1}" + (f", refused {int(inner) + 1}" if inner else "")
    return words + (", left out before" if part else "")


def iso(at: float | None) -> str | None:
    """Return epoch seconds as ISO text in UTC."""
    return None if at is None else dt.datetime.fromtimestamp(at, dt.UTC).isoformat(timespec="seconds")
