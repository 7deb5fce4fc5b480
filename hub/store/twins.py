"""Which records a sync keeps alike, what they agreed upon, and what it has still to look at."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from hub.store.engine import Db
from hub.store.json import dumps, loads

#: seconds after which a delivery that never came back no longer keeps others away from its pair
BUSY = 90.0
#: seconds that writes are remembered for the breaker
MINUTE = 60.0


@dataclass(slots=True)
class Twin:
    """A pair. `one` is its record at `from`, `other` that at `to`; `state` is kept, stopped, gone or making.

    making: a delivery looks for the other one or makes it just now; "~" and its number stand in its place.
    told: one|other -> word -> [when its new value was changed, that value]. intent: what a write was to leave behind
    whose outcome isn't known: word -> [agreement, place of the written side, value written].
    """

    id: int
    sync: str
    record: str
    one: str
    other: str
    state: str = "kept"
    agreed: dict[str, list[Any]] = field(default_factory=dict)
    told: dict[str, dict[str, list[Any]]] = field(default_factory=dict)
    writes: list[float] = field(default_factory=list)
    intent: dict[str, list[Any]] = field(default_factory=dict)
    busy: int | None = None
    busy_at: float | None = None
    reason: Any = None
    at: float = 0.0

    def ref(self, way: str) -> str:
        """Return the id of the record that is written into when it goes this way."""
        return self.other if way == "forward" else self.one


@dataclass(slots=True)
class Settled:
    """What one delivery of a sync leaves behind, written with its outcome. `pair` is the row it held meanwhile."""

    sync: str
    record: str
    one: str
    other: str
    agreed: dict[str, list[Any]] = field(default_factory=dict)
    wrote: bool = False
    state: str = "kept"
    reason: Any = None
    pair: int = 0


_COLUMNS = "id, sync, record, one, other, state, agreed, told, writes, intent, busy, busy_at, reason, at"


def _twin(row: Any) -> Twin:
    return Twin(
        id=row[0], sync=row[1], record=row[2], one=row[3], other=row[4], state=row[5], agreed=loads(row[6]),
        told=loads(row[7]), writes=loads(row[8]), intent=loads(row[9]) or {}, busy=row[10], busy_at=row[11],
        reason=loads(row[12]), at=row[13],
    )  # fmt: skip


def find(db: Db, sync: str, record: str, side: str, ref: str) -> Twin | None:
    """Return the pair of a record. side: `one` for a record at `from`, `other` for one at `to`."""
    sql = f"SELECT {_COLUMNS} FROM twin WHERE sync = ? AND record = ? AND {_side(side)} = ?"  # noqa: S608
    row = db.one(sql, (sync, record, ref))
    return _twin(row) if row else None


def all_of(db: Db, sync: str, record: str) -> list[Twin]:
    """Return every pair of a kind of record."""
    sql = f"SELECT {_COLUMNS} FROM twin WHERE sync = ? AND record = ? ORDER BY id"  # noqa: S608
    return [_twin(row) for row in db.rows(sql, (sync, record))]


def stopped(db: Db, sync: str) -> list[Twin]:
    """Return the pairs that the breaker has stopped."""
    sql = f"SELECT {_COLUMNS} FROM twin WHERE sync = ? AND state = 'stopped' ORDER BY id"  # noqa: S608
    return [_twin(row) for row in db.rows(sql, (sync,))]


def parked(db: Db, routes: Sequence[str], limit: int = 20) -> list[tuple[int, str, str, Any]]:
    """Return the newest parked deliveries of a sync's routes: (delivery, connection it came from, record, reason)."""
    rows = db.rows(
        "SELECT d.id, e.connection, e.subject, d.reason FROM delivery d JOIN event e ON e.id = d.event "  # noqa: S608
        f"WHERE d.state = 'parked' AND d.route IN ({db.marks(routes)}) ORDER BY d.id DESC LIMIT ?",
        (*routes, limit),
    )
    return [(row[0], row[1], row[2], loads(row[3]) if row[3] else None) for row in rows]


