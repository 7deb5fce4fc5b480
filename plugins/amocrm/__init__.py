"""amoCRM and Kommo: one account reached by REST (API v4), its webhooks, and the Chats API (amojo, v2)."""

from __future__ import annotations

from hub.connector import Connector
from hub.hookspecs import hookimpl


@hookimpl
def hub_connectors() -> list[type[Connector]]:
    """Hand over the one connector of this plugin."""
    from plugins.amocrm.connector import AmoCrm

    return [AmoCrm]
