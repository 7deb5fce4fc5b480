"""Texts with braces: what they can do, and what nobody can do with them."""

from __future__ import annotations

import time

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hub.errors import Refused
from hub.model import Owned
from hub.templates import TemplateError, Templates
from tests.hub.mapping.conftest import event

TEMPLATES = Templates()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("{{ contact.name or contact.phone }}", "Anna Koval"),
        ("{{ company.title or contact.first_name }}", "Anna"),
        ("[{{ company.title }}|{{ nothing.at.all }}|{{ deal.nothing.more }}]", "[||]"),
        ("{{ event.at | date('%d.%m %H:%M') }}", "23.11 09:00"),
        ("{{ event.at }}", "2026-11-23T07:00:00+00:00"),
        ("{{ now | plus('3h') }}", "2026-11-23T15:00:00+02:00"),
        ("{{ now | plus('-1d') | date('%d.%m') }}", "22.11"),
        ("{{ now | since(event.at) }}", "3 h"),
        ("{{ event.at | since }}", "3 h"),
        ("{{ event.at | unix }}", "1795417200"),
        ("{{ deal | missing('ttn', 'comment', 'title', 'nope') | join(', ') }}", "comment, nope"),
        ("{{ deal.goods | join('; ') }}", "soap; cream"),
        ("{{ deal.goods }}", "soap, cream"),
        ("{{ deal.ttn | int + 1 }}", "2041"),
        ("{{ deal.nothing | int + 1 }}", "1"),
        ("{{ deal.amount * 2 }}", "3001"),
        ("{{ deal.amount - 0.5 }}", "1500"),
        ("{{ deal.amount / 4 }}", "375.125"),
        ("{{ deal.ttn + '!' }}", "2040!"),
        ("{{ deal.nothing + '!' }}", "!"),
        ("{{ form.comment | default('none') }}", "none"),
        ("{{ form.phone | phone }}", "+380671234567"),
        ("{{ form.city | strip | upper }}", "KYIV"),
        ("{{ form.fields['wishes'] }}", "fast"),
        ("{{ form.wishes | truncate(3) }}", "fa…"),
        ("{{ deal.amount | money }}", "1500.50"),
        ("{{ deal.amount | round }} {{ deal.amount | round(1) }} {{ deal.nothing | abs }}", "1500 1500.5 0"),
        ("{% if deal.ttn %}TTN {{ deal.ttn }}{% else %}none{% endif %}", "TTN 2040"),
        ("{% if contact.phone is valid %}yes{% endif %}{% if form.comment is absent %}, none{% endif %}", "yes, none"),
        ("{% for one in deal.goods %}{{ loop.index }} {{ one }} {% endfor %}", "1 soap 2 cream "),
        ("{% for row in found.rows %}{{ row.breed }} {{ row.ttn }};{% endfor %}{{ found.count }}", "pug 5;dog ;2"),
        ("{{ found.rows | join(', ', attribute='breed') }} {{ found.sum('age') }}", "pug, dog 7"),
        ("{{ 'a' if deal.closed else 'b' }}", "b"),
        ("{{ deal.closed }}", "no"),
        ("{{ contact }}", "Anna Koval"),
        ("{{ deal.goods | length }}{{ deal.goods.count }}", "22"),
        ("{{ person.name }}", "Nobody"),
        ("{{ error.reason }}", "no such city"),
        ("плюс {# a remark #}{{ contact.name }}", "плюс Anna Koval"),
    ],
)
def test_template(scope, text, expected):
    found = Owned({
        "_connection": "crm",
        "rows": [{"breed": "pug", "age": "3", "extra": {"UF_CRM_1730000001": "5"}}, {"breed": "dog", "age": "4"}],
        "count": 2,
    })  # fmt: skip
    seen = scope(results={"found": found}, person={"name": "Nobody"}, extra={"error": {"reason": "no such city"}})
    assert TEMPLATES.compile(text).get(seen) == expected


