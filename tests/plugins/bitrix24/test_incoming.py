"""Reading events: what each shape means, what tells two apart, what proves the sender."""

import datetime as dt
from pathlib import Path
from urllib.parse import urlencode

import orjson
import pytest

from hub.errors import Rejected
from hub.model import Receipt, Request
from plugins.bitrix24 import incoming

SAMPLES = Path(__file__).parent / "samples"
TOKEN = "fake_application_token_0000000001"


def form(**pairs):
    return request(urlencode(pairs).encode())


def request(body, method="POST", kind="application/x-www-form-urlencoded"):
    return Request(method, "/in/crm", headers={"content-type": kind}, body=body)


def sampled(name):
    return request((SAMPLES / name).read_bytes())


def parse(asked, region="UA"):
    return incoming.parse(Receipt(1, "crm", "key", asked, asked.at), region)


class TestMeaning:
    def test_a_deal_is_a_hint_to_be_read(self):
        (event,) = parse(sampled("ONCRMDEALADD-to-outgoing-webhook.webhook.txt"))
        assert (event.type, event.subject, event.key, event.incomplete) == ("deal.created", "deal:7405", "key:0", True)
        assert event.occurred_at == dt.datetime.fromtimestamp(1766047124, dt.UTC)

    def test_a_deletion_is_complete(self):
        (event,) = parse(form(event="ONCRMLEADDELETE", **{"data[FIELDS][ID]": "5"}))
        assert (event.type, event.subject, event.incomplete) == ("lead.deleted", "lead:5", False)

    def test_a_move_between_pipelines_keeps_what_it_said(self):
        (event,) = parse(sampled("ONCRMDEALMOVETOCATEGORY.webhook.txt"))
        assert event.record["deal"]["extra"] == {"ID": "6675", "CATEGORY_ID": "1", "STAGE_ID": "C1:NEW"}

    @pytest.mark.parametrize("data", [{"data[ID]": "999"}, {"data[FIELDS][ID]": "999"}])
    def test_comments_come_in_two_shapes(self, data):
        (event,) = parse(form(event="onCrmTimelineCommentAdd", **data))
        assert (event.type, event.subject) == ("note.added", "note:999")

    def test_a_task_may_lack_one_side(self):
        pairs = {"data[FIELDS_BEFORE]": "undefined", "data[FIELDS_AFTER][ID]": "123"}
        (event,) = parse(form(event="ONTASKADD", **pairs))
        assert (event.type, event.subject, event.incomplete) == ("task.created", "task:123", True)
        pairs = {"data[FIELDS_BEFORE][ID]": "123", "data[FIELDS_AFTER]": "undefined"}
        (event,) = parse(form(event="ONTASKDELETE", **pairs))
        assert (event.type, event.subject, event.incomplete) == ("task.deleted", "task:123", False)

    def test_an_operators_answer_is_read_as_the_client_should(self):
        (event,) = parse(sampled("ONIMCONNECTORMESSAGEADD.webhook.txt"))
        assert (event.type, event.subject, event.channel) == ("message.sent", "message:86497", "myconnector")
        assert event.text == "Добрый день!"
        assert event.record["message"]["to"] == "channel-123"
        assert event.by == "27"

    def test_several_messages_are_several_events(self):
        pairs = {"event": "ONIMCONNECTORMESSAGEADD", "data[CONNECTOR]": "c"}
        for index in range(3):
            pairs[f"data[MESSAGES][{index}][im][message_id]"] = str(index + 1)
            pairs[f"data[MESSAGES][{index}][message][text]"] = "a[br]b"
        events = parse(form(**pairs))
        assert [event.key for event in events] == ["chat:sent:1", "chat:sent:2", "chat:sent:3"]
        assert events[0].text == "a\nb"

    def test_who_wrote_in_an_open_line(self):
        (event,) = parse(sampled("ONOPENLINEMESSAGEADD.webhook.txt"))
        assert (event.type, event.text, event.channel) == ("message.received", "hello", "livechat")
        body = (SAMPLES / "ONOPENLINEMESSAGEADD.webhook.txt").read_bytes()
        answer = body.replace(b"message%5D%5Buser_id%5D=1985", b"message%5D%5Buser_id%5D=7")
        assert parse(request(answer))[0].type == "message.sent"

    def test_a_call_that_nobody_took(self):
        body = (SAMPLES / "ONVOXIMPLANTCALLEND.webhook.txt").read_bytes()
        (event,) = parse(request(body))
        assert event.type == "call.finished"
        assert event.record["call"]["direction"] == "out"
        assert event.record["call"]["duration"] == 0
        (event,) = parse(request(body.replace(b"CALL_TYPE%5D=1", b"CALL_TYPE%5D=2")))
        assert event.type == "call.missed"
        assert event.record["call"]["at"] == "2026-03-11T14:28:46+00:00"

    def test_a_scalar_instead_of_data(self):
        (event,) = parse(form(event="ONIMCONNECTORLINEDELETE", data="107"))
        assert (event.type, event.subject) == ("connection.changed", "connection:openline-107")
        assert event.text == "open line 107 was deleted"

    def test_a_smart_process_is_told_by_its_type(self):
        (event,) = parse(sampled("ONCRMDYNAMICITEMUPDATE.webhook.txt"))
        assert (event.type, event.subject, event.incomplete) == ("item.updated", "item:1220_24", True)

    @pytest.mark.parametrize(
        ("name", "fields", "told"),
        [
            ("ONCRMDYNAMICITEMADD_177", {"ID": "5"}, ("item.created", "item:177_5")),
            ("ONCRMDYNAMICITEMDELETE", {"ID": "5", "ENTITY_TYPE_ID": "31"}, ("item.deleted", "item:31_5")),
            ("ONCRMDYNAMICITEMUPDATE", {"ID": "5"}, ("vendor.oncrmdynamicitemupdate", "crmdynamicitemupdate:5")),
            (
                "ONCRMDYNAMICITEMUPDATE",
                {"ID": "5/../6", "ENTITY_TYPE_ID": "31"},
                ("vendor.oncrmdynamicitemupdate", "dynamic_31:5/../6"),
            ),
            ("ONCRMDYNAMICITEMMOVE_177", {"ID": "5"}, ("vendor.oncrmdynamicitemmove_177", "crmdynamicitemmove_177:5")),
        ],
    )
    def test_an_item_needs_its_kind_and_its_number(self, name, fields, told):
        (event,) = parse(form(event=name, **{f"data[FIELDS][{key}]": value for key, value in fields.items()}))
        assert (event.type, event.subject) == told

    def test_a_robots_webhook_points_at_a_record(self):
        pairs = {"document_id[0]": "crm", "document_id[1]": "CCrmDocumentDeal", "document_id[2]": "DEAL_57"}
        (event,) = parse(form(**pairs, **{"properties[a]": "b"}))
        assert (event.type, event.subject, event.incomplete) == ("deal.updated", "deal:57", True)

    def test_the_app_came_or_went(self):
        (event,) = parse(sampled("ONAPPUNINSTALL.webhook.txt"))
        assert (event.type, event.text) == ("connection.changed", "app: uninstall")

    def test_what_cannot_be_an_event_has_a_reason(self):
        for body in (b"", b"a=b", b"event=", b"event=%00%ff"):
            with pytest.raises(ValueError, match="names no event"):
                parse(request(body))

    def test_a_poll_that_found_a_new_record_tells_both(self):
        body = orjson.dumps({"event": "ONCRMDEALUPDATE", "data": {"FIELDS": {"ID": "5"}}, "created": True, "ts": 1})
        polled = request(body, "POLL", "application/json")
        assert [event.type for event in parse(polled)] == ["deal.created", "deal.updated"]
        assert [event.type for event in parse(request(body, "POST", "application/json"))] == ["deal.updated"]


