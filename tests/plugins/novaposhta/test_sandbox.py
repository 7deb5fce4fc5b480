"""The sandbox over real HTTP: waybills, their life, money, oddities, faults and controls."""

import datetime as dt
import itertools
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import requests

from plugins.novaposhta.sandbox import NovaPoshtaSandbox, directory
from plugins.novaposhta.sandbox.envelope import METHODS
from plugins.novaposhta.sandbox.orders import RETURN_ADDRESS
from plugins.novaposhta.sandbox.world import API_KEY, PRIVATE_RECIPIENTS, Quirks

NOW = dt.datetime(2026, 5, 4, 9, 0, tzinfo=dt.UTC)
PHONE = "380500000004"


class Client:
    """Calls a running sandbox the way the vendor documents it."""

    def __init__(self, sandbox: NovaPoshtaSandbox) -> None:
        self.running = sandbox.start()
        self.url = self.running.url
        self.credentials = sandbox.credentials()

    def call(self, name: str, key: str = API_KEY, **props: Any) -> dict[str, Any]:
        model, method = name.split(".")
        body = {"apiKey": key, "modelName": model, "calledMethod": method, "methodProperties": props}
        return requests.post(self.credentials["api_url"], json=body, timeout=10).json()

    def ok(self, name: str, **props: Any) -> list[Any]:
        answer = self.call(name, **props)
        assert answer["success"], answer["errors"]
        return answer["data"]

    def codes(self, name: str, **props: Any) -> Any:
        answer = self.call(name, **props)
        assert not answer["success"]
        assert answer["data"] == []
        return answer["errorCodes"]

    def control(self, path: str, body: Any = None) -> Any:
        return requests.post(f"{self.url}/_sandbox/{path}", json=body or {}, timeout=10).json()

    def state(self) -> dict[str, Any]:
        return requests.get(f"{self.url}/_sandbox/state", timeout=10).json()

    def move(self, number: str, code: str, at: str = "2026-05-06 10:00:00") -> dict[str, Any]:
        return self.control(f"parcels/{number}/status", {"code": code, "at": at})

    def track(self, number: str, phone: str = PHONE, **more: Any) -> dict[str, Any]:
        documents = [{"DocumentNumber": number, "Phone": phone}]
        return self.ok("TrackingDocument.getStatusDocuments", Documents=documents, **more)[0]

    def person(self) -> dict[str, str]:
        row = self.ok(
            "Counterparty.save",
            CounterpartyType="PrivatePerson",
            CounterpartyProperty="Recipient",
            FirstName="Тест",
            LastName="Тестенко",
            MiddleName="Тестович",
            Phone=PHONE,
        )[0]
        return {"Recipient": row["Ref"], "ContactRecipient": row["ContactPerson"]["data"][0]["Ref"]}

    def form(self, **changes: Any) -> dict[str, Any]:
        """Return the properties of a plain parcel from Kyiv to Lviv, changed; None takes one away."""
        sender = self.credentials["sender"]
        props = {
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
            "CityRecipient": directory.LVIV,
            "RecipientAddress": directory.LVIV_BRANCH_1,
            "RecipientsPhone": PHONE,
            **self.person(),
        }
        return {name: value for name, value in (props | changes).items() if value is not None}

    def save(self, **changes: Any) -> dict[str, Any]:
        return self.ok("InternetDocument.save", **self.form(**changes))[0]

    def save_codes(self, **changes: Any) -> Any:
        return self.codes("InternetDocument.save", **self.form(**changes))


@pytest.fixture
def start() -> Iterator[Callable[..., Client]]:
    clients: list[Client] = []

    def begin(**options: Any) -> Client:
        clients.append(Client(NovaPoshtaSandbox(**{"clock": lambda: NOW} | options)))
        return clients[-1]

    yield begin
    for client in clients:
        client.running.stop()


@pytest.fixture
def np(start: Callable[..., Client]) -> Client:
    return start()


# --- the envelope -----------------------------------------------------------------------------


