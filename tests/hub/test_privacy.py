"""One person is exported whole and erased everywhere; others, and what counts need, stay. On both databases."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from hub import privacy
from hub.errors import Refused, Retry
from hub.identity import Rules, read
from hub.model import Action, Event, Watch
from hub.store import Db, Store, erase, intake, people, state, work
from hub.store.tables import metadata
from hub.store.whose import Ambiguous
from tests.hub.fakes import WORLDS, Box, form

PHONE, EMAIL, NAME = "+380671112233", "oksana.t@example.com", "Oksana Testova"
OTHER = "Ivan Control"
YAML = """
hub: {timezone: Europe/Kyiv, region: UA, unrouted: ignore}
connections:
  site: {plugin: source}
  crm: {plugin: sink}
  mail: {plugin: sink}
routes:
  - name: form becomes a lead
    on: site.form.submitted
    do: crm.lead.upsert
    attach: {to: [open lead], within: 30d, as: comment}
    set: {TITLE: "Site: {{ contact.name }}", PHONE: contact.phone}
  - name: and a letter
    on: site.form.submitted
    do: mail.letter.create
    set: {TO: contact.email, TEXT: "Dear {{ contact.name }}"}
  - name: a deal of hers is noted
    on: crm.deal.updated
    do: mail.note.create
    set: {TEXT: deal.title}
"""


def hers(**more: Any) -> dict[str, Any]:
    one = form(PHONE, NAME, **more)
    one["record"]["contact"] |= {"email": EMAIL, "emails": [EMAIL], "last_name": "Testova", "first_name": "Oksana"}
    one["text"] = f"call me back, {NAME}, 067 111-22-33"
    return one


def his(phone: str = "+380509998877") -> dict[str, Any]:
    return form(phone, OTHER)


@pytest.fixture(params=["sqlite_store", "postgresql_store"])
def box(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Box]:
    store: Store = request.getfixturevalue(request.param)
    box = Box(tmp_path, YAML, store).start()
    yield box
    box.close()


@pytest.fixture
def lived(box: Box) -> Box:
    """Two people's life: forms, a lead each, a parked letter, a deal the CRM tells of, traces elsewhere."""

    def refuse_her_letter(action: Action) -> None:
        if NAME in str(action.values):
            raise Refused(f"no mailbox {EMAIL}")

    WORLDS["mail"].fail = refuse_her_letter
    box.send(hers(), id=f"from {EMAIL}")
    box.send(his())
    box.send(hers(), his("+380509998866"))  # one request, two people
    box.settle()
    contact = next(one for one in WORLDS["crm"].of("contact") if one["phone"] == PHONE)
    WORLDS["crm"].records[("deal", "7")] = {"id": "7", "title": f"Site: {NAME}", "stage": "new"}
    box.send({"type": "deal.updated", "subject": "deal:7", "hint": True}, to="crm")
    box.settle()
    with box.store.write() as db:
        work.add_links(db, [(("crm", "lead", _lead(db)), ("crm", "deal", "7"))])
        state.set_seen(db, "crm", f"contact:{contact['id']}", {"record": {"id": contact["id"], "name": NAME}})
        state.set_watches(db, "crm", [Watch("deal", "7", {"phone": PHONE}, 600.0)])
        state.open_alert(db, f"loop:{EMAIL}", "alert_loop", "crm", {"connection": "crm", "subject": f"contact:{EMAIL}"})
        state.open_alert(db, "x", "alert_poll", "crm", {"why": f"a reply about {NAME}: 8 (067) 111 22 33"})
        state.add_rejected(db, [("site", db.now, 403, f"no token for {EMAIL}", json.dumps({"path": f"/in/{PHONE}"}))])
    return box


def _lead(db: Db) -> str:
    row = db.one("SELECT result FROM delivery WHERE action = 'lead.upsert' ORDER BY id LIMIT 1")
    return str(json.loads(row[0])["id"]) if row else ""


