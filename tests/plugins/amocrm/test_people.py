"""Contacts, companies and customers against the stand-in: who is made, filled, found."""

from __future__ import annotations

from typing import Any

import pytest

from hub.errors import AuthFailed, Gone, Refused
from tests.plugins.amocrm.conftest import PERSON


def test_a_contact_from_a_person(account: Any) -> None:
    done = account.do("contact.create", person=PERSON, marker="hub-1")
    assert account.raw("contacts", done.id)["name"] == "Анна Петрова"
    assert account.field("contacts", done.id, 600101) == ["+79161112233"]
    assert account.field("contacts", done.id, 600103) == ["anna@example.com"]


def test_phones_are_added_never_doubled_or_lost(account: Any) -> None:
    number = account.contact("8 (916) 111-22-33")
    more = {**PERSON, "phones": ["+79161112233", "+79269998877"]}
    done = account.do("contact.update", person=more, id=str(number))
    assert account.field("contacts", number, 600101) == ["8 (916) 111-22-33", "+79269998877"]
    assert done.written["PHONE"] == ["8 (916) 111-22-33", "+79269998877"]
    assert account.do("contact.update", person=more, id=str(number)).written == {}


@pytest.mark.parametrize(("fill", "name"), [("empty_only", "Анна Петрова"), ("newest", "Мария Иванова")])
def test_what_a_person_may_overwrite(account: Any, fill: str, name: str) -> None:
    number = account.contact()
    other = {**PERSON, "name": "Мария Иванова", "first_name": "Мария", "last_name": "Иванова"}
    account.do("contact.update", person=other, id=str(number), fill=fill)
    assert account.raw("contacts", number)["name"] == name
    assert account.field("contacts", number, 600103) == ["anna@example.com"]  # it had none


def test_finding_people_in_any_spelling(account: Any) -> None:
    old, new = account.contact("8 916 111 22 33"), account.contact("+79161112233")
    account.contact("+79161112234")
    found = account.connector.find("contact", {"phone": "+79161112233"})
    assert [one["id"] for one in found] == [str(old), str(new)]
    account.do("contact.update", {"email": "Anna@Example.com"}, id=str(new))
    assert [one["id"] for one in account.connector.find("contact", {"email": "anna@example.com"})] == [str(new)]
    assert account.connector.find("contact", {"phone": ""}) == []


# --- companies, customers ----------------------------------------------------------------------------


def test_companies(account: Any) -> None:
    """`company.upsert` reaches the plugin as one of these two."""
    values = {"name": "ООО Ромашка", "phone": "+74951112233", "email": "info@romashka.example", "603001": "Опт"}
    company = account.do("company.create", values, marker="m").id
    row = account.raw("companies", company)
    assert (row["name"], account.field("companies", company, 603001)) == ("ООО Ромашка", ["Опт"])
    done = account.do("company.update", {"phone": "8 495 111-22-33", "603001": "ДЦ", "name": "Ромашка"}, id=company)
    assert set(done.written) == {"603001", "name"}  # the phone is there in another spelling
    assert done.before == {"603001": "Опт", "name": "ООО Ромашка"}
    assert account.field("companies", company, 600201) == ["+74951112233"]
    assert account.field("companies", company, 603001) == ["ДЦ"]
    with pytest.raises(Refused, match="has no option"):
        account.do("company.update", {"603001": "Розница"}, id=company)
    account.control("delete", kind="companies", id=company)
    with pytest.raises(Gone):
        account.do("company.update", {"name": "y"}, id=company)


def test_finding_companies(account: Any) -> None:
    first = account.do("company.create", {"name": "ООО", "phone": "+74951112233", "tags": "опт"}, marker="m-1").id
    second = account.do("company.create", {"name": "ИП", "603001": "Опт", "tags": "опт"}, marker="m-2").id
    for by, ids in (
        ({"phone": "84951112233"}, [first]),
        ({"marker": "m-2"}, [second]),
        ({"name": "ооо"}, [first]),
        ({"603001": "Опт"}, [second]),
        ({"tag": "опт"}, [first, second]),
        ({"tag": "опт", "name": "нет"}, []),
    ):
        rows = account.do("company.list", find=by).result
        assert ([row["id"] for row in rows["rows"]], rows["count"]) == (ids, len(ids)), by
        assert account.do("company.find", find=by).id == (ids[0] if ids else ""), by
    assert account.do("company.list", find={"tag": "опт"}, limit=1).result["count"] == 1
    with pytest.raises(Refused, match="needs a condition"):
        account.do("company.list")


