"""Two CRMs kept alike: a Bitrix24 portal and an amoCRM account beside a hub that syncs them."""

from __future__ import annotations

import contextlib
import datetime as dt
import json
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from hub import explain, handwork, syncs
from hub.cli.explain import story
from hub.store import twins
from plugins.amocrm.sandbox import AmoCrmSandbox
from plugins.bitrix24.sandbox import Bitrix24Sandbox
from tests.company import Company

EVENTS = [f"ONCRM{kind}{verb}" for kind in ("DEAL", "CONTACT", "COMPANY") for verb in ("ADD", "UPDATE", "DELETE")]
PHONE, EMAIL, QUEST = 600101, 600103, 601002

YAML = """
hub: {{timezone: Europe/Moscow, region: RU, unrouted: ignore, sync_breaker: {breaker}}}
connections:
  crm:
    plugin: bitrix24
    webhook_url: "{webhook_url}"
    application_token: "{application_token}"
    limits: {{per_second: 500, burst: 5000}}
    names:
      fields: {{city: UF_CRM_1730000003}}
      stages: {{new: "NEW", in_work: "PREPARATION", booked: "EXECUTING", won: "WON", lost: "LOSE"}}
      users: {{boss: "1", anna: "3"}}
  amo:
    plugin: amocrm
    base_url: "{base_url}"
    token: "{token}"
    hook_secret: "{hook_secret}"
    limits: {{per_second: 500, burst: 500}}
    names:
      fields: {{quest: "601002", origin: "601011"}}
      stages: {{new: 7100001/61000001, in_work: 7100001/61000002, booked: 7100001/61000003, won: 7100001/142,
        lost: 7100001/143}}
      users: {{boss: "3000001", anna: "3000002"}}
{rest}
"""
SYNC = """
sync:
  - name: two
    from: crm
    to: amo
    what: [contact, deal]
    both: yes
    fields:
      contact: {first_name: both, last_name: both, phone: both, email: both}
      deal: {title: both, amount: both, city: quest}
    stages: {new: new, in_work: in_work, booked: booked, won: won, lost: lost}
    people: {boss: boss, anna: anna}
    cap: 360000 per hour
"""


