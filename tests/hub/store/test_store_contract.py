"""The promises of a store, held by SQLite and PostgreSQL alike."""

from __future__ import annotations

import dataclasses
import datetime as dt
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from hub.model import Event, Request, Watch
from hub.sealing import Sealer
from hub.store import Db, Store, intake, people, record, state, work

NOW = dt.datetime(2026, 11, 23, 9, 0, tzinfo=dt.UTC)


def request(body: bytes = b"{}") -> Request:
    return Request(
        "POST", "/in/site/s3cret", (("a", "1"),), {"content-type": "application/json"}, body, "127.0.0.1", "s3cret", NOW
    )


SEALER = Sealer(b"a key of the tests")


def row(connection: str, key: str, body: bytes = b"{}") -> tuple[object, ...]:
    return intake.receipt_row(connection, key, request(body), SEALER, lambda text: text.replace("s3cret", "***"))


def event(key: str, subject: str = "deal:55", **more: object) -> Event:
    return Event("deal.updated", subject, key, {"deal": {"id": "55"}}, NOW, connection="crm", **more)  # type: ignore[arg-type]


def delivery(event_id: int, line: str, step: str = "0", route: str = "r") -> work.NewDelivery:
    return work.NewDelivery(event_id, route, step, "crm", "deal.upsert", line, "crm", f"mark-{event_id}")


def lines_of(db: Db) -> list[str]:
    return [row[0] for row in db.rows("SELECT line FROM delivery ORDER BY id")]


