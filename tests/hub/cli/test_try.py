"""`hub try`: what would become of a request; nothing is sent, nothing stored."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from hub.model import Reply, Request
from plugins.form.connector import FormConnector
from tests.hub.cli.conftest import YAML, Hub
from tests.hub.fakes import PLUGINS, WORLDS, Box, Sink, Source, World, form

CONTRACT = ["file", "verified", "rejected", "acknowledge", "events", "plan"]
STEPS = """
  - name: first of two
    on: site.parcel.status_changed
    steps:
      - {do: crm.deal.find, find: {ttn: parcel.number}, as: sale}
      - {do: crm.deal.set_stage, find: sale, stage: {delivered: won, other: ignore}}
      - {do: crm.comment.create, when: {deal.title: present}, set: {text: "{{ deal.title }} is there", OF: sale.id}}
"""


@pytest.fixture(autouse=True)
def world() -> World:
    WORLDS["crm"] = WORLDS["site"] = World()
    return WORLDS["crm"]


def write(folder: Path, *events: dict[str, Any], name: str = "in.json") -> str:
    file = folder / name
    file.write_text(json.dumps({"id": "m1", "events": events}))
    return str(file)


def test_the_contract_of_json(hub: Hub) -> None:
    file = write(hub.folder, {**form(city="Kyiv"), "subject": "form:1", "at": 1767225600})
    told = hub("try", "site", file, "--header", "X-Secret: letmein", "--json").stdout
    assert told.count("\n") == 1
    one = json.loads(told)
    assert list(one) == CONTRACT
    assert one["file"] == file and one["verified"] is True and one["rejected"] is None
    assert one["acknowledge"] == {"status": 200, "body": ""}
    [event] = one["events"]
    assert list(event) == ["type", "subject", "key", "occurred_at", "record"]
    assert (event["type"], event["subject"], event["key"]) == ("form.submitted", "form:1", "m1:0")
    assert event["occurred_at"] == "2026-01-01T00:00:00+00:00"
    assert event["record"]["form"]["city"] == "Kyiv"
    runs, skipped = one["plan"]
    assert (runs["route"], runs["do"], runs["outcome"]) == ("form becomes a lead", "crm.lead.upsert", "would run")
    assert runs["skipped_because"] is None and runs["values"] == {"TITLE": "Site: Anna", "CITY": "Kyiv"}
    assert (skipped["outcome"], skipped["do"]) == ("skipped", "crm.comment.create")
    assert skipped["skipped_because"] == "form.city is Kyiv, should be Lviv" and skipped["values"] == {}


def test_one_line_for_each_file(hub: Hub) -> None:
    files = [write(hub.folder, form(), name=f"{n}.json") for n in "ab"]
    told = hub("try", "site", *files, "--unsigned", "--json").stdout.splitlines()
    assert [json.loads(line)["file"] for line in told] == files


def test_a_forged_request_is_turned_away(hub: Hub, world: World) -> None:
    file = write(hub.folder, form())
    one = json.loads(hub("try", "site", file, "--json").stdout)
    assert one["verified"] is False and one["rejected"] == {"status": 403, "reason": "wrong secret"}
    assert one["acknowledge"] is None and one["events"] == [] and one["plan"] == []
    told = hub("try", "site", file).stdout
    assert "turned away with 403: wrong secret" in told and "--unsigned" in told


def test_unsigned_leaves_the_check_out(hub: Hub) -> None:
    one = json.loads(hub("try", "site", write(hub.folder, form()), "--unsigned", "--json").stdout)
    assert one["verified"] == "skipped" and one["plan"][0]["outcome"] == "would run"


def test_nothing_is_sent_and_nothing_stored(hub: Hub, world: World) -> None:
    before = set(hub.folder.iterdir())
    file = write(hub.folder, form())
    hub("try", "site", file, "--unsigned")
    assert world.acts == [] and world.reads == []
    assert set(hub.folder.iterdir()) - before == {Path(file)}


def test_a_whole_request_in_a_file(hub: Hub) -> None:
    body = json.dumps({"id": "m1", "events": [form()]})
    (hub.folder / "in.http").write_text(f"POST /in/site HTTP/1.1\nX-Secret: letmein\n\n{body}\n")
    one = json.loads(hub("try", "site", str(hub.folder / "in.http"), "--json").stdout)
    assert one["verified"] is True and len(one["events"]) == 1


def test_method_query_and_headers_reach_the_plugin(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[Request] = []
    monkeypatch.setattr(Source, "verify", lambda self, request: seen.append(request))
    hub("try", "site", write(hub.folder, form()), "--method", "put", "--query", "a=1&b=", "--header", "X-A: b: c")
    assert seen[0].method == "PUT" and seen[0].query == (("a", "1"), ("b", ""))
    assert seen[0].headers == {"content-type": "application/json", "x-a": "b: c"}


def test_a_story_for_people(hub: Hub) -> None:
    told = hub("try", "site", write(hub.folder, form(city="Lviv")), "--unsigned").stdout
    assert "not checked whether it is genuine" in told and "answered with 200" in told
    assert "contact.phone +380671112233" in told
    assert '→ route "form becomes a lead"' in told and "TITLE Site: Anna" in told
    assert '→ route "only from Lviv"' in told
    assert "\x1b[" not in told


def test_only_one_route(hub: Hub) -> None:
    file = write(hub.folder, form())
    one = json.loads(hub("try", "site", file, "--unsigned", "--route", "only from Lviv", "--json").stdout)
    assert [row["route"] for row in one["plan"]] == ["only from Lviv"]
    assert 'Did you mean "only from Lviv"?' in hub("try", "site", file, "--route", "only from Lvov", code=2).stderr


def test_what_differs_for_somebody_known(hub: Hub, box: Box) -> None:
    hub.write(
        YAML
        + """  - name: seen before
    on: site.form.submitted
    when: {person.requests: {at_least: 2}}
    do: crm.comment.create
    set: {text: "again, {{ person.requests }}"}
