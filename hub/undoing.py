"""Taking back what a batch, or some deliveries, wrote: what is to be done, and the deliveries that do it.

The writes of one record are folded into one: the newest value the hub wrote is what must still stand there, the oldest
value before is what is written back. A record the hub made is told, and deleted only where that is asked for. Each
undoing is a batch itself, so it can be taken back in turn.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from hub import carrying, restore
from hub.errors import Gone, HubError, RateLimited, Refused
from hub.runtime import Runtime
from hub.store import Db, Store, batches, reading, state, work

#: so many records are put back in one commit
_CHUNK = 100
#: more than so many go behind whatever else waits for that connection
_BULK = 20
#: seconds to wait in all, for one reading, until a vendor's limit lets it through
_PATIENCE = 20.0


@dataclass
class Restore:
    """One record to be put back, or deleted: the fields, the deliveries it is about, and what a fresh look tells."""

    connection: str
    record: str
    id: str
    event: int
    of: list[int]
    since: float
    fields: dict[str, dict[str, Any]] = field(default_factory=dict)
    delete: bool = False
    #: when the last of these deliveries had written it (epoch seconds)
    last: float = 0.0
    #: what a fresh look at the record says; None if it was not looked at, or could not be
    found: restore.Compared | None = None
    trouble: str = ""
    #: it will not be possible later either
    final: bool = False

    @property
    def subject(self) -> str:
        """`deal:55`."""
        return f"{self.record}:{self.id}"


@dataclass
class Undoing:
    """What taking something back comes to. `left` are pairs (delivery id, why it is left as it is)."""

    restores: list[Restore] = field(default_factory=list)
    created: list[Restore] = field(default_factory=list)
    left: list[tuple[int, str]] = field(default_factory=list)


# --- what is to be done ---------------------------------------------------------------------------------


def plan(
    runtime: Runtime, rows: Sequence[reading.Row], taken: Mapping[int, tuple[int, str]], delete: bool = False
) -> Undoing:
    """Return what taking these deliveries back comes to. `taken`: those taken back already, see `batches.undoing`."""
    found = Undoing()
    made: dict[tuple[str, str, str], Restore] = {}
    put: dict[tuple[str, str, str], Restore] = {}
    for row in sorted(rows, key=lambda one: (one["finished_at"] or 0.0, one["id"])):  # as it was written
        if row["connection"] == "hub":  # a step that looked something up, or ended the run: it called nobody
            continue
        if row["connection"] not in runtime.config.connections:
            found.left.append((row["id"], f"hub.yaml has no connection {row['connection']} any more"))
            continue
        if why := _as_it_is(row, taken) or _for_good(runtime, row):
            found.left.append((row["id"], why))
            continue
        for write in _writes(row):
            key = (row["connection"], write["record"], write["id"])
            if write.get("created") or key in made:
                one = made.setdefault(key, _restore(row, key))
                one.of.append(row["id"])
                one.last = max(one.last, row["finished_at"] or 0.0)
                wrote = {name: {"wrote": value, "before": None} for name, value in write["written"].items()}
                one.fields.update({name: value for name, value in wrote.items() if name not in restore.DERIVED})
                continue
            fields, unknown = restore.fields_of(write)
            if unknown:
                found.left.append((row["id"], f"nobody knows what stood in {', '.join(unknown)} before"))
            if not fields:
                continue
            one = put.setdefault(key, _restore(row, key))
            one.of.append(row["id"])
            one.event = row["event"]
            _fold(runtime, one, fields, found, row["id"])
    for key, one in put.items():
        if _action(runtime, one):
            found.restores.append(one)
        else:
            why = f"{key[0]} has no action that writes a {one.record} again"
            found.left += [(id, why) for id in one.of]
    found.created = list(made.values())
    for one in found.created:
        one.delete = delete and bool(_action(runtime, one, delete=True))
        if delete and not one.delete:
            one.trouble = f"{one.connection} has no action that deletes a {one.record}"
    return found


def _as_it_is(row: reading.Row, taken: Mapping[int, tuple[int, str]]) -> str:
    """Return why a delivery is left as it is, "" if it can be taken back."""
    by, state_ = taken.get(row["id"], (0, ""))
    if by:
        return f"d{by} has taken it back" if state_ == "done" else f"its undoing is planned already and waits: d{by}"
    if row["state"] in ("ready", "parked"):
        return f"it is {row['state']} and has written nothing yet: hub drop d{row['id']}"
    if row["state"] != "done":
        return f"it was {row['state']} and wrote nothing"
    if row["action"] in (carrying.MERGE, carrying.PART):
        return "it is part of a merge of persons, which is taken back as a whole: hub people show, hub people unmerge"
    if row["given"] and "delete" in row["given"]:
        return "it deleted a record, which can't be brought back"
    if (row["reason"] or {}).get("code") == "erased" or not row["result"]:
        return "what it wrote isn't known any more"
    if not row["written"]:
        return "it wrote nothing"
    return ""


def _for_good(runtime: Runtime, row: reading.Row) -> str:
    """Return why what an action did can't be taken back by writing fields, "" if it can."""
    kinds = runtime.connector(row["connection"]).actions
    kind = next((one for one in kinds if one.name == row["action"]), None)
    if kind is not None and kind.writes:
        return f"{kind.name} turned one record into another, which no write takes back"
    return ""


