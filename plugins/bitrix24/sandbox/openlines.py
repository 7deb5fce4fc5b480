"""Open Lines connectors (imconnector.*) and notifications to employees (im.notify.*)."""

from __future__ import annotations

from typing import Any

from plugins.bitrix24.sandbox.words import Call, RestError, as_id, as_list, is_yes, method

# --- notifications ---------------------------------------------------------------------------------


def _notify(call: Call) -> Any:
    user_id = as_id(call.get("USER_ID") or call.get("to"))
    if not user_id:
        raise RestError("USER_ID_EMPTY", "User ID can't be empty")
    message = call.get("MESSAGE")
    if not message:
        raise RestError("MESSAGE_EMPTY", "Message can't be empty")
    if call.via == "hook" and call.get("TAG") and not call.get("CLIENT_ID"):
        raise RestError("CLIENT_ID_EMPTY", "Client ID can't be empty")
    number = call.portal.next_id("notify")
    row = {"id": number, "user_id": user_id, "message": str(message), "tag": call.get("TAG")}
    call.portal.notifications.append(row)
    return number


for _name in ("im.notify.system.add", "im.notify.personal.add", "im.notify"):
    method(_name, scope="im")(_notify)


# --- Open Lines connectors -------------------------------------------------------------------------


@method("imconnector.register", scope="imconnector", app_only=True)
def register_connector(call: Call) -> Any:
    """Register a connector; a bad request is answered with HTTP 200 and `result.result` false."""
    for name, code in (
        ("ID", "CONNECTOR_ID_REQUIRED"),
        ("NAME", "NAME_REQUIRED"),
        ("ICON", "ICON_REQUIRED"),
        ("PLACEMENT_HANDLER", "NO_PLACEMENT_HANDLER"),
    ):
        if not call.get(name):
            return {"result": False, "error": code, "error_description": f"Не указан параметр {name}"}
    connector = str(call.get("ID")).lower()
    call.portal.connectors[connector] = {"name": call.get("NAME"), "lines": {}, "data": {}}
    return {"result": True}


@method("imconnector.activate", scope="imconnector", app_only=True)
def activate_connector(call: Call) -> Any:
    """Switch a connector on or off on a line."""
    _arguments(call, "CONNECTOR", "LINE", "ACTIVE")
    connector = _connector(call)
    connector["lines"][str(call.get("LINE"))] = is_yes(call.get("ACTIVE"))
    return True


@method("imconnector.status", scope="imconnector", app_only=True)
def connector_status(call: Call) -> Any:
    """Show how a connector stands on a line."""
    _arguments(call, "CONNECTOR", "LINE")
    line = str(call.get("LINE"))
    connector = _connector(call)
    active = connector["lines"].get(line, False)
    flags = {"CONFIGURED": active, "STATUS": active, "ERROR": False}
    return {"LINE": line, "CONNECTOR": str(call.get("CONNECTOR")).lower(), **flags}


@method("imconnector.connector.data.set", scope="imconnector", app_only=True)
def set_connector_data(call: Call) -> Any:
    """Say where the channel is to be found."""
    _arguments(call, "CONNECTOR", "LINE", "DATA")
    _connector(call)["data"][str(call.get("LINE"))] = call.get("DATA")
    return True


@method("imconnector.send.messages", scope="imconnector", app_only=True)
def send_messages(call: Call) -> Any:
    """Take a client's messages; each is judged by itself and the answer stays HTTP 200."""
    _arguments(call, "CONNECTOR", "LINE", "MESSAGES")
    _active_line(call)
    results = [_take_message(call, each) for each in as_list(call.get("MESSAGES"))]
    return {"SUCCESS": True, "DATA": {"RESULT": results}}


def _take_message(call: Call, entry: Any) -> dict[str, Any]:
    entry = entry if isinstance(entry, dict) else {}
    user, message, chat = (entry.get(part) or {} for part in ("user", "message", "chat"))
    errors = [f"{name}.id is required" for name, part in (("user", user), ("chat", chat)) if not part.get("id")]
    if not message.get("text") and not message.get("files"):
        errors.append("message is empty")
    shown = {"user": str(user.get("id") or ""), "message": message, "chat": chat}
    if errors:
        return shown | {"SUCCESS": False, "ERRORS": errors}
    portal, connector, line = call.portal, str(call.get("CONNECTOR")).lower(), str(call.get("LINE"))
    key = (connector, line, str(chat["id"]))
    if key not in portal.chats:
        number = portal.next_id("chat")
        portal.chats[key] = {"session": str(number), "chat_id": str(number + 500), "user": str(user["id"])}
    session = portal.chats[key]
    kept = {"id": portal.next_id("message"), "connector": connector, "line": line, "chat": str(chat["id"])}
    portal.messages.append(kept | {"user": user, "message": message})
    return {
        "user": session["session"],
        "message": {"id": message.get("id"), "date": {}, "text": message.get("text"), "files": []},
        "chat": chat,
        "extra": {"skip_phone_validate": user.get("skip_phone_validate", "N"), "disable_tracker": "Y"},
        "SUCCESS": True,
        "session": {"ID": session["session"], "CHAT_ID": session["chat_id"]},
    }


@method("imconnector.send.status.delivery", scope="imconnector", app_only=True)
def report_delivery(call: Call) -> Any:
    """Take a delivery report: `im`, `message.id` (a list) and `chat` are all needed."""
    _arguments(call, "CONNECTOR", "LINE", "MESSAGES")
    _active_line(call)
    for entry in as_list(call.get("MESSAGES")):
        message = entry.get("message") if isinstance(entry, dict) else None
        ids = message.get("id") if isinstance(message, dict) else None
        if not isinstance(ids, list) or not entry.get("im") or not entry.get("chat"):
            raise RestError("ERROR_ARGUMENT", "Argument 'MESSAGES' is null or empty")
        call.portal.deliveries.append(entry)
    return {"SUCCESS": True, "DATA": []}


def _arguments(call: Call, *names: str) -> None:
    for name in names:
        if call.get(name) in (None, "", [], {}):
            raise RestError("ERROR_ARGUMENT", f"Argument '{name}' is null or empty")


def _connector(call: Call) -> dict[str, Any]:
    found = call.portal.connectors.get(str(call.get("CONNECTOR")).lower())
    if found is None:
        raise RestError("IMCONNECTOR_NO_CORRECT_PROVIDER", "Не удалось найти подходящий провайдер")
    return found


def _active_line(call: Call) -> None:
    if not _connector(call)["lines"].get(str(call.get("LINE"))):
        raise RestError("NOT_ACTIVE_LINE", "Линия неактивна")


def operator_answers(call: Call) -> Any:
    """Let a person answer a client in an open line: ONIMCONNECTORMESSAGEADD goes to the application.

    The text carries the operator's name in BB-code, as the portal sends it.
    """
    connector, line = str(call.get("connector")).lower(), str(call.get("line"))
    chat = call.portal.chats.get((connector, line, str(call.get("chat"))))
    if chat is None:
        raise RestError("NOT_FOUND", "Chat is not found")
    number = call.portal.next_id("message")
    name = call.portal.user_name(call.user_id)
    message = {
        "im": {"chat_id": chat["chat_id"], "message_id": number},
        "message": {"user_id": call.user_id, "text": f"[b]{name}:[/b] [br]{call.get('text')}"},
        "chat": {"id": call.get("chat")},
    }
    data = {"CONNECTOR": connector, "LINE": line, "MESSAGES": [message]}
    call.tell("ONIMCONNECTORMESSAGEADD", data, number)
    return {"message_id": number}
