"""Taking a person's words out of rows that aren't theirs: alerts, the ring of rejected requests, others' records.

Every text column of every table is looked through, a page at a time, whatever it is for: a table that comes later is
covered by having its columns declared in `hub.store.tables`. Sealed bodies are opened. What another person's row says
keeps its place; only the phone, address or handle becomes `***`, and a full name where the row has no other owner.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from hub.needles import Needles
from hub.store import intake, state
from hub.store.engine import Db, Store
from hub.store.erase import erasing
from hub.store.tables import metadata

PAGE = 500
#: what holds nothing of people: credentials (encrypted), counts, facts, and the receipts of erasures themselves.
#: `line` follows deliveries and events: its names are changed with theirs
_LEFT = frozenset({"token", "fact", "counter", "erasure", "line", "alembic_version"})
#: words of the hub's own: looking at them finds nothing
_PLAIN = frozenset({"state", "connection", "method", "type", "action", "step", "route", "outcome", "kind", "lease",
                    "lane", "wait", "batch", "marker", "settings", "to_connection", "to_kind"})  # fmt: skip
#: what is unique becomes a digest: two people erased from two rows must not make them equal
_KEYS = frozenset({("receipt", "key"), ("event", "key"), ("alert", "cause")})

#: rows that are copies of vendors' records: one that names the person goes whole, and is made anew if it is needed
_COPIES = frozenset({"twin", "backlog", "part"})

Progress = Callable[[str, int], None]


def sweep(store: Store, needles: Needles, change: bool, progress: Progress = lambda what, rows: None) -> Counter[str]:
    """Take the needles out of every table; return table -> how many rows named the person. change: write it."""
    counts = Counter[str]()
    if not needles:
        return counts
    for table in metadata.sorted_tables:
        if table.name in _LEFT:
            continue
        read = 0
        for rows in _pages(store, table):
            read += len(rows)
            found = [row for row in rows if _mentions(store, table, needles, row)]
            if found and change:
                with erasing(store) as db:
                    for row in found:
                        _write(db, table, needles, row)
            counts[table.name] += len(found)
            progress(table.name, read)
    return +counts


def unread(store: Store, needles: Needles) -> list[int]:
    """Return receipts that nobody has read yet and that name the person: what they bring is not known."""
    found: list[int] = []
    if not needles:
        return found
    with store.read() as db:
        for id, body in db.rows("SELECT id, body FROM receipt WHERE state = 'new' ORDER BY id"):
            if needles.found(_text(db.sealer.open(bytes(body))), names=True):
                found.append(id)
    return found


def files(folder: Path, needles: Needles, change: bool) -> int:
    """Do the same with the log files of the data folder (the hub writes none itself); return how many named them."""
    named = 0
    for path in sorted(folder.glob("*.log")):
        text = path.read_text("utf-8", "surrogateescape")
        if needles.found(text, names=True):
            named += 1
            if change:
                with path.open("r+", encoding="utf-8", errors="surrogateescape") as file:  # who holds it keeps it
                    file.write(needles.redacted(text, names=True))
                    file.truncate()
    return named


# --- pages ----------------------------------------------------------------------------------------------


def _names(table: sa.Table) -> tuple[list[str], list[str]]:
    """Return (primary key, text columns to look through) of a table."""
    keys = [column.name for column in table.primary_key.columns]
    texts = [column.name for column in table.columns if isinstance(column.type, sa.Text) and column.name not in _PLAIN]
    return keys, texts


def _pages(store: Store, table: sa.Table) -> Iterator[list[dict[str, Any]]]:
    """Yield the rows of a table in pages, by its primary key; each page in a transaction of its own."""
    keys, texts = _names(table)
    if not texts and table.name != "receipt":
        return
    more = [name for name in ("state", "person", "body") if name in table.columns and name not in texts]
    columns = list(dict.fromkeys([*keys, *texts, *more]))
    listed, order = ", ".join(f'"{name}"' for name in columns), ", ".join(f'"{name}"' for name in keys)
    last: Sequence[Any] | None = None
    while True:
        where = f"WHERE ({order}) > ({', '.join('?' * len(keys))}) " if last is not None else ""
        with store.read() as db:
            rows = db.rows(
                f'SELECT {listed} FROM "{table.name}" {where}ORDER BY {order} LIMIT ?',  # noqa: S608
                (*(last or ()), PAGE),
            )
        if not rows:
            return
        found = [dict(zip(columns, row, strict=True)) for row in rows]
        last = [found[-1][name] for name in keys]
        yield found


# --- rows -----------------------------------------------------------------------------------------------


def _mentions(store: Store, table: sa.Table, needles: Needles, row: dict[str, Any]) -> bool:
    """Return whether a row names the person; its opened body goes with it."""
    texts = _names(table)[1]
    values = [str(row[name]) for name in texts if row[name] is not None]
    if table.name == "receipt":
        row["body"] = store.sealer.open(bytes(row["body"]))
        values.append(_text(row["body"]))
    sure = any(needles.found(value) for value in values)
    row["names"] = sure or _ownerless(table, row)
    return sure or (row["names"] and any(needles.found(value, names=True) for value in values))


def _ownerless(table: sa.Table, row: dict[str, Any]) -> bool:
    """Return whether a full name alone may be taken out: two people of one name each have their own rows."""
    if table.name in ("delivery", "attempt", "receipt"):
        return False  # its event's owner is whose it is; a receipt of theirs is known already
    return "person" not in row or row["person"] is None


def _write(db: Db, table: sa.Table, needles: Needles, row: dict[str, Any]) -> None:
    """Write one row without the person's words; one whose primary key holds them goes."""
    keys, texts = _names(table)
    where = " AND ".join(f'"{name}" = ?' for name in keys)
    ids = [row[name] for name in keys]
    names = row["names"]
    named = any(isinstance(row[name], str) and needles.found(row[name], names) for name in keys)
    if named or table.name in _COPIES:
        db.run(f'DELETE FROM "{table.name}" WHERE {where}', ids)  # noqa: S608
        return
    changed: dict[str, Any] = {}
    for name in texts:
        value = row[name]
        if not isinstance(value, str) or not needles.found(value, names):
            continue
        if (table.name, name) in _KEYS:
            changed[name] = intake.erased_key(db.sealer, str(row.get("connection", table.name)), value)
            state.set_fact(db, intake.ERASED_KEYS, "1")
        else:
            changed[name] = _redacted(needles, value, names)
    if table.name == "receipt" and needles.found(_text(row["body"]), names):
        changed["body"] = db.sealer.seal(_redacted(needles, _text(row["body"]), names, parts=True).encode())
    if changed:
        sets = ", ".join(f'"{name}" = ?' for name in changed)
        db.run(f'UPDATE "{table.name}" SET {sets} WHERE {where}', [*changed.values(), *ids])  # noqa: S608


def _redacted(needles: Needles, value: str, names: bool, parts: bool = False) -> str:
    text = value.lstrip()
    return needles.redacted_json(value, names, parts) if text[:1] in ("{", "[") else needles.redacted(value, names)


def _text(body: bytes) -> str:
    return body.decode("utf-8", "replace")
