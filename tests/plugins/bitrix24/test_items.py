"""Smart processes and invoices: found, made, moved, deleted and heard of through crm.item.*."""

import pytest
import requests

from hub.connector import Mention
from hub.errors import Gone, Refused, Uncertain
from hub.model import Action, Event, Receipt, Request
from hub.testing.build import build
from plugins.bitrix24 import items
from plugins.bitrix24.connector import Bitrix24
from plugins.bitrix24.sandbox import Bitrix24Sandbox


@pytest.fixture
def portal():
    with Bitrix24Sandbox(rate_per_second=None).start() as running:
        yield running.sandbox


@pytest.fixture
def crm(portal):
    given = portal.credentials()
    names = {"fields": {"serial": "ufCrm44_1740000001"}, "stages": {"ready": "DT177_7:CLIENT"}}
    return build(Bitrix24, {name: given[name] for name in ("webhook_url", "application_token")}, names=names)


def do(crm, verb, values=None, **more):
    return crm.perform(Action(f"item.{verb}", "item", verb, values or {}, **more))


def repair(crm, title="Lamp", **more):
    return do(crm, "create", {"entityTypeId": "177", "title": title, "ufCrm44_1740000001": "SN-1", **more}).id


class TestActing:
    def test_an_item_is_made_and_read(self, crm):
        name = repair(crm, opportunity="1500.50")
        item = crm.get("item", name)
        assert name == f"177_{item['number']}"
        assert (item["title"], item["type"], item["amount"]) == ("Lamp", "177", "1500.5")
        assert (item["stage"], item["pipeline"]) == ("DT177_7:NEW", "7")
        assert item["extra"]["ufCrm44_1740000001"] == "SN-1"
        assert item["url"].endswith(f"/crm/type/177/details/{item['number']}/")

    def test_an_update_writes_only_what_differs(self, crm):
        name = repair(crm)
        done = do(crm, "update", {"title": "Lamp", "UF_CRM_44_1740000001": "SN-2"}, id=name)
        assert done.written == {"ufCrm44_1740000001": "SN-2"}
        assert done.before == {"ufCrm44_1740000001": "SN-1"}
        assert do(crm, "update", {"ufCrm44_1740000001": "SN-2"}, id=name).written == {}

    def test_a_stage_brings_its_pipeline(self, crm):
        name = repair(crm)
        do(crm, "set_stage", {"stage": "DT177_9:SUCCESS"}, id=name)
        assert (crm.get("item", name)["stage"], crm.get("item", name)["pipeline"]) == ("DT177_9:SUCCESS", "9")
        order = crm.stage_order("item", "DT177_7:NEW")
        assert order.index("DT177_7:PREPARATION") < order.index("DT177_7:CLIENT") < order.index("DT177_7:SUCCESS")
        with pytest.raises(Refused):
            do(crm, "set_stage", {"stage": "DT177_9:NONE"}, id=name)

    def test_items_are_found_by_our_words_and_theirs(self, crm):
        one, two = repair(crm, "one"), repair(crm, "two", contactId="5")
        number = two.partition("_")[2]
        for by, found in (
            ({"title": "one"}, [one]),
            ({"stage": "DT177_7:NEW"}, [one, two]),
            ({"stage": ["DT177_7:NEW", "DT177_7:CLIENT"], "contact": "5"}, [two]),
            ({"UF_CRM_44_1740000001": "SN-1"}, [one, two]),
            ({">id": number}, []),
            ({"id": number}, [two]),
            ({"since": 0.0}, [one, two]),
            ({"contact": ""}, []),
        ):
            assert [row["id"] for row in crm.find("item", {"entityTypeId": "177", **by})] == found, by
        assert [row["id"] for row in crm.find("item", {"id": two})] == [two]
        assert do(crm, "list", find={"entityTypeId": "177", "pipeline": "7"}).result["count"] == 2
        assert do(crm, "find", find={"entityTypeId": "177", "title": "none"}).id == ""

    @pytest.mark.parametrize(
        ("by", "words"),
        [
            ({"title": "x"}, "entityTypeId"),
            ({}, "entityTypeId"),
            ({"entityTypeId": "177"}, "condition"),
            ({"entityTypeId": "177", "ID; DROP": "1"}, "can't search"),
            ({"entityTypeId": "177", "nothing": "1"}, "INVALID_ARG_VALUE"),
        ],
    )
    def test_a_search_that_can_not_be(self, crm, by, words):
        with pytest.raises(Refused, match=words):
            crm.find("item", by)

    def test_more_than_a_page(self, crm):
        for number in range(60):
            repair(crm, str(number))
        rows = do(crm, "list", find={"entityTypeId": "177", "pipeline": "7"}).result["rows"]
        assert [row["title"] for row in rows] == [str(number) for number in range(60)]

    def test_what_is_gone(self, crm):
        name = repair(crm)
        do(crm, "delete", id=name)
        for act in (lambda: crm.get("item", name), lambda: do(crm, "delete", id=name)):
            with pytest.raises(Gone):
                act()
        with pytest.raises(Refused, match="is no item"):
            crm.get("item", "24")
        with pytest.raises(Refused, match="entityTypeId"):
            do(crm, "create", {"title": "x"})
        with pytest.raises(Refused, match="give `find`"):
            do(crm, "update", {"title": "x"})

    def test_a_lost_reply_is_found_by_its_marker(self, crm, portal):
        body = {"kind": "lost_reply", "match": "crm.item.add", "times": 1}
        assert requests.post(f"{portal.base_url}/_sandbox/fault", json=body, timeout=5).ok
        with pytest.raises(Uncertain):
            do(crm, "create", {"entityTypeId": "177", "title": "x"}, marker="m-1")
        (found,) = crm.find(crm.action("item.create").record, {"marker": "m-1"})
        assert (found["title"], found["extra"][crm.action("item.create").marker]) == ("x", "m-1")
        assert crm.find("item", {"marker": "m-2"}) == []


