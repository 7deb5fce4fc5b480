"""What routes may speak of: connections, tables, transforms; and, inside one route, records, results, vendor fields."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from hub.config.mentions import Mentions
from hub.config.problems import guess, listed, nearest
from hub.config.shapes import ConnectionConfig, Trigger
from hub.config.view import View
from hub.mapping import TRANSFORMS
from hub.paths import Path
from hub.records import COMMON, FIELDS, OPEN_RECORDS, known_fields
from hub.tables import Table
from hub.templates import Templates

_PATH = re.compile(r"^[^\W\d]\w*(?:\.[\w-]+)+$")
_LIKE_PATH = re.compile(r"^[a-z_]+(?:\.[a-z_][a-z0-9_]*)+$")
_WORD = re.compile(r"^[a-z][a-z_]*[a-z0-9_]*$")
#: parts that a text field may have all the same: the record behind an id
_BEHIND = frozenset({"stage", "pipeline", "responsible", "by", "contact", "company", "deal", "lead"})
_LIST = ("rows", "count", "value", "sum")

#: what the hub will know of a person once it keeps figures; until then a condition on it would never hold
_PERSON_LATER = frozenset({"order_number"})


@dataclass
class World:
    """All of the configuration that routes refer to."""

    connections: dict[str, ConnectionConfig] = field(default_factory=dict)
    #: connections that are written but can't be used; nothing is said about what hangs on them
    broken: set[str] = field(default_factory=set)
    #: those of them whose plugin is planned and not built yet: name -> plugin
    planned: dict[str, str] = field(default_factory=dict)
    tables: dict[str, Table] = field(default_factory=dict)
    broken_tables: set[str] = field(default_factory=set)
    transforms: Mapping[str, Any] = field(default_factory=dict)
    templates: Templates = field(default_factory=Templates)
    mentions: Mentions = field(default_factory=Mentions)
    #: whether `people.client` says who is a client
    has_clients: bool = False

    def connection(self, name: str, view: View, what: str = "connection") -> ConnectionConfig | None:
        """Return a connection, or None after reporting that there is none of that name."""
        found = self.connections.get(name)
        if found is None and name not in self.broken:
            known = [*self.connections, *self.broken]
            same_plugin = [one.name for one in self.connections.values() if one.plugin == name]
            hint = f' Did you mean "{same_plugin[0]}"?' if len(same_plugin) == 1 else guess(name, known)
            view.say(f'no {what} "{name}" (there is: {listed(known) or "none"}).{hint}')
        return found

    def table(self, name: str, view: View) -> Table | None:
        """Return a table, or None after reporting that there is none of that name."""
        found = self.tables.get(name)
        if found is None and name not in self.broken_tables:
            view.say(f'no table "{name}" (there is: {listed(self.tables) or "none"}).{guess(name, self.tables)}')
        return found

    def transform_names(self) -> list[str]:
        """Return the names that `via` knows."""
        return [*TRANSFORMS, *self.transforms]


@dataclass(frozen=True)
class Result:
    """What an `as` name stands for: `fields` None = anything may be in it."""

    fields: frozenset[str] | None = None
    connection: ConnectionConfig | None = None


class Vocabulary:
    """The words of one route: which paths lead somewhere."""

    def __init__(self, world: World, triggers: Iterable[Trigger], targets: Iterable[str]) -> None:
        self.world = world
        self.triggers = tuple(triggers)
        self.results: dict[str, Result] = {}
        #: every `as` name of the route -> its line; those not in `results` come later
        self.declared: dict[str, int] = {}
        self.extras: set[str] = set()
        self.later: list[str] = []
        names = {one.connection for one in self.triggers} | set(targets)
        self.blind = bool(names & world.broken)
        everywhere = "*" in names
        self.near = [one for name, one in world.connections.items() if everywhere or name in names]
        self._vendor = [re.compile(one.connector.vendor_field) for one in self.near]
        self._words = {word for one in self.near for word in one.names["fields"]}
        self._stages = {word for one in self.near for word in one.names["stages"]}
        self._read = self._settings_paths()
        self._event_fields = {
            name for one in self.near for kind in one.connector.events for name in kind.fields
        }  # fmt: skip

    def _settings_paths(self) -> set[str]:
        found: set[str] = set()
        for one in self.near:
            read = one.settings.get("read")
            if isinstance(read, Mapping):
                found |= {str(key) for key in read}
        return found

    # --- is it a path --------------------------------------------------------------------------

    def roots(self) -> set[str]:
        """Return the first words that a path may have."""
        return set(FIELDS) | set(self.declared) | self.extras

    def is_path(self, text: str, bare: bool = False) -> bool:
        """Return whether the text is a path; a single word (a record, a result so far) only where `bare`."""
        root, dot, _ = text.partition(".")
        if not dot:
            return bare and (root in FIELDS or root in self.results or root in self.extras)
        return bool(_PATH.match(text)) and (
            root in self.roots() or root in self.world.connections or root in self.world.broken
        )

    def mistaken_path(self, text: str) -> str | None:
        """Return the path that was meant by a text that looks like one but begins with no record."""
        if not _LIKE_PATH.match(text):
            return None
        root, _, rest = text.partition(".")
        near = nearest(root, self.roots(), 0.74)
        return f"{near}.{rest}" if near else None

    # --- does it lead somewhere ----------------------------------------------------------------

    def path(self, text: str, view: View, soft: bool = False) -> Path:
        """Return the path, after reporting what in it leads nowhere. `soft`: an unknown field is only a warning."""
        path = Path(text)
        root = path.root
        if root in self.results:
            self._result(path, view)
        elif root in self.declared and root not in FIELDS:
            view.say(f'"{root}" is used before its step (as: {root} at :{self.declared[root]})')
        elif root in self.extras:
            pass
        elif root in FIELDS:
            self._record(path, view, soft)
        elif root in self.world.connections or root in self.world.broken:
            self.later.append(f"{text}: a setting of a connection as a value")
        else:
            near = nearest(root, self.roots(), 0.6)
            view.say(
                f'no record or result "{root}" here.' + (f" Did you mean {near}{text[len(root) :]}?" if near else "")
            )
        return path

    def _result(self, path: Path, view: View) -> None:
        result = self.results[path.root]
        if result.fields is None or len(path.parts) < 2 or self.blind:
            return
        name, of_a_record = path.parts[1], result.connection is not None  # else the columns of a table
        known = result.fields | (self._words if of_a_record else frozenset())
        if name in known or (of_a_record and self._is_vendor_field(name)):
            return
        near = nearest(name, known, 0.75)
        if near or result.connection is None:
            hint = f" Did you mean {path.root}.{near}?" if near else ""
            view.say(f'no field "{name}" in "{path.root}" ({listed(sorted(result.fields))}).{hint}')

    def _record(self, path: Path, view: View, soft: bool) -> None:
        root, *rest = path.parts
        if not rest or root in ("team", "item", "metric") or self.blind:
            return
        if rest[0] == "was":
            rest = rest[1:]
        if not rest:
            return
        name = rest[0]
        if root == "person" and name in _PERSON_LATER:
            self.later.append(f"person.{name}")
            return
        if root == "person" and name == "client" and not self.world.has_clients:
            view.say("person.client needs to know who is one; people: {client: {has: [crm.deal: {deal.stage: won}]}}")
            return
        if root == "person" and name in (*self.world.connections, *self.world.broken):
            return
        known = known_fields(root) | self._words | (self._event_fields if root not in ("event", "person") else set())
        if root in ("event", "now"):
            known = frozenset(FIELDS[root])
        if name in known or f"{root}.{name}" in self._read or self._is_vendor_field(name):
            if name in self._words:
                self._mention_word(root, name, view)
            elif name not in known:
                self._mention_field(root, name, view)
            self._deeper(root, name, rest, view)
            return
        self._unknown(root, name, known, view, soft)

    def _unknown(self, root: str, name: str, known: Iterable[str], view: View, soft: bool) -> None:
        fields = [one for one in FIELDS[root] if one not in COMMON]
        if root in OPEN_RECORDS:
            near = nearest(name, fields, 0.75)
            if near is None or near == name:
                return
            if root == "form" and slip(name, near):
                where = next((one.type for one in self.triggers if one.type.startswith("form.")), "form")
                view.say(
                    f'no field "{name}" in {where} ({listed(fields, 8)}). Did you mean form.{near}? '
                    f"(A field the form really sends: form.fields.{name})"
                )
            elif len(name) > 3 and slip(name, near):
                view.warn(f'{root} usually has "{near}", not "{name}". Did you mean {root}.{near}?')
            return
        near = nearest(name, known, 0.7)
        hint = f" Did you mean {root}.{near}?" if near else " A field of the vendor's goes into names.fields first."
        text = f'no field "{name}" in {root} ({listed(fields)}).{hint}'
        (view.warn if soft and not near else view.say)(text)

    def _deeper(self, root: str, name: str, rest: list[str], view: View) -> None:
        if len(rest) < 2:
            return
        kind = FIELDS[root].get(name, COMMON.get(name, ""))
        if kind in ("text", "instant", "date", "money", "number", "flag") and name not in _BEHIND:
            view.say(f'"{root}.{name}" is a single value; it has no "{rest[1]}"')
        elif kind == "record" and name in ("deal", "contact", "lead"):
            self._record(Path(".".join([name, *rest[1:]])), view, False)

    def _mention_field(self, record: str, name: str, view: View) -> None:
        owners = [
            one for one, pattern in zip(self.near, self._vendor, strict=True)
            if pattern.fullmatch(name) and knows(one, record)
        ]  # fmt: skip
        if len(owners) == 1:
            self.world.mentions.add(owners[0], "field", record, name, view)

    def _mention_word(self, record: str, name: str, view: View) -> None:
        for one in self.near:
            if name in one.names["fields"] and knows(one, record):
                self.world.mentions.name(one.name, "field", one.names["fields"][name], view, record)

    def _is_vendor_field(self, name: str) -> bool:
        return any(pattern.fullmatch(name) for pattern in self._vendor)

    # --- stages --------------------------------------------------------------------------------

    def stage(self, word: str, view: View, target: ConnectionConfig | None = None, record: str = "") -> str:
        """Return the vendor's code of a stage of `target`; report a word that is no name and looks like no code."""
        code = self._stage(word, view, target)
        owners = [target] if target is not None else [one for one in self.near if knows(one, record)]
        if record and len(owners) == 1 and word not in ("ignore", "alert"):
            self.world.mentions.add(owners[0], "stage", record, owners[0].stage_code(word), view)
        return code

    def _stage(self, word: str, view: View, target: ConnectionConfig | None) -> str:
        if target is not None:
            stages = target.names["stages"]
            if word in stages:
                return stages[word]
            known: Iterable[str] = stages
            where = f"names.stages of {target.name}"
            codes = set(stages.values())
        else:
            known, where = self._stages, "names.stages"
            codes = {code for one in self.near for code in one.names["stages"].values()}
            if word in self._stages:
                return word
        known = list(known)
        if not known or self.blind or word in codes or not _WORD.match(word):
            return word
        view.say(f'no stage "{word}" in {where} ({listed(known)}).{guess(word, known)}')
        return word

    def stage_in_words(self, code: str) -> str:
        """Return a stage's code with our word for it (`won (C5:WON)`); anything else, or an ambiguous one, as it is."""
        words = {word for one in self.near for word, known in one.names["stages"].items() if known == code}
        return f"{words.pop()} ({code})" if len(words) == 1 and code not in words else code

    def result_of(self, connection: ConnectionConfig | None, action: str) -> Result:
        """Return what the result of an action may hold."""
        record, _, verb = action.partition(".")
        if connection is None or record not in FIELDS or record in OPEN_RECORDS:
            return Result()
        if verb in ("list", "find_all"):
            return Result(frozenset((*_LIST, "first", "last")), connection)
        return Result(known_fields(record) | set(_LIST), connection)


def knows(connection: ConnectionConfig, record: str) -> bool:
    """Return whether a connection's plugin tells of such records or acts on them."""
    kinds = connection.connector.events, connection.connector.actions
    return any(kind.name.startswith(f"{record}.") for some in kinds for kind in some)


def slip(word: str, meant: str) -> bool:
    """Return whether a word is a slip of the finger: two letters swapped, one left out or struck twice or wrong."""
    if len(meant) < 4 or word[0] != meant[0] or abs(len(word) - len(meant)) > 1:
        return False
    if len(word) == len(meant):
        wrong = [place for place, (one, two) in enumerate(zip(word, meant, strict=True)) if one != two]
        swapped = len(wrong) == 2 and wrong[1] == wrong[0] + 1 and word[wrong[0]] == meant[wrong[1]]
        return (swapped and word[wrong[1]] == meant[wrong[0]]) or (len(wrong) == 1 and len(meant) > 4)
    if len(word) < len(meant):
        return any(meant[:place] + meant[place + 1 :] == word for place in range(len(meant)))
    return any(
        word[place] == word[place - 1] and word[:place] + word[place + 1 :] == meant for place in range(1, len(word))
    )
