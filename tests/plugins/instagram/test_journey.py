"""A company's hub between Instagram's and a CRM's stand-in: webhooks over real HTTP in, calls over real HTTP out."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from hub import outcome
from plugins.bitrix24.sandbox import Bitrix24Sandbox
from plugins.instagram.sandbox import ACCOUNT, CLIENT, InstagramSandbox
from tests.company import Company

YAML = """
hub: {{timezone: Europe/Kyiv, region: UA, unrouted: ignore, base_url: https://hub.example.com}}
connections:
  insta:
    plugin: instagram
    login: {login}
    app_secret: "an older secret, {app_secret}"
    verify_token: "{verify_token}"
    app_id: "{app_id}"
    access_token: "{access_token}"
    account_id: "{account_id}"
    api_url: "{api_url}"
    per_second: 100
  crm:
    plugin: bitrix24
    webhook_url: "{webhook_url}"
    application_token: "{application_token}"
    limits: {{per_second: 500, burst: 5000}}
routes:
  - name: every request lands in the CRM
    on: [insta.message.received, insta.comment.received]
    do: crm.lead.upsert
    attach: {{to: [open deal, open lead], within: 30d, as: comment}}
    set:
      TITLE: "Instagram: {{{{ contact.name or contact.handle }}}}"
      COMMENTS: event.text
      UTM_CAMPAIGN: message.ad_id
  - name: who asks in a comment is answered in both places
    on: insta.comment.received
    when: {{comment.text: {{like: "(?i)price|how much|скільки"}}}}
    steps:
      - {{do: insta.comment.reply, set: {{text: We have written to you}}}}
      - {{do: insta.message.private_reply, set: {{text: "500 UAH"}}}}
  - name: a lead moved on is told to the client
    on: crm.lead.stage_changed
    when: {{lead.stage: IN_PROCESS}}
    do: insta.message.send
    set: {{to: person.insta.contact, text: "{{{{ 'We are on it' }}}}"}}
  - name: what a colleague wrote by hand is kept
    on: [insta.message.sent, insta.comment.sent]
    do: crm.comment.create
    set: {{ENTITY_TYPE: lead, ENTITY_ID: "1001", COMMENT: "by hand: {{{{ event.text }}}}"}}
  - name: names reach the CRM
    on: insta.contact.updated
    do: crm.contact.upsert
    missing: skip
    set: {{NAME: contact.name}}
"""
EVENTS = ["ONCRMLEADADD", "ONCRMLEADUPDATE", "ONCRMCONTACTADD", "ONCRMCONTACTUPDATE"]


class Place(Company):
    """The hub and both stand-ins."""

    def __init__(self, folder: Path, login: str = "instagram", workers: int = 1) -> None:
        self.insta = InstagramSandbox(login)
        self.crm = Bitrix24Sandbox(rate_per_second=None, operating_limit=None)
        stands = [self.insta.start(), self.crm.start()]
        text = YAML.format(**self.insta.credentials(), **self.crm.credentials())
        super().__init__(folder, text, stands, workers, settle=0.5)

    def start(self) -> Place:
        self.work()
        assert self.tell(0, "handler", url=f"{self.url}/in/insta") == {"success": True}
        self.hear(1, "crm", EVENTS)
        self.looked("subscription")
        return self

    def looked(self, what: str) -> None:
        """Wait until a poll has been written down."""
        self.until(lambda: self.rows(f"SELECT 1 FROM cursor WHERE connection = 'insta' AND what = '{what}'"))

    def poll(self) -> None:
        self.ask("insta")

    def leads(self) -> list[dict[str, Any]]:
        select = ["ID", "TITLE", "COMMENTS", "UTM_CAMPAIGN", "CONTACT_ID", "STATUS_ID"]
        rows: list[dict[str, Any]] = self.crm.act("crm.lead.list", {"filter": {}, "select": select})
        return [row for row in rows if str(row["TITLE"]).startswith("Instagram")]

    def comments(self, text: str) -> int:
        return len([one for one in self.crm.state()["comments"] if text in str(one["COMMENT"])])

    def sent(self) -> list[str]:
        return [
            row.get("text", "") for chat in self.insta.world.chats.values() for row in chat.messages
            if row["from"] == ACCOUNT
        ]  # fmt: skip

    def settle(self, within: float = 25.0) -> None:
        """Wait until all is done, and what both stand-ins tell of it too: they tell it a moment later."""
        for _ in range(2):
            self.insta.wait_webhooks()
            self.crm.wait_events()
            super().settle(within)


@pytest.fixture
def places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Place]]:
    monkeypatch.setattr(outcome, "BACKOFF", (0.1, 0.2, 0.4))
    built: list[Place] = []

    def build(**options: Any) -> Place:
        built.append(Place(tmp_path / f"place{len(built)}", **options))
        return built[-1].start()

    yield build
    for one in built:
        one.close()


@pytest.fixture
def place(places: Callable[..., Place]) -> Place:
    return places()


def test_a_message_becomes_a_lead_and_the_next_one_joins_it(place: Place) -> None:
    place.insta.write(CLIENT, "Скільки коштує?", referral={"ad_id": "120000000000000001", "source": "ADS"})
    place.settle()
    [lead] = place.leads()
    assert (lead["TITLE"], lead["COMMENTS"]) == (f"Instagram: {CLIENT}", "Скільки коштує?")
    assert lead["UTM_CAMPAIGN"] == "120000000000000001"
    place.insta.write(CLIENT, "А в червоному?")
    place.settle()
    assert len(place.leads()) == 1
    assert place.comments("А в червоному?") == 1


def test_a_comment_is_answered_in_both_places_and_nothing_comes_back_as_news(place: Place) -> None:
    place.insta.comment(CLIENT, "How much?")
    place.settle()
    assert [one["text"] for one in place.insta.world.comments.values()] == ["How much?", "We have written to you"]
    assert place.sent() == ["500 UAH"]
    assert len(place.leads()) == 1
    said = place.rows("SELECT type, state FROM event WHERE type LIKE '%.sent' ORDER BY type")
    assert said == [("comment.sent", "echo"), ("message.sent", "echo")]
    assert place.comments("by hand") == 0


def test_the_crms_answer_reaches_the_client_and_is_known_as_ours(place: Place) -> None:
    place.insta.write(CLIENT, "How much?")
    place.settle()
    [lead] = place.leads()
    place.crm.act("crm.lead.update", {"id": lead["ID"], "fields": {"STATUS_ID": "IN_PROCESS"}})
    place.until(lambda: place.sent() == ["We are on it"])
    place.settle()
    assert place.rows("SELECT state FROM event WHERE type = 'message.sent'") == [("echo",)]
    assert place.comments("by hand") == 0


def test_what_a_colleague_writes_by_hand_is_news(place: Place) -> None:
    place.insta.write(CLIENT, "How much?")
    place.settle()
    place.insta.by_hand(CLIENT, "500 UAH")
    place.insta.comment(ACCOUNT, "New prices!")
    place.settle()
    assert place.comments("by hand: 500 UAH") == 1
    assert place.comments("by hand: New prices!") == 1


def test_under_load_no_message_of_ours_is_taken_for_a_colleagues(places: Callable[..., Place]) -> None:
    """P7: two workers answer 40 people at once while their echoes come in; each is known, whichever is quicker."""
    place = places(workers=2)
    for n in range(40):
        person = f"10000000000002{n:02d}"
        place.insta.world.people[person] = {"name": f"Person {n}", "username": f"person.{n}"}
        place.insta.comment(person, f"How much is number {n}?")
    place.settle(60.0)
    assert place.sent() == ["500 UAH"] * 40
    said = place.rows("SELECT type, state, count(*) FROM event WHERE type LIKE '%.sent' GROUP BY type, state")
    assert sorted(said) == [("comment.sent", "echo", 40), ("message.sent", "echo", 40)]
    assert place.comments("by hand") == 0


def test_a_lost_answer_makes_no_second_message(places: Callable[..., Place]) -> None:
    """P4, P7: the answer is lost, the echo comes while the send is in doubt; it settles the doubt and is no news."""
    place = places(workers=2)
    place.insta.write(CLIENT, "How much?")
    place.settle()
    [lead] = place.leads()
    place.arm(0, "lost_reply", "messages")
    place.crm.act("crm.lead.update", {"id": lead["ID"], "fields": {"STATUS_ID": "IN_PROCESS"}})
    place.until(lambda: place.sent() == ["We are on it"])
    place.until(lambda: place.rows("SELECT count(*) FROM delivery WHERE action = 'message.send' AND state = 'done'")
                == [(1,)])  # fmt: skip
    place.settle()
    assert place.sent() == ["We are on it"]
    assert place.rows("SELECT outcome FROM attempt WHERE outcome = 'uncertain'") == [("uncertain",)]
    assert place.rows("SELECT state FROM event WHERE type = 'message.sent'") == [("echo",)]
    assert place.comments("by hand") == 0


def test_a_day_later_the_hub_says_why_it_does_not_write(place: Place) -> None:
    place.insta.write(CLIENT, "How much?")
    place.settle()
    [lead] = place.leads()
    with place.store.write() as db:
        db.run("UPDATE event SET occurred_at = occurred_at - 90000 WHERE type = 'message.received'")
    place.crm.act("crm.lead.update", {"id": lead["ID"], "fields": {"STATUS_ID": "IN_PROCESS"}})
    [(reason,)] = place.until(
        lambda: place.rows("SELECT reason FROM delivery WHERE action = 'message.send' AND state = 'parked'")
    )
    assert "25 hours ago" in reason
    assert place.sent() == []
    assert place.insta.calls.get(f"POST {ACCOUNT}/messages") is None


def test_a_retried_webhook_is_one_event(place: Place) -> None:
    place.arm(0, "duplicate_webhook", "webhook", times=5)
    for n in range(5):
        place.insta.write(CLIENT, f"message {n}")
    place.settle()
    assert place.rows("SELECT count(*) FROM event WHERE type = 'message.received'") == [(5,)]


def test_a_lost_webhook_is_made_up_for(place: Place) -> None:
    place.looked("messages")
    place.arm(0, "drop_webhook", "webhook")
    place.insta.write(CLIENT, "Is anybody there?")
    assert place.rows("SELECT count(*) FROM event WHERE type = 'message.received'") == [(0,)]
    place.poll()
    place.until(lambda: len(place.leads()) == 1)
    assert place.leads()[0]["COMMENTS"] == "Is anybody there?"


def test_a_lost_comment_is_made_up_for_and_answered_once(place: Place) -> None:
    place.looked("comments")
    place.arm(0, "drop_webhook", "webhook")
    comment = place.insta.comment(CLIENT, "How much?")
    place.poll()
    place.until(lambda: place.sent() == ["500 UAH"])
    place.insta._tell_comment(place.insta.world.comments[comment])  # the webhook after all
    place.settle()
    place.poll()
    place.settle()
    assert place.sent() == ["500 UAH"]
    assert place.rows("SELECT count(*) FROM event WHERE type = 'comment.received'") == [(1,)]


def test_a_dropped_subscription_is_put_back_and_told(place: Place) -> None:
    place.insta.unsubscribe()
    place.poll()
    place.until(lambda: ACCOUNT in place.insta.world.subscribed)
    place.until(lambda: place.rows("SELECT count(*) FROM event WHERE type = 'connection.changed'") == [(1,)])


def test_the_clients_name_reaches_the_crm(place: Place) -> None:
    place.insta.write(CLIENT, "How much?")
    place.settle()
    contact = place.leads()[0]["CONTACT_ID"]
    place.poll()
    name = lambda: place.crm.act("crm.contact.get", {"id": contact})["NAME"]  # noqa: E731
    place.until(lambda: name() == "Олена Коваль")


def test_messages_come_in_while_the_token_is_dead(place: Place) -> None:
    """What comes in needs no call at Instagram: a dead token holds up answers, not requests."""
    place.insta.tokens.clear()
    place.poll()
    place.until(lambda: place.rows("SELECT 1 FROM alert WHERE kind = 'alert_auth'"))
    place.insta.write(CLIENT, "How much?")
    place.until(lambda: len(place.leads()) == 1)


def test_a_share_that_is_used_up_holds_messages_back_without_a_try(place: Place) -> None:
    place.insta.comment(CLIENT, "Price?")
    place.settle()
    place.insta.write(CLIENT, "hello")
    place.settle()
    place.arm(0, "app_limit", "messages")
    [lead] = place.leads()
    place.crm.act("crm.lead.update", {"id": lead["ID"], "fields": {"STATUS_ID": "IN_PROCESS"}})
    place.until(
        lambda: (
            place.rows("SELECT state, tries, wait FROM delivery WHERE action = 'message.send'")
            == [("ready", 0, "limit")]
        )
    )


def test_a_refreshed_token_is_used_and_no_secret_can_be_read(place: Place, caplog: pytest.LogCaptureFixture) -> None:
    """P11, P13: refreshed once, stored before use; after work and refusals no secret stands in the store or the log."""
    caplog.set_level(logging.DEBUG)
    place.looked("tokens")
    old = place.insta.access[ACCOUNT]
    place.insta.tokens[old].issued -= 3 * 86_400.0
    with place.store.write() as db:
        db.run("DELETE FROM token")
    place.poll()
    place.until(lambda: place.insta.calls.get("GET refresh_access_token", 0) >= 2)
    place.until(
        lambda: (place.runtime.connector("insta").tokens.read() or {}).get("accounts")
    )  # stored, not just begun
    place.insta.tokens.pop(old)
    place.insta.comment(CLIENT, "How much?")
    place.settle()
    assert place.sent() == ["500 UAH"]
    place.arm(0, "unknown_error", "replies")
    place.arm(0, "permission", "messages")
    place.insta.comment(CLIENT, "Price?")
    place.settle(30.0)
    credentials = place.insta.credentials()
    secrets = [credentials[name] for name in ("app_secret", "verify_token", "access_token")]
    secrets += [token for token in place.insta.tokens if token.startswith("IG")]
    files = [path for path in sorted((place.folder / "data").iterdir()) if path.is_file()]
    store = b"".join(path.read_bytes() for path in files)
    for secret in secrets:
        assert secret.encode() not in store, secret
        assert not [one for one in caplog.records if one.name.startswith("hub") and secret in one.getMessage()]


def test_both_logins_live_the_same_day(places: Callable[..., Place]) -> None:
    place = places(login="facebook")
    place.insta.comment(CLIENT, "How much?")
    place.settle()
    assert place.sent() == ["500 UAH"]


def test_a_consent_in_the_browser_gives_the_hub_its_token(place: Place) -> None:
    """The dead token holds the connection; the admin consents anew, and the message that waited goes out."""
    place.insta.write(CLIENT, "How much?")
    place.settle()
    [lead] = place.leads()
    place.looked("tokens")
    place.insta.tokens.clear()
    place.crm.act("crm.lead.update", {"id": lead["ID"], "fields": {"STATUS_ID": "IN_PROCESS"}})
    place.until(lambda: place.rows("SELECT 1 FROM alert WHERE kind = 'alert_auth' AND closed_at IS NULL"))
    page, browser = place.begin_consent("insta")
    assert page.startswith(f"{place.stands[0].url}/oauth/authorize?")
    back = requests.get(page, allow_redirects=False, timeout=5).headers["location"]
    assert back.startswith("https://hub.example.com/oauth/insta?")
    query = back.partition("?")[2].removesuffix("#_")
    forged = query.replace("state=", "state=1")
    assert requests.get(f"{place.url}/oauth/insta?{forged}", headers=browser, timeout=5).status_code == 403
    assert requests.get(f"{place.url}/oauth/insta?{query}", timeout=5).status_code == 403, "another browser"
    answer = requests.get(f"{place.url}/oauth/insta?{query}", headers=browser, timeout=5)
    assert (answer.status_code, ACCOUNT in answer.text) == (200, True)
    with place.store.write() as db:  # the next try need not be waited for
        db.run("UPDATE line SET due = ? WHERE key LIKE 'insta>%'", (db.now,))
    place.ring()
    place.until(lambda: place.sent() == ["We are on it"])


def test_a_stranger_is_turned_away(place: Place) -> None:
    body = b'{"object":"instagram","entry":[]}'
    assert requests.post(f"{place.url}/in/insta", data=body, timeout=5).status_code == 401
    query = {"hub.mode": "subscribe", "hub.challenge": "1", "hub.verify_token": "guessed-token"}
    answer = requests.get(f"{place.url}/in/insta", params=query, timeout=5)
    assert (answer.status_code, "guessed-token" in answer.text) == (403, False)
