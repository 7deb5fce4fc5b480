"""`hub try`: what would become of a request, told as a story or as JSON."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

import click

from hub.cli import output
from hub.cli.context import App, InputError, WorldError, pass_app
from hub.cli.output import bold, coloured, dim, short
from hub.cli.params import Pair

if TYPE_CHECKING:
    from hub.model import Event
    from hub.standing import Standing
    from hub.trial import PlanRow, Trial
    from hub.trying import Bench


@click.command("try")
@click.argument("connection")
@click.argument("files", metavar="FILE...", nargs=-1, required=True,
                type=click.Path(exists=True, dir_okay=False, path_type=Path))  # fmt: skip
@click.option("--header", "headers", multiple=True, type=Pair(":", "K: V"), help="A header of the request.")
@click.option("--method", default="", metavar="M", help="The method (default: that of the file, else POST).")
@click.option("--query", default="", metavar="Q", help="The query: a=1&b=2.")
@click.option("--unsigned", is_flag=True, help="Leave out the check whether the request is genuine.")
@click.option("--person", "who", default="", metavar="WHO", help="As if it were from them: id, phone, e-mail, handle.")
@click.option("--route", "route", default="", metavar="NAME", help="Show only what this route does.")
@output.json_option
@pass_app
def try_(
    app: App, connection: str, files: tuple[Path, ...], headers: tuple[tuple[str, str], ...], method: str, query: str,
    unsigned: bool, who: str, route: str, as_json: bool,
) -> None:  # fmt: skip
    """Show what would become of a request; send nothing, store nothing.

    With --person it is taken for one of somebody this hub knows: what routes ask about `person` is answered, and not
    left open.

    FILE is the raw body (.json, or .txt form-encoded, with the content type this vendor uses), or a whole HTTP
    request (.http, or any file that begins with a request line): headers, a blank line, the body.
    """
    from hub.request_file import request_from_file

    name = app.connection(connection)
    if route:
        _known_route(app, route)
    bench = make_bench(app, who)
    types = bench.connector(name).content_types
    unreadable = False
    for number, file in enumerate(files):
        request = request_from_file(
            file, name, method=method.upper(), headers=dict(headers), query=parse_qsl(query, keep_blank_values=True),
            content_types=types,
        )  # fmt: skip
        trial = bench.run(name, request, file=str(file), unsigned=unsigned)
        if route:
            trial.plan = [row for row in trial.plan if row.route == route]
        unreadable = unreadable or bool(trial.unreadable)
        if as_json:
            output.print_json_line(trial.json())
            continue
        if number:
            output.echo()
        for line in story(trial, name, route):
            output.echo(line)
    if unreadable:
        raise WorldError("not every request could be understood")


def make_bench(app: App, who: str = "") -> Bench:
    """Return a bench whose connectors may look at stored credentials, where this hub has any.

    who: a known person whom every message is to be from.
    """
    from hub.trying import Bench

    if not who:
        return Bench(app.config, _StoredTokens(app).vault)
    return Bench(app.config, _StoredTokens(app).vault, _standing_of(app, who))


def _standing_of(app: App, who: str) -> Callable[[Event], Standing]:
    """Return what tells how a known person stands, with a message as their newest. WorldError if nobody is found."""
    from hub import people_acts
    from hub.handwork import Pointless
    from hub.standing import Standing
    from hub.store import families, work

    store = app.open_store()
    with store.read() as db:
        try:
            person = people_acts.person(db, who, app.region)
        except Pointless as why:
            raise WorldError(str(why)) from None
        family = families.family(db, person)
        ends = [("hub", "person", str(one)) for one in family]
        known = work.links(db, ends)
    links = [one for end in ends for one in known.get(end, ())]
    return lambda event: Standing(
        app.config, event, person, links, open=store.read, known=True, family=family
    )  # fmt: skip


class _StoredTokens:
    """Opens the store to read credentials only when a connector asks for some; changes nothing in it."""

    def __init__(self, app: App) -> None:
        self.app = app

    def vault(self, name: str) -> Any:
        """Return the vault of a connection, an empty one where nothing is stored yet."""
        from hub.keys import load_key
        from hub.store import Store
        from hub.tokens import MemoryVault, TokenVault

        folder = self.app.folder
        if self.app.database_url() or not ((folder / "hub.db").exists() and (folder / "secret.key").exists()):
            return MemoryVault()
        key = load_key(folder, self.app.environ)
        store = Store(f"sqlite:///{folder / 'hub.db'}", folder, key)
        click.get_current_context().call_on_close(store.close)
        return TokenVault(store, name, key)


def _known_route(app: App, name: str) -> None:
    from hub.config.problems import guess

    if app.config.route(name) is None:
        names = [route.name for route in app.config.routes]
        raise InputError(f'there is no route "{name}" in {app.path}.{guess(name, names)}')


# --- the story -----------------------------------------------------------------------------------


def story(trial: Trial, connection: str, route: str = "") -> Iterator[str]:
    """Yield the lines that tell what would become of one request."""
    request = trial.request
    kind = f", {request.content_type}" if request.content_type else ""
    yield bold(trial.file)
    yield f"   {request.method} /in/{connection}, {len(request.body)} bytes{kind}"
    if trial.rejected is not None:
        yield f" {coloured('rejected', '✗')} turned away with {trial.rejected.status}: {trial.rejected.reason}"
        if trial.rejected.status in (401, 403):
            yield dim("   to see what it would do all the same: --unsigned")
        return
    yield f" {coloured('ok', '✓')} genuine" if trial.verified else dim("   not checked whether it is genuine")
    if trial.acknowledge is not None:
        from hub.trial import body_text

        body = short(body_text(trial.acknowledge), 80)
        what = "the vendor's own test; " if trial.handshake else ""
        yield f"   {what}answered with {trial.acknowledge.status} {body}".rstrip()
    if trial.handshake:
        return
    if trial.unreadable:
        yield f" {coloured('unreadable', '!')} {trial.unreadable}"
        return
    if trial.closed:
        yield f" {coloured('skipped', '–')} {trial.closed}"
    elif not trial.events:
        yield "   nothing in it that concerns the hub"
    for event in trial.events:
        yield from _event(event)
        mine = [row for row in trial.plan if row.key == event.key]
        for number, row in enumerate(mine):
            new = number == 0 or mine[number - 1].route != row.route
            yield from _row(row, new)
        if not mine:
            yield f"   {dim('no route listens to it' if not route else f'route {route!r} does not listen to it')}"


def _event(event: Event) -> Iterator[str]:
    when = f"  {event.occurred_at.isoformat(timespec='seconds')}" if event.occurred_at else ""
    yield f"{bold(event.type)} {event.subject}{when}"
    if event.incomplete:
        yield dim("   incomplete: would be read from the vendor")
    if event.text:
        yield f"   {dim('text')} {short(event.text)}"
    for name, record in event.record.items():
        if not isinstance(record, dict):
            yield f"   {dim(name)} {short(record)}"
            continue
        for field, value in record.items():
            if value not in (None, "", [], {}) and field != "extra":
                yield f"   {dim(f'{name}.{field}')} {short(value)}"


def _row(row: PlanRow, new_route: bool) -> Iterator[str]:
    if new_route:
        yield f' {coloured(row.outcome, "→" if row.outcome == "would run" else "–")} route "{row.route}"'
    because = f": {row.skipped_because}" if row.skipped_because else ""
    act = f"{bold(row.do)} " if row.do else ""
    yield f"     {act}{coloured(row.outcome)}{because}"
    for condition in row.open:
        yield f"       {dim('if')} {condition}"
    if row.refused and row.outcome == "would run":
        yield f"       {dim('if it is refused')} {', then '.join(row.refused)}"
    for key, value in row.values.items():
        word = f"{row.words[key]} ({key})" if key in row.words else key
        told = f"{row.said[key]} ({value})" if key in row.said else value
        yield f"       {dim(word)} {short(told)}"
