"""Each call: asked right, at the right address, answer read right; and what refusals mean."""

from __future__ import annotations

import datetime as dt
import json
from pathlib import Path
from typing import Any

import pytest
import requests
import responses

from hub.errors import AuthFailed, Gone, RateLimited, Refused, Retry, Uncertain
from plugins.calltouch.client import Client
from tests.plugins.calltouch.conftest import SETTINGS, connector

SAMPLES = Path(__file__).parent / "samples"
BASE = "https://api.calltouch.ru"
CALLS = f"{BASE}/calls-service/RestAPI/10001/calls-diary/calls"
REQUESTS = f"{BASE}/calls-service/RestAPI/requests"
REGISTER = f"{BASE}/calls-service/RestAPI/requests/10001/register/"
UPDATE = f"{BASE}/lead-service/v1/api/client-order/update"
DAY = dt.date(2026, 3, 4)
#: one call of each surface: (name, address, method, a call of it)
SURFACES: dict[str, tuple[str, str, Any]] = {
    "calls": ("GET", CALLS, lambda client: list(client.calls(DAY, DAY))),
    "requests": ("GET", REQUESTS, lambda client: client.requests(DAY, DAY)),
    "register": ("POST", REGISTER, lambda client: client.register({"phoneNumber": "79000000001"})),
    "lead": ("POST", UPDATE, lambda client: client.lead("client-order/update", {"orders": []})),
}
READS = ("calls", "requests")


@pytest.fixture
def client() -> Client:
    return Client(connector().http, connector().settings)


def asked(number: int = 0) -> requests.PreparedRequest:
    request: requests.PreparedRequest = responses.calls[number].request
    return request


def query(number: int = 0) -> dict[str, str]:
    found: dict[str, str] = asked(number).params  # type: ignore[attr-defined]
    return found


# --- asked right -----------------------------------------------------------------------------------------


@responses.activate
def test_the_journal_of_calls_is_asked_day_first(client: Client) -> None:
    body = json.loads((SAMPLES / "calls-diary.paged.reconstructed.response.json").read_text())
    responses.get(CALLS, json=body)
    [row] = client.calls(dt.date(2026, 3, 4), dt.date(2026, 3, 5))
    assert row["callId"] == 300000001
    assert query() == {
        "clientApiId": SETTINGS["client_api_id"],
        "dateFrom": "04/03/2026",
        "dateTo": "05/03/2026",
        "withCallTags": "true",
        "page": "1",
        "limit": "1000",
    }


@responses.activate
def test_the_journal_of_requests_is_asked_month_first(client: Client) -> None:
    responses.get(REQUESTS, json=json.loads((SAMPLES / "requests-list.reconstructed.response.json").read_text()))
    [row] = client.requests(dt.date(2026, 3, 4), dt.date(2026, 3, 5))
    assert row["requestId"] == 700000001
    assert (query()["dateFrom"], query()["dateTo"], query()["siteId"]) == ("03/04/2026", "03/05/2026", "10001")


@responses.activate
def test_all_pages_are_read(client: Client) -> None:
    for page in (1, 2, 3):
        responses.get(
            CALLS,
            json={"page": page, "pageTotal": 3, "records": [{"callId": page}]},
            match=[responses.matchers.query_param_matcher({"page": str(page)}, strict_match=False)],
        )
    assert [row["callId"] for row in client.calls(DAY, DAY)] == [1, 2, 3]


@responses.activate
@pytest.mark.parametrize("total", [None, "x", 99], ids=str)
def test_a_strange_number_of_pages_ends(client: Client, total: Any) -> None:
    responses.get(CALLS, json={"pageTotal": total, "records": [{"callId": 1}]})
    responses.get(CALLS, json={"pageTotal": total, "records": []})
    assert [row["callId"] for row in client.calls(DAY, DAY)] == [1]


