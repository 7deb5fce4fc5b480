"""Bitrix24: a cloud or on-premise portal reached by REST (classic v2 API)."""

from __future__ import annotations

from hub.connector import Connector
from hub.hookspecs import hookimpl


@hookimpl
def hub_connectors() -> list[type[Connector]]:
    """Hand over the one connector of this plugin."""
    from plugins.bitrix24.connector import Bitrix24

    return [Bitrix24]
