"""What the stand-in's account holds, and the small rules that every change of it follows."""

from __future__ import annotations

import copy
from collections.abc import Callable
from itertools import count
from typing import Any

ACCOUNT_ID = 31000001
SUBDOMAIN = "example"
ADMIN, MANAGER, ROBOT = 3000001, 3000002, 0
PIPELINE, QUALITY = 7100001, 7100002
UNSORTED_STAGE, NEW, IN_WORK, BOOKED, PLAYED = 61000000, 61000001, 61000002, 61000003, 61000004
WON, LOST = 142, 143
PRODUCTS = 4521
AMOJO_ID = "52fd2a28-d2eb-4bd8-b862-b57934927b38"
SINGULAR = {"leads": "lead", "contacts": "contact", "companies": "company", "customers": "customer"}
NUMBERS = {"contacts": 1, "leads": 2, "companies": 3, "customers": 12}

_PHONE_ENUMS = ["WORK", "WORKDD", "MOB", "FAX", "HOME", "OTHER"]
_EMAIL_ENUMS = ["WORK", "PRIV", "OTHER"]


def _field(
    number: int, name: str, type_: str, code: str | None = None, enums: list[str] | None = None
) -> dict[str, Any]:
    rows = [{"id": number * 10 + place, "value": word, "sort": place} for place, word in enumerate(enums or [], 1)]
    return {
        "id": number, "name": name, "type": type_, "code": code, "sort": number % 1000, "is_api_only": False,
        "enums": rows or None, "group_id": None, "required_statuses": [], "is_predefined": code in ("PHONE", "EMAIL"),
        "is_deletable": code not in ("PHONE", "EMAIL"), "settings": None, "remind": None,
    }  # fmt: skip


def _people_fields(start: int) -> list[dict[str, Any]]:
    return [
        _field(start, "Телефон", "multitext", "PHONE", _PHONE_ENUMS),
        _field(start + 2, "Email", "multitext", "EMAIL", _EMAIL_ENUMS),
    ]


def starting_fields() -> dict[str, list[dict[str, Any]]]:
    """Return the account's custom fields by kind of record: those of the quest recipe, and one of each other type."""
    deals = [
        _field(601001, "Время игры", "date_time"),
        _field(601002, "Квест", "text"),
        _field(601003, "Игроков", "numeric"),
        _field(601004, "Канал", "text"),
        _field(601005, "utm_source", "tracking_data", "UTM_SOURCE"),
        _field(601006, "utm_campaign", "tracking_data", "UTM_CAMPAIGN"),
        _field(601007, "Calltouch звонок", "text"),
        _field(601008, "Calltouch заявка", "text"),
        _field(601009, "Calltouch сессия", "text"),
        _field(601010, "NPS", "numeric"),
        _field(601011, "Бронь", "text"),
        _field(601012, "Umnico", "text"),
        _field(601013, "Повод", "select", None, ["День рождения", "Корпоратив", "Просто так"]),
        _field(601014, "Услуги", "multiselect", None, ["Торт", "Аниматор", "Фото"]),
        _field(601015, "Оплачено", "checkbox"),
        _field(601016, "День оплаты", "date"),
        _field(601017, "Ссылка", "url"),
        _field(601018, "Адрес", "smart_address"),
        _field(601019, "Компания", "legal_entity"),
        _field(601020, "Бюджет", "monetary"),
    ]
    contacts = [
        *_people_fields(600101),
        _field(602001, "Письма не доходят", "checkbox"),
        _field(602002, "Отписан", "checkbox"),
        _field(602003, "Дата рождения", "birthday"),
        _field(602004, "Пол", "radiobutton", None, ["Мужской", "Женский"]),
    ]
    companies = [*_people_fields(600201), _field(603001, "Тип компании", "select", None, ["ДЦ", "Опт"])]
    elements = [_field(604001, "Артикул", "text", "SKU"), _field(604002, "Цена", "price", "PRICE")]
    return {
        "leads": deals,
        "contacts": contacts,
        "companies": companies,
        "customers": [],
        f"catalogs/{PRODUCTS}": elements,
    }


def _pipeline(number: int, name: str, stages: list[tuple[int, str]], main: bool) -> dict[str, Any]:
    rows = [(stages[0][0], stages[0][1], 10, 1)]
    rows += [(id_, label, 20 + 10 * place, 0) for place, (id_, label) in enumerate(stages[1:])]
    rows += [(WON, "Успешно реализовано", 10000, 0), (LOST, "Закрыто и не реализовано", 11000, 0)]
    return {
        "id": number, "name": name, "sort": 1 if main else 2, "is_main": main, "is_unsorted_on": True,
        "is_archive": False, "account_id": ACCOUNT_ID,
        "_embedded": {
            "statuses": [
                {"id": id_, "name": label, "sort": sort, "is_editable": sort not in (10, 10000, 11000),
                 "pipeline_id": number, "color": "#c1c1c1", "type": kind, "account_id": ACCOUNT_ID}
                for id_, label, sort, kind in rows
            ]
        },
    }  # fmt: skip


def starting_pipelines() -> list[dict[str, Any]]:
    """Return the two pipelines of the quest recipe."""
    sales = [
        (UNSORTED_STAGE, "Неразобранное"),
        (NEW, "Новая"),
        (IN_WORK, "В работе"),
        (BOOKED, "Забронировано"),
        (PLAYED, "Сыграли"),
    ]
    quality = [(62000000, "Неразобранное"), (62000001, "Новая оценка"), (62000002, "Нет оценки")]
    return [_pipeline(PIPELINE, "Продажи", sales, True), _pipeline(QUALITY, "Качество", quality, False)]


