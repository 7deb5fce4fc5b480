"""Records through the old methods: values, stages, multifields, lists, duplicates, notes, tasks, directories."""

import datetime as dt
import json
from pathlib import Path

import pytest
import requests

from plugins.bitrix24.sandbox import Bitrix24Sandbox

SAMPLES = Path(__file__).parent / "samples"


def sample(name):
    return json.loads((SAMPLES / name).read_text())


class Clock:
    def __init__(self):
        self.now = dt.datetime(2026, 3, 2, 9, 0, tzinfo=dt.UTC)

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def portal(clock):
    with Bitrix24Sandbox(rate_per_second=None, clock=clock).start() as running, requests.Session() as http:
        hook = running.sandbox.credentials()["webhook_url"]

        class Client:
            sandbox, url = running.sandbox, running.url

            def call(self, method, **params):
                answer = http.post(hook + method, json=params, timeout=5)
                return answer.status_code, answer.json()

            def ok(self, method, **params):
                status, body = self.call(method, **params)
                assert status == 200, body
                return body["result"]

            def state(self):
                return http.get(self.url + "/_sandbox/state", timeout=5).json()

        yield Client()


def without(names, row):
    """Leave out fields a portal has of its own: user fields, bindings to smart processes."""
    return {key for key in row if not key.startswith(("UF_", "PARENT_ID_", *names))}


# --- values -----------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["lead", "deal", "contact", "company"])
def test_a_record_is_shown_with_the_documented_fields(portal, kind):
    number = portal.ok(f"crm.{kind}.add", fields={"TITLE": "x", "NAME": "y"})
    shown = portal.ok(f"crm.{kind}.get", id=number)
    missing = without(("PHONE", "EMAIL", "IM"), sample(f"crm.{kind}.get.response.json")["result"]) - shown.keys()
    extra = without((), shown) - sample(f"crm.{kind}.get.response.json")["result"].keys()
    rare = {"LAST_COMMUNICATION_TIME", "ADDRESS_COUNTRY_CODE"} | {name for name in missing if name.startswith("REG_")}
    assert missing <= rare
    assert extra <= rare
    assert {type(value) for key, value in shown.items() if not key.startswith("UF_")} <= {str, type(None)}


def test_old_methods_answer_in_strings(portal):
    values = {
        "TITLE": "Замовлення",
        "CATEGORY_ID": 5,
        "OPPORTUNITY": 1250.5,
        "CURRENCY_ID": "UAH",
        "CONTACT_IDS": [12, 13],
        "ORIGINATOR_ID": "hub",
        "ORIGIN_ID": "form-77",
        "UF_CRM_1730000001": "20450000000001",
        "UF_CRM_1730000006": "2026-03-05T12:00:00+02:00",
        "UF_CRM_1730000009": "2026-03-09",
        "UF_CRM_1730000005": "99.90",
        "NO_SUCH_FIELD": "ignored",
        "DATE_CREATE": "2001-01-01",
    }
    deal = portal.ok("crm.deal.get", id=portal.ok("crm.deal.add", fields=values))
    assert deal["OPPORTUNITY"] == "1250.50"
    assert (deal["CATEGORY_ID"], deal["STAGE_ID"], deal["CONTACT_ID"]) == ("5", "C5:NEW", "12")
    assert (deal["ORIGINATOR_ID"], deal["ORIGIN_ID"]) == ("hub", "form-77")
    assert deal["UF_CRM_1730000001"] == "20450000000001"
    assert deal["UF_CRM_1730000006"] == "2026-03-05T13:00:00+03:00"
    assert deal["UF_CRM_1730000009"] == "2026-03-09T03:00:00+03:00"
    assert deal["DATE_CREATE"] == "2026-03-02T12:00:00+03:00"
    assert "NO_SUCH_FIELD" not in deal


