"""Storm 9: a new version opens a store with work in flight and finishes it.

A hub writes receipts nobody has read, deliveries that wait, and leases of workers that are gone; then it is cut off. A
newer schema (a made-up next revision) is laid over it, and the new process carries on.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from hub.config import load
from hub.engine import Engine
from hub.errors import ConfigError
from hub.plugins import Plugins
from hub.runtime import Runtime
from hub.store import Store, schema, work
from tests.ruin.sender import form, message, send
from tests.ruin.storms import YAML, settled, sizes
from tests.ruin.tree import HERE, Tree, until
from tests.ruin.vendor import Vendor

NEXT = '''"""A made-up next version."""

import sqlalchemy as sa
from alembic import op

revision = "{next}"
down_revision = "{head}"


def upgrade() -> None:
    """Add a column to the busiest table, filled for what is there."""
    op.add_column("delivery", sa.Column("novelty", sa.Text(), nullable=False, server_default="old"))
'''


def lay_next_version(folder: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Make this process one that knows a newer schema; return its version."""
    head = schema.HEAD
    following = f"{int(head) + 1:03}"
    migrations = folder / "migrations"
    shutil.copytree(schema._FOLDER, migrations)
    (migrations / "versions" / f"v{following}_next.py").write_text(NEXT.format(next=following, head=head))
    monkeypatch.setattr(schema, "_FOLDER", migrations)
    monkeypatch.setattr(schema, "HEAD", following)
    return following


def cut_off_in_the_middle(tree: Tree, vendor: Vendor, size: int) -> set[str]:
    """Fill a hub with work of every kind and kill all of it; return what it had acknowledged."""
    tree.start()
    done = send(tree, [[message(str(n), form(n)) for n in range(size)]])
    tree.drain()
    vendor.control(delay=5.0)
    flying = send(tree, [[message(str(n), form(n)) for n in range(size, 2 * size)]])
    until(lambda: tree.left()["receipts"] == 0, 10.0)
    until(lambda: tree.number("SELECT count(*) FROM line WHERE lease IS NOT NULL AND key LIKE 'crm%'") > 0, 10.0)
    tree.freeze("supervisor", "worker", "ticker")
    unread = send(tree, [[message(str(n), form(n)) for n in range(2 * size, 3 * size)]])
    tree.cut_power()
    left = tree.left()
    assert left["receipts"] == size
    assert size // 2 <= left["deliveries"] <= size  # on a busy machine the first calls have ended by now
    vendor.control(delay=0.0)
    if size < 100:  # the full storm waits for the leases of the dead, and so for what they had asked
        until(lambda: not vendor.state()["busy"], 10.0)
    return done.accepted | flying.accepted | unread.accepted


@sizes(small=10, full=200)
@pytest.mark.parametrize("database", ["sqlite", "postgresql"])
def test_a_newer_version_finishes_the_work(
    size: int,
    database: str,
    vendor: Vendor,
    trees: Callable[..., Tree],
    figures: Callable[..., None],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    request: pytest.FixtureRequest,
) -> None:
    """Both databases; the older version afterwards refuses the newer store instead of spoiling it."""
    url = request.getfixturevalue("postgresql_url") if database == "postgresql" else ""
    tree = trees(YAML.format(url=vendor.url), workers=1, database_url=url)
    accepted = cut_off_in_the_middle(tree, vendor, size)
    known = schema.HEAD
    version = lay_next_version(tmp_path, monkeypatch)
    plugins = Plugins.discover(HERE / "plugins")
    store = Store.open(url or None, tree.data)
    runtime = Runtime(load(tree.folder / "hub.yaml", plugins, {}), plugins, store, folder=tree.data, environ={})
    engine = Engine(runtime)
    if size < 100:  # the full storm waits until the leases of the dead run out, the small one frees them
        with store.write() as db:
            work.free_worker(db, "")
    engine.start()
    try:
        tree.drain(60.0)
    finally:
        engine.stop(5)
        runtime.close()
        plugins.close()
    assert tree.rows("SELECT version_num FROM alembic_version") == [(version,)]
    assert tree.number("SELECT count(*) FROM delivery WHERE novelty = 'old'") == 3 * size
    figures(f"9 upgrade {database}", **settled(vendor, accepted))
    monkeypatch.setattr(schema, "HEAD", known)
    with pytest.raises(ConfigError, match="newer hub"):
        Store.open(url or None, tree.data)


@pytest.mark.ruin
def test_a_frozen_worker_wakes_up(vendor: Vendor, trees: Callable[..., Tree], figures: Callable[..., None]) -> None:
    """A worker sleeps (a suspended machine) longer than its leases; what it still does makes no double."""
    vendor.control(delay=0.2)
    tree = trees(YAML.format(url=vendor.url), workers=2).start()
    total = 400
    queues = [[message(str(n), form(n)) for n in range(k, total, 8)] for k in range(8)]
    sent = send(tree, queues, rate=400)
    [one, other] = tree.freeze("worker")
    os.kill(other, signal.SIGCONT)
    began = time.monotonic()
    until(lambda: time.monotonic() - began > 20.0 and tree.left()["deliveries"] == 0, 60.0)
    with contextlib.suppress(ProcessLookupError):  # on a slow machine it has been replaced meanwhile
        os.kill(one, signal.SIGCONT)
    more = send(tree, [[message(str(n), form(n)) for n in range(total, total + 50)]])
    tree.drain()
    figures("P6 frozen worker", **settled(vendor, sent.accepted | more.accepted))
