"""The way out, when it fails: retried where nothing was sent, in doubt where there may be an effect."""

from __future__ import annotations

import re
import socket
import struct
import threading
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests.adapters

from hub.errors import Retry, Uncertain
from hub.session import Session
from tests.hub.vendor import Talk, Vendor, close, free_port, half, reply, stall

# --- nothing was sent -> Retry --------------------------------------------------------------------


def test_a_refused_connection_is_retried_even_for_a_create(http: Session) -> None:
    port = free_port()
    with pytest.raises(Retry, match=rf"^no connection to 127\.0\.0\.1:{port}: connection refused$"):
        http.post(f"http://127.0.0.1:{port}/", json={})


@pytest.mark.parametrize(
    ("settings", "setting"),
    [
        ({"key": "127", "base_url": "http://127.0.0.1:9/rest/1/s3cret/"}, "base_url"),
        ({"portal": {"webhook_url": "http://127.0.0.1:9/"}}, "portal.webhook_url"),
        ({"host": "127.0.0.1", "timeout": 5}, "host"),
    ],
)
def test_a_failure_names_host_and_port_and_the_setting_they_come_from(settings: dict[str, Any], setting: str) -> None:
    port = free_port()
    http = Session("crm", hosts=["127.0.0.1"], settings=settings)
    with pytest.raises(Retry, match=rf"^no connection to 127\.0\.0\.1:{port} \(connections\.crm\.{setting}\): "):
        http.post(f"http://127.0.0.1:{port}/", json={})
    http.close()


def test_a_subdomain_that_is_a_setting_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def away(*_: object, **__: object) -> None:
        raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")

    monkeypatch.setattr(socket, "getaddrinfo", away)
    http = Session("amo", hosts=["shop.example.com"], settings={"subdomain": "shop", "token": "http://[oops"})
    words = r"^no connection to shop\.example\.com:443 \(connections\.amo\.subdomain\): no name server answers \(DNS\)"
    with pytest.raises(Retry, match=words):
        http.get("https://shop.example.com/api")
    http.close()


def test_a_name_nobody_knows_is_retried(monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(*_: object, **__: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    http = Session("crm", hosts=["gone.example"])
    for from_data in (False, True):
        with pytest.raises(Retry, match=r"no connection to gone\.example:80: its name is not known \(DNS\)"):
            http.post("http://gone.example/", from_data=from_data)
    http.close()


def test_a_host_that_takes_no_connection_is_retried(monkeypatch: pytest.MonkeyPatch, http: Session) -> None:
    def slow(*_: object, **__: object) -> None:
        raise TimeoutError("timed out")

    monkeypatch.setattr("urllib3.util.connection.create_connection", slow)
    with pytest.raises(Retry, match=r"^127\.0\.0\.1:9 does not accept connections$"):
        http.post("http://127.0.0.1:9/", json={})


def test_a_certificate_nobody_vouches_for_is_retried_with_nothing_sent(
    vendors: Callable[..., Vendor], http: Session
) -> None:
    vendor = vendors(tls=True)
    with pytest.raises(Retry, match=r"TLS with 127\.0\.0\.1:\d+ failed.*its certificate is not accepted"):
        http.post(vendor.url, json={"secret": "s3cr/et key"})
    assert vendor.heard == []


def test_a_server_that_speaks_no_tls_is_retried(vendors: Callable[..., Vendor], http: Session) -> None:
    vendor = vendors(close)
    with pytest.raises(Retry):
        http.post(vendor.url.replace("http://", "https://"), json={})


# --- something was sent -> Uncertain when it may have had an effect, else Retry ----------------------


def reset(wire: socket.socket, _: bytes = b"") -> None:
    """End the connection with a TCP reset."""
    wire.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    wire.close()


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
    assert urlsplit(vendor.url).netloc in str(caught.value), "says who failed"
    assert not re.search(r"[a-z](Error|Exception|Pool|Connection)\b|object at 0x", str(caught.value)), "in words"
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
