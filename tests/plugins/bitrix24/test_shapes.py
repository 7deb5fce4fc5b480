"""Pure translations: vendor records into neutral ones, actions into fields, numbers into spellings, settings."""

import datetime as dt
from decimal import Decimal

import marshmallow as ma
import pytest

from hub.errors import AuthFailed, Gone, RateLimited, Refused, Retry, Uncertain
from hub.model import Action
from plugins.bitrix24 import codes, multifield, outgoing, records
from plugins.bitrix24.client import command
from plugins.bitrix24.refusals import Expired, refusal
from plugins.bitrix24.sandbox.fields import FM_TYPES, SYSTEM_FIELDS
from plugins.bitrix24.schemas import Bitrix24Settings
from plugins.bitrix24.search import _FILTER_KEY


class TestRecords:
    def test_a_deal(self, recorded):
        deal = records.neutral("deal", recorded("crm.deal.get.response.json")["result"], "https://p.bitrix24.ru")
        assert deal["id"] == "410"
        assert (deal["stage"], deal["pipeline"], deal["contact"], deal["company"]) == ("PREPARATION", "0", "84", "9")
        assert (deal["amount"], deal["currency"], deal["closed"]) == ("1000000.00", "EUR", False)
        assert deal["won"] is False
        assert records.neutral("deal", {"ID": "1", "STAGE_SEMANTIC_ID": "S"})["won"] is True
        assert "won" not in records.neutral("deal", {"ID": "1"})
        assert deal["created_at"] == "2024-08-30T12:29:00+00:00"
        assert deal["url"] == "https://p.bitrix24.ru/crm/deal/details/410/"
        assert deal["source"] == {"utm_source": "google", "utm_medium": "CPC", "channel": "CALLBACK"}
        assert deal["extra"]["UF_CRM_1721244482250"] == "Привет мир!"

    def test_a_lead_without_a_contact(self, recorded):
        lead = records.neutral("lead", recorded("crm.lead.get.response.json")["result"])
        assert lead["stage"] == "IN_PROCESS"
        assert "contact" not in lead
        assert "name" not in lead
        assert lead["phone_raw"] == "+5000000004"

    def test_a_contact(self, recorded):
        raw = recorded("crm.contact.get.response.json")["result"]
        raw["PHONE"][0]["VALUE"] = "067 123-45-67"
        contact = records.neutral("contact", raw, region="UA")
        assert (contact["name"], contact["first_name"], contact["middle_name"]) == (
            "Тест Тестович Тестов",
            "Тест",
            "Тестович",
        )
        assert contact["phones"] == ["+380671234567"]
        assert contact["emails"] == ["ivanov@example.mailing", "ivanov@example.work"]
        assert contact["responsible"] == "6"

    def test_handles(self):
        rows = [{"VALUE_TYPE": "TELEGRAM", "VALUE": "@anna"}, {"VALUE_TYPE": "OPENLINE", "VALUE": "imol|x"}]
        assert multifield.handles({"IM": rows}) == {"telegram": "@anna"}

    def test_a_task(self, recorded):
        task = records.task(
            {**recorded("tasks.task.add.response.json")["result"]["task"], "ufCrmTask": ["D_10", "CO_5"]}
        )
        assert (task["status"], task["done"], task["deal"]) == ("pending", False, "10")

    @pytest.mark.parametrize("odd", [None, "", "x", 0, "0001-01-01T00:00:00+10:00", [], "2024-01-01"])
    def test_odd_times_are_none(self, odd):
        assert records.instant(odd) == ""


