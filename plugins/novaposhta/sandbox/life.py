"""A parcel's life: what changes in its record when its status does, and how one number leads to the next."""

from __future__ import annotations

import datetime as dt
from typing import Any

from plugins.novaposhta.codes import STATUSES
from plugins.novaposhta.sandbox.directory import KYIV as KYIV_CITY
from plugins.novaposhta.sandbox.directory import KYIV_BRANCH_1, KYIV_BRANCH_2
from plugins.novaposhta.sandbox.world import (
    KYIV,
    PRIVATE_RECIPIENTS,
    SENDER,
    SENDER_CONTACT,
    SENDER_PHONE,
    Waybill,
    World,
)

#: a branch keeps a parcel so many days before storage is charged (a fixture: arrived 06.04, charged from 14.04)
FREE_DAYS = 8

_TEXTS = {
    "1": ("Відправник самостійно створив цю накладну, але ще не надав до відправки", "Создана, не передана"),
    "2": ("Видалено", "Удалено"),
    "3": ("Номер не знайдено", "Номер не найден"),
    "4": ("Відправлення у місті відправника", "Отправление в городе отправителя"),
    "41": ("Відправлення у місті", "Отправление в городе"),
    "5": ("Відправлення прямує до міста одержувача", "Отправление следует в город получателя"),
    "6": ("Відправлення у місті одержувача", "Отправление в городе получателя"),
    "7": ("Прибув на відділення", "Прибыл на отделение"),
    "8": ("Прибув на відділення (завантажено в Поштомат)", "Прибыл (загружен в Почтомат)"),
    "9": ("Відправлення отримано", "Отправление получено"),
    "10": ("Відправлення отримано. Протягом доби ви одержите грошовий переказ", "Получено, ожидается перевод"),
    "11": ("Відправлення отримано. Грошовий переказ видано одержувачу", "Получено, перевод выдан"),
    "12": ("Нова Пошта комплектує ваше відправлення", "Новая Почта комплектует отправление"),
    "14": ("Відправлення передано до огляду отримувачу", "Передано на осмотр получателю"),
    "101": ("На шляху до одержувача", "На пути к получателю"),
    "102": ("Відмова від отримання (Відправником створено замовлення на повернення)", "Отказ, создан возврат"),
    "103": ("Відмова одержувача від отримання", "Отказ получателя"),
    "104": ("Змінено адресу", "Изменен адрес"),
    "105": ("Припинено зберігання", "Прекращено хранение"),
    "106": ("Одержано і створено ЄН зворотної доставки", "Получено и создана ЭН обратной доставки"),
    "108": ("Відмова від отримання", "Отказ от получения"),
    "111": ("Невдала спроба доставки через відсутність Одержувача", "Неудачная попытка доставки"),
    "112": ("Дата доставки перенесена Одержувачем", "Дата доставки перенесена Получателем"),
}
_NOT_HANDED_OVER = ("1", "2", "3")
_ARRIVED = STATUSES["arrived"]
_RECEIVED = ("9", "10", "11", "106")
_SENT_BACK = ("102", "105")


def status_text(code: str, language: str = "UA") -> str:
    """Return the status in words: Ukrainian unless Language says RU."""
    words = _TEXTS.get(code, (f"Статус {code}", f"Статус {code}"))
    return words[1] if language.upper() == "RU" else words[0]


def set_status(world: World, waybill: Waybill, code: str, at: dt.datetime, words: str = "") -> None:
    """Move a parcel to a status as of `at`; codes nobody has listed are taken as they are."""
    waybill.status, waybill.status_text, waybill.updated = code, words, at
    waybill.history.append({"code": code, "at": f"{at:%Y-%m-%d %H:%M:%S}"})
    if code not in _NOT_HANDED_OVER:
        waybill.scanned = at
    if code in _ARRIVED:
        waybill.arrived = at
    elif code in _RECEIVED:
        waybill.arrived = waybill.arrived or at
        waybill.received = waybill.received or at
        waybill.paid_out = at if code == "11" else waybill.paid_out
    elif code == "111":
        waybill.failed = at
    elif code == "112":
        waybill.eta += dt.timedelta(days=1)
    elif code == "2":
        waybill.deleted = True
    if code in _SENT_BACK:
        send_back(world, waybill, at)
    elif code == "104":
        redirect(world, waybill, at, {})
    elif code == "106":
        send_back(world, waybill, at, "RedeliveryDocuments")


