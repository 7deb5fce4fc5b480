"""The way in, pure: is it genuine, which call is it, what does it say.

A call is told of up to four times: by a hook when it starts, perhaps one when it is answered, one when it is over, and
by the journal afterwards. All four must be one call, whether or not the admin ticked `callId`. So there are two keys:

    the receipt's   `callId` and phase, where there is a `callId` (the journal always has one)
    the event's     phone, second of the beginning, phase: hook and journal write both alike

Either being known is enough. Without phone or time (a hidden number, fields not ticked) `callId` is all there is.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import hmac
import ipaddress
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any
from urllib.parse import unquote
from zoneinfo import ZoneInfo

import orjson

from hub import normal
from hub.errors import Rejected
from hub.model import Event, Receipt, Request
from plugins.calltouch import codes, source
from plugins.calltouch.codes import ANSWERED, ENDED, STARTED
from plugins.calltouch.reading import POLL, Lead, clean, leads, messages

_METHODS = ("GET", "POST")
_ODD = re.compile(r"[^\w.-]+")
_LONGEST_ID = 100
#: a hook about a change repeats the whole call; after so long its end is no news that the hub could have missed
_RETELL = dt.timedelta(days=3)


# --- genuine? -----------------------------------------------------------------------------------------


def verify(request: Request, settings: Mapping[str, Any]) -> None:
    """Raise `Rejected` unless the request carries one of the secrets and comes from where hooks may come from."""
    if request.method not in _METHODS:
        raise Rejected(405, "Calltouch sends hooks by GET or POST")
    given = list(_given(request))
    if not given:
        raise Rejected(401, "no secret: it belongs at the end of the hook's address")
    known = [secret.encode() for secret in (settings["secret"], *settings["secrets"]) if secret]
    if not any([hmac.compare_digest(one.encode(), secret) for one in given for secret in known]):
        raise Rejected(401, "wrong secret: compare the hook's address with the setting `secret`")
    if settings["addresses"] and not _inside(sender := caller(request, settings["proxies"]), settings["addresses"]):
        raise Rejected(403, f"hooks may not come from {sender or 'an unknown address'}; see the setting `addresses`")


def _given(request: Request) -> Iterator[str]:
    tail = request.tail.strip("/")
    first = tail.partition("/")[0]
    yield from {tail, first, unquote(tail), unquote(first)} - {""}
    yield from (value for name, value in request.query if name.lower() == "secret" and value)


def caller(request: Request, proxies: Iterable[str]) -> str:
    """Return the address a hook came from: behind one of our proxies, the one that the proxy saw."""
    if not _inside(request.remote, proxies):
        return request.remote
    chain = [part.strip() for part in request.headers.get("x-forwarded-for", "").split(",") if part.strip()]
    return next((one for one in reversed(chain) if not _inside(one, proxies)), request.remote)[:60]


def _inside(address: str, networks: Iterable[str]) -> bool:
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return False
    found = getattr(found, "ipv4_mapped", None) or found
    return any(found in ipaddress.ip_network(one) for one in networks)


def is_empty(request: Request) -> bool:
    """Return whether nothing is said: an admin who opens the address in a browser."""
    if request.method != "GET" or request.body.strip():
        return False
    return not messages(request)[0]


# --- which one? ---------------------------------------------------------------------------------------


def receipt_key(request: Request, settings: Mapping[str, Any], zone: ZoneInfo) -> str:
    """Return what tells this message from all others: the same for a repeat, and for the journal's record of it."""
    try:
        found = leads(request, settings["read"])
    except Rejected:  # genuine and unintelligible: it is kept, parse() will say why
        return "raw:" + hashlib.sha256(request.body + repr(sorted(request.query)).encode()).hexdigest()[:40]
    if not any(lead.raw for lead in found):
        return "empty:" + hashlib.sha256(request.body).hexdigest()[:40]
    if len(found) > 1:
        return f"several:{_digest([_lasting(lead) for lead in found])}"
    return lead_key(found[0], settings["phases"], zone)


def lead_key(lead: Lead, phases: Mapping[str, str], zone: ZoneInfo) -> str:
    """Return the receipt's key of one lead."""
    if lead.kind not in codes.KINDS:
        return f"other:{_digest(_lasting(lead))}"
    phase = f":{phase_of(lead, phases)}" if lead.kind == "call" else ""
    name = own_id(lead)
    key = f"{lead.kind}:{_short(name) if name else natural(lead, zone)}{phase}"
    return f"{key}:changed:{_digest(_lasting(lead))}" if changed(lead) else key


def own_id(lead: Lead) -> str:
    """Return the vendor's id of a call, request or chat, "" where it wasn't ticked."""
    names = {"call": ("callId",), "request": ("requestId",), "chat": ("chatId",)}.get(
        lead.kind, ("orderNumber", "orderId")
    )
    return next((value for name in names if (value := lead.get(name))), "")


