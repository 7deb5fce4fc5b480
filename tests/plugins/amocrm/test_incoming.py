"""What messages say: records in one shape whatever their spelling, several in one body, once each."""

from __future__ import annotations

import datetime as dt
import hmac
from typing import Any
from urllib.parse import urlencode

import orjson
import pytest

from hub.errors import Rejected
from hub.model import Event, Receipt, Request
from hub.testing import build, request_from_file
from plugins.amocrm.connector import AmoCrm
from plugins.amocrm.sandbox.hooks import brackets
from tests.plugins.amocrm.conftest import APP, BASE, SAMPLES, WORD

AT = dt.datetime(2026, 3, 4, 10, 20, 30, tzinfo=dt.UTC)
CHATS = {"channel_id": "c", "secret": "channel-secret-000", "origin": "our_channel"}


def form(told: dict[str, Any], tail: str = f"{WORD}/") -> Request:
    """Return a webhook as amoCRM sends it."""
    headers = {"content-type": "application/x-www-form-urlencoded"}
    body = urlencode(list(brackets(told))).encode()
    return Request("POST", f"/in/amocrm/{tail}", headers=headers, body=body, tail=tail, at=AT)


def read(connector: AmoCrm, request: Request) -> list[Event]:
    return connector.parse(Receipt(1, "amocrm", connector.receipt_key(request), request, request.at))


def sample(connector: AmoCrm, name: str) -> Event:
    [event] = read(connector, request_from_file(SAMPLES / name, "amocrm", content_types=connector.content_types, at=AT))
    return event


class TestSamples:
    def test_a_move(self, by_token):
        event = sample(by_token, "leads-status.webhook.txt")
        assert (event.subject, event.by, event.incomplete) == ("deal:10701093", "2079718", True)
        assert event.record["deal"]["moved_at"] == "2018-10-17T13:24:24+00:00"
        assert event.occurred_at == dt.datetime(2018, 10, 17, 13, 24, 24, tzinfo=dt.UTC)

    def test_an_update_that_moved_says_so(self, by_token):
        assert "moved_at" in sample(by_token, "leads-update.webhook.txt").record["deal"]
        assert "moved_at" not in sample(by_token, "leads-add.webhook.json").record["deal"]

    def test_a_company_comes_under_contacts(self, by_token):
        assert sample(by_token, "company-update.webhook.txt").subject == "company:7793457"

    def test_a_deletion_says_where_the_deal_stood(self, by_token):
        event = sample(by_token, "leads-delete.webhook.json")
        assert event.record["deal"]["stage"] == "8572511/67548607"
        assert not event.incomplete

    def test_a_notes_text_is_unescaped(self, by_token):
        event = sample(by_token, "leads-note-text.webhook.txt")
        assert "utm_source=ig&utm_medium=test" in event.text
        note = event.record["note"]
        assert (note["deal"], note["kind"], note["by"]) == ("22060555", "common", "1608151")

    def test_a_chat_message(self, by_token):
        event = sample(by_token, "message-add.webhook.txt")
        assert (event.text, event.channel, event.type) == ("f", "telegram", "message.received")
        message = event.record["message"]
        assert (message["deal"], message["contact"], message["talk"]) == ("27754599", "93589657", "100")
        assert event.record["contact"]["id"] == "93589657"

    def test_an_incoming_lead_of_a_chat(self, by_token):
        event = sample(by_token, "unsorted-add-chat.webhook.txt")
        lead = event.record["lead"]
        assert (lead["comment"], lead["deal"], lead["contact"], lead["category"]) == (
            "v",
            "28455371",
            "93589657",
            "chats",
        )
        assert lead["source"]["channel"] == "telegram"
        assert event.record["contact"]["name"] == "Test Client"

    def test_an_accepted_lead(self, by_token):
        lead = sample(by_token, "unsorted-accept.webhook.json").record["lead"]
        assert (lead["stage"], lead["deal"]) == ("accepted", "15258873")

    def test_a_task(self, by_token):
        task = sample(by_token, "task-add.webhook.json").record["task"]
        assert (task["deal"], task["title"]) == ("15320411", "Task text")

    def test_a_pipelines_own_webhook(self, by_token):
        event = sample(by_token, "dp-mail-in.webhook.txt")
        assert (event.subject, event.incomplete) == ("deal:34388191", True)

    def test_a_colleagues_answer(self, by_token):
        body = (SAMPLES / "amojo-outgoing-picture.webhook.json").read_bytes()
        request = Request(
            "POST", "/in/amocrm/scope", headers={"content-type": "application/json", "x-signature": "x"}, body=body
        )
        [event] = read(by_token, request)
        message = event.record["message"]
        assert message["conversation"] == "my_int-d5a421f7f218"
        assert message["files"] == [{"type": "picture", "url": "https://amojo.amocrm.ru/attachments/image.jpg"}]
        assert event.record["contact"]["phone_raw"] == "70000000005"
        assert event.channel == "78000000000"


