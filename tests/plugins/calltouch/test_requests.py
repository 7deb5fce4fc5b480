"""What hooks and the journal tell of a request."""

from __future__ import annotations

from typing import Any

import pytest

from tests.plugins.calltouch.conftest import told
from tests.plugins.calltouch.messages import RECORD, REQUEST, REQUEST_RECORD, by_json, form, journal, only, without

# --- requests ------------------------------------------------------------------------------------------


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
