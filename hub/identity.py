"""Who a message is from: the keys that name a human, those that name nobody, and when two persons may be one.

Pure: no clock, no network, no database. Finding or making the person is `hub.store.people`, joining two of them
`hub.store.merging`.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from hub import normal
from hub.model import Event
from hub.normal import storable

Key = tuple[str, str]

#: changes with the code of this module and of `hub.likeness`: it is kept with each decision
RULES = "3"
#: characters of a key; PostgreSQL indexes no value of over about 2,700 bytes
LONGEST = 200
#: keys of one contact that are looked at, and keys of one kind a person has: nobody has more, and a broken export or a
#: stranger may send thousands
MOST_KEYS = 50
#: keys that belong to nobody: placeholders people and forms type in
NOBODY = frozenset(
    {"no@no.no", "none@none.com", "noreply@noreply.com", "test@test.test", "+380000000000", "+70000000000"}
)
#: mailboxes that machines write from
_MACHINES = frozenset({"noreply", "no-reply", "no_reply", "donotreply", "do-not-reply", "mailer-daemon", "postmaster"})
#: what stands in a field that had to be filled in
_PLACEHOLDERS = frozenset(
    {"-", "0", "anonymous", "guest", "n/a", "nan", "nil", "no", "none", "null", "test", "undefined", "unknown", "нет"}
)
#: a number that somebody made up: the same digit to the end
_SAME_DIGIT = re.compile(r"(\d)\1{6,}$")
#: fields of `source` that hint at a human and prove nothing: a browser's session, a click on an advertisement
WEAK = ("session_id", "client_id", "gclid", "yclid", "fbclid", "ymclid", "roistat")
#: begins the kind of a weak key
HINT = "hint."
#: records that become part of a person's history
HISTORY = frozenset({"deal", "lead", "order"})


@dataclass(frozen=True)
class Rules:
    """The section `people` as far as matching needs it. `version` changes with what is written there."""

    match: tuple[str, ...] = ("phone", "email", "handle")
    nobody: frozenset[str] = frozenset()
    nobody_after: int = 30
    #: kinds of keys, one of which must have brought two persons together for them to be merged by rule
    auto: tuple[str, ...] = ("phone", "email", "handle")
    #: connections at which anybody may name anybody's keys
    unverified: frozenset[str] = frozenset()
    version: str = RULES

    @classmethod
    def of(cls, people: Any) -> Rules:
        """Return the rules of a configuration's `people`."""
        merge = people.merge
        auto = people.match if merge is None else merge.auto
        unverified = sorted(people.unverified)
        told = repr(
            (people.match, sorted(people.nobody), people.nobody_after, auto, *([unverified] if unverified else []))
        )
        digest = hashlib.blake2s(told.encode(), digest_size=3).hexdigest()
        nobody = frozenset(people.nobody)
        return cls(people.match, nobody, people.nobody_after, tuple(auto), frozenset(unverified), f"{RULES}.{digest}")


@dataclass
class Asked:
    """What an event says of its human. `keys`: strong ones, strongest first; `left`: (kind, value, why left out)."""

    keys: list[Key] = field(default_factory=list)
    hints: list[Key] = field(default_factory=list)
    left: list[tuple[str, str, str]] = field(default_factory=list)
    contact: Mapping[str, Any] = field(default_factory=dict)
    connection: str = ""
    at: float = 0.0
    #: a person whom the event's contact is linked to already, because the hub made it for them
    linked: int | None = None

    def __bool__(self) -> bool:
        return bool(self.keys or self.linked is not None)

    @property
    def card(self) -> Key | None:
        """The key that the event's contact is at its vendor, None where it names none."""
        id = self.contact.get("id")
        return (f"{self.connection}.contact", short(str(id))) if id else None


def read(event: Event, rules: Rules) -> Asked:
    """Return the keys of the event's contact, and what in it names nobody; of too many the first count."""
    contact = event.record.get("contact")
    asked = Asked(connection=event.connection, at=event.occurred_at.timestamp() if event.occurred_at else event.at)
    if not isinstance(contact, Mapping):
        return asked
    asked.contact = contact
    found: list[Key] = []
    for kind in rules.match:
        for value in _values(contact, kind):
            if why := nobodys(kind, value, rules.nobody):
                asked.left.append((kind, short(value), why))
            else:
                found.append((kind, short(value)))
    if (own := asked.card) is not None:
        found = [*found[: MOST_KEYS - 1], own, *found[MOST_KEYS - 1 :]]
    found = list(dict.fromkeys(found))
    asked.keys = found[:MOST_KEYS]
    asked.left = list(dict.fromkeys(asked.left))
    if beyond := found[MOST_KEYS:]:
        asked.left.append((beyond[0][0], beyond[0][1], "too_many"))
    source = event.record.get("source")
    if isinstance(source, Mapping):
        asked.hints = [(f"{HINT}{name}", short(str(source[name]))) for name in WEAK if source.get(name)]
    return asked