class Both(Company):
    """Builds it all; `rest` is what stands in hub.yaml below the connections."""

    def __init__(self, folder: Path, rest: str = SYNC, workers: int = 1, breaker: int = 10) -> None:
        self.crm = Bitrix24Sandbox(rate_per_second=None, operating_limit=None)
        self.amo = AmoCrmSandbox(rate_per_second=None)
        stands = [self.crm.start(), self.amo.start()]
        yaml = YAML.format(**{**self.crm.credentials(), **self.amo.credentials()}, rest=rest, breaker=breaker)
        super().__init__(folder, yaml, stands, workers)
        self.feeding = threading.Event()

    def start(self, begun: bool = True) -> Both:
        """Let the workers work and both CRMs tell. begun: the sync is under way, with nothing to compare."""
        found = self.runtime.connector("amo").connect(f"{self.url}/in/amo")
        assert {one.level for one in found} == {"ok"}, found
        self.work()
        self.hear(0, "crm", EVENTS)
        if begun:
            with self.store.write() as db:
                for sync in self.config.syncs:
                    twins.set_state(db, sync.name, "on")
        self.count()
        return self

    def close(self) -> None:
        """Take everything down: first what the account still wants to tell."""
        self.amo.hooks.close()
        super().close()

    # --- counting --------------------------------------------------------------------------------

    def count(self) -> None:
        """Begin to count calls anew."""
        self.crm.calls.clear()
        self.amo.calls.clear()

    def writes(self) -> dict[str, int]:
        """Return how often the hub wrote into each side: {"crm": 3, "amo": 2}."""
        found = Counter[str]()
        for method, times in self.crm.calls.items():
            if method.endswith((".add", ".update", ".delete")):
                found["crm"] += times
        for call, times in self.amo.calls.items():
            if call.split()[0] in ("POST", "PATCH") and "webhooks" not in call:
                found["amo"] += times
        return dict(found)

    def calls(self) -> int:
        """Return how many calls of any kind there were."""
        return sum(self.crm.calls.values()) + sum(self.amo.calls.values())

    def quiet(self, within: float = 40.0) -> None:
        """Wait until both CRMs have told everything and the hub has nothing left to do."""
        still = 0

        def idle() -> bool:
            nonlocal still
            assert self.crm.portal.events.wait(within)
            assert self.amo.wait_hooks(within)
            still = still + 1 if self.idle() else 0
            return still == 3

        self.until(idle, within)

    def feed(self, within: float = 60.0) -> None:
        """Hand the backlog on, as the sweeper does, until there is none and the first sync is over."""

        def over() -> bool:
            with self.store.write() as db:
                for sync in self.config.syncs:
                    syncs.feed(db, self.engines[0].pipeline, sync)
            self.ring()
            states = self.rows("SELECT state FROM sync")
            waiting = self.rows("SELECT count(*) FROM backlog WHERE state = 'waiting'")
            return waiting == [(0,)] and states not in ([("first",)], [("reading",)])

        self.until(over, within)
        self.quiet(within)

    # --- what people do --------------------------------------------------------------------------

    def b24(self, method: str, **params: Any) -> Any:
        """A colleague does something in the portal."""
        return self.crm.act(method, params, user_id=1)

    def add_contact(
        self, name: str = "Анна", last: str = "Петрова", phone: str = "+79161112233", email: str = ""
    ) -> str:
        """A contact made in the portal."""
        fields: dict[str, Any] = {"NAME": name, "LAST_NAME": last, "PHONE": [{"VALUE": phone, "VALUE_TYPE": "MOBILE"}]}
        if email:
            fields["EMAIL"] = [{"VALUE": email, "VALUE_TYPE": "WORK"}]
        return str(self.b24("crm.contact.add", fields=fields))

    def put(self, kind: str, id: str, **fields: Any) -> None:
        """Change a record in the portal."""
        self.b24(f"crm.{kind}.update", id=id, fields=fields)

    def add_person(self, name: str = "Анна Петрова", phone: str = "+79161112233", email: str = "") -> str:
        """A contact made in the account."""
        rows = [{"field_code": "PHONE", "values": [{"value": phone, "enum_code": "MOB"}]}]
        if email:
            rows.append({"field_code": "EMAIL", "values": [{"value": email, "enum_code": "WORK"}]})
        return self.made("contacts", name=name, custom_fields_values=rows, responsible_user_id=3000001)

    def made(self, path: str, **body: Any) -> str:
        """A record made in the account."""
        answer = self.amo.act("POST", path, [body], 3000002)
        return str(answer["_embedded"][path][0]["id"])

    def patch(self, path: str, id: str, **body: Any) -> None:
        """Change a record in the account."""
        self.amo.act("PATCH", f"{path}/{id}", body, 3000002)

    @contextlib.contextmanager
    def held(self) -> Iterator[None]:
        """Let things happen on both sides before the hub sends anything out."""
        for name in ("crm", "amo"):
            with self.store.write() as db:
                handwork.pause(db, name)
        self.until(lambda: not any(engine.dispatcher.calls.held for engine in self.engines))
        yield
        assert self.crm.portal.events.wait()
        assert self.amo.wait_hooks()
        for name in ("crm", "amo"):
            with self.store.write() as db:
                handwork.resume(db, name)

    def ahead(self, side: str, seconds: float = 60.0) -> Callable[[], None]:
        """Let a side's clock run ahead until the returned function is called."""
        if side == "crm":
            before = self.crm.portal.clock
            self.crm.portal.clock = lambda: before() + dt.timedelta(seconds=seconds)
            return lambda: setattr(self.crm.portal, "clock", before)
        world = self.amo.world
        now = world.now
        world.now = lambda: now() + int(seconds)  # type: ignore[method-assign]
        return lambda: setattr(world, "now", now)

    # --- what stands there -------------------------------------------------------------------------

    def ours(self, kind: str = "contact") -> dict[str, dict[str, Any]]:
        """Return the portal's records in neutral words, by id."""
        connector = self.runtime.connector("crm")
        return {id: connector.get(kind, id) for id in map(str, list(self.crm.portal.records[kind]))}

    def theirs(self, kind: str = "contact") -> dict[str, dict[str, Any]]:
        """Return the account's records in neutral words, by id."""
        connector = self.runtime.connector("amo")
        with self.amo.lock:
            ids = [str(id) for id in self.amo.world.records[{"contact": "contacts", "deal": "leads"}[kind]]]
        return {id: connector.get(kind, id) for id in ids}

    def pairs(self, kind: str = "contact") -> dict[str, str]:
        """Return who is whose twin."""
        sql = f"SELECT one, other FROM twin WHERE record = '{kind}' AND state = 'kept' ORDER BY id"
        return dict(self.rows(sql))

    def explained(self, asked: str) -> str:
        """Return what `hub explain` tells."""
        with self.store.read() as db:
            found = explain.find(db, asked, connections=list(self.config.connections))
            lives = [explain.life(db, id) for id in found.events]
        return "\n".join(line for life in lives if life for line in story(life, self.config.hub.zone))

    def reasons(self) -> list[str]:
        """Return the codes of the deliveries' reasons, in order."""
        rows = self.rows("SELECT reason FROM delivery ORDER BY id")
        return [json.loads(reason)["code"] if reason else None for (reason,) in rows]
