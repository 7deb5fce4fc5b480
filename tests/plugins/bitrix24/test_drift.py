"""A portal that changes under a working hub: its own userfields, stages and employees, over real HTTP."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from hub.connector import Named
from hub.store import drift
from hub.testing.build import build
from hub.ticker import Ticker
from plugins.bitrix24.connector import Bitrix24
from plugins.bitrix24.sandbox import Bitrix24Sandbox
from tests.company import Company

CITY = "UF_CRM_1730000003"
YAML = """
hub: {{timezone: Europe/Kyiv, region: UA, unrouted: ignore}}
connections:
  crm:
    plugin: bitrix24
    webhook_url: "{hook}"
    application_token: "{token}"
    limits: {{per_second: 500, burst: 5000}}
    names:
      fields: {{city: UF_CRM_1730000003}}
  site: {{plugin: form, secret: fake-secret-of-the-site}}
routes:
  - name: a request becomes a deal
    on: site.form.submitted
    do: crm.deal.create
    set:
      TITLE: "Site: {{{{ contact.name }}}}"
      city: form.city
      STAGE_ID: "C5:PREPARATION"
      CATEGORY_ID: "5"
"""


class Shop(Company):
    """A hub at a portal."""

    def __init__(self, folder: Path) -> None:
        self.portal = Bitrix24Sandbox(rate_per_second=None, operating_limit=None)
        stand = self.portal.start()
        given = self.portal.credentials()
        yaml = YAML.format(hook=given["webhook_url"], token=given["application_token"])
        super().__init__(folder, yaml, [stand])
        self.work()

    def look(self) -> None:
        """Have the portal looked at now."""
        Ticker(self.runtime).look_at_accounts()
        self.ring()
        self.until(self._looked)
        self.runtime.pauses.forget()
        self.settle()

    def _looked(self) -> bool:
        with self.store.read() as db:
            row = db.one("SELECT due, lease FROM line WHERE key = 'drift:crm'")
            return row is not None and row[1] is None and row[0] > db.now

    def form(self, city: str, phone: str) -> None:
        """Somebody sends the form; the hub does what it can."""
        body = {"name": "Olena", "phone": phone, "city": city}
        answer = requests.post(f"{self.url}/in/site/fake-secret-of-the-site", json=body, timeout=10)
        assert answer.status_code == 200
        self.settle()

    def deals(self) -> list[tuple[str, str]]:
        """City and stage of every deal the hub has made."""
        rows = self.portal.act("crm.deal.list", {"select": ["*", "UF_*"], "filter": {"%TITLE": "Site:"}})
        return [(row.get(CITY) or "", row["STAGE_ID"]) for row in rows]


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Shop]:
    made = Shop(tmp_path)
    yield made
    made.close()


def test_a_userfield_deleted_in_the_portal_pauses_one_line_and_is_caught_up(shop: Shop) -> None:
    shop.look()
    (field,) = shop.portal.act("crm.deal.userfield.list", {"filter": {"FIELD_NAME": CITY}})
    shop.portal.act("crm.deal.userfield.delete", {"id": field["ID"]})
    shop.look()
    ((params,),) = shop.rows("SELECT params FROM alert WHERE kind = 'alert_drift_deleted' AND closed_at IS NULL")
    assert '"lines":"hub.yaml:18 set.city"' in params and CITY in params
    shop.form("Київ", "+380671112233")
    assert shop.deals() == [("", "C5:PREPARATION")]
    shop.portal.act("crm.deal.userfield.add", {"fields": {"FIELD_NAME": CITY, "USER_TYPE_ID": "string",
                                                          "EDIT_FORM_LABEL": {"ru": "Місто"}}})  # fmt: skip
    before = shop.rows("SELECT count(*) FROM attempt")
    shop.look()
    assert shop.deals() == [("Київ", "C5:PREPARATION")]
    assert shop.rows("SELECT count(*) FROM attempt") == [(before[0][0] + 1,)]
    assert shop.rows("SELECT state FROM part") == [("replayed",)]
    shop.form("Львів", "+380501112233")
    assert [city for city, _ in shop.deals()] == ["Київ", "Львів"]


def test_a_stage_that_is_gone_is_left_out_of_a_new_deal(shop: Shop) -> None:
    shop.look()
    rows = shop.portal.portal.statuses
    rows[:] = [row for row in rows if row["STATUS_ID"] != "C5:PREPARATION"]
    shop.look()
    shop.form("Київ", "+380671112233")
    assert shop.deals() == [("Київ", "C5:NEW")]
    with shop.store.read() as db:
        (part,) = drift.parked(db, "crm")
    assert (part.field, part.code, part.place.split(" ")[0]) == ("STAGE_ID", "stage:C5:PREPARATION", "hub.yaml:19")


def test_the_inventory_tells_types_pipelines_and_employees() -> None:
    with Bitrix24Sandbox(rate_per_second=None).start() as running:
        crm = build(Bitrix24, {"webhook_url": running.sandbox.credentials()["webhook_url"]})
        found = crm.inventory()
        for number in range(60):
            running.sandbox.portal.users[f"9{number}"] = {"ID": f"9{number}", "NAME": f"N{number}", "ACTIVE": True}
        assert sum(one.kind == "user" for one in crm.inventory()) >= 60, "page by page"
    assert Named("field", CITY, "Місто", "deal", "string") in found
    assert next(one for one in found if (one.record, one.code) == ("deal", "ASSIGNED_BY_ID")).type == "user"
    assert next(one for one in found if one.code == "C5:UC_BRANCH").pipeline == "5"
    assert {one.record for one in found if one.kind == "stage"} >= {"lead", "deal"}
    assert "5" in {one.code for one in found if one.kind == "pipeline"}


def test_without_the_right_to_read_employees_the_rest_is_told() -> None:
    with Bitrix24Sandbox(scopes=["crm"]).start() as running:
        crm = build(Bitrix24, {"webhook_url": running.sandbox.credentials()["webhook_url"]})
        kinds = {one.kind for one in crm.inventory()}
    assert kinds == {"field", "stage", "pipeline"}
