"""The way in: a stored request becomes events. Pure.

Two kinds of receipts: what a poll stored (method POLL, the tracking item as it came plus `was`) is the truth and
becomes `parcel.status_changed` or `parcel.updated`; what a relay pushed is a hint, `parcel.updated` with
`incomplete=True`, completed by reading the waybill.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from hub import jsonbody
from hub.model import Event, Receipt, Request
from plugins.novaposhta import dates, relays, schemas, tracking

POLL = "POLL"
_ODD = re.compile(r"[^\w.-]+")


def parse(receipt: Receipt, push: Mapping[str, Any] | None) -> list[Event]:
    """Turn a receipt into events; `ValueError` if a poll's receipt holds no tracking item."""
    if receipt.request.method == POLL:
        return [_polled(receipt.request)]
    return _pushed(receipt, push or {"kind": "custom"})


def _polled(request: Request) -> Event:
    item = schemas.tracking_item(jsonbody.loads(request.body))
    was = item.pop("was", None)
    return tracking.event(item, was if isinstance(was, dict) else {})


def _pushed(receipt: Receipt, push: Mapping[str, Any]) -> list[Event]:
    whole, relay, kind = relays.body(receipt.request), relays.KINDS[push["kind"]], push["kind"]
    found = relays.numbers(whole, push) if _ours(whole) else []
    status = relays.first(whole, (push["status"],) if push.get("status") else relay.status)
    at = dates.instant(relays.first(whole, (push["at"],) if push.get("at") else relay.at))
    if not found:
        native = relays.first(whole, ("event", "event_type", "type"))
        name = f"{kind}.{_ODD.sub('_', native)[:80] or 'push'}"
        return [
            Event(
                f"vendor.{name}",
                f"{kind}:{receipt.key}",
                receipt.key,
                {"extra": whole},
                at,
                text="a push without a waybill number of Nova Poshta",
            )
        ]
    return [
        Event(
            type="parcel.updated",
            subject=f"parcel:{number}",
            key=f"{receipt.key}:{number}",
            record={"parcel": {"id": number, "number": number, "status_text": status}},
            occurred_at=at,
            text=status,
            channel=kind,
            incomplete=True,
        )
        for number in found
    ]


def _ours(whole: Mapping[str, Any]) -> bool:
    """A relay serves many carriers: AfterShip names the one in `msg.slug` (nova-poshta)."""
    slug = relays.first(whole, ("msg.slug", "data.courier_code", "carrierInfo.code")).lower()
    return not slug or "nova" in slug


def completed(hints: list[Event], items: Iterable[Mapping[str, Any]]) -> list[Event]:
    """Return the hints of one parcel as one event, filled from what tracking answered.

    The key is the change's own (number, code, date), so that a push and a poll that saw the same make one event.
    A hint about a number the vendor doesn't know means nothing: [].
    """
    last = hints[-1]
    number = str(last.record["parcel"]["number"])
    for item in items:
        if tracking.text(item, "Number") != number or tracking.text(item, "StatusCode") == tracking.UNKNOWN_NUMBER:
            continue
        known = tracking.event(item, tracking.belongs_to(item))
        return [
            last.with_(
                type=known.type,
                subject=known.subject,
                key=known.key,
                record=known.record,
                occurred_at=known.occurred_at,
                title=known.title,
                text=known.text,
                incomplete=False,
            )
        ]
    return []
