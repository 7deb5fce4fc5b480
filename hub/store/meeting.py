"""Events meeting persons, one after the other: who each is from, what keys it brings, whom it shows to be one.

What is known of the persons is read once for a batch and kept up to date from event to event; `hub.store.people` holds
what has to be held meanwhile, and matches anew where a key turns out to name nobody.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from hub import golden
from hub.identity import HINT, MOST_KEYS, Asked, Key, Rules, conflicts, same_name
from hub.reasons import stored
from hub.store import families, merging, nobody, state, suspects
from hub.store.engine import Db
from hub.store.json import dumps, loads

Reason = dict[str, Any]


@dataclass
class Match:
    """Who an event is from. `own` is whom its keys name, `root` who stands for them since they were merged.

    why: a reason, with `also` (further ones) and the rules' version. family: everybody who is one with them, the root
    first. joined: the merges this event brought about. second: connections at which they have several contacts now.
    """

    own: int | None = None
    root: int | None = None
    made: bool = False
    why: Reason | None = None
    family: tuple[int, ...] = ()
    joined: list[merging.Merge] = field(default_factory=list)
    second: list[tuple[str, list[str]]] = field(default_factory=list)
    #: the key by which they were found
    by: Key | None = None
    #: whose the event's contact at its vendor is: not always theirs, where two were parted
    card: int | None = None


class Meeting:
    """What is known of the persons whom some events name, kept up to date from event to event."""

    def __init__(self, db: Db, rules: Rules, connections: Sequence[str]) -> None:
        self.db, self.rules, self.connections = db, rules, connections
        self.owner: dict[Key, int] = {}
        self.root: dict[int, int] = {}
        self.family: dict[int, set[int]] = {}
        self.records: dict[int, golden.Golden] = {}
        #: keys of whole families, read only where a key comes to a known person: root -> key -> via
        self.keys: dict[int, dict[Key, str | None]] = {}
        self.fresh: dict[Key, tuple[int, str | None]] = {}
        self.changed: set[int] = set()
        self.overused: dict[Key, int] = {}
        #: the same of keys that stand on a card of a vendor: a human decides. key -> (how many, of which kind, vendor)
        self.shared: dict[Key, tuple[int, str, str]] = {}
        #: who has all keys they may have: root -> of which kinds
        self.full: dict[int, set[str]] = {}

    # --- reading --------------------------------------------------------------------------------

    def lock(self, asked: Sequence[Asked]) -> None:
        """Hold these events' keys for the transaction."""
        self.db.lock([nobody.lock_of(key) for one in asked for key in one.keys])

    def load(self, asked: Sequence[Asked]) -> None:
        """Read what these events' keys lead to, and hold those persons."""
        keys = sorted({key for one in asked for key in (*one.keys, *one.hints)})
        linked = {one.linked for one in asked if one.linked is not None}

        def named() -> set[int]:
            self._read_keys(keys)
            return {*self.owner.values(), *linked}

        self.root = families.hold(self.db, named)
        for root, members in families.families(self.db, self.root.values()).items():
            self.family[root] = set(members)
            self.root.update(dict.fromkeys(members, root))
        self._read_records(self.root)
        needy = {
            self.root[person]
            for one in asked
            if any(key not in self.owner for key in one.keys)
            or len({self.root[self.owner[key]] for key in one.keys if key in self.owner}) > 1
            or one.linked is not None
            for person in (*(self.owner[key] for key in one.keys if key in self.owner), one.linked)
            if person in self.root
        }
        self._read_families_keys(needy)

    def _read_keys(self, keys: Sequence[Key]) -> None:
        rows = self.db.keyed("person_key", ("kind", "value"), keys, "t.kind, t.value, t.person")
        self.owner = {(row[0], row[1]): row[2] for row in rows}

    def _read_records(self, persons: Iterable[int]) -> None:
        wanted = sorted(persons)
        for start in range(0, len(wanted), 400):
            chunk = wanted[start : start + 400]
            rows = self.db.rows(f"SELECT id, record FROM person WHERE id IN ({self.db.marks(chunk)})", chunk)  # noqa: S608
            self.records.update({row[0]: loads(row[1]) or {} if row[1] else {} for row in rows})

    def _read_families_keys(self, roots: Iterable[int]) -> None:
        members = sorted({person for root in roots if root not in self.keys for person in self.family[root]})
        for root in roots:
            self.keys.setdefault(root, {})
        for start in range(0, len(members), 400):
            chunk = members[start : start + 400]
            sql = f"SELECT kind, value, person, via FROM person_key WHERE person IN ({self.db.marks(chunk)})"  # noqa: S608
            for kind, value, person, via in self.db.rows(sql, chunk):
                self.keys[self.root[person]][(kind, value)] = via

    # --- one event --------------------------------------------------------------------------------

    def one(self, asked: Asked) -> Match:
        """Find or make the person of one event."""
        also = left_out(asked)
        if not asked:
            return Match(why=why_of("match_none", self.rules, also))
        found = [(key, self.owner[key]) for key in asked.keys if key in self.owner and key not in self.overused]
        if asked.linked in self.root:
            place = asked.card
            if place is not None and all(key != place for key, _ in found):
                found.append((place, asked.linked))
        if not found:
            return self._new(asked, also)
        match = Match()
        by, own = found[0]
        match.by, match.own = by, own
        self._join_all(match, asked, found, also)
        root = self.root[own]
        code = "match_linked" if own == asked.linked and by not in self.owner else "match_key"
        said, known = asked.contact.get("name"), self._best(root, "name")
        if not same_name(said, known):
            also.append(stored("match_name", said=said, known=known))
        if asked.connection in self.rules.unverified:
            new = [key for key in asked.keys if key not in self.owner]
            also += [stored("match_left", kind=kind, value=value, why="unverified") for kind, value in new]
        else:
            self._add_keys(match, asked, by, own, also)
            self._say(own, asked)
        self._hints(match, asked, own, also)
        match.why = why_of(code, self.rules, also, kind=by[0], value=by[1], person=root)
        return match

    def _new(self, asked: Asked, also: list[Reason]) -> Match:
        usable = [key for key in asked.keys if key not in self.overused]
        if not usable:
            return Match(why=why_of("match_none", self.rules, also))
        record = golden.add({}, asked.contact, asked.connection, asked.at or self.db.now)
        [row] = self.db.insert(
            "person", ("created_at", "changed_at", "record"),
            [(self.db.now, self.db.now, dumps(record) if record else None)], "", "id",
        )  # fmt: skip
        person = int(row[0])
        self.root[person], self.family[person], self.keys[person] = person, {person}, {}
        self.records[person] = record or {}
        match = Match(own=person, made=True)
        self._add_keys(match, asked, None, person, also)
        self._hints(match, asked, person, also)
        by = ", ".join(kind for kind in dict.fromkeys(kind for kind, _ in usable))
        match.why = why_of("match_new", self.rules, also, kinds=by, person=person)
        return match

    def _join_all(
        self, match: Match, asked: Asked, found: Sequence[tuple[Key, int]], also: list[Reason]
    ) -> None:  # fmt: skip
        """Make one of all persons whom an event's keys name, where the rules allow that."""
        first_of: dict[int, tuple[Key, int]] = {}
        for key, person in found:
            first_of.setdefault(self.root[person], (key, person))
        if len(first_of) < 2:
            return
        self._read_families_keys(first_of)
        main, *others = sorted(first_of)
        for other in others:
            one, two = self.root[main], other
            (key, own), (their_key, their_own) = first_of[main], first_of[other]
            kinds = [kind for kind in (key[0], their_key[0]) if kind in self.rules.auto]
            said = {"kind": key[0], "other_kind": their_key[0], "person": one, "other": two}
            differ = conflicts(telling(self.keys[one]), telling(self.keys[two]))
            if differ:
                why = stored("match_conflict", **said, differ=", ".join(differ))
            elif not kinds:
                why = stored("match_not_auto", **said)
            elif asked.connection in self.rules.unverified:
                why = stored("match_unverified", **said, connection=asked.connection)
            elif suspects.kept_apart(self.db, sorted(self.family[one]), sorted(self.family[two])):
                also.append(stored("match_never", **said))
                continue
            else:
                reason = stored("match_joined", **said)
                merge = merging.join(self.db, own, their_own, "rule", reason, self.connections)
                if merge is not None:
                    match.joined.append(merge)
                    self._unite(merge.survivor, merge.merged)
                    also.append(reason)
                continue
            suspects.suspect(self.db, own, their_own, why)
            also.append(why)

    def _unite(self, survivor: int, merged: int) -> None:
        members = self.family.pop(merged)
        self.family[survivor] |= members
        self.root.update(dict.fromkeys(members, survivor))
        self.keys.setdefault(survivor, {}).update(self.keys.pop(merged, {}))

    def _add_keys(self, match: Match, asked: Asked, by: Key | None, own: int, also: list[Reason]) -> None:
        """Give keys that nobody had to the person; one through which dozens came is found out here.

        Who has so many of a kind already learns no more: nobody has, and a chain of strangers would go on for ever.
        """
        root = self.root[own]
        via = by
        for key in asked.keys:
            if key in self.owner or key in self.overused:
                continue
            came = through(via) if via is not None else None
            mine = self.keys.setdefault(root, {})
            if sum(1 for kind, _ in mine if kind == key[0]) >= MOST_KEYS:
                self.full.setdefault(root, set()).add(key[0])
                also.append(stored("match_left", kind=key[0], value=key[1], why="full"))
                continue
            contacts = [value for kind, value in mine if kind == key[0]] if key[0].endswith(".contact") else []
            self.owner[key] = own
            self.fresh[key] = (own, came)
            mine[key] = came
            if contacts:
                match.second.append((key[0].removesuffix(".contact"), [*contacts, key[1]]))
            if via is not None and via[0] in ("phone", "email", "handle"):
                count = sum(1 for other, how in mine.items() if how == came and other[0] == key[0])
                if count >= self.rules.nobody_after:
                    told = None if key[0].endswith(".contact") else self._on_a_card(root, via)
                    if told is None:
                        self.overused[via] = count
                    else:
                        self.shared[via] = (count, key[0], told)
            if via is None:
                via = key
            self.changed.add(own)

    def _on_a_card(self, root: int, key: Key) -> str | None:
        """Return the vendor that has told of a key on a contact of this person's, None if none has.

        Then strangers who name it in a form don't make it nobody's. Dozens of cards with it do.
        """
        cards = {kind.removesuffix(".contact") for kind, _ in telling(self.keys[root]) if kind.endswith(".contact")}
        said = golden.together(self.records.get(one) for one in sorted(self.family[root])).get(key[0], ())
        return next((entry["from"] for entry in said if entry["value"] == key[1] and entry["from"] in cards), None)

    def _hints(self, match: Match, asked: Asked, own: int, also: list[Reason]) -> None:
        """Remember weak keys, and tell of a likely connection to somebody else; they join nobody."""
        for key in asked.hints:
            other = self.owner.get(key)
            if other is None:
                self.owner[key] = own
                self.fresh[key] = (own, None)
            elif self.root.get(other, other) != self.root[own]:
                also.append(stored("match_likely", kind=key[0].removeprefix(HINT), person=self.root.get(other, other)))

    def _say(self, own: int, asked: Asked) -> None:
        """Put what the event says of the person into their golden record."""
        said = golden.add(self.records.get(own), asked.contact, asked.connection, asked.at or self.db.now)
        if said is not None:
            self.records[own] = said
            self.changed.add(own)

    def _best(self, root: int, name: str) -> Any:
        return golden.best(golden.together(self.records.get(one) for one in sorted(self.family[root])), name)

    # --- writing ------------------------------------------------------------------------------------

    def write(self) -> None:
        """Write keys and records."""
        if self.fresh:
            self.db.insert(
                "person_key", ("kind", "value", "person", "at", "via"),
                [(*key, person, self.db.now, via) for key, (person, via) in sorted(self.fresh.items())],
                "ON CONFLICT DO NOTHING",
            )  # fmt: skip
        for person, kinds in sorted(self.full.items()):
            params = {"person": self.root[person], "count": MOST_KEYS, "kinds": ", ".join(sorted(kinds))}
            state.open_alert(self.db, f"keys:{person}", "alert_keys", None, params)
        for (kind, value), (count, other, connection) in sorted(self.shared.items()):
            told = {"kind": kind, "value": value, "count": count, "kinds": other, "connection": connection}
            state.open_alert(self.db, f"nobody:{kind}:{value}", "alert_shared", connection, told)
        self.db.many(
            "UPDATE person SET record = ?, changed_at = ?, compared = ? WHERE id = ?",
            [
                (dumps(self.records[one]) if self.records.get(one) else None, self.db.now, False, one)
                for one in sorted(self.changed)
            ],
        )


#: `via` of a contact that the hub itself made for somebody, or found by their phone: it tells nothing of who they are
OWN = "hub"


def telling(keys: dict[Key, str | None]) -> list[Key]:
    """Return those of the keys that tell who somebody is."""
    return [key for key, via in keys.items() if via != OWN]


def why_of(code: str, rules: Rules, also: list[Reason], **params: Any) -> Reason:
    why: Reason = {**stored(code, **params), "rules": rules.version}
    return {**why, "also": also} if also else why


def left_out(asked: Asked) -> list[Reason]:
    return [stored("match_left", kind=kind, value=value, why=why) for kind, value, why in asked.left]


def through(key: Key) -> str:
    return f"{key[0]}:{key[1]}"
