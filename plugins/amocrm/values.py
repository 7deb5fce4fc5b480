"""Custom fields: what amoCRM keeps in one, in plain values; and plain values as it wants them written. Pure.

https://www.amocrm.ru/developers/content/crm_platform/custom-fields. REST writes `custom_fields_values` with `enum_id`,
webhooks `custom_fields` with `enum`, and leave the `value` out of dates; both are read here.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from hub.errors import Refused
from plugins.amocrm import codes

#: types that hold several values
SEVERAL = frozenset({"multitext", "multiselect", "smart_address", "linked_entity", "chained_list", "items"})
_CHOICES = frozenset({"select", "multiselect", "radiobutton", "category"})
_DAYS = frozenset({"date", "birthday"})
_NUMBERS = frozenset({"numeric", "monetary", "price"})
#: parts of a smart_address by number
ADDRESS_PARTS = {
    "1": "address_line_1", "2": "address_line_2", "3": "city", "4": "state", "5": "zip", "6": "country"
}  # fmt: skip
_NO = frozenset({"", "0", "no", "false", "off", "нет", "ні"})


@dataclass(frozen=True)
class Field:
    """A custom field of the account. enums: id -> the option's words; codes: code of an option -> id."""

    id: str
    name: str = ""
    code: str = ""
    type: str = "text"
    enums: Mapping[str, str] = field(default_factory=dict)
    codes: Mapping[str, str] = field(default_factory=dict)

    @property
    def spellings(self) -> tuple[str, ...]:
        """The names it may be called by: its id and, where it has one, its code."""
        return (self.id, self.code) if self.code else (self.id,)


def described(raw: Mapping[str, Any]) -> Field:
    """Return a field from the row of /custom_fields."""
    enums, by_code = {}, {}
    rows = raw.get("enums")
    for row in rows if isinstance(rows, list) else []:
        if isinstance(row, Mapping):
            enums[str(row.get("id"))] = str(row.get("value") or "")
            if row.get("code"):
                by_code[str(row["code"])] = str(row.get("id"))
    return Field(
        str(raw.get("id")), str(raw.get("name") or ""), str(raw.get("code") or ""), str(raw.get("type") or "text"),
        enums, by_code,
    )  # fmt: skip


def zone(name: str) -> dt.tzinfo:
    """Return a time zone by name; UTC where there is none of that name."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return dt.UTC


# --- reading ---------------------------------------------------------------------------------------------


def flat(raw: Mapping[str, Any], at: dt.tzinfo) -> dict[str, Any]:
    """Return the custom fields of a record as plain values: by id, and by code where a field has one."""
    rows = raw.get("custom_fields_values", raw.get("custom_fields"))
    found: dict[str, Any] = {}
    for row in _rows(rows):
        number = _text(row.get("field_id", row.get("id")))
        code = _text(row.get("field_code", row.get("code")))
        value = plain(_text(row.get("field_type")), _rows_of_values(row.get("values")), code, at)
        if value in (None, "", []):
            continue
        for name in (number, code):
            if name:
                found[name] = value
    return found


def plain(type_: str, rows: Iterable[Any], code: str, at: dt.tzinfo) -> Any:
    """Return a field's values as one plain value, or as a list where its type holds several."""
    found = [value for row in rows if (value := _one(type_, row, at)) not in (None, "")]
    if type_ == "smart_address":
        return {key: value for part in found if isinstance(part, dict) for key, value in part.items()}
    if type_ in SEVERAL or (not type_ and (code in codes.MULTITEXT or len(found) > 1)):
        return found
    return found[0] if found else None


def _one(type_: str, row: Any, at: dt.tzinfo) -> Any:
    value = row.get("value", row if type_ == "chained_list" else None) if isinstance(row, Mapping) else row
    if type_ == "smart_address" and isinstance(row, Mapping):
        part = str(row.get("enum_code") or ADDRESS_PARTS.get(str(row.get("enum_id")), ""))
        return {part: value} if part and value not in (None, "") else None
    if type_ in _DAYS:
        moment = moment_of(value, at)
        return moment.astimezone(at).date().isoformat() if moment else None
    if type_ == "date_time":
        moment = moment_of(value, at)
        return moment.astimezone(dt.UTC).isoformat() if moment else None
    if type_ == "checkbox":
        return str(value).strip().lower() not in _NO if value is not None else None
    if isinstance(value, bool) or value is None or isinstance(value, (Mapping, list)):
        return value
    return str(value)


def moment_of(value: Any, at: dt.tzinfo) -> dt.datetime | None:
    """Return unix seconds, ISO text, a date or a datetime as a moment; a day or a time without zone is `at`'s."""
    if isinstance(value, dt.datetime):
        return value if value.tzinfo else value.replace(tzinfo=at)
    if isinstance(value, dt.date):
        return dt.datetime(value.year, value.month, value.day, tzinfo=at)
    text = str(value).strip() if not isinstance(value, (Mapping, list, bool)) and value is not None else ""
    digits = text.removeprefix("-")
    try:
        if digits.isascii() and digits.isdigit() and len(digits) <= 11:
            return dt.datetime.fromtimestamp(int(text), dt.UTC)
        moment = dt.datetime.fromisoformat(text) if len(text) >= 8 else None
    except (ValueError, OverflowError, OSError):
        try:
            day, month, year = (int(part) for part in text.split(".", 2))
            moment = dt.datetime(year, month, day)  # noqa: DTZ001 (the zone is put on below)
        except ValueError:
            return None
    return (moment if moment.tzinfo else moment.replace(tzinfo=at)) if moment else None


