"""One human is one person: matching, merging, parting and their lines, on SQLite and PostgreSQL alike."""

from __future__ import annotations

import itertools
import random
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from hub.store import Store, contacts, families, merging, people, roster, suspects, work
from tests.hub.store.persons import RULES, asked, lines, meet, planned, until_somebody_waits


class PeopleContract:
    """Inherited by one class per database."""

    @pytest.fixture
    def store(self) -> Store:
        raise NotImplementedError

    # --- finding --------------------------------------------------------------------------------

    def test_a_shared_key_is_one_person_and_the_reason_says_which(self, store: Store) -> None:
        first, second, third = meet(
            store,
            asked("phone +380671234567", name="Anna"),
            asked("phone +380671234567", "email anna@i.ua", name="Anna Koval"),
            asked("email anna@i.ua", name="Petro"),
        )
        assert (first.own, first.made, second.own, second.made, third.own) == (1, True, 1, False, 1)
        assert first.why == {
            "code": "match_new", "params": {"kinds": "phone", "person": 1}, "rules": RULES.version,
        }  # fmt: skip
        assert third.why is not None
        assert third.why["params"] == {"kind": "email", "value": "anna@i.ua", "person": 1}
        assert third.why["also"] == [{"code": "match_name", "params": {"said": "Petro", "known": "Anna"}}]

    def test_who_gives_no_key_is_nobody(self, store: Store) -> None:
        [match] = meet(store, asked())
        assert (match.own, match.root, (match.why or {})["code"]) == (None, None, "match_none")

    def test_the_golden_record_keeps_who_said_what(self, store: Store) -> None:
        meet(
            store,
            asked("phone +380671234567", name="Anna", at=1.0),
            asked("phone +380671234567", name="Anna Koval", at=2.0, connection="crm"),
            asked("phone +380671234567", name="Anna", at=3.0),
        )
        with store.read() as db:
            record = roster.record_of(db, [1])
        assert record["name"] == [
            {"value": "Anna", "from": "site", "first": 1.0, "at": 1.0},
            {"value": "Anna Koval", "from": "crm", "first": 2.0, "at": 2.0},
        ]

    def test_the_same_human_from_many_sides_at_once_is_one_person(self, store: Store) -> None:
        """Five channels, each with another part of the keys, in any order, many workers at once."""
        humans = 20
        sides = [(0,), (0, 1), (1, 2), (0, 2), (0, 1, 2)]
        todo = list(itertools.product(range(humans), sides)) * 2
        random.Random(7).shuffle(todo)

        def come(one: tuple[int, tuple[int, ...]]) -> None:
            human, side = one
            keys = [f"phone +38067{human:07}", f"email h{human}@i.ua", f"handle insta:{human}"]
            with store.write() as db:
                people.match(db, [asked(*(keys[n] for n in side), name=f"H{human}")], RULES, ("crm",))

        with ThreadPoolExecutor(8) as pool:
            list(pool.map(come, todo))
        with store.read() as db:
            roots = {row[0] for row in db.rows('SELECT coalesce("into", id) FROM person')}
            owners = db.rows(
                'SELECT k.value, coalesce(p."into", p.id) FROM person_key k JOIN person p ON p.id = k.person'
            )
            chains = db.rows('SELECT 1 FROM person a JOIN person b ON b.id = a."into" WHERE b."into" IS NOT NULL')
        assert len(roots) == humans
        assert len(owners) == 3 * humans
        assert chains == []
        by_root: dict[int, set[str]] = {}
        for value, root in owners:
            by_root.setdefault(root, set()).add(value.removeprefix("+38067").strip("hinstau:.@"))
        assert all(len({value.lstrip("0") or "0" for value in values}) == 1 for values in by_root.values())

    # --- merging --------------------------------------------------------------------------------

    def test_a_message_that_names_two_makes_them_one(self, store: Store) -> None:
        *_, joined, later = meet(
            store,
            asked("handle insta:4711", name="Anna"),
            asked("phone +380671234567", name="Anna K"),
            asked("phone +380671234567", "handle insta:4711"),
            asked("phone +380671234567"),
        )
        assert (joined.root, joined.own, later.root, later.own) == (1, 2, 1, 2)
        assert joined.family == (1, 2)
        [merge] = joined.joined
        assert (merge.survivor, merge.merged, merge.how, merge.reason["code"]) == (1, 2, "rule", "match_joined")
        with store.read() as db:
            assert roster.of_key(db, "phone", "+380671234567") == 1
            assert roster.keys_of(db, 2) == [("handle", "insta:4711"), ("phone", "+380671234567")]
            assert set(roster.record_of(db, families.family(db, 2))["name"][0]) == {"value", "from", "first", "at"}

    def test_two_who_differ_in_a_strong_key_are_left_to_a_human(self, store: Store) -> None:
        *_, match = meet(
            store,
            asked("phone +380671111111", "email one@i.ua"),
            asked("phone +380672222222", "email two@i.ua"),
            asked("phone +380671111111", "email two@i.ua"),
        )
        assert (match.own, match.joined) == (1, [])
        with store.read() as db:
            [pair] = suspects.pairs(db)
        assert (pair["person"], pair["other"], pair["reason"]["code"]) == (1, 2, "match_conflict")
        assert pair["reason"]["params"]["differ"] == "email, phone"

    def test_another_handle_of_another_channel_is_no_conflict(self, store: Store) -> None:
        *_, match = meet(
            store,
            asked("handle insta:1", "phone +380671111111"),
            asked("handle viber:1", "email a@i.ua"),
            asked("email a@i.ua", "phone +380671111111"),
        )
        assert len(match.joined) == 1

    def test_only_declared_keys_join_by_themselves(self, store: Store) -> None:
        rules = replace(RULES, auto=("phone",))
        *_, match = meet(
            store, asked("email a@i.ua"), asked("handle insta:1"), asked("email a@i.ua", "handle insta:1"), rules=rules
        )
        assert (match.own, match.joined) == (1, [])
        with store.read() as db:
            assert [pair["reason"]["code"] for pair in suspects.pairs(db)] == ["match_not_auto"]

    def test_contacts_the_crm_told_of_are_a_conflict_and_those_the_hub_made_are_none(self, store: Store) -> None:
        meet(store, asked("phone +380671111111", "crm.contact 55"), asked("email a@i.ua"))
        with store.write() as db:
            contacts.note(db, [("crm", "77", 2)])
        [match] = meet(store, asked("phone +380671111111", "email a@i.ua"))
        assert len(match.joined) == 1
        meet(store, asked("phone +380672222222", "crm.contact 90"), asked("email b@i.ua", "crm.contact 91"))
        [match] = meet(store, asked("phone +380672222222", "email b@i.ua"))
        assert match.joined == []

    def test_a_contact_made_for_one_of_which_the_crm_told_first_makes_them_one(self, store: Store) -> None:
        """The hook overtook the answer: with no phone in it, it made a person of the contact alone."""
        meet(store, asked("phone +380671111111"), asked("crm.contact 55"))
        with store.write() as db:
            merge = contacts.own(db, "crm", "55", 1, RULES, ("crm",))
            assert merge is not None and (merge.survivor, merge.merged, merge.how) == (1, 2, "rule")
            assert contacts.own(db, "crm", "55", 1, RULES, ("crm",)) is None, "one already"
            assert families.family(db, 2) == [1, 2]

    def test_a_contact_made_for_one_that_is_somebody_elses_is_left_to_a_human(self, store: Store) -> None:
        meet(store, asked("phone +380671111111"), asked("phone +380672222222", "crm.contact 55"))
        with store.write() as db:
            assert contacts.own(db, "crm", "55", 1, RULES, ("crm",)) is None
            [pair] = suspects.pairs(db)
            assert (pair["person"], pair["other"], pair["reason"]["code"]) == (1, 2, "match_conflict")
            suspects.decide(db, pair["id"], "never")
            assert contacts.own(db, "crm", "55", 1, RULES, ("crm",)) is None
            assert suspects.pairs(db) == []

    def test_the_merge_whose_undoing_parts_two_is_found(self, store: Store) -> None:
        meet(store, asked("email a@i.ua"), asked("email b@i.ua"), asked("email c@i.ua"), asked("email d@i.ua"))
        with store.write() as db:
            for one, other in ((1, 2), (2, 3)):
                merging.join(db, one, other, "human", {"code": "match_human", "params": {}}, ())
            found = {pair: merging.between(db, *pair) for pair in ((1, 2), (2, 3), (1, 3), (1, 1), (1, 4))}
        assert {pair: merge.id if merge else None for pair, merge in found.items()} == {
            (1, 2): 1, (2, 3): 2, (1, 3): 2, (1, 1): None, (1, 4): None,
        }  # fmt: skip

    def test_three_at_once_become_one_and_pointers_stay_flat(self, store: Store) -> None:
        found = meet(
            store,
            asked("email a@i.ua"), asked("handle insta:1"), asked("phone +380671111111"),
            asked("phone +380671111111", "handle insta:1"),
            asked("phone +380671111111", "email a@i.ua"),
        )  # fmt: skip
        assert found[-1].root == 1
        with store.read() as db:
            assert families.roots(db, [1, 2, 3]) == {1: 1, 2: 1, 3: 1}
            assert families.family(db, 3) == [1, 2, 3]

    def test_events_of_one_batch_see_each_other(self, store: Store) -> None:
        with store.write() as db:
            found = people.match(
                db,
                [asked("phone +380671111111"), asked("email a@i.ua"), asked("email a@i.ua", "phone +380671111111"),
                 asked("email a@i.ua")],
                RULES, ("crm",),
            )  # fmt: skip
        assert [one.own for one in found] == [1, 2, 2, 2]
        assert {one.root for one in found} == {1}

    def test_a_merge_undone_gives_each_what_its_own_keys_say(self, store: Store) -> None:
        *_, joined, later = meet(
            store,
            asked("handle insta:1", name="Anna"),
            asked("phone +380671111111", name="Oleh"),
            asked("phone +380671111111", "handle insta:1"),
            asked("phone +380671111111", "email oleh@i.ua", name="Oleh Kit"),
        )
        with store.write() as db:
            assert merging.part(db, joined.joined[0], ("crm",)) == {1: 1, 2: 2}
            assert roster.keys_of(db, 2) == [("phone", "+380671111111"), ("email", "oleh@i.ua")]
            assert [entry["value"] for entry in roster.record_of(db, [1])["name"]] == ["Anna"]
            assert [entry["value"] for entry in roster.record_of(db, [2])["name"]] == ["Oleh", "Oleh Kit"]
            assert later.own == 2
        [again] = meet(store, asked("phone +380671111111", "handle insta:1"))
        assert (again.joined, again.own) == ([], 2), "a human's word stands against the rule"
        assert [one["code"] for one in (again.why or {})["also"]] == ["match_never"]

    def test_undoing_the_first_of_two_merges_leaves_the_second(self, store: Store) -> None:
        found = meet(
            store,
            asked("email a@i.ua"), asked("handle insta:1"), asked("phone +380671111111"),
            asked("email a@i.ua", "handle insta:1"),
            asked("phone +380671111111", "handle insta:1"),
        )  # fmt: skip
        with store.write() as db:
            merging.part(db, found[3].joined[0], ())
            assert families.roots(db, [1, 2, 3]) == {1: 1, 2: 2, 3: 2}

    # --- lines ----------------------------------------------------------------------------------

    def test_what_waits_for_either_goes_on_in_one_line(self, store: Store) -> None:
        meet(store, asked("handle insta:1"), asked("phone +380671111111"))
        with store.write() as db:
            a, b = planned(db, "a", 1), planned(db, "b", 2)
        [match] = meet(store, asked("handle insta:1", "phone +380671111111"))
        with store.write() as db:
            assert lines(db) == {a: "crm>person:1", b: "crm>person:1"}
            assert db.rows("SELECT key FROM line WHERE key LIKE 'crm>%'") == [("crm>person:1",)]
            assert match.joined[0].moved == ["crm>person:2"]
            first = work.claimed(db, work.claim(db, "crm", 10, "w:1"))
            assert [one.id for one in first] == [a]
            assert first[0].person == 1
            assert first[0].family == (1, 2)

    def test_what_waits_goes_behind_the_call_that_is_under_way(self, store: Store) -> None:
        meet(store, asked("handle insta:1"), asked("phone +380671111111"))
        with store.write() as db:
            flying = planned(db, "b1", 2)
            assert len(work.claimed(db, work.claim(db, "crm", 10, "w:1"))) == 1
            a, b = planned(db, "a", 1), planned(db, "b2", 2)
        meet(store, asked("handle insta:1", "phone +380671111111"))
        with store.write() as db:
            assert lines(db) == dict.fromkeys((flying, a, b), "crm>person:2")
            assert work.claim(db, "crm", 10, "w:2") == [], "nothing overtakes it"
            late = work.NewDelivery(
                db.rows("SELECT event FROM delivery WHERE id = ?", (a,))[0][0], "r2", "0", "crm", "lead.upsert",
                "crm>person:1", "crm", "late", family=("crm>person:2",),
            )  # fmt: skip
            work.add_deliveries(db, [late])
            assert set(lines(db).values()) == {"crm>person:2"}

    def test_it_may_be_the_line_of_one_who_was_merged_long_before(self, store: Store) -> None:
        meet(store, asked("email a@i.ua"), asked("handle insta:1"), asked("phone +380671111111"))
        with store.write() as db:
            flying = planned(db, "c1", 3)
            assert len(work.claimed(db, work.claim(db, "crm", 10, "w:1"))) == 1
            waiting = planned(db, "b", 2)
        meet(store, asked("handle insta:1", "phone +380671111111"))
        with store.write() as db:
            late = planned(db, "a", 1)
        [match] = meet(store, asked("email a@i.ua", "handle insta:1"))
        assert (match.root, match.family) == (1, (1, 2, 3))
        with store.write() as db:
            assert lines(db) == dict.fromkeys((flying, waiting, late), "crm>person:3")
            assert work.claim(db, "crm", 10, "w:2") == [], "nothing of theirs runs beside the call under way"

    def test_all_that_waits_for_a_family_comes_onto_one_line_when_none_is_being_worked_on(self, store: Store) -> None:
        meet(store, asked("email a@i.ua"), asked("handle insta:1"), asked("phone +380671111111"))
        with store.write() as db:
            flying = planned(db, "c1", 3)
            work.claim(db, "crm", 10, "w:1")
            waiting = planned(db, "b", 2)
        meet(store, asked("handle insta:1", "phone +380671111111"))
        with store.write() as db:
            work.free_worker(db, "w:1")
            late = planned(db, "a", 1)
        meet(store, asked("email a@i.ua", "handle insta:1"))
        with store.write() as db:
            assert lines(db) == dict.fromkeys((flying, waiting, late), "crm>person:1")
            assert db.rows("SELECT key FROM line WHERE key LIKE 'crm>%'") == [("crm>person:1",)]

    def test_what_waits_for_the_one_who_stays_leaves_the_line_of_the_one_who_goes(self, store: Store) -> None:
        meet(store, asked("handle insta:1"), asked("phone +380671111111"))
        with store.write() as db:
            flying = planned(db, "b1", 2)
            work.claim(db, "crm", 10, "w:1")
            a, b = planned(db, "a", 1), planned(db, "b2", 2)
        [match] = meet(store, asked("handle insta:1", "phone +380671111111"))
        with store.write() as db:
            merging.part(db, match.joined[0], ("crm",))
            assert lines(db) == {flying: "crm>person:2", a: "crm>person:1", b: "crm>person:2"}
            assert work.claim(db, "crm", 10, "w:2") == ["crm>person:1"]

    def test_parted_persons_get_lines_of_their_own(self, store: Store) -> None:
        *_, joined = meet(
            store, asked("handle insta:1"), asked("phone +380671111111"), asked("handle insta:1", "phone +380671111111")
        )
        with store.write() as db:
            a, b = planned(db, "a", 1), planned(db, "b", 2, "crm>person:1")
            merging.part(db, joined.joined[0], ("crm",))
            assert lines(db) == {a: "crm>person:1", b: "crm>person:2"}


class TestSqlite(PeopleContract):
    @pytest.fixture
    def store(self, sqlite_store: Store) -> Store:
        return sqlite_store


class TestPostgresql(PeopleContract):
    @pytest.fixture
    def store(self, postgresql_store: Store) -> Store:
        return postgresql_store


def test_who_holds_a_person_holds_whoever_stands_for_them_in_the_end(postgresql_store: Store) -> None:
    """The one who is waited for merges them: their root is another afterwards, and is held instead."""
    store = postgresql_store
    meet(store, asked("email a@i.ua"), asked("email b@i.ua"))

    def hold() -> tuple[dict[int, int], int]:
        with store.write() as db:
            at = families.hold(db, [2])
            row = db.one(
                "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND granted AND pid = pg_backend_pid()"
            )
            return at, row[0] if row else 0

    with ThreadPoolExecutor(1) as pool:
        with store.write() as db:
            families.lock(db, [1, 2])
            waiting = pool.submit(hold)
            until_somebody_waits(store)
            merging.join(db, 1, 2, "human", {"code": "match_human", "params": {}}, ())
        assert waiting.result(30) == ({2: 1}, 1)
