"""Contacts merged and parted at the portal: everything goes along, and everything comes back."""

from __future__ import annotations

from typing import Any

import pytest

from hub.errors import Gone, Refused, Uncertain
from hub.testing.build import build
from plugins.bitrix24.connector import Bitrix24
from tests.stands import arm


@pytest.fixture
def connector(portal: Any) -> Bitrix24:
    return build(Bitrix24, portal.sandbox.credentials() | {"limits": {"per_second": 500, "burst": 500}})


def made(portal: Any, name: str, phone: str, **more: Any) -> str:
    fields = {"NAME": name, "PHONE": [{"VALUE": phone, "VALUE_TYPE": "MOBILE"}], **more}
    return str(portal.ok("crm.contact.add", fields=fields))


def phones(portal: Any, contact: str) -> list[str]:
    return [row["VALUE"] for row in portal.ok("crm.contact.get", ID=contact)["PHONE"]]


def deal(portal: Any, *contacts: str) -> str:
    return str(portal.ok("crm.deal.add", fields={"TITLE": "Deal", "CONTACT_IDS": list(contacts)}))


def contacts(portal: Any, kind: str, number: str) -> list[str]:
    return [str(row["CONTACT_ID"]) for row in portal.ok(f"crm.{kind}.contact.items.get", id=number)]


def test_a_merge_carries_everything_and_keeps_what_brings_it_back(portal: Any, connector: Bitrix24) -> None:
    one, two = made(portal, "Олена", "+380501112233"), made(portal, "Олена", "+380671112233", COMMENTS="VIP")
    other = made(portal, "Петро", "+380631112233")
    of_two, of_both = deal(portal, two), deal(portal, other, two)
    lead = str(portal.ok("crm.lead.add", fields={"TITLE": "Lead", "CONTACT_ID": two}))
    done = connector.merge("contact", one, [two], ["deals"], "m1")
    assert done.result["lost"] == [two]
    assert phones(portal, one) == ["+380501112233", "+380671112233"]
    assert contacts(portal, "deal", of_both) == [other, one]
    assert portal.call("crm.contact.get", ID=two)[0] == 400
    assert done.before["COMMENTS"] in (None, "")
    assert done.written["COMMENTS"] == "VIP"
    back = connector.unmerge("contact", one, done.result["kept"], "m2")
    again = back.result["restored"][two]
    assert (phones(portal, one), phones(portal, again)) == (["+380501112233"], ["+380671112233"])
    assert contacts(portal, "deal", of_two) == [again]
    assert contacts(portal, "deal", of_both) == [other, again]
    assert contacts(portal, "lead", lead) == [again]
    assert portal.ok("crm.contact.get", ID=one)["COMMENTS"] in (None, "")
    assert portal.ok("crm.contact.get", ID=again)["COMMENTS"] == "VIP"
    assert connector.unmerge("contact", one, done.result["kept"], "m2").result["restored"] == {two: again}, "made once"


def test_fields_that_differ_are_left_to_a_person_with_the_page(portal: Any, connector: Bitrix24) -> None:
    one, two = made(portal, "Олена", "+380501112233"), made(portal, "Петро", "+380671112233")
    with pytest.raises(Refused, match=rf"/crm/contact/merge/\?id={one},{two} ") as refused:
        connector.merge("contact", one, [two], ["deals"], "m1")
    assert refused.value.vendor_code == "CONFLICT"
    assert phones(portal, two) == ["+380671112233"]


def test_who_is_only_called_by_their_phone_gets_the_name_and_back(portal: Any, connector: Bitrix24) -> None:
    one, two = made(portal, "+380501112233", "+380501112233"), made(portal, "Петро", "+380671112233", LAST_NAME="Кіт")
    done = connector.merge("contact", one, [two], ["deals"], "m1")
    assert portal.ok("crm.contact.get", ID=one)["LAST_NAME"] == "Кіт"
    connector.unmerge("contact", one, done.result["kept"], "m2")
    assert portal.ok("crm.contact.get", ID=one)["NAME"] == "+380501112233"
    three = made(portal, "+380631112233", "+380631112233")
    four = made(portal, "Олена", "+380661112233")
    connector.merge("contact", four, [three], ["deals"], "m3")
    assert portal.ok("crm.contact.get", ID=four)["NAME"] == "Олена"


def test_a_lost_answer_merges_once(portal: Any, connector: Bitrix24) -> None:
    one, two = made(portal, "Олена", "+380501112233"), made(portal, "Олена", "+380671112233")
    arm(portal.url, "lost_reply", "crm.entity.mergeBatch")
    with pytest.raises(Uncertain):
        connector.merge("contact", one, [two], ["deals"], "m1")
    done = connector.merge("contact", one, [two], ["deals"], "m1")
    assert (done.result["lost"], done.result["kept"]) == ([two], [])
    assert len(phones(portal, one)) == 2


def test_what_is_gone_can_not_take_anybody_in(portal: Any, connector: Bitrix24) -> None:
    one, two = made(portal, "Олена", "+380501112233"), made(portal, "Олена", "+380671112233")
    portal.ok("crm.contact.delete", ID=one)
    with pytest.raises(Gone):
        connector.merge("contact", one, [two], ["deals"], "m1")


def test_a_contact_nobody_kept_is_made_of_what_the_hub_knows(portal: Any, connector: Bitrix24) -> None:
    one = made(portal, "Олена", "+380501112233")
    person = {"name": "Петро Кіт", "phone": "+380671112233", "phones": ["+380671112233"]}
    done = connector.unmerge("contact", one, [{"id": "999", "person": person}], "m2")
    again = done.result["restored"]["999"]
    assert phones(portal, again) == ["+380671112233"]
    assert portal.ok("crm.contact.get", ID=again)["LAST_NAME"] == "Кіт"