def test_address_content_type_and_general_names_do_not_matter(np: Client) -> None:
    body = f'{{"apiKey": "{API_KEY}", "modelName": "AddressGeneral", "calledMethod": "getAreas"}}'
    for path, kind in itertools.product(("/v2.0/json/", "/v2.0/json"), ("text/plain", "application/json")):
        response = requests.post(np.url + path, data=body, headers={"Content-Type": kind}, timeout=10)
        assert response.status_code == 200
        assert response.json()["data"]
    assert np.state()["calls"] == {"Address.getAreas": 4}


def test_an_unknown_method_and_an_unreadable_body_are_refused_with_http_200(np: Client) -> None:
    answer = np.call("InternetDocument.documentsTracking")
    assert answer["errors"] == ["Method InternetDocumentGeneral_documentsTracking not found"]
    assert answer["errorCodes"] == []
    response = requests.post(f"{np.url}/v2.0/json/", data=b"<xml/>", timeout=10)
    assert (response.status_code, response.json()["success"]) == (200, False)


def test_every_method_of_the_documentation_is_served() -> None:
    models = {name.partition(".")[0] for name in METHODS}
    assert models == {
        "Address",
        "AdditionalService",
        "Common",
        "ContactPerson",
        "Counterparty",
        "InternetDocument",
        "ScanSheet",
        "TrackingDocument",
    }
    assert len(METHODS) >= 60


def test_directories_and_tracking_answer_without_a_key_the_rest_does_not() -> None:
    open_models = {name.partition(".")[0] for name, found in METHODS.items() if found.without_key}
    assert open_models == {"Address", "Common", "TrackingDocument", "InternetDocument"}
    assert not METHODS["InternetDocument.save"].without_key
    assert not METHODS["Address.save"].without_key


# --- waybills ---------------------------------------------------------------------------------


def test_a_waybill_carries_the_callers_own_number_back(np: Client) -> None:
    saved = np.save(InfoRegClientBarcodes="deal-17")
    assert len(saved["IntDocNumber"]) == 14
    assert saved["EstimatedDeliveryDate"] == "06.05.2026"
    assert np.track(saved["IntDocNumber"])["ClientBarcode"] == "deal-17"
    listed = np.ok("InternetDocument.getDocumentList", DateTimeFrom="04.05.2026", DateTimeTo="04.05.2026")
    assert [(row["IntDocNumber"], row["InfoRegClientBarcodes"]) for row in listed] == [
        (saved["IntDocNumber"], "deal-17")
    ]
    assert listed[0]["RecipientsPhone"] == PHONE


def test_there_is_no_idempotency_the_same_form_twice_is_two_waybills(np: Client) -> None:
    first, second = np.save(InfoRegClientBarcodes="1"), np.save(InfoRegClientBarcodes="1")
    assert first["IntDocNumber"] != second["IntDocNumber"]
    assert np.state()["counts"]["waybills"] == 2


def test_a_lost_reply_leaves_the_waybill_behind(np: Client) -> None:
    form = np.form(InfoRegClientBarcodes="deal-17")
    np.control("fault", {"kind": "lost_reply", "match": "InternetDocument.save"})
    with pytest.raises(requests.ConnectionError):
        np.call("InternetDocument.save", **form)
    assert [row["client_barcode"] for row in np.state()["waybills"]] == ["deal-17"]
    assert len(np.ok("InternetDocument.getDocumentList", GetFullList="1")) == 1


def test_an_outage_leaves_nothing_behind(np: Client) -> None:
    form = np.form()
    np.control("fault", {"kind": "outage", "match": "InternetDocument.save"})
    with pytest.raises(requests.ConnectionError):
        np.call("InternetDocument.save", **form)
    assert np.state()["counts"]["waybills"] == 0


SEAT = {"weight": "1", "volumetricWidth": "20", "volumetricLength": "30", "volumetricHeight": "10"}


