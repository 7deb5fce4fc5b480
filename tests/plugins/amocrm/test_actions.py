"""Each action against the stand-in, over real HTTP: what it leaves in the account, and what it answers."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest

from hub.errors import Gone, Refused, Uncertain
from hub.model import Event
from plugins.amocrm import outgoing

PERSON = {"name": "Анна Петрова", "first_name": "Анна", "last_name": "Петрова", "phone": "+79161112233",
          "phones": ["+79161112233"], "email": "anna@example.com", "emails": ["anna@example.com"]}  # fmt: skip
LONG_AGO = dt.datetime.now(dt.UTC) - dt.timedelta(minutes=10)


# --- deals -------------------------------------------------------------------------------------------


def test_a_deal_with_fields_of_every_type(account: Any) -> None:
    contact = account.contact()
    values = {
        "name": "Сайт: Анна", "stage": "7100001/61000001", "price": "1499.50", "responsible": "3000002",
        "601001": "2026-05-04T18:30", "601002": "Замок", "601003": "4", "601013": "Корпоратив",
        "601014": ["Торт", "Фото"], "601015": "yes", "601016": "2026-05-03", "601017": "https://example.com",
        "601018": {"city": "Москва", "zip": "101000"}, "601019": {"name": "ООО", "entity_type": 1},
        "601020": "10.50", "UTM_SOURCE": "vk", "tags": "сайт, новый",
    }  # fmt: skip
    done = account.do("deal.create", values, contact=str(contact), marker="hub-1")
    row = account.raw("leads", done.id)
    assert (row["name"], row["price"], row["status_id"], row["responsible_user_id"]) == (
        "Сайт: Анна",
        1500,
        61000001,
        3000002,
    )
    assert row["tags"] == ["сайт", "новый"]
    moscow = dt.timezone(dt.timedelta(hours=3))
    assert account.field("leads", done.id, 601001) == [int(dt.datetime(2026, 5, 4, 18, 30, tzinfo=moscow).timestamp())]
    assert account.field("leads", done.id, 601016) == [int(dt.datetime(2026, 5, 3, tzinfo=moscow).timestamp())]
    assert account.field("leads", done.id, 601013) == ["Корпоратив"]
    assert account.field("leads", done.id, 601014) == ["Торт", "Фото"]
    assert account.field("leads", done.id, 601015) == [True]
    assert account.field("leads", done.id, 601018) == ["Москва", "101000"]
    assert account.field("leads", done.id, 601019) == [{"name": "ООО", "entity_type": 1}]
    assert account.field("leads", done.id, 601005) == ["vk"]
    read = account.connector.get("deal", done.id)
    assert read["contact"] == str(contact)
    assert (read["stage"], read["amount"], read["stage_name"]) == ("7100001/61000001", "1500", "Новая")
    assert read["source"] == {"utm_source": "vk"}
    assert read["url"] == f"{account.url}/leads/detail/{done.id}"


def test_what_was_written_reads_back_the_same(account: Any) -> None:
    """The hub knows its own echo by comparing these."""
    values = {"name": "x", "stage": "7100001/61000001", "price": "700", "601001": "2026-05-04T18:30:00+03:00",
              "601013": "Корпоратив", "601014": "Торт", "601015": "yes", "601018": {"city": "Москва"},
              "UTM_SOURCE": "vk"}  # fmt: skip
    done = account.do("deal.create", values, marker="hub-1")
    extra = account.connector.get("deal", done.id)["extra"]
    told = {name: value for name, value in done.written.items() if name not in ("stage", "responsible")}
    assert {name: extra.get(name) for name in told} == told


def test_an_update_writes_only_what_differs(account: Any) -> None:
    done = account.do("deal.create", {"name": "x", "601002": "Замок", "601003": "4"})
    account.sandbox.calls.clear()
    same = account.do("deal.update", {"name": "x", "601002": "Замок", "601003": 4}, id=done.id)
    assert same.written == {}
    assert not [call for call in account.sandbox.calls if call.startswith("PATCH")]
    changed = account.do("deal.update", {"601002": "Бункер", "601003": ""}, id=done.id)
    assert changed.written == {"601002": "Бункер", "601003": None}
    assert changed.before["601002"] == "Замок"
    assert account.field("leads", done.id, 601003) is None


def test_a_deals_contact_and_note_are_added_once(account: Any) -> None:
    contact = account.contact()
    done = account.do("deal.create", {"name": "x", "note": "первый"})
    for _ in range(2):
        account.do("deal.update", {"contact": str(contact), "note": "второй"}, id=done.id, in_doubt_since=LONG_AGO)
    assert account.connector.get("deal", done.id)["contacts"] == [str(contact)]
    assert [note["params"]["text"] for note in account.sandbox.world.notes.values()] == ["первый", "второй"]


def test_a_stage_is_written_with_its_pipeline(account: Any) -> None:
    done = account.do("deal.create", {"name": "x", "stage": "7100001/61000001"})
    moved = account.do("deal.set_stage", {"stage": "7100002/142"}, id=done.id)
    row = account.raw("leads", done.id)
    assert (row["pipeline_id"], row["status_id"]) == (7100002, 142)
    assert row["closed_at"]
    assert moved.written == {"pipeline_id": 7100002, "status_id": 142, "stage": "7100002/142"}
    assert account.do("deal.set_stage", {"stage": "7100002/142"}, id=done.id).written == {}


def test_the_order_of_a_pipelines_stages(account: Any) -> None:
    order = account.connector.stage_order("deal", "7100001/61000002")
    assert order[0] == "7100001/61000000"
    assert order[-2:] == ["7100001/142", "7100001/143"]
    assert order.index("7100001/61000001") < order.index("7100001/61000003")
    assert account.connector.stage_order("contact", "7100001/61000002") == []


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"stage": "142"}, "several pipelines"),
        ({"stage": "7100001/999"}, "there is no stage"),
        ({"601013": "Свадьба"}, "has no option 'Свадьба'"),
        ({"601001": "завтра"}, "is no date"),
        ({"601003": "много"}, "is no number"),
        ({"price": "дорого"}, "is no amount"),
        ({"responsible": "Анна"}, "is no id"),
        ({"999999": "x"}, "have no field '999999'"),
        ({"Квест": "x"}, "its id is 601002"),
        ({"601018": {"planet": "Земля"}}, "has no part 'planet'"),
    ],
)
def test_what_cant_be_is_told_before_it_is_sent(account: Any, values: dict[str, Any], words: str) -> None:
    with pytest.raises(Refused, match=words):
        account.do("deal.create", {"name": "x", **values})
    assert account.sandbox.world.records["leads"] == {}


def test_a_field_deleted_meanwhile_is_named(account: Any) -> None:
    """The account's fields are remembered for ten minutes; what an administrator deletes then is refused by amoCRM."""
    account.do("deal.create", {"name": "x", "601002": "Замок"})
    account.sandbox.world.fields["leads"] = [
        one for one in account.sandbox.world.fields["leads"] if one["id"] != 601002
    ]
    with pytest.raises(Refused) as caught:
        account.do("deal.create", {"name": "y", "601002": "Замок"})
    assert "601002" in caught.value.fields
    with pytest.raises(Refused, match="have no field '601002'"):  # asked anew
        account.do("deal.create", {"name": "y", "601002": "Замок"})


