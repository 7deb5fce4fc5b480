"""The sandbox over real HTTP: orders, registries, directories, people, prices."""

from typing import Any

from plugins.novaposhta.sandbox import directory
from plugins.novaposhta.sandbox.orders import RETURN_ADDRESS
from tests.plugins.novaposhta.caller import PHONE, Client


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
