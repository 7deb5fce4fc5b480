"""Two small connectors and a hub in a box, so that a test reads as a story: configure, send, settle, look."""

from __future__ import annotations

import datetime as dt
import itertools
import json
import textwrap
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import marshmallow as ma

from hub.config import load
from hub.connector import ActionKind, Connector, EventKind, Limits, Settings
from hub.engine import Engine
from hub.errors import Gone, Rejected
from hub.model import Action, Done, Event, Poll, Receipt, Record, Request
from hub.plugins import Plugins
from hub.receive import Receiver
from hub.runtime import Runtime
from hub.store import Store


class SourceSettings(Settings):
    """A shared secret."""

    secret = ma.fields.String(load_default="letmein", metadata={"secret": True, "help": "shared secret"})


class Source(Connector):
    """Takes JSON bodies `{"events": [{"type", "subject", "key", "record", "at"?, "hint"?}]}`."""

    name = "source"
    title = "Test source"
    docs_url = "https://example.com/source"
    Settings = SourceSettings
    events = (
        EventKind("form.submitted", "form"),
        EventKind("parcel.status_changed", "parcel"),
        EventKind("deal.updated", "deal"),
        EventKind("deal.created", "deal"),
        EventKind("deal.stage_changed", "deal"),
        EventKind("deal.deleted", "deal"),
    )
    vendor_field = r"[A-Z][A-Z_]*"

    def verify(self, request: Request) -> None:
        if request.headers.get("x-secret") != self.settings["secret"]:
            raise Rejected(403, "wrong secret")

    def receipt_key(self, request: Request) -> str:
        return str(json.loads(request.body)["id"])

    def parse(self, receipt: Receipt) -> list[Event]:
        body = json.loads(receipt.request.body)
        return [
            Event(
                one["type"], one["subject"], one.get("key") or f"{receipt.key}:{n}", one.get("record", {}),
                dt.datetime.fromtimestamp(one["at"], dt.UTC) if "at" in one else None,
                text=one.get("text", ""), channel="form", incomplete=one.get("hint", False),
            )
            for n, one in enumerate(body["events"])
        ]  # fmt: skip

    def complete(self, events: list[Event], needs: frozenset[str]) -> list[Event]:
        world: World = WORLDS[self.connection.name]
        world.reads.append(events[0].subject)
        id = events[0].subject.partition(":")[2]
        record = world.records.get(("deal", id))
        if record is None:
            raise Gone(f"no deal {id}")
        return [events[-1].with_(record={"deal": dict(record)})]


