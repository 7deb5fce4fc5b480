"""HTTP with the portal: for each call the address, the request, the answer and the refusal; then what may go wrong."""

import datetime as dt
import time

import orjson
import pytest
import requests
import responses

from hub.errors import AuthFailed, Gone, RateLimited, Refused, Retry, Uncertain
from hub.model import Action
from plugins.bitrix24.client import Batch
from tests.plugins.bitrix24.conftest import HOOK

DEAL = "crm.deal.get.response.json"


@pytest.fixture(autouse=True)
def web():
    with responses.RequestsMock(assert_all_requests_are_fired=False) as mock:
        yield mock


def answers(web, method, body, status=200, base=HOOK):
    return web.post(base + method, json=body, status=status)


def sent(web, index=-1):
    return orjson.loads(web.calls[index].request.body)


def methods(web):
    return [call.request.url.rsplit("/", 1)[-1] for call in web.calls]


CALL = {
    "OWNER_TYPE_ID": 2,
    "OWNER_ID": 10,
    "TYPE_ID": 2,
    "SUBJECT": "call",
    "COMMUNICATIONS": [{"VALUE": "+380671234567", "ENTITY_ID": 7, "ENTITY_TYPE_ID": 3}],
}
#: action -> (method, recorded answer, parameters that must be sent, id of the outcome)
CALLS = {
    "deal.create": (
        Action("deal.create", "deal", "create", {"TITLE": "x", "STAGE_ID": "C5:NEW"}, contact="7", marker="m"),
        "crm.deal.add",
        "crm.deal.add.response.json",
        {
            "fields": {
                "TITLE": "x",
                "STAGE_ID": "C5:NEW",
                "CATEGORY_ID": "5",
                "CONTACT_ID": "7",
                "ORIGINATOR_ID": "hub",
                "ORIGIN_ID": "m",
            }
        },
        "394",
    ),
    "comment.create": (
        Action("comment.create", "comment", "create", {"ENTITY_TYPE": "Deal", "ENTITY_ID": "10", "COMMENT": "hi"}),
        "crm.timeline.comment.add",
        "crm.timeline.comment.add.response.json",
        {"fields": {"ENTITY_TYPE": "deal", "ENTITY_ID": "10", "COMMENT": "hi"}},
        "999",
    ),
    "todo.create": (
        Action(
            "todo.create",
            "todo",
            "create",
            {"ownerTypeId": "deal", "ownerId": "1", "deadline": "2026-01-15", "title": "t"},
        ),
        "crm.activity.todo.add",
        "crm.activity.todo.add.response.json",
        {"ownerTypeId": "2", "ownerId": "1", "deadline": "2026-01-15", "title": "t"},
        "999",
    ),
    "activity.create": (
        Action("activity.create", "activity", "create", {**CALL}, marker="m"),
        "crm.activity.add",
        "crm.activity.add.response.json",
        {"fields": {**CALL, "ORIGINATOR_ID": "hub", "ORIGIN_ID": "m"}},
        "999",
    ),
    "task.create": (
        Action("task.create", "task", "create", {"TITLE": "t", "RESPONSIBLE_ID": "1", "UF_CRM_TASK": "D_10"}),
        "tasks.task.add",
        "tasks.task.add.response.json",
        {"fields": {"TITLE": "t", "RESPONSIBLE_ID": "1", "UF_CRM_TASK": ["D_10"]}},
        "3711",
    ),
    "notify.send": (
        Action("notify.send", "notify", "send", {"USER_ID": "5", "MESSAGE": "hi"}),
        "im.notify.system.add",
        "im.notify.system.add.response.json",
        {"USER_ID": "5", "MESSAGE": "hi"},
        "12345",
    ),
    "api": (Action("api", "api", "api", {"id": "5"}, method="crm.item.get"), "crm.item.get", DEAL, {"id": "5"}, "410"),
}


