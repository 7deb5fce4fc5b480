"""E5: a deal to be shipped gets a waybill, and the parcel moves the deal; also when something breaks on the way."""

from __future__ import annotations

import pytest

from tests.journeys.place import Place

SHIPPED, AT_BRANCH, RECEIVED = "C5:EXECUTING", "C5:UC_BRANCH", "C5:FINAL_INVOICE"


def waybill_of(place: Place, deal: str) -> str:
    """Wait for the waybill's number in the deal and return it."""
    return str(place.until(lambda: place.of_deal(deal).get("UF_CRM_1730000001")))


def test_from_the_deal_to_the_door(place: Place) -> None:
    deal = place.deal()
    place.ship(deal)
    number = waybill_of(place, deal)
    assert [one["number"] for one in place.waybills()] == [number]
    for code, stage in (("5", SHIPPED), ("7", AT_BRANCH), ("9", RECEIVED)):
        place.scan(number, code)
        place.until(lambda stage=stage: place.of_deal(deal)["STAGE_ID"] == stage)
    place.settle()
    assert place.rows("SELECT count(*) FROM delivery WHERE state = 'parked'") == [(0,)]


def test_a_late_scan_never_moves_it_back(place: Place) -> None:
    deal = place.deal()
    place.ship(deal)
    number = waybill_of(place, deal)
    place.scan(number, "7")
    place.until(lambda: place.of_deal(deal)["STAGE_ID"] == AT_BRANCH)
    place.scan(number, "5")
    place.until(lambda: place.rows("SELECT count(*) FROM event WHERE type = 'parcel.status_changed'")[0][0] >= 2)
    place.settle()
    assert place.of_deal(deal)["STAGE_ID"] == AT_BRANCH


def test_a_lost_answer_to_the_waybill_makes_no_second_one(place: Place) -> None:
    place.arm(1, "lost_reply", "InternetDocument.save")
    deal = place.deal()
    place.ship(deal)
    number = waybill_of(place, deal)
    assert [one["number"] for one in place.waybills()] == [number]
    assert place.rows("SELECT count(*) FROM delivery WHERE reason LIKE '%found_by_marker%'") == [(1,)]
    # It is watched like any other: the next scan moves the deal.
    place.scan(number, "5")
    place.until(lambda: place.of_deal(deal)["STAGE_ID"] == SHIPPED)


@pytest.mark.parametrize(("which", "match"), [(1, ""), (0, "crm.deal")], ids=["nova poshta", "the portal"])
def test_an_outage_in_the_middle(place: Place, which: int, match: str) -> None:
    place.arm(which, "503", match, times=4)
    deal = place.deal()
    place.ship(deal)
    number = waybill_of(place, deal)
    place.arm(which, "outage", match, times=2)
    place.scan(number, "7")

    def asked_again() -> bool:
        place.poll()
        return bool(place.of_deal(deal)["STAGE_ID"] == AT_BRANCH)

    place.until(asked_again)
    place.settle()
    assert len(place.waybills()) == 1
    assert place.rows("SELECT count(*) FROM delivery WHERE state = 'parked'") == [(0,)]


def test_the_same_hook_many_times_is_one_waybill(place: Place) -> None:
    deal = place.deal()
    place.arm(0, "duplicate_event", times=5)
    place.ship(deal)
    for n in range(5):
        place.crm.act("crm.deal.update", {"id": deal, "fields": {"TITLE": f"Набір {n}"}}, user_id=1)
    waybill_of(place, deal)
    place.settle()
    assert len(place.waybills()) == 1
