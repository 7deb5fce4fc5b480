"""What commands share: where the configuration and the data are, opened when a command asks for them."""

from __future__ import annotations

import os
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import click

from hub.cli import output
from hub.errors import ConfigError

if TYPE_CHECKING:
    from hub.config import Config
    from hub.masking import Masker
    from hub.plugins import Plugins
    from hub.processes import Plan
    from hub.runtime import Runtime
    from hub.store import Store


class InputError(click.ClickException):
    """The input is wrong: a file, an argument, the configuration. Exit 2."""

    exit_code = 2

    def show(self, file: Any = None) -> None:
        """Print the problems as they are, one a line."""
        output.echo(self.format_message(), err=True)


class WorldError(click.ClickException):
    """The world is wrong: a port taken, a vendor away, nothing there. Exit 1."""

    exit_code = 1

    def show(self, file: Any = None) -> None:
        """Print what is wrong."""
        output.echo(self.format_message(), err=True)


class App:
    """One call of the command line. Everything is opened on first use and closed with the click context."""

    def __init__(self, config: Path | None = None, data: Path | None = None) -> None:
        self.path = config or Path("hub.yaml")
        self._data = data

    @property
    def folder(self) -> Path:
        """The data folder."""
        return self._data if self._data is not None else self.path.absolute().parent / "data"

    @cached_property
    def environ(self) -> Mapping[str, str]:
        """The environment, with the `.env` beside the configuration beneath it."""
        from hub.config.load import variables

        return variables(self.path)

    def _use_key(self) -> None:
        """Let a key that stands in `.env` count as if it stood in the environment, for every process of this hub."""
        if key := self.environ.get("HUB_SECRET_KEY"):
            os.environ.setdefault("HUB_SECRET_KEY", key)

    @cached_property
    def plugins(self) -> Plugins:
        """All plugins of this installation and of `plugins_dir`."""
        from hub.config import plugins_dir
        from hub.plugins import Plugins

        folder = plugins_dir(self.path) if self.path.is_file() else None
        return Plugins.discover(folder)

    @cached_property
    def config(self) -> Config:
        """The configuration, checked; raises ConfigError with every problem."""
        from hub.config import load

        if not self.path.is_file():
            raise InputError(
                f"there is no {self.path}. Make one with `hub init`, or say where it is: hub --config FILE ..."
            )
        return load(self.path, self.plugins)

    @cached_property
    def config_if_fine(self) -> Config | None:
        """The configuration for commands that do without: None if it can't be used, which is said once."""
        if not self.path.is_file():
            return None
        try:
            return self.config
        except ConfigError:
            output.echo(f"{self.path} has problems (hub check); showing what is stored", err=True)
            return None

    @property
    def zone(self) -> ZoneInfo:
        """The time zone people read times in."""
        return self.config_if_fine.hub.zone if self.config_if_fine else ZoneInfo("UTC")

    @property
    def region(self) -> str:
        """The country whose national phone spellings are understood."""
        return self.config_if_fine.hub.region if self.config_if_fine else ""

    @cached_property
    def masker(self) -> Masker:
        """Hides the secrets of all connections."""
        from hub.masking import Masker

        config = self.config_if_fine
        return Masker(secret for one in config.connections.values() for secret in one.secrets()) if config else Masker()

    # --- the store ------------------------------------------------------------------------------

    def database_url(self) -> str:
        """Return the address of the database, "" for SQLite in the data folder."""
        if given := self.environ.get("DATABASE_URL"):
            return given
        config = self.config_if_fine
        return config.hub.database_url if config else ""

    def redis_url(self) -> str:
        """Return the address of Redis, "" if none was given."""
        return self.environ.get("REDIS_URL") or self.config.hub.redis_url

    def open_store(self) -> Store:
        """Open the store of a hub that has run before; it is closed when the command ends."""
        from hub.store import Store

        url = self.database_url()
        if not url and not (self.folder / "hub.db").exists():
            if self.path.is_file():
                _ = self.config  # a problem there may be why the store isn't found
            raise WorldError(f"there is nothing in {self.folder} yet: start the hub with `hub run`, or name --data DIR")
        self._use_key()
        store = Store.open(url or None, self.folder)
        click.get_current_context().call_on_close(store.close)
        return store

    def look(self) -> Store | None:
        """Open the store only to look at it: nothing is made or upgraded; None if no hub has run here yet."""
        from hub.store import Store

        store = Store.look(self.database_url() or None, self.folder)
        if store is not None:
            click.get_current_context().call_on_close(store.close)
        return store

    def key(self) -> bytes | None:
        """Return the key of this installation; None if it has none yet."""
        from hub.keys import load_key

        self._use_key()
        known = os.environ.get("HUB_SECRET_KEY") or (self.folder / "secret.key").is_file()
        return load_key(self.folder, os.environ) if known else None

    def runtime(self) -> Runtime:
        """Open store and connectors, for commands that talk to vendors; closed when the command ends."""
        from hub.runtime import Runtime
        from hub.store import Store

        config = self.config
        self._use_key()
        store = Store.open(self.database_url() or None, self.folder)
        runtime = Runtime(config, self.plugins, store, folder=self.folder, environ=self.environ, patient=True)
        click.get_current_context().call_on_close(runtime.close)
        return runtime

    def plan(self, **changes: Any) -> Plan:
        """Return what the processes of this hub need to know."""
        from hub.processes import Plan

        self._use_key()
        return Plan(
            config=self.config, plugins=self.plugins, folder=self.folder, database_url=self.database_url(),
            redis_url=self.redis_url(), **changes,
        )  # fmt: skip

    def connection(self, name: str) -> str:
        """Return the name if there is such a connection; raises InputError with the nearest guess."""
        from hub.config.problems import guess, listed

        known = self.config.connections
        if name not in known:
            raise InputError(f'there is no connection "{name}" in {self.path} ({listed(known)}).{guess(name, known)}')
        return name


pass_app = click.make_pass_decorator(App)
