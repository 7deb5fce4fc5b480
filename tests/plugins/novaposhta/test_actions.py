"""The other actions and the check-up, against the stand-in over real HTTP."""

from __future__ import annotations

import base64
import datetime as dt
from typing import Any

import pytest

from hub.errors import Gone, PluginError, Refused
from hub.model import Action, Watch
from plugins.novaposhta.sandbox import directory as world

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
    assert office.do("redirect.delete", {"ref": done.id}).result["number"] == done.result["number"]
    assert office.do("redirect.list").result["count"] == 0
    done = office.do("redirect.create", {"number": number, "city": "Київ", "branch": "3"})
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


def test_a_person_may_be_spelled_as_the_vendor_does(office: Any) -> None:
    ours = {"first_name": "Олена", "last_name": "Коваль", "phone": "067 123-45-67", "email": "o@example.com"}
    theirs = {"FirstName": "Олена", "LastName": "Коваль", "Phone": "067 123-45-67", "Email": "o@example.com"}
    assert office.do("counterparty.create", theirs).result == office.do("counterparty.create", ours).result
    company = office.do("counterparty.create", {"EDRPOU": "12345678"}).id
    made = office.do("contact.create", {"CounterpartyRef": company, **theirs})
    assert office.do("contact.create", {"counterparty": company, **ours}).id == made.id
    with pytest.raises(Refused, match="no recipient phone"):
        office.do("counterparty.create", {"FirstName": "Олена", "LastName": "Коваль"})
    with pytest.raises(Refused, match="Did you mean 'first_name'"):
        office.do("counterparty.create", {"firstname": "Олена"})


def test_contact_persons(office: Any) -> None:
    company = office.do("counterparty.create", {"edrpou": "12345678"}).id
    ivan, olha = (
        office.do("contact.create", {"counterparty": company, "name": name, "phone": phone}).id
        for name, phone in (("Іван Бондар", "0501112233"), ("Ольга Коваль", "0671112233"))
    )
    listed = office.do("contact.list", {"counterparty": company}).result
    assert {row["id"] for row in listed["rows"]} == {ivan, olha}
    assert [
        row["id"] for row in office.connector.find("contact", {"counterparty": company, "phone": "0671112233"})
    ] == [olha]
    office.do("contact.update", {"phone": "0509998877", "Email": "i@example.com"}, id=ivan)
    [row] = office.do("contact.list", {"counterparty": company, "name": "бондар"}).result["rows"]
    assert (row["Phones"], row["Email"], row["Description"]) == ("380509998877", "i@example.com", "Бондар Іван")
    for wrong in ({"phone": "12"}, {"first_name": "Іван"}, {"name": "Іван"}):
        with pytest.raises(Refused):
            office.do("contact.update", wrong, id=ivan)
    assert office.do("contact.delete", {"ref": olha}).id == olha
    assert office.do("contact.list", {"counterparty": company}).result["count"] == 1
    assert office.connector.find("contact", {"ref": ivan}) == [{"id": ivan, "ref": ivan}]
    for name in ("contact.update", "contact.delete", "contact.list"):
        with pytest.raises(Refused, match="needs `"):
            office.do(name, {"phone": "0501112233"} if name == "contact.list" else {})


def test_companies_and_doors(office: Any) -> None:
    company = office.do("counterparty.create", {"edrpou": "12345678"}).id
    assert office.do("counterparty.update", {"city": "Львів"}, id=company).id == company
    assert office.sandbox.world.counterparties[company].city == world.LVIV
    with pytest.raises(Refused, match="needs the company's `city`"):
        office.do("counterparty.update", {}, id=company)
    person = office.do("counterparty.create", {"name": "Олена Коваль", "phone": "0671234567"}).id
    with pytest.raises(Refused, match=r"contact\.update"):
        office.do("counterparty.update", {"city": "Львів"}, id=person)
    door = office.do("address.create", {"counterparty": company, "city": "Київ", "street": "Хрещатик", "house": "5"}).id
    assert [row["id"] for row in office.do("address.list", {"counterparty": company}).result["rows"]] == [door]
    assert office.do("address.list").result["count"] == 0
    office.do("address.delete", {"ref": door})
    assert office.do("address.list", {"counterparty": company}).result["count"] == 0
    office.do("counterparty.delete", {"ref": company})
    assert company not in office.sandbox.world.counterparties


def test_a_register_is_read(office: Any, order: dict[str, Any]) -> None:
    refs = [office.do("parcel.create", order, marker=mark).result["ref"] for mark in ("a", "b")]
    register = office.do("register.create", {"refs": refs})
    read = office.do("register.read", {"register": register.id}).result
    assert (read["id"], read["number"], read["count"]) == (register.id, register.result["number"], "2")
    with pytest.raises(Gone):
        office.do("register.read", {"register": "aaaaaaaa-0000-4000-8000-0000000000ff"})
    with pytest.raises(Refused, match="needs `register`"):
        office.do("register.read")


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
