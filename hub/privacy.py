"""One person, everywhere (promise P13): all the hub holds of them as one document, or erased with a receipt.

What is theirs is found by `hub.store.whose`, the same for both. An erasure goes in this order: what is under way for
them ends first (a worker is given half a minute), what waits is given up, their rows become tombstones
(`hub.store.erase`), then every table is swept for their words (`hub.store.sweep`). Each step is a commit of a few
hundred rows; cut short, it is run again and goes on with what is left. The receipt is kept whatever `keep` says: it
holds counts, the number the person had here and a digest, and nothing of who they were.
"""

from __future__ import annotations

import base64
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from hub.errors import HubError
from hub.explain import iso
from hub.identity import NOBODY
from hub.store import Db, Store, erase, intake, reading, sweep, whose
from hub.store import nobody as nobodys
from hub.store.json import dumps, loads
from hub.store.whose import Whose

#: seconds to wait for what workers do for the person at this moment
PATIENCE = 30.0
#: workers may bring something while it runs; then it is gone through again, at most so often
_ROUNDS = 4

Progress = Callable[[str, int], None]


class Busy(HubError):
    """Something of the person is under way; the message says what, and that a moment later it can be done."""

    code = "busy"


def find(db: Db, asked: str, region: str = "", nobody: Iterable[str] = ()) -> Whose:
    """Return what is whose, by an id, phone, e-mail or handle; empty if nothing is known. Raises `Ambiguous`."""
    persons, words = whose.resolve(db, asked, region)
    known = {row[0] for row in db.rows("SELECT value FROM nobody")}
    return whose.gather(db, persons, words, NOBODY | known | set(nobody))


# --- export ---------------------------------------------------------------------------------------------


def export(db: Db, theirs: Whose) -> dict[str, Any]:
    """Return all that is theirs, ready for JSON; times are ISO text in UTC, bodies text (base64 where they aren't)."""
    events = [_timed(row, "at", "occurred_at") for row in whose.rows(db, "event", theirs.events)]
    deliveries = [_timed(row, "created_at", "started_at", "finished_at")
                  for row in whose.rows(db, "delivery", theirs.events, "event")]  # fmt: skip
    tries = whose.rows(db, "attempt", [row["id"] for row in deliveries], "delivery")
    mentions = [row for row in reading.alerts(db, reading.Page(100_000)) if theirs.needles.found(dumps(row), True)]
    rejected = [row for row in reading.rejected(db, reading.Page(100_000)) if theirs.needles.found(dumps(row), True)]
    refs = sorted(theirs.refs)
    return {
        "exported_at": iso(db.now),
        "person": {"ids": theirs.persons, "names": sorted(theirs.needles.names)},
        "records": [_timed(row, "created_at", "changed_at") | {"record": _dated(loads(row["record"]) or {})}
                    for row in whose.rows(db, "person", theirs.persons)],
        "merges": [_timed(row, "at", "undone_at") for row in whose.pairs(db, "merge", theirs.persons, "one", "other")],
        "keys": [{"kind": kind, "value": value} for kind, value in theirs.keys],
        "receipts": [_receipt(db, id, shared) for id, shared in sorted(theirs.receipts.items())],
        "events": events,
        "deliveries": deliveries,
        "attempts": [_timed(row, "at") for row in tries],
        "left_out": [_timed(row, "at") for row in whose.rows(db, "part", theirs.events, "event")],
        "parked": [row["id"] for row in deliveries if row["state"] == "parked"],
        "links": [{"record": "/".join((ref[0], ":".join(ref[1:]))), "linked_to": [f"{a}/{b}:{c}" for a, b, c in some]}
                  for ref in refs if (some := reading.links_of(db, *ref))],
        "seen": [_timed(row, "at") for ref in refs for row in whose.of_ref(db, "seen", ref)],
        "watched": [_timed(row, "due", "since") for ref in refs for row in whose.of_ref(db, "watch", ref)],
        "synced": [_twin(row) for row in whose.copies(db, "twin", theirs)],
        "backlog": [_timed(row, "at") for row in whose.copies(db, "backlog", theirs)],
        "differences": whose.copies(db, "difference", theirs),
        "suspects": [_suspect(row) for row in whose.pairs(db, "suspect", theirs.persons, "person", "other")],
        "nobody": [_timed(row, "at") for row in nobodys.listed(db) if _given(row, events)],
        "alerts": [_timed(row, "opened_at", "last_at", "closed_at") for row in mentions],
        "rejected": [_timed(row, "at") for row in rejected],
    }  # fmt: skip


