"""What can be seen of a plugin: its declaration, its code, its tests, its README and its samples.

Nothing is run but class attributes and the stand-in's `credentials()`. Code is read as a tree, so that a word in a
comment proves nothing. Tests don't travel with an installed package; `tests` is None then, and what only they could
prove stays open.
"""

from __future__ import annotations

import ast
import importlib
import importlib.util
import inspect
import re
import sys
from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property
from pathlib import Path

from hub.connector import ActionKind, Connector, EventKind
from hub.sandbox import Sandbox

CONTRACTS = ("ConnectorContract", "ReceiptContract", "WebhookContract")
_NOT_CODE = ("sandbox", "tests", "data")


class Evidence:
    """One plugin, looked at from outside. Its rules are answered once for all connectors.

    `connectors` are what connections are made of: where `variant` chooses by the settings, its choices.
    """

    def __init__(self, connectors: Sequence[type[Connector]], folder: Path, tests: Path | None = None) -> None:
        self.connectors = tuple(dict.fromkeys(kind for one in connectors for kind in _choices(one)))
        self.folder = folder
        self.name = folder.name if (folder / "__init__.py").is_file() else connectors[0].name
        self.tests = tests or _tests_of(folder)

    # --- the declaration -------------------------------------------------------------------------

    def overrides(self, method: str) -> bool:
        """Return whether any connector has its own version of a method."""
        return any(getattr(one, method) is not getattr(Connector, method) for one in self.connectors)

    def all_lacking(self, method: str) -> list[type[Connector]]:
        """Return the connectors that lack a version of their own."""
        return [one for one in self.connectors if getattr(one, method) is getattr(Connector, method)]

    @cached_property
    def events(self) -> tuple[EventKind, ...]:
        """All events declared."""
        return tuple(kind for one in self.connectors for kind in one.events)

    @cached_property
    def actions(self) -> tuple[ActionKind, ...]:
        """All actions declared."""
        return tuple(kind for one in self.connectors for kind in one.actions)

    @property
    def calls_out(self) -> bool:
        """Whether the plugin talks to a vendor at all."""
        return bool(self.actions) or any(self.overrides(name) for name in ("poll", "complete", "find", "get"))

    @property
    def takes_in(self) -> bool:
        """Whether the plugin reads messages, pushed or polled."""
        return self.overrides("parse")

    @cached_property
    def secrets(self) -> set[str]:
        """The settings marked secret."""
        fields = [(name, field) for one in self.connectors for name, field in one.Settings().fields.items()]
        return {name for name, field in fields if field.metadata.get("secret")}

    @cached_property
    def sandbox(self) -> type[Sandbox] | None:
        """The stand-in's class, None where the plugin brings none."""
        module = self.connectors[0].__module__
        package = module.rpartition(".")[0] or module
        try:
            found = importlib.import_module(f"{package}.sandbox")
        except ModuleNotFoundError:
            return None
        classes = [one for _, one in inspect.getmembers(found, inspect.isclass) if issubclass(one, Sandbox)]
        return next((one for one in classes if one is not Sandbox), None)

    # --- the code --------------------------------------------------------------------------------

    @cached_property
    def code(self) -> dict[Path, ast.Module]:
        """The plugin's modules without its stand-in, and those of packages it shares with other plugins."""
        if not (self.folder / "__init__.py").is_file():
            files = {Path(inspect.getfile(one)) for one in self.connectors}
            return {path: ast.parse(path.read_text("utf-8")) for path in sorted(files)}
        found = _modules(self.folder)
        for name in {name for tree in found.values() for name in _shared(tree)} - {self.folder.name}:
            if (self.folder.parent / name / "__init__.py").is_file():
                found |= _modules(self.folder.parent / name)
        return found

    @cached_property
    def own_code(self) -> dict[Path, ast.Module]:
        """Every module in the plugin's own folder, the stand-in too."""
        if not (self.folder / "__init__.py").is_file():
            return self.code
        return _modules(self.folder, without=("tests", "data"))

    @cached_property
    def names(self) -> set[str]:
        """Every identifier, attribute, keyword argument and imported name in the code."""
        return {name for tree in self.code.values() for name in _names(tree)}

    @cached_property
    def texts(self) -> set[str]:
        """Every text constant in the code, documentation left out."""
        return {text for tree in self.code.values() for text in _texts(tree)}

    def uses(self, *names: str) -> bool:
        """Return whether the code uses any of these names."""
        return any(name in self.names for name in names)

    # --- the tests -------------------------------------------------------------------------------

    @cached_property
    def test_code(self) -> dict[Path, ast.Module]:
        """The plugin's test modules."""
        if self.tests is None:
            return {}
        return {path: ast.parse(path.read_text("utf-8")) for path in sorted(self.tests.rglob("*.py"))}

    @cached_property
    def test_names(self) -> set[str]:
        """Every name in the tests."""
        return {name for tree in self.test_code.values() for name in _names(tree)}

    @cached_property
    def test_texts(self) -> set[str]:
        """Every text constant in the tests."""
        return {text for tree in self.test_code.values() for text in _texts(tree)}

    def tested(self, *words: str) -> bool:
        """Return whether tests use one of these words, as a name or as a word in a text."""
        spoken = re.compile("|".join(rf"(?<!\w){re.escape(word)}(?!\w)" for word in words))
        return not self.test_names.isdisjoint(words) or any(spoken.search(text) for text in self.test_texts)

    @cached_property
    def contracts(self) -> set[str]:
        """Which classes of `hub.testing.contract` the tests inherit, over classes of their own too."""
        found: set[str] = set()
        for tree in self.test_code.values():
            bases = {
                node.name: [_last(base) for base in node.bases]
                for node in ast.walk(tree)
                if isinstance(node, ast.ClassDef)
            }
            for name in bases:
                if name.startswith("Test"):
                    found |= _ancestors(name, bases) & set(CONTRACTS)
        return found

    def journeys(self) -> list[Path]:
        """Return the tests that lead a message through the hub and this plugin."""
        if self.tests is None:
            return []
        own = [path for path in self.test_code if "journey" in path.name]
        common = self.tests.parents[1] / "journeys"
        asked = re.compile(rf"\b(?:plugin: {self.name}|plugins\.{self.name})\b")
        others = sorted(common.glob("*.py")) if common.is_dir() and self.tests.parent.name == "plugins" else []
        return [*own, *(path for path in others if asked.search(path.read_text("utf-8")))]

    @cached_property
    def journey_texts(self) -> set[str]:
        """Every text constant in the journeys."""
        return {text for path in self.journeys() for text in _texts(ast.parse(path.read_text("utf-8")))}

    # --- files -----------------------------------------------------------------------------------

    @cached_property
    def readme(self) -> str:
        """The README, "" without one."""
        path = self.folder / "README.md"
        return path.read_text("utf-8") if path.is_file() else ""

    def section(self, heading: str) -> str | None:
        """Return what stands below a heading of the README, down to the next of its level; None without it."""
        match = re.search(rf"^(##+) {re.escape(heading)}\s*$", self.readme, re.M)
        if match is None:
            return None
        rest = self.readme[match.end() :]
        end = re.search(rf"^#{{1,{len(match[1])}}} ", rest, re.M)
        return rest[: end.start() if end else None].strip()

    @cached_property
    def samples(self) -> dict[str, Path]:
        """The sample files in the tests, by name."""
        if self.tests is None:
            return {}
        return {path.name: path for path in (self.tests / "samples").rglob("*") if path.is_file()}


