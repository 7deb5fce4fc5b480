"""Calltouch: call tracking. Calls and requests with their source come in; deals, revenue, tags, comments go back.

Four surfaces with four ways to authenticate: hooks (a secret in the address), the journals of calls-service
(`clientApiId` in the query), registering a request (nothing at all), lead-service and widget-service (headers
`Access-Token` and `SiteId`). What no public page confirms is listed in `README.md`, with how both ways are handled.
"""

from __future__ import annotations

from hub.connector import Connector
from hub.hookspecs import hookimpl
from plugins.calltouch.connector import Calltouch


@hookimpl
def hub_connectors() -> list[type[Connector]]:
    """Hand over the connector class."""
    return [Calltouch]
