"""HTTP only: one method per call of Instagram's. Refusals come out as the hub's errors.

https://developers.facebook.com/docs/instagram-platform ; with Facebook Login messages go through the Page that is
linked to the account (`me` is whoever the token belongs to), comments through their own ids.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any

from hub.errors import Refused
from plugins.instagram import codes
from plugins.instagram.accounts import Account, Accounts
from plugins.meta.envelope import text
from plugins.meta.graph import Graph

_VERBS = ("GET", "POST", "DELETE")


class Client:
    """The calls of one connection; each says which account makes it."""

    def __init__(self, graph: Graph, accounts: Accounts, login: codes.Login) -> None:
        self._graph, self._accounts, self._login = graph, accounts, login

    def _get(self, account: Account, path: str, optional: bool = False, **params: Any) -> dict[str, Any]:
        answer = self._graph.get(path, self._accounts.reader(account), optional=optional, **params)
        return dict(answer) if isinstance(answer, Mapping) else {"data": answer}

    def _post(self, account: Account, path: str, json: Mapping[str, Any], changes: bool = True) -> dict[str, Any]:
        answer = self._graph.call("POST", path, self._accounts.reader(account), json=dict(json), changes=changes)
        return dict(answer) if isinstance(answer, Mapping) else {"data": answer}

    def speaker(self, account: Account) -> str:
        """Return who sends messages: the account itself, or (Facebook Login) the Page its token belongs to."""
        return "me" if self._login.tagged else account.path

    # --- messages ------------------------------------------------------------------------------------------------

    def send(self, account: Account, body: Mapping[str, Any]) -> dict[str, Any]:
        """Send a message, answer a comment in private; `{"recipient_id", "message_id"}`."""
        return self._post(account, f"{self.speaker(account)}/messages", body)

    def act(self, account: Account, body: Mapping[str, Any]) -> dict[str, Any]:
        """Show something in the chat (typing, seen, a reaction): doing it twice changes nothing."""
        return self._post(account, f"{self.speaker(account)}/messages", body, changes=False)

    def upload(self, account: Account, kind: str, url: str) -> str:
        """Have a file fetched once and kept, to be sent many times; return its attachment_id."""
        body = {"message": {"attachment": {"type": kind, "payload": {"url": url, "is_reusable": True}}}}
        return text(
            self._post(account, f"{self.speaker(account)}/message_attachments", body, False).get("attachment_id")
        )

    def conversations(self, account: Account, person: str = "") -> list[dict[str, Any]]:
        """Return the newest conversations, or the one with a person: `{"id", "updated_time"}`."""
        answer = self._get(
            account, "me/conversations", not person, platform="instagram", user_id=person or None,
            fields="id,updated_time",
        )  # fmt: skip
        return rows(answer)

    def messages(
        self, account: Account, conversation: str, optional: bool = True, since: dt.datetime | None = None
    ) -> list[dict[str, Any]]:
        """Return a conversation's newest messages with sender and text, newest first; 20 at most have details.

        Nested fields may be answered by ids alone (the page shows two calls): then each is read by itself, those from
        `since` on where it is given.
        https://developers.facebook.com/docs/instagram-platform/instagram-api-with-instagram-login/conversations-api
        """
        answer = self._get(account, conversation, optional, fields=f"messages{{{codes.MESSAGE}}}")
        found = rows(answer.get("messages"))[:20]
        if since is not None:
            found = [row for row in found if (moment(row.get("created_time")) or since) >= since]
        return [row if "from" in row else self._message(account, row, optional) for row in found]

    def _message(self, account: Account, row: dict[str, Any], optional: bool) -> dict[str, Any]:
        try:
            return self._get(account, text(row.get("id")), optional, fields=codes.MESSAGE)
        except Refused:
            return row  # older than the 20 newest: Instagram calls them deleted

    def hand_over(self, account: Account, how: str, body: Mapping[str, Any]) -> dict[str, Any]:
        """Pass a thread to another app, or take it (Facebook Login)."""
        return self._post(account, f"me/{how}_thread_control", body, changes=False)

    # --- people --------------------------------------------------------------------------------------------------

    def profile(self, account: Account, person: str) -> dict[str, Any]:
        """Return the profile of somebody who has written: name, username, picture, followers."""
        return self._get(account, person, True, fields=codes.PROFILE)

    def me(self, account: Account) -> dict[str, str]:
        """Return `{"id", "username", "name"}` of the account; its id is the one that webhooks say."""
        if self._login.tagged:
            page = self._get(account, "me", fields="id,name,instagram_business_account")
            linked = page.get("instagram_business_account")
            id = text(linked.get("id")) if isinstance(linked, Mapping) else ""
            return {"id": id, "username": "", "name": text(page.get("name"))}
        own = self._get(account, "me", fields="user_id,username")
        return {
            "id": text(own.get("user_id")),
            "username": text(own.get("username")),
            "name": text(own.get("username")),
        }

    # --- comments ------------------------------------------------------------------------------------------------

    def comment(self, account: Account, comment: str, fields: str = codes.COMMENT) -> dict[str, Any]:
        """Return a comment."""
        return self._get(account, comment, fields=fields)

    def media(self, account: Account, owner: str) -> list[dict[str, Any]]:
        """Return the account's newest posts with their number of comments.

        https://developers.facebook.com/docs/instagram-platform/instagram-graph-api/reference/ig-user/media
        """
        return rows(self._get(account, f"{owner}/media", True, fields="id,comments_count", limit="25"))

    def comments(self, account: Account, media: str, optional: bool = False) -> list[dict[str, Any]]:
        """Return the comments of a post and the answers below them.

        Two fields alone have been refused as "too much data": a third cures it.
        """
        fields = "id,text,timestamp,username,from,replies{id,text,timestamp,username,from}"
        return rows(self._get(account, f"{media}/comments", optional, fields=fields))

    def reply(self, account: Account, comment: str, message: str) -> str:
        """Answer a comment in public; return the answer's id."""
        return text(self._post(account, f"{comment}/replies", {"message": message}).get("id"))

    def hide(self, account: Account, comment: str, hidden: bool) -> None:
        """Hide a comment from others, or show it again."""
        self._post(account, comment, {"hide": hidden}, changes=False)

    def delete(self, account: Account, comment: str) -> None:
        """Delete a comment."""
        self._graph.call("DELETE", comment, self._accounts.reader(account), changes=False)

    def switch_comments(self, account: Account, media: str, enabled: bool) -> None:
        """Allow comments under a post, or forbid them. The parameter's name was not checked again by the sheet."""
        self._post(account, media, {"comment_enabled": enabled}, changes=False)

    # --- mentions ------------------------------------------------------------------------------------------------

    def mentioned(self, account: Account, owner: str, media: str, comment: str) -> dict[str, Any]:
        """Return the comment or the media that names the account; {} if it holds nothing.

        https://developers.facebook.com/docs/instagram-api/reference/ig-user/mentioned_comment
        """
        if comment:
            name, asked = "mentioned_comment", f"mentioned_comment.comment_id({comment}){{id,text,timestamp}}"
        else:
            name, asked = (
                "mentioned_media",
                f"mentioned_media.media_id({media}){{id,caption,media_type,timestamp,username}}",
            )
        found = self._get(account, owner, True, fields=asked).get(name)
        return dict(found) if isinstance(found, Mapping) else {}

    def reply_to_mention(self, account: Account, owner: str, media: str, comment: str, message: str) -> str:
        """Answer where the account was named; return the answer's id."""
        body = {"media_id": media, "message": message, **({"comment_id": comment} if comment else {})}
        return text(self._post(account, f"{owner}/mentions", body).get("id"))

    # --- subscription --------------------------------------------------------------------------------------------

    def subscribed(self, account: Account) -> list[dict[str, Any]]:
        """Return which apps get the account's webhooks, each with `subscribed_fields`."""
        return rows(self._get(account, f"{self.speaker(account)}/subscribed_apps"))

    def subscribe(self, account: Account, fields: tuple[str, ...]) -> None:
        """Have the account's webhooks sent to the app."""
        self._graph.call(
            "POST", f"{self.speaker(account)}/subscribed_apps", self._accounts.reader(account),
            params={"subscribed_fields": ",".join(fields)}, changes=False,
        )  # fmt: skip

    # --- anything else -------------------------------------------------------------------------------------------

    def api(self, account: Account, method: str, values: Mapping[str, Any]) -> Any:
        """Make any call: `GET me/media`, `POST me/messenger_profile`. Values are the query, or the body of a POST."""
        verb, _, path = method.strip().partition(" ")
        verb, path = verb.upper(), path.strip().lstrip("/")
        if verb not in _VERBS or not path or any(mark in path for mark in "?# \\"):
            raise Refused(f"`method` reads like `GET me/media`, not {method[:80]!r}")
        query, body = (None, dict(values)) if verb == "POST" else (dict(values), None)
        return self._graph.call(verb, path, self._accounts.reader(account), params=query, json=body)


def moment(value: Any) -> dt.datetime | None:
    """Return the vendor's `2025-07-28T22:44:49+0000` as an instant."""
    try:
        at = dt.datetime.fromisoformat(text(value))
    except ValueError:
        return None
    return at.astimezone(dt.UTC) if at.tzinfo else at.replace(tzinfo=dt.UTC)


def rows(answer: Any) -> list[dict[str, Any]]:
    """Return the rows of a list answer; anything else is none."""
    found = answer.get("data") if isinstance(answer, Mapping) else None
    return [dict(row) for row in found if isinstance(row, Mapping)] if isinstance(found, list) else []
