"""A hub between a portal's open line and a client's channel: hooks over real HTTP in, calls over real HTTP out.

The channel is a small one of our own, spoken with through plugin `standard`: what counts here is the portal's side.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import requests
from flask import Flask, jsonify, request
from werkzeug.serving import make_server

from hub.config import load
from hub.engine import Engine
from hub.plugins import Plugins
from hub.runtime import Runtime
from hub.store import Store
from hub.web import create_app
from plugins.bitrix24.sandbox import Bitrix24Sandbox

KEY = "channel-key-71c0"
NAMES = ("client_id", "client_secret", "portal", "oauth_url", "application_token")

YAML = """
hub: {{timezone: Europe/Kyiv, region: UA, unrouted: ignore}}
people: {{match: [phone, email, handle]}}
connections:
  crm:
    plugin: bitrix24
{access}
    poll: "off"
    limits: {{per_second: 500, burst: 5000}}
    openlines:
      hub_shop: {{line: "1", name: Shop, channel: shop, files: [image], max_file: 5 MB, edits: "yes"}}
  shop:
    plugin: standard
    secrets: ["{key}"]
    auth: header
    header: X-Key
    base_url: "{channel}"
    key: id
    read:
      message.id: data.id
      message.text: data.text
      message.from: data.from
      message.files: data.files
      contact.name: data.name
      contact.handles: data.handles
routes:
  - name: a client writes
    on: shop.message.received
    do: crm.openline.send
    set: {{chat: message.from, message: message.id, text: message.text, files: message.files}}
  - name: the operator answers
    on: crm.message.sent
    when: {{event.channel: hub_shop}}
    steps:
      - do: shop.http.post
        set: {{path: /send, json: {{to: message.chat, text: message.text, files: message.files}}}}
        as: sent
        refused:
          do: crm.notify.send
          set: {{USER_ID: event.by, MESSAGE: "Not delivered to {{{{ message.chat }}}}: {{{{ error.reason }}}}"}}
      - {{do: crm.openline.delivered, set: {{message: sent.json.id}}}}
  - name: the client has read it
    on: shop.message.read
    do: crm.openline.read
    set: {{chat: message.from, message: message.id}}
  - name: the client takes it back
    on: shop.message.deleted
    do: crm.openline.delete
    set: {{chat: message.from, message: message.id}}
  - name: the operator changes it
    on: crm.vendor.onimconnectormessageupdate
    do: shop.http.put
    set: {{path: /send, json: {{id: message.external, text: message.text}}}}
"""


class Channel:
    """Where the clients are: it hands out ids for what is sent to them."""

    def __init__(self) -> None:
        self.sent: list[dict[str, Any]] = []
        self.changed: list[dict[str, Any]] = []
        self.down = self.refuses = False
        app = Flask("channel")

        @app.post("/send")
        def send() -> Any:
            if self.down:
                return "closed", 503
            if self.refuses:
                return jsonify(error="outside the allowed window"), 400
            self.sent.append({"id": f"mid-{len(self.sent) + 1}", **request.get_json()})
            return jsonify(id=self.sent[-1]["id"])

        @app.put("/send")
        def change() -> Any:
            self.changed.append(request.get_json())
            return jsonify(ok=True)

        self.server = make_server("127.0.0.1", 0, app, threaded=True)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        self.thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        self.thread.start()

    def stop(self) -> None:
        self.server.shutdown()
        self.server.server_close()
        self.thread.join(5)


class ChatPlace:
    """Builds it all, installs the app and connects the line, as an administrator does."""

    def __init__(self, folder: Path) -> None:
        self.channel = Channel()
        self.portal = Bitrix24Sandbox(rate_per_second=None, operating_limit=None)
        self.stand = self.portal.start()
        given = self.portal.credentials()
        access = "\n".join(f'    {name}: "{given[name]}"' for name in NAMES)
        yaml = YAML.format(access=access, key=KEY, channel=self.channel.url)
        (folder / "hub.yaml").write_text(yaml)
        plugins = Plugins.discover(None, {})
        self.runtime = Runtime(
            load(folder / "hub.yaml", plugins, {}), plugins, Store.open(None, folder / "data"),
            folder=folder / "data", environ={},
        )  # fmt: skip
        self.crm = self.runtime.connector("crm")
        self.crm.settle = 0.3  # type: ignore[misc]
        self.engine = Engine(self.runtime, threads=8)
        app = create_app(self.runtime, self.engine.ring)
        self.receiver = app.extensions["receiver"]
        self.server = make_server("127.0.0.1", 0, app, threaded=True)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        self.thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        self.thread.start()
        self.engine.start()
        self.control("install_app", url=f"{self.url}/oauth/crm")
        self.until(lambda: self.crm.tokens.read())
        self.findings = self.crm.connect(f"{self.url}/in/crm")

    def close(self) -> None:
        self.engine.stop(3)
        self.server.shutdown()
        self.server.server_close()
        self.thread.join(5)
        self.receiver.commit.stop()
        self.stand.stop()
        self.portal.portal.events.close()
        self.channel.stop()
        self.runtime.close()

    # --- what people do --------------------------------------------------------------------------

    def control(self, what: str, **body: Any) -> Any:
        answer = requests.post(f"{self.stand.url}/_sandbox/{what}", json=body, timeout=10)
        answer.raise_for_status()
        return answer.json()

    def client(self, type: str = "message.received", user: str = "olena", **data: Any) -> None:
        """Something happens in the channel, and it tells the hub."""
        body = {
            "type": type,
            "id": data.get("key") or f"{type}:{data['id']}",
            "data": {"from": user, "name": "Olena K.", "handles": {"shop": user}, **data},
        }
        answer = requests.post(f"{self.url}/in/shop", json=body, headers={"X-Key": KEY}, timeout=10)
        assert answer.status_code == 200, answer.text

    def operator(self, text: str = "", act: str = "answer", chat: str = "olena", **more: Any) -> Any:
        """Somebody at the portal does something in the chat."""
        where = {"connector": "hub_shop", "line": "1", "chat": chat}
        return self.control("operator", **where, text=text, act=act, user_id=27, **more)

    # --- what stands there -----------------------------------------------------------------------

    def messages(self) -> list[dict[str, Any]]:
        """Return the messages of the portal's chats."""
        return list(self.portal.state()["messages"])

    def rows(self, sql: str) -> list[Any]:
        with self.runtime.store.read() as db:
            return [tuple(row) for row in db.rows(sql)]

    def until(self, what: Callable[[], Any], within: float = 20.0) -> Any:
        deadline = time.monotonic() + within
        while not (found := what()):
            assert time.monotonic() < deadline, f"{self.rows('SELECT * FROM delivery')[-4:]}"
            time.sleep(0.02)
        return found

    def settle(self) -> None:
        """Wait until the portal has told everything and the hub has nothing left to do."""
        assert self.portal.wait_events(10)
        tables = (("receipt", "new"), ("event", "waiting"), ("delivery", "ready"))
        parts = [f"(SELECT count(*) FROM {table} WHERE state = '{state}')" for table, state in tables]
        self.until(lambda: self.rows(f"SELECT {' + '.join(parts)}") == [(0,)])
