"""Letters, campaigns, short messages and what is asked about them, against the stand-in over real HTTP."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Any

import pytest

from hub.connector import History
from hub.errors import RateLimited, Refused, Retry, Uncertain
from hub.model import Event, Watch
from plugins.unisender import codes, letters, watching
from plugins.unisender.connector import Classic
from plugins.unisender.sandbox import METHODS
from tests.plugins.unisender.conftest import Account, act
from tests.stands import told

LETTER = {"email": "reader@example.com", "list_id": "guests", "subject": "Hi", "body": "<b>Hi</b>"}
NOW = dt.datetime(2026, 3, 4, 10, 0, tzinfo=dt.UTC)


# --- letters --------------------------------------------------------------------------------------


def test_a_letter_and_its_events_share_an_id(account: Account) -> None:
    done = act(account.classic, "email.send", {**LETTER, "metadata": {"deal": "55"}})
    [(number, sent)] = account.world.letters.items()
    assert (done.id, done.links) == (number, [("email", number)])
    assert (sent["ref_key"], sent["metadata"]) == ("hub-1-abc", {"deal": "55"})
    assert act(account.classic, "email.check", {"email_id": done.id}).result["status"] == "not_sent"


def test_a_lost_answer_brings_no_second_letter(account: Account) -> None:
    account.fault("lost_reply", "sendEmail")
    with pytest.raises(Uncertain):
        act(account.classic, "email.send", LETTER)
    done = act(account.classic, "email.send", LETTER, in_doubt_since=NOW, attempt=2)
    assert list(account.world.letters) == [done.id]


def test_a_second_letter_within_a_minute_waits(account: Account) -> None:
    act(account.classic, "email.send", LETTER)
    with pytest.raises(Retry) as caught:
        act(account.classic, "email.send", {**LETTER, "subject": "Two"}, marker="hub-2")
    assert type(caught.value) is Retry
    assert caught.value.after == letters.LETTERS_APART


def test_an_objection_to_a_repeated_key_means_it_was_sent(account: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    def objects(*_: Any) -> Any:
        raise Refused("sendEmail: 'ref_key' - This value is used already. [invalid_arg]")

    monkeypatch.setattr("plugins.unisender.client.Client.call", objects)
    done = act(account.classic, "email.send", LETTER, in_doubt_since=NOW)
    assert done.result["status"] == "sent before"
    with pytest.raises(Refused):
        act(account.classic, "email.send", LETTER)


def test_campaigns(account: Account) -> None:
    account.subscribe()
    letter = act(account.classic, "letter.create", {"list_id": "guests", "subject": "News", "body": "<p>x</p>"})
    assert act(account.classic, "letter.list").result["count"] == 1
    done = act(account.classic, "campaign.create", {"message_id": letter.id, "track_read": "yes"})
    assert (done.result["count"], done.result["message_id"]) == ("1", letter.id)
    found = account.classic.find("campaign", {"marker": letter.id, "since": account.sandbox.world.clock() - 3600})
    assert [row["id"] for row in found] == [done.id]
    assert account.classic.find("campaign", {"marker": "5"}) == []
    assert account.classic.get("campaign", done.id)["status"] == "waits_schedule"
    for action in ("campaign.status", "campaign.stats", "campaign.results"):
        assert act(account.classic, action, {"campaign_id": done.id}).result["id"] == done.id
    assert (
        act(account.classic, "campaign.results", {"campaign_id": done.id}).result["rows"][0]["email"]
        == "reader@example.com"
    )
    assert act(account.classic, "campaign.list").result["count"] == 1
    act(account.classic, "campaign.cancel", {"campaign_id": done.id})
    assert account.classic.get("campaign", done.id)["status"] == "canceled"


def test_campaigns_are_kept_a_minute_apart(account: Account) -> None:
    letter = act(account.classic, "letter.create", {"list_id": "guests", "subject": "News", "body": "<p>x</p>"})
    act(account.classic, "campaign.create", {"message_id": letter.id})
    with pytest.raises(RateLimited) as caught:
        act(account.classic, "campaign.create", {"message_id": letter.id})
    assert (caught.value.after, caught.value.scope) == (letters.CAMPAIGN_GAP, "createCampaign")
    act(account.classic, "campaign.create", {"message_id": letter.id, "start_time": "2030-01-01 10:00"})
    account.classic.clock = lambda: dt.datetime.now(dt.UTC) + dt.timedelta(minutes=3)
    act(account.classic, "campaign.create", {"message_id": letter.id})
    assert len(account.world.campaigns) == 3


def test_it_costs_no_more_calls_than_declared(account: Account) -> None:
    account.subscribe(email="", fields={"phone": "89161234567"})
    account.subscribe("a@b.ru")
    letter = act(account.classic, "letter.create", {"list_id": "guests", "subject": "News", "body": "<p>x</p>"})
    for name, values in (
        ("contact.subscribe", {"list_ids": "guests", "double_optin": "3", "email": "a@b.ru", "phone": "89161234567"}),
        ("campaign.create", {"message_id": letter.id}),
        ("list.create", {"title": "New"}),
        ("list.delete", {"list_id": "135"}),
        ("email.send", LETTER),
        ("sms.send", {"phone": "89161234567", "text": "x"}),
    ):
        account.sandbox.calls.clear()
        act(account.classic, name, values)
        assert sum(account.sandbox.calls.values()) <= account.classic.action(name).cost, name


def test_any_method(account: Account) -> None:
    done = act(account.classic, "api", method="getLists")
    assert done.result["count"] == 2
    assert act(account.classic, "api", method="getTotalContactsCount").result["total"] == 0
    assert act(account.go, "api", method="template/list.json").result["count"] == 1


# --- short messages, and asking -------------------------------------------------------------------


def test_a_short_message_is_asked_about_until_it_is_there(account: Account) -> None:
    done = act(account.classic, "sms.send", {"phone": ["89161234567", "89161234568"], "text": "Hi"})
    assert [watch.id for watch in done.watch] == [f"sms:{row['id']}" for row in done.result["rows"]]
    assert done.links == [("sms", row["id"]) for row in done.result["rows"]]
    poll = account.classic.poll(watching.KIND, None, done.watch)
    assert (poll.receipts, [watch.after for watch in poll.watch]) == ([], [60.0, 60.0])
    account.tell(f"sms/{done.id}/status", status="ok_delivered")
    poll = account.classic.poll(watching.KIND, None, poll.watch)
    [event] = told(account.classic, poll)
    assert (event.type, event.record["message"]["status"]) == ("vendor.sms_status", "ok_delivered")
    assert event.record["contact"]["phone"] == "+79161234567"
    assert [watch.after for watch in poll.watch] == [None, 60.0]


def test_a_short_message_is_asked_about_by_a_route(account: Account) -> None:
    sent = act(account.classic, "sms.send", {"phone": "89161234567", "text": "Hi"})
    account.tell(f"sms/{sent.id}/status", status="ok_delivered")
    done = act(account.classic, "sms.check", {"sms_id": sent.id})
    assert (done.id, done.result["status"]) == (sent.id, "ok_delivered")
    assert done.result["status_text"] == codes.SMS["ok_delivered"]
    for wrong in ({}, {"sms_id": "5"}):
        with pytest.raises(Refused):
            act(account.classic, "sms.check", wrong)


def test_only_what_is_watched_costs_a_call(account: Account) -> None:
    poll = account.classic.poll(watching.KIND, None, [])
    assert (poll.receipts, poll.watch, account.sandbox.calls) == ([], [], {})


def test_letters_and_campaigns_are_asked_about_where_no_webhook_comes(account: Account) -> None:
    from hub.testing import build

    settings = {**account.sandbox.credentials(), "poll": "10m", "lists": {"guests": "134"}}
    polled = build(Classic, settings, name="letters", region="RU")
    [watch] = act(polled, "email.send", LETTER).watch
    number = watch.id.partition(":")[2]
    assert watch.after == 600.0
    seen = []
    for status in ("not_sent", "ok_sent", "ok_read", "ok_delivered", "ok_read", "ok_fbl"):
        account.tell(f"letters/{number}/status", status=status)
        poll = polled.poll(watching.KIND, None, [watch])
        [watch] = poll.watch
        seen += [event.type for event in told(polled, poll)]
    assert seen == ["email.sent", "email.opened", "email.complained"]  # what came late is no step back
    letter = act(polled, "letter.create", {"list_id": "guests", "subject": "News", "body": "<p>x</p>"})
    [watch] = act(polled, "campaign.create", {"message_id": letter.id}).watch
    account.tell(f"campaigns/{watch.id.partition(':')[2]}/status", status="completed")
    poll = polled.poll(watching.KIND, None, [watch])
    assert [event.type for event in told(polled, poll)] == ["vendor.campaign_status"]
    assert poll.watch[0].after is None


class Told(History):
    """The hub's memory: what webhooks have told, as (type, letter or campaign, status)."""

    def __init__(self) -> None:
        super().__init__()
        self.told: list[tuple[str, str, str]] = []

    def events(self, types: Sequence[str], since: dt.datetime, word: str = "", limit: int = 50) -> list[Event]:
        return [
            Event(type_, f"email:{id_}", "k", {"email": {"id": id_, "status": status}})
            for type_, id_, status in self.told
            if type_ in types and id_ == word
        ]


