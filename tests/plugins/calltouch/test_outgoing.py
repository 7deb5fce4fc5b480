"""From a route's values to the vendor's bodies, compared with the vendor's own examples."""

from __future__ import annotations

import datetime as dt
import json
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl
from zoneinfo import ZoneInfo

import pytest

from hub.errors import Refused
from plugins.calltouch import dates, matching, outgoing, results
from plugins.calltouch.outgoing import Writer
from tests.plugins.calltouch.conftest import NOW

SAMPLES = Path(__file__).parent / "samples"
MOSCOW = ZoneInfo("Europe/Moscow")
WRITER = Writer(MOSCOW, "RU", NOW)
PRESENT = "04-03-2026 13:20:30"


def sample(name: str) -> Any:
    return json.loads((SAMPLES / f"{name}.json").read_text("utf-8"))


# --- the vendor's examples -------------------------------------------------------------------------------


def test_a_deal_as_the_vendors_page_makes_it() -> None:
    [wanted] = sample("lead-service.client-order-create.request")["orders"]
    values = {
        **{name: wanted[name] for name in wanted if name not in ("comment", "addTags")},
        "revenue": "100 000,50 ₽",
        "currency": "RUB",
        "comment": wanted["comment"]["text"],
        "tags": ["Тег 1"],
        "orderDate": "2023-09-25T20:35:16+00:00",
        "statusDate": "2023-09-25T23:35:16+03:00",
    }
    assert WRITER.deal(values, new=True) == wanted


def test_an_update_as_the_vendors_page_makes_it() -> None:
    [wanted] = sample("lead-service.client-order-update.request")["orders"]
    values = {
        **{name: wanted[name] for name in ("orderNumber", "funnel", "status", "currency", "revenue", "margin")},
        **{name: wanted[name] for name in ("manager", "orderLink", "orderName")},
        "leadManager": "Тест Тестов",
        "statusDate": "1695674116",
        "updateDate": "1695674176000",
        "comment": "Комментарий к сделке",
        "tags": "Тег 1, Тег 2",
        "lead_tags": [{"tag": "Тег 1"}],
        "fields": {"grossprofit": "456.50", "name": 123},
        "lead_fields": {"test_field": "test value"},
        "products": wanted["products"],
        "contacts": wanted["orderContacts"],
    }  # fmt: skip
    assert WRITER.deal(values, new=False) == wanted


def test_a_request_as_the_vendors_client_makes_it() -> None:
    [wanted] = sample("lead-service.request-create.request")["requests"]
    values = {
        "subject": wanted["subject"],
        "page": wanted["requestUrl"],
        "date": "2023-09-25 23:35:16",
        "phone": "8 (900) 000-00-01",
        "email": "user@example.com",
        "name": wanted["fio"],
        "comment": "Тестовая заявка",
        "tags": ["Тест"],
        "utm_source": "partner",
        "utm_medium": "agent",
    }
    assert WRITER.request(values, "form-42") == wanted


def test_a_form_as_a_site_sends_it() -> None:
    values = {
        "name": "Тест Тестов",
        "phone": "+79000000001",
        "email": "user@example.com",
        "subject": "Форма на сайте",
        "page": "https://shop.example.com/contacts",
        "session": "400000001",
        "comment": "Комментарий",
    }
    text = (SAMPLES / "requests-register.request.txt").read_text("utf-8").split("\n\n", 1)[1].strip()
    assert WRITER.form(values, "form-42") == dict(parse_qsl(text))


def test_a_call_as_the_vendors_client_makes_it() -> None:
    [wanted] = sample("lead-service.call-import.request")["calls"]
    values = {
        "phone": "+7 900 000 00 01",
        "line": "8 (495) 000-00-01",
        "at": "2023-09-25T20:35:16Z",
        "duration": 65,
        "waiting": "7",
        "status": "successful",
        "recording": "https://pbx.example.com/rec/1.mp3",
        "comment": "x",
        "tags": ["Avito"],
        "utm_source": "avito.ru",
        "utm_medium": "call",
        "utm_campaign": "c",
    }
    assert WRITER.call(values, "ext-1") == wanted


