"""Putting things on the terminal: JSON for machines, tables and coloured words for people."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any
from zoneinfo import ZoneInfo

import click
import orjson

from hub.masking import visible

#: state -> colour
COLOURS = {
    "done": "green", "ok": "green", "planned": "green", "would run": "green", "open": "red",
    "ready": "cyan", "new": "cyan", "waiting": "cyan",
    "parked": "red", "unreadable": "red", "problem": "red", "rejected": "red", "refused": "red",
    "skipped": "yellow", "warning": "yellow", "off": "yellow", "retry": "yellow", "uncertain": "yellow",
    "dropped": "bright_black", "joined": "bright_black", "echo": "bright_black", "gone": "bright_black",
    "closed": "bright_black",
}  # fmt: skip

#: what `click.style` writes for these colours, bold and the end of each; anything else that looks so came from outside
_STYLE = re.compile(r"\x1b\[(?:0|1|3[1-6]|90)m")

#: columns that may take several lines on a narrow terminal; the others stay whole
_LONG = frozenset({"why", "route", "key", "request", "reason", "title", "about", "file", "wait", "subject", "what"})

json_option: Callable[[Any], Any] = click.option("--json", "as_json", is_flag=True, help="Print JSON for machines.")


def echo(message: str = "", nl: bool = True, err: bool = False) -> None:
    """Print words for people; of what came from outside no letter moves the cursor or changes a colour."""
    click.echo(
        "".join(part if style else visible(part, keep="\n\t") for part, style in _parts(message)), nl=nl, err=err
    )


def _parts(text: str) -> Iterator[tuple[str, bool]]:
    """Yield (piece, whether it is one of our own colours)."""
    place = 0
    for found in _STYLE.finditer(text):
        yield text[place : found.start()], False
        yield found.group(), True
        place = found.end()
    yield text[place:], False


def print_json(value: Any) -> None:
    """Print a value as indented JSON."""
    click.echo(orjson.dumps(value, default=str, option=orjson.OPT_INDENT_2 | orjson.OPT_NON_STR_KEYS).decode())


def print_json_line(value: Any) -> None:
    """Print a value as JSON on one line."""
    click.echo(orjson.dumps(value, default=str, option=orjson.OPT_NON_STR_KEYS).decode())


def coloured(word: str, text: str = "") -> str:
    """Return a word (or `text` in its place) in the colour it has everywhere."""
    return click.style(text or word, fg=COLOURS.get(word))


def dim(text: str) -> str:
    """Return text that stands back."""
    return click.style(text, fg="bright_black")


def bold(text: str) -> str:
    """Return text that stands out."""
    return click.style(text, bold=True)


def local(at: str | float | None, zone: ZoneInfo) -> str:
    """Return an instant (ISO text or epoch seconds) as people read it, in their zone; "" for none."""
    if at is None:
        return ""
    moment = dt.datetime.fromisoformat(at) if isinstance(at, str) else dt.datetime.fromtimestamp(at, dt.UTC)
    return moment.astimezone(zone).strftime("%Y-%m-%d %H:%M:%S")


def count(number: int, noun: str) -> str:
    """Return `1 route`, `2 routes`."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def harmless(value: Any) -> Any:
    """Return a value as it may be shown on a terminal, all texts in it too: what came from outside moves no cursor."""
    if isinstance(value, str):
        return visible(value, keep="\n\t")
    if isinstance(value, Mapping):
        return {key: harmless(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [harmless(one) for one in value]
    return value


def short(value: Any, most: int = 100) -> str:
    """Return a value on one line, cut when it is long."""
    text = value if isinstance(value, str) else orjson.dumps(value, default=str).decode()
    text = " ".join(text.split())
    return text if len(text) <= most else text[: most - 1] + "…"


#: so many letters of a long cell are counted when it is seen whether a table fits; the rest is folded or cut
_FOLDED = 24
#: a word longer than this is a key or a digest: on a terminal its beginning tells enough
_WORD = 34


def _fits(columns: Sequence[str], rows: Sequence[Mapping[str, Any]], width: int) -> bool:
    """Return whether rows fit a terminal as a table."""
    need = 2 * (len(columns) - 1)
    for column in columns:
        widest = max(len(column), *(len(str(row.get(column) or "")) for row in rows))
        need += min(widest, _FOLDED) if column in _LONG else widest
    return need <= width


def _cut(text: str) -> str:
    return " ".join(word if len(word) <= _WORD else word[: _WORD - 1] + "…" for word in text.split(" "))


def _blocks(columns: Sequence[str], rows: Sequence[Mapping[str, Any]]) -> None:
    """Print each row as a few lines of its own, empty values left out."""
    for row in rows:
        first, *rest = [(name, str(row[name])) for name in columns if row.get(name) not in (None, "")]
        echo(bold(first[1]))
        for name, value in rest:
            echo(f"  {name:<11}{coloured(value) if name == 'state' else value}")


def table(columns: Sequence[str], rows: Iterable[Mapping[str, Any]], empty: str) -> None:
    """Print rows under headings; a cell in a column called `state` has its colour. Says `empty` if there are none.

    A line break in a cell is shown in writing: it would begin what looks like a row of its own.
    """
    listed = [
        {name: visible(value) if isinstance(value, str) else harmless(value) for name, value in row.items()}
        for row in rows
    ]
    if not listed:
        echo(empty)
        return
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console(highlight=False, markup=False, emoji=False)
    if not console.is_terminal:
        console = Console(highlight=False, markup=False, emoji=False, width=10_000)
    shown = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        shown.add_column(column.upper(), overflow="fold", no_wrap=column not in _LONG)
    for row in listed:
        cells = []
        for column in columns:
            text = str(row.get(column) if row.get(column) is not None else "")
            if console.is_terminal and column in _LONG:
                text = _cut(text)
            colour = COLOURS.get(text, "") if column in ("state", "level") else ""
            cells.append(Text(text, style=colour))
        shown.add_row(*cells)
    if console.is_terminal and not _fits(columns, listed, console.width):
        _blocks(columns, listed)
        return
    with console.capture() as captured:
        console.print(shown)
    for line in captured.get().splitlines():
        echo(line.rstrip())


def key(told: str) -> str:
    """Return a person's key (`crm.contact 55`) as people read it."""
    from hub.identity import in_words

    kind, _, value = told.partition(" ")
    return in_words(kind, value)