def natural(lead: Lead, zone: ZoneInfo) -> str:
    """Return what a lead is known by without its id: phone and second; else its id; else all it says."""
    clock = lead.clock(zone)
    if lead.phone and clock is not None:
        return f"{lead.phone}@{clock:%Y-%m-%dT%H:%M:%S}"
    if name := own_id(lead):
        return _short(name)
    return _digest({key: value for key, value in _lasting(lead).items() if key.lower() not in _TELLS_PHASE})


_TELLS_PHASE = frozenset(word for name in (*codes.END_ONLY, "callphase") for word in codes.SPELLINGS[name])


def _lasting(lead: Lead) -> dict[str, Any]:
    return {name: value for name, value in lead.raw.items() if name.lower() not in codes.VOLATILE}


def _digest(value: Any) -> str:
    packed = orjson.dumps(value, option=orjson.OPT_SORT_KEYS | orjson.OPT_NON_STR_KEYS, default=str)
    return hashlib.sha256(packed).hexdigest()[:40]


def _short(name: str) -> str:
    return name if len(name) <= _LONGEST_ID else _digest(name)


def changed(lead: Lead) -> list[str]:
    """Return the fields whose change a hook is about: `changedFields` is a list, or a text with commas."""
    told = next((value for name, value in lead.raw.items() if name.lower() == "changedfields"), None)
    names = told if isinstance(told, list) else str(told or "").strip("[]").replace('"', "").split(",")
    return [text for name in names if (text := str(clean(str(name).strip()) or ""))]


def phase_of(lead: Lead, phases: Mapping[str, str]) -> str:
    """Return started, answered or ended.

    The vendor's word for the start is known, that for the end is not: any other word means the end. Without the
    field, a hook that knows how the call went tells of its end.
    """
    told = lead.get("callphase")
    said = {name.lower(): phase for name, phase in {**codes.PHASE_OF, **phases}.items()}
    if told:
        return said.get(told.lower(), ENDED)
    if codes.NO_PHASE in said:
        return said[codes.NO_PHASE]
    return ENDED if lead.polled or any(lead.get(name) for name in codes.END_ONLY) else STARTED


# --- what does it say? --------------------------------------------------------------------------------


def parse(receipt: Receipt, settings: Mapping[str, Any], zone: ZoneInfo, region: str) -> list[Event]:
    """Return the events in a stored request. Raises `Rejected` or `ValueError` where nothing can be understood."""
    request = receipt.request
    found = leads(request, settings["read"])
    events: dict[str, Event] = {}
    for lead in found:
        for event in _events(lead, settings["phases"], zone, region, request.at):
            events.setdefault(event.key, event)
    return list(events.values())


def _events(lead: Lead, phases: Mapping[str, str], zone: ZoneInfo, region: str, now: dt.datetime) -> Iterator[Event]:
    if not lead.raw:
        raise ValueError("the hook has no fields: tick some in its settings")
    if lead.kind == "call":
        yield from _call_events(lead, phase_of(lead, phases), zone, region, now)
    elif lead.kind == "request":
        yield from _request_events(lead, zone, region, now)
    else:
        yield _other(lead, zone, region)


def _call_events(lead: Lead, phase: str, zone: ZoneInfo, region: str, now: dt.datetime) -> Iterator[Event]:
    name, at = natural(lead, zone), lead.began(zone)
    call = _call(lead, at, region)
    records = {"call": call, "source": source.of(lead, "phone"), **_contact(lead, region)}
    by = lead.get("manager")
    text = _call_words(lead, call)
    event = Event(
        "call.started", f"call:{name}", f"call:{name}:{STARTED}", records, at, text, channel="phone", by=by
    )  # fmt: skip
    late = at is not None and now - at > _RETELL
    if not (changed(lead) and late):
        if phase == STARTED:
            yield event
        elif phase == ANSWERED:
            yield _answered(event, name, lead)
        else:
            good = succeeded(lead)
            if good and by and not ours(lead):  # who answered is known only now
                yield _answered(event, name, lead)
            kind = "vendor.call_imported" if ours(lead) else "call.finished" if good else "call.missed"
            yield event.with_(type=kind, key=f"call:{name}:{ENDED}")
    if changed(lead):
        yield event.with_(type="vendor.call_changed", key=f"call:{name}:{_digest(_lasting(lead))}")


def _answered(event: Event, name: str, lead: Lead) -> Event:
    waited = whole(lead.get("waiting_time"))
    at = event.occurred_at + dt.timedelta(seconds=waited) if event.occurred_at and waited else event.occurred_at
    return event.with_(type="call.answered", key=f"call:{name}:{ANSWERED}", occurred_at=at)


def ours(lead: Lead) -> bool:
    """Return whether the hub has made this request, or imported this call, itself: its echo is no news."""
    number = lead.get("requestNumber" if lead.kind == "request" else "callReferenceId")
    return number.startswith(codes.OURS)


def succeeded(lead: Lead) -> bool:
    """Return whether a call that is over was answered: it was successful, or lasted.

    Which words beside `successful` the status has is not public: any other one is a missed call only if the call had
    no duration. A hook that tells neither status nor duration is believed to be about a real call.
    """
    status, duration = lead.get("status").lower(), whole(lead.get("duration"))
    if status in codes.SUCCESSFUL or duration:
        return True
    return not status and duration is None


