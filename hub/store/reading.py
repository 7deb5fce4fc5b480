"""What people look at: every SELECT behind the lists, `hub explain` and the pages. Nothing here writes.

Lists come newest first, a page at a time: `Page.before` is the id the page before ended with. Rows are mappings with
times in epoch seconds and JSON already taken apart; `hub.explain` and the commands put them into words.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from hub.store import intake
from hub.store.engine import Db
from hub.store.json import loads

Row = dict[str, Any]

RECEIPT_STATES = ("new", "done", "skipped", "unreadable", "dropped", "erased")
EVENT_STATES = ("waiting", "planned", "joined", "echo", "gone", "unreadable", "dropped", "erased")
DELIVERY_STATES = ("ready", "done", "skipped", "refused", "parked", "dropped")


@dataclass(frozen=True)
class Page:
    """Which rows of a list are wanted: at most `limit`, older than the id `before`, none before the instant `since`."""

    limit: int = 50
    before: int | None = None
    state: str = ""
    connection: str = ""
    since: float | None = None


#: a sealed body is so much longer than what came in
_SEAL = 29
_RECEIPT = f"id, connection, key, method, path, remote, at, state, reason, length(body) - {_SEAL}"
_RECEIPT_NAMES = ("id", "connection", "key", "method", "path", "remote", "at", "state", "reason", "bytes")
_EVENT = (
    "id, receipt, connection, key, type, subject, occurred_at, at, content, state, reason, person, hop, cause, matched"
)
_EVENT_NAMES = tuple(_EVENT.split(", "))
_DELIVERY = (
    "d.id, d.event, d.route, d.step, d.connection, d.action, d.line, d.state, d.tries, d.marker, d.created_at, "
    "d.started_at, d.finished_at, d.reason, d.wait, d.result, d.written, d.batch, d.given, l.due, l.lease, "
    "e.type, e.subject, e.connection"
)
_DELIVERY_NAMES = (
    "id", "event", "route", "step", "connection", "action", "line", "state", "tries", "marker", "created_at",
    "started_at", "finished_at", "reason", "wait", "result", "written", "batch", "given", "due", "lease",
    "event_type", "subject", "source",
)  # fmt: skip
_DELIVERY_FROM = "FROM delivery d LEFT JOIN line l ON l.key = d.line LEFT JOIN event e ON e.id = d.event"
_JSON = frozenset(
    {"reason", "content", "result", "written", "exchanges", "params", "request", "data", "given", "matched"}
)  # fmt: skip


def _row(names: Sequence[str], values: Sequence[Any]) -> Row:
    return {name: loads(value) if name in _JSON else value for name, value in zip(names, values, strict=True)}


def _page(db: Db, page: Page, select: str, names: Sequence[str], *, at: str, prefix: str = "") -> list[Row]:
    """Return one page of `select ...`, its WHERE made of what the page asks for."""
    wanted: list[tuple[str, Any]] = []
    if page.before is not None:
        wanted.append((f"{prefix}id < ?", page.before))
    if page.state:
        wanted.append((f"{prefix}state = ?", page.state))
    if page.connection:
        wanted.append((f"{prefix}connection = ?", page.connection))
    if page.since is not None:
        wanted.append((f"{prefix}{at} >= ?", page.since))
    where = (" WHERE " + " AND ".join(clause for clause, _ in wanted)) if wanted else ""
    sql = f"{select}{where} ORDER BY {prefix}id DESC LIMIT ?"
    return [_row(names, row) for row in db.rows(sql, (*(value for _, value in wanted), page.limit))]


# --- lists ---------------------------------------------------------------------------------------


def receipts(db: Db, page: Page) -> list[Row]:
    """Return receipts without their bodies."""
    return _page(db, page, f"SELECT {_RECEIPT} FROM receipt", _RECEIPT_NAMES, at="at")  # noqa: S608


def events(db: Db, page: Page) -> list[Row]:
    """Return events."""
    return _page(db, page, f"SELECT {_EVENT} FROM event", _EVENT_NAMES, at="at")  # noqa: S608


def deliveries(db: Db, page: Page) -> list[Row]:
    """Return deliveries, each with its line's due time and what its event is about."""
    select = f"SELECT {_DELIVERY} {_DELIVERY_FROM}"
    return _page(db, page, select, _DELIVERY_NAMES, at="created_at", prefix="d.")


_ALERT_NAMES = ("id", "cause", "kind", "connection", "params", "opened_at", "last_at", "count", "closed_at")


def alerts(db: Db, page: Page) -> list[Row]:
    """Return alerts; `page.state` is `open`, `closed`, or nothing for both."""
    select = f"SELECT {', '.join(_ALERT_NAMES)} FROM alert"  # noqa: S608
    if page.state:
        closed = "IS NULL" if page.state == "open" else "IS NOT NULL"
        names = ", ".join(_ALERT_NAMES)
        select = f"SELECT {names} FROM (SELECT {names} FROM alert WHERE closed_at {closed}) a"  # noqa: S608
    plain = Page(page.limit, page.before, "", page.connection, page.since)
    return _page(db, plain, select, _ALERT_NAMES, at="last_at")


