"""Routes that look at the person: known, client, requests over time, blocked; decided where the person is found."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from hub.model import Action
from hub.store import roster
from tests.hub.fakes import PLUGINS, WORLDS, Box, form
from tests.hub.mergers import Mergers, leads_by_contact

YAML = """
hub: {timezone: Europe/Kyiv, region: UA, unrouted: ignore}
connections:
  site: {plugin: source}
  crm: {plugin: mergers}
people:
  client: {has: [crm.deal: {deal.stage: won}]}
  merge: {auto: [same phone, same email, same handle], carry: [deals, notes]}
  block: {table: bad, by: [phone]}
tables:
  bad: [{phone: "+380991234500"}]
routes:
  - name: known client
    on: site.form.submitted
    when: {person.client: yes}
    do: crm.deal.create
    set: {TITLE: short, MANAGER: person.responsible}
  - name: full funnel
    on: site.form.submitted
    when: {person.client: no}
    do: crm.lead.create
    set: {TITLE: full}
  - name: a newcomer is greeted
    on: site.form.submitted
    when: {person.known: no}
    do: crm.letter.create
    set: {TEXT: welcome}
  - name: asks again and again
    on: site.form.submitted
    when: {person.requests: {at_least: 3, within: 30d}}
    do: crm.note.create
    set: {TEXT: "asked {{ person.requests }} times"}
