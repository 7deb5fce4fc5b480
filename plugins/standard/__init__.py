"""Any system without a plugin of its own: Standard Webhooks in and out, and plain HTTP calls.

https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
"""

from __future__ import annotations

from hub.connector import Connector
from hub.hookspecs import hookimpl
from plugins.standard.connector import HttpConnector, StandardConnector


@hookimpl
def hub_connectors() -> list[type[Connector]]:
    """Hand over the connectors `standard` and `http`."""
    return [StandardConnector, HttpConnector]
