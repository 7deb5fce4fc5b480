"""Broken messages made from good ones: dropped fields, other types, nothing, too much, torn bytes."""

from __future__ import annotations

import copy
from typing import Any
from urllib.parse import quote_plus

import orjson
from hypothesis import strategies as st

from hub.model import Request

_STRANGE: list[Any] = [
    None, True, False, 0, -1, 2**53, 1.5, 1e308, "", " ", "0", "null", "\x00", "x" * 100_000, "💥", "‮rtl", "+" * 50,
    "2026-13-45T99:99:99Z", "9" * 5_000, "%00%ff", "[[[[", "{{ 7 * 7 }}", [], {}, [None], [[]], [{}], {"": ""},
    {"value": None}, {"value": {"value": []}}, {"0": "a", "1": "b"}, ["a", 1, None, {"b": []}],
]  # fmt: skip
strange = st.sampled_from(_STRANGE) | st.text(st.characters(exclude_categories=["Cs"]), max_size=20)


@st.composite
def mutated(draw: st.DrawFn, request: Request) -> Request:
    """Return the request with one to four of its values broken, or its bytes torn."""
    body = request.body
    if draw(st.integers(0, 4)):
        try:
            body = _json(draw, body)
        except orjson.JSONDecodeError:
            body = _form(draw, body)
    else:
        body = _torn(draw, body)
    return with_body(request, body)


def with_body(request: Request, body: bytes) -> Request:
    """Return the request with another body; a Content-Length follows it."""
    headers = dict(request.headers)
    if "content-length" in headers:
        headers["content-length"] = str(len(body))
    return Request(
        request.method, request.path, request.query, headers, body, request.remote, request.tail, request.at
    )  # fmt: skip


def _json(draw: st.DrawFn, body: bytes) -> bytes:
    value = orjson.loads(body)
    for _ in range(draw(st.integers(1, 4))):
        value = _change(draw, copy.deepcopy(value))
    return orjson.dumps(value)


def _change(draw: st.DrawFn, value: Any) -> Any:
    """Replace, drop or add at a random depth."""
    if isinstance(value, dict) and value and draw(st.integers(0, 4)):
        name = draw(st.sampled_from(sorted(value)))
        if draw(st.integers(0, 3)):
            value[name] = _change(draw, value[name])
        elif draw(st.booleans()):
            del value[name]
        else:
            value[draw(st.sampled_from([name.upper(), name + "[]", "", "id", "x" * 500]))] = draw(strange)
        return value
    if isinstance(value, list) and value and draw(st.integers(0, 4)):
        place = draw(st.integers(0, len(value) - 1))
        value[place] = _change(draw, value[place])
        return value if draw(st.integers(0, 3)) else value * 2
    return draw(strange)


def _form(draw: st.DrawFn, body: bytes) -> bytes:
    pairs = body.split(b"&")
    for _ in range(draw(st.integers(1, 4))):
        place = draw(st.integers(0, len(pairs) - 1)) if pairs else 0
        what = draw(st.integers(0, 4))
        name = pairs[place].partition(b"=")[0] if pairs else b"a"
        if what == 0 and pairs:
            del pairs[place]
        elif what == 1:
            pairs.append(name + b"%5B%5D=" + _encoded(draw))
        elif what == 2:
            pairs.append(name + draw(st.sampled_from([b"[x][y]", b"[", b"[0]", b"]", b""])) + b"=" + _encoded(draw))
        else:
            pairs[place : place + 1] = [name + b"=" + _encoded(draw)]
    return b"&".join(pairs)


def _encoded(draw: st.DrawFn) -> bytes:
    value = draw(strange | st.just(b"%ff%fe\xff"))
    return value if isinstance(value, bytes) else quote_plus(str(value)).encode()


def _torn(draw: st.DrawFn, body: bytes) -> bytes:
    place = draw(st.integers(0, len(body)))
    what = draw(st.integers(0, 4))
    if what == 0:
        return body[:place]
    if what == 1:
        return body[:place] + draw(st.binary(min_size=1, max_size=8)) + body[place:]
    if what == 2:
        return body + body
    if what == 3:
        return b"[" * 100_000
    return draw(st.sampled_from([b"", b" ", b"null", b"[]", b"{}", b'""', b"0", b"=", b"&&&", b"\xff\xfe\x00", body]))
