"""`hub drift`, `hub explain`, `hub check --live` about lines that are paused."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from hub import looks
from hub.connector import Connector, Named
from hub.ticker import Ticker
from tests.hub.cli.conftest import Hub
from tests.hub.drift.accounts import ACCOUNTS, START, Account, change, look
from tests.hub.fakes import Box, Source, form

YAML = """
hub: {unrouted: ignore, base_url: https://hub.example.com}
connections:
  site: {plugin: source}
  crm: {plugin: account, names: {fields: {city: UF_CITY}}}
routes:
  - name: form becomes a lead
    on: site.form.submitted
    do: crm.lead.upsert
    set: {TITLE: "Site: {{ contact.name }}", city: form.city, UF_BREED: form.breed}
"""


@pytest.fixture
def box(hub: Hub, plugins: Callable[..., None]) -> Iterator[Box]:
    connectors: tuple[type[Connector], ...] = (Source, Account)
    plugins(*connectors)
    hub.write(YAML)
    ACCOUNTS["crm"] = list(START)
    made = Box(hub.folder, YAML, plugins=connectors).start()
    look(made)
    yield made
    made.close()


def test_what_is_paused_is_listed_explained_and_accepted(hub: Hub, box: Box) -> None:
    assert "nothing is paused" in hub("drift", "list").output
    change(UF_CITY=None, UF_BREED=Named("field", "UF_BREED", "Breed", "lead", "enumeration"))
    look(box)
    box.runtime.pauses.forget()
    box.send(form(city="Kyiv", breed="akita"))
    box.settle()
    shown = hub("drift", "list").output
    assert "field UF_CITY (City) was deleted" in shown and "paused: hub.yaml:10 set.city" in shown
    assert "1 value left out at hub.yaml:10 set.city" in shown
    found = hub.json("drift", "list")
    assert {one["code"]: one["what"] for one in found["drifts"]} == {"UF_CITY": "deleted", "UF_BREED": "retyped"}
    assert found["parked"] == [
        {"connection": "crm", "place": f"hub.yaml:10 set.{word}", "count": 1} for word in ("UF_BREED", "city")
    ]
    told = hub("explain", "d1").output
    assert "left out UF_CITY = Kyiv (hub.yaml:10 routes[0].set.city): field UF_CITY (City) was deleted; parked" in told
    alerts = hub("alerts", "list").output
    assert "hub drift accept crm UF_BREED" in alerts
    hub("drift", "accept", "crm", "NOTHING", code=1)
    hub("drift", "accept", "nobody", "X", code=2)
    assert "edit hub.yaml" in hub("drift", "accept", "crm", "UF_CITY", code=1).output
    assert "its lines go on" in hub("drift", "accept", "crm", "UF_BREED").output
    look(box)
    assert hub.json("drift", "list")["parked"] == [{"connection": "crm", "place": "hub.yaml:10 set.city", "count": 1}]


def test_a_live_check_says_the_same_and_changes_nothing(hub: Hub, box: Box) -> None:
    change(UF_CITY=None)
    found = hub.json("check", "--live", code=1)["connections"]
    texts = {one["name"]: [f["text"] for f in one["findings"]] for one in found}
    assert texts["crm"] == ["hub.yaml:10 set.city: field UF_CITY (City) was deleted"]
    assert hub.json("drift", "list") == {"drifts": [], "parked": []}, "the hub itself has not looked yet"
    ACCOUNTS["crm"] = list(START)
    change(UF_BREED=Named("field", "UF_BREED", "Breed", "lead", "text"))
    look(box)
    found = hub.json("check", "--live", code=1)["connections"]
    assert [f["text"] for one in found if one["name"] == "crm" for f in one["findings"]] == [
        "hub.yaml:10 set.UF_BREED: field UF_BREED (Breed) was retyped from string to text"
    ]


def test_every_account_that_can_be_looked_at_has_its_line(box: Box) -> None:
    Ticker(box.runtime).looks()
    with box.store.read() as db:
        assert [tuple(row) for row in db.rows("SELECT key, lane FROM line WHERE key LIKE 'drift:%'")] == [
            ("drift:crm", "crm:bulk")
        ]
    assert not looks.has_inventory(Source)


def test_an_inventory_made_of_names_alone_will_do(box: Box) -> None:
    class Worded(Source):
        def names(self) -> dict[str, dict[str, tuple[str, str]]]:
            return {
                "fields": {"city": ("UF_CITY", "City")},
                "users": {"anna": ("12", "Anna")},
                "lists": {"x": ("1", "")},
            }

    connector: Any = Worded(box.runtime.connector("crm").connection, {})
    assert looks.has_inventory(Worded)
    assert connector.inventory() == [Named("field", "UF_CITY", "City"), Named("user", "12", "Anna")]
