"""Open lines, the way out, pure: what a client wrote becomes a message of a line, and what the portal says to it.

https://apidocs.bitrix24.ru/api-reference/imopenlines/imconnector/imconnector-send-messages.html and its neighbours.
"""

from __future__ import annotations

import datetime as dt
import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from hub.errors import Refused, Uncertain
from hub.model import Action, Event
from plugins.bitrix24 import codes
from plugins.bitrix24.chat_files import File, link, read_file

#: values of the actions
SEND = (
    "connector", "line", "chat", "chat_name", "chat_url", "user", "name", "first_name", "last_name", "picture", "url",
    "gender", "email", "phone", "skip_phone_validate", "message", "text", "files", "at", "disable_crm",
)  # fmt: skip
DELETE = ("connector", "line", "chat", "user", "message")
STATUS = ("connector", "line", "chat", "user", "message", "im_chat", "im_message", "at")

_YES = ("1", "y", "yes", "true", "on")
_BB = re.compile(r"\[(?=/?[a-z]{1,10}(?:=[^\[\]\n]*|\s*/?)\])", re.I)
#: a zero-width joiner after a bracket: it looks the same and formats nothing
_HARMLESS = "[\u2060"


@dataclass(frozen=True)
class Place:
    """Where a chat is: the connector, its line, and the connector's settings ({} if hub.yaml doesn't name it)."""

    connector: str
    line: str
    settings: Mapping[str, Any] = field(default_factory=dict)

    def address(self, messages: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
        """Return the parameters of a method about messages."""
        return {"CONNECTOR": self.connector, "LINE": number(self.line), "MESSAGES": list(messages)}


def place(action: Action, lines: Mapping[str, Mapping[str, Any]], own: Mapping[str, Any]) -> Place:
    """Return the connector and line an action is about: as it says, as its own event says, or the only ones there are.

    own: the message of an event that this connection brought ({} for others'): it names where it came from.
    """
    connector = str(action.values.get("connector") or own.get("connector") or "").lower()
    if not connector:
        if len(lines) != 1:
            known = ", ".join(sorted(lines)) or "none in hub.yaml: set `openlines`"
            raise Refused(f"{action.name}: which connector? Give `connector` ({known})", {"connector": "missing"})
        connector = next(iter(lines))
    settings = lines.get(connector, {})
    line = str(action.values.get("line") or own.get("line") or settings.get("line") or "")
    if not line:
        raise Refused(f"{action.name}: connector {connector} isn't under `openlines`, and no `line` is given")
    return Place(connector, line, settings)


def own_message(action: Action, connection: str) -> Mapping[str, Any]:
    """Return the message of the event behind an act, if this very connection brought it: its ids are the portal's."""
    event = action.event
    if event is None or event.connection != connection:
        return {}
    message = event.record.get("message")
    return message if isinstance(message, Mapping) else {}


# --- a client's message ------------------------------------------------------------------------------


def chat_of(action: Action, settings: Mapping[str, Any]) -> str:
    """Return the chat an act is about: as it says, else the client's id in the channel, as the event knows it.

    A handle may be a name that people see and change; what a plugin keeps under the channel's word is the id.
    """
    person = action.person
    handles = person.get("handles")
    handles = handles if isinstance(handles, Mapping) else {}
    known = (
        action.values.get("chat"), _told(action.event).get("from"), handles.get(settings.get("channel")),
        next(iter(handles.values()), "") if len(handles) == 1 else "", person.get("handle"),
    )  # fmt: skip
    return next((str(one).strip() for one in known if one), "")


def entry(action: Action, settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return user, message and chat of imconnector.send.messages, the files as the event gives them.

    What a route leaves out is taken from the event (text and files together, so that one of them alone can be sent)
    and from the person behind it. `message.id` is the channel's own id, else our marker: the same at each try.
    """
    values, event = action.values, action.event
    told = _told(event)
    chat = chat_of(action, settings)
    if not chat:
        raise Refused(f"{action.name} needs `chat`: the client's id in the channel", {"chat": "missing"})
    user = str(values.get("user") or chat).strip()
    said = values if values.get("text") or values.get("files") else told
    message: dict[str, Any] = {
        "id": message_id(action),
        "date": _unix(values.get("at") or (event.occurred_at if event else None)),
        "text": harmless(str(said.get("text") or "").strip()),
    }
    if yes(values.get("disable_crm")):
        message["disable_crm"] = "Y"
    found: dict[str, Any] = {
        "user": {"id": user, **_user(values, action.person)},
        "message": message,
        "chat": _chat(values, chat),
    }
    files = said.get("files")
    rows = files if isinstance(files, (list, tuple)) else [files]
    found["files"] = [one for one in (read_file(row) for row in rows if row) if one]
    return found


def message_id(action: Action) -> str:
    """Return the channel's own id of a message: as given, the event's, else our marker."""
    given = action.values.get("message")
    if isinstance(given, (list, tuple)):
        given = next((one for one in given if one), "")
    if isinstance(given, Mapping):
        given = given.get("id")
    return str(given or _told(action.event).get("id") or action.marker or "").strip()


def _told(event: Event | None) -> Mapping[str, Any]:
    """Return the message that the event is about, {} if it is about something else."""
    message = event.record.get("message") if event is not None else None
    return message if isinstance(message, Mapping) else {}


def _user(values: Mapping[str, Any], person: Mapping[str, Any]) -> dict[str, Any]:
    first = values.get("first_name") or person.get("first_name")
    last = values.get("last_name") or person.get("last_name")
    if values.get("name") or not (first or last):
        whole = person_name(values.get("name") or person.get("name") or person.get("handle"))
        first, _, last = whole.partition(" ")
    out = {
        "name": person_name(first)[: codes.LONGEST_NAME].strip(),
        "last_name": person_name(last)[: codes.LONGEST_NAME].strip(),
        "url": link(values.get("url")),
        "gender": values.get("gender") if values.get("gender") in ("male", "female") else "",
        "email": values.get("email") or person.get("email"),
        "phone": values.get("phone") or person.get("phone"),
    }
    if picture := link(values.get("picture")):
        out["picture"] = {"url": picture}
    if yes(values.get("skip_phone_validate")):
        out["skip_phone_validate"] = "Y"
    return {name: given for name, given in out.items() if given}


def _chat(values: Mapping[str, Any], chat: str) -> dict[str, Any]:
    more = {"name": str(values.get("chat_name") or "")[:255], "url": link(values.get("chat_url"))}
    return {"id": chat, **{name: given for name, given in more.items() if given}}


def person_name(given: Any) -> str:
    """Return a name with nothing but letters, spaces, hyphens and apostrophes: the portal takes no others."""
    known = unicodedata.normalize("NFC", str(given or ""))
    kept = "".join(one if unicodedata.category(one)[0] in "LM" or one in " -'’" else " " for one in known)
    return " ".join(kept.replace("’", "'").split()).strip("-' ")


def harmless(text: str) -> str:
    """Return a client's text so that no BB code in it is carried out: `[url=...]` is shown as it was typed."""
    return _BB.sub(_HARMLESS, text)


def yes(value: Any) -> bool:
    """Return whether a value says yes."""
    return value is True or str(value).strip().lower() in _YES


def _unix(value: Any) -> int:
    """Return an instant as unix seconds, 0 for none (it is left out then)."""
    if isinstance(value, str):
        try:
            value = dt.datetime.fromisoformat(value)
        except ValueError:
            return int(value) if value.isascii() and value.isdigit() and len(value) < 12 else 0
    if isinstance(value, dt.datetime):
        return int((value if value.tzinfo else value.replace(tzinfo=dt.UTC)).timestamp())
    return int(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else 0


# --- a whole message, a state -----------------------------------------------------------------------


def message(found: Mapping[str, Any], files: Sequence[File]) -> dict[str, Any]:
    """Return one element of MESSAGES: files by link, and in the text a line for each that can't be carried."""
    said = {name: given for name, given in found["message"].items() if given}
    carried = [{"url": file.url, "name": file.name} for file in files if not file.trouble]
    left = [
        f"{harmless(file.name)}: {file.trouble}" + (f"\n{file.url}" if file.url else "")
        for file in files
        if file.trouble
    ]
    if text := "\n".join(part for part in (said.pop("text", ""), *left) if part):
        said["text"] = text
    if carried:
        said["files"] = carried
    if not text and not carried:
        raise Refused("there is nothing to send: neither text nor files", {"text": "empty"})
    return {"user": found["user"], "message": said, "chat": found["chat"]}


def status(action: Action, where: Place, own: Mapping[str, Any], now: dt.datetime) -> dict[str, Any]:
    """Return im, message and chat of imconnector.send.status.*; `im` is {} where only the portal can tell it.

    `message.id` is always a list, or the portal refuses the whole.
    """
    values = action.values
    given = values.get("message")
    ids = [str(one) for one in (given if isinstance(given, (list, tuple)) else [given]) if one]
    told = {} if own else _told(action.event)
    if not ids and told.get("id"):
        ids = [str(told["id"])]
    chat = str(values.get("chat") or own.get("chat") or chat_of(action, where.settings))
    missing = {"message": "missing"} if not ids else {} if chat else {"chat": "missing"}
    if missing:
        what = next(iter(missing))
        words = {"message": "the channel's id of the sent message", "chat": "the client's id in the channel"}
        raise Refused(f"{action.name} needs `{what}`: {words[what]}", missing)
    im_chat, im_message = (str(values.get(name) or own.get(name) or "") for name in ("im_chat", "im_message"))
    out: dict[str, Any] = {"im": {}, "message": {"id": ids}, "chat": {"id": chat}}
    if im_chat and im_message:
        out["im"] = {"chat_id": number(im_chat), "message_id": number(im_message)}
    if action.verb == "delivered":
        out["message"]["date"] = _unix(values.get("at")) or int(now.timestamp())
    return out


def number(given: str) -> int | str:
    """Return an id of the portal's as it writes it."""
    return int(given) if given.isascii() and given.isdigit() else given


# --- answers -----------------------------------------------------------------------------------------


def outcome(result: Any, method: str) -> Mapping[str, Any]:
    """Return what became of the one message of a call. Each is judged by itself; a refusal comes with HTTP 200."""
    if not isinstance(result, Mapping) or "SUCCESS" not in result:
        raise Uncertain(f"{method}: the answer doesn't say whether it was taken")
    data = result.get("DATA")
    rows = data.get("RESULT") if isinstance(data, Mapping) else None
    row = rows[0] if isinstance(rows, list) and rows and isinstance(rows[0], Mapping) else {}
    if result["SUCCESS"] is not True or row.get("SUCCESS", True) is not True:
        errors = row.get("ERRORS") or (data.get("ERRORS") if isinstance(data, Mapping) else None) or []
        words = "; ".join(str(one) for one in (errors if isinstance(errors, list) else [errors]))
        raise Refused(f"{method}: the portal did not take the message: {words[:300] or 'without a reason'}")
    return row


def portal_ids(row: Mapping[str, Any]) -> dict[str, str]:
    """Return the portal's ids of the chat a message went into, those it names."""
    session = row.get("session")
    session = session if isinstance(session, Mapping) else {}
    named = {"session": session.get("ID"), "im_chat": session.get("CHAT_ID"), "user": row.get("user")}
    return {name: str(given) for name, given in named.items() if isinstance(given, (str, int)) and given}


def in_history(history: Any, message: str) -> str:
    """Return the portal's id of the message that carries the channel's id `message`; "" if there is none.

    https://apidocs.bitrix24.ru/api-reference/imopenlines/openlines/sessions/imopenlines-session-history-get.html
    """
    rows = history.get("message") if isinstance(history, Mapping) else None
    for row in rows.values() if isinstance(rows, Mapping) else rows if isinstance(rows, list) else []:
        params = row.get("params") if isinstance(row, Mapping) else None
        if not isinstance(params, Mapping):
            continue
        ids = params.get("connectorMid", params.get("CONNECTOR_MID"))
        if message in [str(one) for one in (ids if isinstance(ids, list) else [ids])]:
            return str(row.get("id") or "")
    return ""


def session_of(dialog: Any) -> dict[str, str]:
    """Return how to ask for a dialog's messages: by its session (sixth part of `entity_data_1`), else by its chat."""
    if not isinstance(dialog, Mapping):
        return {}
    parts = str(dialog.get("entity_data_1") or "").split("|")
    if len(parts) > 5 and parts[5].isdigit() and parts[5] != "0":
        return {"SESSION_ID": parts[5]}
    chat = str(dialog.get("id") or "")
    return {"CHAT_ID": chat} if chat.isdigit() else {}
