"""Setting connectors up and looking after them, against the stand-in over real HTTP; and the stand-in's own manners."""

import json
from pathlib import Path
from urllib.parse import urlencode

import pytest
import requests

from hub.errors import AuthFailed
from hub.model import Action, Request
from hub.testing.build import build
from plugins.bitrix24 import codes
from plugins.bitrix24.chat_checking import refusal
from plugins.bitrix24.connector import Bitrix24
from plugins.bitrix24.sandbox import Bitrix24Sandbox
from plugins.bitrix24.sandbox.words import RestError

SAMPLES = Path(__file__).parent / "samples"
HOOK = "https://hub.example.com/in/crm"
SHOP = {"hub_shop": {"line": "1", "name": "Shop", "url": "https://shop.example", "edits": "yes"}}


@pytest.fixture
def portal():
    with Bitrix24Sandbox(rate_per_second=None).start() as running:
        yield running.sandbox


def connected(portal, lines=None, **more):
    given = portal.credentials()
    settings = {name: given[name] for name in ("client_id", "client_secret", "portal", "oauth_url")} | more
    return build(Bitrix24, {**settings, "openlines": lines or SHOP}, name="crm", tokens=portal.tokens())


@pytest.fixture
def crm(portal):
    return connected(portal)


def said(findings, level):
    return [one.text for one in findings if one.level == level]


def sample(name):
    return json.loads((SAMPLES / name).read_text())


class TestConnect:
    def test_a_connector_is_registered_switched_on_and_told_where_it_is(self, portal, crm):
        found = crm.connect(HOOK)
        assert [one.level for one in found] == ["ok", "ok"]
        assert found[-1].text == "connector hub_shop is registered, active and connected to line 1"
        kept = portal.state()["connectors"]["hub_shop"]
        assert (kept["name"], kept["lines"]) == ("Shop", {"1": True})
        assert kept["data"]["1"] == {
            "ID": "hub_shop_line1", "NAME": "Shop", "URL": "https://shop.example", "URL_IM": "https://shop.example",
        }  # fmt: skip
        assert kept["handler"] == "https://hub.example.com/oauth/crm"
        assert kept["icon"]["DATA_IMAGE"].startswith("data:image/svg+xml,%3Csvg")
        assert (kept["edit_internal_messages"], kept["newsletter"], kept["need_signature"]) == (True, False, True)
        bound = {row["event"] for row in crm._client.call("event.get")}
        assert bound >= {*codes.SUBSCRIBE, *codes.SUBSCRIBE_CHATS}

    def test_again_brings_it_up_to_date_and_binds_nothing_twice(self, portal, crm):
        crm.connect(HOOK)
        handlers = len(portal.state()["handlers"])
        again = connected(portal, {"hub_shop": {"line": "107", "name": "Instagram"}})
        assert said(again.connect(HOOK), "problem") == []
        assert portal.state()["connectors"]["hub_shop"]["name"] == "Instagram"
        assert len(portal.state()["handlers"]) == handlers

    def test_without_open_lines_their_events_are_not_asked_for(self, portal):
        given = portal.credentials()
        settings = {name: given[name] for name in ("client_id", "client_secret", "portal", "oauth_url")}
        plain = build(Bitrix24, settings, name="crm", tokens=portal.tokens())
        plain.connect(HOOK)
        assert not {row["event"] for row in plain._client.call("event.get")} & set(codes.SUBSCRIBE_CHATS)
        assert portal.state()["connectors"] == {}

    def test_answers_of_operators_are_never_queued(self, portal):
        crm = connected(portal, events="offline")
        crm.connect(HOOK)
        bound = {row["event"]: row["offline"] for row in crm._client.call("event.get")}
        assert (bound["ONCRMDEALADD"], bound["ONIMCONNECTORMESSAGEADD"]) == (1, 0)
        assert crm.connect(HOOK)[0].text.startswith("0 events subscribed")
        assert said(crm.check(), "problem") == []

    def test_one_connector_that_fails_does_not_stop_the_next(self, portal):
        lines = {"livechat": {"line": "1"}, "hub_b": {"line": "107"}}
        found = connected(portal, lines).connect(HOOK)
        assert said(found, "problem") == [
            "connector livechat could not be registered: the portal could not keep the connector: is its id taken by "
            "another app? (APPLICATION_REGISTRATION_ERROR)"
        ]
        assert "connector hub_b is registered, active and connected to line 107" in said(found, "ok")

    def test_without_the_permission(self):
        with Bitrix24Sandbox(rate_per_second=None, scopes=["crm"]).start() as running:
            (problem,) = [one for one in connected(running.sandbox).connect(HOOK) if one.level == "problem"]
            assert "imopenlines" in problem.text
            assert "tick `imopenlines`" in problem.remedy

    def test_without_tokens(self, portal):
        given = portal.credentials()
        settings = {name: given[name] for name in ("client_id", "client_secret", "portal", "oauth_url")}
        with pytest.raises(AuthFailed, match="isn't installed"):
            build(Bitrix24, {**settings, "openlines": SHOP}, name="crm").connect(HOOK)

    @pytest.mark.parametrize(
        ("answer", "words"),
        [
            ({"result": True}, ""),
            (True, ""),
            (sample("imconnector.register.error.json")["result"], "the connector has no id (CONNECTOR_ID_REQUIRED)"),
            ({"result": False, "error": "NEW", "error_description": "that"}, "that (NEW)"),
            ({"result": False}, "without a reason"),
            (None, "without a reason"),
        ],
    )
    def test_how_the_portal_refuses_with_http_200(self, answer, words):
        assert refusal(answer) == words


