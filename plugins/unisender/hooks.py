"""Webhooks of both products: registered, looked after, put back when the vendor has stopped one.

A hook that didn't answer 200 for 24 hours is set to `stopped` and stays so. The hub looks every ten minutes; one that
a person has switched off (`disabled`) or deleted is told of and left alone.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from hub.errors import HubError, Refused
from hub.model import Finding, Poll
from plugins.unisender import schemas, values
from plugins.unisender.client import Client, objects
from plugins.unisender.go_client import GoClient
from plugins.unisender.watching import receipt

KIND = "hook"
EVERY = 600.0
#: one call at a time, up to 100 events each: with more, a letter's statuses overtake each other
PARALLEL = 1
_COMPRESSED = ("gzip", "bzip", "compress")


@dataclass(frozen=True)
class Hook:
    """A webhook as the vendor lists it."""

    url: str
    status: str
    format: str = ""


class Registrar(Protocol):
    """Where webhooks are registered; `missed` says what becomes of events while one is stopped."""

    missed: str

    def hooks(self) -> list[Hook]:
        """List all of the account."""

    def set(self, url: str) -> None:
        """Register one, active; the same address again replaces it."""


class ClassicHooks:
    """setHook and listHooks; the members of listHooks' answer are not confirmed, so both usual names are read."""

    missed = "was not told: look at reports in the cabinet"

    def __init__(self, client: Client, events: list[str]) -> None:
        self._client, self._events = client, events

    def hooks(self) -> list[Hook]:
        """List all of the account."""
        return [_hook(row) for row in objects(self._client.call("listHooks", {}))]

    def set(self, url: str) -> None:
        """Register one, active, grouped and uncompressed."""
        params = {
            "hook_url": url,
            "event_format": "json_post",
            "events": dict.fromkeys(self._events, "*"),
            "single_event": "0",
            "max_parallel": PARALLEL,
            "status": "active",
        }
        self._client.call("setHook", params, changes=False)


class GoHooks:
    """webhook/set and webhook/list."""

    missed = "is looked for in the vendor's dumps of events"

    def __init__(self, client: GoClient) -> None:
        self._client = client

    def hooks(self) -> list[Hook]:
        """List all of the account or project."""
        return [_hook(row) for row in objects(self._client.call("webhook/list", {}, changes=False).get("objects"))]

    def set(self, url: str) -> None:
        """Register one, active, with what the receiving servers say."""
        body = {
            "url": url,
            "status": "active",
            "event_format": "json_post",
            "delivery_info": 1,
            "single_event": 0,
            "max_parallel": PARALLEL,
            "events": {"spam_block": ["*"], "email_status": list(schemas.GO_STATUSES)},
        }
        self._client.call("webhook/set", body, changes=False)


def _hook(row: Mapping[str, Any]) -> Hook:
    url = values.text(row.get("hook_url") or row.get("url"))
    return Hook(url, values.text(row.get("status")), values.text(row.get("event_format")))


def connect(registrar: Registrar, address: str) -> list[Finding]:
    """Register the hub at `address`, once however often it is called."""
    shown = _shown(address)
    try:
        registrar.set(address)
    except Refused as error:
        remedy = "the vendor tries the address while it registers it: is the hub running, and reachable from outside?"
        return [Finding("problem", f"the webhook {shown} was refused: {error.reason}", remedy)]
    found = [Finding("ok", f"the webhook {shown} is registered")]
    others = [one for one in registrar.hooks() if one.url != address and _root(one.url) == _root(address)]
    for one in others:
        words = f"another webhook leads to the hub too: {_shown(one.url)}"
        found.append(Finding("warning", words, "delete it in the cabinet: each event would come twice"))
    return found


def check(registrar: Registrar, address: str, name: str) -> list[Finding]:
    """Say whether the webhook is there and working."""
    if not address:
        return [Finding("warning", "no webhook can be looked for: hub.base_url isn't set", "set it, then hub connect")]
    ours = next((one for one in registrar.hooks() if one.url == address), None)
    if ours is None:
        return [Finding("problem", f"no webhook leads to {_shown(address)}", f"hub connect {name}")]
    if ours.status not in ("active", ""):
        return [Finding("problem", f"the webhook is {ours.status}: no events come", f"hub connect {name}")]
    if any(word in ours.format for word in _COMPRESSED):
        return [Finding("warning", f"the webhook's format is {ours.format}", f"hub connect {name} sets json_post")]
    return [Finding("ok", "the webhook is there and active")]


def keep(registrar: Registrar, address: str, cursor: Any, now: dt.datetime) -> Poll:
    """Look after the webhook; `cursor` is {"status"} as last seen ("" = none there)."""
    before = str(cursor.get("status") or "") if isinstance(cursor, Mapping) else ""
    ours = next((one for one in registrar.hooks() if one.url == address), None)
    status = (ours.status or "active") if ours is not None else ""
    words = ""
    if status == "stopped":
        try:
            registrar.set(address)
            status = "active"
            words = "Unisender had stopped the webhook (the hub didn't answer for 24 hours); it is put back. What "
            words += f"happened meanwhile {registrar.missed}"
        except HubError as error:
            status = "stopped, not put back"
            words = f"Unisender has stopped the webhook, and it can't be put back: {error}"
    elif status and status != "active" and before in ("", "active"):
        words = f"the webhook was switched off in the cabinet ({status}): no events come until `hub connect`"
    elif not status and before:
        words = "the webhook was deleted in the cabinet: no events come until `hub connect`"
    poll = Poll(cursor={"status": status})
    if words and (status != before or status == "active"):
        key = f"hook:{status or 'deleted'}:{now.isoformat(timespec='seconds')}"
        said = {"kind": KIND, "id": "", "status": status or "deleted", "text": words, "key": key}
        poll.receipts.append((key, receipt(said, now)))
    return poll


def _root(url: str) -> str:
    """Return an address up to the connection, without a secret end."""
    head, found, tail = url.partition("/in/")
    return head + found + tail.split("/", 1)[0]


def _shown(url: str) -> str:
    """Return an address for people: its secret end is nobody's business."""
    root = _root(url)
    return root if url == root else f"{root}/***"
