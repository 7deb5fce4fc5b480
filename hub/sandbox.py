"""The base of every vendor's stand-in: a Flask app with injectable faults and a readable state.

A plugin's `sandbox.py` subclasses `Sandbox`, adds the vendor's routes in `routes()` and keeps what it knows
in `self.data`. What the base gives to all of them alike:

* `POST /_sandbox/fault` `{"kind", "times", "match", "seconds"}` arms a fault; `DELETE` disarms all
* `GET /_sandbox/state` shows everything the stand-in knows, plus how many calls it answered
* `POST /_sandbox/reset` starts afresh

Kinds every sandbox honours: `outage` (the connection is closed without an answer), `slow` (answers after
`seconds`), `503` (a gateway's HTML page), `lost_reply` (the call takes effect, then the connection is closed).
A vendor adds its own (`expired_token`, `rate_limit`, ...) by reading `self.fault_for(call)`.
"""

from __future__ import annotations

import datetime as dt
import json
import socket
import threading
import time
from dataclasses import asdict, dataclass
from typing import Any

from flask import Flask, Response, g, jsonify, request
from werkzeug.serving import BaseWSGIServer, WSGIRequestHandler, make_server

COMMON_FAULTS = ("outage", "slow", "503", "lost_reply")


@dataclass
class Fault:
    """One armed fault: it hits the next `times` calls whose name contains `match` (any call if empty)."""

    kind: str
    times: int = 1
    match: str = ""
    seconds: float = 2.0


class Sandbox:
    """A stand-in of one vendor's API, served over real HTTP on loopback."""

    vendor = ""
    #: fault kinds of this vendor beyond COMMON_FAULTS
    own_faults: tuple[str, ...] = ()

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self.faults: list[Fault] = []
        self.calls: dict[str, int] = {}
        self.base_url = ""
        self.data: dict[str, Any] = {}
        self.seed()
        self.app = Flask(f"sandbox_{self.vendor}")
        self.app.json.sort_keys = False  # type: ignore[attr-defined]
        self.app.before_request(self._before)
        self.app.after_request(self._after)
        self._control_routes()
        self.routes()

    # --- what a vendor fills in -------------------------------------------------------------

    def seed(self) -> None:
        """Put the starting records into `self.data`."""

    def routes(self) -> None:
        """Add the vendor's endpoints to `self.app`."""

    def call_name(self) -> str:
        """Name the current request for fault matching and counting (a method name where the vendor has one)."""
        return request.path

    def credentials(self) -> dict[str, str]:
        """Return the settings a connection in `hub.yaml` needs to talk to this sandbox (urls from `base_url`)."""
        return {}

    def state(self) -> dict[str, Any]:
        """Return what the stand-in knows, JSON-ready."""
        return self.data

    # --- faults -----------------------------------------------------------------------------

    def fault_for(self, call: str, *kinds: str) -> Fault | None:
        """Take one armed fault of `kinds` that hits `call`, using up one of its times."""
        with self.lock:
            for fault in self.faults:
                if fault.kind in kinds and fault.match.lower() in call.lower():
                    fault.times -= 1
                    if fault.times <= 0:
                        self.faults.remove(fault)
                    return fault
        return None

    def _before(self) -> Response | tuple[str, int] | None:
        if request.path.startswith("/_sandbox/"):
            return None
        call = self.call_name()
        with self.lock:
            self.calls[call] = self.calls.get(call, 0) + 1
        if slow := self.fault_for(call, "slow"):
            time.sleep(slow.seconds)
        if self.fault_for(call, "outage"):
            return self._hang_up()
        if self.fault_for(call, "503"):
            return "<html><body><h1>503 Service Temporarily Unavailable</h1></body></html>", 503
        g.lose_reply = self.fault_for(call, "lost_reply") is not None
        return None

    def _after(self, response: Response) -> Response:
        return self._hang_up() if g.get("lose_reply") else response

    @staticmethod
    def _hang_up() -> Response:
        """Close the caller's socket; the empty answer that Flask still wants goes nowhere."""
        request.environ["werkzeug.socket"].shutdown(socket.SHUT_RDWR)
        return Response(status=204)

    # --- control ----------------------------------------------------------------------------

    def _control_routes(self) -> None:
        @self.app.post("/_sandbox/fault")
        def arm() -> Any:
            body = request.get_json(force=True)
            kinds = (*COMMON_FAULTS, *self.own_faults)
            if body.get("kind") not in kinds:
                return jsonify(error=f"unknown fault {body.get('kind')!r}; known: {', '.join(kinds)}"), 400
            with self.lock:
                self.faults.append(Fault(**body))
            return jsonify(armed=[asdict(fault) for fault in self.faults])

        @self.app.delete("/_sandbox/fault")
        def disarm() -> Any:
            with self.lock:
                self.faults.clear()
            return jsonify(armed=[])

        @self.app.get("/_sandbox/state")
        def state() -> Any:
            with self.lock:
                shown = {
                    **self.state(),
                    "calls": self.calls,
                    "faults": [asdict(fault) for fault in self.faults],
                }
                return Response(json.dumps(shown, default=str, ensure_ascii=False), mimetype="application/json")

        @self.app.post("/_sandbox/reset")
        def reset() -> Any:
            with self.lock:
                self.faults.clear()
                self.calls.clear()
                self.data.clear()
                self.seed()
            return jsonify(reset=True)

    # --- serving ----------------------------------------------------------------------------

    def start(self, port: int = 0, tls: bool = False) -> RunningSandbox:
        """Serve on 127.0.0.1 in a thread (port 0 picks a free one); `with` or `.stop()` ends it."""
        return RunningSandbox(self, port, tls)


class RunningSandbox:
    """A sandbox being served; `url` is its address. With TLS, `certificate` is the PEM file to trust."""

    def __init__(self, sandbox: Sandbox, port: int, tls: bool) -> None:
        self.sandbox = sandbox
        self.certificate: str | None = None
        context = None
        if tls:
            from hub.sandbox_tls import loopback_context

            context, self.certificate = loopback_context()
        self._server: BaseWSGIServer = make_server(
            "127.0.0.1", port, sandbox.app, threaded=True, ssl_context=context, request_handler=_QuietHandler
        )
        self._server.daemon_threads = True  # type: ignore[attr-defined]
        self.port = self._server.server_port
        self.url = f"{'https' if tls else 'http'}://127.0.0.1:{self.port}"
        sandbox.base_url = self.url
        self._thread = threading.Thread(
            target=self._server.serve_forever,
            kwargs={"poll_interval": 0.05},
            name=f"sandbox-{sandbox.vendor}",
            daemon=True,
        )
        self._thread.start()

    def stop(self) -> None:
        """Stop serving and close the port."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(5)

    def __enter__(self) -> RunningSandbox:
        return self

    def __exit__(self, *exc: object) -> None:
        self.stop()


class _QuietHandler(WSGIRequestHandler):
    """Keeps connections open between calls, logs nothing, and turns an armed hang-up into a closed socket."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Say nothing: a stand-in under load would drown the terminal."""

    def log(self, type: str, message: str, *args: object) -> None:
        """Say nothing, for the same reason."""


def now_utc() -> dt.datetime:
    """Return the present instant; sandboxes take time from here so that tests can replace it."""
    return dt.datetime.now(dt.UTC)
