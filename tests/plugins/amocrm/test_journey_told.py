"""What the account tells the hub over HTTP: each thing once, what the hub wrote itself not at all."""

from __future__ import annotations

from collections.abc import Callable

from hub.model import Action
from tests.plugins.amocrm.place import Place


def test_one_move_of_a_deal_is_one_event(place: Place) -> None:
    """A move arrives as update and as status; the deal is read and told once, with where it came from."""
    place.form()
    place.settle()
    [deal] = place.records("leads")
    before = len(place.told())
    place.act("PATCH", f"leads/{deal['id']}", {"status_id": 142, "pipeline_id": 7100001})
    place.settle()
    assert [type_ for type_ in place.told()[before:] if type_.startswith("deal.")] == [
        "deal.updated",
        "deal.stage_changed",
    ]
    [(content,)] = place.rows("SELECT content FROM event WHERE type = 'deal.stage_changed' AND state = 'planned'")
    assert '"stage":"7100001/61000001"' in content  # in `was`
    [contact] = place.records("contacts")
    assert place.field(contact, 602002) is False


def test_what_the_hub_writes_is_no_news(place: Place) -> None:
    """P7: the deal's creation is told (a task hangs on it), its fields are not."""
    place.form()
    place.settle()
    assert place.told().count("deal.created") == 1
    assert "deal.updated" not in place.told()
    place.form(comment="again")
    place.settle()
    assert "deal.updated" not in place.told()
    assert "deal.stage_changed" not in place.told()


def test_a_webhook_that_comes_twice_is_told_once(place: Place) -> None:
    """P3."""
    place.fault("duplicate_event", "note_lead")
    place.form()
    place.settle()
    [deal] = place.records("leads")
    note = [{"note_type": "common", "params": {"text": "перезвонить"}}]
    place.act("POST", f"leads/{deal['id']}/notes", note)
    place.settle()
    told = place.rows("SELECT count(*) FROM event WHERE type = 'note.added'")
    assert told == [(len(place.crm.world.notes),)]


def test_a_retry_long_after_is_told_once(place: Place) -> None:
    """P3: amoCRM sends a body again after minutes where our answer got lost; by then all has been worked through."""
    place.poll()
    place.form()
    place.settle()
    [deal] = place.records("leads")
    place.act("POST", f"leads/{deal['id']}/notes", [{"note_type": "common", "params": {"text": "перезвонить"}}])
    place.control("chat/incoming", text="Здравствуйте", lead=deal["id"])
    place.settle()
    before = place.told()
    assert {"note.added", "message.received", "deal.created", "contact.created"} <= set(before)
    place.again()
    place.settle()
    assert place.told() == before
    place.poll()  # and the feed tells of the same once more
    place.settle()
    assert [one for one in place.told() if not one.startswith("vendor.")] == before


def test_what_the_webhook_missed_the_poll_finds(place: Place) -> None:
    """A lost webhook is found in the feed of events, and one that came is not told again."""
    place.form()
    place.settle()
    place.poll()
    place.settle()
    [deal] = place.records("leads")
    before = len(place.told())
    place.fault("drop_event", "_lead", times=50)
    place.act("PATCH", f"leads/{deal['id']}", {"status_id": 142, "pipeline_id": 7100001})
    place.act("POST", f"leads/{deal['id']}/notes", [{"note_type": "common", "params": {"text": "тихо"}}])
    place.settle()
    assert len(place.told()) == before
    place.poll()
    place.until(lambda: "deal.stage_changed" in place.told()[before:] and "note.added" in place.told()[before:])
    place.settle()
    after = list(place.told())
    place.poll()
    place.settle()
    assert place.told() == after


def test_an_incoming_lead_is_accepted(place: Place) -> None:
    """A chat in a channel of the account: the incoming lead, its message, and the deal that comes of it."""
    place.control("chat/incoming", text="Здравствуйте", name="Вера", origin="telegram")
    place.settle()
    assert place.crm.world.unsorted == {}
    [deal] = place.records("leads")
    assert deal["status_id"] == 61000002
    told = place.told()
    assert {"lead.created", "message.received", "lead.stage_changed", "deal.created"} <= set(told)
    assert told.count("lead.created") == 1


def test_a_chat_of_the_hubs_own_channel_both_ways(place: Place) -> None:
    send = {"conversation": "insta-17", "text": "Сколько стоит?", "client": "anna", "name": "Анна"}
    done = place.connector.perform(Action("message.send", "message", "send", send, marker="hub-m1"))
    again = place.connector.perform(Action("message.send", "message", "send", send, marker="hub-m1"))
    assert done.id == again.id
    place.control("chat/channel", url=f"{place.url}/in/amo/scope")
    assert place.control("chat/answer", conversation="insta-17", text="900", user=3000002) == {"status": 200}
    place.settle()
    [(content,)] = place.rows("SELECT content FROM event WHERE type = 'message.sent'")
    assert '"conversation":"insta-17"' in content
    assert '"text":"900"' in content
    for status in ("delivered", "read", "error"):
        place.connector.perform(Action("message.status", "message", "status", {"message": done.id, "status": status}))
    assert [one["status"] for one in place.crm.amojo.statuses] == [1, 2, -1]


