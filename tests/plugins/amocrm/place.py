"""A hub in this process with the quest company's routes, beside a running amoCRM account."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import requests

from plugins.amocrm.sandbox import AmoCrmSandbox
from tests.company import Company

SITE_SECRET = "site-secret-5f10aa"

YAML = """
hub: {{base_url: "https://hub.quests.example", timezone: Europe/Moscow, region: RU, unrouted: ignore}}
connections:
  amo:
    plugin: amocrm
    base_url: "{base_url}"
    {access}
    client_id: "{client_id}"
    client_secret: "{client_secret}"
    redirect_uri: "{redirect_uri}"
    hook_secret: "{hook_secret}"
    account_id: "{account_id}"
    chats: {{channel_id: "{channel}", secret: "{channel_secret}", account: "{amojo}", url: "{base_url}"}}
    limits: {{per_second: 500, burst: 500}}
    names:
      fields: {{game_at: "601001", quest: "601002", players: "601003", channel: "601004", utm_source: "601005",
        utm_campaign: "601006", ct_session: "601009", nps: "601010", booking: "601011", unsubscribed: "602002"}}
      stages: {{unsorted: 7100001/61000000, new: 7100001/61000001, in_work: 7100001/61000002, booked: 7100001/61000003,
        played: 7100001/61000004, won: 7100001/142, lost: 7100001/143, quality_new: 7100002/62000001}}
  site: {{plugin: form, secret: {secret}}}
routes:
{routes}
"""

ROUTES = """
  - name: every request ends in the CRM
    on: site.form.submitted
    do: amo.deal.upsert
    attach: {to: [open deal, open lead], within: 30d, as: note}
    set:
      name: "Site: {{ contact.name or contact.phone }}"
      stage: new
      channel: {value: site}
      utm_source: source.utm_source
      utm_campaign: source.utm_campaign
      ct_session: source.session_id
      quest: form.quest
      note: event.text
    as: deal
  - name: a task for every request
    on: amo.deal.created
    when: {deal.channel: site}
    do: amo.task.create
    set: {entity_type: leads, entity_id: deal.id, task_type_id: "1", text: Ответить, responsible_user_id: "3000002"}
  - name: a won deal is marked on its contact
    on: amo.deal.stage_changed
    when: {deal.stage: won}
    do: amo.contact.upsert
    find: deal.contact
    set: {unsubscribed: "no"}
  - name: an incoming lead is accepted
    on: amo.lead.created
    do: amo.lead.accept
    find: lead
    set: {stage: in_work}
  - name: who answers first becomes responsible
    on: amo.message.sent
    when: {deal.stage: new}
    do: amo.deal.upsert
    find: deal
    set: {stage: in_work}
"""


class Place(Company):
    """Builds it all; `workers` are engines with their own connections and clients, as processes have."""

    def __init__(
        self, folder: Path, routes: str = ROUTES, oauth: bool = False, workers: int = 1, clock: Any = None
    ) -> None:  # fmt: skip
        self.crm = AmoCrmSandbox(rate_per_second=None, **({"clock": clock} if clock else {}))
        stand = self.crm.start()
        given = self.crm.credentials()
        self.secrets = [given["hook_secret"], given["client_secret"], given["chats"]["secret"], SITE_SECRET]
        self.secrets += [] if oauth else [given["token"]]
        yaml = YAML.format(
            **{**given, "access": "" if oauth else f'token: "{given["token"]}"'}, channel=given["chats"]["channel_id"],
            channel_secret=given["chats"]["secret"], amojo=given["chats"]["account"], secret=SITE_SECRET, routes=routes,
        )  # fmt: skip
        super().__init__(folder, yaml, [stand], workers)
        self.connector = self.runtime.connector("amo")

    def start(self) -> Place:
        """Let the workers work, and the account tell the hub what happens."""
        self.work()
        return self

    def connect(self) -> Place:
        """Register the webhook and the marker's fields, as `hub connect` does."""
        found = self.connector.connect(f"{self.url}/in/amo")
        assert {one.level for one in found} == {"ok"}, found
        return self

    def close(self) -> None:
        """Take everything down: first what the account still wants to tell."""
        self.crm.hooks.close()
        super().close()

    # --- what people do --------------------------------------------------------------------------

    def form(self, name: str = "Анна", phone: str = "+79161112233", **fields: str) -> int:
        """Somebody sends the form of the site."""
        body = {"name": name, "phone": phone, **fields}
        return requests.post(f"{self.url}/in/site/{SITE_SECRET}", json=body, timeout=10).status_code

    def act(self, method: str, path: str, body: Any = None, user: int = 3000002) -> Any:
        """A colleague does something in the account."""
        return self.crm.act(method, path, body, user)

    def control(self, path: str, **body: Any) -> Any:
        """Use one of the sandbox's controls."""
        return self.tell(0, path, **body)

    def fault(self, kind: str, match: str = "", times: int = 1, **more: Any) -> None:
        """Arm a fault of the account."""
        self.control("fault", kind=kind, match=match, times=times, **more)

    def poll(self) -> None:
        """Let the hub ask now instead of in a few minutes."""
        self.ask("amo")

    # --- what stands there -----------------------------------------------------------------------

    def records(self, kind: str) -> list[dict[str, Any]]:
        """Return the account's records of a kind."""
        with self.crm.lock:
            return [dict(row) for row in self.crm.world.records[kind].values()]

    def field(self, row: dict[str, Any], number: int) -> Any:
        """Return the first value of a custom field."""
        found = [one for one in row["custom_fields_values"] or [] if one["field_id"] == number]
        return found[0]["values"][0]["value"] if found else None

    def told(self) -> list[str]:
        """Return the account's events that were news, in order."""
        sql = "SELECT type FROM event WHERE state = 'planned' AND connection = 'amo' ORDER BY id"
        return [row[0] for row in self.rows(sql)]

    def record(self, type: str, name: str) -> dict[str, Any]:
        """Return a record of the latest event of a type that was news."""
        sql = f"SELECT content FROM event WHERE type = '{type}' AND state = 'planned' ORDER BY id DESC LIMIT 1"
        [(content,)] = self.rows(sql)
        found: dict[str, Any] = json.loads(content)["record"][name]
        return found

    def again(self) -> None:
        """Send every webhook once more, as amoCRM does where an answer got lost."""
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        for sent in list(self.crm.hooks.sent):
            assert requests.post(sent.destination, data=sent.body, headers=headers, timeout=5).status_code == 200

    def settle(self, within: float = 20.0) -> None:
        """Wait until every webhook went out and nothing is left to do."""
        quiet = 0

        def idle() -> bool:
            nonlocal quiet
            assert self.crm.wait_hooks(within)
            quiet = quiet + 1 if self.idle() else 0
            return quiet == 3

        self.until(idle, within)
