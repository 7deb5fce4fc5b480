"""What one native event means: neutral events with the letter and its reader in the record. Pure."""

from __future__ import annotations

import datetime as dt
import hashlib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any
from zoneinfo import ZoneInfo

import orjson

from hub import normal
from hub.errors import Rejected
from hub.model import Event
from plugins.unisender import codes

#: native events that are a letter's status
LETTERS = frozenset({"email_status", "transactional_email_status"})
#: members of `email` beside those of hub.records; events declare them (`EventKind.fields`)
FIELDS = ("metadata", "delivery_status", "lists")
#: members that hold list ids, what has just changed first; the exact ones of un-/subscribe are not confirmed
_LISTS = ("just_unsubscribed_list_ids", "just_subscribed_list_ids", "list_ids", "list_id", "lists")
_NATIVE = re.compile(r"[^\w.-]+")
_CHANNEL = "email"
#: events of these say why
_WITH_REASON = frozenset({"", "email.bounced", "email.complained", "email.unsubscribed"})


@dataclass(frozen=True)
class View:
    """What reading depends on beside the message itself: when it came, and words of hub.yaml."""

    at: dt.datetime
    region: str = ""
    #: zone of the classic product's times; "" = not known
    zone: str = ""
    #: list id -> our word
    lists: Mapping[str, str] = field(default_factory=dict)


def told(name: str, time: str, data: Mapping[str, Any], key: str, view: View) -> Event:
    """Return the event that a webhook tells of; the vendor's own text of the time stays in `extra`."""
    data = {**data, "event_time": time} if time else data
    if name in LETTERS:
        return _letter(name, time, data, key, view)
    if name in ("subscribe", "unsubscribe"):
        return _subscription(name, time, data, key, view)
    if name == "campaign_status":
        return _campaign(data, key, view, _when(name, time, view))
    if name == "transactional_spam_block":
        time = time or text(data.get("block_time"))
    about = {field_: value for field_, value in _record(data).items() if field_ not in FIELDS}
    extra = _contact(data, view)
    domain, person = text(data.get("domain")), extra.get("contact", {})
    subject = f"domain:{domain}" if domain else f"contact:{person.get('email') or person.get('phone') or key}"
    if domain:
        about["status"] = text(data.get("domain_status"))
        about["reason"] = f"mail to {domain}: {about['status']} ({text(data.get('SMTP_blocks_count'))} servers of ours)"
    return _event(f"vendor.{native(name)}", subject, key, {"email": _filled(about), **extra}, _when(name, time, view))


def _letter(name: str, time: str, data: Mapping[str, Any], key: str, view: View) -> Event:
    product = "go" if name.startswith("transactional") else "classic"
    word = text(_first(data, "status", "email_status", "Status"))
    status = codes.status_of(product, word)
    people = _contact(data, view)
    address = people.get("contact", {}).get("email", "")
    type_ = status.event if address and status.event else codes.GO_OTHER if product == "go" else codes.CLASSIC_OTHER
    letter = _record(data)
    letter["status"] = word
    if status.event in _WITH_REASON:
        letter["reason"] = _reason(status, data)
    about = letter.get("id") or address or key
    kind = "subscription" if type_ == "subscription.changed" else "email"
    return _event(type_, f"{kind}:{about}", key, {"email": _filled(letter), **people}, _when(name, time, view))


def _reason(status: codes.Status, data: Mapping[str, Any]) -> str:
    """Return why: our words, Go's finer status in words, what the receiving server or the reader said."""
    info = data.get("delivery_info")
    info = info if isinstance(info, Mapping) else {}
    finer = codes.CLASSIC.get(text(info.get("delivery_status")))
    words = [
        status.words,
        finer.words if finer else "",
        text(info.get("destination_response")),
        text(data.get("comment")),
    ]
    if finer and status.event == "email.bounced":
        words[0] = ""
    return ": ".join(word for word in words if word)


def _subscription(name: str, time: str, data: Mapping[str, Any], key: str, view: View) -> Event:
    """A list was joined or left. Left by a reader of letters: `email.unsubscribed`, as after a click in a letter."""
    people = _contact(data, view)
    contact = people.get("contact", {})
    who = contact.get("email") or contact.get("phone")
    letter = _record(data)
    letter["status"] = f"{name}d"
    if name == "unsubscribe":
        letter["reason"] = text(data.get("comment")) or "left the list"
    type_ = "subscription.changed"
    if who:
        letter["lists"] = [view.lists.get(one, one) for one in _ids(_first(data, *_LISTS))]
    else:
        type_ = f"vendor.{name}"
    if name == "unsubscribe" and contact.get("email"):
        type_ = "email.unsubscribed"
    return _event(type_, f"contact:{who or key}", key, {"email": _filled(letter), **people}, _when(name, time, view))


def tells(event: Event) -> dict[str, str]:
    """Return what an event says that the hub may have set itself: a reader's lists, a campaign called off."""
    said = event.record.get("email") or {}
    status = str(said.get("status") or "")
    if event.type in ("subscription.changed", "email.unsubscribed") and event.subject.startswith("contact:"):
        return dict.fromkeys(said.get("lists") or ["*"], status)
    return {"status": status} if event.type == "vendor.campaign_status" else {}


