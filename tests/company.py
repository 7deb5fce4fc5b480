"""A company's hub for journeys: web server, workers and store in this process, vendors' stand-ins beside it.

A journey names its stand-ins and its hub.yaml; what every one of them needs is here.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import requests
from werkzeug.serving import make_server

from hub.config import load
from hub.consent import invite
from hub.engine import Engine
from hub.plugins import Plugins
from hub.runtime import Runtime
from hub.sandbox import RunningSandbox
from hub.store import Store, work
from hub.ticker import Ticker
from hub.web import create_app
from plugins.bitrix24.sandbox import Bitrix24Sandbox
from tests.stands import tell

#: where the hubs of tests marked `postgresql` keep their store; None: SQLite in their folder
DATABASE: str | None = None


class Company:
    """A hub at work. `stands` are its stand-ins, already served; `workers` are engines as processes have them.

    settle: seconds to wait before a doubtful call is looked for, for every connection that acts.
    """

    def __init__(
        self, folder: Path, yaml: str, stands: Sequence[RunningSandbox], workers: int = 1, settle: float = 0.3
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder, self.stands = folder, list(stands)
        (folder / "hub.yaml").write_text(yaml)
        plugins = Plugins.discover(None, {})
        self.config = load(folder / "hub.yaml", plugins, {})
        data = folder / "data"
        self.runtimes = [
            Runtime(self.config, plugins, Store.open(DATABASE, data), folder=data, environ={}) for _ in range(workers)
        ]
        self.runtime, self.store = self.runtimes[0], self.runtimes[0].store
        for runtime in self.runtimes:
            for name in self.config.connections:
                connector = runtime.connector(name)
                connector.settle = min(settle, connector.settle)  # type: ignore[misc]
        self.engines = [Engine(runtime, threads=8) for runtime in self.runtimes]
        app = create_app(self.runtime, self.ring)
        self.receiver = app.extensions["receiver"]
        self._server = make_server("127.0.0.1", 0, app, threaded=True)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        self._thread.start()

    def work(self) -> None:
        """Let the workers work, and the hub ask what it asks regularly."""
        for engine in self.engines:
            engine.start()
        Ticker(self.runtime).polls()

    def ring(self) -> None:
        """The bell."""
        for engine in self.engines:
            engine.ring()

    def close(self) -> None:
        """Take everything down."""
        for engine in self.engines:
            if engine.intake.is_alive():
                engine.stop(3)
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(5)
        self.receiver.commit.stop()
        for stand in self.stands:
            stand.stop()
            if isinstance(stand.sandbox, Bitrix24Sandbox):
                stand.sandbox.portal.events.close()
        for runtime in self.runtimes:
            runtime.close()

    # --- the vendors -----------------------------------------------------------------------------

    def tell(self, which: int, path: str, /, **body: Any) -> Any:
        """Use a handle of a stand-in, by its place among `stands`."""
        return tell(self.stands[which].url, path, **body)

    def arm(self, which: int, kind: str, match: str = "", times: int = 1, **more: Any) -> None:
        """Arm a fault of a stand-in."""
        self.tell(which, "fault", kind=kind, match=match, times=times, **more)

    def hear(self, which: int, connection: str, events: Sequence[str]) -> None:
        """Let a portal's outgoing webhook tell the hub of its events."""
        token = self.stands[which].sandbox.credentials()["application_token"]
        url = f"{self.url}/in/{connection}"
        self.tell(which, "outgoing_webhook", url=url, events=list(events), application_token=token)

    def begin_consent(self, connection: str) -> tuple[str, dict[str, str]]:
        """Open the link of `hub connect`: the vendor's page, and what the browser brings back with the answer."""
        link = str(invite(self.runtime, connection))
        page = requests.get(f"{self.url}/oauth/{link.partition('/oauth/')[2]}", allow_redirects=False, timeout=5)
        return page.headers["location"], {"Cookie": page.headers["set-cookie"].partition(";")[0]}

    def ask(self, connection: str, polls: int = 1) -> None:
        """Let the hub ask a vendor now instead of in a few minutes: as soon as none of its polls is under way."""

        def due() -> bool:
            with self.store.write() as db:
                return work.poll_now(db, connection) >= polls

        self.until(due)
        self.ring()

    # --- what stands there -----------------------------------------------------------------------

    def rows(self, sql: str) -> list[Any]:
        """Read the store."""
        with self.store.read() as db:
            return [tuple(row) for row in db.rows(sql)]

    def until(self, what: Callable[[], Any], within: float = 25.0) -> Any:
        """Wait until something is true, and return it."""
        deadline = time.monotonic() + within
        while not (found := what()):
            tables = ("receipt", "event", "delivery")
            assert time.monotonic() < deadline, [self.rows(f"SELECT * FROM {table}")[-4:] for table in tables]
            time.sleep(0.02)
        return found

    def idle(self) -> bool:
        """Return whether nothing is left to do."""
        tables = (("receipt", "new"), ("event", "waiting"), ("delivery", "ready"))
        parts = [f"(SELECT count(*) FROM {table} WHERE state = '{state}')" for table, state in tables]
        return self.rows(f"SELECT {' + '.join(parts)}") == [(0,)]

    def settle(self, within: float = 25.0) -> None:
        """Wait until nothing is left to do."""
        self.until(self.idle, within)