def evidence_of(connector: type[Connector], tests: Path | None = None) -> Evidence:
    """Return the evidence about the plugin that brings a connector."""
    file = Path(inspect.getfile(connector))
    module = sys.modules[connector.__module__]
    package = sys.modules.get(connector.__module__.rpartition(".")[0])
    for home in (package, module):
        if hook := getattr(home, "hub_connectors", None):
            return Evidence([connector, *(one for one in hook() if one is not connector)], file.parent, tests)
    return Evidence([connector], file.parent, tests)


def _choices(connector: type[Connector]) -> list[type[Connector]]:
    """Return the plugin's own classes that `variant` may choose, the connector itself if there is no choice."""
    if getattr(connector.variant, "__func__", None) is Connector.variant.__func__:  # type: ignore[attr-defined]
        return [connector]
    home = connector.__module__.rpartition(".")[0] or connector.__module__
    own = [one for one in connector.__subclasses__() if f"{one.__module__}.".startswith(f"{home}.")]
    return [choice for one in own for choice in _choices(one)] or [connector]


def _tests_of(folder: Path) -> Path | None:
    places = (folder / "tests", folder.parent.parent / "tests" / "plugins" / folder.name)
    return next((place for place in places if place.is_dir() and any(place.glob("test_*.py"))), None)


def _modules(folder: Path, without: Sequence[str] = _NOT_CODE) -> dict[Path, ast.Module]:
    paths = [
        path
        for path in sorted(folder.rglob("*.py"))
        if path.relative_to(folder).parts[0].removesuffix(".py") not in without
    ]
    return {path: ast.parse(path.read_text("utf-8")) for path in paths}


def imports(tree: ast.Module) -> Iterator[str]:
    """Yield the absolute modules that a module imports."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module
            if node.module == "plugins":
                yield from (f"plugins.{name.name}" for name in node.names)
        elif isinstance(node, ast.Import):
            yield from (name.name for name in node.names)


def _shared(tree: ast.Module) -> Iterator[str]:
    for module in imports(tree):
        if module.startswith("plugins."):
            yield module.split(".")[1]


def _names(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        match node:
            case ast.Name(id=name) | ast.Attribute(attr=name) | ast.FunctionDef(name=name) | ast.ClassDef(name=name):
                yield name
            case ast.keyword(arg=str(name)) | ast.alias(name=name):
                yield name
            case _:
                pass


def _texts(tree: ast.Module) -> Iterator[str]:
    documentation = {
        id(node.body[0].value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef)
        and node.body
        and isinstance(node.body[0], ast.Expr)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in documentation:
            yield node.value


def calls(trees: Iterable[ast.Module], name: str) -> Iterator[ast.Call]:
    """Yield the calls of a function or class by its last name."""
    for tree in trees:
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and _last(node.func) == name:
                yield node


def _last(node: ast.expr) -> str:
    return node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""


def _ancestors(name: str, bases: dict[str, list[str]]) -> set[str]:
    found, waiting = set(), [name]
    while waiting:
        for base in bases.get(waiting.pop(), ()):
            if base not in found:
                found.add(base)
                waiting.append(base)
    return found
