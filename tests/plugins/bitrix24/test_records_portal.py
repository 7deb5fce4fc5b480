"""Companies, leads, notes and messages, where `test_records.py` only names them: found, refused, read, gone."""

import datetime as dt
from urllib.parse import urlencode

import pytest

from hub.errors import Gone, Refused
from hub.model import Receipt, Request
from hub.testing.build import build
from plugins.bitrix24.connector import Bitrix24
from tests.stands import act

AT = dt.datetime(2026, 3, 4, 10, 0, tzinfo=dt.UTC)


@pytest.fixture
def crm(portal):
    given = portal.sandbox.credentials()
    return build(Bitrix24, {name: given[name] for name in ("webhook_url", "application_token")})


def told(crm, event, **data):
    """Return what an event says that the portal posts; `data` are its fields by path."""
    body = urlencode({"event": event, "ts": str(int(AT.timestamp())), **{f"data{path}": x for path, x in data.items()}})
    headers = {"content-type": "application/x-www-form-urlencoded"}
    request = Request("POST", "/in/crm", headers=headers, body=body.encode(), at=AT)
    return crm.parse(Receipt(1, "crm", crm.receipt_key(request), request, request.at))


# --- companies ---------------------------------------------------------------------------------------


def test_a_company_is_made_found_changed_and_deleted(crm, portal):
    made = act(crm, "company.create", {"TITLE": "Rooms Ltd", "PHONE": "+380441112233"}, marker="hub-1")
    assert portal.ok("crm.company.get", id=made.id)["ORIGIN_ID"] == "hub-1"
    for by in ({"TITLE": "Rooms Ltd"}, {"phone": "+380441112233"}, {"marker": "hub-1"}):
        assert act(crm, "company.find", find=by).id == made.id, by
    assert act(crm, "company.find", find={"TITLE": "nobody"}).id == ""
    assert [row["id"] for row in act(crm, "company.list", find={"TITLE": "Rooms Ltd"}).result["rows"]] == [made.id]
    done = act(crm, "company.update", {"TITLE": "Quest Rooms Ltd", "PHONE": "044 111 22 33"}, id=made.id)
    assert done.written == {"TITLE": "Quest Rooms Ltd"}, "a phone it has already isn't written"
    act(crm, "company.delete", id=made.id)
    with pytest.raises(Gone):
        act(crm, "company.update", {"TITLE": "x"}, id=made.id)


def test_what_the_portal_tells_of_companies(crm):
    made = act(crm, "company.create", {"TITLE": "Rooms Ltd"}).id
    for native, type in (("ONCRMCOMPANYADD", "company.created"), ("ONCRMCOMPANYUPDATE", "company.updated")):
        hints = told(crm, native, **{"[FIELDS][ID]": made})
        assert [(hint.type, hint.subject, hint.incomplete) for hint in hints] == [(type, f"company:{made}", True)]
        [event] = crm.complete(hints, frozenset())
        assert (event.type, event.record["company"]["title"]) == (type, "Rooms Ltd")


# --- leads -------------------------------------------------------------------------------------------


def test_a_lead_is_found_moved_and_given_products(crm, portal):
    made = act(crm, "lead.create", {"TITLE": "A request", "PHONE": "+380671234567"}, marker="hub-3")
    for by in ({"TITLE": "A request"}, {"phone": "067 123 45 67"}, {"marker": "hub-3", "open": True}):
        assert act(crm, "lead.find", find=by).id == made.id, by
    done = act(crm, "lead.set_stage", {"stage": "IN_PROCESS"}, id=made.id)
    assert done.written == {"STATUS_ID": "IN_PROCESS"}
    assert act(crm, "lead.set_stage", {"stage": "IN_PROCESS"}, id=made.id).written == {}
    with pytest.raises(Refused):
        act(crm, "lead.set_stage", {"stage": "NO_SUCH_STAGE"}, id=made.id)
    rows = [{"PRODUCT_NAME": "Quest", "PRICE": "100", "QUANTITY": 2}]
    assert act(crm, "lead.set_products", {"rows": rows}, id=made.id).result["goods"][0]["name"] == "Quest"
    assert [row["PRODUCT_NAME"] for row in portal.ok("crm.lead.productrows.get", id=made.id)] == ["Quest"]
    with pytest.raises(Refused, match="a list"):
        act(crm, "lead.set_products", {"rows": "Quest"}, id=made.id)
    assert portal.ok("crm.lead.get", id=made.id)["STATUS_ID"] == "IN_PROCESS"


# --- notes, messages --------------------------------------------------------------------------


def test_a_changed_note_is_read(crm, portal):
    deal = act(crm, "deal.create", {"TITLE": "x"}).id
    note = act(crm, "comment.create", {"ENTITY_TYPE": "deal", "ENTITY_ID": deal, "COMMENT": "first"}).id
    portal.ok("crm.timeline.comment.update", id=note, fields={"COMMENT": "second"})
    hints = told(crm, "ONCRMTIMELINECOMMENTUPDATE", **{"[FIELDS][ID]": note})
    assert [(hint.type, hint.incomplete) for hint in hints] == [("note.updated", True)]
    [event] = crm.complete(hints, frozenset())
    assert (event.type, event.record["note"]["text"]) == ("note.updated", "second")


def test_a_message_taken_back_in_an_open_line(crm):
    said = {"[DATA][0][message][id]": "86497", "[DATA][0][connector][connector_id]": "livechat"}
    [event] = told(crm, "ONOPENLINEMESSAGEDELETE", **said)
    assert (event.type, event.subject) == ("message.deleted", "message:86497")
