"""docs/quality.md tells every rule, in its tier, with its words, its reason and what is seen."""

from __future__ import annotations

import re

import pytest

from hub.quality import RULES, Tier
from tests.docs.pages import ROOT, headings, section

PAGE = ROOT / "docs" / "quality.md"


def test_each_rule_stands_in_its_tier() -> None:
    told: dict[str, list[str]] = {}
    for level, text in headings(PAGE):
        if level == 2:
            told[text] = inside = []
        elif level == 3:
            inside.append(text)
    for tier in list(Tier)[1:]:
        rules = [name for name, rule in RULES.items() if rule.tier == tier]
        assert told[tier.name.capitalize()] == rules


@pytest.mark.parametrize("name", RULES)
def test_a_rule_is_told_with_words_reason_and_proof(name: str) -> None:
    text = section(PAGE, name)
    words, _, rest = text.strip().partition("\n\n")
    assert words == f"> {RULES[name].words}"
    assert rest[:1].isupper() and not rest.startswith("**"), "the reason comes first"
    reason = " ".join(rest.split()).lower()
    assert reason.startswith(RULES[name].why.lower()), f"hub/quality/rules.py gives another reason: {RULES[name].why}"
    assert re.search(r"^\*\*Seen\*\*: .{20,}", rest, re.M)
    assert re.search(r"^\*\*Exceptions\*\*: .{4,}", rest, re.M)


def test_the_tiers_are_explained() -> None:
    for tier in list(Tier)[1:]:
        assert re.search(rf"^\| {tier.name} \| .{{20,}} \|$", PAGE.read_text("utf-8"), re.M)
