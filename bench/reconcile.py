"""What a reconciliation reads a second: alone, and held by a vendor's limit."""

from __future__ import annotations

import datetime as dt
import json
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import parse_qs, urlsplit

import marshmallow as ma

from hub import reconciling
from hub.config import load
from hub.connector import Connector, EventKind, Limits, Settings
from hub.engine import Engine
from hub.model import Record
from hub.plugins import Plugins
from hub.runtime import Runtime
from hub.store import Store, state
from hub.store import reconciling as rows

PAGE = 50
OLD = "2026-01-01T00:00:00+00:00"
YAML = """
hub: {{unrouted: ignore}}
connections:
  crm: {{plugin: lister, url: "{url}", per_second: "{rate}"}}
routes:
  - {{name: a deal is looked at, on: crm.deal.updated, stop: seen}}
"""


class _Lists(BaseHTTPRequestHandler):
    """Answers with a page of records, made beforehand: the vendor's own time is not what is measured."""

    protocol_version = "HTTP/1.1"
    pages: ClassVar[list[bytes]] = []

    def do_GET(self) -> None:
        """Answer one page."""
        number = int(parse_qs(urlsplit(self.path).query)["page"][0])
        body = self.pages[number]
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""


class ListerSettings(Settings):
    """Where the lists are, and how fast they may be asked for."""

    url = ma.fields.String(required=True, metadata={"help": "the stand-in"})
    per_second = ma.fields.Float(load_default=20.0, metadata={"help": "calls"})


class Lister(Connector):
    """A vendor that lists deals, fifty a page."""

    name = "lister"
    title = "Lists"
    docs_url = "https://example.com"
    Settings = ListerSettings
    events = (EventKind("deal.updated", "deal"),)

    def limits(self) -> Limits:
        """Return the limit of the settings, with one call of burst, so that the rate alone is measured."""
        return Limits(self.settings["per_second"], max(1, int(self.settings["per_second"] / 20)))

    def hosts(self) -> list[str]:
        """Return this machine."""
        return ["127.0.0.1"]

    def pages(self, record: str, since: dt.datetime | None = None, cursor: Any = None) -> tuple[list[Record], Any]:
        """Read a page."""
        body = self.http.get(f"{self.settings['url']}/?page={cursor or 0}").json()
        return body["rows"], body["next"]


def _records(count: int) -> list[dict[str, Any]]:
    return [
        {"id": str(n), "title": f"Deal {n}", "stage": "new", "changed_at": OLD, "created_at": OLD,
         "extra": {f"UF_{word}": f"value {word} of {n}" for word in range(40)}}
        for n in range(count)
    ]  # fmt: skip


@contextmanager
def _vendor(records: list[dict[str, Any]]) -> Iterator[str]:
    last = (len(records) - 1) // PAGE
    _Lists.pages = [
        json.dumps({"rows": records[n * PAGE : (n + 1) * PAGE], "next": n + 1 if n < last else None}).encode()
        for n in range(last + 1)
    ]
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Lists)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


def measure(count: int, rate: float) -> tuple[float, int]:
    """Return (records compared a second, pages) for `count` records at `rate` calls a second; none of them differs."""
    records = _records(count)
    with _vendor(records) as url, tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "hub.yaml").write_text(YAML.format(url=url, rate=rate))
        plugins = Plugins.of(Lister)
        config = load(folder / "hub.yaml", plugins, {})
        runtime = Runtime(config, plugins, Store.open(None, folder / "data"), folder=folder / "data", environ={})
        for start in range(0, count, 500):
            with runtime.store.write() as db:
                for one in records[start : start + 500]:
                    content = {"record": one, "own": {}, "hop": 0, "created": True}
                    state.set_seen(db, "crm", f"deal:{one['id']}", content)
        engine = Engine(runtime, threads=4)
        engine.start()
        started = time.perf_counter()
        with runtime.store.write() as db:
            id = reconciling.begin(db, config, "crm", None, repair=True)
        engine.ring()
        while True:
            with runtime.store.read() as db:
                run = rows.run(db, id)
            if run is None or run.state != "running":
                break
            time.sleep(0.02)
        took = time.perf_counter() - started
        engine.stop()
        runtime.close()
        assert run is not None and run.counts["records"] == count, run
        return count / took, run.counts["pages"]