def test_listing_contacts(account: Any) -> None:
    one, two = account.contact(), account.contact("+79260000001", "Борис")
    company = account.do("company.create", {"name": "ООО"}).id
    account.do("contact.link", {"company": company}, id=str(two))
    account.do("contact.update", {"602001": "yes"}, id=str(one))
    for by, ids in (
        ({"id": [str(one), str(two)]}, [one, two]),
        ({"company": company}, [two]),
        ({"602001": "yes"}, [one]),
        ({"name": "борис", "phone": "89260000001"}, [two]),
        ({"name": "борис", "phone": "89161112233"}, []),
    ):
        rows = account.do("contact.list", find=by).result["rows"]
        assert [row["id"] for row in rows] == [str(number) for number in ids], by


def test_customers(account: Any) -> None:
    given = {"name": "Постоянный", "next_price": "5000", "next_date": "2026-05-04"}
    customer = account.do("customer.create", given).id
    account.do("customer.update", {"next_price": "6000"}, id=customer)
    assert account.raw("customers", customer)["next_price"] == 6000
    assert account.connector.get("customer", customer)["name"] == "Постоянный"
    other = account.do("customer.create", {"name": "Другой", "next_price": "100"}).id
    assert account.do("customer.find", find={"name": "другой"}).id == other
    assert account.do("customer.find", find={"name": "третий"}).id == ""
    rows = account.do("customer.list", find={"responsible": "3000001"}).result["rows"]
    assert [(row["id"], row["name"]) for row in rows] == [(customer, "Постоянный"), (other, "Другой")]
    assert account.do("customer.list", find={"responsible": "3000002"}).result["rows"] == []


@pytest.mark.parametrize("fault", ["unpaid", "forbidden"])
def test_an_account_without_customers_is_no_account_without_access(account: Any, fault: str) -> None:
    """402 and 403 answer calls about customers where they are switched off: the rest of the connection goes on."""
    account.fault(fault, "customers", times=9)
    for act in (
        lambda: account.do("customer.create", {"name": "Постоянный"}),
        lambda: account.do("customer.list", find={"name": "Постоянный"}),
    ):
        with pytest.raises(Refused, match="customers are switched off"):
            act()
    assert account.do("deal.create", {"name": "x"}).id
    account.fault(fault, "POST leads")
    with pytest.raises((AuthFailed, Refused), match=r"paid|lacks the right"):
        account.do("deal.create", {"name": "x"})


def test_phones_are_just_those_wanted(account: Any) -> None:
    """`exact`: what isn't wanted goes; without it they are only added."""
    person = account.do(
        "contact.create", {"name": "Анна", "phone": ["+79161112233", "+79161112244"], "email": "a@b.ru"}
    ).id
    account.do("contact.update", {"phone": ["8 916 111-22-44", "+79161112255"]}, id=person, exact=True)
    assert account.field("contacts", person, 600101) == ["+79161112244", "+79161112255"]
    assert account.do("contact.update", {"phone": ["+79161112255", "89161112244"]}, id=person, exact=True).written == {}
    account.do("contact.update", {"phone": ["+79161112255"], "email": []}, id=person, exact=True)
    assert account.field("contacts", person, 600101) == ["+79161112255"]
    assert not account.field("contacts", person, 600103)
    account.do("contact.update", {"phone": ["+79161112255", "вн. 12"]}, id=person)
    account.do("contact.update", {"phone": ["+79161112255"]}, id=person, exact=True)
    assert account.field("contacts", person, 600101) == ["+79161112255", "вн. 12"], "it is no phone, and nobody saw it"
    account.do("contact.update", {"phone": ["+79161112266"]}, id=person)
    assert account.field("contacts", person, 600101) == ["+79161112255", "вн. 12", "+79161112266"]
