"""The stand-in over real HTTP, as the vendor's documentation says: without the plugin, by the recorded requests."""

from __future__ import annotations

import http.server
import json
import threading
from collections.abc import Iterator
from typing import Any

import pytest
import requests

from plugins.unisender import signing
from plugins.unisender.sandbox import UnisenderSandbox
from plugins.unisender.sandbox.world import KEY
from tests.plugins.unisender.conftest import SAMPLES


class Ear:
    """A place that webhooks are sent to; `answers` are given in turn, the last one for good."""

    def __init__(self) -> None:
        self.heard: list[bytes] = []
        self.answers = [200]
        ear = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self._say(200)

            def do_POST(self) -> None:
                ear.heard.append(self.rfile.read(int(self.headers["Content-Length"])))
                self._say(ear.answers.pop(0) if len(ear.answers) > 1 else ear.answers[0])

            def _say(self, status: int) -> None:
                self.send_response(status)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *args: Any) -> None:
                return

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/in/letters"
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()

    def last(self) -> dict[str, Any]:
        told: dict[str, Any] = json.loads(self.heard[-1])
        return told


@pytest.fixture
def ear() -> Iterator[Ear]:
    made = Ear()
    yield made
    made.server.shutdown()
    made.server.server_close()


class Api:
    """Calls as any client makes them."""

    def __init__(self, sandbox: UnisenderSandbox, url: str) -> None:
        self.sandbox, self.url = sandbox, url

    def __call__(self, method: str, **form: Any) -> dict[str, Any]:
        answer = requests.post(f"{self.url}/ru/api/{method}?format=json", data={"api_key": KEY, **form}, timeout=10)
        assert answer.status_code == 200
        body: dict[str, Any] = answer.json()
        return body

    def go(self, method: str, body: Any, key: str = KEY, status: int = 200) -> dict[str, Any]:
        url = f"{self.url}/ru/transactional/api/v1/{method}.json"
        answer = requests.post(url, json=body, headers={"X-API-KEY": key} if key else {}, timeout=10)
        assert answer.status_code == status, answer.text
        said: dict[str, Any] = answer.json()
        return said

    def recorded(self, name: str) -> dict[str, Any]:
        """Send a recorded request with the sandbox's key."""
        head, body = (SAMPLES / "classic" / name).read_text("utf-8").split("\n\n", 1)
        path = head.split()[1]
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        data = body.strip().replace("FAKE_KEY", KEY)
        said: dict[str, Any] = requests.post(self.url + path, data=data, headers=headers, timeout=10).json()
        return said

    def tell(self, path: str, **body: Any) -> Any:
        return requests.post(f"{self.url}/_sandbox/{path}", json=body, timeout=10).json()


@pytest.fixture
def api() -> Iterator[Api]:
    sandbox = UnisenderSandbox()
    with sandbox.start() as running:
        yield Api(sandbox, running.url)


def shape(value: Any) -> Any:
    """Return what an answer looks like, without its values."""
    if isinstance(value, dict):
        return {name: shape(one) for name, one in value.items()}
    if isinstance(value, list):
        return [shape(value[0])] if value else []
    return type(value).__name__


def documented(name: str) -> Any:
    return json.loads((SAMPLES / name.partition(".")[0] / name).read_text("utf-8"))


# --- the classic door ---------------------------------------------------------------------------------


def test_recorded_requests_get_answers_of_the_recorded_shape(api: Api) -> None:
    assert shape(api.recorded("classic.subscribe.request.txt")) == shape(documented("classic.subscribe.response.json"))
    [contact] = api.sandbox.world.contacts
    assert (contact.lists, contact.tags, contact.fields) == (
        {"134": "new", "135": "new"},
        ["MyTag1", "MyTag2"],
        {"Name": "Test"},
    )
    imported = api.recorded("classic.importContacts.request.txt")["result"]
    assert imported == {"total": 2, "inserted": 1, "updated": 1, "deleted": 0, "new_emails": 1, "invalid": 0, "log": []}
    assert shape(api.recorded("classic.sendEmail.request.txt")) == shape(
        documented("classic.sendEmail.single.response.json")
    )
    exported = api.recorded("classic.async-exportContacts.request.txt")
    assert shape(exported) == shape(documented("classic.async-exportContacts.response.json"))


@pytest.mark.parametrize(
    ("method", "form", "sample"),
    [
        ("getLists", {}, "classic.getLists.response.json"),
        ("createField", {"name": "Breed", "type": "string"}, "classic.createField.response.json"),
        ("sendSms", {"phone": "79161234567", "sender": "A", "text": "x"}, "classic.sendSms.response.json"),
    ],
)
def test_answers_look_as_recorded(api: Api, method: str, form: dict[str, str], sample: str) -> None:
    assert shape(api(method, **form)) == shape(documented(sample))


