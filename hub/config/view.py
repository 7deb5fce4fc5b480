"""A value of the file together with its place: asks for a shape, reports what doesn't fit, and goes on."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from hub.conditions import NO, YES
from hub.config.problems import LATER, PROBLEM, WARNING, Log, guess, listed
from hub.config.reader import Node
from hub.paths import duration

_KINDS = {"text": "a text", "map": "a mapping (key: value)", "list": "a list"}


@dataclass(frozen=True, slots=True)
class View:
    """One node, the path that leads to it, and the log for remarks about it."""

    node: Node
    path: str
    log: Log
    key_line: int = 0

    @property
    def line(self) -> int:
        """The line of the key, where there is one, else of the value."""
        return self.key_line or self.node.line

    @property
    def is_text(self) -> bool:
        """Whether it is a text."""
        return self.node.kind == "text"

    @property
    def is_map(self) -> bool:
        """Whether it is a mapping."""
        return self.node.kind == "map"

    @property
    def is_list(self) -> bool:
        """Whether it is a list."""
        return self.node.kind == "list"

    @property
    def text(self) -> str:
        """The text; empty for anything else."""
        return self.node.text

    def say(self, text: str, level: str = PROBLEM) -> None:
        """Report a problem here."""
        self.log.add(self.node.file, self.line, self.path, text, level)

    def warn(self, text: str) -> None:
        """Report a warning here."""
        self.say(text, WARNING)

    def later(self, text: str) -> None:
        """Report something that isn't built yet."""
        self.say(text, LATER)

    def get(self, key: str) -> View | None:
        """Return the value of a key, or None."""
        node = self.node.items.get(key)
        if node is None:
            return None
        path = f"{self.path}.{key}" if self.path else key
        return View(node, path, self.log, self.node.key_lines.get(key, 0))

    def __contains__(self, key: str) -> bool:
        return key in self.node.items

    def __iter__(self) -> Iterator[str]:
        """Yield the keys of a mapping, in the order of the file."""
        return iter(self.node.items)

    def fields(self) -> Iterator[tuple[str, View]]:
        """Yield key and value of a mapping."""
        for key in self.node.items:
            found = self.get(key)
            if found is not None:
                yield key, found

    def each(self) -> list[View]:
        """Return the items of a list; anything else is a list of itself."""
        if not self.is_list:
            return [self]
        return [View(node, f"{self.path}[{place}]", self.log) for place, node in enumerate(self.node.list)]

    def mapping(self, known: Iterable[str] | None = None, what: str = "") -> bool:
        """Return whether it is a mapping; report it if not, and each key that isn't known."""
        if not self.is_map:
            shape = "nothing" if self.is_text and not self.text else _KINDS[self.node.kind]
            self.say(f"{what or 'this'} should be a mapping (key: value), not {shape}")
            return False
        if known is not None:
            self.unknown(known)
        return True

    def unknown(self, known: Iterable[str]) -> None:
        """Report each key that isn't known."""
        known = list(known)
        for key, view in self.fields():
            if key not in known:
                hint = guess(key, known, 0.6) or f" Known: {listed(known, 30)}"
                view.say(f'unknown key "{key}".{hint}')

    def word(self, what: str = "this") -> str | None:
        """Return a text that isn't empty, or None after reporting."""
        if not self.is_text:
            self.say(f"{what} should be a text, not {_KINDS[self.node.kind]}")
            return None
        if not self.text.strip():
            self.say(f"{what} has no value")
            return None
        return self.text.strip()

    def words(self, what: str = "this") -> list[View]:
        """Return the texts of a list, or of one text, those that are none reported and left out."""
        return [view for view in self.each() if view.word(what) is not None]

    def choice(self, known: Iterable[str], what: str = "this") -> str | None:
        """Return one of the known words, or None after reporting."""
        word = self.word(what)
        known = list(known)
        if word is None or word in known:
            return word
        self.say(f'{what} can\'t be "{word}"; it is one of {", ".join(known)}.{guess(word, known)}')
        return None

    def seconds(self, what: str = "this") -> int | None:
        """Return a duration in seconds, or None after reporting."""
        word = self.word(what)
        if word is None:
            return None
        found = duration(word)
        if found is None:
            self.say(f'{what} should be a duration like 30s, 5m, 3h or 2d, not "{word}"')
        return found

    def switch(self) -> bool:
        """Return yes or no; anything else is reported and taken for no."""
        word = (self.word() or "no").lower()
        if word not in YES and word not in NO:
            self.say(f'this is yes or no, not "{word}"')
        return word in YES

    def integer(self, what: str, least: int = 1, most: int = 100_000) -> int | None:
        """Return a whole number, or None after reporting."""
        word = self.word(what)
        if word is None:
            return None
        if not word.isdecimal() or len(word) > 9 or not least <= int(word) <= most:
            self.say(f'{what} should be a number from {least} to {most}, not "{word[:40]}"')
            return None
        return int(word)
