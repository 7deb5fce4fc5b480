"""What the store doesn't take: a full disk for a moment, a text it can't hold. In one process, with a hand inside."""

from __future__ import annotations

import errno
import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
import sqlalchemy as sa

from hub import outcome
from hub.model import Action
from hub.session import Exchange
from hub.store import work
from hub.store.json import loads
from tests.hub.fakes import WORLDS, Box, form

YAML = """
hub: {unrouted: ignore}
connections:
  site: {plugin: source}
  other: {plugin: source}
  crm: {plugin: sink}
routes:
  - name: form becomes a lead
    on: site.form.submitted
    do: crm.lead.create
    set: {TITLE: contact.name}
  - name: the other too
    on: other.form.submitted
    do: crm.lead.create
    set: {TITLE: contact.name}
"""


@pytest.fixture
def box(tmp_path: Path) -> Iterator[Box]:
    """A hub with one worker."""
    box = Box(tmp_path, YAML)
    yield box
    box.close()


def test_outcomes_outlive_a_full_disk(box: Box, monkeypatch: pytest.MonkeyPatch) -> None:
    """A commit that fails after calls took effect is tried again; nothing is called twice, nothing is left lying."""
    recorder = box.engines[0].recorder
    write, refused = recorder.write, []

    def full(db: Any, batch: Any) -> Any:
        if len(refused) < 3:
            refused.append(len(batch))
            raise sqlite3.OperationalError("database or disk is full")
        return write(db, batch)

    monkeypatch.setattr(recorder, "write", full)
    box.start()
    for n in range(10):
        box.send(form(phone=f"+38067000000{n}"))
    box.settle()
    assert refused
    assert [one["state"] for one in box.deliveries()] == ["done"] * 10
    assert len(WORLDS["crm"].of("lead")) == 10
    assert len([act for act in WORLDS["crm"].acts if act[1] == "lead"]) == 10


def test_a_result_that_cannot_be_stored_is_parked_alone(box: Box, monkeypatch: pytest.MonkeyPatch) -> None:
    """One poisoned result stands in nobody's way."""
    recorder = box.engines[0].recorder
    write = recorder.write

    def choosy(db: Any, batch: Any) -> Any:
        if any(getattr(result, "done", None) and result.done.result.get("TITLE") == "poison" for _, result in batch):
            raise TypeError("str is not valid UTF-8")
        return write(db, batch)

    monkeypatch.setattr(recorder, "write", choosy)
    for n in range(10):
        box.send(form(phone=f"+38067000000{n}", name="poison" if n == 4 else "Anna"))
    box.start()
    box.settle()
    states = {one["id"]: one["state"] for one in box.deliveries()}
    assert sorted(states.values()) == ["done"] * 9 + ["parked"]
    assert "could not be stored" in next(one["reason"] for one in box.deliveries() if one["state"] == "parked")


def test_a_receipt_that_cannot_be_stored_as_events_is_closed_alone(box: Box) -> None:
    """A lone surrogate passes a lenient plugin's JSON reader; no database takes it. Its neighbours must not wait."""
    box.send(form(), to="site")
    box.send(form(name="\ud800"), to="site")
    box.send(form(), to="site")
    box.send(form(), to="other")
    box.start()
    box.settle()
    with box.store.read() as db:
        states = [row[0] for row in db.rows("SELECT state FROM receipt ORDER BY id")]
    assert states == ["done", "unreadable", "done", "done"]
    assert [one["state"] for one in box.deliveries()] == ["done"] * 3


def test_every_claim_begins_a_new_doubt(box: Box) -> None:
    """A create that is repeated after its doubt and cut short again is given its settle time again."""
    box.send(form())
    lease = "w:1"
    with box.store.write() as db:
        work.ensure_lines(db, {"in:site": "in"})
        assert work.claim_one(db, "in:site", lease)
    box.engines[0].pipeline.process("site", lease)

    def claim() -> float:
        with box.store.write() as db:
            db.run("UPDATE line SET due = 0 WHERE lane = 'crm'")
            work.claimed(db, work.claim(db, "crm", 1, "w:2"))
        with box.store.read() as db:
            return float(db.one("SELECT started_at FROM delivery")[0])

    first = claim()
    time.sleep(0.01)
    assert claim() > first


def test_a_lease_taken_over_is_not_prolonged(box: Box) -> None:
    """A worker that slept learns from its renewal which lines are no longer its own."""
    with box.store.write() as db:
        work.ensure_lines(db, {"a": "crm", "b": "crm"})
        assert sorted(work.claim(db, "crm", 2, "sleeper:1")) == ["a", "b"]
        db.run("UPDATE line SET lease = 'other:1' WHERE key = 'a'")
        assert work.renew(db, [("a", "sleeper:1"), ("b", "sleeper:1")]) == {"b"}


@pytest.mark.parametrize(
    "trouble",
    [
        sqlite3.OperationalError("database is locked"),
        sa.exc.TimeoutError("QueuePool limit of size 8 overflow 24 reached"),
        psycopg.errors.DeadlockDetected("deadlock detected"),
        OSError(errno.EMFILE, "Too many open files"),
    ],
    ids=lambda error: type(error).__name__,
)
@pytest.mark.parametrize("called", [False, True])
def test_trouble_of_the_store_within_a_delivery_is_no_refusal(
    box: Box, monkeypatch: pytest.MonkeyPatch, trouble: Exception, called: bool
) -> None:
    """It is tried again by itself; where the vendor had been asked by then, what is there is looked for first."""
    monkeypatch.setattr(outcome, "BACKOFF", (0.05,))
    monkeypatch.setattr(outcome, "STORE_AGAIN", 0.05)
    failed = []
    session = box.runtime.connector("crm").http

    def fails_once(action: Action) -> None:
        if not failed:
            failed.append(action.marker)
            if called:
                session._local.context.exchanges.append(Exchange("POST", "https://crm.example/lead", 200, 1))
            raise trouble

    setattr(WORLDS["crm"], "after" if called else "fail", fails_once)
    box.start()
    box.send(form())
    box.settle()
    [delivery] = box.deliveries()
    assert (delivery["state"], len(failed)) == ("done", 1)
    assert len(WORLDS["crm"].of("lead")) == 1
    with box.store.read() as db:
        [first, *_] = [loads(row[0]) for row in db.rows("SELECT reason FROM attempt ORDER BY id")]
        fails = db.rows("SELECT fails FROM health WHERE connection = 'crm' AND fails > 0")
    assert first["code"] == "store_trouble"
    assert type(trouble).__name__ in first["params"]["why"]
    assert not fails, "it says nothing of the vendor"


def test_a_plugins_own_oserror_is_still_its_failure(box: Box) -> None:
    def fails(action: Action) -> None:
        raise FileNotFoundError("template.txt")

    WORLDS["crm"].fail = fails
    box.start()
    box.send(form())
    box.settle()
    [delivery] = box.deliveries()
    assert delivery["state"] == "parked"
    assert loads(delivery["reason"])["code"] == "plugin_error"