def test_what_a_webhook_did_not_tell_of_letters_and_campaigns_is_told_a_day_later(account: Account) -> None:
    connector, memory = account.classic, Told()
    connector.history = memory
    moment = dt.datetime.now(dt.UTC)
    connector.clock = lambda: moment
    [watch] = act(connector, "email.send", LETTER).watch
    number = watch.id.partition(":")[2]

    def ask() -> list[str]:
        nonlocal watch, moment
        moment += dt.timedelta(seconds=watch.after or 0)
        poll = connector.poll(watching.KIND, None, [watch])
        [watch] = poll.watch
        return [event.type for event in told(connector, poll)]

    assert watch.after == letters.WEBHOOK_TELLS
    account.tell(f"letters/{number}/status", status="ok_delivered")
    memory.told.append(("email.delivered", number, "ok_delivered"))
    assert (ask(), watch.data["status"]) == ([], "ok_delivered")  # the webhook has told it
    account.tell(f"letters/{number}/status", status="ok_read")
    assert (ask(), watch.after) == ([], letters.WEBHOOK_TELLS)  # it may still come
    assert ask() == ["email.opened"]
    assert ask() == []
    account.tell(f"letters/{number}/status", status="ok_link_visited")
    assert ask() == []
    memory.told.append(("email.clicked", number, "ok_link_visited"))
    assert ask() == []
    draft = act(connector, "letter.create", {"list_id": "guests", "subject": "News", "body": "<p>x</p>"})
    [watch] = act(connector, "campaign.create", {"message_id": draft.id}).watch
    account.tell(f"campaigns/{watch.id.partition(':')[2]}/status", status="completed")
    assert ask() == []
    assert (ask(), watch.after) == (["vendor.campaign_status"], None)


