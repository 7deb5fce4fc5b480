"""The event names every plugin maps to; anything else a vendor sends is `vendor.<native name>`."""

from __future__ import annotations

import re

_VERBS = {
    "lead": "created updated deleted stage_changed responsible_changed received",
    "contact": "created updated deleted stage_changed responsible_changed",
    "company": "created updated deleted stage_changed responsible_changed",
    "deal": "created updated deleted stage_changed responsible_changed",
    "item": "created updated deleted stage_changed responsible_changed",
    "note": "added updated deleted",
    "task": "created updated completed deleted",
    "form": "opened submitted",
    "ad_lead": "received",
    "message": "received sent read deleted reaction",
    "comment": "received sent deleted",
    "call": "started answered finished missed",
    "parcel": "status_changed updated",
    "email": "sent delivered opened clicked bounced unsubscribed complained",
    "subscription": "changed",
    "order": "created status_changed",
    "payment": "received",
    "timer": "fired",
    "connection": "changed",
}

KNOWN_EVENTS = frozenset(f"{record}.{verb}" for record, verbs in _VERBS.items() for verb in verbs.split())

# --- somebody outside turns to the company: one basis, named by what it is used for -----------------

_FORMS = ("form.submitted", "ad_lead.received", "lead.received")
_CALLED = ("call.finished", "call.missed")
#: lines of a conversation
TALKS = ("message.received", "comment.received")
#: what a person is counted by (`person.requests`): each of these counts, of TALKS each day of a conversation once
REQUESTS = (*_FORMS, "order.created", *_CALLED)
#: where no route listens to such a thing, somebody waits for an answer (`hub: {unrouted: alert}`)
AWAITED = frozenset({*REQUESTS, *TALKS, "lead.created", "payment.received"})
#: what `hub ledger` has a row for. (A payment asks nothing, and a lead made in the CRM came from nobody outside.) A
#: call tells of itself several times, and a message asks anew only if it opens a conversation; `hub.ledger` joins the
#: others to the first
INQUIRIES = frozenset({*REQUESTS, *TALKS, "call.started", "call.answered"})
CALLS = frozenset(type for type in INQUIRIES if type.startswith("call."))

_VENDOR = re.compile(r"vendor\.\S{1,200}")


def is_known(type: str) -> bool:
    """Return whether `type` is a neutral event name, or `vendor.` with a native name behind it."""
    return type in KNOWN_EVENTS or _VENDOR.fullmatch(type) is not None


#: by these a person of the company does something about it, if it wasn't the hub: the first is the first touch
TOUCHES = frozenset(
    {
        "message.sent", "comment.sent", "call.started", "call.answered", "call.finished",
        "note.added", "task.completed",
        "lead.stage_changed", "lead.responsible_changed", "deal.stage_changed", "deal.responsible_changed",
    }
)  # fmt: skip
