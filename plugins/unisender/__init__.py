"""Unisender: the classic API (contact base, campaigns, letters, SMS) and Unisender Go (transactional letters).

Two products with two keys, told apart by the setting `product`; the brands Selzy and UniOne run on the same engines.
Built on what the vendor's pages, clients and captured messages show; `README.md` tells what is not confirmed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from hub.hookspecs import hookimpl

if TYPE_CHECKING:
    from hub.connector import Connector


@hookimpl
def hub_connectors() -> list[type[Connector]]:
    """Bring the connector."""
    from plugins.unisender.connector import Unisender

    return [Unisender]