def keys(event: Event, match: Iterable[str], nobody: Iterable[str] = ()) -> list[Key]:
    """Return the (kind, value) keys of the event's contact, strongest first; empty if it names nobody."""
    return read(event, Rules(match=tuple(match), nobody=frozenset(nobody))).keys


def nobodys(kind: str, value: str, listed: Collection[str] = ()) -> str:
    """Return why a key names nobody by rule: `listed`, `placeholder`, `same_digit`, `not_valid`; "" if it may."""
    plain = value.partition(":")[2] if kind == "handle" else value
    if value in listed or plain in listed:
        return "listed"
    if value in NOBODY or plain.strip().lower() in _PLACEHOLDERS:
        return "placeholder"
    if kind == "phone":
        if _SAME_DIGIT.search(value):
            return "same_digit"
        return "" if normal.phone(value) else "not_valid"
    if kind == "email":
        local, _, domain = value.rpartition("@")
        if not local or normal.email(value) is None:
            return "not_valid"
        return "placeholder" if local in _MACHINES or local == domain.partition(".")[0] else ""
    return ""


def short(value: str) -> str:
    """Return a value fit for an index: an absurdly long one (from outside) is stood for by its beginning and digest."""
    value = storable(value)
    if len(value) <= LONGEST:
        return value
    return f"{value[: LONGEST - 40]}~{hashlib.blake2s(value.encode(), digest_size=16).hexdigest()}"


def _values(contact: Mapping[str, Any], kind: str) -> Iterable[str]:
    if kind == "phone":
        return [str(v) for v in contact.get("phones") or [contact.get("phone")] if v]
    if kind == "email":
        return [str(v) for v in contact.get("emails") or [contact.get("email")] if v]
    if kind == "handle":
        handles = contact.get("handles") or {}
        return [f"{channel}:{handle}" for channel, handle in handles.items() if handle]
    return []


def in_words(kind: str, value: str) -> str:
    """Return a key as people read it: `crm.contact 55` is `contact 55 at crm`, a hint says that it is one."""
    if kind.startswith(HINT):
        return f"{kind.removeprefix(HINT)} {value} (a hint)"
    connection, dot, record = kind.rpartition(".")
    return f"{record} {value} at {connection}" if dot else f"{kind} {value}"


# --- may two be one? -----------------------------------------------------------------------------


def group(key: Key) -> str:
    """Return within which group a key must agree: phone, e-mail, the handle of one channel, contact of one vendor."""
    kind, value = key
    return f"handle {value.partition(':')[0]}" if kind == "handle" else kind


def conflicts(one: Iterable[Key], other: Iterable[Key]) -> list[str]:
    """Return the groups in which both have keys and share none: such two are not merged by rule."""
    sides: tuple[dict[str, set[str]], dict[str, set[str]]] = ({}, {})
    for side, some in zip(sides, (one, other), strict=True):
        for key in some:
            if not key[0].startswith(HINT):
                side.setdefault(group(key), set()).add(key[1])
    mine, theirs = sides
    return sorted(name for name in mine.keys() & theirs.keys() if mine[name].isdisjoint(theirs[name]))


def words_of(name: Any) -> frozenset[str]:
    """Return the words of a name, whatever their order and case."""
    return frozenset(re.findall(r"\w+", str(name or "").casefold()))


def same_name(one: Any, other: Any) -> bool:
    """Return whether two names can be the same human's: one holds all words of the other; no name fits any."""
    mine, theirs = words_of(one), words_of(other)
    return not mine or not theirs or mine <= theirs or theirs <= mine


def search_words(event: Event) -> set[str]:
    """Return the normalised words by which a person would look this event up."""
    words = {event.subject.partition(":")[2]}
    for record in event.record.values():
        if not isinstance(record, Mapping):
            continue
        for field_ in ("id", "number", "order", "phone", "email", "handle"):
            if value := record.get(field_):
                words.add(str(value).lower())
        for field_ in ("phones", "emails"):
            words.update(str(value).lower() for value in record.get(field_) or ())
    return {storable(word[:200]) for word in words if word}


class Tally(int):
    """How often something happened, as a number; `within(seconds)` counts only the last of it.

    times: when, in epoch seconds; now: the moment the counting is done from.
    """

    times: Sequence[float]
    now: float

    @classmethod
    def of(cls, times: Sequence[float], now: float) -> Tally:
        """Return the tally of these moments."""
        made = cls(len(times))
        made.times, made.now = times, now
        return made

    def within(self, seconds: float) -> int:
        """Return how many of them lie in the last seconds."""
        return sum(1 for at in self.times if at >= self.now - seconds)
