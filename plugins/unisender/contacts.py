"""The contact base: subscribe, leave, import, export, look up."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from hub import normal
from hub.errors import Gone, Refused, Uncertain
from hub.model import Action, Done, Event, Record, Watch
from plugins.unisender import outgoing, values
from plugins.unisender.client import OtherOwner, Row
from plugins.unisender.desk import Desk

EXPORT_ROWS = 1000
EXPORT_CALLS = 10


def subscribe(desk: Desk, action: Action) -> Done:
    """Add a contact to lists, or write its fields. One whose phone belongs to another contact goes in by e-mail."""
    params = outgoing.subscribe(action.values, desk.settings, desk.words, desk.connection.region)
    contact = params["fields"]
    events: list[Event] = []
    joins = _joins_at_once(desk, params)
    try:
        answer = desk.client.record("subscribe", params)
    except OtherOwner:
        if not (contact.get("email") and contact.get("phone")):
            raise
        events = [_conflict(contact, action)]
        by_email = {name: value for name, value in contact.items() if name != "phone"}
        answer = desk.client.record("subscribe", {**params, "fields": by_email})
    id_ = values.text(answer.get("person_id"))
    if not id_:
        raise Uncertain(f"subscribe: no person_id in {str(answer)[:120]!r}")
    result = {"id": id_, "email": contact.get("email", ""), "phone": contact.get("phone", "")}
    result["list_ids"] = params["list_ids"]
    done = Done({**result, "conflict": bool(events)}, id=id_, events=events)
    if joins:
        lists = values.memberships(params["list_ids"].split(","), desk.settings["lists"], "subscribed")
        done.echoes = {contact.get("email") or contact["phone"]: lists}
    return done


def _joins_at_once(desk: Desk, params: Row) -> bool:
    """Return whether the contact is in the lists from now on: what tells of it then is our own echo.

    Where the vendor asks first, it is the reader who joins, and that is news. With double_optin 4 it depends on how the
    contact stands before we write.
    """
    if params["double_optin"] != "4":
        return bool(params["double_optin"] == "3")
    known = find(desk, {"email": params["fields"].get("email")})
    return any(contact["status"] in ("new", "active") for contact in known)


def _conflict(contact: Mapping[str, str], action: Action) -> Event:
    """A question for a person: this e-mail and this phone are two contacts at the vendor."""
    email, phone = contact["email"], contact["phone"]
    words = f"{email} and {phone} are two contacts in Unisender; only the e-mail was subscribed"
    record = {"contact": {"email": email, "emails": [email], "phone": phone, "phones": [phone]}}
    return Event("vendor.contact_conflict", f"contact:{email}", f"conflict:{email}:{phone}", record, text=words)


def unsubscribe(desk: Desk, action: Action) -> Done:
    """Mark a contact as unsubscribed. The API can't take that back; only its owner can."""
    return _left(desk, action, "unsubscribe")


def exclude(desk: Desk, action: Action) -> Done:
    """Take a contact out of lists, without the mark."""
    return _left(desk, action, "exclude")


def _left(desk: Desk, action: Action, method: str) -> Done:
    params = outgoing.leave(action.values, desk.settings, desk.connection.region)
    status = f"{method}d"
    try:
        desk.client.call(method, params)
    except Refused as error:
        if not _unknown(error):
            raise
        status = "not there"  # who was never in a list gets nothing from it
    done = Done({"contact": params["contact"], "list_ids": params["list_ids"] or "", "status": status})
    if status == "unsubscribed":  # `exclude` leaves no mark, so an unsubscription told after it is the reader's
        lists = values.memberships(values.items(params["list_ids"]), desk.settings["lists"], status)
        done.echoes = {params["contact"]: lists}
    return done


def import_(desk: Desk, action: Action) -> Done:
    """Write many contacts, 500 in a call. What the vendor turned down stands in `log`, by the number of its row."""
    rows = outgoing.import_rows(action.values, desk.settings, desk.words, desk.connection.region)
    calls = list(outgoing.import_calls(rows, action.values))
    if len(calls) > outgoing.IMPORT_CALLS:
        raise Refused(f"contact.import: {len(rows)} rows need {len(calls)} calls, {outgoing.IMPORT_CALLS} at most")
    return _imported(desk, rows, calls)


