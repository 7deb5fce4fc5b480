"""PHP's bracket nesting: what senders mean, what hostile ones try."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.errors import Rejected
from hub.phpform import decode


@pytest.mark.parametrize(
    ("pairs", "expected"),
    [
        ([("a", "1"), ("b", "")], {"a": "1", "b": ""}),
        ([("data[FIELDS][ID]", "55"), ("ts", "1")], {"data": {"FIELDS": {"ID": "55"}}, "ts": "1"}),
        ([("a[]", "x"), ("a[]", "y")], {"a": ["x", "y"]}),
        ([("a[0][name]", "x"), ("a[1][name]", "y")], {"a": [{"name": "x"}, {"name": "y"}]}),
        ([("a[1]", "y"), ("a[0]", "x")], {"a": ["x", "y"]}),
        ([("a[1]", "x"), ("a[2]", "y")], {"a": {"1": "x", "2": "y"}}),
        ([("a[00]", "x")], {"a": {"00": "x"}}),
        ([("a[5]", "x"), ("a[]", "y")], {"a": {"5": "x", "6": "y"}}),
        ([("a", "1"), ("a", "2")], {"a": "2"}),
        ([("a", "1"), ("a[b]", "2")], {"a": {"b": "2"}}),
        ([("a[b]", "2"), ("a", "1")], {"a": "1"}),
        ([("a[b]tail", "1")], {"a": {"b": "1"}}),
        ([("a[b", "1")], {"a[b": "1"}),
        ([("[b]", "1")], {"[b]": "1"}),
        ([("Your name. Full", "Олена")], {"Your name. Full": "Олена"}),
        ([("0", "x"), ("1", "y")], {"0": "x", "1": "y"}),
        ([("a[9999999999999999999999]", "x")], {"a": {"9999999999999999999999": "x"}}),
        ([], {}),
    ],
)  # fmt: skip
def test_php_rules(pairs, expected):
    assert decode(pairs) == expected


def test_too_deep_is_refused_with_a_number():
    with pytest.raises(Rejected, match="deeper than 64") as caught:
        decode([("a" + "[b]" * 64, "1")])
    assert caught.value.status == 400
    assert decode([("a" + "[b]" * 63, "1")])


def test_too_many_keys_count_at_all_levels():
    with pytest.raises(Rejected, match="more than 10000") as caught:
        decode((f"a{number}[b]", "1") for number in range(5_001))
    assert caught.value.status == 413


@pytest.mark.parametrize(
    "name", ["a" + "[" * 100_000, "a" + "[]" * 100_000, "a" + "[b" * 100_000, "[" * 100_000 + "]" * 100_000]
)
def test_hostile_names_cost_linear_time(name):
    started = time.perf_counter()
    try:
        decode([(name, "1")] * 10)
    except Rejected as error:
        assert error.status == 400
    assert time.perf_counter() - started < 1


@given(st.lists(st.tuples(st.text("ab[]0", max_size=12), st.text(max_size=3)), max_size=20))
def test_any_names_decode_to_the_last_value_or_are_refused(pairs):
    result = decode(pairs)
    assert isinstance(result, dict)
    if pairs and "[" not in pairs[-1][0]:
        assert result[pairs[-1][0]] == pairs[-1][1]


@given(st.lists(st.text(max_size=5), min_size=1, max_size=30))
def test_appending_keeps_order(values):
    assert decode([("a[]", value) for value in values]) == {"a": values}
