"""What the plugin's tests share: recorded answers, a connector against nothing, a connector against the sandbox."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import responses

from hub.model import Done, Event
from hub.testing import build
from plugins.amocrm.connector import AmoCrm
from plugins.amocrm.sandbox import AmoCrmSandbox
from tests import stands
from tests.plugins.amocrm.place import Place

SAMPLES = Path(__file__).parent / "samples"
BASE = "https://example.amocrm.ru"
API = f"{BASE}/api/v4/"
WORD = "a-long-random-word-of-the-hook"
PERSON = {"name": "Анна Петрова", "first_name": "Анна", "last_name": "Петрова", "phone": "+79161112233",
          "phones": ["+79161112233"], "email": "anna@example.com", "emails": ["anna@example.com"]}  # fmt: skip
LONG_AGO = dt.datetime.now(dt.UTC) - dt.timedelta(minutes=10)
APP = {
    "base_url": BASE,
    "client_id": "00000000-0000-4000-8000-0000000000c1",
    "client_secret": "FAKE_CLIENT_SECRET",
    "redirect_uri": "https://hub.example.com/oauth/amocrm",
}


@pytest.fixture(scope="session")
def recorded() -> Callable[[str], Any]:
    """Return a recorded JSON body by its file name."""
    return lambda name: json.loads((SAMPLES / name).read_text("utf-8"))


@pytest.fixture
def web() -> Iterator[responses.RequestsMock]:
    """Stand in for the network."""
    with responses.RequestsMock(assert_all_requests_are_fired=False) as mock:
        yield mock


@pytest.fixture
def by_token() -> AmoCrm:
    """A connector with a long-lived token at the real address."""
    return build(AmoCrm, {"base_url": BASE, "token": "FAKE_LONG_LIVED_TOKEN", "hook_secret": WORD}, region="RU")


@pytest.fixture
def by_app() -> AmoCrm:
    """A connector with OAuth tokens at the real address."""
    held = {"access_token": "old-access", "refresh_token": "old-refresh", "expires_at": 4e9}
    return build(AmoCrm, APP, region="RU", tokens=held)


def submitted() -> Event:
    """Return the event of a form that somebody has sent."""
    record = {"form": {"id": "f1", "name": "Бронь", "page": "https://quests.example/zamok"}, "contact": PERSON}
    return Event("form.submitted", "form:1", "k", record, connection="site", occurred_at=LONG_AGO)


class Account:
    """A connector at a running sandbox, and the handles of a test."""

    def __init__(self, sandbox: AmoCrmSandbox, url: str, **settings: Any) -> None:
        self.sandbox, self.url = sandbox, url
        given = {**sandbox.credentials(), "limits": {"per_second": "500", "burst": "500"}, **settings}
        self.connector = build(AmoCrm, given, name="amo", region="RU", timezone="Europe/Moscow")

    def do(self, name: str, values: dict[str, Any] | None = None, **options: Any) -> Done:
        """Perform an action."""
        return stands.act(self.connector, name, values, **options)

    def act(self, method: str, path: str, body: Any = None, user: int = 3000001) -> Any:
        """Do what a person does in the account."""
        return self.sandbox.act(method, path, body, user)

    def made(self, path: str, **body: Any) -> int:
        """Make one record as a person does and return its id."""
        return int(self.act("POST", path, [body])["_embedded"][path.rpartition("/")[2]][0]["id"])

    def contact(self, phone: str = "+79161112233", name: str = "Анна Петрова") -> int:
        """Make a contact with a phone as a person does."""
        phones = [{"value": phone, "enum_code": "MOB"}]
        return self.made("contacts", name=name, custom_fields_values=[{"field_code": "PHONE", "values": phones}])

    def raw(self, kind: str, number: Any) -> dict[str, Any]:
        """Return a record as the vendor has it."""
        found: dict[str, Any] = self.sandbox.world.records[kind][int(number)]
        return found

    def field(self, kind: str, number: Any, field: int) -> Any:
        """Return the values of a custom field as the vendor has them."""
        rows = self.raw(kind, number)["custom_fields_values"] or []
        return next(([value["value"] for value in row["values"]] for row in rows if row["field_id"] == field), None)

    def fault(self, kind: str, match: str = "", times: int = 1, **more: Any) -> None:
        """Arm a fault of the sandbox."""
        stands.arm(self.url, kind, match, times, **more)

    def control(self, path: str, **body: Any) -> Any:
        """Use one of the sandbox's controls."""
        return stands.tell(self.url, path, **body)

    def complete(self, *events: Event, needs: tuple[str, ...] = ()) -> list[Event]:
        """Complete hints."""
        return self.connector.complete(list(events), frozenset(needs))


@pytest.fixture
def accounts() -> Iterator[Callable[..., Account]]:
    """Make accounts at sandboxes of one's own wish: `sandbox` its arguments, the rest settings."""
    running = []

    def make(sandbox: dict[str, Any] | None = None, **settings: Any) -> Account:
        stand = AmoCrmSandbox(**{"rate_per_second": None, **(sandbox or {})})
        running.append(stand.start())
        return Account(stand, running[-1].url, **settings)

    yield make
    for one in running:
        one.stop()
        one.sandbox.hooks.close()  # type: ignore[attr-defined]


@pytest.fixture
def account(accounts: Callable[..., Account]) -> Account:
    """A fresh sandbox with a connector at it, the marker's fields made."""
    made = accounts()
    made.connector.connect("https://hub.example.com/in/amo")
    made.sandbox.calls.clear()
    made.control("hooks/disable")
    return made


@pytest.fixture
def places(tmp_path: Path) -> Iterator[Callable[..., Place]]:
    """Make places of one's own wish; not started."""
    made: list[Place] = []

    def make(**options: Any) -> Place:
        made.append(Place(tmp_path / str(len(made)), **options))
        return made[-1]

    yield make
    for one in made:
        one.close()


@pytest.fixture
def place(places: Callable[..., Place]) -> Place:
    """The quest company at work, its webhook and the marker's fields registered."""
    return places().start().connect()
