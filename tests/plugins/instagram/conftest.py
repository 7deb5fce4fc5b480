"""A connector that talks to the stand-in over real HTTP, with a memory and a clock that tests can set."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytest

from hub.history import History
from hub.model import Done, Event, Poll
from hub.testing import build
from plugins.instagram.connector import Instagram
from plugins.instagram.incoming import contact
from plugins.instagram.sandbox import ACCOUNT, CLIENT, InstagramSandbox
from tests import stands

NOW = dt.datetime(2026, 3, 4, 12, tzinfo=dt.UTC)


class Memory(History):
    """The hub's memory as a list; `busy` says whether a message is under way."""

    def __init__(self) -> None:
        super().__init__()
        self.told: list[Event] = []
        self.busy = False

    def events(self, types: Sequence[str], since: dt.datetime, word: str = "", limit: int = 50) -> list[Event]:
        found = [
            event
            for event in self.told
            if event.type in types and event.at >= since.timestamp() and word in ("", str(person_of(event)))
        ]
        return found[::-1][:limit]

    def acting(self, record: str, before: dt.datetime) -> bool:
        return self.busy


def person_of(event: Event) -> str:
    return str((event.record.get("contact") or {}).get("id", ""))


def comment_event(comment: str, person: str = CLIENT, at: dt.datetime = NOW, **extra: str) -> Event:
    record = {"comment": {"id": comment, "extra": {"account": ACCOUNT, **extra}}, "contact": contact(person)}
    return Event("comment.received", f"comment:{comment}", "k", record, at, connection="insta")


class Shop:
    """A shop's connection to the stand-in."""

    def __init__(self, login: str = "instagram", **options: Any) -> None:
        self.moment = NOW
        self.sandbox = InstagramSandbox(login, clock=lambda: self.moment, **options.pop("stand", {}))
        self.running = self.sandbox.start()
        self.settings = {**self.sandbox.credentials(), **options}
        self.connector = self.connect()

    def connect(self, **changes: Any) -> Instagram:
        """Return another connector of the same settings, as another process would have it."""
        settings = {name: value for name, value in {**self.settings, **changes}.items() if value is not None}
        self.connector = build(Instagram, settings, name="insta")
        self.memory = Memory()
        self.connector.history = self.memory
        self.connector.now = lambda: self.moment  # type: ignore[method-assign]
        return self.connector

    def pass_(self, **time: float) -> None:
        """Let time pass."""
        self.moment += dt.timedelta(**time)

    def heard(self, person: str = CLIENT, ago: float = 1.0, type: str = "message.received", **message: Any) -> Event:
        """Remember a message of so many hours ago, as the hub has it in its store."""
        at = self.moment - dt.timedelta(hours=ago)
        record = {"message": {"id": f"m-{len(self.memory.told)}", **message}, "contact": contact(person)}
        event = Event(type, "message:m", "k", record, at, connection="insta", at=at.timestamp())
        self.memory.told.append(event)
        return event

    def do(self, name: str, values: dict[str, Any] | None = None, event: Event | None = None, **more: Any) -> Done:
        """Do an action as the hub would."""
        person = dict((event.record.get("contact") or {}) if event else {})
        return stands.act(self.connector, name, values, event=event, person=person, **more)

    def fault(self, kind: str, match: str = "", times: int = 1) -> None:
        """Arm a fault."""
        stands.arm(self.running.url, kind, match, times)

    def sent(self) -> list[dict[str, Any]]:
        """Return what the account has sent, as the clients see it."""
        return [row for chat in self.sandbox.world.chats.values() for row in chat.messages if row["from"] == ACCOUNT]

    def events(self, poll: Poll) -> list[Event]:
        """Return what a poll's requests mean."""
        return stands.told(self.connector, poll)


@pytest.fixture
def shops() -> Iterator[Callable[..., Shop]]:
    """Make shops with options of their own."""
    made: list[Shop] = []

    def make(login: str = "instagram", **options: Any) -> Shop:
        made.append(Shop(login, **options))
        return made[-1]

    yield make
    for shop in made:
        shop.running.stop()


@pytest.fixture
def shop(shops: Callable[..., Shop]) -> Shop:
    """The usual shop: connected by Instagram Login, with one client who has written."""
    made = shops()
    made.sandbox.write(CLIENT, "How much?")
    return made