def _writes(row: reading.Row) -> Iterator[dict[str, Any]]:
    """Yield every record a delivery wrote: {"record", "id", "written", "before", "created"?}."""
    written, given = row["written"], row["given"] or {}
    result = row["result"] or {}
    attached = bool(result.get("attached"))
    record = (given.get("undo") or {}).get("record") or row["action"].partition(".")[0]
    id = str((given.get("undo") or {}).get("id") or result.get("id") or "")
    if id and not attached and (written.get("written") or written.get("created")):
        yield {"record": record, "id": id, **written}
    for other in written.get("also") or ():
        if other.get("id"):
            yield other


def _restore(row: reading.Row, key: tuple[str, str, str]) -> Restore:
    return Restore(*key, event=row["event"], of=[], since=row["finished_at"] or row["created_at"])


def _fold(runtime: Runtime, one: Restore, fields: dict[str, Any], found: Undoing, id: int) -> None:
    """Join a later write into those before: back to the oldest value, as long as nobody wrote in between."""
    connector = runtime.connector(one.connection)
    for name, value in fields.items():
        known = one.fields.get(name)
        if known is not None and not connector.holds(one.record, name, known["wrote"], value["before"]):
            found.left.append((one.of[0], f"{name} was changed by others before d{id} wrote it again"))
            known = None
        before = value["before"] if known is None else known["before"]
        one.fields[name] = {"wrote": value["wrote"], "before": before}


def _action(runtime: Runtime, one: Restore, delete: bool = False) -> str:
    return restore.action_for(runtime.connector(one.connection), one.record, delete)


# --- a fresh look ---------------------------------------------------------------------------------------


def look(runtime: Runtime, one: Restore) -> None:
    """Read the record as it is now and compare; what can't be read is decided when the delivery is sent."""
    connector = runtime.connector(one.connection)
    deadline = time.monotonic() + _PATIENCE
    while True:
        try:
            with connector.http.work(lambda: None, 0):
                now = connector.get(one.record, one.id)
            break
        except Gone:
            one.trouble, one.final = "the record is no more", True
            return
        except Refused as error:
            one.trouble, one.final = f"it can't be read again, so it stays: {error}", True
            return
        except RateLimited as error:
            if time.monotonic() + (error.after or 1.0) < deadline:
                time.sleep(error.after or 1.0)
                continue
            one.trouble = f"{one.connection} wants us slower; decided when it is sent"
            return
        except HubError as error:
            one.trouble = f"can't be read now ({connector.http.masker.mask(str(error))[:200]}); decided when it is sent"
            return
    one.found = restore.compare(connector, one.record, one.fields, now, one.last if one.delete else None)


def who(db: Db, one: Restore, name: str) -> str:
    """Return who changed a field meanwhile, in words."""
    told = batches.changed_by(db, one.connection, one.subject, name, one.since)
    if told is None:
        return f"by somebody at {one.connection}, which did not tell the hub"
    return f"by {told['by'] or 'somebody at ' + one.connection} (e{told['event']})"


# --- doing it -------------------------------------------------------------------------------------------


def store_all(store: Store, runtime: Runtime, found: Undoing, progress: Callable[[int], None] = lambda n: None) -> str:
    """Store the deliveries that take it back, in a batch of their own.

    Returns the batch, "" if nothing is to be done.
    """
    todo = [one for one in found.restores if one.found is None or one.found.back]
    todo += [one for one in found.created if one.delete and not (one.found and one.found.touched)]
    todo = [one for one in todo if not one.final]
    batch = ""
    for start in range(0, len(todo), _CHUNK):
        with store.write() as db:
            batch = batch or work.new_batch(db, "undo")
            rows = [_delivery(runtime, one, batch, start + n, len(todo)) for n, one in enumerate(todo[start:][:_CHUNK])]
            work.add_deliveries(db, rows)
            counts = Counter((one.connection, "undone_by_hand") for one in todo[start:][:_CHUNK])
            state.count(db, counts)
        progress(min(start + _CHUNK, len(todo)))
    return batch


def _delivery(runtime: Runtime, one: Restore, batch: str, number: int, all: int) -> work.NewDelivery:
    task = {"record": one.record, "id": one.id, "fields": one.fields, "of": one.of, "last": one.last}
    lane = f"{one.connection}:bulk" if all > _BULK else one.connection
    return work.NewDelivery(
        one.event, f"hub undo {batch}", str(number), one.connection, _action(runtime, one, one.delete),
        f"{one.connection}>{one.subject}", lane, runtime.marker(batch, one.connection, one.subject),
        batch=batch, given={"delete" if one.delete else "undo": task},
    )  # fmt: skip
