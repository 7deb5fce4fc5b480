"""`hub whatif`: the last days' events through an edited hub.yaml, as a difference of planned calls."""

from __future__ import annotations

import datetime as dt
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from hub.cli import output
from hub.cli.context import App, InputError, pass_app
from hub.cli.output import bold, coloured, count, dim, short
from hub.cli.params import Since
from hub.errors import ConfigError

if TYPE_CHECKING:
    from hub.config import Config


@click.command()
@click.option("--config", "edited", required=True, type=click.Path(exists=True, dir_okay=False, path_type=Path),
              metavar="NEW.yaml", help="The edited file; the present one is hub.yaml.")  # fmt: skip
@click.option("--since", type=Since(), default="7d", show_default=True,
              help="The events from then on: 2h, 3d, 2026-05-01, '2026-05-01 14:30'.")  # fmt: skip
@click.option("--route", default="", metavar="NAME", help="Only what this route does.")
@click.option("--limit", type=click.IntRange(0, 100_000), default=50, show_default=True, metavar="N",
              help="Show at most so many events that differ; all are counted.")  # fmt: skip
@output.json_option
@pass_app
def whatif(app: App, edited: Path, since: float, route: str, limit: int, as_json: bool) -> None:
    """Show which calls an edited file would plan otherwise for the events of the last days.

    Nothing is written and no vendor is asked: what a route would load is taken from what the hub has last seen, or
    shown as not known. Each call that would be new, gone or changed is listed by event, then counted by route.
    Problems of the edited file are printed as hub check does, with exit status 2.
    """
    from hub.keys import load_key
    from hub.whatif import WhatIf

    present, then = app.config, _load(app, edited, as_json)
    if route:
        _known_route(route, present, then, edited)
    store = app.open_store()
    run = WhatIf(store, load_key(app.folder, app.environ), present, then, route)
    mask = _mask(app, then)
    shown: list[dict[str, Any]] = []
    if not as_json:
        output.echo(dim(f"{app.path} -> {edited}, events since {output.local(since, app.zone)}"))
    for one in run.run(since, _progress()):
        if len(shown) < limit:
            shown.append(one.json(mask))
            if not as_json:
                _tell(shown[-1])
    summary = run.summary
    routes = [{"route": name, **counts} for name, counts in summary.routes.items()]
    if as_json:
        output.print_json({
            "ok": True, "config": str(edited), "since": dt.datetime.fromtimestamp(since, dt.UTC).isoformat(),
            "events_read": summary.events, "receipts_read_again": summary.receipts, "different": summary.different,
            "routes": routes, "events": shown,
        })  # fmt: skip
        return
    if summary.different > len(shown):
        output.echo(dim(f"and {count(summary.different - len(shown), 'event')} more (--limit)"), err=True)
    if shown:
        output.echo()
    output.table(("route", "now", "then", "added", "gone", "changed"), routes, "no calls, now or then")
    again = f", {count(summary.receipts, 'request')} read again" if summary.receipts else ""
    output.echo(f"{count(summary.events, 'event')}{again}; {summary.different or 'none'} would go otherwise.")


def _load(app: App, edited: Path, as_json: bool) -> Config:
    """Return the edited file, checked; its variables come from `.env` beside either file."""
    from hub.cli.check import unusable
    from hub.config import load, plugins_dir
    from hub.plugins import Plugins

    try:
        folder = plugins_dir(edited)
        plugins = app.plugins if folder == plugins_dir(app.path) else Plugins.discover(folder)
        return load(edited, plugins, app.environ)
    except ConfigError as error:
        raise unusable(edited, error, as_json) from None


def _known_route(name: str, present: Config, then: Config, edited: Path) -> None:
    from hub.config.problems import guess
    from hub.whatif import route_names

    names = route_names(present, then)
    if name not in names:
        raise InputError(f'there is no route "{name}" in {present.path} or {edited}.{guess(name, names)}')


def _mask(app: App, then: Config) -> Callable[[Any], Any]:
    """Return what hides the secrets of both files in values."""
    from hub.masking import Masker

    other = Masker(secret for one in then.connections.values() for secret in one.secrets())

    def mask(value: Any) -> Any:
        if isinstance(value, str):
            return other.mask(app.masker.mask(value))
        if isinstance(value, dict):
            return {key: mask(one) for key, one in value.items()}
        return [mask(one) for one in value] if isinstance(value, list | tuple) else value

    return mask


def _tell(one: dict[str, Any]) -> None:
    one = output.harmless(one)
    where = one["event"] or f"of {one['receipt']}"
    output.echo(f"{bold(where)} {bold(one['type'])} {one['subject']}")
    for kind, colour, mark in (("added", "done", "+"), ("gone", "parked", "-")):
        for call in one[kind]:
            output.echo(f' {coloured(colour, mark)} {bold(call["do"])}  {kind}  {dim("route")} "{call["route"]}"')
            for condition in call.get("if", ()):
                output.echo(f"       {dim('if')} {condition}")
            for name, value in {**call.get("target", {}), **call["values"]}.items():
                output.echo(f"       {dim(name)} {short(value)}")
    for call in one["changed"]:
        output.echo(f' {coloured("skipped", "~")} {bold(call["do"])}  changed  {dim("route")} "{call["route"]}"')
        for name, value in {**call["target"], **call["values"]}.items():
            now, then = (_said(value[key]) for key in ("now", "then"))
            output.echo(f"       {dim(name)} {now} -> {then}")
        if call["if"]:
            now, then = (_said(" and ".join(call["if"][key])) for key in ("now", "then"))
            output.echo(f"       {dim('if')} {now} -> {then}")


def _said(value: Any) -> str:
    return "(nothing)" if value in (None, "", [], {}) else short(value, 60)


def _progress() -> Callable[[int], None]:
    """Tell on a terminal how many events have been gone through, once a second at most."""
    last = [time.monotonic()]

    def progress(n: int) -> None:
        if sys.stderr.isatty() and time.monotonic() - last[0] > 1:
            last[0] = time.monotonic()
            output.echo(f"\r{n} events ", nl=False, err=True)

    return progress
