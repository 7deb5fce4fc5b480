"""Custom fields of every type: what is written, what a read brings back, and both spellings of the vendor's."""

from __future__ import annotations

import datetime as dt
from types import SimpleNamespace
from typing import Any

import pytest

from hub.errors import Refused
from plugins.amocrm import codes, outgoing
from plugins.amocrm.search import moment
from plugins.amocrm.values import Field, described, flat, moment_of, shown, written, zone

MOSCOW = zone("Europe/Moscow")
ENUMS = {"11": "Красный", "12": "Синий, тёмный"}


def field(type_: str, **more: Any) -> Field:
    return Field("5", "Поле", type=type_, **more)


#: field, value of a step -> values as sent, plain value as read back
WRITTEN: list[tuple[Field, Any, Any, Any]] = [
    (field("text"), "a", [{"value": "a"}], "a"),
    (field("textarea"), ["a", "b"], [{"value": "a, b"}], "a, b"),
    (field("url"), "https://x", [{"value": "https://x"}], "https://x"),
    (field("streetaddress"), "Тверская, 1", [{"value": "Тверская, 1"}], "Тверская, 1"),
    (field("tracking_data", code="UTM_SOURCE"), "vk", [{"value": "vk"}], "vk"),
    (field("numeric"), "1 499,5", [{"value": "1499.5"}], "1499.5"),
    (field("monetary"), 7, [{"value": "7"}], "7"),
    (field("price"), "1.50", [{"value": "1.50"}], "1.50"),
    (field("checkbox"), "yes", [{"value": True}], True),
    (field("checkbox"), "no", [{"value": False}], False),
    (field("checkbox"), True, [{"value": True}], True),
    (field("select", enums=ENUMS), "красный", [{"enum_id": 11}], "Красный"),
    (field("radiobutton", enums=ENUMS), "12", [{"enum_id": 12}], "Синий, тёмный"),
    (field("category", enums=ENUMS, codes={"red": "11"}), "red", [{"enum_id": 11}], "Красный"),
    (field("multiselect", enums=ENUMS), ["Красный", "12"],
     [{"enum_id": 11}, {"enum_id": 12}], ["Красный", "Синий, тёмный"]),
    (field("multiselect", enums=ENUMS), "Синий, тёмный", [{"enum_id": 12}], ["Синий, тёмный"]),
    (field("multiselect", enums={"1": "a", "2": "b"}), "a, b", [{"enum_id": 1}, {"enum_id": 2}], ["a", "b"]),
    (field("date"), "2026-05-04", [{"value": 1777842000}], "2026-05-04"),
    (field("date"), "2026-05-03T22:30:00+00:00", [{"value": 1777842000}], "2026-05-04"),
    (field("birthday"), "04.05.2000", [{"value": 957384000}], "2000-05-04"),
    (field("date_time"), "2026-05-04T18:30", [{"value": 1777908600}], "2026-05-04T15:30:00+00:00"),
    (field("date_time"), dt.datetime(2026, 5, 4, 15, 30, tzinfo=dt.UTC),
     [{"value": 1777908600}], "2026-05-04T15:30:00+00:00"),
    (field("multitext", code="PHONE"), "+7916", [{"value": "+7916", "enum_code": "WORK"}], ["+7916"]),
    (field("multitext", code="PHONE"),
     [{"value": "1", "enum_code": "MOB"}], [{"value": "1", "enum_code": "MOB"}], ["1"]),
    (field("smart_address"), {"city": "Москва", "zip": ""},
     [{"value": "Москва", "enum_code": "city"}], {"city": "Москва"}),
    (field("smart_address"), "Тверская",
     [{"value": "Тверская", "enum_code": "address_line_1"}], {"address_line_1": "Тверская"}),
    (field("legal_entity"), {"name": "ООО", "entity_type": 1},
     [{"value": {"name": "ООО", "entity_type": 1}}], {"name": "ООО", "entity_type": 1}),
    (field("file"), {"file_uuid": "u"}, [{"value": {"file_uuid": "u"}}], {"file_uuid": "u"}),
    (field("linked_entity"), {"entity_id": 5}, [{"value": {"entity_id": 5}}], [{"entity_id": 5}]),
    (field("chained_list"), [{"catalog_id": 1, "catalog_element_id": 2}], [{"catalog_id": 1, "catalog_element_id": 2}],
     [{"catalog_id": 1, "catalog_element_id": 2}]),
    (field("items"), [{"name": "Торт"}], [{"value": {"name": "Торт"}}], [{"name": "Торт"}]),
]  # fmt: skip


