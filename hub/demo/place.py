"""Where the demo happens: a folder with hub.yaml, the company's stand-ins, and a real `hub run` as a child."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from types import TracebackType

import hub
from hub import recipes
from hub.demo.company import Company, Settings
from hub.demo.world import World
from hub.errors import HubError
from hub.runtime import Runtime
from hub.store import Store
from hub.supervisor import answers

#: variables of the outer world that must not reach the demo's hub
_NOT_OURS = ("DATABASE_URL", "REDIS_URL", "HUB_CONFIG", "HUB_DATA")
_START_WITHIN = 40.0


class DemoFailed(HubError):
    """The demo itself could not go on; the reason is for the person before the terminal."""


class Place:
    """Builds everything up, hands out the `World`, takes everything down again whatever happened.

    folder: where hub.yaml and the data go; None is a fresh temporary folder, removed at the end unless `keep`.
    """

    def __init__(self, folder: Path | None, port: int, company: Company, keep: bool = False) -> None:
        self.folder = folder or Path()  # a temporary one is made when the demo begins
        self.temporary = folder is None
        self.keep = keep or not self.temporary
        self.port = port
        self.company = company
        self.process: subprocess.Popen[bytes] | None = None
        self._stack = contextlib.ExitStack()

    @property
    def url(self) -> str:
        """The hub's address."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def config(self) -> Path:
        """The demo's hub.yaml."""
        return self.folder / "hub.yaml"

    @property
    def log(self) -> Path:
        """What the hub's processes say."""
        return self.folder / "hub.log"

    def __enter__(self) -> World:
        try:
            return self._build()
        except BaseException:
            self._take_down()
            raise

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._take_down()

    def _build(self) -> World:
        if self.temporary:
            self.folder = Path(tempfile.mkdtemp(prefix="hub-demo-"))
        ahead = [0.0]
        stands = self._stack.enter_context(self.company.stands(lambda: time.time() + ahead[0]))
        settings = self.company.settings({name: one.credentials() for name, one in stands.items()}, self.url)
        write_config(self.folder, self.company.recipe, settings)
        self._start_hub()
        runtime = self._runtime()
        stages = {code: word for word, code in runtime.config.connections["crm"].names["stages"].items()}

        def register(name: str) -> None:
            runtime.connector(name).connect(f"{self.url}/in/{name}")

        world = self.company.world(stands, self.url, runtime.store, dict(settings.secrets), stages, ahead, register)
        self._stack.callback(world.close)
        world.listen()
        return world

    def _runtime(self) -> Runtime:
        """Read configuration and store as the hub does: what the demo looks up and registers beside it."""
        from hub.config import load
        from hub.config.load import variables
        from hub.plugins import Plugins

        environ = variables(self.config, {})
        plugins, data = Plugins.discover(None), self.folder / "data"
        config = load(self.config, plugins, environ)
        runtime = Runtime(config, plugins, Store.open(None, data), folder=data, environ=environ)
        self._stack.callback(runtime.close)
        return runtime

    def _start_hub(self) -> None:
        """Run `hub run` in a session of its own: Ctrl+C is the demo's to pass on, and it dies with the demo."""
        from hub.processes import die_with_parent

        root = str(Path(hub.__file__).parent.parent)
        environ = {name: value for name, value in os.environ.items() if name not in _NOT_OURS}
        environ["PYTHONPATH"] = os.pathsep.join(filter(None, (root, environ.get("PYTHONPATH"))))
        for line in (self.folder / ".env").read_text(encoding="utf-8").splitlines():
            environ.pop(line.partition("=")[0], None)
        program = "from hub.cli import main; main(prog_name='hub')"
        command = [sys.executable, "-c", program, "--config", str(self.config), "--data", str(self.folder / "data")]
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(  # noqa: S603
                [*command, "run", "--port", str(self.port)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=environ,
                start_new_session=True,
                preexec_fn=die_with_parent,
            )
        deadline = time.monotonic() + _START_WITHIN
        while not answers("127.0.0.1", self.port):
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise DemoFailed(f"the hub did not start; its last words:\n{self.last_words()}")
            time.sleep(0.05)

    def last_words(self, lines: int = 15) -> str:
        """Return the end of the hub's log."""
        if not self.log.exists():
            return ""
        return "\n".join(self.log.read_text(encoding="utf-8", errors="replace").splitlines()[-lines:])

    def alive(self) -> bool:
        """Return whether the hub's processes still run."""
        return self.process is not None and self.process.poll() is None

    def _take_down(self) -> None:
        """End the hub's processes and the stand-ins; a second Ctrl+C doesn't stop that."""
        patience = signal.signal(signal.SIGINT, signal.SIG_IGN)
        try:
            self._end_everything()
        finally:
            signal.signal(signal.SIGINT, patience)

    def _end_everything(self) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait(5)
        self._stack.close()
        if not self.keep and self.folder != Path():
            for _ in range(30):  # a process that is just ending may still write into it
                shutil.rmtree(self.folder, ignore_errors=True)
                if not self.folder.exists():
                    break
                time.sleep(0.1)


# --- the configuration ------------------------------------------------------------------------------------------------


def write_config(folder: Path, recipe: str, settings: Settings) -> None:
    """Write the recipe as it travels with the hub, pointed at the stand-ins."""
    for name, text in recipes.files(recipe).items():
        if name == ".env.example":
            continue
        if name == "hub.yaml":
            text = _pointed(text, recipe, settings)
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    env = folder / ".env"
    env.touch(mode=0o600)
    env.write_text("".join(f"{name}={value}\n" for name, value in settings.variables.items()), encoding="utf-8")


def _pointed(text: str, recipe: str, settings: Settings) -> str:
    """Return hub.yaml with the addresses of the stand-ins."""
    for plugin, more in settings.more.items():
        line = f"    plugin: {plugin}\n"
        if line not in text:
            raise DemoFailed(f"the recipe {recipe} has no connection with `plugin: {plugin}`")
        text = text.replace(line, f"{line}    {more}\n", 1)
    for before, after in settings.instead.items():
        if before not in text:
            raise DemoFailed(f"the recipe {recipe} has no `{before}`")
        text = text.replace(before, after, 1)
    return text


def free_port(wanted: int | None, usual: int = 8080) -> int:
    """Return the port asked for (OSError if it is taken), else the usual one if nobody has it, else any free one."""
    from hub.processes import bind

    for port in [wanted] if wanted else [usual, 0]:
        try:
            with contextlib.closing(bind("127.0.0.1", port)) as sock:
                return int(sock.getsockname()[1])
        except OSError:
            if wanted:
                raise
    raise OSError("no free port on 127.0.0.1")
