"""What the plugin's tests share: keys of the samples, connectors against nothing and against the sandbox."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from hub import outcome
from hub.model import Done, Request
from hub.testing import build
from plugins.unisender import codes
from plugins.unisender.connector import Classic, Go
from plugins.unisender.sandbox import UnisenderSandbox
from tests import stands
from tests.plugins.unisender.club import Club

SAMPLES = Path(__file__).parent / "samples"
CLASSIC_KEY = "fake0unisender0classic0key0000000000000"
GO_KEY = "fake0unisender0go0key000000000000000000"
CLASSIC = {
    "product": "classic",
    "api_key": CLASSIC_KEY,
    "from_email": "club@dogclub.example",
    "from_name": "Dog club",
    "sms_sender": "DogClub",
    "lists": {"guests": "134", "invited": "135"},
}
GO = {"product": "go", "api_key": GO_KEY, "from_email": "club@dogclub.example", "from_name": "Dog club"}


def read(name: str) -> Any:
    """Return a sample answer."""
    return json.loads((SAMPLES / name.partition(".")[0] / name).read_text("utf-8"))


def act(connector: Any, name: str, values: dict[str, Any] | None = None, **options: Any) -> Done:
    """Perform an action."""
    return stands.act(connector, name, values, **{"marker": "hub-1-abc", **options})


@pytest.fixture
def classic() -> Classic:
    """A connector at the real address; `responses` stands in its way."""
    return build(Classic, CLASSIC, name="letters", region="RU", names={"fields": {"city": "City"}})


@pytest.fixture
def go() -> Go:
    """The same of Go."""
    return build(Go, GO, name="mail", region="RU")


class Account:
    """Connectors of both products at a running sandbox, and the handles of a test."""

    def __init__(self, sandbox: UnisenderSandbox, url: str) -> None:
        self.sandbox, self.url, self.world = sandbox, url, sandbox.world
        both = {name: sandbox.credentials()[name] for name in ("api_key", "base_url", "from_email", "from_name")}
        lists = {"lists": {"guests": "134", "invited": "135"}, "sms_sender": "DogClub"}
        self.classic = build(Classic, {**both, **lists, "product": "classic"}, name="letters", region="RU")
        self.go = build(Go, {**both, "product": "go"}, name="mail", region="RU")

    def fault(self, kind: str, match: str = "", times: int = 1) -> None:
        """Arm a fault of the sandbox."""
        self.tell("fault", kind=kind, match=match, times=times)

    def tell(self, path: str, **body: Any) -> Any:
        """Use a handle of the sandbox."""
        return stands.tell(self.url, path, **body)

    @staticmethod
    def request(body: bytes) -> Request:
        """Return what the stand-in has sent as a request."""
        return Request("POST", "/in/mail", headers={"content-type": "application/json"}, body=body)

    def subscribe(self, email: str = "reader@example.com", **values: Any) -> Done:
        """Add a contact to the list of guests."""
        return act(
            self.classic, "contact.subscribe", {"list_ids": "guests", "double_optin": "3", "email": email, **values}
        )


@pytest.fixture
def account() -> Iterator[Account]:
    """A fresh sandbox with connectors at it."""
    sandbox = UnisenderSandbox()
    with sandbox.start() as running:
        yield Account(sandbox, running.url)


@pytest.fixture
def company(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Club]:
    """A club's hub at work, both vendors' stand-ins beside it."""
    monkeypatch.setattr(outcome, "BACKOFF", (0.1, 0.2, 0.4))
    monkeypatch.setattr(codes, "LIMIT_PAUSE", 0.2)
    made = Club(tmp_path)
    yield made
    made.close()
