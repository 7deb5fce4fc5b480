"""The Chats API (amojo): how a channel of the hub's own gets its conversations into amoCRM, and answers out.

Every request is signed: headers Date, Content-Type, Content-MD5, and X-Signature = hex HMAC-SHA1 over method, these
and the path, joined by line breaks. The bytes that were hashed are the bytes that are sent.
https://www.amocrm.ru/developers/content/chats/chat-api-reference
"""

from __future__ import annotations

import datetime as dt
import hashlib
import hmac
from collections.abc import Callable, Mapping
from email.utils import format_datetime
from typing import Any
from urllib.parse import urlsplit

import orjson

from hub.errors import AuthFailed, Gone, RateLimited, Refused, Retry, Uncertain
from hub.model import Action, Done
from hub.session import Session
from plugins.amocrm import codes, outgoing
from plugins.amocrm.client import Client
from plugins.amocrm.directory import Directory
from plugins.amocrm.records import text_of
from plugins.amocrm.refusals import body_of, is_block, words_of
from plugins.amocrm.schemas import domain_of

_ROOT = "/v2/origin/custom/"
_TYPE = "application/json"
#: kinds of a message (chats/chat-api-reference)
_KINDS = ("text", "picture", "video", "voice", "audio", "file", "sticker", "location", "contact")


def chat_url(settings: Mapping[str, Any]) -> str:
    """Return the address of the Chats API for an account; "" where the hub has no channel."""
    chats = settings["chats"]
    if not chats:
        return ""
    host = urlsplit(settings["base_url"]).hostname or ""
    return str(chats["url"] or codes.CHAT_HOSTS.get(domain_of(host), settings["base_url"])).rstrip("/")


def signature(secret: str, method: str, md5: str, date: str, path: str) -> str:
    """Return the X-Signature of a request; `path` without host and query."""
    text = "\n".join([method.upper(), md5, _TYPE, date, path])
    return hmac.digest(secret.encode(), text.encode(), "sha1").hex()