@pytest.mark.parametrize("kind", ["lead", "deal", "contact", "company"])
def test_errors_have_empty_codes(portal, kind):
    fields_error = sample("crm.deal.add.error.json")
    assert portal.call(f"crm.{kind}.add") == (400, fields_error)
    number = portal.ok(f"crm.{kind}.add", fields={})
    assert portal.call(f"crm.{kind}.update", id=number, fields="x") == (400, fields_error)
    assert portal.call(f"crm.{kind}.get", id=999999) == (400, sample("crm.lead.get.error.json"))
    assert portal.call(f"crm.{kind}.get")[1]["error_description"] == "ID is not defined or invalid."


def test_deleted_is_gone(portal):
    number = portal.ok("crm.company.add", fields={"TITLE": "x"})
    assert portal.ok("crm.company.delete", id=number) is True
    assert portal.call("crm.company.delete", id=number)[0] == 400


def test_the_responsible_must_exist(portal):
    assert portal.call("crm.lead.add", fields={"ASSIGNED_BY_ID": 4242})[0] == 400
    assert portal.state()["counters"]["creates"]["lead"] == 0


def test_nothing_is_checked_for_duplicates(portal):
    same = {"ORIGINATOR_ID": "hub", "ORIGIN_ID": "1"}
    assert portal.ok("crm.lead.add", fields=same) != portal.ok("crm.lead.add", fields=same)


def test_fields_are_described(portal):
    fields = portal.ok("crm.deal.fields")
    assert fields["STAGE_ID"]["statusType"] == "DEAL_STAGE"
    assert fields["DATE_CREATE"]["isReadOnly"] is True
    assert fields["UF_CRM_1730000001"]["isDynamic"] is True
    assert fields["UF_CRM_1730000001"]["listLabel"] == "ТТН"
    assert portal.ok("crm.contact.fields")["PHONE"]["type"] == "crm_multifield"


# --- stages -----------------------------------------------------------------------------------


def test_a_stage_must_be_of_the_deals_pipeline(portal):
    number = portal.ok("crm.deal.add", fields={"CATEGORY_ID": 5, "STAGE_ID": "C5:UC_BRANCH"})
    status, body = portal.call("crm.deal.update", id=number, fields={"STAGE_ID": "C3:NEW", "TITLE": "new"})
    assert (status, body["error"]) == (400, "")
    assert portal.ok("crm.deal.get", id=number)["STAGE_ID"] == "C5:UC_BRANCH"
    assert portal.ok("crm.deal.get", id=number)["TITLE"] != "new"
    assert portal.call("crm.deal.add", fields={"STAGE_ID": "C0:NEW"})[0] == 400
    assert portal.call("crm.lead.add", fields={"STATUS_ID": "UC_NONE"})[0] == 400


def test_moving_between_stages_leaves_its_marks(portal, clock):
    number = portal.ok("crm.deal.add", fields={"CATEGORY_ID": 5})
    clock.now += dt.timedelta(hours=1)
    portal.sandbox.act("crm.deal.update", {"id": number, "fields": {"TITLE": "renamed"}}, user_id=5)
    deal = portal.ok("crm.deal.get", id=number)
    assert (deal["DATE_MODIFY"], deal["MODIFY_BY_ID"]) == ("2026-03-02T13:00:00+03:00", "5")
    assert (deal["MOVED_TIME"], deal["MOVED_BY_ID"]) == ("2026-03-02T12:00:00+03:00", "1")
    portal.sandbox.act("crm.deal.update", {"id": number, "fields": {"STAGE_ID": "C5:WON"}}, user_id=5)
    deal = portal.ok("crm.deal.get", id=number)
    assert (deal["MOVED_TIME"], deal["MOVED_BY_ID"]) == ("2026-03-02T13:00:00+03:00", "5")
    assert (deal["STAGE_SEMANTIC_ID"], deal["CLOSED"]) == ("S", "Y")
    portal.ok("crm.deal.update", id=number, fields={"STAGE_ID": "C5:LOSE"})
    assert portal.ok("crm.deal.get", id=number)["STAGE_SEMANTIC_ID"] == "F"
    portal.ok("crm.deal.update", id=number, fields={"STAGE_ID": "C5:EXECUTING"})
    deal = portal.ok("crm.deal.get", id=number)
    assert (deal["STAGE_SEMANTIC_ID"], deal["CLOSED"], deal["MODIFY_BY_ID"]) == ("P", "N", "1")


