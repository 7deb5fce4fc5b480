"""The demo on the terminal: who stands where, the day as it goes by, the tables of the evening."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn
from rich.table import Table

from hub.demo.account import Group, Outcome
from hub.demo.checks import Result
from hub.demo.company import Company
from hub.demo.place import Place
from hub.demo.story import Moment
from hub.demo.world import World

_PLAIN_WIDTH = 150
#: columns that hold numbers
_NUMBERS = ("how many", "sum", "comments", "to-dos", "times", "notes", "tasks")


def console(quiet: bool = False) -> Console:
    """Return where to print: colours and movement only on a terminal; wide enough for the tables elsewhere."""
    made = Console(highlight=False, markup=False, emoji=False, quiet=quiet)
    if made.is_terminal:
        return made
    return Console(highlight=False, markup=False, emoji=False, quiet=quiet, no_color=True, width=_PLAIN_WIDTH)


def header(out: Console, world: World, place: Place) -> None:
    """Say what runs where."""
    out.print(f"A day of {place.company.headline}. Real hub, stand-ins of its vendors, no network.")
    rows = [
        (f"{vendor} (stand-in)", f"{world.stands[name].base_url}/_sandbox/state")
        for name, vendor in place.company.vendors.items()
    ]
    for name, where in (*rows, ("the hub", f"{world.url}/healthz"), ("its configuration", str(place.config))):
        out.print(f"  {name:<24}{where}")
    out.print()


@contextmanager
def progress(out: Console, moments: int) -> Iterator[Callable[[Moment], None]]:
    """Show the day going by: a bar with the present moment, or a line for each where nothing can move."""
    if out.quiet or not out.is_terminal:
        yield lambda moment: out.print(f"{moment.at}  {moment.words}", soft_wrap=True)
        out.print()
        return
    columns = (TextColumn("{task.fields[at]}"), BarColumn(24), TextColumn("{task.description}"))
    with Progress(*columns, console=out, transient=True) as bar:
        task = bar.add_task("", total=moments, at="09:00", completed=-1)

        def tell(moment: Moment) -> None:
            bar.update(task, advance=1, at=moment.at, description=moment.words)

        yield tell


# --- tables -----------------------------------------------------------------------------------------------------------


def tables(out: Console, outcome: Outcome, company: Company) -> None:
    """Print what became of each request and what stands at the vendors."""
    _table(
        out,
        "What became of each request",
        ("door", "what came", "what became of it", "why", "how many"),
        _groups(outcome, company.doors),
    )
    for words, n in outcome.arrived.items():
        out.print(f"  {n:>4} {words}")
    out.print(f"  {sum(outcome.arrived.values()):>4} arrived, {sum(outcome.groups.values())} accounted for above\n")
    for sheet in company.sheets(outcome):
        _table(out, sheet.title, sheet.columns, sheet.rows)
        if sheet.after:
            out.print(f"  {sheet.after}\n")
    told = [(alert["words"], alert["times"], "" if alert["open"] else "over") for alert in outcome.alerts]
    _table(out, "What a person is told", ("alert", "times", ""), [(_short(words), *rest) for words, *rest in told])


def verdict(out: Console, results: Iterable[Result]) -> None:
    """Print the checks."""
    table = Table(title="What must be true", title_justify="left", title_style="bold", box=None, pad_edge=False)
    for name in ("", "statement", "proof"):
        table.add_column(name, header_style="bold")
    for result in results:
        sign, style = ("✓", "green") if result.ok else ("✗", "bold red")
        table.add_row(sign, result.words, result.proof, style="" if result.ok else style)
        table.columns[0].style = "green"
    out.print(table)
    out.print()


def farewell(out: Console, world: World, place: Place) -> None:
    """Say where the hub goes on running and what to try."""
    program = Path(sys.executable).parent / "hub"
    hub = f"{program if program.exists() else 'hub'} --config {place.config}"
    out.print(f"The hub goes on running at {world.url} until Ctrl+C. Try in another terminal:")
    for words, line in (
        *place.company.to_try(hub, world),
        ("what a person must know", f"{hub} alerts list"),
        ("all calls that went out", f"{hub} deliveries list"),
    ):
        out.print(f"  {words + ':':<26}{line}", soft_wrap=True)


def as_json(outcome: Outcome, company: Company, results: list[Result], seconds: float) -> dict[str, Any]:
    """Return the evening for machines."""
    return {
        "ok": all(result.ok for result in results),
        "seconds": round(seconds, 1),
        "arrived": outcome.arrived,
        "requests": [{**asdict(group), "count": n} for group, n in outcome.groups.items()],
        **company.records(outcome),
        "alerts": outcome.alerts,
        "checks": [asdict(result) for result in results],
    }


def _table(out: Console, title: str, columns: tuple[str, ...], rows: Iterable[tuple[Any, ...]]) -> None:
    table = Table(title=title, title_justify="left", title_style="bold", box=None, pad_edge=False)
    for name in columns:
        table.add_column(name, justify="right" if name in _NUMBERS else "left", overflow="fold", header_style="bold")
    for row in rows:
        table.add_row(*(str(cell) for cell in row))
    out.print(table)
    out.print()


def _groups(outcome: Outcome, doors: tuple[str, ...]) -> Iterator[tuple[Any, ...]]:
    def place(item: tuple[Group, int]) -> tuple[Any, ...]:
        group, n = item
        return doors.index(group.connection), group.what in ("turned away", "unreadable"), group.what, -n

    before = ""
    for group, n in sorted(outcome.groups.items(), key=place):
        door = "unknown" if group.connection == "?" else group.connection
        yield door if door != before else "", group.what, group.became, group.why, n
        before = door


def _short(text: str, most: int = 110) -> str:
    return text if len(text) <= most else text[: most - 1] + "…"
