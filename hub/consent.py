"""Consent at `/oauth/<connection>`: an administrator is led to the vendor's page, and its answer is taken.

The answer has to come back in the browser in which the consent was begun: its state is signed together with a word
that only a cookie of that browser knows. So nobody can begin one of their own and have somebody else end it.
"""

from __future__ import annotations

import hmac
import logging
import secrets
import time
from dataclasses import replace
from http.cookies import CookieError, SimpleCookie

from hub.connector import Connector
from hub.errors import HubError, Rejected
from hub.model import Reply, Request
from hub.receive import Receiver
from hub.runtime import Runtime
from hub.store import state

log = logging.getLogger("hub.consent")

#: seconds in which a consent has to be given
SECONDS = 900
COOKIE = "hub_consent"


def take(runtime: Runtime, name: str, request: Request, receiver: Receiver) -> Reply:
    """Lead an administrator to the vendor's consent page, or take its answer.

    What is neither may be a message of the vendor's that has no other address (that the integration was switched off):
    it is received like any other, if the plugin finds it genuine.
    """
    try:
        connector = runtime.connector(name)
    except KeyError:
        return Reply(404, "no connection of that name")
    try:
        if request.method == "POST" or _answers(request):
            return _answer(runtime, connector, name, request)
        if request.query_value("state") is None and request.query:
            message = receiver(name, request)
            if message.status < 400:
                return message
            raise Rejected(400, "this is neither a start nor an answer of a consent")
        return _begin(runtime, connector, name)
    except Rejected as refusal:
        return Reply(refusal.status, connector.http.masker.mask_call(refusal.reason))
    except HubError as trouble:
        masked = connector.http.masker.mask_call(str(trouble))
        log.warning("consent for %s failed: %s", name, masked)
        return Reply(502, f"The consent could not be completed: {masked}")
    except Exception as trouble:  # noqa: BLE001 (a plugin stumbles over what anyone may send: that is no 500)
        log.error("plugin %s: consent failed: %s", connector.name, type(trouble).__name__)
        return Reply(400, f"plugin {connector.name} could not read this")


def _begin(runtime: Runtime, connector: Connector, name: str) -> Reply:
    word = secrets.token_urlsafe(24)
    target = connector.authorize_url(make_state(runtime, name, word), f"{runtime.config.hub.base_url}/oauth/{name}")
    if target is None:
        return Reply(404, f"plugin {connector.name} needs no consent")
    return Reply(302, "", headers={"Location": target, **_cookie(runtime, name, word, SECONDS)})


def _answers(request: Request) -> bool:
    return bool(request.query_value("code") or request.query_value("error"))


def _answer(runtime: Runtime, connector: Connector, name: str, request: Request) -> Reply:
    if _answers(request):  # an installation, which is posted, is made sure of by the plugin
        _check_state(runtime, name, request)
    before = _tokens(runtime, name)
    reply = connector.consent(request)
    if _tokens(runtime, name) != before:  # what was taken may have been something else than new credentials
        lift_hold(runtime, name)
    if _answers(request):
        return replace(reply, headers={**reply.headers, **_cookie(runtime, name, "", 0)})
    return reply


def _tokens(runtime: Runtime, name: str) -> int | None:
    """Return how often credentials were stored, None for never."""
    with runtime.store.read() as db:
        row = db.one("SELECT version FROM token WHERE connection = ?", (name,))
    return int(row[0]) if row else None


def lift_hold(runtime: Runtime, name: str) -> None:
    """Let a connection's calls out again: it has new credentials."""
    with runtime.store.write() as db:
        known = state.healths(db).get(name)
        if known is not None and known.held is not None:
            state.lift(db, name)


# --- state ----------------------------------------------------------------------------------------------


def make_state(runtime: Runtime, name: str, word: str, at: int | None = None) -> str:
    """Return a signed, short-lived state: it proves that the answer belongs to a consent begun in this browser."""
    at = int(time.time()) if at is None else at
    return f"{at}.{_sign(runtime, name, word, at)}"


def _check_state(runtime: Runtime, name: str, request: Request) -> None:
    given, word = request.query_value("state") or "", _word(request)
    at, _, _ = given.partition(".")
    fresh = at.isdecimal() and len(at) < 12 and 0 <= time.time() - int(at) < SECONDS
    if not fresh or not word or not hmac.compare_digest(
        given.encode(), make_state(runtime, name, word, int(at)).encode()
    ):  # fmt: skip
        address = f"{runtime.config.hub.base_url}/oauth/{name}"
        raise Rejected(
            403, f"this consent was not begun in this browser, or too long ago: open {address} and begin again"
        )


def _sign(runtime: Runtime, name: str, word: str, at: int) -> str:
    return hmac.new(runtime.secret(), f"state:{name}:{at}:{word}".encode(), "sha256").hexdigest()[:32]


def _cookie(runtime: Runtime, name: str, word: str, seconds: int) -> dict[str, str]:
    """Return the header that has a browser keep the word, or forget it; no script reads it, no other site sends it."""
    secure = "; Secure" if runtime.config.hub.base_url.startswith("https:") else ""
    kept = f"{COOKIE}={word}; Path=/oauth/{name}; Max-Age={seconds}; HttpOnly; SameSite=Lax{secure}"
    return {"Set-Cookie": kept, "Cache-Control": "no-store"}


def _word(request: Request) -> str:
    try:
        found = SimpleCookie(request.headers.get("cookie", "")).get(COOKIE)
    except CookieError:
        return ""
    return found.value if found is not None else ""
