"""The way out, against real sockets: what comes back, what a status means, how much of a reply is read."""

from __future__ import annotations

import datetime as dt
import gzip
import json
import socket
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from email.utils import format_datetime

import orjson
import pytest

from hub.errors import AuthFailed, HubError, RateLimited, Refused, Retry, Uncertain
from hub.session import MAX_REPLY, Answer, Session
from tests.hub.vendor import Vendor, free_port, reply

# --- what comes back ------------------------------------------------------------------------------


def test_an_answer_is_read_whole_whatever_its_status(vendors: Callable[..., Vendor], http: Session) -> None:
    vendor = vendors(reply(b'{"error": "x"}', "400 Bad Request", "X-Reason: because"))
    answer = http.post(vendor.url, json={"a": 1})
    assert (answer.status, answer.json(), answer.headers["x-reason"]) == (400, {"error": "x"}, "because")
    head, _, body = vendor.heard[0].partition(b"\r\n\r\n")
    assert json.loads(body) == {"a": 1}
    assert head.startswith(b"POST /rest HTTP/1.1") and b"content-type: application/json" in head.lower()


def test_connections_are_kept_and_used_again(vendors: Callable[..., Vendor], http: Session) -> None:
    vendor = vendors()
    for _ in range(5):
        assert http.get(vendor.url).status == 200
    assert (len(vendor.heard), vendor.connections) == (5, 1)


def test_twenty_threads_share_a_session_and_each_gets_its_own_answer(
    vendors: Callable[..., Vendor], http: Session
) -> None:
    def echo(wire: socket.socket, request: bytes) -> None:
        wire.sendall(reply(request.partition(b"\r\n\r\n")[2]))

    vendor = vendors(echo)
    with ThreadPoolExecutor(20) as pool:
        answers = list(pool.map(lambda n: http.post(vendor.url, json={"n": n}).json()["n"], range(200)))
    assert answers == list(range(200))
    assert vendor.connections <= 20


def test_cookies_a_vendor_sets_are_not_sent_back(vendors: Callable[..., Vendor], http: Session) -> None:
    vendor = vendors(reply(b"{}", "200 OK", "Set-Cookie: session=abc; Path=/"))
    http.get(vendor.url)
    http.get(vendor.url)
    assert not any(b"cookie" in request.lower() for request in vendor.heard)


def test_proxies_and_netrc_of_the_environment_are_ignored(
    vendors: Callable[..., Vendor], http: Session, monkeypatch: pytest.MonkeyPatch, tmp_path: object
) -> None:
    dead = f"http://127.0.0.1:{free_port()}"
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "HTTPS_PROXY"):
        monkeypatch.setenv(name, dead)
    monkeypatch.setenv("NO_PROXY", "")
    netrc = tmp_path / "netrc"  # type: ignore[operator]
    netrc.write_text("machine 127.0.0.1 login me password hidden\n")
    monkeypatch.setenv("NETRC", str(netrc))
    vendor = vendors()
    assert http.get(vendor.url).status == 200
    assert b"authorization" not in vendor.heard[0].lower()


def test_a_redirect_is_not_followed_and_said(vendors: Callable[..., Vendor], http: Session) -> None:
    elsewhere = vendors()
    vendor = vendors(reply(b"", "302 Found", f"Location: {elsewhere.url}"))
    answer = http.get(vendor.url)
    assert answer.status == 302
    with pytest.raises(Refused, match="redirects are not followed"):
        answer.raise_for_status()
    assert elsewhere.heard == []


HTML = b"<html><body><h1>We'll be back soon</h1></body></html>"


def test_html_where_json_was_due_is_the_vendors_bad_day(vendors: Callable[..., Vendor], http: Session) -> None:
    vendor = vendors(reply(HTML))
    with pytest.raises(Retry, match=r"not JSON.*be back soon"):
        http.get(vendor.url).json()
    with pytest.raises(Uncertain, match="not JSON"):
        http.post(vendor.url).json()


# --- what a status means --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "changes", "error"),
    [
        (400, True, Refused), (401, True, AuthFailed), (403, True, Refused), (404, False, Refused),
        (407, True, AuthFailed), (408, True, Uncertain), (408, False, Retry), (425, False, Retry),
        (429, True, RateLimited), (500, True, Uncertain), (500, False, Retry), (502, True, Uncertain),
        (503, False, Retry), (504, True, Uncertain), (301, False, Refused),
    ],
)  # fmt: skip
def test_a_status_alone_says_what_to_do_next(status: int, changes: bool, error: type[HubError]) -> None:
    with pytest.raises(error) as caught:
        Answer(status, {}, b"words", changes).raise_for_status()
    assert type(caught.value) is error


