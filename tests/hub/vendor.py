"""A vendor on a real socket that answers byte by byte as it is told, and ways to answer badly."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable

from hub.sandbox_tls import loopback_context

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


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def close(wire: socket.socket, _: bytes = b"") -> None:
    """End the connection without a word."""
    wire.shutdown(socket.SHUT_RDWR)


def stall(wire: socket.socket, _: bytes) -> None:
    """Say nothing until the other side has given up."""
    wire.recv(1)


def half(wire: socket.socket, _: bytes) -> None:
    """Begin an answer and end the connection."""
    wire.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{")
    close(wire)
