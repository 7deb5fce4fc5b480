"""Events: who listens, how they are sent, the offline queue, event.* methods."""

from __future__ import annotations

import queue
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import count
from typing import Any

import requests

from plugins.bitrix24.sandbox_params import form
from plugins.bitrix24.sandbox_query import matcher, split_prefix
from plugins.bitrix24.sandbox_values import iso
from plugins.bitrix24.sandbox_words import PAGE, Call, RestError, as_id, as_list, is_yes, method, words

_CHANGES = ("ADD", "UPDATE", "DELETE")
_CHANGED = words(
    "LEAD DEAL CONTACT COMPANY ACTIVITY TIMELINECOMMENT QUOTE INVOICE CURRENCY PRODUCT PRODUCTPROPERTY PRODUCTSECTION"
    " REQUISITE BANKDETAIL MEASURE DEALRECURRING INVOICERECURRING DYNAMICITEM TYPE DOCUMENTGENERATORDOCUMENT"
)
_WITH_FIELDS = words("LEAD DEAL CONTACT COMPANY QUOTE INVOICE REQUISITE")
#: names the portal offers to an application
EVENTS = [
    *words("ONAPPUNINSTALL ONAPPINSTALL ONAPPUPDATE ONAPPPAYMENT ONAPPTEST ONAPPMETHODCONFIRM ONOFFLINEEVENT"),
    *words("ONUSERADD ONTASKADD ONTASKUPDATE ONTASKDELETE ONTASKCOMMENTADD ONTASKCOMMENTUPDATE ONTASKCOMMENTDELETE"),
    *(f"ONCRM{entity}{change}" for entity in _CHANGED for change in _CHANGES),
    *(f"ONCRM{entity}USERFIELD{change}" for entity in _WITH_FIELDS for change in (*_CHANGES, "SETENUMVALUES")),
    *words("ONCRMDEALMOVETOCATEGORY ONCRMDEALRECURRINGEXPOSE ONCRMINVOICERECURRINGEXPOSE ONCRMINVOICESETSTATUS"),
    *words("ONCRMADDRESSREGISTER ONCRMADDRESSUNREGISTER"),
    *words("ONIMCONNECTORMESSAGEADD ONIMCONNECTORMESSAGEUPDATE ONIMCONNECTORMESSAGEDELETE ONIMCONNECTORDIALOGSTART"),
    *words("ONIMCONNECTORDIALOGFINISH ONIMCONNECTORSTATUSDELETE ONIMCONNECTORLINEDELETE"),
    *words("ONSESSIONSTART ONSESSIONFINISH ONOPENLINEMESSAGEADD ONOPENLINEMESSAGEUPDATE ONOPENLINEMESSAGEDELETE"),
    *words("ONEXTERNALCALLSTART ONEXTERNALCALLBACKSTART"),
    *words("ONVOXIMPLANTCALLINIT ONVOXIMPLANTCALLSTART ONVOXIMPLANTCALLEND"),
]
#: events that go to applications only, never to an outgoing webhook made in the UI
_APP_ONLY = ("ONIMCONNECTOR", "ONSESSION", "ONOPENLINEMESSAGE", "ONCRMDEALMOVETOCATEGORY", "ONAPP", "ONOFFLINE")


@dataclass
class Handler:
    """Who is told: an outgoing webhook of the UI, or a bind of the application (`offline` has no url)."""

    number: int
    url: str
    events: set[str]
    application_token: str
    is_app: bool = False
    auth_type: int = 0
    offline: bool = False
    auth_connector: str = ""
    options: dict[str, Any] = field(default_factory=dict)

    def hears(self, event: str) -> bool:
        """Tell whether an event goes to this handler; an outgoing webhook without a list hears all it may."""
        if not self.is_app and event.startswith(_APP_ONLY):
            return False
        return event in self.events or not self.events


Fault = Callable[[str], str]
AuthOf = Callable[[Handler, int], dict[str, Any]]


