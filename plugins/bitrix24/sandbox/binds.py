"""event.*: what an application binds, and the offline queue it pulls."""

from __future__ import annotations

from typing import Any

from plugins.bitrix24.sandbox.events import Handler
from plugins.bitrix24.sandbox.words import PAGE, Call, RestError, as_id, as_list, is_yes, method, words

_CHANGES = ("ADD", "UPDATE", "DELETE")
_CHANGED = words(
    "LEAD DEAL CONTACT COMPANY ACTIVITY TIMELINECOMMENT QUOTE INVOICE CURRENCY PRODUCT PRODUCTPROPERTY PRODUCTSECTION"
    " REQUISITE BANKDETAIL MEASURE DEALRECURRING INVOICERECURRING DYNAMICITEM TYPE DOCUMENTGENERATORDOCUMENT"
)
_WITH_FIELDS = words("LEAD DEAL CONTACT COMPANY QUOTE INVOICE REQUISITE")
#: names the portal offers to an application
EVENTS = [
    *words("ONAPPUNINSTALL ONAPPINSTALL ONAPPUPDATE ONAPPPAYMENT ONAPPTEST ONAPPMETHODCONFIRM ONOFFLINEEVENT"),
    *words("ONUSERADD ONTASKADD ONTASKUPDATE ONTASKDELETE ONTASKCOMMENTADD ONTASKCOMMENTUPDATE ONTASKCOMMENTDELETE"),
    *(f"ONCRM{entity}{change}" for entity in _CHANGED for change in _CHANGES),
    *(f"ONCRM{entity}USERFIELD{change}" for entity in _WITH_FIELDS for change in (*_CHANGES, "SETENUMVALUES")),
    *words("ONCRMDEALMOVETOCATEGORY ONCRMDEALRECURRINGEXPOSE ONCRMINVOICERECURRINGEXPOSE ONCRMINVOICESETSTATUS"),
    *words("ONCRMADDRESSREGISTER ONCRMADDRESSUNREGISTER"),
    *words("ONIMCONNECTORMESSAGEADD ONIMCONNECTORMESSAGEUPDATE ONIMCONNECTORMESSAGEDELETE ONIMCONNECTORDIALOGSTART"),
    *words("ONIMCONNECTORDIALOGFINISH ONIMCONNECTORSTATUSDELETE ONIMCONNECTORLINEDELETE"),
    *words("ONSESSIONSTART ONSESSIONFINISH ONOPENLINEMESSAGEADD ONOPENLINEMESSAGEUPDATE ONOPENLINEMESSAGEDELETE"),
    *words("ONEXTERNALCALLSTART ONEXTERNALCALLBACKSTART"),
    *words("ONVOXIMPLANTCALLINIT ONVOXIMPLANTCALLSTART ONVOXIMPLANTCALLEND"),
]


@method("events", scope="", app_only=True)
def event_names(call: Call) -> Any:
    """List the events an application may bind."""
    return list(EVENTS)


@method("event.bind", scope="", app_only=True)
def bind(call: Call) -> Any:
    """Bind a handler; the same one twice is an error that says so."""
    event = str(call.get("event") or "").upper()
    if event not in EVENTS:
        raise RestError("ERROR_EVENT_NOT_FOUND", "Event not found")
    offline = call.get("event_type") == "offline"
    url = "" if offline else str(call.get("handler") or "")
    if not offline and not url.startswith(("http://", "https://")):
        raise RestError("ERROR_EVENT_HANDLER", "Wrong handler URL")
    auth_type = as_id(call.get("auth_type"))
    if auth_type not in (0, call.user_id) and call.user_id != 1:
        raise RestError("ACCESS_DENIED", "Access denied! Admin permissions required", 403)
    connector = str(call.get("auth_connector") or "")
    key = (event, url, auth_type, offline, connector)
    if any(_bind_key(known) == key for known in call.portal.events.handlers if known.is_app):
        raise RestError("ERROR_CORE", "Unable to set event handler: Handler already binded")
    call.portal.events.listen(
        url,
        [event],
        call.portal.access.application_token,
        is_app=True,
        auth_type=auth_type,
        offline=offline,
        auth_connector=connector,
        options=call.table("options"),
    )
    return True


def _bind_key(handler: Handler) -> tuple[str, str, int, bool, str]:
    event = next(iter(handler.events))
    return event, handler.url, handler.auth_type, handler.offline, handler.auth_connector


@method("event.unbind", scope="", app_only=True)
def unbind(call: Call) -> Any:
    """Unbind by event and handler; the answer counts what went."""
    event, url = str(call.get("event") or "").upper(), str(call.get("handler") or "")
    offline = call.get("event_type") == "offline"
    events = call.portal.events
    gone = [
        each
        for each in events.handlers
        if each.is_app and event in each.events and each.offline == offline and (offline or each.url == url)
    ]
    events.handlers = [each for each in events.handlers if each not in gone]
    return {"count": len(gone)}


@method("event.get", scope="", app_only=True)
def bound(call: Call) -> Any:
    """List the application's binds."""
    return [
        {
            "event": next(iter(each.events)),
            "handler": each.url,
            "auth_type": str(each.auth_type),
            "offline": int(each.offline),
        }
        for each in call.portal.events.handlers
        if each.is_app
    ]


@method("event.test", scope="", app_only=True)
def test_event(call: Call) -> Any:
    """Fire ONAPPTEST with what was passed under `data[QUERY]`."""
    passed = {key: value for key, value in call.params.items() if key != "auth"}
    call.tell("ONAPPTEST", {"QUERY": passed}, None)
    return True


@method("event.offline.list", scope="", app_only=True)
def offline_list(call: Call) -> Any:
    """Show the queue without taking anything."""
    return call.portal.events.offline.find(call.table("filter"), PAGE)


@method("event.offline.get", scope="", app_only=True)
def offline_get(call: Call) -> Any:
    """Take events: `clear=1` (default) deletes at once, `clear=0` reserves them under `process_id`."""
    offline = call.portal.events.offline
    limit = as_id(call.get("limit")) or PAGE
    rows = offline.find(call.table("filter"), limit, failed=is_yes(call.get("error")))
    offline.take(rows)
    if is_yes(call.get("clear", 1)):
        return {"process_id": None, "events": rows}
    process = str(call.get("process_id") or f"fake_process_{len(offline.reserved) + 1:019d}")
    offline.reserved.setdefault(process, []).extend(rows)
    return {"process_id": process, "events": rows}


@method("event.offline.clear", scope="", app_only=True)
def offline_clear(call: Call) -> Any:
    """Drop reserved events: all of a process, or those named by `id` or `message_id`."""
    _settle(call, failed=False)
    return True


@method("event.offline.error", scope="", app_only=True)
def offline_error(call: Call) -> Any:
    """Mark reserved events as failed: `event.offline.get` with `error=1` gives them again."""
    _settle(call, failed=True)
    return True


def _settle(call: Call, failed: bool) -> None:
    offline = call.portal.events.offline
    process = str(call.need("process_id"))
    ids = {str(each) for each in as_list(call.get("id"))}
    messages = {str(each) for each in as_list(call.get("message_id"))}
    rows = offline.reserved.pop(process, [])
    named = [row for row in rows if row["ID"] in ids or row["MESSAGE_ID"] in messages]
    settled = named if ids or messages else rows
    if kept := [row for row in rows if row not in settled]:
        offline.reserved[process] = kept
    if failed:
        offline.failed |= {(row["EVENT_NAME"], row["ID"]): row for row in settled}
