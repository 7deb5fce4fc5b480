"""Consent: it begins with a state of ours, ends with it, and fails without secrets."""

from __future__ import annotations

import time

import pytest
from flask.testing import FlaskClient

from hub.errors import AuthFailed, Rejected, Retry
from hub.model import Request
from hub.web import make_state
from tests.hub.fakes import Box
from tests.hub.wild import Wild, receipts


def test_consent_begins_with_a_state_and_ends_with_it(box: Box, web: FlaskClient) -> None:
    start = web.get("/oauth/wild")
    assert start.status_code == 302
    target = start.headers["Location"]
    assert target.startswith("https://vendor.example/authorize?state=")
    assert target.endswith("&to=https://hub.example/oauth/wild")
    state = target.partition("state=")[2].partition("&")[0]
    assert web.get(f"/oauth/wild?code=1&state={state}").text == "thank you"


def test_a_forged_an_old_and_anothers_state_are_turned_away(box: Box, web: FlaskClient) -> None:
    Wild.acts["consent"] = lambda _: pytest.fail("the plugin was asked")  # type: ignore[dict-item, return-value]
    now = int(time.time())
    good = make_state(box.runtime, "wild")
    bad = [
        "", "x", f"{now}.{'0' * 32}", good[:-1], good + "0", make_state(box.runtime, "wild", now - 901),
        make_state(box.runtime, "wild", now + 600), make_state(box.runtime, "wild2"), f"{now + 1}{good[10:]}",
        "١٢٣.x", f"-{good}", f"{'9' * 400}.x", "\x00", good.replace(".", ".."),
    ]  # fmt: skip
    for given in bad:
        answer = web.get("/oauth/wild", query_string={"code": "1", "state": given})
        assert (answer.status_code, "begin again" in answer.text) == (403, True), given
        answer = web.post("/oauth/wild", query_string={"code": "1", "state": given}, data=b"")
        assert answer.status_code == 403, "a cross-site form in the admin's browser posts, too"
    assert web.get("/oauth/wild", query_string={"error": "access_denied"}).status_code == 403


@pytest.mark.parametrize(
    ("error", "status"),
    [(Rejected(403, "no: s3cret-word"), 403), (AuthFailed("invalid_client s3cret-word"), 502),
     (Retry("GET https://v/?client_secret=abc failed"), 502), (ValueError("s3cret-word"), 400), (KeyError("abc"), 400)],
)  # fmt: skip
def test_a_consent_that_fails_says_so_without_secrets(
    box: Box, web: FlaskClient, error: Exception, status: int
) -> None:
    def fail(_: Request) -> None:
        raise error

    Wild.acts["consent"] = fail
    for answer in (
        web.post("/oauth/wild", data=b"x"),
        web.get("/oauth/wild", query_string={"code": "1", "state": make_state(box.runtime, "wild")}),
    ):
        assert answer.status_code == status
        assert "s3cret" not in answer.text and "abc" not in answer.text


def test_consent_is_for_connections_that_have_one(box: Box, web: FlaskClient) -> None:
    assert web.get("/oauth/nobody").status_code == 404
    assert web.get("/oauth/site").status_code == 404
    assert web.post("/oauth/site", data=b"x").status_code == 404
    assert web.get("/oauth/nobody?x=1").status_code == 404
    assert web.post("/oauth/wild", data=b"x" * 1_000_001).status_code == 413


def test_a_vendors_message_at_this_address_is_received_like_any_other(box: Box, web: FlaskClient) -> None:
    """That the integration was switched off is told here by some; it must not be taken for a consent."""
    Wild.acts["consent"] = lambda _: pytest.fail("no consent was given")  # type: ignore[dict-item, return-value]
    assert web.get("/oauth/wild?signature=x&account_id=1").status_code == 202
    assert receipts(box) == 1

    def refuse(_: Request) -> None:
        raise Rejected(403, "not genuine")

    Wild.acts["verify"] = refuse
    assert web.get("/oauth/wild?signature=y&account_id=1").status_code == 400
    assert receipts(box) == 1