class Events:
    """The event queue. Each event goes out once: a failure is counted and never repeated."""

    def __init__(self, fault: Fault, auth_of: AuthOf, clock: Callable[[], Any], workers: int = 1) -> None:
        self._fault, self._auth_of, self._clock = fault, auth_of, clock
        self._workers = workers
        self._threads: list[threading.Thread] = []
        self._queue: queue.Queue[tuple[Handler, dict[str, Any], list[dict[str, Any]]] | None] = queue.Queue()
        self._numbers = count(55)
        self.handlers: list[Handler] = []
        self.offline = Offline(clock)
        self.log: deque[dict[str, Any]] = deque(maxlen=20_000)
        self.counters = {"sent": 0, "failed": 0, "dropped": 0, "unheard": 0, "duplicated": 0}
        self._counting = threading.Lock()

    def listen(self, url: str, events: list[str], application_token: str, **more: Any) -> Handler:
        """Add a handler."""
        names = {each.upper() for each in events}
        handler = Handler(next(self._numbers), url, names, application_token, **more)
        self.handlers.append(handler)
        return handler

    def publish(
        self, event: str, data: Any, object_id: Any, user_id: int = 1, auth_connector: str | None = None
    ) -> None:
        """Queue an event for everyone who listens."""
        heard = [handler for handler in self.handlers if handler.hears(event)]
        online = [handler for handler in heard if not handler.offline]
        for handler in heard:
            if handler.offline and not (auth_connector and handler.auth_connector == auth_connector):
                self._keep_offline(event, data, object_id, user_id)
        if not online:
            self._note(event, object_id, None, "unheard")
        for handler in online:
            self._enqueue(handler, event, data, object_id, user_id)

    def install(self, url: str, data: dict[str, Any], auth: dict[str, Any]) -> None:
        """Send ONAPPINSTALL to the application's installation path; it names no handler."""
        handler = Handler(0, url, {"ONAPPINSTALL"}, "", is_app=True)
        body = {"event": "ONAPPINSTALL", "data": data, "ts": 0, "auth": auth}
        self._queue.put((handler, body, [self._note("ONAPPINSTALL", None, handler, "queued")]))
        self._start()

    def _keep_offline(self, event: str, data: Any, object_id: Any, user_id: int) -> None:
        self.offline.put(event, data, object_id)
        for handler in self.handlers:
            if "ONOFFLINEEVENT" in handler.events and not handler.offline:
                self._enqueue(handler, "ONOFFLINEEVENT", {}, None, user_id)

    def _enqueue(self, handler: Handler, event: str, data: Any, object_id: Any, user_id: int) -> None:
        fault = self._fault(event)
        if fault == "drop_event":
            self._note(event, object_id, handler, "dropped")
            return
        notes = [self._note(event, object_id, handler, "queued")]
        if fault == "duplicate_event":
            notes.append(self._note(event, object_id, handler, "queued"))
            self._count("duplicated")
        body = {
            "event": event,
            "event_handler_id": handler.number,
            "data": data,
            "ts": 0,
            "auth": self._auth_of(handler, user_id),
        }
        self._queue.put((handler, body, notes))
        self._start()

    def _note(self, event: str, object_id: Any, handler: Handler | None, status: str) -> dict[str, Any]:
        note = {"event": event, "id": object_id, "handler": handler.number if handler else None, "status": status}
        self.log.append(note)
        if status in self.counters:
            self._count(status)
        return note

    def _count(self, status: str) -> None:
        with self._counting:
            self.counters[status] += 1

    def _start(self) -> None:
        if not self._threads:
            self._threads = [
                threading.Thread(target=self._work, name=f"portal-events-{number}", daemon=True)
                for number in range(self._workers)
            ]
            for thread in self._threads:
                thread.start()

    def _work(self) -> None:
        with requests.Session() as session:
            session.trust_env = False
            while job := self._queue.get():
                handler, body, notes = job
                for note in notes:
                    self._send(session, handler, body, note)
                self._queue.task_done()

    def _send(self, session: requests.Session, handler: Handler, body: dict[str, Any], note: dict[str, Any]) -> None:
        """POST one event; `ts` is the moment of sending, not of the change."""
        text = form(body | {"ts": int(self._clock().timestamp())})
        headers = {"Content-Type": "application/x-www-form-urlencoded", "User-Agent": "Bitrix24 Webhook Engine"}
        try:
            answer = session.post(handler.url, data=text, headers=headers, timeout=10, allow_redirects=False)
            note |= {"status": "sent" if answer.ok else "failed", "http": answer.status_code}
        except requests.RequestException as error:
            note |= {"status": "failed", "http": None, "error": type(error).__name__}
        self._count(note["status"])

    def close(self) -> None:
        """Let the sending threads end after what is already queued."""
        for _ in self._threads:
            self._queue.put(None)

    def wait(self, seconds: float = 5.0) -> bool:
        """Wait until the queue is empty; tell whether it is."""
        deadline = time.monotonic() + seconds
        while self._queue.unfinished_tasks and time.monotonic() < deadline:
            time.sleep(0.005)
        return not self._queue.unfinished_tasks


