"""Notes, calls and tasks against the stand-in: what hangs on which record."""

from __future__ import annotations

from typing import Any

import pytest

from hub.errors import Gone, Refused
from hub.model import Event
from plugins.amocrm import outgoing


def test_notes_of_every_kind(account: Any) -> None:
    deal = account.do("deal.create", {"name": "x"}).id
    made = account.do("note.create", {"entity_type": "leads", "entity_id": deal, "text": "a"})
    account.do("note.create", {"deal": deal, "note_type": "extended_service_message", "service": "hub", "text": "b"})
    account.do(
        "note.create",
        {"deal": deal, "note_type": "call_in", "uniq": "u", "duration": "60", "source": "s", "phone": "1"},
    )
    notes = list(account.sandbox.world.notes.values())
    assert [note["note_type"] for note in notes] == ["common", "extended_service_message", "call_in"]
    assert notes[2]["params"]["duration"] == 60
    body = outgoing.note({"deal": deal, "text": "a", "is_need_to_trigger_digital_pipeline": "no"})
    assert body == {
        "note_type": "common", "params": {"text": "a"}, "is_need_to_trigger_digital_pipeline": False,
    }  # fmt: skip
    account.do("note.update", {"deal": deal, "id": made.id, "text": "c"})
    assert account.do("note.list", find={"deal": deal}).result["rows"][0]["text"] == "c"
    with pytest.raises(Refused, match="needs `text`"):
        account.do("note.create", {"deal": deal})


def test_a_call_finds_its_card_by_the_phone(account: Any) -> None:
    contact = account.contact()
    done = account.do(
        "call.create", {"phone": "+79161112233", "duration": "12", "direction": "in", "call_status": "4"}, marker="m"
    )
    assert done.result["contact"] == str(contact)
    with pytest.raises(Refused, match="no contact or company has this call"):
        account.do("call.create", {"phone": "+79990000000"}, marker="n")
    lead = account.do("call.create", {"phone": "+79990000000", "unknown": "lead", "duration": "5"}, marker="o")
    assert account.sandbox.world.unsorted[lead.id]["category"] == "sip"
    assert lead.result["phone"] == "+79990000000"


def test_tasks(account: Any) -> None:
    deal = account.do("deal.create", {"name": "x"}).id
    values = {
        "entity_type": "leads",
        "entity_id": deal,
        "text": "Ответить",
        "complete_till": "2026-05-04T18:30:00+03:00",
        "task_type_id": "1",
    }
    task = account.do("task.create", values).id
    row = account.sandbox.world.tasks[int(task)]
    assert (row["entity_id"], row["complete_till"]) == (int(deal), 1777908600)
    account.do("task.update", {"text": "Позвонить"}, id=task)
    assert row["complete_till"] == 1777908600
    [found] = account.connector.find("task", {"deal": deal, "open": True})
    assert (found["title"], found["deal"], found["done"]) == ("Позвонить", deal, False)
    account.do("task.complete", {"result": "Дозвонились"}, id=task)
    assert account.connector.find("task", {"deal": deal, "open": True}) == []
    assert account.connector.get("task", task)["result"] == "Дозвонились"


def test_what_a_step_finds_is_aimed_at(account: Any) -> None:
    deal = account.do("deal.create", {"name": "x"}).id
    task = account.do("task.create", {"text": "Ответить", "deal": deal}).id
    note = account.do("note.create", {"deal": deal, "text": "a"}).id
    assert [one["id"] for one in account.connector.find("task", {"id": task})] == [task]
    assert [one["id"] for one in account.connector.find("note", {"deal": deal, "id": note})] == [note]
    account.do("task.complete", find={"deal": deal, "open": True})
    assert account.sandbox.world.tasks[int(task)]["is_completed"] is True
    with pytest.raises(Gone, match="as `find` says"):
        account.do("task.complete", find={"deal": deal, "open": True})
    account.do("deal.tag", {"tags": "a"}, find={"name": "x"})
    assert account.raw("leads", deal)["tags"] == ["a"]


def test_a_task_hangs_on_the_events_record(account: Any) -> None:
    deal = account.do("deal.create", {"name": "x"}).id
    event = Event("deal.created", f"deal:{deal}", "k", connection="amo")
    account.do("task.create", {"text": "Ответить"}, event=event)
    [task] = account.sandbox.world.tasks.values()
    assert (task["entity_type"], task["entity_id"]) == ("leads", int(deal))
    account.do("note.create", {"text": "a"}, event=event)
    elsewhere = event.with_(connection="another")  # another CRM's deal of that number is none of ours
    with pytest.raises(Refused, match="needs its record"):
        account.do("note.create", {"text": "a"}, event=elsewhere)
    account.do("task.create", {"text": "x"}, event=elsewhere)
    assert list(account.sandbox.world.tasks.values())[-1]["entity_id"] is None


def test_listing_tasks(account: Any) -> None:
    deal, contact = account.do("deal.create", {"name": "x"}).id, account.contact()
    first = account.do("task.create", {"text": "Ответить", "deal": deal, "responsible": "3000002"}).id
    second = account.do("task.create", {"text": "Позвонить", "deal": deal}).id
    third = account.do("task.create", {"text": "Поздравить", "contact": str(contact)}).id
    account.do("task.complete", id=second)
    for by, ids in (
        ({"deal": deal}, [first, second]),
        ({"deal": deal, "open": True}, [first]),
        ({"contact": str(contact)}, [third]),
        ({"responsible": "3000002"}, [first]),
        ({"id": [second, third]}, [second, third]),
        ({"deal": deal, "title": "поздравить"}, []),
    ):
        told = account.do("task.list", find=by).result
        assert ([row["id"] for row in told["rows"]], told["count"]) == (ids, len(ids)), by
    assert account.do("task.list", find={"deal": deal}, limit=1).result["count"] == 1
    with pytest.raises(Refused, match="needs a condition"):
        account.do("task.list")