def test_a_deal_with_its_contact_in_one_call(account: Any) -> None:
    done = account.do("deal.create_complex", {"name": "x", "company": "ООО"}, person=PERSON, marker="hub-1")
    contact = account.raw("contacts", done.result["contact"])
    assert contact["name"] == "Анна Петрова"
    assert dict(done.links).keys() == {"deal", "contact", "company"}
    assert done.result["merged"] is False
    assert account.sandbox.calls["POST leads/complex"] == 1
    assert "POST contacts" not in account.sandbox.calls


def test_tags_come_and_go(account: Any) -> None:
    done = account.do("deal.create", {"name": "x", "tags": "a"})
    account.do("deal.tag", {"tags": ["b", "a"], "remove": "a"}, id=done.id)
    assert account.raw("leads", done.id)["tags"] == ["b"]
    assert account.do("deal.tag", {"tags": "b"}, id=done.id).written == {}


def test_links_are_made_and_taken(account: Any) -> None:
    contact, element = (
        account.contact(),
        account.do("element.create", {"catalog": "4521", "name": "Торт", "PRICE": "900"}),
    )
    done = account.do("deal.create", {"name": "x"})
    account.do("deal.link", {"contact": str(contact), "main": "yes"}, id=done.id)
    account.do("deal.link", {"element": element.id, "catalog": "4521", "quantity": "2"}, id=done.id)
    hint = Event("deal.updated", f"deal:{done.id}", "k", {"deal": {"id": done.id}}, incomplete=True)
    [event] = account.complete(hint, needs=("contact", "goods"))
    assert event.record["contact"]["phone"] == "+79161112233"
    [goods] = event.record["deal"]["goods"]
    assert (goods["name"], goods["price"], goods["quantity"], goods["sum"]) == ("Торт", "900", "2", "1800")
    account.do("deal.unlink", {"contact": str(contact)}, id=done.id)
    assert "contact" not in account.connector.get("deal", done.id)


