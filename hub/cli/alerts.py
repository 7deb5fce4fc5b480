"""`hub alerts list|close`: what a human must know, in words, with what to do."""

from __future__ import annotations

from functools import partial
from typing import Any

import click

from hub.cli import output
from hub.cli.acts import carry_out
from hub.cli.context import App, pass_app
from hub.cli.lists import page_of, paged
from hub.cli.params import Id


@click.group(short_help="What a human must know, and what to do about it.")
def alerts() -> None:
    """What a human must know, and what to do about it."""


@alerts.command("list")
@paged(("open", "closed", "all"), "a")
@pass_app
def list_alerts(app: App, **options: Any) -> None:
    """List open alerts (--state closed or all for the others): one for each cause, however often it happened."""
    from hub.explain import iso
    from hub.reasons import remedy, say
    from hub.store import reading

    asked = options["state"] or "open"
    options["state"] = "" if asked == "all" else asked
    with app.open_store().read() as db:
        found = reading.alerts(db, page_of(options))
    items = [
        {
            "id": f"a{row['id']}", "kind": row["kind"], "connection": row["connection"],
            "state": "closed" if row["closed_at"] else "open", "text": say(row["kind"], row["params"]),
            "remedy": remedy(row["kind"], row["params"]), "params": row["params"], "count": row["count"],
            "opened_at": iso(row["opened_at"]), "last_at": iso(row["last_at"]), "closed_at": iso(row["closed_at"]),
        }
        for row in found
    ]  # fmt: skip
    if options["as_json"]:
        output.print_json(items)
        return
    if not items:
        output.echo("no alerts" if asked == "all" else f"no {asked} alerts")
    for item in items:
        times = f", {item['count']} times" if item["count"] > 1 else ""
        when = f"since {output.local(item['opened_at'], app.zone)}{times}"
        if item["closed_at"]:
            when += f", closed {output.local(item['closed_at'], app.zone)}"
        output.echo(f"{output.coloured(item['state'], item['id'])} {output.bold(item['text'])} {output.dim(when)}")
        if item["remedy"] and item["state"] == "open":
            output.echo(f"   {item['remedy']}")
    if len(items) == options["limit"]:
        output.echo(output.dim(f"older ones: --before {items[-1]['id']}"), err=True)


@alerts.command("close")
@click.argument("ids", nargs=-1, required=True, type=Id("a"))
@pass_app
def close(app: App, ids: tuple[tuple[str, int], ...]) -> None:
    """Close alerts that are dealt with. One whose cause is still there opens again."""
    from hub.handwork import close_alert

    carry_out(app.open_store(), [partial(close_alert, id=id) for _, id in ids])
