"""`hub connect` and `hub poll`: have a vendor tell the hub its news, or ask for it now."""

from __future__ import annotations

import ipaddress
from urllib.parse import urlsplit

import click

from hub.cli import output
from hub.cli.context import App, InputError, WorldError, pass_app
from hub.cli.output import count
from hub.connector import Connector
from hub.errors import AuthFailed, HubError
from hub.model import Finding


def _here(base: str, connector: Connector) -> bool:
    """Return whether hub and vendor are both on this machine: a rehearsal, for which plain http does."""
    hosts = [urlsplit(base).hostname or "", *connector.hosts()]
    return len(hosts) > 1 and all(map(_loopback, hosts))


def _loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


@click.command()
@click.argument("connection")
@output.json_option
@pass_app
def connect(app: App, connection: str, as_json: bool) -> None:
    """Register the hub at a vendor, where its API allows that: webhooks and subscriptions are set, none is doubled.

    Where it can't be done by API, the words say what to click. Where the vendor asks for consent (OAuth), a link is
    printed too: open it in a browser within a quarter of an hour; it works once.
    """
    from hub import consent

    name = app.connection(connection)
    base = app.config.hub.base_url
    connector = app.runtime().connector(name)
    if not base.startswith("https://") and not (base and _here(base, connector)):
        raise InputError(
            f"vendors call by https: set `hub: {{base_url: https://...}}` first (it is {base or 'not set'})"
        )
    link = consent.invite(app.runtime(), name)
    try:
        findings, then = list(connector.connect(f"{base.rstrip('/')}/in/{name}")), ""
    except HubError as error:
        told = connector.http.masker.mask(str(error))
        if link is None:
            raise WorldError(told) from None
        # without a consent nothing can be registered yet: that is no fault, it is what the link is for
        findings = [Finding("warning" if isinstance(error, AuthFailed) else "problem", told)]
        then = f"\nthen run: hub connect {name}"
    if link is not None:
        minutes = consent.SECONDS // 60
        words = f"for consent (the first, or anew) open this in your browser within {minutes} minutes; it works once:"
        findings.append(Finding("note", words, link + then))
    if as_json:
        output.print_json(
            [{"level": one.level, "text": one.text, "remedy": one.remedy} for one in findings]
        )  # fmt: skip
    elif not findings:
        output.echo(f"plugin {connector.name} has nothing to register by itself: `hub check --live` says what to click")
    else:
        for one in findings:
            output.echo(f"{one.level:8} {one.text}")
            for line in one.remedy.splitlines():
                output.echo(f"         {line}")
    if any(one.level == "problem" for one in findings):
        raise click.exceptions.Exit(1)


@click.command()
@click.argument("connection")
@pass_app
def poll(app: App, connection: str) -> None:
    """Have a connection polled now, and every record it watches, instead of at the next turn.

    The running hub does it within a second.
    """
    from hub.store import work

    name = app.connection(connection)
    with app.runtime().store.write() as db:
        polls = work.poll_now(db, name)
    if not polls:
        raise WorldError(f"{name} has no poll (or the hub has never run, or is polling it right now)")
    output.echo(f"{count(polls, 'poll')} of {name} due now; see them with: hub timers list --connection {name}")
