"""The lines of the companies' recipes that speak of Unisender, word for word, and what `hub check` says of slips."""

from __future__ import annotations

import inspect
import re
from pathlib import Path

import pytest

from hub.config import load
from hub.config.load import Config
from hub.errors import ConfigError
from hub.plugins import Plugins
from plugins.unisender.connector import Classic, Go

HEAD = """
hub: {timezone: Europe/Moscow, region: RU}
connections:
  crm:
    plugin: bitrix24
    webhook_url: "${B24_WEBHOOK_URL}"
    application_token: "${B24_APP_TOKEN}"
    names: {fields: {bounced: UF_CRM_1, unsubscribed: UF_CRM_2}, stages: {played: "C5:WON", invited: "C3:I", form_opened: "C3:O"}}
  letters: {plugin: unisender, product: classic, api_key: "${UNI_KEY}", lists: {guests: "19000001", invited: "19000002"}}
  mail:  {plugin: unisender, product: go, api_key: "${UNI_GO_KEY}", from_email: club@dogclub.example, from_name: Клуб собаководов}
routes:
"""  # noqa: E501
GUESTS = """
  - {name: D5 guests to the mailing list, on: crm.deal.stage_changed, when: {deal.stage: played, contact.email: valid}, do: letters.contact.subscribe, set: {list_ids: guests, double_optin: 3, overwrite: 2, fields: {email: contact.email, Name: contact.first_name}}}
"""  # noqa: E501
MARKS = """
  - {name: D5 bounce or leave is marked, on: [letters.email.bounced, letters.email.unsubscribed], do: crm.contact.upsert, find: person, set: {bounced: {from: event.type, map: {email.bounced: yes, other: leave}}, unsubscribed: {from: event.type, map: {email.unsubscribed: yes, other: leave}}}}
"""  # noqa: E501
OPENED = """
  - name: A5 form opened
    on: mail.email.clicked
    when: {any: [{email.url: {contains: /training-form}}, {form.id: training}]}
    do: crm.deal.set_stage
    find: {stage: [invited], contact: person}
    missing: skip
    stage: form_opened
"""


@pytest.fixture(scope="module")
def plugins():
    found = Plugins.discover(environ={})
    yield found
    found.close()


def read(folder: Path, text: str, plugins: Plugins) -> Config:
    (folder / "hub.yaml").write_text(HEAD + text, "utf-8")
    known = {
        "UNI_KEY": "classic-key",
        "UNI_GO_KEY": "go-key-of-the-club",
        "B24_WEBHOOK_URL": "https://portal.bitrix24.ru/rest/1/0123456789abcdef/",
        "B24_APP_TOKEN": "token-of-the-portal",
    }
    return load(folder / "hub.yaml", plugins, known)


@pytest.mark.parametrize("text", [GUESTS, MARKS, OPENED], ids=["guests", "marks", "opened"])
def test_a_recipes_route_loads(tmp_path: Path, plugins: Plugins, text: str) -> None:
    config = read(tmp_path, text, plugins)
    assert [str(note) for note in config.notes] == []
    assert [route.off for route in config.routes if route.off] == []
    assert (config.connections["letters"].connector, config.connections["mail"].connector) == (Classic, Go)


@pytest.mark.parametrize(
    ("route", "said"),
    [
        (
            "on: letters.email.bounced, do: mail.contact.subscribe, set: {email: contact.email}",
            'no action "contact.subscribe"',
        ),
        (
            "on: letters.email.bounced, do: letters.email.validate, set: {email: contact.email}",
            'no action "email.validate"',
        ),
        ("on: mail.email.refused, do: letters.tag.list", 'no event "email.refused"'),
        ("on: mail.email.clicked, do: letters.contact.subscribe, set: {list_ids: guests}", "needs double_optin"),
        (
            "on: mail.email.clicked, do: letters.contact.exclude, set: {email: contact.email, list_id: guests}",
            'no field "list_id"',
        ),
        (
            "on: mail.email.clicked, do: mail.email.send, set: {email: contact.email, subjct: x}",
            'Did you mean "subject"?',
        ),
    ],
)
def test_slips_are_found_before_anything_runs(tmp_path: Path, plugins: Plugins, route: str, said: str) -> None:
    with pytest.raises(ConfigError) as caught:
        read(tmp_path, f"  - {{name: slip, {route}}}\n", plugins)
    assert said in str(caught.value)


README = Path(inspect.getfile(Classic)).parent / "README.md"


@pytest.mark.parametrize(("heading", "product"), [("### Classic\n\n| action |", Classic), ("### Go\n\n| action |", Go)])
def test_the_readme_lists_every_action(heading: str, product: type[Classic] | type[Go]) -> None:
    text = README.read_text("utf-8").partition("## What it does")[2].split(heading, 1)[1].split("\n\n", 1)[0]
    names = {name for row in text.splitlines() for name in re.findall(r"`([a-z_.]+)`", row.split("|")[1])}
    assert names == {kind.name for kind in product.actions}


def test_the_readme_lists_every_event() -> None:
    text = README.read_text("utf-8").split("| event | when |", 1)[1].split("\n\n", 1)[0]
    names = {row.split("`")[1] for row in text.splitlines()[2:]}
    assert names == {kind.name for kind in (*Classic.events, *Go.events)}


def test_the_readme_lists_every_setting() -> None:
    text = README.read_text("utf-8").split("| setting | meaning |", 1)[1].split("\n\n", 1)[0]
    names = {name for row in text.splitlines()[2:] for name in re.findall(r"`([a-z_]+)`", row.split("|")[1])}
    assert names == set(Classic.Settings().fields)
