"""Parked deliveries sent again: what may have been done is searched first, what is newer is not written over."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from hub import handwork
from hub.errors import Refused, Retry, Uncertain
from hub.model import Action
from hub.store import Store, drift, reading, reconciling
from hub.store.engine import Db
from tests.hub.fakes import WORLDS, Box, form

YAML = """
hub: {timezone: Europe/Kyiv, region: UA, unrouted: ignore}
connections:
  site: {plugin: source}
  crm: {plugin: sink}
routes:
  - {name: request, on: site.form.submitted, do: crm.lead.create, set: {TITLE: form.id}}
  - {name: title, on: crm.deal.updated, do: crm.note.create, set: {TEXT: deal.title}}
"""
WAYS: dict[str, Callable[[Db, int], Any]] = {
    "a person": handwork.retry,
    "a reconciliation": reconciling.release,
    "a mended drift": lambda db, id: drift.release_parked(db, "crm"),
}


@pytest.fixture(params=["sqlite_store", "postgresql_store"])
def box(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Box]:
    store: Store = request.getfixturevalue(request.param)
    box = Box(tmp_path / "box", YAML, store=store).start()
    yield box
    box.close()


def once(error: Exception) -> Callable[[Action], None]:
    """Return what makes a call fail the first time."""
    left = [error]

    def fail(action: Action) -> None:
        if left:
            raise left.pop()

    return fail


def parked(box: Box, code: str) -> int:
    """Park what waits, as if it had waited in vain for days; return its id."""
    with box.store.write() as db:
        db.run("UPDATE delivery SET state = 'parked', reason = ? WHERE state = 'ready'", (f'{{"code": "{code}"}}',))
    return int(box.one("SELECT id FROM delivery WHERE state = 'parked'"))


@pytest.mark.parametrize("way", WAYS)
def test_what_may_have_been_done_is_not_done_twice(box: Box, way: str) -> None:
    WORLDS["crm"].after = once(Uncertain("the answer never came"))
    box.send(form(None, x="1"))
    box.until(lambda: box.one("SELECT count(*) FROM attempt") == 1)
    id = parked(box, "drift_parked")
    with box.store.write() as db:
        WAYS[way](db, id)
    box.ring()
    box.settle()
    assert len(WORLDS["crm"].of("lead")) == 1
    assert box.one(f"SELECT state FROM delivery WHERE id = {id}") == "done"


@pytest.mark.parametrize("way", WAYS)
def test_what_is_old_looks_at_its_record_again(box: Box, way: str) -> None:
    crm = WORLDS["crm"]
    crm.records["deal", "5"] = {"id": "5", "title": "old"}
    crm.fail = once(Refused("not today"))
    box.send({"type": "deal.updated", "subject": "deal:5", "record": {"deal": {"id": "5", "title": "old"}}}, to="crm")
    box.until(lambda: box.one("SELECT count(*) FROM delivery WHERE state = 'parked'") == 1)
    crm.records["deal", "5"]["title"] = "new"
    with box.store.write() as db:
        db.run('UPDATE delivery SET created_at = created_at - 90000, reason = \'{"code": "drift_parked"}\'')
        WAYS[way](db, 1)
    box.ring()
    box.settle()
    assert [act[2]["TEXT"] for act in crm.acts if act[1] == "note"] == ["new"]


def test_sent_again_it_has_its_full_time_again(box: Box) -> None:
    """It was parked after days of failures: one more failure after that doesn't park it at once."""
    crm = WORLDS["crm"]

    def down(action: Action) -> None:
        raise Retry("down")

    crm.fail = down
    box.send(form(None, x="1"))
    box.until(lambda: box.one("SELECT count(*) FROM attempt") == 1)
    with box.store.write() as db:
        db.run("UPDATE delivery SET created_at = created_at - 300000")
        db.run("UPDATE attempt SET at = at - 300000")
    id = parked(box, "exhausted")
    with box.store.write() as db:
        handwork.retry(db, id)
    box.ring()
    box.until(lambda: box.one("SELECT count(*) FROM attempt") == 2)
    with box.store.write() as db:
        row = reading.delivery(db, id)
        assert row is not None
        assert (row["state"], row["tries"]) == ("ready", 1)
        db.run("UPDATE attempt SET at = at - 300000 WHERE n = 1 AND id = (SELECT max(id) FROM attempt)")
        db.run("UPDATE line SET due = 0, lease = NULL")
    box.ring()
    box.until(lambda: box.one("SELECT count(*) FROM delivery WHERE state = 'parked'") == 1)
