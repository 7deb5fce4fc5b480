"""The commands in `docs/cli.md`, made from their own help so that the page can't tell anything else."""

from __future__ import annotations

from collections.abc import Iterator

import click

from hub.cli import COMMANDS, main

_WIDTH = 100
#: what stands above this line in docs/cli.md is written by hand
MARK = "## Commands\n"


def with_commands(page: str) -> str:
    """Return the page with its commands as they are now."""
    return page.partition(MARK)[0] + MARK + "".join(_sections())


def _sections() -> Iterator[str]:
    top = click.Context(main, info_name="hub", terminal_width=_WIDTH, **main.context_settings)
    yield _block("hub", main.get_help(top).partition("\nCommands:")[0])
    for name, (module, _, words) in COMMANDS.items():
        if not module.startswith("hub.cli."):  # brought along by another part, which documents itself
            yield f"\n### hub {name}\n\n{words} `hub {name} --help` says more.\n"
            continue
        command = main.get_command(top, name)
        assert command is not None
        yield from _command(command, name, top)


def _command(command: click.Command, name: str, parent: click.Context) -> Iterator[str]:
    context = click.Context(command, info_name=name, parent=parent, terminal_width=_WIDTH)
    if isinstance(command, click.Group):
        for inner, one in command.commands.items():
            yield from _command(one, inner, context)
        return
    yield _block(context.command_path, command.get_help(context))


def _block(title: str, text: str) -> str:
    body = "\n".join(line.rstrip() for line in text.strip().splitlines())
    return f"\n### {title}\n\n```text\n{body}\n```\n"
