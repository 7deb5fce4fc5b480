"""Scenario D6 end to end: calls and requests become deals with their source, a won deal goes back with its revenue.

A hub with a CRM's stand-in and Calltouch's, everything over real HTTP. The CRM is the one that is here; the routes are
those of the quest company.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import requests

from hub import outcome
from plugins.bitrix24.sandbox import Bitrix24Sandbox
from plugins.calltouch.sandbox import CalltouchSandbox
from plugins.calltouch.sandbox.hooks import call_message
from tests.company import Company

SITE = "a-secret-of-the-site"
EVENTS = ["ONCRMDEALADD", "ONCRMDEALUPDATE"]
YAML = """
hub: {{timezone: Europe/Moscow, region: RU, unrouted: ignore}}
connections:
  crm:
    plugin: bitrix24
    webhook_url: "{webhook_url}"
    application_token: "{token}"
    limits: {{per_second: 500, burst: 5000}}
    names:
      fields: {{ct_call: UF_CRM_1730000001, ct_session: UF_CRM_1730000003, ct_request: UF_CRM_1730000004}}
      stages: {{new: "C5:NEW", won: "C5:WON"}}
  calls: {{plugin: calltouch, site_id: "{site_id}", client_api_id: "{client_api_id}", access_token: "{access_token}",
           secret: "{secret}", base_url: "{base_url}", timezone: Europe/Moscow, poll: 5m}}
  site: {{plugin: form, secret: "{site_secret}"}}
routes:
  - name: the site's requests to Calltouch
    on: site.form.submitted
    do: calls.request.register
    set: {{subject: Site, phone: contact.phone, name: contact.name, session: source.session_id}}
  - name: every call and request ends in the CRM
    on: [calls.call.finished, calls.call.missed, calls.form.submitted]
    do: crm.deal.upsert
    attach: {{to: [open deal], within: 30d, as: comment}}
    set:
      TITLE: "{{{{ event.channel }}}}: {{{{ contact.name or contact.phone }}}}"
      STAGE_ID: new
      CATEGORY_ID: "5"
      UTM_SOURCE: source.utm_source
      UTM_CAMPAIGN: source.utm_campaign
      ct_session: source.session_id
      ct_call: call.id
      ct_request: {{from: form.id, when: {{event.connection: calls}}}}
  - name: deal and revenue to Calltouch
    on: [crm.deal.created, crm.deal.stage_changed]
    do: calls.deal.upsert
    set: {{orderNumber: deal.id, orderDate: deal.created_at, status: deal.stage, revenue: deal.amount, currency: rub,
           matching: [{{call: deal.ct_call}}, {{request: deal.ct_request}}, {{leadContact: contact.phone}},
                      withoutSource]}}
"""


class Quest(Company):
    """The hub, the CRM and Calltouch."""

    def __init__(self, folder: Path) -> None:
        self.crm = Bitrix24Sandbox(rate_per_second=None, operating_limit=None)
        self.calltouch = CalltouchSandbox(calls_per_second=0)
        stands = [self.crm.start(), self.calltouch.start()]
        crm, calls = self.crm.credentials(), self.calltouch.credentials()
        text = YAML.format(webhook_url=crm["webhook_url"], token=crm["application_token"], site_secret=SITE, **calls)
        super().__init__(folder, text, stands)
        self.work()
        self.hear(0, "crm", EVENTS)

    def hook(self, method: str = "POST", format: str = "form", fields: list[str] | None = None, **more: Any) -> None:
        """Add a hook in the cabinet: an address with the secret, as the admin pastes it."""
        secret = self.calltouch.credentials()["secret"]
        wanted = {"url": f"{self.url}/in/calls/{secret}", "method": method, "format": format, "fields": fields, **more}
        self.tell(1, "hooks", **wanted)

    def deals(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.crm.act("crm.deal.list", {"select": ["*", "UF_*"]}, user_id=1)
        return found

    def orders(self) -> dict[str, Any]:
        with self.calltouch.lock:
            return dict(self.calltouch.data["orders"])

    def poll(self) -> None:
        """Let the hub read both journals now, as soon as it isn't doing so anyway."""

        self.ask("calls", 2)

    def types(self, connection: str = "calls") -> list[str]:
        return [row[0] for row in self.rows(f"SELECT type FROM event WHERE connection = '{connection}' ORDER BY id")]


@pytest.fixture
def company(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Quest]:
    monkeypatch.setattr(outcome, "BACKOFF", (0.1, 0.2, 0.4))
    made = Quest(tmp_path)
    yield made
    made.close()


def won(company: Quest, deal: dict[str, Any], amount: str) -> None:
    fields = {"STAGE_ID": "C5:WON", "OPPORTUNITY": amount}
    company.crm.act("crm.deal.update", {"id": deal["ID"], "fields": fields}, user_id=1)


def test_a_call_becomes_a_deal_and_its_revenue_goes_back(company: Quest) -> None:
    company.hook()
    call = company.calltouch.call("79000000001", utm_source="ads", utm_campaign="spring")
    [deal] = company.until(company.deals)
    assert (deal["UF_CRM_1730000001"], deal["UF_CRM_1730000003"]) == (str(call["callId"]), str(call["sessionId"]))
    assert (deal["UTM_SOURCE"], deal["UTM_CAMPAIGN"], deal["STAGE_ID"]) == ("ads", "spring", "C5:NEW")
    company.until(lambda: company.orders().get(deal["ID"]))
    assert company.orders()[deal["ID"]]["lead"] == {"call": call["callId"]}
    won(company, deal, "3500")
    company.until(lambda: company.orders()[deal["ID"]].get("status") == "C5:WON")
    kept = company.orders()[deal["ID"]]
    assert (kept["revenue"].partition(".")[0], kept["currency"]) == ("3500", "rub")
    assert kept["history"] == ["C5:NEW", "C5:WON"]
    assert len(company.orders()) == len(company.deals()) == 1


