"""Receipts and events: what came in, once each."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from hub.masking import mask_headers
from hub.model import Event, Receipt, Request
from hub.sealing import Sealer
from hub.store.engine import Db
from hub.store.json import dumps, loads

_RECEIPT = ("connection", "key", "method", "path", "query", "headers", "body", "remote", "at", "state")
_EVENT = (
    "receipt", "connection", "key", "type", "subject", "occurred_at", "at", "content", "state", "line", "hop", "cause",
)  # fmt: skip


def receipt_row(
    connection: str, key: str, request: Request, sealer: Sealer, mask: Callable[[str], str] = str
) -> tuple[Any, ...]:
    """Return the row of a receipt; made outside the transaction, it costs no one else time.

    The body is sealed; `mask` takes the connection's secrets out of path, query and headers.
    """
    headers = {name: mask(value) for name, value in mask_headers(request.headers).items()}
    return (
        connection, key, request.method, mask(request.path), mask(dumps(request.query)), dumps(headers),
        sealer.seal(request.body), request.remote, request.at.timestamp(), "new",
    )  # fmt: skip


def add_receipts(db: Db, rows: Sequence[tuple[Any, ...]]) -> set[tuple[str, str]]:
    """Store receipts; return (connection, key) of those that were not there before."""
    if erased := erased_keys(db, "receipt", [(row[0], row[1]) for row in rows]):
        rows = [row for row in rows if (row[0], row[1]) not in erased]
    if not rows:
        return set()
    conflict = "ON CONFLICT (connection, key) DO NOTHING"
    if db.postgresql:
        fresh = db.insert("receipt", _RECEIPT, rows, conflict, 'connection, "key"')
        return {(row[0], row[1]) for row in fresh}
    # SQLite's driver gives the interpreter up for every row of RETURNING, and an acknowledging web has many threads
    # that want it. So the rows are asked for only where some were there before; nobody else writes meanwhile. How many
    # went in is counted, not taken from the ids: a row that was there already uses one up (AUTOINCREMENT).
    before, changes = db.one("SELECT coalesce(max(id), 0), total_changes() FROM receipt") or (0, 0)
    db.insert("receipt", _RECEIPT, rows, conflict)
    if db.one("SELECT total_changes()") == (changes + len(rows),):
        return {(row[0], row[1]) for row in rows}
    found = db.rows("SELECT connection, key FROM receipt WHERE id > ?", (before,))
    return {(row[0], row[1]) for row in found}


#: the fact that says some keys were erased, so that others pay nothing for the look
ERASED_KEYS = "erased_keys"


def erased_key(sealer: Sealer, connection: str, key: str) -> str:
    """Return what stands in place of a key that named a person: a late copy is still known by it."""
    return "erased:" + sealer.digest(f"{connection}\x1f{key}")


def erased_keys(db: Db, table: str, keys: Sequence[tuple[str, str]]) -> set[tuple[str, str]]:
    """Return those of the (connection, key) of receipts or events (`table`) that were erased, the key with them."""
    if not keys or db.one("SELECT 1 FROM fact WHERE name = ?", (ERASED_KEYS,)) is None:
        return set()
    stands_for = {(where, erased_key(db.sealer, where, key)): (where, key) for where, key in keys}
    rows = db.keyed(table, ("connection", "key"), sorted(stands_for), 't.connection, t."key"')
    return {stands_for[(row[0], row[1])] for row in rows}


def read_again(db: Db, keys: Iterable[tuple[str, str]]) -> None:
    """Have receipts (connection, key) read once more: a copy came, which may stand for a change of its own."""
    db.many("UPDATE receipt SET state = 'new' WHERE connection = ? AND key = ? AND state = 'done'", sorted(set(keys)))


def has_new(db: Db, connection: str) -> bool:
    """Return whether a connection has receipts that nobody has read yet."""
    return db.one("SELECT 1 FROM receipt WHERE state = 'new' AND connection = ? LIMIT 1", (connection,)) is not None


def last_arrival(db: Db) -> float:
    """Return when the newest receipt came in (epoch seconds); 0 where there is none."""
    row = db.one("SELECT at FROM receipt ORDER BY id DESC LIMIT 1")
    return float(row[0]) if row else 0.0


_COLUMNS = "id, connection, key, method, path, query, headers, body, remote, at, state, reason"

#: the reasons of a receipt that is to be acted upon a second time, or only to be read again
AGAIN, REPLAYED = "again", "replayed"


def new_receipts(db: Db, connection: str, limit: int) -> list[Receipt]:
    """Return the oldest unread receipts of a connection."""
    sql = f"SELECT {_COLUMNS} FROM receipt WHERE state = 'new' AND connection = ? ORDER BY id LIMIT ?"  # noqa: S608
    return [receipt_of(row, db.sealer) for row in db.rows(sql, (connection, limit))]


def receipt(db: Db, id: int) -> Receipt | None:
    """Return one receipt."""
    row = db.one(f"SELECT {_COLUMNS} FROM receipt WHERE id = ?", (id,))  # noqa: S608
    return receipt_of(row, db.sealer) if row else None


def receipt_of(row: Any, sealer: Sealer) -> Receipt:
    """Build a Receipt from a row of `_COLUMNS`."""
    at = instant(row[9])
    assert at is not None
    request = Request(
        method=row[3], path=row[4], query=tuple((k, v) for k, v in loads(row[5])), headers=loads(row[6]),
        body=sealer.open(bytes(row[7])), remote=row[8], at=at, tail=_tail(row[4]),
    )  # fmt: skip
    reason = (loads(row[11]) if row[11] else None) or {}
    again = str(reason["params"]["mark"]) if reason.get("code") == AGAIN else ""
    batch = str((reason.get("params") or {}).get("batch") or "")
    return Receipt(row[0], row[1], row[2], request, at, row[10], again, reason.get("code") == REPLAYED, batch)


def _tail(path: str) -> str:
    parts = path.split("/", 3)
    return parts[3] if len(parts) > 3 else ""


def finish_receipts(db: Db, done: Iterable[tuple[int, str, Any]]) -> None:
    """Set (id, state, reason) of receipts that have been read."""
    db.many(
        "UPDATE receipt SET state = ?, reason = ? WHERE id = ?",
        [(state, dumps(reason) if reason else None, id) for id, state, reason in done],
    )


# --- events --------------------------------------------------------------------------------------


def event_line(event: Event) -> str:
    """Name the line on which hints about one subject wait to be completed."""
    return f"ev:{event.connection}>{event.subject}"


def add_events(db: Db, events: Sequence[Event], cause: int | None = None) -> list[Event]:
    """Store events; return those that were not there before, with their ids, in the given order."""
    if erased := erased_keys(db, "event", [(event.connection, event.key) for event in events]):
        events = [event for event in events if (event.connection, event.key) not in erased]
    if not events:
        return []
    rows = [
        (
            event.receipt, event.connection, event.key, event.type, event.subject,
            event.occurred_at.timestamp() if event.occurred_at else None, db.now, content_of(event),
            "waiting" if event.incomplete else "planned", event_line(event) if event.incomplete else None,
            event.hop, cause,
        )
        for event in events
    ]  # fmt: skip
    fresh = db.insert(
        "event", _EVENT, rows, "ON CONFLICT (connection, key) DO NOTHING", 'id, connection, "key"'
    )  # fmt: skip
    ids = {(row[1], row[2]): row[0] for row in fresh}
    out = []
    for event in events:
        id = ids.pop((event.connection, event.key), None)
        if id is not None:
            out.append(event.with_(id=id))
    return out


def known_events(db: Db, receipts: Sequence[int]) -> list[Event]:
    """Return the planned events that came of these receipts, and those they brought forth by comparing."""
    if not receipts:
        return []
    marks = db.marks(receipts)
    sql = (
        f"SELECT {EVENT_COLUMNS} FROM event WHERE state = 'planned' AND (receipt IN ({marks}) "  # noqa: S608
        f"OR cause IN (SELECT id FROM event WHERE receipt IN ({marks}))) ORDER BY id"
    )
    return [event_of(row) for row in db.rows(sql, (*receipts, *receipts))]


def look_again(db: Db, events: Sequence[Event]) -> list[Event]:
    """Store a further hint for each of these known hints that has been looked at already; return the new ones."""
    out = []
    for event in events:
        row = db.one("SELECT state FROM event WHERE connection = ? AND key = ?", (event.connection, event.key))
        # A leased line means that the vendor may have been asked already, before this change.
        leased = db.one(
            "SELECT 1 FROM line WHERE key = ? AND due > ? AND lease IS NOT NULL", (event_line(event), db.now)
        )
        if row is not None and (row[0] != "waiting" or leased is not None):
            out.append(event.with_(key=f"{event.key}~{int(db.now * 1000)}"))
    return add_events(db, out)


def content_of(event: Event) -> str:
    """Return the JSON of an event's changing parts."""
    return dumps(
        {
            "record": event.record, "text": event.text, "title": event.title, "channel": event.channel,
            "by": event.by, "was": event.was, **({"again": event.again} if event.again else {}),
            **({"batch": event.batch} if event.batch else {}),
        }
    )  # fmt: skip