def _receipt(db: Db, id: int, shared: bool) -> dict[str, Any]:
    """Return a request as it came. One that holds other people too is named without its body: see its events."""
    found = intake.receipt(db, id)
    assert found is not None
    request = found.request
    told: dict[str, Any] = {
        "id": id, "connection": found.connection, "key": found.key, "at": iso(found.at.timestamp()),
        "state": found.state, "method": request.method, "path": request.path, "query": request.query,
        "headers": dict(request.headers), "remote": request.remote, "of_several_people": shared,
    }  # fmt: skip
    if shared:
        return told
    try:
        return told | {"body": request.body.decode()}
    except UnicodeDecodeError:
        return told | {"body_base64": base64.b64encode(request.body).decode()}


def _given(listed: dict[str, Any], events: Sequence[dict[str, Any]]) -> bool:
    """Return whether they gave a phone, address or handle that is known to name nobody."""
    value = listed["value"].partition(":")[2] if listed["kind"] == "handle" else listed["value"]
    return any(dumps(value) in dumps(event["content"]) for event in events)


def _suspect(row: dict[str, Any]) -> dict[str, Any]:
    """Return that somebody may be the same human, and by which rule: the other's name and keys are the other's."""
    return {name: row[name] for name in ("id", "state")} | {
        "code": (row["reason"] or {}).get("code"), "at": iso(row["at"]), "decided_at": iso(row["decided_at"]),
    }  # fmt: skip


def _timed(row: dict[str, Any], *times: str) -> dict[str, Any]:
    return {name: iso(value) if name in times else value for name, value in row.items()}


def _dated(record: dict[str, Any]) -> dict[str, Any]:
    """Return a golden record with times as text."""
    return {name: [_timed(entry, "first", "at") for entry in entries] for name, entries in record.items()}


def _twin(row: dict[str, Any]) -> dict[str, Any]:
    told = {
        side: {word: [iso(at), value] for word, (at, value) in words.items()}
        for side, words in (row.get("told") or {}).items()
    }
    writes = [iso(at) for at in row.get("writes") or ()]
    return _timed(row, "busy_at", "at") | {"told": told, "writes": writes}


# --- erase ----------------------------------------------------------------------------------------------


def forecast(store: Store, asked: str, region: str = "", nobody: Iterable[str] = ()) -> Counter[str]:
    """Return what an erasure would change: words -> how many rows. Nothing is written; empty if nothing is known."""
    with store.read() as db:
        theirs = find(db, asked, region, nobody)
        if not theirs:
            return Counter()
        counts = Counter[str]({"persons": len(theirs.persons), "keys": len(theirs.keys), "events": len(theirs.events)})
        counts["receipts"] = sum(not shared for shared in theirs.receipts.values())
        ids = [row["id"] for row in whose.rows(db, "delivery", theirs.events, "event")]
        counts["deliveries"], counts["attempts"] = len(ids), len(whose.rows(db, "attempt", ids, "delivery"))
        counts["records seen"] = sum(len(whose.of_ref(db, "seen", ref)) for ref in theirs.refs)
        counts["links"] = sum(len(reading.links_of(db, *ref)) for ref in theirs.refs)
        own = {"receipt": counts["receipts"], "event": counts["events"], "search": 0}
    for table, n in sweep.sweep(store, theirs.needles, change=False).items():
        if table not in ("search", "person_key", "seen", "delivery", "attempt", "watch"):
            counts[f"mentions in {table}"] = max(0, n - own.get(table, 0))
    return +counts


