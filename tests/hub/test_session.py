"""The way out, against real sockets: what every call to a vendor must survive, and what must never leave."""

from __future__ import annotations

import contextlib
import datetime as dt
import gzip
import json
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from email.utils import format_datetime

import pytest
import requests.adapters

from hub.errors import AuthFailed, HubError, LeaseLost, RateLimited, Refused, Retry, Uncertain
from hub.masking import Masker
from hub.sandbox_tls import loopback_context
from hub.session import MAX_REPLY, Answer, Session

Talk = Callable[[socket.socket, bytes], None]


def reply(body: bytes = b"{}", status: str = "200 OK", *headers: str) -> bytes:
    """A whole HTTP answer with its length."""
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *headers, "", ""]
    return "\r\n".join(lines).encode() + body


class Vendor:
    """A server that does to each request exactly what it is told, byte by byte, and keeps what it heard."""

    def __init__(self, talk: Talk | bytes = b"", tls: bool = False) -> None:
        answer = talk if isinstance(talk, bytes) else b""
        self.talk: Talk = (lambda wire, _: wire.sendall(answer or reply())) if isinstance(talk, bytes) else talk
        self.heard: list[bytes] = []
        self.connections = 0
        self.certificate = ""
        self._wires: list[socket.socket] = []
        self._context = None
        if tls:
            self._context, self.certificate = loopback_context()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self.url = f"{'https' if tls else 'http'}://127.0.0.1:{self.port}/rest"
        self._threads = [threading.Thread(target=self._accept, daemon=True)]
        self._threads[0].start()

    def _accept(self) -> None:
        while True:
            try:
                wire, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            self._wires.append(wire)
            thread = threading.Thread(target=self._serve, args=(wire,), daemon=True)
            self._threads.append(thread)
            thread.start()

    def _serve(self, wire: socket.socket) -> None:
        with contextlib.suppress(OSError):
            if self._context is not None:
                wire = self._context.wrap_socket(wire, server_side=True)
            while (request := self._request(wire)) is not None:
                self.heard.append(request)
                self.talk(wire, request)
        wire.close()

    @staticmethod
    def _request(wire: socket.socket) -> bytes | None:
        data = b""
        while b"\r\n\r\n" not in data:
            if not (more := wire.recv(65536)):
                return None
            data += more
            if data[0] == 0x16:  # a TLS greeting, where plain HTTP is spoken
                wire.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")
                return None
        head, _, body = data.partition(b"\r\n\r\n")
        length = next((int(h.split(b":")[1]) for h in head.split(b"\r\n") if h.lower().startswith(b"content-len")), 0)
        while len(body) < length:
            if not (more := wire.recv(65536)):
                return None
            body += more
        return head + b"\r\n\r\n" + body

    def close(self) -> None:
        for wire in (self._listener, *self._wires):
            with contextlib.suppress(OSError):
                wire.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for thread in self._threads:
            thread.join(5)


@pytest.fixture
def vendors() -> Iterator[Callable[..., Vendor]]:
    """Make vendors; all are closed afterwards."""
    made: list[Vendor] = []

    def make(*args: object, **options: object) -> Vendor:
        made.append(Vendor(*args, **options))  # type: ignore[arg-type]
        return made[-1]

    yield make
    for vendor in made:
        vendor.close()


@pytest.fixture
def http() -> Iterator[Session]:
    """A session that may talk to this machine, with a secret."""
    session = Session("crm", hosts=["127.0.0.1"], timeout=5, masker=Masker(["s3cr/et key"]))
    yield session
    session.close()


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def close(wire: socket.socket, _: bytes = b"") -> None:
    """End the connection without a word."""
    wire.shutdown(socket.SHUT_RDWR)


def reset(wire: socket.socket, _: bytes = b"") -> None:
    """End the connection with a TCP reset."""
    wire.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    wire.close()


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


# --- nothing was sent -> Retry --------------------------------------------------------------------


def test_a_refused_connection_is_retried_even_for_a_create(http: Session) -> None:
    with pytest.raises(Retry, match=r"no connection to 127\.0\.0\.1.*refused"):
        http.post(f"http://127.0.0.1:{free_port()}/", json={})


