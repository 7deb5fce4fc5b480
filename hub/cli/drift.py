"""`hub drift`: lines of hub.yaml that are paused because the vendor's account has changed, and what waits there."""

from __future__ import annotations

from typing import Any

import click

from hub.cli import output
from hub.cli.context import App, WorldError, pass_app
from hub.cli.output import count


@click.group(short_help="Lines of hub.yaml that are paused since a vendor's account has changed.")
def drift() -> None:
    """Lines of hub.yaml that are paused since a vendor's account has changed."""


@drift.command("list")
@output.json_option
@pass_app
def list_drift(app: App, as_json: bool) -> None:
    """List what hub.yaml names and the account no longer has so, and the values that wait meanwhile.

    Once hub.yaml is edited and the hub restarted, or the thing is back at the vendor, they are sent by themselves,
    each once.
    """
    from hub.drift import places_of, short_place
    from hub.explain import iso
    from hub.reasons import say_stored
    from hub.store import drift as rows

    config = app.config_if_fine
    with app.open_store().read() as db:
        open_, waiting = rows.drifts(db), rows.counts(db)
    named = [] if config is None else [
        (name, one) for name, found in config.named.items() for one in found
    ]  # fmt: skip
    drifts = [
        {
            "connection": one.connection, "kind": one.key[0], "record": one.key[1], "code": one.key[2],
            "what": one.what, "text": say_stored(one.reason), "reason": one.reason, "since": iso(one.since),
            "places": list(places_of(one.key, [mention for name, mention in named if name == one.connection])),
        }
        for one in open_
    ]  # fmt: skip
    parts = [
        {"connection": connection, "place": short_place(place), "count": number}
        for (connection, place), number in sorted(waiting.items())
    ]
    if as_json:
        output.print_json({"drifts": drifts, "parked": parts})
        return
    if not drifts and not parts:
        output.echo("nothing is paused")
    for told in output.harmless(drifts):
        since = output.dim(f"since {output.local(told['since'], app.zone)}")
        output.echo(f"{told['connection']}: {output.bold(told['text'])} {since}")
        for place in told["places"]:
            output.echo(f"   paused: {place}")
    for told in output.harmless(parts):
        output.echo(f"{told['connection']}: {count(told['count'], 'value')} left out at {told['place']}")


@drift.command()
@click.argument("connection")
@click.argument("code")
@pass_app
def accept(app: App, connection: str, code: str) -> None:
    """Say that a field's new type is fine: its lines go on, and what was left out is sent.

    For a field that hub.yaml writes rightly all the same. What was deleted can't be accepted: edit hub.yaml.
    """
    from hub import looks

    name = app.connection(connection)
    with app.open_store().write() as db:
        accepted: dict[str, Any] = looks.accept(db, name, code)
    if not accepted["found"]:
        raise WorldError(f"nothing called {code} is paused at {name}: hub drift list")
    if not accepted["retyped"]:
        raise WorldError(f"{code} is gone from {name}: edit hub.yaml and restart the hub (hub alerts list says where)")
    output.echo(f"{code} is accepted as it is now; its lines go on within a minute")