def _side(side: str) -> str:
    if side not in ("one", "other"):
        raise ValueError(side)
    return side


def take(db: Db, twin: int, delivery: int) -> Twin | None:
    """Let a delivery be the only one that looks at a pair; None while another does. Its own earlier try is itself."""
    took = db.run(
        "UPDATE twin SET busy = ?, busy_at = ? WHERE id = ? AND (busy IS NULL OR busy = ? OR busy_at < ?)",
        (delivery, db.now, twin, delivery, db.now - BUSY),
    )
    if not took:
        return None
    return _twin(db.one(f"SELECT {_COLUMNS} FROM twin WHERE id = ?", (twin,)))  # noqa: S608


def claim(db: Db, sync: str, record: str, side: str, ref: str, delivery: int) -> Twin | None:
    """Take the pair of a record, or the right to find or make its twin; None while another delivery has it."""
    db.lock([f"twin:{sync}:{record}:{side}:{ref}"])
    known = find(db, sync, record, side, ref)
    if known is None:
        pair = (ref, f"~{delivery}") if side == "one" else (f"~{delivery}", ref)
        db.insert(
            "twin", ("sync", "record", "one", "other", "state", "agreed", "told", "writes", "at"),
            [(sync, record, *pair, "making", "{}", "{}", "[]", db.now)],
        )  # fmt: skip
        known = find(db, sync, record, side, ref)
        assert known is not None
    if known.state == "making" and known.busy not in (None, delivery):
        if _under_way(db, known.busy):
            return None
        db.run("UPDATE twin SET busy = NULL WHERE id = ? AND busy = ?", (known.id, known.busy))  # it was given up
    return take(db, known.id, delivery)


def _under_way(db: Db, delivery: int | None) -> bool:
    return db.one("SELECT 1 FROM delivery WHERE id = ? AND state = 'ready'", (delivery,)) is not None


def pair(db: Db, twin: Twin, side: str, other: str) -> Twin | None:
    """Give a record that looks for its twin the one it has found; None if that one has a twin already."""
    opposite = "other" if side == "one" else "one"
    own = twin.one if side == "one" else twin.other
    place = f"twin:{twin.sync}:{twin.record}"  # both names: two that find each other at once take them in one order
    db.lock([f"{place}:{side}:{own}", f"{place}:{opposite}:{other}"])
    known = find(db, twin.sync, twin.record, opposite, other)
    if known is not None:
        if known.state != "making":
            return None
        db.run("DELETE FROM twin WHERE id = ?", (known.id,))  # it was looking for us in its turn
    db.run(f"UPDATE twin SET {_side(opposite)} = ?, state = 'kept' WHERE id = ?", (other, twin.id))  # noqa: S608
    return find(db, twin.sync, twin.record, opposite, other)


def intend(db: Db, twin: int, intent: Mapping[str, list[Any]]) -> None:
    """Note what is about to be written, before it is: a worker that dies then leaves a trace of its own hand."""
    db.run("UPDATE twin SET intent = ? WHERE id = ?", (dumps(dict(intent)), twin))


def let_go(db: Db, twin: int, delivery: int, final: bool) -> None:
    """End a delivery's hold on its pair; one that found and made nothing leaves nothing.

    final: it won't be tried again. Until then it keeps the right to make a twin: it may have made it already.
    """
    if final:
        db.run("DELETE FROM twin WHERE id = ? AND busy = ? AND state = 'making'", (twin, delivery))
    sql = "UPDATE twin SET busy = NULL, busy_at = NULL WHERE id = ? AND busy = ? AND state <> 'making'"
    db.run(sql, (twin, delivery))


def locks_of(found: Settled) -> list[str]:
    """Return the names under which the two records of a pair are held."""
    place = f"twin:{found.sync}:{found.record}"
    return [f"{place}:one:{found.one}", f"{place}:other:{found.other}"]


