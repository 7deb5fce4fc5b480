"""Drift: what hub.yaml names of a vendor's account, and the account no longer has so. Pure.

`compare` holds what the account is made of now against what was seen before; `judge` keeps what hub.yaml names and
says it with place, cause and nearest candidate. The hourly look (`hub.looks`) and `hub check --live` both ask here.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from hub.config import Config, Step
from hub.connector import Mention, Named
from hub.mapping import Copy, From, Staged
from hub.reasons import stored

#: (kind, record, code)
Key = tuple[str, str, str]

#: how alike two labels (or codes) must be to be offered as the one that was meant (0 to 1)
_NEAR_LABEL, _NEAR_CODE = 0.6, 0.75
#: places whose lines write: a line under `set`, a move
_WRITES = re.compile(r"\.(set|stage)(\.|$| )")
#: what happened -> the alert that tells it
ALERTS = {
    "deleted": "alert_drift_deleted",
    "replaced": "alert_drift_replaced",
    "retyped": "alert_drift_retyped",
    "relabelled": "alert_drift_relabelled",
}
#: what pauses a line; a mere new label is told and pauses nothing
PAUSING = ("deleted", "replaced", "retyped")


@dataclass(frozen=True)
class Known:
    """A thing of the account as last seen. gone: it was no longer there at the last look."""

    named: Named
    gone: bool = False


@dataclass(frozen=True)
class Change:
    """What happened to one thing: deleted, replaced (by another of the same label), retyped, relabelled."""

    what: str
    was: Named
    now: Named | None = None

    @property
    def key(self) -> Key:
        """Kind, record and code of what changed."""
        return key_of(self.was)


@dataclass(frozen=True)
class Drift:
    """A change that hub.yaml cares about. places: the lines that name it. said: a digest of what they say."""

    change: Change
    places: tuple[str, ...]
    said: str
    candidate: Named | None = None
    #: where the new code is to be written: the `names` line if there is one
    mend: str = ""

    @property
    def key(self) -> Key:
        """Kind, record and code."""
        return self.change.key

    @property
    def pauses(self) -> bool:
        """Whether lines that write it are left out."""
        return self.change.what in PAUSING

    def reason(self) -> dict[str, Any]:
        """Return why a line is paused, as the store keeps reasons."""
        was, now = self.change.was, self.change.now
        params = {"kind": was.kind, "old_code": was.code, "label": was.label or was.code, "record": was.record}
        if now is not None:
            params |= {"new_code": now.code, "new_label": now.label}
            if self.change.what == "retyped":
                params |= {"old_type": was.type, "new_type": now.type}
        return stored(f"drift_{self.change.what}", **params)

    def remedy(self, connection: str) -> tuple[str, dict[str, Any]]:
        """Return what to do, as a code of `hub.reasons` with its parameters."""
        params: dict[str, Any] = {"connection": connection, "place": self.mend, "old_code": self.change.was.code}
        if self.change.what == "relabelled":
            return "mend_nothing", params
        if self.change.what == "retyped":
            return "mend_type", params
        if self.candidate is None:
            return "mend_code", params
        return "mend_candidate", {
            **params, "new_code": self.candidate.code, "new_label": self.candidate.label or self.candidate.code
        }  # fmt: skip


def key_of(named: Named) -> Key:
    """Return what a thing is known by."""
    return named.kind, named.record, named.code


# --- what changed ----------------------------------------------------------------------------------


def compare(known: Mapping[Key, Known], now: Sequence[Named]) -> list[Change]:
    """Return what differs from what was seen before, and what has been gone since then.

    Of a kind and record of which nothing is told at all nothing is deleted: the right to read it is missing, as a rule.
    """
    present = {key_of(one): one for one in now}
    told = {(one.kind, one.record) for one in now}
    found: list[Change] = []
    for key, before in known.items():
        one = present.get(key)
        if one is None:
            if key[:2] in told:
                found.append(_missing(before.named, known, present.values()))
        elif before.named.type and one.type and before.named.type != one.type:
            found.append(Change("retyped", before.named, one))
        elif before.named.label and one.label and before.named.label != one.label:
            found.append(Change("relabelled", before.named, one))
    return found


def _missing(was: Named, known: Mapping[Key, Known], present: Iterable[Named]) -> Change:
    """Tell a thing that is gone from one that has only got another code: its label stands on something new."""
    for one in present:
        alike = (one.kind, one.record, one.pipeline) == (was.kind, was.record, was.pipeline)
        before = known.get(key_of(one))
        if alike and was.label and one.label == was.label and (before is None or before.gone):
            return Change("replaced", was, one)
    return Change("deleted", was)


def candidate(was: Named, now: Sequence[Named], known: Mapping[Key, Known]) -> Named | None:
    """Return what was probably meant: by its label, what is new before what was there already; else by its code."""
    alike = [one for one in now if (one.kind, one.record) == (was.kind, was.record) and one.code != was.code]
    if was.pipeline and any(one.pipeline == was.pipeline for one in alike):
        alike = [one for one in alike if one.pipeline == was.pipeline]
    best: tuple[float, Named] | None = None
    for one in alike:
        likeness = _like(was.label, one.label)
        if likeness < _NEAR_LABEL:
            likeness = _like_code(was.code, one.code) if was.kind != "user" else 0.0
            if likeness < _NEAR_CODE:
                continue
            likeness -= 0.5
        likeness += 0.1 * (key_of(one) not in known) + 0.05 * (one.type == was.type)
        if best is None or likeness > best[0]:
            best = likeness, one
    return best[1] if best else None


def _like_code(one: str, other: str) -> float:
    """Compare two codes by their words: two numbers behind the same prefix say nothing of what stands behind them."""
    numbered = re.search(r"\d", one) and re.search(r"\d", other)
    return 0.0 if numbered and re.sub(r"\d", "", one) == re.sub(r"\d", "", other) else _like(one, other)


def _like(one: str, other: str) -> float:
    if not one or not other:
        return 0.0
    return difflib.SequenceMatcher(None, one.casefold(), other.casefold()).ratio()


# --- what hub.yaml names ---------------------------------------------------------------------------


def mentions(config: Config, connection: str, now: Sequence[Named]) -> list[Mention]:
    """Return all that hub.yaml names of a connection: in routes, under `names` and `team`, in cells of tables."""
    found = list(config.named.get(connection, ()))
    users = {(one.record, one.code) for one in now if one.kind == "field" and one.type == "user"}
    return found + list(_table_mentions(config, connection, users))


def _table_mentions(config: Config, connection: str, users: set[tuple[str, str]]) -> Iterator[Mention]:
    """Yield the stages and users that stand in a column of a table from which a line takes its value."""
    known = config.connections[connection]
    for route in config.routes:
        tables = {step.as_: step.look_up.table for step in route.steps if step.look_up is not None and step.as_}
        for step in _all_steps(route.steps):
            if not tables or step.do is None or step.do.connection != connection:
                continue
            kind = known.action(step.do.action)
            record = (kind.writes or kind.record) if kind is not None else step.do.record
            stages = (*(kind.stage_fields if kind is not None else ()), "stage")
            for line in step.set:
                about = "stage" if line.key in stages else "user" if (record, line.key) in users else ""
                source = line.source.source if isinstance(line.source, Staged) else line.source
                path = source.path if isinstance(source, Copy | From) else None
                if not about or path is None or path.root not in tables or len(path.parts) < 2:
                    continue
                words = known.names["stages" if about == "stage" else "users"]
                rows = tables[path.root].rows
                for number, cell in enumerate((str(row.get(path.parts[1]) or "") for row in rows), 1):
                    if cell:
                        place = f"{line.place} (table {tables[path.root].name}, row {number})"
                        yield Mention(about, record, words.get(cell, cell), place, said=cell)


def _all_steps(steps: Iterable[Step]) -> Iterator[Step]:
    for step in steps:
        yield step
        yield from _all_steps(step.refused)


def judge(
    changes: Iterable[Change], named: Iterable[Mention], now: Sequence[Named], known: Mapping[Key, Known]
) -> list[Drift]:  # fmt: skip
    """Return the changes that hub.yaml cares about, each with the places that name it.

    What stands under `names` has no record: it counts where a route names the same code of that record too, or where
    no record has that code any more.
    """
    named = list(named)
    there = {(one.kind, one.code) for one in now}
    found = []
    for change in changes:
        direct, beside = _naming(change.key, named)
        if not direct and not (beside and (change.what != "deleted" or change.key[::2] not in there)):
            continue
        places, said = places_of(change.key, named), said_of(change.key, named)
        mend = short_place((beside or direct)[0].place)
        near = change.now
        if change.what != "replaced":  # what hub.yaml uses for something else already can't have been meant
            taken = {(one.kind, one.code) for one in named} - {(change.was.kind, change.was.code)}
            near = candidate(change.was, [one for one in now if (one.kind, one.code) not in taken], known)
        found.append(Drift(change, places, said, near if change.what in ("deleted", "replaced") else None, mend))
    return found


def _naming(key: Key, named: Iterable[Mention]) -> tuple[list[Mention], list[Mention]]:
    """Return the mentions of a thing in routes, and those under `names` or `team`."""
    kind, record, code = key
    fitting = [one for one in named if (one.kind, one.code) == (kind, code)]
    direct = [one for one in fitting if one.record and (not record or one.record == record)]
    return direct, [one for one in fitting if not one.record]


def places_of(key: Key, named: Iterable[Mention]) -> tuple[str, ...]:
    """Return the places that name a thing, for people: those that write it, else those that look at it, else those
    under `names` or `team`."""
    direct, beside = _naming(key, named)
    writing = [one for one in direct if _WRITES.search(one.place)]
    return tuple(dict.fromkeys(short_place(one.place) for one in writing or direct or beside))


def said_of(key: Key, named: Iterable[Mention]) -> str:
    """Return a digest of what the lines that name a thing say; it changes when one of them is edited."""
    return "|".join(sorted({one.said for some in _naming(key, named) for one in some}))


def short_place(place: str) -> str:
    """Return a place without its route and step: `hub.yaml:41 set.city`."""
    where, _, path = place.partition(" ")
    parts = path.split(".")
    while len(parts) > 1 and (parts[0].startswith(("routes[", "steps[", "refused[")) or parts[0] == "connections"):
        parts = parts[2:] if parts[0] == "connections" and len(parts) > 2 else parts[1:]
    return f"{where} {'.'.join(parts)}".strip()


def updated(known: Mapping[Key, Known], now: Sequence[Named]) -> tuple[list[Named], list[Key]]:
    """Return what is to be written down: things new, changed or back again, and keys that are gone since this look."""
    present = {key_of(one): one for one in now}
    told = {(one.kind, one.record) for one in now}
    fresh = [
        one for key, one in present.items()
        if key not in known or known[key].gone or known[key].named != one
    ]  # fmt: skip
    gone = [key for key, before in known.items() if key not in present and not before.gone and key[:2] in told]
    return fresh, gone