@pytest.mark.parametrize(
    ("kind", "age", "after"),
    [
        ("sms", 5, 60),
        ("sms", 30, 600),
        ("sms", 600, 10_800),
        ("sms", 5000, None),
        ("export", 5, 30),
        ("export", 2000, None),
    ],
)
def test_the_pace_of_asking(account: Account, kind: str, age: int, after: float | None) -> None:
    """Ages in minutes: the older, the rarer, and once no more."""
    sms = act(account.classic, "sms.send", {"phone": "89161234567", "text": "x"}).id
    task = act(account.classic, "contact.export", {"notify_url": "http://127.0.0.1:9/"}).id
    account.classic.clock = lambda: NOW
    since = (NOW - dt.timedelta(minutes=age)).isoformat()
    watch = Watch(watching.KIND, f"{kind}:{sms if kind == 'sms' else task}", {"since": since})
    poll = account.classic.poll(watching.KIND, None, [watch])
    assert [one.after for one in poll.watch] == [after]
    statuses = [event.record["email"]["status"] for event in told(account.classic, poll)]
    assert statuses == (["failed"] if kind == "export" and after is None else [])


def test_what_is_asked_about_one_by_one_is_asked_in_rounds(account: Account) -> None:
    since = dt.datetime.now(dt.UTC).isoformat()
    id_ = act(account.classic, "sms.send", {"phone": "89161234567", "text": "x"}).id
    many = [Watch(watching.KIND, f"sms:{id_}", {"since": since}) for _ in range(watching.ROUND + 5)]
    assert len(account.classic.poll(watching.KIND, None, many).watch) == watching.ROUND
    assert account.sandbox.calls["checkSms"] == watching.ROUND


def test_one_thing_that_cannot_be_asked_leaves_the_others(account: Account) -> None:
    done = act(account.classic, "sms.send", {"phone": "89161234567", "text": "x"})
    account.tell(f"sms/{done.id}/status", status="ok_delivered")
    gone = Watch(watching.KIND, "sms:5", {"since": dt.datetime.now(dt.UTC).isoformat()})
    poll = account.classic.poll(watching.KIND, None, [gone, *done.watch])
    assert len(told(account.classic, poll)) == 1
    assert [watch.after for watch in poll.watch] == [60.0, None]
    account.fault("retry_later", "checkSms", times=5)
    with pytest.raises(Retry):
        account.classic.poll(watching.KIND, None, done.watch)


# --- export ---------------------------------------------------------------------------------------


