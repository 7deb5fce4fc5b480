"""Clients nobody here wrote, driven against the sandbox: seven of them, in Python and in JavaScript."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from plugins.amocrm.sandbox import AmoCrmSandbox
from plugins.amocrm.sandbox.access import CLIENT_ID
from tests.outside import Drive
from tests.plugins.amocrm.conftest import SAMPLES

pytestmark = pytest.mark.outside


class Account:
    """A running sandbox, and what a client needs to know of it."""

    def __init__(self) -> None:
        self.sandbox = AmoCrmSandbox(rate_per_second=None)
        self.running = self.sandbox.start()
        self.settings = {
            **self.sandbox.credentials(),
            "code": self.sandbox.access.authorize(CLIENT_ID),
            "refresh_token": self.sandbox.access.pair()["refresh_token"],
            "user": 3000001,
        }

    @property
    def counters(self) -> dict[str, int]:
        return self.sandbox.access.counters

    def names(self, kind: str) -> list[str]:
        return [row["name"] for row in self.sandbox.world.records[kind].values()]


@pytest.fixture
def account() -> Iterator[Account]:
    account = Account()
    yield account
    account.running.stop()
    account.sandbox.hooks.close()


def test_pypi_aioamocrm(account: Account, drive: Drive) -> None:
    samples = ("leads-status", "company-update", "message-add")
    hooks = [(SAMPLES / f"{name}.webhook.txt").read_text().strip() for name in samples]
    account.sandbox.world.now_as = 3000002
    out = drive("aioamocrm", {**account.settings, "hooks": hooks})
    assert out["account"] == 31000001
    assert out["at once"] == 1
    assert account.counters == {"exchanged": 1, "refreshed": 1, "refused": 1}
    assert out["spent"][0] == "AuthError"
    assert out["pages"] == [f"lead {n}" for n in (4, 3, 2, 1, 0)]
    assert out["found"] == [[True, "+79161112233"]]
    assert out["linked"] == [[True, True]]
    assert out["complex"] == [True, True, False]
    assert out["won"] == 142
    assert out["note"] == {"text": "t"}
    assert out["task"] is True
    assert out["stages"] == [7, 5]
    assert len(out["users"]) == 3
    assert out["fields"] == 20
    assert out["missing"][0] == "NotFoundError"
    assert out["invalid"][0] == "ValidationError"
    assert out["hooks"][0] == ["example", None, [["leads", "status", 10701093]]]
    assert out["hooks"][1] == ["example", 29000001, [["contacts", "update", 7793457]]]


def test_pypi_amocrm_api_wrapper(account: Account, drive: Drive) -> None:
    out = drive("amocrm-api-wrapper", account.settings)
    assert out["refreshed"] == [True, 1]
    assert out["links"] == ["contacts"]
    assert out["lead"] == 142
    assert (out["unsorted"], out["accepted"], out["declined"]) == ("forms", 1, True)
    assert account.sandbox.world.unsorted == {}
    assert out["calls"] == [0, 1]
    assert (out["notes"], out["task"], out["element"], out["elements"]) == (1, True, "Торт", ["Торт"])
    assert out["events"] == ["lead_added", "lead_status_changed"]
    assert (out["pipeline"], out["stage"]) == ("Продажи", "Успешно реализовано")
    assert out["hooks"] == ["https://hub.example.com/x/"]
    assert out["no hooks"] == {}
    assert (out["user"], out["invalid"]) == ("Управляющий", 400)


def test_pypi_amocrm_api(account: Account, drive: Drive) -> None:
    out = drive("amocrm-api", account.settings)
    assert out["lead"] == ["y", 7, "Продажи", "Новая", 1]
    assert out["notes"] == ["t"]
    assert out["found"] == out["ordered"] == ["y"]
    assert (out["missing"], out["invalid"]) == ("NotFound", "ValidationError")
    assert account.names("contacts") == ["Анна Петрова"]
    assert account.counters["exchanged"] == 1


def test_pypi_amocrm_sdk(account: Account, drive: Drive) -> None:
    out = drive("amocrm-sdk", account.settings)
    assert out["refreshed"] == 1
    assert out["pipelines"] == ["Продажи", "Качество"]
    assert out["lead"] == ["y", 5]
    assert out["contacts"] == ["Анна"]
    assert (out["fields"], out["stages"]) == (20, 7)
    assert "400" in out["invalid"]


def test_pypi_kommo_python(account: Account, drive: Drive) -> None:
    out = drive("kommo-python", account.settings)
    assert out["account"] == 31000001
    assert (out["leads"], out["companies"], out["fields"]) == (["x"], ["ООО"], 20)
    assert (out["hook"], out["hooks"]) == (["add_lead"], 1)


def test_npm_amo(account: Account, drive: Drive) -> None:
    out = drive("npm-amo", account.settings)
    assert out["refreshed"] == 1
    assert out["account"] == account.settings["chats"]["account"]
    assert (out["lead"], out["leads"], out["complex"]) == (142, 1, True)
    assert (out["users"], out["pipelines"], out["hook"]) == (3, 2, False)
    assert out["missing"]
    assert out["invalid"] == 1  # what the answer objects to


def test_npm_amocrm_js(account: Account, drive: Drive) -> None:
    out = drive("npm-amocrm-js", account.settings)
    assert out["account"] == 31000001
    assert (out["lead"], out["listed"]) == ("y", 1)
    assert out["chunked"] is True
    assert account.counters["exchanged"] == 1
