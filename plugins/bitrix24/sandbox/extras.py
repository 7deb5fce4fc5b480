"""The small rest: automation triggers, analytics traces, documents."""

from __future__ import annotations

from typing import Any

from plugins.bitrix24.sandbox.fields import KINDS, TYPE_IDS
from plugins.bitrix24.sandbox.values import iso
from plugins.bitrix24.sandbox.words import Call, RestError, as_id, method


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