def settle(db: Db, found: Settled) -> bool:
    """Write down what a delivery has made of a pair; return False if one of the two has another twin already."""
    db.lock(locks_of(found))
    known = find(db, found.sync, found.record, "one", found.one)
    theirs = find(db, found.sync, found.record, "other", found.other)
    if _over(db, found, known, theirs):
        return True
    for one in (known, theirs):
        if one is not None and one.state != "making" and (one.one, one.other) != (found.one, found.other):
            return False
    if known is None or (theirs is not None and theirs.id != known.id and theirs.state != "making"):
        known, theirs = theirs, known
    if theirs is not None and known is not None and theirs.id != known.id:
        db.run("DELETE FROM twin WHERE id = ?", (theirs.id,))
    if known is None:
        db.insert(
            "twin", ("sync", "record", "one", "other", "state", "agreed", "told", "writes", "at"),
            [(found.sync, found.record, found.one, found.other, "kept", "{}", "{}", "[]", db.now)],
        )  # fmt: skip
        known = find(db, found.sync, found.record, "one", found.one)
        assert known is not None
    writes = [at for at in known.writes if at > db.now - MINUTE] + ([db.now] if found.wrote else [])
    told = {side: {w: v for w, v in words.items() if w not in found.agreed} for side, words in known.told.items()}
    db.run(
        "UPDATE twin SET one = ?, other = ?, agreed = ?, told = ?, writes = ?, state = ?, reason = ?, at = ?, "
        "intent = NULL WHERE id = ?",
        (found.one, found.other, dumps({**known.agreed, **found.agreed}), dumps(told), dumps(writes), found.state,
         dumps(found.reason) if found.reason else None, db.now, known.id),
    )  # fmt: skip
    return True


def _over(db: Db, found: Settled, known: Twin | None, theirs: Twin | None) -> bool:
    """Return whether a record was deleted while the call was under way: then the pair is no more, and stays so."""
    if any(one is not None and one.state == "gone" for one in (known, theirs)):
        return found.state != "gone"
    held = found.pair and db.one("SELECT 1 FROM twin WHERE id = ?", (found.pair,)) is not None
    return bool(found.pair) and not held and known is None and theirs is None


def tell(db: Db, twin: Twin, side: str, news: Mapping[str, Any], at: float, seen: Mapping[str, list[Any]]) -> None:
    """Note since when fields of a side say something new, and what the vendor made of values the hub wrote.

    news: word -> value, where it differs from what was agreed. seen: agreements completed by this look.
    """
    known = dict(twin.told.get(side) or {})
    if _told(known, news, at) == known and not seen:
        return
    now = reread(db, twin.id)  # what a delivery has settled since this look began stands
    if now is None:
        return
    fresh = _told(now.told.get(side) or {}, news, at)
    db.run("UPDATE twin SET told = ? WHERE id = ?", (dumps({**now.told, side: fresh}), twin.id))
    completed = {word: pair for word, pair in seen.items() if now.agreed.get(word) == twin.agreed.get(word)}
    if completed:
        agree(db, twin.id, {**now.agreed, **completed})


def _told(known: Mapping[str, list[Any]], news: Mapping[str, Any], at: float) -> dict[str, list[Any]]:
    return {
        word: known[word] if word in known and known[word][1] == value else [at, value] for word, value in news.items()
    }


def reread(db: Db, twin: int) -> Twin | None:
    """Return a pair as it is now, kept from others until the end of the transaction; None if it is no more."""
    lock = " FOR UPDATE" if db.postgresql else ""
    row = db.one(f"SELECT {_COLUMNS} FROM twin WHERE id = ?{lock}", (twin,))  # noqa: S608
    return _twin(row) if row else None


def lose(db: Db, sync: str, record: str, side: str, ref: str, forget: bool) -> None:
    """A record was deleted: its pair is over. forget: the other one is free to get a new twin."""
    twin = find(db, sync, record, side, ref)
    if twin is not None and forget:
        db.run("DELETE FROM twin WHERE id = ?", (twin.id,))
    elif twin is not None:
        db.run("UPDATE twin SET state = 'gone', at = ? WHERE id = ?", (db.now, twin.id))