def test_a_record_that_is_gone(account: Any) -> None:
    done = account.do("deal.create", {"name": "x"})
    account.control("delete", kind="leads", id=done.id)
    for act in (
        lambda: account.do("deal.update", {"name": "y"}, id=done.id),
        lambda: account.do("deal.set_stage", {"stage": "7100001/142"}, id=done.id),
        lambda: account.connector.get("deal", done.id),
        lambda: account.connector.get("deal", "../account"),
    ):
        with pytest.raises(Gone):
            act()


# --- contacts ----------------------------------------------------------------------------------------


def test_a_contact_from_a_person(account: Any) -> None:
    done = account.do("contact.create", person=PERSON, marker="hub-1")
    assert account.raw("contacts", done.id)["name"] == "Анна Петрова"
    assert account.field("contacts", done.id, 600101) == ["+79161112233"]
    assert account.field("contacts", done.id, 600103) == ["anna@example.com"]


def test_phones_are_added_never_doubled_or_lost(account: Any) -> None:
    number = account.contact("8 (916) 111-22-33")
    more = {**PERSON, "phones": ["+79161112233", "+79269998877"]}
    done = account.do("contact.update", person=more, id=str(number))
    assert account.field("contacts", number, 600101) == ["8 (916) 111-22-33", "+79269998877"]
    assert done.written["PHONE"] == ["8 (916) 111-22-33", "+79269998877"]
    assert account.do("contact.update", person=more, id=str(number)).written == {}


@pytest.mark.parametrize(("fill", "name"), [("empty_only", "Анна Петрова"), ("newest", "Мария Иванова")])
def test_what_a_person_may_overwrite(account: Any, fill: str, name: str) -> None:
    number = account.contact()
    other = {**PERSON, "name": "Мария Иванова", "first_name": "Мария", "last_name": "Иванова"}
    account.do("contact.update", person=other, id=str(number), fill=fill)
    assert account.raw("contacts", number)["name"] == name
    assert account.field("contacts", number, 600103) == ["anna@example.com"]  # it had none


def test_finding_people_in_any_spelling(account: Any) -> None:
    old, new = account.contact("8 916 111 22 33"), account.contact("+79161112233")
    account.contact("+79161112234")
    found = account.connector.find("contact", {"phone": "+79161112233"})
    assert [one["id"] for one in found] == [str(old), str(new)]
    account.do("contact.update", {"email": "Anna@Example.com"}, id=str(new))
    assert [one["id"] for one in account.connector.find("contact", {"email": "anna@example.com"})] == [str(new)]
    assert account.connector.find("contact", {"phone": ""}) == []


def test_finding_deals_of_a_person(account: Any) -> None:
    contact = account.contact()
    lost = account.do("deal.create", {"name": "a", "stage": "7100001/143"}, contact=str(contact)).id
    first = account.do("deal.create", {"name": "b"}, contact=str(contact)).id
    account.do("deal.create", {"name": "c"})
    for by in ({"phone": "89161112233"}, {"contact": str(contact)}):
        assert [one["id"] for one in account.connector.find("deal", by)] == [lost, first]
        assert [one["id"] for one in account.connector.find("deal", {**by, "open": True})] == [first]
    old = {"contact": str(contact), "since": dt.datetime.now(dt.UTC) + dt.timedelta(hours=1)}
    assert account.connector.find("deal", old) == []


