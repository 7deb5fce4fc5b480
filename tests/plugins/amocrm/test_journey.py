"""The hub and the stand-in over HTTP: the quest company's day, and what goes wrong in it."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
import requests

from hub import outcome
from hub.consent import lift_hold
from hub.reasons import remedy, say
from tests.plugins.amocrm.place import Place


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """What failed is tried again soon."""
    monkeypatch.setattr(outcome, "BACKOFF", (0.2, 0.4, 0.8))


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


def test_a_new_person_is_searched_once_by_each_key(place: Place) -> None:
    """To join an open deal, to find the contact, to make it: three questions, one look at the account for all."""
    place.form(email="anna@example.com", comment="первый")
    place.settle()
    assert {call: n for call, n in place.crm.calls.items() if call in ("GET contacts", "GET leads/unsorted")} == {
        "GET contacts": 2, "GET leads/unsorted": 1,
    }  # fmt: skip
    place.form("Анна", email="anna@example.com", comment="второй")  # known by its link by now
    place.settle()
    assert place.crm.calls["GET contacts"] == 2
    assert (len(place.records("contacts")), len(place.records("leads"))) == (1, 1)


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
@pytest.mark.parametrize("match", ["POST leads", "POST leads/notes", "POST contacts", "POST tasks"])
def test_a_lost_answer_makes_nothing_twice(places: Callable[..., Place], match: str, connected: bool) -> None:
    """P4, with the marker's field and without it."""
    place = places().start()
    if connected:
        place.connect()
    place.fault("lost_reply", match)
    place.form(comment="Хочу в субботу")
    place.settle()
    assert (len(place.records("contacts")), len(place.records("leads"))) == (1, 1)
    assert len(place.crm.world.notes) == 1
    assert len(place.crm.world.tasks) == int(connected)


@pytest.mark.parametrize("fault", ["rate_limit", "gateway", "forbidden"])
def test_a_note_that_fails_makes_no_second_deal(place: Place, fault: str) -> None:
    """P4, an act of two calls: the deal is made, the note is told to wait, gets lost, is refused (once)."""
    place.fault(fault, "POST leads/notes")
    place.form(comment="Хочу в субботу")
    place.settle()
    assert len(place.records("leads")) == 1
    [note] = place.crm.world.notes.values()
    assert "Хочу в субботу" in note["params"]["text"]
    [(reason,)] = place.rows("SELECT reason FROM delivery WHERE action = 'deal.upsert' AND state = 'done'")
    assert "found_by_marker" in reason


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


def still(place: Place) -> bool:
    """Return whether nothing is under way: no webhook, no request to be read, no call."""
    asked = ("SELECT count(*) FROM line WHERE lease IS NOT NULL", "SELECT count(*) FROM receipt WHERE state = 'new'")
    return place.crm.wait_hooks() and all(place.rows(one) == [(0,)] for one in asked)


def test_the_block_stops_everything_at_once_and_says_what_to_do(place: Place) -> None:
    """What was under way when the block came meets it too, once each; after that nothing goes out."""
    place.fault("blocked", "POST leads")
    place.form()
    place.until(lambda: place.rows("SELECT 1 FROM alert WHERE kind = 'alert_auth'"))
    place.until(lambda: still(place))
    [(params,)] = place.rows("SELECT params FROM alert WHERE kind = 'alert_auth' AND closed_at IS NULL")
    told = json.loads(params)
    assert "amoCRM's support alone" in told["why"]
    assert "redentials" not in say("alert_auth", told)
    assert remedy("alert_auth", told).startswith("Write to the vendor's support; no credentials and no setting help")
    calls = sum(place.crm.calls.values())
    place.form("Борис", "+79260000001")
    place.until(lambda: len(place.rows("SELECT 1 FROM delivery")) == 2)
    time.sleep(0.3)  # long enough for a call that should not come
    assert sum(place.crm.calls.values()) == calls
    assert place.rows("SELECT state, tries FROM delivery") == [("ready", 0), ("ready", 0)]


# --- looking after the connection -------------------------------------------------------------------------


def test_a_webhook_that_was_switched_off_is_put_back_and_an_alert_says_so(place: Place) -> None:
    """P10."""
    place.connector._watching.callback = f"{place.url}/in/amo"
    place.control("hooks/disable")
    place.poll()
    # The poll at the start may have told already that it knew of no webhook.
    told = "SELECT params FROM alert WHERE kind = 'alert_found' AND closed_at IS NULL"
    place.until(lambda: any("switched the webhook off" in params for (params,) in place.rows(told)))
    [hook] = place.crm.hooks.rows
    assert hook["disabled"] is False
    place.form()
    place.settle()
    assert "deal.created" in place.told()


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
    place.until(lambda: place.records("leads"))  # at once: nobody waits for the next look at a held connection


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
    # the place writes its secrets into the file, which is a warning of its own
    assert [str(note) for note in place.config.notes if "this secret stands" not in note.text] == []
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
    page, browser = place.begin_consent("amo")
    back = requests.get(page, allow_redirects=False, timeout=5).headers["location"]
    answer = requests.get(f"{place.url}/oauth/amo?{back.partition('?')[2]}", headers=browser, timeout=5)
    assert (answer.status_code, "connected" in answer.text) == (200, True)
    assert place.connector.get("user", "3000001")["name"] == "Управляющий"
    again = requests.get(f"{place.url}/oauth/amo?{back.partition('?')[2]}", headers=browser, timeout=5)
    assert (again.status_code, "hub connect amo" in again.text) == (403, True)


def test_the_farewell_becomes_an_event(place: Place) -> None:
    """The integration is switched off in the account: signed, kept, told; the next call holds the connection."""
    assert place.control("disconnect", url=f"{place.url}/in/amo") == {"status": 200}
    place.settle()
    assert "connection.changed" in place.told()
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
