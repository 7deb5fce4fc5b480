"""What the account holds, and how a refusal is told."""

from __future__ import annotations

import datetime as dt
import itertools
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

KEY = "fake0unisender0sandbox0key00000000000000"
LOGIN = "example-login"
USER = 111111
_UTC = "%Y-%m-%d %H:%M:%S"

Params = dict[str, Any]


class Fault(Exception):
    """A refusal: `code` of the classic API, HTTP `status` of Go. Go's numbers are not known; these are ours."""

    def __init__(self, code: str, text: str, status: int = 400) -> None:
        super().__init__(text)
        self.code, self.text, self.status, self.number = code, text, status, 100 + status


def wrong(name: str, text: str) -> Fault:
    """A bad argument, as the classic API words it."""
    return Fault("invalid_arg", f"'{name}' - {text}")


@dataclass
class Contact:
    """A contact is known by e-mail or phone, account-wide; lists are memberships with a status each."""

    person_id: int
    email: str = ""
    phone: str = ""
    fields: dict[str, str] = field(default_factory=dict)
    tags: list[str] = field(default_factory=list)
    lists: dict[str, str] = field(default_factory=dict)
    status: str = "new"
    availability: str = "available"
    added_at: str = ""


@dataclass
class Hook:
    """A webhook of either product."""

    product: str
    url: str
    events: dict[str, Any]
    single: bool
    format: str = "json_post"
    status: str = "active"
    more: dict[str, Any] = field(default_factory=dict)


class World:
    """One account."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self.clock = clock
        self.ids = itertools.count(1_000_001)
        self.contacts: list[Contact] = []
        self.lists: dict[str, dict[str, Any]] = {
            "134": {"id": 134, "title": "List A", "confirmation": True},
            "135": {"id": 135, "title": "List B", "confirmation": False},
        }
        self.fields: dict[str, dict[str, Any]] = {
            str(id_): {"id": id_, "name": name, "type": "string", "public_name": name, "is_visible": 1, "view_pos": id_}
            for id_, name in enumerate(("Name", "City", "hub_id"), 1)
        }
        self.tags: dict[str, dict[str, Any]] = {}
        self.letters: dict[str, dict[str, Any]] = {}
        self.messages: dict[str, dict[str, Any]] = {}
        self.campaigns: dict[str, dict[str, Any]] = {}
        self.sms: dict[str, dict[str, Any]] = {}
        self.tasks: dict[str, dict[str, Any]] = {}
        self.invitations: list[dict[str, str]] = []
        #: what calls have changed and webhooks are still to tell: (event, event_data)
        self.changes: list[tuple[str, dict[str, Any]]] = []
        self.hooks: dict[str, Hook] = {}
        # Go
        self.happened: list[dict[str, Any]] = []
        self.dumps: dict[str, dict[str, Any]] = {}
        self.jobs: dict[str, dict[str, Any]] = {}
        self.suppressed: dict[str, str] = {}
        self.templates: list[dict[str, Any]] = [
            {"id": "11111111-1111-4111-8111-111111111111", "name": "Care letter", "subject": "Care for {{breed}}"}
        ]

    def now(self) -> str:
        """The present instant as the vendor writes it."""
        return dt.datetime.fromtimestamp(self.clock(), dt.UTC).strftime(_UTC)

    def by(self, kind: str, value: str) -> Contact | None:
        """Find a contact by `email` (whatever its case) or `phone` (with or without plus)."""
        wanted = value.lower().lstrip("+")
        if not wanted:
            return None
        return next((one for one in self.contacts if getattr(one, kind).lower().lstrip("+") == wanted), None)

    def moved(self, event: str, contact: Contact, lists: list[str]) -> None:
        """Note that a call has put a contact into lists, or out of them."""
        who = {"email": contact.email} if contact.email else {"phone": contact.phone}
        self.changes.append((event, {**who, "list_ids": [int(one) for one in lists]}))

    def known_lists(self, text: Any, name: str = "list_ids") -> list[str]:
        """Return the ids in a text with commas; an unknown one is refused."""
        ids = [part.strip() for part in str(text or "").split(",") if part.strip()]
        for one in ids:
            if one not in self.lists:
                raise wrong(name, f"There is no list with id={one}")
        return ids

    def state(self) -> dict[str, Any]:
        """Everything, JSON-ready."""
        plain = ("lists", "fields", "tags", "letters", "messages", "campaigns", "sms", "tasks", "invitations", "jobs",
                 "suppressed", "templates")  # fmt: skip
        return {
            "contacts": [vars(one) for one in self.contacts],
            "hooks": [vars(one) for one in self.hooks.values()],
            **{name: getattr(self, name) for name in plain},
        }
