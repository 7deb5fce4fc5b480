"""The way out, pure: an action becomes a method with its parameters, an answer becomes what was done.

Leads, deals, contacts and companies go through `crm.<kind>.*`: marked as no longer developed, yet complete, and the
only ones that take and give UF_CRM_ names and multifields in one spelling.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from typing import Any

from hub import normal
from hub.errors import Refused
from hub.model import Action, Done, Record
from plugins.bitrix24 import codes, multifield, records

_AMOUNTS = frozenset({"OPPORTUNITY", "TAX_VALUE", "REVENUE"})
#: what a person says of themselves in a contact record; the rest (responsible, tags) is others' word
_TYPED = (
    "name", "first_name", "middle_name", "last_name", "phone", "phones", "phone_raw", "email", "emails", "email_raw",
    "handle", "address", "city", "language",
)  # fmt: skip
_OWNER_TYPES = {kind: str(entity.type_id) for kind, entity in codes.ENTITIES.items()}


_PERSONAL = ("NAME", "SECOND_NAME", "LAST_NAME")
#: fields a kind of record doesn't have: the portal would drop them without a word (crm.<kind>.fields)
_LACKS: Mapping[str, tuple[str, ...]] = {
    "deal": (*_PERSONAL, "PHONE", "EMAIL", "ADDRESS", "ADDRESS_CITY"),
    "contact": ("TITLE", "OPPORTUNITY", "CURRENCY_ID", "CONTACT_ID"),
    "company": (*_PERSONAL, "OPPORTUNITY", "CONTACT_ID", "COMPANY_ID"),
}
#: the hub's words for fields (`hub.records`) -> the portal's, by kind of record
_OURS: Mapping[str, Mapping[str, str]] = {
    kind: {word: name for word, name in {
        "amount": "OPPORTUNITY", "currency": "CURRENCY_ID", "responsible": "ASSIGNED_BY_ID", "comment": "COMMENTS",
        "title": "TITLE", "company": "COMPANY_ID", "contact": "CONTACT_ID", "phone": "PHONE", "phones": "PHONE",
        "email": "EMAIL", "emails": "EMAIL", "first_name": "NAME", "middle_name": "SECOND_NAME",
        "last_name": "LAST_NAME", "address": "ADDRESS", "city": "ADDRESS_CITY",
        **({"name": "TITLE"} if kind in ("deal", "company") else {}),
    }.items() if name not in _LACKS.get(kind, ())}
    for kind in codes.ENTITIES
}  # fmt: skip
#: what the vendor refuses to go without, by action
REQUIRED: Mapping[str, tuple[str, ...]] = {
    "company.create": ("TITLE",),
    "comment.create": ("ENTITY_TYPE", "ENTITY_ID", "COMMENT"),
    "todo.create": ("ownerTypeId", "ownerId", "deadline"),
    "activity.create": ("OWNER_TYPE_ID", "OWNER_ID", "TYPE_ID", "SUBJECT", "COMMUNICATIONS"),
    "task.create": ("TITLE",),
    "notify.send": ("MESSAGE",),
    "item.create": ("entityTypeId",),
}
#: whom it is for: the vendor insists, the route or the connection's `user` says it
_FOR_WHOM = {"task.create": "RESPONSIBLE_ID", "notify.send": "USER_ID"}


def words(kind: str) -> tuple[str, ...]:
    """Return the hub's words that can be written to a kind of record."""
    return (*_OURS[kind], *(("name",) if "name" not in _OURS[kind] else ()))


def refuse_empty(action: Action, user: str = "") -> None:
    """Raise `Refused` naming what came out empty; the vendor would say it in the portal's language."""
    name = f"{action.record}.{action.verb}"
    given = {key.lower() for key, value in action.values.items() if value not in (None, "", [], {})}
    missing = {word: "empty" for word in REQUIRED.get(name, ()) if word.lower() not in given}
    words = list(missing)
    whom = _FOR_WHOM.get(name, "")
    if whom and not user and whom.lower() not in given:
        missing[whom] = "empty"
        words.append(f"{whom} (or `user` in the connection's settings)")
    if missing:
        raise Refused(f"{name} needs {', '.join(words)}: not given, or came out empty", missing)


# --- values ------------------------------------------------------------------------------------------


