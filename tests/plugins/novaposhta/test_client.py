"""Each call: asked right, at the right address, answer read right, refusal read right; and what refusals mean."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
import requests
import responses

from hub.errors import AuthFailed, Gone, HubError, RateLimited, Refused, Retry, Uncertain
from plugins.novaposhta.client import Client, StaleRef, refusal
from plugins.novaposhta.connector import NovaPoshta
from plugins.novaposhta.schemas import API_URL

KEY = "FAKE_NP_API_KEY_0000000000000000"
REF, NUMBER = "aaaaaaaa-0000-4000-8000-000000000018", "20450000000001"

#: client method, arguments, Model.method, methodProperties, sample of the answer ("" = one row {"Ref"}), changes
CALLS: list[tuple[str, tuple[Any, ...], str, dict[str, Any], str, bool]] = [
    (
        "track",
        ([{"DocumentNumber": NUMBER, "Phone": "380500000001"}],),
        "TrackingDocument.getStatusDocuments",
        {"Documents": [{"DocumentNumber": NUMBER, "Phone": "380500000001"}]},
        "TrackingDocument.getStatusDocuments.response",
        False,
    ),
    ("waybill_save", ({"Cost": "5"},), "InternetDocument.save", {"Cost": "5"}, "InternetDocument.save.response", True),
    (
        "waybill_update",
        ({"Ref": REF},),
        "InternetDocument.update",
        {"Ref": REF},
        "InternetDocument.save.response",
        True,
    ),
    (
        "waybill_delete",
        ([REF],),
        "InternetDocument.delete",
        {"DocumentRefs": [REF]},
        "InternetDocument.delete.response",
        True,
    ),
    (
        "waybill_list",
        ("01.01.2019", "03.01.2019", 2),
        "InternetDocument.getDocumentList",
        {"DateTimeFrom": "01.01.2019", "DateTimeTo": "03.01.2019", "GetFullList": "0", "Page": "2"},
        "InternetDocument.getDocumentList.response",
        False,
    ),
    (
        "price",
        ({"Cost": "300"},),
        "InternetDocument.getDocumentPrice",
        {"Cost": "300"},
        "InternetDocument.getDocumentPrice.response",
        False,
    ),
    (
        "delivery_date",
        ({"CityRecipient": REF},),
        "InternetDocument.getDocumentDeliveryDate",
        {"CityRecipient": REF},
        "",
        False,
    ),
    (
        "settlements",
        ("Київ", 10),
        "Address.searchSettlements",
        {"CityName": "Київ", "Limit": 10, "Page": 1},
        "Address.searchSettlements.response",
        False,
    ),
    (
        "streets",
        (REF, "Хрещатик", 10),
        "Address.searchSettlementStreets",
        {"StreetName": "Хрещатик", "SettlementRef": REF, "Limit": 10},
        "Address.searchSettlementStreets.response",
        False,
    ),
    ("cities", ({"Ref": REF},), "Address.getCities", {"Ref": REF}, "Address.getCities.response", False),
    (
        "warehouses",
        ({"CityRef": REF, "WarehouseId": "1"},),
        "Address.getWarehouses",
        {"Language": "UA", "CityRef": REF, "WarehouseId": "1"},
        "Address.getWarehouses.response",
        False,
    ),
    ("address_save", ({"Flat": "2"},), "Address.save", {"Flat": "2"}, "Address.save.with-warning.response", False),
    (
        "counterparty_save",
        ({"FirstName": "Тест"},),
        "Counterparty.save",
        {"FirstName": "Тест"},
        "Counterparty.save.private-person.response",
        False,
    ),
    ("counterparties", ({"Page": "1"},), "Counterparty.getCounterparties", {"Page": "1"}, "", False),
    ("contact_persons", (REF,), "Counterparty.getCounterpartyContactPersons", {"Ref": REF, "Page": 1}, "", False),
    (
        "addresses",
        (REF,),
        "Counterparty.getCounterpartyAddresses",
        {"Ref": REF, "CounterpartyProperty": "Sender"},
        "",
        False,
    ),
    ("options", (REF,), "Counterparty.getCounterpartyOptions", {"Ref": REF}, "", False),
    ("contact_save", ({"Phone": "3"},), "ContactPerson.save", {"Phone": "3"}, "ContactPerson.save.response", False),
    (
        "return_addresses",
        (NUMBER,),
        "AdditionalService.CheckPossibilityCreateReturn",
        {"Number": NUMBER},
        "AdditionalService.CheckPossibilityCreateReturn.response",
        False,
    ),
    (
        "return_reasons",
        (),
        "AdditionalService.getReturnReasons",
        {},
        "AdditionalService.getReturnReasons.response",
        False,
    ),
    ("return_subtypes", (REF,), "AdditionalService.getReturnReasonsSubtypes", {"ReasonRef": REF}, "", False),
    (
        "order_save",
        ({"OrderType": "orderCargoReturn"},),
        "AdditionalService.save",
        {"OrderType": "orderCargoReturn"},
        "AdditionalService.save.return.response",
        True,
    ),
    (
        "orders",
        ("getReturnOrdersList", {"Page": "1"}),
        "AdditionalService.getReturnOrdersList",
        {"Page": "1"},
        "AdditionalService.getReturnOrdersList.response",
        False,
    ),
    ("order_delete", (REF,), "AdditionalService.delete", {"Ref": REF}, "AdditionalService.delete.response", True),
    (
        "register_insert",
        ({"DocumentRefs": [REF]},),
        "ScanSheet.insertDocuments",
        {"DocumentRefs": [REF]},
        "ScanSheet.insertDocuments.response",
        True,
    ),
    ("registers", (), "ScanSheet.getScanSheetList", {}, "ScanSheet.getScanSheetList.response", False),
    ("register_remove", ([REF], "r"), "ScanSheet.removeDocuments", {"DocumentRefs": [REF], "Ref": "r"}, "", True),
    ("register_delete", ([REF],), "ScanSheet.deleteScanSheet", {"ScanSheetRefs": [REF]}, "", True),
]
each = pytest.mark.parametrize(
    ("name", "arguments", "method", "properties", "answer", "changes"), CALLS, ids=[call[0] for call in CALLS]
)
REFUSED = {"success": False, "data": [], "errors": ["Cost is invalid"], "errorCodes": ["20000200118"]}


@pytest.fixture
def client(offline: NovaPoshta) -> Client:
    return Client(offline.http, API_URL, KEY)


@each
@responses.activate
def test_asked_right(
    client: Client, name: str, arguments: Any, method: str, properties: Any, answer: str, changes: bool
) -> None:
    responses.post(API_URL, json={"success": True, "data": [{"Ref": REF}]})
    getattr(client, name)(*arguments)
    model, called = method.split(".")
    sent = json.loads(responses.calls[0].request.body)
    assert sent == {"apiKey": KEY, "modelName": model, "calledMethod": called, "methodProperties": properties}


@each
@responses.activate
def test_at_the_right_address(
    client: Client, name: str, arguments: Any, method: str, properties: Any, answer: str, changes: bool
) -> None:
    responses.post(API_URL, json={"success": True, "data": [{"Ref": REF}]})
    getattr(client, name)(*arguments)
    [call] = responses.calls
    assert (call.request.method, call.request.url) == ("POST", "https://api.novaposhta.ua/v2.0/json/")
    assert KEY not in str(call.request.url) + str(call.request.headers)


@each
@responses.activate
def test_answer_read_right(
    client: Client,
    vendor_sample: Callable[[str], Any],
    name: str,
    arguments: Any,
    method: str,
    properties: Any,
    answer: str,
    changes: bool,
) -> None:
    body = vendor_sample(answer) if answer else {"success": True, "data": [{"Ref": REF}]}
    responses.post(API_URL, json=body)
    found = getattr(client, name)(*arguments)
    rows = body["data"]
    expected = rows[0]["Addresses"] if name in ("settlements", "streets") else rows
    assert found in (expected, expected[0])


@each
@responses.activate
def test_refusal_read_right(
    client: Client, name: str, arguments: Any, method: str, properties: Any, answer: str, changes: bool
) -> None:
    responses.post(API_URL, json=REFUSED)
    with pytest.raises(Refused) as caught:
        getattr(client, name)(*arguments)
    assert str(caught.value) == f"{method}: Cost is invalid [20000200118]"
    assert (caught.value.vendor_code, caught.value.fields) == ("20000200118", {"Cost": "Cost is invalid"})


@each
@responses.activate
def test_a_lost_answer(
    client: Client, name: str, arguments: Any, method: str, properties: Any, answer: str, changes: bool
) -> None:
    expected = Uncertain if changes else Retry
    for body in (
        requests.exceptions.ReadTimeout("slow"),
        "<!DOCTYPE html><title>Just a moment...</title>",
        "[]",
        '{"data": []}',
        "",
    ):
        responses.reset()
        responses.post(API_URL, body=body)
        with pytest.raises(expected):
            getattr(client, name)(*arguments)
    responses.reset()
    responses.post(API_URL, body="<html>502</html>", status=502)
    with pytest.raises(expected):
        getattr(client, name)(*arguments)
    responses.reset()
    responses.post(API_URL, body="slow down", status=429, headers={"Retry-After": "7"})
    with pytest.raises(RateLimited) as caught:
        getattr(client, name)(*arguments)
    assert caught.value.after == 7


# --- what a refusal means ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("sample_name", "error", "words"),
    [
        ("any.rate-limit.error", RateLimited, "To many requests"),
        ("any.api-key-incorrect.error", AuthFailed, "put it into api_key"),
        ("any.api-auth-fail.error", AuthFailed, "put it into api_key"),
        ("Counterparty.save.no-first-name.error", Refused, "FirstName is not specified"),
        ("Counterparty.save.organization.errorCodes-object.error", Refused, "CompanyName is not specified"),
        ("ContactPerson.save.already-exists.error", Refused, "already exist"),
        ("AdditionalService.CheckPossibilityCreateReturn.not-found.error", Gone, "не знайдена"),
        ("TrackingDocument.getStatusDocuments.no-documents.error", Refused, "not correct"),
    ],
)
@responses.activate
def test_samples_of_refusals(
    client: Client, vendor_sample: Callable[[str], Any], sample_name: str, error: type[HubError], words: str
) -> None:
    responses.post(API_URL, json=vendor_sample(sample_name))
    with pytest.raises(error, match=words) as caught:
        client.waybill_save({})
    assert type(caught.value) is error
    assert KEY not in str(caught.value)


@pytest.mark.parametrize(
    ("errors", "codes", "changes", "error"),
    [
        (["To many requests"], ["20000401501"], True, RateLimited),
        (["To many requests"], [], True, RateLimited),
        (["General error"], ["20000100002"], True, Uncertain),
        (["General error"], ["20000100002"], False, Retry),
        (["Service Unavailable"], ["20000100016"], True, Retry),
        (["API key expired"], {"0": "20000201204"}, True, AuthFailed),
        (["No rights to the method"], ["20000200217"], False, AuthFailed),
        (["City not found"], ["20000900768"], False, StaleRef),
        (["Document not found"], ["20000300415"], True, Gone),
        ({REF: "Document not found", "0": "No document changed DeletionMark"}, ["20000201173"], True, Gone),
        ({REF: "Document is printed", "0": "No document changed DeletionMark"}, ["20000201173"], True, Refused),
        ([], ["20000200434"], True, Refused),
        ([], [], True, Refused),
        (None, None, True, Refused),
    ],
)
def test_refusals_by_what_to_do_next(errors: Any, codes: Any, changes: bool, error: type[HubError]) -> None:
    assert type(refusal("X.save", errors, codes, changes)) is error


def test_a_missing_right_is_told_from_a_bad_key() -> None:
    assert "with all rights" in str(refusal("X.y", ["No rights to the method"], ["20000200217"], False))


def test_fields_are_named() -> None:
    error = refusal("X.save", ["RecipientsPhone invalid format", "Weight is too high"], ["1", "2"], True)
    assert isinstance(error, Refused)
    assert error.fields == {"RecipientsPhone": "RecipientsPhone invalid format", "Weight": "Weight is too high"}


@responses.activate
def test_success_may_hide_errors(client: Client, vendor_sample: Callable[[str], Any]) -> None:
    responses.post(API_URL, json=vendor_sample("ScanSheet.insertDocuments.success-with-inner-errors.response"))
    with pytest.raises(Refused, match="Реєстр не знайдений"):
        client.register_insert({"DocumentRefs": [REF]})
    responses.reset()
    body = {"success": True, "data": [{"Ref": "", "Data": {"Errors": [{"Error": "printed", "Number": NUMBER}]}}]}
    responses.post(API_URL, json=body)
    with pytest.raises(Refused, match=rf"printed \({NUMBER}\)"):
        client.register_insert({"DocumentRefs": [REF]})
    responses.reset()
    responses.post(API_URL, json={"success": True, "data": [{"Ref": REF, "Error": "Document is invalid"}]})
    with pytest.raises(Refused, match="Document is invalid"):
        client.register_remove([REF], "r")


@responses.activate
def test_a_save_without_data_is_in_doubt(client: Client) -> None:
    responses.post(API_URL, json={"success": True, "data": []})
    with pytest.raises(Uncertain):
        client.waybill_save({})
    with pytest.raises(Retry):
        client.price({})


def test_the_key_goes_nowhere_else(offline: NovaPoshta) -> None:
    with pytest.raises(Refused, match="may not send its credentials"):
        Client(offline.http, "https://api.novaposhta.example/", KEY).registers()


@responses.activate
def test_print_link(client: Client) -> None:
    link = "https://my.novaposhta.ua/orders/printDocument/orders[]/1/type/pdf/apiKey/"
    responses.get(link + KEY, body=b"%PDF-1.4")
    assert client.print_file(link + "{key}") == b"%PDF-1.4"