def delete(desk: Desk, action: Action) -> Done:
    """Delete a contact for good, by way of an import with the column `delete`."""
    kind, contact = outgoing.who(action.values, desk.connection.region)
    row = {kind: contact, "delete": "1"}
    try:
        done = _imported(desk, [row], list(outgoing.import_calls([row], {})))
    except Refused as error:
        if not _unknown(error):
            raise
        return Done({"contact": contact, "deleted": 0, "status": "not there"})
    return Done({**done.result, "contact": contact, "status": "deleted"})


def _imported(desk: Desk, rows: list[dict[str, str]], calls: list[tuple[list[int], Row]]) -> Done:
    sums = dict.fromkeys(("total", "inserted", "updated", "deleted", "new_emails", "invalid"), 0)
    log: list[Row] = []
    for places, params in calls:
        answer = desk.client.import_contacts(params)
        for name in sums:
            sums[name] += int(answer[name]) if str(answer.get(name, "")).isdecimal() else 0
        for entry in outgoing.objects(answer.get("log")):
            log.append(_entry(entry, places, rows))
    written = sums["inserted"] + sums["updated"] + sums["deleted"]
    if log and not written and sums["invalid"] >= len(rows):
        said = "; ".join(f"{one['contact']}: {one['message']}" for one in log[:5])
        raise Refused(f"importContacts took none of {len(rows)}: {said}", vendor_code=log[0]["code"])
    refused = {entry["row"] - 1 for entry in log}
    taken = [row for place, row in enumerate(rows) if place not in refused]
    return Done({**sums, "log": log, "count": len(log)}, echoes=_joined(desk, taken))


def _joined(desk: Desk, rows: list[dict[str, str]]) -> dict[str, dict[str, str]]:
    """Return whom an import has put into lists, address or phone -> list -> subscribed."""
    found = {}
    for row in rows:
        kind = "email" if row.get("email") else "phone"
        if lists := values.items(row.get(f"{kind}_list_ids")):
            found[row[kind]] = values.memberships(lists, desk.settings["lists"], "subscribed")
    return found


def _entry(entry: Row, places: list[int], rows: list[dict[str, str]]) -> Row:
    """Return a line of an import's log with the number of the row in the whole, and whose it is."""
    index = values.text(entry.get("index"))
    place = places[int(index)] if index.isdecimal() and int(index[:9]) < len(places) else None
    row = rows[place] if place is not None else {}
    return {
        "row": place + 1 if place is not None else 0,
        "contact": row.get("email") or row.get("phone") or "?",
        "code": values.text(entry.get("code")),
        "message": values.text(entry.get("message")) or "turned down without a reason",
    }


def export(desk: Desk, action: Action) -> Done:
    """Order a file of contacts. It comes as `vendor.export_finished` with its address in `email.url`."""
    given = action.values
    params = {"notify_url": values.text(given.get("notify_url")) or None, **_filter(desk, given)}
    for name in ("email", "phone", "tag", "email_status", "phone_status"):
        params[name] = values.text(given.get(name)) or None
    return ordered(desk, "async/exportContacts", params)


def ordered(desk: Desk, method: str, params: Row) -> Done:
    """Order a file, to be told of at our address and asked for meanwhile."""
    notify = params.get("notify_url") or desk.export_address
    if not notify:
        raise Refused(f"{method}: the vendor tells when the file is there: set hub.base_url", {"notify_url": "?"})
    answer = desk.client.record(method, {**params, "notify_url": notify}, changes=False)
    task = values.text(answer.get("task_uuid"))
    if not task:
        raise Refused(f"{method}: no task_uuid in {str(answer)[:120]!r}")
    watch = Watch("status", f"export:{task}", {"since": desk.now.isoformat()}, after=60.0)
    return Done({"id": task, "status": values.text(answer.get("status"))}, id=task, watch=[watch])


def _filter(desk: Desk, given: Mapping[str, Any]) -> Row:
    lists = values.list_ids(given.get("list_id") or given.get("list_ids"), desk.settings["lists"], "list_id")
    if len(lists) > 1:
        raise Refused("list_id: one list at a time, or none for all", {"list_id": "more than one"})
    names = [desk.words.get(word, word) for word in values.items(given.get("field_names"))]
    return {"list_id": lists[0] if lists else None, "field_names": names}


