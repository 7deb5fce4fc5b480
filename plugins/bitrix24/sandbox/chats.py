"""Chats of open lines: what clients write, what operators answer, what became of it.

A message sent twice under one id becomes two: whether the portal knows it again is not documented, so the stand-in
does the worse of the two. https://apidocs.bitrix24.ru/api-reference/imopenlines/imconnector/index.html
"""

from __future__ import annotations

from typing import Any
from unicodedata import category

from plugins.bitrix24.sandbox.openlines import active_line, arguments, connector_of, delete_line, switch_off
from plugins.bitrix24.sandbox.values import iso
from plugins.bitrix24.sandbox.words import Call, RestError, as_id, as_list, as_map, method

_LONGEST_NAME = 25


# --- what the app reports ------------------------------------------------------------------------------


@method("imconnector.send.messages", scope="imopenlines", app_only=True)
def send_messages(call: Call) -> Any:
    """Take clients' messages; each is judged by itself and the answer stays HTTP 200."""
    return _each(call, _take)


@method("imconnector.update.messages", scope="imopenlines", app_only=True)
def update_messages(call: Call) -> Any:
    """Change clients' messages by their external ids."""
    return _each(call, _change)


@method("imconnector.delete.messages", scope="imopenlines", app_only=True)
def delete_messages(call: Call) -> Any:
    """Delete clients' messages by their external ids."""
    return _each(call, _drop)


def _each(call: Call, act: Any) -> Any:
    arguments(call, "CONNECTOR", "LINE", "MESSAGES")
    active_line(call)
    entries = as_list(call.get("MESSAGES"))
    if not all(isinstance(entry, dict) for entry in entries):
        raise RestError("ERROR_ARGUMENT", "The MESSAGES parameter must be an array of messages (arrays)")
    if not all(isinstance(entry.get(part), dict) for entry in entries for part in ("user", "message", "chat")):
        raise RestError("ERROR_ARGUMENT", "The incorrect structure of a message inside MESSAGES parameter")
    return {"SUCCESS": True, "DATA": {"RESULT": [act(call, entry) for entry in entries]}}


def _faults(entry: dict[str, Any], content: bool) -> list[str]:
    user, message, chat = entry["user"], entry["message"], entry["chat"]
    errors = [f"{name}.id is required" for name, part in (("user", user), ("chat", chat)) if not part.get("id")]
    if content and not message.get("text") and not message.get("files"):
        errors.append("message is empty")
    for file in as_list(message.get("files")):
        if not str(as_map(file).get("url") or "").startswith(("http://", "https://")):
            errors.append("file.url is not a link")
    for name in ("name", "last_name"):
        given = str(user.get(name) or "")
        if len(given) > _LONGEST_NAME or any(category(one)[0] not in "LM" and one not in " -'" for one in given):
            errors.append(f"user.{name} is not a name")
    return errors


def _take(call: Call, entry: dict[str, Any]) -> dict[str, Any]:
    user, message, chat = entry["user"], entry["message"], entry["chat"]
    if errors := _faults(entry, True):
        return {"user": str(user.get("id") or ""), "message": message, "chat": chat, "SUCCESS": False, "ERRORS": errors}
    key = _key(call, chat["id"])
    talk, begun = _talk(call, key, str(user["id"]))
    kept = _keep(call, talk, by=talk["user"], text=message.get("text"), files=message.get("files"))
    kept |= {"user": user, "message": message, "chat": str(chat["id"]), "external": [str(message.get("id") or "")]}
    if begun:
        dialog = {"CONNECTOR": key[0], "LINE": key[1], "DATA": [_dialog(talk, key)]}
        call.tell("ONIMCONNECTORDIALOGSTART", dialog, talk["session"])
        call.tell("ONSESSIONSTART", {"DATA": [_dialog(talk, key)]}, talk["session"])
    _told_of_line(call, "ONOPENLINEMESSAGEADD", talk, key, kept)
    shown = {"id": message.get("id"), "date": {}, "text": message.get("text"), "files": []}
    extra = {"skip_phone_validate": user.get("skip_phone_validate", "N")}
    return {
        "user": talk["user"],
        "message": shown,
        "chat": chat,
        "extra": extra | {"disable_tracker": message.get("disable_crm", "N")},
        "SUCCESS": True,
        "session": {"ID": talk["session"], "CHAT_ID": talk["chat_id"]},
    }


