"""Back-fill of Unisender Go: what no webhook brought is found in the vendor's dumps of events.

A dump is ordered for a stretch of time, made by and by, and fetched as a CSV file: `event-dump/create`, `get`, the
file, `event-dump/delete`. Each look begins before the end of the last one, and what a file says is stored as a webhook
would have said it, so an event that came by both ways is one. Spam blocks of mail providers are in no dump.

https://docs.unione.io/en/web-api-ref#event-dump (the same engine; columns: its own PHP SDK, docs/Model/EventDump*.md)

cursor: {"from": where the next stretch begins, "span": how many seconds it may have}, and while its dump is under way
{"dump": its id, "end": of the stretch, "asked": when it was ordered}. Instants are ISO texts.
"""

from __future__ import annotations

import csv
import datetime as dt
import io
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import urlsplit

import orjson

from hub.errors import AuthFailed, Refused, Retry
from hub.model import Finding, Poll, Request
from hub.session import Session
from plugins.unisender import incoming, values
from plugins.unisender.client import objects
from plugins.unisender.go_client import GoClient, Row

KIND = "events"
#: seconds between two looks, unless the setting `poll` says more or less
EVERY = 3600.0
#: how far a look goes back behind the end of the last one: events are written into dumps by and by
OVERLAP = dt.timedelta(hours=2)
#: the vendor keeps events for 32 days at most; a longer stretch than a day is cut into several files
_KEPT, _DAY = dt.timedelta(days=31), 86_400.0
#: seconds between two questions whether a dump is ready; after so many it is ordered anew
_AGAIN, _PATIENCE = 15.0, 3600.0
#: events in one dump: what is full may lack some and is ordered again in halves, down to a minute
ROWS, _SHORTEST = 5000, 60.0
#: the largest file that is fetched at once
_LARGEST = 6_000_000
_NEEDED = ("event_time", "job_id", "email", "status")
_INFO = ("delivery_status", "destination_response", "user_agent", "ip")
COLUMNS = (*_NEEDED, "metadata", "url", *_INFO)
_TIME = "%Y-%m-%d %H:%M:%S"


class _TooMany(Exception):
    """A stretch holds more events than one dump is read for."""


def look(client: GoClient, http: Session, cursor: Any, now: dt.datetime) -> Poll:
    """Order a dump, or ask for the one under way; the first look goes back the overlap alone."""
    known = dict(cursor) if isinstance(cursor, Mapping) else {}
    try:
        return _fetch(client, http, known, now) if known.get("dump") else _order(client, known, now)
    except AuthFailed as error:
        client.call("webhook/list", {}, changes=False)  # if this fails too, it is the key
        return _not_allowed(known, error.reason)
    except Refused as error:
        return _not_allowed({**known, "dump": ""}, error.reason)


def _not_allowed(known: Row, why: str) -> Poll:
    words = f"what the webhook did not bring can't be looked for: {why}"
    remedy = "ask Unisender's support whether this key may use event-dump; at most ten dumps may be kept at a time"
    return Poll(cursor=known, findings=[Finding("warning", words, remedy)])


def _order(client: GoClient, known: Row, now: dt.datetime) -> Poll:
    start = max(min(_instant(known.get("from")) or now - OVERLAP, now), now - _KEPT)
    span = min(max(float(known.get("span") or _DAY), _SHORTEST), _DAY)
    end = min(now, start + dt.timedelta(seconds=span))
    asked = {
        "start_time": start.strftime(_TIME),
        "end_time": (end + dt.timedelta(seconds=1)).strftime(_TIME),  # it is not included
        "limit": ROWS,
        "dump_fields": list(COLUMNS),
        "delimiter": ",",
        "format": "csv",
    }
    dump = values.text(client.call("event-dump/create", asked, changes=False).get("dump_id"))
    if not dump:
        raise Retry("event-dump/create: no dump_id in the answer")
    under_way = {"dump": dump, "end": end.isoformat(), "asked": now.isoformat()}
    return Poll(cursor={"from": start.isoformat(), "span": span, **under_way}, next_in=_AGAIN)


