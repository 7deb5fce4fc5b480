"""Asking about parcels under way: whom, how often, until when.

A push does not exist in the classic API, so parcels are polled: at most 100 numbers a call, only those that are not
finished, the rarer the longer nothing changed. What came is stored as a receipt like a pushed one, so that it can be
found and replayed; the change marker is (StatusCode, TrackingUpdateDate).

A watch's `data` (all text but `cod` and `misses`):
    phone    of the recipient or the sender, 380XXXXXXXXX: opens the full record
    status   the last StatusCode seen; updated: its TrackingUpdateDate
    cod      a money transfer follows the delivery, so 9 and 10 are not the end
    since    instant since when the hub saw nothing change; misses: times in a row the number was not found
    follows  the first waybill's number, and `role`, when this is a return or a redirect of it (`tracking`)
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import orjson

from hub.errors import RateLimited, Refused, Retry
from hub.model import Poll, Request, Watch
from plugins.novaposhta import dates, schemas, tracking
from plugins.novaposhta.codes import CONTINUED, TRACKING_BATCH

HOUR, DAY = 3600.0, 86_400.0
KIND = "parcel"

#: codes -> (unchanged for at most so many seconds, ask again after); 0 = as often as `poll` says
_PACE: tuple[tuple[tuple[str, ...], tuple[tuple[float, float], ...]], ...] = (
    (("4", "41", "5", "6", "12", "14", "101", "111", "112"), ((3 * DAY, 0), (14 * DAY, 3 * HOUR), (120 * DAY, DAY))),
    (("7", "8"), ((2 * DAY, 0), (7 * DAY, HOUR), (120 * DAY, 6 * HOUR))),
    (("1",), ((14 * DAY, HOUR), (120 * DAY, 6 * HOUR))),
    (("9", "10"), ((30 * DAY, 3 * HOUR),)),
    (("102", "103", "104", "105", "108"), ((3 * DAY, HOUR), (120 * DAY, 6 * HOUR))),
)
_OTHERS = ((7 * DAY, HOUR), (120 * DAY, 6 * HOUR))
#: a number the vendor doesn't know: asked at doubling distance, given up after a week
_UNKNOWN_FOR = 7 * DAY

Track = Callable[[list[dict[str, str]]], list[dict[str, Any]]]


def next_question(code: str, cod: bool, unchanged: float, base: float, role: str = "") -> float | None:
    """Return the seconds until a parcel is asked about again, None when it is finished or was silent too long."""
    if tracking.finished(code, cod, role):
        return None
    steps = next((steps for codes, steps in _PACE if code in codes), _OTHERS)
    return next((max(base, after) for limit, after in steps if unchanged <= limit), None)


def first_watch(number: str, now: dt.datetime, base: float, phone: str = "", cod: bool = False) -> Watch:
    """Return the watch of a waybill just made."""
    data = {"phone": phone, "status": "1", "updated": "", "cod": cod, "since": now.isoformat(), "misses": 0}
    return Watch(KIND, number, data, after=next_question("1", cod, 0, base))


# --- one round of questions -------------------------------------------------------------------


def look(track: Track, watched: Sequence[Watch], base: float, phone: str, now: dt.datetime) -> Poll:
    """Ask about the watched parcels and return what changed and when to ask again.

    `track` takes [{"DocumentNumber", "Phone"}] and answers tracking items; `phone` is the sender's, for parcels
    whose recipient isn't known. A batch that fails stays due and leaves the others alone; if none came through,
    its error is raised.
    """
    poll, failed, came = Poll(), None, 0
    for batch in _batches(watched):
        try:
            answers = dict(_ask(track, batch, phone))
        except Retry as error:
            failed, poll.next_in = error, max(60.0, error.after or 0)
            if isinstance(error, RateLimited):
                break
            continue
        came += 1
        for watch in batch:
            _note(poll, watch, answers.get(watch.id), base, now)
    if failed and not came:
        raise failed
    return poll


def _batches(watched: Sequence[Watch]) -> Iterator[Sequence[Watch]]:
    for start in range(0, len(watched), TRACKING_BATCH):
        yield watched[start : start + TRACKING_BATCH]


def _ask(track: Track, batch: Sequence[Watch], phone: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Ask about a batch; when the vendor refuses it, halve it until the number it objects to stands alone."""
    documents = [{"DocumentNumber": watch.id, "Phone": str(watch.data.get("phone") or phone)} for watch in batch]
    try:
        for item in track(documents):
            try:
                known = schemas.tracking_item(item)
            except ValueError:
                continue
            yield known["Number"], known
    except Refused as refusal:
        if len(batch) == 1:
            yield batch[0].id, _unknown(batch[0].id, refusal.reason)
            return
        middle = len(batch) // 2
        yield from _ask(track, batch[:middle], phone)
        yield from _ask(track, batch[middle:], phone)