class TestActions:
    @pytest.mark.parametrize("name", CALLS)
    def test_request_and_answer(self, web, by_hook, recorded, name):
        action, method, answer, params, number = CALLS[name]
        answers(web, method, recorded(answer))
        done = by_hook.perform(action)
        assert web.calls[0].request.url == HOOK + method
        assert web.calls[0].request.method == "POST"
        assert sent(web) == params
        assert done.id == number

    @pytest.mark.parametrize("name", CALLS)
    @pytest.mark.parametrize(
        ("status", "refusal", "error"),
        [
            (400, "crm.deal.add.error.json", Refused),
            (401, "rest-NO_AUTH_FOUND.error.json", AuthFailed),
            (503, "rest-QUERY_LIMIT_EXCEEDED.error.json", RateLimited),
        ],
    )
    def test_refusal(self, web, by_hook, recorded, name, status, refusal, error):
        action, method, *_ = CALLS[name]
        answers(web, method, recorded(refusal), status)
        with pytest.raises(error):
            by_hook.perform(action)

    def test_an_update_writes_what_differs(self, web, by_hook, recorded):
        answers(web, "crm.deal.get", recorded(DEAL))
        answers(web, "crm.deal.update", recorded("crm.deal.update.response.json"))
        values = {"TITLE": "Новая сделка #1", "OPPORTUNITY": "1000000", "UTM_CAMPAIGN": "spring"}
        done = by_hook.perform(Action("deal.update", "deal", "update", values, id="410"))
        assert sent(web) == {"ID": "410", "fields": {"UTM_CAMPAIGN": "spring"}}
        assert (done.written, done.before) == ({"UTM_CAMPAIGN": "spring"}, {"UTM_CAMPAIGN": None})

    def test_an_update_without_a_difference_writes_nothing(self, web, by_hook, recorded):
        answers(web, "crm.deal.get", recorded(DEAL))
        done = by_hook.perform(Action("deal.update", "deal", "update", {"OPPORTUNITY": "1000000"}, id="410"))
        assert methods(web) == ["crm.deal.get"]
        assert (done.id, done.written, done.result["title"]) == ("410", {}, "Новая сделка #1")

    def test_a_stage_of_another_pipeline(self, web, by_hook, recorded):
        answers(web, "crm.deal.get", recorded(DEAL))
        answers(web, "crm.deal.update", recorded("crm.deal.update.response.json"))
        by_hook.perform(Action("deal.set_stage", "deal", "set_stage", {"stage": "C5:NEW"}, id="410"))
        assert sent(web)["fields"] == {"STAGE_ID": "C5:NEW", "CATEGORY_ID": "5"}

    def test_an_update_without_a_target(self, by_hook):
        with pytest.raises(Refused, match="find"):
            by_hook.perform(Action("deal.update", "deal", "update", {"TITLE": "x"}))

    def test_a_record_that_is_gone(self, web, by_hook, recorded):
        answers(web, "crm.deal.get", {"error": "", "error_description": "Not found"}, 400)
        answers(web, "crm.deal.list", {"result": []})
        with pytest.raises(Gone):
            by_hook.perform(Action("deal.update", "deal", "update", {"TITLE": "x"}, id="410"))

    def test_a_record_that_may_not_be_read_is_no_ghost(self, web, by_hook):
        answers(web, "crm.deal.get", {"error": "", "error_description": "Not found"}, 400)
        answers(web, "crm.deal.list", {"result": [{"ID": "410"}]})
        with pytest.raises(Refused) as caught:
            by_hook.get("deal", "410")
        assert type(caught.value) is Refused

    def test_products(self, web, by_hook):
        answers(web, "crm.deal.productrows.set", {"result": True})
        rows = [{"PRODUCT_NAME": "x", "PRICE": "5", "QUANTITY": "2"}]
        done = by_hook.perform(Action("deal.set_products", "deal", "set_products", {"rows": rows}, id="5"))
        assert sent(web) == {"id": "5", "rows": rows}
        assert done.result["goods"][0]["sum"] == "10"

    def test_a_repeated_comment_is_looked_for(self, web, by_hook, recorded):
        row = {
            "ID": "7",
            "ENTITY_TYPE": "deal",
            "ENTITY_ID": "10",
            "COMMENT": "hi  there",
            "CREATED": "2030-01-01T00:00:00+00:00",
        }
        answers(web, "crm.timeline.comment.list", {"result": [row]})
        answers(web, "crm.timeline.comment.add", recorded("crm.timeline.comment.add.response.json"))
        values = {"ENTITY_TYPE": "deal", "ENTITY_ID": "10", "COMMENT": "hi there"}
        again = Action("comment.create", "comment", "create", values, in_doubt_since=dt.datetime.now(dt.UTC))
        assert by_hook.perform(again).id == "7"
        again.values = {**values, "COMMENT": "other"}
        assert by_hook.perform(again).id == "999"

    def test_an_unknown_action(self, by_hook):
        with pytest.raises(Refused, match="no action"):
            by_hook.perform(Action("deal.fly", "deal", "fly"))
        with pytest.raises(Refused, match="method"):
            by_hook.perform(Action("api", "api", "api"))
        with pytest.raises(Refused, match="no name"):
            by_hook.perform(Action("api", "api", "api", method="../../x"))


