"""telephony.externalCall.*: a call is registered, finished, given its recording."""

from __future__ import annotations

import hashlib
import json
from typing import Any

from plugins.bitrix24.sandbox.fields import TYPE_IDS
from plugins.bitrix24.sandbox.notes import new_activity
from plugins.bitrix24.sandbox.records import create
from plugins.bitrix24.sandbox.words import Call, RestError, as_id, is_yes, method

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
