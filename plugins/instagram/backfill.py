"""Back-fill: messages and comments that no webhook brought, asked for in small steps.

What is found comes in like a webhook, with the key that the webhook would have had; what came already is known by it.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping
from typing import Any

from hub.connector import History
from hub.model import Poll, Request
from plugins.instagram.accounts import Account, Accounts
from plugins.instagram.client import Client, moment, rows
from plugins.instagram.incoming import polled
from plugins.meta.envelope import text

#: seconds until the next chat or post is read (two conversations a second are allowed), and how much two looks overlap
NEXT, _OVERLAP = 1.0, dt.timedelta(minutes=2)

#: what a step found: receipt key and request
Found = list[tuple[str, Request]]


class Backfill:
    """The two looks of one connection.

    Both keep the same cursor: `since`, up to where all is read; `queue`, [account, chat or post] yet to be read; `to`,
    what `since` becomes then; `began`, before which everything is history. Comments also keep `counts` of each post.
    """

    def __init__(
        self, client: Client, accounts: Accounts, connection: str, history: History, now: Callable[[], dt.datetime]
    ) -> None:
        self._client, self._accounts, self._connection = client, accounts, connection
        self._history, self._now = history, now

    def messages(self, cursor: Mapping[str, Any] | None) -> Poll:
        """Read the chats that have changed since the last look, one in each step."""

        def changed(begin: dt.datetime, old: Mapping[str, Any]) -> tuple[list[list[str]], dict[str, Any]]:
            queue = []
            for account in self._accounts.all():
                for row in self._client.conversations(account):
                    at = moment(row.get("updated_time"))
                    if at is None or at >= begin:
                        queue.append([account.id, text(row.get("id"))])
            return queue, {}

        return self._step(cursor, changed, self._lost_messages, {})

    def comments(self, cursor: Mapping[str, Any] | None) -> Poll:
        """Read the newest posts whose number of comments has changed, one in each step."""

        def changed(begin: dt.datetime, old: Mapping[str, Any]) -> tuple[list[list[str]], dict[str, Any]]:
            known, counts = old.get("counts") or {}, self._counts()
            queue = [[id, post] for post, (id, count) in counts.items() if count > (known.get(post) or ["", 0])[1]]
            return queue, {"counts": counts}

        first = {"counts": self._counts()} if cursor is None else {}
        return self._step(cursor, changed, self._lost_comments, first)

    def _step(
        self,
        cursor: Mapping[str, Any] | None,
        changed: Callable[[dt.datetime, Mapping[str, Any]], tuple[list[list[str]], dict[str, Any]]],
        read: Callable[[Account, str, dt.datetime], Found],
        first: Mapping[str, Any],
    ) -> Poll:
        now = self._now().replace(microsecond=0)  # as Instagram tells the time
        if cursor is None or (since := moment(cursor.get("since"))) is None:
            return Poll(cursor={"since": now.isoformat(), "queue": [], "to": "", "began": now.isoformat(), **first})
        begin = max(since - _OVERLAP, moment(cursor.get("began")) or since)
        queue = [list(pair) for pair in cursor.get("queue") or []]
        until = text(cursor.get("to"))
        more: dict[str, Any] = {}
        if not queue:
            until = now.isoformat()
            queue, more = changed(begin, cursor)
        found: Found = []
        for id, place in queue[:1]:
            found = read(self._accounts.choose("", id), place, begin)
        left = queue[1:]
        following = {**cursor, **more, "since": since.isoformat() if left else until, "queue": left, "to": until}
        return Poll(found, following, next_in=NEXT if left else None)

    # --- messages --------------------------------------------------------------------------------------------------

    def _lost_messages(self, account: Account, conversation: str, since: dt.datetime) -> Found:
        own, known, found = self._own(account), self._known("message", since), []
        for row in reversed(self._client.messages(account, conversation, since=since)):
            mid, at = text(row.get("id")), moment(row.get("created_time"))
            sender = text((row.get("from") or {}).get("id")) if isinstance(row.get("from"), Mapping) else ""
            if not mid or mid in known or at is None or at < since or not sender:
                continue
            people = (row.get("to") or {}).get("data") if isinstance(row.get("to"), Mapping) else None
            to = [text(one.get("id")) for one in people or [] if isinstance(one, Mapping)]
            other = next((one for one in to if one != own), "") if sender == own else own
            message = {"mid": mid, "text": text(row.get("message")), **({"is_echo": True} if sender == own else {})}
            element = {
                "sender": {"id": sender}, "recipient": {"id": other}, "timestamp": int(at.timestamp() * 1000),
                "message": message,
            }  # fmt: skip
            found.append((f"poll:{mid}", polled(self._connection, {"id": own, "messaging": [element]}, at)))
        return found

    # --- comments --------------------------------------------------------------------------------------------------

    def _counts(self) -> dict[str, list[Any]]:
        """Return the newest posts with the account they belong to and their number of comments."""
        found: dict[str, list[Any]] = {}
        for account in self._accounts.all():
            for row in self._client.media(account, self._own(account)):
                count = row.get("comments_count")
                if isinstance(count, int) and text(row.get("id")):
                    found[text(row["id"])] = [account.id, count]
        return found

    def _lost_comments(self, account: Account, post: str, since: dt.datetime) -> Found:
        own, known, found = self._own(account), self._known("comment", since), []
        for top in self._client.comments(account, post, optional=True):
            for row in (top, *rows(top.get("replies"))):
                id, at = text(row.get("id")), moment(row.get("timestamp"))
                if not id or id in known or at is None or at < since:
                    continue
                author = row.get("from")
                who = dict(author) if isinstance(author, Mapping) else {}
                who |= {"username": text(row.get("username"))} if row.get("username") else {}
                below = {"parent_id": text(top.get("id"))} if row is not top else {}
                value = {
                    "id": id, "text": text(row.get("text")), "from": who, "media": {"id": post},
                    "created_time": int(at.timestamp()), **below,
                }  # fmt: skip
                entry = {"id": own, "changes": [{"field": "comments", "value": value}]}
                found.append((f"poll:{id}", polled(self._connection, entry, at)))
        return found

    # --- small parts -----------------------------------------------------------------------------------------------

    def _known(self, record: str, since: dt.datetime) -> set[str]:
        """Return the ids of what the hub has been told already."""
        told = self._history.events((f"{record}.received", f"{record}.sent"), since - _OVERLAP, limit=2000)
        return {text((event.record.get(record) or {}).get("id")) for event in told}

    def _own(self, account: Account) -> str:
        return account.id or self._client.me(account)["id"]
