"""`hub plugins`: which vendors this hub can talk to, and what each needs and offers."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from hub.cli import output
from hub.cli.context import App, InputError, WorldError, pass_app
from hub.cli.output import bold, coloured, dim

if TYPE_CHECKING:
    import marshmallow as ma

    from hub.connector import Connector
    from hub.quality import Report
    from hub.scaffold import Guess, Made


@click.group(short_help="Which vendors this hub can talk to, and how they are set up.", invoke_without_command=True)
@output.json_option
@click.pass_context
def plugins(ctx: click.Context, as_json: bool) -> None:
    """Which vendors this hub can talk to, and how they are set up. Alone, it lists them."""
    if ctx.invoked_subcommand is None:
        ctx.invoke(list_plugins, as_json=as_json)
    elif as_json:
        raise InputError(f"--json goes behind the command: hub plugins {ctx.invoked_subcommand} --json")


@plugins.command("list")
@output.json_option
@pass_app
def list_plugins(app: App, as_json: bool) -> None:
    """List the plugins found, those that could not be loaded with their error, and those switched off."""
    found = app.plugins
    items: list[dict[str, Any]] = [
        {
            "name": name, "state": "ok", "title": one.title, "events": len(one.events), "actions": len(one.actions),
            "plugin": found.owner(name), "docs": one.docs_url,
        }
        for name, one in sorted(found.connectors.items())
    ]  # fmt: skip
    items += [{"name": one.name, "state": "problem", "title": one.error} for one in found.broken]
    items += [{"name": name, "state": "off", "title": "left out by HUB_PLUGINS_OFF"} for name in found.off]
    if as_json:
        output.print_json(items)
    else:
        output.table(("name", "state", "title", "events", "actions", "plugin"), items, "no plugins are installed")
    if found.broken:
        raise click.exceptions.Exit(1)


@plugins.command("show")
@click.argument("name")
@output.json_option
@pass_app
def show(app: App, name: str, as_json: bool) -> None:
    """Show what a plugin needs in hub.yaml, the events it brings and the actions it offers."""
    from hub.config.problems import guess, listed

    known = app.plugins.connectors
    if name not in known:
        broken = next((one for one in app.plugins.broken if one.name == name), None)
        raise InputError(
            str(broken) if broken else f'there is no plugin "{name}" ({listed(known)}).{guess(name, known)}'
        )
    told = describe(known[name])
    if as_json:
        output.print_json(told)
        return
    output.echo(f"{bold(name)} {told['title']}")
    output.echo(f"   {told['docs']}")
    output.echo(bold("settings"))
    _tell_settings(told["settings"], "   ")
    output.echo(bold("events"))
    for event in told["events"]:
        output.echo(f"   {event['name']}" + (f"  {dim(event['note'])}" if event["note"] else ""))
    output.echo(bold("actions"))
    for action in told["actions"]:
        needs = f" needs {', '.join(action['required'])}" if action["required"] else ""
        output.echo(f"   {action['name']}{needs}" + (f"  {dim(action['note'])}" if action["note"] else ""))
        if more := [field for field in action["fields"] or () if field not in action["required"]]:
            output.echo(dim(f"      {', '.join(more)}"))
    if told["statuses"]:
        output.echo(bold("statuses"))
        for code, status in told["statuses"].items():
            output.echo(f"   {code} {status}")
    if told["readme"]:
        output.echo(f"set-up, permissions, limits: {told['readme']}")


def _tell_settings(settings: list[dict[str, Any]], indent: str) -> None:
    for one in settings:
        marks = [mark for mark in ("required", "secret") if one[mark]]
        example = f" (as {one['example']})" if one["example"] not in (None, "") and not one["secret"] else ""
        must = f" {coloured('warning', ', '.join(marks))}" if marks else ""
        output.echo(f"{indent}{one['name']}{must}: {one['help']}{example}")
        _tell_settings(one["fields"], indent + "   ")


def describe(connector: type[Connector]) -> dict[str, Any]:
    """Return everything a plugin declares, ready for JSON."""
    return {
        "name": connector.name,
        "title": connector.title,
        "docs": connector.docs_url,
        "settings": settings_of(connector.Settings()),
        "events": [{"name": one.name, "record": one.record, "note": one.note} for one in connector.events],
        "actions": [
            {
                "name": one.name, "required": list(one.required), "idempotent": one.idempotent,
                "searchable": bool(one.marker), "uncertain": one.uncertain, "note": one.note,
                "fields": list(one.fields) if one.fields is not None else None,
            }
            for one in connector.actions
        ],
        "statuses": dict(connector.statuses),
        "readme": _readme(connector),
    }  # fmt: skip


def settings_of(schema: ma.Schema) -> list[dict[str, Any]]:
    """Return a schema's fields with their words, those of a nested schema inside."""
    import marshmallow as ma

    found = []
    for name, field in schema.fields.items():
        default = None if callable(field.load_default) or field.load_default is ma.missing else field.load_default
        inner = settings_of(field.schema) if isinstance(field, ma.fields.Nested) else []
        found.append(
            {
                "name": field.data_key or name, "required": field.required,
                "secret": bool(field.metadata.get("secret")),
                "help": field.metadata.get("help", ""), "example": field.metadata.get("example"), "default": default,
                "fields": inner,
            }
        )  # fmt: skip
    return found


