"""The life of a message, in one process: from a request to what the vendor holds, and every turn it may take."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from hub.errors import AuthFailed, RateLimited, Refused, Retry, Uncertain
from hub.model import Action, Event, Record
from hub.store import state
from tests.hub.fakes import WORLDS, Box, Sink, form

YAML = """
hub: {timezone: Europe/Kyiv, region: UA, unrouted: alert}
connections:
  site: {plugin: source}
  crm: {plugin: sink}
routes:
  - name: form becomes a lead
    on: site.form.submitted
    do: crm.lead.upsert
    attach: {to: [open lead], within: 30d, as: comment}
    set: {TITLE: "Site: {{ contact.name }}", CITY: form.city}
"""


@pytest.fixture
def box(tmp_path: Path) -> Iterator[Box]:
    box = Box(tmp_path, YAML).start()
    yield box
    box.close()


def test_a_form_becomes_a_contact_and_a_lead(box: Box) -> None:
    assert box.send(form(city="Kyiv")) == 200
    box.settle()
    crm = WORLDS["crm"]
    [contact] = crm.of("contact")
    [lead] = crm.of("lead")
    assert contact["phone"] == "+380671112233"
    assert (lead["TITLE"], lead["CITY"], lead["contact"]) == ("Site: Anna", "Kyiv", contact["id"])


def test_a_subject_from_outside_writes_no_words_of_its_own_into_the_log(
    box: Box, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "hub")
    box.send({**form(), "subject": 'form:1" routes=9 skipped=9'})
    box.settle()
    [told] = [one.getMessage() for one in caplog.records if "subject=" in one.getMessage()]
    assert told.endswith(r'subject="form:1\" routes=9 skipped=9" routes=1 skipped=0')


def test_a_second_request_of_the_same_person_joins_the_lead(box: Box) -> None:
    for _ in range(3):
        box.send(form())
    box.settle()
    crm = WORLDS["crm"]
    assert (len(crm.of("contact")), len(crm.of("lead")), len(crm.of("comment"))) == (1, 1, 2)


def test_the_same_message_fifty_times_is_one_event(box: Box) -> None:
    one = form()
    for _ in range(50):
        assert box.send(one, id="same") == 200
    box.settle()
    assert len(box.events()) == 1
    assert len(WORLDS["crm"].of("lead")) == 1


def test_a_wrong_secret_is_turned_away_and_kept_in_the_ring(box: Box) -> None:
    assert box.send(form(), secret="wrong") == 403
    box.receiver.commit.stop()
    with box.store.read() as db:
        [row] = db.rows("SELECT connection, status, reason, request FROM rejected")
    assert tuple(row[:3]) == ("site", 403, "wrong secret")
    assert "wrong" not in row[3].replace("wrong secret", "")
    assert box.events() == []


def test_a_vendor_that_is_down_costs_time_not_leads(box: Box) -> None:
    tries = []

    def down_twice(action: object) -> None:
        tries.append(1)
        if len(tries) <= 2:
            raise Retry("HTTP 502", after=0.05)

    WORLDS["crm"].fail = down_twice
    from hub import outcome

    box.send(form())
    known, outcome.BACKOFF = outcome.BACKOFF, (0.05,)
    try:
        box.settle()
    finally:
        outcome.BACKOFF = known
    [delivery] = box.deliveries()
    assert (delivery["state"], delivery["tries"]) == ("done", 3)
    assert len(WORLDS["crm"].of("lead")) == 1


def test_a_rate_limit_uses_up_no_try(box: Box) -> None:
    calls = []

    def slower(action: object) -> None:
        calls.append(1)
        if len(calls) <= 3:
            raise RateLimited("slower", after=0.05)

    WORLDS["crm"].fail = slower
    box.send(form())
    box.settle()
    [delivery] = box.deliveries()
    assert (delivery["state"], delivery["tries"]) == ("done", 1)


def test_a_lost_answer_after_a_create_makes_no_second_lead(box: Box) -> None:
    lost = []

    def lose_once(action: object) -> None:
        if getattr(action, "record", "") == "lead" and not lost:
            lost.append(1)
            raise Uncertain("the connection broke before an answer came")

    WORLDS["crm"].after = lose_once
    box.send(form())
    box.settle()
    [delivery] = box.deliveries()
    assert delivery["state"] == "done"
    assert "found_by_marker" in delivery["reason"]
    assert len(WORLDS["crm"].of("lead")) == 1


def test_what_the_vendor_refuses_is_parked_and_said(box: Box) -> None:
    def refuse(action: object) -> None:
        raise Refused("field CITY is unknown", {"CITY": "unknown"})

    WORLDS["crm"].fail = refuse
    box.send(form())
    box.settle()
    [delivery] = box.deliveries()
    assert delivery["state"] == "parked"
    assert "field CITY is unknown" in delivery["reason"]
    assert box.alerts() == ["alert_parked"]


def test_dead_credentials_hold_the_connection_with_one_alert(box: Box) -> None:
    def dead(action: object) -> None:
        raise AuthFailed("token expired")

    WORLDS["crm"].fail = dead
    for n in range(5):
        box.send(form(phone=f"+38067111220{n}"))
    for _ in range(200):
        if box.alerts():
            break
        box.engines[0].stopping.wait(0.01)
    assert box.alerts() == ["alert_auth"]
    assert {d["state"] for d in box.deliveries()} == {"ready"}


def test_an_answer_from_before_the_hold_does_not_lift_it(box: Box, monkeypatch: pytest.MonkeyPatch) -> None:
    """A read is under way while another call meets the vendor's block; its answer says nothing of now."""
    begun, answer = threading.Event(), threading.Event()
    known = Sink.complete

    def slowly(self: Sink, events: list[Event], needs: frozenset[str]) -> list[Event]:
        begun.set()
        assert answer.wait(20)
        return known(self, events, needs)

    def blocked(action: Action) -> None:
        raise AuthFailed("blocked", "support")

    monkeypatch.setattr(Sink, "complete", slowly)
    WORLDS["crm"].records["deal", "5"] = {"id": "5", "stage": "new"}
    hint = {"type": "deal.updated", "subject": "deal:5", "record": {"deal": {"id": "5"}}, "hint": True}
    box.send(hint, to="crm")
    assert begun.wait(20)
    WORLDS["crm"].fail = blocked
    box.send(form())
    held = "SELECT count(*) FROM health WHERE connection = 'crm' AND held IS NOT NULL"
    box.until(lambda: box.one(held) == 1)
    answer.set()
    box.until(lambda: box.one("SELECT count(*) FROM event WHERE type = 'deal.updated' AND state = 'planned'") == 1)
    assert (box.one(held), box.alerts()) == (1, ["alert_auth"])
    with box.store.read() as db:
        [(params,)] = db.rows("SELECT params FROM alert WHERE kind = 'alert_auth'")
    assert "support" in params


