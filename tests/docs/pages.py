"""The pages of documentation, taken apart: code blocks, headings, links, commands."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
README = ROOT / "README.md"
DOCS = sorted((ROOT / "docs").glob("*.md"))
VENDORS = sorted((ROOT / "plugins").glob("*/README.md"))
#: the bench writes its own figures; the tests of a page that isn't there would only confuse
OTHERS = [page for page in (ROOT / "CHANGELOG.md", ROOT / "bench" / "README.md") if page.exists()]
ALL = [README, *DOCS, *VENDORS, *OTHERS]

_FENCE = re.compile(r"^( *)(```+)(\w*)\s*$")
_HEADING = re.compile(r"^(#{1,6}) +(.+?)\s*$")
#: code may go over the end of a line, not over an empty one
_CODE = re.compile(r"(?<!`)`((?:[^`\n]|\n(?!\n))+)`(?!`)")
_LINK = re.compile(r"(?<!!)\[[^\]]*\]\(([^)\s]+)\)")


@dataclass(frozen=True)
class Block:
    """A fenced block. `note` is the HTML comment on the line above it."""

    page: Path
    line: int
    language: str
    text: str
    note: str = ""

    def __str__(self) -> str:
        return f"{self.page.relative_to(ROOT)}:{self.line}"


def name(page: Path) -> str:
    """Return how a page is called in test ids."""
    return page.relative_to(ROOT).as_posix()


def blocks(page: Path, *languages: str) -> list[Block]:
    """Return the fenced blocks of some languages (all of them where none is named)."""
    found = list(_blocks(page))
    return [block for block in found if block.language in languages] if languages else found


def _blocks(page: Path) -> Iterator[Block]:
    lines = page.read_text("utf-8").splitlines()
    place = 0
    while place < len(lines):
        opening = _FENCE.match(lines[place])
        if opening is None:
            place += 1
            continue
        indent, fence, language = opening.groups()
        inner: list[str] = []
        start, above = place + 1, lines[place - 1].strip() if place else ""
        place += 1
        while place < len(lines) and lines[place].strip() != fence:
            inner.append(lines[place].removeprefix(indent))
            place += 1
        place += 1
        note = above.removeprefix("<!--").removesuffix("-->").strip() if above.startswith("<!--") else ""
        yield Block(page, start, language, "\n".join(inner) + "\n", note)


def prose(page: Path) -> str:
    """Return a page without its fenced blocks."""
    out, inside = [], False
    for line in page.read_text("utf-8").splitlines():
        if _FENCE.match(line):
            inside = not inside
        elif not inside:
            out.append(line)
    return "\n".join(out)


def headings(page: Path) -> list[tuple[int, str]]:
    """Return (level, text) of every heading."""
    return [(len(m[1]), m[2]) for line in prose(page).splitlines() if (m := _HEADING.match(line))]


def section(page: Path, heading: str) -> str:
    """Return what stands below a heading, up to the next one of its level or above."""
    found, level = [], 0
    for line in page.read_text("utf-8").splitlines():
        match = _HEADING.match(line)
        if match and level and len(match[1]) <= level:
            break
        if level:
            found.append(line)
        elif match and match[2] == heading:
            level = len(match[1])
    return "\n".join(found)


def anchors(page: Path) -> set[str]:
    """Return the anchors that GitHub makes of the headings."""
    found: set[str] = set()
    for _, text in headings(page):
        plain = re.sub(r"[`*]", "", re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", text)).lower()
        slug = base = re.sub(r"[^\w\- ]", "", plain).replace(" ", "-")
        number = 1
        while slug in found:
            slug, number = f"{base}-{number}", number + 1
        found.add(slug)
    return found


def links(page: Path) -> list[str]:
    """Return the targets of all links."""
    return _LINK.findall(prose(page))


def inline_code(page: Path) -> list[str]:
    """Return what stands between single backticks."""
    return [" ".join(code.split()) for code in _CODE.findall(prose(page))]


def commands(page: Path) -> Iterator[tuple[str, str]]:
    """Yield (where, words after `hub`) for every command of the hub that a page mentions."""
    for code in inline_code(page):
        if match := re.match(r"(?:[A-Z_]+=\S+ )*(?:\S*/)?hub ([^{].*)$", code):
            yield name(page), match[1]
    for block in blocks(page, "sh", "ini", "console"):
        for line in block.text.splitlines():
            if match := re.match(r"(?:ExecStart=|\$ )?(?:[A-Z_]+=\S+ )*(?:\S*/)?hub ([^#]*)", line.strip()):
                yield str(block), match[1].strip()