class TestBodies:
    def test_several_records_and_actions_in_one_body(self, by_token):
        told = {
            "leads": {
                "add": [{"id": 1, "updated_at": 1700000000}, {"id": 2}],
                "status": {"0": {"id": 1, "status_id": 142, "updated_at": 1700000000}},
                "delete": ["3"],
            },
            "contacts": {"update": [{"id": 5, "type": "contact"}, {"id": 6, "type": "company"}]},
            "task": {"update": {"0": {"0": {"id": 7, "text": "x", "status": "0"}}}},
            "talk": {"update": [{"talk_id": 9, "is_read": 1}]},
            "customers": {"add": [{"id": 11}]},
            "catalogs": {"add": [{"id": 12, "catalog_id": 4521}]},
            "account": {"subdomain": "example", "id": 31000001},
        }
        events = read(by_token, form(told))
        assert [(event.type, event.subject) for event in events] == [
            ("deal.created", "deal:1"), ("deal.created", "deal:2"), ("deal.updated", "deal:1"),
            ("deal.deleted", "deal:3"),
            ("contact.updated", "contact:5"), ("company.updated", "company:6"), ("task.updated", "task:7"),
            ("vendor.talk_update", "talk:9"), ("vendor.customers_add", "customers:11"),
            ("vendor.catalogs_add", "catalogs:12"),
        ]  # fmt: skip
        assert len({event.key for event in events}) == len(events)

    def test_links_keyed_by_ids_stay_a_mapping(self, by_token):
        [event] = read(by_token, form({"contacts": {"add": [{"id": 5, "linked_leads_id": {"351": {"ID": 351}}}]}}))
        assert event.record["contact"]["extra"]["linked_leads_id"] == {"351": {"ID": "351"}}

    def test_the_account_may_come_last_or_not_at_all(self, by_token):
        for told in (
            {"leads": {"add": [{"id": 1}]}, "account": {"subdomain": "example"}},
            {"leads": {"add": [{"id": 1}]}},
        ):
            request = form(told)
            by_token.verify(request)
            assert read(by_token, request)[0].subject == "deal:1"

    @pytest.mark.parametrize(
        ("facts", "expected"),
        [
            ({"PHONE": "+79161112233", "DURATION": "61", "LINK": "https://x/rec.mp3", "UNIQ": "u"}, "call.finished"),
            ({"PHONE": "+79161112233", "DURATION": "0"}, "call.missed"),
            ({"PHONE": "+79161112233", "DURATION": "12", "call_status": 6}, "call.missed"),
            ({}, "call.finished"),
        ],
    )
    def test_a_call_is_a_note_with_json_inside(self, by_token, facts, expected):
        note = {"id": 77, "note_type": 10, "element_type": 1, "element_id": 5, "created_at": 1700000000,
                "text": orjson.dumps(facts).decode() if facts else "no json"}  # fmt: skip
        [event] = read(by_token, form({"contacts": {"note": [{"note": note}]}}))
        assert (event.type, event.record["call"]["contact"], event.key) == (expected, "5", "note:77:added")
        if facts:
            assert event.record["call"]["from"] == "+79161112233"
            assert event.record["contact"] == {"phone": "+79161112233", "phones": ["+79161112233"], "id": "5"}

    def test_a_completed_task_is_told_once(self, by_token):
        done = [
            read(by_token, form({"task": {"update": [{"id": 7, "status": "1", "text": text}]}}))[0] for text in "ab"
        ]
        assert {event.type for event in done} == {"task.completed"}
        assert done[0].key == done[1].key == "task:7:completed"

    def test_an_answer_told_by_account_and_channel_keeps_what_each_knows(self, by_token):
        """The account names the deal, the channel the conversation: whichever comes first, the other isn't dropped."""
        told = {"id": "m-1", "text": "900", "author": {"id": "76fc", "type": "internal"}, "origin": "x"}
        [account] = read(by_token, form({"outgoing_message": {"add": [told]}}))
        said = {"id": "m-1", "type": "text", "text": "900"}
        body = {"account_id": "a", "message": {"message": said, "conversation": {"id": "c", "client_id": "insta-17"}}}
        chat = Request(
            "POST", "/", headers={"content-type": "application/json", "x-signature": ""}, body=orjson.dumps(body)
        )
        [channel] = read(by_token, chat)
        assert (account.key, channel.key) == ("message:m-1", "chat:m-1")
        assert account.subject == channel.subject == "message:m-1"
        assert account.type == channel.type == "message.sent"
        assert "conversation" not in account.record["message"]
        assert channel.record["message"]["conversation"] == "insta-17"

    def test_what_the_hub_brought_in_itself_is_no_news(self):
        connector = build(
            AmoCrm, {"base_url": BASE, "token": "t", "hook_secret": WORD, "own_user": "9", "chats": CHATS}
        )
        message = {"id": "m-1", "text": "hi", "type": "incoming", "origin": "our_channel"}
        assert read(connector, form({"message": {"add": [message]}})) == []
        assert read(connector, form({"message": {"add": [{**message, "origin": "telegram"}]}}))
        note = {"note": {"id": 1, "note_type": 4, "text": "x", "created_by": 9}}
        assert read(connector, form({"leads": {"note": [note]}})) == []

    @pytest.mark.parametrize("told", [{}, {"account": {"id": 1}}, {"leads": "x"}, {"leads": {"add": ""}}])
    def test_a_message_without_a_record_is_kept_with_the_reason(self, by_token, told):
        with pytest.raises(ValueError, match="names no record"):
            read(by_token, form(told or {"x": "y"}))

    def test_typing_and_reactions(self, by_token):
        def chat(action: dict[str, Any]) -> Event:
            body = orjson.dumps({"account_id": "a", "time": 1700000000, "action": action})
            headers = {"content-type": "application/json", "x-signature": ""}
            return read(by_token, Request("POST", "/", headers=headers, body=body))[0]

        assert chat({"typing": {"user": {"id": "u"}}}).type == "vendor.chat_typing"
        reaction = chat({"reaction": {"message": {"id": "m"}, "emoji": "👍"}})
        assert (reaction.type, reaction.text, reaction.subject) == ("message.reaction", "👍", "message:m")


