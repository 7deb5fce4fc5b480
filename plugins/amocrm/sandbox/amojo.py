"""The Chats API of the stand-in: signed requests in, signed webhooks out (once, never again)."""

from __future__ import annotations

import datetime as dt
import hashlib
import hmac
import json
import uuid
from collections.abc import Callable
from email.utils import parsedate_to_datetime
from typing import Any

import requests
from flask import Response, jsonify, request

from plugins.amocrm.sandbox.world import AMOJO_ID, World

CHANNEL_ID = "f62a0162-46a7-430e-b06c-0ef798d56b21"
CHANNEL_SECRET = "FAKE_CHANNEL_SECRET_0000000000000000000"
SCOPE = f"{CHANNEL_ID}_{AMOJO_ID}"
_KINDS = ("text", "picture", "video", "voice", "audio", "file", "sticker", "location", "contact")


class ChatError(Exception):
    """A refusal: status, code, type, words."""

    def __init__(self, status: int, code: int, kind: str, words: str) -> None:
        super().__init__(words)
        self.status, self.code, self.kind, self.words = status, code, kind, words


class Amojo:
    """One channel, registered by support, and the account's conversations in it."""

    def __init__(self, world: World, clock: Callable[[], float]) -> None:
        self.world, self._clock = world, clock
        self.connected = False
        self.url = ""
        self.messages: list[dict[str, Any]] = []
        self.statuses: list[dict[str, Any]] = []
        self.typing: list[dict[str, Any]] = []
        self.reactions: list[dict[str, Any]] = []

    def answer(self, path: str) -> Response:
        """Answer a request under /v2/origin/custom/."""
        try:
            self._check()
            return self._route(request.method, path.strip("/").split("/"))
        except ChatError as error:
            return self._error(error)

    @staticmethod
    def _error(error: ChatError) -> Response:
        body = {"error_code": error.code, "error_type": error.kind, "error_description": error.words}
        return Response(json.dumps(body), error.status, content_type="application/json")

    def _check(self) -> None:
        """Compare Date (15 minutes), Content-MD5 and X-Signature."""
        given = {name: request.headers.get(name, "") for name in ("Content-MD5", "Content-Type", "Date")}
        raw = request.get_data()
        try:
            sent = parsedate_to_datetime(given["Date"])
        except (TypeError, ValueError):
            raise ChatError(403, 403, "forbidden", "Date header is missing or broken") from None
        if abs((dt.datetime.fromtimestamp(self._clock(), dt.UTC) - sent).total_seconds()) > 900:
            raise ChatError(403, 403, "forbidden", "Date header is expired")
        if given["Content-MD5"] != hashlib.md5(raw).hexdigest():  # noqa: S324 (as documented)
            raise ChatError(403, 403, "forbidden", "Content-MD5 does not match")
        text = "\n".join([request.method, given["Content-MD5"], given["Content-Type"], given["Date"], request.path])
        expected = hmac.digest(CHANNEL_SECRET.encode(), text.encode(), "sha1").hex()
        if not hmac.compare_digest(request.headers.get("X-Signature", "").encode(), expected.encode()):
            raise ChatError(403, 403, "forbidden", "invalid signature")

    def _route(self, method: str, parts: list[str]) -> Response:
        given = request.get_json(silent=True) or {}
        if parts == [CHANNEL_ID, "connect"] and method == "POST":
            if given.get("account_id") != AMOJO_ID:
                raise ChatError(404, 404, "not_found", "account not found")
            self.connected = True
            return jsonify({**given, "scope_id": SCOPE, "is_time_window_disabled": False})
        if parts == [CHANNEL_ID, "disconnect"] and method == "DELETE":
            self.connected = False
            return Response(status=200)
        if parts[0] != SCOPE or not self.connected:
            raise ChatError(404, 404, "not_found", "channel is not connected to the account")
        match (method, parts[1:]):
            case ("POST", []):
                return self._message(given)
            case ("POST", ["chats"]):
                chat = self._chat(str(given.get("conversation_id") or ""), given.get("user") or {})
                return jsonify(
                    {
                        "id": chat["id"],
                        "user": {"id": chat["user"], "client_id": chat["client_id"], "name": chat["name"]},
                    }
                )
            case ("POST", ["typing"]):
                self.typing.append(given)
                return Response(status=204)
            case ("POST", ["react"]):
                self.reactions.append(given)
                return Response(status=200)
            case ("POST", [number, "delivery_status"]):
                return self._status(number, given)
            case ("GET", ["chats", number, "history"]):
                rows = [one for one in self.messages if one["chat"] == number]
                limit = min(request.args.get("limit", 50, int), 50)
                return jsonify({"messages": rows[:limit]}) if rows else Response(status=204)
        raise ChatError(404, 404, "not_found", "no such method")

    def _chat(self, conversation: str, user: dict[str, Any]) -> dict[str, Any]:
        if not conversation:
            raise ChatError(400, 400, "bad_request", "conversation_id is required")
        blank = {"id": str(uuid.uuid4()), "user": str(uuid.uuid4()), "client_id": user.get("id"),
                 "name": user.get("name"), "conversation": conversation,
                 "profile": user.get("profile") or {}}  # fmt: skip
        return self.world.chats.setdefault(conversation, blank)

    def _message(self, given: dict[str, Any]) -> Response:
        event, payload = str(given.get("event_type")), given.get("payload") or {}
        said = payload.get("message") or {}
        if event not in ("new_message", "edit_message") or not payload.get("msgid") or said.get("type") not in _KINDS:
            raise ChatError(400, 400, "bad_request", "event_type, msgid and message.type are required")
        client = payload.get("receiver") or payload.get("sender") or {}
        chat = self._chat(str(payload.get("conversation_id") or ""), client)
        known = next((one for one in self.messages if one["ref_id"] == payload["msgid"]), None)
        if known is None:
            known = {"id": str(uuid.uuid4()), "ref_id": payload["msgid"], "chat": chat["id"]}
            self.messages.append(known)
        known |= {"text": said.get("text"), "type": said["type"], "media": said.get("media", ""),
                  "from": "client" if not payload.get("receiver") else "account"}  # fmt: skip
        answer = {"conversation_id": chat["id"], "sender_id": chat["user"], "receiver_id": str(uuid.uuid4()),
                  "msgid": known["id"], "ref_id": payload["msgid"]}  # fmt: skip
        return jsonify({event: answer})

    def _status(self, number: str, given: dict[str, Any]) -> Response:
        """Take either name of the status' field."""
        status = given.get("status_code", given.get("delivery_status"))
        if status not in (1, 2, -1):
            raise ChatError(400, 400, "bad_request", "status_code is 1, 2 or -1")
        if status == -1 and given.get("error_code") not in (901, 902, 903, 904, 905):
            raise ChatError(400, 400, "bad_request", "error_code is 901 to 905")
        self.statuses.append({"message": number, "status": status, "error_code": given.get("error_code")})
        return Response(status=200)

    def write(self, conversation: str, text: str, user: dict[str, Any], media: str = "") -> int:
        """A colleague answers in the account: tell the channel once, signed over the raw body; return the status."""
        chat = self.world.chats[conversation]
        now = self._clock()
        said = {"id": str(uuid.uuid4()), "type": "picture" if media else "text", "text": text, "markup": None,
                "tag": "", "media": media, "thumbnail": "", "file_name": "", "file_size": 0,
                "template": None}  # fmt: skip
        body = {
            "account_id": AMOJO_ID, "time": int(now),
            "message": {
                "receiver": {"id": chat["user"], "client_id": chat["client_id"], "name": chat["name"],
                             **chat["profile"]},
                "sender": {"id": user["amojo_id"], "name": user["name"]},
                "conversation": {"id": chat["id"], "client_id": conversation},
                "timestamp": int(now), "msec_timestamp": int(now * 1000), "message": said,
            },
        }  # fmt: skip
        raw = json.dumps(body, ensure_ascii=False).encode()
        signature = hmac.digest(CHANNEL_SECRET.encode(), raw, "sha1").hex()
        headers = {"Content-Type": "application/json", "X-Signature": signature}
        self.messages.append(
            {
                "id": said["id"],
                "ref_id": "",
                "chat": chat["id"],
                "text": text,
                "type": said["type"],
                "media": media,
                "from": "account",
            }
        )
        return requests.post(self.url, data=raw, headers=headers, timeout=5).status_code
