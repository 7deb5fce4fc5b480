"""Clients that others wrote, each in a throw-away place of its own under `.outside/`, driven as subprocesses."""

from __future__ import annotations

import json
import subprocess
import venv
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.outside import OUTSIDE, alone, environment

SCRIPTS = Path(__file__).parent / "scripts"
Drive = Callable[[str, str, dict[str, Any]], dict[str, Any]]


def _run(command: list[str], folder: Path) -> str:
    done = subprocess.run(
        command, cwd=folder, env=environment(), capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-4000:]
    return done.stdout


def _installed(package: str, install: Callable[[Path], None]) -> Path:
    """Install once: a place without its mark is begun afresh by the installer."""
    folder = OUTSIDE / f"instagram-{package.replace('==', '-').replace('@', '-')}"
    with alone(folder.name):
        if not (folder / ".ready").exists():
            folder.mkdir(parents=True, exist_ok=True)
            install(folder)
            (folder / ".ready").touch()
    return folder


@pytest.fixture(scope="session")
def python_client() -> Drive:
    """Run a script with a package of PyPI and return the JSON it printed last."""

    def run(package: str, script: str, settings: dict[str, Any]) -> dict[str, Any]:
        def install(folder: Path) -> None:
            venv.create(folder, with_pip=True, clear=True)
            _run([str(folder / "bin/python"), "-m", "pip", "install", "-q", package], folder)

        folder = _installed(package, install)
        printed = _run([str(folder / "bin/python"), str(SCRIPTS / script), json.dumps(settings)], folder)
        result: dict[str, Any] = json.loads(printed.strip().splitlines()[-1])
        return result

    return run


@pytest.fixture(scope="session")
def node_client() -> Drive:
    """Run a script with a package of npm and return the JSON it printed last."""

    def run(package: str, script: str, settings: dict[str, Any]) -> dict[str, Any]:
        def install(folder: Path) -> None:
            (folder / "package.json").write_text('{"private": true, "type": "module"}')
            _run(["npm", "install", "--silent", "--no-audit", "--no-fund", package], folder)

        folder = _installed(package, install)
        (folder / script).write_text((SCRIPTS / script).read_text())
        printed = _run(["node", script, json.dumps(settings)], folder)
        result: dict[str, Any] = json.loads(printed.strip().splitlines()[-1])
        return result

    return run
