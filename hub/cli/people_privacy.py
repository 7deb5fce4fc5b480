"""`hub people export|erase|erasures`: one person, everywhere: all there is of them, or nothing any more."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import click

from hub.cli import output
from hub.cli.context import App, InputError, WorldError, pass_app
from hub.cli.people import people


@people.command("export")
@click.argument("person", nargs=-1, required=True, metavar="PERSON")
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), metavar="FILE",
              help="Write into this new file, readable for you alone (else standard output).")  # fmt: skip
@pass_app
def export(app: App, person: tuple[str, ...], out: Path | None) -> None:
    """Write down all the hub holds of one person, as JSON: keys, requests as they came, events, deliveries, tries.

    PERSON is their number here (hub explain shows it), a phone in any spelling, an e-mail or a handle. Secrets of
    connections are masked. A request that holds other people too comes without its body.
    """
    import orjson

    from hub import privacy

    asked = " ".join(person)
    with app.open_store().read() as db:
        theirs = privacy.find(db, asked, app.region, _nobody(app))
        if not theirs:
            raise WorldError(_unknown(app, asked))
        told = privacy.export(db, theirs)
    text = app.masker.mask(
        orjson.dumps(told, default=str, option=orjson.OPT_INDENT_2 | orjson.OPT_NON_STR_KEYS).decode()
    )
    if out is None:
        output.echo(text)
        return
    try:
        with os.fdopen(os.open(out, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
            file.write(text + "\n")
    except FileExistsError:
        raise InputError(f"{out} exists already; nothing was written") from None
    counted = [(len(told[name]), name, one) for name, one in _COUNTED.items()]
    output.echo(f"{out}: {', '.join(f'{n} {one if n == 1 else name}' for n, name, one in counted)}", err=True)


_COUNTED = {"receipts": "receipt", "events": "event", "deliveries": "delivery", "attempts": "attempt"}


@people.command("erase")
@click.argument("person", nargs=-1, required=True, metavar="PERSON")
@click.option("--dry-run", is_flag=True, help="Tell what would be erased; change nothing.")
@click.option("--yes", is_flag=True, help="Don't ask.")
@click.option("--no-vacuum", is_flag=True, help="Leave rewriting the database's file for a quiet hour.")
@output.json_option
@pass_app
def erase(
    app: App, person: tuple[str, ...], dry_run: bool, yes: bool, no_vacuum: bool, as_json: bool
) -> None:  # fmt: skip
    """Erase one person everywhere in the hub: requests, events, deliveries, keys, links, traces in others' rows.

    What is being sent for them ends first; what waits for them is given up. What counts need stays without them, and
    keys by which a late copy is known. Systems the hub writes to keep what they have: erase the person there too, or
    the next change there brings them back. The receipt that is printed is kept (hub people erasures).
    """
    from hub import privacy
    from hub.store.erase import compact

    asked, store = " ".join(person), app.open_store()
    counts = privacy.forecast(store, asked, app.region, _nobody(app))
    if not counts:
        if as_json:
            output.print_json({"asked": asked, "found": False, "erased": None})
        else:
            output.echo(_unknown(app, asked))
        return
    if dry_run:
        if as_json:
            output.print_json({"asked": asked, "found": True, "would_erase": counts, "erased": None})
        else:
            _tell("would be erased", counts)
        return
    if not yes and sys.stdin.isatty():
        _tell("will be erased, for good", counts)
        click.confirm("Erase this person?", abort=True)
    receipt = privacy.erase_person(store, asked, app.region, _nobody(app), _progress())
    if receipt is None:
        raise WorldError(_unknown(app, asked))
    if not no_vacuum and not compact(store):
        output.echo(
            "the database's log is being read and could not be cut: run this again, or restart the hub", err=True
        )
    if as_json:
        output.print_json({"asked": asked, "found": True, "erased": receipt, "vacuumed": not no_vacuum})
        return
    _tell("erased", receipt["counts"])
    output.echo(
        f"receipt {receipt['id']} of {output.local(receipt['finished_at'], app.zone)}, digest {receipt['digest']}"
    )
    if no_vacuum:
        output.echo("the database's file still holds what was deleted until it is rewritten", err=True)


@people.command("erasures")
@output.json_option
@pass_app
def erasures(app: App, as_json: bool) -> None:
    """List the receipts of what was erased, newest first; one that was cut short has no end: erase again."""
    from hub import privacy

    with app.open_store().read() as db:
        found = privacy.erasures(db)
    if as_json:
        output.print_json(found)
        return
    rows = [
        {"id": one["id"], "at": output.local(one["finished_at"] or one["began_at"], app.zone),
         "persons": ", ".join(map(str, one["persons"])), "state": "done" if one["finished_at"] else "cut short",
         "genuine": "yes" if one["genuine"] else "no", "digest": one["digest"],
         "what": ", ".join(f"{name}: {n}" for name, n in one["counts"].items())}
        for one in found
    ]  # fmt: skip
    output.table(("id", "at", "persons", "state", "genuine", "what", "digest"), rows, "nobody was erased")


def _nobody(app: App) -> Iterable[str]:
    config = app.config_if_fine
    return getattr(config.people, "nobody", ()) if config is not None else ()


def _unknown(app: App, asked: str) -> str:
    hint = "" if app.config_if_fine else " (hub.yaml can't be read: give phones with their country code, +380...)"
    return f'nothing is stored of "{asked}"{hint}'


def _tell(what: str, counts: Mapping[str, int]) -> None:
    output.echo(f"{what}:")
    for name, n in counts.items():
        output.echo(f"  {name + ':':<22} {n:>7}")


def _progress() -> Callable[[str, int], None]:
    """Tell on a terminal how far a long run is, twice a second at most."""
    last = [time.monotonic()]

    def progress(what: str, rows: int) -> None:
        if sys.stderr.isatty() and time.monotonic() - last[0] > 0.5:
            last[0] = time.monotonic()
            output.echo(f"\r{what}: {rows}        ", nl=False, err=True)

    return progress


__all__: list[Any] = ["erase", "erasures", "export"]
