"""Schema versions: an empty store gets today's tables; Alembic brings an older one up to date before anything uses it.

A test holds the tables as declared against those that all migrations make, so both ways lead to the same schema.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import sqlalchemy as sa

from hub.errors import ConfigError
from hub.store.tables import metadata

if TYPE_CHECKING:
    from hub.store.engine import Store

#: the newest schema version this program knows; a test holds it to the newest file in migrations/versions
HEAD = "005"
_FOLDER = Path(__file__).parent / "migrations"


def current(connection: sa.Connection) -> str | None:
    """Return the schema version of a store, None for an empty one."""
    if not sa.inspect(connection).has_table("alembic_version"):
        return None
    return connection.exec_driver_sql("SELECT version_num FROM alembic_version").scalar()


def upgrade(store: Store) -> None:
    """Bring the store to the newest version; several processes may ask at once."""
    with store.engine.connect() as connection:
        if current(connection) == HEAD:
            return
    with store.write() as db:
        db.lock(["hub-schema"])
        found = current(db.connection)
        if found == HEAD:
            return
        if found is not None and found > HEAD:
            raise ConfigError([f"the store was written by a newer hub (schema {found}, this one knows {HEAD})"])
        if found is None:
            _create(db.connection)
            return
        migrate(db.connection)


def migrate(connection: sa.Connection) -> None:
    """Walk through the migrations that a store has not seen, inside the caller's transaction."""
    # Alembic is slow to import and needed only here.
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(_FOLDER))
    config.attributes["connection"] = connection
    command.upgrade(config, "head")


def _create(connection: sa.Connection) -> None:
    """Make every table at once: quicker than to walk through the history, and a new hub is watched while it starts."""
    metadata.create_all(connection)
    connection.exec_driver_sql(
        "CREATE TABLE alembic_version "
        "(version_num VARCHAR(32) NOT NULL, CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num))"
    )
    connection.exec_driver_sql(f"INSERT INTO alembic_version (version_num) VALUES ('{HEAD}')")  # noqa: S608