def test_another_pipeline_begins_at_its_first_stage(portal):
    number = portal.ok("crm.deal.add", fields={})
    portal.ok("crm.deal.update", id=number, fields={"CATEGORY_ID": 3})
    assert portal.ok("crm.deal.get", id=number)["STAGE_ID"] == "C3:NEW"
    portal.ok("crm.deal.update", id=number, fields={"CATEGORY_ID": 1, "STAGE_ID": "C1:WON"})
    assert portal.ok("crm.deal.get", id=number)["STAGE_SEMANTIC_ID"] == "S"


def test_leads_have_stages_of_their_own(portal):
    number = portal.ok("crm.lead.add", fields={"STATUS_ID": "UC_8KZQ1A"})
    portal.ok("crm.lead.update", id=number, fields={"STATUS_ID": "JUNK"})
    lead = portal.ok("crm.lead.get", id=number)
    assert (lead["STATUS_SEMANTIC_ID"], lead["DATE_CLOSED"]) == ("F", "2026-03-02T12:00:00+03:00")
    assert (
        portal.ok("crm.lead.get", id=portal.ok("crm.lead.add", fields={"CONTACT_ID": 7}))["IS_RETURN_CUSTOMER"] == "Y"
    )


# --- multifields ------------------------------------------------------------------------------


@pytest.fixture
def contact(portal):
    phones = [{"VALUE": "+380501112233", "VALUE_TYPE": "MOBILE"}, {"VALUE": "+380441112233", "VALUE_TYPE": "WORK"}]
    mails = [{"VALUE": "olena@example.com", "VALUE_TYPE": "WORK"}]
    return portal.ok("crm.contact.add", fields={"NAME": "Олена", "PHONE": phones, "EMAIL": mails})


def phones(portal, number):
    return portal.ok("crm.contact.get", id=number).get("PHONE", [])


def test_a_phone_without_id_is_added_each_time(portal, contact):
    fields = sample("crm.contact.update-phone-append.request.json")["fields"]
    for _ in range(2):
        portal.ok("crm.contact.update", id=contact, fields=fields)
    assert [row["VALUE"] for row in phones(portal, contact)][2:] == ["55555", "55555"]
    assert phones(portal, contact)[0].keys() == {"ID", "VALUE_TYPE", "VALUE", "TYPE_ID"}


def test_a_phone_with_id_is_changed_and_the_rest_stay(portal, contact):
    first, second = phones(portal, contact)
    row = {"ID": first["ID"], "VALUE": "444444", "VALUE_TYPE": "HOME"}
    portal.ok("crm.contact.update", id=contact, fields={"PHONE": [row]})
    assert phones(portal, contact) == [first | {"VALUE": "444444", "VALUE_TYPE": "HOME"}, second]


@pytest.mark.parametrize("how", [{"DELETE": "Y"}, {"VALUE": ""}, {}])
def test_three_ways_to_delete_a_phone(portal, contact, how):
    first, second = phones(portal, contact)
    portal.ok("crm.contact.update", id=contact, fields={"PHONE": [{"ID": first["ID"]} | how]})
    assert phones(portal, contact) == [second]
    assert portal.ok("crm.contact.get", id=contact)["HAS_PHONE"] == "Y"


def test_a_foreign_id_changes_nothing(portal, contact):
    before = phones(portal, contact)
    portal.ok("crm.contact.update", id=contact, fields={"PHONE": [{"ID": 1, "VALUE": "1"}], "EMAIL": "text"})
    assert phones(portal, contact) == before


# --- lists ------------------------------------------------------------------------------------


@pytest.fixture
def deals(portal, clock):
    numbers = []
    for number in range(60):
        clock.now += dt.timedelta(minutes=1)
        fields = {
            "TITLE": f"Deal {number}",
            "OPPORTUNITY": number * 100,
            "CATEGORY_ID": 5 if number % 2 else 0,
            "ORIGINATOR_ID": "hub",
            "ORIGIN_ID": str(number),
            "CONTACT_IDS": [1, 2] if number == 3 else [],
        }
        numbers.append(portal.sandbox.act("crm.deal.add", {"fields": fields}))
    return numbers


