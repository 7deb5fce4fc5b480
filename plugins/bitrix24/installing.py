"""Consent: a code from the browser, an install event, or the app opened in the portal, turned into kept tokens.

https://apidocs.bitrix24.ru/settings/oauth/index.html, https://apidocs.bitrix24.ru/settings/oauth/simple-way.html,
https://apidocs.bitrix24.ru/api-reference/common/events/on-app-install.html
"""

from __future__ import annotations

import hmac
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from hub.errors import Rejected
from hub.model import Reply, Request
from plugins.bitrix24 import envelope
from plugins.bitrix24.oauth import OAuth, load_tokens

if TYPE_CHECKING:
    from hub.tokens import TokenVault

_FINISH = """<!doctype html><meta charset="utf-8"><title>Installed</title>
<script src="//api.bitrix24.com/api/v1/"></script><script>BX24.init(function () { BX24.installFinish(); });</script>
<p>The hub is connected. You can close this page.</p>"""
_CHANNEL = """<!doctype html><meta charset="utf-8"><title>Open line</title>
<p>This channel is set up in the hub: its line stands in <code>hub.yaml</code> under <code>openlines</code>,
and <code>hub connect</code> puts it into effect.</p>"""
_CONNECTED = '<!doctype html><meta charset="utf-8"><title>Connected</title><p>The hub is connected.</p>'


class Installing:
    """Takes an answer to a consent, makes sure it is Bitrix24's, and stores the tokens."""

    def __init__(self, settings: Mapping[str, Any], oauth: OAuth, vault: Callable[[], TokenVault]) -> None:
        self._settings, self._oauth, self._vault = settings, oauth, vault

    def consent(self, request: Request) -> Reply:
        """Store the tokens of a consent or an installation. Raises `Rejected` for anything else."""
        if not self._settings["client_id"]:
            raise Rejected(404, "this connection uses a webhook: there is no app to install")
        if code := request.query_value("code"):
            server = request.query_value("server_domain") or ""
            self._keep(self._oauth.exchange(code, server))
            return Reply(200, _CONNECTED, "text/html; charset=utf-8")
        message = envelope.read(request)
        if envelope.text_of(message.get("event")).upper() == "ONAPPINSTALL":
            auth = message.get("auth")
            self._install(dict(auth) if isinstance(auth, Mapping) else {})
            return Reply(200, "installed")
        if envelope.text_of(message.get("PLACEMENT")).upper() == "SETTING_CONNECTOR":
            return Reply(200, _CHANNEL, "text/html; charset=utf-8")  # whoever opened it: the app's tokens stay theirs
        if message.get("AUTH_ID"):
            self._install(_opened(request, message))
            return Reply(200, _FINISH, "text/html; charset=utf-8")
        raise Rejected(400, "neither a consent nor an installation")

    def _install(self, auth: Mapping[str, Any]) -> None:
        """Check who sent the tokens: our application token if one is set, then the authorization server itself."""
        if not auth.get("access_token"):
            raise Rejected(403, "the install event carries no access token")
        tokens = load_tokens({key: envelope.text_of(value) for key, value in auth.items()})
        known = self._settings["application_token"]
        given = tokens["application_token"].encode()
        if known and not any(hmac.compare_digest(given, token.encode()) for token in known):
            raise Rejected(403, "the install event's application_token isn't the one in hub.yaml")
        info = self._oauth.installation(tokens)
        endpoint = str((info.get("install") or {}).get("client_endpoint") or "")
        if not endpoint and not known and not self._settings["portal"]:
            raise Rejected(403, "set `portal` in hub.yaml: the install event alone doesn't prove the portal's address")
        self._keep({**tokens, "client_endpoint": endpoint or tokens["client_endpoint"]})

    def _keep(self, tokens: dict[str, Any]) -> None:
        """Store the tokens, unless they belong to another portal than the one pinned."""
        pinned, member = self._settings["member_id"], tokens.get("member_id")
        if pinned and member and pinned != member:
            raise Rejected(403, "the consent comes from another portal (member_id)")
        host = urlsplit(str(tokens.get("client_endpoint") or "")).hostname
        if self._settings["portal"] and host and host != urlsplit(self._settings["portal"]).hostname:
            raise Rejected(403, f"the consent comes from {host}, not from the portal in hub.yaml")
        before = self._vault().read() or {}
        if before.get("application_token") and not tokens.get("application_token"):
            tokens["application_token"] = before["application_token"]
        self._vault().store(tokens)


def _opened(request: Request, message: Mapping[str, Any]) -> dict[str, Any]:
    """Return the tokens of an app opened in the portal's frame; its address is proven by app.info alone."""
    domain = envelope.text_of(request.query_value("DOMAIN"))
    named = {
        "access_token": "AUTH_ID", "refresh_token": "REFRESH_ID", "member_id": "member_id",
        "server_endpoint": "SERVER_ENDPOINT", "application_token": "APPLICATION_TOKEN",
        "scope": "APPLICATION_SCOPE", "status": "status",
    }  # fmt: skip
    tokens = {ours: envelope.text_of(message.get(theirs)) for ours, theirs in named.items()}
    return {**tokens, "client_endpoint": f"https://{domain}/rest/" if domain else ""}
