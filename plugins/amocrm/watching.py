"""Polls: what webhooks have missed, out of the account's feed of events; and whether the webhook is still switched on.

https://www.amocrm.ru/developers/content/crm_platform/events-and-notes, https://www.amocrm.ru/developers/content/
crm_platform/webhooks-api: more than a hundred bad answers within two hours switch a webhook off, for good.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson

from hub.errors import Refused
from hub.model import Finding, Poll, Request
from plugins.amocrm import codes, incoming
from plugins.amocrm.client import Client
from plugins.amocrm.records import id_of
from plugins.amocrm.refusals import Invalid

#: seconds that two polls overlap: clocks differ, and an event may be listed a little after its time
OVERLAP = 120
#: pages one poll walks; the next goes on where it stopped, in the same span of time
PAGES = 10
#: how long an alert tells that the webhook was put back, in seconds: long enough for somebody to see it
TELL = 24 * 3600.0
#: kinds of events asked for by name; the account's own fields are asked for with custom_field_value_changed
_TYPES = ",".join(codes.FEED)


@dataclass
class _Walked:
    """Some pages of the feed."""

    rows: list[dict[str, Any]] = field(default_factory=list)
    more: int = 0


class Watching:
    """The polls of one account."""

    def __init__(self, client: Client, settings: Mapping[str, Any], callback_url: str) -> None:
        self._client, self._settings, self.callback = client, settings, callback_url

    # --- the feed ----------------------------------------------------------------------------------

    def events(self, cursor: Any, now: dt.datetime) -> Poll:
        """Ask for the events since the last poll. The first one only remembers the time: what was is history.

        A span of time that is over is walked page by page, so that new events don't shift the pages.
        """
        cursor = cursor if isinstance(cursor, Mapping) else {}
        moment = int(now.timestamp())
        if not cursor.get("since"):
            return Poll([], {"since": moment})
        since, page = int(cursor["since"]), int(cursor.get("page") or 1)
        until = int(cursor.get("until") or moment)
        span = {"created_at": {"from": since - OVERLAP, "to": until}}
        every = bool(cursor.get("every"))
        try:
            found = self._walk(span if every else {**span, "type": _TYPES}, page)
        except Refused as error:
            if every or error.vendor_code != "400":
                raise
            every, found = (
                True,
                self._walk(span, page),
            )  # an account that doesn't know one of the kinds is asked for all
        receipts = [_receipt(row, now) for row in found.rows if id_of(row.get("id")) and _is_told(row)]
        kept = {"every": True} if every else {}
        if found.more:
            return Poll(receipts, {"since": since, "until": until, "page": found.more, **kept}, next_in=1.0)
        return Poll(receipts, {"since": until, **kept})

    def _walk(self, wanted: Mapping[str, Any], first: int) -> _Walked:
        """Return the events of some pages, and the page to go on with (0: none)."""
        found = _Walked()
        pages = self._client.pages("events", {"filter": wanted}, page_size=codes.EVENTS_PAGE, first=first)
        for walked, rows in enumerate(pages, 1):
            found.rows += rows
            if walked >= PAGES:
                found.more = first + walked
                break
        return found

    # --- the webhook -------------------------------------------------------------------------------

    def destination(self, callback_url: str = "") -> str:
        """Return the address that amoCRM posts to: the hub's door, the secret word, and a slash.

        Kommo is reported to refuse an address without one at its end; the door takes both.
        """
        return f"{(callback_url or self.callback).rstrip('/')}/{self._settings['hook_secret']}/"

    def registered(self) -> Mapping[str, Any] | None:
        """Return the hub's own webhook as the account has it, None if there is none."""
        wanted = self.destination().rstrip("/")
        # The filter takes the exact address; an administrator may have typed it without its slash, so all are read.
        for row in self._client.rows("webhooks", limit=1000):
            if str(row.get("destination") or "").rstrip("/") == wanted:
                return row
        return None

    def subscribe(self, callback_url: str = "") -> list[Finding]:
        """Register the webhook with all its events; the same address again changes the one that is there.

        Whether a second registration joins or replaces the list isn't documented: the whole list is sent each time.
        What an account's plan or brand doesn't know is left out and told.
        """
        if not self._settings["hook_secret"]:
            return [
                Finding("problem", "hook_secret isn't set", "make up a long word of letters and put it into hub.yaml")
            ]
        address = self.destination(callback_url)
        settings, left_out = [*codes.SETTINGS, *codes.MORE_SETTINGS], []
        while True:
            try:
                self._register(address, settings)
                break
            except Refused as error:
                unknown = _unknown(error, settings)
                if error.vendor_code != "400" or not unknown:
                    raise
                left_out.append(unknown)
                settings.remove(unknown)
        shown = address.replace(self._settings["hook_secret"], "***")
        found = [Finding("ok", f"the webhook {shown} is registered, with {len(settings)} events")]
        if left_out:
            found.append(Finding("ok", f"this account doesn't know {', '.join(left_out)}"))
        return found

    def _register(self, address: str, settings: list[str]) -> None:
        self._client.post("webhooks", {"destination": address, "settings": settings, "sort": 10}, changes=False)

    def watch(self, cursor: Any, now: dt.datetime) -> Poll:
        """See whether the webhook is on; put one back that was switched off, and say so for a day.

        One that isn't there is only told: where the hub was never connected, nobody asked for it.
        """
        cursor = dict(cursor) if isinstance(cursor, Mapping) else {}
        hook = self.registered()
        findings = []
        if hook is None:
            words = "no webhook of the hub is registered at the account: changes are found by the poll alone"
            findings.append(Finding("problem", words, "hub connect, then hub check --live"))
        elif hook.get("disabled"):
            settings = [str(one) for one in hook.get("settings") or []] or list(codes.SETTINGS)
            self._register(str(hook.get("destination")), settings)
            cursor["put_back"] = now.timestamp()
        if now.timestamp() - float(cursor.get("put_back") or 0) < TELL:
            when = dt.datetime.fromtimestamp(float(cursor["put_back"]), dt.UTC).strftime("%Y-%m-%d %H:%M UTC")
            words = f"amoCRM had switched the webhook off (over 100 bad answers in two hours); put back at {when}"
            remedy = "Find out why the hub didn't answer then; what was missed comes by the poll of events"
            findings.append(Finding("warning", words, remedy))
        return Poll([], cursor, findings=findings)


def _is_told(row: Mapping[str, Any]) -> bool:
    """Tell the events that mean something to the hub; a feed asked for all kinds brings many more."""
    type_ = str(row.get("type") or "")
    return type_ in codes.FEED or (type_.startswith("custom_field_") and type_.endswith("_value_changed"))


def _unknown(error: Refused, settings: list[str]) -> str:
    """Return which of the events an account refuses: the one it names (`settings.29`), else the last optional one."""
    if isinstance(error, Invalid):
        for path in error.paths:
            head, _, place = path.partition(".")
            if head == "settings" and place.isdigit() and int(place) < len(settings):
                return settings[int(place)]
    optional = [one for one in settings if one in codes.MORE_SETTINGS]
    return optional[-1] if optional else ""


def _receipt(row: Mapping[str, Any], now: dt.datetime) -> tuple[str, Request]:
    kept = {key: value for key, value in row.items() if key not in ("_links", "_embedded", "account_id")}
    headers = {"content-type": "application/json"}
    body = orjson.dumps({"event": kept})
    return f"event:{id_of(row.get('id'))}", Request(incoming.POLLED, "/poll/events", headers=headers, body=body, at=now)
