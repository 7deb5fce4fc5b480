"""Two systems kept alike when things go wrong: lost answers, outages, records that vanish, two at once."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
from click.testing import CliRunner

from hub import handwork, outcome
from hub.cli import main
from hub.model import Record
from hub.syncing import Carrying
from tests.journeys.both import EMAIL, SYNC, Both


def test_a_lost_answer_makes_nobody_twice(both: Both) -> None:
    """P4: found by its marker, and its twin all the same."""
    both.arm(1, "lost_reply", "POST contacts")
    id = both.add_contact()
    both.quiet()
    [(there, found)] = both.theirs().items()
    assert (both.pairs(), found["phones"]) == ({id: there}, ["+79161112233"])
    assert len(both.ours()) == 1
    both.patch("contacts", there, first_name="Инна", last_name="Петрова")
    both.quiet()
    assert both.ours()[id]["first_name"] == "Инна"


def test_a_lost_answer_to_a_deal_that_has_no_key(both: Both) -> None:
    both.arm(1, "lost_reply", "POST leads")
    id = str(both.b24("crm.deal.add", fields={"TITLE": "Игра", "STAGE_ID": "NEW"}))
    both.quiet()
    assert both.pairs("deal") == {id: next(iter(both.theirs("deal")))}
    assert (len(both.theirs("deal")), len(both.ours("deal"))) == (1, 1)


def test_a_lost_answer_to_a_change_is_no_change_of_theirs(both: Both) -> None:
    """The write took effect, nobody knew, and a newer edit follows: it is carried, not turned back."""
    id = both.add_contact()
    both.quiet()
    there = both.pairs()[id]
    late = both.ahead("amo")  # what the hub wrote there looks newer than what is edited here afterwards
    both.arm(1, "lost_reply", "PATCH contacts")
    both.put("contact", id, NAME="Раз")
    both.until(lambda: both.theirs()[there]["first_name"] == "Раз")
    both.put("contact", id, NAME="Два")
    both.quiet()
    late()
    assert both.ours()[id]["first_name"] == both.theirs()[there]["first_name"] == "Два"
    assert "sync_notes" not in both.reasons()


def test_an_outage_delays_and_loses_nothing(both: Both) -> None:
    id = both.add_contact()
    both.quiet()
    both.arm(1, "outage", "", times=3)
    for number in range(4):
        both.put("contact", id, NAME=f"Имя{number}")
    both.quiet()
    assert both.theirs()[both.pairs()[id]]["first_name"] == "Имя3"
    assert both.rows("SELECT count(*) FROM delivery WHERE state NOT IN ('done', 'skipped')") == [(0,)]


def test_the_source_that_is_away_is_waited_for(both: Both, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its trouble must not count against the side that is written."""
    monkeypatch.setattr(outcome.Postponed.__init__, "__defaults__", (0.2,))
    id = both.add_contact()
    both.quiet()
    there = both.pairs()[id]
    with both.store.write() as db:
        handwork.pause(db, "crm")
    both.patch("contacts", there, first_name="Мария", last_name="Петрова")
    both.until(lambda: both.rows("SELECT 1 FROM delivery WHERE state = 'ready'"))
    both.arm(1, "outage", "GET contacts")
    with both.store.write() as db:
        handwork.resume(db, "crm")
    both.quiet()
    assert both.ours()[id]["first_name"] == "Мария"
    assert both.rows("SELECT outcome FROM attempt ORDER BY id DESC LIMIT 1") == [("done",)]
    assert both.rows("SELECT count(*) FROM health WHERE connection = 'crm' AND fails > 0") == [(0,)]


def test_a_record_that_vanished_unheard_is_not_made_again(both: Both) -> None:
    id = both.add_contact()
    both.quiet()
    there = both.pairs()[id]
    with both.amo.lock:
        both.amo.world.records["contacts"].pop(int(there))
    both.put("contact", id, NAME="Ганна")
    both.quiet()
    assert both.theirs() == {}
    assert both.rows("SELECT state FROM twin") == [("gone",)]
    assert "no longer exists" in both.explained(f"contact:{id}")
    both.put("contact", id, NAME="Снова")
    both.quiet()
    assert both.theirs() == {}


def test_the_same_person_made_on_both_sides_in_one_second(boths: Callable[..., Both]) -> None:
    both = boths(workers=3).start()
    with both.held():
        ids = [both.add_contact(f"Имя{n}", "X", f"+7916000{n:04}") for n in range(12)]
        for n in range(12):
            both.add_person(f"Имя{n} X", f"8916000{n:04}", f"n{n}@example.com")
    both.quiet()
    ours, theirs, pairs = both.ours(), both.theirs(), both.pairs()
    assert (len(ours), len(theirs), sorted(pairs)) == (12, 12, sorted(ids))
    assert all(ours[id]["emails"] == theirs[there]["emails"] for id, there in pairs.items())
    assert both.rows("SELECT count(*) FROM twin WHERE state <> 'kept'") == [(0,)]


