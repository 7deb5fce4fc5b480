"""The values of `set`, form by form."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from hub.errors import Refused
from hub.model import Owned
from hub.paths import ABSENT, Scope
from hub.plugins import Plugins
from tests.hub.config.fakes import Bitrix, Form, Insta, Nova
from tests.hub.mapping.conftest import NOW, event


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("contact.phone", "+380671234567"),
        ("deal.ttn", "2040"),
        ("deal.UF_CRM_1730000003", "Lviv"),
        ("deal.was.stage", "C5:NEW"),
        ("deal.goods", ["soap", "cream"]),
        ("event.at", "2026-11-23T07:00:00+00:00"),
        ("event.type", "deal.updated"),
        ("form.size", "small"),
        ("form.fields.wishes", "fast"),
        ("form.comment", None),
        ("form.nothing", None),
        ("company.title", None),
        ("WEB", "WEB"),
        ("C5:WON", "C5:WON"),
        ("142", "142"),
        ("now", "now"),
        ("contact", "contact"),
        ("leave", None),
        ("''", None),
        ("{value: deal.ttn}", "deal.ttn"),
        ("{value: ''}", ""),
        ("{text: deal.ttn}", "deal.ttn"),
        ("'{{ contact.name }}: {{ deal.ttn }}'", "Anna Koval: 2040"),
        ("{text: '{{ contact.name }}'}", "Anna Koval"),
        ("'{{ company.title }}'", None),
        ("{from: form.city, via: [strip]}", "Kyiv"),
        ("{from: form.city, via: [strip, upper, {truncate: 3}]}", "KY…"),
        ("{from: form.city, via: strip}", "Kyiv"),
        ("{from: form.comment, default: none given}", "none given"),
        ("{from: form.comment, default: contact.name}", "Anna Koval"),
        ("{from: form.comment}", None),
        ("{from: event.channel, map: {email: EMAIL, form: WEB, other: OTHER}}", "WEB"),
        ("{from: event.channel, map: {email: EMAIL, other: OTHER}}", "OTHER"),
        ("{from: event.channel, map: {email: EMAIL}}", None),
        ("{from: event.channel, map: {email: EMAIL, other: leave}}", None),
        ("{from: event.channel, map: {email: EMAIL}, default: NONE}", "NONE"),
        ("{first: [form.comment, company.title, event.text]}", "hello"),
        ("{first: [form.comment, company.title], default: x}", "x"),
        ("{first: [form.comment]}", None),
        ("{from: event.text, when: {event.connection: crm}}", "hello"),
        ("{from: event.text, when: {event.connection: calls}}", None),
        ("{value: x, when: {deal.ttn: absent}}", None),
        (
            "{id: deal.id, to: {name: contact.name, none: form.comment}, list: [deal.ttn, form.comment, x]}",
            {"id": "55", "to": {"name": "Anna Koval"}, "list": ["2040", "x"]},
        ),
        ("[{call: form.comment}, {id: deal.id}, withoutSource]", [{"id": "55"}, "withoutSource"]),
        ("{from: deal.amount, via: [money]}", "1500.50"),
        ("{from: deal.amount, via: [number]}", "1500.5"),
        ("{from: deal.amount, via: [int]}", 1500),
        ("{from: form.phone, via: [phone]}", "+380671234567"),
        ("{from: form.phone, via: [digits]}", "0671234567"),
        ("{from: form.city, via: [phone], default: no phone}", "no phone"),
        ("{from: contact.email, via: [email]}", "a@b.example"),
        ("{from: deal.goods, via: [upper, {join: ' + '}]}", "SOAP + CREAM"),
        ("{from: deal.goods, via: [first]}", "soap"),
        ("{from: contact.name, via: [{split: ' '}, last]}", "Koval"),
        ("{from: contact.name, via: [{replace: [Anna, Olha]}]}", "Olha Koval"),
        ("{from: contact.name, via: [first_word]}", "Anna"),
        ("{from: event.at, via: [{date: '%d.%m.%Y %H:%M'}]}", "23.11.2026 09:00"),
        ("{from: event.at, via: [{plus: 1d}, {date: '%d.%m'}]}", "24.11"),
        ("{from: event.at, via: [unix]}", "1795417200"),
        ("{from: contact.email, via: [md5]}", "4dabab98c5a92cf30b8b3bc4ed6e2a27"),
    ],
)
def test_value(value, text, expected):
    if text.endswith("[md5]}"):
        import hashlib

        expected = hashlib.md5(b"a@b.example", usedforsecurity=False).hexdigest()
    assert value(text) == expected


def test_keys_of_ours_become_the_targets_codes(step, scope):
    values = step("do: crm.deal.upsert\nfind: deal\nset: {ttn: x, TITLE: y, OTHER: z}").set
    assert values.evaluate(scope()) == {"UF_CRM_1730000001": "x", "TITLE": "y", "OTHER": "z"}


def test_stages_of_ours_become_the_targets_codes(step, scope):
    body = (
        "do: crm.deal.upsert\nfind: deal\n"
        "set: {STAGE_ID: won, stage: {from: event.channel, map: {form: shipped}}, TITLE: won, A: {value: won}}"
    )
    assert step(body).set.evaluate(scope()) == {
        "STAGE_ID": "C5:WON",
        "stage": "C5:EXECUTING",
        "TITLE": "won",
        "A": "won",
    }


def test_a_stage_from_a_table_becomes_the_targets_code(step, scope):
    body = "do: crm.deal.upsert\nfind: deal\nset: {STAGE_ID: form.target}"
    what = event(record={"form": {"target": "won"}})
    assert step(body).set.evaluate(scope(what)) == {"STAGE_ID": "C5:WON"}


def test_json_is_sent_as_it_is_written(step, scope):
    body = (
        "do: crm.api\nmethod: x.y\n"
        "set: {json: {text: event.text, value: deal.id, first: {from: form.city, via: [strip]}}}"
    )
    assert step(body).set.evaluate(scope()) == {"json": {"text": "hello", "value": "55", "first": "Kyiv"}}


def test_results_and_their_connection(value, scope):
    waybill = Owned({"_connection": "crm", "number": "204500", "extra": {"UF_CRM_1730000003": "Odesa"}})
    given = {"results": {"form": waybill}}
    assert value("form.number", **given) == "204500"
    assert value("form.city", **given) == "Odesa"
    assert value("form.city", results={"form": None}) is None


def test_records_that_are_loaded(value, scope):
    asked = []

    def load(path):
        asked.append(path)
        return {"parcel.deal": {"id": "9"}, "deal.contact": {"name": "Olha"}, "company": {"title": "Ltd"}}.get(path)

    what = event(record={**event().record, "parcel": {"number": "1"}})
    assert value("parcel.deal.id", event=what, load=load) == "9"
    assert value("company.title", load=load) == "Ltd"
    assert value("'{{ company.title }} {{ deal.contact.name }} {{ company.title }}'", load=load) == "Ltd Olha Ltd"
    assert value("lead.title", load=load) is None
    assert asked == ["parcel.deal", "company", "company", "deal.contact", "lead"]


def test_what_needs_loading(scope):
    from hub.paths import Path

    seen = scope()
    assert seen.needs_loading(Path("company.title"))
    assert seen.needs_loading(Path("deal.contact.name"))
    assert not seen.needs_loading(Path("deal.nothing"))
    assert not seen.needs_loading(Path("deal.ttn"))


def test_find_without_one_of_its_values_finds_nothing(step, scope):
    find = step("do: crm.deal.find\nfind: {ttn: parcel.number, stage: [won, shipped]}").find
    assert find.by.evaluate(scope()) == {}
    what = event(record={"parcel": {"number": "20"}})
    assert find.by.evaluate(scope(what)) == {"UF_CRM_1730000001": "20", "stage": ["C5:WON", "C5:EXECUTING"]}


def test_find_words(step, scope):
    assert step("do: crm.deal.set_stage\nstage: won\nfind: deal").find.record.text == "deal"
    find = step("do: crm.deal.find\nfind: {contact: person, title: contact}").find
    what = scope(person={"id": "3", "crm": {"contact": "77"}})
    assert find.by.evaluate(what) == {"contact": "77", "title": "7"}


def test_transforms_of_plugins(tmp_path, step, scope):
    plugins = Plugins.of(Bitrix, Form, Nova, Insta, transforms={"shout": lambda text, mark="!": text.upper() + mark})
    body = (
        "do: crm.comment.create\n"
        "set: {A: {from: contact.first_name, via: [{shout: '?'}]}, B: '{{ contact.first_name | shout }}'}"
    )
    assert step(body, plugins).set.evaluate(scope()) == {"A": "ANNA?", "B": "ANNA!"}


def test_a_transform_that_fails_is_refused_for_good(step, scope):
    plugins = Plugins.of(Bitrix, Form, Nova, Insta, transforms={"broken": lambda text: 1 / 0})
    made = step("do: crm.comment.create\nset: {A: {from: contact.name, via: [broken]}}", plugins)
    with pytest.raises(Refused, match="broken of 'Anna Koval': division by zero"):
        made.set.evaluate(scope())


def test_stage_rule(step):
    rule = step("do: crm.deal.set_stage\nstage: {arrived: won, lost: alert, other: ignore}").stage
    assert [rule.target(one) for one in ("arrived", "lost", "unknown", None)] == ["C5:WON", "alert", "ignore", "ignore"]
    assert step("do: crm.deal.set_stage\nstage: won").stage.target() == "C5:WON"
    assert step("do: crm.deal.set_stage\nstage: {arrived: won}").stage.target("lost") == "ignore"


def test_a_senders_own_field_called_extra_is_no_place_to_look_in() -> None:
    """A form may have a question of that name; its text was searched for the name of every other field."""
    config: Any = SimpleNamespace(connections={})
    scope = Scope(event(), config, now=NOW)
    assert scope._field({"extra": "title size phone"}, "size", "site")[0] is ABSENT
