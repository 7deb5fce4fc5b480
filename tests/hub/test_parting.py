"""Merges undone while they are on their way, in any order, of more than two: each human ends with one card, theirs."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from hub import handwork, people_acts, privacy
from hub.store import Store, families, merging
from tests.hub.fakes import PLUGINS, WORLDS, Box, form
from tests.hub.mergers import Mergers
from tests.hub.store.persons import until_somebody_waits

YAML = """
hub: {timezone: Europe/Kyiv, region: UA, unrouted: ignore}
connections:
  site: {plugin: source}
  crm: {plugin: mergers}
people:
  merge: {auto: [same phone, same email, same handle], carry: [deals, notes]}
routes:
  - name: request
    on: site.form.submitted
    steps:
      - {do: crm.lead.create, set: {TITLE: form.id}}
      - {do: crm.note.create, set: {TEXT: "asked {{ person.requests }} times"}}
"""
PHONES = {"Anna": "+380671112233", "Petro": "+380672223344", "Olha": "+380673334455"}


@pytest.fixture(params=["sqlite_store", "postgresql_store"])
def box(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Box]:
    store: Store = request.getfixturevalue(request.param)
    box = Box(tmp_path / "box", YAML, plugins=(*PLUGINS, Mergers), store=store).start()
    yield box
    box.close()


def crm() -> Any:
    return WORLDS["crm"]


def write(box: Box, *names: str) -> None:
    for name in names:
        box.send(form(PHONES[name], name))


def merge(box: Box, one: int, other: int) -> None:
    with box.store.write() as db:
        people_acts.merge(db, box.runtime, one, other)
    box.ring()


def as_one(box: Box) -> None:
    """Anna and Petro have a card each, and were made one; so were their cards."""
    write(box, "Anna")
    box.settle()
    write(box, "Petro")
    box.settle()
    merge(box, 1, 2)
    box.settle()


def unmerge(box: Box, asked: str) -> people_acts.Act:
    with box.store.write() as db:
        act = people_acts.unmerge(db, box.runtime, asked)
    box.ring()
    return act


def pause(box: Box) -> None:
    with box.store.write() as db:
        handwork.pause(db, "crm")


def resume(box: Box) -> None:
    with box.store.write() as db:
        handwork.resume(db, "crm")
    box.ring()


def whose_leads(box: Box, *names: str) -> dict[str, str]:
    """Return name -> the name on the card on which their next lead is hung, once all of them have written anew."""
    known = {one["id"] for one in crm().of("lead")}
    write(box, *names)
    box.settle()
    cards = {one["id"]: one["name"] for one in crm().of("contact")}
    return {one["name"]: cards[one["contact"]] for one in crm().of("lead") if one["id"] not in known}


def each_their_own(box: Box, *names: str) -> None:
    assert sorted(one["name"] for one in crm().of("contact")) == sorted(names)
    assert whose_leads(box, *names) == {name: name for name in names}
    assert len(crm().of("contact")) == len(names)


def state_of(box: Box, action: str) -> list[str]:
    return [row["state"] for row in box.deliveries() if row["action"] == action]


def in_doubt(box: Box) -> None:
    """Anna and Petro were made one; their cards were merged, and the answer was lost."""
    crm().loses = 1
    write(box, "Anna")
    box.settle()
    write(box, "Petro")
    box.settle()
    merge(box, 1, 2)
    box.until(lambda: box.one("SELECT count(*) FROM attempt WHERE outcome = 'uncertain'") == 1)
    assert len(crm().of("contact")) == 1


def test_a_merge_that_may_have_been_done_is_found_out_and_taken_back(box: Box) -> None:
    in_doubt(box)
    assert unmerge(box, "2").params["carried"] == 1
    box.settle()
    assert state_of(box, "contact.merge") == ["done"]
    each_their_own(box, "Anna", "Petro")


def test_so_is_one_that_was_parked_in_doubt(box: Box) -> None:
    in_doubt(box)
    crm().refuses = True
    box.until(lambda: state_of(box, "contact.merge") == ["parked"])
    del crm().refuses
    act = unmerge(box, "2")
    assert any("goes out again" in line for line in act.lines)
    box.settle()
    each_their_own(box, "Anna", "Petro")


def test_who_is_parted_from_two_others_takes_only_their_own_card(box: Box) -> None:
    for name in PHONES:
        write(box, name)
        box.settle()
    merge(box, 2, 3)
    box.settle()
    merge(box, 1, 2)
    box.settle()
    assert [one["name"] for one in crm().of("contact")] == ["Anna"]
    unmerge(box, "m1")  # Olha leaves; her card had gone into Petro's, and that one into Anna's
    box.settle()
    assert sorted(one["name"] for one in crm().of("contact")) == ["Anna", "Olha"]
    assert whose_leads(box, "Anna", "Petro", "Olha") == {"Anna": "Anna", "Petro": "Anna", "Olha": "Olha"}
    unmerge(box, "m2")
    box.settle()
    each_their_own(box, "Anna", "Petro", "Olha")


def test_cards_merged_because_of_another_merge_come_back_too(box: Box) -> None:
    """The merge that is undone was never carried out; a later one of the same people moved all their cards."""
    for name in PHONES:
        write(box, name)
        box.settle()
    pause(box)
    merge(box, 1, 2)
    with box.store.write() as db:
        handwork.drop(db, box.deliveries()[-1]["id"])
    resume(box)
    merge(box, 2, 3)
    box.settle()
    assert [one["name"] for one in crm().of("contact")] == ["Anna"]
    unmerge(box, "m1")
    box.settle()
    assert len(crm().of("contact")) == 2
    whose = whose_leads(box, "Anna", "Petro", "Olha")
    assert whose["Anna"] == "Anna"
    assert whose["Petro"] == whose["Olha"] != "Anna"


def test_a_message_that_comes_before_the_card_is_back_waits_for_it(box: Box) -> None:
    as_one(box)
    pause(box)
    write(box, "Petro")
    box.until(lambda: not box.left()["receipts"])
    unmerge(box, "2")
    write(box, "Petro")
    box.until(lambda: not box.left()["receipts"])
    resume(box)
    box.settle()
    cards = {one["id"]: one["name"] for one in crm().of("contact")}
    assert sorted(cards.values()) == ["Anna", "Petro"]
    assert [cards[one["contact"]] for one in crm().of("lead") if one["name"] == "Petro"] == ["Petro"] * 3
    assert len([act for act in crm().acts if act[:2] == ("create", "contact")]) == 2


def test_merged_again_before_the_card_came_back_they_keep_one(box: Box) -> None:
    as_one(box)
    pause(box)
    unmerge(box, "2")
    merge(box, 1, 2)
    resume(box)
    box.settle()
    assert [one["name"] for one in crm().of("contact")] == ["Anna"]
    [parting] = [row for row in box.deliveries() if row["action"] == "contact.unmerge"]
    assert (parting["state"], json.loads(parting["reason"])["code"]) == ("skipped", "merged_again")
    unmerge(box, "2")
    box.settle()
    each_their_own(box, "Anna", "Petro")


def test_a_card_made_while_the_old_one_was_away_becomes_one_with_it(box: Box) -> None:
    """The parting was refused for a while: what Petro wrote meanwhile made him a card."""
    as_one(box)
    pause(box)
    unmerge(box, "2")
    with box.store.write() as db:
        db.run("UPDATE delivery SET state = 'parked' WHERE action = 'contact.unmerge'")
    resume(box)
    write(box, "Petro")
    box.settle()
    assert len(crm().of("contact")) == 2
    with box.store.write() as db:
        handwork.retry(db, next(row["id"] for row in box.deliveries() if row["state"] == "parked"))
    box.ring()
    box.settle()
    each_their_own(box, "Anna", "Petro")


def test_the_next_step_is_planned_for_whom_the_event_is_from_by_then(box: Box) -> None:
    for _ in range(3):
        write(box, "Anna")
    write(box, "Petro")
    box.settle()
    merge(box, 1, 2)
    box.settle()
    crm().delay = 0.5
    write(box, "Petro")
    box.until(lambda: box.one("SELECT count(*) FROM line WHERE key LIKE 'crm>%' AND lease IS NOT NULL"))
    time.sleep(0.1)
    unmerge(box, "2")
    box.settle()
    assert [act[2]["TEXT"] for act in crm().acts if act[1] == "note"][-1] == "asked 2 times"
    lines = [row["line"] for row in box.deliveries() if row["action"] == "note.create"]
    assert lines[-1] == "crm>person:2"


def test_an_erased_person_takes_along_no_merge_of_others(box: Box) -> None:
    write(box, *PHONES)
    box.settle()
    persons = {row["person"] for row in box.events() if row["type"] == "form.submitted"}
    assert persons == {1, 2, 3}
    merge(box, 1, 2)
    merge(box, 2, 3)
    unmerge(box, "m1")
    box.settle()
    with box.store.read() as db:
        assert families.family(db, 2) == [2, 3]
        exported = privacy.export(db, privacy.find(db, "3"))
    assert [one["id"] for one in exported["merges"]] == [1, 2]
    assert privacy.erase_person(box.store, "1", "UA") is not None
    with box.store.write() as db:
        assert [one.id for one in merging.of_persons(db, [2, 3])] == [2]
        families.settle(db, [2, 3])
        assert families.family(db, 3) == [2, 3]


def test_what_was_merged_with_somebody_erased_since_is_in_nobodys_way(box: Box) -> None:
    for name in PHONES:
        write(box, name)
        box.settle()
    merge(box, 1, 2)
    box.settle()
    unmerge(box, "m1")
    box.settle()
    merge(box, 2, 3)
    box.settle()
    assert privacy.erase_person(box.store, "1", "UA") is not None
    assert unmerge(box, "m2").params["carried"] == 1
    box.settle()
    assert whose_leads(box, "Petro", "Olha") == {"Petro": "Petro", "Olha": "Olha"}


def test_a_worker_that_dies_while_parting_parts_once(box: Box) -> None:
    """Its second try finds the card there already: nobody is parted twice, nobody gets two."""
    as_one(box)
    pause(box)
    unmerge(box, "2")
    with box.store.write() as db:
        db.run("UPDATE delivery SET started_at = ? WHERE action = 'contact.unmerge'", (db.now - 1,))
    resume(box)
    box.settle()
    each_their_own(box, "Anna", "Petro")


def test_what_was_on_its_way_to_the_others_card_makes_it_nobody_elses(box: Box) -> None:
    """Petro's message was being written onto the card they had in common when they were parted."""
    as_one(box)
    crm().delay = 0.5
    write(box, "Petro")
    box.until(lambda: box.one("SELECT count(*) FROM line WHERE key LIKE 'crm>%' AND lease IS NOT NULL"))
    time.sleep(0.1)
    unmerge(box, "2")
    crm().delay = 0.0
    box.settle()
    each_their_own(box, "Anna", "Petro")


def test_of_two_who_undo_one_merge_at_once_the_second_is_told(postgresql_store: Store, tmp_path: Path) -> None:
    box = Box(tmp_path / "box", YAML, plugins=(*PLUGINS, Mergers), store=postgresql_store).start()
    try:
        write(box, "Anna", "Petro")
        box.settle()
        merge(box, 1, 2)
        box.settle()
        with ThreadPoolExecutor(1) as pool:
            with box.store.write() as db:
                people_acts.unmerge(db, box.runtime, "m1")
                second = pool.submit(unmerge, box, "m1")
                until_somebody_waits(box.store)
            with pytest.raises(handwork.Pointless, match="m1 is undone already"):
                second.result(30)
        box.ring()
        box.settle()
        assert state_of(box, "contact.unmerge") == ["done"]
    finally:
        box.close()