"""
    )
    file = write(hub.folder, form(city="Lviv"))
    box.send(form(city="Kyiv", phone="+380509998877"))
    box.settle()
    arguments = ("try", "site", file, "--unsigned", "--route", "seen before", "--json")
    [row] = json.loads(hub(*arguments).stdout)["plan"]
    assert row["if"] == ["person.requests is at least 2"], "nobody is said to ask"
    [row] = json.loads(hub(*arguments, "--person", "050 999-88-77").stdout)["plan"]
    assert "if" not in row and row["values"]["text"] == "again, 2"
    assert box.one("SELECT count(*) FROM event") == 1, "nothing is stored"
    assert "nobody is known by" in hub(*arguments, "--person", "0671000000", code=1).stderr


def test_what_later_steps_need_is_said_not_guessed(hub: Hub) -> None:
    hub.write(YAML + STEPS)
    record = {"parcel": {"number": "7", "status": "delivered"}}
    file = write(hub.folder, {"type": "parcel.status_changed", "subject": "parcel:7", "record": record})
    find, stage, comment = json.loads(hub("try", "site", file, "--unsigned", "--json").stdout)["plan"]
    assert (find["do"], find["step"]) == ("crm.deal.find", 1)
    assert stage["values"] == {"stage": "won"} and "if" not in stage
    assert comment["if"] == ["deal.title is present"]
    assert comment["values"] == {"text": "(read from crm when delivered)", "OF": "(sale.id, from step 1)"}


def test_what_would_be_done_if_the_vendor_said_no(hub: Hub) -> None:
    refused = "refused: [{do: crm.comment.create, set: {TEXT: x}}]"
    step = "{name: a, on: site.form.submitted, do: crm.lead.create, set: {TITLE: x}, " + refused + "}"
    hub.write(YAML + f"  - {step}\n")
    file = write(hub.folder, form())
    row = json.loads(hub("try", "site", file, "--unsigned", "--json").stdout)["plan"][-1]
    assert row["refused"] == ["crm.comment.create"]
    assert "if it is refused crm.comment.create" in hub("try", "site", file, "--unsigned").stdout


def test_a_stage_is_told_in_our_word_beside_its_code(hub: Hub) -> None:
    hub.write(YAML.replace("names: {fields", 'names: {stages: {won: "C5:WON"}, fields') + STEPS)
    file = write(hub.folder, {"type": "parcel.status_changed", "subject": "parcel:7",
                              "record": {"parcel": {"number": "7", "status": "delivered"}}})  # fmt: skip
    assert "stage won (C5:WON)" in hub("try", "site", file, "--unsigned").stdout
    plan = json.loads(hub("try", "site", file, "--unsigned", "--json").stdout)["plan"]
    assert plan[1]["values"] == {"stage": "C5:WON"}  # what is sent


STOPPING = """
  - name: stops
    on: site.form.submitted
    steps:
      - {do: crm.comment.create, set: {text: x}}
      - {when: {form.city: Kyiv}, stop: "no delivery to {{ form.city }}"}
      - {do: crm.deal.create, set: {TITLE: x}}
      - {do: crm.comment.create, set: {text: y}}
