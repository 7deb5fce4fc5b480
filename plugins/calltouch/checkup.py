"""`hub check --live` and `hub connect`: are the tokens good, is the zone right, and what to click in the cabinet."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable, Mapping
from typing import Any
from zoneinfo import ZoneInfo

from hub.errors import AuthFailed, HubError, Refused
from hub.model import Finding
from plugins.calltouch import codes, dates
from plugins.calltouch.client import Client, Row

_SHORT = 16


def check(client: Client, settings: Mapping[str, Any], zone: ZoneInfo, now: dt.datetime) -> list[Finding]:
    """Ask both journals and lead-service; changes nothing there."""
    today = now.astimezone(zone).date()
    yesterday = today - dt.timedelta(days=1)  # a cabinet whose clock is behind writes of now under that date
    found = [_secret(settings)]
    if settings["client_api_id"]:
        rows: list[Row] = []
        found.append(_asked("the journal of calls", lambda: rows.extend(client.calls(yesterday, today))))
        found.append(_asked("the journal of requests", lambda: client.requests(yesterday, today)))
        found += _zone(rows, zone)
    else:
        found.append(
            Finding(
                "warning",
                "client_api_id is not set: a lost hook stays lost, and doubtful requests can't be looked for",
                "cabinet: Integrations - sending data to external systems - API, copy the token of a login",
            )
        )
    if settings["access_token"]:
        found.append(_asked("lead-service", lambda: client.lead("client-order/update", {"orders": []}, False), True))
    else:
        found.append(
            Finding("warning", "access_token is not set: no deals, tags or comments", "cabinet: the API key, same page")
        )
    return found


def _asked(what: str, ask: Callable[[], Any], empty: bool = False) -> Finding:
    """Say whether a question was answered. `empty`: it asked for nothing, so a refusal too shows a good token."""
    try:
        ask()
    except AuthFailed as error:
        return Finding("problem", f"{what}: {error.reason}", "renew the token in hub.yaml, and compare site_id")
    except Refused as error:
        if empty:
            return Finding("ok", f"{what} takes the token")
        return Finding("problem", f"{what}: {error.reason}", "compare site_id and base_url with the cabinet")
    except HubError as error:
        return Finding("warning", f"{what}: {error}", "Calltouch may be ill; try again later")
    return Finding("ok", f"{what} answers")


def _secret(settings: Mapping[str, Any]) -> Finding:
    if min(map(len, (settings["secret"], *settings["secrets"]))) < _SHORT:
        return Finding(
            "warning",
            f"a secret is shorter than {_SHORT} characters; it is all that protects the hook",
            "make one with `openssl rand -hex 16`, keep the old one in `secrets` until the hooks are changed",
        )
    return Finding("ok", "the secrets are long enough")


def _zone(rows: Iterable[Row], zone: ZoneInfo) -> list[Finding]:
    """Compare the clock on the wall with `timestamp`, where a recent call has both."""
    for row in rows:
        told, local = dates.epoch(row.get("timestamp")), dates.wall(row.get("date"))
        if told is None or local is None:
            continue
        hours = round((dates.instant(local, zone) - told).total_seconds() / 3600)
        if hours:
            return [
                Finding(
                    "problem",
                    f"the cabinet's clock is {abs(hours)} h {'behind' if hours > 0 else 'ahead of'} {zone.key}",
                    "set `timezone` of the connection to the cabinet's",
                )
            ]
        return [Finding("ok", f"the cabinet's clock shows {zone.key}")]
    return []


def connect(callback_url: str, settings: Mapping[str, Any]) -> list[Finding]:
    """Return what to click: Calltouch has no API for hooks."""
    address = f"{callback_url}/<the value of `secret`>"
    ticks = [f"{name} ({why})" for name, why in codes.NEEDED.items()]
    allowed = ", ".join(settings["addresses"]) or f"any address (Calltouch's own: {', '.join(codes.SENDERS)})"
    return [
        Finding(
            "warning",
            "hooks are made by hand: cabinet, Integrations - sending data to external systems - Webhooks",
            f"add a hook for leads, method POST, address {address}",
        ),
        Finding("warning", "moments: request fixed, call start, call end", "tick all three"),
        Finding("warning", "fields to tick at least", "; ".join(ticks)),
        Finding("warning", "fields worth ticking", ", ".join(codes.USEFUL)),
        Finding(
            "ok",
            "hooks for deals and chats, if you want them, are hooks of their own",
            f"addresses {address}/deals and {address}/chats",
        ),
        Finding("ok", f"hooks are let in from {allowed}", "the setting `addresses`"),
    ]
