"""Texts with `{{ }}`: a small, safe part of Jinja, compiled when the configuration is read.

Only printing, `if` and one level of `for` exist; names are paths, so a template sees what a path sees and no more.
What is missing prints as nothing. A text never grows beyond 64 KB, whatever a sender puts into a record.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator, Mapping
from decimal import Decimal, InvalidOperation
from typing import Any, ClassVar

import jinja2
from jinja2 import nodes
from jinja2.sandbox import ImmutableSandboxedEnvironment
from jinja2.visitor import NodeTransformer

from hub.conditions import valid
from hub.mapping import LONGEST, TRANSFORMS, MappingFailed
from hub.model import Owned
from hub.paths import ABSENT, Path, Scope, empty, number, text

#: filters of the language that later levels bring
LATER_FILTERS = frozenset({"next", "table", "report"})
_BUILT_IN = ("length", "count", "sort", "unique", "sum", "min", "max", "tojson", "urlencode", "trim")
_ALLOWED = (
    nodes.Template, nodes.Output, nodes.TemplateData, nodes.Name, nodes.Const, nodes.Getattr, nodes.Getitem,
    nodes.Filter, nodes.Test, nodes.CondExpr, nodes.And, nodes.Or, nodes.Not, nodes.Compare, nodes.Operand, nodes.Add,
    nodes.Sub, nodes.Mul, nodes.Div, nodes.FloorDiv, nodes.Mod, nodes.Neg, nodes.Pos, nodes.Concat, nodes.If,
    nodes.For, nodes.Tuple, nodes.List, nodes.Keyword, nodes.Call,
)  # fmt: skip
_MOST_ROWS = 10_000


class TemplateError(ValueError):
    """The text can't be used as a template; the message says why, `line` where in it (1 = its first line)."""

    def __init__(self, message: str, line: int = 1) -> None:
        super().__init__(message)
        self.line = line


class Part:
    """A record inside a template: its fields are read the way paths read them."""

    __slots__ = ("_connection", "_scope", "_value")

    def __init__(self, scope: Scope, value: Mapping[str, Any], connection: str) -> None:
        self._scope = scope
        self._value = value
        self._connection = connection

    def part(self, name: str) -> Any:
        """Return one field, wrapped again when it is a record."""
        return _wrap(self._scope, *self._scope.part(self._value, name, self._connection))

    def sum(self, name: str) -> Decimal:
        """Return the sum of a column over the rows of a list result."""
        rows = self._value.get("rows") or ()
        return sum((number(row.get(name)) or Decimal(0) for row in rows), Decimal(0))

    def __bool__(self) -> bool:
        return bool(self._value)

    def __str__(self) -> str:
        return text(self._value)

    def __iter__(self) -> Iterator[Any]:
        return iter(())


def _wrap(scope: Scope, value: Any, connection: str) -> Any:
    if isinstance(value, Mapping):
        owner = value.get("_connection", connection) if isinstance(value, Owned) else connection
        return Part(scope, value, owner)
    if isinstance(value, list | tuple):
        return [_wrap(scope, item, connection) for item in value[:_MOST_ROWS]]
    return ABSENT if empty(value) else value


class _Environment(ImmutableSandboxedEnvironment):
    intercepted_binops: ClassVar[frozenset[str]] = frozenset({"+", "-", "*", "/", "//", "%"})  # type: ignore[misc]

    def getattr(self, obj: Any, attribute: str) -> Any:
        if attribute.startswith("_"):
            return self.undefined(name=attribute)
        if isinstance(obj, Part):
            if attribute == "sum":
                return obj.sum
            found = obj.part(attribute)
            return self.undefined(name=attribute) if found is ABSENT else found
        if isinstance(obj, list) and attribute in ("count", "first", "last"):
            return (
                len(obj)
                if attribute == "count"
                else (obj[0 if attribute == "first" else -1] if obj else self.undefined())
            )
        if type(obj).__module__ == "jinja2.runtime":
            return super().getattr(obj, attribute)
        return self.undefined(name=attribute)

    def getitem(self, obj: Any, argument: Any) -> Any:
        if isinstance(argument, str):
            return self.getattr(obj, argument)
        if isinstance(obj, list | str) and isinstance(argument, int) and -len(obj) <= argument < len(obj):
            return obj[argument]
        return self.undefined(name=str(argument)[:60])

    def call_binop(self, context: Any, operator: str, left: Any, right: Any) -> Any:
        if operator == "+" and not _numeric(left, right):
            return _bounded(text(_shown(left)) + text(_shown(right)))
        if isinstance(left, dt.datetime) and isinstance(right, dt.datetime) and operator == "-":
            return int((left - right).total_seconds())
        one, two = number(_shown(left)) or Decimal(0), number(_shown(right)) or Decimal(0)
        try:
            result = _ARITHMETIC[operator](one, two)
        except (ZeroDivisionError, InvalidOperation, OverflowError) as error:
            raise MappingFailed(f"{one} {operator} {two} can't be worked out") from error
        return int(result) if result == result.to_integral_value() and abs(result) < 10**15 else result


