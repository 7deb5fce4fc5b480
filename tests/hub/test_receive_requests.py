"""The way in: sizes, methods and addresses; what is turned away is kept masked, and never gets a 500 (P12)."""

from __future__ import annotations

import io
import json

import pytest
from flask.testing import FlaskClient

from hub.model import Request
from tests.hub.fakes import Box
from tests.hub.wild import Wild, receipts, ring, rows

# --- sizes ----------------------------------------------------------------------------------------


def test_each_plugin_says_how_much_it_takes(box: Box, web: FlaskClient) -> None:
    assert web.post("/in/small", data=b"x" * 100).status_code == 202
    assert web.post("/in/small", data=b"x" * 101).status_code == 413
    assert web.post("/in/wild", data=b"x" * 1_000_000).status_code == 202
    assert web.post("/in/wild", data=b"x" * 1_000_001).status_code == 413
    assert receipts(box) == 2


def test_an_unknown_connection_is_given_no_more_room_than_others(box: Box, web: FlaskClient) -> None:
    assert web.post("/in/nobody", data=b"x" * 1_000_001).status_code == 413
    assert web.post(f"/in/{'n' * 3000}", data=b"x" * 1_000_001).status_code == 413
    assert {row[0] for row in ring(box, web)} == {"?"}


def chunked(web: FlaskClient, path: str, body: bytes) -> int:
    """POST a body whose length nobody has told."""
    environ = {"wsgi.input": io.BytesIO(body), "wsgi.input_terminated": True, "HTTP_TRANSFER_ENCODING": "chunked"}
    return web.open(path, method="POST", environ_overrides=environ).status_code


def test_a_body_without_a_length_is_read_up_to_the_limit(box: Box, web: FlaskClient) -> None:
    Wild.acts["receipt_key"] = lambda request: str(len(request.body))
    assert chunked(web, "/in/wild", b"x" * 5000) == 202
    assert rows(box, "SELECT key FROM receipt") == [("5000",)]
    assert chunked(web, "/in/small", b"x" * 101) == 413


@pytest.mark.parametrize("length", ["-1", "abc", "1e3", "99999999999999999999", "", "0x10", "5, 5"])
def test_a_length_that_is_none_is_no_500(box: Box, web: FlaskClient, length: str) -> None:
    answer = web.open(
        "/in/wild", method="POST", environ_overrides={"CONTENT_LENGTH": length, "wsgi.input": io.BytesIO(b"x")}
    )
    assert answer.status_code < 500


# --- methods and places ---------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "HEAD"])
def test_any_method_a_vendor_uses_reaches_its_plugin(box: Box, web: FlaskClient, method: str) -> None:
    Wild.acts["receipt_key"] = lambda request: request.method
    assert web.open("/in/wild", method=method).status_code == 202
    assert rows(box, "SELECT key FROM receipt") == [(method,)]


@pytest.mark.parametrize("method", ["TRACE", "CONNECT", "PROPFIND", "FOO"])
def test_other_methods_are_turned_away_with_what_is_allowed(box: Box, web: FlaskClient, method: str) -> None:
    answer = web.open("/in/wild", method=method)
    assert answer.status_code == 405 and "POST" in answer.headers["Allow"]
    assert web.open("/healthz", method="POST").status_code == 405


def test_an_unknown_connection_is_404_and_kept_in_its_ring_without_the_secret(box: Box, web: FlaskClient) -> None:
    assert web.post("/in/nobody/s3cret-tail?token=abc", data=b"x").status_code == 404
    [(connection, status, _, request)] = ring(box, web)
    assert (connection, status) == ("?", 404)
    assert json.loads(request)["path"] == "/in/nobody/***" and "abc" not in request


@pytest.mark.parametrize("path", ["/in", "/in/", "/admin", "/in/../etc/passwd", "/.env", "/metrics/x"])
def test_nothing_else_is_there(box: Box, web: FlaskClient, path: str) -> None:
    assert web.get(path).status_code == 404


def test_the_tail_of_the_address_is_handed_to_the_plugin(box: Box, web: FlaskClient) -> None:
    Wild.acts["receipt_key"] = lambda request: f"{request.tail}|{request.query}|{request.headers['x-a']}"
    web.post("/in/wild/a/b%20c?x=1&x=2", data=b"", headers={"X-A": "yes"})
    assert rows(box, "SELECT key FROM receipt") == [("a/b c|(('x', '1'), ('x', '2'))|yes",)]


def test_what_is_turned_away_is_kept_masked(box: Box, web: FlaskClient) -> None:
    def refuse(_: Request) -> None:
        raise ValueError("no such phone: +380671234567 s3cret-word")

    Wild.acts["verify"] = refuse
    headers = {"X-Signature": "sig", "Cookie": "c", "Referer": "https://x/?access_token=abc", "X-Note": "s3cret-word"}
    web.post("/in/wild/s3cret-word?auth=abc", data=b"the body", headers=headers)
    [(connection, status, reason, request)] = ring(box, web)
    assert (connection, status) == ("wild", 400)
    assert "+380671234567" not in reason and "s3cret" not in reason
    for secret in ("s3cret", "sig", "abc", "the body", '"c"'):
        assert secret not in request.replace("x-signature", "").lower()


def test_rejections_are_counted_and_the_ring_has_an_end(box: Box, web: FlaskClient) -> None:
    for n in range(230):
        assert web.post("/in/site", data=str(n)).status_code == 403
    assert len(ring(box, web)) == 200
    assert rows(box, "SELECT n FROM counter WHERE connection = 'site' AND name = 'rejected'") == [(230,)]
