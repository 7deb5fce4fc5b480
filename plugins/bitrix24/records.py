"""The vendor's records in neutral words. Pure.

Every record carries `extra`: the vendor's fields as they came. What is empty at the vendor is left out, so that
`absent` means the same everywhere.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from typing import Any

from hub import normal
from hub.model import Record
from hub.records import filled
from plugins.bitrix24 import codes, multifield

#: fields beside those of `hub.records`: who a contact belongs to, all phones, what a note hangs on (declared per event)
MORE_FIELDS: Mapping[str, tuple[str, ...]] = {
    "contact": ("responsible", "by", "company", "comment"),
    "lead": ("phones", "emails"),
    "company": ("phones", "emails"),
    "note": ("lead", "deal", "contact", "company"),
}
_ALWAYS = ("source", "phone_raw", "email_raw")
_UTM = ("UTM_SOURCE", "UTM_MEDIUM", "UTM_CAMPAIGN", "UTM_CONTENT", "UTM_TERM")


def instant(value: Any) -> str:
    """Return an ISO time with offset as ISO text in UTC; "" for anything else."""
    try:
        at = dt.datetime.fromisoformat(str(value))
    except ValueError:
        return ""
    try:
        return at.astimezone(dt.UTC).isoformat() if at.tzinfo else ""
    except OverflowError:
        return ""


def money(value: Any) -> str:
    """Return an amount as plain decimal text; "" for none."""
    try:
        return str(Decimal(str(value))) if value not in (None, "") else ""
    except InvalidOperation:
        return ""


def _id(value: Any) -> str:
    """Return an id as text; the vendor's "no such record" (null, "", 0) is ""."""
    return "" if value in (None, "", 0, "0") else str(value)


def _full(kind: str, record: dict[str, Any], raw: Mapping[str, Any]) -> Record:
    """Return the fields this kind of record has and that hold something, with the vendor's own in `extra`."""
    return filled(kind, record, raw, (*_ALWAYS, *MORE_FIELDS.get(kind, ())))


def _any(record: dict[str, Any], raw: Mapping[str, Any]) -> Record:
    return {**{key: value for key, value in record.items() if value not in (None, "")}, "extra": dict(raw)}


def neutral(kind: str, raw: Mapping[str, Any], portal: str = "", region: str = "") -> Record:
    """Return a lead, deal, contact or company in neutral words."""
    common = {
        "id": _id(raw.get("ID")),
        "title": raw.get("TITLE"),
        "responsible": _id(raw.get("ASSIGNED_BY_ID")),
        "by": _id(raw.get("MODIFY_BY_ID")),
        "company": _id(raw.get("COMPANY_ID")),
        "comment": raw.get("COMMENTS"),
        "created_at": instant(raw.get("DATE_CREATE")),
        "changed_at": instant(raw.get("DATE_MODIFY")),
        "url": url(kind, raw.get("ID"), portal),
        "source": source(raw),
    }
    if kind in ("lead", "deal"):
        common |= _stage(kind, raw)
    if kind == "deal":
        common |= {"name": raw.get("TITLE"), "closed": raw.get("CLOSED") == "Y" if "CLOSED" in raw else None}
        if semantics := raw.get("STAGE_SEMANTIC_ID"):
            common["won"] = codes.SEMANTICS.get(str(semantics)) == "won"
    elif kind == "company":
        common |= {"name": raw.get("TITLE")} | reachable(raw, region)
    else:
        common |= person(raw, region)
    return _full(kind, common, raw)


def _stage(kind: str, raw: Mapping[str, Any]) -> dict[str, Any]:
    stage = str(raw.get(codes.ENTITIES[kind].stage_field) or "")
    pipeline = raw.get("CATEGORY_ID") if kind == "deal" else None
    if kind == "deal" and pipeline in (None, "") and stage:
        pipeline = codes.pipeline_of(stage)
    return {
        "stage": stage,
        "pipeline": "" if pipeline is None else str(pipeline),
        "amount": money(raw.get("OPPORTUNITY")),
        "currency": raw.get("CURRENCY_ID"),
        "contact": _id(raw.get("CONTACT_ID")),
        "moved_at": instant(raw.get("MOVED_TIME")),
    }


def person(raw: Mapping[str, Any], region: str) -> dict[str, Any]:
    """Return names, phones, e-mails, handles and address of a contact or a lead."""
    first, middle, last = (str(raw.get(key) or "").strip() for key in ("NAME", "SECOND_NAME", "LAST_NAME"))
    return reachable(raw, region) | {
        "name": " ".join(word for word in (first, middle, last) if word),
        "first_name": first,
        "middle_name": middle,
        "last_name": last,
        "handles": multifield.handles(raw),
        "address": raw.get("ADDRESS"),
        "city": raw.get("ADDRESS_CITY"),
    }


def reachable(raw: Mapping[str, Any], region: str) -> dict[str, Any]:
    """Return phones as E.164 and e-mails; what can't be read as one is kept in `phone_raw`, `email_raw`."""
    typed = multifield.values(raw, "PHONE")
    phones = list(dict.fromkeys(number for text in typed if (number := normal.phone(text, region))))
    written = multifield.values(raw, "EMAIL")
    emails = list(dict.fromkeys(address for text in written if (address := normal.email(text))))
    return {
        "phone": phones[0] if phones else "",
        "phones": phones,
        "phone_raw": typed[0] if typed and not phones else "",
        "email": emails[0] if emails else "",
        "emails": emails,
        "email_raw": written[0] if written and not emails else "",
    }


