"""Where the demo happens: a folder with hub.yaml, the stand-ins of both vendors, and a real `hub run` as a child."""

from __future__ import annotations

import contextlib
import datetime as dt
import os
import secrets
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
from hub.demo.world import World
from hub.errors import HubError
from hub.sandbox import now_utc
from hub.store import Store
from hub.supervisor import answers

#: variables of the outer world that must not reach the demo's hub
_NOT_OURS = ("DATABASE_URL", "REDIS_URL", "HUB_CONFIG", "HUB_DATA")
#: a portal of the Enterprise plan, so that a whole day's calls go out in seconds
_PORTAL_RATE, _PORTAL_BURST = 50, 2000
_START_WITHIN = 40.0


class DemoFailed(HubError):
    """The demo itself could not go on; the reason is for the person before the terminal."""


class Place:
    """Builds everything up, hands out the `World`, takes everything down again whatever happened.

    folder: where hub.yaml and the data go; None is a fresh temporary folder, removed at the end unless `keep`.
    """

    def __init__(self, folder: Path | None, port: int, recipe: str, keep: bool = False) -> None:
        self.folder = folder or Path()  # a temporary one is made when the demo begins
        self.temporary = folder is None
        self.keep = keep or not self.temporary
        self.port = port
        self.recipe = recipe
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
        from plugins.bitrix24.sandbox import Bitrix24Sandbox
        from plugins.novaposhta.sandbox import NovaPoshtaSandbox

        if self.temporary:
            self.folder = Path(tempfile.mkdtemp(prefix="hub-demo-"))
        ahead = [0.0]

        def clock() -> dt.datetime:
            return now_utc() + dt.timedelta(seconds=ahead[0])

        portal = Bitrix24Sandbox(rate_per_second=_PORTAL_RATE, burst=_PORTAL_BURST, clock=clock)
        self._stack.enter_context(portal.start())
        self._stack.callback(portal.events.close)
        carrier = NovaPoshtaSandbox()
        self._stack.enter_context(carrier.start())
        doors = write_config(self.folder, self.recipe, portal.credentials(), carrier.credentials())
        stages = self._stages()
        self._start_hub()
        store = Store.open(None, self.folder / "data")
        self._stack.callback(store.close)
        world = World(portal, carrier, self.url, store, doors, stages, ahead)
        self._stack.callback(world.close)
        world.listen()
        return world

    def _stages(self) -> dict[str, str]:
        """Read the configuration as the hub will; return the CRM's stage code -> our word for it."""
        from hub.config import load
        from hub.config.load import variables
        from hub.plugins import Plugins

        config = load(self.config, Plugins.discover(None), variables(self.config, {}))
        return {code: word for word, code in config.connections["crm"].names["stages"].items()}

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


def write_config(
    folder: Path, recipe: str, portal: dict[str, str], carrier: dict[str, object]
) -> dict[str, str]:  # fmt: skip
    """Write the recipe as it travels with the hub, pointed at the stand-ins; return door -> its secret."""
    folder.mkdir(parents=True, exist_ok=True)
    sender = carrier["sender"]
    assert isinstance(sender, dict)
    secret = {"site": secrets.token_hex(16), "questions": secrets.token_hex(16)}
    values = {
        "B24_WEBHOOK_URL": portal["webhook_url"],
        "B24_APP_TOKEN": portal["application_token"],
        "NP_API_KEY": carrier["api_key"],
        "NP_API_URL": carrier["api_url"],
        "NP_SENDER": sender["counterparty"],
        "NP_CONTACT": sender["contact"],
        "NP_WAREHOUSE": sender["address"],
        "SITE_SECRET": secret["site"],
        "QUESTIONS_SECRET": secret["questions"],
    }
    limits = f"limits: {{per_second: {_PORTAL_RATE}, burst: {_PORTAL_BURST}}}"
    pace = 'api_url: "${NP_API_URL}"\n    per_second: 40\n    parallel: 8'
    text = recipes.files(recipe)["hub.yaml"]
    for plugin, more in (("bitrix24", limits), ("novaposhta", pace)):
        line = f"    plugin: {plugin}\n"
        if line not in text:
            raise DemoFailed(f"the recipe {recipe} has no connection with `plugin: {plugin}`")
        text = text.replace(line, f"{line}    {more}\n", 1)
    (folder / "hub.yaml").write_text(text, encoding="utf-8")
    env = folder / ".env"
    env.touch(mode=0o600)
    env.write_text("".join(f"{name}={value}\n" for name, value in values.items()), encoding="utf-8")
    return secret


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
