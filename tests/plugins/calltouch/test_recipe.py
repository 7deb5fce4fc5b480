"""The quest company's file with the real plugin in it: it loads, and its routes do what they say with its events."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from hub.config import Config, load
from hub.model import Action
from hub.plugins import Plugins
from hub.testing import request_from_file
from hub.trying import Bench
from plugins.calltouch.connector import Calltouch
from plugins.calltouch.outgoing import DEAL_WORDS
from tests.hub.config.fakes import TARGETS, Form, _target
from tests.hub.config.test_targets import TABLES

FILE = Path(__file__).parents[2] / "hub" / "config" / "targets" / "quest_rooms.yaml"
SAMPLES = Path(__file__).parent / "samples"
FROM_CALLS, BACK = "D1 D6 every request ends in the CRM", "D6 deal and revenue to Calltouch"
CT_NAMES = {
    "ct_call": "601007", "ct_request": "601008", "ct_session": "601009", "channel": "601004", "utm_source": "601005",
    "utm_campaign": "601006",
}  # fmt: skip


@pytest.fixture
def config(tmp_path: Path) -> Config:
    form = _target("form")
    form.events = Form.events
    others = [one for one in TARGETS if one.name != "calltouch"]
    (tmp_path / "hub.yaml").write_text(FILE.read_text("utf-8"), "utf-8")
    (tmp_path / "tables").mkdir()
    for name, head in TABLES.items():
        (tmp_path / "tables" / f"{name}.csv").write_text(head)
    names = re.findall(r"\$\{(\w+)\}", FILE.read_text("utf-8"))
    environ = {**dict.fromkeys(names, "x" * 20), "CT_SECRET": "FAKE_SECRET"}
    return load(tmp_path / "hub.yaml", Plugins.of(form, Calltouch, *others), environ)


def test_it_loads_without_a_word_about_calltouch(config: Config) -> None:
    assert [str(note) for note in config.notes if note.level != "later"] == []
    assert isinstance(config.connections["calls"].settings, dict)
    assert config.connections["calls"].settings["poll"] == 300.0
    off = {route.name for route in config.routes if route.off}
    assert not off & {FROM_CALLS, "D3 who answers first becomes responsible", BACK}


def planned(config: Config, sample: str) -> dict[str, dict[str, Any]]:
    """Return what the routes would write for a sample: event type -> values by our words."""
    query = () if sample.endswith(".txt") else (("secret", "FAKE_SECRET"),)  # it stands in the .txt files already
    trial = Bench(config).run("calls", request_from_file(SAMPLES / sample, "calls", query=query))
    assert trial.verified is True
    found: dict[str, dict[str, Any]] = {}
    for row in trial.plan:
        if row.outcome == "would run" and row.route == FROM_CALLS:
            words = {code: ours for ours, code in CT_NAMES.items()}
            found[row.event] = {words.get(code, code): value for code, value in row.values.items()}
    return found


def test_a_finished_call_brings_its_source_to_the_deal(config: Config) -> None:
    values = planned(config, "lead.call-completed.reconstructed.webhook.txt")["call.finished"]
    assert values["channel"] == "phone"
    assert (values["utm_source"], values["utm_campaign"]) == ("yadir", "spring")
    assert values["ct_session"] == "400000001"
    assert values["name"] == "phone: +79000000001"
    assert "ct_call" not in values  # this hook has no callId: the deal is matched by its phone later


@pytest.mark.parametrize(
    ("sample", "type", "field", "value"),
    [
        ("lead.call-answered-by.made.webhook.txt", "call.finished", "ct_call", "300000005"),
        ("lead.call-missed.made.webhook.json", "call.missed", "ct_call", "300000002"),
        ("lead.request.reconstructed.webhook.txt", "form.submitted", "ct_request", "700000001"),
    ],
)
def test_the_ids_that_tie_the_deal_to_its_lead(config: Config, sample: str, type: str, field: str, value: str) -> None:
    assert planned(config, sample)[type][field] == value


def test_who_answered_becomes_responsible(config: Config) -> None:
    request = request_from_file(SAMPLES / "lead.call-answered-by.made.webhook.txt", "calls")
    trial = Bench(config).run("calls", request)
    rows = [row for row in trial.plan if row.event == "call.answered"]
    assert [row.route for row in rows] == ["D3 who answers first becomes responsible"]
    assert [event.by for event in trial.events if event.type == "call.answered"] == ["Тест Тестова"]


def test_the_route_back_writes_nothing_the_plugin_does_not_know(config: Config) -> None:
    [route] = [one for one in config.routes if one.name == BACK]
    assert set(route.steps[0].set.keys()) <= set(DEAL_WORDS)


def test_the_values_of_the_route_back_become_the_vendors_deal(cabinet: Any) -> None:
    call = cabinet.sandbox.call("79000000001", lost=True)
    values = {
        "orderNumber": "55",
        "orderDate": "2026-03-04T10:00:00+00:00",
        "status": "Успех",
        "funnel": "Игры",
        "revenue": "3500.00",
        "currency": "rub",
        "manager": "Анна",
        "matching": [{"call": str(call["callId"])}, {"leadContact": "+79000000001"}, "withoutSource"],
    }
    done = cabinet.connector.perform(Action("deal.upsert", "deal", "create", values=values))
    assert done.id == "55"
    kept = cabinet.state()["orders"]["55"]
    assert (kept["lead"], kept["revenue"], kept["funnel"]) == ({"call": call["callId"]}, "3500.00", "Игры")
