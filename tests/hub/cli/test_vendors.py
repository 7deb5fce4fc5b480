"""`hub sandbox`, `hub names`, `hub plugins`, `hub docs`: what has to do with vendors."""

from __future__ import annotations

import json
import signal
import ssl
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import yaml
from click.testing import CliRunner

from hub.cli import main
from hub.cli.context import App
from hub.cli.names import block as names_block
from hub.cli.sandbox import connection_block, sandbox_class
from hub.connector import Connector
from hub.plugins import BrokenPlugin, Plugins
from tests.hub.cli.conftest import Hub
from tests.hub.fakes import PLUGINS, Sink

BUNDLED = sorted(Plugins.discover().connectors.items())
HUB = str(Path(sys.executable).parent / "hub")


# --- sandbox -------------------------------------------------------------------------------------


@contextmanager
def sandbox(*args: str) -> Iterator[tuple[list[str], subprocess.Popen[str]]]:
    """Run `hub sandbox` until its last line is out; yield what it printed."""
    process = subprocess.Popen([HUB, "sandbox", *args], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    watchdog = threading.Timer(30, process.kill)
    watchdog.start()
    try:
        assert process.stdout is not None
        lines = []
        for line in process.stdout:
            lines.append(line.rstrip())
            if "Ctrl+C" in line:
                break
        yield lines, process
    finally:
        watchdog.cancel()
        process.kill()
        process.communicate()


def test_sandboxes_are_served_with_a_block_to_paste() -> None:
    with sandbox("bitrix24", "novaposhta", "--port", "0") as (lines, process):
        urls = [line.split()[1] for line in lines if line.startswith(("bitrix24 http", "novaposhta http"))]
        assert len(urls) == 2
        for url in urls:
            with urllib.request.urlopen(f"{url}/_sandbox/state", timeout=5) as answer:
                assert answer.status == 200
        start = lines.index("connections:")
        pasted = yaml.safe_load("\n".join(lines[start : lines.index("", start)]))
        assert pasted["connections"]["bitrix24"]["webhook_url"].startswith(urls[0])
        process.send_signal(signal.SIGINT)
        assert process.wait(10) == 0


def test_a_sandbox_with_tls_says_what_to_trust() -> None:
    with sandbox("bitrix24", "--port", "0", "--tls") as (lines, process):
        [url] = [line.split()[1] for line in lines if line.startswith("bitrix24 https")]
        [bundle] = [line.partition("REQUESTS_CA_BUNDLE=")[2] for line in lines if "REQUESTS_CA_BUNDLE" in line]
        context = ssl.create_default_context(cafile=bundle)
        with urllib.request.urlopen(f"{url}/_sandbox/state", timeout=5, context=context) as answer:
            assert answer.status == 200
        process.send_signal(signal.SIGTERM)
        assert process.wait(10) == 0


def test_an_unknown_vendor_gets_a_guess(hub: Hub) -> None:
    assert 'Did you mean "sink"?' in hub("sandbox", "sinc", code=2).stderr
    assert "plugin sink brings no sandbox" in hub("sandbox", "sink", code=2).stderr


def test_a_block_holds_only_what_the_settings_know() -> None:
    told = yaml.safe_load(connection_block("sink", Sink, {"secret": 5, "unknown": "x"}))
    assert told == {"connections": {"sink": {"plugin": "sink", "secret": "5"}}}


@pytest.mark.parametrize(("name", "connector"), BUNDLED)
def test_a_pasted_block_is_whole_and_stays_on_this_machine(name: str, connector: type[Connector]) -> None:
    made = sandbox_class(App(), name)()
    made.base_url = "http://127.0.0.1:8090"
    block = yaml.load(connection_block(name, connector, made.credentials()), yaml.BaseLoader)  # noqa: S506
    settings = block["connections"][name]
    assert settings.pop("plugin") == name
    loaded = connector.Settings().load(settings)
    near = ("127.0.0.1", "hub.example.com")  # the hub's own address stands in the settings of an app
    elsewhere = {where: url for where, url in urls(loaded) if urlsplit(url).hostname not in near}
    assert not elsewhere, "the sandbox's credentials() leave these to the vendor itself"


def urls(value: Any, where: str = "") -> Iterator[tuple[str, str]]:
    """Yield each address among loaded settings, nested ones too, with the name it stands under."""
    if isinstance(value, Mapping):
        for key, item in value.items():
            yield from urls(item, f"{where}.{key}".strip("."))
    elif isinstance(value, (list, tuple)):
        for item in value:
            yield from urls(item, where)
    elif isinstance(value, str) and value.startswith(("http://", "https://")):
        yield where, value


# --- names ---------------------------------------------------------------------------------------


FOUND = {
    "fields": {"ttn": ("UF_TTN", "Waybill  number"), "city_2": ("UF_CITY", "")},
    "stages": {"to_ship": ("C5:PREPARATION", "To ship")},
    "users": {},
}


def test_names_print_a_block_that_reads_back(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Sink, "names", lambda self: FOUND)
    told = hub("names", "crm").stdout
    assert yaml.safe_load(told) == {
        "connections": {
            "crm": {
                "names": {"fields": {"ttn": "UF_TTN", "city_2": "UF_CITY"}, "stages": {"to_ship": "C5:PREPARATION"}}
            }
        }
    }
    assert "# Waybill number" in told
    assert told.startswith("# For hub.yaml: the lines below `names:` go under connections: crm: names:\nconnections:\n")
    assert hub.json("names", "crm")["stages"] == {"to_ship": {"code": "C5:PREPARATION", "label": "To ship"}}


def test_words_that_hub_yaml_has_are_kept() -> None:
    assert "waybill: UF_TTN" in names_block("crm", FOUND, {"fields": {"waybill": "UF_TTN"}})


def test_a_connection_without_names(hub: Hub) -> None:
    assert "plugin sink has no names to tell" in hub("names", "crm", code=1).stderr
    assert 'no connection "cmr"' in hub("names", "cmr", code=2).stderr


# --- plugins -------------------------------------------------------------------------------------


def test_plugins_are_listed(hub: Hub) -> None:
    told = hub("plugins", "list").stdout
    assert "sink" in told and "Test CRM" in told
    assert [one["name"] for one in hub.json("plugins", "list")] == ["poller", "sink", "source"]


def test_a_broken_plugin_is_listed_with_its_error(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    found = Plugins.of(*PLUGINS)
    found.broken.append(BrokenPlugin("viber", "ImportError: no module"))
    found.off.append("fax")
    monkeypatch.setattr(Plugins, "discover", lambda *args, **kwargs: found)
    told = hub("plugins", "list", code=1).stdout
    assert "ImportError: no module" in told and "left out by HUB_PLUGINS_OFF" in told
    assert "plugin viber: ImportError" in hub("plugins", "show", "viber", code=2).stderr


@pytest.mark.parametrize("name", [name for name, _ in BUNDLED])
def test_every_bundled_plugin_can_be_shown(name: str) -> None:
    result = CliRunner().invoke(main, ["plugins", "show", name])
    assert result.exit_code == 0, result.output
    assert "settings" in result.output and "events" in result.output
    assert CliRunner().invoke(main, ["plugins", "show", name, "--json"]).exit_code == 0


def test_settings_are_shown_with_their_words(hub: Hub) -> None:
    assert "secret secret: shared secret" in hub("plugins", "show", "sink").stdout
    [secret] = hub.json("plugins", "show", "sink")["settings"]
    assert secret["secret"] is True and secret["help"] == "shared secret"
    assert 'Did you mean "sink"?' in hub("plugins", "show", "sinc", code=2).stderr


def test_every_bundled_plugin_answers_for_its_quality() -> None:
    result = CliRunner().invoke(main, ["plugins", "quality"])
    assert result.exit_code == 0, result.output
    told = {line.split()[0]: line.split()[1] for line in result.output.splitlines()[1:]}
    assert set(told) == {Plugins.discover().owner(name) for name, _ in BUNDLED}
    assert "none" not in told.values()


def test_a_plugins_rules_are_told_with_words() -> None:
    told = CliRunner().invoke(main, ["plugins", "quality", "form"]).output
    assert told.startswith("form ")
    assert " – echo " in told and "exempt: the connector writes nothing" in told
    assert " ✗ live " in told
    shown = json.loads(CliRunner().invoke(main, ["plugins", "quality", "form", "--json"]).output)
    [live] = [one for one in shown["rules"] if one["rule"] == "live"]
    assert (live["state"], live["tried"]) == ("todo", False)
    listed = json.loads(CliRunner().invoke(main, ["plugins", "quality", "--json"]).output)
    assert shown in listed


def test_a_plugin_that_says_nothing_of_its_quality(hub: Hub) -> None:
    assert "there is no quality.yaml" in hub("plugins", "quality", code=1).stdout
    assert "not answered in quality.yaml; why it is asked:" in hub("plugins", "quality", "sink", code=1).stdout
    assert 'Did you mean "sink"?' in hub("plugins", "quality", "sinc", code=2).stderr


# --- docs ----------------------------------------------------------------------------------------


def test_pages_are_listed_and_printed() -> None:
    listed = CliRunner().invoke(main, ["docs"]).output
    assert "Command line" in listed and "form" in listed
    assert CliRunner().invoke(main, ["docs", "cli"]).output.startswith("# Command line")
    result = CliRunner().invoke(main, ["docs", "clj"])
    assert result.exit_code == 2 and 'Did you mean "cli"?' in result.output


def test_plugins_alone_lists_them(hub: Hub) -> None:
    assert hub("plugins").stdout == hub("plugins", "list").stdout
    assert hub.json("plugins") == hub.json("plugins", "list")
    assert "--json goes behind the command" in hub("plugins", "--json", "list", code=2).stderr
