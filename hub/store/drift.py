"""What accounts are made of, what of it no longer fits hub.yaml, and the values left out meanwhile."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from hub.connector import Named
from hub.store import record
from hub.store.engine import Db
from hub.store.json import dumps, loads
from hub.store.work import ensure_lines

#: (kind, record, code)
Key = tuple[str, str, str]

_FINGERPRINT = ("connection", "kind", "record", "code", "label", "type", "pipeline", "at", "gone_at")

# --- what an account is made of --------------------------------------------------------------------


def fingerprint(db: Db, connection: str) -> dict[Key, tuple[Named, bool]]:
    """Return what the account was made of at the last look: key -> (thing, whether it was gone)."""
    rows = db.rows(
        "SELECT kind, record, code, label, type, pipeline, gone_at FROM fingerprint WHERE connection = ?",
        (connection,),
    )
    return {
        (row[0], row[1], row[2]): (Named(row[0], row[2], row[3], row[1], row[4], row[5]), row[6] is not None)
        for row in rows
    }


def remember(db: Db, connection: str, fresh: Iterable[Named], gone: Iterable[Key]) -> None:
    """Write down what is new, changed or back, and what is gone since now."""
    rows = [
        (connection, one.kind, one.record, one.code, one.label, one.type, one.pipeline, db.now, None)
        for one in {(one.kind, one.record, one.code): one for one in fresh}.values()
    ]
    if rows:
        db.insert(
            "fingerprint", _FINGERPRINT, rows,
            "ON CONFLICT (connection, kind, record, code) DO UPDATE SET label = excluded.label, "
            "type = excluded.type, pipeline = excluded.pipeline, at = excluded.at, gone_at = NULL",
        )  # fmt: skip
    db.many(
        "UPDATE fingerprint SET gone_at = ? WHERE connection = ? AND kind = ? AND record = ? AND code = ?",
        [(db.now, connection, *key) for key in gone],
    )


def gone(db: Db, connection: str) -> dict[Key, str]:
    """Return what is gone of an account: key -> label."""
    rows = db.rows(
        "SELECT kind, record, code, label FROM fingerprint WHERE connection = ? AND gone_at IS NOT NULL", (connection,)
    )
    return {(row[0], row[1], row[2]): row[3] for row in rows}


def user_fields(db: Db, connection: str) -> frozenset[tuple[str, str]]:
    """Return (record, field) of the fields that hold an employee."""
    rows = db.rows(
        "SELECT record, code FROM fingerprint WHERE connection = ? AND kind = 'field' AND type = 'user'", (connection,)
    )
    return frozenset((row[0], row[1]) for row in rows)


# --- what no longer fits ---------------------------------------------------------------------------


@dataclass(frozen=True)
class Open:
    """A drift that pauses lines at present. said: a digest of the places that name it, as they were when it began."""

    connection: str
    key: Key
    what: str
    reason: dict[str, Any]
    said: str
    since: float


def drifts(db: Db, connection: str = "") -> list[Open]:
    """Return the open drifts, of all connections or of one."""
    where, params = (" WHERE connection = ?", (connection,)) if connection else ("", ())
    rows = db.rows(
        f"SELECT connection, kind, record, code, what, reason, said, since FROM drift{where} "  # noqa: S608
        "ORDER BY connection, since, kind, code",
        params,
    )
    return [Open(row[0], (row[1], row[2], row[3]), row[4], loads(row[5]), row[6], row[7]) for row in rows]


def open_drift(db: Db, connection: str, key: Key, what: str, reason: Mapping[str, Any], said: str) -> None:
    """Note a drift; one that is open already stays as it was first told."""
    db.insert(
        "drift", ("connection", "kind", "record", "code", "what", "reason", "said", "since"),
        [(connection, *key, what, dumps(dict(reason)), said, db.now)],
        "ON CONFLICT (connection, kind, record, code) DO NOTHING",
    )  # fmt: skip


def close_drift(db: Db, connection: str, key: Key) -> None:
    """Forget a drift that is mended."""
    db.run("DELETE FROM drift WHERE connection = ? AND kind = ? AND record = ? AND code = ?", (connection, *key))


def wake_held(db: Db, connection: str) -> int:
    """Make due what waits because of drift; return how many lines that were."""
    return db.run(
        "UPDATE line SET due = ? WHERE lease IS NULL AND due > ? AND key IN "
        "(SELECT line FROM delivery WHERE state = 'ready' AND wait = 'drift' AND connection = ?)",
        (db.now, db.now, connection),
    )


def release_parked(db: Db, connection: str) -> int:
    """Make ready again what was parked because it had waited too long for a drift to be mended; return how many."""
    rows = db.rows(
        "SELECT id, line FROM delivery WHERE state = 'parked' AND connection = ? AND reason LIKE ?",
        (connection, '%"drift_parked"%'),
    )
    for id, _ in rows:
        record.send_again(db, id)
    ensure_lines(db, {row[1]: connection for row in rows})
    return len(rows)


def alert_params(db: Db, cause: str) -> dict[str, Any] | None:
    """Return the parameters of the open alert of a cause, None if there is none."""
    row = db.one("SELECT params FROM alert WHERE cause = ? AND closed_at IS NULL", (cause,))
    return loads(row[0]) if row else None


def open_causes(db: Db, beginning: str) -> list[str]:
    """Return the causes of open alerts that begin so."""
    rows = db.rows(
        "SELECT cause FROM alert WHERE closed_at IS NULL AND substr(cause, 1, ?) = ?", (len(beginning), beginning)
    )
    return [row[0] for row in rows]


def look_soon(db: Db, connection: str) -> None:
    """Have a connection's account looked at now: the vendor has just said that something isn't as it was."""
    db.run(
        "UPDATE line SET due = ? WHERE key = ? AND lease IS NULL AND due > ?", (db.now, f"drift:{connection}", db.now)
    )


# --- values left out -------------------------------------------------------------------------------


@dataclass(frozen=True)
class Part:
    """A value that a delivery left out. code: `field:UF_X`, `stage:C5:NEW`, `user:12`; "" where it was refused."""

    id: int
    delivery: int
    event: int
    route: str
    step: str
    connection: str
    record: str
    ref: str
    word: str
    field: str
    value: Any
    place: str
    code: str
    beside: tuple[str, ...]
    reason: dict[str, Any]
    version: str
    at: float
    state: str
    replay: str | None


_PART = (
    "delivery", "event", "route", "step", "connection", "record", "ref", "word", "field", "value", "place", "code",
    "beside", "reason", "version", "at", "state",
)  # fmt: skip
_READ = f"id, {', '.join(_PART)}, replay"


def _part(row: Any) -> Part:
    given = dict(zip(("id", *_PART, "replay"), row, strict=True))
    given |= {"value": loads(given["value"]), "reason": loads(given["reason"])}
    return Part(**given | {"beside": tuple(loads(given["beside"]))})


def park(db: Db, rows: Sequence[tuple[Any, ...]]) -> None:
    """Keep left-out values: (delivery, event, route, step, connection, record, ref, word, field, value, place, code,
    beside, reason, version)."""
    if rows:
        db.insert(
            "part", _PART,
            [
                (*row[:9], dumps(row[9]), *row[10:12], dumps(list(row[12])), dumps(row[13]), row[14], db.now, "parked")
                for row in rows
            ],
            "ON CONFLICT (delivery, field, ref) DO NOTHING",
        )  # fmt: skip


def parked(db: Db, connection: str, page: int = 1000) -> Iterator[Part]:
    """Yield the parked values of a connection, oldest first, read page by page."""
    sql = f"SELECT {_READ} FROM part WHERE state = 'parked' AND connection = ? AND id > ? ORDER BY id LIMIT ?"  # noqa: S608
    last = 0
    while rows := db.rows(sql, (connection, last, page)):
        last = rows[-1][0]
        yield from map(_part, rows)


def parked_of(db: Db, connection: str, record: str, ref: str) -> list[Part]:
    """Return the parked values for one record."""
    sql = (
        f"SELECT {_READ} FROM part WHERE state = 'parked' "  # noqa: S608
        "AND connection = ? AND record = ? AND ref = ? ORDER BY id"
    )
    return [_part(row) for row in db.rows(sql, (connection, record, ref))]


def parts_of_events(db: Db, events: Sequence[int]) -> list[Part]:
    """Return every left-out value of these events, whatever became of it."""
    if not events:
        return []
    sql = f"SELECT {_READ} FROM part WHERE event IN ({db.marks(events)}) ORDER BY id"  # noqa: S608
    return [_part(row) for row in db.rows(sql, list(events))]


def counts(db: Db) -> dict[tuple[str, str], int]:
    """Return (connection, place) -> how many values are parked there."""
    rows = db.rows("SELECT connection, place, count(*) FROM part WHERE state = 'parked' GROUP BY connection, place")
    return {(row[0], row[1]): int(row[2]) for row in rows}


def any_parked(db: Db, connection: str) -> bool:
    """Return whether values of a connection are parked."""
    return db.one("SELECT 1 FROM part WHERE state = 'parked' AND connection = ? LIMIT 1", (connection,)) is not None


def finish_parts(db: Db, ids: Sequence[int], final: str, replay: str | None = None) -> None:
    """Say what became of parked values: replayed (under the step `replay`), superseded, dropped."""
    db.many(
        "UPDATE part SET state = ?, replay = ? WHERE id = ? AND state = 'parked'", [(final, replay, id) for id in ids]
    )
