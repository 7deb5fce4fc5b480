"""Which codes of a vendor's the routes name, so that `hub check --live` can look whether the account has them."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import replace

from hub.config.shapes import ConnectionConfig
from hub.config.view import View
from hub.connector import Mention

#: the words of `names` -> kind of mention
KINDS: Mapping[str, str] = {"fields": "field", "stages": "stage", "users": "user"}


def place_of(view: View) -> str:
    """Return where a value stands, for people: `hub.yaml:41 routes[3].set.city`."""
    return f"{view.node.file}:{view.line} {view.path}"


class Mentions:
    """Gathers what routes mention, route by route."""

    def __init__(self) -> None:
        self._found: dict[str, list[Mention]] = defaultdict(list)
        self._route: list[tuple[str, Mention]] = []
        self._paths: dict[str, str] = {}
        self._everywhere: dict[str, list[Mention]] = defaultdict(list)

    def add(self, connection: ConnectionConfig, kind: str, record: str, code: str, view: View) -> None:
        """Note a stage or a vendor field that stands in the present route."""
        place = place_of(view)
        self._paths[place] = view.path
        self._route.append((connection.name, Mention(kind, record, code, place)))
        self.name(connection.name, kind, code, view, record)

    def name(self, connection: str, kind: str, code: str, view: View, record: str = "") -> None:
        """Note a code wherever it stands: in a route, by our word for it too, or (without a record) under `names`."""
        said = hashlib.blake2s(repr(view.node.plain()).encode(), digest_size=6).hexdigest()
        found = Mention(kind, record, code, place_of(view), said=said)
        if found not in self._everywhere[connection]:
            self._everywhere[connection].append(found)

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

    def named(self) -> dict[str, tuple[Mention, ...]]:
        """Return connection -> every place that names something of it: routes, syncs, `names`, `team`."""
        return {name: tuple(found) for name, found in self._everywhere.items()}

    def by_connection(self, named: Callable[[str], str]) -> dict[str, tuple[Mention, ...]]:
        """Return connection -> what is mentioned of it; `named` puts the routes' names into a path."""
        return {name: tuple(self._named(one, named) for one in found) for name, found in self._found.items()}

    def _named(self, mention: Mention, named: Callable[[str], str]) -> Mention:
        path = self._paths[mention.place]
        return replace(mention, place=mention.place.removesuffix(path) + named(path))
