"""The hub and the stand-in over HTTP: the quest company's day, and what goes wrong in it."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import requests

from hub.model import Action
from hub.web import lift_hold
from tests.plugins.amocrm.place import Place


@pytest.fixture
def places(tmp_path: Path) -> Iterator[Callable[..., Place]]:
    """Make places of one's own wish; not started."""
    made: list[Place] = []

    def make(**options: Any) -> Place:
        made.append(Place(tmp_path / str(len(made)), **options))
        return made[-1]

    yield make
    for one in made:
        one.close()


@pytest.fixture
def place(places: Callable[..., Place]) -> Place:
    return places().start().connect()


def events(place: Place) -> list[str]:
    """Return the events that were news, in order."""
    sql = "SELECT type FROM event WHERE state = 'planned' AND connection = 'amo' ORDER BY id"
    return [row[0] for row in place.rows(sql)]


# --- requests ----------------------------------------------------------------------------------------


def test_a_request_becomes_contact_deal_note_and_task(place: Place) -> None:
    assert place.form(comment="Хочу в субботу", quest="Замок", utm_source="vk", utm_campaign="may") == 200
    place.settle()
    [contact] = place.records("contacts")
    [deal] = place.records("leads")
    assert contact["name"] == "Анна"
    assert place.field(contact, 600101) == "+79161112233"
    assert (deal["name"], deal["status_id"]) == ("Site: Анна", 61000001)
    assert [place.field(deal, number) for number in (601002, 601004, 601005, 601006)] == ["Замок", "site", "vk", "may"]
    assert [link["to_entity_id"] for link in place.crm.world.links] == [contact["id"]]
    [note] = place.crm.world.notes.values()
    assert "Хочу в субботу" in note["params"]["text"]
    [task] = place.crm.world.tasks.values()
    assert (task["entity_id"], task["responsible_user_id"]) == (deal["id"], 3000002)


def test_the_second_request_joins_the_open_deal(place: Place) -> None:
    place.form(comment="первый")
    place.settle()
    place.form(phone="8 916 111-22-33", comment="второй")
    place.settle()
    assert len(place.records("contacts")) == 1
    assert len(place.records("leads")) == 1
    assert "второй" in [note["params"]["text"] for note in place.crm.world.notes.values()][-1]


def test_the_second_request_joins_the_incoming_lead(places: Callable[..., Place]) -> None:
    """One that waits to be accepted is no deal yet; its text goes to the deal it will become."""
    routes = """
  - name: a request waits
    on: site.form.submitted
    do: amo.lead.create
    attach: {to: [open deal, open lead], within: 30d, as: note}
    set: {name: Заявка, quest: form.quest}
"""
    place = places(routes=routes).start().connect()
    place.form(quest="Замок")
    place.settle()
    place.form(comment="второй")
    place.settle()
    [lead] = place.crm.world.unsorted.values()
    [deal] = place.records("leads")
    assert place.field(deal, 601002) == "Замок"
    [note] = place.crm.world.notes.values()
    assert (note["entity_id"], "второй" in note["params"]["text"]) == (lead["leads"][0], True)


def test_many_requests_of_one_person_at_once_make_one_contact(place: Place) -> None:
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(lambda n: place.form(comment=f"number {n}"), range(8))) == [200] * 8
    place.settle()
    assert len(place.records("contacts")) == 1
    assert len(place.records("leads")) == 1


# --- one effect --------------------------------------------------------------------------------------


@pytest.mark.parametrize("connected", [True, False], ids=["marker", "trace"])
@pytest.mark.parametrize("match", ["POST leads", "POST contacts", "POST tasks"])
def test_a_lost_answer_makes_nothing_twice(places: Callable[..., Place], match: str, connected: bool) -> None:
    """P4, with the marker's field and without it."""
    place = places().start()
    if connected:
        place.connect()
    place.fault("lost_reply", match)
    place.form()
    place.settle()
    assert (len(place.records("contacts")), len(place.records("leads"))) == (1, 1)
    assert len(place.crm.world.tasks) == int(connected)


