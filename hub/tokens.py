"""Rotating credentials: encrypted at rest, refreshed exactly once per expiry under any number of workers."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Mapping
from typing import Any

import orjson
from cryptography.fernet import Fernet, InvalidToken

from hub.errors import AuthFailed, HubError, Retry
from hub.store import Store

#: how long one refresh may take before another worker may try
_REFRESH = 30.0


class TokenVault:
    """The credentials of one connection."""

    def __init__(self, store: Store, connection: str, key: bytes) -> None:
        self._store = store
        self._connection = connection
        self._fernet = Fernet(key)

    def read(self) -> dict[str, Any] | None:
        """Return the stored credentials, or None if there are none yet."""
        return self._row()[0]

    def store(self, tokens: Mapping[str, Any]) -> None:
        """Store credentials, whatever was there before (after consent)."""
        with self._store.write() as db:
            db.insert(
                "token",
                ("connection", "value", "version", "at"),
                [(self._connection, self._seal(tokens), 1, db.now)],
                "ON CONFLICT (connection) DO UPDATE SET value = excluded.value, version = token.version + 1, "
                "refreshing = NULL, refreshing_until = NULL, at = excluded.at",
            )

    def refresh_once(
        self, stale: Mapping[str, Any], fetch: Callable[[dict[str, Any]], Mapping[str, Any]]
    ) -> dict[str, Any]:
        """Return fresh credentials. One worker calls `fetch(current)` and its answer is stored before it is used;
        the others wait for it. Where `stale` is already out of date the newer ones are returned at once.
        """
        deadline = time.monotonic() + _REFRESH
        while True:
            current, version = self._row()
            if current is None:
                raise AuthFailed("there are no credentials yet: give consent first")
            if current.get("access_token") != stale.get("access_token"):
                return current
            ticket = secrets.token_hex(8)
            if self._take(version, ticket):
                return self._fetch(current, version, ticket, fetch)
            if time.monotonic() > deadline:
                raise Retry("another worker is refreshing the credentials", 5.0)
            time.sleep(0.1)

    def _fetch(
        self,
        current: dict[str, Any],
        version: int,
        ticket: str,
        fetch: Callable[[dict[str, Any]], Mapping[str, Any]],
    ) -> dict[str, Any]:
        try:
            fresh = {**current, **fetch(current)}
        except HubError:
            with self._store.write() as db:
                db.run(
                    "UPDATE token SET refreshing = NULL, refreshing_until = NULL "
                    "WHERE connection = ? AND refreshing = ?",
                    (self._connection, ticket),
                )
            newer, _ = self._row()
            if newer is not None and newer.get("access_token") != current.get("access_token"):
                return newer
            raise
        with self._store.write() as db:
            # Stored even if our ticket ran out: the vendor has rotated, this pair is the only one that works.
            db.run(
                "UPDATE token SET value = ?, version = version + 1, refreshing = NULL, refreshing_until = NULL, at = ? "
                "WHERE connection = ? AND version = ?",
                (self._seal(fresh), db.now, self._connection, version),
            )
        return fresh

    def _take(self, version: int, ticket: str) -> bool:
        with self._store.write() as db:
            return (
                db.run(
                    "UPDATE token SET refreshing = ?, refreshing_until = ? WHERE connection = ? AND version = ? "
                    "AND (refreshing IS NULL OR refreshing_until < ?)",
                    (ticket, db.now + _REFRESH, self._connection, version, db.now),
                )
                > 0
            )

    def _row(self) -> tuple[dict[str, Any] | None, int]:
        with self._store.read() as db:
            row = db.one("SELECT value, version FROM token WHERE connection = ?", (self._connection,))
        if row is None:
            return None, 0
        try:
            return orjson.loads(self._fernet.decrypt(bytes(row[0]))), int(row[1])
        except InvalidToken:
            raise AuthFailed(
                "the stored credentials were encrypted with another key (HUB_SECRET_KEY or secret.key has changed): "
                "put the old key back or give consent again"
            ) from None

    def _seal(self, tokens: Mapping[str, Any]) -> bytes:
        return self._fernet.encrypt(orjson.dumps(dict(tokens)))
