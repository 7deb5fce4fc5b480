"""Finds the plugins. Nobody else touches pluggy.

A plugin is an entry point of the group `hub` (the bundled ones too), or a `.py` file or package in `plugins_dir`.
One that can't be used is reported by name in `broken` and stops nobody else. `HUB_PLUGINS_OFF=name,...` leaves
plugins out.

The bundled ones are imported when they are first asked for: a hub with two vendors starts quicker, and is smaller,
than one that knows all.
"""

from __future__ import annotations

import importlib.util
import os
import re
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from types import ModuleType
from typing import Any

import pluggy

from hub import hookspecs
from hub.connector import API_VERSION, Connector

GROUP = "hub"
DISTRIBUTION = "integration-hub"
_NAME = re.compile(r"^[a-z][a-z0-9_]{0,39}$")
_PREFIX = "hub_plugin_"


def _bundled(point: EntryPoint) -> bool:
    """Return whether the hub brings this plugin itself."""
    return point.dist is not None and point.dist.name == DISTRIBUTION


@dataclass(frozen=True)
class BrokenPlugin:
    """A plugin that can't be used, and why."""

    name: str
    error: str

    def __str__(self) -> str:
        return f"plugin {self.name}: {self.error}"


class _Unusable(Exception):
    """The plugin breaks the contract; the message says how."""


class Connectors(Mapping[str, type[Connector]]):
    """The connector classes by name. Asking for one imports it, if it is not imported yet; a list imports all."""

    def __init__(self, plugins: Plugins) -> None:
        self._plugins = plugins
        self.known: dict[str, type[Connector]] = {}

    def __getitem__(self, name: str) -> type[Connector]:
        self._plugins.load(name)
        if name not in self.known:  # a plugin may bring several connectors, or one of another name
            self._plugins.load_all()
        return self.known[name]

    def __iter__(self) -> Iterator[str]:
        self._plugins.load_all()
        return iter(self.known)

    def __len__(self) -> int:
        self._plugins.load_all()
        return len(self.known)


