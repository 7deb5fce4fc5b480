"""Records through the old methods: values, stages, bindings, products."""

import datetime as dt

import pytest

from tests.plugins.bitrix24.conftest import sample


def without(names, row):
    """Leave out fields a portal has of its own: user fields, bindings to smart processes."""
    return {key for key in row if not key.startswith(("UF_", "PARENT_ID_", *names))}


# --- values -----------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["lead", "deal", "contact", "company"])
def test_a_record_is_shown_with_the_documented_fields(portal, kind):
    number = portal.ok(f"crm.{kind}.add", fields={"TITLE": "x", "NAME": "y"})
    shown = portal.ok(f"crm.{kind}.get", id=number)
    missing = without(("PHONE", "EMAIL", "IM"), sample(f"crm.{kind}.get.response.json")["result"]) - shown.keys()
    extra = without((), shown) - sample(f"crm.{kind}.get.response.json")["result"].keys()
    rare = {"LAST_COMMUNICATION_TIME", "ADDRESS_COUNTRY_CODE"} | {name for name in missing if name.startswith("REG_")}
    assert missing <= rare
    assert extra <= rare
    assert {type(value) for key, value in shown.items() if not key.startswith("UF_")} <= {str, type(None)}


def test_old_methods_answer_in_strings(portal):
    values = {
        "TITLE": "Замовлення",
        "CATEGORY_ID": 5,
        "OPPORTUNITY": 1250.5,
        "CURRENCY_ID": "UAH",
        "CONTACT_IDS": [12, 13],
        "ORIGINATOR_ID": "hub",
        "ORIGIN_ID": "form-77",
        "UF_CRM_1730000001": "20450000000001",
        "UF_CRM_1730000006": "2026-03-05T12:00:00+02:00",
        "UF_CRM_1730000009": "2026-03-09",
        "UF_CRM_1730000005": "99.90",
        "NO_SUCH_FIELD": "ignored",
        "DATE_CREATE": "2001-01-01",
    }
    deal = portal.ok("crm.deal.get", id=portal.ok("crm.deal.add", fields=values))
    assert deal["OPPORTUNITY"] == "1250.50"
    assert (deal["CATEGORY_ID"], deal["STAGE_ID"], deal["CONTACT_ID"]) == ("5", "C5:NEW", "12")
    assert (deal["ORIGINATOR_ID"], deal["ORIGIN_ID"]) == ("hub", "form-77")
    assert deal["UF_CRM_1730000001"] == "20450000000001"
    assert deal["UF_CRM_1730000006"] == "2026-03-05T13:00:00+03:00"
    assert deal["UF_CRM_1730000009"] == "2026-03-09T03:00:00+03:00"
    assert deal["DATE_CREATE"] == "2026-03-02T12:00:00+03:00"
    assert "NO_SUCH_FIELD" not in deal


@pytest.mark.parametrize("kind", ["lead", "deal", "contact", "company"])
def test_errors_have_empty_codes(portal, kind):
    fields_error = sample("crm.deal.add.error.json")
    assert portal.call(f"crm.{kind}.add") == (400, fields_error)
    number = portal.ok(f"crm.{kind}.add", fields={})
    assert portal.call(f"crm.{kind}.update", id=number, fields="x") == (400, fields_error)
    assert portal.call(f"crm.{kind}.get", id=999999) == (400, sample("crm.lead.get.error.json"))
    assert portal.call(f"crm.{kind}.get")[1]["error_description"] == "ID is not defined or invalid."


def test_deleted_is_gone(portal):
    number = portal.ok("crm.company.add", fields={"TITLE": "x"})
    assert portal.ok("crm.company.delete", id=number) is True
    assert portal.call("crm.company.delete", id=number)[0] == 400


def test_the_responsible_must_exist(portal):
    assert portal.call("crm.lead.add", fields={"ASSIGNED_BY_ID": 4242})[0] == 400
    assert portal.state()["counters"]["creates"]["lead"] == 0


def test_nothing_is_checked_for_duplicates(portal):
    same = {"ORIGINATOR_ID": "hub", "ORIGIN_ID": "1"}
    assert portal.ok("crm.lead.add", fields=same) != portal.ok("crm.lead.add", fields=same)


def test_fields_are_described(portal):
    fields = portal.ok("crm.deal.fields")
    assert fields["STAGE_ID"]["statusType"] == "DEAL_STAGE"
    assert fields["DATE_CREATE"]["isReadOnly"] is True
    assert fields["UF_CRM_1730000001"]["isDynamic"] is True
    assert fields["UF_CRM_1730000001"]["listLabel"] == "ТТН"
    assert portal.ok("crm.contact.fields")["PHONE"]["type"] == "crm_multifield"


# --- stages -----------------------------------------------------------------------------------


