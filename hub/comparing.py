"""The first look of a sync: both sides read as a whole, who is whose twin, and what would have to be written.

Nothing is written to a vendor here. `compare` gives the report; `begin` turns it into the backlog of the sync.
"""

from __future__ import annotations

import datetime as dt
import itertools
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from hub import twins
from hub.config import Sync, SyncField
from hub.config.syncs import STAGED
from hub.errors import RateLimited, Retry
from hub.model import Event, Finding, Record
from hub.paths import Scope, empty
from hub.reasons import stored
from hub.runtime import Runtime
from hub.store import twins as store
from hub.store import work

#: tries of one page, and rows written in one commit
TRIES, ROWS = 6, 500
PLANS = ("create", "update", "same", "merge", "skip")
Tell = Callable[[str], None]


@dataclass
class Row:
    """What would become of one record, or of one pair. `ways`: which ways something is to be carried."""

    record: str
    plan: str
    reason: dict[str, Any]
    one: str = ""
    other: str = ""
    title: str = ""
    ways: tuple[str, ...] = ()
    agreed: dict[str, list[Any]] = field(default_factory=dict)


@dataclass
class Side:
    """One side's records of a kind as read: id -> record, and key values -> ids."""

    name: str
    way: str
    records: dict[str, Record] = field(default_factory=dict)
    by_key: dict[tuple[int, str], list[str]] = field(default_factory=dict)
    keys: dict[str, list[tuple[int, str]]] = field(default_factory=dict)
    skipped: dict[str, str] = field(default_factory=dict)


@dataclass
class Report:
    """All of it; `findings` are what a person should know of the sync's own words."""

    rows: list[Row] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    content: dict[tuple[str, str, str], Record] = field(default_factory=dict)

    def counts(self) -> dict[str, dict[str, int]]:
        """Return record -> plan -> how many."""
        found: dict[str, dict[str, int]] = {}
        for row in self.rows:
            known = found.setdefault(row.record, dict.fromkeys(PLANS, 0))
            known[row.plan] += 1
        return found


def compare(runtime: Runtime, sync: Sync, tell: Tell = lambda text: None) -> Report:
    """Read both sides and say what would be done."""
    report = Report(findings=stage_findings(runtime, sync))
    for record in sync.records():
        sides = [
            _read(runtime, sync, record, name, way, tell) for name, way in ((sync.one, "forward"), (sync.other, "back"))
        ]
        _match(runtime, sync, record, sides[0], sides[1], report)
        for side in sides:
            for ref, found in side.records.items():
                report.content[record, side.name, ref] = found
    return report


# --- reading -------------------------------------------------------------------------------------


def pages(
    runtime: Runtime, connection: str, record: str, since: dt.datetime | None = None
) -> Iterator[list[Record]]:  # fmt: skip
    """Yield all pages of a connection's records, as politely as the vendor wants it. since: only what changed then."""
    connector, cursor = runtime.connector(connection), None
    while True:
        rows, cursor = _page(runtime, connection, lambda at=cursor: connector.pages(record, since, at))  # type: ignore[misc]
        yield rows
        if cursor is None:
            return


def _page(runtime: Runtime, connection: str, ask: Callable[[], Any]) -> Any:
    limits = runtime.limits(connection)
    bucket = limits.key or connection
    for left in reversed(range(TRIES)):
        while not runtime.limiter.reserve(bucket, 1, limits.per_second, limits.burst):
            time.sleep(max(0.05, 1.0 / limits.per_second))
        try:
            with runtime.connector(connection).http.work(lambda: None, 1):
                return ask()
        except Retry as trouble:
            if not left:
                raise
            after = trouble.after or 2.0 ** (TRIES - left)
            if isinstance(trouble, RateLimited):
                runtime.limiter.pause(bucket, after, "")
            time.sleep(after)
    raise AssertionError("unreachable")


def _read(runtime: Runtime, sync: Sync, record: str, name: str, way: str, tell: Tell) -> Side:
    side, number = Side(name, way), 0
    route = runtime.config.route(sync.route_name(record, way))
    fields = sync.fields[record]
    for rows in pages(runtime, name, record):
        for found in rows:
            ref = str(found["id"])
            if route is not None and not sync.once and route.when:
                event = Event(f"{record}.compared", f"{record}:{ref}", "", {record: found}, connection=name)
                verdict = route.when.check(Scope(event, runtime.config, now=dt.datetime.now(dt.UTC)))
                if not verdict.ok:
                    side.skipped[ref] = verdict.because
            _index(sync, record, side, ref, found)
            side.records[ref] = _compact(found, fields, way)
        number += len(rows)
        tell(f"{name}: {number} {record} records read")
    return side


def _compact(found: Record, fields: Sequence[SyncField], way: str) -> Record:
    """Return a record with only those vendor fields that the sync looks at: many are held at once."""
    codes = {one.one if way == "forward" else one.other for one in fields}
    extra = {code: value for code, value in (found.get("extra") or {}).items() if code in codes}
    return {**{key: value for key, value in found.items() if key not in ("extra", "source", "url")}, "extra": extra}


