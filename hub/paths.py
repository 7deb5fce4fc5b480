"""Reading values off records: `deal.ttn`, `contact.phone`, `waybill.number`, and what kind of value was found.

Nothing here touches a clock, the network or a database: `Scope` is handed all it may see, `now` included.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Any, Final

from hub.model import Event, Owned

if TYPE_CHECKING:
    from hub.config.shapes import Config

Load = Callable[[str], Any]


class _Absent:
    """The value of a path that leads nowhere; false, and not equal to any text."""

    __slots__ = ()

    def __bool__(self) -> bool:
        return False

    def __repr__(self) -> str:
        return "absent"


ABSENT: Final = _Absent()


def empty(value: Any) -> bool:
    """Return whether the value counts as none: ABSENT, None, empty text, list or mapping. 0 and False don't."""
    return value is ABSENT or value is None or (not value and not isinstance(value, bool | int | float | Decimal))


class Path:
    """A path as written in the configuration, taken apart once. `Path("deal.was.stage").parts` has three words."""

    __slots__ = ("parts", "root", "text")

    def __init__(self, text: str) -> None:
        self.text = text
        self.parts = tuple(text.split("."))
        self.root = self.parts[0]

    @property
    def field(self) -> str:
        """The last word: `stage` in `deal.was.stage`."""
        return self.parts[-1]

    def __repr__(self) -> str:
        return f"Path({self.text!r})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Path) and self.text == other.text

    def __hash__(self) -> int:
        return hash(self.text)


_EVENT_FIELDS: Mapping[str, Callable[[Event], Any]] = {
    "id": lambda event: event.id,
    "type": lambda event: event.type,
    "connection": lambda event: event.connection,
    "channel": lambda event: event.channel,
    "text": lambda event: event.text,
    "title": lambda event: event.title,
    "at": lambda event: event.occurred_at,
    "by": lambda event: event.by,
    "key": lambda event: event.key,
    "subject": lambda event: event.subject,
}
_NO_NAMES: Mapping[str, str] = {}


class Scope:
    """All that a route may look at while it is planned or delivered.

    `results` are the results of earlier steps by their `as` name (None = the step found nothing), each with a key
    `_connection`. `person` is the person's record. `extra` adds roots (`error`, `item`). `load` is asked for records
    that aren't on the event, by path (`contact`, `parcel.deal`, `deal.responsible`), once each; it returns a record
    or None.
    """

    __slots__ = ("_loaded", "config", "event", "extra", "load", "now", "person", "results")

    def __init__(
        self, event: Event, config: Config, *, results: Mapping[str, Any] | None = None,
        person: Mapping[str, Any] | None = None, now: dt.datetime, extra: Mapping[str, Any] | None = None,
        load: Load | None = None,
    ) -> None:  # fmt: skip
        self.event = event
        self.config = config
        self.results: Mapping[str, Any] = results or {}
        self.person = person
        self.now = now
        self.extra: Mapping[str, Any] = extra or {}
        self.load = load
        self._loaded: dict[str, Any] = {}

    def get(self, path: Path) -> Any:
        """Return the value at the path, or ABSENT when there is none or it is empty."""
        value = self.find(path)[0]
        return ABSENT if empty(value) else value

    def find(self, path: Path) -> tuple[Any, str]:
        """Return what stands at the path, empty values as they are, and the connection it came from."""
        parts = path.parts
        if parts[0] == "event" and "event" not in self.results:
            return self._of_event(parts), self.event.connection
        value, connection = self._root(parts[0])
        for place in range(1, len(parts)):
            if value is ABSENT or value is None:
                return ABSENT, connection
            value, connection = self._part(value, parts, place, connection)
        return value, connection

    def part(self, value: Any, name: str, connection: str) -> tuple[Any, str]:
        """Return one field of a record that was found before (a row of a list)."""
        return self._part(value, ("", name), 1, connection)

    def stages(self, connection: str) -> Mapping[str, str]:
        """Return our words for the stages of a connection."""
        return self._names(connection, "stages")

    def changed(self, path: Path) -> bool:
        """Return whether this event changed the field: `was` holds its former value and it differs."""
        if path.root != self.event.kind or len(path.parts) < 2 or path.root in self.results:
            return False
        was, name = self._was(), path.parts[1]
        before, _ = self._field(was, name, self.event.connection)
        if before is ABSENT:
            return False
        now = self.find(path)[0]
        return bool(before != now and not (empty(before) and empty(now)))

    def needs_loading(self, path: Path) -> bool:
        """Return whether the path leads beyond what is at hand here: to a record that `load` would be asked for."""
        asked: list[str] = []
        probe = Scope(
            self.event, self.config, results=self.results, person=self.person, now=self.now, extra=self.extra,
            load=asked.append,
        )  # fmt: skip
        probe.find(path)
        return bool(asked)

    def _was(self) -> Mapping[str, Any]:
        record = self.event.record.get(self.event.kind)
        was = record.get("was") if isinstance(record, Mapping) else None
        return was or self.event.was

    def _of_event(self, parts: Sequence[str]) -> Any:
        if len(parts) == 1:
            return {name: read(self.event) for name, read in _EVENT_FIELDS.items()}
        read = _EVENT_FIELDS.get(parts[1])
        return read(self.event) if read and len(parts) == 2 else ABSENT

    def _root(self, name: str) -> tuple[Any, str]:
        if name in self.results:
            return self._owned(self.results[name], self.event.connection)
        if name in self.extra:
            return self._owned(self.extra[name], self.event.connection)
        if name == "now":
            return self.now, ""
        if name == "person":
            return (ABSENT if self.person is None else self.person), ""
        if name == "team":
            return self.config.team, ""
        record = self.event.record.get(name)
        if record is not None:
            return self._owned(record, self.event.connection)
        return self._ask(name, self.event.connection)

    def _part(self, value: Any, parts: Sequence[str], place: int, connection: str) -> tuple[Any, str]:
        name = parts[place]
        found: Any = ABSENT
        if isinstance(value, Mapping):
            found, connection = self._field(value, name, connection)
            if found is ABSENT and name == "was" and place == 1 and parts[0] == self.event.kind:
                found = self.event.was
        elif isinstance(value, list | tuple):
            found = _of_list(value, name)
        else:
            owner, connection = self._ask(".".join(parts[:place]), connection)
            return self._field(owner, name, connection) if isinstance(owner, Mapping) else (ABSENT, connection)
        if (found is ABSENT or found is None) and place < len(parts) - 1:
            return self._ask(".".join(parts[: place + 1]), connection)
        return found, connection

    def _field(self, record: Mapping[str, Any], name: str, connection: str) -> tuple[Any, str]:
        extra = record.get("extra")
        if not isinstance(extra, Mapping):  # a sender's own field may be called so
            extra = {}
        code = self._names(connection, "fields").get(name)
        if code is not None:
            if extra and code in extra:
                return extra[code], connection
            if code in record:
                return record[code], connection
        if name in record:
            return self._owned(record[name], connection)
        if extra and name in extra:
            return extra[name], connection
        fields = record.get("fields")
        if isinstance(fields, Mapping) and name in fields:
            return fields[name], connection
        return ABSENT, connection

    def _names(self, connection: str, what: str) -> Mapping[str, str]:
        known = self.config.connections.get(connection)
        return known.names.get(what, _NO_NAMES) if known is not None else _NO_NAMES

    def _ask(self, path: str, connection: str) -> tuple[Any, str]:
        if self.load is None:
            return ABSENT, connection
        if path not in self._loaded:
            self._loaded[path] = self.load(path)
        found = self._loaded[path]
        return self._owned(ABSENT if found is None else found, connection)

    @staticmethod
    def _owned(value: Any, connection: str) -> tuple[Any, str]:
        return value, value.get("_connection", connection) if isinstance(value, Owned) else connection


