"""The first sync of two full systems: looked at first, then carried at its pace, doubles left to a person."""

from __future__ import annotations

import csv
import json
from collections import Counter

import pytest
from click.testing import CliRunner

from hub.cli import main
from hub.comparing import begin, compare
from hub.store import twins
from tests.journeys.both import SYNC

PEOPLE = 100
DOUBLES = 10


def populate(both, people=PEOPLE, doubles=DOUBLES):
    """Fill both sides: a third here alone, a third there alone, a third on both; and doubles of each side's own.

    Of those on both sides every second one differs.
    """
    for number in range(people):
        phone, name = f"+7916{number:07}", f"Имя{number}"
        if number % 3 != 1:
            both.add_contact(name, "Общий", phone)
        if number % 3 != 0:
            last = "Другой" if number % 3 == 2 and number % 2 else "Общий"
            spelled = f"8 (916) {number // 10000:03}-{number // 100 % 100:02}-{number % 100:02}"
            both.add_person(f"{name} {last}", spelled)
    for number in range(doubles):
        both.add_contact("Двойник", "Здесь", f"+7916{number * 3:07}")
        both.add_person("Двойник Там", f"+7916{number * 3 + 1:07}")


def hub(both, *words, code=0):
    """Run a command of the hub beside the running one."""
    args = ["--config", str(both.folder / "hub.yaml"), "--data", str(both.folder / "data"), *words]
    result = CliRunner().invoke(main, args)
    assert result.exit_code == code, result.output
    return result.output


@pytest.fixture
def full(boths):
    both = boths(workers=2).start(begun=False)
    populate(both)
    both.quiet()
    both.count()
    return both


def here_alone(people=PEOPLE):
    return sum(number % 3 == 0 for number in range(people))


def there_alone(people=PEOPLE):
    return sum(number % 3 == 1 for number in range(people))


def on_both(people=PEOPLE):
    return sum(number % 3 == 2 for number in range(people))


def test_the_plan_tells_all_and_writes_nothing(full, tmp_path):
    file = tmp_path / "plan.csv"
    told = json.loads(hub(full, "sync", "plan", "two", "--json", "--csv", str(file)))
    differing = sum(number % 3 == 2 and number % 2 for number in range(PEOPLE))
    assert told["counts"]["contact"] == {
        "create": here_alone() + there_alone(), "update": differing, "same": on_both() - differing,
        "merge": 2 * DOUBLES, "skip": 0,
    }  # fmt: skip
    rows = list(csv.DictReader(file.read_text("utf-8-sig").splitlines()))
    assert Counter(row["plan"] for row in rows) == Counter(row["plan"] for row in told["rows"])
    assert any("a double of contact" in row["why"] for row in rows if row["plan"] == "merge")
    assert any("last_name" in row["why"] for row in rows if row["plan"] == "update")
    assert full.writes() == {}
    assert full.rows("SELECT (SELECT count(*) FROM twin) + (SELECT count(*) FROM delivery)") == [(0,)]
    shown = hub(full, "sync", "plan", "two", "--limit", "3")
    assert f"contact: {here_alone() + there_alone()} create" in shown
    assert "nothing was written" in shown


def test_two_hundred_contacts_with_doubles_on_both_sides(full):
    before = len(full.ours()), len(full.theirs())
    out = hub(full, "sync", "start", "two")
    assert "is under way" in out
    full.feed()
    ours, theirs, pairs = full.ours(), full.theirs(), full.pairs()
    assert len(pairs) == PEOPLE
    assert (len(ours), len(theirs)) == (before[0] + there_alone(), before[1] + here_alone())
    for id, there in pairs.items():
        assert (ours[id]["name"], ours[id]["phones"]) == (theirs[there]["name"], theirs[there]["phones"])
    differing = sum(number % 3 == 2 and number % 2 for number in range(PEOPLE))
    writes = full.writes()
    assert sum(writes.values()) == here_alone() + there_alone() + differing
    assert full.rows("SELECT state FROM sync") == [("on",)]
    doubles = [one for one in ours.values() if one["name"] == "Двойник Здесь"]
    assert len(doubles) == DOUBLES
    assert not {one["id"] for one in doubles} & set(pairs)
    told = json.loads(hub(full, "sync", "show", "two", "--json"))
    assert sum(row["count"] for row in told["backlog"] if row["plan"] == "merge") == 2 * DOUBLES
    assert told["pairs"] == {"contact": PEOPLE}
    before = full.calls()
    full.quiet()
    assert full.calls() == before
    full.count()
    again = json.loads(hub(full, "sync", "plan", "two", "--json"))["counts"]["contact"]
    assert again == {"create": 0, "update": 0, "same": PEOPLE, "merge": 2 * DOUBLES, "skip": 0}


