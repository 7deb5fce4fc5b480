"""A stand-in of Unisender: the classic API, Unisender Go, and the webhooks of both.

    with UnisenderSandbox().start() as running:
        settings = running.sandbox.credentials()        # product: classic; for Go only change that word

One key serves both products here; in life each has its own. Beside what every sandbox has (`hub/sandbox.py`):

* `POST /_sandbox/letters/<id>/status` `{"status": "ok_read", "url"?}` moves a letter of sendEmail on
* `POST /_sandbox/jobs/<job>/status` `{"email", "status": "hard_bounced", "url"?, "delivery_status"?}` one of Go; with
  `silent` no webhook tells of it, and only a dump has it
* `POST /_sandbox/leave` `{"email", "list_ids"?}`, `POST /_sandbox/join` the same: a reader unsubscribes, subscribes
* `POST /_sandbox/campaigns/<id>/status`, `/_sandbox/sms/<id>/status`, `/_sandbox/tasks/<uuid>/finish`
* `POST /_sandbox/emit` `{"product", "event_name", "event_data"}` sends any other event
* `POST /_sandbox/suppress` `{"email", "reason"}` makes Go refuse an address while sending
* `POST /_sandbox/redeliver` `{"hours"?}` sends again what was not taken with 200; after 24 hours the hook is stopped
* `POST /_sandbox/hook` `{"url", "product"?, "single"?, "status"?}` makes a webhook as a person would in the cabinet, or
  switches one off (`disabled`, `deleted`)

Faults of its own, at the door of a call: `bad_key`, `no_rights`, `rate_limit`, `retry_later`, `no_money`.
The methods of the classic API are in `contacts`, `directory` and `mailing`, those of Go in `go` and `dumps`.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from typing import Any

from flask import Response, jsonify, request

from hub import phpform
from hub.sandbox import Sandbox
from plugins.unisender import codes
from plugins.unisender.sandbox import contacts, directory, dumps, go, mailing
from plugins.unisender.sandbox.outbox import Outbox
from plugins.unisender.sandbox.world import KEY, Fault, World

METHODS: dict[str, Callable[[World, dict[str, Any]], Any]] = {
    **contacts.METHODS,
    **directory.METHODS,
    **mailing.METHODS,
}

#: fault -> (classic code, HTTP status in Go)
_DOOR = {
    "bad_key": ("invalid_api_key", 401),
    "no_rights": ("access_denied", 403),
    "rate_limit": ("api_call_limit_exceeded_for_api_key", 429),
    "retry_later": ("retry_later", 500),
    "no_money": ("not_enough_money", 402),
}


class UnisenderSandbox(Sandbox):
    """One account with both products."""

    vendor = "unisender"
    own_faults = tuple(_DOOR)

    def __init__(self, clock: Callable[[], float] = time.time, limits: bool = True) -> None:
        self._clock, self._limited = clock, limits
        self._called: dict[str, deque[float]] = {}
        super().__init__()

    def seed(self) -> None:
        """Two lists, one of them with a confirmation letter; three fields; a template of Go."""
        self.world = World(self._clock)
        self.outbox = Outbox(self.world)
        self._called = {}

    def credentials(self) -> dict[str, str]:
        """The settings of a connection."""
        return {
            "product": "classic",
            "api_key": KEY,
            "base_url": self.base_url,
            "from_email": "club@dogclub.example",
            "from_name": "Dog club",
        }

    def state(self) -> dict[str, Any]:
        """Everything the account holds, and what waits to be delivered again."""
        return {**self.world.state(), "waiting": self.outbox.waiting_count()}

    def call_name(self) -> str:
        """The method's name: `subscribe`, `async/exportContacts`, `email/send`."""
        _, found, method = request.path.partition("/api/v1/")
        if found:
            return method.removesuffix(".json")
        return request.path.partition("/api/")[2] or request.path

    # --- the two doors --------------------------------------------------------------------------

    def routes(self) -> None:
        """Both APIs, and the handles of tests."""

        @self.app.route("/<language>/api/<path:method>", methods=["GET", "POST"])
        def classic(language: str, method: str) -> Response:
            try:
                with self.lock:
                    result = self._classic(method)
                    changes, self.world.changes = self.world.changes, []
                for name, data in changes:  # before the answer: the hub must know its echo all the same
                    self.outbox.emit("classic", name, data)
                return jsonify(result=result)
            except Fault as fault:
                return jsonify(error=fault.text, code=fault.code)

        @self.app.post("/<language>/transactional/api/v1/<path:method>")
        def transactional(language: str, method: str) -> tuple[Response, int]:
            try:
                with self.lock:
                    return jsonify(self._go(method.removesuffix(".json"))), 200
            except Fault as fault:
                return jsonify(status="error", message=fault.text, code=fault.number), fault.status

        self._handles()

    def _classic(self, method: str) -> Any:
        """Answer a call: parameters come in the query, the form, or both; a body of another kind is ignored."""
        pairs = [*request.args.items(multi=True), *request.form.items(multi=True)]
        given = phpform.decode(pairs)
        for kind, (code, _) in _DOOR.items():
            if self.fault_for(method, kind):
                raise Fault(code, f"fault {kind}")
        if given.get("api_key") != KEY:
            raise Fault("invalid_api_key", "Error ID:00000000-0000-4000-8000-000000000000. The API key is not valid")
        if str(given.get("format", "json")) != "json":
            raise Fault("invalid_arg", "'format' - only json is answered")
        self._count("", codes.ALL_CALLS)
        if method in codes.OWN_LIMITS:
            self._count(method, codes.OWN_LIMITS[method])
        handler = METHODS.get(method)
        if handler is None:
            raise Fault("unknown_method", f"Unknown method {method}")
        return handler(self.world, given)

    def _go(self, method: str) -> dict[str, Any]:
        body = request.get_json(force=True, silent=True)
        if not isinstance(body, dict):
            raise Fault("", "The body is not a JSON object", 400)
        for kind, (_, status) in _DOOR.items():
            if self.fault_for(method, kind):
                raise Fault("", f"fault {kind}", status)
        if (request.headers.get("X-API-KEY") or body.get("api_key")) != KEY:
            raise Fault("", "User with this api_key was not found", 401)
        if request.content_length and request.content_length > 10 * 1024 * 1024:
            raise Fault("", "The request is larger than 10 MB", 413)
        handler = {**go.METHODS, **dumps.METHODS}.get(method)
        if handler is None:
            raise Fault("", f"Method {method} does not exist", 404)
        return {"status": "success", **handler(self.world, body)}

    def _count(self, method: str, most: int) -> None:
        """Hold a limit of calls in 60 s."""
        now, calls = self._clock(), self._called.setdefault(method, deque())
        while calls and calls[0] <= now - 60:
            calls.popleft()
        if len(calls) >= most and self._limited:
            raise Fault("api_call_limit_exceeded_for_api_key", f"API limit reached: {most} calls in 60 s")
        calls.append(now)

    # --- the handles of tests -------------------------------------------------------------------

    def _handles(self) -> None:
        def handle(path: str, act: Callable[..., Any]) -> None:
            def view(**names: str) -> Any:
                body = request.get_json(force=True, silent=True) or {}
                try:
                    return jsonify(act(**names, body=body) or {"done": True})
                except Fault as fault:
                    return jsonify(error=fault.text), 400

            self.app.add_url_rule(f"/_sandbox/{path}", path, view, methods=["POST"])

        box = self.outbox_now
        handle("letters/<id>/status", lambda id, body: box().letter(id, body))
        handle("jobs/<id>/status", lambda id, body: box().job(id, body))
        handle("leave", lambda body: box().leave(body))
        handle("join", lambda body: box().join(body))
        handle("campaigns/<id>/status", lambda id, body: box().campaign(id, body))
        handle("sms/<id>/status", lambda id, body: box().sms(id, body))
        handle("tasks/<id>/finish", lambda id, body: box().task(id, body, self.base_url))
        handle("emit", lambda body: box().emit(body.get("product", "classic"), body["event_name"], body["event_data"]))
        handle("suppress", lambda body: self.world.suppressed.__setitem__(body["email"].lower(), body["reason"]))
        handle("redeliver", lambda body: box().redeliver(float(body.get("hours", 0))))
        handle("hook", lambda body: box().by_hand(body))

        @self.app.get("/files/<name>")
        def file(name: str) -> Response:
            return Response(contacts.csv(self.world), mimetype="text/csv")

        @self.app.get("/event-dump/<name>.csv")
        def dump(name: str) -> Response:
            with self.lock:
                found = dumps.file(self.world, name)
            return Response(found or "", 200 if found else 404, mimetype="text/csv")

    def outbox_now(self) -> Outbox:
        """Return the outbox of the present world: a reset makes a new one."""
        return self.outbox
