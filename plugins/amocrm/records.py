"""The vendor's records in neutral words. Pure.

Every record carries `extra`: the vendor's own fields under their names and the custom ones under their ids (and codes:
`PHONE`, `UTM_SOURCE`), each as a plain value. What is empty at the vendor is left out.
"""

from __future__ import annotations

import datetime as dt
import html
from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from typing import Any

from hub import normal
from hub.model import Record
from hub.records import filled
from plugins.amocrm import codes, values

#: fields beside those of `hub.records` (declared per event)
MORE_FIELDS: Mapping[str, tuple[str, ...]] = {
    "deal": ("tags", "stage_name", "pipeline_name", "responsible_name", "loss_reason", "contacts"),
    "contact": ("responsible", "by", "company", "deals"),
    "company": ("emails", "phones", "tags"),
    "lead": ("category", "deal"),
    "note": ("deal", "contact", "company", "customer", "kind"),
    "task": ("company", "customer", "kind", "by", "result"),
    "call": ("deal", "contact", "company", "uniq"),
    "message": ("chat", "talk", "conversation", "contact", "deal", "kind", "by_name"),
}
_ALWAYS = frozenset({"source", "phone_raw", "email_raw"})
_SKIP = frozenset({"_links", "_embedded", "custom_fields_values", "custom_fields", "account_id"})


def instant(value: Any) -> str:
    """Return unix seconds as ISO text in UTC; "" for anything else."""
    moment = values.moment_of(value, dt.UTC) if not isinstance(value, (dt.date, float)) else None
    return moment.astimezone(dt.UTC).isoformat() if moment and 0 < moment.timestamp() < 2**33 else ""


def money(value: Any) -> str:
    """Return an amount as plain decimal text; "" for none."""
    try:
        found = Decimal(str(value)) if value not in (None, "") else None
    except InvalidOperation:
        return ""
    return str(found) if found is not None and found.is_finite() else ""


def text_of(value: Any) -> str:
    """Return a leaf as text; "" for what isn't there and for nested values."""
    return "" if value is None or isinstance(value, (Mapping, list, bool)) else str(value)


def id_of(value: Any) -> str:
    """Return an id as text; the vendor's "nobody" (null, "", 0) is ""."""
    found = text_of(value)[:100]
    return "" if found == "0" else found


def inner(value: Any) -> Mapping[str, Any]:
    """Return a nested part of a record; an empty one for what isn't there or isn't nested."""
    return value if isinstance(value, Mapping) else {}


def embedded(raw: Mapping[str, Any], name: str) -> list[Mapping[str, Any]]:
    """Return the rows that came along with a record: its contacts, tags, catalog elements."""
    held = raw.get("_embedded")
    rows = held.get(name) if isinstance(held, Mapping) else None
    return [row for row in rows if isinstance(row, Mapping)] if isinstance(rows, list) else []


def _full(kind: str, record: dict[str, Any], extra: Mapping[str, Any]) -> Record:
    return filled(kind, record, extra, _ALWAYS | set(MORE_FIELDS.get(kind, ())))


def any_record(record: dict[str, Any], raw: Mapping[str, Any]) -> Record:
    """Return a record that has no neutral kind: what it says, and the vendor's fields in `extra`."""
    return {**{key: value for key, value in record.items() if value not in (None, "")}, "extra": dict(raw)}


# --- deals, contacts, companies, customers --------------------------------------------------------------


def extra_of(raw: Mapping[str, Any], at: dt.tzinfo) -> dict[str, Any]:
    """Return the vendor's own fields and the custom ones, flat: {"price": 500, "601001": "...", "PHONE": [...]}."""
    own = {key: value for key, value in raw.items() if key not in _SKIP and value is not None}
    if tags := tags_of(raw):
        own["tags"] = tags
    return {**own, **values.flat(raw, at)}


def tags_of(raw: Mapping[str, Any]) -> list[str]:
    """Return the names of a record's tags."""
    rows = embedded(raw, "tags") or raw.get("tags")
    return [text_of(row.get("name")) for row in rows if isinstance(row, Mapping)] if isinstance(rows, list) else []


def neutral(kind: str, raw: Mapping[str, Any], base_url: str, region: str, at: dt.tzinfo) -> Record:
    """Return a deal, contact, company or customer in neutral words; `at` is the zone of its days."""
    extra = extra_of(raw, at)
    number = id_of(raw.get("id"))
    common: dict[str, Any] = {
        "id": number,
        "name": text_of(raw.get("name")),
        "title": text_of(raw.get("name")),
        "responsible": id_of(raw.get("responsible_user_id")),
        "by": id_of(raw.get("updated_by", raw.get("modified_user_id"))),
        "created_at": instant(raw.get("created_at", raw.get("date_create"))),
        "changed_at": instant(raw.get("updated_at", raw.get("last_modified"))),
        "url": url(kind, number, base_url),
        "tags": tags_of(raw),
        "company": next((id_of(row.get("id")) for row in embedded(raw, "companies")), ""),
        "source": source(extra),
    }
    if kind == "deal":
        common |= _deal(raw)
    elif kind in ("contact", "company"):
        common |= reachable(extra, region)
    if kind == "contact":
        common |= _names(raw) | {"deals": [id_of(row.get("id")) for row in embedded(raw, "leads")]}
    if kind == "customer":
        return any_record(common, extra)
    return _full(kind, common, extra)


