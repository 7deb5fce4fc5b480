"""Acting: each action with the calls it takes, the rule of the 24 hours before, and what an earlier try left behind.

Instagram has no idempotency key and no field for a marker. A send whose answer was lost is looked for by what it left:
its echo among the hub's own events, then the conversation itself; only what is in neither is sent again.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping
from typing import Any

from hub import normal
from hub.connector import History
from hub.errors import Refused, Retry, Uncertain
from hub.model import Action, Done, Record
from plugins.instagram import codes, outgoing, window
from plugins.instagram.accounts import Account, Accounts
from plugins.instagram.client import Client, moment
from plugins.instagram.comments import SLACK, Comments, extra_of, plain
from plugins.instagram.incoming import CHANNEL, contact
from plugins.meta.codes import REPLIED_ALREADY
from plugins.meta.envelope import text
from plugins.meta.refusals import is_window

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
        of = Comments(self._client, self._connection)
        acts: dict[str, Callable[[Action, Account], Done]] = {
            "message.send": self._send, "message.private_reply": self._private_reply, "message.react": self._react,
            "message.unreact": self._react, "message.typing": self._show, "message.mark_seen": self._show,
            "message.list": self._messages, "attachment.upload": self._upload, "contact.get": self._profile,
            "comment.reply": of.reply, "comment.hide": of.hide, "comment.unhide": of.hide, "comment.delete": of.delete,
            "comment.get": of.get, "comment.list": of.list, "media.allow_comments": of.switch,
            "media.forbid_comments": of.switch, "mention.reply": of.mention, "thread.pass": self._hand_over,
            "thread.take": self._hand_over, "api": self._api, "api.call": self._api,
        }  # fmt: skip
        if (act := acts.get(action.name)) is None:
            raise Refused(f"plugin instagram has no action {action.name}")
        return act(action, self._accounts.choose(text(action.values.get("account")), self._event_account(action)))

    def _event_account(self, action: Action) -> str:
        """Return the account that the event came to, "" if it isn't one of this connection's."""
        event = action.event
        if event is None or event.connection != self._connection:
            return ""
        return next((account for one in event.record.values() if (account := extra_of(one).get("account"))), "")

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
                raise _advised(error, action) from None
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
        begin = since - SLACK
        for event in self._history.events(("message.sent",), begin, limit=500):
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
        body = outgoing.message({name: action.values.get(name) for name in ("text", "quick_replies")})
        person = _person(event.record) if event is not None and own else ""
        since = action.in_doubt_since
        if since is not None and person and (mid := self._left(account, person, body, since)):
            return self._sent(action, mid, person, body)
        try:
            answer = self._client.send(account, self._envelope({"comment_id": comment}, body, False))
        except Refused as error:
            if since is not None and error.vendor_code.endswith(f"/{REPLIED_ALREADY}"):
                return Done({"comment": comment, "to": person})  # by the earlier try; its id is not to be had
            raise
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
        name = normal.short(normal.seen(text(given.get("name"))))
        return {**found, **({"name": name} if name else {}), "extra": extra}

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


def _advised(error: Refused, action: Action) -> Refused:
    """Add what to do where somebody who only commented was to be written to."""
    if action.event is None or action.event.kind != "comment":
        return error
    advice = "a comment is answered in the chat by message.private_reply"
    return Refused(f"{error.reason}; {advice}", error.fields, error.vendor_code)


def _person(record: Mapping[str, Any]) -> str:
    handles = (record.get("contact") or {}).get("handles")
    return text(handles.get(CHANNEL)) if isinstance(handles, Mapping) else ""


def _kind(body: Mapping[str, Any]) -> str:
    return text((body.get("attachment") or {}).get("type"))


def _same(body: Mapping[str, Any], said: str, files: bool) -> bool:
    """Tell whether what is in the chat may be this message: by its words; a file by there being one without words."""
    wanted = text(body.get("text"))
    return plain(said) == plain(wanted) if wanted else files and not said.strip()