def everything(store: Store) -> list[str]:
    """Every text of every row of every table, bodies opened."""
    found = []
    with store.engine.connect() as connection:
        for table in metadata.sorted_tables:
            for row in connection.execute(sa.select(table)).mappings():
                for name, value in row.items():
                    if table.name == "receipt" and name == "body":
                        value = store.sealer.open(bytes(value)).decode()
                    if isinstance(value, str):
                        found.append(f"{table.name}.{name}: {value}")
    return found


def named(store: Store, *needles: str) -> list[str]:
    return [one for one in everything(store) if any(needle in one for needle in needles)]


HERS = (PHONE, PHONE[1:], "067 111-22-33", "111 22 33", EMAIL, NAME, "Testova")


def erased(box: Box, asked: str = PHONE) -> dict[str, Any]:
    receipt = privacy.erase_person(box.store, asked, "UA", patience=5.0)
    assert receipt is not None
    return receipt


# --- export ---------------------------------------------------------------------------------------------


def test_an_export_holds_all_of_one_and_nothing_of_the_other(lived: Box) -> None:
    with lived.store.read() as db:
        told = privacy.export(db, privacy.find(db, "067 111 22 33", "UA"))
    assert {(one["kind"], one["value"]) for one in told["keys"]} >= {("phone", PHONE), ("email", EMAIL)}
    assert [one["type"] for one in told["events"]] == [
        "form.submitted", "form.submitted", "deal.updated", "deal.stage_changed",
    ]  # fmt: skip
    first, both = told["receipts"][:2]
    assert first["key"] == f"from {EMAIL}" and NAME in first["body"] and not first["of_several_people"]
    assert both["of_several_people"] and "body" not in both
    assert [one["action"] for one in told["deliveries"]].count("lead.upsert") == 2
    assert len(told["attempts"]) == len(told["deliveries"])
    assert len(told["parked"]) == 3
    assert {one["subject"] for one in told["seen"]} >= {"deal:7"}
    assert [one["record"] for one in told["watched"]] == ["deal:7"]
    assert len(told["alerts"]) == 3 and len(told["rejected"]) == 1  # the parked letter's too
    assert OTHER not in json.dumps(told)
    with lived.store.read() as db:
        for asked in ("+38 (067) 111-22-33", "Oksana.T@example.com", "1", "person:1"):
            assert privacy.find(db, asked, "UA").persons == [1], asked


def test_an_export_holds_what_was_left_out_copied_and_thought_of_her(lived: Box) -> None:
    said, his_words = json.dumps({"phone": [PHONE, PHONE]}), json.dumps({"phone": ["+380509998877", "+380509998877"]})
    with lived.store.write() as db:
        event = db.rows("SELECT id, person FROM event WHERE person IS NOT NULL ORDER BY id")
        [hers_, his_] = [next(row[0] for row in event if row[1] == person) for person in (1, 2)]
        names = [column.name for column in metadata.tables["part"].columns if column.name not in ("id", "replay")]
        parts = [{**dict.fromkeys(names, "x"), "reason": "{}",
                  "delivery": one, "event": one, "value": value, "at": db.now}
                 for one, value in ((hers_, NAME), (his_, OTHER))]  # fmt: skip
        db.insert("part", names, [tuple(one[name] for name in names) for one in parts])
        twin = ("sync", "record", "one", "other", "state", "agreed", "told", "writes", "at")
        db.insert("twin", twin, [("s", "contact", "1", "2", "kept", said, "{}", "[]", db.now),
                                 ("s", "contact", "3", "4", "kept", his_words, "{}", "[]", db.now)])  # fmt: skip
        left = ("sync", "record", "connection", "ref", "plan", "content", "state", "at")
        db.insert("backlog", left, [("s", "deal", "crm", "7", "create", "{}", "waiting", db.now),
                                    ("s", "deal", "crm", "8", "create", his_words, "waiting", db.now)])  # fmt: skip
        difference = ("run", "connection", "subject", "cause", "reason", "state")
        db.insert("difference", difference, [(1, "crm", "deal:7", "x", "{}", "open"),
                                             (1, "crm", "deal:8", "x", his_words, "open")])  # fmt: skip
        reason = json.dumps({"code": "suspect_alike", "params": {"name": [NAME, OTHER]}})
        db.insert("suspect", ("person", "other", "state", "reason", "at"), [(1, 2, "open", reason, db.now)])
        db.insert("nobody", ("kind", "value", "how", "reason", "at"),
                  [("email", EMAIL, "use", "{}", db.now), ("phone", "+380440000000", "use", "{}", db.now)])  # fmt: skip
    with lived.store.read() as db:
        told = privacy.export(db, privacy.find(db, "1"))
    assert [one["value"] for one in told["left_out"]] == [NAME]
    assert [one["agreed"] for one in told["synced"]] == [json.loads(said)]
    assert [one["ref"] for one in told["backlog"]] == ["7"]
    assert [one["subject"] for one in told["differences"]] == ["deal:7"]
    assert [(one["state"], one["code"]) for one in told["suspects"]] == [("open", "suspect_alike")]
    assert [one["value"] for one in told["nobody"]] == [EMAIL], "she gave it, whoever else does"
    assert OTHER not in json.dumps(told) and "509998877" not in json.dumps(told)


