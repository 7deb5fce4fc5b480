"""Open lines, looking after them: registered, switched on, connected to a line that exists, told of their events.

https://apidocs.bitrix24.ru/api-reference/imopenlines/imconnector/index.html names the order: register, activate,
set the channel's data, ask for the status.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from hub.connector import ConnectionInfo
from hub.errors import AuthFailed, HubError, Refused
from hub.model import Finding
from plugins.bitrix24 import codes
from plugins.bitrix24.chat_schemas import icon_uri
from plugins.bitrix24.client import Client

_LINES = {"PARAMS": {"select": ["ID", "LINE_NAME", "ACTIVE"], "order": {"ID": "ASC"}, "limit": 50, "offset": 0}}


class ChatChecking:
    """Questions about the connectors of one connection, and the act of setting them up."""

    def __init__(self, client: Client, settings: Mapping[str, Any], connection: ConnectionInfo) -> None:
        self._client, self._connection = client, connection
        self._lines: Mapping[str, Mapping[str, Any]] = settings["openlines"]

    # --- hub connect -----------------------------------------------------------------------------

    def connect(self) -> list[Finding]:
        """Register each connector (again: that brings it up to date), switch it on, say where its channel is."""
        found = []
        for connector, line in self._lines.items():
            try:
                found += self._set_up(connector, line)
            except AuthFailed:
                raise
            except HubError as error:
                found.append(Finding("problem", f"connector {connector}: {error.reason}", _remedy(error)))
        return found

    def _set_up(self, connector: str, line: Mapping[str, Any]) -> list[Finding]:
        name, number = line["name"] or connector, line["line"]
        answer = self._client.call("imconnector.register", self._registration(connector, name, line), changes=False)
        refused = refusal(answer)
        if refused:
            remedy = "has the app the permission imconnector? Add it in the app's settings, then hub connect again"
            return [Finding("problem", f"connector {connector} could not be registered: {refused}", remedy)]
        where = {"CONNECTOR": connector, "LINE": int(number)}
        self._client.call("imconnector.activate", {**where, "ACTIVE": "1"}, changes=False)
        shown = {"ID": f"{connector}_line{number}", "NAME": name}
        if line["url"]:
            shown |= {"URL": line["url"], "URL_IM": line["url"]}
        self._client.call("imconnector.connector.data.set", {**where, "DATA": shown}, changes=False)
        return [self._status(connector, number)]

    def _registration(self, connector: str, name: str, line: Mapping[str, Any]) -> dict[str, Any]:
        """Return the parameters of imconnector.register. The page behind PLACEMENT_HANDLER only explains itself."""
        icon = icon_uri(line["icon"])
        return {
            "ID": connector,
            "NAME": name,
            "ICON": {"DATA_IMAGE": icon, "COLOR": line["color"]},
            "ICON_DISABLED": {"DATA_IMAGE": icon, "COLOR": "#99adb3"},
            "PLACEMENT_HANDLER": f"{self._connection.base_url.rstrip('/')}/oauth/{self._connection.name}",
            "DEL_EXTERNAL_MESSAGES": True,
            "EDIT_INTERNAL_MESSAGES": line["edits"],
            "DEL_INTERNAL_MESSAGES": line["edits"],
            "NEWSLETTER": line["mailings"],
            "NEED_SYSTEM_MESSAGES": line["system_messages"],
            "NEED_SIGNATURE": line["signature"],
            "CHAT_GROUP": False,
        }

    # --- hub check --live ------------------------------------------------------------------------

    def check(self) -> list[Finding]:
        """Say of each connector whether the portal still knows it, whether it is on, and whether its line is there."""
        if not self._lines:
            return []
        known = self._registered()
        found = self._line_findings()
        for connector, line in self._lines.items():
            if known is not None and connector not in known:
                words = f"connector {connector} isn't registered: clients' messages reach no line"
                found.append(Finding("problem", words, f"run `hub connect {self._connection.name}`"))
                continue
            found.append(self._status(connector, line["line"]))
        return found

    def _registered(self) -> set[str] | None:
        """Return the ids of the portal's connectors; None where the app's user may not see them (the status tells)."""
        try:
            rows = self._client.call("imconnector.list")
        except Refused:
            return None
        return {str(name).lower() for name in rows} if isinstance(rows, Mapping) else set()

    def _line_findings(self) -> list[Finding]:
        """Return what is wrong with the lines themselves; they are listed where one is missing."""
        try:
            rows = self._client.call("imopenlines.config.list.get", _LINES, changes=False)
        except Refused as error:
            return [Finding("warning", f"open lines can't be listed: {error.reason}", _remedy(error))]
        lines = {str(row.get("ID")): row for row in rows or [] if isinstance(row, Mapping)}
        found = []
        for connector, line in self._lines.items():
            row = lines.get(line["line"])
            if row is None:
                words = f"connector {connector}: there is no open line {line['line']}"
                found.append(Finding("problem", words, f"the portal has {_listed(lines.values())}"))
            elif row.get("ACTIVE") == "N":
                words = f"connector {connector}: open line {line['line']} ({row.get('LINE_NAME')}) is switched off"
                found.append(Finding("problem", words, "switch it on in the portal's Contact Center"))
        return found

    def _status(self, connector: str, line: str) -> Finding:
        answer = self._client.call("imconnector.status", {"CONNECTOR": connector, "LINE": int(line)}, changes=False)
        status = answer if isinstance(answer, Mapping) else {}
        again = f"run `hub connect {self._connection.name}`"
        if status.get("ERROR"):
            return Finding("problem", f"connector {connector} is in error on line {line}", again)
        if not status.get("CONFIGURED"):
            return Finding("problem", f"connector {connector} isn't connected to line {line}", again)
        if not status.get("STATUS"):
            return Finding("problem", f"connector {connector} is switched off on line {line}", again)
        return Finding("ok", f"connector {connector} is registered, active and connected to line {line}")


def refusal(answer: Any) -> str:
    """Return why imconnector.register said no, in words; "" if it said yes. Its no comes with HTTP 200."""
    answer = answer if isinstance(answer, Mapping) else {"result": answer}
    if answer.get("result") is True:
        return ""
    code = str(answer.get("error") or "")
    words = codes.CONNECTOR_ERRORS.get(code) or str(answer.get("error_description") or "") or "without a reason"
    return f"{words} ({code})" if code else words


def _remedy(error: HubError) -> str:
    if isinstance(error, Refused) and error.vendor_code == "insufficient_scope":
        return "open the app in the portal, tick `imopenlines` and `imconnector`, save, install it again"
    return ""


def _listed(rows: Iterable[Mapping[str, Any]]) -> str:
    words = [f"{row.get('ID')} ({row.get('LINE_NAME')})" for row in rows]
    return ", ".join(words) or "no open line yet: make one in its Contact Center"
