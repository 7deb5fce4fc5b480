"""Action -> call; answer -> result. Pure."""

from __future__ import annotations

import csv
import datetime as dt
import io
import posixpath
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote, urlencode, urlsplit

import orjson
from urllib3.filepost import encode_multipart_formdata

from hub.errors import Refused
from hub.model import Action, Done
from hub.session import Answer

BODIES = ("json", "form", "text", "csv")
VALUES = ("path", "url", "query", "headers", *BODIES)
#: longest text of an answer that is kept for later steps
LONGEST = 65_536
_BOUNDARY = "hub-7MA4YWxkTrZu0gW"
_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
_TELLING = re.compile(r"auth|token|secret|key|cookie", re.IGNORECASE)


@dataclass(slots=True)
class Call:
    """One HTTP call. `own` says that it goes to the configured address, so our credentials may go along."""

    method: str
    url: str
    own: bool
    headers: dict[str, str] = field(default_factory=dict)
    query: dict[str, Any] = field(default_factory=dict)
    body: bytes = b""


def call_of(action: Action, base_url: str) -> Call:
    """Return the call that an `http.*` action describes. Raises `Refused` if it can't be made."""
    values = action.values
    url, own = address(values, base_url)
    call = Call(action.verb.upper(), url, own, _headers(values.get("headers") or {}, own))
    query = values.get("query") or {}
    if not isinstance(query, Mapping):
        raise Refused("query must be a mapping of names to values", {"query": "no mapping"})
    call.query = {str(name): value for name, value in query.items() if value not in (None, "")}
    given = [name for name in BODIES if values.get(name) is not None]
    if len(given) > 1:
        raise Refused(f"one body at a time, not {' and '.join(given)}", {given[1]: "second body"})
    if given:
        kind, call.body = _ENCODE[given[0]](values[given[0]])
        call.headers = {"Content-Type": kind, **call.headers}
    return call


def address(values: Mapping[str, Any], base_url: str) -> tuple[str, bool]:
    """Return the address and whether it lies under `base_url`: only there do our credentials go."""
    url, path = str(values.get("url") or ""), str(values.get("path") or "")
    if url and path:
        raise Refused("either path or url, not both", {"url": "stands beside path"})
    if not url:
        if not base_url:
            raise Refused("no address: give url in the step, or base_url in the connection", {"url": "missing"})
        url = f"{base_url.rstrip('/')}/{path.lstrip('/')}" if path else base_url
        if not _under(url, base_url):
            raise Refused(f"the path leads out of {base_url}", {"path": "leads elsewhere"})
        return url, True
    return url, bool(base_url) and _under(url, base_url)


def _under(url: str, base_url: str) -> bool:
    if re.search(r"[\x00-\x20\x7f\\]", url):
        return False
    try:
        ours, theirs = urlsplit(base_url), urlsplit(url)
        same = (ours.scheme, ours.hostname, ours.port) == (theirs.scheme, theirs.hostname, theirs.port)
    except ValueError:
        return False
    root, path = ours.path.rstrip("/"), unquote(theirs.path)
    real = posixpath.normpath(path or "/")
    return same and "@" not in theirs.netloc and ".." not in path.split("/") and f"{real}/".startswith(f"{root}/")


def _headers(given: Any, own: bool) -> dict[str, str]:
    if not isinstance(given, Mapping):
        raise Refused("headers must be a mapping of names to texts", {"headers": "no mapping"})
    headers = {str(name): str(value) for name, value in given.items() if value not in (None, "")}
    for name, value in headers.items():
        if not re.fullmatch(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+", name) or not re.fullmatch(
            r"[\t\x20-\x7e\x80-\xff]*", value
        ):
            raise Refused(f"header {name[:40]!r} holds characters that no header may", {"headers": name[:40]})
        if not own and _TELLING.search(name):
            raise Refused(f"header {name} is not sent to an address that isn't under base_url", {"headers": name})
    return headers


# --- bodies -----------------------------------------------------------------------------------------------------------


def _json(value: Any) -> tuple[str, bytes]:
    return "application/json", orjson.dumps(value, default=str)


def _form(value: Any) -> tuple[str, bytes]:
    if not isinstance(value, Mapping):
        raise Refused("form must be a mapping of names to values", {"form": "no mapping"})
    return "application/x-www-form-urlencoded", urlencode(dict(value), doseq=True).encode()


def _text(value: Any) -> tuple[str, bytes]:
    return "text/plain; charset=utf-8", str(value).encode("utf-8", "replace")


def _csv(value: Any) -> tuple[str, bytes]:
    """Return the rows as an uploaded file named `file`, with one column for each name that any row has."""
    rows = value if isinstance(value, list) else [value]
    if not rows or not all(isinstance(row, Mapping) for row in rows):
        raise Refused("csv must be a list of rows", {"csv": "no rows"})
    columns = list(dict.fromkeys(str(name) for row in rows for name in row))
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, columns, restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows({str(name): "" if item is None else item for name, item in row.items()} for row in rows)
    file = ("rows.csv", text.getvalue().encode(), "text/csv")
    body, kind = encode_multipart_formdata([("file", file)], _BOUNDARY)
    return kind, body


_ENCODE = {"json": _json, "form": _form, "text": _text, "csv": _csv}


# --- Standard Webhooks ------------------------------------------------------------------------------------------------


def event_body(values: Mapping[str, Any], at: dt.datetime) -> bytes:
    """Return the payload of Standard Webhooks: `{"type", "timestamp", "data"}`; `at` is when it happened."""
    payload = {"type": str(values["type"]), "timestamp": at.astimezone(dt.UTC).isoformat(), "data": values.get("data")}
    return orjson.dumps(payload, default=str)


# --- answers ----------------------------------------------------------------------------------------------------------


def done(answer: Answer) -> Done:
    """Return `{status, json, text}` for later steps, and `id` if the JSON names one. Texts are cut at 64 K."""
    result: dict[str, Any] = {"status": answer.status, "text": answer.text[:LONGEST], "json": None}
    if answer.body.lstrip()[:1] in (b"{", b"[") and answer.json_fits:
        try:
            result["json"] = orjson.loads(answer.body)
        except orjson.JSONDecodeError:
            return Done(result)
        id = result["json"].get("id") if isinstance(result["json"], dict) else None
        if isinstance(id, (str, int)) and not isinstance(id, bool):
            result["id"] = str(id)
    return Done(result)
