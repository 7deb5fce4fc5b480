"""The kinds of arguments that several commands take: ids, moments, headers."""

from __future__ import annotations

import datetime as dt
import re
from typing import Any

import click

from hub.cli.context import App

_ID = re.compile(r"([a-z]?)(\d{1,18})$")


class Id(click.ParamType[tuple[str, int]]):
    """An id as the hub prints it (`r12`, `e5`, `d7`, `a3`), or a bare number of the kind that is meant.

    whole: no bare number, where another thing's number may be meant just as well.
    """

    name = "id"

    def __init__(self, kinds: str, whole: bool = False) -> None:
        self.kinds, self.whole = kinds, whole

    def get_metavar(self, param: click.Parameter, ctx: click.Context) -> str:
        """Return how the help names it."""
        return "ID"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, int]:
        """Return (kind, number)."""
        if isinstance(value, tuple):
            return value
        found = _ID.match(str(value).lower())
        if found is None or found[1] not in (*([] if self.whole else [""]), *self.kinds):
            wanted = " or ".join(f"{kind}7" for kind in self.kinds)
            self.fail(f'"{value}" is no id; ids look like {wanted}', param, ctx)
        return found[1] or self.kinds[0], int(found[2])


class Since(click.ParamType[float]):
    """A moment in the past: `2h` ago, `3d` ago, `2026-05-01`, `2026-05-01 14:30` in the hub's time zone."""

    name = "since"

    def get_metavar(self, param: click.Parameter, ctx: click.Context) -> str:
        """Return how the help names it."""
        return "T"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Return epoch seconds."""
        if isinstance(value, float):
            return value
        from hub.paths import duration, instant

        seconds = duration(str(value))
        if seconds is not None:
            return (dt.datetime.now(dt.UTC) - dt.timedelta(seconds=seconds)).timestamp()
        app = ctx.find_object(App) if ctx is not None else None
        moment = instant(str(value), app.zone if app is not None else dt.UTC)
        if moment is None:
            self.fail(f'"{value}" is no time; write 2h, 3d, 2026-05-01 or "2026-05-01 14:30"', param, ctx)
        return moment.timestamp()


class Pair(click.ParamType[tuple[str, str]]):
    """Two texts with a mark between them: `K: V` of a header, `k=v` of a query."""

    name = "pair"

    def __init__(self, mark: str, example: str) -> None:
        self.mark, self.example = mark, example

    def get_metavar(self, param: click.Parameter, ctx: click.Context) -> str:
        """Return how the help names it."""
        return f'"{self.example}"'

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, str]:
        """Return both texts."""
        if isinstance(value, tuple):
            return value
        key, mark, rest = str(value).partition(self.mark)
        if not mark or not key.strip():
            self.fail(f'"{value}" should read "{self.example}"', param, ctx)
        return key.strip(), rest.strip()
