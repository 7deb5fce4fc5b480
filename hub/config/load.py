"""From the file to a `Config`: include, variables, sections, and all problems of one run."""

from __future__ import annotations

import dataclasses
import hashlib
import os
import re
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import dotenv

from hub.config.advice import advise
from hub.config.connections import read_connections
from hub.config.problems import Log, Problem, nearest
from hub.config.reader import Node, read
from hub.config.routes import read_routes
from hub.config.sections import Sections
from hub.config.shapes import Config
from hub.config.sync_reader import read_syncs
from hub.config.view import View
from hub.config.world import World
from hub.errors import ConfigError
from hub.plugins import Plugins
from hub.templates import Templates

SECTIONS = ("hub", "include", "connections", "people", "calendars", "tables", "team", "messages", "metrics", "chats",
            "routes", "sync")  # fmt: skip
_VARIABLE = re.compile(r"\$(\$?)\{([^}]*)\}")
_VARIABLE_NAME = re.compile(r"^[A-Za-z_][A-Za-z0-9_]*$")
_IN_A_ROUTE = re.compile(r"routes\[(\d+)\](?:\.steps\[(\d+)\])?((?:[.\[].*)?)$", re.S)
_MOST_FILES = 200


def load(path: Path, plugins: Plugins, environ: Mapping[str, str] | None = None) -> Config:
    """Read `hub.yaml` and all it includes; raise `ConfigError` with every problem and warning found."""
    log = Log()
    files = _Files(Path(path), log)
    root = files.read()
    config = Config(Path(path))
    if root is not None:
        _fill_in(root, variables(path, environ), log)
        config = _build(root, files, plugins, log, environ)
    if log.problems:
        raise ConfigError(_ordered(log.found, files.order, root))
    config.notes[:] = _ordered(log.notes, files.order, root)
    return config


def plugins_dir(path: Path, environ: Mapping[str, str] | None = None) -> Path | None:
    """Return `hub.plugins_dir` without looking at anything else, so that plugins can be found before `load`."""
    files = _Files(Path(path), Log())
    root = files.read()
    hub = root.items.get("hub") if root is not None else None
    folder = hub.items.get("plugins_dir") if hub is not None else None
    if folder is None or not folder.text:
        return None
    _fill_in(folder, variables(path, environ), Log())
    return files.folder / folder.text


