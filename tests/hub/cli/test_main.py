"""The frame of the command line: help, guesses, exit statuses, errors in words."""

from __future__ import annotations

import importlib
import subprocess
import sys

import click
import pytest

from hub.cli import COMMANDS, main
from tests.hub.cli.conftest import Hub


def test_help_lists_every_command_that_is_there(hub: Hub) -> None:
    shown = hub("--help").stdout
    assert all(f"\n  {name} " in shown for name in COMMANDS if COMMANDS[name][0].startswith("hub.cli."))


def test_the_package_is_the_command_too() -> None:
    done = subprocess.run([sys.executable, "-m", "hub", "chek"], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout) == (2, "")
    assert "Usage: hub [" in done.stderr and 'Did you mean "check"?' in done.stderr


def test_help_imports_no_command() -> None:
    script = (
        "import sys\nfrom hub.cli import main\n"
        "main(['--help'], standalone_mode=False)\n"
        "print(sorted(m for m in sys.modules if m in ('rich', 'sqlalchemy', 'flask', 'hub.config', 'hub.store')))"
    )
    told = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert told.stdout.splitlines()[-1] == "[]"


def test_a_running_hub_carries_no_table_printer_along() -> None:
    script = "import sys, hub.cli.run, hub.cli.logs, hub.supervisor\nprint('rich' in sys.modules)"
    told = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert told.stdout.strip() == "False"


@pytest.mark.parametrize("name", [name for name in COMMANDS if COMMANDS[name][0].startswith("hub.cli.")])
def test_the_short_help_is_the_commands_own_matter(name: str) -> None:
    module, attribute, words = COMMANDS[name]
    command = getattr(importlib.import_module(module), attribute)
    assert isinstance(command, click.Command)
    assert command.name == name
    assert command.help and words.endswith(".")


def test_an_unknown_command_gets_a_guess(hub: Hub) -> None:
    assert 'there is no command "recepts". Did you mean "receipts"?' in hub("recepts", "list", code=2).stderr


def test_a_missing_configuration_says_how_to_make_one(hub: Hub) -> None:
    (hub.folder / "hub.yaml").unlink()
    assert "Make one with `hub init`" in hub("check", code=2).stderr


def test_every_problem_of_the_configuration_is_told(hub: Hub) -> None:
    hub.write("connections: {crm: {plugin: sinc}}\nroutes: [{name: a, on: nope.deal.updated, do: crm.x.y}]\n")
    told = hub("pause", "crm", code=2).stderr
    assert "hub.yaml:1" in told and "sink" in told
    assert "hub.yaml:2" in told and "nope" in told


def test_the_unexpected_is_one_line_with_what_to_do(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*args: object, **kwargs: object) -> None:
        raise RuntimeError("the moon")

    monkeypatch.setattr("hub.config.load", fail)
    told = hub("check", code=1).stderr
    assert "something unexpected: RuntimeError: the moon" in told and "HUB_DEBUG=1" in told
    assert "Traceback" not in told
    result = hub.runner.invoke(main, ["--config", str(hub.folder / "hub.yaml"), "check"], env={"HUB_DEBUG": "1"})
    assert isinstance(result.exception, RuntimeError)


def test_the_environment_names_configuration_and_data(hub: Hub) -> None:
    env = {"HUB_CONFIG": str(hub.folder / "hub.yaml"), "HUB_DATA": str(hub.folder / "elsewhere")}
    result = hub.runner.invoke(main, ["receipts", "list"], env=env)
    assert result.exit_code == 1
    assert f"there is nothing in {hub.folder / 'elsewhere'} yet" in result.stderr


def test_looking_makes_no_store(hub: Hub) -> None:
    for command in (["events", "list"], ["explain", "e1"], ["retry", "d1"], ["alerts", "list"]):
        assert "start the hub with `hub run`" in hub(*command, code=1).stderr
    assert not (hub.folder / "data").exists()
