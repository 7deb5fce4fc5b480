"""A vendor's stand-in in a process of its own: it records every act and can be told to misbehave.

Run as a script it serves JSON over HTTP on a free port of 127.0.0.1 and prints the port. `Vendor` starts and ends it.

    POST /create {"kind", "marker", "values"}       -> {"id"}          each one is kept, doubles too
    POST /find   {"kind", "by": {field: value}}     -> {"items"}
    POST /get    {"kind", "id"}                     -> the record, or 404
    POST /update {"kind", "id", "values"}           -> the record; stages reached are kept in `history`
    POST /_control {"fail", "lose", "delay", "hang", "down"}           shares of 0..1, seconds, true | false
    POST /_state                                    -> everything it knows
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import random
import re
import subprocess
import sys
import time
import urllib.request
from typing import Any

_LENGTH = re.compile(rb"content-length: *(\d+)", re.I)


class World:
    """What the vendor holds, and its present mood."""

    def __init__(self) -> None:
        self.records: dict[str, dict[str, dict[str, Any]]] = {}
        self.creates: list[dict[str, Any]] = []
        self.history: dict[str, list[str]] = {}
        self.acts: list[tuple[str, float]] = []
        self.counts: dict[str, int] = {}
        self.mood: dict[str, Any] = {"fail": 0.0, "lose": 0.0, "delay": 0.0, "hang": 0.0, "down": False}
        self.random = random.Random(7)
        self.next_id = 100
        self.busy = 0

    def act(self, what: str, body: dict[str, Any]) -> tuple[int, Any]:
        """Do one call and return (status, answer)."""
        self.counts[what] = self.counts.get(what, 0) + 1
        self.acts.append((what, time.time()))
        kind = self.records.setdefault(str(body.get("kind")), {})
        if what == "create":
            self.next_id += 1
            id = str(self.next_id)
            record = {"id": id, "MARK": body.get("marker", ""), **body["values"]}
            kind[id] = record
            self.creates.append(record)
            return 200, record
        if what == "find":
            by = body["by"]
            found = [one for one in kind.values() if all(one.get(key) == value for key, value in by.items())]
            return 200, {"items": found[:50]}
        record = kind.get(str(body.get("id")))
        if record is None:
            return 404, {"error": "not found"}
        if what == "update":
            record.update(body["values"])
            if "stage" in body["values"]:
                self.history.setdefault(record["id"], []).append(body["values"]["stage"])
        return 200, record

    def state(self) -> dict[str, Any]:
        """Return everything, JSON-ready."""
        return {
            "records": self.records, "creates": self.creates, "history": self.history, "counts": self.counts,
            "acts": self.acts, "busy": self.busy,
        }  # fmt: skip


class _Server:
    """Speaks just enough HTTP/1.1: kept-alive POSTs with a Content-Length."""

    def __init__(self) -> None:
        self.world = World()
        self.open: set[asyncio.StreamWriter] = set()

    async def serve(self) -> None:
        server = await asyncio.start_server(self.talk, "127.0.0.1", 0, backlog=512)
        print(server.sockets[0].getsockname()[1], flush=True)
        await server.serve_forever()

    async def talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.open.add(writer)
        try:
            while await self.exchange(reader, writer):
                pass
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            self.open.discard(writer)
            writer.close()

    async def exchange(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """Answer one request; return whether the connection stays open."""
        head = await reader.readuntil(b"\r\n\r\n")
        length = _LENGTH.search(head)
        raw = await reader.readexactly(int(length[1])) if length else b""
        what = head.split(b" ", 2)[1].decode().strip("/").split("?")[0]
        body = json.loads(raw or b"{}")
        world, mood = self.world, self.world.mood
        if what == "_control":
            mood.update(body)
            if mood["down"]:
                for other in self.open - {writer}:
                    other.transport.abort()
            return self.answer(writer, 200, mood)
        if what == "_state":
            return self.answer(writer, 200, world.state())
        if mood["down"]:
            writer.transport.abort()
            return False
        world.busy += 1  # goes on though the client be dead by now
        try:
            await asyncio.sleep(mood["hang"])
            await asyncio.sleep(mood["delay"])
        finally:
            world.busy -= 1
        if world.random.random() < mood["fail"]:
            world.counts["failed"] = world.counts.get("failed", 0) + 1
            return self.answer(writer, 503, {"error": "try again"})
        status, answer = world.act(what, body)
        if what in ("create", "update") and world.random.random() < mood["lose"]:
            world.counts["lost"] = world.counts.get("lost", 0) + 1
            writer.transport.abort()
            return False
        return self.answer(writer, status, answer)

    @staticmethod
    def answer(writer: asyncio.StreamWriter, status: int, body: Any) -> bool:
        data = json.dumps(body).encode()
        head = f"HTTP/1.1 {status} X\r\nContent-Type: application/json\r\nContent-Length: {len(data)}\r\n\r\n"
        writer.write(head.encode() + data)
        return True


class Vendor:
    """A running stand-in."""

    def __init__(self) -> None:
        self.process = subprocess.Popen([sys.executable, __file__], stdout=subprocess.PIPE, text=True)
        assert self.process.stdout is not None
        self.port = int(self.process.stdout.readline())
        self.url = f"http://127.0.0.1:{self.port}"

    def _ask(self, what: str, body: dict[str, Any]) -> Any:
        request = urllib.request.Request(f"{self.url}/{what}", json.dumps(body).encode())
        with urllib.request.urlopen(request, timeout=30) as answer:
            return json.load(answer)

    def control(self, **mood: Any) -> None:
        """Set how it behaves from now on."""
        self._ask("_control", mood)

    def state(self) -> dict[str, Any]:
        """Return everything it knows."""
        return self._ask("_state", {})

    def create(self, kind: str, **values: Any) -> str:
        """Make a record by hand; it counts among the creates."""
        return self._ask("create", {"kind": kind, "values": values})["id"]

    def update(self, kind: str, id: str, **values: Any) -> None:
        """Change a record by hand."""
        self._ask("update", {"kind": kind, "id": id, "values": values})

    def stop(self) -> None:
        """End the process."""
        self.process.kill()
        self.process.wait(5)
        if self.process.stdout is not None:
            self.process.stdout.close()


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(_Server().serve())
