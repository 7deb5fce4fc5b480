"""What can be asked of this plugin: the declared actions, and which function does each.

What protects against a second effect: a request is found again by its number in the journal; a deal's number is its
key, so a doubtful one is first updated and only made if Calltouch doesn't know it; a call's referenceId is unique for
ever; adding the same tags again adds nothing. Comments and ordered call-backs can't be looked for: a lost answer parks.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from hub.connector import ActionKind
from hub.errors import Refused
from hub.model import Action, Done
from plugins.calltouch import codes, matching, outgoing, results
from plugins.calltouch.client import Client
from plugins.calltouch.outgoing import Writer

_PATH = re.compile(r"[A-Za-z0-9_-]{1,60}(/[A-Za-z0-9_-]{1,60}){0,5}")
_LEAD = ("matching", "call", "request", "chat", "phone", "email")


@dataclass(frozen=True, slots=True)
class Desk:
    """What an action works with."""

    connection: str
    client: Client
    writer: Writer
    crm: str


Handler = Callable[[Desk, Action], Done]


# --- deals --------------------------------------------------------------------------------------------


def deal(desk: Desk, action: Action) -> Done:
    """Make a deal or bring it up to date, by its number.

    A deal the hub hasn't made is made, and if Calltouch knows it already, updated; one it has made is updated, and made
    again if it is gone. After a try of unknown outcome the update comes first: it harms nothing when it comes twice.
    The comment isn't sent with that one, for it would stand there twice.
    """
    values, happened = outgoing.known(action), action.event.occurred_at if action.event else None
    number = outgoing.text(values.get("orderNumber"))
    new = desk.writer.deal(values, True, happened)
    doubtful = action.in_doubt_since is not None
    again = desk.writer.deal({**values, "comment": ""} if doubtful else values, False, happened)
    if action.verb == "update" or doubtful:
        written, said = _update_else_create(desk, number, again, new)
    else:
        written, said = _create_else_update(desk, number, new, again)
    result = {"id": number, "number": number, "status": written.get("status", ""), "extra": dict(said)}
    return Done(result, id=number, written={name: value for name, value in written.items() if name != "matching"})


def _create_else_update(desk: Desk, number: str, new: Mapping[str, Any], again: Mapping[str, Any]) -> Any:
    """Make it; if it is there already, bring it up to date."""
    try:
        return new, _create(desk, number, new)
    except Refused as refusal:
        if not _known(refusal):
            raise
    return again, _update(desk, number, again)


def _update_else_create(desk: Desk, number: str, again: Mapping[str, Any], new: Mapping[str, Any]) -> Any:
    """Bring it up to date; if it isn't there, make it. If that says it is there, the first words count."""
    try:
        return again, _update(desk, number, again)
    except Refused as refusal:
        if not _unknown(refusal):
            raise
        first = refusal
    try:
        return new, _create(desk, number, new)
    except Refused as refusal:
        raise (first if _known(refusal) else refusal) from None


def _unknown(refusal: Refused) -> bool:
    return refusal.vendor_code == "404" or codes.UNKNOWN_DEAL.search(refusal.reason) is not None


def _known(refusal: Refused) -> bool:
    return not _unknown(refusal) and codes.KNOWN_DEAL.search(refusal.reason) is not None


def _create(desk: Desk, number: str, body: Mapping[str, Any]) -> Mapping[str, Any]:
    return results.only(desk.client.lead("client-order/create", {"crm": desk.crm, "orders": [body]}), number, "deal")


def _update(desk: Desk, number: str, body: Mapping[str, Any]) -> Mapping[str, Any]:
    return results.only(desk.client.lead("client-order/update", {"orders": [body]}), number, "deal")


def deal_import(desk: Desk, action: Action) -> Done:
    """Make up to 100 deals at once; `update: yes` brings them up to date instead."""
    rows = outgoing.rows_of(action.values, "deals")
    new = not outgoing.is_yes(action.values.get("update"))
    orders = [desk.writer.deal(row, new) for row in rows]
    path, body = ("client-order/create", {"crm": desk.crm}) if new else ("client-order/update", {})
    data = desk.client.lead(path, {**body, "orders": orders})
    return results.done(data, [order["orderNumber"] for order in orders], "deals")


def deal_delete(desk: Desk, action: Action) -> Done:
    """Delete a deal; one that is gone is as good as deleted."""
    number = outgoing.text(action.values.get("orderNumber")) or action.id
    if not number:
        raise Refused("deal.delete needs orderNumber", {"orderNumber": "missing"})
    try:
        results.only(desk.client.lead("client-order/delete", {"orderNumbers": [number]}), number, "deal")
    except Refused as refusal:
        if not _unknown(refusal):
            raise
    return Done({"id": number}, id=number, written={"deleted": True})


# --- leads: comments, tags, fields --------------------------------------------------------------------


