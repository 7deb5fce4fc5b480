"""Who may call: inbound webhooks, OAuth tokens, the OAuth server."""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from itertools import count
from typing import Any
from urllib.parse import urlencode, urlsplit

from plugins.bitrix24.sandbox.words import RestError, words

CODE_SECONDS = 30
TOKEN_SECONDS = 3600
REFRESH_SECONDS = 180 * 24 * 3600
SCOPES = words(
    "crm task user user_brief im imopenlines imconnector telephony call messageservice bizproc placement disk"
)

NO_AUTH = ("NO_AUTH_FOUND", "Wrong authorization data", 401)
EXPIRED = ("expired_token", "The access token provided has expired.", 401)


@dataclass(frozen=True)
class Grant:
    """A token, refresh token or code: whose it is and until when it lives."""

    user_id: int
    until: float


@dataclass(frozen=True)
class App:
    """The one local application installed on the portal."""

    client_id: str
    client_secret: str
    application_token: str
    member_id: str


class Access:
    """Tokens and secrets of one portal."""

    def __init__(
        self,
        app: App,
        webhook_secret: str,
        clock: Callable[[], dt.datetime],
        scopes: list[str],
        redirect_uri: str,
    ) -> None:
        self._app, self._clock, self._numbers = app, clock, count(1)
        self.scopes, self.redirect_uri = scopes, redirect_uri
        self.webhook_secrets = {1: webhook_secret}
        self.base_url = ""
        self.tokens: dict[str, Grant] = {}
        self.refresh_tokens: dict[str, Grant] = {}
        self.codes: dict[str, Grant] = {}
        self.refreshes = 0

    @property
    def client_id(self) -> str:
        """Return the application's id."""
        return self._app.client_id

    @property
    def application_token(self) -> str:
        """Return the token that events to the application carry."""
        return self._app.application_token

    @property
    def domain(self) -> str:
        """Return the portal's host."""
        return urlsplit(self.base_url).netloc

    # --- calls ------------------------------------------------------------------------------

    def webhook_user(self, user_id: str, secret: str) -> int:
        """Return whose an inbound webhook is; a wrong secret is a permanent refusal."""
        if not user_id.isdigit() or self.webhook_secrets.get(int(user_id)) != secret:
            raise RestError(*NO_AUTH)
        return int(user_id)

    def token_user(self, token: Any) -> int:
        """Return whose an access token is, while it lives."""
        grant = self.tokens.get(str(token or ""))
        if grant is None:
            raise RestError(*NO_AUTH)
        if grant.until <= self._now():
            raise RestError(*EXPIRED)
        return grant.user_id

    # --- the OAuth server --------------------------------------------------------------------

    def authorize(self, client_id: str, state: str, user_id: int = 1) -> str | None:
        """Return where the browser goes after consent; an unknown application gets no redirect."""
        if client_id != self._app.client_id:
            return None
        code = self._fresh("code", self.codes, user_id, CODE_SECONDS)
        back = {
            "code": code,
            "state": state,
            "domain": self.domain,
            "member_id": self._app.member_id,
            "scope": ",".join(self.scopes),
            "server_domain": self.domain,
        }
        joint = "&" if "?" in self.redirect_uri else "?"
        return f"{self.redirect_uri}{joint}{urlencode(back)}"

    def exchange(self, params: dict[str, Any]) -> dict[str, Any]:
        """Answer /oauth/token/: codes and refresh tokens work once; a refresh gives a new pair."""
        kinds = {"authorization_code": ("code", self.codes), "refresh_token": ("refresh_token", self.refresh_tokens)}
        if params.get("grant_type") not in kinds:
            raise RestError("invalid_request", "Invalid grant_type parameter or parameter missing")
        app = self._app
        if (params.get("client_id"), params.get("client_secret")) != (app.client_id, app.client_secret):
            raise RestError("invalid_client", "Client not found or secret mismatch")
        name, grants = kinds[params["grant_type"]]
        grant = grants.pop(str(params.get(name) or ""), None)
        if grant is None or grant.until <= self._now():
            raise RestError("invalid_grant", "")
        self.refreshes += name == "refresh_token"
        return self.pair(grant.user_id)

    def pair(self, user_id: int) -> dict[str, Any]:
        """Issue an access token and a refresh token; `domain` is the auth server, not the portal."""
        token = self._fresh("access_token", self.tokens, user_id, TOKEN_SECONDS)
        return {
            "access_token": token,
            "client_endpoint": f"{self.base_url}/rest/",
            "domain": self.domain,
            "expires": int(self._now()) + TOKEN_SECONDS,
            "expires_in": TOKEN_SECONDS,
            "member_id": self._app.member_id,
            "refresh_token": self._fresh("refresh_token", self.refresh_tokens, user_id, REFRESH_SECONDS),
            "scope": ",".join(self.scopes),
            "server_endpoint": f"{self.base_url}/rest/",
            "status": "L",
            "user_id": user_id,
        }

    # --- events -----------------------------------------------------------------------------

    def webhook_auth(self, application_token: str) -> dict[str, Any]:
        """Return the `auth` of an event to an outgoing webhook: no OAuth tokens."""
        return {
            "domain": self.domain,
            "client_endpoint": f"{self.base_url}/rest/",
            "server_endpoint": f"{self.base_url}/rest/",
            "member_id": self._app.member_id,
            "application_token": application_token,
        }

    def app_auth(self, user_id: int) -> dict[str, Any]:
        """Return the `auth` of an event to the application, as recorded by the PHP SDK's authors."""
        return {
            "access_token": self._fresh("access_token", self.tokens, user_id, TOKEN_SECONDS),
            "expires": int(self._now()) + TOKEN_SECONDS,
            "expires_in": TOKEN_SECONDS,
            "scope": ",".join(self.scopes),
            "domain": self.domain,
            "server_endpoint": f"{self.base_url}/rest/",
            "status": "L",
            "client_endpoint": f"{self.base_url}/rest/",
            "member_id": self._app.member_id,
            "user_id": user_id,
            "application_token": self._app.application_token,
        }

    def install_auth(self, user_id: int) -> dict[str, Any]:
        """Return the `auth` of ONAPPINSTALL, the one event sure to carry a refresh token."""
        pair = self.pair(user_id)
        order = "domain scope access_token refresh_token expires_in server_endpoint status client_endpoint member_id"
        return {key: pair[key] for key in order.split()} | {"application_token": self._app.application_token}

    # --- inside -----------------------------------------------------------------------------

    def _now(self) -> float:
        return self._clock().timestamp()

    def _fresh(self, what: str, grants: dict[str, Grant], user_id: int, seconds: int) -> str:
        number = next(self._numbers)
        mark = hashlib.sha256(f"{what}{number}{self._app.member_id}".encode()).hexdigest()[:16]
        token = f"fake_{what}_{number:06d}_{mark}"
        grants[token] = Grant(user_id, self._now() + seconds)
        return token
