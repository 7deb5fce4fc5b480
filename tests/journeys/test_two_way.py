"""Two CRMs, one truth: an edit here is an edit there, once; then silence."""

from __future__ import annotations

import pytest
import requests

from hub.store import twins
from tests.journeys.both import EMAIL, PHONE, QUEST, SYNC


def silent(both):
    """Nobody is called any more."""
    both.quiet()
    before = both.calls()
    both.crm.portal.events.wait()
    both.quiet()
    return both.calls() == before


def test_a_contact_made_here_is_made_there_and_doesnt_come_back(both):
    both.add_contact(email="anna@example.com")
    both.quiet()
    [there] = both.theirs().values()
    assert (there["first_name"], there["last_name"]) == ("Анна", "Петрова")
    assert (there["phones"], there["emails"]) == (["+79161112233"], ["anna@example.com"])
    assert (len(both.ours()), len(both.pairs())) == (1, 1)
    assert both.writes() == {"amo": 1}
    assert silent(both)


def test_an_edit_crosses_once_whichever_side_it_is_made_on(both):
    id = both.add_contact()
    both.quiet()
    there = both.pairs()[id]
    both.count()
    both.put("contact", id, NAME="Ганна")
    both.quiet()
    assert both.theirs()[there]["name"] == "Ганна Петрова"
    assert both.writes() == {"amo": 1}
    both.patch("contacts", there, first_name="Инна", last_name="Петрова")
    both.quiet()
    assert both.ours()[id]["first_name"] == "Инна"
    assert both.writes() == {"amo": 1, "crm": 1}
    assert silent(both)


def test_what_the_sync_doesnt_carry_costs_no_call_there(both):
    id = both.add_contact()
    both.quiet()
    both.count()
    both.put("contact", id, ADDRESS_CITY="Москва")
    both.quiet()
    assert both.amo.calls == {}
    assert both.writes() == {}
    [reason] = both.rows("SELECT reason FROM event WHERE type = 'contact.updated' ORDER BY id DESC LIMIT 1")
    assert "sync_agreed" in reason[0]


def test_both_sides_change_different_fields_at_once(both):
    id = both.add_contact(email="a@example.com")
    both.quiet()
    there = both.pairs()[id]
    both.count()
    both.put("contact", id, NAME="Ганна", LAST_NAME="Коваль")
    both.patch("contacts", there, custom_fields_values=[{"field_id": EMAIL, "values": [{"value": "b@example.com"}]}])
    both.quiet()
    ours, theirs = both.ours()[id], both.theirs()[there]
    assert (ours["name"], ours["emails"]) == (theirs["name"], theirs["emails"]) == ("Ганна Коваль", ["b@example.com"])
    assert both.writes() == {"amo": 1, "crm": 1}
    assert silent(both)


@pytest.mark.parametrize("newer", ["crm", "amo"])
def test_the_newer_of_two_changes_of_one_field_wins(both, newer, monkeypatch):
    """What lost is kept in the history."""
    id = both.add_contact()
    both.quiet()
    there = both.pairs()[id]
    both.count()
    with both.held():
        late = both.ahead(newer)
        both.put("contact", id, NAME="Здесь")
        both.patch("contacts", there, first_name="Там", last_name="Петрова")
        late()
    both.quiet()
    wins = {"crm": "Здесь", "amo": "Там"}[newer]
    assert both.ours()[id]["first_name"] == both.theirs()[there]["first_name"] == wins
    assert sum(both.writes().values()) == 1
    assert "sync_notes" in both.reasons()
    told = both.explained(f"contact:{id}") + both.explained(f"contact:{there}")
    assert "first_name was changed on both sides" in told
    assert {"crm": "amo had Там", "amo": "crm had Здесь"}[newer] in told
    assert silent(both)


@pytest.mark.parametrize("winner", ["crm", "amo"])
def test_a_declared_side_wins(boths, winner):
    both = boths(rest=SYNC.replace("both: yes", f"both: yes\n    winner: {winner}")).start()
    id = both.add_contact()
    both.quiet()
    there = both.pairs()[id]
    with both.held():
        both.put("contact", id, NAME="Здесь")
        both.patch("contacts", there, first_name="Там", last_name="Петрова")
    both.quiet()
    wins = {"crm": "Здесь", "amo": "Там"}[winner]
    assert both.ours()[id]["first_name"] == both.theirs()[there]["first_name"] == wins
    assert silent(both)


