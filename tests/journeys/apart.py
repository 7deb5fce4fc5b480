"""Two CRMs that a sync has kept alike for a while, and what then goes wrong behind the hub's back."""

from __future__ import annotations

import contextlib
import datetime as dt
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import requests

from hub import reconciling, twins
from hub.reasons import say_stored
from hub.store import reconciling as rows
from hub.store import state
from hub.store import twins as pairs
from tests.journeys.both import SYNC, Both

#: seconds that everything is old by when the comparison begins
AGE = 7200.0
SYNCED = SYNC.replace("what: [contact, deal]", "what: [contact]").replace(
    "      deal: {title: both, amount: both, city: quest}\n", ""
).replace("    stages: {new: new, in_work: in_work, booked: booked, won: won, lost: lost}\n", "").replace(
    "    people: {boss: boss, anna: anna}\n", ""
)  # fmt: skip


class Apart(Both):
    """`size` contacts on each side, each the other's twin; the hub has looked at them all."""

    def __init__(self, folder: Path, size: int, rest: str = SYNCED) -> None:
        super().__init__(folder, rest)
        self.size = size
        young = [self.ahead(side, -AGE) for side in ("crm", "amo")]
        for number in range(size):
            phone = f"+7916{number:07}"
            self.add_contact(f"Анна{number}", "Петрова", phone)
        for start in range(0, size, 50):
            some = range(start, min(start + 50, size))
            self.amo.act("POST", "contacts", [self._person(number) for number in some], 3000002)
        for end in young:
            end()
        self._known()
        self.begun = dt.datetime.now(dt.UTC)

    @staticmethod
    def _person(number: int) -> dict[str, Any]:
        phones = [{"value": f"+7916{number:07}", "enum_code": "MOB"}]
        return {
            "name": f"Анна{number} Петрова", "first_name": f"Анна{number}", "last_name": "Петрова",
            "custom_fields_values": [{"field_code": "PHONE", "values": phones}],
        }  # fmt: skip

    def _known(self) -> None:
        """Let the hub know what both sides hold, as if it had looked at all of it and carried it."""
        (sync,) = self.config.syncs
        sides = {name: self._listed(name) for name in ("crm", "amo")}
        with self.store.write() as db:
            for name, records in sides.items():
                for record in records:
                    content = {"record": record, "own": {}, "hop": 0, "created": True}
                    state.set_seen(db, name, f"contact:{record['id']}", content)
            db.run("UPDATE seen SET at = at - ?", (AGE / 2,))
            for one, other in zip(sides["crm"], sides["amo"], strict=True):
                agreed = {
                    field.word: [twins.shown(field, one, "one"), twins.shown(field, other, "other")]
                    for field in sync.fields["contact"]
                }
                pairs.settle(db, pairs.Settled(sync.name, "contact", str(one["id"]), str(other["id"]), agreed))
            db.run("UPDATE twin SET at = at - ?", (AGE / 2,))
            db.run("UPDATE fact SET value = ? WHERE name LIKE 'since:%'", (repr(db.now - 2 * AGE),))
        self.runtime.since = dict.fromkeys(self.runtime.since, 0.0)

    def _listed(self, name: str) -> list[Any]:
        found, cursor = [], None
        while True:
            page, cursor = self.runtime.connector(name).pages("contact", None, cursor)
            found += page
            if cursor is None:
                return sorted(found, key=lambda record: int(record["id"]))

    # --- what goes wrong ---------------------------------------------------------------------------

    def unheard(self, side: str, place: int, name: str, ago: float = 600.0) -> None:
        """Somebody edits a record, so many seconds ago, and the message of it is lost."""
        with self._lost(side, ago):
            if side == "crm":
                self.put("contact", str(self.record(side, place)["ID"]), NAME=name)
            else:
                self.patch("contacts", str(self.record(side, place)["id"]), first_name=name, last_name="Петрова")

    def unheard_of(self, name: str, phone: str, ago: float = 600.0) -> None:
        """Somebody makes a contact in the portal, and the message of it is lost."""
        with self._lost("crm", ago):
            self.add_contact(name, "Петрова", phone)

    @contextlib.contextmanager
    def _lost(self, side: str, ago: float) -> Iterator[None]:
        """Drop the messages of what happens meanwhile, which was so many seconds ago."""
        which = 0 if side == "crm" else 1
        self.arm(which, "drop_event", times=20)
        end = self.ahead(side, -ago)
        yield
        end()
        assert requests.delete(f"{self.stands[which].url}/_sandbox/fault", timeout=5).ok

    def damage(self, side: str, place: int, name: str) -> None:
        """A field becomes another one, though nobody edited it."""
        if side == "crm":
            self.record(side, place)["NAME"] = name
        else:
            self.record(side, place).update(name=f"{name} Петрова", first_name=name)

    def record(self, side: str, place: int) -> dict[str, Any]:
        """Return a record as its vendor has it; place: the how-manieth was made."""
        held = self.crm.portal.records["contact"] if side == "crm" else self.amo.world.records["contacts"]
        return held[sorted(held)[place]]

    def names(self, side: str) -> list[str]:
        """Return the first names of a side, in the order made."""
        held = self.crm.portal.records["contact"] if side == "crm" else self.amo.world.records["contacts"]
        return [held[id]["NAME" if side == "crm" else "first_name"] for id in sorted(held)]

    # --- comparing -----------------------------------------------------------------------------------

    def reconcile(self, one: str = "crm", other: str | None = "amo", repair: bool = True, **options: Any) -> int:
        """Compare by the workers, as the nightly run does, until all of it is carried."""
        with self.store.write() as db:
            id = reconciling.begin(db, self.config, one, other, repair=repair, **options)
        self.ring()
        self.until(lambda: self.rows(f"SELECT state FROM reconciliation WHERE id = {id}") != [("running",)], 60)
        if repair:
            self.feed()
        return id

    def found(self, id: int) -> dict[tuple[str, str], tuple[str, str]]:
        """Return what a comparison has found: (connection, subject) -> (cause, state)."""
        with self.store.read() as db:
            return {(d.connection, d.subject): (d.cause, d.state) for _, d in rows.differences(db, id)}

    def said(self, id: int) -> list[str]:
        """Return what it found and did, in words."""
        with self.store.read() as db:
            return [f"{say_stored(d.reason)}; {say_stored(d.repair)}" for _, d in rows.differences(db, id)]

    def counts(self, id: int) -> dict[str, int]:
        """Return what it counted."""
        with self.store.read() as db:
            run = rows.run(db, id)
            assert run is not None
            return run.counts
