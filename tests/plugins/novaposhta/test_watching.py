"""Polling: whom, how often, until when."""

from __future__ import annotations

import datetime as dt
import json
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hub.errors import AuthFailed, RateLimited, Refused, Retry
from hub.model import Receipt, Request, Watch
from hub.testing.mutate import mutated
from plugins.novaposhta import incoming, watching

NOW = dt.datetime(2026, 5, 4, 12, 0, tzinfo=dt.UTC)
BASE, HOUR, DAY = 600.0, 3600.0, 86_400.0


def watch(number: str = "20450000000001", **data: Any) -> Watch:
    known = {"phone": "380671234567", "status": "1", "updated": "", "cod": False, "since": NOW.isoformat(), "misses": 0}
    return Watch("parcel", number, known | data)


def item(number: str = "20450000000001", code: str = "7", **more: Any) -> dict[str, Any]:
    known = {
        "Number": number,
        "StatusCode": code,
        "Status": f"status {code}",
        "TrackingUpdateDate": "2026-05-04 14:30:00",
    }
    return known | more


def look(items: list[dict[str, Any]], watched: list[Watch], now: dt.datetime = NOW) -> Any:
    return watching.look(lambda documents: items, watched, BASE, "380670000001", now)


@pytest.mark.parametrize(
    ("code", "cod", "days", "after"),
    [
        ("1", False, 0, HOUR),
        ("1", False, 20, 6 * HOUR),
        ("4", False, 0, BASE),
        ("5", False, 5, 3 * HOUR),
        ("101", False, 0, BASE),
        ("111", False, 1, BASE),
        ("5", False, 20, DAY),
        ("7", False, 1, BASE),
        ("8", False, 3, HOUR),
        ("7", False, 8, 6 * HOUR),
        ("7", False, 121, None),
        ("9", False, 0, None),
        ("9", True, 0, 3 * HOUR),
        ("10", True, 0, 3 * HOUR),
        ("10", False, 31, None),
        ("11", True, 0, None),
        ("106", False, 0, None),
        ("2", False, 0, None),
        ("103", False, 0, HOUR),
        ("102", False, 4, 6 * HOUR),
        ("777", False, 0, HOUR),
    ],
)
def test_pace(code: str, cod: bool, days: float, after: float | None) -> None:
    assert watching.next_question(code, cod, days * DAY, BASE) == after


def test_pace_is_never_quicker_than_the_setting() -> None:
    assert watching.next_question("7", False, 0, 2 * HOUR) == 2 * HOUR
    assert watching.next_question("8", False, 3 * DAY, 2 * HOUR) == 2 * HOUR


def test_a_change_becomes_a_receipt_and_a_watch() -> None:
    poll = look([item()], [watch()])
    [(key, request)] = poll.receipts
    assert key == "poll:20450000000001:7:2026-05-04 14:30:00"
    assert (request.method, request.path) == ("POLL", "poll/parcel")
    body = json.loads(request.body)
    assert body["was"] == {"status": "1", "updated": "", "cod": False}
    assert body["Status"] == "status 7"
    [again] = poll.watch
    assert (again.id, again.after) == ("20450000000001", BASE)
    assert again.data["status"] == "7"
    assert again.data["since"] == NOW.isoformat()
    [event] = incoming.parse(Receipt(1, "nova", key, request, NOW), None)
    assert (event.type, event.record["parcel"]["status"]) == ("parcel.status_changed", "arrived")


def test_no_change_no_receipt() -> None:
    known = watch(status="7", updated="2026-05-04 14:30:00", since="2026-05-01T12:00:00+00:00")
    poll = look([item()], [known])
    assert poll.receipts == []
    assert poll.watch[0].after == HOUR  # three days at the branch
    assert poll.watch[0].data["since"] == "2026-05-01T12:00:00+00:00"


