"""The stand-in, spoken to as Calltouch: its auth, its shapes, its limits, its hooks."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import requests

from plugins.calltouch.sandbox import API_KEY, LOGIN_TOKEN, SECRET, SITE
from plugins.standard.sandbox import StandardSandbox

SAMPLES = Path(__file__).parent / "samples"
HEADERS = {"Access-Token": API_KEY, "SiteId": SITE}


def lead(cabinet: Any, path: str, body: Any, headers: dict[str, str] = HEADERS) -> requests.Response:
    return requests.post(f"{cabinet.url}/lead-service/v1/api/{path}", json=body, headers=headers, timeout=5)


def calls(cabinet: Any, **query: str) -> requests.Response:
    known = {"clientApiId": LOGIN_TOKEN, "dateFrom": "01/01/2020", "dateTo": "01/01/2020", **query}
    return requests.get(f"{cabinet.url}/calls-service/RestAPI/{SITE}/calls-diary/calls", params=known, timeout=5)


def journal(cabinet: Any, **query: str) -> requests.Response:
    known = {"clientApiId": LOGIN_TOKEN, "siteId": SITE, "dateFrom": "01/01/2020", "dateTo": "01/01/2020", **query}
    return requests.get(f"{cabinet.url}/calls-service/RestAPI/requests", params=known, timeout=5)


# --- who may ---------------------------------------------------------------------------------------------------


def test_each_surface_has_its_own_key(cabinet: Any) -> None:
    assert calls(cabinet).status_code == journal(cabinet).status_code == 200
    assert calls(cabinet, clientApiId="x").status_code == journal(cabinet, clientApiId=API_KEY).status_code == 401
    assert journal(cabinet, siteId="7").status_code == 403
    assert lead(cabinet, "client-order/update", {"orders": []}).status_code == 200
    assert lead(cabinet, "client-order/update", {"orders": []}, {"SiteId": SITE}).status_code == 401
    assert lead(cabinet, "client-order/update", {"orders": []}, {"Access-Token": API_KEY}).status_code == 403
    url = f"{cabinet.url}/calls-service/RestAPI/requests/{SITE}/register/"
    assert requests.post(url, data={"phoneNumber": "79000000001"}, timeout=5).json()["requestId"] == 700000001
    assert requests.get(url, params={"fio": "Тест"}, timeout=5).json()["requestId"] == 700000002


def test_more_than_five_calls_a_second_are_too_many(cabinets: Callable[..., Any]) -> None:
    cabinet = cabinets(calls_per_second=5)
    assert {calls(cabinet).status_code for _ in range(12)} == {200, 429}


# --- shapes ----------------------------------------------------------------------------------------------------


def test_the_journals_have_the_members_of_the_samples(cabinet: Any) -> None:
    made = cabinet.sandbox.call("79000000001", lost=True, at="2020-01-01T10:00:00+00:00", tags=["целевой"])
    cabinet.sandbox.fill("79000000001", lost=True, at="2020-01-01T10:00:00+00:00", email="a@example.com", comment="x")
    page = calls(cabinet, page="1", limit="1000", withCallTags="true").json()
    wanted = json.loads((SAMPLES / "calls-diary.paged.reconstructed.response.json").read_text())
    assert set(page) == set(wanted)
    optional = {"attribution", "keyword", "sipCallId", "userAgent", "ip", "callReferenceId", "orders", "yandexDirect",
                "googleAdWords", "subPoolName", "statusDetails", "ctCallerId"}  # fmt: skip
    assert set(wanted["records"][0]) - optional <= set(page["records"][0])
    assert page["records"][0]["date"] == "01/01/2020 13:00:00"
    assert calls(cabinet).json()[0]["callId"] == made["callId"]  # without pages a bare list, without tags
    assert "callTags" not in calls(cabinet).json()[0]
    [row] = journal(cabinet).json()
    [like] = json.loads((SAMPLES / "requests-list.reconstructed.response.json").read_text())
    assert set(row["client"]) == set(like["client"])
    assert row["date"] == 1577872800000


def test_pages(cabinet: Any) -> None:
    for number in range(5):
        cabinet.sandbox.call(f"7900000000{number}", lost=True, at="2020-01-01T10:00:00+00:00")
    page = calls(cabinet, page="2", limit="2").json()
    assert (page["pageTotal"], page["recordsTotal"], len(page["records"])) == (3, 5, 2)
    assert calls(cabinet, page="9", limit="2").json()["records"] == []


def test_one_wants_the_day_first_the_other_the_month(cabinet: Any) -> None:
    assert calls(cabinet, dateFrom="13/01/2020", dateTo="13/01/2020").status_code == 200
    assert calls(cabinet, dateFrom="01/13/2020", dateTo="01/13/2020").status_code == 400
    assert journal(cabinet, dateFrom="01/13/2020", dateTo="01/13/2020").status_code == 200
    assert journal(cabinet, dateFrom="13/01/2020", dateTo="13/01/2020").status_code == 400
    assert calls(cabinet, dateTo="02/01/2020").status_code == 400  # without pages one day at a time
    assert calls(cabinet, dateTo="02/01/2020", page="1").status_code == 200


def test_the_vendors_own_examples_are_taken(cabinet: Any) -> None:
    for name, path, member in (
        ("client-order-create", "client-order/create", "orders"),
        ("client-order-update", "client-order/update", "orders"),
        ("request-create", "request/create", "requests"),
        ("call-import", "call/import", "logId"),
    ):
        answer = lead(cabinet, path, json.loads((SAMPLES / f"lead-service.{name}.request.json").read_text()))
        assert answer.status_code == 200, answer.text
        assert member in answer.json()["data"]
    order = cabinet.state()["orders"]["2442"]
    assert order["lead"]["source"]["source"] == "partner"
    assert order["comments"] == ["Комментарий", "Комментарий к сделке"]
    comment = json.loads((SAMPLES / "lead-service.comment-lead-add.request.json").read_text())
    for added in (True, False):  # the imported request has this phone; a fresh cabinet knows nobody
        [item] = lead(cabinet, "comment/lead/add", comment).json()["data"]["comments"]
        assert item["added"] is added
        cabinet.post("reset", {})


@pytest.mark.parametrize(
    "order",
    [
        {"orderNumber": "1", "orderDate": "04-03-2026 10:00:00"},
        {"orderNumber": "1", "orderDate": "2026-03-04 10:00:00", "matching": [{"type": "withoutSource"}]},
        {"orderNumber": "1", "orderDate": "04-03-2026 10:00:00", "matching": [{"type": "x"}]},
        {"orderNumber": "1", "orderDate": "04-03-2026 10:00:00", "matching": [{"type": "call"}]},
        {"orderNumber": "1", "orderDate": "04-03-2026 10:00:00", "matching": [{"type": "withoutSource"}], "revenue": 5},
    ],
)
def test_a_wrong_deal_is_not_taken(cabinet: Any, order: dict[str, Any]) -> None:
    answer = lead(cabinet, "client-order/create", {"crm": "x", "orders": [order]})
    assert answer.status_code == 400
    assert answer.json()["data"]["validationErrorData"]["violations"]
    assert cabinet.state()["orders"] == {}


def test_at_most_a_hundred_at_once(cabinet: Any) -> None:
    assert lead(cabinet, "client-order/update", {"orders": [{"orderNumber": "1"}] * 101}).status_code == 400
    assert lead(cabinet, "client-order/update", {"orders": "x"}).status_code == 400
    assert lead(cabinet, "client-order/update", [1]).status_code == 400


@pytest.mark.parametrize(
    "form", [{}, {"subject": "x"}, {"fio": "x", "sessionId": ""}, {"fio": "x", "subject": "s" * 257}]
)
def test_a_request_that_is_not_registered(cabinet: Any, form: dict[str, str]) -> None:
    url = f"{cabinet.url}/calls-service/RestAPI/requests/{SITE}/register/"
    assert requests.post(url, data=form, timeout=5).status_code == 400
    assert cabinet.state()["requests"] == []


def test_registering_twice_makes_two(cabinet: Any) -> None:
    url = f"{cabinet.url}/calls-service/RestAPI/requests/{SITE}/register/"
    for _ in range(2):
        requests.post(url, data={"fio": "Тест", "requestNumber": "1"}, timeout=5)
    assert len(cabinet.state()["requests"]) == 2


# --- hooks -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["POST", "GET"])
@pytest.mark.parametrize("format", ["form", "json"])
def test_hooks_are_sent_as_the_admin_has_set_them(cabinet: Any, method: str, format: str) -> None:
    with StandardSandbox().start() as sink:
        hook = {"url": f"{sink.url}/in/calls?secret={SECRET}", "method": method, "format": format,
                "fields": ["leadtype", "callId", "callphase", "callerphone", "utm_source"]}  # fmt: skip
        cabinet.post("hooks", hook)
        cabinet.post("calls", {"phone": "79000000001", "duration": 30, "utm_source": "ads"})
        start, end = sink.sandbox.data["received"]
    assert (start["method"], end["method"]) == (method, method)
    assert [one["moment"] for one in cabinet.state()["sent"]] == ["start", "end"]
    assert [one["status"] for one in cabinet.state()["sent"]] == [200, 200]
    if method == "POST" and format == "json":
        assert json.loads(end["body"]) == {"callId": 300000001, "callerphone": "79000000001", "utm_source": "ads",
                                           "leadtype": "call", "callphase": "calldone"}  # fmt: skip


def test_moments_can_be_chosen_and_a_deaf_receiver_is_noted(cabinet: Any) -> None:
    cabinet.post("hooks", {"url": "http://127.0.0.1:9/in/calls", "moments": ["end"]})
    cabinet.post("calls", {"phone": "79000000001"})
    cabinet.post("requests", {"phone": "79000000001"})
    [sent] = cabinet.state()["sent"]
    assert (sent["moment"], sent["status"]) == ("end", "ConnectionError")
    assert len(cabinet.state()["diary"]) == 1


def test_resetting_forgets_everything(cabinet: Any) -> None:
    cabinet.post("calls", {"phone": "79000000001"})
    cabinet.post("quirks", {"refusals": "status"})
    cabinet.post("reset", {})
    assert cabinet.state()["diary"] == []
    assert cabinet.sandbox.quirks["refusals"] == "items"
