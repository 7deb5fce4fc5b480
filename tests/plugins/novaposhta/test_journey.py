"""The connector against the stand-in, over real HTTP: the recipe's day, and what goes wrong in it."""

from __future__ import annotations

import base64
import datetime as dt
from typing import Any

import pytest

from hub.errors import AuthFailed, Gone, PluginError, RateLimited, Refused, Retry, Uncertain
from hub.model import Action, Event, Poll, Receipt, Watch
from plugins.novaposhta import sandbox_directory as world
from plugins.novaposhta.codes import STATUSES


def events(office: Any, poll: Poll) -> list[Event]:
    return [
        event
        for key, request in poll.receipts
        for event in office.connector.parse(Receipt(1, "nova", key, request, request.at))
    ]


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
    done = office.do("parcel.create", values, marker="hub-55", attempt=2)
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
    told, watched = [], done.watch
    for n, code in enumerate(("1", "5", "7", "10", "11")):
        office.move(done.id, code, f"2026-05-0{n + 4} 10:00:00")
        poll = office.connector.poll("parcel", None, watched)
        told += events(office, poll)
        watched = live(poll)
    assert [event.record["parcel"]["status"] for event in told] == [
        "registered",
        "in_transit",
        "arrived",
        "delivered",
        "paid_out",
    ]
    assert [event.type for event in told] == ["parcel.updated"] + ["parcel.status_changed"] * 4
    assert watched == []
    assert told[2].record["parcel"]["free_until"] == "2026-05-13"
    assert told[2].occurred_at == dt.datetime(2026, 5, 6, 7, 0, tzinfo=dt.UTC)
    assert told[2].record["contact"]["phone"] == "+380671234567"
    assert told[2].record["parcel"]["cod"] == "1500"
    assert told[-1].record["parcel"]["finished"] is True


def test_a_refused_parcel_comes_home(office: Any, order: dict[str, Any]) -> None:
    done = office.do("parcel.create", {**order, "cod": "1500"}, marker="m")
    office.move(done.id, "7")
    watched = live(office.connector.poll("parcel", None, done.watch))
    office.move(done.id, "105")
    poll = office.connector.poll("parcel", None, watched)
    assert [event.record["parcel"]["status"] for event in events(office, poll)] == ["returning"]
    [back] = live(poll)
    assert back.id != done.id
    watched = live(office.connector.poll("parcel", None, [back]))
    office.move(back.id, "9")
    poll = office.connector.poll("parcel", None, watched)
    [event] = events(office, poll)
    assert (event.subject, event.record["parcel"]["status"]) == (f"parcel:{done.id}", "returned")
    assert live(poll) == []


@pytest.mark.parametrize("code", sorted({code for codes in STATUSES.values() for code in codes} - {"3"}))
def test_every_status_is_read(office: Any, code: str) -> None:
    number = office.by_hand()
    office.move(number, code)
    poll = office.connector.poll("parcel", None, [Watch("parcel", number)])
    [event] = events(office, poll)
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


# --- the other actions ------------------------------------------------------------------------------


def test_track_a_waybill_made_by_hand(office: Any) -> None:
    number = office.by_hand(cod="900")
    office.move(number, "7")
    done = office.do("parcel.track", {"number": number, "phone": "0500000004"})
    assert done.result["status"] == "arrived"
    [watch] = done.watch
    assert (watch.id, watch.after, watch.data["cod"]) == (number, 600.0, True)
    assert office.connector.poll("parcel", None, [watch]).receipts == []  # nothing new since
    with pytest.raises(Gone):
        office.do("parcel.track", {"number": "20459999999999"})


def test_update_and_delete(office: Any, order: dict[str, Any]) -> None:
    made = office.do("parcel.create", order, marker="m")
    done = office.do("parcel.update", {**order, "cost": "900"}, id=made.id)
    assert (done.id, done.written["Cost"]) == (made.id, "900")
    assert office.waybills()[0]["declared"] == "900"
    assert office.waybills()[0]["client_barcode"] in ("", "m")
    gone = office.do("parcel.delete", {"number": made.id})
    assert gone.watch == [Watch("parcel", made.id, after=None)]
    with pytest.raises(Gone):
        office.do("parcel.delete", {"ref": made.result["ref"]})
    with pytest.raises(Refused, match="needs the waybill's `number`"):
        office.do("parcel.delete")


