"""Repairing what a reconciliation has found: hints, the sync's own backlog, a delivery sent again. No side door."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from hub import differences, twins
from hub.config import Sync
from hub.connector import Connector
from hub.model import Event, Record
from hub.pipeline import Pipeline
from hub.reasons import stored
from hub.store import Db, intake, state, work
from hub.store import reconciling as rows
from hub.store import twins as pairs
from hub.store.reconciling import Difference, Run

#: reasons for which a parked delivery may go out again by itself
PASSING = ("exhausted", "drift_parked")
#: deletions of a kind that one night acts upon, at most: so many, or this share of the kind if that is more
FEW, SHARE = 20, 0.05
#: deletions acted upon in one commit
AT_ONCE = 50


@dataclass
class Found:
    """What one record shows. heal: words of a sync whose value is to come from the twin again."""

    difference: Difference
    record: Record = field(default_factory=dict)
    heal: tuple[str, ...] = ()
    sync: str = ""
    created: bool = False


def repair(db: Db, pipeline: Pipeline, run: Run, found: Found) -> Difference:
    """Repair one difference by the way its cause has; what none has stays open. Deletions: see `mend_deleted`."""
    one = found.difference
    subject_record, _, ref = one.subject.partition(":")
    if one.cause in ("missed_hook", "edited_both") or (one.cause == "corrupted" and not one.twin):
        return _done(one, stored("mend_hint", event=_hint(db, pipeline, run, found)))
    if one.cause == "corrupted" and found.heal and one.twin is not None:
        connection, _, other = one.twin.partition("/")
        sync = pipeline.runtime.config.sync(found.sync)
        if sync is not None and _distrust(db, sync, one, found.record, found.heal):
            _carry(db, found.sync, subject_record, connection, other.partition(":")[2], one.reason)
            return _done(one, stored("mend_twin", sync=found.sync, fields=differences.listed(found.heal)))
    if one.cause in ("left", "never_linked"):
        _carry(db, found.sync, subject_record, one.connection, ref, one.reason)
        return _done(one, stored("mend_carry", sync=found.sync))
    if one.cause == "failed":
        params = one.reason["params"]
        if params["why"].get("code") in PASSING and rows.release(db, int(params["delivery"])):
            return _done(one, stored("mend_retry", delivery=params["delivery"]))
    return one


def _done(one: Difference, repair: dict[str, Any]) -> Difference:
    return Difference(one.connection, one.subject, one.cause, one.reason, one.twin, "repaired", repair)


def batch_of(run: Run) -> str:
    """Return the name of what a run's hints set going: `hub undo --batch` takes it back."""
    return f"reconcile-{run.id}"


def _hint(db: Db, pipeline: Pipeline, run: Run, found: Found) -> int:
    """Let a record be read and acted upon as if the vendor's message had come; return the event."""
    one = found.difference
    record = one.subject.partition(":")[0]
    connector = pipeline.runtime.connector(one.connection)
    verb = "created" if found.created else "updated"
    incomplete = type(connector).complete is not Connector.complete
    content = {"id": found.record["id"]} if incomplete else dict(found.record)
    event = Event(
        f"{record}.{verb}", one.subject, f"reconcile:{run.id}:{one.subject}", {record: content}, incomplete=incomplete,
        connection=one.connection, batch=batch_of(run),
    )  # fmt: skip
    fresh = intake.add_events(db, [event])
    if incomplete:
        work.ensure_lines(db, {intake.event_line(one_): f"{one.connection}:bulk" for one_ in fresh})
    else:
        pipeline.settle(db, fresh)
    return fresh[0].id if fresh else 0


def _deleted(db: Db, pipeline: Pipeline, run: Run, one: Difference) -> int:
    """Let a record's deletion be acted upon as if the vendor had told of it; return the event."""
    record, _, ref = one.subject.partition(":")
    event = Event(
        f"{record}.deleted", one.subject, f"reconcile:{run.id}:{one.subject}", {record: {"id": ref}},
        connection=one.connection, batch=batch_of(run),
    )  # fmt: skip
    fresh = intake.add_events(db, [event])
    pipeline.settle(db, fresh)
    return fresh[0].id if fresh else 0


def mend_deleted(db: Db, pipeline: Pipeline, run: Run, connection: str, record: str) -> bool:
    """Act upon deletions of a kind that a comparison has found, some at a time; return whether more are to come.

    An account that may suddenly see less answers "there is no such record" for each that it no longer sees. So where
    a night finds too many of a kind deleted, none is acted upon and a person decides: what they ask for themselves is
    done.
    """
    gone = rows.deleted(db, run.id, connection, record)
    known = gone + rows.met(db, run.id, connection, record)
    cause = f"deleted:{connection}:{record}"
    if run.nightly and gone > max(FEW, SHARE * known):
        params = {"connection": connection, "record": record, "count": gone, "known": known}
        names = run.one if run.other is None else f"{run.one} {run.other}"
        state.open_alert(db, cause, "alert_deleted", connection, {**params, "names": names})
        return False
    state.close_alerts(db, cause)
    batch = rows.open_deleted(db, run.id, connection, record, AT_ONCE)
    for id, one in batch:
        rows.repaired(db, id, stored("mend_hint", event=_deleted(db, pipeline, run, one)))
    return len(batch) == AT_ONCE


def _distrust(db: Db, sync: Sync, one: Difference, record: Record, words: Sequence[str]) -> bool:
    """Agree that this side holds what it shows and the other something unseen: so the other's value is carried here."""
    kind, _, ref = one.subject.partition(":")
    side = "one" if sync.one == one.connection else "other"
    known = pairs.find(db, sync.name, kind, side, ref)
    twin = pairs.reread(db, known.id) if known is not None else None
    if twin is None or twin.state != "kept" or twin.busy is not None:
        return False
    fields = {field_.word: field_ for field_ in sync.fields[kind]}
    pairs.agree(db, twin.id, twin.agreed | {word: twins.distrusted(fields[word], record, side) for word in words})
    return True


def _carry(db: Db, sync: str, record: str, connection: str, ref: str, reason: dict[str, Any]) -> None:
    """Hand a record to its sync, which compares both sides afresh and writes what differs."""
    pairs.add_backlog(db, sync, [(record, connection, ref, "update", reason, None)])