_ARITHMETIC: Mapping[str, Callable[[Decimal, Decimal], Decimal]] = {
    "+": lambda one, two: one + two,
    "-": lambda one, two: one - two,
    "*": lambda one, two: one * two,
    "/": lambda one, two: one / two,
    "//": lambda one, two: one // two,
    "%": lambda one, two: one % two,
}


def _numeric(left: Any, right: Any) -> bool:
    return isinstance(left, int | float | Decimal) or isinstance(right, int | float | Decimal)


def _bounded(value: str) -> str:
    if len(value) > LONGEST:
        raise MappingFailed(f"the text grew beyond {LONGEST // 1024} KB")
    return value


def _shown(value: Any) -> Any:
    """Return a value as Jinja prints it: nothing for what is missing."""
    return "" if isinstance(value, jinja2.Undefined) else value


def _finalize(value: Any) -> Any:
    return value if type(value) is str else text(str(value) if isinstance(value, Part) else _shown(value))


def _filter(function: Callable[..., Any]) -> Callable[..., Any]:
    @jinja2.pass_context
    def call(context: Any, value: Any, *args: Any, **named: Any) -> Any:
        scope = context.get("scope_")
        result = function(scope, ABSENT if isinstance(value, jinja2.Undefined) else value, *map(_shown, args), **named)
        return "" if result is ABSENT else result

    return call


def _missing(scope: Scope, record: Any, *names: str) -> list[str]:
    """Return those of the named fields that the record lacks."""
    return [name for name in names if not isinstance(record, Part) or record.part(name) is ABSENT]


def _float(scope: Scope, value: Any) -> Decimal:
    return number(value) or Decimal(0)


def _abs(scope: Scope, value: Any) -> Decimal:
    return abs(_float(scope, value))


def _round(scope: Scope, value: Any, places: Any = 0) -> Decimal:
    return round(_float(scope, value), min(int(places), 12))


@jinja2.pass_context
def _is_valid(context: Any, value: Any) -> bool:
    return not empty(_shown(value)) and valid(text(value), "", context.get("scope_").config.hub.region)


class _Names(NodeTransformer):
    """Replaces each chain `deal.contact.name` by one variable, and refuses what isn't in the small language."""

    def __init__(self, filters: Mapping[str, Any], tests: Mapping[str, Any]) -> None:
        self.paths: list[Path] = []
        self.later: set[str] = set()
        self._filters, self._tests = filters, tests
        self._local: list[str] = []

    def visit(self, node: nodes.Node, *args: Any, **kwargs: Any) -> Any:
        if not isinstance(node, _ALLOWED):
            raise TemplateError(f'"{type(node).__name__.lower()}" is not part of the template language', node.lineno)
        return super().visit(node, *args, **kwargs)

    def visit_Name(self, node: nodes.Name) -> nodes.Node:
        return self._chain(node) or node

    def visit_Getattr(self, node: nodes.Getattr) -> nodes.Node:
        return self._chain(node) or self.generic_visit(node)

    def visit_Getitem(self, node: nodes.Getitem) -> nodes.Node:
        return self._chain(node) or self.generic_visit(node)

    def visit_For(self, node: nodes.For) -> nodes.Node:
        if self._local or node.recursive:
            raise TemplateError("a loop inside a loop is not part of the template language", node.lineno)
        node.iter = self.visit(node.iter)
        targets = (
            [name.name for name in node.target.find_all(nodes.Name)]
            if isinstance(node.target, nodes.Tuple)
            else [getattr(node.target, "name", "")]
        )
        self._local = [*targets, "loop"]
        node.body = [self.visit(part) for part in node.body]
        node.test = self.visit(node.test) if node.test is not None else None
        self._local = []
        node.else_ = [self.visit(part) for part in node.else_]
        return node

    def visit_Call(self, node: nodes.Call) -> nodes.Node:
        if not isinstance(node.node, nodes.Getattr) or node.node.attr != "sum" or node.dyn_args or node.dyn_kwargs:
            raise TemplateError("functions can't be called in a template; use a filter: x | name", node.lineno)
        node.node.node = self.visit(node.node.node)
        node.args = [self.visit(one) for one in node.args]
        return node

    def visit_Filter(self, node: nodes.Filter) -> nodes.Node:
        if node.name not in self._filters:
            raise TemplateError(f'no filter "{node.name}"', node.lineno)
        if node.name in LATER_FILTERS:
            self.later.add(f"the filter {node.name}")
        if any(isinstance(one, nodes.Const) and " of " in str(one.value) for one in node.args if node.name == "plus"):
            self.later.add('hours of a calendar ("of ...")')
        return self.generic_visit(node)

    def visit_Test(self, node: nodes.Test) -> nodes.Node:
        if node.name not in self._tests:
            raise TemplateError(f'no test "{node.name}"', node.lineno)
        return self.generic_visit(node)

    def _chain(self, node: nodes.Node) -> nodes.Node | None:
        words: list[str] = []
        place: nodes.Node = node
        while isinstance(place, nodes.Getattr | nodes.Getitem):
            if isinstance(place, nodes.Getattr):
                word: Any = place.attr
            else:
                word = place.arg.value if isinstance(place.arg, nodes.Const) else None
            if not isinstance(word, str):
                return None
            if word.startswith("_"):
                raise TemplateError(f'"{word}" can\'t be read in a template', node.lineno)
            words.append(word)
            place = place.node
        if not isinstance(place, nodes.Name) or place.ctx != "load" or place.name in self._local:
            return None
        path = Path(".".join([place.name, *reversed(words)]))
        if path not in self.paths:
            self.paths.append(path)
        return nodes.Name(f"p{self.paths.index(path)}_", "load", lineno=node.lineno)