def test_pages_of_fifty(portal, deals):
    first = portal.call("crm.deal.list", select=["ID"])[1]
    assert (len(first["result"]), first["total"], first["next"]) == (50, 60, 50)
    last = portal.call("crm.deal.list", select=["ID"], start=first["next"])[1]
    assert (len(last["result"]), last["total"]) == (10, 60)
    assert "next" not in last
    assert [int(row["ID"]) for row in first["result"] + last["result"]] == deals


def test_start_minus_one_does_not_count(portal, deals):
    page = portal.call("crm.deal.list", start=-1, order={"ID": "ASC"}, filter={">ID": deals[4]}, select=["ID"])[1]
    assert (len(page["result"]), page["total"]) == (50, 0)
    assert "next" not in page
    assert page["result"][0]["ID"] == str(deals[5])


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ({"TITLE": "deal 7"}, [7]),
        ({"=OPPORTUNITY": 700}, [7]),
        ({"!=CATEGORY_ID": 0, "<ID": 2005}, [1, 3]),
        ({"!CATEGORY_ID": "5", "<=OPPORTUNITY": "200"}, [0, 2]),
        ({">OPPORTUNITY": 5800}, [59]),
        ({">=OPPORTUNITY": "5800"}, [58, 59]),
        ({"@ORIGIN_ID": ["4", "9", "x"]}, [4, 9]),
        ({"ORIGIN_ID": ["4", "9"]}, [4, 9]),
        ({"!@CATEGORY_ID": [5], "<OPPORTUNITY": 300}, [0, 2]),
        ({"%TITLE": "eal 5", "CATEGORY_ID": 0}, [50, 52, 54, 56, 58]),
        ({"=%TITLE": "%l 1_"}, []),
        ({"=%TITLE": "deal 1"}, [1]),
        ({"%=TITLE": "%l 13"}, [13]),
        ({"!%TITLE": "1", "<OPPORTUNITY": 300}, [0, 2]),
        ({"!=%TITLE": "% 1", "<OPPORTUNITY": 300}, [0, 2]),
        ({"ORIGINATOR_ID": "hub", "ORIGIN_ID": "17"}, [17]),
        ({"CONTACT_ID": 2}, [3]),
        ({"STAGE_ID": "C5:NEW", "<OPPORTUNITY": 400}, [1, 3]),
        ({">DATE_CREATE": "2026-03-02T12:58:30+03:00"}, [58, 59]),
        ({">=DATE_MODIFY": "2026-03-02T10:00:00Z", "CLOSED": "N"}, [59]),
        ({">=DATE_MODIFY": "2026-03-03"}, []),
        ({"NO_SUCH_FIELD": "x", "ORIGIN_ID": "17"}, [17]),
        ({"LEAD_ID": "", "ORIGIN_ID": "17"}, [17]),
    ],
)
def test_filters(portal, deals, condition, expected):
    rows = portal.ok("crm.deal.list", filter=condition, order={"ID": "ASC"}, select=["TITLE"])
    assert [row["TITLE"] for row in rows] == [f"Deal {number}" for number in expected]


def test_order(portal, deals):
    rows = portal.ok("crm.deal.list", order={"CATEGORY_ID": "DESC", "ID": "DESC"}, select=["ORIGIN_ID"])
    assert [row["ORIGIN_ID"] for row in rows[:2]] == ["59", "57"]


def test_what_select_gives(portal, contact):
    def selected(*names):
        return portal.ok("crm.contact.list", select=list(names))[0].keys()

    assert selected("NAME", "PHONE") == {"ID", "NAME", "PHONE"}
    assert "PHONE" not in selected("*")
    assert {"EMAIL", "LAST_NAME"} < selected("*", "EMAIL")
    portal.ok("crm.contact.userfield.add", fields={"FIELD_NAME": "COAT", "USER_TYPE_ID": "string"})
    assert selected("UF_*") == {"ID", "UF_CRM_COAT"}
    row = sample("crm.company.list.response.json")["result"][0]
    portal.ok("crm.company.add", fields={"TITLE": "x", "PHONE": [{"VALUE": "+1"}]})
    assert portal.ok("crm.company.list", SELECT=list(row))[0].keys() == row.keys()


