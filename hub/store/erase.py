"""Erasing a person's own rows: what was theirs goes, what counts need stays without them. A few hundred rows a commit.

A tombstone keeps its id, its connection, its type, its times, its state and its key: so days still add up, and a late
copy from the vendor is known as one. A key that names the person goes on as a digest that nobody without the
installation's key can try out (`intake.erased_key`). What is left of the person is the number they had here, which
leads to nothing.
"""

from __future__ import annotations

import contextlib
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

from hub.reasons import stored
from hub.store import families, intake, state, work
from hub.store.engine import Db, Store
from hub.store.json import dumps, loads
from hub.store.whose import Whose

#: rows of one kind in one commit: some milliseconds, since an acknowledgement may wait behind it
CHUNK = 200
#: so many times SQLite's log is tried to be cut
_CUTS = 20
#: of a call these stay: a ledger must go on knowing that it came in, and whether somebody answered
_CALL = ("direction", "status", "duration")


@contextlib.contextmanager
def erasing(store: Store) -> Iterator[Db]:
    """A write whose deleted rows are overwritten in SQLite's file, not merely forgotten."""
    with store.write() as db:
        if not db.postgresql:
            db.run("PRAGMA secure_delete = ON")
        yield db


def compact(store: Store) -> bool:
    """Have the database give up the space of what was deleted: a file that is read raw holds none of it any more.

    SQLite rewrites its file and cuts its log, and nobody writes meanwhile (about a second for 100 MB). PostgreSQL
    frees the space for new rows; its own log, replicas and back-ups are out of the hub's reach. Returns False where the
    log could not be cut, because somebody reads without end.
    """
    if store.postgresql:
        with store.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.exec_driver_sql("VACUUM")
        return True
    with store.alone() as connection:
        connection.exec_driver_sql("VACUUM")
    for _ in range(_CUTS):
        with store.alone() as connection:  # a reader is waited for without holding up those who write
            connection.exec_driver_sql("PRAGMA busy_timeout = 200").fetchall()
            busy = connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()[0][0]
            connection.exec_driver_sql("PRAGMA busy_timeout = 30000").fetchall()
        if not busy:
            return True
        time.sleep(0.3)
    return False


# --- work in flight -------------------------------------------------------------------------------------


def being_sent(db: Db, whose: Whose) -> list[str]:
    """Return what a worker does for them at this moment (`d7`, `e5`): it has to end before anything is erased."""
    busy = []
    for chunk in _chunks(sorted(whose.events)):
        for kind, sql in (
            ("d", "SELECT x.id, x.line FROM delivery x WHERE x.state = 'ready' AND x.event IN ({})"),
            ("e", "SELECT x.id, x.line FROM event x WHERE x.state = 'waiting' AND x.id IN ({})"),
        ):
            rows = db.rows(sql.format(db.marks(chunk)), chunk)
            held = _leased(db, {row[1] for row in rows})
            busy += [f"{kind}{id}" for id, line in rows if line in held]
    return busy


def _leased(db: Db, lines: set[str]) -> set[str]:
    """Return those of the lines that somebody holds; on PostgreSQL the others can't be claimed in this transaction."""
    held: set[str] = set()
    lock = " FOR UPDATE" if db.postgresql else ""
    for chunk in _chunks(sorted(lines)):
        sql = f"SELECT key, lease, due FROM line WHERE key IN ({db.marks(chunk)}) ORDER BY key{lock}"  # noqa: S608
        held |= {key for key, lease, due in db.rows(sql, chunk) if lease is not None and due > db.now}
    return held


