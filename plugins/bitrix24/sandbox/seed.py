"""What the portal starts with: pipelines and stages, directories, employees, user fields."""

from __future__ import annotations

from typing import Any

_SYSTEM = {"NEW": "", "WON": "S", "LOSE": "F", "CONVERTED": "S", "JUNK": "F"}
_FAILED = ("LOSE", "APOLOGY", "JUNK")
_COLORS = {"S": "#7BD500", "F": "#FF5752", "": "#39A8EF"}

#: open lines
LINES = {"1": "Відкрита лінія", "107": "Лінія підтримки"}

#: pipeline -> (name, sort, stages in their order)
PIPELINES: dict[int, tuple[str, int, dict[str, str]]] = {
    0: (
        "Общая",
        300,
        {
            "NEW": "Новая",
            "PREPARATION": "Подготовка документов",
            "PREPAYMENT_INVOICE": "Cчет на предоплату",
            "EXECUTING": "В работе",
            "FINAL_INVOICE": "Финальный счет",
            "WON": "Сделка успешна",
            "LOSE": "Сделка провалена",
            "APOLOGY": "Анализ причины провала",
        },
    ),
    1: ("Курсы", 310, {"NEW": "Нова", "PREPARATION": "В роботі", "WON": "Оплачено", "LOSE": "Відмова"}),
    3: (
        "Салон",
        320,
        {
            "NEW": "Нова",
            "UC_WAIT01": "Чекає на місце",
            "PREPARATION": "Записано",
            "UC_TRAIN1": "Приглашён",
            "UC_FORM01": "Анкета открыта",
            "UC_FORM02": "Анкета заполнена",
            "WON": "Проведено",
            "LOSE": "Скасовано",
        },
    ),
    5: (
        "Магазин",
        330,
        {
            "NEW": "Нове",
            "PREPAYMENT_INVOICE": "Чекає оплати",
            "PREPARATION": "До відправки",
            "EXECUTING": "В дорозі",
            "UC_BRANCH": "У відділенні",
            "FINAL_INVOICE": "Отримано",
            "UC_RETURN": "Повертається",
            "WON": "Гроші отримано",
            "LOSE": "Відмова",
        },
    ),
    7: ("Дрессировка", 340, {"NEW": "Новая", "PREPARATION": "Записан", "WON": "Обучен", "LOSE": "Отказ"}),
    9: (
        "Быстрая",
        350,
        {
            "NEW": "Новая",
            "PREPARATION": "Сборка",
            "EXECUTING": "Готово к выдаче",
            "WON": "Выдано",
            "LOSE": "Отказ",
        },
    ),
}

LEAD_STAGES = {
    "NEW": "Новый",
    "IN_PROCESS": "В работе",
    "UC_8KZQ1A": "Подбор",
    "UC_3FD0MM": "Уточнить",
    "PROCESSED": "Обработан",
    "CONVERTED": "Качественный лид",
    "JUNK": "Некачественный лид",
}

DIRECTORIES: dict[str, tuple[str, dict[str, str]]] = {
    "SOURCE": (
        "Источники",
        {
            "CALL": "Звонок",
            "EMAIL": "Электронная почта",
            "WEB": "Веб-сайт",
            "ADVERTISING": "Реклама",
            "PARTNER": "Существующий клиент",
            "RECOMMENDATION": "По рекомендации",
            "TRADE_SHOW": "Выставка",
            "WEBFORM": "CRM-форма",
            "CALLBACK": "Обратный звонок",
            "RC_GENERATOR": "Генератор продаж",
            "STORE": "Интернет-магазин",
            "UC_VK": "ВКонтакте",
            "OTHER": "Другое",
        },
    ),
    "CONTACT_TYPE": ("Тип контакта", {"CLIENT": "Клиенты", "PARTNER": "Партнёры", "OTHER": "Другое"}),
    "COMPANY_TYPE": ("Тип компании", {"CUSTOMER": "Клиент", "SUPPLIER": "Поставщик", "OTHER": "Другое"}),
    "EMPLOYEES": ("Кол-во сотрудников", {"EMPLOYEES_1": "менее 50", "EMPLOYEES_2": "50 - 250"}),
    "INDUSTRY": ("Сфера деятельности", {"IT": "Информационные технологии", "OTHER": "Другое"}),
    "DEAL_TYPE": ("Тип сделки", {"SALE": "Продажа", "COMPLEX": "Комплексная", "SERVICE": "Услуги"}),
    "HONORIFIC": ("Обращения", {"HNR_RU_1": "г-н", "HNR_RU_2": "г-жа"}),
    "CALL_LIST": ("Статусы обзвона", {"IN_WORK": "В работе", "SUCCESS": "Успешно"}),
}

USERS = {1: "Власниця", 3: "Менеджер", 5: "Адміністратор", 6: "Оператор", 27: "Підтримка"}

