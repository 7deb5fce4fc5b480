"""Back-fill: the journals are read again and again, with overlap, so that a lost hook is healed.

There is no other way to a lost hook: whether Calltouch repeats one isn't published. What a journal says is stored as a
receipt like a hook. Its receipt has the hook's key or its event has the hook's, so that only what was lost is news.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping
from typing import Any
from zoneinfo import ZoneInfo

import orjson

from hub.errors import Refused
from hub.model import Poll, Request
from plugins.calltouch import codes, dates, incoming, reading
from plugins.calltouch.client import Client
from plugins.calltouch.reading import CALLS, DEALS, POLL, REQUESTS, Lead

#: longest stretch asked for at once after the hub was away; a loader of others' uses 90 days
_LONGEST_DAYS = 31
#: seconds after which nobody waits for an answer any more
_RINGS = 600.0


def look(
    client: Client, journal: str, cursor: Any, settings: Mapping[str, Any], zone: ZoneInfo, now: dt.datetime
) -> Poll:
    """Return what a journal holds since the last look, less the overlap; the first look goes back the overlap alone.

    cursor: ISO instant up to which everything was read. It moves on only if all pages came.
    """
    since = _instant(cursor) or now
    start = min(since, now) - dt.timedelta(seconds=float(settings["overlap"]))
    until = min(now, start + dt.timedelta(days=_LONGEST_DAYS))
    receipts: dict[str, Request] = {}
    for record in _records(client, journal, start.astimezone(zone).date(), until.astimezone(zone).date()):
        try:
            lead = reading.journal_record(record, journal)
        except ValueError:
            continue  # a row without its id: nothing that could be told from others
        began = lead.began(zone)
        if began is not None and (began < start or _too_fresh(lead, began, now)):
            continue
        receipts[incoming.lead_key(lead, settings["phases"], zone)] = stored(record, journal, now)
    behind = until < now
    return Poll(list(receipts.items()), until.isoformat(), next_in=1.0 if behind else None)


def _too_fresh(lead: Lead, began: dt.datetime, now: dt.datetime) -> bool:
    """Return whether a call looks missed but may be under way: the journal doesn't say its phase. It is read again."""
    untold = lead.kind == "call" and not lead.get("callphase") and not incoming.succeeded(lead)
    return untold and (now - began).total_seconds() < _RINGS


def _records(client: Client, journal: str, first: dt.date, last: dt.date) -> Iterable[dict[str, Any]]:
    if journal == CALLS:
        return client.calls(first, last)
    if journal == REQUESTS:
        return client.requests(first, last)
    if journal == DEALS:
        return client.deals(first, last)
    raise ValueError(f"no journal {journal!r}")


def stored(record: Mapping[str, Any], journal: str, now: dt.datetime) -> Request:
    """Return a record as a request to be kept."""
    headers = {"content-type": "application/json"}
    return Request(POLL, f"poll/{journal}", headers=headers, body=orjson.dumps(record), at=now)


def _instant(cursor: Any) -> dt.datetime | None:
    try:
        found = dt.datetime.fromisoformat(str(cursor or ""))
    except ValueError:
        return None
    return found if found.tzinfo else None


# --- looking for one ----------------------------------------------------------------------------------

_CRITERIA = frozenset(
    ("marker", "callId", "requestId", "requestNumber", "referenceId", "id", "phone", "email", "since")
)  # fmt: skip


def find(
    client: Client, record: str, by: Mapping[str, Any], zone: ZoneInfo, region: str, now: dt.datetime, limit: int
) -> list[dict[str, Any]]:
    """Return calls or requests that match all of `by`, oldest first, each with its `id`.

    by: `marker` (requestNumber, callReferenceId), `callId`, `requestId`, `requestNumber`, `referenceId`, `phone`,
    `email`, `since` (the beginning of the search; a week ago if it is left out).
    """
    if odd := set(by) - _CRITERIA:
        known = ", ".join(sorted(_CRITERIA))
        raise Refused(f"a {record} can't be looked for by {', '.join(sorted(odd))}, only by {known}")
    since = _since(by.get("since"), zone) or now - dt.timedelta(days=7)
    first, last = since.astimezone(zone).date(), now.astimezone(zone).date()
    journal = CALLS if record == "call" else REQUESTS
    found: list[tuple[dt.datetime, dict[str, Any]]] = []
    for row in _records(client, journal, first, last):
        try:
            lead = reading.journal_record(row, journal)
        except ValueError:
            continue
        if _fits(lead, by, region):
            at = lead.began(zone) or now
            found.append((at, _neutral(lead, at)))
    return [one for _, one in sorted(found, key=lambda pair: pair[0])][:limit]


def _since(value: Any, zone: ZoneInfo) -> dt.datetime | None:
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return dt.datetime.fromtimestamp(value, dt.UTC)
    return dates.moment(value, zone) if value else None


def _fits(lead: Lead, by: Mapping[str, Any], region: str) -> bool:
    said = {
        "callId": lead.get("callId"),
        "requestId": lead.get("requestId"),
        "requestNumber": lead.get("requestNumber"),
        "referenceId": lead.get("callReferenceId"),
        "id": incoming.own_id(lead),
        "email": lead.get("email").lower(),
    }
    for name, wanted in by.items():
        if name == "marker":
            number = lead.get("requestNumber" if lead.kind == "request" else "callReferenceId")
            if number not in (str(wanted), f"{codes.OURS}{wanted}"):
                return False
        elif name == "phone":
            if incoming.e164(lead.get("callerphone"), region) != incoming.e164(str(wanted), region):
                return False
        elif name in said and said[name] != (str(wanted).lower() if name == "email" else str(wanted)):
            return False
    return True


def _neutral(lead: Lead, at: dt.datetime) -> dict[str, Any]:
    """Return a found record: what a route or a search needs of it."""
    return {
        "id": incoming.own_id(lead),
        "number": lead.get("requestNumber"),
        "phone": lead.get("callerphone"),
        "status": lead.get("status"),
        "created_at": at.isoformat(),
        "extra": lead.raw,
    }
