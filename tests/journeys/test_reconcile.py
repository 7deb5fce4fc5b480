"""The nightly run between a Bitrix24 portal and an amoCRM account: what got lost is found, mended, and nothing else."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from hub import handwork, outcome, reconciling
from hub.store import state, twins
from tests.journeys.apart import Apart
from tests.journeys.both import Both


@pytest.fixture
def aparts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Apart]]:
    monkeypatch.setattr(outcome, "BACKOFF", (0.1, 0.2, 0.4))
    made: list[Apart] = []

    def make(size: int = 8, **options: Any) -> Apart:
        made.append(Apart(tmp_path / str(len(made)), size, **options))
        made[-1].start()
        return made[-1]

    yield make
    for one in made:
        one.close()


def night(both: Apart, dropped: int, damaged: int) -> None:
    """Lose messages and damage fields, in turn on both sides; the nightly run mends all of it and writes no more."""
    sides = ("crm", "amo")
    lost = {place: sides[place % 2] for place in range(0, dropped * 3, 3)}
    hurt = {place: sides[place % 2] for place in range(1, damaged * 3 + 1, 3)}
    for place, side in lost.items():
        both.unheard(side, place, f"Ольга{place}")
    for place, side in hurt.items():
        both.damage(side, place, f"#{place}")
    both.count()
    id = both.reconcile()
    wanted = [f"Ольга{place}" if place in lost else f"Анна{place}" for place in range(both.size)]
    assert both.names("crm") == both.names("amo") == wanted
    causes = sorted(both.found(id).values())
    assert causes == [("corrupted", "repaired")] * damaged + [("missed_hook", "repaired")] * dropped
    counted = both.counts(id)
    assert counted["records"] == 2 * both.size
    theirs = [*(("amo" if side == "crm" else "crm") for side in lost.values()), *hurt.values()]
    assert both.writes() == {side: theirs.count(side) for side in sides if side in theirs}, "and nothing else"
    both.count()
    again = both.reconcile()
    assert both.found(again) == {} and both.writes() == {}, "the next night has nothing to do"
    assert both.calls() == both.counts(again)["pages"] == counted["pages"]
    assert both.rows("SELECT kind FROM alert WHERE closed_at IS NULL") == []


def test_a_night_mends_what_got_lost_and_writes_nothing_else(aparts: Callable[..., Apart]) -> None:
    night(aparts(200), dropped=4, damaged=2)


def test_without_repair_nothing_is_written_and_nobody_is_alarmed(aparts: Callable[..., Apart]) -> None:
    both = aparts()
    both.unheard("crm", 0, "Ольга")
    both.damage("amo", 1, "#")
    both.count()
    id = both.reconcile(repair=False)
    assert sorted(both.found(id).values()) == [("corrupted", "open"), ("missed_hook", "open")]
    assert both.writes() == {} and both.calls() == both.counts(id)["pages"]
    assert both.rows("SELECT count(*) FROM alert WHERE kind = 'alert_reconcile'") == [(0,)]
    both.reconcile()
    assert both.found(both.reconcile(repair=False)) == {}


def test_edits_on_both_sides_are_decided_by_the_syncs_winner(aparts: Callable[..., Apart]) -> None:
    both = aparts()
    both.unheard("crm", 0, "Ольга", ago=900)
    both.unheard("amo", 0, "Ірина")
    id = both.reconcile()
    assert set(both.found(id).values()) == {("missed_hook", "repaired"), ("edited_both", "repaired")}
    assert both.names("crm")[0] == both.names("amo")[0] == "Ірина"


def test_a_record_nobody_told_of_is_made_on_the_other_side(aparts: Callable[..., Apart]) -> None:
    both = aparts()
    both.unheard_of("Нова", "+79160009999")
    id = both.reconcile()
    assert list(both.found(id).values()) == [("missed_hook", "repaired")]
    assert both.names("amo")[-1] == "Нова"


def test_a_deletion_nobody_told_of_is_acted_upon(aparts: Callable[..., Apart]) -> None:
    both = aparts()
    gone = sorted(both.crm.portal.records["contact"])[3]
    del both.crm.portal.records["contact"][gone]
    id = both.reconcile()
    assert both.found(id) == {("crm", f"contact:{gone}"): ("deleted", "repaired")}
    assert both.rows(f"SELECT type, state FROM event WHERE subject = 'contact:{gone}'") == [
        ("contact.deleted", "planned")
    ]
    assert both.counts(id)["asked"] == 1, "one question, about the one that was in no list"
    assert both.found(both.reconcile()) == {}


def test_a_twin_the_hub_never_looked_at_is_missed_too(aparts: Callable[..., Apart]) -> None:
    """Pairs that agreed at the first sync are known by their twin alone."""
    both = aparts(30)
    held = both.crm.portal.records["contact"]
    for gone in sorted(held)[3:16]:
        del held[gone]
    with both.store.write() as db:
        db.run("DELETE FROM seen")
    id = both.reconcile()
    found = {subject: what for (name, subject), what in both.found(id).items() if what[0] == "deleted"}
    assert len(found) == 13 and set(found.values()) == {("deleted", "repaired")}
    assert both.counts(id)["asked"] == 13, "each is asked for once"


def test_a_night_that_finds_too_many_deleted_does_nothing_and_asks(aparts: Callable[..., Apart]) -> None:
    both = aparts(60)
    held = both.crm.portal.records["contact"]
    for gone in sorted(held)[:21]:
        del held[gone]
    id = both.reconcile(nightly=True)
    assert list(both.found(id).values()) == [("deleted", "open")] * 21
    assert len(both.pairs()) == 60 and both.rows("SELECT 1 FROM event WHERE type = 'contact.deleted'") == []
    assert both.rows("SELECT cause, json_extract(params, '$.count') FROM alert WHERE kind = 'alert_deleted'") == [
        ("deleted:crm:contact", 21)
    ]
    id = both.reconcile()
    assert list(both.found(id).values()) == [("deleted", "repaired")] * 21, "a person wants it"
    assert both.rows("SELECT 1 FROM alert WHERE kind = 'alert_deleted' AND closed_at IS NULL") == []
    assert len(both.pairs()) == 39


def test_one_side_alone_finds_its_missed_messages(aparts: Callable[..., Apart]) -> None:
    both = aparts()
    both.unheard("crm", 0, "Ольга")
    both.unheard("amo", 1, "Ірина")
    id = both.reconcile("crm", None)
    assert list(both.found(id).values()) == [("missed_hook", "repaired")]
    assert both.names("amo")[0] == "Ольга" and both.names("crm")[1] == "Анна1"


def test_since_reads_only_what_was_changed(aparts: Callable[..., Apart]) -> None:
    both = aparts()
    both.unheard("crm", 0, "Ольга")
    both.count()
    id = both.reconcile(since=both.begun.timestamp() - 1200)
    assert both.counts(id)["records"] == 1 and list(both.found(id).values()) == [("missed_hook", "repaired")]
    assert both.names("amo")[0] == "Ольга"


def sure(both: Apart) -> int:
    """Compare until no record was left to a message of its own (a poll may have looked at one meanwhile)."""
    for _ in range(5):
        id = both.reconcile()
        if not both.counts(id).get("waiting"):
            break
    return id


def test_what_a_person_gave_up_is_told_and_left_to_them(aparts: Callable[..., Apart]) -> None:
    both = aparts()
    with both.held():
        both.put("contact", str(both.record("crm", 1)["ID"]), NAME="Ірина")
        assert both.crm.portal.events.wait()
        with both.store.write() as db:
            handwork.resume(db, "crm")
        both.until(lambda: both.rows("SELECT 1 FROM delivery WHERE state = 'ready'"))
        ((delivery,),) = both.rows("SELECT id FROM delivery WHERE state = 'ready'")
        with both.store.write() as db:
            handwork.drop(db, delivery)
            handwork.pause(db, "crm")
    both.quiet()
    id = sure(both)
    assert list(both.found(id).values()) == [("failed", "open")], both.counts(id)
    assert f"d{delivery} is dropped (first_name differ from the twin); " in both.said(id)
    alerts = "SELECT params FROM alert WHERE kind = 'alert_reconcile' AND closed_at IS NULL"
    ((params,),) = both.rows(alerts)
    assert '"causes":"1 failed"' in params, "what a repair leaves is told"
    both.put("contact", str(both.record("crm", 1)["ID"]), NAME="Анна1")  # back to what both agreed upon
    both.quiet()
    sure(both)
    assert both.rows(alerts) == []


def test_what_is_just_being_told_is_left_alone(aparts: Callable[..., Apart]) -> None:
    both = aparts()
    both.unheard("crm", 0, "Ольга", ago=0)
    id = both.reconcile()
    assert both.found(id) == {} and both.counts(id)["waiting"] == 1


def test_what_was_told_and_carried_is_no_difference(
    tmp_path: Path, aparts: Callable[..., Apart], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reconciling, "GRACE", 0.0)
    both = Both(tmp_path / "usual").start()
    try:
        contact = both.add_contact(email="anna@example.com")
        deal = str(both.b24("crm.deal.add", fields={"TITLE": "Квест", "STAGE_ID": "NEW", "OPPORTUNITY": "15000",
                                                    "CONTACT_ID": contact, "UF_CRM_1730000003": "Марс"}))  # fmt: skip
        both.add_person("Борис Іванов", "+79167778899")
        both.quiet()
        both.put("deal", deal, STAGE_ID="PREPARATION", OPPORTUNITY="18000.50")
        both.quiet()
        both.patch("leads", both.pairs("deal")[deal], name="Квест на двох", price=21000)
        both.quiet()
        both.count()
        with both.store.write() as db:
            id = reconciling.begin(db, both.config, "crm", "amo", repair=True)
        both.ring()
        both.until(lambda: both.rows("SELECT state FROM reconciliation") == [("done",)])
        both.quiet()
        assert both.rows(f"SELECT connection, subject, cause, reason FROM difference WHERE run = {id}") == []
        assert both.writes() == {}
    finally:
        both.close()


def test_what_the_hub_knows_and_never_carried_is_handed_to_the_sync(aparts: Callable[..., Apart]) -> None:
    both = aparts()
    both.unheard("crm", 0, "Ольга")
    for record in both.runtime.connector("crm").pages("contact")[0]:
        with both.store.write() as db:  # the hub has looked, and its delivery is gone without a trace
            content = {"record": record, "own": {}, "hop": 0, "created": True}
            state.set_seen(db, "crm", f"contact:{record['id']}", content)
    id = both.reconcile()
    assert list(both.found(id).values()) == [("left", "repaired")]
    assert both.names("amo")[0] == "Ольга"


def test_a_record_without_its_twin_gets_one_unless_the_sync_is_paused(aparts: Callable[..., Apart]) -> None:
    both = aparts(3)
    first = str(both.record("crm", 0)["ID"])
    both.runtime.since = dict.fromkeys(both.runtime.since, 4e9)
    with both.store.write() as db:
        db.run("DELETE FROM twin WHERE one = ?", (first,))
        db.run("DELETE FROM seen WHERE connection = 'crm' AND subject = ?", (f"contact:{first}",))
        twins.set_state(db, "two", "paused")
    assert both.found(both.reconcile(repair=False)) == {}
    with both.store.write() as db:
        twins.set_state(db, "two", "on")
    id = both.reconcile()
    assert both.found(id) == {("crm", f"contact:{first}"): ("never_linked", "repaired")}
    assert both.pairs()[first] == str(both.record("amo", 0)["id"]), "found by its phone"


def test_a_delivery_that_ran_out_of_time_goes_out_again(aparts: Callable[..., Apart]) -> None:
    both = aparts(3)
    with both.held():
        both.put("contact", str(both.record("crm", 1)["ID"]), NAME="Ірина")
        assert both.crm.portal.events.wait()
        with both.store.write() as db:
            handwork.resume(db, "crm")
        both.until(lambda: both.rows("SELECT 1 FROM delivery WHERE state = 'ready'"))
        with both.store.write() as db:
            db.run("UPDATE delivery SET state = 'parked', reason = ?", ('{"code":"exhausted","params":{}}',))
            handwork.pause(db, "crm")
    both.quiet()
    id = sure(both)
    assert list(both.found(id).values()) == [("failed", "repaired")], both.counts(id)
    assert both.names("amo")[1] == "Ірина"