@pytest.mark.parametrize(
    "text",
    [
        "{{ ''.__class__ }}",
        "{{ contact.__class__ }}",
        "{{ contact['__class__'] }}",
        "{{ contact._scope.config }}",
        "{{ contact.name.__init__.__globals__ }}",
        "{{ contact.name.upper() }}",
        "{{ contact.name.format(1) }}",
        "{{ range(10) }}",
        "{{ lipsum() }}",
        "{{ cycler('a') }}",
        "{{ self }}{{ self._TemplateReference__context() }}",
        "{% import 'os' as os %}",
        "{% include 'x' %}",
        "{% extends 'x' %}",
        "{% macro a() %}{{ a() }}{% endmacro %}",
        "{% set a = 1 %}",
        "{% block a %}{% endblock %}",
        "{% filter upper %}x{% endfilter %}",
        "{% for a in x.y %}{% for b in x.y %}{% endfor %}{% endfor %}",
        "{% for a in x.y recursive %}{{ loop(a) }}{% endfor %}",
        "{{ 9 ** 9 }}",
        "{{ {'a': 1} }}",
        "{{ 'x' | attr('y') }}",
        "{{ 'x' | center(9) }}",
        "{{ 'x' | format(9) }}",
        "{{ x.y | map('z') }}",
        "{{ x",
        "{{ x | nofilter }}",
        "{{ x is notest }}",
        "x" * 70_000,
    ],
)
def test_refused_when_read(text):
    with pytest.raises(TemplateError):
        TEMPLATES.compile(text)


@pytest.mark.parametrize(
    "text",
    [
        "{{ event.text ~ event.text ~ event.text }}",
        "{{ event.text + event.text + event.text }}",
        "{{ event.text | replace('a', event.text) }}",
        "{% for one in deal.goods %}{{ event.text }}{{ event.text }}{% endfor %}",
        "{{ 1 / 0 }}",
        "{{ now | plus('soon') }}",
        "{{ now | next('calls') }}",
    ],
)
def test_refused_when_written(scope, text):
    began = time.monotonic()
    with pytest.raises(Refused):
        TEMPLATES.compile(text).get(scope(event(text="a" * 60_000)))
    assert time.monotonic() - began < 30  # a guard against hanging, not a figure


def test_a_star_makes_no_long_text(scope):
    assert TEMPLATES.compile("{{ 'a' * 100000000 }}").get(scope()) == "0"
    assert TEMPLATES.compile("{{ 'a' % 100000000 }}").get(scope()) == "0"


def test_sender_braces_are_text(scope):
    assert TEMPLATES.compile("{{ event.text }}").get(scope(event(text="{{ now }} <b>"))) == "{{ now }} <b>"


def test_many_rows_end_soon(scope):
    rows = {"rows": [{"a": "x"}] * 1_000_000, "count": 1_000_000}
    began = time.monotonic()
    TEMPLATES.compile("{% for one in found.rows %}{{ one.a }}{% endfor %}").get(scope(results={"found": rows}))
    assert time.monotonic() - began < 30  # a guard against hanging, not a figure


WORDS = st.sampled_from(
    [
        "{{",
        "}}",
        "{%",
        "%}",
        " contact",
        ".name",
        ".__class__",
        "['__init__']",
        ".mro()",
        "|attr('x')",
        "|join",
        " for ",
        " in ",
        " if ",
        " endfor ",
        " endif ",
        "()",
        "[0]",
        " + ",
        " * ",
        "9",
        "'x'",
        "_",
        "self",
        "event",
        "now",
        "config",
        "request",
        "deal.goods",
        "~",
        "|upper",
        "|date('%Y')",
        "scope_",
        "p0_",
        ".format",
        "{#",
        "#}",
        "\n",
    ]
)


@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(WORDS, max_size=14).map("".join))
def test_no_way_out(scope, text):
    try:
        out = TEMPLATES.compile(text).get(scope())
    except (TemplateError, Refused):
        return
    assert isinstance(out, str)
    assert "<class" not in out.replace(text, "")
    assert "object at 0x" not in out
