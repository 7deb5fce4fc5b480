"""The way out, pure: the values of a route become a body that Instagram takes, or words about what is wrong with them.

https://developers.facebook.com/docs/instagram-platform/instagram-api-with-instagram-login/messaging-api
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

import orjson

from hub.errors import Refused
from hub.model import Action
from plugins.instagram import codes
from plugins.meta.envelope import text

_YES = ("yes", "true", "on", "1")

#: values of `message.send` and `message.private_reply`; exactly one of those that are the message itself
BODY = ("text", *codes.MEDIA, "attachment_id", "post", "heart", "template")
SEND = ("to", *BODY, "attachment_type", "quick_replies", "human_agent", "account")
PRIVATE_REPLY = ("comment", "text", "quick_replies", "account")


def yes(value: Any) -> bool:
    """Return whether a value says yes."""
    return value is True or str(value).strip().lower() in _YES


def recipient(action: Action, connection: str) -> str:
    """Return the person a message goes to: `to`, else who wrote the event. Raises `Refused` in words."""
    given = text(action.values.get("to"))
    event = action.event
    if not given and event is not None and event.connection == connection:
        given = text((event.record.get("contact") or {}).get("id"))
    if not given:
        handles = action.person.get("handles")
        given = text(handles.get("instagram")) if isinstance(handles, Mapping) else ""
    if not given:
        raise Refused(
            f"nobody to write to: set `to`, for instance `to: person.{connection}.contact`", {"to": "is empty"}
        )
    if not given.isdecimal():
        raise Refused(
            f"`to` must be the person's id of Instagram (digits), not {given[:60]!r}: a username can't be written to",
            {"to": given[:60]},
        )
    return given


def message(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the `message` object: text, a file, a post of ours, a heart or a template. Raises `Refused`."""
    present = [name for name in BODY if values.get(name) not in (None, "", [], {})]
    if not yes(values.get("heart")):
        present = [name for name in present if name != "heart"]
    if not present:
        raise Refused(f"the message is empty: set one of {', '.join(BODY)}", {"text": "is empty"})
    if len(present) > 1:
        raise Refused(f"one message holds one of {', '.join(present)}: send them in steps of their own")
    body = _part(present[0], values[present[0]], values)
    if replies := values.get("quick_replies"):
        if "text" not in body:
            raise Refused("quick_replies go with a text", {"quick_replies": "without text"})
        body["quick_replies"] = quick_replies(replies)
    return body


def _part(name: str, value: Any, values: Mapping[str, Any]) -> dict[str, Any]:
    if name == "text":
        return {"text": words(value)}
    if name in codes.MEDIA:
        return {"attachment": {"type": name, "payload": {"url": address(name, value)}}}
    if name == "attachment_id":
        kind = text(values.get("attachment_type")) or "image"
        if kind not in codes.MEDIA:
            raise Refused(f"attachment_type is one of {', '.join(codes.MEDIA)}", {"attachment_type": kind})
        return {"attachment": {"type": kind, "payload": {"attachment_id": text(value)}}}
    if name == "post":
        return {"attachment": {"type": "MEDIA_SHARE", "payload": {"id": text(value)}}}
    if name == "heart":
        return {"attachment": {"type": "like_heart"}}
    return {"attachment": {"type": "template", "payload": structure("template", value, dict)}}


def words(value: Any, name: str = "text") -> str:
    """Return a text that Instagram takes: 1000 bytes at most, which are some 500 Cyrillic letters."""
    said = value if isinstance(value, str) else text(value)
    said = said.strip()
    if not said:
        raise Refused(f"{name} is empty", {name: "is empty"})
    if (size := len(said.encode("utf-8", "replace"))) > codes.TEXT_BYTES:
        raise Refused(
            f"{name} has {size} bytes, Instagram takes {codes.TEXT_BYTES} (a Cyrillic letter has 2): shorten it, or"
            " send it in parts",
            {name: f"{size} bytes"},
        )
    return said


def address(name: str, value: Any) -> str:
    """Return the public https address of a file, which Instagram fetches itself."""
    url = text(value)
    parts = urlsplit(url)
    if parts.scheme != "https" or not parts.hostname:
        raise Refused(f"{name} must be an https address that everyone can open, not {url[:80]!r}", {name: url[:80]})
    return url


def quick_replies(given: Any) -> list[dict[str, str]]:
    """Return quick replies of a list of titles or a mapping title -> payload; a text is JSON, or titles and commas."""
    if isinstance(given, str):
        given = _json(given) or [part.strip() for part in given.split(",")]
    pairs = list(given.items()) if isinstance(given, Mapping) else [(one, one) for one in given or []]
    replies = []
    for title, payload in pairs:
        if isinstance(title, Mapping):
            replies.append({str(key): text(value) for key, value in title.items()})
            continue
        if len(label := text(title)) > codes.QUICK_REPLY_TITLE or not label:
            raise Refused(
                f"a quick reply's title has 1 to {codes.QUICK_REPLY_TITLE} characters: {label[:40]!r}",
                {"quick_replies": label[:40]},
            )
        replies.append({"content_type": "text", "title": label, "payload": text(payload) or label})
    if not 0 < len(replies) <= codes.QUICK_REPLIES:
        raise Refused(f"1 to {codes.QUICK_REPLIES} quick replies, not {len(replies)}", {"quick_replies": "how many"})
    return replies


def structure(name: str, value: Any, kind: type) -> Any:
    """Return a mapping or list given as such or as JSON text."""
    found = _json(value) if isinstance(value, str) else value
    if not isinstance(found, kind):
        raise Refused(f"{name} must be a {'mapping' if kind is dict else 'list'}, or one as JSON", {name: "not one"})
    return found


def _json(value: str) -> Any:
    try:
        return orjson.loads(value)
    except orjson.JSONDecodeError:
        return None


def envelope(to: Mapping[str, str], body: Mapping[str, Any], tagged: bool, by_tag_type: bool) -> dict[str, Any]:
    """Return the whole body of a send.

    tagged: a person answers after the 24 hours. by_tag_type: Facebook Login wants messaging_type beside the tag, the
    examples of Instagram Login have the tag alone (Meta's Postman collection).
    """
    sent: dict[str, Any] = {"recipient": dict(to), "message": dict(body)}
    if tagged:
        sent |= {"messaging_type": "MESSAGE_TAG"} if by_tag_type else {}
        sent["tag"] = "HUMAN_AGENT"
    return sent


def required(action: Action, *names: str) -> str:
    """Return the first of the values that is there, as text. Raises `Refused` naming the first."""
    for name in names:
        if found := text(action.values.get(name)):
            return found
    raise Refused(f"{action.name} needs `{names[0]}`", {names[0]: "is missing"})


def comment_of(action: Action, connection: str) -> str:
    """Return the comment an action is about: `comment` or `id`, else the event's own."""
    for given in (action.values.get("comment"), action.values.get("id"), action.id):
        if found := text(given):
            return found
    event = action.event
    if event is not None and event.connection == connection and event.kind == "comment":
        return event.subject.partition(":")[2]
    raise Refused(f"{action.name} needs `comment`, the comment's id", {"comment": "is missing"})
