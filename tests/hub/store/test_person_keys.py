"""Keys of nobody, persons alike, hints and what is counted of a person, on SQLite and PostgreSQL alike."""

from __future__ import annotations

import datetime as dt
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from hub import likeness
from hub.identity import MOST_KEYS, read
from hub.model import Event
from hub.reasons import say
from hub.store import Store, intake, merging, nobody, people, prune, roster, standing, state, suspects, work
from hub.store.json import loads
from tests.hub.store.persons import RULES, asked, meet, until_somebody_waits


class KeysContract:
    """Inherited by one class per database."""

    @pytest.fixture
    def store(self) -> Store:
        raise NotImplementedError

    # --- nobody ---------------------------------------------------------------------------------

    def test_a_number_of_thirty_people_is_nobodys_and_they_are_sorted_anew(self, store: Store) -> None:
        office, rules = "+380441234567", replace(RULES, nobody_after=5)
        for n in range(7):
            record = {"contact": {"phone": office, "email": f"p{n}@i.ua", "name": f"P{n}"}}
            with store.write() as db:
                event = Event("form.submitted", f"form:{n}", f"k{n}", record, connection="site")
                [fresh] = intake.add_events(db, [event])
                [match] = people.match(
                    db, [asked(f"phone {office}", f"email p{n}@i.ua", name=f"P{n}")], rules, ("crm",)
                )
                intake.set_event_notes(db, [(fresh.id, match.own, None, match.why)])
        with store.read() as db:
            persons = [row[0] for row in db.rows("SELECT person FROM event ORDER BY id")]
            [listed] = nobody.listed(db)
            alerts = db.rows("SELECT kind FROM alert WHERE closed_at IS NULL")
            names = {person: [e["value"] for e in roster.record_of(db, [person])["name"]] for person in persons}
        assert (listed["kind"], listed["value"], listed["how"]) == ("phone", office, "use")
        assert alerts == [("alert_nobody",)]
        assert len(set(persons)) == 7
        assert list(names.values()) == [[f"P{n}"] for n in range(7)]

    def test_a_mailbox_of_thirty_contacts_of_the_crm_is_nobodys(self, store: Store) -> None:
        rules = replace(RULES, nobody_after=5)
        for n in range(7):
            record = {"contact": {"id": f"{n}", "email": "info@i.ua", "name": f"P{n}"}}
            record["deal"] = {"id": f"{n}"}
            event = Event("deal.updated", f"deal:{n}", f"k{n}", record, connection="crm")
            with store.write() as db:
                [fresh] = intake.add_events(db, [event])
                [match] = people.match(db, [read(fresh, rules)], rules, ("crm",))
                intake.set_event_notes(db, [(fresh.id, match.own, None, match.why)])
                ends = people.ends_of(fresh).items()
                work.add_links(db, [(("hub", role, str(match.own)), end) for end, role in ends])
        with store.read() as db:
            owners = [row[0] for row in db.rows("SELECT person FROM event ORDER BY id")]
            for n, owner in enumerate(owners):
                ends_of = {role: work.links(db, [("hub", role, str(owner))]) for role in ("customer", "person")}
                assert list(ends_of["customer"].values()) == [[("crm", "deal", str(n))]]
                assert list(ends_of["person"].values()) == [[("crm", "contact", str(n))]]
        with store.read() as db:
            assert [(one["kind"], one["value"]) for one in nobody.listed(db)] == [("email", "info@i.ua")]
            assert len({row[0] for row in db.rows("SELECT person FROM event")}) == 7
            assert [roster.of_key(db, "crm.contact", str(n)) for n in range(7)] == [
                row[0] for row in db.rows("SELECT person FROM event ORDER BY id")
            ]

    def test_strangers_dont_take_a_number_away_from_whom_a_crm_has_it_of(self, store: Store) -> None:
        rules = replace(RULES, nobody_after=5)
        card = {"contact": {"id": "55", "phone": "+380671112233", "name": "Anna"}}
        met = [read(Event("contact.updated", "contact:55", "k", card, connection="crm"), rules)]
        for n in range(8):
            said = {"contact": {"phone": "+380671112233", "email": f"p{n}@i.ua", "name": f"P{n}"}}
            met.append(read(Event("form.submitted", f"form:{n}", f"k{n}", said, connection="site"), rules))
        found = meet(store, *met, rules=rules)
        assert [one.own for one in found] == [1] * 9
        with store.read() as db:
            assert nobody.listed(db) == []
            [(kind, params)] = db.rows("SELECT kind, params FROM alert WHERE closed_at IS NULL")
        assert kind == "alert_shared"
        assert say("alert_shared", loads(params)) == (
            "8 different emails came with phone +380671112233, which crm has on somebody's card"
        )

    def test_what_proves_nothing_changes_nothing_about_the_known(self, store: Store) -> None:
        rules = replace(RULES, nobody_after=5, unverified=frozenset({"site"}))
        meet(store, asked("phone +380671111111", name="Anna", connection="crm"), rules=rules)
        meet(store, asked("email petro@i.ua", name="Petro", connection="crm"), rules=rules)
        [both] = meet(store, asked("phone +380671111111", "email petro@i.ua", name="Mallory"), rules=rules)
        assert (both.own, both.joined) == (1, [])
        with store.read() as db:
            [pair] = suspects.pairs(db)
            assert (pair["person"], pair["other"], pair["reason"]["code"]) == (1, 2, "match_unverified")
        strangers = [asked("phone +380671111111", f"email m{n}@i.ua", name="Mallory") for n in range(9)]
        found = meet(store, *strangers, rules=rules)
        assert {one.own for one in found} == {1}
        assert found[0].why is not None
        said = [one for one in found[0].why["also"] if one["code"] == "match_left"]
        assert [one["params"] for one in said] == [{"kind": "email", "value": "m0@i.ua", "why": "unverified"}]
        with store.read() as db:
            assert roster.keys_of(db, 1) == [("phone", "+380671111111")]
            assert [one["value"] for one in roster.record_of(db, [1])["name"]] == ["Anna"]
            assert nobody.listed(db) == [] and db.rows("SELECT kind FROM alert") == []
        [new] = meet(store, asked("phone +380679999999", "email new@i.ua"), rules=rules)
        assert new.made
        with store.read() as db:
            assert set(roster.keys_of(db, new.own or 0)) == {("phone", "+380679999999"), ("email", "new@i.ua")}

    def test_a_chain_of_strangers_ends(self, store: Store) -> None:
        """Phone and e-mail in turns: no key brought many, yet nobody has that many."""
        for n in range(MOST_KEYS + 10):
            meet(
                store, asked(f"phone +38067{1000000 + n}", f"email p{n}@i.ua"),
                asked(f"email p{n}@i.ua", f"phone +38067{1000001 + n}"),
            )  # fmt: skip
        with store.read() as db:
            mine = roster.keys_of(db, 1)
            assert {kind: sum(1 for one, _ in mine if one == kind) for kind in ("phone", "email")} == {
                "phone": MOST_KEYS, "email": MOST_KEYS,
            }  # fmt: skip
            [(kind, params)] = db.rows("SELECT kind, params FROM alert WHERE closed_at IS NULL")
            assert kind == "alert_keys"
            assert loads(params) == {"person": 1, "count": MOST_KEYS, "kinds": "phone"}
            assert nobody.listed(db) == []
        [known] = meet(store, asked("email p3@i.ua", "phone +380991112233"))
        assert known.own == 1
        assert known.why is not None
        assert known.why["also"][0]["params"] == {"kind": "phone", "value": "+380991112233", "why": "full"}
        [alone] = meet(store, asked("phone +380991112233"))
        assert alone.made, "not learned, so a person of its own"

    def test_who_came_first_by_a_number_of_nobody_keeps_their_own_keys_and_later_ones_go_with_theirs(
        self, store: Store
    ) -> None:
        office = "+380441234567"
        for n, contact in enumerate(
            (
                {"phone": office, "email": "anna@i.ua", "name": "Anna"},
                {"phone": office, "email": "petro@i.ua", "name": "Petro"},
                {"email": "petro@i.ua", "handles": {"insta": "petro"}, "name": "Petro K"},
                {"handles": {"insta": "petro"}, "name": "P. Kit"},
                {"email": "anna@i.ua", "name": "Anna K"},
            )
        ):
            event = Event("form.submitted", f"form:{n}", f"k{n}", {"contact": contact}, connection="site")
            with store.write() as db:
                [fresh] = intake.add_events(db, [event])
                [match] = people.match(db, [read(fresh, RULES)], RULES, ("crm",))
                intake.set_event_notes(db, [(fresh.id, match.own, None, match.why)])
                assert match.own == 1
        with store.write() as db:
            nobody.declare(db, ("phone", office), "human", {"code": "nobody_human", "params": {}})
            assert people.release(db, ("phone", office), RULES, ("crm",)) == 4
        with store.read() as db:
            assert [row[0] for row in db.rows("SELECT person FROM event ORDER BY id")] == [1, 2, 2, 2, 1]
            assert roster.keys_of(db, 1) == [("email", "anna@i.ua")]
            assert set(roster.keys_of(db, 2)) == {("email", "petro@i.ua"), ("handle", "insta:petro")}
            names = [[entry["value"] for entry in roster.record_of(db, [one])["name"]] for one in (1, 2)]
        assert names == [["Anna", "Anna K"], ["Petro", "Petro K", "P. Kit"]]

    def test_who_came_first_in_one_request_with_all_the_others_keeps_their_own_keys(self, store: Store) -> None:
        office, rules = "phone +380441234567", replace(RULES, nobody_after=3)
        many = [asked(office, f"email p{n}@i.ua", name=f"P{n}") for n in range(5)]
        with store.write() as db:
            found = people.match(db, [*many, asked("email p0@i.ua"), asked("email p3@i.ua")], rules, ("crm",))
            owners = [roster.of_key(db, "email", f"p{n}@i.ua") for n in range(5)]
            names = [[entry["value"] for entry in roster.record_of(db, [one])["name"]] for one in owners if one]
        assert len(set(owners)) == 5
        assert [one.own for one in found] == [*owners, owners[0], owners[3]]
        assert names == [[f"P{n}"] for n in range(5)]

    def test_who_came_first_keeps_their_keys_when_that_event_is_kept_no_longer(self, store: Store) -> None:
        meet(store, asked("phone +380441234567", "email a@i.ua"))
        with store.write() as db:
            people.release(db, ("phone", "+380441234567"), RULES, ("crm",))
            assert roster.keys_of(db, 1) == [("email", "a@i.ua")]

    def test_a_key_said_to_be_nobodys_joins_nobody_any_more(self, store: Store) -> None:
        meet(store, asked("phone +380441234567", "email a@i.ua"))
        with store.write() as db:
            nobody.declare(db, ("phone", "+380441234567"), "human", {"code": "nobody_human", "params": {}})
            people.release(db, ("phone", "+380441234567"), RULES, ("crm",))
        first, second = meet(store, asked("phone +380441234567", "email b@i.ua"), asked("phone +380441234567"))
        assert (first.own, second.own) == (2, None)
        assert second.why is not None
        assert second.why["also"][0]["params"] == {"kind": "phone", "value": "+380441234567", "why": "human"}
        with store.write() as db:
            assert nobody.forget(db, ("phone", "+380441234567"))
        assert meet(store, asked("phone +380441234567"))[0].made

    # --- likeness -------------------------------------------------------------------------------

    def test_a_slip_of_the_finger_is_shown_to_a_human_once(self, store: Store) -> None:
        meet(
            store,
            asked("phone +380671234567", name="Olena Koval"),
            asked("phone +380671234576", name="Koval Olena"),
            asked("phone +380671234568", name="Petro Kit"),
            asked("email olena.k@i.ua", name="Olena"),
            asked("email olena.kk@i.ua", name="olena"),
        )
        with store.write() as db:
            assert suspects.compare_new(db) == 5
            found = [(pair["person"], pair["other"]) for pair in suspects.pairs(db)]
            assert found == [(4, 5), (1, 2)]
            assert suspects.compare_new(db) == 0
            [pair] = [pair for pair in suspects.pairs(db) if pair["person"] == 1]
            suspects.decide(db, pair["id"], "never")
        meet(store, asked("phone +380671234567", "email o@i.ua", name="Olena Koval"))
        with store.write() as db:
            assert suspects.compare_new(db) == 1
            assert [(one["person"], one["other"]) for one in suspects.pairs(db)] == [(4, 5)]

    def test_a_person_found_alike_and_then_joined_is_no_suspect(self, store: Store) -> None:
        meet(store, asked("phone +380671234567", name="Olena Koval"), asked("phone +380671234576", name="Olena Koval"))
        with store.write() as db:
            suspects.compare_new(db)
            merging.join(db, 1, 2, "human", {"code": "match_human", "params": {}}, ())
            assert suspects.pairs(db) == []

    def test_never_holds_for_whoever_is_one_with_them(self, store: Store) -> None:
        meet(
            store, asked("phone +380671234567", name="Olena Koval"), asked("phone +380671234576", name="Koval Olena"),
            asked("email o@i.ua", name="Olena Koval"),
        )  # fmt: skip
        with store.write() as db:
            suspects.compare_new(db)
            [pair] = suspects.pairs(db)
            suspects.decide(db, pair["id"], "never")
            merging.join(db, 1, 3, "human", {"code": "match_human", "params": {}}, ())
        meet(store, asked("email o@i.ua", "phone +380671234577", name="Olena Koval"))
        with store.write() as db:
            suspects.compare_new(db)
            assert suspects.pairs(db) == []

    # --- hints ----------------------------------------------------------------------------------

    def test_a_shared_click_is_told_of_and_joins_nobody(self, store: Store) -> None:
        first = replace(asked("phone +380671111111"), hints=[("hint.gclid", "abc")])
        second = replace(asked("phone +380672222222"), hints=[("hint.gclid", "abc")])
        one, two = meet(store, first, second)
        assert one.own != two.own
        assert two.why is not None
        assert two.why["also"] == [{"code": "match_likely", "params": {"kind": "gclid", "person": 1}}]

    # --- counting -------------------------------------------------------------------------------

    def test_requests_are_counted_over_all_who_are_one(self, store: Store) -> None:
        now = 1_790_000_000.0  # the middle of a day
        with store.write() as db:
            rows = [("form.submitted", 1, 0.0), ("call.missed", 2, 3600.0), ("message.received", 2, 7200.0),
                    ("message.received", 2, 7201.0), ("deal.updated", 1, 1.0)]  # fmt: skip
            for n, (type_, person, _) in enumerate(rows):
                [fresh] = intake.add_events(db, [Event(type_, f"x:{n}", f"k{n}", {}, connection="site")])
                intake.set_event_notes(db, [(fresh.id, person, None, None)])
            db.many(
                'UPDATE event SET at = ? WHERE "key" = ?', [(now - ago, f"k{n}") for n, (*_, ago) in enumerate(rows)]
            )
            assert len(standing.counted(standing.requests(db, [1, 2], 0, now, dt.UTC))) == 3
            assert len(standing.counted(standing.requests(db, [1], 0, now, dt.UTC))) == 1

    def test_whose_deal_it_is_is_found_by_the_link(self, store: Store) -> None:
        with store.write() as db:
            work.add_links(db, [(("hub", "customer", "2"), ("crm", "deal", "55"))])
            state.set_seen(db, "crm", "deal:55", {"record": {"id": "55", "stage": "WON"}})
            [(connection, subject, record, _)] = standing.history(db, [1, 2])
        assert (connection, subject, record["stage"]) == ("crm", "deal:55", "WON")


