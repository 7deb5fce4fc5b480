"""What the stand-in's account is made of, read alone: account, users, pipelines, fields, catalogs, kinds of events."""

from __future__ import annotations

import re
from typing import Any

from flask import Response

from plugins.amocrm import codes
from plugins.amocrm.sandbox.access import account
from plugins.amocrm.sandbox.words import hal, nothing, page, params
from plugins.amocrm.sandbox.world import AMOJO_ID, World


class Directory:
    """The reads of the account; None for a path that isn't one of them."""

    def __init__(self, world: World, base: Any, more: dict[str, Any]) -> None:
        self.world, self._base, self._more = world, base, more

    def answer(self, path: str) -> Response | None:
        """Answer a GET."""
        match path.split("/"):
            case ["account"]:
                chats = "amojo_id" in str(params().get("with"))
                return hal(account(self._more | ({"amojo_id": AMOJO_ID} if chats else {})))
            case ["users"]:
                return page(self.world.users, "users", self._base(), total=True)
            case ["users", number]:
                return self._one(self.world.users, number)
            case ["leads", "pipelines"]:
                rows = self.world.pipelines
                links = {"self": {"href": f"{self._base()}/api/v4/leads/pipelines"}}
                return hal({"_total_items": len(rows), "_links": links, "_embedded": {"pipelines": rows}})
            case ["leads", "pipelines", number]:
                return self._one(self.world.pipelines, number)
            case ["leads", "pipelines", number, "statuses", *rest]:
                return self._statuses(number, rest)
            case ["catalogs"]:
                return page(list(self.world.catalogs.values()), "catalogs", self._base())
            case ["events", "types"]:
                rows = [{"key": key, "type": 1, "lang": key} for key in codes.FEED]
                return hal({"_total_items": len(rows), "_embedded": {"events_types": rows}})
            case [*home, "custom_fields", number] if "/".join(home) in self.world.fields:
                return self._one(self.world.fields["/".join(home)], number)
        return None

    def _statuses(self, pipeline: str, rest: list[str]) -> Response:
        found = next((one for one in self.world.pipelines if str(one["id"]) == pipeline), None)
        rows = found["_embedded"]["statuses"] if found else []
        if rest:
            return self._one(rows, rest[0])
        return hal({"_total_items": len(rows), "_embedded": {"statuses": rows}}) if rows else nothing()

    @staticmethod
    def _one(rows: list[dict[str, Any]], number: str) -> Response:
        found = next((row for row in rows if str(row["id"]) == number), None)
        return hal(found) if found is not None and re.fullmatch(r"\d+", number) else nothing()
