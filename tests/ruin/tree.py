"""A real hub as its users run it: `hub run` as a process tree, with all its pids at hand and a hammer beside it.

Every process of the tree carries a token in its environment, so the harness finds orphans too and nothing outlives
a test, however it ends. The store is read directly, beside the hub.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import random
import signal
import socket
import sqlite3
import subprocess
import sys
import time
import urllib.request
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from hub.store.turns import side_file
from hub.stuck import holder

HERE = Path(__file__).parent
ROOT = HERE.parent.parent
HUB = [sys.executable, "-c", "from hub.cli import main; main()"]
SECRET = "let-me-in-please"
ROLES = ("web", "granian", "worker", "ticker", "supervisor", "redis")


def until(what: Callable[[], Any], within: float = 30.0, every: float = 0.05) -> Any:
    """Poll until `what()` is true and return it; fails after a generous deadline."""
    deadline = time.monotonic() + within
    while True:
        if found := what():
            return found
        assert time.monotonic() < deadline, f"not within {within} s: {getattr(what, '__doc__', '') or what}"
        time.sleep(every)


def free_port() -> int:
    """Return a port that nobody listens on now."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def alive(pid: int) -> bool:
    """Return whether a process runs (a zombie doesn't)."""
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    return False


class Tree:
    """A hub in a folder of its own; `start` it, break it, look at it."""

    def __init__(self, folder: Path, yaml: str, workers: int = 2, database_url: str = "", redis: bool = True,
        hub: str = "",
    ) -> None:  # fmt: skip
        """hub: more of the section `hub`: `region: UA`."""
        self.folder = folder
        self.folder.mkdir(parents=True, exist_ok=True)
        self.data = folder / "data"
        self.token = uuid.uuid4().hex
        self.workers = workers
        self.port = free_port()
        self.database_url = database_url
        self.log = folder / "hub.log"
        self.kills: dict[str, int] = {}
        self.restarts = 0
        (folder / "hub.yaml").write_text(
            f"hub: {{plugins_dir: {HERE / 'plugins'}, unrouted: ignore{', ' * bool(hub)}{hub}}}\n{yaml}"
        )
        foreign = ("HUB_", "REDIS_", "DATABASE")
        self.env = {
            **{name: value for name, value in os.environ.items() if not name.startswith(foreign)},
            "HUB_RUIN_TREE": self.token, "HUB_RUIN_BACKOFF": "0.2,0.4,0.8,1.5", "PYTHONPATH": str(ROOT),
        }  # fmt: skip
        if not redis:
            self.env["REDIS_URL"] = "redis://127.0.0.1:1/0"  # nobody listens there
        if database_url:
            self.env["DATABASE_URL"] = database_url.replace("+psycopg", "")
        self.parts: list[subprocess.Popen[bytes]] = []

    # --- starting and stopping -----------------------------------------------------------------

    def launch(self, *command: str) -> subprocess.Popen[bytes]:
        """Start one `hub ...` command of this hub; its output goes to the log."""
        with self.log.open("ab") as log:
            part = subprocess.Popen(
                [*HUB, "--config", str(self.folder / "hub.yaml"), "--data", str(self.data), *command],
                env=self.env, cwd=self.folder, stdout=log, stderr=log, start_new_session=True,
            )  # fmt: skip
        self.parts.append(part)
        return part

    def start(self, within: float = 40.0) -> Tree:
        """Start `hub run` and wait until it is ready; while a killed one lets go of the folder, try again."""
        deadline = time.monotonic() + within
        while True:
            part = self.launch("run", "--port", str(self.port), "--workers", str(self.workers))
            while part.poll() is None:
                if self.ready():
                    return self
                assert time.monotonic() < deadline, f"the hub did not start\n{self.tail()}"
                time.sleep(0.02)
            assert time.monotonic() < deadline, f"the hub did not start\n{self.tail()}"
            time.sleep(0.1)

    def ready(self) -> bool:
        """Return whether the web says it is ready."""
        with contextlib.suppress(OSError), urllib.request.urlopen(f"{self.url('')}/readyz", timeout=2) as answer:
            return answer.status == 200
        return False

    def stop(self) -> None:
        """End every process of the tree: politely, then not."""
        for part in self.parts:
            if part.poll() is None:
                part.terminate()
        with contextlib.suppress(AssertionError):
            until(lambda: all(part.poll() is not None for part in self.parts) and not self.pids(), 20.0)
        for pid in self.pids():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        for part in self.parts:
            part.wait(10)
        until(lambda: not self.pids(), 10.0)

    def __enter__(self) -> Tree:
        return self

    def __exit__(self, *exc: object) -> None:
        self.stop()

    # --- processes -----------------------------------------------------------------------------

    def pids(self) -> list[int]:
        """Return every living process that carries our token; Redis overwrites it, but names its socket."""
        needle, socket_, found = f"HUB_RUIN_TREE={self.token}".encode(), str(self.data).encode(), []
        for path in Path("/proc").iterdir():
            if path.name.isdigit():
                with contextlib.suppress(OSError):
                    ours = needle in (path / "environ").read_bytes()
                    command = (path / "cmdline").read_bytes()
                    if (ours or (b"redis" in command and socket_ in command)) and alive(int(path.name)):
                        found.append(int(path.name))
        return sorted(found)

    def roles(self) -> dict[str, list[int]]:
        """Return role -> pids, told by the names the hub gives its processes."""
        roles: dict[str, list[int]] = {role: [] for role in ROLES}
        tops = {part.pid for part in self.parts}
        for pid in self.pids():
            with contextlib.suppress(OSError):
                name = Path(f"/proc/{pid}/comm").read_text().strip()
                word = name.removeprefix("hub-")
                if pid in tops:
                    roles["supervisor"].append(pid)
                elif "redis" in name:
                    roles["redis"].append(pid)
                elif word == "web-server":
                    roles["granian"].append(pid)
                elif (role := word.partition("-")[0]) in roles:
                    roles[role].append(pid)
        return roles

    def kill(self, role: str, dice: random.Random | None = None) -> int:
        """SIGKILL one process of a role; return its pid, 0 if there is none just now."""
        pids = self.roles()[role]
        if not pids:
            return 0
        pid = (dice or random.Random(0)).choice(pids)
        self.kills[role] = self.kills.get(role, 0) + 1
        self.kill_pid(pid)
        return pid

    def kill_pid(self, pid: int) -> None:
        """SIGKILL one process, and bury it if it is our own child."""
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
        for part in self.parts:
            if part.pid == pid:
                part.wait(10)

    def cut_power(self) -> None:
        """SIGKILL all of it at once; one may have ended by itself since it was listed."""
        for pid in self.pids():
            self.kill_pid(pid)
        until(lambda: not self.pids(), 10.0)

    def freeze(self, *roles: str) -> list[int]:
        """SIGSTOP every process of these roles, at a moment when none of them is in the middle of a commit.

        A process that is stopped with SQLite's write lock in its hands keeps it; that is no death of a process.
        """
        pids = [pid for role in roles for pid in self.roles()[role]]

        def stopped() -> bool:
            for pid in pids:
                os.kill(pid, signal.SIGSTOP)
            if self.writable():
                return True
            for pid in reversed(pids):
                os.kill(pid, signal.SIGCONT)
            return False

        until(stopped, 20.0)
        return pids

    def freeze_with_the_store(self, role: str) -> int:
        """SIGSTOP a process of this role at a moment when it holds the store; return its pid.

        It, and not another one: that lets go again, and nobody would have to end the one that is frozen here. The
        second look comes when all threads of it have surely stopped.
        """
        pids = self.roles()[role]
        files = [side_file(self.data, name) for name in ("queue", "lock")]

        def stopped() -> bool:
            os.kill(pids[0], signal.SIGSTOP)
            held = [file for file in files if holder(file) == pids[0]]
            if held:
                time.sleep(0.05)
                if any(holder(file) == pids[0] for file in held):
                    return True
            os.kill(pids[0], signal.SIGCONT)
            return False

        until(stopped, 60.0)
        return pids[0]

    def writable(self) -> bool:
        """Return whether nobody holds the store's locks."""
        if self.database_url:
            return True
        with contextlib.ExitStack() as held:
            for name in ("queue", "lock"):
                file = held.enter_context((self.data / f"hub.db.{name}").open("a"))
                try:
                    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except OSError:
                    return False
        return True

    def resurrect(self) -> None:
        """Start the hub again if its supervisor is gone."""
        if all(part.poll() is not None for part in self.parts):
            self.restarts += 1
            self.start()

    def memory(self) -> int:
        """Return the resident memory of the whole tree in bytes, shared pages counted once (PSS)."""
        total = 0
        for pid in self.pids():
            with contextlib.suppress(OSError):
                for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
                    if line.startswith("Pss:"):
                        total += int(line.split()[1]) * 1024
        return total

    # --- looking -------------------------------------------------------------------------------

    def url(self, connection: str) -> str:
        """Return the address of a connection's hook."""
        return f"http://127.0.0.1:{self.port}" + (f"/in/{connection}" if connection else "")

    def rows(self, sql: str) -> list[Any]:
        """Read the store beside the hub."""
        if self.database_url:
            import psycopg

            with psycopg.connect(self.database_url.replace("+psycopg", "")) as connection:
                return connection.execute(sql).fetchall()
        with contextlib.closing(sqlite3.connect(f"file:{self.data / 'hub.db'}?mode=ro", uri=True, timeout=30)) as one:
            return one.execute(sql).fetchall()

    def number(self, sql: str) -> int:
        """Return one number of the store."""
        return int(self.rows(sql)[0][0])

    def left(self) -> dict[str, int]:
        """Return what is still to be done."""
        return {
            "receipts": self.number("SELECT count(*) FROM receipt WHERE state = 'new'"),
            "events": self.number("SELECT count(*) FROM event WHERE state = 'waiting'"),
            "deliveries": self.number("SELECT count(*) FROM delivery WHERE state = 'ready'"),
        }

    def drain(self, within: float = 120.0) -> None:
        """Wait until nothing is left to do."""
        deadline = time.monotonic() + within
        while any((left := self.left()).values()):
            assert time.monotonic() < deadline, f"still to do: {left}\n{self.stuck()}\n{self.tail()}"
            time.sleep(0.1)

    def states(self) -> dict[str, int]:
        """Return how many deliveries are in which state."""
        return {row[0]: int(row[1]) for row in self.rows("SELECT state, count(*) FROM delivery GROUP BY state")}

    def stuck(self) -> str:
        """Describe a few unfinished deliveries, for a failing test."""
        rows = self.rows(
            "SELECT d.id, d.action, d.line, d.tries, d.wait, d.reason, l.due, l.lease FROM delivery d "
            "LEFT JOIN line l ON l.key = d.line WHERE d.state = 'ready' ORDER BY d.id LIMIT 5"
        )
        return f"now={time.time():.1f}\n" + "\n".join(map(str, rows))

    def tail(self, lines: int = 40) -> str:
        """Return the end of the log."""
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:]) if self.log.exists() else ""


@contextlib.contextmanager
def hammer(tree: Tree, every: float, roles: tuple[str, ...] = ROLES, seed: int = 1) -> Iterator[None]:
    """While the block runs, kill a random process every so often; restart the supervisor when it was that."""
    import threading

    over = threading.Event()
    trouble: list[BaseException] = []
    dice = random.Random(seed)

    def swing() -> None:
        try:
            while not over.wait(every):
                tree.kill(dice.choice(roles), dice)
                tree.resurrect()
        except BaseException as error:  # noqa: BLE001 (told in the test's own thread)
            trouble.append(error)

    thread = threading.Thread(target=swing, name="hammer")
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join(60)
    if trouble:
        raise trouble[0]
