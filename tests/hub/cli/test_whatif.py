"""`hub whatif`: the stored events through an edited file, as a difference of planned calls."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import marshmallow as ma
import pytest

from hub.config import load
from hub.model import Event, Receipt
from hub.plugins import Plugins
from hub.store import Store, state, work
from hub.whatif import PAGE, WhatIf
from tests.hub.cli.conftest import YAML, Hub
from tests.hub.fakes import PLUGINS, WORLDS, Box, Sink, Source, SourceSettings, form


def edited(hub: Hub, *changes: tuple[str, str], text: str = YAML) -> str:
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    path = hub.folder / "new.yaml"
    path.write_text(text)
    return str(path)


def contents(store: Store) -> list[Any]:
    tables = ("receipt", "event", "delivery", "attempt", "person", "person_key", "seen", "counter", "alert", "fact")
    with store.read() as db:
        return [tuple(row) for table in tables for row in db.rows(f"SELECT * FROM {table} ORDER BY 1, 2")]


@pytest.fixture
def lived(hub: Hub, box: Box) -> Box:
    for city in ("Lviv", "Kyiv", "Lviv"):
        box.send(form(city=city))
    box.settle()
    return box


def test_the_same_file_changes_nothing(hub: Hub, lived: Box) -> None:
    told = hub.json("whatif", "--config", edited(hub))
    assert (told["events_read"], told["different"], told["events"]) == (3, 0, [])
    assert {one["route"]: (one["now"], one["then"]) for one in told["routes"]} == {
        "form becomes a lead": (3, 3), "only from Lviv": (2, 2),
    }  # fmt: skip


def test_added_gone_and_changed_calls_by_event_and_by_route(hub: Hub, lived: Box) -> None:
    before = contents(lived.store)
    acts = len(WORLDS["crm"].acts)
    path = edited(hub, ("form.city: Lviv", "form.city: Kyiv"), ("CITY: form.city", "CITY: {value: X}"))
    told = hub.json("whatif", "--config", path)
    assert told["different"] == 3
    first, second, _ = told["events"]
    assert first["event"] == "e1" and first["type"] == "site.form.submitted"
    assert first["changed"] == [{
        "route": "form becomes a lead", "step": 1, "do": "crm.lead.upsert",
        "values": {"CITY": {"now": "Lviv", "then": "X"}}, "target": {}, "if": {},
    }]  # fmt: skip
    assert [one["route"] for one in first["gone"]] == ["only from Lviv"] and first["added"] == []
    assert [(one["do"], one["values"]) for one in second["added"]] == [("crm.comment.create", {"text": "hello"})]
    assert told["routes"] == [
        {"route": "form becomes a lead", "now": 3, "then": 3, "added": 0, "gone": 0, "changed": 3},
        {"route": "only from Lviv", "now": 2, "then": 1, "added": 1, "gone": 2, "changed": 0},
    ]
    assert contents(lived.store) == before, "nothing is written"
    assert len(WORLDS["crm"].acts) == acts, "no vendor is called"


def test_it_is_told_in_words(hub: Hub, lived: Box) -> None:
    path = edited(hub, ("form.city: Lviv", "form.city: Kyiv"), ("CITY: form.city", "CITY: {value: X}"))
    told = hub("whatif", "--config", path, "--limit", "2")
    assert " ~ crm.lead.upsert  changed  route" in told.stdout and "CITY Lviv -> X" in told.stdout
    assert " - crm.comment.create  gone" in told.stdout and " + crm.comment.create  added" in told.stdout
    assert "and 1 event more" in told.stderr
    assert "3 events; 3 would go otherwise." in told.stdout


def test_one_route_alone(hub: Hub, lived: Box) -> None:
    path = edited(hub, ("only from Lviv", "only from there"), ("CITY: form.city", "CITY: {value: X}"))
    told = hub.json("whatif", "--config", path, "--route", "only from there")
    assert [one["route"] for one in told["routes"]] == ["only from there"]
    assert told["different"] == 2
    assert 'there is no route "only" ' in hub("whatif", "--config", path, "--route", "only", code=2).stderr


def test_another_target_is_another_call(hub: Hub, lived: Box) -> None:
    joins = "do: crm.lead.upsert\n    attach: {to: [open deal], within: 30d, as: comment}"
    told = hub.json("whatif", "--config", edited(hub, ("do: crm.lead.upsert", joins)))
    assert told["different"] == 3
    [change] = told["events"][0]["changed"]
    assert change["target"]["attach"]["now"] is None and "open deal as comment" in change["target"]["attach"]["then"]


def test_now_is_when_the_event_came(hub: Hub, lived: Box) -> None:
    changes = (("CITY: form.city", "CITY: \"{{ now | plus('2h') }}\""),)
    hub.write((hub.folder / "hub.yaml").read_text().replace(*changes[0]))
    assert hub.json("whatif", "--config", edited(hub, *changes))["different"] == 0


def test_only_what_came_since_then(hub: Hub, lived: Box) -> None:
    with lived.store.write() as db:
        db.run("UPDATE event SET at = at - 8 * 86400 WHERE id < 3")
    path = edited(hub, ("CITY: form.city", "CITY: {value: X}"))
    assert hub.json("whatif", "--config", path)["events_read"] == 1
    assert hub.json("whatif", "--config", path, "--since", "30d")["events_read"] == 3


def test_problems_of_the_edited_file_are_printed_as_check_does(hub: Hub, lived: Box) -> None:
    path = edited(hub, ("crm.lead.upsert", "crm.lead.upsrt"), ("form.city: Lviv", "frm.city: Lviv"))
    told = hub("whatif", "--config", path, code=2)
    assert "new.yaml:10" in told.stderr and 'no action "lead.upsrt"' in told.stderr
    assert "can't be used: 2 problems" in told.stderr
    assert len(hub.json("whatif", "--config", path, code=2)["problems"]) == 2
    assert "does not exist" in hub("whatif", "--config", "nowhere.yaml", code=2).stderr


def test_secrets_of_both_files_are_masked(hub: Hub, lived: Box) -> None:
    path = edited(
        hub, ("CITY: form.city", "CITY: letmein-and-more"), ('secret: "${SITE_SECRET}"}', "secret: another-one}"),
        ("text: event.text", "text: another-one"),
    )  # fmt: skip
    told = hub("whatif", "--config", path).stdout
    assert "***-and-more" in told and "letmein" not in told and "another-one" not in told


def test_a_connection_that_is_taken_out_brings_nothing(hub: Hub, lived: Box) -> None:
    path = edited(hub, ("  site: {plugin", "  other: {plugin"),
                  ("on: site.form.submitted", 'on: "*.form.submitted"'))  # fmt: skip
    told = hub.json("whatif", "--config", path)
    assert told["different"] == 3 and all(one["gone"] and not one["added"] for one in told["events"])


# --- what a vendor would tell ------------------------------------------------------------------------

LINKED = """
hub: {region: UA, unrouted: ignore}
connections:
  site: {plugin: source, secret: letmein}
  crm: {plugin: sink}
