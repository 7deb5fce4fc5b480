"""Carrying a merge to the vendors: two contacts of one person become one there, and are parted again when it is undone.

An ordinary delivery each: it waits in the person's line, goes by the limiter, is tried again, is written down with
what was there before. Its event is the hub's own, `hub.person.merged` or `hub.person.parted`.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import Any

from hub import golden
from hub.connector import Connector
from hub.errors import Refused, Skip
from hub.model import Event
from hub.outcome import Outcome, RouteGone
from hub.reasons import stored
from hub.runtime import Runtime
from hub.store import Db, contacts, families, intake, merging, roster, state, work
from hub.store.json import loads
from hub.store.merging import Merge, line_of

#: stands in place of a route's name; no route of hub.yaml can be called so
ROUTE = "(people.merge)"
MERGE, PART = "contact.merge", "contact.unmerge"
#: vendor calls one of them takes at most
COST = 12


def contacts_of(db: Db, family: Sequence[int], connections: Sequence[str]) -> dict[str, list[str]]:
    """Return connection -> the contacts of persons that are one there, the first linked first."""
    found: dict[str, list[str]] = {}
    links = work.links(db, [("hub", "person", str(person)) for person in family])
    for ends in links.values():
        for connection, kind, ref in ends:
            if kind == "contact" and connection in connections and ref not in found.setdefault(connection, []):
                found[connection].append(ref)
    return found


def one_contact(
    db: Db, runtime: Runtime, person: int, family: Sequence[int], *, cause: int | None = None,
    merge: int | None = None, names: Sequence[str] | None = None, carry: Sequence[str] | None = None, batch: str = "",
) -> int:  # fmt: skip
    """See to it that a person has one contact at each vendor; return how many deliveries that took.

    names: only these connections. carry: what goes along; None = what `people.merge` says, and where that isn't
    written no CRM is touched: a person is told of the two contacts instead.
    """
    rule = runtime.config.people.merge
    carry = carry if carry is not None else (rule.carry if rule is not None else None)
    planned = 0
    for connection, some in sorted(contacts_of(db, family, names or tuple(runtime.config.connections)).items()):
        if len(some) < 2:
            continue
        if carry is None or not merges(runtime.connector(connection)):
            params = {"connection": connection, "person": person, "contacts": ", ".join(some)}
            state.open_alert(db, f"contacts:{connection}:{person}", "alert_contacts", connection, params)
            continue
        told = {"into": some[0], "ids": some[1:], "carry": list(carry), "merge": merge, "person": str(person)}
        planned += _plan(db, runtime, "person.merged", person, connection, MERGE, told, cause, batch)
    return planned


def met(db: Db, runtime: Runtime, person: int, connection: str, cause: int) -> None:
    """See to it that a person for whom a contact was made or chosen has no other one there, of whichever merge.

    Asks the store: two calls may have been under way for persons who have become one since.
    """
    family = families.family(db, person)
    if len(contacts_of(db, family, [connection]).get(connection, ())) > 1:
        merge = _merge_of_contacts(db, family, connection)
        one_contact(db, runtime, family[0], family, cause=cause, merge=merge, names=[connection])


def _merge_of_contacts(db: Db, family: Sequence[int], connection: str) -> int | None:
    """Return the merge that made the contacts at a connection one person's; None if one person has them all."""
    having = [person for person in sorted(family) if contacts_of(db, [person], [connection])]
    for person in having[1:]:
        if (merge := merging.between(db, having[0], person)) is not None:
            return merge.id
    return None


def part(db: Db, runtime: Runtime, merge: Merge, person: int, other: int, batch: str = "") -> int:
    """Plan what gives a parted person their contacts back, where a merge had been carried; return how many."""
    planned = 0
    for connection, result in carried(db, merge):
        kept = result.get("kept") or []
        lost = [one["id"] for one in kept] or list(result.get("lost") or ())
        owners = contacts.having(db, connection, lost)  # either person's contact may have been the one that stayed
        if not kept:  # the answer to the merge was lost: what the hub knows of them has to do
            kept = [_known(db, runtime, id, owner) for owner, id in _first_of_each(lost, owners, other).items()]
        told = {"into": result["into"], "carry": result.get("carry"), "kept": kept, "merge": merge.id,
                "person": str(person), "other": str(other), "owners": owners}  # fmt: skip
        if kept:
            planned += _plan(db, runtime, "person.parted", person, connection, PART, told, None, batch)
    return planned


def _first_of_each(lost: Sequence[str], owners: Mapping[str, int], other: int) -> dict[int, str]:
    """Return person -> the first of their contacts; of a contact nobody is known by, `other` is the person."""
    return {owners.get(one, other): one for one in reversed(lost)}


