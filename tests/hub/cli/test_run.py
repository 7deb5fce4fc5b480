"""`hub run`, and its parts apart: real processes, real HTTP."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from cryptography.fernet import Fernet

from hub.cli.context import App
from hub.cli.run import local_redis
from tests.hub.cli.conftest import Hub

HUB = str(Path(sys.executable).parent / "hub")
SECRET = "0123456789abcdef0123"
YAML = f"""
hub: {{region: UA, unrouted: ignore}}
connections:
  site: {{plugin: form, secret: {SECRET}}}
routes: []
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "hub.yaml").write_text(YAML)
    return tmp_path


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def environment(**more: str) -> dict[str, str]:
    dropped = ("HUB_CONFIG", "HUB_DATA", "DATABASE_URL", "REDIS_URL", "HUB_SECRET_KEY")
    return {name: value for name, value in os.environ.items() if name not in dropped} | more


@contextmanager
def running(
    folder: Path, *args: str, ready: str, program: Sequence[str] = (HUB,), **env: str
) -> Iterator[subprocess.Popen[str]]:  # fmt: skip
    """Run a command until the block ends; it must have said `ready` by then, and end well on SIGTERM."""
    with (folder / f"{args[0]}.log").open("w") as log:
        process = subprocess.Popen(
            [*program, *args], cwd=folder, env=environment(**env), text=True, stdout=subprocess.PIPE, stderr=log
        )
    watchdog = threading.Timer(60, process.kill)
    watchdog.start()
    try:
        assert process.stdout is not None
        said = process.stdout.readline()
        assert ready in said, said + (folder / f"{args[0]}.log").read_text()
        yield process
        process.send_signal(signal.SIGTERM)
        process.wait(20)
    finally:
        watchdog.cancel()
        process.kill()
        process.communicate()


def post(port: int, **fields: str) -> int:
    body = "&".join(f"{name}={value}" for name, value in fields.items()).encode()
    request = urllib.request.Request(f"http://127.0.0.1:{port}/in/site/{SECRET}", body)
    with urllib.request.urlopen(request, timeout=10) as answer:
        return int(answer.status)


def receipts(folder: Path, **env: str) -> list[dict[str, Any]]:
    told = subprocess.run(
        [HUB, "receipts", "list", "--json"],
        cwd=folder,
        env=environment(**env),
        capture_output=True,
        text=True,
        check=True,
    )
    return list(json.loads(told.stdout))


def until_read(folder: Path, **env: str) -> None:
    for _ in range(100):
        if [one["state"] for one in receipts(folder, **env)] == ["done"]:
            return
    raise AssertionError(receipts(folder, **env))


def test_the_whole_hub(folder: Path) -> None:
    port = free_port()
    with running(folder, "run", "--port", str(port), ready=f"the hub is ready on http://127.0.0.1:{port}") as process:
        assert post(port, Name="Anna", Phone="067 111-22-33") == 200
        until_read(folder)
        second = subprocess.run(
            [HUB, "run", "--port", str(free_port())], cwd=folder, env=environment(), capture_output=True, text=True
        )
        assert second.returncode == 1
        assert f"a hub is already running on {folder / 'data'} (process {process.pid})" in second.stderr
        assert f"To end it: Ctrl+C in its terminal, kill {process.pid}, or systemctl stop hub" in second.stderr
    assert process.returncode == 0
    log = (folder / "run.log").read_text()
    assert "event id=1 type=site.form.submitted" in log
    assert SECRET not in log and "Traceback" not in log


def test_the_log_as_json(folder: Path) -> None:
    port = free_port()
    with running(folder, "run", "--log-json", "--port", str(port), ready="the hub is ready"):
        assert post(port, Name="Anna", Phone="067 111-22-33") == 200
        until_read(folder)
    lines = [json.loads(line) for line in (folder / "run.log").read_text().splitlines()]
    assert any("type=site.form.submitted" in line["message"] for line in lines)
    assert {"at", "level", "logger", "process", "message"} <= lines[0].keys()


def test_a_port_that_is_taken(folder: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        told = subprocess.run(
            [HUB, "run", "--port", str(port)], cwd=folder, env=environment(), capture_output=True, text=True
        )
    assert told.returncode == 1
    assert f"port {port} on 127.0.0.1 can't be used" in told.stderr and "--port" in told.stderr


def test_a_key_that_is_none_is_told_at_the_start(folder: Path) -> None:
    told = subprocess.run(
        [HUB, "run", "--port", str(free_port())], cwd=folder, env=environment(HUB_SECRET_KEY="hunter2"),
        capture_output=True, text=True,
    )  # fmt: skip
    assert told.returncode == 2
    assert "HUB_SECRET_KEY is no key" in told.stderr and "openssl rand" in told.stderr


def test_without_any_redis_it_says_so(
    hub: Hub, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:  # fmt: skip
    monkeypatch.setattr("hub.redis_server.program", lambda: None)
    assert local_redis(App(hub.folder / "hub.yaml")) is None
    assert "no Redis here" in capsys.readouterr().err


def test_addresses_come_from_the_environment_then_env_file_then_hub_yaml(
    hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:  # fmt: skip
    hub.write("hub: {redis_url: redis://yaml:6379}\nconnections: {site: {plugin: source}}\nroutes: []\n")
    assert App(hub.folder / "hub.yaml").redis_url() == "redis://yaml:6379"
    (hub.folder / ".env").write_text("REDIS_URL=redis://file:6379\nHUB_SECRET_KEY=from-the-file\n")
    app = App(hub.folder / "hub.yaml")
    assert app.redis_url() == "redis://file:6379"
    monkeypatch.setenv("REDIS_URL", "redis://env:6379")
    assert App(hub.folder / "hub.yaml").redis_url() == "redis://env:6379"
    app.plan()
    assert os.environ.pop("HUB_SECRET_KEY") == "from-the-file"


@pytest.mark.parametrize("command", ["serve", "work", "tick"])
def test_apart_needs_a_shared_database(hub: Hub, command: str) -> None:
    told = hub(command, code=2).stderr
    assert "set DATABASE_URL=postgresql://" in told and "hub run" in told


def test_the_parts_apart(folder: Path, postgresql_url: str, redis_url: str) -> None:
    env = {"DATABASE_URL": postgresql_url, "REDIS_URL": redis_url, "HUB_SECRET_KEY": Fernet.generate_key().decode()}
    port = free_port()
    with (
        running(folder, "work", "--processes", "2", ready="working with 2 processes", **env),
        running(folder, "tick", ready="sweeping", **env),
        running(folder, "serve", "--port", str(port), ready=f"serving on http://127.0.0.1:{port}", **env),
    ):
        _until_open(port)
        assert post(port, Name="Anna", Phone="067 111-22-33") == 200
        until_read(folder, **env)
    assert not (folder / "data" / "hub.db").exists()


def _until_open(port: int) -> None:
    pause = threading.Event()
    for _ in range(300):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        pause.wait(0.05)
    raise AssertionError("the web does not answer")
