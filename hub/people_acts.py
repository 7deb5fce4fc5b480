"""What a human decides about persons: these two are one, those are not, this number is nobody's.

Each act is done in the transaction it is given, and tells what it did. For a dry run the caller takes the transaction
back: what was told is what would have happened, to the letter.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from hub import carrying, handwork, normal, parting
from hub.handwork import Pointless
from hub.identity import Key, Rules, conflicts, in_words
from hub.reasons import stored
from hub.runtime import Runtime
from hub.store import Db, contacts, families, merging, nobody, people, roster, state, suspects


class Taken(Exception):
    """Takes a transaction back after a dry run."""


@contextmanager
def writing(store: Any, dry_run: bool) -> Any:
    """Open a transaction that leaves nothing behind when it is only to be shown."""
    try:
        with store.write() as db:
            yield db
            if dry_run:
                raise Taken
    except Taken:
        return


@dataclass
class Act:
    """What was done: a sentence, the details, what is sent to the vendors."""

    text: str
    params: dict[str, Any] = field(default_factory=dict)
    lines: list[str] = field(default_factory=list)


def person(db: Db, asked: str, region: str = "") -> int:
    """Return whom `17`, `p17`, a phone in any spelling, an e-mail, a handle or `crm.contact:55` names.

    An id is returned as it is, merged or not. Raises Pointless in words.
    """
    asked = asked.strip()
    number = asked.removeprefix("p")
    if number.isdecimal() and len(number) < 10 and roster.exists(db, int(number)):
        return int(number)
    for kind, value in (("phone", normal.phone(asked, region)), ("email", normal.email(asked))):
        if value and (found := roster.of_key(db, kind, value)) is not None:
            return found
    if named := roster.by_value(db, asked):
        if len(named) > 1:
            raise Pointless(f'"{asked}" names several persons: {", ".join(map(str, named))}; say which')
        return named[0]
    raise Pointless(f'nobody is known by "{asked}"; an id, a phone, an e-mail, insta:HANDLE or crm.contact:55 name one')


# --- merging and parting ----------------------------------------------------------------------------


def merge(db: Db, runtime: Runtime, one: int, other: int, reason: dict[str, Any] | None = None) -> Act:
    """Make two persons one, whatever their keys say, and carry it to the vendors."""
    at = families.hold(db, (one, other))
    if at[one] == at[other]:
        raise Pointless(f"{one} and {other} are one person already: {at[one]}")
    survivor, merged = sorted((at[one], at[other]))
    differ = conflicts(roster.keys_of(db, survivor, True), roster.keys_of(db, merged, True))
    connections = tuple(runtime.config.connections)
    made = merging.join(db, one, other, "human", reason or stored("match_human"), connections)
    assert made is not None
    batch = _batch(db, made.id)
    family = families.families(db, [survivor])[survivor]
    rule = runtime.config.people.merge
    carry = rule.carry if rule is not None else ("deals", "notes", "tags", "tasks")
    told = carrying.contacts_of(db, family, connections)
    sent = carrying.one_contact(db, runtime, survivor, family, merge=made.id, carry=carry, batch=batch)
    several = {name: some for name, some in told.items() if len(some) > 1}
    params: dict[str, Any] = {
        "merge": made.id, "person": survivor, "merged": merged, "differ": differ, "carried": sent, "batch": batch,
        "contacts": several, "moved": made.moved,
    }  # fmt: skip
    lines = [f"they differ in {', '.join(differ)}; both stay keys of the person"] if differ else []
    lines += [f"what waited on {line} goes on in the line of person {survivor}" for line in made.moved]
    lines += _carried(runtime, several)
    return Act(f"person {merged} is one with {survivor} (merge m{made.id})", params, lines)


def _carried(runtime: Runtime, contacts: dict[str, list[str]]) -> list[str]:
    lines = []
    for name, some in sorted(contacts.items()):
        into, *rest = some
        if carrying.merges(runtime.connector(name)):
            lines.append(f"{name}: contact {', '.join(rest)} goes into {into} (a delivery)")
        else:
            lines.append(f"{name}: contacts {', '.join(some)} stay two; this vendor's plugin can't merge them")
    return lines


def _batch(db: Db, id: int) -> str:
    batch = f"merge-{id}"
    db.run("UPDATE merge SET batch = ? WHERE id = ?", (batch, id))
    return batch


def unmerge(db: Db, runtime: Runtime, asked: str) -> Act:
    """Undo a merge: `m9`, or the person that was merged. What came since is with the person whose keys it has."""
    found = _merge_of(db, asked)
    families.hold(db, (found.one, found.other))
    found = _merge_of(db, f"m{found.id}")  # somebody else may have undone it while we waited
    before = families.family(db, found.one)
    at = merging.part(db, found, tuple(runtime.config.connections))
    root, other = sorted((at[found.one], at[found.other]))
    contacts.untangle(db, before)
    former, _ = families.connected(db, before, undone=True)
    given_up = _given_up(db, former)
    sent = parting.part(db, runtime, found, former, batch=_batch(db, found.id))
    for one in sorted({root, other}):  # a merge that was given up may have been that of others, too
        for name in runtime.config.connections:
            carrying.met(db, runtime, one, name, None)
    keys = {one: [" ".join(key) for key in roster.keys_of(db, one)] for one in (root, other)}
    params = {
        "merge": found.id, "person": root, "parted": other, "carried": len(sent), "family": before, "keys": keys,
    }  # fmt: skip
    words = {one: [in_words(*key) for key in roster.keys_of(db, one)] for one in (root, other)}
    lines = [f"person {one} has {', '.join(some) or 'no keys'}" for one, some in words.items()]
    lines += given_up
    lines += [f"{name}: contact {', '.join(ids)} comes back (a delivery)" for name, ids in sent]
    return Act(f"person {other} is {other} again (m{found.id} is undone); no rule joins them any more", params, lines)


def _given_up(db: Db, former: Collection[int]) -> list[str]:
    """Give up merges of contacts that parted persons have no need of; return what was done, in words.

    One that may have reached the vendor is left to find that out: its parting waits for it.
    """
    said = []
    for one, in_doubt in parting.pointless(db, former):
        if in_doubt and one.state == "ready":
            continue
        try:
            said.append((handwork.retry if in_doubt else handwork.drop)(db, one.delivery))
        except Pointless:
            continue  # a worker has just taken it: it asks whether they are still one
    return said


def _merge_of(db: Db, asked: str) -> merging.Merge:
    number = asked.strip().removeprefix("m").removeprefix("p")
    if not number.isdecimal() or len(number) > 9:
        raise Pointless(f'"{asked}" is no merge; give its id (m9) or that of the person who was merged (p17)')
    if asked.strip().startswith("m"):
        found = merging.get(db, int(number))
        if found is None:
            raise Pointless(f"there is no merge m{number}")
        if found.undone_at is not None:
            raise Pointless(f"m{number} is undone already")
        return found
    if not roster.exists(db, int(number)):
        raise Pointless(f"there is no person {number}")
    some = merging.of_persons(db, [int(number)], only_open=True)
    if not some:
        raise Pointless(f"person {number} is not merged with anybody")
    if len(some) > 1:
        ids = ", ".join(f"m{one.id}" for one in some)
        raise Pointless(f"person {number} is part of {ids}; say which: m{some[-1].id}")
    return some[0]


# --- suspects ---------------------------------------------------------------------------------------


def decide(db: Db, runtime: Runtime, id: int, word: str) -> Act:
    """Decide about a pair: `accept` makes them one, `refuse` asks again with a new reason only, `never` never."""
    pair = suspects.pair(db, id)
    if pair is None:
        raise Pointless(f"there is no pair s{id}")
    one, other = pair["person"], pair["other"]
    if pair["state"] == "accepted" or (pair["state"] == "never" and word != "accept"):
        raise Pointless(f"s{id} is decided already: {pair['state']}")
    families.hold(db, (one, other))  # before the pair itself: as whoever finds that two may be one does
    if word == "accept":
        suspects.decide(db, id, "accepted")
        made = merge(db, runtime, one, other, stored("match_accepted", suspect=f"s{id}"))
        suspects.decide(db, id, "accepted")
        return made
    states = {"refuse": "refused", "never": "never"}
    suspects.decide(db, id, states[word])
    until = "until something new speaks for it" if word == "refuse" else "whatever comes"
    return Act(f"{one} and {other} stay two persons, {until}", {"suspect": id, "state": states[word]})


# --- nobody -----------------------------------------------------------------------------------------


def key_of(asked: str, region: str) -> Key:
    """Return the key that a phone, an e-mail or `channel:handle` is; raises Pointless."""
    if value := normal.phone(asked, region):
        return ("phone", value)
    if value := normal.email(asked):
        return ("email", value)
    channel, colon, handle = asked.partition(":")
    if colon and channel and handle:
        return ("handle", asked)
    raise Pointless(f'"{asked}" is neither a phone nor an e-mail nor a handle (insta:NAME)')


def nobody_add(db: Db, runtime: Runtime, asked: str) -> Act:
    """Say that a key names nobody: it is taken from its person, and what came by it is matched anew without it."""
    key = key_of(asked, runtime.config.hub.region)
    people.hold(db, key)
    if not nobody.declare(db, key, "human", stored("nobody_human")):
        raise Pointless(f"{key[0]} {key[1]} is on the list already")
    moved = people.release(db, key, Rules.of(runtime.config.people), tuple(runtime.config.connections))
    text = f"{key[0]} {key[1]} names nobody any more; {moved} events were matched anew"
    return Act(text, {"key": list(key), "events": moved})


def nobody_remove(db: Db, runtime: Runtime, asked: str, listed: Sequence[str] = ()) -> Act:
    """Let a key name somebody again, from the next message on."""
    key = key_of(asked, runtime.config.hub.region)
    if not nobody.forget(db, key):
        if key[1] in listed:
            raise Pointless(f"{key[1]} stands in hub.yaml, people: {{nobody: ...}}; take it out there")
        raise Pointless(f"{key[0]} {key[1]} is not on the list (hub people nobody list)")
    state.close_alerts(db, f"nobody:{key[0]}:{key[1]}")
    return Act(f"{key[0]} {key[1]} names somebody again, from the next message on", {"key": list(key)})