def listed(desk: Desk, action: Action) -> Done:
    """List contacts, 1000 in a call, by the older export that answers at once."""
    wanted = action.limit or EXPORT_ROWS
    params = _filter(desk, action.values)
    rows: list[Row] = []
    for page in range(EXPORT_CALLS):
        size = min(EXPORT_ROWS, wanted - len(rows))
        asked = {**params, "offset": page * EXPORT_ROWS, "limit": size}
        found = _page(desk, asked)
        rows += found
        if len(found) < size or len(rows) >= wanted:
            break
    return Done({**(rows[0] if rows else {}), "rows": rows, "count": len(rows)})


def _page(desk: Desk, asked: Row) -> list[Row]:
    try:
        return _table(desk.client.record("exportContacts", asked))
    except Refused as error:
        if error.vendor_code != "unknown_method":
            raise
        words = "this account lists no contacts at once any more: use contact.export, which makes a file"
        raise Refused(f"{words} ({error.reason})", vendor_code=error.vendor_code) from None


def _table(answer: Row) -> list[Row]:
    names, data = answer.get("field_names"), answer.get("data")
    if not isinstance(names, list) or not isinstance(data, list):
        return []
    return [dict(zip(map(str, names), row, strict=False)) for row in data if isinstance(row, list)]


def in_lists(desk: Desk, action: Action) -> Done:
    """Ask whether a contact is in lists: in all of them, or (`condition: or`) in any."""
    params = {
        "email": values.email(action.values.get("email")),
        "list_ids": ",".join(values.list_ids(action.values.get("list_ids"), desk.settings["lists"])),
        "condition": values.text(action.values.get("condition")) or "and",
    }
    answer = desk.client.call("isContactInLists", params)
    if isinstance(answer, Mapping):
        answer = next(iter(answer.values()), False)
    return Done({"value": values.flag(answer)})


def count(desk: Desk, action: Action) -> Done:
    """Count the contacts of a list."""
    lists = values.list_ids(action.values.get("list_id"), desk.settings["lists"], "list_id")
    if len(lists) != 1:
        raise Refused("contact.count: list_id must be one list", {"list_id": "one list"})
    wish = {name: action.values[name] for name in ("params",) if isinstance(action.values.get(name), Mapping)}
    answer = desk.client.record("getContactCount", {"list_id": lists[0], **(wish or {"params": {"type": "address"}})})
    return Done({"value": values.text(answer.get("count")), "count": values.text(answer.get("count"))})


# --- looking up -----------------------------------------------------------------------------------

#: what the vendor says of a contact it doesn't know; the exact words and code are not confirmed
_UNKNOWN = ("not found", "does not exist", "doesn't exist", "не найден", "не существует", "no such")


def _unknown(error: Refused) -> bool:
    """Whether the vendor says that it doesn't know the contact; a list it doesn't know is another matter."""
    said = error.reason.lower()
    return not re.search(r"\blists?\b|спис", said) and any(words in said for words in _UNKNOWN)


def one(desk: Desk, email: str) -> Record:
    """Read a contact by its address, or raise `Gone`."""
    asked = {"email": email, "include_lists": "1", "include_fields": "1", "include_details": "1"}
    try:
        answer = desk.client.record("getContact", asked)
    except Refused as error:
        if _unknown(error):
            raise Gone(f"Unisender has no contact {email}", vendor_code=error.vendor_code) from None
        raise
    if not answer:
        raise Gone(f"Unisender has no contact {email}")
    return outgoing.contact_record(email, answer)


def find(desk: Desk, by: Mapping[str, Any]) -> list[Record]:
    """Find a contact by `email` (or `id`, which is the address): the API looks contacts up by nothing else."""
    address = normal.email(values.text(by.get("email") or by.get("id")))
    if address is None:
        return []
    try:
        return [one(desk, address)]
    except Gone:
        return []


def found(desk: Desk, action: Action) -> Done:
    """Find a contact by its e-mail."""
    records = find(desk, {**action.values, **action.find})
    return Done(records[0] if records else {}, id=records[0]["id"] if records else "")
