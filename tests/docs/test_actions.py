"""The tables of actions in the plugins' READMEs say what the connectors declare: each action, each of its values."""

from __future__ import annotations

import re

import pytest

from hub.plugins import Plugins
from tests.docs.pages import ROOT

CONNECTORS = Plugins.discover().connectors


def table(name: str) -> dict[str, str]:
    """Return the rows of a README's table of actions: action -> the cell with its values."""
    rows: dict[str, str] = {}
    inside = False
    for line in (ROOT / "plugins" / name / "README.md").read_text().splitlines():
        if inside and not line.startswith("|"):
            break  # the whole list is the first of such tables; others tell more of some
        inside = inside or line.startswith("| action | values |")
        if inside and (row := re.match(r"\| `([a-z_.]+)` \| (.*?) \| ", line)):
            assert row[1] not in rows, f"{row[1]} stands twice"
            rows[row[1]] = row[2]
    return rows


@pytest.mark.parametrize("name", ["bitrix24", "novaposhta"])
def test_the_table_of_actions_is_the_declaration(name: str) -> None:
    told, declared = table(name), {kind.name: kind for kind in CONNECTORS[name].actions}
    assert list(told) == list(declared)
    for action, cell in told.items():
        kind = declared[action]
        assert set(re.findall(r"\*\*`(\w+)`\*\*", cell)) == set(kind.required), action
        if kind.fields is not None:
            assert set(re.findall(r"`(\w+)`", cell)) == {*kind.required, *kind.fields}, action
