"""Where a lead came from: marks of the campaign, click and session identifiers, for the deal to carry along."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qsl, urlsplit

from plugins.calltouch.reading import Lead

_UTM = ("utm_source", "utm_medium", "utm_campaign", "utm_content", "utm_term")
_CLICKS = ("gclid", "yclid", "fbclid", "ymclid")
#: the vendor's own words, kept beside ours: a route may say `source.medium`, `source.ctClientId`
OWN = ("source", "medium", "keyword", "ctClientId", "ctCallerId", "ctGlobalId", "yaClientId", "clientId", "city")
_TOO_LONG = 4_000


def of(lead: Lead, channel: str) -> dict[str, Any]:
    """Return the `source` record.

    The marks are the vendor's where it tells any, else those in the address of the page; never mixed of two visits.
    `client_id` is Calltouch's id of the browser (`ctClientId`), else the one of Metrica or Analytics.
    """
    pages = [lead.get(name) for name in ("url", "callUrl", "requestUrl")]
    queries = [_query(page) for page in pages]
    source: dict[str, Any] = {"channel": channel}
    for place in (lead.values, *queries):
        if marks := {name: place[name] for name in _UTM if place.get(name)}:
            source |= marks
            break
    for name in _CLICKS:
        if value := next((place[name] for place in (lead.values, *queries) if place.get(name)), ""):
            source[name] = value
    known = {
        "session_id": lead.get("sessionId"),
        "client_id": next((v for n in ("ctClientId", "yaClientId", "clientId") if (v := lead.get(n))), ""),
        "referer": lead.get("ref"),
        "page": lead.get("callUrl") or lead.get("requestUrl") or lead.get("url"),
        "ip": lead.get("ip"),
    }
    source |= {name: value for name, value in known.items() if value and value != "0"}
    if extra := {name: value for name in OWN if (value := lead.get(name))}:
        source["extra"] = extra
    return source


def words(lead: Lead) -> str:
    """Return the source in one line, for a note: `google / cpc / spring`."""
    parts = (lead.get("source") or lead.get("utm_source"), lead.get("medium") or lead.get("utm_medium"))
    return " / ".join(part for part in (*parts, lead.get("utm_campaign")) if part)


def _query(address: str) -> dict[str, str]:
    try:
        pairs = parse_qsl(urlsplit(address[:_TOO_LONG]).query, max_num_fields=200)
    except ValueError:
        return {}
    return {name.lower(): value.strip() for name, value in reversed(pairs) if value.strip()}
