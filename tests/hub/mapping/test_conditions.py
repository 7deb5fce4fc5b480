"""`when`, test by test, and the words for what failed."""

from __future__ import annotations

import time

import pytest

from hub.model import Owned
from tests.hub.mapping.conftest import NOW, event


@pytest.mark.parametrize(
    ("text", "ok"),
    [
        ("{deal.stage: to_ship}", True),
        ("{deal.stage: 'C5:PREPARATION'}", True),
        ("{deal.stage: [won, to_ship]}", True),
        ("{deal.stage: won}", False),
        ("{deal.was.stage: 'C5:NEW'}", True),
        ("{deal.stage: {not: won}}", True),
        ("{deal.stage: {not: [won, to_ship]}}", False),
        ("{deal.ttn: present}", True),
        ("{deal.ttn: absent}", False),
        ("{form.comment: absent}", True),
        ("{company.title: absent}", True),
        ("{company.title: {not: present}}", True),
        ("{contact.phone: valid, contact.email: valid, form.phone: valid}", True),
        ("{form.city: valid}", False),
        ("{deal.goods: valid}", False),
        ("{deal.amount: {above: 1500, below: 1501}}", True),
        ("{deal.amount: {above: 1500.50}}", False),
        ("{deal.amount: {at_least: 1500.5, at_most: '1500,50'}}", True),
        ("{deal.amount: 1500.5}", True),
        ("{deal.amount: {above: deal.ttn}}", False),
        ("{form.city: {above: 5}}", False),
        ("{form.comment: {below: 5}}", False),
        ("{event.at: {below: now}}", True),
        ("{event.at: {above: now}}", False),
        ("{event.at: {above: 2026-11-23}}", True),
        ("{event.at: {at_least: '23.11.2026 09:00'}}", True),
        ("{event.text: {contains: ELL}}", True),
        ("{event.text: {contains: x}}", False),
        ("{deal.goods: {contains: soap}}", True),
        ("{deal.goods: {contains: oap}}", False),
        ("{deal.goods: cream}", True),
        ("{contact.tags: vip}", True),
        ("{event.text: {like: '^h.llo$'}}", True),
        ("{event.text: {like: '^(so|yes)'}}", False),
        ("{deal.ttn: {changed: yes}, deal.stage: {changed: yes}}", True),
        ("{deal.title: {changed: yes}}", False),
        ("{deal.title: {changed: no}}", True),
        ("{deal.id: form.number}", False),
        ("{contact.id: deal.contact}", True),
        ("{deal.closed: no}", True),
        ("{person.blocked: no}", True),
        ("{person.known: no}", False),
        ("{any: [{deal.stage: won}, {deal.ttn: present}]}", True),
        ("{any: [{deal.stage: won}, {deal.ttn: absent}]}", False),
        ("{not: {deal.stage: won, deal.ttn: absent}}", True),
        ("{not: {deal.stage: won, deal.ttn: present}}", False),
        ("{not: [{deal.stage: won}]}", True),
        ("[{deal.stage: to_ship}, {deal.ttn: present}]", True),
        ("[{deal.stage: to_ship}, {deal.ttn: absent}]", False),
        ("{field: deal.stage, is: to_ship}", True),
        ("[{field: deal.stage, is: {not: to_ship}}]", False),
        ("{deal.contact: contact.id}", True),
    ],
)
def test_condition(verdict, text, ok):
    person = {"id": "1", "known": True}
    found = verdict(text, person=person)
    assert found.ok is ok
    assert bool(found.because) is not ok


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{deal.ttn: absent}", "deal.ttn is present, should be absent"),
        ("{form.comment: present}", "form.comment is absent, should be present"),
        (
            "{deal.ttn: present, deal.stage: [won, shipped]}",
            "deal.stage is to_ship (C5:PREPARATION), should be one of won, shipped",
        ),
        ("{deal.amount: {above: 2000}}", "deal.amount is 1500.50, should be above 2000"),
        ("{event.text: {like: '^x'}}", "event.text is hello, should be like /^x/"),
        ("{deal.title: {changed: yes}}", "deal.title is Order, should be changed by this event"),
        ("{not: {deal.ttn: present}}", "deal.ttn is 2040, should be not present"),
        ("{deal.stage: {not: to_ship}}", "deal.stage is to_ship (C5:PREPARATION), should be not to_ship"),
        ('{deal.stage: "C5:WON"}', "deal.stage is to_ship (C5:PREPARATION), should be won (C5:WON)"),
        (
            '{deal.stage: ["C5:WON", "C9:ELSE"]}',
            "deal.stage is to_ship (C5:PREPARATION), should be one of won (C5:WON), C9:ELSE",
        ),
        (
            "{any: [{deal.stage: won}, {form.comment: present}]}",
            "deal.stage is to_ship (C5:PREPARATION), should be won",
        ),
    ],
)
def test_because(verdict, text, words):
    found = verdict(text)
    assert found.because == words
    assert found.reason.code == "condition"
    assert set(found.reason.params) == {"path", "value", "test"}


def test_all_checks_are_told(verdict):
    found = verdict("{deal.ttn: absent, deal.stage: to_ship, contact.phone: valid}")
    assert [(check.path, check.test, check.ok) for check in found.checks] == [
        ("deal.ttn", "absent", False),
        ("deal.stage", "to_ship", True),
        ("contact.phone", "valid", True),
    ]


def test_stage_words_are_those_of_the_records_connection(verdict):
    other = event(connection="nova")
    assert not verdict("{deal.stage: to_ship}", event=other).ok
    assert verdict(
        "{deal.stage: to_ship}",
        event=event(record={"deal": Owned({**event().record["deal"], "_connection": "crm"})}, connection="nova"),
    ).ok
    assert not verdict(
        "{deal.stage: to_ship}",
        event=event(record={"deal": {**event().record["deal"], "_connection": "crm"}}, connection="nova"),
    ).ok, "what came from outside doesn't say whose words it is in"


def test_changed_looks_at_the_events_own_record_alone(verdict):
    assert not verdict("{contact.name: {changed: yes}}", event=event(was={"name": "Olha"})).ok
    assert not verdict("{deal.ttn: {changed: yes}}", event=event(was={})).ok
    assert not verdict("{deal.ttn: {changed: yes}}", event=event(was={"UF_CRM_1730000001": "2040"})).ok


def test_a_pattern_cannot_be_kept_busy(verdict):
    long = event(text="a" * 100_000 + "!")
    began = time.monotonic()
    assert not verdict("{event.text: {like: 'a*a*a*b'}}", event=long).ok
    assert not verdict("{event.text: {like: '.*,.*,x'}}", event=long).ok
    assert time.monotonic() - began < 30  # a guard against hanging, not a figure


def test_look_up_of_the_route_may_be_tested(tmp_path, scope):
    from tests.hub.config.fakes import read, route

    body = (
        "on: crm.deal.updated\nlook_up: {table: limits, where: {stage: deal.stage}, as: limit}\n"
        "when: {limit: present, limit.hours: {above: 2}}\ndo: crm.comment.create\nset: {COMMENT: limit.title}"
    )
    text = route(body) + 'tables: {limits: [{stage: "C5:PREPARATION", hours: "3", title: pack it}]}\n'
    one = read(tmp_path, text).routes[0]
    assert one.check(scope()).ok
    other = event(record={"deal": {"stage": "C5:WON"}})
    assert one.check(scope(other)).because == "limit is absent, should be present"
    results = {"limit": one.steps[0].look_up.run(scope())}
    assert one.steps[1].set.evaluate(scope(results=results)) == {"COMMENT": "pack it"}
    assert NOW.tzinfo is not None