def test_a_name_nobody_knows_is_retried(monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(*_: object, **__: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    http = Session("crm", hosts=["gone.example"])
    for from_data in (False, True):
        with pytest.raises(Retry, match=r"no connection to gone\.example"):
            http.post("http://gone.example/", from_data=from_data)
    http.close()


def test_a_host_that_takes_no_connection_is_retried(monkeypatch: pytest.MonkeyPatch, http: Session) -> None:
    def slow(*_: object, **__: object) -> None:
        raise TimeoutError("timed out")

    monkeypatch.setattr("urllib3.util.connection.create_connection", slow)
    with pytest.raises(Retry, match="does not accept connections"):
        http.post("http://127.0.0.1:9/", json={})


def test_a_certificate_nobody_vouches_for_is_retried_with_nothing_sent(
    vendors: Callable[..., Vendor], http: Session
) -> None:
    vendor = vendors(tls=True)
    with pytest.raises(Retry, match=r"TLS with 127\.0\.0\.1 failed.*CERTIFICATE_VERIFY_FAILED"):
        http.post(vendor.url, json={"secret": "s3cr/et key"})
    assert vendor.heard == []


def test_a_server_that_speaks_no_tls_is_retried(vendors: Callable[..., Vendor], http: Session) -> None:
    vendor = vendors(close)
    with pytest.raises(Retry):
        http.post(vendor.url.replace("http://", "https://"), json={})


# --- something was sent -> Uncertain when it may have had an effect, else Retry ----------------------


def stall(wire: socket.socket, _: bytes) -> None:
    """Say nothing until the other side has given up."""
    wire.recv(1)


def half(wire: socket.socket, _: bytes) -> None:
    """Begin an answer and end the connection."""
    wire.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{")
    close(wire)


def broken_chunks(wire: socket.socket, _: bytes) -> None:
    wire.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\nzz\r\n")
    close(wire)


def broken_gzip(wire: socket.socket, _: bytes) -> None:
    wire.sendall(reply(b"this is not gzip", "200 OK", "Content-Encoding: gzip"))


def nonsense(wire: socket.socket, _: bytes) -> None:
    wire.sendall(b"SSH-2.0-OpenSSH_9\r\n\r\n")
    close(wire)


@pytest.mark.parametrize("talk", [close, reset, stall, half, broken_chunks, broken_gzip, nonsense])
def test_an_answer_that_is_lost_leaves_doubt_only_where_there_may_be_an_effect(
    vendors: Callable[..., Vendor], http: Session, talk: Talk
) -> None:
    vendor = vendors(talk)
    with pytest.raises(Uncertain):
        http.post(vendor.url, json={}, timeout=0.3)
    with pytest.raises(Retry) as caught:
        http.get(vendor.url, timeout=0.3)
    assert type(caught.value) is Retry
    assert len(vendor.heard) == 2  # and nothing was sent a second time by itself


def test_tls_that_breaks_after_the_request_left_leaves_doubt(
    vendors: Callable[..., Vendor], http: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    def garble(wire: socket.socket, _: bytes) -> None:
        raw = socket.socket(fileno=wire.detach())
        raw.sendall(b"\x17\x03\x03\x00\x20" + b"x" * 32)  # a record that nobody can decrypt
        raw.close()

    vendor = vendors(garble, tls=True)
    monkeypatch.setattr(requests.adapters, "DEFAULT_CA_BUNDLE_PATH", vendor.certificate)
    with pytest.raises(Uncertain, match="TLS"):
        http.post(vendor.url, json={})
    with pytest.raises(Retry):
        http.get(vendor.url)
    assert len(vendor.heard) == 2


def drip_body(wire: socket.socket, over: threading.Event) -> None:
    wire.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
    while not over.wait(0.05):
        wire.sendall(b"x")


def drip_chunks(wire: socket.socket, over: threading.Event) -> None:
    wire.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    while not over.wait(0.05):
        wire.sendall(b"1\r\nx\r\n")


def drip_headers(wire: socket.socket, over: threading.Event) -> None:
    wire.sendall(b"HTTP/1.1 200 OK\r\nX-Long: ")
    while not over.wait(0.05):
        wire.sendall(b"x")


@pytest.mark.parametrize("tls", [False, True])
@pytest.mark.parametrize("drip", [drip_body, drip_chunks, drip_headers])
def test_a_vendor_that_drips_its_answer_cannot_hold_a_worker_beyond_the_deadline(
    vendors: Callable[..., Vendor],
    http: Session,
    drip: Callable[[socket.socket, threading.Event], None],
    tls: bool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    over = threading.Event()
    vendor = vendors(lambda wire, _: drip(wire, over), tls=tls)
    if tls:
        monkeypatch.setattr(requests.adapters, "DEFAULT_CA_BUNDLE_PATH", vendor.certificate)
    watch = threading.Timer(20, over.set)  # were there no deadline, the test would end here, and fail
    watch.start()
    with pytest.raises(Uncertain):
        http.post(vendor.url, json={}, timeout=0.4)
    ended_by_us = not over.is_set()
    watch.cancel()
    over.set()
    assert ended_by_us


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


def test_after_a_write_a_reply_too_large_to_read_leaves_doubt(vendors: Callable[..., Vendor], http: Session) -> None:
    vendor = vendors(reply(b"x" * (MAX_REPLY + 1)))
    with pytest.raises(Uncertain, match="larger than 8 MB"):
        http.post(vendor.url, json={})


# --- where credentials may go ---------------------------------------------------------------------


@pytest.mark.parametrize(
    "url",
    ["http://evil.example/", "http://127.0.0.1.evil.example/", "http://127.0.0.1@evil.example/",
     "http://evil.example\\@127.0.0.1/", "http://evil.example#@127.0.0.1/", "http://evil.example/127.0.0.1",
     "//evil.example/", "file:///etc/passwd", "", "http://", "http://[::1", "http://[127.0.0.1]x/", "http://\x00/"],
)  # fmt: skip
def test_credentials_go_to_the_connections_own_hosts_alone(
    http: Session, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: pytest.fail("somebody was asked for"))
    with pytest.raises(Refused):
        http.post(url, json={"auth": "token"})


def test_a_host_learned_from_the_vendor_may_be_called(vendors: Callable[..., Vendor]) -> None:
    http = Session("crm", hosts=())
    vendor = vendors()
    with pytest.raises(Refused, match="may not send its credentials"):
        http.get(vendor.url)
    http.allow("127.0.0.1")
    assert http.get(vendor.url).status == 200
    http.close()


@pytest.mark.parametrize("header", ["a\r\nX-Evil: 1", "s3cr/et key\n", "Привет"])
def test_a_header_that_cannot_be_sent_is_refused_without_its_value(http: Session, header: str) -> None:
    with pytest.raises(Refused) as caught:
        http.post(f"http://127.0.0.1:{free_port()}/", headers={"X-Key": header})
    assert "s3cr" not in str(caught.value)


# --- urls that came from data ---------------------------------------------------------------------

PRIVATE = (
    "127.0.0.1", "127.1", "2130706433", "0x7f.1", "0.0.0.0", "10.0.0.1", "172.16.5.5", "192.168.1.1",  # noqa: S104
    "169.254.169.254", "100.64.0.1", "198.18.0.1", "224.0.0.1", "255.255.255.255", "[::1]", "[::]", "[fe80::1]",
    "[fd00::1]", "[fec0::1]", "[::ffff:127.0.0.1]", "[::ffff:10.0.0.1]", "[::7f00:1]", "[64:ff9b::7f00:1]",
    "[2002:7f00:1::]", "[ff02::1]", "localhost", "sub.localhost",
)  # fmt: skip


@pytest.mark.parametrize("host", PRIVATE)
@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_url_from_a_message_leads_to_no_private_address(
    http: Session, host: str, scheme: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = socket.getaddrinfo

    def resolve(name: str, *args: object, **options: object) -> object:
        return real("127.0.0.1" if str(name).endswith("localhost") else name, *args, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    monkeypatch.setattr(socket.socket, "connect", lambda *_: pytest.fail("a packet went out"))
    with pytest.raises(Refused, match="not a public one"):
        http.get(f"{scheme}://{host}:8080/x", from_data=True)


def test_a_name_that_points_inside_is_refused_by_the_address_and_nothing_arrives(
    vendors: Callable[..., Vendor], http: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    vendor = vendors()
    real = socket.getaddrinfo
    monkeypatch.setattr(socket, "getaddrinfo", lambda name, *a, **o: real("127.0.0.1", *a, **o))
    with pytest.raises(Refused, match=r"127\.0\.0\.1 is not a public one"):
        http.get(f"http://rebind.example:{vendor.port}/", from_data=True)
    assert vendor.connections == 0


def test_a_name_with_a_public_and_a_private_address_is_refused(http: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    found = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, 80)) for address in ("93.184.216.34", "10.0.0.7")]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: found)
    monkeypatch.setattr(socket.socket, "connect", lambda *_: pytest.fail("a packet went out"))
    with pytest.raises(Refused, match=r"10\.0\.0\.7"):
        http.get("http://both.example/", from_data=True)


def test_a_name_asked_twice_cannot_answer_differently_the_second_time(
    vendors: Callable[..., Vendor], http: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    vendor = vendors()
    answers = iter(["93.184.216.34", "127.0.0.1", "127.0.0.1"])
    asked: list[str] = []
    dialled: list[str] = []
    real = socket.getaddrinfo

    def resolve(name: str, port: int, *args: object, **options: object) -> object:
        asked.append(name)
        return real(next(answers) if name == "rebind.example" else name, port, *args, **options)  # type: ignore[arg-type]

    def connect(self: socket.socket, where: tuple[str, int]) -> None:
        dialled.append(where[0])
        raise ConnectionRefusedError

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    monkeypatch.setattr(socket.socket, "connect", connect)
    with pytest.raises(Retry):
        http.get(f"http://rebind.example:{vendor.port}/", from_data=True)
    assert asked.count("rebind.example") == 1
    assert dialled == ["93.184.216.34"]


def test_a_public_address_is_dialled_in_turn_under_its_own_name(
    vendors: Callable[..., Vendor], http: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    vendor = vendors()
    found = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (ip, vendor.port)) for ip in ("93.184.216.34", "1.1.1.1")]
    dialled = []
    real_connect = socket.socket.connect

    def connect(self: socket.socket, where: tuple[str, int]) -> None:
        dialled.append(where[0])
        if where[0] == "93.184.216.34":
            raise ConnectionRefusedError
        real_connect(self, ("127.0.0.1", vendor.port))

    real = socket.getaddrinfo
    monkeypatch.setattr(
        socket, "getaddrinfo", lambda name, *a, **o: found if name == "shop.example" else real(name, *a, **o)
    )
    monkeypatch.setattr(socket.socket, "connect", connect)
    assert http.get(f"http://shop.example:{vendor.port}/photo", from_data=True).status == 200
    assert dialled == ["93.184.216.34", "1.1.1.1"]
    assert f"Host: shop.example:{vendor.port}".encode() in vendor.heard[0]


@pytest.mark.parametrize("url", ["file:///etc/passwd", "gopher://x/", "javascript:alert(1)", "http://[::1", "x", ""])
def test_a_url_from_a_message_that_is_none_is_refused(http: Session, url: str) -> None:
    with pytest.raises(Refused):
        http.get(url, from_data=True)


# --- secrets --------------------------------------------------------------------------------------

SECRET = "s3cr/et key"
SPELLINGS = ("s3cr/et key", "s3cr%2Fet%20key", "s3cr%2fet%20key", "s3cr/et%20key", "s3cr%2Fet+key", "s3cr\\/et key")


def hides(text: str) -> bool:
    return not any(spelling in text for spelling in SPELLINGS) and "s3cr" not in text


@pytest.mark.parametrize("written", SPELLINGS)
def test_what_a_vendor_repeats_of_a_secret_is_masked_in_every_error(
    vendors: Callable[..., Vendor], http: Session, written: str
) -> None:
    vendor = vendors(reply(f"{'.' * 195}The requested URL /rest/{written}/x was not found".encode(), "404 Not Found"))
    answer = http.get(vendor.url)
    for ask in (answer.raise_for_status, answer.json):
        with pytest.raises(HubError) as caught:
            ask()
        assert hides(str(caught.value))


@pytest.mark.parametrize("talk", [close, stall, half])
def test_a_secret_in_the_url_is_masked_in_errors_and_exchanges(
    vendors: Callable[..., Vendor], http: Session, talk: Talk
) -> None:
    vendor = vendors(talk)
    with http.work(lambda: None, 1) as context, pytest.raises(Uncertain) as caught:
        http.post(f"{vendor.url}/s3cr%2Fet%20key/lead.add?auth=fresh-token&x=1", timeout=0.3)
    [exchange] = context.exchanges
    assert exchange.url == f"{vendor.url}/***/lead.add?auth=***&x=1"
    assert exchange.status is None and exchange.note
    assert hides(str(caught.value)) and hides(exchange.note)


def test_a_webhooks_address_is_hidden_by_its_path_too(vendors: Callable[..., Vendor]) -> None:
    hook = f"https://127.0.0.1:{free_port()}/rest/1/abcdefgh1234/"
    http = Session("crm", hosts=["127.0.0.1"], masker=Masker([hook]))
    vendor = vendors(tls=True)
    for url in (f"{vendor.url}/1/abcdefgh1234/crm.lead.add", f"{hook}crm.lead.add"):
        with http.work(lambda: None, 1) as context, pytest.raises(Retry) as caught:
            http.post(url, json={})
        assert "abcdefgh1234" not in str(caught.value) + repr(context.exchanges)
    http.close()


# --- lease, limits --------------------------------------------------------------------------------


def test_the_lease_is_checked_before_each_call_and_nothing_leaves_without_it(
    vendors: Callable[..., Vendor], http: Session
) -> None:
    vendor = vendors()
    checked: list[int] = []

    def guard() -> None:
        checked.append(len(vendor.heard))
        if len(checked) > 2:
            raise LeaseLost("taken over")

    with http.work(guard, 9):
        http.get(vendor.url)
        http.get(vendor.url)
        with pytest.raises(LeaseLost):
            http.post(vendor.url, json={})
    assert checked == [0, 1, 2]
    assert len(vendor.heard) == 2


def test_calls_beyond_the_reserved_ones_are_counted_by_the_limiter(vendors: Callable[..., Vendor]) -> None:
    spent: list[int] = []
    vendor = vendors()
    http = Session("crm", hosts=["127.0.0.1"], spend=spent.append)
    with http.work(lambda: None, 2):
        for _ in range(5):
            http.get(vendor.url)
    assert spent == [1, 1, 1]
    http.get(vendor.url)  # outside a piece of work each call counts
    assert spent == [1, 1, 1, 1]
    http.close()


def test_a_failed_call_is_counted_like_any_other() -> None:
    spent: list[int] = []
    http = Session("crm", hosts=["127.0.0.1"], spend=spent.append)
    with pytest.raises(Retry):
        http.get(f"http://127.0.0.1:{free_port()}/")
    assert spent == [1]
    http.close()


def test_a_pause_holds_the_call_back_before_lease_and_limit(vendors: Callable[..., Vendor]) -> None:
    spent: list[int] = []
    vendor = vendors()
    pauses = {"": 0.0, "crm.lead.list": 30.0}
    http = Session("crm", hosts=["127.0.0.1"], spend=spent.append, paused=lambda scope: pauses[scope])
    with pytest.raises(RateLimited) as caught:
        http.get(vendor.url, scope="crm.lead.list")
    assert (caught.value.after, caught.value.scope) == (30.0, "crm.lead.list")
    assert http.get(vendor.url).status == 200
    assert (len(vendor.heard), spent) == (1, [1])
    http.close()


def test_each_threads_work_keeps_its_own_exchanges(vendors: Callable[..., Vendor], http: Session) -> None:
    vendor = vendors()

    def piece(n: int) -> list[str]:
        with http.work(lambda: None, 3) as context:
            for part in range(3):
                http.get(f"{vendor.url}/{n}/{part}")
        return [exchange.url.removeprefix(f"{vendor.url}/") for exchange in context.exchanges]

    with ThreadPoolExecutor(8) as pool:
        for n, urls in enumerate(pool.map(piece, range(24))):
            assert urls == [f"{n}/{part}" for part in range(3)]


def test_an_exchange_says_what_was_asked_and_what_came_back(vendors: Callable[..., Vendor], http: Session) -> None:
    vendor = vendors(reply(b"{}", "201 Created"))
    with http.work(lambda: None, 1) as context:
        answer = http.post(f"{vendor.url}/a", json={})
    [exchange] = context.exchanges
    assert (exchange.method, exchange.status, exchange.note) == ("POST", 201, "")
    assert 0 <= exchange.took_ms <= answer.took * 1000 + 1000
