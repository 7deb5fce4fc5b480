"""The way in as vendors meet it: a real granian, real sockets, and clients that don't keep to the rules."""

from __future__ import annotations

import contextlib
import json
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from hub import front
from hub.store import Store
from hub.supervisor import answers

YAML = """
connections:
  site: {plugin: source}
"""
_SERVER = """
import sys
from pathlib import Path
from hub import front
from hub.config import load
from hub.plugins import Plugins
from hub.processes import Plan, run_web
from tests.hub.fakes import PLUGINS

front.BODY_SECONDS, front.SLOW_SECONDS, front.SLOW_MOST = 3.0, 0.5, 300
folder = Path(sys.argv[1])
plugins = Plugins.of(*PLUGINS)
run_web(Plan(load(folder / "hub.yaml", plugins, {}), plugins, folder / "data", "", "", port=int(sys.argv[2])))
"""


class Server:
    """The hub's web process, and its store to look into."""

    def __init__(self, folder: Path) -> None:
        (folder / "hub.yaml").write_text(YAML)
        self.store = Store.open(None, folder / "data")
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = free.getsockname()[1]
        self.process = subprocess.Popen(
            [sys.executable, "-c", _SERVER, str(folder), str(self.port)], cwd=Path(__file__).parents[2]
        )
        deadline = time.monotonic() + 30
        while not answers("127.0.0.1", self.port):
            assert self.process.poll() is None and time.monotonic() < deadline, "granian did not start"
            threading.Event().wait(0.02)

    def talk(self, *parts: bytes, shut: bool = False) -> bytes:
        """Send bytes as they are, and return all that comes back."""
        with socket.create_connection(("127.0.0.1", self.port), 20) as wire:
            with contextlib.suppress(OSError):  # it may have had enough already
                for part in parts:
                    wire.sendall(part)
                if shut:
                    wire.shutdown(socket.SHUT_WR)
            said = b""
            with contextlib.suppress(ConnectionResetError):
                while more := wire.recv(65536):
                    said += more
        return said

    def stored(self) -> set[str]:
        with self.store.read() as db:
            return {row[0] for row in db.rows("SELECT key FROM receipt")}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    server = Server(tmp_path_factory.mktemp("hub"))
    yield server
    server.process.send_signal(signal.SIGTERM)
    try:
        server.process.wait(10)
    finally:
        server.process.kill()
        server.process.wait()
        server.store.close()


def head(method: str = "POST", path: str = "/in/site", *headers: str) -> bytes:
    lines = [f"{method} {path} HTTP/1.1", "Host: x", "X-Secret: letmein", "Connection: close", *headers, "", ""]
    return "\r\n".join(lines).encode()


def body(id: str, **more: Any) -> bytes:
    return json.dumps({"id": id, "events": [], **more}).encode()


def status(answer: bytes) -> int:
    return int(answer.split(b" ", 2)[1]) if answer else 0


def test_a_hook_is_on_disk_when_it_is_acknowledged(server: Server) -> None:
    sent = body("plain")
    assert status(server.talk(head("POST", "/in/site", f"Content-Length: {len(sent)}"), sent)) == 200
    assert "plain" in server.stored()


def test_a_body_in_chunks_without_a_length_is_read_whole(server: Server) -> None:
    sent = body("chunked", padding="x" * 200_000)
    chunks = b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in (sent[:7], sent[7:100_000], sent[100_000:]))
    assert status(server.talk(head("POST", "/in/site", "Transfer-Encoding: chunked"), chunks, b"0\r\n\r\n")) == 200
    assert "chunked" in server.stored()


@pytest.mark.parametrize(
    "broken",
    [b"14\r\nhalf of what", b"5\r\nwhole\r\n", b"5\r\nwhole\r\nzz\r\n", b"5\r\nwholeXX0\r\n\r\n", b"F" * 18 + b"\r\nx"],
    ids=["inside a chunk", "before the end", "no size", "no line break", "a size beyond numbers"],
)  # fmt: skip
def test_a_body_in_chunks_that_breaks_off_is_no_message(server: Server, broken: bytes) -> None:
    """Half a message must not be taken for the whole, and its repetition for another."""
    before = server.stored()
    start = b"%x\r\n%s\r\n" % (len(body("broken")), body("broken"))
    answer = server.talk(head("POST", "/in/site", "Transfer-Encoding: chunked"), start, broken, shut=True)
    assert status(answer) in (0, 400)
    assert server.stored() == before


