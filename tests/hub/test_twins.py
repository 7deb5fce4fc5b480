"""What two records agree upon: field by field, with vendors that round, cut and escape."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub import twins
from hub.changes import kept, same
from hub.config import Sync, SyncField
from hub.twins import Merge, Sides, merge, news, together

TITLE = SyncField("title", "title", "title")
PHONE = SyncField("phone", "phone", "phone", kind="phones")
STAGE = SyncField("stage", "stage", "stage", kind="stage")
BOSS = SyncField("responsible", "responsible", "responsible", kind="responsible")


def run(
    field: SyncField, source: Any, target: Any, agreed: list[Any] | None = None, way: str = "forward", **more: Any
) -> Merge:
    """Merge one field of two records."""
    sync = Sync("s", "crm", "amo", stages=(("A", "x"), ("B", "y"), ("C", "y")), winner=more.pop("winner", "newest"))
    times = more.pop("times", (10.0, 20.0))
    name = field.kind if field.kind in ("phones", "emails") else field.word

    def translate(one: SyncField, value: Any) -> Any:
        return sync.stage(str(value), way) if one.kind == "stage" else {"1": "100"}.get(str(value), "")

    sides = Sides(
        sync, way, {"id": "1", name: source}, {"id": "2", name: target}, translate,
        more.pop("allowed", lambda now, wanted: ""), ({field.word: times[0]}, {field.word: times[1]}),
    )  # fmt: skip
    return merge(sides, [field], {field.word: agreed} if agreed is not None else {})


class TestOneValue:
    def test_neither_has_changed(self) -> None:
        found = run(TITLE, "a", "b", ["a", "b"])
        assert (found.values, found.back, found.notes) == ({}, [], [])

    def test_the_source_has_changed(self) -> None:
        found = run(TITLE, "new", "a", ["a", "a"])
        assert (found.values, found.agreed) == ({"title": "new"}, {"title": ["new", "new", 1]})

    def test_the_target_has_changed(self) -> None:
        found = run(TITLE, "a", "new", ["a", "a"])
        assert (found.values, found.back, found.agreed) == ({}, ["title"], {})

    def test_both_to_the_same(self) -> None:
        found = run(TITLE, "new", "new", ["a", "a"])
        assert (found.values, found.agreed) == ({}, {"title": ["new", "new"]})

    @pytest.mark.parametrize("winner", ["newest", "crm", "amo"])
    @pytest.mark.parametrize("times", [(10.0, 20.0), (20.0, 10.0), (10.0, 10.0)])
    def test_of_two_changes_one_wins_whoever_looks(self, winner: str, times: tuple[float, float]) -> None:
        """The delivery this way and the one back decide alike."""
        forward = run(TITLE, "ours", "theirs", ["a", "a"], winner=winner, times=times)
        back = run(TITLE, "theirs", "ours", ["a", "a"], way="back", winner=winner, times=times[::-1])
        assert bool(forward.values) != bool(back.values)
        ours = winner == "crm" or (winner == "newest" and times[0] >= times[1])
        assert forward.values == ({"title": "ours"} if ours else {})
        [note] = forward.notes
        assert (note["won_by"], note["lost"]) == (("crm", "theirs") if ours else ("amo", "ours"))
        assert back.notes == forward.notes

    def test_a_field_may_have_a_winner_of_its_own(self) -> None:
        field = SyncField("title", "title", "title", winner="amo")
        assert run(field, "ours", "theirs", ["a", "a"], winner="crm").values == {}

    def test_what_goes_one_way_is_written_over(self) -> None:
        field = SyncField("title", "title", "title", way="forward")
        assert run(field, "ours", "theirs", ["a", "a"], times=(1.0, 2.0)).values == {"title": "ours"}

    def test_an_emptied_field_is_emptied(self) -> None:
        assert run(TITLE, None, "a", ["a", "a"]).values == {"title": ""}

    def test_when_they_first_meet_nothing_is_emptied(self) -> None:
        found = run(TITLE, None, "theirs")
        assert (found.values, found.back) == ({}, ["title"])
        assert run(TITLE, "ours", None).values == {"title": "ours"}

    def test_a_rounded_amount(self) -> None:
        """When they first meet a rounding is no difference; an edit afterwards is one, wherever it is made."""
        assert run(TITLE, "1499.50", "1500").values == {}
        assert run(TITLE, "1499.60", "1500", ["1500.00", "1500"]).values == {"title": "1499.60"}
        written = ["1499.50", "1499.50", 1]
        assert run(TITLE, "1499.50", "1500", written).agreed == {"title": ["1499.50", "1500"]}
        assert run(TITLE, "1499.50", "1500", ["1499.50", "1499.50"]).back == ["title"]

    def test_codes_of_each_side(self) -> None:
        field = SyncField("city", "UF_1", "601")
        sync = Sync("s", "crm", "amo")
        ours, theirs = {"extra": {"UF_1": "Київ"}}, {"extra": {}}
        forward = merge(Sides(sync, "forward", ours, theirs, lambda f, v: v, lambda a, b: ""), [field], {})
        assert forward.values == {"601": "Київ"}
        back = merge(Sides(sync, "back", {"extra": {"601": "Львів"}}, {}, lambda f, v: v, lambda a, b: ""), [field], {})
        assert (back.values, back.agreed) == ({"UF_1": "Львів"}, {"city": ["Львів", "Львів", 0]})


class TestSeveralValues:
    def test_added_and_taken_away(self) -> None:
        base = [["1", "2"], ["1", "2"]]
        found = run(PHONE, ["1", "3"], ["1", "2", "4"], base)
        assert found.values == {"phone": ["1", "3", "4"]}
        assert found.agreed == {"phone": [["1", "3"], ["1", "3"]]}
        assert found.back == ["phone"]

    def test_when_they_first_meet_all_are_kept(self) -> None:
        assert run(PHONE, ["1"], ["2"]).values == {"phone": ["1", "2"]}

    @given(st.tuples(*[st.sets(st.sampled_from("123456")) for _ in range(3)]), st.booleans())
    def test_two_deliveries_make_both_equal(self, sets: tuple[set[str], set[str], set[str]], first: bool) -> None:
        """Whatever either side did and whoever goes first: both end alike, and what both did is done."""
        base, ours, theirs = (sorted(one) for one in sets)
        records = {"forward": list(ours), "back": list(theirs)}
        agreed = [base, base]
        for way in ("forward", "back", "forward") if first else ("back", "forward", "back"):
            other = "back" if way == "forward" else "forward"
            found = run(PHONE, records[way], records[other], agreed, way=way)
            records[other] = found.values.get("phone", records[other])
            agreed = found.agreed["phone"]
        assert records["forward"] == records["back"] == agreed[0]
        kept_by_both = set(ours) & set(theirs)
        added = (set(ours) | set(theirs)) - set(base)
        assert set(agreed[0]) == (kept_by_both | added) - ((set(base) - set(ours)) | (set(base) - set(theirs)))

    def test_one_phone_alone_and_one_that_is_none(self) -> None:
        assert twins.shown(PHONE, {"phone": "+7"}, "one") == ["+7"]
        assert twins.shown(PHONE, {"phone_raw": "вн. 12"}, "one") == ["вн. 12"]
        assert twins.shown(PHONE, {}, "one") == []


class TestStagesAndPeople:
    def test_a_pair(self) -> None:
        assert run(STAGE, "B", "x", ["A", "x"]).values == {"stage": "y"}
        assert run(STAGE, "C", "y", ["A", "x"]).values == {}
        assert run(STAGE, "y", "A", ["A", "x"], way="back").values == {"stage": "B"}, "the first pair counts"

    def test_no_pair_is_settled_with_a_note(self) -> None:
        found = run(STAGE, "Z", "x", ["A", "x"])
        assert (found.values, found.agreed, found.notes[0]["why"]) == ({}, {"stage": ["Z", "x"]}, "unmapped")

    def test_backward_is_settled_with_a_note(self) -> None:
        found = run(STAGE, "A", "y", ["B", "y"], allowed=lambda now, wanted: "backward")
        assert (found.values, found.agreed) == ({}, {"stage": ["A", "y"]})
        assert found.notes == [{"field": "stage", "why": "backward", "value": "x", "stays": "y"}]

    def test_an_employee(self) -> None:
        assert run(BOSS, "1", "9", ["2", "9"]).values == {"responsible": "100"}
        assert run(BOSS, "7", "9", ["2", "9"]).notes[0]["why"] == "unmapped"


def test_a_name_is_written_whole() -> None:
    first, last = (SyncField(name, name, name) for name in ("first_name", "last_name"))
    source, target = {"first_name": "Ганна", "last_name": "Коваль"}, {"first_name": "Анна", "last_name": "Коваль"}
    sides = Sides(Sync("s", "crm", "amo"), "forward", source, target, lambda f, v: v, lambda a, b: "")
    agreed = {"first_name": ["Анна", "Анна"], "last_name": ["Коваль", "Коваль"]}
    found = merge(sides, [first, last], agreed)
    together(sides, [first, last], found)
    assert found.values == {"first_name": "Ганна", "last_name": "Коваль"}


@pytest.mark.parametrize("way", ["forward", "back"])
class TestWhatWasDamaged:
    """The target shows what nobody wrote: the source's value is carried to it anew, and nothing comes from it."""

    def agreed(self, field: SyncField, shown: Any, way: str) -> list[Any]:
        name = field.kind if field.kind in ("phones", "emails") else field.word
        return twins.distrusted(field, {"id": "2", name: shown}, "other" if way == "forward" else "one")

    def test_one_value_is_carried_anew(self, way: str) -> None:
        found = run(TITLE, "Anna", "#1", self.agreed(TITLE, "#1", way), way=way)
        assert (found.values, found.back) == ({"title": "Anna"}, [])

    @pytest.mark.parametrize("winner", ["crm", "amo", "newest"])
    def test_what_somebody_wrote_there_since_stays_and_is_carried_back(self, way: str, winner: str) -> None:
        agreed = self.agreed(TITLE, "#1", way)
        found = run(TITLE, "Anna", "Olha", agreed, way=way, winner=winner)
        assert (found.values, found.back, found.notes) == ({}, ["title"], [])
        opposite = "back" if way == "forward" else "forward"
        found = run(TITLE, "Olha", "Anna", agreed, way=opposite, winner=winner)
        assert (found.values, found.notes) == ({"title": "Olha"}, [])

    @pytest.mark.parametrize(("right", "damaged"), [({"+1"}, {"+9"}), ({"+1", "+2"}, {"+1"}), ({"+1"}, {"+1", "+9"})])
    def test_several_values_come_from_the_source_alone(self, way: str, right: set[str], damaged: set[str]) -> None:
        found = run(PHONE, sorted(right), sorted(damaged), self.agreed(PHONE, sorted(damaged), way), way=way)
        assert (found.values, found.back) == ({"phone": sorted(right)}, [])


