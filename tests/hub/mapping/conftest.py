"""A configuration with one step, and an event for it to look at."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Any

import pytest

from hub.model import Event
from hub.paths import Scope
from tests.hub.config.fakes import PLUGINS, read, route

NOW = dt.datetime(2026, 11, 23, 10, 0, tzinfo=dt.UTC)
DEAL = {
    "id": "55",
    "title": "Order",
    "stage": "C5:PREPARATION",
    "amount": "1500.50",
    "goods": ["soap", "cream"],
    "closed": False,
    "contact": "7",
    "extra": {"UF_CRM_1730000001": "2040", "UF_CRM_1730000003": "Lviv", "ASSIGNED_BY_ID": "12"},
}
RECORD: dict[str, Any] = {
    "deal": DEAL,
    "contact": {
        "id": "7",
        "name": "Anna Koval",
        "first_name": "Anna",
        "phone": "+380671234567",
        "email": "a@b.example",
        "tags": ["vip"],
    },
    "form": {
        "name": "order",
        "city": "  Kyiv  ",
        "fields": {"wishes": "fast", "size": "small"},
        "comment": "",
        "phone": "067 123 45 67",
    },
}


def event(**changes: Any) -> Event:
    """Return an event about a deal of the CRM."""
    given: dict[str, Any] = {
        "type": "deal.updated",
        "subject": "deal:55",
        "key": "k",
        "record": RECORD,
        "occurred_at": NOW - dt.timedelta(hours=3),
        "text": "hello",
        "channel": "form",
        "connection": "crm",
        "was": {"stage": "C5:NEW", "UF_CRM_1730000001": ""},
    }
    return Event(**{**given, **changes})


@pytest.fixture
def scope(tmp_path) -> Callable[..., Scope]:
    """Return a function that makes a scope for an event; `results`, `load` and the like pass through."""
    config = read(tmp_path, route("on: crm.deal.updated\ndo: crm.comment.create"))

    def make(what: Event | None = None, **given: Any) -> Scope:
        return Scope(what or event(), given.pop("config", config), now=NOW, **given)

    return make


@pytest.fixture
def step(tmp_path) -> Callable[[str], Any]:
    """Return a function that reads the body of a route with `on: crm.deal.updated` and returns its first step."""

    def make(body: str, plugins: Any = PLUGINS) -> Any:
        return read(tmp_path, route("on: crm.deal.updated\n" + body), plugins).routes[0].steps[0]

    return make


@pytest.fixture
def value(step, scope) -> Callable[..., Any]:
    """Return a function that evaluates one value as `set` would; None = left out."""

    def evaluate(text: str, **given: Any) -> Any:
        values = step("do: crm.comment.create\nset:\n  X: " + text).set.evaluate(
            scope(given.pop("event", None), **given)
        )
        return values.get("X")

    return evaluate


@pytest.fixture
def verdict(tmp_path, scope) -> Callable[..., Any]:
    """Return a function that checks one condition."""

    def check(text: str, **given: Any) -> Any:
        config = read(tmp_path, route(f"on: crm.deal.updated\nwhen: {text}\ndo: crm.comment.create"))
        return config.routes[0].when.check(scope(given.pop("event", None), **given))

    return check