class TestFeed:
    def fed(self, connector: AmoCrm, **event: Any) -> Event:
        raw = {"id": "01j", "entity_id": 55, "entity_type": "lead", "created_at": 1700000000, "created_by": 7, **event}
        request = Request(
            "POLL", "/poll/events", headers={"content-type": "application/json"}, body=orjson.dumps({"event": raw})
        )
        [found] = connector.parse(Receipt(1, "amocrm", "event:01j", request, AT))
        return found

    @pytest.mark.parametrize(
        ("type_", "entity", "expected", "incomplete"),
        [
            ("lead_added", "lead", "deal.created", True),
            ("lead_status_changed", "lead", "deal.updated", True),
            ("lead_deleted", "lead", "deal.deleted", False),
            ("custom_field_601001_value_changed", "lead", "deal.updated", True),
            ("contact_added", "contact", "contact.created", True),
            ("entity_responsible_changed", "company", "company.updated", True),
            ("task_completed", "task", "task.completed", True),
            ("incoming_chat_message", "lead", "vendor.incoming_chat_message", False),
            ("nps_rate_added", "lead", "vendor.nps_rate_added", False),
            ("common_note_added", "lead", "vendor.common_note_added", False),
        ],
    )
    def test_what_an_event_of_the_feed_means(self, by_token, type_, entity, expected, incomplete):
        event = self.fed(by_token, type=type_, entity_type=entity)
        assert (event.type, event.incomplete) == (expected, incomplete)
        assert event.occurred_at == dt.datetime.fromtimestamp(1700000000, dt.UTC)

    def test_the_recorded_one(self, by_token, recorded):
        raw = recorded("events-list.response.json")["_embedded"]["events"][0]
        event = self.fed(by_token, **raw)
        assert (event.type, event.subject) == ("deal.updated", "deal:1234567")
        assert event.record["deal"]["moved_at"] == "2022-10-06T13:53:31+00:00"

    def test_a_note_has_the_key_its_webhook_has(self, by_token):
        event = self.fed(by_token, type="common_note_added", value_after=[{"note": {"id": 77}}])
        assert (event.key, event.record["note"]["deal"]) == ("note:77:added", "55")


