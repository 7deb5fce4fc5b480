"""The sandbox over real HTTP: tracking, a parcel's life and its money."""

from collections.abc import Callable

from plugins.novaposhta.sandbox.world import Quirks
from tests.plugins.novaposhta.caller import PHONE, Client


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
