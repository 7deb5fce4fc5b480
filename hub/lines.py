"""Which line a step goes to: the queue of the record it is about, so that what goes to one record goes in order."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from hub.config import Find, Route, Step
from hub.model import Event
from hub.paths import Scope


def line_for(
    event: Event,
    route: Route,
    step: Step,
    scope: Scope,
    person: int | None,
    links: Sequence[tuple[str, str, str]],
) -> tuple[str, str]:
    """Name the line (the target record's queue) and lane of a step.

    What goes to one record goes in order: the record named by `find`, else the one linked to the subject, else
    the person (so that two parallel requests of one human make one contact), else the subject itself.
    """
    assert step.do is not None
    target = step.do.connection
    record = step.do.action.partition(".")[0]
    priority = step.priority or route.priority
    lane = target if priority == "normal" else f"{target}:{priority}"
    if step.find is not None and (ref := known_id(step.find, scope)):
        return f"{target}>{record}:{ref}", lane
    if event.connection == target and event.kind == record:
        return f"{target}>{event.subject}", lane
    if record == "contact" and person is not None:  # always the person's queue, linked already or not yet
        return f"{target}>person:{person}", lane
    for connection, kind, ref in links:
        if connection == target and kind == record:
            return f"{target}>{record}:{ref}", lane
    if person is not None:
        return f"{target}>person:{person}", lane
    return f"{target}>{event.connection}/{event.subject}", lane


def former_lines(event: Event, step: Step, person: int | None) -> tuple[str, ...]:
    """Return the lines on which this subject's deliveries went before its record or its person was known.

    None for a contact: its person's queue comes first, or one human would get two.
    """
    assert step.do is not None
    if step.do.action.startswith("contact."):
        return ()
    target = step.do.connection
    subject = f"{target}>{event.connection}/{event.subject}"
    return (subject, f"{target}>person:{person}") if person is not None else (subject,)


def family_lines(step: Step, person: int | None, family: Sequence[int]) -> tuple[str, ...]:
    """Return the lines on which something may wait for persons that are one with this one."""
    assert step.do is not None
    return tuple(f"{step.do.connection}>person:{one}" for one in family if one != person)


def known_id(find: Find, scope: Scope) -> str:
    """Return the vendor id that `find: deal`, `find: waybill` or `find: lead.contact` points at, or ""."""
    if find.record is None or find.record.root == "person":
        return ""
    value = scope.get(find.record)
    if isinstance(value, Mapping):
        value = value.get("id")
    return str(value) if value else ""