def give_up(db: Db, whose: Whose) -> int:
    """Drop what waits for them; return how many deliveries and hints that were. Nothing may be under way."""
    given, lines = 0, set()
    reason = dumps(stored("erased", was="ready"))
    for chunk in _chunks(sorted(whose.events)):
        marks = db.marks(chunk)
        sql = f"SELECT line FROM delivery WHERE state = 'ready' AND event IN ({marks})"  # noqa: S608
        lines |= {row[0] for row in db.rows(sql, chunk)}
        lines |= {row[0] for row in db.rows(
            f"SELECT line FROM event WHERE state = 'waiting' AND id IN ({marks})", chunk)}  # fmt: skip  # noqa: S608
        given += db.run(
            "UPDATE delivery SET state = 'dropped', wait = NULL, started_at = NULL, finished_at = ?, reason = ? "  # noqa: S608
            f"WHERE state IN ('ready', 'parked') AND event IN ({marks})",
            (db.now, reason, *chunk),
        )
        given += db.run(
            f"UPDATE event SET state = 'dropped', line = NULL WHERE state = 'waiting' AND id IN ({marks})",  # noqa: S608
            chunk,
        )
    work.pass_on_all(db, {line: None for line in lines if line})
    for (cause,) in db.rows("SELECT cause FROM alert WHERE closed_at IS NULL AND kind = 'alert_parked'"):
        connection = cause.partition(":")[2]
        parked = "SELECT 1 FROM delivery WHERE state = 'parked' AND connection = ? LIMIT 1"
        if db.one(parked, (connection,)) is None:
            state.close_alerts(db, cause)
    return given


# --- rows -----------------------------------------------------------------------------------------------


def events(db: Db, whose: Whose, ids: Sequence[int]) -> Counter[str]:
    """Turn events into tombstones, with their deliveries; attempts and search words go."""
    marks, counts = db.marks(ids), Counter[str]()
    named = False
    rows = db.rows(
        f'SELECT id, connection, "key", subject, content, state, reason FROM event WHERE id IN ({marks})', ids  # noqa: S608
    )  # fmt: skip
    changed = []
    for id, connection, key, subject, content, was, reason in rows:
        if whose.needles.found(key, names=True):
            key, named = intake.erased_key(db.sealer, connection, key), True
        kind = subject.partition(":")[0]
        subject = f"{kind}:erased-{db.sealer.digest(f'{connection}>{subject}')[:16]}"
        why = dumps(_reason(loads(reason), was))
        changed.append((key, subject, dumps(_content(loads(content))), why, id))
    db.many(
        "UPDATE event SET \"key\" = ?, subject = ?, content = ?, reason = ?, state = 'erased', line = NULL, "
        "matched = NULL WHERE id = ?",
        changed,
    )
    if named:
        state.set_fact(db, intake.ERASED_KEYS, "1")
    counts["events"] = len(changed)
    counts["attempts"] = db.run(
        f"DELETE FROM attempt WHERE delivery IN (SELECT id FROM delivery WHERE event IN ({marks}))", ids  # noqa: S608
    )  # fmt: skip
    deliveries = db.rows(f"SELECT id, reason, written FROM delivery WHERE event IN ({marks})", ids)  # noqa: S608
    db.many(
        "UPDATE delivery SET line = '', marker = '', result = NULL, written = ?, given = NULL, reason = ? WHERE id = ?",
        [(_written(written), _code(reason), id) for id, reason, written in deliveries],
    )
    counts["deliveries"] = len(deliveries)
    db.run(f"DELETE FROM part WHERE event IN ({marks})", ids)  # noqa: S608
    counts["search words"] = db.run(f"DELETE FROM search WHERE event IN ({marks})", ids)  # noqa: S608
    return counts


def receipts(db: Db, whose: Whose, ids: Sequence[int]) -> int:
    """Empty the receipts that hold nothing of others; those of several are left to the sweep. Return how many."""
    changed, named = [], False
    for id, connection, key in db.rows(
        f'SELECT id, connection, "key" FROM receipt WHERE id IN ({db.marks(ids)})', ids  # noqa: S608
    ):  # fmt: skip
        if whose.needles.found(key, names=True):
            key, named = intake.erased_key(db.sealer, connection, key), True
        changed.append((key, f"/in/{connection}", db.sealer.seal(b""), dumps(stored("erased")), id))
    db.many(
        "UPDATE receipt SET \"key\" = ?, path = ?, query = '[]', headers = '{}', remote = '', body = ?, "
        "state = 'erased', reason = ? WHERE id = ?",
        changed,
    )
    if named:
        state.set_fact(db, intake.ERASED_KEYS, "1")
    return len(changed)