def _unknown(number: str, why: str) -> dict[str, Any]:
    return {"Number": number, "StatusCode": tracking.UNKNOWN_NUMBER, "Status": why, "TrackingUpdateDate": ""}


# --- one parcel -------------------------------------------------------------------------------


def _note(poll: Poll, watch: Watch, item: dict[str, Any] | None, base: float, now: dt.datetime) -> None:
    """Add one parcel's receipt (if something changed) and its next question to the poll."""
    if item is None or item["StatusCode"] == tracking.UNKNOWN_NUMBER:
        _note_unknown(poll, watch, item or _unknown(watch.id, "the answer did not contain this number"), base, now)
        return
    was, role = dict(watch.data), str(watch.data.get("role") or "")
    code, updated = item["StatusCode"], item["TrackingUpdateDate"]
    known, told = str(was.get("status") or ""), str(was.get("updated") or "")
    # A waybill just made has no date yet: its first one is no news while its status is the same.
    changed = code != known or (updated != told and bool(told))
    cod = role in ("", "redirect") and (tracking.money_on_delivery(item) or bool(was.get("cod")))
    since = now if changed else _since(was, now)
    data = {**was, "status": code, "updated": updated, "cod": cod, "since": since.isoformat(), "misses": 0}
    after = next_question(code, cod, (now - since).total_seconds(), base, role)
    if changed:
        poll.receipts.append(_receipt(item, was | {"cod": cod}, now))
    if after is None and not tracking.finished(code, cod, role):
        poll.receipts.append(_give_up(item, was, "nothing has changed for months; the hub stops asking", now))
    if follower := _follower(watch, item, now):
        poll.watch.append(follower)
        after = None
    poll.watch.append(Watch(KIND, watch.id, data, after))


def _note_unknown(poll: Poll, watch: Watch, item: dict[str, Any], base: float, now: dt.datetime) -> None:
    misses = int(watch.data.get("misses") or 0) + 1
    since = now if misses == 1 else _since(watch.data, now)
    after: float | None = min(base * 2 ** min(misses - 1, 20), DAY)
    if (now - since).total_seconds() > _UNKNOWN_FOR:
        words = (
            f"Nova Poshta has not known this number for a week ({item['Status'] or 'not found'}); was it typed right?"
        )
        poll.receipts.append(_give_up(item, watch.data, words, now))
        after = None
    data = {**watch.data, "misses": misses, "since": since.isoformat()}
    poll.watch.append(Watch(KIND, watch.id, data, after))


def _since(data: Mapping[str, Any], now: dt.datetime) -> dt.datetime:
    return dates.instant(data.get("since")) or now


def _follower(watch: Watch, item: Mapping[str, Any], now: dt.datetime) -> Watch | None:
    """Return the watch of the waybill on which the story goes on, if there is one yet."""
    number = tracking.text(item, "LastCreatedOnTheBasisNumber")
    first = str(watch.data.get("follows") or watch.id)
    if item["StatusCode"] not in CONTINUED or number in ("", watch.id, first):
        return None
    role = tracking.role_of(item["StatusCode"], tracking.text(item, "LastCreatedOnTheBasisDocumentType"))
    if watch.data.get("role") in ("return", "backward"):
        role = str(watch.data["role"])
    data = {
        "phone": watch.data.get("phone") or "",
        "status": "",
        "updated": "",
        "cod": bool(watch.data.get("cod")) and role == "redirect",
        "since": now.isoformat(),
        "misses": 0,
        "follows": first,
        "role": role,
    }
    return Watch(KIND, number, data, after=0.0)


# --- receipts ---------------------------------------------------------------------------------


def _receipt(item: Mapping[str, Any], was: Mapping[str, Any], now: dt.datetime, key: str = "") -> tuple[str, Request]:
    key = key or ":".join(("poll", item["Number"], item["StatusCode"], item["TrackingUpdateDate"]))
    kept = {name: was[name] for name in ("status", "updated", "cod", "follows", "role", "given_up") if name in was}
    body = orjson.dumps({**item, "was": kept})
    headers = {"content-type": "application/json"}
    return key, Request(method="POLL", path="poll/parcel", headers=headers, body=body, at=now)


def _give_up(item: Mapping[str, Any], was: Mapping[str, Any], words: str, now: dt.datetime) -> tuple[str, Request]:
    since = str(was.get("since") or now.isoformat())
    told = {**item, "Status": words}
    return _receipt(told, {**was, "given_up": True}, now, key=f"poll:{item['Number']}:given-up:{since}")
