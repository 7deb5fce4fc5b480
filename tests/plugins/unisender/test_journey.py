"""A company's hub with both products and a CRM, over real HTTP: a stage subscribes and writes, marks come back."""

from __future__ import annotations

import pytest
import requests

from plugins.unisender.sandbox.outbox import Outbox, signed
from tests.plugins.unisender.club import Club


def test_a_stage_subscribes_and_the_bounce_comes_back(company: Club) -> None:
    _, contact = company.deal("C5:EXECUTING")
    company.until(lambda: company.done("email.send"))
    [reader] = company.post.world.contacts
    assert (reader.email, reader.fields, reader.lists) == ("anna@example.com", {"Name": "Anna"}, {"134": "new"})
    [(number, letter)] = company.post.world.letters.items()
    assert (letter["email"], letter["body"]) == ("anna@example.com", "<p>Anna</p>")
    assert company.tell(1, f"letters/{number}/status", status="err_mailbox_full")["answers"] == [200]
    assert company.tell(1, f"letters/{number}/status", status="err_user_unknown")["answers"] == [200]
    company.until(lambda: company.of("contact", contact).get("COMMENTS") == "bounced: no such mailbox")
    company.until(lambda: company.done("contact.upsert"))
    assert company.rows("SELECT count(*) FROM delivery WHERE action = 'contact.upsert'") == [(1,)]  # no mark when full
    company.tell(1, "leave", email="anna@example.com")
    company.until(lambda: company.of("contact", contact).get("SOURCE_DESCRIPTION") == "unsubscribed")
    assert company.of("contact", contact)["COMMENTS"] == "bounced: no such mailbox"


def test_what_the_vendor_repeats_is_one_event(company: Club) -> None:
    """It was taken, and the vendor doesn't know: the answer came too late for it."""
    company.deal("C5:EXECUTING")
    company.until(lambda: company.done("email.send"))
    number = next(iter(company.post.world.letters))
    outbox, sent = company.post.outbox, []
    outbox.send = lambda message: sent.append(message) or Outbox.send(outbox, message)  # type: ignore[method-assign]
    company.tell(1, f"letters/{number}/status", status="err_user_unknown")
    company.until(lambda: company.done("contact.upsert"))
    for _ in range(3):
        outbox.waiting.append(sent[0])
        assert company.tell(1, "redeliver")["answers"] == [200]
    assert (len(sent), sent[0].retries) == (4, 3)
    body = signed({**sent[0].body, "retry_count": 4})
    for url, forged in ((sent[0].url, body.replace(b"anna", b"olga")), (f"{company.url}/in/letters", body)):
        assert requests.post(url, data=forged, timeout=5).status_code == 401
    company.tell(1, f"letters/{number}/status", status="ok_fbl")
    company.until(lambda: company.events("email.complained"))
    assert company.events("email.bounced") == 1
    assert company.rows("SELECT count(*) FROM delivery WHERE action = 'contact.upsert'") == [(1,)]
    assert company.rows("SELECT n FROM counter WHERE connection = 'letters' AND name = 'duplicate'") == [(3,)]


def test_a_letter_of_go_moves_its_deal(company: Club) -> None:
    """The click knows the deal by the letter's link, without anybody's fields."""
    deal, contact = company.deal("C5:PREPARATION")
    job = company.until(lambda: next(iter(company.post.world.jobs), None))
    company.until(lambda: company.done("email.send"))
    assert company.post.world.jobs[job]["metadata"]["anna@example.com"]["deal"] == deal
    company.tell(1, f"jobs/{job}/status", status="soft_bounced", delivery_status="err_mailbox_full")
    company.tell(1, f"jobs/{job}/status", status="clicked", url="https://dogclub.example/shop")
    company.tell(1, f"jobs/{job}/status", status="clicked", url="https://dogclub.example/training-form")
    company.until(lambda: company.of("deal", deal)["STAGE_ID"] == "C5:UC_BRANCH")
    company.tell(1, f"jobs/{job}/status", status="hard_bounced", delivery_status="err_user_unknown")
    company.until(lambda: str(company.of("contact", contact).get("COMMENTS") or "").startswith("bounced: "))
    assert company.events("email.bounced") == 1


def test_an_address_that_go_refuses_is_marked_without_a_webhook(company: Club) -> None:
    company.tell(1, "suppress", email="anna@example.com", reason="permanent_unavailable")
    _, contact = company.deal("C5:PREPARATION")
    company.until(lambda: str(company.of("contact", contact).get("COMMENTS") or "").startswith("bounced: not sent"))
    assert len(company.done("email.send")) == 1


def test_a_lost_answer_makes_no_second_letter(company: Club) -> None:
    company.arm(1, "lost_reply", match="sendEmail")
    company.deal("C5:EXECUTING")
    company.until(lambda: company.done("email.send"))
    assert len(company.post.world.letters) == 1
    assert company.post.calls["sendEmail"] == 2


def test_a_lost_answer_to_a_campaign_is_looked_for_by_its_letter(company: Club) -> None:
    company.arm(1, "lost_reply", match="createCampaign")
    company.deal("C5:FINAL_INVOICE")
    company.until(lambda: company.done("campaign.create"))
    assert len(company.post.world.campaigns) == 1
    assert company.post.calls["createCampaign"] == 1
    assert company.rows("SELECT count(*) FROM delivery WHERE reason LIKE '%found_by_marker%'") == [(1,)]


def test_a_lost_answer_of_go_waits_for_a_person(company: Club) -> None:
    company.arm(1, "lost_reply", match="email/send")
    company.deal("C5:PREPARATION")
    company.until(lambda: company.done("email.send", "parked"))
    assert len(company.post.world.jobs) == 1
    assert company.post.calls["email/send"] == 1


def test_a_limit_uses_up_no_try(company: Club) -> None:
    company.arm(1, "rate_limit", match="subscribe", times=3)
    company.deal("C5:EXECUTING")
    company.until(lambda: company.done("email.send"))
    assert [tries for _, tries in company.done("contact.subscribe")] == [1]
    assert company.post.calls["subscribe"] == 4


@pytest.mark.parametrize("kind", ["retry_later", "outage", "503"])
def test_an_ill_vendor_is_tried_again(company: Club, kind: str) -> None:
    company.arm(1, kind, match="subscribe", times=2)
    company.deal("C5:EXECUTING")
    company.until(lambda: company.done("email.send"))
    [reader] = company.post.world.contacts
    assert reader.lists == {"134": "new"}
    assert len(company.post.world.letters) == 1


def test_a_dead_key_holds_the_connection_and_says_so(company: Club) -> None:
    company.arm(1, "bad_key", match="subscribe")
    company.deal("C5:EXECUTING")
    [alert] = company.until(lambda: company.rows("SELECT params FROM alert WHERE kind = 'alert_auth'"))
    assert "copy it again from the cabinet" in alert[0]
    assert company.post.credentials()["api_key"] not in alert[0]
    assert company.post.world.contacts == []
