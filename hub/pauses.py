"""Which lines of hub.yaml are paused: what they name is gone from the account, or has become something else.

A line that is paused is left out of what is written, and the rest goes on; its value is parked (`hub.parts`). What
can't do without the paused thing (a move into a stage that is gone, a search by a deleted field) waits.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from hub.connector import ActionKind
from hub.mapping import Line
from hub.reasons import stored
from hub.store import Db, Store
from hub.store import drift as rows
from hub.store.drift import Key

#: seconds after which a process asks anew what is paused
FRESH = 2.0


@dataclass(frozen=True)
class Paused:
    """What is paused at one connection: (kind, record, code) -> why. parts: values are parked there."""

    reasons: Mapping[Key, dict[str, Any]] = field(default_factory=dict)
    user_fields: frozenset[tuple[str, str]] = frozenset()
    parts: bool = False

    def why(self, kind: str, record: str, code: Any) -> dict[str, Any] | None:
        """Return why something of a record is paused, None if it isn't."""
        if not self.reasons or not isinstance(code, str | int):
            return None
        return self.reasons.get((kind, record, str(code))) or self.reasons.get((kind, "", str(code)))


@dataclass(frozen=True)
class Left:
    """A value that was left out of what a delivery wrote, of one line (or of the step's move: word `stage`)."""

    word: str
    field: str
    value: Any
    place: str
    code: str
    reason: dict[str, Any]
    record: str
    beside: tuple[str, ...] = ()


class Pauses:
    """What is paused, as one process knows it."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._known: dict[str, tuple[float, Paused]] = {}

    def of(self, connection: str) -> Paused:
        """Return what is paused at a connection, at most `FRESH` seconds old."""
        until, known = self._known.get(connection, (0.0, Paused()))
        if until < time.monotonic():
            with self._store.read() as db:
                known = self.read(db, connection)
            self._known[connection] = (time.monotonic() + FRESH, known)
        return known

    def forget(self) -> None:
        """Ask anew at the next question."""
        self._known.clear()

    @staticmethod
    def read(db: Db, connection: str) -> Paused:
        """Return what is paused at a connection, as one transaction sees it."""
        reasons = {
            key: stored("drift_deleted", kind=key[0], old_code=key[2], label=label or key[2], record=key[1])
            for key, label in rows.gone(db, connection).items()
        }
        reasons |= {one.key: one.reason for one in rows.drifts(db, connection)}
        users = rows.user_fields(db, connection) if any(key[0] == "user" for key in reasons) else frozenset()
        return Paused(reasons, users, rows.any_parked(db, connection))


def record_of(kind: ActionKind) -> str:
    """Return the record whose fields an action writes."""
    return kind.writes or kind.record


def left_out(paused: Paused, lines: Iterable[Line], values: Mapping[str, Any], kind: ActionKind) -> list[Left]:
    """Return the values that must not be written: their field is paused, or they name a stage or user that is gone."""
    if not paused.reasons:
        return []
    record, found, all_lines = record_of(kind), [], list(lines)
    stages = {"stage", *kind.stage_fields}
    words = tuple(line.word for line in all_lines)
    for line in all_lines:
        if line.key not in values:
            continue
        value = values[line.key]
        about, code = "field", line.key
        reason = paused.why("field", record, line.key)
        if reason is None and line.key in stages:
            about, code = "stage", value
            reason = paused.why("stage", record, value)
        if reason is None and (record, line.key) in paused.user_fields:
            about, code = "user", value
            reason = paused.why("user", "", value)
        if reason is not None:
            found.append(Left(line.word, line.key, value, line.place, f"{about}:{code}", reason, record, words))
    return found


def searched_by(paused: Paused, keys: Collection[str], record: str) -> dict[str, Any] | None:
    """Return why a search can't be made: one of its fields is paused. None if it can."""
    return next((why for key in keys if (why := paused.why("field", record, key)) is not None), None)