# --- deals --------------------------------------------------------------------------------------------------


def test_a_deal_without_dates_has_those_of_the_event() -> None:
    happened = dt.datetime(2026, 3, 4, 9, 0, tzinfo=dt.UTC)
    new = WRITER.deal({"orderNumber": "1", "status": "Новая"}, True, happened)
    assert (new["orderDate"], new["statusDate"], "updateDate" in new) == (
        "04-03-2026 12:00:00",
        "04-03-2026 12:00:00",
        False,
    )
    later = WRITER.deal({"orderNumber": "1"}, False, None)
    assert (later["updateDate"], "orderDate" in later, "statusDate" in later) == (PRESENT, False, False)


def test_the_languages_word_for_a_stage_is_understood() -> None:
    assert WRITER.deal({"orderNumber": "1", "stage": "Успех"}, True)["status"] == "Успех"
    assert WRITER.deal({"orderNumber": "1", "stage": "142", "status": "Успех"}, True)["status"] == "Успех"


def test_people_of_a_deal_go_along_only_where_the_route_says_so() -> None:
    values = {"orderNumber": "1", "phone": "+79000000001", "email": "a@example.com", "name": "Тест"}
    assert "orderContacts" not in WRITER.deal(values, True)
    body = WRITER.deal({**values, "contacts": {"name": "Тест", "phone": "8 900 000-00-01", "tgId": "5"}}, True)
    assert body["orderContacts"] == {"mainContacts": {"fio": "Тест", "phoneNumber": "79000000001", "tgId": "5"}}


def test_matching_without_words_of_the_route() -> None:
    values = {"orderNumber": "1", "call": "300000001", "request": "", "phone": "+79000000001", "email": "a@example.com"}
    kinds = [one["type"] for one in WRITER.deal(values, True)["matching"]]
    assert kinds == ["call", "leadContact", "withoutSource"]
    assert WRITER.deal({"orderNumber": "1"}, True)["matching"] == [{"type": "withoutSource"}]
    assert "matching" not in WRITER.deal(values, False)
    again = WRITER.deal({"orderNumber": "1", "reMatching": [{"call": "5"}]}, False)
    assert again["reMatching"] == [{"type": "call", "callParams": {"callId": 5}}]
    with pytest.raises(Refused, match="nothing to match"):
        WRITER.deal({"orderNumber": "1", "without_source": "no"}, True)


@pytest.mark.parametrize(
    ("values", "field"),
    [
        ({}, "orderNumber"),
        ({"orderNumber": " "}, "orderNumber"),
        ({"orderNumber": "1", "revenue": "a lot"}, "revenue"),
        ({"orderNumber": "1", "revenue": "1e999999"}, "revenue"),
        ({"orderNumber": "1", "margin": "NaN"}, "margin"),
        ({"orderNumber": "1", "orderDate": "soon"}, "orderDate"),
        ({"orderNumber": "1", "statusDate": "31-02-2026 10:00:00"}, "statusDate"),
        ({"orderNumber": "1", "products": [{"name": "x", "price": "?"}]}, "products.price"),
        ({"orderNumber": "1", "matching": [{"cal": "5"}]}, "matching"),
    ],
)
def test_what_is_wrong_with_a_deal_is_named(values: dict[str, Any], field: str) -> None:
    with pytest.raises(Refused) as caught:
        WRITER.deal(values, True)
    assert list(caught.value.fields) == [field]


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        ("1500", "1500"), ("1500.50", "1500.50"), ("1 500,5", "1500.5"), ("100\u00a0000,50 ₽", "100000.50"),
        ("1500.00|RUB", "1500.00"), (1500, "1500"), (0, "0"), ("-20.5", "-20.5"), ("1500 руб", "1500"),
    ],
)  # fmt: skip
def test_money(given: Any, wanted: str) -> None:
    assert outgoing.money(given, "revenue") == wanted