def agree(db: Db, twin: int, agreed: Mapping[str, list[Any]]) -> None:
    """Set what a pair agreed upon; worked out from what `reread` has given."""
    db.run("UPDATE twin SET agreed = ? WHERE id = ?", (dumps(dict(agreed)), twin))


def release(db: Db, twin: int) -> None:
    """Let a stopped pair go on."""
    db.run("UPDATE twin SET state = 'kept', reason = NULL, writes = '[]' WHERE id = ?", (twin,))


# --- how a sync stands -----------------------------------------------------------------------------


@dataclass(slots=True)
class State:
    """How a sync stands."""

    name: str
    state: str = "new"
    started_at: float | None = None
    paused_at: float | None = None
    finished_at: float | None = None
    fed_at: float | None = None

    @property
    def carries(self) -> bool:
        """Whether changes are carried now."""
        return self.state in ("first", "on")


def states(db: Db) -> dict[str, State]:
    """Return the syncs that were ever begun."""
    rows = db.rows("SELECT name, state, started_at, paused_at, finished_at, fed_at FROM sync")
    return {row[0]: State(*row) for row in rows}


def set_state(db: Db, name: str, state: str, **columns: float | None) -> None:
    """Write how a sync stands, and some of its times."""
    given = {"state": state, **columns}
    columns = {"started_at": db.now, **columns}
    update = ", ".join(f"{column} = excluded.{column}" for column in given)
    db.insert(
        "sync", ("name", "state", *columns), [(name, state, *columns.values())],
        f"ON CONFLICT (name) DO UPDATE SET {update}",
    )  # fmt: skip


# --- what is still to be looked at -----------------------------------------------------------------


@dataclass(slots=True)
class Waiting:
    """A record of the backlog."""

    id: int
    record: str
    connection: str
    ref: str
    content: dict[str, Any] | None


def add_backlog(db: Db, sync: str, rows: Sequence[tuple[str, str, str, str, Any, Any]]) -> int:
    """Remember records to be looked at: (record, connection, ref, plan, reason, content). Return how many are new.

    One that is there already and was handed on waits anew, but for its plan, which tells of the first time.
    """
    fresh = db.insert(
        "backlog", ("sync", "record", "connection", "ref", "plan", "reason", "content", "state", "at"),
        [(sync, record, connection, ref, plan, dumps(reason) if reason else None,
          dumps(content) if content is not None else None,
          "fed" if plan in ("same", "merge", "skip") else "waiting", db.now)
         for record, connection, ref, plan, reason, content in rows],
        "ON CONFLICT (sync, record, connection, ref) DO UPDATE SET state = excluded.state, at = excluded.at, "
        "content = excluded.content, plan = excluded.plan, reason = excluded.reason WHERE backlog.state = 'fed'",
        "id",
    )  # fmt: skip
    return len(fresh)


def has_work(db: Db, sync: str) -> bool:
    """Return whether a sync's backlog has to be handed on or its end to be noted."""
    row = db.one("SELECT state FROM sync WHERE name = ?", (sync,))
    if row is None or row[0] not in ("first", "on"):
        return False
    found = db.one("SELECT 1 FROM backlog WHERE state = 'waiting' AND sync = ? LIMIT 1", (sync,))
    return row[0] == "first" or found is not None


def kinds_waiting(db: Db, sync: str) -> list[tuple[str, str]]:
    """Return each (record, connection) of which something waits in the backlog, a look-up for each."""
    found: list[tuple[str, str]] = []
    last = ("", "")
    while True:
        row = db.one(
            "SELECT record, connection FROM backlog WHERE state = 'waiting' AND sync = ? "
            "AND (record, connection) > (?, ?) ORDER BY record, connection LIMIT 1",
            (sync, *last),
        )
        if row is None:
            return found
        last = (row[0], row[1])
        found.append(last)


