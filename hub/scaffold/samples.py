"""Which of the files in a folder are messages, and what they say."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hub import jsonbody, phpform
from hub.connector import Connector
from hub.errors import Rejected
from hub.model import Request
from hub.request_file import request_from_file

SUFFIXES = (".json", ".txt", ".http")
_NOT_MESSAGES = re.compile(r"\.(response|request|error|vectors|poll)\.")
_DELICATE = re.compile(r"secret|token|password|api_?key|salt", re.I)
#: deeper than this no field is looked for
_DEPTH = 6


@dataclass
class Sample:
    """One message: its file, the request it stands for, and the objects in its body (several for a list)."""

    path: Path
    request: Request
    messages: list[dict[str, Any]]

    @property
    def name(self) -> str:
        """The name of the copy: the file's, without what would have to be quoted somewhere."""
        return re.sub(r"[^\w.+-]", "_", self.path.name)


def choose(folder: Path) -> tuple[list[Sample], dict[str, str]]:
    """Return the messages in a folder, and file -> why it was left out.

    Where files are called `.webhook.`, these are the messages, with whole requests (`.http`). Elsewhere every body is
    taken but those whose name says that they are answers or requests of the vendor's API.
    """
    files = sorted(path for path in folder.iterdir() if path.is_file() and path.suffix in SUFFIXES)
    named = any(".webhook." in path.name for path in files)
    left: dict[str, str] = {}
    found: list[Sample] = []
    for path in files:
        sure = ".webhook." in path.name or path.suffix == ".http"
        if not sure and (named or _NOT_MESSAGES.search(path.name)):
            left[path.name] = "no message that the vendor sends, going by its name"
            continue
        request = request_from_file(path, "x", content_types=Connector.content_types)
        try:
            messages = read(request)
        except (Rejected, ValueError) as error:
            left[path.name] = f"can't be read: {error}"
            continue
        sample = Sample(path, request, messages)
        if any(one.name == sample.name for one in found):
            left[path.name] = f"there is one called {sample.name} already"
        else:
            found.append(sample)
    return found, left


def read(request: Request) -> list[dict[str, Any]]:
    """Return the objects in a request's body, by the rules the generated plugin has in incoming.py."""
    start = request.body.lstrip()[:1]
    if request.content_type.startswith("multipart/"):
        raise Rejected(415, "a multipart body needs a reader of its own")
    if request.content_type.endswith("json") or start in (b"{", b"["):
        body = jsonbody.loads(request.body)
    else:
        body = phpform.decode(request.form() if request.body else request.query)
    messages = body if isinstance(body, list) else [body]
    if not messages or not all(isinstance(one, dict) and one for one in messages):
        raise Rejected(400, "the body holds no object")
    return messages


def leaves(value: Any, before: str = "", depth: int = _DEPTH) -> Iterator[tuple[str, Any]]:
    """Yield (dotted path, value) of the plain values; of a list its first item counts."""
    if isinstance(value, dict) and depth:
        for name, inner in value.items():
            if name and name.isprintable() and "." not in name:
                yield from leaves(inner, f"{before}.{name}" if before else name, depth - 1)
    elif isinstance(value, list) and depth:
        if value:
            yield from leaves(value[0], f"{before}.0" if before else "0", depth - 1)
    elif before and value is not None:
        yield before, value


def delicate(samples: list[Sample]) -> list[str]:
    """Return the paths that sound like credentials; such values don't belong into a repository."""
    paths = {
        path
        for sample in samples
        for message in sample.messages
        for path, value in leaves(message)
        if value and _DELICATE.search(path.rpartition(".")[2])
    }
    return sorted(paths)
