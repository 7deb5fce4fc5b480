"""Clients that others wrote, each installed by name into its own throw-away place under `.outside/`."""

from __future__ import annotations

import json
import shutil
import subprocess
import venv
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.outside import OUTSIDE, alone, environment

HERE = Path(__file__).parent

#: client -> what pip is given; three of them share the import name `amocrm`
PYTHON_CLIENTS = {
    "aioamocrm": ["aioamocrm==0.1.1"],
    "amocrm-api-wrapper": ["amocrm-api-wrapper==1.0.1"],
    "amocrm-api": ["amocrm-api==2.6.1"],
    "amocrm-sdk": ["amocrm-sdk==0.4.0"],
    "kommo-python": ["kommo-python==0.1.2"],
}
NODE_CLIENTS = {"npm-amo": ["@shevernitskiy/amo@0.1.12"], "npm-amocrm-js": ["amocrm-js@3.6.0"]}

Drive = Callable[[str, dict[str, Any]], dict[str, Any]]


@pytest.fixture(scope="session")
def drive() -> Drive:
    """Return a function that runs `drive_<client>` with settings on its command line and reads its JSON."""

    def run(client: str, settings: dict[str, Any]) -> dict[str, Any]:
        home = _installed(client)
        script = HERE / f"drive_{client.replace('-', '_')}{'.py' if client in PYTHON_CLIENTS else '.mjs'}"
        if client in PYTHON_CLIENTS:
            command = [str(home / "bin" / "python"), str(script)]
        else:
            command = ["node", str(shutil.copy(script, home / script.name))]
        done = subprocess.run(
            [*command, json.dumps(settings)],
            cwd=home,
            env=environment() | {"NO_PROXY": "*"},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
        result: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
        return result

    return run


def _installed(client: str) -> Path:
    """Install a client once; the marker file says with what."""
    home = OUTSIDE / f"amocrm-{client}"
    wanted = json.dumps(PYTHON_CLIENTS.get(client) or NODE_CLIENTS[client])
    marker = home / ".installed"
    with alone(home.name):
        if not marker.exists() or marker.read_text("utf-8") != wanted:
            shutil.rmtree(home, ignore_errors=True)
            if client in PYTHON_CLIENTS:
                venv.create(home, with_pip=True)
                packages = PYTHON_CLIENTS[client]
                _quietly([str(home / "bin" / "python"), "-m", "pip", "install", "-q", *packages], home)
            else:
                home.mkdir(parents=True)
                (home / "package.json").write_text('{"private": true, "type": "module"}', "utf-8")
                _quietly(["npm", "install", "--silent", "--no-audit", "--no-fund", *NODE_CLIENTS[client]], home)
            marker.write_text(wanted, "utf-8")
    return home


def _quietly(command: list[str], home: Path) -> None:
    done = subprocess.run(
        command, cwd=home, env=environment(), capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, f"{' '.join(command)}\n{done.stdout}\n{done.stderr}"
