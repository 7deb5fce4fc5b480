"""YAML as an administrator means it: every scalar is text, every value knows its line, nothing is lost in silence.

Built on PyYAML's events, without recursion: depth, size and what aliases unfold to are bounded before anything is
made of them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import yaml
from yaml import events

from hub.config.problems import WARNING, Log
from hub.config.stumbles import Braces, mend

LARGEST_FILE = 300_000
DEEPEST = 40
#: values of one file, aliases unfolded
MOST_VALUES = 50_000
#: rounds of mending one line to find the next mistake
_MOST_REPAIRS = 25
_REPAIR_BUDGET = 1_500_000


@dataclass(slots=True)
class Node:
    """A value and where it stands. `kind` is text, map or list; `unset` marks a text with a variable that isn't."""

    file: str
    line: int
    kind: str
    text: str = ""
    items: dict[str, Node] = field(default_factory=dict)
    list: list[Node] = field(default_factory=list)
    key_lines: dict[str, int] = field(default_factory=dict)
    quoted: bool = False
    unset: bool = False
    size: int = 1
    #: where a text came from environment variables: (variable, value)
    variables: tuple[tuple[str, str], ...] = ()

    def plain(self) -> Any:
        """Return texts, dictionaries and lists."""
        if self.kind == "map":
            return {key: node.plain() for key, node in self.items.items()}
        if self.kind == "list":
            return [node.plain() for node in self.list]
        return self.text

    def walk(self) -> Iterator[Node]:
        """Yield this node and all below it, what several aliases share once."""
        seen: set[int] = set()
        rest = [self]
        while rest:
            node = rest.pop()
            if id(node) not in seen:
                seen.add(id(node))
                yield node
                rest += [*node.items.values(), *node.list]


class _Stop(Exception):
    """The file can't be read any further."""