def _campaign(data: Mapping[str, Any], key: str, view: View, at: dt.datetime) -> Event:
    id_, word = text(_first(data, "campaign_id", "id")), text(data.get("status"))
    letter = {**_record(data), "campaign": id_, "status": word, "reason": codes.CAMPAIGN.get(word, "")}
    return _event("vendor.campaign_status", f"campaign:{id_ or key}", key, {"email": _filled(letter)}, at)


def unreadable(piece: Any, view: View) -> Event:
    """Return the event for a piece of a genuine message that is no event; the others of the message go on."""
    key = "piece:" + hashlib.sha256(orjson.dumps(piece, option=orjson.OPT_SORT_KEYS)).hexdigest()[:40]
    return _event("vendor.unreadable", f"email:{key}", key, {"email": {"extra": {"event": piece}}}, view.at)


def export(task: str, url: str, trouble: str, view: View) -> Event:
    """Return the event for an export that has ended: its file, or what went wrong."""
    record = {"id": task, "url": url, "status": "failed" if trouble else "completed", "reason": trouble}
    about = task or hashlib.sha256(url.encode()).hexdigest()[:40]
    return _event("vendor.export_finished", f"export:{about}", f"export:{about}", {"email": _filled(record)}, view.at)


def polled(said: Mapping[str, Any], view: View) -> list[Event]:
    """Return the events of what the hub has asked for itself: the body of a POLL receipt, `{"kind", ..}`."""
    kind, id_, word = (text(said.get(name)) for name in ("kind", "id", "status"))
    key = f"asked:{kind}:{id_}:{word}"
    if kind == "email":
        data = {"email_id": id_, "status": word, "email": text(said.get("email"))}
        return [_letter("email_status", "", data, key, view)]
    if kind == "campaign":
        return [_campaign({"campaign_id": id_, "status": word}, key, view, view.at)]
    if kind == "export":
        return [export(id_, text(said.get("url")), text(said.get("trouble")), view)]
    if kind == "sms":
        people = _contact({"phone": said.get("phone")}, view)
        message = {"id": id_, "to": text(said.get("phone")), "status": word, "reason": codes.SMS.get(word, "")}
        return [_event("vendor.sms_status", f"message:{id_}", key, {"message": _filled(message), **people}, view.at)]
    if kind == "hook":
        words = text(said.get("text"))
        return [Event("connection.changed", "connection:hook", text(said.get("key")) or key, {}, view.at, text=words)]
    raise Rejected(400, f"nothing the hub asks for is called {kind!r:.40}")


# --- pieces ---------------------------------------------------------------------------------------


def _record(data: Mapping[str, Any]) -> dict[str, Any]:
    """Return the letter: its id, address, link, mailing; everything as it came stays in `extra`."""
    address, info, metadata = text(data.get("email")), data.get("delivery_info"), data.get("metadata")
    return {
        "id": text(_first(data, "job_id", "email_id", "letter_id")),
        "address": normal.email(address) or address,
        "url": text(data.get("url")),
        "campaign": text(data.get("campaign_id")),
        "metadata": dict(metadata) if isinstance(metadata, Mapping) else None,
        "delivery_status": text(info.get("delivery_status")) if isinstance(info, Mapping) else "",
        "extra": dict(data),
    }


def _contact(data: Mapping[str, Any], view: View) -> dict[str, Any]:
    """Return `{"contact": ..}` with the reader, or nothing where the message names nobody."""
    person = normal.contact(view.region, email=text(data.get("email")), phone=text(data.get("phone")))
    return {"contact": person} if person else {}


def _event(type_: str, subject: str, key: str, record: dict[str, Any], at: dt.datetime) -> Event:
    about = record.get("email") or record.get("message") or {}
    words = str(about.get("reason") or about.get("url") or "")
    return Event(type_, _short(subject), key, record, at, text=words, channel=_CHANNEL)


def _when(name: str, time: str, view: View) -> dt.datetime:
    """Return when it happened: Go tells it in UTC, the classic product in a zone that is not confirmed.

    Without a zone (setting `timezone`) the arrival counts, and the vendor's text stays in the receipt. What lies
    ahead of the arrival is a wrong clock.
    """
    zone = "UTC" if name.startswith("transactional") else view.zone
    try:
        moment = dt.datetime.fromisoformat(time)
        if moment.tzinfo is None:
            if not zone:
                return view.at
            moment = moment.replace(tzinfo=ZoneInfo(zone))
        return min(moment.astimezone(dt.UTC), view.at)
    except (ValueError, OverflowError):
        return view.at


def _ids(value: Any) -> list[str]:
    items: Iterable[Any] = value if isinstance(value, list) else text(value).split(",")
    return [one for item in items if (one := text(item.get("id") if isinstance(item, Mapping) else item))]


def _first(data: Mapping[str, Any], *names: str) -> Any:
    return next((data[name] for name in names if data.get(name) not in (None, "", [])), None)


def _filled(record: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in record.items() if value not in (None, "", [], {})}


def _short(name: str) -> str:
    return name if len(name) <= 150 else name[:100] + hashlib.sha256(name.encode("utf-8", "replace")).hexdigest()[:40]


def native(name: str) -> str:
    """Return a native name as it may stand behind `vendor.`."""
    return _NATIVE.sub("_", name)[:80] or "event"


def text(value: Any) -> str:
    """Return a member as text: ids come as numbers or texts; what is neither is nothing."""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return ""
    return normal.storable(str(value)).strip()[:5000]