def starting_users() -> list[dict[str, Any]]:
    """Return the account's people; the token belongs to the first, an administrator."""
    every = {"view": "A", "edit": "A", "add": "A", "delete": "A", "export": "A"}
    people = [(ADMIN, "Управляющий", True), (MANAGER, "Администратор 1", False), (3000003, "Администратор 2", False)]
    return [
        {
            "id": number, "name": name, "email": f"user{number}@example.com", "lang": "ru",
            "amojo_id": f"76fc2bea-902f-425c-9a3d-{number:012d}",
            "rights": {
                "leads": every, "contacts": every, "companies": every, "tasks": {"edit": "A", "delete": "A"},
                "mail_access": True, "catalog_access": True, "status_rights": None, "is_admin": admin,
                "is_free": False, "is_active": True, "group_id": None, "role_id": None,
            },
        }
        for number, name, admin in people
    ]  # fmt: skip


class World:
    """The account's records. `told` is called with (entity, action, rows) after each change."""

    def __init__(self, clock: Callable[[], float], told: Callable[[str, str, list[dict[str, Any]]], None]) -> None:
        self.clock, self.told = clock, told
        self._ids = count(27_000_001)
        self.records: dict[str, dict[int, dict[str, Any]]] = {kind: {} for kind in SINGULAR}
        self.fields = starting_fields()
        self.pipelines = starting_pipelines()
        self.users = starting_users()
        self.catalogs = {PRODUCTS: {"id": PRODUCTS, "name": "Товары", "type": "products", "sort": 10}}
        self.elements: dict[int, dict[int, dict[str, Any]]] = {PRODUCTS: {}}
        self.tags: dict[str, dict[str, int]] = {kind: {} for kind in SINGULAR}
        self.notes: dict[int, dict[str, Any]] = {}
        self.tasks: dict[int, dict[str, Any]] = {}
        self.unsorted: dict[str, dict[str, Any]] = {}
        self.links: list[dict[str, Any]] = []
        self.feed: list[dict[str, Any]] = []
        self.chats: dict[str, dict[str, Any]] = {}
        self.creates: dict[str, int] = {}
        self.now_as = ADMIN

    def next_id(self) -> int:
        """Return the next id; ids rise over all kinds of records."""
        return next(self._ids)

    def now(self) -> int:
        """Return unix seconds."""
        return int(self.clock())

    def stage(self, pipeline: int, status: int) -> dict[str, Any] | None:
        """Return a stage of a pipeline."""
        for one in self.pipelines:
            if one["id"] == pipeline:
                return next((row for row in one["_embedded"]["statuses"] if row["id"] == status), None)
        return None

    def first_stage(self, pipeline: int) -> int:
        """Return the first stage that isn't the one of incoming leads."""
        rows = next(one["_embedded"]["statuses"] for one in self.pipelines if one["id"] == pipeline)
        return next(row["id"] for row in rows if row["type"] == 0)

    def note_event(
        self, type_: str, entity: str, number: int, after: list[Any] | None = None, before: list[Any] | None = None
    ) -> None:  # fmt: skip
        """Write an event into the feed."""
        moment = self.now()
        self.feed.append(
            {
                "id": f"01j{moment:010x}{len(self.feed):08d}", "type": type_, "entity_id": number,
                "entity_type": entity, "created_by": self.now_as, "created_at": moment, "value_after": after or [],
                "value_before": before or [],
                "account_id": ACCOUNT_ID,
            }
        )  # fmt: skip

    def linked(self, kind: str, number: int, other: str) -> list[dict[str, Any]]:
        """Return the links of a record to records of another kind, whichever end made them."""
        found = []
        for link in self.links:
            if (link["entity_type"], link["entity_id"], link["to_entity_type"]) == (kind, number, other):
                found.append({"id": link["to_entity_id"], "metadata": link["metadata"]})
            elif (link["to_entity_type"], link["to_entity_id"], link["entity_type"]) == (kind, number, other):
                found.append({"id": link["entity_id"], "metadata": link["metadata"]})
        return found

    def link(
        self, kind: str, number: int, other: str, other_id: int, metadata: dict[str, Any] | None
    ) -> dict[str, Any]:
        """Link two records once; the same link again says anew which contact is the main one: there is one."""
        row = {
            "entity_id": number,
            "entity_type": kind,
            "to_entity_id": other_id,
            "to_entity_type": other,
            "metadata": metadata,
        }
        if other == "contacts" and (metadata or {}).get("is_main"):
            for one in self.links:
                if (kind, number) in ends(one) and "contacts" in (one["entity_type"], one["to_entity_type"]):
                    one["metadata"] = {**(one["metadata"] or {}), "is_main": False}
        known = next((one for one in self.links if set(ends(one)) == {(kind, number), (other, other_id)}), None)
        if known is None:
            self.links.append(row)
        elif metadata is not None:
            known["metadata"] = metadata
        return row

    def unlink(self, kind: str, number: int, other: str, other_id: int) -> None:
        """Take a link away."""
        both = {(kind, number), (other, other_id)}
        self.links = [row for row in self.links if set(ends(row)) != both]

    def tag_id(self, kind: str, name: str) -> int:
        """Return a tag's id, made where there is none of the name."""
        return self.tags[kind].setdefault(name, self.next_id())

    def state(self) -> dict[str, Any]:
        """Return everything, ready for JSON."""
        shown = {
            "records": self.records, "notes": self.notes, "tasks": self.tasks, "unsorted": self.unsorted,
            "links": self.links, "feed": self.feed, "creates": self.creates, "chats": self.chats,
            "elements": self.elements,
        }  # fmt: skip
        return copy.deepcopy(shown)


def ends(link: dict[str, Any]) -> tuple[tuple[str, int], tuple[str, int]]:
    """Return the two records that a link joins."""
    return (link["entity_type"], link["entity_id"]), (link["to_entity_type"], link["to_entity_id"])
