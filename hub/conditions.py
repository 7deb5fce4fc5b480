"""`when`: does this event, as it stands, pass? The answer names every check that was made and what it saw."""

from __future__ import annotations

import datetime as dt
import operator
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Protocol

from hub import normal
from hub.model import Reason
from hub.paths import ABSENT, Path, Scope, empty, instant, number, plain, text

YES = frozenset({"yes", "true", "on", "1"})
NO = frozenset({"no", "false", "off", "0"})


@dataclass(frozen=True, slots=True)
class Check:
    """One test that was made: the field, what was asked (in words), what stood there (ABSENT = nothing).

    `word` is our own word for a value that is a vendor's code.
    """

    path: str
    test: str
    value: Any
    ok: bool
    word: str = ""

    @property
    def seen(self) -> str:
        """The value as people read it, short."""
        if empty(self.value):
            return "absent"
        if self.test in ("absent", "present"):
            return "present"
        words = text(self.value)
        if self.word:
            return f"{self.word} ({words})"
        return words if len(words) <= 60 else words[:59] + "…"


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether a condition holds, with all checks in the order of the file."""

    ok: bool
    checks: list[Check] = field(default_factory=list)

    @property
    def failed(self) -> Check | None:
        """The first check that failed, if any did."""
        return None if self.ok else next((check for check in self.checks if not check.ok), None)

    @property
    def because(self) -> str:
        """The first failing check in words: `deal.ttn is present, should be absent`; empty when all is well."""
        check = self.failed
        if check is None:
            return "" if self.ok else "a condition does not hold"
        return f"{check.path} is {check.seen}, should be {check.test}"

    @property
    def reason(self) -> Reason:
        """The same as a code with parameters."""
        check = self.failed
        if check is None:
            return Reason("condition_holds" if self.ok else "condition")
        return Reason("condition", {"path": check.path, "value": check.seen, "test": check.test})


class Operand(Protocol):
    """What a value is compared with: a constant, a path, a template."""

    def get(self, scope: Scope) -> Any:
        """Return the value for this event."""

    def paths(self) -> list[Path]:
        """Return the paths it looks at."""


class Test(Protocol):
    """One test of one value."""

    @property
    def words(self) -> str:
        """The test as `should be ...` continues."""

    def holds(self, scope: Scope, path: Path, value: Any) -> bool:
        """Return whether the value (ABSENT = none) passes."""

    def paths(self) -> list[Path]:
        """Return the paths it looks at beyond its own."""


def same(value: Any, wanted: str) -> bool:
    """Return whether a value equals a text of the configuration; lists when one of their items does."""
    if isinstance(value, str):
        return value == wanted
    if isinstance(value, bool):
        return wanted.lower() in (YES if value else NO)
    if isinstance(value, int | float | Decimal):
        return number(wanted) == number(value)
    if isinstance(value, list | tuple):
        return any(same(item, wanted) for item in value)
    if isinstance(value, Mapping):
        return same(value.get("id"), wanted)
    return value is not None and value is not ABSENT and str(plain(value)) == wanted


@dataclass(frozen=True, slots=True)
class Equals:
    """`x` or `[x, y]`. For a stage our words stand for the codes of the record's connection."""

    operands: tuple[Operand, ...]
    shown: tuple[str, ...]
    kind: str = ""
    stage: bool = False

    @property
    def words(self) -> str:
        """The value, or `one of a, b`."""
        return self.shown[0] if len(self.shown) == 1 else "one of " + ", ".join(self.shown)

    def holds(self, scope: Scope, path: Path, value: Any) -> bool:
        """Return whether the value equals one of them."""
        stages = scope.stages(scope.find(path)[1]) if self.stage else None
        for operand in self.operands:
            wanted = text(operand.get(scope))
            if stages and wanted in stages and same(value, stages[wanted]):
                return True
            if same(value, wanted):
                return True
            if self.kind == "flag" and (empty(value) or isinstance(value, str)):
                if wanted.lower() in (YES if not empty(value) and text(value).lower() in YES | {"y"} else NO):
                    return True
            elif self.kind in ("money", "number") and not empty(value):
                amount = number(wanted)
                if amount is not None and amount == number(value):
                    return True
        return False

    def paths(self) -> list[Path]:
        """Return the paths of the operands."""
        return [path for operand in self.operands for path in operand.paths()]