def read(text: str, file: str, log: Log) -> Node | None:
    """Return the file as nodes, or None when it can't be read at all; remarks go into the log."""
    if len(text) > LARGEST_FILE:
        log.add(file, 0, "", f"the file is larger than {LARGEST_FILE // 1000} KB; keep long lists in CSV tables")
        return None
    for _ in range(max(2, min(_MOST_REPAIRS, _REPAIR_BUDGET // (len(text) + 1)))):
        found = Log()
        try:
            root = _Builder(text, file, found).build()
        except yaml.YAMLError as error:
            mended = mend(text, error, file, log)
            if mended is None:
                torn = log.found[-1].line  # what was made of this line so far is no mistake of its own
                log.found += [one for one in found.found if one not in log.found and one.line != torn]
                return None
            text = mended
            continue
        except _Stop:
            root = None
        for one in found.found:
            log.add(one.file, one.line, one.path, one.text, one.level)
        return root
    return None


class _Builder:
    """Turns the events of one file into nodes."""

    def __init__(self, text: str, file: str, log: Log) -> None:
        self.text, self.file, self.log = text, file, log
        self.anchors: dict[str, Node] = {}
        self.open_anchors: set[str] = set()
        #: open collections: node, pending key, line of the key, flow style
        self.stack: list[_Open] = []
        self.root: Node | None = None
        self.documents = 0

    def build(self) -> Node | None:
        for event in yaml.parse(self.text, Loader=yaml.SafeLoader):
            self._take(event)
        if self.root is None:
            self.log.add(self.file, 1, "", "the file is empty")
        return self.root

    def _say(self, line: int, text: str, level: str = "problem") -> None:
        path = ""
        for one in self.stack:
            if one.node.kind == "list":
                path += f"[{len(one.node.list)}]"
            elif one.key is not None:
                path += f".{one.key}" if path else one.key
        self.log.add(self.file, line, path, text, level)

    def _take(self, event: events.Event) -> None:
        line = _start(event).line + 1
        if isinstance(event, events.DocumentStartEvent):
            self.documents += 1
            if self.documents > 1:
                self._say(line, 'a second document begins here ("---"); one file holds one')
                raise _Stop
        elif isinstance(event, events.AliasEvent):
            self._alias(event, line)
        elif isinstance(event, events.ScalarEvent):
            self._scalar(event, line)
        elif isinstance(event, events.MappingStartEvent | events.SequenceStartEvent):
            self._open(event, line)
        elif isinstance(event, events.MappingEndEvent | events.SequenceEndEvent):
            self._close()

    def _alias(self, event: events.AliasEvent, line: int) -> None:
        name = str(event.anchor)
        if name in self.open_anchors:
            self._say(line, f'"*{name}" stands inside what it names')
            raise _Stop
        if name not in self.anchors:
            known = ", ".join(f"&{one}" for one in self.anchors) or "none"
            self._say(line, f'nothing is named "&{name}" above (there is: {known}). Quote the text if it is one')
            raise _Stop
        self._put(self.anchors[name], line, True)

    def _scalar(self, event: events.ScalarEvent, line: int) -> None:
        plain = event.style is None
        if event.tag is not None:
            self._tag(str(event.tag), line)
        node = Node(self.file, line, "text", event.value, quoted=not plain)
        if event.anchor:
            self.anchors[str(event.anchor)] = node
        if plain:
            self._comment(event, line)
        self._put(node, line, False, event)

    def _tag(self, tag: str, line: int) -> None:
        word = tag.replace("tag:yaml.org,2002:", "!!").rstrip(",")
        self._say(
            line, f'tags ({word}) mean nothing here; write {word.lstrip("!") or "the value"} without "!", or quote it'
        )

    def _comment(self, event: events.ScalarEvent, line: int) -> None:
        end = _end(event).index
        stop = self.text.find("\n", end)
        rest = self.text[end : stop if stop >= 0 else len(self.text)]
        lost = re.match(r"[ \t]+#(\S.*)$", rest.rstrip("\r"))
        if lost and event.value:
            self._say(
                line, f'everything after " #" is lost as a comment ("{lost[1].strip()[:60]}"). Quote the text.', WARNING
            )

    def _open(self, event: events.MappingStartEvent | events.SequenceStartEvent, line: int) -> None:
        if event.tag is not None:
            self._tag(str(event.tag), line)
        if len(self.stack) >= DEEPEST:
            self._say(line, f"nested deeper than {DEEPEST} levels")
            raise _Stop
        kind = "map" if isinstance(event, events.MappingStartEvent) else "list"
        anchor = str(event.anchor) if event.anchor else None
        if anchor:
            self.open_anchors.add(anchor)
        self.stack.append(_Open(Node(self.file, line, kind), flow=bool(event.flow_style), anchor=anchor))

    def _close(self) -> None:
        done = self.stack.pop()
        if done.anchor:
            self.open_anchors.discard(done.anchor)
            self.anchors[done.anchor] = done.node
        self._put(done.node, done.node.line, False)

    def _put(self, node: Node, line: int, alias: bool, event: events.ScalarEvent | None = None) -> None:
        if not self.stack:
            self.root = node
            return
        top = self.stack[-1]
        top.node.size += node.size
        if top.node.size > MOST_VALUES:
            self._say(line, f"more than {MOST_VALUES} values, aliases unfolded")
            raise _Stop
        if top.node.kind == "list":
            top.node.list.append(node)
        elif not top.waiting:
            self._key(top, node, line, event)
        else:
            self._value(top, node, line, event)

    def _key(self, top: _Open, node: Node, line: int, event: events.ScalarEvent | None) -> None:
        top.waiting, top.skip, top.key, top.key_line = True, False, None, line
        top.key_end = _end(event).index if event is not None else -1
        if node.kind == "map":
            raise Braces(line - 1)
        if node.kind == "list":
            top.skip = True
            self._say(line, "a list can't be a key; quote the text")
        elif node.text == "<<":
            top.skip = True
            self._say(line, '"<<" is not supported; use a plain anchor on one value.')
        elif node.text in top.node.items:
            top.skip = True
            first = top.node.key_lines[node.text]
            self._say(line, f'"{node.text}" stands twice{self._where()} (first at :{first}).')
        else:
            top.key = node.text

    def _where(self) -> str:
        """Return ` in this route` or the like, by the list or section the open mapping stands in."""
        owners = [one.key for one in self.stack[:-1] if one.key is not None]
        inside = {
            "routes": "route",
            "steps": "step",
            "refused": "step",
            "connections": "connection",
            "messages": "message",
        }
        word = inside.get(owners[-1]) if owners else None
        if word is None and len(owners) > 1 and owners[-2] in ("connections", "messages"):
            word = inside[owners[-2]]
        return f" in this {word}" if word else ""

    def _value(self, top: _Open, node: Node, line: int, event: events.ScalarEvent | None) -> None:
        top.waiting = False
        if top.skip or top.key is None:
            top.key = None
            return
        key = top.key
        bare = event is not None and event.style is None and not node.text and event.tag is None
        if bare and top.flow and event is not None and top.key_end >= 0:
            between = self.text[top.key_end : _start(event).index]
            if ":" not in between:
                self._say(top.key_line, f'unknown key "{key}" without a value: did a comma cut your text? Quote it.')
                top.key = None
                return
        top.node.items[key] = node
        top.node.key_lines[key] = top.key_line
        top.key = None


def _start(event: events.Event) -> yaml.Mark:
    assert isinstance(event.start_mark, yaml.Mark)
    return event.start_mark


def _end(event: events.Event) -> yaml.Mark:
    assert isinstance(event.end_mark, yaml.Mark)
    return event.end_mark


@dataclass(slots=True)
class _Open:
    """A mapping or list whose end hasn't come yet."""

    node: Node
    flow: bool = False
    anchor: str | None = None
    waiting: bool = False
    skip: bool = False
    key: str | None = None
    key_line: int = 0
    key_end: int = -1
