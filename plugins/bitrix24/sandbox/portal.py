"""The portal's memory: records, directories, employees, counters. One object per start or reset."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from itertools import count
from typing import TYPE_CHECKING, Any

from plugins.bitrix24.sandbox import seed
from plugins.bitrix24.sandbox.fields import FM_TYPES, SYSTEM_FIELDS, TYPE_IDS, Field
from plugins.bitrix24.sandbox.words import RestError, as_id

if TYPE_CHECKING:
    from plugins.bitrix24.sandbox.access import Access
    from plugins.bitrix24.sandbox.events import Events

#: where ids of each sort begin: distinct ranges show at once when one id is taken for another
_FIRST_IDS = {
    "lead": 1001,
    "deal": 2001,
    "contact": 3001,
    "item": 1,
    "company": 4001,
    "activity": 5001,
    "comment": 6001,
    "task": 7001,
    "userfield": 8001,
    "multifield": 11001,
    "product_row": 12001,
    "notify": 13001,
    "trace": 14001,
    "document": 15001,
    "file": 16001,
    "chat": 17001,
    "message": 18001,
    "enum": 19001,
    "call": 1,
}


class Portal:
    """Everything one portal knows."""

    def __init__(self, clock: Callable[[], dt.datetime], events: Events, access: Access) -> None:
        self.clock, self.events, self.access = clock, events, access
        self._ids = {what: count(first) for what, first in _FIRST_IDS.items()}
        self.records: dict[str, dict[int, dict[str, Any]]] = {kind: {} for kind in TYPE_IDS}
        self.items: dict[int, dict[str, Any]] = {}
        self.comments: dict[int, dict[str, Any]] = {}
        self.activities: dict[int, dict[str, Any]] = {}
        self.tasks: dict[int, dict[str, Any]] = {}
        self.product_rows: dict[tuple[str, int], list[dict[str, Any]]] = {}
        self.calls: dict[str, dict[str, Any]] = {}
        self.connectors: dict[str, dict[str, Any]] = {}
        self.chats: dict[tuple[str, str, str], dict[str, Any]] = {}
        self.messages: list[dict[str, Any]] = []
        self.deliveries: list[dict[str, Any]] = []
        self.readings: list[dict[str, Any]] = []
        self.lines = {number: {"ID": number, "LINE_NAME": name, "ACTIVE": "Y"} for number, name in seed.LINES.items()}
        self.notifications: list[dict[str, Any]] = []
        self.triggers: list[dict[str, Any]] = []
        self.traces: list[dict[str, Any]] = []
        self.documents: list[dict[str, Any]] = []
        self.creates: dict[str, int] = {}
        self.statuses = seed.status_rows()
        self.users = {number: _user(number, name) for number, name in seed.USERS.items()}
        self.user_fields: dict[str, dict[str, dict[str, Any]]] = {kind: {} for kind in TYPE_IDS}
        for kind, fields in seed.USER_FIELDS.items():
            for number, (type_name, label) in fields.items():
                self.add_user_field(kind, f"UF_CRM_{number}", {"USER_TYPE_ID": type_name, "LABEL": label})

    def next_id(self, what: str) -> int:
        """Hand out the next id; every creation is counted under its sort in `creates`."""
        self.creates[what] = self.creates.get(what, 0) + 1
        return next(self._ids[what])

    def now(self) -> dt.datetime:
        """Return the present to the second, as records keep it."""
        return self.clock().replace(microsecond=0)

    # --- records ------------------------------------------------------------------------------

    def record(self, kind: str, record_id: int) -> dict[str, Any] | None:
        """Find a lead, deal, contact or company."""
        return self.records[kind].get(record_id)

    def fields(self, kind: str) -> dict[str, Field]:
        """Return system and user fields of a kind."""
        return SYSTEM_FIELDS[kind] | {name: _as_field(row) for name, row in self.user_fields[kind].items()}

    def user_name(self, user_id: int) -> str:
        """Return an employee's name; an unknown one cannot be responsible."""
        if user_id not in self.users:
            raise RestError("", "Неверное значение поля «Ответственный»")
        return str(self.users[user_id]["NAME"])

    # --- directories --------------------------------------------------------------------------

    def stages(self, kind: str, category: int = 0) -> list[dict[str, Any]]:
        """Return the stages of leads or of a deal pipeline, in their order."""
        entity = "STATUS" if kind == "lead" else f"DEAL_STAGE_{category}" if category else "DEAL_STAGE"
        return [row for row in self.statuses if row["ENTITY_ID"] == entity]

    def add_user_field(self, kind: str, name: str, row: dict[str, Any]) -> int:
        """Add a user field; its values are given by the keys of `crm.deal.userfield.add`."""
        number = self.next_id("userfield")
        label = _label(row.get("EDIT_FORM_LABEL")) or str(row.get("LABEL") or name)
        kept = {
            "ID": str(number),
            "ENTITY_ID": f"CRM_{kind.upper()}",
            "FIELD_NAME": name,
            "USER_TYPE_ID": str(row["USER_TYPE_ID"]),
            "XML_ID": row.get("XML_ID"),
            "SORT": str(row.get("SORT") or 100),
            "MULTIPLE": row.get("MULTIPLE") or "N",
            "MANDATORY": row.get("MANDATORY") or "N",
            "SHOW_FILTER": row.get("SHOW_FILTER") or "E",
            "SHOW_IN_LIST": row.get("SHOW_IN_LIST") or "Y",
            "EDIT_IN_LIST": row.get("EDIT_IN_LIST") or "Y",
            "IS_SEARCHABLE": row.get("IS_SEARCHABLE") or "N",
            "SETTINGS": row.get("SETTINGS") or {},
            "EDIT_FORM_LABEL": label,
            "LIST_COLUMN_LABEL": _label(row.get("LIST_COLUMN_LABEL")) or label,
            "LIST_FILTER_LABEL": _label(row.get("LIST_FILTER_LABEL")) or label,
            "ERROR_MESSAGE": _label(row.get("ERROR_MESSAGE")),
            "HELP_MESSAGE": _label(row.get("HELP_MESSAGE")),
        }
        if kept["USER_TYPE_ID"] == "enumeration":
            kept["LIST"] = [self._enum_value(place, each) for place, each in enumerate(row.get("LIST") or [])]
        self.user_fields[kind][name] = kept
        return number

    def _enum_value(self, place: int, value: dict[str, Any]) -> dict[str, Any]:
        number = self.next_id("enum")
        return {
            "ID": str(number),
            "SORT": str(value.get("SORT") or (place + 1) * 10),
            "VALUE": value["VALUE"],
            "DEF": value.get("DEF") or "N",
            "XML_ID": value.get("XML_ID") or f"fake_xml_id_{number}",
        }