class StoreContract:
    """Inherited by one class per database."""

    @pytest.fixture
    def store(self) -> Store:
        raise NotImplementedError

    # --- receipts -----------------------------------------------------------------------------

    def test_a_receipt_comes_back_as_it_came(self, store: Store) -> None:
        body = b"\x00\xff not text \xd0\x96"
        with store.write() as db:
            intake.add_receipts(db, [row("site", "k1", body)])
        with store.read() as db:
            [receipt] = intake.new_receipts(db, "site", 10)
        assert receipt.request == dataclasses.replace(request(body), path="/in/site/***", tail="***")
        with store.read() as db:
            [stored] = db.rows("SELECT body FROM receipt")
        assert b"not text" not in bytes(stored[0])
        assert (receipt.connection, receipt.key, receipt.state) == ("site", "k1", "new")

    def test_fifty_parallel_copies_are_one_receipt(self, store: Store) -> None:
        def put(_: int) -> int:
            with store.write() as db:
                return len(intake.add_receipts(db, [row("site", "same")]))

        with ThreadPoolExecutor(10) as pool:
            fresh = list(pool.map(put, range(50)))
        assert sum(fresh) == 1
        with store.read() as db:
            assert len(intake.new_receipts(db, "site", 100)) == 1

    @pytest.mark.parametrize("order", [("k", "new"), ("new", "k"), ("k", "new", "k", "newer"), ("new", "new")])
    def test_a_copy_beside_new_ones_is_known_for_one(self, store: Store, order: tuple[str, ...]) -> None:
        with store.write() as db:
            intake.add_receipts(db, [row("site", "k")])
        with store.write() as db:
            fresh = intake.add_receipts(db, [row("site", key) for key in order])
        assert fresh == {("site", key) for key in order if key != "k"}

    def test_the_same_key_at_another_connection_is_another_receipt(self, store: Store) -> None:
        with store.write() as db:
            fresh = intake.add_receipts(db, [row(name, "k") for name in ("a", "b")])
        assert fresh == {("a", "k"), ("b", "k")}

    def test_a_write_that_raises_leaves_nothing(self, store: Store) -> None:
        with pytest.raises(RuntimeError), store.write() as db:
            intake.add_receipts(db, [row("site", "k")])
            raise RuntimeError("the process stumbles")
        with store.read() as db:
            assert not intake.has_new(db, "site")

    # --- events -------------------------------------------------------------------------------

    def test_an_event_key_is_stored_once(self, store: Store) -> None:
        with store.write() as db:
            first = intake.add_events(db, [event("k1"), event("k2"), event("k1")])
            second = intake.add_events(db, [event("k2"), event("k3")])
        assert [e.key for e in first] == ["k1", "k2"]
        assert [e.key for e in second] == ["k3"]
        assert all(e.id for e in first + second)

    # --- lines --------------------------------------------------------------------------------

    def test_a_line_gives_its_deliveries_in_order_one_at_a_time(self, store: Store) -> None:
        with store.write() as db:
            one, two = intake.add_events(db, [event("k1"), event("k2")])
            work.add_deliveries(db, [delivery(one.id, "crm>deal:55"), delivery(two.id, "crm>deal:55")])
        with store.write() as db:
            [first] = work.claimed(db, work.claim(db, "crm", 10, "w1:a"))
            assert work.claim(db, "crm", 10, "w2:b") == []
        assert first.event.key == "k1"
        with store.write() as db:
            record.finish_deliveries(db, [(first.id, "done", 1, None, {"id": "7"}, None)])
            work.pass_on(db, first.line, None)
            [second] = work.claimed(db, work.claim(db, "crm", 10, "w1:c"))
            assert second.event.key == "k2"
            record.finish_deliveries(db, [(second.id, "done", 1, None, None, None)])
            work.pass_on(db, second.line, None)
            assert db.rows("SELECT key FROM line") == []

    def test_a_waiting_line_holds_its_later_deliveries_and_no_others(self, store: Store) -> None:
        with store.write() as db:
            one, two, three = intake.add_events(db, [event("k1"), event("k2"), event("k3", "deal:56")])
            work.add_deliveries(db, [delivery(one.id, "crm>deal:55"), delivery(three.id, "crm>deal:56")])
            claimed = work.claimed(db, work.claim(db, "crm", 10, "w:a"))
            assert len(claimed) == 2
            work.pass_on(db, "crm>deal:55", db.now + 60)
            work.add_deliveries(db, [delivery(two.id, "crm>deal:55")])
            assert work.claim(db, "crm", 10, "w:b") == []

    def test_a_crashed_lease_is_taken_over_and_shows_its_doubt(self, store: Store) -> None:
        with store.write() as db:
            [one] = intake.add_events(db, [event("k1")])
            work.add_deliveries(db, [delivery(one.id, "crm>deal:55")])
            [claimed] = work.claimed(db, work.claim(db, "crm", 1, "dead:a"))
            assert claimed.started_at is None
        with store.write() as db:
            assert work.free_worker(db, "dead") == 1
            [again] = work.claimed(db, work.claim(db, "crm", 1, "alive:b"))
        assert again.id == claimed.id
        assert again.started_at is not None
        with store.write() as db:
            assert work.held_leases(db, [("crm>deal:55", "dead:a")]) == set()
            assert work.held_leases(db, [("crm>deal:55", "alive:b")]) == {"crm>deal:55"}

    def test_what_was_claimed_and_never_begun_goes_back_as_it_was(self, store: Store) -> None:
        with store.write() as db:
            [one] = intake.add_events(db, [event("k1")])
            work.add_deliveries(db, [delivery(one.id, "crm>deal:55")])
            [claimed] = work.claimed(db, work.claim(db, "crm", 1, "w:a"))
            work.unsend(db, claimed)
            work.release(db, claimed.line, claimed.lease, db.now)
            [again] = work.claimed(db, work.claim(db, "crm", 1, "w:b"))
            assert again.started_at is None
            work.unsend(db, claimed)  # another's by now: what they may have sent stays in doubt
            assert db.one("SELECT started_at FROM delivery WHERE id = ?", (again.id,))[0] is not None

    def test_parallel_claims_never_share_a_line(self, store: Store) -> None:
        with store.write() as db:
            events = intake.add_events(db, [event(f"k{n}", f"deal:{n}") for n in range(60)])
            work.add_deliveries(db, [delivery(e.id, f"crm>{e.subject}") for e in events])
        barrier = threading.Barrier(6)

        def grab(worker: int) -> list[str]:
            barrier.wait()
            mine: list[str] = []
            for turn in range(5):
                with store.write() as db:
                    mine += work.claim(db, "crm", 4, f"w{worker}:{turn}")
            return mine

        with ThreadPoolExecutor(6) as pool:
            keys = [key for part in pool.map(grab, range(6)) for key in part]
        assert len(keys) == len(set(keys)) == 60

    def test_a_delivery_is_planned_once(self, store: Store) -> None:
        with store.write() as db:
            [one] = intake.add_events(db, [event("k1")])
            assert work.add_deliveries(db, [delivery(one.id, "l")]) == 1
            assert work.add_deliveries(db, [delivery(one.id, "l")]) == 0

    def test_orphaned_work_gets_its_line_back(self, store: Store) -> None:
        with store.write() as db:
            [one] = intake.add_events(db, [event("k1")])
            work.add_deliveries(db, [delivery(one.id, "crm>deal:55")])
            db.run("DELETE FROM line")
            assert work.has_orphans(db)
            assert work.adopt_orphans(db) == 1
            assert not work.has_orphans(db)
            assert work.claim(db, "crm", 5, "w:a") == ["crm>deal:55"]

    def test_what_is_planned_later_goes_behind_what_waits_on_a_former_line(self, store: Store) -> None:
        """A subject's record became known meanwhile: its line has another name, its order is the same."""
        former = ("crm>site/form:7", "crm>person:1")
        known = {"line": "crm>lead:101", "former": former}
        with store.write() as db:
            work.add_deliveries(db, [delivery(1, "crm>site/form:7")])
            work.add_deliveries(db, [dataclasses.replace(delivery(2, ""), **known), delivery(3, "crm>lead:101")])
            assert lines_of(db) == ["crm>site/form:7", "crm>site/form:7", "crm>lead:101"]
            db.run("UPDATE delivery SET state = 'done' WHERE event IN (1, 2)")
            work.add_deliveries(db, [dataclasses.replace(delivery(4, ""), **known)])
            assert lines_of(db)[-1] == "crm>lead:101"
            work.add_deliveries(db, [delivery(5, "crm>person:1"), dataclasses.replace(delivery(6, ""), **known)])
            assert lines_of(db)[-1] == "crm>lead:101", "within one batch the rows are of one moment"
            work.add_deliveries(db, [dataclasses.replace(delivery(7, ""), **known)])
            assert lines_of(db)[-1] == "crm>person:1"

    # --- people -------------------------------------------------------------------------------

    def test_the_same_human_from_many_sides_at_once_is_one_person(self, store: Store) -> None:
        humans = 30

        def meet(n: int) -> int | None:
            human = n % humans
            keys = [("phone", f"+3806700000{human:02}"), ("email", f"h{human}@example.com")][: 1 + n % 2]
            with store.write() as db:
                return people.persons(db, [keys])[0]

        with ThreadPoolExecutor(8) as pool:
            found = list(pool.map(meet, range(240)))
        with store.read() as db:
            [row] = db.rows("SELECT count(*) FROM person")
        assert row[0] == humans
        assert len(set(found)) == humans

    def test_nobody_is_nobody(self, store: Store) -> None:
        with store.write() as db:
            assert people.persons(db, [[], [("phone", "+1")], []]) == [None, 1, None]

    # --- links, watches, cursors, alerts -------------------------------------------------------

    def test_links_read_both_ways_and_can_be_dropped(self, store: Store) -> None:
        with store.write() as db:
            work.add_links(db, [(("crm", "deal", "55"), ("nova", "parcel", "2045"))])
            work.add_links(db, [(("nova", "parcel", "2045"), ("crm", "deal", "55"))])
            assert len(db.rows("SELECT * FROM link")) == 2
            work.drop_links(db, "crm", "deal", "55")
            assert db.rows("SELECT * FROM link") == []

    def test_watches_start_move_and_end(self, store: Store) -> None:
        with store.write() as db:
            state.set_watches(
                db, "nova", [Watch("parcel", "1", {"phone": "380"}, 0.0), Watch("parcel", "2", {}, 3600.0)]
            )
            assert [w.id for w in state.due_watches(db, "nova", "parcel")] == ["1"]
            state.set_watches(db, "nova", [Watch("parcel", "1", {}, None)])
            assert state.due_watches(db, "nova", "parcel") == []
            assert db.rows("SELECT ref FROM watch") == [("2",)]

    def test_one_alert_per_cause_until_it_is_closed(self, store: Store) -> None:
        with store.write() as db:
            assert state.open_alert(db, "auth:crm", "alert_auth", "crm", {"why": "a"})
            assert not state.open_alert(db, "auth:crm", "alert_auth", "crm", {"why": "b"})
            assert state.close_alerts(db, "auth:crm") == 1
            assert state.open_alert(db, "auth:crm", "alert_auth", "crm", {"why": "c"})

    def test_a_poll_cursor_survives_a_failure(self, store: Store) -> None:
        with store.write() as db:
            state.set_cursor(db, "crm", "deals", {"since": 5})
            state.set_cursor(db, "crm", "deals", None, fails=1, reason={"why": "down"})
            assert state.cursor(db, "crm", "deals") == {"since": 5}

    def test_counters_add_up(self, store: Store) -> None:
        with store.write() as db:
            state.count(db, {("crm", "received"): 2})
            state.count(db, {("crm", "received"): 3, ("crm", "none"): 0})
        with pytest.raises(LookupError), store.write() as db:
            state.count(db, {("crm", "received"): 7})
            raise LookupError
        with store.write() as db:
            state.count(db, {("crm", "received"): 1})
        with store.read() as db:
            rows = [tuple(row) for row in db.rows("SELECT connection, name, n FROM counter")]
        assert rows == [("crm", "received", 6)]

    def test_the_rejected_ring_keeps_the_newest(self, store: Store) -> None:
        with store.write() as db:
            state.add_rejected(db, [("crm", float(n), 403, "r", "{}") for n in range(230)])
            rows = db.rows("SELECT at FROM rejected ORDER BY id")
        assert len(rows) == 200
        assert rows[-1][0] == 229.0

    def test_health_remembers_why(self, store: Store) -> None:
        with store.write() as db:
            state.set_health(db, "crm", held={"code": "auth_failed"}, probe_at=db.now + 60)
            state.set_health(db, "crm", fails=3)
            health = state.healths(db)["crm"]
            assert health.shut(db.now) == "held"
            assert health.shut(db.now + 61) is None
            assert health.fails == 3


class TestSqlite(StoreContract):
    @pytest.fixture
    def store(self, sqlite_store: Store) -> Store:
        return sqlite_store


class TestPostgresql(StoreContract):
    @pytest.fixture
    def store(self, postgresql_store: Store) -> Store:
        return postgresql_store


def test_counters_met_in_opposite_order_do_not_lock_each_other_out(postgresql_store: Store) -> None:
    """Each is in the middle of its transaction when the other goes on; the database would end one of them."""
    met = threading.Barrier(2, timeout=30)

    def count(*names: str) -> None:
        with postgresql_store.write() as db:
            state.count(db, {("crm", names[0]): 1})
            met.wait()
            state.count(db, {("crm", names[1]): 1})

    with ThreadPoolExecutor(2) as pool:
        for done in [pool.submit(count, "a", "b"), pool.submit(count, "b", "a")]:
            done.result()
    with postgresql_store.read() as db:
        assert [tuple(row) for row in db.rows("SELECT name, n FROM counter ORDER BY name")] == [("a", 2), ("b", 2)]
