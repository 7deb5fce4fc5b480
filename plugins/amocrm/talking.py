"""What messages of chats mean: the account's webhooks about any chat, the Chats API about the hub's own channel. Pure.

https://www.amocrm.ru/developers/content/crm_platform/webhooks-format,
https://www.amocrm.ru/developers/content/chats/chat-webhooks
"""

from __future__ import annotations

import datetime as dt
import html
from collections.abc import Mapping
from typing import Any

from hub import normal
from hub.model import Event
from plugins.amocrm import codes, records
from plugins.amocrm.records import id_of, inner, text_of


def at(value: Any) -> dt.datetime | None:
    """Return unix seconds as an instant; None for what isn't one."""
    found = records.instant(value)
    return dt.datetime.fromisoformat(found) if found else None


def word(text: str) -> str:
    """Return a native name as part of an event's name: no blanks, not too long."""
    return "_".join(text.lower().split())[:60] or "-"


# --- messages ------------------------------------------------------------------------------------------


def message(entity: str, item: dict[str, Any], region: str, origin: str) -> list[Event]:
    """A chat message; its text is told here and nowhere else, the API never gives it."""
    number = text_of(item.get("id"))[:100]
    if not number:
        return []
    came_from = text_of(item.get("origin")).strip()
    if entity == "message" and origin and came_from == origin:
        return []  # the hub itself brought it in
    author = inner(item.get("author"))
    text = html.unescape(text_of(item.get("text")))
    kind = codes.BY_WORD.get(text_of(item.get("entity_type"))) or codes.BY_NUMBER.get(text_of(item.get("element_type")))
    owner = id_of(item.get("entity_id")) or id_of(item.get("element_id"))
    contact = id_of(item.get("contact_id")) or (owner if kind == "contact" else "")
    attached = item.get("attachment")
    when = at(item.get("created_at"))
    sent = entity == "outgoing_message" or text_of(item.get("type")) == "outgoing"
    record = {
        "id": number,
        "text": text,
        "from": text_of(author.get("id")),
        "by_name": text_of(author.get("name")),
        "kind": text_of(item.get("message_type")),
        "chat": text_of(item.get("chat_id")),
        "talk": id_of(item.get("talk_id")),
        "contact": contact,
        "deal": owner if kind == "deal" else "",
        "files": [_file(attached)] if isinstance(attached, Mapping) else [],
        "at": when.isoformat() if when else "",
        "extra": item,
    }
    person: dict[str, Any] = {"id": contact} if contact else {}
    if not sent and record["by_name"]:
        person |= normal.contact(region, name=str(record["by_name"]))
    found: dict[str, Any] = {"message": {key: value for key, value in record.items() if value not in (None, "", [])}}
    if person:
        found["contact"] = person
    return [
        Event(
            "message.sent" if sent else "message.received", f"message:{number}", f"message:{number}", found, when, text,
            channel=came_from, by=str(record["from"]) if sent else "", incomplete=True,
        )
    ]  # fmt: skip


def _file(attached: Mapping[str, Any]) -> dict[str, str]:
    told_ = {"type": attached.get("type"), "url": attached.get("link"), "name": attached.get("file_name")}
    return {key: text for key, value in told_.items() if (text := text_of(value))}


# --- chats ------------------------------------------------------------------------------------------------


def chat(message: Mapping[str, Any], region: str) -> list[Event]:
    """Return what the Chats API tells of the hub's own channel: an answer of a colleague, typing, a reaction."""
    held = message.get("message")
    if isinstance(held, Mapping) and isinstance(held.get("message"), Mapping):
        return [_answer(message, held, held["message"], region)]
    action = message.get("action")
    told_ = action if isinstance(action, Mapping) else message
    reaction = told_.get("reaction")
    when = at(message.get("time"))
    if isinstance(reaction, Mapping):
        target = inner(reaction.get("message")) or reaction
        number, emoji = text_of(target.get("id") or reaction.get("msgid"))[:100], text_of(reaction.get("emoji"))
        record = {"id": number or "-", "text": emoji, "extra": dict(message)}
        return [Event("message.reaction", f"message:{number or '-'}", "", {"message": record}, when, emoji)]
    name = next((str(key) for key in told_), "message")
    return [Event(f"vendor.chat_{word(name)}", f"chat:{word(name)}", "", {"vendor": {"extra": dict(message)}}, when)]


def _answer(
    outer: Mapping[str, Any], held: Mapping[str, Any], said: Mapping[str, Any], region: str
) -> Event:  # fmt: skip
    """Return a colleague's answer in the hub's own channel.

    The account's webhook may tell of the same message too, under the same id: with its deal, without its
    conversation. Each knows what the other doesn't, so that neither may stand for the other: the keys differ.
    """
    receiver, sender, talk, source = (
        inner(held.get(name)) for name in ("receiver", "sender", "conversation", "source")
    )
    number = text_of(said.get("id"))[:100]
    text = text_of(said.get("text"))
    files = []
    if media := text_of(said.get("media")):
        file = {"type": text_of(said.get("type")), "url": media, "name": text_of(said.get("file_name"))}
        files = [{key: value for key, value in file.items() if value}]
    when = at(held.get("timestamp")) or at(outer.get("time"))
    record = {
        "id": number,
        "text": text,
        "from": text_of(sender.get("id")),
        "by_name": text_of(sender.get("name")),
        "to": text_of(receiver.get("client_id")),
        "kind": text_of(said.get("type")),
        "chat": text_of(talk.get("id")),
        "conversation": text_of(talk.get("client_id")),
        "files": files,
        "at": when.isoformat() if when else "",
        "extra": dict(held),
    }
    kept = {key: value for key, value in record.items() if value not in (None, "", [])}
    told_ = {key: text_of(receiver.get(key)) for key in ("name", "phone", "email")}
    contact = normal.contact(region, **{key: value for key, value in told_.items() if value})
    found = {"message": kept, **({"contact": contact} if contact else {})}
    by = text_of(sender.get("id"))
    return Event(
        "message.sent", f"message:{number or '-'}", f"chat:{number}" if number else "", found, when, text,
        channel=text_of(source.get("external_id")), by=by,
    )  # fmt: skip