@pytest.mark.parametrize(
    ("changes", "codes"),
    [
        ({"PayerType": None}, ["20000200247"]),
        ({"PayerType": "Nobody"}, ["20000301244"]),
        ({"PaymentMethod": None}, ["20000200248"]),
        ({"DateTime": None}, ["20000200145"]),
        ({"DateTime": "2026-05-04"}, ["20000400456"]),
        ({"DateTime": "03.05.2026"}, ["20000400455"]),
        ({"CargoType": None}, ["20000200099"]),
        ({"CargoType": "Documents"}, ["20000200367"]),
        ({"CargoType": "Documents", "VolumeGeneral": None, "Weight": "3"}, ["20000200376"]),
        ({"Weight": None}, ["20000400503"]),
        ({"Weight": "heavy"}, ["20000200373"]),
        ({"Weight": "2000"}, ["20000200375"]),
        ({"ServiceType": None}, ["20000200347"]),
        ({"SeatsAmount": "0"}, ["20000200314"]),
        ({"Description": None}, ["20000200150"]),
        ({"Cost": None}, ["20000400452"]),
        ({"CityRecipient": None}, ["20000200104", "20000200266"]),
        ({"CityRecipient": "nowhere"}, ["20000200103", "20000200266"]),
        ({"Recipient": None, "ContactRecipient": None}, ["20000300431", "20000300401"]),
        ({"ContactRecipient": "stranger"}, ["20000300398"]),
        ({"RecipientAddress": None}, ["20000200268"]),
        ({"RecipientAddress": "gone"}, ["20000200265"]),
        ({"RecipientAddress": directory.ODESA_BRANCH_1}, ["20000200266"]),
        ({"CityRecipient": directory.KYIV, "RecipientAddress": directory.KYIV_BRANCH_CLOSED}, ["20000201797"]),
        (
            {"CityRecipient": directory.KYIV, "RecipientAddress": directory.KYIV_BRANCH_30_KG, "Weight": "31"},
            ["20000201504"],
        ),
        ({"RecipientsPhone": None}, ["20000300435"]),
        ({"RecipientsPhone": "+380500000004"}, ["20000300434"]),
        ({"SendersPhone": "0500000004"}, ["20000300444"]),
        ({"VolumeGeneral": None}, ["20000200365"]),
        ({"VolumeGeneral": None, "OptionsSeat": [{"Weight": "1"}]}, ["20000200226"]),
        ({"VolumeGeneral": None, "OptionsSeat": [SEAT, SEAT]}, ["20000200314"]),
        ({"InfoRegClientBarcodes": "x" * 51}, ["20000200189"]),
        ({"BackwardDeliveryData": {"CargoType": "Money"}}, ["20000200086"]),
        (
            {"BackwardDeliveryData": [{"PayerType": "Recipient", "CargoType": "Money", "RedeliveryString": "much"}]},
            ["20000200079"],
        ),
        (
            {
                "BackwardDeliveryData": [
                    {"PayerType": "Recipient", "CargoType": "Money", "RedeliveryString": "5", "PaymentCard": "x"}
                ]
            },
            ["20000201794"],
        ),
        ({"AfterpaymentOnGoodsCost": "a lot"}, ["20000200033"]),
    ],
)
def test_what_a_waybill_is_refused_for(np: Client, changes: dict[str, Any], codes: list[str]) -> None:
    assert np.save_codes(**changes) == codes
    assert np.state()["counts"]["waybills"] == 0


LOCKER = {"RecipientAddress": directory.LVIV_POSTOMAT, "ServiceType": "WarehousePostomat", "VolumeGeneral": None}


@pytest.mark.parametrize(
    ("changes", "codes"),
    [
        ({"VolumeGeneral": "0.004"}, ["20000200226"]),
        ({"OptionsSeat": [SEAT | {"weight": "21"}]}, ["20000200380"]),
        ({"OptionsSeat": [SEAT | {"volumetricHeight": "31"}]}, ["20000200181"]),
        ({"OptionsSeat": [SEAT | {"volumetricWidth": 41}]}, ["20000200389"]),
        ({"OptionsSeat": [SEAT], "Cost": "10001"}, ["20000200119"]),
        ({"OptionsSeat": [SEAT], "AfterpaymentOnGoodsCost": "500"}, ["20000200032"]),
    ],
)
def test_a_postomat_has_its_own_limits(np: Client, changes: dict[str, Any], codes: list[str]) -> None:
    assert np.save_codes(**LOCKER | changes) == codes


