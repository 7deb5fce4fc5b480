"""Reads the right-hand sides of `set`, `find`, `where`: one rule decides what a text is (see the language page)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from hub.conditions import COMPARISONS
from hub.config.mentions import place_of
from hub.config.problems import guess, listed, nearest
from hub.config.shapes import ConnectionConfig
from hub.config.view import View
from hub.config.world import Vocabulary
from hub.connector import ActionKind
from hub.mapping import (
    TRANSFORMS,
    Constant,
    Copy,
    Criteria,
    First,
    From,
    Leave,
    Line,
    Listing,
    Source,
    Staged,
    Transform,
    Values,
)
from hub.paths import Path
from hub.records import FIELDS, known_fields
from hub.templates import Template, TemplateError

_FROM = ("from", "via", "map", "default", "when")
_FORMS: Mapping[str, tuple[str, ...]] = {
    "value": ("value", "when"),
    "text": ("text", "when"),
    "from": _FROM,
    "first": ("first", "default", "when"),
    "assign": ("assign", "by", "only", "else", "when"),
}
_FORM_KEYS = frozenset(key for keys in _FORMS.values() for key in keys)
#: keys whose mapping is sent as it is written, long forms only deeper inside
_WHOLE = frozenset({"json", "body", "fields", "headers", "query", "params", "form", "columns"})
_MEANT = {"name": "contact.name", "phone": "contact.phone", "email": "contact.email", "city": "form.city",
          "first_name": "contact.first_name", "last_name": "contact.last_name", "comment": "form.comment",
          "address": "contact.address", "wishes": "form.wishes"}  # fmt: skip
_TESTS = frozenset((*COMPARISONS, "contains", "like", "changed", "within"))


@dataclass(frozen=True)
class Target:
    """Whom the values are for: it decides what our field and stage names stand for."""

    connection: ConnectionConfig | None = None
    kind: ActionKind | None = None
    #: a single word may be a path (`find`, `to`, `each`)
    bare: bool = False

    def code(self, key: str) -> str:
        """Return the vendor's field for one of ours."""
        return self.connection.field_code(key) if self.connection is not None else key

    def is_stage(self, key: str) -> bool:
        """Return whether the field holds a stage."""
        return key == "stage" or (self.kind is not None and key in self.kind.stage_fields)