class Chats:
    """The calls of one channel, and the actions that stand on them."""

    def __init__(
        self, settings: Mapping[str, Any], http: Callable[[], Session], client: Client, directory: Directory,
        clock: Callable[[], dt.datetime] = lambda: dt.datetime.now(dt.UTC),
    ) -> None:  # fmt: skip
        self._settings, self._http, self._client, self._directory, self._clock = (
            settings,
            http,
            client,
            directory,
            clock,
        )
        self._url = chat_url(settings)

    # --- calls -----------------------------------------------------------------------------------

    def account(self) -> str:
        """Return the account's id in the Chats API."""
        known = str(self._channel()["account"] or self._directory.account().get("amojo_id") or "")
        if not known:
            raise Refused("the account has no amojo_id: chats are switched off in it")
        return known

    def _channel(self) -> Mapping[str, Any]:
        if not self._settings["chats"]:
            raise Refused("this needs a chat channel: amoCRM's support registers one, then set `chats` in hub.yaml")
        return self._settings["chats"]

    @property
    def scope(self) -> str:
        """Return `<channel>_<account>`, the place of the channel's conversations."""
        return f"{self._channel()['channel_id']}_{self.account()}"

    def call(self, method: str, path: str, body: Any = None, params: str = "", changes: bool = True) -> Any:
        """Make one signed call under the channel's root; return the parsed answer, None for none."""
        sent = orjson.dumps(body) if body is not None else b""
        md5, date = hashlib.md5(sent).hexdigest(), format_datetime(self._clock())  # noqa: S324 (the vendor's own check)
        where = _ROOT + path
        headers = {
            "Date": date,
            "Content-Type": _TYPE,
            "Content-MD5": md5,
            "X-Signature": signature(self._channel()["secret"], method, md5, date, where),
        }
        answer = self._http().request(
            method, f"{self._url}{where}{params}", data=sent or None, headers=headers, changes=changes, scope="chats"
        )
        if 200 <= answer.status < 300:
            return answer.json() if answer.body.strip() and answer.status != 204 else None
        raise refused(answer.status, answer.body, f"chats {method}", changes, answer.retry_after())

    def connect(self) -> str:
        """Connect the account to the channel, anew after each installation; return the scope."""
        body = {"account_id": self.account(), "title": self._channel()["title"], "hook_api_version": "v2"}
        answer = self.call("POST", f"{self._channel()['channel_id']}/connect", body, changes=False)
        return text_of(answer.get("scope_id")) if isinstance(answer, Mapping) else ""

    def disconnect(self) -> None:
        """Take the channel away from the account."""
        self.call(
            "DELETE", f"{self._channel()['channel_id']}/disconnect", {"account_id": self.account()}, changes=False
        )

    # --- actions ---------------------------------------------------------------------------------

    def perform(self, action: Action) -> Done:
        """Do what a step says to a message or chat."""
        do = {
            "message.send": self._send, "message.edit": self._send, "message.status": self._status,
            "message.react": self._react, "message.typing": self._typing,
            "chat.create": self._create, "chat.link": self._link, "chat.history": self._history,
        }.get(action.name)  # fmt: skip
        if do is None:
            raise Refused(f"plugin amocrm has no action {action.name}")
        return do(action)

    def _send(self, action: Action) -> Done:
        """Bring a message into amoCRM: the client's own, or (with `by` or `bot: yes`) one that went out elsewhere.

        `msgid` is ours: the same message sent again is the same message there.
        """
        given, event = action.values, action.event
        happened = (event.occurred_at if event else None) or self._clock()
        conversation = str(given.get("conversation") or "")
        if not conversation:
            raise Refused(f"{action.name} needs `conversation`: the hub's own id of the chat")
        payload: dict[str, Any] = {
            "timestamp": int(happened.timestamp()),
            "msec_timestamp": int(happened.timestamp() * 1000),
            "msgid": str(given.get("msgid") or action.marker),
            "conversation_id": conversation,
            "silent": str(given.get("silent") or "").lower() in ("yes", "true", "1"),
            "message": message(given),
        }
        client = self._person(given, action.person, conversation)
        if by := str(given.get("by") or ""):
            user = self._directory.users().get(by) or {}
            payload |= {"sender": {"ref_id": str(user.get("amojo_id") or by)}, "receiver": client}
        elif str(given.get("bot") or "").lower() in ("yes", "true", "1"):
            payload |= {"sender": {"ref_id": self._channel()["bot_id"]}, "receiver": client}
        else:
            payload["sender"] = client
        for name, key in (("conversation_ref_id", "chat"), ("reply_to", "reply_to")):
            if given.get(key):
                payload[name] = {"message": {"id": str(given[key])}} if key == "reply_to" else str(given[key])
        if given.get("source"):
            payload["source"] = {"external_id": str(given["source"])}
        kind = "edit_message" if action.verb == "edit" else "new_message"
        answer = self.call("POST", self.scope, {"event_type": kind, "payload": payload})
        made = answer.get(kind) if isinstance(answer, Mapping) else None
        made = made if isinstance(made, Mapping) else {}
        number = text_of(made.get("msgid"))
        result = {
            "id": number,
            "chat": text_of(made.get("conversation_id")),
            "conversation": conversation,
            "msgid": payload["msgid"],
        }
        ours = {"id": number} if number else {}  # so that the account's own word of it is known for an echo
        return Done({key: value for key, value in result.items() if value}, number, written=ours)

    @staticmethod
    def _person(given: Mapping[str, Any], person: Mapping[str, Any], conversation: str) -> dict[str, Any]:
        profile = {name: str(given.get(name) or person.get(name) or "") for name in ("phone", "email")}
        out: dict[str, Any] = {
            "id": str(given.get("client") or person.get("handle") or conversation),
            "name": str(given.get("name") or person.get("name") or person.get("handle") or "Client"),
            "profile": {name: value for name, value in profile.items() if value},
        }
        for name in ("avatar", "profile_link"):
            if given.get(name):
                out[name] = str(given[name])
        return out if out["profile"] else {key: value for key, value in out.items() if key != "profile"}

    def _status(self, action: Action) -> Done:
        """Tell that a message was delivered, read, or couldn't be.

        The reference calls the field `status_code`, one public client sends `delivery_status`: both are sent.
        """
        given = action.values
        word = str(given["status"]).lower()
        status = codes.DELIVERY_STATUSES.get(word)
        if status is None:
            raise Refused(f"status is delivered, read or error, not {word[:40]!r}", {"status": word[:40]})
        number = str(given["message"])
        body: dict[str, Any] = {"msgid": number, "delivery_status": status, "status_code": status}
        if status == -1:
            body |= {
                "error_code": int(given.get("error_code") or 905),
                "error": str(given.get("error") or "not delivered"),
            }
        self.call("POST", f"{self.scope}/{_part(number)}/delivery_status", body, changes=False)
        return Done({"id": number, "status": word}, number)

    def _react(self, action: Action) -> Done:
        given = action.values
        body = {
            "conversation_id": str(given["conversation"]),
            "msgid": str(given["message"]),
            "user": {"id": str(given.get("client") or given["conversation"])},
            "type": "unreact" if str(given.get("remove") or "").lower() in ("yes", "true", "1") else "react",
            "emoji": str(given.get("emoji") or ""),
        }
        self.call("POST", f"{self.scope}/react", body, changes=False)
        return Done({"id": body["msgid"]})

    def _typing(self, action: Action) -> Done:
        given = action.values
        body = {
            "conversation_id": str(given["conversation"]),
            "sender": {"id": str(given.get("client") or given["conversation"])},
        }
        self.call("POST", f"{self.scope}/typing", body, changes=False)
        return Done({})

    def _create(self, action: Action) -> Done:
        """Open a chat before anybody has written. The same conversation again is the same chat."""
        given = action.values
        conversation = str(given.get("conversation") or action.marker)
        body: dict[str, Any] = {
            "conversation_id": conversation,
            "user": self._person(given, action.person, conversation),
        }
        if given.get("source"):
            body["source"] = {"external_id": str(given["source"])}
        answer = self.call("POST", f"{self.scope}/chats", body, changes=False)
        number = text_of(answer.get("id")) if isinstance(answer, Mapping) else ""
        return Done({"id": number, "conversation": conversation}, number)

    def _link(self, action: Action) -> Done:
        """Link a chat to a contact (POST /api/v4/contacts/chats)."""
        chat, contact = str(action.values["chat"]), str(action.values["contact"])
        self._client.post("contacts/chats", [{"contact_id": outgoing.integer("contact", contact), "chat_id": chat}])
        return Done({"id": chat, "contact": contact}, chat)

    def _history(self, action: Action) -> Done:
        """Return the messages of a chat, 50 at most; an empty one answers 204."""
        limit = min(action.limit or 50, 50)
        found = self.call(
            "GET",
            f"{self.scope}/chats/{_part(str(action.values['chat']))}/history",
            None,
            f"?limit={limit}",
            changes=False,
        )
        rows = found.get("messages") if isinstance(found, Mapping) else None
        return Done(
            {"rows": rows if isinstance(rows, list) else [], "count": len(rows) if isinstance(rows, list) else 0}
        )


