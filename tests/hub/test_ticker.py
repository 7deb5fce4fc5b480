"""What time alone brings: forgetting, adopting, alerts that close by themselves, holds that are lifted."""

from __future__ import annotations

import dataclasses
import datetime as dt
import json
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from hub import handwork, syncs
from hub.config import Sync
from hub.errors import AuthFailed, StoreFull
from hub.pipeline import Pipeline
from hub.redis_server import connect
from hub.store import Db, Store, state, twins, work
from hub.ticker import Ticker
from tests.hub.fakes import WORLDS, Box, form
from tests.hub.vendor import Vendor, free_port

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


def test_a_sync_whose_backlog_cannot_be_handed_on_stops_no_other(box: Box, monkeypatch: pytest.MonkeyPatch) -> None:
    box.start()
    ticker = Ticker(box.runtime)
    both = tuple(Sync(name, "site", "crm") for name in ("first", "second"))
    monkeypatch.setattr(box.runtime, "config", dataclasses.replace(box.runtime.config, syncs=both))
    with box.store.write() as db:
        for sync in both:
            twins.set_state(db, sync.name, "on")
            twins.add_backlog(db, sync.name, [("deal", "site", "1", "update", None, None)])
    carried: list[str] = []

    def feed(db: Db, pipeline: Pipeline, sync: Sync) -> int:
        if sync.name == "first":
            raise ValueError("this one alone is broken")
        carried.append(sync.name)
        return 0

    monkeypatch.setattr(syncs, "feed", feed)
    ticker.feed()
    assert carried == ["second"]


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


def until(box: Box, done: Callable[[], bool]) -> None:
    pause = threading.Event()
    for _ in range(1000):
        if done():
            return
        pause.wait(0.01)
    raise AssertionError(box.deliveries())


def age_failures(box: Box, seconds: float) -> None:
    """Let the connection's failures have begun so much earlier."""
    with box.store.write() as db:
        noted = json.loads(state.fact(db, "failing:crm") or "")
        state.set_fact(db, "failing:crm", json.dumps({**noted, "since": noted["since"] - seconds}))


def take_away(box: Box) -> int:
    """Let the CRM's calls go to a port where nobody listens; return the port."""
    http, port = box.runtime.connector("crm").http, free_port()
    http.allow("127.0.0.1")
    WORLDS["crm"].fail = lambda action: http.get(f"http://127.0.0.1:{port}/")  # type: ignore[assignment,return-value]
    return port


def test_a_connection_that_has_failed_for_long_is_told_however_few_its_calls(
    box: Box, vendors: Callable[..., Vendor]
) -> None:  # fmt: skip
    ticker, port = Ticker(box.runtime), take_away(box)
    box.start()
    box.send(form())
    until(box, lambda: any(one["wait"] == "retry" for one in box.deliveries()))
    age_failures(box, 590)
    ticker.watch_failing()
    assert box.alerts() == [], "not yet"
    age_failures(box, 20)
    ticker.watch_failing()
    ticker.watch_failing()
    assert box.alerts() == ["alert_breaker"]
    with box.store.read() as db:
        params, times = db.one("SELECT params, count FROM alert")  # type: ignore[misc]
    assert json.loads(params)["why"] == f"no connection to 127.0.0.1:{port}: connection refused" and times == 1
    http, vendor = box.runtime.connector("crm").http, vendors()
    WORLDS["crm"].fail = lambda action: http.get(vendor.url)  # type: ignore[assignment,return-value]
    with box.store.write() as db:
        db.run("UPDATE line SET due = ?", (db.now,))
    box.settle()
    assert box.alerts() == []
    ticker.watch_failing()
    assert box.alerts() == [], "what it was before is over"


def test_one_failure_that_nothing_waits_for_is_no_outage(box: Box) -> None:
    ticker, _ = Ticker(box.runtime), take_away(box)
    box.start()
    box.send(form())
    until(box, lambda: any(one["wait"] == "retry" for one in box.deliveries()))
    age_failures(box, 3600)
    with box.store.write() as db:
        handwork.drop(db, id=box.deliveries()[0]["id"])
    ticker.watch_failing()
    assert box.alerts() == []


def test_an_outage_counts_from_the_first_failure_after_a_success(box: Box) -> None:
    with box.store.write() as db:
        state.note_failure(db, "crm", "then", first=True)
        state.set_health(db, "crm", fails=1)
        began = state.failing(db)["crm"].since
        db.now += 400
        state.note_failure(db, "crm", "now", first=False)
        assert state.failing(db)["crm"] == state.Failing(began, "now")
        state.note_failure(db, "crm", "again", first=True)
        assert state.failing(db)["crm"] == state.Failing(db.now, "again")
        state.set_health(db, "crm", fails=0)
        assert state.failing(db) == {}


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