def erase_person(
    store: Store, asked: str, region: str = "", nobody: Iterable[str] = (),
    progress: Progress = lambda what, rows: None, patience: float = PATIENCE,
) -> dict[str, Any] | None:  # fmt: skip
    """Erase a person and return the receipt that is kept; None if nothing is known of them. Raises Busy, Ambiguous.

    The receipt: {"id", "persons", "began_at", "finished_at", "counts", "digest"}. The digest is made with the
    installation's key over all the rest, so that a receipt can be told from one that was made up.
    """
    counts = Counter[str]()
    with store.read() as db:
        theirs = find(db, asked, region, nobody)
    if not theirs:
        return None
    number, began, words = 0, 0.0, set[str]()
    for _ in range(_ROUNDS):
        _let_end(store, theirs, patience, bool(number))
        if not number:  # from here on something is changed
            number, began = _begin(store, theirs.persons)
        done = _own_rows(store, theirs, progress)
        counts += done
        counts.update({f"mentions in {table}": n
                       for table, n in sweep.sweep(store, theirs.needles, True, progress).items()})  # fmt: skip
        counts["log files"] += sweep.files(store.folder, theirs.needles, change=True)
        with store.read() as db:  # by what was asked, and by all that had been known of them
            kept = [] if done["persons"] else [f"person:{one}" for one in whose.existing(db, theirs.persons)]
            words |= theirs.words
            known = [found for word in (*kept, asked, *sorted(words)) if (found := find(db, word, region, nobody))]
        theirs = known[0] if known else Whose()
        if not theirs:
            break
    else:
        raise Busy("new messages of this person keep coming in; erase them again when they have ended")
    return _finish(store, number, began, counts)


def _let_end(store: Store, theirs: Whose, patience: float, begun: bool) -> None:
    """Wait until no worker does anything for them, then give up what waits; Busy if it takes too long.

    begun: whether an earlier round has erased something already.
    """
    deadline = time.monotonic() + patience
    while True:
        unread = [f"r{id}" for id in sweep.unread(store, theirs.needles)]
        with erase.erasing(store) as db:
            busy = unread or erase.being_sent(db, theirs)
            if not busy:
                erase.give_up(db, theirs)
                return
        if time.monotonic() > deadline:
            named = ", ".join(busy[:5])
            what = "has not been read yet (is a worker running?)" if unread else "is being sent right now"
            done = "it came meanwhile, and only what was there before is erased" if begun else "nothing was erased"
            raise Busy(f"{named} {what}: {done}. Run this again in a moment; hub explain {busy[0]}")
        time.sleep(0.2)


def _own_rows(store: Store, theirs: Whose, progress: Progress) -> Counter[str]:
    counts = Counter[str]()
    for chunk in _chunks(sorted(theirs.events), erase.CHUNK):
        with erase.erasing(store) as db:
            counts += erase.events(db, theirs, chunk)
        progress("event", counts["events"])
    for chunk in _chunks(sorted(id for id, shared in theirs.receipts.items() if not shared), erase.CHUNK):
        with erase.erasing(store) as db:
            counts["receipts"] += erase.receipts(db, theirs, chunk)
        progress("receipt", counts["receipts"])
    with erase.erasing(store) as db:
        counts += erase.records(db, theirs)
        counts += erase.persons(db, theirs) or Counter()  # None: what has come meanwhile is for the next round
    return counts


def _begin(store: Store, persons: Sequence[int]) -> tuple[int, float]:
    with store.write() as db:
        row = db.insert(
            "erasure", ("persons", "began_at", "counts", "digest"), [(dumps(persons), db.now, "{}", "")], "", "id"
        )  # fmt: skip
        return int(row[0][0]), db.now


def _finish(store: Store, number: int, began: float, counts: Counter[str]) -> dict[str, Any]:
    with store.write() as db:
        row = db.one("SELECT persons FROM erasure WHERE id = ?", (number,))
        assert row is not None
        receipt = {"id": number, "persons": loads(row[0]), "began_at": iso(began), "finished_at": iso(db.now),
                   "counts": dict(sorted((+counts).items()))}  # fmt: skip
        receipt["digest"] = db.sealer.digest(dumps(receipt))
        db.run(
            "UPDATE erasure SET finished_at = ?, counts = ?, digest = ? WHERE id = ?",
            (db.now, dumps(receipt["counts"]), receipt["digest"], number),
        )
    return receipt


def erasures(db: Db) -> list[dict[str, Any]]:
    """Return the receipts that are kept, newest first; `genuine` says whether the digest fits what stands there."""
    found = []
    for id, persons, began, finished, counts, digest in db.rows(
        "SELECT id, persons, began_at, finished_at, counts, digest FROM erasure ORDER BY id DESC"
    ):
        receipt = {"id": id, "persons": loads(persons), "began_at": iso(began), "finished_at": iso(finished),
                   "counts": loads(counts)}  # fmt: skip
        genuine = bool(digest) and db.sealer.digest(dumps(receipt)) == digest
        found.append({**receipt, "digest": digest, "genuine": genuine})
    return found


def _chunks(ids: Sequence[int], size: int = 300) -> Iterator[Sequence[int]]:
    for start in range(0, len(ids), size):
        yield ids[start : start + size]
