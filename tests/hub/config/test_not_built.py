"""What is planned and not built yet: said, kept off, and no problem."""

from __future__ import annotations

import pytest

from hub.errors import ConfigError
from hub.plugins import Plugins
from tests.hub.config.fakes import HEAD, Bitrix, Form, Insta, Nova, connector, problems, read, route


def test_a_plugin_that_is_planned_is_not_built_yet_and_keeps_its_routes_off(tmp_path):
    text = HEAD + (
        "  chat: {plugin: whatsapp, phone: x}\n"
        "routes:\n"
        "  - {name: in, on: chat.message.received, do: crm.comment.create, set: {COMMENT: message.text}}\n"
        "  - {name: out, on: site.form.submitted, do: chat.message.send, set: {to: contact.phone}}\n"
        "  - {name: any, on: '*.message.received', do: crm.comment.create, set: {COMMENT: x}}\n"
    )
    config = read(tmp_path, text)
    assert "chat" not in config.connections
    assert {route.name: route.off for route in config.routes} == {
        "in": "uses plugin whatsapp, not built yet", "out": "uses plugin whatsapp, not built yet", "any": None
    }  # fmt: skip
    assert problems(tmp_path, text)[0] == (
        "hub.yaml:12 connections.chat.plugin: not built yet: plugin whatsapp; "
        "the routes that use this connection stay off"
    )


def test_a_plugin_that_is_planned_and_misspelt_is_guessed(tmp_path):
    [one] = problems(tmp_path, HEAD + "  chat: {plugin: whatsap}\n")
    assert one.endswith('Did you mean "whatsapp"? It is not built yet.')


def test_a_planned_plugin_that_somebody_has_brought_is_just_used(tmp_path):
    whatsapp = connector("whatsapp", "message.received")
    config = read(tmp_path, HEAD + "  chat: {plugin: whatsapp}\n", Plugins.of(Bitrix, Nova, Form, Insta, whatsapp))
    assert config.connections["chat"].connector is whatsapp


@pytest.mark.parametrize("later", ["for: 3h", "steps:\n  - {wait: 1d}\n  - {do: crm.coment.create}", "send: ready"])
def test_what_stands_in_a_route_that_is_off_is_no_problem(tmp_path, later):
    body = f"on: site.form.submitted\nwhen: {{frm.phone: valid}}\n{later}\n"
    body += "" if later.startswith("s") else "do: crm.comment.create\nset: {COMMENT: frm.phone}"
    config = read(tmp_path, route(body))
    assert config.routes[0].off
    assert any("warning:" in one and "frm.phone" in one for one in problems(tmp_path, route(body))), "but it is told"


def test_a_route_that_is_off_needs_its_name_all_the_same(tmp_path):
    with pytest.raises(ConfigError):
        read(tmp_path, HEAD + "routes:\n  - {on: site.form.submitted, for: 3h, do: crm.comment.create}\n")