def _of_list(rows: Sequence[Any], name: str) -> Any:
    if name == "count":
        return len(rows)
    if name in ("first", "last"):
        return rows[0 if name == "first" else -1] if rows else ABSENT
    return rows[int(name)] if name.isdecimal() and len(name) < 6 and int(name) < len(rows) else ABSENT


# --- what a value is -----------------------------------------------------------------------------------------------

_NUMBER = re.compile(r"^[+-]?\d{1,30}(?:[.,]\d{1,18})?$")
_SPACES = re.compile(r"[\s\u00a0\u202f']")
_LOCAL_DATE = re.compile(r"^(\d{1,2})\.(\d{1,2})\.(\d{4})(?:[ T,]+(\d{1,2}):(\d{2})(?::(\d{2}))?)?$")
_DURATION = re.compile(r"^(\d{1,6})\s*(s|m|h|d|w)$")
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}


def number(value: Any) -> Decimal | None:
    """Return the value as a number, or None. Text may have spaces between thousands, a comma, a currency behind it."""
    if isinstance(value, bool):
        return Decimal(int(value))
    if isinstance(value, int | Decimal):
        return Decimal(value)
    if isinstance(value, float):
        return Decimal(str(value))
    if not isinstance(value, str) or not 0 < len(value) <= 60:
        return None
    amount = value.partition("|")[0].strip()
    head, _, tail = amount.rpartition(" ")
    if head and tail.isalpha() and len(tail) <= 4:
        amount = head
    digits = _SPACES.sub("", amount)
    if not _NUMBER.match(digits):
        return None
    try:
        return Decimal(digits.replace(",", "."))
    except InvalidOperation:
        return None


def instant(value: Any, zone: dt.tzinfo = dt.UTC) -> dt.datetime | None:
    """Return the value as a moment with a zone, or None. A date alone is its beginning; no zone means `zone`."""
    if isinstance(value, dt.datetime):
        moment = value
    elif isinstance(value, dt.date):
        moment = dt.datetime(value.year, value.month, value.day)  # noqa: DTZ001 (the zone is put on below)
    elif isinstance(value, str) and 8 <= len(value) <= 40 and value[0].isdigit():
        try:
            moment = dt.datetime.fromisoformat(value)
        except ValueError:
            local = _LOCAL_DATE.match(value)
            if local is None:
                return None
            day, month, year, hour, minute, second = (int(part or 0) for part in local.groups())
            try:
                moment = dt.datetime(year, month, day, hour, minute, second)  # noqa: DTZ001
            except ValueError:
                return None
    else:
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=zone)


def duration(text: str) -> int | None:
    """Return the seconds of `30s 5m 3h 2d 1w`, or None if the text isn't one."""
    match = _DURATION.match(text.strip())
    return int(match[1]) * _SECONDS[match[2]] if match else None


def plain(value: Any) -> Any:
    """Return the value as it may be sent: moments and dates as ISO text, exact numbers as text."""
    if isinstance(value, dt.datetime):
        return value.isoformat(timespec="seconds")
    if isinstance(value, dt.date):
        return value.isoformat()
    if isinstance(value, Decimal):
        return format(value, "f")
    return value


def text(value: Any) -> str:
    """Return the value as people read it; nothing for none, `yes` and `no` for switches, lists with commas."""
    if isinstance(value, str):
        return value
    if empty(value):
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list | tuple):
        return ", ".join(text(item) for item in value)
    if isinstance(value, Mapping):
        return text(next((value[name] for name in ("name", "title", "number", "id") if value.get(name)), ""))
    return str(plain(value))
