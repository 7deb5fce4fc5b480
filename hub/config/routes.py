"""Reads routes: triggers, condition, steps; says what in them isn't built yet."""

from __future__ import annotations

import dataclasses
import fnmatch
import re
from collections.abc import Iterable, Mapping
from typing import Any

from hub.conditions import ALWAYS
from hub.config.problems import guess, listed
from hub.config.shapes import ConnectionConfig, Route, Step, Trigger
from hub.config.steps import LATER_KEYS, PRIORITIES, STEP_KEYS, StepReader, find_as_names
from hub.config.view import View
from hub.config.world import Vocabulary, World

#: keys of a route that later levels bring
LATER_ROUTE_KEYS = ("for", "without", "per", "repeat", "stop_when", "again", "at_most")
_ROUTE_KEYS = ("name", "on", "when", "otherwise", "priority", "steps", *LATER_ROUTE_KEYS)
_SCHEDULE = re.compile(r"^(every\s|\d+\s*[smhdw]\s+(before|after)\s|metric\.)")
_TRIGGER = re.compile(r"^(\*|[\w-]+)\.([^\s]+)$")
_AS_STEP = ("do", "method", "find", "missing", "several", "set", "stage", "attach", "only_from", "back", "as",
            "optional", "refused", "limit", "order", "send", "to", "with", "look_up")  # fmt: skip


def read_routes(views: Iterable[View], world: World) -> tuple[Route, ...]:
    """Return all routes in the order of the file."""
    routes: list[Route] = []
    names: dict[str, Route] = {}
    for view in views:
        if not view.mapping(what="a route"):
            continue
        route = _Reader(view, world).route()
        if route.name in names:
            first = names[route.name]
            view.say(f'another route is called "{route.name}" already ({first.file}:{first.line}); names are unique')
        elif route.name:
            names[route.name] = route
        _check_otherwise(view, route, names)
        routes.append(route)
    return tuple(routes)


def _check_otherwise(view: View, route: Route, above: Mapping[str, Route]) -> None:
    inner = view.get("otherwise")
    if inner is None or route.otherwise is None:
        return
    if route.otherwise == route.name or route.otherwise not in above:
        others = [name for name in above if name != route.name]
        inner.say(f'no route "{route.otherwise}" above this one.{guess(route.otherwise, others)}')


