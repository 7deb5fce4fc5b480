"""A command line over a real hub of fakes: messages go in by the receiver, commands look at what became of them."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from hub.cli import main
from hub.connector import Connector
from hub.plugins import Plugins
from tests.hub.fakes import PLUGINS, Box

YAML = """
hub: {timezone: Europe/Kyiv, region: UA, base_url: https://hub.example.com}
connections:
  site: {plugin: source, secret: "${SITE_SECRET}"}
  crm: {plugin: sink, secret: "${CRM_SECRET}", names: {fields: {ttn: UF_TTN}}}
routes:
  - name: form becomes a lead
    on: site.form.submitted
    when: {contact.phone: valid}
    do: crm.lead.upsert
    set: {TITLE: "Site: {{ contact.name }}", CITY: form.city}
  - name: only from Lviv
    on: site.form.submitted
    when: {form.city: Lviv}
    do: crm.comment.create
    set: {text: event.text}
"""
#: the file .env beside it
ENV = "SITE_SECRET=letmein\nCRM_SECRET=s3cret-of-crm\n"


class Hub:
    """Runs commands in one folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.runner = CliRunner()

    def __call__(self, *args: str, code: int = 0, env: dict[str, str] | None = None) -> Result:
        """Run a command; its exit status must be `code`."""
        told = ["--config", str(self.folder / "hub.yaml"), *args]
        result = self.runner.invoke(main, told, env={"HUB_DEBUG": "", "NO_COLOR": "", **(env or {})})
        assert result.exit_code == code, f"{result.exit_code}: {result.output}"
        return result

    def json(self, *args: str, code: int = 0) -> Any:
        """Run a command with --json; standard output must hold JSON and nothing else."""
        return json.loads(self(*args, "--json", code=code).stdout)

    def write(self, yaml: str) -> None:
        """Write another hub.yaml."""
        (self.folder / "hub.yaml").write_text(yaml)


@pytest.fixture
def plugins(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Say which connectors this installation has."""

    def use(*connectors: type[Connector]) -> None:
        monkeypatch.setattr(Plugins, "discover", lambda *args, **kwargs: Plugins.of(*connectors))

    return use


@pytest.fixture
def hub(tmp_path: Path, plugins: Callable[..., None], monkeypatch: pytest.MonkeyPatch) -> Hub:
    """The command line over a folder with a hub.yaml and nothing stored yet."""
    plugins(*PLUGINS)
    for name in ("DATABASE_URL", "REDIS_URL", "HUB_CONFIG", "HUB_DATA", "HUB_SECRET_KEY"):
        monkeypatch.delenv(name, raising=False)
    made = Hub(tmp_path)
    made.write(YAML)
    (tmp_path / ".env").write_text(ENV)
    return made


@pytest.fixture
def box(hub: Hub) -> Iterator[Box]:
    """The hub itself, working in this process on the same folder."""
    box = Box(hub.folder, YAML).start()
    yield box
    box.close()
