"""`hub check --live` and `hub connect`: whose token is it, what may it, does the account send its webhooks here."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any

from hub.connector import ConnectionInfo
from hub.errors import AuthFailed, HubError, Refused
from hub.model import Finding
from plugins.instagram import codes
from plugins.instagram.accounts import Account, Accounts
from plugins.instagram.client import Client
from plugins.instagram.looking import Looking
from plugins.meta.envelope import text


class Checking:
    """Questions that change nothing, and the one act of subscribing."""

    def __init__(
        self, client: Client, accounts: Accounts, looking: Looking, settings: Mapping[str, Any],
        connection: ConnectionInfo,
    ) -> None:  # fmt: skip
        self._client, self._accounts, self._looking = client, accounts, looking
        self._settings, self._connection = settings, connection
        self._login = codes.LOGINS[settings["login"]]

    def check(self) -> list[Finding]:
        """Return what was found, account by account; without a good token nothing else of it can be asked."""
        found: list[Finding] = []
        for account in self._accounts.all():
            try:
                found += self._who(account)
            except AuthFailed as error:
                remedy = (
                    f"hub connect {self._connection.name} prints a link for consent; or set a new token; "
                    "is `login` the one it was made for?"
                )
                found.append(Finding("problem", error.reason, remedy))
                continue
            except Refused as error:
                found.append(Finding("problem", error.reason, "is `login` the one the token was made for?"))
                continue
            except HubError as error:
                found.append(Finding("problem", error.reason, "Meta or the way to it is ill: try again later"))
                continue
            for ask in (self._token, self._rights, self._subscription):
                try:
                    found += ask(account)
                except HubError as error:
                    found.append(Finding("warning", f"could not be checked: {error.reason}"))
        address = f"{self._connection.base_url.rstrip('/')}/in/{self._connection.name}"
        words = f"the App Dashboard (Webhooks, object Instagram) must have the address {address} and your verify_token"
        return [*found, Finding("ok", f"{words}; the app must be Live")]

    def _who(self, account: Account) -> list[Finding]:
        own = self._client.me(account)
        name = f"@{own['username']}" if own["username"] else own["name"] or "the Page"
        if not own["id"]:
            return [Finding("problem", f"{name} has no Instagram account linked", "link it in the Page's settings")]
        if account.id and account.id != own["id"]:
            words = f"the token is that of {name}, id {own['id']}; hub.yaml says {account.id}"
            return [Finding("problem", words, f"set account_id: {own['id']}, or give the other account's token")]
        found = [Finding("ok", f"acts as {name}, id {own['id']} ({self._login.name})")]
        if not account.id:
            remedy = f"set account_id: {own['id']}, so that messages to other accounts of the app are put aside"
            found.append(Finding("warning", "account_id isn't set: updates of any account are taken", remedy))
        return found

    def _token(self, account: Account) -> list[Finding]:
        entry = self._accounts.entry(account) or {}
        if entry.get("page") or self._login.tagged:
            return []
        expires = entry.get("expires_at")
        if not expires:
            return [Finding("ok", "when the token runs out is learned at its first refresh, a day after it was made")]
        until = dt.datetime.fromtimestamp(float(expires), dt.UTC)
        return [Finding("ok", f"the token is good until {until:%Y-%m-%d} and is refreshed 30 days before")]

    def _rights(self, account: Account) -> list[Finding]:
        """Read one thing of each kind: only an answer shows that a permission is granted and was used lately."""
        messages, comments = [name for name in self._login.permissions if name.endswith(("messages", "comments"))]
        found = []
        try:
            self._client.conversations(account)
        except Refused as error:
            found.append(_lacking(messages, "messages", error))
        try:
            if posts := self._client.media(account, account.id or self._client.me(account)["id"]):
                self._client.comments(account, text(posts[0].get("id")))
        except Refused as error:
            found.append(_lacking(comments, "comments", error))
        return found or [Finding("ok", "messages and comments can be read")]

    def _subscription(self, account: Account) -> list[Finding]:
        missing = self._looking.missing(account)
        if not missing:
            return [Finding("ok", "its webhooks are subscribed")]
        words = f"its webhooks aren't subscribed: {', '.join(missing)}"
        return [
            Finding("problem", words, f"run `hub connect {self._connection.name}`; a running hub does it by itself")
        ]

    def connect(self, callback_url: str) -> list[Finding]:
        """Subscribe every account; the app's own address and fields are a person's to set."""
        found = []
        for account in self._accounts.all():
            missing = self._looking.put_back(account)
            name = account.id or "the account"
            done = f"subscribed: {', '.join(missing)}" if missing else "is subscribed already"
            found.append(Finding("ok", f"{name} {done}"))
        remedy = (
            f"App Dashboard > Webhooks > Instagram: address {callback_url}, your verify_token, then tick the fields"
        )
        return [*found, Finding("warning", "the app's address and fields can't be set by API", remedy)]


def _lacking(permission: str, what: str, error: Refused) -> Finding:
    remedy = f"grant {permission} (App Review for other people's accounts) and connect the account again"
    return Finding("problem", f"{what} can't be read: {error.reason}", remedy)
