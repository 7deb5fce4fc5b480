"""`hub reconcile` at the command line: a table, JSON, CSV, and an exit status that a script can go by."""

from __future__ import annotations

import csv
import datetime as dt
import io
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from hub import reconciling
from hub.connector import Connector
from hub.errors import AuthFailed, Gone, Refused, Retry
from hub.model import Event, Record
from hub.store import Store, intake, state, twins, work
from hub.store import reconciling as rows
from hub.store.reconciling import Difference
from hub.ticker import Ticker
from tests.hub.cli.conftest import Hub
from tests.hub.fakes import WORLDS, Box, Sink, Source

PAGE = 3
OLD = "2026-01-01T00:00:00+00:00"

#: what the listed CRM raises instead of its next pages
TROUBLE: list[Exception] = []


class Listed(Sink):
    """The test CRM, with lists of its records in pages of three."""

    name = "listed"

    def pages(self, record: str, since: dt.datetime | None = None, cursor: Any = None) -> tuple[list[Record], Any]:
        if TROUBLE:
            raise TROUBLE.pop(0)
        if record != "deal":
            raise Refused(f"no lists of {record}")
        found = sorted(self.world.of("deal"), key=lambda one: int(one["id"]))
        found = [one for one in found if since is None or one["changed_at"] >= since.isoformat()]
        start = int(cursor or 0)
        return found[start : start + PAGE], start + PAGE if start + PAGE < len(found) else None


YAML = """
hub: {unrouted: ignore, reconcile: every day at 03:00, timezone: Europe/Kyiv}
connections:
  site: {plugin: source}
  crm: {plugin: listed}
  other: {plugin: sink}
routes:
  - name: a won deal is noted
    on: crm.deal.stage_changed
    when: {deal.stage: won}
    do: crm.note.create
    set: {TEXT: "{{ deal.TITLE }}"}
"""


@pytest.fixture
def box(hub: Hub, plugins: Callable[..., None]) -> Iterator[Box]:
    connectors: tuple[type[Connector], ...] = (Source, Sink, Listed)
    plugins(*connectors)
    hub.write(YAML)
    TROUBLE.clear()
    made = Box(hub.folder, YAML, plugins=connectors)
    for number in range(1, 8):
        record = {"id": str(number), "TITLE": f"Deal {number}", "stage": "new", "changed_at": OLD, "created_at": OLD}
        WORLDS["crm"].records[("deal", str(number))] = dict(record)
        with made.store.write() as db:
            state.set_seen(db, "crm", f"deal:{number}", {"record": record, "own": {}, "hop": 0, "created": True})
    yield made
    made.close()


def deal(id: int, **changes: str) -> None:
    WORLDS["crm"].records[("deal", str(id))].update(changes)


def ago(seconds: float) -> str:
    return (dt.datetime.now(dt.UTC) - dt.timedelta(seconds=seconds)).isoformat()


def test_nothing_differs(hub: Hub, box: Box) -> None:
    told = hub("reconcile", "crm").output
    assert "no differences" in told and "7 records compared in 3 pages. 0 differences, 0 open." in told