def comment(desk: Desk, action: Action) -> Done:
    """Write a comment at a call, request or chat."""
    words = outgoing.cut(outgoing.text(action.values.get("text")), codes.COMMENT)
    if not words:
        raise Refused("a comment needs text", {"text": "missing"})
    row = {"matching": _find(desk, action), "addComment": words}
    said = results.only(desk.client.lead("comment/lead/add", {"comments": [row]}), "", "comment")
    return Done({"text": words, "extra": dict(said)}, written={"addComment": words})


def tag(desk: Desk, action: Action) -> Done:
    """Put tags on a call, request or chat."""
    tags = outgoing.tag_rows(action.values.get("tags"))
    if not tags:
        raise Refused("tags: a list, or words with commas", {"tags": "missing"})
    added = {"overwrite": outgoing.is_yes(action.values.get("overwrite")), "tags": tags}
    row = {"matching": _find(desk, action), "addTags": added}
    said = results.only(desk.client.lead("tag/lead/add", {"leads": [row]}), "", "tags")
    return Done({"tags": [one["tag"] for one in tags], "extra": dict(said)}, written={"addTags": tags})


def fields(desk: Desk, action: Action) -> Done:
    """Fill custom fields of a call, request or chat; they were made in the cabinet before."""
    found = outgoing.field_rows(action.values.get("fields"))
    if not found:
        raise Refused("fields: a mapping of the cabinet's field names to values", {"fields": "missing"})
    overwrite = not outgoing.is_no(action.values.get("overwrite"))
    row = {"matching": _find(desk, action), "addCustomFields": {"overwrite": overwrite, "customFields": found}}
    said = results.only(desk.client.lead("customfield/lead/add", {"leads": [row]}), "", "fields")
    return Done({"fields": found, "extra": dict(said)}, written={"customFields": found})


def _find(desk: Desk, action: Action) -> list[dict[str, Any]]:
    """Return how the lead is found: as the route says, else the event's own call or request, else the contact.

    An id in the event counts only if the event is of this connection: a CRM's call has an id too.
    """
    values, event = outgoing.known(action), action.event
    when = desk.writer.time((event.occurred_at if event else None) or desk.writer.now, "date")
    if values.get("matching"):
        found = matching.of(values["matching"], when, desk.writer.region)
    else:
        named = {kind: values.get(kind) for kind in ("call", "request", "chat")}
        if event and event.connection == desk.connection and not any(named.values()):
            named |= {
                kind: (event.record.get(of) or {}).get("id") for kind, of in (("call", "call"), ("request", "form"))
            }
        known = {**named, "phone": values.get("phone"), "email": values.get("email")}
        found = matching.usual(known, when, desk.writer.region, without_source=False)
    if not found:
        raise Refused("which lead? Give call, request, phone or email", {"matching": "empty"})
    return found


# --- requests and calls -------------------------------------------------------------------------------


def request_register(desk: Desk, action: Action) -> Done:
    """Register a request without a token: the visit (`session`) ties it to its source."""
    number = _number(action, "requestNumber")
    said = desk.client.register(desk.writer.form(outgoing.known(action), number))
    inner = said.get("data")
    data = inner if isinstance(inner, dict) else said
    name = next((str(data[key]) for key in ("requestId", "id") if data.get(key)), "")
    return _request_done(number, name, data)


def request_create(desk: Desk, action: Action) -> Done:
    """Register a request through lead-service, with a source of one's own if wanted."""
    number = _number(action, "requestNumber")
    body = desk.writer.request(outgoing.known(action), number)
    said = results.only(desk.client.lead("request/create", {"requests": [body]}), number, "request")
    return _request_done(number, str(said.get("requestId") or ""), said)


def _request_done(number: str, name: str, said: Mapping[str, Any]) -> Done:
    result = {"id": name or number, "number": number, "extra": dict(said)}
    return Done(result, id=name or number, written={"requestNumber": number})


def request_import(desk: Desk, action: Action) -> Done:
    """Register up to 100 requests at once; each needs a number of its own."""
    rows = outgoing.rows_of(action.values, "requests")
    bodies = [desk.writer.request(row, _own(row, "requestNumber")) for row in rows]
    data = desk.client.lead("request/create", {"requests": bodies})
    return results.done(data, [body["requestNumber"] for body in bodies], "requests")


def call_import(desk: Desk, action: Action) -> Done:
    """Import one call or up to 100 of one's own telephone system. They are queued; a repeated one isn't taken twice."""
    if action.values.get("calls"):
        rows = outgoing.rows_of(action.values, "calls")
        bodies = [desk.writer.call(row, _own(row, "referenceId")) for row in rows]
    else:
        bodies = [desk.writer.call(action.values, _number(action, "referenceId"))]
    names = [body["referenceId"] for body in bodies]
    try:
        done = results.done(desk.client.lead("call/import", {"calls": bodies}), names, "calls")
    except Refused as refusal:
        if len(names) > 1 or not codes.KNOWN_CALL.search(refusal.reason):
            raise
        done = Done({"count": 1, "taken": 1, "refused": [], "rows": []}, written={"count": 1})
    done.id = names[0] if len(names) == 1 else ""
    done.result["id"] = done.id
    return done


