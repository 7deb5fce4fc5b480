"""Values by field type: how they are stored, shown by old methods (strings) and by crm.item.* (real types)."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal, InvalidOperation
from functools import lru_cache
from typing import Any

from plugins.bitrix24.sandbox.words import as_id, as_list, is_yes

#: the portal's server zone: the API answers in it whatever the user's own zone is
ZONE = dt.timezone(dt.timedelta(hours=3))
_FORMATS = ("%d.%m.%Y %H:%M:%S", "%d.%m.%Y %H:%M", "%d.%m.%Y")
NUMBERS = ("id", "integer", "user", "ref", "enumeration", "employee")


def iso(moment: dt.datetime | None) -> str | None:
    """Show an instant as ISO 8601 with the portal's offset."""
    return moment.astimezone(ZONE).isoformat(timespec="seconds") if moment else None


@lru_cache(maxsize=4096)
def read_time(text: str) -> dt.datetime | None:
    """Read a datetime in ISO or Russian form; without an offset it is in the server's zone."""
    moment = None
    try:
        moment = dt.datetime.fromisoformat(text)
    except ValueError:
        for form in _FORMATS:
            try:
                moment = dt.datetime.strptime(text, form)  # noqa: DTZ007 - the zone is put below
                break
            except ValueError:
                continue
    if moment is None:
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=ZONE)


def store(kind: str, value: Any, multiple: bool = False) -> Any:
    """Turn what a caller wrote into what the portal keeps; nonsense becomes nothing, as it does there."""
    if multiple:
        kept = [store(kind, each) for each in as_list(value)]
        return [each for each in kept if each is not None]
    if value is None or isinstance(value, dict | list):
        return value if kind == "file" else None
    if kind == "integer":
        return None if value == "" else as_id(value)
    if kind in NUMBERS:
        return as_id(value) or None
    if kind in ("double", "amount"):
        return _decimal(value)
    if kind == "flag":
        return "Y" if is_yes(value) else "N"
    if kind == "boolean":
        return is_yes(value)
    if kind == "datetime":
        return read_time(str(value))
    if kind == "date":
        moment = read_time(str(value))
        return moment.date() if moment else None
    return str(value)


def _decimal(value: Any) -> Decimal | None:
    if value == "":
        return None
    try:
        number = Decimal(str(value))
    except InvalidOperation:
        return Decimal(0)
    return number if number.is_finite() else Decimal(0)


def show_old(kind: str, value: Any, multiple: bool = False) -> Any:
    """Show a value as `crm.deal.get` does: everything a string, nothing is null."""
    if multiple:
        return [show_old(kind, each) for each in value] if value else False
    if kind == "boolean":
        return bool(value)
    if kind == "amount":
        return f"{value or 0:.2f}"
    if value is None:
        return None
    if isinstance(value, dt.datetime):
        return iso(value)
    if isinstance(value, dt.date):
        return _midnight(value)
    if isinstance(value, dict | list):
        return value
    return str(value)


def show_item(kind: str, value: Any, multiple: bool = False) -> Any:
    """Show a value as `crm.item.get` does: ids and amounts are numbers."""
    if multiple:
        return [show_item(kind, each) for each in value or []]
    if kind == "boolean":
        return "Y" if value else "N"
    if kind == "amount":
        value = value or Decimal(0)
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    if isinstance(value, dt.datetime):
        return iso(value)
    if isinstance(value, dt.date):
        return _midnight(value)
    return value


def _midnight(day: dt.date) -> str | None:
    """Show a date: midnight UTC in the server's zone, so 03:00 at +03:00."""
    return iso(dt.datetime(day.year, day.month, day.day, tzinfo=dt.UTC))


def comparable(kind: str, value: Any) -> Any:
    """Return what a filter compares: texts without case, nothing equal to an empty text or to 0."""
    if kind in NUMBERS:
        return as_id(value)
    if kind in ("double", "amount"):
        return _decimal(value or 0) or Decimal(0)
    if kind == "boolean":
        return value in (True, 1, "1")
    if kind == "datetime":
        return value if isinstance(value, dt.datetime) else read_time(str(value or ""))
    if kind == "date":
        if isinstance(value, dt.date):
            return value
        moment = read_time(str(value or ""))
        return moment.date() if moment else None
    return "" if value is None else str(value).casefold()