def test_a_contact_looks_as_recorded(api: Api) -> None:
    api("subscribe", **{"list_ids": "134", "fields[email]": "a@example.org", "fields[Name]": "A", "double_optin": "3"})
    got = api("getContact", email="A@example.org", include_lists="1", include_fields="1")["result"]
    expected = documented("classic.getContact.response.json")["result"]
    assert set(got) == set(expected)
    assert shape(got["lists"]) == shape(expected["lists"])
    assert set(got["email"]) <= set(expected["email"])


@pytest.mark.parametrize("way", ["form", "query", "both"])
def test_the_key_comes_where_clients_put_it(api: Api, way: str) -> None:
    form = {"api_key": KEY} if way == "form" else {}
    query = {"format": "json", **({"api_key": KEY} if way == "query" else {})}
    if way == "both":
        form, query = {"format": "json"}, {"api_key": KEY}
    answer = requests.post(f"{api.url}/en/api/getLists", params=query, data=form, timeout=5)
    assert "result" in answer.json()
    got = requests.get(f"{api.url}/en/api/getLists", params={"api_key": KEY}, timeout=5)
    assert "result" in got.json()


def test_a_strange_body_is_ignored(api: Api) -> None:
    url = f"{api.url}/en/api/getLists?api_key={KEY}&format=json"
    assert "result" in requests.post(url, json={"headers": {"x": 1}}, timeout=5).json()


@pytest.mark.parametrize(
    ("method", "form", "code"),
    [
        ("getLists", {"api_key": "wrong"}, "invalid_api_key"),
        ("getNothing", {}, "unknown_method"),
        ("subscribe", {}, "invalid_arg"),
        ("subscribe", {"list_ids": "999", "fields[email]": "a@b.ru", "double_optin": "3"}, "invalid_arg"),
        ("subscribe", {"list_ids": "134", "fields[email]": "nobody", "double_optin": "3"}, "invalid_arg"),
        ("subscribe", {"list_ids": "134", "fields[email]": "a@b.ru", "double_optin": "2"}, "invalid_arg"),
        ("subscribe", {"list_ids": "135", "fields[email]": "a@b.ru", "double_optin": "0"}, "invalid_arg"),
        (
            "subscribe",
            {"list_ids": "134", "fields[email]": "a@b.ru", "fields[No]": "1", "double_optin": "3"},
            "invalid_arg",
        ),
        ("getContact", {"email": "a@b.ru"}, "invalid_arg"),
        ("unsubscribe", {"contact_type": "email", "contact": "a@b.ru"}, "invalid_arg"),
        ("async/exportContacts", {}, "invalid_arg"),
        ("createCampaign", {"message_id": "1"}, "invalid_arg"),
        ("setHook", {"hook_url": "nowhere", "events[unsubscribe]": "*"}, "invalid_arg"),
        ("setHook", {"hook_url": "http://127.0.0.1:9/", "events[unsubscribe]": "*"}, "invalid_arg"),
    ],
)
def test_errors_come_with_http_200(api: Api, method: str, form: dict[str, str], code: str) -> None:
    said = api(method, **form)
    assert set(said) == {"error", "code"}
    assert said["code"] == code


@pytest.mark.parametrize(
    ("mode", "fields", "lists", "tags"),
    [
        ("0", {"Name": "Old", "City": "Kazan", "hub_id": "5"}, {"134", "135"}, ["a", "b"]),
        ("1", {"Name": "New", "City": "Kazan"}, {"135"}, ["b"]),
        ("2", {"Name": "New", "City": "Kazan", "hub_id": "5"}, {"134", "135"}, ["b"]),
    ],
)
def test_the_three_ways_to_write_over(
    api: Api, mode: str, fields: dict[str, str], lists: set[str], tags: list[str]
) -> None:
    who = {"fields[email]": "a@b.ru", "double_optin": "3"}
    api("subscribe", **who, **{"list_ids": "134", "fields[Name]": "Old", "fields[hub_id]": "5", "tags": "a"})
    new = {"list_ids": "135", "fields[Name]": "New", "fields[City]": "Kazan", "tags": "b", "overwrite": mode}
    api("subscribe", **who, **new)
    [contact] = api.sandbox.world.contacts
    assert contact.fields == fields
    assert (set(contact.lists), contact.tags) == (lists, tags)


def test_who_has_left_stays_so(api: Api) -> None:
    who = {"list_ids": "134", "fields[email]": "a@b.ru", "double_optin": "3"}
    api("subscribe", **who)
    api("unsubscribe", contact_type="email", contact="a@b.ru", list_ids="134")
    api("subscribe", **who)
    assert api.sandbox.world.contacts[0].lists == {"134": "unsubscribed"}