def test_phones_match_whole(portal, contact):
    def found(**condition):
        return [row["ID"] for row in portal.ok("crm.contact.list", filter=condition)]

    assert found(PHONE="+380501112233") == [str(contact)]
    assert found(EMAIL="OLENA@example.com") == [str(contact)]
    assert found(PHONE="380501112233") == []
    assert portal.ok("crm.contact.list", filter={"%PHONE": "111"}) == []


# --- bindings, products -----------------------------------------------------------------------


def test_contacts_of_a_deal(portal):
    number = portal.ok("crm.deal.add", fields={"CONTACT_ID": 5})
    items = [{"CONTACT_ID": 7, "SORT": 20}, {"CONTACT_ID": 8, "IS_PRIMARY": "Y"}]
    assert portal.ok("crm.deal.contact.items.set", id=number, items=items) is True
    bound = portal.ok("crm.deal.contact.items.get", id=number)
    assert [(row["CONTACT_ID"], row["IS_PRIMARY"]) for row in bound] == [(8, "Y"), (7, "N")]
    assert portal.ok("crm.deal.get", id=number)["CONTACT_ID"] == "8"


def test_the_amount_follows_the_product_rows(portal):
    number = portal.ok("crm.deal.add", fields={})
    rows = [{"PRODUCT_NAME": "Крем", "PRICE": 200, "QUANTITY": 2}, {"PRODUCT_NAME": "Маска", "PRICE": "99.5"}]
    assert portal.ok("crm.deal.productrows.set", id=number, rows=rows) is True
    assert [row["PRODUCT_NAME"] for row in portal.ok("crm.deal.productrows.get", id=number)] == ["Крем", "Маска"]
    assert portal.ok("crm.deal.get", id=number)["OPPORTUNITY"] == "499.50"
    listed = portal.ok("crm.item.productrow.list", filter={"=ownerType": "D", "=ownerId": number})
    assert [row["price"] for row in listed["productRows"]] == [200, 99.5]


# --- duplicates -------------------------------------------------------------------------------


def find(portal, *values, **more):
    return portal.ok("crm.duplicate.findbycomm", type="PHONE", values=list(values), **more)


def test_duplicates_are_ids_by_type(portal, contact):
    lead = portal.ok("crm.lead.add", fields={"PHONE": [{"VALUE": "+380501112233"}]})
    assert find(portal, "+380501112233") == {"LEAD": [lead], "CONTACT": [contact]}
    assert find(portal, "+380501112233", entity_type="CONTACT") == {"CONTACT": [contact]}
    assert find(portal, "+380501112233,101") == {"LEAD": [lead], "CONTACT": [contact]}
    assert find(portal, "0501112233", "380501112233") == sample("crm.duplicate.findbycomm-none.response.json")["result"]
    mail = portal.ok("crm.duplicate.findbycomm", type="EMAIL", values=["Olena@example.com"])
    assert mail == {"CONTACT": [contact]}
    assert portal.call("crm.duplicate.findbycomm", values=["1"]) == (400, sample("crm.duplicate.findbycomm.error.json"))


def test_twenty_values_at_most_and_twenty_hits_end_the_search(portal, contact):
    wanted = [str(number) for number in range(20)]
    assert find(portal, *wanted, "+380501112233") == []
    for _ in range(20):
        portal.ok("crm.lead.add", fields={"PHONE": [{"VALUE": "+380501112233"}]})
    assert find(portal, "+380501112233").keys() == {"LEAD"}


def test_merging_keeps_the_first(portal, contact):
    other = portal.ok("crm.contact.add", fields={"NAME": "Олена", "LAST_NAME": "К", "PHONE": [{"VALUE": "+1"}]})
    deal = portal.ok("crm.deal.add", fields={"CONTACT_ID": other})
    result = portal.ok("crm.entity.mergeBatch", params={"entityTypeId": 3, "entityIds": [contact, other]})
    assert result == {"STATUS": "SUCCESS", "ENTITY_IDS": [other]}
    assert result.keys() == sample("crm.entity.mergeBatch.response.json")["result"].keys()
    assert portal.call("crm.contact.get", id=other)[0] == 400
    assert len(phones(portal, contact)) == 3
    assert portal.ok("crm.contact.get", id=contact)["LAST_NAME"] == "К"
    assert portal.ok("crm.deal.get", id=deal)["CONTACT_ID"] == str(contact)


