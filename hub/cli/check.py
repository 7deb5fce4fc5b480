"""`hub check`: is hub.yaml right, and with --live, is the world as it says?"""

from __future__ import annotations

import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from hub.cli import output, running
from hub.cli.context import App, InputError, pass_app
from hub.cli.output import bold, coloured, count, dim
from hub.config.syncs import sentences
from hub.errors import AuthFailed, ConfigError, HubError
from hub.model import Finding
from hub.reasons import remedy, say_stored

if TYPE_CHECKING:
    from hub.config import Config, ConnectionConfig
    from hub.runtime import Runtime


@click.command()
@click.option("--live", is_flag=True, help="Ask every vendor: are token, rights, fields and stages as configured?")
@click.option("--show", is_flag=True, help="Show each route as one sentence.")
@output.json_option
@pass_app
def check(app: App, live: bool, show: bool, as_json: bool) -> None:
    """Check hub.yaml and print every problem of it in one run.

    With --live the vendors are asked too; nothing is changed there. A connection that was held for its credentials
    goes on when they are found to be good.
    """
    try:
        config = app.config
    except ConfigError as error:
        raise unusable(app.path, error, as_json) from None
    findings = _live(app, config) if live else {}
    app.plugins.load_all()
    broken = [str(one) for one in app.plugins.broken]
    outdated = running.outdated(app)
    bad = sum(one.level == "problem" for found in findings.values() for one in found)
    if as_json:
        told = _as_json(config, findings, broken, bad, live)
        output.print_json(told | {"running": [one.json() for one in outdated]})
    else:
        _tell(app, config, findings, broken, outdated, show, live)
    if bad:
        raise click.exceptions.Exit(1)


def unusable(path: Path, error: ConfigError, as_json: bool) -> Exception:
    """Return what ends a command whose configuration can't be used: every problem of it, exit 2."""
    if as_json:
        output.print_json({"ok": False, **_remarks(error.problems)})
        return click.exceptions.Exit(2)
    return InputError("\n".join([*map(str, error.problems), f"{path} can't be used: {_counted(error.problems)}"]))


def _counted(problems: list[Any]) -> str:
    return count(sum(getattr(one, "level", "problem") == "problem" for one in problems), "problem")


def _remarks(found: list[Any]) -> dict[str, list[dict[str, Any]]]:
    """Return problems and notes apart, ready for JSON."""
    told = [
        {"file": one.file, "line": one.line, "path": one.path, "place": one.place, "text": one.text, "level": one.level}
        if hasattr(one, "level")
        else {"file": "", "line": 0, "path": "", "place": "", "text": str(one), "level": "problem"}
        for one in found
    ]
    return {
        "problems": [one for one in told if one["level"] == "problem"],
        "notes": [one for one in told if one["level"] != "problem"],
    }


def _as_json(
    config: Config, findings: dict[str, list[Finding]], broken: list[str], bad: int, live: bool
) -> dict[str, Any]:  # fmt: skip
    connections = []
    for name, one in config.connections.items():
        told: dict[str, Any] = {
            "name": name, "plugin": one.plugin, "title": one.connector.title, "settings": one.shown,
            "hook": hook_url(config, one, secret=False),
        }  # fmt: skip
        if live:
            told["findings"] = [
                {"level": f.level, "text": f.text, "remedy": f.remedy} for f in findings.get(name, [])
            ]  # fmt: skip
        connections.append(told)
    return {
        "ok": not bad,
        **_remarks(config.notes),
        "plugins_broken": broken,
        "connections": connections,
        "routes": [
            {"name": route.name, "on": [str(one) for one in route.on], "off": route.off, "line": route.line,
             "file": route.file, "sentence": route.sentence()}
            for route in config.routes
        ],
        "syncs": [
            {"name": one.name, "from": one.one, "to": one.other, "what": one.records(), "line": one.line,
             "file": one.file, "sentences": sentences(one, config.names())}
            for one in config.syncs
        ],
    }  # fmt: skip


def _tell(
    app: App, config: Config, findings: dict[str, list[Finding]], broken: list[str],
    outdated: list[running.Outdated], show: bool, live: bool,
) -> None:  # fmt: skip
    for note in config.notes:
        output.echo(str(note))
    for error in broken:
        output.echo(f"{coloured('warning')}: {error}")
    for process in outdated:
        output.echo(f"{coloured('warning')}: {process.text}" + (f". {process.remedy}" if process.remedy else ""))
    if show:
        for route in config.routes:
            output.echo(f"{coloured('off' if route.off else 'ok', '–' if route.off else '✓')} {bold(route.name)}")
            output.echo(f"   {route.sentence()}")
        for sync in config.syncs:
            output.echo(f"{bold('sync ' + sync.name)} {dim(f'{sync.file}:{sync.line}')}")
            for line in sentences(sync, config.names()):
                output.echo(f"   {line}")
    for name, found in findings.items():
        output.echo(f"{bold(name)} {dim(config.connections[name].plugin)}")
        for one in found:
            output.echo(f"   {coloured(one.level)} {one.text}" + (f". {one.remedy}" if one.remedy else ""))
    if live or show:
        _tell_hooks(config)
    off = sum(route.off is not None for route in config.routes)
    bad = sum(one.level == "problem" for found in findings.values() for one in found)
    summary = f"{app.path}: {count(len(config.connections), 'connection')}, {count(len(config.routes), 'route')}"
    summary += f" ({off} off)" if off else ""
    summary += f", {count(len(config.notes), 'note')}" if config.notes else ""
    fine = f". Usable, but {count(off, 'route')} can't run yet" if off else ". Fine"
    summary += f", {count(bad, 'problem')} at the vendors" if bad else fine
    output.echo(summary + ".")