def value(name: str, given: Any) -> Any:
    """Return a value as the vendor writes it: Y/N (user fields: 1/0), times with their offset, amounts as text."""
    if isinstance(given, bool):
        return ("1" if given else "0") if name.startswith("UF_") else ("Y" if given else "N")
    if isinstance(given, dt.datetime):
        return (given if given.tzinfo else given.replace(tzinfo=dt.UTC)).isoformat(timespec="seconds")
    if isinstance(given, (dt.date, Decimal)):
        return str(given)
    if isinstance(given, (list, tuple)):
        return [value(name, item) for item in given]
    return "" if given is None else given


def fields(kind: str, values: Mapping[str, Any], region: str = "") -> dict[str, Any]:
    """Return the `fields` of crm.<kind>.add: multifields as rows, phones as E.164, stages in the portal's spelling."""
    stage_field = codes.ENTITIES[kind].stage_field
    out: dict[str, Any] = {}
    for name, given in in_their_words(kind, values).items():
        if name in codes.MULTIFIELDS and codes.ENTITIES[kind].multifields:
            if (rows := multifield.written(name, given, region)) or given == []:
                out[name] = rows
        elif name in ("stage", stage_field) and stage_field:
            out[stage_field] = codes.plain_stage(str(given))
        else:
            out[name] = value(name, given)
    if kind == "deal" and out.get("STAGE_ID") and "CATEGORY_ID" not in out:
        out["CATEGORY_ID"] = codes.pipeline_of(str(out["STAGE_ID"]))
    return out


def in_their_words(kind: str, values: Mapping[str, Any]) -> dict[str, Any]:
    """Return values with the hub's words for fields (`title`, `amount`, `first_name`) turned into the portal's.

    The portal ignores a field it doesn't know without a word. A person's whole `name` is taken apart.
    """
    out: dict[str, Any] = {}
    for name, given in values.items():
        if name == "name" and kind in ("contact", "lead"):
            first, rest = normal.split_name(str(given or ""))
            out |= {"NAME": first, "LAST_NAME": rest}
        else:
            out[_OURS[kind].get(name, name)] = given
    return out


def contact_values(contact: Record, region: str = "") -> dict[str, Any]:
    """Return the fields that make a contact out of the neutral record; a nameless one is named by what is known."""
    phones = contact.get("phones") or [contact.get("phone") or contact.get("phone_raw")]
    emails = contact.get("emails") or [contact.get("email") or contact.get("email_raw")]
    handles = contact.get("handles") or {}
    source = contact.get("source") or {}
    first, rest = normal.split_name(str(contact.get("name") or ""))
    if contact.get("first_name") or contact.get("last_name"):
        first, rest = str(contact.get("first_name") or ""), str(contact.get("last_name") or "")
    out = {
        "NAME": first,
        "SECOND_NAME": contact.get("middle_name"),
        "LAST_NAME": rest,
        "ADDRESS": contact.get("address"),
        "ADDRESS_CITY": contact.get("city"),
        "PHONE": multifield.written("PHONE", phones, region),
        "EMAIL": multifield.written("EMAIL", emails),
        "IM": [
            {"VALUE": str(handle), "VALUE_TYPE": codes.IM_TYPES.get(str(channel), "OTHER")}
            for channel, handle in (handles.items() if isinstance(handles, Mapping) else ())
            if handle
        ],
        **{name.upper(): source[name] for name in source if name.startswith("utm_")},
    }
    if not out["NAME"] and not out["LAST_NAME"]:
        known = [*phones, *emails, contact.get("handle"), *(handles.values() if isinstance(handles, Mapping) else ())]
        out["NAME"] = next((str(word) for word in known if word), "")
    return {name: given for name, given in out.items() if given}


def typed(person: Record) -> frozenset[str]:
    """Return what a person said of themselves, as spellings to compare values with (`as_typed`)."""
    said = [person.get(name) for name in _TYPED] + list(contact_values(person).values())
    handles = person.get("handles")
    said += handles.values() if isinstance(handles, Mapping) else ()
    flat = [word for words in said for word in (words if isinstance(words, (list, tuple)) else [words])]
    return frozenset(as_typed(word) for word in flat if isinstance(word, str) and word.strip())


