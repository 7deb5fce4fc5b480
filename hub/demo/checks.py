"""What must be true in the evening. Each check looks at the outcome and says whether it holds, with a word of proof.

Here is what must be true of any company; what is a company's own stands beside its day.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any

from hub.demo.account import Outcome

Verdict = tuple[bool, str]
Check = Callable[[Any], Verdict]
SLOWEST = 2.0


@dataclass(frozen=True)
class Result:
    """One check and how it came out."""

    words: str
    ok: bool
    proof: str


class Checks:
    """The statements of a company, in order."""

    def __init__(self) -> None:
        self._all: list[tuple[str, Check]] = []

    def __call__(self, outcome: Outcome) -> list[Result]:
        """Return all checks with their verdicts; one that stumbles over the outcome has failed."""
        results = []
        for words, judge in self._all:
            try:
                ok, proof = judge(outcome)
            except (KeyError, IndexError, ValueError) as error:
                ok, proof = False, f"{type(error).__name__}: {error}"
            results.append(Result(words, ok, proof))
        return results

    def states(self, words: str) -> Callable[[Check], Check]:
        """Enter the check that follows under these words."""

        def enter(judge: Check) -> Check:
            self._all.append((words, judge))
            return judge

        return enter

    def way_in(self, unreadable: int) -> None:
        """Enter what is true of everybody's requests; so many of them could not be understood."""
        self.states("every request got the answer it should")(_answers)
        self.states("the answer came quickly, outage or not")(_quick)
        self.states("the account adds up: each request is in exactly one group")(_adds_up)
        self.states("every accepted request can be found, by the phone in any spelling")(_found)
        self.states("what came several times was done once")(_once)
        self.states("garbage is kept with its reason or turned away with one")(lambda out: _garbage(out, unreadable))

    def manners(self, limited: str, told: str, alerts: Collection[tuple[str, bool]]) -> None:
        """Enter what is true of every hub: a vendor's limit, the alerts (kind, whether it still stands), the rest."""
        self.states(f"{limited}'s limit was hit and waited for")(_limit)
        self.states(f"a person was told: {told}")(lambda out: _told(out, set(alerts)))
        self.states("nothing is left undone, nothing waits for a person")(_done)


def all_right(wrong: list[str], right: str) -> Verdict:
    """Return a verdict that names what is wrong, or says what is right."""
    return (False, "; ".join(wrong[:4])) if wrong else (True, right)


# --- the way in -------------------------------------------------------------------------------------------------------


def _answers(out: Outcome) -> Verdict:
    wrong = [f"{one.what}: {one.status} instead of {one.expected}" for one in out.sent if one.status != one.expected]
    turned = sum(one.expected >= 400 for one in out.sent)
    return all_right(wrong, f"{len(out.sent) - turned} taken, {turned} turned away")


def _quick(out: Outcome) -> Verdict:
    slowest = max(one.took for one in out.sent)
    return slowest < SLOWEST, f"the slowest took {slowest * 1000:.0f} ms"


def _adds_up(out: Outcome) -> Verdict:
    counted, arrived = sum(out.groups.values()), sum(out.arrived.values())
    return counted == arrived, f"{arrived} arrived, {counted} accounted for"


def _found(out: Outcome) -> Verdict:
    missing = [name for name, events in out.found.items() if not events]
    return all_right(missing, f"{sum(out.found.values())} events found")


def _once(out: Outcome) -> Verdict:
    """Vendors repeat themselves too, at doors of their own; what they tell twice is judged by what stands there."""
    again = [one.door for one in out.sent if one.kind == "same again"]
    known = sum(
        n for group, n in out.groups.items() if group.what == "the same once more" and group.connection in again
    )
    return len(again) == known, f"{known} repetitions recognised"


def _garbage(out: Outcome, unreadable: int) -> Verdict:
    kept = sum(n for group, n in out.groups.items() if group.what == "unreadable" and group.why)
    turned = sum(n for group, n in out.groups.items() if group.what == "turned away" and group.why)
    expected = sum(one.expected >= 400 for one in out.sent)
    return (kept, turned) == (unreadable, expected), f"{kept} kept, rejected: {turned}"


# --- good manners -----------------------------------------------------------------------------------------------------


def _limit(out: Outcome) -> Verdict:
    return out.tries.get("limit", 0) > 0, f"{out.tries.get('limit', 0)} calls waited"


def _told(out: Outcome, wanted: set[tuple[str, bool]]) -> Verdict:
    stands = {(alert["kind"], alert["open"]) for alert in out.alerts}
    wrong = [f"{kind} {'open' if stays else 'closed'}" for kind, stays in sorted(wanted - stands)]
    wrong += [
        f"{kind}, which nobody needs" for kind in sorted({kind for kind, _ in stands} - {kind for kind, _ in wanted})
    ]
    return all_right(wrong, f"{sum(alert['open'] for alert in out.alerts)} open alerts")


def _done(out: Outcome) -> Verdict:
    wrong = [f"{n} {what}" for what, n in out.unfinished.items() if n]
    return all_right(wrong, f"{out.tries.get('done', 0)} calls done")
