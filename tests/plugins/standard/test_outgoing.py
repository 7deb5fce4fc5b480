"""Calls that go out: the request, the address, the answer and the refusal are right."""

import datetime as dt
import re
from urllib.parse import parse_qs

import pytest
import requests
import responses
from responses import matchers

from hub.errors import AuthFailed, Gone, RateLimited, Refused, Retry, Uncertain
from hub.model import Action, Event
from hub.testing import build
from plugins.standard.connector import HttpConnector, StandardConnector
from plugins.standard.sandbox import SECRET, StandardSandbox
from tests.stands import arm

BASE = "https://api.example.com/v1"
TOKEN = "Bearer tok-en-tok-en"
EVENT = Event(
    "deal.updated", "deal:5", "k5", occurred_at=dt.datetime(2026, 3, 4, 10, 0, tzinfo=dt.UTC), connection="crm"
)


def http(**settings):
    return build(HttpConnector, {"base_url": BASE, "headers": {"Authorization": TOKEN}, **settings}, name="courier")


def act(name, **values):
    record, verb = name.split(".")
    return Action(name, record, verb, values, marker="hub1-abc", event=EVENT)


@pytest.fixture
def api():
    with responses.RequestsMock() as mock:
        yield mock


# --- the request ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("verb", ["get", "post", "put", "patch", "delete"])
def test_path_query_headers_and_json(api, verb):
    api.add(
        verb.upper(),
        f"{BASE}/shipments",
        json={"id": 7, "tracking": "T1"},
        match=[
            matchers.query_param_matcher({"lang": "es"}),
            matchers.header_matcher({"Authorization": TOKEN, "X-Shop": "1", "Content-Type": "application/json"}),
            matchers.json_params_matcher({"ref": "5", "sum": "9.50", "ok": True}),
        ],
    )
    done = http().perform(
        act(
            f"http.{verb}",
            path="/shipments",
            query={"lang": "es", "none": None},
            headers={"X-Shop": "1"},
            json={"ref": "5", "sum": "9.50", "ok": True},
        )
    )
    assert (done.result["status"], done.result["json"], done.result["id"]) == (200, {"id": 7, "tracking": "T1"}, "7")
    assert done.result["text"] == '{"id": 7, "tracking": "T1"}'


def test_form_and_text(api):
    api.post(f"{BASE}/a")
    http().perform(act("http.post", path="a", form={"name": "Олена", "x": 1}))
    api.post(f"{BASE}/b")
    http().perform(act("http.post", path="b", text="привіт", headers={"Content-Type": "text/csv"}))
    assert parse_qs(api.calls[0].request.body.decode()) == {"name": ["Олена"], "x": ["1"]}
    sent = api.calls[1].request
    assert (sent.body.decode(), sent.headers["Content-Type"]) == ("привіт", "text/csv")


def test_csv_is_an_uploaded_file(api):
    """As Yandex Metrika takes its offline conversions."""
    api.post(f"{BASE}/upload")
    rows = [{"Yclid": "1", "Price": "10.50"}, {"Yclid": "2", "Target": 'a "b", c', "Price": None}]
    http().perform(act("http.post", path="/upload", csv=rows))
    sent = api.calls[0].request
    assert sent.headers["Content-Type"].startswith("multipart/form-data; boundary=")
    assert b'name="file"; filename="rows.csv"' in sent.body
    assert b'Yclid,Price,Target\n1,10.50,\n2,,"a ""b"", c"\n' in sent.body


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"path": "/a", "url": "https://x.example"}, "not both"),
        ({"path": "/a", "json": {}, "text": "x"}, "one body"),
        ({"path": "/../admin"}, "leads out"),
        ({"path": "/a/%2e%2e/%2e%2e/admin"}, "leads out"),
        ({"path": "/a b"}, "leads out"),
        ({"path": "/a\r\nHost: evil"}, "leads out"),
        ({"path": "/a\\..\\b"}, "leads out"),
        ({"path": "/a", "headers": {"X-A": "1\r\nX-B: 2"}}, "no header may"),
        ({"path": "/a", "headers": {"X A": "1"}}, "no header may"),
        ({"path": "/a", "headers": "x"}, "mapping"),
        ({"path": "/a", "query": "x"}, "mapping"),
        ({"path": "/a", "form": ["x"]}, "mapping"),
        ({"path": "/a", "csv": ["x"]}, "rows"),
        ({"path": "/a", "csv": []}, "rows"),
        ({"url": "https://x.example/", "headers": {"X-Auth-Token": "t"}}, "isn't under base_url"),
        ({"url": "gopher://x.example/"}, "not an address"),
    ],
)
def test_what_cannot_be_called_is_refused_before_it_is_sent(values, words):
    with pytest.raises(Refused, match=words):
        http().perform(act("http.post", **values))


