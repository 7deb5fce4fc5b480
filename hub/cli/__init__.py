"""The command line. Each command is a module of its own beside this one, imported only when it is asked for.

Exit status: 0 fine, 1 something is wrong with the world, 2 with the input.
"""

from __future__ import annotations

import importlib
import importlib.util
import logging
import os
from pathlib import Path
from typing import Any

import click

from hub import __version__

#: command -> (module, attribute, one line of help); in the order of `hub --help`
COMMANDS: dict[str, tuple[str, str, str]] = {
    "init": ("hub.cli.init", "init", "Begin: write hub.yaml, .env and .gitignore into a folder."),
    "check": ("hub.cli.check", "check", "Check hub.yaml; with --live ask every vendor too."),
    "run": ("hub.cli.run", "run", "Run the whole hub: web, workers, sweeper, its own Redis and SQLite."),
    "serve": ("hub.cli.apart", "serve", "Run only the web, for scale (PostgreSQL)."),
    "work": ("hub.cli.apart", "work", "Run only workers, for scale (PostgreSQL)."),
    "tick": ("hub.cli.apart", "tick", "Run only the sweeper, for scale (PostgreSQL)."),
    "demo": ("hub.demo.command", "demo", "See it work: sandboxes, a recipe and a day of recorded traffic."),
    "sandbox": ("hub.cli.sandbox", "sandbox", "Run stand-ins of vendors' APIs on this machine."),
    "try": ("hub.cli.trial", "try_", "Show what would become of a request; send nothing, store nothing."),
    "whatif": ("hub.cli.whatif", "whatif", "Show what an edited hub.yaml would do with the last days' events."),
    "test": ("hub.cli.cases", "test", "Prove hub.yaml by your own cases: this message in, these calls out."),
    "explain": ("hub.cli.explain", "explain", "Tell the life of a message: what came, what was done, and why."),
    "ledger": ("hub.cli.ledger", "ledger", "Every request of a day: what became of it, and whether the day adds up."),
    "people": ("hub.cli.people", "people", "Who the hub knows, who may be the same, and what becomes of them."),
    "receipts": ("hub.cli.lists", "receipts", "Requests as they came."),
    "events": ("hub.cli.lists", "events", "Things that happened."),
    "deliveries": ("hub.cli.lists", "deliveries", "Planned outward calls and what became of them."),
    "timers": ("hub.cli.lists", "timers", "What is due later: polls, watched records, waiting deliveries."),
    "alerts": ("hub.cli.alerts", "alerts", "What a human must know, and what to do about it."),
    "drift": ("hub.cli.drift", "drift", "Lines of hub.yaml that are paused since a vendor's account has changed."),
    "reconcile": ("hub.cli.reconcile", "reconcile", "Compare accounts with what the hub knows, and repair it."),
    "rejected": ("hub.cli.lists", "rejected", "Requests that were turned away."),
    "replay": ("hub.cli.acts", "replay", "Read receipts again."),
    "retry": ("hub.cli.acts", "retry", "Send parked deliveries again."),
    "drop": ("hub.cli.acts", "drop", "Give deliveries or receipts up."),
    "undo": ("hub.cli.undo", "undo", "Write back what deliveries, or a whole batch, wrote over."),
    "batches": ("hub.cli.undo", "batches", "What one command or one run wrote."),
    "pause": ("hub.cli.acts", "pause", "Hold all calls of a connection back."),
    "resume": ("hub.cli.acts", "resume", "Let a connection's calls out again."),
    "sync": ("hub.cli.sync", "sync", "Two systems kept alike: plan, start, watch, pause."),
    "names": ("hub.cli.names", "names", "Print the `names:` block of a connection from its live account."),
    "connect": ("hub.cli.connect", "connect", "Register the hub at a vendor, where its API allows that."),
    "poll": ("hub.cli.connect", "poll", "Ask a vendor for news now."),
    "plugins": ("hub.cli.plugins", "plugins", "Which vendors this hub can talk to, and how they are set up."),
    "docs": ("hub.cli.docs", "docs", "Where the documentation is; print a page."),
}


class HubGroup(click.Group):
    """Imports a command when it is needed, and turns errors into words and exit statuses."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the commands this installation has."""
        return [name for name in COMMANDS if _exists(name)]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import a command."""
        if cmd_name not in COMMANDS or not _exists(cmd_name):
            return None
        module, attribute, _ = COMMANDS[cmd_name]
        command: click.Command = getattr(importlib.import_module(module), attribute)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the commands without importing any."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, COMMANDS[name][2]) for name in self.list_commands(ctx)])

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:  # fmt: skip
        """Find the command; an unknown one gets the nearest guess."""
        if args and not args[0].startswith("-") and args[0] not in self.list_commands(ctx):
            from hub.config.problems import guess

            ctx.fail(f'there is no command "{args[0]}".{guess(args[0], COMMANDS)}')
        return super().resolve_command(ctx, args)

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; nothing but words reaches the person (the traceback with HUB_DEBUG=1)."""
        try:
            return super().invoke(ctx)
        except (click.ClickException, click.exceptions.Exit, click.Abort, BrokenPipeError):
            raise
        except Exception as error:
            if os.environ.get("HUB_DEBUG"):
                raise
            raise _in_words(error) from error


def _in_words(error: Exception) -> click.ClickException:
    from hub.cli.context import InputError, WorldError
    from hub.errors import ConfigError, HubError

    if isinstance(error, ConfigError):
        return InputError("\n".join(str(problem) for problem in error.problems))
    if isinstance(error, HubError | OSError):
        return WorldError(str(error) or type(error).__name__)
    logging.getLogger("hub.cli").debug("unexpected", exc_info=error)
    return WorldError(
        f"something unexpected: {type(error).__name__}: {error}. "
        "With HUB_DEBUG=1 before the command it shows where; please report that."
    )


def _exists(name: str) -> bool:
    try:
        return importlib.util.find_spec(COMMANDS[name][0]) is not None
    except ModuleNotFoundError:
        return False


@click.group(cls=HubGroup, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.option(
    "--config", "config", envvar="HUB_CONFIG", type=click.Path(dir_okay=False, path_type=Path), metavar="FILE",
    help="The configuration (default: hub.yaml here, or HUB_CONFIG).",
)  # fmt: skip
@click.option(
    "--data", "data", envvar="HUB_DATA", type=click.Path(file_okay=False, path_type=Path), metavar="DIR",
    help="Where the hub keeps its data (default: the folder data beside the configuration, or HUB_DATA).",
)  # fmt: skip
@click.version_option(__version__, prog_name="hub")
@click.pass_context
def main(ctx: click.Context, config: Path | None, data: Path | None) -> None:
    """The hub takes messages of CRMs, carriers, forms and channels and carries them where they belong.

    Begin with `hub init`, then `hub check`, `hub run`.
    """
    from hub.cli.context import App

    if os.environ.get("NO_COLOR"):
        ctx.color = False
    ctx.obj = App(config, data)