class TestFields:
    def test_a_phone_becomes_a_row(self):
        assert outgoing.fields("lead", {"PHONE": "+380671234567", "EMAIL": ""}) == {
            "PHONE": [{"VALUE": "+380671234567", "VALUE_TYPE": "WORK"}]
        }

    def test_spellings_of_values(self):
        at = dt.datetime(2026, 1, 2, 3, 4, 5, 6, tzinfo=dt.UTC)
        given = {
            "OPENED": True,
            "UF_CRM_1": False,
            "OPPORTUNITY": Decimal("1.50"),
            "CLOSEDATE": dt.date(2026, 1, 2),
            "UF_CRM_2": at,
            "COMMENTS": None,
        }
        assert outgoing.fields("deal", given) == {
            "OPENED": "Y",
            "UF_CRM_1": "0",
            "OPPORTUNITY": "1.50",
            "CLOSEDATE": "2026-01-02",
            "UF_CRM_2": "2026-01-02T03:04:05+00:00",
            "COMMENTS": "",
        }

    def test_a_stage_brings_its_pipeline(self):
        assert outgoing.fields("deal", {"STAGE_ID": "C5:NEW"}) == {"STAGE_ID": "C5:NEW", "CATEGORY_ID": "5"}
        assert outgoing.fields("deal", {"stage": "C0:NEW"}) == {"STAGE_ID": "NEW", "CATEGORY_ID": "0"}
        assert outgoing.fields("lead", {"stage": "UC_8KZQ1A"}) == {"STATUS_ID": "UC_8KZQ1A"}

    def test_a_create_carries_marker_contact_and_responsible(self):
        action = Action("deal.create", "deal", "create", {"TITLE": "x"}, contact="7", marker="m")
        assert outgoing.creation(action, "12") == {
            "TITLE": "x",
            "CONTACT_ID": "7",
            "ASSIGNED_BY_ID": "12",
            "ORIGINATOR_ID": "hub",
            "ORIGIN_ID": "m",
        }

    @pytest.mark.parametrize(
        ("contact", "names"),
        [
            ({"name": "Анна Коваль"}, ("Анна", "Коваль")),
            ({"first_name": "Анна", "last_name": "К", "name": "x"}, ("Анна", "К")),
            ({"phone": "+380671234567"}, ("+380671234567", None)),
            ({"handles": {"viber": "abc"}}, ("abc", None)),
        ],
    )
    def test_a_contact_is_never_nameless(self, contact, names):
        made = outgoing.contact_values(contact)
        assert (made.get("NAME"), made.get("LAST_NAME")) == names

    @pytest.mark.parametrize(
        ("ours", "theirs", "name"),
        [
            ("100", "100.00", "OPPORTUNITY"),
            ("", None, "X"),
            ("1", True, "UF_CRM_1"),
            (["1"], [1], "UF_CRM_1"),
            ("2024-08-30", "2024-08-30T02:00:00+02:00", "CLOSEDATE"),
            ("", False, "UF_CRM_1"),
            ("2024-08-30T12:00:00+00:00", "2024-08-30T14:00:00+02:00", "UF_CRM_1"),
        ],
    )
    def test_the_same_in_another_spelling(self, ours, theirs, name):
        assert outgoing.same(name, ours, theirs)

    @pytest.mark.parametrize(
        ("ours", "theirs"), [("007", "7"), ("a", "b"), ("2024-08-30", "2024-08-31"), (["1", "2"], ["1"]), ("", "x")]
    )
    def test_different_values(self, ours, theirs):
        assert not outgoing.same("UF_CRM_1", ours, theirs)

    def test_a_known_phone_is_not_added_twice(self):
        current = {"PHONE": [{"ID": "1", "VALUE": "8 (067) 123-45-67"}, {"ID": "2", "VALUE": "0671234567"}]}
        wanted = {"PHONE": ["+380671234567", "+380501112233", "050 111 22 33"]}
        assert outgoing.changes("contact", wanted, current, "UA") == {
            "PHONE": [{"VALUE": "+380501112233", "VALUE_TYPE": "WORK"}]
        }

    def test_only_empties_are_filled(self):
        current = {"NAME": "Anna", "LAST_NAME": None}
        wanted = {"NAME": "Anya", "LAST_NAME": "K"}
        assert outgoing.changes("contact", wanted, current, "UA", empties_only=True) == {"LAST_NAME": "K"}
        assert outgoing.changes("contact", wanted, current, "UA") == wanted

    def test_a_lead_becomes_a_deal(self, recorded):
        lead = {**recorded("crm.lead.get.response.json")["result"], "UF_CRM_1": "akita", "UF_CRM_2": None}
        action = Action("lead.convert", "lead", "convert", {"STAGE_ID": "C3:NEW"}, marker="m")
        deal = outgoing.deal_of_lead(lead, "9", action)
        assert deal["LEAD_ID"] == "123"
        assert (deal["CATEGORY_ID"], deal["CONTACT_ID"], deal["UF_CRM_1"]) == ("3", "9", "akita")
        assert "UF_CRM_2" not in deal
        assert "OPPORTUNITY" not in deal

    def test_owners_and_links_may_be_words(self):
        assert outgoing.todo({"ownerTypeId": "deal", "ownerId": "5"})["ownerTypeId"] == "2"
        assert outgoing.task({"TITLE": "x", "UF_CRM_TASK": "D_10, C_7"}, "3") == {
            "TITLE": "x",
            "UF_CRM_TASK": ["D_10", "C_7"],
            "RESPONSIBLE_ID": "3",
        }


