"""A running process says by which configuration it runs, so that a person hears when hub.yaml has changed since.

The hub reads hub.yaml and .env at its start. Who changes them and forgets to restart would look for the mistake in
the wrong place.
"""

from __future__ import annotations

import hashlib
import hmac
import logging
import os
import socket
import threading

from hub.config import Config
from hub.store import Store, running
from hub.store.json import dumps
from hub.store.running import Running

log = logging.getLogger("hub")


def imprint(config: Config, key: bytes) -> tuple[str, str]:
    """Return (version of hub.yaml, digest of what its variables stand for); the latter keyed, as secrets are in it."""
    filled = dumps(sorted(config.filled)).encode()
    return config.version, hmac.new(key, filled, hashlib.sha256).hexdigest()[:16]


class Presence:
    """The sign of life of a process, from a thread of its own; taken back when it is closed."""

    def __init__(self, store: Store, part: str, config: Config, key: bytes, since: float, pid: int) -> None:
        version, settings = imprint(config, key)
        self.process = Running(part, socket.gethostname(), pid, since, version, settings)
        self._store = store
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="presence", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        while True:
            try:
                with self._store.write() as db:
                    running.announce(db, self.process)
            except Exception as error:  # noqa: BLE001 (nobody waits for this; whoever works tells of a store that is away)
                log.debug("no sign of life: %s", error)
            if self._stopping.wait(running.BEAT):
                return

    def close(self) -> None:
        """Take the sign of life back."""
        self._stopping.set()
        self._thread.join(5.0)
        try:
            with self._store.write() as db:
                running.withdraw(db, self.process.host, self.process.pid)
        except Exception as error:  # noqa: BLE001 (a process ends all the same)
            log.debug("the sign of life stays until it is out of date: %s", error)


def alive(process: Running) -> bool:
    """Return whether a process that gave a sign of life lately still runs, as far as this machine can tell."""
    if process.host != socket.gethostname():
        return True
    try:
        os.kill(process.pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:  # somebody else's, but there
        return True
    return True


def outdated(process: Running, now: tuple[str, str]) -> str:
    """Return what has changed since a process was started, in words; "" if nothing has. `now`: see `imprint`."""
    version, settings = now
    if process.version != version:
        return "hub.yaml"
    return ".env" if settings and process.settings != settings else ""
