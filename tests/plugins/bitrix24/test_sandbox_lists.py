"""Lists of the old methods: pages, filters, order, what select gives."""

import datetime as dt

import pytest

from tests.plugins.bitrix24.conftest import sample


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