# --- the address ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("url", "own"),
    [
        (f"{BASE}/x", True),
        (BASE, True),
        ("https://API.example.com/v1/x", True),
        ("https://api.example.com/v2/x", False),
        ("https://api.example.com/v10", False),
        ("https://api.example.com/v1/../admin", False),
        ("https://api.example.com.evil.example/v1/x", False),
        ("https://evil.example/v1/x", False),
        ("http://api.example.com/v1/x", False),
        ("https://api.example.com:8443/v1/x", False),
        ("https://evil@api.example.com/v1/x", False),
        ("https://api.example.com@evil.example/v1", False),
    ],
)
def test_credentials_go_to_base_url_alone(api, url, own):
    api.add(responses.POST, re.compile(".*"))
    http().perform(act("http.post", url=url, json={}))
    assert api.calls[0].request.headers.get("Authorization") == (TOKEN if own else None)


def test_an_address_from_a_message_leads_to_no_private_machine():
    with StandardSandbox().start() as sink, pytest.raises(Refused, match="not a public one"):
        http().perform(act("http.post", url=f"{sink.url}/metadata"))
    assert sink.sandbox.data["received"] == []


# --- the refusal ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "verb", "settings", "error"),
    [
        (400, "post", {}, Refused),
        (401, "post", {}, AuthFailed),
        (403, "post", {}, Refused),
        (404, "get", {}, Gone),
        (410, "post", {}, Gone),
        (404, "get", {"gone_on": "410"}, Refused),
        (409, "post", {}, Refused),
        (409, "post", {"retry_on": ["409", "500-599"]}, Retry),
        (302, "get", {}, Refused),
        (429, "post", {}, RateLimited),
        (500, "get", {}, Retry),
        (500, "put", {}, Retry),
        (500, "post", {}, Uncertain),
        (500, "patch", {}, Uncertain),
        (500, "post", {"retry_on": ["500-599"]}, Retry),
        (500, "post", {"idempotency_header": "Idempotency-Key"}, Retry),
    ],
)
def test_answers_and_what_to_do_next(api, status, verb, settings, error):
    api.add(verb.upper(), f"{BASE}/a", status=status, body="no")
    with pytest.raises(error) as caught:
        http(**settings).perform(act(f"http.{verb}", path="a"))
    assert type(caught.value) is error
    assert str(status) in caught.value.reason
    assert TOKEN not in caught.value.reason


def test_ok_on(api):
    api.post(f"{BASE}/a", status=409, body="there already")
    assert http(ok_on=["409"]).perform(act("http.post", path="a")).result["text"] == "there already"


def test_slower(api):
    api.post(f"{BASE}/a", status=429, headers={"Retry-After": "17"})
    with pytest.raises(RateLimited) as caught:
        http().perform(act("http.post", path="a"))
    assert caught.value.after == 17


def test_a_strangers_401_holds_no_connection(api):
    api.post("https://evil.example/", status=401)
    with pytest.raises(Refused):
        http().perform(act("http.post", url="https://evil.example/"))