def test_news() -> None:
    agreed = {"title": ["a", "A"], "phone": [["1"], ["1"]]}
    assert news([TITLE, PHONE], agreed, {"title": "a", "phones": ["1"]}, "one") == {}
    assert news([TITLE, PHONE], agreed, {"title": "a", "phones": ["1", "2"]}, "other") == {
        "title": "a",
        "phone": ["1", "2"],
    }
    assert news([TITLE], {}, {"title": ""}, "one") == {}


# --- what a vendor makes of a value --------------------------------------------------------------

LONG = "Слово за словом. " * 20


@pytest.mark.parametrize(("written", "shown"), [
    ("1499.50", "1500"), ("1499.50", "1499.5"), ("0.125", "0.13"), ("0.125", "0.12"), (1499.5, 1499),
    ("a & b", "a &amp; b"), ("«a»", "&laquo;a&raquo;"), ("one\r\ntwo", "one\ntwo"), ("one\ntwo", "one<br>two"),
    (LONG, LONG[:255]), (LONG, LONG[:200] + "…"), ("+380671234567", "+38 (067) 123-45-67"), (" a ", "a"),
    ("", None), (["1.5"], ["2"]),
])  # fmt: skip
def test_a_vendor_kept_it_in_its_own_way(written: Any, shown: Any) -> None:
    assert kept(written, shown)


