"""Notifications to employees (im.notify.*)."""

from __future__ import annotations

from typing import Any

from plugins.bitrix24.sandbox.words import Call, RestError, as_id, method


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
