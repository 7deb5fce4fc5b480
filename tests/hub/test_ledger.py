"""Every request is one row with one outcome; a day adds up, or a person is told. On both databases."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from hub import handwork, ledger, privacy
from hub.connector import EventKind
from hub.errors import Refused, Retry, Uncertain
from hub.events import CALLS, INQUIRIES, KNOWN_EVENTS, TOUCHES
from hub.ledger import OUTCOMES, Day, Request
from hub.model import Action
from hub.store import Store, inquiries, merging, prune, state, work
from hub.ticker import Ticker
from tests.hub.fakes import WORLDS, Box, Poller, Sink, Source


class Channel(Source):
    """Brings whatever it is told to."""

    name = "channel"
    events = tuple(EventKind(name, name.partition(".")[0]) for name in sorted(INQUIRIES | TOUCHES))


YAML = """
hub: {timezone: Europe/Kyiv, region: UA, unrouted: ignore}
connections:
  site: {plugin: channel}
  crm: {plugin: sink, names: {stages: {won: "C5:WON", talking: "C5:TALK"}}}
people:
  block: {table: blacklist, by: [phone]}
tables:
  blacklist: [{phone: "+380500000000"}]
routes:
  - name: a request becomes a lead
    on: [site.form.submitted, site.message.received, site.call.missed, site.call.started, site.order.created]
    when: {contact.phone: present}
    do: crm.lead.upsert
    attach: {to: [open lead], within: 30d, as: comment}
    set: {TITLE: contact.name}