def callback(desk: Desk, action: Action) -> Done:
    """Have Calltouch call a client back: the widget "Avtoprozvon" with this route key rings an operator first."""
    values = outgoing.known(action)
    phone = desk.writer.phone(values.get("phone"))
    if not phone:
        raise Refused("a call-back needs a phone", {"phone": "missing"})
    body: dict[str, Any] = {"routeKey": outgoing.text(values.get("route_key")), "phone": phone}
    if session := outgoing.session_of(values.get("session")):
        body["sessionId"] = session
    if values.get("at"):
        body["scheduleTime"] = desk.writer.time(values["at"], "at")
    if page := outgoing.text(values.get("page")):
        body["callUrl"] = page
    fields = values.get("fields")
    if isinstance(fields, Mapping):
        body["fields"] = [{"name": str(name), "value": outgoing.text(value)} for name, value in fields.items()]
    for name in ("source", "medium", "campaign", "content", "term"):
        if word := outgoing.text(values.get(f"utm_{name}")):
            body[f"utm{name.title()}"] = word
    data = desk.client.widget("widget-request/user-form/create", body)
    name = str(data.get("widgetRequestId") or "")
    return Done({"id": name, "extra": dict(data)}, id=name, written={"phone": phone})


def _number(action: Action, name: str) -> str:
    """Return the route's own number, else the hub's mark: by its beginning the echo is known."""
    number = outgoing.text(action.values.get(name))
    if not number and not action.marker:
        raise Refused(f"{name} is missing", {name: "missing"})
    return number or f"{codes.OURS}{action.marker}"


def _own(row: Mapping[str, Any], name: str) -> str:
    number = outgoing.text(row.get(name))
    if not number:
        raise Refused(f"each row needs a {name} of its own: it tells which of them were taken", {name: "missing"})
    return number


# --- anything else ------------------------------------------------------------------------------------


def api(desk: Desk, action: Action) -> Done:
    """Any method of lead-service by its path, the values as they are: `method: client-order/update`."""
    path = (action.method or "").strip("/")
    if not _PATH.fullmatch(path):
        raise Refused("method is a path of lead-service, like client-order/update", {"method": "missing"})
    return Done(desk.client.lead(path, action.values), written=dict(action.values))


_TABLE: tuple[tuple[ActionKind, Handler], ...] = (
    (
        ActionKind(
            "deal.upsert",
            required=("orderNumber",),
            uncertain="repeat",
            cost=2,
            fields=outgoing.DEAL_WORDS,
            note="a deal with its stage and revenue, made or brought up to date by orderNumber",
        ),
        deal,
    ),
    (
        ActionKind("deal.import", required=("deals",), linked=False, fields=("deals", "update"), note="up to 100 rows"),
        deal_import,
    ),
    (ActionKind("deal.delete", idempotent=True, fields=("orderNumber",)), deal_delete),
    (ActionKind("comment.create", required=("text",), linked=False, fields=("text", *_LEAD)), comment),
    (
        ActionKind("tag.add", required=("tags",), idempotent=True, linked=False, fields=("tags", "overwrite", *_LEAD)),
        tag,
    ),
    (
        ActionKind(
            "field.set", required=("fields",), idempotent=True, linked=False, fields=("fields", "overwrite", *_LEAD)
        ),
        fields,
    ),
    (
        ActionKind(
            "request.register",
            marker="requestNumber",
            fields=outgoing.FORM_WORDS,
            note="needs no token; `session` ties it to the visit",
        ),
        request_register,
    ),
    (ActionKind("request.create", marker="requestNumber", fields=outgoing.REQUEST_WORDS), request_create),
    (
        ActionKind("request.import", required=("requests",), linked=False, fields=("requests",), note="up to 100 rows"),
        request_import,
    ),
    (
        ActionKind(
            "call.import",
            idempotent=True,
            linked=False,
            fields=("calls", *outgoing.CALL_WORDS),
            note="of one's own telephone system; queued",
        ),
        call_import,
    ),
    (
        ActionKind(
            "callback.create",
            required=("route_key",),
            fields=(
                "route_key", "phone", "session", "at", "page", "fields", "utm_source", "utm_medium", "utm_campaign",
                "utm_content", "utm_term",
            ),
        ),
        callback,
    ),
    (ActionKind("api", note="any method of lead-service: `method: client-order/update`, values verbatim"), api),
)  # fmt: skip

#: searches: the core asks the connector's `find`
_SEARCHES = (
    ActionKind(
        "call.find", idempotent=True, linked=False, cost=5, note="find: callId, referenceId, phone; since: a moment"
    ),
    ActionKind("request.find", idempotent=True, linked=False, note="find: requestId, requestNumber, phone; since"),
)

ACTIONS = (*(kind for kind, _ in _TABLE), *_SEARCHES)
HANDLERS = {kind.name: handler for kind, handler in _TABLE}
