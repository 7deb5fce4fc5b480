"""A load generator in a process of its own: raw sockets, kept open, so that it costs little beside what it measures."""

from __future__ import annotations

import json
import multiprocessing
import socket
import threading
import time
from dataclasses import dataclass
from typing import Any


@dataclass
class Result:
    """What a run of requests brought: `took` seconds in all, latencies in seconds, sorted."""

    took: float
    latencies: list[float]
    refused: int

    @property
    def rate(self) -> float:
        """Requests a second."""
        return len(self.latencies) / self.took if self.took else 0.0

    def percentile(self, share: float) -> float:
        """Return the latency below which `share` of the requests stayed, in milliseconds."""
        if not self.latencies:
            return float("nan")
        return self.latencies[min(len(self.latencies) - 1, int(len(self.latencies) * share))] * 1000


def body(n: int) -> bytes:
    """Return a form of the usual size; each is another message."""
    fields = {f"field_{k}": f"value {k} of {n}" for k in range(12)}
    return json.dumps({"n": n, "name": f"Anna {n}", "phone": f"+38067{n % 10_000_000:07}", **fields}).encode()


def _one(connection: socket.socket, host: str, path: str, payload: bytes) -> int:
    head = (
        f"POST {path} HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(payload)}\r\n\r\n"
    )
    connection.sendall(head.encode() + payload)
    data = b""
    while b"\r\n\r\n" not in data:
        chunk = connection.recv(65536)
        if not chunk:
            raise ConnectionError("closed")
        data += chunk
    header, _, rest = data.partition(b"\r\n\r\n")
    length = 0
    for line in header.split(b"\r\n")[1:]:
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            length = int(value)
    while len(rest) < length:
        rest += connection.recv(65536)
    return int(header.split(b" ", 2)[1])


def _run(port: int, path: str, total: int, connections: int, rate: float, first: int, out: Any) -> None:
    latencies: list[float] = []
    refused = 0
    lock = threading.Lock()
    numbers = iter(range(first, first + total))
    started = time.perf_counter()

    def work() -> None:
        nonlocal refused
        mine, bad = [], 0
        connection = socket.create_connection(("127.0.0.1", port))
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        while True:
            with lock:
                n = next(numbers, None)
            if n is None:
                break
            at = time.perf_counter()
            if rate:
                due = started + (n - first) / rate
                if due > at:
                    time.sleep(due - at)
                at = max(due, started)  # a late request counts from when it was due
            status = _one(connection, f"127.0.0.1:{port}", path, body(n))
            if status != 200:
                bad += 1
            mine.append(time.perf_counter() - at)
        connection.close()
        with lock:
            latencies.extend(mine)
            refused += bad

    threads = [threading.Thread(target=work) for _ in range(connections)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    out.put((time.perf_counter() - started, sorted(latencies), refused))


def load(port: int, path: str, total: int, connections: int = 32, rate: float = 0.0, first: int = 0) -> Result:
    """Send `total` requests over `connections`, as fast as they go or at `rate` a second; return what came of it."""
    context = multiprocessing.get_context("fork")
    out = context.Queue()
    process = context.Process(target=_run, args=(port, path, total, connections, rate, first, out))
    process.start()
    result = Result(*out.get(timeout=600))
    process.join()
    return result
