"""The group commit: many requests, one commit; nobody hears of it before it is on disk."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path
from typing import Any

import pytest

from hub import group_commit
from hub.errors import StoreFull
from hub.group_commit import GroupCommit
from hub.model import Request
from hub.store import Store, intake


def row(store: Store, key: object) -> tuple[Any, ...]:
    return intake.receipt_row("x", str(key), Request("POST", "/in/x", body=b"x"), store.sealer)


def count(store: Store) -> int:
    with store.read() as db:
        found = db.one("SELECT count(*) FROM receipt")
    assert found is not None
    return int(found[0])


def test_the_bell_rings_once_a_commit_and_only_after_it(sqlite_store: Store) -> None:
    rung: list[int] = []
    commit = GroupCommit(sqlite_store, lambda: rung.append(count(sqlite_store)))
    with sqlite_store.write():  # so that all of them gather behind one commit
        tickets = [commit.put(row(sqlite_store, n)) for n in range(20)]
    assert [ticket.wait() for ticket in tickets] == [True] * 20
    commit.stop()
    assert rung[-1] == 20 and len(rung) <= 3


def test_a_copy_is_told_from_the_first(sqlite_store: Store) -> None:
    commit = GroupCommit(sqlite_store, lambda: None)
    assert [commit.put(row(sqlite_store, key)).wait() for key in ("a", "b", "a")] == [True, True, False]
    commit.stop()


def test_stopping_writes_what_is_waiting(sqlite_store: Store) -> None:
    commit = GroupCommit(sqlite_store, lambda: None)
    for n in range(5):
        commit.note_rejected("x", 403, "no", str(n))
    commit.stop()
    with sqlite_store.read() as db:
        assert [row[0] for row in db.rows("SELECT request FROM rejected ORDER BY id")] == [str(n) for n in range(5)]


def test_an_event_loop_waits_for_many_at_once(sqlite_store: Store) -> None:
    commit = GroupCommit(sqlite_store, lambda: None)

    async def send() -> list[bool]:
        loop = asyncio.get_running_loop()
        tickets = [commit.put(row(sqlite_store, n % 30), loop.create_future()) for n in range(40)]
        return await asyncio.gather(*(ticket.arrive() for ticket in tickets))

    assert sum(asyncio.run(send())) == 30
    assert count(sqlite_store) == 30
    commit.stop()


def test_whoever_waits_too_long_is_told_so_and_leaves_nothing(
    sqlite_store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(group_commit, "PATIENCE", 0.05)
    commit = GroupCommit(sqlite_store, lambda: None)

    async def send() -> None:
        await commit.put(row(sqlite_store, "loop"), asyncio.get_running_loop().create_future()).arrive()

    with sqlite_store.write():
        first = commit.put(row(sqlite_store, "first"))  # the committing thread hangs in this one's commit
        while commit._waiting:
            threading.Event().wait(0.001)
        with pytest.raises(StoreFull, match="in time"):
            commit.put(row(sqlite_store, "thread")).wait()
        with pytest.raises(StoreFull, match=r"in time|taken nothing"):
            asyncio.run(send())
        assert all(ticket.row is None for ticket in commit._waiting), "what was given up needs no memory"
    assert first.wait()
    commit.stop()
    assert count(sqlite_store) == 1


def test_a_loop_that_has_ended_keeps_nobody_else_waiting(sqlite_store: Store) -> None:
    commit = GroupCommit(sqlite_store, lambda: None)
    loop = asyncio.new_event_loop()
    with sqlite_store.write():
        commit.put(row(sqlite_store, "gone"), loop.create_future())
        loop.close()
        other = commit.put(row(sqlite_store, "here"))
    assert other.wait()
    commit.stop()
    assert count(sqlite_store) == 2


def test_a_store_that_fails_is_told_to_all_who_wait(
    sqlite_store: Store, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def broken(db: Any, rows: Any) -> None:
        raise OSError("disk I/O error")

    commit = GroupCommit(sqlite_store, lambda: None)
    with monkeypatch.context() as patch:
        patch.setattr(group_commit.intake, "add_receipts", broken)

        async def send() -> None:
            await commit.put(row(sqlite_store, "loop"), asyncio.get_running_loop().create_future()).arrive()

        with pytest.raises(StoreFull, match="disk"):
            commit.put(row(sqlite_store, "thread")).wait()
        with pytest.raises(StoreFull, match="disk"):
            asyncio.run(send())
    assert commit.put(row(sqlite_store, "later")).wait()
    commit.stop()