def test_merging_what_differs_is_a_conflict(portal, contact):
    other = portal.ok("crm.contact.add", fields={"NAME": "Ірина"})
    result = portal.ok("crm.entity.mergeBatch", params={"entityTypeId": 3, "entityIds": [contact, other]})
    assert result["STATUS"] == "CONFLICT"
    assert portal.ok("crm.contact.get", id=other)["NAME"] == "Ірина"
    alone = portal.call("crm.entity.mergeBatch", params={"entityTypeId": 3, "entityIds": [contact]})
    assert alone == (400, sample("crm.entity.mergeBatch.error.json"))


# --- comments, activities, tasks ----------------------------------------------------------------


def test_comments(portal):
    deal = portal.ok("crm.deal.add", fields={})
    fields = sample("crm.timeline.comment.add.request.json")["fields"] | {"ENTITY_ID": deal}
    number = portal.ok("crm.timeline.comment.add", fields=fields)
    assert isinstance(number, int)
    portal.ok("crm.timeline.comment.update", id=number, fields={"COMMENT": "other"})
    shown = portal.ok("crm.timeline.comment.get", id=number)
    assert (shown["ENTITY_ID"], shown["ENTITY_TYPE"], shown["COMMENT"]) == (str(deal), "deal", "other")
    listed = portal.ok("crm.timeline.comment.list", filter={"ENTITY_TYPE": "deal", "ENTITY_ID": deal})
    assert [row["ID"] for row in listed] == [str(number)]
    assert portal.ok("crm.timeline.comment.delete", id=number) is True
    assert portal.call("crm.timeline.comment.get", id=number) == (400, sample("crm.timeline.comment.add.error.json"))


def test_comments_read_lower_case_fields_only(portal):
    deal = portal.ok("crm.deal.add", fields={})
    fields = {"ENTITY_TYPE": "deal", "ENTITY_ID": deal, "COMMENT": "x"}
    assert portal.call("crm.timeline.comment.add", FIELDS=fields)[1]["error"] == "100"
    wrong = portal.call("crm.timeline.comment.add", fields=fields | {"ENTITY_ID": 1})
    assert wrong[1]["error"] == "OWNER_NOT_FOUND"


def test_activities(portal):
    deal = portal.ok("crm.deal.add", fields={})
    fields = sample("crm.activity.add.request.json")["fields"] | {"OWNER_ID": deal}
    number = portal.ok("crm.activity.add", fields=fields)
    portal.ok("crm.activity.update", id=number, fields={"COMPLETED": "Y"})
    shown = portal.ok("crm.activity.list", filter={"OWNER_TYPE_ID": 2, "OWNER_ID": deal})
    assert [(row["ID"], row["COMPLETED"], row["STATUS"]) for row in shown] == [(str(number), "Y", "2")]
    bare = fields | {"COMMUNICATIONS": [{"VALUE": "+1"}]}
    assert portal.call("crm.activity.add", fields=bare)[0] == 400


def test_todos(portal):
    deal = portal.ok("crm.deal.add", fields={})
    request = sample("crm.activity.todo.add.request.json") | {"ownerId": deal}
    assert portal.ok("crm.activity.todo.add", **request) == {"id": 5001}
    shown = portal.ok("crm.activity.get", id=5001)
    assert (shown["PROVIDER_ID"], shown["RESPONSIBLE_ID"]) == ("CRM_TODO", "5")
    missing = portal.call("crm.activity.todo.add", **(request | {"ownerId": 1}))
    assert missing == (400, sample("crm.activity.todo.add.error.json"))


