"""Lists: filters with their prefixes, order, select."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable, Iterable
from typing import Any

from plugins.bitrix24.sandbox.fields import FM_TYPES, Field
from plugins.bitrix24.sandbox.records import BINDINGS
from plugins.bitrix24.sandbox.values import comparable
from plugins.bitrix24.sandbox.words import RestError, as_list, as_map

Record = dict[str, Any]
Test = Callable[[Record], bool]
_PREFIX = re.compile(r"^(!=%|!%=|=%|%=|!@|!=|!%|>=|<=|@|!|>|<|=|%)?(.*)$")
_ORDERINGS: dict[str, Callable[[Any, Any], bool]] = {
    ">": lambda kept, wanted: kept > wanted,
    ">=": lambda kept, wanted: kept >= wanted,
    "<": lambda kept, wanted: kept < wanted,
    "<=": lambda kept, wanted: kept <= wanted,
}


def old_filter(kind: str, fields: dict[str, Field], conditions: dict[str, Any]) -> Test:
    """Build the filter of an old list method: unknown fields are ignored, phones and e-mails match exactly."""
    tests = []
    for key, wanted in conditions.items():
        operation, name = split_prefix(key)
        if name in FM_TYPES:
            tests.append(_multifield_test(name, operation, wanted))
        elif name in fields:
            tests.append(_test(kind, fields[name], operation, wanted))
    return lambda record: all(test(record) for test in tests)


def item_filter(kind: str, fields: dict[str, Field], conditions: dict[str, Any]) -> Test:
    """Build the filter of crm.item.list: `{"logic": "OR", "0": {..}}` groups; an unknown field is an error."""
    conditions = dict(conditions)
    either = str(conditions.pop("logic", "AND")).upper() == "OR"
    tests = []
    for key, wanted in conditions.items():
        if key.isdigit() and isinstance(wanted, dict | list):
            tests.append(item_filter(kind, fields, as_map(wanted)))
            continue
        operation, name = split_prefix(key)
        if name not in fields:
            text = f"Invalid filter: field '{name}' is not allowed in filter"
            raise RestError("INVALID_ARG_VALUE", text)
        tests.append(_test(kind, fields[name], operation, wanted))
    if either and tests:
        return lambda record: any(test(record) for test in tests)
    return lambda record: all(test(record) for test in tests)


def split_prefix(key: str) -> tuple[str, str]:
    """Split `>=DATE_CREATE` into its operation and its field."""
    found = _PREFIX.match(key)
    return (found.group(1) or "=", found.group(2)) if found else ("=", key)


def _test(kind: str, field: Field, operation: str, wanted: Any) -> Test:
    single, every = BINDINGS.get(kind, ("", ""))
    bound = field.name in (single, every)
    check = matcher(field.kind, operation, wanted)

    def test(record: Record) -> bool:
        value = record[every] if bound else record.get(field.name)
        return check(value if isinstance(value, list) else [value])

    return test


def _multifield_test(type_id: str, operation: str, wanted: Any) -> Test:
    exact = operation if operation in ("!", "!=", "!@") else "@"
    check = matcher("string", exact, wanted)
    return lambda record: check([row["VALUE"] for row in record["fm"] if row["TYPE_ID"] == type_id])


def matcher(kind: str, operation: str, wanted: Any) -> Callable[[list[Any]], bool]:
    """Return a check of a field's values (several in a multiple field) against a condition."""
    if operation.startswith("!"):
        plain = matcher(kind, operation[1:] or "=", wanted)
        return lambda values: not plain(values)
    if operation in _ORDERINGS:
        compare, limit = _ORDERINGS[operation], comparable(kind, wanted)
        return lambda values: any(_ordered(compare, comparable(kind, each), limit) for each in values)
    if "%" in operation:
        pattern = _like(str(wanted), explicit="=" in operation)
        return lambda values: any(pattern.search("" if each is None else str(each)) for each in values)
    options = [comparable(kind, each) for each in (as_list(wanted) or [""])]
    return lambda values: any(comparable(kind, each) in options for each in values or [None])


def _ordered(compare: Callable[[Any, Any], bool], kept: Any, limit: Any) -> bool:
    return kept is not None and limit is not None and compare(kept, limit)


def _like(text: str, explicit: bool) -> re.Pattern[str]:
    """Make a LIKE pattern: `%` finds a substring, `=%` and `%=` take the caller's own percent signs."""
    if not explicit:
        return re.compile(re.escape(text), re.IGNORECASE)
    return re.compile("^" + ".*".join(map(re.escape, text.split("%"))) + "$", re.IGNORECASE | re.DOTALL)


def ordered(records: Iterable[Record], fields: dict[str, Field], order: dict[str, Any]) -> list[Record]:
    """Sort records by `{field: ASC|DESC}`; by id where nothing else is said."""
    rows = sorted(records, key=lambda record: record["ID"])
    for name, way in reversed(order.items()):
        if field := fields.get(name):
            rows.sort(key=lambda record, by=field: _sort_key(by, record), reverse=str(way).upper() == "DESC")  # type: ignore[misc]
    return rows


def _sort_key(field: Field, record: Record) -> tuple[bool, Any]:
    value = record.get(field.name)
    key = comparable(field.kind, value[0] if isinstance(value, list) and value else value)
    if key is None or isinstance(key, list):
        return (False, dt.date.min if field.kind == "date" else dt.datetime.min.replace(tzinfo=dt.UTC))
    return (True, key)
