"""Telephony, notifications, Open Lines connectors, and the small rest (triggers, traces, documents)."""

from __future__ import annotations

import hashlib
import json
from typing import Any

from plugins.bitrix24.sandbox_fields import KINDS, TYPE_IDS
from plugins.bitrix24.sandbox_notes import new_activity
from plugins.bitrix24.sandbox_records import create
from plugins.bitrix24.sandbox_values import iso
from plugins.bitrix24.sandbox_words import Call, RestError, as_id, as_list, is_yes, method

# --- telephony --------------------------------------------------------------------------------

_SAME_CALL_SECONDS = 30 * 60


@method("telephony.externalCall.register", scope="telephony", app_only=True)
def register_call(call: Call) -> Any:
    """Register a call; the same parameters within 30 minutes return the call already there."""
    portal = call.portal
    if as_id(call.get("TYPE")) not in (1, 2, 3, 4, 5):
        raise RestError("ERROR_CORE", "Unknown TYPE")
    if not call.get("PHONE_NUMBER"):
        raise RestError("ERROR_CORE", "PHONE_NUMBER should not be empty")
    user_id = as_id(call.get("USER_ID"))
    if user_id not in portal.users and not call.get("USER_PHONE_INNER"):
        raise RestError("ERROR_CORE", "USER_ID or USER_PHONE_INNER should be set")
    now = portal.clock().timestamp()
    print_ = _fingerprint({key: value for key, value in call.params.items() if key != "auth"})
    for known in portal.calls.values():
        if known["print"] == print_ and now - known["at"] < _SAME_CALL_SECONDS:
            return known["answer"]
    call_id = f"externalCall.{print_[:32]}.{int(now)}"
    kind, entity_id, created = _call_owner(call)
    answer = {
        "CALL_ID": call_id,
        "CRM_CREATED_LEAD": created,
        "CRM_CREATED_ENTITIES": [{"ENTITY_TYPE": "LEAD", "ENTITY_ID": created}] if created else [],
        "CRM_ENTITY_TYPE": kind,
        "CRM_ENTITY_ID": entity_id,
    }
    portal.calls[call_id] = {
        "ID": portal.next_id("call"),
        "print": print_,
        "at": now,
        "answer": answer,
        "EXTERNAL_CALL_ID": call.get("EXTERNAL_CALL_ID"),
        "PHONE_NUMBER": str(call.get("PHONE_NUMBER")),
        "PORTAL_NUMBER": str(call.get("LINE_NUMBER") or ""),
        "INCOMING": str(call.get("TYPE")),
        "PORTAL_USER_ID": user_id or 1,
        "finished": None,
        "records": [],
    }
    return answer


