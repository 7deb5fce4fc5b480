"""The way in: whatever a plugin stumbles over, it is a clean refusal and never a 500 (P12)."""

from __future__ import annotations

import pytest
from flask.testing import FlaskClient

from hub.errors import AuthFailed, ConfigError, Refused, Rejected, Retry, Skip
from hub.model import Reply, Request
from tests.hub.fakes import Box
from tests.hub.wild import Wild, receipts, ring

STUMBLES = [
    ValueError("bad"), KeyError("x"), TypeError("x"), RecursionError("deep"),
    UnicodeDecodeError("utf-8", b"", 0, 1, "x"),
    ZeroDivisionError(), MemoryError(), AssertionError(), StopIteration(), OSError("x"), Refused("no"), Retry("later"),
    AuthFailed("x"), Skip("honeypot"), ConfigError(["x"]), NotImplementedError(),
]  # fmt: skip


@pytest.mark.parametrize("error", STUMBLES, ids=lambda error: type(error).__name__)
@pytest.mark.parametrize("where", ["handshake", "verify", "receipt_key"])
def test_whatever_a_plugin_stumbles_over_is_a_clean_refusal(
    box: Box, web: FlaskClient, where: str, error: Exception
) -> None:
    def stumble(_: Request) -> None:
        raise error

    Wild.acts[where] = stumble
    answer = web.post("/in/wild", data=b"hostile")
    assert 400 <= answer.status_code < 500
    assert receipts(box) == 0


@pytest.mark.parametrize("error", STUMBLES[:6], ids=lambda error: type(error).__name__)
def test_what_is_stored_is_acknowledged_even_if_the_plugin_stumbles_over_its_answer(
    box: Box, web: FlaskClient, error: Exception
) -> None:
    def stumble(_: Request) -> None:
        raise error

    Wild.acts["acknowledge"] = stumble
    assert web.post("/in/wild", data=b"one").status_code == 200
    assert receipts(box) == 1


def test_a_plugin_that_answers_with_something_else_than_a_reply_is_no_500(box: Box, web: FlaskClient) -> None:
    Wild.acts |= {"handshake": lambda _: True, "acknowledge": lambda _: None}  # type: ignore[dict-item]
    assert web.post("/in/wild", data=b"one").status_code == 200
    assert receipts(box) == 1


def test_a_plugins_refusal_is_answered_as_it_says(box: Box, web: FlaskClient) -> None:
    def refuse(_: Request) -> None:
        raise Rejected(410, "gone for good")

    Wild.acts["verify"] = refuse
    answer = web.post("/in/wild", data=b"x")
    assert (answer.status_code, answer.text) == (410, "gone for good")


def test_a_handshake_is_answered_and_nothing_is_stored(box: Box, web: FlaskClient) -> None:
    Wild.acts["handshake"] = lambda request: Reply(200, request.query_value("challenge") or "")
    assert web.get("/in/wild?challenge=42").text == "42"
    assert receipts(box) == 0
    assert ring(box, web) == []
