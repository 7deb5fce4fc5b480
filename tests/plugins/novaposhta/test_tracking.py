"""A tracking item in the hub's words."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from plugins.novaposhta import codes, schemas, tracking


@pytest.fixture
def item(vendor_sample: Callable[[str], Any]) -> dict[str, Any]:
    return schemas.tracking_item(vendor_sample("TrackingDocument.getStatusDocuments.response")["data"][1])


def test_the_fixture_whole(item: dict[str, Any]) -> None:
    record = tracking.parcel(item | {"ClientBarcode": "55", "PhoneRecipient": "380500000004"})
    extra = record.pop("extra")
    assert record == {
        "id": "20400048799001",
        "number": "20400048799001",
        "ref": "aaaaaaaa-0000-4000-8000-000000000002",
        "url": "https://novaposhta.ua/tracking/?cargo_number=20400048799001",
        "status": "delivered",
        "status_code": "9",
        "status_text": "Відправлення отримано",
        "status_at": "2023-04-07T08:36:10+00:00",
        "eta": "2023-04-06",
        "free_until": "2023-04-13",
        "branch": "Відділення №1: вул. Пирогівський шлях, 135",
        "branch_number": "98",
        "city": "Київ",
        "cost": "96",
        "order": "55",
        "recipient": "Тестенко Тест Тестович",
        "phone": "+380500000004",
        "weight": 2.5,
        "finished": True,
    }
    assert extra["AnnouncedPrice"] == 3200
    assert "UndeliveryReasons" not in extra


def test_the_recipient_is_a_contact_surname_first(item: dict[str, Any]) -> None:
    contact = tracking.event(item | {"PhoneRecipient": "380500000004"}).record["contact"]
    assert (contact["last_name"], contact["first_name"], contact["middle_name"]) == ("Тестенко", "Тест", "Тестович")
    assert contact["phone"] == "+380500000004"


def test_a_company_keeps_its_name(item: dict[str, Any]) -> None:
    contact = tracking.contact({"recipient": 'ТОВ "Яблуневий сад" Плюс 2'})
    assert contact["name"] == 'ТОВ "Яблуневий сад" Плюс 2'
    assert "last_name" not in contact


@pytest.mark.parametrize(
    ("first_charged", "paid_from", "last_free"),
    [
        ("2023-04-14", "2023-04-14 18:47:40", "2023-04-13"),
        ("", "2018-12-14 00:00:00", "2018-12-13"),
        ("2023-04-14", "", "2023-04-13"),
        ("", "", None),
        ("0001-01-01", "rubbish", None),
    ],
)
def test_free_until(first_charged: str, paid_from: str, last_free: str | None) -> None:
    found = tracking.free_until({"DateFirstDayStorage": first_charged, "DatePayedKeeping": paid_from})
    assert (found.isoformat() if found else None) == last_free


@pytest.mark.parametrize(
    ("code", "role", "status"),
    [
        ("7", "", "arrived"),
        ("10", "", "delivered"),
        ("11", "", "paid_out"),
        ("103", "", "refused"),
        ("5", "return", "returning"),
        ("7", "return", "returning"),
        ("9", "return", "returned"),
        ("11", "return", "returned"),
        ("3", "return", "unknown"),
        ("7", "redirect", "arrived"),
        ("9", "redirect", "delivered"),
        ("5", "backward", "delivered"),
        ("777", "", "unknown"),
    ],
)
def test_status_in_role(code: str, role: str, status: str) -> None:
    assert tracking.status_in_role(code, role) == status


@pytest.mark.parametrize("code", sorted({code for some in codes.STATUSES.values() for code in some}))
def test_every_code_makes_an_event(item: dict[str, Any], code: str) -> None:
    event = tracking.event(item | {"StatusCode": code}, {"status": "x"})
    assert event.type == "parcel.status_changed"
    assert event.record["parcel"]["status"] == codes.neutral_status(code)
    assert event.key == f"parcel:20400048799001:20400048799001:{code}:2023-04-07 11:36:10"


def test_same_code_is_an_update(item: dict[str, Any]) -> None:
    assert tracking.event(item, {"status": "9"}).type == "parcel.updated"


def test_a_return_tells_the_story_of_the_first_number(item: dict[str, Any]) -> None:
    was = {"follows": "20450000000001", "role": "return", "status": "4"}
    event = tracking.event(item | {"StatusCode": "9", "PhoneRecipient": "380500000001"}, was)
    parcel = event.record["parcel"]
    assert event.subject == "parcel:20450000000001"
    assert (parcel["number"], parcel["return_number"], parcel["status"]) == (
        "20450000000001",
        "20400048799001",
        "returned",
    )
    assert parcel["finished"] is True
    assert "contact" not in event.record  # it is addressed to the sender
    assert not {"recipient", "phone", "branch"} & set(parcel)
    moving = tracking.event(item | {"StatusCode": "5"}, was)
    assert (moving.type, moving.record["parcel"]["status"]) == ("parcel.updated", "returning")


@pytest.mark.parametrize(
    ("item", "cod", "control"),
    [
        ({"RedeliverySum": "1500", "Redelivery": 1}, True, "1500"),
        ({"RedeliverySum": 0, "AfterpaymentOnGoodsCost": "900.50"}, False, "900.50"),
        ({"RedeliverySum": "", "AfterpaymentOnGoodsCost": 0}, False, None),
        ({"RedeliverySum": "much"}, False, None),
    ],
)
def test_both_products_of_cash_on_delivery(item: dict[str, Any], cod: bool, control: str | None) -> None:
    assert tracking.money_on_delivery(item) is cod
    assert tracking.parcel(item | {"Number": "1", "StatusCode": "7"}).get("cod") == control


def test_finished() -> None:
    assert [tracking.finished(code) for code in ("2", "9", "11", "106", "7", "10", "103")] == [True] * 4 + [False] * 3
    assert not tracking.finished("9", cod=True)
    assert tracking.finished("9", cod=True, role="return")
    assert tracking.finished("11", cod=True)


@pytest.mark.parametrize(
    "broken", [None, [], {}, {"Number": "1"}, {"Number": [], "StatusCode": "7"}, {"StatusCode": "7"}]
)
def test_no_tracking_item(broken: Any) -> None:
    with pytest.raises(ValueError, match="not a tracking item"):
        schemas.tracking_item(broken)


@pytest.mark.parametrize(
    ("kind", "role"),
    [("CargoReturn", "return"), ("Redirecting", "redirect"), ("RedeliveryDocuments", "backward"), ("", None)],
)
def test_belongs_to(kind: str, role: str | None) -> None:
    found = tracking.belongs_to({"OwnerDocumentNumber": "20450000000001", "OwnerDocumentType": kind})
    assert found == ({"follows": "20450000000001", "role": role} if role else {})
