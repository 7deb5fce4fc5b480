"""The offline event queue of an application."""

from __future__ import annotations

from collections.abc import Callable
from itertools import count
from typing import Any

from plugins.bitrix24.sandbox.query import matcher, split_prefix
from plugins.bitrix24.sandbox.values import iso


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
