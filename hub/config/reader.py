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


class _Braces(yaml.YAMLError):
    """A mapping stands where a key should: `{{ }}` without quotes. `line` counts from 0."""

    def __init__(self, line: int) -> None:
        super().__init__("a mapping can't be a key")
        self.line = line


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
            mended = _mend(text, error, file, log)
            if mended is None:
                log.found += [one for one in found.found if one not in log.found]
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
            raise _Braces(line - 1)
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


# --- mistakes that YAML itself stumbles over ---------------------------------------------------------------------

_COMPARE = {">=": "at_least", "<=": "at_most", ">": "above", "<": "below"}
_QUOTED = re.compile(r'"(?:\\.|[^"\\])*"|\'[^\']*\'')
_TRAPS = (
    ("template", re.compile(r"(?P<head>[:\-,\[{]\s+)(?P<bad>\{\{.*?\}\}(?:[^,{}\]\n]|\{\{.*?\}\})*)")),
    ("star", re.compile(r"(?P<head>(?:[:\-,]\s+|\[\s*))(?P<bad>\*\.?[\w.*]*\.[\w.*]+)")),
    ("variable", re.compile(r"(?P<head>[:\-,\[]\s+)(?P<bad>\$\{\w+\})")),
    ("compare", re.compile(r"(?P<head>[:\-,\[]\s+)(?P<bad>(?P<sign>>=|<=|>|<)\s*(?P<than>[^\s,\]}]+))")),
    ("comment", re.compile(r"(?P<head>\s)(?P<bad>#(?P<lost>\S[^}\]]*))")),
    ("tag", re.compile(r"(?P<head>(?:[:\-,]\s+|\[\s*))(?P<bad>!(?P<word>[\w.]+))(?=[,}\]])")),
    ("sign", re.compile(r"(?P<head>(?:[:\-,]\s+|\[\s*))(?P<bad>[@`%][^,\]}\n]*)")),
)


def _mend(text: str, error: yaml.YAMLError, file: str, log: Log) -> str | None:
    """Report a syntax error in our words; return the text with that line mended, or None if nobody knows how."""
    if isinstance(error, _Braces):
        lines = text.split("\n")
        found = _trap(lines[error.line])
        if found is None:
            log.add(
                file, error.line + 1, "", 'a mapping can\'t be a key; text with {{ }} needs quotes: "{{ form.name }}"'
            )
            return None
        log.add(file, error.line + 1, "", found[0])
        lines[error.line] = found[1]
        return "\n".join(lines)
    mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
    if mark is None:
        position = getattr(error, "position", 0)
        line = text.count("\n", 0, position if isinstance(position, int) else 0) + 1
        log.add(file, line, "", "there is a character that can't stand in a text file; save it as plain UTF-8")
        return None
    lines = text.split("\n")
    context = getattr(error, "context_mark", None)
    places = [mark.line, mark.line - 1, *([context.line] if context else [])]
    for place in dict.fromkeys(places):
        if 0 <= place < len(lines) and (found := _trap(lines[place])) is not None:
            message, lines[place] = found
            log.add(file, place + 1, "", message)
            return "\n".join(lines)
    what = str(getattr(error, "problem", "") or error).split("\n")[0]
    log.add(file, mark.line + 1, "", _in_words(what, lines[mark.line] if mark.line < len(lines) else ""))
    return None


def _trap(line: str) -> tuple[str, str] | None:
    hidden = _QUOTED.sub(lambda match: "\0" * len(match.group()), line)
    for kind, pattern in _TRAPS:
        match = pattern.search(hidden)
        if match is None:
            continue
        start, end = match.span("bad")
        bad = line[start:end].rstrip()
        mended = line[:start] + "'" + bad.replace("'", "''") + "'" + line[start + len(bad) :]
        if kind == "template":
            whole = re.match(r"(?P<key>\s*(?:- )?(?P<name>[\w.]+):\s+)(?P<value>[^\s\[{'\"][^#]*?)\s*$", line)
            if whole is not None:  # the text begins before the braces: all of it needs the quotes
                right = whole["value"].replace("'", "''")
                return (
                    f'text with {{{{ }}}} needs quotes: {whole["name"]}: "{whole["value"]}"',
                    f"{whole['key']}'{right}'",
                )
            owner = re.search(r"([\w.]+):\s*$", line[:start])
            return f'text with {{{{ }}}} needs quotes: {(owner[1] + ": ") if owner else ""}"{bad}"', mended
        if kind == "star":
            return f'quote "{bad}"', mended
        if kind == "tag":
            word = match["word"]
            return f"tags (!{word}) mean nothing here; write {{not: {word}}}, or absent for !present", mended
        if kind == "compare":
            right = f"{_COMPARE[match['sign']]}: {match['than']}"
            return f"use {right}", line[:start] + "{" + right + "}" + line[start + len(bad) :]
        if kind == "comment":
            lost = line[match.start("lost") : end].strip()
            return f'everything after " #" is lost as a comment ("{lost}"). Quote the text.', line[:start] + " " + line[
                start + 1 :
            ]
        return f'quote "{bad}"', mended
    return None


def _in_words(what: str, line: str) -> str:
    if "\t" in line[: len(line) - len(line.lstrip())] or "'\\t'" in what:
        return "indent with spaces, not with tabs"
    if "mapping values are not allowed" in what:
        return 'a second ": " in one line: quote the text after the first, or check the indentation'
    if "could not find expected ':'" in what:
        return 'a key without ": " (or a line indented less than the text it belongs to)'
    if "expected <block end>" in what or "did not find expected" in what:
        return f"the indentation doesn't fit the lines above, or a quote or bracket is missing ({what})"
    if "expected ',' or" in what or "<stream end>" in what or "end of stream" in what:
        return f"a bracket or quote isn't closed, or a text needs quotes ({what})"
    if "undefined tag handle" in what:
        return 'tags (!x) mean nothing here; write the value without "!", or quote it'
    if "duplicate anchor" in what:
        return f"{what}; give each & its own name"
    return f"this isn't YAML: {what}"
