"""What the stand-in knows: accounts, people, chats, posts, comments."""

from __future__ import annotations

import datetime as dt
import itertools
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

#: the account whose credentials are handed out, and a second one of the same app
ACCOUNT, OTHER_ACCOUNT = "17841400000000001", "17841400000000002"
PAGE = "100000000000001"
CLIENT, SECOND_CLIENT, STRANGER = "1000000000000001", "1000000000000002", "1000000000000009"
POST = "18100000000000001"


@dataclass
class Chat:
    """The conversation of an account with a person; `heard` is when they last wrote, epoch seconds."""

    id: str
    account: str
    person: str
    messages: list[dict[str, Any]] = field(default_factory=list)
    heard: float | None = None


class World:
    """One app with its accounts."""

    def __init__(self, clock: Callable[[], dt.datetime]) -> None:
        self.clock = clock
        self._numbers = itertools.count(1)
        self.accounts: dict[str, dict[str, Any]] = {
            ACCOUNT: {"username": "fake.shop", "name": "Fake Shop", "app_scoped": "102000000000001", "page": PAGE},
            OTHER_ACCOUNT: {
                "username": "fake.salon", "name": "Fake Salon", "app_scoped": "102000000000002",
                "page": "100000000000002",
            },
        }  # fmt: skip
        self.people: dict[str, dict[str, Any]] = {
            CLIENT: {"name": "Олена Коваль", "username": "olena.fake"},
            SECOND_CLIENT: {"name": "Ivan Fake", "username": "ivan.fake"},
            STRANGER: {"name": "Nobody Yet", "username": "nobody.fake"},
        }
        self.chats: dict[tuple[str, str], Chat] = {}
        self.media: dict[str, dict[str, Any]] = {POST: {"id": POST, "owner": ACCOUNT, "comments_enabled": True}}
        self.comments: dict[str, dict[str, Any]] = {}
        #: answers under other people's posts, where the account was named; nobody can read them back
        self.mentions: list[dict[str, Any]] = []
        self.subscribed: dict[str, list[str]] = {}
        self.blocked: set[str] = set()
        self.actions: list[dict[str, Any]] = []
        self.attachments: dict[str, dict[str, Any]] = {}
        self.profile: dict[str, Any] = {}

    def number(self, first: str) -> str:
        """Return a new id of 17 digits."""
        return f"{first}{next(self._numbers):0{17 - len(first)}d}"

    def mid(self) -> str:
        """Return a new message id, as long as real ones are."""
        return (
            f"aWdfZAG1faXRlbToxOklHTWVzc2FnZAUlEOjE3ODQxNDAwMDAwMDAwMDAxOjM0MDI4MjM2Njg0MTcx{next(self._numbers):06d}"
        )

    def chat(self, account: str, person: str) -> Chat:
        """Return the chat of an account with a person, made if need be."""
        known = self.chats.get((account, person))
        if known is None:
            known = self.chats[(account, person)] = Chat(f"aWdfConversation{self.number('3')}", account, person)
        return known

    def add(self, account: str, person: str, sender: str, mid: str, message: dict[str, Any]) -> dict[str, Any]:
        """Put a message into the chat and return it."""
        chat = self.chat(account, person)
        now = self.clock()
        row = {
            "id": mid,
            "at": now.timestamp(),
            "from": sender,
            "to": account if sender == person else person,
            **message,
        }
        chat.messages.append(row)
        if sender == person:
            chat.heard = now.timestamp()
        return row

    def message(self, mid: str) -> tuple[Chat, dict[str, Any]] | None:
        """Return a message with its chat."""
        return next(((chat, row) for chat in self.chats.values() for row in chat.messages if row["id"] == mid), None)

    def person_name(self, id: str) -> str:
        """Return the username of a person or an account."""
        return str((self.people.get(id) or self.accounts.get(id) or {}).get("username", "unknown"))


def stamp(at: float) -> str:
    """Return the vendor's way to write an instant."""
    return dt.datetime.fromtimestamp(at, dt.UTC).strftime("%Y-%m-%dT%H:%M:%S+0000")