class Template:
    """One compiled text. `paths` are the paths it looks at, `later` what in it isn't built yet."""

    __slots__ = ("_names", "_paths", "_root", "_template", "later", "source")

    def __init__(self, source: str, template: jinja2.Template, paths: list[Path], later: set[str]) -> None:
        self.source = source
        self.later = frozenset(later)
        self._template = template
        self._root = template.root_render_func
        self._paths = paths
        self._names = [(f"p{place}_", path) for place, path in enumerate(paths)]

    def paths(self) -> list[Path]:
        """Return the paths it looks at."""
        return self._paths

    def get(self, scope: Scope) -> str:
        """Return the text for this event, or raise `MappingFailed`."""
        values: dict[str, Any] = {"scope_": scope}
        for name, path in self._names:
            value, connection = scope.find(path)
            if not empty(value):
                values[name] = value if type(value) is str else _wrap(scope, value, connection)
        pieces, size = [], 0
        try:
            for piece in self._root(self._template.new_context(values)):
                size += len(piece)
                if size > LONGEST:
                    raise MappingFailed(f"the text grew beyond {LONGEST // 1024} KB")
                pieces.append(piece)
        except MappingFailed:
            raise
        except Exception as error:  # filters on odd data may raise anything; the delivery is parked, visibly
            raise MappingFailed(f"the template {self.source[:60]!r} failed: {error}") from error
        return "".join(pieces)

    render = get

    def __repr__(self) -> str:
        return f"Template({self.source!r})"


class Templates:
    """Compiles templates; `transforms` are a plugin's functions by name, usable as filters too."""

    def __init__(self, transforms: Mapping[str, Callable[..., Any]] | None = None) -> None:
        self._environment = _Environment(
            undefined=jinja2.ChainableUndefined, autoescape=False, finalize=_finalize, keep_trailing_newline=True
        )
        known = self._environment.filters
        filters: dict[str, Any] = {name: known[name] for name in _BUILT_IN}
        filters |= {name: _filter(function) for name, (function, _, _) in TRANSFORMS.items()}
        filters |= {name: _filter(_plugin(function)) for name, function in (transforms or {}).items()}
        filters |= {name: _filter(_later) for name in LATER_FILTERS}
        filters |= {
            "missing": _filter(_missing),
            "round": _filter(_round),
            "float": _filter(_float),
            "abs": _filter(_abs),
        }
        filters["d"] = filters["default"]
        tests = {
            name: self._environment.tests[name]
            for name in ("defined", "undefined", "none", "string", "number", "in", "odd", "even", "==", "!=")
        }
        tests |= {
            "valid": _is_valid,
            "present": lambda value: not empty(_shown(value)),
            "absent": lambda value: empty(_shown(value)),
        }
        self._environment.filters, self._environment.tests, self._environment.globals = filters, tests, {}

    @property
    def filters(self) -> list[str]:
        """The names of all filters."""
        return sorted(self._environment.filters)

    def compile(self, source: str) -> Template:
        """Compile a text, or raise `TemplateError`."""
        if len(source) > LONGEST:
            raise TemplateError("the template is longer than 64 KB")
        environment = self._environment
        try:
            names = _Names(environment.filters, environment.tests)
            tree = names.visit(environment.parse(source))
            code = environment.compile(tree)
        except jinja2.TemplateSyntaxError as error:
            raise TemplateError(_in_words(source, error.message or "not a template"), error.lineno) from error
        except RecursionError as error:
            raise TemplateError("the template is nested too deeply") from error
        return Template(source, jinja2.Template.from_code(environment, code, {}), names.paths, names.later)


def _in_words(source: str, said: str) -> str:
    """Return what Jinja says of a text, in words that need no Jinja where it is about the braces."""
    for opening, closing in (("{{", "}}"), ("{%", "%}")):
        if source.count(opening) > source.count(closing):
            return f'a "{opening}" has no "{closing}" behind it'
    return said


def _plugin(function: Callable[..., Any]) -> Callable[..., Any]:
    return lambda scope, value, *args: function("" if value is ABSENT else value, *args)


def _later(scope: Scope, value: Any, *args: Any) -> Any:
    raise MappingFailed("this filter isn't built yet")
