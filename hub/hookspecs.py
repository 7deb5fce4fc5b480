"""The hooks, in the order in which they are called. A hook ships only with a plugin that uses it.

    start    hub_connectors -> hub_transforms
    flow     ... event stored -> delivered ...     hub_delivery_finished, after commit, shielded
    trouble  hub_alert, after commit, shielded

An implementation may take fewer arguments than its specification. Observers run off the hot path, on a bounded
list; what they raise is logged with the plugin's name and stops nobody.
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
