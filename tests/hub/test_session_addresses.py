"""The way out: credentials go to the connection's hosts alone, urls from messages to no private address."""

from __future__ import annotations

import socket
from collections.abc import Callable

import pytest

from hub.errors import Refused, Retry
from hub.session import Session
from tests.hub.vendor import Vendor, free_port

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