class _Reader:
    """Reads one route."""

    def __init__(self, view: View, world: World) -> None:
        self.view, self.world = view, world
        self.later: list[str] = []

    def route(self) -> Route:
        view = self.view
        said = len(view.log.found)
        view.unknown((*_ROUTE_KEYS, *STEP_KEYS, *LATER_KEYS))
        name_view = view.get("name")
        name = (name_view.word("name") or "") if name_view is not None else ""
        if name_view is None:
            view.say("a route needs a name; it is part of every delivery's key, so choose one that stays")
        triggers = self._triggers()
        vocabulary = Vocabulary(self.world, triggers, self._targets())
        vocabulary.declared = find_as_names(view, {})
        vocabulary.later = self.later
        reader = StepReader(vocabulary)
        steps, when = self._steps(reader)
        otherwise, priority = view.get("otherwise"), view.get("priority")
        for key in LATER_ROUTE_KEYS:
            if key in view:
                self.later.append(key)
        self.world.mentions.end_route()
        off = None
        if self.later:
            words = list(dict.fromkeys(self.later))
            off = "uses " + ", ".join(f'"{word}"' if " " not in word else word for word in words) + ", not built yet"
            view.log.soften(said, (view.path, f"{view.path}.name"))
            view.later(f'route "{name}" uses ' + ", ".join(words) + "; it stays off")
        return Route(
            name, triggers, when, steps,
            otherwise=otherwise.word("otherwise") if otherwise is not None else None,
            priority=(priority.choice(PRIORITIES, "priority") if priority is not None else None) or "normal",
            line=view.line, off=off, path=view.path, file=view.node.file, later=self._later_words(),
        )  # fmt: skip

    def _later_words(self) -> dict[str, str]:
        view = self.view
        found = {key: _short(view.node.items[key].plain()) for key in (*LATER_ROUTE_KEYS, "send", "to") if key in view}
        if any(True for _ in self._schedules()):
            found["on"] = ", ".join(self._schedules())
        return found

    def _schedules(self) -> Iterable[str]:
        on = self.view.get("on")
        return (one.text for one in on.each() if one.is_text and _SCHEDULE.match(one.text)) if on is not None else ()

    # --- on ------------------------------------------------------------------------------------

    def _triggers(self) -> tuple[Trigger, ...]:
        on = self.view.get("on")
        if on is None:
            self.view.say('a route needs "on": the event that starts it')
            return ()
        found = []
        for one in on.words("on"):
            text = one.text.strip()
            if _SCHEDULE.match(text):
                self.later.append("schedules in on" if not text.startswith("metric.") else "metrics in on")
                continue
            match = _TRIGGER.match(text)
            if match is None or (match[2].count(".") == 0 and match[2] != "*"):
                one.say(f'"{text}" should read connection.record.verb, for example site.form.submitted')
                continue
            trigger = Trigger(match[1], match[2])
            self._check_trigger(trigger, one)
            found.append(trigger)
        return tuple(dict.fromkeys(found))

    def _check_trigger(self, trigger: Trigger, view: View) -> None:
        if trigger.connection == "*":
            near = [one for one in self.world.connections.values() if _brings(one, trigger.type)]
            if not near and not self.world.broken:
                view.say(f'no connection brings the event "{trigger.type}"')
            return
        connection = self.world.connection(trigger.connection, view)
        if trigger.connection in self.world.planned:
            self.later.append(f"plugin {self.world.planned[trigger.connection]}")
        if connection is None or _brings(connection, trigger.type):
            return
        names = _event_names(connection)
        hint = guess(trigger.type, names) or (f" It brings: {listed(names, 40)}." if names else " It brings no events.")
        view.say(f'no event "{trigger.type}" in plugin {connection.plugin}.{hint}')

    def _targets(self) -> list[str]:
        """Return the connections that steps act on, so that their words are known while conditions are read."""
        found: list[str] = []
        rest: list[Any] = [self.view.node.plain()]
        while rest:
            item = rest.pop()
            if isinstance(item, dict):
                if isinstance(item.get("do"), str):
                    found.append(item["do"].partition(".")[0])
                rest += [item[key] for key in ("steps", "refused") if key in item]
            elif isinstance(item, list):
                rest += item
        return found

    # --- steps -----------------------------------------------------------------------------------

    def _steps(self, reader: StepReader) -> tuple[tuple[Step, ...], Any]:
        view = self.view
        when_view = view.get("when")
        steps: list[Step] = []
        look_up = view.get("look_up")
        if look_up is not None:
            steps.append(self._look_up(reader, view, look_up))
        when = reader.conditions.condition(when_view) if when_view is not None else ALWAYS
        inner = view.get("steps")
        if inner is None:
            only = _without(
                view, ("look_up", "where", "take", *(("as",) if look_up is not None and look_up.is_text else ()))
            )
            steps.append(reader.step(only, len(steps), known=_ROUTE_KEYS))
            return tuple(steps), when
        for key in view:
            if key in _AS_STEP and key != "look_up":
                view.say(f'"{key}" stands beside "steps"; put it into a step')
        if not inner.is_list:
            inner.say("steps should be a list: each step begins with a dash")
        if inner.is_list and not inner.node.list:
            inner.say("steps is empty")
        for one in inner.each() if inner.is_list else ():
            if one.mapping(what="a step"):
                steps.append(reader.step(one, len(steps)))
        return tuple(steps), when

    def _look_up(self, reader: StepReader, view: View, look_up: View) -> Step:
        """Return step 0: a look-up that stands on the route itself."""
        only = _without(view, tuple(key for key in view if key not in ("look_up", "where", "take", "as")))
        if look_up.is_map:
            only = _without(only, ("as", "where", "take"))
        step = reader.step(only, 0)
        return dataclasses.replace(step, path=f"{view.path}.look_up", line=look_up.line)


def _without(view: View, keys: tuple[str, ...]) -> View:
    """Return the view of a mapping without some keys."""
    items = {key: node for key, node in view.node.items.items() if key not in keys}
    return View(dataclasses.replace(view.node, items=items), view.path, view.log, view.key_line)


def _event_names(connection: ConnectionConfig) -> list[str]:
    names = [kind.name for kind in connection.connector.events]
    event = connection.settings.get("event")
    if isinstance(event, str):
        names.append(event)
    elif isinstance(event, Mapping):
        names += [one for one in event.values() if isinstance(one, str)]
    return names


def _brings(connection: ConnectionConfig, event_type: str) -> bool:
    if event_type.startswith("vendor.") or event_type == "*":
        return True
    names = _event_names(connection)
    return any(fnmatch.fnmatch(name, event_type) or fnmatch.fnmatch(event_type, name) for name in names)


def _short(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(_short(one) for one in value)
    if isinstance(value, dict):
        return ", ".join(f"{key}: {_short(one)}" for key, one in value.items())
    return str(value)
