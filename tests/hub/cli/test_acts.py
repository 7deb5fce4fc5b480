"""What people do by hand; running workers carry it on."""

from __future__ import annotations

import pytest

from hub.errors import Refused, Retry, Uncertain
from hub.model import Action
from hub.reasons import stored
from hub.store import state
from tests.hub.cli.conftest import Hub
from tests.hub.cli.test_explain import _until
from tests.hub.fakes import WORLDS, Box, Source, form


def refuse(action: Action) -> None:
    raise Refused("field TITLE is unknown")


def away(action: Action) -> None:
    raise Retry("HTTP 502: bad gateway")


def nothing(action: Action) -> None:
    """Let the act go through."""


def leads() -> int:
    return len(WORLDS["crm"].of("lead"))


@pytest.fixture
def parked(box: Box) -> Box:
    WORLDS["crm"].fail = refuse
    box.send(form(city="Kyiv"))
    box.settle()
    WORLDS["crm"].fail = nothing
    assert box.alerts() == ["alert_parked"]
    return box


# --- retry ---------------------------------------------------------------------------------------


def test_a_parked_delivery_goes_out_again(hub: Hub, parked: Box) -> None:
    assert "d1 goes out again (crm.lead.upsert for form:" in hub("retry", "d1").stdout
    parked.settle()
    assert leads() == 1 and parked.deliveries()[0]["state"] == "done"
    assert parked.alerts() == []


def test_all_parked_of_a_connection(hub: Hub, parked: Box) -> None:
    assert "nothing is parked" in hub("retry", "--all", "--connection", "site").stdout
    assert "d1 goes out again" in hub("retry", "--all").stdout
    parked.settle()
    assert leads() == 1


def test_what_retry_refuses(hub: Hub, parked: Box) -> None:
    hub("retry", "d1")
    parked.settle()
    result = hub("retry", "d1", "d9", code=1)
    assert "d1 is done; only parked deliveries are tried again" in result.stderr
    assert "there is no delivery d9" in result.stderr
    assert "is no id" in hub("retry", "r1", code=2).stderr
    assert "or say --all" in hub("retry", code=2).stderr


def test_one_that_waits_by_itself_is_left_alone(hub: Hub, box: Box) -> None:
    WORLDS["crm"].fail = away
    box.send(form())
    _until(box, lambda: any(one["wait"] for one in box.deliveries()))
    assert "isn't parked: it waits by itself" in hub("retry", "d1", code=1).stderr


def test_after_a_doubtful_try_the_vendor_is_searched_first(hub: Hub, box: Box) -> None:
    """The lead was made but the answer lost; before anyone looked again it was parked. A retry finds it."""

    def lose(action: Action) -> None:
        if action.record == "lead":
            raise Uncertain("no answer")

    WORLDS["crm"].after = lose
    box.send(form())
    _until(box, lambda: any(one["wait"] for one in box.deliveries()))
    WORLDS["crm"].after = nothing
    with box.store.write() as db:
        db.run("UPDATE delivery SET state = 'parked', started_at = NULL, wait = NULL WHERE id = 1")
        db.run("DELETE FROM line WHERE key = (SELECT line FROM delivery WHERE id = 1)")
    hub("retry", "d1")
    box.settle()
    assert leads() == 1
    [delivery] = hub.json("explain", "d1")["events"][0]["deliveries"]
    assert delivery["reason"]["code"] == "found_by_marker"


def test_a_step_that_failed_before_it_called_anyone(hub: Hub, parked: Box) -> None:
    with parked.store.write() as db:
        db.run("UPDATE delivery SET line = '' WHERE id = 1")
    assert "mend hub.yaml, then: hub replay e1 --again" in hub("retry", "d1", code=1).stderr


# --- drop ----------------------------------------------------------------------------------------


def test_a_dropped_one_is_given_up(hub: Hub, parked: Box) -> None:
    assert "d1 is dropped" in hub("drop", "d1").stdout
    [delivery] = hub.json("explain", "d1")["events"][0]["deliveries"]
    assert delivery["state"] == "dropped" and delivery["reason"]["text"] == "dropped by a person"
    assert parked.alerts() == [] and leads() == 0
    assert "d1 is dropped already" in hub("drop", "d1", code=1).stderr


def test_dropping_the_first_lets_the_next_go(hub: Hub, box: Box) -> None:
    WORLDS["crm"].fail = away
    box.send({**form(name="Anna"), "subject": "form:1"})
    _until(box, lambda: any(one["wait"] for one in box.deliveries()))
    box.send({**form(name="Olha"), "subject": "form:1"})
    _until(box, lambda: len(box.deliveries()) == 2)
    WORLDS["crm"].fail = nothing
    hub("drop", "d1")
    box.settle(within=4)  # far sooner than the first one's next try
    assert [one["TITLE"] for one in WORLDS["crm"].of("lead")] == ["Site: Olha"]


# --- replay --------------------------------------------------------------------------------------


