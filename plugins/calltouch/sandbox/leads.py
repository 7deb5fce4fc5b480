"""lead-service and widget-service: requests, deals, comments, tags, fields, imported calls, call-backs.

Pages api-metod-sozdaniya-sdelok, api-metod-obnovleniya-sdelok, api-metod-kommentirovanie-lidov,
api-metod-tegirovaniya-lidov, dobavlenie-polzovatelskikh-poley-k-lidam, servernoe-callback-api. Only request/create's
answer is public; the others are modelled on it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from flask import jsonify, request

if TYPE_CHECKING:
    from plugins.calltouch.sandbox import CalltouchSandbox

_DATE = re.compile(r"(0[1-9]|[12]\d|3[01])-(0[1-9]|1[0-2])-\d{4} \d{2}:\d{2}:\d{2}")
_MONEY = re.compile(r"-?\d+(\.\d+)?")
_DATES = ("orderDate", "statusDate", "updateDate", "requestDate", "callStartTime")
_TYPES = {
    "request": "requestParams", "call": "callParams", "chat": "chatParams", "leadContact": "leadContactParams",
    "requestContact": "requestContactParams", "callContact": "callContactParams", "chatContact": "chatContactParams",
    "customSources": "customSourceParams", "withoutSource": "",
}  # fmt: skip
BATCH = 100


def routes(sandbox: CalltouchSandbox) -> None:
    """Add the endpoints."""
    for path, handler in {
        "request/create": _requests, "client-order/create": _create, "client-order/update": _update,
        "client-order/delete": _delete, "comment/lead/add": _comments, "tag/lead/add": _tags,
        "customfield/lead/add": _fields, "call/import": _calls,
    }.items():  # fmt: skip
        sandbox.app.add_url_rule(
            f"/lead-service/v1/api/{path}", path, lambda handler=handler: handler(sandbox), methods=["POST"]
        )
    widget = "/widget-service/v1/api/widget-request/user-form/create"
    sandbox.app.add_url_rule(widget, "callback", lambda: _callback(sandbox), methods=["POST"])


# --- reading ------------------------------------------------------------------------------------------


def _invalid(*violations: tuple[str, str]) -> Any:
    rows = [{"field": name, "message": words} for name, words in violations]
    return jsonify(data={"validationErrorData": {"violations": rows}}), 400


def _rows(member: str) -> tuple[list[Any], Any]:
    """Return the batch, or the error about it."""
    body = request.get_json(force=True, silent=True)
    rows = body.get(member) if isinstance(body, dict) else None
    if not isinstance(rows, list):
        return [], _invalid((member, "must be a list"))
    if len(rows) > BATCH:
        return [], _invalid((member, f"at most {BATCH}"))
    wrong = [found for row in rows if isinstance(row, dict) for found in _violations(row)]
    return (rows, None) if not wrong else ([], _invalid(*wrong))


def _violations(row: Mapping[str, Any]) -> list[tuple[str, str]]:
    wrong = [(name, "dd-mm-yyyy hh:mm:ss") for name in _DATES if name in row and not _DATE.fullmatch(str(row[name]))]
    for name in ("revenue", "margin"):
        if name in row and not (isinstance(row[name], str) and _MONEY.fullmatch(row[name])):
            wrong.append((name, "a number as text"))
    for one in row.get("matching", row.get("reMatching", [])):
        params = _TYPES.get(str(one.get("type")) if isinstance(one, dict) else "")
        if params is None or (params and not isinstance(one.get(params), dict)):
            wrong.append(("matching", f"not valid: {one}"))
    return wrong


def _match(sandbox: CalltouchSandbox, matching: list[dict[str, Any]]) -> dict[str, Any] | None:
    """Return the lead that the first fitting attempt finds, {} without a source, None if none fits."""
    calls = {row["callId"]: row for row in sandbox.data["diary"]}
    requests = {row["requestId"]: row for row in sandbox.data["requests"]}
    for one in matching:
        kind = one["type"]
        params = one.get(_TYPES[kind], {})
        if kind == "call" and params.get("callId") in calls:
            return {"call": params["callId"]}
        if kind == "request" and params.get("requestId") in requests:
            return {"request": params["requestId"]}
        if kind in ("leadContact", "callContact") and (found := _by_phone(calls, params, "callerNumber")):
            return {"call": found}
        if kind in ("leadContact", "requestContact") and (found := _by_phone(requests, params, "_phone")):
            return {"request": found}
        if kind == "customSources":
            return {"source": params}
        if kind == "withoutSource":
            return {}
    return None


def _by_phone(rows: Mapping[int, Any], params: Mapping[str, Any], member: str) -> int | None:
    phones = {re.sub(r"\D", "", str(phone)) for phone in params.get("phones", [])}
    for number, row in sorted(rows.items(), reverse=True):
        phone = row["client"]["phones"][0]["phoneNumber"] if member == "_phone" else row[member]
        if phone and phone in phones:
            return number
    return None


# --- deals --------------------------------------------------------------------------------------------


def _answer(sandbox: CalltouchSandbox, member: str, items: list[dict[str, Any]], switch: str) -> Any:
    """Answer item by item; as a status, if refusals are switched to that and nothing was taken."""
    if items and sandbox.fault_for(sandbox.call_name(), "not_imported"):
        items[0][switch] = False
    refused = [item for item in items if not item[switch]]
    if refused and len(refused) == len(items) and sandbox.quirks["refusals"] == "status":
        status = 404 if "not found" in refused[0].get("message", "") else 400
        rows = [{"field": "orderNumber", "message": item.get("message", "refused")} for item in refused]
        return jsonify(data={"validationErrorData": {"violations": rows}}), status
    return jsonify(data={member: items})


def _create(sandbox: CalltouchSandbox) -> Any:
    rows, error = _rows("orders")
    if error:
        return error
    if not all(row.get("orderNumber") and row.get("orderDate") and row.get("matching") for row in rows):
        return _invalid(("orders", "orderNumber, orderDate and matching are required"))
    items = []
    with sandbox.lock:
        for row in rows:
            number, item = row["orderNumber"], {"orderNumber": row["orderNumber"], "created": True}
            lead = _match(sandbox, row["matching"])
            if number in sandbox.data["orders"]:
                item |= {"created": False, "message": f"order {number} already exists"}
            elif lead is None:
                item |= {"created": False, "message": "no lead was matched"}
            else:
                kept = {name: value for name, value in row.items() if name not in ("matching", "comment")}
                comments = [row["comment"]["text"]] if row.get("comment") else []
                sandbox.data["orders"][number] = {
                    **kept,
                    "lead": lead,
                    "comments": comments,
                    "history": [row.get("status")],
                }
            items.append(item)
    return _answer(sandbox, "orders", items, "created")


def _update(sandbox: CalltouchSandbox) -> Any:
    rows, error = _rows("orders")
    if error:
        return error
    items = []
    with sandbox.lock:
        for row in rows:
            number, item = row.get("orderNumber"), {"orderNumber": row.get("orderNumber"), "updated": True}
            order = sandbox.data["orders"].get(number)
            if order is None:
                item |= {"updated": False, "message": f"order {number} not found"}
            else:
                order |= {name: value for name, value in row.items() if name not in ("addNewComment", "reMatching")}
                if row.get("addNewComment"):
                    order["comments"].append(row["addNewComment"]["text"])
                if row.get("status"):
                    order["history"].append(row["status"])
            items.append(item)
    return _answer(sandbox, "orders", items, "updated")


def _delete(sandbox: CalltouchSandbox) -> Any:
    numbers, error = _rows("orderNumbers")
    if error:
        return error
    with sandbox.lock:
        gone = {number: sandbox.data["orders"].pop(number, None) for number in numbers}
    items = [
        {"orderNumber": number, "deleted": found is not None, **({} if found else {"message": "order not found"})}
        for number, found in gone.items()
    ]
    return _answer(sandbox, "orders", items, "deleted")


# --- leads --------------------------------------------------------------------------------------------


def _on_leads(sandbox: CalltouchSandbox, member: str, kept: str, name: str) -> Any:
    rows, error = _rows(member)
    if error:
        return error
    items = []
    with sandbox.lock:
        for row in rows:
            lead = _match(sandbox, row.get("matching") or [])
            taken = bool(lead) and bool(row.get(name))
            items.append({"added": taken, **({} if taken else {"message": "lead is not matched"})})
            if taken:
                sandbox.data[kept].append({"lead": lead, name: row[name]})
    return _answer(sandbox, member, items, "added")


def _comments(sandbox: CalltouchSandbox) -> Any:
    return _on_leads(sandbox, "comments", "comments", "addComment")


def _tags(sandbox: CalltouchSandbox) -> Any:
    return _on_leads(sandbox, "leads", "tags", "addTags")


def _fields(sandbox: CalltouchSandbox) -> Any:
    return _on_leads(sandbox, "leads", "fields", "addCustomFields")


def _requests(sandbox: CalltouchSandbox) -> Any:
    from plugins.calltouch.sandbox import hooks

    rows, error = _rows("requests")
    if error:
        return error
    items: list[dict[str, Any]] = []
    for row in rows:
        taken = bool(row.get("requestNumber")) and any(row.get(name) for name in ("phoneNumber", "fio", "email"))
        taken = taken and not (items == [] and sandbox.fault_for(sandbox.call_name(), "not_imported"))
        items.append({"requestNumber": row.get("requestNumber"), "imported": taken})
        if taken:
            phone = re.sub(r"\D", "", row.get("phoneNumber", ""))
            record = hooks.request_record(
                sandbox, phone, name=row.get("fio", ""), email=row.get("email", ""), subject=row.get("subject", ""),
                number=row["requestNumber"], session=row.get("sessionId"), page=row.get("requestUrl", ""),
                comment=(row.get("comment") or {}).get("text", ""),
            )  # fmt: skip
            with sandbox.lock:
                sandbox.data["requests"].append(record)
            hooks.send(sandbox, hooks.request_message(record), "request")
    return jsonify(data={"requests": items})


def _calls(sandbox: CalltouchSandbox) -> Any:
    rows, error = _rows("calls")
    if error:
        return error
    known = [row.get("referenceId") for row in rows if row.get("referenceId") in sandbox.data["imported"]]
    if known:
        return _invalid(("referenceId", f"already imported: {', '.join(map(str, known))}"))
    if not all(row.get("referenceId") and row.get("clientPhoneNumber") and row.get("callStartTime") for row in rows):
        return _invalid(("calls", "referenceId, clientPhoneNumber and callStartTime are required"))
    with sandbox.lock:
        sandbox.data["imported"] |= {row["referenceId"]: row for row in rows}
    return jsonify(data={"logId": sandbox.number("log")})


def _callback(sandbox: CalltouchSandbox) -> Any:
    from plugins.calltouch.sandbox import refused

    body = request.get_json(force=True, silent=True) or {}
    if not re.fullmatch(r"7\d{10}", str(body.get("phone", ""))):
        return refused(400, "phone is not valid", 10013)
    if body.get("routeKey") != "autocall":
        return refused(400, "no active widget with this key", 10003)
    with sandbox.lock:
        sandbox.data["callbacks"].append(body)
    return jsonify(data={"widgetRequestId": 242_000_000 + len(sandbox.data["callbacks"])})