EVENT_COLUMNS = "id, receipt, connection, key, type, subject, occurred_at, content, hop, state, at"


def event_of(row: Any) -> Event:
    """Build an Event from a row of `EVENT_COLUMNS`."""
    content = loads(row[7])
    return Event(
        type=row[4], subject=row[5], key=row[3], record=content["record"], occurred_at=instant(row[6]),
        text=content["text"], title=content["title"], channel=content["channel"], by=content["by"],
        was=content.get("was") or {}, incomplete=row[9] == "waiting", id=row[0], connection=row[2],
        receipt=row[1], hop=row[8], at=row[10], again=content.get("again") or "",
        batch=content.get("batch") or "",
    )  # fmt: skip


def waiting_events(db: Db, line: str, limit: int = 50) -> list[Event]:
    """Return the events that wait on a line to be completed, oldest first."""
    sql = f"SELECT {EVENT_COLUMNS} FROM event WHERE state = 'waiting' AND line = ? ORDER BY id LIMIT ?"  # noqa: S608
    return [event_of(row) for row in db.rows(sql, (line, limit))]


def update_events(db: Db, rows: Iterable[tuple[Event, str, Any]]) -> None:
    """Write (event, state, reason) of completed or closed events back, content included."""
    db.many(
        "UPDATE event SET type = ?, content = ?, occurred_at = ?, hop = ?, state = ?, reason = ?, line = NULL "
        "WHERE id = ?",
        [
            (
                event.type, content_of(event), event.occurred_at.timestamp() if event.occurred_at else None, event.hop,
                state, dumps(reason) if reason else None, event.id,
            )
            for event, state, reason in rows
        ],
    )  # fmt: skip


