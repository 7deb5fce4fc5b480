"""States that people and the hub set alike (a list joined): which of those a vendor tells of are the hub's own echo.

Where a vendor tells of a record, the record shows what has changed (`hub.changes`). Here it tells of a state alone, and
of our own act in the same words as of somebody else's.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from hub.changes import Look, same
from hub.errors import PluginError
from hub.model import Event
from hub.reasons import stored

if TYPE_CHECKING:
    from hub.connector import Connector

log = logging.getLogger("hub.echoes")

#: seconds for which a state the hub has set may be told of: a message that nobody takes is repeated for a day
ECHO_LASTS = 25 * 3600.0
#: acts on one subject whose echoes are awaited at the same time, at most
_ACTS = 50


def tells(connector: Connector, event: Event) -> dict[str, Any]:
    """Return what `Connector.tells` says; a plugin that stumbles over its own event makes it plain news."""
    try:
        return connector.tells(event)
    except Exception as error:
        log.exception("%s", PluginError(connector.name, "tells", error))
        return {}


def expected(seen: Mapping[str, Any], states: Mapping[str, Any], now: float) -> list[dict[str, Any]]:
    """Return the echoes to come of a subject, oldest first, with those of one more act of ours."""
    return [*_to_come(seen, now), {"at": now, "states": dict(states)}][-_ACTS:]


def weigh(event: Event, told: Mapping[str, Any], seen: Mapping[str, Any] | None, now: float) -> Look:
    """Compare the state that an event tells with those the hub has set: if all of it is ours, it is their echo.

    told: what `Connector.tells` says of the event. Each echo comes once; `*` told is that of a whole act, `*` set stays
    for whatever is told one by one. After somebody else's hand nothing is expected any more of what it changed: the
    same again would be theirs.
    """
    left = [dict(one["states"]) for one in _to_come(seen or {}, now)]
    times = [one["at"] for one in _to_come(seen or {}, now)]
    ours = bool(left) and all([_take(left, name, value) for name, value in told.items()])
    if not left:
        return Look([event])
    if not ours:
        left = [{} if "*" in told or "*" in one else {n: v for n, v in one.items() if n not in told} for one in left]
    echoes = [{"at": at, "states": states} for at, states in zip(times, left, strict=True) if states]
    remember = {**(seen or {}), "echoes": echoes}
    return Look(remember=remember, closed=stored("echo")) if ours else Look([event], remember)


def _to_come(seen: Mapping[str, Any], now: float) -> list[dict[str, Any]]:
    return [one for one in seen.get("echoes") or () if now - float(one["at"]) <= ECHO_LASTS]


def _take(acts: list[dict[str, Any]], name: str, value: Any) -> bool:
    """Take a state that is told from the oldest act that set it; return whether there is one."""
    for states in acts:
        if name == "*" and states and all(same(one, value) for one in states.values()):
            states.clear()
            return True
        if name in states and same(states[name], value):
            del states[name]
            return True
        if "*" in states and name not in states and same(states["*"], value):
            return True
    return False
