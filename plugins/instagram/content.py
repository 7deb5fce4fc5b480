"""What a message holds beside its text: files, the story it answers, the ad it came from. Pure.

https://developers.facebook.com/docs/instagram-platform/webhooks/examples
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from plugins.instagram import codes
from plugins.meta.envelope import text

#: the longest text kept as an event's own; Instagram's are 1000 bytes long
_LONGEST = 20_000


def files(message: Mapping[str, Any]) -> list[dict[str, str]]:
    """Return the attachments as `{"type", "url", "id", "title"}`, each part only where it is there.

    A shared post comes twice since November 2025, as `share` and as `ig_post`: one of the two is kept.
    https://developers.facebook.com/docs/instagram-platform/webhooks/new
    """
    found: list[dict[str, str]] = []
    shared: set[str] = set()
    rows = message.get("attachments")
    for row in rows if isinstance(rows, list) else []:
        if not isinstance(row, Mapping):
            continue
        given = row.get("payload")
        payload = given if isinstance(given, Mapping) else {}
        kind = text(row.get("type")) or "file"
        file = {
            "type": kind,
            "url": _first(payload, "url", "story_media_url"),
            "id": _first(payload, "ig_post_media_id", "story_media_id", "reel_video_id", "video_id", "attachment_id"),
            "title": _first(payload, "title"),
        }
        if kind in ("share", "ig_post", "post"):
            same = file["id"] or file["url"]
            if same and same in shared:
                continue
            shared.add(same)
        found.append({name: value for name, value in file.items() if value})
    return found


def words(message: Mapping[str, Any], attached: list[dict[str, str]]) -> str:
    """Return the message as a person in the CRM should read it: its text, then a line for each file."""
    lines = [_text(message.get("text"))]
    for file in attached:
        what = codes.ATTACHMENTS.get(file["type"], file["type"])
        lines.append(": ".join(part for part in (what, file.get("title", ""), file.get("url", "")) if part))
    if message.get("is_unsupported") is True and not attached:
        lines.append("something that Instagram doesn't hand over: look into the chat")
    return "\n".join(line for line in lines if line)[:_LONGEST]


def about(message: Mapping[str, Any]) -> str:
    """Return what the message refers to, for a title: a story, an earlier message, an ad; "" for none."""
    reply, referral = _part(message, "reply_to"), _part(message, "referral")
    if _part(reply, "story"):
        return "answers your story"
    if text(referral.get("ad_id")):
        return " ".join(("came by the ad", text(_part(referral, "ads_context_data").get("ad_title")))).strip()[:500]
    return "answers a message" if text(reply.get("mid")) else ""


def extras(message: Mapping[str, Any]) -> dict[str, Any]:
    """Return what routes may ask for by name: `message.payload`, `message.story_id`, `message.ad_id`, ..."""
    reply = _part(message, "reply_to")
    story = _part(reply, "story")
    found = {
        "payload": text(_part(message, "quick_reply").get("payload")),
        "reply_to": text(reply.get("mid")),
        "story_id": text(story.get("id")),
        "story_url": text(story.get("url")),
        **referral(_part(message, "referral")),
        "app_id": text(message.get("app_id")),
        "unsupported": "yes" if message.get("is_unsupported") is True else "",
    }
    return {name: value for name, value in found.items() if value}


def referral(given: Mapping[str, Any]) -> dict[str, str]:
    """Return where a client came from: an ad (its id is what advertising is settled by) or an ig.me link."""
    ad = _part(given, "ads_context_data")
    found = {
        "ref": text(given.get("ref")),
        "ad_id": text(given.get("ad_id")),
        "ad_title": text(ad.get("ad_title")),
        "ad_url": text(ad.get("photo_url")) or text(ad.get("video_url")),
        "referral_source": text(given.get("source")),
        "referral_type": text(given.get("type")),
    }
    return {name: value for name, value in found.items() if value}


def _part(given: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    found = given.get(name)
    return found if isinstance(found, Mapping) else {}


def _first(given: Mapping[str, Any], *names: str) -> str:
    return next((found for name in names if (found := text(given.get(name)))), "")


def _text(value: Any) -> str:
    return value if isinstance(value, str) else text(value)