def _change(call: Call, entry: dict[str, Any]) -> dict[str, Any]:
    if errors := _faults(entry, True):
        return {"message": entry["message"], "chat": entry["chat"], "SUCCESS": False, "ERRORS": errors}
    for kept in _sent(call, entry):
        kept |= {"text": entry["message"].get("text"), "files": entry["message"].get("files") or [], "edited": True}
    return {"user": entry["user"]["id"], "message": entry["message"], "chat": entry["chat"], "SUCCESS": True}


def _drop(call: Call, entry: dict[str, Any]) -> dict[str, Any]:
    if errors := _faults(entry, False):
        return {"message": entry["message"], "chat": entry["chat"], "SUCCESS": False, "ERRORS": errors}
    for kept in _sent(call, entry):
        kept["deleted"] = True
    return {"user": entry["user"]["id"], "message": entry["message"], "chat": entry["chat"], "SUCCESS": True}


def _sent(call: Call, entry: dict[str, Any]) -> list[dict[str, Any]]:
    number, key = str(entry["message"].get("id")), _key(call, entry["chat"]["id"])
    return [
        kept
        for kept in call.portal.messages
        if (kept["connector"], kept["line"], kept["chat"]) == key and number in kept["external"]
    ]


@method("imconnector.send.status.delivery", scope="imopenlines", app_only=True)
def report_delivery(call: Call) -> Any:
    """Take a delivery report; the message is then marked as read too, and known by the channel's ids."""
    return _status(call, "delivered", call.portal.deliveries)


@method("imconnector.send.status.reading", scope="imopenlines", app_only=True)
def report_reading(call: Call) -> Any:
    """Take a reading report."""
    return _status(call, "read", call.portal.readings)


def _status(call: Call, what: str, reports: list[dict[str, Any]]) -> Any:
    """`im`, `message.id` (a list) and `chat` are all needed."""
    arguments(call, "CONNECTOR", "LINE", "MESSAGES")
    if what == "delivered":
        active_line(call)
    connector_of(call)
    for entry in as_list(call.get("MESSAGES")):
        message = entry.get("message") if isinstance(entry, dict) else None
        ids = message.get("id") if isinstance(message, dict) else None
        if not isinstance(ids, list) or not entry.get("im") or not entry.get("chat"):
            raise RestError("ERROR_ARGUMENT", "Argument 'MESSAGES' is null or empty")
        reports.append(entry)
        number = as_id(as_map(entry["im"]).get("message_id"))
        for kept in call.portal.messages:
            if kept["id"] == number:
                kept |= {"read": True, what: True}
                kept["external"] = [str(each) for each in ids] if what == "delivered" else kept["external"]
    return {"SUCCESS": True, "DATA": []}


# --- what can be looked at -----------------------------------------------------------------------------


@method("imopenlines.dialog.get", scope="imopenlines")
def dialog(call: Call) -> Any:
    """Show a chat by its id, its session or its user code.

    The page calls the code's last part the channel's id of the client, its example shows the portal's: both are taken.
    """
    code = str(call.get("USER_CODE") or "").split("|")
    chat_id = str(call.get("CHAT_ID") or str(call.get("DIALOG_ID") or "").removeprefix("chat"))
    for key, talk in call.portal.chats.items():
        coded = tuple(code[:3]) == key and code[3:] and code[3] in (talk["user"], talk["client"])
        if coded or talk["chat_id"] == chat_id or talk["session"] == str(call.get("SESSION_ID") or ""):
            entity = "|".join((*key, talk["user"]))
            data = f"Y|NONE|0|N|N|{talk['session']}|0|0|0|0"
            shown = {"id": int(talk["chat_id"]), "type": "lines", "entity_type": "LINES", "entity_id": entity}
            return shown | {"entity_data_1": data, "dialog_id": f"chat{talk['chat_id']}"}
    raise RestError("ACCESS_ERROR", "You do not have access to the specified dialog")