def test_two_that_find_each_other_at_once_carry_what_each_brings(
    boths: Callable[..., Both], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The one that comes second finds the pair made: it is its own, and what it carries is news all the same."""
    both = boths(workers=3).start()
    by_key = Carrying._by_key

    def late(carrying: Carrying, source: Record) -> list[str]:
        found = by_key(carrying, source)
        if carrying.side == "other":
            both.until(lambda: both.pairs())
        return found

    monkeypatch.setattr(Carrying, "_by_key", late)
    with both.held():
        id = both.add_contact()
        there = both.add_person(email="anna@example.com")
    both.quiet()
    assert both.pairs() == {id: there}
    assert both.ours()[id]["emails"] == ["anna@example.com"]
    assert "sync_twice" not in both.reasons()


def test_one_that_waits_keeps_the_right_to_make_the_twin(both: Both, monkeypatch: pytest.MonkeyPatch) -> None:
    """It may have made it already, with the answer lost: nobody else of the hub begins it anew."""
    find = Carrying._find
    waited: list[list[tuple[int, str, int]]] = []

    def wait(carrying: Carrying, source: Record) -> str | None:
        if len(waited) < 3:
            waited.append(both.rows("SELECT id, state, busy FROM twin"))
            raise outcome.Postponed("not yet", 0.1)
        return find(carrying, source)

    monkeypatch.setattr(Carrying, "_find", wait)
    id = both.add_contact()
    both.quiet()
    assert [state for _, state, _ in waited[0]] == ["making"]
    assert waited == [waited[0]] * 3, "the row is the same one, and held by the same delivery"
    assert both.rows("SELECT count(*) FROM attempt WHERE outcome = 'postponed'") == [(0,)]
    assert both.pairs() == {id: next(iter(both.theirs()))}


def test_a_refused_value_is_parked_and_goes_out_after_the_cure(both: Both) -> None:
    id = both.add_contact()
    both.quiet()
    there = both.pairs()[id]
    both.arm(1, "validation", "PATCH contacts")
    both.put("contact", id, NAME="Ганна")
    both.quiet()
    rows = both.rows("SELECT id FROM delivery WHERE state = 'parked'")
    assert len(rows) == 1
    words = ["--config", str(both.folder / "hub.yaml"), "--data", str(both.folder / "data"), "sync", "show", "two"]
    shown = " ".join(CliRunner().invoke(main, words).output.split())
    assert f"parked crm/contact:{id}: " in shown
    assert f"hub retry d{rows[0][0]}" in shown
    result = CliRunner().invoke(
        main,
        ["--config", str(both.folder / "hub.yaml"), "--data", str(both.folder / "data"), "retry", f"d{rows[0][0]}"],
    )
    assert result.exit_code == 0, result.output
    both.quiet()
    assert both.theirs()[there]["first_name"] == "Ганна"


def test_what_it_unfolds_into_is_shown(both: Both) -> None:
    words = ["--config", str(both.folder / "hub.yaml"), "check", "--show"]
    shown = CliRunner().invoke(main, words).output
    assert "two: contact crm -> amo" in shown
    assert "sync two" in shown
    assert "Each deal: crm <-> amo: title, amount, city (there 601002), responsible, stage, contact" in shown
    told = json.loads(CliRunner().invoke(main, [*words, "--json"]).output)
    assert [one["name"] for one in told["syncs"]] == ["two"]
    assert len([one for one in told["routes"] if one["name"].startswith("two: ")]) == 4


def test_a_newer_edit_overtakes_an_older_one_in_flight(boths: Callable[..., Both]) -> None:
    """The look that the second edit brings falls into the first one's delivery: it is carried all the same."""
    both = boths(workers=2, breaker=100).start()
    id = both.add_contact()
    both.quiet()
    there = both.pairs()[id]
    for number in range(4):
        both.arm(1, "slow", "PATCH contacts", seconds=0.3)
        both.put("contact", id, NAME=f"Раз{number}")
        both.until(lambda: both.rows("SELECT 1 FROM twin WHERE intent IS NOT NULL"))
        both.put("contact", id, NAME="Анна")  # back to what was agreed
        both.quiet()
        assert both.ours()[id]["first_name"] == both.theirs()[there]["first_name"] == "Анна"


def test_mails_of_both_sides_come_together(boths: Callable[..., Both]) -> None:
    both = boths(rest=SYNC.replace("email: both", "email: {winner: amo}")).start()
    id = both.add_contact(email="a@example.com")
    both.quiet()
    there = both.pairs()[id]
    with both.held():
        both.put("contact", id, EMAIL=[{"VALUE": "here@example.com", "VALUE_TYPE": "WORK"}])
        values = [{"value": mail, "enum_code": "WORK"} for mail in ("a@example.com", "there@example.com")]
        both.patch("contacts", there, custom_fields_values=[{"field_id": EMAIL, "values": values}])
    both.quiet()
    every = ["a@example.com", "here@example.com", "there@example.com"]
    assert sorted(both.ours()[id]["emails"]) == sorted(both.theirs()[there]["emails"]) == every


def test_a_clock_that_is_wrong_decides_no_more_than_its_side(both: Both) -> None:
    """Of two changes the one with the later vendor time wins, however the hub's own clock stands."""
    id = both.add_contact()
    both.quiet()
    there = both.pairs()[id]
    with both.held():
        late = both.ahead("crm", 3600.0)
        both.put("contact", id, NAME="Здесь")
        late()
        both.patch("contacts", there, first_name="Там", last_name="Петрова")
    both.quiet()
    assert both.ours()[id]["first_name"] == both.theirs()[there]["first_name"] == "Здесь"
