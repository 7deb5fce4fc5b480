"""A hub that runs by an older hub.yaml is told of; one that doesn't run isn't."""

from __future__ import annotations

import json
import os
import socket
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from hub.config import load
from hub.presence import Presence
from hub.store import running
from hub.store.running import Running
from tests.hub.cli.conftest import ENV, YAML, Hub
from tests.hub.cli.test_run import HUB, environment, free_port
from tests.hub.cli.test_run import YAML as REAL
from tests.hub.cli.test_run import running as process
from tests.hub.fakes import Box


@pytest.fixture
def start(box: Box) -> Iterator[Callable[[], Presence]]:
    """Stand for a hub that is started with hub.yaml as it is now."""
    made: list[Presence] = []

    def begin() -> Presence:
        config = load(box.folder / "hub.yaml", box.plugins, {})
        made.append(Presence(box.store, "run", config, box.runtime.secret(), 1_700_000_000.0, os.getpid()))
        for _ in range(500):
            with box.store.read() as db:
                if running.running(db):
                    return made[-1]
        raise AssertionError("no sign of life")

    yield begin
    for one in made:
        one.close()


def told(hub: Hub) -> str:
    return " ".join(hub("check").stdout.split())


def test_a_hub_that_runs_by_this_very_file_is_not_mentioned(hub: Hub, start: Callable[[], Presence]) -> None:
    start()
    assert "has changed" not in told(hub)
    assert hub.json("check")["running"] == []


def test_a_changed_file_is_told_with_the_remedy(hub: Hub, start: Callable[[], Presence]) -> None:
    mine = start()
    hub.write(YAML.replace("Site: ", "Web: "))
    assert "warning: hub.yaml, or a file or table it names, has changed since the hub that runs" in told(hub)
    assert "2023-11-15 00:13:20; hub run, process" in told(hub)  # in the time zone of hub.yaml
    assert "Restart the hub" in told(hub)
    [one] = hub.json("check")["running"]
    assert (one["part"], one["pid"], one["changed"]) == ("run", mine.process.pid, "hub.yaml")


def test_a_changed_table_or_included_file_counts_as_a_change(hub: Hub, start: Callable[[], Presence]) -> None:
    table, part = hub.folder / "breeds.csv", hub.folder / "more.yaml"
    table.write_text("breed,price\nlab,5\n")
    part.write_text("people: {several: oldest}\n")
    hub.write(YAML + "tables: {breeds: breeds.csv}\ninclude: [more.yaml]\n")
    start()
    assert hub.json("check")["running"] == []
    table.write_text("breed,price\nlab,6\n")
    assert [one["changed"] for one in hub.json("check")["running"]] == ["hub.yaml"]
    table.write_text("breed,price\nlab,5\n")
    part.write_text("people: {several: newest}\n")
    assert [one["changed"] for one in hub.json("check")["running"]] == ["hub.yaml"]


def test_a_changed_secret_is_told_without_showing_it(hub: Hub, start: Callable[[], Presence]) -> None:
    (hub.folder / ".env").write_text(ENV.replace("s3cret-of-crm", "the-first-one"))
    start()
    (hub.folder / ".env").write_text(ENV.replace("s3cret-of-crm", "the-first-one") + "UNUSED=1\n")
    assert hub.json("check")["running"] == []
    (hub.folder / ".env").write_text(ENV.replace("s3cret-of-crm", "the-second-one"))
    assert "A value in .env has changed since the hub that runs was started" in told(hub)
    assert "the-second" not in told(hub) and "the-first" not in told(hub)


def test_acts_of_people_hint_at_it(hub: Hub, box: Box, start: Callable[[], Presence]) -> None:
    box.send({"type": "form.submitted", "subject": "form:1", "record": {"contact": {"phone": "+380671112233"}}})
    box.send({"type": "form.submitted", "subject": "form:2"}, secret="wrong")
    box.settle()
    start()
    for act in (("replay", "r1"), ("retry", "--all"), ("rejected", "list")):
        assert "has changed" not in hub(*act).stderr, act
        box.settle()
    hub.write(YAML.replace("Site: ", "Web: "))
    with box.store.write() as db:
        db.run("UPDATE delivery SET state = 'parked'")
    for act in (("replay", "r1"), ("retry", "--all"), ("rejected", "list")):
        assert "Restart the hub: it reads hub.yaml and .env at its start" in hub(*act).stderr, act


def test_a_hub_that_ended_says_nothing(hub: Hub, box: Box, start: Callable[[], Presence]) -> None:
    start().close()
    hub.write(YAML.replace("Site: ", "Web: "))
    assert hub.json("check")["running"] == []


def test_a_hub_that_was_killed_says_nothing(hub: Hub, box: Box) -> None:
    gone = subprocess.Popen(["true"])
    gone.wait()
    with box.store.write() as db:
        running.announce(db, Running("run", socket.gethostname(), gone.pid, 0.0, "another", ""))
    assert hub.json("check")["running"] == []


def test_a_process_elsewhere_counts_until_its_last_sign_of_life_is_old(hub: Hub, box: Box) -> None:
    with box.store.write() as db:
        running.announce(db, Running("work", "elsewhere", 1, 0.0, "another", ""))
    assert [one["host"] for one in hub.json("check")["running"]] == ["elsewhere"]
    with box.store.write() as db:
        db.now -= running.ALIVE + 1
        running.announce(db, Running("work", "elsewhere", 1, 0.0, "another", ""))
    assert hub.json("check")["running"] == []


def test_a_store_that_is_away_is_no_reason_to_fail(hub: Hub) -> None:
    url = f"postgresql://nobody@127.0.0.1:{free_port()}/hub"
    told = hub("check", env={"DATABASE_URL": url}).stdout
    assert "whether a hub runs by an older hub.yaml can't be seen: " in told and "Fine" in told


def test_a_check_makes_no_store_and_upgrades_none(hub: Hub) -> None:
    hub("check")
    assert not (hub.folder / "data").exists()
    (hub.folder / "data").mkdir()
    (hub.folder / "data" / "hub.db").touch()
    assert hub.json("check")["running"] == []
    assert not (hub.folder / "data" / "secret.key").exists()


def test_the_real_thing(tmp_path: Path) -> None:
    def check() -> list[dict[str, object]]:
        told = subprocess.run(
            [HUB, "check", "--json"], cwd=tmp_path, env=environment(), capture_output=True, text=True, check=True
        )
        return list(json.loads(told.stdout)["running"])

    (tmp_path / "hub.yaml").write_text(REAL)
    with process(tmp_path, "run", "--port", str(free_port()), ready="the hub is ready") as supervisor:
        assert check() == []
        (tmp_path / "hub.yaml").write_text(REAL + "people: {several: newest}\n")
        for _ in range(50):  # the sweeper begins a moment after the web
            if found := check():
                break
        assert [(one["part"], one["pid"], one["changed"]) for one in found] == [("run", supervisor.pid, "hub.yaml")]
    assert check() == []
