"""What names a person is found in every spelling, and nothing else is."""

from __future__ import annotations

import json
from urllib.parse import quote, quote_plus

import pytest

from hub.needles import Needles

NAME = "Оксана Тестова"
HERS = Needles(["+380671112233"], ["oksana.t@example.com"], ["oksana_sews", "12"], [NAME, "Anna"])


@pytest.mark.parametrize(
    "text",
    [
        "+380671112233", "380671112233", "tel 067 111-22-33!", "(067) 111 22 33", "067/111.22.33", "00380671112233",
        "phone=%2B380671112233&x=1", "phone=+380+67+111+22+33", "a%20380671112233", '{"phone":380671112233}',
        "Oksana.T@Example.com", "mail=oksana.t%40example.com", "write to <oksana.t@example.com>.", "@oksana_sews",
    ],
)  # fmt: skip
def test_it_is_found(text: str) -> None:
    assert HERS.found(text), text
    assert not HERS.found(HERS.redacted(text))
    assert "***" in HERS.redacted(text)


@pytest.mark.parametrize(
    "text",
    [
        "+380671112234", "1380671112233", "3806711122330", "noksana.t@example.com", "oksana.t@example.com.ua",
        "oksana_sews_too", "order 12", "", "067 111", "+48671112233",
    ],
)  # fmt: skip
def test_it_is_not_found(text: str) -> None:
    assert not HERS.found(text), text
    assert HERS.redacted(text) == text


@pytest.mark.parametrize(
    "text",
    [NAME, f"Site: {NAME}", json.dumps({"name": NAME}), f"name={quote(NAME)}", f"name={quote_plus(NAME)}&x",
     json.dumps({"t": f"line\n{NAME}"}, ensure_ascii=False), NAME.upper()],
)  # fmt: skip
def test_a_name_is_found_only_where_it_is_asked_for(text: str) -> None:
    assert HERS.found(text, names=True)
    assert not HERS.found(text)
    assert HERS.redacted(text) == text
    assert not HERS.found(HERS.redacted(text, names=True), names=True)


def test_a_first_name_is_everybodys() -> None:
    assert not HERS.found("Anna", names=True)


def test_json_stays_json() -> None:
    text = json.dumps({"phone": 380671112233, "n": 5, "a": ["067 111 22 33", True, None], "oksana_sews": {"x": NAME}})
    assert json.loads(HERS.redacted_json(text, names=True)) == {
        "phone": None, "n": 5, "a": ["***", True, None], "***": {"x": "***"},
    }  # fmt: skip
    assert HERS.redacted_json("no json, 067 111 22 33") == "no json, ***"


def test_nothing_is_found_by_nothing() -> None:
    assert not Needles()
    assert not Needles().found("anything", names=True)
    assert Needles().redacted("anything") == "anything"
