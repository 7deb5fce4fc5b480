"""Every ```yaml block of the README, docs/admin.md and the plugins' READMEs loads, without a problem or a warning.

The convention. A block is a fragment of a `hub.yaml` whose connections are those of the beauty recipe, completed by
what the block leaves out. What a fragment is shows in its form:

* it has a section (`hub`, `connections`, `routes`, ...): a whole file, or sections of one;
* its first lines are indented: the inside of `connections`, or of the one connection the page is about;
* a list of `name:` entries: routes; a list of others: steps of a route;
* a mapping with `do` or `set`: a route without its name and trigger;
* a mapping whose values have a `plugin`: connections;
* any other mapping: settings of a connection of the plugin whose README it stands in.

Variables get a value that fits. `<!-- not loaded: why -->` above a block leaves it out, for YAML that is no `hub.yaml`.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from hub import recipes
from hub.config import load
from hub.config.load import SECTIONS
from hub.config.problems import Log
from hub.config.reader import read
from hub.plugins import Plugins
from tests.docs.pages import README, ROOT, VENDORS, Block, blocks

PAGES = [README, ROOT / "docs" / "admin.md", *VENDORS]
BLOCKS = [block for page in PAGES for block in blocks(page, "yaml") if not block.note.startswith("not loaded")]

#: what pages other than the recipe speak of
MORE_FIELDS = {"tracking": "UF_CRM_1730000099"}
STEP_TRIGGER = "crm.deal.stage_changed"
ROUTE_TRIGGER = "site.form.submitted"
VALUES = {"URL": "https://portal.bitrix24.ua/rest/1/0123456789abcdef/", "": "whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIz"}


@pytest.fixture(scope="module")
def plugins():
    found = Plugins.discover(environ={})
    yield found
    found.close()


def test_there_are_examples() -> None:
    assert len([block for block in BLOCKS if block.page.name == "admin.md"]) > 10
    assert {block.page for block in BLOCKS} >= set(VENDORS)


@pytest.mark.parametrize("block", BLOCKS, ids=str)
def test_the_example_loads(block: Block, plugins: Plugins, tmp_path: Path) -> None:
    log = Log()
    read(sections_of(block), "example", log)
    assert [str(one) for one in log.found] == []
    text = yaml.safe_dump(whole(block), allow_unicode=True, sort_keys=False)
    (tmp_path / "hub.yaml").write_text(text, "utf-8")
    config = load(tmp_path / "hub.yaml", plugins, variables(text))
    assert [str(note) for note in config.notes] == []
    assert [route.off for route in config.routes if route.off] == []


# --- what a fragment is ---------------------------------------------------------------------------


def sections_of(block: Block) -> str:
    """Return the fragment's text as a mapping or list of its own: an indented beginning gets its `connections:`."""
    text = block.text
    indented = text[:1] == " "
    if indented and re.search(r"^\S", text, re.M):
        return "connections:\n" + text
    return re.sub(rf"^ {{{len(text) - len(text.lstrip(' '))}}}", "", text, flags=re.M) if indented else text


def whole(block: Block) -> dict[str, Any]:
    """Return the file that a fragment is a part of."""
    said = yaml.load(sections_of(block), yaml.BaseLoader)  # noqa: S506 (every scalar is text, as in hub.yaml)
    base = yaml.load(recipes.files("beauty")["hub.yaml"], yaml.BaseLoader)  # noqa: S506
    base["connections"]["crm"]["names"]["fields"] |= MORE_FIELDS
    file = {"hub": base["hub"], "connections": base["connections"], **as_sections(said, block)}
    if "connections" in file:
        file["connections"] = merged(base["connections"], file["connections"])
    return file


def as_sections(said: Any, block: Block) -> dict[str, Any]:
    """Return a fragment as sections of a file."""
    if isinstance(said, list):
        if all("name" in one for one in said):
            return {"routes": said}
        return {"routes": [{"name": "example", "on": STEP_TRIGGER, "steps": said}]}
    if set(said) & {"do", "set", "steps"}:
        return {"routes": [{"name": "example", "on": ROUTE_TRIGGER, **said}]}
    if all(isinstance(one, dict) and "plugin" in one for one in said.values()):
        return {"connections": said}
    if set(said) <= set(SECTIONS):
        return said
    plugin = block.page.parent.name
    return {"connections": {home_of(plugin): said}}


def home_of(plugin: str) -> str:
    """Return the recipe's connection of a plugin."""
    return {"bitrix24": "crm", "novaposhta": "nova", "form": "site"}[plugin]


def merged(base: dict[str, Any], said: dict[str, Any]) -> dict[str, Any]:
    """Return the recipe's connections with the fragment's: one with a `plugin` is whole, the others are completed.

    A whole one that says no names of its own keeps the recipe's, so that its routes can speak.
    """
    out = dict(base)
    for connection, settings in said.items():
        known = base.get(connection, {})
        if "plugin" not in settings:
            out[connection] = {**known, **settings}
        elif "names" in known and settings["plugin"] == known["plugin"]:
            names = {kind: together(known["names"].get(kind, {}), settings.get("names", {}).get(kind, {}))
                     for kind in ("fields", "stages", "users")}  # fmt: skip
            out[connection] = {**settings, "names": {kind: words for kind, words in names.items() if words}}
        else:
            out[connection] = settings
    return out


def together(known: dict[str, str], said: dict[str, str]) -> dict[str, str]:
    """Return the recipe's words and the fragment's; what the fragment gives another name has that one alone."""
    return {word: code for word, code in known.items() if code not in said.values()} | said


def variables(text: str) -> dict[str, str]:
    """Return a value for each variable of a file."""
    names = re.findall(r"(?<!\$)\$\{(\w+)\}", text)
    return {name: next(value for end, value in VALUES.items() if name.endswith(end)) for name in names}