def _label(value: Any) -> str | None:
    if isinstance(value, dict):
        return next(iter(value.values()), None)
    return value or None


def _as_field(row: dict[str, Any]) -> Field:
    items = tuple((as_id(each["ID"]), str(each["VALUE"])) for each in row.get("LIST", ()))
    many = row["MULTIPLE"] == "Y"
    return Field(row["FIELD_NAME"], row["USER_TYPE_ID"], False, many, label=row["EDIT_FORM_LABEL"], items=items)


def _user(number: int, name: str) -> dict[str, Any]:
    return {
        "ID": str(number),
        "ACTIVE": True,
        "NAME": name,
        "LAST_NAME": "Тестова",
        "SECOND_NAME": "",
        "EMAIL": f"user{number}@portal.example",
        "LAST_LOGIN": "2026-01-12T10:00:00+03:00",
        "DATE_REGISTER": "2025-01-01T03:00:00+03:00",
        "TIME_ZONE": "",
        "IS_ONLINE": "Y",
        "TIMESTAMP_X": {},
        "LAST_ACTIVITY_DATE": {},
        "PERSONAL_GENDER": "",
        "PERSONAL_WWW": "",
        "PERSONAL_BIRTHDAY": "",
        "PERSONAL_MOBILE": "",
        "PERSONAL_CITY": "",
        "WORK_PHONE": "",
        "WORK_POSITION": "",
        "UF_EMPLOYMENT_DATE": "",
        "UF_DEPARTMENT": [1],
        "USER_TYPE": "employee",
    }


def multifields(record: dict[str, Any]) -> dict[str, list[dict[str, str]]]:
    """Group a record's multifields as old methods show them; types without values are absent."""
    grouped: dict[str, list[dict[str, str]]] = {}
    for type_id in FM_TYPES:
        rows = [row for row in record["fm"] if row["TYPE_ID"] == type_id]
        if rows:
            grouped[type_id] = [
                {
                    "ID": str(row["ID"]),
                    "VALUE_TYPE": row["VALUE_TYPE"],
                    "VALUE": row["VALUE"],
                    "TYPE_ID": type_id,
                }
                for row in rows
            ]
    return grouped
