"""The neutral records and their fields: what a path may say, and what a plugin fills in.

Every record may also carry `extra` (vendor fields as they came), `url` and `source`. A field is text unless its
kind says otherwise: `instant` (UTC datetime as ISO text with offset), `date` (YYYY-MM-DD, stays a date), `money`
(decimal text), `number`, `list`, `flag` (True/False), `record`.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from hub.model import Record

COMMON = {"id": "text", "url": "text", "created_at": "instant", "changed_at": "instant", "extra": "record"}

FIELDS: Mapping[str, Mapping[str, str]] = {
    "contact": {
        "name": "text", "first_name": "text", "last_name": "text", "middle_name": "text", "phone": "text",
        "phones": "list", "email": "text", "emails": "list", "handle": "text", "handles": "record", "tags": "list",
        "consent": "record", "address": "text", "city": "text", "language": "text", "deal": "record",
    },
    "lead": {
        "title": "text", "stage": "text", "pipeline": "text", "amount": "money", "currency": "text", "name": "text",
        "first_name": "text", "last_name": "text", "phone": "text", "email": "text", "comment": "text",
        "responsible": "text", "contact": "text", "company": "text", "moved_at": "instant", "by": "text",
        "goods": "list", "address": "text", "geo": "text", "age": "text", "supplier": "text", "supplier_id": "text",
        "was": "record",
    },
    "deal": {
        "title": "text", "name": "text", "stage": "text", "pipeline": "text", "amount": "money", "currency": "text",
        "comment": "text", "responsible": "text", "contact": "text", "company": "text", "moved_at": "instant",
        "closed": "flag", "won": "flag", "by": "text", "goods": "list", "was": "record",
    },
    "company": {"title": "text", "name": "text", "phone": "text", "email": "text", "responsible": "text", "by": "text"},
    "parcel": {
        "number": "text", "ref": "text", "status": "text", "status_code": "text", "status_text": "text",
        "status_at": "instant", "eta": "date", "free_until": "date", "branch": "text", "branch_number": "text",
        "city": "text", "cost": "money", "cod": "money", "order": "text", "return_number": "text",
        "recipient": "text", "phone": "text", "weight": "number", "finished": "flag", "deal": "record",
        "was": "record",
    },
    "form": {
        "id": "text", "name": "text", "kind": "text", "phone": "text", "email": "text", "comment": "text",
        "page": "text", "fields": "record", "city": "text", "branch": "text", "service": "text", "visit_at": "text",
        "wishes": "text",
    },
    "order": {
        "number": "text", "amount": "money", "currency": "text", "goods": "list", "status": "text", "at": "instant",
        "quest": "text", "players": "number",
    },
    "message": {"text": "text", "from": "text", "to": "text", "subject": "text", "files": "list", "at": "instant"},
    "comment": {"text": "text", "by": "text", "deal": "text", "lead": "text", "contact": "text", "at": "instant"},
    "call": {
        "from": "text", "to": "text", "line": "text", "duration": "number", "status": "text", "direction": "text",
        "recording": "text", "at": "instant",
    },
    "task": {
        "title": "text", "status": "text", "deadline": "instant", "responsible": "text", "deal": "text",
        "lead": "text", "contact": "text", "done": "flag",
    },
    "note": {"text": "text", "by": "text"},
    "email": {"address": "text", "url": "text", "campaign": "text", "reason": "text", "status": "text"},
    "payment": {"amount": "money", "currency": "text", "number": "text", "status": "text", "order": "text"},
    "source": {
        "channel": "text", "utm_source": "text", "utm_medium": "text", "utm_campaign": "text", "utm_content": "text",
        "utm_term": "text", "gclid": "text", "yclid": "text", "fbclid": "text", "ymclid": "text", "roistat": "text",
        "session_id": "text", "client_id": "text", "referer": "text", "page": "text", "ip": "text",
    },
    "item": {},
    "team": {},
    "metric": {"value": "number"},
    "event": {
        "id": "text", "type": "text", "connection": "text", "channel": "text", "text": "text", "title": "text",
        "at": "instant", "by": "text", "key": "text", "subject": "text",
    },
    "person": {
        "id": "text", "known": "flag", "client": "flag", "blocked": "flag", "requests": "number", "orders": "number",
        "responsible": "text", "name": "text", "phone": "text", "email": "text",
    },
    "now": {},
}  # fmt: skip

#: Records whose fields the sender chooses: any name is allowed, near misses of known ones are pointed out.
OPEN_RECORDS = frozenset({"form", "item", "team", "order", "metric"})


def filled(kind: str, record: Record, raw: Mapping[str, Any], more: Collection[str] = ()) -> Record:
    """Return what such a record may hold of `record` and what isn't empty, with the vendor's own fields in `extra`.

    more: further fields that a plugin's events declare.
    """
    known = known_fields(kind) | set(more)
    kept = {name: value for name, value in record.items() if name in known and value not in (None, "", [], {})}
    return {**kept, "extra": dict(raw)}


def known_fields(record: str) -> frozenset[str]:
    """Return the field names a path may use on this record, without vendor fields."""
    return frozenset(FIELDS.get(record, {})) | frozenset(COMMON)
