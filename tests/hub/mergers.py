"""A CRM that merges contacts and parts them again, and what hangs on whose contact."""

from __future__ import annotations

import time
from typing import Any

from hub.errors import Refused, Uncertain
from hub.model import Done
from tests.hub.fakes import WORLDS, Sink


class Mergers(Sink):
    """A CRM in memory that merges contacts."""

    name = "mergers"

    def merge(self, record: str, into: str, ids: Any, carry: Any, marker: str, since: Any = None) -> Any:
        time.sleep(getattr(self.world, "slow", 0))
        if hasattr(self.world, "refuses"):
            raise Refused("these two can't be merged")
        with self.world.lock:
            self.world.acts.append(("merge", record, {"into": into, "ids": list(ids), "carry": list(carry)}))
            kept = [self.world.records.pop((record, one)) for one in ids if (record, one) in self.world.records]
        if hasattr(self.world, "forgets"):
            kept = []
        if getattr(self.world, "loses", 0):
            self.world.loses -= 1  # type: ignore[attr-defined]
            raise Uncertain("the answer never came")
        return Done({"id": into, "kept": kept, "lost": list(ids)}, into)

    def unmerge(self, record: str, into: str, kept: Any, marker: str, since: Any = None) -> Any:
        back = {}
        with self.world.lock:
            for one in kept:
                told = {**one, **one["person"], "id": f"{one['id']}0"} if "person" in one else one
                self.world.records[(record, told["id"])] = dict(told)
                back[one["id"]] = told["id"]
        return Done({"id": into, "restored": back}, into)


def leads_by_contact() -> dict[str, list[str]]:
    """Return whose contact -> whose leads hang on it."""
    names = {one["id"]: one["name"] for one in WORLDS["crm"].of("contact")}
    found: dict[str, list[str]] = {name: [] for name in names.values()}
    for lead in WORLDS["crm"].of("lead"):
        found[names[lead["contact"]]].append(lead["name"])
    return found