def records(db: Db, whose: Whose) -> Counter[str]:
    """Forget what was last seen of their records, what is watched, and what is linked."""
    counts = Counter[str]()
    for connection, kind, ref in sorted(whose.refs):
        counts["records seen"] += db.run(
            "DELETE FROM seen WHERE connection = ? AND subject = ?", (connection, f"{kind}:{ref}")
        )
        counts["records watched"] += db.run(
            "DELETE FROM watch WHERE connection = ? AND kind = ? AND ref = ?", (connection, kind, ref)
        )
        counts["links"] += links_of(db, connection, kind, ref)
    return counts


def links_of(db: Db, connection: str, kind: str, ref: str) -> int:
    """Forget every link of a record; return how many."""
    row = db.one("SELECT count(*) FROM link WHERE connection = ? AND kind = ? AND ref = ?", (connection, kind, ref))
    work.drop_links(db, connection, kind, ref)
    return int(row[0]) if row else 0


def persons(db: Db, whose: Whose) -> Counter[str] | None:
    """Forget the person: their keys and their number's row. From here on nobody finds them.

    None, and nothing is done, where something was planned for them that isn't among `whose.events`: whoever plans for
    a person holds them, so with them in hold none can come any more.
    """
    families.lock(db, whose.persons)
    for chunk in _chunks(whose.persons):
        sql = f"SELECT id FROM event WHERE state <> 'erased' AND person IN ({db.marks(chunk)})"  # noqa: S608
        if any(row[0] not in whose.events for row in db.rows(sql, chunk)):
            return None
    counts = Counter[str]()
    for person in whose.persons:
        counts["links"] += links_of(db, "hub", "person", str(person))
        counts["links"] += links_of(db, "hub", "customer", str(person))
        counts["keys"] += db.run("DELETE FROM person_key WHERE person = ?", (person,))
        db.run("DELETE FROM likeness WHERE person = ?", (person,))
        counts["suspects"] += db.run("DELETE FROM suspect WHERE person = ? OR other = ?", (person, person))
        counts["merges"] += db.run("DELETE FROM merge WHERE one = ? OR other = ?", (person, person))
        counts["persons"] += db.run("DELETE FROM person WHERE id = ?", (person,))
    return counts


def _content(content: dict[str, Any]) -> dict[str, Any]:
    """Return what is left of an event's content: nothing anybody said or is."""
    call = (content.get("record") or {}).get("call") or {}
    kept = {name: call[name] for name in _CALL if name in call}
    left: dict[str, Any] = {
        "record": {"call": kept} if kept else {}, "text": "", "title": "", "channel": content.get("channel") or "",
        "by": "hub" if content.get("by") == "hub" else "", "was": {},
    }  # fmt: skip
    return left | {name: content[name] for name in ("again", "batch") if content.get(name)}


def _reason(reason: Any, was: str) -> dict[str, Any]:
    """Return the reason of a tombstone: what state it had, and by which codes routes left it alone."""
    left: dict[str, Any] = stored("erased", was=was)
    if skipped := (reason or {}).get("skipped"):
        left["skipped"] = [{"route": one.get("route"), **stored(one.get("code", ""))} for one in skipped]
    return left


def _written(written: str | None) -> str | None:
    """Return what is left of what was written: whether it made a record, for the ledger's sums."""
    told = loads(written)
    if not told:
        return None
    left: dict[str, Any] = {"written": {}, "before": {}}
    return dumps({**left, "created": True} if told.get("created") else left)


def _code(reason: str | None) -> str | None:
    """Return a stored reason without its parameters."""
    known = loads(reason)
    return dumps({"code": known.get("code", ""), "params": {}}) if known else None


def _chunks(ids: Sequence[Any]) -> Iterator[Sequence[Any]]:
    for start in range(0, len(ids), CHUNK):
        yield ids[start : start + CHUNK]
