"""Clients nobody here wrote, driven against the sandbox: five of them, in Python and in JavaScript."""

import datetime as dt
from collections.abc import Iterator
from typing import Any

import pytest
import requests

from plugins.novaposhta.sandbox import NovaPoshtaSandbox, directory
from plugins.novaposhta.sandbox.world import Quirks
from tests.outside import Drive

pytestmark = pytest.mark.outside

NOW = dt.datetime(2026, 5, 4, 9, 0, tzinfo=dt.UTC)
PERSON = {"first": "Тест", "last": "Тестенко", "middle": "Тестович", "phone": "380500000004"}


class Account:
    """A running sandbox with one parcel waiting at a branch and one received."""

    def __init__(self, quirks: Quirks | None = None) -> None:
        sandbox = NovaPoshtaSandbox(clock=lambda: NOW, quirks=quirks)
        self.running = sandbox.start()
        self.waiting = self._parcel("7", "2026-05-05 10:00:00")
        self.received = self._parcel("9", "2026-05-06 12:30:00")
        self.settings = {
            **sandbox.credentials(),
            "url": self.running.url,
            "person": PERSON,
            "today": "04.05.2026",
            "kyiv_settlement": "e718a680-4b33-11e4-ab6d-005056801329",
            "lviv": directory.LVIV,
            "lviv_branch": directory.LVIV_BRANCH_1,
            "lviv_postomat": directory.LVIV_POSTOMAT,
            "postomat_type": directory.POSTOMAT,
            "parcel": self.waiting,
            "received": self.received,
        }

    def _parcel(self, code: str, at: str) -> str:
        control = f"{self.running.url}/_sandbox/parcels"
        number = requests.post(control, json={"phone": PERSON["phone"]}, timeout=10).json()["number"]
        requests.post(f"{control}/{number}/status", json={"code": code, "at": at}, timeout=10)
        return str(number)

    def waybills(self, barcode: str) -> list[dict[str, Any]]:
        state = requests.get(f"{self.running.url}/_sandbox/state", timeout=10).json()
        return [row for row in state["waybills"] if row["client_barcode"] == barcode]

    def calls(self) -> int:
        state = requests.get(f"{self.running.url}/_sandbox/state", timeout=10).json()
        return sum(state["calls"].values())


@pytest.fixture
def account(request: pytest.FixtureRequest) -> Iterator[Account]:
    account = Account(getattr(request, "param", None))
    yield account
    account.running.stop()


def test_pypi_novaposhta(account: Account, drive: Drive) -> None:
    out = drive("novaposhta", account.settings)
    assert out["settlement"] == directory.LVIV
    assert out["streets"] == 1
    assert out["lockers"] == [directory.KYIV_POSTOMAT]
    assert min(out["lists"].values()) >= 1
    assert out["options"]["CanAfterpaymentOnGoodsCost"] is True
    assert out["its own save"] == ["20000200145"]
    assert out["tracked"]["ClientBarcode"] == "outside-1"
    assert out["tracked"]["RecipientFullName"] == "Тестенко Тест Тестович"
    assert "outside-1" in out["listed"]
    assert (out["sheet"], out["removed"]) == ("1", "")
    assert out["delete in a registry"][out["made"]["Ref"]] == "Document in registry"
    assert out["deleted"] == [{"Ref": out["made"]["Ref"]}]
    assert len(out["orders"]) == 1
    assert out["withdrawn"]
    assert out["wrong key"]["errors"] == ["API key incorrect"]
    assert [row["deleted"] for row in account.waybills("outside-1")] == [True]
    assert account.calls() >= 30


def test_pypi_novaposhta_python_client(account: Account, drive: Drive) -> None:
    out = drive("novaposhta-python-client", account.settings)
    assert out["places"] == [directory.LVIV, directory.LVIV_BRANCH_1]
    assert out["cities"] == {"totalCount": 2}
    assert out["door"] == "Городоцька вул. 7 кв. 2 код 12"
    assert (out["doors"], out["settlements"], out["price"]) == (1, 2, "30")
    assert out["updated"] == out["made"]["IntDocNumber"]
    assert (out["tracked"]["AnnouncedPrice"], out["tracked"]["RedeliverySum"]) == (900, 0)
    # its update() cannot say InfoRegClientBarcodes, and what an update does not say is gone
    assert (out["listed"], out["tracked"]["ClientBarcode"]) == (["", "", ""], "")
    assert out["locker"] is True
    assert out["heavy"] == ["APIRequestError", "Weight is too high for this postomat"]
    assert out["papers"] == ["APIRequestError", "VolumeGeneral must be empty"]
    assert "0: No document changed DeletionMark" in out["deleted again"][1]
    assert out["company"][1] == "EDRPOU can't be empty for Organization, CompanyName is not specified"
    assert out["redirecting"] == account.waiting
    assert out["wrong key"] == ["InvalidAPIKeyError", "API key incorrect"]
    assert out["async"] == ["2"] * 5


