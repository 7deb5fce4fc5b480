"""`hub names`: our words for a portal's codes, read from the live account."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING

import click

from hub.cli import output
from hub.cli.context import App, WorldError, pass_app

if TYPE_CHECKING:
    from hub.connector import Connector

_PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]*$")
_KINDS = ("fields", "stages", "users")


@click.command()
@click.argument("connection")
@output.json_option
@pass_app
def names(app: App, connection: str, as_json: bool) -> None:
    """Print the `names:` block of a connection, to be pasted under it in hub.yaml.

    Fields, stages and users get words of our own; rename them as you like. Words that hub.yaml has already are kept.
    """
    name = app.connection(connection)
    connector: Connector = app.runtime().connector(name)
    found = connector.names()
    if not any(found.values()):
        raise WorldError(f"plugin {connector.name} has no names to tell")
    known = app.config.connections[name].names
    if as_json:
        output.print_json(
            {kind: {word: {"code": code, "label": label} for word, (code, label) in rows.items()}
             for kind, rows in found.items()}
        )  # fmt: skip
        return
    output.echo(block(name, found, known))


def block(name: str, found: Mapping[str, Mapping[str, tuple[str, str]]], known: Mapping[str, Mapping[str, str]]) -> str:
    """Return the YAML block: each word with its code, the account's own label as a comment."""
    lines: list[str] = []
    if any(found.get(kind) for kind in _KINDS):
        lines.append(f"# For hub.yaml: the lines below `names:` go under connections: {name}: names:")
        lines += ["connections:", f"  {name}:", "    names:"]
    for kind in [kind for kind in found if kind not in _KINDS]:
        lines.append(f"# {kind} of this account, for the settings of {name}:")
        lines += [f"#   {code}  {' '.join(label.split())}" for code, label in found[kind].values()]
    for kind in _KINDS:
        rows = found.get(kind)
        if not rows:
            continue
        ours = {code: word for word, code in known.get(kind, {}).items()}
        pairs = [(f"{ours.get(code, word)}: {quoted(code)}", label) for word, (code, label) in rows.items()]
        width = max(len(pair) for pair, _ in pairs)
        lines.append(f"      {kind}:")
        for pair, label in pairs:
            note = f"  # {' '.join(label.split())}" if label else ""
            lines.append(f"        {pair.ljust(width) if note else pair}{note}")
    return "\n".join(lines)


def quoted(code: str) -> str:
    """Return a code as YAML reads it back, quoted where it needs to be."""
    return code if _PLAIN.match(code) else json.dumps(code, ensure_ascii=False)
