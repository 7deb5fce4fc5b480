"""What hooks and the journal tell of a call: which call it is, how far it is, what it came to."""

from __future__ import annotations

from typing import Any

import pytest

from tests.plugins.calltouch.conftest import connector, told
from tests.plugins.calltouch.messages import CALL, RECORD, STARTED, by_json, form, journal, only, without

# --- one call ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("ticked", [True, False], ids=["callId ticked", "callId not ticked"])
def test_hooks_and_journal_tell_of_one_call(offline: Any, ticked: bool) -> None:
    left_out = () if ticked else ("callId",)
    start, end = only(offline, form(without(STARTED, *left_out))), only(offline, form(without(CALL, *left_out)))
    polled = only(offline, journal(RECORD))
    assert (start.type, end.type, polled.type) == ("call.started", "call.finished", "call.finished")
    assert start.subject == end.subject == polled.subject
    assert start.key != end.key == polled.key


def test_with_the_callid_the_journals_receipt_is_the_hooks_even_if_the_clocks_differ(offline: Any) -> None:
    late = {**RECORD, "date": "04/03/2026 13:15:01", "timestamp": 1772619301}
    assert offline.receipt_key(form(CALL)) == offline.receipt_key(journal(late)) == "call:300000001:ended"


@pytest.mark.parametrize("fields", [("calltime",), ("timestamp",)], ids=lambda names: f"without {names[0]}")
def test_one_of_both_times_is_enough(offline: Any, fields: tuple[str, ...]) -> None:
    assert only(offline, form(without(CALL, "callId", *fields))).key == only(offline, journal(RECORD)).key


@pytest.mark.parametrize("vague", ["2026-03-04", "2026-03-04 13:15", "04.03.2026"])
def test_a_time_that_is_not_to_the_second_tells_no_calls_apart(offline: Any, vague: str) -> None:
    fields = {**without(CALL, "timestamp"), "calltime": vague}
    first, second = (only(offline, form({**fields, "callId": number})) for number in ("1", "2"))
    assert (first.key, second.key) == ("call:1:ended", "call:2:ended")


def test_phones_are_one_in_every_writing(offline: Any) -> None:
    for phone in ("79000000001", "+7 (900) 000-00-01", "89000000001"):
        event = only(offline, form({**without(CALL, "callId"), "callerphone": phone}))
        assert event.key == only(offline, journal(RECORD)).key
        assert event.record["contact"]["phone"] == "+79000000001"


def test_a_retry_differs_in_its_time_of_sending_alone(offline: Any) -> None:
    first, again = ({**CALL, "sendingTimestamp": stamp} for stamp in ("1772619400", "1772619460"))
    assert offline.receipt_key(form(first)) == offline.receipt_key(form(again))
    other = {"leadtype": "chat", "text": "x"}
    first, again = ({**other, "sendingTimestamp": stamp} for stamp in ("1772619400", "1772619460"))
    assert offline.receipt_key(form(first)) == offline.receipt_key(form(again))


def test_two_calls_of_one_phone_are_two(offline: Any) -> None:
    later = {**CALL, "callId": "300000009", "calltime": "2026-03-04 13:18:00", "timestamp": "1772619480"}
    assert only(offline, form(CALL)).key != only(offline, form(later)).key


@pytest.mark.parametrize("hidden", ["", "anonymous", "<не указано>", "1234", "Аноним"])
def test_a_hidden_number_is_nobody(offline: Any, hidden: str) -> None:
    event = only(offline, form({**CALL, "callerphone": hidden}))
    assert "contact" not in event.record
    assert event.subject == "call:300000001"
    assert event.key == only(offline, journal({**RECORD, "callerNumber": hidden})).key
    other = only(offline, form({**CALL, "callId": "300000002", "callerphone": hidden}))
    assert other.key != event.key  # two hidden callers in one second stay two


