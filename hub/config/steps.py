"""Reads one step: what it does, to which record, with which values."""

from __future__ import annotations

import fnmatch
import re
from typing import Any

from hub.conditions import ALWAYS, Condition
from hub.config.mentions import place_of
from hub.config.problems import guess, listed, nearest
from hub.config.shapes import Attach, ConnectionConfig, Do, Find, StageRule, Step
from hub.config.values import Target, allowed_keys
from hub.config.view import View
from hub.config.when import ConditionReader
from hub.config.world import Result, Vocabulary
from hub.connector import ActionKind
from hub.mapping import Line, Values
from hub.model import PARCEL_STATUSES
from hub.tables import LookUp

STEP_KEYS = (
    "do", "method", "find", "missing", "several", "set", "stage", "attach", "only_from", "back", "as", "when",
    "look_up", "where", "take", "stop", "optional", "refused", "limit", "order", "priority",
)  # fmt: skip
LATER_KEYS = ("send", "to", "with", "wait", "reply", "each", "steps")
_MISSING = ("create", "skip", "park", "alert")
_SEVERAL = ("oldest", "newest", "all", "park")
_ATTACH_AS = ("comment", "note", "task", "activity")
PRIORITIES = ("urgent", "normal", "bulk")
_OPEN = re.compile(r"^open ([a-z]+)$")
_NAME = re.compile(r"^[^\W\d]\w*$")
_DEEPEST = 4


