"""The connector against the stand-in, over real HTTP: the recipe's day, and what goes wrong in it."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest

from hub.errors import AuthFailed, Gone, RateLimited, Refused, Retry, Uncertain
from hub.model import Action, Event, Poll, Watch
from plugins.novaposhta.codes import STATUSES
from plugins.novaposhta.sandbox import directory as world
from tests.stands import told


def live(poll: Poll) -> list[Watch]:
    return [watch for watch in poll.watch if watch.after is not None]


# --- making waybills ------------------------------------------------------------------------------


def test_the_recipes_waybill(office: Any, order: dict[str, Any]) -> None:
    done = office.do("parcel.create", order, marker="hub-55")
    [made] = office.waybills()
    assert (done.id, done.result["ref"]) == (made["number"], made["ref"])
    assert made["client_barcode"] == "hub-55"
    assert (made["address"], made["declared"], made["phone"]) == (world.KYIV_BRANCH_1, "1500", "380671234567")
    assert done.result["status"] == "registered"
    assert dt.date.fromisoformat(done.result["eta"])
    [watch] = done.watch
    assert (watch.kind, watch.id, watch.after) == ("parcel", made["number"], 3600.0)
    assert (watch.data["phone"], watch.data["cod"]) == ("380671234567", False)


def test_it_costs_no_more_calls_than_declared(office: Any, order: dict[str, Any]) -> None:
    door = {**order, "street": "Хрещатик", "house": "5", "flat": "2"}
    door.pop("branch")
    office.do("parcel.create", door, marker="m")
    assert sum(office.sandbox.calls.values()) <= office.connector.action("parcel.create").cost
    office.sandbox.calls.clear()
    office.do("parcel.create", order, marker="n")
    office.sandbox.calls.clear()
    office.do("parcel.create", order, marker="o")  # city and branch are remembered
    assert set(office.sandbox.calls) == {"Counterparty.save", "InternetDocument.save"}


@pytest.mark.parametrize(
    ("kind", "transfer", "control"), [("money", "1500", ""), ("control", "", "1500")], ids=["money", "control"]
)
def test_both_kinds_of_cash_on_delivery(
    office: Any, order: dict[str, Any], kind: str, transfer: str, control: str
) -> None:
    done = office.do("parcel.create", {**order, "cod": "1500", "cod_kind": kind}, marker="m")
    [made] = office.waybills()
    assert (made["cod"], made["payment_control"]) == (transfer, control)
    assert done.watch[0].data["cod"] is bool(transfer)


def test_a_postomat(office: Any, order: dict[str, Any]) -> None:
    values = {**order, "branch": "Поштомат 5001", "length": "20", "width": "15", "height": "10"}
    office.do("parcel.create", values, marker="m")
    assert office.waybills()[0]["address"] == world.KYIV_POSTOMAT


def test_to_a_door(office: Any, order: dict[str, Any]) -> None:
    values = {**order, "street": "вул. Хрещатик", "house": "5"}
    values.pop("branch")
    office.do("parcel.create", values, marker="m")
    assert len(office.sandbox.world.addresses) == 1


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"phone": ""}, "no recipient phone"),
        ({"name": "Олена"}, "surname and first name"),
        ({"cost": "0"}, "no declared value"),
        ({"city": ""}, "no city"),
        ({"branch": ""}, "no branch"),
    ],
)
def test_what_is_missing_is_told_before_anybody_is_asked(
    office: Any, order: dict[str, Any], change: dict[str, str], words: str
) -> None:
    with pytest.raises(Refused, match=words):
        office.do("parcel.create", {**order, **change}, marker="m")
    assert office.sandbox.calls == {}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"city": "Миколаївка"}, "several places have this name"),
        ({"branch": "4"}, "takes no parcels now"),
        ({"branch": "3", "weight": "31"}, "at most 30 kg"),
        ({"branch": world.LVIV_BRANCH_1}, "is not in"),
        ({"branch": "5001"}, "wants the parcel's size"),
    ],
)
def test_what_cannot_be_sent_leaves_no_trace(
    office: Any, order: dict[str, Any], change: dict[str, str], words: str
) -> None:
    with pytest.raises(Refused, match=words):
        office.do("parcel.create", {**order, **change}, marker="m", attempt=2)
    assert office.waybills() == []
    assert len(office.sandbox.world.contacts) == 1  # the recipient was not written into the address book


def test_the_vendors_own_refusal_names_the_field(office: Any, order: dict[str, Any]) -> None:
    with pytest.raises(Refused, match="Description") as caught:
        office.do("parcel.create", {**order, "Description": "x" * 200}, marker="m")
    assert "Description" in caught.value.fields


def test_without_a_sender(office: Any, order: dict[str, Any]) -> None:
    office.connector.settings["sender"] = {"city": world.KYIV}
    with pytest.raises(Refused, match=r"sender.counterparty, sender.contact, sender.address, sender.phone"):
        office.do("parcel.create", order)


# --- one effect -------------------------------------------------------------------------------------


def test_a_lost_reply_is_found_by_its_marker(office: Any, order: dict[str, Any]) -> None:
    office.fault("lost_reply", "InternetDocument.save")
    with pytest.raises(Uncertain):
        office.do("parcel.create", order, marker="hub-55")
    since = dt.datetime.now(dt.UTC) - dt.timedelta(hours=1)
    for moment in (since, since.timestamp(), since.isoformat()):
        [found] = office.connector.find("parcel", {"marker": "hub-55", "since": moment})
        assert found["id"] == office.waybills()[0]["number"]
        assert found["status"] == "registered"
    assert office.connector.find("parcel", {"marker": "hub-56", "since": since}) == []


def test_a_route_with_its_own_barcode_is_found_by_that(office: Any, order: dict[str, Any]) -> None:
    values = {**order, "InfoRegClientBarcodes": "deal-55"}
    office.fault("lost_reply", "InternetDocument.save")
    with pytest.raises(Uncertain):
        office.do("parcel.create", values, marker="hub-55")
    since = dt.datetime.now(dt.UTC) - dt.timedelta(hours=1)
    [record] = office.connector.find("parcel", {"marker": "deal-55", "since": since})
    done = office.connector.found(Action("parcel.create", "parcel", "create", values), record)
    [made] = office.waybills()
    assert (done.id, made["client_barcode"]) == (made["number"], "deal-55")
    assert done.watch[0].data["phone"] == "380671234567"


def test_the_search_reads_all_pages(office: Any) -> None:
    numbers = [office.by_hand(barcode=f"b-{n}") for n in range(205)]
    [found] = office.connector.find("parcel", {"marker": "b-204", "since": dt.datetime.now(dt.UTC)})
    assert found["number"] == numbers[-1]
    assert office.do("parcel.list").result["count"] == 205


def test_a_list_without_barcodes_is_filled_by_tracking(office: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    number = office.by_hand(barcode="b-1")
    listed = office.connector._desk.client.waybill_list

    def bare(self: Any, *arguments: Any) -> list[dict[str, Any]]:
        rows: list[dict[str, Any]] = listed(*arguments)
        hidden = ("InfoRegClientBarcodes", "ClientBarcode")
        return [{name: value for name, value in row.items() if name not in hidden} for row in rows]

    monkeypatch.setattr("plugins.novaposhta.client.Client.waybill_list", bare)
    [found] = office.connector.find("parcel", {"marker": "b-1"})
    assert found["number"] == number


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        ("rate_limit", RateLimited),
        ("service_unavailable", Retry),
        ("outage", Uncertain),
        ("503", Uncertain),
        ("html", Uncertain),
        ("empty_data", Uncertain),
        ("key_expired", AuthFailed),
        ("key_incorrect", AuthFailed),
    ],
)
def test_faults_of_a_save(office: Any, order: dict[str, Any], fault: str, error: type[Exception]) -> None:
    office.fault(fault, "InternetDocument.save")
    with pytest.raises(error) as caught:
        office.do("parcel.create", order, marker="m")
    assert type(caught.value) is error
    assert office.sandbox.credentials()["api_key"] not in str(caught.value)


@pytest.mark.parametrize("fault", ["outage", "503", "html", "empty_data", "service_unavailable"])
def test_faults_before_the_save_are_harmless(office: Any, order: dict[str, Any], fault: str) -> None:
    office.fault(fault, "getWarehouses")
    with pytest.raises(Retry):
        office.do("parcel.create", order, marker="m")
    office.do("parcel.create", order, marker="m", attempt=2)
    assert len(office.waybills()) == 1


def test_a_stale_memory_of_the_directories_is_read_again(office: Any, order: dict[str, Any], monkeypatch: Any) -> None:
    office.do("parcel.create", order, marker="m")
    row = dict(world.WAREHOUSES[world.KYIV_BRANCH_1], Ref="b7a9c000-0000-4000-8000-0000000000ff")
    monkeypatch.delitem(world.WAREHOUSES, world.KYIV_BRANCH_1)  # the branch moved under a new ref
    monkeypatch.setitem(world.WAREHOUSES, row["Ref"], row)
    with pytest.raises(Retry, match="directories are read again"):
        office.do("parcel.create", order, marker="n")
    assert office.do("parcel.create", order, marker="n", attempt=2).id


# --- a parcel's life --------------------------------------------------------------------------------


def test_a_life_with_money_on_delivery(office: Any, order: dict[str, Any]) -> None:
    done = office.do("parcel.create", {**order, "cod": "1500"}, marker="m")
    found, watched = [], done.watch
    for n, code in enumerate(("1", "5", "7", "10", "11")):
        office.move(done.id, code, f"2026-05-0{n + 4} 10:00:00")
        poll = office.connector.poll("parcel", None, watched)
        found += told(office.connector, poll)
        watched = live(poll)
    assert [event.record["parcel"]["status"] for event in found] == [
        "in_transit",
        "arrived",
        "delivered",
        "paid_out",
    ]
    assert [event.type for event in found] == ["parcel.status_changed"] * 4
    assert watched == []
    assert found[1].record["parcel"]["free_until"] == "2026-05-13"
    assert found[1].occurred_at == dt.datetime(2026, 5, 6, 7, 0, tzinfo=dt.UTC)
    assert found[1].record["contact"]["phone"] == "+380671234567"
    assert found[1].record["parcel"]["cod"] == "1500"
    assert found[-1].record["parcel"]["finished"] is True


def test_a_refused_parcel_comes_home(office: Any, order: dict[str, Any]) -> None:
    done = office.do("parcel.create", {**order, "cod": "1500"}, marker="m")
    office.move(done.id, "7")
    watched = live(office.connector.poll("parcel", None, done.watch))
    office.move(done.id, "105")
    poll = office.connector.poll("parcel", None, watched)
    assert [event.record["parcel"]["status"] for event in told(office.connector, poll)] == ["returning"]
    [back] = live(poll)
    assert back.id != done.id
    watched = live(office.connector.poll("parcel", None, [back]))
    office.move(back.id, "9")
    poll = office.connector.poll("parcel", None, watched)
    [event] = told(office.connector, poll)
    assert (event.subject, event.record["parcel"]["status"]) == (f"parcel:{done.id}", "returned")
    assert live(poll) == []


@pytest.mark.parametrize("code", sorted({code for codes in STATUSES.values() for code in codes} - {"3"}))
def test_every_status_is_read(office: Any, code: str) -> None:
    number = office.by_hand()
    office.move(number, code)
    poll = office.connector.poll("parcel", None, [Watch("parcel", number)])
    [event] = told(office.connector, poll)
    assert office.connector.statuses[code] == event.record["parcel"]["status"]


def test_250_parcels_in_three_calls(office: Any) -> None:
    watched = [Watch("parcel", office.by_hand()) for _ in range(250)]
    office.sandbox.calls.clear()
    poll = office.connector.poll("parcel", None, watched)
    assert office.sandbox.calls == {"TrackingDocument.getStatusDocuments": 3}
    assert len(poll.receipts) == 250


def test_a_push_is_read_again(office: Any) -> None:
    number = office.by_hand()
    office.move(number, "7")
    hint = Event("parcel.updated", f"parcel:{number}", "h", {"parcel": {"number": number}}, incomplete=True, id=5)
    [event] = office.connector.complete([hint], frozenset())
    assert (event.type, event.record["parcel"]["status"], event.id) == ("parcel.status_changed", "arrived", 5)
    lost = hint.with_(record={"parcel": {"number": "20459999999999"}})
    assert office.connector.complete([lost], frozenset()) == []


def test_get(office: Any) -> None:
    number = office.by_hand(barcode="55")
    assert office.connector.get("parcel", number)["order"] == "55"
    with pytest.raises(Gone, match="knows no parcel"):
        office.connector.get("parcel", "20459999999999")
    with pytest.raises(Refused):
        office.connector.get("deal", "1")