def test_a_fitting_parcel_goes_to_a_postomat(np: Client) -> None:
    saved = np.save(**LOCKER, OptionsSeat=[SEAT])
    np.move(saved["IntDocNumber"], "8")
    record = np.track(saved["IntDocNumber"])
    assert (record["CategoryOfWarehouse"], record["WarehouseRecipientNumber"]) == ("Postomat", 5101)


def test_a_door_is_saved_first(np: Client) -> None:
    street = np.ok("Address.getStreet", CityRef=directory.LVIV, FindByString="Городоцька")[0]
    door = {"CounterpartyRef": PRIVATE_RECIPIENTS, "StreetRef": street["Ref"], "BuildingNumber": "7", "Flat": "2"}
    address = np.ok("Address.save", **door)[0]
    assert address["Description"] == "Городоцька вул. 7 кв. 2"
    to_door = {"ServiceType": "WarehouseDoors", "RecipientAddress": address["Ref"]}
    assert np.save_codes(RecipientAddress=address["Ref"]) == ["20000200266"]
    saved = np.save(**to_door)
    assert np.track(saved["IntDocNumber"])["RecipientAddress"] == "м. Львів, Городоцька вул. 7 кв. 2"


def test_a_recipient_in_words_may_reach_a_namesake_village(np: Client) -> None:
    words = {
        "NewAddress": "1",
        "RecipientCityName": "Миколаївка",
        "RecipientArea": "Київська",
        "RecipientAddressName": "1",
        "RecipientName": "Тестенко Тест",
        "RecipientType": "PrivatePerson",
        **dict.fromkeys(("CityRecipient", "Recipient", "RecipientAddress", "ContactRecipient")),
    }
    saved = np.save(**words)
    assert np.track(saved["IntDocNumber"])["RefCityRecipient"] == directory.MYKOLAIVKA_ODESA
    assert np.save_codes(**words | {"RecipientCityName": "Атлантида"}) == ["20000200279"]
    assert np.save_codes(**words | {"RecipientName": "Тестенко"}) == ["20000201598"]
    assert np.save_codes(**words | {"RecipientName": "Тест Тест"}) == ["20000201758"]


def test_update_and_delete_work_until_the_parcel_is_accepted(np: Client) -> None:
    saved = np.save()
    np.ok("InternetDocument.update", **np.form(Ref=saved["Ref"], Cost="900"))
    assert np.track(saved["IntDocNumber"])["AnnouncedPrice"] == 900
    np.move(saved["IntDocNumber"], "4")
    assert np.codes("InternetDocument.update", **np.form(Ref=saved["Ref"])) == ["20000301006"]
    answer = np.call("InternetDocument.delete", DocumentRefs=[saved["Ref"]])
    assert answer["errors"]["0"] == "No document changed DeletionMark"
    assert saved["Ref"] in answer["errors"]
    assert np.codes("InternetDocument.delete") == ["20000200307"]


def test_a_deleted_waybill_leaves_the_list_and_is_tracked_as_deleted(np: Client) -> None:
    one, other = np.save(), np.save()
    assert np.ok("InternetDocument.delete", DocumentRefs=[one["Ref"], "nothing"]) == [{"Ref": one["Ref"]}]
    assert np.track(one["IntDocNumber"])["StatusCode"] == "2"
    assert [row["Ref"] for row in np.ok("InternetDocument.getDocumentList")] == [other["Ref"]]
    assert np.state()["counts"] | {"waybills": 2, "deleted": 1} == np.state()["counts"]


def test_the_list_has_days_pages_and_a_full_form(np: Client) -> None:
    for _ in range(101):
        np.control("parcels")
    window = {"DateTimeFrom": "01.05.2026", "DateTimeTo": "31.05.2026"}
    assert len(np.ok("InternetDocument.getDocumentList", **window)) == 100
    assert len(np.ok("InternetDocument.getDocumentList", **window, Page="2")) == 1
    assert len(np.ok("InternetDocument.getDocumentList", **window, GetFullList=1)) == 101
    assert np.ok("InternetDocument.getDocumentList", DateTimeFrom="05.05.2026", GetFullList=1) == []
    assert np.codes("InternetDocument.getDocumentList", DateTimeFrom="2026-05-01") == ["20000300413"]


