"""What the plugin's tests share: a connector against nothing, and a cabinet: the stand-in with a connector at it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import requests

from hub.model import Done, Event, Poll, Receipt, Request
from hub.testing import build
from plugins.calltouch.connector import Calltouch
from plugins.calltouch.sandbox import CalltouchSandbox
from tests import stands

NOW = dt.datetime(2026, 3, 4, 10, 20, 30, tzinfo=dt.UTC)
SETTINGS: dict[str, Any] = {
    "site_id": "10001",
    "secret": "a-secret-of-the-tests",
    "client_api_id": "client-api-id-of-tests",
    "access_token": "access-token-of-tests",
    "timezone": "Europe/Moscow",
}


def connector(**changes: Any) -> Calltouch:
    """Return a connector at the real address, at a fixed moment."""
    made = build(Calltouch, {**SETTINGS, **changes}, name="calls", region="RU")
    made.clock = lambda: NOW
    return made


def hook(body: bytes = b"", kind: str = "application/x-www-form-urlencoded", **options: Any) -> Request:
    """Return a hook as it is stored."""
    options = {"method": "POST", "tail": SETTINGS["secret"], "at": NOW, "remote": "92.118.66.7", **options}
    return Request(path="/in/calls", headers={"content-type": kind}, body=body, **options)


def told(made: Calltouch, request: Request) -> list[Event]:
    """Return what a stored request says."""
    return made.parse(Receipt(1, "calls", made.receipt_key(request), request, request.at))


@pytest.fixture
def offline() -> Calltouch:
    """A connector at the real address; `responses` stands in its way."""
    return connector()


class Cabinet:
    """A connector at a running stand-in, and the handles of a test. `hooks` holds what the stand-in has sent."""

    def __init__(self, sandbox: CalltouchSandbox, url: str) -> None:
        self.sandbox, self.url = sandbox, url
        self.connector = build(Calltouch, {**sandbox.credentials(), "overlap": "3h"}, name="calls", region="RU")

    def do(self, name: str, values: dict[str, Any] | None = None, **options: Any) -> Done:
        """Perform an action; the core has turned `upsert` into `create` or `update` by then."""
        verb = options.pop("verb", "create" if name.endswith(".upsert") else "")
        return stands.act(self.connector, name, values, verb, **options)

    def post(self, path: str, body: Any) -> Any:
        """Call one of the stand-in's controls."""
        return stands.tell(self.url, path, **body)

    def fault(self, kind: str, match: str = "", times: int = 1) -> None:
        """Arm a fault."""
        stands.arm(self.url, kind, match, times)

    def state(self) -> dict[str, Any]:
        """Return what the vendor knows."""
        found: dict[str, Any] = requests.get(f"{self.url}/_sandbox/state", timeout=10).json()
        return found

    def polled(self, what: str, cursor: Any = None) -> tuple[list[Event], Poll]:
        """Read a journal; return the events in it and the poll."""
        poll = self.connector.poll(what, cursor)
        return stands.told(self.connector, poll), poll


@pytest.fixture
def cabinets() -> Iterator[Callable[..., Cabinet]]:
    """Build cabinets with options of their own."""
    running = []

    def made(**options: Any) -> Cabinet:
        sandbox = CalltouchSandbox(**{"calls_per_second": 0, **options})
        running.append(sandbox.start())
        return Cabinet(sandbox, running[-1].url)

    yield made
    for one in running:
        one.stop()


@pytest.fixture
def cabinet(cabinets: Callable[..., Cabinet]) -> Cabinet:
    """The usual cabinet."""
    return cabinets()
