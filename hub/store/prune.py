"""Forgetting: what is finished and older than `keep` goes, a small batch at a time, so that nobody waits for it."""

from __future__ import annotations

import datetime as dt

from hub.identity import HINT, HISTORY
from hub.store import families, work
from hub.store.engine import Store

#: duplicates are recognised at least this long, whatever `keep` says
MEMORY = 30 * 86400.0
_BATCH = 500
#: what happens once: when its events are forgotten nobody will ask for its links. Records (deals, contacts, parcels)
#: and persons keep theirs, however old: they are what a later message is recognised by.
PASSING = ("form", "call", "message", "comment", "email", "note", "payment")


#: a record that is part of somebody's history stays: who is a client is known by what they have (`people.client`)
_OF_NOBODY = " AND ".join(
    f"NOT (subject LIKE '{kind}:%' AND EXISTS (SELECT 1 FROM link l WHERE l.connection = seen.connection "  # noqa: S608
    f"AND l.kind = '{kind}' AND l.ref = substr(seen.subject, {len(kind) + 2}) "
    "AND l.to_connection = 'hub' AND l.to_kind = 'customer'))"
    for kind in sorted(HISTORY)
)


def _prune_state(store: Store, keep: float) -> None:
    """Forget records not seen for long (their next look counts as the first), closed alerts, old counters, and
    traces of requests turned away: people's data may stand in them.
    """
    with store.read() as db:
        old = db.now - keep
        day = dt.datetime.fromtimestamp(db.now - 400 * 86400, dt.UTC).date().isoformat()
        due = db.one(
            f"SELECT EXISTS (SELECT 1 FROM seen WHERE at < ? AND {_OF_NOBODY}) "  # noqa: S608
            "OR EXISTS (SELECT 1 FROM alert WHERE closed_at < ?) OR EXISTS (SELECT 1 FROM counter WHERE day < ?) "
            "OR EXISTS (SELECT 1 FROM fingerprint WHERE gone_at < ?) OR EXISTS (SELECT 1 FROM rejected WHERE at < ?) "
            "OR EXISTS (SELECT 1 FROM reconciliation WHERE finished_at < ?)",
            (old, old, day, old, old, old),
        )
    if due is None or not due[0]:
        return
    with store.write() as db:
        db.run(
            "DELETE FROM seen WHERE (connection, subject) IN "  # noqa: S608
            f"(SELECT connection, subject FROM seen WHERE at < ? AND {_OF_NOBODY} LIMIT ?)",
            (old, _BATCH),
        )
        db.run("DELETE FROM alert WHERE closed_at < ?", (old,))
        db.run("DELETE FROM difference WHERE run IN (SELECT id FROM reconciliation WHERE finished_at < ?)", (old,))
        db.run("DELETE FROM reconciliation WHERE finished_at < ?", (old,))
        db.run("DELETE FROM fingerprint WHERE gone_at < ?", (old,))
        db.run("DELETE FROM backlog WHERE state = 'fed' AND at < ?", (old,))
        db.run("DELETE FROM counter WHERE day < ?", (day,))
        db.run("DELETE FROM rejected WHERE at < ?", (old,))


#: kinds of keys from, to: hints at a human (a session, a click), one for nearly every visit
_HINTS = (HINT, HINT[:-1] + chr(ord(HINT[-1]) + 1))


def prune_links(store: Store, keep: float) -> None:
    """Forget the links of what happened once and is forgotten itself, and old hints at humans.

    Reads whole tables: not for every minute.
    """
    keep = max(keep, MEMORY)
    with store.read() as db:
        rows = db.rows(
            f"SELECT connection, kind, ref FROM link l WHERE at < ? AND kind IN ({db.marks(PASSING)}) "  # noqa: S608
            "AND NOT EXISTS (SELECT 1 FROM event e WHERE e.connection = l.connection "
            "AND e.subject = l.kind || ':' || l.ref) LIMIT ?",
            (db.now - keep, *PASSING, _BATCH),
        )
        old = "SELECT 1 FROM person_key WHERE kind >= ? AND kind < ? AND at < ? LIMIT 1"
        hints = db.one(old, (*_HINTS, db.now - keep))
    if rows or hints:
        with store.write() as db:
            for connection, kind, ref in {tuple(row) for row in rows}:
                work.drop_links(db, connection, kind, ref)
            db.run(
                "DELETE FROM person_key WHERE (kind, value) IN "
                "(SELECT kind, value FROM person_key WHERE kind >= ? AND kind < ? AND at < ? LIMIT ?)",
                (*_HINTS, db.now - keep, 10 * _BATCH),
            )


