"""`hub connect` and `hub poll` against the Bitrix24 stand-in."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from hub.cli import main
from hub.config import load
from hub.plugins import Plugins
from hub.polling import ensure_polls
from hub.runtime import Runtime
from hub.store import Store
from plugins.amocrm.sandbox import AmoCrmSandbox
from plugins.bitrix24.sandbox import Bitrix24Sandbox

YAML = """
hub: {{base_url: "{base}"}}
connections:
  crm: {{plugin: bitrix24, webhook_url: "{hook}", application_token: "{token}"}}
"""


@pytest.fixture
def portal(tmp_path: Path):
    with Bitrix24Sandbox(rate_per_second=None).start() as running:
        yield running


def write(folder: Path, portal, base: str) -> list[str]:
    known = portal.sandbox.credentials()
    path = folder / "hub.yaml"
    path.write_text(YAML.format(base=base, hook=known["webhook_url"], token=known["application_token"]))
    return ["--config", str(path)]


def test_without_https_it_says_what_to_set(tmp_path: Path, portal) -> None:
    result = CliRunner().invoke(main, [*write(tmp_path, portal, "http://hub.example.com"), "connect", "crm"])
    assert result.exit_code == 2
    assert "base_url: https://" in result.output


def test_plain_http_will_not_do_for_a_vendor_elsewhere(tmp_path: Path, portal) -> None:
    options = write(tmp_path, portal, "http://127.0.0.1:8080")
    path = tmp_path / "hub.yaml"
    path.write_text(path.read_text().replace(portal.url, "https://example.bitrix24.ru"))
    result = CliRunner().invoke(main, [*options, "connect", "crm"])
    assert result.exit_code == 2 and "base_url: https://" in result.output


def test_a_rehearsal_on_one_machine_does_without_https(tmp_path: Path, portal) -> None:
    with AmoCrmSandbox().start() as amo:
        known = amo.sandbox.credentials()
        (tmp_path / "hub.yaml").write_text(
            "hub: {base_url: http://127.0.0.1:8080}\nconnections:\n  amo: {plugin: amocrm, "
            f"base_url: '{known['base_url']}', token: '{known['token']}', hook_secret: '{known['hook_secret']}'}}\n"
        )
        result = CliRunner().invoke(main, ["--config", str(tmp_path / "hub.yaml"), "connect", "amo"])
        assert result.exit_code == 0, result.output
        assert [hook["destination"].split("/in/")[0] for hook in amo.sandbox.hooks.rows] == ["http://127.0.0.1:8080"]


def test_a_webhook_says_what_to_click(tmp_path: Path, portal) -> None:
    options = write(tmp_path, portal, "https://hub.example.com")
    result = CliRunner().invoke(main, [*options, "connect", "crm", "--json"])
    found = json.loads(result.output)
    assert any("outgoing webhook" in (one["text"] + one["remedy"]).lower() for one in found)


def test_poll_makes_every_poll_due(tmp_path: Path, portal) -> None:
    options = write(tmp_path, portal, "https://hub.example.com")
    before = CliRunner().invoke(main, [*options, "poll", "crm"])
    assert before.exit_code == 1
    assert "no poll" in before.output
    plugins = Plugins.discover()
    folder = tmp_path / "data"
    runtime = Runtime(load(Path(options[1]), plugins, {}), plugins, Store.open(None, folder), folder=folder, environ={})
    with runtime.store.write() as db:
        ensure_polls(db, runtime)
        db.run("UPDATE line SET due = ?", (db.now + 600,))
    runtime.close()
    after = CliRunner().invoke(main, [*options, "poll", "crm"])
    assert after.exit_code == 0
    assert "3 polls of crm due now" in after.output


def test_where_the_vendor_asks_for_consent_a_link_is_printed_that_works_once(tmp_path: Path) -> None:
    with AmoCrmSandbox().start() as amo:
        known = amo.sandbox.credentials()
        (tmp_path / "hub.yaml").write_text(
            "hub: {base_url: http://127.0.0.1:8080}\nconnections:\n  amo: {plugin: amocrm, "
            f"base_url: '{known['base_url']}', client_id: '{known['client_id']}', "
            f"client_secret: '{known['client_secret']}', hook_secret: '{known['hook_secret']}'}}\n"
        )
        options = ["--config", str(tmp_path / "hub.yaml"), "connect", "amo"]
        result = CliRunner().invoke(main, options)
        assert result.exit_code == 0, result.output
        [link] = [line.strip() for line in result.output.splitlines() if "/oauth/amo?begin=" in line]
        assert link.startswith("http://127.0.0.1:8080/oauth/amo?begin=")
        assert "no consent has been given yet" in result.output and "then run: hub connect amo" in result.output
        found = json.loads(CliRunner().invoke(main, [*options, "--json"]).output)
        assert [one["level"] for one in found] == ["warning", "note"]
        assert link not in found[1]["remedy"], "each call prints another link"
