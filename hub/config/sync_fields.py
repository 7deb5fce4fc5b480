"""Reads what a sync carries (`fields`) and how twins know each other (`key`)."""

from __future__ import annotations

import re

from hub.config.problems import guess, nearest
from hub.config.shapes import ConnectionConfig
from hub.config.syncs import FIELDS, NEWEST, REFERENCES, STAGED, SyncField, SyncKey
from hub.config.view import View
from hub.config.world import World
from hub.records import known_fields

_WAYS = ("both", "forward", "back")
_SETS = {"phone": "phones", "phones": "phones", "email": "emails", "emails": "emails"}


class FieldReader:
    """Reads the fields of one sync. `sides` are the connections at `from` and `to`."""

    def __init__(self, view: View, world: World, sides: list[ConnectionConfig]) -> None:
        self.view, self.world, self.sides = view, world, sides
        self._one_way = False  # whether that is said already

    def winner(self, view: View) -> str:
        """Return who wins where both sides have changed; "" where nothing is said."""
        inner = view.get("winner")
        if inner is None:
            return ""
        return inner.choice((NEWEST, *(one.name for one in self.sides)), "winner") or ""

    def fields(
        self, what: list[str], all_known: bool, both: bool, stages: bool, people: bool
    ) -> dict[str, tuple[SyncField, ...]]:
        """Return record -> what is carried of it; `stages`, `people`: whether pairs are given.

        all_known: `what` names all records that are meant; else nothing is said about those it doesn't name.
        """
        inner = self.view.get("fields")
        usual = "both" if both else "forward"
        found: dict[str, list[SyncField]] = {}
        given: dict[str, View] = {}
        if inner is not None and inner.mapping(what="fields"):
            per_record = [key for key, one in inner.fields() if one.is_map and key in FIELDS]
            if per_record:
                if all_known:
                    inner.unknown(what)
                given = {key: one for key, one in inner.fields() if key in what}
            elif len(what) == 1:
                given = {what[0]: inner}
            elif what:
                inner.say(f"say of which record: fields: {{{what[0]}: {{...}}, {what[-1]}: {{...}}}}")
        for record in what:
            known = given.get(record)
            if known is None:
                found[record] = [self._made(word, word, word, usual, "") for word in FIELDS[record]]
            elif known.mapping(what=f"fields of {record}"):
                found[record] = [
                    one for word, each in known.fields() if (one := self._field(record, word, each, usual))
                ]
            more = [("responsible", people), ("stage", stages and record in STAGED)]
            more += [(name, name in what) for name in REFERENCES.get(record, ())]
            named = {one.word for one in found.get(record, ())}
            for word, wanted in more:
                if wanted and word not in named:
                    found[record].append(self._made(word, word, word, usual, ""))
            for one in found.get(record, ()):
                if one.kind == "stage" and not stages:
                    (known or self.view).say("stage is carried by pairs: give stages: {new: their_new, ...}")
        return {record: tuple(some) for record, some in found.items()}

    def _field(self, record: str, word: str, view: View, usual: str) -> SyncField | None:
        there, way, winner = word, usual, ""
        if view.is_map:
            view.unknown(("to", "way", "winner"))
            to, how = view.get("to"), view.get("way")
            there = (to.word("to") or word) if to is not None else word
            way = (how.choice(_WAYS, "way") or usual) if how is not None else usual
            winner = self.winner(view)
        else:
            text = view.word(word)
            if text is None:
                return None
            if text in (*_WAYS, "leave"):
                way = text
            elif (near := nearest(text, _WAYS, 0.6)) and not self._knows(self.sides[1], record, text):
                view.say(
                    f'"{text}" is neither a way nor a field of {record} at {self.sides[1].name}. Did you mean "{near}"?'
                )
                return None
            else:
                there = text
        if way == "leave":
            return None
        if way != "forward" and usual == "forward" and not self._one_way:
            self._one_way = True
            view.say(
                f"this sync goes one way, from {self.sides[0].name} to {self.sides[1].name}; write both: yes at it"
            )
        if not self._known_on_both(record, (word, there), view) or not self._written(record, (word, there), way, view):
            return None
        return self._made(word, self.sides[0].field_code(word), self.sides[1].field_code(there), way, winner)

    @staticmethod
    def _made(word: str, one: str, other: str, way: str, winner: str) -> SyncField:
        kinds = {
            **_SETS,
            "stage": "stage",
            "responsible": "responsible",
            "contact": "reference",
            "company": "reference",
        }
        kind = kinds.get(word, "plain") if one == word else "plain"
        return SyncField(word, one, other, way, winner, kind)

    def _known_on_both(self, record: str, words: tuple[str, str], view: View) -> bool:
        if words[0] == words[1] and not any(self._knows(side, record, words[0]) for side in self.sides):
            here, there = self.sides
            known = [*known_fields(record), *here.names["fields"], *there.names["fields"]]
            hint = guess(words[0], known) or " Our words for their fields stand in names.fields of each."
            view.say(f'no field "{words[0]}" in {record} at {here.name} or {there.name}.{hint}')
            return False
        known_there = [self._known(record, word, side, view) for word, side in zip(words, self.sides, strict=True)]
        return all(known_there)

    def _known(self, record: str, word: str, side: ConnectionConfig, view: View) -> bool:
        if self._knows(side, record, word):
            code = side.field_code(word)
            if code not in known_fields(record) and re.fullmatch(side.connector.vendor_field, code):
                self.world.mentions.add(side, "field", record, code, view)
            return True
        words = [*known_fields(record), *side.names["fields"]]
        hint = guess(word, words) or f" Our words for its fields stand in connections.{side.name}.names.fields."
        view.say(f'no field "{word}" in {record} at {side.name}.{hint}')
        return False

    def _written(self, record: str, words: tuple[str, str], way: str, view: View) -> bool:
        """Return whether the plugins can write the field where it goes; says so where one can't."""
        ends = {"forward": (1,), "back": (0,), "both": (1, 0)}[way]
        closed = [place for place in ends if not self._takes(self.sides[place], record, words[place])]
        if not closed:
            return True
        side, word = self.sides[closed[0]], words[closed[0]]
        one_way = (
            f'carry it one way ("{words[0]}: {"back" if closed[0] else "forward"}"), '
            if len(closed) < len(ends)
            else ""
        )
        view.say(
            f'"{word}" of a {record} can\'t be written at {side.name}; {one_way}leave it out, or pair it with a '
            f"field of theirs that connections.{side.name}.names.fields gives a word"
        )
        return False

    @staticmethod
    def _takes(side: ConnectionConfig, record: str, word: str) -> bool:
        """Return whether an upsert of this record can write a field; a plugin that doesn't say takes all it knows."""
        code = side.field_code(word)
        kinds = [kind for kind in side.connector.actions if kind.name == f"{record}.upsert"]
        if (
            code in REFERENCES.get(record, ())
            or code in ("stage", "responsible")
            or re.fullmatch(side.connector.vendor_field, code)
        ):
            return True
        return all(kind.words is None or code in kind.words for kind in kinds)

    @staticmethod
    def _knows(side: ConnectionConfig, record: str, word: str) -> bool:
        declared = {name for kind in side.connector.events if kind.record == record for name in kind.fields}
        known = known_fields(record) | set(side.names["fields"]) | declared
        return word in known or re.fullmatch(side.connector.vendor_field, word) is not None

    # --- key -------------------------------------------------------------------------------------

    def key(self, what: list[str]) -> dict[str, tuple[SyncKey, ...]]:
        """Return record -> how its twins know each other."""
        inner = self.view.get("key")
        usual = {record: tuple(SyncKey(k, k) for k in ("phone", "email")) for record in what if record == "contact"}
        if inner is None:
            return usual
        if inner.is_map and set(inner) and set(inner) <= set(FIELDS):
            inner.unknown(what)
            return {**usual, **{rec: self._keys(rec, one) for rec, one in inner.fields() if rec in what}}
        return {record: self._keys(record, inner) for record in what}

    def _keys(self, record: str, view: View) -> tuple[SyncKey, ...]:
        found = []
        for one in view.each():
            if one.is_map:  # {umnico: id}: their field `umnico` holds our id
                for there, here in one.fields():
                    word = here.word("key") or ""
                    pairs = zip((word, there), self.sides, strict=True)
                    if all([name == "id" or self._known(record, name, side, here) for name, side in pairs]):
                        found.append(SyncKey(self.sides[0].field_code(word), self.sides[1].field_code(there)))
            elif (text := one.word("key")) is not None and all(
                [self._known(record, text, side, one) for side in self.sides]
            ):
                found.append(SyncKey(self.sides[0].field_code(text), self.sides[1].field_code(text)))
        return tuple(dict.fromkeys(found))