@pytest.mark.parametrize("filters", [True, False])
def test_finding_by_fields_whether_filters_are_on_or_off(accounts: Any, filters: bool) -> None:
    account = accounts({"filters": filters})
    values = {"name": "x", "601011": "MK-17", "601001": "2026-05-04T18:30", "601013": "Корпоратив", "601002": "Замок"}
    made = account.do("deal.create", {**values, "stage": "7100001/61000003"}).id
    account.do("deal.create", {"name": "y", "601011": "MK-177", "601001": "2026-05-05T18:30", "601002": "Замок"})
    for by in (
        {"601011": "MK-17"},
        {"601001": "2026-05-04T15:30:00+00:00"},
        {"601013": "Корпоратив"},
        {"stage": ["7100001/61000003", "7100001/61000004"], "601002": "Замок"},
        {"name": "X"},
    ):
        assert [one["id"] for one in account.connector.find("deal", by)] == [made], by
    with pytest.raises(Refused, match="have no field"):
        account.connector.find("deal", {"nonsense": "1"})
    with pytest.raises(Refused, match="needs a condition"):
        account.connector.find("deal", {})


# --- one effect --------------------------------------------------------------------------------------


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


# --- incoming leads ----------------------------------------------------------------------------------


def submitted() -> Event:
    record = {"form": {"id": "f1", "name": "Бронь", "page": "https://quests.example/zamok"}, "contact": PERSON}
    return Event("form.submitted", "form:1", "k", record, connection="site", occurred_at=LONG_AGO)


def test_an_incoming_lead_waits_and_is_found(account: Any) -> None:
    options = {"person": PERSON, "marker": "hub-7", "event": submitted()}
    done = account.do("lead.create", {"name": "Сайт: Анна", "601002": "Замок", "note": "Хочу в субботу"}, **options)
    raw = account.sandbox.world.unsorted[done.id]
    assert (raw["category"], raw["source_uid"], raw["source_name"]) == ("forms", "hub-7", "site")
    assert raw["metadata"]["form_page"] == "https://quests.example/zamok"
    assert account.field("leads", raw["leads"][0], 601002) == ["Замок"]
    assert dict(done.links) == {"lead": done.id, "contact": str(raw["contacts"][0])}
    for by in ({"marker": "hub-7"}, {"phone": "89161112233", "open": True}, {"contact": str(raw["contacts"][0])}):
        [found] = account.connector.find("lead", by)
        assert (found["id"], found["stage"]) == (done.id, "unsorted")
    assert account.connector.find("lead", {"phone": "+79160000000"}) == []
    assert account.connector.find("deal", {"phone": "89161112233", "open": True}) == []  # no deal yet
    assert [note["params"]["text"] for note in account.sandbox.world.notes.values()] == ["Хочу в субботу"]


def test_an_incoming_lead_is_changed_and_joined(account: Any) -> None:
    done = account.do("lead.create", {"name": "x"}, person=PERSON, marker="hub-7", event=submitted())
    account.do("lead.update", {"601002": "Бункер"}, id=done.id)
    deal = account.sandbox.world.unsorted[done.id]["leads"][0]
    assert account.field("leads", deal, 601002) == ["Бункер"]
    account.connector.attach("lead", done.id, "comment", "второе сообщение", "hub-8")
    assert [note["entity_id"] for note in account.sandbox.world.notes.values()] == [deal]


def test_accepting_and_declining(account: Any) -> None:
    one, two = (
        account.do("lead.create", {"name": name}, person=PERSON, marker=name, event=submitted()).id for name in "ab"
    )
    accepted = account.do("lead.accept", {"stage": "7100001/61000002", "user": "3000002"}, id=one)
    row = account.raw("leads", accepted.result["deal"])
    assert (row["status_id"], row["responsible_user_id"], row["unsorted"]) == (61000002, 3000002, False)
    assert ("deal", str(row["id"])) in accepted.links
    account.do("lead.decline", id=two)
    assert account.sandbox.world.unsorted == {}
    with pytest.raises(Gone):
        account.do("lead.accept", id=one)
    account.do("lead.accept", id=one, in_doubt_since=LONG_AGO)  # the doubtful try did it


def test_a_chat_is_joined_to_a_deal(account: Any) -> None:
    deal = account.do("deal.create", {"name": "x"}).id
    form = account.do("lead.create", {"name": "y"}, person=PERSON, marker="m", event=submitted()).id
    with pytest.raises(Refused, match="link works for chats"):
        account.do("lead.link", {"deal": deal}, id=form)
    chat = account.control("chat/incoming", text="Здравствуйте")["uid"]
    account.do("lead.link", {"deal": deal}, id=chat)
    assert chat not in account.sandbox.world.unsorted


