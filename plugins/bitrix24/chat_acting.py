"""Open lines, acting: a client's message into a line, and what became of the operator's answer back to the portal."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping
from typing import Any

from hub.errors import AuthFailed, RateLimited, Refused, Retry, Skip
from hub.model import Action, Done
from hub.session import Session
from plugins.bitrix24 import chat_outgoing as outgoing
from plugins.bitrix24.chat_files import File, judged
from plugins.bitrix24.chat_outgoing import Place
from plugins.bitrix24.client import Client

#: seconds to wait for the size of a linked file, and how many links of one message are asked
_ASKING = 10.0
_ASKED = 10


class ChatActing:
    """What the hub does in the open lines of one portal."""

    def __init__(
        self, client: Client, settings: Mapping[str, Any], connection: str, http: Callable[[], Session]
    ) -> None:
        self._client, self._http, self._connection = client, http, connection
        self._lines: Mapping[str, Mapping[str, Any]] = settings["openlines"]
        self._app = bool(settings["client_id"])

    def perform(self, action: Action) -> Done:
        """Do one of `openline.*`."""
        acts: dict[str, Callable[[Action, Place], Done]] = {
            "send": self._send, "update": self._update, "delete": self._delete,
            "delivered": self._delivered, "read": self._read,
        }  # fmt: skip
        if not self._app:
            raise Refused("open lines need an app: add client_id and client_secret (README); a webhook can't use them")
        where = outgoing.place(action, self._lines, outgoing.own_message(action, self._connection))
        return acts[action.verb](action, where)

    # --- a client's message --------------------------------------------------------------------------

    def _send(self, action: Action, where: Place) -> Done:
        """Put a message into the line. After a doubtful try the chat is looked through for its id first.

        Whether the portal itself knows a message by its id again is not documented, so the hub doesn't count on it.
        """
        self._guard(action, where)
        found = outgoing.entry(action, where.settings)
        chat, user, number = found["chat"]["id"], found["user"]["id"], found["message"]["id"]
        if action.in_doubt_since is not None and (known := self._known(where, chat, user, number)):
            return Done({"id": number, "chat": chat, **known, "left_out": ""}, number)
        return self._tell("imconnector.send.messages", where, found)

    def _update(self, action: Action, where: Place) -> Done:
        """Change a client's message in the line: the same ids as when it was sent."""
        self._guard(action, where)
        found = outgoing.entry(action, where.settings)
        return self._tell("imconnector.update.messages", where, found)

    def _tell(self, method: str, where: Place, found: Mapping[str, Any]) -> Done:
        """Send one message. Files: those that can be carried by their link, the others named in its text."""
        files = [self._weighed(file, where, count < _ASKED) for count, file in enumerate(found["files"])]
        element = outgoing.message(found, files)
        row = outgoing.outcome(self._client.call(method, where.address([element])), method)
        number = found["message"]["id"]
        left = "; ".join(f"{file.name}: {file.trouble}" for file in files if file.trouble)
        result = {"id": number, "chat": found["chat"]["id"], **outgoing.portal_ids(row), "left_out": left}
        return Done({**result, "connector": where.connector, "line": where.line}, number)

    def _delete(self, action: Action, where: Place) -> Done:
        """Take a client's message out of the line."""
        self._guard(action, where)
        number = outgoing.message_id(action)
        chat = outgoing.chat_of(action, where.settings)
        if not number or not chat:
            raise Refused("openline.delete needs `chat` and `message`, as they were sent")
        user = str(action.values.get("user") or chat)
        method = "imconnector.delete.messages"
        element = {"user": {"id": user}, "message": {"id": number}, "chat": {"id": chat}}
        outgoing.outcome(self._client.call(method, where.address([element])), method)
        return Done({"id": number, "chat": chat}, number)

    def _guard(self, action: Action, where: Place) -> None:
        """Stop what would go round for ever: an operator's answer put back into the line it was written in."""
        own = outgoing.own_message(action, self._connection)
        if own.get("connector") == where.connector:
            raise Refused(
                f"{action.name}: this message was written in the line of {where.connector}; putting it back there "
                "would send it round for ever. Let the route listen to the channel's message.received"
            )

    # --- files ---------------------------------------------------------------------------------------

    def _weighed(self, file: File, where: Place, ask: bool) -> File:
        """Return the file judged by kind and size; an unknown size is asked for, without fetching the file."""
        file = judged(file, where.settings)
        if file.trouble or file.size is not None or not ask:
            return file
        try:
            answer = self._http().request("HEAD", file.url, changes=False, timeout=_ASKING, from_data=True)
        except RateLimited:
            raise
        except Retry:
            return file  # its size stays unknown; the portal will see
        except Refused as error:
            file.trouble = f"the portal can't fetch it: {error.reason}"
            return file
        if answer.status in (404, 410):
            file.trouble = "its link leads nowhere any more"
        length = str(answer.headers.get("content-length") or "")
        if answer.status == 200 and length.isascii() and length.isdigit():
            file.size = int(length)
        return judged(file, where.settings)

    # --- an operator's message -----------------------------------------------------------------------

    def _delivered(self, action: Action, where: Place) -> Done:
        """Tell the portal that the channel took an answer; it then knows the channel's id of it.

        The portal marks it as read too, as its page says.
        """
        return self._status("imconnector.send.status.delivery", action, where)

    def _read(self, action: Action, where: Place) -> Done:
        """Tell the portal that the client has read an answer."""
        return self._status("imconnector.send.status.reading", action, where)

    def _status(self, method: str, action: Action, where: Place) -> Done:
        own = outgoing.own_message(action, self._connection)
        element = outgoing.status(action, where, own, dt.datetime.now(dt.UTC))
        ids, chat = element["message"]["id"], element["chat"]["id"]
        if not element["im"]:
            user = str(action.values.get("user") or chat)
            known = self._known(where, chat, user, ids[0])
            if not known.get("im_message"):
                raise Skip("missing_skip", record="message in the open line")
            element["im"] = {name: outgoing.number(known[f"im_{name[:-3]}"]) for name in ("chat_id", "message_id")}
        outgoing.outcome(self._client.call(method, where.address([element]), changes=False), method)
        im = {f"im_{name[:-3]}": str(given) for name, given in element["im"].items()}
        return Done({"id": im["im_message"], "external": ids[0], "chat": chat, **im}, im["im_message"])

    # --- looking -------------------------------------------------------------------------------------

    def _known(self, where: Place, chat: str, user: str, message: str) -> dict[str, str]:
        """Return the portal's ids of a message by the channel's own, {} if it isn't in the chat's present session.

        The chat is named by USER_CODE, whose last part is the channel's id of the client by the vendor's words
        (https://apidocs.bitrix24.ru/api-reference/imopenlines/openlines/sessions/imopenlines-dialog-get.html); its
        example shows the portal's own. Where the portal knows no such chat, or the app's employee may not look into
        it, nothing is found and nothing is lost (a token that is really dead shows at the next call).
        """
        code = "|".join((where.connector, where.line, chat, user))
        try:
            dialog = self._client.call("imopenlines.dialog.get", {"USER_CODE": code})
            asked = outgoing.session_of(dialog)
            history = self._client.call("imopenlines.session.history.get", asked) if asked else {}
        except (Refused, AuthFailed):
            return {}
        found = outgoing.in_history(history, message)
        im_chat = str(dialog.get("id") or history.get("chatId") or "")
        return {"im_chat": im_chat, "im_message": found} if found and im_chat else {}