def test_two_owners(api: Api) -> None:
    for name, value in (("email", "a@b.ru"), ("phone", "79161234567")):
        api("subscribe", **{"list_ids": "134", f"fields[{name}]": value, "double_optin": "3"})
    both = {"fields[email]": "a@b.ru", "fields[phone]": "+79161234567"}
    said = api("subscribe", **{"list_ids": "134", "double_optin": "3", **both})
    assert "owned by different subscribers" in said["error"]


def test_limits_by_the_minute() -> None:
    now = [1_000_000.0]
    sandbox = UnisenderSandbox(clock=lambda: now[0])
    with sandbox.start() as running:
        api = Api(sandbox, running.url)
        answers = [api("async/exportContacts", notify_url="http://a.example/") for _ in range(21)]
        assert ["code" in one for one in answers] == [False] * 20 + [True]
        assert shape(answers[-1]) == shape(documented("classic.rate-limit.error.json"))
        assert answers[-1]["code"] == "api_call_limit_exceeded_for_api_key"
        assert "result" in api("getLists")
        now[0] += 60
        assert "result" in api("async/exportContacts", notify_url="http://a.example/")


def test_letters_one_by_one(api: Api) -> None:
    form = {"sender_name": "A", "sender_email": "a@b.ru", "subject": "x", "body": "y", "list_id": "134"}
    first = api("sendEmail", email="r@b.ru", ref_key="1", **form)["result"]["email_id"]
    assert api("sendEmail", email="r@b.ru", ref_key="1", **form)["result"]["email_id"] == first
    assert "60 s" in api("sendEmail", email="r@b.ru", ref_key="2", **form)["error"]
    several = api("sendEmail", **{"email[0]": "x@b.ru", "email[1]": "bad"}, **form)["result"]
    assert [set(one) for one in several] == [{"index", "email", "id"}, {"email", "error"}]
    assert len(api.sandbox.world.letters) == 2
    checked = api("checkEmail", email_id=f"{first},5")["result"]
    assert [row["status"] for row in checked["statuses"]] == ["not_sent", "err_lost"]
    assert api("checkEmail", email_id=str(first))["result"]["status"] == "not_sent"


@pytest.mark.parametrize(
    ("kind", "code", "status"),
    [
        ("bad_key", "invalid_api_key", 401),
        ("no_rights", "access_denied", 403),
        ("rate_limit", "api_call_limit_exceeded_for_api_key", 429),
        ("retry_later", "retry_later", 500),
        ("no_money", "not_enough_money", 402),
    ],
)
def test_faults_at_both_doors(api: Api, kind: str, code: str, status: int) -> None:
    api.tell("fault", kind=kind)
    assert api("getLists")["code"] == code
    api.tell("fault", kind=kind)
    assert api.go("template/list", {}, status=status)["status"] == "error"
    assert "result" in api("getLists")


# --- the door of Go -----------------------------------------------------------------------------------


def test_gos_recorded_request(api: Api) -> None:
    said = api.go("email/send", documented("go.email-send.request.json"))
    assert shape(said) == shape(documented("go.email-send.response.json"))
    [job] = api.sandbox.world.jobs.values()
    assert job["metadata"] == {"a@example.com": {"order_id": "42"}}


def test_gos_refused_addresses(api: Api) -> None:
    message = documented("go.email-send.request.json")["message"]
    for email, reason in (("gone@b.ru", "permanent_unavailable"), ("left@b.ru", "unsubscribed")):
        api.tell("suppress", email=email, reason=reason)
    people = [{"email": email} for email in ("a@b.ru", "a@b.ru", "gone@b.ru", "LEFT@b.ru", "bad")]
    said = api.go("email/send", {"message": {**message, "recipients": people}})
    assert said["emails"] == ["a@b.ru"]
    assert said["failed_emails"] == {
        "a@b.ru": "duplicate", "gone@b.ru": "permanent_unavailable", "LEFT@b.ru": "unsubscribed", "bad": "invalid"
    }  # fmt: skip


@pytest.mark.parametrize(
    ("method", "body", "status"),
    [
        ("email/send", {}, 400),
        ("email/send", {"message": {"recipients": []}}, 400),
        ("email/send", {"message": {"recipients": [{"email": "a@b.ru"}]}}, 400),
        ("email/send", {"message": {"recipients": [{"email": "a@b.ru"}], "template_id": "none"}}, 400),
        ("email/subscribe", {}, 400),
        ("webhook/get", {"url": "http://nowhere.example"}, 404),
        ("webhook/set", {"url": "http://127.0.0.1:9/", "events": {"email_status": ["*"]}}, 400),
        ("nothing/there", {}, 404),
        ("template/list", [], 400),
    ],
)
def test_gos_errors_have_a_status(api: Api, method: str, body: Any, status: int) -> None:
    said = api.go(method, body, status=status)
    assert (set(said), said["status"]) == ({"status", "message", "code"}, "error")


