"""A stand-in of Calltouch: its journals, lead-service, widget-service and the hooks of one cabinet.

    with CalltouchSandbox().start() as running:
        settings = running.sandbox.credentials()

Beside what every sandbox has (`hub/sandbox.py`):

* `POST /_sandbox/hooks` `{"url", "method", "format", "fields", "moments"}` adds a hook, as an admin does in the cabinet
* `POST /_sandbox/calls` `{"phone", "duration", "manager", ...}` has somebody call; hooks are sent, the journal knows it
* `POST /_sandbox/requests` `{"phone", "name", "subject", ...}` has somebody fill in a form
* `POST /_sandbox/quirks` `{"refusals": "status"}` switches how a deal is refused, which no page tells: as an item of a
  good answer (`items`) or by the status (`status`); `{"bare_list": true}` has the journal of calls ignore pages

What isn't published is made up and marked as such where it stands: bodies of errors, the answers about deals.
"""

from __future__ import annotations

import datetime as dt
from collections import deque
from collections.abc import Callable
from typing import Any
from zoneinfo import ZoneInfo

from flask import Response, jsonify, request

from hub.sandbox import Sandbox, now_utc
from plugins.calltouch.sandbox import hooks, journals, leads

SITE, LOGIN_TOKEN, API_KEY = "52001", "FAKE_CLIENT_API_ID_0000000000", "FAKE_ACCESS_TOKEN_00000000000"
SECRET = "sandbox-secret-of-calltouch"


class CalltouchSandbox(Sandbox):
    """One cabinet."""

    vendor = "calltouch"
    own_faults = (
        "rate_limit",  # 429
        "bad_token",  # 401
        "no_right",  # 403
        "html",  # HTTP 200 with a page instead of JSON
        "empty",  # HTTP 200 and nothing
        "not_imported",  # the first item of a batch isn't taken
    )

    def __init__(
        self, clock: Callable[[], dt.datetime] = now_utc, calls_per_second: int = 5, zone: str = "Europe/Moscow"
    ) -> None:
        self.clock, self.calls_per_second, self.zone = clock, calls_per_second, ZoneInfo(zone)
        super().__init__()

    def seed(self) -> None:
        """Start with a cabinet where nothing has happened."""
        self.recent: deque[dt.datetime] = deque()
        self.quirks: dict[str, Any] = {"refusals": "items", "bare_list": False}
        self.numbers = {"call": 300_000_000, "request": 700_000_000, "session": 400_000_000, "log": 1_000_000}
        self.data.update(
            diary=[], requests=[], orders={}, comments=[], tags=[], fields=[], imported={}, callbacks=[], hooks=[],
            sent=[],
        )  # fmt: skip

    def number(self, kind: str) -> int:
        """Return the next id of a kind."""
        with self.lock:
            self.numbers[kind] += 1
            return self.numbers[kind]

    def call_name(self) -> str:
        """Return the path behind the service: `client-order/create`, `calls-diary/calls`."""
        for start in ("/lead-service/v1/api/", "/widget-service/v1/api/", "/calls-service/RestAPI/"):
            if request.path.startswith(start):
                return request.path.removeprefix(start).replace(f"{SITE}/", "").strip("/")
        return request.path

    def credentials(self) -> dict[str, str]:
        """Return what a connection of the plugin needs."""
        return {
            "site_id": SITE,
            "client_api_id": LOGIN_TOKEN,
            "access_token": API_KEY,
            "secret": SECRET,
            "base_url": self.base_url,
            "timezone": self.zone.key,
        }

    def routes(self) -> None:
        """Add the vendor's endpoints and the controls."""
        self.app.url_map.strict_slashes = False
        self.app.before_request(self._gate)
        journals.routes(self)
        leads.routes(self)
        self.app.add_url_rule("/_sandbox/hooks", "add_hook", self._add_hook, methods=["POST"])
        self.app.add_url_rule("/_sandbox/calls", "call", self._call, methods=["POST"])
        self.app.add_url_rule("/_sandbox/requests", "fill", self._fill, methods=["POST"])
        self.app.add_url_rule("/_sandbox/quirks", "quirks", self._quirk, methods=["POST"])

    # --- what happens in the cabinet ----------------------------------------------------------------

    def _add_hook(self) -> Any:
        wanted = request.get_json(force=True)
        with self.lock:
            self.data["hooks"].append(hooks.hook(wanted))
        return jsonify(hooks=self.data["hooks"])

    def _call(self) -> Any:
        return jsonify(self.call(**request.get_json(force=True)))

    def _fill(self) -> Any:
        return jsonify(self.fill(**request.get_json(force=True)))

    def _quirk(self) -> Any:
        self.quirks |= request.get_json(force=True)
        return jsonify(self.quirks)

    def call(self, phone: str, lost: bool = False, **more: Any) -> dict[str, Any]:
        """Have somebody call; `lost`: the hooks get lost on the way. Returns the journal's record."""
        record = hooks.call_record(self, phone, **more)
        if not lost:
            hooks.send(self, hooks.call_message(record, started=True), "start")
        with self.lock:
            self.data["diary"].append(record)
        if not lost:
            hooks.send(self, hooks.call_message(record, started=False), "end")
        return record

    def fill(self, phone: str = "", lost: bool = False, **more: Any) -> dict[str, Any]:
        """Have somebody fill in a form of the site. Returns the journal's record."""
        record = hooks.request_record(self, phone, **more)
        with self.lock:
            self.data["requests"].append(record)
        if not lost:
            hooks.send(self, hooks.request_message(record), "request")
        return record

    # --- the gate -------------------------------------------------------------------------------------

    def _gate(self) -> Any:
        """Refuse what is too fast, carries no token, or meets an armed fault. Bodies of these errors are made up."""
        if request.path.startswith("/_sandbox/"):
            return None
        call = self.call_name()
        if self._too_fast() or self.fault_for(call, "rate_limit"):
            return refused(429, "Too many requests")
        if self.fault_for(call, "bad_token"):
            return refused(401, "Invalid credentials")
        if self.fault_for(call, "no_right"):
            return refused(403, "Access denied")
        if self.fault_for(call, "html"):
            return "<html><head><title>Calltouch</title></head><body>Технические работы</body></html>", 200
        if self.fault_for(call, "empty"):
            return Response("", 200)
        return self._token(call)

    def _token(self, call: str) -> Any:
        if request.path.startswith(("/lead-service/", "/widget-service/")):
            if request.headers.get("Access-Token") != API_KEY:
                return refused(401, "Invalid credentials")
            site = request.headers.get("SiteId", "")
            if site != SITE and (site or request.path.startswith("/lead-service/")):
                return refused(403, "Access denied")
        elif request.path.startswith("/calls-service/") and not call.endswith("register"):
            if request.args.get("clientApiId") != LOGIN_TOKEN:
                return refused(401, "Invalid credentials")
            if SITE not in (request.args.get("siteId"), *request.path.split("/")):
                return refused(403, "Access denied")
        return None

    def _too_fast(self) -> bool:
        if not self.calls_per_second:
            return False
        now = self.clock()
        with self.lock:
            while self.recent and (now - self.recent[0]).total_seconds() >= 1:
                self.recent.popleft()
            if len(self.recent) >= self.calls_per_second:
                return True
            self.recent.append(now)
        return False


def refused(status: int, words: str, code: int = 0) -> tuple[Response, int]:
    """Return an error in the form that is known of widget-service."""
    return jsonify(data={"apiErrorData": {"errorCode": code or status, "errorMessage": words}}), status