def test_tasks(portal):
    fields = {"TITLE": "Подзвонити", "RESPONSIBLE_ID": 5, "UF_CRM_TASK": ["D_10"], "DEADLINE": "2026-03-03T10:00:00Z"}
    task = portal.ok("tasks.task.add", fields=fields)["task"]
    known = sample("tasks.task.add.response.json")["result"]["task"]
    assert task.keys() <= known.keys()
    assert (task["status"], task["responsible"]["id"], task["deadline"]) == ("2", "5", "2026-03-03T13:00:00+03:00")
    done = portal.ok("tasks.task.complete", taskId=task["id"])["task"]
    assert (done["status"], done["closedBy"]) == ("5", "1")
    found = portal.call("tasks.task.list", filter={"UF_CRM_TASK": "D_10"}, select=["ID", "UF_CRM_TASK"])[1]
    assert (found["total"], found["result"]["tasks"][0]["ufCrmTask"]) == (1, ["D_10"])
    assert portal.ok("tasks.task.list", filter={"!REAL_STATUS": "5"}) == {"tasks": []}
    untitled = portal.call("tasks.task.add", fields={"RESPONSIBLE_ID": 5})
    assert untitled == (400, sample("tasks.task.add.error.json"))


# --- directories ------------------------------------------------------------------------------


def test_stages_by_pipeline(portal):
    rows = portal.ok("crm.status.list", order={"SORT": "ASC"}, filter={"ENTITY_ID": "DEAL_STAGE_5"})
    codes = "NEW PREPAYMENT_INVOICE PREPARATION EXECUTING UC_BRANCH FINAL_INVOICE UC_RETURN WON LOSE"
    assert [row["STATUS_ID"] for row in rows] == [f"C5:{code}" for code in codes.split()]
    assert rows[0]["CATEGORY_ID"] == "5"
    body = portal.call("crm.status.list", **sample("crm.status.list.request.json"))[1]
    known = sample("crm.status.list.response.json")
    assert body["total"] == known["total"]
    assert [row["STATUS_ID"] for row in body["result"]] == [row["STATUS_ID"] for row in known["result"]]
    assert [row["EXTRA"]["SEMANTICS"] for row in body["result"]] == [
        row["EXTRA"]["SEMANTICS"] for row in known["result"]
    ]
    assert body["result"][0].keys() == known["result"][0].keys()
    leads = [row["STATUS_ID"] for row in portal.ok("crm.status.list", filter={"ENTITY_ID": "STATUS"})]
    assert {"UC_8KZQ1A", "UC_3FD0MM", "NEW", "JUNK", "CONVERTED"} < set(leads)


def test_pipelines(portal):
    body = portal.call("crm.category.list", entityTypeId=2)[1]
    rows = {row["id"]: row for row in body["result"]["categories"]}
    assert {0, 1, 3, 5} < rows.keys()
    assert (rows[0]["isDefault"], rows[5]["isDefault"]) == ("Y", "N")
    known = sample("crm.category.list.response.json")["result"]["categories"]
    assert rows[5].keys() == known[0].keys()
    assert portal.call("crm.category.list", entityTypeId=177)[1] == sample("crm.category.list.error.json")


def test_stage_directories_name_their_ends(portal):
    types = {row["ID"]: row for row in portal.ok("crm.status.entity.types")}
    assert types["DEAL_STAGE_5"]["SEMANTIC_INFO"]["FINAL_SUCCESS_FIELD"] == "C5:WON"
    known = {row["ID"]: row for row in sample("crm.status.entity.types.response.json")["result"]}
    assert types["STATUS"] == known["STATUS"]
    assert types["DEAL_STAGE_1"].keys() == known["DEAL_STAGE_1"].keys()


