"""`hub run`: one supervised process tree, forked from one import, so that it is small and quick to start.

The supervisor forks the web, the workers and the ticker, brings its own Redis along if none is given, restarts
whatever dies, and frees at once what a dead worker held.

It keeps no SQLite connection open while it forks. A child that inherits one believes it holds the file locks its
parent held; the last process with real locks then deletes the log on closing, and what the child commits is gone
(https://www.sqlite.org/howtocorrupt.html, section 2.6; tests/ruin/test_kill.py has seen it happen).
"""

from __future__ import annotations

import contextlib
import fcntl
import gc
import logging
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from hub.processes import PARENTS_OWN, Plan, fork, run_ticker, run_web, run_worker
from hub.pulse import Pulses, Silence
from hub.redis_server import LocalRedis
from hub.store import Store, work
from hub.store.turns import side_file
from hub.stuck import StuckWriter, descends_from, holder

log = logging.getLogger("hub.supervisor")


class AlreadyRunning(Exception):
    """Another hub holds this data folder."""


@contextlib.contextmanager
def folder_lock(folder: Path):  # type: ignore[no-untyped-def]
    """Hold the data folder for one supervisor; raises AlreadyRunning."""
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o700)
    with (folder / "hub.lock").open("a+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            file.seek(0)
            told = holder(folder / "hub.lock") or file.read().strip() or "?"
            stop = f"kill {told}, " if str(told).isdecimal() else ""
            raise AlreadyRunning(
                f"a hub is already running on {folder} (process {told}). To end it: Ctrl+C in its terminal, {stop}"
                "or systemctl stop hub where it is a service. To run another beside it: --data DIR and --port N"
            ) from None
        file.seek(0)
        file.truncate()
        file.write(str(os.getpid()))
        file.flush()
        PARENTS_OWN.add(file.fileno())
        try:
            yield
        finally:
            PARENTS_OWN.discard(file.fileno())


@dataclass
class Child:
    """One supervised process."""

    name: str
    run: Callable[[], None]
    pid: int = 0
    started: float = 0.0
    deaths: list[float] = field(default_factory=list)
    due: float = 0.0
    #: where its beats are seen
    place: int = 0
    silence: Silence | None = None


class Supervisor:
    """Keeps the tree alive until told to stop: web, workers and ticker, or workers alone (`hub work`)."""

    def __init__(
        self,
        plan: Plan,
        workers: int = 1,
        local_redis: LocalRedis | None = None,
        *,
        web: bool = True,
        ticker: bool = True,
    ) -> None:
        self.plan = plan
        self.local_redis = local_redis
        self.web = web
        self.stopping = threading.Event()
        self._pulses = Pulses(workers + 2)
        beat = partial(self._pulses.keep, workers + 1)  # in granian's child: that is who serves
        self.children = [Child("web", lambda: run_web(plan, beat), place=workers + 1)] if web else []
        self.children += [
            Child(f"worker-{n + 1}", self._beating(n, lambda: run_worker(plan)), place=n) for n in range(workers)
        ]
        if ticker:
            self.children.append(Child("ticker", self._beating(workers, lambda: run_ticker(plan)), place=workers))
        self._redis_due = 0.0
        sqlite = not plan.database_url
        self._stuck = StuckWriter([side_file(plan.folder, name) for name in ("lock", "queue")] if sqlite else [])

    def _beating(self, place: int, run: Callable[[], None]) -> Callable[[], None]:
        def beat_and_run() -> None:
            self._pulses.keep(place)
            run()

        return beat_and_run

    def run(self, ready: Callable[[], None] = lambda: None) -> None:
        """Start everything, call `ready` when the web answers, supervise until SIGTERM or SIGINT."""
        Store.open(self.plan.database_url or None, self.plan.folder).close()  # migrate once, before anyone forks
        gc.collect()
        gc.freeze()
        for name in (signal.SIGTERM, signal.SIGINT):
            signal.signal(name, lambda *_: self.stopping.set())
        for child in self.children:
            self._start(child)
        announced = False
        try:
            while not self.stopping.is_set():
                self._reap()
                self._end_the_stuck()
                self._end_the_silent()
                if self.local_redis is not None and not self.local_redis.alive() and time.monotonic() > self._redis_due:
                    self._redis_due = time.monotonic() + 5.0
                    log.warning("the local Redis died; starting it again")
                    self.local_redis.start()
                if not announced and (not self.web or answers(self.plan.host, self.plan.port)):
                    announced = True
                    ready()
                self.stopping.wait(0.02 if not announced else 0.25)
        finally:
            self._stop()

    def _start(self, child: Child) -> None:
        child.started = time.monotonic()
        child.pid = fork(child.name, child.run)
        child.silence = None

    def _reap(self) -> None:
        """Notice dead children, free what they held, start them again with a growing pause."""
        now = time.monotonic()
        for child in self.children:
            if child.pid:
                pid, status = os.waitpid(child.pid, os.WNOHANG)
                if not pid:
                    continue
                code = os.waitstatus_to_exitcode(status)
                log.warning("%s (process %s) ended with %s; starting it again", child.name, pid, code)
                self._free(pid)
                child.pid = 0
                child.deaths = [at for at in child.deaths if now - at < 60] + [now]
                child.due = now + min(10.0, 0.05 * 2 ** len(child.deaths))
            if not child.pid and now >= child.due:
                self._start(child)

    def _end_the_stuck(self) -> None:
        """Kill a process of ours that is frozen with the store in its hand: it would stop everybody else.

        What it was writing is rolled back; what it was calling is in doubt, and looked into like after any crash.
        """
        pid = self._stuck.look(time.monotonic())
        if pid is None:
            return
        if not descends_from(pid, os.getpid()):
            log.error("process %s holds the store and does not move; nothing can be stored until it ends: end it", pid)
            return
        log.warning("process %s is frozen while it holds the store, and is killed", pid)
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)

    def _end_the_silent(self) -> None:
        """Kill a child that has been frozen for long (stopped, out of a container's share): another takes its place.

        What it had leased is free at once; what it was calling is in doubt, and looked into like after any crash.
        """
        now = time.monotonic()
        for child in self.children:
            pid = self._pulses.pid(child.place)  # of the web, the one that serves: granian starts it anew
            if not pid or not child.pid:
                continue
            if child.silence is None or child.silence.pid != pid:
                child.silence = Silence(pid)
            ours = pid == child.pid or descends_from(pid, os.getpid())
            if child.silence.look(self._pulses.last(child.place), now) and ours:
                log.warning("%s (process %s) gives no sign of life any more, and is replaced", child.name, pid)
                child.silence = None
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)

    def _free(self, pid: int) -> None:
        """Make everything that process had leased due at once."""
        try:
            opened = Store.open(self.plan.database_url or None, self.plan.folder)
            with contextlib.closing(opened) as store, store.write() as db:
                freed = work.free_worker(db, f"{socket.gethostname()[:20]}-{pid}-")
            if freed:
                log.info("%s lines of process %s are free again", freed, pid)
        except Exception:
            log.exception("the leases of process %s could not be freed; they run out by themselves", pid)

    def _stop(self) -> None:
        for child in self.children:
            if child.pid:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(child.pid, signal.SIGTERM)
        deadline = time.monotonic() + 15
        while any(child.pid for child in self.children) and time.monotonic() < deadline:
            for child in self.children:
                if child.pid:
                    with contextlib.suppress(ChildProcessError):
                        child.pid = 0 if os.waitpid(child.pid, os.WNOHANG)[0] else child.pid
            time.sleep(0.02)
        for child in self.children:
            if child.pid:
                log.warning("%s did not end in time and is killed", child.name)
                with contextlib.suppress(ProcessLookupError, ChildProcessError):
                    os.kill(child.pid, signal.SIGKILL)
                    os.waitpid(child.pid, 0)
        if self.local_redis is not None:
            self.local_redis.stop()
        sys.stdout.flush()


def answers(host: str, port: int) -> bool:
    """Return whether the web there says it is ready."""
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104
    try:
        with socket.create_connection((host, port), 0.2) as connection:
            connection.settimeout(2.0)
            connection.sendall(b"GET /readyz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
            return connection.recv(64).startswith(b"HTTP/1.1 200")
    except OSError:
        return False
