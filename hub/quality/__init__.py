"""The scale of plugins: what each claims in its quality.yaml, and what a machine finds when it looks.

quality.yaml answers every rule: `done`, `{done: words}`, `{todo: what is missing}` or `{exempt: why it can't apply}`.
A claim that can be tried is tried (`hub.quality.proofs`); one that doesn't hold is `disproven` and counts for nothing.
The tier is the highest whose rules, and those of all tiers below, are done or exempt.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from hub.config.problems import guess
from hub.connector import Connector
from hub.quality.evidence import Evidence, evidence_of
from hub.quality.proofs import HEADINGS
from hub.quality.rules import RULES, Rule, Tier

FILE = "quality.yaml"
DONE, TODO, EXEMPT, UNANSWERED, DISPROVEN = "done", "todo", "exempt", "unanswered", "disproven"
#: what is said where something could be done and isn't
_EXCUSE = re.compile(r"\b(not (yet|needed|necessary|implemented|built)|no time|later|unnecessary|to ?do)\b", re.I)
#: a reason shorter than this says nothing
_SHORTEST = 10


@dataclass(frozen=True)
class Answer:
    """What a plugin says to one rule and what came of trying it.

    state: done, todo, exempt, unanswered or disproven. words: the plugin's own. found: what speaks against the claim.
    seen: whether anything could be tried; a claim that can't be is taken at its word.
    """

    rule: Rule
    state: str
    words: str = ""
    found: tuple[str, ...] = ()
    seen: bool = True

    @property
    def counts(self) -> bool:
        """Whether the rule is fulfilled, as far as the tier goes."""
        return self.state in (DONE, EXEMPT)


@dataclass(frozen=True)
class Report:
    """All answers of a plugin. `problems` are what is wrong with quality.yaml itself."""

    plugin: str
    answers: Mapping[str, Answer]
    problems: tuple[str, ...] = ()

    @property
    def tier(self) -> Tier:
        """The tier reached."""
        reached = Tier.none
        for tier in list(Tier)[1:]:
            if any(not one.counts for one in self.answers.values() if one.rule.tier == tier):
                break
            reached = tier
        return reached

    @property
    def missing(self) -> list[Answer]:
        """What is missing for the next tier; empty at the top."""
        return [one for one in self.answers.values() if one.rule.tier == self.tier + 1 and not one.counts]

    @property
    def disproven(self) -> list[Answer]:
        """The claims that don't hold."""
        return [one for one in self.answers.values() if one.state == DISPROVEN]

    @property
    def unanswered(self) -> list[Answer]:
        """The rules that quality.yaml leaves out."""
        return [one for one in self.answers.values() if one.state == UNANSWERED]


def judge(it: Evidence) -> Report:
    """Return how far a plugin is."""
    listed, problems = _read(it.folder / FILE)
    answers = {name: _answer(rule, listed.get(name), it) for name, rule in RULES.items()}
    for name in listed:
        if name not in RULES:
            problems.append(f'{FILE}: there is no rule "{name}".{guess(name, RULES)}')
    for name, given in listed.items():
        problems += [f"{FILE}: {name}: {wrong}" for wrong in _malformed(given)]
    return Report(it.name, answers, tuple(problems))


def judge_connector(connector: type[Connector], tests: Path | None = None) -> Report:
    """Return how far the plugin is that brings a connector; `tests` is where its tests are if not at their place."""
    return judge(evidence_of(connector, tests))


def to_paste(answers: Sequence[Answer]) -> str:
    """Return lines for quality.yaml that answer these rules, as far as a machine can tell."""
    return "\n".join(
        f"{one.rule.name}: " + (f'{{todo: "{"; ".join(one.found)}"}}'.replace("\n", " ") if one.found else DONE)
        for one in answers
    )


def _read(path: Path) -> tuple[dict[str, Any], list[str]]:
    if not path.is_file():
        return {}, [f"there is no {FILE} in {path.parent.name}"]
    try:
        listed = yaml.safe_load(path.read_text("utf-8"))
    except yaml.YAMLError as error:
        return {}, [f"{FILE} is no YAML: {error}"]
    if not isinstance(listed, dict):
        return {}, [f"{FILE} must be a list of `rule: answer`"]
    return listed, []


def _malformed(given: Any) -> list[str]:
    if given == DONE:
        return []
    if not isinstance(given, dict) or len(given) != 1 or next(iter(given)) not in (DONE, TODO, EXEMPT):
        return ["write done, {done: words}, {todo: what is missing} or {exempt: why it can't apply}"]
    return [] if len(str(next(iter(given.values())))) > _SHORTEST else ["say why, in a sentence"]


def _answer(rule: Rule, given: Any, it: Evidence) -> Answer:
    found = rule.proof(it)
    against = tuple(found or ())
    if given is None:
        return Answer(rule, UNANSWERED, found=against, seen=found is not None)
    if _malformed(given):
        return Answer(rule, DISPROVEN, str(given), ("the answer can't be read",))
    state, words = (DONE, "") if given == DONE else next((key, str(value)) for key, value in given.items())
    if state == TODO:
        return Answer(rule, TODO, words, against, found is not None)
    if state == EXEMPT:
        if concerned := rule.concerns(it):
            return Answer(rule, DISPROVEN, words, (f"it applies: {concerned}",))
        if _EXCUSE.search(words):
            return Answer(rule, DISPROVEN, words, ("that is no reason why it can't apply; say todo",))
        return Answer(rule, EXEMPT, words)
    if rule.name == "live" and not words:
        return Answer(rule, DISPROVEN, "", ("say when and with which account: {done: ...}",))
    return Answer(rule, DISPROVEN if against else DONE, words, against, found is not None)


__all__ = ["HEADINGS", "RULES", "Answer", "Evidence", "Report", "Rule", "Tier", "evidence_of", "judge",
           "judge_connector", "to_paste"]  # fmt: skip