@pytest.mark.parametrize(("verb", "error"), [("get", Retry), ("put", Retry), ("post", Uncertain)])
def test_a_lost_answer(api, verb, error):
    api.add(verb.upper(), f"{BASE}/a", body=requests.exceptions.ConnectionError("reset"))
    with pytest.raises(error):
        http().perform(act(f"http.{verb}", path="a"))


def test_broken_json_is_text(api):
    api.get(f"{BASE}/a", body='{"a": ')
    assert http().perform(act("http.get", path="a")).result == {"status": 200, "json": None, "text": '{"a": '}


def test_a_key_against_doubles(api):
    courier = http(idempotency_header="Idempotency-Key")
    assert courier.action("http.post").idempotent
    assert not http().action("http.post").idempotent
    api.post(f"{BASE}/a", match=[matchers.header_matcher({"Idempotency-Key": "hub1-abc"})])
    courier.perform(act("http.post", path="a"))


# --- check ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("status", "level"), [(200, "ok"), (401, "problem"), (404, "problem"), (503, "warning")])
def test_check(api, status, level):
    api.get(f"{BASE}/me", status=status)
    [finding] = http(check_path="/me").check()
    assert finding.level == level
    assert TOKEN not in finding.text


def test_no_check_without_a_path():
    assert http().check() == []


@pytest.mark.parametrize(
    ("status", "level", "words"),
    [
        (200, "ok", "answers"), (405, "ok", "405"), (401, "ok", "401"),
        (404, "warning", "404"), (410, "warning", "410"), (503, "warning", "503"), (301, "problem", "another address"),
    ],
)  # fmt: skip
def test_check_of_a_partner_sends_no_message(api, status, level, words):
    api.get(BASE, status=status, headers={"Location": "https://api.example.com/v2"} if status == 301 else {})
    secrets, finding = build(StandardConnector, {"secrets": [SECRET], "base_url": BASE}).check()
    assert (finding.level, bool(finding.remedy)) == (level, level != "ok")
    assert words in finding.text
    assert secrets.level == "ok"
    assert "Webhook-Signature" not in api.calls[0].request.headers


def test_check_of_a_partner_who_is_not_there():
    with StandardSandbox().start() as sink:
        url = sink.url
    [_, finding] = build(StandardConnector, {"secrets": [SECRET], "base_url": url}).check()
    assert (finding.level, finding.remedy) == ("problem", "is the address right, the partner up?")


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"secrets": ["whsec_c2hvcnQ="]}, "secret 1 of 1 has 5 bytes, 24 are the least"),
        ({"secrets": [SECRET, "short"]}, "secret 2 of 2 has 5 bytes"),
        ({"secrets": ["123456"], "auth": "url"}, "secret 1 of 1 has 6 characters, 16 are the least"),
        ({"secrets": ["123456"], "auth": "header", "header": "X-Key"}, "has 6 characters"),
        ({"secrets": [SECRET, SECRET]}, "given twice"),
    ],
)
def test_check_of_secrets_tells_them_by_their_place(settings, words):
    [finding] = build(StandardConnector, settings).check()
    assert (finding.level, words in finding.text, bool(finding.remedy)) == ("warning", True, True)
    assert not [secret for secret in settings["secrets"] if secret in f"{finding.text} {finding.remedy}"]


def test_check_without_an_address_asks_nobody(api):
    [finding] = build(StandardConnector, {"secrets": [SECRET], "auth": "url"}).check()
    assert finding.level == "ok"


def test_limits():
    limits = http(limits={"per_second": "200", "parallel": "4", "timeout": "60"}).limits()
    assert (limits.per_second, limits.burst, limits.parallel, limits.timeout) == (200.0, 200, 4, 60.0)


# --- Standard Webhooks, against a receiver that checks with the standard's library ------------------------------------


@pytest.fixture
def sink():
    with StandardSandbox().start() as running:
        yield running


