"""Where a visitor came from: utm marks, click and session identifiers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from plugins.form.codes import CLICKS, UTM

_TOO_LONG = 2_000


def of(fields: Mapping[str, str], page: str, referer: str, cookies: str) -> dict[str, Any]:
    """Return the `source` record. `fields` are texts by lower-case name.

    The utm marks are taken together from the first place that has any (the fields, the page's address, the referer,
    Tilda's first-touch cookie), so that two visits are never mixed. Identifiers are taken one by one, same order.
    """
    jar = dict(_cookies(cookies))
    places = [fields, _query(page), _query(referer), _tilda(jar), jar]
    source: dict[str, Any] = {"channel": "form"}
    for place in places:
        if marks := {name: place[name] for name in UTM if place.get(name)}:
            source |= marks
            break
    for place in places:
        for theirs, ours in CLICKS.items():
            if value := place.get(theirs):
                source.setdefault(ours, _client(value) if theirs == "_ga" else value)
    if page:
        source["page"] = page
    if referer:
        source["referer"] = referer
    return source


def _query(address: str) -> dict[str, str]:
    try:
        pairs = parse_qsl(urlsplit(address[:_TOO_LONG]).query, max_num_fields=100)
    except ValueError:
        return {}
    return {name.lower(): value for name, value in reversed(pairs)}


def _cookies(text: str) -> Iterator[tuple[str, str]]:
    """Yield name and value of each cookie in a `document.cookie` string."""
    for part in text[:20_000].split(";"):
        name, equals, value = part.strip().partition("=")
        if equals:
            yield name, unquote(value)


def _tilda(jar: Mapping[str, str]) -> dict[str, str]:
    """Read Tilda's first-touch marks: `TILDAUTM` = `utm_source=vk|||utm_medium=social|||`."""
    marks = (part.partition("=") for part in jar.get("TILDAUTM", "").split("|||"))
    return {name.strip(): unquote(value) for name, _, value in marks if value}


def _client(cookie: str) -> str:
    """Return the client id in Google's cookie: `1.2` in `GA1.2.1.2`."""
    parts = cookie.split(".")
    return ".".join(parts[2:]) if len(parts) > 3 and parts[0].startswith("GA") else cookie