@pytest.mark.parametrize(
    ("type", "to", "alerts"),
    [
        ("message.received", "site", 1),  # somebody waits for an answer
        ("call.missed", "crm", 1),  # also at a connection that routes only act at
        ("form.opened", "site", 0),  # a route listens to form.submitted: what it leaves out, it was told to
        ("parcel.status_changed", "site", 0),  # nobody asks anything
        ("note.added", "crm", 0),  # the CRM tells of everything that is written there
        ("vendor.something_new", "crm", 0),
        ("parcel.status_changed", "spare", 1),  # no route has to do with this connection
    ],
)
def test_what_nobody_listens_to_is_kept_and_what_counts_is_said(
    tmp_path: Path, type: str, to: str, alerts: int
) -> None:
    box = Box(tmp_path, YAML.replace("routes:", "  spare: {plugin: source}\nroutes:")).start()
    kind = type.partition(".")[0]
    for number in "12":
        message = {"type": type, "subject": f"{kind}:{number}", "record": {kind: {"id": number}}}
        box.send(message, to=to)
    box.settle()
    assert box.alerts() == ["alert_unrouted"] * alerts
    assert all("unrouted" in event["reason"] for event in box.events())
    assert len(box.events()) == 2
    box.close()


def test_a_connection_nobody_listens_to_is_said_once_for_all_it_sends(tmp_path: Path) -> None:
    box = Box(tmp_path, YAML.replace("routes:", "  spare: {plugin: source}\nroutes:")).start()
    for type in ("parcel.status_changed", "task.created", "note.added"):
        kind = type.partition(".")[0]
        box.send({"type": type, "subject": f"{kind}:1", "record": {kind: {"id": "1"}}}, to="spare")
    box.settle()
    assert box.alerts() == ["alert_unrouted"]
    box.close()


def test_what_the_hub_made_itself_is_nobodys_request(box: Box) -> None:
    """The lead that a form became comes back as `lead.created`: nothing listens to it, and nobody waits for it."""
    box.send(form())
    box.settle()
    [lead] = WORLDS["crm"].of("lead")
    record = {"lead": {"id": lead["id"], "title": "Site: Anna"}}
    told = {"type": "lead.created", "subject": f"lead:{lead['id']}", "record": record}
    box.send(told, to="crm")
    box.send({**told, "subject": "lead:900", "record": {"lead": {"id": "900"}}}, to="site")
    box.settle()
    assert box.alerts() == ["alert_unrouted"]
    with box.store.read() as db:
        assert db.rows("SELECT connection FROM alert") == [("site",)]


