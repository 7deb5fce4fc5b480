"""Webhooks of the stand-in: registered, sent as forms in PHP's brackets, tried again, switched off when badly answered.

As documented: 100 to 299 is a success; the second and third try come after 5 and 15 minutes, the fourth and fifth
(after 15 minutes and an hour) only for 499 and 5xx; over 100 bad answers in two hours switch a webhook off.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

import requests

from plugins.amocrm.sandbox.words import ApiError, objection
from plugins.amocrm.sandbox.world import ACCOUNT_ID, ADMIN, SINGULAR, SUBDOMAIN

WAITS = (300, 900, 900, 3600)
ANSWER_WITHIN = 2.0
MOST_BAD, BAD_WINDOW = 100, 7200
_KINDS = {"leads": "lead", "contacts": "contact", "companies": "company", "customers": "customer"}
_VERBS = ("add", "update", "delete", "restore", "responsible", "note")
KNOWN = {
    *(f"{verb}_{kind}" for kind in _KINDS.values() for verb in _VERBS), "status_lead",
    "add_task", "update_task", "delete_task", "responsible_task", "add_talk", "update_talk", "add_message",
    "add_outgoing_message", "add_chat_template_review", "add_unsorted", "update_unsorted", "delete_unsorted",
}  # fmt: skip


@dataclass
class Sent:
    """One webhook on its way: body, how often it was tried, when it is due again, what became of it."""

    destination: str
    setting: str
    body: str
    tries: int = 0
    due: float = 0.0
    statuses: list[int] = field(default_factory=list)
    done: bool = False


class Hooks:
    """The registry and the sender. `fault` is asked once per message: "drop_event", "duplicate_event" or ""."""

    def __init__(self, clock: Callable[[], float], fault: Callable[[str], str], admits: set[str] | None = None) -> None:
        self._clock, self._fault = clock, fault
        self.admits = admits or KNOWN
        self.rows: list[dict[str, Any]] = []
        self.sent: list[Sent] = []
        self.bad: dict[str, list[float]] = {}
        self.counters = {"sent": 0, "failed": 0, "dropped": 0}
        self._queue: queue.Queue[Sent | None] = queue.Queue()
        self._idle = threading.Condition()
        self._busy = 0
        self._thread = threading.Thread(target=self._run, name="amocrm-sandbox-hooks", daemon=True)
        self._thread.start()

    # --- registry --------------------------------------------------------------------------------

    def subscribe(self, given: Any, next_id: Callable[[], int]) -> dict[str, Any]:
        """Register an address; the same one again changes its webhook and switches it on."""
        given = given if isinstance(given, dict) else {}
        destination, settings = str(given.get("destination") or ""), given.get("settings")
        if not destination.startswith(("https://", "http://127.0.0.1", "http://localhost")):
            raise ApiError(
                400, "Request validation failed", [objection("0", "InvalidUrl", "destination", "Invalid URL")]
            )
        if not isinstance(settings, list) or not settings:
            raise ApiError(400, "Request validation failed", [objection("0", "InvalidType", "settings", "array")])
        for place, one in enumerate(settings):
            if one not in self.admits:
                path = f"settings.{place}"
                raise ApiError(
                    400, "Request validation failed", [objection("0", "NotSupportedChoice", path, "not a valid choice")]
                )
        now = int(self._clock())
        row = next((one for one in self.rows if one["destination"] == destination), None)
        if row is None:
            if len(self.rows) >= 100:
                raise ApiError(400, "webhooks limit exceeded")
            row = {
                "id": next_id(),
                "destination": destination,
                "created_at": now,
                "account_id": ACCOUNT_ID,
                "created_by": ADMIN,
            }
            self.rows.append(row)
        row |= {"updated_at": now, "sort": given.get("sort", 1), "disabled": False, "settings": list(settings)}
        self.bad.pop(destination, None)
        return row

    def unsubscribe(self, destination: str) -> None:
        """Remove an address: by the exact one."""
        row = next((one for one in self.rows if one["destination"] == destination), None)
        if row is None:
            raise ApiError(404, "Webhook not found")
        self.rows.remove(row)

    # --- sending ---------------------------------------------------------------------------------

    def tell(self, entity: str, action: str, rows: list[dict[str, Any]], kinds: set[str] | None = None) -> None:
        """Send rows of one action to every address that asked for it; one body may hold several rows.

        kinds: the kinds of record behind the rows where that decides the setting (companies come under `contacts`).
        """
        for kind in kinds or {entity}:
            setting = f"{action}_{_KINDS.get(kind, kind)}"
            mine = (
                rows if not kinds or len(kinds) == 1 else [row for row in rows if row.get("type") == SINGULAR.get(kind)]
            )
            for hook in self.rows:
                if setting in hook["settings"] and not hook["disabled"]:
                    self.post(hook["destination"], setting, {entity: {action: mine}})

    def post(self, destination: str, setting: str, told: Mapping[str, Any]) -> None:
        """Queue one message: the account first, everything a string, keys in PHP's brackets."""
        account = {"subdomain": SUBDOMAIN, "id": ACCOUNT_ID, "_links": {"self": f"https://{SUBDOMAIN}.amocrm.ru"}}
        body = urlencode([*brackets({"account": account}), *brackets(told)])
        fault = self._fault(setting)
        if fault == "drop_event":
            self.counters["dropped"] += 1
            return
        for _ in range(2 if fault == "duplicate_event" else 1):
            self._put(Sent(destination, setting, body))

    def _put(self, one: Sent) -> None:
        with self._idle:
            self._busy += 1
        if one.tries == 0:
            self.sent.append(one)
            del self.sent[:-1000]
        self._queue.put(one)

    def _run(self) -> None:
        with requests.Session() as session:
            session.trust_env = False
            while (one := self._queue.get()) is not None:
                self._try(session, one)
                with self._idle:
                    self._busy -= 1
                    self._idle.notify_all()

    def _try(self, session: requests.Session, one: Sent) -> None:
        headers = {"Content-Type": "application/x-www-form-urlencoded", "User-Agent": "amoCRM-Webhooks/3.0"}
        one.tries += 1
        try:
            answer = session.post(
                one.destination, data=one.body, headers=headers, timeout=ANSWER_WITHIN, allow_redirects=False
            )
            status = answer.status_code
        except requests.RequestException:
            status = 0
        one.statuses.append(status)
        self.counters["sent"] += 1
        if 100 <= status < 300:
            one.done = True
            return
        self.counters["failed"] += 1
        self._count_bad(one.destination)
        ill = status in (0, 499) or status >= 500
        if one.tries <= 2 or (one.tries <= 4 and ill and status):
            one.due = self._clock() + WAITS[one.tries - 1]
        else:
            one.done = True

    def _count_bad(self, destination: str) -> None:
        now = self._clock()
        bad = self.bad.setdefault(destination, [])
        bad.append(now)
        bad[:] = [at for at in bad if at > now - BAD_WINDOW]
        if len(bad) > MOST_BAD:
            for row in self.rows:
                if row["destination"] == destination:
                    row["disabled"] = True

    def again(self) -> int:
        """Send now what waits for its next try, as if the time had passed; return how many."""
        waiting = [one for one in self.sent if one.due and not one.done]
        for one in waiting:
            one.due = 0.0
            self._put(one)
        return len(waiting)

    def wait(self, seconds: float = 5.0) -> bool:
        """Wait until every queued message was tried."""
        with self._idle:
            return self._idle.wait_for(lambda: self._busy == 0, seconds)

    def close(self) -> None:
        """End the sender."""
        self._queue.put(None)
        self._thread.join(5)


def brackets(value: Any, name: str = "") -> Iterator[tuple[str, str]]:
    """Yield nested values as PHP's pairs; what is absent (null) isn't sent."""
    if isinstance(value, Mapping):
        for key, below in value.items():
            yield from brackets(below, f"{name}[{key}]" if name else str(key))
    elif isinstance(value, (list, tuple)):
        for index, below in enumerate(value):
            yield from brackets(below, f"{name}[{index}]")
    elif value is not None:
        yield name, ("1" if value else "0") if isinstance(value, bool) else str(value)
