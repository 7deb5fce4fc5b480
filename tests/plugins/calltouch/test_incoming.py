"""Hooks in every form; one call told several times is one call; what isn't ticked; what isn't known."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any
from urllib.parse import urlencode

import pytest

from hub.errors import Rejected
from hub.model import Event, Request
from plugins.calltouch.reading import POLL
from tests.plugins.calltouch.conftest import NOW, SETTINGS, connector, hook, told

CALL = {
    "leadtype": "call",
    "callId": "300000001",
    "callphase": "calldone",
    "callerphone": "79000000001",
    "phonenumber": "74950000001",
    "duration": "65",
    "waiting_time": "7",
    "calltime": "2026-03-04 13:15:00",
    "timestamp": "1772619300",
    "status": "successful",
    "source": "google",
    "medium": "cpc",
    "utm_source": "ads",
    "utm_campaign": "spring",
    "sessionId": "400000001",
    "ctClientId": "500000001",
    "siteId": "10001",
}
_LATER = ("duration", "waiting_time", "status")
STARTED = {name: value for name, value in CALL.items() if name not in _LATER} | {"callphase": "callconnected"}
RECORD = {
    "callId": 300000001,
    "callphase": "calldone",
    "date": "04/03/2026 13:15:00",
    "timestamp": 1772619300,
    "duration": 65,
    "waitingConnect": 7,
    "callerNumber": "79000000001",
    "phoneNumber": "74950000001",
    "successful": True,
    "source": "google",
    "medium": "cpc",
    "utmSource": "ads",
    "utmCampaign": "spring",
    "utmMedium": "<не указано>",
    "sessionId": 400000001,
    "ctClientId": 500000001,
    "manager": None,
}


def form(fields: dict[str, Any], **options: Any) -> Request:
    return hook(urlencode(fields).encode(), **options)


def by_json(fields: Any, **options: Any) -> Request:
    return hook(json.dumps(fields).encode(), "application/json", **options)


def by_get(fields: dict[str, Any], **options: Any) -> Request:
    return hook(method="GET", query=tuple((name, str(value)) for name, value in fields.items()), **options)


def journal(record: dict[str, Any], which: str = "calls") -> Request:
    return replace(by_json(record), method=POLL, tail="", path=f"poll/{which}")


def only(made: Any, request: Request) -> Event:
    [event] = told(made, request)
    return event


def without(fields: dict[str, Any], *names: str) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if name not in names}


# --- the forms -----------------------------------------------------------------------------------------


def test_the_form_of_a_hook_makes_no_difference(offline: Any) -> None:
    first, *others = (only(offline, make(CALL)) for make in (form, by_json, by_get))
    assert all(replace(other, record={}) == replace(first, record={}) for other in others)
    assert all(other.record["source"] == first.record["source"] for other in others)
    assert len({offline.receipt_key(make(CALL)) for make in (form, by_json, by_get)}) == 1


def test_the_body_wins_over_the_query_and_both_are_read(offline: Any) -> None:
    request = form(without(CALL, "siteId"), query=(("siteId", "7"), ("duration", "1"), ("secret", "x"), ("kind", "")))
    call = only(offline, request).record["call"]
    assert call["duration"] == 65
    assert call["extra"]["siteId"] == "7"
    assert "secret" not in call["extra"]


def test_json_may_hold_numbers_switches_and_nulls(offline: Any) -> None:
    numbers = {"callId": 300000001, "duration": 65.0, "timestamp": 1772619300000}
    fields = {**CALL, **numbers, "manager": None, "unique": True}
    event = only(offline, by_json(fields))
    assert (event.record["call"]["id"], event.record["call"]["duration"]) == ("300000001", 65)
    assert event.occurred_at is not None and event.occurred_at.isoformat() == "2026-03-04T10:15:00+00:00"
    assert event.record["call"]["extra"]["unique"] is True


def test_a_list_is_several_leads(offline: Any) -> None:
    other = {**CALL, "callId": "300000002", "callerphone": "79000000002"}
    assert [event.record["call"]["id"] for event in told(offline, by_json([CALL, other]))] == ["300000001", "300000002"]
    assert offline.receipt_key(by_json([CALL, other])) != offline.receipt_key(by_json([other, CALL]))


@pytest.mark.parametrize("body", [b"[]", b"[1]", b'"x"', b"{", b"null"])
def test_json_that_is_no_fields_is_kept_and_says_why(offline: Any, body: bytes) -> None:
    request = hook(body, "application/json")
    offline.verify(request)
    assert offline.receipt_key(request).startswith("raw:")
    with pytest.raises(Rejected):
        told(offline, request)


def test_names_are_read_in_any_case_and_by_the_admins_own(offline: Any) -> None:
    renamed = without(CALL, "callId", "callerphone") | {"MY_CALL": "300000001", "CALLERPHONE": "79000000001"}
    event = only(connector(read={"callId": "my_call"}), form(renamed))
    assert (event.record["call"]["id"], event.record["contact"]["phone"]) == ("300000001", "+79000000001")


def test_an_older_receivers_names(offline: Any) -> None:
    old = {"leadtype": "call", "id": "5", "callerphone": "79000000001", "calledphone": "74950000001",
           "operatorphone": "74950000002", "record": "https://rec.example.com/5.mp3", "timestamp": "1772619300",
           "callphase": "x", "duration": "5"}  # fmt: skip
    call = only(offline, form(old)).record["call"]
    assert (call["id"], call["line"], call["recording"]) == ("5", "+74950000001", "https://rec.example.com/5.mp3")


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


# --- requests ------------------------------------------------------------------------------------------

REQUEST = {
    "leadtype": "request",
    "requestId": "700000001",
    "requestNumber": "form-42",
    "subject": "Запись на игру",
    "fio": "Тест Тестов",
    "callerphone": "79000000002",
    "requestDate": "2026-03-04 13:15:00",
    "timestamp": "1772619300",
    "sessionId": "400000002",
    "url": "https://shop.example.com/?utm_source=vk&utm_campaign=may&yclid=17&gclid=G1",
}
REQUEST_RECORD = {
    "date": 1772619300000,
    "dateStr": "04/03/2026 13:15:00",
    "requestId": 700000001,
    "requestNumber": "form-42",
    "subject": "Запись на игру",
    "client": {"fio": "Тест Тестов", "phones": [{"phoneNumber": "79000000002"}], "contacts": []},
    "session": {"sessionId": 400000002, "utmSource": "(not set)"},
}


def test_a_request_and_its_record_are_one(offline: Any) -> None:
    event = only(offline, form(REQUEST))
    assert (event.type, event.title, event.record["form"]["id"]) == ("form.submitted", "Запись на игру", "700000001")
    assert event.record["contact"]["name"] == "Тест Тестов"
    polled = journal(REQUEST_RECORD, "requests")
    assert (only(offline, polled).key, only(offline, polled).subject) == (event.key, event.subject)
    assert offline.receipt_key(polled) == offline.receipt_key(form(REQUEST)) == "request:700000001"
    assert only(offline, form(without(REQUEST, "requestId"))).key == event.key


def test_a_record_without_the_written_date_has_the_milliseconds(offline: Any) -> None:
    event = only(offline, journal(without(REQUEST_RECORD, "dateStr"), "requests"))
    assert event.key == only(offline, form(REQUEST)).key


def test_a_request_by_e_mail_alone(offline: Any) -> None:
    record = {**REQUEST_RECORD, "client": {"contacts": [{"contactType": "x", "contactValue": "User@Example.com"}]}}
    event = only(offline, journal(record, "requests"))
    assert event.record["contact"]["email"] == event.record["form"]["email"] == "user@example.com"
    assert event.subject == "form:700000001"


@pytest.mark.parametrize("record", [{}, {"callId": None}, [], "x", {"date": "04/03/2026"}])
def test_a_row_without_its_id_is_unreadable(offline: Any, record: Any) -> None:
    with pytest.raises(ValueError, match=r"callId|record"):
        told(offline, journal(record))


def test_a_request_whose_tags_changed_is_news_once(offline: Any) -> None:
    """A hook about a change is no second request; told again it is the same change, another change is another."""
    changed = {**REQUEST, "tags_manual": "целевой", "changedFields": ["tags_manual"]}
    submitted, news = told(offline, by_json(changed))
    assert (submitted.type, submitted.key) == ("form.submitted", only(offline, form(REQUEST)).key)
    assert (news.type, news.subject) == ("vendor.request_changed", submitted.subject)
    assert told(offline, by_json(changed))[1].key == news.key
    assert told(offline, by_json({**changed, "tags_manual": "спам"}))[1].key != news.key


def test_what_the_hub_has_registered_itself_is_no_news(offline: Any) -> None:
    echo = only(offline, form({**REQUEST, "requestNumber": "hub-381bfb49-f3a3"}))
    assert (echo.type, echo.key) == ("vendor.request_registered", only(offline, form(REQUEST)).key)
    polled = journal({**REQUEST_RECORD, "requestNumber": "hub-381bfb49-f3a3"}, "requests")
    assert only(offline, polled).type == "vendor.request_registered"
    imported = journal({**RECORD, "callReferenceId": "hub-381bfb49-f3a3", "manager": "Анна"})
    assert only(offline, imported).type == "vendor.call_imported"
    assert only(offline, journal({**RECORD, "callReferenceId": "pbx-5"})).type == "call.finished"


# --- source --------------------------------------------------------------------------------------------


def test_the_source_has_what_a_deal_must_carry(offline: Any) -> None:
    source = only(offline, form(CALL)).record["source"]
    assert source == {
        "channel": "phone",
        "utm_source": "ads",
        "utm_campaign": "spring",
        "session_id": "400000001",
        "client_id": "500000001",
        "extra": {"source": "google", "medium": "cpc", "ctClientId": "500000001"},
    }


def test_marks_and_click_ids_come_from_the_page_where_the_fields_have_none(offline: Any) -> None:
    source = only(offline, form(REQUEST)).record["source"]
    assert (source["utm_source"], source["utm_campaign"]) == ("vk", "may")
    assert (source["yclid"], source["gclid"]) == ("17", "G1")
    mixed = only(offline, form({**REQUEST, "utm_medium": "cpc"})).record["source"]
    assert {name for name in mixed if name.startswith("utm_")} == {"utm_medium"}  # never those of two visits


@pytest.mark.parametrize(
    "nothing", ["<не указано>", "<Не указано>", "<не заполнено>", "(not set)", "(none)", "offline", "", " ", "null"]
)
def test_placeholders_are_nothing(offline: Any, nothing: str) -> None:
    names = ("utm_source", "utm_campaign", "source", "medium", "manager", "sessionId", "ctClientId", "url")
    event = only(offline, form({**CALL, **dict.fromkeys(names, nothing)}))
    assert event.record["source"] == {"channel": "phone"}
    assert event.by == ""
    assert nothing.strip() == "" or nothing not in json.dumps(event.record, ensure_ascii=False)


def test_the_note_has_no_placeholders_either(offline: Any) -> None:
    event = only(offline, form({**CALL, "source": "<не указано>", "utm_source": "(not set)", "medium": "(none)"}))
    assert event.text == "+79000000001 -> +74950000001; 65 s; successful; spring"


# --- what isn't ticked, what isn't known ---------------------------------------------------------------


def test_needed_fields_that_are_not_ticked_are_named(offline: Any) -> None:
    missing = only(offline, form(without(CALL, "callId", "sessionId"))).record["call"]["not_ticked"]
    assert missing == ["callId", "sessionId"]
    assert "not_ticked" not in only(offline, form({**CALL, "sessionId": ""})).record["call"]  # ticked, empty
    assert "not_ticked" not in only(offline, form(STARTED)).record["call"]
    assert "not_ticked" not in only(offline, form(REQUEST)).record["form"]


@pytest.mark.parametrize(
    ("fields", "type"),
    [
        (without(CALL, "leadtype"), "call.finished"),
        (without(REQUEST, "leadtype"), "form.submitted"),
        ({"callerphone": "79000000001", "sessionId": "1"}, "vendor.hook"),
        ({"leadtype": "chat", "chatId": "9"}, "vendor.chat"),
        ({"leadtype": "видео звонок/1"}, "vendor.видео_звонок_1"),
    ],
)
def test_the_kind_without_leadtype_and_kinds_that_are_not_known(
    offline: Any, fields: dict[str, str], type: str
) -> None:
    assert only(offline, form(fields)).type == type


def test_the_address_may_say_the_kind(offline: Any) -> None:
    secret = SETTINGS["secret"]
    deal = {"orderId": "2442", "status": "Успех", "callerphone": "79000000001"}
    for request in (form(deal, tail=f"{secret}/deals"), form(deal, query=(("kind", "deal"),))):
        offline.verify(request)
        event = only(offline, request)
        assert (event.type, event.subject) == ("vendor.deal", "deal:2442")
        assert event.record["vendor"]["extra"] == deal
        assert event.record["contact"]["phone"] == "+79000000001"
    assert only(offline, form({"text": "x"}, tail=f"{secret}/chats")).type == "vendor.chat"


def test_a_hook_with_no_fields_says_what_to_do(offline: Any) -> None:
    with pytest.raises(ValueError, match="tick some"):
        told(offline, form({"callerphone": ""}))


def test_a_browser_at_the_address_is_told_that_it_is_right(offline: Any) -> None:
    reply = offline.handshake(hook(method="GET", query=()))
    assert reply is not None and reply.status == 200
    assert offline.handshake(hook(method="GET", tail="wrong")) is None
    assert offline.handshake(by_get(CALL)) is None
    assert offline.handshake(hook(method="POST")) is None


@pytest.mark.parametrize("make", [form, by_json, by_get])
def test_the_cabinets_test_of_a_hook_is_answered_and_not_kept(offline: Any, make: Any) -> None:
    test = {name: f"{{{name}}}" for name in CALL}
    reply = offline.handshake(make(test))
    assert reply is not None and (reply.status, reply.body) == (200, "ok")
    assert offline.handshake(make({**CALL, "callerphone": "{callerphone}"})) is not None
    assert offline.handshake(make(test, tail="wrong")) is None
    assert offline.handshake(make({**CALL, "subject": "{brackets}"})) is None
    assert "{" not in json.dumps(only(offline, make({**CALL, "manager": "{manager}"})).record["call"]["extra"])[1:-1]


def test_two_bodies_without_sense_are_two_receipts(offline: Any) -> None:
    keys = {offline.receipt_key(hook(body)) for body in (b"\xff=&", b"=&&", b"&&&", b"%00=")}
    assert len(keys) == 4


# --- genuine -------------------------------------------------------------------------------------------


def test_the_secret_stands_in_the_path_or_the_query(offline: Any) -> None:
    secret = SETTINGS["secret"]
    for request in (
        form(CALL),
        form(CALL, tail=f"{secret}/"),
        form(CALL, tail="", query=(("secret", secret),)),
        form(CALL, tail="", query=(("Secret", secret),)),
    ):
        offline.verify(request)
    for request in (form(CALL, tail=""), form(CALL, tail=f"x/{secret}"), form({**CALL, "secret": secret}, tail="")):
        with pytest.raises(Rejected) as caught:
            offline.verify(request)
        assert caught.value.status == 401


def test_an_older_secret_is_let_in_while_hooks_are_changed() -> None:
    made = connector(secrets=["an-older-secret"])
    made.verify(form(CALL, tail="an-older-secret"))
    with pytest.raises(Rejected):
        made.verify(form(CALL, tail="an-even-older-secret"))


@pytest.mark.parametrize(
    ("remote", "forwarded", "status"),
    [
        ("92.118.66.1", "", 0),
        ("92.118.67.254", "", 0),
        ("::ffff:92.118.66.1", "", 0),
        ("92.118.68.1", "", 403),
        ("", "", 403),
        ("nonsense", "", 403),
        ("92.118.68.1", "92.118.66.1", 403),  # not our proxy: its header is anybody's word
        ("127.0.0.1", "92.118.66.1", 0),
        ("127.0.0.1", "8.8.8.8, 92.118.66.1", 0),
        ("127.0.0.1", "92.118.66.1, 8.8.8.8", 403),  # the last one is what the proxy saw
        ("127.0.0.1", "92.118.66.1, 127.0.0.1", 0),  # two proxies in a row
        ("127.0.0.1", "", 403),
    ],
)
def test_the_list_of_addresses(remote: str, forwarded: str, status: int) -> None:
    made = connector(addresses=["92.118.66.0/23"], proxies=["127.0.0.1"])
    request = form(CALL, remote=remote)
    request = replace(request, headers={**request.headers, **({"x-forwarded-for": forwarded} if forwarded else {})})
    if not status:
        made.verify(request)
        return
    with pytest.raises(Rejected, match="addresses") as caught:
        made.verify(request)
    assert caught.value.status == status


def test_the_same_receipt_says_the_same_for_ever(offline: Any) -> None:
    request = form({**CALL, "changedFields": "tags_manual", "manager": "Анна"})
    assert told(offline, request) == told(connector(), replace(request)) == told(offline, replace(request, at=NOW))
