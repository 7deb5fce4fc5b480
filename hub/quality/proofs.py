"""What a machine can see of each rule. A proof returns what speaks against the claim `done`; nothing if all is there.

`None` stands for "can't be seen from here": the tests aren't installed, or nobody but a person can know.
"""

from __future__ import annotations

import ast
import itertools
import re
from collections.abc import Iterator

import marshmallow as ma

from hub.changes import DERIVED
from hub.connector import ActionKind
from hub.model import PARCEL_STATUSES
from hub.quality.evidence import Evidence, calls, imports
from hub.quality.naming import named_in

HEADINGS = ("Set up", "Permissions", "Limits", "Known limitations", "Removal")
#: what a plugin may import of the hub
PUBLIC = frozenset(
    {
        "hub", "hub.connector", "hub.errors", "hub.events", "hub.hookspecs", "hub.jsonbody", "hub.model", "hub.normal",
        "hub.phpform", "hub.records", "hub.sandbox", "hub.sandbox_tls", "hub.session", "hub.settings", "hub.tokens",
    }
)  # fmt: skip
LONGEST_FILE = 450

#: the routes that every sandbox has
_COMMON_ROUTES = ("/_sandbox/", "/static/")
_DELICATE = re.compile(r"secret|token|password|api_key|salt|signature")
_UNFINISHED = re.compile(r"\b(TODO|FIXME|TBD)\b")
_WIRES = frozenset({"requests", "urllib3", "httpx", "aiohttp", "socket", "http.client", "urllib.request"})
_PAGE = re.compile(
    r"https?://|\b[\w-]+\.(html?|php|com|net|org|ua|ru|io|cc)\b|\b(pages?|documentation|come from)\b", re.I
)
_CLOCK = re.compile(r"(datetime|date)\.(now|today|utcnow)$|^time\.(time|monotonic)$")

Found = list[str] | None


# --- what comes in -----------------------------------------------------------------------------------


def settings(it: Evidence) -> Found:
    """Each setting has help, one that must be filled in an example; what sounds secret says whether it is."""
    found = []
    for connector in it.connectors:
        for name, field in connector.Settings().fields.items():
            if not field.metadata.get("help"):
                found.append(f"setting {name} has no help")
            if field.required and "example" not in field.metadata and not field.metadata.get("secret"):
                found.append(f"setting {name} must be filled in and has no example")
    return [*found, *_unmarked(it)]


def _unmarked(it: Evidence) -> list[str]:
    return [
        f"setting {path} sounds secret: mark it, secret: True or False"
        for connector in it.connectors
        for path, field, marked in _fields(connector.Settings())
        if _DELICATE.search(path.rpartition(".")[2]) and not marked and "secret" not in field.metadata
    ]


def _fields(schema: ma.Schema, before: str = "", marked: bool = False) -> Iterator[tuple[str, ma.fields.Field, bool]]:
    for name, field in schema.fields.items():
        yield f"{before}{name}", field, marked
        if isinstance(field, ma.fields.Nested):
            yield from _fields(field.schema, f"{before}{name}.", marked or bool(field.metadata.get("secret")))


def redaction(it: Evidence) -> Found:
    """Secrets are marked, and stand in no text that is raised, printed or logged."""
    found = _unmarked(it)
    for path, tree in it.code.items():
        found += [f"{path.name}:{line} tells setting {name}" for line, name in _told_secrets(tree, it.secrets)]
    if it.tests is not None and not it.contracts:
        found.append("no test inherits a class of hub.testing.contract, which looks for secrets in what is shown")
    return found


