"""What happens in the cabinet: calls and requests as the journals keep them, and as hooks tell them.

A hook is set up as in the cabinet: method, moments, and the fields that were ticked. What has no value is sent as the
vendor sends it, empty or as `<не указано>`. Hooks are sent once; what was answered stands in the state (`sent`).
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import requests

from plugins.calltouch.codes import NAMES

if TYPE_CHECKING:
    from plugins.calltouch.sandbox import CalltouchSandbox

MOMENTS = ("request", "start", "end")
_EMPTY = "<не указано>"
#: the word of the start is known; the one of the end isn't, this stands for whatever it may be
STARTED, ENDED = "callconnected", "calldone"
_UTM = ("utm_source", "utm_medium", "utm_campaign", "utm_content", "utm_term")


def hook(wanted: Mapping[str, Any]) -> dict[str, Any]:
    """Return a hook as it is kept."""
    return {
        "url": str(wanted["url"]),
        "method": str(wanted.get("method", "POST")).upper(),
        "format": str(wanted.get("format", "form")),
        "fields": list(wanted.get("fields") or []),
        "moments": list(wanted.get("moments") or MOMENTS),
    }


def send(sandbox: CalltouchSandbox, message: dict[str, Any], moment: str) -> None:
    """Tell every hook of this moment, with the fields it wants."""
    message["sendingTimestamp"] = int(sandbox.clock().timestamp())
    for one in list(sandbox.data["hooks"]):
        if moment not in one["moments"]:
            continue
        wanted = {name.lower() for name in one["fields"]}
        told = {name: value for name, value in message.items() if not wanted or name.lower() in wanted}
        if one["method"] == "GET":
            carried: dict[str, Any] = {"params": {name: _text(value) for name, value in told.items()}}
        elif one["format"] == "json":
            carried = {"json": told}
        else:
            carried = {"data": {name: _text(value) for name, value in told.items()}}
        try:
            answer = requests.request(one["method"], one["url"], timeout=5, allow_redirects=False, **carried)
            status: int | str = answer.status_code
        except requests.RequestException as error:
            status = type(error).__name__
        with sandbox.lock:
            sandbox.data["sent"].append({"moment": moment, "fields": told, "status": status})


def _text(value: Any) -> str:
    """Return a value as forms carry it: nothing for none, `true` and `false` for switches."""
    return "" if value is None else str(value).lower() if isinstance(value, bool) else str(value)


# --- records of the journals --------------------------------------------------------------------------


def call_record(
    sandbox: CalltouchSandbox, phone: str, *, duration: int = 65, waiting: int = 7, manager: str | None = None,
    line: str = "74950000001", at: str = "", page: str = "https://shop.example.com/", session: int | None = None,
    source: str = "google", medium: str = "cpc", tags: list[str] | None = None, **utm: str,
) -> dict[str, Any]:  # fmt: skip
    """Return a call as the journal has it. `at`: ISO instant; duration 0 is a missed call."""
    began = dt.datetime.fromisoformat(at) if at else sandbox.clock()
    return {
        "callId": sandbox.number("call"),
        "callphase": ENDED,
        "date": f"{began.astimezone(sandbox.zone):%d/%m/%Y %H:%M:%S}",
        "timestamp": int(began.timestamp()),
        "duration": duration,
        "waitingConnect": waiting,
        "callerNumber": phone,
        "phoneNumber": line,
        "redirectNumber": "74950000002",
        "manager": manager,
        "successful": duration > 0,
        "uniqueCall": True,
        "targetCall": duration >= 30,
        "uniqTargetCall": duration >= 30,
        "callbackCall": False,
        "city": "Москва",
        "source": source,
        "medium": medium,
        "url": page,
        "callUrl": page,
        "ref": "",
        "hostname": "shop.example.com",
        **_marks(utm),
        "sessionId": session or sandbox.number("session"),
        "ctClientId": 500_000_001,
        "ctGlobalId": None,
        "yaClientId": None,
        "clientId": None,
        "siteId": _site(),
        "callTags": [{"category": "", "type": "MANUAL", "names": tags}] if tags else [],
    }


def request_record(
    sandbox: CalltouchSandbox, phone: str, *, name: str = "", email: str = "", subject: str = "Форма на сайте",
    number: str = "", comment: str = "", page: str = "https://shop.example.com/contacts", at: str = "",
    session: Any = None, source: str = "google", medium: str = "organic", tags: str = "", **utm: str,
) -> dict[str, Any]:  # fmt: skip
    """Return a request as the journal has it."""
    made = dt.datetime.fromisoformat(at) if at else sandbox.clock()
    visit = int(session) if str(session or "").isdigit() else sandbox.number("session")
    return {
        "date": int(made.timestamp()) * 1000,
        "dateStr": f"{made.astimezone(sandbox.zone):%d/%m/%Y %H:%M:%S}",
        "requestId": sandbox.number("request"),
        "requestNumber": number,
        "subject": subject,
        "requestUrl": page,
        "manager": None,
        "uniqueRequest": True,
        "targetRequest": True,
        "uniqTargetRequest": True,
        "client": {
            "clientId": 1,
            "fio": name,
            "phones": [{"phoneNumber": phone, "phoneType": "MOBILE"}],
            "contacts": [{"contactType": "EMAIL", "contactValue": email}] if email else [],
        },
        "session": {"sessionId": visit, "source": source, "medium": medium, "url": page, "ref": "", **_marks(utm)},
        "orders": [],
        "RequestTags": [{"category": "", "type": "API", "names": tags.split(",")}] if tags else [],
        "comments": [{"commentId": 1, "comment": comment}] if comment else [],
        "ctClientId": 500_000_002,
    }


def _marks(utm: Mapping[str, str]) -> dict[str, str]:
    if odd := set(utm) - set(_UTM):
        raise ValueError(f"unknown: {', '.join(sorted(odd))}")
    return {"utm" + name[4:].title(): utm.get(name, _EMPTY) for name in _UTM}


def _site() -> int:
    from plugins.calltouch.sandbox import SITE

    return int(SITE)


# --- the same, as hooks tell it -----------------------------------------------------------------------

_JOURNAL_NAME = {names[0]: names[1] for names in NAMES.values() if len(names) > 1}


def call_message(record: Mapping[str, Any], started: bool) -> dict[str, Any]:
    """Return a call in the hook's names: what isn't known yet when it starts isn't told."""
    ours = (
        "callId", "callerphone", "phonenumber", "redirectNumber", "timestamp", "source", "medium", *_UTM, "url",
        "sessionId", "ctClientId", "ctGlobalId", "yaClientId", "city", "siteId",
    )  # fmt: skip
    later = () if started else ("duration", "waiting_time", "manager")
    told = {name: record.get(name, record.get(_JOURNAL_NAME.get(name, ""))) for name in (*ours, *later)}
    date = dt.datetime.strptime(record["date"], "%d/%m/%Y %H:%M:%S")  # noqa: DTZ007 (it stays on the wall)
    told |= {"leadtype": "call", "callphase": STARTED if started else ENDED, "calltime": f"{date:%Y-%m-%d %H:%M:%S}"}
    if not started:
        told["status"] = "successful" if record["successful"] else "unsuccessful"
        flags = {"unique": "uniqueCall", "targetcall": "targetCall", "uniqtargetcall": "uniqTargetCall"}
        told |= {name: record[member] for name, member in {**flags, "callback": "callbackCall"}.items()}
    return told


def request_message(record: Mapping[str, Any]) -> dict[str, Any]:
    """Return a request in the hook's names."""
    session = record["session"]
    date = dt.datetime.strptime(record["dateStr"], "%d/%m/%Y %H:%M:%S")  # noqa: DTZ007
    return {
        "leadtype": "request",
        "requestId": record["requestId"],
        "requestNumber": record["requestNumber"],
        "requestDate": f"{date:%Y-%m-%d %H:%M:%S}",
        "timestamp": record["date"] // 1000,
        "callerphone": record["client"]["phones"][0]["phoneNumber"],
        "fio": record["client"]["fio"],
        "subject": record["subject"],
        "source": session["source"],
        "medium": session["medium"],
        **{name: session["utm" + name[4:].title()] for name in _UTM},
        "url": session["url"],
        "sessionId": session["sessionId"],
        "ctClientId": record["ctClientId"],
        "siteId": _site(),
        "manager": record["manager"],
    }