def test_the_pace_is_kept(boths):
    """500 an hour: the first at once, the next in seven seconds."""
    both = boths(rest=SYNC.replace("360000", "500")).start(begun=False)
    for number in range(5):
        both.add_contact(f"Имя{number}", "X", f"+7916000{number:04}")
    both.quiet()
    sync = both.config.sync("two")
    begin(both.runtime, sync, compare(both.runtime, sync))
    pipeline = both.engines[0].pipeline
    with both.store.write() as db:
        assert twins.kinds_waiting(db, "two") == [("contact", "crm")]
        from hub import syncs

        began = db.now
        assert [syncs.feed(db, pipeline, sync), syncs.feed(db, pipeline, sync)] == [1, 0]
        db.now = began + 7.3
        assert [syncs.feed(db, pipeline, sync), syncs.feed(db, pipeline, sync)] == [1, 0]
        db.now = began + 100.0
        assert syncs.feed(db, pipeline, sync) == 1, "what was missed is not made up for in one go"
    lanes = {row[0] for row in both.rows("SELECT lane FROM line WHERE key NOT LIKE 'in:%' AND key NOT LIKE 'poll:%'")}
    assert lanes <= {"amo:bulk"}


def test_a_deal_waits_for_its_contact(boths):
    both = boths().start(begun=False)
    person = both.add_contact()
    fields = {"TITLE": "Игра", "CONTACT_ID": person, "STAGE_ID": "PREPARATION"}
    id = str(both.b24("crm.deal.add", fields=fields))
    both.quiet()
    hub(both, "sync", "start", "two")
    both.feed()
    [deal] = both.theirs("deal").values()
    assert both.pairs() == {person: deal["contact"]}
    assert (both.pairs("deal"), deal["stage"]) == ({id: deal["id"]}, "7100001/61000002")
    assert len(both.theirs()) == 1


def test_what_hub_yaml_carries_no_more_holds_nothing_up(boths):
    """A way and a record taken out while hundreds of them waited: what is still carried goes on, the rest is told."""
    one_way = SYNC.replace("both: yes", "both: no").replace("what: [contact, deal]", "what: [deal]")
    one_way = one_way.replace("first_name: both, last_name: both, phone: both, email: both", "")
    one_way = one_way.replace("      contact: {}\n", "").replace(": both", ": forward").replace("city: quest", "")
    both = boths(rest=one_way).start()
    deal = str(both.b24("crm.deal.add", fields={"TITLE": "Игра", "STAGE_ID": "NEW"}))
    both.quiet()
    with both.store.write() as db:
        db.run("DELETE FROM backlog")
        left = [("contact", "crm", str(n), "create", None, None) for n in range(1, 301)]
        back = [("deal", "amo", str(n), "update", None, None) for n in range(1, 301)]
        twins.add_backlog(db, "two", [*left, *back, ("deal", "crm", deal, "update", None, None)])
    both.feed()
    told = both.rows(
        "SELECT record, connection, json_extract(reason, '$.code'), count(*) FROM backlog GROUP BY 1, 2, 3"
    )
    assert sorted(told, key=str) == [
        ("contact", "crm", "sync_not_carried", 300), ("deal", "amo", "sync_not_carried", 300), ("deal", "crm", None, 1),
    ]  # fmt: skip
    assert both.rows("SELECT count(*) FROM event WHERE type = 'deal.compared'") == [(1,)]


def interrupted(*_):
    raise KeyboardInterrupt


def test_reading_cut_short_is_begun_anew(boths, monkeypatch):
    both = boths().start(begun=False)
    for number in range(12):
        both.add_contact(f"Имя{number}", "X", f"+7916000{number:04}")
    both.quiet()
    from hub import comparing

    with monkeypatch.context() as broken:
        broken.setattr(comparing, "begin", lambda *_: 1 / 0)
        hub(both, "sync", "start", "two", code=1)
    assert both.rows("SELECT state FROM sync") == [("new",)], "it is not under way"
    both.add_contact("Имя12", "X", "+79160000012")
    both.quiet()
    assert both.writes() == {}
    assert "not begun" in hub(both, "sync", "show", "two")
    hub(both, "sync", "start", "two")
    both.feed()
    assert (len(both.pairs()), both.writes()) == (13, {"amo": 13})
    assert "was begun already" in hub(both, "sync", "start", "two", code=1)
    before = both.rows("SELECT state, started_at FROM sync")
    with monkeypatch.context() as broken:
        broken.setattr(comparing, "begin", interrupted)
        hub(both, "sync", "start", "two", "--again", code=1)
    assert both.rows("SELECT state, started_at FROM sync") == before, "one that was under way goes on"