def test_delivered_ends_the_watch() -> None:
    poll = look([item(code="9")], [watch()])
    assert len(poll.receipts) == 1
    assert poll.watch[0].after is None


def test_money_on_delivery_is_watched_until_paid_out() -> None:
    poll = look([item(code="9", RedeliverySum="1500")], [watch()])
    assert (poll.watch[0].data["cod"], poll.watch[0].after) == (True, 3 * HOUR)
    poll = look([item(code="10")], [watch(cod=True)])
    assert poll.watch[0].after == 3 * HOUR
    poll = look([item(code="11")], [watch(cod=True)])
    assert poll.watch[0].after is None


def test_a_refused_parcel_is_followed_home() -> None:
    back = {"LastCreatedOnTheBasisNumber": "59000000000002", "LastCreatedOnTheBasisDocumentType": "CargoReturn"}
    follower, ended = look([item(code="103", **back)], [watch(cod=True)]).watch
    assert (follower.id, follower.after) == ("59000000000002", 0.0)
    assert follower.data["follows"] == "20450000000001"
    assert (follower.data["role"], follower.data["cod"]) == ("return", False)
    assert (ended.id, ended.after) == ("20450000000001", None)
    poll = look([item("59000000000002", "9")], [follower])
    assert poll.watch[0].after is None
    [event] = incoming.parse(Receipt(1, "nova", "k", poll.receipts[0][1], NOW), None)
    assert (event.subject, event.record["parcel"]["status"]) == ("parcel:20450000000001", "returned")


def test_a_refused_parcel_without_a_return_yet_stays_watched() -> None:
    [again] = look([item(code="103")], [watch()]).watch
    assert again.after == HOUR


def test_a_redirected_parcel_goes_on_under_the_first_number() -> None:
    follower = look([item(code="104", LastCreatedOnTheBasisNumber="59000000000003")], [watch(cod=True)]).watch[0]
    assert (follower.data["role"], follower.data["cod"]) == ("redirect", True)
    poll = look([item("59000000000003", "9", RedeliverySum="10")], [follower])
    assert poll.watch[0].after == 3 * HOUR  # the money is still on its way
    [event] = incoming.parse(Receipt(1, "nova", "k", poll.receipts[0][1], NOW), None)
    assert (event.subject, event.record["parcel"]["status"]) == ("parcel:20450000000001", "delivered")


def test_an_unknown_number_is_asked_ever_rarer_and_given_up_with_words() -> None:
    known, now, distances, given_up = watch(status="1"), NOW, [], []
    for _ in range(30):
        poll = look([item(code="3", TrackingUpdateDate="")], [known], now)
        [known] = poll.watch
        given_up += poll.receipts
        if known.after is None:
            break
        distances.append(known.after)
        now += dt.timedelta(seconds=known.after)
    assert distances[:4] == [600, 1200, 2400, 4800]
    assert max(distances) == DAY
    assert known.after is None
    [(key, request)] = given_up
    [event] = incoming.parse(Receipt(1, "nova", key, request, NOW), None)
    assert event.record["parcel"]["finished"] is True
    assert "has not known this number for a week" in event.text
    assert dt.timedelta(days=7) < now - NOW < dt.timedelta(days=9)


def test_a_silent_parcel_is_given_up_with_words() -> None:
    known = watch(status="1", updated="2026-05-04 14:30:00", since="2025-12-01T00:00:00+00:00")
    poll = look([item(code="1")], [known])
    [event] = incoming.parse(Receipt(1, "nova", "k", poll.receipts[0][1], NOW), None)
    assert (event.type, event.record["parcel"]["finished"]) == ("parcel.updated", True)
    assert poll.watch[0].after is None


def test_batches_of_a_hundred() -> None:
    asked: list[int] = []

    def track(documents: list[dict[str, str]]) -> list[dict[str, Any]]:
        asked.append(len(documents))
        return [item(one["DocumentNumber"]) for one in documents]

    watched = [watch(f"2045{n:010d}") for n in range(250)]
    poll = watching.look(track, watched, BASE, "", NOW)
    assert asked == [100, 100, 50]
    assert len(poll.receipts) == len(poll.watch) == 250


