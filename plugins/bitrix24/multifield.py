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


def written(field: str, value: Any, region: str = "") -> list[dict[str, Any]]:
    """Return what to write for `value`: a text, a list of texts, or the vendor's own rows.

    A valid phone is written as E.164, whoever typed it: the portal's search compares whole numbers and finds no
    other spelling. A number with an extension, and what is no number, stays as it is.
    """
    items = value if isinstance(value, (list, tuple)) else [value]
    rows: list[dict[str, Any]] = []
    for item in items:
        if isinstance(item, Mapping):
            rows.append({str(key): item[key] for key in item})
        elif item not in (None, ""):
            rows.append({"VALUE": str(item), "VALUE_TYPE": "OTHER" if field == "IM" else "WORK"})
    if field == "PHONE":
        for row in rows:
            if row.get("VALUE"):
                row["VALUE"] = _e164(str(row["VALUE"]), region)
    return rows


def _e164(text: str, region: str) -> str:
    """Return a valid number as E.164, anything else as it came."""
    letters = any(sign.isalpha() or sign in ",;#*" for sign in text)
    return text if letters else normal.phone(text, region) or text


def same(field: str, value: str, region: str) -> str:
    """Return the spelling by which two values are compared: E.164, lower-case e-mail, else the text."""
    if field == "PHONE":
        return normal.phone(value, region) or value.strip()
    if field == "EMAIL":
        return normal.email(value) or value.strip().lower()
    return value.strip()


def missing(field: str, value: Any, raw: Mapping[str, Any], region: str) -> list[dict[str, Any]]:
    """Return the rows of `value` that the record doesn't have yet; rows with an ID are changes and stay."""
    have = {same(field, kept, region) for kept in values(raw, field)}
    rows = []
    for row in written(field, value, region):
        spelling = same(field, row.get("VALUE", ""), region)
        if row.get("ID") or spelling not in have:
            rows.append(row)
            have.add(spelling)
    return rows


def holds(wrote: Any, stands: Any) -> bool:
    """Return whether rows still say what was written: by their ids, or by their values where none had one yet."""
    ours, theirs = ([row for row in rows or () if isinstance(row, Mapping)] for rows in (wrote, stands))
    names = ("ID", "VALUE") if all(row.get("ID") for row in ours) else ("VALUE",)
    told = [sorted(tuple(str(row.get(name) or "") for name in names) for row in rows) for rows in (ours, theirs)]
    return told[0] == told[1]


def restored(before: Any, now: Any) -> list[dict[str, Any]]:
    """Return the rows that bring a field back to `before`: what was added is emptied, what was changed changed back.

    A row with an ID and an empty VALUE is deleted; one without an ID is added (crm.deal.update, old multifields).
    """
    was = {str(row.get("ID")): row for row in before or () if isinstance(row, Mapping)}
    stands = {str(row.get("ID")): row for row in now or () if isinstance(row, Mapping)}
    rows: list[dict[str, Any]] = [{"ID": id, "VALUE": ""} for id in stands if id not in was]
    for id, row in was.items():
        said = {"VALUE": row.get("VALUE"), "VALUE_TYPE": row.get("VALUE_TYPE") or "WORK"}
        if id not in stands:
            rows.append(said)
        elif stands[id].get("VALUE") != row.get("VALUE"):
            rows.append({"ID": id, **said})
    return rows


def replaced(field: str, value: Any, raw: Mapping[str, Any], region: str) -> list[dict[str, Any]]:
    """Return the rows that leave just the values of `value`: those too many are changed into new ones, or deleted.

    What is no phone or e-mail (an extension, a word) stays: whoever names the wanted ones hasn't seen it.
    """
    wanted = missing(field, value, raw, region)
    keep = {same(field, str(row.get("VALUE", "")), region) for row in written(field, value, region)}
    there = [row for row in raw.get(field) or [] if isinstance(row, Mapping) and row.get("ID")]
    surplus = [
        row
        for row in there
        if same(field, text := str(row.get("VALUE") or ""), region) not in keep and _valid(field, text, region)
    ]
    rows = [{"ID": old["ID"], "VALUE": new["VALUE"]} for old, new in zip(surplus, wanted, strict=False)]
    rows += [{"ID": old["ID"], "DELETE": "Y"} for old in surplus[len(wanted) :]]
    return rows + wanted[len(surplus) :]


def _valid(field: str, value: str, region: str) -> bool:
    if field == "PHONE":
        return normal.phone(value, region) is not None
    return field != "EMAIL" or normal.email(value) is not None


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