class TestSqlite(KeysContract):
    @pytest.fixture
    def store(self, sqlite_store: Store) -> Store:
        return sqlite_store


class TestPostgresql(KeysContract):
    @pytest.fixture
    def store(self, postgresql_store: Store) -> Store:
        return postgresql_store


def test_a_key_found_to_be_nobodys_while_its_lock_is_waited_for_names_nobody(postgresql_store: Store) -> None:
    """Who waits looks at the list again: what it read before the lock is old."""
    key, store = ("phone", "+380441234567"), postgresql_store
    with ThreadPoolExecutor(1) as pool:
        with store.write() as db:
            nobody.declare(db, key, "human", {"code": "nobody_human", "params": {}})
            waiting = pool.submit(meet, store, asked("phone +380441234567"))
            until_somebody_waits(store)
        [match] = waiting.result(30)
    assert (match.own, (match.why or {})["code"]) == (None, "match_none")


def test_whose_key_is_taken_away_is_held(postgresql_store: Store) -> None:
    """A message of theirs that came by another key is planned first, or after."""
    store = postgresql_store
    meet(store, asked("phone +380671111111", "email a@i.ua"))

    def hold() -> None:
        with store.write() as db:
            people.hold(db, ("phone", "+380671111111"))

    with ThreadPoolExecutor(1) as pool:
        with store.write() as db:
            people.match(db, [asked("email a@i.ua")], RULES, ("crm",))
            waiting = pool.submit(hold)
            until_somebody_waits(store)
        waiting.result(30)


