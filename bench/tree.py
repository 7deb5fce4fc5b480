"""A hub to take figures of: the real process tree, started as `hub run` starts it."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

_HUB_YAML = """
hub: {{plugins_dir: plugins, unrouted: ignore}}
connections:
  site: {{plugin: bench}}
  out: {{plugin: bench, url: "{url}", parallel: "{parallel}"}}
routes:
  - name: form goes out
    on: site.form.submitted
    when: {{contact.phone: valid}}
    do: out.lead.send
    set:
      title: "Site: {{{{ contact.name }}}}"
      phone: contact.phone
      n: form.n
      a: form.field_1
      b: {{from: form.field_2, via: [strip]}}
"""


def write_config(folder: Path, url: str, parallel: int = 64) -> Path:
    """Write hub.yaml and the bench plugin into a folder; return the path of hub.yaml."""
    (folder / "plugins").mkdir(parents=True, exist_ok=True)
    shutil.copy(Path(__file__).parent / "plugin.py", folder / "plugins" / "bench.py")
    path = folder / "hub.yaml"
    path.write_text(_HUB_YAML.format(url=url, parallel=parallel))
    return path


class Tree:
    """A running hub; `start_seconds` is from the command to the first ready answer."""

    def __init__(self, url: str, port: int, workers: int = 1, threads: int = 24, parallel: int = 64) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="hub-bench-"))
        self.port = port
        config = write_config(self.folder, url, parallel)
        hub = Path(sys.executable).parent / "hub"
        options = ["--port", str(port), "--workers", str(workers), "--threads", str(threads)]
        started = time.monotonic()
        self.process = subprocess.Popen(  # the newcomer's own command
            [str(hub), "--config", str(config), "run", *options],
            stdout=subprocess.DEVNULL, stderr=(self.folder / "log").open("wb"),
        )  # fmt: skip
        from hub.supervisor import answers

        while not answers("127.0.0.1", port):
            if self.process.poll() is not None or time.monotonic() - started > 30:
                raise SystemExit("the hub did not start:\n" + (self.folder / "log").read_text()[-2000:])
            time.sleep(0.01)
        self.start_seconds = time.monotonic() - started

    def pids(self) -> list[int]:
        """Return every process of the tree."""
        found, rest = [], [self.process.pid]
        while rest:
            pid = rest.pop()
            found.append(pid)
            for task in Path(f"/proc/{pid}/task").glob("*/children"):
                rest.extend(int(child) for child in task.read_text().split())
        return found

    def pss_mb(self) -> float:
        """Return the memory of the whole tree: each shared page counted once in all."""
        total = 0
        for pid in self.pids():
            for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
                if line.startswith("Pss:"):
                    total += int(line.split()[1])
        return total / 1000

    def cpu_seconds(self) -> float:
        """Return the CPU time the tree has used so far."""
        ticks = 0
        for pid in self.pids():
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
            ticks += int(fields[11]) + int(fields[12])
        return ticks / os.sysconf("SC_CLK_TCK")

    def stop(self) -> None:
        """End the hub and remove its folder."""
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait(5)
        shutil.rmtree(self.folder, ignore_errors=True)
