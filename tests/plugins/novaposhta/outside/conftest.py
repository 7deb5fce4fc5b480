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

#: client -> what pip is given, one list per run of pip; the two called novaposhta share an import name
PYTHON_CLIENTS = {
    "novaposhta": (["novaposhta==0.0.10"],),
    "novaposhta-python-client": (["--no-deps", "novaposhta-python-client==0.1.14"], ["httpx"]),
    "novaposhta-api-client": (["novaposhta-api-client==0.2.3"],),
}
NODE_CLIENTS = {
    "npm-novaposhta": ["novaposhta@1.1.1"],
    "npm-shopana": [
        "@shopana/novaposhta-api-client@0.0.1",
        "@shopana/novaposhta-transport-fetch@0.0.1",
        "esbuild",
    ],
}

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
            command = ["node", str(_bundled(home, script) if client == "npm-shopana" else _beside(home, script))]
        done = subprocess.run(
            [*command, json.dumps(settings)],
            cwd=home,
            # one client's models have the vendor for a default wherever no address was given to them
            env=environment() | {"NOVAPOSHTA_API_POINT": settings["api_url"]},
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
    home = OUTSIDE / f"novaposhta-{client}"
    wanted = json.dumps(PYTHON_CLIENTS.get(client) or NODE_CLIENTS[client])
    marker = home / ".installed"
    with alone(home.name):
        if not marker.exists() or marker.read_text("utf-8") != wanted:
            shutil.rmtree(home, ignore_errors=True)
            if client in PYTHON_CLIENTS:
                _install_python(home, PYTHON_CLIENTS[client])
            else:
                _install_node(home, NODE_CLIENTS[client])
            marker.write_text(wanted, "utf-8")
    return home


def _install_python(home: Path, runs: tuple[list[str], ...]) -> None:
    venv.create(home, with_pip=True)
    for arguments in runs:
        _quietly([str(home / "bin" / "python"), "-m", "pip", "install", "-q", *arguments], home)


def _install_node(home: Path, packages: list[str]) -> None:
    home.mkdir(parents=True)
    (home / "package.json").write_text('{"private": true}', "utf-8")
    _quietly(["npm", "install", "--silent", "--no-audit", "--no-fund", *packages], home)


def _bundled(home: Path, script: Path) -> Path:
    """Bundle a script with the client it imports: the client's own modules leave out their extensions."""
    target = home / "bundle.cjs"
    esbuild = home / "node_modules" / ".bin" / "esbuild"
    source = _beside(home, script)
    _quietly([str(esbuild), str(source), "--bundle", "--platform=node", f"--outfile={target}"], home)
    return target


def _beside(home: Path, script: Path) -> Path:
    """Copy a script next to the node_modules it imports from."""
    return Path(shutil.copy(script, home / script.name))


def _quietly(command: list[str], home: Path) -> None:
    done = subprocess.run(
        command, cwd=home, env=environment(), capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, f"{' '.join(command)}\n{done.stdout}\n{done.stderr}"
