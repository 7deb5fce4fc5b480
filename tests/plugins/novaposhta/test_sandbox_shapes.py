"""The sandbox's answers beside the recorded ones: the same members, the same kinds of values."""

import datetime as dt
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from hub.sandbox import RunningSandbox
from plugins.novaposhta.sandbox import NovaPoshtaSandbox, directory
from plugins.novaposhta.sandbox.orders import REASON, RETURN_ADDRESS, SUBTYPE
from plugins.novaposhta.sandbox.world import EXPIRED_KEY, PRIVATE_RECIPIENTS, SENDER

SAMPLES = Path(__file__).parent / "samples"
NOW = dt.datetime(2026, 5, 4, 9, 0, tzinfo=dt.UTC)
SHEVCHENKO = {"FirstName": "Тест", "MiddleName": "Тестович", "LastName": "Тестенко", "Phone": "380500000004"}
PERSON = {"CounterpartyType": "PrivatePerson", "CounterpartyProperty": "Recipient", **SHEVCHENKO}
#: the recorded values are blank where ours may be filled, or a number where ours may be text
LOOSE = (str, int, float, bool, type(None))


@pytest.fixture
def np() -> Iterator[RunningSandbox]:
    with NovaPoshtaSandbox(clock=lambda: NOW).start() as running:
        yield running


def sample(name: str) -> Any:
    return json.loads((SAMPLES / f"{name}.json").read_text("utf-8"))


def call(np: RunningSandbox, name: str, props: Any = None, key: str | None = None) -> dict[str, Any]:
    model, method = name.split(".")
    credentials = np.sandbox.credentials()
    body = {
        "apiKey": credentials["api_key"] if key is None else key,
        "modelName": model,
        "calledMethod": method,
        "methodProperties": props or {},
    }
    response = requests.post(credentials["api_url"], json=body, timeout=10)
    assert response.status_code == 200
    return response.json()


def make(np: RunningSandbox, **wishes: Any) -> dict[str, Any]:
    return requests.post(f"{np.url}/_sandbox/parcels", json=wishes, timeout=10).json()


def move(np: RunningSandbox, number: str, code: str, at: str = "2026-05-06 10:00:00") -> dict[str, Any]:
    body = {"code": code, "at": at}
    return requests.post(f"{np.url}/_sandbox/parcels/{number}/status", json=body, timeout=10).json()


def alike(ours: Any, theirs: Any, where: str = "$", subset: bool = False) -> None:
    """Assert the same members at every depth; of a list, its first row stands for all."""
    if isinstance(theirs, dict):
        assert isinstance(ours, dict), where
        assert set(theirs) <= set(ours) if subset else set(theirs) == set(ours), (where, set(theirs) ^ set(ours))
        for name, value in theirs.items():
            alike(ours[name], value, f"{where}.{name}", subset)
    elif isinstance(theirs, list):
        assert isinstance(ours, list), where
        if theirs:
            assert ours, where
            alike(ours[0], theirs[0], f"{where}[0]", subset)
    elif isinstance(theirs, bool):
        assert isinstance(ours, bool), where
    elif isinstance(theirs, str) and theirs:
        assert isinstance(ours, str), where
    else:
        assert isinstance(ours, LOOSE), where


def saved_waybill(np: RunningSandbox) -> dict[str, Any]:
    person = call(np, "Counterparty.save", PERSON)["data"][0]
    sender: Any = np.sandbox.credentials()["sender"]
    return call(
        np,
        "InternetDocument.save",
        {
            "PayerType": "Recipient",
            "PaymentMethod": "Cash",
            "DateTime": "04.05.2026",
            "CargoType": "Parcel",
            "Weight": "0.5",
            "VolumeGeneral": "0.004",
            "ServiceType": "WarehouseWarehouse",
            "SeatsAmount": "1",
            "Description": "Косметика",
            "Cost": "500",
            "CitySender": sender["city"],
            "Sender": sender["counterparty"],
            "SenderAddress": sender["address"],
            "ContactSender": sender["contact"],
            "SendersPhone": sender["phone"],
            "CityRecipient": directory.KYIV,
            "Recipient": person["Ref"],
            "RecipientAddress": directory.KYIV_BRANCH_1,
            "ContactRecipient": person["ContactPerson"]["data"][0]["Ref"],
            "RecipientsPhone": "380500000004",
        },
    )


