"""JSON from a stranger: parsed by orjson once the bytes have shown that they are neither too deep nor too many.

A deeply nested or endlessly wide body is turned away before it costs memory; a name given twice in one object is
turned away too, because two readers of such a body may see two different messages (RFC 8259, section 4).
"""

from __future__ import annotations

import re
from typing import Any

import orjson

from hub.errors import Rejected

MAX_DEPTH = 64
MAX_KEYS = 10_000

# The closing quote is optional, so that an endless string is matched once and never tried again from its middle.
_STRING = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"?', re.DOTALL)
_ALL_BUT_BONES = bytes(set(range(256)) - set(b"[]{}:"))


def loads(body: bytes, max_depth: int = MAX_DEPTH, max_keys: int = MAX_KEYS) -> Any:
    """Return the JSON value in `body` (UTF-8, a byte-order mark is forgiven).

    Raises `Rejected` 413 for more than `max_keys` members, or more lists and objects than that; 400 for anything
    else that isn't sound JSON: nested deeper than `max_depth`, broken UTF-8, NaN, a name given twice in one object,
    an empty body.
    """
    body = body.removeprefix(b"\xef\xbb\xbf")
    if not body.strip():
        raise Rejected(400, "the body is empty, JSON was expected")
    members = _measure(body, max_depth, max_keys)
    try:
        value = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise Rejected(400, f"the body is not JSON: {str(error)[:120]}") from None
    if _members(value) != members:
        raise Rejected(400, "a name stands twice in one JSON object")
    return value


def _measure(body: bytes, max_depth: int, max_keys: int) -> int:
    """Return the number of object members that the text holds; raise if it is too deep or too much."""
    bones = _STRING.sub(b"", body).translate(None, _ALL_BUT_BONES)
    members = bones.count(b":")
    depth = 0
    for byte in bones:
        if byte in b"[{":
            depth += 1
            if depth > max_depth:
                raise Rejected(400, f"JSON nested deeper than {max_depth} levels")
        elif byte in b"]}":
            depth -= 1
    if members > max_keys or bones.count(b"[") + bones.count(b"{") > max_keys:
        raise Rejected(413, f"more than {max_keys} keys in the JSON body")
    return members


def _members(value: Any) -> int:
    """Return the number of object members in the parsed value, at all levels."""
    count, waiting = 0, [value]
    while waiting:
        item = waiting.pop()
        if isinstance(item, dict):
            count += len(item)
            waiting.extend(below for below in item.values() if isinstance(below, (dict, list)))
        elif isinstance(item, list):
            waiting.extend(below for below in item if isinstance(below, (dict, list)))
    return count
