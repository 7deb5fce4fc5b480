"""Reads `people`: how humans are recognised, which of their values stands, who is a client, what is merged."""

from __future__ import annotations

from typing import Any

from hub import golden
from hub.config.problems import guess, listed, nearest
from hub.config.shapes import ClientRule, MergeRule, People, Trigger
from hub.config.view import View
from hub.config.when import ConditionReader
from hub.config.world import Vocabulary, World, knows
from hub.identity import HISTORY
from hub.tables import Table

_PEOPLE = ("match", "fill", "several", "block", "client", "merge", "nobody", "nobody_after", "unverified")
KINDS = ("phone", "email", "handle")
_FILL = ("empty_only", "newest")
CARRY = ("deals", "notes", "tags", "tasks")
_ELSE = ("suspects", "ignore")


class PeopleReader:
    """Reads one section."""

    def __init__(self, view: View, world: World) -> None:
        self.view, self.world = view, world

    def people(self) -> People:
        """Return the section; what is wrong in it is reported and left out."""
        if not self.view.mapping(_PEOPLE, "people"):
            return People()
        given: dict[str, Any] = {}
        for key, one in self.view.fields():
            if key == "match":
                words = [item.choice(KINDS, "match") for item in one.each()]
                given[key] = tuple(word for word in words if word)
            elif key == "fill":
                given["fill"], given["survive"] = self._fill(one)
            elif key == "several":
                given[key] = one.choice(("oldest", "newest", "park"), "several") or "oldest"
            elif key == "block":
                given[key] = self._block(one)
            elif key == "nobody":
                given[key] = frozenset(item.text.strip() for item in one.words("nobody"))
            elif key == "nobody_after":
                given[key] = one.integer("nobody_after", 2, 1000) or 30
            elif key == "unverified":
                given[key] = frozenset(self._connections(one, key))
            elif key == "client":
                given[key] = self._client(one)
        if (merge := self.view.get("merge")) is not None:
            given["merge"] = self._merge(merge, given.get("match", People().match))
        return People(**given)

    # --- fill ---------------------------------------------------------------------------------------

    def _fill(self, view: View) -> tuple[str | tuple[str, ...], dict[str, Any]]:
        """Return the general rule and those of single fields: `{prefer: [crm], name: longest, phone: all}`."""
        if not view.is_map:
            return view.choice(_FILL, "fill") or "empty_only", {}
        rule: str | tuple[str, ...] = "empty_only"
        survive: dict[str, Any] = {}
        view.unknown(("prefer", "other", *golden.FIELDS))
        for key, one in view.fields():
            if key == "prefer":
                rule = ("prefer", *self._connections(one))
            elif key == "other":
                rule = one.choice(_FILL, "other") or "empty_only"
            elif key in golden.FIELDS and one.is_map:
                one.unknown(("prefer",))
                if (prefer := one.get("prefer")) is not None:
                    survive[key] = self._connections(prefer)
            elif key in golden.FIELDS and (word := one.choice(golden.SURVIVES, key)) is not None:
                survive[key] = word
        if "prefer" in view and "other" in view:
            view.say("prefer and other both say what holds for the remaining fields; write one of them")
        return rule, survive

    def _connections(self, view: View, key: str = "prefer") -> tuple[str, ...]:
        names = view.words(key)
        for one in names:
            self.world.connection(one.text.strip(), one)
        return tuple(one.text.strip() for one in names)

    # --- block --------------------------------------------------------------------------------------

    def _block(self, view: View) -> tuple[Table, tuple[str, ...]] | None:
        if not view.mapping(("table", "by"), "block"):
            return None
        name, by = view.get("table"), view.get("by")
        table = self.world.table(name.word("table") or "", name) if name is not None else None
        keys = [one.choice(KINDS, "by") for one in by.each()] if by is not None else ["phone"]
        if name is None:
            view.say("block needs a table")
        if table is None:
            return None
        for key in keys:
            if key and key not in table.columns:
                columns = listed(table.columns, 30)
                view.say(f'no column "{key}" in table {table.name} ({columns}).{guess(key, table.columns)}')
        return table, tuple(key for key in keys if key)

    # --- client -------------------------------------------------------------------------------------

    def _client(self, view: View) -> tuple[ClientRule, ...]:
        """Return which records make a person a client: `{has: [crm.deal: {deal.stage: won}]}`."""
        if not view.mapping(("has",), "client"):
            return ()
        has = view.get("has")
        if has is None:
            view.say("client needs has: the records that make a person a client, {has: [crm.deal: {deal.stage: won}]}")
            return ()
        found: list[ClientRule] = []
        for one in has.each():
            if not one.mapping(what="a record of has, like crm.deal: {deal.stage: won},"):
                continue
            for name, condition in one.fields():
                if (rule := self._client_rule(name, condition)) is not None:
                    found.append(rule)
        return tuple(found)

    def _client_rule(self, name: str, view: View) -> ClientRule | None:
        where, _, record = name.partition(".")
        if record not in HISTORY:
            kinds = sorted(HISTORY)
            hint = guess(record, kinds)
            view.say(f'"{name}" should read connection.record, the record one of {", ".join(kinds)}.{hint}')
            return None
        connection = self.world.connection(where, view)
        if connection is not None and not knows(connection, record):
            view.say(f"plugin {connection.plugin} tells of no {record} records")
        vocabulary = Vocabulary(self.world, [Trigger(where, f"{record}.updated")], [])
        condition = ConditionReader(vocabulary).condition(view)
        for path in condition.paths():
            if path.root not in (record, "now"):
                view.say(f"{path.text}: only fields of {record} can be looked at here, as they were last seen")
        for later in vocabulary.later:
            view.later(f"{later} in people.client")
        return ClientRule(where, record, condition) if connection is not None else None

    # --- merge --------------------------------------------------------------------------------------

    def _merge(self, view: View, match: tuple[str, ...]) -> MergeRule | None:
        if not view.mapping(("auto", "carry", "else"), "merge"):
            return None
        auto, carry, other = view.get("auto"), view.get("carry"), view.get("else")
        words = [f"same {kind}" for kind in match]
        chosen = [self._auto(one, match, words) for one in auto.each()] if auto is not None else words
        carried = [one.choice(CARRY, "carry") for one in carry.each()] if carry is not None else CARRY
        return MergeRule(
            tuple(word.removeprefix("same ") for word in chosen if word),
            tuple(word for word in carried if word),
            (other.choice(_ELSE, "else") if other is not None else None) or "suspects",
        )

    @staticmethod
    def _auto(view: View, match: tuple[str, ...], words: list[str]) -> str | None:
        near = nearest(view.text.strip(), match, 0.6) if view.is_text and view.text.strip() not in words else None
        if near:
            view.say(f'auto can\'t be "{view.text.strip()}". Did you mean "same {near}"?')
            return None
        return view.choice(words, "auto")