class TestSpellings:
    def test_ukraine(self):
        found = multifield.phone_spellings("067 123 45 67", "UA")
        assert {"+380671234567", "380671234567", "0671234567", "80671234567"} <= set(found)

    def test_russia(self):
        assert {"+79161234567", "79161234567", "89161234567"} <= set(multifield.phone_spellings("+79161234567", ""))

    def test_nonsense_is_asked_as_it_is(self):
        assert multifield.phone_spellings("abc", "UA") == ["abc"]

    def test_a_command_is_written_as_php_reads_it(self):
        assert command("crm.deal.list", {"filter": {">ID": 5}, "select": ["ID"], "start": -1}) == (
            "crm.deal.list?filter%5B%3EID%5D=5&select%5B0%5D=ID&start=-1"
        )

    @pytest.mark.parametrize("key", ["UF_CRM_1", ">=OPPORTUNITY", "!STAGE_ID", "@ID", "PARENT_ID_128", "%TITLE"])
    def test_filters_of_the_vendor(self, key):
        assert _FILTER_KEY.match(key)

    @pytest.mark.parametrize("key", ["blocked", "stage", "ID; DROP", "title", ""])
    def test_no_filters(self, key):
        assert not _FILTER_KEY.match(key)

    def test_stages_and_pipelines(self):
        assert codes.pipeline_of("C12:UC_X") == "12"
        assert codes.pipeline_of("WON") == "0"
        assert codes.stage_directory("deal", "C5:NEW") == "DEAL_STAGE_5"
        assert codes.stage_directory("deal", "NEW") == "DEAL_STAGE"
        assert codes.stage_directory("lead", "NEW") == "STATUS"


