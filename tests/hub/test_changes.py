"""What is news: a record as it is now against how it was last seen (P5, P7)."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.changes import MAX_HOPS, Look, differences, look, same
from hub.model import Event
from tests.hub.fakes import WORLDS, Box

NOON = dt.datetime(2026, 5, 4, 12, tzinfo=dt.UTC)
SINCE = NOON.timestamp()


def event(
    verb: str = "updated", kind: str = "deal", key: str = "k1", at: dt.datetime | None = None, **record: Any
) -> Event:
    return Event(f"{kind}.{verb}", f"{kind}:55", key, {kind: {"id": "55", **record}}, at, id=7, connection="crm")


def told(found: Look) -> list[str]:
    return [one.type.partition(".")[2] for one in found.events]


def after(found: Look, before: dict[str, Any] | None = None) -> dict[str, Any]:
    return found.remember if found.remember is not None else (before or {})


def wrote(seen: dict[str, Any], hop: int = 0, **fields: Any) -> dict[str, Any]:
    """What the ledger notes when the hub writes."""
    return {**seen, "own": {**(seen.get("own") or {}), **fields}, "hop": max(int(seen.get("hop") or 0), hop)}


# --- the first look -------------------------------------------------------------------------------


def test_a_new_record_is_told_as_created() -> None:
    found = look(event("created", stage="new"), None, (), SINCE)
    assert told(found) == ["created"]
    assert after(found)["record"] == {"id": "55", "stage": "new"}


@pytest.mark.parametrize(
    ("moved", "expected"),
    [(None, ["updated", "stage_changed"]), ("2026-05-04T12:00:01+00:00", ["updated", "stage_changed"]),
     ("2026-05-04T11:59:30+00:00", ["updated", "stage_changed"]), ("2026-04-01T00:00:00+00:00", ["updated"]),
     ("no time at all", ["updated", "stage_changed"])],
)  # fmt: skip
def test_a_stage_reached_before_the_hub_came_is_history(moved: str | None, expected: list[str]) -> None:
    assert told(look(event(stage="won", moved_at=moved), None, (), SINCE)) == expected


def test_an_updated_record_without_a_stage_is_told_as_updated_alone() -> None:
    assert told(look(event(title="x"), None, (), SINCE)) == ["updated"]


def test_what_has_no_record_or_another_verb_passes_as_it_is() -> None:
    for one in (event("deleted"), event("stage_changed"), Event("deal.updated", "deal:1", "k", {})):
        found = look(one, {"record": {"id": "1"}}, (), SINCE)
        assert (found.events, found.remember, found.closed) == ([one], None, None)


# --- what changed ---------------------------------------------------------------------------------


def test_a_change_says_what_it_was_before() -> None:
    seen = after(look(event("created", stage="new", responsible="1", amount="10"), None, (), SINCE))
    found = look(event(stage="won", responsible="1", amount="15", key="k2"), seen, (), SINCE)
    assert told(found) == ["updated", "stage_changed"]
    assert [one.was for one in found.events] == [{"stage": "new", "amount": "10"}] * 2
    assert (found.events[1].key, found.events[1].id, found.events[1].hop) == ("k2:stage_changed", 0, 0)


def test_a_new_responsible_is_an_event_of_its_own() -> None:
    seen = after(look(event("created", responsible="1"), None, (), SINCE))
    assert told(look(event(responsible="2"), seen, (), SINCE)) == ["updated", "responsible_changed"]


def test_nothing_changed_is_said_and_told_to_nobody() -> None:
    seen = after(look(event("created", stage="new", amount="15000.00"), None, (), SINCE))
    found = look(event(stage="new", amount=15000), seen, (), SINCE)
    assert (told(found), (found.closed or {})["code"]) == ([], "nothing_changed")


def test_volatile_fields_are_no_news() -> None:
    seen = {"record": {"id": "55", "extra": {"TITLE": "a", "DATE_MODIFY": "1"}}}
    now = {"extra": {"TITLE": "a", "DATE_MODIFY": "2"}}
    assert told(look(event(**now), seen, ("DATE_MODIFY",), SINCE)) == []
    assert told(look(event(**now), seen, (), SINCE)) == ["updated"]


def test_vendor_fields_count_where_the_record_has_them() -> None:
    before = {"title": "neutral a", "stage": "s1", "extra": {"TITLE": "a", "UF_X": ""}}
    now = {"title": "neutral b", "stage": "s2", "extra": {"TITLE": "a", "UF_X": None, "UF_NEW": "1"}}
    assert differences(before, now, ()) == {"UF_NEW", "stage"}


@pytest.mark.parametrize("order", [("created", "updated"), ("updated", "created")])
def test_two_hints_in_either_order_tell_the_creation_once(order: tuple[str, str]) -> None:
    seen: dict[str, Any] | None = None
    heard: list[str] = []
    for n, verb in enumerate((*order, *order)):
        found = look(event(verb, key=f"k{n}", title="x"), seen, (), SINCE)
        heard += told(found)
        seen = after(found, seen)
    assert heard.count("created") == 1
    assert heard.count("updated") <= 1


def test_a_creation_told_late_hides_no_change_that_came_with_it() -> None:
    seen = after(look(event("updated", title="a"), None, (), SINCE))
    found = look(event("created", title="b", key="k2"), seen, (), SINCE)
    assert told(found) == ["created"]
    assert told(look(event("updated", title="b", key="k3"), after(found), (), SINCE)) == ["updated"]


# --- the hub's own writes -------------------------------------------------------------------------


def test_the_hubs_own_write_is_silent_once() -> None:
    seen = after(look(event("created", extra={"TITLE": "a", "TTN": ""}), None, (), SINCE))
    found = look(event(extra={"TITLE": "a", "TTN": 2045}), wrote(seen, TTN="2045"), (), SINCE)
    assert (told(found), (found.closed or {})["code"]) == ([], "echo")
    again = look(event(extra={"TITLE": "a", "TTN": ""}), after(found), (), SINCE)
    assert told(again) == ["updated"]  # a person took it away


def test_a_persons_change_beside_the_hubs_is_news() -> None:
    seen = after(look(event("created", extra={"TITLE": "a", "TTN": ""}), None, (), SINCE))
    found = look(event(extra={"TITLE": "by hand", "TTN": "2045"}), wrote(seen, TTN="2045"), (), SINCE)
    assert told(found) == ["updated"]


def test_another_value_than_the_hub_wrote_is_news() -> None:
    seen = after(look(event("created", extra={"TTN": ""}), None, (), SINCE))
    assert told(look(event(extra={"TTN": "999"}), wrote(seen, TTN="2045"), (), SINCE)) == ["updated"]


def test_the_hubs_own_stage_move_is_one_event_with_one_hop_more() -> None:
    seen = after(look(event("created", stage="s1", extra={"STAGE_ID": "1"}), None, (), SINCE))
    moved = event(stage="s2", extra={"STAGE_ID": "2"}, key="k2")
    found = look(moved, wrote(seen, hop=3, STAGE_ID="2"), (), SINCE)
    assert told(found) == ["stage_changed"]
    assert (found.events[0].hop, found.events[0].by, (found.closed or {})["code"]) == (4, "hub", "echo")
    assert told(look(moved.with_(key="k3"), after(found), (), SINCE)) == []


def test_a_look_from_before_the_write_leaves_its_echo_to_come() -> None:
    seen = after(look(event("created", extra={"TTN": ""}), None, (), SINCE))
    early = look(event(extra={"TTN": ""}, key="k2"), wrote(seen, hop=2, TTN="2045"), (), SINCE)
    assert told(early) == []
    echo = look(event(extra={"TTN": "2045"}, key="k3"), after(early), (), SINCE)
    assert (told(echo), (echo.closed or {})["code"]) == ([], "echo")
    assert after(echo)["own"] == {}


def test_a_record_the_hub_made_counts_a_hop_when_it_is_first_seen() -> None:
    found = look(
        event("created", stage="s1"), {"record": None, "own": {"STAGE_ID": "1"}, "made": True, "hop": 2}, (), SINCE
    )
    assert [one.hop for one in found.events] == [3]


@pytest.mark.parametrize("verb", ["created", "updated"])
@pytest.mark.parametrize(
    ("moved", "own", "types", "by"),
    [("2026-05-04T12:00:00", {"STAGE_ID": "new"}, [], ""), ("2026-05-04T12:00:09", {"STAGE_ID": "new"}, ["won"], ""),
     ("2026-05-04T12:00:09", {"STAGE_ID": "won"}, ["won"], "hub")],
)  # fmt: skip
def test_a_record_the_hub_made_may_have_been_moved_on_before_its_first_look(
    verb: str, moved: str, own: dict[str, str], types: list[str], by: str
) -> None:
    now = event(verb, stage="won", created_at="2026-05-04T12:00:00", moved_at=moved)
    found = look(now, {"record": None, "own": own, "made": True, "hop": 0}, (), SINCE)
    derived = [one for one in found.events if one.type == "deal.stage_changed"]
    assert [one.record["deal"]["stage"] for one in derived] == types
    assert {one.by for one in derived} <= {by}


@pytest.mark.parametrize("hop", range(MAX_HOPS + 3))
def test_a_circle_stops_at_its_limit_and_says_so(hop: int) -> None:
    seen = after(look(event("created", stage="s1"), None, (), SINCE))
    found = look(event(stage="s2"), wrote(seen, hop=hop, stage="s2"), (), SINCE)
    if hop < MAX_HOPS:
        assert told(found) == ["stage_changed"]
    else:
        assert (told(found), (found.closed or {})["code"]) == ([], "too_many_hops")
        assert after(found)["record"]["stage"] == "s2"


def test_a_persons_move_begins_a_new_count() -> None:
    seen = after(look(event("created", stage="s1"), None, (), SINCE))
    moved = look(event(stage="s2"), wrote(seen, hop=MAX_HOPS - 1, stage="s2"), (), SINCE)
    by_hand = look(event(stage="s3"), after(moved), (), SINCE)
    assert [one.hop for one in by_hand.events] == [0, 0]


CIRCLE = """
connections:
  crm: {plugin: sink}
