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

PYTHON_CLIENTS = {
    "django-anymail": ["django-anymail==15.2"],
    "unisender-go-api": ["unisender-go-api==0.3.0", "pydantic<2"],
    "django-tasker-unisender": ["django-tasker-unisender==0.0.1"],
}
NODE_CLIENTS = {
    "npm-unisender": ["unisender@1.1.1"],
    "npm-unisender-api": ["unisender-api@1.1.1"],
    "npm-unisender-node": ["unisender-node@0.0.7"],
}

Drive = Callable[[str, dict[str, Any]], dict[str, Any]]


@pytest.fixture(scope="session")
def drive() -> Drive:
    """Return a function that runs `drive_<client>` with settings on its command line and reads its JSON."""

    def run(client: str, settings: dict[str, Any]) -> dict[str, Any]:
        home = _installed(client)
        name = f"drive_{client.replace('-', '_')}"
        if client in PYTHON_CLIENTS:
            command = [str(home / "bin" / "python"), str(HERE / f"{name}.py")]
        else:
            command = ["node", str(shutil.copy(HERE / f"{name}.mjs", home / f"{name}.mjs"))]
        done = subprocess.run(
            [*command, json.dumps(settings)],
            cwd=home,
            env=environment(),
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
    home = OUTSIDE / f"unisender-{client}"
    packages = PYTHON_CLIENTS.get(client) or NODE_CLIENTS[client]
    marker = home / ".installed"
    with alone(home.name):
        if not marker.exists() or marker.read_text("utf-8") != json.dumps(packages):
            shutil.rmtree(home, ignore_errors=True)
            if client in PYTHON_CLIENTS:
                venv.create(home, with_pip=True)
                _quietly([str(home / "bin" / "python"), "-m", "pip", "install", "-q", *packages], home)
            else:
                home.mkdir(parents=True)
                (home / "package.json").write_text('{"private": true}', "utf-8")
                _quietly(["npm", "install", "--silent", "--no-audit", "--no-fund", *packages], home)
            marker.write_text(json.dumps(packages), "utf-8")
    return home


def _quietly(command: list[str], home: Path) -> None:
    done = subprocess.run(
        command, cwd=home, env=environment(), capture_output=True, text=True, timeout=300, check=False
    )  # fmt: skip
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