def _known(db: Db, runtime: Runtime, contact: str, person: int) -> dict[str, Any]:
    """Return what a contact is made of anew, of which the vendor's last word was lost."""
    said = golden.shown(roster.record_of(db, families.family(db, person)), runtime.config.people)
    return {"id": contact, "person": {name: value for name, value in said.items() if value}}


def carried(db: Db, merge: Merge) -> list[tuple[str, dict[str, Any]]]:
    """Return (connection, result) of what was carried to vendors because of a merge."""
    return [(connection, loads(result) or {}) for _, connection, result in _sent(db, merge, ("done",))]


def waiting(db: Db, merge: Merge) -> list[int]:
    """Return the deliveries of a merge that are still to be carried out, or wait for a human."""
    return [id for id, *_ in _sent(db, merge, ("ready", "parked"))]


def _sent(db: Db, merge: Merge, states: Sequence[str]) -> list[tuple[int, str, str]]:
    everybody = {merge.survivor, *families.family(db, merge.one), *families.family(db, merge.other)}
    subjects = [f"person:{one}" for one in sorted(everybody)]  # who stood for them then may be merged since
    rows = db.rows(
        "SELECT d.id, d.connection, d.result, e.content FROM event e JOIN delivery d ON d.event = e.id "  # noqa: S608
        f"WHERE e.connection = 'hub' AND e.subject IN ({db.marks(subjects)}) AND d.action = ? "
        f"AND d.state IN ({db.marks(states)}) ORDER BY d.id",
        (*subjects, MERGE, *states),
    )
    return [tuple(row[:3]) for row in rows if loads(row[3])["record"]["merge"]["merge"] == merge.id]


def take_back(db: Db, runtime: Runtime, outcome: Outcome) -> None:
    """Part contacts again that have become one while their persons' merge was being undone."""
    told = outcome.work.event.record.get("merge") or {}
    merge = merging.get(db, told["merge"]) if told.get("merge") is not None else None
    if merge is None or merge.undone_at is None:
        return
    at = families.roots(db, (merge.one, merge.other))
    if len(set(at.values())) == 2:
        person, other = sorted(at.values())
        part(db, runtime, merge, person, other, batch=merge.batch or "")


def merges(connector: Connector) -> bool:
    """Return whether this vendor's plugin can merge at all."""
    return type(connector).merge is not Connector.merge


def _plan(
    db: Db, runtime: Runtime, type_: str, person: int, connection: str, action: str, told: dict[str, Any],
    cause: int | None, batch: str,
) -> int:  # fmt: skip
    """Store the hub's own event and its delivery, once."""
    what = f"{told['merge'] or ''}:{connection}:{told['into']}:{','.join(told.get('ids') or [])}"
    event = Event(type_, f"person:{person}", f"{type_}:{what}", {"merge": told}, connection="hub", by="hub")
    fresh = intake.add_events(db, [event], cause=cause)
    if not fresh:
        return 0
    intake.set_event_notes(db, [(fresh[0].id, person, None, None)])
    marker = runtime.marker("hub", event.key, ROUTE, connection)
    line = line_of(connection, person)
    row = work.NewDelivery(fresh[0].id, ROUTE, "0", connection, action, line, connection, marker, batch=batch)
    return work.add_deliveries(db, [row])


# --- out -------------------------------------------------------------------------------------------


def perform(runtime: Runtime, claimed: work.Claimed) -> Outcome:
    """Carry one out; raises what went wrong."""
    connector = runtime.connector(claimed.connection)
    told = claimed.event.record.get("merge")
    if not isinstance(told, dict):
        raise RouteGone(ROUTE)
    since = dt.datetime.fromtimestamp(claimed.started_at, dt.UTC) if claimed.started_at is not None else None
    if claimed.action == MERGE:
        with runtime.store.read() as db:
            merge = merging.get(db, told["merge"]) if told.get("merge") is not None else None
        if merge is not None and merge.undone_at is not None:
            raise Skip("merge_undone")
        done = connector.merge("contact", told["into"], told["ids"], told["carry"], claimed.marker, since)
        outcome = Outcome(claimed, "done", stored("carried_merge", into=told["into"], ids=", ".join(told["ids"])), done)
        outcome.merged = {one: told["into"] for one in told["ids"]}
    elif claimed.action == PART:
        done = connector.unmerge("contact", told["into"], told["kept"], claimed.marker, since)
        back = done.result.get("restored") or {}
        outcome = Outcome(claimed, "done", stored("carried_part", ids=", ".join(map(str, back.values()))), done)
        owners = told.get("owners") or {}
        outcome.restored = [
            (str(back.get(one["id"], one["id"])), int(owners.get(one["id"]) or told["other"])) for one in told["kept"]
        ]
    else:
        raise Refused(f"the hub knows no act {claimed.action} on persons")
    done.result = {**done.result, **{name: told.get(name) for name in ("into", "carry")}}
    return outcome
