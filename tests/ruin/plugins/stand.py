"""The plugin of the storms: takes JSON messages, and acts at a `tests.ruin.vendor` stand-in over HTTP.

It stands in a `plugins_dir`, as an administrator's own plugin would.
"""

from __future__ import annotations

import datetime as dt
import json
import os
from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import urlsplit

import marshmallow as ma

from hub import jsonbody, outcome
from hub.connector import ActionKind, ConnectionInfo, Connector, EventKind, Limits, Settings
from hub.errors import Gone, Rejected, Retry
from hub.hookspecs import hookimpl
from hub.model import Action, Done, Event, Receipt, Record, Request

if pauses := os.environ.get("HUB_RUIN_BACKOFF"):  # the storms can't wait 75 hours; set before the hub forks
    outcome.BACKOFF = tuple(float(seconds) for seconds in pauses.split(","))

STAGES = ["new", "to_ship", "shipped", "at_branch", "won"]


class StandSettings(Settings):
    """Where the stand-in is, and how long a lost create takes to be visible."""

    url = ma.fields.String(load_default="http://127.0.0.1:1", metadata={"help": "the stand-in"})
    secret = ma.fields.String(load_default="let-me-in-please", metadata={"secret": True, "help": "shared secret"})
    settle = ma.fields.Float(load_default=1.0, metadata={"help": "seconds"})
    timeout = ma.fields.Float(load_default=10.0, metadata={"help": "seconds"})
    parallel = ma.fields.Integer(load_default=32, metadata={"help": "calls in flight"})


class Stand(Connector):
    """Both ends in one: `{"id", "events": [{"type", "subject", "record", "at"?, "hint"?}]}` in, records out."""

    name = "stand"
    title = "Stand-in"
    docs_url = "https://example.com"
    Settings = StandSettings
    events = (
        EventKind("form.submitted", "form"),
        EventKind("parcel.status_changed", "parcel"),
        EventKind("deal.updated", "deal"),
        EventKind("deal.stage_changed", "deal"),
    )
    actions = (
        ActionKind("lead.create", marker="MARK"),
        ActionKind("deal.set_stage", idempotent=True),
        ActionKind("deal.update", idempotent=True),
    )
    vendor_field = r"[A-Z][A-Z_]*"

    def __init__(self, connection: ConnectionInfo, settings: Mapping[str, Any]) -> None:
        super().__init__(connection, settings)
        self.settle = settings["settle"]  # type: ignore[misc]

    def limits(self) -> Limits:
        """As fast as it goes."""
        return Limits(1e6, 1_000_000, self.settings["parallel"], timeout=self.settings["timeout"])

    def hosts(self) -> Iterable[str]:
        """The stand-in's host."""
        return [urlsplit(self.settings["url"]).hostname or ""]

    def verify(self, request: Request) -> None:
        """A shared secret in a header."""
        if request.headers.get("x-secret") != self.settings["secret"]:
            raise Rejected(403, "wrong secret")

    def receipt_key(self, request: Request) -> str:
        """The message's own id."""
        return str(jsonbody.loads(request.body)["id"])

    def parse(self, receipt: Receipt) -> list[Event]:
        """As many events as the body lists."""
        return [
            Event(
                one["type"], one["subject"], f"{receipt.key}:{n}", one.get("record", {}),
                dt.datetime.fromtimestamp(one["at"], dt.UTC) if "at" in one else None,
                channel="form", incomplete=one.get("hint", False),
            )
            for n, one in enumerate(json.loads(receipt.request.body)["events"])
        ]  # fmt: skip

    def _ask(self, what: str, changes: bool, **body: Any) -> Any:
        answer = self.http.post(f"{self.settings['url']}/{what}", json=body, changes=changes)
        if answer.status == 503:
            raise Retry("HTTP 503")
        if answer.status == 404:
            raise Gone("not found")
        return answer.raise_for_status().json()

    def complete(self, events: list[Event], needs: frozenset[str]) -> list[Event]:
        """One look for all hints."""
        return [events[-1].with_(record={"deal": self.get("deal", events[0].subject.partition(":")[2])})]

    def find(self, record: str, by: Mapping[str, Any], limit: int = 50) -> list[Record]:
        """Search by marker or field."""
        words = {"MARK" if key == "marker" else key: value for key, value in by.items() if key != "since"}
        return self._ask("find", False, kind=record, by=words)["items"][:limit]

    def get(self, record: str, id: str) -> Record:
        """Read one record."""
        return self._ask("get", False, kind=record, id=id)

    def stage_order(self, record: str, stage: str) -> list[str]:
        """One pipeline."""
        return STAGES

    def perform(self, action: Action) -> Done:
        """Create with our marker, or update."""
        if action.verb == "create":
            made = self._ask("create", True, kind=action.record, marker=action.marker, values=action.values)
            return Done(made, made["id"])
        done = self._ask("update", True, kind=action.record, id=action.id, values=action.values)
        return Done(done, action.id, written=dict(action.values))


@hookimpl
def hub_connectors() -> list[type[Connector]]:
    """Bring the connector."""
    return [Stand]