def test_what_is_too_long_is_cut_or_told() -> None:
    body = WRITER.deal({"orderNumber": "1", "comment": "x" * 300}, True)
    assert len(body["comment"]["text"]) == 255 and body["comment"]["text"].endswith("…")
    form = WRITER.form({"phone": "+79000000001", "subject": "s" * 300}, "1")
    assert len(form["subject"]) == 256
    with pytest.raises(Refused, match="requestNumber may have 256"):
        WRITER.form({"phone": "+79000000001"}, "n" * 257)
    with pytest.raises(Refused, match="referenceId may have 100"):
        WRITER.call({"phone": "1", "at": NOW}, "n" * 101)
    source = outgoing.custom_sources({"utm_source": "s" * 200, "utm_term": ""})
    assert source == {"source": "s" * 126}


@pytest.mark.parametrize("session", ["", "0", None, "abc", " ", "<не указано>"])
def test_an_empty_visit_is_not_sent(session: Any) -> None:
    assert "sessionId" not in WRITER.form({"phone": "+79000000001", "session": session}, "1")


def test_a_request_needs_somebody() -> None:
    with pytest.raises(Refused, match="a phone, a name or an e-mail"):
        WRITER.form({"subject": "x"}, "1")


@pytest.mark.parametrize("rows", [None, [], "x", [1], {"a": 1}, [{}] * 101], ids=lambda rows: str(rows)[:20])
def test_a_batch_is_a_list_of_up_to_a_hundred(rows: Any) -> None:
    with pytest.raises(Refused, match="deals"):
        outgoing.rows_of({"deals": rows}, "deals")
    assert len(outgoing.rows_of({"deals": [{}] * 100}, "deals")) == 100


# --- matching -----------------------------------------------------------------------------------------------


def test_the_recipes_short_words() -> None:
    found = matching.of(
        [{"call": "300000001"}, {"request": "700000001"}, {"leadContact": "+7 900 000-00-01"}, "withoutSource"],
        PRESENT, "RU",
    )  # fmt: skip
    assert found == [
        {"type": "call", "callParams": {"callId": 300000001}},
        {"type": "request", "requestParams": {"requestId": 700000001}},
        {
            "type": "leadContact",
            "leadContactParams": {
                "date": PRESENT,
                "leadTypeToMatch": "nearest",
                "searchDepth": 262800,
                "phones": ["79000000001"],
            },
        },
        {"type": "withoutSource"},
    ]


@pytest.mark.parametrize(
    "nothing",
    [
        None, "", {}, {"call": ""}, {"call": None}, {"call": "abc"}, {"request": "-5"}, {"leadContact": "no phone"},
        {"leadContact": []}, {"callContact": "a@example.com"}, {"customSources": {"medium": "x"}},
        {"withoutSource": "no"},
    ],
)  # fmt: skip
def test_what_is_empty_drops_out(nothing: Any) -> None:
    assert matching.of([nothing, {"call": 5}], PRESENT, "RU") == [{"type": "call", "callParams": {"callId": 5}}]


def test_contacts_of_every_kind() -> None:
    people = {"phone": ["+79000000001", "8 900 000 00 01"], "email": "A@Example.com"}
    asked = {"leadContact": {**people, "searchDepth": 120, "tags": ["a"], "tagsLogic": "or"}}
    [one] = matching.of(asked, PRESENT, "RU")
    params = one["leadContactParams"]
    assert (params["phones"], params["emails"]) == (["79000000001"], ["a@example.com"])
    assert (params["searchDepth"], params["tags"], params["tagsLogic"]) == (120, ["a"], "or")
    [chat] = matching.of({"chatContact": {"tgIds": ["5"]}}, PRESENT, "RU")
    assert chat["chatContactParams"]["chatTypeToMatch"] == "nearest"
    [tagged] = matching.of({"call": {"callId": "5", "tags": ["x"]}}, PRESENT, "RU")
    assert tagged["callParams"] == {"callId": 5, "tags": ["x"]}