def mark_deleted(world: World, waybill: Waybill) -> None:
    """Delete a waybill: tracking answers 2 from now on, lists forget it."""
    set_status(world, waybill, "2", world.now())


def send_back(world: World, waybill: Waybill, at: dt.datetime, kind: str = "CargoReturn") -> Waybill:
    """Create the return's own waybill, once; the old record names it in LastCreatedOnTheBasisNumber."""
    turned = {
        "CitySender": "CityRecipient",
        "Sender": "Recipient",
        "SenderAddress": "RecipientAddress",
        "ContactSender": "ContactRecipient",
        "SendersPhone": "RecipientsPhone",
    }
    sent = waybill.sent | {
        target: waybill.sent.get(source) for pair in turned.items() for target, source in (pair, pair[::-1])
    }
    for name in ("BackwardDeliveryData", "AfterpaymentOnGoodsCost", "InfoRegClientBarcodes"):
        sent.pop(name, None)
    return _follow(world, waybill, at, sent, kind)


def redirect(world: World, waybill: Waybill, at: dt.datetime, changes: dict[str, Any]) -> Waybill:
    """Create the waybill that goes on to the new address, once."""
    return _follow(world, waybill, at, waybill.sent | changes, "Redirecting")


def _follow(world: World, waybill: Waybill, at: dt.datetime, sent: dict[str, Any], kind: str) -> Waybill:
    if waybill.basis_number and (known := world.by_number(waybill.basis_number)):
        return known
    following = world.add_waybill(
        sent, number=world.new_number("5900"), owner_number=waybill.number, owner_type=kind, status="5"
    )
    following.scanned = following.updated = at
    waybill.basis_number, waybill.basis_type, waybill.basis_at = following.number, kind, at
    return following


def make_by_hand(world: World, wishes: dict[str, Any]) -> Waybill:
    """Create a waybill as if somebody had made it in the cabinet: no client barcode unless asked for.

    Wishes: phone, name, city, address, cost, cod, weight, barcode, number; each has a value of its own otherwise.
    """
    last, first, middle = (*str(wishes.get("name") or "Тестенко Тест Тестович").split(maxsplit=2), "", "")[:3]
    phone = str(wishes.get("phone") or "380500000004")
    contact = world.contact_named(PRIVATE_RECIPIENTS, last, first, middle, phone) or world.add_contact(
        PRIVATE_RECIPIENTS, last, first, middle, phone
    )
    sent = {
        "PayerType": "Recipient",
        "PaymentMethod": "Cash",
        "DateTime": f"{world.now():%d.%m.%Y}",
        "CargoType": "Parcel",
        "Weight": str(wishes.get("weight") or "0.5"),
        "VolumeGeneral": "0.004",
        "ServiceType": "WarehouseWarehouse",
        "SeatsAmount": "1",
        "Description": "Косметика",
        "Cost": str(wishes.get("cost") or "500"),
        "CitySender": KYIV_CITY,
        "Sender": SENDER,
        "SenderAddress": KYIV_BRANCH_2,
        "ContactSender": SENDER_CONTACT,
        "SendersPhone": SENDER_PHONE,
        "CityRecipient": str(wishes.get("city") or KYIV_CITY),
        "Recipient": PRIVATE_RECIPIENTS,
        "RecipientAddress": str(wishes.get("address") or KYIV_BRANCH_1),
        "ContactRecipient": contact.ref,
        "RecipientsPhone": phone,
        "InfoRegClientBarcodes": str(wishes.get("barcode") or ""),
    }
    if wishes.get("cod"):
        back = {"PayerType": "Recipient", "CargoType": "Money", "RedeliveryString": str(wishes["cod"])}
        sent["BackwardDeliveryData"] = [back]  # type: ignore[assignment]
    return world.add_waybill(sent, by_hand=True, number=str(wishes.get("number") or ""))


def read_moment(value: str) -> dt.datetime:
    """Read "YYYY-MM-DD HH:MM:SS" in the vendor's zone."""
    return dt.datetime.strptime(value, "%Y-%m-%d %H:%M:%S").replace(tzinfo=KYIV)