@pytest.mark.parametrize(
    ("name", "props"),
    [
        ("Address.getCities", {"FindByString": "Київ", "Limit": 10, "Page": 1}),
        ("Address.getWarehouses", {"CityName": "Київ", "WarehouseId": "1", "Limit": 50, "Page": 1}),
        ("Address.searchSettlements", {"CityName": "Київ", "Limit": 10, "Page": 1}),
        (
            "Address.searchSettlementStreets",
            {"StreetName": "Хрещатик", "SettlementRef": "e718a680-4b33-11e4-ab6d-005056801329", "Limit": 10},
        ),
        ("Common.getMessageCodeText", {}),
        ("AdditionalService.getReturnReasons", {}),
        (
            "InternetDocument.getDocumentPrice",
            {"CitySender": directory.KYIV, "CityRecipient": directory.LVIV, "Weight": 0.1, "Cost": 300},
        ),
    ],
)
def test_directory_answers(np: RunningSandbox, name: str, props: dict[str, Any]) -> None:
    alike(call(np, name, props), sample(f"{name}.response"))


def test_the_first_branch_of_kyiv_is_the_recorded_one(np: RunningSandbox) -> None:
    ours = call(np, "Address.getWarehouses", {"Ref": directory.KYIV_BRANCH_1})["data"][0]
    theirs = sample("Address.getWarehouses.response")["data"][0]
    assert ours == theirs


def test_search_finds_the_recorded_settlements(np: RunningSandbox) -> None:
    ours = call(np, "Address.searchSettlements", {"CityName": "Київ"})["data"][0]["Addresses"]
    theirs = sample("Address.searchSettlements.response")["data"][0]["Addresses"]
    differ = {name for one, other in zip(ours, theirs, strict=True) for name in other if one[name] != other[name]}
    assert differ == {"Warehouses"}


def test_waybill_answers(np: RunningSandbox) -> None:
    made = saved_waybill(np)
    alike(made, sample("InternetDocument.save.response"))
    window = {"DateTimeFrom": "01.05.2026", "DateTimeTo": "05.05.2026", "GetFullList": 1}
    alike(
        call(np, "InternetDocument.getDocumentList", window),
        sample("InternetDocument.getDocumentList.response"),
        subset=True,
    )
    gone = call(np, "InternetDocument.delete", {"DocumentRefs": made["data"][0]["Ref"]})
    alike(gone, sample("InternetDocument.delete.response"))


def test_tracking_answers_whole_and_short_records(np: RunningSandbox) -> None:
    parcel = make(np, phone="380500000004", cost=3200)
    move(np, parcel["number"], "7", "2023-04-06 18:47:40")
    move(np, parcel["number"], "9", "2023-04-07 13:35:58")
    asked = [
        {"DocumentNumber": "20400048799000", "Phone": "380500000001"},
        {"DocumentNumber": parcel["number"], "Phone": "380500000001"},
    ]
    ours = call(np, "TrackingDocument.getStatusDocuments", {"Documents": asked})
    theirs = sample("TrackingDocument.getStatusDocuments.response")
    assert set(ours["data"][0]) == set(theirs["data"][0])
    assert set(ours["data"][1]) == set(theirs["data"][1])
    alike(ours["data"][0], theirs["data"][0])
    alike(ours["data"][1], theirs["data"][1])
    assert ours["warnings"] == theirs["warnings"]
    same = (
        "ActualDeliveryDate",
        "RecipientDateTime",
        "DateFirstDayStorage",
        "DatePayedKeeping",
        "WarehouseRecipient",
        "PaymentStatus",
        "ExpressWaybillPaymentStatus",
        "RecipientAddress",
        "Status",
        "StatusCode",
    )
    assert {name: ours["data"][1][name] for name in same} == {name: theirs["data"][1][name] for name in same}


def test_people_answers(np: RunningSandbox) -> None:
    call(np, "Counterparty.save", PERSON)
    alike(call(np, "Counterparty.save", PERSON), sample("Counterparty.save.private-person.response"))
    other = {"CounterpartyRef": PRIVATE_RECIPIENTS, **SHEVCHENKO, "Phone": "380500000005"}
    alike(call(np, "ContactPerson.save", other), sample("ContactPerson.save.response"))
    door = {"CounterpartyRef": PRIVATE_RECIPIENTS, "StreetRef": next(iter(directory.STREETS)), "BuildingNumber": "7"}
    call(np, "Address.save", door)
    alike(call(np, "Address.save", door), sample("Address.save.with-warning.response"))