def test_a_handle_of_two_is_asked_back(box: Box) -> None:
    for channel in ("insta", "viber"):
        one = form(None, "Anna")
        one["record"]["contact"]["handles"] = {channel: "anna_k"}
        box.send(one)
    box.settle()
    with box.store.read() as db:
        assert privacy.find(db, "viber:anna_k").persons == [2]
        with pytest.raises(Ambiguous, match="persons 1 and 2"):
            privacy.find(db, "@Anna_K")
        assert not privacy.find(db, "nobody_knows")


def test_those_merged_into_one_are_one(box: Box) -> None:
    for phone in (PHONE, "+380671112299"):
        box.send(form(phone, NAME))
    box.settle()
    with box.store.write() as db:
        db.run('UPDATE person SET "into" = 1 WHERE id = 2')
    with box.store.read() as db:
        found = privacy.find(db, "+380671112299")
    assert (found.persons, len(found.events)) == ([1, 2], 2)


# --- erase ----------------------------------------------------------------------------------------------


def test_after_an_erasure_nothing_names_her_and_all_of_him_is_there(lived: Box) -> None:
    before = len(named(lived.store, OTHER, "509998877"))
    assert len(named(lived.store, *HERS)) > 20
    receipt = erased(lived)
    assert named(lived.store, *HERS) == []
    assert len(named(lived.store, OTHER, "509998877")) == before
    counts = receipt["counts"]
    assert (counts["persons"], counts["events"], counts["receipts"], counts["records watched"]) == (1, 4, 2, 1)
    assert counts["mentions in rejected"] == 1 and counts["mentions in alert"] == 3
    with lived.store.read() as db:
        states = dict(tuple(row) for row in db.rows("SELECT state, count(*) FROM event GROUP BY state"))
        assert states == {"erased": 4, "planned": 2}
        assert [row[0] for row in db.rows("SELECT DISTINCT state FROM receipt ORDER BY state")] == ["done", "erased"]
        [kept] = privacy.erasures(db)
    assert kept == {**receipt, "genuine": True}
    assert privacy.erase_person(lived.store, PHONE, "UA") is None, "a second run finds nothing"
    assert privacy.forecast(lived.store, "1") == {}


def test_a_dry_run_tells_the_same_and_changes_nothing(lived: Box) -> None:
    before = everything(lived.store)
    forecast = privacy.forecast(lived.store, EMAIL)
    assert everything(lived.store) == before
    receipt = erased(lived, EMAIL)
    for name in ("persons", "keys", "events", "receipts", "deliveries", "attempts", "records seen"):
        assert forecast[name] == receipt["counts"][name], name


def test_the_files_hold_nothing_of_her_either(lived: Box) -> None:
    if lived.store.postgresql:
        erased(lived)
        erase.compact(lived.store)  # its files are the server's
        return
    (lived.store.folder / "old.log").write_text(f"somebody logged {PHONE} here\n")
    erased(lived)
    for engine in lived.engines:
        engine.stop(3)
    erase.compact(lived.store)
    raw = b"".join(path.read_bytes() for path in sorted(lived.store.folder.iterdir()) if path.is_file())
    for needle in (PHONE[1:], "671112233", EMAIL, NAME, "Testova"):
        assert needle.encode() not in raw, needle
    assert OTHER.encode() in raw
    with sqlite3.connect(lived.store.folder / "hub.db") as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)