def test_a_hook_without_anything_to_know_it_by_is_still_told_once(offline: Any) -> None:
    bare = {"leadtype": "call", "phonenumber": "74950000001"}
    start, end = form({**bare, "callphase": "callconnected"}), form({**bare, "callphase": "x", "duration": "5"})
    assert only(offline, start).subject == only(offline, end).subject
    assert only(offline, start).key != only(offline, end).key


# --- phases and results --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fields", "types"),
    [
        ({"callphase": "callconnected"}, ["call.started"]),
        ({"callphase": "CallConnected"}, ["call.started"]),
        ({"callphase": "anything else"}, ["call.finished"]),
        ({"callphase": ""}, ["call.finished"]),
        ({"status": "successful", "duration": "0"}, ["call.finished"]),
        ({"status": "lost", "duration": "0"}, ["call.missed"]),
        ({"status": "lost", "duration": ""}, ["call.missed"]),
        ({"status": "lost", "duration": "12"}, ["call.finished"]),
        ({"status": "", "duration": "0"}, ["call.missed"]),
        ({"status": "", "duration": ""}, ["call.finished"]),
        ({"manager": "Анна"}, ["call.answered", "call.finished"]),
        ({"manager": "Анна", "status": "lost", "duration": "0"}, ["call.missed"]),
    ],
)
def test_what_a_call_came_to(offline: Any, fields: dict[str, str], types: list[str]) -> None:
    assert [event.type for event in told(offline, form({**CALL, **fields}))] == types


def test_finished_and_missed_are_one_end(offline: Any) -> None:
    missed = only(offline, form({**CALL, "status": "lost", "duration": "0"}))
    assert missed.key == only(offline, form(CALL)).key


def test_without_the_phase_ticked_its_other_fields_tell(offline: Any) -> None:
    assert only(offline, form(without(CALL, "callphase"))).type == "call.finished"
    assert only(offline, form(without(STARTED, "callphase"))).type == "call.started"
    ends_only = connector(phases={"none": "ended"})
    assert only(ends_only, form(without(STARTED, "callphase"))).type == "call.finished"


def test_the_admin_may_say_what_a_phase_means(offline: Any) -> None:
    made = connector(phases={"callconnected": "answered", "ringing": "started"})
    assert only(made, form(STARTED)).type == "call.answered"
    assert only(made, form({**STARTED, "callphase": "ringing"})).type == "call.started"


def test_who_answered_is_known_with_the_end_and_told_once(offline: Any) -> None:
    answered, finished = told(offline, form({**CALL, "manager": "Анна"}))
    assert (answered.by, finished.by) == ("Анна", "Анна")
    assert answered.occurred_at is not None and answered.occurred_at.isoformat() == "2026-03-04T10:15:07+00:00"
    made = connector(phases={"callconnected": "answered"})
    assert only(made, form(STARTED)).key == answered.key


# --- changes -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("names", [["tags_manual"], "tags_manual", '["tags_manual"]'])
def test_a_change_is_no_second_end(offline: Any, names: Any) -> None:
    changed = {**CALL, "tags_manual": "целевой", "changedFields": names}
    make = by_json if isinstance(names, list) else form
    again, news = told(offline, make(changed))
    assert (again.key, again.type) == (only(offline, form(CALL)).key, "call.finished")
    assert (news.type, news.subject) == ("vendor.call_changed", again.subject)
    assert offline.receipt_key(make(changed)) != offline.receipt_key(form(CALL))
    other = {**changed, "tags_manual": "спам"}
    assert told(offline, make(other))[1].key != news.key


@pytest.mark.parametrize("names", ["", "null", "[]", None, []])
def test_no_changed_fields_is_no_change(offline: Any, names: Any) -> None:
    assert only(offline, by_json({**CALL, "changedFields": names})).type == "call.finished"


def test_a_change_of_an_old_call_does_not_end_it_again(offline: Any) -> None:
    old = {**CALL, "calltime": "2026-01-04 13:15:00", "timestamp": "1767521700", "changedFields": ["tags_manual"]}
    assert [event.type for event in told(offline, by_json(old))] == ["vendor.call_changed"]