def rejected(db: Db, page: Page) -> list[Row]:
    """Return the masked traces of requests that were turned away; `page.state` is an HTTP status."""
    wanted: list[tuple[str, Any]] = []
    for clause, value in (("id < ?", page.before), ("connection = ?", page.connection or None), ("at >= ?", page.since),
                          ("status = ?", int(page.state) if page.state.isdecimal() else None)):  # fmt: skip
        if value is not None:
            wanted.append((clause, value))
    where = (" WHERE " + " AND ".join(clause for clause, _ in wanted)) if wanted else ""
    sql = f"SELECT id, connection, at, status, reason, request FROM rejected{where} ORDER BY id DESC LIMIT ?"  # noqa: S608
    rows = db.rows(sql, (*(value for _, value in wanted), page.limit))
    # The reason of a rejection is plain words, not a stored code.
    return [_row(("id", "connection", "at", "status", "words", "request"), row) for row in rows]


# --- what will happen later ----------------------------------------------------------------------


def polls(db: Db, connection: str = "") -> list[Row]:
    """Return every poll: when it is due next, when it last ran, how often it has failed in a row and why."""
    rows = db.rows(
        "SELECT l.key, l.lane, l.due, l.lease, c.at, c.fails, c.reason FROM line l "
        "LEFT JOIN cursor c ON l.key = 'poll:' || c.connection || ':' || c.what "
        "WHERE l.key LIKE 'poll:%' ORDER BY l.due"
    )
    found = []
    for key, lane, due, lease, at, fails, reason in rows:
        if connection in ("", lane):
            found.append(
                {
                    "connection": lane, "what": key.split(":", 2)[2], "due": due, "busy": lease is not None,
                    "last": at, "fails": fails or 0, "why": (loads(reason) or {}).get("why", ""),
                }
            )  # fmt: skip
    return found


def watches(db: Db, connection: str = "", limit: int = 50) -> list[Row]:
    """Return watched records, the next due first."""
    where, params = (" WHERE connection = ?", (connection,)) if connection else ("", ())
    rows = db.rows(
        f"SELECT connection, kind, ref, due, since FROM watch{where} ORDER BY due LIMIT ?",  # noqa: S608
        (*params, limit),
    )
    return [dict(zip(("connection", "kind", "ref", "due", "since"), row, strict=True)) for row in rows]


def waiting_deliveries(db: Db, connection: str = "", limit: int = 50) -> list[Row]:
    """Return unfinished deliveries that wait for a time to come, the next due first."""
    where, params = (" AND d.connection = ?", (connection,)) if connection else ("", ())
    rows = db.rows(
        f"SELECT {_DELIVERY} {_DELIVERY_FROM} WHERE d.state = 'ready' AND d.wait IS NOT NULL{where} "
        "ORDER BY l.due LIMIT ?",
        (*params, limit),
    )
    return [_row(_DELIVERY_NAMES, row) for row in rows]


# --- one thing -----------------------------------------------------------------------------------


def receipt(db: Db, id: int) -> Row | None:
    """Return one receipt without its body."""
    row = db.one(f"SELECT {_RECEIPT} FROM receipt WHERE id = ?", (id,))  # noqa: S608
    return _row(_RECEIPT_NAMES, row) if row else None


def receipt_body(db: Db, id: int, most: int = 2000) -> str:
    """Return the beginning of a receipt's body as text."""
    found = intake.receipt(db, id)
    return found.request.body[:most].decode("utf-8", "replace") if found else ""


def receipts_since(db: Db, since: float, connection: str = "") -> list[Row]:
    """Return all receipts that came at or after an instant, oldest first."""
    where, params = (" AND connection = ?", (connection,)) if connection else ("", ())
    sql = f"SELECT {_RECEIPT} FROM receipt WHERE at >= ?{where} ORDER BY id"  # noqa: S608
    return [_row(_RECEIPT_NAMES, row) for row in db.rows(sql, (since, *params))]


def event(db: Db, id: int) -> Row | None:
    """Return one event."""
    row = db.one(f"SELECT {_EVENT} FROM event WHERE id = ?", (id,))  # noqa: S608
    return _row(_EVENT_NAMES, row) if row else None


def delivery(db: Db, id: int) -> Row | None:
    """Return one delivery."""
    row = db.one(f"SELECT {_DELIVERY} {_DELIVERY_FROM} WHERE d.id = ?", (id,))
    return _row(_DELIVERY_NAMES, row) if row else None


def alert(db: Db, id: int) -> Row | None:
    """Return one alert."""
    row = db.one(f"SELECT {', '.join(_ALERT_NAMES)} FROM alert WHERE id = ?", (id,))  # noqa: S608
    return _row(_ALERT_NAMES, row) if row else None