@responses.activate
def test_a_bare_list_is_one_day_so_each_day_is_asked_for(client: Client) -> None:
    def answer(request: Any) -> tuple[int, dict[str, str], str]:
        return 200, {}, json.dumps([{"callId": request.params["dateFrom"]}])

    responses.add_callback(responses.GET, CALLS, answer)
    found = [row["callId"] for row in client.calls(dt.date(2026, 2, 28), dt.date(2026, 3, 2))]
    assert found == ["28/02/2026", "01/03/2026", "02/03/2026"]
    assert [row["callId"] for row in client.calls(DAY, DAY)] == ["04/03/2026"]


@responses.activate
def test_lead_service_has_both_headers_and_no_token_in_the_address(client: Client) -> None:
    responses.post(UPDATE, json={"data": {"orders": [{"orderNumber": "1", "updated": True}]}})
    assert client.lead("client-order/update", {"orders": [{"orderNumber": "1"}]})["orders"][0]["updated"]
    headers = asked().headers
    assert (headers["Access-Token"], headers["SiteId"]) == (SETTINGS["access_token"], "10001")
    assert headers["Content-Type"] == "application/json"
    assert "?" not in str(asked().url)


@responses.activate
def test_registering_carries_no_token_and_utf8(client: Client) -> None:
    responses.post(REGISTER, json={"requestId": 5})
    assert client.register({"fio": "Тест", "subject": "Форма"}) == {"requestId": 5}
    body = str(asked().body)
    assert "fio=%D0%A2%D0%B5%D1%81%D1%82" in body
    assert not {"access-token", "siteid"} & {name.lower() for name in asked().headers}
    assert SETTINGS["client_api_id"] not in f"{asked().url}{body}"


# --- answers that are not published ------------------------------------------------------------------------


@responses.activate
@pytest.mark.parametrize("body", ["", " ", "{}", '{"data": {}}', '{"data": null}', '{"status": "success"}', '"ok"'])
def test_a_good_answer_without_anything_in_it_is_accepted(client: Client, body: str) -> None:
    responses.post(UPDATE, body=body)
    assert not client.lead("client-order/update", {}).get("orders")


@responses.activate
@pytest.mark.parametrize("name", SURFACES)
def test_a_page_of_html_is_no_answer(client: Client, name: str) -> None:
    method, url, call = SURFACES[name]
    responses.add(method, url, body="<html><body>Технические работы</body></html>")
    with pytest.raises(Retry if name in READS else Uncertain, match="not JSON"):
        call(client)


@responses.activate
@pytest.mark.parametrize("name", READS)
@pytest.mark.parametrize("body", ["5", '"x"', "null"])
def test_a_journal_that_is_no_journal(client: Client, name: str, body: str) -> None:
    method, url, call = SURFACES[name]
    responses.add(method, url, body=body)
    with pytest.raises(Refused):
        call(client)


# --- refusals ------------------------------------------------------------------------------------------------


@responses.activate
@pytest.mark.parametrize("name", SURFACES)
@pytest.mark.parametrize(
    ("status", "error"),
    [(401, AuthFailed), (403, AuthFailed), (429, RateLimited), (404, Refused), (422, Refused), (410, Gone)],
)
@pytest.mark.parametrize("body", ["", "<html>no</html>", '{"data": {"apiErrorData": {"errorMessage": "nope"}}}'])
def test_what_a_status_means(client: Client, name: str, status: int, error: type[Exception], body: str) -> None:
    method, url, call = SURFACES[name]
    responses.add(method, url, status=status, body=body)
    with pytest.raises(error) as caught:
        call(client)
    assert type(caught.value) is error
    assert "<html>" not in str(caught.value)
    assert ("nope" in str(caught.value)) is ("nope" in body)
    assert not [one for one in ("client-api-id-of-tests", "access-token-of-tests") if one in str(caught.value)]