class TestRefusals:
    @pytest.mark.parametrize(
        ("status", "name", "error"),
        [
            (503, "rest-QUERY_LIMIT_EXCEEDED", RateLimited),
            (429, "rest-OPERATION_TIME_LIMIT", RateLimited),
            (401, "rest-expired_token", Expired),
            (401, "rest-NO_AUTH_FOUND", AuthFailed),
            (403, "rest-INVALID_CREDENTIALS", AuthFailed),
            (403, "rest-insufficient_scope", Refused),
            (403, "rest-WRONG_AUTH_TYPE", Refused),
            (400, "crm.deal.add", Refused),
            (400, "crm.item.get-lead", Gone),
            (400, "crm.timeline.comment.add", Gone),
            (400, "tasks.task.add", Refused),
            (400, "im.notify.system.add", Refused),
        ],
    )
    def test_recorded(self, recorded, status, name, error):
        assert type(refusal(status, recorded(f"{name}.error.json"), "crm.deal.get")) is error

    def test_an_inner_error_depends_on_what_was_asked(self, recorded):
        body = recorded("rest-INTERNAL_SERVER_ERROR.error.json")
        assert type(refusal(500, body, "crm.deal.get")) is Retry
        assert type(refusal(500, body, "crm.deal.add", changes=True)) is Uncertain

    def test_case_does_not_matter_and_texts_do_not_either(self):
        assert isinstance(refusal(401, {"error": "EXPIRED_TOKEN", "error_description": "x"}, "m"), Expired)
        assert type(refusal(400, {"error": "", "error_description": "QUERY_LIMIT_EXCEEDED"}, "m")) is Refused

    def test_an_unknown_code_is_judged_by_its_status(self):
        for status, error in ((400, Refused), (401, AuthFailed), (404, Refused), (429, RateLimited), (502, Retry)):
            assert type(refusal(status, {"error": "NEW_CODE"}, "m")) is error

    def test_the_missing_scope_is_named(self, recorded):
        error = refusal(403, recorded("rest-insufficient_scope.error.json"), "tasks.task.add")
        assert error.reason.endswith(": task")

    def test_html_is_taken_out_and_fields_are_named(self):
        body = {"error": "X", "error_description": "Wrong <b>STAGE_ID</b>&nbsp;value<br>"}
        error = refusal(400, body, "crm.deal.add", sent={"STAGE_ID": "x", "STAGE": "y"})
        assert "Wrong STAGE_ID value" in error.reason
        assert set(error.fields) == {"STAGE_ID"}

    def test_no_access_to_one_record_does_not_hold_the_connection(self):
        assert type(refusal(400, {"error": "ACCESS_DENIED"}, "m")) is Refused
        assert type(refusal(403, {"error": "ACCESS_DENIED"}, "m")) is AuthFailed


class TestSettings:
    HOOK = "https://portal.bitrix24.ru/rest/1/secret"

    def test_texts_are_converted(self):
        loaded = Bitrix24Settings().load(
            {
                "webhook_url": self.HOOK,
                "poll": "1h 30m",
                "limits": {"per_second": "5", "burst": "225"},
                "application_token": "a, b",
            }
        )
        assert loaded["poll"] == 5400
        assert loaded["limits"] == {"per_second": 5.0, "burst": 225}
        assert loaded["application_token"] == ("a", "b")
        assert loaded["webhook_url"] == self.HOOK + "/"

    @pytest.mark.parametrize(
        ("given", "words"),
        [
            ({}, "webhook_url"),
            ({"client_id": "x"}, "client_secret"),
            ({"webhook_url": "https://p.bitrix24.ru"}, "reads"),
            ({"webhook_url": HOOK.replace("https", "http")}, "https"),
            ({"webhook_url": HOOK, "poll": "soon"}, "duration"),
            ({"webhook_url": HOOK, "events": "offline"}, "app"),
            ({"webhook_url": HOOK, "user": "Anna"}, "number"),
            ({"webhook_url": HOOK, "portal": "portal"}, "https://"),
        ],
    )
    def test_what_is_wrong_is_said(self, given, words):
        with pytest.raises(ma.ValidationError, match=words):
            Bitrix24Settings().load(given)

    def test_webhook_and_app_together(self):
        assert Bitrix24Settings().load({"webhook_url": self.HOOK, "client_id": "a", "client_secret": "b"})


@pytest.mark.parametrize("kind", sorted(codes.ENTITIES))
def test_each_word_that_is_offered_is_a_field_of_the_portal(kind):
    """The portal takes a field it doesn't know, and forgets it."""
    portal = {*SYSTEM_FIELDS[kind], *(FM_TYPES if codes.ENTITIES[kind].multifields else ())}
    for word in outgoing.words(kind):
        told = outgoing.in_their_words(kind, {word: "x y"})
        assert set(told) <= set(portal), f"{word}: {sorted(set(told) - set(portal))}"