def source(raw: Mapping[str, Any]) -> dict[str, str]:
    """Return where a record came from: its source and utm marks."""
    found = {name.lower(): str(raw[name]) for name in _UTM if raw.get(name)}
    return found | ({"channel": str(raw["SOURCE_ID"])} if raw.get("SOURCE_ID") else {})


def url(kind: str, number: Any, portal: str) -> str:
    """Return the page of a record in the portal."""
    known = codes.ENTITIES.get(kind)
    return f"{portal.rstrip('/')}{known.path}{number}/" if known and portal and number else ""


def contact_of_lead(raw: Mapping[str, Any], region: str) -> Record:
    """Return the person a lead itself describes, as long as it hangs on no contact."""
    found = person(raw, region)
    return _full("contact", found, {})


def task(raw: Mapping[str, Any], portal: str = "") -> Record:
    """Return a task; its answers come in camelCase, its CRM links as `D_10`."""
    number = _id(raw.get("id", raw.get("ID")))
    status = str(raw.get("status", raw.get("STATUS")) or "")
    who = _id(raw.get("responsibleId"))
    return _full(
        "task",
        {
            "id": number,
            "title": raw.get("title"),
            "status": codes.TASK_STATUSES.get(status, status),
            "done": status == codes.TASK_DONE if status else None,
            "deadline": instant(raw.get("deadline")),
            "responsible": who,
            "created_at": instant(raw.get("createdDate")),
            "changed_at": instant(raw.get("changedDate")),
            "url": f"{portal.rstrip('/')}/company/personal/user/{who or 0}/tasks/task/view/{number}/" if portal else "",
            **linked(raw.get("ufCrmTask")),
        },
        raw,
    )


def linked(links: Any) -> dict[str, str]:
    """Return the first lead, deal, contact and company among links like `D_10`."""
    found: dict[str, str] = {}
    for link in links if isinstance(links, list) else []:
        letter, _, number = str(link).partition("_")
        if (kind := codes.BY_LETTER.get(letter)) and number:
            found.setdefault(kind, number)
    return found


def note(raw: Mapping[str, Any]) -> Record:
    """Return a comment of the timeline."""
    kind = str(raw.get("ENTITY_TYPE") or "").lower()
    owner = {kind: _id(raw.get("ENTITY_ID"))} if kind in codes.ENTITIES else {}
    text = {"text": raw.get("COMMENT"), "by": _id(raw.get("AUTHOR_ID"))}
    found = {"id": _id(raw.get("ID")), **text, "created_at": instant(raw.get("CREATED")), **owner}
    return _full("note", found, raw)


def activity(raw: Mapping[str, Any]) -> Record:
    """Return an activity: a call, a mail, a to-do."""
    kind = codes.BY_TYPE_ID.get(str(raw.get("OWNER_TYPE_ID")), "")
    return _any(
        {
            "id": _id(raw.get("ID")),
            "title": raw.get("SUBJECT"),
            "text": raw.get("DESCRIPTION"),
            "kind": str(raw.get("PROVIDER_ID") or raw.get("TYPE_ID") or ""),
            "done": raw.get("COMPLETED") == "Y",
            "deadline": instant(raw.get("DEADLINE")),
            "responsible": _id(raw.get("RESPONSIBLE_ID")),
            "created_at": instant(raw.get("CREATED")),
            **({kind: _id(raw.get("OWNER_ID"))} if kind else {}),
        },
        raw,
    )


def user(raw: Mapping[str, Any]) -> Record:
    """Return an employee."""
    name = " ".join(str(raw.get(key) or "") for key in ("NAME", "LAST_NAME")).strip()
    phone = raw.get("WORK_PHONE") or raw.get("PERSONAL_MOBILE")
    return _any({"id": _id(raw.get("ID")), "name": name, "email": raw.get("EMAIL"), "phone": phone}, raw)


def user_field(raw: Mapping[str, Any]) -> Record:
    """Return a user field: its code, type, label, and for a list its values by id."""
    code = raw.get("FIELD_NAME")
    label = raw.get("EDIT_FORM_LABEL") or raw.get("LIST_COLUMN_LABEL") or code
    values = {str(row.get("ID")): str(row.get("VALUE")) for row in raw.get("LIST") or [] if isinstance(row, Mapping)}
    known = {"id": _id(raw.get("ID")), "code": code, "type": raw.get("USER_TYPE_ID"), "label": label}
    return _any({**known, "values": values or None}, raw)


def goods(rows: Any) -> list[Record]:
    """Return product rows as goods: name, price, quantity, sum, sku."""
    found = []
    for row in rows if isinstance(rows, list) else []:
        price, quantity = money(row.get("PRICE")), money(row.get("QUANTITY"))
        total = str(Decimal(price or "0") * Decimal(quantity or "0"))
        goods_of = {"id": _id(row.get("PRODUCT_ID")), "name": row.get("PRODUCT_NAME"), "price": price}
        found.append(_any({**goods_of, "quantity": quantity, "sum": total}, row))
    return found


def link(kind: str, number: str) -> str:
    """Return how a task points at a CRM record: `D_10`."""
    return f"{codes.ENTITIES[kind].letter}_{number}"
