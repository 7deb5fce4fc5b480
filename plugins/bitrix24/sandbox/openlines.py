"""Open lines and the connectors that bring channels into them (imconnector.register ... status).

The pages name `imopenlines` as the scope of these methods; the events need `imconnector`.
https://apidocs.bitrix24.ru/api-reference/imopenlines/imconnector/index.html
"""

from __future__ import annotations

from typing import Any

from plugins.bitrix24.sandbox.words import Call, RestError, as_map, is_yes, method

#: connectors every portal has beside those of apps
_BUILT_IN = {"livechat": "Онлайн-чат", "network": "Битрикс24.Network"}


@method("imconnector.register", scope="imopenlines", app_only=True)
def register_connector(call: Call) -> Any:
    """Register a connector, or bring one up to date; a bad request is answered with HTTP 200 and `result` false."""
    for given, code in (
        (call.get("ID"), "CONNECTOR_ID_REQUIRED"),
        (call.get("NAME"), "NAME_REQUIRED"),
        (as_map(call.get("ICON")).get("DATA_IMAGE"), "ICON_REQUIRED"),
        (call.get("PLACEMENT_HANDLER"), "NO_PLACEMENT_HANDLER"),
    ):
        if not given or not isinstance(given, str):
            return _no(code, "Не указан обязательный параметр")
    connector = str(call.get("ID")).lower()
    if "." in connector:
        return _no("APPLICATION_REGISTRATION_ERROR_POINT", "В идентификаторе коннектора недопустимо использовать точку")
    if connector in _BUILT_IN:
        return _no("APPLICATION_REGISTRATION_ERROR", "Ошибка регистрации приложения")
    known = call.portal.connectors.setdefault(connector, {"lines": {}, "data": {}})
    known |= {"name": call.get("NAME"), "handler": call.get("PLACEMENT_HANDLER"), "icon": call.get("ICON")}
    known |= {
        name.lower(): is_yes(call.get(name, default))
        for name, default in (
            ("EDIT_INTERNAL_MESSAGES", True), ("DEL_INTERNAL_MESSAGES", True), ("NEED_SIGNATURE", True),
            ("NEED_SYSTEM_MESSAGES", True), ("NEWSLETTER", True), ("CHAT_GROUP", False),
        )
    }  # fmt: skip
    return {"result": True}


@method("imconnector.unregister", scope="imopenlines", app_only=True)
def unregister_connector(call: Call) -> Any:
    """Remove a connector of the app's own."""
    if call.portal.connectors.pop(str(call.get("ID") or "").lower(), None) is None:
        return _no("APPLICATION_UNREGISTRATION_ERROR", "Ошибка снятия регистрации приложения")
    return {"result": True}


def _no(code: str, text: str) -> dict[str, Any]:
    return {"result": False, "error": code, "error_description": text}


@method("imconnector.list", scope="imopenlines", app_only=True)
def list_connectors(call: Call) -> Any:
    """List the portal's connectors, built-in ones among them: id and name."""
    return _BUILT_IN | {name: each["name"] for name, each in call.portal.connectors.items()}


@method("imconnector.activate", scope="imopenlines", app_only=True)
def activate_connector(call: Call) -> Any:
    """Switch a connector on or off on a line."""
    arguments(call, "CONNECTOR", "LINE", "ACTIVE")
    connector_of(call)["lines"][str(call.get("LINE"))] = is_yes(call.get("ACTIVE"))
    return True


@method("imconnector.status", scope="imopenlines", app_only=True)
def connector_status(call: Call) -> Any:
    """Show how a connector stands on a line; without LINE it is asked about line 0, where nothing is on."""
    arguments(call, "CONNECTOR")
    line, name = str(call.get("LINE") or "0"), str(call.get("CONNECTOR")).lower()
    connector = call.portal.connectors.get(name) or {"lines": {}, "data": {}}
    active = bool(connector["lines"].get(line)) and line_is_active(call, line)
    flags = {"ERROR": False, "CONFIGURED": line in connector["data"], "STATUS": active}
    return {"LINE": line, "CONNECTOR": name, **flags}


@method("imconnector.connector.data.set", scope="imopenlines", app_only=True)
def set_connector_data(call: Call) -> Any:
    """Say where the channel is to be found; the whole is written over."""
    arguments(call, "CONNECTOR", "LINE", "DATA")
    connector_of(call)["data"][str(call.get("LINE"))] = call.get("DATA")
    return True


@method("imopenlines.config.list.get", scope="imopenlines")
def list_lines(call: Call) -> Any:
    """List open lines by filter, with the chosen fields."""
    params = as_map(call.get("PARAMS"))
    wanted = as_map(params.get("filter"))
    rows = [row for row in call.portal.lines.values() if all(str(row.get(k)) == str(v) for k, v in wanted.items())]
    select = [str(each) for each in params.get("select") or []]
    return [{name: value for name, value in row.items() if not select or name in select} for row in rows]


# --- shared with the chats ---------------------------------------------------------------------------


def arguments(call: Call, *names: str) -> None:
    """Insist on parameters the way these methods do."""
    for name in names:
        if call.get(name) in (None, "", [], {}):
            raise RestError("ERROR_ARGUMENT", f"Argument '{name}' is null or empty")


def connector_of(call: Call) -> dict[str, Any]:
    """Return the connector a call is about."""
    found = call.portal.connectors.get(str(call.get("CONNECTOR")).lower())
    if found is None:
        raise RestError(
            "IMCONNECTOR_NO_CORRECT_PROVIDER", "Не удалось найти подходящий провайдер для коннектора"
        )  # fmt: skip
    return found


def line_is_active(call: Call, line: str) -> bool:
    """Tell whether a line exists and is switched on."""
    return bool(call.portal.lines.get(line, {}).get("ACTIVE") == "Y")


def active_line(call: Call) -> None:
    """Insist that the connector is on on this line."""
    line = str(call.get("LINE"))
    if not connector_of(call)["lines"].get(line) or not line_is_active(call, line):
        raise RestError("NOT_ACTIVE_LINE", "Линия c таким ID неактивна или не существует")


# --- what an administrator does ------------------------------------------------------------------------


def switch_off(call: Call) -> Any:
    """Take a connector off a line in the Contact Center: ONIMCONNECTORSTATUSDELETE."""
    connector, line = str(call.get("connector")).lower(), str(call.get("line"))
    known = call.portal.connectors.get(connector)
    if known is None or not known["lines"].pop(line, False):
        raise RestError("NOT_FOUND", "Connector is not on this line")
    known["data"].pop(line, None)
    call.tell("ONIMCONNECTORSTATUSDELETE", {"connector": connector, "line": line}, None)
    return {"switched_off": line}


def delete_line(call: Call) -> Any:
    """Delete an open line: ONIMCONNECTORLINEDELETE, whose data is the bare id."""
    line = str(call.get("line"))
    if call.portal.lines.pop(line, None) is None:
        raise RestError("NOT_FOUND", "Line is not found")
    call.tell("ONIMCONNECTORLINEDELETE", line, None)
    return {"deleted": line}
