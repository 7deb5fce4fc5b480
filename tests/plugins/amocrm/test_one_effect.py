"""A lost answer against the stand-in: what was made is found, what hangs on it is written once."""

from __future__ import annotations

from typing import Any

import pytest

from hub.errors import AuthFailed, RateLimited, Uncertain
from hub.model import Action
from tests.plugins.amocrm.conftest import LONG_AGO, PERSON, submitted


def test_a_lost_answer_is_found_by_its_marker(account: Any) -> None:
    account.fault("lost_reply", "POST leads")
    with pytest.raises(Uncertain):
        account.do("deal.create", {"name": "x"}, marker="hub-1")
    for since in ({"since": LONG_AGO.timestamp()}, {}):
        [found] = account.connector.find("deal", {"marker": "hub-1", **since})
        assert found["name"] == "x"
    assert account.connector.find("deal", {"marker": "hub-2", "since": LONG_AGO.timestamp()}) == []


@pytest.mark.parametrize("name", ["deal.create", "deal.create_complex"])
def test_without_the_field_its_trace_is_found(accounts: Any, name: str) -> None:
    """Where the account has no HUB_MARKER, an earlier try is told by name and contact among the newest deals."""
    account = accounts()
    contact = account.contact()
    account.fault("lost_reply", "POST leads")
    with pytest.raises(Uncertain):
        account.do(name, {"name": "x", "contact": str(contact)}, marker="hub-1")
    assert account.connector.find("deal", {"marker": "hub-1", "since": LONG_AGO.timestamp()}) == []
    again = account.do(name, {"name": "x", "contact": str(contact)}, marker="hub-1", in_doubt_since=LONG_AGO)
    assert list(account.sandbox.world.records["leads"]) == [int(again.id)]
    account.do(name, {"name": "another", "contact": str(contact)}, marker="hub-2", in_doubt_since=LONG_AGO)
    assert len(account.sandbox.world.records["leads"]) == 2


@pytest.mark.parametrize(
    ("name", "values", "match"),
    [
        ("note.create", {"text": "Позвонить & спросить"}, "POST leads/notes"),
        ("task.create", {"text": "Ответить"}, "POST tasks"),
    ],
)
def test_notes_and_tasks_are_written_once(account: Any, name: str, values: dict[str, Any], match: str) -> None:
    deal = account.do("deal.create", {"name": "x"}).id
    account.fault("lost_reply", match)
    with pytest.raises(Uncertain):
        account.do(name, {**values, "deal": deal})
    account.do(name, {**values, "deal": deal}, in_doubt_since=LONG_AGO)
    world = account.sandbox.world
    assert len(world.notes if name == "note.create" else world.tasks) == 1
    account.do(name, {**values, "deal": deal})  # no doubt: said again, written again
    assert len(world.notes if name == "note.create" else world.tasks) == 2


def test_a_call_whose_answer_was_lost_is_put_in_once(account: Any) -> None:
    account.contact()
    account.fault("lost_reply", "POST calls")
    call = {"phone": "+79161112233", "duration": "12"}
    with pytest.raises(Uncertain):
        account.do("call.create", call, marker="m")
    again = account.do("call.create", call, marker="m", in_doubt_since=LONG_AGO)
    assert [str(number) for number in account.sandbox.world.notes] == [again.id]


# --- what belongs to a create beside its record ------------------------------------------------------


def texts(account: Any) -> list[str]:
    """Return the texts of all notes in the account."""
    return [note["params"]["text"] for note in account.sandbox.world.notes.values()]


def again(account: Any, name: str, values: dict[str, Any], **more: Any) -> Any:
    """Do what the hub does after a doubtful create: search by the marker, finish what is found, else create."""
    account.connector._client._held_until = 0.0  # the second after a 429 is over
    record, verb = name.split(".")
    action = Action(name, record, verb, dict(values), marker="hub-1", in_doubt_since=LONG_AGO, **more)
    found = account.connector.find(record, {"marker": "hub-1", "since": LONG_AGO.timestamp()})
    return account.connector.found(action, found[0]) if found else account.connector.perform(action)


