"""What is wrong with a configuration, said so that an administrator can act on it."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import dataclass, field, replace

PROBLEM, WARNING, LATER = "problem", "warning", "later"
#: more than these are not printed: the file is something else altogether
MOST = 200


@dataclass(frozen=True)
class Problem:
    """One remark: level `problem` (the file can't be used), `warning`, or `later` (not built yet).

    `path` is for machines (`routes[3].steps[1].set.ttn`), `place` the same for people, with the route's own name.
    """

    file: str
    line: int
    path: str
    text: str
    level: str = PROBLEM
    place: str = ""

    def __str__(self) -> str:
        line = f"{self.file}:{self.line}" if self.line else self.file
        mark = {WARNING: "warning: ", LATER: "not built yet: "}.get(self.level, "")
        place = self.place or self.path
        return f"{line} {place}: {mark}{self.text}" if place else f"{line}: {mark}{self.text}"


@dataclass
class Log:
    """Collects remarks; the same one twice (a value reached through an alias) counts once."""

    found: list[Problem] = field(default_factory=list)
    _seen: set[Problem] = field(default_factory=set)

    def add(self, file: str, line: int, path: str, text: str, level: str = PROBLEM) -> None:
        """Add one remark."""
        problem = Problem(file, line, path, text, level)
        if problem not in self._seen and len(self.found) < MOST:
            self._seen.add(problem)
            self.found.append(problem)

    def soften(self, since: int, but: Iterable[str]) -> None:
        """Turn the problems found `since` then into warnings, but for those at certain paths: what they are about
        does not run.
        """
        kept = set(but)
        self.found[since:] = [
            replace(one, level=WARNING) if one.level == PROBLEM and one.path not in kept else one
            for one in self.found[since:]
        ]

    @property
    def problems(self) -> list[Problem]:
        """The remarks that make the file unusable."""
        return [one for one in self.found if one.level == PROBLEM]

    @property
    def notes(self) -> list[Problem]:
        """Warnings and what isn't built yet."""
        return [one for one in self.found if one.level != PROBLEM]


def nearest(word: str, known: Iterable[str], cutoff: float = 0.66) -> str | None:
    """Return the known word that was probably meant, or None."""
    by_lower: dict[str, str] = {}
    for one in known:
        by_lower.setdefault(one.casefold(), one)
    found = difflib.get_close_matches(word.casefold()[:100], by_lower, 1, cutoff)
    return by_lower[found[0]] if found else None


def guess(word: str, known: Iterable[str], cutoff: float = 0.66) -> str:
    """Return ` Did you mean "x"?` or nothing, to be put behind a sentence."""
    near = nearest(word, known, cutoff)
    return f' Did you mean "{near}"?' if near else ""


def listed(words: Iterable[str], most: int = 12) -> str:
    """Return the words in a row, cut after `most`."""
    known = list(dict.fromkeys(words))
    return ", ".join(known[:most]) + (", ..." if len(known) > most else "")
