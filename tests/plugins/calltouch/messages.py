"""A call and a request as hooks and the journal tell of them, and the forms in which a hook comes."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any
from urllib.parse import urlencode

from hub.model import Event, Request
from plugins.calltouch.reading import POLL
from tests.plugins.calltouch.conftest import hook, told

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