def test_a_sick_account_is_waited_for(place: Place) -> None:
    place.fault("gateway", "GET contacts")
    place.form()
    place.settle(30)
    assert len(place.records("leads")) == 1


def test_too_many_calls_use_up_no_try(place: Place) -> None:
    """P8."""
    place.fault("rate_limit", "POST leads", times=2)
    place.form()
    place.settle(30)
    assert len(place.records("leads")) == 1
    [(state, tries)] = place.rows("SELECT state, tries FROM delivery WHERE action = 'deal.upsert'")
    assert (state, tries) == ("done", 1)


def test_the_block_stops_everything_at_once_and_says_what_to_do(place: Place) -> None:
    place.fault("blocked", "POST leads")
    place.form()
    place.until(lambda: place.rows("SELECT 1 FROM alert WHERE kind = 'alert_auth'"))
    [(params,)] = place.rows("SELECT params FROM alert WHERE kind = 'alert_auth' AND closed_at IS NULL")
    assert "amoCRM's support" in params
    calls = sum(place.crm.calls.values())
    place.form("Борис", "+79260000001")
    place.until(lambda: len(place.rows("SELECT 1 FROM delivery")) == 2)
    time.sleep(0.3)  # long enough for a call that should not come
    assert sum(place.crm.calls.values()) == calls
    assert place.rows("SELECT state, tries FROM delivery") == [("ready", 0), ("ready", 0)]


# --- what the account tells ------------------------------------------------------------------------------


def test_one_move_of_a_deal_is_one_event(place: Place) -> None:
    """A move arrives as update and as status; the deal is read and told once, with where it came from."""
    place.form()
    place.settle()
    [deal] = place.records("leads")
    before = len(events(place))
    place.act("PATCH", f"leads/{deal['id']}", {"status_id": 142, "pipeline_id": 7100001})
    place.settle()
    assert [type_ for type_ in events(place)[before:] if type_.startswith("deal.")] == [
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
    assert events(place).count("deal.created") == 1
    assert "deal.updated" not in events(place)
    place.form(comment="again")
    place.settle()
    assert "deal.updated" not in events(place)
    assert "deal.stage_changed" not in events(place)


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
    before = events(place)
    assert {"note.added", "message.received", "deal.created", "contact.created"} <= set(before)
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    for sent in list(place.crm.hooks.sent):
        assert requests.post(sent.destination, data=sent.body, headers=headers, timeout=5).status_code == 200
    place.settle()
    assert events(place) == before
    place.poll()  # and the feed tells of the same once more
    place.settle()
    assert [one for one in events(place) if not one.startswith("vendor.")] == before


def test_what_the_webhook_missed_the_poll_finds(place: Place) -> None:
    """A lost webhook is found in the feed of events, and one that came is not told again."""
    place.form()
    place.settle()
    place.poll()
    place.settle()
    [deal] = place.records("leads")
    before = len(events(place))
    place.fault("drop_event", "_lead", times=50)
    place.act("PATCH", f"leads/{deal['id']}", {"status_id": 142, "pipeline_id": 7100001})
    place.act("POST", f"leads/{deal['id']}/notes", [{"note_type": "common", "params": {"text": "тихо"}}])
    place.settle()
    assert len(events(place)) == before
    place.poll()
    place.until(lambda: "deal.stage_changed" in events(place)[before:] and "note.added" in events(place)[before:])
    place.settle()
    after = list(events(place))
    place.poll()
    place.settle()
    assert events(place) == after


def test_an_incoming_lead_is_accepted(place: Place) -> None:
    """A chat in a channel of the account: the incoming lead, its message, and the deal that comes of it."""
    place.control("chat/incoming", text="Здравствуйте", name="Вера", origin="telegram")
    place.settle()
    assert place.crm.world.unsorted == {}
    [deal] = place.records("leads")
    assert deal["status_id"] == 61000002
    told = events(place)
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


# --- looking after the connection -------------------------------------------------------------------------


def test_a_webhook_that_was_switched_off_is_put_back_and_an_alert_says_so(place: Place) -> None:
    """P10."""
    place.connector._watching.callback = f"{place.url}/in/amo"
    place.control("hooks/disable")
    place.poll()
    place.until(lambda: place.rows("SELECT 1 FROM alert WHERE kind = 'alert_found'"))
    [hook] = place.crm.hooks.rows
    assert hook["disabled"] is False
    [(params,)] = place.rows("SELECT params FROM alert WHERE kind = 'alert_found' AND closed_at IS NULL")
    assert "switched the webhook off" in params
    place.form()
    place.settle()
    assert "deal.created" in events(place)


def test_an_expired_token_is_refreshed_exactly_once(places: Callable[..., Place]) -> None:
    """P11: four workers meet the same expired token; one of them refreshes it, and it is stored before its use."""
    place = places(oauth=True, workers=4)
    place.connector.tokens.store({**place.crm.access.pair(), "expires_at": time.time() + 86_400})
    place.start()
    place.crm.access.expire()
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda n: place.form(f"Client {n}", f"+791611100{n:02}"), range(16)))
    place.settle(40)
    assert len(place.records("leads")) == 16
    assert place.crm.calls["POST oauth2/access_token"] == 1
    assert place.crm.access.counters["refreshed"] == 1
    fresh = place.connector.tokens.read()
    assert fresh is not None
    for path in sorted((place.folder / "data").iterdir()):
        for token in (fresh["access_token"], fresh["refresh_token"]):
            assert token.encode() not in path.read_bytes(), path


