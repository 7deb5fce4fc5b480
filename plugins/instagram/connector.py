"""The connector: what Instagram offers to `hub.yaml`, and methods of a few lines that call the rest."""

from __future__ import annotations

import datetime as dt
import html
from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from typing import Any, ClassVar
from urllib.parse import urlsplit

import marshmallow as ma

from hub.connector import ActionKind, ConnectionInfo, Connector, EventKind, Limits
from hub.errors import AuthFailed, Refused, Rejected
from hub.model import Action, Done, Event, Finding, Poll, Receipt, Record, Reply, Request, Watch
from plugins.instagram import codes, incoming, looking, outgoing
from plugins.instagram.accounts import Accounts
from plugins.instagram.acting import Acting
from plugins.instagram.checking import Checking
from plugins.instagram.client import Client
from plugins.instagram.comments import Comments
from plugins.instagram.looking import Looking
from plugins.instagram.oauth import OAuth
from plugins.instagram.schemas import InstagramSettings
from plugins.meta import signature
from plugins.meta.envelope import text
from plugins.meta.graph import Graph
from plugins.meta.tokens import Shelf
from plugins.meta.usage import Meter

_REFERRAL = ("ref", "ad_id", "ad_title", "ad_url", "referral_source", "referral_type")
_MESSAGE = (
    "account", "payload", "button", "reply_to", "story_id", "story_url", "standby", "backfilled", "unsupported",
    "app_id", *_REFERRAL,
)  # fmt: skip
_REACTION = ("account", "action", "reaction", "emoji")
_COMMENT = (
    "account", "media_id", "media_type", "parent_id", "username", "live", "mention", "ad_id", "ad_title",
    "original_media_id",
)  # fmt: skip
_CONTACT = ("username", "profile_pic", "follower_count", "is_verified_user", "is_user_follow_business",
            "is_business_follow_user")  # fmt: skip
_CONNECTED = '<!doctype html><meta charset="utf-8"><title>Connected</title><p>The hub is connected to {who}.</p>'