@responses.activate
@pytest.mark.parametrize("name", SURFACES)
@pytest.mark.parametrize("status", [500, 502, 503, 504])
def test_an_ill_vendor(client: Client, name: str, status: int) -> None:
    method, url, call = SURFACES[name]
    responses.add(method, url, status=status, body="<html>bad gateway</html>")
    with pytest.raises(Retry if name in READS else Uncertain):
        call(client)


@responses.activate
def test_the_vendor_may_name_the_time_to_wait(client: Client) -> None:
    responses.post(UPDATE, status=429, headers={"Retry-After": "17"})
    with pytest.raises(RateLimited) as caught:
        client.lead("client-order/update", {})
    assert caught.value.after == 17.0


@responses.activate
def test_a_broken_connection_is_doubtful_only_where_something_changes(client: Client) -> None:
    for method, url, call in SURFACES.values():
        responses.add(method, url, body=requests.exceptions.ConnectionError("reset"))
        with pytest.raises((Retry, Uncertain)) as caught:
            call(client)
        assert isinstance(caught.value, Uncertain if method == "POST" else Retry)


@responses.activate
def test_the_token_in_the_query_shows_nowhere(client: Client) -> None:
    url = f"{CALLS}?clientApiId={SETTINGS['client_api_id']}"
    responses.get(CALLS, status=400, json={"errorCode": 7, "message": f"bad address {url}"})
    with pytest.raises(Refused, match="bad address") as caught:
        list(client.calls(DAY, DAY))
    assert SETTINGS["client_api_id"] not in str(caught.value)
    assert caught.value.vendor_code == "7"


@responses.activate
@pytest.mark.parametrize(
    ("error", "words", "fields"),
    [
        ({"violations": [{"field": "revenue", "message": "a number"}]}, "revenue: a number", {"revenue": "a number"}),
        ({"violations": [{"message": "wrong"}]}, "wrong", {"": "wrong"}),
        ({"revenue": "a number"}, "revenue: a number", {"revenue": "a number"}),
        (["wrong"], "wrong", {"": "wrong"}),
        ("wrong", "wrong", {}),
    ],
)
@pytest.mark.parametrize("status", [400, 200])
def test_validation_errors_in_every_shape(
    client: Client, error: Any, words: str, fields: dict[str, str], status: int
) -> None:
    responses.post(UPDATE, status=status, json={"data": {"validationErrorData": error}})
    with pytest.raises(Refused, match=words) as caught:
        client.lead("client-order/update", {})
    assert caught.value.fields == fields


@responses.activate
def test_a_widgets_error_explains_itself(client: Client) -> None:
    url = f"{BASE}/widget-service/v1/api/widget-request/user-form/create"
    responses.post(url, status=400, json={"data": {"apiErrorData": {"errorCode": 10003, "errorMessage": "no widget"}}})
    with pytest.raises(Refused, match="look at the widget's key") as caught:
        client.widget("widget-request/user-form/create", {})
    assert caught.value.vendor_code == "10003"


@responses.activate
def test_a_register_that_answers_with_a_message_has_refused(client: Client) -> None:
    responses.post(REGISTER, json={"message": "subject is too long"})
    with pytest.raises(Refused, match="subject is too long"):
        client.register({})


def test_without_the_token_it_says_which_setting() -> None:
    made = connector(client_api_id="", access_token="")
    client = Client(made.http, made.settings)
    with pytest.raises(Refused, match="client_api_id"):
        client.requests(DAY, DAY)
    with pytest.raises(Refused, match="access_token"):
        client.lead("client-order/update", {})


@responses.activate
def test_an_older_node_may_be_set() -> None:
    made = connector(base_url="https://api-node13.calltouch.ru/")
    assert list(made.hosts()) == ["api-node13.calltouch.ru"]
    responses.get("https://api-node13.calltouch.ru/calls-service/RestAPI/requests", json=[])
    assert Client(made.http, made.settings).requests(DAY, DAY) == []