def test_a_request_that_makes_no_sense_is_kept_with_its_reason(box: Box) -> None:
    box.send({"no type": "here"})
    box.settle()
    with box.store.read() as db:
        [row] = db.rows("SELECT state, reason FROM receipt")
    assert row[0] == "unreadable"
    assert box.alerts() == ["alert_unreadable"]


STEPS = """
connections:
  site: {plugin: source}
  crm: {plugin: sink}
  nova: {plugin: sink}
routes:
  - name: waybill
    on: crm.deal.stage_changed
    when: {deal.stage: to_ship, deal.UF_TTN: absent}
    steps:
      - do: nova.deal.create
        set: {FOR: deal.id}
        as: waybill
      - do: crm.deal.upsert
        find: deal
        set: {UF_TTN: waybill.id}
      - when: {waybill.FOR: "77"}
        stop: the special one
      - do: crm.comment.create
        set: {TEXT: "TTN {{ waybill.id }}"}
"""


def test_steps_run_in_order_and_hand_on_their_results(tmp_path: Path) -> None:
    box = Box(tmp_path, STEPS).start()
    try:
        crm = WORLDS["crm"]
        for id in ("55", "77"):
            crm.records[("deal", id)] = {"id": id, "stage": "to_ship"}
            box.send({"type": "deal.updated", "subject": f"deal:{id}", "hint": True}, to="crm")
        box.settle()
        waybills = {one["FOR"]: one["id"] for one in WORLDS["nova"].of("deal")}
        assert set(waybills) == {"55", "77"}
        assert crm.records[("deal", "55")]["UF_TTN"] == waybills["55"]
        assert [one["TEXT"] for one in crm.of("comment")] == [f"TTN {waybills['55']}"]
        # The hub's own write comes back as a hook: no second waybill.
        box.send({"type": "deal.updated", "subject": "deal:55", "hint": True}, to="crm")
        box.settle()
        assert len(WORLDS["nova"].of("deal")) == 2
        assert box.events()[-1]["state"] == "echo"
    finally:
        box.close()


MOVES = """
connections:
  np: {plugin: source}
  crm: {plugin: sink}
routes:
  - name: parcel moves the deal
    on: np.parcel.status_changed
    do: crm.deal.set_stage
    find: {UF_TTN: parcel.number}
    missing: skip
    only_from: [to_ship, shipped, at_branch]
    stage: {in_transit: shipped, arrived: at_branch, delivered: won, other: ignore}
"""


def status(number: str, status: str, at: float) -> dict[str, object]:
    record = {"parcel": {"number": number, "status": status}}
    return {"type": "parcel.status_changed", "subject": f"parcel:{number}", "record": record, "at": at}


def test_statuses_move_the_deal_forward_only(tmp_path: Path) -> None:
    box = Box(tmp_path, MOVES).start()
    try:
        crm = WORLDS["crm"]
        crm.records[("deal", "55")] = {"id": "55", "stage": "to_ship", "UF_TTN": "2045"}
        for word, at in (("in_transit", 100.0), ("arrived", 300.0), ("in_transit", 200.0), ("lost", 310.0)):
            box.send(status("2045", word, at), to="np")
        box.settle()
        assert crm.records[("deal", "55")]["stage"] == "at_branch"
        assert [event["state"] for event in box.events()] == ["planned", "planned", "echo", "planned"]
        assert '"late"' in box.events()[2]["reason"]
        assert [d["state"] for d in box.deliveries()] == ["done", "done", "skipped"]
    finally:
        box.close()


def test_a_copy_of_a_hint_that_comes_after_the_look_makes_the_hub_look_again(tmp_path: Path) -> None:
    """Two changes within the vendor's one second of time-stamp make two messages that can't be told apart."""
    box = Box(tmp_path, STEPS).start()
    try:
        crm = WORLDS["crm"]
        hint = {"type": "deal.updated", "subject": "deal:55", "hint": True}
        crm.records[("deal", "55")] = {"id": "55", "stage": "new"}
        box.send(hint, to="crm", id="same second")
        box.settle()
        assert WORLDS["nova"].of("deal") == []
        crm.records[("deal", "55")]["stage"] = "to_ship"
        box.send(hint, to="crm", id="same second")
        box.settle()
        assert len(WORLDS["nova"].of("deal")) == 1
        for _ in range(20):
            box.send(hint, to="crm", id="same second")
        box.settle()
        assert len(WORLDS["nova"].of("deal")) == 1
    finally:
        box.close()


