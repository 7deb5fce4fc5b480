"""Nova Poshta, the classic API 2.0 (domestic Ukraine): waybills, tracking, directories.

Written against the API as clients and fixtures of 2023-2026 show it; `README.md` tells what is not confirmed. The
international API (api.novapost.com, v.1.0) is another product: only its status push is accepted, as a relay.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from hub.hookspecs import hookimpl

if TYPE_CHECKING:
    from hub.connector import Connector


@hookimpl
def hub_connectors() -> list[type[Connector]]:
    """Bring the connector."""
    from plugins.novaposhta.connector import NovaPoshta

    return [NovaPoshta]
