"""Comments: answered, hidden, deleted, read; mentions answered where they stand.

https://developers.facebook.com/docs/instagram-api/guides/comment-moderation
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any

from hub.errors import Gone, Refused
from hub.model import Action, Done, Record
from plugins.instagram import outgoing
from plugins.instagram.accounts import Account
from plugins.instagram.client import Client, moment, rows
from plugins.meta.envelope import text

#: clocks differ: a trace may seem this much older than the try that left it
SLACK = dt.timedelta(seconds=5)


class Comments:
    """What one connection does with comments."""

    def __init__(self, client: Client, connection: str) -> None:
        self._client, self._connection = client, connection

    def reply(self, action: Action, account: Account) -> Done:
        """Answer in public. A comment that names us under somebody else's media is answered where it stands."""
        comment = outgoing.comment_of(action, self._connection)
        said = outgoing.words(action.values.get("text"))
        told = self._told(action)
        if told.get("mention") and action.event is not None and action.event.subject == f"comment:{comment}":
            return self._to_mention(account, text(told.get("media_id")), comment, said, action)
        since = action.in_doubt_since
        id = self._replied(account, comment, said, since - SLACK) if since is not None else ""
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
                if plain(text(row.get("text"))) == plain(said) and (at is None or at >= since):
                    return text(row.get("id"))
        return ""

    def hide(self, action: Action, account: Account) -> Done:
        """Hide it from others, or show it again."""
        comment = outgoing.comment_of(action, self._connection)
        self._client.hide(account, comment, action.verb == "hide")
        return Done({"id": comment, "hidden": action.verb == "hide"}, comment)

    def delete(self, action: Action, account: Account) -> Done:
        """Delete it; one that an earlier, doubtful try has deleted is gone as wanted."""
        comment = outgoing.comment_of(action, self._connection)
        try:
            self._client.delete(account, comment)
        except Gone:
            if action.in_doubt_since is None:
                raise
        return Done({"id": comment}, comment)

    def get(self, action: Action, account: Account) -> Done:
        """Read one comment."""
        comment = outgoing.comment_of(action, self._connection)
        return Done(self.neutral(self._client.comment(account, comment)), comment)

    def list(self, action: Action, account: Account) -> Done:
        """Read the comments of a post."""
        media = outgoing.required(action, "media", "id")
        found = [self.neutral(row) for row in self._client.comments(account, media)][: action.limit or 50]
        return Done({"rows": found, "count": len(found)})

    @staticmethod
    def neutral(given: Mapping[str, Any]) -> Record:
        """Return a comment that was read as a neutral record."""
        author, at = given.get("from"), moment(given.get("timestamp"))
        by = text(author.get("id")) if isinstance(author, Mapping) else ""
        found: Record = {"id": text(given.get("id")), "text": text(given.get("text")), "extra": dict(given)}
        found |= {"by": by} if by else {}
        return found | ({"at": at.isoformat()} if at else {})

    def switch(self, action: Action, account: Account) -> Done:
        """Allow comments under a post, or forbid them."""
        media = outgoing.required(action, "media", "id")
        self._client.switch_comments(account, media, action.verb == "allow_comments")
        return Done({"id": media}, media)

    def mention(self, action: Action, account: Account) -> Done:
        """Answer where the account was named."""
        media = text(action.values.get("media")) or text(self._told(action).get("media_id"))
        if not media:
            raise Refused("mention.reply needs `media`, the post's id", {"media": "is missing"})
        comment = text(action.values.get("comment"))
        if not comment and self._told(action) and action.event is not None and action.event.kind == "comment":
            comment = action.event.subject.partition(":")[2]
        return self._to_mention(account, media, comment, outgoing.words(action.values.get("text")), action)

    def _told(self, action: Action) -> Mapping[str, Any]:
        """Return what an event of this connection says of its comment or mention; {} for any other event."""
        event = action.event
        if event is None or event.connection != self._connection:
            return {}
        return extra_of(event.record.get("comment")) or extra_of(event.record.get("vendor"))

    def _to_mention(self, account: Account, media: str, comment: str, said: str, action: Action) -> Done:
        """Answer somebody else's media. What is there can't be read back: a doubtful answer is a person's to judge."""
        if action.in_doubt_since is not None:
            raise Refused(
                "the answer may stand there already, and Instagram doesn't let us look: see for yourself, then"
                " `hub retry` or `hub drop`"
            )
        owner = account.id or text(self._told(action).get("account")) or self._client.me(account)["id"]
        id = self._client.reply_to_mention(account, owner, media, comment, said)
        return Done({"id": id, "text": said}, id, written={"text": said})


def extra_of(record: Any) -> Mapping[str, Any]:
    """Return what routes may ask a record for by Instagram's own names; {} for none."""
    found = record.get("extra") if isinstance(record, Mapping) else None
    return found if isinstance(found, Mapping) else {}


def plain(said: str) -> str:
    """Return words as they are compared: spaces and line breaks are one."""
    return " ".join(said.split())