def test_a_replay_doubles_nothing(hub: Hub, box: Box) -> None:
    box.send(form())
    box.settle()
    assert "e1 is known: only routes that have not seen it act" in hub("replay", "r1").stdout
    box.settle()
    assert len(box.events()) == 1 and leads() == 1


def test_a_wanted_second_sending(hub: Hub, box: Box) -> None:
    box.send({**form(), "subject": "form:1"})
    box.settle()
    assert "as if it came now" in hub("replay", "e1", "--again").stdout
    box.settle()
    assert len(box.events()) == 2 and len(WORLDS["crm"].acts) == 3  # contact and lead, then the lead once more
    assert box.send({**form(), "subject": "form:1"}, id="m1") == 200
    box.settle()
    assert len(box.events()) == 2, "the vendor's own duplicate is still one"
    with box.store.read() as db:
        markers = {row[0] for row in db.rows("SELECT marker FROM delivery")}
    assert len(markers) == 2, "a doubt about the second sending must not find what the first one made"


def test_an_unreadable_one_is_read_again_by_a_mended_plugin(
    hub: Hub, box: Box, monkeypatch: pytest.MonkeyPatch
) -> None:  # fmt: skip
    with monkeypatch.context() as broken:
        broken.setattr(Source, "parse", lambda self, receipt: int("what?"))
        box.send(form())
        box.settle()
        assert box.alerts() == ["alert_unreadable"]
    assert "r1 is read again" in hub("replay", "--since", "1h").stdout
    box.settle()
    assert leads() == 1 and box.alerts() == []


def test_what_replay_refuses(hub: Hub, box: Box) -> None:
    box.send(form())
    box.settle()
    assert "there is no receipt r9" in hub("replay", "9", code=1).stderr
    assert "there is no event e9" in hub("replay", "e9", code=1).stderr
    assert "no receipts since then" in hub("replay", "--since", "1h", "--connection", "crm", code=1).stderr
    assert "or say --since T" in hub("replay", code=2).stderr
    assert "or say --since T" in hub("replay", "r1", "--since", "1h", code=2).stderr


def test_an_unread_receipt_is_dropped(hub: Hub, box: Box, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Source, "parse", lambda self, receipt: int("what?"))
    box.send(form())
    box.settle()
    assert "r1 is dropped" in hub("drop", "r1").stdout
    assert box.alerts() == []
    assert "r1 is dropped already" in hub("drop", "r1", code=1).stderr


def test_an_event_that_could_not_be_completed_is_looked_up_again(hub: Hub, box: Box) -> None:
    box.send({"type": "deal.updated", "subject": "deal:5", "hint": True}, to="crm", secret="s3cret-of-crm")
    box.settle()
    with box.store.write() as db:
        db.run("UPDATE event SET state = 'unreadable' WHERE id = 1")
    WORLDS["crm"].records[("deal", "5")] = {"id": "5", "stage": "new"}
    assert "e1 is looked up at the vendor again" in hub("retry", "e1").stdout
    box.settle()
    assert box.events()[0]["state"] == "planned"
    assert "its deliveries are retried one by one" in hub("retry", "e1", code=1).stderr


# --- pause and resume ----------------------------------------------------------------------------


def test_a_paused_connection_takes_but_does_not_call(hub: Hub, box: Box) -> None:
    assert "crm is paused" in hub("pause", "crm").stdout
    assert box.send(form()) == 200
    _until(box, lambda: len(box.deliveries()) == 1)
    [delivery] = hub.json("deliveries", "list")
    assert delivery["wait"]["kind"] == "human" and "hub resume crm" in delivery["wait"]["text"]
    assert leads() == 0
    assert "crm is paused already" in hub("pause", "crm", code=1).stderr
    assert "crm goes on" in hub("resume", "crm").stdout
    box.settle()
    assert leads() == 1
    assert "isn't held back by anything" in hub("resume", "crm", code=1).stderr


def test_resume_lifts_hold_and_breaker_and_what_waited_goes_at_once(hub: Hub, box: Box) -> None:
    WORLDS["crm"].fail = away
    box.send(form())
    _until(box, lambda: any(one["wait"] for one in box.deliveries()))
    with box.store.write() as db:
        state.set_health(
            db, "crm", held=stored("auth_failed", why="401"), open_until=db.now + 300, fails=7, probe_at=db.now + 600
        )
        state.open_alert(db, "auth:crm", "alert_auth", "crm", {"connection": "crm", "why": "401"})
    [delivery] = hub.json("deliveries", "list")
    assert delivery["wait"]["kind"] == "hold"
    WORLDS["crm"].fail = nothing
    hub("resume", "crm")
    box.settle(within=4)
    assert leads() == 1 and box.alerts() == []


def test_an_unknown_connection(hub: Hub, box: Box) -> None:
    assert 'there is no connection "cmr"' in hub("pause", "cmr", code=2).stderr
    assert 'Did you mean "crm"?' in hub("resume", "cmr", code=2).stderr
