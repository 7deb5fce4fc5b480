"""A contact that the hub made for somebody is theirs: events about it find the same person."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.hub.fakes import WORLDS, Box, form

YAML = """
hub: {timezone: Europe/Kyiv, region: UA, unrouted: ignore}
connections:
  chat: {plugin: source}
  crm: {plugin: source}
  store: {plugin: sink}
routes:
  - {name: chat becomes a contact, on: chat.form.submitted, do: store.contact.upsert, set: {NAME: contact.name}}
  - {name: moved, on: crm.deal.stage_changed, do: store.lead.create, set: {TITLE: person.chat.contact}}
"""


@pytest.fixture
def box(tmp_path: Path) -> Iterator[Box]:
    box = Box(tmp_path, YAML).start()
    yield box
    box.close()


def chat(handle: str) -> dict[str, object]:
    event = form(phone=None)
    event["record"]["contact"] |= {"id": handle, "handle": handle, "handles": {"chat": handle}}
    return event


def test_an_event_about_a_linked_contact_is_of_the_same_person(box: Box) -> None:
    box.send(chat("4711"), to="chat")
    box.settle()
    [made] = WORLDS["store"].of("contact")
    with box.store.write() as db:  # as if the CRM had been `store`: what was made there is linked to the person
        person = box.events()[0]["person"]
        pair = (("hub", "person", str(person)), ("crm", "contact", made["id"]))
        from hub.store import work

        work.add_links(db, [pair])
    deal = {"type": "deal.stage_changed", "subject": "deal:5", "record": {
        "deal": {"id": "5", "stage": "won"}, "contact": {"id": made["id"], "phone": "+380671112233",
                                                         "phones": ["+380671112233"]}}}  # fmt: skip
    box.send(deal, to="crm")
    box.settle()
    assert {event["person"] for event in box.events()} == {person}
    [lead] = WORLDS["store"].of("lead")
    assert lead["TITLE"] == "4711"
    with box.store.read() as db:
        keys = {tuple(row) for row in db.rows("SELECT kind, value FROM person_key")}
    assert {("crm.contact", str(made["id"])), ("phone", "+380671112233"), ("handle", "chat:4711")} <= keys


def test_an_unlinked_contact_is_a_person_of_its_own(box: Box) -> None:
    box.send(chat("4711"), to="chat")
    deal = {"type": "deal.stage_changed", "subject": "deal:5", "record": {"deal": {"id": "5"}, "contact": {"id": "9"}}}
    box.send(deal, to="crm")
    box.settle()
    assert len({event["person"] for event in box.events()}) == 2


def test_a_path_to_the_person_has_the_contact_read(box: Box) -> None:
    assert "contact" in box.runtime.needs("crm", "deal")
