"""Open lines, the way in, pure: operators' messages, dialogs that begin and end, lines that go.

https://apidocs.bitrix24.ru/api-reference/imopenlines/imconnector/events/index.html (our own connector's) and
https://apidocs.bitrix24.ru/api-reference/imopenlines/openlines/events/index.html (every chat of a line).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from hub.model import Event
from plugins.bitrix24.codes import Native
from plugins.bitrix24.envelope import id_of, items, part, text_of

#: what a route may ask of `message` beside the fields of every message
FIELDS = ("chat", "im_chat", "im_message", "line", "connector", "author", "external", "session")

_TAG = re.compile(
    r"\[(/?)(b|i|u|s|br|url|img|user|chat|color|size|quote|code|send|put|icon|disk|rating|attach|p|list|call)"
    r"(?:=([^\[\]\n]{0,2000})|\s*/?)\]",
    re.I,
)
_OPERATOR = re.compile(r"^\s*\[b\]([^\[\]]{1,80}):\[/b\]\s*(?:\[br\s*/?\])?\s*", re.I)
#: characters of an id that is the channel's own: those of Instagram's messages have 150 and more
_FOREIGN = 1000
_KINDS = ("image", "video", "audio")


def events(
    name: str, native: Native, message: Mapping[str, Any], lines: Mapping[str, Mapping[str, Any]]
) -> list[Event]:
    """Return what an event of open lines says, one for each message or dialog of its batch; [] if it is not clear.

    lines: the setting `openlines`. The portal repeats each message of a line as ONOPENLINEMESSAGE*; for connectors of
    ours those are no news (the client's are what we sent, the operator's come as ONIMCONNECTORMESSAGE*), and taking
    them for such would send a message round for ever: nothing is returned.
    """
    data = message.get("data")
    if name == "ONIMCONNECTORLINEDELETE":
        return _gone(text_of(data) or text_of(part(data, "LINE")), "", "was deleted")
    if name == "ONIMCONNECTORSTATUSDELETE":
        return _gone(text_of(part(data, "LINE")), text_of(part(data, "CONNECTOR")), "was switched off")
    rows = items(part(data, "MESSAGES")) or items(part(data, "DATA"))
    if name.startswith("ONIMCONNECTORMESSAGE"):
        found = [_of_connector(native, data, row, lines) for row in rows]
    elif name.startswith("ONOPENLINEMESSAGE"):
        found = [_of_line(native, row, lines) for row in rows]
    else:
        found = [_dialog(native, data, row) for row in rows]
    told = [event for event in found if event is not None]
    return list({event.key or str(place): event for place, event in enumerate(told)}.values())


def _of_connector(native: Native, data: Any, row: Any, lines: Mapping[str, Mapping[str, Any]]) -> Event | None:
    """Return an operator's message into our channel, or what they made of it later.

    `im` is what imconnector.send.status.delivery wants back; `message.id` is there once the channel's own ids were
    reported that way. A message is sent once and deleted once, so its number is the event's key: the same message
    told by a second handler of the app is no second one. Files are not on the vendor's page; they are taken as
    portals send them (type, name, link).
    """
    connector, line = id_of(part(data, "CONNECTOR")).lower(), id_of(part(data, "LINE"))
    im_message, chat = id_of(part(row, "im", "message_id")), id_of(part(row, "chat", "id"), _FOREIGN)
    if not im_message and not chat:
        return None
    signed = bool(lines.get(connector, {}).get("signature", True))
    text, author = unsigned(text_of(part(row, "message", "text")), signed)
    by = id_of(part(row, "message", "user_id"))
    record = {
        "id": im_message, "from": by, "to": chat, "files": files(part(row, "message", "files")), "chat": chat,
        "im_chat": id_of(part(row, "im", "chat_id")), "im_message": im_message, "line": line, "connector": connector,
        "author": author, "external": _first_id(part(row, "message", "id")),
    }  # fmt: skip
    found = _message(record, row, text)
    if chat:  # the client: one person's messages stay in order
        channel = str(lines.get(connector, {}).get("channel") or connector)
        found["contact"] = {"handle": chat, "handles": {channel: chat} if channel else {}}
    once = {"message.sent": "sent", "message.deleted": "deleted"}.get(native.type)
    key = f"chat:{once}:{im_message}" if once and im_message else ""
    return Event(native.type, f"message:{im_message or chat}"[:255], key, found, text=text, channel=connector, by=by)


def _of_line(native: Native, row: Any, lines: Mapping[str, Mapping[str, Any]]) -> Event | None:
    """Return a message of a chat that isn't ours (the portal's own live chat): from the client or from an operator."""
    connector = id_of(part(row, "connector", "connector_id")).lower()
    if connector in lines or text_of(part(row, "message", "system")).upper() == "Y":
        return None
    number, chat = id_of(part(row, "message", "id")), id_of(part(row, "chat", "id"))
    if not number and not chat:
        return None
    text, author = unsigned(text_of(part(row, "message", "text")), True)
    by, client = id_of(part(row, "message", "user_id")), id_of(part(row, "connector", "user_id"))
    line = id_of(part(row, "connector", "line_id"))
    inbound = bool(by) and by == client
    kind = native.type
    if kind == "message.received" and not inbound:
        kind = "message.sent"
    record = {
        "id": number, "from": chat if inbound else by, "to": line if inbound else chat,
        "files": files(part(row, "message", "files")), "chat": id_of(part(row, "connector", "chat_id")),
        "im_chat": chat, "im_message": number, "line": line, "connector": connector, "author": author,
    }  # fmt: skip
    found = _message(record, row, text)
    return Event(kind, f"message:{number or chat}", "", found, text=text, channel=connector, by=by)


def _dialog(native: Native, data: Any, row: Any) -> Event | None:
    """Return a dialog or session that began or ended.

    Whether `connector.chat_id` is the channel's id or the portal's the vendor's page leaves open, so it names nobody.
    """
    session, im_chat = id_of(part(row, "session", "id")), id_of(part(row, "chat", "id"))
    if not session and not im_chat:
        return None
    connector = (id_of(part(row, "connector", "connector_id")) or id_of(part(data, "CONNECTOR"))).lower()
    record = {
        "id": session, "session": session, "chat": id_of(part(row, "connector", "chat_id")), "im_chat": im_chat,
        "line": id_of(part(row, "connector", "line_id")) or id_of(part(data, "LINE")), "connector": connector,
    }  # fmt: skip
    return Event(native.type, f"dialog:{session or im_chat}", "", _message(record, row), channel=connector)


def _message(record: Mapping[str, Any], row: Any, text: str | None = None) -> dict[str, Any]:
    """Return the message record with what there is, its text even if it is empty."""
    said = {} if text is None else {"text": text}
    extra = dict(row) if isinstance(row, Mapping) else {}
    return {"message": {**{name: value for name, value in record.items() if value}, **said, "extra": extra}}


def _gone(line: str, connector: str, what: str) -> list[Event]:
    """Return that chats don't reach a line any more; `hub connect` puts a connector back."""
    who = f"connector {connector} " if connector else ""
    line = line[:20]
    if not line and not connector:
        return []
    words = f"open line {line or '?'}: {who}{what}" if who else f"open line {line} {what}"
    return [
        Event("connection.changed", f"connection:openline-{line or connector}"[:200], "", text=words, channel=connector)
    ]


