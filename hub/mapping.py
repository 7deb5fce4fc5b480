"""From what came in to what goes out: the values of `set`, `find`, `where`, `json`, evaluated for one event.

A source answers `get(scope)` with a value, ABSENT (leave the field out) or CLEAR (send it empty). Everything is
taken apart when the configuration is read; evaluating only follows paths and calls functions.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from typing import Any, Protocol

from hub import normal
from hub.conditions import Condition
from hub.errors import Refused
from hub.paths import ABSENT, Path, Scope, duration, empty, instant, number, plain, text

#: longest text a transform may make
LONGEST = 65_536


class MappingFailed(Refused):
    """A value couldn't be worked out for this event; the message names the transform or template."""

    code = "mapping_failed"


class Source(Protocol):
    """Where one value comes from."""

    def get(self, scope: Scope) -> Any:
        """Return the value for this event, or ABSENT."""

    def paths(self) -> list[Path]:
        """Return the paths it looks at."""


@dataclass(frozen=True, slots=True)
class Constant:
    """Itself. `keep` sends it even when it is empty (`{value: ""}`)."""

    value: Any
    keep: bool = False

    def get(self, scope: Scope) -> Any:
        """Return the constant."""
        return self.value

    def paths(self) -> list[Path]:
        """Return nothing."""
        return []


@dataclass(frozen=True, slots=True)
class Leave:
    """`leave`: the field isn't touched."""

    def get(self, scope: Scope) -> Any:
        """Return ABSENT."""
        return ABSENT

    def paths(self) -> list[Path]:
        """Return nothing."""
        return []


@dataclass(frozen=True, slots=True)
class Copy:
    """A path as it stands; a whole record becomes its id."""

    path: Path

    def get(self, scope: Scope) -> Any:
        """Return the value at the path."""
        value = scope.get(self.path)
        if isinstance(value, str):
            return value
        if len(self.path.parts) == 1 and isinstance(value, Mapping):
            return value.get("id", ABSENT)
        return plain(value)

    def paths(self) -> list[Path]:
        """Return the path."""
        return [self.path]


@dataclass(frozen=True, slots=True)
class Transform:
    """One step of `via`, with its arguments already bound."""

    name: str
    function: Callable[..., Any]
    args: tuple[Any, ...] = ()

    def __call__(self, scope: Scope, value: Any) -> Any:
        """Return the transformed value."""
        try:
            return self.function(scope, value, *self.args)
        except Refused:
            raise
        except Exception as error:  # a plugin's function may raise anything; the delivery is parked, visibly
            raise MappingFailed(f"{self.name} of {text(value)[:60]!r}: {error}") from error


@dataclass(frozen=True, slots=True)
class From:
    """`{from, via, map, default}`: copy, transform, translate, else the default."""

    path: Path
    via: tuple[Transform, ...] = ()
    table: Mapping[str, Source] | None = None
    default: Source | None = None

    def get(self, scope: Scope) -> Any:
        """Return the value after all of it."""
        value = scope.get(self.path)
        if not empty(value):
            for transform in self.via:
                value = transform(scope, value)
                if empty(value):
                    break
            else:
                value = plain(value)
        if self.table is not None and not empty(value):
            row = self.table.get(text(value)) or self.table.get("other")
            value = row.get(scope) if row is not None else ABSENT
        if empty(value):
            return self.default.get(scope) if self.default is not None else ABSENT
        return value

    def paths(self) -> list[Path]:
        """Return the path and those of default and table."""
        inner = [*(self.table or {}).values(), *([self.default] if self.default else [])]
        return [self.path, *(path for source in inner for path in source.paths())]


@dataclass(frozen=True, slots=True)
class First:
    """`{first: [...]}`: the first that isn't empty."""

    sources: tuple[Source, ...]

    def get(self, scope: Scope) -> Any:
        """Return the first value that isn't empty."""
        for source in self.sources:
            value = source.get(scope)
            if not empty(value):
                return value
        return ABSENT

    def paths(self) -> list[Path]:
        """Return the paths of all."""
        return [path for source in self.sources for path in source.paths()]


@dataclass(frozen=True, slots=True)
class Listing:
    """A list whose items are sources; what is empty drops out."""

    items: tuple[Source, ...]

    def get(self, scope: Scope) -> Any:
        """Return the list, or ABSENT when nothing is left."""
        found = [value for source in self.items if not empty(value := source.get(scope))]
        return found or ABSENT

    def paths(self) -> list[Path]:
        """Return the paths of all."""
        return [path for source in self.items for path in source.paths()]