def test_gos_key(api: Api) -> None:
    assert api.go("template/list", {}, key="wrong", status=401)["status"] == "error"
    assert api.go("template/list", {"api_key": KEY}, key="")["status"] == "success"


def test_gos_webhook(api: Api, ear: Ear) -> None:
    body = {**documented("go.webhook-set.request.json"), "url": ear.url}
    said = api.go("webhook/set", body)
    assert set(said["object"]) == set(documented("go.webhook-set.response.json")["object"])
    api.go("webhook/set", {**body, "max_parallel": 5})
    [only] = api.go("webhook/list", {})["objects"]
    assert (only["id"], only["max_parallel"]) == (said["object"]["id"], 5)
    api.go("webhook/delete", {"url": ear.url})
    assert api.go("webhook/list", {})["objects"] == []


# --- webhooks -----------------------------------------------------------------------------------------


def hook(api: Api, url: str, **more: str) -> None:
    events = {"events[email_status]": "*", "events[unsubscribe]": "*", "events[subscribe]": "*"}
    assert api("setHook", hook_url=url, event_format="json_post", **{**events, **more})["result"] == []


def letter(api: Api) -> str:
    form = {"sender_name": "A", "sender_email": "a@b.ru", "subject": "x", "body": "y", "list_id": "134"}
    return str(api("sendEmail", email="r@b.ru", **{"metadata[deal]": "55"}, **form)["result"]["email_id"])


def genuine(body: bytes) -> bool:
    auth = json.loads(body)["auth"]
    return signing.signature(body, auth, KEY) == auth


def test_a_webhook_looks_as_recorded(api: Api, ear: Ear) -> None:
    hook(api, ear.url)
    assert api.tell(f"letters/{letter(api)}/status", status="ok_read", url="https://a.example/")["answers"] == [200]
    told = ear.last()
    recorded = json.loads((SAMPLES / "classic" / "classic.email_status.webhook.json").read_bytes())
    assert list(told) == list(recorded)
    event, known = told["events_by_user"][0]["events"][0], recorded["events_by_user"][0]["events"][0]
    assert set(event) == set(known)
    assert set(known["event_data"]) <= set(event["event_data"])
    assert b"https:\\/\\/a.example\\/" in ear.heard[-1]
    assert genuine(ear.heard[-1])


def test_a_single_event_is_flat(api: Api, ear: Ear) -> None:
    hook(api, ear.url, single_event="1")
    api.tell(f"letters/{letter(api)}/status", status="ok_read")
    told = ear.last()
    assert {"auth", "event_name", "event_time", "email", "status", "metadata"} <= set(told)
    assert genuine(ear.heard[-1])


def test_the_filter_by_status(api: Api, ear: Ear) -> None:
    hook(api, ear.url, **{"events[email_status]": "ok_read,err_no_dns"})
    number = letter(api)
    for status in ("ok_sent", "ok_read", "err_no_dns", "ok_delivered"):
        api.tell(f"letters/{number}/status", status=status)
    assert [json.loads(one)["events_by_user"][0]["events"][0]["event_data"]["status"] for one in ear.heard] == [
        "ok_read",
        "err_no_dns",
    ]


def test_what_is_not_taken_comes_again_and_the_hook_is_stopped(api: Api, ear: Ear) -> None:
    ear.answers = [503, 500, 200]
    hook(api, ear.url)
    number = letter(api)
    assert api.tell(f"letters/{number}/status", status="ok_read")["answers"] == [503]
    assert api.tell("redeliver")["answers"] == [500]
    assert api.tell("redeliver")["answers"] == [200]
    bodies = [json.loads(one) for one in ear.heard]
    assert [one.get("retry_count") for one in bodies] == [None, 1, 2]
    assert len({one["auth"] for one in bodies}) == 3
    assert all(genuine(one) for one in ear.heard)
    ear.answers = [500]
    api.tell(f"letters/{number}/status", status="ok_delivered")
    api.tell("redeliver", hours=25)
    assert api("listHooks")["result"][0]["status"] == "stopped"
    api.tell(f"letters/{number}/status", status="ok_read")
    assert len(ear.heard) == 5
    ear.answers = [200]
    hook(api, ear.url, status="active")
    assert api("listHooks")["result"][0]["status"] == "active"
    assert len(api("listHooks")["result"]) == 1
    assert api("removeHook", hook_url=ear.url)["result"] == []


def test_the_state_can_be_read_and_reset(api: Api) -> None:
    letter(api)
    assert len(requests.get(f"{api.url}/_sandbox/state", timeout=5).json()["letters"]) == 1
    api.tell("reset")
    assert requests.get(f"{api.url}/_sandbox/state", timeout=5).json()["letters"] == {}
