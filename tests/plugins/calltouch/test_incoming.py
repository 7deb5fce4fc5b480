"""Hooks in every form and who may send them; the source; what isn't ticked; what isn't known."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from hub.errors import Rejected
from tests.plugins.calltouch.conftest import NOW, SETTINGS, connector, hook, told
from tests.plugins.calltouch.messages import CALL, REQUEST, STARTED, by_get, by_json, form, only, without

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
