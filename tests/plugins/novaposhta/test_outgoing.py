"""Values become the properties of a waybill."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.errors import HubError, Refused, Uncertain
from plugins.novaposhta import outgoing, recipient
from plugins.novaposhta.directory import Branch, City
from plugins.novaposhta.outgoing import Destination

TODAY = dt.date(2026, 5, 4)
CITY = City("city-ref", label="м. Київ")
BRANCH = Destination(CITY, Branch("branch-ref", "1", "Відділення №1", "city-ref"))
POSTOMAT = Destination(CITY, Branch("locker-ref", "5001", "Поштомат №5001", "city-ref", postomat=True))
DOOR = Destination(CITY, door="door-ref")
SENDER = {"CitySender": "cs", "Sender": "s", "SenderAddress": "sa", "ContactSender": "sc", "SendersPhone": "sp"}
RECEIVER = {"Recipient": "r", "ContactRecipient": "rc", "RecipientsPhone": "380671234567"}
SIZE = {"length": "20", "width": "15", "height": "10"}


def waybill(to: Destination = BRANCH, box: Any = None, marker: str = "", **values: Any) -> dict[str, Any]:
    return outgoing.waybill({"cost": "1500.00", **values}, SENDER, to, RECEIVER, TODAY, marker, box)


def test_the_usual_waybill() -> None:
    assert waybill(marker="hub-1", description="Косметика") == {
        "PayerType": "Recipient",
        "PaymentMethod": "Cash",
        "DateTime": "04.05.2026",
        "CargoType": "Parcel",
        "ServiceType": "WarehouseWarehouse",
        "Weight": "0.5",
        "SeatsAmount": "1",
        "Description": "Косметика",
        "Cost": "1500",
        **SENDER,
        "CityRecipient": "city-ref",
        "RecipientAddress": "branch-ref",
        **RECEIVER,
        "InfoRegClientBarcodes": "hub-1",
        "VolumeGeneral": "0.0020",
    }


def test_native_properties_win() -> None:
    made = waybill(
        PayerType="Sender",
        DateTime="10.05.2026",
        VolumeGeneral="0.1",
        InfoRegClientBarcodes="55",
        marker="hub-1",
        Cost="9",
    )
    assert (made["PayerType"], made["DateTime"], made["VolumeGeneral"]) == ("Sender", "10.05.2026", "0.1")
    assert (made["InfoRegClientBarcodes"], made["Cost"]) == ("55", "9")


def test_the_marker_is_cut_to_what_the_vendor_takes() -> None:
    assert waybill(marker="m" * 80)["InfoRegClientBarcodes"] == "m" * 50


@pytest.mark.parametrize("none", ["0", "", None, "0.00"])
def test_no_cash_on_delivery(none: Any) -> None:
    assert not {"BackwardDeliveryData", "AfterpaymentOnGoodsCost"} & set(waybill(cod=none))


def test_cash_on_delivery_as_a_transfer() -> None:
    made = waybill(cod="1 500,50")
    transfer = {"PayerType": "Recipient", "CargoType": "Money", "RedeliveryString": "1500.50"}
    assert made["BackwardDeliveryData"] == [transfer]
    assert "AfterpaymentOnGoodsCost" not in made
    assert outgoing.has_transfer(made)


def test_cash_on_delivery_as_payment_control() -> None:
    made = waybill(cod="1500", cod_kind="control")
    assert made["AfterpaymentOnGoodsCost"] == "1500"
    assert "BackwardDeliveryData" not in made
    assert not outgoing.has_transfer(made)


def test_documents_have_no_volume() -> None:
    assert not {"VolumeGeneral", "OptionsSeat"} & set(waybill(CargoType="Documents", volume="0.1"))


def test_sides_become_seats() -> None:
    made = waybill(seats="2", weight="3", **SIZE)
    seat = {
        "weight": "1.50",
        "volumetricLength": "20",
        "volumetricWidth": "15",
        "volumetricHeight": "10",
        "volumetricVolume": "0.0030",
    }
    assert made["OptionsSeat"] == [seat, seat]
    assert "VolumeGeneral" not in made


@pytest.mark.parametrize(
    ("to", "given", "service"),
    [
        (BRANCH, "WarehouseWarehouse", "WarehouseWarehouse"),
        (BRANCH, "DoorsDoors", "DoorsWarehouse"),
        (POSTOMAT, "WarehouseWarehouse", "WarehousePostomat"),
        (POSTOMAT, "DoorsWarehouse", "DoorsPostomat"),
        (DOOR, "WarehouseWarehouse", "WarehouseDoors"),
        (Destination(CITY), "WarehousePostomat", "WarehousePostomat"),
    ],
)
def test_the_destination_ends_the_service(to: Destination, given: str, service: str) -> None:
    assert waybill(to, ServiceType=given, **SIZE)["ServiceType"] == service


def test_a_postomat_wants_a_size() -> None:
    with pytest.raises(Refused, match=r"length, width and height in cm, or `box`"):
        waybill(POSTOMAT)
    made = waybill(POSTOMAT, box={"length": 20.0, "width": 15.5, "height": 10.0})
    assert made["OptionsSeat"][0]["volumetricWidth"] == "15.5"


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"weight": "21"}, "more than 20 kg"),
        ({"length": "61"}, "more than 60 x 40 x 30"),
        ({"length": "35", "height": "35", "width": "35"}, "more than 60 x 40 x 30"),
        ({"cost": "10001"}, "more than 10000 UAH"),
        ({"cod": "100", "cod_kind": "control"}, "payment control is not possible"),
    ],
)
def test_what_a_postomat_does_not_take(values: dict[str, Any], words: str) -> None:
    with pytest.raises(Refused, match=words):
        waybill(POSTOMAT, **{**SIZE, **values})


def test_a_long_side_may_lie_any_way() -> None:
    [seat] = waybill(POSTOMAT, length="30", width="40", height="60")["OptionsSeat"]
    assert (seat["volumetricLength"], seat["volumetricWidth"], seat["volumetricHeight"]) == ("60", "40", "30")


@pytest.mark.parametrize(
    ("number", "text"), [("500", "500"), ("1000", "1000"), ("1500.00", "1500"), ("1500.50", "1500.50"), ("0.5", "0.5")]
)
def test_plain(number: str, text: str) -> None:
    assert outgoing.plain(Decimal(number)) == text


def test_problems_are_told_all_at_once() -> None:
    problems = outgoing.waybill_problems({"weight": "heavy", "cod_kind": "gift", "street": "Хрещатик"})
    assert set(problems) == {"city", "house", "cost", "weight", "cod_kind"}
    assert outgoing.waybill_problems({"city": "Київ", "branch": "1", "cost": "5"}) == {}
    assert outgoing.waybill_problems({"CityRecipient": "x", "RecipientAddress": "y", "Cost": "5"}) == {}
    assert "cost" in outgoing.waybill_problems({"city": "Київ", "branch": "1", "cost": "-5"})


def test_unknown_words_get_a_guess() -> None:
    with pytest.raises(Refused, match="Did you mean 'branch'"):
        outgoing.known({"brunch": "5"}, outgoing.WAYBILL_WORDS, "parcel.create")


def test_saved() -> None:
    row = {"Ref": "r", "IntDocNumber": "20450000000001", "CostOnSite": 45, "EstimatedDeliveryDate": "01.01.2019"}
    assert outgoing.saved(row, {"cod": "500"}) == {
        "id": "20450000000001",
        "number": "20450000000001",
        "ref": "r",
        "cost": "45",
        "eta": "2019-01-01",
        "status": "registered",
        "url": "https://novaposhta.ua/tracking/?cargo_number=20450000000001",
        "cod": "500",
    }
    with pytest.raises(Uncertain):
        outgoing.saved({"Ref": "r"}, {})


def test_the_contact_is_in_the_nested_envelope(vendor_sample: Any) -> None:
    answer = vendor_sample("Counterparty.save.private-person.response")["data"][0]
    person = recipient.Recipient(recipient.Name("Тест", "Тестенко"), "380671234567")
    assert outgoing.receiver(person, answer) == {
        "Recipient": "aaaaaaaa-0000-4000-8000-000000000027",
        "ContactRecipient": "aaaaaaaa-0000-4000-8000-000000000028",
        "RecipientsPhone": "380671234567",
    }
    with pytest.raises(Refused, match="no contact person"):
        outgoing.receiver(person, answer | {"ContactPerson": []})


def test_listed(vendor_sample: Any) -> None:
    record = outgoing.listed(vendor_sample("InternetDocument.getDocumentList.response")["data"][0])
    assert (record["id"], record["status"], record["cost"]) == ("20400030200931", "in_transit", "45")
    assert (record["cod"], record["eta"]) == ("500", "2019-01-02")


_WORDS = st.sampled_from([*outgoing.WAYBILL_WORDS, "CargoType", "OptionsSeat", "Cost", "BackwardDeliveryData"])
_VALUES = st.one_of(
    st.none(), st.text(max_size=12), st.integers(), st.floats(), st.lists(st.none() | st.just({"weight": "x"}))
)


@given(st.dictionaries(_WORDS, _VALUES), st.sampled_from([BRANCH, POSTOMAT, DOOR]))
def test_strange_values_end_in_words(values: dict[str, Any], to: Destination) -> None:
    try:
        recipient.read(values)
        outgoing.refuse("no", outgoing.waybill_problems(values))
        outgoing.waybill(values, SENDER, to, RECEIVER, TODAY, "m")
    except HubError as error:
        assert str(error)
