"""The vendor of the figures: answers every request with a small JSON body, at once or after a latency."""

from __future__ import annotations

import asyncio
import multiprocessing
import re
from multiprocessing.sharedctypes import Synchronized
from typing import Any

_ANSWER = b'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 11\r\n\r\n{"ok":true}'
_LENGTH = re.compile(rb"content-length: *(\d+)", re.I)


class _Protocol(asyncio.Protocol):
    def __init__(self, count: Any, latency: float) -> None:
        self.count, self.latency, self.buffer = count, latency, b""

    def connection_made(self, transport: Any) -> None:
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        while (end := self.buffer.find(b"\r\n\r\n")) >= 0:
            found = _LENGTH.search(self.buffer, 0, end)
            size = end + 4 + (int(found[1]) if found else 0)
            if len(self.buffer) < size:
                return
            self.buffer = self.buffer[size:]
            self.count.value += 1
            if self.latency:
                asyncio.get_running_loop().call_later(self.latency, self._answer)
            else:
                self.transport.write(_ANSWER)

    def _answer(self) -> None:
        if not self.transport.is_closing():
            self.transport.write(_ANSWER)


def _serve(count: Any, latency: float, port: Any) -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        server = await loop.create_server(lambda: _Protocol(count, latency), "127.0.0.1", 0, backlog=512)
        port.value = server.sockets[0].getsockname()[1]
        await server.serve_forever()

    asyncio.run(main())


class Sink:
    """A sink in a process of its own; `count` is how many requests it has had."""

    def __init__(self, latency: float = 0.0) -> None:
        context = multiprocessing.get_context("fork")
        self._count: Synchronized[int] = context.Value("q", 0)
        port = context.Value("i", 0)
        self.process = context.Process(target=_serve, args=(self._count, latency, port), daemon=True)
        self.process.start()
        while not port.value:
            self.process.join(0.005)
        self.url = f"http://127.0.0.1:{port.value}/post"

    @property
    def count(self) -> int:
        """Return how many requests came."""
        return self._count.value

    def stop(self) -> None:
        """End the process."""
        self.process.terminate()
        self.process.join(3)
