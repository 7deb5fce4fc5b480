"""The base of stand-ins for products of Meta's: Graph paths, tokens, error bodies, usage headers, signed webhooks.

A product's stand-in subclasses `GraphSandbox`, registers its endpoints by `graph(...)`, and raises `GraphError`. What a
test can do beyond `/_sandbox/fault|state|reset`:

* `POST /_sandbox/handler` `{"url"}` saves the address as the App Dashboard does: a handshake first, then webhooks
* `POST /_sandbox/emit` `{"entry": [..]}` sends any webhook
* `POST /_sandbox/usage` `{"percent", "minutes"}` sets what the usage headers say
"""

from __future__ import annotations

import datetime as dt
import json
import queue
import re
import secrets
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import requests
from flask import Response, jsonify, request

from hub import sandbox as base
from plugins.meta.signature import digest

APP_ID = "990000000000001"
APP_SECRET = "fake_app_secret_0123456789abcdef"
VERIFY_TOKEN = "fake_verify_token"

_VERSION = re.compile(r"v\d{1,3}\.\d")
_DAY = 86_400.0
LONG, SHORT = 60 * _DAY, 3600.0

#: fault -> (code, subcode, message, type)
FAULTS: Mapping[str, tuple[int, int | None, str, str]] = {
    "expired_token": (190, 463, "Error validating access token: Session has expired.", "OAuthException"),
    "rate_limit": (80002, None, "(#80002) There have been too many calls to this Instagram account.", "OAuthException"),
    "app_limit": (4, None, "(#4) Application request limit reached", "OAuthException"),
    "temporary": (2, None, "(#2) Service temporarily unavailable", "OAuthException"),
    "unknown_error": (1, None, "An unknown error has occurred.", "OAuthException"),
    "permission": (10, None, "(#10) Application does not have permission for this action", "OAuthException"),
    "spam": (368, None, "(#368) The action attempted has been deemed abusive", "OAuthException"),
}
_WEBHOOK_FAULTS = ("drop_webhook", "duplicate_webhook")
_GATEWAY = "<!DOCTYPE html><html><head><title>Error</title></head><body>Sorry, something went wrong.</body></html>"


class GraphError(Exception):
    """An error in Meta's envelope; its status is 400 for nearly everything."""

    def __init__(self, code: int, message: str, subcode: int | None = None, type: str = "OAuthException") -> None:
        super().__init__(message)
        self.code, self.subcode, self.type = code, subcode, type

    def body(self) -> dict[str, Any]:
        """Return the envelope."""
        error: dict[str, Any] = {"message": str(self), "type": self.type, "code": self.code}
        if self.subcode is not None:
            error["error_subcode"] = self.subcode
        return {"error": {**error, "fbtrace_id": "A" + secrets.token_hex(10)}}


@dataclass
class Token:
    """An access token of the stand-in. `kind`: short, long, user, page."""

    account: str
    kind: str
    issued: float
    expires: float | None


@dataclass
class Call:
    """One call: method, path without the version, parameters from query, form or JSON, whose token it has, which."""

    method: str
    path: list[str]
    params: dict[str, Any]
    account: str
    kind: str