def _index(sync: Sync, record: str, side: Side, ref: str, found: Record) -> None:
    for place, key in enumerate(sync.keys.get(record, ())):
        code = key.one if side.way == "forward" else key.other
        if code == "id":
            values: Any = [ref]
        else:
            kind = {"phone": "phones", "email": "emails"}.get(code, "plain")
            values = twins.shown(SyncField(code, code, code, kind=kind), found, "one")
        for value in values if isinstance(values, list) else [values]:
            if not empty(value):
                side.by_key.setdefault((place, str(value)), []).append(ref)
                side.keys.setdefault(ref, []).append((place, str(value)))


# --- matching ------------------------------------------------------------------------------------


def _match(runtime: Runtime, sync: Sync, record: str, one: Side, other: Side, report: Report) -> None:
    with runtime.store.read() as db:
        known = {twin.one: twin for twin in store.all_of(db, sync.name, record) if twin.state != "making"}
        ends = [(one.name, record, ref) for ref in one.records if ref not in known]
        links = work.links(db, ends)
    taken = {twin.other: twin.one for twin in known.values()}
    made: dict[tuple[int, str], str] = {}  # key -> the first record here that will get a new twin by it
    for ref, found in one.records.items():
        title = _title(found)
        twin = known.get(ref)
        if twin is not None and (twin.state != "kept" or twin.other not in other.records):
            reason = stored("plan_over" if twin.state != "kept" else "plan_unread", other=twin.other, there=other.name)
            report.rows.append(Row(record, "skip", reason, ref, twin.other, title))
            continue
        if twin is None and ref in one.skipped:
            report.rows.append(Row(record, "skip", stored("condition", because=one.skipped[ref]), ref, "", title))
            continue
        there, by = (twin.other, "twin") if twin is not None else _candidate(ref, one, other, links, taken, record)
        if there and twin is None and there in taken:
            first = taken[there]
            reason = stored("plan_double", record=record, first=first, by=by, other=f"{other.name}/{record}:{there}")
            report.rows.append(Row(record, "merge", reason, ref, there, title))
        elif there:
            taken[there] = ref
            agreed = twin.agreed if twin is not None else {}
            report.rows.append(_paired(runtime, sync, record, one, other, (ref, there), by, title, agreed))
        elif (first := next((made[key] for key in one.keys.get(ref, ()) if key in made), "")) != "":
            reason = stored("plan_double_here", record=record, first=first, here=one.name)
            report.rows.append(Row(record, "merge", reason, ref, "", title))
        else:
            made |= {key: ref for key in one.keys.get(ref, ()) if key not in made}
            reason = stored("plan_create", record=record, there=other.name)
            report.rows.append(Row(record, "create", reason, ref, "", title, ("forward",)))
    _others(sync, record, one, other, taken, report)


def _candidate(
    ref: str, one: Side, other: Side, links: dict[Any, Any], taken: dict[str, str], record: str
) -> tuple[str, str]:  # fmt: skip
    """Return (id of the record on the other side, by what it was found), ("", "") for none. A free one comes first."""
    linked = [to for where, kind, to in links.get((one.name, record, ref), ()) if (where, kind) == (other.name, record)]
    found = [(to, "a link") for to in linked if to in other.records]
    for key in one.keys.get(ref, ()):
        found += [(to, key[1]) for to in other.by_key.get(key, ())]
        if found:
            break
    return next((pair for pair in found if pair[0] not in taken), found[0] if found else ("", ""))


def _paired(
    runtime: Runtime, sync: Sync, record: str, one: Side, other: Side, refs: tuple[str, str], by: str, title: str,
    agreed: dict[str, list[Any]],
) -> Row:  # fmt: skip
    """Say what two twins would write into each other."""
    ours, theirs = one.records[refs[0]], other.records[refs[1]]
    ways: dict[str, list[str]] = {}
    settled: dict[str, list[Any]] = {}
    for way, source, target in (("forward", ours, theirs), ("back", theirs, ours)):
        fields = [field for field in sync.carried(record, way) if _known_here(sync, field)]
        there = runtime.connector(sync.other if way == "forward" else sync.one)
        sides = twins.Sides(
            sync, way, source, target, lambda field, value, way=way: translated(sync, field, value, way),  # type: ignore[misc]
            lambda now, to, there=there: twins.backward(there.stage_order(record, now), now, to),  # type: ignore[misc]
        )  # fmt: skip
        merged = twins.merge(sides, fields, agreed)
        if merged.values:
            ways[way] = sorted(one.word for one in merged.words.values())
        settled |= {word: pair for word, pair in merged.agreed.items() if word not in ways.get(way, ())}
    if ways:
        what = "; ".join(f"{sync.other if way == 'forward' else sync.one}: {', '.join(w)}" for way, w in ways.items())
        return Row(record, "update", stored("plan_update", by=by, what=what), *refs, title, tuple(ways))
    return Row(record, "same", stored("plan_same", by=by), *refs, title, (), settled)


