"""`hub explain`: the life of a message, found by whatever a person knows of it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from hub.errors import Refused, Retry
from hub.model import Action
from tests.hub.cli.conftest import YAML, Hub
from tests.hub.fakes import WORLDS, Box, Source, form


def refuse(action: Action) -> None:
    raise Refused("field TITLE is unknown")


def away(action: Action) -> None:
    raise Retry("HTTP 502: bad gateway")


@pytest.fixture
def sent(box: Box) -> Box:
    assert box.send(form(city="Kyiv")) == 200
    box.settle()
    return box


def test_a_life_from_request_to_what_was_written(hub: Hub, sent: Box) -> None:
    told = hub("explain", "e1").stdout
    assert "e1 site.form.submitted form:" in told
    assert "came as r1 POST /in/site from" in told and "key m1" in told
    assert "contact name=Anna" in told
    assert "person 1 (phone +380671112233, contact 100 at crm)" in told
    assert "found by nobody was known by its phone: person 1 is new" in told
    assert '– route "only from Lviv": form.city is Kyiv, should be Lviv' in told
    assert '✓ d1 crm.lead.upsert  done  route "form becomes a lead", step 1' in told
    assert "try 1" in told and "linked to crm/lead:" in told


@pytest.mark.parametrize("asked", ["e1", "r1", "d1", "1", "067 111-22-33", "+380671112233", "380671112233"])
def test_every_way_to_find_it(hub: Hub, sent: Box, asked: str) -> None:
    [life] = hub.json("explain", asked)["events"]
    assert life["id"] == "e1"


def test_a_phone_may_stand_in_several_words(hub: Hub, sent: Box) -> None:
    assert hub.json("explain", "067", "111", "22", "33")["found_by"] == "phone +380671112233"


def test_json_has_codes_and_words(hub: Hub, sent: Box) -> None:
    told = hub.json("explain", "e1")
    [life] = told["events"]
    assert life["skipped"] == [
        {
            "route": "only from Lviv",
            "code": "condition",
            "params": {"because": "form.city is Kyiv, should be Lviv"},
            "text": "form.city is Kyiv, should be Lviv",
        }
    ]
    [delivery] = life["deliveries"]
    assert delivery["state"] == "done" and delivery["wait"] is None and len(delivery["attempts"]) == 1
    assert delivery["result"]["TITLE"] == "Site: Anna"


def test_before_values_of_an_update(hub: Hub, box: Box) -> None:
    box.send({**form(city="Kyiv"), "subject": "form:1"})
    box.settle()
    box.send({**form(name="Olha", city="Odesa"), "subject": "form:1"})
    box.settle()
    [delivery] = hub.json("explain", "e2")["events"][0]["deliveries"]
    assert {"field": "CITY", "before": "Kyiv", "after": "Odesa"} in delivery["written"]
    assert "wrote CITY = Odesa (was Kyiv)" in hub("explain", "e2").stdout


def test_a_parked_one_waits_for_a_person(hub: Hub, box: Box) -> None:
    WORLDS["crm"].fail = refuse
    box.send(form())
    box.settle()
    told = hub("explain", "d1").stdout
    assert "! d1 crm.lead.upsert  parked" in told
    assert "the vendor refused: field TITLE is unknown" in told
    assert "waits (human): waits for a person: hub retry or hub drop" in told


def test_a_retry_says_until_when(hub: Hub, box: Box) -> None:
    WORLDS["crm"].fail = away
    box.send(form())
    _until_waiting(box)
    [delivery] = hub.json("explain", "d1")["events"][0]["deliveries"]
    assert delivery["wait"]["kind"] == "retry" and delivery["wait"]["until"]
    assert delivery["wait"]["text"] == "HTTP 502: bad gateway"
    assert delivery["attempts"][0]["outcome"] == "retry"


def test_behind_another_of_the_same_record(hub: Hub, box: Box) -> None:
    WORLDS["crm"].fail = away
    box.send({**form(), "subject": "form:1"})
    _until_waiting(box)
    box.send({**form(), "subject": "form:1"})
    _until(box, lambda: len(box.deliveries()) == 2)
    [delivery] = hub.json("explain", "d2")["events"][0]["deliveries"]
    assert delivery["wait"] == {
        "kind": "order", "until": None, "text": "goes after d1, which is about the same record",
    }  # fmt: skip


def test_a_chain_is_told_from_both_ends(hub: Hub, box: Box) -> None:
    record = {"deal": {"id": "5", "title": "Sofa", "stage": "new"}}
    box.send({"type": "deal.updated", "subject": "deal:5", "record": record}, to="crm", secret="s3cret-of-crm")
    box.settle()
    first, derived = hub.json("explain", "deal:5")["events"]
    assert derived["type"] == "crm.deal.stage_changed"
    assert derived["cause"] == {"id": first["id"], "type": "crm.deal.updated"}
    assert first["brought_forth"] == [derived["id"]]
    assert f"because of {first['id']} crm.deal.updated" in hub("explain", "crm/deal:5").stdout


def test_unrouted_says_so(hub: Hub, box: Box) -> None:
    record = {"deal": {"id": "5"}}
    box.send({"type": "deal.created", "subject": "deal:5", "record": record}, to="crm", secret="s3cret-of-crm")
    box.settle()
    assert "– no route: no route listens to it" in hub("explain", "e1").stdout


def test_an_unreadable_receipt_shows_its_body(hub: Hub, box: Box, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Source, "parse", lambda self, receipt: int("what?"))
    box.send(form(name="Zoe letmein"))
    box.settle()
    told = hub("explain", "r1").stdout
    assert "unreadable" in told and "genuine, but not understood: invalid literal" in told
    assert "Zoe ***" in told and "letmein" not in told
    assert hub.json("explain", "r1")["receipt"]["state"] == "unreadable"


def test_nothing_known_is_exit_1(hub: Hub, sent: Box) -> None:
    assert 'nothing is known about "999"' in hub("explain", "999", code=1).stderr
    result = hub("explain", "e77", "--json", code=1)
    assert json.loads(result.stdout)["events"] == []
    hub("explain", "r77", code=1)


def test_a_broken_hub_yaml_still_lets_one_look(hub: Hub, sent: Box) -> None:
    hub.write("connections: {crm: {plugin: nothing}}\n")
    result = hub("explain", "e1")
    assert "has problems (hub check); showing what is stored" in result.stderr
    assert "e1 site.form.submitted" in result.stdout


def _until_waiting(box: Box) -> None:
    _until(box, lambda: any(one["wait"] for one in box.deliveries()))


def _until(box: Box, done: object) -> None:
    import threading

    pause = threading.Event()
    for _ in range(1000):
        if done():  # type: ignore[operator]
            return
        pause.wait(0.01)
    raise AssertionError(box.deliveries())


def test_what_came_from_outside_moves_no_cursor(hub: Hub, box: Box) -> None:
    evil = "\x1b]0;PWNED\x07\x1b[2J\x9b31m\u202e"
    box.send({**form(city=evil, name=evil), "subject": f"form:{evil}", "text": evil}, id="evil")
    box.settle()
    for command in (("explain", "e1"), ("events", "list"), ("deliveries", "list"), ("receipts", "list")):
        told = hub(*command).stdout
        assert not set(told) & {"\x1b", "\x07", "\x9b", "\u202e"}, command
    assert "\\x1b]0;PWNED" in hub("explain", "e1").stdout


REFUSING = """
  - name: with a way out
    on: site.form.submitted
    steps:
      - do: crm.deal.create
        set: {TITLE: x}
        refused:
          - {do: crm.comment.create, set: {TEXT: "no: {{ error.reason }}"}}
          - {do: crm.comment.create, set: {TEXT: told}}
      - {do: crm.comment.create, set: {TEXT: never}}
