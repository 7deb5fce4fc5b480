"""The words the portal's methods are written in: a call, its errors, a list answer, the registry of methods."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from plugins.bitrix24.sandbox.portal import Portal

PAGE = 50


class RestError(Exception):
    """An error answer: `{"error": code, "error_description": text}`; codes of old CRM methods may be empty."""

    def __init__(self, code: str | int, text: str = "", status: int = 400) -> None:
        super().__init__(f"{code}: {text}")
        self.code, self.text, self.status = code, text, status

    def body(self) -> dict[str, Any]:
        """Return the error envelope."""
        return {"error": self.code, "error_description": self.text}


@dataclass
class Listing:
    """The answer of a list method: `result` plus `total` and, unless this is the last page, `next`."""

    result: Any
    total: int
    next: int | None = None


@dataclass
class Call:
    """One method call: who makes it (`via` hook, app or ui), with what parameters."""

    portal: Portal
    method: str
    params: dict[str, Any] = field(default_factory=dict)
    user_id: int = 1
    via: str = "hook"

    def get(self, name: str, default: Any = None) -> Any:
        """Read a parameter; most methods take `fields` and `FIELDS` alike."""
        if name in self.params:
            return self.params[name]
        wanted = name.lower()
        return next((value for key, value in self.params.items() if key.lower() == wanted), default)

    def need(self, name: str) -> Any:
        """Read a parameter that newer methods insist on."""
        value = self.get(name)
        if value is None:
            raise RestError("100", f"Could not find value for parameter {{{name}}}")
        return value

    def number(self, name: str) -> int:
        """Read an id."""
        return as_id(self.get(name))

    def table(self, name: str) -> dict[str, Any]:
        """Read a map such as `filter`; a PHP list is a map keyed 0..n-1."""
        return as_map(self.get(name))

    def names(self, name: str) -> list[str]:
        """Read a list of names such as `select`."""
        return [str(each) for each in as_list(self.get(name))]

    def fields(self) -> dict[str, Any]:
        """Read `fields` of an old CRM method."""
        value = self.get("fields")
        if value == []:
            return {}
        if not isinstance(value, dict):
            raise RestError("", "Parameter 'fields' must be array.")
        return value

    def tell(self, event: str, data: Any, object_id: Any) -> None:
        """Queue an event about what this call changed."""
        self.portal.events.publish(
            event, data, object_id, user_id=self.user_id, auth_connector=self.get("auth_connector")
        )


Handler = Callable[[Call], Any]


@dataclass(frozen=True)
class Method:
    """A registered method: its scope (empty = any token) and whether it needs an application's token."""

    name: str
    handler: Handler
    scope: str
    app_only: bool


METHODS: dict[str, Method] = {}


def method(name: str, scope: str = "crm", app_only: bool = False) -> Callable[[Handler], Handler]:
    """Register a handler as a REST method; names are compared in lower case."""

    def register(handler: Handler) -> Handler:
        METHODS[name.lower()] = Method(name, handler, scope, app_only)
        return handler

    return register


def words(text: str) -> list[str]:
    """Split a list of names written as one text."""
    return text.split()


def as_id(value: Any) -> int:
    """Read an id that may come as a number or a string; anything else is 0."""
    try:
        return int(value)
    except (TypeError, ValueError):
        return 0


def as_list(value: Any) -> list[Any]:
    """Read a PHP array (list, or map with any keys) or a single value as a list."""
    if value is None or value == "":
        return []
    if isinstance(value, dict):
        return list(value.values())
    return list(value) if isinstance(value, list) else [value]


def as_map(value: Any) -> dict[str, Any]:
    """Read a PHP array as a map; a list is keyed 0..n-1, anything else is empty."""
    if isinstance(value, list):
        return {str(number): each for number, each in enumerate(value)}
    return value if isinstance(value, dict) else {}


def is_yes(value: Any) -> bool:
    """Read a flag as PHP callers write it."""
    return value in (True, 1, "1", "Y", "y", "true")


def page_of(rows: list[Any], start: Any) -> Listing:
    """Cut a page of 50; `start=-1` switches counting off (`total` 0, no `next`)."""
    begin = as_id(start)
    if begin < 0:
        return Listing(rows[:PAGE], 0)
    end = begin + PAGE
    return Listing(rows[begin:end], len(rows), end if end < len(rows) else None)
