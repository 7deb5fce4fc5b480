"""Reads `when`: tests of fields, `any`, `not`, lists."""

from __future__ import annotations

import re
from re import _constants as _codes  # type: ignore[attr-defined]  # the parsed pattern has no public door
from re import _parser  # type: ignore[attr-defined]
from typing import Any

from hub.conditions import (
    COMPARISONS,
    NO,
    YES,
    Changed,
    Clause,
    Compare,
    Condition,
    Contains,
    Equals,
    FieldTest,
    Group,
    Like,
    Not,
    Present,
    Test,
    Valid,
)
from hub.config.problems import guess, listed, nearest
from hub.config.values import Target, ValueReader
from hub.config.view import View
from hub.config.world import Vocabulary
from hub.counts import Within
from hub.mapping import Constant, Source
from hub.model import PARCEL_STATUSES
from hub.records import FIELDS

#: what is counted of a person, so that `within` makes sense
COUNTED = ("person.requests", "person.orders")
_TESTS = (*COMPARISONS, "contains", "like", "not", "changed", "is", "within")
_SIGNS = {">=": "at_least", "<=": "at_most", ">": "above", "<": "below", "!=": "not", "=": "is", "==": "is"}
_SIGN = re.compile(r"^(>=|<=|!=|==|>|<|=)\s*(.+)$")
_OPERAND = Target()
#: what `above` and its like compare with: a number, an amount with its currency, a date or a time
_MEASURE = re.compile(r"^[-+]?\d[\d  .,:TZ+-]*( ?[A-Za-z]{1,4})?$")
#: words of other languages for our tests
_MEANT = {
    **dict.fromkeys(("exists", "exist", "set", "filled", "given", "not empty", "not null", "is set"), "present"),
    **dict.fromkeys(("empty", "missing", "none", "null", "nil", "unset", "blank", "not set", "not exists"), "absent"),
}
_OPPOSITE = re.compile(r"^not (?:in )?(\S{1,60})$", re.I)
_LONGEST_PATTERN = 200
#: characters that are searched, by the number of unbounded repeats in the pattern
_SEARCHED = {0: 4000, 1: 2000, 2: 400, 3: 120}


