"""Looking by itself: tokens renewed in time, the subscription put back, names looked up, mentions read.

What is found comes in like a webhook: a request of the method POLL in the form in which Instagram itself would send it.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping
from typing import Any

from hub.connector import History
from hub.errors import AuthFailed, Gone, HubError, RateLimited, Refused, Retry, Uncertain
from hub.model import Event, Poll, Request
from plugins.instagram import codes
from plugins.instagram.accounts import Account, Accounts
from plugins.instagram.acting import Acting
from plugins.instagram.backfill import NEXT, Backfill
from plugins.instagram.client import Client, moment
from plugins.instagram.incoming import polled
from plugins.instagram.oauth import OAuth
from plugins.meta.envelope import text

#: seconds between two looks at the tokens, the subscription, new names
TOKENS, SUBSCRIPTION, PROFILES = 6 * codes.HOUR, codes.HOUR, 60.0
#: names looked up in one poll, and for how long one is good
_NAMES, _NAME_LASTS = 5, dt.timedelta(days=1)


class Looking:
    """The polls of one connection, and the completing of hints."""

    def __init__(
        self, client: Client, accounts: Accounts, acting: Acting, oauth: OAuth, settings: Mapping[str, Any],
        connection: str, history: History, now: Callable[[], dt.datetime],
    ) -> None:  # fmt: skip
        self._client, self._accounts, self._acting, self._oauth = client, accounts, acting, oauth
        self._settings, self._connection, self._history, self._now = settings, connection, history, now
        self._login = codes.LOGINS[settings["login"]]
        self._backfill = Backfill(client, accounts, connection, history, now)

    def poll(self, what: str, cursor: Any) -> Poll:
        """Run one poll."""
        polls: dict[str, Callable[[Any], Poll]] = {
            "tokens": self._tokens, "subscription": self._subscription, "profiles": self._profiles,
            "messages": self._backfill.messages, "comments": self._backfill.comments,
        }  # fmt: skip
        return polls[what](cursor if isinstance(cursor, Mapping) else None)

    # --- hints -----------------------------------------------------------------------------------------------------

    def complete(self, events: list[Event]) -> list[Event]:
        """Read what a mention names; hold back an echo until the hub's own sends can be told from it."""
        return [self._sent(event) if event.type.endswith(".sent") else self._mentioned(event) for event in events[:1]]

    def _sent(self, event: Event) -> Event:
        self._history.wait_for_own(event, self._now())
        return event

    def _mentioned(self, event: Event) -> Event:
        record = dict(event.record)
        name = "comment" if event.kind == "comment" else "vendor"
        extra = dict((record.get(name) or {}).get("extra") or {})
        account = self._accounts.choose("", text(extra.get("account")))
        owner = account.id or text(extra.get("account"))
        number = event.subject.partition(":")[2] if name == "comment" else ""
        try:
            found = self._client.mentioned(account, owner, text(extra.get("media_id")), number)
        except Gone:
            found = {}
        except (Refused, AuthFailed) as error:
            found, extra["unread"] = {}, error.reason[:300]
        words, username = text(found.get("text")) or text(found.get("caption")), text(found.get("username"))
        extra |= {key: value for key, value in (("username", username),) if value}
        record[name] = {**(record.get(name) or {}), **({"text": words} if name == "comment" else {}), "extra": extra}
        return event.with_(record=record, text=words or event.text, incomplete=False)

    # --- tokens ----------------------------------------------------------------------------------------------------

    def _tokens(self, cursor: Mapping[str, Any] | None) -> Poll:
        """Renew the tokens that need it, and use the others once: a dead one is told before a client waits for it.

        What fails for one account doesn't keep the others from theirs.
        """
        failed: HubError | None = None
        for account in self._accounts.all():
            entry = self._accounts.entry(account)
            try:
                self._accounts.token(account)  # says so if there is none yet
                if self._oauth.due(entry) and not (entry or {}).get("page"):
                    self._renew(account, entry is None)
                else:
                    self._client.me(account)
            except HubError as error:
                failed = failed or error
        if failed is not None:
            raise failed
        return Poll(cursor={"at": self._now().isoformat()})

    def _renew(self, account: Account, first: bool) -> None:
        if self._login.tagged:
            self._accounts.shelf.renew(account.id, account.given, lambda held: self._page(account))
            return
        if first:
            kept = self._accounts.shelf.renew(
                account.id, account.given, lambda held: held or self._oauth.first_look(account.given)
            )
            if kept.get("expires_at") is None:
                self._client.me(account)  # neither refreshed nor exchanged: young, or dead
            return

        def fresh(held: Mapping[str, Any] | None) -> Mapping[str, Any]:
            if held is not None and not self._oauth.due(dict(held)):
                return held
            token = text((held or {}).get("token")) or account.given
            try:
                return self._oauth.refresh(token)
            except Refused:
                if (held or {}).get("expires_at"):
                    raise
                return {**(held or {}), "token": token, "renewed_at": self._now().timestamp()}

        self._accounts.shelf.renew(account.id, account.given, fresh)

    def _page(self, account: Account) -> Mapping[str, Any]:
        """Return the Page's token that a user's token leads to; one that is a Page's already stays as it is."""
        kept = {"token": account.given, "expires_at": None, "renewed_at": self._now().timestamp(), "page": True}
        try:
            if self._client.me(account)["id"]:
                return kept
        except Refused:
            pass  # a user has no linked account, a Page has
        if not self._settings["app_id"]:
            raise AuthFailed("access_token is a user's, not a Page's: give the Page's token, or set app_id")
        pages = self._oauth.pages(account.given)
        found = pages.get(account.id) if account.id else next(iter(pages.values())) if len(pages) == 1 else None
        if found is None:
            linked = ", ".join(pages) or "none"
            raise AuthFailed(f"this token's Pages have other Instagram accounts linked ({linked}): set account_id")
        return found

    # --- subscription ------------------------------------------------------------------------------------------------

    def _subscription(self, cursor: Mapping[str, Any] | None) -> Poll:
        """See that each account's webhooks come to the app; Meta drops them after an hour of failures."""
        known = list((cursor or {}).get("seen") or [])
        receipts = []
        for account in self._accounts.all():
            missing = self.put_back(account)  # what fails here comes again: what is put back stays
            if missing and account.id in known:
                said = f"Instagram had dropped the subscription to {', '.join(missing)}: the hub has put it back"
                receipts.append(self._told(account, {"text": said, "missing": missing}))
            if account.id not in known:
                known.append(account.id)
        return Poll(receipts, {"seen": known})

    def missing(self, account: Account) -> list[str]:
        """Return the fields the account isn't subscribed to. The form of the list isn't confirmed for both logins."""
        return self._lacking(self._client.subscribed(account))[0]

    def _lacking(self, apps: list[dict[str, Any]]) -> tuple[list[str], bool]:
        """Return the missing fields, and whether it is sure that the list speaks of our app.

        With Instagram Login an app has two ids, and which of them stands there isn't documented.
        """
        ours = [row for row in apps if self._settings["app_id"] and text(row.get("id")) == self._settings["app_id"]]
        told = [row.get("subscribed_fields") for row in ours or apps]
        sure = bool(ours) or not apps or not self._settings["app_id"]
        if apps and not any(isinstance(fields, list) for fields in told):
            return [], sure
        have = {_field(field) for fields in told if isinstance(fields, list) for field in fields}
        wanted = [field for field in self.wanted() if field not in have]
        return [field for field in wanted if field in self._login.least or not have], sure

    def put_back(self, account: Account) -> list[str]:
        """Subscribe an account that isn't, to all fields or, if one of them is refused, to those that matter.

        Returns what was missing. Where it can't be told, the account is subscribed once more: that changes nothing.
        """
        missing, sure = self._lacking(self._client.subscribed(account))
        if missing or not sure:
            try:
                self._client.subscribe(account, self.wanted())
            except Refused:
                self._client.subscribe(account, self._login.least)
        return missing

    def wanted(self) -> tuple[str, ...]:
        """Return the fields to subscribe to."""
        return self._settings["subscribe"] or self._login.fields

    # --- names -------------------------------------------------------------------------------------------------------

    def _profiles(self, cursor: Mapping[str, Any] | None) -> Poll:
        """Look up who has written lately: name and username, once a day each, so that the CRM's contact has them.

        cursor: `since`, and `asked`, person -> when.
        """
        now = self._now()
        since = moment((cursor or {}).get("since")) or now - dt.timedelta(minutes=5)
        asked = {
            person: at
            for person, at in ((cursor or {}).get("asked") or {}).items()
            if (when := moment(at)) is not None and now - when < _NAME_LASTS
        }
        receipts: list[tuple[str, Request]] = []
        left = False
        for event in reversed(self._history.events(("message.received",), since, limit=500)):
            person = text((event.record.get("contact") or {}).get("id"))
            if not person or person in asked:
                continue
            if len(receipts) >= _NAMES:
                left = True
                break
            asked[person] = now.isoformat()
            if (request := self._named(event, person, now)) is not None:
                receipts.append((f"profile:{person}:{now.date().isoformat()}", request))
        following = {"since": (since if left else now - dt.timedelta(seconds=30)).isoformat(), "asked": asked}
        return Poll(receipts, following, next_in=NEXT if left else None)

    def _named(self, event: Event, person: str, now: dt.datetime) -> Request | None:
        account = self._accounts.choose(
            "", text(((event.record.get("message") or {}).get("extra") or {}).get("account"))
        )
        try:
            found = self._acting.profile(account, person)
        except (Refused, Retry, Uncertain) as error:
            if isinstance(error, RateLimited):
                raise
            return None  # no consent yet, or a passing fault: a name is worth no second try today
        return polled(self._connection, {"id": account.id, "field": "profile", "value": found}, now)

    # --- small parts -----------------------------------------------------------------------------------------------

    def _told(self, account: Account, value: Mapping[str, Any]) -> tuple[str, Request]:
        now = self._now()
        key = f"connection:{account.id}:{now.isoformat()}"
        entry = {"id": account.id, "field": "connection", "value": dict(value)}
        return key, polled(self._connection, entry, now)


def _field(given: Any) -> str:
    """Return a subscribed field's name, which comes as a word or in an object."""
    return text(given.get("name")) if isinstance(given, Mapping) else text(given)