"""


@pytest.fixture
def box(tmp_path: Path) -> Iterator[Box]:
    box = Box(tmp_path, YAML, plugins=(*PLUGINS, Mergers)).start()
    yield box
    box.close()


def ran(box: Box) -> list[tuple[int, str]]:
    return sorted((row["event"], row["route"]) for row in box.deliveries())


def deal(stage: str, phone: str = "+380671112233", id: str = "5", **more: Any) -> dict[str, Any]:
    contact = {"id": "90", "phone": phone, "phones": [phone]}
    return {"type": "deal.updated", "subject": f"deal:{id}", "record": {
        "deal": {"id": id, "stage": stage, **more}, "contact": contact}}  # fmt: skip


def said(box: Box, event: int) -> dict[str, Any]:
    from hub.explain import life

    with box.store.read() as db:
        told = life(db, event)
    assert told is not None
    return told


def test_a_stranger_takes_the_full_funnel_and_is_known_after(box: Box) -> None:
    box.send(form())
    box.settle()
    box.send(form())
    box.settle()
    assert ran(box) == [(1, "a newcomer is greeted"), (1, "full funnel"), (2, "full funnel")]
    told = said(box, 2)
    assert told["person"]["matched"]["text"] == "same phone +380671112233 as person 1"
    assert told["person"]["matched"]["rules"]
    [skipped] = [one["text"] for one in told["skipped"] if one["route"] == "a newcomer is greeted"]
    assert skipped == "person.known is yes, should be no"


def test_a_client_takes_the_short_way_to_the_manager_they_know(box: Box) -> None:
    box.send(deal("won", responsible="7"), to="crm")
    box.settle()
    box.send(form())
    box.settle()
    assert [route for _, route in ran(box) if route != "a newcomer is greeted"] == ["known client"]
    assert WORLDS["crm"].of("lead") == []
    [made] = WORLDS["crm"].of("deal")
    assert (made["TITLE"], made["MANAGER"]) == ("short", "7")


def test_a_lost_deal_makes_no_client_and_a_won_one_of_the_same_person_does(box: Box) -> None:
    box.send(deal("lost"), to="crm")
    box.send(form(), id="f1")
    box.settle()
    assert len(WORLDS["crm"].of("lead")) == 1
    box.send(deal("won", id="6"), to="crm")
    box.settle()
    box.send(form(), id="f2")
    box.settle()
    assert len(WORLDS["crm"].of("lead")) == 1
    assert len(WORLDS["crm"].of("deal")) == 1


def test_requests_are_counted_with_this_one_also_in_one_batch(box: Box) -> None:
    box.send(*[{**form(), "subject": f"form:{n}"} for n in range(4)])
    box.send(form("+380672223344"))
    box.settle()
    notes = [act[2]["TEXT"] for act in WORLDS["crm"].acts if act[1] == "note"]
    assert notes[0].startswith("asked")
    assert [event for event, route in ran(box) if route == "asks again and again"] == [3, 4]


def test_a_chat_counts_once_a_day_however_many_lines_and_the_day_is_the_companys(box: Box) -> None:
    """Four lines of 2026-03-10 in Kyiv, the first of them still the ninth in UTC, then one of the next day."""
    from hub.model import Event
    from hub.standing import Standing
    from hub.store import intake

    first = 1_773_097_200.0  # 2026-03-09T23:00Z
    times = [first, first + 3600, first + 7200, first + 7201, first + 23 * 3600]
    with box.store.write() as db:
        for n, at in enumerate(times):
            event = Event("message.received", "chat:1", f"k{n}", {"contact": {}}, connection="site")
            [fresh] = intake.add_events(db, [event])
            intake.set_event_notes(db, [(fresh.id, 1, None, None)])
            db.run("UPDATE event SET at = ?, state = 'planned' WHERE id = ?", (at, fresh.id))
    with box.store.read() as db:
        lines = [event for event, *_ in intake.events_of_persons(db, [1])]
    counts = [Standing(box.config, one, 1, open=box.store.read, family=[1])["requests"] for one in lines]
    assert counts == [1, 1, 1, 1, 2]


def test_the_lines_of_one_delivery_count_once_too(box: Box) -> None:
    from hub.model import Event
    from hub.standing import Standings
    from hub.store.people import Match

    with box.store.read() as db:
        standings, match = Standings(box.runtime, db, True), Match(own=1, root=1, family=(1,))
        lines = [Event("message.received", "chat:1", f"k{n}", {}, connection="site") for n in range(4)]
        found = [standings.standing(one, match, ()) for one in lines]
        assert [one["requests"] for one in found if one is not None] == [1, 1, 1, 1]


def test_a_replay_decides_as_it_was(box: Box) -> None:
    box.send(form(), id="once")
    box.settle()
    before = ran(box)
    with box.store.write() as db:
        from hub.handwork import replay

        replay(db, 1)
    box.ring()
    box.settle()
    assert ran(box) == before
    assert said(box, 1)["person"]["matched"]["code"] == "match_new"


def test_the_blocked_go_nowhere(box: Box) -> None:
    box.send(form("+380991234500"))
    box.settle()
    assert ran(box) == []


# --- two contacts become one ------------------------------------------------------------------------


def by_mail(email: str, phone: str | None = None) -> dict[str, Any]:
    event = form(phone=phone)
    event["record"]["contact"] |= {"email": email, "emails": [email]}
    return event


def test_two_contacts_the_hub_made_become_one_when_a_message_names_both(box: Box) -> None:
    box.send(form())
    box.send(by_mail("anna@i.ua"))
    box.settle()
    assert len(WORLDS["crm"].of("contact")) == 2
    box.send(by_mail("anna@i.ua", "+380671112233"))
    box.settle()
    [contact] = WORLDS["crm"].of("contact")
    merges = [act[2] for act in WORLDS["crm"].acts if act[0] == "merge"]
    assert len(merges) == 1
    assert merges[0]["carry"] == ["deals", "notes"]
    assert {lead["contact"] for lead in WORLDS["crm"].of("lead")[2:]} <= {contact["id"], *merges[0]["ids"]}
    told = next(said(box, row["id"]) for row in box.events() if row["type"] == "form.submitted" and row["id"] >= 3)
    assert "they are one" in told["person"]["matched"]["text"]
    box.send(form())
    box.settle()
    assert len(WORLDS["crm"].of("contact")) == 1


def of_contact(event: dict[str, Any], contact: str) -> dict[str, Any]:
    event["record"]["contact"]["id"] = contact
    return event


def test_a_second_card_with_the_same_phone_is_glued_to_the_first(box: Box) -> None:
    """D4: a manager made the duplicate; the hub sees its phone, and the CRM has one card again."""
    box.send(deal("lost"), to="crm")
    box.settle()
    box.send(of_contact(deal("lost", id="6"), "91"), to="crm")
    box.settle()
    [merge] = [act[2] for act in WORLDS["crm"].acts if act[0] == "merge"]
    assert (merge["into"], merge["ids"]) == ("90", ["91"])
    told = next(said(box, row["id"]) for row in box.events() if row["type"] == "person.merged")
    assert told["deliveries"][0]["do"] == "crm.contact.merge"
    assert told["deliveries"][0]["reason"]["text"] == "contact 91 is one with 90 now"
    box.send(of_contact(deal("lost", id="7"), "91"), to="crm")
    box.settle()
    assert len([act for act in WORLDS["crm"].acts if act[0] == "merge"]) == 1, "once"


def test_who_is_on_the_list_by_another_key_is_blocked_too(box: Box) -> None:
    box.send(by_mail("bad@i.ua", "+380991234500"))
    box.settle()
    box.send(by_mail("bad@i.ua"))
    box.settle()
    from hub.model import Event
    from hub.standing import Standing

    event = Event("form.submitted", "form:x", "x", {})
    standing = Standing(box.config, event, 1, open=box.store.read)
    assert standing["blocked"] is True
    assert (standing["email"], standing["requests"], standing["orders"]) == ("bad@i.ua", 3, 0)


def late(name: str) -> Callable[[Action], None]:
    """Return what makes the vendor slow for one person: of two contacts, theirs is made second."""

    def fail(action: Action) -> None:
        if action.person.get("name") == name:
            time.sleep(0.3)

    return fail


@pytest.mark.parametrize("second", ["Petro", "Anna"])
def test_a_merge_by_hand_undone_brings_the_contact_back(box: Box, second: str) -> None:
    """Whichever contact was made first stays; the other comes back to whose it was."""
    from hub import people_acts

    WORLDS["crm"].fail = late(second)
    box.send(form())
    box.send(form("+380672223344", "Petro"))
    box.settle()
    WORLDS["crm"].fail = lambda action: None
    with people_acts.writing(box.store, dry_run=True) as db:
        shown = people_acts.merge(db, box.runtime, 1, 2)
    assert shown.params["contacts"]["crm"]
    assert shown.params["differ"] == ["phone"]
    assert len(WORLDS["crm"].of("contact")) == 2
    with box.store.read() as db:
        assert roster.of_key(db, "phone", "+380672223344") == 2, "a dry run leaves nothing behind"
    with box.store.write() as db:
        act = people_acts.merge(db, box.runtime, 1, 2)
    assert act.text == "person 2 is one with 1 (merge m1)"
    box.ring()
    box.settle()
    assert len(WORLDS["crm"].of("contact")) == 1
    with box.store.read() as db:
        from hub import undoing
        from hub.store import reading

        [batch] = [row[0] for row in db.rows("SELECT DISTINCT batch FROM delivery WHERE batch IS NOT NULL")]
        row = reading.delivery(db, db.rows("SELECT id FROM delivery WHERE batch = ?", (batch,))[0][0])
    assert batch == "merge-1"
    assert row is not None
    [(_, why)] = undoing.plan(box.runtime, [row], {}).left
    assert "hub people unmerge" in why, "fields put back alone would leave a half"
    with box.store.write() as db:
        parted = people_acts.unmerge(db, box.runtime, "2")
    assert parted.params["carried"] == 1
    box.ring()
    box.settle()
    assert len(WORLDS["crm"].of("contact")) == 2
    box.send(form("+380672223344", "Petro"))
    box.send(form())
    box.settle()
    assert leads_by_contact() == {"Anna": ["Anna", "Anna"], "Petro": ["Petro", "Petro"]}, "each is known by their own"


def two_made_one(box: Box) -> None:
    """Two persons with a contact each, joined by hand; the merge of their contacts is still to go out."""
    from hub import people_acts

    box.send(form())
    box.send(form("+380672223344", "Petro"))
    box.settle()
    with box.store.write() as db:
        people_acts.merge(db, box.runtime, 1, 2)


def parted(box: Box) -> None:
    from hub import people_acts

    with box.store.write() as db:
        people_acts.unmerge(db, box.runtime, "2")
    box.ring()


def each_has_their_own(box: Box) -> None:
    box.send(form("+380672223344", "Petro"))
    box.send(form())
    box.settle()
    assert leads_by_contact() == {"Anna": ["Anna", "Anna"], "Petro": ["Petro", "Petro"]}


def test_a_merge_that_has_not_gone_out_is_given_up_when_it_is_undone(box: Box) -> None:
    from hub import handwork, people_acts

    box.send(form())
    box.send(form("+380672223344", "Petro"))
    box.settle()
    with box.store.write() as db:
        handwork.pause(db, "crm")
        people_acts.merge(db, box.runtime, 1, 2)
    parted(box)
    with box.store.write() as db:
        handwork.resume(db, "crm")
    each_has_their_own(box)
    assert not [act for act in WORLDS["crm"].acts if act[0] == "merge"]


def test_a_merge_the_vendor_refused_waits_for_nobody_once_it_is_undone(box: Box) -> None:
    WORLDS["crm"].refuses = True  # type: ignore[attr-defined]
    two_made_one(box)
    box.ring()
    box.until(lambda: box.one("SELECT count(*) FROM delivery WHERE state = 'parked'") == 1)
    assert box.alerts() == ["alert_parked"]
    parted(box)
    assert box.one("SELECT count(*) FROM delivery WHERE state = 'parked'") == 0
    assert box.alerts() == []
    del WORLDS["crm"].refuses  # type: ignore[attr-defined]
    each_has_their_own(box)


def test_a_merge_that_is_under_way_while_it_is_undone_is_taken_back(box: Box) -> None:
    WORLDS["crm"].slow = 0.6  # type: ignore[attr-defined]
    two_made_one(box)
    box.ring()
    box.until(lambda: box.one("SELECT count(*) FROM delivery WHERE action = 'contact.merge' AND started_at > 0"))
    parted(box)
    box.settle()
    assert [act[0] for act in WORLDS["crm"].acts if act[0] == "merge"] == ["merge"], "it could not be stopped"
    each_has_their_own(box)


@pytest.mark.parametrize("second", ["Petro", "Anna"])
def test_a_contact_whose_last_state_was_lost_comes_back_from_what_the_hub_knows(box: Box, second: str) -> None:
    """The vendor merged, its answer never came, and what it merged away gets a new id."""
    from hub import people_acts

    crm = WORLDS["crm"]
    crm.fail = late(second)
    box.send(form())
    box.send(form("+380672223344", "Petro"))
    box.settle()
    crm.fail = lambda action: None
    with box.store.write() as db:
        people_acts.merge(db, box.runtime, 1, 2)
    crm.forgets = True  # type: ignore[attr-defined]
    box.ring()
    box.settle()
    with box.store.write() as db:
        people_acts.unmerge(db, box.runtime, "2")
    box.ring()
    box.settle()
    box.send(form("+380672223344", "Petro"))
    box.send(form())
    box.settle()
    of = {one["name"]: one["id"] for one in crm.of("contact")}
    assert set(of) == {"Anna", "Petro"}
    assert {lead["name"]: lead["contact"] for lead in crm.of("lead")[2:]} == of


def test_two_contacts_made_while_both_calls_were_under_way_become_one_and_are_parted_again(box: Box) -> None:
    """Both calls were claimed before the merge: neither knew of the other's contact."""
    from hub import people_acts

    WORLDS["crm"].delay = 0.5
    box.send(form())
    box.send(by_mail("anna@i.ua"))
    for _ in range(500):
        with box.store.read() as db:
            [under_way] = db.rows("SELECT count(*) FROM line WHERE key LIKE 'crm>%' AND lease IS NOT NULL")[0]
        if under_way == 2:
            break
        time.sleep(0.01)
    else:
        raise AssertionError("the two calls never were under way at once")
    with box.store.write() as db:
        act = people_acts.merge(db, box.runtime, 1, 2)
    assert act.params["contacts"] == {}, "neither contact is known yet"
    WORLDS["crm"].delay = 0.0
    box.settle()
    assert len(WORLDS["crm"].of("contact")) == 1
    assert len([act for act in WORLDS["crm"].acts if act[0] == "merge"]) == 1
    with box.store.write() as db:
        parted = people_acts.unmerge(db, box.runtime, "m1")
    assert parted.params["carried"] == 1
    box.ring()
    box.settle()
    assert len(WORLDS["crm"].of("contact")) == 2


def test_without_merge_in_the_file_no_crm_is_touched_and_a_person_is_told(tmp_path: Path) -> None:
    yaml = YAML.replace("  merge: {auto: [same phone, same email, same handle], carry: [deals, notes]}\n", "")
    box = Box(tmp_path, yaml, plugins=(*PLUGINS, Mergers)).start()
    try:
        box.send(form())
        box.send(by_mail("anna@i.ua"))
        box.settle()
        box.send(by_mail("anna@i.ua", "+380671112233"))
        box.settle()
        assert len(WORLDS["crm"].of("contact")) == 2
        assert box.alerts() == ["alert_contacts"]
        with box.store.read() as db:
            assert roster.of_key(db, "email", "anna@i.ua") == roster.of_key(db, "phone", "+380671112233") == 1
    finally:
        box.close()
