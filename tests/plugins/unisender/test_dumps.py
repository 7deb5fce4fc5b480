"""Back-fill of Go: what no webhook brought stands in the vendor's dumps; what came by both ways is one event."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest

from hub.errors import AuthFailed, Retry
from hub.model import Event, Poll, Receipt
from plugins.unisender import dumps
from plugins.unisender.sandbox.outbox import Outbox
from tests.plugins.unisender.club import Club
from tests.plugins.unisender.conftest import Account, act
from tests.stands import told

LETTER = {"email": "anna@example.com", "subject": "Care", "html": "<p>x</p>", "metadata": {"deal": "55"}}


class Watch:
    """Both clocks, and the polls of a connection one after the other."""

    def __init__(self, account: Account) -> None:
        self.account, self.now = account, dt.datetime(2026, 3, 4, 12, tzinfo=dt.UTC)
        account.go.clock = lambda: self.now
        account.world.clock = lambda: self.now.timestamp()
        self.cursor: Any = None
        self.findings: list[str] = []

    def step(self) -> Poll:
        poll = self.account.go.poll(dumps.KIND, self.cursor)
        self.cursor = poll.cursor
        self.findings += [one.text for one in poll.findings]
        self.now += dt.timedelta(seconds=poll.next_in or 0)
        return poll

    def round(self) -> list[Event]:
        """Look until there is nothing more to look for now."""
        found: list[Event] = []
        for _ in range(200):
            poll = self.step()
            found += told(self.account.go, poll)
            if poll.next_in is None:
                return found
        raise AssertionError(f"it never comes to rest: {self.cursor}")

    def later(self, **time: float) -> None:
        self.now += dt.timedelta(**time)

    def happens(self, job: str, status: str, **more: Any) -> None:
        self.account.tell(f"jobs/{job}/status", status=status, silent=True, **more)


@pytest.fixture
def watch(account: Account) -> Watch:
    return Watch(account)


def test_what_no_webhook_brought_is_found(account: Account, watch: Watch) -> None:
    assert watch.round() == []
    job = act(account.go, "email.send", LETTER).id
    watch.happens(job, "delivered")
    watch.later(minutes=1)
    watch.happens(job, "clicked", url='https://dogclub.example/a,b?c="d"')
    watch.happens(job, "hard_bounced", delivery_status="err_user_unknown")
    watch.later(hours=1)
    events = watch.round()
    assert events[0].occurred_at is not None
    assert [event.type for event in events] == ["email.delivered", "email.clicked", "email.bounced"]
    clicked, bounced = events[1].record["email"], events[2].record["email"]
    assert (clicked["id"], clicked["url"], clicked["metadata"]) == (
        job,
        'https://dogclub.example/a,b?c="d"',
        {"deal": "55", "hub": "hub-1-abc"},
    )
    assert events[1].occurred_at == events[2].occurred_at == events[0].occurred_at + dt.timedelta(minutes=1)
    assert (bounced["delivery_status"], bounced["reason"]) == ("err_user_unknown", "no such mailbox: 550 no")
    assert account.world.dumps == {}, "a dump that is done with is deleted: the vendor keeps ten"


def test_by_either_way_it_is_the_same_event(account: Account, watch: Watch, monkeypatch: pytest.MonkeyPatch) -> None:
    sent: list[bytes] = []
    monkeypatch.setattr(Outbox, "_post", staticmethod(lambda url, body: sent.append(body) or 200))
    account.tell("hook", url="https://hub.example/in/mail", product="go")
    job = act(account.go, "email.send", LETTER).id
    account.tell(f"jobs/{job}/status", status="clicked", url="https://dogclub.example/form")
    account.tell(f"jobs/{job}/status", status="hard_bounced", delivery_status="err_mailbox_full")
    watch.later(minutes=5)
    watch.round()
    watch.cursor = None
    found = watch.round()
    requests = [Account.request(body) for body in sent]
    pushed = [e for r in requests for e in account.go.parse(Receipt(1, "mail", "k", r, r.at))]
    assert [event.key for event in found] == [event.key for event in pushed] != []
    assert [account.go.receipt_key(r) for r in requests] == [key for key, _ in _polled(watch)]


def _polled(watch: Watch) -> list[tuple[str, Any]]:
    watch.cursor = None
    for _ in range(10):
        if (poll := watch.step()).receipts:
            return poll.receipts
    raise AssertionError("nothing came")


def test_each_look_begins_before_the_end_of_the_last(account: Account, watch: Watch) -> None:
    """An event is written into the dumps late: the hour in which it happened has been looked through already."""
    watch.round()
    job = act(account.go, "email.send", LETTER).id
    watch.happens(job, "delivered")
    late = account.world.happened.pop()
    watch.later(hours=1)
    assert watch.round() == []
    account.world.happened.append(late)
    watch.later(minutes=45)
    assert [event.type for event in watch.round()] == ["email.delivered"]
    watch.later(minutes=5)
    assert [event.type for event in watch.round()] == ["email.delivered"], "again, under the same key"


def test_after_a_long_absence_it_is_looked_through_day_by_day(account: Account, watch: Watch) -> None:
    watch.round()
    job = act(account.go, "email.send", LETTER).id
    for _ in range(40):
        watch.later(days=1)
        watch.happens(job, "opened")
    found = watch.round()
    assert 30 <= len({event.key for event in found}) <= 32, "what is older than the vendor keeps it is gone"
    assert len(watch.round()) == 1, "the overlap alone"


def test_a_dump_that_is_full_is_ordered_again_in_halves(
    account: Account, watch: Watch, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dumps, "ROWS", 10)
    watch.round()
    job = act(account.go, "email.send", LETTER).id
    for number in range(60):
        watch.later(minutes=1)
        watch.happens(job, "opened", url=f"https://dogclub.example/{number}")
    found = watch.round()
    assert len({event.key for event in found}) == 60
    assert watch.findings == []


def test_a_minute_that_holds_too_much_is_said_and_passed(
    account: Account, watch: Watch, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dumps, "ROWS", 10)
    watch.round()
    job = act(account.go, "email.send", LETTER).id
    for number in range(30):
        watch.happens(job, "opened", url=f"https://dogclub.example/{number}")
    watch.later(minutes=30)
    watch.happens(job, "clicked", url="https://dogclub.example/form")
    assert "email.clicked" in [event.type for event in watch.round()]
    assert "more than 10 events in the minute from 2026-03-04T12:" in watch.findings[0]


def test_a_dump_that_fails_vanishes_or_never_ends_is_ordered_anew(account: Account, watch: Watch) -> None:
    job = act(account.go, "email.send", LETTER).id
    watch.happens(job, "delivered")
    watch.step()
    [dump] = account.world.dumps.values()
    dump["fails"] = "failed"
    watch.step()
    assert watch.findings == ["Unisender Go could not make a dump of its events; it is ordered again"]
    watch.step()
    account.world.dumps.clear()
    watch.step()
    assert "Dump was not found" in watch.findings[1]
    watch.step()
    [dump] = account.world.dumps.values()
    dump["fails"] = "in_process"
    assert watch.step().next_in == 15.0
    watch.later(hours=2)
    watch.step()
    assert "dump" not in watch.cursor
    assert [event.type for event in watch.round()] == ["email.delivered"]


def test_a_key_that_may_not_read_dumps_is_told_apart_from_a_dead_one(account: Account, watch: Watch) -> None:
    account.fault("no_rights", match="event-dump/create")
    poll = watch.step()
    assert "can't be looked for" in poll.findings[0].text
    assert "may use event-dump" in poll.findings[0].remedy
    assert watch.step().next_in == 15.0
    watch.cursor = None
    account.fault("bad_key", times=2)
    with pytest.raises(AuthFailed):
        watch.step()


@pytest.mark.parametrize("kind", ["outage", "503", "lost_reply"])
def test_an_ill_vendor_is_asked_again_and_nothing_is_passed_over(account: Account, watch: Watch, kind: str) -> None:
    watch.round()
    job = act(account.go, "email.send", LETTER).id
    watch.happens(job, "delivered")
    watch.later(hours=1)
    account.fault(kind, match="event-dump")
    with pytest.raises(Retry):
        watch.round()
    assert [event.type for event in watch.round()] == ["email.delivered"]


def test_other_columns_than_expected_are_said(account: Account, watch: Watch) -> None:
    job = act(account.go, "email.send", LETTER).id
    watch.happens(job, "delivered")
    watch.step()
    [dump] = account.world.dumps.values()
    dump["fields"] = ["event_time", "letter", "email"]
    for _ in range(3):
        watch.step()
    assert "has no column job_id, status" in watch.findings[0]


def test_a_file_too_large_to_fetch_is_ordered_in_halves(
    account: Account, watch: Watch, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dumps, "_LARGEST", 400)
    watch.round()
    job = act(account.go, "email.send", LETTER).id
    for number in range(20):
        watch.later(minutes=3)
        watch.happens(job, "opened", url=f"https://dogclub.example/{number}")
    assert len({event.key for event in watch.round()}) == 20


def test_a_lost_webhook_moves_the_deal_all_the_same_and_once(company: Club) -> None:
    deal, _ = company.deal("C5:PREPARATION")
    job = company.until(lambda: next(iter(company.post.world.jobs), None))
    company.until(lambda: company.done("email.send"))
    company.tell(1, f"jobs/{job}/status", status="delivered")
    company.until(lambda: company.events("email.delivered"))
    company.tell(1, f"jobs/{job}/status", status="clicked", url="https://dogclub.example/training-form", silent=True)

    def found() -> int:
        company.ask("mail")
        return company.events("email.clicked")

    company.until(found)
    company.until(lambda: company.of("deal", deal)["STAGE_ID"] == "C5:UC_BRANCH")
    assert (company.events("email.delivered"), company.events("email.clicked")) == (1, 1)