class StepReader:
    """Reads the steps of one route."""

    def __init__(self, vocabulary: Vocabulary) -> None:
        self.vocabulary = vocabulary
        self.conditions = ConditionReader(vocabulary)
        self.values = self.conditions.values
        self.later = vocabulary.later

    def step(self, view: View, index: int, *, known: tuple[str, ...] = (), depth: int = 0) -> Step:
        """Return one step. `known` are further keys that may stand there (those of a route)."""
        view.unknown((*STEP_KEYS, *LATER_KEYS, *known))
        self.later += [key for key in LATER_KEYS if key in view and not (key == "steps" and "steps" in known)]
        self._one_act(view)
        do, connection, kind = self._do(view)
        target = Target(connection, kind)
        given: dict[str, Any] = {}
        given["when"] = self._when(view) if "on" not in known else ALWAYS
        given["look_up"] = self._look_up(view)
        given["find"] = self._find(view, target)
        given["set"] = self._set(view, target, do)
        given["stage"] = self._stage(view, do, connection)
        given["attach"] = self._attach(view)
        for key, words in (("missing", _MISSING), ("several", _SEVERAL)):
            inner = view.get(key)
            given[key] = inner.choice(words, key) if inner is not None else None
        if do is not None and do.verb == "update" and given["missing"] == "create":
            (view.get("missing") or view).say(f"{do} never makes a record; write {do.record}.upsert for that")
        for key in ("only_from", "back"):
            inner = view.get(key)
            given[key] = self._stages(inner, connection, do) if inner is not None else ()
        given["stop"] = self._stop(view)
        given["optional"] = (inner := view.get("optional")) is not None and inner.switch()
        given["limit"] = inner.integer("limit") if (inner := view.get("limit")) is not None else None
        given["order"] = inner.word("order") if (inner := view.get("order")) is not None else None
        given["priority"] = (
            inner.choice(PRIORITIES, "priority") if (inner := view.get("priority")) is not None else None
        )
        self._unbuilt(view, depth)
        given["refused"] = self._refused(view, index, depth)
        given["as_"] = self._as(view, do, connection)
        if connection is not None:
            given["stage_words"] = {code: word for word, code in reversed(connection.names["stages"].items())}
        return Step(index, view.path, do, line=view.line, **given)

    def _one_act(self, view: View) -> None:
        acts = [key for key in ("do", "send", "wait", "reply", "steps", "each") if key in view]
        if ("each" in acts and "steps" in acts) or ("each" in acts and "do" in acts):
            acts.remove("each")
        acts = [key for key in acts if key != "wait"]
        if len(acts) > 1:
            view.say(f'"{acts[0]}" and "{acts[1]}" exclude each other; make two steps of them')
        if not acts and not {"look_up", "stop", "wait", "each"} & set(view):
            view.say("nothing is done here: give do, send or steps")

    def _when(self, view: View) -> Condition:
        inner = view.get("when")
        return self.conditions.condition(inner) if inner is not None else ALWAYS

    # --- do ------------------------------------------------------------------------------------

    def _do(self, view: View) -> tuple[Do | None, ConnectionConfig | None, ActionKind | None]:
        inner = view.get("do")
        word = inner.word("do") if inner is not None else None
        if inner is None or word is None:
            if "method" in view:
                view.say('"method" belongs to do: connection.api')
            return None, None, None
        name, dot, action = word.partition(".")
        method_view = view.get("method")
        method = (method_view.word("method") or "") if method_view is not None else ""
        if not dot or not action:
            inner.say(f'"{word}" should read connection.record.verb, for example crm.lead.upsert')
            return None, None, None
        connection = self.vocabulary.world.connection(name, inner)
        do = Do(name, action, method)
        if connection is None:
            if name in self.vocabulary.world.planned:
                self.later.append(f"plugin {self.vocabulary.world.planned[name]}")
            return do, None, None
        if action == "api":
            if not method:
                inner.say("api needs the vendor's method beside it, for example method: crm.status.list")
            return do, connection, connection.action("api")
        if method:
            inner.say(f'"method" belongs to {name}.api, not to {word}')
        kind = connection.action(action)
        if kind is None:
            kind = next((one for one in connection.connector.actions if fnmatch.fnmatch(action, one.name)), None)
        if kind is None:
            names = [one.name for one in connection.connector.actions]
            hint = guess(action, names) or (f" It has: {listed(names, 40)}." if names else " It takes no actions.")
            inner.say(f'no action "{action}" in plugin {connection.plugin}.{hint}')
        return do, connection, kind

    # --- which record ------------------------------------------------------------------------------

    def _find(self, view: View, target: Target) -> Find | None:
        inner = view.get("find")
        if inner is None:
            return None
        if inner.is_map:
            return Find(None, self.values.values(inner, Target(target.connection, target.kind, bare=True)))
        word = inner.word("find")
        if word is None:
            return None
        if not self.vocabulary.is_path(word, bare=True) and word not in self.vocabulary.declared:
            roots = sorted(self.vocabulary.roots())
            inner.say(
                f'"{word}" is no record; write a record, an "as" name or fields to search by.{guess(word, roots)}'
            )
            return None
        return Find(self.vocabulary.path(word, inner))

    def _attach(self, view: View) -> Attach | None:
        inner = view.get("attach")
        if inner is None or not inner.mapping(("to", "within", "as"), "attach"):
            return None
        to = inner.get("to")
        pairs: list[tuple[str, str]] = []
        if to is None:
            inner.say("attach needs to: for example [open deal, open lead]")
        for one in to.words("to") if to is not None else ():
            match = _OPEN.match(one.text.strip())
            if match is None or match[1] not in ("deal", "lead", "contact", "company", "task", "order"):
                one.say(f'"{one.text}" should read open deal or open lead')
            else:
                pairs.append(("open", match[1]))
        within, as_ = inner.get("within"), inner.get("as")
        how = as_.choice(_ATTACH_AS, "as") if as_ is not None else "comment"
        return Attach(tuple(pairs), within.seconds("within") if within is not None else None, how or "comment")

    # --- values ------------------------------------------------------------------------------------

    def _set(self, view: View, target: Target, do: Do | None) -> Values:
        inner = view.get("set")
        values = self.values.values(inner, target) if inner is not None else Values()
        if do is None or target.kind is None:
            return values
        allowed, open_ = allowed_keys(target, do.record)
        if inner is not None and target.connection is not None:
            record, mentions = target.kind.writes or target.kind.record, self.vocabulary.world.mentions
            for line in values:
                mentions.name(target.connection.name, "field", line.key, inner.get(line.word) or inner, record)
        if inner is not None and not open_:
            for line in values:
                self._key(line, inner, target, allowed)
        given = {line.key for line in values} | {line.word for line in values}
        missing = [name for name in target.kind.required if name not in given]
        if missing and not (do.verb == "upsert" and "find" in view):
            view.say(f"{do} needs {listed(missing)} in set")
        return values

    def _key(self, line: Line, view: View, target: Target, allowed: frozenset[str]) -> None:
        connection = target.connection
        if connection is None or line.word in allowed or line.key in allowed:
            return
        if re.fullmatch(connection.connector.vendor_field, line.key):
            if target.kind is not None:
                record = target.kind.writes or target.kind.record
                place = view.get(line.word) or view
                self.vocabulary.world.mentions.add(connection, "field", record, line.key, place)
            return
        place = view.get(line.word) or view
        near = nearest(line.word, allowed)
        hint = (
            f' Did you mean "{near}"?'
            if near
            else f" Our words for its fields stand in connections.{connection.name}.names.fields."
        )
        place.say(f'no field "{line.word}" at {connection.name}.{hint}')

    # --- stages --------------------------------------------------------------------------------------

    def _stage(self, view: View, do: Do | None, connection: ConnectionConfig | None) -> StageRule | None:
        inner = view.get("stage")
        if inner is None:
            if do is not None and do.verb == "set_stage" and "set" not in view:
                view.say(f"{do} needs stage: a stage, or a map of statuses")
            return None
        if do is not None and do.verb != "set_stage":
            inner.say(f'"stage" belongs to set_stage; here write set: {{stage: {inner.text or "..."}}}')
        if not inner.is_map:
            word = inner.word("stage")
            if word is None:
                return None
            return StageRule(self._code(word, inner, connection, do), place=place_of(inner))
        table = {}
        parcels = any(one.type.startswith("parcel.") for one in self.vocabulary.triggers)
        for status, one in inner.fields():
            if parcels and status != "other" and status not in PARCEL_STATUSES:
                one.say(f'no parcel status "{status}" ({listed(PARCEL_STATUSES, 20)}).{guess(status, PARCEL_STATUSES)}')
            word = one.word("a stage")
            if word is not None:
                table[status] = word if word in ("ignore", "alert") else self._code(word, one, connection, do)
        return StageRule("", table, place_of(inner))

    def _stages(self, view: View, connection: ConnectionConfig | None, do: Do | None) -> tuple[str, ...]:
        return tuple(self._code(one.text.strip(), one, connection, do) for one in view.words())

    def _code(self, word: str, view: View, connection: ConnectionConfig | None, do: Do | None) -> str:
        if connection is None:
            return word
        return self.vocabulary.stage(word, view, connection, do.record if do is not None else "")

    # --- tables ----------------------------------------------------------------------------------------

    def _look_up(self, view: View) -> LookUp | None:
        inner = view.get("look_up")
        if inner is None:
            for key in ("where", "take"):
                if key in view:
                    view.say(f'"{key}" belongs to look_up')
            return None
        source = inner if inner.is_map else view
        name_view = inner.get("table") if inner.is_map else inner
        if inner.is_map:
            inner.unknown(("table", "where", "take", "as"))
        if name_view is None:
            inner.say("look_up needs the name of a table")
            return None
        name = name_view.word("the table")
        table = self.vocabulary.world.table(name, name_view) if name else None
        where_view, take_view = source.get("where"), source.get("take")
        where = self.values.values(where_view, Target()) if where_view is not None else Values()
        take = (take_view.word("take") or "first") if take_view is not None else "first"
        if take not in ("first", "all") and not take.startswith("sum ") and take_view is not None:
            take_view.say(f'take is first, all or sum COLUMN, not "{take}"')
        if table is None:
            return None
        columns = [(key, one) for key, one in where_view.fields()] if where_view is not None else []
        if take.startswith("sum ") and take_view is not None:
            columns.append((take[4:].strip(), take_view))
        for column, place in columns:
            if column not in table.columns:
                hint = guess(column, table.columns)
                place.say(f'no column "{column}" in table {table.name} ({listed(table.columns)}).{hint}')
        return LookUp(table, where, take)

    # --- the rest -----------------------------------------------------------------------------------------

    def _stop(self, view: View) -> Any:
        inner = view.get("stop")
        if inner is None or inner.word("stop") is None:
            return None
        return self.values.template(inner)

    def _refused(self, view: View, index: int, depth: int) -> tuple[Step, ...]:
        inner = view.get("refused")
        if inner is None:
            return ()
        if depth >= _DEEPEST:
            inner.say("refused inside refused goes too deep")
            return ()
        before = set(self.vocabulary.extras)
        self.vocabulary.extras.add("error")
        steps = []
        for place, one in enumerate(inner.each()):
            if one.mapping(what="refused"):
                made = self.step(one, index * 100 + place, depth=depth + 1)
                if made.do is None and not self.later:
                    one.say("refused takes acts: give it a `do` (the run ends behind it by itself)")
                steps.append(made)
        self.vocabulary.extras = before
        return tuple(steps)

    def _unbuilt(self, view: View, depth: int) -> None:
        """Look at the parts of later levels far enough to know their names and to find slips in them."""
        wait = view.get("wait")
        if wait is not None and wait.is_map and "event" in wait and "up_to" not in wait:
            wait.warn("wait without up_to: a client who never answers leaves this open for ever. Add up_to.")
        each, steps = view.get("each"), view.get("steps")
        if each is None:
            return
        self.vocabulary.extras.add("item")
        if steps is not None and depth < _DEEPEST:
            for place, one in enumerate(steps.each()):
                if one.mapping(what="a step"):
                    self.step(one, place, depth=depth + 1)

    def _as(self, view: View, do: Do | None, connection: ConnectionConfig | None) -> str | None:
        inner = view.get("as")
        look_up = view.get("look_up")
        if inner is None and look_up is not None and look_up.is_map:
            inner = look_up.get("as")
        word = inner.word("as") if inner is not None else None
        if inner is None or word is None:
            return None
        if not _NAME.match(word):
            inner.say(f'"{word}" should be one word of letters, digits and _')
            return None
        if look_up is not None:
            name = look_up.text if look_up.is_text else getattr(look_up.get("table"), "text", "")
            table = self.vocabulary.world.tables.get(name)
            fields = frozenset((*table.columns, "rows", "count", "value")) if table is not None else None
            result = Result(fields)
        elif do is not None:
            result = self.vocabulary.result_of(connection, do.action)
        else:
            result = Result()
        self.vocabulary.results[word] = result
        return word


def find_as_names(view: View, found: dict[str, int], depth: int = 0) -> dict[str, int]:
    """Return every `as` name of a route with its line, those in nested steps included."""
    if view.is_list and depth < 12:
        for one in view.each():
            find_as_names(one, found, depth + 1)
    elif view.is_map and depth < 12:
        for key, one in view.fields():
            if key == "as" and one.is_text and not view.path.endswith(".attach"):
                found.setdefault(one.text.strip(), one.line)
            elif key in ("steps", "refused", "look_up"):
                find_as_names(one, found, depth + 1)
    return found
