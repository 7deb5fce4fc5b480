"""OAuth: consent, exchange, refresh, and the signed message that an integration was switched off.

https://www.amocrm.ru/developers/content/oauth/step-by-step. An access token lives a day; a refresh token three
months and works once: the new pair is stored before anybody uses it, by one worker at a time (`hub.tokens`).
"""

from __future__ import annotations

import base64
import binascii
import hmac
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode, urlsplit

import marshmallow as ma
import orjson

from hub.errors import AuthFailed, Refused, Rejected, Retry, Uncertain
from hub.model import Reply, Request
from hub.session import Session
from plugins.amocrm import codes
from plugins.amocrm.refusals import body_of, is_block, refusal, words_of
from plugins.amocrm.schemas import Tokens, domain_of

if TYPE_CHECKING:
    from hub.tokens import TokenVault

#: seconds a token may take to come: less than the vault waits before another worker may ask
REFRESH_TIMEOUT = 20.0
_CONNECTED = '<!doctype html><meta charset="utf-8"><title>Connected</title><p>The hub is connected.</p>'


class OAuth:
    """The token endpoint of one account, as one integration sees it."""

    def __init__(
        self,
        settings: Mapping[str, Any],
        redirect: str,
        http: Callable[[], Session],
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._settings, self._http, self._clock = settings, http, clock
        self._redirect = settings["redirect_uri"] or redirect
        self._host = (urlsplit(settings["base_url"]).hostname or "").lower()

    # --- consent ---------------------------------------------------------------------------------

    def authorize_url(self, state: str) -> str | None:
        """Return the vendor's page of consent; None without an integration."""
        if not self._settings["client_id"] or self._settings["token"]:
            return None
        page = codes.CONSENT_PAGES.get(domain_of(self._host), f"{self._settings['base_url']}/oauth")
        return f"{page}?{urlencode({'client_id': self._settings['client_id'], 'state': state, 'mode': 'popup'})}"

    def consent(self, request: Request, vault: TokenVault) -> Reply:
        """Store the tokens of a consent. `Rejected` for anything else."""
        if not self._settings["client_id"]:
            raise Rejected(404, "this connection has a long-lived token: there is nothing to consent to")
        if error := request.query_value("error"):
            raise Rejected(403, f"the consent was refused ({error[:60]}): open the link of `hub connect` and allow it")
        code = request.query_value("code")
        if not code:
            raise Rejected(400, "this is no answer to a consent")
        # Whoever sends the browser here chooses `referer`; the secret goes to the account in hub.yaml alone.
        referer = (request.query_value("referer") or "").lower().removeprefix("https://").rstrip("/")
        if referer and referer != self._host:
            shown = referer if domain_of(referer) else "another site"
            raise Rejected(403, f"the consent was given in {shown[:80]}, but base_url in hub.yaml is {self._host}")
        vault.store(self._ask(grant_type="authorization_code", code=code))
        return Reply(200, _CONNECTED, "text/html; charset=utf-8")

    # --- tokens ----------------------------------------------------------------------------------

    def stale(self, tokens: Mapping[str, Any]) -> bool:
        """Tell a token whose time is over, so that no call is wasted on it."""
        until = tokens.get("expires_at")
        return isinstance(until, (int, float)) and until <= self._clock()

    def refresh(self, held: Mapping[str, Any]) -> dict[str, Any]:
        """Turn a refresh token into a new pair.

        `AuthFailed` if it is spent. A lost answer is a `Retry`: whether the token is spent then only amoCRM knows, and
        asking once more does no harm: a spent one is called revoked, an unspent one brings the pair.
        """
        if not held.get("refresh_token"):
            raise AuthFailed("there is no refresh token: give consent once more, `hub connect` prints the link")
        try:
            return self._ask(grant_type="refresh_token", refresh_token=str(held["refresh_token"]))
        except Uncertain as error:
            raise Retry(f"the answer to a refresh was lost, the next try shows what became of it: {error}") from None
        except _Denied as denied:
            moved = self._moved_to(held) if denied.vendor_code in ("401", "404") else ""
            if moved and moved != self._host:
                raise AuthFailed(
                    f"the account is now at {moved}: write base_url: https://{moved} into hub.yaml"
                ) from None
            raise AuthFailed(
                f"{denied.reason}. A refresh token works once: this one is spent (by another program that holds it, or "
                "because the answer to the last refresh was lost), or the integration was switched off. "
                "Give consent once more: `hub connect` prints the link"
            ) from None

    def _ask(self, **grant: str) -> dict[str, Any]:
        body = {
            "client_id": self._settings["client_id"],
            "client_secret": self._settings["client_secret"],
            "redirect_uri": self._redirect,
            **grant,
        }
        url = f"{self._settings['base_url']}/oauth2/access_token"
        answer = self._http().post(url, json=body, scope="oauth", timeout=REFRESH_TIMEOUT)
        if answer.status != 200:
            if answer.status in (400, 401, 404) or (answer.status == 403 and not is_block(403, body_of(answer.body))):
                said = words_of(body_of(answer.body)) or f"HTTP {answer.status}"
                raise _Denied(f"amoCRM gives no token: {said}", vendor_code=str(answer.status))
            raise refusal(answer.status, answer.body, "token", changes=True, retry_after=answer.retry_after())
        try:
            tokens: dict[str, Any] = Tokens().load(answer.json())
        except ma.ValidationError as error:
            raise AuthFailed(f"amoCRM's answer holds no tokens: {error.messages}") from None
        lives = tokens.pop("expires_in")
        return {**tokens, "expires_at": self._clock() + lives}

    def _moved_to(self, held: Mapping[str, Any]) -> str:
        """Return the account's present host, as the official SDK asks for it; "" if that isn't known.

        https://github.com/amocrm/amocrm-api-php AmoCRMOAuth.php: the token names the server that knows.
        """
        api = claim(str(held.get("access_token") or ""), "api_domain").lower()
        if not domain_of(api):
            return ""
        self._http().allow(api)
        headers = {"X-Refresh-Token": str(held["refresh_token"])}
        try:
            answer = self._http().get(f"https://{api}/oauth2/account/current/subdomain", headers=headers, scope="oauth")
        except (Retry, Refused):
            return ""
        found = body_of(answer.body) if answer.status == 200 else None
        subdomain = str(found.get("subdomain") or "") if isinstance(found, Mapping) else ""
        host = f"{subdomain}.{domain_of(self._host)}"
        return host if subdomain and domain_of(host) else ""


class _Denied(Refused):
    """The token endpoint said no."""


def claim(token: str, name: str) -> str:
    """Return a claim of a JWT, unverified: only good for asking; "" if there is none."""
    parts = token.split(".")
    if len(parts) != 3:
        return ""
    try:
        found = orjson.loads(base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4)))
    except (binascii.Error, ValueError):
        return ""
    return str(found.get(name) or "") if isinstance(found, Mapping) else ""


def verify_disconnect(request: Request, settings: Mapping[str, Any]) -> None:
    """Raise `Rejected` unless the message that the integration was switched off is amoCRM's.

    `signature` = hex HMAC-SHA256 of `client_uuid|account_id` with the integration's secret (oauth/step-by-step).
    """
    account, client, given = (request.query_value(name) or "" for name in ("account_id", "client_uuid", "signature"))
    if not settings["client_secret"]:
        raise Rejected(403, "client_secret isn't set: the signature can't be checked")
    expected = hmac.digest(settings["client_secret"].encode(), f"{client}|{account}".encode(), "sha256").hex()
    if not hmac.compare_digest(given.encode("utf-8", "replace"), expected.encode()):
        raise Rejected(403, "the signature does not fit")
    if client != settings["client_id"]:
        raise Rejected(403, "the message is about another integration")
    if settings["account_id"] and account != settings["account_id"]:
        raise Rejected(403, "the message is about another account")
