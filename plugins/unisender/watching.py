"""Asking what became of what was sent: letters, campaigns; short messages and exports, of which no webhook tells.

With the setting `poll` letters and campaigns are asked about at once. Without it a webhook tells of them, and asking is
back-fill: only what stands as it stood a day before, and no webhook has told, is told then.

One poll, `status`; a watch's id is `<kind>:<id>`. Its `data`: `status` last seen, `since` when it began, `found` a
status that a webhook may still tell, and what the receipt needs (`email`, `phone`). A change becomes a stored request
like a pushed one, method POLL; its key is kind, id and status, so a status told twice is one receipt.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import orjson

from hub.errors import Refused, Retry
from hub.model import Poll, Request, Watch
from plugins.unisender import codes, letters, outgoing, values
from plugins.unisender.client import Row
from plugins.unisender.desk import Desk

KIND = "status"
#: how often due watches are looked for; each has its own pace
EVERY = 60.0
HOUR, DAY = 3600.0, 86_400.0
CHECK_EMAIL = 500
#: things that are asked about one by one, at most so many in a round: the rest stays due
ROUND = 60
#: kind -> (as long as it is so old, ask again after); what is older is given up, silently for what may stay so
_PACE: Mapping[str, tuple[tuple[float, float], ...]] = {
    "sms": ((10 * 60, 60.0), (2 * HOUR, 600.0), (3 * DAY, 3 * HOUR)),
    "export": ((10 * 60, 30.0), (DAY, 600.0)),
    "campaign": ((DAY, 600.0), (30 * DAY, 6 * HOUR)),
    # the vendor keeps statuses of single letters for a month
    "email": ((DAY, 600.0), (7 * DAY, 6 * HOUR), (28 * DAY, DAY)),
}
#: the same where a webhook tells of it, if it comes
_BEHIND: Mapping[str, tuple[tuple[float, float], ...]] = {
    "campaign": ((7 * DAY, letters.WEBHOOK_TELLS), (30 * DAY, 7 * DAY)),
    "email": ((7 * DAY, letters.WEBHOOK_TELLS), (28 * DAY, 7 * DAY)),
}
_TOLD = ("email.sent", "email.delivered", "email.opened", "email.clicked", "email.bounced", "email.unsubscribed",
         "email.complained", codes.CLASSIC_OTHER, "vendor.campaign_status")  # fmt: skip
_EXPORT_FAILED = ("fail", "error", "cancel", "declin")


def look(desk: Desk, watched: Sequence[Watch]) -> Poll:
    """Ask about the due watches; one that can't be asked now stays due and leaves the others alone."""
    poll = Poll()
    by_kind: dict[str, list[Watch]] = {}
    for watch in watched:
        by_kind.setdefault(watch.id.partition(":")[0], []).append(watch)
    failed: Retry | None = None
    came = 0
    for kind, due in by_kind.items():
        for batch in _batches(due, CHECK_EMAIL) if kind == "email" else _batches(due[:ROUND], 1):
            try:
                _ASK.get(kind, _forget)(desk, batch, poll)
                came += 1
            except Refused as error:
                for watch in batch:
                    _again(desk, poll, watch, {}, error.reason)
                came += 1
            except Retry as error:
                failed = error
                break
    if failed is not None and not came:
        raise failed
    if failed is not None:
        poll.next_in = max(EVERY, failed.after or 0)
    return poll


def _batches(due: list[Watch], size: int) -> Iterable[list[Watch]]:
    return (due[start : start + size] for start in range(0, len(due), size))


def _emails(desk: Desk, batch: list[Watch], poll: Poll) -> None:
    ids = [watch.id.partition(":")[2] for watch in batch]
    found = outgoing.statuses(desk.client.call("checkEmail", {"email_id": ",".join(ids)}))
    for watch, id_ in zip(batch, ids, strict=True):
        now, before = found.get(id_, ""), str(watch.data.get("status") or "")
        # a rank says which of two is the later one: the vendor's answer may be behind
        later = codes.status_of("classic", now).rank > codes.status_of("classic", before).rank
        _seen(desk, poll, watch, now if now and (later or not before) else before, over=False)


def _campaign(desk: Desk, batch: list[Watch], poll: Poll) -> None:
    [watch] = batch
    status = letters.status_of(desk, watch.id.partition(":")[2])["status"]
    _seen(desk, poll, watch, status, over=status in codes.CAMPAIGN_OVER)


