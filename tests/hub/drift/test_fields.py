"""A field that hub.yaml names is deleted: one line pauses, the rest goes on, nothing is lost."""

from __future__ import annotations

from collections.abc import Callable

from hub.connector import Named
from hub.drift import key_of
from hub.store import drift as rows
from tests.hub.drift.accounts import (
    ACCOUNTS,
    FIELD,
    YAML,
    change,
    leads,
    line_of,
    look,
    parked,
    told,
    written,
)
from tests.hub.fakes import WORLDS, Box, form


def test_a_deleted_field_pauses_its_one_line_and_goes_on_when_it_is_back(hub: Callable[..., Box]) -> None:
    box = hub()
    change(UF_CITY=None)
    look(box)
    place = f"hub.yaml:{line_of(YAML, 'city: form.city')} set.city"
    names = f"hub.yaml:{line_of(YAML, 'names:')} names.fields.city"
    assert [text for text, _ in told(box)] == [f"crm: field UF_CITY (City) was deleted. Paused: {place}"]
    assert names in told(box)[0][1]
    box.send(form(city="Kyiv", breed="akita"))
    box.settle()
    (lead,) = leads()
    assert "UF_CITY" not in lead and lead["UF_BREED"] == "akita" and lead["TITLE"] == "Site: Anna"
    assert [one["state"] for one in box.deliveries()] == ["done", "done"], "the run goes on behind it"
    assert parked(box) == [("UF_CITY", "Kyiv", "parked")]
    change()
    ACCOUNTS["crm"].append(FIELD)
    look(box)
    assert leads()[0]["UF_CITY"] == "Kyiv" and told(box) == []
    assert parked(box) == [("UF_CITY", "Kyiv", "replayed")]
    assert written() == [{"UF_CITY": "Kyiv"}], "one write, of the field that was left out and nothing else"
    look(box)
    assert len(written()) == 1, "sent once"
    assert [one["step"] for one in box.deliveries()][-1].startswith("0p")


def test_an_edited_hub_yaml_sends_what_was_left_out_under_the_new_name(hub: Callable[..., Box]) -> None:
    box = hub()
    new = Named("field", "UF_TOWN", "City", "lead", "string")
    change(UF_CITY=None)
    ACCOUNTS["crm"].append(new)
    look(box)
    text, mend = told(box)[0]
    assert "field City was renamed from UF_CITY to UF_TOWN" in text
    assert 'Write UF_TOWN ("City") in place of UF_CITY' in mend
    box.send(form(city="Kyiv"), form(city="Lviv", phone="+380501112233"))
    box.settle()
    look(box)
    assert [state for *_, state in parked(box)] == ["parked"] * 2, "a look alone mends nothing"
    box = hub(YAML.replace("city: UF_CITY", "city: UF_TOWN"))
    assert sorted(lead["UF_TOWN"] for lead in leads()) == ["Kyiv", "Lviv"] and told(box) == []
    assert [state for *_, state in parked(box)] == ["replayed"] * 2
    with box.store.read() as db:
        assert db.one("SELECT n FROM counter WHERE name = 'parts_replayed'")[0] == 2
    box.send(form(city="Odesa", phone="+380631112233"), id="later")
    box.settle()
    assert sorted(lead["UF_TOWN"] for lead in leads()) == ["Kyiv", "Lviv", "Odesa"]


def test_values_of_a_field_that_stays_broken_hide_none_of_a_mended_one(hub: Callable[..., Box]) -> None:
    box = hub()
    change(UF_CITY=None, UF_BREED=None)
    look(box)
    box.send(form(city="Kyiv", breed="akita"))
    box.settle()
    with box.store.write() as db:  # more than one page of them, all older than what is mended
        ((city,),) = db.rows("SELECT id FROM part WHERE field = 'UF_CITY'")
        columns = "event, route, step, connection, record, ref, word, value, place, code, beside, reason, version, at"
        for number in range(1001):
            db.run(f"INSERT INTO part (delivery, field, state, {columns}) SELECT ?, 'UF_BREED', 'parked', {columns} "
                   "FROM part WHERE field = 'UF_BREED' ORDER BY id LIMIT 1", (100000 + number,))  # fmt: skip
        db.run("UPDATE part SET id = 100000 WHERE id = ?", (city,))
    change(UF_BREED=None)
    ACCOUNTS["crm"].append(FIELD)
    look(box)
    assert leads()[0]["UF_CITY"] == "Kyiv"
    assert [state for field, _, state in parked(box) if field == "UF_CITY"] == ["replayed"]


def test_a_line_taken_out_of_hub_yaml_gives_its_values_up_and_counts_them(hub: Callable[..., Box]) -> None:
    box = hub()
    change(UF_BREED=None)
    look(box)
    box.send(form(breed="akita"))
    box.settle()
    box = hub(YAML.replace("          UF_BREED: form.breed\n", ""))
    assert parked(box) == [("UF_BREED", "akita", "dropped")] and told(box) == []
    with box.store.read() as db:
        assert db.one("SELECT n FROM counter WHERE name = 'parts_dropped'")[0] == 1


def test_a_newer_value_is_not_written_over_by_an_older_one(hub: Callable[..., Box]) -> None:
    box = hub()
    change(UF_CITY=None)
    look(box)
    box.send(form(city="Kyiv"))
    box.settle()
    (lead,) = leads()
    with box.store.write() as db:  # the field is back and a later event writes it before the next look
        rows.remember(db, "crm", [FIELD], [])
        rows.close_drift(db, "crm", key_of(FIELD))
    WORLDS["crm"].records[("lead", lead["id"])]["UF_CITY"] = "Lviv"
    event = box.events()[0]
    with box.store.write() as db:
        db.run("INSERT INTO link SELECT connection, 'form', ?, 'crm', 'lead', ?, at FROM event WHERE id = ?",
               ("later", lead["id"], event["id"]))  # fmt: skip
    box.send({**form(city="Lviv"), "subject": "form:later"})
    box.settle()
    assert parked(box) == [("UF_CITY", "Kyiv", "superseded")]
    ACCOUNTS["crm"].append(FIELD)
    look(box)
    assert leads()[0]["UF_CITY"] == "Lviv"