def test_phones_added_and_taken_away_on_either_side(both):
    id = both.add_contact()
    both.quiet()
    there = both.pairs()[id]
    both.count()
    rows = [{"value": phone, "enum_code": "WORK"} for phone in ("8 916 111-22-33", "+79162223344")]
    both.patch("contacts", there, custom_fields_values=[{"field_id": PHONE, "values": rows}])
    both.quiet()
    assert both.ours()[id]["phones"] == ["+79161112233", "+79162223344"]
    first = both.ours()[id]["extra"]["PHONE"][0]["ID"]
    both.put("contact", id, PHONE=[{"ID": first, "VALUE": "+79163334455"}])
    both.quiet()
    assert sorted(both.theirs()[there]["phones"]) == ["+79162223344", "+79163334455"]
    assert both.writes() == {"crm": 1, "amo": 1}
    assert silent(both)


def test_a_field_that_is_emptied_is_emptied_there(both):
    id = both.add_contact(email="a@example.com")
    both.quiet()
    there = both.pairs()[id]
    mail = both.ours()[id]["extra"]["EMAIL"][0]["ID"]
    both.put("contact", id, LAST_NAME="", EMAIL=[{"ID": mail, "DELETE": "Y"}])
    both.quiet()
    found = both.theirs()[there]
    assert (found["name"], "email" in found) == ("Анна", False)
    assert silent(both)


# --- deals ---------------------------------------------------------------------------------------


@pytest.fixture
def deal(both):
    """A deal with its contact, on both sides: (id here, id there)."""
    person = both.add_contact()
    both.quiet()
    fields = {"TITLE": "Игра", "OPPORTUNITY": "1500", "CONTACT_ID": person, "STAGE_ID": "NEW"}
    id = str(both.b24("crm.deal.add", fields={**fields, "ASSIGNED_BY_ID": "3", "UF_CRM_1730000003": "Замок"}))
    both.quiet()
    both.count()
    return id, both.pairs("deal")[id]


def test_a_deal_comes_with_its_contact_stage_and_responsible(both, deal):
    _, there = deal
    found = both.theirs("deal")[there]
    assert {key: found[key] for key in ("title", "amount", "stage", "responsible")} == {
        "title": "Игра", "amount": "1500", "stage": "7100001/61000001", "responsible": "3000002",
    }  # fmt: skip
    assert found["extra"][str(QUEST)] == "Замок"
    assert found["contact"] == next(iter(both.pairs().values()))
    assert len(both.theirs()) == 1
    assert silent(both)


def test_a_deal_made_there_is_made_here_with_its_contact(both):
    person = both.add_person()
    both.quiet()
    held = {"contacts": [{"id": int(person)}]}
    there = both.made("leads", name="Оттуда", price=700, status_id=61000002, pipeline_id=7100001, _embedded=held)
    both.quiet()
    [(id, found)] = both.ours("deal").items()
    assert (found["title"], found["amount"], found["stage"]) == ("Оттуда", "700.00", "PREPARATION")
    assert both.pairs() == {found["contact"]: person}
    assert both.pairs("deal") == {id: there}
    assert silent(both)


def test_a_rounded_amount_is_no_news(both, deal):
    """amoCRM keeps whole amounts: what comes back rounded is not carried back."""
    id, there = deal
    both.put("deal", id, OPPORTUNITY="1499.50")
    both.quiet()
    assert both.theirs("deal")[there]["amount"] == "1500"
    both.put("deal", id, OPPORTUNITY="1999.90")
    both.quiet()
    assert (both.theirs("deal")[there]["amount"], both.ours("deal")[id]["amount"]) == ("2000", "1999.90")
    assert "crm" not in both.writes()
    both.patch("leads", there, price=2100)
    both.quiet()
    assert both.ours("deal")[id]["amount"] == "2100.00"
    assert silent(both)


def test_a_text_that_comes_back_escaped_is_no_news(both, deal):
    id, there = deal
    both.put("deal", id, TITLE="Замок & лес")
    both.quiet()
    both.count()
    both.patch("leads", there, name="Замок &amp; лес")
    both.quiet()
    assert both.writes() == {}


def test_a_stage_and_a_colleague_cross_both_ways(both, deal):
    id, there = deal
    both.put("deal", id, STAGE_ID="PREPARATION", ASSIGNED_BY_ID="1")
    both.quiet()
    found = both.theirs("deal")[there]
    assert (found["stage"], found["responsible"]) == ("7100001/61000002", "3000001")
    assert both.writes() == {"amo": 1}
    both.patch("leads", there, status_id=142, pipeline_id=7100001)
    both.quiet()
    assert both.ours("deal")[id]["stage"] == "WON"
    assert both.writes() == {"amo": 1, "crm": 1}
    assert silent(both)


