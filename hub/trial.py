"""What `hub try` found out about one request: what was read in it, and what each route would do."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from hub.errors import Rejected
from hub.model import Event, Reply, Request


@dataclass
class PlanRow:
    """One step that would be taken, or a route that would not, and why. `open` are conditions not judged yet."""

    route: str
    do: str
    outcome: str  # would run | skipped | off
    skipped_because: str | None = None
    values: dict[str, Any] = field(default_factory=dict)
    event: str = ""
    key: str = ""
    step: int = 1
    open: list[str] = field(default_factory=list)
    #: our words for the vendor's field codes in `values`
    words: dict[str, str] = field(default_factory=dict)
    #: which record it is about, and what if there is none: filled in by `hub.whatif` alone
    target: dict[str, Any] = field(default_factory=dict)
    #: what would be done instead if the vendor said no for good
    refused: list[str] = field(default_factory=list)
    #: our words for values that are a vendor's code
    said: dict[str, str] = field(default_factory=dict)

    def json(self) -> dict[str, Any]:
        """Return the row as `hub try --json` prints it."""
        row = {
            "route": self.route, "do": self.do, "outcome": self.outcome, "skipped_because": self.skipped_because,
            "values": self.values, "event": self.event, "step": self.step,
        }  # fmt: skip
        return row | ({"if": self.open} if self.open else {}) | ({"refused": self.refused} if self.refused else {})


@dataclass
class Trial:
    """What came of one request. `verified` is None when the check was left out (`--unsigned`)."""

    file: str
    request: Request
    verified: bool | None = None
    rejected: Rejected | None = None
    acknowledge: Reply | None = None
    handshake: bool = False
    unreadable: str = ""
    #: why nothing follows from a request that was understood
    closed: str = ""
    events: list[Event] = field(default_factory=list)
    plan: list[PlanRow] = field(default_factory=list)

    def json(self) -> dict[str, Any]:
        """Return the object `hub try --json` prints; `handshake`, `unreadable`, `skipped` only where they apply."""
        refused, reply = self.rejected, self.acknowledge
        shown: dict[str, Any] = {
            "file": self.file,
            "verified": "skipped" if self.verified is None else self.verified,
            "rejected": {"status": refused.status, "reason": refused.reason} if refused else None,
            "acknowledge": {"status": reply.status, "body": body_text(reply)} if reply else None,
            "events": [event_json(event) for event in self.events],
            "plan": [row.json() for row in self.plan],
        }
        if self.handshake:
            shown["handshake"] = True
        if self.unreadable:
            shown["unreadable"] = self.unreadable
        if self.closed:
            shown["skipped"] = self.closed
        return shown


def body_text(reply: Reply) -> str:
    """Return the body of an answer as text."""
    return reply.body if isinstance(reply.body, str) else reply.body.decode("utf-8", "replace")


def event_json(event: Event) -> dict[str, Any]:
    """Return an event as `hub try --json` prints it; `incomplete` says that the record would be read first."""
    shown: dict[str, Any] = {
        "type": event.type,
        "subject": event.subject,
        "key": event.key,
        "occurred_at": event.occurred_at.isoformat() if event.occurred_at else None,
        "record": event.record,
    }
    return shown | ({"incomplete": "would be read from the vendor"} if event.incomplete else {})