def test_the_lost_answer_to_a_refresh_holds_the_connection_in_words(places: Callable[..., Place]) -> None:
    """The refresh token is spent and its answer lost: one alert says to give consent, nothing is lost meanwhile."""
    place = places(oauth=True)
    place.connector.tokens.store({**place.crm.access.pair(), "expires_at": time.time() + 86_400})
    place.start()
    place.crm.access.expire()
    place.fault("lost_reply", "oauth2")
    place.form()
    place.until(lambda: place.rows("SELECT 1 FROM alert WHERE kind = 'alert_auth'"), within=30)
    [(params,)] = place.rows("SELECT params FROM alert WHERE kind = 'alert_auth'")
    assert "Give consent once more" in params
    assert place.crm.access.counters["refreshed"] == 1
    place.connector.tokens.store(place.crm.access.pair())
    lift_hold(place.runtime, "amo")
    place.until(lambda: place.records("leads"), within=90)


def test_secrets_are_nowhere_to_be_read(place: Place, caplog: pytest.LogCaptureFixture) -> None:
    """P13."""
    caplog.set_level(logging.DEBUG)
    place.fault("forbidden", "POST leads")
    place.fault("outage", "GET contacts")
    place.form()
    place.form("Борис", "+79260000001")
    place.settle(30)
    store = b"".join(path.read_bytes() for path in sorted((place.folder / "data").iterdir()) if path.is_file())
    for secret in place.secrets:
        assert secret.encode() not in store, secret
        assert not [one for one in caplog.records if one.name.startswith("hub") and secret in one.getMessage()]


def test_the_routes_of_the_recipe_load(places: Callable[..., Place]) -> None:
    place = places()
    assert [str(note) for note in place.config.notes] == []
    assert [route.off for route in place.config.routes if route.off] == []


BOOKING = """
  - name: a booking from an aggregator
    on: site.form.submitted
    steps:
      - do: amo.deal.find
        find: {quest: form.quest, game_at: form.at, stage: [booked, played]}
        missing: skip
        as: taken
      - when: {taken: present, taken.booking: {not: form.number}}
        stop: slot taken
      - do: amo.deal.upsert
        find: {booking: form.number}
        missing: create
        set: {name: "Мир Квестов: {{ form.quest }}", status: booked, price: form.amount, game_at: form.at,
          quest: form.quest, players: form.players, booking: form.number, channel: {value: mir-kvestov.ru}}
  - name: a bounce is marked
    on: site.form.submitted
    when: {form.kind: bounce}
    do: amo.contact.upsert
    find: person
    missing: skip
    set: {unsubscribed: {from: form.kind, map: {bounce: yes, other: leave}}}
"""


