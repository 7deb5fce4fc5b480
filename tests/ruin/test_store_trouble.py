"""What the store doesn't take: a full disk for a moment, a text it can't hold. In one process, with a hand inside."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from hub.store import work
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
    ledger = box.engines[0].ledger
    write, refused = ledger.write, []

    def full(db: Any, batch: Any) -> Any:
        if len(refused) < 3:
            refused.append(len(batch))
            raise sqlite3.OperationalError("database or disk is full")
        return write(db, batch)

    monkeypatch.setattr(ledger, "write", full)
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
    ledger = box.engines[0].ledger
    write = ledger.write

    def choosy(db: Any, batch: Any) -> Any:
        if any(getattr(result, "done", None) and result.done.result.get("TITLE") == "poison" for _, result in batch):
            raise TypeError("str is not valid UTF-8")
        return write(db, batch)

    monkeypatch.setattr(ledger, "write", choosy)
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
        assert work.renew(db, ["sleeper:1"]) == {"b"}
