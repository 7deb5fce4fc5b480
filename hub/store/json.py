"""JSON text as the store keeps it."""

from __future__ import annotations

from typing import Any

import orjson


def dumps(value: Any) -> str:
    """Return compact JSON text; dates become ISO text, decimals text."""
    return orjson.dumps(value, default=str, option=orjson.OPT_NON_STR_KEYS).decode()


def loads(text: str | bytes | None) -> Any:
    """Return the value, None for no text."""
    return None if text is None else orjson.loads(text)