def test_a_missed_message_is_told_by_its_cause_and_repaired(hub: Hub, box: Box, tmp_path: Path) -> None:
    deal(2, stage="won", changed_at=ago(600))
    told = hub("reconcile", "crm", code=1).output
    assert "crm/deal:2" in told and "missed_hook" in told and "To repair: hub reconcile crm --repair" in told
    assert box.left() == {"receipts": 0, "events": 0, "deliveries": 0}, "told, not repaired"
    found = hub.json("reconcile", "crm", code=1)
    assert (found["remaining"], found["state"], found["counts"]["records"]) == (1, "done", 7)
    (one,) = found["differences"]
    assert (one["record"], one["id"], one["cause"], one["state"]) == ("deal", "2", "missed_hook", "open")
    assert one["what"] == "made or edited at the vendor, and no message of it came (changed_at, stage)"
    hub("reconcile", "crm", "--csv", str(tmp_path / "found.csv"), code=1)
    (row,) = csv.DictReader(io.StringIO((tmp_path / "found.csv").read_text("utf-8-sig")))
    assert (row["connection"], row["id"], row["cause"], row["repair"]) == ("crm", "2", "missed_hook", "")
    assert next(csv.reader(io.StringIO(hub("reconcile", "crm", "--csv", "-", code=1).stdout)))[0] == "connection"
    repaired = hub.json("reconcile", "crm", "--repair")
    assert repaired["remaining"] == 0 and "as if its message had come" in repaired["differences"][0]["repair"]
    box.start()
    box.settle()
    assert [values["TEXT"] for verb, record, values in WORLDS["crm"].acts if record == "note"] == ["Deal 2"]
    with box.store.read() as db:
        (batch,) = {row[0] for row in db.rows("SELECT batch FROM delivery")}
    assert batch == f"reconcile-{repaired['run']}", "so it can be taken back as one"
    assert hub.json("reconcile", "crm")["differences"] == []


def test_since_and_record_narrow_it(hub: Hub, box: Box) -> None:
    deal(2, TITLE="x", changed_at=ago(600))
    found = hub.json("reconcile", "crm", "--since", "1d", code=1)
    assert found["counts"] == {"records": 1, "pages": 1} and found["since"]
    assert "nothing to compare" in hub("reconcile", "crm", "--record", "lead", code=2).output


def test_what_is_gone_is_looked_for_one_by_one(hub: Hub, box: Box, monkeypatch: pytest.MonkeyPatch) -> None:
    del WORLDS["crm"].records[("deal", "5")]
    monkeypatch.setattr(reconciling, "ONE_BY_ONE", 2)
    found = hub.json("reconcile", "crm", "--repair")
    assert [(one["id"], one["cause"]) for one in found["differences"]] == [("5", "deleted")]
    assert found["counts"]["asked"] == 1
    with box.store.read() as db:
        assert state.seen(db, "crm", "deal:5") is None, "the hub acts as if the vendor had told"
        assert db.one("SELECT count(*) FROM met")[0] == 0, "what was met is forgotten when it is over"


