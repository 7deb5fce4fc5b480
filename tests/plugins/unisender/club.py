"""A dog club: its hub in this process, with both products and a CRM, over real HTTP."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from plugins.bitrix24.sandbox import Bitrix24Sandbox
from plugins.unisender.sandbox import UnisenderSandbox
from tests.company import Company

YAML = """
hub: {{timezone: Europe/Moscow, region: RU, unrouted: ignore}}
connections:
  crm:
    plugin: bitrix24
    webhook_url: "{webhook_url}"
    application_token: "{token}"
    limits: {{per_second: 500, burst: 5000}}
    names:
      stages: {{played: "C5:EXECUTING", chosen: "C5:PREPARATION", opened: "C5:UC_BRANCH", news: "C5:FINAL_INVOICE",
        called_off: "C5:WON", silent: "C5:LOSE"}}
  letters:
    plugin: unisender
    product: classic
    api_key: "{key}"
    base_url: "{base_url}"
    secret: unguessable-end
    from_email: club@dogclub.example
    per_second: 50
    lists: {{guests: "134", invited: "135"}}
  mail: {{plugin: unisender, product: go, api_key: "{key}", base_url: "{base_url}", from_email: club@dogclub.example,
    from_name: Dog club}}
routes:
  - name: guests to the mailing list
    on: crm.deal.stage_changed
    when: {{deal.stage: played, contact.email: valid}}
    steps:
      - do: letters.contact.subscribe
        set: {{list_ids: guests, double_optin: 3, overwrite: 2,
          fields: {{email: contact.email, Name: contact.first_name}}}}
      - do: letters.email.send
        set: {{email: contact.email, list_id: guests, subject: Thank you, body: "<p>{{{{ contact.first_name }}}}</p>",
          metadata: {{deal: deal.id}}}}
  - name: bounce or leave is marked
    on: [letters.email.bounced, letters.email.unsubscribed, mail.email.bounced, mail.email.unsubscribed]
    do: crm.contact.upsert
    find: person
    missing: skip
    set:
      COMMENTS: {{from: event.type, map: {{email.bounced: "bounced: {{{{ email.reason }}}}", other: leave}}}}
      SOURCE_DESCRIPTION: {{from: event.type, map: {{email.unsubscribed: unsubscribed, other: leave}}}}
  - name: care letter
    on: crm.deal.stage_changed
    when: {{deal.stage: chosen, contact.email: valid}}
    do: mail.email.send
    set: {{email: contact.email, name: contact.name, subject: Care, html: "<p>{{{{ deal.title }}}}</p>",
      substitutions: {{breed: deal.title}}, metadata: {{deal: deal.id}}}}
  - name: a monthly letter
    on: crm.deal.stage_changed
    when: {{deal.stage: news}}
    steps:
      - {{do: letters.letter.create, set: {{list_id: guests, subject: News, body: <p>News</p>}}, as: news}}
      - {{do: letters.campaign.create, set: {{message_id: news.id}}}}
  - name: a letter that is called off again
    on: crm.deal.stage_changed
    when: {{deal.stage: called_off}}
    steps:
      - {{do: letters.letter.create, set: {{list_id: guests, subject: News, body: <p>News</p>}}, as: news}}
      - {{do: letters.campaign.create, set: {{message_id: news.id, start_time: "2099-01-01 12:00"}}, as: mailing}}
      - {{do: letters.campaign.cancel, set: {{campaign_id: mailing.id}}}}
  - name: who wants no more letters gets none
    on: crm.deal.stage_changed
    when: {{deal.stage: silent}}
    do: letters.contact.unsubscribe
    set: {{email: contact.email}}
  - name: who joins by himself is greeted
    on: letters.subscription.changed
    do: letters.email.send
    set: {{email: email.address, list_id: guests, subject: Welcome, body: <p>Welcome</p>}}
  - name: the link was followed
    on: mail.email.clicked
    when: {{email.url: {{contains: /training-form}}}}
    do: crm.deal.set_stage
    missing: skip
    stage: opened
"""
EVENTS = ["ONCRMDEALADD", "ONCRMDEALUPDATE", "ONCRMCONTACTADD", "ONCRMCONTACTUPDATE"]


class Club(Company):
    """The hub in this process, both vendors' stand-ins beside it."""

    def __init__(self, folder: Path) -> None:
        self.crm = Bitrix24Sandbox(rate_per_second=None, operating_limit=None)
        self.post = UnisenderSandbox()
        stands = [self.crm.start(), self.post.start()]
        crm, post = self.crm.credentials(), self.post.credentials()
        text = YAML.format(
            webhook_url=crm["webhook_url"], token=crm["application_token"], key=post["api_key"],
            base_url=post["base_url"],
        )  # fmt: skip
        super().__init__(folder, text, stands, settle=0.2)
        self.work()
        self.hear(0, "crm", EVENTS)
        self.tell(1, "hook", url=f"{self.url}/in/letters/unguessable-end")
        self.tell(1, "hook", url=f"{self.url}/in/mail", product="go")

    def deal(self, stage: str, email: str = "anna@example.com") -> tuple[str, str]:
        """A manager makes a contact with a deal, and drags it to a stage; return their ids."""
        contact = self.crm.act("crm.contact.add", {"fields": {
            "NAME": "Anna", "LAST_NAME": "Petrova", "EMAIL": [{"VALUE": email, "VALUE_TYPE": "WORK"}],
        }}, user_id=1)  # fmt: skip
        deal = self.crm.act("crm.deal.add", {"fields": {
            "TITLE": "Corgi", "CATEGORY_ID": "5", "STAGE_ID": "C5:NEW", "CONTACT_ID": contact,
        }}, user_id=1)  # fmt: skip
        self.until(lambda: self.rows(f"SELECT 1 FROM seen WHERE subject = 'deal:{deal}'"))
        self.crm.act("crm.deal.update", {"id": deal, "fields": {"STAGE_ID": stage}}, user_id=1)
        return str(deal), str(contact)

    def of(self, kind: str, id_: str) -> dict[str, Any]:
        """Return a record as the CRM has it."""
        record: dict[str, Any] = self.crm.act(f"crm.{kind}.get", {"id": id_}, user_id=1)
        return record

    def done(self, action: str, state: str = "done") -> list[Any]:
        """Return the deliveries of an action in a state, with their tries."""
        return self.rows(f"SELECT id, tries FROM delivery WHERE action = '{action}' AND state = '{state}'")

    def events(self, type_: str) -> int:
        """Count events of a type."""
        return int(self.rows(f"SELECT count(*) FROM event WHERE type = '{type_}'")[0][0])
