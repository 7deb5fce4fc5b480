"""`hub init`: the first files of an installation, from a recipe or the smallest beginning. Nothing is overwritten."""

from __future__ import annotations

import re
import secrets
from pathlib import Path

import click

from hub.cli import output
from hub.cli.context import InputError, WorldError

_LINE = re.compile(r"^([A-Za-z_][A-Za-z0-9_]*)=(.*)$", re.M)
#: secrets of our own making, which nobody hands out
_OWN = re.compile(r"^(SITE_SECRET|\w+_FORM_SECRET|QUESTIONS_SECRET)=$", re.M)

MINIMAL = """\
# The whole configuration of this hub. After each change: hub check
hub:
  base_url: http://127.0.0.1:8080     # the address vendors reach it by; https in earnest
  timezone: Europe/Kyiv               # dates without a zone are meant there
  region: UA                          # how phones without a country code are read
  unrouted: alert                     # alert | ignore: what to do when a person asks and no route listens

# Accounts at vendors: a name of your own -> plugin and settings. hub plugins list, hub plugins show NAME
connections:
  site:                               # forms are sent to <base_url>/in/site/<secret>
    plugin: form
    secret: "${SITE_SECRET}"          # the value stands in .env beside this file

  # crm:
  #   plugin: bitrix24
  #   webhook_url: "${B24_WEBHOOK_URL}"
  #   application_token: "${B24_APP_TOKEN}"

# When this event, do that. hub check --show reads them out, hub try shows what a message would do.
routes: []
  # - name: a request from the site becomes a lead
  #   on: site.form.submitted
  #   when: {contact.phone: valid}
  #   do: crm.lead.upsert
  #   attach: {to: [open deal, open lead], within: 30d, as: comment}
  #   set: {TITLE: "Site: {{ contact.name or contact.phone }}", SOURCE_ID: WEB}
"""
ENV = """\
# Secrets of hub.yaml, one NAME=value a line. Keep this file to yourself.

# A long random text of your own, the end of the address that forms are sent to
SITE_SECRET=
"""
#: what to do after that
_NEXT = {
    "hub check --show": "reads hub.yaml out, sentence by sentence",
    "hub names CONNECTION": "prints the codes of your account, to be pasted in",
    "hub check --live": "asks every vendor whether all is as configured",
    "hub run": "runs it, until Ctrl+C",
}
IGNORE = """\
.env
data/
*.db
*.db-*
"""


@click.command()
@click.argument("folder", metavar="[DIR]", default=".", type=click.Path(file_okay=False, path_type=Path))
@click.option("--recipe", metavar="NAME", help="Begin with a complete example instead of the smallest file.")
def init(folder: Path, recipe: str | None) -> None:
    """Begin an installation in DIR (default: here): hub.yaml, .env, .env.example and .gitignore.

    Files that exist are left alone.
    """
    files = recipe_files(recipe) if recipe else {"hub.yaml": MINIMAL, ".env.example": ENV}
    if (folder / "hub.yaml").exists():
        raise WorldError(f"{folder / 'hub.yaml'} exists already; it is left as it is")
    folder.mkdir(parents=True, exist_ok=True)
    env = _OWN.sub(lambda name: f"{name[1]}={secrets.token_hex(16)}", files.get(".env.example", ""))
    made = [_write(folder / name, text) for name, text in files.items()]
    made.append(_write(folder / ".env", env, 0o600))
    made.append(_write(folder / ".gitignore", IGNORE))
    for path, fresh in made:
        output.echo(f"{'wrote' if fresh else 'left '} {path}")
    own = {name for name, value in _LINE.findall(env) if len(value) == 32}
    open_names = [name for name, value in _LINE.findall(env) if name not in own and value != "later"]
    where = "" if folder == Path() else f"cd {folder} && "
    output.echo("\nnext:")
    if open_names:
        output.echo(f"  fill in {folder / '.env'}: {', '.join(open_names)}")
    width = len(where) + max(map(len, _NEXT))
    for command, words in _NEXT.items():
        output.echo(f"  {where + command:<{width}}  {words}")


def recipe_files(name: str) -> dict[str, str]:
    """Return what a recipe puts into a folder; raises InputError with the known ones."""
    from hub import recipes
    from hub.config.problems import guess

    known = recipes.names()
    if name not in known:
        raise InputError(f'there is no recipe "{name}" (there is: {", ".join(known) or "none"}).{guess(name, known)}')
    return recipes.files(name)


def _write(path: Path, text: str, mode: int = 0o644) -> tuple[Path, bool]:
    """Write a file unless it exists; return whether it was written."""
    if path.exists():
        return path, False
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch(mode=mode)
    path.chmod(mode)
    path.write_text(text, "utf-8")
    return path, True