#: a person of whom nothing is left but their keys: no message, nothing at a vendor, nobody who is one with them, no
#: human's word about them. Who has a contact, a deal or a past stays: a later message must be recognised.
_FORGOTTEN = (
    'p."into" IS NULL AND p.created_at < ? AND coalesce(p.changed_at, p.created_at) < ? '
    "AND NOT EXISTS (SELECT 1 FROM event e WHERE e.person = p.id) "
    "AND NOT EXISTS (SELECT 1 FROM link l WHERE l.connection = 'hub' AND l.kind IN ('person', 'customer') "
    "AND l.ref = CAST(p.id AS TEXT)) "
    "AND NOT EXISTS (SELECT 1 FROM merge m WHERE m.one = p.id) "
    "AND NOT EXISTS (SELECT 1 FROM merge m WHERE m.other = p.id) "
    "AND NOT EXISTS (SELECT 1 FROM suspect s WHERE s.person = p.id AND s.state <> 'open') "
    "AND NOT EXISTS (SELECT 1 FROM suspect s WHERE s.other = p.id AND s.state <> 'open')"
)


def prune_persons(store: Store, keep: float) -> int:
    """Forget persons of whom nothing is left; return how many. Reads a whole table: not for every minute."""
    keep = max(keep, MEMORY)
    with store.read() as db:
        sql = f"SELECT p.id FROM person p WHERE {_FORGOTTEN} ORDER BY p.id LIMIT ?"  # noqa: S608
        found = [row[0] for row in db.rows(sql, (db.now - keep, db.now - keep, _BATCH))]
    if not found:
        return 0
    with store.write() as db:
        families.lock(db, found)  # whoever matches a message to one of them just now holds them
        sql = f"SELECT p.id FROM person p WHERE p.id IN ({db.marks(found)}) AND {_FORGOTTEN}"  # noqa: S608
        gone = [row[0] for row in db.rows(sql, (*found, db.now - keep, db.now - keep))]
        if gone:
            marks = db.marks(gone)
            for table in ("person_key", "likeness"):
                db.run(f"DELETE FROM {table} WHERE person IN ({marks})", gone)  # noqa: S608
            db.run(f"DELETE FROM suspect WHERE person IN ({marks}) OR other IN ({marks})", [*gone, *gone])  # noqa: S608
            db.run(f"DELETE FROM person WHERE id IN ({marks})", gone)  # noqa: S608
    return len(gone)


def prune(store: Store, keep: float, most: int = 20) -> int:
    """Delete finished rows older than `keep` seconds; return how many receipts and events went."""
    keep = max(keep, MEMORY)
    gone = 0
    _prune_state(store, keep)
    for _ in range(most):
        with store.read() as db:
            before = db.now - keep
            events = [
                row[0]
                for row in db.rows(
                    "SELECT id FROM event e WHERE at < ? AND state <> 'waiting' AND NOT EXISTS "
                    "(SELECT 1 FROM delivery d WHERE d.event = e.id AND "
                    "(d.state = 'ready' OR (d.state = 'parked' AND d.finished_at > ?))) ORDER BY at LIMIT ?",
                    (before, db.now - MEMORY, _BATCH),
                )
            ]
            receipts = [
                row[0]
                for row in db.rows(
                    "SELECT id FROM receipt r WHERE at < ? AND state <> 'new' AND NOT EXISTS "
                    "(SELECT 1 FROM event e WHERE e.receipt = r.id) ORDER BY at LIMIT ?",
                    (before, _BATCH),
                )
            ]
        if not events and not receipts:
            return gone
        with store.write() as db:
            if events:
                marks = db.marks(events)
                db.run(
                    f"DELETE FROM attempt WHERE delivery IN (SELECT id FROM delivery WHERE event IN ({marks}))",  # noqa: S608
                    events,
                )
                db.run(f"DELETE FROM part WHERE event IN ({marks})", events)  # noqa: S608
                db.run(f"DELETE FROM delivery WHERE event IN ({marks})", events)  # noqa: S608
                db.run(f"DELETE FROM search WHERE event IN ({marks})", events)  # noqa: S608
                db.run(f"DELETE FROM event WHERE id IN ({marks})", events)  # noqa: S608
            if receipts:
                db.run(f"DELETE FROM receipt WHERE id IN ({db.marks(receipts)})", receipts)  # noqa: S608
        gone += len(events) + len(receipts)
    return gone