def _readme(connector: type[Connector]) -> str:
    import sys

    file = getattr(sys.modules.get(connector.__module__), "__file__", None)
    path = Path(file).parent / "README.md" if file else None
    return str(path) if path is not None and path.is_file() else ""


@plugins.command("new")
@click.argument("name")
@click.option("--samples", "source", metavar="DIR", type=click.Path(exists=True, file_okay=False, path_type=Path),
              help="Messages of the vendor: .json, .txt (a form), .http (a whole request).")  # fmt: skip
@click.option("--only-files", is_flag=True, help="Write the plugin alone; leave hub.yaml and .env as they are.")
@pass_app
def new(app: App, name: str, source: Path | None, only_files: bool) -> None:
    """Write a plugin that works, from sample messages: connector, client, stand-in, tests, README, quality list.

    It goes into the `plugins_dir` of hub.yaml, else into the folder `plugins` beside it, and gets a connection of its
    name in hub.yaml with a secret in .env. What the messages seem to say is guessed and told. Without --samples one
    invented message stands in. docs/plugin-authors.md goes on from here.
    """
    from hub.config.load import plugins_dir
    from hub.scaffold import make

    folder = ((plugins_dir(app.path) if app.path.is_file() else None) or app.path.parent / "plugins") / name
    _check_name(app, name, folder)
    try:
        made = make(name, folder, source)
    except ValueError as error:
        raise InputError(str(error)) from None
    _tell_made(name, made)
    _enter(app, name, folder, only_files)
    _tell_next(name, made)


def _check_name(app: App, name: str, folder: Path) -> None:
    if not re.fullmatch(r"[a-z][a-z0-9_]{0,39}", name):
        raise InputError(f"\"{name}\" can't be a plugin's name: lower-case letters, digits and _, a letter first")
    if name in app.plugins.connectors:
        raise InputError(f'there is a plugin "{name}" already: hub plugins show {name}')
    if folder.exists():
        raise WorldError(f"{folder} exists already; it is left as it is")


def _tell_made(name: str, made: Made) -> None:
    guess = made.guess
    files, kept = len(made.files), output.count(len(made.expected), "sample")
    output.echo(f"wrote {bold(str(made.folder))}: {files} files, tests with {kept}")
    rows = {
        "what happened": guess.event_field or _outermost(guess) or f"not said: {guess.default_event}",
        "message id": guess.key or "none is sure: the whole message counts",
        "record id": ", ".join(guess.subjects),
        **guess.fields,
        "state": guess.status,
        "time": guess.time,
    }
    output.echo(bold("one invented message stands in; what it says" if made.invented else "guessed"))
    for ours, theirs in rows.items():
        output.echo(f"   {ours:<15} {theirs or dim('not found')}")
    for file, types in made.expected.items():
        output.echo(f"   {file}  {dim(', '.join(types))}")
    if made.left_out:
        output.echo(bold("left out"))
        for file, why in made.left_out.items():
            output.echo(f"   {file}: {why}")
    if made.delicate:
        output.echo(f"{coloured('warning', 'look:')} samples hold what sounds secret: {', '.join(made.delicate)}")


def _outermost(guess: Guess) -> str:
    return f"the outermost name: {', '.join(guess.event_keys)}" if guess.event_keys else ""


def _enter(app: App, name: str, folder: Path, only_files: bool) -> None:
    from hub.scaffold import entry

    variable = f"{name.upper()}_SECRET"
    settings = {"secret": f'"${{{variable}}}"'}
    if not only_files and entry.add(app.path, name, folder.parent, settings):
        fresh = entry.add_secret(app.path.parent / ".env", variable)
        output.echo(f"{app.path}: connection {name}" + (f"; .env: {variable}" if fresh else ""))
        return
    why = "" if app.path.is_file() else f" (there is no {app.path}: `hub init` makes one)"
    output.echo(f"{bold('put into hub.yaml')}{why}")
    output.echo(f"   hub: {{plugins_dir: {folder.parent}}}")
    output.echo(f"   connections: {{{name}: {{plugin: {name}, secret: {settings['secret']}}}}}")
    if (folder.parent / "__init__.py").is_file():
        output.echo(f"or, for a plugin of the hub's own: a line `{name} = plugins.{name}` in setup.cfg, below `hub =`")