@pytest.mark.parametrize(("method", "format"), [("POST", "form"), ("POST", "json"), ("GET", "form")])
@pytest.mark.parametrize("ticked", [True, False], ids=["callId ticked", "callId not ticked"])
def test_one_call_told_by_hooks_and_journal_is_one_deal(company: Quest, method: str, format: str, ticked: bool) -> None:
    fields = ["leadtype", "callphase", "callerphone", "calltime", "timestamp", "status", "duration", "sessionId"]
    company.hook(method, format, [*fields, *(["callId"] if ticked else [])])
    company.calltouch.call("79000000001")
    company.until(company.deals)
    for _ in range(2):
        before = company.calltouch.calls.get("calls-diary/calls", 0)
        company.poll()
        company.until(lambda before=before: company.calltouch.calls.get("calls-diary/calls", 0) > before)  # type: ignore[misc]
        company.settle()
    assert company.types() == ["call.started", "call.finished"]
    assert len(company.deals()) == 1


def test_copies_at_the_same_moment_are_one_call(company: Quest) -> None:
    """Calltouch's retries (if it has any), in parallel and in all three forms, while the journal is being read."""
    record = company.calltouch.call("79000000001", lost=True)
    message = {name: value for name, value in call_message(record, started=False).items() if value is not None}
    url = f"{company.url}/in/calls/{company.calltouch.credentials()['secret']}"
    ways: list[dict[str, Any]] = [{"data": message}, {"json": message}, {"params": message}]

    def send(number: int) -> int:
        stamped = {key: {**body, "sendingTimestamp": number} for key, body in ways[number % 3].items()}
        return requests.request("GET" if number % 3 == 2 else "POST", url, timeout=20, **stamped).status_code

    with ThreadPoolExecutor(12) as pool:
        company.poll()
        assert set(pool.map(send, range(36))) == {200}
    company.until(company.deals)
    company.settle()
    assert company.types() == ["call.finished"]
    assert len(company.deals()) == 1


def test_a_lost_hook_is_healed_by_the_journal(company: Quest) -> None:
    company.calltouch.call("79000000001", lost=True)
    company.calltouch.fill("79000000002", name="Тест Тестов", lost=True)
    company.poll()
    deals = company.until(lambda: len(company.deals()) == 2 and company.deals())
    assert sorted(deal["TITLE"] for deal in deals) == ["form: Тест Тестов", "phone: +79000000001"]
    company.until(lambda: len(company.orders()) == 2)
    assert sorted(str(list(one["lead"])) for one in company.orders().values()) == ["['call']", "['request']"]


def test_a_request_and_a_call_of_one_person_join(company: Quest) -> None:
    company.hook()
    company.calltouch.fill("79000000001", name="Тест")
    [deal] = company.until(company.deals)
    company.settle()
    company.calltouch.call("79000000001")
    company.settle()
    assert [one["ID"] for one in company.deals()] == [deal["ID"]]
    comments = company.crm.act(
        "crm.timeline.comment.list", {"filter": {"ENTITY_ID": deal["ID"], "ENTITY_TYPE": "deal"}}, user_id=1
    )
    assert any("+79000000001" in one["COMMENT"] for one in comments)


@pytest.mark.parametrize(
    ("fault", "times"), [("outage", 2), ("503", 2), ("lost_reply", 1), ("html", 1), ("rate_limit", 1)]
)
def test_a_bad_day_of_calltouch_loses_and_doubles_nothing(company: Quest, fault: str, times: int) -> None:
    company.hook()
    company.arm(1, fault, "client-order", times)
    call = company.calltouch.call("79000000001")
    [deal] = company.until(company.deals)
    company.until(lambda: company.orders().get(deal["ID"]))
    company.settle()
    assert company.orders()[deal["ID"]]["lead"] == {"call": call["callId"]}
    won(company, deal, "100")
    company.until(lambda: company.orders()[deal["ID"]].get("status") == "C5:WON")
    assert len(company.orders()) == 1
    assert company.rows("SELECT count(*) FROM delivery WHERE state = 'parked'") == [(0,)]


def test_a_request_the_hub_has_registered_comes_back_as_no_news(company: Quest) -> None:
    company.hook()
    form = {"name": "Тест", "phone": "+79000000001", "session_id": "400000777"}
    assert requests.post(f"{company.url}/in/site/{SITE}", json=form, timeout=5).ok
    company.until(lambda: company.types() == ["vendor.request_registered"])
    company.poll()
    company.until(lambda: company.calltouch.calls.get("requests", 0) > 1)
    company.settle()
    assert company.types() == ["vendor.request_registered"]
    assert company.deals() == []
    [kept] = company.calltouch.data["requests"]
    assert kept["session"]["sessionId"] == 400000777


def test_a_wrong_secret_stores_nothing(company: Quest) -> None:
    for path in ("/in/calls", "/in/calls/wrong", "/in/calls?secret=wrong"):
        answer = requests.post(f"{company.url}{path}", data={"leadtype": "call"}, timeout=5)
        assert answer.status_code == 401
    assert company.rows("SELECT count(*) FROM receipt") == [(0,)]


def test_no_secret_stands_in_the_store_or_in_what_is_shown(company: Quest, tmp_path: Path) -> None:
    company.hook("GET")
    company.calltouch.call("79000000001")
    company.until(company.deals)
    company.settle()
    calls = company.calltouch.credentials()
    shown = str(company.rows("SELECT * FROM event")) + str(company.rows("SELECT * FROM attempt"))
    for name in ("client_api_id", "access_token", "secret"):
        assert calls[name] not in shown