class TestCheck:
    def test_all_is_well(self, portal, crm):
        crm.connect(HOOK)
        found = crm.check()
        assert said(found, "problem") == []
        assert "connector hub_shop is registered, active and connected to line 1" in said(found, "ok")

    def test_before_it_is_connected(self, crm):
        found = crm.check()
        assert "connector hub_shop isn't registered: clients' messages reach no line" in said(found, "problem")
        assert any("not subscribed" in text for text in said(found, "problem"))
        assert {one.remedy for one in found if one.level == "problem"} == {"run `hub connect crm`"}

    def test_switched_off_in_the_contact_center(self, portal, crm):
        crm.connect(HOOK)
        control(portal, act="switch_off", connector="hub_shop", line="1")
        assert "connector hub_shop isn't connected to line 1" in said(crm.check(), "problem")
        crm.connect(HOOK)
        portal.portal.connectors["hub_shop"]["lines"]["1"] = False
        assert "connector hub_shop is switched off on line 1" in said(crm.check(), "problem")

    def test_a_line_that_is_gone_or_asleep(self, portal, crm):
        crm.connect(HOOK)
        portal.portal.lines["1"]["ACTIVE"] = "N"
        assert "connector hub_shop: open line 1 (Відкрита лінія) is switched off" in said(crm.check(), "problem")
        control(portal, act="delete_line", line="1")
        (gone,) = [one for one in crm.check() if "there is no open line 1" in one.text]
        assert gone.remedy == "the portal has 107 (Лінія підтримки)"

    def test_with_a_webhook_beside_the_app_the_chats_go_through_the_app(self, portal):
        both = connected(portal, webhook_url=portal.credentials()["webhook_url"])
        both.connect(HOOK)
        assert said(both.check(), "problem") == []
        done = both.perform(Action("openline.send", "openline", "send", {"chat": "c", "text": "t"}, marker="m"))
        assert done.result["session"]

    def test_connectors_that_may_not_be_listed(self, portal, crm):
        crm.connect(HOOK)
        arm(portal, "access_denied", "imconnector.list")
        found = crm.check()
        assert any("could not be checked" in text for text in said(found, "warning"))


class TestPlacement:
    def opened(self, **more):
        body = urlencode({"AUTH_ID": "theirs", "member_id": "m", "PLACEMENT": "SETTING_CONNECTOR", **more}).encode()
        kind = {"content-type": "application/x-www-form-urlencoded"}
        return Request("POST", "/oauth/crm", (("DOMAIN", "x"),), headers=kind, body=body)

    def test_the_contact_center_sees_a_page_and_the_tokens_stay(self, portal, crm):
        before = crm.tokens.read()
        reply = crm.consent(self.opened(PLACEMENT_OPTIONS='{"LINE": 1, "ACTIVE_STATUS": 0}'))
        assert reply.status == 200
        assert "hub connect" in str(reply.body)
        assert crm.tokens.read() == before
        assert portal.calls == {}


# --- the stand-in ---------------------------------------------------------------------------------------


def arm(portal, kind, match):
    body = {"kind": kind, "match": match}
    assert requests.post(f"{portal.base_url}/_sandbox/fault", json=body, timeout=5).ok


def control(portal, **body):
    answer = requests.post(f"{portal.base_url}/_sandbox/operator", json={"chat": "c", **body}, timeout=5)
    return answer.status_code, answer.json()


