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

#: a person asks, writes, calls, orders or pays: where no route listens to such a thing, somebody waits for an answer
REQUESTS = frozenset({
    "lead.created", "lead.received", "ad_lead.received", "form.submitted", "message.received", "comment.received",
    "call.finished", "call.missed", "order.created", "payment.received",
})  # fmt: skip

_VENDOR = re.compile(r"vendor\.\S{1,200}")


def is_known(type: str) -> bool:
    """Return whether `type` is a neutral event name, or `vendor.` with a native name behind it."""
    return type in KNOWN_EVENTS or _VENDOR.fullmatch(type) is not None


#: by these somebody outside asks something: what `hub ledger` has a row for. (A payment asks nothing, and a lead made
#: in the CRM came from nobody outside.) A call tells of itself several times, and a message asks anew only if it opens
#: a conversation; `hub.ledger` joins the others to the first
INQUIRIES = frozenset(
    {
        "form.submitted", "lead.received", "ad_lead.received", "order.created", "comment.received", "message.received",
        "call.started", "call.answered", "call.finished", "call.missed",
    }
)  # fmt: skip
CALLS = frozenset(type for type in INQUIRIES if type.startswith("call."))

#: by these a person of the company does something about it, if it wasn't the hub: the first is the first touch
TOUCHES = frozenset(
    {
        "message.sent", "comment.sent", "call.started", "call.answered", "call.finished",
        "note.added", "task.completed",
        "lead.stage_changed", "lead.responsible_changed", "deal.stage_changed", "deal.responsible_changed",
    }
)  # fmt: skip