#: the smart process: its entityTypeId, its pipelines' stages, its fields (`!` = read-only) and their types
SMART_PROCESS = 177
SMART_STAGES = {
    7: {"NEW": "Новый", "PREPARATION": "Диагностика", "CLIENT": "Готов", "SUCCESS": "Выдан", "FAIL": "Отказ"},
    9: {"NEW": "Новый", "SUCCESS": "Списан", "FAIL": "Возврат"},
}
SMART_FIELDS = {
    "!id": "id", "xmlId": "string", "title": "string", "!createdBy": "user", "!updatedBy": "user", "!movedBy": "user",
    "!createdTime": "datetime", "!updatedTime": "datetime", "!movedTime": "datetime", "categoryId": "integer",
    "opened": "flag", "stageId": "string", "!stageSemanticId": "string", "begindate": "date", "closedate": "date",
    "companyId": "ref", "contactId": "ref", "opportunity": "amount", "isManualOpportunity": "flag",
    "taxValue": "amount", "currencyId": "string", "mycompanyId": "ref", "sourceId": "string",
    "sourceDescription": "string", "assignedById": "user", "parentId2": "ref", "ufCrm44_1740000001": "string",
    "ufCrm44_1740000002": "datetime",
}  # fmt: skip

_STRINGS = "string"
#: entity -> number in UF_CRM_<number> -> (type, label)
USER_FIELDS: dict[str, dict[int, tuple[str, str]]] = {
    "deal": {
        1730000001: (_STRINGS, "ТТН"),
        1730000002: (_STRINGS, "ТТН: посилання"),
        1730000003: (_STRINGS, "Місто"),
        1730000004: (_STRINGS, "Відділення"),
        1730000005: ("double", "Накладений платіж"),
        1730000006: ("datetime", "Час візиту"),
        1730000007: (_STRINGS, "Послуга"),
        1730000008: (_STRINGS, "Майстер"),
        1730000009: ("date", "Безкоштовно до"),
        1730000010: ("double", "Вартість доставки"),
    },
    "lead": {},
}
_BOTH = {
    **{
        1710000000 + number: (_STRINGS, label)
        for number, label in enumerate(
            (
                "Размер",
                "Шерсть",
                "Характер",
                "Дети",
                "Квартира",
                "Прогулки",
                "Возраст",
                "Бюджет",
                "Аллергия",
                "Пожелания",
                "Порода",
                "Ссылка на анкету",
            ),
            start=1,
        )
    },
    **{
        1720000000 + number: (_STRINGS, label)
        for number, label in enumerate(("Линия", "Ящик", "VIN", "Готов", "Счёт", "yclid", "gclid", "fbclid"), start=1)
    },
}
for _fields in USER_FIELDS.values():
    _fields |= _BOTH


def status_rows() -> list[dict[str, Any]]:
    """Return the rows of `crm.status.list`: lead stages, deal stages of each pipeline, plain directories."""
    rows = _stage_rows("STATUS", "", None, LEAD_STAGES)
    for category, (_, _, stages) in PIPELINES.items():
        entity, prefix = (f"DEAL_STAGE_{category}", f"C{category}:") if category else ("DEAL_STAGE", "")
        rows += _stage_rows(entity, prefix, str(category) if category else None, stages)
    for category, stages in SMART_STAGES.items():
        entity, prefix = f"DYNAMIC_{SMART_PROCESS}_STAGE_{category}", f"DT{SMART_PROCESS}_{category}:"
        rows += _stage_rows(entity, prefix, str(category), stages)
    for entity, (_, values) in DIRECTORIES.items():
        rows += [_row(entity, code, name, (place + 1) * 10, None) for place, (code, name) in enumerate(values.items())]
    for number, row in enumerate(rows):
        row["ID"] = str(101 + 2 * number)
    return rows


def _stage_rows(entity: str, prefix: str, category: str | None, stages: dict[str, str]) -> list[dict[str, Any]]:
    rows = []
    for place, (code, name) in enumerate(stages.items()):
        row = _row(entity, prefix + code, name, (place + 1) * 10, category, "Y" if code in _SYSTEM else "N")
        semantics = "F" if code in _FAILED else _SYSTEM.get(code, "")
        words = {"S": "success", "F": "apology" if code == "APOLOGY" else "failure", "": "process"}
        color = _COLORS[semantics]
        row |= {"COLOR": color, "SEMANTICS": semantics or None}
        row["EXTRA"] = {"SEMANTICS": words[semantics], "COLOR": color}
        rows.append(row)
    return rows


def _row(entity: str, code: str, name: str, sort: int, category: str | None, system: str = "N") -> dict[str, Any]:
    return {
        "ID": "",
        "ENTITY_ID": entity,
        "STATUS_ID": code,
        "NAME": name,
        "NAME_INIT": name if system == "Y" else "",
        "SORT": str(sort),
        "SYSTEM": system,
        "CATEGORY_ID": category,
        "COLOR": None,
        "SEMANTICS": None,
    }
