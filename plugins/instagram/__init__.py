"""Instagram: direct messages, comments and mentions of professional accounts, by either of Meta's two logins."""

from __future__ import annotations

from hub.connector import Connector
from hub.hookspecs import hookimpl


@hookimpl
def hub_connectors() -> list[type[Connector]]:
    """Hand over the one connector of this plugin."""
    from plugins.instagram.connector import Instagram

    return [Instagram]
