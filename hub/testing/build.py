"""One connector with its settings checked, its session wired and its credentials in memory."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, TypeVar, cast

import marshmallow as ma

from hub.connector import ConnectionInfo, Connector
from hub.masking import Masker
from hub.session import Session
from hub.tokens import MemoryVault

C = TypeVar("C", bound=Connector)


def build(
    connector_class: type[C],
    settings: Mapping[str, Any],
    *,
    name: str = "",
    region: str = "UA",
    timezone: str = "UTC",
    base_url: str = "https://hub.example.com",
    names: Mapping[str, Mapping[str, str]] | None = None,
    tokens: Mapping[str, Any] | None = None,
) -> C:
    """Return the connector as the hub makes it, without a store, a limiter or other workers.

    `settings` are as in hub.yaml (texts); `marshmallow.ValidationError` tells what is wrong with them.
    """
    loaded = connector_class.Settings().load(dict(settings))
    info = ConnectionInfo(name or connector_class.name, region, timezone, base_url, names or {})
    connector = connector_class(info, loaded)
    connector.http = Session(
        info.name,
        hosts=connector.hosts(),
        timeout=connector.limits().timeout,
        masker=Masker(secret_values(connector_class, loaded)),
    )
    connector.tokens = cast(Any, MemoryVault(tokens))
    return connector


def secret_values(connector_class: type[Connector], settings: Mapping[str, Any]) -> list[str]:
    """Return the texts in the settings that the schema marks secret, out of lists and mappings too."""
    schema: ma.Schema = connector_class.Settings()
    return [
        text
        for name, field in schema.fields.items()
        if field.metadata.get("secret") and name in settings
        for text in _texts(settings[name])
    ]


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str) and value:
        yield value
    elif isinstance(value, Mapping):
        for item in value.values():
            yield from _texts(item)
    elif isinstance(value, (list, tuple)):
        for item in value:
            yield from _texts(item)
