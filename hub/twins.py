"""Twins: two records kept alike. What they agree upon, what has changed on which side, what is to be written. Pure.

A field has three values: what was agreed last (as each side showed it, for vendors round and cut), and what each side
shows now. A side that still shows what was agreed has not changed. Where both have changed, a winner is declared.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from hub import changes
from hub.config.syncs import NEWEST, Sync, SyncField
from hub.model import Record

#: stands in an agreement for a value that is to be carried anew; no vendor shows it
UNSEEN = "~reconciled"
#: fields of one name: written together, for some vendors keep only the whole
TOGETHER = (("first_name", "last_name"),)
_ELSE = {"phones": ("phone", "phone_raw"), "emails": ("email", "email_raw")}


@dataclass
class Merge:
    """What becomes of a twin: `values` to be written into the target (code -> value), what is agreed then, and notes.

    agreed: word -> [value at `from`, value at `to`], and behind them the place of a value that was written and not seen
    since: what the vendor made of it is not known yet. notes: what was decided against somebody, for the history:
    {"field", "why", ...}. back: words whose newer value stands on the target's side, to be carried the other way.
    """

    values: dict[str, Any] = field(default_factory=dict)
    words: dict[str, SyncField] = field(default_factory=dict)
    agreed: dict[str, list[Any]] = field(default_factory=dict)
    notes: list[dict[str, Any]] = field(default_factory=list)
    back: list[str] = field(default_factory=list)


@dataclass
class Sides:
    """What a merge looks at: both records as just read, and the words of one side in those of the other.

    way: `forward` writes into `to`. translate(field, value) gives the value that stands for one of the source's on
    the target's side ("" = none does). allowed(current, wanted) returns "" or why the stage may not be moved so.
    changed: word -> when the source's value was first seen, word -> the target's (vendor time, epoch seconds).
    """

    sync: Sync
    way: str
    source: Record
    target: Record
    translate: Callable[[SyncField, Any], Any]
    allowed: Callable[[str, str], str]
    times: tuple[Mapping[str, float], Mapping[str, float]] = ({}, {})


def merge(sides: Sides, fields: Sequence[SyncField], agreed: Mapping[str, list[Any]]) -> Merge:
    """Decide every field that goes this way."""
    out = Merge()
    for one in fields:
        if one.kind in ("phones", "emails"):
            _several(sides, one, agreed.get(one.word), out)
        else:
            _single(sides, one, agreed.get(one.word), out)
    return out


def shown(field_: SyncField, record: Record, side: str) -> Any:
    """Return what a record shows of a field; a field of several values as a sorted list. side: `one` or `other`."""
    code = field_.one if side == "one" else field_.other
    if field_.kind in _ELSE:
        first, raw = _ELSE[field_.kind]
        found = record.get(field_.kind) or [record.get(first) or record.get(raw)]
        return sorted({str(value) for value in found if value})
    if code in record:
        return record[code]
    return (record.get("extra") or {}).get(code)


def distrusted(field_: SyncField, record: Record, side: str) -> list[Any]:
    """Return the agreement after which the other side's value is carried to this one, whatever this one shows.

    Several values: both sides agree upon what this one shows, so that what the other lacks of it is taken away.
    """
    now = shown(field_, record, side)
    if isinstance(now, list):
        return [now, now]
    return [now, UNSEEN] if side == "one" else [UNSEEN, now]


def news(fields: Sequence[SyncField], agreed: Mapping[str, list[Any]], record: Record, side: str) -> dict[str, Any]:
    """Return the fields (word -> value) in which a record differs from what was agreed."""
    place = 0 if side == "one" else 1
    found = {}
    for one in fields:
        value = shown(one, record, side)
        base = agreed.get(one.word)
        if (not _is_empty(value)) if base is None else not unchanged(base, place, value):
            found[one.word] = value
    return found


def intended(merged: Merge, place: int) -> dict[str, list[Any]]:
    """Return what a write will leave behind: word -> [agreement, place of the written side, value written]."""
    return {one.word: [merged.agreed[one.word], place, merged.values[code]] for code, one in merged.words.items()}


def recalled(
    agreed: Mapping[str, list[Any]], intent: Mapping[str, list[Any]], fields: Sequence[SyncField],
    records: Sequence[Record],
) -> dict[str, list[Any]]:  # fmt: skip
    """Return what is agreed, with what an interrupted write has left behind: a value of ours is no change of theirs.

    records: those at `from` and at `to` as they are now. A value that isn't there was not written, or written over.
    """
    found = dict(agreed)
    by_word = {one.word: one for one in fields}
    for word, (pair, place, written) in intent.items():
        if word in by_word:
            now = shown(by_word[word], records[place], "one" if place == 0 else "other")
            if changes.kept(sorted(written) if isinstance(written, list) else written, now):
                found[word] = pair
    return found


def unchanged(base: list[Any], place: int, value: Any) -> bool:
    """Return whether a side still shows what was agreed; a value of ours that was not seen yet in the vendor's way."""
    if len(base) > 2 and base[2] == place:
        return changes.kept(base[place], value)
    return changes.same(base[place], value)


def alike(one: Any, other: Any) -> bool:
    """Return whether two vendors' values say the same, each in its own spelling and precision."""
    return changes.kept(one, other) or changes.kept(other, one)


