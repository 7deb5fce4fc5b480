"""`hub demo` as people run it: a real hub, both stand-ins, the whole day."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest
from click.testing import CliRunner

from hub import recipes
from hub.demo import place
from hub.demo.account import Account
from hub.demo.command import demo
from hub.demo.company import COMPANIES, company
from tests.hub.demo.beauty import outcomes
from tests.hub.demo.quest_rooms import outcomes as quests

ROOT = Path(place.__file__).parent.parent.parent


def command(*options: str) -> list[str]:
    return [sys.executable, "-m", "hub.demo", *options]


def environment(temporary: Path) -> dict[str, str]:
    """Return an environment that would break the demo if it let it in."""
    return {
        **os.environ, "PYTHONPATH": str(ROOT), "TMPDIR": str(temporary), "DATABASE_URL": "postgresql://nowhere/x",
        "REDIS_URL": "redis://127.0.0.1:1", "B24_WEBHOOK_URL": "https://real.bitrix24.ua/rest/1/secret/",
        "HUB_DATA": "/nowhere",
    }  # fmt: skip


def left_over(folder: Path) -> list[str]:
    """Return the command lines of processes that still have to do with a folder."""
    found = []
    for entry in Path("/proc").iterdir():
        try:
            line = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode("utf-8", "replace")
        except OSError:
            continue
        if str(folder) in line:
            found.append(line)
    return found


def test_a_stage_is_said_once_in_our_word() -> None:
    account = SimpleNamespace(world=SimpleNamespace(stages={"C5:EXECUTING": "shipped", "C5:WON": "won"}))
    told = Account.in_words(account, "is in shipped (C5:EXECUTING); moves only from C5:WON, other")  # type: ignore[arg-type]
    assert told == "is in shipped; moves only from won, other"


@pytest.mark.parametrize(("recipe", "contacts"), [("beauty", 16), ("quest_rooms", 13)])
def test_the_whole_day_comes_out_right_and_adds_up(tmp_path: Path, recipe: str, contacts: int) -> None:
    run = subprocess.run(
        command("--recipe", recipe, "--once", "--json"),
        capture_output=True,
        text=True,
        timeout=180,
        env=environment(tmp_path),
    )
    assert run.returncode == 0, run.stderr
    told = json.loads(run.stdout)
    assert told["ok"] is True
    assert [one["words"] for one in told["checks"] if not one["ok"]] == []
    assert sum(told["arrived"].values()) == sum(group["count"] for group in told["requests"]) > 100
    assert len(told["crm"]["contacts"]) == contacts
    assert list(tmp_path.iterdir()) == []
    assert left_over(tmp_path) == []


def test_the_beauty_day_is_played_without_a_recipe_and_the_others_are_known() -> None:
    [option] = [one for one in demo.params if one.name == "recipe"]
    assert option.default == "beauty"
    assert list(option.type.choices) == list(COMPANIES)  # type: ignore[attr-defined]
    assert {company(name).recipe for name in COMPANIES} == set(COMPANIES) <= set(recipes.names())


@pytest.fixture
def nothing_happens(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave the day out: what is shown is what `collect` is told to say."""
    monkeypatch.setattr("hub.demo.story.play", lambda world, day, tell: None)


def test_one_failed_check_ends_with_1_and_is_named(nothing_happens: None, monkeypatch: pytest.MonkeyPatch) -> None:
    bad = outcomes.good()
    bad.unfinished["parked"] = 2
    monkeypatch.setattr("hub.demo.company.Company.collect", lambda company, world: bad)
    said = CliRunner().invoke(demo, ["--once"])
    assert said.exit_code == 1, said.output
    assert "nothing is left undone" in said.stderr
    assert "2 parked" in said.stderr
    assert "✗" in said.stdout


@pytest.mark.parametrize(("recipe", "evening"), [("beauty", outcomes), ("quest_rooms", quests)])
def test_without_a_terminal_there_is_no_colour(
    recipe: str, evening: ModuleType, nothing_happens: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hub.demo.company.Company.collect", lambda company, world: evening.good())
    said = CliRunner().invoke(demo, ["--once", "--recipe", recipe])
    assert said.exit_code == 0, said.output
    assert "\x1b" not in said.stdout
    assert "What became of each request" in said.stdout


@contextmanager
def running(*options: str, temporary: Path) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        command(*options), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment(temporary)
    )
    try:
        yield process
    finally:
        if process.poll() is None:
            process.kill()
        process.communicate()


def test_ctrl_c_leaves_nothing_behind(tmp_path: Path) -> None:
    with running("--once", temporary=tmp_path) as process:
        deadline = time.monotonic() + 30
        while len(left_over(tmp_path)) < 2 and time.monotonic() < deadline:  # the hub's processes and its Redis
            time.sleep(0.05)
        assert left_over(tmp_path)
        process.send_signal(signal.SIGINT)
        assert process.wait(30) == 1
    assert left_over(tmp_path) == []
    assert list(tmp_path.iterdir()) == []


def test_a_folder_in_use_is_refused(tmp_path: Path) -> None:
    (tmp_path / "hub.db").touch()
    said = CliRunner().invoke(demo, ["--once", "--data", str(tmp_path)])
    assert said.exit_code == 2
    assert "not empty" in said.stderr


def test_a_taken_port_is_told(tmp_path: Path) -> None:
    from hub.processes import bind

    with bind("127.0.0.1", 0) as sock:
        sock.listen()
        port = sock.getsockname()[1]
        said = CliRunner().invoke(demo, ["--once", "--port", str(port)])
    assert said.exit_code == 1
    assert f"port {port}" in said.stderr


def test_a_free_port_is_found_when_the_usual_one_is_taken() -> None:
    from hub.processes import bind

    with bind("127.0.0.1", 0) as sock:
        sock.listen()
        taken = sock.getsockname()[1]
        assert place.free_port(None, taken) not in (0, taken)
