"""Which of our accounts speaks, and with which token: from hub.yaml, renewed in the vault, or given by consent."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from hub.errors import AuthFailed, Refused
from plugins.meta.tokens import Entry, Shelf


@dataclass(frozen=True)
class Account:
    """One professional account. `id` is what webhooks call it (17841...), "" as long as nobody said; `given` is its
    token in hub.yaml, "" where consent was given instead."""

    id: str
    given: str

    @property
    def path(self) -> str:
        """How calls name it: `me` is whoever the token belongs to, a Page included."""
        return self.id or "me"


class Accounts:
    """The accounts of one connection."""

    def __init__(self, settings: Mapping[str, Any], shelf: Shelf) -> None:
        self._settings, self.shelf = settings, shelf

    def all(self) -> list[Account]:
        """Return the configured accounts; one without an id where hub.yaml names none."""
        several: Mapping[str, str] = self._settings["accounts"]
        if several:
            return [Account(id, token) for id, token in several.items()]
        return [Account(self._settings["account_id"], self._settings["access_token"])]

    def ids(self) -> list[str]:
        """Return the ids that hub.yaml names."""
        return [account.id for account in self.all() if account.id]

    def choose(self, said: str, of_event: str) -> Account:
        """Return the account that the route names, else the one the event came to, else the only one there is."""
        every = self.all()
        alone = every[0] if len(every) == 1 else None
        for id in (said, of_event):
            if id and (found := next((one for one in every if one.id == id), None)):
                return found
            if id and alone is not None and not alone.id:
                return alone
            if id and id == said:
                known = ", ".join(account.id for account in every)
                raise Refused(f"account {said} isn't one of this connection: {known}", {"account": said})
        if alone is not None:
            return alone
        raise Refused(
            f"which account shall speak? Set `account` to one of {', '.join(self.ids())}", {"account": "is missing"}
        )

    def token(self, account: Account) -> str:
        """Return the account's present access token. `AuthFailed` if there is none."""
        kept = self.entry(account)
        token = str((kept or {}).get("token") or account.given)
        if not token:
            raise AuthFailed("there is no token: give consent (`hub connect` prints the link), or set access_token")
        return token

    def reader(self, account: Account) -> Callable[[], str]:
        """Return what reads the account's present token, for a call that may need it twice."""
        return lambda: self.token(account)

    def entry(self, account: Account) -> Entry | None:
        """Return what is kept about the account's token."""
        return self.shelf.held(account.id, account.given)