def test_a_stage_never_goes_back_by_itself(both, deal):
    """P5: it stays where it is, the history tells of it, and what follows is carried again."""
    id, there = deal
    both.put("deal", id, STAGE_ID="EXECUTING")
    both.quiet()
    both.count()
    both.put("deal", id, STAGE_ID="NEW", TITLE="Другое")
    both.quiet()
    found = both.theirs("deal")[there]
    assert (found["stage"], found["title"]) == ("7100001/61000003", "Другое")
    assert both.ours("deal")[id]["stage"] == "NEW"
    assert "stage would go back" in both.explained(f"deal:{id}")
    assert silent(both)
    both.put("deal", id, STAGE_ID="WON")
    both.quiet()
    assert both.theirs("deal")[there]["stage"] == "7100001/142"


def test_a_declared_stage_may_go_back(boths):
    both = boths(rest=SYNC.replace("both: yes", "both: yes\n    back: [new]")).start()
    id = str(both.b24("crm.deal.add", fields={"TITLE": "x", "STAGE_ID": "EXECUTING"}))
    both.quiet()
    both.put("deal", id, STAGE_ID="PREPARATION")
    both.quiet()
    there = both.pairs("deal")[id]
    assert both.theirs("deal")[there]["stage"] == "7100001/61000003"
    both.put("deal", id, STAGE_ID="NEW")
    both.quiet()
    assert both.theirs("deal")[there]["stage"] == "7100001/61000001"


def test_a_stage_without_a_pair_stays_here(both, deal):
    id, there = deal
    both.put("deal", id, STAGE_ID="APOLOGY")
    both.quiet()
    assert both.theirs("deal")[there]["stage"] == "7100001/61000001"
    assert "nothing on the other side stands for APOLOGY" in both.explained(f"deal:{id}")
    assert silent(both)


def test_what_another_route_writes_here_is_news_there(boths):
    """The hub's own write is an echo for everybody but the sync."""
    routes = """
routes:
  - name: a form moves the deal
    on: site.form.submitted
    do: crm.deal.update
    find: {TITLE: Игра}
    set: {OPPORTUNITY: "250", stage: in_work}
"""
    rest = "  site: {plugin: form, secret: site-secret-1}\n" + SYNC + routes
    both = boths(rest=rest).start()
    id = str(both.b24("crm.deal.add", fields={"TITLE": "Игра", "OPPORTUNITY": "100"}))
    both.quiet()
    there = both.pairs("deal")[id]
    both.count()
    body = {"name": "x", "phone": "+79160000001"}
    assert requests.post(f"{both.url}/in/site/site-secret-1", json=body, timeout=10).ok
    both.quiet()
    found = both.theirs("deal")[there]
    assert (found["amount"], found["stage"]) == ("250", "7100001/61000002")
    assert both.writes() == {"crm": 1, "amo": 1}
    assert silent(both)


# --- deletions -----------------------------------------------------------------------------------


@pytest.mark.parametrize("policy", ["ignore", "unlink", "close"])
def test_a_deletion(boths, policy):
    more = f"both: yes\n    deleted: {policy}" + ("\n    close: {crm: lost, amo: lost}" if policy == "close" else "")
    both = boths(rest=SYNC.replace("both: yes", more)).start()
    id = str(both.b24("crm.deal.add", fields={"TITLE": "Игра", "STAGE_ID": "NEW"}))
    both.quiet()
    there = both.pairs("deal")[id]
    both.count()
    both.b24("crm.deal.delete", id=id)
    both.quiet()
    assert both.pairs("deal") == {}
    assert both.theirs("deal")[there]["stage"] == ("7100001/143" if policy == "close" else "7100001/61000001")
    both.patch("leads", there, name="Живая")
    both.quiet()
    again = both.ours("deal")
    if policy == "unlink":
        [(id, found)] = again.items()
        assert (found["title"], both.pairs("deal")) == ("Живая", {id: there})
    else:
        assert again == {}
        assert both.rows("SELECT state FROM twin") == [("gone",)]
    assert silent(both)


# --- guards --------------------------------------------------------------------------------------


