"""Which events and actions a page names, in the short forms people write.

`a|b.{c,d}` and `a.c d e` stand for each pair; in one row or paragraph so do `a.c`, `d`, `.e`, and `a.*` with `c`, `d`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

_FENCED = re.compile(r"^ *```.*?^ *```", re.M | re.S)
_BLOCKS = re.compile(r"\n(?=\s*\|)|\n\s*\n|\n(?=\s*[-*] )")
_SHORT = re.compile(r"([a-z_|]+)\.(\{[^}]*\}|[a-z_|]+)((?: [a-z_]+)*)|(?<![\w.])([a-z_]+)(?![\w.])")


def named_in(page: str) -> set[str]:
    """Return the names that stand in a page as code."""
    found: set[str] = set()
    for block in _BLOCKS.split(_FENCED.sub("", page)):
        quoted = re.findall(r"`([^`]+)`", block.replace("\n", " "))
        alone = {code.removeprefix(".") for code in quoted if re.fullmatch(r"\.?[a-z_]+", code)}
        records = {record for code in quoted for record in re.findall(r"([a-z_]+)\.(?:\*|$|[a-z_]+$)", code)}
        found |= {*quoted, *(name for code in quoted for name in spelled_out(code))}
        found |= {f"{record}.{verb}" for record in records for verb in alone}
    return found


def spelled_out(code: str) -> Iterator[str]:
    """Yield the names one piece of code stands for."""
    for word in _SHORT.finditer(code):
        records, verbs, more, plain = word.groups()
        if plain:
            yield plain
            continue
        for record in records.split("|"):
            for verb in [*re.split(r"[,|]", verbs.strip("{}")), *more.split()]:
                yield f"{record}.{verb.strip()}"
