"""What can come of one try of a delivery, and what an error means for it."""

from __future__ import annotations

import errno
import logging
from dataclasses import dataclass, field
from typing import Any

from hub.errors import (
    AuthFailed,
    Gone,
    HubError,
    LeaseLost,
    RateLimited,
    Refused,
    Retry,
    Skip,
    Uncertain,
)
from hub.model import Done, Owned
from hub.pauses import Left
from hub.reasons import say_stored, stored
from hub.store.engine import is_trouble
from hub.store.twins import Settled
from hub.store.work import Claimed

log = logging.getLogger("hub.deliver")

#: seconds between tries: growing to a day, 75.8 h in all
BACKOFF = (5, 15, 60, 300, 900, 1800, 3600, 7200, 14400, 28800, 43200, 86400, 86400)
#: a delivery is parked after this many seconds without success
PATIENCE = 75 * 3600.0


#: seconds after which a delivery that waits because of drift looks again by itself; a mended drift wakes it at once
DRIFT = 900.0


#: seconds after which a delivery is tried again that the hub's own store failed
STORE_AGAIN = 5.0


#: what the system says where the machine has run out of something; any other OSError is a plugin's own
_RUN_OUT = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.ENOMEM})


#: marks the result of a refused step: `error` shows it to the steps under `refused`, its `as` name stays absent
REFUSED = "_refused"


#: kinds of outcome after which the vendor's health is looked at before the next call
ILL = frozenset({"retry", "uncertain", "limit", "hold", "lost"})


@dataclass(slots=True)
class Outcome:
    """What came of one try; the engine writes it down."""

    work: Claimed
    #: done | skipped | retry | uncertain | limit | settle | postponed | drift | hold | refused | parked | lost
    kind: str
    reason: dict[str, Any] | None = None
    done: Done | None = None
    record: str = ""
    after: float = 0.0
    scope: str = ""
    started: float = 0.0
    took: float = 0.0
    exchanges: list[dict[str, Any]] = field(default_factory=list)
    contact: str = ""
    called: bool = False
    verb: str = ""
    #: what a person must be told: kind of alert and its parameters
    alert: tuple[str, dict[str, Any]] | None = None
    gone: str = ""
    created: bool = False
    #: some of the act's calls took effect before it failed: what is there is looked for before it is done again
    begun: bool = False
    linked: bool = False
    also: list[Outcome] = field(default_factory=list)
    #: further records this try wrote on its way (the contact of a lead), as `written_of` tells them
    beside: list[dict[str, Any]] = field(default_factory=list)
    #: values left out because their line is paused, and the fields that were to be written
    left: list[Left] = field(default_factory=list)
    keys: frozenset[str] = frozenset()
    #: what a delivery of a sync has made of its pair, and which pair it holds
    settled: Settled | None = None
    pair: int = 0
    #: contacts that are one with another at the vendor by now, and (contact, person) of those that came back
    merged: dict[str, str] = field(default_factory=dict)
    restored: list[tuple[str, int]] = field(default_factory=list)

    @property
    def own_trouble(self) -> bool:
        """Whether the hub's own store failed it: nothing is held against the vendor."""
        return (self.reason or {}).get("code") == "store_trouble"


class Settle(HubError):
    """An earlier try is in doubt; wait until a search would surely show what it did."""

    def __init__(self, seconds: float) -> None:
        super().__init__("settle")
        self.seconds = seconds


class Doubt(HubError):
    """An earlier try is in doubt and the vendor can't be searched; a person decides."""


class Postponed(HubError):
    """Something else than the target is in the way; try again in `after` seconds, nothing held against the target."""

    def __init__(self, reason: str, after: float = 60.0) -> None:
        super().__init__(reason)
        self.after = after


class Drifted(HubError):
    """The step can't do without something that is gone from the vendor's account; `stored` says what."""

    def __init__(self, stored: dict[str, Any]) -> None:
        super().__init__(say_stored(stored))
        self.stored = stored


class RouteGone(HubError):
    """hub.yaml no longer has the route or step this delivery belongs to."""


def judge(work: Claimed, error: Exception, why: str, settle: float) -> Outcome:
    """Turn what was raised into an outcome: what to do next is the error's class. `why` is its text, masked."""
    if is_trouble(error) and (not isinstance(error, OSError) or error.errno in _RUN_OUT):
        log.warning("delivery %s: the store failed it: %s: %s", work.id, type(error).__name__, why)
        reason = stored("store_trouble", why=f"{type(error).__name__}: {why}")
        return Outcome(work, "retry", reason, after=STORE_AGAIN)
    match error:
        case LeaseLost():
            return Outcome(work, "lost", stored("lease_lost"))
        case Skip():
            return Outcome(work, "skipped", stored(error.code, **error.params))
        case Settle():
            return Outcome(work, "settle", stored("settle"), after=error.seconds)
        case Doubt():
            return Outcome(work, "parked", stored("uncertain_park", why=why))
        case RouteGone():
            return Outcome(work, "parked", stored("route_gone", route=work.route))
        case Postponed():
            return Outcome(work, "postponed", stored("retry", why=why), after=error.after)
        case Drifted():
            return Outcome(work, "drift", error.stored, after=DRIFT)
        case RateLimited():
            return Outcome(work, "limit", stored("rate_limited", why=why), after=error.after or 1.0, scope=error.scope)
        case Retry():
            return Outcome(work, "retry", stored("retry", why=why), after=error.after or 0.0)
        case Uncertain():
            return Outcome(work, "uncertain", stored("uncertain", why=why), after=settle)
        case AuthFailed():
            return Outcome(work, "hold", stored("auth_failed", why=why, remedy=error.remedy))
        case Gone():
            return Outcome(work, "refused", stored("gone", why=why))
        case Refused():
            return Outcome(work, "refused", stored("refused", why=why, fields=error.fields))
        case HubError():
            return Outcome(work, "refused", stored("mapping", why=why))
    log.error("plugin of %s: %s failed on delivery %s", work.connection, work.action, work.id, exc_info=error)
    return Outcome(work, "refused", stored("plugin_error", why=f"{type(error).__name__}: {why}"))


def next_try(tries: int) -> float:
    """Return the seconds until the next try after `tries` failed ones."""
    return float(BACKOFF[min(tries, len(BACKOFF) - 1)])


def result_of(outcome: Outcome) -> dict[str, Any] | None:
    """Return the result a later step sees under the step's `as` name; None for a search that found nothing."""
    assert outcome.done is not None
    if outcome.verb == "find" and not outcome.done.id:
        return None
    result = Owned(outcome.done.result)
    if outcome.done.id:
        result.setdefault("id", outcome.done.id)
    result["_connection"] = outcome.work.connection
    return result


def written_of(outcome: Outcome) -> dict[str, Any] | None:
    """Return what the store keeps of an act so that it can be taken back; None if it wrote nothing.

    {"written", "before": field -> value, "created": True where it made the record, "also": the same of further records,
    each with its "record" and "id"}.
    """
    done = outcome.done
    assert done is not None
    told: dict[str, Any] = {}
    if done.written or outcome.created:
        told = {"written": done.written, "before": done.before}
    if outcome.created:
        told["created"] = True
    also = [*outcome.beside]
    for other in outcome.also:
        if other.done is not None and (one := written_of(other)):
            also.append({**one, "record": other.record, "id": other.done.id})
    if also:
        told = {"written": {}, "before": {}, **told, "also": also}
    return told or None