@pytest.mark.parametrize(("written", "shown"), [
    ("1500", "1499.50"), ("1499.40", "1500"), ("a", "b"), ("a", ""), (LONG, LONG[:50]),
    ("+380671234567", "+380671234568"), ("0671234567", "067"), (True, "1x"), ("12", "123"), (["1"], ["1", "2"]),
    ({"a": 1}, "a"), ("abc 1234567", "1234567"), ("1e3", "1000"), ("2026-01-02", "2026-01-03"),
])  # fmt: skip
def test_a_vendor_did_not_keep_it(written: Any, shown: Any) -> None:
    assert not kept(written, shown)


@pytest.mark.parametrize(
    ("one", "other"), [("a &amp; b", "a & b"), ("x\r\ny", "x\ny"), ("15000", "15000.00"), (None, "")]
)
def test_two_looks_show_the_same(one: Any, other: Any) -> None:
    assert same(one, other)
    assert same(other, one)


@pytest.mark.parametrize(
    ("one", "other"), [("1499.50", "1500"), (LONG, LONG[:255]), ("067 123 45 67", "0671234567"), ("a", "A")]
)
def test_between_two_looks_it_is_news(one: Any, other: Any) -> None:
    """What a vendor makes of a value of ours is no news; what a person makes of it is."""
    assert not same(one, other)