@dataclass(frozen=True, slots=True)
class Staged:
    """A stage that is only known at the time: our words from a table or form become the vendor's codes."""

    source: Source
    stages: Mapping[str, str]

    def get(self, scope: Scope) -> Any:
        """Return the code of the stage."""
        value = self.source.get(scope)
        if isinstance(value, list):
            return [self.stages.get(item, item) if isinstance(item, str) else item for item in value]
        return self.stages.get(value, value) if isinstance(value, str) else value

    def paths(self) -> list[Path]:
        """Return the paths of the source."""
        return self.source.paths()


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a mapping: `key` as the vendor calls it, `word` as it was written, `place` where that stands."""

    key: str
    source: Source
    when: Condition | None = None
    word: str = ""
    place: str = ""


@dataclass(frozen=True, slots=True)
class Values:
    """The lines under `set`, `find`, `where` or a nested mapping."""

    lines: tuple[Line, ...] = ()

    def evaluate(self, scope: Scope) -> dict[str, Any]:
        """Return what is to be sent. Empty sources are left out; a line whose `when` fails too."""
        out: dict[str, Any] = {}
        for line in self.lines:
            if line.when is not None and not line.when.holds(scope):
                continue
            source = line.source
            value = source.get(scope)
            if not empty(value) or (type(source) is Constant and source.keep):
                out[line.key] = value
        return out

    def get(self, scope: Scope) -> Any:
        """Return the mapping as a value of another one, ABSENT when nothing is in it."""
        return self.evaluate(scope) or ABSENT

    def paths(self) -> list[Path]:
        """Return every path the lines look at."""
        found = []
        for line in self.lines:
            found += line.source.paths()
            if line.when is not None:
                found += line.when.paths()
        return found

    def __bool__(self) -> bool:
        return bool(self.lines)

    def __iter__(self) -> Any:
        return iter(self.lines)

    def keys(self) -> tuple[str, ...]:
        """Return the vendor keys."""
        return tuple(line.key for line in self.lines)


class Criteria(Values):
    """The lines under `find`. Unlike `set`, nothing is left out: a search without one of its values finds too much."""

    def evaluate(self, scope: Scope) -> dict[str, Any]:
        """Return what to search by, or an empty mapping when a value is missing: then nothing can be found."""
        asked = Values.evaluate(self, scope)
        wanted = sum(1 for line in self.lines if line.when is None or line.when.holds(scope))
        return asked if len(asked) == wanted else {}


# --- transforms: scope and value in, value out -----------------------------------------------------------------------

Function = Callable[..., Any]


def _each(function: Callable[[str], Any]) -> Function:
    """Make a transform out of a function of one text; a list is transformed item by item."""

    def transform(scope: Scope, value: Any) -> Any:
        if isinstance(value, list | tuple):
            return [function(text(item)) for item in value]
        return function(text(value))

    return transform


def _capped(result: str) -> str:
    if len(result) > LONGEST:
        raise MappingFailed(f"the text grew beyond {LONGEST // 1024} KB")
    return result


def _truncate(scope: Scope, value: Any, length: Any = "255") -> str:
    limit = max(0, int(length))
    whole = text(value)
    return whole if len(whole) <= limit else whole[: max(0, limit - 1)].rstrip() + "…"[:limit]


def _replace(scope: Scope, value: Any, old: Any, new: Any = "") -> str:
    whole, old, new = text(value), text(old), text(new)
    if not old:
        return whole
    if len(whole) + whole.count(old) * (len(new) - len(old)) > LONGEST:
        raise MappingFailed(f"the text grew beyond {LONGEST // 1024} KB")
    return whole.replace(old, new)


def _join(scope: Scope, value: Any, separator: Any = ", ", attribute: str = "") -> str:
    rows = value if isinstance(value, list | tuple) else [value]
    if attribute:
        rows = [_attribute(row, attribute) for row in rows]
    return _capped(text(separator).join(piece for row in rows[:10_000] if (piece := text(row))))


def _attribute(row: Any, name: str) -> Any:
    return row.get(name) if isinstance(row, Mapping) else getattr(row, "part", lambda _: ABSENT)(name)


def _phone(scope: Scope, value: Any) -> Any:
    return normal.phone(text(value), scope.config.hub.region) or ABSENT


def _email(scope: Scope, value: Any) -> Any:
    return normal.email(text(value)) or ABSENT


def _money(scope: Scope, value: Any) -> Any:
    amount = number(value)
    return ABSENT if amount is None else format(amount.quantize(Decimal("0.01"), ROUND_HALF_UP), "f")


def _number(scope: Scope, value: Any) -> Any:
    amount = number(value)
    return ABSENT if amount is None else format(amount.normalize(), "f")


def _date(scope: Scope, value: Any, pattern: Any = "%Y-%m-%d") -> Any:
    zone = scope.config.hub.zone
    moment = instant(value, zone)
    return ABSENT if moment is None else moment.astimezone(zone).strftime(text(pattern))


def _plus(scope: Scope, value: Any, span: Any) -> Any:
    seconds, sign = duration(text(span).lstrip("+-")), -1 if text(span).startswith("-") else 1
    if seconds is None:
        raise MappingFailed(f'"{text(span)}" is no duration: 30s, 5m, 3h, 2d')
    zone = scope.config.hub.zone
    moment = instant(value, zone)
    return ABSENT if moment is None else (moment + _span(sign * seconds)).astimezone(zone)


def _span(seconds: float) -> Any:
    import datetime as dt

    return dt.timedelta(seconds=seconds)


def _unix(scope: Scope, value: Any) -> Any:
    moment = instant(value, scope.config.hub.zone)
    return ABSENT if moment is None else str(int(moment.timestamp()))


def _since(scope: Scope, value: Any, start: Any = None) -> Any:
    """Return the time between two moments in words (`12 min`, `3 h`, `2 d`); one moment alone counts up to now."""
    zone = scope.config.hub.zone
    end, begin = (
        (instant(scope.now), instant(value, zone)) if start is None else (instant(value, zone), instant(start, zone))
    )
    if end is None or begin is None:
        return ABSENT
    seconds = int(abs((end - begin).total_seconds()))
    for size, unit in ((86400, "d"), (3600, "h"), (60, "min")):
        if seconds >= 2 * size or (seconds >= size and unit != "d"):
            return f"{seconds // size} {unit}"
    return f"{seconds} s"


def _default(scope: Scope, value: Any, other: Any = "") -> Any:
    return other if empty(value) else value


def _int(scope: Scope, value: Any, other: Any = 0) -> Any:
    amount = number(value)
    return int(amount) if amount is not None else other


def _first(scope: Scope, value: Any) -> Any:
    return (value[0] if value else ABSENT) if isinstance(value, list | tuple) else value


def _last(scope: Scope, value: Any) -> Any:
    return (value[-1] if value else ABSENT) if isinstance(value, list | tuple) else value


def _split(scope: Scope, value: Any, separator: Any = ",") -> Any:
    return [piece.strip() for piece in text(value).split(text(separator) or ",") if piece.strip()][:10_000]


def _hash(name: str) -> Callable[[str], str]:
    return lambda value: hashlib.new(name, value.encode(), usedforsecurity=False).hexdigest()


#: by name: (function, fewest arguments, most arguments)
TRANSFORMS: Mapping[str, tuple[Function, int, int]] = {
    "strip": (_each(lambda value: " ".join(value.split())), 0, 0),
    "lower": (_each(str.lower), 0, 0),
    "upper": (_each(lambda value: _capped(value.upper())), 0, 0),
    "title": (_each(lambda value: _capped(value.title())), 0, 0),
    "capitalize": (_each(lambda value: _capped(value.capitalize())), 0, 0),
    "digits": (_each(lambda value: re.sub(r"\D", "", value)), 0, 0),
    "md5": (_each(_hash("md5")), 0, 0),
    "sha256": (_each(_hash("sha256")), 0, 0),
    "text": (lambda scope, value: _capped(text(value)), 0, 0),
    "first_word": (_each(lambda value: normal.split_name(value)[0]), 0, 0),
    "other_words": (_each(lambda value: normal.split_name(value)[1]), 0, 0),
    "phone": (_phone, 0, 0),
    "email": (_email, 0, 0),
    "number": (_number, 0, 0),
    "int": (_int, 0, 1),
    "money": (_money, 0, 0),
    "truncate": (_truncate, 0, 1),
    "replace": (_replace, 1, 2),
    "split": (_split, 0, 1),
    "join": (_join, 0, 1),
    "first": (_first, 0, 0),
    "last": (_last, 0, 0),
    "date": (_date, 0, 1),
    "plus": (_plus, 1, 1),
    "unix": (_unix, 0, 0),
    "since": (_since, 0, 1),
    "default": (_default, 0, 1),
}
