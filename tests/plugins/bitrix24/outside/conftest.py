"""Clients that others wrote, each in a throw-away place of its own under `.outside/`, driven as subprocesses."""

import json
import subprocess
import venv
from pathlib import Path

import pytest

from plugins.bitrix24.sandbox import Bitrix24Sandbox
from tests.outside import OUTSIDE, alone, environment

SCRIPTS = Path(__file__).parent / "scripts"


def _run(command, cwd, **env):
    done = subprocess.run(
        [str(part) for part in command],
        cwd=cwd,
        env={**environment(), **env},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-4000:]
    return done.stdout


def _installed(folder, install):
    """Install once: a place without its mark is begun afresh by the installer."""
    mark = folder / ".ready"
    with alone(folder.name):
        if not mark.exists():
            folder.mkdir(parents=True, exist_ok=True)
            install(folder)
            mark.touch()
    return folder


@pytest.fixture(scope="session")
def python_client():
    """Run a script with a PyPI package and return the JSON it printed last."""

    def run(package, script, *arguments, **env):
        def install(folder):
            venv.create(folder, with_pip=True, clear=True)
            _run([folder / "bin/python", "-m", "pip", "install", "-q", package], folder)

        folder = _installed(OUTSIDE / f"pypi-{package.replace('==', '-')}", install)
        printed = _run([folder / "bin/python", SCRIPTS / script, *arguments], folder, **env)
        return json.loads(printed.strip().splitlines()[-1])

    return run


@pytest.fixture(scope="session")
def node_client():
    """Run a script with an npm package and return the JSON it printed last."""

    def run(package, script, *arguments, **env):
        def install(folder):
            (folder / "package.json").write_text('{"private": true, "type": "module"}')
            _run(["npm", "install", "--silent", "--no-audit", "--no-fund", package], folder)

        folder = _installed(OUTSIDE / f"npm-{package.strip('@').replace('/', '-').replace('@', '-')}", install)
        (folder / script).write_text((SCRIPTS / script).read_text())
        printed = _run(["node", script, *arguments], folder, **env)
        return json.loads(printed.strip().splitlines()[-1])

    return run


@pytest.fixture
def portal():
    """Serve a portal with 120 deals and 3 leads over plain http."""
    with Bitrix24Sandbox().start() as running:
        _fill(running.sandbox)
        yield running


@pytest.fixture
def tls_portal():
    """Serve the same over TLS, for clients that insist on https."""
    with Bitrix24Sandbox().start(tls=True) as running:
        _fill(running.sandbox)
        yield running


def _fill(sandbox):
    for number in range(120):
        sandbox.act("crm.deal.add", {"fields": {"TITLE": f"deal {number}", "CATEGORY_ID": 5}})
    for number in range(3):
        phone = [{"VALUE": f"+38050000000{number}", "VALUE_TYPE": "MOBILE"}]
        sandbox.act("crm.lead.add", {"fields": {"TITLE": f"lead {number}", "PHONE": phone}})
