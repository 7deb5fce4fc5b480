"""What changed: a record as it is now against the record as it was last seen.

Most CRMs only say "updated". The difference to the last look makes `stage_changed` and `responsible_changed`, and
shows what is nothing but the hub's own write coming back. A field the hub wrote is no news; a stage reached is an
event whoever moved it, with one hop more, so that routes may build on each other and a circle is noticed.
"""

from __future__ import annotations

import datetime as dt
import html
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from decimal import ROUND_DOWN, ROUND_HALF_EVEN, ROUND_HALF_UP, Decimal
from typing import Any

from hub.model import PARCEL_RANK, Event
from hub.reasons import stored

#: neutral fields whose change is an event of its own
DERIVED = {"stage": "stage_changed", "responsible": "responsible_changed"}
#: what our side said; it is compared with what the hub itself has sent
SAID = frozenset({"message.sent", "comment.sent"})
MAX_HOPS = 8


@dataclass(slots=True)
class Look:
    """What a look at a record told: the events worth planning, what to remember, why the original is no news."""

    events: list[Event] = field(default_factory=list)
    remember: dict[str, Any] | None = None
    closed: dict[str, Any] | None = None


def look(event: Event, seen: Mapping[str, Any] | None, volatile: Collection[str], since: float) -> Look:
    """Compare a completed event with what was last seen of its subject.

    seen: {"record", "own" (vendor field -> value the hub wrote), "hop", "created" (told already)} or None. since:
    when the hub first watched this connection, in epoch seconds; a record never seen whose stage moved before that
    isn't news.
    """
    record = event.record.get(event.kind)
    verb = event.type.partition(".")[2]
    if not isinstance(record, Mapping):
        return Look([event])
    if verb == "status_changed":
        return _status(event, record, seen)
    if event.type in SAID and (seen or {}).get("own"):
        return Look(closed=stored("echo"))  # a channel tells of everything that was said, by us too
    if verb == "deleted" and ((seen or {}).get("own") or {}).get("merged"):
        return Look(closed=stored("echo"))  # the hub merged it into another
    if verb not in ("created", "updated"):
        return Look([event])
    before = (seen or {}).get("record")
    own = (seen or {}).get("own") or {}
    hop = int((seen or {}).get("hop") or 0)
    left = _not_yet_seen(own, before, record)
    remember = {"record": dict(record), "own": left, "hop": hop if left else 0}
    if verb == "created" or (seen or {}).get("created"):
        remember["created"] = True
    if "status_at" in (seen or {}):  # a status told before stays the measure of what is late
        remember["status_at"] = (seen or {})["status_at"]
    if before is None:
        made_here = bool((seen or {}).get("made"))
        shown = bool(own) and all(kept(value, _value(record, name)) for name, value in own.items())
        echo = verb == "updated" and shown and not made_here  # a write of ours to a record never looked at before
        events = [] if echo else [event.with_(hop=max(event.hop, hop + 1) if made_here else event.hop)]
        # of a record made here all is known but what somebody did with it before this look
        moved = _moved_since(record, since) if verb == "updated" and not made_here else _moved_since_made(record)
        if moved:
            by_hub = any(same(value, record.get("stage")) for value in own.values())
            derived = _derived(event, "stage", None)
            events.append(derived.with_(hop=hop + 1, by="hub") if by_hub else derived)
        return _looped(Look(events, remember, stored("echo") if echo else None))
    fields = differences(before, record, volatile)
    if verb == "created":
        # Seen before its creation was told: another hint was quicker. Only news if it was never told as created.
        if (seen or {}).get("created"):
            return Look(closed=stored("nothing_changed"))
        return Look([event], {**(seen or {}), "created": True})
    if not fields:
        return Look(remember=remember, closed=stored("echo" if own else "nothing_changed"))
    ours = {name for name in fields if name in own and kept(own[name], _value(record, name))}
    by_hub = bool(ours) and not {name for name in fields - ours if name not in _NEUTRAL}
    was = {name: _value(before, name) for name in fields}
    events = []
    if not by_hub:
        events.append(event.with_(was=was))
    for name in DERIVED:
        if record.get(name) is not None and not same(before.get(name), record.get(name)):
            derived = _derived(event, name, before.get(name)).with_(was=was)
            events.append(derived.with_(hop=hop + 1, by="hub") if by_hub else derived)
    return _looped(Look(events, remember, stored("echo") if by_hub else None))


