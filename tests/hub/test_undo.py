"""What a batch wrote is written back, field by field, as long as nobody else has written there. On both databases."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from hub import handwork, undoing
from hub.connector import ActionKind
from hub.errors import Gone, Refused
from hub.model import Action, Done
from hub.store import Store, batches, reading, work
from tests.hub.fakes import WORLDS, Box, Poller, Sink, Source, form


class Deleting(Sink):
    """A CRM that can delete leads, and refuses to show comments."""

    name = "deleting"
    actions = (*Sink.actions, ActionKind("lead.delete", idempotent=True), ActionKind("comment.delete"))

    def perform(self, action: Action) -> Done:
        if action.verb != "delete":
            return super().perform(action)
        with self.world.lock:
            if self.world.records.pop((action.record, action.id), None) is None:
                raise Gone("no such lead")
        return Done({"id": action.id}, action.id)

    def get(self, record: str, id: str) -> dict[str, Any]:
        if record == "comment":
            raise Refused("comments can't be read")
        return super().get(record, id)


YAML = """
hub: {timezone: Europe/Kyiv, region: UA, unrouted: ignore}
connections:
  site: {plugin: source}
  crm: {plugin: deleting}
routes:
  - name: the city goes into the deal
    on: site.form.submitted
    when: {form.id: move}
    steps:
      - {do: crm.deal.update, find: {PHONE: contact.phone}, set: {CITY: form.city, NOTE: form.branch}}
      - {do: crm.deal.set_stage, find: {PHONE: contact.phone}, stage: shipped}
  - name: a form becomes a lead
    on: site.form.submitted
    when: {form.id: new}
    do: crm.lead.upsert
    set: {TITLE: "Site: {{ contact.name }}"}
  - name: and a comment
    on: site.form.submitted
    when: {form.id: new}
    do: crm.comment.create
    set: {text: event.text}
