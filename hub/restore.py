"""Taking a write back, as a delivery like any other: read the record afresh, write what stood there before.

Only fields that still hold what the hub wrote are written; what somebody changed meanwhile is theirs, and is said.
What is to be done stands on the delivery itself (`delivery.given`), since no route of hub.yaml says it:

    {"undo": {"record", "id", "fields": {field: {"wrote", "before"}}, "of": [delivery ids]}}
    {"delete": {"record", "id", "fields": {field: {"wrote"}}, "of": [delivery ids], "last": epoch seconds}}
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from hub.changes import DERIVED
from hub.connector import ActionKind, Connector
from hub.differences import instant
from hub.errors import Gone, PluginError, Skip
from hub.model import Action, Done, Record
from hub.outcome import Outcome

if TYPE_CHECKING:
    from hub.deliver import _Try


#: seconds after the hub's last write in which a change is still taken for the vendor's own working on it
_SOON = 60.0


@dataclass
class Compared:
    """A record as it is now against what the hub wrote.

    `back`: field -> value to write back; `changed`: field -> what others have put there.
    """

    back: dict[str, Any] = field(default_factory=dict)
    changed: dict[str, Any] = field(default_factory=dict)
    #: fields that say already what they said before
    done: list[str] = field(default_factory=list)
    #: of a record that is to be deleted: when somebody changed it after the hub was done with it, as the vendor tells
    later: str = ""

    @property
    def touched(self) -> bool:
        """Whether a record that is to be deleted is no longer what the hub made."""
        return bool(self.changed or self.later)


def compare(
    connector: Connector, record: str, fields: Mapping[str, Mapping[str, Any]], now: Record, made: float | None = None
) -> Compared:
    """Return which fields may be written back.

    made: for a record that is to be deleted, when the hub was done with it: what was written there since, or emptied,
    speaks against it.
    """
    found = Compared()
    at = instant(now, "changed_at") if made is not None else None
    if made is not None and at is not None and at > made + _SOON:
        found.later = dt.datetime.fromtimestamp(at, dt.UTC).isoformat()
    for name, value in fields.items():
        stands = value_of(now, name)
        if connector.holds(record, name, value["wrote"], stands):
            found.back[name] = value["before"]
        elif made is None and connector.holds(record, name, value["before"], stands):
            found.done.append(name)
        else:
            found.changed[name] = stands
    return found


def value_of(record: Record, name: str) -> Any:
    """Return a field of a record, the vendor's own first."""
    extra = record.get("extra") or {}
    return extra[name] if name in extra else record.get(name)


def fields_of(written: Mapping[str, Any]) -> tuple[dict[str, dict[str, Any]], list[str]]:
    """Return ({field: {"wrote", "before"}}, fields whose value before nobody knows) of what an update wrote.

    The hub's own words beside a vendor's (`stage`, `responsible`) aren't fields of their own.
    """
    before = written.get("before") or {}
    known, unknown = {}, []
    for name, wrote in (written.get("written") or {}).items():
        if name in before:
            known[name] = {"wrote": wrote, "before": before[name]}
        elif name not in DERIVED:
            unknown.append(name)
    return known, unknown


def action_for(connector: type[Connector] | Connector, record: str, delete: bool = False) -> str:
    """Return the connector's action that writes (or deletes) such a record, "" if it has none."""
    names = {kind.name for kind in connector.actions}
    wanted = ("delete",) if delete else ("update", "upsert")
    return next((name for verb in wanted if (name := f"{record}.{verb}") in names), "")


def carry_out(attempt: _Try) -> Outcome:
    """Do what the delivery's `given` says; raises what went wrong, Skip where there is nothing to do."""
    work = attempt.work
    given = work.given or {}
    delete = "delete" in given
    task = given["delete"] if delete else given["undo"]
    connector = attempt.runtime.connector(work.connection)
    kind = next((one for one in connector.actions if one.name == work.action), None)
    if kind is None:
        raise PluginError(connector.name, "actions", f"no action {work.action}")
    record, id, fields = task["record"], task["id"], task["fields"]
    try:
        now = connector.get(record, id)
    except Gone:
        raise Skip("record_gone") from None
    found = compare(connector, record, fields, now, float(task.get("last") or 0.0) or None if delete else None)
    action = Action(
        name=kind.name, record=record, verb=kind.verb, id=id, marker=work.marker, event=work.event, fill="newest",
        attempt=work.tries + 1, in_doubt_since=attempt.targets.in_doubt_since(),
    )  # fmt: skip
    if delete:
        if found.touched:
            what = ", ".join(sorted(found.changed)) or f"at {found.later}"
            raise Skip("undo_not_deleted", record=record, id=id, fields=what)
        connector.perform(action)
        return attempt.finished(Done(result={"id": id}, id=id), kind, "undo_deleted", record=record, id=id)
    left = sorted(found.changed)
    if not found.back:
        if work.started_at is not None and found.done:  # an earlier try of this had done it before it was cut short
            wrote = {name: fields[name]["before"] for name in found.done}
            was = {name: fields[name]["wrote"] for name in found.done}
            done = Done({"id": id}, id, written=wrote, before=was)
            return _finished(attempt, done, kind, wrote, left)
        raise Skip("undo_nothing", left=", ".join(left) or "nothing")
    action.verb = "update"
    action.values = connector.restored(record, found.back, now)
    done = connector.perform(action)
    done.id = done.id or id
    return _finished(attempt, done, kind, found.back, left)


def _finished(attempt: _Try, done: Done, kind: ActionKind, back: Mapping[str, Any], left: list[str]) -> Outcome:
    code = "undone_in_part" if left else "undone"
    return attempt.finished(done, kind, code, fields=", ".join(sorted(back)), left=", ".join(left))