# --- each kind of record, from its beginning to its end ---------------------------------------------------


def test_the_life_of_a_company(place: Place) -> None:
    """Made, changed, deleted by people: one event each, the record read back; a copy of any is no second one."""
    [made] = place.act("POST", "companies", [{"name": "ООО"}])["_embedded"]["companies"]
    place.settle()
    phone = [{"field_code": "PHONE", "values": [{"value": "8 495 111-22-33", "enum_code": "WORK"}]}]
    place.act("PATCH", f"companies/{made['id']}", {"custom_fields_values": phone})
    place.settle()
    place.control("delete", kind="companies", id=made["id"])
    place.settle()
    assert place.told() == ["company.created", "company.updated", "company.deleted"]
    assert place.record("company.updated", "company")["phone"] == "+74951112233"
    assert place.record("company.deleted", "company")["id"] == str(made["id"])
    place.again()
    place.settle()
    place.poll()
    place.settle()
    assert place.told() == ["company.created", "company.updated", "company.deleted"]


def test_the_life_of_a_contact(place: Place) -> None:
    """A contact that was made and deleted before the hub looked leaves its end alone."""
    [made] = place.act("POST", "contacts", [{"name": "Анна"}])["_embedded"]["contacts"]
    place.settle()
    place.control("delete", kind="contacts", id=made["id"])
    place.settle()
    assert place.told() == ["contact.created", "contact.deleted"]
    place.fault("slow", "GET contacts", times=1, seconds=0.5)
    [brief] = place.act("POST", "contacts", [{"name": "Борис"}])["_embedded"]["contacts"]
    place.act("PATCH", f"contacts/{brief['id']}", {"name": "Борис Иванов"})
    place.control("delete", kind="contacts", id=brief["id"])
    place.settle()
    ends = place.rows(f"SELECT type FROM event WHERE subject = 'contact:{brief['id']}' AND state = 'planned'")
    assert ("contact.deleted",) in ends
    assert place.rows(f"SELECT count(*) FROM event WHERE subject = 'contact:{brief['id']}' AND state = 'waiting'") == [
        (0,)
    ]


WATCHING = """
  - name: who writes again while he waits is answered by a task
    on: amo.lead.updated
    when: {lead.category: chats}
    do: amo.task.create
    set: {deal: lead.deal, text: "{{ lead.comment }}", complete_till: "2026-05-04T18:30:00+03:00"}
  - name: a lead that went without a decision
    on: amo.lead.deleted
    do: amo.api
    method: GET account
"""


def test_the_life_of_an_incoming_lead(places: Callable[..., Place]) -> None:
    """Somebody writes twice before anybody looks; then the lead is deleted, neither accepted nor declined."""
    place = places(routes=WATCHING).start().connect()
    uid = place.control("chat/incoming", text="Здравствуйте", name="Вера")["uid"]
    place.settle()
    place.control("chat/incoming", text="Вы ещё тут?", name="Вера", uid=uid)
    place.settle()
    told = place.told()
    assert (told.count("lead.created"), told.count("lead.updated"), told.count("message.received")) == (1, 1, 2)
    [task] = place.crm.world.tasks.values()
    assert task["text"] == "Здравствуйте\nВы ещё тут?"
    assert task["entity_id"] == place.crm.world.unsorted[uid]["leads"][0]
    place.control("delete", kind="unsorted", id=uid)
    place.settle()
    assert place.told().count("lead.deleted") == 1
    assert "lead.stage_changed" not in place.told()
    assert place.rows("SELECT state FROM delivery WHERE route LIKE 'a lead that went%'") == [("done",)]
    place.again()  # every webhook once more: all of it is known
    place.settle()
    assert place.told().count("lead.deleted") == 1
    assert len(place.crm.world.tasks) == 1


def test_the_life_of_a_task(place: Place) -> None:
    [deal] = place.act("POST", "leads", [{"name": "x"}])["_embedded"]["leads"]
    body = [{"text": "Ответить", "complete_till": 1_777_908_600, "entity_id": deal["id"], "entity_type": "leads"}]
    [task] = place.act("POST", "tasks", body)["_embedded"]["tasks"]
    place.settle()
    place.control("delete", kind="tasks", id=task["id"])
    place.settle()
    assert [one for one in place.told() if one.startswith("task.")] == ["task.created", "task.deleted"]
    assert place.record("task.created", "task")["deal"] == str(deal["id"])
    place.again()
    place.settle()
    place.poll()
    place.settle()
    assert [one for one in place.told() if one.startswith("task.")] == ["task.created", "task.deleted"]


def test_a_deletion_whose_webhook_got_lost_is_found_by_the_poll(place: Place) -> None:
    place.act("POST", "companies", [{"name": "ООО"}])
    place.settle()
    place.poll()
    place.settle()
    [company] = place.records("companies")
    place.fault("drop_event", "delete_company")
    place.control("delete", kind="companies", id=company["id"])
    place.settle()
    assert "company.deleted" not in place.told()
    place.poll()
    place.until(lambda: place.told().count("company.deleted") == 1)
