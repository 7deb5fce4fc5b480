"""What an action of the classic product works with."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from hub.connector import ConnectionInfo, History
from hub.model import Action, Done
from plugins.unisender import signing
from plugins.unisender.client import Client


@dataclass(frozen=True)
class Desk:
    """The client, the settings and the present instant of one act."""

    client: Client
    settings: Mapping[str, Any]
    connection: ConnectionInfo
    now: dt.datetime
    history: History

    @property
    def words(self) -> Mapping[str, str]:
        """Our words for the account's fields."""
        return self.connection.names.get("fields", {})

    @property
    def address(self) -> str:
        """Where the vendor's webhooks come in, with the secret end; "" if the hub doesn't know its own address."""
        return hook_address(self.connection, self.settings["secret"])

    @property
    def export_address(self) -> str:
        """Where the answer to an export comes in."""
        base = self.connection.base_url.rstrip("/")
        token = signing.export_token(self.settings["api_key"])
        return f"{base}/in/{self.connection.name}/{token}" if base else ""


Handler = Callable[[Desk, Action], Done]


def hook_address(connection: ConnectionInfo, secret: str) -> str:
    """Return where webhooks come in."""
    if not connection.base_url:
        return ""
    return f"{connection.base_url.rstrip('/')}/in/{connection.name}" + (f"/{secret}" if secret else "")
