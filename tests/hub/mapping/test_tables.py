"""Tables: files, cells, looking up."""

from __future__ import annotations

import pytest

from hub.tables import TableError, from_rows, read_csv
from tests.hub.config.fakes import read, route
from tests.hub.mapping.conftest import event

BREEDS = """breed;size;age;coat;points
pug;small|medium;5-10;;1
collie;Large;;long;2,5
mastiff;large;3-8|20;short;x
any;;;;4
"""


@pytest.fixture
def breeds(tmp_path):
    (tmp_path / "breeds.csv").write_text(BREEDS, encoding="utf-8-sig")
    return read_csv("breeds", tmp_path / "breeds.csv")


@pytest.mark.parametrize(
    ("where", "found"),
    [
        ({"size": "small"}, ["pug", "any"]),
        ({"size": "LARGE "}, ["collie", "mastiff", "any"]),
        ({"size": None}, ["any"]),
        ({"size": ""}, ["any"]),
        ({"size": ["tiny", "medium"]}, ["pug", "any"]),
        ({"age": "5"}, ["pug", "collie", "mastiff", "any"]),
        ({"age": "10"}, ["pug", "collie", "any"]),
        ({"age": 20}, ["collie", "mastiff", "any"]),
        ({"age": "4.5"}, ["collie", "mastiff", "any"]),
        ({"age": "old"}, ["collie", "any"]),
        ({"size": "large", "coat": "short"}, ["mastiff", "any"]),
        ({"coat": "short", "size": "large", "age": "9"}, ["any"]),
        ({}, ["pug", "collie", "mastiff", "any"]),
    ],
)
def test_fitting(breeds, where, found):
    assert [row["breed"] for row in breeds.fitting(where)] == found


def test_take(breeds):
    assert breeds.look_up({"size": "large"})["breed"] == "collie"
    everything = breeds.look_up({"size": "large"}, "all")
    assert (everything["breed"], everything["count"], len(everything["rows"])) == ("collie", 3, 3)
    assert breeds.look_up({"size": "large"}, "sum points")["value"] == "6.5"
    narrow = from_rows("t", [{"a": "1", "n": "2"}])
    assert narrow.look_up({"a": "9"}) is None
    assert narrow.look_up({"a": "9"}, "all") == {"rows": [], "count": 0}
    assert narrow.look_up({"a": "9"}, "sum n") == {"rows": [], "count": 0, "value": "0"}


def test_phones_with_signs_are_text():
    table = from_rows("t", [{"phone": "+380671234567", "who": "a"}, {"phone": "050-123", "who": "b"}])
    assert table.look_up({"phone": "+380671234567"})["who"] == "a"
    assert table.look_up({"phone": "050-123"})["who"] == "b"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is empty"),
        ("a,b\nПривіт,x\n".encode("cp1251"), "isn't UTF-8"),
        (b"a,a\n1,2\n", 'the column "a" stands twice'),
        (b"a,\n1,2\n", "a column has no name"),
        (b"a,b\n1,2,3\n", "t.csv:2: 3 cells, but 2 columns"),
    ],
)
def test_files_that_are_no_table(tmp_path, content, message):
    (tmp_path / "t.csv").write_bytes(content)
    with pytest.raises(TableError, match=message):
        read_csv("t", tmp_path / "t.csv")


def test_quoted_cells_short_rows_and_empty_lines(tmp_path):
    (tmp_path / "t.csv").write_bytes(b'a,b\r\n"x, ""y""",1\r\n\r\nz\r\n')
    assert read_csv("t", tmp_path / "t.csv").rows == [{"a": 'x, "y"', "b": "1"}, {"a": "z", "b": ""}]


def test_look_up_of_a_step(tmp_path, scope):
    body = (
        "on: crm.deal.updated\nsteps:\n  - {look_up: lines, where: {form: form.kind}, take: first, as: line}\n"
        "  - {do: crm.deal.upsert, find: deal, set: {CATEGORY_ID: line.pipeline, STAGE_ID: line.stage}}"
    )
    tables = (
        'tables:\n  lines:\n    - {form: course, pipeline: "1", stage: won}\n'
        '    - {form: "", pipeline: "5", stage: shipped}\n'
    )
    first, second = read(tmp_path, route(body) + tables).routes[0].steps
    for kind, values in (
        ("course", {"CATEGORY_ID": "1", "STAGE_ID": "C5:WON"}),
        ("", {"CATEGORY_ID": "5", "STAGE_ID": "C5:EXECUTING"}),
    ):
        seen = scope(event(record={"form": {"kind": kind}}))
        line = first.look_up.run(seen)
        assert second.set.evaluate(scope(results={"line": line})) == values


def test_a_large_table_is_quick(tmp_path):
    import time

    table = from_rows("t", [{"phone": f"+38067{n:07}", "why": "x"} for n in range(50_000)])
    assert table.look_up({"phone": "+380670000007"})["why"] == "x"
    began = time.monotonic()
    for n in range(1000):
        assert table.look_up({"phone": f"+38067{n:07}"}) is not None
    assert time.monotonic() - began < 30  # a guard against hanging, not a figure
