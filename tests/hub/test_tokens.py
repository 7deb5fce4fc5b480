"""Rotating credentials (P11): refreshed once per expiry under any number of workers, stored before use, encrypted."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from cryptography.fernet import Fernet

from hub import tokens as tokens_module
from hub.errors import AuthFailed, Retry
from hub.store import Store
from hub.tokens import TokenVault

KEY = Fernet.generate_key()
OLD = {"access_token": "old-access", "refresh_token": "old-refresh", "portal": "x.example"}


class Vendor:
    """Gives a new pair for the present refresh token, refuses any other, and remembers each call."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.calls: list[str] = []
        self.valid = "old-refresh"

    def __call__(self, current: dict[str, Any]) -> dict[str, Any]:
        with self.lock:
            self.calls.append(current["refresh_token"])
            if current["refresh_token"] != self.valid:
                raise AuthFailed("invalid_grant")
            self.valid = f"refresh-{len(self.calls)}"
            return {"access_token": f"access-{len(self.calls)}", "refresh_token": self.valid}


class VaultContract:
    """Inherited by one class per database."""

    @pytest.fixture
    def store(self) -> Store:
        raise NotImplementedError

    @pytest.fixture
    def vault(self, store: Store) -> TokenVault:
        vault = TokenVault(store, "crm", KEY)
        vault.store(OLD)
        return vault

    def test_forty_threads_at_once_make_one_refresh_per_expiry(self, store: Store, vault: TokenVault) -> None:
        vendor, gate = Vendor(), threading.Barrier(40)

        def worker(_: int) -> dict[str, Any]:
            mine = TokenVault(store, "crm", KEY)
            stale = mine.read()
            gate.wait(20)
            return mine.refresh_once(stale or {}, vendor)

        with ThreadPoolExecutor(40) as pool:
            for expiry in (1, 2):
                fresh = list(pool.map(worker, range(40)))
                assert {one["access_token"] for one in fresh} == {f"access-{expiry}"}
                assert len(vendor.calls) == expiry
        assert vault.read() == {**OLD, "access_token": "access-2", "refresh_token": "refresh-2"}

    def test_the_new_pair_is_stored_before_anyone_uses_it(self, store: Store, vault: TokenVault) -> None:
        seen = []

        def fetch(current: dict[str, Any]) -> dict[str, Any]:
            return {"access_token": "new", "refresh_token": "new-refresh"}

        fresh = vault.refresh_once(OLD, fetch)
        seen.append(TokenVault(store, "crm", KEY).read())
        assert seen == [fresh]

    def test_who_comes_with_outdated_credentials_gets_the_newer_ones_without_a_call(self, vault: TokenVault) -> None:
        vendor = Vendor()
        first = vault.refresh_once(OLD, vendor)
        assert vault.refresh_once(OLD, vendor) == first
        assert len(vendor.calls) == 1

    def test_a_refused_refresh_is_asked_once_and_everyone_is_told(self, store: Store, vault: TokenVault) -> None:
        vendor, gate = Vendor(), threading.Barrier(20)
        vendor.valid = "something else"

        def worker(_: int) -> str:
            gate.wait(20)
            with pytest.raises(AuthFailed) as caught:
                TokenVault(store, "crm", KEY).refresh_once(OLD, vendor)
            return str(caught.value)

        with ThreadPoolExecutor(20) as pool:
            told = list(pool.map(worker, range(20)))
        assert set(told) == {"invalid_grant"}
        assert len(vendor.calls) == 1
        assert vault.read() == OLD

    def test_a_refusal_is_forgotten_with_new_credentials(self, vault: TokenVault) -> None:
        vendor = Vendor()
        vendor.valid = "something else"
        with pytest.raises(AuthFailed):
            vault.refresh_once(OLD, vendor)
        vault.store({**OLD, "refresh_token": "something else"})
        assert vault.refresh_once(OLD, vendor)["access_token"] == "access-2"

    def test_a_refusal_is_asked_about_again_after_a_while(self, store: Store, vault: TokenVault) -> None:
        vendor = Vendor()
        vendor.valid = "not yet"
        with pytest.raises(AuthFailed):
            vault.refresh_once(OLD, vendor)
        vendor.valid = "old-refresh"
        with pytest.raises(AuthFailed):
            vault.refresh_once(OLD, vendor)
        _age(store)
        assert vault.refresh_once(OLD, vendor)["access_token"] == "access-2"

    @pytest.mark.parametrize("error", [Retry("HTTP 502"), ValueError("no JSON"), KeyError("access_token")])
    def test_after_a_failed_refresh_the_next_one_may_try_at_once(self, vault: TokenVault, error: Exception) -> None:
        def fail(current: dict[str, Any]) -> dict[str, Any]:
            raise error

        with pytest.raises(type(error)):
            vault.refresh_once(OLD, fail)
        assert vault.refresh_once(OLD, Vendor())["access_token"] == "access-1"

    def test_a_refresher_that_died_holds_the_others_up_for_its_time_only(
        self, store: Store, vault: TokenVault, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        class Killed(BaseException):
            pass

        def die(current: dict[str, Any]) -> dict[str, Any]:
            raise Killed

        with pytest.raises(Killed):
            vault.refresh_once(OLD, die)
        vendor = Vendor()
        monkeypatch.setattr(tokens_module.time, "sleep", lambda _: _age(store))
        assert vault.refresh_once(OLD, vendor)["access_token"] == "access-1"

    def test_who_waits_too_long_for_another_tries_later(
        self, store: Store, vault: TokenVault, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        _take_ticket(store)
        clock = iter(range(0, 10_000, 10))
        monkeypatch.setattr(tokens_module.time, "monotonic", lambda: float(next(clock)))
        monkeypatch.setattr(tokens_module.time, "sleep", lambda _: None)
        with pytest.raises(Retry, match="another worker is refreshing"):
            vault.refresh_once(OLD, Vendor())

    def test_a_consent_given_during_a_refresh_wins(self, store: Store, vault: TokenVault) -> None:
        given = {"access_token": "by consent", "refresh_token": "r"}

        def meanwhile(current: dict[str, Any]) -> dict[str, Any]:
            TokenVault(store, "crm", KEY).store(given)
            return {"access_token": "late", "refresh_token": "late"}

        assert vault.refresh_once(OLD, meanwhile) == given
        assert vault.read() == given

    def test_a_refresh_refused_because_another_was_quicker_brings_the_newer_ones(
        self, store: Store, vault: TokenVault
    ) -> None:
        def overtaken(current: dict[str, Any]) -> dict[str, Any]:
            _age(store)
            TokenVault(store, "crm", KEY).refresh_once(OLD, Vendor())
            raise AuthFailed("invalid_grant")

        assert vault.refresh_once(OLD, overtaken)["access_token"] == "access-1"
        assert (vault.read() or {})["access_token"] == "access-1"

    def test_without_credentials_consent_is_asked_for(self, store: Store) -> None:
        vault = TokenVault(store, "other", KEY)
        assert vault.read() is None
        with pytest.raises(AuthFailed, match="give consent first"):
            vault.refresh_once({}, Vendor())

    def test_another_key_is_said_in_words_with_what_to_do(self, store: Store, vault: TokenVault) -> None:
        with pytest.raises(AuthFailed, match=r"encrypted with another key.*put the old key back"):
            TokenVault(store, "crm", Fernet.generate_key()).read()

    def test_tokens_are_not_readable_at_rest(self, store: Store, vault: TokenVault) -> None:
        vault.refresh_once(OLD, Vendor())
        with store.read() as db:
            [row] = db.rows("SELECT value FROM token")
        assert b"access" not in bytes(row[0]) and b"x.example" not in bytes(row[0])

    def test_connections_have_their_own_credentials(self, store: Store, vault: TokenVault) -> None:
        TokenVault(store, "crm2", KEY).store({"access_token": "two"})
        assert (vault.read() or {})["access_token"] == "old-access"

    def test_four_processes_at_once_make_one_refresh(self, store: Store, vault: TokenVault, tmp_path: Path) -> None:
        log = tmp_path / "calls"
        url = store.url.replace("+psycopg", "") if store.postgresql else ""
        workers = [
            subprocess.Popen(
                [sys.executable, "-c", _REFRESH, url, str(store.folder), KEY.decode(), str(log)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            )
            for _ in range(4)
        ]
        for worker in workers:
            assert worker.stdout is not None and worker.stdout.readline() == "ready\n"
        for worker in workers:
            assert worker.stdin is not None
            worker.stdin.write("go\n")
            worker.stdin.flush()
        told = [json.loads(worker.communicate()[0]) for worker in workers]
        assert len(log.read_text().splitlines()) == 1
        assert {token for tokens in told for token in tokens} == {(vault.read() or {})["access_token"]}


_REFRESH = """
import json, os, sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from hub.store import Store
from hub.tokens import TokenVault

store = Store.open(sys.argv[1] or None, Path(sys.argv[2]), b"a key of the tests")
vault = TokenVault(store, "crm", sys.argv[3].encode())
stale = vault.read()

def fetch(current):
    with open(sys.argv[4], "a") as log:
        log.write("call\\n")
    return {"access_token": f"by-{os.getpid()}", "refresh_token": "next"}

print("ready", flush=True)
sys.stdin.readline()
with ThreadPoolExecutor(10) as pool:
    fresh = list(pool.map(lambda _: vault.refresh_once(stale, fetch)["access_token"], range(10)))
print(json.dumps(fresh), flush=True)
"""


def _age(store: Store) -> None:
    """Let the time of the present refresh or refusal run out."""
    with store.write() as db:
        db.run("UPDATE token SET refreshing_until = ? WHERE refreshing IS NOT NULL", (db.now - 1,))


def _take_ticket(store: Store) -> None:
    with store.write() as db:
        db.run("UPDATE token SET refreshing = 'another', refreshing_until = ?", (db.now + 3600,))


class TestSQLite(VaultContract):
    @pytest.fixture
    def store(self, sqlite_store: Store) -> Iterator[Store]:
        return sqlite_store  # type: ignore[return-value]

    def test_no_file_of_the_data_folder_holds_a_token(self, store: Store, vault: TokenVault) -> None:
        vault.refresh_once(OLD, Vendor())
        for file in store.folder.iterdir():
            data = file.read_bytes()
            assert b"access-1" not in data and b"refresh-1" not in data and b"old-refresh" not in data


class TestPostgreSQL(VaultContract):
    @pytest.fixture
    def store(self, postgresql_store: Store) -> Iterator[Store]:
        return postgresql_store  # type: ignore[return-value]