def test_same_is_the_same_both_ways() -> None:
    values = ["", None, "0", 0, "a", "a&amp;b", "a&b", "1.0", "1", " 1", "x\ny", "x<br>y", [], ["1"]]
    for one, other in itertools.product(values, values):
        assert same(one, other) == same(other, one), (one, other)


# --- an interrupted write ------------------------------------------------------------------------


def test_a_write_whose_worker_died_is_known_for_our_own() -> None:
    """Otherwise it would count as the other side's change, and win against a newer one of this side."""
    merged = run(TITLE, "x", "a", ["a", "a"])
    intent = twins.intended(merged, 1)
    assert intent == {"title": [["x", "x", 1], 1, "x"]}
    agreed = {"title": ["a", "a"]}
    ours, theirs = {"title": "y"}, {"title": "x"}
    assert twins.recalled(agreed, intent, [TITLE], (ours, theirs)) == {"title": ["x", "x", 1]}
    found = run(TITLE, "y", "x", ["x", "x", 1], times=(10.0, 20.0))
    assert (found.values, found.notes) == ({"title": "y"}, [])


def test_a_write_that_never_arrived_is_none() -> None:
    intent = {"title": [["x", "x", 1], 1, "x"], "gone": [["1", "1"], 1, "1"]}
    agreed = {"title": ["a", "a"]}
    assert twins.recalled(agreed, intent, [TITLE], ({"title": "x"}, {"title": "a"})) == agreed


def test_phones_of_an_interrupted_write() -> None:
    merged = run(PHONE, ["2"], ["1"], [["1"], ["1"]])
    intent = twins.intended(merged, 1)
    found = twins.recalled({"phone": [["1"], ["1"]]}, intent, [PHONE], ({"phones": ["3"]}, {"phones": ["2"]}))
    assert found == {"phone": [["2"], ["2"]]}
    assert run(PHONE, ["3"], ["2"], found["phone"]).values == {"phone": ["3"]}
