"""What must hold before a vendor is asked: the values an act needs are there, a stage moves only where it may."""

from __future__ import annotations

from hub.config import Step
from hub.connector import ActionKind, Connector
from hub.errors import Refused, Skip
from hub.model import PARCEL_EXCEPTIONS, Action
from hub.paths import ABSENT, empty


def need_values(kind: ActionKind, step: Step, action: Action) -> None:
    """Refuse in words what the vendor would refuse in its own: a value it needs came out empty."""
    missing = [name for name in kind.required if empty(action.values.get(name, ABSENT))]
    if not missing:
        return
    sources = {line.key: ", ".join(path.text for path in line.source.paths()) for line in step.set}
    why = [f"{name} ({sources[name]} was empty)" if sources.get(name) else name for name in missing]
    raise Refused(f"{kind.name} needs {', '.join(why)}", {name: "is empty" for name in missing})


def guard_stage(
    connector: Connector, record: str, step: Step, current: str, wanted: str, status: str | None
) -> None:  # fmt: skip
    """Raise Skip unless this move is allowed: from a listed stage, and forward.

    status: the neutral status that asks for the move, if one does; some of them (a return) may go back.
    """
    if current == wanted:
        raise Skip("stage_same", stage=_in_words(connector, current))
    if step.only_from and current not in step.only_from:
        allowed = ", ".join(_in_words(connector, stage) for stage in step.only_from)
        raise Skip("stage_not_from", current=_in_words(connector, current), allowed=allowed)
    if wanted in step.back or (status in PARCEL_EXCEPTIONS):
        return
    order = connector.stage_order(record, current)
    if current in order and wanted in order and order.index(wanted) < order.index(current):
        raise Skip("stage_backward", current=_in_words(connector, current), wanted=_in_words(connector, wanted))


def _in_words(connector: Connector, stage: str) -> str:
    """Return a stage with the admin's own word for it, where `names` has one: `shipped (C5:EXECUTING)`."""
    words = connector.connection.names.get("stages", {})
    return next((f"{word} ({code})" for word, code in words.items() if code == stage), stage)