def deliveries_of(db: Db, event: int) -> list[Row]:
    """Return the deliveries of an event in the order in which they were planned."""
    rows = db.rows(f"SELECT {_DELIVERY} {_DELIVERY_FROM} WHERE d.event = ? ORDER BY d.id", (event,))
    return [_row(_DELIVERY_NAMES, row) for row in rows]


#: so many ids stand in one statement
_CHUNK = 400


def events_of(db: Db, ids: Sequence[int]) -> list[Row]:
    """Return these events, oldest first."""
    found: list[Row] = []
    for start in range(0, len(ids), _CHUNK):
        chunk = ids[start : start + _CHUNK]
        sql = f"SELECT {_EVENT} FROM event WHERE id IN ({db.marks(chunk)})"  # noqa: S608
        found += [_row(_EVENT_NAMES, row) for row in db.rows(sql, chunk)]
    return sorted(found, key=lambda row: row["id"])


def deliveries_of_events(db: Db, events: Sequence[int]) -> list[Row]:
    """Return all deliveries of these events in the order in which they were planned."""
    found: list[Row] = []
    for start in range(0, len(events), _CHUNK):
        chunk = events[start : start + _CHUNK]
        sql = f"SELECT {_DELIVERY} {_DELIVERY_FROM} WHERE d.event IN ({db.marks(chunk)})"
        found += [_row(_DELIVERY_NAMES, row) for row in db.rows(sql, chunk)]
    return sorted(found, key=lambda row: row["id"])


def first_on_line(db: Db, line: str) -> int | None:
    """Return the delivery whose turn it is on a line."""
    row = db.one("SELECT min(id) FROM delivery WHERE state = 'ready' AND line = ?", (line,))
    return row[0] if row else None


def attempts_of(db: Db, deliveries: Sequence[int]) -> dict[int, list[Row]]:
    """Return the tries of each delivery, in order."""
    found: dict[int, list[Row]] = {id: [] for id in deliveries}
    if deliveries:
        names = ("delivery", "n", "at", "took_ms", "outcome", "reason", "exchanges")
        rows = db.rows(
            f"SELECT {', '.join(names)} FROM attempt WHERE delivery IN ({db.marks(deliveries)}) ORDER BY id",  # noqa: S608
            deliveries,
        )
        for row in rows:
            found[row[0]].append(_row(names, row))
    return found


def links_of(db: Db, connection: str, kind: str, ref: str) -> list[tuple[str, str, str]]:
    """Return the records linked to one record: (connection, kind, ref)."""
    rows = db.rows(
        "SELECT to_connection, to_kind, to_ref FROM link WHERE connection = ? AND kind = ? AND ref = ? ORDER BY at",
        (connection, kind, ref),
    )
    return [(row[0], row[1], row[2]) for row in rows]


# --- finding -------------------------------------------------------------------------------------


def events_of_receipt(db: Db, receipt: int) -> list[int]:
    """Return the events a receipt brought."""
    return [row[0] for row in db.rows("SELECT id FROM event WHERE receipt = ? ORDER BY id", (receipt,))]


def caused_by(db: Db, event: int) -> list[int]:
    """Return the events that follow from one: derived from it, or brought forth by its deliveries."""
    return [row[0] for row in db.rows("SELECT id FROM event WHERE cause = ? ORDER BY id", (event,))]


def events_by_word(db: Db, word: str, limit: int = 20) -> list[int]:
    """Return the newest events that a normalised word leads to (phone, e-mail, handle, deal, parcel)."""
    rows = db.rows("SELECT event FROM search WHERE word = ? ORDER BY event DESC LIMIT ?", (word, limit))
    return [row[0] for row in rows]


def events_about(db: Db, connections: Sequence[str], subject: str, limit: int = 20) -> list[int]:
    """Return the newest events about a subject (`deal:55`) at these connections."""
    if not connections:
        return []
    rows = db.rows(
        f"SELECT id FROM event WHERE connection IN ({db.marks(connections)}) AND subject = ? "  # noqa: S608
        "ORDER BY id DESC LIMIT ?",
        (*connections, subject, limit),
    )
    return [row[0] for row in rows]


def parked(db: Db, connection: str = "") -> list[int]:
    """Return all deliveries that wait for a person, oldest first."""
    where, params = (" AND connection = ?", (connection,)) if connection else ("", ())
    rows = db.rows(f"SELECT id FROM delivery WHERE state = 'parked'{where} ORDER BY id", params)  # noqa: S608
    return [row[0] for row in rows]


def count_deliveries(db: Db, events: Sequence[int]) -> dict[int, int]:
    """Return how many deliveries each of these events has."""
    if not events:
        return {}
    rows = db.rows(
        f"SELECT event, count(*) FROM delivery WHERE event IN ({db.marks(events)}) GROUP BY event",  # noqa: S608
        events,
    )
    return {row[0]: row[1] for row in rows}
