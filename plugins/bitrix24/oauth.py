"""An app's tokens: exchange, refresh, and where they may go.

https://apidocs.bitrix24.ru/settings/oauth/index.html. An access token lives an hour, a refresh token 180 days;
each refresh brings a new pair. Refreshed only when the portal says `expired_token`: refreshing by a timer may get
the app blocked (https://apidocs.bitrix24.ru/settings/oauth/auto-renewal.html).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlencode, urlsplit

import marshmallow as ma

from hub.errors import AuthFailed, Refused, Rejected
from hub.session import Session
from plugins.bitrix24 import codes
from plugins.bitrix24.refusals import Expired, is_error, refusal
from plugins.bitrix24.schemas import Tokens

#: seconds a token may take to come: less than the vault waits before another worker may ask
REFRESH_TIMEOUT = 20.0


class OAuth:
    """The authorization server, as one app sees it."""

    def __init__(self, settings: Mapping[str, Any], http: Callable[[], Session]) -> None:
        self._settings = settings
        self._http = http

    def authorize_url(self, state: str) -> str | None:
        """Return the portal's page of consent; None as long as `portal` isn't set."""
        if not self._settings["client_id"] or not self._settings["portal"]:
            return None
        query = urlencode({"client_id": self._settings["client_id"], "state": state})
        return f"{self._settings['portal']}oauth/authorize/?{query}"

    def exchange(self, code: str, server: str = "") -> dict[str, Any]:
        """Turn the code of a consent (it lives 30 seconds) into tokens."""
        return self._ask("oauth/token/", server, grant_type="authorization_code", code=code)

    def refresh(self, stale: Mapping[str, Any]) -> dict[str, Any]:
        """Turn a refresh token into a new pair; what only the old tokens knew is kept. `AuthFailed` if refused."""
        if not stale.get("refresh_token"):
            raise AuthFailed("there is no refresh token: install the app again")
        fresh = self._ask(
            "oauth/token/",
            str(stale.get("server_endpoint") or ""),
            grant_type="refresh_token",
            refresh_token=stale["refresh_token"],
        )
        return {**stale, **{name: value for name, value in fresh.items() if value}}

    def installation(self, tokens: Mapping[str, Any]) -> dict[str, Any]:
        """Ask the authorization server whose access token this is: the `result` of app.info.

        Raises `Rejected` 403 if it doesn't know the token or if it belongs to another app or portal.
        """
        url = self._server(str(tokens.get("server_endpoint") or "")) + "rest/app.info"
        answer = self._http().post(url, json={"auth": tokens["access_token"]}, changes=False, scope="app.info")
        body = answer.json()
        if answer.status >= 500:
            raise refusal(answer.status, body, "app.info")
        if answer.status != 200 or is_error(body) or not isinstance(body.get("result"), dict):
            raise Rejected(403, "the access token in the install event isn't one of Bitrix24's")
        result: dict[str, Any] = body["result"]
        install = result.get("install") or {}
        for said, ours in (
            (result.get("client_id"), self._settings["client_id"]),
            (install.get("member_id"), tokens.get("member_id")),
        ):
            if said and ours and said != ours:
                raise Rejected(403, "the install event speaks of another app or portal")
        return result

    def _ask(self, path: str, server: str, **params: str) -> dict[str, Any]:
        url = self._server(server) + path
        params |= {"client_id": self._settings["client_id"], "client_secret": self._settings["client_secret"]}
        answer = self._http().get(url, params=params, scope="oauth", timeout=REFRESH_TIMEOUT)
        body = answer.json()
        if answer.status != 200 or is_error(body):
            error = refusal(answer.status, body, "oauth/token")
            if isinstance(error, (Refused, Expired)):
                raise AuthFailed(f"{error.reason}: install the app again")
            raise error
        return load_tokens(body)

    def _server(self, endpoint: str) -> str:
        """Return the server's base url: from the tokens if it is an official one, else the default."""
        if self._settings["oauth_url"]:
            return str(self._settings["oauth_url"]).removesuffix("oauth/token/")
        host = (urlsplit(endpoint).hostname or endpoint).lower()
        return f"https://{host if host in codes.OAUTH_HOSTS else codes.OAUTH_HOSTS[0]}/"


def load_tokens(body: Any) -> dict[str, Any]:
    """Return the parts of an answer the hub keeps. Raises `AuthFailed` if it holds no tokens."""
    try:
        loaded: dict[str, Any] = Tokens().load(body)
    except ma.ValidationError as error:
        raise AuthFailed(f"the authorization server's answer can't be read: {error.messages}") from None
    return loaded