@dataclass(frozen=True, slots=True)
class Present:
    """`present` or `absent`."""

    wanted: bool = True

    @property
    def words(self) -> str:
        """`present` or `absent`."""
        return "present" if self.wanted else "absent"

    def holds(self, scope: Scope, path: Path, value: Any) -> bool:
        """Return whether there is a value, as wanted."""
        return empty(value) != self.wanted

    def paths(self) -> list[Path]:
        """Return nothing."""
        return []


@dataclass(frozen=True, slots=True)
class Valid:
    """`valid`: a real phone or e-mail, by the name of the field; either for other fields."""

    words: str = "valid"

    def holds(self, scope: Scope, path: Path, value: Any) -> bool:
        """Return whether the value (or an item of it) is a phone or an e-mail."""
        items = value if isinstance(value, list | tuple) else [value]
        return any(valid(text(item), path.field, scope.config.hub.region) for item in items)

    def paths(self) -> list[Path]:
        """Return nothing."""
        return []


def valid(value: str, name: str = "", region: str = "") -> bool:
    """Return whether the text is a possible phone (`name` holds "phone"), e-mail ("email"), or either."""
    if "email" in name:
        return normal.email(value) is not None
    if "phone" in name:
        return normal.phone(value, region) is not None
    return normal.email(value) is not None or normal.phone(value, region) is not None


ORDER: Mapping[str, Callable[[Any, Any], bool]] = {
    "above": operator.gt, "below": operator.lt, "at_least": operator.ge, "at_most": operator.le,
}  # fmt: skip
COMPARISONS = tuple(ORDER)


@dataclass(frozen=True, slots=True)
class Compare:
    """`above`, `below`, `at_least`, `at_most`: numbers, money and moments. What can't be compared fails."""

    how: str
    operand: Operand
    shown: str

    @property
    def words(self) -> str:
        """`above 5`."""
        return f"{self.how.replace('_', ' ')} {self.shown}"

    def holds(self, scope: Scope, path: Path, value: Any) -> bool:
        """Return whether the value stands so to the operand."""
        if empty(value):
            return False
        wanted = self.operand.get(scope)
        left: Any = None
        right: Any = None
        if not isinstance(wanted, dt.date):
            left, right = number(value), number(wanted)
        if left is None or right is None:
            zone = scope.config.hub.zone
            left, right = instant(value, zone), instant(wanted, zone)
        return left is not None and right is not None and ORDER[self.how](left, right)

    def paths(self) -> list[Path]:
        """Return the paths of the operand."""
        return self.operand.paths()


@dataclass(frozen=True, slots=True)
class Contains:
    """`{contains: x}`: part of a text, whatever the case; an item of a list."""

    operand: Operand
    shown: str

    @property
    def words(self) -> str:
        """`containing x`."""
        return f"containing {self.shown}"

    def holds(self, scope: Scope, path: Path, value: Any) -> bool:
        """Return whether it is in there."""
        wanted = text(self.operand.get(scope))
        if isinstance(value, list | tuple):
            return any(same(item, wanted) for item in value)
        return not empty(value) and bool(wanted) and wanted.casefold() in text(value).casefold()

    def paths(self) -> list[Path]:
        """Return the paths of the operand."""
        return self.operand.paths()


@dataclass(frozen=True, slots=True)
class Like:
    """`{like: regex}`, searched in the first `longest` characters, so that no sender can keep it busy."""

    pattern: re.Pattern[str]
    longest: int

    @property
    def words(self) -> str:
        """`like /pattern/`."""
        return f"like /{self.pattern.pattern}/"

    def holds(self, scope: Scope, path: Path, value: Any) -> bool:
        """Return whether the pattern is found."""
        return not empty(value) and self.pattern.search(text(value)[: self.longest]) is not None

    def paths(self) -> list[Path]:
        """Return nothing."""
        return []


@dataclass(frozen=True, slots=True)
class Changed:
    """`{changed: yes}`: this event brought a new value for the field."""

    wanted: bool = True

    @property
    def words(self) -> str:
        """`changed by this event`, or not."""
        return "changed by this event" if self.wanted else "unchanged by this event"

    def holds(self, scope: Scope, path: Path, value: Any) -> bool:
        """Return whether the event changed the field, as wanted."""
        return scope.changed(path) == self.wanted

    def paths(self) -> list[Path]:
        """Return nothing."""
        return []