"""


def test_a_refused_step_is_told_as_refused_and_what_ran_instead(hub: Hub, tmp_path: Path) -> None:
    hub.write(YAML + REFUSING)
    box = Box(tmp_path, (tmp_path / "hub.yaml").read_text()).start()
    WORLDS["crm"].fail = lambda action: refuse(action) if action.record == "deal" else None
    box.send(form(city="Lviv"))
    box.settle()
    box.close()
    life = hub.json("explain", "e1")["events"][0]
    mine = [one for one in life["deliveries"] if one["route"] == "with a way out"]
    assert [(one["state"], one["step"]) for one in mine] == [
        ("refused", "1"), ("done", "1, refused 1"), ("done", "1, refused 2")
    ]  # fmt: skip
    assert mine[0]["instead"] == [mine[1]["id"], mine[2]["id"]] and mine[0]["reason"]["code"] == "refused"
    assert mine[1]["instead"] == []
    told = hub("explain", "e1").stdout
    assert f"✗ {mine[0]['id']} crm.deal.create  refused" in told
    assert "the vendor refused: field TITLE is unknown" in told
    assert f"so its steps under `refused` ran: {mine[1]['id']}, {mine[2]['id']}" in told
    [listed] = hub.json("deliveries", "list", "--state", "refused")
    assert listed["id"] == mine[0]["id"] and listed["wait"] is None


# --- a busy client ----------------------------------------------------------------------------------


@pytest.fixture
def busy(hub: Hub, box: Box) -> Box:
    """Anna wrote five times: the fifth lead is refused."""
    for n in range(4):
        box.send(form(city="Kyiv", name="Anna"), id=f"m{n}")
        box.settle()
    WORLDS["crm"].fail = refuse
    box.send(form(city="Kyiv", name="Anna Koval"), id="m4")
    box.settle()
    WORLDS["crm"].fail = lambda action: None
    return box


def test_a_busy_client_is_summed_up_first(hub: Hub, busy: Box) -> None:
    with busy.store.write() as db:
        db.run("UPDATE event SET at = 1700000000 WHERE id = 1")
    result = hub("explain", "067 111-22-33")
    first, person, calls, parked, how, *rest = result.stdout.splitlines()
    assert first.startswith("phone +380671112233: 5 messages, 5 events since 2023-11-15 00:13:20, the last 20")
    assert person == "   person 1 Anna (phone +380671112233, contact 100 at crm)"
    assert calls == "   calls 4 done, 1 parked"
    assert parked == " ! d5 crm.lead.upsert parked: the vendor refused: field TITLE is unknown"
    assert how == "     hub retry d5 or hub drop d5"
    assert [line.split()[0] for line in rest if line[:1] == "e"] == ["e3", "e4", "e5"]  # the newest, in order
    assert "2 older events: hub explain '067 111-22-33' --all" in result.stderr


def test_a_person_has_the_same_name_everywhere(hub: Hub, box: Box) -> None:
    """Who writes another name into the next form isn't called by it."""
    for name in ("Anna", "Hanna"):
        assert box.send(form(name=name)) == 200
        box.settle()
    [person] = hub.json("explain", "0671112233")["summary"]["persons"]
    [listed] = hub.json("people", "list")
    assert person["name"] == listed["record"]["name"] == "Anna"