class TestStandIn:
    @pytest.fixture
    def line(self, portal, crm):
        crm.connect(HOOK)
        return {"CONNECTOR": "hub_shop", "LINE": "1"}

    def say(self, crm, line, number="m", text="x", chat="c", **user):
        entry = {"user": {"id": "u", **user}, "message": {"id": number, "text": text}, "chat": {"id": chat}}
        return crm._client.call("imconnector.send.messages", {**line, "MESSAGES": [entry]})["DATA"]["RESULT"][0]

    def test_it_knows_no_message_again(self, portal, crm, line):
        assert self.say(crm, line)["session"] == self.say(crm, line)["session"]
        assert len(portal.state()["messages"]) == 2

    def test_a_closed_dialog_begins_anew(self, portal, crm, line):
        first = self.say(crm, line)["session"]
        assert control(portal, act="close", connector="hub_shop", line="1")[0] == 200
        second = self.say(crm, line)["session"]
        assert first["CHAT_ID"] == second["CHAT_ID"]
        assert first["ID"] != second["ID"]
        told = [row["event"] for row in portal.state()["events"]]
        assert told.count("ONIMCONNECTORDIALOGSTART") == 2
        assert told.count("ONIMCONNECTORDIALOGFINISH") == 1

    @pytest.mark.parametrize("user", [{"name": "R2D2"}, {"last_name": "x" * 26}, {"name": "a.b"}])
    def test_names_it_does_not_take(self, crm, line, user):
        assert self.say(crm, line, **user)["SUCCESS"] is False

    def test_history_names_both_sides_ids(self, portal, crm, line):
        where = {"connector": "hub_shop", "line": "1"}
        ids = self.say(crm, line)["session"]
        answer = control(portal, **where, text="hi")[1]["message_id"]
        status = {"im": {"chat_id": 1, "message_id": answer}, "message": {"id": ["ext"]}, "chat": {"id": "c"}}
        crm._client.call("imconnector.send.status.delivery", {**line, "MESSAGES": [status]})
        shown = crm._client.call("imopenlines.session.history.get", {"SESSION_ID": ids["ID"]})["message"]
        assert [row["params"] for row in shown.values()] == [{"connectorMid": ["m"]}, {"connectorMid": ["ext"]}]
        for code in ("hub_shop|1|c|u", portal.portal.chats[("hub_shop", "1", "c")]["user"].join(("hub_shop|1|c|", ""))):
            assert str(crm._client.call("imopenlines.dialog.get", {"USER_CODE": code})["id"]) == ids["CHAT_ID"]

    @pytest.mark.parametrize(
        ("method", "params", "code"),
        [
            ("imopenlines.dialog.get", {"USER_CODE": "hub_shop|1|c|u"}, "ACCESS_ERROR"),
            ("imopenlines.session.history.get", {}, "MISSING_REQUIRED_PARAM"),
            ("imopenlines.session.history.get", {"CHAT_ID": "5"}, "ACCESS_DENIED"),
        ],
    )
    def test_chats_it_does_not_show(self, portal, method, params, code):
        with pytest.raises(RestError) as caught:
            portal.act(method, params)
        assert (caught.value.code, caught.value.status) == (code, 400)

    def test_operators_change_only_what_they_may(self, portal, crm, line):
        where = {"connector": "hub_shop", "line": "1"}
        self.say(crm, line)
        answer = control(portal, **where, text="hi")[1]["message_id"]
        assert control(portal, **where, act="edit", text="ho", message_id=answer)[0] == 200
        theirs = portal.state()["messages"][0]["id"]
        assert control(portal, **where, act="delete", message_id=theirs)[1]["error"] == "NOT_FOUND"
        portal.portal.connectors["hub_shop"]["del_internal_messages"] = False
        assert control(portal, **where, act="delete", message_id=answer)[1]["error"] == "ACCESS_DENIED"
        assert control(portal, **where, act="dance")[1]["error"] == "NOT_FOUND"

    def test_ids_of_connectors(self, portal):
        given = {"NAME": "x", "ICON": {"DATA_IMAGE": "data:image/svg+xml,x"}, "PLACEMENT_HANDLER": "https://x/y"}
        assert portal.act("imconnector.register", {"ID": "A.B", **given})["error"].endswith("ERROR_POINT")
        assert portal.act("imconnector.register", {"ID": "AB", **given}) == {"result": True}
        assert portal.act("imconnector.list")["ab"] == "x"
        assert portal.act("imconnector.unregister", {"ID": "ab"}) == {"result": True}
        assert portal.act("imconnector.unregister", {"ID": "ab"})["error"] == "APPLICATION_UNREGISTRATION_ERROR"
        assert portal.act("imconnector.status", {"CONNECTOR": "ab", "LINE": "1"})["STATUS"] is False
        with pytest.raises(RestError, match="NO_CORRECT_PROVIDER"):
            portal.act("imconnector.activate", {"CONNECTOR": "ab", "LINE": "1", "ACTIVE": "1"})

    def test_lines_by_filter(self, portal):
        request = sample("imopenlines.config.list.get.request.json")
        rows = portal.act("imopenlines.config.list.get", request)
        assert [row["ID"] for row in rows] == ["1", "107"]
        assert set(rows[0]) == set(request["PARAMS"]["select"])
        assert portal.act("imopenlines.config.list.get", {"PARAMS": {"filter": {"ACTIVE": "N"}}}) == []