def as_typed(given: Any) -> str:
    """Return a value's spelling for `typed`: spaces and case make no difference."""
    return " ".join(str(given).split()).casefold()


def creation(action: Action, user: str = "", region: str = "") -> dict[str, Any]:
    """Return the `fields` of a create: the person behind a contact, the contact behind a deal, our marker."""
    kind = action.record
    base = contact_values(action.person, region) if kind == "contact" and action.person else {}
    out = fields(kind, {**base, **action.values}, region)
    if action.contact and kind in ("lead", "deal") and not out.get("CONTACT_ID"):
        out["CONTACT_ID"] = action.contact
    if user and not out.get("ASSIGNED_BY_ID"):
        out["ASSIGNED_BY_ID"] = user
    if action.marker:
        out |= {"ORIGINATOR_ID": codes.ORIGINATOR, "ORIGIN_ID": action.marker}
    return out


def changes(
    kind: str, wanted: Mapping[str, Any], current: Mapping[str, Any], region: str, empties_only: bool = False,
    exact: bool = False,
) -> dict[str, Any]:  # fmt: skip
    """Return the fields of `wanted` that differ from the record as read.

    Phones and e-mails are added when they are missing in any spelling, never repeated; `exact` takes away those that
    aren't wanted. `empties_only` leaves what the record already says alone.
    """
    out: dict[str, Any] = {}
    for name, given in wanted.items():
        if name in codes.MULTIFIELDS and codes.ENTITIES[kind].multifields:
            rows = (multifield.replaced if exact else multifield.missing)(name, given, current, region)
            if rows:
                out[name] = rows
        elif empties_only and current.get(name) not in (None, "", "0", [], False):
            continue
        elif not same(name, given, current.get(name)):
            out[name] = given
    return out


def same(name: str, ours: Any, theirs: Any) -> bool:
    """Tell whether a value is already there, in whatever spelling the vendor gives it back."""
    if isinstance(ours, (list, tuple)):
        kept = theirs if isinstance(theirs, (list, tuple)) else ([] if theirs in (None, "", False) else [theirs])
        return [str(item) for item in ours] == [str(item) for item in kept]
    a, b = ("" if item in (None, False) else str(item) for item in (ours, theirs))
    if isinstance(theirs, bool):
        b = "1" if theirs else "0"
    if a == b:
        return True
    if name in _AMOUNTS or isinstance(theirs, (int, float)):
        try:
            return Decimal(a or "0") == Decimal(b or "0")
        except InvalidOperation:
            return False
    return bool(a and b) and _same_time(a, b)


def _same_time(a: str, b: str) -> bool:
    if len(a) < 10 or len(b) < 10 or a[4:5] != "-" or b[4:5] != "-":
        return False
    if len(a) == 10 or len(b) == 10:  # a date has no zone: the day the vendor shows counts
        return a[:10] == b[:10]
    first, second = records.instant(a), records.instant(b)
    return bool(first) and first == second