def _fetch(client: GoClient, http: Session, known: Row, now: dt.datetime) -> Poll:
    answer = client.call("event-dump/get", {"dump_id": known["dump"]}, changes=False)
    dump = answer.get("event_dump")
    dump = dump if isinstance(dump, Mapping) else {}
    status, rest = values.text(dump.get("dump_status")), {"from": known["from"], "span": known["span"]}
    asked = _instant(known["asked"]) or now
    if status == "failed":
        _drop(client, known)
        words = "Unisender Go could not make a dump of its events; it is ordered again"
        return Poll(cursor=rest, findings=[Finding("warning", words, "wait; after a day, ask Unisender's support")])
    if status != "ready":
        late = (now - asked).total_seconds() > _PATIENCE
        return Poll(cursor=rest if late else known, next_in=_AGAIN)
    try:
        rows = list(_rows(http, dump.get("files")))
    except _TooMany:
        return _halved(client, known, rest)
    _drop(client, known)
    end = _instant(known["end"]) or now
    span = min(float(known["span"]) * 2, _DAY) if len(rows) < ROWS // 2 else known["span"]
    receipts = [_stored(row, now) for row in rows]
    if end < asked:  # more stretches lie before the present
        return Poll(receipts, {"from": end.isoformat(), "span": span}, next_in=1.0)
    return Poll(receipts, {"from": (end - OVERLAP).isoformat(), "span": span})


def _halved(client: GoClient, known: Row, rest: Row) -> Poll:
    """Order a shorter stretch; where even a minute holds too much, say so and go on behind it."""
    _drop(client, known)
    start, end = _instant(known["from"]), _instant(known["end"])
    seconds = (end - start).total_seconds() if start and end else _SHORTEST
    if seconds > _SHORTEST:
        return Poll(cursor={**rest, "span": max(seconds / 2, _SHORTEST)}, next_in=1.0)
    words = f"Unisender Go has more than {ROWS} events in the minute from {known['from']}; they are not looked through"
    remedy = "compare with the vendor's reports if the webhook was away then"
    return Poll(cursor={**rest, "from": known["end"]}, next_in=1.0, findings=[Finding("warning", words, remedy)])


def _drop(client: GoClient, known: Row) -> None:
    """Delete a dump that is done with: the vendor keeps ten at most. What stays goes by itself after 8 hours."""
    try:
        client.call("event-dump/delete", {"dump_id": known["dump"]}, changes=False)
    except (Refused, Retry):
        return


def _rows(http: Session, files: Any) -> Iterator[Row]:
    """Yield the lines of all files, each as column -> text."""
    count = 0
    for file in objects(files):
        if str(file.get("size", "")).isdecimal() and int(file["size"]) > _LARGEST:
            raise _TooMany
        url = values.text(file.get("url"))
        elsewhere = (urlsplit(url).hostname or "").lower() not in http.hosts
        answer = http.get(url, from_data=elsewhere, scope="event-dump/file").raise_for_status()
        reader = csv.DictReader(io.StringIO(answer.body.decode("utf-8-sig", "replace"), newline=""))
        if missing := [name for name in _NEEDED if name not in (reader.fieldnames or ())]:
            raise Refused(f"the dump of events has no column {', '.join(missing)}: {reader.fieldnames!r:.200}")
        for row in reader:
            count += 1
            if count >= ROWS:
                raise _TooMany
            yield {name: values.text(value) for name, value in row.items() if isinstance(name, str)}


def _stored(row: Row, now: dt.datetime) -> tuple[str, Request]:
    """Return a line as a request of the shape a webhook has, and its receipt key."""
    info = {name: row[name] for name in _INFO if row.get(name)}
    data = {
        "job_id": row["job_id"],
        "email": row["email"],
        "status": row["status"],
        "event_time": _told(row["event_time"]),
        "url": row.get("url"),
        "metadata": _metadata(row.get("metadata")),
        "delivery_info": info,
    }
    event = {"event_name": "transactional_email_status", "event_data": {k: v for k, v in data.items() if v}}
    body = orjson.dumps({"events_by_user": [{"events": [event]}]})
    request = Request("POLL", "poll/events", headers={"content-type": "application/json"}, body=body, at=now)
    return incoming.receipt_key(request), request


def _told(time: str) -> str:
    """Return an instant as webhooks write it, so that both ways lead to the same key."""
    moment = _instant(time)
    return moment.strftime(_TIME) if moment else time


def _metadata(text: str | None) -> Any:
    try:
        found = orjson.loads(text or "{}")
    except orjson.JSONDecodeError:
        return {"text": text}
    return found if isinstance(found, dict) else {}


def _instant(text: Any) -> dt.datetime | None:
    """Return an instant; one without a zone is UTC, as all of Go's times."""
    try:
        found = dt.datetime.fromisoformat(str(text or ""))
    except ValueError:
        return None
    return found.astimezone(dt.UTC) if found.tzinfo else found.replace(tzinfo=dt.UTC)
