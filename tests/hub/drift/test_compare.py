"""The comparing of two looks at an account, and what is kept of it: on both databases."""

from __future__ import annotations

import pytest

from hub import drift
from hub.connector import Mention, Named
from hub.drift import Known, key_of
from hub.store import Store, state
from hub.store import drift as rows
from hub.store.engine import Db

FIELD = Named("field", "UF_CITY", "City", "lead", "string")
OTHER = Named("field", "UF_BREED", "Breed", "lead", "string")
STAGES = [
    Named("stage", code, label, "deal", pipeline="5")
    for code, label in (("new", "New"), ("to_ship", "To ship"), ("shipped", "Shipped"), ("won", "Won"))
]
OWNER = Named("field", "OWNER", "Responsible", "lead", "user")
ANNA = Named("user", "12", "Anna Koval")
START = [FIELD, OTHER, OWNER, *STAGES, ANNA, Named("user", "13", "Petro Lys")]


def known(*things: Named) -> dict[drift.Key, Known]:
    return {key_of(one): Known(one) for one in things}


def test_the_nearest_candidate_is_by_label_then_by_code_and_of_the_same_pipeline() -> None:
    was = Named("stage", "C5:SENT", "Shipped", "deal", pipeline="5")
    now = [
        Named("stage", "C3:SENT", "Shipped", "deal", pipeline="3"),
        Named("stage", "C5:OUT", "Shipped out", "deal", pipeline="5"),
        Named("stage", "C5:NEW", "New", "deal", pipeline="5"),
    ]
    assert drift.candidate(was, now, known(was)) == now[1]
    assert drift.candidate(was, now[2:], known(was)) is None
    lost = Named("field", "UF_CRM_CITY", "Місто", "deal")
    assert drift.candidate(lost, [Named("field", "UF_CRM_CITY2", "x", "deal")], {}) is not None
    assert drift.candidate(Named("user", "12", "Anna"), [Named("user", "13", "Petro")], {}) is None
    numbered = Named("field", "UF_CRM_1730000003", "City", "deal")
    assert drift.candidate(numbered, [Named("field", "UF_CRM_1730000001", "Waybill", "deal")], {}) is None


def test_what_stands_for_something_else_already_is_no_candidate() -> None:
    city, ttn = Named("field", "UF_CITY", "City", "deal"), Named("field", "UF_CITY2", "City of the branch", "deal")
    named = [
        Mention("field", "deal", "UF_CITY", "hub.yaml:9 routes[0].set.city"),
        Mention("field", "", "UF_CITY2", "hub.yaml:4 connections.crm.names.fields.branch"),
    ]
    [found] = drift.judge(drift.compare(known(city, ttn), [ttn]), named, [ttn], known(city, ttn))
    assert found.candidate is None
    [found] = drift.judge(drift.compare(known(city, ttn), [ttn]), named[:1], [ttn], known(city, ttn))
    assert found.candidate == ttn


def test_what_stands_under_names_alone_counts_where_no_record_has_it_any_more() -> None:
    on_lead, on_deal = Named("field", "UF_X", "X", "lead"), Named("field", "UF_X", "X", "deal")
    rest = [Named("field", "A", "A", "lead"), Named("field", "A", "A", "deal")]
    mention = Mention("field", "", "UF_X", "hub.yaml:3 connections.crm.names.fields.x")
    before = known(on_lead, on_deal, *rest)
    now = [on_deal, *rest]
    assert drift.judge(drift.compare(before, now), [mention], now, before) == []
    found = drift.judge(drift.compare(before, rest), [mention], rest, before)
    assert {one.places for one in found} == {("hub.yaml:3 names.fields.x",)}


class StoreContract:
    """What the two databases must both do."""

    @pytest.fixture
    def store(self) -> Store:
        raise NotImplementedError

    def test_a_fingerprint_is_kept_and_parts_are_parked_once(self, store: Store) -> None:
        with store.write() as db:
            rows.remember(db, "crm", START, [])
            rows.remember(db, "crm", [], [key_of(FIELD)])
        with store.read() as db:
            found = rows.fingerprint(db, "crm")
            assert found[key_of(FIELD)] == (FIELD, True) and found[key_of(ANNA)] == (ANNA, False)
            assert rows.gone(db, "crm") == {key_of(FIELD): "City"}
            assert rows.user_fields(db, "crm") == {("lead", "OWNER")}
        self.park(store)
        self.park(store)
        with store.write() as db:
            (part,) = rows.parked_of(db, "crm", "lead", "7")
            assert (part.value, part.beside, part.reason) == (["Kyiv"], ("city",), {"code": "x", "params": {}})
            assert rows.counts(db) == {("crm", "hub.yaml:4 set.city"): 1}
            rows.finish_parts(db, [part.id], "replayed", "0p1")
            assert not rows.any_parked(db, "crm")
            assert [(one.state, one.replay) for one in rows.parts_of_events(db, [5])] == [("replayed", "0p1")]

    @staticmethod
    def park(store: Store) -> None:
        with store.write() as db:
            rows.park(db, [(1, 5, "r", "0", "crm", "lead", "7", "city", "UF_CITY", ["Kyiv"], "hub.yaml:4 set.city",
                            "field:UF_CITY", ("city",), {"code": "x", "params": {}}, "v1")])  # fmt: skip

    def test_an_open_drift_stays_as_it_was_first_told(self, store: Store) -> None:
        key = key_of(FIELD)

        def opened(db: Db, what: str) -> None:
            rows.open_drift(db, "crm", key, what, {"code": f"drift_{what}", "params": {}}, "said")

        with store.write() as db:
            opened(db, "replaced")
            opened(db, "deleted")
            assert [(one.what, one.said) for one in rows.drifts(db, "crm")] == [("replaced", "said")]
            assert rows.drifts(db, "other") == []
            rows.close_drift(db, "crm", key)
            assert rows.drifts(db) == []
            state.open_alert(db, "refused:crm:a", "alert_drift_refused", "crm", {"lines": "a"})
            assert rows.open_causes(db, "refused:crm:") == ["refused:crm:a"]
            assert rows.alert_params(db, "refused:crm:a") == {"lines": "a"}
            assert rows.alert_params(db, "nothing") is None


class TestOnSqlite(StoreContract):
    @pytest.fixture
    def store(self, sqlite_store: Store) -> Store:
        return sqlite_store


class TestOnPostgresql(StoreContract):
    @pytest.fixture
    def store(self, postgresql_store: Store) -> Store:
        return postgresql_store
