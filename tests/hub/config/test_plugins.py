"""Finding plugins: one that can't be used is named and stops nobody else."""

from __future__ import annotations

import subprocess
import sys

import marshmallow as ma
import pytest

from hub.connector import EventKind
from hub.plugins import Plugins
from tests.hub.config.fakes import Bitrix, Form, connector, problems, read

GOOD = """
from hub.connector import Connector
from hub.hookspecs import hookimpl
class Mine(Connector):
    name = "NAME"
@hookimpl
def hub_connectors():
    return [Mine]
"""


@pytest.fixture
def found(tmp_path):
    made = []

    def find(environ=None, **files):
        for name, text in files.items():
            path = tmp_path / (f"{name}.py" if not name.startswith("pack_") else f"{name}/__init__.py")
            path.parent.mkdir(exist_ok=True)
            path.write_text(text)
        plugins = Plugins.discover(tmp_path, environ or {})
        made.append(plugins)
        return plugins

    yield find
    for plugins in made:
        plugins.close()


def errors(plugins):
    return {one.name: one.error for one in plugins.broken}


def test_files_and_packages(found):
    plugins = found(one=GOOD.replace("NAME", "mine"), pack_two=GOOD.replace("NAME", "yours"))
    assert {"mine", "yours"} <= set(plugins.connectors)
    assert errors(plugins) == {}
    assert plugins.owner("mine") == "one"


def test_bundled_plugins_come_through_the_same_door(found):
    plugins = found()
    assert {"bitrix24", "form", "novaposhta", "standard"} <= set(plugins.connectors)
    assert errors(plugins) == {}


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("import nowhere_at_all", "ModuleNotFoundError: No module named 'nowhere_at_all'"),
        ("def f(:", "SyntaxError"),
        ("raise SystemExit(3)", "SystemExit: 3"),
        (
            GOOD.replace("NAME", "mine").replace("hub_connectors", "hub_conectors"),
            'no hook "hub_conectors". Did you mean "hub_connectors"?',
        ),
        (GOOD.replace("NAME", "mine").replace("hub_connectors()", "hub_connectors(more)"), "PluginValidationError"),
        (GOOD.replace("NAME", "mine") + "Mine.api_version = 7", "mine is written for api version 7, this hub has 1"),
        (
            GOOD.replace("NAME", "Not A Name"),
            'the connector name "Not A Name" must be lower-case letters, digits and _',
        ),
        (GOOD.replace("NAME", "form"), 'the connector "form" is brought by plugin form already'),
        (GOOD.replace("[Mine]", "[3]"), "hub_connectors must return Connector classes, not 3"),
        (GOOD.replace("return [Mine]", "return 1 / 0"), "ZeroDivisionError: division by zero"),
        (
            "from hub.hookspecs import hookimpl\n@hookimpl\ndef hub_transforms():\n    return {'shout': len}",
            'the transform "shout" is brought by another plugin already',
        ),
    ],
)
def test_a_broken_plugin_is_named_and_stops_nobody(found, text, error):
    shout = "from hub.hookspecs import hookimpl\n@hookimpl\ndef hub_transforms():\n    return {'shout': str.upper}"
    plugins = found(a_shout=shout, bad=text, good=GOOD.replace("NAME", "good"))
    assert list(errors(plugins)) == ["bad"]
    assert error in errors(plugins)["bad"]
    assert str(plugins.broken[0]).startswith("plugin bad: ")
    assert {"good", "form"} <= set(plugins.connectors)
    assert plugins.transforms["shout"]("a") == "A"
    assert "mine" not in plugins.connectors


def test_switched_off(found):
    plugins = found({"HUB_PLUGINS_OFF": "one, form"}, one=GOOD.replace("NAME", "mine"))
    assert "mine" not in plugins.connectors
    assert "form" not in plugins.connectors
    assert sorted(plugins.off) == ["form", "one"]


def test_a_bundled_plugin_is_imported_when_it_is_asked_for():
    script = (
        "import sys\nfrom hub.plugins import Plugins\nfound = Plugins.discover()\n"
        "loaded = lambda: sorted(m for m in sys.modules if m.startswith('plugins.') and m.count('.') == 1)\n"
        "assert loaded() == [], loaded()\nassert found.connectors['form'].name == 'form'\n"
        "assert loaded() == ['plugins.form'], loaded()\nassert 'http' in found.connectors\n"
        "assert 'no_such' not in found.connectors and len(found.connectors) > 8\n"
    )
    subprocess.run([sys.executable, "-c", script], check=True, timeout=60)


def test_no_such_folder(tmp_path):
    plugins = Plugins.discover(tmp_path / "none", {})
    assert plugins.broken[0].error == "plugins_dir is not a folder"


def test_close_forgets(found):
    plugins = found(one=GOOD.replace("NAME", "mine"))
    assert "hub_plugin_one" in sys.modules
    plugins.close()
    assert "hub_plugin_one" not in sys.modules
    assert plugins.connectors == {}


def test_of():
    other = connector("other")
    plugins = Plugins.of(Form, other, transforms={"shout": str.upper})
    assert plugins.connectors == {"form": Form, "other": other}
    assert plugins.transforms["shout"]("a") == "A"


class Two(Form):
    """A vendor with two products under one name."""

    name = "two"
    Settings = ma.Schema.from_dict({"product": ma.fields.String(required=True)}, name="TwoSettings")

    @classmethod
    def variant(cls, settings):
        return {"calls": Calls, "": cls}[settings.get("product", "")]


class Calls(Two):
    """One of them."""

    events = (EventKind("call.missed", "call"),)


PRODUCT = """
connections: {{one: {{plugin: two{product}}}, crm: {{plugin: bitrix24, application_token: t}}}}
routes: [{{name: one, on: one.{event}, do: crm.lead.upsert, set: {{TITLE: a}}}}]
"""


@pytest.mark.parametrize(
    ("product", "event", "said"),
    [
        (", product: calls", "call.missed", []),
        (", product: calls", "form.submitted", ['no event "form.submitted"']),
        (", product: other", "form.submitted", ["plugin two failed while reading the settings: KeyError"]),
        ("", "form.submitted", ["product: is missing"]),
    ],
)
def test_settings_choose_the_events_of_one_product(tmp_path, product, event, said):
    found = problems(tmp_path, PRODUCT.format(product=product, event=event), Plugins.of(Two, Bitrix))
    assert len(found) == len(said), found
    assert all(words in one for words, one in zip(said, found, strict=True)), found


def test_the_chosen_class_is_the_one_that_runs(tmp_path):
    config = read(tmp_path, PRODUCT.format(product=", product: calls", event="call.missed"), Plugins.of(Two, Bitrix))
    one = config.connections["one"]
    assert (one.connector, one.plugin) == (Calls, "two")