def test_a_pair_that_is_written_round_and_round_is_stopped(boths):
    """A robot of the vendor's that answers each write with another one."""
    both = boths(breaker=3).start()
    id = both.add_contact()
    both.quiet()
    there = both.pairs()[id]
    for number in range(5):
        both.put("contact", id, NAME=f"Имя{number}")
        both.quiet()
    assert both.theirs()[there]["first_name"] == "Имя1"
    [(params,)] = both.rows("SELECT params FROM alert WHERE kind = 'alert_sync' AND closed_at IS NULL")
    assert f"crm/contact:{id}" in params
    assert f"amo/contact:{there}" in params
    assert both.rows("SELECT state FROM twin") == [("stopped",)]
    other = both.add_contact("Борис", "Иванов", "+79167778899")
    both.quiet()
    assert len(both.theirs()) == 2
    with both.store.write() as db:
        twins.release(db, both.rows("SELECT id FROM twin WHERE state = 'stopped'")[0][0])
    both.put("contact", id, NAME="Снова")
    both.quiet()
    assert both.theirs()[there]["first_name"] == "Снова"
    assert other in both.pairs()


def test_nothing_is_carried_before_it_is_begun(boths):
    both = boths().start(begun=False)
    both.add_contact()
    both.quiet()
    assert (both.theirs(), both.writes()) == ({}, {})
    [(reason,)] = both.rows("SELECT reason FROM event")
    assert "sync_off" in reason


def test_a_double_isnt_written_over_its_firsts_twin(both):
    """Two contacts with one phone here have one twin there: the second is told, not carried."""
    first = both.add_contact()
    both.quiet()
    second = both.add_contact("Другая", "Запись")
    both.quiet()
    assert list(both.pairs()) == [first]
    [there] = both.theirs().values()
    assert there["name"] == "Анна Петрова"
    assert f"contact {second} is a double of contact {first}" in both.explained(f"contact:{second}")
    assert silent(both)


def test_a_contact_that_is_there_already_is_joined_and_completed(both):
    there = both.add_person(email="a@example.com")
    both.quiet()
    with both.held():
        pass
    assert len(both.ours()) == 1
    [(id, found)] = both.ours().items()
    assert both.pairs() == {id: there}
    assert found["emails"] == ["a@example.com"]


# --- many ----------------------------------------------------------------------------------------


def test_forty_edits_on_each_side(boths):
    """At most one write per edit and side, both sides equal, then silence."""
    edits, contacts = 40, 8
    both = boths(workers=2, breaker=1000).start()
    ids = [both.add_contact(f"N{n}", "X", f"+7916000{n:04}") for n in range(contacts)]
    both.quiet()
    pairs = both.pairs()
    both.count()
    for number in range(edits):
        id = ids[number % contacts]
        both.put("contact", id, NAME=f"Здесь{number}")
        rows = [{"value": f"n{number}@example.com", "enum_code": "WORK"}]
        both.patch("contacts", pairs[id], custom_fields_values=[{"field_id": EMAIL, "values": rows}])
    both.quiet()
    ours, theirs = both.ours(), both.theirs()
    for id, there in pairs.items():
        one, other = ours[id], theirs[there]
        assert (one["name"], one["phones"], one["emails"]) == (other["name"], other["phones"], other["emails"])
    assert {one["first_name"] for one in ours.values()} == {f"Здесь{n}" for n in range(edits - contacts, edits)}
    writes = both.writes()
    assert 0 < writes["crm"] <= edits
    assert 0 < writes["amo"] <= edits
    assert len(ours) == len(theirs) == contacts
    assert both.rows("SELECT kind FROM alert WHERE kind LIKE 'alert_sync%' OR kind = 'alert_loop'") == []
    assert silent(both)


def test_the_responsible_is_known_by_e_mail(boths):
    both = boths(rest=SYNC.replace("people: {boss: boss, anna: anna}", "people: email"))
    both.crm.portal.users[3]["EMAIL"] = "Anna@company.example"
    next(one for one in both.amo.world.users if one["id"] == 3000002)["email"] = "anna@company.example"
    both.start()
    id = str(both.b24("crm.deal.add", fields={"TITLE": "Игра", "ASSIGNED_BY_ID": "3"}))
    both.quiet()
    there = both.pairs("deal")[id]
    assert both.theirs("deal")[there]["responsible"] == "3000002"
    both.put("deal", id, ASSIGNED_BY_ID="5")
    both.quiet()
    assert both.theirs("deal")[there]["responsible"] == "3000002"
    assert "nothing on the other side stands for 5" in both.explained(f"deal:{id}")
    assert silent(both)