def test_a_late_copy_does_not_bring_her_back(lived: Box) -> None:
    erased(lived)
    box = lived
    one = hers()
    assert box.send(one, id=f"from {EMAIL}") == 200
    box.settle()
    assert named(box.store, *HERS) == []
    assert box.send(one, id="a new message") == 200, "what she says anew is taken"
    box.settle()
    assert named(box.store, NAME)


def test_a_request_of_two_people_can_still_be_read_again(lived: Box) -> None:
    from hub import handwork

    erased(lived)
    with lived.store.write() as db:
        [shared] = [row[0] for row in db.rows("SELECT id FROM receipt WHERE key = 'm2'")]
        [own] = [row[0] for row in db.rows("SELECT id FROM receipt WHERE state = 'erased' AND connection = 'site'")]
        handwork.replay(db, shared)
        with pytest.raises(handwork.Pointless, match="erased"):
            handwork.replay(db, own)
    before = len(lived.events())
    lived.settle()
    assert len(lived.events()) == before
    assert named(lived.store, *HERS) == []


# --- work in flight -------------------------------------------------------------------------------------


def test_what_waits_for_her_is_given_up(box: Box) -> None:
    def away(action: Action) -> None:
        raise Retry("HTTP 502")

    WORLDS["crm"].fail = away
    box.send(hers())
    box.send(his())
    _until_tried(box)
    erased(box)
    states = {(one["event"], one["state"]) for one in box.deliveries() if one["action"] == "lead.upsert"}
    assert states == {(1, "dropped"), (2, "ready")}
    with box.store.read() as db:
        lines = {row[0] for row in db.rows("SELECT key FROM line WHERE key LIKE 'crm>%'")}
    assert lines == {one["line"] for one in box.deliveries() if one["state"] == "ready"}


def test_what_is_being_sent_ends_first(box: Box) -> None:
    WORLDS["crm"].delay = 0.5
    box.send(hers())
    _until(box, "SELECT 1 FROM line WHERE key LIKE 'crm>%' AND lease IS NOT NULL")
    receipt = erased(box)
    assert receipt["counts"]["deliveries"] == 2
    assert [one["state"] for one in box.deliveries()] == ["done", "done"]
    assert named(box.store, *HERS) == []


def test_what_does_not_end_is_said_and_nothing_is_erased(box: Box) -> None:
    box.send(hers())
    box.settle()
    before = len(named(box.store, *HERS))
    for engine in box.engines:
        engine.stop(3)
    box.send(hers(), id="unread")
    with pytest.raises(privacy.Busy, match=r"r2 has not been read yet .* nothing was erased"):
        privacy.erase_person(box.store, PHONE, "UA", patience=0.0)
    with box.store.write() as db:
        db.run("UPDATE receipt SET state = 'done' WHERE id = 2")
        db.run("UPDATE delivery SET state = 'ready', line = 'crm>x' WHERE id = 1")
        db.run("INSERT INTO line (key, lane, due, lease) VALUES ('crm>x', 'crm', ?, 'w:1')", (db.now + 60,))
    with pytest.raises(privacy.Busy, match="d1 is being sent right now"):
        privacy.erase_person(box.store, PHONE, "UA", patience=0.0)
    assert len(named(box.store, *HERS)) >= before
    with box.store.read() as db:
        assert privacy.erasures(db) == []


def _comes_meanwhile(box: Box) -> Any:
    """Plan one more message of hers, once, at the moment at which her events are erased already."""
    came: list[int] = []

    def progress(what: str, rows: int) -> None:
        if what != "event" or came:
            return
        event = Event(
            "form.submitted", "form:late", "late", {"contact": {"phone": PHONE, "name": NAME}}, connection="site"
        )
        with box.store.write() as db:
            [fresh] = intake.add_events(db, [event])
            [match] = people.match(db, [read(fresh, Rules())], Rules())
            assert match.own == 1, "the erasure is under way, she is known still"
            intake.set_event_notes(db, [(fresh.id, match.own, None, match.why)])
            intake.update_events(db, [(fresh, "planned", None)])
            came.append(fresh.id)

    return came, progress


