"""Tokens: consent, exchange, refresh ahead of expiry, for both logins.

Instagram Login: a code becomes a token of an hour, that one of 60 days, which is refreshed for another 60.
https://developers.facebook.com/docs/instagram-platform/instagram-api-with-instagram-login/business-login
Facebook Login: a user's token leads to the tokens of their Pages, which have no expiry of their own.
https://developers.facebook.com/docs/facebook-login/guides/access-tokens/get-long-lived
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any
from urllib.parse import urlencode

from hub.errors import AuthFailed, HubError, Refused, Retry
from hub.session import Session
from plugins.instagram import codes
from plugins.meta.envelope import text
from plugins.meta.graph import read
from plugins.meta.tokens import Entry

#: seconds a token may take to come: less than the vault waits before another worker may ask
_SECONDS = 20.0


class OAuth:
    """The token servers, as one app sees them. `now` is epoch seconds."""

    def __init__(self, settings: Mapping[str, Any], http: Callable[[], Session], now: Callable[[], float]) -> None:
        self._settings, self._http, self._now = settings, http, now
        self._login = codes.LOGINS[settings["login"]]
        self._graph = settings["api_url"] or self._login.host
        self._code_host = settings["api_url"] or codes.TOKEN_HOST

    # --- consent ---------------------------------------------------------------------------------------------------

    def authorize_url(self, state: str, redirect: str) -> str | None:
        """Return the page of consent; None without an app id."""
        if not self._settings["app_id"]:
            return None
        query = {
            "client_id": self._settings["app_id"],
            "redirect_uri": redirect,
            "response_type": "code",
            "scope": ",".join(self._login.permissions),
            "state": state,
        }
        base = self._login.authorize.format(version=self._settings["version"])
        if self._settings["api_url"]:
            base = f"{self._settings['api_url'].rstrip('/')}/oauth/authorize"
        return f"{base}?{urlencode(query)}"

    def by_code(self, code: str, redirect: str) -> dict[str, Entry]:
        """Turn the code of a consent (single use, an hour) into tokens: account id -> what is to be kept."""
        code = code.removesuffix("#_")
        if self._login.tagged:
            answer = self._ask("GET", self._graph, f"{self._settings['version']}/oauth/access_token",
                               client_id=self._settings["app_id"], redirect_uri=redirect, code=code)  # fmt: skip
            return self.pages(text(answer.get("access_token")))
        answer = self._ask("POST", self._code_host, "oauth/access_token", client_id=self._settings["app_id"],
                           grant_type="authorization_code", redirect_uri=redirect, code=code)  # fmt: skip
        entry = self.long_lived(flat(answer))
        return {self._own_id(entry["token"]): entry}

    def _own_id(self, token: str) -> str:
        """Return the account's id as webhooks say it; the one in the consent's answer holds for the app alone."""
        answer = self._http().get(
            f"{self._graph.rstrip('/')}/{self._settings['version']}/me",
            params={"fields": "user_id,username"},
            headers={"Authorization": f"Bearer {token}"},
        )
        return text(read(answer, "GET me").get("user_id"))

    # --- Instagram Login -------------------------------------------------------------------------------------------

    def long_lived(self, short: str) -> Entry:
        """Turn a token of an hour into one of 60 days."""
        return self._entry(
            self._ask("GET", self._graph, "access_token", grant_type="ig_exchange_token", access_token=short)
        )

    def refresh(self, token: str) -> Entry:
        """Turn a token of 60 days, a day old at least, into a new one."""
        return self._entry(
            self._ask(
                "GET", self._graph, "refresh_access_token", False, grant_type="ig_refresh_token", access_token=token
            )
        )

    def first_look(self, token: str) -> Entry:
        """Find out about a token in hub.yaml, whose age nobody knows: refreshed if it can be, else made long-lived.

        If neither is taken, it is long-lived and younger than a day, or it is dead: the caller's next call tells.
        """
        for attempt in (self.refresh, self.long_lived):
            try:
                return attempt(token)
            except (Refused, AuthFailed):
                continue
        return {"token": token, "expires_at": None, "renewed_at": self._now()}

    def due(self, entry: Entry | None) -> bool:
        """Return whether a token should be renewed now."""
        if entry is None:
            return True
        age = self._now() - float(entry.get("renewed_at") or 0.0)
        expires = entry.get("expires_at")
        left = float(expires) - self._now() if expires else 0.0
        return age >= codes.TOKEN_MIN_AGE and left < codes.REFRESH_BEFORE

    # --- Facebook Login --------------------------------------------------------------------------------------------

    def pages(self, user_token: str) -> dict[str, Entry]:
        """Return the tokens of the Pages that a user's token leads to, by the id of the linked Instagram account."""
        answer = self._ask("GET", self._graph, f"{self._settings['version']}/oauth/access_token",
                           grant_type="fb_exchange_token", client_id=self._settings["app_id"],
                           fb_exchange_token=user_token)  # fmt: skip
        long_lived = text(answer.get("access_token"))
        listed = read(
            self._http().get(
                f"{self._graph.rstrip('/')}/{self._settings['version']}/me/accounts",
                params={"fields": "name,access_token,instagram_business_account"},
                headers={"Authorization": f"Bearer {long_lived}"},
            ),
            "GET me/accounts",
        )
        found: dict[str, Entry] = {}
        for page in listed.get("data") or []:
            linked = page.get("instagram_business_account") if isinstance(page, Mapping) else None
            if isinstance(linked, Mapping) and text(linked.get("id")) and text(page.get("access_token")):
                found[text(linked["id"])] = {
                    "token": text(page["access_token"]), "expires_at": None, "renewed_at": self._now(), "page": True,
                }  # fmt: skip
        return found

    # --- asking ----------------------------------------------------------------------------------------------------

    def _ask(self, method: str, host: str, path: str, secret: bool = True, **params: str) -> dict[str, Any]:
        """Ask a token server, with each of the app's secrets until one is taken: which of them it wants isn't told."""
        secrets: Sequence[str] = self._settings["app_secret"] if secret else ("",)
        refused: HubError | None = None
        for one in secrets:
            given = {**params, **({"client_secret": one} if one else {})}
            query, form = (given, None) if method == "GET" else (None, given)
            answer = self._http().request(
                method, f"{host.rstrip('/')}/{path}",
                params=query, data=form, changes=False, timeout=_SECONDS, scope="oauth",
            )  # fmt: skip
            try:
                found = read(answer, path)
            except (Refused, AuthFailed) as error:
                refused = error
                continue
            return dict(found) if isinstance(found, Mapping) else {}
        assert refused is not None
        raise refused

    def _entry(self, answer: Mapping[str, Any]) -> Entry:
        token = text(answer.get("access_token"))
        if not token:
            raise Retry("the token server's answer holds no token")
        seconds = answer.get("expires_in")
        lives = float(seconds) if isinstance(seconds, int | float) and seconds > 0 else codes.TOKEN_LIFE
        return {"token": token, "expires_at": self._now() + lives, "renewed_at": self._now()}


def flat(answer: Mapping[str, Any]) -> str:
    """Return the token of a code's exchange: documented as `{"data": [{..}]}`, seen without that wrapping too."""
    rows = answer.get("data")
    first = rows[0] if isinstance(rows, list) and rows and isinstance(rows[0], Mapping) else answer
    token = text(first.get("access_token"))
    if not token:
        raise Refused("the answer to the consent holds no token: begin again with `hub connect`")
    return token