def _told_secrets(tree: ast.Module, secrets: set[str]) -> Iterator[tuple[int, str]]:
    """Yield line and setting where a secret's value stands in a text that is raised, printed or logged."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Raise) and node.exc is not None:
            told: ast.expr = node.exc
        elif isinstance(node, ast.Call) and re.search(r"^(print|log(ger)?\.\w+)$", ast.unparse(node.func)):
            told = node
        else:
            continue
        for one in ast.walk(told):
            if (name := _setting(one)) in secrets:
                yield told.lineno, name


def _setting(node: ast.AST) -> str:
    """Return the name in `settings["name"]` and `settings.get("name")`, "" for anything else."""
    match node:
        case ast.Subscript(value=held, slice=name):
            pass
        case ast.Call(func=ast.Attribute(value=held, attr="get"), args=[name, *_]):
            pass
        case _:
            return ""
    return _text(name) if ast.unparse(held).endswith("settings") else ""


def verification(it: Evidence) -> Found:
    """`verify` is there, compares in constant time, and the contract sends it forged requests."""
    found = [] if it.overrides("verify") else ["verify() is not overridden: every request is turned away"]
    if not it.uses("compare_digest"):
        found.append("nothing compares with hmac.compare_digest")
    return found + _needs_contract(it, "WebhookContract")


def once(it: Evidence) -> Found:
    """A receipt has a key, given by `receipt_key` or by `poll`."""
    missing = not (it.overrides("receipt_key") or it.overrides("poll"))
    found = ["neither receipt_key() nor poll() gives a message its key"] if missing else []
    pushed = it.overrides("verify")
    return found + _needs_contract(it, "WebhookContract" if pushed else "ReceiptContract")


def samples(it: Evidence) -> Found:
    """Samples are there with their sources, and those that events name exist."""
    if it.tests is None:
        return None
    kept = set(it.samples) - {"SOURCES.md"}
    found = [] if kept else ["there are no files in samples/"]
    if kept and "SOURCES.md" not in it.samples:
        found.append("samples/SOURCES.md doesn't say where they come from")
    named = {kind.sample for kind in it.events if kind.sample}
    return found + [f"the declared sample {name} doesn't exist" for name in sorted(named - kept)]


def hostile(it: Evidence) -> Found:
    """The contract breaks each sample in many ways."""
    return _needs_contract(it, "WebhookContract" if it.overrides("verify") else "ReceiptContract")


def pure(it: Evidence) -> Found:
    """incoming.py neither asks the clock nor knows the network; the contract shuts the network while it reads."""
    found = _needs_contract(it, "WebhookContract" if it.overrides("verify") else "ReceiptContract")
    for path, tree in it.code.items():
        if path.stem != "incoming":
            continue
        wires = sorted({module for module in imports(tree)} & (_WIRES | {"time", "sqlalchemy", "redis"}))
        asked = [ast.unparse(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call)]
        clocks = sorted({text for text in asked if _CLOCK.search(text)})
        found = (found or []) + [f"incoming.py uses {name}" for name in (*wires, *clocks)]
    return found


# --- what goes out -----------------------------------------------------------------------------------


def client(it: Evidence) -> Found:
    """Calls go through `self.http`; refusals become the hub's errors, and tests say so."""
    found = [] if it.uses("http") else ["nothing calls through self.http"]
    for path, tree in it.code.items():
        found += [f"{path.name} imports {name}; calls go through self.http" for name in set(imports(tree)) & _WIRES]
    if not it.uses("raise_for_status", "AuthFailed"):
        found.append("nothing raises AuthFailed, and nothing calls raise_for_status()")
    found += _needs_test(it, "a dead token", "AuthFailed")
    return found + _needs_test(it, "a refusal for good", "Refused", "Gone")


def one_effect(it: Evidence) -> Found:
    """What may not be repeated can be searched by its marker, or its policy says what then."""
    blind = it.all_lacking("find")
    found = [
        f"{kind.name} has a marker, but find() is not overridden"
        for one in it.connectors
        for kind in one.actions
        if not kind.idempotent and kind.marker and one in blind
    ]
    for kind in it.actions:
        if _makes(kind) and not kind.marker and kind.uncertain != "park" and not kind.note:
            found.append(f"{kind.name} is `{kind.uncertain}` when in doubt; its note doesn't say why that is safe")
    if any(not kind.idempotent for kind in it.actions):
        found += _needs_test(it, "a lost answer", "Uncertain", "marker", "in_doubt_since", "lost_reply")
    return found


def _makes(kind: ActionKind) -> bool:
    return not kind.idempotent and kind.verb in ("create", "upsert", "send")


def order(it: Evidence) -> Found:
    """A state has its time or its place, or the record is read afresh."""
    known = any(one.hints for one in it.connectors) or it.overrides("stage_order") or it.uses("occurred_at")
    found = [] if known else ["no event has occurred_at, no stage_order(), no hints: a late state looks new"]
    return found + _needs_test(it, "the time or order of states", "occurred_at", "stage_order")