def test_a_stage_must_be_of_the_deals_pipeline(portal):
    number = portal.ok("crm.deal.add", fields={"CATEGORY_ID": 5, "STAGE_ID": "C5:UC_BRANCH"})
    status, body = portal.call("crm.deal.update", id=number, fields={"STAGE_ID": "C3:NEW", "TITLE": "new"})
    assert (status, body["error"]) == (400, "")
    assert portal.ok("crm.deal.get", id=number)["STAGE_ID"] == "C5:UC_BRANCH"
    assert portal.ok("crm.deal.get", id=number)["TITLE"] != "new"
    assert portal.call("crm.deal.add", fields={"STAGE_ID": "C0:NEW"})[0] == 400
    assert portal.call("crm.lead.add", fields={"STATUS_ID": "UC_NONE"})[0] == 400


def test_moving_between_stages_leaves_its_marks(portal, clock):
    number = portal.ok("crm.deal.add", fields={"CATEGORY_ID": 5})
    clock.now += dt.timedelta(hours=1)
    portal.sandbox.act("crm.deal.update", {"id": number, "fields": {"TITLE": "renamed"}}, user_id=5)
    deal = portal.ok("crm.deal.get", id=number)
    assert (deal["DATE_MODIFY"], deal["MODIFY_BY_ID"]) == ("2026-03-02T13:00:00+03:00", "5")
    assert (deal["MOVED_TIME"], deal["MOVED_BY_ID"]) == ("2026-03-02T12:00:00+03:00", "1")
    portal.sandbox.act("crm.deal.update", {"id": number, "fields": {"STAGE_ID": "C5:WON"}}, user_id=5)
    deal = portal.ok("crm.deal.get", id=number)
    assert (deal["MOVED_TIME"], deal["MOVED_BY_ID"]) == ("2026-03-02T13:00:00+03:00", "5")
    assert (deal["STAGE_SEMANTIC_ID"], deal["CLOSED"]) == ("S", "Y")
    portal.ok("crm.deal.update", id=number, fields={"STAGE_ID": "C5:LOSE"})
    assert portal.ok("crm.deal.get", id=number)["STAGE_SEMANTIC_ID"] == "F"
    portal.ok("crm.deal.update", id=number, fields={"STAGE_ID": "C5:EXECUTING"})
    deal = portal.ok("crm.deal.get", id=number)
    assert (deal["STAGE_SEMANTIC_ID"], deal["CLOSED"], deal["MODIFY_BY_ID"]) == ("P", "N", "1")


def test_another_pipeline_begins_at_its_first_stage(portal):
    number = portal.ok("crm.deal.add", fields={})
    portal.ok("crm.deal.update", id=number, fields={"CATEGORY_ID": 3})
    assert portal.ok("crm.deal.get", id=number)["STAGE_ID"] == "C3:NEW"
    portal.ok("crm.deal.update", id=number, fields={"CATEGORY_ID": 1, "STAGE_ID": "C1:WON"})
    assert portal.ok("crm.deal.get", id=number)["STAGE_SEMANTIC_ID"] == "S"


def test_leads_have_stages_of_their_own(portal):
    number = portal.ok("crm.lead.add", fields={"STATUS_ID": "UC_8KZQ1A"})
    portal.ok("crm.lead.update", id=number, fields={"STATUS_ID": "JUNK"})
    lead = portal.ok("crm.lead.get", id=number)
    assert (lead["STATUS_SEMANTIC_ID"], lead["DATE_CLOSED"]) == ("F", "2026-03-02T12:00:00+03:00")
    assert (
        portal.ok("crm.lead.get", id=portal.ok("crm.lead.add", fields={"CONTACT_ID": 7}))["IS_RETURN_CUSTOMER"] == "Y"
    )


# --- bindings, products -----------------------------------------------------------------------


def test_contacts_of_a_deal(portal):
    number = portal.ok("crm.deal.add", fields={"CONTACT_ID": 5})
    items = [{"CONTACT_ID": 7, "SORT": 20}, {"CONTACT_ID": 8, "IS_PRIMARY": "Y"}]
    assert portal.ok("crm.deal.contact.items.set", id=number, items=items) is True
    bound = portal.ok("crm.deal.contact.items.get", id=number)
    assert [(row["CONTACT_ID"], row["IS_PRIMARY"]) for row in bound] == [(8, "Y"), (7, "N")]
    assert portal.ok("crm.deal.get", id=number)["CONTACT_ID"] == "8"


def test_the_amount_follows_the_product_rows(portal):
    number = portal.ok("crm.deal.add", fields={})
    rows = [{"PRODUCT_NAME": "Крем", "PRICE": 200, "QUANTITY": 2}, {"PRODUCT_NAME": "Маска", "PRICE": "99.5"}]
    assert portal.ok("crm.deal.productrows.set", id=number, rows=rows) is True
    assert [row["PRODUCT_NAME"] for row in portal.ok("crm.deal.productrows.get", id=number)] == ["Крем", "Маска"]
    assert portal.ok("crm.deal.get", id=number)["OPPORTUNITY"] == "499.50"
    listed = portal.ok("crm.item.productrow.list", filter={"=ownerType": "D", "=ownerId": number})
    assert [row["price"] for row in listed["productRows"]] == [200, 99.5]