def message(given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the `message` of a payload: a text, or a file by its address."""
    media = str(given.get("media") or "")
    kind = str(given.get("type") or ("file" if media else "text"))
    if kind not in _KINDS:
        raise Refused(f"type is one of {', '.join(_KINDS)}, not {kind[:40]!r}", {"type": kind[:40]})
    out: dict[str, Any] = {"type": kind, "text": str(given.get("text") or "")}
    if kind == "text" and not out["text"]:
        raise Refused("a message needs `text` or `media`", {"text": "empty"})
    if media:
        out |= {
            "media": media,
            "file_name": str(given.get("file_name") or ""),
            "file_size": int(given.get("file_size") or 0),
        }
    for name in ("location", "contact"):
        if isinstance(given.get(name), Mapping):
            out[name] = dict(given[name])
    return out


def refused(status: int, raw: bytes, what: str, changes: bool, retry_after: float | None) -> Exception:
    """Return the error for an answer of the Chats API: `error_code, error_type, error_description`."""
    body = body_of(raw)
    said = words_of(body) or f"HTTP {status}"
    reason = f"{what}: {said}"
    if is_block(status, body) and raw.lstrip()[:1] == b"<":
        return AuthFailed(codes.BLOCKED, "support")
    if status in (401, 403):
        return AuthFailed(f"{reason}: the signature isn't accepted. Is chats.secret right, and this machine's clock?")
    if status == 404:
        return Gone(f"{reason}: no such chat or channel; `hub connect` connects the channel", vendor_code="404")
    if status == 429:
        return RateLimited(reason, retry_after or 2.0, "chats")
    if status >= 500 or status in (408, 425):
        return Uncertain(reason) if changes else Retry(reason, retry_after)
    return Refused(reason, vendor_code=str(status))


def _part(text: str) -> str:
    """Return an id that may stand in a path."""
    if not text or not all(letter.isalnum() or letter in "-_." for letter in text) or ".." in text:
        raise Refused(f"{text[:60]!r} is no id of a message or chat")
    return text
