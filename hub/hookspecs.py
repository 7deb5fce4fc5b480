"""The hooks, in the order in which they are called. A hook ships only with a plugin that uses it.

    start    hub_connectors -> hub_transforms

An implementation may take fewer arguments than its specification, so arguments can be added without breaking anyone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

import pluggy

if TYPE_CHECKING:
    from hub.connector import Connector

hookspec = pluggy.HookspecMarker("hub")
hookimpl = pluggy.HookimplMarker("hub")


@hookspec
def hub_connectors() -> Iterable[type[Connector]]:  # type: ignore[empty-body]
    """Return the connector classes a plugin brings. Called once at start; all answers are joined."""


@hookspec
def hub_transforms() -> Mapping[str, Callable[..., Any]]:  # type: ignore[empty-body]
    """Return functions for `via:` by name: value in, value out, pure. A name taken twice is an error at start."""
