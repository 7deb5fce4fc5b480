"""Every kind of record through all its actions, and the events that only name a record."""

from urllib.parse import urlencode

import pytest

from hub.model import Action, Receipt, Request
from hub.testing.build import build
from plugins.bitrix24.connector import Bitrix24
from plugins.bitrix24.sandbox import Bitrix24Sandbox


@pytest.fixture(scope="module")
def crm():
    with Bitrix24Sandbox(rate_per_second=None).start() as running:
        yield build(Bitrix24, {"webhook_url": running.sandbox.credentials()["webhook_url"]})


def do(crm, name, values=None, verb="", **more):
    record, _, own = name.partition(".")
    return crm.perform(Action(name, record, verb or own, values or {}, **more))


def told(event, **data):
    body = urlencode({"event": event, **{f"data[{name}]": value for name, value in data.items()}}).encode()
    headers = {"content-type": "application/x-www-form-urlencoded"}
    request = Request("POST", "/in/crm", headers=headers, body=body)
    crm = build(Bitrix24, {"webhook_url": "https://portal.bitrix24.ru/rest/1/fakewebhooksecret/"})
    (found,) = crm.parse(Receipt(1, "crm", "k", request, request.at))
    return found


class TestActions:
    @pytest.mark.parametrize(
        ("created", "upserted", "updated", "found", "listed", "deleted"),
        [
            ("lead.create", "lead.upsert", "lead.update", "lead.find", "lead.list", "lead.delete"),
            ("contact.create", "contact.upsert", "contact.update", "contact.find", "contact.list", "contact.delete"),
            ("company.create", "company.upsert", "company.update", "company.find", "company.list", "company.delete"),
        ],
    )
    def test_a_records_life(self, crm, created, upserted, updated, found, listed, deleted):
        one = do(crm, created, {"TITLE": "one", "NAME": "one", "COMMENTS": created}, marker=f"1-{created}").id
        two = do(
            crm, upserted, {"TITLE": "two", "NAME": "two", "COMMENTS": created}, "create", marker=f"2-{created}"
        ).id
        assert do(crm, upserted, {"COMMENTS": "changed"}, "update", id=two).written == {"COMMENTS": "changed"}
        assert do(crm, updated, {"COMMENTS": created}, id=two).before == {"COMMENTS": "changed"}
        assert do(crm, found, find={"marker": f"2-{created}"}).id == two
        assert do(crm, listed, find={"id": [one, two]}).result["count"] == 2
        do(crm, deleted, id=one)
        assert [row["id"] for row in do(crm, listed, find={"id": [one, two]}).result["rows"]] == [two]

    def test_a_leads_stage_and_products(self, crm):
        lead = do(crm, "lead.create", {"TITLE": "x"}).id
        assert do(crm, "lead.set_stage", {"stage": "IN_PROCESS"}, id=lead).written == {"STATUS_ID": "IN_PROCESS"}
        do(crm, "lead.set_products", {"rows": [{"PRODUCT_NAME": "soap", "PRICE": 7}]}, id=lead)
        assert do(crm, "lead.products", id=lead).result["rows"][0]["name"] == "soap"

    def test_tasks_and_employees_are_found(self, crm):
        task = do(crm, "task.create", {"TITLE": "only this", "RESPONSIBLE_ID": "3"}).id
        assert do(crm, "task.find", find={"title": "only this"}).id == task
        assert do(crm, "task.find", find={"title": "no such"}).id == ""
        assert do(crm, "user.find", find={"email": "user3@portal.example"}).id == "3"


class TestEvents:
    @pytest.mark.parametrize(
        ("native", "type", "subject", "hint"),
        [
            ("ONCRMCOMPANYUPDATE", "company.updated", "company:5", True),
            ("ONCRMCOMPANYDELETE", "company.deleted", "company:5", False),
            ("ONCRMCONTACTDELETE", "contact.deleted", "contact:5", False),
            ("ONCRMLEADDELETE", "lead.deleted", "lead:5", False),
            ("ONCRMTIMELINECOMMENTUPDATE", "note.updated", "note:5", True),
            ("ONCRMTIMELINECOMMENTDELETE", "note.deleted", "note:5", False),
        ],
    )
    def test_what_names_a_record_alone(self, native, type, subject, hint):
        given = {"ID": "5"} if "COMMENT" in native else {"FIELDS][ID": "5"}
        event = told(native, **given)
        assert (event.type, event.subject, event.incomplete) == (type, subject, hint)

    def test_a_call_is_answered(self):
        event = told("ONVOXIMPLANTCALLSTART", CALL_ID="c-1", CALL_TYPE="2", PHONE_NUMBER="+380671234567", USER_ID="3")
        assert (event.type, event.subject, event.by) == ("call.answered", "call:c-1", "3")
        assert event.record["contact"]["phone"] == "+380671234567"

    def test_a_message_is_deleted(self):
        data = {"CONNECTOR": "hub_telegram", "LINE": "1", "MESSAGES][0][im][message_id": "77"}
        event = told("ONIMCONNECTORMESSAGEDELETE", **data, **{"MESSAGES][0][chat][id": "tg-5"})
        assert event.type == "message.deleted"

    def test_a_message_of_the_portals_own_chat_is_changed(self):
        data = {"DATA][0][connector][connector_id": "livechat", "DATA][0][connector][line_id": "1"}
        data |= {"DATA][0][chat][id": "15", "DATA][0][message][id": "77", "DATA][0][message][text": "better so"}
        event = told("ONOPENLINEMESSAGEUPDATE", **data)
        assert event.type == "vendor.onopenlinemessageupdate"
        assert event.record["message"]["text"] == "better so"