def _call(lead: Lead, at: dt.datetime | None, region: str) -> dict[str, Any]:
    line = lead.get("phonenumber")
    line = e164(line, region) or line
    call: dict[str, Any] = {
        "id": own_id(lead),
        "from": e164(lead.get("callerphone"), region) or lead.get("callerphone"),
        "to": line,
        "line": line,
        "duration": whole(lead.get("duration")),
        "status": lead.get("status"),
        "direction": "in",
        "recording": lead.get("recordlink"),
        "at": at.isoformat() if at else "",
    }
    return _filled(call) | _unticked(lead) | {"extra": lead.raw}


def _call_words(lead: Lead, call: Mapping[str, Any]) -> str:
    """Return a call in one line, for a note: `+7900... -> +7495...; 65 s; successful; google / cpc / spring`."""
    ends = " -> ".join(str(call[name]) for name in ("from", "to") if call.get(name))
    parts = (ends, f"{call['duration']} s" if call.get("duration") else "", lead.get("status"), source.words(lead))
    return "; ".join(part for part in parts if part and part not in ("true", "false"))


def _request_events(lead: Lead, zone: ZoneInfo, region: str, now: dt.datetime) -> Iterator[Event]:
    name, at = natural(lead, zone), lead.began(zone)
    contact = _contact(lead, region)
    person = contact.get("contact", {})
    form: dict[str, Any] = {
        "id": own_id(lead),
        "name": lead.get("fio"),
        "kind": lead.get("requestType"),
        "phone": person.get("phone"),
        "email": person.get("email"),
        "comment": lead.get("comment"),
        "page": lead.get("requestUrl") or lead.get("callUrl") or lead.get("url"),
    }
    form = _filled(form) | _unticked(lead) | {"extra": lead.raw}
    text = "; ".join(part for part in (lead.get("subject"), lead.get("comment"), source.words(lead)) if part)
    records = {"form": form, "source": source.of(lead, "form"), **contact}
    event = Event(
        "form.submitted", f"form:{name}", f"form:{name}", records, at, text, lead.get("subject"), "form",
        lead.get("manager"),
    )  # fmt: skip
    if not (changed(lead) and at is not None and now - at > _RETELL):
        yield event.with_(type="vendor.request_registered") if ours(lead) else event
    if changed(lead):
        yield event.with_(type="vendor.request_changed", key=f"form:{name}:{_digest(_lasting(lead))}")


def _other(lead: Lead, zone: ZoneInfo, region: str) -> Event:
    """A hook about a chat or a deal, or one nothing tells the kind of: kept whole, under the vendor's word."""
    kind = _ODD.sub("_", lead.kind)[:60].strip("_") or "hook"
    digest = _digest(_lasting(lead))
    name = own_id(lead)
    records = {"vendor": {"extra": lead.raw}, "source": source.of(lead, kind), **_contact(lead, region)}
    return Event(
        f"vendor.{kind}", f"{kind}:{_short(name) if name else digest}", f"{kind}:{digest}", records, lead.began(zone),
        channel=kind,
    )  # fmt: skip


# --- small parts --------------------------------------------------------------------------------------


def _contact(lead: Lead, region: str) -> dict[str, Any]:
    """Return who it is, if anything tells a person: a hidden number doesn't."""
    phone, email, name = lead.phone, lead.get("email"), lead.get("fio")
    if not (phone or normal.email(email)):
        return {}
    return {"contact": normal.contact(region, phone=e164(phone, region) or phone, email=email, name=name)}


def e164(text: str, region: str) -> str | None:
    """Return a number as E.164. The vendor writes it with its country and without the plus: 79000000001."""
    digits = "".join(letter for letter in text if letter in "0123456789")
    if len(digits) < 7:
        return None
    with_country = normal.phone("+" + digits) if len(digits) >= 11 and digits[0] != "8" else None
    return with_country or normal.phone(digits, region)


def _unticked(lead: Lead) -> dict[str, Any]:
    """Return the needed fields that a hook doesn't have, as `not_ticked`: `hub try` shows it, a route may test it."""
    if lead.polled:
        return {}
    if lead.kind == "request":
        others = {"callId", "callphase", "duration", "calltime", "status"}
    else:
        others = {"requestId", "requestNumber"}
        if not any(lead.get(name) for name in codes.END_ONLY):
            others |= {"duration", "status"}
    wanted = set(codes.NEEDED) - others
    missing = sorted(name for name in wanted if name not in lead.values and not lead.told & set(codes.SPELLINGS[name]))
    return {"not_ticked": missing} if missing else {}


def _filled(record: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in record.items() if value not in (None, "")}


def whole(text: str) -> int | None:
    """Return seconds as a number; None if it isn't one."""
    return int(text) if text.isascii() and text.isdigit() and len(text) < 9 else None


#: the method of requests that our own polls store never comes from outside
assert POLL not in _METHODS
