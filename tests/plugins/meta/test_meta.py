"""The parts that Meta's products share: signature, handshake, error table, usage headers, kept tokens."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

import orjson
import pytest
import responses

from hub.errors import AuthFailed, Gone, HubError, RateLimited, Refused, Rejected, Retry, Uncertain
from hub.model import Request
from hub.session import Session
from hub.testing import MemoryVault
from plugins.meta import codes, signature, usage
from plugins.meta.graph import Graph
from plugins.meta.refusals import TokenDead, is_window, refusal
from plugins.meta.tokens import Shelf
from plugins.meta.usage import Meter

SAMPLES = Path(__file__).parents[1] / "instagram" / "samples"
SECRET = "fake_app_secret_0123456789abcdef"
URL = "https://graph.example/v26.0/me"


# --- signature ----------------------------------------------------------------------------------------------------


def vector() -> tuple[bytes, str]:
    body = (SAMPLES / "signed-messages-cyrillic.body.txt").read_bytes()
    head = (SAMPLES / "signed-messages-cyrillic.headers.txt").read_text()
    given = next(line for line in head.splitlines() if line.startswith("X-Hub-Signature-256"))
    return body, given.partition(": ")[2]


def test_the_signature_is_over_the_bytes_as_they_came() -> None:
    body, given = vector()
    signature.verify(Request("POST", "/in/x", headers={signature.HEADER: given}, body=body), ["another", SECRET])
    again = orjson.dumps(orjson.loads(body))
    with pytest.raises(Rejected) as caught:
        signature.verify(Request("POST", "/in/x", headers={signature.HEADER: given}, body=again), [SECRET])
    assert caught.value.status == 401


@pytest.mark.parametrize("secrets", [[], [""], ["", "wrong"]])
def test_no_secret_lets_nothing_in(secrets: list[str]) -> None:
    body, given = vector()
    with pytest.raises(Rejected):
        signature.verify(Request("POST", "/in/x", headers={signature.HEADER: given}, body=body), secrets)


def ask(**query: str) -> Request:
    return Request("GET", "/in/x", tuple((f"hub.{name}", value) for name, value in query.items()))


def test_the_handshake_gives_the_challenge_back_as_plain_text() -> None:
    reply = signature.handshake(ask(mode="subscribe", challenge="1158201444", verify_token="ours-ours"), "ours-ours")
    assert reply is not None
    assert (reply.status, reply.body, reply.content_type) == (200, "1158201444", "text/plain; charset=utf-8")
    assert reply.headers["X-Content-Type-Options"] == "nosniff"


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ({"mode": "subscribe", "challenge": "1", "verify_token": "wrong"}, 403),
        ({"mode": "subscribe", "challenge": "1"}, 403),
        ({"mode": "subscribe", "challenge": "<script>", "verify_token": "ours-ours"}, 400),
        ({"mode": "subscribe", "verify_token": "ours-ours"}, 400),
        ({"mode": "unsubscribe", "challenge": "1", "verify_token": "ours-ours"}, 400),
    ],
)
def test_a_handshake_that_is_not_ours(query: dict[str, str], status: int) -> None:
    with pytest.raises(Rejected) as caught:
        signature.handshake(ask(**query), "ours-ours")
    assert caught.value.status == status


def test_other_requests_are_no_handshake() -> None:
    assert signature.handshake(Request("GET", "/in/x"), "ours-ours") is None
    assert signature.handshake(Request("POST", "/in/x", (("hub.mode", "subscribe"),)), "ours-ours") is None
    with pytest.raises(Rejected):
        signature.handshake(ask(mode="subscribe", challenge="1", verify_token=""), "")


# --- errors -------------------------------------------------------------------------------------------------------


def told(code: int, subcode: int | None = None, **more: Any) -> dict[str, Any]:
    error = {"message": "as they say", "code": code, "fbtrace_id": "Atrace", **more}
    return {"error": {**error, **({"error_subcode": subcode} if subcode else {})}}


EXPECTED: dict[codes.Treatment, tuple[type[HubError], type[HubError]]] = {
    "again": (Uncertain, Retry), "before": (Retry, Retry), "slower": (RateLimited, RateLimited),
    "token": (TokenDead, TokenDead), "stop": (AuthFailed, AuthFailed), "permission": (Refused, Refused),
    "window": (Refused, Refused), "person": (Refused, Refused), "refused": (Refused, Refused), "gone": (Gone, Gone),
}  # fmt: skip


@pytest.mark.parametrize(("code", "subcode"), codes.ERRORS)
def test_every_code_becomes_what_its_treatment_says(code: int, subcode: int | None) -> None:
    known = codes.ERRORS[(code, subcode)]
    for changes, expected in zip((True, False), EXPECTED[known.treatment], strict=True):
        error = refusal(400, told(code, subcode), "POST me/messages", changes=changes)
        assert type(error) is expected
        assert known.words in error.reason
        assert "as they say" in error.reason
        assert "fbtrace_id Atrace" in error.reason
    assert is_window(refusal(400, told(code, subcode), "x")) is (known.treatment == "window")


@pytest.mark.parametrize(
    ("status", "body", "changes", "expected"),
    [
        (400, told(10, 999), True, Refused),  # an unknown subcode: what the code alone means
        (400, told(299), True, Refused),
        (400, told(98765), True, Refused),
        (400, told(98765, is_transient=True), True, Uncertain),
        (400, told(98765, is_transient=True), False, Retry),
        (400, told(10, 2534025), True, Refused),
        (500, told(98765), True, Uncertain),
        (500, {}, False, Retry),
        (429, {}, True, RateLimited),
        (401, {}, True, TokenDead),
        (400, {"error": "invalid_grant", "error_description": "no"}, True, Refused),
        (400, {"error": {"message": None, "code": "190"}}, True, TokenDead),
        (400, {"error": {"code": {"a": 1}}}, True, Refused),
    ],
)
def test_what_stands_in_no_table(status: int, body: Any, changes: bool, expected: type[HubError]) -> None:
    assert type(refusal(status, body, "x", changes=changes)) is expected


@pytest.mark.parametrize(
    ("sample", "expected", "words"),
    [
        ("window-closed", Refused, "use another channel"),
        ("rate-limit-buc", RateLimited, "share of calls is used up"),
        ("token-expired", TokenDead, "the token has expired"),
        ("token-code-exchange", Refused, "Matching code was not found"),
    ],
)
def test_recorded_errors(sample: str, expected: type[HubError], words: str) -> None:
    error = refusal(400, orjson.loads((SAMPLES / f"{sample}.error.json").read_bytes()), "x")
    assert type(error) is expected
    assert words in error.reason


# --- usage --------------------------------------------------------------------------------------------------------


def headers() -> dict[str, str]:
    lines = (SAMPLES / "usage-headers.response.txt").read_text().splitlines()
    return {line.partition(":")[0].strip(): line.partition(":")[2].strip() for line in lines if ":" in line}


def test_the_headers_are_read() -> None:
    app, case = usage.read(headers())
    assert (app.whose, app.percent) == ("app", 28)
    assert (case.whose, case.kind, case.percent, case.minutes) == ("17841400000000001", "instagram", 100, 19)
    assert usage.seconds_to_wait(headers()) == 19 * 60


@pytest.mark.parametrize(
    "given",
    [{}, {"x-app-usage": "nonsense"}, {"x-app-usage": "[]"}, {"x-business-use-case-usage": '{"1": [5, {"type": []}]}'}],
)
def test_broken_headers_say_nothing(given: dict[str, str]) -> None:
    assert usage.seconds_to_wait(given) is None
    Meter().note(given)


def test_a_full_share_waits_as_long_as_it_was_told() -> None:
    now = [0.0]
    meter = Meter(lambda: now[0])
    meter.note(headers())
    with pytest.raises(RateLimited, match="100 % used up") as caught:
        meter.mind()
    assert caught.value.after == 19 * 60
    now[0] = 19 * 60 + 1.0
    meter.mind()


def test_advertising_has_a_share_of_its_own() -> None:
    meter = Meter()
    meter.note({"x-business-use-case-usage": '{"1": [{"type": "ads_management", "call_count": 100}]}'})
    meter.mind()


# --- calls --------------------------------------------------------------------------------------------------------


def graph() -> Graph:
    session = Session("x", hosts=["graph.example"])
    return Graph(lambda: session, "https://graph.example/", "v26.0", Meter())


@responses.activate
def test_the_token_travels_in_the_header_alone() -> None:
    responses.get(URL, json={"id": "1"})
    assert graph().get("/me", lambda: "SECRET-TOKEN", fields="id", left_out=None) == {"id": "1"}
    sent = responses.calls[0].request
    assert sent.url == f"{URL}?fields=id"
    assert sent.headers["Authorization"] == "Bearer SECRET-TOKEN"


@responses.activate
@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ({"body": "<html>Sorry</html>", "status": 200}, Uncertain),
        ({"body": "<html>Sorry</html>", "status": 502}, Uncertain),
        ({"body": '"fine"', "status": 200}, Uncertain),
        ({"json": {"error": {"code": 100, "message": "no"}}, "status": 200}, Refused),
        ({"body": "", "status": 302, "headers": {"Location": "https://elsewhere.example"}}, Refused),
    ],
)
def test_odd_answers_to_a_write(answer: dict[str, Any], expected: type[HubError]) -> None:
    responses.post(URL, **answer)
    with pytest.raises(expected):
        graph().call("POST", "me", lambda: "t", json={})


@responses.activate
def test_a_dead_token_is_tried_once_more_if_a_newer_one_has_come() -> None:
    responses.get(URL, json=told(190, 463), status=400)
    responses.get(URL, json={"id": "1"})
    tokens = iter(["old", "new"])
    assert graph().get("me", lambda: next(tokens)) == {"id": "1"}
    responses.get(URL, json=told(190, 463), status=400)
    with pytest.raises(TokenDead):
        graph().get("me", lambda: "same")


# --- kept tokens --------------------------------------------------------------------------------------------------


def test_what_is_kept_belongs_to_the_token_it_was_made_of() -> None:
    vault = MemoryVault()
    shelf = Shelf(lambda: cast(Any, vault))
    assert shelf.held("1", "given") is None
    assert shelf.renew("1", "given", lambda held: {"token": "renewed"})["token"] == "renewed"
    shelf.renew("2", "", lambda held: {"token": "other"})
    held = shelf.held("1", "given")
    assert held is not None
    assert held["token"] == "renewed"
    assert shelf.held("1", "a new one in hub.yaml") is None
    assert (shelf.held("2", "") or {})["token"] == "other"
    assert "given" not in str(vault.read())


def test_a_failed_renewal_keeps_what_there_was() -> None:
    shelf = Shelf(lambda: cast(Any, vault))
    vault = MemoryVault()
    shelf.keep("1", "", {"token": "good"})

    def fails(held: Any) -> Any:
        raise Retry("not now")

    with pytest.raises(Retry):
        shelf.renew("1", "", fails)
    assert (shelf.held("1", "") or {})["token"] == "good"


def test_the_renewal_sees_what_is_kept() -> None:
    vault = MemoryVault()
    shelf = Shelf(lambda: cast(Any, vault))
    shelf.keep("1", "", {"token": "first"})
    seen: list[Any] = []
    shelf.renew("1", "", lambda held: seen.append(held) or {"token": "second"})  # type: ignore[func-returns-value]
    assert seen[0]["token"] == "first"
    assert (shelf.held("1", "") or {})["token"] == "second"
