"""What the portal tells of itself: stages, pipelines, user fields, small methods, notifications."""

from tests.plugins.bitrix24.conftest import sample


def test_stages_by_pipeline(portal):
    rows = portal.ok("crm.status.list", order={"SORT": "ASC"}, filter={"ENTITY_ID": "DEAL_STAGE_5"})
    codes = "NEW PREPAYMENT_INVOICE PREPARATION EXECUTING UC_BRANCH FINAL_INVOICE UC_RETURN WON LOSE"
    assert [row["STATUS_ID"] for row in rows] == [f"C5:{code}" for code in codes.split()]
    assert rows[0]["CATEGORY_ID"] == "5"
    body = portal.call("crm.status.list", **sample("crm.status.list.request.json"))[1]
    known = sample("crm.status.list.response.json")
    assert body["total"] == known["total"]
    assert [row["STATUS_ID"] for row in body["result"]] == [row["STATUS_ID"] for row in known["result"]]
    assert [row["EXTRA"]["SEMANTICS"] for row in body["result"]] == [
        row["EXTRA"]["SEMANTICS"] for row in known["result"]
    ]
    assert body["result"][0].keys() == known["result"][0].keys()
    leads = [row["STATUS_ID"] for row in portal.ok("crm.status.list", filter={"ENTITY_ID": "STATUS"})]
    assert {"UC_8KZQ1A", "UC_3FD0MM", "NEW", "JUNK", "CONVERTED"} < set(leads)


def test_pipelines(portal):
    body = portal.call("crm.category.list", entityTypeId=2)[1]
    rows = {row["id"]: row for row in body["result"]["categories"]}
    assert {0, 1, 3, 5} < rows.keys()
    assert (rows[0]["isDefault"], rows[5]["isDefault"]) == ("Y", "N")
    known = sample("crm.category.list.response.json")["result"]["categories"]
    assert rows[5].keys() == known[0].keys()
    assert portal.call("crm.category.list", entityTypeId=1220)[1] == sample("crm.category.list.error.json")


def test_stage_directories_name_their_ends(portal):
    types = {row["ID"]: row for row in portal.ok("crm.status.entity.types")}
    assert types["DEAL_STAGE_5"]["SEMANTIC_INFO"]["FINAL_SUCCESS_FIELD"] == "C5:WON"
    known = {row["ID"]: row for row in sample("crm.status.entity.types.response.json")["result"]}
    assert types["STATUS"] == known["STATUS"]
    assert types["DEAL_STAGE_1"].keys() == known["DEAL_STAGE_1"].keys()


def test_user_fields(portal):
    request = sample("crm.deal.userfield.add.request.json")["fields"]
    number = portal.ok("crm.deal.userfield.add", fields=request)
    row = portal.ok("crm.deal.userfield.get", id=number)
    assert (row["FIELD_NAME"], row["MULTIPLE"]) == ("UF_CRM_HELLO_WORLD", "Y")
    listed = portal.ok("crm.deal.userfield.list", filter={"FIELD_NAME": "UF_CRM_HELLO_WORLD", "LANG": "ru"})
    known = sample("crm.deal.userfield.list.response.json")["result"][-1]
    assert listed[0].keys() == known.keys()
    deal = portal.ok("crm.deal.add", fields={"UF_CRM_HELLO_WORLD": ["a", "b"]})
    assert portal.ok("crm.deal.get", id=deal)["UF_CRM_HELLO_WORLD"] == ["a", "b"]
    assert portal.call("crm.deal.userfield.add", fields=request)[0] == 400
    assert portal.call("crm.deal.userfield.add", fields={"FIELD_NAME": "X"})[1] == sample(
        "crm.deal.userfield.add.error.json"
    )
    assert portal.ok("crm.deal.userfield.delete", id=number) is True
    assert "UF_CRM_HELLO_WORLD" not in portal.ok("crm.deal.get", id=deal)


def test_list_values_are_ids(portal):
    values = [{"VALUE": "Мала"}, {"VALUE": "Велика"}]
    fields = {"FIELD_NAME": "SIZE", "USER_TYPE_ID": "enumeration", "LIST": values}
    row = portal.ok("crm.lead.userfield.get", id=portal.ok("crm.lead.userfield.add", fields=fields))
    second = row["LIST"][1]["ID"]
    lead = portal.ok("crm.lead.add", fields={"UF_CRM_SIZE": second})
    assert portal.ok("crm.lead.get", id=lead)["UF_CRM_SIZE"] == second
    portal.ok("crm.lead.update", id=lead, fields={"UF_CRM_SIZE": "Мала"})
    assert portal.ok("crm.lead.get", id=lead)["UF_CRM_SIZE"] is None


def test_the_fields_of_the_recipes_are_there(portal):
    names = {row["FIELD_NAME"] for row in portal.ok("crm.deal.userfield.list")}
    assert {f"UF_CRM_{1730000000 + number}" for number in range(1, 11)} < names
    leads = {row["FIELD_NAME"] for row in portal.ok("crm.lead.userfield.list")}
    assert {"UF_CRM_1710000012", "UF_CRM_1720000008"} < leads


def test_the_small_methods(portal):
    assert portal.ok("method.get", name="CRM.deal.add") == sample("method.get.response.json")["result"]
    assert portal.ok("method.get", name="event.bind") == {"isExisting": True, "isAvailable": False}
    assert portal.ok("method.get", name="no.such") == {"isExisting": False, "isAvailable": False}
    assert "crm" in portal.ok("scope")
    assert portal.ok("feature.get", CODE="rest_offline_extended") == {"value": "Y"}
    assert portal.ok("crm.multifield.fields") == sample("crm.multifield.fields.response.json")["result"]
    types = {row["ID"]: row for row in portal.ok("crm.enum.ownertype")}
    assert [types[number] for number in (1, 2, 3, 4)] == sample("crm.enum.ownertype.response.json")["result"][:4]
    user = portal.ok("user.get", ID=5)
    assert user[0].keys() == sample("user.get.response.json")["result"][0].keys()
    assert "crm.deal.add" in portal.ok("methods")
    deal = portal.ok("crm.deal.add", fields={})
    assert portal.ok("crm.automation.trigger", target=f"DEAL_{deal}", code="c") is True
    assert portal.call("crm.automation.trigger")[1] == sample("crm.automation.trigger.error.json")
    assert isinstance(portal.ok("crm.tracking.trace.add", **sample("crm.tracking.trace.add.request.json")), int)
    assert portal.call("crm.tracking.trace.add")[1] == sample("crm.tracking.trace.add.error.json")
    document = portal.ok("crm.documentgenerator.document.add", templateId=1, entityTypeId=2, entityId=deal)
    assert document["document"]["entityId"] == str(deal)


def test_notifications(portal):
    assert portal.call("im.notify.system.add", MESSAGE="x")[1] == sample("im.notify.system.add.error.json")
    request = sample("im.notify.system.add.request.json")
    assert portal.call("im.notify.system.add", **request)[1]["error"] == "CLIENT_ID_EMPTY"
    assert isinstance(portal.ok("im.notify.system.add", **request, CLIENT_ID="hub"), int)
    assert portal.state()["notifications"][0]["user_id"] == 5
