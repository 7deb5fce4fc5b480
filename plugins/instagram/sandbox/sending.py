"""The Send API of the stand-in: who may be written to, what, and until when.

https://developers.facebook.com/docs/instagram-platform/instagram-api-with-instagram-login/messaging-api
"""

from __future__ import annotations

from typing import Any

from plugins.instagram.codes import DAY, HUMAN_WINDOW, PRIVATE_REPLY, TEXT_BYTES, WINDOW
from plugins.instagram.sandbox.world import World
from plugins.meta.sandbox import GraphError

_ACTIONS = ("typing_on", "typing_off", "mark_seen", "react", "unreact")
_TAGS = ("HUMAN_AGENT",)


def send(world: World, account: str, params: dict[str, Any], human_agent: bool) -> tuple[dict[str, Any], Any]:
    """Do one call of /messages; return its answer and the message it made, None for an action."""
    recipient = params.get("recipient")
    if not isinstance(recipient, dict) or not (recipient.get("id") or recipient.get("comment_id")):
        raise GraphError(100, "(#100) The parameter recipient is required")
    if comment_id := recipient.get("comment_id"):
        return private_reply(world, account, str(comment_id), params)
    person = str(recipient["id"])
    if person not in world.people or (account, person) not in world.chats:
        raise GraphError(100, "(#100) No matching user found", 2534014)
    if person in world.blocked:
        raise GraphError(551, "(#551) This person isn't available right now.", 1545041)
    if action := params.get("sender_action"):
        if action not in _ACTIONS:
            raise GraphError(100, f"(#100) Param sender_action must be one of {{{', '.join(_ACTIONS)}}}")
        world.actions.append({"account": account, "person": person, "action": action, "payload": params.get("payload")})
        return {"recipient_id": person}, None
    body = content(world, params.get("message"))
    heard = world.chat(account, person).heard
    passed = world.clock().timestamp() - heard if heard is not None else 10 * DAY
    tag = params.get("tag")
    if tag and tag not in _TAGS:
        raise GraphError(100, f"(#100) The tag {tag} is no longer supported")
    tagged = tag == "HUMAN_AGENT" and human_agent and passed <= HUMAN_WINDOW
    if passed > WINDOW and not tagged:
        raise GraphError(10, "(#10) This message is sent outside of allowed window.", 2534022)
    mid = world.mid()
    row = world.add(account, person, account, mid, body)
    return {"recipient_id": person, "message_id": mid}, row


def private_reply(world: World, account: str, comment_id: str, params: dict[str, Any]) -> tuple[dict[str, Any], Any]:
    """Answer a comment in the chat: once, within 7 days. It opens no window."""
    comment = world.comments.get(comment_id)
    if comment is None or world.media.get(comment["media"], {}).get("owner") != account:
        raise GraphError(100, "(#100) Unsupported post request. Object does not exist", 33, "GraphMethodException")
    if comment.get("private_reply"):
        raise GraphError(10, "(#10) This comment has already been replied to", 2534025)
    if world.clock().timestamp() - comment["at"] > PRIVATE_REPLY:
        raise GraphError(10, "(#10) This message is sent outside of allowed window.", 2534022)
    body = content(world, params.get("message"))
    mid = world.mid()
    comment["private_reply"] = mid
    row = world.add(account, comment["from"], account, mid, body)
    return {"recipient_id": comment["from"], "message_id": mid}, row


def content(world: World, message: Any) -> dict[str, Any]:
    """Return what a message holds; raises what Instagram objects to."""
    if not isinstance(message, dict):
        raise GraphError(100, "(#100) The parameter message is required")
    text, attachment = message.get("text"), message.get("attachment")
    if text is not None:
        if not isinstance(text, str) or not text:
            raise GraphError(100, "(#100) Param message[text] must be a non-empty string")
        if len(text.encode()) > TEXT_BYTES:
            raise GraphError(100, f"(#100) Length of param message[text] must be less than or equal to {TEXT_BYTES}")
        return {"text": text, **({"quick_replies": message["quick_replies"]} if message.get("quick_replies") else {})}
    if not isinstance(attachment, dict) or not attachment.get("type"):
        raise GraphError(100, "(#100) Must send either text or an attachment")
    payload = attachment.get("payload") or {}
    kind = attachment["type"]
    if kind in ("image", "video", "audio", "file"):
        given = payload.get("attachment_id")
        if given and given not in world.attachments:
            raise GraphError(100, "(#100) Invalid attachment_id")
        if not given and not str(payload.get("url", "")).startswith("https://"):
            raise GraphError(100, "(#100) Param message[attachment][payload][url] must be a valid URL")
    elif kind not in ("like_heart", "MEDIA_SHARE", "template"):
        raise GraphError(100, f"(#100) Param message[attachment][type] {kind} isn't supported")
    return {"attachment": attachment}
