"""The declarations of the `standard` and `http` connectors."""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any, ClassVar
from urllib.parse import urlsplit

from hub.connector import ActionKind, ConnectionInfo, Connector, EventKind, Limits
from hub.errors import AuthFailed, HubError, Refused
from hub.events import KNOWN_EVENTS
from hub.model import Action, Done, Event, Finding, Receipt, Reply, Request
from hub.records import FIELDS
from plugins.standard import checkup, client, incoming, outgoing, signing
from plugins.standard.schemas import HttpSettings, StandardSettings

_HTTP = (
    ActionKind("http.get", idempotent=True, uncertain="repeat", fields=outgoing.VALUES),
    ActionKind(
        "http.post", fields=outgoing.VALUES, note="a lost answer is parked unless a key against doubles is sent"
    ),
    ActionKind("http.put", idempotent=True, uncertain="repeat", fields=outgoing.VALUES),
    ActionKind("http.patch", fields=outgoing.VALUES),
    ActionKind("http.delete", idempotent=True, uncertain="repeat", fields=outgoing.VALUES),
)
_REPEATABLE = tuple(replace(kind, idempotent=True, uncertain="repeat") for kind in _HTTP)


class _Calling(Connector):
    """What both have in common: an address to call."""

    #: a call leaves nothing that could be searched for
    settle = 0.0

    def limits(self) -> Limits:
        """Return the configured limits."""
        given = self.settings["limits"]
        per_second = given["per_second"]
        return Limits(per_second, max(1, int(per_second)), given["parallel"], timeout=given["timeout"])

    def hosts(self) -> Iterable[str]:
        """Return the host of `base_url`."""
        host = urlsplit(self.settings["base_url"]).hostname
        return (host.lower(),) if host else ()


class StandardConnector(_Calling):
    """Takes and sends signed webhooks of any system (https://www.standardwebhooks.com)."""

    name = "standard"
    title = "Standard Webhooks and other signed webhooks"
    docs_url = "https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md"
    Settings = StandardSettings
    events: ClassVar[tuple[EventKind, ...]] = tuple(
        EventKind(name, name.split(".")[0], note="if the setting `event`, or the message's own type, says so")
        for name in sorted(KNOWN_EVENTS)
        if name.split(".")[0] in FIELDS
    )
    actions = (
        ActionKind("event.send", ("type",), idempotent=True, uncertain="repeat", fields=("url", "type", "data")),
        *_REPEATABLE,  # the receiver knows a second sending by its webhook-id
    )

    def __init__(self, connection: ConnectionInfo, settings: Mapping[str, Any]) -> None:
        super().__init__(connection, settings)
        if event := settings["event"]:
            record = event.split(".")[0]
            named = tuple(ours.partition(".")[2] for ours in settings["read"] if ours.startswith(f"{record}."))
            self.events = (EventKind(event, record if record in FIELDS else "", fields=named),)  # type: ignore[misc]

    @classmethod
    def address_word(cls, settings: Mapping[str, Any]) -> str:
        """Return the first secret where `auth: url` puts it into the address."""
        return str(settings["secrets"][0]) if settings["auth"] == "url" and settings["secrets"] else ""

    def verify(self, request: Request) -> None:
        """Raise `Rejected` 401 unless the sender proves itself as `auth` says."""
        incoming.verify(request, self.settings)

    def receipt_key(self, request: Request) -> str:
        """Return the webhook-id, else the value at `key`, else a hash of the body."""
        return incoming.receipt_key(request, self.settings)

    def acknowledge(self, request: Request) -> Reply:
        """Say `ok`."""
        return Reply(200, "ok")

    def parse(self, receipt: Receipt) -> list[Event]:
        """Return the events that the message stands for."""
        return incoming.events(receipt, self.settings, self.connection.region, self.connection.timezone)

    def perform(self, action: Action) -> Done:
        """Send an event, or make a signed call."""
        message = _message(action)
        if action.record == "event":
            values = action.values
            url, own = outgoing.address({"url": values.get("url")}, self.settings["base_url"])
            happened = action.event.occurred_at if action.event else None
            body = outgoing.event_body(values, happened or dt.datetime.now(dt.UTC))
            call = outgoing.Call("POST", url, own, {"Content-Type": "application/json"}, body=body)
        else:
            call = outgoing.call_of(action, self.settings["base_url"])
        call.headers |= signing.sign(self.settings["secrets"][0], message, dt.datetime.now(dt.UTC), call.body)
        return outgoing.done(client.send(self.http, call, self.settings, repeatable=True))

    def check(self) -> list[Finding]:
        """Look at the secrets, and whether `base_url` answers where there is one; no message is sent."""
        base_url = self.settings["base_url"]
        return [*checkup.secrets(self.settings), *([checkup.answers(self.http, base_url)] if base_url else [])]


class HttpConnector(_Calling):
    """Calls any HTTP API; what comes back is there for later steps."""

    name = "http"
    title = "HTTP calls"
    docs_url = "https://www.rfc-editor.org/rfc/rfc9110"
    Settings = HttpSettings
    actions: ClassVar[tuple[ActionKind, ...]] = _HTTP

    def __init__(self, connection: ConnectionInfo, settings: Mapping[str, Any]) -> None:
        super().__init__(connection, settings)
        if settings["idempotency_header"]:
            self.actions = _REPEATABLE  # type: ignore[misc]

    def perform(self, action: Action) -> Done:
        """Make the call; our headers go along only under `base_url`."""
        call = outgoing.call_of(action, self.settings["base_url"])
        header = self.settings["idempotency_header"]
        if call.own:
            call.headers = {**self.settings["headers"], **call.headers}
        if header:
            call.headers[header] = _message(action)
        return outgoing.done(client.send(self.http, call, self.settings, repeatable=bool(header)))

    def check(self) -> list[Finding]:
        """GET `check_path` and say how it went."""
        if not self.settings["check_path"]:
            return []
        action = Action("http.get", "http", "get", {"path": self.settings["check_path"]})
        try:
            self.perform(action)
        except AuthFailed as error:
            return [Finding("problem", error.reason, "renew the token in the setting `headers`")]
        except Refused as error:
            return [Finding("problem", error.reason, "look at `base_url` and `check_path`")]
        except HubError as error:
            return [Finding("warning", error.reason, "the other side may be ill; try again later")]
        return [Finding("ok", f"{self.settings['base_url']} answers")]


def _message(action: Action) -> str:
    """Return the id of the message: the same however often this act is tried."""
    if action.marker:
        return action.marker
    event = action.event
    return f"{action.name}:{event.connection}:{event.key}" if event else str(uuid.uuid4())
