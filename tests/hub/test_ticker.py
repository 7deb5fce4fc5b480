"""What time alone brings: forgetting, adopting, alerts that close by themselves, holds that are lifted."""

from __future__ import annotations

import datetime as dt
import threading
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from hub.errors import AuthFailed, StoreFull
from hub.redis_server import connect
from hub.store import Store, intake, prune, state, work
from hub.ticker import Ticker
from tests.hub.fakes import WORLDS, Box, form

DAY = 86400.0

YAML = """
hub: {unrouted: ignore}
connections:
  site: {plugin: source}
  crm: {plugin: sink, secret: first}
  crm2: {plugin: sink}
  news: {plugin: poller}
routes:
  - {name: form becomes a deal, on: site.form.submitted, do: crm.deal.create, set: {TITLE: contact.name}}
"""


@pytest.fixture
def box(tmp_path: Path) -> Iterator[Box]:
    box = Box(tmp_path, YAML)
    yield box
    box.close()


def number(store: Store, sql: str) -> int:
    with store.read() as db:
        return int(db.one(sql)[0])  # type: ignore[index]


# --- forgetting -----------------------------------------------------------------------------------


class PruneContract:
    """Inherited by one class per database."""

    @pytest.fixture
    def store(self) -> Store:
        raise NotImplementedError

    @staticmethod
    def put(
        store: Store, key: str, days: float, receipt: str = "done", event: str = "planned", delivery: str = "done",
        finished: float | None = None,
    ) -> None:  # fmt: skip
        """A receipt, its event and its delivery, all so many days old."""
        with store.write() as db:
            at = db.now - days * DAY
            columns = ("connection", "key", "method", "path", "query", "headers", "body", "remote", "at", "state")
            row = ("site", key, "POST", "/", "[]", "{}", store.sealer.seal(b""), "", at, receipt)
            [(id,)] = db.insert("receipt", columns, [row], "", "id")
            names = ("receipt", "connection", "key", "type", "subject", "at", "content", "state", "hop")
            [(event_id,)] = db.insert(
                "event", names, [(id, "site", key, "form.submitted", f"form:{key}", at, "{}", event, 0)], "", "id"
            )
            state.add_search(db, [(f"word-{key}", event_id)])
            fields = ("event", "route", "step", "connection", "action", "line", "state", "tries", "marker",
                      "created_at", "finished_at")  # fmt: skip
            done = None if delivery == "ready" else db.now - (days if finished is None else finished) * DAY
            values = (event_id, "r", "0", "crm", "deal.create", f"l{key}", delivery, 0, "m", at, done)
            [(delivery_id,)] = db.insert("delivery", fields, [values], "", "id")
            db.insert("attempt", ("delivery", "n", "at", "took_ms", "outcome"), [(delivery_id, 1, at, 5, "done")])

    @staticmethod
    def left(store: Store) -> dict[str, int]:
        tables = ("receipt", "event", "delivery", "attempt", "search")
        return {table: number(store, f"SELECT count(*) FROM {table}") for table in tables}

    def test_what_is_finished_and_older_than_keep_goes_with_all_that_hangs_on_it(self, store: Store) -> None:
        self.put(store, "old", 91)
        self.put(store, "young", 89)
        assert prune.prune(store, 90 * DAY) == 2
        assert self.left(store) == dict.fromkeys(self.left(store), 1)
        assert number(store, "SELECT count(*) FROM receipt WHERE key = 'young'") == 1

    def test_duplicates_are_known_for_thirty_days_whatever_keep_says(self, store: Store) -> None:
        self.put(store, "k29", 29)
        self.put(store, "k31", 31)
        assert prune.prune(store, 3600) == 2
        with store.write() as db:
            request = SimpleNamespace(method="POST", path="/", query=(), headers={}, body=b"", remote="", at=_now())
            rows = [
                intake.receipt_row("site", key, request, store.sealer)  # type: ignore[arg-type]
                for key in ("k29", "k31")
            ]
            assert intake.add_receipts(db, rows) == {("site", "k31")}

    @pytest.mark.parametrize(
        "unfinished",
        [{"receipt": "new"}, {"event": "waiting"}, {"delivery": "ready"}, {"delivery": "parked", "finished": 29}],
    )
    def test_what_is_not_finished_stays_however_old(self, store: Store, unfinished: dict[str, Any]) -> None:
        self.put(store, "a", 400, **unfinished)
        prune.prune(store, 90 * DAY)
        assert number(store, "SELECT count(*) FROM receipt") == 1
        if "receipt" not in unfinished:
            assert self.left(store) == dict.fromkeys(self.left(store), 1)

    def test_parked_work_goes_after_its_thirty_days(self, store: Store) -> None:
        self.put(store, "a", 400, delivery="parked", finished=31)
        prune.prune(store, 90 * DAY)
        assert set(self.left(store).values()) == {0}

    def test_it_goes_in_small_batches_and_a_bounded_number_of_them(
        self, store: Store, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(prune, "_BATCH", 3)
        for n in range(10):
            self.put(store, f"k{n}", 100 + n)
        writes = []
        real = store.write
        monkeypatch.setattr(store, "write", lambda *a, **o: (writes.append(1), real(*a, **o))[1])
        prune.prune(store, 90 * DAY, most=2)
        assert len(writes) == 2
        assert 0 < self.left(store)["event"] < 10
        prune.prune(store, 90 * DAY)
        assert set(self.left(store).values()) == {0}

    def test_links_of_what_is_forgotten_go_and_those_of_records_stay(self, store: Store) -> None:
        self.put(store, "k", 10)  # its subject is form:k
        with store.write() as db:
            old = (("form", "gone", "lead"), ("form", "k", "lead"), ("deal", "9", "parcel"))
            for kind, ref, other in old:
                work.add_links(db, [(("site", kind, ref), ("crm", other, ref))])
            db.run("UPDATE link SET at = at - ?", (91 * DAY,))
            work.add_links(db, [(("site", "form", "young"), ("crm", "lead", "young"))])
        prune.prune_links(store, 90 * DAY)
        with store.read() as db:
            left = {(row[0], row[1]) for row in db.rows("SELECT kind, ref FROM link")}
        assert left == {
            ("form", "k"), ("lead", "k"), ("deal", "9"), ("parcel", "9"), ("form", "young"), ("lead", "young"),
        }  # fmt: skip

    def test_with_nothing_to_forget_nothing_is_written(self, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
        self.put(store, "a", 1)
        monkeypatch.setattr(store, "write", lambda *_, **__: pytest.fail("it wrote"))
        assert prune.prune(store, 90 * DAY) == 0


class TestPruneSQLite(PruneContract):
    @pytest.fixture
    def store(self, sqlite_store: Store) -> Store:
        return sqlite_store


class TestPrunePostgreSQL(PruneContract):
    @pytest.fixture
    def store(self, postgresql_store: Store) -> Store:
        return postgresql_store


def _now() -> dt.datetime:
    return dt.datetime.now(dt.UTC)


# --- the sweeper's duties -------------------------------------------------------------------------


def test_a_duty_that_fails_stops_no_other_and_is_tried_again(box: Box) -> None:
    ticker = Ticker(box.runtime)
    done: list[str] = []

    def bad() -> None:
        done.append("bad")
        raise RuntimeError("no")

    def good() -> None:
        done.append("good")

    ticker.duties = [(10.0, bad), (20.0, good)]
    ticker._next = [0.0, 0.0]
    for now in (100.0, 105.0, 110.0, 119.0, 120.0):
        ticker.tick(now)
    assert done == ["bad", "good", "bad", "bad", "good"]


def test_the_sweeper_does_all_its_duties_and_ends_when_told(box: Box) -> None:
    ticker = Ticker(box.runtime)
    done: list[str] = []
    stopping = threading.Event()

    def watched(duty: Any) -> Any:
        def run() -> None:
            duty()
            done.append(duty.__name__)
            if len(done) == len(ticker.duties):
                stopping.set()

        return run

    ticker.duties = [(every, watched(duty)) for every, duty in ticker.duties]
    ticker.run(stopping)
    assert {"checkpoint", "adopt", "prune", "watch_disk", "polls"} <= set(done)
    with box.store.read() as db:
        assert db.one("SELECT lane FROM line WHERE key = 'poll:news:news'") is not None


def test_two_sweepers_at_once_do_no_harm(box: Box) -> None:
    tickers = [Ticker(box.runtime) for _ in range(2)]
    threads = [threading.Thread(target=ticker.tick, args=(n * 700.0,)) for n in range(1, 4) for ticker in tickers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert number(box.store, "SELECT count(*) FROM line WHERE key LIKE 'poll:%'") == 1


def test_work_without_a_line_gets_one_and_is_done(box: Box) -> None:
    box.send(form())
    box.start()
    box.settle()
    with box.store.write() as db:
        db.run("UPDATE delivery SET state = 'ready', started_at = NULL")
    Ticker(box.runtime).adopt()
    box.settle()
    assert len(WORLDS["crm"].of("deal")) == 2


def test_a_disk_that_fills_up_is_said_once_and_taken_back(box: Box, monkeypatch: pytest.MonkeyPatch) -> None:
    ticker = Ticker(box.runtime)

    def full() -> None:
        raise StoreFull("only 3 MB left")

    with monkeypatch.context() as patch:
        patch.setattr(box.store, "check_room", full)
        ticker.watch_disk()
        ticker.watch_disk()
        assert box.alerts() == ["alert_disk"]
    ticker.watch_disk()
    assert box.alerts() == []


def test_requests_that_nobody_reads_are_told_until_somebody_does(box: Box) -> None:
    ticker = Ticker(box.runtime)
    box.send(form())
    ticker.watch_unread()
    assert box.alerts() == []
    with box.store.write() as db:
        db.run("UPDATE receipt SET at = at - 300")
    ticker.watch_unread()
    ticker.watch_unread()
    assert box.alerts() == ["alert_unread"]
    box.start()
    box.settle()
    ticker.watch_unread()
    assert box.alerts() == []


def test_a_redis_that_goes_away_is_said_and_taken_back(box: Box, redis_url: str, tmp_path: Path) -> None:
    ticker = Ticker(box.runtime)
    box.runtime.redis = connect(f"unix://{tmp_path}/nobody.sock")
    ticker.watch_redis()
    ticker.watch_redis()
    assert box.alerts() == ["alert_redis"]
    box.runtime.redis = connect(redis_url)
    ticker.watch_redis()
    assert box.alerts() == []
    box.runtime.redis.close()
    box.runtime.redis = None
    ticker.watch_redis()
    assert box.alerts() == []


def test_a_source_gone_quiet_is_said_until_it_speaks_again(box: Box) -> None:
    ticker = Ticker(box.runtime)
    with box.store.write() as db:
        today = dt.datetime.fromtimestamp(db.now, dt.UTC).date()
        days = [((today - dt.timedelta(days=n)).isoformat(), "site", "received", 20) for n in range(2, 9)]
        days += [(today.isoformat(), "crm", "received", 1), (days[0][0], "crm", "received", 1)]
        db.insert("counter", ("day", "connection", "name", "n"), days)
    ticker.watch_silence()
    assert box.alerts() == ["alert_quiet"]
    with box.store.write() as db:
        state.count(db, {("site", "received"): 1})
    ticker.watch_silence()
    assert box.alerts() == []


def test_a_plugin_that_cannot_be_loaded_is_said_at_the_start(box: Box) -> None:
    ticker = Ticker(box.runtime)
    box.runtime.plugins.broken.append(SimpleNamespace(name="odd", error="SyntaxError"))  # type: ignore[arg-type]
    ticker.tell_broken_plugins()
    assert box.alerts() == ["alert_plugin"]
    box.runtime.plugins.broken.clear()
    ticker.tell_broken_plugins()
    assert box.alerts() == []


# --- holds ----------------------------------------------------------------------------------------


def held(box: Box) -> bool:
    with box.store.read() as db:
        found = state.healths(db).get("crm")
    return found is not None and found.held is not None


def test_new_credentials_lift_a_hold_and_close_its_alert(tmp_path: Path) -> None:
    box = Box(tmp_path, YAML)

    def dead(action: object) -> None:
        raise AuthFailed("token expired")

    WORLDS["crm"].fail = dead
    box.start()
    box.send(form())
    deadline = threading.Event()
    for _ in range(1000):
        if box.alerts():
            break
        deadline.wait(0.01)
    box.close()
    assert box.alerts() == ["alert_auth"] and held(box)

    same = Box(tmp_path, YAML)
    Ticker(same.runtime).lift_holds()
    assert held(same)  # the same settings again mend nothing
    same.close()

    mended = Box(tmp_path, YAML.replace("secret: first", "secret: second"))
    Ticker(mended.runtime).lift_holds()
    assert not held(mended) and mended.alerts() == []
    with mended.store.write() as db:
        db.run("UPDATE line SET due = 0")
    mended.start()
    mended.settle()
    assert len(WORLDS["crm"].of("deal")) == 1
    mended.close()


def test_a_hold_of_a_connection_no_longer_configured_is_left(box: Box) -> None:
    with box.store.write() as db:
        state.set_health(db, "gone", held={"code": "hold", "params": {}}, settings="x")
        work.ensure_lines(db, {"in:site": "in"})
    Ticker(box.runtime).lift_holds()
    with box.store.read() as db:
        assert state.healths(db)["gone"].held is not None