# --- tracking and a parcel's life ---------------------------------------------------------------


def test_the_phone_opens_the_record(np: Client) -> None:
    number = np.control("parcels", {"phone": PHONE})["number"]
    sender = np.credentials["sender"]["phone"]
    assert np.track(number)["RecipientFullName"] == np.track(number, sender)["RecipientFullName"] != ""
    for phone in ("", "380509999999"):
        answer = np.call("TrackingDocument.getStatusDocuments", Documents=[{"DocumentNumber": number, "Phone": phone}])
        assert answer["data"][0]["RecipientFullName"] == ""
        assert "PhoneRecipient" not in answer["data"][0]
        assert list(answer["warnings"][0]) == [f"ID_{number}"]


def test_a_hundred_numbers_a_call(np: Client) -> None:
    documents = [{"DocumentNumber": f"2045{serial:010d}"} for serial in range(101)]
    answer = np.ok("TrackingDocument.getStatusDocuments", Documents=documents[:100])
    assert [row["StatusCode"] for row in answer] == ["3"] * 100
    np.codes("TrackingDocument.getStatusDocuments", Documents=documents)


def test_dates_follow_the_status(np: Client) -> None:
    number = np.control("parcels", {"phone": PHONE})["number"]
    assert np.track(number)["ActualDeliveryDate"] == ""
    np.move(number, "5", "2026-05-05 08:00:00")
    np.move(number, "7", "2026-05-06 10:00:00")
    record = np.track(number)
    assert record["TrackingUpdateDate"] == record["ActualDeliveryDate"] == "2026-05-06 10:00:00"
    assert (record["DateFirstDayStorage"], record["DatePayedKeeping"]) == ("2026-05-14", "2026-05-14 10:00:00")
    np.move(number, "111", "2026-05-07 10:00:00")
    assert np.track(number)["UndeliveryReasonsDate"] == "2026-05-07 10:00:00"
    np.move(number, "9", "2026-05-08 10:00:00")
    record = np.track(number)
    assert record["RecipientDateTime"] == "08.05.2026 10:00:00"
    assert (record["PaymentStatus"], record["UndeliveryReasons"]) == ("PAYED", "")


def test_money_comes_back_in_two_steps(np: Client) -> None:
    number = np.save(
        BackwardDeliveryData=[{"PayerType": "Recipient", "CargoType": "Money", "RedeliveryString": "1000"}]
    )["IntDocNumber"]
    record = np.track(number)
    assert (record["RedeliverySum"], record["RedeliveryNum"], record["LastTransactionStatusGM"]) == (1000, "", "")
    np.move(number, "10", "2026-05-06 10:00:00")
    assert np.track(number)["RedeliveryNum"]
    np.move(number, "11", "2026-05-07 12:00:00")
    assert np.track(number)["LastTransactionDateTimeGM"] == "2026-05-07 12:00:00"


def test_numbers_may_have_a_comma(np: Client) -> None:
    number = np.save(Weight="1,5", Cost="500,5", AfterpaymentOnGoodsCost="700,5")["IntDocNumber"]
    record = np.track(number)
    assert (record["DocumentWeight"], record["AnnouncedPrice"]) == (1.5, 500.5)
    assert record["AfterpaymentOnGoodsCost"] == 700.5


def test_payment_control_needs_a_contract(np: Client, start: Callable[..., Client]) -> None:
    number = np.save(AfterpaymentOnGoodsCost="700")["IntDocNumber"]
    assert np.track(number)["AfterpaymentOnGoodsCost"] == 700
    bare = start(quirks=Quirks(novapay_contract=False))
    assert bare.save_codes(AfterpaymentOnGoodsCost="700") == ["20000200035"]
    options = bare.ok("Counterparty.getCounterpartyOptions", Ref=bare.credentials["sender"]["counterparty"])
    assert options[0]["CanAfterpaymentOnGoodsCost"] is False