def test_the_senders_phone_opens_what_no_recipient_phone_does() -> None:
    asked: list[dict[str, str]] = []
    watching.look(
        lambda documents: asked.extend(documents) or [], [watch(phone=""), watch()], BASE, "380670000001", NOW
    )
    assert [one["Phone"] for one in asked] == ["380670000001", "380671234567"]


def test_one_ill_batch_leaves_the_others_alone() -> None:
    def track(documents: list[dict[str, str]]) -> list[dict[str, Any]]:
        if documents[0]["DocumentNumber"].endswith("000100"):
            raise Retry("no answer within 30 s")
        return [item(one["DocumentNumber"]) for one in documents]

    poll = watching.look(track, [watch(f"2045{n:010d}") for n in range(250)], BASE, "", NOW)
    assert len(poll.watch) == 150  # the others stay due
    assert poll.next_in == 60


def test_a_rate_limit_stops_the_round() -> None:
    calls: list[int] = []

    def track(documents: list[dict[str, str]]) -> list[dict[str, Any]]:
        calls.append(1)
        if len(calls) == 2:
            raise RateLimited("To many requests", 2.0)
        return [item(one["DocumentNumber"]) for one in documents]

    poll = watching.look(track, [watch(f"2045{n:010d}") for n in range(250)], BASE, "", NOW)
    assert (len(calls), len(poll.watch), poll.next_in) == (2, 100, 60)


@pytest.mark.parametrize("error", [Retry("ill"), RateLimited("slower", 2), AuthFailed("key")])
def test_nothing_came_through(error: Exception) -> None:
    def track(documents: list[dict[str, str]]) -> list[dict[str, Any]]:
        raise error

    with pytest.raises(type(error)):
        watching.look(track, [watch()], BASE, "", NOW)


def test_one_poisoned_number_is_isolated() -> None:
    bad = "2045000000013"

    def track(documents: list[dict[str, str]]) -> list[dict[str, Any]]:
        if any(one["DocumentNumber"] == bad for one in documents):
            raise Refused("Document number is not correct")
        return [item(one["DocumentNumber"]) for one in documents]

    poll = watching.look(track, [watch(f"2045{n:09d}") for n in range(64)], BASE, "", NOW)
    assert len(poll.receipts) == 63
    assert [one.data["misses"] for one in poll.watch if one.id == bad] == [1]


def test_rubbish_in_the_answer_counts_as_absent() -> None:
    poll = look([{"Number": None}, {"StatusCode": "7"}, item("20450000000009")], [watch()])
    assert poll.receipts == []
    assert poll.watch[0].data["misses"] == 1


def test_nothing_watched_nothing_asked() -> None:
    assert watching.look(lambda documents: pytest.fail("asked"), [], BASE, "", NOW).watch == []


@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_broken_answers_and_broken_memory_break_nothing(data: st.DataObject) -> None:
    good = item(LastCreatedOnTheBasisNumber="59000000000002", RedeliverySum="5", **{"Documents": [{}]})
    broken = data.draw(mutated(Request("POST", "/", body=orjson.dumps([good]))))
    try:
        items = orjson.loads(broken.body)
    except orjson.JSONDecodeError:
        return
    known = {
        name: data.draw(st.none() | st.text(max_size=9)) for name in ("phone", "status", "updated", "since", "role")
    }
    rows = [one for one in items if isinstance(one, dict)] if isinstance(items, list) else []
    poll = look(rows, [Watch("parcel", "20450000000001", known)])
    for key, request in poll.receipts:
        [event] = incoming.parse(Receipt(1, "nova", key, request, NOW), None)
        assert 0 < len(event.key) <= 255
    assert [one.id for one in poll.watch].count("20450000000001") == 1
