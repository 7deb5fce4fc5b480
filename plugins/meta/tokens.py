"""Where rotating tokens of several accounts are kept: in the connection's vault, renewed once, stored before use.

What is kept belongs to the token in hub.yaml that it was made of: a new one written there counts at once.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hub.tokens import TokenVault

#: a kept token: `token`, `expires_at` (epoch seconds, None = unknown or never), `renewed_at`, and what its product adds
Entry = dict[str, Any]


class Shelf:
    """The kept tokens of a connection by account."""

    def __init__(self, vault: Callable[[], TokenVault]) -> None:
        self._vault = vault

    def held(self, account: str, given: str) -> Entry | None:
        """Return what is kept for an account and was made of the token `given` in hub.yaml ("" = by consent)."""
        return _entry(self._vault().read(), account, given)

    def keep(self, account: str, given: str, entry: Mapping[str, Any]) -> None:
        """Store a token, whatever was there before: after a consent."""
        vault = self._vault()
        accounts = {**_accounts(vault.read() or {}), account: {**entry, "of": _digest(given)}}
        vault.store({"access_token": _stamp(), "accounts": accounts})

    def renew(self, account: str, given: str, fetch: Callable[[Entry | None], Mapping[str, Any]]) -> Entry:
        """Return the account's entry after `fetch(entry so far)`: one worker fetches, the others get what it got."""
        vault = self._vault()
        if vault.read() is None:
            vault.store({"access_token": _stamp(), "accounts": {}})

        def once(current: dict[str, Any]) -> dict[str, Any]:
            before = _entry(current, account, given)
            whose = {"whose": before["whose"]} if before and before.get("whose") else {}
            entry = {**fetch(before), **whose, "of": _digest(given)}
            return {"access_token": _stamp(), "accounts": {**_accounts(current), account: entry}}

        kept = vault.refresh_once(vault.read() or {}, once)
        return _accounts(kept).get(account, {})


def _entry(kept: Mapping[str, Any] | None, account: str, given: str) -> Entry | None:
    entry = _accounts(kept or {}).get(account)
    return dict(entry) if entry and (not given or entry.get("of") == _digest(given)) else None


def _accounts(kept: Mapping[str, Any]) -> dict[str, Entry]:
    found = kept.get("accounts")
    return dict(found) if isinstance(found, Mapping) else {}


def _stamp() -> str:
    """Return a new word in the place where the vault looks for what tells two states apart; it is no token."""
    return secrets.token_hex(8)


def _digest(token: str) -> str:
    return hashlib.blake2s(token.encode(), digest_size=16).hexdigest() if token else ""
