"""Fields of a plugin's `Settings` beside marshmallow's own: what an admin writes, as a plugin wants it."""

from __future__ import annotations

import re
from typing import Any

from marshmallow import ValidationError, fields

_UNITS = {"": 1.0, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86_400.0}
_BARE = re.compile(r"\d{1,9}(\.\d{1,6})?")
_PART = re.compile(r"(\d{1,9}(?:\.\d{1,6})?)\s*([smhd])\s*")
_OFF = frozenset({"off", "no", "never", "0"})
_YES, _NO = frozenset({"yes", "true", "on", "1"}), frozenset({"no", "false", "off", "0"})


def seconds(text: Any) -> float:
    """Return a duration in seconds: `90`, `30s`, `10m`, `1h 30m`, `2d`. Raises ValueError."""
    words = str(text).strip().lower()
    if _BARE.fullmatch(words):
        return float(words)
    if not words or _PART.sub("", words):
        raise ValueError(f"{text!r} is not a duration; write for example 30s, 10m, 2h or 1d")
    return sum(float(number) * _UNITS[unit] for number, unit in _PART.findall(words))


class Duration(fields.Field[float]):
    """A duration as text, in seconds once loaded; `off` (`no`, `never`, `0`) is 0 where `off` allows it.

    least: no shorter one is taken; `short` says why.
    """

    def __init__(self, least: float = 0.0, off: bool = False, short: str = "", **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.least, self.off, self.short = least, off, short

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> float:
        if self.off and str(value).strip().lower() in _OFF:
            return 0.0
        try:
            found = seconds(value)
        except ValueError as error:
            raise ValidationError(f"{error}, or off" if self.off else str(error)) from None
        if found < self.least:
            raise ValidationError(self.short or f"{value!r} is too short: at least {self.least:.0f}s")
        return found


class Words(fields.Field[tuple[str, ...]]):
    """One word, or several separated by commas; also a list. Each once, in their order."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> tuple[str, ...]:
        parts = value if isinstance(value, list) else str(value).split(",")
        return tuple(dict.fromkeys(word for part in parts if (word := str(part).strip())))


class Switch(fields.Field[bool]):
    """`yes` or `no`."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> bool:
        word = str(value).strip().lower()
        if word not in _YES | _NO:
            raise ValidationError(f"{value!r} is neither yes nor no")
        return word in _YES
