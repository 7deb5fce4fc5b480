"""What can come of one try of a delivery, and what an error means for it."""

from __future__ import annotations

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
from hub.model import Done
from hub.reasons import stored
from hub.store.work import Claimed

log = logging.getLogger("hub.deliver")

#: seconds between tries: growing to a day, 75.8 h in all
BACKOFF = (5, 15, 60, 300, 900, 1800, 3600, 7200, 14400, 28800, 43200, 86400, 86400)
#: a delivery is parked after this many seconds without success
PATIENCE = 75 * 3600.0


#: marks the result of a refused step: `error` shows it to the steps under `refused`, its `as` name stays absent
REFUSED = "_refused"


@dataclass(slots=True)
class Outcome:
    """What came of one try; the engine writes it down."""

    work: Claimed
    kind: str  # done | skipped | retry | uncertain | limit | settle | postponed | hold | refused | parked | lost
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
    linked: bool = False
    also: list[Outcome] = field(default_factory=list)


class Settle(HubError):
    """An earlier try is in doubt; wait until a search would surely show what it did."""

    def __init__(self, seconds: float) -> None:
        super().__init__("settle")
        self.seconds = seconds


class Doubt(HubError):
    """An earlier try is in doubt and the vendor can't be searched; a person decides."""


class Postponed(HubError):
    """Something else than the target is in the way; try again, without holding it against the target."""


class RouteGone(HubError):
    """hub.yaml no longer has the route or step this delivery belongs to."""


def judge(work: Claimed, error: Exception, why: str, settle: float) -> Outcome:
    """Turn what was raised into an outcome: what to do next is the error's class. `why` is its text, masked."""
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
            return Outcome(work, "postponed", stored("retry", why=why), after=60.0)
        case RateLimited():
            return Outcome(work, "limit", stored("rate_limited", why=why), after=error.after or 1.0, scope=error.scope)
        case Retry():
            return Outcome(work, "retry", stored("retry", why=why), after=error.after or 0.0)
        case Uncertain():
            return Outcome(work, "uncertain", stored("uncertain", why=why), after=settle)
        case AuthFailed():
            return Outcome(work, "hold", stored("auth_failed", why=why))
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
    result = dict(outcome.done.result)
    if outcome.done.id:
        result.setdefault("id", outcome.done.id)
    result["_connection"] = outcome.work.connection
    return result
