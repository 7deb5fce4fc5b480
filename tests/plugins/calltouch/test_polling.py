"""The journals as back-fill: overlap, days, pages; what a hook has told already is no news."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import orjson
import pytest

from hub.errors import AuthFailed, RateLimited, Refused, Rejected, Retry
from hub.model import Receipt, Request
from hub.testing import build
from plugins.calltouch import incoming
from plugins.calltouch.connector import Calltouch
from plugins.calltouch.polling import look
from plugins.calltouch.sandbox import CalltouchSandbox
from tests.plugins.calltouch.conftest import NOW, connector, hook

HOUR = dt.timedelta(hours=1)
MOSCOW = connector()._zone


def ago(**span: float) -> str:
    return (NOW - dt.timedelta(**span)).isoformat()


class Journal:
    """A client that holds its rows, and remembers for which days it was asked."""

    def __init__(self, *rows: Any) -> None:
        self.rows, self.asked = rows, []

    def calls(self, first: dt.date, last: dt.date) -> Any:
        self.asked.append((first.isoformat(), last.isoformat()))
        return iter(self.rows)

    requests = calls


def row(number: int, minutes_ago: float, **more: Any) -> dict[str, Any]:
    at = NOW - dt.timedelta(minutes=minutes_ago)
    return {
        "callId": number,
        "callerNumber": f"7900000{number:04}",
        "date": f"{at.astimezone(MOSCOW):%d/%m/%Y %H:%M:%S}",
        "duration": 5,
        "successful": True,
        **more,
    }


def seen(journal: Any, cursor: Any, **settings: Any) -> Any:
    made = connector(**settings)
    return look(journal, "calls", cursor, made.settings, MOSCOW, NOW)


def test_the_first_look_goes_back_the_overlap_alone() -> None:
    journal = Journal(row(1, 179), row(2, 181), row(3, 0))
    poll = seen(journal, None)
    assert [key for key, _ in poll.receipts] == ["call:1:ended", "call:3:ended"]
    assert poll.cursor == NOW.isoformat()
    assert poll.next_in is None
    assert journal.asked == [("2026-03-04", "2026-03-04")]


def test_a_later_look_begins_the_overlap_before_the_last_one() -> None:
    journal = Journal(row(1, 5 + 179), row(2, 5 + 181))
    assert [key for key, _ in seen(journal, ago(minutes=5)).receipts] == ["call:1:ended"]
    journal = Journal(row(1, 65), row(2, 300))
    assert [key for key, _ in seen(journal, ago(minutes=5), overlap="1h").receipts] == ["call:1:ended"]


def test_days_are_those_of_the_cabinet() -> None:
    journal = Journal()
    midnight = dt.datetime(2026, 3, 4, 21, 30, tzinfo=dt.UTC)  # 00:30 on the 5th in Moscow
    look(journal, "calls", midnight.isoformat(), {**connector().settings, "overlap": 7200.0}, MOSCOW, midnight)
    assert journal.asked == [("2026-03-04", "2026-03-05")]


def test_after_a_long_absence_it_catches_up_piece_by_piece() -> None:
    cursor, asked, poll = ago(days=70), [], None
    for _ in range(10):
        journal = Journal()
        poll = seen(journal, cursor)
        asked += journal.asked
        cursor = poll.cursor
        if poll.next_in is None:
            break
    assert poll is not None and poll.cursor == NOW.isoformat()
    assert len(asked) == 3
    assert all(later[0] <= earlier[1] for earlier, later in pairwise(asked))  # no day between


@pytest.mark.parametrize("cursor", ["", "x", 5, {"a": 1}, "2026-03-04T10:00:00", "2027-01-01T00:00:00+00:00"])
def test_a_cursor_that_cannot_be_is_a_first_look(cursor: Any) -> None:
    assert [key for key, _ in seen(Journal(row(1, 10), row(2, 300)), cursor).receipts] == ["call:1:ended"]


def test_rows_without_an_id_are_left_out_and_those_without_a_time_are_not() -> None:
    poll = seen(Journal({"x": 1}, row(1, 10, date=None), row(2, 10)), None)
    assert [key for key, _ in poll.receipts] == ["call:1:ended", "call:2:ended"]


def test_a_call_under_way_is_told_again_when_it_is_over() -> None:
    [(first, _)] = seen(Journal(row(1, 1, callphase="callconnected")), None).receipts
    [(then, _)] = seen(Journal(row(1, 1)), None).receipts
    assert (first, then) == ("call:1:started", "call:1:ended")


def test_a_call_that_may_still_be_ringing_is_not_missed_yet() -> None:
    ringing = {"duration": 0, "successful": False}
    assert seen(Journal(row(1, 1, **ringing)), None).receipts == []
    for over in (row(1, 11, **ringing), row(1, 1, **ringing, callphase="calldone"), row(1, 1)):
        assert [key for key, _ in seen(Journal(over), None).receipts] == ["call:1:ended"]


def test_what_is_stored_never_comes_from_outside() -> None:
    [(_, request)] = seen(Journal(row(1, 1)), None).receipts
    assert (request.method, request.path) == ("POLL", "poll/calls")
    with pytest.raises(Rejected, match="GET or POST"):
        connector().verify(request)


def test_which_polls_there_are() -> None:
    assert connector().polls() == {"calls": 300.0, "requests": 300.0}
    assert connector(poll="1h").polls()["requests"] == 3600.0
    assert connector(poll="no").polls() == connector(client_api_id="").polls() == {}
    with pytest.raises(ValueError, match="no journal"):
        connector().poll("letters", None)


# --- against the stand-in ----------------------------------------------------------------------------------


def test_hooks_and_polls_of_a_day_tell_each_thing_once(cabinet: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    sent: list[Request] = []

    def keep(sandbox: CalltouchSandbox, message: dict[str, Any], moment: str) -> None:
        sent.append(hook(orjson.dumps(message), "application/json"))

    monkeypatch.setattr("plugins.calltouch.sandbox.hooks.send", keep)
    cabinet.sandbox.call("79000000001", manager="Анна")
    cabinet.sandbox.call("79000000002", duration=0)
    cabinet.sandbox.call("79000000003", lost=True)
    cabinet.sandbox.fill("79000000004", name="Тест")
    cabinet.sandbox.fill("79000000005", lost=True)
    made = cabinet.connector
    by_hook = [e for r in sent for e in made.parse(Receipt(1, "calls", made.receipt_key(r), r, r.at))]
    assert [event.type for event in by_hook] == [
        "call.started", "call.answered", "call.finished", "call.started", "call.missed", "form.submitted",
    ]  # fmt: skip
    polled = [*cabinet.polled("calls")[0], *cabinet.polled("requests")[0]]
    known = {event.key for event in by_hook}
    news = [event for event in polled if event.key not in known]
    assert [(event.type, event.record["contact"]["phone"]) for event in news] == [
        ("call.finished", "+79000000003"),
        ("form.submitted", "+79000000005"),
    ]
    assert {event.subject for event in polled} == {event.subject for event in by_hook} | {e.subject for e in news}
    receipts = {made.receipt_key(request) for request in sent}
    again = [key for what in ("calls", "requests") for key, _ in cabinet.polled(what)[1].receipts if key in receipts]
    assert len(again) == 3


def test_more_than_a_page_of_calls(cabinet: Any) -> None:
    for number in range(1005):
        cabinet.sandbox.call(f"7900{number:07}", lost=True)
    events, poll = cabinet.polled("calls")
    assert len({event.key for event in events}) == len(poll.receipts) == 1005
    assert cabinet.sandbox.calls["calls-diary/calls"] == 2


def test_a_node_that_knows_no_pages(cabinet: Any) -> None:
    cabinet.post("quirks", {"bare_list": True})
    long_ago = (cabinet.sandbox.clock() - 2 * HOUR - dt.timedelta(days=1)).isoformat()
    cabinet.sandbox.call("79000000001", lost=True, at=long_ago)
    cabinet.sandbox.call("79000000002", lost=True)
    events, _ = cabinet.polled("calls", (cabinet.sandbox.clock() - dt.timedelta(days=1)).isoformat())
    assert [event.record["contact"]["phone"] for event in events] == ["+79000000001", "+79000000002"]


@pytest.mark.parametrize("what", ["calls", "requests"])
@pytest.mark.parametrize(
    ("fault", "error"),
    [
        ("outage", Retry),
        ("503", Retry),
        ("html", Retry),
        ("empty", Retry),
        ("rate_limit", RateLimited),
        ("bad_token", AuthFailed),
        ("no_right", AuthFailed),
    ],
)
def test_a_bad_day_of_the_journals(cabinet: Any, what: str, fault: str, error: type[Exception]) -> None:
    cabinet.sandbox.call("79000000001", lost=True)
    cabinet.sandbox.fill("79000000001", lost=True)
    cabinet.fault(fault)
    with pytest.raises(error) as caught:
        cabinet.polled(what)
    assert type(caught.value) is error
    events, _ = cabinet.polled(what)  # the cursor had not moved
    assert len(events) == 1


def test_the_limit_of_five_a_second_is_told_apart(cabinets: Callable[..., Any]) -> None:
    cabinet = cabinets(calls_per_second=5)
    with pytest.raises(RateLimited):
        for _ in range(20):
            cabinet.polled("requests")
    assert cabinet.connector.limits().per_second < 5


def test_the_journal_of_deals_is_read_where_it_is_asked_for(cabinet: Any) -> None:
    cabinet.do("deal.upsert", {"orderNumber": "2442", "status": "Новая"})
    assert "deals" not in cabinet.connector.polls()
    assert "deals" in connector(deals="yes").polls()
    [event], _ = cabinet.polled("deals")
    assert (event.type, event.subject, event.record["vendor"]["extra"]["status"]) == (
        "vendor.deal",
        "deal:2442",
        "Новая",
    )
    cabinet.do("deal.upsert", {"orderNumber": "2442", "status": "Успех"}, verb="update")
    [later], _ = cabinet.polled("deals")
    assert later.key != event.key
    assert later == cabinet.polled("deals")[0][0].with_(occurred_at=later.occurred_at)


# --- looking for one -----------------------------------------------------------------------------------------


def test_calls_and_requests_are_found(cabinet: Any) -> None:
    cabinet.sandbox.call("79000000001", lost=True)
    later = cabinet.sandbox.call("79000000001", lost=True, at=(cabinet.sandbox.clock() + HOUR / 2).isoformat())
    cabinet.sandbox.call("79000000002", lost=True)
    made = cabinet.sandbox.fill("79000000001", email="user@example.com", number="form-42", lost=True)
    find = cabinet.connector.find
    for since in (None, NOW - 99 * 24 * HOUR, (NOW - HOUR).timestamp(), (NOW - HOUR).isoformat()):
        by = {"phone": "8 900 000-00-01", **({"since": since} if since else {})}
        found = find("call", by)
        assert [one["phone"] for one in found] == ["79000000001"] * 2
        assert found[-1]["id"] == str(later["callId"])
    [one] = find("request", {"marker": "form-42"})
    assert (one["id"], one["number"]) == (str(made["requestId"]), "form-42")
    assert find("request", {"email": "USER@example.com"})[0]["id"] == one["id"]
    assert find("request", {"requestId": one["id"], "phone": "79000000002"}) == []
    assert find("call", {"phone": "+79000000001"}, 1) == find("call", {"phone": "+79000000001"})[:1]
    assert find("deal", {"orderNumber": "2442"}) == [{"id": "2442"}]
    assert find("deal", {"phone": "79000000001"}) == []
    with pytest.raises(Refused, match="can't be looked for by open"):
        find("call", {"open": True})
    with pytest.raises(Refused, match="can't search for lead"):
        find("lead", {"phone": "1"})


def test_found_by_phone_is_never_a_hidden_number(cabinet: Any) -> None:
    cabinet.sandbox.call("anonymous", lost=True)
    assert cabinet.connector.find("call", {"phone": "79000000001"}) == []
    assert incoming.e164("anonymous", "RU") is None


def test_connections_with_one_token_share_its_limit() -> None:
    one, same, other = (
        build(Calltouch, {"site_id": site, "secret": "secret-secret", "access_token": token})
        for site, token in (("1", "token-a"), ("2", "token-a"), ("3", "token-b"))
    )
    assert one.limits().key == same.limits().key != other.limits().key
    assert "token-a" not in one.limits().key