class ValueReader:
    """Reads values inside one route; `read_condition` comes from the reader of conditions."""

    def __init__(self, vocabulary: Vocabulary, read_condition: Callable[[View], Any]) -> None:
        self.vocabulary = vocabulary
        self._condition = read_condition

    def values(self, view: View, target: Target) -> Values:
        """Return the lines of a mapping."""
        if not view.mapping():
            return Values()
        lines = []
        for key, value in view.fields():
            when = None
            if value.is_map and "when" in value and self._form(value, key) is not None:
                inner = value.get("when")
                when = self._condition(inner) if inner is not None else None
            code = target.code(key)
            stage = target if target.is_stage(key) or target.is_stage(code) else None
            source = self.source(value, target, key=key, stage=stage)
            if stage is not None and target.connection is not None and not isinstance(source, Constant | Leave):
                source = Staged(source, target.connection.names["stages"])
            lines.append(Line(code, source, when, key, place_of(value)))
        return Criteria(tuple(lines)) if target.bare else Values(tuple(lines))

    def source(
        self,
        view: View,
        target: Target,
        *,
        key: str = "",
        stage: Target | None = None,
        depth: int = 0,
        soft: bool = False,
    ) -> Source:
        """Return the source of one value."""
        if view.is_text:
            return self.text(view, target, key=key, stage=stage, soft=soft)
        if view.is_list:
            return Listing(
                tuple(self.source(one, target, key=key, stage=stage, depth=depth + 1) for one in view.each())
            )
        form = self._form(view, key if depth == 0 else "")
        if form is None:
            return self._nested(view, target, depth)
        view.unknown(_FORMS[form])
        inner = view.get(form)
        if inner is None:
            return Leave()
        if form == "value":
            value = inner.node.plain()
            return Constant(self._stage(inner, stage) if isinstance(value, str) else value, keep=True)
        if form == "text":
            return self._template(inner) if "{{" in inner.text or "{%" in inner.text else Constant(inner.node.plain())
        if form == "assign":
            self.vocabulary.later.append("assign")
            return Leave()
        if form == "first":
            sources = [self.source(one, target, stage=stage, depth=depth + 1, soft=True) for one in inner.each()]
            default = view.get("default")
            if default is not None:
                sources.append(self.source(default, target, stage=stage, depth=depth + 1))
            return First(tuple(sources))
        return self._from(view, inner, target, stage)

    def text(
        self, view: View, target: Target, *, key: str = "", stage: Target | None = None, soft: bool = False
    ) -> Source:
        """Return what a text is: a path, a template, `leave` or itself."""
        text = view.text
        if "{{" in text or "{%" in text:
            return self._template(view)
        if text == "leave":
            return Leave()
        if not text and key and not view.node.quoted:
            view.say("there is nothing; to leave the field alone: leave; to clear it: {value: ''}")
        if self.vocabulary.is_path(text, target.bare and stage is None):
            if text == "person" and key == "contact" and target.connection is not None:
                return Copy(Path(f"person.{target.connection.name}.contact"))
            return Copy(self.vocabulary.path(text, view, soft))
        if not view.node.quoted and (meant := self.vocabulary.mistaken_path(text)) is not None:
            view.say(
                f'"{text}" looks like a path, but there is no record "{text.split(".", 1)[0]}". '
                f"Did you mean {meant}? For the text itself: {{value: {text}}}"
            )
        elif key and text.casefold() in _MEANT and not target.bare:
            meant = _MEANT[text.casefold()]
            view.warn(f'"{text}" is written as these {len(text)} letters. For the visitor\'s own: {meant}')
        return Constant(self._stage(view, stage))

    def _stage(self, view: View, stage: Target | None) -> str:
        if stage is None or not view.text:
            return view.text
        record = (stage.kind.writes or stage.kind.record) if stage.kind is not None else ""
        return self.vocabulary.stage(view.text, view, stage.connection, record)

    def _template(self, view: View) -> Source:
        template = self.template(view)
        return Constant("") if template is None else template

    def template(self, view: View) -> Template | None:
        """Compile a text; report what is wrong with it, its paths included."""
        try:
            template = self.vocabulary.world.templates.compile(view.text)
        except TemplateError as error:
            view.say(f"the template can't be read: {error}")
            return None
        self.vocabulary.later += sorted(template.later)
        for path in template.paths():
            self.vocabulary.path(path.text, view, soft=True)
        return template

    def _from(self, view: View, inner: View, target: Target, stage: Target | None) -> Source:
        path_text = inner.word("from")
        if path_text is None:
            return Leave()
        if not self.vocabulary.is_path(path_text, bare=True):
            meant = self.vocabulary.mistaken_path(path_text)
            hint = f" Did you mean {meant}?" if meant else " For a constant: {value: ...}"
            inner.say(f'"{path_text}" is no path; it should read like form.city.{hint}')
            return Leave()
        default_view, map_view, via_view = view.get("default"), view.get("map"), view.get("via")
        path = self.vocabulary.path(path_text, inner, soft=default_view is not None)
        default = self.source(default_view, target, stage=stage, depth=1) if default_view is not None else None
        via = tuple(one for item in via_view.each() if (one := self._transform(item))) if via_view is not None else ()
        table = None
        if map_view is not None and map_view.mapping():
            table = {key: self.source(one, target, stage=stage, depth=1) for key, one in map_view.fields()}
        return From(path, via, table, default)

    def _transform(self, view: View) -> Transform | None:
        name, args = view.text, ()
        if view.is_map and len(view.node.items) == 1:
            name, inner = next(view.fields())
            args = tuple(one.node.plain() for one in inner.each())
        elif not view.is_text:
            view.say("a transform is a name (strip) or a name with its argument ({truncate: 60})")
            return None
        world = self.vocabulary.world
        if name in world.transforms:
            function = world.transforms[name]
            return Transform(name, lambda scope, value, *given: function(value, *given), args)
        known = TRANSFORMS.get(name)
        if known is None:
            names = world.transform_names()
            view.say(f'no transform "{name}".{guess(name, names) or " Known: " + listed(names, 40)}')
            return None
        function, least, most = known
        if not least <= len(args) <= most:
            view.say(f"{name} takes {least if least == most else f'{least} to {most}'} arguments, not {len(args)}")
            return None
        if name == "truncate" and args and not str(args[0]).isdecimal():
            view.say(f'truncate takes a number of letters, not "{args[0]}"')
            return None
        return Transform(name, function, args)

    def _form(self, view: View, key: str) -> str | None:
        """Return which long form a mapping is, None when it is a mapping to be sent."""
        if key in _WHOLE:
            return None
        forms = [name for name in _FORMS if name in view]
        if len(forms) > 1 and set(view) <= _FORM_KEYS:
            view.say(f"{listed(forms)} stand side by side; a value has one of them")
        form = forms[0] if forms else None
        if form is None or (form in ("value", "text") and not set(view) <= {form, "when"}):
            self._no_form(view)
            return None
        inner = view.get(form)
        if form == "first" and inner is not None and inner.is_list and not inner.node.list:
            inner.say("first needs paths to choose from: {first: [form.wishes, message.text]}")
        return form

    @staticmethod
    def _no_form(view: View) -> None:
        """Report a mapping that is meant as a value in its long form and isn't one."""
        if not view.node.items:
            view.say("this is an empty mapping; to leave the field alone: leave; to clear it: {value: ''}")
        elif set(view) == {"when"}:
            view.say("a value is missing beside when: {value: x, when: ...} or {from: path, when: ...}")
        elif len(view.node.items) <= 3 and set(view) - _FORM_KEYS:
            for key, one in view.fields():
                meant = nearest(key, _FORMS, 0.7)
                if meant and key not in _FORMS and (meant != "from" or (one.is_text and "." in one.text)):
                    one.say(f'"{key}" is no form of a value. Did you mean "{meant}"?')

    def _nested(self, view: View, target: Target, depth: int) -> Source:
        if target.bare and set(view) & _TESTS:
            self.vocabulary.later.append("tests in find")
            return Leave()
        if "path" in view and "from" not in view and len(view.node.items) <= 2 and {"via", "default"} & set(view):
            view.say('a path stands under "from": {from: form.city, via: [strip]}')
        inner = Target(None, None, target.bare)
        lines = tuple(Line(key, self.source(one, inner, depth=depth + 1), None, key) for key, one in view.fields())
        return Values(lines)


def allowed_keys(target: Target, record: str) -> tuple[frozenset[str], bool]:
    """Return the keys known for `set`, and whether any other is fine too."""
    kind, connection = target.kind, target.connection
    if kind is None or connection is None:
        return frozenset(), True
    words = frozenset(connection.names["fields"]) | frozenset(kind.required) | frozenset(kind.stage_fields) | {"stage"}
    if kind.fields is not None:
        return words | frozenset(kind.fields), False
    closed = record in FIELDS and connection.connector.vendor_field != r"$^"
    if kind.words is not None:
        return words | frozenset(kind.words), not closed
    return words | (known_fields(record) if record in FIELDS else frozenset()), not closed