class ConditionReader:
    """Reads conditions inside one route."""

    def __init__(self, vocabulary: Vocabulary) -> None:
        self.vocabulary = vocabulary
        self.values = ValueReader(vocabulary, self.condition)
        #: the record whose stage the present test is about
        self._record = ""

    def condition(self, view: View) -> Condition:
        """Return the condition; what is wrong in it is reported and left out."""
        return Condition(*self._clauses(view))

    def _clauses(self, view: View) -> list[Clause]:
        if view.is_list:
            return [clause for one in view.each() for clause in self._clauses(one)]
        if not view.mapping(what="a condition"):
            return []
        if "field" in view and "is" in view:
            return self._long(view)
        clauses: list[Clause] = []
        for key, one in view.fields():
            if key == "any":
                inner = [Group("all", tuple(self._clauses(item))) for item in one.each()]
                clauses.append(Group("any", tuple(inner)))
            elif key == "not":
                clauses.append(Group("none", tuple(self._clauses(one))))
            elif key == "all":
                clauses += self._clauses(one)
            else:
                clauses += self._field(key, one)
        return clauses

    def _long(self, view: View) -> list[Clause]:
        view.unknown(("field", "is"))
        name, test = view.get("field"), view.get("is")
        word = name.word("field") if name is not None else None
        return self._field(word, test) if word and test is not None else []

    def _field(self, name: str, view: View) -> list[Clause]:
        vocabulary = self.vocabulary
        if not vocabulary.is_path(name, bare=True) and name not in vocabulary.declared:
            meant = vocabulary.mistaken_path(name)
            roots = sorted(vocabulary.roots())
            hint = f" Did you mean {meant}?" if meant else guess(name, [*roots, "any", "not"])
            view.say(f'"{name}" is no field to test; write record.field: test, for example deal.stage: won.{hint}')
            return []
        path = vocabulary.path(name, view, soft=False)
        if name == "parcel.status" and "parcel" not in vocabulary.results:
            self._statuses(view)
        kind = FIELDS.get(path.root, {}).get(path.field, "") if path.root not in vocabulary.results else ""
        self._record = path.root if path.field == "stage" else ""
        return [FieldTest(path, test) for test in self._tests(view, kind, path.field == "stage", path.text in COUNTED)]

    @staticmethod
    def _statuses(view: View) -> None:
        """Report a parcel's status that there is none of."""
        for one in view.each() if view.is_list else [view]:
            word = one.text.strip() if one.is_text else ""
            if re.fullmatch(r"[a-z_]+", word) and word not in (*PARCEL_STATUSES, "present", "absent"):
                known = listed(PARCEL_STATUSES, 20)
                one.say(f'no parcel status "{word}" ({known}).{guess(word, PARCEL_STATUSES)}')

    def _tests(self, view: View, kind: str, stage: bool, counted: bool = False) -> list[Test]:
        if view.is_text:
            return self._word(view, kind, stage)
        if view.is_list:
            shown = [one for one in view.each() if one.word("a value") is not None]
            for one in shown:
                self._test_in_list(one)
            operands = tuple(self._operand(one, stage) for one in shown)
            if not operands:
                view.say("an empty list of values never holds")
                return []
            return [Equals(operands, tuple(self._said(one, stage) for one in shown), kind, stage)]
        tests: list[Test] = []
        within = self._within(view, counted)
        for key, one in view.fields():
            if key == "within":
                continue
            if key not in _TESTS:
                view.say(f'no test "{key}".{guess(key, _TESTS) or " Tests: " + ", ".join(_TESTS)}')
                continue
            made = self._named(key, one, kind, stage)
            tests += [Within(t.how, t.operand, t.shown, *within) if within and type(t) is Compare else t for t in made]
        if not tests and view.is_map and not view.node.items:
            view.say("the test is empty")
        return tests

    @staticmethod
    def _test_in_list(view: View) -> None:
        """Warn of a test that stands among values: there it is one of them."""
        text = view.text.strip()
        meant = text if text in ("present", "absent", "valid") else _MEANT.get(text.casefold())
        if meant:
            view.warn(f'"{text}" in a list is one of the values it may have. For the test write it alone: {meant}')

    def _within(self, view: View, counted: bool) -> tuple[int, str] | None:
        """Return the window of a count over time, in seconds and as written."""
        one = view.get("within") if view.is_map else None
        if one is None:
            return None
        if not counted:
            one.say(f"within counts over time; it goes with {', '.join(COUNTED)}")
            return None
        if not any(key in view for key in COMPARISONS):
            one.say("within needs a number beside it: {at_least: 2, within: 30d}")
            return None
        seconds = one.seconds("within")
        return (seconds, one.text.strip()) if seconds is not None else None

    def _word(self, view: View, kind: str, stage: bool) -> list[Test]:
        text = view.text.strip()
        if not text:
            view.say('this tests nothing; write present, absent or a value ("" is written absent)')
            return []
        if text in ("present", "absent"):
            return [Present(text == "present")]
        if text == "valid":
            return [Valid()]
        if sign := _SIGN.match(text):
            view.say(f"use {{{_SIGNS[sign[1]]}: {sign[2]}}} instead of {text}")
            return []
        if text.startswith("!"):
            view.say(f"use {{not: {text[1:].strip() or '...'}}} instead of {text}")
            return []
        if meant := _MEANT.get(text.casefold()) or nearest(text, ("present", "absent", "valid"), 0.8):
            view.warn(f'"{text}" is compared as a text. Did you mean {meant}?')
        elif opposite := _OPPOSITE.match(text):
            view.warn(f'"{text}" is compared as a text. Did you mean {{not: {opposite[1]}}}?')
        return [Equals((self._operand(view, stage),), (self._said(view, stage),), kind, stage)]

    def _said(self, view: View, stage: bool) -> str:
        """Return an operand as people read it: the code of a stage with our word for it, where `names` has one."""
        text = view.text.strip()
        return self.vocabulary.stage_in_words(text) if stage else text

    def _named(self, key: str, view: View, kind: str, stage: bool) -> list[Test]:
        if key in ("is", "not"):
            inner = self._tests(view, kind, stage)
            return [Not(one) for one in inner] if key == "not" else inner
        if key == "changed":
            word = (view.word("changed") or "yes").lower()
            if word not in YES | NO:
                view.say(f'changed is yes or no, not "{word}"')
            return [Changed(word in YES)]
        if view.word(key) is None:
            return []
        if key == "contains":
            return [Contains(self._operand(view, False), view.text)]
        if key == "like":
            return self._like(view)
        operand = self._operand(view, False, bare=True)
        if type(operand) is Constant and not _MEASURE.match(view.text.strip()):
            view.say(f'"{key}" compares numbers, amounts and dates; "{view.text}" is none')
        return [Compare(key, operand, view.text)]

    def _operand(self, view: View, stage: bool, bare: bool = False) -> Source:
        text = view.text
        if bare and text == "now":
            return self.values.text(view, Target(bare=True))
        if "{{" not in text and not self.vocabulary.is_path(text):
            if stage:
                self.vocabulary.stage(text, view, record=self._record)
            return Constant(text)
        return self.values.text(view, _OPERAND)

    def _like(self, view: View) -> list[Test]:
        pattern = view.text
        if len(pattern) > _LONGEST_PATTERN:
            view.say(f"the pattern is longer than {_LONGEST_PATTERN} letters")
            return []
        try:
            compiled = re.compile(pattern)
            repeats, danger = _weigh(_parser.parse(pattern))
        except (re.error, RecursionError, OverflowError) as error:
            view.say(f"this is no pattern: {error}")
            return []
        if danger or repeats > max(_SEARCHED):
            view.say(danger or "the pattern repeats in too many places; a text could keep it busy for hours. Split it")
            return []
        return [Like(compiled, _SEARCHED[round(repeats)])]


def _weigh(tree: Any, inside: bool = False) -> tuple[float, str]:
    """Return how many long repeats a parsed pattern has (short ones count a little), and what makes it dangerous."""
    repeats, danger = 0.0, ""
    for code, argument in tree:
        parts: list[Any] = []
        within = inside
        if code in (_codes.MAX_REPEAT, _codes.MIN_REPEAT, getattr(_codes, "POSSESSIVE_REPEAT", None)):
            low, high, body = argument
            if high != low or high > 20:
                if inside:
                    return repeats, "a repeat inside a repeat can keep the hub busy for hours; write it without"
                repeats += 1 if high > 3 else 0.2
            within = inside or high > 1
            parts = [body]
        elif code is getattr(_codes, "ATOMIC_GROUP", None):
            parts = [argument]
        elif code is _codes.SUBPATTERN:
            parts = [argument[-1]]
        elif code is _codes.BRANCH:
            if inside:
                return repeats, "alternatives inside a repeat can keep the hub busy for hours; write them without"
            parts = list(argument[1])
        elif code in (_codes.ASSERT, _codes.ASSERT_NOT):
            parts = [argument[1]]
        elif code is _codes.GROUPREF_EXISTS:
            parts = [one for one in argument[1:] if one is not None]
        for part in parts:
            more, worse = _weigh(part, within)
            repeats, danger = repeats + more, danger or worse
    return repeats, danger