def _deal(raw: Mapping[str, Any]) -> dict[str, Any]:
    stage, pipeline = id_of(raw.get("status_id")), id_of(raw.get("pipeline_id"))
    people = embedded(raw, "contacts")
    main = next((row for row in people if row.get("is_main")), people[0] if people else {})
    reasons = embedded(raw, "loss_reason")
    closed = instant(raw.get("closed_at"))
    return {
        "stage": f"{pipeline}/{stage}" if pipeline and stage else stage,
        "pipeline": pipeline,
        "amount": money(raw.get("price")),
        "closed": stage in codes.CLOSED if stage else None,
        "won": stage == codes.WON if stage else None,
        "contact": id_of(main.get("id")),
        "contacts": [id_of(row.get("id")) for row in people],
        "loss_reason": text_of(reasons[0].get("name")) if reasons else "",
        # amoCRM tells when a deal was closed, and nothing of other moves; a webhook that tells of one adds its time
        "moved_at": closed or instant(raw.get("created_at", raw.get("date_create"))),
    }


def _names(raw: Mapping[str, Any]) -> dict[str, Any]:
    name = text_of(raw.get("name")).strip()
    first, last = text_of(raw.get("first_name")).strip(), text_of(raw.get("last_name")).strip()
    if not first and not last:
        first, last = normal.split_name(name)
    return {"name": name or f"{first} {last}".strip(), "first_name": first, "last_name": last}


def reachable(extra: Mapping[str, Any], region: str) -> dict[str, Any]:
    """Return phones as E.164 and e-mails; what can't be read as one is kept in `phone_raw`, `email_raw`."""
    typed, written = _texts(extra.get("PHONE")), _texts(extra.get("EMAIL"))
    phones = list(dict.fromkeys(number for text in typed if (number := normal.phone(text, region))))
    emails = list(dict.fromkeys(address for text in written if (address := normal.email(text))))
    return {
        "phone": phones[0] if phones else "",
        "phones": phones,
        "phone_raw": typed[0] if typed and not phones else "",
        "email": emails[0] if emails else "",
        "emails": emails,
        "email_raw": written[0] if written and not emails else "",
    }


def _texts(value: Any) -> list[str]:
    rows = value if isinstance(value, list) else [value]
    return [text for row in rows if (text := text_of(row).strip())]


def source(extra: Mapping[str, Any]) -> dict[str, str]:
    """Return where a record came from, out of the tracking fields."""
    return {ours: text for code, ours in codes.TRACKING.items() if (text := text_of(extra.get(code)))}


def url(kind: str, number: str, base_url: str) -> str:
    """Return the page of a record in the account."""
    known = codes.ENTITIES.get(kind)
    return f"{base_url}/{known.page}/detail/{number}" if known and base_url and number else ""


# --- incoming leads ------------------------------------------------------------------------------------


def lead(raw: Mapping[str, Any], region: str, stage: str = "unsorted") -> Record:
    """Return an incoming lead (unsorted) in neutral words, from the API (`metadata`) or a webhook (`source_data`).

    Numbers and texts vary: a phone may come as a number, a time as text.
    """
    told = inner(raw.get("metadata") or raw.get("source_data"))
    client = inner(told.get("client"))
    named = told.get("from")
    sender: Mapping[str, Any] = named if isinstance(named, Mapping) else {"name": named}
    within = inner(raw.get("data"))
    people, deals = _within(raw, within, "contacts"), _within(raw, within, "leads")
    said = [html.unescape(text_of(row.get("text"))) for row in _rows(told.get("data"))]
    phone = text_of(told.get("phone")) or text_of(client.get("phone"))
    known_phone = normal.phone(phone, region)
    email = normal.email(text_of(sender.get("email")) or text_of(client.get("email")))
    category = text_of(raw.get("category"))
    name = text_of(client.get("name")) or (text_of(sender.get("name")) if category in ("chats", "mail") else "")
    deal = next((row for row in deals if row), {})
    deal_id = id_of(raw.get("lead_id")) or id_of(deal.get("id"))
    record = {
        "id": text_of(raw.get("uid"))[:100],
        "title": text_of(deal.get("name")) or text_of(told.get("form_name")) or text_of(raw.get("source_name")),
        "stage": stage,
        "category": category,
        "pipeline": id_of(raw.get("pipeline_id")),
        "name": name,
        "phone": known_phone or "",
        "phone_raw": phone if not known_phone else "",
        "email": email or "",
        "comment": "\n".join(text for text in said if text) or text_of(told.get("content_summary")),
        "contact": next((id_of(row.get("id")) for row in people), ""),
        "deal": deal_id,
        "created_at": instant(raw.get("created_at", raw.get("date_create"))),
        "source": {
            key: text
            for key, text in {
                "channel": text_of(told.get("service")) or text_of(raw.get("source_name")) or category,
                "page": text_of(told.get("form_page")),
                "referer": text_of(told.get("referer")),
                "ip": text_of(told.get("ip")),
            }.items()
            if text
        },
    }
    extra = {key: value for key, value in raw.items() if key not in ("_links", "account_id")}
    return _full("lead", record, extra)