def waiting(db: Db, sync: str, record: str, connections: Sequence[str], limit: int) -> list[Waiting]:
    """Return the oldest records of a kind in the backlog that come from these connections."""
    rows = [
        row
        for connection in connections
        for row in db.rows(
            "SELECT id, record, connection, ref, content FROM backlog WHERE state = 'waiting' AND sync = ? "
            "AND record = ? AND connection = ? ORDER BY id LIMIT ?",
            (sync, record, connection, limit),
        )
    ]
    return [
        Waiting(row[0], row[1], row[2], row[3], loads(row[4])) for row in sorted(rows, key=lambda row: row[0])[:limit]
    ]


def give_up_waiting(db: Db, sync: str, record: str, connection: str, reason: Mapping[str, Any], limit: int) -> int:
    """Let records of the backlog wait no longer, and say why; return how many that were."""
    return db.run(
        "UPDATE backlog SET state = 'fed', event = NULL, content = NULL, reason = ? WHERE id IN "
        "(SELECT id FROM backlog WHERE state = 'waiting' AND sync = ? AND record = ? AND connection = ? "
        "ORDER BY id LIMIT ?)",
        (dumps(dict(reason)), sync, record, connection, limit),
    )


def fed(db: Db, rows: Iterable[tuple[int, int]]) -> None:
    """Note which event stands for a record of the backlog: (id, event)."""
    db.many(
        "UPDATE backlog SET state = 'fed', event = ?, content = NULL WHERE id = ?", [(event, id) for id, event in rows]
    )


def unfinished(db: Db, sync: str, records: Sequence[str]) -> bool:
    """Return whether something of these records was handed on and isn't finished yet."""
    return _ready(db, sync, records, "")


def moving(db: Db, sync: str, records: Sequence[str]) -> bool:
    """Return whether something of these records was handed on and is about to be finished.

    What is tried again later, is held or needs a person isn't, nor is what stands behind it on its line.
    """
    stuck = "('retry', 'hold', 'drift', 'human')"
    ahead = f"SELECT 1 FROM delivery h WHERE h.state = 'ready' AND h.line = d.line AND h.wait IN {stuck}"  # noqa: S608
    return _ready(db, sync, records, f" AND NOT EXISTS ({ahead})")


def _ready(db: Db, sync: str, records: Sequence[str], only: str) -> bool:
    if not records:
        return False
    # CROSS JOIN: SQLite reads the few deliveries that are ready and looks each up, not the whole backlog.
    sql = (
        "SELECT 1 FROM delivery d CROSS JOIN backlog b WHERE d.state = 'ready' AND b.event = d.event "  # noqa: S608
        f"AND b.sync = ? AND b.record IN ({db.marks(records)}){only} LIMIT 1"
    )
    return db.one(sql, (sync, *records)) is not None


def progress(db: Db, sync: str) -> list[dict[str, Any]]:
    """Return what became of the backlog: {"record", "plan", "state", "count"}; a state is waiting or a delivery's."""
    rows = db.rows(
        "SELECT b.record, b.plan, CASE WHEN b.state = 'waiting' THEN 'waiting' ELSE coalesce(d.state, 'nothing') END, "
        "count(*) FROM backlog b LEFT JOIN delivery d ON d.event = b.event AND b.event IS NOT NULL "
        "WHERE b.sync = ? GROUP BY 1, 2, 3 ORDER BY 1, 2, 3",
        (sync,),
    )
    return [dict(zip(("record", "plan", "state", "count"), row, strict=True)) for row in rows]


def counts(db: Db, sync: str) -> dict[str, int]:
    """Return how many pairs there are, by `record` and, where it isn't `kept`, state: `contact`, `deal stopped`."""
    rows = db.rows("SELECT record, state, count(*) FROM twin WHERE sync = ? GROUP BY record, state", (sync,))
    return {row[0] if row[1] == "kept" else f"{row[0]} {row[1]}": int(row[2]) for row in rows}
