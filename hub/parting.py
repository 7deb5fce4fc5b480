"""Giving parted persons back what merges of their contacts took: each has their own contact at the vendor again.

A merge of contacts is looked up in what was done, never by which merge of persons had brought it about: three who are
one may have had their cards merged in any order. Each parting is a delivery of its own that names the merge it takes
back; where that one may be under way, the parting waits until it is known what became of it. Meanwhile nobody makes
its person a new contact (`coming_back`).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from hub import carrying, golden
from hub.carrying import MERGE, PART, Carried
from hub.errors import Skip
from hub.model import Record
from hub.outcome import Outcome, Postponed
from hub.reasons import stored
from hub.runtime import Runtime
from hub.store import Db, contacts, families, reading, record, roster, work
from hub.store.merging import Merge

#: seconds until it is looked again what became of a merge that may be under way; of one that a human has to decide on
AGAIN, PARKED = 2.0, 60.0


@dataclass(frozen=True, slots=True)
class _Taken:
    """A contact that a delivery has merged into another one, or may have."""

    delivery: int
    connection: str
    contact: str
    into: str
    merge: int | None
    person: int


def pointless(db: Db, former: Collection[int]) -> list[tuple[Carried, bool]]:
    """Return the merges of contacts, not finished yet, of persons who are parted now: (which, may it be done)."""
    return [
        (one, _may_be_done(db, one.delivery)) for one in carrying.sent(db, former, (MERGE,), ("ready", "parked"))
        if set(_strangers(db, one.connection, one.told["into"], one.told["ids"], int(one.told["person"])))
        == set(one.told["ids"])
    ]  # fmt: skip


def part(
    db: Db, runtime: Runtime, merge: Merge, former: Collection[int], batch: str = ""
) -> list[tuple[str, list[str]]]:
    """Plan what gives everybody of a former family their contacts back; return (connection, contacts) of each.

    former: all whom merges ever made one with the two that were parted.
    """
    taken = _taken(db, former)
    into = {(one.connection, one.contact): one.into for one in taken}
    groups: dict[tuple[int, int], list[_Taken]] = {}
    for one in taken:
        where = _where(into, one)
        fallback = _other_side(db, merge, one) if one.merge == merge.id else None
        owners = _strangers(db, one.connection, where, [one.contact], one.person, fallback)
        if one.contact in owners:
            groups.setdefault((one.delivery, owners[one.contact]), []).append(one)
    planned = []
    for (delivery, owner), some in sorted(groups.items()):
        connection, ids = some[0].connection, [one.contact for one in some]
        told = {"of": delivery, "into": _where(into, some[0]), "ids": ids, "merge": merge.id,
                "person": str(some[0].person), "other": str(owner)}  # fmt: skip
        root = families.roots(db, [owner]).get(owner, owner)
        line = f"{connection}>parting:{delivery}:{owner}"
        what = f"{merge.id}:{delivery}:{connection}:{','.join(ids)}"
        if carrying.plan(db, runtime, "person.parted", root, connection, PART, told, what, line=line, batch=batch):
            planned.append((connection, ids))
    return planned


def _taken(db: Db, former: Collection[int]) -> list[_Taken]:
    """Return which contacts are in which others now, by what was merged and what was given back since."""
    found: dict[tuple[str, str], _Taken] = {}
    for one in carrying.sent(db, former, (MERGE, PART), ("ready", "parked", "done")):
        if one.action == PART:
            for id in _ids(one):
                found.pop((one.connection, id), None)
        elif one.state == "done" or _may_be_done(db, one.delivery):
            for id in _ids(one):
                told = one.told
                taken = _Taken(one.delivery, one.connection, id, told["into"], told.get("merge"), int(told["person"]))
                found[one.connection, id] = taken
    return list(found.values())


def _ids(one: Carried) -> list[str]:
    """Return the contacts that a merge has moved, as its answer tells, or that a parting gives back."""
    if one.action == PART:
        return [str(id) for id in one.told.get("ids") or [kept["id"] for kept in one.told.get("kept") or ()]]
    return _moved(one.result) if one.state == "done" else [str(id) for id in one.told["ids"]]


def _moved(result: Mapping[str, Any]) -> list[str]:
    """Return the contacts that a merge has moved: those whose last state it has, and those an earlier try had moved."""
    kept = [str(row["id"]) for row in result.get("kept") or ()]
    return list(dict.fromkeys([*kept, *map(str, result.get("lost") or ())]))


def _where(into: Mapping[tuple[str, str], str], one: _Taken) -> str:
    """Return the contact in which one is found now: what it was merged into may have been merged since."""
    at, met = one.into, {one.contact}
    while (one.connection, at) in into and at not in met:
        met.add(at)
        at = into[one.connection, at]
    return at


def _may_be_done(db: Db, delivery: int) -> bool:
    """Return whether a merge that isn't finished may have reached the vendor."""
    row = reading.delivery(db, delivery)
    assert row is not None
    if row["state"] == "parked":
        return record.doubtful_since(db, delivery) is not None
    return row["started_at"] is not None


