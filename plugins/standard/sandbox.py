"""A receiver on loopback: takes any call, checks Standard Webhooks signatures with their library, keeps what it got.

`GET /_sandbox/state` shows `received`: method, path, query, headers, body, and `signature` (`valid`, `absent`, or why
not). `POST /_sandbox/answer {"status": 409, "json": {...}, "times": 2}` sets the answer of the next calls; without
`times` of all. A message id that comes again is answered as before and counted in `repeats`.
"""

from __future__ import annotations

from typing import Any

from flask import Response, jsonify, request
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from hub.sandbox import Sandbox

SECRET = "whsec_c2FuZGJveC1zZWNyZXQtc2FuZGJveA=="


class StandardSandbox(Sandbox):
    """The other side of an event."""

    vendor = "standard"

    def seed(self) -> None:
        """Start with nothing received, answering 200."""
        self.data.update(received=[], repeats=0, answer={"status": 200, "json": {"ok": True}}, answers=[])

    def credentials(self) -> dict[str, Any]:
        """Return settings for a `standard` connection that sends here."""
        return {"base_url": self.base_url, "secrets": [SECRET]}

    def routes(self) -> None:
        """Add the receiver and the switch for its answers."""

        @self.app.post("/_sandbox/answer")
        def answer() -> Any:
            wanted = request.get_json(force=True)
            times = wanted.pop("times", None)
            with self.lock:
                if times:
                    self.data["answers"] += [wanted] * times
                else:
                    self.data["answer"] = wanted
            return jsonify(wanted)

        @self.app.route("/", defaults={"path": ""}, methods=["GET", "POST", "PUT", "PATCH", "DELETE"])
        @self.app.route("/<path:path>", methods=["GET", "POST", "PUT", "PATCH", "DELETE"])
        def receive(path: str) -> Any:
            return self._receive()

    def _receive(self) -> Response:
        body = request.get_data()
        message = request.headers.get("Webhook-Id", "")
        with self.lock:
            if message and any(one["headers"].get("Webhook-Id") == message for one in self.data["received"]):
                self.data["repeats"] += 1
            self.data["received"].append(
                {
                    "method": request.method,
                    "path": request.path,
                    "query": request.args.to_dict(),
                    "headers": dict(request.headers),
                    "body": body.decode("utf-8", "replace"),
                    "signature": _judge(body),
                }
            )
            answer = self.data["answers"].pop(0) if self.data["answers"] else self.data["answer"]
        response = jsonify(answer.get("json"))
        response.status_code = int(answer.get("status", 200))
        response.headers.update(answer.get("headers", {}))
        return response


def _judge(body: bytes) -> str:
    if "Webhook-Signature" not in request.headers:
        return "absent"
    try:
        Webhook(SECRET).verify(body, dict(request.headers), json_parse=False)
    except WebhookVerificationError as error:
        return str(error)
    return "valid"