class Offline:
    """The pull queue: one row per object and event, the last change only."""

    def __init__(self, clock: Callable[[], Any]) -> None:
        self._clock = clock
        self._numbers = count(1)
        self.rows: dict[tuple[str, Any], dict[str, Any]] = {}
        self.reserved: dict[str, list[dict[str, Any]]] = {}
        self.failed: dict[tuple[str, Any], dict[str, Any]] = {}

    def put(self, event: str, data: Any, object_id: Any) -> None:
        """Keep an event; an earlier row about the same object is replaced."""
        self.rows.pop((event, object_id), None)
        number = str(next(self._numbers))
        self.rows[(event, object_id)] = {
            "ID": number,
            "TIMESTAMP_X": iso(self._clock()),
            "EVENT_NAME": event,
            "EVENT_DATA": data or False,
            "EVENT_ADDITIONAL": False,
            "MESSAGE_ID": f"fake_message_{number}",
        }

    def find(self, conditions: dict[str, Any], limit: int, failed: bool = False) -> list[dict[str, Any]]:
        """Return waiting (or failed) rows by filter, oldest first."""
        rows = list((self.failed if failed else self.rows).values())
        for key, wanted in conditions.items():
            operation, name = split_prefix(key)
            check = matcher("id" if name == "ID" else "string", operation, wanted)
            rows = [row for row in rows if name not in row or check([row[name]])]
        return rows[:limit]

    def take(self, rows: list[dict[str, Any]]) -> None:
        """Take rows out of the waiting queue."""
        taken = {row["ID"] for row in rows}
        self.rows = {key: row for key, row in self.rows.items() if row["ID"] not in taken}
        self.failed = {key: row for key, row in self.failed.items() if row["ID"] not in taken}


# --- event.* ----------------------------------------------------------------------------------


@method("events", scope="", app_only=True)
def event_names(call: Call) -> Any:
    """List the events an application may bind."""
    return list(EVENTS)


@method("event.bind", scope="", app_only=True)
def bind(call: Call) -> Any:
    """Bind a handler; the same one twice is an error that says so."""
    event = str(call.get("event") or "").upper()
    if event not in EVENTS:
        raise RestError("ERROR_EVENT_NOT_FOUND", "Event not found")
    offline = call.get("event_type") == "offline"
    url = "" if offline else str(call.get("handler") or "")
    if not offline and not url.startswith(("http://", "https://")):
        raise RestError("ERROR_EVENT_HANDLER", "Wrong handler URL")
    auth_type = as_id(call.get("auth_type"))
    if auth_type not in (0, call.user_id) and call.user_id != 1:
        raise RestError("ACCESS_DENIED", "Access denied! Admin permissions required", 403)
    connector = str(call.get("auth_connector") or "")
    key = (event, url, auth_type, offline, connector)
    if any(_bind_key(known) == key for known in call.portal.events.handlers if known.is_app):
        raise RestError("ERROR_CORE", "Unable to set event handler: Handler already binded")
    call.portal.events.listen(
        url,
        [event],
        call.portal.access.application_token,
        is_app=True,
        auth_type=auth_type,
        offline=offline,
        auth_connector=connector,
        options=call.table("options"),
    )
    return True


