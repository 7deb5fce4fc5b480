"""The shape of the code, kept by tests: layers, no vendor in the core, files one can read, one schema."""

from __future__ import annotations

import ast
import configparser
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

import hub
from hub.quality.proofs import PUBLIC
from hub.store import Store
from hub.store.schema import HEAD, current, migrate, upgrade
from hub.store.tables import metadata

HUB = Path(hub.__file__).parent
ROOT = HUB.parent
CORE = sorted(path for path in HUB.rglob("*.py") if path.relative_to(HUB).parts[0] not in ("demo", "recipes"))
PLUGINS = sorted((ROOT / "plugins").rglob("*.py"))

ARCHITECTURE = (ROOT / "docs" / "architecture.md").read_text()


def told(title: str) -> list[str]:
    """Return the table rows of a section of docs/architecture.md."""
    section = ARCHITECTURE.partition(f"\n## {title}\n")[2].partition("\n## ")[0]
    return [line for line in section.splitlines() if line.startswith("| ")][2:]


def modules(cell: str) -> tuple[str, ...]:
    return tuple(name.rstrip("/") for name in re.findall(r"`([^`]+)`", cell))


#: the layers as docs/architecture.md tells them, from the bottom: a module imports only from its own layer and those
#: before it
LAYERS = [modules(row.split("|")[2]) for row in told("Layers")]
PURE = modules(ARCHITECTURE.partition("**Pure**")[2].partition(".\n")[0])
PLACE = {"": 0, **{name: number for number, layer in enumerate(LAYERS) for name in layer}}

PUBLIC_NAMES = {
    "normal",
    "phpform",
    "jsonbody",
    "records",
    "events",
    "hookimpl",
    "errors",
    "model",
    "sandbox",
    "__version__",
}

#: packages in plugins/ that are no plugins: what several vendors of one house share. They import from the hub alone
SHARED = {"meta": "Meta's platform: Instagram, and what else speaks its Graph API"}

VENDORS = re.compile(
    r"bitrix|amocrm|kommo|nova ?poshta|unisender|calltouch|instagram|suitecrm|telegram|viber|whatsapp", re.I
)
#: places that may name a vendor, and why
NAMED = {
    "phpform.py": "says whose forms are written in PHP's way",
    "cli/init.py": "an example in the file it writes",
}


