"""What a well-formed event is, said once: used by the contract's tests on good samples and on broken ones."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal, InvalidOperation
from typing import Any

import orjson

from hub.connector import Connector
from hub.events import is_known
from hub.model import PARCEL_STATUSES, Event
from hub.records import COMMON, FIELDS, OPEN_RECORDS, known_fields

#: fields that every record may carry beside those in `hub.records`
_ALWAYS = frozenset({"source", "phone_raw", "email_raw"})


def problems(connector: Connector, events: Iterable[Event]) -> list[str]:
    """Return what is wrong with the events, in words; an empty list if they keep the contract."""
    found: list[str] = []
    keys: set[str] = set()
    for event in events:
        say = [f"type {event.type!r} is no known event" for _ in [0] if not is_known(event.type)]
        for name, longest in (("subject", 255), ("key", 255)):
            value = getattr(event, name)
            if not isinstance(value, str) or not value or len(value) > longest:
                say.append(f"{name} {value!r:.80} is empty, too long or no text")
        if event.key in keys:
            say.append(f"key {event.key!r} stands twice in one receipt")
        keys.add(event.key)
        if event.occurred_at is not None and event.occurred_at.utcoffset() != dt.timedelta(0):
            say.append(f"occurred_at {event.occurred_at!r} is not in UTC")
        say += [
            f"{name} is no text" for name in ("text", "title", "channel", "by") if type(getattr(event, name)) is not str
        ]
        say += _record_problems(connector, event)
        try:
            orjson.dumps(event.record)
        except TypeError as error:
            say.append(f"the record can't be stored: {error}")
        found += [f"{event.type}: {words}" for words in say]
    return found


def _record_problems(connector: Connector, event: Event) -> list[str]:
    found: list[str] = []
    declared = {name for kind in connector.events if kind.name == event.type for name in kind.fields}
    for record, values in event.record.items():
        if record not in FIELDS and not event.type.startswith("vendor."):
            found.append(f"record {record!r} is not in hub.records")
        elif not isinstance(values, Mapping):
            found.append(f"record {record!r} is no mapping")
        elif record in FIELDS:
            allowed = known_fields(record) | _ALWAYS | declared
            for name, value in values.items():
                known = record in OPEN_RECORDS or name in allowed or re.fullmatch(connector.vendor_field, name)
                if not known:
                    found.append(f"{record}.{name} is not in hub.records; vendor fields belong into {record}.extra")
                kind = {**COMMON, **FIELDS[record]}.get(name)
                if value is not None and kind and not _FITS[kind](value):
                    found.append(f"{record}.{name} should be {kind}, it is {value!r:.80}")
            if record == "parcel" and values.get("status") not in (None, *PARCEL_STATUSES):
                found.append(f"parcel.status {values['status']!r} is no neutral status")
    return found


def _is_instant(value: Any) -> bool:
    try:
        return isinstance(value, str) and dt.datetime.fromisoformat(value).utcoffset() is not None
    except ValueError:
        return False


def _is_date(value: Any) -> bool:
    try:
        return isinstance(value, str) and bool(dt.date.fromisoformat(value))
    except ValueError:
        return False


def _is_money(value: Any) -> bool:
    try:
        return isinstance(value, str) and Decimal(value).is_finite()
    except InvalidOperation:
        return False


_FITS: Mapping[str, Callable[[Any], bool]] = {
    "text": lambda value: isinstance(value, str),
    "instant": _is_instant,
    "date": _is_date,
    "money": _is_money,
    "number": lambda value: isinstance(value, (int, float)) and not isinstance(value, bool),
    "list": lambda value: isinstance(value, list),
    "flag": lambda value: isinstance(value, bool),
    "record": lambda value: isinstance(value, Mapping),
}