def test_the_vendors_own_words_pass_and_unknown_ones_do_not() -> None:
    [order] = sample("lead-service.client-order-create.request")["orders"]
    assert matching.of(order["matching"], PRESENT, "RU") == order["matching"]
    assert matching.of([{"type": "call", "callParams": {"callId": "5"}}] * 2, PRESENT, "RU") == [
        {"type": "call", "callParams": {"callId": 5}}
    ]
    for wrong in ({"cal": "5"}, {"type": "cal"}, {"call": "1", "request": "2"}, "without", 5, {"customSources": "x"}):
        with pytest.raises(Refused, match="matching"):
            matching.of([wrong], PRESENT, "RU")


# --- what became of each item -------------------------------------------------------------------------------


def test_each_item_of_a_batch_has_its_own_verdict() -> None:
    data = sample("lead-service.request-create.response")["data"]
    done = results.done(data, ["form-42", "form-43"], "requests")
    assert (done.result["taken"], done.result["refused"]) == (1, ["form-43"])
    assert [row["taken"] for row in done.result["rows"]] == [True, False]
    with pytest.raises(Refused, match="request form-43"):
        results.only({"requests": [{"requestNumber": "form-43", "imported": False}]}, "form-43", "request")


@pytest.mark.parametrize(
    ("data", "taken"),
    [
        ({}, [True, True]),
        ({"orders": []}, [True, True]),
        ({"count": 2}, [True, True]),
        ({"orders": [{"orderNumber": "b", "updated": False}, {"orderNumber": "a", "updated": True}]}, [True, False]),
        ({"orders": [{"updated": True}, {"updated": False}]}, [True, False]),
        ({"orders": [{"id": 9, "error": "no"}, {"id": 8}]}, [False, True]),  # names of its own: by place
        ({"orders": [{"orderNumber": "a"}]}, [True, False]),  # speaks of the other alone
        ({"orders": [{"orderNumber": "a", "message": "ok", "success": True}]}, [True, False]),
    ],
)
def test_answers_whose_shape_is_not_published(data: dict[str, Any], taken: list[bool]) -> None:
    assert [item.taken for item in results.items(data, ["a", "b"])] == taken


def test_a_batch_of_which_nothing_was_taken_is_refused() -> None:
    rows = [{"orderNumber": "a", "created": False, "message": "why"}, {"orderNumber": "b", "created": False}]
    with pytest.raises(Refused, match="a: why; b: not taken"):
        results.done({"orders": rows}, ["a", "b"], "deals")


# --- times ---------------------------------------------------------------------------------------------------


def test_both_orders_of_a_day() -> None:
    day = dt.date(2026, 3, 4)
    assert (dates.for_calls(day), dates.for_requests(day)) == ("04/03/2026", "03/04/2026")


@pytest.mark.parametrize(
    ("value", "wanted"),
    [
        ("2026-03-04 13:20:30", PRESENT),
        ("2026-03-04T10:20:30+00:00", PRESENT),
        ("2026-03-04T10:20:30Z", PRESENT),
        ("2026-03-04T13:20:30", PRESENT),
        ("04-03-2026 13:20:30", PRESENT),
        ("04/03/2026 13:20:30", PRESENT),
        ("04.03.2026 13:20:30", PRESENT),
        ("1772619630", PRESENT),
        (1772619630, PRESENT),
        ("1772619630000", PRESENT),
        (NOW, PRESENT),
        ("2026-03-04", "04-03-2026 00:00:00"),
        ("04.03.2026", "04-03-2026 00:00:00"),
        ("2026-03-04 13:20", "04-03-2026 13:20:00"),
    ],
)
def test_a_route_may_write_a_time_in_any_way(value: Any, wanted: str) -> None:
    assert WRITER.time(value, "orderDate") == wanted


@pytest.mark.parametrize(
    "value", ["", None, "tomorrow", "99999999999999999999", "0001-01-01", "2026-13-45", True, [], "٢٠٢٦"]
)
def test_what_is_no_time(value: Any) -> None:
    assert dates.epoch(value) is None
    assert dates.wall(value) is None
    with pytest.raises(Refused, match="no date"):
        WRITER.time(value, "orderDate")
