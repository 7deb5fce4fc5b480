"""What people look at and do by hand means the same on both databases."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from hub import handwork
from hub.errors import Refused
from hub.explain import find, life
from hub.model import Action, Watch
from hub.store import Store, reading, state, work
from hub.store.reading import Page
from tests.hub.cli.conftest import ENV, YAML
from tests.hub.fakes import WORLDS, Box, form


@pytest.fixture(params=["sqlite_store", "postgresql_store"])
def parked(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Box]:
    """A hub with one parked delivery, its workers at rest."""

    def refuse(action: Action) -> None:
        raise Refused("field TITLE is unknown")

    store: Store = request.getfixturevalue(request.param)
    (tmp_path / ".env").write_text(ENV)
    box = Box(tmp_path, YAML, store).start()
    WORLDS["crm"].fail = refuse
    box.send(form(city="Kyiv"))
    box.settle()
    for engine in box.engines:
        engine.stop(3)
    yield box
    box.receiver.commit.stop()


def test_every_list_can_be_asked_in_every_way(parked: Box) -> None:
    with parked.store.read() as db:
        everything = Page(5, 100, "", "crm", db.now - 3600)
        for page in (Page(), everything):
            for ask in (reading.receipts, reading.events, reading.deliveries, reading.alerts, reading.rejected):
                ask(db, page)
        assert [row["id"] for row in reading.deliveries(db, Page(state="parked"))] == [1]
        assert [row["id"] for row in reading.receipts(db, Page(state="done", connection="site"))] == [1]
        assert [row["kind"] for row in reading.alerts(db, Page(state="open"))] == ["alert_parked"]
        assert reading.alerts(db, Page(state="closed")) == []
        assert reading.rejected(db, Page(state="403")) == []
        assert reading.parked(db) == reading.parked(db, "crm") == [1]
        assert [row["id"] for row in reading.receipts_since(db, db.now - 60, "site")] == [1]
        assert reading.count_deliveries(db, [1]) == {1: 1}
        assert '"city"' in reading.receipt_body(db, 1)


def test_a_life_is_found_and_told(parked: Box) -> None:
    with parked.store.read() as db:
        assert find(db, "067 111-22-33", region="UA").events == [1]
        told = life(db, 1)
        assert told is not None and told["deliveries"][0]["state"] == "parked"
        about = told["subject"]
        assert find(db, about, connections=["site", "crm"]).events == [1]
        assert find(db, f"site/{about}").events == [1]


def test_what_is_due_later(parked: Box) -> None:
    with parked.store.write() as db:
        state.set_watches(db, "site", [Watch("parcel", "7", after=600.0)])
        work.ensure_lines(db, {"poll:site:news": "site"})
        state.set_cursor(db, "site", "news", {"after": 1})
        assert [one["what"] for one in reading.polls(db, "site")] == ["news"]
        assert reading.polls(db, "crm") == []
        assert [one["ref"] for one in reading.watches(db, "site")] == ["7"]
        assert reading.waiting_deliveries(db) == []


def test_every_act_can_be_done(parked: Box) -> None:
    with parked.store.write() as db:
        handwork.retry(db, 1)
        assert db.one("SELECT due, lease FROM line WHERE key = (SELECT line FROM delivery WHERE id = 1)")[1] is None
        handwork.drop(db, 1)
        handwork.replay(db, 1)
        handwork.drop_receipt(db, 1)
        handwork.replay(db, 1, again=True)
        handwork.pause(db, "crm")
        handwork.resume(db, "crm")
        assert not state.healths(db)["crm"].paused
        key = db.one('SELECT "key" FROM event WHERE id = 1')[0]
        assert key.startswith("m1:0#")
        db.run("UPDATE event SET state = 'unreadable' WHERE id = 1")
        handwork.retry_event(db, 1)
        state.open_alert(db, "x", "alert_disk", None, {"why": ""})
        [alert] = reading.alerts(db, Page(state="open"))
        handwork.close_alert(db, alert["id"])
        assert reading.alerts(db, Page(state="open")) == []