def stage_change(kind: str, values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields that put a lead or deal into a stage, with the pipeline where the stage names one."""
    stage_field = codes.ENTITIES[kind].stage_field
    stage = values.get("stage") or values.get(stage_field)
    if not stage:
        raise Refused(f"{kind}.set_stage needs a stage")
    return fields(kind, {stage_field: str(stage)})


# --- other records -----------------------------------------------------------------------------------


def comment(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the `fields` of crm.timeline.comment.add."""
    known = {key.upper(): given for key, given in values.items()}
    kind = str(known["ENTITY_TYPE"]).lower()
    return {**known, "ENTITY_TYPE": codes.BY_TYPE_ID.get(kind, kind), "ENTITY_ID": known["ENTITY_ID"]}


def todo(values: Mapping[str, Any], user: str = "") -> dict[str, Any]:
    """Return the parameters of crm.activity.todo.add; the owner's type may be a word (`deal`) or a number."""
    owner = str(values["ownerTypeId"]).lower()
    out = {name: value(name, given) for name, given in values.items() if given not in (None, "")}
    out["ownerTypeId"] = _OWNER_TYPES.get(owner, owner)
    if user:
        out.setdefault("responsibleId", user)
    return out


def task(values: Mapping[str, Any], user: str = "") -> dict[str, Any]:
    """Return the `fields` of tasks.task.add; links to the CRM may be one text: `D_10, C_7`."""
    out = {name: value(name, given) for name, given in values.items() if name != "id"}
    if isinstance(links := out.get("UF_CRM_TASK"), str):
        out["UF_CRM_TASK"] = [link.strip() for link in links.split(",") if link.strip()]
    if user and not out.get("RESPONSIBLE_ID"):
        out["RESPONSIBLE_ID"] = user
    return out


def activity(action: Action, user: str = "") -> dict[str, Any]:
    """Return the `fields` of crm.activity.add with our marker."""
    out = {name: value(name, given) for name, given in action.values.items()}
    if user and not out.get("RESPONSIBLE_ID"):
        out["RESPONSIBLE_ID"] = user
    if action.marker:
        out |= {"ORIGINATOR_ID": codes.ORIGINATOR, "ORIGIN_ID": action.marker}
    return out


# --- answers -----------------------------------------------------------------------------------------


def new_id(result: Any, *path: str) -> str:
    """Return the id of what was made: a number, or nested as in `{"task": {"id": "5"}}`."""
    for name in path:
        result = result.get(name) if isinstance(result, Mapping) else None
    if isinstance(result, (str, int)) and not isinstance(result, bool) and str(result) not in ("", "0"):
        return str(result)
    raise Refused(f"the answer names no id: {str(result)[:100]!r}")


def made(kind: str, number: str, sent: Mapping[str, Any], portal: str, region: str) -> Done:
    """Return what a create did. The result is built from what was sent; the portal's defaults aren't in it."""
    result = records.neutral(kind, {"ID": number, **sent}, portal, region)
    return Done(result=result, id=number, links=[(kind, number)], written=dict(sent))


def changed(
    kind: str, current: Mapping[str, Any], wrote: Mapping[str, Any], portal: str, region: str
) -> Done:  # fmt: skip
    """Return what an update did; `written` is empty when nothing had to be changed."""
    after = {**current, **{name: given for name, given in wrote.items() if name not in codes.MULTIFIELDS}}
    for name in set(wrote) & set(codes.MULTIFIELDS):
        after[name] = [*(current.get(name) or []), *wrote[name]]
    number = str(current.get("ID") or "")
    before = {name: current.get(name) for name in wrote}
    return Done(records.neutral(kind, after, portal, region), number, written=dict(wrote), before=before)


def deal_of_lead(lead: Mapping[str, Any], contact: str, action: Action, user: str = "") -> dict[str, Any]:
    """Return the fields of the deal a lead becomes: what the lead knows, then what the route sets."""
    taken = (
        "TITLE", "OPPORTUNITY", "CURRENCY_ID", "COMPANY_ID", "ASSIGNED_BY_ID", "SOURCE_ID", "SOURCE_DESCRIPTION",
        "COMMENTS", "UTM_SOURCE", "UTM_MEDIUM", "UTM_CAMPAIGN", "UTM_CONTENT", "UTM_TERM",
    )  # fmt: skip
    own = [name for name in lead if name.startswith("UF_CRM_")]
    base = {name: lead[name] for name in (*taken, *own) if lead.get(name) not in (None, "", [], False, "0", "0.00")}
    deal = Action("deal.create", "deal", "create", {**base, "LEAD_ID": str(lead["ID"]), **action.values})
    deal.contact, deal.marker = contact, action.marker
    return creation(deal, user)


def contact_of_lead(lead: Mapping[str, Any], action: Action, user: str = "", region: str = "") -> dict[str, Any]:
    """Return the fields of the contact a lead becomes; the lead's own names come before the hub's."""
    names = ("NAME", "SECOND_NAME", "LAST_NAME", "SOURCE_ID", "ASSIGNED_BY_ID", "ADDRESS", "ADDRESS_CITY")
    base = {name: lead[name] for name in names if lead.get(name)}
    for field in ("PHONE", "EMAIL", "IM", "WEB"):
        if rows := lead.get(field):
            base[field] = [{"VALUE": row["VALUE"], "VALUE_TYPE": row.get("VALUE_TYPE", "WORK")} for row in rows]
    contact = Action("contact.create", "contact", "create", base, person=action.person, marker=action.marker)
    contact.values["LEAD_ID"] = str(lead["ID"])
    return creation(contact, user, region)