def test_without_a_key_tracking_hides_returns_and_money(np: Client) -> None:
    number = np.control("parcels", {"phone": PHONE, "cod": 500})["number"]
    np.move(number, "102")
    documents = [{"DocumentNumber": number, "Phone": PHONE}]
    bare = np.call("TrackingDocument.getStatusDocuments", key="", Documents=documents)["data"][0]
    assert (bare["StatusCode"], bare["LastCreatedOnTheBasisNumber"], bare["RedeliverySum"]) == ("102", "", "")


def test_a_refusal_leads_to_the_returns_own_number(np: Client) -> None:
    number = np.control("parcels", {"phone": PHONE})["number"]
    np.move(number, "103")
    assert np.track(number)["LastCreatedOnTheBasisNumber"] == ""
    np.move(number, "102", "2026-05-07 10:00:00")
    back = np.track(number)["LastCreatedOnTheBasisNumber"]
    following = np.track(back)
    assert following["OwnerDocumentNumber"] == number
    assert following["PhoneRecipient"] == np.credentials["sender"]["phone"]
    np.move(number, "102")
    assert np.state()["counts"]["waybills"] == 2


def test_a_status_nobody_has_listed_is_told_as_it_is(np: Client) -> None:
    number = np.control("parcels", {"phone": PHONE})["number"]
    np.control(f"parcels/{number}/status", {"code": "16", "text": "Зворотна доставка"})
    assert (np.track(number)["StatusCode"], np.track(number)["Status"]) == ("16", "Зворотна доставка")


def test_status_words_follow_the_language(np: Client) -> None:
    number = np.control("parcels", {"phone": PHONE})["number"]
    np.move(number, "9")
    assert np.track(number)["Status"] == "Відправлення отримано"
    assert np.track(number, Language="RU")["Status"] == "Отправление получено"


# --- orders, registries, directories, people ----------------------------------------------------


def test_a_return_order_and_its_withdrawal(np: Client) -> None:
    number = np.control("parcels", {"phone": PHONE})["number"]
    order = {"IntDocNumber": number, "OrderType": "orderCargoReturn", "ReturnAddressRef": RETURN_ADDRESS}
    assert np.codes("AdditionalService.save", **order) == ["20000301271"]
    np.move(number, "7")
    made = np.ok("AdditionalService.save", **order)[0]
    assert np.track(number)["StatusCode"] == "102"
    assert np.track(number)["LastCreatedOnTheBasisNumber"]
    assert np.ok("AdditionalService.delete", Ref=made["Ref"]) == [{"Number": made["Number"]}]
    assert np.track(number)["LastCreatedOnTheBasisNumber"] == ""


def test_a_redirection_and_a_change(np: Client) -> None:
    number = np.control("parcels", {"phone": PHONE})["number"]
    np.move(number, "7")
    assert np.ok("AdditionalServiceGeneral.checkPossibilityForRedirecting", Number=number)[0]["Number"] == number
    assert np.ok("AdditionalService.CheckPossibilityChangeEW", IntDocNumber=number)[0]["CanChangeRecipient"] is True
    change = {"IntDocNumber": number, "OrderType": "orderChangeEW", "RecipientPhone": "380500000009"}
    np.ok("AdditionalService.save", **change)
    assert np.track(number, "380500000009")["PhoneRecipient"] == "380500000009"
    there = {"OrderType": "orderRedirecting", "RecipientWarehouse": directory.ODESA_BRANCH_1}
    np.ok("AdditionalService.save", IntDocNumber=number, **there)
    record = np.track(number, "380500000009")
    assert record["StatusCode"] == "104"
    following = np.track(record["LastCreatedOnTheBasisNumber"], "380500000009")
    assert (following["CityRecipient"], following["StatusCode"]) == ("Одеса", "5")
    assert len(np.ok("AdditionalService.getRedirectionOrdersList")) == 1
    assert len(np.ok("AdditionalService.getChangeEWOrdersList")) == 1