@dataclass(frozen=True, slots=True)
class Not:
    """`{not: test}`."""

    test: Test

    @property
    def words(self) -> str:
        """`not x`."""
        return f"not {self.test.words}"

    def holds(self, scope: Scope, path: Path, value: Any) -> bool:
        """Return whether the test fails."""
        return not self.test.holds(scope, path, value)

    def paths(self) -> list[Path]:
        """Return the paths of the test."""
        return self.test.paths()


class Clause(Protocol):
    """A part of a condition."""

    def check(self, scope: Scope, checks: list[Check] | None) -> bool:
        """Return whether it holds; append what was checked."""

    def fields(self) -> Iterator[FieldTest]:
        """Yield the field tests inside."""

    def words(self) -> str:
        """Return the clause as people say it."""


@dataclass(frozen=True, slots=True)
class FieldTest:
    """One test of one field."""

    path: Path
    test: Test

    def check(self, scope: Scope, checks: list[Check] | None) -> bool:
        """Make the test."""
        value = scope.get(self.path)
        ok = self.test.holds(scope, self.path, value)
        if checks is not None:
            checks.append(Check(self.path.text, self.test.words, value, ok, self._word(scope, value)))
        return ok

    def _word(self, scope: Scope, value: Any) -> str:
        """Return our word for the stage that stands there; "" for any other field, or where `names` has none."""
        if self.path.field != "stage" or not isinstance(value, str):
            return ""
        stages = scope.stages(scope.find(self.path)[1])
        return next((word for word, code in stages.items() if code == value and word != value), "")

    def fields(self) -> Iterator[FieldTest]:
        """Yield itself."""
        yield self

    def words(self) -> str:
        """Return `deal.ttn is absent`."""
        return f"{self.path.text} is {self.test.words}"


@dataclass(frozen=True, slots=True)
class Group:
    """Several clauses: `all` must hold, `any` at least one, `none` (written `not:`) must fail, each of them."""

    how: str
    clauses: tuple[Clause, ...]

    def check(self, scope: Scope, checks: list[Check] | None) -> bool:
        """Check every clause."""
        if checks is None:
            if self.how == "any":
                return any(clause.check(scope, None) for clause in self.clauses)
            return all(clause.check(scope, None) != (self.how == "none") for clause in self.clauses)
        inner: list[Check] = []
        found = [clause.check(scope, inner) for clause in self.clauses]
        ok = any(found) if self.how == "any" else all(one != (self.how == "none") for one in found)
        if self.how == "none":
            inner = [Check(one.path, f"not {one.test}", one.value, not one.ok, one.word) for one in inner]
        elif self.how == "any" and ok:
            inner = [one for one in inner if one.ok]
        checks += inner
        return ok

    def fields(self) -> Iterator[FieldTest]:
        """Yield the field tests of all clauses."""
        for clause in self.clauses:
            yield from clause.fields()

    def words(self) -> str:
        """Return the clauses joined by and, or; `none of (...)` for `not:`."""
        joined = (" or " if self.how == "any" else " and ").join(clause.words() for clause in self.clauses)
        if self.how == "none":
            return f"not ({joined})"
        return f"({joined})" if self.how == "any" and len(self.clauses) > 1 else joined


class Condition:
    """A whole `when`. An empty one always holds."""

    __slots__ = ("clauses",)

    def __init__(self, *clauses: Clause) -> None:
        self.clauses = clauses

    def check(self, scope: Scope) -> Verdict:
        """Check everything and say what was seen."""
        checks: list[Check] = []
        ok = True
        for clause in self.clauses:
            ok = clause.check(scope, checks) and ok
        return Verdict(ok, checks)

    def holds(self, scope: Scope) -> bool:
        """Return only whether it holds; stops at the first clause that doesn't."""
        return all(clause.check(scope, None) for clause in self.clauses)

    def fields(self) -> list[FieldTest]:
        """Return every field test, at any depth."""
        return [test for clause in self.clauses for test in clause.fields()]

    def paths(self) -> list[Path]:
        """Return every path it looks at, operands included."""
        return [path for one in self.fields() for path in (one.path, *one.test.paths())]

    def words(self) -> str:
        """Return the condition as one phrase; empty when there is none."""
        return " and ".join(clause.words() for clause in self.clauses)

    def __bool__(self) -> bool:
        return bool(self.clauses)


ALWAYS = Condition()
