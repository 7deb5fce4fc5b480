"""crm.item.*: camelCase, real types, `fm`, its own errors."""

import json
from pathlib import Path

import pytest
import requests

from plugins.bitrix24.sandbox import Bitrix24Sandbox

SAMPLES = Path(__file__).parent / "samples"
DEAL, CONTACT, LEAD = {"entityTypeId": 2}, {"entityTypeId": 3}, {"entityTypeId": 1}


def sample(name):
    return json.loads((SAMPLES / name).read_text())


@pytest.fixture
def portal():
    with Bitrix24Sandbox(rate_per_second=None).start() as running, requests.Session() as http:
        hook = running.sandbox.credentials()["webhook_url"]

        class Client:
            sandbox = running.sandbox

            def call(self, method, **params):
                answer = http.post(hook + method, json=params, timeout=5)
                return answer.status_code, answer.json()

            def ok(self, method, **params):
                status, body = self.call(method, **params)
                assert status == 200, body
                return body["result"]

        yield Client()


def system(item):
    return {key for key in item if not key.startswith(("uf", "parentId"))}


def test_a_deal_has_the_documented_fields_and_real_types(portal):
    fields = {
        "title": "Нова",
        "categoryId": 5,
        "stageId": "C5:PREPARATION",
        "opportunity": 999.99,
        "contactIds": [4, 5],
        "observers": [3],
        "assignedById": 6,
        "ufCrm_1730000001": "20450000000001",
        "ufCrm_1730000010": 55.5,
        "noSuchField": "ignored",
        "utmSource": "google",
    }
    item = portal.ok("crm.item.add", **DEAL, fields=fields)["item"]
    assert system(item) == system(sample("crm.item.add.response.json")["result"]["item"])
    assert (item["opportunity"], item["contactId"], item["contactIds"]) == (999.99, 4, [4, 5])
    assert (item["assignedById"], item["observers"], item["stageSemanticId"]) == (6, [3], "P")
    assert (item["ufCrm_1730000001"], item["ufCrm_1730000010"]) == ("20450000000001", 55.5)
    old = portal.ok("crm.deal.get", id=item["id"])
    assert (old["OPPORTUNITY"], old["UF_CRM_1730000010"]) == ("999.99", "55.5")


def test_a_lead_has_the_documented_fields(portal):
    item = portal.ok("crm.item.add", **LEAD, fields={"title": "x"})["item"]
    known = system(sample("crm.item.get-lead.response.json")["result"]["item"])
    extra = system(item) - known
    assert {"stageId", "stageSemanticId", "createdTime", "fm", "phone", "movedTime"} < system(item)
    assert all(name.startswith("address") for name in extra)


def test_original_names_of_user_fields(portal):
    fields = {"UF_CRM_1730000001": "1", "ufCrm_1730000002": "ignored"}
    item = portal.ok("crm.item.add", **DEAL, fields=fields, useOriginalUfNames="Y")["item"]
    assert item["UF_CRM_1730000001"] == "1"
    assert item["UF_CRM_1730000002"] is None
    assert "ufCrm_1730000001" not in item


def test_errors(portal):
    assert portal.call("crm.item.add", entityTypeId=1220, fields={}) == (400, sample("crm.item.add.error.json"))
    assert portal.call("crm.item.get", **LEAD, id=1) == (400, sample("crm.item.get-lead.error.json"))
    assert portal.call("crm.item.get", id=1)[1]["error"] == "100"
    wrong = portal.call("crm.item.list", **LEAD, filter={"FIELD": 1})
    assert wrong == (400, sample("crm.item.list.error.json"))
    stage = portal.call("crm.item.add", **DEAL, fields={"stageId": "C5:NEW"})
    assert (stage[0], stage[1]["error"]) == (400, "CRM_FIELD_ERROR_VALUE_NOT_VALID")