def variables(path: Path, environ: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return the variables `${...}` may name: those of `.env` beside the file, the environment's above them."""
    beside = Path(path).parent / ".env"
    found: dict[str, str] = {}
    if beside.is_file():
        try:
            values = dotenv.dotenv_values(beside, interpolate=False, encoding="utf-8-sig")
        except (OSError, UnicodeDecodeError):
            values = {}
        found = {name: value for name, value in values.items() if value is not None}
    return found | dict(os.environ if environ is None else environ)


class _Files:
    """Reads `hub.yaml` and the files it includes into one tree."""

    def __init__(self, path: Path, log: Log) -> None:
        self.path, self.log = path, log
        self.folder = path.parent
        self.order: list[str] = []
        self.digest = hashlib.sha256()

    def read(self) -> Node | None:
        root = self._one(self.path, self.path.name)
        if root is None:
            return None
        for file, name, node in self._included(root):
            part = self._one(file, name)
            if part is None:
                continue
            if "include" in part.items:
                self.log.add(name, part.key_lines["include"], "include", "only the main file includes others")
                del part.items["include"]
            self._join(root, part, node)
        return root

    def _one(self, file: Path, name: str) -> Node | None:
        self.order.append(name)
        try:
            raw = file.read_bytes()
        except OSError as error:
            self.log.add(name, 0, "", f"the file can't be read: {(error.strerror or 'error').lower()}")
            return None
        self.digest.update(raw)
        try:
            text = raw.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            line = raw.count(b"\n", 0, error.start) + 1
            self.log.add(name, line, "", "the file isn't UTF-8; save it as UTF-8")
            return None
        node = read(text, name, self.log)
        if node is not None and node.kind != "map":
            self.log.add(name, node.line, "", "the file should begin with sections: hub, connections, routes")
            return None
        return node

    def _included(self, root: Node) -> list[tuple[Path, str, Node]]:
        found: list[tuple[Path, str, Node]] = []
        include = root.items.get("include")
        for node in (include.list or [include]) if include is not None else []:
            pattern = node.text.strip()
            if node.kind != "text" or not pattern or Path(pattern).is_absolute() or ".." in Path(pattern).parts:
                self.log.add(node.file, node.line, "include", "include lists files beside hub.yaml: [routes/*.yaml]")
                continue
            try:
                matches = sorted(self.folder.glob(pattern))
            except (ValueError, NotImplementedError, OSError):
                matches = []
            if not matches:
                self.log.add(node.file, node.line, "include", f'no file fits "{pattern}"')
            found += [(file, file.relative_to(self.folder).as_posix(), node) for file in matches[:_MOST_FILES]]
        return found

    def _join(self, root: Node, part: Node, include: Node) -> None:
        for key, node in part.items.items():
            mine = root.items.get(key)
            if mine is None:
                root.items[key], root.key_lines[key] = node, part.key_lines[key]
            elif mine.kind == node.kind == "list":
                mine.list += node.list
            elif mine.kind == node.kind == "map":
                for name, child in node.items.items():
                    if name in mine.items:
                        first = mine.items[name]
                        text = f'"{name}" stands in {key} twice (first at {first.file}:{mine.key_lines[name]})'
                        self.log.add(node.file, node.key_lines[name], key, text)
                    else:
                        mine.items[name], mine.key_lines[name] = child, node.key_lines[name]
            else:
                self.log.add(node.file, node.line, key, f'"{key}" has another shape here than in {mine.file}')


def _fill_in(root: Node, known: Mapping[str, str], log: Log) -> None:
    """Put the variables into every text below the node."""
    for node in root.walk():
        if node.kind == "text" and "${" in node.text:
            node.text = _VARIABLE.sub(partial(_variable, node, known, log), node.text)


def _variable(node: Node, known: Mapping[str, str], log: Log, match: re.Match[str]) -> str:
    escaped, name = match.groups()
    if escaped:
        return f"${{{name}}}"
    if not _VARIABLE_NAME.match(name):
        log.add(node.file, node.line, "", f'"${{{name}}}" is no variable; names are letters, digits and _')
    elif not known.get(name):
        state = "is empty" if name in known else "is not set"
        log.add(node.file, node.line, "", f"${{{name}}} {state}; put {name}=... into .env beside hub.yaml")
    else:
        node.variables = (*node.variables, (name, known[name]))
        return known[name]
    node.unset = True
    return match.group()


def _build(
    root: Node, files: _Files, plugins: Plugins, log: Log, environ: Mapping[str, str] | None
) -> Config:  # fmt: skip
    view = View(root, "", log)
    view.unknown(SECTIONS)
    _as_meant(root)
    world = World(transforms=plugins.transforms, templates=Templates(plugins.transforms))
    sections = Sections(view, world, files.folder, files.digest, os.environ if environ is None else environ)
    hub = sections.hub()
    connections = view.get("connections")
    if connections is not None:
        read_connections(connections, plugins, world)
    else:
        log.add(files.path.name, 1, "", "there are no connections")
    sections.tables()
    people, team = sections.people(), sections.team()
    sections.later()
    routes_view = view.get("routes")
    routes = read_routes(routes_view.each() if routes_view is not None else (), world)
    advise(routes, log)
    taken = {route.name for route in routes}
    syncs, unfolded = read_syncs(view.get("sync"), world, files.folder, hub.sync_breaker, team, taken)
    return Config(
        files.path,
        hub,
        world.connections,
        people,
        world.tables,
        team,
        (*routes, *unfolded),
        version=files.digest.hexdigest()[:16],
        filled=tuple(sorted({pair for node in root.walk() for pair in node.variables})),
        mentions=world.mentions.by_connection(partial(_place, root=root)),
        named=world.mentions.named(),
        syncs=syncs,
    )


def _as_meant(root: Node) -> None:
    """Read a section whose name is misspelled, and reported, as the one that is meant: what is in it isn't missing."""
    for key in [key for key in root.items if key not in SECTIONS]:
        meant = nearest(key, SECTIONS, 0.6)
        if meant is not None and meant not in root.items:
            root.items[meant], root.key_lines[meant] = root.items.pop(key), root.key_lines[key]


def _ordered(problems: list[Problem], files: list[str], root: Node | None) -> list[Problem]:
    """Return the problems in the order of the file, each with its place as people say it."""
    placed = [dataclasses.replace(one, place=_place(one.path, root)) for one in problems]
    return sorted(placed, key=lambda one: (files.index(one.file) if one.file in files else len(files), one.line))


def _place(path: str, root: Node | None) -> str:
    """Return a path with the names of what it leads through: `routes[3] "parcel moves the deal" steps[1] (crm...)`."""
    routes = root.items.get("routes") if root is not None else None
    match = _IN_A_ROUTE.match(path)
    route = _item(routes, match[1]) if match is not None else None
    if match is None or route is None:
        return path
    words = [f"routes[{match[1]}]", *_called(route, "name", '"{}"')]
    if match[2] is not None:
        step = _item(route.items.get("steps"), match[2])
        words += [f"steps[{match[2]}]", *(_called(step, "do", "({})") if step is not None else ())]
    rest = match[3].lstrip(".")
    return " ".join([*words, rest] if rest else words)


def _item(node: Node | None, place: str) -> Node | None:
    items = node.list if node is not None else []
    return items[int(place)] if int(place) < len(items) else None


def _called(node: Node, key: str, shape: str) -> list[str]:
    """Return what a node says of itself under a key, short and on one line; nothing where it says nothing."""
    name = node.items.get(key)
    words = " ".join(name.text.split()) if name is not None else ""
    return [shape.format(words if len(words) <= 60 else words[:59] + "…")] if words else []


__all__: list[Any] = ["SECTIONS", "load", "plugins_dir", "variables"]