def test_http2_is_left_to_the_proxy(server: Server) -> None:
    preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\x00\x00\x00\x04\x00\x00\x00\x00\x00"
    before = server.stored()
    assert status(server.talk(preface, shut=True)) in (0, 400, 505)
    assert server.stored() == before


def test_connections_that_say_nothing_more_are_closed(server: Server) -> None:
    """Ten seconds are given for the headers; the three wait together."""
    with contextlib.ExitStack() as open_:
        wires = [open_.enter_context(socket.create_connection(("127.0.0.1", server.port), 25)) for _ in range(3)]
        for wire, said in zip(wires, (b"", b"P", b"POST /in/site HTTP/1.1\r\nHost:"), strict=True):
            wire.sendall(said)
        for wire in wires:
            with contextlib.suppress(ConnectionResetError):
                while wire.recv(65536):  # a word of refusal, perhaps; then the end
                    pass


def test_a_sender_of_too_much_hears_so(server: Server) -> None:
    """Many clients read no answer before they have sent all: cut off, they would come again for ever."""
    sent = body("too-much", padding="x" * 3_000_000)
    request = urllib.request.Request(f"http://127.0.0.1:{server.port}/in/site", sent, {"X-Secret": "letmein"})
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(request, timeout=20)
    with refused.value as answer:
        assert answer.code == 413


def test_chunks_beyond_the_limit_are_413(server: Server) -> None:
    sent = body("chunked-large", padding="x" * 1_000_000)
    chunk = b"%x\r\n%s\r\n0\r\n\r\n" % (len(sent), sent)
    assert status(server.talk(head("POST", "/in/site", "Transfer-Encoding: chunked"), chunk)) == 413
    assert "chunked-large" not in server.stored()


def test_a_length_beyond_the_limit_is_413(server: Server) -> None:
    sent = body("large", padding="x" * 1_000_000)
    answer = server.talk(head("POST", "/in/site", f"Content-Length: {len(sent)}"), sent)
    assert status(answer) == 413
    assert "large" not in server.stored()


def test_a_sender_that_promises_more_than_it_sends_leaves_no_receipt(server: Server) -> None:
    sent = body("short")
    answer = server.talk(head("POST", "/in/site", f"Content-Length: {len(sent) + 50}"), sent, shut=True)
    assert status(answer) in (0, 400)
    assert "short" not in server.stored()


def test_a_sender_that_sends_more_than_it_promised_is_read_as_promised(server: Server) -> None:
    sent = body("long")
    answer = server.talk(head("POST", "/in/site", f"Content-Length: {len(sent)}"), sent + b"GET /x HTTP/1.1\r\n\r\n")
    assert status(answer) == 200 and answer.count(b"HTTP/1.1") == 1
    assert "long" in server.stored()


@pytest.mark.parametrize(
    "lies",
    [("Content-Length: 5", "Content-Length: 6"), ("Content-Length: abc",), ("Content-Length: -1",),
     ("Content-Length: 5", "Transfer-Encoding: chunked"), ("Transfer-Encoding: nonsense",)],
)  # fmt: skip
def test_two_truths_about_a_length_are_no_500_and_no_receipt(server: Server, lies: tuple[str, ...]) -> None:
    before = server.stored()
    answer = server.talk(head("POST", "/in/site", *lies), b"12345", shut=True)
    assert status(answer) < 500
    assert server.stored() == before


@pytest.mark.parametrize(
    "nonsense", [b"\x16\x03\x01\x02\x00", b"GET\r\n\r\n", b"\x00" * 100, b"POST /in/site HTTP/9.9\r\n\r\n", b"\r\n\r\n"]
)
def test_what_is_no_http_is_no_500(server: Server, nonsense: bytes) -> None:
    assert status(server.talk(nonsense, shut=True)) < 500