# --- notes, calls, tasks ----------------------------------------------------------------------------


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


def test_a_call_whose_answer_was_lost_is_put_in_once(account: Any) -> None:
    account.contact()
    account.fault("lost_reply", "POST calls")
    call = {"phone": "+79161112233", "duration": "12"}
    with pytest.raises(Uncertain):
        account.do("call.create", call, marker="m")
    again = account.do("call.create", call, marker="m", in_doubt_since=LONG_AGO)
    assert [str(number) for number in account.sandbox.world.notes] == [again.id]


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


# --- companies, customers, catalogs, users, many ------------------------------------------------------


def test_companies_and_customers(account: Any) -> None:
    company = account.do("company.create", {"name": "ООО", "phone": "+74951112233", "603001": "Опт"}, marker="m").id
    assert account.connector.find("company", {"phone": "84951112233"})[0]["id"] == company
    customer = account.do("customer.create", {"name": "Постоянный", "next_price": "5000", "next_date": "2026-05-04"}).id
    account.do("customer.update", {"next_price": "6000"}, id=customer)
    assert account.raw("customers", customer)["next_price"] == 6000
    assert account.connector.get("customer", customer)["name"] == "Постоянный"


def test_catalogs_users_tags_and_bots(account: Any) -> None:
    made = account.do("element.create", {"catalog": "4521", "name": "Торт", "SKU": "T-1", "PRICE": "900"})
    [found] = account.connector.find("element", {"catalog": "4521", "SKU": "T-1"})
    assert (found["id"], found["extra"]["PRICE"]) == (made.id, "900")
    account.do("element.update", {"catalog": "4521", "PRICE": "950"}, id=made.id)
    assert account.connector.find("element", {"catalog": "4521", "name": "Торт"})[0]["extra"]["PRICE"] == "950"
    assert account.do("user.find", find={"email": "user3000002@example.com"}).id == "3000002"
    assert account.do("tag.create", {"name": "новый", "record": "contact"}).result["count"] == 1
    deal = account.do("deal.create", {"name": "x"}).id
    account.do("bot.run", {"bot": "17", "deal": deal})
    assert account.sandbox.api_calls == [{"salesbot": [{"bot_id": 17, "entity_id": int(deal), "entity_type": 2}]}]


def test_many_at_once_and_the_bad_ones_are_told(account: Any) -> None:
    rows: list[dict[str, Any]] = [{"name": f"n{place}", "601003": str(place)} for place in range(120)]
    rows[7]["601003"] = "много"
    rows[60]["stage"] = "7100001/61000001"
    done = account.do("batch.create", {"record": "deal", "rows": rows})
    assert done.result["count"] == 119
    [refused] = done.result["refused"]
    assert refused["row"] == 7
    assert account.sandbox.calls["POST leads"] == 3
    changed = [{"id": row["id"], "price": "5"} for row in done.result["rows"][:60]]
    account.fault("gateway", "PATCH leads")  # too slow for 50: sent in halves
    assert account.do("batch.update", {"record": "deal", "rows": changed}).result["count"] == 60
    assert account.sandbox.calls["PATCH leads"] == 4


def test_one_bad_item_of_a_batch_doesnt_poison_the_rest(account: Any) -> None:
    """amoCRM refuses the whole batch: what it names is left out, the rest is sent again."""
    account.do("deal.create", {"name": "x", "601002": "so that the fields are known"})
    account.sandbox.world.fields["leads"] = [
        one for one in account.sandbox.world.fields["leads"] if one["id"] != 601003
    ]
    done = account.do("batch.create", {"rows": [{"name": "a"}, {"name": "b", "601003": "1"}, {"name": "c"}]})
    assert [row["row"] for row in done.result["rows"]] == [0, 2]
    assert done.result["refused"][0]["row"] == 1
    assert "NotSupportedChoice" in done.result["refused"][0]["why"]


def test_any_call_by_its_name(account: Any) -> None:
    deal = account.do("deal.create", {"name": "x"}).id
    assert account.do("api", method=f"GET /api/v4/leads/{deal}").result["name"] == "x"
    account.do("api", {"body": {"name": "y"}}, method=f"PATCH leads/{deal}")
    assert account.raw("leads", deal)["name"] == "y"
    for method in ("", "GET ../../oauth2/access_token", "GET https://evil.example/"):
        with pytest.raises(Refused):
            account.do("api", method=method)
