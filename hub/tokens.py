"""Rotating credentials: encrypted at rest, refreshed exactly once per expiry under any number of workers."""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any

import orjson
from cryptography.fernet import Fernet, InvalidToken

from hub.errors import AuthFailed, Retry
from hub.store import Store

#: how long one refresh may take before another worker may try
_REFRESH = 30.0
#: stands in the place of a ticket after the vendor has refused
_REFUSED = "refused: "


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
        the others wait for it. Where `stale` is already out of date the newer ones are returned at once. What the
        vendor refused isn't asked again for a while: everyone who waits gets the same answer.
        """
        deadline = time.monotonic() + _REFRESH
        while True:
            current, version, refused = self._row()
            if current is None:
                raise AuthFailed("there are no credentials yet: give consent first")
            if current.get("access_token") != stale.get("access_token"):
                return current
            if refused is not None:
                raise AuthFailed(refused)
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
        except Exception as error:
            self._give_up(ticket, error)
            newer = self.read()
            if newer is not None and newer.get("access_token") != current.get("access_token"):
                return newer
            raise
        with self._store.write() as db:
            # Stored even if our ticket ran out: the vendor has rotated, this pair is the only one that works.
            stored = db.run(
                "UPDATE token SET value = ?, version = version + 1, refreshing = NULL, refreshing_until = NULL, at = ? "
                "WHERE connection = ? AND version = ?",
                (self._seal(fresh), db.now, self._connection, version),
            )
        # Somebody stored newer ones meanwhile (a new consent, or whoever took over from us): those count.
        return fresh if stored else self.read() or fresh

    def _give_up(self, ticket: str, error: Exception) -> None:
        """Let the next one try; at once after a failure, after a while where the vendor has refused."""
        with self._store.write() as db:
            refused = _REFUSED + str(error)[:300] if isinstance(error, AuthFailed) else None
            db.run(
                "UPDATE token SET refreshing = ?, refreshing_until = ? WHERE connection = ? AND refreshing = ?",
                (refused, db.now + _REFRESH if refused else None, self._connection, ticket),
            )

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

    def _row(self) -> tuple[dict[str, Any] | None, int, str | None]:
        """Return the credentials, their version, and why the vendor has just refused to refresh them."""
        with self._store.read() as db:
            row = db.one(
                "SELECT value, version, refreshing, refreshing_until FROM token WHERE connection = ?",
                (self._connection,),
            )
            refused = row is not None and str(row[2] or "").startswith(_REFUSED) and row[3] >= db.now
        if row is None:
            return None, 0, None
        try:
            tokens = orjson.loads(self._fernet.decrypt(bytes(row[0])))
            return tokens, int(row[1]), row[2].removeprefix(_REFUSED) if refused else None
        except InvalidToken:
            raise AuthFailed(
                "the stored credentials were encrypted with another key (HUB_SECRET_KEY or secret.key has changed): "
                "put the old key back or give consent again"
            ) from None

    def _seal(self, tokens: Mapping[str, Any]) -> bytes:
        return self._fernet.encrypt(orjson.dumps(dict(tokens)))


class MemoryVault:
    """The credentials of one connection, kept in memory; it behaves as `TokenVault` does (`hub try`, tests).

    `refreshes` counts the fetches, so that a test can say "exactly once".
    """

    def __init__(self, tokens: Mapping[str, Any] | None = None) -> None:
        self._tokens = dict(tokens) if tokens is not None else None
        self._lock = threading.Lock()
        self.refreshes = 0

    def read(self) -> dict[str, Any] | None:
        """Return the stored credentials, or None if there are none yet."""
        return dict(self._tokens) if self._tokens is not None else None

    def store(self, tokens: Mapping[str, Any]) -> None:
        """Store credentials, whatever was there before."""
        self._tokens = dict(tokens)

    def refresh_once(
        self, stale: Mapping[str, Any], fetch: Callable[[dict[str, Any]], Mapping[str, Any]]
    ) -> dict[str, Any]:
        """Return fresh credentials: `fetch(current)` is called unless somebody has refreshed them meanwhile."""
        with self._lock:
            current = self.read()
            if current is None:
                raise AuthFailed("there are no credentials yet: give consent first")
            if current.get("access_token") == stale.get("access_token"):
                self.refreshes += 1
                current |= fetch(current)
                self._tokens = current
            return dict(current)