routes:
  - name: a form of a known deal
    on: site.form.submitted
    steps:
      - do: crm.note.create
        when: {deal.stage: WHEN}
        set: {TEXT: "{{ deal.title }}"}
"""


def test_what_a_route_would_load_is_taken_from_what_was_last_seen(hub: Hub, tmp_path: Path) -> None:
    hub.write(LINKED.replace("WHEN", "[new, won]"))
    box = Box(hub.folder, LINKED.replace("WHEN", "[new, won]")).start()
    for n in range(2):
        box.send(form(phone=f"+38067111220{n}") | {"subject": f"form:{n}"})
    box.settle()
    with box.store.write() as db:
        work.add_links(db, [(("site", "form", "0"), ("crm", "deal", "7"))])
        state.set_seen(db, "crm", "deal:7", {"record": {"id": "7", "stage": "won", "title": "Cake"}})
    told = hub.json("whatif", "--config", edited(hub, ("WHEN", "[won]"), ("{{ deal.title }}", "{{ deal.title }}!"),
                                                 text=LINKED))  # fmt: skip
    known, unknown = told["events"]
    assert (
        known["changed"][0]["values"] == {"TEXT": {"now": "Cake", "then": "Cake!"}} and known["changed"][0]["if"] == {}
    )
    assert unknown["changed"][0]["values"] == {"TEXT": {
        "now": "{{ deal.title }} (not known without asking crm)",
        "then": "{{ deal.title }}! (not known without asking crm)",
    }}  # fmt: skip
    assert unknown["changed"][0]["if"] == {
        "now": ["deal.stage is one of new, won"], "then": ["deal.stage is won"],
    }  # fmt: skip
    told = hub.json("whatif", "--config", edited(hub, ("WHEN", "[lost]"), text=LINKED))
    assert (told["events"][0]["event"], len(told["events"][0]["gone"])) == ("e1", 1)
    told = hub.json("whatif", "--config", edited(hub, ("WHEN", "won"), ("a form of", "another of"), text=LINKED))
    known, unknown = (one["added"][0] for one in told["events"])
    assert (known["values"], known.get("if")) == ({"TEXT": "Cake"}, None)
    assert (unknown["values"], unknown["if"]) == (
        {"TEXT": "{{ deal.title }} (not known without asking crm)"},
        ["deal.stage is won"],
    )
    box.close()


# --- other settings, many events -----------------------------------------------------------------------


class Choosy(Source):
    """Reads what its settings tell it to read."""

    name = "choosy"

    class Settings(SourceSettings):
        city = ma.fields.String(load_default="city")
        kind = ma.fields.String(load_default="form.submitted")

    def parse(self, receipt: Receipt) -> list[Event]:
        body = json.loads(receipt.request.body)
        if "broken" in body and self.settings["city"] == "city":
            raise ValueError("a new format")
        record = {"form": {"id": "f", "city": body.get(self.settings["city"])}}
        return [Event(self.settings["kind"], f"form:{body['id']}", str(body["id"]), record)]


CHOOSY = """
hub: {unrouted: ignore}
connections:
  site: {plugin: choosy, secret: letmein}
  crm: {plugin: sink}
