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

_VENDOR = re.compile(r"vendor\.\S{1,200}")


def is_known(type: str) -> bool:
    """Return whether `type` is a neutral event name, or `vendor.` with a native name behind it."""
    return type in KNOWN_EVENTS or _VENDOR.fullmatch(type) is not None
