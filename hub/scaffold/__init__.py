"""`hub plugins new`: a plugin out of sample messages, whole and passing its own tests; only the knowledge is missing.

samples.py reads the files, guesses.py says what they seem to mean, files/ holds the plugin as templates.
"""

from __future__ import annotations

import contextlib
import json
import re
import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from hub.connector import EventKind
from hub.errors import Rejected
from hub.model import Receipt
from hub.scaffold import guesses, samples
from hub.scaffold.guesses import Guess
from hub.scaffold.samples import Sample
from hub.testing.loading import load_plugin

_FILES = Path(__file__).parent / "files"
INVENTED = "invented.webhook.json"
_INVENTED_BODY = {
    "event_id": "evt-1",
    "event": "order.created",
    "timestamp": "2026-03-04T10:20:30+00:00",
    "data": {"id": "1001", "status": "new", "name": "Olena", "phone": "+380671234567", "email": "olena@example.com"},
}


@dataclass
class Made:
    """What was written, what was guessed, and which files were no use (name -> why)."""

    folder: Path
    files: list[Path]
    guess: Guess
    expected: dict[str, list[str]]
    left_out: dict[str, str]
    delicate: list[str]
    invented: bool


def make(name: str, folder: Path, source: Path | None = None) -> Made:
    """Write the plugin `name` into `folder` from the messages in `source`; without, from one invented message.

    Raises ValueError if no file in `source` is a message that can be read.
    """
    work = folder / "tests" / "samples"
    if source is None:
        work.mkdir(parents=True)
        (work / INVENTED).write_text(json.dumps(_INVENTED_BODY, indent=2) + "\n", "utf-8")
    chosen, left = samples.choose(source or work)
    if not chosen:
        shutil.rmtree(folder, ignore_errors=True)
        why = "; ".join(f"{file}: {words}" for file, words in list(left.items())[:5])
        raise ValueError(f"no message in {source} ({why or 'it holds no .json, .txt or .http file'})")
    invented = source is None
    guess = guesses.guess(chosen)
    values = _values(name, chosen, guess, invented)
    written = _write(folder, values, _PLUGIN)
    expected = _read_with(folder, chosen, left)
    for sample in chosen:
        if sample.name in expected and not invented:
            work.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(sample.path, work / sample.name)
    values |= {"expected": expected, "samples": list(expected), "events": _events(guess, expected)}
    written = _write(folder, values, {**_PLUGIN, **_TESTS})
    return Made(folder, written, guess, expected, left, samples.delicate(chosen), invented)


#: template -> file; NAME is the plugin's
_PLUGIN = {
    f"{file}.jinja": file
    for file in (
        "__init__.py", "connector.py", "client.py", "codes.py", "incoming.py", "outgoing.py", "sandbox.py",
        "schemas.py", "README.md", "quality.yaml",
    )
}  # fmt: skip
_TESTS = {
    "tests/contract.py.jinja": "tests/test_NAME.py",
    "tests/api.py.jinja": "tests/test_NAME_api.py",
    "tests/SOURCES.md.jinja": "tests/samples/SOURCES.md",
}


def _values(name: str, chosen: list[Sample], guess: Guess, invented: bool) -> dict[str, Any]:
    words = name.split("_")
    parcels = any(event.startswith("parcel.") for event in (*guess.events.values(), guess.default_event))
    return {
        "name": name, "cls": "".join(word.capitalize() for word in words), "title": " ".join(words).capitalize(),
        "host": name.replace("_", "-"), "env": name.upper(), "guess": guess, "invented": invented,
        "samples": [sample.name for sample in chosen], "events": _events(guess, {}), "expected": {},
        "statuses": {code: "unknown" if parcels else code for code in guess.statuses},
    }  # fmt: skip


def _events(guess: Guess, expected: dict[str, list[str]]) -> list[EventKind]:
    """Return the events to declare, each with the first sample that brings it."""
    names = list(dict.fromkeys([*guess.events.values(), *(() if guess.events else (guess.default_event,))]))
    names += [type_ for types in expected.values() for type_ in types if type_ not in names]
    return [
        EventKind(name, guesses.record_of(name), next((file for file, types in expected.items() if name in types), ""))
        for name in dict.fromkeys(names)
    ]


def _write(folder: Path, values: dict[str, Any], files: dict[str, str]) -> list[Path]:
    environment = Environment(  # noqa: S701 (it writes Python and Markdown, no HTML)
        loader=FileSystemLoader(_FILES), undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True,
        keep_trailing_newline=True,
    )  # fmt: skip
    environment.filters |= {"py": _text, "tuple": _tuple, "mapping": _mapping}
    written = []
    for template, file in files.items():
        path = folder / file.replace("NAME", values["name"])
        path.parent.mkdir(parents=True, exist_ok=True)
        text = environment.get_template(template).render(values)
        path.write_text(re.sub(r"\n{4,}", "\n\n\n", text), "utf-8")
        written.append(path)
    return written


def _text(value: Any) -> str:
    """Return a text as it stands in Python code."""
    return json.dumps(value, ensure_ascii=False)


def _tuple(values: list[str]) -> str:
    """Return texts as a tuple, on several lines if there are several."""
    if len(values) < 2:
        return f"({_text(values[0])},)" if values else "()"
    return "(\n" + "".join(f"    {_text(one)},\n" for one in values) + ")"


def _mapping(values: dict[str, str]) -> str:
    """Return texts as a dict, a line each."""
    return (
        "{\n" + "".join(f"    {_text(key)}: {_text(one)},\n" for key, one in values.items()) + "}" if values else "{}"
    )


def _read_with(folder: Path, chosen: list[Sample], left: dict[str, str]) -> dict[str, list[str]]:
    """Return what the new plugin makes of the samples; one that says what another said is left out."""
    expected: dict[str, list[str]] = {}
    seen: dict[str, str] = {}
    with _loaded(folder, "incoming") as incoming:
        for sample in chosen:
            try:
                key = incoming.receipt_key(sample.request)
                events = incoming.parse(Receipt(1, "x", key, sample.request, sample.request.at), "")
            except Rejected as error:
                left[sample.name] = f"can't be read: {error}"
                continue
            if key in seen:
                left[sample.name] = f"says the same as {seen[key]}"
                continue
            seen[key] = sample.name
            expected[sample.name] = [event.type for event in events]
    return expected


@contextlib.contextmanager
def _loaded(folder: Path, module: str) -> Iterator[ModuleType]:
    """Load a module of the plugin and forget it again, so that the hub finds it fresh; leave no bytecode behind."""
    before, sys.dont_write_bytecode = sys.dont_write_bytecode, True
    try:
        yield load_plugin(folder, module)
    finally:
        sys.dont_write_bytecode = before
        name = f"hub_plugin_{folder.name}"
        for one in [one for one in sys.modules if one == name or one.startswith(f"{name}.")]:
            del sys.modules[one]