routes:
  - {name: note, on: site.form.submitted, do: crm.note.create, set: {TEXT: form.city}}
"""


@pytest.fixture(params=["sqlite_store", "postgresql_store"])
def choosy(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Box]:
    store: Store = request.getfixturevalue(request.param)
    box = Box(tmp_path, CHOOSY, store, plugins=(Choosy, Sink)).start()
    yield box
    box.close()


def put(box: Box, **body: Any) -> None:
    from hub.model import Request

    raw = json.dumps(body).encode()
    assert box.receiver("site", Request("POST", "/in/site", headers={"x-secret": "letmein"}, body=raw)).status == 200


def through(box: Box, text: str, tmp_path: Path, since: float = 0.0) -> tuple[WhatIf, list[dict[str, Any]]]:
    path = tmp_path / "new.yaml"
    path.write_text(text)
    run = WhatIf(box.store, box.runtime.secret(), box.config, load(path, Plugins.of(Choosy, Sink, *PLUGINS[:1]), {}))
    return run, [one.json(lambda value: value) for one in run.run(since)]


def test_requests_are_read_again_where_the_settings_differ(choosy: Box, tmp_path: Path) -> None:
    put(choosy, id=1, city="Lviv", town="Odesa")
    put(choosy, id=2, city="Kyiv", town="Kyiv")
    put(choosy, id=3, broken=1, town="Rivne")
    choosy.settle()
    run, told = through(choosy, CHOOSY.replace("secret: letmein", "secret: letmein, city: town"), tmp_path)
    assert (run.summary.receipts, run.summary.different) == (3, 2)
    changed, understood = told
    assert changed["changed"][0]["values"] == {"TEXT": {"now": "Lviv", "then": "Odesa"}}
    assert (understood["event"], understood["receipt"]) == (None, "r3")
    assert understood["added"][0]["values"] == {"TEXT": "Rivne"}
    run, told = through(choosy, CHOOSY.replace("secret: letmein", "secret: letmein, kind: form.opened"), tmp_path)
    assert [len(one["gone"]) for one in told] == [1, 1]


def test_many_events_are_gone_through_page_by_page(
    choosy: Box, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for n in range(25):
        put(choosy, id=n, city=f"c{n}", town="x")
    choosy.settle()
    assert PAGE == 200
    monkeypatch.setattr("hub.whatif.PAGE", 10)
    told: list[int] = []
    path = tmp_path / "new.yaml"
    path.write_text(CHOOSY.replace("TEXT: form.city", "TEXT: Z"))
    run = WhatIf(choosy.store, choosy.runtime.secret(), choosy.config, load(path, Plugins.of(Choosy, Sink), {}))
    assert len(list(run.run(0.0, told.append))) == 25
    assert told == [10, 20, 25]