def _known_here(sync: Sync, field: SyncField) -> bool:
    """Return whether a field can be compared without asking anybody."""
    return field.kind != "reference" and not (field.kind == "responsible" and sync.people == "email")


def translated(sync: Sync, field: SyncField, value: Any, way: str) -> Any:
    """Return what stands for a stage or an employee on the other side, as far as the configuration alone says it."""
    if field.kind == "stage":
        return sync.stage(str(value or ""), way)
    if isinstance(sync.people, tuple):
        pairs = dict(sync.people) if way == "forward" else {other: one for one, other in reversed(sync.people)}
        return pairs.get(str(value or ""), "")
    return ""


def _others(sync: Sync, record: str, one: Side, other: Side, taken: dict[str, str], report: Report) -> None:
    """Say what becomes of records that only the other side has."""
    goes = bool(sync.carried(record, "back")) and sync.both
    made: dict[tuple[int, str], str] = {}
    for ref, found in other.records.items():
        if ref in taken:
            continue
        title = _title(found)
        double = next((to for key in other.keys.get(ref, ()) for to in one.by_key.get(key, ())), "")
        first = next((made[key] for key in other.keys.get(ref, ()) if key in made), "")
        left_out = other.skipped.get(ref) or (one.skipped.get(double) if double else "")
        if left_out or not goes:
            because = left_out or f"only {other.name} has it, and the sync goes one way"
            report.rows.append(Row(record, "skip", stored("condition", because=because), "", ref, title))
        elif double:
            reason = stored(
                "plan_double", record=record, first=double, by="its key", other=f"{one.name}/{record}:{double}"
            )
            report.rows.append(Row(record, "merge", reason, double, ref, title))
        elif first:
            reason = stored("plan_double_here", record=record, first=first, here=other.name)
            report.rows.append(Row(record, "merge", reason, "", ref, title))
        else:
            made |= {key: ref for key in other.keys.get(ref, ()) if key not in made}
            reason = stored("plan_create", record=record, there=one.name)
            report.rows.append(Row(record, "create", reason, "", ref, title, ("back",)))


def _title(found: Record) -> str:
    return str(found.get("name") or found.get("title") or found.get("phone") or found.get("email") or "")[:60]


def stage_findings(runtime: Runtime, sync: Sync) -> list[Finding]:
    """Ask both boards whether the stages of the pairs exist and stand in the same order."""
    if not sync.stages:
        return []
    found = []
    record = next((one for one in sync.records() if one in STAGED), "")
    boards: list[dict[str, list[str]]] = []
    for place, name in enumerate((sync.one, sync.other)):
        connector = runtime.connector(name)
        boards.append({stage: connector.stage_order(record, stage) for stage in {pair[place] for pair in sync.stages}})
        for stage in dict.fromkeys(pair[place] for pair in sync.stages):
            if stage not in boards[place][stage]:
                text = f"{name} has no stage {stage} on its board"
                found.append(Finding("problem", text, f"hub names {name} prints them; correct the pair in hub.yaml"))
    for first, second in itertools.combinations(sync.stages, 2):
        ways = [_apart(boards[place][first[place]], first[place], second[place]) for place in (0, 1)]
        if ways[0] * ways[1] < 0:
            text = f"{first[0]} and {second[0]} of {sync.one} stand the other way round than {first[1]} and {second[1]}"
            remedy = f"at {sync.other}: a move between them counts as backward there, see `back`"
            found.append(Finding("warning", f"{text} of {sync.other}", remedy))
    return found


def _apart(board: Sequence[str], first: str, second: str) -> int:
    """Return how far a stage stands behind another on one board; 0 if not both are on it."""
    return board.index(second) - board.index(first) if first in board and second in board else 0


# --- beginning -----------------------------------------------------------------------------------


def begin(runtime: Runtime, sync: Sync, report: Report) -> int:
    """Write the report down as the sync's backlog; pairs that agree are twins at once. Return what is to be carried."""
    waiting = 0
    for start in range(0, len(report.rows), ROWS):
        rows: list[tuple[str, str, str, str, Any, Any]] = []
        with runtime.store.write() as db:
            for row in report.rows[start : start + ROWS]:
                if row.plan == "same" and store.find(db, sync.name, row.record, "one", row.one) is None:
                    store.settle(db, store.Settled(sync.name, row.record, row.one, row.other, row.agreed))
                for way in row.ways or ("forward" if row.one else "back",):
                    connection, ref = (sync.one, row.one) if way == "forward" else (sync.other, row.other)
                    content = report.content.get((row.record, connection, ref)) if row.ways else None
                    kept = {key: value for key, value in content.items() if key != "extra"} if content else None
                    rows.append((row.record, connection, ref, row.plan, row.reason, kept))
                    waiting += bool(row.ways)
            store.add_backlog(db, sync.name, rows)
    with runtime.store.write() as db:
        store.set_state(db, sync.name, "first", fed_at=None, paused_at=None, finished_at=None)
    return waiting
