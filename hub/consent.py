"""Consent at `/oauth/<connection>`: begun by a link that works once, ended in the browser in which it was begun."""

from __future__ import annotations

import logging
import secrets
from urllib.parse import urlencode, urlsplit

from werkzeug.http import dump_cookie, parse_cookie

from hub.connector import Connector
from hub.errors import HubError, Rejected
from hub.model import Reply, Request
from hub.receive import Receiver
from hub.runtime import Runtime
from hub.store import consents, state

log = logging.getLogger("hub.web")

#: seconds from the link to its opening, and from there to the vendor's answer
SECONDS = 900
#: the parameter of the address that carries the link's word
_BEGIN = "begin"
#: a page whose address holds a word that works once is neither kept nor named to the next site
_PRIVATE = {"Cache-Control": "no-store", "Referrer-Policy": "no-referrer"}


def address(base_url: str, name: str) -> str:
    """Return where a connection's consent lives."""
    return f"{base_url.rstrip('/')}/oauth/{name}"


def invite(runtime: Runtime, name: str) -> str | None:
    """Return a link that begins the consent of a connection, once; None where the plugin has none to give."""
    base = runtime.config.hub.base_url
    if runtime.connector(name).authorize_url("check", address(base, name)) is None:
        return None
    word = secrets.token_urlsafe(24)
    with runtime.store.write() as db:
        consents.issue(db, "link", name, word, SECONDS)
    return f"{address(base, name)}?{urlencode({_BEGIN: word})}"


def answer(runtime: Runtime, name: str, request: Request, receiver: Receiver) -> Reply:
    """Begin a consent, take the vendor's answer to one, or say how one is begun.

    What is neither may be a message of the vendor's that has no other address (that the integration was switched off):
    it is received like any other, if the plugin finds it genuine.
    """
    try:
        connector = runtime.connector(name)
    except KeyError:
        return Reply(404, "no connection of that name")
    try:
        return _answer(runtime, connector, name, request, receiver)
    except Rejected as refusal:
        return Reply(refusal.status, connector.http.masker.mask_call(refusal.reason))
    except HubError as trouble:
        masked = connector.http.masker.mask_call(str(trouble))
        log.warning("consent for %s failed: %s", name, masked)
        return Reply(502, f"The consent could not be completed: {masked}")
    except Exception as trouble:  # noqa: BLE001 (a plugin stumbles over what anyone may send: that is no 500)
        log.error("plugin %s: consent failed: %s", connector.name, type(trouble).__name__)
        return Reply(400, f"plugin {connector.name} could not read this")


def _answer(runtime: Runtime, connector: Connector, name: str, request: Request, receiver: Receiver) -> Reply:
    coded = request.query_value("code") or request.query_value("error")
    if request.method == "POST" or coded:
        if request.method != "POST" or coded:
            _end(runtime, name, request)
        before = _token_version(runtime, name)
        reply = connector.consent(request)
        if _token_version(runtime, name) != before:  # some answers only show a page: they prove nothing
            lift_hold(runtime, name)
        return reply
    redirect = address(runtime.config.hub.base_url, name)
    word = request.query_value(_BEGIN)
    if word is not None and request.method == "GET":  # a HEAD of something that previews links spends none
        return _begin(runtime, connector, name, word, redirect)
    if word is None and request.query_value("state") is None and request.query:
        message = receiver(name, request)
        if message.status < 400:
            return message
        raise Rejected(400, "this is neither a start nor an answer of a consent")
    if connector.authorize_url("check", redirect) is None:
        raise Rejected(404, f"plugin {connector.name} needs no consent")
    return Reply(200, f"Nothing begins here. Run `hub connect {name}` and open the link it prints.\n", headers=_PRIVATE)


def _begin(runtime: Runtime, connector: Connector, name: str, word: str, redirect: str) -> Reply:
    """Send the browser on to the vendor, with a state that only this browser can bring back."""
    given, browser = secrets.token_urlsafe(24), secrets.token_urlsafe(24)
    target = connector.authorize_url(given, redirect)
    if target is None:
        raise Rejected(404, f"plugin {connector.name} needs no consent")
    with runtime.store.write() as db:
        begun = consents.take(db, "link", name, word)
        if begun:
            consents.issue(db, "state", name, given, SECONDS, browser)
    if not begun:
        raise Rejected(
            403, f"this link was used already, or is older than {SECONDS // 60} minutes: run `hub connect {name}` again"
        )
    cookie = dump_cookie(
        _cookie(name), browser, max_age=SECONDS, path=urlsplit(redirect).path, httponly=True, samesite="Lax",
        secure=redirect.startswith("https://"),
    )  # fmt: skip
    return Reply(302, "", headers={"Location": target, "Set-Cookie": cookie, **_PRIVATE})


def _end(runtime: Runtime, name: str, request: Request) -> None:
    """Use up the state of an answer; `Rejected` unless this browser was given it here and not long ago."""
    browser = parse_cookie(request.headers.get("cookie", "")).get(_cookie(name), "")
    with runtime.store.write() as db:
        ours = consents.take(db, "state", name, request.query_value("state") or "", browser)
    if not ours:
        raise Rejected(
            403,
            "this consent was not begun in this browser, was ended already, or began too long ago: "
            f"run `hub connect {name}` and open the link it prints",
        )


def _cookie(name: str) -> str:
    return f"hub_consent_{name}"


def _token_version(runtime: Runtime, name: str) -> int:
    with runtime.store.read() as db:
        return consents.token_version(db, name)


def lift_hold(runtime: Runtime, name: str) -> None:
    """Let a connection's calls out again: it has new credentials."""
    with runtime.store.write() as db:
        known = state.healths(db).get(name)
        if known is not None and known.held is not None:
            state.lift(db, name)
