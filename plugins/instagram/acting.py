"""Acting: each action with the calls it takes, the rule of the 24 hours before, and what an earlier try left behind.

Instagram has no idempotency key and no field for a marker. A send whose answer was lost is looked for by what it left:
its echo among the hub's own events, then the conversation itself; only what is in neither is sent again.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping
from typing import Any

from hub.connector import History
from hub.errors import Gone, Refused, Retry, Uncertain
from hub.model import Action, Done, Record
from plugins.instagram import codes, outgoing, window
from plugins.instagram.accounts import Account, Accounts
from plugins.instagram.client import Client, rows
from plugins.instagram.incoming import CHANNEL, contact
from plugins.meta.envelope import text
from plugins.meta.refusals import is_window

#: clocks differ: a trace may seem this much older than the try that left it
_SLACK = dt.timedelta(seconds=5)
#: how far back the hub looks for the client's last message
_LOOK_BACK = dt.timedelta(days=400)


class Acting:
    """Carries out the actions of one connection."""

    def __init__(
        self, client: Client, accounts: Accounts, settings: Mapping[str, Any], connection: str, history: History,
        now: Callable[[], dt.datetime],
    ) -> None:  # fmt: skip
        self._client, self._accounts, self._settings = client, accounts, settings
        self._connection, self._history, self._now = connection, history, now
        self._login = codes.LOGINS[settings["login"]]

    def perform(self, action: Action) -> Done:
        """Do it."""
        acts: dict[str, Callable[[Action, Account], Done]] = {
            "message.send": self._send, "message.private_reply": self._private_reply, "message.react": self._react,
            "message.unreact": self._react, "message.typing": self._show, "message.mark_seen": self._show,
            "message.list": self._messages, "attachment.upload": self._upload, "contact.get": self._profile,
            "comment.reply": self._reply, "comment.hide": self._hide, "comment.unhide": self._hide,
            "comment.delete": self._delete, "comment.get": self._comment, "comment.list": self._comments,
            "media.allow_comments": self._switch, "media.forbid_comments": self._switch,
            "mention.reply": self._mention, "thread.pass": self._hand_over, "thread.take": self._hand_over,
            "api": self._api, "api.call": self._api,
        }  # fmt: skip
        if (act := acts.get(action.name)) is None:
            raise Refused(f"plugin instagram has no action {action.name}")
        return act(action, self._accounts.choose(text(action.values.get("account")), self._event_account(action)))

    def _event_account(self, action: Action) -> str:
        """Return the account that the event came to, "" if it isn't one of this connection's."""
        event = action.event
        if event is None or event.connection != self._connection:
            return ""
        return next((account for one in event.record.values() if (account := _extra(one).get("account"))), "")

    # --- messages --------------------------------------------------------------------------------------------------

    def _send(self, action: Action, account: Account) -> Done:
        to = outgoing.recipient(action, self._connection)
        body = outgoing.message(action.values)
        if action.in_doubt_since is not None and (mid := self._left(account, to, body, action.in_doubt_since)):
            return self._sent(action, mid, to, body)
        last, human = self._last_heard(action, to), outgoing.yes(action.values.get("human_agent"))
        feature = self._settings["human_agent"]
        tagged = window.tag(last, self._now(), human, feature)
        try:
            answer = self._client.send(account, self._envelope({"id": to}, body, tagged))
        except Refused as error:
            if not (is_window(error) and last is None and human and feature):
                raise
            answer = self._client.send(account, self._envelope({"id": to}, body, True))
        return self._sent(action, text(answer.get("message_id")), to, body)

    def _envelope(self, to: Mapping[str, str], body: Mapping[str, Any], tagged: bool) -> dict[str, Any]:
        return outgoing.envelope(to, body, tagged, self._login.tagged)

    def _sent(self, action: Action, mid: str, to: str, body: Mapping[str, Any]) -> Done:
        """Return a send with its `mid`: noted as ours, its echo is no news; linked to the message it carries on."""
        if not mid:
            raise Uncertain("Instagram answered without a message_id")
        linked = action.event is not None and action.event.kind == "message"
        said = text(body.get("text"))
        return Done(
            {"id": mid, "text": said, "to": to},
            mid,
            links=[("message", mid)] if linked else [],
            written={"text": said} if said else {"attachment": _kind(body)},
        )

    def _last_heard(self, action: Action, to: str) -> dt.datetime | None:
        """Return when this person last wrote, as far as the hub knows: by the event at hand, or by its memory."""
        events = self._history.events(("message.received",), self._now() - _LOOK_BACK, word=to, limit=20)
        if action.event is not None and action.event.connection == self._connection:
            events = [action.event, *events]
        heard = [
            event.occurred_at
            for event in events
            if event.type == "message.received" and event.occurred_at is not None and _person(event.record) == to
        ]
        return max(heard, default=None)

    def _left(self, account: Account, to: str, body: Mapping[str, Any], since: dt.datetime) -> str:
        """Return the mid of what an earlier try has sent, "" if it surely sent nothing.

        The echo is asked first, then Instagram. `Uncertain` while it can't be told: a message twice is worse than late.
        """
        begin = since - _SLACK
        for event in self._history.events(("message.sent",), begin):
            told = event.record.get("message") or {}
            fresh = event.occurred_at is None or event.occurred_at >= begin
            if fresh and told.get("to") == to and _same(body, text(told.get("text")), bool(told.get("files"))):
                return text(told.get("id"))
        try:
            for conversation in self._client.conversations(account, to)[:1]:
                for row in self._client.messages(account, text(conversation.get("id")), optional=False):
                    at = moment(row.get("created_time"))
                    ours = text((row.get("from") or {}).get("id")) != to
                    if ours and at is not None and at >= begin and _same(body, text(row.get("message")), True):
                        return text(row.get("id"))
        except (Refused, Retry) as error:
            raise Uncertain(f"whether the message was sent can't be seen yet: {error.reason}") from None
        return ""

    def _private_reply(self, action: Action, account: Account) -> Done:
        """Answer a comment in the chat. One per comment, so that a repetition can't become a second message."""
        comment = outgoing.comment_of(action, self._connection)
        event = action.event
        own = event is not None and event.connection == self._connection and event.kind == "comment"
        if event is not None and own and event.subject == f"comment:{comment}":
            window.private_reply(event.occurred_at, self._now())
        body = outgoing.message({name: action.values.get(name) for name in outgoing.PRIVATE_REPLY[1:4]})
        person = _person(event.record) if event is not None and own else ""
        since = action.in_doubt_since
        if since is not None and person and (mid := self._left(account, person, body, since)):
            return self._sent(action, mid, person, body)
        answer = self._client.send(account, self._envelope({"comment_id": comment}, body, False))
        return self._sent(action, text(answer.get("message_id")), text(answer.get("recipient_id")) or person, body)

    def _react(self, action: Action, account: Account) -> Done:
        """Put a heart to a message, or take it back. The body is unconfirmed."""
        mid = self._message_of(action)
        to = outgoing.recipient(action, self._connection)
        payload = {"message_id": mid}
        if action.verb == "react":
            payload["reaction"] = text(action.values.get("reaction")) or codes.REACTION
        self._client.act(account, {"recipient": {"id": to}, "sender_action": action.verb, "payload": payload})
        return Done({"id": mid})

    def _show(self, action: Action, account: Account) -> Done:
        to = outgoing.recipient(action, self._connection)
        how = "mark_seen"
        if action.verb == "typing":
            how = "typing_off" if text(action.values.get("on")).lower() in ("no", "false", "off") else "typing_on"
        self._client.act(account, {"recipient": {"id": to}, "sender_action": how})
        return Done({"to": to})

    def _messages(self, action: Action, account: Account) -> Done:
        to = outgoing.recipient(action, self._connection)
        found = self.messages(account, to)[: action.limit or 20]
        return Done({"rows": found, "count": len(found)})

    def messages(self, account: Account, person: str) -> list[Record]:
        """Return the newest messages of the chat with a person, oldest first."""
        found: list[Record] = []
        for conversation in self._client.conversations(account, person)[:1]:
            for row in self._client.messages(account, text(conversation.get("id")), optional=False):
                at = moment(row.get("created_time"))
                found.append(
                    {
                        "id": text(row.get("id")),
                        "text": text(row.get("message")),
                        "from": text((row.get("from") or {}).get("id")),
                        **({"at": at.isoformat()} if at else {}),
                    }
                )
        return found[::-1]

    def _upload(self, action: Action, account: Account) -> Done:
        for kind in codes.MEDIA:
            if given := action.values.get(kind):
                id = self._client.upload(account, kind, outgoing.address(kind, given))
                return Done({"id": id, "attachment_id": id, "type": kind}, id)
        raise Refused(f"attachment.upload needs one of {', '.join(codes.MEDIA)}: an https address")

    def _message_of(self, action: Action) -> str:
        if found := text(action.values.get("message")) or text(action.values.get("id")):
            return found
        event = action.event
        if event is not None and event.connection == self._connection and event.kind == "message":
            return text((event.record.get("message") or {}).get("id"))
        raise Refused(f"{action.name} needs `message`, the message's id", {"message": "is missing"})

    # --- people ----------------------------------------------------------------------------------------------------

    def _profile(self, action: Action, account: Account) -> Done:
        person = text(action.values.get("id")) or outgoing.recipient(action, self._connection)
        found = self.profile(account, person)
        return Done(found, person)

    def profile(self, account: Account, person: str) -> Record:
        """Return somebody who has written to us as a neutral contact."""
        given = self._client.profile(account, person)
        found = contact(person, text(given.get("username")))
        extra = {name: value for name, value in given.items() if name not in ("id", "name")}
        name = text(given.get("name"))
        return {**found, **({"name": name} if name else {}), "extra": extra}

    # --- comments --------------------------------------------------------------------------------------------------

    def _reply(self, action: Action, account: Account) -> Done:
        """Answer in public. A comment that names us under somebody else's media is answered where it stands."""
        comment = outgoing.comment_of(action, self._connection)
        said = outgoing.words(action.values.get("text"))
        told = _extra((action.event.record if action.event else {}).get("comment"))
        event = action.event
        if event is not None and event.subject == f"comment:{comment}" and told.get("mention"):
            return self._to_mention(account, text(told.get("media_id")), comment, said, action)
        since = action.in_doubt_since
        id = self._replied(account, comment, said, since - _SLACK) if since is not None else ""
        id = id or self._client.reply(account, comment, said)
        return Done({"id": id, "text": said, "comment": comment}, id, written={"text": said})

    def _replied(self, account: Account, comment: str, said: str, since: dt.datetime) -> str:
        """Return the id of an answer with this text given since then; Instagram hangs them on the topmost comment."""
        found = self._client.comment(account, comment, "id,parent_id,replies{id,text,timestamp}")
        parent = text(found.get("parent_id"))
        places = [found, *([self._client.comment(account, parent, "id,replies{id,text,timestamp}")] if parent else [])]
        for place in places:
            for row in rows(place.get("replies")):
                at = moment(row.get("timestamp"))
                if _words(text(row.get("text"))) == _words(said) and (at is None or at >= since):
                    return text(row.get("id"))
        return ""

    def _hide(self, action: Action, account: Account) -> Done:
        comment = outgoing.comment_of(action, self._connection)
        self._client.hide(account, comment, action.verb == "hide")
        return Done({"id": comment, "hidden": action.verb == "hide"}, comment)

    def _delete(self, action: Action, account: Account) -> Done:
        comment = outgoing.comment_of(action, self._connection)
        try:
            self._client.delete(account, comment)
        except Gone:
            if action.in_doubt_since is None:
                raise
        return Done({"id": comment}, comment)

    def _comment(self, action: Action, account: Account) -> Done:
        comment = outgoing.comment_of(action, self._connection)
        return Done(self.comment(self._client.comment(account, comment)), comment)

    def _comments(self, action: Action, account: Account) -> Done:
        media = outgoing.required(action, "media", "id")
        found = [self.comment(row) for row in self._client.comments(account, media)][: action.limit or 50]
        return Done({"rows": found, "count": len(found)})

    @staticmethod
    def comment(given: Mapping[str, Any]) -> Record:
        """Return a comment that was read as a neutral one."""
        author, at = given.get("from"), moment(given.get("timestamp"))
        by = text(author.get("id")) if isinstance(author, Mapping) else ""
        found: Record = {"id": text(given.get("id")), "text": text(given.get("text")), "extra": dict(given)}
        found |= {"by": by} if by else {}
        return found | ({"at": at.isoformat()} if at else {})

    def _switch(self, action: Action, account: Account) -> Done:
        media = outgoing.required(action, "media", "id")
        self._client.switch_comments(account, media, action.verb == "allow_comments")
        return Done({"id": media}, media)

    def _mention(self, action: Action, account: Account) -> Done:
        told = _extra((action.event.record if action.event else {}).get("comment"))
        told = told or _extra((action.event.record if action.event else {}).get("vendor"))
        media = text(action.values.get("media")) or text(told.get("media_id"))
        if not media:
            raise Refused("mention.reply needs `media`, the post's id", {"media": "is missing"})
        comment = text(action.values.get("comment"))
        if not comment and action.event is not None and action.event.kind == "comment":
            comment = action.event.subject.partition(":")[2]
        return self._to_mention(account, media, comment, outgoing.words(action.values.get("text")), action)

    def _to_mention(self, account: Account, media: str, comment: str, said: str, action: Action) -> Done:
        """Answer somebody else's media. What is there can't be read back: a doubtful answer is a person's to judge."""
        if action.in_doubt_since is not None:
            raise Refused(
                "the answer may stand there already, and Instagram doesn't let us look: see for yourself, then"
                " `hub retry` or `hub drop`"
            )
        owner = account.id or self._event_account(action) or self._client.me(account)["id"]
        id = self._client.reply_to_mention(account, owner, media, comment, said)
        return Done({"id": id, "text": said}, id, written={"text": said})

    # --- the rest --------------------------------------------------------------------------------------------------

    def _hand_over(self, action: Action, account: Account) -> Done:
        to = outgoing.recipient(action, self._connection)
        body: dict[str, Any] = {"recipient": {"id": to}, "metadata": text(action.values.get("metadata"))}
        if action.verb == "pass":
            body["target_app_id"] = outgoing.required(action, "app")
        self._client.hand_over(account, action.verb, body)
        return Done({"to": to})

    def _api(self, action: Action, account: Account) -> Done:
        given = {name: value for name, value in action.values.items() if name != "account"}
        answer = self._client.api(account, action.method, given)
        if isinstance(answer, Mapping):
            return Done(dict(answer), text(answer.get("id")))
        return Done({"rows": answer, "count": len(answer)})


# --- small words -------------------------------------------------------------------------------------------------


def moment(value: Any) -> dt.datetime | None:
    """Return the vendor's `2025-07-28T22:44:49+0000` as an instant."""
    try:
        at = dt.datetime.fromisoformat(text(value))
    except ValueError:
        return None
    return at.astimezone(dt.UTC) if at.tzinfo else at.replace(tzinfo=dt.UTC)


def _extra(record: Any) -> Mapping[str, Any]:
    found = record.get("extra") if isinstance(record, Mapping) else None
    return found if isinstance(found, Mapping) else {}


def _person(record: Mapping[str, Any]) -> str:
    handles = (record.get("contact") or {}).get("handles")
    return text(handles.get(CHANNEL)) if isinstance(handles, Mapping) else ""


def _kind(body: Mapping[str, Any]) -> str:
    return text((body.get("attachment") or {}).get("type"))


def _same(body: Mapping[str, Any], said: str, files: bool) -> bool:
    """Tell whether what is in the chat may be this message: by its words; a file by there being one without words."""
    wanted = text(body.get("text"))
    return _words(said) == _words(wanted) if wanted else files and not said.strip()


def _words(said: str) -> str:
    return " ".join(said.split())