def partner(sink, **settings):
    return build(StandardConnector, {"secrets": [SECRET], "base_url": f"{sink.url}/hooks", **settings})


def test_an_event_is_sent_signed(sink):
    done = partner(sink).perform(act("event.send", type="deal.updated", data={"id": "5", "name": "Олена"}))
    [got] = sink.sandbox.data["received"]
    assert got["signature"] == "valid"
    assert got["headers"]["Webhook-Id"] == "hub1-abc"
    assert got["path"] == "/hooks"
    assert '"timestamp":"2026-03-04T10:00:00+00:00"' in got["body"]
    assert done.result["json"] == {"ok": True}


def test_a_second_sending_has_the_same_id(sink):
    for _ in range(2):
        partner(sink).perform(act("event.send", type="deal.updated", data={}))
    assert sink.sandbox.data["repeats"] == 1
    assert {got["signature"] for got in sink.sandbox.data["received"]} == {"valid"}


@pytest.mark.parametrize(
    "values", [{"json": {"a": "ж"}}, {"form": {"a": "ж"}}, {"text": "ж"}, {"csv": [{"a": "ж"}]}, {}]
)
def test_any_call_is_signed(sink, values):
    partner(sink).perform(act("http.post", path="/verdict", **values))
    [got] = sink.sandbox.data["received"]
    assert (got["signature"], got["path"]) == ("valid", "/hooks/verdict")


def test_another_secret_is_noticed(sink):
    partner(sink, secrets=["whsec_b3RoZXItc2VjcmV0LW90aGVyLXNlY3JldA=="]).perform(act("event.send", type="x"))
    assert sink.sandbox.data["received"][0]["signature"] == "No matching signature found"


def test_the_receiver_is_ill_and_well_again(sink):
    requests.post(f"{sink.url}/_sandbox/answer", json={"status": 500, "json": {}, "times": 1}, timeout=5)
    with pytest.raises(Retry):
        partner(sink).perform(act("event.send", type="x"))
    assert partner(sink).perform(act("event.send", type="x")).result["status"] == 200


@pytest.mark.parametrize(
    ("kind", "event", "post"),
    [("outage", Retry, Uncertain), ("lost_reply", Retry, Uncertain), ("503", Retry, Uncertain)],
)
def test_a_bad_day_of_the_receiver(sink, kind, event, post):
    """What is signed has an id that stays the same, so it is sent again; a plain POST in doubt is not."""
    for connector, name, error in (
        (partner(sink), "event.send", Retry),
        (build(HttpConnector, {"base_url": f"{sink.url}/hooks"}), "http.post", Uncertain),
    ):
        arm(sink.url, kind)
        values = {"type": "x"} if name == "event.send" else {"path": "/a", "json": {}}
        with pytest.raises(error) as caught:
            connector.perform(act(name, **values))
        assert type(caught.value) is error
    assert len(sink.sandbox.data["received"]) == (2 if kind == "lost_reply" else 0)
    partner(sink).perform(act("event.send", type="x"))
    assert sink.sandbox.data["repeats"] == (1 if kind == "lost_reply" else 0)


def test_no_address_at_all():
    with pytest.raises(Refused, match="no address"):
        build(StandardConnector, {"secrets": [SECRET]}).perform(act("event.send", type="x"))


def test_an_address_of_its_own_is_signed_and_public(api):
    api.post("https://callback.example.com/v")
    build(StandardConnector, {"secrets": [SECRET]}).perform(
        act("http.post", url="https://callback.example.com/v", json={"verdict": "accepted"})
    )
    assert api.calls[0].request.headers["Webhook-Signature"].startswith("v1,")


def test_without_a_marker_the_event_names_the_message(sink):
    action = act("event.send", type="x")
    action.marker = ""
    partner(sink).perform(action)
    assert sink.sandbox.data["received"][0]["headers"]["Webhook-Id"] == "event.send:crm:k5"
