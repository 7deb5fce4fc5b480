"""Fields of plugins' settings: durations, words, switches, as admins write them."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from marshmallow import Schema, ValidationError

from hub.settings import Duration, Switch, Words, seconds


class Asked(Schema):
    poll = Duration(off=True)
    keep = Duration(least=300, short="five minutes at least")
    overlap = Duration(least=60)
    names = Words()
    proof = Switch()


def load(**settings: Any) -> Any:
    return Asked().load(settings)


@pytest.mark.parametrize(
    ("text", "expected"),
    [("90", 90), ("90.5", 90.5), ("30s", 30), ("10m", 600), (" 1h 30m ", 5400), ("1h30m", 5400), ("0.5h", 1800),
     ("2D", 172_800), ("5 m", 300), ("0", 0), (600, 600)],
)  # fmt: skip
def test_a_duration(text: Any, expected: float) -> None:
    assert seconds(text) == expected


@pytest.mark.parametrize("text", ["", "soon", "10 minutes", "-5m", "5m later", "1w", "off", "1e3", "٣m x", None, "m"])
def test_what_is_no_duration_says_what_one_looks_like(text: Any) -> None:
    with pytest.raises(ValueError, match="is not a duration; write for example 30s, 10m"):
        seconds(text)


@given(st.text())
def test_any_text_is_a_duration_or_a_reason(text: str) -> None:
    try:
        assert seconds(text) >= 0
    except ValueError as error:
        assert "is not a duration" in str(error)


@pytest.mark.parametrize("word", ["off", "No", "never", "0"])
def test_what_can_be_switched_off(word: str) -> None:
    assert load(poll=word) == {"poll": 0.0}
    for name in ("keep", "overlap"):
        with pytest.raises(ValidationError):
            load(**{name: word})


def test_a_duration_that_is_too_short_says_why() -> None:
    assert load(keep="5m", overlap="1m") == {"keep": 300.0, "overlap": 60.0}
    with pytest.raises(ValidationError) as refused:
        load(keep="4m", overlap="30s", poll="later")
    assert refused.value.normalized_messages() == {
        "keep": ["five minutes at least"],
        "overlap": ["'30s' is too short: at least 60s"],
        "poll": ["'later' is not a duration; write for example 30s, 10m, 2h or 1d, or off"],
    }


def test_words_come_once_each_in_their_order() -> None:
    assert load(names=" b, a,,b ,c") == load(names=["b", "a ", "", "b", "c"]) == {"names": ("b", "a", "c")}
    assert load(names="") == {"names": ()}


def test_a_switch() -> None:
    assert [load(proof=word)["proof"] for word in ("yes", "On", "1", "no", "FALSE", "0")] == [True] * 3 + [False] * 3
    with pytest.raises(ValidationError, match="'maybe' is neither yes nor no"):
        load(proof="maybe")
