"""batch: up to 50 commands in order, with references to earlier results."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from plugins.bitrix24.sandbox.params import php_array, query
from plugins.bitrix24.sandbox.words import Call, RestError, as_id, as_map

MOST = 50
_REFERENCE = re.compile(r"\$result((?:\[[^\]]+\])+)")
_KEY = re.compile(r"\[([^\]]+)\]")
Run = Callable[[Call], dict[str, Any]]


def run_batch(call: Call, run: Run) -> dict[str, Any]:
    """Run the commands; the answer is HTTP 200 even if all fail. Empty parts are `[]`.

    `run` makes one inner call and returns its envelope. With `halt` the commands after a failure are absent.
    """
    parts: dict[str, dict[str, Any]] = {name: {} for name in ("result", "error", "total", "next", "time")}
    halt = call.get("halt") not in (None, "", 0, "0", False)
    for number, (key, command) in enumerate(as_map(call.get("cmd")).items()):
        try:
            if number >= MOST:
                raise RestError("ERROR_BATCH_LENGTH_EXCEEDED", "Max batch length exceeded")
            answer = run(_inner(call, str(command), parts["result"]))
        except RestError as error:
            parts["error"][key] = error.body()
            if halt:
                break
            continue
        for name in ("result", "total", "next", "time"):
            if name in answer:
                parts[name][key] = answer[name]
    return {
        name if name == "result" else f"result_{name}": php_array(parts[name])
        for name in ("result", "error", "total", "next", "time")
    }


def _inner(call: Call, command: str, results: dict[str, Any]) -> Call:
    name, _, text = command.partition("?")
    name = name.strip().lstrip("/").lower().removesuffix(".json")
    if name == "batch":
        raise RestError("ERROR_BATCH_METHOD_NOT_ALLOWED", "Method is not allowed for batch usage", 405)
    params = {key: _resolve(value, results) for key, value in query(text).items()}
    return Call(call.portal, name, params, call.user_id, call.via)


def _resolve(value: Any, results: dict[str, Any]) -> Any:
    """Put earlier results in place of `$result[key][0][ID]`; what cannot be found becomes an empty text."""
    if isinstance(value, dict):
        return {key: _resolve(each, results) for key, each in value.items()}
    if isinstance(value, list):
        return [_resolve(each, results) for each in value]
    if whole := _REFERENCE.fullmatch(value):
        return _look_up(whole.group(1), results)
    return _REFERENCE.sub(lambda found: str(_look_up(found.group(1), results)), value)


def _look_up(path: str, results: Any) -> Any:
    node = results
    for key in _KEY.findall(path):
        if isinstance(node, list):
            node = node[as_id(key)] if key.isdigit() and as_id(key) < len(node) else None
        else:
            node = node.get(key) if isinstance(node, dict) else None
    return "" if node is None else node
