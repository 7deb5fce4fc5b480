"""Names and phones as people write them."""

from __future__ import annotations

import pytest

from plugins.novaposhta import recipient


@pytest.mark.parametrize(
    ("whole", "last", "first", "middle"),
    [
        ("Олена Коваль", "Коваль", "Олена", ""),
        ("Коваленко Олена", "Коваленко", "Олена", ""),
        ("Олена Коваленко", "Коваленко", "Олена", ""),
        ("Шевчук Ірина", "Шевчук", "Ірина", ""),
        ("Коваль Олена Іванівна", "Коваль", "Олена", "Іванівна"),
        ("Олена Іванівна Коваль", "Коваль", "Олена", "Іванівна"),
        ("Іван Петрович Нечуй-Левицький", "Нечуй-Левицький", "Іван", "Петрович"),
        ("Лук’ян   Дем`яненко", "Дем'яненко", "Лук'ян", ""),
    ],
)
def test_names(whole: str, last: str, first: str, middle: str) -> None:
    person, problems = recipient.read({"name": whole, "phone": "0671234567"})
    assert problems == {}
    assert person is not None
    assert person.name == recipient.Name(first, last, middle)


def test_parts_win_over_the_whole() -> None:
    values = {"name": "x", "first_name": "Олена", "last_name": "Коваль", "phone": "0671234567"}
    person, _ = recipient.read(values)
    assert person is not None
    assert person.properties() == {
        "CounterpartyType": "PrivatePerson",
        "CounterpartyProperty": "Recipient",
        "FirstName": "Олена",
        "MiddleName": "",
        "LastName": "Коваль",
        "Phone": "380671234567",
    }


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("", "no recipient name"),
        ("Олена", "surname and first name"),
        ("Олена Коваль2", "more than letters"),
        ("Олена 💅", "more than letters"),
        ("Коваль Коваль", "stands twice"),
    ],
)
def test_bad_names(name: str, words: str) -> None:
    person, problems = recipient.read({"name": name, "phone": "0671234567"})
    assert person is None
    assert words in problems["name"]


@pytest.mark.parametrize("phone", ["067 123-45-67", "+380671234567", "380671234567", "0671234567", "(067)1234567"])
def test_phones(phone: str) -> None:
    person, _ = recipient.read({"name": "Олена Коваль", "phone": phone})
    assert person is not None
    assert person.phone == "380671234567"


@pytest.mark.parametrize(
    ("phone", "words"),
    [("", "no recipient phone"), (None, "no recipient phone"), ("+48501234567", "not a Ukrainian"), ("12", "not a")],
)
def test_bad_phones(phone: str, words: str) -> None:
    person, problems = recipient.read({"name": "Олена Коваль", "phone": phone})
    assert person is None
    assert words in problems["phone"]


def test_all_problems_at_once() -> None:
    assert set(recipient.read({})[1]) == {"name", "phone"}
