"""Incoming leads (unsorted) against the stand-in: made, changed, accepted, declined, joined."""

from __future__ import annotations

from typing import Any

import pytest

from hub.errors import Gone, Refused, Uncertain
from tests.plugins.amocrm.conftest import LONG_AGO, PERSON, submitted


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


def test_a_call_becomes_an_incoming_lead(account: Any) -> None:
    values = {"phone": "+79990000000", "duration": "12", "recording": "https://x/rec.mp3", "name": "Звонок"}
    done = account.do("lead.create_call", {**values, "pipeline": "7100002"}, marker="hub-9", event=submitted())
    raw = account.sandbox.world.unsorted[done.id]
    assert (raw["category"], raw["source_uid"], raw["pipeline_id"]) == ("sip", "hub-9", 7100002)
    told = raw["metadata"]
    assert (told["phone"], told["duration"], told["link"], told["uniq"]) == (
        "+79990000000", 12, "https://x/rec.mp3", "hub-9",
    )  # fmt: skip
    assert told["called_at"] == int(LONG_AGO.timestamp())
    assert account.raw("leads", raw["leads"][0])["name"] == "Звонок"
    assert account.field("contacts", raw["contacts"][0], 600101) == ["+79990000000"]
    assert (done.result["category"], done.result["phone"]) == ("sip", "+79990000000")
    with pytest.raises(Refused, match="already exists"):  # amoCRM refuses the identical one
        account.do("lead.create_call", {**values, "pipeline": "7100002"}, marker="hub-9", event=submitted())
    assert list(account.sandbox.world.unsorted) == [done.id]
    with pytest.raises(Refused, match="is no id"):
        account.do("lead.create_call", {**values, "duration": "минута"}, marker="hub-10")


def test_a_call_whose_answer_was_lost_waits_once(account: Any) -> None:
    """The marker is its source_uid, by which the hub finds the earlier try."""
    account.fault("lost_reply", "POST leads/unsorted/sip")
    with pytest.raises(Uncertain):
        account.do("lead.create_call", {"phone": "+79990000000"}, marker="hub-9")
    [found] = account.connector.find("lead", {"marker": "hub-9", "since": LONG_AGO.timestamp()})
    assert (found["category"], found["id"]) == ("sip", next(iter(account.sandbox.world.unsorted)))


def test_listing_incoming_leads(account: Any) -> None:
    form = account.do("lead.create", {"name": "x"}, person=PERSON, marker="m-1", event=submitted()).id
    call = account.do("lead.create_call", {"phone": "+79990000000"}, marker="m-2").id
    for by, ids in (
        ({"open": True}, {form, call}),
        ({"category": "sip"}, {call}),
        ({"phone": "89161112233"}, {form}),
        ({"email": "anna@example.com"}, {form}),
        ({"pipeline": "7100002"}, set()),
    ):
        told = account.do("lead.list", find=by).result
        assert ({row["id"] for row in told["rows"]}, told["count"]) == (ids, len(ids)), by
    account.do("lead.accept", id=form)
    assert [row["id"] for row in account.do("lead.list", find={"open": True}).result["rows"]] == [call]
    with pytest.raises(Refused, match="needs a condition"):
        account.do("lead.list")
