"""Senders as vendors are: many at once, each repeats a message with the same id until it is answered with 2xx."""

from __future__ import annotations

import http.client
import json
import threading
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from tests.ruin.tree import SECRET, Tree


@dataclass
class Sent:
    """What came of a load: ids answered 2xx, how often each status came, errors on the wire, slowest answer."""

    accepted: set[str] = field(default_factory=set)
    statuses: Counter[int] = field(default_factory=Counter)
    broken: int = 0
    slowest: float = 0.0
    took: float = 0.0

    def add(self, other: Sent) -> None:
        """Take another sender's figures in."""
        self.accepted |= other.accepted
        self.statuses += other.statuses
        self.broken += other.broken
        self.slowest = max(self.slowest, other.slowest)


Message = tuple[str, dict[str, Any]]


def message(id: str, *events: dict[str, Any]) -> Message:
    """Return (id, body) of one message."""
    return id, {"id": id, "events": list(events)}


def form(number: int, subject: str = "", **fields: Any) -> dict[str, Any]:
    """Return an event that makes a lead; `number` comes out as NUMBER at the vendor."""
    return {
        "type": "form.submitted", "subject": f"form:{subject or number}",
        "record": {"form": {"id": str(number), "fields": {"subject": subject or str(number), **fields}}},
    }  # fmt: skip


def send(
    tree: Tree, queues: Sequence[Sequence[Message]], to: str = "site", rate: float = 0.0, within: float = 120.0,
    once: bool = False,
) -> Sent:  # fmt: skip
    """Send each queue in its own thread, in order, each message until it is taken; `rate` is messages a second in all.

    once: give each message one try only.
    """
    total, lock = Sent(), threading.Lock()
    started = time.monotonic()
    pause = len(queues) / rate if rate else 0.0

    def work(queue: Sequence[Message]) -> None:
        sender = _Sender(tree, to, started + within)
        due = time.monotonic()
        for id, body in queue:
            sender.deliver(id, body, once)
            due += pause
            time.sleep(max(0.0, due - time.monotonic()) if pause else 0.0)
        sender.close()
        with lock:
            total.add(sender.sent)

    threads = [threading.Thread(target=work, args=(queue,), name="sender") for queue in queues]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    total.took = time.monotonic() - started
    return total


class _Sender:
    """One kept connection."""

    def __init__(self, tree: Tree, to: str, deadline: float) -> None:
        self.tree, self.to, self.deadline = tree, to, deadline
        self.sent = Sent()
        self.connection: http.client.HTTPConnection | None = None

    def deliver(self, id: str, body: dict[str, Any], once: bool) -> None:
        payload = json.dumps(body).encode()
        while time.monotonic() < self.deadline:
            status = self.post(payload)
            if 200 <= status < 300:
                self.sent.accepted.add(id)
                return
            if once:
                return
            time.sleep(0.05)

    def post(self, payload: bytes) -> int:
        """Post once; 0 if the connection broke."""
        started = time.monotonic()
        try:
            if self.connection is None:
                self.connection = http.client.HTTPConnection("127.0.0.1", self.tree.port, timeout=20)
            headers = {"Content-Type": "application/json", "X-Secret": SECRET}
            self.connection.request("POST", f"/in/{self.to}", payload, headers)
            answer = self.connection.getresponse()
            answer.read()
        except (OSError, http.client.HTTPException):
            self.sent.broken += 1
            self.close()
            return 0
        self.sent.statuses[answer.status] += 1
        self.sent.slowest = max(self.sent.slowest, time.monotonic() - started)
        return answer.status

    def close(self) -> None:
        """Drop the connection."""
        if self.connection is not None:
            self.connection.close()
            self.connection = None