def test_orders_answers(np: RunningSandbox) -> None:
    parcel = make(np)
    move(np, parcel["number"], "7")
    checked = call(np, "AdditionalService.CheckPossibilityCreateReturn", {"Number": parcel["number"]})
    alike(checked, sample("AdditionalService.CheckPossibilityCreateReturn.response"))
    order = {
        "IntDocNumber": parcel["number"],
        "PaymentMethod": "Cash",
        "OrderType": "orderCargoReturn",
        "Reason": REASON,
        "SubtypeReason": SUBTYPE,
        "Note": "",
        "ReturnAddressRef": RETURN_ADDRESS,
    }
    saved = call(np, "AdditionalService.save", order)
    alike(saved, sample("AdditionalService.save.return.response"))
    listed = call(np, "AdditionalService.getReturnOrdersList", {"Number": saved["data"][0]["Number"]})
    alike(listed, sample("AdditionalService.getReturnOrdersList.response"))
    gone = call(np, "AdditionalService.delete", {"Ref": saved["data"][0]["Ref"]})
    alike(gone, sample("AdditionalService.delete.response"))


def test_registry_answers(np: RunningSandbox) -> None:
    first = make(np)
    alike(
        call(np, "ScanSheet.insertDocuments", {"DocumentRefs": [first["ref"]], "Date": "04.05.2026"}),
        sample("ScanSheet.insertDocuments.response"),
    )
    alike(call(np, "ScanSheet.getScanSheetList"), sample("ScanSheet.getScanSheetList.response"))
    nowhere = {"DocumentRefs": [first["ref"]], "Ref": "aaaaaaaa-0000-4000-8000-0000000000ff"}
    assert call(np, "ScanSheet.insertDocuments", nowhere) == sample(
        "ScanSheet.insertDocuments.success-with-inner-errors.response"
    )


@pytest.mark.parametrize(
    ("name", "props", "recorded"),
    [
        (
            "TrackingDocument.getStatusDocuments",
            {"Documents": None},
            "TrackingDocument.getStatusDocuments.no-documents.error",
        ),
        ("Counterparty.save", {**PERSON, "FirstName": ""}, "Counterparty.save.no-first-name.error"),
        (
            "Counterparty.save",
            {"CounterpartyType": "Organization", "CounterpartyProperty": "Recipient"},
            "Counterparty.save.organization.errorCodes-object.error",
        ),
        ("ContactPerson.save", {"CounterpartyRef": SENDER, **SHEVCHENKO}, "ContactPerson.save.already-exists.error"),
        (
            "AdditionalService.CheckPossibilityCreateReturn",
            {"Number": "20450000000001"},
            "AdditionalService.CheckPossibilityCreateReturn.not-found.error",
        ),
    ],
)
def test_refusals_are_the_recorded_ones(np: RunningSandbox, name: str, props: dict[str, Any], recorded: str) -> None:
    assert call(np, name, props) == sample(recorded)


@pytest.mark.parametrize(
    ("fault", "recorded"),
    [
        ("auth_fail", "any.api-auth-fail.error"),
        ("key_incorrect", "any.api-key-incorrect.error"),
        ("rate_limit", "any.rate-limit.error"),
    ],
)
def test_faults_are_the_recorded_ones(np: RunningSandbox, fault: str, recorded: str) -> None:
    requests.post(f"{np.url}/_sandbox/fault", json={"kind": fault}, timeout=10)
    assert call(np, "Common.getCargoTypes") == sample(recorded)
    assert call(np, "Common.getCargoTypes")["success"]


def test_keys(np: RunningSandbox) -> None:
    assert call(np, "Counterparty.getCounterparties", key="nonsense") == sample("any.api-key-incorrect.error")
    assert call(np, "Counterparty.getCounterparties", key="")["errorCodes"] == ["20000200069"]
    assert call(np, "Counterparty.getCounterparties", key=EXPIRED_KEY)["errorCodes"] == ["20000201204"]
    assert call(np, "Address.getCities", key="")["success"]
    requests.post(f"{np.url}/_sandbox/quirks", json={"wrong_key_has_code": True}, timeout=10)
    assert call(np, "Counterparty.getCounterparties", key="nonsense") == sample("any.api-auth-fail.error")