class TestReading:
    def test_get(self, web, by_hook, recorded):
        answers(web, "crm.deal.get", recorded(DEAL))
        assert by_hook.get("deal", "410")["stage"] == "PREPARATION"
        assert sent(web) == {"ID": "410"}

    def test_find_by_marker(self, web, by_hook, recorded):
        answers(web, "crm.deal.list", {"result": [recorded(DEAL)["result"]], "total": 0})
        (found,) = by_hook.find("deal", {"marker": "m", "since": 0.0})
        assert found["id"] == "410"
        assert sent(web) == {
            "filter": {"ORIGINATOR_ID": "hub", "ORIGIN_ID": "m", ">=DATE_CREATE": "1970-01-01T00:00:00+00:00"},
            "select": ["*", "UF_*"],
            "order": {"ID": "ASC"},
            "start": -1,
        }

    def test_find_a_deal_by_phone_goes_through_its_contact(self, web, by_hook, recorded):
        answers(web, "crm.duplicate.findbycomm", recorded("crm.duplicate.findbycomm.response.json"))
        answers(web, "crm.deal.list", {"result": []})
        by_hook.find("deal", {"phone": "+380671234567", "open": True, "stage": ["C5:NEW", "C0:NEW"]})
        assert sent(web, 0)["entity_type"] == "CONTACT"
        assert sent(web, 0)["values"][:3] == ["+380671234567", "380671234567", "0671234567"]
        assert sent(web, 1)["filter"] == {
            "STAGE_SEMANTIC_ID": "P",
            "@STAGE_ID": ["C5:NEW", "NEW"],
            "@CONTACT_ID": ["275", "2297"],
        }

    def test_nobody_has_this_phone(self, web, by_hook, recorded):
        answers(web, "crm.duplicate.findbycomm", recorded("crm.duplicate.findbycomm-none.response.json"))
        assert by_hook.find("contact", {"phone": "+380671234567"}) == []
        assert methods(web) == ["crm.duplicate.findbycomm"]

    def test_an_unknown_number_fits_nothing(self, web, by_hook):
        assert by_hook.find("deal", {"UF_CRM_1730000001": ""}) == []
        assert by_hook.find("deal", {"phone": None, "open": True}) == []
        assert len(web.calls) == 0

    def test_a_long_list_is_walked_by_id(self, web, by_hook):
        answers(web, "crm.lead.list", {"result": [{"ID": str(number)} for number in range(1, 51)]})
        answers(web, "crm.lead.list", {"result": [{"ID": "51"}]})
        assert len(by_hook.find("lead", {"stage": "NEW"}, limit=100)) == 51
        assert sent(web)["filter"] == {"STATUS_ID": "NEW", ">ID": "50"}

    def test_an_unknown_word_is_refused_not_ignored(self, by_hook):
        with pytest.raises(Refused, match="blocked"):
            by_hook.find("lead", {"blocked": "no"})
        with pytest.raises(Refused, match="condition"):
            by_hook.find("lead", {})

    def test_stages_are_asked_once(self, web, by_hook, recorded):
        answers(web, "crm.status.list", recorded("crm.status.list.response.json"))
        first = by_hook.stage_order("deal", "NEW")
        assert by_hook.stage_order("deal", "WON") == first
        assert first[:2] == ["NEW", "PREPARATION"]
        assert len(web.calls) == 1


class TestTrouble:
    @pytest.mark.parametrize(
        ("status", "body", "reading", "writing"),
        [
            (200, b"<html>updating</html>", Retry, Uncertain),
            (502, b"<html>", Retry, Uncertain),
            (503, b"<html>", Retry, Uncertain),
            (200, b"", Retry, Uncertain),
            (200, b"[]", Retry, Uncertain),
            (403, b"<html>", Refused, Refused),
            (404, b"<html>", Refused, Refused),
            (401, b"<html>", AuthFailed, AuthFailed),
            (500, b'{"error":"INTERNAL_SERVER_ERROR"}', Retry, Uncertain),
            (503, b'{"error":"OVERLOAD_LIMIT"}', AuthFailed, AuthFailed),
        ],
    )
    def test_answers_that_are_none(self, web, by_hook, status, body, reading, writing):
        kind = "application/json" if body.startswith((b"{", b"[")) else "text/html"
        for method, error in (("crm.deal.get", reading), ("crm.deal.add", writing)):
            web.post(HOOK + method, body=body, status=status, content_type=kind)
            with pytest.raises(error) as caught:
                by_hook._client.call(method)
            assert type(caught.value) is error

    def test_the_portal_has_moved(self, web, by_hook):
        web.post(HOOK + "crm.deal.get", status=302, headers={"Location": "https://new.bitrix24.ru/rest/"})
        with pytest.raises(Refused, match=r"moved to new\.bitrix24\.ru"):
            by_hook.get("deal", "1")

    def test_secrets_stay_out_of_reasons(self, web, by_hook):
        web.post(HOOK + "crm.deal.get", body=requests.exceptions.ConnectionError(f"no route to {HOOK}"))
        with pytest.raises(Retry) as caught:
            by_hook.get("deal", "1")
        assert "fakewebhooksecret" not in str(caught.value)

    def test_a_method_is_paused_before_its_run_time_is_used_up(self, web, by_hook, recorded):
        used = {"operating": 400.0, "operating_reset_at": time.time() + 300, "finish": time.time()}
        answers(web, "crm.deal.get", {**recorded(DEAL), "time": used})
        by_hook.get("deal", "410")
        with pytest.raises(RateLimited) as caught:
            by_hook.get("deal", "410")
        assert len(web.calls) == 1
        assert caught.value.scope == "crm.deal.get"
        assert 290 < caught.value.after <= 300
        answers(web, "crm.lead.get", recorded("crm.lead.get.response.json"))
        assert by_hook.get("lead", "123")

    def test_a_blocked_method_waits_until_it_is_reset(self, web, by_hook, recorded):
        now = time.time()
        used = {"operating": 10.0, "operating_reset_at": now + 120, "finish": now}
        answers(web, "crm.deal.get", {**recorded(DEAL), "time": used})
        by_hook.get("deal", "410")
        answers(web, "crm.deal.get", recorded("rest-OPERATION_TIME_LIMIT.error.json"), 429)
        with pytest.raises(RateLimited) as caught:
            by_hook.get("deal", "410")
        assert caught.value.scope == "crm.deal.get"
        assert caught.value.after == pytest.approx(120, abs=2)


