"""Carrying a merge to the vendors: two contacts of one person become one there. Undone: see `hub.parting`.

An ordinary delivery each: it waits in the person's line, goes by the limiter, is tried again, is written down with
what was there before. Its event is the hub's own, `hub.person.merged` or `hub.person.parted`.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

from hub.connector import Connector
from hub.errors import Skip
from hub.model import Event
from hub.outcome import Outcome, RouteGone
from hub.reasons import stored
from hub.runtime import Runtime
from hub.store import Db, contacts, families, intake, merging, state, work
from hub.store.json import loads
from hub.store.merging import line_of

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
        what = f"{merge or ''}:{connection}:{some[0]}:{','.join(some[1:])}"
        line = line_of(connection, person)
        planned += plan(
            db, runtime, "person.merged", person, connection, MERGE, told, what, line=line, cause=cause, batch=batch
        )
    return planned


def met(db: Db, runtime: Runtime, person: int, connection: str, cause: int | None) -> None:
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


@dataclass(frozen=True, slots=True)
class Carried:
    """A delivery that merges contacts or parts them: what it was told, and what came of it."""

    delivery: int
    connection: str
    action: str
    state: str
    told: dict[str, Any]
    result: dict[str, Any]


def sent(
    db: Db, persons: Collection[int], actions: Sequence[str], states: Sequence[str], connection: str = ""
) -> list[Carried]:
    """Return the deliveries by which contacts of these persons are merged or parted, in the order they were planned."""
    subjects = [f"person:{one}" for one in sorted(persons)]
    found = []
    for start in range(0, len(subjects), 300):
        chunk = subjects[start : start + 300]
        found += db.rows(
            "SELECT d.id, d.connection, d.action, d.state, d.result, e.content FROM event e "  # noqa: S608
            f"JOIN delivery d ON d.event = e.id WHERE e.connection = 'hub' AND e.subject IN ({db.marks(chunk)}) "
            f"AND d.action IN ({db.marks(actions)}) AND d.state IN ({db.marks(states)})",
            (*chunk, *actions, *states),
        )
    return [
        Carried(id, where, action, state_, told, loads(result) or {})
        for id, where, action, state_, result, content in sorted(found, key=lambda row: row[0])
        if connection in ("", where) and (told := loads(content)["record"].get("merge"))  # none is left of the erased
    ]


def merges(connector: Connector) -> bool:
    """Return whether this vendor's plugin can merge at all."""
    return type(connector).merge is not Connector.merge


def plan(
    db: Db, runtime: Runtime, type_: str, person: int, connection: str, action: str, told: dict[str, Any], what: str,
    *, line: str, cause: int | None = None, batch: str = "",
) -> int:  # fmt: skip
    """Store the hub's own event and its delivery, once for each `what`."""
    event = Event(type_, f"person:{person}", f"{type_}:{what}", {"merge": told}, connection="hub", by="hub")
    fresh = intake.add_events(db, [event], cause=cause)
    if not fresh:
        return 0
    intake.set_event_notes(db, [(fresh[0].id, person, None, None)])
    marker = runtime.marker("hub", event.key, ROUTE, connection)
    row = work.NewDelivery(fresh[0].id, ROUTE, "0", connection, action, line, connection, marker, batch=batch)
    return work.add_deliveries(db, [row])


# --- out -------------------------------------------------------------------------------------------


def perform(runtime: Runtime, claimed: work.Claimed) -> Outcome:
    """Merge contacts; raises what went wrong."""
    told = told_of(claimed)
    ids = _still_one(runtime, claimed, told)
    done = runtime.connector(claimed.connection).merge(
        "contact", told["into"], ids, told["carry"], claimed.marker, since(claimed)
    )
    outcome = Outcome(claimed, "done", stored("carried_merge", into=told["into"], ids=", ".join(ids)), done)
    outcome.merged = {one: told["into"] for one in ids}
    done.result = {**done.result, **{name: told.get(name) for name in ("into", "carry")}}
    return outcome


def _still_one(runtime: Runtime, claimed: work.Claimed, told: dict[str, Any]) -> list[str]:
    """Return those of the contacts whose human is still the one of the contact that stays.

    And those of others that are to be given back already: an earlier try may have moved them, which this one finds out.
    """
    ids = [str(id) for id in told["ids"]]
    with runtime.store.read() as db:
        merge = merging.get(db, told["merge"]) if told.get("merge") is not None else None
        owners = contacts.having(db, claimed.connection, [told["into"], *ids])
        at = families.roots(db, owners.values())
        everybody, _ = families.connected(db, [*owners.values(), int(told["person"])], undone=True)
        partings = sent(db, everybody, (PART,), ("ready", "parked"), claimed.connection)
    doubtful = [one for one in partings if one.told.get("of") == claimed.id and claimed.started_at is not None]
    back = {str(id) for one in doubtful for id in one.told["ids"]}
    stays = at.get(owners.get(told["into"], 0))
    undone = merge is not None and merge.undone_at is not None
    mine = {id for id in ids if (at.get(owners[id]) == stays if id in owners and stays is not None else not undone)}
    left = [id for id in ids if id in mine or id in back]
    if not left:
        raise Skip("merge_undone")
    return left


def told_of(claimed: work.Claimed) -> dict[str, Any]:
    """Return what a delivery is to merge or part; RouteGone where nothing of it is left."""
    told = claimed.event.record.get("merge")
    if not isinstance(told, dict):
        raise RouteGone(ROUTE)
    return told


def since(claimed: work.Claimed) -> dt.datetime | None:
    """Return when an earlier try of a delivery began whose outcome nobody knows, or None."""
    return dt.datetime.fromtimestamp(claimed.started_at, dt.UTC) if claimed.started_at is not None else None
