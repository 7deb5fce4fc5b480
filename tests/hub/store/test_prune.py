"""What is finished and old is forgotten, with all that hangs on it: on both databases."""

from __future__ import annotations

import datetime as dt
from types import SimpleNamespace
from typing import Any

import pytest

from hub.store import Store, intake, merging, prune, roster, state, suspects, work
from tests.hub.store.persons import asked, meet, planned

DAY = 86400.0


def number(store: Store, sql: str) -> int:
    with store.read() as db:
        return int(db.one(sql)[0])  # type: ignore[index]


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

    def test_a_person_of_whom_nothing_else_is_left_goes_after_keep(self, store: Store) -> None:
        """Young, with a message, a contact, a past in a CRM, a twin or a human's word about them: all these stay."""
        words = ("alone", "young", "event", "contact", "deal", "merged", "apart")
        meet(store, *(asked(f"email {word}@i.ua", name=word) for word in words), asked("email m@i.ua"))
        at = {word: place for place, word in enumerate(words, start=1)}
        with store.write() as db:
            db.run("UPDATE person SET created_at = ?, changed_at = ?", (db.now - 91 * DAY, db.now - 91 * DAY))
            db.run("UPDATE person SET changed_at = ? WHERE id = ?", (db.now - 89 * DAY, at["young"]))
            db.run("INSERT INTO likeness (word, person) VALUES (7, ?)", (at["alone"],))
            planned(db, "k", at["event"])
            link = ("hub", "person", str(at["contact"])), ("crm", "contact", "5")
            work.add_links(db, [link, (("hub", "customer", str(at["deal"])), ("crm", "deal", "5"))])
            merging.join(db, at["merged"], len(words) + 1, "human", {"code": "match_human"}, ())
            suspects.suspect(db, at["alone"], at["apart"], {"code": "suspect_alike"})
            suspects.suspect(db, at["apart"], at["event"], {"code": "suspect_alike"})
            never = suspects.pairs(db)[0]
            assert (never["person"], never["other"]) == (at["event"], at["apart"])
            suspects.decide(db, never["id"], "never")
        assert prune.prune_persons(store, 90 * DAY) == 1
        assert prune.prune_persons(store, 90 * DAY) == 0
        with store.write() as db:
            assert [row[0] for row in db.rows("SELECT id FROM person ORDER BY id")] == [*range(2, len(words) + 2)]
            assert roster.of_key(db, "email", "alone@i.ua") is None
            assert db.rows("SELECT * FROM likeness WHERE person = ?", (at["alone"],)) == []
            assert [pair["person"] for pair in suspects.pairs(db)] == []
        [match] = meet(store, asked("email alone@i.ua"))
        assert match.made

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
