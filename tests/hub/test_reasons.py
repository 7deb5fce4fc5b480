"""Every reason the hub gives has words, and every alert says what to do (P10)."""

from __future__ import annotations

import ast
import re
import string
from collections.abc import Iterator
from pathlib import Path

import pytest

import hub
from hub import errors
from hub.reasons import REMEDIES, TEXTS, remedy, say, say_stored, stored

ROOT = Path(hub.__file__).parent.parent
SOURCES = [*(ROOT / "hub").rglob("*.py"), *(ROOT / "plugins").rglob("*.py")]
#: functions that take a reason's code, and where it stands among their arguments
SPEAKERS = {"stored": 0, "Skip": 0, "finished": 2}
ENGLISH = TEXTS["en"]


def _constants(node: ast.expr) -> Iterator[str]:
    """Yield the text constants that an expression may be."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        yield node.value
    elif isinstance(node, ast.IfExp):
        yield from _constants(node.body)
        yield from _constants(node.orelse)


def _calls() -> Iterator[tuple[str, ast.Call, str]]:
    for path in SOURCES:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call):
                called = node.func
                name = called.attr if isinstance(called, ast.Attribute) else getattr(called, "id", "")
                yield name, node, f"{path.relative_to(ROOT)}:{node.lineno}"


CALLS = list(_calls())
CODES = {
    (code, where)
    for name, call, where in CALLS
    if name in SPEAKERS and len(call.args) > SPEAKERS[name]
    for code in _constants(call.args[SPEAKERS[name]])
    if code
}
ALERTS = {
    (kind, where)
    for name, call, where in CALLS
    if name == "open_alert" and len(call.args) > 2
    for kind in _constants(call.args[2])
}


def test_the_search_for_codes_finds_them() -> None:
    assert len(CODES) > 30 and len(ALERTS) >= 8


@pytest.mark.parametrize(("code", "where"), sorted(CODES))
def test_every_code_given_anywhere_has_words(code: str, where: str) -> None:
    assert code in ENGLISH, f"{where} gives the reason {code!r}, which hub.reasons has no words for"


@pytest.mark.parametrize(("kind", "where"), sorted(ALERTS))
def test_every_alert_raised_has_words_and_a_remedy(kind: str, where: str) -> None:
    assert kind in ENGLISH and kind in REMEDIES, f"{where} raises {kind!r}"


@pytest.mark.parametrize("kind", sorted(code for code in ENGLISH if code.startswith("alert_")))
def test_every_alert_with_words_says_what_to_do(kind: str) -> None:
    assert REMEDIES.get(kind)


@pytest.mark.parametrize("kind", ["retry", "limit", "hold", "refused", "lost", "settle", "uncertain"])
def test_every_kind_of_outcome_a_hint_or_poll_may_have_has_words(kind: str) -> None:
    # hub.recorder keeps stored(kind): these words stand in `hub check` and on the connection's page
    assert kind in ENGLISH


@pytest.mark.parametrize(
    "error", [one for one in vars(errors).values() if isinstance(one, type) and issubclass(one, errors.HubError)]
)
def test_every_error_names_a_code(error: type[errors.HubError]) -> None:
    assert re.fullmatch(r"[a-z_]+", error.code)


def test_no_code_is_explained_twice() -> None:
    tree = ast.parse((ROOT / "hub" / "reasons.py").read_text())
    for node in ast.walk(tree):
        if isinstance(node, ast.Dict):
            keys = [key.value for key in node.keys if isinstance(key, ast.Constant)]
            assert len(keys) == len(set(keys)), sorted(key for key in keys if keys.count(key) > 1)


@pytest.mark.parametrize("code", sorted(ENGLISH))
def test_words_stand_without_their_parameters_too(code: str) -> None:
    assert say(code)
    for language in TEXTS:
        fields = {name for _, name, _, _ in string.Formatter().parse(TEXTS[language].get(code, "")) if name}
        assert fields == {name for _, name, _, _ in string.Formatter().parse(ENGLISH[code]) if name}


@pytest.mark.parametrize("kind", sorted(REMEDIES))
def test_a_remedy_stands_with_and_without_its_parameters(kind: str) -> None:
    assert "{" not in remedy(kind, {"connection": "crm"}).replace("{unrouted", "").replace("{keep", "")
    assert remedy(kind, {})


def test_an_unknown_code_reads_as_itself() -> None:
    assert say("made_up", {"a": 1}) == "made_up {'a': 1}"
    assert say("made_up") == "made_up"
    assert remedy("made_up", {}) == ""


def test_a_stored_reason_reads_in_words_and_none_reads_as_nothing() -> None:
    assert say_stored(stored("stage_same", stage="won")) == "already in stage won"
    assert say_stored(stored("stage_same", stage="won"), "xx") == "already in stage won"
    assert say_stored(None) == say_stored({}) == ""


@pytest.mark.parametrize("odd", ["{", "{0}", "{why.__class__}", "%s", "}{"])
def test_a_vendors_words_are_quoted_never_interpreted(odd: str) -> None:
    assert say("retry", {"why": odd}) == odd


def test_a_parameter_of_the_wrong_kind_does_not_hide_the_reason() -> None:
    assert "exhausted" in say("exhausted", {"hours": "many", "why": "HTTP 502"})


def test_of_several_remedies_the_one_the_error_names() -> None:
    assert "credentials" in remedy("alert_auth", {"connection": "crm"})
    assert "credentials" in remedy("alert_auth", {"connection": "crm", "remedy": "unheard of"})
    assert "support" in remedy("alert_auth", {"connection": "crm", "remedy": "support"})
    assert remedy("alert_auth", {"connection": "crm", "remedy": "right"}).endswith("hub resume crm")
    assert remedy("alert_found", {"remedy": "right"}) == "right"  # there the words themselves stand in the parameters
