"""The sandbox over real HTTP: what a waybill is made, changed, deleted, listed and refused for."""

from typing import Any

import pytest
import requests

from plugins.novaposhta.sandbox import directory
from plugins.novaposhta.sandbox.world import PRIVATE_RECIPIENTS
from tests.plugins.novaposhta.caller import PHONE, Client


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