@pytest.mark.parametrize("method", ["HEAD", "OPTIONS", "GET", "PUT", "PATCH", "DELETE"])
def test_no_method_without_a_body_is_a_500(server: Server, method: str) -> None:
    answer = server.talk(head(method))
    assert 200 <= status(answer) < 500
    if method == "HEAD":
        assert answer.endswith(b"\r\n\r\n")


def test_other_methods_are_405(server: Server) -> None:
    answer = server.talk(head("PROPFIND"))
    assert status(answer) == 405 and b"allow:" in answer.lower()


@pytest.mark.parametrize(
    "path", ["/in/site/%00", "/in/site/%ff%fe", "/in/%00", "/in/site?%00=%ff", "/in/site/" + "a" * 9000]
)
def test_no_byte_in_an_address_is_a_500(server: Server, path: str) -> None:
    sent = body(f"path-{path[:40]}")
    assert status(server.talk(head("POST", path, f"Content-Length: {len(sent)}"), sent)) < 500


def test_large_headers_are_no_500(server: Server) -> None:
    sent = body("headers")
    many = [f"X-H{n}: {'v' * 200}" for n in range(80)]
    assert status(server.talk(head("POST", "/in/site", f"Content-Length: {len(sent)}", *many), sent)) < 500


@pytest.mark.parametrize(
    "hostile",
    [
        b"[" * 100_000,
        b'{"id":' * 5000,
        b"\xff\xfe",
        b"null",
        b"{}",
        b'{"id": {"a": 1}}',
        b"",
        b'{"id": "\\u0000\\ud800"}',
    ],
    ids=lambda text: repr(text[:12]),
)
def test_no_body_is_a_500(server: Server, hostile: bytes) -> None:
    answer = server.talk(head("POST", "/in/site", f"Content-Length: {len(hostile)}"), hostile)
    assert 200 <= status(answer) < 500


def test_many_senders_at_once_all_get_what_they_were_promised(server: Server) -> None:
    def send(n: int) -> int:
        sent = body(f"many-{n}")
        return status(server.talk(head("POST", "/in/site", f"Content-Length: {len(sent)}"), sent))

    with ThreadPoolExecutor(24) as pool:
        assert set(pool.map(send, range(240))) == {200}
    assert {f"many-{n}" for n in range(240)} <= server.stored()


def test_a_kept_connection_serves_one_request_after_the_other(server: Server) -> None:
    with socket.create_connection(("127.0.0.1", server.port), 20) as wire:
        for n in range(3):
            sent = body(f"kept-{n}")
            keep = head("POST", "/in/site", f"Content-Length: {len(sent)}").replace(b"Connection: close\r\n", b"")
            wire.sendall(keep + sent)
            assert status(wire.recv(65536)) == 200
    assert {f"kept-{n}" for n in range(3)} <= server.stored()


def test_health_and_metrics_are_there(server: Server) -> None:
    for path in ("/healthz", "/readyz", "/metrics"):
        assert status(server.talk(head("GET", path))) == 200


# --- slow senders ---------------------------------------------------------------------------------


def test_senders_that_stop_inside_a_body_keep_nobody_waiting(server: Server) -> None:
    sent = body("slow", padding="x" * 2000)
    began = head("POST", "/in/site", f"Content-Length: {len(sent)}") + sent[:100]
    with contextlib.ExitStack() as open_:
        stuck = [open_.enter_context(socket.create_connection(("127.0.0.1", server.port), 20)) for _ in range(300)]
        for wire in stuck:
            wire.sendall(began)
        good = body("among-slow")
        assert status(server.talk(head("POST", "/in/site", f"Content-Length: {len(good)}"), good)) == 200
        assert status(server.talk(head("GET", "/healthz"))) == 200
        assert status(stuck[0].recv(65536)) == 408, "a body that does not come is not waited for without end"
        for wire in stuck[1:]:
            assert status(wire.recv(65536)) == 408
    assert "among-slow" in server.stored() and "slow" not in server.stored()