def _fingerprint(params: dict[str, Any]) -> str:
    text = json.dumps(params, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()


def _call_owner(call: Call) -> tuple[str | None, int | None, int | None]:
    """Find whom a call belongs to: named, found by phone, or a new lead when CRM_CREATE is 1."""
    phone = str(call.get("PHONE_NUMBER"))
    if call.get("CRM_ENTITY_ID"):
        return str(call.get("CRM_ENTITY_TYPE")).upper(), as_id(call.get("CRM_ENTITY_ID")), None
    for kind in ("contact", "company", "lead"):
        for number, record in call.portal.records[kind].items():
            if any(row["TYPE_ID"] == "PHONE" and row["VALUE"] == phone for row in record["fm"]):
                return kind.upper(), number, None
    if not is_yes(call.get("CRM_CREATE")):
        return None, None, None
    values = {"TITLE": f"{phone} - звонок", "SOURCE_ID": call.get("CRM_SOURCE") or "CALL"}
    lead = create(call, "lead", values | {"PHONE": [{"VALUE": phone, "VALUE_TYPE": "WORK"}]})
    return "LEAD", lead["ID"], lead["ID"]


@method("telephony.externalCall.finish", scope="telephony", app_only=True)
def finish_call(call: Call) -> Any:
    """Finish a call: an activity appears; the code is 200 if it lasted, else 304."""
    call_id = call.get("CALL_ID")
    if not isinstance(call_id, str):
        raise RestError("INVALID_ARGUMENT", "CALL_ID must be a string")
    known = call.portal.calls.get(call_id)
    if known is None:
        raise RestError("NOT_FOUND", "Call is not found")
    if known["finished"]:
        return known["finished"]
    duration = as_id(call.get("DURATION"))
    code = str(call.get("STATUS_CODE") or ("200" if duration else "304"))
    answer = known["answer"]
    known["finished"] = {
        "CALL_ID": call_id,
        "EXTERNAL_CALL_ID": known["EXTERNAL_CALL_ID"],
        "PORTAL_USER_ID": as_id(call.get("USER_ID")) or known["PORTAL_USER_ID"],
        "PHONE_NUMBER": known["PHONE_NUMBER"],
        "PORTAL_NUMBER": known["PORTAL_NUMBER"],
        "INCOMING": known["INCOMING"],
        "CALL_DURATION": duration,
        "CALL_START_DATE": {},
        "CALL_STATUS": 1 if code == "200" else 0,
        "CALL_VOTE": as_id(call.get("VOTE")) or None,
        "COST": float(call.get("COST") or 0),
        "COST_CURRENCY": str(call.get("COST_CURRENCY") or ""),
        "CALL_FAILED_CODE": code,
        "CALL_FAILED_REASON": "" if code == "200" else "Call canceled",
        "REST_APP_ID": "5",
        "REST_APP_NAME": "hub",
        "CRM_ACTIVITY_ID": _call_activity(call, known),
        "COMMENT": None,
        "CRM_ENTITY_TYPE": answer["CRM_ENTITY_TYPE"],
        "CRM_ENTITY_ID": answer["CRM_ENTITY_ID"],
        "ID": known["ID"],
    }
    return known["finished"]


def _call_activity(call: Call, known: dict[str, Any]) -> int | None:
    owner = known["answer"]
    if not owner["CRM_ENTITY_ID"]:
        return None
    owner_type = TYPE_IDS[owner["CRM_ENTITY_TYPE"].lower()]
    link = {"VALUE": known["PHONE_NUMBER"], "ENTITY_TYPE_ID": owner_type, "ENTITY_ID": owner["CRM_ENTITY_ID"]}
    fields = {
        "OWNER_TYPE_ID": owner_type,
        "OWNER_ID": owner["CRM_ENTITY_ID"],
        "TYPE_ID": 2,
        "SUBJECT": f"Звонок {known['PHONE_NUMBER']}",
        "DIRECTION": 2 if known["INCOMING"] == "1" else 1,
        "RESPONSIBLE_ID": known["PORTAL_USER_ID"],
        "COMPLETED": "Y",
        "COMMUNICATIONS": [link],
    }
    return int(new_activity(call, fields)["ID"])


@method("telephony.externalCall.attachRecord", scope="telephony")
def attach_record(call: Call) -> Any:
    """Attach a recording by RECORD_URL or FILENAME with FILE_CONTENT; FILENAME alone gives an upload url."""
    known = call.portal.calls.get(str(call.get("CALL_ID")))
    if known is None:
        raise RestError("NOT_FOUND", "Call is not found")
    if call.get("RECORD_URL") or call.get("FILE_CONTENT"):
        known["records"].append(call.get("RECORD_URL") or call.get("FILENAME"))
        return {"FILE_ID": call.portal.next_id("file")}
    return {"uploadUrl": f"{call.portal.access.base_url}/_sandbox/upload", "fieldName": "file"}


# --- notifications ----------------------------------------------------------------------------


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


# --- Open Lines connectors --------------------------------------------------------------------


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


# --- the small rest ---------------------------------------------------------------------------


@method("crm.automation.trigger")
def fire_trigger(call: Call) -> Any:
    """Fire the "track inbound webhook" trigger: `target=DEAL_57&code=..`."""
    kind, _, number = str(call.get("target") or "").partition("_")
    if kind.lower() not in TYPE_IDS or not number:
        raise RestError("", "Target is not set.")
    if call.portal.record(kind.lower(), as_id(number)) is None:
        raise RestError("", "Target is not found.")
    call.portal.triggers.append({"target": call.get("target"), "code": call.get("code")})
    return True


@method("crm.tracking.trace.add")
def add_trace(call: Call) -> Any:
    """Attach an analytics trace to records."""
    if not call.get("TRACE"):
        raise RestError("ERROR_CORE", "Parameter `TRACE` required.")
    row = {"ID": call.portal.next_id("trace"), "TRACE": call.get("TRACE"), "ENTITIES": call.get("ENTITIES")}
    call.portal.traces.append(row)
    return row["ID"]


@method("crm.documentgenerator.document.add", scope="crm")
def add_document(call: Call) -> Any:
    """Make a document from a template; here it has a number and links but no pages."""
    kind = KINDS.get(as_id(call.need("entityTypeId")))
    if kind is None or call.portal.record(kind, as_id(call.need("entityId"))) is None:
        raise RestError("NOT_FOUND", "Not found.")
    number = call.portal.next_id("document")
    base = f"{call.portal.access.base_url}/_sandbox/document/{number}"
    document = {
        "id": str(number),
        "title": f"Документ {number}",
        "number": str(number),
        "templateId": str(call.need("templateId")),
        "entityId": str(call.get("entityId")),
        "entityTypeId": str(call.get("entityTypeId")),
        "createTime": iso(call.portal.now()),
        "createdBy": str(call.user_id),
        "values": call.get("values") or [],
        "downloadUrl": f"{base}.docx",
        "pdfUrl": f"{base}.pdf",
        "publicUrl": None,
    }
    call.portal.documents.append(document)
    return {"document": document}
