"""The journals of calls, requests and deals, and registering a request without a token.

Pages api-metod-vygruzki-zhurnala-zvonkov, vygruzka-zhurnala-zayavok-cherez-api, upravlenie-zayavkami-cherez-api.
"""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any

from flask import jsonify, request

if TYPE_CHECKING:
    from plugins.calltouch.sandbox import CalltouchSandbox

_DAY_FIRST, _MONTH_FIRST = "%d/%m/%Y", "%m/%d/%Y"
_FLAGS = {
    "uniqueOnly": "uniqueCall",
    "targetOnly": "targetCall",
    "uniqTargetOnly": "uniqTargetCall",
    "callbackOnly": "callbackCall",
}
PAGE = 1000


def routes(sandbox: CalltouchSandbox) -> None:
    """Add the endpoints."""
    app = sandbox.app

    @app.get("/calls-service/RestAPI/<site>/calls-diary/calls")
    def calls(site: str) -> Any:
        return _calls(sandbox)

    @app.get("/calls-service/RestAPI/requests")
    def requests_journal() -> Any:
        return _requests(sandbox)

    @app.get("/calls-service/RestAPI/<site>/orders-diary/orders")
    def deals(site: str) -> Any:
        return _deals(sandbox)

    @app.route("/calls-service/RestAPI/requests/<site>/register/", methods=["GET", "POST"])
    def register(site: str) -> Any:
        return _register(sandbox, site)


def _period(spelling: str) -> tuple[dt.date, dt.date] | None:
    try:
        first, last = (
            dt.datetime.strptime(request.args.get(name, ""), spelling).replace(tzinfo=dt.UTC).date()
            for name in ("dateFrom", "dateTo")
        )
    except ValueError:
        return None
    return first, last


def _bad(words: str) -> Any:
    return jsonify(errorCode=400, message=words), 400


def _calls(sandbox: CalltouchSandbox) -> Any:
    period = _period(_DAY_FIRST)
    if period is None:
        return _bad("dateFrom and dateTo: dd/mm/yyyy")
    first, last = period
    day = lambda row: dt.datetime.strptime(row["date"], "%d/%m/%Y %H:%M:%S").replace(tzinfo=dt.UTC).date()  # noqa: E731
    with sandbox.lock:
        rows = [row for row in sandbox.data["diary"] if first <= day(row) <= last]
    for flag, member in _FLAGS.items():
        if request.args.get(flag) == "true":
            rows = [row for row in rows if row[member]]
    if request.args.get("withCallTags") != "true":
        rows = [{name: value for name, value in row.items() if name != "callTags"} for row in rows]
    paged = "page" in request.args or "limit" in request.args
    if not paged or sandbox.quirks["bare_list"]:
        if first != last and not paged:
            return _bad("without page and limit one day at a time")
        return jsonify(rows)
    page, limit = int(request.args.get("page", 1)), min(PAGE, int(request.args.get("limit", PAGE)))
    part = rows[(page - 1) * limit : page * limit]
    total = max(1, -(-len(rows) // limit))
    return jsonify(page=page, pageTotal=total, pageSize=limit, recordsTotal=len(rows), records=part)


def _requests(sandbox: CalltouchSandbox) -> Any:
    period = _period(_MONTH_FIRST)
    if period is None:
        return _bad("dateFrom and dateTo: mm/dd/yyyy")
    first, last = period
    with sandbox.lock:
        rows = list(sandbox.data["requests"])
    day = lambda row: dt.datetime.fromtimestamp(row["date"] / 1000, sandbox.zone).date()  # noqa: E731
    rows = [row for row in rows if first <= day(row) <= last]
    if request.args.get("withRequestTags") != "true":
        rows = [{name: value for name, value in row.items() if name != "RequestTags"} for row in rows]
    return jsonify(rows)


def _deals(sandbox: CalltouchSandbox) -> Any:
    """List the deals of a period. The members of a row are modelled on those of a call's `orders`."""
    period = _period(_DAY_FIRST)
    if period is None or period[0] >= period[1]:
        return _bad("dateFrom must be before dateTo: dd/mm/yyyy")
    with sandbox.lock:
        orders = list(sandbox.data["orders"].items())
    made = lambda row: dt.datetime.strptime(row["orderDate"], "%d-%m-%Y %H:%M:%S").replace(tzinfo=dt.UTC).date()  # noqa: E731
    return jsonify(
        [
            {
                "orderId": place,
                "orderNumber": number,
                "status": row.get("status"),
                "completedAmount": row.get("revenue"),
            }
            for place, (number, row) in enumerate(orders, 1)
            if period[0] <= made(row) <= period[1]
        ]
    )


def _register(sandbox: CalltouchSandbox, site: str) -> Any:
    """Take one request from anybody; an empty sessionId makes it refuse (seen by an integrator)."""
    from plugins.calltouch.sandbox import SITE, hooks

    told = {**request.args.to_dict(), **request.form.to_dict()}
    if site != SITE:
        return _bad("no such site")
    if not any(told.get(name) for name in ("phoneNumber", "fio", "email")):
        return _bad("phoneNumber, fio or email is required")
    if told.get("sessionId") == "" or len(told.get("subject", "")) > 256:
        return _bad("sessionId or subject is not valid")
    record = hooks.request_record(
        sandbox, told.get("phoneNumber", ""), name=told.get("fio", ""), email=told.get("email", ""),
        subject=told.get("subject", ""), number=told.get("requestNumber", ""), session=told.get("sessionId"),
        comment=told.get("comment", ""), page=told.get("requestUrl", ""), tags=told.get("tags", ""),
    )  # fmt: skip
    with sandbox.lock:
        sandbox.data["requests"].append(record)
    hooks.send(sandbox, hooks.request_message(record), "request")
    return jsonify(requestId=record["requestId"], dateStr=record["dateStr"])
