"""What tests of any connector against its stand-in need: its controls, an action done, a poll's requests read."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import requests

from hub.connector import Connector
from hub.model import Action, Done, Event, Poll, Receipt
from hub.testing.wellformed import problems


def tell(url: str, path: str, /, **body: Any) -> Any:
    """Use one of the controls of a running stand-in, and return its answer."""
    answer = requests.post(f"{url}/_sandbox/{path}", json=body, timeout=10)
    assert answer.ok, answer.text
    return answer.json()


def arm(url: str, kind: str, /, match: str = "", times: int = 1, **more: Any) -> None:
    """Arm a fault of a running stand-in."""
    tell(url, "fault", kind=kind, match=match, times=times, **more)


def act(
    connector: Connector, name: str, values: Mapping[str, Any] | None = None, verb: str = "", **options: Any
) -> Done:
    """Perform an action. verb: what the core has turned `upsert` into."""
    record, _, own = name.partition(".")
    return connector.perform(Action(name, record, verb or own or record, values=dict(values or {}), **options))


def told(connector: Connector, poll: Poll) -> list[Event]:
    """Return what the requests mean that a poll has brought; each is well-formed."""
    found: list[Event] = []
    for key, request in poll.receipts:
        events = connector.parse(Receipt(1, connector.connection.name, key, request, request.at))
        assert problems(connector, events) == []
        found += events
    return found