routes:
  - {name: there, on: crm.deal.stage_changed, when: {deal.stage: new}, do: crm.deal.update, set: {stage: {text: won}}}
  - {name: back, on: crm.deal.stage_changed, when: {deal.stage: won}, do: crm.deal.update, set: {stage: {text: new}}}
"""


def test_two_routes_that_move_a_deal_round_and_round_are_stopped_with_an_alert(tmp_path: Path) -> None:
    box = Box(tmp_path, CIRCLE)
    try:
        deal = WORLDS["crm"].records[("deal", "55")] = {"id": "55", "stage": "won"}
        box.start()
        for _ in range(MAX_HOPS + 4):  # each write comes back as a hook
            before = deal["stage"]
            box.send({"type": "deal.updated", "subject": "deal:55", "hint": True}, to="crm")
            box.settle()
            if deal["stage"] == before:
                break
        assert "alert_loop" in box.alerts()
        moves = [one for one in box.events() if one["type"] == "deal.stage_changed"]
        assert [one["hop"] for one in moves] == list(range(MAX_HOPS + 1))
    finally:
        box.close()


# --- statuses -------------------------------------------------------------------------------------


def at(minutes: int) -> dt.datetime:
    return NOON + dt.timedelta(minutes=minutes)


def test_statuses_in_any_order_are_told_forward_only() -> None:
    seen: dict[str, Any] | None = None
    heard, closed = [], []
    for word, minute in (("accepted", 1), ("arrived", 5), ("in_transit", 3), ("arrived", 5), ("delivered", 9)):
        found = look(event("status_changed", "parcel", at=at(minute), status=word), seen, (), SINCE)
        heard += [one.record["parcel"]["status"] for one in found.events]
        closed += [found.closed["code"]] if found.closed else []
        seen = after(found, seen)
    assert heard == ["accepted", "arrived", "delivered"]
    assert closed == ["late", "nothing_changed"]


@pytest.mark.parametrize(
    ("before", "now", "heard"),
    [
        ("delivered", "in_transit", False),
        ("delivered", "arrived", False),
        ("arrived", "registered", False),
        ("arrived", "redirected", True),
        ("redirected", "in_transit", True),
        ("delivery_failed", "out_for_delivery", True),
        ("delivered", "returning", True),
        ("returning", "in_transit", True),
        ("delivered", "paid_out", True),
        ("unknown", "registered", True),
    ],
)
def test_a_parcel_turns_round_only_by_going_astray(before: str, now: str, heard: bool) -> None:
    seen = after(look(event("status_changed", "parcel", at=at(1), status=before), None, (), SINCE))
    for when in (at(9), None):  # a carrier's later word, and one without a time
        found = look(event("status_changed", "parcel", at=when, status=now), seen, (), SINCE)
        assert bool(found.events) is heard
        assert heard or ((found.closed or {})["code"] == "backward" and found.remember is None)


def test_a_status_says_what_it_was_before() -> None:
    seen = after(look(event("status_changed", "parcel", at=at(1), status="accepted"), None, (), SINCE))
    found = look(event("status_changed", "parcel", at=at(2), status="arrived"), seen, (), SINCE)
    assert found.events[0].was == {"status": "accepted"}


def test_a_status_without_a_time_counts_as_the_newest() -> None:
    seen = after(look(event("status_changed", "parcel", at=at(5), status="arrived"), None, (), SINCE))
    found = look(event("status_changed", "parcel", status="delivered"), seen, (), SINCE)
    assert told(found) == ["status_changed"]
    assert look(event("status_changed", "parcel", at=at(4), status="x"), after(found), (), SINCE).closed is not None


def test_an_update_between_statuses_keeps_the_measure_of_what_is_late() -> None:
    seen = after(look(event("status_changed", "parcel", at=at(5), status="arrived"), None, (), SINCE))
    seen = after(look(event("updated", "parcel", status="arrived", weight="2"), seen, (), SINCE))
    late = look(event("status_changed", "parcel", at=at(4), status="in_transit"), seen, (), SINCE)
    assert (late.closed or {})["code"] == "late"


@given(st.permutations(list(enumerate(["registered", "accepted", "in_transit", "arrived", "delivered", "paid_out"]))))
def test_whatever_the_order_the_last_status_told_is_the_newest(told_in: list[tuple[int, str]]) -> None:
    seen: dict[str, Any] | None = None
    heard: list[int] = []
    for minute, word in told_in:
        found = look(event("status_changed", "parcel", at=at(minute), status=word), seen, (), SINCE)
        heard += [minute for _ in found.events]
        seen = after(found, seen)
    assert heard == sorted(set(heard))
    assert heard[-1] == 5


# --- equal values in other spellings --------------------------------------------------------------


@pytest.mark.parametrize(
    ("one", "other"),
    [(None, ""), ("", []), ({}, None), ("15000", "15000.00"), (15000, "15000.0"), (Decimal("1.50"), 1.5), (5, "5"),
     (" a ", "a"), ("-3", "-3.0"), (0, "0.00"), (["1"], ["1"])],
)  # fmt: skip
def test_one_value_in_two_spellings_is_the_same(one: Any, other: Any) -> None:
    assert same(one, other) and same(other, one)


@pytest.mark.parametrize(
    ("one", "other"),
    [("", "0"), (None, 0), (None, False), ("0501234567", "501234567"), ("007", "7"), ("1e3", "1000"), ("a", "A"),
     (["1"], ["2"]), (["1"], "1"), ("1_0", "10"), ("nan", "NaN"), ("1,5", "1.5"), (True, 1)],
)  # fmt: skip
def test_two_values_that_look_alike_are_not_the_same(one: Any, other: Any) -> None:
    assert not same(one, other) and not same(other, one)


_VALUES = st.one_of(st.none(), st.text(max_size=4), st.integers(), st.floats(), st.decimals(), st.booleans())


@given(_VALUES, _VALUES)
def test_sameness_goes_both_ways_and_fails_on_nothing(one: Any, other: Any) -> None:
    assert same(one, one)
    assert same(one, other) is same(other, one)


@given(st.dictionaries(st.sampled_from("ABCDE"), _VALUES), st.dictionaries(st.sampled_from("ABCDE"), _VALUES))
def test_after_a_look_the_same_record_is_no_news(first: dict[str, Any], second: dict[str, Any]) -> None:
    seen = after(look(event("created", extra=first), None, (), SINCE))
    found = look(event(extra=second, key="k2"), seen, (), SINCE)
    assert told(look(event(extra=second, key="k3"), after(found, seen), (), SINCE)) == []


@given(st.dictionaries(st.sampled_from("ABCDE"), st.text(max_size=3), min_size=1), st.text(max_size=3))
def test_whatever_the_hub_wrote_comes_back_in_silence(own: dict[str, str], before: str) -> None:
    seen = after(look(event("created", extra=dict.fromkeys(own, before)), None, (), SINCE))
    assert told(look(event(extra=own, key="k2"), wrote(seen, **own), (), SINCE)) == []