def test_who_changes_while_being_compared_is_compared_again(
    postgresql_store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = postgresql_store
    meet(store, asked("phone +380671234567", name="Olena Koval"))
    plain = likeness.words_of_keys

    def meanwhile(keys: list[tuple[str, str]]) -> set[int]:
        monkeypatch.setattr(likeness, "words_of_keys", plain)
        meet(store, asked("phone +380671234567", "email o@i.ua", name="Olena Koval-Kit"))
        return plain(keys)

    monkeypatch.setattr(likeness, "words_of_keys", meanwhile)
    with store.write() as db:
        assert suspects.compare_new(db) == 1
    with store.write() as db:
        assert suspects.compare_new(db) == 1
        assert suspects.compare_new(db) == 0


@pytest.mark.parametrize(
    ("table", "columns"), [("person_key", ("kind", "value")), ("link", ("connection", "kind", "ref"))]
)
def test_keys_are_looked_up_by_their_index(sqlite_store: Store, table: str, columns: tuple[str, ...]) -> None:
    """However many there are, a match reads only its own rows."""
    seen: list[str] = []
    with sqlite_store.read() as db:
        plain = db.rows
        db.rows = lambda sql, params=(): seen.append(sql) or plain(sql, params)  # type: ignore[method-assign, func-returns-value]
        db.keyed(table, columns, [tuple("abc"[: len(columns)])], "t.kind")
        plan = [row[3] for row in plain(f"EXPLAIN QUERY PLAN {seen[0]}", tuple("abc"[: len(columns)]))]
    assert any(line.startswith("SEARCH t USING") for line in plan), plan
    assert not any("SCAN t" in line for line in plan), plan


def test_old_hints_are_forgotten_and_keys_are_not(sqlite_store: Store) -> None:
    """A session belongs to nearly every visit; a phone names somebody for good."""
    old, fresh = (replace(asked(f"phone +38067111111{n}"), hints=[("hint.session_id", str(n))]) for n in (1, 2))
    meet(sqlite_store, old, fresh)
    with sqlite_store.write() as db:
        db.run("UPDATE person_key SET at = ? WHERE person = 1", (db.now - 91 * 86400,))
    prune.prune_links(sqlite_store, 90 * 86400)
    with sqlite_store.read() as db:
        keys = db.rows("SELECT kind, person FROM person_key ORDER BY person, kind")
    assert [tuple(row) for row in keys] == [("phone", 1), ("hint.session_id", 2), ("phone", 2)]


def test_a_clients_record_is_remembered_longer_than_others(sqlite_store: Store) -> None:
    with sqlite_store.write() as db:
        work.add_links(db, [(("hub", "customer", "1"), ("crm", "deal", "5"))])
        for number in (5, 6):
            state.set_seen(db, "crm", f"deal:{number}", {"record": {"id": str(number)}})
        db.run("UPDATE seen SET at = 1")
    prune.prune(sqlite_store, 90 * 86400)
    with sqlite_store.read() as db:
        assert [row[0] for row in db.rows("SELECT subject FROM seen")] == ["deal:5"]