class TestKey:
    def test_tokens_and_their_expiry_are_left_out(self):
        body = (SAMPLES / "ONCRMDEALADD-to-app.webhook.txt").read_bytes()
        other = body.replace(b"fake_access_token_00000000000001", b"another").replace(b"expires_in", b"expires_at")
        assert other != body
        assert incoming.receipt_key(request(body)) == incoming.receipt_key(request(other))

    @pytest.mark.parametrize(
        ("name", "value"),
        [
            ("ts", "1"),
            ("event", "ONCRMDEALUPDATE"),
            ("data[FIELDS][ID]", "1"),
            ("event_handler_id", "1"),
            ("auth[member_id]", "x"),
            ("data[FIELDS][STAGE_ID]", "NEW"),
        ],
    )
    def test_what_was_said_counts(self, name, value):
        asked = sampled("ONCRMDEALADD-to-app.webhook.txt")
        pairs = {**dict(asked.form()), name: value}
        assert incoming.receipt_key(form(**pairs)) != incoming.receipt_key(asked)

    def test_it_can_be_read(self):
        key = incoming.receipt_key(sampled("ONCRMDEALADD-to-app.webhook.txt"))
        assert key.startswith("oncrmdealadd:7405:")


class TestSender:
    def test_one_of_several_tokens_is_enough(self):
        incoming.verify(sampled("ONCRMLEADADD.webhook.txt"), ["other", TOKEN])

    def test_no_token_configured_is_said(self):
        with pytest.raises(Rejected, match="application_token isn't set"):
            incoming.verify(sampled("ONCRMLEADADD.webhook.txt"), ["", ""])

    @pytest.mark.parametrize(
        "pairs",
        [
            {},
            {"auth[application_token]": ""},
            {"auth": TOKEN},
            {"application_token": TOKEN},
            {"auth[application_token][0]": TOKEN},
            {"auth[application_token]": TOKEN + " x"},
        ],
    )
    def test_a_missing_or_wrong_token(self, pairs):
        with pytest.raises(Rejected) as caught:
            incoming.verify(form(event="ONCRMLEADADD", **pairs), [TOKEN])
        assert caught.value.status == 403
        assert TOKEN not in caught.value.reason

    def test_another_portal(self):
        with pytest.raises(Rejected, match="another portal"):
            incoming.verify(sampled("ONCRMLEADADD.webhook.txt"), [TOKEN], "another")
        incoming.verify(sampled("ONCRMLEADADD.webhook.txt"), [TOKEN], "0000000000000000000000000000fake")

    def test_too_many_fields(self):
        with pytest.raises(Rejected) as caught:
            incoming.verify(request(b"a=1&" * 10_001), [TOKEN])
        assert caught.value.status == 413