class World:
    """What a sink's vendor holds, and how it misbehaves: `fail` is asked before each act and may raise."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.records: dict[tuple[str, str], dict[str, Any]] = {}
        self.acts: list[tuple[str, str, dict[str, Any]]] = []
        self.reads: list[str] = []
        self.ids = itertools.count(100)
        self.fail: Callable[[Action], None] = lambda action: None
        self.after: Callable[[Action], None] = lambda action: None
        self.delay = 0.0
        self.stages = ["new", "to_ship", "shipped", "at_branch", "won"]

    def of(self, record: str) -> list[dict[str, Any]]:
        return [value for (kind, _), value in self.records.items() if kind == record]


#: connection name -> its vendor's world
WORLDS: dict[str, World] = {}


class Sink(Source):
    """A CRM in memory: leads, deals, contacts, comments. Shared by all connections of one name."""

    name = "sink"
    title = "Test CRM"
    hints = True
    actions = (
        ActionKind("lead.upsert", marker="MARK", person=True, cost=2),
        ActionKind("lead.create", marker="MARK", person=True),
        ActionKind("deal.upsert", marker="MARK"),
        ActionKind("deal.create", marker="MARK"),
        ActionKind("deal.update", idempotent=True),
        ActionKind("deal.set_stage", idempotent=True),
        ActionKind("deal.find", idempotent=True),
        ActionKind("contact.upsert", marker="MARK"),
        ActionKind("comment.create", linked=False),
        ActionKind("note.create", required=("TEXT",), linked=False),
        ActionKind("letter.create", uncertain="assume_done"),
        ActionKind("ping.send", uncertain="repeat"),
    )
    settle = 0.2

    @property
    def world(self) -> World:
        return WORLDS[self.connection.name]

    def limits(self) -> Limits:
        return Limits(per_second=100_000, burst=100_000, parallel=64)

    def find(self, record: str, by: Mapping[str, Any], limit: int = 50) -> list[Record]:
        out = []
        with self.world.lock:
            for one in self.world.of(record):
                if "marker" in by and one.get("MARK") != by["marker"]:
                    continue
                if any(key not in ("marker", "since", "open") and one.get(key) != value for key, value in by.items()):
                    continue
                out.append(dict(one))
        return out[:limit]

    def get(self, record: str, id: str) -> Record:
        with self.world.lock:
            found = self.world.records.get((record, id))
            if found is None:
                raise Gone(f"no {record} {id}")
            return dict(found)

    def stage_order(self, record: str, stage: str) -> list[str]:
        return self.world.stages

    def perform(self, action: Action) -> Done:
        world = self.world
        world.fail(action)
        if world.delay:
            time.sleep(world.delay)
        with world.lock:
            world.acts.append((action.verb, action.record, dict(action.values)))
            if action.verb in ("update", "set_stage"):
                found = world.records.get((action.record, action.id))
                if found is None:
                    raise Gone(f"no {action.record} {action.id}")
                before = {key: found.get(key) for key in action.values}
                found.update(action.values)
                done = Done(dict(found), action.id, written=dict(action.values), before=before)
            else:
                id = str(next(world.ids))
                made = {"id": id, **action.values, "MARK": action.marker}
                if action.contact:
                    made["contact"] = action.contact
                for field in ("phone", "email", "name"):
                    if action.person.get(field):
                        made[field] = action.person[field]
                world.records[(action.record, id)] = made
                done = Done(dict(made), id)
        world.after(action)
        return done

    def attach(self, record: str, id: str, how: str, text: str, marker: str, since: Any = None) -> Done:
        with self.world.lock:
            comment = str(next(self.world.ids))
            self.world.records[("comment", comment)] = {"id": comment, "of": f"{record}:{id}", "text": text}
        return Done({}, comment)


class Poller(Source):
    """Brings what `WORLDS[name].records[("news", "")]` holds when polled."""

    name = "poller"
    title = "Test poller"

    def polls(self) -> Mapping[str, float]:
        return {"news": 0.05}

    def poll(self, what: str, cursor: Any, watched: Any = ()) -> Poll:
        world = WORLDS[self.connection.name]
        seen = int(cursor or 0)
        news = world.records.get(("news", ""), {"items": []})["items"][seen:]
        receipts = [(one["id"], Request("POLL", "poll/news", body=json.dumps(one).encode())) for one in news]
        return Poll(receipts, seen + len(news))


PLUGINS = (Source, Sink, Poller)


class Box:
    """A whole hub in this process: receiver, engine, SQLite (or the store given)."""

    def __init__(
        self,
        folder: Path,
        yaml: str,
        store: Store | None = None,
        threads: int = 8,
        engines: int = 1,
        plugins: tuple[type[Connector], ...] = PLUGINS,
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / "hub.yaml"
        path.write_text(textwrap.dedent(yaml))
        self.folder = folder
        self.plugins = Plugins.of(*plugins)
        self.config = load(path, self.plugins, {})
        for name in self.config.connections:
            WORLDS[name] = World()
        self.store = store or Store.open(None, folder / "data")
        self.runtime = Runtime(self.config, self.plugins, self.store, folder=folder / "data", environ={})
        self.engines = [Engine(self.runtime, threads=threads) for _ in range(engines)]
        self.receiver = Receiver(self.runtime, self.ring)
        self._ids = itertools.count(1)
        self.started = False

    def ring(self) -> None:
        for engine in self.engines:
            engine.ring()

    def start(self) -> Box:
        for engine in self.engines:
            engine.start()
        self.started = True
        return self

    def send(self, *events: dict[str, Any], to: str = "site", id: str | None = None, secret: str = "letmein") -> int:
        body = json.dumps({"id": id or f"m{next(self._ids)}", "events": events}).encode()
        return self.receiver(to, Request("POST", f"/in/{to}", headers={"x-secret": secret}, body=body)).status

    def settle(self, within: float = 15.0, parked: bool = True) -> None:
        """Wait until nothing is left to do; fails with what is left."""
        deadline = time.monotonic() + within
        while True:
            left = self.left()
            if not any(left.values()) and all(
                engine.idle() and not engine.dispatcher.calls.held for engine in self.engines
            ):
                return
            assert time.monotonic() < deadline, f"still to do: {left}, {self.deliveries()[-5:]}"
            time.sleep(0.01)

    def until(self, what: Callable[[], Any], within: float = 15.0) -> None:
        """Wait until something is true."""
        deadline = time.monotonic() + within
        while not what():
            assert time.monotonic() < deadline, f"still to do: {self.left()}, {self.deliveries()[-5:]}"
            time.sleep(0.01)

    def one(self, sql: str) -> Any:
        """Return the one value a question to the store brings."""
        with self.store.read() as db:
            return db.rows(sql)[0][0]

    def left(self) -> dict[str, int]:
        with self.store.read() as db:
            return {
                "receipts": db.one("SELECT count(*) FROM receipt WHERE state = 'new'")[0],
                "events": db.one("SELECT count(*) FROM event WHERE state = 'waiting'")[0],
                "deliveries": db.one("SELECT count(*) FROM delivery WHERE state = 'ready'")[0],
            }

    def deliveries(self) -> list[dict[str, Any]]:
        columns = "id, event, route, step, connection, action, line, state, tries, reason, wait, result"
        with self.store.read() as db:
            rows = db.rows(f"SELECT {columns} FROM delivery ORDER BY id")
        return [dict(zip(columns.split(", "), row, strict=True)) for row in rows]

    def events(self) -> list[dict[str, Any]]:
        columns = "id, type, subject, state, reason, person, hop"
        with self.store.read() as db:
            rows = db.rows(f"SELECT {columns} FROM event ORDER BY id")
        return [dict(zip(columns.split(", "), row, strict=True)) for row in rows]

    def alerts(self) -> list[str]:
        with self.store.read() as db:
            return [row[0] for row in db.rows("SELECT kind FROM alert WHERE closed_at IS NULL ORDER BY id")]

    def close(self) -> None:
        if self.started:
            for engine in self.engines:
                engine.stop(3)
        self.receiver.commit.stop()
        self.runtime.close()


def form(phone: str | None = "+380671112233", name: str = "Anna", **fields: str) -> dict[str, Any]:
    contact: dict[str, Any] = {"name": name, "first_name": name}
    if phone:
        contact |= {"phone": phone, "phones": [phone]}
    return {
        "type": "form.submitted", "subject": f"form:{time.monotonic_ns()}", "text": "hello",
        "record": {"contact": contact, "form": {"id": "f1", **fields}},
    }  # fmt: skip
