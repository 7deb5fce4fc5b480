"""A company's hub against both vendors' stand-ins: hooks over real HTTP in, calls over real HTTP out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import requests

from plugins.bitrix24.sandbox import Bitrix24Sandbox
from plugins.novaposhta.sandbox import NovaPoshtaSandbox
from tests.company import Company

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


class Place(Company):
    """Builds it all; `workers` are engines with their own connections and clients, as processes have."""

    def __init__(self, folder: Path, oauth: bool = False, workers: int = 1, clock: Any = None) -> None:
        self.crm = Bitrix24Sandbox(rate_per_second=None, operating_limit=None, clock=clock)
        self.post = NovaPoshtaSandbox()
        stands = [self.crm.start(), self.post.start()]
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
        super().__init__(folder, yaml, stands, workers)

    def start(self) -> Place:
        """Let the workers work, and the portal tell the hub what happens."""
        self.work()
        self.hear(0, "crm", EVENTS)
        return self

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
        self.tell(1, f"parcels/{number}/status", code=code)
        self.poll()

    def poll(self) -> None:
        """Let the hub ask Nova Poshta now instead of in a few minutes."""
        self.ask("nova")

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