def test_the_documented_list_request(portal):
    for name, amount in (("Олена", 5000), ("", 9000), ("Ірина", 20001), ("Марія", 20000)):
        fields = {"title": "x", "name": name, "opportunity": amount, "sourceId": "WEB", "isManualOpportunity": "Y"}
        portal.ok("crm.item.add", **LEAD, fields=fields)
    request = sample("crm.item.list.request.json") | {"order": {"id": "ASC"}}
    request["filter"]["@assignedById"] = [1]
    status, body = portal.call("crm.item.list", **request)
    assert (status, body["total"]) == (200, 2)
    known = sample("crm.item.list.response.json")["result"]["items"][0]
    assert [item["opportunity"] for item in body["result"]["items"]] == [5000, 20000]
    assert body["result"]["items"][0].keys() == known.keys()


def test_lists_page_and_filter(portal):
    for number in range(55):
        portal.sandbox.act("crm.deal.add", {"fields": {"TITLE": str(number), "UF_CRM_1730000001": f"N{number}"}})
    page = portal.call("crm.item.list", **DEAL, select=["id"])[1]
    assert (len(page["result"]["items"]), page["total"], page["next"]) == (50, 55, 50)
    found = portal.ok("crm.item.list", **DEAL, filter={"=ufCrm_1730000001": "N7"}, select=["id", "title"])
    assert found == {"items": [{"id": 2008, "title": "7"}]}
    fast = portal.call("crm.item.list", **DEAL, start=-1, filter={">id": 2050}, order={"id": "ASC"})[1]
    assert (len(fast["result"]["items"]), fast["total"]) == (5, 0)


def test_nothing_changed_nothing_saved(portal):
    item = portal.ok("crm.item.add", **DEAL, fields={"title": "same"})["item"]
    sandbox = portal.sandbox
    before = len(sandbox.state()["events"])
    portal.ok("crm.item.update", **DEAL, id=item["id"], fields={"title": "same"})
    assert len(sandbox.state()["events"]) == before
    portal.ok("crm.item.update", **DEAL, id=item["id"], fields={"title": "other"})
    assert sandbox.state()["events"][-1]["event"] == "ONCRMDEALUPDATE"
    assert portal.ok("crm.item.delete", **DEAL, id=item["id"]) == []


def test_fields_name_their_old_selves(portal):
    fields = portal.ok("crm.item.fields", **LEAD)["fields"]
    assert fields["stageId"]["upperName"] == "STATUS_ID"
    assert fields["ufCrm_1710000001"]["upperName"] == "UF_CRM_1710000001"
    assert fields["fm"]["type"] == "crm_multifield"


# --- fm -----------------------------------------------------------------------------------------


@pytest.fixture
def contact(portal):
    values = (("EMAIL", "WORK", "work@example.com"), ("EMAIL", "HOME", "home@example.com"), ("PHONE", "MOBILE", "+1"))
    fm = [{"typeId": kind, "valueType": sort, "value": value} for kind, sort, value in values]
    return portal.ok("crm.item.add", **CONTACT, fields={"name": "Тест", "fm": fm})["item"]


def stored(portal, contact):
    return portal.ok("crm.item.get", **CONTACT, id=contact["id"])["item"]["fm"]


def test_fm_on_add_is_a_list(portal, contact):
    known = sample("crm.item.add-contact-fm.response.json")["result"]["item"]
    assert known.keys() <= contact.keys()
    assert contact["fm"][0].keys() == known["fm"][0].keys()
    assert (contact["hasPhone"], contact["hasEmail"], contact["phoneMobile"]) == ("Y", "Y", "+1")
    assert isinstance(contact["fm"][0]["id"], int)


def test_fm_on_update_changes_and_deletes_by_id_and_appends_by_n(portal, contact):
    work, home, phone = contact["fm"]
    fm = {
        str(work["id"]): {"typeId": "EMAIL", "valueType": "WORK", "value": "new@example.com"},
        str(home["id"]): {"typeId": "EMAIL", "value": ""},
        "n0": {"typeId": "PHONE", "valueType": "WORK", "value": "+2"},
        "999": {"typeId": "PHONE", "value": "+3"},
    }
    item = portal.ok("crm.item.update", **CONTACT, id=contact["id"], fields={"fm": fm})["item"]
    assert item["fm"][:2] == [work | {"value": "new@example.com"}, phone]
    assert [row["value"] for row in item["fm"]] == ["new@example.com", "+1", "+2"]


