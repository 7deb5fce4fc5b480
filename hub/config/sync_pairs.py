"""Reads what of one side of a sync stands for what of the other: stages, employees; and what a deletion means."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hub.config.problems import guess, listed, nearest
from hub.config.shapes import ConnectionConfig
from hub.config.syncs import STAGED
from hub.config.view import View
from hub.config.world import Vocabulary, World
from hub.tables import Table, TableError, read_csv


class PairReader:
    """Reads the pairs of one sync; CSV files stand beside hub.yaml, in `folder`."""

    def __init__(
        self, view: View, world: World, sides: list[ConnectionConfig], folder: Path, team: dict[str, Any]
    ) -> None:  # fmt: skip
        self.view, self.world, self.sides, self.folder, self.team = view, world, sides, folder, team

    def stages(self) -> tuple[tuple[str, str], ...]:
        """Return the pairs of stages."""
        pairs = self._pairs("stages")
        codes = []
        for (one, place), (other, there) in pairs:
            codes.append((self._code(one, place, 0), self._code(other, there, 1)))
        return tuple(dict.fromkeys(codes))

    def _code(self, word: str, view: View, side: int) -> str:
        connection = self.sides[side]
        return Vocabulary(self.world, (), [connection.name]).stage(word, view, connection, "deal")

    def _pairs(self, key: str) -> list[tuple[tuple[str, View], tuple[str, View]]]:
        """Return pairs of words, each with its place: of a mapping, a list of pairs, a table or a CSV file."""
        inner = self.view.get(key)
        if inner is None:
            return []
        if inner.is_map:
            return [
                ((ours, one), (word, one)) for ours, one in inner.fields() if (word := self._counterpart(ours, one))
            ]
        if inner.is_list:
            pairs = [one.each() for one in inner.each()]
            for one in [pair for pair in pairs if len(pair) != 2]:
                one[0].say(f"a pair has two sides: [{self.sides[0].name}'s, {self.sides[1].name}'s]")
            return [((a.text.strip(), a), (b.text.strip(), b)) for a, b in (p for p in pairs if len(p) == 2)]
        word = inner.word(key)
        table = self._table(word, inner) if word else None
        if table is None:
            return []
        columns = [self.sides[0].name, self.sides[1].name]
        missing = [column for column in columns if column not in table.columns]
        if missing:
            inner.say(f'no column "{missing[0]}" in {word} ({listed(table.columns)}); it has one for each connection')
            return []
        found: list[tuple[tuple[str, View], tuple[str, View]]] = []
        for line, row in enumerate(table.rows, start=2):
            place = View(inner.node, f"{inner.path} ({word}:{line})", inner.log, inner.key_line)
            ours, theirs = row[columns[0]].strip(), row[columns[1]].strip()
            found += [((ours, place), (theirs, place))] if ours and theirs else []
        return found

    def _counterpart(self, ours: str, view: View) -> str | None:
        if view.is_text and not view.text.strip():
            here, there = self.sides
            view.say(f'"{ours}" of {here.name} has nothing beside it: write what stands for it at {there.name}')
            return None
        return view.word(f'what stands for "{ours}"')

    def _table(self, word: str, view: View) -> Table | None:
        if word in self.world.tables:
            return self.world.tables[word]
        if not word.endswith(".csv"):
            self.world.table(word, view)
            return None
        try:
            return read_csv(word, self.folder / word, word)
        except (TableError, OSError) as error:
            view.say(str(error))
            return None

    def back(self) -> frozenset[str]:
        """Return the stages that may be moved back to; `*` = any."""
        inner = self.view.get("back")
        if inner is None:
            return frozenset()
        if inner.is_text and inner.text.strip().lower() in ("yes", "no"):
            return frozenset("*") if inner.switch() else frozenset()
        found = set()
        for one in inner.words("back"):
            word = one.text.strip()
            own = [side for side in self.sides if word in side.names["stages"] or word in side.names["stages"].values()]
            if not own:
                words = [name for side in self.sides for name in side.names["stages"]]
                one.say(f'no stage "{word}" at {self.sides[0].name} or {self.sides[1].name}.{guess(word, words)}')
            found |= {side.stage_code(word) for side in own}
        return frozenset(found)

    def people(self) -> str | tuple[tuple[str, str], ...]:
        """Return the pairs of employees, or `email`."""
        inner = self.view.get("people")
        if inner is None:
            return ()
        if inner.is_text and inner.text.strip() == "email":
            return "email"
        if inner.is_text and inner.text.strip() == "team":
            names = [side.name for side in self.sides]
            rows = [row for key, row in self.team.items() if key != "groups" and isinstance(row, dict)]
            pairs = tuple((str(row[names[0]]), str(row[names[1]])) for row in rows if all(row.get(n) for n in names))
            if not pairs:
                inner.say(f"nobody in team has an id at both {names[0]} and {names[1]}")
            return pairs
        if inner.is_text and (near := nearest(inner.text.strip(), ("email", "team"), 0.6)):
            inner.say(f'"{inner.text.strip()}" is no table. Did you mean "{near}"?')
            return ()
        one, other = (side.names["users"] for side in self.sides)
        return tuple((one.get(a, a), other.get(b, b)) for (a, _), (b, _) in self._pairs("people"))

    def deleted(self, what: list[str]) -> tuple[str, dict[str, str]]:
        """Return what a deletion means, and the stages to close in."""
        inner, close = self.view.get("deleted"), self.view.get("close")
        policy = (inner.choice(("ignore", "unlink", "close"), "deleted") or "ignore") if inner is not None else "ignore"
        if policy != "close" or inner is None:
            if close is not None:
                close.say('"close" belongs to deleted: close')
            return policy, {}
        if not set(what) & set(STAGED):
            inner.say("only leads and deals have a stage to be closed in; write deleted: unlink")
        names = [side.name for side in self.sides]
        if close is None:
            inner.say(f"into which stage? Add close: {{{names[0]}: ..., {names[1]}: ...}}, words of names.stages")
            return policy, {}
        if not close.mapping(names, "close"):
            return policy, {}
        stages = {
            key: self._code(one.word(key) or "", one, names.index(key)) for key, one in close.fields() if key in names
        }
        return policy, stages
