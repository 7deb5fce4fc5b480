"""An account whose fields, stages and users change under the hub, and words to ask what became of it."""

from __future__ import annotations

import json
import textwrap
import time
from collections.abc import Callable
from typing import Any

from hub.connector import ActionKind, Named
from hub.reasons import remedy, say
from hub.store import reading
from hub.ticker import Ticker
from tests.hub.fakes import WORLDS, Box, Sink

FIELD = Named("field", "UF_CITY", "City", "lead", "string")
OTHER = Named("field", "UF_BREED", "Breed", "lead", "string")
STAGES = [
    Named("stage", code, label, "deal", pipeline="5")
    for code, label in (("new", "New"), ("to_ship", "To ship"), ("shipped", "Shipped"), ("won", "Won"))
]
OWNER = Named("field", "OWNER", "Responsible", "lead", "user")
ANNA = Named("user", "12", "Anna Koval")
START = [FIELD, OTHER, OWNER, *STAGES, ANNA, Named("user", "13", "Petro Lys")]

#: connection -> what its account is made of; an exception is raised in its place
ACCOUNTS: dict[str, Any] = {}


class Account(Sink):
    """The test CRM, with an account that people change."""

    name = "account"
    actions = (*Sink.actions, ActionKind("lead.update", idempotent=True))
    vendor_field = r"[A-Z][A-Z_]*"

    def inventory(self) -> list[Named]:
        told = ACCOUNTS[self.connection.name]
        if isinstance(told, Exception):
            raise told
        return list(told)


YAML = """
hub: {unrouted: ignore}
connections:
  site: {plugin: source}
  crm:
    plugin: account
    names: {fields: {city: UF_CITY}, stages: {sent: shipped, won: won}, users: {boss: "13"}}
team:
  anna: {name: Anna, crm: "12"}
tables:
  owners:
    - {town: Kyiv, owner: "12"}
    - {town: Lviv, owner: "13"}
routes:
  - name: a form becomes a lead
    on: site.form.submitted
    steps:
      - do: crm.lead.upsert
        set:
          TITLE: "Site: {{ contact.name }}"
          city: form.city
          UF_BREED: form.breed
        as: lead
      - {do: crm.note.create, set: {TEXT: "{{ contact.name }} has written"}}
  - name: the parcel moves the deal
    on: site.parcel.status_changed
    do: crm.deal.set_stage
    find: {TTN: parcel.number}
    stage: {in_transit: sent, delivered: won, other: ignore}
"""


def look(box: Box) -> None:
    """Have the account looked at, as the ticker does, and wait until that is done."""
    Ticker(box.runtime).look_at_accounts()
    box.ring()

    def done() -> bool:
        with box.store.read() as db:
            row = db.one("SELECT due, lease FROM line WHERE key = 'drift:crm'")
            return row is not None and row[1] is None and row[0] > db.now

    wait(box, done)
    calm(box)


def wait(box: Box, what: Callable[[], Any]) -> None:
    deadline = time.monotonic() + 10
    while not what():
        assert time.monotonic() < deadline, box.deliveries()[-5:]
        time.sleep(0.01)


def calm(box: Box) -> None:
    """Wait until all is done but what waits for the account."""

    def settled() -> bool:
        with box.store.read() as db:
            left = db.one(
                "SELECT (SELECT count(*) FROM receipt WHERE state = 'new') + (SELECT count(*) FROM delivery d "
                "JOIN line l ON l.key = d.line WHERE d.state = 'ready' AND (d.wait IS NULL OR d.wait <> 'drift' "
                "OR l.due <= ?))",
                (db.now,),
            )
        return left[0] == 0 and all(engine.idle() and not engine.dispatcher.calls.held for engine in box.engines)

    wait(box, settled)


def change(**changes: Any) -> None:
    """Change the account: code -> None deletes, a Named replaces."""
    ACCOUNTS["crm"] = [one for one in ACCOUNTS["crm"] if one.code not in changes or changes[one.code] is not None]
    ACCOUNTS["crm"] = [changes.get(one.code, one) for one in ACCOUNTS["crm"]]


def told(box: Box) -> list[tuple[str, str]]:
    """The open alerts: (text, what to do)."""
    with box.store.read() as db:
        found = reading.alerts(db, reading.Page(state="open"))
    return [(say(one["kind"], one["params"]), remedy(one["kind"], one["params"])) for one in reversed(found)]


def parked(box: Box) -> list[tuple[str, Any, str]]:
    with box.store.read() as db:
        found = db.rows("SELECT field, value, state FROM part ORDER BY id")
    return [(row[0], json.loads(row[1]), row[2]) for row in found]


def leads() -> list[dict[str, Any]]:
    return WORLDS["crm"].of("lead")


def written(verb: str = "update") -> list[dict[str, Any]]:
    return [values for what, record, values in WORLDS["crm"].acts if (what, record) == (verb, "lead")]


def line_of(yaml: str, text: str) -> int:
    return next(number for number, line in enumerate(textwrap.dedent(yaml).split("\n"), 1) if text in line)