@pytest.mark.parametrize(
    ("header", "seconds"),
    [("7", 7.0), ("0", 5.0), ("1.5", 1.5), ("-3", 5.0), ("nan", 5.0), ("inf", 86_400.0), ("1e400", 86_400.0),
     ("99999999", 86_400.0), ("soon", 5.0), ("", 5.0), ("Mon, 99 Foo 2026 99:99:99 GMT", 5.0),
     ("Thu, 01 Jan 1970 00:00:00 GMT", 5.0), ("Fri, 31 Dec 9999 23:59:59 GMT", 86_400.0)],
)  # fmt: skip
def test_retry_after_is_a_sane_number_whatever_the_vendor_writes(header: str, seconds: float) -> None:
    with pytest.raises(RateLimited) as caught:
        Answer(429, {"retry-after": header}, b"").raise_for_status()
    assert caught.value.after == seconds


def test_retry_after_may_be_a_date() -> None:
    until = dt.datetime.now(dt.UTC) + dt.timedelta(hours=1)
    for at in (until, until.astimezone(dt.timezone(dt.timedelta(hours=3)))):
        wait = Answer(503, {"retry-after": format_datetime(at, usegmt=at.tzinfo is dt.UTC)}, b"").retry_after()
        assert wait is not None and 3500 < wait <= 3600


def test_503_with_a_time_is_a_rate_limit_and_without_one_a_failure() -> None:
    with pytest.raises(RateLimited):
        Answer(503, {"retry-after": "9"}, b"", True).raise_for_status()
    with pytest.raises(Uncertain):
        Answer(503, {}, b"", True).raise_for_status()


# --- replies are capped after inflation -----------------------------------------------------------


def test_a_reply_of_just_the_allowed_size_is_taken(vendors: Callable[..., Vendor], http: Session) -> None:
    vendor = vendors(reply(b"x" * MAX_REPLY))
    assert len(http.get(vendor.url).body) == MAX_REPLY


@pytest.mark.parametrize("coding", ["gzip", "gzip, gzip"])
def test_a_gzip_bomb_goes_off_nowhere(vendors: Callable[..., Vendor], http: Session, coding: str) -> None:
    bomb = gzip.compress(b"0" * (MAX_REPLY * 8), 1)
    if coding == "gzip, gzip":
        bomb = gzip.compress(bomb)
    vendor = vendors(reply(bomb, "200 OK", f"Content-Encoding: {coding}"))
    with pytest.raises(Refused, match="larger than 8 MB"):
        http.get(vendor.url)


@pytest.mark.parametrize("body", [b"[" + b"{}," * 2_700_000 + b"{}]", b"[" + b"1," * 1_000_001 + b"1]", b"[" * 300_001])
def test_an_answer_of_countless_parts_is_not_parsed(
    http: Session, vendors: Callable[..., Vendor], body: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """8 MB of empty objects would take 240 MB of memory."""
    monkeypatch.setattr(orjson, "loads", lambda text: pytest.fail("it was parsed"))
    vendor = vendors(reply(body))
    with pytest.raises(Refused, match="parts"):
        http.get(vendor.url).json()
    with pytest.raises(Uncertain, match="parts"):
        http.post(vendor.url).json()


def test_the_richest_page_of_records_is_parsed() -> None:
    rows = [{f"UF_{n}": {"value": ["x", {"code": n}]} for n in range(50)} for _ in range(600)]
    assert len(Answer(200, {}, orjson.dumps(rows)).json()) == 600


def test_after_a_write_a_reply_too_large_to_read_leaves_doubt(vendors: Callable[..., Vendor], http: Session) -> None:
    vendor = vendors(reply(b"x" * (MAX_REPLY + 1)))
    with pytest.raises(Uncertain, match="larger than 8 MB"):
        http.post(vendor.url, json={})


# --- what one piece of work has read ----------------------------------------------------------------


def test_what_was_read_is_known_for_one_piece_of_work_until_something_changes(
    vendors: Callable[..., Vendor], http: Session
) -> None:
    vendor = vendors()
    http.known["person"] = "17"
    assert http.known == {}  # outside a piece of work nothing is kept
    with http.work(lambda: None, 5):
        http.known["person"] = "17"
        http.get(vendor.url)
        assert http.known == {"person": "17"}
        with ThreadPoolExecutor(1) as pool:  # another thread does another piece of work
            assert pool.submit(lambda: dict(http.known)).result() == {}
        http.post(vendor.url, json={}, changes=False)
        assert http.known == {"person": "17"}
        http.post(vendor.url, json={})
        assert http.known == {}
    with http.work(lambda: None, 5):
        assert http.known == {}


def test_a_change_whose_answer_is_lost_has_changed_what_was_read(vendors: Callable[..., Vendor], http: Session) -> None:
    vendor = vendors(lambda wire, request: wire.shutdown(socket.SHUT_RDWR))
    with http.work(lambda: None, 5):
        http.known["person"] = "17"
        with pytest.raises(Uncertain):
            http.post(vendor.url, json={})
        assert http.known == {}
