"""Common.*: the small fixed lists; all of them answer without a key."""

from __future__ import annotations

from typing import Any

from plugins.novaposhta.codes import error_table, error_text
from plugins.novaposhta.sandbox.envelope import Answer, Props, method, paged, refuse, text
from plugins.novaposhta.sandbox.rules import read_date
from plugins.novaposhta.sandbox.world import World


def _named(*pairs: tuple[str, str]) -> list[dict[str, str]]:
    return [{"Description": description, "Ref": ref} for ref, description in pairs]


_LISTS: dict[str, list[dict[str, Any]]] = {
    "getCargoTypes": _named(
        ("Parcel", "Посилка"),
        ("Cargo", "Вантаж"),
        ("Documents", "Документи"),
        ("TiresWheels", "Шини-диски"),
        ("Pallet", "Палети"),
    ),
    "getServiceTypes": _named(
        ("DoorsDoors", "Адреса-Адреса"),
        ("DoorsWarehouse", "Адреса-Відділення"),
        ("WarehouseWarehouse", "Відділення-Відділення"),
        ("WarehouseDoors", "Відділення-Адреса"),
        ("DoorsPostomat", "Адреса-Поштомат"),
        ("WarehousePostomat", "Відділення-Поштомат"),
    ),
    "getTypesOfPayers": _named(("Sender", "Відправник"), ("Recipient", "Одержувач"), ("ThirdPerson", "Третя особа")),
    "getTypesOfPayersForRedelivery": _named(("Sender", "Відправник"), ("Recipient", "Одержувач")),
    "getPaymentForms": _named(("Cash", "Готівка"), ("NonCash", "Безготівка")),
    "getTypesOfCounterparties": _named(("PrivatePerson", "Приватна особа"), ("Organization", "Організація")),
    "getBackwardDeliveryCargoTypes": _named(("Documents", "Документи"), ("Money", "Грошовий переказ")),
    "getPackList": [
        {
            "Ref": "0446498a-7814-4a70-b262-f35c9c51cd85",
            "Description": "Гофрокартон 3-шаровий",
            "DescriptionRu": "Гофрокартон 3-слойный",
            "Length": "1000.0",
            "Width": "1000.0",
            "Height": "0.0",
            "VolumetricWeight": "0.00",
            "TypeOfPacking": "",
            "PackagingForPlace": "0",
        }
    ],
    "getTiresWheelsList": [
        {
            "Ref": "20f7b625-9add-11e3-b441-0050568002cf",
            "Description": "Шина вантажна R 22,5",
            "DescriptionRu": "Шина грузовая R 22,5",
            "Weight": "94.00",
            "DescriptionType": "Tires",
        }
    ],
    "getPalletsList": [
        {
            "Ref": "627b0c23-d110-11dd-8c0d-001d92f78697",
            "Description": "Палета від 1,5 м2 до 2 м2 (816)",
            "DescriptionRu": "Паллета от 1,5 м2 до 2 м2",
            "Weight": "816.00",
        }
    ],
    "getOwnershipFormsList": [
        {"Ref": "7f0f351d-2519-11df-be9a-000c291af1b3", "Description": "ТОВ", "FullName": "Товариство"},
        {"Ref": "82a5538f-4f94-11e8-a3de-005056b2fc3d", "Description": "АБ", "FullName": "Адвокатське бюро"},
    ],
}
_CARGO_DESCRIPTIONS = [
    {"Ref": "8f469737-33e4-11e3-b441-0050568002cf", "Description": "Косметика", "DescriptionRu": "Косметика"},
    {"Ref": "8f469738-33e4-11e3-b441-0050568002cf", "Description": "Книги", "DescriptionRu": "Книги"},
]


def _serve(name: str) -> None:
    @method(f"Common.{name}", without_key=True)
    def handler(_world: World, _props: Props) -> Answer:
        return Answer(_LISTS[name])


for _list_name in _LISTS:
    _serve(_list_name)


@method("Common.getCargoDescriptionList", without_key=True)
def get_cargo_descriptions(_world: World, props: Props) -> Answer:
    """Find words for what is inside."""
    wanted = text(props, "FindByString").lower()
    return paged([row for row in _CARGO_DESCRIPTIONS if wanted in row["Description"].lower()], props)


@method("Common.getTimeIntervals", without_key=True)
def get_time_intervals(world: World, props: Props) -> Answer:
    """List the hours a courier may be ordered for; a day gone by is refused."""
    if not text(props, "RecipientCityRef"):
        raise refuse("20000900767")
    day = read_date(text(props, "DateTime"))
    if day and day < world.now().date():
        raise refuse("20000400455")
    hours = (("09:00", "12:00"), ("12:00", "15:00"), ("15:00", "18:00"), ("18:00", "21:00"))
    return Answer(
        [
            {"Number": f"CityDeliveryTimeInterval{index}", "Start": start, "End": end}
            for index, (start, end) in enumerate(hours, 1)
        ]
    )


@method("Common.getMessageCodeText", without_key=True)
def get_message_code_text(_world: World, _props: Props) -> Answer:
    """Serve the whole table of messages; the translations are not kept here, English stands in for them."""
    return Answer(
        [
            {
                "MessageCode": code,
                "MessageText": error_text(code),
                "MessageDescriptionRU": error_text(code),
                "MessageDescriptionUA": error_text(code),
            }
            for code in error_table()
        ]
    )
