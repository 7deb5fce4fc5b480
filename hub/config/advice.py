"""Warnings about routes that are written well and still won't do what was meant."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from hub.conditions import Changed, Clause, Condition, Equals, FieldTest, Group, Not, Present, Valid
from hub.config.problems import WARNING, Log
from hub.config.shapes import Route, Step, Trigger

_CHATS = ("message.received", "comment.received")
_MOST_ALTERNATIVES = 64


def advise(routes: Sequence[Route], log: Log) -> None:
    """Report what a second look at the routes finds."""
    for route in routes:
        _chat_without_attach(route, log)
        _wakes_itself(route, log)
    moving = [route for route in routes if _moved(route)]
    for place, one in enumerate(moving):
        for other in moving[place + 1 :]:
            _both_move(one, other, log)


def _say(route: Route, text: str, log: Log) -> None:
    log.add(route.file, route.line, route.path, text, WARNING)


def _chat_without_attach(route: Route, log: Log) -> None:
    chats = [one for one in route.on if one.type in _CHATS]
    for step in route.steps:
        do = step.do
        if chats and do and do.record in ("lead", "deal") and do.verb in ("upsert", "create"):
            if step.attach is None and step.find is None:
                _say(
                    route,
                    f"each chat line would make a {do.record}. "
                    f"Add attach: {{to: [open {do.record}], within: 30d, as: comment}}.",
                    log,
                )
            return


def _wakes_itself(route: Route, log: Log) -> None:
    for step in route.steps:
        do = step.do
        if do is None or do.verb not in ("create", "upsert", "update", "set_stage"):
            continue
        if do.verb == "create":
            again = [one for one in route.on if one.matches(do.connection, f"{do.record}.created")]
            if again and not step.when and not _about_it(route, do.record):
                text = f"each {do.record} it makes ({again[0]}) starts it again; add a condition on which {do.record}s"
                _say(route, text, log)
                return
            continue
        starts = [
            one for one in route.on
            if one.connection in (do.connection, "*")
            and one.type in (f"{do.record}.updated", f"{do.record}.*", f"{do.record}.stage_changed")
            and (one.type != f"{do.record}.stage_changed" or _writes_stage(step))
        ]  # fmt: skip
        if starts and not _looks_at_own_write(route, step):
            _say(
                route,
                f"this route's own write ({starts[0].type}) starts it again; add a condition on what changed",
                log,
            )
            return


def _about_it(route: Route, record: str) -> bool:
    """Return whether the route looks at the record that starts it: only then can it tell one from another."""
    return any(one.path.root == record for one in route.when.fields())


def _writes_stage(step: Step) -> bool:
    return step.stage is not None or any(line.word == "stage" or "STAGE" in line.key for line in step.set)


def _looks_at_own_write(route: Route, step: Step) -> bool:
    written = {line.word for line in step.set} | {line.key for line in step.set}
    if _writes_stage(step):
        written.add("stage")
    tests = [*route.when.fields(), *step.when.fields()]
    return any(isinstance(one.test, Changed) or one.path.field in written for one in tests)


def _both_move(one: Route, other: Route, log: Log) -> None:
    shared = _shared(one.on, other.on)
    if shared is None or one.otherwise == other.name or other.otherwise == one.name:
        return
    moved = _moved(one) & _moved(other)
    if moved and not exclusive(one.when, other.when):
        place = f":{one.line} and :{other.line}"
        _say(other, f"{place} both set {sorted(moved)[0]}.stage on {shared}", log)


def _moved(route: Route) -> set[str]:
    """Return the records whose stage the route sets, whatever happens in it."""
    return {
        step.do.record for step in route.steps if step.do and step.do.verb == "set_stage" and not step.when
    }  # fmt: skip


def _shared(ours: Iterable[Trigger], theirs: Sequence[Trigger]) -> Trigger | None:
    for one in ours:
        for other in theirs:
            if one.matches(other.connection, other.type) or other.matches(one.connection, one.type):
                return one
    return None


def exclusive(one: Condition, other: Condition) -> bool:
    """Return whether it is plain to see that the two conditions never hold together."""
    ours, theirs = _alternatives(one.clauses), _alternatives(other.clauses)
    if len(ours) * len(theirs) > _MOST_ALTERNATIVES:
        return True
    return all(any(_contradict(a, b) for a in left for b in right) for left in ours for right in theirs)


def _alternatives(clauses: Sequence[Clause]) -> list[list[FieldTest]]:
    """Return the condition as a choice between lists of tests; `not` groups are left out."""
    found: list[list[FieldTest]] = [[]]
    for clause in clauses:
        if isinstance(clause, FieldTest):
            found = [[*tests, clause] for tests in found]
        elif isinstance(clause, Group) and clause.how == "all":
            found = [[*tests, *more] for tests in found for more in _alternatives(clause.clauses)]
        elif isinstance(clause, Group) and clause.how == "any":
            found = [
                [*tests, *more] for tests in found for inner in clause.clauses for more in _alternatives([inner])
            ]  # fmt: skip
        if len(found) > _MOST_ALTERNATIVES:
            return found[: _MOST_ALTERNATIVES + 1]
    return found


def _contradict(one: FieldTest, other: FieldTest) -> bool:
    if one.path != other.path:
        return False
    a, b = one.test, other.test
    for left, right in ((a, b), (b, a)):
        has_value = isinstance(right, Valid | Equals) or (isinstance(right, Present) and right.wanted)
        if isinstance(left, Present) and not left.wanted and has_value:
            return True
        if isinstance(left, Not) and left.test == right:
            return True
    if isinstance(a, Equals) and isinstance(b, Equals):
        return not set(a.shown) & set(b.shown)
    return False
