"""The recipes that `hub init` copies load without a remark, with the bundled plugins."""

from __future__ import annotations

import re

import pytest

from hub import recipes
from hub.config import load
from hub.plugins import Plugins

#: variables that take no random text
SHAPED = {
    "B24_WEBHOOK_URL": "https://example.bitrix24.ua/rest/1/0123456789abcdef/",
    "AMO_URL": "https://company.amocrm.ru",
    "CT_SITE": "52001",
    "UNI_FROM": "hello@quests.example",
}


@pytest.fixture(scope="module")
def plugins():
    found = Plugins.discover(environ={})
    yield found
    found.close()


def test_there_are_recipes():
    assert recipes.names() == ["beauty", "dog_forms", "quest_rooms"]
    with pytest.raises(KeyError):
        recipes.files("../beauty")


@pytest.mark.parametrize("name", recipes.names())
def test_recipe_loads_as_copied(name, plugins, tmp_path):
    files = recipes.files(name)
    for file, text in files.items():
        (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / file).write_text(text, encoding="utf-8")
    empty = files[".env.example"]
    assert any(f"{url}=\n" in empty for url in SHAPED), "an example left in its place would pass for the real one"
    known = re.sub(r"^(\w+)=$", lambda line: f"{line[1]}={SHAPED.get(line[1], '')}", empty, flags=re.M)
    filled = re.sub(r"^(\w+)=$", r"\1=01234567890123456789", known, flags=re.M)
    (tmp_path / ".env").write_text(filled)
    config = load(tmp_path / "hub.yaml", plugins, {})
    assert [str(one) for one in config.notes] == []
    assert all(route.off is None for route in config.routes)
    assert len(config.routes) == {"beauty": 5, "dog_forms": 3, "quest_rooms": 9}[name]
    assert set(re.findall(r"^(\w+)=", filled, flags=re.M)) == set(re.findall(r"\$\{(\w+)\}", files["hub.yaml"]))
