"""Which codes of a vendor's the routes name, so that `hub check --live` can look whether the account has them."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace

from hub.config.shapes import ConnectionConfig
from hub.config.view import View
from hub.connector import Mention


class Mentions:
    """Gathers what routes mention, route by route."""

    def __init__(self) -> None:
        self._found: dict[str, list[Mention]] = defaultdict(list)
        self._route: list[tuple[str, Mention]] = []

    def add(self, connection: ConnectionConfig, kind: str, record: str, code: str, view: View) -> None:
        """Note a stage or a vendor field that stands in the present route."""
        place = f"{view.node.file}:{view.line} {view.path}"
        self._route.append((connection.name, Mention(kind, record, code, place)))

    def end_route(self) -> None:
        """Close a route: each stage learns which others stand beside it."""
        for connection, mention in self._route:
            if mention.kind == "stage":
                others = (
                    one.code for name, one in self._route
                    if name == connection and (one.kind, one.record) == ("stage", mention.record)
                    and one.code != mention.code
                )  # fmt: skip
                mention = replace(mention, beside=tuple(dict.fromkeys(others)))
            if mention not in self._found[connection]:
                self._found[connection].append(mention)
        self._route.clear()

    def by_connection(self) -> dict[str, tuple[Mention, ...]]:
        """Return connection -> what is mentioned of it."""
        return {name: tuple(found) for name, found in self._found.items()}
