"""Custom fields of the stand-in: what may be written, how it reads back, how it looks in a webhook."""

from __future__ import annotations

import datetime as dt
from typing import Any

from plugins.amocrm.sandbox.words import ApiError, objection

_PARTS = ["address_line_1", "address_line_2", "city", "state", "zip", "country"]
_TIMES = ("date", "date_time", "birthday")
_CHOICES = ("select", "multiselect", "radiobutton", "category")


class Bad(Exception):
    """A value that can't be one of its field's: code and words of the objection."""

    def __init__(self, code: str, path: str, detail: str) -> None:
        super().__init__(detail)
        self.code, self.path, self.detail = code, path, detail


def merged(
    fields: list[dict[str, Any]], kept: list[dict[str, Any]] | None, given: Any, request_id: Any
) -> list[dict[str, Any]] | None:  # fmt: skip
    """Return a record's custom fields after a write: each field named is replaced whole, the others stay."""
    if given is None:
        return kept
    if not isinstance(given, list):
        raise ApiError(
            400, "Request validation failed", [objection(request_id, "InvalidType", "custom_fields_values", "array")]
        )
    rows = {row["field_id"]: row for row in kept or []}
    for place, one in enumerate(given):
        try:
            known = _known(fields, one)
            values = one.get("values")
            if values in (None, []):
                rows.pop(known["id"], None)
                continue
            rows[known["id"]] = _row(known, [_stored(known, value) for value in values])
        except Bad as error:
            path = f"custom_fields_values.{place}.{error.path}"
            raise ApiError(
                400, "Request validation failed", [objection(request_id, error.code, path, error.detail)]
            ) from None
    return list(rows.values()) or None


def _known(fields: list[dict[str, Any]], given: Any) -> dict[str, Any]:
    number, code = (given.get("field_id"), given.get("field_code")) if isinstance(given, dict) else (None, None)
    for one in fields:
        if (number is not None and str(one["id"]) == str(number)) or (code and one["code"] == code):
            return one
    path = "field_id" if number is not None else "field_code"
    raise Bad("NotSupportedChoice", path, "The value you selected is not a valid choice.")


def _row(known: dict[str, Any], values: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "field_id": known["id"], "field_name": known["name"], "field_code": known["code"], "field_type": known["type"],
        "values": values, "is_computed": False,
    }  # fmt: skip


def _stored(known: dict[str, Any], given: Any) -> dict[str, Any]:
    """Return one value as it reads back."""
    kind = known["type"]
    if not isinstance(given, dict):
        raise Bad("InvalidType", "values", "This value should be of type array.")
    value = given.get("value")
    if kind in _CHOICES:
        for option in known["enums"] or []:
            if given.get("enum_id") == option["id"] or (value is not None and str(value) == option["value"]):
                return {"value": option["value"], "enum_id": option["id"], "enum_code": None}
        raise Bad("NotSupportedChoice", "values.0.value", "The value you selected is not a valid choice.")
    if kind == "multitext":
        code = str(given.get("enum_code") or "WORK")
        number = given.get("enum_id")
        option = next((o for o in known["enums"] if number == o["id"] or (number is None and o["value"] == code)), None)
        if option is None:
            raise Bad("NotSupportedChoice", "values.0.enum_code", "The value you selected is not a valid choice.")
        return {"value": str(value), "enum_id": option["id"], "enum_code": option["value"]}
    if kind == "smart_address":
        code = str(given.get("enum_code") or "")
        if code not in _PARTS:
            raise Bad("NotSupportedChoice", "values.0.enum_code", "The value you selected is not a valid choice.")
        return {"value": str(value), "enum_id": _PARTS.index(code) + 1, "enum_code": code}
    if kind == "checkbox":
        if not isinstance(value, bool):
            raise Bad("InvalidType", "values.0.value", "This value should be of type bool.")
        return {"value": value}
    if kind in _TIMES:
        return {"value": _unix(value)}
    if kind in ("numeric", "monetary", "price"):
        try:
            float(str(value))
        except ValueError:
            raise Bad("InvalidType", "values.0.value", "This value should be of type numeric.") from None
        return {"value": str(value)}
    if isinstance(value, dict):
        return {"value": value}
    if not isinstance(value, str):
        raise Bad("InvalidType", "values.0.value", "This value should be of type string.")
    return {"value": value}


def _unix(value: Any) -> int:
    """Take unix seconds and RFC 3339; a read gives unix seconds."""
    if isinstance(value, bool) or not isinstance(value, (int, str)):
        raise Bad("InvalidType", "values.0.value", "This value should be of type datetime.")
    if isinstance(value, int) or value.isdigit():
        return int(value)
    try:
        return int(dt.datetime.fromisoformat(value).timestamp())
    except ValueError:
        raise Bad("InvalidType", "values.0.value", "This value should be of type datetime.") from None


def of_hook(rows: list[dict[str, Any]] | None) -> list[dict[str, Any]]:
    """Return custom fields in the spelling of webhooks: `enum`, no type, dates without a `value`."""
    out = []
    for row in rows or []:
        one: dict[str, Any] = {"id": row["field_id"], "name": row["field_name"]}
        if row["field_type"] in _TIMES:
            one["values"] = [value["value"] for value in row["values"]]
        else:
            one["values"] = [
                {"value": "1" if value["value"] is True else "0" if value["value"] is False else value["value"]}
                | ({"enum": value["enum_id"]} if value.get("enum_id") else {})
                for value in row["values"]
            ]
        if row["field_code"] in ("PHONE", "EMAIL"):
            one["code"] = row["field_code"]
        out.append(one)
    return out


def texts(rows: list[dict[str, Any]] | None) -> list[str]:
    """Return every value as text: what `query` looks through."""
    return [str(value["value"]) for row in rows or [] for value in row["values"]]
