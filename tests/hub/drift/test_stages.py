"""Stages, users, types and labels that change at the vendor: what pauses, what is held, what is told."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from hub import looks, outcome
from hub.connector import Named
from tests.hub.drift.accounts import (
    ACCOUNTS,
    STAGES,
    YAML,
    calm,
    change,
    leads,
    look,
    parked,
    told,
)
from tests.hub.fakes import WORLDS, Box, form


def deal(box: Box, id: str = "55", stage: str = "to_ship") -> None:
    WORLDS["crm"].records[("deal", id)] = {"id": id, "TTN": "2040", "stage": stage}


def parcel(status: str = "in_transit", key: str = "k1") -> dict[str, Any]:
    return {"type": "parcel.status_changed", "subject": f"parcel:2040{key}", "key": key,
            "record": {"parcel": {"number": "2040", "status": status}}}  # fmt: skip


def test_a_stage_that_is_gone_holds_what_needs_it_and_not_the_flow(hub: Callable[..., Box]) -> None:
    box = hub()
    deal(box)
    change(shipped=None)
    look(box)
    (text, mend), *_ = told(box)
    assert text.startswith("crm: stage shipped (Shipped) was deleted. Paused: hub.yaml:")
    assert "stage.in_transit" in text and "names.stages.sent" in mend
    box.send(parcel())
    box.send(form(city="Kyiv"))
    calm(box)
    held, *others = box.deliveries()
    assert (held["state"], held["wait"], held["tries"]) == ("ready", "drift", 0)
    assert json.loads(held["reason"])["code"] == "drift_deleted"
    assert {one["state"] for one in others} == {"done"}
    ACCOUNTS["crm"].append(STAGES[2])
    look(box)
    assert WORLDS["crm"].records[("deal", "55")]["stage"] == "shipped" and told(box) == []


def test_what_waits_too_long_for_its_stage_is_parked_and_goes_on_once_it_is_back(
    hub: Callable[..., Box], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hub.recorder.PATIENCE", -1.0)
    box = hub()
    deal(box)
    change(shipped=None)
    look(box)
    box.send(parcel())
    box.settle()
    (one,) = box.deliveries()
    assert (one["state"], json.loads(one["reason"])["code"]) == ("parked", "drift_parked")
    monkeypatch.setattr("hub.recorder.PATIENCE", outcome.PATIENCE)
    ACCOUNTS["crm"].append(STAGES[2])
    look(box)
    assert [one["state"] for one in box.deliveries()] == ["done"]


def test_a_move_is_left_out_of_a_step_that_writes_more(hub: Callable[..., Box]) -> None:
    yaml = YAML.replace(
        "    stage: {in_transit: sent, delivered: won, other: ignore}\n",
        "    set: {NOTE: parcel.status}\n    stage: {in_transit: sent, delivered: won, other: ignore}\n",
    )
    box = hub(yaml)
    deal(box)
    change(shipped=None)
    look(box)
    box.send(parcel())
    box.settle()
    kept = WORLDS["crm"].records[("deal", "55")]
    assert (kept["stage"], kept["NOTE"]) == ("to_ship", "in_transit")
    assert parked(box) == [("stage", "shipped", "parked")]
    ACCOUNTS["crm"].append(STAGES[2])
    look(box)
    assert kept["stage"] == "shipped" and parked(box)[0][2] == "replayed"


def test_a_replayed_move_never_goes_back(hub: Callable[..., Box]) -> None:
    yaml = YAML.replace(
        "    stage: {in_transit: sent,", "    set: {NOTE: parcel.status}\n    stage: {in_transit: sent,"
    )
    box = hub(yaml)
    deal(box)
    change(shipped=None)
    look(box)
    box.send(parcel())
    box.settle()
    WORLDS["crm"].records[("deal", "55")]["stage"] = "won"  # somebody moved it on meanwhile
    ACCOUNTS["crm"].append(STAGES[2])
    look(box)
    assert WORLDS["crm"].records[("deal", "55")]["stage"] == "won"
    last = box.deliveries()[-1]
    assert (last["state"], json.loads(last["reason"])["code"]) == ("skipped", "stage_backward")


def test_a_dismissed_employee_is_left_out_wherever_the_value_comes_from(hub: Callable[..., Box]) -> None:
    yaml = YAML.replace(
        '          TITLE: "Site: {{ contact.name }}"\n',
        '          TITLE: "Site: {{ contact.name }}"\n          OWNER: {from: form.owner}\n',
    )
    box = hub(yaml)
    ACCOUNTS["crm"] = [one for one in ACCOUNTS["crm"] if one.code != "12"]
    look(box)
    text = told(box)[0][0]
    assert text.startswith("crm: user 12 (Anna Koval) was deleted. Paused: hub.yaml:") and "team.anna.crm" in text
    box.send(form(owner="12"), form(owner="13", phone="+380501112233"))
    box.settle()
    assert {lead["phone"]: lead.get("OWNER") for lead in leads()} == {"+380671112233": None, "+380501112233": "13"}
    assert parked(box) == [("OWNER", "12", "parked")]


def test_a_cell_of_a_table_is_named_with_its_row(hub: Callable[..., Box]) -> None:
    yaml = YAML.replace(
        "    steps:\n      - do: crm.lead.upsert\n        set:\n",
        "    steps:\n      - {look_up: owners, where: {town: form.city}, as: owned}\n"
        "      - do: crm.lead.upsert\n        set:\n          OWNER: owned.owner\n",
    )
    box = hub(yaml)
    ACCOUNTS["crm"] = [one for one in ACCOUNTS["crm"] if one.code != "12"]
    look(box)
    assert "set.OWNER (table owners, row 1)" in told(box)[0][0]
    box.send(form(city="Kyiv"))
    box.settle()
    assert "OWNER" not in leads()[0]
    box = hub(yaml.replace('town: Kyiv, owner: "12"', 'town: Kyiv, owner: "13"').replace('crm: "12"', 'crm: "13"'))
    assert leads()[0]["OWNER"] == "13", "worked out anew by the table as it is now"


def test_another_type_pauses_until_the_line_is_edited(hub: Callable[..., Box]) -> None:
    box = hub()
    change(UF_BREED=Named("field", "UF_BREED", "Breed", "lead", "enumeration"))
    look(box)
    assert "field UF_BREED (Breed) was retyped from string to enumeration" in told(box)[0][0]
    box.send(form(breed="akita"))
    box.settle()
    assert parked(box) == [("UF_BREED", "akita", "parked")]
    box = hub(YAML.replace("delivered: won", "delivered: sent"))
    assert [text for text, _ in told(box)], "an edit elsewhere mends nothing"
    assert parked(box)[0][2] == "parked"
    box = hub(YAML.replace("UF_BREED: form.breed", "UF_BREED: {from: form.breed, map: {akita: '41'}}"))
    assert told(box) == [] and leads()[0]["UF_BREED"] == "41"


def test_another_type_may_be_accepted_as_it_is(hub: Callable[..., Box]) -> None:
    box = hub()
    change(UF_BREED=Named("field", "UF_BREED", "Breed", "lead", "text"))
    look(box)
    box.send(form(breed="akita"))
    box.settle()
    with box.store.write() as db:
        assert looks.accept(db, "crm", "UF_BREED") == {"found": True, "retyped": True}
        assert looks.accept(db, "crm", "UF_BREED") == {"found": False, "retyped": False}
    look(box)
    assert leads()[0]["UF_BREED"] == "akita" and told(box) == []


def test_another_label_is_told_and_pauses_nothing(hub: Callable[..., Box]) -> None:
    box = hub()
    change(UF_CITY=Named("field", "UF_CITY", "Town", "lead", "string"))
    look(box)
    (text, _), *_ = told(box)
    assert "field UF_CITY was renamed from City to Town" in text and "nothing stops" in text
    box.send(form(city="Kyiv"))
    box.settle()
    assert leads()[0]["UF_CITY"] == "Kyiv" and parked(box) == []
    look(box)
    with box.store.write() as db:
        assert db.one("SELECT count FROM alert")[0] == 1, "told once"
        db.run("UPDATE alert SET last_at = last_at - ?", (8 * 86400,))
    look(box)
    assert told(box) == []


def test_a_search_by_a_deleted_field_waits_instead_of_finding_anything(hub: Callable[..., Box]) -> None:
    box = hub()
    ACCOUNTS["crm"].append(Named("field", "TTN", "Waybill", "deal", "string"))
    look(box)
    ACCOUNTS["crm"] = [one for one in ACCOUNTS["crm"] if one.code != "TTN"]
    ACCOUNTS["crm"].append(Named("field", "X", "X", "deal"))
    look(box)
    deal(box)
    box.send(parcel())
    calm(box)
    assert [(one["state"], one["wait"]) for one in box.deliveries()] == [("ready", "drift")]
