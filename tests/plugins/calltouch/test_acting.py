"""Actions against the stand-in over real HTTP: what they leave there, and that they leave it once."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Any

import pytest
import responses

from hub.errors import AuthFailed, PluginError, RateLimited, Refused, Uncertain
from hub.model import Action, Event
from tests.plugins.calltouch.conftest import connector

DOUBT = dt.datetime(2026, 3, 4, 10, 0, tzinfo=dt.UTC)
REFUSALS = ("items", "status")


@pytest.fixture(params=REFUSALS)
def both_ways(cabinet: Any, request: pytest.FixtureRequest) -> Any:
    """A cabinet that refuses deals in one of both ways that are possible: no page tells which."""
    cabinet.post("quirks", {"refusals": request.param})
    return cabinet


def order(cabinet: Any, number: str = "2442") -> dict[str, Any]:
    found: dict[str, Any] = cabinet.state()["orders"][number]
    return found


# --- deals ---------------------------------------------------------------------------------------------------


def test_a_deal_of_a_call_with_its_revenue(cabinet: Any) -> None:
    call = cabinet.sandbox.call("79000000001", lost=True)
    values = {
        "orderNumber": "2442",
        "orderDate": "2026-03-04T10:00:00+00:00",
        "status": "Новая",
        "funnel": "Игры",
        "revenue": "3500.00",
        "currency": "rub",
        "manager": "Анна",
        "matching": [{"call": str(call["callId"])}, {"request": ""}, {"leadContact": "+79000000009"}, "withoutSource"],
        "comment": "из CRM",
        "tags": ["квест"],
    }
    done = cabinet.do("deal.upsert", values)
    assert (done.id, done.result["status"]) == ("2442", "Новая")
    assert done.written["revenue"] == "3500.00" and "matching" not in done.written
    kept = order(cabinet)
    assert kept["lead"] == {"call": call["callId"]}
    assert (kept["orderDate"], kept["revenue"], kept["currency"]) == ("04-03-2026 13:00:00", "3500.00", "rub")
    assert kept["comments"] == ["из CRM"]
    cabinet.do("deal.upsert", {**values, "status": "Успешно реализовано", "revenue": "4000"}, verb="update", id="2442")
    kept = order(cabinet)
    assert (kept["history"], kept["revenue"]) == (["Новая", "Успешно реализовано"], "4000")


@pytest.mark.parametrize(
    ("phone", "lead"), [("+79000000001", "call"), ("+79000000002", "request"), ("+79000000003", None)]
)
def test_without_ids_the_contact_ties_the_deal(cabinet: Any, phone: str, lead: str | None) -> None:
    cabinet.sandbox.call("79000000001", lost=True)
    cabinet.sandbox.fill("79000000002", lost=True)
    cabinet.do("deal.upsert", {"orderNumber": "2442"}, person={"phone": phone})
    assert list(order(cabinet)["lead"]) == ([lead] if lead else [])


def test_a_deal_that_is_there_already_is_brought_up_to_date(both_ways: Any) -> None:
    both_ways.do("deal.upsert", {"orderNumber": "2442", "status": "Новая"})
    both_ways.do("deal.upsert", {"orderNumber": "2442", "status": "В работе"})
    assert order(both_ways)["history"] == ["Новая", "В работе"]


def test_a_deal_that_is_gone_is_made_again(both_ways: Any) -> None:
    both_ways.do("deal.upsert", {"orderNumber": "2442", "status": "Успех", "revenue": "10"}, verb="update", id="2442")
    assert order(both_ways)["history"] == ["Успех"]


@pytest.mark.parametrize("verb", ["create", "update"])
@pytest.mark.parametrize("fault", ["lost_reply", "outage"])
def test_a_doubtful_deal_has_one_effect(both_ways: Any, verb: str, fault: str) -> None:
    if verb == "update":
        both_ways.do("deal.upsert", {"orderNumber": "2442", "status": "Новая"})
    values = {"orderNumber": "2442", "status": "Успех", "revenue": "3500", "comment": "один раз"}
    both_ways.fault(fault, "client-order/")
    with pytest.raises(Uncertain):
        both_ways.do("deal.upsert", values, verb=verb)
    both_ways.do("deal.upsert", values, verb=verb, in_doubt_since=DOUBT)
    kept = order(both_ways)
    assert (kept["status"], kept["revenue"], len(both_ways.state()["orders"])) == ("Успех", "3500", 1)
    assert kept["comments"].count("один раз") <= 1  # never twice; what may be lost is told in the README
    if verb == "create":
        assert kept["comments"] == ["один раз"]


def test_it_costs_no_more_calls_than_declared(both_ways: Any) -> None:
    for verb in ("create", "create", "update"):
        both_ways.sandbox.calls.clear()
        both_ways.do("deal.upsert", {"orderNumber": "2442"}, verb=verb)
        assert sum(both_ways.sandbox.calls.values()) <= both_ways.connector.action("deal.upsert").cost


def test_a_deal_nobody_can_match_is_refused_for_good(both_ways: Any) -> None:
    values = {"orderNumber": "2442", "matching": [{"call": "5"}]}
    with pytest.raises(Refused, match="no lead was matched"):
        both_ways.do("deal.upsert", values)
    assert both_ways.state()["orders"] == {}
    assert both_ways.sandbox.calls == {"client-order/create": 1}  # it isn't taken for one that is there already


@pytest.mark.parametrize("verb", ["create", "update"])
@pytest.mark.parametrize("words", ["field brand not found", "поле не найдено"])
@responses.activate
def test_words_that_only_sound_like_an_unknown_deal_are_told_all_the_same(verb: str, words: str) -> None:
    """Creating says that the deal is there, so what updating says is the true reason."""
    base = "https://api.calltouch.ru/lead-service/v1/api/client-order"
    error = {"data": {"validationErrorData": {"violations": [{"message": words}]}}}
    known = {"data": {"orders": [{"orderNumber": "1", "created": False, "message": "already exists"}]}}
    responses.post(f"{base}/update", status=400, json=error)
    responses.post(f"{base}/create", json=known)
    made = connector()
    with pytest.raises(Refused, match=words):
        made.perform(Action("deal.upsert", "deal", verb, values={"orderNumber": "1"}))


@responses.activate
def test_a_404_without_words_is_an_unknown_deal() -> None:
    base = "https://api.calltouch.ru/lead-service/v1/api/client-order"
    responses.post(f"{base}/update", status=404, body="<html>404</html>")
    responses.post(f"{base}/create", body="")
    done = connector().perform(Action("deal.upsert", "deal", "update", values={"orderNumber": "1"}))
    assert done.id == "1"
    assert len(responses.calls) == 2


def test_deals_in_a_batch(cabinet: Any) -> None:
    cabinet.do("deal.upsert", {"orderNumber": "2"})
    rows = [{"orderNumber": str(number), "revenue": f"{number}00", "status": "Успех"} for number in (1, 2, 3)]
    done = cabinet.do("deal.import", {"deals": rows})
    assert (done.result["count"], done.result["taken"], done.result["refused"]) == (3, 2, ["2"])
    assert "already exists" in done.result["rows"][1]["words"]
    assert cabinet.sandbox.calls["client-order/create"] == 2
    done = cabinet.do("deal.import", {"deals": rows, "update": "yes"})
    assert done.result["taken"] == 3
    assert [order(cabinet, number)["revenue"] for number in ("1", "2", "3")] == ["100", "200", "300"]
    with pytest.raises(Refused, match="at once"):
        cabinet.do("deal.import", {"deals": rows * 40})


def test_a_deal_is_deleted_and_deleting_twice_is_no_harm(both_ways: Any) -> None:
    both_ways.do("deal.upsert", {"orderNumber": "2442"})
    for _ in range(2):
        assert both_ways.do("deal.delete", {"orderNumber": "2442"}).id == "2442"
    assert both_ways.state()["orders"] == {}


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        ("rate_limit", RateLimited),
        ("bad_token", AuthFailed),
        ("no_right", AuthFailed),
        ("html", Uncertain),
        ("503", Uncertain),
        ("outage", Uncertain),
        ("not_imported", Refused),
    ],
)
def test_a_bad_day_of_lead_service(cabinet: Any, fault: str, error: type[Exception]) -> None:
    cabinet.fault(fault)
    with pytest.raises(error) as caught:
        cabinet.do("deal.upsert", {"orderNumber": "2442"})
    assert type(caught.value) is error
    assert cabinet.sandbox.credentials()["access_token"] not in str(caught.value)


def test_the_vendors_own_validation_names_the_field(cabinet: Any) -> None:
    with pytest.raises(Refused, match="orderDate") as caught:
        cabinet.do("api", {"orders": [{"orderNumber": "1", "orderDate": "2026-03-04"}]}, method="client-order/create")
    assert list(caught.value.fields) == ["orderDate"]


# --- comments, tags, fields ----------------------------------------------------------------------------------


def test_leads_get_comments_tags_and_fields(cabinet: Any) -> None:
    call = cabinet.sandbox.call("79000000001", lost=True)
    request = cabinet.sandbox.fill("79000000002", lost=True)
    event = Event("call.finished", "call:1", "k", {"call": {"id": str(call["callId"])}}, connection="calls")
    cabinet.do("comment.create", {"text": "Перезвонить"}, event=event)
    cabinet.do("tag.add", {"tags": "целевой, VIP", "request": str(request["requestId"])})
    cabinet.do("field.set", {"fields": {"score": 9}, "phone": "+79000000001"})
    state = cabinet.state()
    assert state["comments"] == [{"lead": {"call": call["callId"]}, "addComment": "Перезвонить"}]
    [tags] = state["tags"]
    assert tags["lead"] == {"request": request["requestId"]}
    assert tags["addTags"] == {"overwrite": False, "tags": [{"tag": "целевой"}, {"tag": "VIP"}]}
    [fields] = state["fields"]
    assert fields["addCustomFields"] == {"overwrite": True, "customFields": [{"field": "score", "value": "9"}]}


def test_the_id_of_another_systems_call_is_not_taken_for_calltouchs(cabinet: Any) -> None:
    call = cabinet.sandbox.call("79000000001", lost=True)
    event = Event("call.finished", "call:1", "k", {"call": {"id": str(call["callId"])}}, connection="crm")
    with pytest.raises(Refused, match="which lead"):
        cabinet.do("comment.create", {"text": "x"}, event=event)


@pytest.mark.parametrize(
    ("name", "values", "words"),
    [
        ("comment.create", {"text": "x"}, "which lead"),
        ("comment.create", {"call": "5"}, "needs text"),
        ("comment.create", {"text": "x", "call": "5"}, "not matched"),
        ("tag.add", {"tags": [], "call": "5"}, "tags"),
        ("tag.add", {"tags": "a", "call": "5"}, "not matched"),
        ("field.set", {"fields": {}, "call": "5"}, "fields"),
    ],
)
def test_what_cannot_be_written_at_a_lead(cabinet: Any, name: str, values: dict[str, Any], words: str) -> None:
    with pytest.raises(Refused, match=words):
        cabinet.do(name, values)


# --- requests, calls, call-backs -----------------------------------------------------------------------------


def test_a_request_of_a_visit_without_a_token(cabinet: Any) -> None:
    person = {"name": "Тест", "phone": "+79000000001", "email": "a@example.com"}
    cabinet.connector.settings["access_token"] = ""
    values = {"subject": "Запись", "session": "400000777", "page": "https://x.example/"}
    done = cabinet.do("request.register", values, marker="m-1", person=person)
    [kept] = cabinet.state()["requests"]
    assert (done.id, done.result["number"]) == (str(kept["requestId"]), "hub-m-1")
    assert (kept["session"]["sessionId"], kept["requestNumber"], kept["subject"]) == (400000777, "hub-m-1", "Запись")
    assert kept["client"]["phones"][0]["phoneNumber"] == "79000000001"
    assert kept["requestUrl"] == "https://x.example/"


@pytest.mark.parametrize("name", ["request.register", "request.create"])
def test_a_lost_reply_is_found_by_the_requests_number(cabinet: Any, name: str) -> None:
    cabinet.fault("lost_reply", "re")
    with pytest.raises(Uncertain):
        cabinet.do(name, {"phone": "+79000000001"}, marker="m-7")
    since = dt.datetime.now(dt.UTC) - dt.timedelta(hours=1)
    [record] = cabinet.connector.find("request", {"marker": "m-7", "since": since.timestamp()})
    done = cabinet.connector.found(Action(name, *name.split(".")), record)
    assert done.id == str(cabinet.state()["requests"][0]["requestId"])
    assert cabinet.connector.find("request", {"marker": "m-8", "since": since}) == []


def test_requests_in_a_batch_with_one_that_is_not_taken(cabinet: Any) -> None:
    rows = [{"requestNumber": f"f-{number}", "phone": f"7900000000{number}"} for number in range(3)]
    cabinet.fault("not_imported")
    done = cabinet.do("request.import", {"requests": rows})
    assert done.result["refused"] == ["f-0"]
    assert [one["requestNumber"] for one in cabinet.state()["requests"]] == ["f-1", "f-2"]
    with pytest.raises(Refused, match="requestNumber of its own"):
        cabinet.do("request.import", {"requests": [{"phone": "79000000001"}]})


def test_calls_are_imported_once_for_ever(cabinet: Any) -> None:
    values = {"phone": "+79000000001", "line": "+74950000001", "at": "2026-03-04T10:00:00+00:00", "duration": "65"}
    done = cabinet.do("call.import", values, marker="m-9")
    assert (done.id, done.result["log"]) == ("hub-m-9", "1000001")
    assert cabinet.do("call.import", values, marker="m-9").id == "hub-m-9"  # a repeat is as good as done
    assert list(cabinet.state()["imported"]) == ["hub-m-9"]
    rows = [{**values, "referenceId": "a"}, {**values, "referenceId": "b"}]
    assert cabinet.do("call.import", {"calls": rows}).result["taken"] == 2
    with pytest.raises(Refused, match="already imported"):
        cabinet.do("call.import", {"calls": [*rows, {**values, "referenceId": "c"}]})


def test_a_client_is_called_back(cabinet: Any) -> None:
    values = {"route_key": "autocall", "session": "400000001", "fields": {"Имя": "Тест"}, "utm_source": "hub"}
    done = cabinet.do("callback.create", values, person={"phone": "+79000000001"})
    assert done.id == "242000001"
    [kept] = cabinet.state()["callbacks"]
    assert (kept["phone"], kept["sessionId"], kept["utmSource"]) == ("79000000001", "400000001", "hub")
    assert kept["fields"] == [{"name": "Имя", "value": "Тест"}]
    with pytest.raises(Refused, match="route key"):
        cabinet.do("callback.create", {"route_key": "gone", "phone": "79000000001"})
    with pytest.raises(Refused, match="can be called"):
        cabinet.do("callback.create", {"route_key": "autocall", "phone": "+380671234567"})
    with pytest.raises(Refused, match="needs a phone"):
        cabinet.do("callback.create", {"route_key": "autocall"})


# --- any method, and no method ---------------------------------------------------------------------------------


def test_any_method_of_lead_service(cabinet: Any) -> None:
    done = cabinet.do("api", {"orderNumbers": ["1"]}, method="client-order/delete")
    assert done.result["orders"][0]["deleted"] is False
    for path in ("", "../x", "a//b", "https://x.example", "a?b", "a b"):
        with pytest.raises(Refused, match="method is a path"):
            cabinet.do("api", {}, method=path)
    with pytest.raises(PluginError):
        cabinet.do("deal.merge", {})


# --- looking after the connection ------------------------------------------------------------------------------


def levels(findings: Any) -> list[str]:
    return [one.level for one in findings]


def test_a_healthy_cabinet(cabinet: Any) -> None:
    cabinet.sandbox.call("79000000001", lost=True)
    found = cabinet.connector.check()
    assert levels(found) == ["ok"] * 5
    assert "Europe/Moscow" in found[3].text
    assert cabinet.state()["orders"] == {}


def test_a_wrong_zone_is_found(cabinets: Callable[..., Any]) -> None:
    cabinet = cabinets(zone="Europe/Kaliningrad")  # whatever the hour is: there it is yesterday or today of Moscow
    cabinet.connector._zone = type(cabinet.connector._zone)("Europe/Moscow")
    cabinet.sandbox.call("79000000001", lost=True)
    [finding] = [one for one in cabinet.connector.check() if one.level == "problem"]
    assert "1 h" in finding.text and "timezone" in finding.remedy


@pytest.mark.parametrize(
    ("setting", "value", "problems"),
    [("client_api_id", "wrong", 2), ("access_token", "wrong", 1), ("site_id", "7", 3)],
)
def test_a_wrong_token_is_found(cabinet: Any, setting: str, value: str, problems: int) -> None:
    cabinet.connector.settings[setting] = value
    found = cabinet.connector.check()
    assert levels(found).count("problem") == problems
    assert all(one.remedy for one in found if one.level != "ok")


def test_tokens_that_are_not_set_are_told(cabinet: Any) -> None:
    cabinet.connector.settings |= {"client_api_id": "", "access_token": "", "secret": "short1"}
    assert levels(cabinet.connector.check()) == ["warning"] * 3


@pytest.mark.parametrize("fault", ["outage", "503", "html", "rate_limit"])
def test_an_ill_vendor_is_no_problem_of_the_admins(cabinet: Any, fault: str) -> None:
    cabinet.fault(fault, times=5)
    assert "problem" not in levels(cabinet.connector.check())


def test_connect_prints_what_to_click_without_the_secret(cabinet: Any) -> None:
    found = cabinet.connector.connect("https://hub.example.com/in/calls")
    text = " ".join(f"{one.text} {one.remedy}" for one in found)
    assert "https://hub.example.com/in/calls/<the value of `secret`>" in text
    for word in ("callId", "callphase", "requestId", "sessionId", "Webhooks", "92.118.66.0/23"):
        assert word in text
    assert cabinet.sandbox.credentials()["secret"] not in text
    assert cabinet.sandbox.calls == {}
