"""Check, names, connect, and the two polls, against the stand-in."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest

from hub.connector import Mention
from hub.errors import Refused
from hub.model import Event, Receipt
from hub.testing import build
from plugins.amocrm import codes
from plugins.amocrm.connector import AmoCrm
from plugins.amocrm.sandbox import HOOK_SECRET
from plugins.amocrm.sandbox.hooks import KNOWN
from tests.plugins.amocrm.conftest import BASE

NOW = dt.datetime.now(dt.UTC)
CALLBACK = "https://hub.example.com/in/amo"


def told(found: Any) -> dict[str, list[str]]:
    out: dict[str, list[str]] = {"ok": [], "warning": [], "problem": []}
    for one in found:
        out[one.level].append(f"{one.text} | {one.remedy}")
    return out


class TestConnect:
    def test_everything_is_registered_and_nothing_twice(self, accounts):
        account = accounts()
        for _ in range(2):
            assert told(account.connector.connect(CALLBACK))["problem"] == []
        [hook] = account.sandbox.hooks.rows
        assert hook["destination"] == f"{CALLBACK}/{HOOK_SECRET}/"
        assert set(codes.SETTINGS) | set(codes.MORE_SETTINGS) == set(hook["settings"])
        for kind in ("leads", "contacts", "companies"):
            assert [one["code"] for one in account.sandbox.world.fields[kind]].count(codes.MARKER) == 1
        assert account.sandbox.amojo.connected

    def test_what_a_plan_doesnt_know_is_left_out_and_told(self, accounts):
        account = accounts({"settings": KNOWN - {"add_outgoing_message", "add_unsorted"}})
        found = told(account.connector.connect(CALLBACK))
        assert any("doesn't know" in text and "add_outgoing_message" in text for text in found["ok"])
        assert "add_customer" in account.sandbox.hooks.rows[0]["settings"]
        assert HOOK_SECRET not in str(found)

    def test_without_a_word(self, accounts):
        account = accounts(hook_secret="")
        assert "hook_secret isn't set" in told(account.connector.connect(CALLBACK))["problem"][0]


class TestCheck:
    def test_all_is_well(self, account):
        account.connector.connect(CALLBACK)
        found = told(account.connector.check())
        assert (found["problem"], found["warning"]) == ([], [])
        assert any("an administrator" in text for text in found["ok"])

    def test_what_isnt(self, accounts):
        account = accounts({"filters": False}, account_id="5")
        connector = account.connector
        connector.connection.names = {
            "fields": {"quest": "601002", "Квест": "699999"},
            "stages": {"won": "7100001/142", "lost": "143", "lasting": "9/9"},
        }
        found = told(connector.check())
        text = "\n".join(found["problem"])
        assert "account_id is 5, the account's is 31000001" in text
        assert "field Квест = 699999 doesn't exist in the account | did you mean 601002" in text
        assert "stage lost = 143 doesn't exist | did you mean 7100001/143?" in text
        assert "no webhook of the hub is registered" in text
        assert any("filters are off" in one for one in found["warning"])
        assert any("no field HUB_MARKER" in one for one in found["warning"])

    def test_what_routes_name(self, account):
        account.connector.connect(CALLBACK)
        account.connector.connection.mentions = (
            Mention("stage", "deal", "7100001/142", "routes[0].when", ("7100001/61000001",)),
            Mention("stage", "deal", "142", "routes[1].stage"),
            Mention("stage", "deal", "7100002/62000001", "routes[2].stage", ("7100001/61000001", "7100001/142")),
            Mention("field", "deal", "601002", "routes[3].set"),
            Mention("field", "deal", "price", "routes[3].set"),
            Mention("field", "contact", "601002", "routes[4].set"),
            Mention("field", "task", "text", "routes[5].set"),
        )
        found = told(account.connector.check())
        assert found["problem"] == [
            "routes[1].stage: there is no stage 142 | did you mean 7100001/142?",
            "routes[4].set: contacts have no field 601002 | `hub names amo` prints them",
        ]
        assert [text.partition(":")[0] for text in found["warning"]] == ["routes[2].stage"]

    def test_a_webhook_that_is_off_or_lacks_events(self, account):
        assert "switched off" in told(account.connector.check())["problem"][0]
        account.connector._watching._register(f"{CALLBACK}/{HOOK_SECRET}/", ["add_lead"])
        assert "lacks" in told(account.connector.check())["warning"][0]

    @pytest.mark.parametrize(
        ("fault", "words", "remedy"),
        [("expired_token", "401|token", "a new token"), ("blocked", "support", "write to amoCRM's support"),
         ("unpaid", "paid", "pay for the account")],
    )  # fmt: skip
    def test_a_dead_access_is_the_first_and_only_finding(self, account, fault, words, remedy):
        account.fault(fault, "GET account")
        found = account.connector.check()
        assert [one.level for one in found] == ["problem"]
        assert any(word in found[0].text for word in words.split("|"))
        assert remedy in found[0].remedy

    def test_names_are_ready_to_paste(self, account):
        names = account.connector.names()
        assert names["fields"]["kvest"] == ("601002", "deal: Квест (text)")
        assert names["stages"]["prodazhi_novaia"][0] == "7100001/61000001"
        assert ("7100001/142" in [code for code, _ in names["stages"].values()]) is True
        assert ("3000001", "Управляющий") in names["users"].values()
        assert names["catalogs"]["tovary"] == ("4521", "Товары")


class TestWatch:
    def test_one_that_is_on_is_no_news(self, account):
        account.connector.connect(CALLBACK)
        assert account.connector.poll("hooks", None).findings == []

    def test_one_that_was_switched_off_is_put_back_and_told_for_a_day(self, account):
        poll = account.connector.poll("hooks", None)
        assert account.sandbox.hooks.rows[0]["disabled"] is False
        assert [one.level for one in poll.findings] == ["warning"]
        watching = account.connector._watching
        again = watching.watch(poll.cursor, dt.datetime.now(dt.UTC) + dt.timedelta(hours=23))
        assert len(again.findings) == 1
        assert watching.watch(again.cursor, dt.datetime.now(dt.UTC) + dt.timedelta(hours=25)).findings == []

    def test_one_that_is_gone_is_told_and_not_made(self, account):
        account.sandbox.hooks.rows.clear()
        assert "no webhook" in account.connector.poll("hooks", None).findings[0].text
        assert account.sandbox.hooks.rows == []

    def test_an_address_typed_without_its_slash_is_known(self, account):
        account.sandbox.hooks.rows[0] |= {"destination": f"{CALLBACK}/{HOOK_SECRET}", "disabled": False}
        assert account.connector.poll("hooks", None).findings == []

    def test_the_polls_that_run(self):
        def polls(**more: Any) -> dict[str, float]:
            return dict(build(AmoCrm, {"base_url": BASE, "token": "t", **more}).polls())

        assert polls() == {"events": 600.0}
        assert polls(hook_secret="x" * 16) == {"events": 600.0, "hooks": 900.0}
        assert polls(hook_secret="x" * 16, poll="off", watch="off") == {}


class TestFeed:
    def events(self, account: Any, poll: Any) -> list[Event]:
        connector = account.connector
        return [one for key, req in poll.receipts for one in connector.parse(Receipt(1, "amo", key, req, req.at))]

    def test_the_first_poll_only_remembers_the_time(self, account):
        account.made("leads", name="x")
        poll = account.connector._watching.events(None, NOW)
        assert poll.receipts == []
        assert poll.cursor == {"since": int(NOW.timestamp())}

    def test_what_happened_since(self, account):
        cursor = account.connector._watching.events(None, NOW).cursor
        deal = account.made("leads", name="x")
        account.act("PATCH", f"leads/{deal}", {"status_id": 142, "pipeline_id": 7100001})
        poll = account.connector._watching.events(cursor, dt.datetime.now(dt.UTC))
        kinds = sorted(one.type for one in self.events(account, poll))
        assert kinds == ["deal.created", "deal.updated"]
        again = account.connector._watching.events(poll.cursor, dt.datetime.now(dt.UTC))
        assert {key for key, _ in again.receipts} <= {key for key, _ in poll.receipts}  # the overlap, known by its keys

    def test_an_account_that_doesnt_know_one_of_the_kinds_is_asked_for_all(self, account):
        watching = account.connector._watching
        cursor = watching.events(None, NOW).cursor
        account.made("leads", name="x")
        account.sandbox.world.note_event("nps_rate_added", "lead", 5)
        account.fault("validation", "GET events")
        poll = watching.events(cursor, dt.datetime.now(dt.UTC))
        assert [one.type for one in self.events(account, poll)] == ["deal.created"]
        account.fault("validation", "GET events")
        with pytest.raises(Refused):  # it is remembered: another refusal is another matter
            watching.events(poll.cursor, dt.datetime.now(dt.UTC))

    def test_more_than_one_poll_can_take(self, account):
        cursor = account.connector._watching.events(None, NOW).cursor
        for number in range(1234):
            account.sandbox.world.note_event("lead_added", "lead", number + 1)
        keys: set[str] = set()
        now = dt.datetime.now(dt.UTC)
        poll = account.connector._watching.events(cursor, now)
        assert (len(poll.receipts), poll.next_in) == (1000, 1.0)
        keys |= {key for key, _ in poll.receipts}
        account.sandbox.world.note_event("lead_added", "lead", 9999)  # in the same second: found by the overlap
        poll = account.connector._watching.events(poll.cursor, now + dt.timedelta(seconds=5))
        keys |= {key for key, _ in poll.receipts}
        assert poll.next_in is None
        poll = account.connector._watching.events(poll.cursor, now + dt.timedelta(seconds=10))
        keys |= {key for key, _ in poll.receipts}
        assert len(keys) == 1235


class TestComplete:
    def test_a_deal_is_read_once_for_all_its_hints(self, account):
        contact = account.contact()
        deal = account.do("deal.create", {"name": "x", "responsible": "3000002"}, contact=str(contact)).id
        account.connector.get("deal", deal)
        account.sandbox.calls.clear()
        moved = (NOW + dt.timedelta(hours=1)).isoformat()
        hints = [
            Event(f"deal.{verb}", f"deal:{deal}", key, {"deal": {"id": deal, **more}}, incomplete=True)
            for key, verb, more in (("a", "updated", {}), ("b", "updated", {"moved_at": moved}), ("c", "created", {}))
        ]
        events = account.complete(*hints, needs=("contact", "responsible"))
        assert [event.type for event in events] == ["deal.created", "deal.updated"]
        assert {call: n for call, n in account.sandbox.calls.items() if "users" not in call} == {
            f"GET leads/{deal}": 1,
            f"GET contacts/{contact}": 1,
        }
        record = events[0].record
        assert record["deal"]["moved_at"] == moved
        assert record["deal"]["stage_name"] == "Новая"
        assert record["deal"]["responsible_name"] == record["responsible"]["name"] == "Администратор 1"
        assert record["contact"]["phone"] == "+79161112233"

    def test_a_record_that_is_gone_leaves_no_hints(self, account):
        hint = Event("deal.updated", "deal:5", "a", {"deal": {"id": "5"}}, incomplete=True)
        assert account.complete(hint) == []

    def test_an_incoming_lead_accepted_meanwhile_is_told_all_the_same(self, account):
        hint = Event(
            "lead.created", "lead:abc", "a", {"lead": {"id": "abc", "comment": "hi", "extra": {}}}, incomplete=True
        )
        [event] = account.complete(hint)
        assert (event.record["lead"]["comment"], event.incomplete) == ("hi", False)

    def test_a_message_brings_its_deal_and_the_users_id(self, account):
        deal = account.do("deal.create", {"name": "x"}).id
        record = {"message": {"id": "m", "deal": deal, "extra": {}}}
        author = account.sandbox.world.users[1]["amojo_id"]
        hint = Event("message.sent", "message:m", "a", record, by=author, incomplete=True)
        [event] = account.complete(hint, needs=("deal", "contact"))
        assert event.by == "3000002"
        assert event.record["deal"]["stage"] == "7100001/61000001"

    def test_a_note_and_a_call_of_the_feed_are_read(self, account):
        deal = account.do("deal.create", {"name": "x"}).id
        for values in (
            {"text": "привет"},
            {"note_type": "call_in", "phone": "+79161112233", "duration": "0", "source": "s"},
        ):
            account.do("note.create", {"deal": deal, **values})
        hints = [
            Event(
                "note.added", f"note:{n}", f"k{n}", {"note": {"id": str(n), "deal": deal, "extra": {}}}, incomplete=True
            )
            for n in account.sandbox.world.notes
        ]
        (note,), (call,) = (account.complete(hint) for hint in hints)
        assert (note.type, note.text) == ("note.added", "привет")
        assert (call.type, call.record["call"]["from"]) == ("call.missed", "+79161112233")

    def test_a_task(self, account):
        deal = account.do("deal.create", {"name": "x"}).id
        task = account.do("task.create", {"text": "t", "deal": deal}).id
        hint = Event("task.completed", f"task:{task}", "a", {"task": {"id": task}}, incomplete=True)
        [event] = account.complete(hint, needs=("deal",))
        assert (event.type, event.record["deal"]["name"]) == ("task.updated", "x")  # opened again meanwhile
        account.do("task.complete", id=task)
        assert account.complete(hint)[0].type == "task.completed"
        account.connector._reading._own_user = "3000001"  # the token's user is the hub's own
        assert account.complete(hint) == []


class TestDirectory:
    def test_it_is_asked_once_in_ten_minutes(self, account):
        clock = [1000.0]
        directory = account.connector._directory
        directory._clock = lambda: clock[0]
        directory.forget()
        for seconds in (0, 599, 2):
            clock[0] += seconds
            directory.fields("deal")
            directory.stages()
            directory.users()
        assert {call: n for call, n in account.sandbox.calls.items()} == {
            "GET leads/custom_fields": 2, "GET leads/pipelines": 2, "GET users": 2,
        }  # fmt: skip

    def test_a_stage_by_its_id_alone(self, account):
        assert account.connector._directory.stage("62000001").code == "7100002/62000001"
