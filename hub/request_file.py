"""A request out of a file, by the rules of `hub try FILE`.

A file is the raw body (`.json`, or `.txt` form-encoded), with the content type that is usual for it; or a whole HTTP
request if it begins with a request line: headers, a blank line, the body. Recorded samples often have the headers
without a request line; that is understood too.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

from hub.connector import Connector
from hub.model import Request

_REQUEST_LINE = re.compile(rb"([A-Z]{3,10}) (/\S*|https?://\S+)( HTTP/\d(\.\d)?)?[ \t]*\r?(\n|$)")
_HEADER = re.compile(rb"([A-Za-z][A-Za-z0-9-]*):[ \t]*([^\r\n]*)$")
_HEADERS_FIRST = re.compile(rb"[A-Za-z][A-Za-z0-9-]*: [^\r\n{]*\r?\n")
_BLANK = re.compile(rb"\r?\n\r?\n")


def request_from_file(path: Path, connection: str = "x", **options: object) -> Request:
    """Return the request in a file; options as for `request_from_bytes`."""
    return request_from_bytes(path.read_bytes(), path.suffix, connection, **options)  # type: ignore[arg-type]


def request_from_bytes(
    content: bytes,
    suffix: str = ".json",
    connection: str = "x",
    *,
    method: str = "",
    headers: Mapping[str, str] | None = None,
    query: Iterable[tuple[str, str]] = (),
    tail: str = "",
    content_types: Mapping[str, str] = Connector.content_types,
    at: dt.datetime | None = None,
) -> Request:
    """Return the request that `content` stands for, addressed to `/in/<connection>[/<tail>]`.

    `method`, `headers` and `query` win over what the file says. The last line break of a whole request without
    Content-Length is the editor's, not the sender's, and is dropped.
    """
    said: dict[str, str] = {}
    path = f"/in/{connection}" + (f"/{tail}" if tail else "")
    body = content
    if line := _REQUEST_LINE.match(content):
        method = method or line[1].decode()
        target = urlsplit(line[2].decode("utf-8", "replace"))
        query = [*parse_qsl(target.query, keep_blank_values=True), *query]
        if not tail and target.path.startswith(f"/in/{connection}/"):
            path, tail = target.path, target.path.removeprefix(f"/in/{connection}/")
        said, body = _split(content[line.end() :])
    elif _HEADERS_FIRST.match(content):
        said, body = _split(content)
    elif usual := content_types.get(suffix):
        said["content-type"] = usual
    said |= {name.lower(): value for name, value in (headers or {}).items()}
    return Request(
        method=method or "POST",
        path=path,
        query=tuple(query),
        headers=said,
        body=body,
        tail=tail,
        remote="203.0.113.7",
        **({"at": at} if at else {}),
    )


def _split(rest: bytes) -> tuple[dict[str, str], bytes]:
    if rest.startswith((b"\n", b"\r\n")):  # a request line and no header
        head, body = b"", rest.split(b"\n", 1)[1]
    else:
        parts = _BLANK.split(rest, maxsplit=1)
        head, body = parts[0], parts[1] if len(parts) > 1 else b""
    headers = {
        found[1].decode().lower(): found[2].decode("utf-8", "replace").strip()
        for line in head.splitlines()
        if (found := _HEADER.match(line))
    }
    length = headers.get("content-length", "")
    if length.isdecimal():
        return headers, body[: int(length)]
    return headers, body.removesuffix(b"\n").removesuffix(b"\r")