def test_a_registry_hides_its_failures_in_a_success(np: Client) -> None:
    ref = np.control("parcels")["ref"]
    mixed = np.ok("ScanSheet.insertDocuments", DocumentRefs=[ref, "nothing"])[0]
    assert mixed["Errors"] == [{"Error": "Документ не знайдено", "Number": "nothing"}]
    assert np.call("InternetDocument.delete", DocumentRefs=ref)["errors"][ref] == "Document in registry"
    assert np.ok("ScanSheet.getScanSheet", Ref=mixed["Ref"])[0]["Count"] == "1"
    removed = np.ok("ScanSheet.removeDocuments", DocumentRefs=[ref, "nothing"], Ref=mixed["Ref"])
    assert [row["Error"] for row in removed] == ["", "Document is invalid"]
    gone = np.ok("ScanSheet.deleteScanSheet", ScanSheetRefs=[mixed["Ref"], "nothing"])
    assert [row["Error"] for row in gone] == ["", "ScanSheet is invalid"]
    assert np.codes("ScanSheet.getScanSheet", Ref=mixed["Ref"]) == ["20001300961"]


def test_settlements_lead_to_cities_and_some_have_no_branch(np: Client) -> None:
    def find(name: str) -> list[dict[str, Any]]:
        return np.ok("Address.searchSettlements", CityName=name, Limit="10")[0]["Addresses"]

    assert find("київ")[0]["DeliveryCity"] == directory.KYIV
    assert [row["Warehouses"] for row in find("Підлісне")] == [0]
    assert len(find("Миколаївка")) == 2
    assert find("Атлантида") == []
    assert np.codes("Address.searchSettlementStreets", StreetName="Х", SettlementRef=directory.KYIV) == ["20000500626"]


def test_warehouses_are_filtered_and_paged(np: Client) -> None:
    answer = np.call("Address.getWarehouses", Limit="3", Page="2")
    assert (len(answer["data"]), answer["info"]) == (3, {"totalCount": len(directory.WAREHOUSES)})
    lockers = np.ok("Address.getWarehouses", TypeOfWarehouseRef=directory.POSTOMAT, CityRef=directory.KYIV)
    assert [row["Ref"] for row in lockers] == [directory.KYIV_POSTOMAT]
    assert [row["Number"] for row in np.ok("Address.getWarehouses", CityName="Київ", WarehouseId="3")] == ["3"]
    assert np.ok("Address.getWarehouses", Ref="nothing") == []
    assert np.codes("Address.getWarehouses", CityName="Атлантида") == ["20000900768"]


def test_a_person_and_a_company_are_kept_once(np: Client) -> None:
    assert np.person() == np.person()
    assert np.state()["counts"]["contacts"] == 2
    company = {
        "CounterpartyType": "Organization",
        "CounterpartyProperty": "ThirdPerson",
        "EDRPOU": "12345678",
        "CityRef": directory.KYIV,
    }
    np.ok("Counterparty.save", **company)
    again = np.call("Counterparty.save", **company)
    assert again["warnings"] == {"DuplicateValidate": "Counterparty is not unique"}
    assert again["warningCodes"] == {"DuplicateValidate": "30000900779"}


def test_the_account_knows_its_sender(np: Client) -> None:
    sender = np.credentials["sender"]
    listed = np.ok("Counterparty.getCounterparties", CounterpartyProperty="Sender", Page="1")
    assert [row["Ref"] for row in listed] == [sender["counterparty"]]
    people = np.ok("Counterparty.getCounterpartyContactPersons", Ref=sender["counterparty"])
    assert [(one["Ref"], one["Phones"]) for one in people] == [(sender["contact"], sender["phone"])]


def test_prices_and_dates_in_both_known_shapes(np: Client) -> None:
    route = {"CitySender": directory.KYIV, "CityRecipient": directory.LVIV, "ServiceType": "WarehouseWarehouse"}
    money = {"RedeliveryCalculate": {"CargoType": "Money", "Amount": "1000"}, "Weight": "1", "Cost": "500"}
    price = np.ok("InternetDocument.getDocumentPrice", **route, **money)[0]
    assert (price["CostRedelivery"], price["TZoneInfo"]["TzoneID"]) == ("40", "4")
    assert np.ok("InternetDocument.getDocumentPrice", **route, Weight="1,5", Cost="junk")[0]["Cost"] == "70"
    flat = np.ok("InternetDocument.getDocumentDeliveryDate", **route)[0]
    assert flat["date"] == "2026.05.06 00:00:00"
    np.control("quirks", {"nested_delivery_date": True, "lower_tzone": True})
    nested = np.ok("InternetDocument.getDocumentDeliveryDate", **route)[0]
    assert nested["DeliveryDate"]["date"].startswith("2026-05-06")
    assert "TzoneInfo" in np.ok("InternetDocument.getDocumentPrice", **route, **money)[0]


