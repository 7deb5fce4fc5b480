"""The plugin the figures are taken with: JSON in, one POST out, through the ordinary contract."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from urllib.parse import urlsplit

import marshmallow as ma
import orjson

from hub.connector import ActionKind, Connector, EventKind, Limits, Settings
from hub.hookspecs import hookimpl
from hub.model import Action, Done, Event, Receipt, Request


class BenchSettings(Settings):
    """Where to post to."""

    url = ma.fields.String(load_default="", metadata={"help": "the sink"})
    parallel = ma.fields.Integer(load_default=64, metadata={"help": "calls in flight"})


class Bench(Connector):
    """Takes any JSON body, posts what a route maps."""

    name = "bench"
    title = "Bench"
    docs_url = "https://example.com"
    Settings = BenchSettings
    events = (EventKind("form.submitted", "form"),)
    actions = (ActionKind("lead.send", uncertain="repeat"),)

    def limits(self) -> Limits:
        """As fast as it goes."""
        return Limits(per_second=1e6, burst=1_000_000, parallel=self.settings["parallel"])

    def hosts(self) -> Iterable[str]:
        """The sink's host."""
        return [urlsplit(self.settings["url"]).hostname or ""]

    def verify(self, request: Request) -> None:
        """Take everything: the figures are about the hub."""

    def receipt_key(self, request: Request) -> str:
        """Hash the body."""
        return hashlib.blake2s(request.body).hexdigest()

    def parse(self, receipt: Receipt) -> list[Event]:
        """One form per body."""
        form = orjson.loads(receipt.request.body)
        contact = {"name": form["name"], "phone": form["phone"], "phones": [form["phone"]]}
        record = {"form": form, "contact": contact}
        return [Event("form.submitted", f"form:{receipt.key}", receipt.key, record, text="bench", channel="form")]

    def perform(self, action: Action) -> Done:
        """Post the values."""
        answer = self.http.post(self.settings["url"], json=action.values).raise_for_status()
        return Done({"status": answer.status})


@hookimpl
def hub_connectors() -> list[type[Connector]]:
    """Bring the connector."""
    return [Bench]