class TestDoor:
    def test_without_a_word_nothing_comes_in(self):
        connector = build(AmoCrm, {"base_url": BASE, "token": "t"})
        with pytest.raises(Rejected, match="hook_secret isn't set"):
            connector.verify(form({"leads": {"add": [{"id": 1}]}}))

    def test_the_word_may_stand_in_the_query(self, by_token):
        by_token.verify(Request("POST", "/in/amocrm", (("secret", WORD),), body=b"leads[add][0][id]=1"))

    @pytest.mark.parametrize(
        ("account", "ok"),
        [({"id": "31000001"}, True), ({"id": "31000002"}, False), ({"subdomain": "other"}, False),
         ({"id": "31000001", "subdomain": "renamed"}, True), ({}, True)],
    )  # fmt: skip
    def test_the_account_is_compared(self, account, ok):
        settings = {"base_url": BASE, "token": "t", "hook_secret": WORD, "account_id": "31000001"}
        connector, request = build(AmoCrm, settings), form({"leads": {"add": [{"id": 1}]}, "account": account})
        if ok:
            connector.verify(request)
        else:
            with pytest.raises(Rejected, match=r"another account|not from account_id"):
                connector.verify(request)

    def test_a_body_that_breaks_the_bounds(self, by_token):
        deep = b"leads" + b"[a]" * 30 + b"=1"
        wide = b"&".join(b"a[%d]=1" % number for number in range(6000))
        for body, status in ((deep, 400), (wide, 413)):
            with pytest.raises(Rejected) as caught:
                by_token.verify(Request("POST", "/", body=body, tail=WORD))
            assert caught.value.status == status

    def test_the_vectors_of_the_chats_signature(self, recorded):
        vectors = recorded("amojo-signature.vectors.json")["webhook"]
        chats = {"channel_id": "c", "secret": vectors["secret"]}
        connector = build(AmoCrm, {"base_url": BASE, "token": "t", "chats": chats})
        for ending in ("", "\n"):  # one client strips line breaks before it hashes
            body = (vectors["body"] + ending).encode()
            headers = {"content-type": "application/json", "x-signature": vectors["x_signature"]}
            connector.verify(Request("POST", "/in/amo/scope", headers=headers, body=body))

    def test_a_chat_of_another_account(self):
        connector = build(AmoCrm, {"base_url": BASE, "token": "t", "chats": {**CHATS, "account": "ours"}})
        body = b'{"account_id": "theirs"}'
        signature = hmac.digest(CHATS["secret"].encode(), body, "sha1").hex()
        headers = {"content-type": "application/json", "x-signature": signature}
        with pytest.raises(Rejected, match="another account"):
            connector.verify(Request("POST", "/", headers=headers, body=body))


class TestConsent:
    def test_a_code_becomes_tokens(self, web, recorded):
        connector = build(AmoCrm, APP)
        web.post(f"{BASE}/oauth2/access_token", json=recorded("oauth-token.response.json"))
        query = (("code", "def50200FAKECODE"), ("referer", "example.amocrm.ru"), ("state", "s"))
        assert connector.consent(Request("GET", "/oauth/amocrm", query)).status == 200
        assert orjson.loads(web.calls[0].request.body) == recorded("oauth-code.request.json")
        assert connector.tokens.read()["refresh_token"] == "def50200FAKENEWREFRESH"

    @pytest.mark.parametrize(
        ("query", "status", "words"),
        [
            ({"code": "c", "referer": "evil.example"}, 403, "another site"),
            ({"code": "c", "referer": "other.amocrm.ru"}, 403, "other.amocrm.ru"),
            ({"error": "access_denied"}, 403, "was refused"),
            ({}, 400, "no answer"),
        ],
    )
    def test_what_isnt_taken_and_never_asked_for(self, query, status, words):
        connector = build(AmoCrm, APP)
        with pytest.raises(Rejected, match=words) as caught:
            connector.consent(Request("GET", "/oauth/amocrm", tuple(query.items())))
        assert caught.value.status == status
        assert connector.tokens.read() is None

    def test_an_old_code(self, web, recorded):
        connector = build(AmoCrm, APP)
        web.post(f"{BASE}/oauth2/access_token", json=recorded("oauth-code-expired.error.json"), status=400)
        with pytest.raises(Exception, match="Authorization code has expired"):
            connector.consent(Request("GET", "/oauth/amocrm", (("code", "c"),)))

    def test_the_farewell_is_a_message_like_others(self):
        """It is kept and told, and no consent: that would let the calls of a dead integration out again."""
        connector = build(AmoCrm, APP)
        request = request_from_file(SAMPLES / "integration-disconnect.webhook.txt", "amocrm")
        with pytest.raises(Rejected):
            connector.consent(request)
        connector.verify(request)
        [event] = read(connector, request)
        assert (event.type, "switched off" in event.text) == ("connection.changed", True)