def set_event_notes(db: Db, rows: Iterable[tuple[int, int | None, Any, Any]]) -> None:
    """Write (event id, person, plan notes: why routes were skipped, how the person was found; None = as noted)."""
    db.many(
        "UPDATE event SET person = ?, reason = ?, matched = coalesce(?, matched) WHERE id = ?",
        [
            (person, dumps(reason) if reason else None, dumps(matched) if matched else None, id)
            for id, person, reason, matched in rows
        ],
    )


def events_of_persons(db: Db, persons: Sequence[int]) -> list[tuple[Event, int, Any]]:
    """Return (event, person, how they were found) of all events of some persons, oldest first."""
    sql = f"SELECT {EVENT_COLUMNS}, person, matched FROM event WHERE person IN ({db.marks(persons)}) ORDER BY at, id"  # noqa: S608
    return [(event_of(row), row[-2], loads(row[-1]) if row[-1] else None) for row in db.rows(sql, persons)]


def set_persons(db: Db, rows: Iterable[tuple[int, int | None, Any]]) -> None:
    """Write (event id, person, how they were found) of events that were matched anew."""
    db.many(
        "UPDATE event SET person = ?, matched = ? WHERE id = ?",
        [(person, dumps(matched) if matched else None, id) for id, person, matched in rows],
    )


def instant(at: float | None) -> dt.datetime | None:
    """Return epoch seconds as a UTC datetime."""
    return None if at is None else dt.datetime.fromtimestamp(at, dt.UTC)