def test_an_export_is_told_and_asked_for(account: Account) -> None:
    account.subscribe()
    done = act(account.classic, "contact.export", {"list_id": "guests", "field_names": "email,email_status"})
    [watch] = done.watch
    address = account.world.tasks[done.id]["notify_url"]
    assert address.startswith("https://hub.example.com/in/letters/export-")
    poll = account.classic.poll(watching.KIND, None, [watch])
    assert (poll.receipts, poll.watch[0].after) == ([], 30.0)
    account.tell(f"tasks/{done.id}/finish", silent=True)
    [event] = told(account.classic, account.classic.poll(watching.KIND, None, poll.watch))
    assert (event.type, event.record["email"]["status"]) == ("vendor.export_finished", "completed")
    assert account.classic.http.request("GET", event.record["email"]["url"]).body.startswith(b"email,")


def test_an_export_that_fails(account: Account) -> None:
    done = act(account.classic, "contact.export", {})
    account.tell(f"tasks/{done.id}/finish", status="failed", silent=True)
    poll = account.classic.poll(watching.KIND, None, done.watch)
    [event] = told(account.classic, poll)
    assert (event.record["email"]["status"], poll.watch[0].after) == ("failed", None)


def test_results_of_a_campaign_as_a_file(account: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the call that answers at once is no more, the file is ordered."""
    monkeypatch.delitem(METHODS, "getCampaignDeliveryStats")
    letter = act(account.classic, "letter.create", {"list_id": "guests", "subject": "News", "body": "<p>x</p>"})
    campaign = act(account.classic, "campaign.create", {"message_id": letter.id})
    done = act(account.classic, "campaign.results", {"campaign_id": campaign.id})
    assert [watch.id for watch in done.watch] == [f"export:{done.id}"]
    account.tell(f"tasks/{done.id}/finish", silent=True)
    [event] = told(account.classic, account.classic.poll(watching.KIND, None, done.watch))
    assert event.type == "vendor.export_finished"


# --- Go -------------------------------------------------------------------------------------------


def test_a_letter_of_go(account: Account) -> None:
    values = {
        "email": "Reader@Example.com",
        "name": "Anna",
        "template_id": "11111111-1111-4111-8111-111111111111",
        "substitutions": {"breed": "Corgi"},
        "metadata": {"deal": "55"},
    }
    done = act(account.go, "email.send", values)
    [(job, sent)] = account.world.jobs.items()
    assert (done.id, done.links, done.result["status"]) == (job, [("email", job)], "accepted")
    assert sent["metadata"] == {"reader@example.com": {"hub": "hub-1-abc", "deal": "55"}}
    [reader] = sent["message"]["recipients"]
    assert reader["substitutions"] == {"breed": "Corgi", "to_name": "Anna"}


def test_go_refuses_while_sending(account: Account) -> None:
    account.tell("suppress", email="reader@example.com", reason="unsubscribed")
    account.go.clock = lambda: NOW
    done = act(account.go, "email.send", {"email": "reader@example.com", "subject": "x", "html": "y"})
    assert done.result["status"] == "refused"
    [event] = done.events
    assert (event.type, event.occurred_at) == ("email.unsubscribed", NOW)


def test_a_lost_answer_of_go_is_a_doubt(account: Account) -> None:
    """Nothing can be looked up, so a person decides: no second letter by itself."""
    account.fault("lost_reply", "email/send")
    with pytest.raises(Uncertain):
        act(account.go, "email.send", {"email": "reader@example.com", "subject": "x", "html": "y"})
    kind = account.go.action("email.send")
    assert (kind.idempotent, kind.marker, kind.uncertain) == (False, "", "park")
    assert len(account.world.jobs) == 1


def test_addresses_that_get_no_more_letters(account: Account) -> None:
    who = {"email": "Reader@example.com"}
    assert act(account.go, "suppression.get", who).result["cause"] == ""
    act(account.go, "suppression.set", who)
    assert act(account.go, "suppression.get", who).result["cause"] == "unsubscribed"
    done = act(account.go, "email.send", {**who, "subject": "x", "html": "y"})
    assert done.result["failed"] == {"reader@example.com": "unsubscribed"}
    act(account.go, "suppression.delete", who)
    assert act(account.go, "suppression.get", who).result["rows"] == []
    with pytest.raises(Refused, match="none of unsubscribed"):
        act(account.go, "suppression.set", {**who, "cause": "bored"})


def test_more_of_go(account: Account) -> None:
    act(account.go, "email.subscribe", {"email": "left@example.com"})
    assert account.world.invitations == [{"email": "left@example.com", "list_id": ""}]
    assert act(account.go, "email.validate", {"email": "a@b.ru"}).result["value"] == "valid"
    assert act(account.go, "template.list").result["name"] == "Care letter"