def test_all_of_it_can_be_asked_for(hub: Hub, busy: Box) -> None:
    result = hub("explain", "0671112233", "--all")
    told = [line.split()[0] for line in result.stdout.splitlines() if line[:1] == "e"]
    assert told == ["e1", "e2", "e3", "e4", "e5"] and "older" not in result.stderr
    some = hub("explain", "0671112233", "--limit", "1")
    assert [line.split()[0] for line in some.stdout.splitlines() if line[:1] == "e"] == ["e5"]


def test_json_stays_complete(hub: Hub, busy: Box) -> None:
    told = hub.json("explain", "0671112233")
    assert [one["id"] for one in told["events"]] == ["e1", "e2", "e3", "e4", "e5"]
    assert told["summary"]["calls"] == {"done": 4, "waiting": 0, "parked": 1, "refused": 0, "skipped": 0, "dropped": 0}
    [needed] = told["summary"]["needed"]
    assert needed["id"] == "d5" and needed["commands"] == ["hub retry d5", "hub drop d5"]
    assert needed["reason"]["code"] == "refused"
    assert hub.json("explain", "e1")["summary"] is None
    assert [one["id"] for one in hub.json("explain", "0671112233", "--limit", "2")["events"]] == ["e4", "e5"]


def test_what_waits_stands_in_the_summary(hub: Hub, box: Box) -> None:
    WORLDS["crm"].fail = away
    box.send({**form(), "subject": "form:1"})
    _until_waiting(box)
    box.send({**form(), "subject": "form:1"})
    _until(box, lambda: len(box.deliveries()) == 2)
    told = hub.json("explain", "0671112233")["summary"]
    assert [(one["id"], one["kind"]) for one in told["waits"]] == [("d1", "retry"), ("d2", "order")]
    assert told["calls"]["waiting"] == 2
    assert "… d1 crm.lead.upsert waits (retry) until 20" in hub("explain", "0671112233").stdout


def test_an_event_that_could_not_be_read_needs_a_person(hub: Hub, busy: Box) -> None:
    with busy.store.write() as db:
        db.run("UPDATE event SET state = 'unreadable' WHERE id = 1")
        db.run("DELETE FROM delivery WHERE event = 2")
    told = hub("explain", "0671112233").stdout
    assert " ! e1 site.form.submitted unreadable" in told and "     hub retry e1\n" in told
    assert "calls 3 done, 1 parked; 1 event led to none" in told