def test_a_list_on_update_appends(portal, contact):
    again = [{"typeId": "PHONE", "valueType": "MOBILE", "value": "+1"}]
    portal.ok("crm.item.update", **CONTACT, id=contact["id"], fields={"fm": again})
    assert len(stored(portal, contact)) == 4


def test_bad_fm_is_silently_nothing(portal, contact):
    portal.ok("crm.item.update", **CONTACT, id=contact["id"], fields={"fm": {"n0": {"value": "+9"}}})
    assert len(stored(portal, contact)) == 3
    item = portal.ok("crm.item.add", **CONTACT, fields={"name": "x", "fm": "+9"})["item"]
    assert item["fm"] == []


def test_fm_comes_only_with_everything(portal, contact):
    everything = portal.ok("crm.item.list", **CONTACT, select=["*"])["items"][0]
    named = portal.ok("crm.item.list", **CONTACT, select=["id", "fm", "phone", "email"])["items"][0]
    assert len(everything["fm"]) == 3
    assert named == {"id": contact["id"], "phone": "+1", "email": "work@example.com"}


REPAIR = {"entityTypeId": 177}


class TestSmartProcess:
    def test_an_item_stands_in_the_first_stage_and_has_a_title(self, portal):
        item = portal.ok("crm.item.add", **REPAIR, fields={"opportunity": "5.5", "nonsense": "x"})["item"]
        assert (item["stageId"], item["stageSemanticId"], item["opportunity"]) == ("DT177_7:NEW", "P", 5.5)
        assert item["title"] == f"Ремонт #{item['id']}"
        assert "nonsense" not in item

    def test_what_changes_nothing_tells_nothing(self, portal):
        number = portal.ok("crm.item.add", **REPAIR, fields={"title": "x"})["item"]["id"]
        portal.ok("crm.item.update", **REPAIR, id=number, fields={"title": "x", "id": 99, "createdBy": 5})
        portal.ok("crm.item.update", **REPAIR, id=number, fields={"title": "y"})
        portal.ok("crm.item.delete", **REPAIR, id=number)
        told = [event["event"] for event in portal.sandbox.state()["events"]]
        assert told == ["ONCRMDYNAMICITEMADD", "ONCRMDYNAMICITEMUPDATE", "ONCRMDYNAMICITEMDELETE"]
        assert portal.call("crm.item.get", **REPAIR, id=number)[1] == sample("crm.item.get-lead.error.json")

    @pytest.mark.parametrize(
        "fields", [{"stageId": "DT177_9:NEW"}, {"stageId": "NEW"}, {"categoryId": 8}, {"assignedById": 999}]
    )
    def test_a_value_that_is_none(self, portal, fields):
        status, body = portal.call("crm.item.add", **REPAIR, fields=fields)
        assert (status, body["error"]) == (400, "CRM_FIELD_ERROR_VALUE_NOT_VALID")

    def test_lists_and_descriptions(self, portal):
        for title in ("a", "b"):
            portal.ok("crm.item.add", **REPAIR, fields={"title": title, "xmlId": f"m-{title}"})
        found = portal.ok("crm.item.list", **REPAIR, filter={"=xmlId": "m-b"}, select=["title"])["items"]
        assert [set(row) for row in found] == [{"id", "title"}]
        assert portal.call("crm.item.list", **REPAIR, filter={"FIELD": 1})[1] == sample("crm.item.list.error.json")
        assert {"stageId", "ufCrm44_1740000001"} <= set(portal.ok("crm.item.fields", **REPAIR)["fields"])
        assert [row["id"] for row in portal.ok("crm.category.list", **REPAIR)["categories"]] == [7, 9]
        assert 177 in {row["ID"] for row in portal.ok("crm.enum.ownertype")}
        stages = portal.ok("crm.status.list", filter={"ENTITY_ID": "DYNAMIC_177_STAGE_7"})
        assert stages[0]["STATUS_ID"] == "DT177_7:NEW"
        assert portal.call("crm.item.add", entityTypeId=178, fields={})[1] == sample("crm.item.add.error.json")