def _ends(sides: Sides, one: SyncField) -> tuple[Any, Any, int]:
    """Return (source's value, target's value, the source's place in an agreement)."""
    ends = ("one", "other") if sides.way == "forward" else ("other", "one")
    return shown(one, sides.source, ends[0]), shown(one, sides.target, ends[1]), 0 if sides.way == "forward" else 1


def _pair(place: int, source: Any, target: Any) -> list[Any]:
    return [source, target] if place == 0 else [target, source]


def _single(sides: Sides, one: SyncField, base: list[Any] | None, out: Merge) -> None:
    source, target, place = _ends(sides, one)
    pair = _pair(place, source, target)
    wanted = source if one.kind == "plain" else sides.translate(one, source)
    if one.kind == "stage":
        same = close = sides.sync.stages_alike(*pair)
    elif one.kind != "plain" and _is_empty(wanted):
        same = close = _is_empty(source) and _is_empty(target)
    else:
        same, close = changes.same(wanted, target), alike(wanted, target)
    if base is None:
        mine, theirs = not _is_empty(source), not _is_empty(target)
        same = close
    else:
        mine, theirs = not unchanged(base, place, source), not unchanged(base, 1 - place, target)
        if base[place] == UNSEEN:  # to be carried anew, unless somebody has written there what they mean since
            mine = not theirs
        elif base[1 - place] == UNSEEN:
            theirs = not mine
        if not mine and not theirs:
            out.agreed[one.word] = pair
            return
    if same or (mine and theirs and close):
        out.agreed[one.word] = pair
        return
    if not mine:
        out.back.append(one.word)
        return
    if one.kind != "plain" and _is_empty(wanted):
        if not _is_empty(source):
            out.notes.append({"field": one.word, "why": "unmapped", "value": source})
            out.agreed[one.word] = pair
        return
    if theirs and one.goes("back" if sides.way == "forward" else "forward"):
        wins = _source_wins(sides, one)
        out.notes.append(_conflict(sides, one, source, target, wins))
        if not wins:
            out.back.append(one.word)
            return
    if one.kind == "stage" and (why := sides.allowed(str(target or ""), str(wanted))):
        out.notes.append({"field": one.word, "why": why, "value": wanted, "stays": target})
        out.agreed[one.word] = pair
        return
    value = "" if wanted is None else wanted
    _write(sides, one, value, [*_pair(place, source, value), 1 - place], out)


def _several(sides: Sides, one: SyncField, base: list[Any] | None, out: Merge) -> None:
    """Carry what the source added and took away; what the target added or took away of its own accord stays so."""
    ends = _ends(sides, one)
    source, target = set(ends[0]), set(ends[1])
    agreed = set(base[0]) if base else set()
    after = (target | (source - agreed)) - (agreed - source)
    settled = sorted((source & after) | (agreed & (source ^ after)))
    if after != target:
        _write(sides, one, sorted(after), [settled, settled], out)
    else:
        out.agreed[one.word] = [settled, settled]
    if after != source:
        out.back.append(one.word)


def _write(sides: Sides, one: SyncField, value: Any, pair: list[Any], out: Merge) -> None:
    code = one.other if sides.way == "forward" else one.one
    out.values[code] = value
    out.words[code] = one
    out.agreed[one.word] = pair


def together(sides: Sides, fields: Sequence[SyncField], out: Merge) -> None:
    """Write a name's other half along: a vendor that keeps the whole alone would lose it."""
    by_code = {(one.other if sides.way == "forward" else one.one): one for one in fields}
    for group in TOGETHER:
        mine = [code for code in group if code in by_code]
        if len(mine) == len(group) and any(code in out.values for code in mine):
            for code in mine:
                if code not in out.values:
                    out.values[code] = _ends(sides, by_code[code])[1] or ""


def _source_wins(sides: Sides, one: SyncField) -> bool:
    """Return who wins where both sides have changed; of two equally new ones it is `from`."""
    winner = one.winner or sides.sync.winner
    if winner != NEWEST:
        return sides.sync.way(winner) == sides.way
    mine, theirs = _time(sides, one, 0), _time(sides, one, 1)
    if mine == theirs:
        return sides.way == "forward"
    return mine > theirs


def _time(sides: Sides, one: SyncField, which: int) -> float:
    """Return when a side's value was changed: as first seen, else when its record was last changed."""
    known = sides.times[which].get(one.word)
    return known if known is not None else changed_at((sides.source, sides.target)[which])


def backward(order: Sequence[str], current: str, wanted: str) -> str:
    """Return `backward` if a stage stands before the present one on the board, else ""."""
    if current in order and wanted in order and order.index(wanted) < order.index(current):
        return "backward"
    return ""


def changed_at(record: Record) -> float:
    """Return when a vendor last changed a record, in epoch seconds; 0 for unknown."""
    try:
        return dt.datetime.fromisoformat(str(record.get("changed_at") or "")).timestamp()
    except ValueError:
        return 0.0


def _conflict(sides: Sides, one: SyncField, source: Any, target: Any, wins: bool) -> dict[str, Any]:
    won, lost = (source, target) if wins else (target, source)
    ends = [sides.sync.one, sides.sync.other]
    if sides.way == "back":
        ends.reverse()
    of = ends if wins else ends[::-1]
    return {
        "field": one.word, "why": "conflict", "won": won, "won_by": of[0], "lost": lost, "lost_by": of[1],
        "rule": one.winner or sides.sync.winner,
    }  # fmt: skip


def _is_empty(value: Any) -> bool:
    return value in (None, "", [], {})
