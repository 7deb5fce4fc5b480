"""Events: who listens and how they are sent, each once."""

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

from plugins.bitrix24.sandbox.offline import Offline
from plugins.bitrix24.sandbox.params import form

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