@method("imopenlines.session.history.get", scope="imopenlines")
def history(call: Call) -> Any:
    """Show a session's messages by their ids, each with the channel's ids in `params.connectorMid`."""
    session, chat_id = str(call.get("SESSION_ID") or ""), str(call.get("CHAT_ID") or "")
    if not session and not chat_id:
        raise RestError("MISSING_REQUIRED_PARAM", "Session ID or Chat ID must be provided")
    talk = next((each for each in call.portal.chats.values() if session == each["session"]), None)
    talk = talk or next((each for each in call.portal.chats.values() if chat_id == each["chat_id"]), None)
    if talk is None:
        raise RestError("ACCESS_DENIED", "You dont have access to this dialog")
    rows = {
        str(kept["id"]): {
            "id": str(kept["id"]),
            "chatid": talk["chat_id"],
            "senderid": str(kept["by"]),
            "recipientid": f"chat{talk['chat_id']}",
            "date": kept["at"],
            "text": kept["text"] or "",
            "params": {"connectorMid": kept["external"]} if kept["external"] else [],
        }
        for kept in call.portal.messages
        if kept["session"] == talk["session"] and not kept["deleted"]
    }
    return {"chatId": int(talk["chat_id"]), "sessionId": int(talk["session"]), "message": rows or []}


# --- what people at the portal do ----------------------------------------------------------------------


def operator_acts(call: Call) -> Any:
    """Let an operator answer, edit, delete or close (`act`), or an administrator switch_off or delete_line."""
    acts = {"answer": _answer, "edit": _edit, "delete": _delete, "close": _close}
    more = {"switch_off": switch_off, "delete_line": delete_line}
    act = (acts | more).get(str(call.get("act") or "answer"))
    if act is None:
        raise RestError("NOT_FOUND", f"no such act; there are {', '.join(acts | more)}")
    return act(call)


def _answer(call: Call) -> Any:
    """ONIMCONNECTORMESSAGEADD goes to the app; the text carries the operator's name in BB-code where it is signed."""
    talk, key = _chat_of(call)
    text = str(call.get("text") or "")
    kept = _keep(call, talk, by=call.user_id, text=text, files=call.get("files"))
    message: dict[str, Any] = {"user_id": call.user_id, "text": _signed(call, key, text)}
    if kept["files"]:
        message["files"] = kept["files"]
    _to_app(call, "ONIMCONNECTORMESSAGEADD", talk, key, kept, message)
    _told_of_line(call, "ONOPENLINEMESSAGEADD", talk, key, kept)
    return {"message_id": kept["id"]}


def _edit(call: Call) -> Any:
    talk, key = _chat_of(call)
    kept = _own(call, talk, key, "edit_internal_messages")
    kept |= {"text": str(call.get("text") or ""), "edited": True}
    message = {"id": kept["external"], "text": _signed(call, key, kept["text"])}
    _to_app(call, "ONIMCONNECTORMESSAGEUPDATE", talk, key, kept, message)
    return {"message_id": kept["id"]}


def _delete(call: Call) -> Any:
    talk, key = _chat_of(call)
    kept = _own(call, talk, key, "del_internal_messages")
    kept["deleted"] = True
    message = {"id": next(iter(kept["external"]), "")}
    _to_app(call, "ONIMCONNECTORMESSAGEDELETE", talk, key, kept, message)
    return {"message_id": kept["id"]}


def _close(call: Call) -> Any:
    talk, key = _chat_of(call)
    talk["closed"] = True
    data = {"CONNECTOR": key[0], "LINE": key[1], "DATA": [_dialog(talk, key)]}
    call.tell("ONIMCONNECTORDIALOGFINISH", data, talk["session"])
    call.tell("ONSESSIONFINISH", {"DATA": [_dialog(talk, key)]}, talk["session"])
    return {"session": talk["session"]}


# --- inside --------------------------------------------------------------------------------------------