# --- parts of a message ------------------------------------------------------------------------------


def files(value: Any) -> list[dict[str, Any]]:
    """Return attachments as `{"type", "url", "name", "size"}`; type is image, video, audio or file."""
    found = []
    for row in items(value):
        url = next(
            (link for name in ("link", "url", "downloadLink", "urlDownload") if (link := text_of(part(row, name)))), ""
        )
        if not url:
            continue
        kind = (text_of(part(row, "type")) or text_of(part(row, "mime"))).lower().partition("/")[0]
        size = text_of(part(row, "size"))
        file: dict[str, Any] = {"type": kind if kind in _KINDS else "file", "url": url[:4000]}
        if name := text_of(part(row, "name")):
            file["name"] = name[:255]
        if size.isascii() and size.isdigit() and len(size) < 13:
            file["size"] = int(size)
        found.append(file)
    return found


def unsigned(text: str, signed: bool) -> tuple[str, str]:
    """Return (what was said, who said it): without the operator's name in front and without BB codes."""
    match = _OPERATOR.match(text) if signed else None
    return plain(text[match.end() :] if match else text), match[1].strip() if match else ""


def plain(text: str) -> str:
    """Return a text as a client should read it: line breaks for `[br]`, links written out, other BB codes gone."""
    out: list[str] = []
    links: list[tuple[str, int]] = []
    last = 0
    for tag in _TAG.finditer(text):
        out.append(text[last : tag.start()])
        last = tag.end()
        closing, name, value = tag[1], tag[2].lower(), tag[3]
        if name == "br":
            out.append("\n")
        elif name == "url" and not closing and value:
            links.append((value, len(out)))
        elif name == "url" and closing and links:
            link, start = links.pop()
            if "".join(out[start:]).strip() != link:
                out.append(f" ({link})")
    return "".join([*out, text[last:]]).strip()


def _first_id(value: Any) -> str:
    """Return the channel's own id: a text, or the first of a list (a long answer may have become several messages)."""
    return id_of(items(value)[0] if items(value) else value, _FOREIGN)