def test_price_and_date(office: Any) -> None:
    done = office.do("parcel.price", {"city": "Львів", "cost": "1000", "weight": "2", "cod": "300"})
    assert (done.result["cost"], done.result["cost_redelivery"], done.result["zone"]) == ("75", "26", "4")
    assert dt.date.fromisoformat(office.do("parcel.date", {"city": "Львів"}).result["eta"])
    office.sandbox.world.quirks.nested_delivery_date = True
    assert dt.date.fromisoformat(office.do("parcel.date", {"city": "Львів"}).result["eta"])
    with pytest.raises(Refused, match="no city"):
        office.do("parcel.price", {"cost": "1"})


def test_print_never_shows_the_key(office: Any) -> None:
    number = office.by_hand()
    for kind in ("document", "marking", "marking100", "marking85"):
        done = office.do("parcel.print", {"number": number, "kind": kind})
        assert base64.b64decode(done.result["file"]).startswith(b"%PDF")
        assert office.sandbox.credentials()["api_key"] not in str(done)
        assert done.result["url"].endswith("/apiKey/***")
    with pytest.raises(Refused, match="page instead of a PDF"):
        office.do("parcel.print", {"number": "20459999999999"})
    with pytest.raises(Refused, match="neither a waybill number nor a ref"):
        office.do("parcel.print", {"number": "1/../../x"})
    with pytest.raises(Refused, match="kind is one of"):
        office.do("parcel.print", {"number": number, "kind": "poster"})


def test_returns(office: Any) -> None:
    number = office.by_hand()
    office.move(number, "7")
    done = office.do("return.create", {"number": number, "note": "брак"})
    assert done.result["number"].startswith("102-")
    listed = office.do("return.list").result
    assert (listed["count"], listed["rows"][0]["id"]) == (1, done.id)
    assert office.do("return.delete", {"ref": done.id}).id == done.id
    with pytest.raises(Gone):
        office.do("return.create", {"number": "20459999999999"})
    other = office.by_hand()
    office.move(other, "7")
    with pytest.raises(Refused, match="Nova Poshta has: Відмова"):
        office.do("return.create", {"number": other, "reason": "передумала"})


def test_redirect_and_change(office: Any) -> None:
    number = office.by_hand()
    office.move(number, "7")
    assert office.do("change.create", {"number": number, "phone": "0501112233"}).id
    assert office.do("change.list").result["count"] == 1
    done = office.do("redirect.create", {"number": number, "city": "Київ", "branch": "3"})
    assert office.do("redirect.list").result["rows"][0]["number"] == done.result["number"]
    with pytest.raises(Refused, match="not a Ukrainian number"):
        office.do("change.create", {"number": number, "phone": "1"})
    with pytest.raises(Refused, match="needs city"):
        office.do("redirect.create", {"number": number, "branch": "3"})


def test_registers(office: Any, order: dict[str, Any]) -> None:
    one, two = (office.do("parcel.create", order, marker=mark).result["ref"] for mark in ("a", "b"))
    register = office.do("register.create", {"refs": one})
    assert office.do("register.add", {"register": register.id, "refs": [two]}).id == register.id
    assert office.do("register.list").result["count"] == 1
    office.do("register.remove", {"register": register.id, "refs": f"{one}, {two}"})
    office.do("register.delete", {"register": register.id})
    assert office.do("register.list").result["count"] == 0
    with pytest.raises(Refused, match="Документ не знайдено"):
        office.do("register.create", {"refs": "aaaaaaaa-0000-4000-8000-0000000000ff"})
    with pytest.raises(Refused, match="is no ref"):
        office.do("register.create", {"refs": "20450000000001"})