def _tell_next(name: str, made: Made) -> None:
    sample = shlex.quote(str(made.folder / "tests" / "samples" / next(iter(made.expected))))
    output.echo(bold("next"))
    output.echo(f"   hub try {name} {sample} --unsigned")
    output.echo(f"   python -m pytest -q {made.folder}")
    output.echo(f"   edit {made.folder / 'codes.py'}: what the vendor's words and fields are called")
    output.echo(f"   hub plugins quality {name}   what else is missing, rule by rule")


@plugins.command("quality")
@click.argument("name", required=False)
@output.json_option
@pass_app
def quality(app: App, name: str | None, as_json: bool) -> None:
    """Show how far each plugin is on a scale of four tiers, and what is missing for the next.

    With NAME: every rule, what the plugin claims, and what came of trying the claim. Exit 1 if a claim doesn't hold.
    docs/quality.md tells each rule.
    """
    from hub.config.problems import guess, listed
    from hub.quality import judge_connector

    found = app.plugins
    owners = {found.owner(one): connector for one, connector in sorted(found.connectors.items(), reverse=True)}
    if name is not None:
        name = found.owner(name)
        if name not in owners:
            raise InputError(f'there is no plugin "{name}" ({listed(owners)}).{guess(name, owners)}')
    reports: dict[str, Report] = {
        one: judge_connector(connector) for one, connector in sorted(owners.items()) if name in (None, one)
    }
    if as_json:
        told = {one: _quality_json(report) for one, report in reports.items()}
        output.print_json(told[name] if name else list(told.values()))
    elif name:
        _tell_quality(reports[name])
    else:
        rows = [_quality_row(one, report) for one, report in reports.items()]
        output.table(("plugin", "tier", "rules", "why"), rows, "no plugins are installed")
    if any(report.problems or report.disproven for report in reports.values()):
        raise click.exceptions.Exit(1)


def _quality_row(name: str, report: Report) -> dict[str, Any]:
    from hub.quality import Tier

    fulfilled = sum(one.counts for one in report.answers.values())
    why = []
    for tier in list(Tier)[report.tier + 1 :]:
        open_ = [one for one in report.answers.values() if one.rule.tier == tier and one.state in ("todo", "disproven")]
        names = [one.rule.name + (" (does not hold)" if one.state == "disproven" else "") for one in open_]
        why += [f"for {tier.name}: {', '.join(names)}"] if names else []
    if report.unanswered:
        why.append(f"{output.count(len(report.unanswered), 'rule')} not answered")
    return {
        "plugin": name, "tier": report.tier.name, "rules": f"{fulfilled} of {len(report.answers)}",
        "why": "; ".join([*report.problems, *(why or ["at the top"])]),
    }  # fmt: skip


def _quality_json(report: Report) -> dict[str, Any]:
    return {
        "plugin": report.plugin,
        "tier": report.tier.name,
        "missing": [one.rule.name for one in report.missing],
        "problems": list(report.problems),
        "rules": [
            {
                "rule": one.rule.name, "tier": one.rule.tier.name, "claims": one.rule.words, "state": one.state,
                "words": one.words, "found": list(one.found), "tried": one.seen,
            }
            for one in report.answers.values()
        ],
    }  # fmt: skip


_MARKS = {"done": "✓", "exempt": "–", "todo": "✗", "unanswered": "?", "disproven": "!"}
_MARK_COLOURS = {"done": "ok", "exempt": "skipped", "todo": "warning", "unanswered": "warning", "disproven": "problem"}


def _tell_quality(report: Report) -> None:
    from hub.quality import Tier

    output.echo(f"{bold(report.plugin)} {report.tier.name}")
    for problem in report.problems:
        output.echo(f" {coloured('problem', '!')} {problem}")
    for tier in list(Tier)[1:]:
        output.echo(bold(tier.name))
        for one in report.answers.values():
            if one.rule.tier != tier:
                continue
            mark = coloured(_MARK_COLOURS[one.state], _MARKS[one.state])
            output.echo(f" {mark} {one.rule.name:<15} {one.rule.words}")
            if one.words:
                output.echo(f"   {'':<15} {one.state}: {one.words}")
            if one.state == "done" and not one.seen:
                output.echo(f"   {'':<15} {dim('taken at its word: nothing to try it with')}")
            if one.state != "done":
                for against in one.found:
                    output.echo(f"   {'':<15} {dim('seen: ')}{against}")
            if one.state == "unanswered":
                output.echo(f"   {'':<15} not answered in quality.yaml; why it is asked: {one.rule.why}")
    if report.missing:
        names = ", ".join(one.rule.name for one in report.missing)
        output.echo(f"for {Tier(report.tier + 1).name}: {names}")
