"""Reads `sync:`; each entry becomes a `Sync` and the ordinary routes that carry it out."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from hub.conditions import ALWAYS, NO, YES, Condition
from hub.config.problems import guess, listed
from hub.config.shapes import ConnectionConfig, Do, Route, Step, Trigger
from hub.config.sync_fields import FieldReader
from hub.config.sync_pairs import PairReader
from hub.config.syncs import CAP, FIELDS, NEWEST, Sync
from hub.config.view import View
from hub.config.when import ConditionReader
from hub.config.world import Vocabulary, World
from hub.connector import Connector

_KEYS = (
    "name", "from", "to", "what", "both", "fields", "filter", "filter_back", "winner", "key", "stages", "back",
    "people", "deleted", "close", "cap", "quiet", "once",
)  # fmt: skip
_NAME = re.compile(r"^[\w][\w.-]{0,39}$")
_CAP = re.compile(r"^(\d{1,7})(?: per hour)?$")
#: records that a one-off move may bring along, later
_LATER = ("message", "note", "task")
_EVENTS = ("created", "updated", "stage_changed", "responsible_changed", "deleted")


def read_syncs(
    view: View | None, world: World, folder: Path, breaker: int, team: dict[str, Any], taken: Iterable[str]
) -> tuple[tuple[Sync, ...], tuple[Route, ...]]:
    """Return all syncs, and the routes they unfold into. taken: names that other routes have."""
    syncs: list[Sync] = []
    routes: list[Route] = []
    if view is None:
        return (), ()
    if not view.is_list:
        view.say('"sync" should be a list: each one begins with a dash')
        return (), ()
    for one in view.each():
        if not one.mapping(_KEYS, "a sync"):
            continue
        reader = _Reader(one, world, folder, team)
        found = reader.sync(breaker)
        if found is None:
            continue
        if found.name in {sync.name for sync in syncs}:
            one.say(f'another sync is called "{found.name}" already; names are unique')
        syncs.append(found)
        for route in reader.routes(found):
            if route.name in taken:
                one.say(f'a route is called "{route.name}" already, and this sync makes one of that name')
            routes.append(route)
    return tuple(syncs), tuple(routes)


class _Reader:
    """Reads one sync."""

    def __init__(self, view: View, world: World, folder: Path, team: dict[str, Any]) -> None:
        self.view, self.world, self.folder, self.team = view, world, folder, team
        self.sides: list[ConnectionConfig] = []
        self.filters: dict[str, dict[str, Condition]] = {"forward": {}, "back": {}}

    def sync(self, breaker: int) -> Sync | None:
        view = self.view
        name = self._name()
        sides = [self._side("from"), self._side("to")]
        if sides[0] is None or sides[1] is None:
            return None
        self.sides = [one for one in sides if one is not None]
        if sides[0].name == sides[1].name:
            view.say("from and to are the same connection; a sync joins two")
            return None
        both = self._switch("both")
        once = self._switch("once")
        if both and once:
            view.say("both and once exclude each other: what is moved once doesn't come back")
        what, all_known = self._what(once)
        pairs = PairReader(view, self.world, self.sides, self.folder, self.team)
        stages, people = pairs.stages(), pairs.people()
        reader = FieldReader(view, self.world, self.sides)
        fields = reader.fields(what, all_known, both or self._unclear("both"), bool(stages), bool(people))
        deleted, close = pairs.deleted(what)
        self._filter(what)
        return Sync(
            name or "", self.sides[0].name, self.sides[1].name, fields, reader.key(what), stages, pairs.back(), people,
            winner=reader.winner(view) or NEWEST, deleted=deleted, close=close, cap=self._cap(),
            quiet=self._switch("quiet"), once=once, both=both, breaker=breaker,
            file=view.node.file, line=view.line, path=view.path,
        )  # fmt: skip

    # --- the small keys --------------------------------------------------------------------------

    def _name(self) -> str | None:
        inner = self.view.get("name")
        if inner is None:
            self.view.say("a sync needs a name; it is part of every delivery's key, so choose one that stays")
            return None
        name = inner.word("name")
        if name is not None and not _NAME.match(name):
            inner.say(f'"{name}" should be one word of letters, digits, - and _: it is typed at the command line')
        return name

    def _side(self, key: str) -> ConnectionConfig | None:
        inner = self.view.get(key)
        if inner is None:
            self.view.say(f'a sync needs "{key}": the name of a connection')
            return None
        word = inner.word(key)
        return self.world.connection(word, inner) if word else None

    def _switch(self, key: str) -> bool:
        inner = self.view.get(key)
        return inner is not None and inner.switch()

    def _unclear(self, key: str) -> bool:
        """Return whether neither yes nor no was said: what follows from no isn't meant."""
        inner = self.view.get(key)
        return inner is not None and inner.text.strip().lower() not in YES | NO

    def _cap(self) -> int:
        inner = self.view.get("cap")
        word = inner.word("cap") if inner is not None else None
        if inner is None or word is None:
            return CAP
        match = _CAP.match(word)
        if match is None or not int(match[1]):
            inner.say(f'cap should read 500 per hour, not "{word}"')
            return CAP
        return int(match[1])

    # --- what ------------------------------------------------------------------------------------

    def _what(self, once: bool) -> tuple[list[str], bool]:
        """Return the records to be kept alike, and whether that is all that is meant."""
        inner = self.view.get("what")
        if inner is None:
            self.view.say(f"a sync needs what: the records, for example [contact, deal] ({listed(FIELDS)})")
            return [], False
        found, all_known = [], True
        for one in inner.words("what"):
            word = one.text.strip()
            if word in _LATER and once:
                one.later(f"a sync of {word} records; the others are carried")
            elif word not in FIELDS:
                one.say(f'"{word}" can\'t be kept alike; {listed(FIELDS)} can.{guess(word, FIELDS)}')
                all_known = False
            else:
                self._able(word, one, once)
                found.append(word)
        return list(dict.fromkeys(found)), all_known

    def _able(self, record: str, view: View, once: bool) -> None:
        """Report what a plugin lacks for it."""
        source, target = self.sides
        writers = [target] if once or not self._switch("both") else [source, target]
        for side in writers:
            if side.action(f"{record}.upsert") is None:
                names = [one.name for one in side.connector.actions]
                view.say(f"plugin {side.plugin} ({side.name}) has no action {record}.upsert (it has: {listed(names)})")
        for side in [source] if once else self.sides:
            if side.connector.pages is Connector.pages:
                view.say(f"plugin {side.plugin} ({side.name}) can't list its records, so nothing can be compared")

    def _filter(self, what: list[str]) -> None:
        for key, way, side in (("filter", "forward", 0), ("filter_back", "back", 1)):
            inner = self.view.get(key)
            if inner is None or not inner.mapping(what=key):
                continue
            triggers = [Trigger(self.sides[side].name, f"{record}.updated") for record in what]
            for record in what:
                reader = ConditionReader(Vocabulary(self.world, triggers, []))
                condition = reader.condition(inner)
                own = [test.path.root for test in condition.fields()]
                self.filters[way][record] = condition if not own or record in own else ALWAYS
            self.world.mentions.end_route()

    # --- routes ------------------------------------------------------------------------------------

    def routes(self, sync: Sync) -> Iterable[Route]:
        """Yield the routes a sync unfolds into: one for each record and way, each a single upsert."""
        for record in sync.records():
            for way in ("forward", "back"):
                if not sync.carried(record, way):
                    continue
                source = self.sides[0] if way == "forward" else self.sides[1]
                target = self.sides[1] if way == "forward" else self.sides[0]
                brings = {kind.name for kind in source.connector.events}
                on = tuple(Trigger(source.name, f"{record}.{verb}") for verb in _EVENTS if f"{record}.{verb}" in brings)
                do = Do(target.name, f"{record}.upsert")
                step = Step(0, sync.path, do, line=sync.line, priority="normal")
                yield Route(
                    sync.route_name(record, way), () if sync.once else on, self.filters[way].get(record, ALWAYS),
                    (step,), line=sync.line, path=sync.path, file=sync.file, sync=sync.name, way=way,
                )  # fmt: skip
        self.world.mentions.end_route()
