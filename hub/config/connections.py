"""Reads `connections`: what the core takes for itself, and the settings that each plugin checks."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator, Mapping
from importlib import resources
from typing import Any

import marshmallow as ma

from hub.config.mentions import KINDS
from hub.config.problems import guess, listed, nearest
from hub.config.reader import Node
from hub.config.shapes import ConnectionConfig, masked
from hub.config.view import View
from hub.config.world import World
from hub.connector import Connector
from hub.paths import duration
from hub.plugins import Plugins

#: keys of every connection that the hub handles itself, unless the plugin declares them
COMMON = ("plugin", "names", "price", "poll", "reply_within", "reply_late")
_NAME = re.compile(r"^[a-z][a-z0-9_]{0,39}$")
_NAMES = ("fields", "stages", "users")
_PRICE = re.compile(r"^(vendor|\d+(\.\d+)? [A-Z]{3})$")
_SECRET_VARIABLE = re.compile(r"TOKEN|SECRET|KEY|PASS|PSW|HOOK|SALT|CREDENTIAL", re.I)


def read_connections(view: View, plugins: Plugins, world: World) -> None:
    """Put every connection into the world; one that can't be used is known there as broken."""
    if not view.mapping(what="connections"):
        return
    for name, one in view.fields():
        if not _NAME.match(name):
            one.say(f'a connection\'s name is lower-case letters, digits and _, not "{name}"')
        connector = _connector(one, plugins) if one.mapping(what="a connection") else None
        if connector is None:
            world.broken.add(name)
            plugin = one.get("plugin")
            if plugin is not None and plugin.text.strip() in planned(plugins):
                world.planned[name] = plugin.text.strip()
            continue
        world.connections[name] = _Reader(name, one, connector).connection(world)


@functools.cache
def _planned() -> frozenset[str]:
    lines = resources.files("hub.config").joinpath("planned.txt").read_text("utf-8").splitlines()
    return frozenset(line for line in lines if line and not line.startswith("#"))


def planned(plugins: Plugins) -> frozenset[str]:
    """Return the names of plugins that are planned and that nobody has brought yet."""
    known = {*plugins.connectors, *plugins.off, *(one.name for one in plugins.broken)}
    return _planned() - known


def _connector(view: View, plugins: Plugins) -> type[Connector] | None:
    inner = view.get("plugin")
    if inner is None:
        view.say("which plugin? `hub plugins list` names them")
        return None
    name = inner.word("plugin")
    if name is None or name in plugins.connectors:
        return plugins.connectors.get(name or "")
    broken = next((one for one in plugins.broken if one.name == name), None)
    if broken is not None:
        inner.say(f"plugin {name} can't be loaded: {broken.error}")
    elif name in plugins.off:
        inner.say(f"plugin {name} is switched off by HUB_PLUGINS_OFF")
    elif name in planned(plugins):
        inner.later(f"plugin {name}; the routes that use this connection stay off")
    else:
        known = sorted(plugins.connectors)
        hint = guess(name, known)
        if not hint and (near := nearest(name, planned(plugins), 0.8)):
            hint = f' Did you mean "{near}"? It is not built yet.'
        inner.say(f'no plugin "{name}" (there is: {listed(known, 40) or "none"}).{hint}')
    return None