def _not_yet_seen(own: Mapping[str, Any], before: Mapping[str, Any] | None, now: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the hub wrote and this look doesn't show yet: it read the record before that, so the echo is to come.

    A field that has changed to something else was written over; nothing of ours will come back for it.
    """
    if before is None:
        return {}
    return {
        name: value
        for name, value in own.items()
        if not kept(value, _value(now, name)) and same(_value(before, name), _value(now, name))
    }


def _looped(look: Look) -> Look:
    """Stop what the hub's own acts have set off too many times in a row."""
    if any(event.hop > MAX_HOPS for event in look.events):
        return Look([], look.remember, stored("too_many_hops", hops=MAX_HOPS))
    return look


def _derived(event: Event, name: str, before: Any) -> Event:
    verb = DERIVED[name]
    return event.with_(
        type=f"{event.kind}.{verb}",
        key=f"{event.key}:{verb}",
        was={name: before},
        id=0,
        incomplete=False,
    )


def _moved_since_made(record: Mapping[str, Any]) -> bool:
    """A record that was moved on before the hub first looked at it has reached its stage, and was not made in it."""
    try:
        made = dt.datetime.fromisoformat(str(record.get("created_at")))
        moved = dt.datetime.fromisoformat(str(record.get("moved_at")))
        return record.get("stage") is not None and (moved - made).total_seconds() > 1
    except (TypeError, ValueError):
        return False


def _moved_since(record: Mapping[str, Any], since: float) -> bool:
    """A stage reached before the hub came is history; one whose time nobody knows counts as news."""
    if record.get("stage") is None:
        return False
    moved = record.get("moved_at")
    if not moved:
        return True
    try:
        return dt.datetime.fromisoformat(str(moved)).timestamp() >= since - 60
    except ValueError:
        return True


def _status(event: Event, record: Mapping[str, Any], seen: Mapping[str, Any] | None) -> Look:
    """A status that is older than the last one is kept in the history and not applied."""
    at = event.occurred_at.timestamp() if event.occurred_at else None
    known = (seen or {}).get("status_at")
    before = ((seen or {}).get("record") or {}).get("status")
    if at is not None and known is not None and at < known:
        return Look(closed=stored("late", known=before))
    if before is not None and before == record.get("status") and (at is None or at == known):
        return Look(closed=stored("nothing_changed"))
    if event.kind == "parcel" and _backward(before, record.get("status")):
        return Look(closed=stored("backward", known=before, status=record.get("status")))
    remember = {"record": dict(record), "own": {}, "hop": 0, "status_at": at if at is not None else known}
    return Look([event.with_(was={**event.was, "status": before})], remember)


def _backward(before: Any, now: Any) -> bool:
    """Return whether a parcel that has passed `before` can't be at `now`: only what goes astray may turn round."""
    return before in PARCEL_RANK and now in PARCEL_RANK and PARCEL_RANK[now] < PARCEL_RANK[before]


_NEUTRAL = frozenset({"stage", "responsible", "pipeline"})


def differences(before: Mapping[str, Any], now: Mapping[str, Any], volatile: Collection[str]) -> set[str]:
    """Return the names of fields that differ: vendor fields where the record has them, and the neutral DERIVED ones."""
    old, new = before.get("extra") or before, now.get("extra") or now
    changed = {
        name for name in old.keys() | new.keys() if name not in volatile and not same(old.get(name), new.get(name))
    }
    changed |= {name for name in DERIVED if name in now and not same(before.get(name), now.get(name))}
    return changed


def _value(record: Mapping[str, Any], name: str) -> Any:
    extra = record.get("extra") or {}
    return extra[name] if name in extra else record.get(name)


def same(one: Any, other: Any) -> bool:
    """Return whether two values mean the same to a vendor: empty is empty, 15000 is 15000.00, 5 is "5"."""
    if one in (None, "", [], {}) and other in (None, "", [], {}):
        return True
    if isinstance(one, list | dict) or isinstance(other, list | dict):
        return one == other
    if str(one).strip() == str(other).strip():
        return True
    texts = (str(one).strip(), str(other).strip())
    if all(_AMOUNT.match(text) for text in texts):
        return Decimal(texts[0]) == Decimal(texts[1])
    return _spelled(texts[0]) == _spelled(texts[1])


def kept(written: Any, shown: Any) -> bool:
    """Return whether a vendor that was given `written` and shows `shown` has kept it, in its own way.

    Wider than `same`: an amount rounded to whole units or hundredths, a long text cut at its end, a number of a phone
    in another spelling. Only for a value of ours against what became of it: between two looks each of these is news.
    """
    if same(written, shown):
        return True
    if isinstance(written, list) and isinstance(shown, list):
        return len(written) == len(shown) and all(kept(a, b) for a, b in zip(written, shown, strict=True))
    if not isinstance(written, str | int | float | Decimal) or not isinstance(shown, str | int | float | Decimal):
        return False
    if isinstance(written, bool) or isinstance(shown, bool):
        return False
    given, back = str(written).strip(), str(shown).strip()
    if _AMOUNT.match(given) and _AMOUNT.match(back):
        places = len(back.partition(".")[2].rstrip("0"))
        return places < len(given.partition(".")[2].rstrip("0")) and any(
            Decimal(given).quantize(Decimal(1).scaleb(-places), how) == Decimal(back) for how in _ROUNDED
        )
    given, back = _spelled(given), _spelled(back)
    if len(back) >= _CUT and given.startswith(back.rstrip("\u2026.").rstrip()):
        return True
    return bool(_PHONE.match(given)) and _digits(given) == _digits(back) != ""


def _spelled(text: str) -> str:
    """Return a text as people read it: entities of HTML and line breaks in one spelling, spaces at ends left out."""
    if "&" in text:
        text = html.unescape(text)
    return (
        "\n".join(line.rstrip() for line in _BREAK.sub("\n", text).split("\n")).strip() if _ODD.search(text) else text
    )


def _digits(text: str) -> str:
    return "".join(letter for letter in text if letter.isdigit())


#: a number as amounts are written; `007` and `1e3` are words
_AMOUNT = re.compile(r"-?(0|[1-9][0-9]{0,30})(\.[0-9]{1,30})?$")
_ROUNDED = (ROUND_HALF_UP, ROUND_HALF_EVEN, ROUND_DOWN)
#: letters that a text must have left to be taken for a longer one cut by the vendor
_CUT = 100
_PHONE = re.compile(r"\+?[\d ()-]{7,30}$")
_BREAK = re.compile(r"\r\n?|<br ?/?>")
_ODD = re.compile(r"[\r\n<]")