def _sms(desk: Desk, batch: list[Watch], poll: Poll) -> None:
    [watch] = batch
    status = letters.sms_status(desk, watch.id.partition(":")[2])
    _seen(desk, poll, watch, status, over=bool(status) and status not in codes.SMS_PENDING)


def _export(desk: Desk, batch: list[Watch], poll: Poll) -> None:
    [watch] = batch
    id_ = watch.id.partition(":")[2]
    answer = desk.client.record("async/getTaskResult", {"task_uuid": id_})
    status, url = values.text(answer.get("status")), _link(answer)
    trouble = status if any(word in status.lower() for word in _EXPORT_FAILED) else ""
    if url or trouble:
        _store(desk, poll, {"kind": "export", "id": id_, "url": url, "trouble": trouble, "status": "ended"})
        poll.watch.append(Watch(KIND, watch.id, watch.data, after=None))
    else:
        _again(desk, poll, watch, {}, "no file within a day")


def _link(answer: Row) -> str:
    """Return the file's address; which member holds it isn't confirmed."""
    links = [one for one in answer.values() if isinstance(one, str) and one.startswith(("http://", "https://"))]
    return str(answer.get("file_to_download") or next(iter(links), ""))


def _forget(desk: Desk, batch: list[Watch], poll: Poll) -> None:
    poll.watch += [Watch(KIND, watch.id, watch.data, after=None) for watch in batch]


_ASK: Mapping[str, Callable[[Desk, list[Watch], Poll], None]] = {
    "email": _emails,
    "campaign": _campaign,
    "sms": _sms,
    "export": _export,
}


# --- what an answer leads to ----------------------------------------------------------------------


def _seen(desk: Desk, poll: Poll, watch: Watch, status: str, over: bool) -> None:
    kind, _, id_ = watch.id.partition(":")
    new = bool(status) and status != watch.data.get("status") and status != "not_sent"
    if new and kind in _BEHIND and not desk.settings["poll"]:
        new = not _told(desk, watch, status)
        if new and watch.data.get("found") != status:  # its webhook may still come
            _again(desk, poll, watch, {"found": status}, "", pause=letters.WEBHOOK_TELLS)
            return
    if new:
        more = {name: watch.data[name] for name in ("email", "phone") if watch.data.get(name)}
        _store(desk, poll, {"kind": kind, "id": id_, "status": status, **more})
    if over:
        poll.watch.append(Watch(KIND, watch.id, watch.data, after=None))
    else:
        _again(desk, poll, watch, {"status": status} if status else {}, "")


def _told(desk: Desk, watch: Watch, status: str) -> bool:
    """Return whether a webhook has told this status, or a later one."""
    _, _, id_ = watch.id.partition(":")
    since = dt.datetime.fromisoformat(str(watch.data.get("since") or desk.now.isoformat()))
    rank = codes.status_of("classic", status).rank
    for event in desk.history.events(_TOLD, since, word=id_):
        known = str((event.record.get("email") or {}).get("status") or "")
        if known == status or codes.status_of("classic", known).rank > rank:
            return True
    return False


def _store(desk: Desk, poll: Poll, said: Row) -> None:
    key = f"asked:{said['kind']}:{said['id']}:{said['status']}"
    poll.receipts.append((key, receipt(said, desk.now)))


def receipt(said: Mapping[str, Any], now: dt.datetime) -> Request:
    """Return what the hub has found out as a request, so that it is stored, seen and replayed like a pushed one."""
    headers = {"content-type": "application/json"}
    return Request("POLL", f"poll/{said['kind']}", headers=headers, body=orjson.dumps(dict(said)), at=now)


def _again(desk: Desk, poll: Poll, watch: Watch, changed: Row, trouble: str, pause: float = 0.0) -> None:
    """Ask again at the pace of its kind, or give up; an export that never came is told."""
    kind, _, id_ = watch.id.partition(":")
    since = dt.datetime.fromisoformat(str(watch.data.get("since") or desk.now.isoformat()))
    age = (desk.now - since).total_seconds()
    behind = kind in _BEHIND and not desk.settings["poll"]
    after = next((every for limit, every in (_BEHIND if behind else _PACE).get(kind, ()) if age <= limit), None)
    if after is not None and kind in _BEHIND:
        after = max(after, float(desk.settings["poll"] or 0))
    after = pause or after
    if after is None and kind == "export":
        _store(desk, poll, {"kind": "export", "id": id_, "url": "", "trouble": trouble, "status": "ended"})
    poll.watch.append(Watch(KIND, watch.id, {**watch.data, **changed}, after=after))