class Instagram(Connector):
    """The professional accounts of one app: usually one."""

    name: ClassVar[str] = "instagram"
    title: ClassVar[str] = "Instagram"
    docs_url: ClassVar[str] = "https://developers.facebook.com/docs/instagram-platform"
    Settings: ClassVar[type[ma.Schema]] = InstagramSettings
    #: a send may still be running when its answer was lost; its echo comes within seconds
    settle: ClassVar[float] = 60.0
    #: 1000 updates in one POST
    max_body: ClassVar[int] = 8_000_000
    volatile: ClassVar[tuple[str, ...]] = ("follower_count", "profile_pic")

    events: ClassVar[tuple[EventKind, ...]] = (
        EventKind("message.received", "message", "messages-text.webhook.json", "also a pressed button", _MESSAGE),
        EventKind("message.sent", "message", "messages-echo.webhook.json", "by a colleague or another app", _MESSAGE),
        EventKind("message.read", "message", "messaging-seen.webhook.json", "the client has seen ours", ("account",)),
        EventKind("message.deleted", "message", "messages-deleted.webhook.json", "taken back", ("account",)),
        EventKind("message.reaction", "message", "message-reactions-react.webhook.json", "", _REACTION),
        EventKind("comment.received", "comment", "comments-changes.webhook.json", "also live, and mentions", _COMMENT),
        EventKind("comment.sent", "comment", "own-comment.webhook.json", "by a colleague under our posts", _COMMENT),
        EventKind("contact.updated", "contact", "profile.poll.json", "name and username were looked up", _CONTACT),
        EventKind("connection.changed", "", "connection.poll.json", "the subscription was gone and is back"),
        EventKind("vendor.mentions", "", "mentions-media.webhook.json", "named in the caption of somebody's post"),
        EventKind("vendor.message_edit", "message", "message-edit.webhook.json", "", ("num_edit",)),
        EventKind("vendor.message_self", "", "", "our account wrote to itself"),
        EventKind(
            "vendor.messaging_referral", "", "messaging-referral.webhook.json", "came by an ig.me link", _REFERRAL
        ),
        EventKind("vendor.messaging_handover", "", "messaging-handover.webhook.json", "another app has the thread"),
        EventKind("vendor.story_insights", "", "story-insights.webhook.json"),
        EventKind("vendor.other_account", "", "", "for an account that hub.yaml doesn't name"),
    )

    actions: ClassVar[tuple[ActionKind, ...]] = (
        ActionKind(
            "message.send", uncertain="repeat", cost=3, fields=outgoing.SEND,
            note="a repetition first looks for the echo and into the chat",
        ),
        ActionKind(
            "message.private_reply", ("text",), uncertain="repeat", cost=3, fields=outgoing.PRIVATE_REPLY,
            note="answers a comment in the chat, once",
        ),
        ActionKind("message.react", idempotent=True, linked=False, fields=("message", "to", "reaction", "account")),
        ActionKind("message.unreact", idempotent=True, linked=False, fields=("message", "to", "account")),
        ActionKind("message.typing", idempotent=True, linked=False, fields=("to", "on", "account")),
        ActionKind("message.mark_seen", idempotent=True, linked=False, fields=("to", "account")),
        ActionKind("message.list", idempotent=True, cost=22, linked=False, fields=("to", "account")),
        ActionKind("attachment.upload", idempotent=True, linked=False, fields=(*codes.MEDIA, "account")),
        ActionKind("contact.get", idempotent=True, linked=False, fields=("id", "to", "account")),
        ActionKind(
            "comment.reply", ("text",), uncertain="repeat", cost=3, linked=False, fields=("comment", "text", "account"),
            note="a repetition first looks for the same answer",
        ),
        ActionKind("comment.hide", idempotent=True, linked=False, fields=("comment", "account")),
        ActionKind("comment.unhide", idempotent=True, linked=False, fields=("comment", "account")),
        ActionKind("comment.delete", idempotent=True, linked=False, fields=("comment", "account")),
        ActionKind("comment.get", idempotent=True, linked=False, fields=("comment", "account")),
        ActionKind("comment.list", ("media",), idempotent=True, linked=False, fields=("media", "account")),
        ActionKind("media.allow_comments", ("media",), idempotent=True, linked=False, fields=("media", "account")),
        ActionKind("media.forbid_comments", ("media",), idempotent=True, linked=False, fields=("media", "account")),
        ActionKind(
            "mention.reply", ("text",), linked=False, cost=2, fields=("media", "comment", "text", "account"),
            note="what it writes can't be read back",
        ),
        ActionKind("thread.pass", ("app",), idempotent=True, linked=False, fields=("to", "app", "metadata", "account")),
        ActionKind("thread.take", idempotent=True, linked=False, fields=("to", "metadata", "account")),
        ActionKind("api", note="any call: `method: GET me/media`"),
    )  # fmt: skip

    def __init__(self, connection: ConnectionInfo, settings: Mapping[str, Any]) -> None:
        super().__init__(connection, settings)
        self._login = codes.LOGINS[settings["login"]]

    def now(self) -> dt.datetime:
        """Return the present instant; tests put their own in its place."""
        return dt.datetime.now(dt.UTC)

    # --- the parts, made once ----------------------------------------------------------------------------------------

    @cached_property
    def _accounts(self) -> Accounts:
        return Accounts(self.settings, Shelf(lambda: self.tokens))

    @cached_property
    def _client(self) -> Client:
        base = self.settings["api_url"] or self._login.host
        proof = self.settings["app_secret"][0] if self.settings["proof"] else ""
        graph = Graph(lambda: self.http, base, self.settings["version"], Meter(), proof)
        return Client(graph, self._accounts, self._login)

    @cached_property
    def _oauth(self) -> OAuth:
        return OAuth(self.settings, lambda: self.http, lambda: self.now().timestamp())

    @property
    def _acting(self) -> Acting:
        name = self.connection.name
        return Acting(self._client, self._accounts, self.settings, name, self.history, self.now)

    @property
    def _looking(self) -> Looking:
        name, acting = self.connection.name, self._acting
        return Looking(
            self._client, self._accounts, acting, self._oauth, self.settings, name, self.history, self.now
        )  # fmt: skip

    @property
    def _checking(self) -> Checking:
        return Checking(self._client, self._accounts, self._looking, self.settings, self.connection)

    # --- declared per connection -------------------------------------------------------------------------------------

    def limits(self) -> Limits:
        """Return how politely to call: 100 messages a second are allowed, all else grows with the account's views."""
        per_second, id = float(self.settings["per_second"]), self.settings["account_id"]
        return Limits(per_second, max(2, int(per_second * 2)), parallel=8, key=f"instagram:{id}" if id else "")

    def hosts(self) -> Iterable[str]:
        """Return the Graph's host, and with Instagram Login the one that takes the codes of a consent."""
        if url := self.settings["api_url"]:
            return (urlsplit(url).hostname or "",)
        more = () if self._login.tagged else (codes.TOKEN_HOST,)
        return tuple(urlsplit(url).hostname or "" for url in (self._login.host, *more))

    def polls(self) -> Mapping[str, float]:
        """Return what the hub looks after by itself; without any token it only listens."""
        if not any(account.given for account in self._accounts.all()) and not self.settings["app_id"]:
            return {}
        found = {"tokens": looking.TOKENS, "subscription": looking.SUBSCRIPTION}
        if self.settings["backfill"]:
            found |= dict.fromkeys(("messages", "comments"), self.settings["backfill"])
        if self.settings["profiles"]:
            found["profiles"] = looking.PROFILES
        return found

    # --- the way in --------------------------------------------------------------------------------------------------

    def handshake(self, request: Request) -> Reply | None:
        """Answer the check that the App Dashboard makes."""
        return signature.handshake(request, self.settings["verify_token"])

    def verify(self, request: Request) -> None:
        """Compare the signature over the raw body with each of the app's secrets."""
        signature.verify(request, self.settings["app_secret"])

    def receipt_key(self, request: Request) -> str:
        """Return a hash of the body."""
        return signature.receipt_key(request)

    def acknowledge(self, request: Request) -> Reply:
        """Say what Meta's examples say."""
        return Reply(200, "EVENT_RECEIVED")

    def parse(self, receipt: Receipt) -> list[Event]:
        """Turn every update of every entry into an event."""
        return incoming.parse(receipt, self._accounts.ids())

    # --- asking ------------------------------------------------------------------------------------------------------

    def complete(self, events: list[Event], needs: frozenset[str]) -> list[Event]:
        """Read what a mention names; wait until an echo can be told from a colleague's message."""
        return self._looking.complete(events)

    def poll(self, what: str, cursor: Any, watched: Sequence[Watch] = ()) -> Poll:
        """Look after tokens and subscription, fetch lost messages, look names up."""
        return self._looking.poll(what, cursor)

    def find(self, record: str, by: Mapping[str, Any], limit: int = 50) -> list[Record]:
        """Find a contact by `id`, the messages of a `contact`, the comments of a `media`."""
        account = self._accounts.choose(text(by.get("account")), "")
        if record == "contact" and (person := text(by.get("id"))):
            return [self._acting.profile(account, person)]
        if record == "message" and (person := text(by.get("contact"))):
            return self._acting.messages(account, person)[:limit]
        if record == "comment" and (media := text(by.get("media"))):
            return [Comments.neutral(row) for row in self._client.comments(account, media)][:limit]
        raise Refused(f"Instagram can't search for a {record} by {', '.join(by) or 'nothing'}")

    def get(self, record: str, id: str) -> Record:
        """Read a contact. A message and a comment are said once: what the webhook brought of them is whole."""
        if record == "contact":
            return self._acting.profile(self._accounts.choose("", ""), id)
        if record in ("message", "comment"):
            return {"id": id}
        raise Refused(f"plugin instagram can't read a {record}")

    # --- acting ------------------------------------------------------------------------------------------------------

    def perform(self, action: Action) -> Done:
        """Do it; see `acting.Acting`."""
        return self._acting.perform(action)

    # --- looking after it --------------------------------------------------------------------------------------------

    def check(self) -> list[Finding]:
        """Ask whose the token is, what it may, and whether the account's webhooks are subscribed."""
        return self._checking.check()

    def connect(self, callback_url: str) -> list[Finding]:
        """Subscribe the accounts."""
        return self._checking.connect(callback_url)

    # --- consent -----------------------------------------------------------------------------------------------------

    def authorize_url(self, state: str, redirect: str) -> str | None:
        """Return the page of consent; None without an app id."""
        return self._oauth.authorize_url(state, redirect)

    def consent(self, request: Request) -> Reply:
        """Turn the code of a consent into tokens and keep them."""
        if error := request.query_value("error"):
            why = request.query_value("error_description") or request.query_value("error_reason") or error
            raise Rejected(403, f"consent was not given: {' '.join(why.split())[:200]}")
        code = request.query_value("code")
        if not code or not self.settings["app_id"]:
            raise Rejected(400, "this is no answer to a consent of this connection (is app_id set?)")
        redirect = f"{self.connection.base_url.rstrip('/')}/oauth/{self.connection.name}"
        found = self._oauth.by_code(code, redirect)
        if not found:
            raise AuthFailed("this login sees no Page with a linked Instagram account")
        ours = self._accounts.all()
        several = bool(self.settings["accounts"]) or bool(ours[0].id)
        if not several and len(found) > 1:
            raise Rejected(409, f"this login sees several accounts, set account_id to one of {', '.join(found)}")
        kept = []
        for account in ours:
            id = account.id or next(iter(found))
            whose = (self._accounts.entry(account) or {}).get("whose", id)
            if id in found and whose != id:  # another account's consent takes nothing over
                raise Rejected(409, f"this connection is of account {whose}; for another set account_id in hub.yaml")
            if id in found:
                self._accounts.shelf.keep(account.id, account.given, {**found[id], "whose": id})
                kept.append(id)
        if not kept:
            raise Rejected(409, f"this login sees {', '.join(found)}, hub.yaml names {', '.join(self._accounts.ids())}")
        return Reply(200, _CONNECTED.format(who=html.escape(", ".join(kept))), "text/html; charset=utf-8")
