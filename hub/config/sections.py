"""The small sections of the file: hub, people, tables, team, and those that later levels bring."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, available_timezones

from hub.config.people import PeopleReader
from hub.config.problems import nearest
from hub.config.shapes import KEEP, HubSettings, People
from hub.config.syncs import BREAKER
from hub.config.view import View
from hub.config.world import World
from hub.tables import Table, TableError, from_rows, read_csv

_HUB = ("base_url", "timezone", "region", "keep", "unrouted", "plugins_dir", "database_url", "redis_url",
        "sync_breaker", "reconcile")  # fmt: skip
#: section -> shape, for those that aren't built yet
_LATER = {"calendars": "map", "messages": "map", "metrics": "map", "chats": "list"}
_DAILY = re.compile(r"^every day at (\d{1,2}):(\d{2})$")
_REGION = re.compile(r"^[A-Z]{2}$")


class _Digest(Protocol):
    def update(self, data: bytes, /) -> None: ...


class Sections:
    """Reads the small sections of one file; `digest` takes in what tables hold."""

    def __init__(self, view: View, world: World, folder: Path, digest: _Digest, environ: Mapping[str, str]) -> None:
        self.view, self.world, self.folder, self.digest, self.environ = view, world, folder, digest, environ

    def hub(self) -> HubSettings:
        """Return the section `hub`; addresses of database and Redis may come from the environment."""
        given: dict[str, Any] = {
            "database_url": self.environ.get("DATABASE_URL", ""), "redis_url": self.environ.get("REDIS_URL", ""),
        }  # fmt: skip
        view = self.view.get("hub")
        if view is None or not view.mapping(_HUB, "hub"):
            return HubSettings(**given)
        for key, one in view.fields():
            if key == "keep":
                given[key] = one.seconds("keep") or KEEP
            elif key == "sync_breaker":
                given[key] = one.integer("sync_breaker") or BREAKER
            elif key == "reconcile":
                given[key] = _daily(one)
            elif key == "unrouted":
                given[key] = one.choice(("ignore", "alert"), "unrouted") or "alert"
            elif key in _HUB and (word := one.word(key)) is not None:
                given[key] = word
                _HUB_CHECKS.get(key, lambda _view, _word: None)(one, word)
        if "plugins_dir" in given:
            given["plugins_dir"] = self.folder / given["plugins_dir"]
        if not _is_zone(given.get("timezone", "UTC")):
            given["timezone"] = "UTC"
        return HubSettings(**given)

    def tables(self) -> None:
        """Put the tables into the world."""
        view = self.view.get("tables")
        if view is None or not view.mapping(what="tables"):
            return
        for name, one in view.fields():
            table = self._table(name, one)
            if table is None:
                self.world.broken_tables.add(name)
            else:
                self.world.tables[name] = table

    def _table(self, name: str, view: View) -> Table | None:
        try:
            if view.is_list:
                rows = [one for one in view.each() if one.mapping(what="a row")]
                if not rows:
                    view.say("the table has no rows")
                return from_rows(name, [one.node.plain() for one in rows])
            file = view.word("the file of the table")
            if file is None:
                return None
            path = self.folder / file
            if path.is_file():
                self.digest.update(path.read_bytes())
            return read_csv(name, path, file)
        except (TableError, OSError) as error:
            view.say(str(error))
            return None

    def people(self) -> People:
        """Return the section `people`."""
        view = self.view.get("people")
        people = PeopleReader(view, self.world).people() if view is not None else People()
        self.world.has_clients = bool(people.client)
        return people

    def team(self) -> dict[str, Any]:
        """Return the section `team`: name -> ids per connection, and `groups`."""
        view = self.view.get("team")
        if view is None or not view.mapping(what="team"):
            return {}
        for name, one in view.fields():
            if one.mapping(what=name) and name == "groups":
                for _, group in one.fields():
                    for member in group.words("a member"):
                        if member.text not in view:
                            near = nearest(member.text, [key for key in view if key != "groups"])
                            member.say(
                                f'nobody in team is called "{member.text}".'
                                + (f' Did you mean "{near}"?' if near else "")
                            )
            elif one.is_map:
                for connection, code in one.fields():
                    if connection in self.world.connections and code.is_text:
                        self.world.mentions.name(connection, "user", code.text.strip(), code)
        plain: dict[str, Any] = view.node.plain()
        return plain

    def later(self) -> None:
        """Note the sections that aren't built yet, once each."""
        for name, shape in _LATER.items():
            view = self.view.get(name)
            if view is None:
                continue
            if view.node.kind != shape:
                view.say(f'"{name}" should be a {"mapping" if shape == "map" else "list"}')
                continue
            view.later(f'the section "{name}"; it is read and does nothing')


def _daily(view: View) -> tuple[int, int] | None:
    """Return hour and minute of `every day at 03:00`; None after reporting anything else."""
    word = view.word("reconcile") or ""
    match = _DAILY.match(word)
    if match is None or int(match[1]) > 23 or int(match[2]) > 59:
        if word:
            view.say(f'reconcile should read "every day at 03:00", not "{word}"')
        return None
    return int(match[1]), int(match[2])


def _is_zone(name: str) -> bool:
    try:
        ZoneInfo(name)
    except (ValueError, OSError, LookupError):
        return False
    return True


def _check_url(view: View, word: str) -> None:
    try:
        parts = urlsplit(word)
    except ValueError:
        parts = urlsplit("")
    if not view.node.unset and (parts.scheme not in ("http", "https") or not parts.netloc):
        view.say(f'base_url should read https://hub.example.com, not "{word}"')


def _check_zone(view: View, word: str) -> None:
    if not _is_zone(word):
        near = nearest(word, available_timezones())
        view.say(f'no time zone "{word}"; write it like Europe/Kyiv.' + (f' Did you mean "{near}"?' if near else ""))


def _check_region(view: View, word: str) -> None:
    if not _REGION.match(word):
        view.say(f'region is a country of two letters like UA, not "{word}"')


_HUB_CHECKS = {"base_url": _check_url, "timezone": _check_zone, "region": _check_region}