def echo(it: Evidence) -> Found:
    """What was written is handed to the hub, or recognised when it comes back."""
    handed = {word.arg for call in calls(it.code.values(), "Done") for word in call.keywords}
    handed |= {node.attr for tree in it.code.values() for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    known = "written" in handed or any("echo" in text for text in it.texts | it.names)
    found = [] if known else ["no Done has `written`, and nothing recognises an echo"]
    return found + _needs_test(it, "what comes back of what we wrote", "written", "echo", "is_echo")


def limits(it: Evidence) -> Found:
    """`limits` and `hosts` are declared."""
    return [f"{name}() is not overridden" for name in ("limits", "hosts") if not it.overrides(name)]


def limits_learned(it: Evidence) -> Found:
    """An answer about limits becomes `RateLimited`."""
    found = [] if it.uses("RateLimited", "raise_for_status") else ["nothing raises RateLimited"]
    return found + _needs_test(it, 'the vendor\'s "slower"', "RateLimited")


def refresh_once(it: Evidence) -> Found:
    """Tokens are refreshed under the vault's lease."""
    found = [] if it.uses("refresh_once") else ["nothing calls tokens.refresh_once()"]
    return found + _needs_test(it, "the refresh", "refresh_once", "refresh_token", "refresh")


def codes(it: Evidence) -> Found:
    """A table of codes names the pages it came from."""
    tables = [path for path in it.code if "codes" in path.stem]
    if not tables:
        return ["there is no codes.py"]
    found = [] if any(_PAGE.search(path.read_text("utf-8")) for path in tables) else ["no table names its page"]
    for connector in it.connectors:
        if connector.name and any(kind.record == "parcel" for kind in connector.events):
            strange = sorted(set(connector.statuses.values()) - set(PARCEL_STATUSES))
            found += [f"{status} is no neutral status" for status in strange]
    return found


# --- looking after it --------------------------------------------------------------------------------


def check(it: Evidence) -> Found:
    """`check` is there for each connector, and tested."""
    found = [f"connector {one.name} has no check()" for one in it.all_lacking("check")]
    return found + _needs_test(it, "check()", "check")


def sandbox(it: Evidence) -> Found:
    """A `Sandbox` with routes, credentials that fit the settings, and tests that drive it."""
    made = it.sandbox
    if made is None:
        return ["there is no sandbox"]
    one = made()
    one.base_url = "http://127.0.0.1:8090"
    routes = [rule for rule in one.app.url_map.iter_rules() if not rule.rule.startswith(_COMMON_ROUTES)]
    wrong = [] if routes else [f"{made.__name__} has no routes"]
    settings = set(one.credentials())
    fitting = [connector for connector in it.connectors if settings <= set(connector.Settings().fields)]
    if settings and not fitting:
        wrong.append("credentials() names settings that no connector has")
    return wrong + _needs_test(it, made.__name__, made.__name__, "sandbox")


def faults(it: Evidence) -> Found:
    """Tests arm the stand-in's faults."""
    return _needs_test(it, "a fault of the stand-in", "_sandbox/fault", "Fault", "faults", "lost_reply", "outage")


def names(it: Evidence) -> Found:
    """`names` is there, and tested."""
    found = [] if it.overrides("names") else ["names() is not overridden"]
    return found + _needs_test(it, "names()", "names")


def connect(it: Evidence) -> Found:
    """`connect` is there, and tested."""
    found = [] if it.overrides("connect") else ["connect() is not overridden"]
    return found + _needs_test(it, "connect()", "connect")


def back_fill(it: Evidence) -> Found:
    """`polls` and `poll` are there, and tested."""
    found = [f"{name}() is not overridden" for name in ("polls", "poll") if not it.overrides(name)]
    return found + _needs_test(it, "poll()", "poll")


def drift(it: Evidence) -> Found:
    """`check` can find something wrong, and says what to do then."""
    told = list(calls(it.code.values(), "Finding"))
    bad = [node for node in told if {"problem", "warning"} & {_text(one) for one in ast.walk(node)}]
    found = [] if len(bad) > 1 else ["check() finds at most one thing wrong"]
    found += [
        f"a problem is told without a remedy: {ast.unparse(node)[:80]}"
        for node in bad
        if _text(node.args[0] if node.args else node) == "problem"
        and len(node.args) < 3
        and not any(word.arg == "remedy" for word in node.keywords)
    ]
    return found + _needs_test(it, "what check() finds", "problem", "warning", "remedy")


def _text(node: ast.AST) -> str:
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else ""


# --- the papers --------------------------------------------------------------------------------------


def readme(it: Evidence) -> Found:
    """Each heading is there with something below it, and nothing is left open."""
    if not it.readme:
        return ["there is no README.md"]
    found = [f"no heading {heading}" for heading in HEADINGS if it.section(heading) is None]
    found += [f"nothing stands under {heading}" for heading in HEADINGS if it.section(heading) == ""]
    return found + [f"it still says {mark}" for mark in sorted(set(_UNFINISHED.findall(it.readme)))]


def removal(it: Evidence) -> Found:
    """The section Removal says more than a word."""
    return [] if len(it.section("Removal") or "") >= 40 else ["the section Removal says next to nothing"]


def described(it: Evidence) -> Found:
    """The README names every event and action, also in short: see `hub.quality.naming`."""
    return _listed("the README doesn't name", _offers(it) - named_in(it.readme))


def _offers(it: Evidence) -> set[str]:
    return {kind.name for kind in it.events} | {kind.name for kind in it.actions}


def covered(it: Evidence) -> Found:
    """Every event and action is named in a test, also in parts: `f"{kind}.created"` and `"deal"`, `find("deal", ...)`.

    `upsert` reaches a plugin as create or update: both are performed, by name or with the verb beside it. What the
    hub tells from two looks at a record is its own.
    """
    if it.tests is None:
        return None
    told = {part for text in it.test_texts | it.journey_texts for part in _dotted(text)}
    told |= {name for tree in it.test_code.values() for name in _called(tree)}

    def is_told(name: str) -> bool:
        record, _, verb = name.partition(".")
        if verb == "upsert":
            beside = {name, "create", "update"} <= told
            return beside or (is_told(f"{record}.create") and is_told(f"{record}.update"))
        return name in told or {record, f".{verb}"} <= told

    compared = {f"{kind.name.split('.')[0]}.{verb}" for kind in it.events for verb in DERIVED.values()}
    wanted = _offers(it) - (compared if it.overrides("complete") else set())
    return _listed("no test names", {name for name in wanted if not is_told(name)})


def _dotted(text: str) -> Iterator[str]:
    """Yield `crm`, `deal`, `crm.deal`, `deal.update` for `crm.deal.update`, and `.update` for `.update`."""
    for word in re.findall(r"[\w.]+", text):
        bits = word.split(".")
        yield from bits
        yield from (f"{one}.{other}" for one, other in itertools.pairwise(bits))


def _called(tree: ast.Module) -> Iterator[str]:
    """Yield `deal.find` for `connector.find("deal", ...)` and for `act("deal", "find", ...)`."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and node.args and (record := _text(node.args[0])):
            if isinstance(node.func, ast.Attribute):
                yield f"{record}.{node.func.attr}"
            if len(node.args) > 1 and (verb := _text(node.args[1])):
                yield f"{record}.{verb}"


def _listed(words: str, missing: set[str]) -> list[str]:
    shown = sorted(missing)
    more = f" and {len(shown) - 8} more" if len(shown) > 8 else ""
    return [f"{words} {', '.join(shown[:8])}{more}"] if shown else []


def journey(it: Evidence) -> Found:
    """A test leads a message through the hub and the stand-in."""
    if it.tests is None:
        return None
    return [] if it.journeys() else [f"no test_journey*.py, and nothing in tests/journeys, uses plugin {it.name}"]


def outside(it: Evidence) -> Found:
    """Tests marked `outside` exist."""
    if it.tests is None:
        return None
    marked = any({"outside"} <= set(_marks(tree)) for tree in it.test_code.values())
    return [] if marked else ["no test is marked `outside`"]


def _marks(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and ast.unparse(node.value).endswith("mark"):
            yield node.attr


def structure(it: Evidence) -> Found:
    """Files can be read, say what they are for, and lean on the hub's public names alone."""
    found = []
    for path, tree in it.own_code.items():
        lines = len(path.read_text("utf-8").splitlines())
        if lines > LONGEST_FILE:
            found.append(f"{path.name} has {lines} lines, {LONGEST_FILE} are the most")
        if tree.body and not ast.get_docstring(tree):
            found.append(f"{path.name} doesn't say what it is for")
        found += [
            f"{path.name} imports {module}, which is no public part of the hub"
            for module in sorted(set(imports(tree)))
            if module.split(".")[0] == "hub" and module not in PUBLIC
        ]
    return found


def live(it: Evidence) -> Found:
    """Nobody but a person can know."""
    return None


# --- help --------------------------------------------------------------------------------------------


def _needs_contract(it: Evidence, name: str) -> list[str]:
    if it.tests is None or name in it.contracts or (name == "ReceiptContract" and "WebhookContract" in it.contracts):
        return []
    return [f"no test inherits {name} of hub.testing.contract"]


def _needs_test(it: Evidence, what: str, *words: str) -> list[str]:
    return [] if it.tests is None or it.tested(*words) else [f"no test is about {what}"]
