"""`hub check`: problems, notes, sentences, and what the vendors say."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from hub.cli.check import hook_url
from hub.config import load
from hub.connector import Connector
from hub.errors import AuthFailed
from hub.handwork import pause
from hub.model import Finding
from hub.plugins import Plugins
from hub.reasons import stored
from hub.store import state
from tests.hub.cli.conftest import YAML, Hub
from tests.hub.fakes import PLUGINS, Box, Sink, Source


def test_a_good_file_is_one_line(hub: Hub) -> None:
    assert hub("check").stdout.endswith("hub.yaml: 2 connections, 2 routes. Fine.\n")


def test_show_reads_the_routes_out(hub: Hub) -> None:
    told = hub("check", "--show").stdout
    assert "✓ form becomes a lead" in told
    assert "When site.form.submitted, if contact.phone is valid: crm.lead.upsert with TITLE, CITY." in told


def test_a_route_that_is_off_says_why(hub: Hub) -> None:
    hub.write(YAML + "  - {name: later, on: site.form.submitted, for: 3h, do: crm.lead.create}\n")
    told = hub("check", "--show").stdout
    assert "– later" in told and "Off:" in told and "3 routes (1 off)" in told
    [later] = [route for route in hub.json("check")["routes"] if route["name"] == "later"]
    assert later["off"]


def test_addresses_to_paste_hide_the_secret_from_a_pipe(hub: Hub) -> None:
    told = hub("check", "--show").stdout
    assert "site: https://hub.example.com/in/site/***" in told
    assert "letmein" not in told
    shown = hub.json("check")["connections"]
    assert shown[0]["hook"] == "https://hub.example.com/in/site/***"
    assert "letmein" not in str(shown) and "s3cret-of-crm" not in str(shown)


@pytest.mark.parametrize(
    ("plugin", "settings", "word"),
    [
        ("form", "secret: the-word-of-the-form", "the-word-of-the-form"),
        (
            "amocrm",
            "base_url: https://a.amocrm.ru, token: t, hook_secret: the-word-of-the-hooks",
            "the-word-of-the-hooks",
        ),
        ("amocrm", "base_url: https://a.amocrm.ru, token: t", ""),
        ("standard", "auth: url, secrets: [the-word-in-the-url]", "the-word-in-the-url"),
        ("standard", "auth: header, header: x-key, secrets: [the-word-in-a-header]", ""),
        (
            "novaposhta",
            "api_key: kkkkkkkk, push: {kind: custom, secret: the-word-of-the-relay}",
            "the-word-of-the-relay",
        ),
        ("novaposhta", "api_key: kkkkkkkk, push: {kind: aftership, secret: the-key-of-the-relay}", ""),
    ],
)
def test_the_word_in_the_address_is_what_the_connector_says(
    tmp_path: Path, plugin: str, settings: str, word: str
) -> None:
    """A person pastes the address at the vendor: with its word where the screen is his own, hidden elsewhere."""
    (tmp_path / "hub.yaml").write_text(f"connections:\n  door: {{plugin: {plugin}, {settings}}}\nroutes: []\n")
    config = load(tmp_path / "hub.yaml", Plugins.discover(None, {}), {})
    one = config.connections["door"]
    base = "http://127.0.0.1:8080/in/door"
    assert hook_url(config, one, secret=True) == (f"{base}/{word}" if word else base)
    assert hook_url(config, one, secret=False) == (f"{base}/***" if word else base)


def test_problems_come_all_at_once_and_as_json(hub: Hub) -> None:
    hub.write("connections: {crm: {plugin: sinc}}\nroutes: [{name: a, on: nope.deal.updated, do: crm.x.y}]\n")
    told = hub("check", code=2).stderr
    assert "can't be used: " in told and "problem" in told
    found = hub.json("check", code=2)
    assert found["ok"] is False
    assert {"file", "line", "path", "text", "level"} <= found["problems"][0].keys()


def test_a_secret_in_the_file_itself_is_told(hub: Hub) -> None:
    hub.write(YAML.replace('"${CRM_SECRET}"', "s3cret-of-crm"))
    told = hub("check").stdout
    assert "hub.yaml:5 connections.crm.secret: warning: this secret stands in the file itself." in told
    assert 'Put CRM_SECRET=... into .env beside it, and "${CRM_SECRET}" here' in told
    assert "1 note. Fine." in told and "s3cret-of-crm" not in told


def test_live_asks_every_vendor(hub: Hub, plugins: Callable[..., None], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Source, "check", lambda self: [Finding("warning", "the key is short", "make a longer one")])

    def gone(self: Connector) -> list[Finding]:
        raise AuthFailed("the token is revoked")

    monkeypatch.setattr(Sink, "check", gone)
    told = hub("check", "--live", code=1).stdout
    assert "warning the key is short. make a longer one" in told
    assert "problem the token is revoked. renew the credentials" in told
    assert "1 problem at the vendors" in told
    found = hub.json("check", "--live", code=1)
    assert [one["findings"][0]["level"] for one in found["connections"]] == ["warning", "problem"]


def test_a_plugin_that_fails_in_its_check_hides_no_other(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Source, "check", lambda self: [Finding("ok", "all is well")])
    monkeypatch.setattr(Sink, "check", lambda self: 1 / 0)
    told = hub("check", "--live", code=1).stdout
    assert "ok all is well" in told and "the check itself failed: ZeroDivisionError" in told


def test_missing_consent_is_a_problem(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Sink, "authorize_url", lambda self, state, redirect: "https://vendor.example/consent")
    told = hub("check", "--live", code=1).stdout
    assert "no consent has been given yet. hub connect crm prints the link" in told


def test_a_hold_is_told_and_lifted_when_the_check_is_good(
    hub: Hub, box: Box, monkeypatch: pytest.MonkeyPatch
) -> None:  # fmt: skip
    with box.store.write() as db:
        state.set_health(db, "crm", held=stored("auth_failed", why="401"), probe_at=db.now + 600)
        state.open_alert(db, "auth:crm", "alert_auth", "crm", {"connection": "crm", "why": "401"})
    monkeypatch.setattr(Sink, "check", lambda self: [Finding("problem", "the token is revoked")])
    assert "its calls are held" in hub("check", "--live", code=1).stdout
    monkeypatch.setattr(Sink, "check", lambda self: [Finding("ok", "the token works")])
    assert "it was held for its credentials; they are good, so it goes on" in hub("check", "--live").stdout
    with box.store.read() as db:
        assert state.healths(db)["crm"].held is None
    assert box.alerts() == []


def test_new_credentials_that_the_running_hub_has_not_read_lift_nothing(
    hub: Hub, box: Box, monkeypatch: pytest.MonkeyPatch
) -> None:  # fmt: skip
    with box.store.write() as db:
        state.set_health(db, "crm", held=stored("auth_failed", why="401"), settings="others", probe_at=db.now + 600)
    monkeypatch.setattr(Sink, "check", lambda self: [Finding("ok", "the token works")])
    told = " ".join(hub("check", "--live").stdout.split())
    assert "a hub that runs still has the ones it was started with. restart the hub" in told
    with box.store.read() as db:
        assert state.healths(db)["crm"].held is not None


def test_a_pause_is_told_and_stays(hub: Hub, box: Box) -> None:
    with box.store.write() as db:
        pause(db, "crm")
    assert "warning it is paused. hub resume crm" in hub("check", "--live").stdout
    with box.store.read() as db:
        assert state.healths(db)["crm"].paused


def test_plugins_that_could_not_be_loaded_are_named(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    from hub.plugins import BrokenPlugin, Plugins

    found = Plugins.of(*PLUGINS)
    found.broken.append(BrokenPlugin("viber", "ImportError: no module"))
    monkeypatch.setattr(Plugins, "discover", lambda *args, **kwargs: found)
    assert "warning: plugin viber: ImportError: no module" in hub("check").stdout
    assert hub.json("check")["plugins_broken"] == ["plugin viber: ImportError: no module"]