@pytest.mark.parametrize(
    ("account", "wrong_key"),
    [
        (Quirks(), ["ApiError", {"error": "API key incorrect"}]),
        (Quirks(wrong_key_has_code=True), ["AuthError", {"20000200068": "API auth fail"}]),
    ],
    indirect=["account"],
)
def test_pypi_novaposhta_api_client(account: Account, wrong_key: list[Any], drive: Drive) -> None:
    out = drive("novaposhta-api-client", account.settings)
    assert (out["cities"], out["branches"], out["streets"]) == (["Львів"], 3, ["Городоцька"])
    assert out["sender"] == [account.settings["sender"]["counterparty"]]
    assert out["people"] == [account.settings["sender"]["phone"]]
    number = out["made"][0]
    assert out["made"][1:] == [72.0, "2026-05-06"]
    assert out["received"] == ["9", "2026-05-06T12:30:00", "2026-05-05T18:00:00"]
    assert out["fresh"] == ["1", "outside-3", None]
    assert out["unknown"] == "3"
    assert number in out["listed"]
    assert out["orders"] == [out["order"]]
    assert out["company"][1] == {
        "1": "EDRPOU can't be empty for Organization",
        "error": "CompanyName is not specified",
    }
    assert out["no phone"][1]["20000300435"] == "RecipientsPhone is empty"
    assert out["wrong key"] == wrong_key


def test_npm_novaposhta(account: Account, drive: Drive) -> None:
    out = drive("npm-novaposhta", account.settings)
    assert out["branches"] == [1, 3]
    assert min(out["lists"].values()) >= 1
    assert (out["updated"], out["tracked"]["AnnouncedPrice"]) == (True, 900)
    assert out["tracked"]["ClientBarcode"] == "outside-4"
    assert "outside-4" in out["listed"]
    assert out["sheet"][0]["Error"] == ""
    assert out["redirecting"] == account.waiting
    assert out["withdrawn"] == [{"Number": out["orders"][0]}]
    assert [(one["code"], one["message"]) for one in out["phone"]] == [
        ("20000300434", "RecipientsPhone invalid format")
    ]
    # codes in an object and errors that do not align with them: the client pairs them wrongly
    assert [one.get("code") for one in out["company"]] == [None, "20000900759"]
    # errors in an object: the client cannot read them at all
    assert "forEach is not a function" in out["again"][0]["message"]
    assert out["wrongKey"][0]["message"] == "API key incorrect"
    assert [row["deleted"] for row in account.waybills("outside-4")] == [True]


@pytest.mark.parametrize("account", [Quirks(nested_delivery_date=True)], indirect=True)
def test_npm_shopana(account: Account, drive: Drive) -> None:
    out = drive("npm-shopana", account.settings)
    assert out["branch"] == directory.LVIV_BRANCH_1
    assert (out["areas"], out["types"], out["keyless"]) == (3, 6, True)
    assert out["again"] == [["Person already exists!"], ["30000801043"]]
    assert out["estimate"] == ["72", "Europe/Kiev"]
    # two refusals for the rate are waited out, the third is handed over; neither makes a second waybill
    assert out["limited"] == ["20000401501"]
    assert [row["number"] for row in account.waybills("outside-5")] == [out["made"]["IntDocNumber"], out["locker"]]
    # its statuses are numbers, the vendor's are strings: it takes an unknown number for found, a received one for not
    assert out["received"] == ["9", False]
    assert out["many"] == [3, [], 0]
    assert "outside-5" in out["listed"]
    assert out["refused"]["errorCodes"] == ["20000200103", "20000200266"]
    assert out["wrongKey"]["errors"] == ["API key incorrect"]