LOOP = """
connections:
  a: {plugin: sink}
  b: {plugin: sink}
routes:
  - {name: there, on: a.deal.created, do: b.deal.create, set: {TITLE: deal.TITLE}}
  - {name: and back, on: b.deal.created, do: a.deal.create, set: {TITLE: deal.TITLE}}
"""


def test_routes_that_wake_each_other_are_stopped_and_said(tmp_path: Path) -> None:
    box = Box(tmp_path, LOOP).start()
    try:
        for name in ("a", "b"):

            def tell(action: object, name: str = name) -> None:
                newest = max(int(id) for _, id in WORLDS[name].records)
                box.send({"type": "deal.created", "subject": f"deal:{newest}", "hint": True}, to=name)

            WORLDS[name].after = tell
        WORLDS["a"].records[("deal", "1")] = {"id": "1", "TITLE": "round and round"}
        box.send({"type": "deal.created", "subject": "deal:1", "hint": True}, to="a")
        box.settle()
        assert "alert_loop" in box.alerts()
        assert len(box.deliveries()) < 12
    finally:
        box.close()


def test_a_copy_of_a_deal_is_not_taken_for_the_deal(tmp_path: Path) -> None:
    yaml = """
    connections:
      crm: {plugin: sink}
    routes:
      - name: copy and close
        on: crm.deal.stage_changed
        when: {deal.stage: won}
        steps:
          - {do: crm.deal.create, set: {TITLE: "copy of {{ deal.id }}"}}
          - {do: crm.deal.upsert, set: {NOTE: done}}
    """
    box = Box(tmp_path, yaml).start()
    try:
        crm = WORLDS["crm"]
        crm.records[("deal", "55")] = {"id": "55", "stage": "won"}
        box.send({"type": "deal.updated", "subject": "deal:55", "hint": True}, to="crm")
        box.settle()
        assert crm.records[("deal", "55")]["NOTE"] == "done"
        [copy] = [deal for deal in crm.of("deal") if deal["id"] != "55"]
        assert "NOTE" not in copy
    finally:
        box.close()


def test_a_deal_moved_on_before_the_first_look_has_reached_its_stage(tmp_path: Path) -> None:
    box = Box(tmp_path, STEPS).start()
    try:
        made = {"created_at": "2026-11-23T09:00:00+00:00"}
        crm = WORLDS["crm"]
        crm.records[("deal", "1")] = {"id": "1", "stage": "to_ship", **made, "moved_at": "2026-11-23T09:00:05+00:00"}
        crm.records[("deal", "2")] = {"id": "2", "stage": "to_ship", **made, "moved_at": made["created_at"]}
        for id in ("1", "2"):
            box.send({"type": "deal.created", "subject": f"deal:{id}", "hint": True}, to="crm")
        box.settle()
        assert [one["FOR"] for one in WORLDS["nova"].of("deal")] == ["1"]
    finally:
        box.close()


def test_a_doubt_from_the_future_waits_no_longer_than_any_other(box: Box) -> None:
    """The clock was set back by an hour after a call had gone out whose worker died."""
    with box.store.write() as db:
        state.set_health(db, "crm", paused=True)
    box.send(form())
    pause = threading.Event()
    for _ in range(500):
        if box.deliveries():
            break
        pause.wait(0.01)
    with box.store.write() as db:
        db.run("UPDATE delivery SET started_at = ?", (db.now + 3600,))
        state.set_health(db, "crm", paused=False)
    box.settle()
    [one] = box.deliveries()
    assert one["state"] == "done" and len(WORLDS["crm"].of("lead")) == 1


def test_how_long_ago_is_told_by_the_stores_clock(box: Box, monkeypatch: pytest.MonkeyPatch) -> None:
    """`within: 30d` is compared with times the store gave; this machine's own clock may say anything."""
    asked: list[float] = []
    known = Sink.find

    def find(self: Sink, record: str, by: Mapping[str, Any], limit: int = 50) -> list[Record]:
        asked.extend([by["since"]] if "since" in by and "phone" in by else [])
        return known(self, record, by, limit)

    monkeypatch.setattr(Sink, "find", find)
    monkeypatch.setattr(box.store, "clock", lambda: 1_700_000_000.0)
    box.send(form())
    box.settle()
    assert asked == [1_700_000_000.0 - 30 * 86400]
