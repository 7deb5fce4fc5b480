"""One process of the hub: the web, a worker, the ticker. Each can be forked by the supervisor or run by itself."""

from __future__ import annotations

import ctypes
import logging
import os
import resource
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Any

from hub.config import Config
from hub.engine import Engine
from hub.jobs import Ringer, Stopped, listen
from hub.plugins import Plugins
from hub.presence import Presence
from hub.redis_server import connect
from hub.runtime import Runtime
from hub.store import Store
from hub.ticker import Ticker

log = logging.getLogger("hub")


@dataclass
class Plan:
    """What every process needs to know to open its own view of the hub."""

    config: Config
    plugins: Plugins
    folder: Path
    database_url: str
    redis_url: str
    workers: int = 1
    threads: int = 24
    host: str = "127.0.0.1"
    port: int = 8080
    #: what was started: `run`, `serve`, `work` or `tick`
    part: str = "run"
    #: when hub.yaml was read, epoch seconds
    since: float = field(default_factory=time.time)

    def presence(self, runtime: Runtime, *parts: str) -> Presence | None:
        """Say that this process runs, where it is the one to say so for what was started: one of `parts`."""
        if self.part not in parts:
            return None
        pid = os.getppid() if self.part == "run" else os.getpid()  # of a tree its supervisor's: that is what one ends
        return Presence(runtime.store, self.part, self.config, runtime.secret(), self.since, pid)

    def runtime(self) -> Runtime:
        """Open the store and connectors in this process."""
        client = connect(self.redis_url) if self.redis_url else None
        store = Store.open(self.database_url or None, self.folder)
        return Runtime(
            self.config, self.plugins, store, folder=self.folder, redis=client, workers=self.workers
        )  # fmt: skip


def die_with_parent(parent: int = 0, signum: int = signal.SIGTERM) -> None:
    """End this process when its parent dies, so that a killed supervisor leaves nothing behind (Linux).

    parent: its pid, where known: one that died before this call would never be noticed.
    """
    if sys.platform == "linux":
        PR_SET_PDEATHSIG = 1
        ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signum)
        if parent and os.getppid() != parent:
            os._exit(1)


#: workers leave the processor to the web when both want it: somebody waits for an acknowledgement
WORKER_NICE = 5


def run_worker(plan: Plan) -> None:
    """Work until SIGTERM: claim, call, record. In-flight calls get ten seconds to end."""
    os.nice(WORKER_NICE)
    runtime = plan.runtime()
    ringer = Ringer(connect(plan.redis_url) if plan.redis_url else None)
    engine = Engine(runtime, threads=plan.threads, bell=ringer)
    stopping = threading.Event()

    def stop(signum: int, frame: FrameType | None) -> None:
        if not stopping.is_set():  # where this one is eaten, the loop leaves at its next heartbeat
            stopping.set()
            raise Stopped

    for name in (signal.SIGTERM, signal.SIGINT):
        signal.signal(name, stop)
    presence = None
    try:
        presence = plan.presence(runtime, "work")
        engine.start()
        log.info("worker %s is ready", engine.name)
        if plan.redis_url:
            # A blocking pop may outlast the short time-out every other use of Redis has.
            client = connect(plan.redis_url)
            listen(client, engine.ring, stopping)
        stopping.wait()
    except Stopped:
        pass
    finally:
        for name in (signal.SIGTERM, signal.SIGINT):
            signal.signal(name, signal.SIG_IGN)  # from here on it ends by itself, within ten seconds
    log.info("worker %s stops", engine.name)
    engine.stop()
    if presence is not None:
        presence.close()
    runtime.close()


def run_ticker(plan: Plan, stopping: threading.Event | None = None) -> None:
    """Sweep until SIGTERM (or `stopping`)."""
    runtime = plan.runtime()
    if stopping is None:
        stopping = threading.Event()
        for name in (signal.SIGTERM, signal.SIGINT):
            signal.signal(name, lambda *_: stopping.set())
    presence = plan.presence(runtime, "run", "tick")
    Ticker(runtime).run(stopping)
    if presence is not None:
        presence.close()
    runtime.close()


def bind(host: str, port: int) -> socket.socket:
    """Return a listening socket; raises OSError in words a person can act on."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_STREAM)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        sock.bind((host, port))
    except OSError as error:
        sock.close()
        raise OSError(f"port {port} on {host} can't be used: {error.strerror}. Choose another with --port.") from None
    return sock


def name_process(name: str) -> None:
    """Name this process for `ps` and `top` (Linux shows 15 letters)."""
    if sys.platform == "linux":
        PR_SET_NAME = 15
        ctypes.CDLL(None).prctl(PR_SET_NAME, name.encode()[:15])


#: files the web may have open: its 2,048 connections and what it needs itself
_FILES = 4096


def run_web(plan: Plan, begun: Callable[[], None] = lambda: None) -> None:
    """Serve HTTP until SIGTERM. begun: called in the process that serves."""
    parent = os.getpid()
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(most, _FILES) if most > 0 else _FILES, most))

    def load() -> Any:
        # Runs in granian's own child: everything with threads or connections is made here. It is killed if granian
        # is: until its own handler stands it would take a SIGTERM for granian's, and keep the port for ever.
        die_with_parent(parent, signal.SIGKILL)
        name_process("hub-web-server")
        begun()
        from hub.web import create_front

        log.info("the web server listens on %s, port %s (process %s)", plan.host, plan.port, os.getpid())
        runtime = plan.runtime()
        plan.presence(runtime, "serve")  # whoever ends granian's child gives it no time to take that back
        return create_front(runtime, Ringer(connect(plan.redis_url) if plan.redis_url else None))

    serve(load, plan.host, plan.port)


def serve(load: Callable[[], Any], host: str, port: int) -> None:
    """Serve with granian what `load` makes in granian's child (a `hub.front.Front`) until SIGTERM."""
    from granian import Granian
    from granian.constants import HTTPModes, Interfaces, Loops
    from granian.http import HTTP1Settings

    Granian(
        "hub.front",
        address=host,
        port=port,
        interface=Interfaces.RSGI,
        http=HTTPModes.http1,  # HTTP/2 ends at the proxy; a connection that waits to say which has no time-out
        loop=Loops.asyncio,
        workers=1,
        backlog=2048,
        backpressure=2048,  # connections, not requests: idle ones must not keep others out
        http1_settings=HTTP1Settings(header_read_timeout=10_000),
        websockets=False,
        log_enabled=False,
        respawn_failed_workers=True,
        respawn_interval=0.1,
        workers_kill_timeout=5,
    ).serve(target_loader=load, wrap_loader=False)


#: descriptors that stay with the parent: a lock must not outlive it in a child's hands
PARENTS_OWN: set[int] = set()


def fork(name: str, run: Callable[[], None]) -> int:
    """Fork a child that runs `run` and exits; returns its pid. Call from the main thread only."""
    sys.stdout.flush()
    sys.stderr.flush()
    parent = os.getpid()
    pid = os.fork()
    if pid:
        return pid
    code = 1
    try:
        die_with_parent(parent)
        for file in PARENTS_OWN:
            os.close(file)
        name_process(f"hub-{name}")
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl+C reaches the supervisor, which tells its children
        threading.current_thread().name = name
        run()
        code = 0
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else 0
    except BaseException:
        logging.getLogger("hub").exception("%s died", name)
    finally:
        logging.shutdown()
        os._exit(code)