def test_user_fields(portal):
    request = sample("crm.deal.userfield.add.request.json")["fields"]
    number = portal.ok("crm.deal.userfield.add", fields=request)
    row = portal.ok("crm.deal.userfield.get", id=number)
    assert (row["FIELD_NAME"], row["MULTIPLE"]) == ("UF_CRM_HELLO_WORLD", "Y")
    listed = portal.ok("crm.deal.userfield.list", filter={"FIELD_NAME": "UF_CRM_HELLO_WORLD", "LANG": "ru"})
    known = sample("crm.deal.userfield.list.response.json")["result"][-1]
    assert listed[0].keys() == known.keys()
    deal = portal.ok("crm.deal.add", fields={"UF_CRM_HELLO_WORLD": ["a", "b"]})
    assert portal.ok("crm.deal.get", id=deal)["UF_CRM_HELLO_WORLD"] == ["a", "b"]
    assert portal.call("crm.deal.userfield.add", fields=request)[0] == 400
    assert portal.call("crm.deal.userfield.add", fields={"FIELD_NAME": "X"})[1] == sample(
        "crm.deal.userfield.add.error.json"
    )
    assert portal.ok("crm.deal.userfield.delete", id=number) is True
    assert "UF_CRM_HELLO_WORLD" not in portal.ok("crm.deal.get", id=deal)


def test_list_values_are_ids(portal):
    values = [{"VALUE": "Мала"}, {"VALUE": "Велика"}]
    fields = {"FIELD_NAME": "SIZE", "USER_TYPE_ID": "enumeration", "LIST": values}
    row = portal.ok("crm.lead.userfield.get", id=portal.ok("crm.lead.userfield.add", fields=fields))
    second = row["LIST"][1]["ID"]
    lead = portal.ok("crm.lead.add", fields={"UF_CRM_SIZE": second})
    assert portal.ok("crm.lead.get", id=lead)["UF_CRM_SIZE"] == second
    portal.ok("crm.lead.update", id=lead, fields={"UF_CRM_SIZE": "Мала"})
    assert portal.ok("crm.lead.get", id=lead)["UF_CRM_SIZE"] is None


def test_the_fields_of_the_recipes_are_there(portal):
    names = {row["FIELD_NAME"] for row in portal.ok("crm.deal.userfield.list")}
    assert {f"UF_CRM_{1730000000 + number}" for number in range(1, 11)} < names
    leads = {row["FIELD_NAME"] for row in portal.ok("crm.lead.userfield.list")}
    assert {"UF_CRM_1710000012", "UF_CRM_1720000008"} < leads


def test_the_small_methods(portal):
    assert portal.ok("method.get", name="CRM.deal.add") == sample("method.get.response.json")["result"]
    assert portal.ok("method.get", name="event.bind") == {"isExisting": True, "isAvailable": False}
    assert portal.ok("method.get", name="no.such") == {"isExisting": False, "isAvailable": False}
    assert "crm" in portal.ok("scope")
    assert portal.ok("feature.get", CODE="rest_offline_extended") == {"value": "Y"}
    assert portal.ok("crm.multifield.fields") == sample("crm.multifield.fields.response.json")["result"]
    types = {row["ID"]: row for row in portal.ok("crm.enum.ownertype")}
    assert [types[number] for number in (1, 2, 3, 4)] == sample("crm.enum.ownertype.response.json")["result"][:4]
    user = portal.ok("user.get", ID=5)
    assert user[0].keys() == sample("user.get.response.json")["result"][0].keys()
    assert "crm.deal.add" in portal.ok("methods")
    deal = portal.ok("crm.deal.add", fields={})
    assert portal.ok("crm.automation.trigger", target=f"DEAL_{deal}", code="c") is True
    assert portal.call("crm.automation.trigger")[1] == sample("crm.automation.trigger.error.json")
    assert isinstance(portal.ok("crm.tracking.trace.add", **sample("crm.tracking.trace.add.request.json")), int)
    assert portal.call("crm.tracking.trace.add")[1] == sample("crm.tracking.trace.add.error.json")
    document = portal.ok("crm.documentgenerator.document.add", templateId=1, entityTypeId=2, entityId=deal)
    assert document["document"]["entityId"] == str(deal)


def test_notifications(portal):
    assert portal.call("im.notify.system.add", MESSAGE="x")[1] == sample("im.notify.system.add.error.json")
    request = sample("im.notify.system.add.request.json")
    assert portal.call("im.notify.system.add", **request)[1]["error"] == "CLIENT_ID_EMPTY"
    assert isinstance(portal.ok("im.notify.system.add", **request, CLIENT_ID="hub"), int)
    assert portal.state()["notifications"][0]["user_id"] == 5
