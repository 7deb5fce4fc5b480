"""Counts over time: `person.requests: {at_least: 2, within: 30d}`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from hub.conditions import ORDER, Operand
from hub.identity import Tally
from hub.paths import Path, Scope, number


@dataclass(frozen=True, slots=True)
class Within:
    """`{at_least: 2, within: 30d}`: a count over the last seconds stands so to a number. Who was never seen has 0."""

    how: str
    operand: Operand
    shown: str
    seconds: int
    window: str

    @property
    def words(self) -> str:
        """`at least 2 within 30d`."""
        return f"{self.how.replace('_', ' ')} {self.shown} within {self.window}"

    def holds(self, scope: Scope, path: Path, value: Any) -> bool:
        """Return whether the count stands so to the operand."""
        wanted = number(self.operand.get(scope))
        count = value.within(self.seconds) if isinstance(value, Tally) else 0
        return wanted is not None and ORDER[self.how](count, wanted)

    def paths(self) -> list[Path]:
        """Return the paths of the operand."""
        return self.operand.paths()
