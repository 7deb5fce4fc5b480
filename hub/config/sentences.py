"""A route as one sentence, for `hub check --show` and the console."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hub.config.shapes import Attach, Route, Step


def sentence(route: Route) -> str:
    """Return what the route does, as one sentence."""
    on = " or ".join([*map(str, route.on), *([route.later["on"]] if "on" in route.later else [])])
    words = f"When {on or ('hub sync start hands it on' if route.sync else 'nothing')}"
    if route.later.get("for"):
        words += f", for {route.later['for']}"
    if route.when:
        words += f", if {route.when.words()}"
    if route.otherwise:
        words += f', unless "{route.otherwise}" ran'
    acts = [act for step in route.steps if (act := _step(step))]
    if route.sync:
        acts = [f"{act} of its twin, field by field where they differ (sync {route.sync})" for act in acts]
    if "send" in route.later:
        acts.append(f"send {route.later['send']}" + (f" to {route.later['to']}" if "to" in route.later else ""))
    words += ": " + ", then ".join(acts or ["nothing"])
    if route.priority != "normal":
        words += f" ({route.priority})"
    return words + (f". Off: {route.off}." if route.off else ".")


def _step(step: Step) -> str:
    if step.look_up is not None:
        act = f"look up {step.look_up.take} in table {step.look_up.table.name}"
    elif step.stop is not None:
        act = f"stop ({step.stop.source})"
    elif step.do is not None:
        act = str(step.do)
    else:
        return ""
    if step.find is not None:
        by = ", ".join(line.word or line.key for line in step.find.by)
        act += f" of {step.find.record.text}" if step.find.record is not None else f" found by {by}"
    if step.attach is not None:
        act += f" {_attach(step.attach)}"
    if step.stage is not None:
        act += f" {_stage(step)}"
    if step.only_from:
        act += f" only from {', '.join(map(step.stage_word, step.only_from))}"
    if step.set:
        act += f" with {', '.join(line.word or line.key for line in step.set)}"
    if step.as_:
        act += f' as "{step.as_}"'
    if step.when:
        act = f"if {step.when.words()}, {act}"
    if step.refused:
        act += f" (refused: {'; '.join(_step(one) for one in step.refused)})"
    return act


def _attach(attach: Attach) -> str:
    targets = " or ".join(" ".join(pair) for pair in attach.to)
    days = attach.within / 86400 if attach.within else 0
    span = f" of the last {days:g} days" if attach.within else ""
    return f"(joins an {targets}{span} as {attach.as_} instead, if there is one)"


def _stage(step: Step) -> str:
    """Return where the step moves to, in the words of `names`."""
    assert step.stage is not None
    if not step.stage.table:
        return f"to {step.stage_word(step.stage.stage)}"
    moves = (f"{status} to {step.stage_word(code)}" for status, code in step.stage.table.items())
    return "by status: " + ", ".join(moves)