"""


@pytest.fixture(params=["sqlite_store", "postgresql_store"])
def box(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Box]:
    store: Store = request.getfixturevalue(request.param)
    box = Box(tmp_path, YAML, store, plugins=(Channel, Source, Sink, Poller)).start()
    yield box
    box.close()


def phone(n: int) -> str:
    return f"+38067111{n:04d}"


def event(type: str, subject: str, who: int | None = 1, **record: Any) -> dict[str, Any]:
    contact = {"contact": {"name": f"Person {who}", "phone": phone(who)}} if who is not None else {}
    return {"type": type, "subject": subject, "text": "hello", "record": {**contact, **record}}


def day(box: Box, back: int = 0) -> Day:
    with box.store.read() as db:
        return ledger.ledger(db, box.config, ledger.today(db, box.config, back))


def outcomes(box: Box) -> dict[str, int]:
    return dict(Counter(row.outcome for row in day(box).rows))


def only(box: Box) -> Request:
    [row] = day(box).rows
    return row


def balanced(box: Box) -> None:
    assert day(box).unaccounted() == {}


def test_the_names_are_those_of_events() -> None:
    assert INQUIRIES <= KNOWN_EVENTS and TOUCHES <= KNOWN_EVENTS and CALLS < INQUIRIES


# --- outcomes -------------------------------------------------------------------------------------------


def test_every_outcome_once_and_the_day_adds_up(box: Box) -> None:
    def fail(action: Action) -> None:
        if action.values.get("TITLE") == "Person 3":
            raise Refused("no")
        if action.values.get("TITLE") in ("Person 4", "Person 5"):
            raise Retry("away")

    WORLDS["crm"].fail = fail
    box.send(event("form.submitted", "form:1", 1))
    box.settle()
    box.send(event("form.submitted", "form:2", 1))  # joins the lead
    box.send(event("form.submitted", "form:3", 3))  # is refused by the CRM
    box.send(event("form.submitted", "form:4", 4))  # waits for the CRM
    box.send(event("form.submitted", "form:5", 5))  # waits, and is dropped by hand
    box.send(event("form.submitted", "form:6", None))  # no phone
    blocked = event("form.submitted", "form:7", 7)
    blocked["record"]["contact"]["phone"] = "+380500000000"
    box.send(blocked)
    _until(box, "SELECT count(*) FROM delivery WHERE wait = 'retry'", 2)
    _until(box, "SELECT count(*) FROM delivery WHERE state = 'parked'", 1)
    _until(box, "SELECT count(*) FROM receipt WHERE state = 'done'", 7)
    with box.store.write() as db:
        [id] = [row[0] for row in db.rows("SELECT id FROM delivery WHERE event = 5")]
        handwork.drop(db, id)
    assert outcomes(box) == {"new": 1, "joined": 1, "waits": 1, "on_the_way": 1, "dropped": 1, "turned_away": 2}
    found = day(box)
    assert found.totals()["site"] == {
        "received": 7, "continued": 0, "new": 1, "joined": 1, "turned_away": 2, "on_the_way": 1, "waits": 1,
        "dropped": 1, "untouched": 7, "median_touch": None, "money": {},
    }  # fmt: skip
    assert found.unaccounted() == {}
    why = {row.subject: row.why and row.why["code"] for row in found.rows}
    assert (why["form:3"], why["form:5"], why["form:7"]) == ("refused", "dropped", "blocked")
    assert why["form:2"] == "attached" and why["form:6"] == "condition"


def test_a_call_is_one_request_however_often_it_is_told_and_one_going_out_is_none(box: Box) -> None:
    for kind in ("call.started", "call.answered", "call.finished"):
        box.send(event(kind, "call:77", 1, call={"direction": "in", "duration": 60}))
    box.send(event("call.started", "call:78", 2, call={"direction": "out"}))
    box.send(event("call.missed", "call:79", 3, call={"direction": "in"}))
    box.settle()
    found = day(box)
    assert sorted(row.subject for row in found.rows) == ["call:77", "call:79"]
    assert (found.received["site"], found.continued["site"]) == (5, 3)
    balanced(box)


def test_what_became_of_a_call_is_what_became_of_any_of_its_events(box: Box) -> None:
    """Nobody listens to the answered one; the call that was missed at last is the lead."""
    box.send(event("call.answered", "call:77", 1, call={"direction": "in"}))
    box.settle()
    assert (only(box).outcome, only(box).type) == ("turned_away", "call.answered")
    box.send(event("call.missed", "call:77", 1, call={"direction": "in"}))
    box.settle()
    assert (only(box).outcome, only(box).now and only(box).now[:2]) == ("new", ("crm", "lead"))
    with box.store.write() as db:  # it rang before midnight
        db.run("UPDATE event SET at = at - 86400 WHERE type = 'call.answered'")
        inquiries.keep(db, ledger.today(db, box.config, 1), {("site", "requests"): 1})
    assert day(box).rows == []
    assert [row.outcome for row in day(box, 1).rows] == ["new"]


def test_what_became_of_a_conversation_is_what_became_of_any_of_its_lines(box: Box) -> None:
    """The first line gives no phone: no route takes it. The second does."""
    for n, who in enumerate((None, 1)):
        line = event("message.received", f"message:{n}", who)
        line["record"]["contact"] = {**line["record"].get("contact", {}), "handles": {"insta": "anna"}}
        box.send(line)
        box.settle()
    row = only(box)
    assert (row.subject, row.outcome, row.now and row.now[:2]) == ("message:0", "new", ("crm", "lead"))
    balanced(box)


def test_a_request_whose_answer_was_lost_is_new_all_the_same(box: Box) -> None:
    def lose(action: Action) -> None:
        if action.record == "lead":
            WORLDS["crm"].after = lambda action: None
            raise Uncertain("the answer was lost")

    WORLDS["crm"].after = lose
    box.send(event("form.submitted", "form:1", 1))
    box.settle()
    assert box.deliveries()[0]["reason"] == '{"code":"found_by_marker","params":{}}'
    assert only(box).outcome == "new"


def test_the_money_of_a_deal_that_two_requests_led_to_counts_once(box: Box) -> None:
    for n in (1, 2):
        box.send(event("form.submitted", f"form:{n}", 1))
        box.settle()
    first, second = day(box).rows
    assert (first.outcome, second.outcome, first.now) == ("new", "joined", second.now)
    assert first.now is not None
    seen(box, f"lead:{first.now[2]}", stage="C5:WON", amount="100", currency="UAH")
    first, second = day(box).rows
    assert (first.money, second.money) == ((Decimal(100), "UAH"), None)
    assert day(box).totals()["site"]["money"] == {"UAH": "100"}


def test_the_money_of_a_deal_joined_on_another_day_stays_with_the_request_that_made_it(box: Box) -> None:
    box.send(event("form.submitted", "form:1", 1))
    box.settle()
    with box.store.write() as db:
        db.run("UPDATE event SET at = at - 90000, occurred_at = occurred_at - 90000")
        db.run("UPDATE link SET at = at - 90000")
    box.send(event("form.submitted", "form:2", 1))
    box.settle()
    [first], [second] = day(box, 1).rows, day(box).rows
    assert (first.outcome, second.outcome, first.now) == ("new", "joined", second.now)
    assert first.now is not None
    seen(box, f"lead:{first.now[2]}", stage="C5:WON", amount="100", currency="UAH")
    assert [row.money for back in (1, 0) for row in day(box, back).rows] == [(Decimal(100), "UAH"), None]


def test_the_money_of_a_deal_that_no_request_made_is_of_the_first_that_joined_it(box: Box) -> None:
    WORLDS["crm"].records["lead", "7"] = {"id": "7", "open": True, "phone": phone(1)}
    for n in (1, 2):
        box.send(event("form.submitted", f"form:{n}", 1))
        box.settle()
    seen(box, "lead:7", stage="C5:WON", amount="100", currency="UAH")
    assert [(row.outcome, row.money) for row in day(box).rows] == [
        ("joined", (Decimal(100), "UAH")), ("joined", None),
    ]  # fmt: skip


def test_those_who_are_one_talk_and_are_touched_as_one(box: Box) -> None:
    for n, who in enumerate((1, 2)):
        box.send(event("message.received", f"message:{n}", who))
    box.settle()
    assert len(day(box).rows) == 2
    with box.store.write() as db:
        merging.join(db, 1, 2, "human", {"code": "match_human"}, ("crm",))
    assert len(day(box).rows) == 1
    balanced(box)
    assert only(box).person == 1
    after(box, 60, "message.sent", "message:9", 2)
    assert touched(box) == pytest.approx(60)


def test_a_message_asks_anew_after_a_day_of_silence(box: Box) -> None:
    for n, who in enumerate((1, 1, 2, 1)):
        box.send(event("message.received", f"message:{n}", who))
    box.settle()
    assert sorted(row.subject for row in day(box).rows) == ["message:0", "message:2"]
    with box.store.write() as db:
        db.run("UPDATE event SET at = at - 90000 WHERE subject IN ('message:0', 'message:1')")
    assert sorted(row.subject for row in day(box).rows) == ["message:2", "message:3"]
    assert [row.subject for back in (1, 2) for row in day(box, back).rows] == ["message:0"]


def test_what_is_done_again_by_hand_is_no_second_request(box: Box) -> None:
    box.send(event("form.submitted", "form:1", 1))
    box.settle()
    with box.store.write() as db:
        handwork.replay(db, 1, again=True)
    box.ring()
    box.settle()
    found = day(box)
    assert (len(found.rows), found.received["site"], found.continued["site"]) == (1, 2, 1)
    balanced(box)


def test_what_nobody_has_read_or_understood_stands_there_too(box: Box) -> None:
    for engine in box.engines:
        engine.stop(3)
    for n in range(3):
        box.send(event("form.submitted", f"form:{n}", n))
    with box.store.write() as db:
        db.run("UPDATE receipt SET state = 'unreadable' WHERE id = 2")
        handwork.drop_receipt(db, 3)
    assert [(row.id, row.outcome) for row in day(box).rows] == [
        ("r1", "on_the_way"), ("r2", "waits"), ("r3", "dropped"),
    ]  # fmt: skip
    balanced(box)


# --- where it is now ------------------------------------------------------------------------------------


def seen(box: Box, subject: str, **record: Any) -> None:
    with box.store.write() as db:
        id = subject.partition(":")[2]
        state.set_seen(db, "crm", subject, {"record": {"id": id, **record}})


def test_the_record_it_became_its_stage_and_the_money(box: Box) -> None:
    box.send(event("form.submitted", "form:1", 1))
    box.settle()
    row = only(box)
    assert row.now is not None
    assert (row.now[:2], row.stage, row.money) == (("crm", "lead"), "", None)
    seen(box, f"lead:{row.now[2]}", stage="C5:TALK", url="https://crm.example.com/lead")
    assert (only(box).stage, only(box).url) == ("talking", "https://crm.example.com/lead")
    with box.store.write() as db:  # the lead is turned into a deal
        work.add_links(db, [(row.now, ("crm", "deal", "9"))])
    seen(box, "deal:9", stage="C5:NEW", amount="1200.50", currency="UAH")
    assert (only(box).now, only(box).money) == (("crm", "deal", "9"), None)
    seen(box, "deal:9", stage="C5:WON", amount="1200.50", currency="UAH")
    assert (only(box).stage, only(box).money) == ("won", (Decimal("1200.50"), "UAH"))
    assert day(box).totals()["site"]["money"] == {"UAH": "1200.50"}
    seen(box, "deal:9", stage="142", won=True, amount="x")
    assert only(box).money is None


def touched(box: Box) -> float | None:
    return only(box).touched_after


def after(box: Box, seconds: float, type: str, subject: str, who: int | None = None, **more: Any) -> None:
    """Something happens so long after the request came."""
    with box.store.read() as db:
        came = db.one("SELECT at FROM event WHERE id = 1")[0]  # type: ignore[index]
    content = {"record": more.pop("record", {}), "text": "", "title": "", "channel": "", "by": more.pop("by", "12")}
    with box.store.write() as db:
        db.insert(
            "event",
            ("connection", "key", "type", "subject", "occurred_at", "at", "content", "state", "person", "hop"),
            [(more.pop("to", "crm"), f"k{time.monotonic_ns()}", type, subject, came + seconds, came + seconds,
              ledger_json(content), "planned", who, 0)],
        )  # fmt: skip


def ledger_json(value: Any) -> str:
    from hub.store.json import dumps

    return dumps(value)


def test_a_touch_told_in_whole_seconds_is_not_before_a_request_of_the_same_second(box: Box) -> None:
    box.send(event("form.submitted", "form:1", 1))
    box.settle()
    asked = only(box)
    assert asked.now is not None
    after(box, int(asked.at) - asked.at, "lead.stage_changed", f"lead:{asked.now[2]}")
    assert touched(box) == 0


def test_the_first_touch_is_what_a_person_did_first(box: Box) -> None:
    box.send(event("form.submitted", "form:1", 1))
    box.settle()
    row = only(box)
    assert row.now is not None and row.touched_after is None
    lead, person = f"lead:{row.now[2]}", row.person
    after(box, -50, "message.sent", "message:1", person)  # before it came
    after(box, 10, "lead.stage_changed", lead, by="hub")  # the hub itself
    after(box, 20, "lead.stage_changed", "lead:999999")  # somebody else's
    after(box, 25, "call.started", "call:5", person, record={"call": {"direction": "in"}})  # they called again
    assert touched(box) is None
    after(box, 900, "task.completed", "task:3", record={"task": {"lead": row.now[2]}})
    assert touched(box) == pytest.approx(900)
    after(box, 600, "lead.responsible_changed", lead)
    assert touched(box) == pytest.approx(600)
    after(box, 300, "call.started", "call:6", person, record={"call": {"direction": "out"}})
    assert touched(box) == pytest.approx(300)
    after(box, 60, "message.sent", "message:2", person)
    assert touched(box) == pytest.approx(60)
    assert day(box).totals()["site"]["median_touch"] == pytest.approx(60)


def test_a_call_that_was_taken_is_touched_and_a_missed_one_is_not(box: Box) -> None:
    box.send(event("call.started", "call:1", 1, call={"direction": "in"}))
    box.send(event("call.answered", "call:1", 1, call={"direction": "in"}))
    box.send(event("call.missed", "call:2", 2, call={"direction": "in"}))
    box.send(event("call.finished", "call:3", 3, call={"direction": "in", "duration": 30}))
    box.settle()
    answered = {row.subject: row.touched_after is not None for row in day(box).rows}
    assert answered == {"call:1": True, "call:2": False, "call:3": True}


# --- does it add up -------------------------------------------------------------------------------------


def night(box: Box) -> list[tuple[str, str]]:
    """A day passes; the sweeper looks. Return the open alerts: kind, words."""
    from hub.reasons import say
    from hub.store.json import loads

    with box.store.write() as db:
        if state.fact(db, "ledger_since") is None:
            state.set_fact(db, "ledger_since", "2000-01-01")
        db.run("DELETE FROM fact WHERE name = 'ledger_balanced'")
    ticker = Ticker(box.runtime)
    for _ in range(ledger.SETTLING + 1):
        ticker.balance()
    with box.store.read() as db:
        rows = db.rows("SELECT kind, params FROM alert WHERE closed_at IS NULL ORDER BY id")
    return [(kind, say(kind, loads(params))) for kind, params in rows]


def age(box: Box, days: int) -> str:
    """Let what is there be so many days older; return the day it now came in on."""
    with box.store.write() as db:
        for table in ("event", "receipt"):
            db.run(f"UPDATE {table} SET at = at - ?", (days * 86400.0,))
        rows = db.rows("SELECT day, connection, name, n FROM counter WHERE name = 'requests'")
        db.run("DELETE FROM counter WHERE name = 'requests'")
        date = ledger.today(db, box.config, days)
        for _, connection, name, n in rows:
            inquiries.add(db, date, {(connection, name): n})
    return date


def test_a_day_that_adds_up_is_kept_and_nobody_is_told(box: Box) -> None:
    for n in range(3):
        box.send(event("form.submitted", f"form:{n}", n))
    box.settle()
    date = age(box, 2)
    assert night(box) == []
    with box.store.read() as db:
        kept = inquiries.counted(db, date, ("requests", "requests_new", "requests_joined"))
    assert kept == {("site", "requests"): 3, ("site", "requests_new"): 3, ("site", "requests_joined"): 0}


def test_a_request_that_is_missing_is_an_alert_until_it_is_found(box: Box) -> None:
    for n in range(3):
        box.send(event("form.submitted", f"form:{n}", n))
    box.settle()
    date = age(box, 1)
    with box.store.write() as db:
        row = db.one("SELECT receipt FROM event WHERE id = 2")
        db.run("UPDATE event SET receipt = NULL WHERE id = 2")
    words = f"site: 3 requests and what goes on with them came in on {date}, 2 are accounted for"
    assert night(box) == [("alert_ledger", words)]
    assert night(box) == [("alert_ledger", words)], "the next night it is the same alert"
    with box.store.write() as db:
        db.run("UPDATE event SET receipt = ? WHERE id = 2", (row[0],))  # type: ignore[index]
    assert night(box) == []


def test_days_before_it_began_to_count_are_left_alone(box: Box) -> None:
    box.send(event("form.submitted", "form:1", 1))
    box.settle()
    age(box, 1)
    with box.store.write() as db:
        db.run("DELETE FROM counter WHERE name = 'requests'")
    assert ledger.balance(box.store, box.config) == ""
    with box.store.read() as db:
        assert state.fact(db, "ledger_since") == ledger.today(db, box.config)
    assert night(box) == []


def test_it_looks_at_each_of_the_last_days_once_a_day(box: Box) -> None:
    with box.store.write() as db:
        state.set_fact(db, "ledger_since", "2000-01-01")
        wanted = [ledger.today(db, box.config, back) for back in range(1, ledger.SETTLING + 1)]
    looked = [ledger.balance(box.store, box.config) for _ in range(ledger.SETTLING + 2)]
    assert looked == [*wanted, "", ""]


def test_the_sums_outlive_the_rows(box: Box) -> None:
    for n in range(2):
        box.send(event("form.submitted", f"form:{n}", n))
    box.settle()
    age(box, 3)
    assert night(box) == []
    with box.store.write() as db:
        db.run("UPDATE event SET at = at - 8640000")
        db.run("UPDATE receipt SET at = at - 8640000")
    prune.prune(box.store, 30 * 86400)
    found = day(box, 3)
    assert found.rows == []
    assert found.totals()["site"] == {"received": 2, "continued": 0, **dict.fromkeys(OUTCOMES, 0), "new": 2}
    assert night(box) == [], "and aren't taken for a day that doesn't add up"
    assert day(box, 3).totals()["site"]["new"] == 2


def test_an_erasure_leaves_the_sums(box: Box) -> None:
    for n in range(2):
        box.send(event("form.submitted", f"form:{n}", 1))
        box.settle()
    box.send(event("message.received", "message:1", 1))
    box.send(event("message.received", "message:2", 1))
    box.send(event("call.started", "call:2", 1, call={"direction": "out"}))
    box.settle()
    before = day(box).totals()
    assert (before["site"]["new"], before["site"]["joined"], before["site"]["continued"]) == (1, 2, 2)
    assert privacy.erase_person(box.store, phone(1), "UA") is not None
    left = day(box)
    assert left.totals() == before
    assert left.unaccounted() == {}


def _until(box: Box, sql: str, number: int) -> None:
    for _ in range(500):
        with box.store.read() as db:
            row = db.one(sql)
        if row is not None and row[0] >= number:
            return
        time.sleep(0.01)
    raise AssertionError(sql)
