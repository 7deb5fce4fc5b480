"""Connections to vendors: none outlasts its exchange's deadline, and urls from data lead to public addresses only."""

from __future__ import annotations

import contextlib
import http.client
import io
import ipaddress
import math
import socket
import threading
import time
from collections.abc import Callable
from typing import Any, ClassVar

import requests.adapters
import urllib3
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import ConnectTimeoutError, NameResolutionError, NewConnectionError


class Wire(threading.local):
    """The exchange of this thread: when it must be over, whether the request has begun to leave, whether it still may.

    `guard` raises where it no longer may: a process can be frozen between the first look and the moment it sends.
    """

    deadline = math.inf
    sent = False
    guard: Callable[[], None] = staticmethod(lambda: None)


wire = Wire()


class _TimedReader(socket.SocketIO):
    """Reads a socket until the deadline of the exchange: a vendor that drips bytes can't hold a worker longer."""

    def readinto(self, buffer: Any) -> int | None:
        left = wire.deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError("it came too slowly")
        self._sock.settimeout(left)  # type: ignore[attr-defined]
        return super().readinto(buffer)


class _TimedResponse(http.client.HTTPResponse):
    def __init__(self, sock: Any, *args: Any, **options: Any) -> None:
        super().__init__(sock, *args, **options)
        self.fp.close()
        sock._io_refs += 1  # what socket.makefile does; its counterpart is in SocketIO.close
        self.fp = io.BufferedReader(_TimedReader(sock, "rb"))


class _HTTP(HTTPConnection):
    response_class = _TimedResponse

    def request(self, *args: Any, **options: Any) -> None:
        wire.guard()
        super().request(*args, **options)


class _HTTPS(HTTPSConnection):
    response_class = _TimedResponse

    def request(self, *args: Any, **options: Any) -> None:
        wire.guard()
        wire.sent = True  # TLS stands: whatever fails from here on, the request may have arrived
        super().request(*args, **options)


class _HTTPPool(urllib3.HTTPConnectionPool):
    ConnectionCls = _HTTP


class _HTTPSPool(urllib3.HTTPSConnectionPool):
    ConnectionCls = _HTTPS


class Adapter(requests.adapters.HTTPAdapter):
    """Connections whose answers must be whole by the deadline of the exchange."""

    pools: ClassVar[dict[str, Any]] = {"http": _HTTPPool, "https": _HTTPSPool}

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        """Build the pool manager with our connection classes."""
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = self.pools


# --- addresses that came from data ---------------------------------------------------------------


class PrivateAddress(Exception):
    """A url from a message led to an address inside the network."""


#: IPv6 networks that `ipaddress` calls global although they lead to an IPv4 address or inside
_INSIDE = tuple(
    ipaddress.IPv6Network(net)
    for net in (
        "::/96",
        "::ffff:0:0:0/96",
        "64:ff9b::/96",
        "64:ff9b:1::/48",
        "2002::/16",
        "fec0::/10",
        "5f00::/16",
    )
)


#: and the IPv4 addresses: a cloud's own services at a public number
_INSIDE_4 = (ipaddress.IPv4Network("168.63.129.16/32"),)


def check_public(text: str) -> None:
    """Raise PrivateAddress unless a url from a message may lead to this IP address."""
    address = ipaddress.ip_address(text)
    mapped = getattr(address, "ipv4_mapped", None) or address
    inside = any(mapped in net for net in (_INSIDE if mapped.version == 6 else _INSIDE_4))
    if not mapped.is_global or mapped.is_multicast or inside:
        raise PrivateAddress(f"the address {address} is not a public one; a url from a message may not lead there")


class _Public(HTTPConnection):
    """Looks the name up itself, and dials only an address it has checked: no packet goes anywhere else."""

    def _new_conn(self) -> socket.socket:
        name = self._dns_host
        try:
            found = socket.getaddrinfo(name, self.port, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError) as error:
            raise NameResolutionError(self.host, self, socket.gaierror(str(error))) from None
        addresses = list(dict.fromkeys(str(one[4][0]) for one in found))
        for address in addresses:
            check_public(address)
        try:
            for address in addresses[:-1]:
                self._dns_host = address
                with contextlib.suppress(NewConnectionError, ConnectTimeoutError):
                    return super()._new_conn()
            self._dns_host = addresses[-1]
            return super()._new_conn()
        finally:
            self._dns_host = name


class _PublicHTTP(_Public, _HTTP):
    pass


class _PublicHTTPS(_HTTPS, _Public):
    pass


class _PublicHTTPPool(urllib3.HTTPConnectionPool):
    ConnectionCls = _PublicHTTP


class _PublicHTTPSPool(urllib3.HTTPSConnectionPool):
    ConnectionCls = _PublicHTTPS


class PublicAdapter(Adapter):
    """Dials public addresses only; what is checked is the address dialled, so a DNS answer can't be swapped later."""

    pools: ClassVar[dict[str, Any]] = {"http": _PublicHTTPPool, "https": _PublicHTTPSPool}
