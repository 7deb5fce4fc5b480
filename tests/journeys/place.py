"""A company's hub against both vendors' stand-ins: hooks over real HTTP in, calls over real HTTP out."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import requests
from werkzeug.serving import make_server

from hub.config import load
from hub.engine import Engine
from hub.plugins import Plugins
from hub.runtime import Runtime
from hub.store import Store, work
from hub.ticker import Ticker
from hub.web import create_app
from plugins.bitrix24.sandbox import Bitrix24Sandbox
from plugins.novaposhta.sandbox import NovaPoshtaSandbox

SITE_SECRET = "site-secret-5f10aa"
EVENTS = ["ONCRMDEALADD", "ONCRMDEALUPDATE", "ONCRMLEADADD", "ONCRMLEADUPDATE", "ONCRMCONTACTADD", "ONCRMCONTACTUPDATE"]

YAML = """
hub: {{timezone: Europe/Kyiv, region: UA, unrouted: ignore}}
connections:
  crm:
    plugin: bitrix24
    {access}
    application_token: "{token}"
    limits: {{per_second: 500, burst: 5000}}
    names:
      fields: {{ttn: UF_CRM_1730000001, city: UF_CRM_1730000003, branch: UF_CRM_1730000004, cod: UF_CRM_1730000005}}
      stages:
        to_ship: "C5:PREPARATION"
        shipped: "C5:EXECUTING"
        at_branch: "C5:UC_BRANCH"
        received: "C5:FINAL_INVOICE"
        returning: "C5:UC_RETURN"
  nova:
    plugin: novaposhta
    api_key: "{api_key}"
    api_url: "{api_url}"
    per_second: 50
    sender:
      {{city: {city}, counterparty: "{counterparty}", contact: "{contact}", address: "{address}", phone: "{phone}"}}
  site: {{plugin: form, secret: {secret}}}
routes:
  - name: a request from the site becomes a lead
    on: site.form.submitted
    do: crm.lead.upsert
    attach: {{to: [open deal, open lead], within: 30d, as: comment}}
    set: {{TITLE: "Site: {{{{ contact.name or contact.phone }}}}", SOURCE_ID: WEB}}
  - name: a deal to be shipped gets its waybill
    on: crm.deal.stage_changed
    when: {{deal.stage: to_ship, deal.ttn: absent}}
    steps:
      - do: nova.parcel.create
        set:
          {{city: deal.city, branch: deal.branch, name: contact.name, phone: contact.phone, cost: deal.amount,
          weight: "0.5", seats: "1", description: Cosmetics, CargoType: Parcel, ServiceType: WarehouseWarehouse,
          PayerType: Recipient, PaymentMethod: Cash}}
        as: waybill
      - {{do: crm.deal.upsert, find: deal, set: {{ttn: waybill.number}}}}
  - name: the parcel moves the deal
    on: nova.parcel.status_changed
    do: crm.deal.set_stage
    find: {{ttn: parcel.number}}
    missing: skip
    only_from: [to_ship, shipped, at_branch, received, returning]
    stage: {{accepted: shipped, in_transit: shipped, arrived: at_branch, delivered: received, refused: returning,
      returning: returning, other: ignore}}
