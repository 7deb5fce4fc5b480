"""When a person first did something about a request: what counts as a touch, and whose it is."""

from __future__ import annotations

import bisect
import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from hub.events import CALLS, TOUCHES
from hub.store import Db, families, inquiries
from hub.store.inquiries import Row
from hub.store.work import Ref

if TYPE_CHECKING:
    from hub.ledger import Request

#: by whom vendors say something was done when no person did it
_MACHINES = frozenset({"hub", "0", "robot", "system"})


def first_touch(db: Db, rows: Sequence[Request], begins: float, until: float) -> None:
    """Find for each request when a person first did something: about its person, or about a record it became."""
    wanted = {ref for row in rows for ref in row.refs} | {_subject(row.connection, row.subject) for row in rows}
    own = {row.person for row in rows if row.person is not None}
    at = {person: person for person in own} | families.roots(db, own)  # of those who are erased only the number is left
    persons = set(at.values())
    by_ref: dict[Ref, list[float]] = defaultdict(list)
    by_person: dict[int, list[float]] = defaultdict(list)
    for event in inquiries.rooted(db, inquiries.touches(db, TOUCHES, begins, until)):
        if not _human(event):
            continue
        when = event["occurred_at"] or event["at"]
        for ref in _about(event) & wanted:
            bisect.insort(by_ref[ref], when)
        if event["root"] in persons and (event["type"] not in CALLS or outgoing(event)):
            bisect.insort(by_person[event["root"]], when)
    for row in rows:
        times = [by_ref[ref] for ref in (*row.refs, _subject(row.connection, row.subject)) if ref in by_ref]
        times += [by_person[at[row.person]]] if row.person in at and at[row.person] in by_person else []
        # vendors tell whole seconds: a touch in the second of the request is none before it
        asked = math.floor(row.at)
        after = [found[place] for found in times if (place := bisect.bisect_left(found, asked)) < len(found)]
        row.touched_after = max(0.0, min(after) - row.at) if after else None


def _human(event: Row) -> bool:
    """Return whether a person did it: not the hub, not a robot; a call only if somebody spoke or called back."""
    if str(event["content"].get("by") or "") in _MACHINES:
        return False
    call = event["content"]["record"].get("call") or {}
    if event["type"] in ("call.started", "call.finished") and not outgoing(event):
        return event["type"] == "call.finished" and bool(call.get("duration"))
    return True


def _about(event: Row) -> set[Ref]:
    """Return the records an event is about: its subject, and those its note or task hangs on."""
    connection = event["connection"]
    found = {_subject(connection, event["subject"])}
    record = event["content"]["record"]
    kind = event["type"].partition(".")[0]
    for name in ("deal", "lead", "contact"):
        on = (record.get(kind) or {}).get(name) if isinstance(record.get(kind), Mapping) else None
        beside = record.get(name)
        id = on.get("id") if isinstance(on, Mapping) else on
        if not id and isinstance(beside, Mapping) and kind in ("note", "task"):
            id = beside.get("id")
        if id:
            found.add((connection, name, str(id)))
    return found


def _subject(connection: str, subject: str) -> Ref:
    kind, _, ref = subject.partition(":")
    return connection, kind, ref


def outgoing(event: Row) -> bool:
    """Return whether a call went out."""
    return str((event["content"]["record"].get("call") or {}).get("direction") or "").startswith("out")