def contact_of_lead(found: Record, region: str) -> Record:
    """Return the person an incoming lead itself describes."""
    told = {key: found.get(key) for key in ("name", "phone", "email")}
    person = normal.contact(region, **{key: str(value) for key, value in told.items() if value})
    return {**person, **({"id": found["contact"]} if found.get("contact") else {})}


def _within(raw: Mapping[str, Any], within: Mapping[str, Any], name: str) -> list[Mapping[str, Any]]:
    return embedded(raw, name) or _rows(within.get(name))


def _rows(value: Any) -> list[Mapping[str, Any]]:
    if isinstance(value, Mapping):
        value = list(value.values())
    return [row for row in value if isinstance(row, Mapping)] if isinstance(value, list) else []


# --- notes, tasks, users, elements ----------------------------------------------------------------------


def note(raw: Mapping[str, Any], kind: str = "") -> Record:
    """Return a note from the API; `kind`: the record it hangs on."""
    params = inner(raw.get("params"))
    kind = kind or codes.BY_WORD.get(text_of(raw.get("entity_type")), "")
    record = {
        "id": id_of(raw.get("id")),
        "text": text_of(params.get("text")),
        "by": id_of(raw.get("created_by")),
        "kind": text_of(raw.get("note_type")),
        "created_at": instant(raw.get("created_at")),
        **({kind: id_of(raw.get("entity_id"))} if kind else {}),
    }
    return _full("note", record, {**{k: v for k, v in raw.items() if k not in _SKIP}, "params": dict(params)})


def task(raw: Mapping[str, Any]) -> Record:
    """Return a task from the API. https://www.amocrm.ru/developers/content/crm_platform/tasks-api"""
    kind = codes.BY_WORD.get(text_of(raw.get("entity_type")), "")
    done = raw.get("is_completed")
    result = raw.get("result")
    record = {
        "id": id_of(raw.get("id")),
        "title": text_of(raw.get("text")),
        "status": ("completed" if done else "open") if isinstance(done, bool) else "",
        "done": done if isinstance(done, bool) else None,
        "deadline": instant(raw.get("complete_till")),
        "responsible": id_of(raw.get("responsible_user_id")),
        "by": id_of(raw.get("updated_by")),
        "kind": id_of(raw.get("task_type_id")),
        "result": text_of(result.get("text")) if isinstance(result, Mapping) else "",
        "created_at": instant(raw.get("created_at")),
        "changed_at": instant(raw.get("updated_at")),
        **({kind: id_of(raw.get("entity_id"))} if kind else {}),
    }
    return _full("task", record, {key: value for key, value in raw.items() if key not in _SKIP})


def user(raw: Mapping[str, Any]) -> Record:
    """Return a user of the account."""
    found = {"id": id_of(raw.get("id")), "name": text_of(raw.get("name")), "email": text_of(raw.get("email"))}
    return any_record(found, {key: value for key, value in raw.items() if key != "_links"})


def element(raw: Mapping[str, Any], at: dt.tzinfo) -> Record:
    """Return an element of a catalog (a product, an invoice, a row of a list)."""
    found = {"id": id_of(raw.get("id")), "name": text_of(raw.get("name")), "catalog": id_of(raw.get("catalog_id"))}
    return any_record(found, extra_of(raw, at))


def goods(rows: list[tuple[Mapping[str, Any], Record]]) -> list[Record]:
    """Return the elements linked to a deal as goods: id, name, price, quantity, sum, sku."""
    found = []
    for link, known in rows:
        told = inner(link.get("metadata"))
        extra = known.get("extra") or {}
        price, quantity = money(extra.get("PRICE")), money(told.get("quantity")) or "1"
        found.append(
            any_record(
                {
                    "id": known.get("id"),
                    "name": known.get("name"),
                    "sku": text_of(extra.get("SKU")),
                    "price": price,
                    "quantity": quantity,
                    "sum": str(Decimal(price) * Decimal(quantity)) if price else "",
                },
                extra,
            )
        )
    return found
