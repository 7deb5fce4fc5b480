"""Reading requests and writing event bodies the way PHP does: bracket nesting, lists that are maps."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from typing import Any
from urllib.parse import parse_qsl, urlencode

from flask import Request

_BRACKET = re.compile(r"\[([^\]]*)\]")


def nest(pairs: Iterable[tuple[str, str]]) -> dict[str, Any]:
    """Turn `fields[PHONE][0][VALUE]=1` pairs into nested maps; keys 0..n-1 become lists."""
    root: dict[str, Any] = {}
    for name, value in pairs:
        _put(root, _path(name), value)
    return {key: _settle(value) for key, value in root.items()}


def _path(name: str) -> list[str]:
    head, bracket, _ = name.partition("[")
    return [head, *_BRACKET.findall(name)] if bracket and head else [name]


def _put(node: dict[str, Any], path: list[str], value: str) -> None:
    for key in path[:-1]:
        key = key or str(len(node))
        if not isinstance(node.get(key), dict):
            node[key] = {}
        node = node[key]
    node[path[-1] or str(len(node))] = value


def _settle(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    settled = {key: _settle(each) for key, each in value.items()}
    return php_array(settled)


def php_array(table: dict[Any, Any]) -> Any:
    """Return a map the way `json_encode` shows a PHP array: empty or keyed 0..n-1 is a list."""
    if [str(key) for key in table] == [str(number) for number in range(len(table))]:
        return list(table.values())
    return table


def query(text: str) -> dict[str, Any]:
    """Parse a query string."""
    return nest(parse_qsl(text, keep_blank_values=True))


def read_params(request: Request) -> dict[str, Any]:
    """Collect a call's parameters from the query and from a JSON, form or multipart body; the body wins."""
    params = query(request.query_string.decode())
    if request.method == "POST":
        params |= _body(request)
    return params


def _body(request: Request) -> dict[str, Any]:
    if request.form:
        return nest(request.form.items(multi=True))
    text = request.get_data(as_text=True)
    if text.lstrip()[:1] not in ("{", "["):
        return query(text)
    try:
        body = json.loads(text)
    except ValueError:
        return {}
    return body if isinstance(body, dict) else {str(number): each for number, each in enumerate(body)}


def flatten(body: dict[str, Any]) -> list[tuple[str, str]]:
    """List the form pairs of a nested body; empty arrays vanish, as in PHP's http_build_query."""
    pairs: list[tuple[str, str]] = []
    for key, value in body.items():
        pairs += _flat(key, value)
    return pairs


def _flat(name: str, value: Any) -> list[tuple[str, str]]:
    if isinstance(value, dict):
        return [pair for key, each in value.items() for pair in _flat(f"{name}[{key}]", each)]
    if isinstance(value, list):
        return [pair for key, each in enumerate(value) for pair in _flat(f"{name}[{key}]", each)]
    return [] if value is None else [(name, str(value))]


def form(body: dict[str, Any]) -> str:
    """Encode an event's body."""
    return urlencode(flatten(body))