"""


class Place:
    """Builds it all; `workers` are engines with their own connections and clients, as processes have."""

    def __init__(self, folder: Path, oauth: bool = False, workers: int = 1, clock: Any = None) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.crm = Bitrix24Sandbox(rate_per_second=None, operating_limit=None, clock=clock)
        self.post = NovaPoshtaSandbox()
        self.stands = [self.crm.start(), self.post.start()]
        crm, post = self.crm.credentials(), self.post.credentials()
        if oauth:
            names = ("client_id", "client_secret", "portal", "oauth_url")
            access = "\n    ".join(f'{name}: "{crm[name]}"' for name in names)
        else:
            access = f'webhook_url: "{crm["webhook_url"]}"'
        self.secrets = [SITE_SECRET, crm["application_token"], post["api_key"]]
        self.secrets += [crm["client_secret"]] if oauth else [crm["webhook_url"].rstrip("/").rpartition("/")[2]]
        yaml = YAML.format(
            access=access, token=crm["application_token"], api_key=post["api_key"], api_url=post["api_url"],
            secret=SITE_SECRET, **post["sender"],
        )  # fmt: skip
        (folder / "hub.yaml").write_text(yaml)
        plugins = Plugins.discover(None, {})
        self.config = load(folder / "hub.yaml", plugins, {})
        self.runtimes = [self._runtime(plugins) for _ in range(workers)]
        self.runtime, self.store = self.runtimes[0], self.runtimes[0].store
        for runtime in self.runtimes:
            for name in ("crm", "nova"):
                runtime.connector(name).settle = 0.3  # type: ignore[misc]
        self.engines = [Engine(runtime, threads=8) for runtime in self.runtimes]
        app = create_app(self.runtime, self.ring)
        self.receiver = app.extensions["receiver"]
        self.server = make_server("127.0.0.1", 0, app, threaded=True)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        self.thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        self.thread.start()

    def _runtime(self, plugins: Plugins) -> Runtime:
        store = Store.open(None, self.folder / "data")
        return Runtime(self.config, plugins, store, folder=self.folder / "data", environ={})

    def start(self) -> Place:
        """Let the workers work, and the portal tell the hub what happens."""
        for engine in self.engines:
            engine.start()
        Ticker(self.runtime).polls()
        token = self.crm.credentials()["application_token"]
        told = {"url": f"{self.url}/in/crm", "events": EVENTS, "application_token": token}
        requests.post(f"{self.stands[0].url}/_sandbox/outgoing_webhook", json=told, timeout=10).raise_for_status()
        return self

    def ring(self) -> None:
        """The bell."""
        for engine in self.engines:
            engine.ring()

    def close(self) -> None:
        """Take everything down."""
        for engine in self.engines:
            if engine.intake.is_alive():
                engine.stop(3)
        self.server.shutdown()
        self.server.server_close()
        self.thread.join(5)
        self.receiver.commit.stop()
        for stand in self.stands:
            stand.stop()
        self.crm.portal.events.close()
        for runtime in self.runtimes:
            runtime.close()

    # --- what people do --------------------------------------------------------------------------

    def form(self, name: str = "Olena", phone: str = "+380671112233", **fields: str) -> int:
        """Somebody sends the form of the site."""
        answer = requests.post(
            f"{self.url}/in/site/{SITE_SECRET}", json={"name": name, "phone": phone, **fields}, timeout=10
        )
        return answer.status_code

    def deal(self, phone: str = "+380671112233") -> str:
        """A manager makes a deal with its contact, and the hub has seen it."""
        contact = self.crm.act("crm.contact.add", {"fields": {
            "NAME": "Олена", "LAST_NAME": "Коваль", "PHONE": [{"VALUE": phone, "VALUE_TYPE": "MOBILE"}],
        }}, user_id=1)  # fmt: skip
        made = self.crm.act("crm.deal.add", {"fields": {
            "TITLE": "Набір", "CATEGORY_ID": "5", "STAGE_ID": "C5:NEW", "CONTACT_ID": contact, "OPPORTUNITY": "1250",
            "CURRENCY_ID": "UAH", "UF_CRM_1730000003": "Київ", "UF_CRM_1730000004": "1",
        }}, user_id=1)  # fmt: skip
        self.until(lambda: self.rows(f"SELECT 1 FROM seen WHERE subject = 'deal:{made}'"))
        return str(made)

    def ship(self, deal: str) -> None:
        """The manager drags the deal to the stage "to ship"."""
        self.crm.act("crm.deal.update", {"id": deal, "fields": {"STAGE_ID": "C5:PREPARATION"}}, user_id=1)

    def scan(self, number: str, code: str) -> None:
        """Nova Poshta scans the parcel, and the hub asks."""
        url = f"{self.stands[1].url}/_sandbox/parcels/{number}/status"
        requests.post(url, json={"code": code}, timeout=10).raise_for_status()
        self.poll()

    def poll(self) -> None:
        """Let the hub ask Nova Poshta now instead of in a few minutes."""
        with self.store.write() as db:
            work.poll_now(db, "nova")
        self.ring()

    def fault(self, which: int, kind: str, match: str = "", times: int = 1, **more: Any) -> None:
        """Arm a fault: 0 = the CRM, 1 = Nova Poshta."""
        body = {"kind": kind, "match": match, "times": times, **more}
        requests.post(f"{self.stands[which].url}/_sandbox/fault", json=body, timeout=10).raise_for_status()

    # --- what stands there -----------------------------------------------------------------------

    def of_deal(self, deal: str) -> dict[str, Any]:
        """Return a deal as the CRM has it."""
        return self.crm.act("crm.deal.get", {"id": deal}, user_id=1)

    def listed(self, method: str, **params: Any) -> list[dict[str, Any]]:
        """Return what a list method of the CRM answers."""
        return self.crm.act(method, params, user_id=1)

    def waybills(self) -> list[dict[str, Any]]:
        """Return Nova Poshta's waybills."""
        return list(self.post.state()["waybills"])

    def rows(self, sql: str) -> list[Any]:
        """Read the store."""
        with self.store.read() as db:
            return [tuple(row) for row in db.rows(sql)]

    def until(self, what: Callable[[], Any], within: float = 20.0) -> Any:
        """Poll until `what()` is true."""
        deadline = time.monotonic() + within
        while not (found := what()):
            assert time.monotonic() < deadline, f"{self.rows('SELECT * FROM delivery')[-4:]}"
            time.sleep(0.02)
        return found

    def settle(self, within: float = 20.0) -> None:
        """Wait until nothing is left to do."""
        tables = (("receipt", "new"), ("event", "waiting"), ("delivery", "ready"))
        parts = [f"(SELECT count(*) FROM {table} WHERE state = '{state}')" for table, state in tables]
        self.until(lambda: self.rows(f"SELECT {' + '.join(parts)}") == [(0,)], within)
