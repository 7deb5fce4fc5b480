"""From the bytes of a request to one mapping of fields: urlencoded with PHP brackets, multipart, JSON."""

from __future__ import annotations

import io
import re
from collections import Counter
from typing import Any
from urllib.parse import unquote_to_bytes

from werkzeug.exceptions import RequestEntityTooLarge
from werkzeug.formparser import MultiPartParser
from werkzeug.http import parse_options_header

from hub import jsonbody, phpform
from hub.errors import Rejected
from hub.model import Request

MAX_FIELDS = 10_000
MAX_PARTS = 1_000
#: bytes of the headers of one part, and of all of them; werkzeug's parser is slow on them
MAX_PART_HEADERS = 8_192
MAX_HEADERS = 262_144
#: what a sender may call its letters; Python knows many more codecs, some of which are no alphabets at all
CHARSETS = re.compile(
    r"(utf-?(8|16|16le|16be)|(windows-|cp-?)(125[0-8]|866|1125)|koi8-[rut]|iso-?8859-\d{1,2}|latin-?1)$", re.I
)


def read(request: Request) -> dict[str, Any]:
    """Return the fields of the body. Uploaded files are told by name, size and type; their content is dropped.

    Raises `Rejected` 400 if the body can't be understood, 413 if it holds too much.
    """
    kind = request.content_type
    start = request.body.lstrip()[:1]
    if kind == "multipart/form-data":
        return _multipart(request)
    if kind.endswith("json") or (kind != "application/x-www-form-urlencoded" and start in (b"{", b"[", b"\xef")):
        return _json(request.body)
    return phpform.decode(_lists(_urlencoded(request)))


def _json(body: bytes) -> dict[str, Any]:
    value = _clean(jsonbody.loads(body))
    if isinstance(value, dict):
        return value
    if isinstance(value, list) and value and all(isinstance(item, dict) and "name" in item for item in value):
        # jQuery's serializeArray(): [{"name": "phone", "value": "067..."}]
        pairs = [(str(item["name"]), item.get("value")) for item in value]
        return phpform.decode(_lists(pairs))
    raise Rejected(400, "the JSON body is no object with form fields")


def _clean(value: Any) -> Any:
    """Return the value without NUL characters, which no text column takes."""
    if isinstance(value, str):
        return value.replace("\0", "")
    if isinstance(value, list):
        return [_clean(item) for item in value]
    if isinstance(value, dict):
        return {_clean(key): _clean(item) for key, item in value.items()}
    return value


def _urlencoded(request: Request) -> list[tuple[str, str]]:
    if request.body.count(b"&") >= MAX_FIELDS:
        raise Rejected(413, f"more than {MAX_FIELDS} form fields")
    charset = _charset(request)
    pairs = [part.partition(b"=") for part in request.body.strip().split(b"&") if part]
    return [(_text(name, charset), _text(value, charset)) for name, _, value in pairs]


def _charset(request: Request) -> str:
    told = str(parse_options_header(request.headers.get("content-type", ""))[1].get("charset", ""))
    return told if CHARSETS.match(told) else "utf-8"


def _text(value: bytes, charset: str) -> str:
    """Return percent-encoded text: UTF-8 if it is that, else as declared, else Windows-1251 as old sites write."""
    value = unquote_to_bytes(value.replace(b"+", b" "))
    for name in ("utf-8", charset, "windows-1251"):
        try:
            return value.decode(name).replace("\0", "")
        except (UnicodeDecodeError, LookupError, ValueError):
            continue
    return value.decode("utf-8", "replace").replace("\0", "")


def _multipart(request: Request) -> dict[str, Any]:
    boundary = parse_options_header(request.headers.get("content-type", ""))[1].get("boundary", "")
    if not boundary:
        raise Rejected(400, "the multipart body is broken: its content-type names no boundary")
    mark = b"--" + boundary.encode("latin-1", "replace")
    _check_headers(request.body, mark)
    parser = MultiPartParser(
        stream_factory=lambda *args, **kwargs: io.BytesIO(),
        max_form_memory_size=len(request.body),
        max_form_parts=MAX_PARTS,
    )
    try:
        form, files = parser.parse(io.BytesIO(request.body), mark[2:], len(request.body))
    except RequestEntityTooLarge:
        raise Rejected(413, f"more than {MAX_PARTS} form fields") from None
    except ValueError as error:
        raise Rejected(400, f"the multipart body is broken: {str(error)[:100]}") from None
    pairs: list[tuple[str, Any]] = [(name or "", value.replace("\0", "")) for name, value in form.items(multi=True)]
    for name, file in files.items(multi=True):
        if file.filename:
            size = file.stream.seek(0, io.SEEK_END)
            pairs.append((name or "", f"{file.filename} ({size} bytes, {file.mimetype}; the content is not kept)"))
    return phpform.decode(_lists(pairs))


def _check_headers(body: bytes, mark: bytes) -> None:
    """Raise `Rejected` where the headers of a part don't end soon, or all together are too many."""
    if body.count(mark) > MAX_PARTS + 1:
        raise Rejected(413, f"more than {MAX_PARTS} form fields")
    at, total = body.find(mark), 0
    while at >= 0:
        begins = at + len(mark)
        window = body[begins : begins + MAX_PART_HEADERS]
        ends = _HEADERS_END.search(window)
        if ends is None and len(window) == MAX_PART_HEADERS:
            raise Rejected(413, f"a part of the multipart body has over {MAX_PART_HEADERS} bytes of headers")
        total += ends.start() if ends is not None else len(window)
        if total > MAX_HEADERS:
            raise Rejected(413, f"the parts of the multipart body have over {MAX_HEADERS} bytes of headers")
        at = body.find(mark, begins)


_HEADERS_END = re.compile(rb"^--|\r\n\r\n|\n\n|\r\r")


def _lists(pairs: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """Let a bare name that comes several times (check boxes of one group) be a list, not the last one alone."""
    counts = Counter(name for name, _ in pairs if "[" not in name)
    return [(f"{name}[]" if counts.get(name, 0) > 1 else name, value) for name, value in pairs]
