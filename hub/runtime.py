"""Everything a process of the hub needs at hand: config, store, connectors with their sessions, the limiter."""

from __future__ import annotations

import hashlib
import logging
import os
import time
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

from hub.config import Config, ConnectionConfig
from hub.connector import ConnectionInfo, Connector, Limits
from hub.history import History
from hub.keys import load_key
from hub.limiter import Limiter
from hub.masking import Masker
from hub.pauses import Pauses
from hub.plugins import Plugins
from hub.session import Session
from hub.store import Store, state
from hub.tokens import TokenVault

log = logging.getLogger("hub")


class Runtime:
    """One process's view of the hub. Connectors are made on first use and kept."""

    def __init__(
        self,
        config: Config,
        plugins: Plugins,
        store: Store,
        *,
        folder: Path,
        redis: Any | None = None,
        workers: int = 1,
        environ: Mapping[str, str] | None = None,
        patient: bool = False,
    ) -> None:
        self.config = config
        self.plugins = plugins
        self.store = store
        self.folder = folder
        self.redis = redis
        self.workers = workers
        self.limiter = Limiter(redis, workers)
        self._patient = patient
        self.pauses = Pauses(store)
        self._key = load_key(folder, environ if environ is not None else os.environ)
        self._connectors: dict[str, Connector] = {}
        self._limits: dict[str, LimitsOf] = {}
        #: (sync, side, employee there) -> (until when it holds, the employee on the other side)
        self.colleagues: dict[tuple[str, str, str], tuple[float, str]] = {}
        self._needs: dict[tuple[str, str], frozenset[str]] = {}
        with store.write() as db:
            self.instance = state.instance(db)
            self.since = self._first_seen(db)

    def _first_seen(self, db: Any) -> dict[str, float]:
        """Remember when each connection was first configured: what happened before that is history."""
        out = {}
        for name in self.config.connections:
            known = state.fact(db, f"since:{name}")
            if known is None:
                known = repr(db.now)
                state.set_fact(db, f"since:{name}", known)
            out[name] = float(known)
        return out

    def connector(self, name: str) -> Connector:
        """Return the connector of a connection, ready to talk. KeyError if hub.yaml has no such connection."""
        found = self._connectors.get(name)
        if found is None:
            found = self._connectors[name] = build(
                self.config.connections[name], self.config, self.store, self._key, self.limiter, self._patient
            )
        return found

    def limits(self, name: str) -> Limits:
        """Return the limits of a connection."""
        found = self._limits.get(name)
        if found is None:
            found = self._limits[name] = LimitsOf(self.connector(name))
        return found()

    def spend(self, connection: str, calls: int) -> None:
        """Count calls that go out (negative gives back what was reserved and not used)."""
        if calls:
            limits = self.limits(connection)
            self.limiter.spend(limits.key or connection, calls, limits.per_second, limits.burst)

    def needs(self, connection: str, record: str) -> frozenset[str]:
        """Return the record names that routes look at when an event of this record arrives."""
        key = (connection, record)
        found = self._needs.get(key)
        if found is None:
            found = self._needs[key] = self.config.needs(connection, record)
        return found

    @cached_property
    def masker(self) -> Masker:
        """Hides the secrets of all connections: for what belongs to none."""
        return Masker(secret for one in self.config.connections.values() for secret in one.secrets())

    def marker(self, *parts: object) -> str:
        """Return the mark a created record carries at the vendor: this installation, and what set it off."""
        digest = hashlib.blake2s("\x1f".join(str(part) for part in parts).encode(), digest_size=10).hexdigest()
        return f"{self.instance}-{digest}"

    def settings_digest(self, connection: str) -> str:
        """Return a digest of a connection's settings: other credentials lift a hold."""
        settings = self.config.connections[connection].settings
        return hashlib.blake2s(repr(sorted(settings.items(), key=str)).encode(), digest_size=8).hexdigest()

    def secret(self) -> bytes:
        """Return the key of this installation, for signing short-lived states."""
        return self._key

    def close(self) -> None:
        """Close the sessions and the store."""
        for connector in self._connectors.values():
            connector.http.close()
        self.store.close()


def build(
    connection: ConnectionConfig, config: Config, store: Store, key: bytes, limiter: Limiter, patient: bool = False
) -> Connector:
    """Make one connector: its settings, its session bound to the shared limiter, its vault.

    patient: calls that were not reserved wait for the limit, as a command does; a worker has asked before it claims.
    """
    info = ConnectionInfo(
        name=connection.name,
        region=config.hub.region,
        timezone=config.hub.timezone,
        base_url=config.hub.base_url or "",
        names=connection.names,
        mentions=config.mentions.get(connection.name, ()),
    )
    connector = connection.connector(info, connection.settings)
    connector.tokens = TokenVault(store, connection.name, key)
    connector.history = History(store, connection.name)
    limits = LimitsOf(connector)
    connector.http = Session(
        connection.name,
        hosts=connector.hosts(),
        timeout=limits().timeout,
        masker=Masker(connection.secrets()),
        settings=connection.settings,
        spend=lambda calls: (limiter.wait if patient else limiter.spend)(
            limits.bucket(), calls, limits().per_second, limits().burst
        ),
        paused=lambda scope: limiter.paused(limits.bucket(), scope),
    )
    return connector


class LimitsOf:
    """The limits of one connector, asked again once a minute: an app learns its portal only when it is installed."""

    def __init__(self, connector: Connector) -> None:
        self._connector = connector
        self._known: Limits | None = None
        self._at = 0.0

    def __call__(self) -> Limits:
        """Return the limits."""
        now = time.monotonic()
        if self._known is None or now - self._at > 60:
            self._known, self._at = self._connector.limits(), now
        return self._known

    def bucket(self) -> str:
        """Return the name of the bucket: the account's, shared by its connections, or the connection's own."""
        return self().key or self._connector.connection.name