@pytest.mark.parametrize(("known", "given", "sent", "read"), WRITTEN, ids=lambda one: getattr(one, "type", None))
def test_what_is_written_and_reads_back(known: Field, given: Any, sent: Any, read: Any) -> None:
    assert written(known, given, MOSCOW) == sent
    assert shown(known, sent, MOSCOW) == read


@pytest.mark.parametrize("empty", [None, "", [], {}])
def test_nothing_empties_a_field(empty: Any) -> None:
    assert written(field("text"), empty, MOSCOW) is None
    assert shown(field("text"), None, MOSCOW) is None


@pytest.mark.parametrize(
    ("known", "given", "words"),
    [
        (field("select", enums=ENUMS), "Зелёный", r"field 5 \(Поле\): has no option 'Зелёный' \(it has: Красный"),
        (field("numeric"), "много", "is no number"),
        (field("numeric"), "NaN", "is no number"),
        (field("date"), "31.02.2026", "is no date"),
        (field("date_time"), "завтра", "is no date"),
        (field("smart_address"), {"planet": "x"}, "has no part 'planet'"),
    ],
)
def test_what_cant_be_one_of_the_fields(known: Field, given: Any, words: str) -> None:
    with pytest.raises(Refused, match=words) as caught:
        written(known, given, MOSCOW)
    assert list(caught.value.fields) == ["5"]


def test_a_webhook_and_a_read_say_the_same() -> None:
    """Webhooks say `enum`, leave types out and give dates without a value."""
    read = {
        "custom_fields_values": [
            {
                "field_id": 5,
                "field_code": "PHONE",
                "field_type": "multitext",
                "values": [{"value": "1", "enum": "WORK"}],
            },
            {"field_id": 6, "field_code": None, "field_type": "text", "values": [{"value": "x"}]},
        ]
    }
    hook = {
        "custom_fields": [
            {"id": "5", "name": "Phone", "code": "PHONE", "values": [{"value": "1", "enum": "552476"}]},
            {"id": "6", "name": "x", "values": ["x"]},
        ]
    }
    assert flat(read, MOSCOW) == flat(hook, MOSCOW) == {"5": ["1"], "PHONE": ["1"], "6": "x"}


@pytest.mark.parametrize("strange", [None, "x", 5, [], [None], [{"values": "x"}], [{"field_id": [], "values": {}}], {}])
def test_strange_fields_hold_nothing(strange: Any) -> None:
    assert flat({"custom_fields_values": strange}, MOSCOW) == {}


@pytest.mark.parametrize("strange", [None, True, [], {}, "", "x", "9" * 40, "2026-13-45", "1.2", float("inf")])
def test_what_is_no_moment(strange: Any) -> None:
    assert moment_of(strange, MOSCOW) is None


@pytest.mark.parametrize("strange", ["off", "no", "never", "", "soon"])
def test_a_search_since_no_moment_is_refused(strange: str) -> None:
    """`off` is a setting's word: as a moment it would mean now, and find nothing without a word."""
    with pytest.raises(Refused, match="neither a time nor a duration"):
        moment(strange)


def test_a_search_since_a_duration_counts_back_from_now() -> None:
    assert abs((dt.datetime.now(dt.UTC) - moment("1h 30m")).total_seconds() - 5400) < 60


def test_a_field_as_the_account_describes_it(recorded: Any) -> None:
    phone = described(recorded("custom-field-phone.response.json"))
    assert (phone.id, phone.code, phone.type, phone.spellings) == ("3", "PHONE", "multitext", ("3", "PHONE"))
    assert phone.enums["5"] == "MOB"
    plain = described(recorded("custom-fields-list.response.json")["_embedded"]["custom_fields"][0])
    assert (plain.code, plain.spellings) == ("", ("4439091",))


@pytest.mark.parametrize("kind", sorted(codes.ENTITIES))
def test_each_word_that_is_offered_can_be_written(kind: str) -> None:
    """Own fields, the two that every account has by their code, or what is done beside: nothing to look for."""

    def field_of(name: str) -> Field:
        assert name in codes.MULTITEXT, f"{kind} has no {name} of its own"
        return Field("1", name, code=name, type="multitext")

    stage = SimpleNamespace(pipeline="1", id="2")
    for word in outgoing.words(kind):
        told = outgoing.fields(kind, {word: "5"}, field_of, lambda name: stage, MOSCOW)  # type: ignore[arg-type, return-value]
        assert told.own or told.custom or told.beside, word