def _strangers(
    db: Db, connection: str, into: str, some: Iterable[str], person: int, fallback: int | None = None
) -> dict[str, int]:
    """Return contact -> whose it is, of those whose human isn't the one of `into`.

    person: whose `into` is where nobody is known by it; fallback: the same of the others.
    """
    some = list(some)
    owners = contacts.having(db, connection, [into, *some])
    mine = owners.get(into, person)
    theirs = {one: owner for one in some if (owner := owners.get(one, fallback)) is not None}
    at = families.roots(db, [mine, *theirs.values()])
    return {one: owner for one, owner in theirs.items() if owner in at and at[owner] != at.get(mine)}


def _other_side(db: Db, merge: Merge, one: _Taken) -> int | None:
    """Return who of the two that were parted isn't the one with the contact that stayed."""
    at = families.roots(db, (merge.one, merge.other, one.person))
    mine = contacts.having(db, one.connection, [one.into]).get(one.into, one.person)
    stays = families.roots(db, [mine]).get(mine)
    return next((end for end in (merge.other, merge.one) if at.get(end) not in (None, stays)), None)


def coming_back(db: Db, connection: str, family: Sequence[int]) -> bool:
    """Return whether a contact of these persons is just being given back: they need no new one."""
    return bool(carrying.sent(db, family, (PART,), ("ready",), connection))


# --- out -------------------------------------------------------------------------------------------


def perform(runtime: Runtime, claimed: work.Claimed) -> Outcome:
    """Part contacts again; raises what went wrong."""
    told = carrying.told_of(claimed)
    kept, owners = _kept(runtime, claimed, told)
    done = runtime.connector(claimed.connection).unmerge(
        "contact", told["into"], kept, claimed.marker, carrying.since(claimed)
    )
    back = done.result.get("restored") or {}
    outcome = Outcome(claimed, "done", stored("carried_part", ids=", ".join(map(str, back.values()))), done)
    outcome.restored = [(str(back.get(one["id"], one["id"])), owners[str(one["id"])]) for one in kept]
    done.result = {**done.result, "into": told["into"]}
    return outcome


def _kept(runtime: Runtime, claimed: work.Claimed, told: dict[str, Any]) -> tuple[list[Record], dict[str, int]]:
    """Return what brings each contact back and whose it is; raises where there is nothing (yet) to give back."""
    other = int(told["other"])
    if "of" not in told:  # planned by an earlier version: it brings what it needs
        named = {str(id): int(owner) for id, owner in (told.get("owners") or {}).items()}
        return list(told["kept"]), {str(one["id"]): named.get(str(one["id"]), other) for one in told["kept"]}
    with runtime.store.read() as db:
        merged = reading.delivery(db, int(told["of"]))
        if merged is not None and merged["state"] in ("ready", "parked") and _may_be_done(db, merged["id"]):
            after = AGAIN if merged["state"] == "ready" else PARKED
            raise Postponed(f"d{merged['id']} may be merging these contacts just now", after)
        if merged is None or merged["state"] != "done":
            raise Skip("merge_not_done")
        result = merged["result"] or {}
        known = {str(one["id"]): one for one in result.get("kept") or ()}
        moved = _moved(result)
        ids = [id for id in told["ids"] if id in moved]
        if not ids:
            raise Skip("merge_not_done")
        owners = _strangers(db, claimed.connection, told["into"], ids, int(told["person"]), other)
        if claimed.started_at is None:  # else an earlier try may have given all of them back
            ids = [id for id in ids if id in owners]
        if not ids:
            raise Skip("merged_again")
        whose = {id: owners.get(id, other) for id in ids}
        # Where the answer to the merge was lost, what the hub knows has to do: one contact for each person.
        given = {whose[id] for id in ids if id in known}
        made = {whose[id]: id for id in reversed(ids) if whose[id] not in given}
        ids = [id for id in ids if id in known or made.get(whose[id]) == id]
        return [known.get(id) or _made_of(db, runtime, id, whose[id]) for id in ids], whose


def look_again(db: Db, runtime: Runtime, outcome: Outcome) -> None:
    """Plan a parting anew that found its persons to be one, where they have been parted while that was looked up."""
    claimed, code = outcome.work, (outcome.reason or {}).get("code")
    told = claimed.event.record.get("merge") or {}
    if claimed.action != PART or code != "merged_again" or "of" not in told:
        return
    owners = _strangers(db, claimed.connection, told["into"], told["ids"], int(told["person"]))
    if owners:
        root = next(iter(families.roots(db, owners.values()).values()))
        what = f"{told['merge']}:{told['of']}:{claimed.connection}:{','.join(owners)}:{claimed.id}"
        told = {**told, "ids": sorted(owners)}
        carrying.plan(
            db, runtime, "person.parted", root, claimed.connection, PART, told, what, line=claimed.line,
            batch=claimed.batch,
        )  # fmt: skip


def _made_of(db: Db, runtime: Runtime, contact: str, person: int) -> Record:
    """Return what a contact is made of anew, of which the vendor's last word was lost."""
    said = golden.shown(roster.record_of(db, families.family(db, person)), runtime.config.people)
    return {"id": contact, "person": {name: value for name, value in said.items() if value}}
