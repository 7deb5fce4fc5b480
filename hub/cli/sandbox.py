"""`hub sandbox`: stand-ins of vendors' APIs on this machine, to try things without an account."""

from __future__ import annotations

import importlib
import inspect
import signal
import threading
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import click
import yaml

from hub.cli import output
from hub.cli.context import App, InputError, WorldError, pass_app
from hub.cli.output import bold, dim

if TYPE_CHECKING:
    from hub.connector import Connector
    from hub.sandbox import RunningSandbox, Sandbox


@click.command()
@click.argument("vendors", metavar="VENDOR...", nargs=-1, required=True)
@click.option("--port", type=click.IntRange(0, 65535), default=8090, show_default=True, metavar="N",
              help="The first one's port, the others follow; 0 takes free ones.")  # fmt: skip
@click.option("--tls", is_flag=True, help="Serve https with a certificate made for the occasion.")
@pass_app
def sandbox(app: App, vendors: tuple[str, ...], port: int, tls: bool) -> None:
    """Run stand-ins of vendors' APIs until Ctrl+C; print the address and test credentials of each.

    The connections block can be pasted into hub.yaml. POST /_sandbox/fault makes it fail, GET /_sandbox/state shows
    what it knows.
    """
    classes = [(vendor, _connector(app, vendor), sandbox_class(app, vendor)) for vendor in vendors]
    running: list[RunningSandbox] = []
    ended = threading.Event()
    for name in (signal.SIGINT, signal.SIGTERM):
        signal.signal(name, lambda *_: ended.set())
    try:
        for number, (vendor, connector, made) in enumerate(classes):
            running.append(_start(made(), port + number if port else 0, tls))
            _print(vendor, connector, running[-1])
        output.echo(dim("Ctrl+C ends it"))
        ended.wait()
    finally:
        for one in running:
            one.stop()


def _connector(app: App, vendor: str) -> type[Connector]:
    from hub.config.problems import guess, listed

    known = app.plugins.connectors
    if vendor not in known:
        broken = next((f" {one}." for one in app.plugins.broken if one.name == vendor), "")
        raise InputError(f'there is no plugin "{vendor}" ({listed(known)}).{broken}{guess(vendor, known)}')
    return known[vendor]


def sandbox_class(app: App, vendor: str) -> type[Sandbox]:
    """Return the stand-in that the vendor's plugin brings in its module `sandbox`."""
    from hub.sandbox import Sandbox

    module = _connector(app, vendor).__module__
    package = module.rpartition(".")[0] or module
    try:
        found = importlib.import_module(f"{package}.sandbox")
    except ModuleNotFoundError as error:
        if error.name != f"{package}.sandbox":
            raise
        raise InputError(f"plugin {vendor} brings no sandbox") from None
    classes = [
        one for _, one in inspect.getmembers(found, inspect.isclass) if issubclass(one, Sandbox) and one is not Sandbox
    ]
    fitting = [one for one in classes if one.vendor == vendor] or classes
    if not fitting:
        raise InputError(f"plugin {vendor} brings no sandbox")
    return fitting[0]


def _start(made: Sandbox, port: int, tls: bool) -> RunningSandbox:
    try:
        return made.start(port, tls)
    except (OSError, SystemExit):
        raise WorldError(f"port {port} can't be used; choose another with --port") from None


def _print(vendor: str, connector: type[Connector], running: RunningSandbox) -> None:
    output.echo(f"{bold(vendor)} {running.url}")
    if running.certificate:
        output.echo(f"  trust its certificate: REQUESTS_CA_BUNDLE={running.certificate}")
    output.echo(connection_block(vendor, connector, running.sandbox.credentials()))


def connection_block(vendor: str, connector: type[Connector], credentials: Mapping[str, Any]) -> str:
    """Return the `connections:` block that reaches the sandbox; only what the plugin's settings know."""
    known = connector.Settings().fields
    settings = {name: value for name, value in credentials.items() if name in known}
    block = {"connections": {vendor: {"plugin": vendor, **_texts(settings)}}}
    return yaml.safe_dump(block, allow_unicode=True, sort_keys=False, default_flow_style=False, width=200)


def _texts(value: Any) -> Any:
    """Return settings as hub.yaml has them: every scalar a text."""
    if isinstance(value, Mapping):
        return {str(key): _texts(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_texts(item) for item in value]
    return str(value)
