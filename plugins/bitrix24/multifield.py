"""Phones, e-mails and messengers: Bitrix24 keeps several of each, with an id and a type per value.

Writing a value without an id appends it (https://apidocs.bitrix24.ru/api-reference/crm/data-types.html#crm_multifield),
so an update must look first, or each one adds a copy.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import phonenumbers

from hub import normal
from plugins.bitrix24 import codes


def values(raw: Mapping[str, Any], field: str) -> list[str]:
    """Return the values of a multifield as the vendor keeps them, in its order."""
    rows = raw.get(field)
    if not isinstance(rows, list):
        return []
    return [str(row["VALUE"]) for row in rows if isinstance(row, Mapping) and row.get("VALUE")]


def written(field: str, value: Any) -> list[dict[str, str]]:
    """Return what to write for `value`: a text, a list of texts, or the vendor's own rows, left as they are."""
    items = value if isinstance(value, (list, tuple)) else [value]
    rows = []
    for item in items:
        if isinstance(item, Mapping):
            rows.append({str(key): item[key] for key in item})
        elif item not in (None, ""):
            rows.append({"VALUE": str(item), "VALUE_TYPE": "OTHER" if field == "IM" else "WORK"})
    return rows


def same(field: str, value: str, region: str) -> str:
    """Return the spelling by which two values are compared: E.164, lower-case e-mail, else the text."""
    if field == "PHONE":
        return normal.phone(value, region) or value.strip()
    if field == "EMAIL":
        return normal.email(value) or value.strip().lower()
    return value.strip()


def missing(field: str, value: Any, raw: Mapping[str, Any], region: str) -> list[dict[str, str]]:
    """Return the rows of `value` that the record doesn't have yet; rows with an ID are changes and stay."""
    have = {same(field, kept, region) for kept in values(raw, field)}
    rows = []
    for row in written(field, value):
        spelling = same(field, row.get("VALUE", ""), region)
        if row.get("ID") or spelling not in have:
            rows.append(row)
            have.add(spelling)
    return rows


def handles(raw: Mapping[str, Any]) -> dict[str, str]:
    """Return the messengers of a record by channel: {"telegram": "@anna"}; open-line sessions are no handles."""
    channels = {code: channel for channel, code in codes.IM_TYPES.items()}
    found: dict[str, str] = {}
    for row in raw.get("IM") or []:
        if isinstance(row, Mapping) and (channel := channels.get(str(row.get("VALUE_TYPE")))) and row.get("VALUE"):
            found.setdefault(channel, str(row["VALUE"]))
    return found


def phone_spellings(number: str, region: str) -> list[str]:
    """Return the ways a number may stand in the CRM: `+7916..`, `7916..`, `8916..`; at most 20.

    crm.duplicate.findbycomm compares the whole number as it was typed
    (https://apidocs.bitrix24.ru/tutorials/crm/how-to-get-lists/search-by-phone-and-email.html).
    """
    known = normal.phone(number, region)
    if known is None:
        return [number]
    parsed = phonenumbers.parse(known)
    styles = phonenumbers.PhoneNumberFormat
    international = phonenumbers.format_number(parsed, styles.INTERNATIONAL)
    national = phonenumbers.format_number(parsed, styles.NATIONAL)
    digits = "".join(filter(str.isdigit, national))
    spellings = [known, known[1:], digits, international, national, number.strip()]
    if parsed.country_code == 380:
        spellings += ["8" + digits, national.replace(" ", "-")]
    return list(dict.fromkeys(spelling for spelling in spellings if spelling))[: codes.FINDBYCOMM_VALUES]