def test_what_is_planned_while_it_runs_is_erased_too(lived: Box) -> None:
    came, progress = _comes_meanwhile(lived)
    receipt = privacy.erase_person(lived.store, PHONE, "UA", progress=progress, patience=5.0)
    assert receipt is not None and receipt["counts"]["persons"] == 1
    with lived.store.read() as db:
        assert db.one("SELECT state FROM event WHERE id = ?", (came[0],)) == ("erased",)
        assert receipt["counts"]["events"] == db.one("SELECT count(*) FROM event WHERE state = 'erased'")[0]  # type: ignore[index]
    assert named(lived.store, *HERS) == []


def test_an_event_whose_person_is_gone_is_found_by_its_words(box: Box) -> None:
    box.send(hers())
    box.settle()
    with box.store.write() as db:
        db.run("DELETE FROM person_key")
        db.run("DELETE FROM person")
    erased(box)
    assert [event["state"] for event in box.events()] == ["erased"]


def test_one_that_ends_in_the_middle_does_not_say_that_nothing_was_erased(lived: Box) -> None:
    for engine in lived.engines:
        engine.stop(3)
    came, plan = _comes_meanwhile(lived)

    def progress(what: str, rows: int) -> None:
        plan(what, rows)
        with lived.store.write() as db:
            row = work.NewDelivery(came[0], "r", "0", "crm", "lead.upsert", "crm>late", "crm", "late")
            if work.add_deliveries(db, [row]):
                db.run("UPDATE line SET lease = 'w:1', due = ? WHERE key = 'crm>late'", (db.now + 60,))

    with pytest.raises(
        privacy.Busy, match="is being sent right now: it came meanwhile, and only what was there before"
    ):
        privacy.erase_person(lived.store, PHONE, "UA", progress=progress, patience=0.0)


def _until_tried(box: Box) -> None:
    _until(box, "SELECT 1 FROM delivery WHERE event = 2 AND action = 'lead.upsert' AND wait = 'retry'")
    _until(box, "SELECT 1 FROM delivery WHERE event = 1 AND action = 'lead.upsert' AND wait = 'retry'")


def _until(box: Box, sql: str) -> None:
    import time

    for _ in range(500):
        with box.store.read() as db:
            if db.one(sql) is not None:
                return
        time.sleep(0.01)
    raise AssertionError(sql)


def test_copies_of_her_records_and_what_is_thought_of_her_go_too(lived: Box) -> None:
    said = json.dumps({"phone": [PHONE, PHONE]})
    with lived.store.write() as db:
        db.insert("suspect", ("person", "other", "state", "reason", "at"), [(1, 2, "open", said, db.now)])
        merged = ("survivor", "merged", "one", "other", "how", "reason", "at")
        db.insert("merge", merged, [(1, 99, 1, 99, "rule", said, db.now), (2, 98, 2, 98, "rule", "{}", db.now)])
        twin = ("sync", "record", "one", "other", "state", "agreed", "told", "writes", "at")
        db.insert("twin", twin, [("s", "contact", "1", "2", "kept", said, "{}", "[]", db.now),
                                 ("s", "contact", "3", "4", "kept", "{}", "{}", "[]", db.now)])  # fmt: skip
        left = ("sync", "record", "connection", "ref", "plan", "content", "state", "at")
        db.insert("backlog", left, [("s", "contact", "crm", "1", "create", said, "waiting", db.now)])
        db.insert("nobody", ("kind", "value", "how", "reason", "at"), [("phone", "+380440000000", "use", said, db.now)])
    erased(lived)
    assert named(lived.store, *HERS) == []
    with lived.store.read() as db:
        left_over = {table: db.one(f"SELECT count(*) FROM {table}")[0]  # type: ignore[index]
                     for table in ("suspect", "merge", "twin", "backlog", "nobody", "likeness")}  # fmt: skip
        assert db.one("SELECT 1 FROM likeness WHERE person = 1") is None
    del left_over["likeness"]
    assert left_over == {"suspect": 0, "merge": 1, "twin": 1, "backlog": 0, "nobody": 1}