def test_the_address_book(office: Any) -> None:
    person = office.do("counterparty.create", {"name": "Олена Коваль", "phone": "0671234567"})
    again = office.do("counterparty.create", {"name": "Олена Коваль", "phone": "0671234567"})
    assert person.result == again.result
    company = office.do("counterparty.create", {"edrpou": "12345678"})
    assert company.id != person.id
    assert office.do("counterparty.list").result["count"] >= 1
    contact = office.do("contact.create", {"counterparty": company.id, "name": "Іван Бондар", "phone": "0501112233"})
    assert contact.id
    values = {"counterparty": company.id, "city": "Київ", "street": "Хрещатик", "house": "5"}
    assert office.do("address.create", values).id == office.do("address.create", values).id


def test_directories(office: Any) -> None:
    connector = office.connector
    assert connector.find("settlement", {"name": "Київ"})[0]["id"] == world.KYIV
    assert connector.find("warehouse", {"city": "Київ", "number": "1"})[0]["id"] == world.KYIV_BRANCH_1
    assert connector.find("street", {"city": "Київ", "name": "Хрещатик"})[0]["name"] == "вул. Хрещатик"
    assert office.do("city.list", {"name": "Львів"}).result["rows"][0]["id"] == world.LVIV
    assert office.do("warehouse.list", {"city": "Львів"}).result["count"] == 3
    with pytest.raises(Refused, match="can't search for deal"):
        connector.find("deal", {"id": "1"})


def test_any_method(office: Any) -> None:
    assert office.do("api", {}, method="Common.getCargoTypes").result["count"] > 3
    assert office.do("api", {"Ref": world.KYIV}, method="Address.getCities").result["Description"] == "Київ"
    with pytest.raises(Refused, match="needs `method: Model"):
        office.do("api", {}, method="getCities")
    with pytest.raises(Refused, match="not found"):
        office.do("api", {}, method="Common.getNothing")
    with pytest.raises(PluginError):
        office.connector.perform(Action("parcel.fly", "parcel", "fly"))


# --- looking after the connection -------------------------------------------------------------------


def levels(office: Any) -> list[str]:
    return [finding.level for finding in office.connector.check()]


def test_check_is_content(office: Any) -> None:
    assert set(levels(office)) == {"ok"}


@pytest.mark.parametrize(
    ("setting", "value", "words"),
    [
        ("counterparty", world.KYIV, "is no sender of this account"),
        ("contact", world.KYIV, "is no contact of sender.counterparty"),
        ("city", "e718a680-4b33-11e4-ab6d-005056801329", "is no city ref"),
        ("city", "Атлантида", "knows no such place"),
        ("address", world.LVIV_BRANCH_1, "is not in sender.city"),
        ("address", world.KYIV, "neither a branch nor a saved address"),
        ("contact", "", "sender lacks contact"),
    ],
)
def test_check_finds(office: Any, setting: str, value: str, words: str) -> None:
    office.connector.settings["sender"][setting] = value
    found = [finding for finding in office.connector.check() if finding.level == "problem"]
    assert any(words in finding.text for finding in found), found
    assert all(finding.remedy for finding in found)


def test_check_warns(office: Any) -> None:
    office.sandbox.world.quirks.novapay_contract = False
    office.connector.settings["sender"]["phone"] = "380671112233"
    assert levels(office).count("warning") == 2
    office.connector.settings["sender"] = {}
    assert levels(office) == ["ok", "warning"]


def test_check_with_a_dead_key(office: Any) -> None:
    office.fault("key_expired")
    [finding] = office.connector.check()
    assert (finding.level, "API key expired" in finding.text) == ("problem", True)


def test_names(office: Any) -> None:
    names = office.connector.names()
    sender = office.sandbox.credentials()["sender"]
    assert names["counterparties"]["sender_1"] == (sender["counterparty"], "Приватна особа")
    assert names["contacts"]["contact_1_1"][0] == sender["contact"]
    assert names["branches"]["branch_2"][0] == sender["address"]