def test_a_booking_finds_its_slot_and_its_deal(places: Callable[..., Place]) -> None:
    """D1: the slot is looked up by quest, time and stage; the same booking again changes its deal."""
    place = places(routes=BOOKING).start().connect()
    game = {"quest": "Замок", "at": "2026-05-04T18:30:00+03:00", "amount": "4500", "players": "4"}
    place.form(**game, number="MK-17")
    place.settle()
    place.form(**{**game, "players": "5"}, number="MK-17")
    place.settle()
    place.form("Борис", "+79260000001", **game, number="MK-18")
    place.settle()
    [deal] = place.records("leads")
    assert (deal["status_id"], deal["price"], place.field(deal, 601003)) == (61000003, 4500, "5")
    assert place.field(deal, 601001) == 1777908600
    assert place.rows("SELECT count(*) FROM delivery WHERE reason LIKE '%slot taken%'") == [(1,)]


def test_a_mark_on_the_persons_contact(places: Callable[..., Place]) -> None:
    """D5: found by phone; nobody is made for it."""
    place = places(routes=BOOKING).start().connect()
    phones = [{"field_code": "PHONE", "values": [{"value": "8 916 111-22-33", "enum_code": "MOB"}]}]
    place.act("POST", "contacts", [{"name": "Анна", "custom_fields_values": phones}])
    place.settle()
    place.form(kind="bounce", quest="-", number="-")
    place.settle()
    marked = [place.field(row, 602002) for row in place.records("contacts") if row["name"] == "Анна"]
    assert True in marked


def test_consent_is_given_through_the_hubs_own_page(places: Callable[..., Place]) -> None:
    """The browser goes hub -> amoCRM -> hub; the code becomes tokens, once."""
    place = places(oauth=True)
    begun = requests.get(f"{place.url}/oauth/amo", allow_redirects=False, timeout=5)
    back = requests.get(begun.headers["location"], allow_redirects=False, timeout=5).headers["location"]
    answer = requests.get(f"{place.url}/oauth/amo?{back.partition('?')[2]}", timeout=5)
    assert (answer.status_code, "connected" in answer.text) == (200, True)
    assert place.connector.get("user", "3000001")["name"] == "Управляющий"
    again = requests.get(f"{place.url}/oauth/amo?{back.partition('?')[2]}", timeout=5)
    assert (again.status_code, "revoked" in again.text) == (502, True)


def test_the_farewell_becomes_an_event(place: Place) -> None:
    """The integration is switched off in the account: signed, kept, told; the next call holds the connection."""
    assert place.control("disconnect", url=f"{place.url}/in/amo") == {"status": 200}
    place.settle()
    assert "connection.changed" in events(place)
    place.form()
    place.until(lambda: place.rows("SELECT 1 FROM alert WHERE kind = 'alert_auth'"))


def test_an_answer_the_hub_brought_in_is_no_news(places: Callable[..., Place]) -> None:
    """P7: what a colleague said elsewhere is brought into amoCRM; its webhook about that message is an echo."""
    routes = """
  - name: an answer given elsewhere stands in amoCRM too
    on: site.form.submitted
    do: amo.message.send
    set: {conversation: form.number, text: event.text, client: anna, name: contact.name, by: "3000002"}
"""
    place = places(routes=routes).start().connect()
    place.form(number="insta-17", comment="900")
    place.settle()
    [told] = place.crm.amojo.messages
    for number in (told["id"], "11111111-0000-4000-8000-000000000001"):
        message = {"id": number, "text": "900", "author": {"type": "internal", "id": "x"}, "origin": "our"}
        place.crm.hooks.tell("outgoing_message", "add", [message])
    place.settle()
    states = place.rows("SELECT subject, state FROM event WHERE type = 'message.sent' ORDER BY id")
    assert [state for _, state in states] == ["echo", "planned"]