class GraphSandbox(base.Sandbox):
    """Tokens, errors, usage and webhooks; the product adds what lies under the paths."""

    #: `object` in the product's webhooks
    webhook_object = ""
    own_faults = (*FAULTS, "html", "sent_but_error", *_WEBHOOK_FAULTS)

    def __init__(self, clock: Callable[[], dt.datetime] | None = None) -> None:
        self.clock = clock or (lambda: base.now_utc())
        self._queue: queue.Queue[bytes | None] = queue.Queue()
        self._sender: threading.Thread | None = None
        super().__init__()

    def seed(self) -> None:
        """Forget tokens, the handler and what was sent to it."""
        self.tokens: dict[str, Token] = {}
        self.handler = ""
        self.webhooks: list[dict[str, Any]] = []
        self.usage = {"percent": 1, "minutes": 0}

    # --- what a product fills in -----------------------------------------------------------------------------------

    def graph(self, call: Call) -> Any:
        """Answer a call whose token is good."""
        raise GraphError(2500, f"Unknown path components: /{'/'.join(call.path)}", type="OAuthException")

    # --- tokens ----------------------------------------------------------------------------------------------------

    def issue(self, account: str, kind: str, lives: float | None) -> str:
        """Make a token."""
        now = self.clock().timestamp()
        token = f"{'IG' if kind in ('short', 'long') else 'EA'}FAKE{secrets.token_hex(12)}"
        self.tokens[token] = Token(account, kind, now, now + lives if lives else None)
        return token

    def token(self, given: str) -> Token:
        """Return a token that is good; raises code 190."""
        found = self.tokens.get(given)
        if found is None:
            raise GraphError(190, "Invalid OAuth access token - Cannot parse access token", type="OAuthException")
        if found.expires is not None and found.expires < self.clock().timestamp():
            raise GraphError(190, "Error validating access token: Session has expired.", 463)
        return found

    # --- calls -----------------------------------------------------------------------------------------------------

    def call_name(self) -> str:
        """Name a call by method and path without its version: `POST me/messages`."""
        path = [part for part in request.path.split("/") if part]
        return f"{request.method} {'/'.join(path[1:] if path and _VERSION.fullmatch(path[0]) else path)}"

    def routes(self) -> None:
        """Add the Graph under every path, and the controls."""
        self.app.add_url_rule("/<path:path>", view_func=self._answer, methods=["GET", "POST", "DELETE"])
        self.app.add_url_rule("/_sandbox/handler", view_func=self._handler, methods=["POST"])
        self.app.add_url_rule("/_sandbox/emit", view_func=self._emit, methods=["POST"])
        self.app.add_url_rule("/_sandbox/usage", view_func=self._usage, methods=["POST"])

    def open_path(self, path: list[str], params: dict[str, Any]) -> Any | None:
        """Answer a call that needs no token (token servers, consent); None if this is none."""
        return None

    def _answer(self, path: str) -> Any:
        parts = [part for part in path.split("/") if part]
        if parts and _VERSION.fullmatch(parts[0]):
            parts = parts[1:]
        params = parameters()
        name = self.call_name()
        try:
            if fault := self.fault_for(name, *FAULTS, "html"):
                if fault.kind == "html":
                    return Response(_GATEWAY, 500, mimetype="text/html")
                code, subcode, message, type = FAULTS[fault.kind]
                if fault.kind == "rate_limit":
                    self.usage = {"percent": 100, "minutes": 1}
                raise GraphError(code, message, subcode, type)
            with self.lock:
                answer = self.open_path(parts, params)
                if answer is None:
                    given = bearer(params)
                    held = self.token(given)
                    params.pop("access_token", None)
                    self._proven(given, params.pop("appsecret_proof", None))
                    answer = self.graph(Call(request.method, parts, params, held.account, held.kind))
                    if self.fault_for(name, "sent_but_error"):
                        raise GraphError(1, "An unknown error occurred", 1357046)
        except GraphError as error:
            return self._with_usage(jsonify(error.body()), 400)
        if isinstance(answer, Response):
            return answer
        return self._with_usage(jsonify(answer), 200)

    @staticmethod
    def _proven(token: str, proof: Any) -> None:
        """Raise if a proof is given and isn't the token's HMAC with the app secret."""
        if proof and str(proof) != digest(APP_SECRET, token.encode()):
            raise GraphError(100, "Invalid appsecret_proof provided in the API argument", type="GraphMethodException")

    def _with_usage(self, response: Response, status: int) -> Response:
        response.status_code = status
        percent, minutes = self.usage["percent"], self.usage["minutes"]
        if status != 200 or percent > 1:
            share = {"type": "instagram", "call_count": percent, "total_cputime": 1, "total_time": 1,
                     "estimated_time_to_regain_access": minutes}  # fmt: skip
            response.headers["X-Business-Use-Case-Usage"] = json.dumps({self.share_of(): [share]})
        response.headers["X-App-Usage"] = json.dumps({"call_count": 1, "total_time": 1, "total_cputime": 1})
        return response

    def share_of(self) -> str:
        """Return the id under which calls are counted."""
        return APP_ID

    # --- webhooks --------------------------------------------------------------------------------------------------

    def tell(self, entry: dict[str, Any]) -> None:
        """Send one entry to the handler, signed as it stands on the wire: non-ASCII escaped, `/` as `\\/`."""
        body = {"object": self.webhook_object, "entry": [entry]}
        raw = json.dumps(body, ensure_ascii=True, separators=(",", ":")).replace("/", "\\/").encode()
        times = 2 if self.fault_for("webhook", "duplicate_webhook") else 1
        lost = self.fault_for("webhook", "drop_webhook") is not None
        self.webhooks.append({"entry": entry, "status": "lost" if lost or not self.handler else "queued"})
        if lost or not self.handler:
            return
        if self._sender is None or not self._sender.is_alive():
            self._sender = threading.Thread(target=self._send, daemon=True, name="sandbox-webhooks")
            self._sender.start()
        for _ in range(times):
            self._queue.put(raw)

    def _send(self) -> None:
        while (raw := self._queue.get()) is not None:
            headers = {
                "Content-Type": "application/json",
                "X-Hub-Signature-256": f"sha256={digest(APP_SECRET, raw)}",
                "User-Agent": "facebookexternalua",
            }
            status: Any = "failed"
            for _ in range(3):  # immediate retries; the hours that follow are left out
                try:
                    status = requests.post(self.handler, data=raw, headers=headers, timeout=5).status_code
                except requests.RequestException:
                    continue
                if status == 200:
                    break
            with self.lock:
                told = next((one for one in self.webhooks if one["status"] == "queued"), None)
                if told is not None:
                    told["status"] = status
            self._queue.task_done()

    def wait_webhooks(self) -> None:
        """Wait until every webhook went out."""
        self._queue.join()

    def _handler(self) -> Any:
        url = str(request.get_json(force=True).get("url") or "")
        challenge = str(secrets.randbelow(10**10))
        asked = {"hub.mode": "subscribe", "hub.challenge": challenge, "hub.verify_token": VERIFY_TOKEN}
        try:
            answer = requests.get(url, params=asked, timeout=5)
        except requests.RequestException as error:
            return jsonify(error=f"The URL couldn't be validated: {type(error).__name__}"), 400
        if answer.status_code != 200 or answer.text != challenge:
            return jsonify(error=f"The URL couldn't be validated: HTTP {answer.status_code}"), 400
        self.handler = url
        return jsonify(success=True)

    def _emit(self) -> Any:
        for entry in request.get_json(force=True).get("entry") or []:
            self.tell(entry)
        return jsonify(success=True)

    def _usage(self) -> Any:
        self.usage = {**self.usage, **request.get_json(force=True)}
        return jsonify(self.usage)


def parameters() -> dict[str, Any]:
    """Return the parameters of the present request; values of a form are JSON where they can be."""
    found: dict[str, Any] = dict(request.args.items())
    if request.mimetype == "application/json":
        body = request.get_json(force=True, silent=True)
        return {**found, **body} if isinstance(body, dict) else found
    for name, value in request.form.items():
        try:
            found[name] = json.loads(value) if value[:1] in "{[" else value
        except json.JSONDecodeError:
            found[name] = value
    return found


def bearer(params: Mapping[str, Any]) -> str:
    """Return the token of the present request, from the header or the parameters."""
    header = request.headers.get("Authorization", "")
    if header.lower().startswith(("bearer ", "oauth ")):
        return header.partition(" ")[2].strip()
    if given := params.get("access_token"):
        return str(given)
    raise GraphError(2500, "An active access token must be used to query information about the current user.")