def test_a_vendor_that_stumbles_is_asked_again_and_one_that_is_shut_ends_it(
    hub: Hub, box: Box, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hub.cli.reconcile.time.sleep", lambda seconds: None)
    TROUBLE.extend([Retry("ill", 0.01), Retry("ill", 0.01)])
    assert hub.json("reconcile", "crm")["counts"]["records"] == 7
    TROUBLE.append(AuthFailed("no such key"))
    assert "crm: no such key" in hub("reconcile", "crm", code=1).output
    with box.store.read() as db:
        assert db.one("SELECT state FROM reconciliation ORDER BY id DESC LIMIT 1")[0] == "failed"
        assert db.one("SELECT count(*) FROM line WHERE key LIKE 'rec:%'")[0] == 0


@pytest.mark.parametrize(
    ("asked", "words"),
    [(("crm", "site", "other"), "one connection, or two"), (("crm", "crm"), "one connection, or two"),
     (("site",), "nothing to compare at site"), (("crn",), 'Did you mean "crm"')],
)  # fmt: skip
def test_what_makes_no_sense_is_said(hub: Hub, box: Box, asked: tuple[str, ...], words: str) -> None:
    assert words in hub("reconcile", *asked, code=2).output


def test_a_workers_step_and_the_commands_are_one(hub: Hub, box: Box) -> None:
    deal(2, stage="won", changed_at=ago(600))
    box.start()
    found = hub.json("reconcile", "crm", "--repair")
    assert found["counts"]["records"] == 7 and found["remaining"] == 0
    box.settle()


def state_of(box: Box) -> str:
    with box.store.read() as db:
        return str(db.one("SELECT state FROM reconciliation ORDER BY id DESC LIMIT 1")[0])


def until(box: Box, what: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 15
    while not what():
        assert time.monotonic() < deadline, box.events()
        box.ring()
        time.sleep(0.02)


# --- every day ------------------------------------------------------------------------------------


def test_the_nightly_run_begins_once_a_day_at_its_hour(box: Box) -> None:
    ticker = Ticker(box.runtime)
    ticker.reconcile()
    with box.store.write() as db:
        assert db.one("SELECT count(*) FROM reconciliation")[0] == 0, "not at the first start, at its hour"
        state.set_fact(db, "reconciled", repr(db.now - 25 * 3600))
    ticker.reconcile()
    ticker.reconcile()
    with box.store.read() as db:
        assert [tuple(row) for row in db.rows("SELECT one, other, repair FROM reconciliation")] == [("crm", None, 1)]
    box.start()
    until(box, lambda: state_of(box) == "done")
    with box.store.write() as db:
        db.run("UPDATE reconciliation SET finished_at = ?", (db.now - 200 * 86400,))
    Ticker(box.runtime).prune()
    with box.store.read() as db:
        assert db.one("SELECT count(*) FROM reconciliation")[0] == 0


def test_a_night_that_cannot_read_ends_and_says_so(box: Box) -> None:
    TROUBLE.extend([Retry("ill", 0.01), AuthFailed("not for this token")])
    with box.store.write() as db:
        reconciling.begin(db, box.config, "crm", None, repair=True)
    box.start()
    until(box, lambda: state_of(box) == "failed")
    assert box.alerts() == ["alert_poll"]
    with box.store.write() as db:
        assert state.healths(db).get("crm", state.Health("crm")).held is None
        reconciling.begin(db, box.config, "crm", None, repair=True)
    until(box, lambda: state_of(box) == "done")
    assert box.alerts() == []


def test_what_can_be_listed_and_what_not(box: Box) -> None:
    assert reconciling.listable(box.config, "crm") == ["deal"]
    assert reconciling.listable(box.config, "other") == []
    assert reconciling.nightly(box.config) == [("crm", None)]


def test_a_plugin_that_reads_its_records_is_asked_and_one_that_does_not_is_told_the_whole(box: Box) -> None:
    class Told(Listed):
        complete = Connector.complete

    deal(3, TITLE="new", changed_at=ago(600))
    box.runtime.connector("crm").__class__ = Told
    with box.store.write() as db:
        id = reconciling.begin(db, box.config, "crm", None, repair=True)
    item_page(box, id)
    (event,) = [one for one in box.events() if one["subject"] == "deal:3"]
    assert (event["type"], event["state"]) == ("deal.updated", "planned")


def item_page(box: Box, id: int) -> None:
    """Take the steps of a comparison in this thread."""
    pipeline = box.engines[0].pipeline
    while True:
        with box.store.write() as db:
            run = rows.run(db, id)
            assert run is not None
            if run.state != "running":
                return
            db.run("UPDATE line SET lease = 'l', due = ? WHERE key = ?", (db.now + 9, f"rec:{id}"))
            item = reconciling.Compare(db, f"rec:{id}", "", "crm", "l")
        page = reconciling.look(pipeline, item.run)
        with box.store.write() as db:
            reconciling.write(db, pipeline, item, page)
            assert reconciling.write(db, pipeline, item, page) == [], "a step that is written is not written again"


def test_records_that_cannot_be_read_alone_are_left_alone(box: Box, monkeypatch: pytest.MonkeyPatch) -> None:
    del WORLDS["crm"].records[("deal", "5")]

    def get(self: Any, record: str, id: str) -> Record:
        raise Refused("reading one by one is not supported")

    monkeypatch.setattr(Listed, "get", get)
    with box.store.write() as db:
        id = reconciling.begin(db, box.config, "crm", None, repair=True)
    item_page(box, id)
    with box.store.read() as db:
        assert rows.differences(db, id) == []
    monkeypatch.setattr(Listed, "get", lambda self, record, id: (_ for _ in ()).throw(Gone("no")))
    with box.store.write() as db:
        id = reconciling.begin(db, box.config, "crm", None)
    item_page(box, id)
    with box.store.read() as db:
        assert rows.causes(db, id) == {("deleted", "open"): 1}


# --- on both databases ----------------------------------------------------------------------------


class StoreContract:
    """What the two databases must both do."""

    @pytest.fixture
    def store(self) -> Store:
        raise NotImplementedError

    def test_a_run_goes_its_way(self, store: Store) -> None:
        with store.write() as db:
            id = rows.begin(db, "a", "b", None, True, [("a", "deal"), ("b", "deal")])
            assert rows.running(db, "a", "b") and not rows.running(db, "a", None)
            run = rows.run(db, id)
            assert run is not None and run.target() == ("a", "deal")
            db.run("UPDATE line SET lease = 'x' WHERE key = ?", (f"rec:{id}",))
            run.place, run.counts = 1, {"records": 3}
            rows.advance(db, run, "x", db.now)
            assert tuple(db.one("SELECT lane, lease FROM line WHERE key = ?", (f"rec:{id}",))) == ("b:bulk", None)
            state.set_seen(db, "a", "deal:1", {"record": {}})
            state.set_seen(db, "a", "deal:2", {"record": {}})
            state.set_seen(db, "a", "dealer:1", {"record": {}})
            db.run("UPDATE seen SET at = at - 10")
            rows.meet(db, id, "a", ["deal:1", "deal:1"])
            assert rows.not_met(db, run, "a", "deal", [], "", 5) == ["deal:2"]
            for other in ("2", "5", "1"):
                twins.settle(db, twins.Settled("s", "deal", f"b{other}", other))
            db.run("UPDATE twin SET at = at - 10")
            assert rows.not_met(db, run, "a", "deal", [("s", "other")], "", 5) == ["deal:2", "deal:5"]
            assert rows.not_met(db, run, "a", "deal", [("s", "other")], "deal:2", 5) == ["deal:5"]
            assert (rows.met(db, id, "a", "deal"), rows.met(db, id, "a", "deals")) == (1, 0)
            one = Difference("a", "deal:2", "deleted", {"code": "differs_deleted", "params": {}})
            rows.add_differences(db, id, [one, one])
            assert [found for _, found in rows.differences(db, id)] == [one]
            assert rows.found_of(db, id, "a", "deal:2") == "deleted" and rows.found_of(db, id, "a", "x") is None
            assert rows.causes(db, id) == {("deleted", "open"): 1}
            rows.finish(db, id, "done", counts=run.counts)
            found = rows.run(db, id)
            assert found is not None and (found.state, found.counts) == ("done", {"records": 3})
            assert not rows.running(db, "a", "b") and db.one("SELECT 1 FROM line") is None
            assert rows.run(db, 99) is None

    def test_what_is_under_way_and_what_failed(self, store: Store) -> None:
        with store.write() as db:
            (event,) = intake.add_events(db, [Event("deal.updated", "deal:1", "k", connection="a")])
            assert not rows.under_way(db, "a", "deal:1") and rows.failed(db, "a", "deal:1") is None
            work.add_deliveries(db, [work.NewDelivery(event.id, "r", "0", "b", "deal.upsert", "b>deal:1", "b", "m")])
            assert rows.under_way(db, "a", "deal:1") and not rows.under_way(db, "a", "deal:2")
            db.run("UPDATE delivery SET state = 'parked', reason = ?", ('{"code":"exhausted","params":{}}',))
            id, was, why = rows.failed(db, "a", "deal:1", "b") or (0, "", {})
            assert (was, why["code"]) == ("parked", "exhausted") and rows.failed(db, "a", "deal:1", "c") is None
            assert rows.release(db, id) and not rows.release(db, id)
            assert rows.under_way(db, "a", "deal:1")


class TestOnSqlite(StoreContract):
    @pytest.fixture
    def store(self, sqlite_store: Store) -> Store:
        return sqlite_store


class TestOnPostgresql(StoreContract):
    @pytest.fixture
    def store(self, postgresql_store: Store) -> Store:
        return postgresql_store