class TestBatch:
    def test_errors_are_mapped_one_by_one(self, web, by_hook, recorded):
        answers(web, "batch", recorded("batch-halt0-errors.response.json"))
        batch = by_hook._client.batch({"get_user": ("user.current", {}), "get_department": ("department.get", {})})
        assert sent(web) == {"halt": 0, "cmd": {"get_user": "user.current", "get_department": "department.get"}}
        with pytest.raises(Refused, match="user"):
            batch.take("get_user")
        assert batch.get("get_user") is None

    def test_results(self, web, by_hook, recorded):
        answers(web, "batch", recorded("batch.response.json"))
        batch = by_hook._client.batch({"get_user": ("user.current", {})})
        assert batch.take("get_user")["ID"] == "1"
        with pytest.raises(Retry, match="lacks"):
            batch.take("nothing")

    def test_what_passes_by_itself_is_not_swallowed(self):
        with pytest.raises(RateLimited):
            Batch(errors={"x": RateLimited("slower")}).get("x")

    def test_fifty_at_most(self, by_hook):
        with pytest.raises(Refused):
            by_hook._client.batch({str(number): ("profile", {}) for number in range(51)})


class TestPolls:
    def test_offline_rows_are_cleared_once_stored(self, web, by_app):
        base = "https://portal.bitrix24.ru/rest/"
        rows = [
            {
                "ID": "1",
                "EVENT_NAME": "ONCRMLEADADD",
                "EVENT_DATA": {"FIELDS": {"ID": 5}},
                "MESSAGE_ID": "a",
                "TIMESTAMP_X": "2024-07-18T12:32:31+02:00",
            },
            "odd",
            {"ID": "2"},
        ]
        answers(web, "event.offline.get", {"result": {"process_id": "p", "events": rows}}, base=base)
        answers(web, "event.offline.clear", {"result": True}, base=base)
        first = by_app.poll("offline", None)
        assert sent(web)["clear"] == 0
        assert [key for key, _ in first.receipts] == ["offline:1:a:2024-07-18T12:32:31+02:00"]
        assert first.cursor == {"process_id": "p", "ids": ["1", "2"]}
        by_app.poll("offline", first.cursor)
        assert methods(web) == ["event.offline.get", "event.offline.clear", "event.offline.get"]
        assert {key: sent(web, 1)[key] for key in ("process_id", "id")} == {"process_id": "p", "id": ["1", "2"]}

    def test_a_mass_edit_is_walked_through_in_portions(self, web, by_hook):
        for page in range(10):
            rows = [{"ID": str(page * 50 + n), "DATE_MODIFY": "2026-01-01T10:00:00+03:00"} for n in range(1, 51)]
            answers(web, "crm.deal.list", {"result": rows})
        poll = by_hook.poll("deals", {"since": "2026-01-01T00:00:00+00:00"})
        assert len(poll.receipts) == 500
        assert poll.next_in == 1.0
        assert (poll.cursor["since"], poll.cursor["after"]) == ("2026-01-01T00:00:00+00:00", "500")
        answers(web, "crm.deal.list", {"result": []})
        web.calls.reset()
        last = by_hook.poll("deals", poll.cursor)
        assert sent(web, 0)["filter"] == {">=DATE_MODIFY": "2026-01-01T00:00:00+00:00", ">ID": "500"} or last
        assert last.cursor == {"since": poll.cursor["scan"]}
