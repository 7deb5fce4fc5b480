"""Whatever stands in the file, `load` answers with a Config or with ConfigError, and soon."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hub.config import Config
from hub.errors import ConfigError
from tests.hub.config.fakes import HEAD, problems, read, route

PIECES = st.sampled_from(
    [
        "hub:",
        "connections:",
        "routes:",
        "\n",
        "\n  ",
        "\n    - ",
        "- ",
        "{",
        "}",
        "[",
        "]",
        ": ",
        ", ",
        "&a ",
        "*a",
        "!x ",
        "<<: ",
        "name: one",
        "on: site.form.submitted",
        "do: crm.lead.upsert",
        "set: ",
        "when: ",
        "steps:",
        "look_up: ",
        "tables:",
        "find: ",
        "stage: ",
        "attach: ",
        "refused: ",
        "each: ",
        "wait: ",
        "as: x",
        "any: ",
        "not: ",
        "{{ form.name }}",
        '"{{ contact.phone }}"',
        "{from: form.city, via: [strip]}",
        "deal.stage",
        "present",
        "'",
        '"',
        "#x",
        " # y",
        "|",
        ">",
        "\t",
        "\0",
        "\ufeff",
        "é",
        "${X}",
        "crm",
        "plugin: bitrix24",
        "names: ",
        "people:",
        "team:",
        "include: [x]",
        "---\n",
        "? ",
        "%YAML 1.1\n",
        "like: '(a+)+'",
    ]
)
SLOW = settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def attempt(folder: Path, text: str) -> None:
    try:
        assert isinstance(read(folder, text), Config)
    except ConfigError as error:
        assert error.problems
        assert all(str(one) for one in error.problems)


@SLOW
@given(st.lists(PIECES, max_size=40).map("".join))
def test_scraps_of_yaml(tmp_path, text):
    attempt(tmp_path, text)


@SLOW
@given(st.lists(PIECES, max_size=12).map("".join))
def test_scraps_inside_a_good_file(tmp_path, text):
    attempt(tmp_path, HEAD + "routes:\n  - name: one\n    on: site.form.submitted\n    " + text)


@SLOW
@given(st.text(max_size=300))
def test_any_text(tmp_path, text):
    attempt(tmp_path, text.encode("utf-8", "replace").decode())


VALUE = st.recursive(
    st.text(max_size=12) | st.sampled_from(["form.name", "leave", "{{ form.x }}", "now", "won", "yes"]),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(
                [
                    "from",
                    "via",
                    "map",
                    "value",
                    "text",
                    "first",
                    "when",
                    "any",
                    "not",
                    "is",
                    "do",
                    "set",
                    "find",
                    "steps",
                    "as",
                    "on",
                    "look_up",
                    "where",
                    "deal.stage",
                    "to",
                    "other",
                    "refused",
                    "stage",
                    "stop",
                    "each",
                ]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@SLOW
@given(
    st.dictionaries(
        st.sampled_from(
            [
                "name",
                "on",
                "when",
                "do",
                "set",
                "find",
                "stage",
                "steps",
                "attach",
                "look_up",
                "refused",
                "for",
                "otherwise",
                "priority",
                "only_from",
                "as",
                "send",
                "limit",
                "optional",
            ]
        ),
        VALUE,
        max_size=8,
    )
)
def test_routes_of_any_shape(tmp_path, value):
    import json

    attempt(tmp_path, HEAD + "routes:\n  - " + json.dumps({"name": "one", "on": "site.form.submitted", **value}) + "\n")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "a: &a [x,x,x,x,x,x,x,x,x]\n"
            + "".join(
                f"{two}: &{two} [{','.join(['*' + one] * 9)}]\n"
                for one, two in zip("abcdefgh", "bcdefghi", strict=True)
            ),
            "more than 50000 values",
        ),
        ("a: " + "[" * 5000, "nested deeper than 40 levels"),
        ("a: " + "{b: " * 5000, "nested deeper than 40 levels"),
        ("a: &a {b: *a}", "stands inside what it names"),
        ("x: " + "y" * 400_000, "larger than 300 KB"),
        ("a: 1\n---\nb: 2\n", "a second document"),
        ("[a, b]", "should begin with sections"),
    ],
    ids=["aliases", "lists", "mappings", "itself", "size", "documents", "list"],
)
def test_bombs(tmp_path, text, message):
    began = time.monotonic()
    found = problems(tmp_path, text)
    assert any(message in one for one in found), found
    assert time.monotonic() - began < 30  # a guard against hanging, not a figure


def test_many_mistakes_of_syntax_end_soon(tmp_path):
    began = time.monotonic()
    found = problems(tmp_path, HEAD + "".join(f"k{n}: *.a.b\n" for n in range(2000)))
    assert 'quote "*.a.b"' in found[0]
    assert time.monotonic() - began < 30  # a guard against hanging, not a figure


def test_deep_conditions_and_refusals(tmp_path):
    deep = "{not: " * 30 + "{deal.stage: won}" + "}" * 30
    assert problems(tmp_path, route(f"on: crm.deal.updated\nwhen: {deep}\ndo: crm.comment.create")) == []
    deep = "{do: crm.comment.create, refused: " * 20 + "{do: crm.comment.create}" + "}" * 20
    found = problems(tmp_path, route(f"on: crm.deal.updated\nsteps: [{deep}]"))
    assert any("refused inside refused goes too deep" in one for one in found)