@pytest.mark.parametrize("marked", [True, False], ids=["marker", "trace"])
@pytest.mark.parametrize("match", ["POST leads", "POST leads/notes"], ids=["the deal's", "the note's"])
@pytest.mark.parametrize("name", ["deal.create", "deal.create_complex"])
def test_the_note_of_a_deal_whose_answer_was_lost(
    accounts: Any, account: Any, name: str, match: str, marked: bool
) -> None:
    """Whichever answer was lost: one deal, one note."""
    here = account if marked else accounts()
    values = {"name": "x", "note": "Хочу в субботу"}
    here.fault("lost_reply", match if name == "deal.create" or "notes" in match else "POST leads/complex")
    with pytest.raises(Uncertain):
        here.do(name, values, marker="hub-1")
    for _ in range(2):
        done = again(here, name, values)
        assert list(here.sandbox.world.records["leads"]) == [int(done.id)]
        assert texts(here) == ["Хочу в субботу"]
    assert ("deal", done.id) in done.links


@pytest.mark.parametrize(
    ("fault", "error"),
    [("rate_limit", RateLimited), ("expired_token", AuthFailed), ("gateway", Uncertain), ("forbidden", Uncertain),
     ("outage", Uncertain)],
)  # fmt: skip
@pytest.mark.parametrize("name", ["deal.create", "deal.create_complex", "lead.create"])
def test_a_note_that_fails_makes_no_second_record(account: Any, name: str, fault: str, error: Any) -> None:
    """The record is made: the error is of a kind, or marked so, that the hub searches before it repeats."""
    values = {"name": "x", "note": "Хочу в субботу"}
    account.fault(fault, "leads/notes")
    with pytest.raises(error) as caught:
        account.do(name, values, marker="hub-1", person=PERSON, event=submitted())
    assert caught.value.begun or isinstance(caught.value, Uncertain)
    assert texts(account) == []
    again(account, name, values, person=PERSON, event=submitted())
    assert texts(account) == ["Хочу в субботу"]
    assert len(account.sandbox.world.records["leads"]) == 1
    assert len(account.sandbox.world.records["contacts"]) == int(name != "deal.create")


def test_what_is_found_counts_as_written_only_where_it_still_stands(account: Any) -> None:
    """A colleague has moved the deal before the hub looked for it: that is news, and no echo."""
    values = {"name": "x", "stage": "7100001/61000001", "601002": "Замок"}
    account.fault("lost_reply", "POST leads")
    with pytest.raises(Uncertain):
        account.do("deal.create", values, marker="hub-1")
    [number] = account.sandbox.world.records["leads"]
    account.act("PATCH", f"leads/{number}", {"name": "Анна, суббота"})
    done = again(account, "deal.create", values)
    assert done.result["name"] == "Анна, суббота"
    assert "name" not in done.written
    assert done.written["601002"] == "Замок"


def test_an_incoming_lead_accepted_before_the_hub_looked(account: Any) -> None:
    """What waits no more can't be found by its source_uid; its deal carries the marker."""
    values = {"name": "x", "note": "Хочу в субботу"}
    account.fault("lost_reply", "POST leads/unsorted")
    with pytest.raises(Uncertain):
        account.do("lead.create", values, marker="hub-1", person=PERSON, event=submitted())
    [uid] = account.sandbox.world.unsorted
    account.act("POST", f"leads/unsorted/{uid}/accept", {})
    done = again(account, "lead.create", values, person=PERSON, event=submitted())
    [deal] = account.sandbox.world.records["leads"]
    [contact] = account.sandbox.world.records["contacts"]
    assert done.links == [("deal", str(deal)), ("contact", str(contact))]
    assert (account.sandbox.world.unsorted, texts(account)) == ({}, ["Хочу в субботу"])


def test_a_strangers_call_whose_answer_was_lost(account: Any) -> None:
    values = {"phone": "+79990000000", "unknown": "lead", "duration": "5"}
    account.fault("lost_reply", "POST leads/unsorted/sip")
    with pytest.raises(Uncertain):
        account.do("call.create", values, marker="hub-1")
    done = account.do("call.create", values, marker="hub-1", in_doubt_since=LONG_AGO)
    assert list(account.sandbox.world.unsorted) == [done.id]
    assert account.sandbox.world.notes == {}
