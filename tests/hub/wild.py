"""A connector that does what a test tells it to, a configuration with it, and what its hub has stored."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import marshmallow as ma
from flask.testing import FlaskClient

from hub.connector import Connector, Settings
from hub.model import Event, Receipt, Reply, Request
from tests.hub.fakes import Box

YAML = """
hub: {base_url: "https://hub.example", unrouted: ignore}
connections:
  site: {plugin: source}
  wild: {plugin: wild, token: s3cret-word}
  wild2: {plugin: wild, token: other-word}
  small: {plugin: small}
"""

Answer = Callable[[Request], Any]


class WildSettings(Settings):
    token = ma.fields.String(metadata={"secret": True})


class Wild(Connector):
    """Does what a test puts into `acts`."""

    name = "wild"
    Settings = WildSettings
    acts: dict[str, Answer] = {}  # noqa: RUF012 (each test puts in what it needs)

    def handshake(self, request: Request) -> Reply | None:
        return self.acts.get("handshake", lambda _: None)(request)

    def verify(self, request: Request) -> None:
        self.acts.get("verify", lambda _: None)(request)

    def receipt_key(self, request: Request) -> str:
        return self.acts.get("receipt_key", lambda r: r.body.decode("utf-8", "replace"))(request)  # type: ignore[no-any-return]

    def acknowledge(self, request: Request) -> Reply:
        return self.acts.get("acknowledge", lambda _: Reply(202, "taken"))(request)  # type: ignore[no-any-return]

    def parse(self, receipt: Receipt) -> list[Event]:
        return []

    def authorize_url(self, state: str, redirect: str) -> str | None:
        return f"https://vendor.example/authorize?state={state}&to={redirect}"

    def consent(self, request: Request) -> Reply:
        return self.acts.get("consent", lambda _: Reply(200, "thank you"))(request)  # type: ignore[no-any-return]


class Small(Wild):
    """A vendor whose messages are short."""

    name = "small"
    Settings = Settings
    max_body = 100


def rows(box: Box, sql: str) -> list[tuple[Any, ...]]:
    with box.store.read() as db:
        return [tuple(row) for row in db.rows(sql)]


def receipts(box: Box) -> int:
    return int(rows(box, "SELECT count(*) FROM receipt")[0][0])


def ring(box: Box, web: FlaskClient) -> list[tuple[Any, ...]]:
    """The rejected requests, once they are written."""
    web.application.extensions["receiver"].commit.stop()
    return rows(box, "SELECT connection, status, reason, request FROM rejected ORDER BY id")