class _Reader:
    """Reads one connection."""

    def __init__(self, name: str, view: View, connector: type[Connector]) -> None:
        self.name, self.view, self.connector = name, view, connector
        self.schema = connector.Settings()
        #: setting as written -> field
        self.open = self.schema.unknown != ma.RAISE
        self.declared = {field.data_key or key: field for key, field in self.schema.load_fields.items()}

    def connection(self, world: World) -> ConnectionConfig:
        """Return the connection; the codes it names are noted in the world."""
        view = self.view
        known = [*self.declared, *COMMON]
        for key, one in view.fields():
            if key not in known and not self.open:
                one.say(
                    f'unknown setting "{key}" of plugin {self.connector.name}.{guess(key, known) or self._settings()}'
                )
        settings = self._load({key: node for key, node in view.node.items.items() if self._is_setting(key)})
        hidden = frozenset(self._hidden())
        self._warn_of_secrets()
        within, late = view.get("reply_within"), view.get("reply_late")
        if within is not None or late is not None:
            view.later("reply_within and reply_late; senders get their answer at once")
        return ConnectionConfig(
            self.name, self.connector.name, self._variant(settings), settings, self._names(world), view.line,
            price=self._price(), poll=self._poll(settings),
            reply_within=(within.seconds("reply_within") if within is not None else None) or 0,
            reply_late=late.node.plain() if late is not None else None,
            hidden=tuple(sorted(hidden)), shown=masked(view.node.plain(), hidden),
        )  # fmt: skip

    def _variant(self, settings: Mapping[str, Any]) -> type[Connector]:
        """Return the class that these settings ask for; a stumble over them must not hide the other problems."""
        try:
            return self.connector.variant(settings)
        except Exception as error:  # noqa: BLE001
            self.view.say(f"plugin {self.connector.name} failed while reading the settings: {type(error).__name__}")
            return self.connector

    def _is_setting(self, key: str) -> bool:
        return key in self.declared or (self.open and key not in COMMON)

    def _settings(self) -> str:
        return f" It has: {listed(self.declared, 40)}." if self.declared else " It has no settings."

    def _load(self, given: Mapping[str, Node]) -> dict[str, Any]:
        try:
            loaded: dict[str, Any] = self.schema.load({key: node.plain() for key, node in given.items()})
            return loaded
        except ma.ValidationError as error:
            for path, message in _flat(error.messages):
                self._report(path, message)
        except Exception as error:  # noqa: BLE001 (a plugin's own validator; it must not hide the other problems)
            self.view.say(f"plugin {self.connector.name} failed while checking the settings: {type(error).__name__}")
        return {}

    def _report(self, path: tuple[str, ...], message: str) -> None:
        place = self.view
        for word in path:
            inner = place.get(word)
            if inner is None and place.is_list and word.isdecimal() and int(word) < len(place.node.list):
                inner = place.each()[int(word)]
            if inner is None:
                break
            place = inner
        if any(node.unset for node in place.node.walk()) and place is not self.view:
            return
        setting = ".".join(word for word in path if word not in ("_schema", "value", "key"))
        if "Missing data" in message:
            message = f"is missing{self._help(path)}"
        elif "Unknown field" in message:
            message = "is unknown here"
        elif message.startswith("Not a valid "):
            message = f"isn't a {message.removeprefix('Not a valid ').rstrip('.')}"
        place.say(f"{setting + ': ' if setting else ''}{message}")

    def _help(self, path: tuple[str, ...]) -> str:
        field: Any = self.declared.get(path[0]) if path else None
        for word in path[1:]:
            field = getattr(getattr(field, "schema", None), "fields", {}).get(word)
        data = field.metadata if field is not None else {}
        help_, example = data.get("help", ""), data.get("example", "")
        return (f" ({help_})" if help_ else "") + (f", for example {example}" if example else "")

    def _hidden(self) -> Iterator[str]:
        """Yield the values that must never be seen."""
        for key, node in self.view.node.items.items():
            if key in self.declared:
                yield from (one.text for one in _secrets(self.declared[key], node))
        for node in self.view.node.walk():
            for variable, value in node.variables:
                if value and _SECRET_VARIABLE.search(variable):
                    yield value

    def _warn_of_secrets(self) -> None:
        """Warn of secrets that stand in the file itself: who reads along, backs it up or shares it has them."""
        for key, view in self.view.fields():
            for node in _secrets(self.declared.get(key), view.node):
                if not node.variables:
                    name = f"{self.name}_{key}".upper()
                    place = View(node, view.path, view.log, view.key_line if node is view.node else node.line)
                    place.warn(
                        "this secret stands in the file itself. "
                        f'Put {name}=... into .env beside it, and "${{{name}}}" here'
                    )

    def _names(self, world: World) -> dict[str, dict[str, str]]:
        names: dict[str, dict[str, str]] = {name: {} for name in _NAMES}
        inner = self.view.get("names")
        if inner is None or not inner.mapping(_NAMES, "names"):
            return names
        for kind in _NAMES:
            words = inner.get(kind)
            if words is None or not words.mapping(what=f"names.{kind}"):
                continue
            for word, one in words.fields():
                code = one.word(f'the code of "{word}"')
                if code is not None:
                    if first := next((known for known, one_ in names[kind].items() if one_ == code), ""):
                        one.warn(f'"{word}" and "{first}" name the same: {code}')
                    names[kind][word] = code
                    world.mentions.name(self.name, KINDS[kind], code, one)
                if "." in word or " " in word:
                    one.say(f'our word "{word}" should be one word without dots, so that {kind[:-1]} paths can say it')
        return names

    def _price(self) -> str:
        inner = self.view.get("price")
        word = inner.word("price") if inner is not None and "price" not in self.declared else None
        if inner is not None and word is not None and not _PRICE.match(word):
            inner.say(f'price should read 0.89 UAH, or vendor, not "{word}"')
        return word or ""

    def _poll(self, settings: Mapping[str, Any]) -> int | None:
        inner = self.view.get("poll")
        declared = settings.get("poll")
        if isinstance(declared, int | float):
            return int(declared)
        if inner is None:
            return None
        return duration(inner.text) if "poll" in self.declared else inner.seconds("poll")


def _secrets(field: Any, node: Node) -> Iterator[Node]:
    """Yield the texts that a setting holds and that must never be seen."""
    if field is None:
        return
    if field.metadata.get("secret"):
        for one in node.walk():
            if one.kind == "text" and one.text and not one.unset:
                yield one
        return
    if isinstance(field, ma.fields.Nested):
        inner = {one.data_key or key: one for key, one in field.schema.fields.items()}
        for part in node.list or [node]:
            for key, child in part.items.items():
                yield from _secrets(inner.get(key), child)
    elif isinstance(field, ma.fields.List):
        for child in node.list:
            yield from _secrets(field.inner, child)
    elif isinstance(field, ma.fields.Dict):
        for child in node.items.values():
            yield from _secrets(field.value_field, child)


def _flat(messages: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], str]]:
    if isinstance(messages, Mapping):
        for key, inner in messages.items():
            yield from _flat(inner, (*path, str(key)))
    elif isinstance(messages, list | tuple):
        for one in messages:
            yield from _flat(one, path)
    else:
        yield path, str(messages)