def _bind_key(handler: Handler) -> tuple[str, str, int, bool, str]:
    event = next(iter(handler.events))
    return event, handler.url, handler.auth_type, handler.offline, handler.auth_connector


@method("event.unbind", scope="", app_only=True)
def unbind(call: Call) -> Any:
    """Unbind by event and handler; the answer counts what went."""
    event, url = str(call.get("event") or "").upper(), str(call.get("handler") or "")
    offline = call.get("event_type") == "offline"
    events = call.portal.events
    gone = [
        each
        for each in events.handlers
        if each.is_app and event in each.events and each.offline == offline and (offline or each.url == url)
    ]
    events.handlers = [each for each in events.handlers if each not in gone]
    return {"count": len(gone)}


@method("event.get", scope="", app_only=True)
def bound(call: Call) -> Any:
    """List the application's binds."""
    return [
        {
            "event": next(iter(each.events)),
            "handler": each.url,
            "auth_type": str(each.auth_type),
            "offline": int(each.offline),
        }
        for each in call.portal.events.handlers
        if each.is_app
    ]


@method("event.test", scope="", app_only=True)
def test_event(call: Call) -> Any:
    """Fire ONAPPTEST with what was passed under `data[QUERY]`."""
    passed = {key: value for key, value in call.params.items() if key != "auth"}
    call.tell("ONAPPTEST", {"QUERY": passed}, None)
    return True


@method("event.offline.list", scope="", app_only=True)
def offline_list(call: Call) -> Any:
    """Show the queue without taking anything."""
    return call.portal.events.offline.find(call.table("filter"), PAGE)


@method("event.offline.get", scope="", app_only=True)
def offline_get(call: Call) -> Any:
    """Take events: `clear=1` (default) deletes at once, `clear=0` reserves them under `process_id`."""
    offline = call.portal.events.offline
    limit = as_id(call.get("limit")) or PAGE
    rows = offline.find(call.table("filter"), limit, failed=is_yes(call.get("error")))
    offline.take(rows)
    if is_yes(call.get("clear", 1)):
        return {"process_id": None, "events": rows}
    process = str(call.get("process_id") or f"fake_process_{len(offline.reserved) + 1:019d}")
    offline.reserved.setdefault(process, []).extend(rows)
    return {"process_id": process, "events": rows}


@method("event.offline.clear", scope="", app_only=True)
def offline_clear(call: Call) -> Any:
    """Drop reserved events: all of a process, or those named by `id` or `message_id`."""
    _settle(call, failed=False)
    return True


@method("event.offline.error", scope="", app_only=True)
def offline_error(call: Call) -> Any:
    """Mark reserved events as failed: `event.offline.get` with `error=1` gives them again."""
    _settle(call, failed=True)
    return True


def _settle(call: Call, failed: bool) -> None:
    offline = call.portal.events.offline
    process = str(call.need("process_id"))
    ids = {str(each) for each in as_list(call.get("id"))}
    messages = {str(each) for each in as_list(call.get("message_id"))}
    rows = offline.reserved.pop(process, [])
    named = [row for row in rows if row["ID"] in ids or row["MESSAGE_ID"] in messages]
    settled = named if ids or messages else rows
    if kept := [row for row in rows if row not in settled]:
        offline.reserved[process] = kept
    if failed:
        offline.failed |= {(row["EVENT_NAME"], row["ID"]): row for row in settled}