# --- writing ---------------------------------------------------------------------------------------------


def written(known: Field, given: Any, at: dt.tzinfo) -> list[dict[str, Any]] | None:
    """Return the `values` that put a plain value into a field; None empties it.

    Raises `Refused` where the value can't be one of the field's: an option that isn't there, a date that is none.
    """
    if given in (None, "", [], {}):
        return None
    many = given if isinstance(given, (list, tuple)) else [given]
    if known.type == "multiselect" and isinstance(given, str) and _option(known, given) is None:
        many = [part.strip() for part in given.split(",") if part.strip()]
    if known.type == "smart_address":
        return _address(known, given)
    if known.type not in SEVERAL and known.type != "multiselect" and len(many) > 1:
        many = [", ".join(str(part) for part in many)] if known.type in ("text", "textarea") else many[:1]
    return [_item(known, one, at) for one in many]


def _item(known: Field, given: Any, at: dt.tzinfo) -> dict[str, Any]:
    if isinstance(given, Mapping) and ("value" in given or "enum_id" in given or "enum_code" in given):
        return dict(given)
    if known.type == "chained_list" and isinstance(given, Mapping):
        return dict(given)
    if isinstance(given, Mapping):
        return {"value": dict(given)}  # legal_entity, file, linked_entity, payer, supplier, items
    if known.type == "multitext":
        return {"value": str(given), "enum_code": codes.MULTITEXT.get(known.code, "OTHER")}
    if known.type in _CHOICES:
        return _choice(known, str(given).strip())
    if known.type == "checkbox":
        return {"value": str(given).strip().lower() not in _NO}
    if known.type in _DAYS or known.type == "date_time":
        moment = moment_of(given, at)
        if moment is None:
            raise _no(known, f"{str(given)[:60]!r} is no date; write 2026-05-04 or 2026-05-04T18:30")
        if known.type in _DAYS:
            local = moment.astimezone(at)
            moment = dt.datetime(local.year, local.month, local.day, tzinfo=at)
        return {"value": int(moment.timestamp())}
    if known.type in _NUMBERS:
        return {"value": number(known, given)}
    return {"value": str(given)}


def number(known: Field, given: Any) -> str:
    """Return a number as text; raises `Refused` for what is none."""
    text = str(given).replace("\u00a0", "").replace(" ", "").replace(",", ".")
    try:
        found = Decimal(text)
    except InvalidOperation:
        raise _no(known, f"{str(given)[:60]!r} is no number") from None
    if not found.is_finite() or len(text) > 40:
        raise _no(known, f"{str(given)[:60]!r} is no number")
    return format(found, "f")


def _choice(known: Field, given: str) -> dict[str, Any]:
    option = _option(known, given)
    if option is not None:
        return {"enum_id": int(option)} if option.isdigit() else {"value": given}
    if not known.enums:
        return {"value": given}
    offered = ", ".join(list(known.enums.values())[:15])
    raise _no(known, f"has no option {given[:60]!r} (it has: {offered})")


def _option(known: Field, given: str) -> str | None:
    """Return the id of an option named by its words, its id or its code; None if there is none."""
    if given in known.enums:
        return given
    if given in known.codes:
        return known.codes[given]
    folded = given.casefold()
    return next((number for number, words in known.enums.items() if words.strip().casefold() == folded), None)


def _address(known: Field, given: Any) -> list[dict[str, Any]]:
    if isinstance(given, Mapping):
        parts = set(ADDRESS_PARTS.values())
        if unknown := [str(name) for name in given if name not in parts]:
            raise _no(known, f"has no part {unknown[0]!r} (it has: {', '.join(ADDRESS_PARTS.values())})")
        return [{"value": str(value), "enum_code": str(name)} for name, value in given.items() if value]
    if isinstance(given, (list, tuple)):
        return [dict(row) for row in given if isinstance(row, Mapping)]
    return [{"value": str(given), "enum_code": "address_line_1"}]


def _no(known: Field, words: str) -> Refused:
    label = f"field {known.id} ({known.name})" if known.name else f"field {known.id}"
    return Refused(f"{label}: {words}", {known.id: words})


def shown(known: Field, rows: list[dict[str, Any]] | None, at: dt.tzinfo) -> Any:
    """Return what a field will say once `rows` are written: the plain value that a read brings back."""
    full = []
    for row in rows or []:
        if "value" not in row and (option := known.enums.get(str(row.get("enum_id")))) is not None:
            row = {**row, "value": option}
        full.append(row)
    return plain(known.type, full, known.code, at)


# --- small words -----------------------------------------------------------------------------------------


def _rows(value: Any) -> list[Mapping[str, Any]]:
    if isinstance(value, Mapping):
        value = list(value.values())
    return [row for row in value if isinstance(row, Mapping)] if isinstance(value, list) else []


def _rows_of_values(value: Any) -> list[Any]:
    if isinstance(value, Mapping):
        return list(value.values())
    return value if isinstance(value, list) else []


def _text(value: Any) -> str:
    return "" if value is None or isinstance(value, (Mapping, list, bool)) else str(value)[:200]