def imports(path: Path) -> Iterator[tuple[str, tuple[str, ...], bool]]:
    """Yield (module, names, whether it happens when the module is loaded) of each import of the project's own."""
    tree = ast.parse(path.read_text())
    late = {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        or (isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING")
        for inner in ast.walk(node)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.split(".")[0] in ("hub", "plugins"):
            yield node.module, tuple(name.name for name in node.names), id(node) not in late
        elif isinstance(node, ast.Import):
            for name in node.names:
                if name.name.split(".")[0] in ("hub", "plugins"):
                    yield name.name, (), id(node) not in late


def part(module: str, names: tuple[str, ...]) -> Iterator[str]:
    """Yield the parts of the hub that an import reaches: `store` for `hub.store.work`, `changes` for `hub: changes`."""
    words = module.split(".")
    if len(words) > 1:
        yield words[1]
        return
    for name in names or ("",):
        yield name if (HUB / f"{name}.py").exists() or (HUB / name).is_dir() else ""


def test_every_part_of_the_hub_has_its_layer() -> None:
    parts = {path.relative_to(HUB).parts[0].removesuffix(".py") for path in HUB.rglob("*.py")}
    assert parts - {"__init__"} == PLACE.keys() - {""}
    assert len(PLACE) == sum(map(len, LAYERS)) + 1, "each stands once"


@pytest.mark.parametrize("path", CORE, ids=lambda path: str(path.relative_to(HUB)))
def test_imports_run_one_way(path: Path) -> None:
    mine = path.relative_to(HUB).parts[0].removesuffix(".py").replace("__init__", "")
    for module, names, at_once in imports(path):
        assert module.split(".")[0] == "hub", f"the core imports {module}"
        if at_once:
            for other in part(module, names):
                assert PLACE[other] <= PLACE[mine], f"{mine} (lower) imports {other} (higher)"


@pytest.mark.parametrize("name", PURE)
def test_what_is_pure_touches_neither_network_nor_clock_nor_database(name: str) -> None:
    tree = ast.parse((HUB / f"{name}.py").read_text())
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            modules = {one.name.split(".")[0] for one in node.names}
        elif isinstance(node, ast.ImportFrom):
            modules = {(node.module or "").split(".")[0], ".".join((node.module or "").split(".")[:2])}
        else:
            if isinstance(node, ast.Call):
                assert not re.search(r"(datetime|date)\.(now|today|utcnow)$|^time\.", ast.unparse(node.func))
            continue
        assert not modules & {
            "requests",
            "urllib3",
            "socket",
            "time",
            "sqlalchemy",
            "redis",
            "hub.store",
            "hub.session",
        }


@pytest.mark.parametrize("path", PLUGINS, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_plugin_imports_from_the_hubs_public_names_and_itself_alone(path: Path) -> None:
    own = path.relative_to(ROOT / "plugins").parts[0]
    for module, names, _ in imports(path):
        if module.startswith("plugins"):
            reached = set(module.split(".")[1:2]) or set(names)
            allowed = {own} if own in SHARED else {own, *SHARED}
            assert reached <= allowed, f"{module} is another plugin"
        else:
            assert module in PUBLIC, f"{module} is no public part of the hub"
            if module == "hub":
                assert set(names) <= PUBLIC_NAMES, names


@pytest.mark.parametrize("name", SHARED)
def test_what_plugins_share_is_no_plugin(name: str) -> None:
    setup = configparser.ConfigParser()
    setup.read(ROOT / "setup.cfg")
    offered = [line.partition("=")[2].strip() for line in setup["options.entry_points"]["hub"].splitlines()]
    assert f"plugins.{name}" not in offered
    for path in (ROOT / "plugins" / name).rglob("*.py"):
        text = path.read_text()
        assert not re.search(r"\(Connector\)|@hookimpl", text), f"{path.name} brings a connector or a hook"


@pytest.mark.parametrize("path", CORE, ids=lambda path: str(path.relative_to(HUB)))
def test_the_core_knows_no_vendor(path: Path) -> None:
    if str(path.relative_to(HUB)) in NAMED:
        assert VENDORS.search(path.read_text()), "it names none any more: take it off the list"
        return
    for number, line in enumerate(path.read_text().splitlines(), 1):
        assert not VENDORS.search(line), f"line {number}: {line.strip()}"


@pytest.mark.parametrize("path", [*HUB.rglob("*.py"), *PLUGINS], ids=lambda path: str(path.relative_to(ROOT)))
def test_every_file_can_be_read_in_one_sitting(path: Path) -> None:
    assert len(path.read_text().splitlines()) <= 450


@pytest.mark.parametrize("path", [*HUB.rglob("*.py"), *PLUGINS], ids=lambda path: str(path.relative_to(ROOT)))
def test_every_module_says_what_it_is_for_and_hides_no_standard_module(path: Path) -> None:
    text = path.read_text()
    assert not text.strip() or ast.get_docstring(ast.parse(text)) or "migrations" in path.parts
    assert path.name not in ("queue.py", "http.py", "types.py", "logging.py")


# --- the schema -----------------------------------------------------------------------------------


def test_the_schema_version_is_that_of_the_newest_migration() -> None:
    files = sorted((HUB / "store" / "migrations" / "versions").glob("v*.py"))
    revisions = [re.search(r'^revision = "(.+)"$', file.read_text(), re.M) for file in files]
    assert [found.group(1) for found in revisions if found][-1] == HEAD
    assert [file.name[1:4] for file in files] == [found.group(1) for found in revisions if found]


@pytest.fixture(params=["sqlite_store", "postgresql_store"])
def store(request: pytest.FixtureRequest) -> Store:
    """An empty store on each database."""
    return request.getfixturevalue(request.param)  # type: ignore[no-any-return]


def test_the_migrations_make_the_tables_as_declared(store: Store) -> None:
    declared = _shape(store)
    with store.write() as db:
        tables = sa.MetaData()
        tables.reflect(db.connection)
        tables.drop_all(db.connection)
        assert current(db.connection) is None
        migrate(db.connection)
    with store.engine.connect() as connection:
        assert current(connection) == HEAD
        context = MigrationContext.configure(connection, opts={"compare_type": True, "compare_server_default": True})
        assert compare_metadata(context, metadata) == []
    assert _shape(store) == declared


def _shape(store: Store) -> dict[str, Any]:
    """Return every table's columns, keys and indexes (with the rows that partial ones hold)."""
    found = sa.inspect(store.engine)
    return {
        table: {
            "columns": sorted(
                (c["name"], str(c["type"]), c["nullable"], c["default"]) for c in found.get_columns(table)
            ),
            "primary": found.get_pk_constraint(table)["constrained_columns"],
            "unique": sorted(one["column_names"] for one in found.get_unique_constraints(table)),
            "indexes": {
                one["name"]: (
                    one["column_names"],
                    one["unique"],
                    {key: str(value) for key, value in one.get("dialect_options", {}).items()},
                )
                for one in found.get_indexes(table)
            },
        }
        for table in found.get_table_names()
    }


def test_upgrading_twice_changes_nothing(store: Store) -> None:
    upgrade(store)
    with store.engine.connect() as connection:
        assert current(connection) == HEAD
