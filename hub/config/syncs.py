"""A sync: two connections kept alike, record by record. What `sync:` in `hub.yaml` says, read and checked."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

#: records that can be kept alike, and what is carried when `fields` says nothing
FIELDS: Mapping[str, tuple[str, ...]] = {
    "company": ("title", "phone", "email"),
    "contact": ("first_name", "last_name", "phone", "email"),
    "lead": ("title", "first_name", "last_name", "phone", "email", "amount"),
    "deal": ("title", "amount"),
}
#: records that hang on others: kind -> the fields that name them
REFERENCES: Mapping[str, tuple[str, ...]] = {"deal": ("contact", "company"), "contact": ("company",), "lead": ()}
STAGED = ("lead", "deal")
#: writes of one pair within a minute after which it is taken for a circle
BREAKER = 10
#: what a first sync hands to its workers in an hour
CAP = 500
NEWEST = "newest"


@dataclass(frozen=True)
class SyncField:
    """One field carried: its code at `from`, its code at `to`, which way, who wins when both sides have changed.

    `kind` is plain, phones, emails, stage, responsible or reference. winner: `newest`, a connection, "" = the sync's.
    """

    word: str
    one: str
    other: str
    way: str = "both"
    winner: str = ""
    kind: str = "plain"

    def goes(self, way: str) -> bool:
        """Return whether it is carried that way (`forward` or `back`)."""
        return self.way in ("both", way)


@dataclass(frozen=True)
class SyncKey:
    """How twins are known when the two sides first meet: the field at `from` that equals the one at `to`.

    `id` is the record's own id; then the other side keeps it in its field, and the sync fills that field in.
    """

    one: str
    other: str


@dataclass(frozen=True)
class Sync:
    """One entry of `sync`. `stages` are pairs (at `from`, at `to`), `people` pairs of employees' ids, or `email`.

    `deleted`: what a deletion on one side means for the other: ignore, unlink or close (into `close`: connection ->
    stage). `back`: stages that may be moved back to; `*` = any. `cap` is per hour.
    """

    name: str
    one: str
    other: str
    fields: Mapping[str, tuple[SyncField, ...]] = field(default_factory=dict)
    keys: Mapping[str, tuple[SyncKey, ...]] = field(default_factory=dict)
    stages: tuple[tuple[str, str], ...] = ()
    back: frozenset[str] = frozenset()
    people: str | tuple[tuple[str, str], ...] = ()
    winner: str = NEWEST
    deleted: str = "ignore"
    close: Mapping[str, str] = field(default_factory=dict)
    cap: int = CAP
    quiet: bool = False
    once: bool = False
    both: bool = False
    breaker: int = BREAKER
    file: str = "hub.yaml"
    line: int = 0
    path: str = ""

    def records(self) -> tuple[str, ...]:
        """Return the records carried, those first that others hang on."""
        return tuple(kind for kind in FIELDS if kind in self.fields)

    def way(self, connection: str) -> str:
        """Return which way goes what comes from a connection: `forward` from `from`, `back` from `to`."""
        return "forward" if connection == self.one else "back"

    def opposite(self, connection: str) -> str:
        """Return the connection on the other side."""
        return self.other if connection == self.one else self.one

    def carried(self, record: str, way: str) -> tuple[SyncField, ...]:
        """Return the fields of a record that go that way."""
        return tuple(one for one in self.fields.get(record, ()) if one.goes(way))

    def route_name(self, record: str, way: str) -> str:
        """Return the name of the route that carries a record that way."""
        ends = (self.one, self.other) if way == "forward" else (self.other, self.one)
        return f"{self.name}: {record} {ends[0]} -> {ends[1]}"

    def stage(self, stage: str, way: str) -> str:
        """Return the stage that stands for one of the other side; "" where no pair names it. The first pair counts."""
        for one, other in self.stages:
            if stage == (one if way == "forward" else other):
                return other if way == "forward" else one
        return ""

    def stages_alike(self, one: Any, other: Any) -> bool:
        """Return whether a stage at `from` and one at `to` stand for each other."""
        return (str(one), str(other)) in self.stages


def sentences(sync: Sync, names: Mapping[str, Mapping[str, Mapping[str, str]]]) -> list[str]:
    """Return what a sync unfolds into, one sentence a line, for `hub check --show`.

    names: connection -> `names` of it (`stages`, `users`: our word -> the vendor's code), so that codes read as words.
    """
    found = []
    for record in sync.records():
        ways: dict[str, list[str]] = {}
        for one in sync.fields[record]:
            named = one.word if one.one == one.other or one.kind != "plain" else f"{one.word} (there {one.other})"
            named += f" ({one.winner} wins)" if one.winner else ""
            ways.setdefault(one.way, []).append(named)
        arrows = {"both": "<->", "forward": "->", "back": "<-"}
        parts = [f"{sync.one} {arrows[way]} {sync.other}: {', '.join(ways[way])}" for way in arrows if way in ways]
        keys = " or ".join(
            k.one if k.one == k.other else f"{k.one} there as {k.other}" for k in sync.keys.get(record, ())
        )
        parts.append(f"twins meet by {keys}" if keys else "twins meet by their links alone")
        found.append(f"Each {record}: {'; '.join(parts)}.")
    said = [_word(names, sync, place) for place in (0, 1)]
    if sync.stages:
        pairs = ", ".join(f"{said[0]('stages', one)} = {said[1]('stages', other)}" for one, other in sync.stages)
        back = ", ".join(sorted({said[0]("stages", said[1]("stages", code)) for code in sync.back - {"*"}}))
        order = "in any direction" if "*" in sync.back else f"forward only{f', back to {back} too' if back else ''}"
        found.append(f"Stages: {pairs}; {order}. {_shared(sync, said)}{_unpaired(sync, names)}".rstrip())
    if sync.people == "email":
        found.append("Who is responsible there is who has the same e-mail.")
    elif isinstance(sync.people, tuple) and sync.people:
        pairs = ", ".join(f"{said[0]('users', one)} = {said[1]('users', other)}" for one, other in sync.people)
        found.append(f"Who is responsible: {pairs}; of anybody else it isn't carried.")
    end = {
        "ignore": "A deletion on one side leaves the other as it is, and it is carried no more.",
        "unlink": "A deletion on one side sets the other free: its next change makes it anew.",
        "close": f"A deletion on one side closes the deal on the other ({_stages(sync, said)}).",
    }[sync.deleted]
    winner = "the newest by the vendors' time" if sync.winner == NEWEST else sync.winner
    found.append(f"Where both sides have changed a field, {winner} wins; what lost is kept in the history. {end}")
    once = "once, then never again" if sync.once else "the first time compared as a whole"
    quiet = ", without notifications" if sync.quiet else ""
    found.append(f"Runs {once}, {sync.cap} records an hour at most{quiet}; begin with: hub sync plan {sync.name}.")
    return found


def _stages(sync: Sync, said: list[Callable[[str, str], str]]) -> str:
    ends = (sync.one, sync.other)
    return ", ".join(f"{name}: {said[ends.index(name)]('stages', code)}" for name, code in sync.close.items())


def _word(
    names: Mapping[str, Mapping[str, Mapping[str, str]]], sync: Sync, place: int
) -> Callable[[str, str], str]:  # fmt: skip
    """Return a function that gives our word for a code of one side, or the code: said("stages", "C5:WON") -> "won"."""
    known = names.get((sync.one, sync.other)[place], {})

    def said(kind: str, code: str) -> str:
        return next((word for word, named in known.get(kind, {}).items() if named == code), code)

    return said


def _shared(sync: Sync, said: list[Callable[[str, str], str]]) -> str:
    """Return which pair counts for a stage that stands in several: the first, on the way to the other side."""
    told = ""
    for place, way in ((1, "back"), (0, "forward")):
        codes = [pair[place] for pair in sync.stages]
        for code in dict.fromkeys(one for one in codes if codes.count(one) > 1):
            there = said[1 - place]("stages", sync.stage(code, way))
            told += f"{said[place]('stages', code)} stands in several pairs: going {way} it becomes {there}. "
    return told


def _unpaired(sync: Sync, names: Mapping[str, Mapping[str, Mapping[str, str]]]) -> str:
    """Return the stages of `names` that stand in no pair: a move into one of them isn't carried."""
    alone = []
    for place, connection in enumerate((sync.one, sync.other)):
        paired = {pair[place] for pair in sync.stages}
        words = [word for word, code in names.get(connection, {}).get("stages", {}).items() if code not in paired]
        alone += [f"{', '.join(words)} of {connection}"] if words else []
    return f"No pair: {'; '.join(alone)}; a move into one of these isn't carried." if alone else ""