def _tell_hooks(config: Config) -> None:
    hooks = {name: hook_url(config, one, secret=sys.stdout.isatty()) for name, one in config.connections.items()}
    if any(hooks.values()):
        output.echo(bold("addresses for the vendors"))
    for name, url in hooks.items():
        if url:
            output.echo(f"   {name}: {url}")


def hook_url(config: Config, connection: ConnectionConfig, *, secret: bool) -> str | None:
    """Return where the vendor sends its messages; None if it sends none.

    A word at the end may be what proves the sender; it is shown only where nobody else reads along.
    """
    from hub.connector import Connector

    if connection.connector.verify is Connector.verify:
        return None
    base = config.hub.base_url or "http://127.0.0.1:8080"
    url = f"{base.rstrip('/')}/in/{connection.name}"
    word = connection.connector.address_word(connection.settings)
    return f"{url}/{word if secret else '***'}" if word else url


# --- asking the world ----------------------------------------------------------------------------


def _live(app: App, config: Config) -> dict[str, list[Finding]]:
    """Ask all vendors at the same time; return what was found, connection by connection."""
    from hub.store import state

    runtime = app.runtime()
    with runtime.store.read() as db:
        healths = state.healths(db)
    with ThreadPoolExecutor(8) as pool:
        asked = {name: pool.submit(_ask, runtime, name) for name in config.connections}
        findings = {name: answer.result() for name, answer in asked.items()}
    for name, found in findings.items():
        health = healths.get(name)
        good = all(one.level != "problem" for one in found)
        if health is not None:
            found += _health(runtime, name, health, good)
    return findings


def _ask(runtime: Runtime, name: str) -> list[Finding]:
    """Return what one vendor says; whatever goes wrong is a finding too."""
    from hub import looks

    try:
        connector = runtime.connector(name)
        found = list(connector.check())
        found += looks.findings(runtime, name)
        consent = connector.authorize_url("check", f"{runtime.config.hub.base_url}/oauth/{name}")
        if consent is not None and connector.tokens.read() is None:
            words = "no consent has been given yet"
            found = [one for one in found if not one.text.startswith(words)]  # as the plugin's own call found out
            found.append(Finding("problem", words, f"hub connect {name} prints the link that begins it"))
    except HubError as error:
        named = remedy(f"alert_auth.{error.remedy}", {"connection": name}) if isinstance(error, AuthFailed) else ""
        return [Finding("problem", f"{error}", named or _REMEDIES.get(error.code, ""))]
    except Exception as error:  # noqa: BLE001 (one plugin's fault may not hide what the others found)
        return [Finding("problem", f"the check itself failed: {type(error).__name__}: {error}", "report this")]
    return found or [Finding("ok", "nothing to ask: this plugin has no check")]


_REMEDIES = {
    "auth_failed": "renew the credentials in .env, or give consent again (hub connect prints the link)",
    "retry": "the vendor is away; try again later",
    "rate_limited": "try again in a minute",
}


def _health(runtime: Runtime, name: str, health: Any, good: bool) -> list[Finding]:
    from hub.store import state

    with runtime.store.write() as db:
        shut = state.healths(db)[name].shut(db.now)
        if health.held is not None and good:
            if health.settings not in (None, runtime.settings_digest(name)):
                text = "the credentials in .env are good; a hub that runs still has the ones it was started with"
                return [Finding("warning", text, "restart the hub: it goes on by itself then")]
            state.lift(db, name)
            return [Finding("ok", "it was held for its credentials; they are good, so it goes on")]
    if shut == "paused":
        return [Finding("warning", "it is paused", f"hub resume {name}")]
    if health.held is not None:
        return [
            Finding(
                "problem",
                f"its calls are held: {say_stored(health.held)}",
                remedy("alert_auth", {"connection": name, **(health.held.get("params") or {})}),
            )
        ]
    if shut == "breaker":
        return [
            Finding("warning", "the vendor fails; calls are held back until it recovers", "they go on by themselves")
        ]
    return []
