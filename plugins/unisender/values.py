"""What routes write, read as the vendor wants it; what can't be is refused before anything is sent. Pure."""

from __future__ import annotations

import base64
import binascii
import datetime as dt
from collections.abc import Iterable, Mapping
from typing import Any

from hub import normal
from hub.errors import Refused

YES = frozenset({"1", "yes", "true", "on"})


def text(value: Any) -> str:
    """Return a value as text; a flag as 1 or 0, a list with commas."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "1" if value else "0"
    if isinstance(value, list | tuple):
        return ",".join(text(item) for item in value)
    return str(value).strip()


def items(value: Any) -> list[str]:
    """Return a list, or a text with commas, as texts; empty ones drop out."""
    parts: Iterable[Any] = value if isinstance(value, list | tuple) else text(value).split(",")
    return [part for item in parts if (part := text(item))]


def flag(value: Any) -> bool:
    """Return whether a switch is on: `yes`, `1`, `true`."""
    return text(value).lower() in YES


def switch(value: Any) -> str:
    """Return a switch as the vendor writes it, 1 or 0."""
    return "1" if flag(value) else "0"


def needed(values: Mapping[str, Any], name: str, what: str) -> str:
    """Return a value that must be there."""
    given = text(values.get(name))
    if not given:
        raise Refused(f"{what}: {name} is empty", {name: "is empty"})
    return given


def email(value: Any, name: str = "email") -> str:
    """Return an address, or refuse it."""
    address = normal.email(text(value))
    if address is None:
        raise Refused(f"{name}: {text(value)[:80]!r} is no e-mail address", {name: "is no e-mail address"})
    return address


def phone(value: Any, region: str, name: str = "phone") -> str:
    """Return a phone as E.164: whether the vendor reads national spellings is not confirmed."""
    number = normal.phone(text(value), region)
    if number is None:
        raise Refused(f"{name}: {text(value)[:40]!r} is no phone number", {name: "is no phone number"})
    return number


def list_ids(value: Any, words: Mapping[str, str], name: str = "list_ids") -> list[str]:
    """Return list ids; `words` are the setting `lists`."""
    found = [words.get(one, one) for one in items(value)]
    for one in found:
        if not one.isdecimal():
            known = ", ".join(sorted(words)) or "none yet"
            raise Refused(
                f"{name}: no list {one!r}: neither an id nor one of your words in `lists` ({known})",
                {name: "no such list"},
            )
    return list(dict.fromkeys(found))


def memberships(ids: Iterable[str], words: Mapping[str, str], status: str) -> dict[str, str]:
    """Return what a contact is in each list, named as events name it; no list stands for all of them (`*`)."""
    named = {id_: word for word, id_ in words.items()}
    return dict.fromkeys((named.get(one, one) for one in ids), status) or {"*": status}


def fields(values: Mapping[str, Any], words: Mapping[str, str], region: str) -> dict[str, str]:
    """Return a contact's fields: `fields`, with `email` and `phone` beside it as a shorter way to say them.

    words: names.fields of the connection, our word -> the vendor's name. A field that a route gives no value stays
    as it is.
    """
    given = values.get("fields")
    if given is not None and not isinstance(given, Mapping):
        raise Refused("fields: should be names with values: {Name: contact.first_name}", {"fields": "no mapping"})
    asked = {**(given or {}), **{name: values[name] for name in ("email", "phone") if text(values.get(name))}}
    out: dict[str, str] = {}
    for word, value in asked.items():
        name = words.get(word, word)
        if not name or set(name) & set("[]"):
            raise Refused(f"fields: {name!r} can't be a field's name", {"fields": f"{name}: no such field"})
        if name in ("email", "phone"):
            if text(value):
                out[name] = email(value) if name == "email" else phone(value, region)
        elif value is not None:
            out[name] = text(value)
    return out


def files(value: Any) -> dict[str, bytes]:
    """Return attachments, name -> content: a text, or `{base64: ...}` for what is no text."""
    if not value:
        return {}
    if not isinstance(value, Mapping):
        raise Refused("attachments: should be names with contents: {price.txt: text}", {"attachments": "no mapping"})
    out = {}
    for name, content in value.items():
        if isinstance(content, Mapping):
            try:
                out[str(name)] = base64.b64decode(text(content.get("base64")), validate=True)
            except binascii.Error:
                raise Refused(f"attachments: {name} is no base64", {"attachments": f"{name}: no base64"}) from None
        else:
            out[str(name)] = str(content).encode()
    return out


def moment(value: Any, pattern: str = "%Y-%m-%d %H:%M:%S") -> str:
    """Return an instant in UTC as the vendor writes it; a text without a zone goes out as it is."""
    given = text(value)
    try:
        at = dt.datetime.fromisoformat(given)
    except ValueError:
        return given
    return given if at.tzinfo is None else at.astimezone(dt.UTC).strftime(pattern)
