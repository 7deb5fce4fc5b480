"""Cities, branches and streets as people write them."""

from __future__ import annotations

from typing import Any

import pytest

from hub.errors import Refused, Retry
from plugins.novaposhta.client import Client
from plugins.novaposhta.directory import City, Directory
from plugins.novaposhta.sandbox import directory as world

KYIV = City(world.KYIV, "e718a680-4b33-11e4-ab6d-005056801329", "м. Київ")


class Rows:
    """A client that answers prepared rows and counts the questions."""

    def __init__(self, rows: list[dict[str, Any]]) -> None:
        self.rows, self.asked = rows, []  # type: ignore[var-annotated]

    def settlements(self, name: str, limit: int = 50) -> list[dict[str, Any]]:
        self.asked.append(name)
        return self.rows

    def warehouses(self, properties: dict[str, Any]) -> list[dict[str, Any]]:
        self.asked.append(properties)
        return self.rows


@pytest.fixture
def client(office: Any) -> Client:
    connector = office.connector
    return Client(connector.http, connector.settings["api_url"], connector.settings["api_key"])


@pytest.mark.parametrize(
    ("text", "ref"),
    [
        ("Київ", world.KYIV),
        ("київ", world.KYIV),
        ("м. Київ", world.KYIV),
        ("Київ, Київська обл.", world.KYIV),
        ("с. Київець", world.KYIVETS),
        ("Миколаївка, Одеська", world.MYKOLAIVKA_ODESA),
        ("Миколаївка (Київська область)", world.MYKOLAIVKA_KYIV),
        ("Миколаївка, Білоцерківський р-н", world.MYKOLAIVKA_KYIV),
        ("Одесса", world.ODESA),  # the vendor finds Russian names; one place fits
        (world.LVIV, world.LVIV),
    ],
)
def test_city(client: Client, text: str, ref: str) -> None:
    assert Directory().city(client, text).ref == ref


def test_namesakes_are_not_guessed(client: Client) -> None:
    with pytest.raises(Refused, match=r"add the oblast: .*Одеська обл\.; .*Київська обл\.") as caught:
        Directory().city(client, "Миколаївка")
    assert "city" in caught.value.fields


@pytest.mark.parametrize("text", ["Атлантида", "Ки", ","])
def test_no_such_city(client: Client, text: str) -> None:
    with pytest.raises(Refused):
        Directory().city(client, text)


def test_a_namesake_without_branches_is_no_choice_for_a_branch() -> None:
    rows = [
        {"MainDescription": "Суми", "Present": "м. Суми", "Ref": "1", "DeliveryCity": "a", "Warehouses": 90},
        {"MainDescription": "Суми", "Present": "с. Суми", "Ref": "2", "DeliveryCity": "b", "Warehouses": "0"},
    ]
    assert Directory().city(Rows(rows), "Суми").ref == "a"  # type: ignore[arg-type]
    with pytest.raises(Refused):
        Directory().city(Rows(rows), "Суми", branch_wanted=False)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("text", "ref", "postomat"),
    [
        ("1", world.KYIV_BRANCH_1, False),
        ("№2", world.KYIV_BRANCH_2, False),
        ("Відділення №3 (до 30 кг): вул. Хрещатик, 22", world.KYIV_BRANCH_30_KG, False),
        ("Отделение 1", world.KYIV_BRANCH_1, False),
        ("Поштомат 5001", world.KYIV_POSTOMAT, True),
        ('Поштомат "Нова Пошта" №5001', world.KYIV_POSTOMAT, True),
        ("Хрещатик, 22", world.KYIV_BRANCH_30_KG, False),
        (world.KYIV_POSTOMAT, world.KYIV_POSTOMAT, True),
    ],
)
def test_branch(client: Client, text: str, ref: str, postomat: bool) -> None:
    branch = Directory().branch(client, KYIV, text)
    assert (branch.ref, branch.postomat) == (ref, postomat)


def test_an_empty_answer_is_asked_again_then_believed(client: Client) -> None:
    with pytest.raises(Retry, match="hiccup") as caught:
        Directory().branch(client, KYIV, "777")
    assert caught.value.after == 3
    with pytest.raises(Refused, match="shows none"):
        Directory().branch(client, KYIV, "777", patient=False)


def test_a_closed_branch(client: Client) -> None:
    with pytest.raises(Refused, match="takes no parcels now"):
        Directory().branch(client, KYIV, "4")


def test_several_branches_fit(client: Client) -> None:
    with pytest.raises(Refused, match="several fit"):
        Directory().branch(client, KYIV, "Хрещатик")


def test_remembered_for_a_day() -> None:
    now = [0.0]
    directory, rows = Directory(clock=lambda: now[0]), Rows([world.WAREHOUSES[world.KYIV_BRANCH_1]])
    for at in (0, 3600, 86_399, 86_401):
        now[0] = at
        directory.branch(rows, KYIV, "1")  # type: ignore[arg-type]
    assert len(rows.asked) == 2
    assert directory.forget()
    assert not directory.forget()


def test_memory_has_an_end() -> None:
    directory, rows = Directory(most=2), Rows([world.WAREHOUSES[world.KYIV_BRANCH_1]])
    for city in ("a", "b", "c", "a"):
        directory.branch(rows, City(city), "1")  # type: ignore[arg-type]
    assert len(rows.asked) == 4


@pytest.mark.parametrize("text", ["Хрещатик", "вул. Хрещатик"])
def test_street(client: Client, text: str) -> None:
    assert Directory().street(client, KYIV, text) == "ad090b1f-6845-11e6-8304-00505688561d"


def test_no_street(client: Client) -> None:
    with pytest.raises(Refused, match="shows none"):
        Directory().street(client, KYIV, "Бродвей")
    with pytest.raises(Refused, match="city's name"):
        Directory().street(client, City(world.KYIV), "Хрещатик")