Key = tuple[str, str, str]


def _key(call: Call, chat: Any) -> Key:
    return str(call.get("CONNECTOR")).lower(), str(call.get("LINE")), str(chat)


def _talk(call: Call, key: Key, client: str) -> tuple[dict[str, Any], bool]:
    """Return the chat and whether its session began just now."""
    portal = call.portal
    talk = portal.chats.get(key)
    if talk is None:
        number = portal.next_id("chat")
        talk = {"session": str(number), "chat_id": str(number + 500), "user": str(number + 900), "client": client}
        portal.chats[key] = talk | {"closed": False}
        return portal.chats[key], True
    if talk["closed"]:
        talk |= {"session": str(portal.next_id("chat")), "closed": False}
        return talk, True
    return talk, False


def _keep(call: Call, talk: dict[str, Any], by: Any, text: Any, files: Any) -> dict[str, Any]:
    key = next(key for key, each in call.portal.chats.items() if each is talk)
    kept = {
        "id": call.portal.next_id("message"), "connector": key[0], "line": key[1], "chat": key[2],
        "session": talk["session"], "by": by, "text": text, "files": as_list(files), "at": iso(call.portal.now()),
        "external": [], "edited": False, "deleted": False, "delivered": False, "read": False,
    }  # fmt: skip
    call.portal.messages.append(kept)
    return kept


def _chat_of(call: Call) -> tuple[dict[str, Any], Key]:
    key = (str(call.get("connector")).lower(), str(call.get("line")), str(call.get("chat")))
    talk = call.portal.chats.get(key)
    if talk is None:
        raise RestError("NOT_FOUND", "Chat is not found")
    return talk, key


def _own(call: Call, talk: dict[str, Any], key: Key, right: str) -> dict[str, Any]:
    """Return an operator's message that may be changed."""
    number = as_id(call.get("message_id"))
    kept = next((each for each in call.portal.messages if each["id"] == number), None)
    if kept is None or kept["by"] == talk["user"]:
        raise RestError("NOT_FOUND", "Message is not found")
    if not call.portal.connectors[key[0]][right]:
        raise RestError("ACCESS_DENIED", "The connector doesn't allow this")
    return kept


def _signed(call: Call, key: Key, text: str) -> str:
    if not call.portal.connectors[key[0]]["need_signature"]:
        return text
    return f"[b]{call.portal.user_name(call.user_id)}:[/b] [br]{text}"


def _to_app(
    call: Call, event: str, talk: dict[str, Any], key: Key, kept: dict[str, Any], message: dict[str, Any]
) -> None:
    im = {"chat_id": talk["chat_id"], "message_id": kept["id"]}
    row = {"im": im, "message": message, "chat": {"id": key[2]}}
    call.tell(event, {"CONNECTOR": key[0], "LINE": key[1], "MESSAGES": [row]}, kept["id"])


def _told_of_line(call: Call, event: str, talk: dict[str, Any], key: Key, kept: dict[str, Any]) -> None:
    """Tell what goes on in the line, the client's own messages too: taken for news, they go in circles."""
    row = {
        "connector": {"connector_id": key[0], "line_id": key[1], "chat_id": key[2], "user_id": talk["user"]},
        "chat": {"id": talk["chat_id"]},
        "message": {
            "id": kept["id"], "date": "", "text": kept["text"], "files": [], "attach": "", "system": "N",
            "user_id": kept["by"],
        },
        "ref": [],
        "extra": {"EXTRA_URL": ""},
    }  # fmt: skip
    call.tell(event, {"DATA": [row]}, kept["id"])


def _dialog(talk: dict[str, Any], key: Key) -> dict[str, Any]:
    closed = "Y" if talk["closed"] else "N"
    return {
        "connector": {"connector_id": key[0], "line_id": key[1], "chat_id": key[2], "user_id": talk["user"]},
        "session": {"id": talk["session"], "closed": closed, "parent_id": 0, "close_term": 10},
        "chat": {"id": talk["chat_id"]},
        "user": {"id": talk["user"]},
    }