class Plugins:
    """The plugins found: `connectors` and `transforms` by name, `broken` with their errors, `off` by request.

    `broken` tells of those imported so far; `load_all` first, where every plugin matters.
    """

    def __init__(self) -> None:
        self.connectors = Connectors(self)
        self._waiting: dict[str, Callable[[], object]] = {}
        self.transforms: dict[str, Callable[..., Any]] = {}
        self.broken: list[BrokenPlugin] = []
        self.off: list[str] = []
        self._owners: dict[str, str] = {}
        self._modules: list[str] = []
        self._manager = pluggy.PluginManager(GROUP)
        self._manager.add_hookspecs(hookspecs)

    @classmethod
    def discover(cls, plugins_dir: Path | None = None, environ: Mapping[str, str] | None = None) -> Plugins:
        """Return all plugins of this installation and of `plugins_dir`."""
        plugins = cls()
        off = (os.environ if environ is None else environ).get("HUB_PLUGINS_OFF", "")
        unwanted = {name.strip() for name in off.split(",") if name.strip()}
        points = sorted(entry_points(group=GROUP), key=lambda one: one.name)
        bundled = {point.name for point in points if _bundled(point)}
        sources: list[tuple[str, Callable[[], object]]] = [(point.name, point.load) for point in points]
        if plugins_dir is not None:
            sources += plugins._files(plugins_dir)
        for name, load in sources:
            if name in unwanted:
                plugins.off.append(name)
            elif name in bundled and name not in plugins._waiting:
                plugins._waiting[name] = load
            else:
                plugins._add(name, load)
        return plugins

    def load(self, name: str) -> None:
        """Import a bundled plugin that was not asked for yet."""
        if load := self._waiting.pop(name, None):
            self._add(name, load)

    def load_all(self) -> None:
        """Import every plugin that was not asked for yet."""
        for name in list(self._waiting):
            self.load(name)

    @classmethod
    def of(cls, *connectors: type[Connector], transforms: Mapping[str, Callable[..., Any]] | None = None) -> Plugins:
        """Return these connectors as if plugins had brought them; for tests."""
        plugins = cls()
        for connector in connectors:
            plugins._take_connector(connector.name, connector)
        plugins.transforms.update(transforms or {})
        return plugins

    def owner(self, connector: str) -> str:
        """Return the name of the plugin that brought a connector."""
        self.connectors.get(connector)
        return self._owners.get(connector, connector)

    def close(self) -> None:
        """Forget the plugins; modules loaded from `plugins_dir` are unloaded."""
        for plugin in list(self._manager.get_plugins()):
            self._manager.unregister(plugin)
        for name in self._modules:
            sys.modules.pop(name, None)
        self.connectors.known.clear()
        self._waiting.clear()
        self.transforms, self._modules = {}, []

    def _files(self, folder: Path) -> list[tuple[str, Callable[[], object]]]:
        if not folder.is_dir():
            self.broken.append(BrokenPlugin(str(folder), "plugins_dir is not a folder"))
            return []
        found: list[tuple[str, Callable[[], object]]] = []
        for path in sorted(folder.iterdir()):
            if path.name.startswith((".", "_")):
                continue
            file = path / "__init__.py" if path.is_dir() else path
            if file.suffix == ".py" and file.is_file():
                name = path.name if path.is_dir() else path.stem
                found.append((name, lambda name=name, file=file: self._import(name, file)))  # type: ignore[misc]
        return found

    def _import(self, name: str, file: Path) -> ModuleType:
        full = _PREFIX + name
        folder = [str(file.parent)] if file.name == "__init__.py" else None
        spec = importlib.util.spec_from_file_location(full, file, submodule_search_locations=folder)
        if spec is None or spec.loader is None:
            raise _Unusable(f"{file} can't be imported")
        module = importlib.util.module_from_spec(spec)
        sys.modules[full] = module
        self._modules.append(full)
        spec.loader.exec_module(module)
        return module

    def _add(self, name: str, load: Callable[[], object]) -> None:
        module: object = None
        try:
            if self._manager.has_plugin(name) or name in self._waiting:
                raise _Unusable("another plugin of this name is loaded already")
            module = load()
            self._manager.register(module, name=name)
            self._check_hooks(module)
            connectors = list(self._call(module, "hub_connectors"))
            transforms = dict(self._call(module, "hub_transforms") or {})
            for connector in connectors:
                self._check_connector(connector)
            for function in transforms:
                if function in self.transforms:
                    raise _Unusable(f'the transform "{function}" is brought by another plugin already')
            for connector in connectors:
                self._take_connector(name, connector)
            self.transforms.update(transforms)
        except (Exception, SystemExit) as error:  # noqa: BLE001 (whatever a plugin does, the others go on)
            if module is not None and self._manager.is_registered(module):
                self._manager.unregister(module)
            told = isinstance(error, _Unusable)
            self.broken.append(BrokenPlugin(name, str(error) if told else f"{type(error).__name__}: {error}"))

    def _check_hooks(self, module: object) -> None:
        known = [name for name in vars(hookspecs) if name.startswith("hub_")]
        for caller in self._manager.get_hookcallers(module) or []:
            if not caller.has_spec():
                from hub.config.problems import guess

                raise _Unusable(f'no hook "{caller.name}".{guess(caller.name, known)}')

    def _call(self, module: object, hook: str) -> Any:
        """Call one plugin's own hook, so that an error is known to be its."""
        others = [plugin for plugin in self._manager.get_plugins() if plugin is not module]
        answers = self._manager.subset_hook_caller(hook, others)()
        return answers[0] if answers else ()

    def _check_connector(self, connector: Any) -> None:
        if not (isinstance(connector, type) and issubclass(connector, Connector)):
            raise _Unusable(f"hub_connectors must return Connector classes, not {connector!r}")
        if not _NAME.match(connector.name or ""):
            raise _Unusable(f'the connector name "{connector.name}" must be lower-case letters, digits and _')
        if connector.api_version != API_VERSION:
            raise _Unusable(
                f"{connector.name} is written for api version {connector.api_version}, this hub has {API_VERSION}"
            )
        if connector.name in self.connectors.known or connector.name in self._waiting:
            raise _Unusable(
                f'the connector "{connector.name}" is brought by plugin {self.owner(connector.name)} already'
            )

    def _take_connector(self, plugin: str, connector: type[Connector]) -> None:
        self.connectors.known[connector.name] = connector
        self._owners[connector.name] = plugin