class TestEvents:
    def test_an_event_of_the_portal_is_read(self, crm, portal):
        heard = []
        portal.app.add_url_rule("/heard", view_func=lambda: _hear(heard), methods=["POST"])
        token = portal.credentials()["application_token"]
        body = {"url": f"{portal.base_url}/heard", "events": ["ONCRMDYNAMICITEMADD"], "application_token": token}
        assert requests.post(f"{portal.base_url}/_sandbox/outgoing_webhook", json=body, timeout=5).ok
        contact = portal.act("crm.contact.add", {"fields": {"NAME": "Anna"}})
        portal.act("crm.item.add", {"entityTypeId": 177, "fields": {"title": "Lamp", "contactId": contact}})
        assert portal.wait_events()
        (request,) = heard
        crm.verify(request)
        (hint,) = crm.parse(Receipt(1, "crm", crm.receipt_key(request), request, request.at))
        (event,) = crm.complete([hint], frozenset({"contact"}))
        assert (event.type, event.title, event.incomplete) == ("item.created", "Lamp", False)
        assert event.record["item"]["id"] == event.subject.partition(":")[2]
        assert event.record["contact"]["name"] == "Anna"

    def test_a_deleted_item_leaves_no_hints(self, crm):
        hint = Event("item.updated", "item:177_99", "k", {"item": {"id": "177_99"}}, incomplete=True)
        assert crm.complete([hint], frozenset()) == []


class TestCare:
    def test_what_names_say_of_items_is_held_against_the_portal(self, crm):
        assert [one.text for one in crm.check() if one.level == "problem"] == []
        assert ("DT177_7:CLIENT", "item: Готов") in crm.names()["stages"].values()
        crm.connection.names = {"fields": {"x": "ufCrm44_174000000"}, "stages": {"y": "DT177_7:CLIENTS"}}
        assert len([one for one in crm.check() if one.level == "problem"]) == 2

    def test_what_routes_say_of_items(self, crm):
        crm.connection.mentions = (
            Mention("field", "item", "title", "A"),
            Mention("field", "item", "tittle", "B"),
            Mention("stage", "item", "DT177_7:NEW", "C", ("DT177_7:CLIENT",)),
            Mention("stage", "item", "DT177_9:SUCCESS", "D", ("DT177_7:CLIENT",)),
        )
        found = [one for one in crm.check() if one.text[:2] in ("A:", "B:", "C:", "D:")]
        assert [one.text[:2] for one in found] == ["B:", "D:"]
        assert "did you mean title" in found[0].remedy
        assert "did you mean DT177_7:SUCCESS" in found[1].remedy


class TestWords:
    @pytest.mark.parametrize(
        ("name", "theirs"),
        [
            ("UF_CRM_44_1721812760630", "ufCrm44_1721812760630"),
            ("UF_CRM_10_DIGIT10", "ufCrm10Digit10"),
            ("ufCrm44_1721812760630", "ufCrm44_1721812760630"),
            ("parentId2", "parentId2"),
            ("title", "title"),
        ],
    )
    def test_names_of_fields(self, name, theirs):
        assert items.field_name(name) == theirs

    def test_directories(self):
        assert items.directory("DT177_7:NEW") == "DYNAMIC_177_STAGE_7"
        assert items.directory("DT31_5:N") == "SMART_INVOICE_STAGE_5"
        assert items.directory("C5:NEW") == ""

    def test_the_recorded_answer(self, recorded):
        item = items.neutral(recorded("crm.item.add.response.json")["result"]["item"], "2")
        assert (item["id"], item["stage"], item["pipeline"], item["amount"]) == ("2_342", "C9:UC_KN8KFI", "9", "999.99")
        assert item["changed_at"] == "2024-07-18T12:00:14+00:00"


def _hear(heard):
    from flask import request

    headers = {"content-type": request.content_type or ""}
    heard.append(Request("POST", "/in/crm", headers=headers, body=request.get_data()))
    return "ok"