def test_what_changes_while_both_sides_are_read_waits(boths):
    both = boths().start(begun=False)
    with both.store.write() as db:
        twins.set_state(db, "two", "reading")
    both.add_contact()
    both.quiet()
    assert both.writes() == {}
    assert both.rows("SELECT count(*) FROM backlog WHERE state = 'waiting'") == [(1,)]
    assert "begins it anew" in hub(both, "sync", "show", "two")
    hub(both, "sync", "start", "two")
    both.feed()
    assert (len(both.pairs()), both.writes()) == (1, {"amo": 1})


def test_what_changes_while_it_is_paused_waits_and_is_carried_then(boths):
    both = boths().start()
    id = both.add_contact()
    both.quiet()
    there = both.pairs()[id]
    hub(both, "sync", "pause", "two")
    assert "carries nothing now" in hub(both, "sync", "pause", "two", code=1)
    both.count()
    for number in range(3):
        both.put("contact", id, NAME=f"Имя{number}")
        both.quiet()
    new = both.add_contact("Новый", "X", "+79167770000")
    both.quiet()
    assert both.writes() == {}
    assert both.rows("SELECT count(*) FROM backlog WHERE state = 'waiting'") == [(2,)]
    hub(both, "sync", "resume", "two")
    both.feed()
    assert both.theirs()[there]["first_name"] == "Имя2"
    assert new in both.pairs()
    assert both.writes() == {"amo": 2}


def test_a_stopped_pair_is_named_and_let_go_again(boths):
    both = boths(breaker=2).start()
    id = both.add_contact()
    both.quiet()
    for number in range(3):
        both.put("contact", id, NAME=f"Имя{number}")
        both.quiet()
    there = both.pairs() or both.rows("SELECT one, other FROM twin")[0][1]
    assert f"crm/contact:{id}" in hub(both, "sync", "show", "two")
    assert "hub sync resume two" in hub(both, "alerts", "list")
    assert "should read crm/deal:55" in hub(both, "sync", "resume", "two", "deal:5", code=2)
    assert "isn't stopped" in hub(both, "sync", "resume", "two", "crm/contact:999", code=1)
    hub(both, "sync", "resume", "two", f"crm/contact:{id}")
    both.feed()
    assert both.theirs()[there]["first_name"] == "Имя2"
    assert "no open alerts" in hub(both, "alerts", "list") or "alert_sync" not in hub(both, "alerts", "list")


def test_once_moves_and_never_again(boths):
    rest = """
sync:
  - {name: move, from: crm, to: amo, once: yes, what: [contact, deal], key: {contact: [phone], deal: {origin: id}},
    quiet: yes, cap: 360000 per hour, stages: {new: new, won: won}}
"""
    both = boths(rest=rest).start(begun=False)
    person = both.add_contact()
    deal = str(both.b24("crm.deal.add", fields={"TITLE": "Игра", "CONTACT_ID": person, "STAGE_ID": "WON"}))
    both.quiet()
    hub(both, "sync", "start", "move")
    both.feed()
    assert both.rows("SELECT state FROM sync") == [("done",)]
    [found] = both.theirs("deal").values()
    assert (found["stage"], found["extra"]["601011"]) == ("7100001/142", deal)
    both.count()
    both.put("deal", deal, TITLE="Другое")
    both.put("contact", person, NAME="Другая")
    both.quiet()
    assert both.writes() == {}
    with both.store.write() as db:  # twins forgotten: they know each other by the field that was filled in
        db.run("DELETE FROM twin")
        db.run("DELETE FROM link")
    told = json.loads(hub(both, "sync", "plan", "move", "--json"))["counts"]
    assert (told["deal"]["update"], told["deal"]["create"], told["contact"]["create"]) == (1, 0, 0)


def test_a_name_that_isnt_there_gets_a_guess(boths):
    both = boths().start(begun=False)
    assert 'no sync "tow"' in hub(both, "sync", "plan", "tow", code=2)
    assert "two" in hub(both, "sync", "list")
    assert json.loads(hub(both, "sync", "list", "--json"))[0]["state"] == "new"


def test_pairs_of_stages_are_compared_with_the_boards(boths):
    rest = SYNC.replace("{new: new, in_work: in_work, booked: booked, won: won, lost: lost}",
                        "{new: booked, in_work: new, booked: 7100001/99}")  # fmt: skip
    both = boths(rest=rest).start(begun=False)
    told = json.loads(hub(both, "sync", "plan", "two", "--json"))["findings"]
    assert [one["level"] for one in told] == ["problem", "warning"]
    assert "no stage 7100001/99" in told[0]["text"]
    assert "the other way round" in told[1]["text"]
    assert "no stage 7100001/99" in hub(both, "sync", "start", "two", code=1)