"""


def test_the_steps_behind_a_stop_are_listed_as_skipped(hub: Hub) -> None:
    hub.write(YAML + STOPPING)
    args = ("try", "site", write(hub.folder, form(city="Kyiv")), "--unsigned", "--route", "stops")
    plan = json.loads(hub(*args, "--json").stdout)["plan"]
    assert [(row["step"], row["do"], row["outcome"]) for row in plan] == [
        (1, "crm.comment.create", "would run"), (2, "stop", "would run"),
        (3, "crm.deal.create", "skipped"), (4, "crm.comment.create", "skipped"),
    ]  # fmt: skip
    assert {row["skipped_because"] for row in plan[2:]} == {"stopped: no delivery to Kyiv"}
    other = write(hub.folder, form(city="Lviv"))
    plan = json.loads(hub("try", "site", other, "--unsigned", "--route", "stops", "--json").stdout)["plan"]
    assert [row["outcome"] for row in plan] == ["would run", "skipped", "would run", "would run"]


def test_the_steps_behind_one_that_would_be_parked_are_listed_too(hub: Hub) -> None:
    hub.write(YAML + STOPPING.replace("{text: x}", '{text: "{{ now | plus(form.city) }}"}'))
    args = ("try", "site", write(hub.folder, form(city="Kyiv")), "--unsigned", "--route", "stops", "--json")
    first, *rest = json.loads(hub(*args).stdout)["plan"]
    assert first["skipped_because"].startswith("would be parked: ")
    assert [row["skipped_because"] for row in rest] == ["step 1 would be parked"] * 3


def test_a_builders_test_is_a_handshake_with_its_secret_left_out(hub: Hub, plugins: Callable[..., None]) -> None:
    plugins(*PLUGINS, FormConnector)
    hub.write('connections: {page: {plugin: form, secret: "${SITE_SECRET}"}}\nroutes: []\n')
    file = hub.folder / "ping.txt"
    file.write_text("test=test")
    one = json.loads(hub("try", "page", str(file), "--unsigned", "--json").stdout)
    assert one["handshake"] is True and one["rejected"] is None and one["verified"] == "skipped"
    assert one["acknowledge"] == {"status": 200, "body": "ok"}
    assert "the vendor's own test; answered with 200 ok" in hub("try", "page", str(file), "--unsigned").stdout
    one = json.loads(hub("try", "page", str(file), "--json").stdout)
    assert one["rejected"]["status"] == 401 and "handshake" not in one


def test_a_status_that_moves_no_stage(hub: Hub) -> None:
    hub.write(YAML + STEPS)
    record = {"parcel": {"number": "7", "status": "accepted"}}
    file = write(hub.folder, {"type": "parcel.status_changed", "subject": "parcel:7", "record": record})
    plan = json.loads(hub("try", "site", file, "--unsigned", "--json").stdout)["plan"]
    assert plan[1]["outcome"] == "skipped"
    assert plan[1]["skipped_because"] == "status accepted moves no stage here"


HINT = """
  - name: to ship
    on: crm.deal.stage_changed
    when: {deal.stage: to_ship, event.connection: crm}
    do: crm.comment.create
    set: {text: deal.title}
  - {name: never, on: crm.deal.updated, when: {event.connection: site}, do: crm.comment.create, set: {text: x}}
