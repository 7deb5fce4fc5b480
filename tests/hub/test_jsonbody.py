"""JSON from strangers: sound bodies pass whole, everything else is refused in words."""

import json
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.errors import Rejected
from hub.jsonbody import loads

TEXTS = st.text(st.characters(exclude_categories=["Cs"]))
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | TEXTS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4),
    max_leaves=20,
)


@given(VALUES)
def test_sound_json_passes_whole(value):
    assert loads(json.dumps(value).encode()) == value
    assert loads(json.dumps(value, ensure_ascii=False).encode()) == value


@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_rejected(body):
    try:
        loads(body)
    except Rejected as error:
        assert error.status in (400, 413)
        assert error.reason


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"", "empty"),
        (b"  \n", "empty"),
        (b'{"a": 1', "not JSON"),
        (b'{"a": NaN}', "not JSON"),
        (b'{"a": Infinity}', "not JSON"),
        (b'{"a": "\xff\xfe"}', "not JSON"),
        (b'{"a": "\\ud800"}', "not JSON"),
        (b'{"a": 1, "a": 2}', "twice"),
        (b'{"a": {"b": [1, {"c": 1, "c": 1}]}}', "twice"),
        (b"[" * 100_000, "deeper"),
        (b'{"a":' * 100_000, "deeper"),
        (b"[" * 65 + b"]" * 65, "deeper"),
    ],
)
def test_unsound_bodies_are_refused_in_words(body, words):
    with pytest.raises(Rejected, match=words) as caught:
        loads(body)
    assert caught.value.status in (400, 413)


def test_brackets_and_colons_inside_strings_do_not_count():
    body = json.dumps({"a": "[" * 500 + ":" * 30_000 + '\\"{'}).encode()
    assert loads(body)["a"].startswith("[[")


def test_byte_order_mark_and_exact_depth_are_fine():
    assert loads(b'\xef\xbb\xbf{"a": 1}') == {"a": 1}
    assert loads(b"[" * 64 + b"]" * 64)


def test_width_is_limited():
    with pytest.raises(Rejected, match="more than 10000 keys") as caught:
        loads(json.dumps({str(number): 1 for number in range(10_001)}).encode())
    assert caught.value.status == 413
    with pytest.raises(Rejected):
        loads(b"[" + b"[]," * 300_000 + b"[]]")
    assert len(loads(json.dumps(list(range(20_000))).encode())) == 20_000


@pytest.mark.parametrize("body", [b'"' + b'\\"' * 500_000, b'"a' * 333_333, b"\\" * 1_000_000, b"[]" * 500_000])
def test_hostile_bytes_cost_linear_time(body):
    started = time.perf_counter()
    with pytest.raises(Rejected):
        loads(body)
    assert time.perf_counter() - started < 1
