"""HTTP to both APIs: how a call looks, what a refusal becomes."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qs, parse_qsl, urlsplit

import pytest
import requests
import responses

from hub.errors import AuthFailed, HubError, RateLimited, Refused, Retry, Uncertain
from hub.testing import build
from plugins.unisender import codes
from plugins.unisender.client import OtherOwner, pairs, refusal
from plugins.unisender.connector import Classic, Go
from tests.plugins.unisender.conftest import CLASSIC, CLASSIC_KEY, GO, GO_KEY, SAMPLES, read

API = "https://api.unisender.com/ru/api/"
GO_API = "https://go1.unisender.ru/ru/transactional/api/v1/"


@pytest.fixture
def net() -> Iterator[responses.RequestsMock]:
    with responses.RequestsMock() as mock:
        yield mock


def form(call: Any) -> dict[str, str]:
    return dict(parse_qsl(call.request.body, keep_blank_values=True))


# --- how a call looks -------------------------------------------------------------------------------


def test_everything_is_in_the_form_and_nothing_in_the_url(classic: Classic, net: responses.RequestsMock) -> None:
    net.post(API + "getLists", json=read("classic.getLists.response.json"))
    assert classic._client.rows("getLists") == [{"id": 134, "title": "List A"}, {"id": 135, "title": "List B"}]
    [call] = net.calls
    assert parse_qs(urlsplit(call.request.url).query) == {"format": ["json"]}
    assert form(call) == {"api_key": CLASSIC_KEY}
    assert call.request.headers["Content-Type"] == "application/x-www-form-urlencoded"


def test_the_language_and_another_address(net: responses.RequestsMock) -> None:
    selzy = build(Classic, {**CLASSIC, "base_url": "https://api.selzy.com", "language": "en"})
    net.post("https://api.selzy.com/en/api/getTags", json={"result": []})
    assert selzy._client.rows("getTags") == []
    assert list(selzy.hosts()) == ["api.selzy.com"]


@pytest.mark.parametrize(
    ("params", "expected"),
    [
        ({"fields": {"email": "a@b.c", "Name": "Test"}}, {"fields[email]": "a@b.c", "fields[Name]": "Test"}),
        (
            {"data": [["a", "1"], ["b", "2"]]},
            {"data[0][0]": "a", "data[0][1]": "1", "data[1][0]": "b", "data[1][1]": "2"},
        ),
        ({"events": {"unsubscribe": "*"}}, {"events[unsubscribe]": "*"}),
        ({"a": None, "b": True, "c": False, "d": 5, "e": ""}, {"b": "1", "c": "0", "d": "5", "e": ""}),
        ({"attachments": {"price.txt": b"\x00\xff"}}, {"attachments[price.txt]": b"\x00\xff"}),
        ({}, {}),
    ],
)
def test_nested_parameters(params: dict[str, Any], expected: dict[str, Any]) -> None:
    assert dict(pairs(params)) == expected


def test_go_sends_json_and_the_key_in_a_header(go: Go, net: responses.RequestsMock) -> None:
    net.post(GO_API + "email/send.json", json=read("go.email-send.response.json"))
    assert go._client.call("email/send", {"message": {}})["job_id"] == "1rctPx-00021H-CcC4"
    [call] = net.calls
    assert call.request.headers["X-API-KEY"] == GO_KEY
    assert json.loads(call.request.body) == {"message": {}}
    assert GO_KEY not in call.request.url


# --- refusals of the classic API --------------------------------------------------------------------

KINDS: dict[str, type[HubError]] = {
    "unspecified": Refused,
    "invalid_api_key": AuthFailed,
    "access_denied": AuthFailed,
    "unknown_method": Refused,
    "invalid_arg": Refused,
    "not_enough_money": Refused,
    "retry_later": Retry,
    "api_call_limit_exceeded_for_api_key": RateLimited,
    "api_call_limit_exceeded_for_ip": RateLimited,
    "too_many_double_optins": Refused,
    "a_code_of_tomorrow": Refused,
}


def test_each_code_is_spoken_for() -> None:
    assert set(codes.ERRORS) <= set(KINDS)


@pytest.mark.parametrize(("code", "kind"), KINDS.items())
def test_what_a_code_becomes(classic: Classic, net: responses.RequestsMock, code: str, kind: type[HubError]) -> None:
    net.post(API + "createCampaign", json={"error": "Words of theirs", "code": code})
    with pytest.raises(kind) as caught:
        classic._client.call("createCampaign", {})
    assert type(caught.value) is kind
    assert "Words of theirs" in str(caught.value)
    assert code in str(caught.value)
    assert CLASSIC_KEY not in str(caught.value)


def test_an_error_of_the_samples_is_one_though_http_says_200(classic: Classic, net: responses.RequestsMock) -> None:
    net.post(API + "subscribe", json=read("classic.invalid_api_key.error.json"), status=200)
    with pytest.raises(AuthFailed, match="Settings"):
        classic._client.call("subscribe", {})


@pytest.mark.parametrize(
    ("method", "scope"), [("sendEmail", "sendEmail"), ("subscribe", "subscribe"), ("getLists", ""), ("createList", "")]
)
def test_a_limit_pauses_the_method_or_all(
    classic: Classic, net: responses.RequestsMock, method: str, scope: str
) -> None:
    net.post(API + method, json=read("classic.rate-limit.error.json"))
    with pytest.raises(RateLimited) as caught:
        classic._client.call(method, {})
    assert (caught.value.after, caught.value.scope) == (60.0, scope)


def test_the_error_id_is_kept_for_the_vendors_support_and_out_of_the_way() -> None:
    error = refusal("setHook", read("classic.setHook.invalid-url.error.json")["error"], "invalid_arg", True)
    assert str(error).startswith("setHook: 'hook_url' - This value is not a valid URL.")
    assert "(error id 00000000-0000-0000-0000-000000000000)" in str(error)
    assert isinstance(error, Refused)
    assert error.fields == {"hook_url": "'hook_url' - This value is not a valid URL."}
    assert error.vendor_code == "invalid_arg"


def test_two_owners_are_told_apart() -> None:
    text = "Contacts a@b.c and 79160000000 already exist but owned by different subscribers"
    assert isinstance(refusal("subscribe", text, "invalid_arg", True), OtherOwner)


@pytest.mark.parametrize(
    ("body", "changes", "kind"),
    [
        ({"neither": 1}, True, Uncertain),
        ({"neither": 1}, False, Retry),
        ([], True, Uncertain),
        ("text", False, Retry),
        ({"error": {"nested": "words"}, "code": 5}, True, Refused),
        ({"error": "words"}, True, Refused),
        ({"error": "words", "code": None}, True, Refused),
    ],
)
def test_strange_answers(
    classic: Classic, net: responses.RequestsMock, body: Any, changes: bool, kind: type[HubError]
) -> None:
    net.post(API + "subscribe", json=body)
    with pytest.raises(kind):
        classic._client.call("subscribe", {}, changes=changes)


@pytest.mark.parametrize(
    ("status", "kind"),
    [(500, Uncertain), (502, Uncertain), (429, RateLimited), (301, Refused), (404, Refused), (401, AuthFailed)],
)
def test_http_alone(classic: Classic, net: responses.RequestsMock, status: int, kind: type[HubError]) -> None:
    net.post(API + "subscribe", body="<html>no</html>" if status != 404 else '{"a": 1}', status=status)
    with pytest.raises(kind):
        classic._client.call("subscribe", {})


@pytest.mark.parametrize(
    ("method", "kind"),
    [("sendSms", Uncertain), ("importContacts", Uncertain), ("getLists", Retry), ("exportContacts", Retry),
     ("checkEmail", Retry), ("listHooks", Retry), ("isContactInLists", Retry), ("async/getTaskResult", Retry)],
)  # fmt: skip
def test_a_broken_line(classic: Classic, net: responses.RequestsMock, method: str, kind: type[HubError]) -> None:
    net.post(API + method, body=requests.ConnectionError("broken"))
    with pytest.raises(kind):
        classic._client.call(method, {})


# --- refusals of Go -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, Refused),
        (401, AuthFailed),
        (403, AuthFailed),
        (404, Refused),
        (413, Refused),
        (429, RateLimited),
        (500, Retry),
    ],
)
def test_what_a_status_of_go_becomes(go: Go, net: responses.RequestsMock, status: int, kind: type[HubError]) -> None:
    net.post(GO_API + "email/send.json", json=read("go.any.error.json"), status=status)
    with pytest.raises(kind) as caught:
        go._client.call("email/send", {})
    assert type(caught.value) is kind
    assert "PLACEHOLDER english text" in str(caught.value)
    assert "[999]" in str(caught.value)


def test_go_names_its_pause(go: Go, net: responses.RequestsMock) -> None:
    net.post(GO_API + "email/send.json", json=read("go.any.error.json"), status=429, headers={"Retry-After": "33"})
    with pytest.raises(RateLimited) as caught:
        go._client.call("email/send", {})
    assert caught.value.after == 33.0


@pytest.mark.parametrize(
    ("body", "status", "kind"),
    [
        ("<html>bad gateway</html>", 502, Uncertain),
        ("", 200, Uncertain),
        ("[]", 200, Uncertain),
        ('{"status": "error"}', 200, Uncertain),
        ("<html>not here</html>", 404, Refused),
    ],
)
def test_an_answer_that_is_not_gos(
    go: Go, net: responses.RequestsMock, body: str, status: int, kind: type[HubError]
) -> None:
    """A letter may have gone out: nobody says it has not."""
    net.post(GO_API + "email/send.json", body=body, status=status)
    with pytest.raises(kind):
        go._client.call("email/send", {})


def test_the_samples_are_kept_whole() -> None:
    names = {path.name for path in SAMPLES.rglob("*") if path.is_file()}
    assert len([name for name in names if name.startswith(("classic.", "go."))]) == 31


# --- settings -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"product": "both"}, "classic"),
        ({"lists": {"guests": "List A"}}, "no list id"),
        ({"poll": "1m"}, "five minutes"),
        ({"poll": "soon"}, "no. a duration|not a duration"),
        ({"timezone": "Moscow"}, "no time zone"),
        ({"secret": "short"}, "8 or more"),
        ({"secret": "with/slash/in/it"}, "8 or more"),
        ({"from_email": "nobody"}, "valid email"),
    ],
)
def test_settings_say_what_is_wrong(change: dict[str, Any], words: str) -> None:
    with pytest.raises(Exception, match=words):
        build(Classic, {**CLASSIC, **change})


@pytest.mark.parametrize("name", ["lists", "sms_sender", "timezone"])
def test_what_go_does_not_have(name: str) -> None:
    value: Any = {"lists": {"a": "1"}, "timezone": "UTC"}.get(name, "x")
    with pytest.raises(Exception, match="belongs to product: classic"):
        build(Go, {**GO, name: value})
    with pytest.raises(Exception, match="belongs to product: classic"):
        build(Go, {**GO, name: value, "from_email": "nobody"})  # told beside the other problems


def test_connections_with_one_key_share_a_limit(classic: Classic, go: Go) -> None:
    other = build(Classic, {**CLASSIC, "per_second": "2"}, name="other")
    assert classic.limits().key == other.limits().key != go.limits().key
    assert CLASSIC_KEY not in classic.limits().key
    assert (classic.limits().per_second, other.limits().per_second, go.limits().per_second) == (5, 2, 10)