"""


def test_a_hint_lists_who_listens_and_what_cannot_be_judged_yet(hub: Hub) -> None:
    hub.write(YAML + HINT)
    file = write(hub.folder, {"type": "deal.updated", "subject": "deal:5", "hint": True})
    args = ["try", "crm", file, "--unsigned"]
    one = json.loads(hub(*args, "--json").stdout)
    assert one["events"][0]["incomplete"] == "would be read from the vendor"
    never, ship = one["plan"]
    assert (never["route"], never["outcome"]) == ("never", "skipped")
    assert never["skipped_because"] == "event.connection is crm, should be site"
    assert (ship["route"], ship["outcome"], ship["event"]) == ("to ship", "would run", "deal.stage_changed")
    assert ship["if"] == ["the stage has changed", "deal.stage is to_ship"]
    assert ship["values"] == {"text": "(read from crm when delivered)"}
    told = hub(*args).stdout
    assert "incomplete: would be read from the vendor" in told and "if deal.stage is to_ship" in told


def test_a_stage_reached_is_derived(hub: Hub) -> None:
    hub.write(YAML + HINT)
    record = {"deal": {"id": "5", "title": "Sofa", "stage": "to_ship"}}
    file = write(hub.folder, {"type": "deal.updated", "subject": "deal:5", "record": record})
    one = json.loads(hub("try", "crm", file, "--unsigned", "--json").stdout)
    assert [event["type"] for event in one["events"]] == ["deal.updated", "deal.stage_changed"]
    [ship] = [row for row in one["plan"] if row["route"] == "to ship"]
    assert ship["values"] == {"text": "Sofa"} and "if" not in ship


def test_a_route_that_is_off(hub: Hub) -> None:
    hub.write(YAML + "  - {name: later, on: site.form.submitted, for: 3h, do: crm.lead.create}\n")
    one = json.loads(hub("try", "site", write(hub.folder, form()), "--unsigned", "--json").stdout)
    [later] = [row for row in one["plan"] if row["route"] == "later"]
    assert later["outcome"] == "off" and later["skipped_because"]


def test_an_event_nobody_listens_to(hub: Hub) -> None:
    file = write(hub.folder, {"type": "deal.created", "subject": "deal:5", "record": {"deal": {"id": "5"}}})
    assert "no route listens to it" in hub("try", "crm", file, "--unsigned").stdout


def test_genuine_but_not_understood(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Source, "parse", lambda self, receipt: 1 / 0)
    file = write(hub.folder, form())
    result = hub("try", "site", file, "--unsigned", "--json", code=1)
    assert "the plugin failed here: ZeroDivisionError" in json.loads(result.stdout)["unreadable"]
    assert "not every request could be understood" in result.stderr


def test_the_vendors_own_test_is_answered(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Source, "handshake", lambda self, request: Reply(200, "challenge"))
    one = json.loads(hub("try", "site", write(hub.folder, form()), "--json").stdout)
    assert one["handshake"] is True and one["acknowledge"] == {"status": 200, "body": "challenge"}
    assert one["events"] == []


def test_hostile_bodies_end_in_a_reason(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    (hub.folder / "x.json").write_bytes(b"\xff{")
    one = json.loads(hub("try", "site", str(hub.folder / "x.json"), "--unsigned", "--json").stdout)
    assert one["rejected"]["status"] == 400
    monkeypatch.setattr(Sink, "max_body", 1)
    one = json.loads(hub("try", "crm", str(hub.folder / "x.json"), "--unsigned", "--json").stdout)
    assert one["rejected"] == {"status": 413, "reason": "larger than 1 bytes"}


def test_wrong_input_is_exit_2(hub: Hub) -> None:
    file = write(hub.folder, form())
    assert 'no connection "sit"' in hub("try", "sit", file, code=2).stderr
    assert "does not exist" in hub("try", "site", "nothing.json", code=2).stderr
    assert '"K: V"' in hub("try", "site", file, "--header", "nonsense", code=2).stderr
