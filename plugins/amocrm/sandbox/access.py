"""Tokens of the stand-in: a long-lived one, and OAuth with refresh tokens that work once."""

from __future__ import annotations

import base64
import hmac
import json
from collections.abc import Callable
from itertools import count
from typing import Any

from plugins.amocrm.sandbox.words import ApiError
from plugins.amocrm.sandbox.world import ACCOUNT_ID, ADMIN, SUBDOMAIN

CLIENT_ID = "00000000-0000-4000-8000-0000000000c1"
CLIENT_SECRET = "FAKE_CLIENT_SECRET"
LONG_LIVED = "FAKE_LONG_LIVED_TOKEN_of_the_sandbox"
CODE_SECONDS, TOKEN_SECONDS, REFRESH_SECONDS = 1200, 86_400, 92 * 86_400
_PROBLEM = "В запросе отсутствует ряд параметров или параметры невалидны"


class Access:
    """Who may call, and the token endpoint."""

    def __init__(self, clock: Callable[[], float], redirect_uri: str) -> None:
        self._clock, self.redirect_uri = clock, redirect_uri
        self._numbers = count(1)
        self.tokens: dict[str, float] = {}
        self.refreshes: dict[str, float] = {}
        self.codes: dict[str, float] = {}
        self.counters = {"exchanged": 0, "refreshed": 0, "refused": 0}
        self.long_lived = {LONG_LIVED}

    def check(self, header: str) -> None:
        """Raise 401 unless the header carries a token that lives."""
        scheme, _, token = header.partition(" ")
        if scheme.lower() == "bearer" and token in self.long_lived:
            return
        if scheme.lower() != "bearer" or self.tokens.get(token, 0.0) <= self._clock():
            raise ApiError(401, "Неверный логин или пароль")

    def authorize(self, client_id: str) -> str:
        """Return the code of a consent; it lives 20 minutes and works once."""
        if client_id != CLIENT_ID:
            raise ApiError(400, "unknown client_id")
        code = f"def50200fakecode{next(self._numbers):06d}"
        self.codes[code] = self._clock() + CODE_SECONDS
        return code

    def exchange(self, given: dict[str, Any]) -> dict[str, Any]:
        """Answer /oauth2/access_token. Codes and refresh tokens work once; both need the registered redirect_uri."""
        secret = str(given.get("client_secret") or "")
        if given.get("client_id") != CLIENT_ID or not hmac.compare_digest(secret.encode(), CLIENT_SECRET.encode()):
            raise self._no(401, "Check the `client_id` parameter")
        if given.get("redirect_uri") != self.redirect_uri:
            raise self._no(400, "Redirect URI is not associated with client")
        match given.get("grant_type"):
            case "authorization_code":
                until = self.codes.pop(str(given.get("code") or ""), None)
                if until is None:
                    raise self._no(400, "Authorization code has been revoked")
                if until <= self._clock():
                    raise self._no(400, "Authorization code has expired")
                self.counters["exchanged"] += 1
            case "refresh_token":
                until = self.refreshes.pop(str(given.get("refresh_token") or ""), None)
                if until is None or until <= self._clock():
                    raise self._no(401, "Token has been revoked")
                self.counters["refreshed"] += 1
            case _:
                raise self._no(400, "Check the `grant_type` parameter")
        return self.pair()

    def _no(self, status: int, hint: str) -> ApiError:
        self.counters["refused"] += 1
        return ApiError(status, _PROBLEM, hint=hint)

    def pair(self) -> dict[str, Any]:
        """Issue an access token (a JWT with readable claims) and a refresh token."""
        number, now = next(self._numbers), int(self._clock())
        token = self._jwt(number, now)
        refresh = f"def50200fakerefresh{number:06d}"
        self.tokens[token], self.refreshes[refresh] = now + TOKEN_SECONDS, now + REFRESH_SECONDS
        return {
            "token_type": "Bearer", "expires_in": TOKEN_SECONDS, "access_token": token, "refresh_token": refresh,
            "server_time": now,
        }  # fmt: skip

    @staticmethod
    def _jwt(number: int, now: int) -> str:
        claims = {
            "aud": CLIENT_ID, "jti": f"fake{number:06d}", "iat": now, "nbf": now, "exp": now + TOKEN_SECONDS,
            "sub": str(ADMIN), "account_id": ACCOUNT_ID, "base_domain": "amocrm.ru", "scopes": ["crm", "notifications"],
            "api_domain": "api-b.amocrm.ru",
        }  # fmt: skip
        parts = [{"typ": "JWT", "alg": "HS256"}, claims]
        texts = [base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=") for part in parts]
        sign = base64.urlsafe_b64encode(hmac.digest(b"fake", ".".join(texts).encode(), "sha256")).decode().rstrip("=")
        return ".".join([*texts, sign])

    def expire(self) -> None:
        """End all access tokens; refresh tokens stay good."""
        self.tokens = dict.fromkeys(self.tokens, 0.0)


def account(settings: dict[str, Any]) -> dict[str, Any]:
    """Return /account, `amojo_id` included."""
    return {
        "id": ACCOUNT_ID, "name": SUBDOMAIN, "subdomain": SUBDOMAIN, "created_at": 1585840134, "created_by": 0,
        "updated_at": 1589472711, "updated_by": 0, "current_user_id": ADMIN, "country": "RU", "currency": "RUB",
        "customers_mode": "segments", "is_unsorted_on": True, "is_loss_reason_enabled": True, "version": 11,
        "is_helpbot_enabled": False, "is_technical_account": False, "contact_name_display_order": 1, **settings,
        "_embedded": {
            "task_types": [
                {"id": 1, "name": "Связаться", "color": None, "icon_id": None, "code": "FOLLOW_UP"},
                {"id": 2, "name": "Встреча", "color": None, "icon_id": None, "code": "MEETING"},
            ]
        },
    }  # fmt: skip
