"""Clients nobody here wrote, driven against the sandbox: six of them, in Python and in JavaScript."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from typing import Any

import pytest
import requests

from plugins.unisender.sandbox import UnisenderSandbox
from tests.outside import Drive
from tests.plugins.unisender.test_sandbox import Ear

pytestmark = pytest.mark.outside

GO = "/ru/transactional/api/"


class Stand:
    """A running sandbox, and what a client needs to reach it."""

    def __init__(self) -> None:
        self.sandbox = UnisenderSandbox()
        self.running = self.sandbox.start()
        self.url = self.running.url
        self.world = self.sandbox.world
        self.settings = {
            "url": self.url,
            "api_key": self.sandbox.credentials()["api_key"],
            "api_url": f"{self.url}{GO}v1/",
            "root_url": f"{self.url}{GO}",
            "bodies": [],
        }

    def tell(self, path: str, **body: Any) -> Any:
        answer = requests.post(f"{self.url}/_sandbox/{path}", json=body, timeout=10)
        assert answer.ok, answer.text
        return answer.json()


@pytest.fixture
def stand() -> Iterator[Stand]:
    made = Stand()
    yield made
    made.running.stop()


@pytest.fixture
def ear() -> Iterator[Ear]:
    made = Ear()
    yield made
    made.server.shutdown()
    made.server.server_close()


def test_npm_unisender(stand: Stand, drive: Drive) -> None:
    out = drive("npm-unisender", stand.settings)
    assert out["lists"] == ["List A", "List B"]
    assert out["imported"]["inserted"] == 1
    assert [entry["index"] for entry in out["imported"]["log"]] == [1]
    assert out["exported"]["field_names"] == ["email"]
    assert ["anna@example.com"] in out["exported"]["data"]
    assert (out["campaign"]["count"], out["status"]) == (2, "waits_schedule")
    assert out["checked"]["status"] == "not_sent"
    assert (out["sms"]["currency"], out["smsStatus"]) == ("RUB", "not_sent")
    assert out["unsubscribed"] == []
    assert out["fields"] == ["Name", "City", "hub_id"]
    assert (out["wrongKey"]["code"], out["wrongList"]["code"]) == ("invalid_api_key", "invalid_arg")
    anna = stand.world.by("email", "anna@example.com")
    assert anna is not None
    assert (anna.fields, anna.lists) == ({"Name": "Anna"}, {"134": "unsubscribed"})


def test_npm_unisender_api(stand: Stand, drive: Drive) -> None:
    out = drive("npm-unisender-api", stand.settings)
    assert out["lists"] == ["List A", "List B"]
    assert out["titles"] == ["List A", "List B", "Outside too"]
    assert list(stand.world.lists) == ["134", "135"]
    assert out["fields"] == 3
    [anna] = stand.world.contacts
    assert out["person"] == anna.person_id
    assert (anna.email, anna.fields, anna.lists) == (
        "anna@example.com",
        {"Name": "Anna", "City": "Kazan"},
        {"135": "new"},
    )
    assert (out["total"], out["contact"]) == (1, "anna@example.com")
    assert out["wrongKey"]["code"] == "invalid_api_key"


def test_npm_unisender_node(stand: Stand, drive: Drive) -> None:
    out = drive("npm-unisender-node", stand.settings)
    assert out["batches"] == [500, 1]
    assert out["contact"]["email"]["email"] == "anna@example.com"
    assert out["contact"]["fields"] == {"Name": "Anna"}
    assert (out["inLists"], out["count"], out["total"]) == (True, 1, 502)
    assert out["task"] == "new"
    assert [row["status"] for row in out["checked"]["statuses"]] == ["not_sent"]
    anna = stand.world.by("email", "anna@example.com")
    assert anna is not None
    assert (anna.lists, anna.tags) == ({"134": "new"}, ["a", "b"])
    [letter] = stand.world.letters.values()
    assert letter["metadata"] == {"deal": "55"}


def test_pypi_django_tasker_unisender(stand: Stand, drive: Drive) -> None:
    out = drive("django-tasker-unisender", stand.settings)
    assert out["titles"] == ["List A", "List B", "Outside too"]
    assert out["fields"] == ["Name", "City", "hub_id", "Breed2"]
    assert out["left"] == ["List A", "List B"]
    assert "API key is not valid" in out["wrong key"]
    [contact] = stand.world.contacts
    assert (contact.person_id, contact.lists, contact.fields) == (out["person"], {}, {"Name": "Anna"})


def test_pypi_unisender_go_api(stand: Stand, drive: Drive) -> None:
    stand.tell("suppress", email="left@example.com", reason="unsubscribed")
    out = drive("unisender-go-api", stand.settings)
    [job] = stand.world.jobs
    assert out["sent"] == ["success", job, ["anna@example.com"], {"left@example.com": "unsubscribed"}]
    assert out["wrong key"] == [401, "error"]


def test_pypi_django_anymail(stand: Stand, drive: Drive, ear: Ear) -> None:
    """It sends, and its own view is a second opinion on the sandbox's signatures."""
    stand.tell("suppress", email="left@example.com", reason="unsubscribed")
    stand.tell("suppress", email="bad@example.com", reason="invalid")
    out = drive("django-anymail", stand.settings)
    assert out["sent"] == {
        "anna@example.com": ["queued", True],
        "left@example.com": ["rejected", False],
        "bad@example.com": ["invalid", False],
    }
    assert (out["again"], out["wrong key"]) == (True, 401)
    [job, second] = stand.world.jobs
    assert stand.world.jobs[second]["message"]["attachments"][0]["name"] == "a.txt"
    for single in (False, True):
        stand.tell("hook", url=f"{ear.url}/{single}", product="go", single=single)
    for status in ("sent", "delivered", "opened", "clicked", "unsubscribed", "spam", "soft_bounced", "hard_bounced"):
        stand.tell(f"jobs/{job}/status", status=status, url="https://dogclub.example/?a=1", email="anna@example.com")
    ear.answers = [500]
    stand.tell(f"jobs/{job}/status", status="delivered", email="anna@example.com")
    ear.answers = [200]
    stand.tell("redeliver")
    bodies = [*ear.heard, ear.heard[0].replace(b"anna", b"olga")]
    packed = [base64.b64encode(body).decode() for body in bodies]
    read = drive("django-anymail", {**stand.settings, "bodies": packed})
    assert read["answers"] == [200] * (len(bodies) - 1) + ["not genuine"]
    told = [event[0] for heard in read["events"] for event in heard]
    names = ["sent", "delivered", "opened", "clicked", "unsubscribed", "complained", "deferred", "bounced"]
    assert told == [name for name in names for _ in (0, 1)] + ["delivered"] * 4
    assert read["events"][6][0][1:3] == ["anna@example.com", "https://dogclub.example/?a=1"]
    assert read["events"][0][0][3] == {"order": "42"}