def test_a_body_that_comes_in_small_pieces_is_taken_in_time(server: Server) -> None:
    sent = body("pieces", padding="x" * 200)
    with socket.create_connection(("127.0.0.1", server.port), 20) as wire:
        wire.sendall(head("POST", "/in/site", f"Content-Length: {len(sent)}"))
        for at in range(0, len(sent), 40):
            wire.sendall(sent[at : at + 40])
            threading.Event().wait(0.02)
        assert status(wire.recv(65536)) == 200
    assert "pieces" in server.stored()


def test_one_address_holds_so_many_slow_bodies_and_no_more(server: Server) -> None:
    """A few thousand of them would take every connection there is; who is quick is not asked how many there are."""
    with contextlib.ExitStack() as open_:
        wires = [open_.enter_context(socket.create_connection(("127.0.0.1", server.port), 20)) for _ in range(310)]
        for wire in wires:
            wire.sendall(head("POST", "/in/site", "Content-Length: 500") + b"{")
        threading.Event().wait(1.5)
        refused = []
        for wire in wires:
            wire.setblocking(False)
            with contextlib.suppress(BlockingIOError):
                refused.append(status(wire.recv(65536)))
        assert refused == [503] * 10
        sent = body("quick")
        assert status(server.talk(head("POST", "/in/site", f"Content-Length: {len(sent)}"), sent)) == 200
    sent = body("later")
    with socket.create_connection(("127.0.0.1", server.port), 20) as wire:
        wire.sendall(head("POST", "/in/site", f"Content-Length: {len(sent)}") + sent[:5])
        threading.Event().wait(0.8)  # a slow one again, once the others are gone
        wire.sendall(sent[5:])
        assert status(wire.recv(65536)) == 200


@pytest.mark.parametrize(
    ("client", "whose"),
    [("203.0.113.7:5050", "203.0.113.7"), ("[2001:db8:1:2:3::4]:5050", "2001:db8:1:2::/64"),
     ("2001:db8:1:2:ffff::9:5050", "2001:db8:1:2::/64"), ("unix:", "unix")],
)  # fmt: skip
def test_of_ipv6_the_network_counts(client: str, whose: str) -> None:
    assert front._address(type("Scope", (), {"client": client})) == whose


def test_a_header_with_an_underscore_never_stands_for_the_real_one(server: Server) -> None:
    """`X_Secret` and `X-Secret` are one name to WSGI: what a proxy lets through must not pass for what it checks."""
    sent = body("underscore")
    honest = head("POST", "/in/site", f"Content-Length: {len(sent)}")
    for extra in (b"X_Secret: wrong\r\n", b""):
        assert status(server.talk(honest.replace(b"X-Secret", extra + b"X-Secret"), sent)) == 200
    for instead in (b"X-Secret: wrong\r\nX_Secret: letmein", b"X_Secret: letmein"):
        forged = honest.replace(b"X-Secret: letmein", instead)
        assert status(server.talk(forged, sent)) in (401, 403)
    with server.store.read() as db:
        [(kept,)] = db.rows("SELECT headers FROM receipt WHERE key = 'underscore'")
    assert {"x-secret", "x_secret"} <= set(json.loads(kept)), "a vendor whose header is spelt so is heard all the same"


def test_a_large_body_is_taken_like_a_small_one(server: Server) -> None:
    sent = body("large-but-fine", padding="x" * 600_000)
    assert status(server.talk(head("POST", "/in/site", f"Content-Length: {len(sent)}"), sent)) == 200
    assert "large-but-fine" in server.stored()


def test_letters_beyond_ascii_in_an_address_arrive_as_they_are(server: Server) -> None:
    path = "/in/site/%D0%9A%D0%B8%D1%97%D0%B2?q=%D0%9A"
    sent = body("kyiv")
    assert status(server.talk(head("POST", path, f"Content-Length: {len(sent)}"), sent)) == 200
    with server.store.read() as db:
        assert ("/in/site/Київ",) in {tuple(row) for row in db.rows("SELECT path FROM receipt WHERE key = 'kyiv'")}
