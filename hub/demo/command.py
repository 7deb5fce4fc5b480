"""`hub demo`: stand-ins of the vendors, a real hub, a day of recorded traffic, and an account of what became of it."""

from __future__ import annotations

import signal
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING

import click
import requests

from hub.cli.context import InputError, WorldError
from hub.errors import HubError

if TYPE_CHECKING:
    from hub.demo.place import Place
    from hub.demo.story import Moment


@click.command()
@click.option("--once", is_flag=True, help="End after the day: exit 0 if all came out right, else 1.")
@click.option(
    "--recipe", type=click.Choice(["beauty", "quest_rooms"]), default="beauty", show_default=True, help="Whose day."
)
@click.option(
    "--port", type=click.IntRange(1, 65535), metavar="N", help="The hub's port (default: 8080, or a free one)."
)
@click.option("--data", "folder", type=click.Path(file_okay=False, path_type=Path), metavar="DIR",
              help="An empty folder for its hub.yaml and data; it is kept (default: a temporary one).")  # fmt: skip
@click.option("--keep", is_flag=True, help="Keep the temporary folder.")
@click.option("--json", "as_json", is_flag=True, help="Print the outcome for machines.")
@click.pass_context
def demo(
    ctx: click.Context, once: bool, recipe: str, port: int | None, folder: Path | None, keep: bool, as_json: bool
) -> None:
    """Play a day of a company against stand-ins of its vendors on this machine; no other network.

    beauty: Bitrix24, Nova Poshta, forms. quest_rooms: amoCRM, Calltouch, Instagram, Unisender, forms. What comes in,
    duplicates, garbage and outages among it, goes through a real hub. At the end: what became of each request, what
    stands at the vendors, and whether all of it is as it should be. Then the hub goes on running.
    """
    from hub.demo.clock import NotQuiet
    from hub.demo.company import company
    from hub.demo.place import DemoFailed, Place, free_port

    folder = _own_folder(folder or _given(ctx))
    usual = signal.signal(signal.SIGTERM, _ended)
    _interrupted.clear()
    usual_interrupt = signal.signal(signal.SIGINT, _interrupt)
    try:
        place = Place(folder, free_port(port, 0 if once else 8080), company(recipe), keep)
        ok = _run(place, once, as_json)
    except (DemoFailed, NotQuiet, HubError, OSError, requests.RequestException) as error:
        raise WorldError(f"the demo could not be played to its end: {error}") from error
    finally:
        signal.signal(signal.SIGTERM, usual)
        signal.signal(signal.SIGINT, usual_interrupt)
    ctx.exit(0 if ok else 1)


def _run(place: Place, once: bool, as_json: bool) -> bool:
    """Play, collect, judge, print; return whether all checks hold."""
    from hub.cli.output import print_json
    from hub.demo import show, story

    company = place.company
    out = show.console(quiet=as_json)
    started = time.monotonic()
    with place as world:
        show.header(out, world, place)
        with show.progress(out, len(company.day)) as tell:
            story.play(world, company.day, _minding_ctrl_c(tell))
        outcome = company.collect(world)
        results = company.checks(outcome)
        seconds = time.monotonic() - started
        show.tables(out, outcome, company)
        show.verdict(out, results)
        wrong = [result for result in results if not result.ok]
        if as_json:
            print_json(show.as_json(outcome, company, results, seconds))
        for result in wrong:
            click.echo(f"not as it should be: {result.words}: {result.proof}", err=True)
        out.print(f"The day took {seconds:.0f} s. " + (f"{len(wrong)} checks failed.\n" if wrong else "All is well.\n"))
        if not once:
            show.farewell(out, world, place)
            _stay(place)
    if place.keep:
        click.echo(f"kept: {place.folder}", err=True)
    return not wrong


def _stay(place: Place) -> None:
    """Go on until Ctrl+C or until the hub ends by itself."""
    from hub.demo.place import DemoFailed

    try:
        while place.alive():
            time.sleep(0.3)
    except KeyboardInterrupt:
        return
    raise DemoFailed(f"the hub ended; its last words:\n{place.last_words()}")


def _given(ctx: click.Context) -> Path | None:
    """Return `hub --data DIR`, if it stands on the command line; HUB_DATA names a real hub's folder, not the demo's."""
    parent = ctx.parent
    if parent is None or parent.get_parameter_source("data") is not click.core.ParameterSource.COMMANDLINE:
        return None
    given: Path | None = parent.params.get("data")
    return given


def _own_folder(folder: Path | None) -> Path | None:
    """Return the folder if the demo may have it for itself."""
    if folder is not None and folder.exists() and any(folder.iterdir()):
        raise InputError(f"{folder} is not empty: the demo wants a folder of its own")
    return folder.absolute() if folder is not None else None


#: set by Ctrl+C: an exception raised in a finalizer or in the middle of a start is lost
_interrupted = threading.Event()


def _interrupt(signum: int, frame: FrameType | None) -> None:
    _interrupted.set()
    raise KeyboardInterrupt


def _minding_ctrl_c(tell: Callable[[Moment], None]) -> Callable[[Moment], None]:
    """Return `tell`, raising KeyboardInterrupt at the next moment after somebody has pressed Ctrl+C."""

    def heard(moment: Moment) -> None:
        if _interrupted.is_set():
            raise KeyboardInterrupt
        tell(moment)

    return heard


def _ended(signum: int, frame: FrameType | None) -> None:
    sys.exit(128 + signum)