"""
PHONE = "+380671112233"


@pytest.fixture(params=["sqlite_store", "postgresql_store"])
def box(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Box]:
    store: Store = request.getfixturevalue(request.param)
    box = Box(tmp_path, YAML, store, plugins=(Source, Sink, Poller, Deleting)).start()
    WORLDS["crm"].records[("deal", "7")] = {
        "id": "7", "PHONE": PHONE, "CITY": "Odesa", "NOTE": None, "stage": "to_ship",
    }  # fmt: skip
    yield box
    box.close()


def deal() -> dict[str, Any]:
    return {name: WORLDS["crm"].records[("deal", "7")].get(name) for name in ("CITY", "NOTE", "stage")}


BEFORE = {"CITY": "Odesa", "NOTE": None, "stage": "to_ship"}
AFTER = {"CITY": "Kyiv", "NOTE": "5", "stage": "shipped"}


def moved(box: Box, city: str = "Kyiv") -> None:
    """A message comes and is acted upon."""
    box.send(form(PHONE, city=city, branch="5") | {"record": {
        "contact": {"name": "Anna", "phone": PHONE, "phones": [PHONE]},
        "form": {"id": "move", "city": city, "branch": "5"},
    }})  # fmt: skip
    box.settle()


def replayed(box: Box) -> str:
    """All receipts are acted upon anew, as one batch."""
    with box.store.write() as db:
        batch = work.new_batch(db, "replay")
        for (id,) in db.rows("SELECT id FROM receipt ORDER BY id"):
            handwork.replay(db, id, again=True, batch=batch)
    box.ring()
    box.settle()
    return batch


def rows_of(box: Box, batch: str) -> list[reading.Row]:
    with box.store.read() as db:
        return batches.deliveries(db, batch)


def undo(box: Box, batch: str, delete: bool = False) -> tuple[undoing.Undoing, str]:
    """Plan, look and carry out; return what was found and the batch of the undoing."""
    with box.store.read() as db:
        waiting = batches.undoing(db)
    found = undoing.plan(box.runtime, rows_of(box, batch), waiting, delete)
    for one in [*found.restores, *found.created]:
        undoing.look(box.runtime, one)
    made = undoing.store_all(box.store, box.runtime, found)
    box.ring()
    box.settle()
    return found, made


# --- batches --------------------------------------------------------------------------------------------


def test_all_that_follows_from_a_replay_is_its_batch(box: Box) -> None:
    moved(box)
    WORLDS["crm"].records[("deal", "7")].update(BEFORE)
    batch = replayed(box)
    assert [(row["action"], row["state"]) for row in rows_of(box, batch)] == [
        ("deal.update", "done"), ("deal.set_stage", "done"),
    ]  # fmt: skip
    with box.store.read() as db:
        [told] = batches.batches(db)
    assert (told["batch"], told["deliveries"], told["states"], told["connections"]) == (batch, 2, {"done": 2}, ["crm"])


def test_routes_new_to_known_messages_write_into_the_batch_of_their_replay(box: Box, tmp_path: Path) -> None:
    moved(box)
    for engine in box.engines:
        engine.stop(3)
    world = WORLDS["crm"]
    more = YAML + "  - {name: a new one, on: site.form.submitted, do: crm.note.create, set: {TEXT: form.city}}\n"
    newer = Box(tmp_path / "newer", more, box.store, plugins=(Source, Sink, Poller, Deleting)).start()
    WORLDS["crm"] = world
    with box.store.write() as db:
        handwork.replay(db, 1, batch="replay-1")
    newer.ring()
    newer.settle()
    assert [row["action"] for row in rows_of(newer, "replay-1")] == ["note.create"]
    for engine in newer.engines:
        engine.stop(3)


def test_a_retry_keeps_the_batch_a_delivery_has(box: Box) -> None:
    def refuse(action: Action) -> None:
        raise Refused("not now")

    moved(box)
    WORLDS["crm"].fail = refuse
    batch = replayed(box)
    WORLDS["crm"].fail = lambda action: None
    [parked] = rows_of(box, batch)
    assert parked["state"] == "parked"
    with box.store.write() as db:
        handwork.retry(db, parked["id"], "retry-1")
    box.ring()
    box.settle()
    assert [row["state"] for row in rows_of(box, batch)] == ["done", "skipped"]
    assert rows_of(box, "retry-1") == []


# --- taking back ----------------------------------------------------------------------------------------


def test_a_batch_is_taken_back_and_that_too(box: Box) -> None:
    moved(box)
    WORLDS["crm"].records[("deal", "7")].update(BEFORE)
    batch = replayed(box)
    assert deal() == AFTER
    _, first = undo(box, batch)
    assert deal() == {**BEFORE, "NOTE": ""}
    [row] = rows_of(box, first)
    assert (row["state"], row["reason"]["code"], row["line"]) == ("done", "undone", "crm>deal:7")
    _, second = undo(box, first)
    assert deal() == AFTER
    assert first != second
    found, nothing = undo(box, first)
    assert nothing == "", "what was taken back has nothing left that the first undoing wrote"
    [(id, why)] = found.left
    assert (found.restores, id, why) == ([], row["id"], f"d{row['id'] + 1} has taken it back")


def test_what_others_changed_stays_and_is_said(box: Box) -> None:
    moved(box)
    box.send({"type": "deal.updated", "subject": "deal:7", "hint": True}, to="crm")
    box.settle()
    WORLDS["crm"].records[("deal", "7")].update(BEFORE)
    batch = replayed(box)
    WORLDS["crm"].records[("deal", "7")]["CITY"] = "Lviv"
    box.send({"type": "deal.updated", "subject": "deal:7", "hint": True}, to="crm")
    box.settle()
    found, made = undo(box, batch)
    [one] = found.restores
    assert one.found is not None and one.found.changed == {"CITY": "Lviv"}
    with box.store.read() as db:
        assert undoing.who(db, one, "CITY").startswith("by somebody at crm (e")
        assert undoing.who(db, one, "NAME") == "by somebody at crm, which did not tell the hub"
    assert deal() == {"CITY": "Lviv", "NOTE": "", "stage": "to_ship"}
    [row] = rows_of(box, made)
    assert row["reason"]["code"] == "undone_in_part" and row["reason"]["params"]["left"] == "CITY"


def test_a_change_between_plan_and_delivery_is_seen_too(box: Box) -> None:
    moved(box)
    with box.store.read() as db:
        rows = [row for id in (1, 2) if (row := reading.delivery(db, id))]
    found = undoing.plan(box.runtime, rows, {})
    WORLDS["crm"].records[("deal", "7")].update(CITY="Lviv", NOTE="mine", stage="won")
    made = undoing.store_all(box.store, box.runtime, found)
    box.ring()
    box.settle()
    [row] = rows_of(box, made)
    assert (row["state"], row["reason"]["code"]) == ("skipped", "undo_nothing")
    assert deal() == {"CITY": "Lviv", "NOTE": "mine", "stage": "won"}


def test_several_writes_of_one_record_go_back_to_the_first(box: Box) -> None:
    for city in ("Kyiv", "Lviv", "Dnipro"):
        moved(box, city)
    with box.store.read() as db:
        rows = [row for id in range(1, 8) if (row := reading.delivery(db, id))]
    found = undoing.plan(box.runtime, rows, {})
    [one] = found.restores
    assert one.fields["CITY"] == {"wrote": "Dnipro", "before": "Odesa"}
    assert undoing.plan(box.runtime, rows[2:], {}).restores[0].fields["CITY"]["before"] == "Kyiv"


def test_somebody_elses_write_in_between_is_not_overwritten(box: Box) -> None:
    moved(box, "Kyiv")
    WORLDS["crm"].records[("deal", "7")]["CITY"] = "Rivne"
    moved(box, "Lviv")
    with box.store.read() as db:
        rows = [row for id in range(1, 5) if (row := reading.delivery(db, id))]
    found = undoing.plan(box.runtime, rows, {})
    assert found.restores[0].fields["CITY"] == {"wrote": "Lviv", "before": "Rivne"}
    assert (1, "CITY was changed by others before d3 wrote it again") in found.left


def test_an_undoing_cut_short_after_its_call_is_not_done_twice(box: Box) -> None:
    moved(box)
    with box.store.read() as db:
        rows = [row for id in (1, 2) if (row := reading.delivery(db, id))]
    for engine in box.engines:
        engine.stop(3)
    found = undoing.plan(box.runtime, rows, {})
    made = undoing.store_all(box.store, box.runtime, found)
    WORLDS["crm"].records[("deal", "7")].update(BEFORE, NOTE="")  # the call went out, its worker died
    with box.store.write() as db:
        [claimed] = work.claimed(db, work.claim(db, "crm", 10, "dead:1"))
    claimed.started_at = 1.0
    outcome = box.engines[0].deliverer(claimed, lambda: None)
    assert (outcome.kind, outcome.reason and outcome.reason["code"]) == ("done", "undone")
    assert outcome.done is not None and outcome.done.before["CITY"] == "Kyiv"
    assert made


# --- what can't be taken back ---------------------------------------------------------------------------


def created(box: Box) -> str:
    box.send(form(PHONE) | {"record": {"contact": {"name": "Anna", "phone": PHONE}, "form": {"id": "new"}}})
    box.settle()
    with box.store.write() as db:
        db.run("UPDATE delivery SET batch = 'merge-1'")
    return "merge-1"


def test_what_was_made_is_told_and_stays(box: Box) -> None:
    found, made = undo(box, created(box))
    assert made == ""
    assert sorted(one.record for one in found.created) == ["comment", "contact", "lead"]
    assert len(WORLDS["crm"].of("lead")) == 1


def test_what_was_made_is_deleted_where_that_is_wanted(box: Box) -> None:
    found, made = undo(box, created(box), delete=True)
    assert {one.record: one.trouble for one in found.created} == {
        "lead": "",
        "contact": "crm has no action that deletes a contact",
        "comment": "it can't be read again, so it stays: comments can't be read",
    }
    assert WORLDS["crm"].of("lead") == [] and len(WORLDS["crm"].of("contact")) == 1
    [row] = rows_of(box, made)
    assert (row["action"], row["reason"]["code"]) == ("lead.delete", "undo_deleted")
    again, nothing = undo(box, made)
    assert nothing == "" and again.left == [(row["id"], "it deleted a record, which can't be brought back")]


def test_what_was_made_and_then_changed_by_others_is_not_deleted(box: Box) -> None:
    batch = created(box)
    with box.store.write() as db:
        row = db.one("SELECT id, written FROM delivery WHERE action = 'lead.upsert'")
        written = {**json.loads(row[1]), "written": {"TITLE": "Site: Anna"}}  # a vendor that says what it wrote
        db.run("UPDATE delivery SET written = ? WHERE id = ?", (json.dumps(written), row[0]))
    WORLDS["crm"].of("lead")[0]["TITLE"] = "Anna, called twice"
    found, made = undo(box, batch, delete=True)
    [lead] = [one for one in found.created if one.record == "lead"]
    assert lead.found is not None and lead.found.changed == {"TITLE": "Anna, called twice"}
    assert made == "" and len(WORLDS["crm"].of("lead")) == 1


@pytest.mark.parametrize(
    "touch",
    [{"TITLE": ""}, {"changed_at": "2999-01-01T00:00:00+00:00", "BUDGET": "5000"}],
    ids=["emptied a field", "filled in another one"],
)
def test_what_people_have_worked_on_is_not_deleted(box: Box, touch: dict[str, Any]) -> None:
    batch = created(box)
    with box.store.write() as db:
        row = db.one("SELECT id, written FROM delivery WHERE action = 'lead.upsert'")
        db.run(
            "UPDATE delivery SET written = ? WHERE id = ?",
            (json.dumps({**json.loads(row[1]), "written": {"TITLE": "Site: Anna"}}), row[0]),
        )
    with box.store.read() as db:
        taken = batches.undoing(db)
    found = undoing.plan(box.runtime, rows_of(box, batch), taken, delete=True)
    [lead] = [one for one in found.created if one.record == "lead"]
    undoing.look(box.runtime, lead)
    assert lead.found is not None and not lead.found.touched
    WORLDS["crm"].of("lead")[0].update(touch)  # between the look and the sending
    undoing.store_all(box.store, box.runtime, found)
    box.ring()
    box.settle()
    assert len(WORLDS["crm"].of("lead")) == 1
    looked, made = undo(box, batch, delete=True)
    assert made == "" and next(one for one in looked.created if one.record == "lead").found.touched  # type: ignore[union-attr]


def test_what_was_taken_back_is_not_taken_back_again(box: Box) -> None:
    """The same value was written once more, by a message of its own: that one stays."""
    moved(box)
    with box.store.read() as db:
        first = [row for id in (1, 2) if (row := reading.delivery(db, id)) is not None]

    def again() -> undoing.Undoing:
        with box.store.read() as db:
            found = undoing.plan(box.runtime, first, batches.undoing(db))
        for one in found.restores:
            undoing.look(box.runtime, one)
        undoing.store_all(box.store, box.runtime, found)
        box.ring()
        box.settle()
        return found

    again()
    assert deal() == {**BEFORE, "NOTE": ""}
    moved(box)
    assert deal() == AFTER
    found = again()
    assert deal() == AFTER
    assert [why for _, why in found.left] == ["d3 has taken it back"] * 2
    with box.store.read() as db:
        back = [row for id in (3,) if (row := reading.delivery(db, id)) is not None]
        taken = batches.undoing(db)
    assert set(taken) == {1, 2}
    assert undoing.plan(box.runtime, back, taken).left == []


def test_writes_are_folded_in_the_order_in_which_they_were_made(box: Box) -> None:
    """d1 was parked and sent after d3: what stood before d3 is what is put back, not what stood before d1."""
    moved(box)
    moved(box, "Lviv")
    with box.store.write() as db:
        rows = [row for id in (1, 3) if (row := reading.delivery(db, id)) is not None]
    early, late = rows[1], {**rows[0], "finished_at": rows[1]["finished_at"] + 1}
    early = {**early, "written": {"written": {"CITY": "Lviv"}, "before": {"CITY": "Odesa"}}}
    late = {**late, "written": {"written": {"CITY": "Kyiv"}, "before": {"CITY": "Lviv"}}}
    [one] = undoing.plan(box.runtime, [late, early], {}).restores
    assert one.fields["CITY"] == {"wrote": "Kyiv", "before": "Odesa"}


def test_why_a_delivery_is_left(box: Box) -> None:
    moved(box)
    with box.store.read() as db:
        row = reading.delivery(db, 1)
    assert row is not None
    unknown = {"written": {"CITY": "Kyiv"}, "before": {}}
    for change, why in (
        ({"state": "ready"}, "it is ready and has written nothing yet"),
        ({"state": "parked"}, "it is parked and has written nothing yet"),
        ({"state": "skipped"}, "it was skipped and wrote nothing"),
        ({"written": None}, "it wrote nothing"),
        ({"written": unknown}, "nobody knows what stood in CITY before"),
        ({"action": "note.update", "result": {"id": "3"}}, "crm has no action that writes a note again"),
    ):
        found = undoing.plan(box.runtime, [{**row, **change}], {})
        assert found.restores == [] and [one[0] for one in found.left] == [1], why
        assert why in found.left[0][1]


def test_one_whose_undoing_waits_is_left(box: Box) -> None:
    moved(box)
    with box.store.read() as db:
        row = reading.delivery(db, 1)
    assert row is not None
    with box.store.write() as db:
        handwork.pause(db, "crm")
    undoing.store_all(box.store, box.runtime, undoing.plan(box.runtime, [row], {}))
    with box.store.read() as db:
        waiting = batches.undoing(db)
    assert waiting == {1: (3, "ready")}
    assert undoing.plan(box.runtime, [row], waiting).left == [(1, "its undoing is planned already and waits: d3")]
    with box.store.write() as db:
        handwork.resume(db, "crm")
    box.ring()
    box.settle()


def test_a_step_that_called_nobody_is_no_hindrance(box: Box) -> None:
    moved(box)
    box.settle()
    with box.store.read() as db:
        rows = [row for one in box.deliveries() if (row := reading.delivery(db, one["id"])) is not None]
    looked_up = {**rows[0], "id": 900, "connection": "hub", "action": "look_up", "written": None}
    gone = {**rows[0], "id": 901, "connection": "formerly"}
    found = undoing.plan(box.runtime, [looked_up, gone, *rows], {})
    assert [one.subject for one in found.restores] == ["deal:7"]
    assert found.left == [(901, "hub.yaml has no connection formerly any more")]
