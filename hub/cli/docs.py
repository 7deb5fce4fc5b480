"""`hub docs`: where the documentation is."""

from __future__ import annotations

import sys
from pathlib import Path

import click

import hub
from hub.cli import output
from hub.cli.context import App, InputError, pass_app


@click.command()
@click.argument("page", required=False)
@pass_app
def docs(app: App, page: str | None) -> None:
    """List the pages of documentation there are on this machine, each plugin's README among them; print one by name."""
    found = pages(app)
    if page is None:
        rows = [{"page": name, "about": _title(path), "file": str(path)} for name, path in found.items()]
        output.table(("page", "about", "file"), rows, "no pages came with this installation")
        return
    if page not in found:
        from hub.config.problems import guess, listed

        raise InputError(f'there is no page "{page}" ({listed(found)}).{guess(page, found)}')
    text = found[page].read_text("utf-8")
    if sys.stdout.isatty():
        click.echo_via_pager(text)
    else:
        output.echo(text)


def pages(app: App) -> dict[str, Path]:
    """Return page name -> file: those in docs/ of a source tree, and the README of every plugin."""
    folder = Path(hub.__file__).parent.parent / "docs"
    found = {path.stem: path for path in sorted(folder.glob("*.md"))} if folder.is_dir() else {}
    for name, connector in sorted(app.plugins.connectors.items()):
        file = getattr(sys.modules.get(connector.__module__), "__file__", None)
        if file and (readme := Path(file).parent / "README.md").is_file():
            found.setdefault(name, readme)
    return found


def _title(path: Path) -> str:
    for line in path.read_text("utf-8").splitlines():
        if line.startswith("#"):
            return line.lstrip("# ").strip()
    return ""