# --- oddities, faults, controls -----------------------------------------------------------------


def test_refusals_can_be_bent_into_the_known_shapes(np: Client) -> None:
    np.control("quirks", {"errors_as_objects": True})
    answer = np.call("InternetDocument.delete")
    assert (answer["errors"], answer["errorCodes"]) == ({"0": "Refs is undefined"}, {"0": "20000200307"})
    np.control("quirks", {"errors_as_objects": False, "no_codes": True})
    assert np.codes("InternetDocument.delete") == []
    assert "error" in np.control("quirks", {"nonsense": True})


@pytest.mark.parametrize(
    ("kind", "code"),
    [("rate_limit", "20000401501"), ("key_expired", "20000201204"), ("service_unavailable", "20000100016")],
)
def test_a_fault_hits_the_method_it_names_and_does_nothing(np: Client, kind: str, code: str) -> None:
    form = np.form()
    np.control("fault", {"kind": kind, "match": "InternetDocument.save"})
    assert np.ok("Common.getCargoTypes")
    assert np.codes("InternetDocument.save", **form) == [code]
    assert np.state()["counts"]["waybills"] == 0
    assert np.ok("InternetDocument.save", **form)


def test_empty_data_and_a_gateways_page(np: Client) -> None:
    np.control("fault", {"kind": "empty_data", "match": "getWarehouses"})
    assert np.ok("Address.getWarehouses", Ref=directory.KYIV_BRANCH_1) == []
    assert np.ok("Address.getWarehouses", Ref=directory.KYIV_BRANCH_1)
    np.control("fault", {"kind": "html"})
    response = requests.post(f"{np.url}/v2.0/json/", json={}, timeout=10)
    assert (response.status_code, response.headers["Content-Type"].split(";")[0]) == (200, "text/html")


def test_the_limit_of_calls_goes_by_the_clock(start: Callable[..., Client]) -> None:
    moment = [NOW]
    np = start(clock=lambda: moment[0], calls_per_second=2)
    assert [np.call("Common.getCargoTypes")["success"] for _ in range(3)] == [True, True, False]
    moment[0] += dt.timedelta(seconds=1)
    assert np.call("Common.getCargoTypes")["success"]


def test_print_links_answer_a_pdf_and_keep_the_key_out_of_the_counters(np: Client) -> None:
    one, other = np.save(), np.save()
    base, key = f"{np.url}/orders", np.credentials["api_key"]
    for link in (
        f"{base}/printDocument/orders[]/{one['Ref']}/type/pdf/apiKey/{key}",
        f"{base}/printMarkings/orders[]/{one['Ref']}/type/pdf/apiKey/{key}",
        f"{base}/printMarking100x100/orders/{one['IntDocNumber']},{other['IntDocNumber']}/type/pdf/apiKey/{key}",
    ):
        response = requests.get(link, timeout=10)
        assert response.content.startswith(b"%PDF-"), link
        assert one["IntDocNumber"].encode() in response.content
    assert [row["printed"] for row in np.state()["waybills"]] == [True, True]
    assert not any(key in name for name in np.state()["calls"])
    wrong = requests.get(f"{base}/printDocument/orders[]/{one['Ref']}/type/pdf/apiKey/wrong", timeout=10)
    assert wrong.headers["Content-Type"].startswith("text/html")


def test_reset_starts_the_account_afresh(np: Client) -> None:
    np.save()
    np.control("quirks", {"no_codes": True})
    np.control("reset")
    state = np.state()
    assert (state["counts"]["waybills"], state["quirks"]["no_codes"], state["calls"]) == (0, False, {})
    assert np.save()["IntDocNumber"] == "20450000000001"
