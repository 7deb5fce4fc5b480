"""What the hub wrote into the portal is taken back by the values that stood there, phones by their own ids."""

import pytest

from hub import restore
from hub.model import Action
from hub.testing.build import build
from plugins.bitrix24.connector import Bitrix24
from plugins.bitrix24.sandbox import Bitrix24Sandbox


@pytest.fixture(scope="module")
def crm():
    with Bitrix24Sandbox(rate_per_second=None).start() as running:
        given = running.sandbox.credentials()
        yield build(Bitrix24, {name: given[name] for name in ("webhook_url", "application_token")})


def update(crm, record, number, **values):
    return crm.perform(Action(f"{record}.update", record, "update", values, id=number))


def make(crm, record, **values):
    return crm.perform(Action(f"{record}.create", record, "create", values)).id


def undo(crm, record, number, done):
    """Take an update back as `hub.restore` does."""
    fields, unknown = restore.fields_of({"written": done.written, "before": done.before})
    assert unknown == []
    now = crm.get(record, number)
    found = restore.compare(crm, record, fields, now)
    if found.back:
        update(crm, record, number, **crm.restored(record, found.back, now))
    return found


def phones(crm, number):
    return [row["VALUE"] for row in crm.get("contact", number)["extra"].get("PHONE") or []]


def test_plain_fields_an_amount_and_a_date_go_back(crm):
    number = make(crm, "deal", TITLE="First", OPPORTUNITY="100")
    done = update(crm, "deal", number, TITLE="Second", OPPORTUNITY="250", CLOSEDATE="2026-05-01")
    found = undo(crm, "deal", number, done)
    assert sorted(found.back) == ["CLOSEDATE", "OPPORTUNITY", "TITLE"]
    extra = crm.get("deal", number)["extra"]
    assert extra["TITLE"] == "First" and float(extra["OPPORTUNITY"]) == 100


def test_a_stage_goes_back(crm):
    number = make(crm, "deal", TITLE="Moved")
    first = crm.get("deal", number)["stage"]
    done = crm.perform(Action("deal.set_stage", "deal", "set_stage", {"stage": "WON"}, id=number))
    assert crm.get("deal", number)["stage"] != first
    undo(crm, "deal", number, done)
    assert crm.get("deal", number)["stage"] == first


def test_a_phone_that_was_added_is_taken_out_and_the_others_stay(crm):
    number = make(crm, "contact", NAME="Olena", PHONE="+380671112233")
    done = update(crm, "contact", number, PHONE="+380509998877", NAME="Olena K")
    assert phones(crm, number) == ["+380671112233", "+380509998877"]
    undo(crm, "contact", number, done)
    assert phones(crm, number) == ["+380671112233"]
    assert crm.get("contact", number)["extra"]["NAME"] == "Olena"


def test_a_phone_somebody_has_corrected_since_stays(crm):
    number = make(crm, "contact", NAME="Olena", PHONE="+380671112233")
    done = update(crm, "contact", number, PHONE="+380509998877")
    [_, added] = crm.get("contact", number)["extra"]["PHONE"]
    update(crm, "contact", number, PHONE=[{"ID": added["ID"], "VALUE": "+380509998800"}])
    found = undo(crm, "contact", number, done)
    assert list(found.changed) == ["PHONE"] and found.back == {}
    assert phones(crm, number) == ["+380671112233", "+380509998800"]
