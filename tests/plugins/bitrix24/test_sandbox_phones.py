"""Phones and mails are kept row by row; duplicates are found by them and merged."""

import pytest

from tests.plugins.bitrix24.conftest import sample


def phones(portal, number):
    return portal.ok("crm.contact.get", id=number).get("PHONE", [])


# --- multifields ------------------------------------------------------------------------------


def test_a_phone_without_id_is_added_each_time(portal, contact):
    fields = sample("crm.contact.update-phone-append.request.json")["fields"]
    for _ in range(2):
        portal.ok("crm.contact.update", id=contact, fields=fields)
    assert [row["VALUE"] for row in phones(portal, contact)][2:] == ["55555", "55555"]
    assert phones(portal, contact)[0].keys() == {"ID", "VALUE_TYPE", "VALUE", "TYPE_ID"}


def test_a_phone_with_id_is_changed_and_the_rest_stay(portal, contact):
    first, second = phones(portal, contact)
    row = {"ID": first["ID"], "VALUE": "444444", "VALUE_TYPE": "HOME"}
    portal.ok("crm.contact.update", id=contact, fields={"PHONE": [row]})
    assert phones(portal, contact) == [first | {"VALUE": "444444", "VALUE_TYPE": "HOME"}, second]


@pytest.mark.parametrize("how", [{"DELETE": "Y"}, {"VALUE": ""}, {}])
def test_three_ways_to_delete_a_phone(portal, contact, how):
    first, second = phones(portal, contact)
    portal.ok("crm.contact.update", id=contact, fields={"PHONE": [{"ID": first["ID"]} | how]})
    assert phones(portal, contact) == [second]
    assert portal.ok("crm.contact.get", id=contact)["HAS_PHONE"] == "Y"


def test_a_foreign_id_changes_nothing(portal, contact):
    before = phones(portal, contact)
    portal.ok("crm.contact.update", id=contact, fields={"PHONE": [{"ID": 1, "VALUE": "1"}], "EMAIL": "text"})
    assert phones(portal, contact) == before


# --- duplicates -------------------------------------------------------------------------------


def find(portal, *values, **more):
    return portal.ok("crm.duplicate.findbycomm", type="PHONE", values=list(values), **more)


def test_duplicates_are_ids_by_type(portal, contact):
    lead = portal.ok("crm.lead.add", fields={"PHONE": [{"VALUE": "+380501112233"}]})
    assert find(portal, "+380501112233") == {"LEAD": [lead], "CONTACT": [contact]}
    assert find(portal, "+380501112233", entity_type="CONTACT") == {"CONTACT": [contact]}
    assert find(portal, "+380501112233,101") == {"LEAD": [lead], "CONTACT": [contact]}
    assert find(portal, "0501112233", "380501112233") == sample("crm.duplicate.findbycomm-none.response.json")["result"]
    mail = portal.ok("crm.duplicate.findbycomm", type="EMAIL", values=["Olena@example.com"])
    assert mail == {"CONTACT": [contact]}
    assert portal.call("crm.duplicate.findbycomm", values=["1"]) == (400, sample("crm.duplicate.findbycomm.error.json"))


def test_twenty_values_at_most_and_twenty_hits_end_the_search(portal, contact):
    wanted = [str(number) for number in range(20)]
    assert find(portal, *wanted, "+380501112233") == []
    for _ in range(20):
        portal.ok("crm.lead.add", fields={"PHONE": [{"VALUE": "+380501112233"}]})
    assert find(portal, "+380501112233").keys() == {"LEAD"}


def test_merging_keeps_the_first(portal, contact):
    other = portal.ok("crm.contact.add", fields={"NAME": "Олена", "LAST_NAME": "К", "PHONE": [{"VALUE": "+1"}]})
    deal = portal.ok("crm.deal.add", fields={"CONTACT_ID": other})
    result = portal.ok("crm.entity.mergeBatch", params={"entityTypeId": 3, "entityIds": [contact, other]})
    assert result == {"STATUS": "SUCCESS", "ENTITY_IDS": [other]}
    assert result.keys() == sample("crm.entity.mergeBatch.response.json")["result"].keys()
    assert portal.call("crm.contact.get", id=other)[0] == 400
    assert len(phones(portal, contact)) == 3
    assert portal.ok("crm.contact.get", id=contact)["LAST_NAME"] == "К"
    assert portal.ok("crm.deal.get", id=deal)["CONTACT_ID"] == str(contact)


def test_merging_what_differs_is_a_conflict(portal, contact):
    other = portal.ok("crm.contact.add", fields={"NAME": "Ірина"})
    result = portal.ok("crm.entity.mergeBatch", params={"entityTypeId": 3, "entityIds": [contact, other]})
    assert result["STATUS"] == "CONFLICT"
    assert portal.ok("crm.contact.get", id=other)["NAME"] == "Ірина"
    alone = portal.call("crm.entity.mergeBatch", params={"entityTypeId": 3, "entityIds": [contact]})
    assert alone == (400, sample("crm.entity.mergeBatch.error.json"))
